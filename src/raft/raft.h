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
 *   0. install:      the snapshot that was received takes the place of the log and of the state;
 *      chunk:        the chunk in the message is written behind those before it;
 *   1. truncate:     drop every entry after truncate_after from the log (and from memory);
 *   2. append:       write the entries [append_first, append_last] to the log, in order;
 *   3. hard_state:   write term and vote to the log;
 *      0 to 3 form one write, in this order; it is synced in the background. Updates' writes reach
 *      the disk in the order of the updates;
 *   4. messages with when_durable = false are sent at once (before the sync: the leader's own sync
 * and the replication run in parallel);
 *   5. messages with when_durable = true are sent once this update's write, and all before it, are
 *      durable. A message to the node itself (to == own id) is fed back as a RAFT_EVENT_MESSAGE
 * then;
 *   6. commit_index: entries up to it may be applied;
 *   7. reads:        each ready read may be answered once the applied index reaches its index;
 *   8. role_changed: waiting writes and reads of a former leader have to be answered.
 * When a write of entries, or an installed snapshot, is durable the host steps RAFT_EVENT_DURABLE
 * with its last index and term. Messages may be lost, duplicated, delayed and reordered at will:
 * none of that endangers safety.
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
    uint64_t id;          /* this node's; not 0 */
    uint64_t incarnation; /* of its data folder; not 0 */
    /* As of the snapshot; without one, as the group began. A node that is to join an existing group
     * begins with an empty one and learns who belongs to it from the log. */
    struct raft_membership membership;
    uint32_t heartbeat_ms;
    uint32_t election_timeout_ms; /* randomised in [t, 2t); at least twice heartbeat_ms */
    uint32_t entries_per_append_max;
    uint32_t bytes_per_append_max;  /* one entry always fits, whatever its size */
    uint32_t appends_in_flight_max; /* unacknowledged appends per follower in the replicate state */
    uint64_t bytes_in_flight_max;   /* and their bytes */
    uint32_t snapshot_chunk_bytes;  /* one chunk at a time is under way to a follower */
    /* Reads without a round, for as long as a majority has promised not to vote (dissertation
     * §6.4.1). The clocks' rates must not differ by more than this share; 0: no leases. All members
     * of a group have to agree on whether there are leases: with them a follower waits for the
     * timeout even if it knows that the leader's process died. */
    uint32_t lease_drift_percent;
    uint64_t seed; /* of the election timeouts; differs between nodes and starts */
};

struct raft_hard_state {
    uint64_t term;
    uint64_t vote; /* node voted for in term; 0 is nobody */
};

/* The newest complete snapshot of this node: the state after entry `index`. */
struct raft_snapshot {
    uint64_t index; /* 0: none */
    uint64_t term;
    uint64_t bytes;
};

/* What recovery found on the disk. Entries follow with raft_load_entry(). */
struct raft_start {
    struct raft_hard_state hard_state;
    uint64_t base_index; /* the entry before the log's first; 0: the log is whole */
    uint64_t base_term;
    struct raft_snapshot
        snapshot; /* base_index <= index; the log reaches it, or begins behind it */
};

/* A log entry as the core sees it: no bytes, only what consensus needs. */
struct raft_entry {
    uint64_t index;
    uint64_t term;
    uint32_t bytes; /* size of the whole record on the wire and on the disk */
    const struct raft_membership *membership; /* of a change of membership; NULL: another entry */
};

/* Longer silences are taken for deaths, whatever was announced. */
enum { RAFT_BUSY_MS_MAX = 20000 };

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
    /* Node `met.peer` is connected and has the data folder `met.incarnation`. A leader sends
     * nothing to a member that is there under another incarnation, and takes that one in by itself:
     * as a learner that is promoted, once the incarnation in the membership has been silent for an
     * election timeout. */
    RAFT_EVENT_PEER_MET,
    RAFT_EVENT_PEER_BUSY, /* node busy.peer, or this one, may be silent for busy.ms; 0: no longer */
    RAFT_EVENT_CHANGE,    /* leader only: begin to change the membership to `change`, which
                             raft_change_refusal() does not refuse at now_ms */
    RAFT_EVENT_TRANSFER,  /* leader only: hand leadership to voter `peer`; 0: to whom is nearest */
    /* This node has completed a snapshot, or dropped entries that one covers: `compact`. */
    RAFT_EVENT_COMPACT,
    /* The snapshot whose last chunk came is checked and can be installed: `installed`. */
    RAFT_EVENT_INSTALLED,
    RAFT_EVENT_INSTALL_FAILED, /* `installed` is damaged, or this node cannot store it */
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
        struct {
            uint64_t peer;
            uint32_t ms; /* counts up to RAFT_BUSY_MS_MAX */
        } busy;
        struct {
            uint64_t peer;
            uint64_t incarnation;
        } met;
        const struct raft_membership *change;
        struct {
            struct raft_snapshot snapshot; /* the newest complete one */
            uint64_t first_index;          /* of the entries that are still in the log */
        } compact;
        struct {
            struct raft_snapshot snapshot;
            const struct raft_membership *membership; /* as of the snapshot */
        } installed;
    };
};

