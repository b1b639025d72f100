#include "cluster/identity.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "base/assert.h"
#include "base/crc.h"
#include "base/number.h"

enum { CHECKSUM_CHARS = 8 };

/* ---- taking lines apart ---- */

static bool parse_hex(struct span text, uint64_t *value)
{
    if (text.len == 0 || text.len > 16 || (text.len > 1 && text.ptr[0] == '0'))
        return false;
    uint64_t sum = 0;
    for (size_t i = 0; i < text.len; i++) {
        static const char digits[] = "0123456789abcdef";
        const char *digit = memchr(digits, text.ptr[i], sizeof digits - 1);
        if (!digit)
            return false;
        sum = sum << 4 | (uint64_t)(digit - digits);
    }
    *value = sum;
    return true;
}

/* Takes the next line, without CR and LF. */
static bool take_line(struct span *text, struct span *line)
{
    const char *end = text->len ? memchr(text->ptr, '\n', text->len) : NULL;
    if (!end || end == text->ptr || end[-1] != '\r')
        return false;
    *line = span_of(text->ptr, (size_t)(end - text->ptr) - 1);
    *text = span_of(end + 1, text->len - line->len - 2);
    return true;
}

static bool take_word(struct span *line, const char *word)
{
    size_t len = strlen(word);
    if (!span_begins_with(*line, span_of(word, len)))
        return false;
    *line = span_of(line->ptr + len, line->len - len);
    return true;
}

/* Takes the text up to the next ':' and the ':' itself, or all of the text. */
static struct span take_field(struct span *line)
{
    const char *colon = line->len ? memchr(line->ptr, ':', line->len) : NULL;
    struct span field = span_of(line->ptr, colon ? (size_t)(colon - line->ptr) : line->len);
    size_t used = colon ? field.len + 1 : field.len;
    *line = span_of(line->ptr + used, line->len - used);
    return field;
}

static bool copy_text(struct span text, char *out, size_t size)
{
    if (text.len >= size || (text.len && memchr(text.ptr, '\0', text.len)))
        return false;
    if (text.len)
        memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return true;
}

static bool copy_id(struct span text, char out[41])
{
    return text.len == 40 && copy_text(text, out, 41) && strspn(out, "0123456789abcdef") == 40;
}

/* Takes a line that consists of `word` and one hexadecimal number. */
static bool take_hex_line(struct span *text, const char *word, uint64_t *value)
{
    struct span line;
    return take_line(text, &line) && take_word(&line, word) && parse_hex(line, value);
}

/* ---- the founders' record ---- */

const struct cluster_founder *cluster_founders_find(const struct cluster_founders *founders,
                                                    uint64_t id)
{
    for (size_t i = 0; i < founders->count; i++)
        if (founders->members[i].id == id)
            return &founders->members[i];
    return NULL;
}

bool cluster_founders_equal(const struct cluster_founders *a, const struct cluster_founders *b)
{
    if (a->count != b->count)
        return false;
    if (a->count && (strcmp(a->cluster_id, b->cluster_id) != 0 || a->mark != b->mark))
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct cluster_founder *one = &a->members[i];
        const struct cluster_founder *other = &b->members[i];
        if (one->id != other->id || one->roles != other->roles ||
            one->incarnation != other->incarnation || strcmp(one->address, other->address) != 0)
            return false;
    }
    return true;
}

void cluster_founders_encode(struct buf *out, const struct cluster_founders *founders)
{
    if (founders->count == 0)
        return;
    buf_printf(out, "#FOUNDERS:%s:%" PRIx64 ":%zu\r\n", founders->cluster_id, founders->mark,
               founders->count);
    for (size_t i = 0; i < founders->count; i++) {
        const struct cluster_founder *member = &founders->members[i];
        buf_printf(out, "#MEMBER:%" PRIu64 ":%u:%" PRIx64 ":%s\r\n", member->id, member->roles,
                   member->incarnation, member->address);
    }
}

/* Whether the text can stand in lines of the log and of replies. */
static bool is_address(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
            return false;
    return text.len > 0;
}

/* A founder with a vote has a known incarnation; a learner's may be unknown. */
static bool is_founder(const struct cluster_founder *member)
{
    if (member->roles == RAFT_VOTER)
        return member->incarnation != 0;
    return member->roles == (RAFT_LEARNER | RAFT_PROMOTE);
}

