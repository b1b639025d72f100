/* The inside of a shard; nobody but shard/ includes this.
 *
 *   submit.c       requests in: the open batch, the queues of what waits
 *   issue.c        where they go: proposed here or forwarded; what became of them
 *   forward.c      to the leader, for this node's clients
 *   serve.c        by the leader, for other nodes' clients
 *   block.c        clients that wait for keys
 *   blocked.c      one of them
 *   wake.c         the leader serves them
 *   waits.c        who waits for which key
 *   drive.c        events to the core, its effects to the disk and the peers
 *   apply.c        committed entries to the machine, replies to the clients
 *   ahead.c        the keys that are looked up next
 *   answer.c       replies to what is not carried out
 *   goal.c         when all that was acknowledged is applied here
 *   held.c         reads of clients that have not read what is there for them
 *   busy.c         announces what takes long in one piece
 *   check.c        messages that cannot be
 *   group.c        the group itself: membership
 *   handover.c     leadership for a node that asks for it, or is named
 *   digest.c       whether the nodes' machines are equal
 *   versions.c     who speaks what, and what all may use
 *   witness.c      what each member has acknowledged, told to all
 *   fresh.c        how old the applied state may be
 *   time.c         what messages tell of time, what time entries get
 *   clock.c        the clock of the group
 *   expiry.c       what is past its deadline
 *   health.c       a disk that is full or stalls
 *   snapshot.c     snapshots, this node's own and those of a leader
 *   session.c      sessions of clients: whether there are any, and how one begins
 *   shard.c        start, end, accessors */
#ifndef FLOTILLA_SHARD_INTERNAL_H
#define FLOTILLA_SHARD_INTERNAL_H

#include "base/prng.h"
#include "machine/state.h"
#include "machine/transaction.h"
#include "resp/parse.h"
#include "shard/block.h"
#include "shard/clock.h"
#include "shard/digest.h"
#include "shard/forward.h"
#include "shard/queue.h"
#include "shard/shard.h"
#include "shard/versions.h"
#include "shard/witness.h"
#include "wire/message.h"

enum {
    SHARD_EXPIRIES_MAX = 72, /* expiry entries that are not applied yet */
    SHARD_TERM_STEP_MS = 10,
    SHARD_TURN_WORK = 5 * 1000 * 1000, /* of machine_stats.work: 40 MB of replies, or 5 ms */
};

#define NEXT_FLUSH UINT64_MAX

#define SHARD_UNKNOWN                                                                              \
    "UNKNOWN it could not be found out within leader-wait-ms whether the write was committed: it " \
    "may still take effect"
#define SHARD_UNKNOWN_AFTER_SNAPSHOT                                                               \
    "UNKNOWN this node was sent the data as a whole before it knew what became of the write: it "  \
    "may have taken effect"
/* Requests that wait to be issued, in one queue for all clients. What else clients send stays with
 * them, so that they take turns, and so that a turn that issues everything is short. */
enum { SHARD_HELD_MAX = 2048 };

#define SHARD_NO_LEADER                                                                            \
    "CLUSTERDOWN leadership was lost before the command was proposed: nothing was executed, try "  \
    "again"

#define SHARD_REFUSED                                                                              \
    "MISCONF the leader refused the write, and was lost before it could say why: nothing was "     \
    "executed"

/* A message that waits for a sync. */
struct outgoing {
    struct raft_message message;
    uint64_t ticket; /* NEXT_FLUSH until that has one */
};

/* What a ticket makes durable. */
struct written {
    uint64_t ticket;
    uint64_t index;
    uint64_t term;
};

/* The state as of one entry, on its way to the disk while the state goes on. */
struct shard_image {
    struct raft_snapshot snapshot; /* index 0: none */
    struct machine_writer writer;
    struct buf piece; /* not given to the disk yet */
    size_t under_way; /* pieces at the disk */
    size_t prepared;  /* bytes of what is about to change, in this turn */
    bool produces;    /* not all of it is in pieces */
    bool is_void;     /* it has become useless */
    uint64_t begun_ms;
    uint64_t due_ms;        /* when there will be more of it */
    uint64_t applied_index; /* when there was last */
    uint64_t busy_ms;       /* when there was last a request */
    uint64_t changes;       /* that it holds, counted since the process began */
    /* What was in databases that were cleared meanwhile: it is held until the end. */
    struct keyspace *aside[DATABASES_MAX];
    size_t aside_count;
};

/* What is remembered of a client, by its position in the host's table. */
struct client_note {
    uint32_t generation;
    uint64_t last_write;     /* arrival of its newest write, 0: none */
    uint64_t held_pass;      /* of shard_answer_reads(), in which one of its reads had to wait */
    uint64_t blocked;        /* the id of its command that waits for a key, 0: none */
    struct held_reads *held; /* NULL: none */
};