struct raft_read {
    uint64_t context;
    uint64_t index; /* answer when applied reaches it */
};

/* Entries that the core itself begins; the host creates their records. */
enum raft_own_entry { RAFT_OWN_NONE, RAFT_OWN_NOOP, RAFT_OWN_MEMBERSHIP };

/* A piece of the leader's snapshot, from the message of the event. */
struct raft_chunk {
    struct raft_snapshot snapshot; /* that it is a piece of */
    uint64_t offset;               /* 0: whatever was received before is to be dropped */
    uint64_t bytes;
    bool last; /* the host checks the whole and steps RAFT_EVENT_INSTALLED or _INSTALL_FAILED */
};

struct raft_update {
    bool install; /* only with RAFT_EVENT_INSTALLED: `installed` takes the place of state and log;
                     if false, the snapshot of the event is of no use */
    struct raft_snapshot installed;
    bool chunk_received;
    struct raft_chunk chunk;

    bool truncate;
    uint64_t truncate_after; /* the last index that stays */

    /* append_count entries. For RAFT_EVENT_SUBMIT: those submitted. For a RAFT_EVENT_MESSAGE: the
     * last append_count entries of the message; those before them were in the log already. Where
     * append_own says so: one entry of the current term, whose record the host creates. */
    uint64_t append_first;
    size_t append_count;
    enum raft_own_entry append_own;
    const struct raft_membership *append_membership; /* RAFT_OWN_MEMBERSHIP */

    bool hard_state_changed;
    struct raft_hard_state hard_state;

    const struct raft_message *messages;
    size_t message_count;

    uint64_t commit_index; /* always the current one; may be the same as before */

    const struct raft_read *reads;
    size_t read_count;

    /* What this node vouched for under its incarnation is not all here: the host gives it another
     * one (raft_set_incarnation()) and makes its connections anew. Told again until then. */
    bool incarnation_is_void;
    bool membership_changed; /* another one is in force than before the step */

    bool role_changed;    /* role, term, known leader or transfer differ from before the step */
    bool leadership_lost; /* was leader before the step and is not now: pending reads of it never
                             become ready */
};

/* Hard state, snapshot and the entries of the log (raft_load_entry, in order, from base_index + 1)
 * come from recovery, which has synced them: the core counts them as durable. now_ms starts the
 * timers. Options out of bounds are a bug of the caller. */
struct raft *raft_new(const struct raft_options *options, const struct raft_start *start,
                      uint64_t now_ms);
void raft_free(struct raft *raft);
void raft_load_entry(struct raft *raft, const struct raft_entry *entry);

void raft_step(struct raft *raft, const struct raft_event *event, struct raft_update *update);

/* Why no correct member can have sent this message to a node in this state; NULL: one can. The host
 * asks before it steps a message that came from elsewhere: what is refused changes nothing and must
 * not be stepped. A static text. */
const char *raft_message_refusal(const struct raft *raft, const struct raft_message *message);

/* When the next RAFT_EVENT_TICK is due at the latest (monotonic ms). A host may tick earlier. */
uint64_t raft_deadline_ms(const struct raft *raft);

enum raft_role raft_role(const struct raft *raft);
const char *raft_role_name(enum raft_role role); /* as people call it */
uint64_t raft_id(const struct raft *raft);
uint64_t raft_incarnation(const struct raft *raft);
/* The folder has begun another history: this node keeps its data and is a stranger until the leader
 * has taken it in. A leader or candidate gives up. */
