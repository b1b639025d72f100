/* XPENDING, XCLAIM and XAUTOCLAIM: entries that were delivered and not acknowledged. */
#include "base/number.h"
#include "command/data.h"
#include "command/stream_access.h"

/* XPENDING. */

static void write_summary(struct command_context *context, const struct stream_group *group)
{
    struct resp_writer *reply = context->reply;
    struct stream_pending_walk walk;
    const struct stream_pending *first = stream_pending_seek(group, NULL, STREAM_ID_MIN, &walk);
    resp_array(reply, 4);
    resp_integer(reply, (int64_t)stream_group_pending_count(group));
    if (!first) {
        resp_null(reply);
        resp_null(reply);
        resp_null_array(reply);
        return;
    }
    command_stream_write_id(reply, first->id);
    command_stream_write_id(reply, stream_group_last_pending(group));
    size_t owners = 0;
    for (size_t i = 0; i < group->consumers_count; i++)
        owners += stream_consumer_pending_count(group->consumers[i]) > 0;
    resp_array(reply, owners);
    for (size_t i = 0; i < group->consumers_count; i++) {
        const struct stream_consumer *consumer = group->consumers[i];
        size_t count = stream_consumer_pending_count(consumer);
        if (count == 0)
            continue;
        resp_array(reply, 2);
        resp_bulk(reply, stream_consumer_name(consumer));
        resp_bulk_i64(reply, (int64_t)count);
    }
}

/* What the long form asks for. */
struct pending_filter {
    int64_t min_idle_ms;
    struct stream_id from;
    struct stream_id to;
    int64_t count;
    struct span consumer;
    bool has_consumer;
};

static bool parse_filter(struct command_context *context, const struct span *args, size_t argc,
                         struct pending_filter *filter)
{
    size_t at = 3;
    if (argc < 6 || argc > 9)
        return command_refuse(context, ERROR_SYNTAX);
    if (span_is(args[at], "idle")) {
        if (!command_parse_integer(context, args[at + 1], &filter->min_idle_ms))
            return false;
        if (argc < 8)
            return command_refuse(context, ERROR_SYNTAX);
        at += 2;
    }
    if (!command_parse_integer(context, args[at + 2], &filter->count) ||
        !command_stream_parse_start(context, args[at], &filter->from) ||
        !command_stream_parse_end(context, args[at + 1], &filter->to))
        return false;
    filter->has_consumer = at + 3 < argc;
    if (filter->has_consumer)
        filter->consumer = args[at + 3];
    return true;
}

/* Moves to the next entry within the range that has been idle for long enough. */
static const struct stream_pending *skip_busy(const struct pending_filter *filter, int64_t now_ms,
                                              const struct stream_pending *pending,
                                              struct stream_pending_walk *walk)
{
    while (pending && filter->min_idle_ms &&
           command_stream_elapsed_ms(now_ms, pending->delivered_ms) < filter->min_idle_ms)
        pending = stream_pending_next(walk);
    return pending && stream_id_compare(pending->id, filter->to) <= 0 ? pending : NULL;
}

/* Finds how many there are, and then writes them: `reply` NULL only counts. */
static size_t list_pending(struct command_context *context, const struct stream_group *group,
                           const struct pending_filter *filter, struct resp_writer *reply)
{
    struct stream_pending_walk walk;
    const struct stream_consumer *consumer =
        filter->has_consumer ? stream_group_find_consumer(group, filter->consumer) : NULL;
    if (filter->has_consumer && !consumer)
        return 0;
    size_t count = 0;
    const struct stream_pending *pending =
        stream_pending_seek(group, consumer, filter->from, &walk);
    while ((int64_t)count < filter->count) {
        pending = skip_busy(filter, context->now_ms, pending, &walk);
        if (!pending)
            break;
        count++;
        if (reply) {
            resp_array(reply, 4);
            command_stream_write_id(reply, pending->id);
            resp_bulk(reply, stream_consumer_name(pending->owner));
            resp_integer(reply, command_stream_elapsed_ms(context->now_ms, pending->delivered_ms));
            resp_integer(reply, (int64_t)pending->deliveries);
        }
        pending = stream_pending_next(&walk);
    }
    return count;
}

