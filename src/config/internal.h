/* Shared inside config/: the rows of the tables, and conversion between texts and values. */
#ifndef FLOTILLA_CONFIG_INTERNAL_H
#define FLOTILLA_CONFIG_INTERNAL_H

#include "config/config.h"

enum {
    CONFIG_ARGS_MAX = 64,      /* words in one line */
    CONFIG_INCLUDE_DEPTH = 16, /* deeper nesting is taken for a cycle */
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
    DIRECTIVE_WORDS, /* a string that may consist of several words */
};

enum directive_flag {
    DIRECTIVE_IMMUTABLE = 1, /* CONFIG SET refuses it */
    DIRECTIVE_PROTECTED = 2, /* CONFIG SET refuses it with Redis' text for protected ones */
    DIRECTIVE_CLAMP = 4,     /* a number out of range becomes the nearest limit */
    DIRECTIVE_ADDS = 8,      /* further lines of a file add to the first */
    DIRECTIVE_REFUSED = 16,  /* the server refuses to start with it, for `reason` */
    DIRECTIVE_HIDDEN = 32,   /* unknown to CONFIG GET and SET */
    DIRECTIVE_FILLED = 64,   /* must not be empty */
    DIRECTIVE_ACCEPTED =
        128, /* a directive of Redis without effect here; config.accepted holds its text */
    DIRECTIVE_SECRET = 256, /* only the owner should be able to read its file */
    DIRECTIVE_PATH = 512,   /* path of a file or folder; made absolute at start */
};

struct choice {
    const char *name;
    int value;
    const char *refused; /* why this choice is refused; NULL: it is allowed */
    const char *warning; /* a warning for operators who choose it, or NULL */
};

struct directive {
    const char *name;
    const char *alias; /* another name that Redis has for it, or NULL */
    enum directive_kind kind;
    unsigned flags;
    const char *initial; /* the default, as text in a file */
    uint64_t min, max;
    size_t offset, size; /* of the field within struct config */
    const struct choice *choices;
    const char *marks;        /* a string of ASCII letters, digits and these; NULL: of anything */
    const char *marks_reason; /* what is answered to others */
    const char *reason;       /* for DIRECTIVE_REFUSED */
    const char *not_done; /* accepted directive: why it refuses values but the default; or NULL */
};

/* All tables as one list. */
const struct directive *directive_at(size_t index); /* NULL: past the end */
const struct directive *directive_find(struct span name);
const char *directive_nearest(struct span name); /* NULL: no name is similar */

const struct directive *accepted_at(size_t index); /* the table of accepted directives */
const struct directive *forms_at(size_t index);    /* the table of compact forms */
size_t forms_count(void);

/* Sets the directive's value. false: `why` has the cause in Redis' words, and config is
 * unchanged. */
bool directive_parse(struct config *config, const struct directive *directive,
                     const struct span *args, size_t count, struct buf *why);
/* Like directive_parse(), from one text as in CONFIG SET. */
bool directive_parse_text(struct config *config, const struct directive *directive,
                          struct span text, struct buf *why);
/* Like directive_parse(), from a line of a file, which may add to earlier lines. */
bool directive_parse_line(struct config *config, const struct directive *directive,
                          const struct span *args, size_t count, struct buf *why);
/* The value as CONFIG GET shows it. */
void directive_format(const struct config *config, const struct directive *directive,
                      struct buf *out);
/* The value as the arguments of a line in a file. */
void directive_write(const struct config *config, const struct directive *directive,
                     struct buf *out);

/* The texts of accepted directives. */
struct span accepted_get(const struct config *config, const struct directive *directive);
bool accepted_set(struct config *config, const struct directive *directive, struct span value);

/* The unquoted words of a line. They are stored in `text`, one after the other. */
struct words {
    struct buf text;
    size_t ends[CONFIG_ARGS_MAX];
    struct span list[CONFIG_ARGS_MAX]; /* valid until the next words_* call */
    size_t count;
};
enum words_outcome { WORDS_OK, WORDS_UNBALANCED, WORDS_TOO_MANY };

enum words_outcome words_split(struct words *words, struct span line);
enum words_outcome words_split_plain(struct words *words, struct span text); /* without quoting */
void words_close(struct words *words);
void words_quote(struct buf *out, struct span word); /* adds quotes only if needed */

/* Removes the byte order mark that some editors put first. */
struct span config_without_mark(struct span text);

/* Takes the next line without its end; false if there is none. */
bool config_next_line(struct span *rest, struct span *line);

#endif
