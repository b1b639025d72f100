#include "command/stream_read.h"

#include "base/mem.h"
#include "base/number.h"
#include "command/data.h"
#include "command/stream_access.h"
#include "resp/parse.h"

/* Parsing. */

static bool parse_timeout(struct command_context *context, struct span text,
                          struct stream_read *read)
{
    if (!number_parse_i64(text, &read->timeout_ms))
        return command_refuse(context, "ERR timeout is not an integer or out of range");
    if (read->timeout_ms < 0)
        return command_refuse(context, "ERR timeout is negative");
    if (read->timeout_ms > INT64_MAX - context->now_ms)
        return command_refuse(context, "ERR timeout is out of range");
    return true;
}

static bool parse_count(struct command_context *context, struct span text, struct stream_read *read)
{
    int64_t count;
    if (!command_parse_integer(context, text, &count))
        return false;
    read->count = count > 0 ? (uint64_t)count : UINT64_MAX;
    return true;
}

static bool parse_group(struct command_context *context, const struct span *args,
                        struct stream_read *read)
{
    if (!read->of_group)
        return command_refuse(context,
                              "ERR The GROUP option is only supported by XREADGROUP. You called "
                              "XREAD instead.");
    read->has_group = true;
    read->group = args[0];
    read->consumer = args[1];
    return true;
}

static bool parse_no_ack(struct command_context *context, struct stream_read *read)
{
    if (!read->of_group)
        return command_refuse(context,
                              "ERR The NOACK option is only supported by XREADGROUP. You called "
                              "XREAD instead.");
    read->no_ack = true;
    return true;
}

static bool parse_streams(struct command_context *context, const struct span *args, size_t argc,
                          struct stream_read *read)
{
    if (argc % 2 != 0) {
        resp_errorf(context->reply,
                    "ERR Unbalanced '%s' list of streams: for each stream key an ID or '%c' must "
                    "be specified.",
                    read->of_group ? "xreadgroup" : "xread", read->of_group ? '>' : '$');
        return false;
    }
    read->streams = argc / 2;
    read->keys = args;
    read->ids = args + read->streams;
    return true;
}

/* Reads the options up to STREAMS. */
static bool parse_options(struct command_context *context, const struct span *args, size_t argc,
                          struct stream_read *read)
{
    for (size_t i = 1; i < argc; i++) {
        size_t more = argc - i - 1;
        bool parsed;
        if (more >= 1 && span_is(args[i], "block"))
            parsed = parse_timeout(context, args[++i], read);
        else if (more >= 1 && span_is(args[i], "count"))
            parsed = parse_count(context, args[++i], read);
        else if (more >= 1 && span_is(args[i], "streams"))
            return parse_streams(context, args + i + 1, more, read);
        else if (more >= 2 && span_is(args[i], "group")) {
            parsed = parse_group(context, args + i + 1, read);
            i += 2;
        } else if (span_is(args[i], "noack"))
            parsed = parse_no_ack(context, read);
        else
            return command_refuse(context, ERROR_SYNTAX);
        if (!parsed)
            return false;
    }
    return command_refuse(context, ERROR_SYNTAX);
}

bool command_stream_read_parse(struct command_context *context, const struct span *args,
                               size_t argc, struct stream_read *read)
{
    *read = (struct stream_read){
        .of_group = span_is(args[0], "xreadgroup"), .timeout_ms = -1, .count = UINT64_MAX};
    if (!parse_options(context, args, argc, read))
        return false;
    if (read->of_group && !read->has_group)
        return command_refuse(context, "ERR Missing GROUP option for XREADGROUP");
    return true;
}

/* Checking. */

static bool is_new(struct span id)
{
    return span_equal(id, SPAN(">"));
}

static bool is_end(struct span id)
{
    return span_equal(id, SPAN("$"));
}

/* Without counting a look-up. False: another type, and the error was written. */
static bool find(struct command_context *context, struct span key, const struct stream **stream)
{
    const struct item *item = keyspace_find(context->keyspace, key, context->now_ms);
    *stream = NULL;
    if (item && item_type(item) != VALUE_STREAM)
        return command_refuse(context, ERROR_WRONG_TYPE);
    if (item)
        *stream = item_elements(item);
    return true;
}

static bool check_group(struct command_context *context, const struct stream_read *read,
                        const struct stream *stream, struct span key)
{
    if (!read->of_group || (stream && stream_find_group(stream, read->group)))
        return true;
    resp_errorf(context->reply,
                "NOGROUP No such key '%.*s' or consumer group '%.*s' in XREADGROUP with GROUP "
                "option",
                (int)key.len, key.ptr, (int)read->group.len, read->group.ptr);
    return false;
}

