/* The inside of a shard; nobody but shard/ includes this.
 *
 *   submit.c       requests in: the open batch, the queues of what waits
 *   drive.c        events to the core, its effects to the disk and the peers
 *   apply.c        committed entries to the machine, replies to the clients
 *   answer.c       replies to what cannot be carried out: lost leadership
 *   busy.c         announces what takes long in one piece
 *   check.c        messages that cannot be
 *   group.c        the group itself: membership, leadership
 *   digest.c       whether the nodes' machines are equal
 *   witness.c      what each member has acknowledged, told to all
 *   fresh.c        how old the applied state may be
 *   time.c         what messages tell of time, what time entries get
 *   clock.c        the clock of the group
 *   expiry.c       what is past its deadline
 *   health.c       a disk that is full or stalls
 *   snapshot.c     snapshots, this node's own and those of a leader
 *   shard.c        start, end, accessors */
#ifndef FLOTILLA_SHARD_INTERNAL_H
#define FLOTILLA_SHARD_INTERNAL_H

#include "base/prng.h"
#include "machine/state.h"
#include "resp/parse.h"
#include "shard/clock.h"
#include "shard/digest.h"
#include "shard/queue.h"
#include "shard/shard.h"
#include "shard/witness.h"
#include "wire/message.h"

enum {
    SHARD_EXPIRIES_MAX = 72, /* expiry entries that are not applied yet */
    SHARD_TERM_STEP_MS = 10,
    SHARD_TURN_WORK = 5 * 1000 * 1000, /* of machine_stats.work: 40 MB of replies, or 5 ms */
};

#define NEXT_FLUSH UINT64_MAX

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
    bool produces;    /* not all of it is in pieces */
    bool is_void;     /* it has become useless */
    uint64_t begun_ms;
    uint64_t due_ms;        /* when there will be more of it */
    uint64_t applied_index; /* when there was last */
    uint64_t busy_ms;       /* when there was last a request */
    uint64_t changes;       /* that it holds, counted since the process began */
};

/* What is remembered of a client, by its position in the host's table. */
struct client_note {
    uint32_t generation;
    uint64_t last_write; /* index of its newest write in this leadership, 0: none */
    uint64_t held_pass;  /* of shard_answer_reads(), in which one of its reads had to wait */
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

struct shard {
    struct shard_options options;
    struct raft *raft;
    struct storage *storage;
    struct machine machine;
    struct prng prng;
    struct shard_time now;

    /* The open batch: records encoded, not yet known to the core. */
    struct buf batch;
    struct raft_entry *batch_entries;
    size_t *batch_offsets;
    size_t batch_count;
    size_t batch_cap;
    struct entry *entries; /* scratch: the batch as storage wants it */
    size_t entries_cap;

    struct shard_clock clock; /* its floor is the time of the newest entry, applied or not */
    uint64_t steer_due_ms;
    int64_t offset_ms; /* of the wall clock from it */
    bool offset_told;
    uint64_t log_bytes_pending; /* of the entries in `writes` */

    struct write_queue writes;
    struct read_queue reads;
    struct client_note *notes;
    size_t notes_cap;

    /* Read rounds: `open` collects, up to `confirmed` all may be answered
     * once applied >= confirmed_index. */
    uint64_t round_open;
    uint64_t round_confirmed;
    uint64_t round_confirmed_index;
    bool round_has_reads;
    bool round_in_flight;

    uint64_t stranded_until_ms; /* reads of a lost leadership wait for the new leader until then; 0:
                                   none */

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
    struct shard_image image;
    struct shard_freshness freshness;
    uint64_t snapshot_keys;                /* in the last one of this process; 0: none */
    uint64_t snapshot_consider_ms;         /* not before */
    struct machine_reader *incoming_state; /* what came of the leader's; NULL: none is coming */
    struct keyspace *replaced;             /* by the leader's; freed bit by bit. NULL: none */

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

/* submit.c */
void shard_batch_add(struct shard *shard, enum entry_kind kind, uint64_t seed, struct span payload);
uint64_t shard_next_index(const struct shard *shard);

struct client_note *shard_note_of(struct shard *shard, struct shard_client client);

/* time.c */
void shard_set_now(struct shard *shard, struct shard_time now); /* never goes back */
void shard_read_clock(struct shard *shard);
int64_t shard_entry_time(struct shard *shard); /* of an entry that is appended now */
void shard_stamp(const struct shard *shard, struct raft_message *message);
void shard_note_vote(struct shard *shard, const struct raft_message *message);  /* before a step */
void shard_note_times(struct shard *shard, const struct raft_message *message); /* after it */
void shard_lead_clock(struct shard *shard);
void shard_steer_clock(struct shard *shard);

/* expiry.c */
void shard_propose_expiry(struct shard *shard);
uint64_t shard_expiry_due_ms(const struct shard *shard); /* UINT64_MAX: nothing is to come */
/* A read that is confirmed: the time to judge it by. False: it has to wait until an entry is
 * applied, by whose time what it would see expired is expired for everybody and for ever. */
bool shard_judge_read(struct shard *shard, struct pending_read *read, int64_t *now_ms);

/* apply.c */
void shard_apply_committed(struct shard *shard);
void shard_apply_up_to(struct shard *shard, uint64_t index); /* which is committed */
void shard_answer_reads(struct shard *shard);

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
void shard_drop_image(struct shard *shard);
uint64_t
shard_image_due_ms(const struct shard *shard); /* when it wants to go on; UINT64_MAX: it waits */
void shard_receive_chunk(struct shard *shard, const struct raft_chunk *chunk, struct span bytes);
void shard_install(struct shard *shard, const struct raft_snapshot *snapshot);

/* fresh.c */
void shard_note_leader(struct shard *shard, const struct raft_message *message);
void shard_note_majority(struct shard *shard);

/* health.c */
void shard_consider_health(struct shard *shard);

/* answer.c */
void shard_answer_lost_leadership(struct shard *shard);
void shard_answer_stranded(struct shard *shard);
void shard_resume_stranded(struct shard *shard);

#endif
