/* Lists: adding at the ends, reading and changing by index. */
#include "keyspace/list.h"

#include "command/access.h"
#include "command/data.h"
#include "command/range.h"

static void push(struct command_context *context, const struct span *args, size_t argc,
                 enum list_end end)
{
    struct keyspace_edit edit;
    if (!command_edit_or_new(context, args[1], VALUE_LIST, &edit))
        return;
    for (size_t i = 2; i < argc; i++)
        list_push(edit.value, command_rules(context), end, args[i]);
    size_t count = list_count(edit.value);
    command_edit_end(context, &edit, argc - 2);
    resp_integer(context->reply, (int64_t)count);
}

static void push_if_there(struct command_context *context, const struct span *args, size_t argc,
                          enum list_end end)
{
    struct keyspace_edit edit;
    if (!command_edit(context, args[1], VALUE_LIST, &edit))
        return;
    if (!edit.value) {
        resp_integer(context->reply, 0);
        return;
    }
    for (size_t i = 2; i < argc; i++)
        list_push(edit.value, command_rules(context), end, args[i]);
    size_t count = list_count(edit.value);
    command_edit_end(context, &edit, argc - 2);
    resp_integer(context->reply, (int64_t)count);
}

void command_lpush_run(struct command_context *context, const struct span *args, size_t argc)
{
    push(context, args, argc, LIST_HEAD);
}

void command_rpush_run(struct command_context *context, const struct span *args, size_t argc)
{
    push(context, args, argc, LIST_TAIL);
}

void command_lpushx_run(struct command_context *context, const struct span *args, size_t argc)
{
    push_if_there(context, args, argc, LIST_HEAD);
}

void command_rpushx_run(struct command_context *context, const struct span *args, size_t argc)
{
    push_if_there(context, args, argc, LIST_TAIL);
}

void command_llen_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    const void *list;
    if (command_read(context, args[1], VALUE_LIST, &list))
        resp_integer(context->reply, list ? (int64_t)list_count(list) : 0);
}

/* False: there is no such element. */
static bool find_index(const struct list *list, int64_t from, size_t *index)
{
    int64_t count = (int64_t)list_count(list);
    if (from < 0)
        from += count;
    *index = (size_t)from;
    return from >= 0 && from < count;
}

void command_lindex_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    const void *list;
    int64_t from;
    size_t index;
    struct list_place place;
    char scratch[NUMBER_I64_CHARS];
    if (!command_read(context, args[1], VALUE_LIST, &list))
        return;
    if (list && !command_parse_integer(context, args[2], &from))
        return;
    if (list && find_index(list, from, &index) && list_at(list, index, &place))
        resp_bulk(context->reply, list_text(&place, scratch));
    else
        resp_null(context->reply);
}

void command_lset_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    struct keyspace_edit edit;
    int64_t from;
    size_t index;
    if (!command_edit(context, args[1], VALUE_LIST, &edit))
        return;
    if (!edit.value) {
        resp_error(context->reply, ERROR_NO_KEY);
        return;
    }
    bool is_number = command_parse_integer(context, args[2], &from);
    bool found = is_number && find_index(edit.value, from, &index);
    if (found)
        list_set(edit.value, command_rules(context), index, args[3]);
    command_edit_end(context, &edit, found);
    if (found)
        resp_status(context->reply, "OK");
    else if (is_number)
        resp_error(context->reply, "ERR index out of range");
}

void command_lrange_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    const void *list;
    int64_t from, to;
    if (!command_parse_integer(context, args[2], &from) ||
        !command_parse_integer(context, args[3], &to) ||
        !command_read(context, args[1], VALUE_LIST, &list))
        return;
    struct range range = range_of(from, to, list ? list_count(list) : 0);
    resp_array(context->reply, range.count);
    struct list_place place;
    char scratch[NUMBER_I64_CHARS];
    bool more = range.count && list_at(list, range.first, &place);
    for (; more && range.count; range.count--, more = list_next(&place))
        resp_bulk(context->reply, list_text(&place, scratch));
}

void command_ltrim_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    struct keyspace_edit edit;
    int64_t from, to;
    if (!command_parse_integer(context, args[2], &from) ||
        !command_parse_integer(context, args[3], &to) ||
        !command_edit(context, args[1], VALUE_LIST, &edit))
        return;
    if (edit.value) {
        size_t count = list_count(edit.value);
        struct range range = range_of(from, to, count);
        size_t behind = count - range.first - range.count;
        list_drop(edit.value, command_rules(context), LIST_HEAD, range.first);
        list_drop(edit.value, command_rules(context), LIST_TAIL, behind);
        command_edit_end(context, &edit, count - range.count);
    }
    resp_status(context->reply, "OK");
}
