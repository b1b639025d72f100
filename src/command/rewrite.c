/* A relative time would mean another moment each time the log is replayed, so the log gets the
 * absolute time. Everything else is kept, so that the reply is that of the original command.
 * Arguments that the original would refuse are left alone. */
#include "base/assert.h"
#include "base/mem.h"
#include "base/number.h"
#include "command/data.h"
#include "command/options.h"

const struct span *command_logged_args(const struct command_rewritten *rewritten,
                                       const struct span *original, size_t *argc,
                                       struct span **memory)
{
    *memory = NULL;
    if (rewritten->argc == 0)
        return original;
    size_t before = rewritten->before;
    size_t after = rewritten->after;
    ASSERT(before + after <= *argc);
    const struct span *last = original + *argc - after;
    *argc = before + rewritten->argc + after;
    if (before + after == 0)
        return rewritten->args;
    struct span *args = mem_alloc(*argc * sizeof(*args));
    memcpy(args, original, before * sizeof(*args));
    memcpy(args + before, rewritten->args, rewritten->argc * sizeof(*args));
    memcpy(args + before + rewritten->argc, last, after * sizeof(*args));
    *memory = args;
    return args;
}

static void add(struct command_rewritten *out, struct span arg)
{
    out->args[out->argc++] = arg;
}

static void add_number(struct command_rewritten *out, int64_t number)
{
    add(out, span_of(out->text, number_format_i64(out->text, number)));
}

static void add_set(struct command_rewritten *out, struct span key, struct span value)
{
    add(out, SPAN("SET"));
    add(out, key);
    add(out, value);
}

static void add_pxat(struct command_rewritten *out, int64_t deadline_ms)
{
    add(out, SPAN("PXAT"));
    add_number(out, deadline_ms);
}

void command_set_rewrite(const struct span *args, size_t argc, int64_t now_ms,
                         struct command_rewritten *out)
{
    struct set_options options;
    int64_t deadline_ms;
    if (argc < 5 || !set_options_parse(args, argc, 3, SET_OPTIONS, &options))
        return;
    if (!(options.flags & (SET_EX | SET_PX | SET_EXAT)) ||
        set_options_deadline(&options, now_ms, &deadline_ms) != TIME_PARSED)
        return;
    add_set(out, args[1], args[2]);
    if (options.flags & SET_NX)
        add(out, SPAN("NX"));
    if (options.flags & SET_XX)
        add(out, SPAN("XX"));
    if (options.flags & SET_IFEQ) {
        add(out, SPAN("IFEQ"));
        add(out, options.expected);
    }
    if (options.flags & SET_GET)
        add(out, SPAN("GET"));
    add_pxat(out, deadline_ms);
}

/* The pairs stay as they are. */
void command_msetex_rewrite(const struct span *args, size_t argc, int64_t now_ms,
                            struct command_rewritten *out)
{
    size_t pairs;
    struct set_options options;
    int64_t deadline_ms;
    if (!msetex_count(args, argc, &pairs) || 2 + 2 * pairs > argc ||
        !set_options_parse(args, argc, 2 + 2 * pairs, MSETEX_OPTIONS, &options))
        return;
    if (!(options.flags & (SET_EX | SET_PX | SET_EXAT)) ||
        set_options_deadline(&options, now_ms, &deadline_ms) != TIME_PARSED)
        return;
    out->before = 2 + 2 * pairs;
    if (options.flags & SET_NX)
        add(out, SPAN("NX"));
    if (options.flags & SET_XX)
        add(out, SPAN("XX"));
    add_pxat(out, deadline_ms);
}

static void rewrite_setex(const struct span *args, int64_t unit_ms, int64_t now_ms,
                          struct command_rewritten *out)
{
    int64_t deadline_ms;
    if (deadline_parse_positive(args[2], unit_ms, now_ms, &deadline_ms) != TIME_PARSED)
        return;
    add_set(out, args[1], args[3]);
    add_pxat(out, deadline_ms);
}

void command_setex_rewrite(const struct span *args, size_t argc, int64_t now_ms,
                           struct command_rewritten *out)
{
    (void)argc;
    rewrite_setex(args, 1000, now_ms, out);
}

void command_psetex_rewrite(const struct span *args, size_t argc, int64_t now_ms,
                            struct command_rewritten *out)
{
    (void)argc;
    rewrite_setex(args, 1, now_ms, out);
}

void command_getex_rewrite(const struct span *args, size_t argc, int64_t now_ms,
                           struct command_rewritten *out)
{
    struct set_options options;
    int64_t deadline_ms;
    if (!set_options_parse(args, argc, 2, GETEX_OPTIONS, &options))
        return;
    if (!(options.flags & (SET_EX | SET_PX | SET_EXAT)) ||
        set_options_deadline(&options, now_ms, &deadline_ms) != TIME_PARSED)
        return;
    add(out, SPAN("GETEX"));
    add(out, args[1]);
    add_pxat(out, deadline_ms);
}

/* A deadline before 1970 has passed, like 1970 itself, and Redis can load the latter. */
static void rewrite_expire(const struct span *args, size_t argc, int64_t unit_ms, int64_t base_ms,
                           struct command_rewritten *out)
{
    unsigned flags;
    struct span bad;
    int64_t deadline_ms;
    if (expire_options_parse(args, argc, &flags, &bad) != EXPIRE_PARSED)
        return;
    if (deadline_parse(args[2], unit_ms, base_ms, &deadline_ms) != TIME_PARSED)
        return;
    add(out, SPAN("PEXPIREAT"));
    add(out, args[1]);
    add_number(out, deadline_ms > 0 ? deadline_ms : 0);
    if (flags & EXPIRE_NX)
        add(out, SPAN("NX"));
    if (flags & EXPIRE_XX)
        add(out, SPAN("XX"));
    if (flags & EXPIRE_GT)
        add(out, SPAN("GT"));
    if (flags & EXPIRE_LT)
        add(out, SPAN("LT"));
}

void command_expire_rewrite(const struct span *args, size_t argc, int64_t now_ms,
                            struct command_rewritten *out)
{
    rewrite_expire(args, argc, 1000, now_ms, out);
}

void command_pexpire_rewrite(const struct span *args, size_t argc, int64_t now_ms,
                             struct command_rewritten *out)
{
    rewrite_expire(args, argc, 1, now_ms, out);
}

void command_expireat_rewrite(const struct span *args, size_t argc, int64_t now_ms,
                              struct command_rewritten *out)
{
    (void)now_ms;
    rewrite_expire(args, argc, 1000, 0, out);
}

void command_pexpireat_rewrite(const struct span *args, size_t argc, int64_t now_ms,
                               struct command_rewritten *out)
{
    (void)now_ms;
    if (args[2].len && args[2].ptr[0] == '-')
        rewrite_expire(args, argc, 1, 0, out);
}