/* Reads of one client that wait until it has read more: see held.c. */
struct shard_held {
    struct held_reads *first; /* of clients that may go on */
    struct held_reads *last;
    uint64_t count; /* of all reads that are held */
    uint64_t bytes; /* of memory */
};

/* What a leader said of itself; at_ms is monotonic, 0: nothing. */
struct shard_contact {
    uint64_t commit;
    uint64_t term;
    uint64_t at_ms;
};

struct shard_freshness {
    uint64_t at_ms;               /* everything that was committed then is applied; 0: never */
    struct shard_contact waiting; /* the oldest contact whose commit index is not applied … */
    struct shard_contact newest;  /* … and the newest */
};

/* See shard_set_goal(). */
struct shard_goal {
    bool waits;
    bool refused;     /* the leader answers no reads: nodes differ in their data */
    uint64_t context; /* the round that confirms it */
};

/* Where writes go. */
struct shard_issue {
    uint64_t term;           /* in which the issued writes were issued */
    bool here;               /* they were proposed by this node, not forwarded */
    bool open;               /* that term or office is over, and what became of them is not known */
    bool reads_stale;        /* reads that are not confirmed have to be asked for anew */
    bool reads_here;         /* in what office they were … */
    uint64_t reads_term;     /* … and in what term */
    uint64_t stuck_since_ms; /* something waits, and there is nowhere to issue it; 0 */
};

/* What is known of the entries that are applied next, or the reads that are answered next. */
struct shard_ahead {
    uint64_t first; /* index or position */
    size_t count;
    struct entry entries[KEYSPACE_AHEAD_MAX]; /* only of entries */
    struct keyspace_place places[KEYSPACE_AHEAD_MAX];
    bool has_place[KEYSPACE_AHEAD_MAX];
};

struct shard {
    struct shard_options options;
    struct raft *raft;
    struct storage *storage;
    struct machine machine;
    struct prng prng;
    struct shard_time now;
    struct command_clock wall; /* what TIME tells next */

    /* The open batch: records encoded, not yet known to the core. */
    struct buf batch;
    struct raft_entry *batch_entries;
    size_t *batch_offsets;
    size_t batch_count;
    struct entry *entries; /* the batch as storage wants it; without spans until it is stepped */
    size_t batch_cap;

    struct shard_clock clock; /* its floor is the time of the newest entry, applied or not */
    uint64_t steer_due_ms;
    int64_t offset_ms; /* of the wall clock from it */
    bool offset_told;
    uint64_t log_bytes_pending; /* of the entries in `writes` */

    struct shard_ahead ahead;
    struct write_queue writes;
    struct read_queue reads;
    struct client_note *notes;
    size_t notes_cap;
    struct shard_held held;
    uint64_t long_index; /* of the newest entry that may make a value long; 0: none */

    /* Read rounds: `open` collects, up to `confirmed` all may be answered
     * once applied >= confirmed_index. */
    uint64_t round_open;
    uint64_t round_confirmed;
    uint64_t round_confirmed_index;
    bool round_has_reads;
    bool round_in_flight;
    int64_t round_time_ms; /* a follower judges reads by the leader's time when it confirmed them */

    struct shard_goal goal;
    bool could_hold; /* at the end of the last turn: shard_may_hold() */
    struct shard_issue issue;
    struct shard_forwarding forwarding;
    struct shard_origins origins;
    struct shard_blocks blocks;
    struct shard_versions versions;
    uint64_t session_secret[2];

    uint64_t expiry_indices[SHARD_EXPIRIES_MAX]; /* of entries that are not applied yet */
    size_t expiry_count;
    uint64_t expiry_due_ms;
    uint64_t judge_pass;   /* counts shard_answer_reads() */
    uint64_t term_step_ms; /* see shard_follows_term() */
    uint64_t turn_work;    /* machine_stats.work at the turn's begin */
    bool reads_left;       /* for the next turn */
    bool role_changed;
    bool membership_changed;
    bool incarnation_is_void;

    struct outgoing *outbox; /* ring would be overkill: short, drained in order */
    size_t outbox_count;
    size_t outbox_cap;
    struct written *written;
    size_t written_count;
    size_t written_cap;
    uint64_t completed_ticket;
    uint64_t flush_waits_since_ms; /* something is being written since then, nothing completed; 0 */
    bool no_room;                  /* on the disk */
    uint64_t hand_over_ms;         /* not before */
    uint64_t gathered_index;       /* last entry given to storage since the last flush; 0: none */
    uint64_t gathered_term;

