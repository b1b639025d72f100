#include <string.h>

#include "base/number.h"
#include "sim/script/script.h"

bool is_number(const char *text)
{
    uint64_t value;
    return number_parse_u64(span_text(text), &value);
}

uint64_t number_of(struct world *world, const char *text)
{
    uint64_t value;
    if (!number_parse_u64(span_text(text), &value))
        fail(world, "'%s' is no number", text);
    return value;
}

char *take_word(struct words *words, size_t at)
{
    char *word = words->at[at];
    words->count--;
    memmove(&words->at[at], &words->at[at + 1], (words->count - at) * sizeof *words->at);
    return word;
}

char *take_option(struct words *words, const char *key)
{
    size_t len = strlen(key);
    for (size_t i = 1; i < words->count; i++) {
        if (strncmp(words->at[i], key, len) == 0 && words->at[i][len] == '=')
            return take_word(words, i) + len + 1;
    }
    return NULL;
}

uint64_t take_number(struct world *world, struct words *words, const char *key, uint64_t otherwise)
{
    const char *text = take_option(words, key);
    return text ? number_of(world, text) : otherwise;
}

bool take_flag(struct words *words, const char *flag)
{
    for (size_t i = 1; i < words->count; i++) {
        if (strcmp(words->at[i], flag) == 0) {
            take_word(words, i);
            return true;
        }
    }
    return false;
}

static void add_id(struct world *world, struct ids *ids, const char *text)
{
    uint64_t id = number_of(world, text);
    if (id == 0 || id > NODES_MAX || ids->count == NODES_MAX)
        fail(world, "'%s' is no node", text);
    ids->at[ids->count++] = id;
}

struct ids ids_of(struct world *world, char *list)
{
    struct ids ids = {0};
    char *rest = list;
    for (char *text = strsep(&rest, ","); text && *text; text = strsep(&rest, ","))
        add_id(world, &ids, text);
    return ids;
}

struct ids nodes_of(struct world *world, const struct words *words, size_t from)
{
    struct ids ids = {0};
    for (size_t i = from; i < words->count; i++)
        add_id(world, &ids, words->at[i]);
    for (uint64_t id = 1; from >= words->count && id <= NODES_MAX; id++) {
        if (world->nodes[id].id)
            ids.at[ids.count++] = id;
    }
    return ids;
}

uint64_t node_argument(struct world *world, const struct words *words)
{
    if (words->count < 2)
        fail(world, "'%s' needs a node", words->at[0]);
    return number_of(world, words->at[1]);
}

/* Under the incarnation that the node has now, or will have. */
static void add_member(const struct world *world, struct raft_membership *membership, uint64_t id,
                       unsigned roles)
{
    uint64_t incarnation = id <= NODES_MAX ? world->nodes[id].incarnation : 0;
    raft_membership_put(
        membership, &(struct raft_member){
                        .id = id, .roles = roles, .incarnation = incarnation ? incarnation : 1});
}

struct raft_membership take_membership(struct world *world, struct words *words)
{
    static const struct {
        const char *key;
        enum raft_member_role role;
    } kinds[] = {{"voters", RAFT_VOTER}, {"learners", RAFT_LEARNER}, {"promote", RAFT_PROMOTE}};
    struct raft_membership membership = {0};
    char *unmet = take_option(words, "unmet");
    struct ids strangers = {0};
    if (unmet)
        strangers = ids_of(world, unmet);
    for (size_t i = 0; i < strangers.count; i++)
        raft_membership_set(&membership, strangers.at[i], RAFT_PROMOTE);
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
        char *list = take_option(words, kinds[kind].key);
        struct ids ids = {0};
        if (list)
            ids = ids_of(world, list);
        for (size_t i = 0; i < ids.count; i++)
            add_member(world, &membership, ids.at[i], kinds[kind].role);
    }
    return membership;
}
