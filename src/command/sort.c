/* SORT: the elements of a list, set or sorted set in another order, or what they name. */
#include "command/sort.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "command/access.h"
#include "command/data.h"
#include "keyspace/list.h"
#include "keyspace/set.h"
#include "keyspace/value.h"
#include "keyspace/zset.h"

/* The cost of reading an element, comparing two, and looking up a key. */
enum { WORK_PER_ELEMENT = 30, WORK_PER_COMPARISON = 10, WORK_PER_LOOKUP = 200 };

struct element {
    struct span text;
    double number;
    struct span weight; /* ptr NULL: the pattern names nothing */
    size_t index;       /* before sorting */
};

/* Integers of compact forms have no bytes that stay; here they have, by a number. Most results need
 * none. */
struct digits {
    char (*rows)[NUMBER_I64_CHARS];
    size_t count;
};

struct sort {
    struct command_context *context;
    struct sort_query query;
    enum value_type type;
    const void *value; /* NULL: the key is absent */
    struct sort_lookup lookup;
    struct element *elements; /* that were read: all, or only the result */
    size_t count;
    size_t first; /* of the result */
    size_t end;
    struct digits digits;        /* of elements */
    struct digits weight_digits; /* of what BY names */
};

static struct span stay(struct digits *digits, size_t row, struct span text)
{
    if (!digits->rows)
        digits->rows = mem_alloc(digits->count * sizeof(*digits->rows));
    memcpy(digits->rows[row], text.ptr, text.len);
    return span_of(digits->rows[row], text.len);
}

/* --- reading the elements --- */

static void add(struct sort *sort, struct span text, const char *scratch)
{
    size_t index = sort->count++;
    if (text.ptr == scratch)
        text = stay(&sort->digits, index, text);
    sort->elements[index] = (struct element){.text = text, .index = index};
}

/* From the end if the order is kept and descends. */
static void read_list(struct sort *sort, size_t from, size_t count)
{
    const struct list *list = sort->value;
    bool backwards = sort->query.keeps_order && sort->query.descends;
    struct list_place place;
    char scratch[NUMBER_I64_CHARS];
    bool more = list_at(list, backwards ? list_count(list) - 1 - from : from, &place);
    for (; more && sort->count < count;
         more = backwards ? list_previous(&place) : list_next(&place))
        add(sort, list_text(&place, scratch), scratch);
}

static void read_zset(struct sort *sort, size_t from, size_t count)
{
    const struct zset *zset = sort->value;
    bool backwards = sort->query.keeps_order && sort->query.descends;
    struct zset_place place;
    char scratch[NUMBER_I64_CHARS];
    bool more = zset_at(zset, backwards ? zset_count(zset) - 1 - from : from, &place);
    for (; more && sort->count < count;
         more = backwards ? zset_previous(&place) : zset_next(&place))
        add(sort, zset_place_member(&place, scratch), scratch);
}

static void read_set(struct sort *sort, size_t from, size_t count)
{
    struct set_walk walk = set_walk_from(sort->value, from);
    struct span member;
    while (sort->count < count && set_walk_next(&walk, &member))
        add(sort, member, walk.scratch);
}

static void read_elements(struct sort *sort, size_t from, size_t count)
{
    sort->elements = mem_alloc(count * sizeof(*sort->elements));
    sort->digits.count = count;
    sort->weight_digits.count = count;
    sort->context->work += count * WORK_PER_ELEMENT;
    if (count == 0)
        return;
    if (sort->type == VALUE_LIST)
        read_list(sort, from, count);
    else if (sort->type == VALUE_ZSET)
        read_zset(sort, from, count);
    else
        read_set(sort, from, count);
}

/* --- what they are compared by --- */

/* As C reads numbers, up to a zero byte. */
static bool read_number(struct span text, double *number)
{
    char few[64];
    char *copy = text.len < sizeof(few) ? few : mem_alloc(text.len + 1);
    if (text.len)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    char *end;
    errno = 0;
    *number = strtod(copy, &end);
    bool valid = *end == '\0' && errno != ERANGE && !isnan(*number);
    if (copy != few)
        mem_free(copy);
    return valid;
}

static bool weigh(struct sort *sort, struct element *element)
{
    struct span weight = element->text;
    bool fleeting = false;
    bool there = true;
    if (sort->query.by) {
        sort->context->work += WORK_PER_LOOKUP;
        there = sort_find(&sort->lookup, *sort->query.by, element->text, &weight, &fleeting);
    }
    if (!there)
        return true;
    if (!sort->query.alpha)
        return read_number(weight, &element->number);
    if (fleeting)
        weight = stay(&sort->weight_digits, element->index, weight);
    element->weight = span_of(weight.ptr ? weight.ptr : "", weight.len);
    return true;
}

/* --- sorting --- */

