/* What must hold after every event, whatever was lost, delayed, cut or crashed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc.h"
#include "base/mem.h"
#include "base/number.h"
#include "sim/sim.h"

enum { TERMS_MAX = 65536, SUM_EVERY = 16, WALK_EVERY = 8 };

struct committed {
    uint64_t term;
    uint64_t commit_term; /* of whoever was the first to apply it: it was committed by then */
    int64_t time_ms;
    uint32_t checksum; /* of the record; 0: not seen yet */
    uint64_t digest;   /* of the state after it; 0: not computed yet */
};

struct append_note {
    int key;
    int client;
    uint32_t generation;
    enum sim_outcome outcome;
};

struct sim_history {
    uint64_t leaders[TERMS_MAX]; /* per term: the folder */
    struct committed *committed;
    size_t committed_cap;
    uint64_t committed_last;
    uint64_t proven_last; /* seen to be durable on a majority when a leader committed it */
    struct append_note *appends;
    size_t append_count;
    size_t append_cap;
};

struct sim_history *sim_history_new(void)
{
    return mem_zalloc(sizeof(struct sim_history));
}

void sim_history_free(struct sim_history *history)
{
    mem_free(history->committed);
    mem_free(history->appends);
    mem_free(history);
}

static struct committed *committed_at(struct sim_history *history, uint64_t index)
{
    if (index >= history->committed_cap) {
        size_t cap = history->committed_cap ? history->committed_cap : 1024;
        while (cap <= index)
            cap *= 2;
        history->committed = mem_realloc(history->committed, cap * sizeof *history->committed);
        memset(history->committed + history->committed_cap, 0,
               (cap - history->committed_cap) * sizeof *history->committed);
        history->committed_cap = cap;
    }
    return &history->committed[index];
}

/* Leader completeness (paper, figure 3): what was committed in an earlier term is in its log. Votes
 * may come late, so that the leader of a later term has committed more. */
static void check_completeness(struct sim_node *node)
{
    struct sim *sim = node->sim;
    const struct raft *raft = shard_raft(node->shard);
    uint64_t index = sim->history->committed_last;
    while (index > 0 && committed_at(sim->history, index)->commit_term >= raft_term(raft))
        index--;
    if (index <= raft_snapshot(raft).index)
        return;
    if (raft_term_of(raft, index) != committed_at(sim->history, index)->term)
        sim_fail(sim, "the leader of term %llu lacks the committed entry %llu",
                 (unsigned long long)raft_term(raft), (unsigned long long)index);
}

/* Election safety (paper, figure 3). */
static void check_leader(struct sim_node *node)
{
    struct sim *sim = node->sim;
    if (!shard_is_leader(node->shard))
        return;
    uint64_t term = raft_term(shard_raft(node->shard));
    if (term >= TERMS_MAX)
        sim_fail(sim, "more than %d terms", TERMS_MAX);
    uint64_t *leader = &sim->history->leaders[term];
    if (*leader && *leader != node->folder)
        sim_fail(sim, "node %llu leads term %llu, which somebody else has led",
                 (unsigned long long)node->id, (unsigned long long)term);
    if (*leader == 0) {
        *leader = node->folder;
        sim->stats.elections++;
        sim_trace(sim, "node %llu leads term %llu", (unsigned long long)node->id,
                  (unsigned long long)term);
        check_completeness(node);
    }
}

/* The clock of the state machine never goes back, whoever leads. */
static void check_clock(struct sim *sim, uint64_t index)
{
    const struct committed *before = committed_at(sim->history, index - 1);
    const struct committed *here = committed_at(sim->history, index);
    if (before->checksum && before->time_ms > here->time_ms)
        sim_fail(sim, "the time of entry %llu is before that of the one before it",
                 (unsigned long long)index);
}

/* State-machine safety: what any node applied at an index, all apply there. */
static void check_entry(struct sim_node *node, uint64_t index)
{
    struct sim *sim = node->sim;
    struct entry entry;
    if (storage_entry((struct storage *)shard_storage(node->shard), index, &entry))
        sim_fail(sim, "node %llu cannot read entry %llu", (unsigned long long)node->id,
                 (unsigned long long)index);
    struct committed *committed = committed_at(sim->history, index);
    uint32_t checksum = crc32c(0, entry.record.ptr, entry.record.len) | 1;
    if (committed->checksum == 0) {
        committed->checksum = checksum;
        committed->term = entry.term;
        committed->commit_term = raft_term(shard_raft(node->shard));
        committed->time_ms = entry.time_ms;
        check_clock(sim, index);
        if (index > sim->history->committed_last)
            sim->history->committed_last = index;
        return;
    }
    if (committed->checksum != checksum || committed->term != entry.term)
        sim_fail(sim, "node %llu applied another entry %llu than was committed",
                 (unsigned long long)node->id, (unsigned long long)index);
}

