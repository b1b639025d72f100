/* The judgement. Chains make it simple: who differs at one entry differs at all later ones, and who
 * is equal at one entry was equal at all before.
 *
 *   - A member that differs from the leader is contradicted if the leader and those that are equal
 * to it, at that entry or a later one, are a majority of the voters. It hears so and stops.
 *   - The leader is contradicted if a majority differs from it in the same way. It stops.
 *   - Else it is disputed: the leader takes no writes and no linearizable reads until it is
 * decided. */
#include <inttypes.h>
#include <stdio.h>

#include "shard/internal.h"

enum {
    PATIENCE =
        4, /* after so many intervals without an answer the question is about a newer entry */
};

static bool known_digest(const struct shard *shard, uint64_t index, struct machine_digest *digest)
{
    const struct shard_digests *digests = &shard->digests;
    const struct machine *machine = &shard->machine;
    if (index > machine->applied_index || index < digests->kept_from ||
        index + SHARD_DIGESTS_KEPT <= machine->applied_index)
        return false;
    size_t at = index % SHARD_DIGESTS_KEPT;
    *digest = (struct machine_digest){.index = index,
                                      .sum = digests->kept[at].sum,
                                      .chain = digests->kept[at].chain,
                                      .chain_from = machine->chain_from};
    return true;
}

static void send_digest(struct shard *shard, struct wire_digest *message,
                        const struct machine_digest *digest)
{
    message->cluster_id = span_text(shard->options.cluster->cluster_id);
    message->shard = shard->options.number;
    message->term = raft_term(shard->raft);
    message->from = raft_id(shard->raft);
    message->index = digest->index;
    message->sum = digest->sum;
    message->chain = digest->chain;
    message->chain_from = digest->chain_from;
    shard->encoded.len = 0;
    wire_encode_digest(&shard->encoded, message);
    shard->options.host.send(shard->options.host.send_context, message->to, message->answer,
                             buf_span(&shard->encoded));
}

/* The process ends here: what it answers from now on may be wrong. */
static void stop(struct shard *shard, uint64_t index)
{
    char text[200];
    snprintf(text, sizeof text,
             "shard %" PRIu32 ": this node's data differs from that of a majority at entry %" PRIu64
             ": it stops; begin it again with an empty data folder",
             shard->options.number, index);
    shard->stopped = true;
    shard->options.host.contradicted(shard->options.host.send_context, text);
}

static void set_disputed(struct shard *shard, bool disputed, uint64_t index)
{
    if (disputed == shard->digests.disputed)
        return;
    shard->digests.disputed = disputed;
    if (disputed)
        log_line(shard->options.log, LOG_WARNING,
                 "shard %" PRIu32 ": nodes differ in their data at entry %" PRIu64
                 " and no majority says who is right: writes and linearizable reads are refused",
                 shard->options.number, index);
    else
        log_line(shard->options.log, LOG_NOTICE,
                 "shard %" PRIu32 ": a majority agrees about the data again",
                 shard->options.number);
}

/* ---- the leader ---- */

static struct shard_compared *find_compared(struct shard *shard, uint64_t node)
{
    struct shard_compared *free = NULL;
    for (size_t i = 0; i < RAFT_MEMBERS_MAX; i++) {
        struct shard_compared *other = &shard->digests.others[i];
        if (other->node == node)
            return other;
        if (!free && other->node == 0)
            free = other;
    }
    return free;
}

static const struct shard_compared *compared_of(struct shard *shard,
                                                const struct raft_member *member)
{
    const struct shard_compared *other = find_compared(shard, member->id);
    bool is_it = other && other->node == member->id && other->incarnation == member->incarnation;
    return is_it ? other : NULL;
}

/* This node and those that were equal to it at `index` or later are a majority. */
static bool majority_is_equal(struct shard *shard, uint64_t index)
{
    const struct raft_membership *members = raft_membership(shard->raft);
    bool yes[RAFT_MEMBERS_MAX] = {false};
    for (size_t i = 0; i < members->count; i++) {
        const struct shard_compared *other = compared_of(shard, &members->members[i]);
        yes[i] = members->members[i].id == raft_id(shard->raft) ||
                 (other && other->opinion == OPINION_EQUAL && other->theirs.index >= index);
    }
    return raft_membership_has_majority(members, yes);
}

