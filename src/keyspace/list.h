/* A list of strings. A short one is one packed sequence; a longer one is a spine of chunks, each a
 * packed sequence of limited size. An element that is larger than a chunk may be has one of its
 * own. Which form a list has depends on the rules of the node and shows only in OBJECT ENCODING.
 *
 * Both ends cost O(log n), as does finding an element by its index. Inserting and removing in the
 * middle also walks over the chunks up to the nearer end.
 *
 * An index counts from 0. A text that is given must not point into the list. */
#ifndef FLOTILLA_KEYSPACE_LIST_H
#define FLOTILLA_KEYSPACE_LIST_H

#include "base/number.h"
#include "base/span.h"
#include "keyspace/listpack.h"
#include "keyspace/spine.h"
#include "keyspace/value.h"

struct list;

enum list_end { LIST_HEAD, LIST_TAIL };

struct list *list_new(void);
void list_free(struct list *list);
size_t list_count(const struct list *list);

/* Walking:
 *
 *     struct list_place place;
 *     for (bool more = list_at(list, 0, &place); more; more = list_next(&place))
 *         use(list_text(&place, scratch));
 *
 * An edit invalidates all places. */
struct list_place {
    const struct listpack *pack;
    size_t at;
    struct spine_place chunk;
};

/* These return false if there is no such element; the place is not valid then. */
bool list_at(const struct list *list, size_t index, struct list_place *place);
bool list_next(struct list_place *place);
bool list_previous(struct list_place *place);

/* The element. An integer is printed into `scratch`. */
struct span list_text(const struct list_place *place, char scratch[NUMBER_I64_CHARS]);
bool list_is(const struct list_place *place, struct span text);

void list_push(struct list *list, const struct value_rules *rules, enum list_end end,
               struct span text);
/* Removes `count` elements, but no more than there are, at one end. */
void list_drop(struct list *list, const struct value_rules *rules, enum list_end end, size_t count);
/* Before the element with this index; index = list_count(): at the end. */
void list_insert(struct list *list, const struct value_rules *rules, size_t index,
                 struct span text);
void list_set(struct list *list, const struct value_rules *rules, size_t index, struct span text);
/* Removes the first `most` elements that equal the text, seen from that end; returns how many. */
size_t list_remove(struct list *list, const struct value_rules *rules, struct span text,
                   enum list_end from, size_t most);

#endif