static int order_by_index(const struct element *a, const struct element *b)
{
    return (a->index > b->index) - (a->index < b->index);
}

static int order_by_number(const struct element *a, const struct element *b)
{
    if (a->number != b->number)
        return a->number > b->number ? 1 : -1;
    return span_compare(a->text, b->text);
}

/* What names nothing comes first. */
static int order_by_weight(const struct element *a, const struct element *b)
{
    if (!a->weight.ptr || !b->weight.ptr)
        return (a->weight.ptr != NULL) - (b->weight.ptr != NULL);
    return span_compare(a->weight, b->weight);
}

static int numbers_up(const void *a, const void *b)
{
    int order = order_by_number(a, b);
    return order ? order : order_by_index(a, b);
}

static int numbers_down(const void *a, const void *b)
{
    int order = order_by_number(b, a);
    return order ? order : order_by_index(a, b);
}

static int weights_up(const void *a, const void *b)
{
    int order = order_by_weight(a, b);
    return order ? order : order_by_index(a, b);
}

static int weights_down(const void *a, const void *b)
{
    int order = order_by_weight(b, a);
    return order ? order : order_by_index(a, b);
}

typedef int element_order(const void *a, const void *b);

static void sink(struct element *heap, size_t count, size_t at, element_order *order)
{
    struct element moving = heap[at];
    for (size_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && order(&heap[child], &heap[child + 1]) < 0)
            child++;
        if (order(&moving, &heap[child]) >= 0)
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moving;
}

/* Brings the first `few` elements in order to the front, in any order: a heap of them whose top is
 * the last meets the others one after the other. */
static void bring_first(struct sort *sort, size_t few, element_order *order)
{
    struct element *heap = sort->elements;
    for (size_t i = few / 2; i > 0; i--)
        sink(heap, few, i - 1, order);
    for (size_t i = few; i < sort->count; i++) {
        if (order(&heap[i], &heap[0]) >= 0)
            continue;
        struct element out = heap[0];
        heap[0] = heap[i];
        heap[i] = out;
        sink(heap, few, 0, order);
    }
}

static void sort_elements(struct sort *sort)
{
    bool up = !sort->query.descends;
    element_order *order = up ? numbers_up : numbers_down;
    if (sort->query.alpha)
        order = up ? weights_up : weights_down;
    if (sort->end == sort->first)
        return;
    size_t steps = 1;
    for (size_t n = sort->end; n > 1; n /= 2)
        steps++;
    sort->context->work += sort->count * steps * WORK_PER_COMPARISON;
    if (sort->end < sort->count)
        bring_first(sort, sort->end, order);
    qsort(sort->elements, sort->end, sizeof(*sort->elements), order);
}

/* --- the result --- */

static void set_bounds(struct sort *sort, size_t total)
{
    int64_t offset = sort->query.offset < 0 ? 0 : sort->query.offset;
    sort->first = (uint64_t)offset < total ? (size_t)offset : total;
    size_t left = total - sort->first;
    bool all = sort->query.count < 0 || (uint64_t)sort->query.count >= left;
    sort->end = sort->first + (all ? left : (size_t)sort->query.count);
}

/* False: a text is no number; the error was written. */
static bool arrange(struct sort *sort)
{
    size_t total = sort->value ? value_ops_of(sort->type)->count(sort->value) : 0;
    set_bounds(sort, total);
    if (sort->query.keeps_order) {
        read_elements(sort, sort->first, sort->end - sort->first);
        sort->end -= sort->first;
        sort->first = 0;
        return true;
    }
    read_elements(sort, 0, total);
    for (size_t i = 0; i < sort->count; i++) {
        if (!weigh(sort, &sort->elements[i])) {
            resp_error(sort->context->reply,
                       "ERR One or more scores can't be converted into double");
            return false;
        }
    }
    sort_elements(sort);
    return true;
}

/* One text of the result for each GET, or the element if there is none. */
struct result {
    struct span *texts; /* ptr NULL: the pattern names nothing */
    size_t count;
    struct digits digits;
    uint64_t bytes;
};

static void result_add(struct result *result, struct span text, bool fleeting)
{
    if (fleeting)
        text = stay(&result->digits, result->count, text);
    result->texts[result->count++] = span_of(text.ptr ? text.ptr : "", text.len);
    result->bytes += text.len;
}

static void get_for(struct sort *sort, struct span element, struct result *result)
{
    size_t at = 0;
    struct span pattern;
    while (sort_query_next_get(&sort->query, &at, &pattern)) {
        struct span text;
        bool fleeting;
        sort->context->work += WORK_PER_LOOKUP;
        if (sort_find(&sort->lookup, pattern, element, &text, &fleeting))
            result_add(result, text, fleeting);
        else
            result->texts[result->count++] = (struct span){0};
    }
}