/* Those that differ from this node as `as` does are a majority. */
static bool majority_differs(struct shard *shard, const struct shard_compared *as)
{
    const struct raft_membership *members = raft_membership(shard->raft);
    bool yes[RAFT_MEMBERS_MAX] = {false};
    for (size_t i = 0; i < members->count; i++) {
        const struct shard_compared *other = compared_of(shard, &members->members[i]);
        yes[i] = other && other->opinion == OPINION_DIFFERS &&
                 machine_digest_equal(&other->theirs, &as->theirs);
    }
    return raft_membership_has_majority(members, yes);
}

static void contradict(struct shard *shard, const struct shard_compared *other)
{
    struct wire_digest message = {.to = other->node, .verdict = WIRE_CONTRADICTED};
    log_line(shard->options.log, LOG_WARNING,
             "shard %" PRIu32 ": the data of node %" PRIu64
             " differs from that of a majority at entry %" PRIu64 ": it has to stop",
             shard->options.number, other->node, other->theirs.index);
    send_digest(shard, &message, &other->own);
}

/* `answered` has just answered. */
static void judge(struct shard *shard, const struct shard_compared *answered)
{
    const struct raft_membership *members = raft_membership(shard->raft);
    uint64_t disputed_index = 0;
    for (size_t i = 0; i < members->count; i++) {
        const struct shard_compared *other = compared_of(shard, &members->members[i]);
        if (!other || other->opinion != OPINION_DIFFERS)
            continue;
        if (majority_differs(shard, other)) {
            stop(shard, other->theirs.index);
            return;
        }
        if (!majority_is_equal(shard, other->theirs.index))
            disputed_index = other->theirs.index;
        else if (other == answered || answered->opinion == OPINION_EQUAL)
            contradict(shard, other);
    }
    set_disputed(shard, disputed_index != 0, disputed_index);
}

static void take_answer(struct shard *shard, const struct wire_digest *digest, uint64_t incarnation)
{
    struct shard_compared *other = find_compared(shard, digest->from);
    if (!shard_is_leader(shard) || digest->term != raft_term(shard->raft) || !other ||
        other->node != digest->from || other->incarnation != incarnation || !other->waits ||
        other->asked.index != digest->index)
        return;
    other->waits = false;
    other->own = other->asked;
    other->theirs = (struct machine_digest){.index = digest->index,
                                            .sum = digest->sum,
                                            .chain = digest->chain,
                                            .chain_from = digest->chain_from};
    shard->digests.compared++;
    if (machine_digest_equal(&other->own, &other->theirs)) {
        other->opinion = OPINION_EQUAL;
        if (digest->index > shard->digests.agreed_index)
            shard->digests.agreed_index = digest->index;
    } else {
        other->opinion = OPINION_DIFFERS;
    }
    judge(shard, other);
}

static void ask(struct shard *shard, const struct raft_member *member,
                const struct machine_digest *own)
{
    struct shard_compared *other = find_compared(shard, member->id);
    uint64_t patience = (uint64_t)PATIENCE * shard->options.digest_interval_ms;
    if (!other)
        return;
    if (other->node != member->id || other->incarnation != member->incarnation)
        *other = (struct shard_compared){.node = member->id, .incarnation = member->incarnation};
    bool is_known = other->opinion == OPINION_EQUAL && other->theirs.index == own->index;
    if (is_known)
        return;
    /* The question may have been lost; a member that lags answers when it has come that far. */
    if (!other->waits || shard->now.mono_ms >= other->asked_ms + patience) {
        other->asked = *own;
        other->asked_ms = shard->now.mono_ms;
        other->waits = true;
    }
    struct wire_digest message = {.to = member->id,
                                  .verdict = shard->digests.disputed ? WIRE_DISPUTED : WIRE_ASKS};
    send_digest(shard, &message, &other->asked);
}

