/* The simulator: whole clusters in one process under virtual time, from one seed.
 *
 * Each node is the archive that the server ships (core, wire codec, log and recovery, keyspace,
 * sessions of clients) on a disk, a network and clocks of the simulator's. After every event that a
 * node handled the checks of check.c are made. The same seed gives the same run, to the byte. */
#ifndef FLOTILLA_TESTS_SIM_H
#define FLOTILLA_TESTS_SIM_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/prng.h"
#include "shard/shard.h"
#include "sim/linear.h"

enum {
    SIM_NODES_MAX = 7,
    SIM_LEADER_WAIT_MS = 1000,
    SIM_CLIENTS_MAX = 32,
    SIM_KEYS = 8,
    SIM_NAME = 16, /* room for the name of a key */
    SIM_ACCOUNTS = 3,
    SIM_SCRATCHES = 3,
    SIM_NUMBERED_MAX = 3,   /* commands of a session under way */
    SIM_IDS_PER_LIFE = 100, /* a wiped disk is a new node: position p has the ids p + 1 + 100 n */
    SIM_ELECTION_MS = 300,
    SIM_DIGEST_MS = 500,
    SIM_TOLD_KEPT = 32,       /* messages that a liar may repeat */
    SIM_THINK_US_MAX = 20000, /* of a client, between an answer and its next request */
};

struct sim;
struct sim_node;

/* ---- disk.c: what a node keeps when its process ends ---- */

/* What a write that is not synced has overwritten. */
struct sim_old {
    size_t offset;
    struct buf bytes;
};

struct sim_file {
    char path[128];
    struct buf bytes;
    size_t synced;       /* up to here a power loss cannot take away more than `old` has */
    struct sim_old *old; /* oldest first */
    size_t old_count;
    bool used;
    bool removed; /* which a power loss undoes, until the folder is synced */
    bool named;   /* the folder was synced since it was made */
};

struct sim_piece {
    struct buf bytes;
    bool ends;
    bool keep;
};

struct sim_disk {
    struct sim *sim;
    int node;               /* position */
    struct sim_file *files; /* handles are positions */
    int file_count;
    struct disk_op *pending; /* queued by the node, not yet carried out */
    size_t pending_count;
    size_t pending_cap;
    char image[128];          /* being written, empty: none */
    struct sim_piece *pieces; /* of it, not yet carried out */
    size_t piece_count;
    enum err image_failed;
    uint64_t group_starts_us; /* the sync that is to come begins then */
    uint64_t busy_until_us;
    uint64_t full_until_us;
    uint32_t incarnation; /* completions of an ended process are dropped */
};

void sim_disk_port(struct sim_disk *disk, struct disk *port);
struct disk_completion sim_disk_complete(struct sim_disk *disk); /* the first pending operation */
struct disk_completion sim_disk_image_done(struct sim_disk *disk);
/* The process ends: of the pending operations a random number is carried out, the next one in part.
 * A power loss also takes any of the sectors that were not synced, and names and removals. */
void sim_disk_crash(struct sim_disk *disk, bool power_loss);
void sim_disk_close(struct sim_disk *disk);
/* rot.c: a bit of what must be there changes, bytes of it vanish, or its end does; false: there is
 * nothing of which that could be said. */
bool sim_disk_rot(struct sim_disk *disk);
void sim_selects_rot(struct sim *sim);

/* ---- events ---- */

enum sim_event_type {
    SIM_TIMER,
    SIM_MESSAGE,
    SIM_DISK_DONE,
    SIM_IMAGE_DONE,
    SIM_CLIENT,
    SIM_CRASH,
    SIM_RESTART,
    SIM_FAULT,
    SIM_OPERATOR, /* somebody changes the membership */
    SIM_MEET,     /* connections are made */
};

struct sim_event {
    uint64_t at_us;
    uint64_t sequence;
    enum sim_event_type type;
    int node; /* or client */
    uint32_t incarnation;
    uint64_t from; /* id */
    uint64_t from_folder;
    uint32_t connection; /* of a message: lost if it was reset since */
    bool waited;         /* for a process that was stopped: the receiver's or the sender's */
    struct buf bytes;
};

/* ---- rates and faults of one run ---- */

