/* The inside of raft/: the state of one member, and the functions that the files of this module
 * share. */
#ifndef FLOTILLA_RAFT_CORE_H
#define FLOTILLA_RAFT_CORE_H

#include "base/prng.h"
#include "raft/log.h"
#include "raft/progress.h"
#include "raft/raft.h"

enum {
    NOT_A_MEMBER = RAFT_MEMBERS_MAX,
    MET_MAX = 2 * RAFT_MEMBERS_MAX,
    WITNESSES_MAX = 4 * RAFT_MEMBERS_MAX,
};

/* The incarnation that is connected under an id. */
struct raft_met {
    uint64_t id;
    uint64_t incarnation;
};

/* A membership and the index of its entry; 0: the membership at the start. */
struct raft_configuration {
    uint64_t index;
    struct raft_membership membership;
};

struct raft {
    struct raft_options options;               /* options.membership is the one at the start */
    struct raft_membership membership;         /* in force: the newest one in the log */
    struct raft_configuration *configurations; /* oldest first; never empty */
    size_t configuration_count;
    size_t configuration_cap;
    size_t self; /* position of this node in the membership, or NOT_A_MEMBER */
    struct prng prng;
    uint64_t now_ms;

    enum raft_role role;
    uint64_t term;
    uint64_t vote;
    uint64_t leader; /* leader of this term; 0: unknown, or known to be dead */
    struct raft_log log;
    uint64_t commit;

    /* The last entry that is synced on this node. Reports about terms below durable_term_min are
     * ignored: they may be about a write that a truncation has undone since. */
    uint64_t durable;
    uint64_t durable_term_min;
    bool no_room; /* this node's disk is full */

    uint64_t busy_until_ms;        /* this node said that it may be silent until then */
    uint64_t leader_busy_until_ms; /* the leader did */
    uint64_t heard_ms;             /* when the newest append of the leader arrived */
    uint64_t acknowledged_ms;      /* when this node last sent an answer that waits for the disk */
    uint64_t election_deadline_ms;
    bool leader_lost; /* the last leader's process died, and no other leader is known yet */
    uint64_t last_leader;
    /* With leases: this node may have promised its vote before its start. */
    uint64_t no_vote_before_ms;

    bool granted[RAFT_MEMBERS_MAX];
    bool refused[RAFT_MEMBERS_MAX];

    struct raft_progress progress[RAFT_MEMBERS_MAX]; /* indexed by position in the membership */
    struct raft_met met[MET_MAX];
    size_t met_count;
    struct raft_witness witnesses[WITNESSES_MAX]; /* one for each (id, incarnation) */
    size_t witness_count;
    uint64_t term_start; /* index of the no-op with which this leader's term began */
    uint64_t flush_ms;   /* when to tell idle followers the commit index; 0: they know it */

    uint64_t read_newest;      /* newest read round in this term as leader; 0: none */
    uint64_t read_newest_ever; /* newest read round in this process */
    uint64_t read_asked_all;   /* newest read round for which all voters were asked */
    struct raft_read *reads;   /* unconfirmed reads; index 0: the no-op is not committed yet */
    size_t read_count;
    size_t read_cap;
    struct raft_read *reads_ready; /* the update's ready reads */
    size_t ready_cap;

    uint64_t transfer_target; /* 0: none */
    uint64_t transfer_deadline_ms;
    bool timeout_now_sent; /* to the transfer target */
    bool leaves;           /* this leader is no voter any more, and hands over */
    bool lease_is_void;    /* a node was told in this term to start an election */

    struct raft_snapshot snapshot;
    struct {
        struct raft_snapshot snapshot; /* index 0: no snapshot */
        uint64_t leader_term;          /* chunks of different leaders are not combined */
        uint64_t offset;
    } receiving;

    struct raft_counters counters;
    uint64_t marks;
    struct raft_hard_state hard_state_known; /* the hard state that the host has */
    struct raft_message *messages;           /* the update's messages */
    size_t message_cap;
    struct raft_update update; /* the update that the running step fills */
};

static inline void raft_note(struct raft *raft, enum raft_mark mark)
{
    raft->marks |= UINT64_C(1) << mark;
}

/* raft.c */

/* Adds a message to this step's update, from this node in its term. The pointer is valid until the
 * next call. */
struct raft_message *raft_message_add(struct raft *raft, enum raft_message_type type, uint64_t to);
size_t raft_position_of(const struct raft *raft, uint64_t id); /* or NOT_A_MEMBER */
/* The sender's position, if it has the incarnation that the membership names; otherwise
 * NOT_A_MEMBER. Another incarnation of the same id cannot vouch for what this one was asked. */
size_t raft_position_of_sender(const struct raft *raft, const struct raft_message *message);
bool raft_is_voter(const struct raft *raft, size_t position);
bool raft_may_stand(const struct raft *raft);
bool raft_may_vote(const struct raft *raft);
bool raft_hard_state_differs(const struct raft *raft); /* from what the host knows */
void raft_log_reset(struct raft *raft, uint64_t base_index, uint64_t base_term);

/* election.c */

