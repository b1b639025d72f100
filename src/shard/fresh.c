/* How old the applied state may be, for reads that may be stale.
 *
 * Each contact with the leader says how much was committed then. The state is as fresh as the
 * newest contact whose commit index is applied. A new leader may not know yet what its predecessor
 * committed: what it says counts once an entry of its own term is applied. */
#include "shard/internal.h"

static bool covers(const struct shard *shard, const struct shard_contact *contact)
{
    uint64_t applied = shard->machine.applied_index;
    return applied && applied >= contact->commit &&
           raft_term_of(shard->raft, applied) >= contact->term;
}

uint64_t shard_fresh_ms(struct shard *shard)
{
    struct shard_freshness *fresh = &shard->freshness;
    while (fresh->waiting.at_ms && covers(shard, &fresh->waiting)) {
        fresh->at_ms = fresh->waiting.at_ms;
        fresh->waiting =
            fresh->newest.at_ms > fresh->waiting.at_ms ? fresh->newest : (struct shard_contact){0};
    }
    return fresh->at_ms;
}

static void note(struct shard *shard, struct shard_contact contact)
{
    struct shard_freshness *fresh = &shard->freshness;
    if (contact.at_ms <= shard_fresh_ms(shard))
        return;
    if (covers(shard, &contact)) {
        fresh->at_ms = contact.at_ms;
        fresh->waiting = (struct shard_contact){0};
        return;
    }
    if (!fresh->waiting.at_ms)
        fresh->waiting = contact;
    fresh->newest = contact;
}

void shard_note_leader(struct shard *shard, const struct raft_message *message)
{
    if (message->type != RAFT_APPEND_REQUEST || message->term != raft_term(shard->raft) ||
        message->from != raft_leader(shard->raft))
        return;
    note(shard,
         (struct shard_contact){message->append_request.commit, message->term, shard->now.mono_ms});
}

/* A leader is as fresh as its contact with a majority; it may lose its office any time. */
void shard_note_majority(struct shard *shard)
{
    if (shard_is_leader(shard))
        note(shard, (struct shard_contact){raft_commit_index(shard->raft), raft_term(shard->raft),
                                           raft_last_contact_ms(shard->raft)});
}
