/* What the files of config/ share: the rows of the tables, and text to value and back. */
#ifndef FLOTILLA_CONFIG_INTERNAL_H
#define FLOTILLA_CONFIG_INTERNAL_H

#include "config/config.h"

enum {
    CONFIG_ARGS_MAX = 64,      /* of one line */
    CONFIG_INCLUDE_DEPTH = 16, /* deeper is a circle */
};

enum directive_kind {
    DIRECTIVE_BOOL,
    DIRECTIVE_INT,
    DIRECTIVE_ID, /* uint64_t, in decimal */
    DIRECTIVE_OCTAL,
    DIRECTIVE_MEMORY,
    DIRECTIVE_ENUM,        /* stored as a C enum */
    DIRECTIVE_ENUM_STRING, /* stored as the chosen name */
    DIRECTIVE_STRING,
    DIRECTIVE_FILE_NAME, /* a string without a slash */
    DIRECTIVE_BIND,
    DIRECTIVE_OUTPUT_LIMITS,
    DIRECTIVE_SAVE,  /* pairs of seconds and changes */
    DIRECTIVE_WORDS, /* a string that may come as several words */
};

enum directive_flag {
    DIRECTIVE_IMMUTABLE = 1, /* not with CONFIG SET */
    DIRECTIVE_PROTECTED = 2, /* the same, in other words */
    DIRECTIVE_CLAMP = 4,     /* numbers outside of the limits become the nearest limit */
    DIRECTIVE_ADDS = 8,      /* further lines of a file add to the first */
    DIRECTIVE_REFUSED = 16,  /* `reason` says why the server does not start with it */
    DIRECTIVE_HIDDEN = 32,   /* CONFIG GET and SET do not know it */
    DIRECTIVE_FILLED = 64,   /* must not be empty */
    DIRECTIVE_ACCEPTED =
        128,                /* of Redis, without meaning here: its text lives in config.accepted */
    DIRECTIVE_SECRET = 256, /* its file is to be read by its owner alone */
    DIRECTIVE_PATH = 512,   /* of a file or folder: absolute once the node has started */
};

struct choice {
    const char *name;
    int value;
    const char *refused; /* why it cannot be chosen; NULL: it can */
    const char *warning; /* what the operator should know who chose it, or NULL */
};

struct directive {
    const char *name;
    const char *alias; /* Redis' other name for it, or NULL */
    enum directive_kind kind;
    unsigned flags;
    const char *initial; /* the default, as in a file */
    uint64_t min, max;
    size_t offset, size; /* the field within struct config */
    const struct choice *choices;
    const char *reason; /* of DIRECTIVE_REFUSED */
    const char
        *not_done; /* of an accepted one: why any value but the default is refused, or NULL */
};

/* Both tables, as one list. */
const struct directive *directive_at(size_t index); /* NULL: past the end */
const struct directive *directive_find(struct span name);
const char *directive_nearest(struct span name); /* NULL: nothing comes close */

const struct directive *accepted_at(size_t index); /* the table of the accepted ones alone */

/* Sets the directive's value. false: `why` has the cause in Redis' words, and config is as it was.
 */
bool directive_parse(struct config *config, const struct directive *directive,
                     const struct span *args, size_t count, struct buf *why);
/* The same from one text, as CONFIG SET has it. */
bool directive_parse_text(struct config *config, const struct directive *directive,
                          struct span text, struct buf *why);
/* The same from a line of a file, which may add to the lines before it. */
bool directive_parse_line(struct config *config, const struct directive *directive,
                          const struct span *args, size_t count, struct buf *why);
/* The value as CONFIG GET shows it. */
void directive_format(const struct config *config, const struct directive *directive,
                      struct buf *out);
/* The value as arguments of a line in a file. */
void directive_write(const struct config *config, const struct directive *directive,
                     struct buf *out);

/* The texts of accepted directives. */
struct span accepted_get(const struct config *config, const struct directive *directive);
bool accepted_set(struct config *config, const struct directive *directive, struct span value);

/* A line's words, unquoted. The words live in `text`, one after the other. */
struct words {
    struct buf text;
    size_t ends[CONFIG_ARGS_MAX];
    struct span list[CONFIG_ARGS_MAX]; /* valid until the next words_* call */
    size_t count;
};
enum words_outcome { WORDS_OK, WORDS_UNBALANCED, WORDS_TOO_MANY };

enum words_outcome words_split(struct words *words, struct span line);
enum words_outcome words_split_plain(struct words *words, struct span text); /* no quoting */
void words_close(struct words *words);
void words_quote(struct buf *out, struct span word); /* quotes only where needed */

/* Without the byte order mark that some editors put first. */
struct span config_without_mark(struct span text);

/* The next line without its end; false: no more. */
bool config_next_line(struct span *rest, struct span *line);

#endif
