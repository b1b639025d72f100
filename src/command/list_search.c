/* Lists: commands that look for an element by its text. */
#include "command/access.h"
#include "command/data.h"
#include "keyspace/list.h"

/* Looking at an element takes some 20 ns, as long as a byte of a value counts. */
size_t command_list_work(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    const struct list *list =
        argc < 2 ? NULL : command_peek_value(keyspace, args[1], VALUE_LIST, NO_DEADLINE);
    return list ? list_count(list) : 0;
}

/* The index of the first element with this text; list_count() if there is none. */
static size_t index_of(const struct list *list, struct span text)
{
    struct list_place place;
    size_t index = 0;
    for (bool more = list_at(list, 0, &place); more; more = list_next(&place), index++) {
        if (list_is(&place, text))
            break;
    }
    return index;
}

void command_linsert_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    bool after = span_is(args[2], "after");
    if (!after && !span_is(args[2], "before")) {
        resp_error(context->reply, ERROR_SYNTAX);
        return;
    }
    struct keyspace_edit edit;
    if (!command_edit(context, args[1], VALUE_LIST, &edit))
        return;
    if (!edit.value) {
        resp_integer(context->reply, 0);
        return;
    }
    size_t index = index_of(edit.value, args[3]);
    bool found = index < list_count(edit.value);
    if (found)
        list_insert(edit.value, command_rules(context), index + after, args[4]);
    size_t count = list_count(edit.value);
    command_edit_end(context, &edit, found);
    resp_integer(context->reply, found ? (int64_t)count : -1);
}

void command_lrem_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    int64_t count;
    struct keyspace_edit edit;
    if (!command_parse_integer(context, args[2], &count) ||
        !command_edit(context, args[1], VALUE_LIST, &edit))
        return;
    size_t removed = 0;
    if (edit.value) {
        enum list_end from = count < 0 ? LIST_TAIL : LIST_HEAD;
        size_t most = count < 0 ? 0 - (size_t)count : count ? (size_t)count : SIZE_MAX;
        removed = list_remove(edit.value, command_rules(context), args[3], from, most);
        command_edit_end(context, &edit, removed);
    }
    resp_integer(context->reply, (int64_t)removed);
}

struct search {
    struct span text;
    bool backwards;
    size_t skip; /* so many matches come first */
    bool has_most;
    size_t most; /* positions; 0: all */
    size_t walk; /* elements to look at; 0: all */
};

static bool parse_rank(struct command_context *context, struct span text, struct search *search)
{
    int64_t rank;
    if (!command_parse_negatable(context, text, &rank))
        return false;
    if (rank == 0) {
        /* Redis' words */
        resp_error(context->reply, "ERR RANK can't be zero: use 1 to start from the first match, 2 "
                                   "from the second ... or use negative to start from the end of "
                                   "the list");
        return false;
    }
    search->backwards = rank < 0;
    search->skip = (rank < 0 ? 0 - (size_t)rank : (size_t)rank) - 1;
    return true;
}

/* An option with its value. False: the error was written. */
static bool parse_search_option(struct command_context *context, const struct span *args,
                                struct search *search)
{
    if (span_is(args[0], "rank"))
        return parse_rank(context, args[1], search);
    if (span_is(args[0], "count")) {
        search->has_most = true;
        return command_parse_count(context, args[1], 0, "ERR COUNT can't be negative",
                                   &search->most);
    }
    if (span_is(args[0], "maxlen"))
        return command_parse_count(context, args[1], 0, "ERR MAXLEN can't be negative",
                                   &search->walk);
    resp_error(context->reply, ERROR_SYNTAX);
    return false;
}

static bool parse_search(struct command_context *context, const struct span *args, size_t argc,
                         struct search *search)
{
    *search = (struct search){.text = args[2], .most = 1};
    for (size_t i = 3; i < argc; i += 2) {
        if (i + 1 == argc) {
            resp_error(context->reply, ERROR_SYNTAX);
            return false;
        }
        if (!parse_search_option(context, args + i, search))
            return false;
    }
    return true;
}

/* Adds the positions to `out`; returns how many. */
static size_t search_list(const struct list *list, const struct search *search,
                          struct resp_writer *out)
{
    size_t count = list_count(list), found = 0, skip = search->skip;
    size_t walk = search->walk && search->walk < count ? search->walk : count;
    struct list_place place;
    bool more = list_at(list, search->backwards && count ? count - 1 : 0, &place);
    for (size_t i = 0; more && i < walk; i++) {
        if (list_is(&place, search->text) && (skip == 0 || skip-- == 0)) {
            resp_integer(out, (int64_t)(search->backwards ? count - 1 - i : i));
            if (++found == search->most)
                break;
        }
        more = search->backwards ? list_previous(&place) : list_next(&place);
    }
    return found;
}

void command_lpos_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct search search;
    const void *list;
    if (!parse_search(context, args, argc, &search) ||
        !command_read(context, args[1], VALUE_LIST, &list))
        return;
    struct buf body = {0};
    struct resp_writer writer = {.out = &body, .protocol = context->reply->protocol};
    size_t found = list ? search_list(list, &search, &writer) : 0;
    if (search.has_most)
        resp_array(context->reply, found);
    else if (!found)
        resp_null(context->reply);
    resp_raw(context->reply, buf_span(&body));
    buf_close(&body);
}
