#include "command/stream_access.h"

#define ERROR_ID "ERR Invalid stream ID specified as stream command argument"

bool command_stream_parse_id(struct command_context *context, struct span text,
                             struct stream_id *id)
{
    return stream_id_parse(text, 0, id) || command_refuse(context, ERROR_ID);
}

/* Takes the "(" off the text of an exclusive bound, which may not be "-" or "+". */
static bool parse_bound(struct command_context *context, struct span text, uint64_t missing_seq,
                        bool *is_exclusive, struct stream_id *id)
{
    *is_exclusive = text.len > 1 && text.ptr[0] == '(';
    bool parsed = *is_exclusive
                      ? stream_id_parse(span_of(text.ptr + 1, text.len - 1), missing_seq, id)
                      : stream_id_parse_bound(text, missing_seq, id);
    return parsed || command_refuse(context, ERROR_ID);
}

bool command_stream_parse_start(struct command_context *context, struct span text,
                                struct stream_id *id)
{
    bool is_exclusive;
    if (!parse_bound(context, text, 0, &is_exclusive, id))
        return false;
    return !is_exclusive || stream_id_increment(id) ||
           command_refuse(context, "ERR invalid start ID for the interval");
}

bool command_stream_parse_end(struct command_context *context, struct span text,
                              struct stream_id *id)
{
    bool is_exclusive;
    if (!parse_bound(context, text, UINT64_MAX, &is_exclusive, id))
        return false;
    return !is_exclusive || stream_id_decrement(id) ||
           command_refuse(context, "ERR invalid end ID for the interval");
}

void command_stream_write_id(struct resp_writer *writer, struct stream_id id)
{
    char text[STREAM_ID_CHARS];
    resp_bulk(writer, span_of(text, stream_id_format(text, id)));
}

void command_stream_write_entry(struct resp_writer *writer, const struct stream_entry *entry)
{
    struct stream_field_walk walk;
    struct stream_field field;
    resp_array(writer, 2);
    command_stream_write_id(writer, entry->id);
    resp_array(writer, 2 * entry->field_count);
    stream_entry_fields(entry, &walk);
    while (stream_field_next(&walk, &field)) {
        resp_bulk(writer, field.name);
        resp_bulk(writer, field.value);
    }
}

void command_stream_write_range(struct resp_writer *writer, const struct stream *stream,
                                const struct stream_range *range)
{
    struct stream_walk walk;
    struct stream_entry entry;
    size_t present =
        range->is_backwards
            ? stream_walk_begin_backwards(stream, range->from, range->to, &walk, &entry)
            : stream_walk_begin(stream, range->from, range->to, &walk, &entry);
    if (walk.left > range->count)
        walk.left = (size_t)range->count;
    resp_array(writer, walk.left);
    if (present == 0 || walk.left == 0 || !writer->out)
        return;
    do
        command_stream_write_entry(writer, &entry);
    while (stream_walk_next(&walk, &entry));
}

struct stream_group *command_stream_need_group(struct command_context *context,
                                               const struct stream *stream, struct span key,
                                               struct span group)
{
    struct stream_group *found = stream ? stream_find_group(stream, group) : NULL;
    if (!found)
        resp_errorf(context->reply, "NOGROUP No such key '%.*s' or consumer group '%.*s'",
                    (int)key.len, key.ptr, (int)group.len, group.ptr);
    return found;
}

enum { SHOWN_MAX = 128 };

void command_stream_write_subcommand_error(struct command_context *context, const struct span *args)
{
    int shown = (int)(args[1].len < SHOWN_MAX ? args[1].len : SHOWN_MAX);
    resp_errorf(context->reply,
                "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try %s HELP.",
                shown, args[1].ptr, span_is(args[0], "xinfo") ? "XINFO" : "XGROUP");
}

int64_t command_stream_elapsed_ms(int64_t now_ms, int64_t then_ms)
{
    int64_t elapsed_ms;
    if (then_ms >= now_ms)
        return 0;
    return __builtin_sub_overflow(now_ms, then_ms, &elapsed_ms) ? INT64_MAX : elapsed_ms;
}

struct stream_consumer *command_stream_seen_consumer(struct command_context *context,
                                                     struct stream_group *group, struct span name)
{
    struct stream_consumer *consumer = stream_group_find_consumer(group, name);
    if (!consumer)
        return stream_group_add_consumer(group, name, context->now_ms);
    stream_consumer_touch(group, consumer, context->now_ms, consumer->active_ms);
    return consumer;
}

void command_stream_ids_add(struct stream_ids *ids, struct stream_id id)
{
    buf_add(&ids->bytes, &id, sizeof(id));
}

size_t command_stream_ids_count(const struct stream_ids *ids)
{
    return ids->bytes.len / sizeof(struct stream_id);
}

struct stream_id command_stream_ids_at(const struct stream_ids *ids, size_t at)
{
    struct stream_id id;
    memcpy(&id, ids->bytes.ptr + at * sizeof(id), sizeof(id));
    return id;
}

void command_stream_ids_close(struct stream_ids *ids)
{
    buf_close(&ids->bytes);
}
