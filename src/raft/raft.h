/* The consensus core: one member of one Raft group, as a pure function from events to effects.
 *
 *     raft_step(raft, event, update)
 *
 * takes one event (time passed, a message, entries to replicate, a write that became durable, a
 * read to confirm, evidence that a peer's process died) and fills `update` with what the host must
 * do. The core calls no other module and reads no clock. It stores the term and size of each
 * entry, but not its bytes.
 *
 * Sources: "the paper" is Ongaro and Ousterhout, In Search of an Understandable Consensus Algorithm
 * (extended version, 2014); "the dissertation" is Ongaro, Consensus: Bridging Theory and Practice.
 *
 * The host carries out each update in this order:
 *   0. install:      replace the log and the state by the received snapshot;
 *      chunk:        write the chunk in the message after those before it;
 *   1. truncate:     drop every entry after truncate_after from the log (and from memory);
 *   2. append:       write the entries [append_first, append_last] to the log, in order;
 *   3. hard_state:   write term and vote to the log;
 *      0 to 3 form one write, in this order. It is synced in the background. The writes of updates
 *      reach the disk in the order of the updates;
 *   4. send messages with when_durable = false at once. This is before the sync: the leader's own
 *      sync and the replication run in parallel;
 *   5. send messages with when_durable = true once this update's write and all before it are
 *      durable. A message to the node itself (to == own id) is stepped as a RAFT_EVENT_MESSAGE
 *      then;
 *   6. commit_index: entries up to it may be applied;
 *   7. reads:        answer each ready read once the applied index reaches its index;
 *   8. role_changed: answer the waiting writes and reads of a former leader.
 * When a write of entries or an installed snapshot is durable, the host steps RAFT_EVENT_DURABLE
 * with its last index and term. Messages may be lost, duplicated, delayed and reordered; none of
 * that endangers safety.
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
    uint64_t id;          /* id of this node; not 0 */
    uint64_t incarnation; /* incarnation of its data folder; not 0 */
    /* The membership as of the snapshot; without a snapshot, the one with which the group began. A
     * node that joins an existing group starts with an empty one and learns the members from the
     * log. */
    struct raft_membership membership;
    uint32_t heartbeat_ms;
    uint32_t election_timeout_ms; /* randomised in [t, 2t); at least 2 * heartbeat_ms */
    uint32_t entries_per_append_max;
    uint32_t bytes_per_append_max;  /* an append always takes one entry, whatever its size */
    uint32_t appends_in_flight_max; /* limit of unacknowledged appends per follower in REPLICATE */
    uint64_t bytes_in_flight_max;   /* limit of their bytes */
    uint32_t snapshot_chunk_bytes;  /* one chunk at a time is sent to a follower */
    /* Leases: a leader serves reads without a round while a majority has promised not to vote
     * (dissertation §6.4.1). The rates of the members' clocks may differ by at most this share; 0:
     * no leases. All members of a group must agree on whether there are leases: with leases a
     * follower waits for the timeout even if it knows that the leader's process died. */
    uint32_t lease_drift_percent;
    /* A leader makes voters of spares (RAFT_SPARE) up to this number of voters, and never an even
     * number of voters; 0: none. Later: raft_set_voters_target(). */
    uint32_t voters_target;
    uint64_t seed; /* for election timeouts; must differ between nodes and starts */
};

struct raft_hard_state {
    uint64_t term;
    uint64_t vote; /* the node voted for in `term`; 0: none */
};

/* The newest complete snapshot of this node: the state as of entry `index`. */
struct raft_snapshot {
    uint64_t index; /* 0: no snapshot */
    uint64_t term;
    uint64_t bytes;
};

/* What recovery found on the disk. raft_load_entry() then adds the entries. */
struct raft_start {
    struct raft_hard_state hard_state;
    uint64_t base_index; /* index before the log's first entry; 0: the log is complete */
    uint64_t base_term;
    struct raft_snapshot snapshot; /* base_index <= index; the log reaches it or begins after it */
};

/* A log entry without its bytes: only what consensus needs. */
struct raft_entry {
    uint64_t index;
    uint64_t term;
    uint32_t bytes; /* size of the encoded record */
    /* Of a membership entry; NULL: another kind of entry. */
    const struct raft_membership *membership;
};

/* Longer silences are taken for deaths, whatever was announced. */
enum { RAFT_BUSY_MS_MAX = 20000 };

/* Of terms and indices. No real number gets there: at one term per microsecond it would take
 * 146,000 years. Sums of indices and counts fit into 64 bits. */
