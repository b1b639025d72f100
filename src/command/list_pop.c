/* Lists: taking elements off the ends. */
#include "command/access.h"
#include "command/data.h"
#include "command/pop.h"
#include "command/range.h"
#include "keyspace/list.h"

const char *const command_list_ends[2] = {"left", "right"};
const char *const command_sorted_ends[2] = {"min", "max"};

static enum list_end end_of(bool from_end)
{
    return from_end ? LIST_TAIL : LIST_HEAD;
}

/* Writes the elements in the order in which they leave the list. The caller has written the head of
 * an array. */
static void pop(struct command_context *context, struct keyspace_edit *edit, bool from_end,
                size_t count)
{
    struct list *list = edit->value;
    struct list_place place;
    char scratch[NUMBER_I64_CHARS];
    bool more = count && list_at(list, from_end ? list_count(list) - 1 : 0, &place);
    for (size_t i = 0; more && i < count; i++) {
        resp_bulk(context->reply, list_text(&place, scratch));
        more = from_end ? list_previous(&place) : list_next(&place);
    }
    list_drop(list, command_rules(context), end_of(from_end), count);
    command_edit_end(context, edit, count);
}

static size_t at_most(const struct list *list, size_t count)
{
    return count < list_count(list) ? count : list_count(list);
}

static void run_pop(struct command_context *context, const struct span *args, size_t argc,
                    bool from_end)
{
    size_t count = 1;
    struct keyspace_edit edit;
    if (argc > 3) {
        resp_errorf(context->reply, "ERR wrong number of arguments for '%s' command",
                    from_end ? "rpop" : "lpop");
        return;
    }
    if ((argc == 3 && !command_parse_count(context, args[2], 0, NULL, &count)) ||
        !command_edit(context, args[1], VALUE_LIST, &edit))
        return;
    if (!edit.value) {
        if (argc == 3)
            resp_null_array(context->reply);
        else
            resp_null(context->reply);
        return;
    }
    count = at_most(edit.value, count);
    if (argc == 3)
        resp_array(context->reply, count);
    pop(context, &edit, from_end, count);
}

void command_lpop_run(struct command_context *context, const struct span *args, size_t argc)
{
    run_pop(context, args, argc, false);
}

void command_rpop_run(struct command_context *context, const struct span *args, size_t argc)
{
    run_pop(context, args, argc, true);
}

bool command_pop_list_element(struct command_context *context, struct span key, bool from_end)
{
    struct keyspace_edit edit;
    if (!command_edit(context, key, VALUE_LIST, &edit))
        return true;
    if (!edit.value)
        return false;
    resp_array(context->reply, 2);
    resp_bulk(context->reply, key);
    pop(context, &edit, from_end, 1);
    return true;
}

bool command_pop_lists(struct command_context *context, const struct pop_request *request)
{
    for (size_t i = 0; i < request->key_count; i++) {
        struct keyspace_edit edit;
        if (!command_edit(context, request->keys[i], VALUE_LIST, &edit))
            return true;
        if (!edit.value)
            continue;
        size_t count = at_most(edit.value, request->count);
        resp_array(context->reply, 2);
        resp_bulk(context->reply, request->keys[i]);
        resp_array(context->reply, count);
        pop(context, &edit, request->from_end, count);
        return true;
    }
    return false;
}

bool command_parse_pop(struct command_context *context, const struct span *args, size_t argc,
                       const char *const words[2], struct pop_request *request)
{
    *request = (struct pop_request){.keys = args + 1, .count = 1};
    if (!command_parse_count(context, args[0], 1, "ERR numkeys should be greater than 0",
                             &request->key_count))
        return false;
    if (request->key_count >= argc - 1) {
        resp_error(context->reply, ERROR_SYNTAX);
        return false;
    }
    size_t at = 1 + request->key_count;
    request->from_end = span_is(args[at], words[1]);
    bool fine = request->from_end || span_is(args[at], words[0]);
    for (size_t i = at + 1; fine && i < argc; i += 2) {
        fine = i == at + 1 && i + 1 < argc && span_is(args[i], "count");
        if (fine && !command_parse_count(context, args[i + 1], 1,
                                         "ERR count should be greater than 0", &request->count))
            return false;
    }
    if (!fine)
        resp_error(context->reply, ERROR_SYNTAX);
    return fine;
}

void command_lmpop_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct pop_request request;
    if (command_parse_pop(context, args + 1, argc - 1, command_list_ends, &request) &&
        !command_pop_lists(context, &request))
        resp_null_array(context->reply);
}

bool command_parse_list_end(struct command_context *context, struct span text, bool *is_end)
{
    *is_end = span_is(text, command_list_ends[1]);
    return *is_end || span_is(text, command_list_ends[0]) || command_refuse(context, ERROR_SYNTAX);
}

/* The element is copied, because it may move within one list. */
static void move_element(struct command_context *context, struct keyspace_edit *from,
                         struct keyspace_edit *to, const struct list_move *move)
{
    struct list *list = from->value;
    const struct value_rules *rules = command_rules(context);
    struct list_place place;
    char scratch[NUMBER_I64_CHARS];
    list_at(list, move->from_end ? list_count(list) - 1 : 0, &place);
    struct span text = list_text(&place, scratch);
    char few[256];
    struct buf many = {0};
    if (text.len > sizeof(few))
        buf_add_span(&many, text);
    else if (text.len)
        memcpy(few, text.ptr, text.len);
    text.ptr = many.len ? many.ptr : few;
    list_drop(list, rules, end_of(move->from_end), 1);
    list_push(to->value, rules, end_of(move->to_end), text);
    command_edit_end(context, from, 1);
    if (from != to) {
        command_edit_end(context, to, 1);
        context->dirty--; /* Redis counts a move once */
    }
    resp_bulk(context->reply, text);
    buf_close(&many);
}

bool command_move_element(struct command_context *context, const struct list_move *move)
{
    struct keyspace_edit from, to;
    if (!command_edit(context, move->from, VALUE_LIST, &from))
        return true;
    if (!from.value)
        return false;
    if (span_equal(move->from, move->to)) {
        move_element(context, &from, &from, move);
        return true;
    }
    if (command_edit_or_new(context, move->to, VALUE_LIST, &to))
        move_element(context, &from, &to, move);
    else
        command_edit_end(context, &from, 0);
    return true;
}

void command_lmove_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    struct list_move move = {.from = args[1], .to = args[2]};
    if (command_parse_list_end(context, args[3], &move.from_end) &&
        command_parse_list_end(context, args[4], &move.to_end) &&
        !command_move_element(context, &move))
        resp_null(context->reply);
}

void command_rpoplpush_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    struct list_move move = {.from = args[1], .to = args[2], .from_end = true};
    if (!command_move_element(context, &move))
        resp_null(context->reply);
}
