/* Changing a list. */
#include "base/assert.h"
#include "base/mem.h"
#include "keyspace/list_form.h"
#include "keyspace/listpack_code.h"

enum { HEAD_AND_TRAILER_MAX = 10 }; /* what a text takes in a pack besides its bytes */

/* Redis' rule for a list that is one pack, and so it may be longer than a chunk by the heads of
 * elements. */
static bool stays_packed(const struct listpack *pack, struct span text,
                         const struct list_limits *limits)
{
    size_t count = listpack_count(pack);
    return count == 0 ||
           (count < limits->count && listpack_bytes(pack) + text.len <= limits->bytes);
}

/* A chunk ends where its memory does: one byte more would cost the next size of the allocator. */
static bool has_room(const struct listpack *pack, struct span text,
                     const struct list_limits *limits)
{
    return listpack_count(pack) == 0 ||
           (listpack_count(pack) < limits->count &&
            listpack_bytes(pack) + text.len + HEAD_AND_TRAILER_MAX <= limits->bytes);
}

static void pack_put(struct listpack *pack, size_t offset, struct span text)
{
    listpack_insert(pack, listpack_nth(pack, offset), text);
}

/* The sum of `count` elements of a pack. */
static struct series series_of(const struct listpack *pack, size_t index, size_t count)
{
    struct series series = series_empty();
    char scratch[NUMBER_I64_CHARS];
    size_t at = count ? listpack_nth(pack, index) : 0;
    for (; at && count; count--, at = listpack_next(pack, at))
        series = series_join(series, series_one(listpack_text(pack, at, scratch)));
    return series;
}

/* The sum of one element. That of a chunk's only element, which may be long, is known. */
static struct series series_of_one(const struct chunk *chunk, size_t index)
{
    return listpack_count(&chunk->pack) == 1 ? chunk->series : series_of(&chunk->pack, index, 1);
}

static struct chunk *chunk_new(struct span text, struct series series)
{
    struct chunk *chunk = mem_alloc(sizeof(*chunk));
    *chunk = (struct chunk){.series = series};
    listpack_append(&chunk->pack, text);
    return chunk;
}

static void recount(struct list *list, const struct spine_place *place)
{
    const struct chunk *chunk = place->leaf;
    spine_set_count(&list->spine, place, listpack_count(&chunk->pack));
}

/* An element that is to be added. */
struct element {
    struct span text;
    struct series series;
};

static void chunk_put_first(struct list *list, struct spine_place *place,
                            const struct element *element)
{
    struct chunk *chunk = place->leaf;
    pack_put(&chunk->pack, 0, element->text);
    chunk->series = series_join(element->series, chunk->series);
    recount(list, place);
}

static void chunk_put_last(struct list *list, struct spine_place *place,
                           const struct element *element)
{
    struct chunk *chunk = place->leaf;
    listpack_append(&chunk->pack, element->text);
    chunk->series = series_join(chunk->series, element->series);
    recount(list, place);
}

static void chunk_put(struct list *list, struct spine_place *place, size_t offset,
                      const struct element *element)
{
    struct chunk *chunk = place->leaf;
    struct series before = series_of(&chunk->pack, 0, offset);
    struct series after = series_without_front(chunk->series, before);
    pack_put(&chunk->pack, offset, element->text);
    chunk->series = series_join(before, series_join(element->series, after));
    recount(list, place);
}

/* The elements from `offset` on become a chunk of their own, at the same place; `place` keeps the
 * ones before. */
static void split(struct list *list, struct spine_place *place, size_t offset)
{
    struct chunk *left = place->leaf;
    size_t moved = listpack_count(&left->pack) - offset;
    struct chunk *right = mem_alloc(sizeof(*right));
    *right = (struct chunk){0};
    listpack_append_from(&right->pack, &left->pack, listpack_nth(&left->pack, offset), moved);
    listpack_delete_range(&left->pack, offset, moved);
    left->series = series_of(&left->pack, 0, offset);
    right->series = series_of(&right->pack, 0, moved);
    recount(list, place);
    spine_insert_after(&list->spine, place, right, moved);
    spine_previous(place);
}

static bool end_chunk(const struct list *list, enum list_end end, struct spine_place *place)
{
    return end == LIST_HEAD ? spine_first(&list->spine, place) : spine_last(&list->spine, place);
}

/* The chunk at this end may have been a packed list. If it is too long for a chunk, the element at
 * this end leaves it. */
