/* Scripted scenarios of the consensus core: bare cores, stepped by hand.
 *
 * Nothing happens by itself. The script says when time passes, which message arrives, which write
 * reaches the disk and who crashes; the driver carries out each raft_update in the order of its
 * contract and writes down what happened. tests/sim/scenarios/README.md describes the commands.
 *
 * Whatever the script expects, check.c holds every step against the rules of the paper. */
#ifndef FLOTILLA_TESTS_SIM_SCRIPT_H
#define FLOTILLA_TESTS_SIM_SCRIPT_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "raft/raft.h"

enum {
    NODES_MAX = 9,
    ENTRIES_MAX = 256,
    TERMS_MAX = 128,
    READS_MAX = 256,
    PAYLOAD_MAX = 24,
    WORDS_MAX = 32,
};

enum entry_kind { ENTRY_TEXT, ENTRY_NOOP, ENTRY_MEMBERSHIP };

struct entry {
    uint64_t term;
    enum entry_kind kind;
    char text[PAYLOAD_MAX];
    struct raft_membership membership; /* ENTRY_MEMBERSHIP */
};

/* The state after an entry is what was committed up to it, so a snapshot needs no contents; the
 * serial number tells apart what would differ in its bytes. */
struct snapshot {
    struct raft_snapshot id;
    struct raft_membership membership;
    unsigned serial;
};

/* What one memory or one disk holds. */
struct image {
    struct raft_hard_state hard_state;
    struct raft_membership first_membership; /* before any entry and any snapshot */
    struct snapshot snapshot;
    uint64_t base_index;
    uint64_t base_term;
    uint64_t last_index;
    struct entry entries[ENTRIES_MAX]; /* by index */
};

struct flight {
    struct raft_message message;
    struct entry *entries;    /* of an append */
    struct snapshot snapshot; /* that a chunk is from */
};

struct flights {
    struct flight *list; /* in the order of sending */
    size_t count;
    size_t cap;
};

/* What one update writes, and what it sends once that is durable. */
struct write {
    bool install;
    struct snapshot snapshot;
    bool truncate;
    uint64_t truncate_after;
    uint64_t first;
    struct entry *entries;
    size_t count;
    bool has_hard_state;
    struct raft_hard_state hard_state;
    struct flights messages;
};

/* Chunks that came, of one snapshot. */
struct reception {
    struct snapshot snapshot;
    uint64_t offset;
    bool complete;
};

struct node {
    uint64_t id;          /* 0: there is none */
    uint64_t incarnation; /* of its disk: 1, 2, ... */
    struct raft *raft;    /* NULL: it is down */
    struct image memory;
    struct image disk;
    struct write *writes; /* not synced, oldest first */
    size_t write_count;
    size_t write_cap;
    bool autosync;
    bool syncing;
    struct reception reception;
    uint64_t commit;
    uint64_t read_floor[READS_MAX]; /* what was committed anywhere when the read came */
    unsigned starts;
};

/* What has ever been true; check.c alone reads and writes it. */
struct history {
    struct entry committed[ENTRIES_MAX];
    uint64_t committed_last;
    uint64_t leader_of_term[TERMS_MAX];
    uint64_t vote_told[NODES_MAX + 1][TERMS_MAX];
};

struct world {
    struct node nodes[NODES_MAX + 1];       /* by id */
    bool cut[NODES_MAX + 1][NODES_MAX + 1]; /* [from][to] */
    struct flights network;
    struct raft_options options; /* of all nodes */
    uint64_t now_ms;
    uint64_t reads; /* the newest context */
    unsigned snapshots;
    struct history history;
    struct buf out;
    bool quiet;
    unsigned line_number; /* of the script */
    jmp_buf failed;
    char failure[512];
};

/* ---- main.c ---- */

extern struct world *world_current; /* whose script is running: a bug of the core ends it */

