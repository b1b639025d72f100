/* Strings as bytes, for commands that look into them and change parts of them. Private to
 * command/. */
#ifndef FLOTILLA_COMMAND_TEXT_H
#define FLOTILLA_COMMAND_TEXT_H

#include "base/number.h"
#include "command/command.h"

/* The string of a key. It points into itself: do not copy it. */
struct text {
    struct span key;
    const struct item *item; /* NULL: the key is absent */
    struct item *edited;     /* the same, after text_edit() */
    struct span bytes;       /* valid until the key changes */
    char scratch[NUMBER_I64_CHARS];
};

/* For a command that reads. Counts a hit or a miss. False: the key holds something else; the error
 * was written. */
bool text_read(struct command_context *context, struct span key, struct text *text);
/* For a command that changes. Counts neither a hit nor a miss. */
bool text_edit(struct command_context *context, struct span key, struct text *text);

/* Writes the bytes at the offset; zeros fill a gap before it. Makes the key if it is absent. */
void text_write(struct command_context *context, struct text *text, size_t offset,
                struct span bytes);
/* Replaces all of the bytes; the deadline stays. Makes the key if it is absent. */
void text_replace(struct command_context *context, struct text *text, struct span bytes);

/* For the `work` of commands: the length of a key's string, or 0. */
size_t text_len(const struct keyspace *keyspace, struct span key);

#endif
