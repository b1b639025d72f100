/* What a message of another node would do to this one, before it does it. */
#include "shard/internal.h"

/* The entry is in the log already. */
static bool is_known(const struct shard *shard, const struct entry *entry)
{
    return entry->index <= raft_last_index(shard->raft) &&
           raft_term_of(shard->raft, entry->index) == entry->term;
}

/* An entry that cannot be applied may never get into the log: the node would end when it is
 * committed, and again at each start. */
static const char *payload_refusal(struct shard *shard, const struct entry *entry)
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

const char *shard_message_refusal(struct shard *shard, const struct wire_message *message)
{
    const char *refusal = raft_message_refusal(shard->raft, &message->message);
    return refusal ? refusal : entries_refusal(shard, message);
}

const char *shard_refusal(const struct shard *shard)
{
    return shard->refusal;
}
