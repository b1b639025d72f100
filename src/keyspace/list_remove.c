/* Removing the elements of a list that equal a text. */
#include "keyspace/list_form.h"

/* Both return how many they removed. */
static size_t remove_forwards(struct listpack *pack, struct span text, size_t most)
{
    size_t removed = 0;
    size_t at = listpack_find(pack, listpack_first(pack), text, 0);
    while (at && removed < most) {
        at = listpack_delete(pack, at, 1);
        removed++;
        at = listpack_find(pack, at, text, 0);
    }
    return removed;
}

static size_t remove_backwards(struct listpack *pack, struct span text, size_t most)
{
    size_t removed = 0;
    for (size_t at = listpack_last(pack); at && removed < most;) {
        size_t previous = listpack_previous(pack, at);
        if (listpack_equal(pack, at, text)) {
            listpack_delete(pack, at, 1);
            removed++;
        }
        at = previous;
    }
    return removed;
}

static size_t remove_from(struct listpack *pack, struct span text, enum list_end from, size_t most)
{
    return from == LIST_HEAD ? remove_forwards(pack, text, most)
                             : remove_backwards(pack, text, most);
}

static struct series series_of(const struct listpack *pack)
{
    struct series series = series_empty();
    char scratch[NUMBER_I64_CHARS];
    for (size_t at = listpack_first(pack); at; at = listpack_next(pack, at))
        series = series_join(series, series_one(listpack_text(pack, at, scratch)));
    return series;
}

/* A chunk moves into the one before it if both fit into one. `place` then becomes that one's. */
static void join(struct list *list, const struct list_limits *limits, struct spine_place *place)
{
    struct spine_place previous = *place;
    if (!spine_previous(&previous))
        return;
    struct chunk *left = previous.leaf, *right = place->leaf;
    size_t count = listpack_count(&left->pack) + listpack_count(&right->pack);
    if (count > limits->count ||
        listpack_bytes(&left->pack) + listpack_bytes(&right->pack) > limits->bytes)
        return;
    listpack_append_from(&left->pack, &right->pack, listpack_first(&right->pack),
                         listpack_count(&right->pack));
    left->series = series_join(left->series, right->series);
    spine_set_count(&list->spine, &previous, count);
    list_chunk_free(right);
    if (spine_remove(&list->spine, place))
        spine_previous(place);
    else
        spine_last(&list->spine, place);
}

static bool step(struct spine_place *place, enum list_end from)
{
    return from == LIST_HEAD ? spine_next(place) : spine_previous(place);
}

/* Goes on from a chunk that has lost elements, in the direction of the walk. */
static bool leave_chunk(struct list *list, const struct list_limits *limits,
                        struct spine_place *place, enum list_end from)
{
    struct chunk *chunk = place->leaf;
    size_t left = listpack_count(&chunk->pack);
    if (left == 0) {
        list_chunk_free(chunk);
        if (spine_remove(&list->spine, place))
            return from == LIST_HEAD || spine_previous(place);
        return from == LIST_TAIL && spine_last(&list->spine, place);
    }
    spine_set_count(&list->spine, place, left);
    /* The chunk joins the one that the walk has passed. */
    struct spine_place later = *place;
    if (from == LIST_HEAD || spine_next(&later))
        join(list, limits, &later);
    if (from == LIST_HEAD || later.leaf == chunk)
        *place = later;
    return step(place, from);
}

static struct series extend(struct series sum, struct series more, enum list_end from)
{
    return from == LIST_HEAD ? series_join(sum, more) : series_join(more, sum);
}

static size_t remove_long(struct list *list, const struct list_limits *limits, struct span text,
                          enum list_end from, size_t most)
{
    /* What the walk has passed, as it was before and as it is now. */
    struct series before = series_empty(), now = series_empty();
    size_t removed = 0;
    struct spine_place place;
    bool more =
        from == LIST_HEAD ? spine_first(&list->spine, &place) : spine_last(&list->spine, &place);
    while (more && removed < most) {
        struct chunk *chunk = place.leaf;
        before = extend(before, chunk->series, from);
        size_t here = remove_from(&chunk->pack, text, from, most - removed);
        removed += here;
        if (here)
            chunk->series = series_of(&chunk->pack);
        now = extend(now, chunk->series, from);
        more = here ? leave_chunk(list, limits, &place, from) : step(&place, from);
    }
    if (from == LIST_HEAD)
        list->series = series_join(now, series_without_front(list->series, before));
    else
        list->series = series_join(series_without_back(list->series, before), now);
    return removed;
}

size_t list_remove(struct list *list, const struct value_rules *rules, struct span text,
                   enum list_end from, size_t most)
{
    struct list_limits limits = list_limits(rules);
    size_t removed;
    if (list->is_long) {
        removed = remove_long(list, &limits, text, from, most);
        list_shorten(list, &limits);
    } else {
        removed = remove_from(&list->pack, text, from, most);
        if (removed)
            list->series = series_of(&list->pack);
    }
    return removed;
}