static bool parse_member(struct span line, uint64_t above, struct cluster_founder *member)
{
    uint64_t roles;
    if (!take_word(&line, "#MEMBER:") || !number_parse_u64(take_field(&line), &member->id) ||
        !number_parse_u64(take_field(&line), &roles) || roles > RAFT_STAYS ||
        !parse_hex(take_field(&line), &member->incarnation) || !is_address(line) ||
        !copy_text(line, member->address, sizeof member->address))
        return false;
    member->roles = (unsigned)roles;
    return member->id > above && is_founder(member);
}

/* Takes the founders' lines from the front of the text. */
static bool take_founders(struct span *text, struct cluster_founders *founders)
{
    struct span line;
    uint64_t count;
    *founders = (struct cluster_founders){.count = 0};
    if (!take_line(text, &line) || !take_word(&line, "#FOUNDERS:") ||
        !copy_id(take_field(&line), founders->cluster_id) ||
        !parse_hex(take_field(&line), &founders->mark) || !number_parse_u64(line, &count) ||
        count == 0 || count > RAFT_MEMBERS_MAX || strcmp(founders->cluster_id, CLUSTER_NO_ID) == 0)
        return false;
    bool has_voter = false;
    for (size_t i = 0; i < count; i++) {
        uint64_t above = i ? founders->members[i - 1].id : 0;
        if (!take_line(text, &line) || !parse_member(line, above, &founders->members[i]))
            return false;
        has_voter = has_voter || founders->members[i].roles == RAFT_VOTER;
    }
    founders->count = (size_t)count;
    return has_voter;
}

bool cluster_founders_parse(struct span text, struct cluster_founders *founders)
{
    *founders = (struct cluster_founders){.count = 0};
    return text.len == 0 || (take_founders(&text, founders) && text.len == 0);
}

/* ---- states and places ---- */

static const char *const begin_names[] = {
    [CLUSTER_EMPTY] = "empty", [CLUSTER_FOUNDING] = "founding", [CLUSTER_BEGUN] = "begun"};

const char *cluster_begin_name(enum cluster_begin begin)
{
    ASSERT((size_t)begin < sizeof begin_names / sizeof *begin_names);
    return begin_names[begin];
}

bool cluster_begin_parse(struct span name, enum cluster_begin *begin)
{
    for (size_t i = 0; i < sizeof begin_names / sizeof *begin_names; i++) {
        if (!span_equal(name, span_text(begin_names[i])))
            continue;
        *begin = (enum cluster_begin)i;
        return true;
    }
    return false;
}

bool cluster_place_equal(const struct cluster_place *a, const struct cluster_place *b)
{
    if (a->inode != b->inode)
        return false;
    return a->birth_ns == b->birth_ns || a->birth_ns == 0 || b->birth_ns == 0;
}

/* ---- superseded clusters ---- */

bool cluster_supersedes(const struct cluster_superseded *superseded, const char *cluster_id)
{
    for (size_t i = 0; superseded && i < superseded->count; i++)
        if (strcmp(superseded->items[i].cluster_id, cluster_id) == 0)
            return true;
    return false;
}

enum err cluster_identity_recover(struct cluster_identity *identity,
                                  const struct cluster_recovery *recovery)
{
    struct cluster_superseded *superseded = &identity->superseded;
    ASSERT(identity->begin == CLUSTER_BEGUN && recovery->incarnation != 0);
    if (superseded->count == CLUSTER_SUPERSEDED_MAX)
        return ERR_RANGE;
    struct cluster_predecessor *old = &superseded->items[superseded->count++];
    *old = (struct cluster_predecessor){.last_index = recovery->last_index,
                                        .last_term = recovery->last_term};
    memcpy(old->cluster_id, identity->cluster_id, sizeof old->cluster_id);
    memcpy(identity->cluster_id, recovery->cluster_id, sizeof identity->cluster_id);
    identity->incarnation = recovery->incarnation;
    identity->previous = 0; /* it belongs to the old cluster */
    identity->place = recovery->place;
    identity->mark = 0;
    struct cluster_founders *founders = &identity->founders;
    *founders = (struct cluster_founders){.count = 1};
    memcpy(founders->cluster_id, identity->cluster_id, sizeof founders->cluster_id);
    founders->members[0] = (struct cluster_founder){
        .id = identity->node_id, .roles = RAFT_VOTER, .incarnation = identity->incarnation};
    snprintf(founders->members[0].address, CLUSTER_ADDRESS_MAX, "%s", recovery->address);
    return ERR_NONE;
}

const struct cluster_predecessor *
cluster_identity_recovered(const struct cluster_identity *identity)
{
    const struct cluster_founder *self =
        cluster_founders_find(&identity->founders, identity->node_id);
    if (identity->superseded.count == 0 || !self || self->incarnation != identity->incarnation)
        return NULL;
    return &identity->superseded.items[identity->superseded.count - 1];
}