#define RAFT_NUMBER_MAX (UINT64_C(1) << 62)

enum raft_event_type {
    RAFT_EVENT_TICK,    /* time passed; see raft_deadline_ms() */
    RAFT_EVENT_MESSAGE, /* from a peer; already authenticated and of this group */
    RAFT_EVENT_SUBMIT,  /* leader only: entries of the current term that continue the log */
    RAFT_EVENT_DURABLE, /* everything up to (index, term) is synced on this node */
    /* Leader only (others ignore it): confirm leadership for the reads of `read_context`. The
     * leader asks the voters that answer fastest, as many as make a majority with it. If they have
     * not answered within twice their usual time and 2 ms, or an eighth of the heartbeat interval
     * if that is shorter, it asks the others too. Heartbeats also carry the newest context, so a
     * round is confirmed even if its messages are lost. */
    RAFT_EVENT_READ,
    RAFT_EVENT_PEER_LOST,  /* node `peer` refused or reset a connection: its process died */
    RAFT_EVENT_PEER_ALIVE, /* node `peer` sent a part of a large message, or says that it is
                              receiving one */
    /* Node `met.peer` is connected with the data folder `met.incarnation`. If the membership names
     * another incarnation of it, a leader sends it nothing. Once the named incarnation has been
     * silent for an election timeout, the leader takes the new one in as a learner to be
     * promoted. */
    RAFT_EVENT_PEER_MET,
    /* The data folder begins a new `incarnation`, not 0. The node keeps its data, but has no vote
     * until the leader has taken it in. A leader or candidate becomes a follower. */
    RAFT_EVENT_INCARNATION,
    RAFT_EVENT_PEER_BUSY, /* node busy.peer, or this one, may be silent for busy.ms; 0: no longer */
    /* Leader only: change the membership to `change`. raft_change_refusal() at now_ms must not
     * refuse it, except with RAFT_CHANGE_OUT_OF_REACH if an operator insists. */
    RAFT_EVENT_CHANGE,
    RAFT_EVENT_TELL_COMMIT, /* leader only: member `peer` learns the commit index at once */
    RAFT_EVENT_TRANSFER,    /* leader only: hand over to voter `peer`; 0: to the most current one */
    /* This node has completed a snapshot, or dropped entries that a snapshot covers: `compact`. */
    RAFT_EVENT_COMPACT,
    /* All chunks of a snapshot were received and checked: `installed` can be installed. */
    RAFT_EVENT_INSTALLED,
    RAFT_EVENT_INSTALL_FAILED, /* `installed` is damaged, or this node cannot store it */
};

struct raft_event {
    enum raft_event_type type;
    uint64_t now_ms; /* monotonic; not before the last event's */
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
        /* Strictly increasing within the process, never reused, not 0. Confirming a context
         * confirms all earlier ones. */
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
        uint64_t incarnation;
        const struct raft_membership *change;
        struct {
            struct raft_snapshot snapshot; /* the newest complete snapshot */
            uint64_t first_index;          /* of the entries still in the log */
        } compact;
        struct {
            struct raft_snapshot snapshot;
            const struct raft_membership *membership; /* as of the snapshot */
        } installed;
    };
};

struct raft_read {
    uint64_t context;
    uint64_t index;    /* answer once this entry is applied */
    uint64_t asked_ms; /* time of its RAFT_EVENT_READ */
};

/* Entries that the core itself appends; the host encodes their records. */
enum raft_own_entry { RAFT_OWN_NONE, RAFT_OWN_NOOP, RAFT_OWN_MEMBERSHIP };

/* A piece of the leader's snapshot; the event's message has its bytes. */
struct raft_chunk {
    struct raft_snapshot snapshot; /* the snapshot it belongs to */
    uint64_t offset;               /* 0: discard what was received before */
    uint64_t bytes;
    /* The host checks the snapshot and steps RAFT_EVENT_INSTALLED or RAFT_EVENT_INSTALL_FAILED. */
    bool last;
};

struct raft_update {
    /* Only with RAFT_EVENT_INSTALLED. true: `installed` replaces the state and the log. false: the
     * snapshot is not needed. */
    bool install;
    struct raft_snapshot installed;
    bool chunk_received;
    struct raft_chunk chunk;

    bool truncate;
    uint64_t truncate_after; /* the last index that stays */