static bool check_id(struct command_context *context, const struct stream_read *read,
                     struct span text)
{
    struct stream_id id;
    if (is_end(text))
        return !read->of_group ||
               command_refuse(context,
                              "ERR The $ ID is meaningless in the context of XREADGROUP: you want "
                              "to read the history of this consumer by specifying a proper ID, or "
                              "use the > ID to get new messages. The $ ID would just return an "
                              "empty result set.");
    if (is_new(text))
        return read->of_group ||
               command_refuse(context,
                              "ERR The > ID can be specified only when calling XREADGROUP using "
                              "the GROUP <group> <consumer> option.");
    return command_stream_parse_id(context, text, &id);
}

bool command_stream_read_check(struct command_context *context, const struct stream_read *read)
{
    for (size_t i = 0; i < read->streams; i++) {
        const struct stream *stream;
        if (!find(context, read->keys[i], &stream) ||
            !check_group(context, read, stream, read->keys[i]) ||
            !check_id(context, read, read->ids[i]))
            return false;
    }
    return true;
}

/* Serving. */

/* The first ID to read. False: there can be none. */
static bool first_wanted(const struct stream *stream, struct span text, struct stream_id *from)
{
    if (is_end(text))
        *from = stream->last_id;
    else
        stream_id_parse(text, 0, from);
    return stream_id_increment(from);
}

static bool has_entry_from(const struct stream *stream, struct stream_id from)
{
    struct stream_entry last;
    return stream_last(stream, &last) && stream_id_compare(last.id, from) >= 0;
}

static void write_head(struct resp_writer *writer, struct span key)
{
    if (writer->protocol < 3)
        resp_array(writer, 2);
    resp_bulk(writer, key);
}

static void write_count(struct resp_writer *writer, size_t count)
{
    if (writer->protocol < 3)
        resp_array(writer, count);
    else
        resp_map(writer, count);
}

/* Whether XREAD finds something in the stream, and from where on. NULL: there is no stream. */
static bool has_something(const struct stream *stream, struct span id, struct stream_id *from)
{
    return stream && first_wanted(stream, id, from) && has_entry_from(stream, *from);
}

static bool serve_reader(struct command_context *context, const struct stream_read *read)
{
    size_t count = 0;
    struct stream_id from;
    const struct stream *stream;
    for (size_t i = 0; i < read->streams; i++)
        count +=
            find(context, read->keys[i], &stream) && has_something(stream, read->ids[i], &from);
    if (count > 0)
        write_count(context->reply, count);
    for (size_t i = 0; i < read->streams; i++) {
        const void *found;
        if (!command_read(context, read->keys[i], VALUE_STREAM, &found) || count == 0 ||
            !has_something(found, read->ids[i], &from))
            continue;
        write_head(context->reply, read->keys[i]);
        const struct stream_range range = {from, STREAM_ID_MAX, read->count, false};
        command_stream_write_range(context->reply, found, &range);
    }
    return count > 0;
}

/* One stream of XREADGROUP. */
struct serving {
    const struct stream_read *read;
    struct stream *stream;
    struct stream_group *group;
    struct stream_consumer *consumer;
    int64_t now_ms;
    struct resp_writer *writer;
};

/* The entries that this consumer got before. One that was deleted since is an ID with null. */
static void serve_history(const struct serving *serving, struct stream_id from)
{
    size_t present = stream_consumer_pending_count_from(serving->consumer, from);
    size_t left = present < serving->read->count ? present : (size_t)serving->read->count;
    struct stream_pending_walk walk;
    struct stream_entry entry;
    resp_array(serving->writer, left);
    struct stream_pending *pending =
        left ? stream_pending_seek(serving->group, serving->consumer, from, &walk) : NULL;
    for (; pending && left > 0; left--) {
        if (stream_find(serving->stream, pending->id, &entry)) {
            struct stream_pending again = *pending;
            again.delivered_ms = serving->now_ms;
            again.deliveries++;
            stream_group_deliver(serving->group, &again);
            command_stream_write_entry(serving->writer, &entry);
        } else {
            resp_array(serving->writer, 2);
            command_stream_write_id(serving->writer, pending->id);
            resp_null_array(serving->writer);
        }
        pending = stream_pending_next(&walk);
    }
}

