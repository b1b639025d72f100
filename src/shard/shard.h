/* One Raft group with its log and its keyspace. Everything that belongs to the group lives here;
 * the process around it feeds events in (requests, messages, disk completions, time) and carries
 * effects out through `struct shard_host`.
 *
 * The walk of a write: shard_write() encodes the command into the open batch. Once per turn of the
 * event loop shard_drive() steps the core once for the whole batch, hands it to the disk and to the
 * peers. When a majority has it durable, it is applied and the reply is written.
 *
 * Order. Each request has a position: the log index that it must come after. A write's is its own
 * index, a read's the last index of the log when it came. A read is answered at the latest just
 * before the next entry is applied: an entry that was appended after the read arrived, and is
 * committed, proves that this node was still the leader then. Without such an entry the read waits
 * for a round to a majority that began after it arrived. Replies of a connection therefore leave in
 * the order of its requests, and a pipeline that mixes reads and writes is one batch.
 *
 * Exactly one reply (host.reply_begin … reply_end) per accepted request, also across a change of
 * role. In which order replies leave is the host's business. The host never calls back into the
 * shard from within one of its functions. */
#ifndef FLOTILLA_SHARD_SHARD_H
#define FLOTILLA_SHARD_SHARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/histogram.h"
#include "base/log.h"
#include "base/span.h"
#include "cluster/cluster.h"
#include "cluster/identity.h"
#include "command/command.h"
#include "keyspace/keyspace.h"
#include "machine/transaction.h"
#include "raft/raft.h"
#include "storage/disk.h"
#include "storage/storage.h"

struct shard;

/* A client, by position and generation in the host's table, and which of its replies is meant:
 * handles cross time, pointers do not. */
struct shard_client {
    uint32_t slot;
    uint32_t generation;
    uint32_t place;
};

/* Another node, as its connection has proved it. */
struct shard_peer {
    uint64_t node;
    uint64_t incarnation; /* of its data folder */
    uint32_t version;     /* that the connection speaks (wire/hello.h); 0: unknown */
};

/* What a shard needs from outside. None of these calls back into the shard. */
struct shard_host {
    void *context;
    /* The buffer to write one reply of this client to; NULL: the client is gone, or wants no reply.
     */
    struct buf *(*reply_begin)(void *context, struct shard_client client);
    struct resp_pieces *pieces; /* of long replies in those buffers; NULL: they stay whole */
    /* Called after each reply, also when reply_begin gave NULL. `index`: of the entry that was
     * applied, 0 if none. */
    void (*reply_end)(void *context, struct shard_client client, uint64_t index);
    /* Whether so much waits for the client to read it that its reads are held. Cheap: it is asked
     * before each. NULL: no read is held. */
    bool (*is_full)(void *context, struct shard_client client);
    /* Reads of the client are held from now on, until shard_go_on(); or none is any more. May be
     * NULL. */
    void (*held)(void *context, struct shard_client client, bool held);
    /* The client's read found nothing, and waits for its keys. May be NULL. */
    void (*waits)(void *context, struct shard_client client);
    /* Whether the client is still there. What nobody waits for is not carried out a second time. */
    bool (*is_waiting)(void *context, struct shard_client client);
    /* Why this command, of a client of any node, must not be proposed now: the error to answer.
     * NULL: it may. The function may be NULL: everything may. */
    const char *(*refusal)(void *context, const struct command *command, const struct span *args,
                           size_t argc, bool in_transaction);
    /* A command within a transaction that concerns the connection or the server: carry it out,
     * write its reply. */
    void (*run_local)(void *context, struct shard_client client, const struct command *command,
                      const struct span *args, size_t argc, struct resp_writer *reply);
    /* The clock of shard_time.mono_us, read now: a process may have stopped for any time since the
     * clock was read that a call is given. NULL: never. */
    uint64_t (*clock)(void *context);
    /* One encoded message (wire/message.h) for `to`. The bytes are the callee's to copy. A response
     * travels on the connection that brought requests from `to`, a request on the one this node
     * dialled. May be dropped. */
    void *send_context;
    void (*send)(void *send_context, uint64_t to, bool response, struct span bytes);
    /* What was sent since the last call may go out now: the disk comes after the network. May be
     * NULL. */
    void (*sent)(void *send_context);
    /* A majority of the voters has other data than this node, as `text` says: it ends the process,
     * or at least closes the shard before it asks anything more of it. No reply may leave. */
    void (*contradicted)(void *send_context, const char *text);
    /* The role, term or leader changed: parked clients may go on. Called at the end of shard
     * functions. */
    void (*role_changed)(void *context);
    /* Another membership is in force (raft_membership()), or shard_version() has risen. Called at
     * the end of shard_drive(). May be NULL. */
    void (*membership_changed)(void *send_context);
    /* The folder's incarnation stands for more than it holds: the host draws another one, stores
     * it, calls shard_set_incarnation() and closes the connections to other nodes. Called at the
     * end of shard_drive(). May be NULL. */
    void (*incarnation_is_void)(void *send_context);
    /* What is executed next, one command or more, was asked by this client, whether it is still
     * there or not; NULL: by none of this node, and `executed` does not tell of it. Not called by
     * shard_read_local(), whose caller knows. May be NULL. */
    void (*executes)(void *context, const struct shard_client *client);
    /* A command was executed for a client, and wrote `reply`, which is empty if it is long (see
     * resp_since()). May be NULL. */
    void (*executed)(void *context, const struct command *command, const struct span *args,
                     size_t argc, struct span reply);
};

