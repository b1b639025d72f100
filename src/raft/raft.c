#include "raft/raft.h"

#include "base/assert.h"
#include "base/mem.h"
#include "raft/core.h"

static void check_options(const struct raft_options *options)
{
    ASSERT(options->id != 0 && options->incarnation != 0);
    ASSERT(options->heartbeat_ms > 0);
    ASSERT(options->election_timeout_ms / 2 >= options->heartbeat_ms);
    ASSERT(options->entries_per_append_max > 0 && options->bytes_per_append_max > 0);
    ASSERT(options->appends_in_flight_max > 0 && options->bytes_in_flight_max > 0);
    ASSERT(options->snapshot_chunk_bytes > 0);
    ASSERT(options->lease_drift_percent < 100);
    ASSERT(options->membership.count <= RAFT_MEMBERS_MAX);
}

static void check_start(const struct raft_start *start)
{
    ASSERT((start->base_index == 0) == (start->base_term == 0));
    ASSERT((start->snapshot.index == 0) == (start->snapshot.term == 0));
    ASSERT(start->base_index <= start->snapshot.index);
}

struct raft *raft_new(const struct raft_options *options, const struct raft_start *start,
                      uint64_t now_ms)
{
    check_options(options);
    check_start(start);
    struct raft *raft = mem_zalloc(sizeof *raft);
    raft->options = *options;
    prng_init(&raft->prng, options->seed);
    raft->now_ms = now_ms;
    raft->role = RAFT_FOLLOWER;
    raft->term = start->hard_state.term;
    raft->vote = start->hard_state.vote;
    raft->hard_state_known = start->hard_state;
    raft_log_init(&raft->log, start->base_index, start->base_term);
    raft->snapshot = start->snapshot;
    if (start->snapshot.term > raft->term) {
        raft->term = start->snapshot.term;
        raft->vote = 0;
    }
    raft->commit = start->snapshot.index;
    raft->durable = start->base_index;
    if (options->lease_drift_percent)
        raft->no_vote_before_ms = now_ms + options->election_timeout_ms;
    raft_configurations_init(raft);
    raft_election_timer_restart(raft);
    return raft;
}

void raft_free(struct raft *raft)
{
    if (!raft)
        return;
    raft_configurations_close(raft);
    raft_log_close(&raft->log);
    mem_free(raft->reads);
    mem_free(raft->reads_ready);
    mem_free(raft->messages);
    mem_free(raft);
}

/* The installed snapshot replaces the log. Nothing counts as durable until the disk says so. */
void raft_log_reset(struct raft *raft, uint64_t base_index, uint64_t base_term)
{
    raft_log_close(&raft->log);
    raft_log_init(&raft->log, base_index, base_term);
    raft->durable = 0;
    raft->durable_term_min = raft->term;
}

void raft_load_entry(struct raft *raft, const struct raft_entry *entry)
{
    raft_log_append(&raft->log, entry);
    raft->durable = entry->index;
    if (entry->membership && entry->index > raft->snapshot.index)
        raft_configurations_add(raft, entry->index, entry->membership);
    /* The write that brought the entry was torn before its hard state. A vote in that term would
     * have been written earlier. */
    if (entry->term > raft->term) {
        raft->term = entry->term;
        raft->vote = 0;
    }
}

struct raft_message *raft_message_add(struct raft *raft, enum raft_message_type type, uint64_t to)
{
    if (raft->update.message_count == raft->message_cap) {
        raft->message_cap = raft->message_cap ? raft->message_cap * 2 : 32;
        raft->messages = mem_realloc(raft->messages, raft->message_cap * sizeof *raft->messages);
    }
    struct raft_message *message = &raft->messages[raft->update.message_count++];
    *message = (struct raft_message){.type = type,
                                     .from = raft->options.id,
                                     .from_incarnation = raft->options.incarnation,
                                     .to = to,
                                     .term = raft->term};
    return message;
}