/* Equal states after equal entries, however they came about: by replay or by a snapshot. */
static void check_state(struct sim_node *node, uint64_t applied)
{
    struct committed *committed = committed_at(node->sim->history, applied);
    const struct databases *databases = shard_databases(node->shard);
    if (node->altered)
        return;
    uint64_t digest = shard_digest(node->shard) | 1;
    if (applied % WALK_EVERY == 0)
        digest = (digest ^ databases_digest(databases) * 3) | 1;
    if (applied % SUM_EVERY == 0 && databases_sum(databases) != databases_sum_by_walk(databases))
        sim_fail(node->sim, "node %llu has a sum of digests that is not that of its keys",
                 (unsigned long long)node->id);
    if (committed->digest == 0)
        committed->digest = digest;
    else if (committed->digest != digest)
        sim_fail(node->sim, "node %llu has another state than others after entry %llu",
                 (unsigned long long)node->id, (unsigned long long)applied);
}

void sim_check_image(struct sim_node *node)
{
    if (sim_has_liar(node->sim))
        return;
    check_state(node, shard_applied_index(node->shard));
}

static void check_applied(struct sim_node *node)
{
    uint64_t applied = shard_applied_index(node->shard);
    if (applied == node->checked_index)
        return;
    uint64_t base = raft_first_index(shard_raft(node->shard)) - 1;
    if (node->checked_index < base)
        node->checked_index = base < applied ? base : applied; /* a snapshot stands for them */
    while (node->checked_index < applied)
        check_entry(node, ++node->checked_index);
    check_state(node, applied);
}

/* What a process that ends now must find when it comes back. */
static void note_promises(struct sim_node *node)
{
    const struct raft *raft = shard_raft(node->shard);
    uint64_t term = raft_role(raft) == RAFT_LEADER ? raft_term(raft)
                                                   : raft_term_of(raft, raft_durable_index(raft));
    if (term > node->term_floor)
        node->term_floor = term;
}

static bool is_held(struct sim *sim, const struct raft_membership *membership, uint64_t index)
{
    bool holds[RAFT_MEMBERS_MAX];
    for (size_t i = 0; i < membership->count; i++) {
        const struct sim_node *node = sim_node_of_member(sim, &membership->members[i]);
        holds[i] = node && node->durable_seen >= index;
    }
    return raft_membership_has_majority(membership, holds);
}

/* Acknowledged means durable on a majority of the membership that the leader goes by, of both sets
 * if it is joint; nodes that are down now count. What was committed by the last membership may be
 * told in the event that begins the next one. An entry that was committed before a disk was lost
 * may be held by fewer. */
static void check_commit(const struct sim_node *leader, uint64_t index)
{
    struct sim *sim = leader->sim;
    if (!is_held(sim, raft_membership(shard_raft(leader->shard)), index) &&
        !is_held(sim, &leader->membership_before, index) && index > sim->lost_index)
        sim_fail(sim, "entry %llu is committed but not durable on a majority",
                 (unsigned long long)index);
    if (index > sim->history->proven_last)
        sim->history->proven_last = index;
}

void sim_check_acknowledged(struct sim *sim, uint64_t index)
{
    if (index > sim->history->proven_last)
        sim_fail(sim, "entry %llu is acknowledged but not committed", (unsigned long long)index);
}

static void note_taken_in(const struct sim_node *node)
{
    const struct raft_membership *membership = raft_membership(shard_raft(node->shard));
    for (size_t i = 0; raft_role(shard_raft(node->shard)) == RAFT_LEADER && i < membership->count;
         i++) {
        const struct raft_member *now = &membership->members[i];
        const struct raft_member *before = raft_membership_find(&node->membership_before, now->id);
        node->sim->stats.taken_in += before && before->incarnation != now->incarnation;
    }
}

void sim_check_node(struct sim_node *node)
{
    struct sim *sim = node->sim;
    const struct raft *raft = shard_raft(node->shard);
    if (sim_has_liar(sim)) {
        sim_clients_collect(sim);
        return;
    }
    check_leader(node);
    if (raft_term(raft) < node->term_seen)
        sim_fail(sim, "the term of node %llu went back", (unsigned long long)node->id);
    if (raft_commit_index(raft) > raft_last_index(raft))
        sim_fail(sim, "node %llu committed more than it has", (unsigned long long)node->id);
    node->durable_seen = raft_durable_index(raft);
    if (raft_commit_index(raft) < node->commit_seen)
        sim_fail(sim, "the commit index of node %llu went back", (unsigned long long)node->id);
    bool led = raft_role(raft) == RAFT_LEADER || node->led_term == raft_term(raft);
    if (led && raft_commit_index(raft) > node->commit_seen)
        check_commit(node, raft_commit_index(raft));
    node->commit_seen = raft_commit_index(raft);
    uint64_t installs = shard_stats(node->shard).installs;
    sim->stats.installs += installs > node->installs_seen;
    node->installs_seen = installs;
    note_promises(node);
    node->term_seen = raft_term(raft);
    check_applied(node);
    sim_check_stale(node);
    sim_ttl_check_begin(node);
    sim_check_rules(node);
    sim_clients_collect(sim);
    if (raft_membership_equal(&node->membership_before, raft_membership(raft)))
        return;
    note_taken_in(node);
    node->membership_before = *raft_membership(raft);
    char text[256];
    sim_trace(sim, "node %llu goes by members %s", (unsigned long long)node->id,
              sim_members_text(raft_membership(raft), text, sizeof text));
}