/* Members that are gone make room for new ones. */
static void forget_gone(struct shard *shard)
{
    const struct raft_membership *members = raft_membership(shard->raft);
    for (size_t i = 0; i < RAFT_MEMBERS_MAX; i++) {
        struct shard_compared *other = &shard->digests.others[i];
        if (other->node && !raft_membership_find(members, other->node))
            *other = (struct shard_compared){.node = 0};
    }
}

static void begin_term(struct shard *shard)
{
    struct shard_digests *digests = &shard->digests;
    digests->term = raft_term(shard->raft);
    digests->due_ms = shard->now.mono_ms + shard->options.digest_interval_ms;
    digests->due_index = UINT64_MAX; /* the others hear of the leader first */
    digests->question.index = 0;
    memset(digests->others, 0, sizeof digests->others);
}

void shard_ask_digests(struct shard *shard)
{
    struct shard_digests *digests = &shard->digests;
    uint64_t applied = shard->machine.applied_index;
    if (!shard_is_leader(shard) || shard->options.digest_interval_ms == 0)
        return;
    if (digests->term != raft_term(shard->raft))
        begin_term(shard);
    if (shard->now.mono_ms < digests->due_ms && applied < digests->due_index)
        return;
    digests->due_ms = shard->now.mono_ms + shard->options.digest_interval_ms;
    digests->due_index = applied + shard->options.digest_entries;
    forget_gone(shard);
    const struct machine_digest own = machine_digest(&shard->machine);
    const struct raft_membership *members = raft_membership(shard->raft);
    for (size_t i = 0; i < members->count; i++)
        if (members->members[i].id != raft_id(shard->raft))
            ask(shard, &members->members[i], &own);
    if (members->count == 1)
        set_disputed(shard, false, 0);
}

/* ---- the others ---- */

static void answer(struct shard *shard)
{
    struct wire_digest message = {.answer = true, .to = shard->digests.question.from};
    struct machine_digest own;
    if (known_digest(shard, shard->digests.question.index, &own))
        send_digest(shard, &message, &own);
    shard->digests.question.index = 0;
}

static void take_verdict(struct shard *shard, const struct wire_digest *digest)
{
    const struct machine_digest right = {.index = digest->index,
                                         .sum = digest->sum,
                                         .chain = digest->chain,
                                         .chain_from = digest->chain_from};
    struct machine_digest own;
    if (known_digest(shard, digest->index, &own) && !machine_digest_equal(&own, &right))
        stop(shard, digest->index);
}

static void take_question(struct shard *shard, const struct wire_digest *digest)
{
    if (digest->term != raft_term(shard->raft) || digest->from != raft_leader(shard->raft))
        return;
    if (digest->verdict == WIRE_CONTRADICTED) {
        take_verdict(shard, digest);
        return;
    }
    set_disputed(shard, digest->verdict == WIRE_DISPUTED, digest->index);
    shard->digests.question = *digest;
    if (digest->index <= shard->machine.applied_index)
        answer(shard);
}

void shard_take_digest(struct shard *shard, const struct wire_digest *digest, uint64_t incarnation)
{
    if (digest->answer)
        take_answer(shard, digest, incarnation);
    else
        take_question(shard, digest);
}

void shard_digest_applied(struct shard *shard)
{
    struct shard_digests *digests = &shard->digests;
    uint64_t index = shard->machine.applied_index;
    size_t at = index % SHARD_DIGESTS_KEPT;
    digests->kept[at].sum = machine_digest_sum(&shard->machine);
    digests->kept[at].chain = shard->machine.chain;
    if (index && digests->question.index == index)
        answer(shard);
}

/* What was before is not this machine's past. */
void shard_digest_replaced(struct shard *shard)
{
    shard->digests.kept_from = shard->machine.applied_index;
    shard->digests.question.index = 0;
    shard_digest_applied(shard);
}

bool shard_is_disputed(const struct shard *shard)
{
    return shard->digests.disputed;
}
