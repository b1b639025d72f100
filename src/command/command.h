/* The table of all commands: one row feeds dispatch, arity, keys, COMMAND, ACL categories, docs and
 * tests.
 *
 * Data commands (run != NULL) depend only on the databases: the same call on equal databases gives
 * equal databases and equal replies. All other commands (run == NULL) concern a connection or the
 * server. The server ring runs them and finds them by id. */
#ifndef FLOTILLA_COMMAND_COMMAND_H
#define FLOTILLA_COMMAND_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/prng.h"
#include "base/span.h"
#include "keyspace/databases.h"
#include "resp/write.h"

enum command_flag {
    COMMAND_WRITE = 1 << 0,
    COMMAND_READONLY = 1 << 1,
    COMMAND_DENYOOM = 1 << 2,
    COMMAND_ADMIN = 1 << 3,
    COMMAND_NOSCRIPT = 1 << 4,
    COMMAND_BLOCKING = 1 << 5,
    COMMAND_LOADING = 1 << 6,
    COMMAND_STALE = 1 << 7,
    COMMAND_FAST = 1 << 8,
    COMMAND_NO_AUTH = 1 << 9,
    COMMAND_NO_MULTI = 1 << 10, /* not allowed inside MULTI */
    COMMAND_MOVABLE_KEYS = 1 << 11,
    COMMAND_ASKING = 1 << 12,
    COMMAND_SKIP_MONITOR = 1 << 13,
    COMMAND_SKIP_SLOWLOG = 1 << 14,
    COMMAND_ALLOW_BUSY = 1 << 15,
    COMMAND_NO_ASYNC_LOADING = 1 << 16,
    COMMAND_PUBSUB = 1 << 17,
    COMMAND_MAY_REPLICATE = 1 << 18,
    COMMAND_PROTECTED =
        1 << 19, /* must be enabled by a directive of the configuration; not shown, as in Redis */
    /* The flags from here on are Flotilla's own and not shown. */
    COMMAND_VALUE_REPLY = 1 << 20,     /* the reply may be as long as the keys' values */
    COMMAND_FREES = 1 << 22,           /* runs even when memory or the disk is full */
    COMMAND_FREES_IF_PAST = 1 << 23,   /* the same if the deadline that it sets has passed */
    COMMAND_SHOWS_CLUSTERS = 1 << 24,  /* only a client says it that can follow redirects */
    COMMAND_OF_NODE = 1 << 25,         /* the reply depends on the node, not on the data alone */
    COMMAND_LENGTHENS = 1 << 21,       /* may make a value much longer than the command itself */
    COMMAND_SINCE_TYPES = 1 << 26,     /* nodes that know only strings do not know it */
    COMMAND_SINCE_DATABASES = 1 << 27, /* nodes that know only database 0 do not know it */
};

/* Commands that only read are refused in a transaction whose commands cost more before. */
enum { COMMAND_WORK_MAX = 40 * 1000 * 1000 };

/* A clock that the caller has read. Each look at it advances it, so that none sees what another
 * saw. */
struct command_clock {
    int64_t ms;
    unsigned us; /* of the millisecond */
    bool stands; /* no look advances it: all nodes tell the same */
};

/* The input and output of a data command. */
struct command_context {
    struct databases *databases;
    struct keyspace *keyspace;  /* the selected one of them: command_select() */
    unsigned database;          /* its number */
    bool knows_one_database;    /* the entry may be of a node that knew only database 0 */
    int64_t now_ms;             /* the entry's time; for a read the group's time */
    struct command_clock *wall; /* only for TIME; NULL: nobody reads its reply */
    bool reads;                 /* a read, so that nothing may change */
    uint64_t revision;          /* the entry's index; unused by reads */
    struct prng *prng;          /* seeded by the entry; for a read by the node */
    struct resp_writer *reply;
    size_t replies_max; /* bytes, after which commands of a transaction get no reply; 0: none */
    size_t replies;     /* out: bytes so far */
    uint64_t work;      /* out: what the commands cost so far, in steps of about a nanosecond */
    uint64_t dirty;     /* out: number of changes as Redis counts them */
    uint64_t hits;      /* out: for keyspace_hits and keyspace_misses of INFO */
    uint64_t misses;
};

void command_select(struct command_context *context, unsigned database);

struct command;
typedef void command_run(struct command_context *context, const struct span *args, size_t argc);

