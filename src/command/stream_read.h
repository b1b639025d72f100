/* XREAD and XREADGROUP in steps, so that a command that waits can try again: it parses once, fixes
 * what `$` means at that moment, and then serves as often as there may be something. Private to
 * command/. */
#ifndef FLOTILLA_COMMAND_STREAM_READ_H
#define FLOTILLA_COMMAND_STREAM_READ_H

#include "command/command.h"
#include "keyspace/stream_id.h"

struct stream_read {
    bool of_group; /* XREADGROUP */
    bool no_ack;
    bool has_group;
    struct span group;
    struct span consumer;
    uint64_t count;     /* of entries of each stream, at most */
    int64_t timeout_ms; /* -1: without BLOCK; 0: no end */
    const struct span *keys;
    const struct span *ids;
    size_t streams;
};

/* False: the error was written. */
bool command_stream_read_parse(struct command_context *context, const struct span *args,
                               size_t argc, struct stream_read *read);
/* Checks types, groups and IDs of all streams. False: the error was written. */
bool command_stream_read_check(struct command_context *context, const struct stream_read *read);
/* Writes the reply and returns true if any stream has something. Otherwise it writes nothing; a
 * group's consumers have been seen all the same. */
bool command_stream_read_serve(struct command_context *context, const struct stream_read *read);
/* Appends to `out`, as a command for the log, the same command with last IDs in place of `$`. After
 * command_stream_read_check(). */
void command_stream_read_resolve(struct command_context *context, const struct stream_read *read,
                                 const struct span *args, size_t argc, struct buf *out);

#endif
