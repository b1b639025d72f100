/* What the commands on streams share: IDs as arguments, entries as replies, errors. Private to
 * command/. */
#ifndef FLOTILLA_COMMAND_STREAM_ACCESS_H
#define FLOTILLA_COMMAND_STREAM_ACCESS_H

#include "command/access.h"
#include "keyspace/stream.h"

/* These write the error if they return false. */
bool command_stream_parse_id(struct command_context *context, struct span text,
                             struct stream_id *id);
/* The start or the end of a range: "-", "+", "(id" without the ID itself. */
bool command_stream_parse_start(struct command_context *context, struct span text,
                                struct stream_id *id);
bool command_stream_parse_end(struct command_context *context, struct span text,
                              struct stream_id *id);

void command_stream_write_id(struct resp_writer *writer, struct stream_id id);
void command_stream_write_entry(struct resp_writer *writer, const struct stream_entry *entry);
/* Up to `count` entries, as an array. */
struct stream_range {
    struct stream_id from;
    struct stream_id to;
    uint64_t count;
    bool is_backwards;
};
void command_stream_write_range(struct resp_writer *writer, const struct stream *stream,
                                const struct stream_range *range);

/* The group of the stream; NULL after the error that the key or the group is absent. */
struct stream_group *command_stream_need_group(struct command_context *context,
                                               const struct stream *stream, struct span key,
                                               struct span group);

/* For arguments that a subcommand does not know. */
void command_stream_write_subcommand_error(struct command_context *context,
                                           const struct span *args);

/* Milliseconds from then to now, not below 0. */
int64_t command_stream_elapsed_ms(int64_t now_ms, int64_t then_ms);

/* Finds or adds the consumer, and notes that it was seen. */
struct stream_consumer *command_stream_seen_consumer(struct command_context *context,
                                                     struct stream_group *group, struct span name);

/* A list of IDs that grows. Zero-initialised is empty. */
struct stream_ids {
    struct buf bytes;
};
void command_stream_ids_add(struct stream_ids *ids, struct stream_id id);
size_t command_stream_ids_count(const struct stream_ids *ids);
struct stream_id command_stream_ids_at(const struct stream_ids *ids, size_t at);
void command_stream_ids_close(struct stream_ids *ids);

#endif
