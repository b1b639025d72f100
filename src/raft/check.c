/* Decides whether a correct member can have sent a message to a node in this state. Other messages
 * are refused before the core sees them, so that the core's assertions hold whatever a peer
 * sends. */
#include "raft/core.h"

/* A node that was away may be behind, but not by this many elections. */
#define TERM_LEAP_MAX (UINT64_C(1) << 32)

uint64_t raft_term_step(const struct raft *raft, const struct raft_message *message)
{
    uint64_t most = raft->term + TERM_LEAP_MAX;
    return message->term <= RAFT_NUMBER_MAX && message->term > most ? most : 0;
}

static const char *term_refusal(const struct raft *raft, const struct raft_message *message)
{
    if (message->term > RAFT_NUMBER_MAX)
        return "a term beyond all reason";
    if (message->term > raft->term + TERM_LEAP_MAX)
        return "a term that leaps";
    return NULL;
}

/* Checks requests that only the leader of a term sends. */
static const char *leader_refusal(const struct raft *raft, const struct raft_message *message)
{
    if (message->term == 0)
        return "a leader of no term";
    if (message->term != raft->term)
        return NULL;
    if (raft->role == RAFT_LEADER)
        return "another leader of the term that this node leads";
    if (raft->leader && raft->leader != message->from)
        return "two leaders of one term";
    return NULL;
}

/* Entries up to the commit index are final: every leader of this term or a later one has them. A
 * deposed leader may not have them, and its requests are ignored. */
static const char *entry_refusal(const struct raft *raft, const struct raft_message *message,
                                 const struct raft_entry *entry)
{
    if (entry->term == 0)
        return "an entry of no term";
    if (entry->term > message->term)
        return "an entry of a later term than its sender's";
    if (entry->membership && !raft_membership_has_voters(entry->membership))
        return "a membership without voters";
    if (message->term >= raft->term && entry->index >= raft->log.base_index &&
        entry->index <= raft->commit && raft_log_term_of(&raft->log, entry->index) != entry->term)
        return "another entry than the one that is committed";
    return NULL;
}

static const char *append_refusal(const struct raft *raft, const struct raft_message *message)
{
    uint64_t prev = message->append_request.prev_index;
    size_t count = message->append_request.entry_count;
    uint64_t term = message->append_request.prev_term;
    if (prev > RAFT_NUMBER_MAX || count > RAFT_NUMBER_MAX ||
        message->append_request.commit > RAFT_NUMBER_MAX)
        return "an index beyond all reason";
    if (term > message->term || (prev == 0) != (term == 0))
        return "an entry before the first one that cannot be";
    for (size_t i = 0; i < count; i++) {
        const struct raft_entry *entry = &message->append_request.entries[i];
        if (entry->index != prev + 1 + i || entry->term < term)
            return "entries out of order";
        const char *refusal = entry_refusal(raft, message, entry);
        if (refusal)
            return refusal;
        term = entry->term;
    }
    return leader_refusal(raft, message);
}

/* Answers to requests of an earlier term are ignored anyway. */
static bool is_answer_to_this_leader(const struct raft *raft, const struct raft_message *message)
{
    return raft->role == RAFT_LEADER && message->term == raft->term;
}

static const char *appended_refusal(const struct raft *raft, const struct raft_message *message)
{
    if (!is_answer_to_this_leader(raft, message))
        return NULL;
    uint64_t last = raft->log.last_index;
    if (message->append_response.match > last || message->append_response.hint_index > last ||
        message->append_response.rejected_prev > last)
        return "an answer about entries that this node does not have";
    if (message->append_response.read_context > raft->read_newest)
        return "an answer to a round that was not begun";
    if (message->append_response.sent_ms > raft->now_ms)
        return "an answer to what was not sent yet";
    return NULL;
}

static const char *vote_refusal(const struct raft_message *message)
{
    uint64_t index = message->vote_request.last_index;
    uint64_t term = message->vote_request.last_term;
    if (message->term == 0)
        return "a candidate of no term";
    if (index > RAFT_NUMBER_MAX || term > message->term || (index == 0) != (term == 0))
        return "a last entry that cannot be";
    return NULL;
}

/* A node stores its term before it asks for votes in it. A node that asked and then lost its disk
 * may get an honest answer to a question that it forgot: to refuse it costs one connection. */
static const char *voted_refusal(const struct raft *raft, const struct raft_message *message)
{
    if (message->vote_response.granted && !message->vote_response.pre && message->term > raft->term)
        return "a vote that was not asked for";
    if (message->vote_response.last_index > RAFT_NUMBER_MAX ||
        message->vote_response.witnessed > RAFT_NUMBER_MAX)
        return "an index beyond all reason";
    return NULL;
}

const char *raft_witness_refusal(const struct raft_witness *witness)
{
    if (witness->id == 0 || witness->incarnation == 0)
        return "an acknowledgement of nobody";
    if (witness->index == 0 || witness->index > RAFT_NUMBER_MAX)
        return "an acknowledgement of an entry that cannot be";
    return NULL;
}

static const char *snapshot_refusal(const struct raft *raft, const struct raft_message *message)
{
    uint64_t index = message->snapshot_request.index;
    uint64_t term = message->snapshot_request.term;
    uint64_t total = message->snapshot_request.total;
    uint64_t offset = message->snapshot_request.offset;
    if (index == 0 || index > RAFT_NUMBER_MAX || term == 0 || term > message->term)
        return "a snapshot of an entry that cannot be";
    if (total == 0 || offset > total || message->snapshot_request.bytes > total - offset)
        return "a piece that is not of its snapshot";
    if (raft->receiving.snapshot.index == index && raft->receiving.snapshot.term == term &&
        raft->receiving.leader_term == message->term && raft->receiving.snapshot.bytes != total)
        return "a snapshot whose size has changed";
    return leader_refusal(raft, message);
}

static const char *received_refusal(const struct raft *raft, const struct raft_message *message)
{
    size_t peer = raft_position_of(raft, message->from);
    if (!is_answer_to_this_leader(raft, message) || peer == NOT_A_MEMBER)
        return NULL;
    const struct raft_progress *progress = &raft->progress[peer];
    if (progress->state == RAFT_SNAPSHOT &&
        message->snapshot_response.index == progress->snapshot_index &&
        message->snapshot_response.offset > progress->snapshot_bytes)
        return "an answer about more of a snapshot than there is";
    return NULL;
}

const char *raft_message_refusal(const struct raft *raft, const struct raft_message *message)
{
    const char *refusal = term_refusal(raft, message);
    if (refusal)
        return refusal;
    switch (message->type) {
    case RAFT_VOTE_REQUEST:
        return vote_refusal(message);
    case RAFT_VOTE_RESPONSE:
        return voted_refusal(raft, message);
    case RAFT_APPEND_REQUEST:
        return append_refusal(raft, message);
    case RAFT_APPEND_RESPONSE:
        return appended_refusal(raft, message);
    case RAFT_SNAPSHOT_REQUEST:
        return snapshot_refusal(raft, message);
    case RAFT_SNAPSHOT_RESPONSE:
        return received_refusal(raft, message);
    case RAFT_TIMEOUT_NOW:
        return leader_refusal(raft, message);
    }
    return "no message";
}