struct sim_profile {
    int nodes;  /* positions */
    int voters; /* the first ones begin the group */
    int clients;
    uint32_t delay_us_min;
    uint32_t delay_us_max;
    double drop; /* probability per message */
    double duplicate;
    double slow; /* probability of a delay of up to slow_us: reorders */
    uint32_t slow_us;
    double crash_per_second;  /* of any node */
    double power_loss;        /* share of crashes that lose unsynced data */
    double step_crash;        /* probability per operation of a disk that is no append */
    double cut_per_second;    /* partitions of a random kind */
    double resets_per_second; /* connections: what is under way on them is lost */
    double flaps_per_second;  /* links begin to come and go */
    uint32_t sync_us_max;
    double disk_error;       /* probability per operation that it fails: the process ends */
    double stall_per_second; /* a disk that takes up to two seconds for one sync */
    double full_per_second;  /* a disk has no room for up to four seconds */
    int64_t wall_jump_ms;    /* clocks of nodes differ by up to this, and jump */
    int32_t
        clock_ppm_max; /* rates of the monotonic clocks differ from the true one by up to this */
    bool pause;        /* processes stop and go on */
    double stale_turn; /* share of pauses after which a turn goes on by the clock of before */
    double read_pause; /* probability that a process stops when it reads its clock */
    double numbered;   /* share of what clients ask that is numbered in a session */
    double changes_per_second; /* of the membership, and transfers */
    uint32_t voters_target;    /* what spares are promoted to */
    double wipes_per_second;   /* a disk is lost for good; its node joins as a new one */
    double losses_per_second;  /* disks are lost; their nodes come back under their old ids */
    bool losses_at_start;      /* before anybody has led */
    bool majority_lost;        /* once, more disks than the group can stand */
    uint32_t lease_drift_percent;
    bool rot; /* some of the lost disks have a bit that changed, which the node notices */
    uint64_t cache_bytes_max;
    uint32_t apply_entries_max;
    uint64_t segment_bytes_max;
    uint64_t fill_bytes;
    uint64_t snapshot_log_bytes; /* 0: no snapshots */
    uint64_t snapshot_keep_bytes;
    uint64_t snapshot_bytes_per_s;
    uint32_t snapshot_chunk_bytes;
    double lies;   /* share of one node's messages that are lies; 0: nobody lies */
    int liar;      /* its position */
    bool calm;     /* nothing goes wrong: one leader, and fast */
    int old_nodes; /* the first ones begin with an older version; 0: the group has agreed on the
                      newest */
    uint32_t old_version; /* which; 0: the oldest */
};

/* What a process knows of the other end of a connection. */
struct sim_meeting {
    uint64_t folder;
    uint32_t life;
    uint32_t other_life;
    uint64_t connection;
};

struct sim_node {
    struct sim *sim;
    int position;
    uint64_t id;
    uint64_t folder;  /* incarnation of what is on its disk; no two folders have the same */
    uint32_t version; /* that its program speaks */
    struct sim_meeting met[SIM_NODES_MAX];
    bool exists; /* its disk has been used by this id */
    bool founder;
    bool up;
    bool paused;
    bool altered;      /* a fault has changed its state: it has to be found */
    bool contradicted; /* it has been: the process ends with this event */
    uint64_t local_us; /* its process is at this time, although others are not yet */
    bool stale;        /* its turn began at stale_us and goes by that */
    uint64_t stale_us;
    bool heard;           /* a leader of its term, since it started */
    uint64_t wall_begins; /* terms that it began from wall clocks, since it started */
    bool is_void;         /* its incarnation is: it gets another one with this event */
    uint32_t incarnation;
    uint32_t starts;
    struct shard *shard;
    struct sim_disk disk;
    struct disk port;
    struct cluster cluster;
    struct log log;
    int64_t wall_offset_ms;
    int32_t clock_ppm;
    struct raft_membership membership_before; /* the last event */
    struct raft_membership membership_lost; /* with the last disk; it may be on its way to others */
    uint64_t membership_lost_us;
    uint64_t timer_us;
    uint64_t durable_seen; /* last known durable index, also while down */
    uint64_t commit_seen;
    uint64_t term_seen;
    uint64_t term_floor;                 /* a start must find at least this term on the disk */
    struct raft_hard_state vote_promise; /* the newest vote that left this node */
    uint64_t installs_seen;
    uint64_t judged_term;        /* the newest term that it led, as sim_ttl_check_begin() saw it */
    uint64_t heard_term;         /* the newest of a leader that its process has heard, or was */
    uint64_t heard_in_time_term; /* the same, by a message that waited for no stopped process */
    uint64_t led_term;           /* led it after the last event; 0: did not lead */
    uint64_t change_seen;        /* index of the newest membership */
    bool change_asked;           /* an operator did, in this event */
    uint64_t checked_index;      /* applied entries compared with the history */
    bool role_changed;
    uint64_t stale_turns; /* events since the start, for stale.c */
    uint64_t fresh_seen_ms;
    int64_t stale_seen[SIM_KEYS]; /* what READONLY clients of this process saw */
};