static void shed(struct list *list, const struct list_limits *limits, enum list_end end,
                 struct spine_place *place)
{
    struct chunk *chunk = place->leaf;
    size_t count = listpack_count(&chunk->pack);
    if (count == 1 || listpack_bytes(&chunk->pack) <= limits->bytes)
        return;
    split(list, place, end == LIST_HEAD ? 1 : count - 1);
    if (end == LIST_HEAD)
        spine_next(place);
    listpack_shrink(&((struct chunk *)place->leaf)->pack);
    end_chunk(list, end, place);
}

static void push_long(struct list *list, const struct list_limits *limits, enum list_end end,
                      const struct element *element)
{
    struct spine_place place;
    bool any = end_chunk(list, end, &place);
    if (any)
        shed(list, limits, end, &place);
    struct chunk *chunk = place.leaf;
    if (any && has_room(&chunk->pack, element->text, limits)) {
        if (end == LIST_HEAD)
            chunk_put_first(list, &place, element);
        else
            chunk_put_last(list, &place, element);
        return;
    }
    if (any)
        listpack_shrink(&chunk->pack);
    chunk = chunk_new(element->text, element->series);
    if (end == LIST_HEAD)
        spine_prepend(&list->spine, chunk, 1, NULL);
    else
        spine_append(&list->spine, chunk, 1, NULL);
}

void list_push(struct list *list, const struct value_rules *rules, enum list_end end,
               struct span text)
{
    struct list_limits limits = list_limits(rules);
    struct element element = {text, series_one(text)};
    if (!list->is_long && !stays_packed(&list->pack, text, &limits))
        list_lengthen(list);
    if (list->is_long)
        push_long(list, &limits, end, &element);
    else if (end == LIST_HEAD)
        pack_put(&list->pack, 0, text);
    else
        listpack_append(&list->pack, text);
    list->series = end == LIST_HEAD ? series_join(element.series, list->series)
                                    : series_join(list->series, element.series);
}

/* Removes elements of a chunk at one end and returns their sum. The chunk may become empty. */
static struct series chunk_drop(struct chunk *chunk, enum list_end end, size_t count)
{
    size_t has = listpack_count(&chunk->pack);
    struct series dropped = chunk->series;
    if (count < has) {
        size_t index = end == LIST_HEAD ? 0 : has - count;
        dropped = series_of(&chunk->pack, index, count);
        listpack_delete_range(&chunk->pack, index, count);
        chunk->series = end == LIST_HEAD ? series_without_front(chunk->series, dropped)
                                         : series_without_back(chunk->series, dropped);
    } else {
        listpack_close(&chunk->pack);
    }
    return dropped;
}

static struct series drop_long(struct list *list, enum list_end end, size_t count)
{
    struct series dropped = series_empty();
    struct spine *spine = &list->spine;
    while (count) {
        struct spine_place place;
        if (end == LIST_HEAD)
            spine_first(spine, &place);
        else
            spine_last(spine, &place);
        struct chunk *chunk = place.leaf;
        size_t has = listpack_count(&chunk->pack);
        size_t some = count < has ? count : has;
        struct series part = chunk_drop(chunk, end, some);
        dropped = end == LIST_HEAD ? series_join(dropped, part) : series_join(part, dropped);
        count -= some;
        if (some < has) {
            recount(list, &place);
        } else {
            spine_remove(spine, &place);
            list_chunk_free(chunk);
        }
    }
    return dropped;
}

void list_drop(struct list *list, const struct value_rules *rules, enum list_end end, size_t count)
{
    struct list_limits limits = list_limits(rules);
    size_t has = list_count(list);
    if (count > has)
        count = has;
    struct series dropped;
    if (list->is_long) {
        dropped = drop_long(list, end, count);
        list_shorten(list, &limits);
    } else {
        size_t index = end == LIST_HEAD ? 0 : has - count;
        dropped = series_of(&list->pack, index, count);
        listpack_delete_range(&list->pack, index, count);
    }
    list->series = end == LIST_HEAD ? series_without_front(list->series, dropped)
                                    : series_without_back(list->series, dropped);
}

/* The sum of all chunks before this one. Walks over those up to the nearer end. */
static struct series series_before(const struct list *list, struct spine_place place)
{
    struct series sum = series_empty();
    if (spine_rank(&place) < list->spine.count / 2) {
        while (spine_previous(&place))
            sum = series_join(((const struct chunk *)place.leaf)->series, sum);
        return sum;
    }
    do
        sum = series_join(sum, ((const struct chunk *)place.leaf)->series);
    while (spine_next(&place));
    return series_without_back(list->series, sum);
}

/* Adds an element before the one at `offset` of a chunk, or behind its last one. If the chunk is
 * full, a neighbour may take it, or two halves make room. Does not change the list's own sum. */