void command_xpending_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct pending_filter filter = {0};
    const void *stream;
    if (argc > 3 && !parse_filter(context, args, argc, &filter))
        return;
    if (!command_read(context, args[1], VALUE_STREAM, &stream))
        return;
    const struct stream_group *group = command_stream_need_group(context, stream, args[1], args[2]);
    if (!group)
        return;
    if (argc == 3) {
        write_summary(context, group);
        return;
    }
    resp_array(context->reply, list_pending(context, group, &filter, NULL));
    list_pending(context, group, &filter, context->reply);
}

/* Claiming. */

static bool parse_min_idle(struct command_context *context, struct span text, const char *error,
                           int64_t *min_idle_ms)
{
    if (!number_parse_i64(text, min_idle_ms))
        return command_refuse(context, error);
    if (*min_idle_ms < 0)
        *min_idle_ms = 0;
    return true;
}

/* One run of XCLAIM or XAUTOCLAIM. */
struct claiming {
    struct stream *stream;
    struct stream_group *group;
    struct stream_consumer *consumer;
    int64_t now_ms;
    int64_t min_idle_ms;
    int64_t delivered_ms;
    int64_t deliveries; /* -1: one more */
    bool only_ids;
    bool force;
    struct stream_ids claimed;
    uint64_t changes;
};

enum claim { CLAIM_DONE, CLAIM_NO_ENTRY, CLAIM_NOT };

/* An entry that was deleted loses its place among the pending ones. */
static enum claim claim(struct claiming *claiming, struct stream_id id)
{
    struct stream_entry entry;
    const struct stream_pending *known = stream_group_find_pending(claiming->group, id);
    if (!stream_find(claiming->stream, id, &entry)) {
        claiming->changes += stream_group_acknowledge(claiming->group, id);
        return CLAIM_NO_ENTRY;
    }
    if (!known && !claiming->force)
        return CLAIM_NOT;
    if (known && claiming->min_idle_ms &&
        command_stream_elapsed_ms(claiming->now_ms, known->delivered_ms) < claiming->min_idle_ms)
        return CLAIM_NOT;
    /* XCLAIM with FORCE makes an entry that has never been delivered, and so counts once. */
    uint64_t deliveries = known ? known->deliveries : 1;
    if (claiming->deliveries >= 0)
        deliveries = (uint64_t)claiming->deliveries;
    else if (!claiming->only_ids)
        deliveries++;
    struct stream_pending fresh = {id, claiming->delivered_ms, deliveries, claiming->consumer};
    stream_group_deliver(claiming->group, &fresh);
    stream_consumer_touch(claiming->group, claiming->consumer, claiming->now_ms, claiming->now_ms);
    command_stream_ids_add(&claiming->claimed, id);
    claiming->changes++;
    return CLAIM_DONE;
}

static void write_claimed(struct command_context *context, const struct claiming *claiming)
{
    size_t count = command_stream_ids_count(&claiming->claimed);
    resp_array(context->reply, count);
    for (size_t i = 0; i < count; i++) {
        struct stream_id id = command_stream_ids_at(&claiming->claimed, i);
        struct stream_entry entry;
        if (claiming->only_ids)
            command_stream_write_id(context->reply, id);
        else if (stream_find(claiming->stream, id, &entry))
            command_stream_write_entry(context->reply, &entry);
    }
}