/* The form of a command that enters the log. Zero-initialised is empty. */
struct command_rewritten {
    struct span args[10]; /* into the original arguments or into text */
    size_t argc;          /* 0: log the original command */
    size_t before;        /* so many of the original's first arguments stay before these */
    size_t after;         /* and so many of its last ones behind them */
    char text[64];
};

/* Makes relative times absolute. Leaves arguments alone that the command would refuse, so that the
 * command itself replies with the error. */
typedef void command_rewrite(const struct span *args, size_t argc, int64_t now_ms,
                             struct command_rewritten *out);

/* All arguments of the form that enters the log. *argc is the original's number before, and theirs
 * after the call. They may be in memory of their own: free *memory afterwards. */
const struct span *command_logged_args(const struct command_rewritten *rewritten,
                                       const struct span *original, size_t *argc,
                                       struct span **memory);

/* What Redis 7.0 loads from the log for a command that it does not know, or one of whose options it
 * does not know (see machine/logged.h). Zero-initialised: it knows the command as it is. */
struct command_stand_in {
    enum {
        STAND_IN_NONE,
        STAND_IN_BEHIND,  /* behind the command, which Redis skips */
        STAND_IN_INSTEAD, /* in the command's place: it does the same here */
    } place;
    struct span *args; /* into the original arguments, text or payload */
    size_t argc;       /* 0: nothing changes that Redis 7.0 can hold */
    size_t cap;
    char text[64];
    struct buf payload;
};

/* Fills in an empty stand-in. The arguments are those that enter the log, at now_ms of entry time.
 * What the command would refuse has none, or one without arguments. */
typedef void command_stock(const struct span *args, size_t argc, int64_t now_ms,
                           struct command_stand_in *out);

/* Finds the keys, as command_keys() returns them. */
typedef size_t command_get_keys(const struct span *args, size_t argc, size_t *positions,
                                size_t max);

/* About how many bytes the command works on in one piece, beyond its own arguments: who runs it can
 * tell others that it will be busy. Cheap; only a guess. */
typedef size_t command_work(const struct keyspace *keyspace, const struct span *args, size_t argc);

/* Of a command that writes and replies with elements of values: about how many bytes that is by
 * what is applied now, rather more than less. */
typedef size_t command_reply(const struct keyspace *keyspace, const struct span *args, size_t argc);

/* Of a command that may wait for its keys. Its `run` never waits: where it finds nothing it replies
 * with null, as it does within a transaction. */
struct command_wait {
    bool waits;          /* this call does, if it finds nothing */
    uint64_t timeout_ms; /* 0: for ever */
};
struct command_blocking {
    enum value_type type; /* of the values that it waits for */
    /* False: an argument is wrong, and the error was written. */
    bool (*parse)(const struct span *args, size_t argc, struct command_wait *wait,
                  struct resp_writer *reply);
    /* Those who take from the same stream without taking from each other. NULL: nobody does. */
    struct span (*group)(const struct span *args, size_t argc);
    /* How many such calls would find something at this key. */
    size_t (*ready)(const struct keyspace *keyspace, const struct span *args, size_t argc,
                    struct span key, int64_t now_ms);
    /* Whether the call has to run once before it waits, because it would reply with an error or
     * change something. */
    bool (*runs_first)(const struct keyspace *keyspace, const struct span *args, size_t argc,
                       int64_t now_ms);
    /* Writes the command as it is to wait, if arguments mean something else later (XREAD's $).
     * NULL: none does. */
    void (*settle)(const struct keyspace *keyspace, const struct span *args, size_t argc,
                   int64_t now_ms, struct buf *text);
    size_t keys_max; /* only the first of its keys are waited for; 0: all of them are */
};

/* Of a command that writes: its calls that only read, by their arguments alone (SORT without
 * STORE). They are asked and answered as reads. One that is in the log all the same, because an
 * older node appended it, is carried out by the command's own `run`. */
struct command_reading {
    /* May say no of a call that only reads, never yes of one that writes. */
    bool (*is)(const struct span *args, size_t argc);
    command_run *run; /* the same reply; leaves also alone what has expired */
};

/* Of a command that writes: whether this call would change nothing, by the data as they are. If so,
 * writes its reply, unless the writer has nowhere to write to. Never changes anything; may say no
 * of a call that would change nothing. The caller has checked the arity. */
