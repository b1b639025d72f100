/* What is past its deadline: entries that remove it, and reads that would see it gone.
 *
 * An expiry entry names a time and a limit; every node removes the same keys, and the sessions that
 * are over by then. From the moment it is
 * applied the keys due by its time are gone for every reader, removed or not. */
#include "machine/transaction.h"
#include "shard/internal.h"

enum {
    /* Keys that one entry removes at most: bounds the time of one apply. */
    KEYS_PER_ENTRY = 512,
    /* Entries that are proposed and not applied yet: bounds what counting costs. */
    ENTRIES_WAITING_MAX = SHARD_EXPIRIES_MAX - 8, /* reads propose more */
    /* Keys that are not read wait this long, so that one entry removes many. */
    INTERVAL_MS = 100,
};

static bool may_propose(const struct shard *shard)
{
    return shard_is_leader(shard) && raft_accepts(shard->raft) && shard_has_room_to_free(shard);
}

static void propose(struct shard *shard)
{
    shard->expiry_indices[shard->expiry_count++] = shard_next_index(shard);
    shard_batch_add(shard, ENTRY_EXPIRY, KEYS_PER_ENTRY, span_of("", 0));
}

static void forget_applied(struct shard *shard)
{
    size_t applied = 0;
    while (applied < shard->expiry_count &&
           shard->expiry_indices[applied] <= shard->machine.applied_index)
        applied++;
    shard->expiry_count -= applied;
    for (size_t i = 0; applied && i < shard->expiry_count; i++)
        shard->expiry_indices[i] = shard->expiry_indices[i + applied];
}

/* As many entries as remove all that is due, whatever is under way already. */
void shard_propose_expiry(struct shard *shard)
{
    forget_applied(shard);
    if (shard->now.mono_ms < shard->expiry_due_ms || !may_propose(shard))
        return;
    int64_t now_ms = shard_now_ms(shard, shard->now);
    size_t covered = shard->expiry_count * KEYS_PER_ENTRY;
    size_t due = databases_count_due(shard->machine.databases, now_ms,
                                     (size_t)ENTRIES_WAITING_MAX * KEYS_PER_ENTRY);
    /* The ticks of a leader are often enough for them: nobody waits for the end of a session. */
    if (shard->machine.sessions.due_ms <= now_ms && shard->expiry_count == 0)
        propose(shard);
    while (covered < due && shard->expiry_count < ENTRIES_WAITING_MAX) {
        propose(shard);
        covered += KEYS_PER_ENTRY;
    }
    shard->expiry_due_ms = shard->now.mono_ms + INTERVAL_MS;
}

uint64_t shard_expiry_due_ms(const struct shard *shard)
{
    if (!may_propose(shard) || !databases_has_deadlines(shard->machine.databases))
        return UINT64_MAX;
    return shard->expiry_due_ms;
}

/* The newest deadline, later than what is applied, of what the read may look at. */
static int64_t due_for(struct shard *shard, struct pending_read *read, int64_t until_ms)
{
    switch (read->kind) {
    case PENDING_READ:
    case PENDING_TRY:
        return machine_due(&shard->machine, read->database, read->command,
                           read_queue_args(&shard->reads, read), read->argc, until_ms);
    case PENDING_TRANSACTION:
        return machine_due_in_transaction(&shard->machine, read->database,
                                          read_queue_bytes(&shard->reads, read), until_ms);
    }
    return NO_DEADLINE;
}

static bool propose_one_more(struct shard *shard)
{
    forget_applied(shard);
    if (shard->expiry_count == SHARD_EXPIRIES_MAX)
        return false;
    propose(shard);
    return true;
}

void shard_propose_expiry_now(struct shard *shard)
{
    if (may_propose(shard))
        propose_one_more(shard);
}

/* A follower's own clock says nothing that the group goes by. */
static int64_t time_of_reads(struct shard *shard)
{
    if (shard_is_leader(shard))
        return shard_now_ms(shard, shard->now);
    int64_t applied_ms = shard->machine.clock_ms;
    return shard->round_time_ms > applied_ms ? shard->round_time_ms : applied_ms;
}

/* The next round asks the leader for an entry that is as late. */
static void ask_for(struct shard *shard, int64_t due_ms)
{
    struct shard_forwarding *forwarding = &shard->forwarding;
    if (forwarding->due_ms == NO_DEADLINE || forwarding->due_ms < due_ms)
        forwarding->due_ms = due_ms;
    shard->round_has_reads = true;
}

/* Where the leader's disk has no room for such an entry, it answers with the time of what is
 * applied: then nobody can say that the key has expired. */
static bool waits_for_entry(struct shard *shard, int64_t due_ms)
{
    if (shard_is_leader(shard) || shard->issue.reads_stale)
        return true;
    if (shard->round_time_ms < due_ms)
        return false;
    shard->forwarding.waits_for_entry = true;
    if (shard_may_ask_again(shard))
        ask_for(shard, due_ms);
    return true;
}

bool shard_judge_read(struct shard *shard, struct pending_read *read, int64_t *now_ms)
{
    int64_t applied_ms = shard->machine.clock_ms;
    int64_t time_ms = time_of_reads(shard);
    *now_ms = time_ms;
    if (read->due_ms != NO_DEADLINE) {
        *now_ms = applied_ms;
        return applied_ms >= read->due_ms || !waits_for_entry(shard, read->due_ms);
    }
    if (time_ms <= applied_ms || databases_count_due(shard->machine.databases, time_ms, 1) == 0)
        return true;
    int64_t due_ms = due_for(shard, read, time_ms);
    if (due_ms == NO_DEADLINE)
        return true;
    if (!shard_is_leader(shard)) {
        ask_for(shard, due_ms);
    } else if (shard->clock.floor_ms < due_ms) { /* no entry of the log is as late as that */
        if (!shard_has_room_to_free(shard)) {
            *now_ms = applied_ms;
            return true;
        }
        if (!may_propose(shard) || !propose_one_more(shard))
            return false; /* the office is being handed over, or enough is under way */
    }
    read->due_ms = due_ms;
    *now_ms = applied_ms;
    return applied_ms >= due_ms;
}