struct shard_options {
    uint32_t number; /* of the shard: 0 */
    struct raft_options raft;
    struct storage_options storage;
    /* The group goes on from this entry under another cluster id, with raft.membership in place of
     * the members that the log names up to there. Read by shard_open() alone. NULL: it does not. */
    const struct cluster_predecessor *recovered;
    uint32_t version; /* the newest that this node speaks; 0: WIRE_VERSION. Tests have older ones */
    const struct cluster *cluster;     /* borrowed */
    const struct command_table *table; /* borrowed */
    struct shard_host host;
    const struct disk *disk; /* borrowed */
    const struct log *log;   /* borrowed */
    uint64_t seed;           /* of the entries' seeds */
    uint64_t hash_seed;      /* of the dictionaries' hash function */
    unsigned databases;      /* so many may be selected by clients of this node; 0: all */
    /* In which forms values are kept; borrowed. NULL: Redis' defaults. See shard_set_rules(). */
    const struct value_rules *rules;
    uint32_t digest_interval_ms; /* a leader compares the members' digests; 0: never */
    uint32_t digest_entries;     /* or after so many entries */
    uint32_t leader_wait_ms;
    struct session_terms sessions; /* see shard_set_sessions() */
    uint32_t apply_entries_max;  /* per turn of the loop, so that a long log stalls no heartbeats */
    uint64_t snapshot_log_bytes; /* log behind the newest snapshot that begins the next; 0: only
                                    when asked for */
    uint64_t snapshot_bytes_per_s; /* of a snapshot are produced while there are requests */
    uint64_t snapshot_keep_bytes;  /* of log that a snapshot covers, kept for slow followers */
    /* While shard_open() reads: how far it is. May be NULL. */
    void *progress_context;
    void (*progress)(void *context, uint64_t bytes, uint64_t total);
    uint64_t batch_bytes_max; /* of entries not yet durable on a majority: beyond it writes get
                                 ERR_BUSY */
};

/* What time it is: monotonic for the core and for entry time, wall for people and for what entry
 * time is drawn toward. */
struct shard_time {
    uint64_t mono_ms;
    int64_t wall_ms;
    uint64_t mono_us; /* the same clock as mono_ms, finer */
    unsigned wall_us; /* of the millisecond wall_ms; only TIME tells it */
};

/* Recovers the log and starts as a follower. Failures as storage_open(), with one line in
 * `message`. */
MUST_CHECK enum err shard_open(const struct shard_options *options, struct shard_time now,
                               struct shard **shard, char message[512]);
/* An orderly end: what is queued for the disk is all that will be. Before the disk is closed. */
void shard_settle(struct shard *shard);
void shard_close(struct shard *shard);

#define SHARD_IS_DISPUTED                                                                          \
    "MISCONF The nodes differ in their data and no majority says who is right: writes and "        \
    "linearizable reads are refused. See the servers' logs and INFO raft."

enum shard_admission {
    SHARD_ACCEPTED,   /* a reply will come through the host */
    SHARD_TRIED,      /* the same, and until then the client must ask nothing more */
    SHARD_NOT_LEADER, /* nothing happened: no leader is known, or none that takes forwards */
    SHARD_DISPUTED,   /* nothing happened: nodes differ in their data, see shard_is_disputed() */
    SHARD_NO_ROOM,    /* nothing happened: this node's disk is full, it does not keep up */
    SHARD_BUSY,       /* nothing happened: too much is waiting; try again after the next reply */
};