/* Begins the edit. False: the error was written, and there is nothing to end. */
static bool edit_group(struct command_context *context, const struct span *args,
                       struct keyspace_edit *edit, struct claiming *claiming)
{
    if (!command_edit(context, args[1], VALUE_STREAM, edit))
        return false;
    *claiming = (struct claiming){.stream = edit->value, .now_ms = context->now_ms};
    claiming->group = command_stream_need_group(context, edit->value, args[1], args[2]);
    if (!claiming->group && edit->value)
        command_edit_end(context, edit, 0);
    return claiming->group != NULL;
}

/* XCLAIM. */

struct claim_options {
    int64_t time_ms; /* -1: not given */
    struct stream_id last_id;
    size_t ids_end; /* the position behind the last ID */
};

static bool parse_number(struct command_context *context, struct span text, const char *error,
                         int64_t *number)
{
    return number_parse_i64(text, number) || command_refuse(context, error);
}

static bool parse_time(struct command_context *context, const struct span *args,
                       struct claim_options *options)
{
    if (span_is(args[0], "time"))
        return parse_number(context, args[1], "ERR Invalid TIME option argument for XCLAIM",
                            &options->time_ms);
    if (!parse_number(context, args[1], "ERR Invalid IDLE option argument for XCLAIM",
                      &options->time_ms))
        return false;
    options->time_ms = (int64_t)((uint64_t)context->now_ms - (uint64_t)options->time_ms);
    return true;
}

static bool parse_claim_option(struct command_context *context, const struct span *args,
                               size_t more, struct claiming *claiming,
                               struct claim_options *options)
{
    if (span_is(args[0], "force")) {
        claiming->force = true;
    } else if (span_is(args[0], "justid")) {
        claiming->only_ids = true;
    } else if (more && (span_is(args[0], "idle") || span_is(args[0], "time"))) {
        return parse_time(context, args, options);
    } else if (more && span_is(args[0], "retrycount")) {
        return parse_number(context, args[1], "ERR Invalid RETRYCOUNT option argument for XCLAIM",
                            &claiming->deliveries);
    } else if (more && span_is(args[0], "lastid")) {
        return command_stream_parse_id(context, args[1], &options->last_id);
    } else {
        resp_errorf(context->reply, "ERR Unrecognized XCLAIM option '%.*s'", (int)args[0].len,
                    args[0].ptr);
        return false;
    }
    return true;
}

static bool parse_claim(struct command_context *context, const struct span *args, size_t argc,
                        struct claiming *claiming, struct claim_options *options)
{
    struct stream_id id;
    *options = (struct claim_options){.time_ms = -1, .ids_end = 5};
    claiming->deliveries = -1;
    if (!parse_min_idle(context, args[4], "ERR Invalid min-idle-time argument for XCLAIM",
                        &claiming->min_idle_ms))
        return false;
    while (options->ids_end < argc && stream_id_parse(args[options->ids_end], 0, &id))
        options->ids_end++;
    for (size_t i = options->ids_end; i < argc; i++) {
        if (!parse_claim_option(context, args + i, argc - i - 1, claiming, options))
            return false;
        bool has_value = !span_is(args[i], "force") && !span_is(args[i], "justid");
        i += has_value;
    }
    bool is_sane = options->time_ms >= 0 && options->time_ms <= context->now_ms;
    claiming->delivered_ms = is_sane ? options->time_ms : context->now_ms;
    return true;
}

static void run_claim(struct command_context *context, const struct span *args,
                      struct claiming *claiming, const struct claim_options *options)
{
    struct stream_group *group = claiming->group;
    if (stream_id_compare(options->last_id, group->last_id) > 0)
        stream_group_set_position(group, options->last_id, group->entries_read);
    claiming->consumer = command_stream_seen_consumer(context, group, args[3]);
    claiming->changes++;
    for (size_t i = 5; i < options->ids_end; i++) {
        struct stream_id id;
        if (stream_id_parse(args[i], 0, &id))
            claim(claiming, id);
    }
    write_claimed(context, claiming);
}