enum sim_op_kind {
    SIM_OP_INCR,
    SIM_OP_GET,
    SIM_OP_APPEND,
    SIM_OP_TRANSACTION,
    SIM_OP_EXPIRE,
    SIM_OP_REGISTER,
    SIM_OP_PIPELINE, /* INCR and GET of one counter, without waiting in between */
    SIM_OP_GIVE,     /* a job into a list: queue.c */
    SIM_OP_TAKE,     /* one from there, waiting for it */
    SIM_OP_VALUES,   /* a write of any type: values.c */
    SIM_OP_ACCOUNT,  /* of two databases: accounts.c */
    SIM_OP_NUMBERED, /* of a session: numbered.c */
};

enum sim_session_stage {
    SIM_SESSION_BEGINS,
    SIM_SESSION_READS, /* the counter, because the last session ended amid something */
    SIM_SESSION_RUNS,
    SIM_SESSION_REPEATS, /* a number that was answered */
};

enum sim_number_fate { SIM_NUMBER_OPEN, SIM_NUMBER_DONE, SIM_NUMBER_SKIPPED };

struct sim_numbered {
    uint64_t number;
    bool exec; /* a transaction */
    enum sim_number_fate fate;
    int64_t value; /* SIM_NUMBER_DONE: of its counter */
};

/* Of one client. */
struct sim_session {
    struct session_id id;
    bool begun;
    bool in_doubt; /* the last session ended: the counter is not known */
    bool open;     /* some of the items have no reply */
    bool says_answered;
    enum sim_session_stage stage;
    uint64_t next; /* the newest number */
    uint64_t answered;
    struct sim_numbered items[SIM_NUMBERED_MAX]; /* the newest commands */
    unsigned count;
    unsigned count_at_end; /* of commands in doubt, when the session ended */
    unsigned sent;
    unsigned which[SIM_NUMBERED_MAX]; /* items, in the order of the replies */
    uint32_t impatient;               /* the generation that it gives up */
    int64_t value;                    /* of its counter, as far as it was told */
    int64_t execs;                    /* the same of its transactions; -1: it is not known */
};

enum sim_account_op {
    SIM_ACCOUNT_ADD,
    SIM_ACCOUNT_MOVE,
    SIM_ACCOUNT_SWAP,
    SIM_ACCOUNT_TRANSFER,
    SIM_ACCOUNT_LOOK,
    SIM_ACCOUNT_COMPARE, /* WATCH, look, EXEC */
};

struct sim_asked_account {
    enum sim_account_op op;
    int number;
    int64_t amount; /* that it adds */
    int64_t floor;  /* what the account had when it was asked for */
};

struct sim_client {
    int number;
    enum sim_op_kind kind;
    bool waiting;
    uint32_t generation;
    int node;
    int key;
    uint64_t wake_us; /* it rests until then, unless it waits */
    uint64_t started_us;
    uint64_t installs; /* of its node, when it asked */
    int64_t floor;     /* highest counter value acknowledged before the operation began */
    struct buf reply;  /* all replies, one after the other */
    unsigned expected;
    unsigned got;
    uint64_t reply_index;
    int wanted_node;           /* after a redirect; -1: any */
    uint32_t operation;        /* in the history */
    uint32_t second_operation; /* of a transaction */
    enum linear_kind register_kind;
    struct machine_watch watched[2]; /* the keys are named when EXEC comes */
    bool compares;                   /* LINEAR_CAS, account.compares: EXEC is under way, not GET */
    unsigned selects;                /* within the transaction that is under way */
    unsigned database;               /* SIM_OP_GIVE, SIM_OP_TAKE */
    struct sim_asked_account account;
    uint64_t release_us; /* its reply is on the way until then: the node stopped before it left */
    bool ttl_reads;      /* SIM_OP_EXPIRE: a GET, not a SET … PX */
    bool ttl_exec;       /* within MULTI … EXEC */
    int ttl_key;
    bool tried;          /* its write, as a read: it seemed to change nothing */
    bool moves;          /* SIM_OP_TAKE: BLMOVE */
    bool takes_now;      /* SIM_OP_TAKE: LPOP or RPOP, which do not wait */
    uint64_t timeout_us; /* SIM_OP_TAKE: it waits until then */
    struct sim_session session;
};

