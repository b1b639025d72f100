/* Commands that wait for elements. Here they do not wait: they take what there is, or reply with
 * null. Who lets them wait finds their timeout and what they wait for in the tables at the end. */
#include <math.h>

#include "base/number.h"
#include "command/access.h"
#include "command/data.h"
#include "command/pop.h"
#include "command/stream_read.h"
#include "keyspace/stream.h"
#include "keyspace/value.h"

/* Seconds with a fraction, rounded up to a millisecond. */
static bool parse_seconds(struct span text, struct command_wait *wait, struct resp_writer *reply)
{
    long double seconds;
    *wait = (struct command_wait){.waits = true};
    if (!number_parse_real(text, &seconds) || isnan(seconds)) {
        resp_error(reply, "ERR timeout is not a float or out of range");
        return false;
    }
    if (seconds < 0) {
        resp_error(reply, "ERR timeout is negative");
        return false;
    }
    if (seconds > (long double)(INT64_MAX / 2000)) {
        resp_error(reply, "ERR timeout is out of range");
        return false;
    }
    wait->timeout_ms = (uint64_t)ceill(seconds * 1000);
    return true;
}

static bool timeout_is_valid(struct command_context *context, struct span text)
{
    struct command_wait wait;
    return parse_seconds(text, &wait, context->reply);
}

/* --- lists --- */

static void pop_list(struct command_context *context, const struct span *args, size_t argc,
                     bool from_end)
{
    if (!timeout_is_valid(context, args[argc - 1]))
        return;
    for (size_t i = 1; i + 1 < argc; i++)
        if (command_pop_list_element(context, args[i], from_end))
            return;
    resp_null_array(context->reply);
}

void command_blpop_run(struct command_context *context, const struct span *args, size_t argc)
{
    pop_list(context, args, argc, false);
}

void command_brpop_run(struct command_context *context, const struct span *args, size_t argc)
{
    pop_list(context, args, argc, true);
}

void command_blmpop_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct pop_request request;
    if (command_parse_pop(context, args + 2, argc - 2, command_list_ends, &request) &&
        timeout_is_valid(context, args[1]) && !command_pop_lists(context, &request))
        resp_null_array(context->reply);
}

/* The words of BLMOVE; BRPOPLPUSH has none. */
static bool parse_move(struct command_context *context, const struct span *args, size_t argc,
                       struct list_move *move)
{
    *move = (struct list_move){.from = args[1], .to = args[2], .from_end = true};
    return argc == 4 || (command_parse_list_end(context, args[3], &move->from_end) &&
                         command_parse_list_end(context, args[4], &move->to_end));
}

static void move_element(struct command_context *context, const struct span *args, size_t argc)
{
    struct list_move move;
    if (parse_move(context, args, argc, &move) && timeout_is_valid(context, args[argc - 1]) &&
        !command_move_element(context, &move))
        resp_null(context->reply);
}

void command_blmove_run(struct command_context *context, const struct span *args, size_t argc)
{
    move_element(context, args, argc);
}

void command_brpoplpush_run(struct command_context *context, const struct span *args, size_t argc)
{
    move_element(context, args, argc);
}

/* --- sorted sets --- */

static void pop_sorted(struct command_context *context, const struct span *args, size_t argc,
                       bool from_end)
{
    if (!timeout_is_valid(context, args[argc - 1]))
        return;
    for (size_t i = 1; i + 1 < argc; i++)
        if (command_pop_sorted_element(context, args[i], from_end))
            return;
    resp_null_array(context->reply);
}

void command_bzpopmin_run(struct command_context *context, const struct span *args, size_t argc)
{
    pop_sorted(context, args, argc, false);
}

void command_bzpopmax_run(struct command_context *context, const struct span *args, size_t argc)
{
    pop_sorted(context, args, argc, true);
}