typedef bool command_idle(struct command_context *context, const struct span *args, size_t argc);

struct command_key_spec {
    int first; /* position of the first key; 0: no keys */
    int last;  /* negative: counted from the end */
    int step;
};

struct command {
    const char *name;     /* lower case; for a subcommand only its own part ("list") */
    const char *fullname; /* "client|list" for a subcommand, otherwise the name */
    int arity;            /* as in Redis: negative means "at least" */
    uint32_t flags;
    struct command_key_spec keys;
    /* For commands whose arguments say which are keys; NULL: use `keys`. */
    command_get_keys *get_keys;
    command_run *run;
    command_rewrite *rewrite;
    command_stock *stock;                    /* NULL: Redis 7.0 knows all of it */
    command_work *work;                      /* NULL: few */
    command_reply *reply;                    /* NULL: it does not say */
    const struct command_blocking *blocking; /* NULL: it never waits */
    const struct command_reading *reading;   /* NULL: all of its calls do what its flags say */
    command_idle *idle;                      /* NULL: it does not say */
    uint16_t id;          /* dense, stable within a process: the position in command_table_at() */
    uint16_t subcommands; /* number of subcommands of a container; their ids follow its own */
    const struct command *parent;
    /* Group, since, summary, complexity, syntax, ACL categories and key-spec flags. Private to
     * command/. */
    const struct command_docs *docs;
};

void command_stand_in_close(struct command_stand_in *stand_in);

/* Builds the derived parts of the table once per process. Call it before any other function, from
 * one thread. The caller owns the table and passes it to its users, because the core has no
 * globals. */
struct command_table;
struct command_table *command_table_new(void);
/* The few that a Sentinel understands, and its own (sentinel, subscribe and their like). */
struct command_table *command_table_new_sentinel(void);
void command_table_free(struct command_table *table);
size_t command_table_count(const struct command_table *table); /* including subcommands */
const struct command *command_table_at(const struct command_table *table, size_t id);

/* Finds the command for these arguments (argc >= 1), or the subcommand of a container. NULL if
 * unknown; command_write_unknown() then writes Redis' error. Costs one hash look-up. */
const struct command *command_find(const struct command_table *table, const struct span *args,
                                   size_t argc);
void command_write_unknown(const struct command_table *table, const struct span *args, size_t argc,
                           struct resp_writer *reply);
bool command_arity_is_valid(const struct command *command, size_t argc);
void command_write_arity_error(const struct command *command, struct resp_writer *reply);

/* Whether this call may change the data. Nothing else decides what enters the log. */
bool command_writes(const struct command *command, const struct span *args, size_t argc);

/* Whether a node that knows only strings, and no more arguments than a million, would not do the
 * same with this write. */
bool command_needs_types(const struct command *command, const struct span *args, size_t argc);
/* Whether a node that knows only database 0 would not do the same with this, even there. */
bool command_needs_databases(const struct command *command, const struct span *args, size_t argc);

/* The argument of SELECT, where there are `max` databases. False: the error was written. */
bool command_parse_select(struct span text, unsigned max, unsigned *database,
                          struct resp_writer *reply);

/* Whether the call, which has keys, also reads some that its arguments do not name. */
bool command_reads_unnamed(const struct command *command, const struct span *args, size_t argc);

/* Stores the positions of the keys in args, up to max; returns their number, which may exceed
 * max. */
size_t command_keys(const struct command *command, const struct span *args, size_t argc,
                    size_t *positions, size_t max);

/* COMMAND and its subcommands. They need only the table. */
void command_run_command(const struct command_table *table, const struct command *command,
                         const struct span *args, size_t argc, struct resp_writer *reply);

/* HELP of a container: its subcommands with their arguments and summaries. */
void command_write_help(const struct command_table *table, const struct command *container,
                        struct resp_writer *reply);

/* Redis' glob patterns (KEYS, SCAN MATCH, CONFIG GET). */
bool command_glob(struct span pattern, struct span text, bool nocase);
/* The same for many texts within a bound of work, because the work for one text can be pattern
 * times text. One byte of the pattern is looked at for each byte of a text at no charge; *left is
 * lowered by the others. If it is 0 afterwards, the result means nothing. */
bool command_glob_within(struct span pattern, struct span text, bool nocase, uint64_t *left);

#endif