/* Per key, what the clients know. */
struct sim_key {
    int64_t attempted;    /* increments that may have taken effect */
    int64_t acknowledged; /* highest value that an increment was answered with */
    int64_t observed;     /* highest value that any answered operation showed */
};

/* Of one account in two databases: what both together have. */
struct sim_account {
    int64_t acknowledged;
    int64_t attempted;
};

/* Of one key with times to live: ttl.c. */
struct sim_ttl {
    struct ttl_write *writes;
    size_t count;
    size_t cap;
};

struct sim_stats {
    uint64_t events;
    uint64_t messages;
    uint64_t dropped;
    uint64_t crashes;
    uint64_t clock_pauses;
    uint64_t stale_turns;
    uint64_t clock_steps;
    uint64_t cuts;
    uint64_t resets;
    uint64_t flaps;
    uint64_t elections;
    uint64_t changes;
    uint64_t transfers;
    uint64_t wipes;
    uint64_t losses;
    uint64_t majorities_lost;
    uint64_t taken_in; /* memberships that name another incarnation of an id */
    uint64_t stalls;
    uint64_t full_disks;
    uint64_t disk_errors;
    uint64_t lost_sectors;
    uint64_t rotten_bits;
    uint64_t snapshots;
    uint64_t installs;
    uint64_t virtual_ms;
    uint64_t acknowledged;
    uint64_t reads;
    uint64_t tried;             /* writes that were answered after a try as a read */
    uint64_t changed_after_all; /* of them: those that became entries */
    uint64_t unknown;
    uint64_t redirected;
    uint64_t takes;    /* commands that waited and were answered */
    uint64_t numbered; /* commands of sessions that were answered */
    uint64_t repeats;  /* of them sent again on purpose */
    uint64_t refused;
    uint64_t liars;        /* runs with one */
    uint64_t lies;         /* told */
    uint64_t lies_refused; /* and messages of those who were deceived */
    uint64_t judged;       /* operations in histories */
    uint64_t gave_up;      /* keys whose history was too hard to judge */
};

struct sim_history; /* check.c */

/* What the databases of a run are for; those behind SIM_SCRATCH belong to values.c alone. */
enum sim_role { SIM_FIRST, SIM_SECOND, SIM_LEFT, SIM_RIGHT, SIM_SCRATCH };

struct sim {
    uint64_t seed;
    struct prng prng;
    uint64_t now_us;
    uint64_t sequence;
    struct sim_event *heap;
    size_t heap_count;
    size_t heap_cap;
    struct sim_profile profile;
    struct sim_node nodes[SIM_NODES_MAX];
    bool cut[SIM_NODES_MAX][SIM_NODES_MAX];             /* [from][to] */
    uint32_t connections[SIM_NODES_MAX][SIM_NODES_MAX]; /* [from][to], counts resets */
    uint64_t arrives_us[SIM_NODES_MAX][SIM_NODES_MAX];  /* the last message from one to the other */
    int flapping[2];                                    /* the link that comes and goes */
    uint64_t flapping_until_us;
    struct sim_client clients[SIM_CLIENTS_MAX];
    struct sim_key keys[SIM_KEYS];
    unsigned databases[DATABASES_MAX]; /* by enum sim_role */
    struct sim_account accounts[SIM_ACCOUNTS];
    uint64_t folders;          /* the newest */
    uint64_t majority_lost_us; /* 0: it was not */
    struct sim_ttl ttl[SIM_CLIENTS_MAX];
    struct sim_jobs *jobs; /* queue.c */
    uint64_t no_room_us;   /* when a node's disk last took no more entries */
    uint64_t time_lost_us; /* when the group's time last went on from the wall clocks */
    uint64_t time_late_us; /* when it last went on from a leader that knew too little of it */
    bool clients_stop;
    bool faults_stop;
    struct buf told[SIM_TOLD_KEPT]; /* by the liar, the newest ones */
    uint64_t told_count;
    uint64_t lost_index; /* the last that a lost disk may have held */
    uint64_t acknowledged_goal;
    uint64_t marks; /* of all cores, enum raft_mark */
    struct command_table *table;
    struct sim_history *history;
    struct linear_history *linear;
    struct sim_stats stats;
    bool trace;
    uint64_t trace_hash;
    const char *scenario; /* for the replay command */
    jmp_buf fatal;        /* where a process that has to end goes, while fatal_expected */
    bool fatal_expected;
};

