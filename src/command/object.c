/* Metadata of a value. */
#include "command/access.h"
#include "command/data.h"

void command_object_encoding_run(struct command_context *context, const struct span *args,
                                 size_t argc)
{
    (void)argc;
    const struct item *item = command_peek_item(context, args[2]);
    if (item)
        resp_bulk_text(context->reply, item_encoding(item));
    else
        resp_null(context->reply);
}

void command_object_freq_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    if (!command_peek_item(context, args[2])) {
        resp_null(context->reply);
        return;
    }
    resp_error(context->reply,
               "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please "
               "note that when switching between policies at runtime LRU and LFU data will take "
               "some time to adjust.");
}

void command_object_idletime_run(struct command_context *context, const struct span *args,
                                 size_t argc)
{
    (void)argc;
    const struct item *item = command_peek_item(context, args[2]);
    if (item)
        resp_integer(context->reply, item_idle_seconds(item, context->now_ms));
    else
        resp_null(context->reply);
}

/* Values are never shared, so the count is 1. */
void command_object_refcount_run(struct command_context *context, const struct span *args,
                                 size_t argc)
{
    (void)argc;
    if (command_peek_item(context, args[2]))
        resp_integer(context->reply, 1);
    else
        resp_null(context->reply);
}

void command_object_help_run(struct command_context *context, const struct span *args, size_t argc)
{
    static const char *const lines[] = {
        "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "ENCODING <key>",
        "    The form in which the value is kept.",
        "FREQ <key>",
        "    How often the key is used, if an LFU policy keeps count of it.",
        "IDLETIME <key>",
        "    The seconds since the key was last used on this node.",
        "REFCOUNT <key>",
        "    How many keys share the value: always 1.",
        "HELP",
        "    Prints this help.",
    };
    (void)args, (void)argc;
    resp_array(context->reply, sizeof(lines) / sizeof(lines[0]));
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        resp_status(context->reply, lines[i]);
}

/* SAMPLES: from how many elements the size of a value is estimated. 0: all. */
void command_memory_usage_run(struct command_context *context, const struct span *args, size_t argc)
{
    int64_t samples = 5;
    for (size_t i = 3; i < argc; i += 2) {
        bool is_samples = span_is(args[i], "samples") && i + 1 < argc;
        if (is_samples && !command_parse_integer(context, args[i + 1], &samples))
            return;
        if (!is_samples || samples < 0) {
            resp_error(context->reply, ERROR_SYNTAX);
            return;
        }
    }
    const struct item *item = keyspace_find(context->keyspace, args[2], context->now_ms);
    if (item)
        resp_integer(context->reply, (int64_t)item_memory(item, (size_t)samples));
    else
        resp_null(context->reply);
}