    /* append_count entries. After RAFT_EVENT_SUBMIT: the submitted ones. After RAFT_EVENT_MESSAGE:
     * the last append_count entries of the message; the log has the earlier ones already. If
     * append_own is set: one entry of the current term, whose record the host encodes. */
    uint64_t append_first;
    size_t append_count;
    enum raft_own_entry append_own;
    const struct raft_membership *append_membership; /* for RAFT_OWN_MEMBERSHIP */

    bool hard_state_changed;
    struct raft_hard_state hard_state;

    const struct raft_message *messages;
    size_t message_count;

    uint64_t commit_index; /* always the current one, even if unchanged */

    const struct raft_read *reads;
    size_t read_count;

    /* This node lacks entries that it acknowledged under its incarnation. The host gives it a
     * new one (RAFT_EVENT_INCARNATION) and makes its connections anew. Set in every update
     * until then. */
    bool incarnation_is_void;
    bool membership_changed; /* another membership is in force than before the step */

    bool role_changed; /* role, term, known leader or transfer changed in the step */
    /* This node ceased to be leader in the step: its pending reads never become ready. */
    bool leadership_lost;
};

/* The hard state, the snapshot and the entries come from recovery, which has synced them, so the
 * core counts them as durable. raft_load_entry() adds the entries in order from base_index + 1.
 * now_ms starts the timers. The caller must not pass options out of bounds. */
struct raft *raft_new(const struct raft_options *options, const struct raft_start *start,
                      uint64_t now_ms);
void raft_free(struct raft *raft);
void raft_load_entry(struct raft *raft, const struct raft_entry *entry);

void raft_step(struct raft *raft, const struct raft_event *event, struct raft_update *update);

/* Why no correct member can have sent this message to a node in this state; NULL: one can have. The
 * host asks before it steps a message from another node. It must not step a refused message; the
 * refusal changes nothing. Returns a static text. */
const char *raft_message_refusal(const struct raft *raft, const struct raft_message *message);
/* Whether the message is refused for its term alone, although a cluster may get there. Then the
 * highest term that one message may bring; else 0. */
uint64_t raft_term_step(const struct raft *raft, const struct raft_message *message);

/* The last committed entry that a member's data folder has acknowledged. A folder whose log ends
 * before it was set back to an older copy. */
struct raft_witness {
    uint64_t id;
    uint64_t incarnation;
    uint64_t index;
};

/* What a leader knows of each member, for the host to tell the others; returns the number. Empty on
 * other nodes. */
size_t raft_witnesses(const struct raft *raft, struct raft_witness list[RAFT_MEMBERS_MAX]);
/* A leader has told this. The core keeps the highest index for each folder as long as the process
 * lives. It gives the folder no vote while its log ends before that, and counts no vote of it. */
void raft_witness(struct raft *raft, uint64_t id, uint64_t incarnation, uint64_t index);
/* Why no correct leader can have told this; NULL: one can have. As raft_message_refusal(). */
const char *raft_witness_refusal(const struct raft_witness *witness);

/* The latest time for the next RAFT_EVENT_TICK (monotonic ms). A host may tick earlier. */
uint64_t raft_deadline_ms(const struct raft *raft);

enum raft_role raft_role(const struct raft *raft);
const char *raft_role_name(enum raft_role role); /* the role's name for people */
uint64_t raft_id(const struct raft *raft);
uint64_t raft_incarnation(const struct raft *raft);
uint64_t raft_leader(const struct raft *raft); /* 0: unknown */
uint64_t raft_term(const struct raft *raft);
uint64_t raft_vote(const struct raft *raft);
uint64_t raft_commit_index(const struct raft *raft);
uint64_t raft_last_index(const struct raft *raft);
uint64_t raft_last_term(const struct raft *raft);
uint64_t raft_durable_index(const struct raft *raft);
uint64_t raft_term_of(const struct raft *raft, uint64_t index); /* 0: not in the log */
uint64_t raft_first_index(const struct raft *raft);             /* of the entries in the log */
struct raft_snapshot raft_snapshot(const struct raft *raft);

/* The newest membership in the log. It is in force even before it is committed (paper §6). */
const struct raft_membership *raft_membership(const struct raft *raft);
/* The membership as of entry `index`, which is not below the snapshot's. A snapshot at `index` has
 * to carry it. */
const struct raft_membership *raft_membership_at(const struct raft *raft, uint64_t index);

/* Why a change of membership cannot begin now. `wanted` names the voters (RAFT_VOTER) and learners
 * (RAFT_LEARNER, RAFT_PROMOTE, RAFT_SPARE); other members leave. */