/* Ends the running script. */
_Noreturn void fail(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- file.c ---- */

struct script_result {
    bool passed;
    char
        failure[1024]; /* a broken rule, or a command that makes no sense; empty: the output only */
    struct buf text;   /* the file with the output as it is now */
};

void script_run(const char *name, struct span file, struct script_result *result);

/* ---- commands.c ---- */

struct words {
    char *at[WORDS_MAX]; /* the command's name comes first */
    size_t count;
};

void command_run(struct world *world, struct words *words);

/* ---- commands_net.c ---- */

void command_deliver(struct world *world, struct words *words);
void command_drop(struct world *world, struct words *words);
void command_duplicate(struct world *world, struct words *words);
void command_reverse(struct world *world, struct words *words);
void command_cut(struct world *world, struct words *words);
void command_heal(struct world *world, struct words *words);
void command_stabilize(struct world *world, struct words *words);
void command_flights(struct world *world, struct words *words);

/* ---- arguments.c ---- */

struct ids {
    uint64_t at[NODES_MAX];
    size_t count;
};

uint64_t number_of(struct world *world, const char *text);
/* The value of "key=value"; NULL: not given. The word is taken out. */
char *take_option(struct words *words, const char *key);
uint64_t take_number(struct world *world, struct words *words, const char *key, uint64_t otherwise);
bool take_flag(struct words *words, const char *flag);
char *take_word(struct words *words, size_t at);
bool is_number(const char *text);
struct ids ids_of(struct world *world, char *list);                               /* "1,2,3" */
struct ids nodes_of(struct world *world, const struct words *words, size_t from); /* none: all */
uint64_t node_argument(struct world *world, const struct words *words);
/* voters=, learners=, promote=, and unmet=: to be promoted, of an incarnation that nobody knows. */
struct raft_membership take_membership(struct world *world, struct words *words);

/* ---- world.c ---- */

struct world *world_new(void);
void world_free(struct world *world);
struct node *world_node(struct world *world, uint64_t id); /* fails if there is none */
struct node *world_running(struct world *world, uint64_t id);
void say(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- node.c ---- */

/* Creates it, or takes its disk away. */
void node_create(struct world *world, uint64_t id, const struct raft_membership *membership);
void node_set_log(struct node *node, const struct entry *entries, size_t count);
void node_start(struct world *world, struct node *node); /* from its disk */
/* The first writes_kept of the writes that are not synced have reached the disk nevertheless. */
void node_crash(struct world *world, struct node *node, size_t writes_kept);
void node_close(struct node *node);

/* Steps the core and carries out the update. `entries` are the contents that belong to the event.
 */
void node_step(struct world *world, struct node *node, struct raft_event event,
               const struct entry *entries, size_t count);
void node_deliver(struct world *world, struct flight *flight); /* takes it over */
/* The first `count` writes become durable together, their messages leave, then the core hears of it
 * if `report`. */
void node_sync(struct world *world, struct node *node, size_t count, bool report);
void node_snapshot(struct world *world, struct node *node, struct raft_snapshot id,
                   uint64_t base_index);
void node_install(struct world *world, struct node *node, bool intact);

/* ---- net.c ---- */

/* Which flights a command means; 0 and NULL: any. */
struct link {
    uint64_t from;
    uint64_t to;
    bool both; /* directions */
    const char *type;
};

void flights_push(struct flights *flights, struct flight flight);
void flights_close(struct flights *flights);
struct flight flight_copy(const struct flight *flight);
void flight_close(struct flight *flight);
void net_send(struct world *world, struct flight flight); /* takes it over */
/* Position of the nth flight, from 0 on, that is meant; the count of all if there is none. */
size_t net_find(const struct world *world, const struct link *link, size_t nth);
struct flight net_take(struct world *world, size_t at);
void net_reverse(struct world *world, const struct link *link);
void net_cut(struct world *world, const struct link *link, bool cut);

/* ---- print.c ---- */

const char *message_type_name(const struct raft_message *message);
void print_entry(struct buf *out, uint64_t index, const struct entry *entry);
void print_membership(struct buf *out, const struct raft_membership *membership);
void print_flight(struct world *world, const char *before, const struct flight *flight,
                  const char *after);
void print_image(struct world *world, uint64_t id, const struct image *image, uint64_t commit);
void print_status(struct world *world, const struct node *node);
void print_state(struct world *world, const struct node *node);

/* ---- check.c: what must hold whatever a script expects ---- */

/* Of one step: what was true before it. */
struct before {
    enum raft_role role;
    uint64_t term;
    struct raft_membership membership;
};

void check_step(struct world *world, struct node *node, const struct before *before,
                const struct raft_update *update);
void check_sending(struct world *world, const struct node *node,
                   const struct raft_message *message);
void check_start(struct world *world, const struct node *node);
/* An empty disk has promised nothing. */
void check_begins_empty(struct world *world, uint64_t id);
void check_chunk(struct world *world, const struct node *node, const struct raft_chunk *chunk,
                 const struct snapshot *snapshot);
/* What was committed anywhere when a read comes is the floor of its index. */
void check_read_begins(struct world *world, struct node *node, uint64_t context);

#endif
