/* Random writes of values of all types, a few keys of each, and reads by writing commands. Nobody
 * looks at the replies: the digests of the nodes do, and the snapshots that bring the values from
 * one node to another. */
#include <stdio.h>

#include "sim/sim.h"

enum { ARGS_MAX = 8, KEYS = 3, NAMES = 40 };

/* Of what is drawn for a database that nobody else uses so much concerns several, or all of one;
 * and so much clears it while a snapshot is being written. */
static const double share_of_databases = 0.15;
static const double share_of_flushes = 0.2;
static const double share_of_old_ways = 0.3;

struct draft {
    char texts[ARGS_MAX][24];
    struct span args[ARGS_MAX];
    size_t argc;
    unsigned database;
};

static void add(struct draft *draft, const char *text)
{
    snprintf(draft->texts[draft->argc], sizeof draft->texts[0], "%s", text);
    draft->args[draft->argc] = span_text(draft->texts[draft->argc]);
    draft->argc++;
}

static void add_number(struct sim *sim, struct draft *draft, uint64_t most)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)sim_between(sim, 0, most));
    add(draft, text);
}

static void add_name(struct sim *sim, struct draft *draft)
{
    char text[24];
    snprintf(text, sizeof text, "name-%llu", (unsigned long long)sim_between(sim, 0, NAMES));
    add(draft, sim_chance(sim, 0.05) ? "a-name-that-is-longer" : text);
}

static unsigned draw_scratch(struct sim *sim)
{
    return sim->databases[SIM_SCRATCH + sim_between(sim, 0, SIM_SCRATCHES - 1)];
}

/* What each letter of a pattern stands for: h s z l x b p a key of a type, n a name, i a number, t
 * some milliseconds, d a database that nobody else uses. */
static void add_argument(struct sim *sim, struct draft *draft, char letter)
{
    char text[24];
    switch (letter) {
    case 'n':
        add_name(sim, draft);
        return;
    case 'i':
        add_number(sim, draft, 300);
        return;
    case 't':
        add_number(sim, draft, 2000);
        return;
    case 'd':
        snprintf(text, sizeof text, "%u", draw_scratch(sim));
        add(draft, text);
        return;
    default:
        snprintf(text, sizeof text, "v%c%llu", letter,
                 (unsigned long long)sim_between(sim, 0, KEYS - 1));
        add(draft, text);
        return;
    }
}

/* The command, a space, and a letter or a word for each argument. */
static const char *const patterns[] = {
    "HSET h n i",
    "HSET h n n",
    "HDEL h n",
    "HINCRBY h n i",
    "HPEXPIRE h t FIELDS 1 n",
    "HPERSIST h FIELDS 1 n",
    "SADD s n",
    "SADD s i",
    "SREM s n",
    "SPOP s",
    "SPOP s i",
    "SMOVE s s n",
    "SUNIONSTORE s s s",
    "ZADD z i n",
    "ZADD z GT i n",
    "ZINCRBY z i n",
    "ZREM z n",
    "ZPOPMIN z i",
    "ZREMRANGEBYRANK z i i",
    "ZUNIONSTORE z 2 z z",
    "LPUSH l n",
    "RPUSH l i",
    "LREM l 1 n",
    "LTRIM l 0 i",
    "LSET l 0 n",
    "LMOVE l l LEFT RIGHT",
    "XADD x * n n",
    "XADD x MAXLEN 50 * n i",
    "XTRIM x MAXLEN i",
    "XGROUP CREATE x g $ MKSTREAM",
    "XREADGROUP GROUP g c STREAMS x >",
    "XGROUP DESTROY x g",
    "SETBIT b i 1",
    "PFADD p n n",
    "PFMERGE p p",
    "DEL h",
    "DEL s z",
    "PEXPIRE z t",
    "COPY h h REPLACE",
    "RENAME s s",
    "SET h n",
    "SORT l ALPHA STORE l",
    "SORT l ALPHA BY n*",
    "HGETEX h FIELDS 1 n",
    "HGETEX h PX t FIELDS 1 n",
    "BITFIELD b GET u8 i",
    "BITFIELD b INCRBY u8 i i",
    "PEXPIRE b t",
};

static const char *const of_databases[] = {
    "FLUSHDB",
    "FLUSHDB ASYNC",
    "SWAPDB d d",
    "MOVE h d",
    "MOVE s d",
    "MOVE z d",
    "MOVE x d",
    "COPY l l DB d",
    "COPY h h DB d REPLACE",
    "COPY x x REPLACE DB d",
};

static bool is_key_or_value(const char *word, size_t len)
{
    return len == 1 && *word >= 'a' && *word <= 'z' && *word != 'g' && *word != 'c';
}

static const char *draw_pattern(struct sim *sim, const struct sim_node *node, unsigned database)
{
    bool alone = database != sim->databases[SIM_FIRST];
    if (alone && shard_snapshot_goes_on(node->shard) && sim_chance(sim, share_of_flushes))
        return of_databases[0];
    if (alone && sim_chance(sim, share_of_databases))
        return of_databases[sim_between(sim, 0, sizeof of_databases / sizeof *of_databases - 1)];
    return patterns[sim_between(sim, 0, sizeof patterns / sizeof *patterns - 1)];
}

static void draw(struct sim *sim, const struct sim_node *node, struct draft *draft)
{
    *draft = (struct draft){.database = sim->databases[SIM_FIRST]};
    if (shard_has_databases(node->shard) && sim_chance(sim, 0.6))
        draft->database = draw_scratch(sim);
    const char *at = draw_pattern(sim, node, draft->database);
    while (*at) {
        size_t len = strcspn(at, " ");
        char word[24];
        snprintf(word, sizeof word, "%.*s", (int)len, at);
        if (is_key_or_value(at, len))
            add_argument(sim, draft, *at);
        else
            add(draft, word);
        at += len + (at[len] == ' ');
    }
}

enum shard_admission sim_values_submit(struct sim *sim, struct sim_client *client,
                                       struct sim_node *node)
{
    struct draft draft;
    if (!shard_has_types(node->shard))
        return SHARD_NOT_LEADER;
    draw(sim, node, &draft);
    const struct command *command = command_find(sim->table, draft.args, draft.argc);
    if (!command)
        sim_fail(sim, "no such command: %s", draft.texts[0]);
    /* Nodes of older versions give all of it to the log. */
    if (command_writes(command, draft.args, draft.argc) || sim_chance(sim, share_of_old_ways))
        return sim_write(sim, client, node, draft.database, draft.args, draft.argc);
    return sim_read(sim, client, node, draft.database, draft.args, draft.argc);
}