void command_xclaim_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct keyspace_edit edit;
    struct claiming claiming;
    struct claim_options options;
    if (!edit_group(context, args, &edit, &claiming))
        return;
    if (parse_claim(context, args, argc, &claiming, &options))
        run_claim(context, args, &claiming, &options);
    command_stream_ids_close(&claiming.claimed);
    command_edit_end(context, &edit, claiming.changes);
}

/* XAUTOCLAIM. */

enum { AUTOCLAIM_COUNT = 100, ATTEMPTS_PER_COUNT = 10, COUNT_BYTES = 16 };

struct autoclaim_options {
    int64_t min_idle_ms;
    struct stream_id from;
    int64_t count;
    bool only_ids;
};

static bool parse_autoclaim(struct command_context *context, const struct span *args, size_t argc,
                            struct autoclaim_options *options)
{
    *options = (struct autoclaim_options){.count = AUTOCLAIM_COUNT};
    if (!parse_min_idle(context, args[4], "ERR Invalid min-idle-time argument for XAUTOCLAIM",
                        &options->min_idle_ms) ||
        !command_stream_parse_start(context, args[5], &options->from))
        return false;
    for (size_t i = 6; i < argc; i++) {
        if (i + 1 < argc && span_is(args[i], "count")) {
            if (!number_parse_i64(args[++i], &options->count) || options->count < 1 ||
                options->count > INT64_MAX / COUNT_BYTES)
                return command_refuse(context, "ERR COUNT must be > 0");
        } else if (span_is(args[i], "justid")) {
            options->only_ids = true;
        } else {
            return command_refuse(context, ERROR_SYNTAX);
        }
    }
    return true;
}

/* Claims from options->from on. Sets `next` to where another call goes on; 0-0: there is no more.
 * Returns the IDs of entries that were deleted and are not pending any more. */
static struct stream_ids autoclaim(struct claiming *claiming,
                                   const struct autoclaim_options *options, struct stream_id *next)
{
    struct stream_ids deleted = {0};
    int64_t count = options->count, attempts = options->count * ATTEMPTS_PER_COUNT;
    struct stream_pending_walk walk;
    struct stream_pending *pending =
        stream_pending_seek(claiming->group, NULL, options->from, &walk);
    while (pending && count > 0 && attempts-- > 0) {
        struct stream_id id = pending->id;
        enum claim outcome = claim(claiming, id);
        count -= outcome != CLAIM_NOT;
        if (outcome == CLAIM_NO_ENTRY) {
            command_stream_ids_add(&deleted, id);
            pending = stream_pending_seek(claiming->group, NULL, id, &walk);
        } else {
            pending = stream_pending_next(&walk);
        }
    }
    *next = pending ? pending->id : STREAM_ID_MIN;
    return deleted;
}

void command_xautoclaim_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct autoclaim_options options;
    struct keyspace_edit edit;
    struct claiming claiming;
    struct stream_id next;
    if (!parse_autoclaim(context, args, argc, &options) ||
        !edit_group(context, args, &edit, &claiming))
        return;
    claiming.min_idle_ms = options.min_idle_ms;
    claiming.only_ids = options.only_ids;
    claiming.deliveries = -1;
    claiming.delivered_ms = context->now_ms;
    claiming.consumer = command_stream_seen_consumer(context, claiming.group, args[3]);
    claiming.changes = 1;
    struct stream_ids deleted = autoclaim(&claiming, &options, &next);
    resp_array(context->reply, 3);
    command_stream_write_id(context->reply, next);
    write_claimed(context, &claiming);
    resp_array(context->reply, command_stream_ids_count(&deleted));
    for (size_t i = 0; i < command_stream_ids_count(&deleted); i++)
        command_stream_write_id(context->reply, command_stream_ids_at(&deleted, i));
    command_stream_ids_close(&deleted);
    command_stream_ids_close(&claiming.claimed);
    command_edit_end(context, &edit, claiming.changes);
}