struct shard_request {
    struct shard_client client;
    int protocol; /* of the reply */
    const struct command *command;
    const struct span *args; /* copied as needed */
    size_t argc;
    unsigned database;
    struct session_number session; /* of a write; see shard_has_sessions() */
    bool alone; /* of a write: the client is owed nothing, and asks nothing more for now */
};

/* A data command that writes. A short one of a client that asks nothing else is tried as a read, if
 * it seems to change nothing (SHARD_TRIED): it is answered as one if that is so when it is carried
 * out, and only otherwise becomes an entry. */
enum shard_admission shard_write(struct shard *shard, const struct shard_request *request,
                                 struct shard_time now);

/* A request of so many bytes is arriving: what it takes to carry it out may silence this node. */
void shard_expect(struct shard *shard, size_t bytes, struct shard_time now);

/* A data command that reads, linearizably. */
enum shard_admission shard_read(struct shard *shard, const struct shard_request *request,
                                struct shard_time now);

/* Sets the goal, of which a shard has one: it is reached when everything is applied here that was
 * acknowledged to whatever client of whatever node before this call. Nobody is told: the host asks
 * for the state. Refused: nodes differ in their data. While no leader is known it waits. */
void shard_set_goal(struct shard *shard, struct shard_time now);
enum shard_goal_state { SHARD_GOAL_WAITS, SHARD_GOAL_REACHED, SHARD_GOAL_REFUSED };
enum shard_goal_state shard_goal_state(const struct shard *shard);

/* The client, whose reads are held, has read enough: they are carried out at shard_drive(), in
 * order, until host.is_full says so again. A read that is carried out later sees a later state,
 * which is as linearizable. While reads are held, no write of their client is admitted
 * (SHARD_BUSY): those before it must not see it. A read behind which a write was admitted already
 * is therefore not held. */
void shard_go_on(struct shard *shard, struct shard_client client);
/* The client has gone, or nobody wants the replies to its held reads. */
void shard_drop_held(struct shard *shard, struct shard_client client);
/* Whether values may be longer than shard_keyspace() says once what is under way is applied, by
 * more than many short commands make them. A follower does not know what is under way. */
bool shard_may_lengthen(const struct shard *shard);

/* A data command that reads this node's applied state, at once: READONLY connections. */
void shard_read_local(struct shard *shard, const struct shard_request *request,
                      struct resp_writer *reply, struct shard_time now);

/* The same for one that may wait for its keys, and is to: its reply comes through the host. */
void shard_wait_local(struct shard *shard, const struct shard_request *request,
                      struct shard_time now);

/* A command that may wait for its keys (command->blocking), and is to. Its reply comes through the
 * host when a key has something for it, or after shard_unblock(). A client has one at a time. For
 * commands that write; one that reads goes to shard_read() and waits if it finds nothing. */
enum shard_admission shard_block(struct shard *shard, const struct shard_request *request,
                                 struct shard_time now);
enum shard_unblock {
    SHARD_TIMED_OUT,            /* the client gets a null reply */
    SHARD_UNBLOCKED_WITH_ERROR, /* … an error */
    SHARD_GONE,                 /* … nothing */
};
/* The client is to wait no more. If an entry may have served it, its fate is waited for. Without
 * effect on a client that does not wait. */
void shard_unblock(struct shard *shard, struct shard_client client, enum shard_unblock why,
                   struct shard_time now);
size_t shard_blocked_count(const struct shard *shard); /* clients of this node */
/* What newer versions have brought: it is used once all members have agreed that they know it. */
enum shard_feature {
    SHARD_SESSIONS,
    SHARD_TYPES,     /* values with elements, and their commands */
    SHARD_DATABASES, /* other than 0 */
};
/* Whether they have. */
bool shard_has_sessions(const struct shard *shard);
bool shard_has_types(const struct shard *shard);
bool shard_has_databases(const struct shard *shard);
/* Whether they have, or are about to: then clients may wait for host.role_changed. Makes a node
 * that is alone agree, too. False: there are older members. */
bool shard_ask(struct shard *shard, enum shard_feature feature);