    /* A snapshot of this node's own: the log is cut behind cut_index until that is applied, then
     * the image is being written. Index 0: no such thing goes on. */
    uint64_t cut_index;
    bool snapshot_is_wanted; /* somebody asked for one while another was being made */
    struct shard_image image;
    struct shard_freshness freshness;
    uint64_t snapshot_keys;                /* in the last one of this process; 0: none */
    uint64_t snapshot_consider_ms;         /* not before */
    struct machine_reader *incoming_state; /* what came of the leader's; NULL: none is coming */
    struct databases *replaced;            /* by the leader's; freed bit by bit. NULL: none */

    struct wire_message incoming;
    unsigned announced;       /* turns until a long step is said to be over; 0: none */
    uint32_t busy_unnoted_ms; /* told to others, not yet to this node's core */
    const char *refusal;      /* of the last message that was refused */
    struct buf records;       /* entries of an append: [records_first, records_last]; 0: none */
    uint64_t records_first;
    uint64_t records_last;
    struct buf encoded; /* scratch: one message */

    struct shard_digests digests;
    struct shard_witnesses witnesses;
    bool stopped; /* contradicted by a majority: nothing is done any more */

    uint64_t trim_ms; /* buffers are looked at again then */
    struct shard_stats stats;
    uint64_t changes_saved; /* in the newest snapshot, of machine.stats.changes */
    struct buf unread;      /* the reply of a command whose client wants none */
    struct histogram commit_us;
};

/* memory.c */
void shard_trim(struct shard *shard);
void shard_keep_recent(struct shard *shard);

/* submit.c */
/* The next entry of the batch, with its time. The caller fills it in, encodes it to shard->batch
 * and ends it, or leaves it. */
struct entry *shard_batch_begin(struct shard *shard, enum entry_kind kind);
uint32_t shard_batch_end(struct shard *shard); /* the bytes of its record */
/* Encodes the request's command as it enters the log. False: it is too large. */
bool shard_encode(struct shard *shard, struct entry *entry, const struct shard_request *request);
void shard_batch_add(struct shard *shard, enum entry_kind kind, uint64_t seed, struct span payload);
uint64_t shard_next_index(const struct shard *shard);

/* What was tried as a read becomes a write that waits to be issued. */
void shard_write_after_all(struct shard *shard, struct pending_read *read);
struct client_note *shard_note_of(struct shard *shard, struct shard_client client);

/* time.c */
void shard_set_now(struct shard *shard, struct shard_time now); /* never goes back */
void shard_read_clock(struct shard *shard);
struct command_clock *shard_wall(struct shard *shard); /* for TIME */
int64_t shard_entry_time(struct shard *shard);         /* of an entry that is appended now */
void shard_stamp(const struct shard *shard, struct raft_message *message);
void shard_note_vote(struct shard *shard, const struct raft_message *message);  /* before a step */
void shard_note_times(struct shard *shard, const struct raft_message *message); /* after it */
void shard_lead_clock(struct shard *shard);
void shard_steer_clock(struct shard *shard);

/* expiry.c */
void shard_propose_expiry(struct shard *shard);
void shard_propose_expiry_now(struct shard *shard);      /* if there is room for one more */
uint64_t shard_expiry_due_ms(const struct shard *shard); /* UINT64_MAX: nothing is to come */
/* A read that is confirmed: the time to judge it by. False: it has to wait until an entry is
 * applied, by whose time what it would see expired is expired for everybody and for ever. */
bool shard_judge_read(struct shard *shard, struct pending_read *read, int64_t *now_ms);

/* ahead.c: of the next KEYSPACE_AHEAD_MAX reads, from this position on, or entries from this index
 * on; to be called once for so many. What it finds out is valid until shard_end_ahead(), which
 * comes before anything happens to the log, the queue of reads or the machine but that they are
 * carried out. */
void shard_look_ahead_reads(struct shard *shard, size_t position);
void shard_look_ahead_entries(struct shard *shard, uint64_t index, uint64_t last);
/* NULL: it is not among them. */
const struct entry *shard_entry_ahead(const struct shard *shard, uint64_t index);
/* Where the first key of that entry or read is looked up; NULL: nobody has worked it out. */
const struct keyspace_place *shard_place_ahead(const struct shard *shard, uint64_t number);
void shard_end_ahead(struct shard *shard);

/* apply.c */
void shard_apply_committed(struct shard *shard);
void shard_answer_reads(struct shard *shard);

/* Carries a read out, but PENDING_TRY; it is done then. `place`: where its first argument is looked
 * up, or NULL. */
void shard_answer_read(struct shard *shard, struct pending_read *read, int64_t now_ms,
                       const struct keyspace_place *place);
bool shard_turn_is_over(const struct shard *shard); /* what is left comes in the next ones */

