/* A sequence of strings packed into one buffer, in the public listpack format of Redis. Private to
 * keyspace/. Zero-initialised is empty and takes no memory.
 *
 *     total bytes: 4 | count: 2 | element … | 0xff
 *     element: encoding and data | the length of both, readable from the right
 *
 * A string that is a canonical decimal integer is kept as an integer of 1 to 9 bytes. Readers see
 * no difference: every element can be had as text.
 *
 * A place is the offset of an element; 0 is no place. An edit invalidates the places behind it and
 * the pointers into the pack. A given text must not point into the pack that is edited.
 *
 * An edit moves the bytes behind it, so its cost grows with the size of the pack. */
#ifndef FLOTILLA_KEYSPACE_LISTPACK_H
#define FLOTILLA_KEYSPACE_LISTPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/number.h"
#include "base/span.h"

struct listpack {
    unsigned char *bytes; /* NULL: empty */
    uint32_t capacity;
    uint32_t count;
};

/* The largest pack, and so much more than the longest string of a client. */
#define LISTPACK_BYTES_MAX ((size_t)1 << 30)

void listpack_close(struct listpack *pack);
void listpack_copy(struct listpack *pack, const struct listpack *from); /* `pack` is empty */

/* The pack as bytes of the format, for saving. Valid until the next edit. */
struct span listpack_span(const struct listpack *pack);
/* Whether these bytes, of any origin, are a whole pack without a fault. Reads each byte once. */
bool listpack_validate(struct span bytes);
/* Fills an empty pack with a copy. False: the bytes are no valid pack, and it stays empty. */
bool listpack_load(struct listpack *pack, struct span bytes);

static inline size_t listpack_count(const struct listpack *pack)
{
    return pack->count;
}

size_t listpack_bytes(const struct listpack *pack); /* the length of listpack_span() */
static inline size_t listpack_memory(const struct listpack *pack)
{
    return pack->capacity; /* what the allocator rounds up to is part of it */
}

/* The bytes that this text takes as an element. */
size_t listpack_element_bytes(struct span text);
size_t listpack_integer_bytes(int64_t number);
/* False: the pack would exceed LISTPACK_BYTES_MAX; adding is then a bug. */
bool listpack_has_room(const struct listpack *pack, size_t more);

/* Walking. */
size_t listpack_first(const struct listpack *pack); /* 0: empty */
size_t listpack_last(const struct listpack *pack);
size_t listpack_next(const struct listpack *pack, size_t at); /* 0: `at` was the last */
size_t listpack_previous(const struct listpack *pack, size_t at);
/* Walks from the nearer end. 0: there is no such element. */
size_t listpack_nth(const struct listpack *pack, size_t index);
/* The element `count` elements behind `at`; 0: there are fewer. */
size_t listpack_skip(const struct listpack *pack, size_t at, size_t count);

/* The places of every `step`-th element, from the first on; free them. For many accesses by
 * position. */
uint32_t *listpack_places(const struct listpack *pack, size_t step);

/* Reading. */
struct listpack_value {
    bool is_integer;
    int64_t number;   /* if is_integer */
    struct span text; /* if not; it points into the pack */
};
struct listpack_value listpack_value(const struct listpack *pack, size_t at);
/* Prints an integer into `scratch`. */
struct span listpack_text(const struct listpack *pack, size_t at, char scratch[NUMBER_I64_CHARS]);
/* False: the element is not kept as an integer, and so it is not one if this pack was never
 * loaded. A loaded pack may hold integers as texts. */
bool listpack_integer(const struct listpack *pack, size_t at, int64_t *number);
bool listpack_equal(const struct listpack *pack, size_t at, struct span text);
/* The first element from `at` on that equals the text. It looks at one element and passes over
 * `skip`, and so on; `at` may be 0. 0: none. */
size_t listpack_find(const struct listpack *pack, size_t at, struct span text, size_t skip);

/* Editing. These return the place of the new element. */
size_t listpack_append(struct listpack *pack, struct span text);
size_t listpack_append_integer(struct listpack *pack, int64_t number);
/* Before the element at `at`; 0: at the end. */
size_t listpack_insert(struct listpack *pack, size_t at, struct span text);
size_t listpack_insert_integer(struct listpack *pack, size_t at, int64_t number);
size_t listpack_replace(struct listpack *pack, size_t at, struct span text);
size_t listpack_replace_integer(struct listpack *pack, size_t at, int64_t number);

/* Removes up to `count` elements from `at` on; returns the place of the one that follows, 0: none.
 * An empty pack has freed its memory. */
size_t listpack_delete(struct listpack *pack, size_t at, size_t count);
/* The same by position; returns how many it removed. */
size_t listpack_delete_range(struct listpack *pack, size_t index, size_t count);
/* Removes `count` elements from `at` on, by the rule for removals of value.h: a pack of more than
 * VALUE_ORDER_KEPT times `count` elements moves its last `count` elements into their place. */
void listpack_take_out(struct listpack *pack, size_t at, size_t count);
/* Adds a copy of up to `count` elements of another pack, from `at` on, at the end. */
void listpack_append_from(struct listpack *pack, const struct listpack *from, size_t at,
                          size_t count);

/* Makes room for `more` bytes of elements at once. */
void listpack_reserve(struct listpack *pack, size_t more);
void listpack_shrink(struct listpack *pack); /* gives up the spare room */

#endif