void raft_set_incarnation(struct raft *raft, uint64_t incarnation);
uint64_t raft_leader(const struct raft *raft); /* 0: not known */
uint64_t raft_term(const struct raft *raft);
uint64_t raft_vote(const struct raft *raft);
uint64_t raft_commit_index(const struct raft *raft);
uint64_t raft_last_index(const struct raft *raft);
uint64_t raft_last_term(const struct raft *raft);
uint64_t raft_durable_index(const struct raft *raft);
uint64_t raft_term_of(const struct raft *raft, uint64_t index); /* 0 if not in the log */
uint64_t raft_first_index(const struct raft *raft);             /* of the entries in the log */
struct raft_snapshot raft_snapshot(const struct raft *raft);

/* The newest membership in the log, committed or not: that is the one in force (paper §6). */
const struct raft_membership *raft_membership(const struct raft *raft);
/* As of entry `index`, not below the snapshot's: what a snapshot at `index` has to carry. */
const struct raft_membership *raft_membership_at(const struct raft *raft, uint64_t index);

/* Why a change of membership cannot begin now. `wanted` names voters (RAFT_VOTER) and learners
 * (RAFT_LEARNER, RAFT_PROMOTE); who is in neither leaves. */
enum raft_refusal {
    RAFT_CHANGE_POSSIBLE,
    RAFT_CHANGE_NOT_LEADER,
    RAFT_CHANGE_TOO_EARLY,     /* nothing of this leader's term is committed yet */
    RAFT_CHANGE_IN_PROGRESS,   /* another change is not finished */
    RAFT_CHANGE_TRANSFERRING,  /* leadership is being handed over */
    RAFT_CHANGE_UNSOUND,       /* no voters, a voter to be promoted, or roles the core gives */
    RAFT_CHANGE_TOO_MANY,      /* old and new members together exceed RAFT_MEMBERS_MAX */
    RAFT_CHANGE_NOT_CAUGHT_UP, /* a new voter has to be a learner that holds nearly all entries */
    RAFT_CHANGE_OUT_OF_REACH,  /* no majority of the new voters has been heard of lately */
    RAFT_CHANGE_NONE,          /* that is the membership already */
};
/* Who has caught up must have been heard of lately: the answer holds for a step at now_ms. */
enum raft_refusal raft_change_refusal(const struct raft *raft, const struct raft_membership *wanted,
                                      uint64_t now_ms);

/* Whether new entries may be submitted: a leader that hands over takes none. */
bool raft_accepts(const struct raft *raft);

/* Whether this node's disk takes more entries. A node without room says so to the leader, which
 * hands leadership to no such node unless it is named. */
void raft_set_room(struct raft *raft, bool has_room);

/* Whether the next step may append an entry of the core's own: entries that the host has numbered
 * already have to be submitted before. */
bool raft_may_append(const struct raft *raft);

/* Until when (monotonic ms) reads need no round; 0: no lease. */
uint64_t raft_lease_until_ms(const struct raft *raft);

/* The leader has committed an entry of its own term: reads can be confirmed. */
bool raft_can_read(const struct raft *raft);

/* When this node last heard from the leader (followers), or from a majority (leader); monotonic ms.
 */
uint64_t raft_last_contact_ms(const struct raft *raft);

enum raft_progress_state { RAFT_PROBE, RAFT_REPLICATE, RAFT_SNAPSHOT };

/* What an operator asks about one other member. Meaningful on the leader only. */
struct raft_peer_status {
    uint64_t id;
    uint64_t incarnation; /* 0: not known yet */
    unsigned roles;       /* of enum raft_member_role */
    bool voter;           /* in the current set or the one that is being changed to */
    enum raft_progress_state state;
    uint64_t match;
    uint64_t next;
    uint32_t in_flight; /* appends */
    uint64_t in_flight_bytes;
    uint64_t snapshot_offset; /* RAFT_SNAPSHOT: what it has of the snapshot */
    uint64_t last_contact_ms; /* monotonic; 0: never */
    bool no_room;             /* on its disk, as it said last */
};

struct raft_counters {
    uint64_t elections_started; /* real ones, not PreVote rounds */
    uint64_t prevotes_started;
    uint64_t elections_won;
    uint64_t leader_changes;
    uint64_t transfers_started;
    uint64_t transfers_aborted;
    uint64_t snapshots_sent; /* begun, also anew */
    uint64_t snapshots_installed;
    uint64_t membership_changes; /* entries of this node as leader */
};