void command_bzmpop_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct pop_request request;
    if (command_parse_pop(context, args + 2, argc - 2, command_sorted_ends, &request) &&
        timeout_is_valid(context, args[1]) && !command_pop_sorted(context, &request))
        resp_null_array(context->reply);
}

/* --- what is waited for --- */

static bool parse_last(const struct span *args, size_t argc, struct command_wait *wait,
                       struct resp_writer *reply)
{
    return parse_seconds(args[argc - 1], wait, reply);
}

static bool parse_many(const struct span *args, size_t argc, struct command_wait *wait,
                       struct resp_writer *reply, const char *const words[2])
{
    struct command_context context = {.reply = reply};
    struct pop_request request;
    return command_parse_pop(&context, args + 2, argc - 2, words, &request) &&
           parse_seconds(args[1], wait, reply);
}

static bool parse_many_lists(const struct span *args, size_t argc, struct command_wait *wait,
                             struct resp_writer *reply)
{
    return parse_many(args, argc, wait, reply, command_list_ends);
}

static bool parse_many_sorted(const struct span *args, size_t argc, struct command_wait *wait,
                              struct resp_writer *reply)
{
    return parse_many(args, argc, wait, reply, command_sorted_ends);
}

static bool parse_moving(const struct span *args, size_t argc, struct command_wait *wait,
                         struct resp_writer *reply)
{
    struct command_context context = {.reply = reply};
    struct list_move move;
    return parse_move(&context, args, argc, &move) && parse_last(args, argc, wait, reply);
}

static size_t count_of(const struct keyspace *keyspace, struct span key, enum value_type type,
                       int64_t now_ms)
{
    const void *value = command_peek_value(keyspace, key, type, now_ms);
    return value ? value_ops_of(type)->count(value) : 0;
}

static size_t list_ready(const struct keyspace *keyspace, const struct span *args, size_t argc,
                         struct span key, int64_t now_ms)
{
    (void)args, (void)argc;
    return count_of(keyspace, key, VALUE_LIST, now_ms);
}

static size_t sorted_ready(const struct keyspace *keyspace, const struct span *args, size_t argc,
                           struct span key, int64_t now_ms)
{
    (void)args, (void)argc;
    return count_of(keyspace, key, VALUE_ZSET, now_ms);
}

/* A key of any type is there: the reply is elements, or an error. */
static bool any_is_there(const struct keyspace *keyspace, const struct span *keys, size_t count,
                         int64_t now_ms)
{
    for (size_t i = 0; i < count; i++)
        if (keyspace_find(keyspace, keys[i], now_ms))
            return true;
    return false;
}

static bool has_keys_up_to_last(const struct keyspace *keyspace, const struct span *args,
                                size_t argc, int64_t now_ms)
{
    return any_is_there(keyspace, args + 1, argc - 2, now_ms);
}

static bool has_source(const struct keyspace *keyspace, const struct span *args, size_t argc,
                       int64_t now_ms)
{
    (void)argc;
    return any_is_there(keyspace, args + 1, 1, now_ms);
}

static bool has_counted_keys(const struct keyspace *keyspace, const struct span *args, size_t argc,
                             int64_t now_ms)
{
    uint64_t count;
    return !number_parse_u64(args[2], &count) || count > argc - 3 ||
           any_is_there(keyspace, args + 3, (size_t)count, now_ms);
}

/* --- streams --- */

static bool parse_stream(const struct span *args, size_t argc, struct stream_read *read,
                         struct resp_writer *reply)
{
    struct command_context context = {.reply = reply};
    return command_stream_read_parse(&context, args, argc, read);
}

static bool parse_block(const struct span *args, size_t argc, struct command_wait *wait,
                        struct resp_writer *reply)
{
    struct stream_read read;
    if (!parse_stream(args, argc, &read, reply))
        return false;
    wait->waits = read.timeout_ms >= 0;
    wait->timeout_ms = read.timeout_ms > 0 ? (uint64_t)read.timeout_ms : 0;
    return true;
}

