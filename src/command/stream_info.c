/* XINFO. */
#include "command/data.h"
#include "command/stream_access.h"

/* False: the error was written. */
static bool read_stream(struct command_context *context, struct span key,
                        const struct stream **stream)
{
    const void *value;
    if (!command_read(context, key, VALUE_STREAM, &value))
        return false;
    *stream = value;
    if (!value)
        resp_error(context->reply, ERROR_NO_KEY);
    return value != NULL;
}

static void write_number(struct resp_writer *reply, const char *field, int64_t number)
{
    resp_bulk_text(reply, field);
    resp_integer(reply, number);
}

static void write_id(struct resp_writer *reply, const char *field, struct stream_id id)
{
    resp_bulk_text(reply, field);
    command_stream_write_id(reply, id);
}

/* CONSUMERS and GROUPS. */

void command_xinfo_consumers_run(struct command_context *context, const struct span *args,
                                 size_t argc)
{
    const struct stream *stream;
    struct resp_writer *reply = context->reply;
    (void)argc;
    if (!read_stream(context, args[2], &stream))
        return;
    const struct stream_group *group = stream_find_group(stream, args[3]);
    if (!group) {
        resp_errorf(reply, "NOGROUP No such consumer group '%.*s' for key name '%.*s'",
                    (int)args[3].len, args[3].ptr, (int)args[2].len, args[2].ptr);
        return;
    }
    resp_array(reply, group->consumers_count);
    for (size_t i = 0; i < group->consumers_count; i++) {
        const struct stream_consumer *consumer = group->consumers[i];
        int64_t inactive_ms = consumer->active_ms == STREAM_NEVER_ACTIVE
                                  ? STREAM_NEVER_ACTIVE
                                  : command_stream_elapsed_ms(context->now_ms, consumer->active_ms);
        resp_map(reply, 4);
        resp_bulk_text(reply, "name");
        resp_bulk(reply, stream_consumer_name(consumer));
        write_number(reply, "pending", (int64_t)stream_consumer_pending_count(consumer));
        write_number(reply, "idle", command_stream_elapsed_ms(context->now_ms, consumer->seen_ms));
        write_number(reply, "inactive", inactive_ms);
    }
}

static void write_progress(struct resp_writer *reply, const struct stream *stream,
                           const struct stream_group *group)
{
    int64_t lag;
    resp_bulk_text(reply, "entries-read");
    if (group->entries_read == STREAM_READ_UNKNOWN)
        resp_null(reply);
    else
        resp_integer(reply, group->entries_read);
    resp_bulk_text(reply, "lag");
    if (stream_group_lag(stream, group, &lag))
        resp_integer(reply, lag);
    else
        resp_null(reply);
}

void command_xinfo_groups_run(struct command_context *context, const struct span *args, size_t argc)
{
    const struct stream *stream;
    struct resp_writer *reply = context->reply;
    (void)argc;
    if (!read_stream(context, args[2], &stream))
        return;
    resp_array(reply, stream->groups_count);
    for (size_t i = 0; i < stream->groups_count; i++) {
        const struct stream_group *group = stream->groups[i];
        resp_map(reply, 6);
        resp_bulk_text(reply, "name");
        resp_bulk(reply, stream_group_name(group));
        write_number(reply, "consumers", (int64_t)group->consumers_count);
        write_number(reply, "pending", (int64_t)stream_group_pending_count(group));
        write_id(reply, "last-delivered-id", group->last_id);
        write_progress(reply, stream, group);
    }
}

/* STREAM. */

/* There is no radix tree, and how many nodes there are differs from one cluster node to the next.
 * These are the numbers of a stream of full nodes, so that all answer alike. */
static void write_head(struct resp_writer *reply, const struct stream *stream)
{
    size_t length = stream_length(stream);
    size_t keys = length / STREAM_TRIM_STEP + (length % STREAM_TRIM_STEP != 0);
    write_number(reply, "length", (int64_t)length);
    write_number(reply, "radix-tree-keys", (int64_t)keys);
    write_number(reply, "radix-tree-nodes", (int64_t)keys + 1);
    write_id(reply, "last-generated-id", stream->last_id);
    write_id(reply, "max-deleted-entry-id", stream->max_deleted_id);
    write_number(reply, "entries-added", (int64_t)stream->entries_added);
    write_id(reply, "recorded-first-entry-id", stream->first_id);
}