/* The same long value may be named many times, so that the result is far longer than all keys. */
static bool collect(struct sort *sort, struct result *result)
{
    size_t rows = sort->end - sort->first;
    size_t columns = sort->query.gets ? sort->query.gets : 1;
    result->digits.count = rows * columns;
    result->texts = mem_alloc(rows * columns * sizeof(*result->texts));
    for (size_t i = sort->first; i < sort->end && result->bytes <= STRING_LEN_MAX; i++) {
        if (sort->query.gets)
            get_for(sort, sort->elements[i].text, result);
        else
            result_add(result, sort->elements[i].text, false);
    }
    if (result->bytes <= STRING_LEN_MAX)
        return true;
    resp_error(sort->context->reply,
               "ERR the values are longer than 512 MB in sum: ask for fewer with LIMIT");
    return false;
}

static void write_result(struct sort *sort, const struct result *result)
{
    resp_array(sort->context->reply, result->count);
    for (size_t i = 0; i < result->count; i++) {
        if (result->texts[i].ptr)
            resp_bulk(sort->context->reply, result->texts[i]);
        else
            resp_null(sort->context->reply);
    }
}

static void store_result(struct sort *sort, const struct result *result)
{
    struct command_context *context = sort->context;
    struct list *list = list_new();
    for (size_t i = 0; i < result->count; i++)
        list_push(list, command_rules(context), LIST_TAIL, result->texts[i]);
    if (command_store_value(context, *sort->query.store, VALUE_LIST, list))
        context->dirty += result->count ? result->count : 1;
    resp_integer(context->reply, (int64_t)result->count);
}

static void answer(struct sort *sort)
{
    struct result result = {0};
    if (collect(sort, &result)) {
        if (sort->query.store)
            store_result(sort, &result);
        else
            write_result(sort, &result);
    }
    mem_free(result.texts);
    mem_free(result.digits.rows);
}

static bool find_value(struct sort *sort, struct span key)
{
    const struct item *item = command_read_item(sort->context, key);
    if (!item)
        return true;
    sort->type = item_type(item);
    if (sort->type != VALUE_LIST && sort->type != VALUE_SET && sort->type != VALUE_ZSET) {
        resp_error(sort->context->reply, ERROR_WRONG_TYPE);
        return false;
    }
    sort->value = item_elements(item);
    return true;
}

static void run(struct command_context *context, const struct span *args, size_t argc,
                bool may_store)
{
    struct sort sort = {.context = context, .type = VALUE_LIST, .lookup = {.context = context}};
    if (!sort_query_parse(context, args, argc, may_store, &sort.query) ||
        !find_value(&sort, args[1]))
        return;
    /* What is stored has an order that all Redis servers agree on. */
    if (sort.query.keeps_order && sort.type == VALUE_SET && sort.query.store) {
        sort.query.keeps_order = false;
        sort.query.alpha = true;
        sort.query.by = NULL;
    }
    if (arrange(&sort))
        answer(&sort);
    sort_lookup_close(&sort.lookup);
    mem_free(sort.elements);
    mem_free(sort.digits.rows);
    mem_free(sort.weight_digits.rows);
}

void command_sort_run(struct command_context *context, const struct span *args, size_t argc)
{
    run(context, args, argc, true);
}

void command_sort_ro_run(struct command_context *context, const struct span *args, size_t argc)
{
    run(context, args, argc, false);
}

size_t command_sort_work(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    enum { BYTES_PER_ELEMENT = 128 };
    const struct item *item = argc < 2 ? NULL : keyspace_find(keyspace, args[1], NO_DEADLINE);
    if (!item || item_type(item) == VALUE_STRING)
        return 0;
    return value_ops_of(item_type(item))->count(item_elements(item)) * BYTES_PER_ELEMENT;
}

/* The last STORE counts. */
bool command_sort_looks_up(const struct span *args, size_t argc)
{
    for (size_t i = 2; i + 1 < argc; i++)
        if ((span_is(args[i], "by") || span_is(args[i], "get")) && args[i + 1].len &&
            memchr(args[i + 1].ptr, '*', args[i + 1].len))
            return true;
    return false;
}

size_t command_sort_keys(const struct span *args, size_t argc, size_t *positions, size_t max)
{
    size_t store = 0;
    for (size_t i = 2; i < argc; i++) {
        if (span_is(args[i], "limit"))
            i += 2;
        else if (span_is(args[i], "by") || span_is(args[i], "get"))
            i++;
        else if (span_is(args[i], "store") && i + 1 < argc)
            store = ++i;
    }
    if (max > 0)
        positions[0] = 1;
    if (store && max > 1)
        positions[1] = store;
    return store ? 2 : 1;
}

size_t command_sort_ro_keys(const struct span *args, size_t argc, size_t *positions, size_t max)
{
    (void)args;
    (void)argc;
    if (max > 0)
        positions[0] = 1;
    return 1;
}