extern struct sim *sim_running; /* for host_fatal() alone */

/* ---- world.c ---- */
void sim_open(struct sim *sim, uint64_t seed, const struct sim_profile *profile, bool trace);
void sim_close(struct sim *sim);
void sim_push(struct sim *sim, struct sim_event event); /* at_us is set */
bool sim_step(struct sim *sim);                         /* handles the next event */
void sim_run_for(struct sim *sim, uint64_t us);
/* Runs until `done` holds; false after `us` without. */
bool sim_run_until(struct sim *sim, bool (*done)(struct sim *sim), uint64_t us);
void sim_trace(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void sim_fail(struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
uint64_t sim_between(struct sim *sim, uint64_t low, uint64_t high); /* both included */
bool sim_chance(struct sim *sim, double probability);

/* ---- faults.c ---- */
void sim_fault(struct sim *sim); /* ten times a second */
void sim_restart(struct sim *sim, const struct sim_event *event);
void sim_restart_later(struct sim *sim, const struct sim_node *victim);
void sim_crash_at_step(struct sim *sim, const struct sim_event *event);

/* ---- operator.c ---- */
void sim_operate(struct sim *sim); /* now and then, if the profile has changes */
const char *sim_members_text(const struct raft_membership *membership, char *text, size_t size);
/* A member whose disk is gone: it will never be heard of again. */
bool sim_is_dead(struct sim *sim, const struct raft_member *member);

/* ---- identity.c ---- */
void sim_meet(struct sim *sim);
/* The node that has this member's folder; NULL: that is gone. */
struct sim_node *sim_node_of_member(struct sim *sim, const struct raft_member *member);
/* Enough of the voters' disks are left. */
bool sim_can_decide(struct sim *sim, const struct raft_membership *membership);
/* Whether every membership that a node goes by has a majority without the victim's disk. */
bool sim_can_lose(struct sim *sim, const struct sim_node *victim);
void sim_lose_disks(struct sim *sim);    /* as many as the group can stand */
bool sim_lose_majority(struct sim *sim); /* false: not now */

bool sim_have_met(const struct sim *sim, const struct sim_node *one, const struct sim_node *other);

/* ---- versions.c ---- */
uint32_t sim_old_version(const struct sim *sim);
uint32_t sim_version_at_first(const struct sim *sim); /* of the founders' membership */
uint32_t sim_spoken(const struct sim_node *one, const struct sim_node *other);
bool sim_understand(const struct sim_node *one, const struct sim_node *other);
/* An old node is sent nothing else. */
void sim_check_readable(struct sim_node *node, const struct span *args, size_t argc);
void sim_check_version(struct sim_node *node);
void sim_draw_version(struct sim_node *node); /* before a start */
void sim_upgrade_all(struct sim *sim);
void sim_rolling_upgrade(struct sim *sim);
void sim_member_goes_back_amid_the_agreement(struct sim *sim);

/* ---- lies.c ---- */
bool sim_has_liar(const struct sim *sim); /* nothing but crashes and starts is judged */
/* A lie of this node in the place of the message; false: it tells the truth. */
bool sim_lie(struct sim *sim, const struct sim_node *from, const struct sim_node *to,
             struct span truth, struct buf *lie);
void sim_note_refusal(struct sim_node *node, uint64_t from);
void sim_end_with_liar(struct sim *sim); /* every disk opens */

/* ---- ending.c ---- */
void sim_end(struct sim *sim); /* a majority heals, then all; the last checks */

/* ---- node.c ---- */
void sim_node_alter(struct sim_node *node); /* its state, in memory, behind the log's back */
void sim_node_start(struct sim_node *node);
void sim_node_crash(struct sim_node *node, bool power_loss);
void sim_node_wipe(struct sim_node *node);      /* down; from here on it is another node */
void sim_node_lose_disk(struct sim_node *node); /* down; it comes back empty under its id */
struct sim_node *sim_node_of(struct sim *sim, uint64_t id); /* NULL: it is dead */
void sim_node_message(struct sim_node *node, const struct sim_event *event);
void sim_node_disk_done(struct sim_node *node);
void sim_node_disk_full(struct sim_node *node);
void sim_node_image_done(struct sim_node *node);
/* Starts from a disk on which something has rotted: it has to refuse. */
void sim_node_must_refuse(struct sim_node *node);
void sim_node_timer(struct sim_node *node);
void sim_node_settle(struct sim_node *node);               /* drive, timers, checks */
void sim_node_wake_in(struct sim_node *node, uint64_t us); /* to settle then */
/* What the node's turn goes by: its clock, or what that said when the turn began. */
struct shard_time sim_node_time(const struct sim_node *node);
/* The same read anew; the process may stop just before or just after that. */
struct shard_time sim_node_clock(struct sim_node *node);
void sim_node_go_on(struct sim_node *node);   /* its process was stopped */
struct sim_node *sim_leader(struct sim *sim); /* the one of the highest term; NULL */

/* ---- net.c ---- */
void sim_send(struct sim *sim, const struct sim_node *from, uint64_t to, struct span bytes);
void sim_heal(struct sim *sim);
void sim_isolate(struct sim *sim, int node);
void sim_cut_random(struct sim *sim);
void sim_reset_random(struct sim *sim);
void sim_flap(struct sim *sim, bool begins); /* ten times a second */

/* ---- places.c ---- */
void sim_draw_databases(struct sim *sim);
/* The key's database. Two numbers share a name. */
unsigned sim_place(const struct sim *sim, char letter, int number, char name[SIM_NAME]);
const struct item *sim_find(const struct sim *sim, const struct sim_node *node, char letter,
                            int number); /* NULL: it is not there */
/* All members know the database. */
bool sim_may_use(const struct sim_node *node, unsigned database);
struct shard_client sim_handle(const struct sim_client *client);
struct shard_request sim_request(const struct sim *sim, const struct sim_client *client,
                                 unsigned database, const struct span *args, size_t argc);
enum shard_admission sim_write(const struct sim *sim, struct sim_client *client,
                               const struct sim_node *node, unsigned database,
                               const struct span *args, size_t argc);
enum shard_admission sim_read(const struct sim *sim, const struct sim_client *client,
                              const struct sim_node *node, unsigned database,
                              const struct span *args, size_t argc);

/* A transaction while a client queues it. */
struct sim_exec {
    struct buf commands;
    size_t count;
    unsigned begins_in;
    unsigned database;
    unsigned highest;
    unsigned selects;
};
void sim_exec_begin(struct sim_exec *exec, unsigned database);
void sim_exec_select(struct sim_exec *exec, unsigned database); /* SELECT, if it is another one */
void sim_exec_add(struct sim_exec *exec, const struct span *args, size_t argc);
void sim_exec_watch(const struct sim_node *node, unsigned database, struct span key,
                    struct machine_watch *watch);
enum shard_admission sim_exec_submit(struct sim_exec *exec, const struct sim_client *client,
                                     const struct sim_node *node,
                                     const struct machine_watch *watches, size_t watch_count);

/* ---- accounts.c ---- */
enum shard_admission sim_account_submit(struct sim *sim, struct sim_client *client,
                                        struct sim_node *node);
/* True: the client waits for one more reply. */
bool sim_account_answered(struct sim *sim, struct sim_client *client);
void sim_account_refused(struct sim *sim, const struct sim_client *client);
void sim_check_accounts(struct sim *sim, const struct sim_node *node); /* at the end */

/* ---- client.c ---- */
/* The client goes on with another request, at the same node; false: that has ended or stopped. */
bool sim_client_goes_on(struct sim *sim, struct sim_client *client);
void sim_client_wake(struct sim *sim, int number);
void sim_clients_collect(struct sim *sim); /* replies that came during the last event */
void sim_clients_of_crashed(struct sim *sim, int node);
/* The client is told of trouble: is there any? */
void sim_check_trouble(struct sim *sim, const struct sim_client *client, struct span reply);
struct shard_host sim_client_host(struct sim_node *node);
void sim_clients_read_on(struct sim_node *node); /* those that were full may not be any more */

/* ---- numbered.c ---- */
struct session_terms sim_session_terms(void);
enum shard_admission sim_numbered_submit(struct sim *sim, struct sim_client *client,
                                         struct sim_node *node);
/* It waits for an answer no longer. False: it does. */
bool sim_numbered_gives_up(struct sim_client *client);
void sim_numbered_answered(struct sim *sim, struct sim_client *client);
void sim_check_numbered(struct sim *sim, const struct sim_node *node); /* at the end */
void sim_numbered_clients(struct sim *sim);

/* ---- queue.c ---- */
void sim_queue_open(struct sim *sim);
void sim_queue_close(struct sim *sim);
enum shard_admission sim_queue_submit(struct sim *sim, struct sim_client *client,
                                      struct sim_node *node);
void sim_queue_asked(struct sim *sim, struct sim_client *client); /* it was accepted */
void sim_queue_timeout(struct sim *sim, struct sim_client *client);
void sim_queue_answered(struct sim *sim, struct sim_client *client);
void sim_queue_failed(struct sim *sim, struct sim_client *client, bool unknown);
void sim_drain_queues(struct sim *sim);                            /* after healing */
void sim_check_jobs(struct sim *sim, const struct sim_node *node); /* at the end */

/* ---- wakes.c ---- */
void sim_check_wakes(struct sim *sim); /* after healing */

/* ---- values.c ---- */
enum shard_admission sim_values_submit(struct sim *sim, struct sim_client *client,
                                       struct sim_node *node);

/* ---- ttl.c ---- */
void sim_ttl_close(struct sim *sim);
enum shard_admission sim_ttl_submit(struct sim *sim, struct sim_client *client,
                                    struct sim_node *node);
void sim_ttl_answered(struct sim *sim, struct sim_client *client);
void sim_ttl_check_begin(struct sim_node *node); /* after each event */
void sim_ttl_check_due(struct sim *sim, const struct sim_node *leader, size_t most);

/* ---- register.c ---- */
enum shard_admission sim_register_submit(struct sim *sim, struct sim_client *client,
                                         struct sim_node *node);
/* True: the client waits for one more reply. */
bool sim_register_answered(struct sim *sim, struct sim_client *client);
uint32_t sim_history_call(struct sim *sim, const struct sim_client *client, char letter,
                          enum linear_kind kind, struct span value);
void sim_history_number(struct sim *sim, uint32_t operation, int64_t number);
struct span sim_history_text(struct sim *sim, uint32_t operation, struct span reply);
void sim_check_linear(struct sim *sim);

/* ---- check.c ---- */
struct sim_history *sim_history_new(void);
void sim_history_free(struct sim_history *history);
void sim_check_node(struct sim_node *node);
void sim_check_stale(struct sim_node *node);
void sim_check_image(struct sim_node *node); /* a snapshot is taken now */
void sim_check_rules(struct sim_node *node); /* rules.c; before membership_before moves on */
void sim_check_acknowledged(struct sim *sim, uint64_t index);
void sim_check_value(struct sim *sim, const struct sim_client *client, int64_t value);
enum sim_outcome { SIM_HAPPENED, SIM_MAY_HAVE_HAPPENED, SIM_DID_NOT_HAPPEN };
void sim_note_append(struct sim *sim, const struct sim_client *client, enum sim_outcome outcome);
uint64_t sim_committed_last(const struct sim *sim);
void sim_check_final_state(struct sim *sim); /* after healing: nothing acknowledged is missing */

/* ---- scenarios_time.c ---- */
void sim_clocks_leap(struct sim *sim);
void sim_turns_stop_under_a_lease(struct sim *sim);
void sim_expiry_keeps_up(struct sim *sim);

/* ---- scenarios.c, main.c ---- */
struct sim_node *sim_wait_for_leader(struct sim *sim);
void sim_need_acknowledged(struct sim *sim, uint64_t more); /* writes, within 20 seconds */
struct sim_scenario {
    const char *name;
    void (*run)(struct sim *sim);
    int nodes;
    uint32_t lease_drift_percent;
    bool begins_old; /* all nodes are of the oldest version */
};
const struct sim_scenario *sim_scenarios(size_t *count);
/* founding.c: how a cluster begins, in a world of its own. */
void sim_found(struct sim *sim);
/* An array of bulk strings; their number. */
size_t sim_split_bulks(const struct buf *bytes, struct span *args, size_t most);
/* seeking.c: how nodes that know only addresses found and join, in a world of its own. */
void sim_seek(struct sim *sim);
void sim_random_run(struct sim *sim);
void sim_draw_profile(uint64_t seed, struct sim_profile *profile);
struct sim_profile sim_calm_profile(int nodes);

#endif