/* All that an operator asks. */
struct raft_status {
    enum raft_role role;
    uint64_t term;
    uint64_t vote;
    uint64_t leader;
    uint64_t first_index;
    uint64_t last_index;
    uint64_t last_term;
    uint64_t durable_index;
    uint64_t commit_index;
    struct raft_snapshot snapshot;
    uint64_t receiving_index;  /* of the snapshot that is being received; 0: none */
    uint64_t receiving_offset; /* and how much of it came */
    uint64_t receiving_bytes;
    bool self_is_voter;
    bool joint;            /* between two memberships */
    uint64_t change_index; /* of the newest membership's entry; 0: that of the start */
    bool change_is_committed;
    uint64_t transfer_target; /* 0: none */
    uint64_t lease_until_ms;
    uint64_t last_contact_ms;                        /* as raft_last_contact_ms() */
    size_t reads_waiting;                            /* rounds that are not confirmed */
    struct raft_peer_status peers[RAFT_MEMBERS_MAX]; /* the other members, by ascending id */
    size_t peer_count;
};

void raft_status(const struct raft *raft, struct raft_status *status);
struct raft_counters raft_counters(const struct raft *raft);

/* Rare situations that this member has met since its start: bit 1 << mark for each. Tests ask
 * whether they were reached at all. */
enum raft_mark {
    RAFT_MARK_FIGURE_8,          /* a majority holds an entry of an older term: not committed */
    RAFT_MARK_SPLIT_VOTE,        /* a candidate learned that it cannot win */
    RAFT_MARK_DISTURBER_IGNORED, /* a vote request while a leader is alive */
    RAFT_MARK_TRUNCATED,
    RAFT_MARK_TRUNCATED_DURABLE,  /* entries that were on the disk */
    RAFT_MARK_LATE_DURABLE,       /* a report of a write that a truncation undid */
    RAFT_MARK_OVERLAPPING_APPEND, /* its beginning was in the log already */
    RAFT_MARK_OLD_APPEND,         /* all of it was in the log, which goes further */
    RAFT_MARK_APPEND_BELOW_BASE,  /* it overlaps what a snapshot stands for */
    RAFT_MARK_COMMIT_BOUNDED,     /* the leader's commit index is beyond what is known to agree */
    RAFT_MARK_MATCH_LOWERED,      /* a follower lost what it had acknowledged */
    RAFT_MARK_QUORUM_LOST,        /* CheckQuorum */
    RAFT_MARK_READ_BEFORE_NOOP,
    RAFT_MARK_READ_OF_OLD_ROUND, /* an echo of a round that is confirmed already */
    RAFT_MARK_LEASE_READ,
    RAFT_MARK_TRANSFERRED, /* TimeoutNow was sent */
    RAFT_MARK_TRANSFER_ABORTED,
    RAFT_MARK_TIMEOUT_NOW_STALE,
    RAFT_MARK_JOINT_ENTERED,
    RAFT_MARK_JOINT_LEFT,
    RAFT_MARK_JOINT_INHERITED,   /* a new leader finishes a change that it did not begin */
    RAFT_MARK_CHANGE_TAKEN_BACK, /* by a truncation */
    RAFT_MARK_LEADER_REMOVED,    /* it stepped down */
    RAFT_MARK_LEARNER_PROMOTED,
    RAFT_MARK_TAKEN_IN, /* a node that came back with another data folder, or was met at last */
    RAFT_MARK_SNAPSHOT_NEEDED,
    RAFT_MARK_SNAPSHOT_RESTARTED, /* a newer one, or the follower lost its part */
    RAFT_MARK_SNAPSHOT_RESUMED,   /* a chunk or its answer was lost */
    RAFT_MARK_SNAPSHOT_LATE,      /* at or below what is committed here */
    RAFT_MARK_SNAPSHOT_IN_LOG,    /* the log holds its last entry: nothing is dropped */
    RAFT_MARK_SNAPSHOT_RACED,     /* the log caught up while the snapshot was being checked */
    RAFT_MARK_SNAPSHOT_INSTALLED,
    RAFT_MARKS,
};

uint64_t raft_marks(const struct raft *raft);
const char *raft_mark_name(enum raft_mark mark);

/* How many members (this node included, once durable) hold `index`. Leader only, else 0. */
size_t raft_holders(const struct raft *raft, uint64_t index);

#endif