static void write_stream(struct resp_writer *reply, const struct stream *stream)
{
    struct stream_entry entry;
    resp_map(reply, 10);
    write_head(reply, stream);
    write_number(reply, "groups", (int64_t)stream->groups_count);
    resp_bulk_text(reply, "first-entry");
    if (stream_find(stream, stream->first_id, &entry))
        command_stream_write_entry(reply, &entry);
    else
        resp_null(reply);
    resp_bulk_text(reply, "last-entry");
    if (stream_last(stream, &entry))
        command_stream_write_entry(reply, &entry);
    else
        resp_null(reply);
}

/* consumer NULL: of the group, with the owners. */
static void write_pending(struct resp_writer *reply, const struct stream_group *group,
                          const struct stream_consumer *consumer, uint64_t most)
{
    size_t present =
        consumer ? stream_consumer_pending_count(consumer) : stream_group_pending_count(group);
    size_t left = present < most ? present : (size_t)most;
    struct stream_pending_walk walk;
    const struct stream_pending *pending =
        stream_pending_seek(group, consumer, STREAM_ID_MIN, &walk);
    write_number(reply, "pel-count", (int64_t)present);
    resp_bulk_text(reply, "pending");
    resp_array(reply, left);
    for (; left > 0; left--, pending = stream_pending_next(&walk)) {
        resp_array(reply, consumer ? 3 : 4);
        command_stream_write_id(reply, pending->id);
        if (!consumer)
            resp_bulk(reply, stream_consumer_name(pending->owner));
        resp_integer(reply, pending->delivered_ms);
        resp_integer(reply, (int64_t)pending->deliveries);
    }
}

static void write_full_group(struct resp_writer *reply, const struct stream *stream,
                             const struct stream_group *group, uint64_t most)
{
    resp_map(reply, 7);
    resp_bulk_text(reply, "name");
    resp_bulk(reply, stream_group_name(group));
    write_id(reply, "last-delivered-id", group->last_id);
    write_progress(reply, stream, group);
    write_pending(reply, group, NULL, most);
    resp_bulk_text(reply, "consumers");
    resp_array(reply, group->consumers_count);
    for (size_t i = 0; i < group->consumers_count; i++) {
        const struct stream_consumer *consumer = group->consumers[i];
        resp_map(reply, 5);
        resp_bulk_text(reply, "name");
        resp_bulk(reply, stream_consumer_name(consumer));
        write_number(reply, "seen-time", consumer->seen_ms);
        write_number(reply, "active-time", consumer->active_ms);
        write_pending(reply, group, consumer, most);
    }
}

static void write_full(struct resp_writer *reply, const struct stream *stream, uint64_t most)
{
    resp_map(reply, 9);
    write_head(reply, stream);
    resp_bulk_text(reply, "entries");
    const struct stream_range range = {STREAM_ID_MIN, STREAM_ID_MAX, most, false};
    command_stream_write_range(reply, stream, &range);
    resp_bulk_text(reply, "groups");
    resp_array(reply, stream->groups_count);
    for (size_t i = 0; i < stream->groups_count; i++)
        write_full_group(reply, stream, stream->groups[i], most);
}

enum { FULL_COUNT = 10 };

void command_xinfo_stream_run(struct command_context *context, const struct span *args, size_t argc)
{
    const struct stream *stream;
    int64_t count = FULL_COUNT;
    bool is_full = argc > 3;
    if (!read_stream(context, args[2], &stream))
        return;
    if (is_full && (!span_is(args[3], "full") || (argc != 4 && argc != 6) ||
                    (argc == 6 && !span_is(args[4], "count")))) {
        command_stream_write_subcommand_error(context, args);
        return;
    }
    if (argc == 6 && !command_parse_integer(context, args[5], &count))
        return;
    if (count < 0)
        count = FULL_COUNT;
    if (is_full)
        write_full(context->reply, stream, count ? (uint64_t)count : UINT64_MAX);
    else
        write_stream(context->reply, stream);
}