size_t raft_position_of(const struct raft *raft, uint64_t id)
{
    const struct raft_membership *membership = &raft->membership;
    const struct raft_member *member = raft_membership_find(membership, id);
    return member ? (size_t)(member - membership->members) : (size_t)NOT_A_MEMBER;
}

size_t raft_position_of_sender(const struct raft *raft, const struct raft_message *message)
{
    size_t position = raft_position_of(raft, message->from);
    if (position == NOT_A_MEMBER ||
        raft->membership.members[position].incarnation != message->from_incarnation)
        return NOT_A_MEMBER;
    return position;
}

bool raft_is_voter(const struct raft *raft, size_t position)
{
    unsigned roles = raft->membership.members[position].roles;
    return roles & (RAFT_VOTER | RAFT_VOTER_INCOMING);
}

bool raft_hard_state_differs(const struct raft *raft)
{
    return raft->term != raft->hard_state_known.term || raft->vote != raft->hard_state_known.vote;
}

uint64_t raft_deadline_ms(const struct raft *raft)
{
    if (raft->role == RAFT_LEADER)
        return raft_replication_deadline_ms(raft);
    if (!raft_may_stand(raft))
        return raft->now_ms + raft->options.election_timeout_ms;
    return raft_election_due_ms(raft);
}

enum raft_role raft_role(const struct raft *raft)
{
    return raft->role;
}

uint64_t raft_id(const struct raft *raft)
{
    return raft->options.id;
}

uint64_t raft_incarnation(const struct raft *raft)
{
    return raft->options.incarnation;
}

uint64_t raft_leader(const struct raft *raft)
{
    return raft->leader;
}

uint64_t raft_term(const struct raft *raft)
{
    return raft->term;
}

uint64_t raft_vote(const struct raft *raft)
{
    return raft->vote;
}

uint64_t raft_commit_index(const struct raft *raft)
{
    return raft->commit;
}

uint64_t raft_last_index(const struct raft *raft)
{
    return raft->log.last_index;
}

uint64_t raft_last_term(const struct raft *raft)
{
    return raft_log_last_term(&raft->log);
}

uint64_t raft_durable_index(const struct raft *raft)
{
    return raft->durable;
}

uint64_t raft_term_of(const struct raft *raft, uint64_t index)
{
    return raft_log_term_of(&raft->log, index);
}

uint64_t raft_first_index(const struct raft *raft)
{
    return raft->log.base_index + 1;
}

struct raft_snapshot raft_snapshot(const struct raft *raft)
{
    return raft->snapshot;
}

const struct raft_membership *raft_membership(const struct raft *raft)
{
    return &raft->membership;
}

bool raft_can_read(const struct raft *raft)
{
    return raft->role == RAFT_LEADER && raft->commit >= raft->term_start;
}

uint64_t raft_last_contact_ms(const struct raft *raft)
{
    return raft->role == RAFT_LEADER ? raft_replication_quorum_contact_ms(raft) : raft->heard_ms;
}

struct raft_counters raft_counters(const struct raft *raft)
{
    return raft->counters;
}

size_t raft_held(const struct raft *raft, uint64_t held[RAFT_MEMBERS_MAX])
{
    if (raft->role != RAFT_LEADER)
        return 0;
    for (size_t i = 0; i < raft->membership.count; i++)
        held[i] = i == raft->self ? raft->durable : raft->progress[i].match;
    return raft->membership.count;
}

size_t raft_holders(const struct raft *raft, uint64_t index)
{
    uint64_t held[RAFT_MEMBERS_MAX];
    size_t count = raft_held(raft, held);
    size_t holders = 0;
    for (size_t i = 0; i < count; i++)
        holders += held[i] >= index;
    return holders;
}

size_t raft_term_holders(const struct raft *raft)
{
    return raft_can_read(raft) ? raft_holders(raft, raft->term_start) : 0;
}