enum raft_refusal {
    RAFT_CHANGE_POSSIBLE,
    RAFT_CHANGE_NOT_LEADER,
    RAFT_CHANGE_TOO_EARLY,    /* the leader has not committed an entry of its term yet */
    RAFT_CHANGE_IN_PROGRESS,  /* another change is unfinished */
    RAFT_CHANGE_TRANSFERRING, /* leadership is being handed over */
    RAFT_CHANGE_UNSOUND,  /* no voters, a voter to be promoted, roles that only the core sets, or a
                             lower version */
    RAFT_CHANGE_TOO_MANY, /* old and new members together exceed RAFT_MEMBERS_MAX */
    RAFT_CHANGE_NOT_CAUGHT_UP, /* a new voter must be a learner that has nearly all entries */
    RAFT_CHANGE_OUT_OF_REACH,  /* no majority of the new voters answered this leader lately */
    RAFT_CHANGE_NONE,          /* it is the membership already */
};
/* Whether a member has caught up depends on when it last answered, so the result is valid for a
 * step at now_ms. */
enum raft_refusal raft_change_refusal(const struct raft *raft, const struct raft_membership *wanted,
                                      uint64_t now_ms);

/* Whether this leader would choose the node as its successor, were it the only one: a voter that
 * keeps up and has room on its disk. */
bool raft_can_hand_over_to(const struct raft *raft, uint64_t id);

/* Whether the host may submit entries. A leader that hands over takes none. */
bool raft_accepts(const struct raft *raft);

void raft_set_voters_target(struct raft *raft, uint32_t target);

/* A leader: the last entry that each of those members has stored that have answered since then
 * (monotonic ms) and have stored at least entry `from`; its own last entry if there are none. Other
 * nodes: their last entry. What comes after it is what this node may soon have to send. */
uint64_t raft_stored_by_all(const struct raft *raft, uint64_t from, uint64_t since_ms);

/* Tells the core whether this node's disk takes more entries. A node without room tells the leader,
 * which then hands leadership to it only if the host names it. */
void raft_set_room(struct raft *raft, bool has_room);

/* Whether the next step may append an entry of the core's own. The host must first submit the
 * entries that it has numbered. */
bool raft_may_append(const struct raft *raft);

/* Reads need no round until then (monotonic ms); 0: no lease. */
uint64_t raft_lease_until_ms(const struct raft *raft);

/* Whether the leader has committed an entry of its term, so that reads can be confirmed. */
bool raft_can_read(const struct raft *raft);

/* When this node last heard from the leader (as follower) or from a majority (as leader); monotonic
 * ms. */
uint64_t raft_last_contact_ms(const struct raft *raft);

enum raft_progress_state { RAFT_PROBE, RAFT_REPLICATE, RAFT_SNAPSHOT };

/* The state of another member, for operators. Valid on the leader only. */
struct raft_peer_status {
    uint64_t id;
    uint64_t incarnation; /* 0: unknown */
    unsigned roles;       /* bits of enum raft_member_role */
    bool voter;           /* in the current set or the new set of a change */
    enum raft_progress_state state;
    uint64_t match;
    uint64_t next;
    uint32_t in_flight; /* number of appends */
    uint64_t in_flight_bytes;
    uint64_t snapshot_offset; /* RAFT_SNAPSHOT: bytes of the snapshot that it has */
    uint64_t last_contact_ms; /* monotonic; 0: never */
    uint64_t silent_since_ms; /* the same, or when this member won the election or added that one */
    bool no_room;             /* its disk is full, according to its last answer */
};

struct raft_counters {
    uint64_t elections_started; /* without PreVote rounds */
    uint64_t prevotes_started;
    uint64_t elections_won;
    uint64_t leader_changes;
    uint64_t transfers_started;
    uint64_t transfers_aborted;
    uint64_t snapshots_sent; /* snapshots begun, including restarts */
    uint64_t snapshots_installed;
    uint64_t membership_changes; /* entries that this node appended as leader */
};