/* A counter only grows: what anybody was told before an operation began is a floor for its result,
 * what was ever asked for is a ceiling, and no two increments return the same. */
void sim_check_value(struct sim *sim, const struct sim_client *client, int64_t value)
{
    struct sim_key *key = &sim->keys[client->key];
    bool increment = client->kind != SIM_OP_GET;
    if (value < client->floor + increment)
        sim_fail(sim, "client %d: counter %d is %lld, but was %lld before (stale or lost)",
                 client->number, client->key, (long long)value, (long long)client->floor);
    if (value > key->attempted)
        sim_fail(sim, "client %d: counter %d is %lld after %lld increments (doubled)",
                 client->number, client->key, (long long)value, (long long)key->attempted);
    if (value > key->observed)
        key->observed = value;
    if (increment)
        key->acknowledged++;
}

void sim_note_append(struct sim *sim, const struct sim_client *client, enum sim_outcome outcome)
{
    struct sim_history *history = sim->history;
    if (history->append_count == history->append_cap) {
        history->append_cap = history->append_cap ? history->append_cap * 2 : 256;
        history->appends =
            mem_realloc(history->appends, history->append_cap * sizeof *history->appends);
    }
    history->appends[history->append_count++] =
        (struct append_note){client->key, client->number, client->generation, outcome};
}

static int occurrences(struct span text, const char *token)
{
    int found = 0;
    size_t len = strlen(token);
    for (size_t i = 0; i + len <= text.len; i++) {
        bool ends = i + len == text.len || text.ptr[i + len] == ',';
        if (ends && memcmp(text.ptr + i, token, len) == 0)
            found++;
    }
    return found;
}

static struct span value_of(const struct sim_node *node, char kind, int number, char scratch[24])
{
    const struct item *item = sim_find(node->sim, node, kind, number);
    return item ? item_string(item, scratch) : span_of("", 0);
}

static void check_appends(struct sim *sim, const struct sim_node *node)
{
    char scratch[24];
    for (size_t i = 0; i < sim->history->append_count; i++) {
        const struct append_note *note = &sim->history->appends[i];
        char token[32];
        snprintf(token, sizeof token, ",%d-%u", note->client, note->generation);
        int found = occurrences(value_of(node, 'l', note->key, scratch), token);
        if (found > 1 || (note->outcome == SIM_HAPPENED && found != 1) ||
            (note->outcome == SIM_DID_NOT_HAPPEN && found != 0))
            sim_fail(sim, "the append %s is there %d times, its outcome was %s", token + 1, found,
                     note->outcome == SIM_HAPPENED         ? "acknowledged"
                     : note->outcome == SIM_DID_NOT_HAPPEN ? "refused"
                                                           : "unknown");
    }
}

static void check_counters(struct sim *sim, const struct sim_node *node)
{
    char scratch[24];
    for (int i = 0; i < SIM_KEYS; i++) {
        int64_t value = 0;
        struct span text = value_of(node, 'c', i, scratch);
        if (text.len && !number_parse_i64(text, &value))
            sim_fail(sim, "counter %d is no number", i);
        const struct sim_key *key = &sim->keys[i];
        if (value < key->acknowledged || value < key->observed || value > key->attempted)
            sim_fail(sim, "counter %d is %lld: %lld acknowledged, %lld attempted", i,
                     (long long)value, (long long)key->acknowledged, (long long)key->attempted);
    }
}

/* Of the nodes that belong to the group: others stopped at some point. */
void sim_check_final_state(struct sim *sim)
{
    const struct sim_node *leader = sim_leader(sim);
    const struct raft_membership *membership = raft_membership(shard_raft(leader->shard));
    sim_check_jobs(sim, leader);
    sim_check_accounts(sim, leader);
    for (size_t i = 0; i < membership->count; i++) {
        const struct sim_node *node = sim_node_of_member(sim, &membership->members[i]);
        if (!node)
            continue;
        check_counters(sim, node);
        check_appends(sim, node);
        sim_check_numbered(sim, node);
        if (shard_digest(node->shard) != shard_digest(leader->shard))
            sim_fail(sim, "nodes %llu and %llu differ at the end", (unsigned long long)leader->id,
                     (unsigned long long)node->id);
    }
}

uint64_t sim_committed_last(const struct sim *sim)
{
    return sim->history->committed_last;
}