struct shard_transaction {
    struct shard_client client;
    int protocol;
    struct span commands; /* the queued commands, each as a RESP array, one after the other */
    size_t count;
    const struct machine_watch *watches;
    size_t watch_count;
    unsigned database;             /* in which it begins */
    struct session_number session; /* then all commands are data commands */
};

/* MULTI … EXEC: one entry; without a write in it, one read. The reply is EXEC's. */
enum shard_admission shard_transaction(struct shard *shard,
                                       const struct shard_transaction *transaction,
                                       struct shard_time now);

/* Begins a session, ends one, or lets one go on: SESSION_ASK, SESSION_END, SESSION_ANSWERED. The
 * reply to SESSION_ASK is a map with the id and the terms. Not admitted before all members know
 * sessions; nor are numbered writes. */
enum shard_admission shard_session(struct shard *shard, struct shard_client client, int protocol,
                                   const struct session_note *note, struct shard_time now);
/* What later sessions begin with if this node leads; the id is not looked at. */
void shard_set_sessions(struct shard *shard, const struct session_terms *terms);
/* Concerns values that change from now on. The rules are borrowed. */
void shard_set_rules(struct shard *shard, const struct value_rules *rules);

/* Everything that gathered since the last call goes to the core, the disk and the peers. Once per
 * turn. */
void shard_drive(struct shard *shard, struct shard_time now);

/* One message of a peer for this shard, as arguments; the sender is authenticated as `from`.
 * ERR_INVALID, ERR_CORRUPT, ERR_FOREIGN: no correct node sends that to this one. Nothing happened,
 * the connection should be closed, and shard_refusal() says why (a static text). */
MUST_CHECK enum err shard_message(struct shard *shard, const struct shard_peer *from,
                                  const struct span *args, size_t argc, struct shard_time now);
const char *shard_refusal(const struct shard *shard);
void shard_peer_lost(struct shard *shard, uint64_t peer, struct shard_time now);
/* The node is connected with this data folder: to be told of each connection that is made. */
void shard_peer_met(struct shard *shard, const struct shard_peer *peer, struct shard_time now);
void shard_set_incarnation(struct shard *shard, uint64_t incarnation, struct shard_time now);
/* A large message to or from the node is on its way. */
/* `busy_ms`: the node said that it may be silent for so long; 0: it is not, or no longer. */
void shard_peer_alive(struct shard *shard, uint64_t peer, uint32_t busy_ms, struct shard_time now);

/* A disk operation ended. A failed sync or write is FATAL: what is on the disk is not known any
 * more. */
void shard_disk_completed(struct shard *shard, const struct disk_completion *completion,
                          struct shard_time now);

void shard_tick(struct shard *shard, struct shard_time now);
uint64_t shard_deadline_ms(const struct shard *shard); /* when shard_tick is due (monotonic) */

/* Begins to change who belongs to the group; nothing happens if it is refused. The change is done
 * when raft_status() says so, and only then may it be reported as done. */
enum raft_refusal shard_change(struct shard *shard, const struct raft_membership *wanted,
                               struct shard_time now);

/* The version that all members speak, for ever: that is committed. Nodes that do not speak it are
 * to be refused. */
uint32_t shard_version(const struct shard *shard);
/* What the node spoke when it was met last, or this one speaks; 0: it was not met since the start.
 */
uint32_t shard_version_of(const struct shard *shard, uint64_t node);
/* Whether every member of the membership in force has been met with at least that version. */
bool shard_all_speak(const struct shard *shard, uint32_t version);
/* Whether this node has the leader carry out what its clients ask, and carries out what other
 * nodes' clients ask. */
bool shard_forwards(const struct shard *shard);
/* Whether it does or is about to, so that a client may wait for it. */
bool shard_will_forward(const struct shard *shard);

/* The same, also if it is refused because too few of the new voters answer
 * (RAFT_CHANGE_OUT_OF_REACH): the group stops until they are back. */
enum raft_refusal shard_force_change(struct shard *shard, const struct raft_membership *wanted,
                                     struct shard_time now);

/* How many voters a leader makes of spares (raft_options.voters_target). */
void shard_set_voters_target(struct shard *shard, uint32_t target);

/* Hands leadership over to `node`, 0: to whom is nearest. Meanwhile new writes are not admitted. */
void shard_transfer(struct shard *shard, uint64_t node, struct shard_time now);

