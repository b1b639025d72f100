/* The rows of the command table and what is derived from them. Private to command/.
 *
 * A row's `syntax` describes the arguments after the name in a small language (syntax.c):
 *
 *     name            an argument; a string unless a type is given
 *     name:type       string, integer, double, pattern or unix-time
 *     name#n          a key, of the row's key spec n; name:type#n names keys in another way
 *     WORD            a literal word whose name is the same in lower case; name=WORD gives another
 *     WORD arg        an argument that comes after a literal word; 'word' if it is not of capitals
 *     name(a | b)     one of these
 *     name{a b}       all of these, in this order
 *     [arg]           may be left out
 *     arg...          once or more
 *     arg+...         the same, and the literal word before it again each time
 *     arg@version     since this version of Redis; arg!version: deprecated since
 *
 * The marks after an argument come in the order @ ! + and ... */
#ifndef FLOTILLA_COMMAND_TABLE_H
#define FLOTILLA_COMMAND_TABLE_H

#include "command/command.h"

/* What a command does to the keys of one spec. RO to RM: how it uses the value as a whole. ACCESS
 * to DELETE: how it uses the content. */
enum key_flag {
    KEY_RO = 1 << 0,
    KEY_RW = 1 << 1,
    KEY_OW = 1 << 2,
    KEY_RM = 1 << 3,
    KEY_ACCESS = 1 << 4,
    KEY_UPDATE = 1 << 5,
    KEY_INSERT = 1 << 6,
    KEY_DELETE = 1 << 7,
    KEY_VARIABLE_FLAGS = 1 << 8,
};

struct key_spec {
    unsigned flags;
    int first; /* position; 0: there is no such spec */
    int last;  /* relative to first; negative: from the end of the arguments */
    int step;
    bool counted; /* at `first` is the number of the keys, which follow; `last` means nothing */
    const char *notes;
    /* The keys come behind this word, which is sought from `first` on. One argument in `share` of
     * those up to `last` is a key. NULL: there is no such word. */
    const char *keyword;
    int share;
    bool unknown; /* more than this is not said; `first` is only not 0 */
    /* For KEY_VARIABLE_FLAGS: if the words are absent at and after a position, other flags apply.
     */
    struct {
        const char *word;
        const char *or_word; /* NULL: there is only one */
        size_t from;
        unsigned flags_without;
    } variable;
};

/* ACL categories. The column may omit those that follow from a row's flags (read, write, admin,
 * fast, slow, blocking, pubsub). */
enum category {
    CATEGORY_KEYSPACE = 1 << 0,
    CATEGORY_READ = 1 << 1,
    CATEGORY_WRITE = 1 << 2,
    CATEGORY_STRING = 1 << 3,
    CATEGORY_PUBSUB = 1 << 4,
    CATEGORY_ADMIN = 1 << 5,
    CATEGORY_FAST = 1 << 6,
    CATEGORY_SLOW = 1 << 7,
    CATEGORY_BLOCKING = 1 << 8,
    CATEGORY_DANGEROUS = 1 << 9,
    CATEGORY_CONNECTION = 1 << 10,
    CATEGORY_TRANSACTION = 1 << 11,
    CATEGORY_LIST = 1 << 18,
    CATEGORY_SORTEDSET = 1 << 19,
    CATEGORY_SET = 1 << 20,
    CATEGORY_HASH = 1 << 21,
    CATEGORY_BITMAP = 1 << 12,
    CATEGORY_HYPERLOGLOG = 1 << 13,
    CATEGORY_GEO = 1 << 14,
    CATEGORY_STREAM = 1 << 15,
};

enum { ROW_KEY_SPECS = 3 };

/* One row. Subcommands ("client|list") follow their container directly. */
struct command_docs {
    const char *fullname;
    command_run *run;
    command_rewrite *rewrite;
    command_stock *stock;
    /* With COMMAND_MOVABLE_KEYS. The first key has the flags of the first spec, the others those of
     * the last. NULL: all keys have specs. */
    command_get_keys *get_keys;
    command_work *work;
    command_reply *reply;
    const struct command_blocking *blocking; /* with COMMAND_BLOCKING */
    const struct command_reading *reading;   /* with COMMAND_WRITE */
    command_idle *idle;                      /* with COMMAND_WRITE */
    int arity;
    uint32_t flags;
    unsigned categories;
    struct key_spec keys[ROW_KEY_SPECS];
    const char *syntax; /* NULL: no arguments, or none to describe */
    const char *tips;   /* separated by spaces; NULL: none */
    const char *group;
    const char *since;
    bool internal; /* not meant for users */
    const char *deprecated_since;
    const char *replaced_by;
    const char *complexity;
    const char *history; /* lines of "version text" */
    const char *summary;
};

struct command_group {
    const struct command_docs *rows;
    size_t count;
};

extern const struct command_group command_group_connection;
extern const struct command_group command_group_server;
extern const struct command_group command_group_generic;
extern const struct command_group command_group_string;
extern const struct command_group command_group_list;
extern const struct command_group command_group_sorted_set;
extern const struct command_group command_group_set;
extern const struct command_group command_group_hash;
extern const struct command_group command_group_bitmap;
extern const struct command_group command_group_hyperloglog;
extern const struct command_group command_group_stream;
extern const struct command_group command_group_blocking;
extern const struct command_group command_group_geo;
extern const struct command_group command_group_transactions;
extern const struct command_group command_group_cluster;
extern const struct command_group command_group_sentinel;

/* A name in lower case, stored as words: comparing takes three words and the length. */
enum { FOLDED_WORDS = 3, FOLDED_BYTES = FOLDED_WORDS * 8 };
struct folded_name {
    uint64_t words[FOLDED_WORDS];
};

/* A cell of the open-addressing index over all names. The key of a subcommand includes its
 * container. */
struct command_cell {
    struct folded_name name;
    uint16_t len; /* 0: empty */
    uint16_t parent;
    uint16_t id;
};

enum { COMMAND_CELLS = 1024, COMMAND_NO_PARENT = UINT16_MAX };

struct command_table {
    struct command *commands;
    size_t count;
    struct command_cell cells[COMMAND_CELLS];
};

/* NULL if there is no such command, or no such subcommand of `parent`. */
const struct command *command_lookup(const struct command_table *table,
                                     const struct command *parent, struct span name);

/* Finds a command by its full name ("client|list"). */
const struct command *command_lookup_fullname(const struct command_table *table,
                                              struct span fullname);

/* All categories, including those that follow from the flags. */
unsigned command_categories(const struct command *command);

/* Where the keys of one spec are. */
struct key_range {
    size_t first;
    size_t end; /* behind the last; not above `first`: there are none */
    size_t step;
};
/* False: the arguments tell no valid number of keys. Behind a keyword or unknown: none. */
bool key_spec_range(const struct key_spec *spec, const struct span *args, size_t argc,
                    struct key_range *range);

/* syntax.c: the "arguments" array of COMMAND DOCS, and one line for people. */
void command_write_syntax(const char *syntax, struct resp_writer *reply);
void command_print_syntax(const char *syntax, struct buf *out);

#endif