static void serve_new(const struct serving *serving, struct stream_id from)
{
    struct stream_walk walk;
    struct stream_entry entry;
    bool more = stream_walk_begin(serving->stream, from, STREAM_ID_MAX, &walk, &entry);
    if (walk.left > serving->read->count)
        walk.left = (size_t)serving->read->count;
    resp_array(serving->writer, walk.left);
    for (; more; more = stream_walk_next(&walk, &entry)) {
        stream_group_advance(serving->stream, serving->group, entry.id);
        if (!serving->read->no_ack) {
            struct stream_pending pending = {entry.id, serving->now_ms, 1, serving->consumer};
            stream_group_deliver(serving->group, &pending);
        }
        command_stream_write_entry(serving->writer, &entry);
    }
    if (!serving->read->no_ack)
        stream_consumer_touch(serving->group, serving->consumer, serving->now_ms, serving->now_ms);
}

/* Any ID but ">" and the greatest one asks for the consumer's history behind it. */
static bool wants_history(struct span text, struct stream_id *from)
{
    return !is_new(text) && stream_id_parse(text, 0, from) && stream_id_increment(from);
}

/* Delivers to the consumer, who has been seen in any case. False: there is nothing. */
static bool serve_consumer(struct command_context *context, const struct stream_read *read,
                           size_t at, struct resp_writer *writer)
{
    struct keyspace_edit edit;
    if (!command_edit(context, read->keys[at], VALUE_STREAM, &edit) || !edit.value)
        return false;
    struct serving serving = {.read = read,
                              .stream = edit.value,
                              .group = stream_find_group(edit.value, read->group),
                              .now_ms = context->now_ms,
                              .writer = writer};
    serving.consumer = command_stream_seen_consumer(context, serving.group, read->consumer);
    struct stream_id from;
    bool is_history = wants_history(read->ids[at], &from);
    bool is_served = is_history;
    if (!is_history) {
        from = serving.group->last_id;
        is_served = stream_id_increment(&from) && has_entry_from(serving.stream, from);
    }
    if (is_served && read->streams == 1)
        write_count(writer, 1);
    if (is_served)
        write_head(writer, read->keys[at]);
    if (is_history)
        serve_history(&serving, from);
    else if (is_served)
        serve_new(&serving, from);
    command_edit_end(context, &edit, 1);
    return is_served;
}

/* How many streams have something is known only when all were served: the same stream may be there
 * twice. */
static bool serve_group(struct command_context *context, const struct stream_read *read)
{
    if (read->streams == 1)
        return serve_consumer(context, read, 0, context->reply);
    struct buf body = {0};
    struct resp_writer writer = {.out = context->reply->out ? &body : NULL,
                                 .protocol = context->reply->protocol};
    size_t count = 0;
    for (size_t i = 0; i < read->streams; i++)
        count += serve_consumer(context, read, i, &writer);
    if (count > 0) {
        write_count(context->reply, count);
        resp_raw(context->reply, buf_span(&body));
    }
    buf_close(&body);
    return count > 0;
}

bool command_stream_read_serve(struct command_context *context, const struct stream_read *read)
{
    return read->of_group ? serve_group(context, read) : serve_reader(context, read);
}

/* Waiting. */

void command_stream_read_resolve(struct command_context *context, const struct stream_read *read,
                                 const struct span *args, size_t argc, struct buf *out)
{
    struct span *resolved = mem_alloc(argc * sizeof(*resolved));
    char *texts = mem_alloc(read->streams * STREAM_ID_CHARS + 1);
    memcpy(resolved, args, argc * sizeof(*resolved));
    for (size_t i = 0; i < read->streams; i++) {
        const struct stream *stream;
        if (!is_end(read->ids[i]) || !find(context, read->keys[i], &stream))
            continue;
        char *text = texts + i * STREAM_ID_CHARS;
        struct stream_id last_id = stream ? stream->last_id : STREAM_ID_MIN;
        resolved[argc - read->streams + i] = span_of(text, stream_id_format(text, last_id));
    }
    resp_encode_command(out, resolved, argc);
    mem_free(resolved);
    mem_free(texts);
}

/* Commands. */

/* BLOCK with nothing there answers as if the time was over. */
void command_xread_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct stream_read read;
    if (!command_stream_read_parse(context, args, argc, &read) ||
        !command_stream_read_check(context, &read))
        return;
    if (!command_stream_read_serve(context, &read))
        resp_null_array(context->reply);
}

size_t command_xread_get_keys(const struct span *args, size_t argc, size_t *positions, size_t max)
{
    size_t first = 1;
    while (first < argc && !span_is(args[first], "streams"))
        first += span_is(args[first], "group")                                    ? 3
                 : span_is(args[first], "block") || span_is(args[first], "count") ? 2
                                                                                  : 1;
    size_t count = first < argc ? (argc - first - 1) / 2 : 0;
    for (size_t i = 0; i < count && i < max; i++)
        positions[i] = first + 1 + i;
    return count;
}
