/* Private to raft/: the state of one member, and what the files of this module offer each other. */
#ifndef FLOTILLA_RAFT_CORE_H
#define FLOTILLA_RAFT_CORE_H

#include "base/prng.h"
#include "raft/log.h"
#include "raft/progress.h"
#include "raft/raft.h"

enum { NOT_A_MEMBER = RAFT_MEMBERS_MAX };

struct raft {
    struct raft_options options; /* the membership is in it */
    size_t self;                 /* position in the membership, or NOT_A_MEMBER */
    struct prng prng;
    uint64_t now_ms;

    enum raft_role role;
    uint64_t term;
    uint64_t vote;
    uint64_t leader; /* of this term; 0: not known, or known to be dead */
    struct raft_log log;
    uint64_t commit;

    /* Synced on this node. Reports for entries of terms below durable_term_min are not believed:
     * they can stand for a write that a truncation undid since. */
    uint64_t durable;
    uint64_t durable_term_min;

    uint64_t heard_ms;        /* newest append of the leader */
    uint64_t acknowledged_ms; /* newest answer that waits for the disk */
    uint64_t election_deadline_ms;
    bool leader_lost; /* the last leader's process is dead, no other was heard of yet */
    uint64_t last_leader;

    bool granted[RAFT_MEMBERS_MAX];
    bool refused[RAFT_MEMBERS_MAX];

    struct raft_progress progress[RAFT_MEMBERS_MAX]; /* by position in the membership */
    uint64_t term_start; /* index of the no-op that began this leader's term */
    uint64_t flush_ms; /* when followers without new entries learn the commit index; 0: they know */

    uint64_t read_newest;      /* in this term as leader; 0: none */
    uint64_t read_newest_ever; /* in this process */
    struct raft_read *reads;   /* not confirmed; index 0: the no-op is not committed */
    size_t read_count;
    size_t read_cap;
    struct raft_read *reads_ready; /* of the update */
    size_t ready_cap;

    struct raft_counters counters;
    struct raft_hard_state hard_state_known; /* to the host */
    struct raft_message *messages;           /* of the update */
    size_t message_cap;
    struct raft_update update; /* as far as the running step has come */
};

/* raft.c */

/* A message of this step, from this node in its term. Valid until the next call. */
struct raft_message *raft_message_add(struct raft *raft, enum raft_message_type type, uint64_t to);
size_t raft_position_of(const struct raft *raft, uint64_t id); /* or NOT_A_MEMBER */
bool raft_is_voter(const struct raft *raft, size_t position);
bool raft_hard_state_differs(const struct raft *raft); /* from what the host knows */

/* election.c */

void raft_follow(struct raft *raft, uint64_t term, uint64_t leader);
void raft_election_timer_restart(struct raft *raft);
void raft_election_tick(struct raft *raft);
void raft_election_peer_lost(struct raft *raft, uint64_t peer);
void raft_election_peer_alive(struct raft *raft, uint64_t peer);
void raft_handle_vote_request(struct raft *raft, const struct raft_message *message);
void raft_handle_vote_response(struct raft *raft, const struct raft_message *message);

/* A leader is at work as far as this node knows (dissertation §4.2.3). */
bool raft_leader_is_alive(const struct raft *raft);

/* follower.c */

void raft_handle_append_request(struct raft *raft, const struct raft_message *message);

/* replication.c: the leader's side */

void raft_replication_begin(struct raft *raft);
void raft_replication_submit(struct raft *raft, const struct raft_entry *entries, size_t count);
void raft_replication_durable(struct raft *raft, uint64_t index, uint64_t term);
void raft_replication_tick(struct raft *raft);
uint64_t raft_replication_deadline_ms(const struct raft *raft);
void raft_replication_peer_alive(struct raft *raft, uint64_t peer);
uint64_t raft_replication_quorum_contact_ms(const struct raft *raft);
void raft_replication_heartbeat_voters(struct raft *raft);
void raft_handle_append_response(struct raft *raft, const struct raft_message *message);

/* reads.c */

void raft_reads_begin(struct raft *raft);
void raft_reads_submit(struct raft *raft, uint64_t context);
void raft_reads_confirm(struct raft *raft); /* after an echo or a commit */

#endif