static void encode_superseded(struct buf *out, const struct cluster_superseded *superseded)
{
    for (size_t i = 0; i < superseded->count; i++) {
        const struct cluster_predecessor *old = &superseded->items[i];
        buf_printf(out, "#SUPERSEDED:%s:%" PRIu64 ":%" PRIu64 "\r\n", old->cluster_id,
                   old->last_index, old->last_term);
    }
}

/* Takes the lines #SUPERSEDED from the front of the text. */
static bool take_superseded(struct span *text, struct cluster_superseded *superseded)
{
    while (span_begins_with(*text, SPAN("#SUPERSEDED:"))) {
        struct span line;
        if (superseded->count == CLUSTER_SUPERSEDED_MAX || !take_line(text, &line) ||
            !take_word(&line, "#SUPERSEDED:"))
            return false;
        struct cluster_predecessor *old = &superseded->items[superseded->count];
        if (!copy_id(take_field(&line), old->cluster_id) ||
            strcmp(old->cluster_id, CLUSTER_NO_ID) == 0 ||
            cluster_supersedes(superseded, old->cluster_id) ||
            !number_parse_u64(take_field(&line), &old->last_index) ||
            !number_parse_u64(line, &old->last_term))
            return false;
        superseded->count++;
    }
    return true;
}

/* ---- the whole file ---- */

static uint32_t version_of(const struct cluster_identity *identity)
{
    uint32_t version = identity->version ? identity->version : CLUSTER_VERSION_OLDEST;
    if (identity->superseded.count && version < CLUSTER_VERSION_SUPERSEDES)
        return CLUSTER_VERSION_SUPERSEDES;
    return version;
}

void cluster_identity_encode(struct buf *out, const struct cluster_identity *identity)
{
    ASSERT(identity->incarnation != 0);
    ASSERT(identity->node_id != 0 || identity->begin == CLUSTER_EMPTY);
    size_t start = out->len;
    buf_printf(out, "#NODE:%" PRIu32 ":%s:%" PRIu64 ":%" PRIx64 "\r\n", version_of(identity),
               identity->cluster_id, identity->node_id, identity->incarnation);
    buf_printf(out, "#STATE:%s\r\n", cluster_begin_name(identity->begin));
    if (identity->previous)
        buf_printf(out, "#PREVIOUS:%" PRIx64 "\r\n", identity->previous);
    buf_printf(out, "#PLACE:%" PRIu64 ":%" PRIu64 "\r\n", identity->place.inode,
               identity->place.birth_ns);
    if (identity->has_log)
        buf_add_text(out, "#LOG:begun\r\n");
    buf_printf(out, "#LIST:%s\r\n", identity->list);
    buf_printf(out, "#MARK:%" PRIx64 "\r\n", identity->mark);
    encode_superseded(out, &identity->superseded);
    cluster_founders_encode(out, &identity->founders);
    uint32_t crc = crc32c(0, out->ptr + start, out->len - start);
    buf_printf(out, "#END:%08" PRIx32 "\r\n", crc);
}

/* Verifies the last line and removes it. */
static bool take_checksum(struct span *text)
{
    size_t len = strlen("#END:") + CHECKSUM_CHARS + 2;
    if (text->len < len)
        return false;
    struct span body = span_of(text->ptr, text->len - len);
    char expected[32];
    snprintf(expected, sizeof expected, "#END:%08" PRIx32 "\r\n", crc32c(0, body.ptr, body.len));
    if (memcmp(text->ptr + body.len, expected, len) != 0)
        return false;
    *text = body;
    return true;
}

static bool take_node(struct span *text, struct cluster_identity *identity)
{
    struct span line;
    uint64_t version;
    if (!take_line(text, &line) || !take_word(&line, "#NODE:") ||
        !number_parse_u64(take_field(&line), &version))
        return false;
    identity->version = (uint32_t)version; /* it is known: see cluster_identity_parse() */
    return copy_id(take_field(&line), identity->cluster_id) &&
           number_parse_u64(take_field(&line), &identity->node_id) &&
           parse_hex(line, &identity->incarnation) && identity->incarnation != 0;
}

static bool take_state(struct span *text, struct cluster_identity *identity)
{
    struct span line;
    return take_line(text, &line) && take_word(&line, "#STATE:") &&
           cluster_begin_parse(line, &identity->begin);
}

static bool take_place(struct span *text, struct cluster_place *place)
{
    struct span line;
    return take_line(text, &line) && take_word(&line, "#PLACE:") &&
           number_parse_u64(take_field(&line), &place->inode) &&
           number_parse_u64(line, &place->birth_ns);
}

