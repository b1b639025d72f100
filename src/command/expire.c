/* Deadlines of keys. */
#include "command/access.h"
#include "command/data.h"
#include "command/options.h"

void command_write_expire_error(struct command_context *context, enum expire_parse outcome,
                                struct span bad)
{
    switch (outcome) {
    case EXPIRE_PARSED:
        break;
    case EXPIRE_UNSUPPORTED:
        resp_errorf(context->reply, "ERR Unsupported option %.*s", (int)bad.len, bad.ptr);
        break;
    case EXPIRE_NX_NOT_ALONE:
        resp_error(context->reply,
                   "ERR NX and XX, GT or LT options at the same time are not compatible");
        break;
    case EXPIRE_GT_AND_LT:
        resp_error(context->reply, "ERR GT and LT options at the same time are not compatible");
        break;
    }
}

bool expire_options_allow(unsigned flags, int64_t current_ms, int64_t deadline_ms)
{
    bool has = current_ms != NO_DEADLINE;
    if ((flags & EXPIRE_NX) && has)
        return false;
    if ((flags & EXPIRE_XX) && !has)
        return false;
    if ((flags & EXPIRE_GT) && (!has || deadline_ms <= current_ms))
        return false;
    if ((flags & EXPIRE_LT) && has && deadline_ms >= current_ms)
        return false;
    return true;
}

struct expire_variant {
    const char *name;
    int64_t unit_ms;
    bool relative;
};

static void expire(struct command_context *context, const struct span *args, size_t argc,
                   const struct expire_variant *variant)
{
    unsigned flags;
    struct span bad;
    enum expire_parse options = expire_options_parse(args, argc, &flags, &bad);
    if (options != EXPIRE_PARSED) {
        command_write_expire_error(context, options, bad);
        return;
    }
    int64_t deadline_ms;
    int64_t base_ms = variant->relative ? context->now_ms : 0;
    enum time_parse time = deadline_parse(args[2], variant->unit_ms, base_ms, &deadline_ms);
    if (time != TIME_PARSED) {
        command_write_time_error(context, time, variant->name);
        return;
    }
    struct item *item = command_write_item(context, args[1]);
    if (!item || !expire_options_allow(flags, item_deadline(item), deadline_ms)) {
        resp_integer(context->reply, 0);
        return;
    }
    if (deadline_ms <= context->now_ms)
        keyspace_remove_item(context->keyspace, item, context->revision);
    else
        keyspace_set_deadline(context->keyspace, item, deadline_ms, context->revision);
    context->dirty++;
    resp_integer(context->reply, 1);
}

void command_expire_run(struct command_context *context, const struct span *args, size_t argc)
{
    expire(context, args, argc, &(struct expire_variant){"expire", 1000, true});
}

void command_pexpire_run(struct command_context *context, const struct span *args, size_t argc)
{
    expire(context, args, argc, &(struct expire_variant){"pexpire", 1, true});
}

void command_expireat_run(struct command_context *context, const struct span *args, size_t argc)
{
    expire(context, args, argc, &(struct expire_variant){"expireat", 1000, false});
}

void command_pexpireat_run(struct command_context *context, const struct span *args, size_t argc)
{
    expire(context, args, argc, &(struct expire_variant){"pexpireat", 1, false});
}

/* Adds half a second in a form that cannot overflow. */
int64_t deadline_seconds(int64_t ms)
{
    return ms / 1000 + (ms % 1000 >= 500);
}

enum { NO_SUCH_KEY = -2, NEVER_EXPIRES = -1 };

static void write_deadline(struct command_context *context, struct span key, int64_t base_ms,
                           bool in_seconds)
{
    const struct item *item = command_peek_item(context, key);
    if (!item) {
        resp_integer(context->reply, NO_SUCH_KEY);
        return;
    }
    int64_t deadline_ms = item_deadline(item);
    if (deadline_ms == NO_DEADLINE) {
        resp_integer(context->reply, NEVER_EXPIRES);
        return;
    }
    int64_t ms = deadline_ms - base_ms;
    resp_integer(context->reply, in_seconds ? deadline_seconds(ms) : ms);
}

void command_ttl_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    write_deadline(context, args[1], context->now_ms, true);
}

void command_pttl_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    write_deadline(context, args[1], context->now_ms, false);
}

void command_expiretime_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    write_deadline(context, args[1], 0, true);
}

void command_pexpiretime_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    write_deadline(context, args[1], 0, false);
}

void command_persist_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    struct item *item = command_write_item(context, args[1]);
    if (!item || item_deadline(item) == NO_DEADLINE) {
        resp_integer(context->reply, 0);
        return;
    }
    keyspace_set_deadline(context->keyspace, item, NO_DEADLINE, context->revision);
    context->dirty++;
    resp_integer(context->reply, 1);
}
