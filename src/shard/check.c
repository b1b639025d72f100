/* What a message of another node would do to this one, before it does it. */
#include "shard/internal.h"

/* One text for all: the log tells refusals apart by their texts' addresses. */
static const char foreign[] = "a message that is for another node, or says it is of another";

bool shard_is_foreign(struct shard *shard, const struct shard_peer *from,
                      const struct shard_ends *ends)
{
    shard->refusal = foreign;
    return !span_equal(ends->cluster_id, span_text(shard->options.cluster->cluster_id)) ||
           ends->from != from->node || ends->to != raft_id(shard->raft) ||
           ends->shard != shard->options.number;
}

/* The entry is in the log already. */
static bool is_known(const struct shard *shard, const struct entry *entry)
{
    return entry->index <= raft_last_index(shard->raft) &&
           raft_term_of(shard->raft, entry->index) == entry->term;
}

/* An entry that cannot be applied may never get into the log: the node would end when it is
 * committed, and again at each start. */
static const char *payload_refusal(struct shard *shard, struct entry *entry)
{
    if (entry->time_ms < 0 || (uint64_t)entry->time_ms > RAFT_TIME_MS_MAX)
        return "an entry of a time that cannot be";
    if (!machine_entry_is_valid(&shard->machine, entry))
        return "an entry that no node of this version writes";
    return NULL;
}

static const char *entries_refusal(struct shard *shard, const struct wire_message *message)
{
    if (message->message.type != RAFT_APPEND_REQUEST)
        return NULL;
    size_t count = message->message.append_request.entry_count;
    size_t at = 0;
    while (at < count && is_known(shard, &message->entries[at]))
        at++;
    const char *refusal = NULL;
    for (; at < count && !refusal; at++)
        refusal = payload_refusal(shard, &message->entries[at]);
    return refusal;
}

/* A faulty member may have raised the others' term by more than one message may bring, while this
 * node was away: it would refuse all of them for ever. It follows in steps. Their number in a
 * second is bounded, so that nobody can use up the terms that there are. */
bool shard_follows_term(struct shard *shard, const struct raft_message *message)
{
    struct raft_message step = {.type = RAFT_VOTE_RESPONSE,
                                .from = message->from,
                                .from_incarnation = message->from_incarnation,
                                .to = message->to,
                                .term = raft_term_step(shard->raft, message)};
    if (step.term == 0)
        return false;
    if (shard->term_step_ms && shard->now.mono_ms < shard->term_step_ms + SHARD_TERM_STEP_MS)
        return true;
    shard->term_step_ms = shard->now.mono_ms;
    struct raft_event event = {.type = RAFT_EVENT_MESSAGE, .now_ms = shard->now.mono_ms};
    event.message = &step;
    shard_step(shard, &event, NULL, 0);
    return true;
}

const char *shard_message_refusal(struct shard *shard, const struct wire_message *message)
{
    const char *refusal = raft_message_refusal(shard->raft, &message->message);
    return refusal ? refusal : entries_refusal(shard, message);
}

const char *shard_refusal(const struct shard *shard)
{
    return shard->refusal;
}