void raft_follow(struct raft *raft, uint64_t term, uint64_t leader);
void raft_election_timer_restart(struct raft *raft);
void raft_election_tick(struct raft *raft);
uint64_t raft_election_due_ms(const struct raft *raft);
void raft_election_peer_lost(struct raft *raft, uint64_t peer);
void raft_election_peer_alive(struct raft *raft, uint64_t peer);
void raft_note_busy(struct raft *raft, uint64_t peer, uint32_t ms);
void raft_handle_vote_request(struct raft *raft, const struct raft_message *message);
void raft_handle_vote_response(struct raft *raft, const struct raft_message *message);
void raft_handle_timeout_now(struct raft *raft, const struct raft_message *message);

/* Whether a leader is alive, as far as this node knows (dissertation §4.2.3). */
bool raft_leader_is_alive(const struct raft *raft);

/* follower.c */

void raft_handle_append_request(struct raft *raft, const struct raft_message *message);
/* Answers that the log agrees with the leader's up to `agreed`, and is durable up to `match`. */
struct raft_message *raft_respond_success(struct raft *raft, const struct raft_message *request,
                                          uint64_t match, uint64_t agreed);

/* replication.c: the leader's side. */

void raft_replication_begin(struct raft *raft);
void raft_replication_submit(struct raft *raft, const struct raft_entry *entries, size_t count);
/* Appends an entry of the core's own. A membership is in force from then on. */
void raft_replication_append_own(struct raft *raft, enum raft_own_entry kind,
                                 const struct raft_membership *membership);
void raft_replication_durable(struct raft *raft, uint64_t index, uint64_t term);
void raft_replication_tell_commit(struct raft *raft, uint64_t peer);
void raft_replication_tick(struct raft *raft);
uint64_t raft_replication_deadline_ms(const struct raft *raft);
void raft_replication_peer_alive(struct raft *raft, uint64_t peer);
uint64_t raft_replication_quorum_contact_ms(const struct raft *raft);
void raft_replication_heartbeat(struct raft *raft, size_t peer);
void raft_handle_append_response(struct raft *raft, const struct raft_message *message);

/* change.c: membership */

void raft_configurations_init(struct raft *raft);
void raft_configurations_close(struct raft *raft);
void raft_configurations_add(struct raft *raft, uint64_t index,
                             const struct raft_membership *membership);
void raft_configurations_truncate(struct raft *raft, uint64_t last_index);
void raft_configurations_reset(struct raft *raft, uint64_t index,
                               const struct raft_membership *membership);
void raft_configurations_compact(struct raft *raft, uint64_t index);
void raft_change_begin(struct raft *raft, const struct raft_membership *wanted);
void raft_change_incarnation(struct raft *raft, uint64_t incarnation);
/* Does what a leader has to do once a membership is committed. Called once per step. */
void raft_change_settle(struct raft *raft);

/* transfer.c */

void raft_transfer_begin(struct raft *raft, uint64_t target);
void raft_transfer_tick(struct raft *raft);
void raft_transfer_settle(struct raft *raft); /* called once per step */
void raft_transfer_end(struct raft *raft);
size_t raft_transfer_candidate(const struct raft *raft); /* returns a position, or NOT_A_MEMBER */
void raft_send_timeout_now(struct raft *raft, size_t peer);

/* snapshot.c */

void raft_snapshot_compact(struct raft *raft, const struct raft_event *event);
void raft_snapshot_begin(struct raft *raft, size_t peer);
void raft_snapshot_send(struct raft *raft, size_t peer);
void raft_snapshot_tick(struct raft *raft, size_t peer);
uint64_t raft_snapshot_due_ms(const struct raft *raft, size_t peer);
void raft_handle_snapshot_request(struct raft *raft, const struct raft_message *message);
void raft_handle_snapshot_response(struct raft *raft, const struct raft_message *message);
void raft_snapshot_installed(struct raft *raft, const struct raft_event *event);
void raft_snapshot_failed(struct raft *raft, const struct raft_event *event);

/* identity.c */

void raft_identity_met(struct raft *raft, uint64_t id, uint64_t incarnation);
uint64_t raft_met_incarnation(const struct raft *raft, uint64_t id); /* 0: no node was met */
/* Whether the member is connected, as far as this node knows, under the incarnation in the
 * membership. */
bool raft_is_reachable(const struct raft *raft, size_t peer);
/* Whether another incarnation of a member is connected, so that the leader may change the
 * membership. */
bool raft_meets_others(const struct raft *raft);
bool raft_wants_to_take_in(const struct raft *raft, struct raft_membership *wanted);

/* witness.c */

/* The last committed entry that this folder is known to have acknowledged; 0: none. */
uint64_t raft_witnessed(const struct raft *raft, uint64_t id, uint64_t incarnation);
void raft_witness_own(struct raft *raft); /* a leader keeps what it knows itself */

/* reads.c */

void raft_reads_begin(struct raft *raft);
void raft_reads_submit(struct raft *raft, uint64_t context);
void raft_reads_tick(struct raft *raft);
uint64_t raft_reads_due_ms(const struct raft *raft); /* UINT64_MAX: it waits for no answer */
void raft_reads_peer_lost(struct raft *raft, uint64_t peer);
void raft_reads_confirm(struct raft *raft); /* called after an echo or a commit */

#endif
