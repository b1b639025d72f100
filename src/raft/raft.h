/* The consensus core: one member of one Raft group, as a pure function from events to effects.
 *
 *     raft_step(raft, event, update)
 *
 * takes one event (time passed, a message, entries to replicate, a write that became durable, a
 * read to confirm, evidence that a peer's process died) and fills `update` with what the host has
 * to do. It calls nobody, reads no clock, and keeps no entry's bytes: only each entry's term and
 * size.
 *
 * Sources: "the paper" is Ongaro and Ousterhout, In Search of an Understandable Consensus Algorithm
 * (extended version, 2014); "the dissertation" is Ongaro, Consensus: Bridging Theory and Practice.
 *
 * Contract of the host, per update and in this order:
 *   1. truncate:     drop every entry after truncate_after from the log (and from memory);
 *   2. append:       write the entries [append_first, append_last] to the log, in order;
 *   3. hard_state:   write term and vote to the log;
 *      1 to 3 form one write, in this order; it is synced in the background. Updates' writes reach
 *      the disk in the order of the updates;
 *   4. messages with when_durable = false are sent at once (before the sync: the leader's own sync
 * and the replication run in parallel);
 *   5. messages with when_durable = true are sent once this update's write, and all before it, are
 *      durable. A message to the node itself (to == own id) is fed back as a RAFT_EVENT_MESSAGE
 * then;
 *   6. commit_index: entries up to it may be applied;
 *   7. reads:        each ready read may be answered once the applied index reaches its index;
 *   8. role_changed: waiting writes and reads of a former leader have to be answered.
 * When a write of entries is durable the host steps RAFT_EVENT_DURABLE with its last index and
 * term. Messages may be lost, duplicated, delayed and reordered at will: none of that endangers
 * safety.
 *
 * Ownership: everything `update` points to belongs to the core and is valid until the next step. */
#ifndef FLOTILLA_RAFT_RAFT_H
#define FLOTILLA_RAFT_RAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "raft/membership.h"
#include "raft/message.h"

struct raft;

enum raft_role { RAFT_FOLLOWER, RAFT_PRECANDIDATE, RAFT_CANDIDATE, RAFT_LEADER };

struct raft_options {
    uint64_t id; /* this node's; not 0 */
    struct raft_membership membership;
    uint32_t heartbeat_ms;
    uint32_t election_timeout_ms; /* randomised in [t, 2t); at least twice heartbeat_ms */
    uint32_t entries_per_append_max;
    uint32_t bytes_per_append_max;  /* one entry always fits, whatever its size */
    uint32_t appends_in_flight_max; /* unacknowledged appends per follower in the replicate state */
    uint64_t bytes_in_flight_max;   /* and their bytes */
    uint64_t seed;                  /* of the election timeouts; differs between nodes and starts */
};

/* What recovery found on the disk. Entries follow with raft_load_entry(). */
struct raft_hard_state {
    uint64_t term;
    uint64_t vote; /* node voted for in term; 0 is nobody */
};

/* A log entry as the core sees it: no bytes, only what consensus needs. */
struct raft_entry {
    uint64_t index;
    uint64_t term;
    uint32_t bytes;  /* size of the whole record on the wire and on the disk */
    bool membership; /* a change of membership (leaves room for joint consensus) */
};

enum raft_event_type {
    RAFT_EVENT_TICK,    /* time passed; see raft_deadline_ms() */
    RAFT_EVENT_MESSAGE, /* from a peer, already authenticated and from this group */
    RAFT_EVENT_SUBMIT,  /* leader only: entries that continue the log, of the current term */
    RAFT_EVENT_DURABLE, /* everything up to (index, term) is synced on this node */
    /* Leader only (ignored by others): confirm leadership for the reads of `read_context`.
     * Heartbeats carry the newest context too: a round whose messages are lost is confirmed by
     * them. */
    RAFT_EVENT_READ,
    RAFT_EVENT_PEER_LOST,  /* the process of node `peer` refused or reset a connection */
    RAFT_EVENT_PEER_ALIVE, /* part of a large message of node `peer` came, or it said that it is
                              receiving one */
};

