/* Strings under conditions that plain SET and DEL do not know. */
#include "command/access.h"
#include "command/data.h"
#include "command/options.h"

void command_delifeq_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    struct item *item;
    if (!command_find_string(context, args[1], &item))
        return;
    bool matches = command_string_is(item, args[2]);
    if (matches) {
        keyspace_remove_item(context->keyspace, item, context->revision);
        context->dirty++;
    }
    resp_integer(context->reply, matches);
}

enum { FIRST_PAIR = 2 };

/* Reads the pairs and what follows them. Writes the error. */
static bool parse_msetex(struct command_context *context, const struct span *args, size_t argc,
                         struct set_options *options, size_t *end)
{
    size_t pairs;
    if (!msetex_count(args, argc, &pairs)) {
        resp_error(context->reply, "ERR invalid numkeys value or out of range");
        return false;
    }
    *end = FIRST_PAIR + 2 * pairs;
    if (*end > argc || !set_options_parse(args, argc, *end, MSETEX_OPTIONS, options)) {
        resp_error(context->reply, ERROR_SYNTAX);
        return false;
    }
    return true;
}

static bool all_are(struct command_context *context, const struct span *args, size_t end,
                    bool present)
{
    for (size_t i = FIRST_PAIR; i < end; i += 2)
        if ((command_write_item(context, args[i]) != NULL) != present)
            return false;
    return true;
}

/* All keys are set or none. */
void command_msetex_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct set_options options;
    size_t end;
    if (!parse_msetex(context, args, argc, &options, &end))
        return;
    int64_t deadline_ms;
    enum time_parse time = set_options_deadline(&options, context->now_ms, &deadline_ms);
    if (time != TIME_PARSED) {
        command_write_time_error(context, time, "msetex");
        return;
    }
    unsigned flags = options.flags;
    bool refused = ((flags & SET_NX) && !all_are(context, args, end, false)) ||
                   ((flags & SET_XX) && !all_are(context, args, end, true));
    for (size_t i = FIRST_PAIR; !refused && i < end; i += 2) {
        if (flags & SET_KEEPTTL)
            command_write_item(context, args[i]); /* a deadline that has passed is not kept */
        command_store_string(context, args[i], args[i + 1], flags & SET_KEEPTTL, deadline_ms);
    }
    resp_integer(context->reply, !refused);
}
