#include "command/access.h"
#include "command/sort.h"

static bool parse_limit(struct command_context *context, const struct span *args,
                        struct sort_query *query)
{
    return command_parse_integer(context, args[1], &query->offset) &&
           command_parse_integer(context, args[2], &query->count);
}

static bool has_star(struct span pattern)
{
    return pattern.len && memchr(pattern.ptr, '*', pattern.len);
}

/* The arguments that an option takes besides its word; SIZE_MAX: there is no such option. */
static size_t option_len(struct span word, size_t more, bool may_store)
{
    if (span_is(word, "asc") || span_is(word, "desc") || span_is(word, "alpha"))
        return 0;
    if (span_is(word, "limit") && more >= 2)
        return 2;
    if ((span_is(word, "by") || span_is(word, "get")) && more >= 1)
        return 1;
    return may_store && span_is(word, "store") && more >= 1 ? 1 : SIZE_MAX;
}

static bool take_option(struct command_context *context, const struct span *args,
                        struct sort_query *query)
{
    if (span_is(args[0], "asc")) {
        query->descends = false;
    } else if (span_is(args[0], "desc")) {
        query->descends = true;
    } else if (span_is(args[0], "alpha")) {
        query->alpha = true;
    } else if (span_is(args[0], "limit")) {
        return parse_limit(context, args, query);
    } else if (span_is(args[0], "by")) {
        /* One pattern without a star is enough, as in Redis. */
        query->by = &args[1];
        query->keeps_order |= !has_star(args[1]);
    } else if (span_is(args[0], "get")) {
        query->gets++;
    } else {
        query->store = &args[1];
    }
    return true;
}

bool sort_query_parse(struct command_context *context, const struct span *args, size_t argc,
                      bool may_store, struct sort_query *query)
{
    *query = (struct sort_query){.args = args, .argc = argc, .count = -1};
    for (size_t i = 2; i < argc; i++) {
        size_t len = option_len(args[i], argc - i - 1, may_store);
        if (len == SIZE_MAX) {
            resp_error(context->reply, ERROR_SYNTAX);
            return false;
        }
        if (!take_option(context, args + i, query))
            return false;
        i += len;
    }
    return true;
}

bool sort_query_next_get(const struct sort_query *query, size_t *at, struct span *pattern)
{
    for (size_t i = *at ? *at : 2; i < query->argc; i++) {
        bool is_get = span_is(query->args[i], "get");
        i += option_len(query->args[i], query->argc - i - 1, true);
        if (!is_get)
            continue;
        *pattern = query->args[i];
        *at = i + 1;
        return true;
    }
    return false;
}

/* --- what patterns name --- */

struct pattern {
    struct span before; /* the star */
    struct span behind;
    struct span field; /* empty: the key is of a string */
};

/* False: without a star the pattern names nothing. */
static bool split(struct span text, struct pattern *pattern)
{
    const char *star = text.len ? memchr(text.ptr, '*', text.len) : NULL;
    if (!star)
        return false;
    const char *end = text.ptr + text.len;
    *pattern = (struct pattern){
        .before = span_of(text.ptr, (size_t)(star - text.ptr)),
        .behind = span_of(star + 1, (size_t)(end - star - 1)),
    };
    const char *arrow = memmem(star + 1, pattern->behind.len, "->", 2);
    if (arrow && arrow + 2 < end) {
        pattern->field = span_of(arrow + 2, (size_t)(end - arrow - 2));
        pattern->behind.len = (size_t)(arrow - star - 1);
    }
    return true;
}

static bool find_field(struct sort_lookup *lookup, const struct item *item, struct span field,
                       struct span *found, bool *fleeting)
{
    struct hash_entry *entry = &lookup->entry;
    if (item_type(item) != VALUE_HASH ||
        !hash_find(item_elements(item), field, lookup->context->now_ms, entry))
        return false;
    *found = entry->value;
    *fleeting = entry->value.ptr == entry->value_scratch;
    return true;
}

static bool find_string(struct sort_lookup *lookup, const struct item *item, struct span *found,
                        bool *fleeting)
{
    if (item_type(item) != VALUE_STRING)
        return false;
    *found = item_string(item, lookup->scratch);
    *fleeting = found->ptr == lookup->scratch;
    return true;
}

bool sort_find(struct sort_lookup *lookup, struct span pattern, struct span element,
               struct span *found, bool *fleeting)
{
    struct pattern parts;
    *fleeting = false;
    if (span_equal(pattern, SPAN("#"))) {
        *found = element;
        return true;
    }
    if (!split(pattern, &parts))
        return false;
    lookup->key.len = 0;
    buf_add_span(&lookup->key, parts.before);
    buf_add_span(&lookup->key, element);
    buf_add_span(&lookup->key, parts.behind);
    const struct item *item = command_read_item(lookup->context, buf_span(&lookup->key));
    if (!item)
        return false;
    return parts.field.len ? find_field(lookup, item, parts.field, found, fleeting)
                           : find_string(lookup, item, found, fleeting);
}

void sort_lookup_close(struct sort_lookup *lookup)
{
    buf_close(&lookup->key);
}