static struct span group_of(const struct span *args, size_t argc)
{
    struct stream_read read;
    struct resp_writer none = {.protocol = 2};
    return parse_stream(args, argc, &read, &none) && read.has_group ? read.group : span_of("", 0);
}

/* Of a group that has gone, and of a key that holds no stream any more, an error is waited for. */
static size_t group_ready(const struct keyspace *keyspace, const struct span *args, size_t argc,
                          struct span key, int64_t now_ms)
{
    const struct stream *stream = command_peek_value(keyspace, key, VALUE_STREAM, now_ms);
    const struct stream_group *group =
        stream ? stream_find_group(stream, group_of(args, argc)) : NULL;
    if (!group)
        return SIZE_MAX;
    struct stream_id from = group->last_id;
    struct stream_walk walk;
    struct stream_entry entry;
    return stream_id_increment(&from)
               ? stream_walk_begin(stream, from, STREAM_ID_MAX, &walk, &entry)
               : 0;
}

/* Unless all of its consumers are known and nothing is new: then running it would change nothing
 * but when the consumer was seen. */
static bool group_runs_first(const struct keyspace *keyspace, const struct span *args, size_t argc,
                             int64_t now_ms)
{
    struct stream_read read;
    struct resp_writer none = {.protocol = 2};
    if (!parse_stream(args, argc, &read, &none))
        return true;
    for (size_t i = 0; i < read.streams; i++) {
        const struct stream *stream =
            command_peek_value(keyspace, read.keys[i], VALUE_STREAM, now_ms);
        const struct stream_group *group = stream ? stream_find_group(stream, read.group) : NULL;
        if (!group || !stream_group_find_consumer(group, read.consumer) ||
            !span_equal(read.ids[i], SPAN(">")) ||
            group_ready(keyspace, args, argc, read.keys[i], now_ms))
            return true;
    }
    return false;
}

/* A reader tries itself: it takes nothing from others. */
static size_t stream_ready(const struct keyspace *keyspace, const struct span *args, size_t argc,
                           struct span key, int64_t now_ms)
{
    (void)args, (void)argc;
    return count_of(keyspace, key, VALUE_STREAM, now_ms);
}

static void settle_ids(const struct keyspace *keyspace, const struct span *args, size_t argc,
                       int64_t now_ms, struct buf *text)
{
    struct stream_read read;
    struct resp_writer none = {.protocol = 2};
    struct command_context context = {.reply = &none, .now_ms = now_ms};
    /* Only looked at. */
    context.keyspace = (struct keyspace *)(uintptr_t)keyspace;
    bool valid = command_stream_read_parse(&context, args, argc, &read);
    if (valid)
        command_stream_read_resolve(&context, &read, args, argc, text);
}

const struct command_blocking command_blocking_lists = {
    VALUE_LIST, parse_last, NULL, list_ready, has_keys_up_to_last, NULL, 0};
const struct command_blocking command_blocking_many_lists = {
    VALUE_LIST, parse_many_lists, NULL, list_ready, has_counted_keys, NULL, 0};
const struct command_blocking command_blocking_move = {VALUE_LIST, parse_moving, NULL, list_ready,
                                                       has_source, NULL,         1};
const struct command_blocking command_blocking_sorted = {
    VALUE_ZSET, parse_last, NULL, sorted_ready, has_keys_up_to_last, NULL, 0};
const struct command_blocking command_blocking_many_sorted = {
    VALUE_ZSET, parse_many_sorted, NULL, sorted_ready, has_counted_keys, NULL, 0};
const struct command_blocking command_blocking_group = {
    VALUE_STREAM, parse_block, group_of, group_ready, group_runs_first, NULL, 0};
const struct command_blocking command_blocking_streams = {
    VALUE_STREAM, parse_block, NULL, stream_ready, NULL, settle_ids, 0};