static void put_long(struct list *list, const struct list_limits *limits, struct spine_place *place,
                     size_t offset, const struct element *element)
{
    struct chunk *chunk = place->leaf;
    size_t count = listpack_count(&chunk->pack);
    if (has_room(&chunk->pack, element->text, limits)) {
        chunk_put(list, place, offset, element);
        return;
    }
    struct spine_place other = *place;
    if (offset > 0 && offset < count) {
        split(list, place, offset);
        if (has_room(&chunk->pack, element->text, limits)) {
            chunk_put_last(list, place, element);
            return;
        }
        other = *place;
        offset = listpack_count(&chunk->pack);
    }
    if (offset == 0) {
        if (spine_previous(&other) &&
            has_room(&((const struct chunk *)other.leaf)->pack, element->text, limits))
            chunk_put_last(list, &other, element);
        else
            spine_insert_before(&list->spine, place, chunk_new(element->text, element->series), 1);
    } else if (spine_next(&other) &&
               has_room(&((const struct chunk *)other.leaf)->pack, element->text, limits)) {
        chunk_put_first(list, &other, element);
    } else {
        spine_insert_after(&list->spine, place, chunk_new(element->text, element->series), 1);
    }
}

void list_insert(struct list *list, const struct value_rules *rules, size_t index, struct span text)
{
    size_t count = list_count(list);
    ASSERT(index <= count);
    if (index == 0 || index == count) {
        list_push(list, rules, index == 0 ? LIST_HEAD : LIST_TAIL, text);
        return;
    }
    struct list_limits limits = list_limits(rules);
    struct element element = {text, series_one(text)};
    if (!list->is_long && !stays_packed(&list->pack, text, &limits))
        list_lengthen(list);
    struct series before;
    if (list->is_long) {
        struct spine_place place;
        size_t offset;
        spine_at_rank(&list->spine, index, &place, &offset);
        before = series_join(series_before(list, place),
                             series_of(&((const struct chunk *)place.leaf)->pack, 0, offset));
        put_long(list, &limits, &place, offset, &element);
    } else {
        before = series_of(&list->pack, 0, index);
        pack_put(&list->pack, index, text);
    }
    struct series after = series_without_front(list->series, before);
    list->series = series_join(before, series_join(element.series, after));
}

/* Whether a pack may hold this text in place of the one at `at`. What takes no more room than that
 * one always fits: a list that was one pack may be longer than a chunk. */
static bool has_room_instead(const struct listpack *pack, size_t at, struct span text,
                             const struct list_limits *limits)
{
    size_t old = listpack_bytes_at(pack->bytes + at);
    size_t fresh = listpack_element_bytes(text);
    return listpack_count(pack) == 1 || fresh <= old ||
           listpack_bytes(pack) - old + fresh <= limits->bytes;
}

/* Returns the sum of the element that was there. */
static struct series set_long(struct list *list, const struct list_limits *limits, size_t index,
                              const struct element *element)
{
    struct spine_place place;
    size_t offset;
    spine_at_rank(&list->spine, index, &place, &offset);
    struct chunk *chunk = place.leaf;
    struct series old = series_of_one(chunk, offset);
    size_t at = listpack_nth(&chunk->pack, offset);
    uint64_t power = series_power(offset);
    if (has_room_instead(&chunk->pack, at, element->text, limits)) {
        listpack_replace(&chunk->pack, at, element->text);
        chunk->series.sum += (element->series.sum - old.sum) * power;
    } else {
        struct series before = series_of(&chunk->pack, 0, offset);
        struct series after = series_without_front(chunk->series, series_join(before, old));
        listpack_delete(&chunk->pack, at, 1);
        chunk->series = series_join(before, after);
        recount(list, &place);
        put_long(list, limits, &place, offset, element);
    }
    return old;
}

void list_set(struct list *list, const struct value_rules *rules, size_t index, struct span text)
{
    ASSERT(index < list_count(list));
    struct list_limits limits = list_limits(rules);
    struct element element = {text, series_one(text)};
    size_t at = list->is_long ? 0 : listpack_nth(&list->pack, index);
    if (at && !has_room_instead(&list->pack, at, text, &limits))
        list_lengthen(list);
    struct series old;
    if (list->is_long) {
        old = set_long(list, &limits, index, &element);
        list_shorten(list, &limits);
    } else {
        old = series_of(&list->pack, index, 1);
        listpack_replace(&list->pack, at, text);
    }
    list->series.sum += (element.series.sum - old.sum) * series_power(index);
}
