/* What SCAN, HSCAN, SSCAN, ZSCAN and KEYS share: cursors, options, and gathering what passes the
 * pattern, because its number stands before it in the reply. Private to command/. */
#ifndef FLOTILLA_COMMAND_GATHER_H
#define FLOTILLA_COMMAND_GATHER_H

#include "command/command.h"

struct gathering {
    struct command_context *context;
    struct span pattern;
    bool matches_all;   /* the pattern matches every text */
    bool novalues;      /* HSCAN: fields only */
    struct span type;   /* TYPE; ptr NULL: any */
    int64_t scan_count; /* COUNT */
    uint64_t left;      /* see command_glob_within(); 0: given up */
    size_t seen;
    size_t count; /* of the strings in `body` */
    struct buf body;
    struct resp_writer writer; /* writes to `body` */
};

/* `gathering` must stay where it is. */
void gather_begin(struct gathering *gathering, struct command_context *context);
void gather_pattern(struct gathering *gathering, struct span pattern);

enum gather_option { GATHER_TYPE = 1 << 0, GATHER_NOVALUES = 1 << 1 };
/* Reads MATCH, COUNT and what is allowed of the others, from args[first] on. False: the error was
 * written. */
bool gather_parse(struct gathering *gathering, const struct span *args, size_t argc, size_t first,
                  unsigned allowed);

/* HSCAN, SSCAN and ZSCAN. `scan` hands elements to the gathering, about scan_count of them, and
 * returns the cursor that follows. */
typedef uint64_t gather_scan(const void *value, uint64_t cursor, struct gathering *gathering);
void gather_run_scan(struct command_context *context, const struct span *args, size_t argc,
                     enum value_type type, unsigned allowed, gather_scan *scan);

/* Whether to take this text. The caller then adds what belongs to it. */
bool gather_wants(struct gathering *gathering, struct span text);
void gather_add(struct gathering *gathering, struct span bytes);

/* Write what was gathered as an array or a set, or an error if the pattern took too long. */
void gather_end(struct gathering *gathering, bool is_set);
/* With the cursor before it. */
void gather_end_scan(struct gathering *gathering, uint64_t cursor);

/* False: the error was written. */
bool command_parse_cursor(struct command_context *context, struct span text, uint64_t *cursor);

#endif
