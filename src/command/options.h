/* The options of SET, GETEX and the EXPIRE family that set deadlines and conditions. Shared by the
 * commands and by their rewriting for the log. Private to command/. */
#ifndef FLOTILLA_COMMAND_OPTIONS_H
#define FLOTILLA_COMMAND_OPTIONS_H

#include "command/command.h"

enum set_flag {
    SET_NX = 1 << 0,
    SET_XX = 1 << 1,
    SET_GET = 1 << 2,
    SET_KEEPTTL = 1 << 3,
    SET_PERSIST = 1 << 4,
    SET_EX = 1 << 5,
    SET_PX = 1 << 6,
    SET_EXAT = 1 << 7,
    SET_PXAT = 1 << 8,
    SET_IFEQ = 1 << 9,
    SET_FNX = 1 << 10, /* of HSETEX: none of the fields exists */
    SET_FXX = 1 << 11, /* all of them do */
};

enum {
    SET_TIMES = SET_EX | SET_PX | SET_EXAT | SET_PXAT,
    SET_CONDITIONS = SET_NX | SET_XX | SET_IFEQ,
    SET_OPTIONS = SET_CONDITIONS | SET_GET | SET_KEEPTTL | SET_TIMES,
    MSETEX_OPTIONS = SET_NX | SET_XX | SET_KEEPTTL | SET_TIMES,
    GETEX_OPTIONS = SET_PERSIST | SET_TIMES,
    HSETEX_OPTIONS = SET_NX | SET_XX | SET_FNX | SET_FXX | SET_KEEPTTL | SET_TIMES,
};

struct set_options {
    unsigned flags;
    struct span time;     /* the argument of the last option in SET_TIMES */
    struct span expected; /* that of SET_IFEQ */
};

/* Reads args[first] and the following; false: a syntax error. */
bool set_options_parse(const struct span *args, size_t argc, size_t first, unsigned allowed,
                       struct set_options *options);

/* The number of pairs that MSETEX names in its first argument; false: it is none. They need not be
 * there. */
bool msetex_count(const struct span *args, size_t argc, size_t *pairs);

enum expire_flag {
    EXPIRE_NX = 1 << 0,
    EXPIRE_XX = 1 << 1,
    EXPIRE_GT = 1 << 2,
    EXPIRE_LT = 1 << 3,
};

enum expire_parse {
    EXPIRE_PARSED,
    EXPIRE_UNSUPPORTED, /* *bad is not an option */
    EXPIRE_NX_NOT_ALONE,
    EXPIRE_GT_AND_LT,
};

/* Reads args[3] and the following. */
enum expire_parse expire_options_parse(const struct span *args, size_t argc, unsigned *flags,
                                       struct span *bad);

enum time_parse { TIME_PARSED, TIME_NOT_INTEGER, TIME_INVALID };

/* Converts a time in units of unit_ms after base_ms to a deadline. deadline_parse_positive()
 * requires a time above zero. */
enum time_parse deadline_parse_positive(struct span text, int64_t unit_ms, int64_t base_ms,
                                        int64_t *deadline_ms);
enum time_parse deadline_parse(struct span text, int64_t unit_ms, int64_t base_ms,
                               int64_t *deadline_ms);

/* Whether the options let a deadline take the place of the current one. None counts as infinite. */
bool expire_options_allow(unsigned flags, int64_t current_ms, int64_t deadline_ms);
/* Writes the error for an outcome other than EXPIRE_PARSED. */
void command_write_expire_error(struct command_context *context, enum expire_parse outcome,
                                struct span bad);

/* The deadline that the options of SET or GETEX ask for; NO_DEADLINE if none. */
enum time_parse set_options_deadline(const struct set_options *options, int64_t now_ms,
                                     int64_t *deadline_ms);

/* A deadline in milliseconds as whole seconds, rounded to the nearest as in Redis. */
int64_t deadline_seconds(int64_t ms);

/* Writes the error for an outcome other than TIME_PARSED. */
void command_write_time_error(struct command_context *context, enum time_parse outcome,
                              const char *command);

#endif