struct raft_event {
    enum raft_event_type type;
    uint64_t now_ms; /* monotonic; never before that of an earlier event */
    union {
        const struct raft_message *message;
        struct {
            const struct raft_entry *entries;
            size_t count;
        } submit;
        struct {
            uint64_t index;
            uint64_t term;
        } durable;
        /* Strictly increasing within the process, never reused, not 0. Confirming one confirms all
         * before. */
        uint64_t read_context;
        uint64_t peer;
    };
};

struct raft_read {
    uint64_t context;
    uint64_t index; /* answer when applied reaches it */
};

struct raft_update {
    bool truncate;
    uint64_t truncate_after; /* the last index that stays */

    /* append_count entries. For RAFT_EVENT_SUBMIT: those submitted. For a RAFT_EVENT_MESSAGE: the
     * last append_count entries of the message; those before them were in the log already. When a
     * node becomes leader: one entry, noop = true, whose record the host creates. */
    uint64_t append_first;
    size_t append_count;
    bool append_noop;

    bool hard_state_changed;
    struct raft_hard_state hard_state;

    const struct raft_message *messages;
    size_t message_count;

    uint64_t commit_index; /* always the current one; may be the same as before */

    const struct raft_read *reads;
    size_t read_count;

    bool role_changed;    /* role, term or known leader differ from before the step */
    bool leadership_lost; /* was leader before the step and is not now: pending reads of it never
                             become ready */
};

/* Membership, hard state and the entries of the log (raft_load_entry, in order, from snapshot_index
 * + 1) come from recovery, which has synced them: the core counts them as durable. snapshot_index
 * and snapshot_term are 0 without a snapshot. now_ms starts the timers. Options out of bounds are a
 * bug of the caller. */
struct raft *raft_new(const struct raft_options *options, struct raft_hard_state hard_state,
                      uint64_t snapshot_index, uint64_t snapshot_term, uint64_t now_ms);
void raft_free(struct raft *raft);
void raft_load_entry(struct raft *raft, const struct raft_entry *entry);

void raft_step(struct raft *raft, const struct raft_event *event, struct raft_update *update);

/* When the next RAFT_EVENT_TICK is due at the latest (monotonic ms). A host may tick earlier. */
uint64_t raft_deadline_ms(const struct raft *raft);

enum raft_role raft_role(const struct raft *raft);
uint64_t raft_id(const struct raft *raft);
uint64_t raft_leader(const struct raft *raft); /* 0: not known */
uint64_t raft_term(const struct raft *raft);
uint64_t raft_vote(const struct raft *raft);
uint64_t raft_commit_index(const struct raft *raft);
uint64_t raft_last_index(const struct raft *raft);
uint64_t raft_last_term(const struct raft *raft);
uint64_t raft_durable_index(const struct raft *raft);
uint64_t raft_term_of(const struct raft *raft, uint64_t index); /* 0 if not in the log */
const struct raft_membership *raft_membership(const struct raft *raft);

/* The leader has committed an entry of its own term: reads can be confirmed. */
bool raft_can_read(const struct raft *raft);

/* When this node last heard from the leader (followers), or from a majority (leader); monotonic ms.
 */
uint64_t raft_last_contact_ms(const struct raft *raft);

enum raft_progress_state { RAFT_PROBE, RAFT_REPLICATE, RAFT_SNAPSHOT };

/* What an operator asks about one peer. Meaningful on the leader only. */
struct raft_peer_status {
    uint64_t id;
    bool voter;
    enum raft_progress_state state;
    uint64_t match;
    uint64_t next;
    uint32_t in_flight; /* appends */
    uint64_t in_flight_bytes;
    uint64_t last_contact_ms; /* monotonic; 0: never */
};

struct raft_counters {
    uint64_t elections_started; /* real ones, not PreVote rounds */
    uint64_t prevotes_started;
    uint64_t elections_won;
    uint64_t leader_changes;
};

/* Fills `status` for each other member, up to RAFT_MEMBERS_MAX; the count comes back. */
size_t raft_peers(const struct raft *raft, struct raft_peer_status status[RAFT_MEMBERS_MAX]);
struct raft_counters raft_counters(const struct raft *raft);

/* How many members (this node included, once durable) hold `index`. Leader only, else 0. */
size_t raft_holders(const struct raft *raft, uint64_t index);

#endif