/* Asks the leader to hand over to this node. The leader does if it can: nothing says that it does
 * not. False: this node does not follow a leader, or has no vote. */
bool shard_ask_to_lead(struct shard *shard);

/* Begins a snapshot of this node; if one is being made, the next one begins behind it. */
void shard_snapshot(struct shard *shard, struct shard_time now);
bool shard_snapshot_goes_on(const struct shard *shard);

/* Whether the disk takes more entries. A leader that lacks room hands leadership to a node that has
 * some. */
bool shard_has_room(const struct shard *shard);
/* Whether entries that free room (expiry, deletions) may be appended: up to half of the reserve is
 * theirs. */
bool shard_has_room_to_free(const struct shard *shard);
/* A leader that lacks room and has nobody to hand over to just now: writes are not to be submitted.
 */
bool shard_refuses_writes(const struct shard *shard);
bool shard_refuses_to_free(const struct shard *shard); /* not even what deletes */

/* Nodes differ in their data and no majority says who is right. */
bool shard_is_disputed(const struct shard *shard);

const struct raft *shard_raft(const struct shard *shard);
/* A database's; the databases. They change with shard_drive(). */
const struct keyspace *shard_keyspace(const struct shard *shard, unsigned database);
const struct databases *shard_databases(const struct shard *shard);
const struct storage *shard_storage(const struct shard *shard);
/* Node id; 0: none known, or this node is just handing its leadership over. */
uint64_t shard_leader(const struct shard *shard);
bool shard_is_leader(const struct shard *shard);
/* When (monotonic) all that was committed then is applied here; 0: never since the start. It does
 * not go back. */
uint64_t shard_fresh_ms(struct shard *shard);
uint64_t shard_applied_index(const struct shard *shard);
int64_t shard_clock_ms(const struct shard *shard); /* time of the last applied entry */
/* The group's time as far as this node knows (clock.h): by it keys expire, not by wall clocks. */
int64_t shard_now_ms(const struct shard *shard, struct shard_time now);
uint64_t shard_digest(const struct shard *shard); /* of the applied state */
/* So many nodes hold the entry durably, at least. A follower knows more after it has asked the
 * leader, which shard_want_holders() has it do at the next shard_drive(). */
size_t shard_holders(const struct shard *shard, uint64_t index);
void shard_want_holders(struct shard *shard);
void shard_set_sync(struct shard *shard, enum storage_sync sync);
void shard_set_leader_wait(struct shard *shard, uint32_t leader_wait_ms);

struct shard_stats {
    uint64_t writes;      /* entries proposed for clients */
    uint64_t reads;       /* linearizable reads */
    uint64_t read_rounds; /* confirmations sent */
    uint64_t expired_keys;
    uint64_t keyspace_hits;
    uint64_t keyspace_misses;
    uint64_t dirty; /* changes applied that no snapshot holds */
    uint64_t pending_writes;
    uint64_t pending_reads;
    /* Until their clients have read more; not counted among the pending ones. */
    uint64_t held_reads;
    uint64_t snapshots; /* of this node's own */
    uint64_t snapshots_failed;
    uint64_t snapshot_ms;              /* duration of the last one */
    int64_t snapshot_wall_ms;          /* it vouches for all until then; 0: none since start */
    bool snapshot_failed;              /* the last one */
    enum err snapshot_err;             /* why; ERR_NONE: others took its place */
    uint64_t installs;                 /* of a leader's snapshot */
    uint64_t digests_compared;         /* with other nodes' */
    uint64_t digest_index;             /* newest entry at which one was equal */
    uint64_t unknown_outcomes;         /* writes answered with -UNKNOWN */
    uint64_t forwarded;                /* writes that a leader was asked to carry out */
    uint64_t reissued;                 /* writes that a change of leader had undone */
    uint64_t sessions;                 /* of clients */
    uint64_t session_bytes;            /* of replies that are kept for them */
    uint64_t session_repeats;          /* numbered writes that were not carried out again */
    uint64_t clock_begun_from_wall;    /* terms of this node that no voter's time began */
    const struct histogram *commit_us; /* from the batch being driven to its commit, in microseconds
                                          of the loop's clock */
};
struct shard_stats shard_stats(const struct shard *shard);
/* Bytes that the group takes besides its data: the log's cache and positions, the open batch,
 * messages and snapshots under way. */
uint64_t shard_memory(const struct shard *shard);

#endif
