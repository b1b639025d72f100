#include "raft/raft.h"

#include "base/assert.h"
#include "base/mem.h"
#include "raft/core.h"

static void check_options(const struct raft_options *options)
{
    ASSERT(options->id != 0);
    ASSERT(options->heartbeat_ms > 0);
    ASSERT(options->election_timeout_ms / 2 >= options->heartbeat_ms);
    ASSERT(options->entries_per_append_max > 0 && options->bytes_per_append_max > 0);
    ASSERT(options->appends_in_flight_max > 0 && options->bytes_in_flight_max > 0);
    ASSERT(options->membership.count <= RAFT_MEMBERS_MAX);
}

struct raft *raft_new(const struct raft_options *options, struct raft_hard_state hard_state,
                      uint64_t snapshot_index, uint64_t snapshot_term, uint64_t now_ms)
{
    check_options(options);
    ASSERT((snapshot_index == 0) == (snapshot_term == 0));
    struct raft *raft = mem_zalloc(sizeof *raft);
    raft->options = *options;
    raft->self = raft_position_of(raft, options->id);
    prng_init(&raft->prng, options->seed);
    raft->now_ms = now_ms;
    raft->role = RAFT_FOLLOWER;
    raft->term = hard_state.term;
    raft->vote = hard_state.vote;
    raft->hard_state_known = hard_state;
    raft_log_init(&raft->log, snapshot_index, snapshot_term);
    if (snapshot_term > raft->term) {
        raft->term = snapshot_term;
        raft->vote = 0;
    }
    raft->commit = snapshot_index;
    raft->durable = snapshot_index;
    for (size_t i = 0; i < options->membership.count; i++)
        raft_progress_init(&raft->progress[i], options->appends_in_flight_max);
    raft_election_timer_restart(raft);
    return raft;
}

void raft_free(struct raft *raft)
{
    if (!raft)
        return;
    for (size_t i = 0; i < raft->options.membership.count; i++)
        raft_progress_close(&raft->progress[i]);
    raft_log_close(&raft->log);
    mem_free(raft->reads);
    mem_free(raft->reads_ready);
    mem_free(raft->messages);
    mem_free(raft);
}

void raft_load_entry(struct raft *raft, const struct raft_entry *entry)
{
    raft_log_append(&raft->log, entry);
    raft->durable = entry->index;
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
    *message =
        (struct raft_message){.type = type, .from = raft->options.id, .to = to, .term = raft->term};
    return message;
}

size_t raft_position_of(const struct raft *raft, uint64_t id)
{
    const struct raft_membership *membership = &raft->options.membership;
    const struct raft_member *member = raft_membership_find(membership, id);
    return member ? (size_t)(member - membership->members) : (size_t)NOT_A_MEMBER;
}

bool raft_is_voter(const struct raft *raft, size_t position)
{
    unsigned roles = raft->options.membership.members[position].roles;
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
    if (raft->self == NOT_A_MEMBER || !raft_is_voter(raft, raft->self))
        return raft->now_ms + raft->options.election_timeout_ms;
    return raft->election_deadline_ms;
}

enum raft_role raft_role(const struct raft *raft)
{
    return raft->role;
}

uint64_t raft_id(const struct raft *raft)
{
    return raft->options.id;
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

const struct raft_membership *raft_membership(const struct raft *raft)
{
    return &raft->options.membership;
}

bool raft_can_read(const struct raft *raft)
{
    return raft->role == RAFT_LEADER && raft->commit >= raft->term_start;
}

uint64_t raft_last_contact_ms(const struct raft *raft)
{
    return raft->role == RAFT_LEADER ? raft_replication_quorum_contact_ms(raft) : raft->heard_ms;
}

size_t raft_peers(const struct raft *raft, struct raft_peer_status status[RAFT_MEMBERS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < raft->options.membership.count; i++) {
        if (i == raft->self)
            continue;
        const struct raft_progress *progress = &raft->progress[i];
        status[count++] = (struct raft_peer_status){
            .id = raft->options.membership.members[i].id,
            .voter = raft_is_voter(raft, i),
            .state = progress->state,
            .match = progress->match,
            .next = progress->next,
            .in_flight = progress->window_count,
            .in_flight_bytes = progress->window_bytes,
            .last_contact_ms = progress->answered ? progress->contact_ms : 0,
        };
    }
    return count;
}

struct raft_counters raft_counters(const struct raft *raft)
{
    return raft->counters;
}

size_t raft_holders(const struct raft *raft, uint64_t index)
{
    if (raft->role != RAFT_LEADER)
        return 0;
    size_t holders = 0;
    for (size_t i = 0; i < raft->options.membership.count; i++) {
        uint64_t held = i == raft->self ? raft->durable : raft->progress[i].match;
        if (held >= index)
            holders++;
    }
    return holders;
}