/* The state of this member, for operators. */
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
    uint64_t receiving_index;  /* the snapshot being received; 0: none */
    uint64_t receiving_offset; /* bytes of it received */
    uint64_t receiving_bytes;
    bool self_is_voter;
    bool may_stand;        /* its own log names this node's incarnation as a voter */
    bool may_vote;         /* its own log names this node's incarnation */
    bool joint;            /* a joint membership is in force */
    uint64_t change_index; /* index of the membership's entry; 0: the membership at the start */
    bool change_is_committed;
    uint64_t transfer_target; /* 0: none */
    uint64_t lease_until_ms;
    uint64_t last_contact_ms;                        /* as raft_last_contact_ms() */
    size_t reads_waiting;                            /* unconfirmed rounds */
    struct raft_peer_status peers[RAFT_MEMBERS_MAX]; /* the other members by ascending id */
    size_t peer_count;
};

void raft_status(const struct raft *raft, struct raft_status *status);
/* The last_contact_ms of one of the peers; 0 also if there is no such one. Leader only. */
uint64_t raft_peer_contact_ms(const struct raft *raft, uint64_t id);
struct raft_counters raft_counters(const struct raft *raft);

/* Rare situations that this member has been in since its start; bit 1 << mark for each. Tests check
 * that they were reached. */
enum raft_mark {
    RAFT_MARK_FIGURE_8,          /* a majority has an entry of an older term: not committed */
    RAFT_MARK_SPLIT_VOTE,        /* a candidate noticed that it cannot win */
    RAFT_MARK_DISTURBER_IGNORED, /* a vote request while a leader was alive */
    RAFT_MARK_TRUNCATED,
    RAFT_MARK_TRUNCATED_DURABLE,  /* truncated entries were durable */
    RAFT_MARK_LATE_DURABLE,       /* a report about a write that a truncation has undone */
    RAFT_MARK_OVERLAPPING_APPEND, /* the log had the append's first entries already */
    RAFT_MARK_OLD_APPEND,         /* the log had all of the append's entries, and later ones */
    RAFT_MARK_APPEND_BELOW_BASE,  /* the append overlaps the snapshot */
    RAFT_MARK_COMMIT_BOUNDED,     /* the leader's commit index is beyond what is known to agree */
    RAFT_MARK_MATCH_LOWERED,      /* a follower lost entries that it had acknowledged */
    RAFT_MARK_QUORUM_LOST,        /* CheckQuorum */
    RAFT_MARK_READ_BEFORE_NOOP,
    RAFT_MARK_READ_OF_OLD_ROUND, /* an echo of a round that was confirmed already */
    RAFT_MARK_READ_ASKED_FEW,    /* a round asked no more voters than make a majority */
    RAFT_MARK_READ_ASKED_OTHERS, /* they did not answer in time */
    RAFT_MARK_LEASE_READ,
    RAFT_MARK_TRANSFERRED, /* TimeoutNow was sent */
    RAFT_MARK_TRANSFER_ABORTED,
    RAFT_MARK_TIMEOUT_NOW_STALE,
    RAFT_MARK_JOINT_ENTERED,
    RAFT_MARK_JOINT_LEFT,
    RAFT_MARK_JOINT_INHERITED,   /* a new leader ends a change that another one began */
    RAFT_MARK_CHANGE_TAKEN_BACK, /* a truncation removed its entry */
    RAFT_MARK_LEADER_REMOVED,    /* the leader was removed and stepped down */
    RAFT_MARK_LEARNER_PROMOTED,
    RAFT_MARK_TAKEN_IN, /* a node returned with another data folder, or first connected */
    RAFT_MARK_SNAPSHOT_NEEDED,
    RAFT_MARK_SNAPSHOT_RESTARTED, /* with a newer one, or the follower lost its part */
    RAFT_MARK_SNAPSHOT_RESUMED,   /* a chunk or its answer was lost */
    RAFT_MARK_SNAPSHOT_LATE,      /* the snapshot is not above this node's commit index */
    RAFT_MARK_SNAPSHOT_IN_LOG,    /* the log has the snapshot's last entry: nothing is dropped */
    RAFT_MARK_SNAPSHOT_RACED,     /* the log caught up while the snapshot was being checked */
    RAFT_MARK_SNAPSHOT_INSTALLED,
    RAFT_MARKS,
};

uint64_t raft_marks(const struct raft *raft);
const char *raft_mark_name(enum raft_mark mark);

/* How many members have `index`, counting this node once it is durable here. Leader only; else
 * 0. */
size_t raft_holders(const struct raft *raft, uint64_t index);
/* The leader: up to where each member has the log on its disk; how many there are. */
size_t raft_held(const struct raft *raft, uint64_t held[RAFT_MEMBERS_MAX]);

/* How many members have a committed entry of this leader's term. Leader only; else 0. */
size_t raft_term_holders(const struct raft *raft);

#endif