/* held.c */
/* True: the read, which could be answered now, is held, and done for its queue. */
bool shard_holds_read(struct shard *shard, struct pending_read *read);
void shard_answer_held(struct shard *shard);
void shard_judge_held_anew(struct shard *shard); /* in another office */
bool shard_has_held(struct shard *shard, struct shard_client client);
void shard_free_held(struct shard *shard, struct client_note *note);

/* busy.c: before something of so many bytes is done in one piece, and when it is over */
void shard_announce(struct shard *shard, size_t bytes);
/* The same while an entry or a read is being carried out: the core hears of it afterwards, by
 * shard_note_announced(), for a step may move what is being worked on. */
void shard_announce_amid(struct shard *shard, size_t bytes);
void shard_note_announced(struct shard *shard);
void shard_announce_end(struct shard *shard);

/* check.c */
/* true: the message is dealt with by this. */
bool shard_follows_term(struct shard *shard, const struct raft_message *message);
const char *shard_message_refusal(struct shard *shard, const struct wire_message *message);
/* What every message says of where it comes from and goes to. */
struct shard_ends {
    struct span cluster_id;
    uint32_t shard;
    uint64_t from;
    uint64_t to;
};
/* It is for another node, or says that it is of another than `from`. */
bool shard_is_foreign(struct shard *shard, const struct shard_peer *from,
                      const struct shard_ends *ends);

/* handover.c */
MUST_CHECK enum err shard_take_handover(struct shard *shard, const struct shard_peer *from,
                                        const struct span *args, size_t argc);

/* drive.c */
void shard_step_batch(struct shard *shard);
struct raft_chunk shard_step(struct shard *shard, const struct raft_event *event,
                             const struct entry *entries, size_t entry_count);

/* snapshot.c */
void shard_consider_snapshot(struct shard *shard);
void shard_free_replaced(struct shard *shard); /* some of it */
void shard_begin_snapshot(struct shard *shard);
void shard_take_image_if_due(struct shard *shard);
void shard_forget_cut(struct shard *shard, uint64_t last_index);
void shard_image_completed(struct shard *shard, const struct disk_completion *completion);
void shard_produce_image(struct shard *shard);
void shard_close_image(struct shard *shard);
void shard_drop_image(struct shard *shard);
/* Before the entry is applied. False: what it may change is to be written first, and is not all
 * written in this turn. */
bool shard_prepare_image(struct shard *shard, const struct entry *entry);
uint64_t
shard_image_due_ms(const struct shard *shard); /* when it wants to go on; UINT64_MAX: it waits */
void shard_receive_chunk(struct shard *shard, const struct raft_chunk *chunk, struct span bytes);
void shard_install(struct shard *shard, const struct raft_snapshot *snapshot);

/* fresh.c */
void shard_note_leader(struct shard *shard, const struct raft_message *message);
void shard_note_majority(struct shard *shard);

/* health.c */
void shard_consider_health(struct shard *shard);
bool shard_has_stopped(const struct shard *shard);

/* issue.c */
bool shard_may_propose(const struct shard *shard);
bool shard_may_hold(const struct shard *shard); /* until it can be issued */
/* When the leader that this node follows is none any more, if it says nothing until then. */
uint64_t shard_silent_ms(const struct shard *shard);
void shard_note_proposed(struct shard *shard, struct pending_write *write);
void shard_note_answered(struct shard *shard, struct pending_write *write);
uint32_t shard_propose(struct shard *shard, const struct machine_request *request,
                       const struct entry_origin *origin, const char **error);
void shard_lose_office(struct shard *shard); /* before the step's effects reach the log */
void shard_note_office(struct shard *shard); /* after them */
void shard_issue_held(struct shard *shard);
bool shard_has_more_to_issue(const struct shard *shard); /* at once */
uint64_t shard_issue_due_ms(const struct shard *shard);
void shard_forget_issued(struct shard *shard); /* a snapshot was installed */

/* session.c */
void shard_session_secret(struct shard *shard); /* draws it */
struct session_terms shard_offer_session(struct shard *shard);
/* Why this ENTRY_SESSION must not be appended: the disk is full. NULL: it may. */
const char *shard_session_refusal(const struct shard *shard, struct span payload);

/* goal.c */
void shard_renew_goal(struct shard *shard);                    /* with the reads */
void shard_refuse_goal(struct shard *shard, uint64_t context); /* rounds up to this one */

/* answer.c */
void shard_write_error(struct shard *shard, struct shard_client client, const char *text);
void shard_write_refusal(struct shard *shard, struct shard_client client, struct span text);
void shard_answer_unknown(struct shard *shard, const struct pending_write *write, const char *text);
void shard_refuse_read(struct shard *shard, struct pending_read *read);
void shard_refuse_reads(struct shard *shard, uint64_t arrival); /* up to that one */

#endif