/* Takes the line if it is there. */
static bool take_log(struct span *text, bool *has_log)
{
    struct span line;
    *has_log = span_begins_with(*text, SPAN("#LOG:"));
    return !*has_log || (take_line(text, &line) && span_equal(line, SPAN("#LOG:begun")));
}

static bool take_list(struct span *text, struct cluster_identity *identity)
{
    struct span line;
    return take_line(text, &line) && take_word(&line, "#LIST:") &&
           copy_text(line, identity->list, sizeof identity->list);
}

/* Checks the lines against each other. */
static bool is_sound(const struct cluster_identity *identity)
{
    bool has_id = strcmp(identity->cluster_id, CLUSTER_NO_ID) != 0;
    if (identity->superseded.count &&
        (identity->begin != CLUSTER_BEGUN ||
         cluster_supersedes(&identity->superseded, identity->cluster_id)))
        return false;
    if (identity->node_id == 0 && identity->begin != CLUSTER_EMPTY)
        return false;
    switch (identity->begin) {
    case CLUSTER_EMPTY:
        return !has_id && identity->founders.count == 0;
    case CLUSTER_FOUNDING:
        return has_id && identity->founders.count > 0 &&
               strcmp(identity->founders.cluster_id, identity->cluster_id) == 0;
    case CLUSTER_BEGUN:
        return has_id && (identity->founders.count == 0 ||
                          strcmp(identity->founders.cluster_id, identity->cluster_id) == 0);
    }
    return false;
}

static bool is_of_another_version(struct span text)
{
    uint64_t version;
    return take_word(&text, "#NODE:") && number_parse_u64(take_field(&text), &version) &&
           (version < CLUSTER_VERSION_OLDEST || version > CLUSTER_VERSION) && text.len > 0;
}

enum err cluster_identity_parse(struct span text, struct cluster_identity *identity)
{
    *identity = (struct cluster_identity){.node_id = 0};
    if (is_of_another_version(text))
        return ERR_FOREIGN;
    if (!take_checksum(&text) || !take_node(&text, identity) || !take_state(&text, identity))
        return ERR_CORRUPT;
    if (span_begins_with(text, SPAN("#PREVIOUS:")) &&
        !take_hex_line(&text, "#PREVIOUS:", &identity->previous))
        return ERR_CORRUPT;
    if (!take_place(&text, &identity->place) || !take_log(&text, &identity->has_log) ||
        !take_list(&text, identity) || !take_hex_line(&text, "#MARK:", &identity->mark) ||
        !take_superseded(&text, &identity->superseded) ||
        !cluster_founders_parse(text, &identity->founders) || !is_sound(identity))
        return ERR_CORRUPT;
    return ERR_NONE;
}

uint64_t cluster_derived_incarnation(const char cluster_id[41], uint64_t node_id)
{
    char text[80];
    int len = snprintf(text, sizeof text, "incarnation/%s/%" PRIu64, cluster_id, node_id);
    uint64_t derived = XXH3_64bits(text, (size_t)len);
    return derived ? derived : 1;
}

static size_t add_to_list(char list[CLUSTER_LIST_MAX], size_t len, uint64_t id, const char *address)
{
    int more = snprintf(list + len, CLUSTER_LIST_MAX - len, "%s%" PRIu64 "@%s", len ? "," : "", id,
                        address);
    ASSERT(more > 0 && len + (size_t)more < CLUSTER_LIST_MAX);
    return len + (size_t)more;
}

void cluster_list_text(const struct cluster *cluster, char list[CLUSTER_LIST_MAX])
{
    size_t len = 0;
    list[0] = '\0';
    for (size_t i = 0; i < cluster->count; i++) {
        char address[CLUSTER_ADDRESS_MAX];
        cluster_address(&cluster->nodes[i], address);
        len = add_to_list(list, len, cluster->nodes[i].id, address);
    }
}

void cluster_members_text(const struct raft_membership *membership, char list[CLUSTER_LIST_MAX])
{
    size_t len = 0;
    list[0] = '\0';
    for (size_t i = 0; i < membership->count; i++)
        len = add_to_list(list, len, membership->members[i].id, membership->members[i].address);
}

void cluster_founders_membership(const struct cluster_founders *founders,
                                 struct raft_membership *membership)
{
    *membership = (struct raft_membership){.count = 0};
    for (size_t i = 0; i < founders->count; i++) {
        const struct cluster_founder *founder = &founders->members[i];
        struct raft_member member = {
            .id = founder->id, .roles = founder->roles, .incarnation = founder->incarnation};
        memcpy(member.address, founder->address, sizeof founder->address);
        raft_membership_put(membership, &member);
    }
}
