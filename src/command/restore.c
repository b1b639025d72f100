/* DUMP and RESTORE: values as payloads that any Redis can exchange. */
#include "base/number.h"
#include "command/access.h"
#include "command/data.h"
#include "keyspace/rdb.h"

struct restore_options {
    bool replace;
    bool absolute; /* the time is a deadline, not a time to live */
    bool has_idle;
    bool has_frequency;
    struct span idle_text; /* of IDLETIME */
    int64_t idle_seconds;
};

/* The value is copied, a string also compressed, and a slow checksum made of it. */
enum { DUMP_WORK_PER_BYTE = 6 };

size_t command_dump_work(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    return DUMP_WORK_PER_BYTE * command_copy_work(keyspace, args, argc);
}

void command_dump_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    const struct item *item = command_read_item(context, args[1]);
    if (!item) {
        resp_null(context->reply);
        return;
    }
    struct buf payload = {0};
    rdb_dump_value(item, &payload);
    resp_bulk(context->reply, buf_span(&payload));
    buf_close(&payload);
}

/* The numbers of IDLETIME, and of FREQ, which has no effect as long as no policy counts uses. */
static const char *parse_usage(struct span text, int64_t max, const char *beyond, int64_t *value)
{
    if (!number_parse_i64(text, value))
        return ERROR_NOT_INTEGER;
    return *value < 0 || *value > max ? beyond : NULL;
}

/* Returns the error, or NULL. */
static const char *parse_options(const struct span *args, size_t argc,
                                 struct restore_options *options)
{
    const char *error = NULL;
    for (size_t i = 4; i < argc && !error; i++) {
        bool more = i + 1 < argc;
        if (span_equal_nocase(args[i], SPAN("replace"))) {
            options->replace = true;
        } else if (span_equal_nocase(args[i], SPAN("absttl"))) {
            options->absolute = true;
        } else if (more && !options->has_frequency &&
                   span_equal_nocase(args[i], SPAN("idletime"))) {
            options->has_idle = true;
            options->idle_text = args[++i];
            error = parse_usage(args[i], INT64_MAX, "ERR Invalid IDLETIME value, must be >= 0",
                                &options->idle_seconds);
        } else if (more && !options->has_idle && span_equal_nocase(args[i], SPAN("freq"))) {
            options->has_frequency = true;
            int64_t frequency;
            error = parse_usage(args[++i], 255, "ERR Invalid FREQ value, must be >= 0 and <= 255",
                                &frequency);
        } else {
            error = ERROR_SYNTAX;
        }
    }
    return error;
}

static const char *payload_error(enum rdb_payload payload)
{
    switch (payload) {
    case RDB_PAYLOAD_FINE:
        return NULL;
    case RDB_PAYLOAD_WRONG_CHECKSUM:
        return "ERR DUMP payload version or checksum are wrong";
    case RDB_PAYLOAD_BAD_FORMAT:
        return "ERR Bad data format";
    }
    return NULL;
}

static const char *parse_time(struct span text, int64_t *time_ms)
{
    if (!number_parse_i64(text, time_ms))
        return ERROR_NOT_INTEGER;
    return *time_ms < 0 ? "ERR Invalid TTL value, must be >= 0" : NULL;
}

/* A time to live that leads beyond the largest time has passed, as in Redis. The deadline is then
 * not 0, because 0 means none in the form that enters the log. */
static int64_t deadline_of(int64_t time_ms, bool absolute, int64_t now_ms)
{
    if (time_ms == 0)
        return NO_DEADLINE;
    if (absolute)
        return time_ms;
    return time_ms > INT64_MAX - now_ms ? 1 : time_ms + now_ms;
}

static void touch(struct command_context *context, struct item *item,
                  const struct restore_options *options)
{
    int64_t now_s = context->now_ms / 1000;
    int64_t idle_s = options->idle_seconds < now_s ? options->idle_seconds : now_s;
    item_touch(item, context->now_ms - idle_s * 1000);
}

/* As in Redis, a key that is there is removed and created again. */
static void put(struct command_context *context, struct span key, struct rdb_value *value,
                const struct restore_options *options, int64_t deadline_ms)
{
    bool was_there = keyspace_remove(context->keyspace, key, context->revision);
    bool is_past = deadline_ms != NO_DEADLINE && deadline_ms <= context->now_ms;
    if (was_there || !is_past)
        context->dirty++;
    if (!is_past)
        touch(context,
              rdb_store_value(context->keyspace, key, value, deadline_ms, context->revision),
              options);
}

static const char *restore(struct command_context *context, const struct span *args, size_t argc)
{
    struct restore_options options = {.replace = false};
    int64_t time_ms;
    const char *error = parse_options(args, argc, &options);
    const struct item *there = error ? NULL : command_write_item(context, args[1]);
    if (!error && there && !options.replace)
        error = "BUSYKEY Target key name already exists.";
    if (!error)
        error = parse_time(args[2], &time_ms);
    if (error)
        return error;
    struct rdb_value value;
    error = payload_error(rdb_read_payload(args[3], command_rules(context), &value));
    if (!error)
        put(context, args[1], &value, &options,
            deadline_of(time_ms, options.absolute, context->now_ms));
    rdb_value_close(&value);
    return error;
}

void command_restore_run(struct command_context *context, const struct span *args, size_t argc)
{
    const char *error = restore(context, args, argc);
    if (error)
        resp_error(context->reply, error);
    else
        resp_status(context->reply, "OK");
}

void command_restore_rewrite(const struct span *args, size_t argc, int64_t now_ms,
                             struct command_rewritten *out)
{
    struct restore_options options = {.replace = false};
    int64_t time_ms;
    if (parse_options(args, argc, &options) || parse_time(args[2], &time_ms) || time_ms == 0 ||
        options.absolute)
        return;
    int64_t deadline_ms = deadline_of(time_ms, false, now_ms);
    out->args[out->argc++] = SPAN("RESTORE");
    out->args[out->argc++] = args[1];
    out->args[out->argc++] = span_of(out->text, number_format_i64(out->text, deadline_ms));
    out->args[out->argc++] = args[3];
    if (options.replace)
        out->args[out->argc++] = SPAN("REPLACE");
    if (options.has_idle) {
        out->args[out->argc++] = SPAN("IDLETIME");
        out->args[out->argc++] = options.idle_text;
    }
    out->args[out->argc++] = SPAN("ABSTTL");
}
