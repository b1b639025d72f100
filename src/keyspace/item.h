/* The layout of an item. Private to keyspace/.
 *
 * One allocation holds the header, the time that it is due if it has one, the room for the value,
 * and the key:
 *
 *     struct item | struct item_due, if has_due | room | length of a long key | key
 *
 * The size of the room never changes. The item stays where it is until its key is removed or
 * replaced, or gets its first deadline. A value that does not fit into the room gets an allocation
 * of its own. */
#ifndef FLOTILLA_KEYSPACE_ITEM_H
#define FLOTILLA_KEYSPACE_ITEM_H

#include <string.h>
#include <xxhash.h>

#include "keyspace/keyspace.h"

enum item_form {
    FORM_INTEGER,  /* the room holds an int64_t */
    FORM_EMBEDDED, /* the room holds the bytes */
    FORM_SEPARATE, /* the room holds a struct string_block * */
    FORM_VALUE,    /* the room holds a pointer to a value of another type (value.h) */
};

#define NOT_IN_HEAP UINT32_MAX

enum { ITEM_KEY_LONG = UINT16_MAX }; /* key_len: the length stands before the key, as uint32_t */

struct item {
    uint32_t revision_low;
    uint16_t revision_high;
    uint16_t key_len;
    uint32_t touched_s;
    uint8_t room;      /* bytes */
    uint8_t value_len; /* of an embedded string */
    unsigned form : 4; /* enum item_form */
    unsigned type : 4; /* enum value_type */
    bool edited : 1;   /* edited in place: Redis calls such a string raw, however short */
    bool has_due : 1;
    char bytes[];
};

/* When something about the item is due: its own deadline, or that of an element of its value. */
struct item_due {
    int64_t deadline_ms;    /* of the key */
    uint32_t heap_position; /* in the keyspace's deadlines */
    uint32_t unused;
};

_Static_assert(sizeof(struct item) == 16 && sizeof(struct item_due) == 16, "for each key");

struct string_block {
    uint32_t len;
    uint32_t capacity;
    char bytes[];
};

static inline struct item_due *item_due(const struct item *item)
{
    return (struct item_due *)(void *)(item->has_due ? (char *)(uintptr_t)item->bytes : NULL);
}

static inline char *item_room(const struct item *item)
{
    return (char *)(uintptr_t)item->bytes + (item->has_due ? sizeof(struct item_due) : 0);
}

static inline struct span item_key_span(const struct item *item)
{
    const char *key = item_room(item) + item->room;
    if (item->key_len != ITEM_KEY_LONG)
        return (struct span){key, item->key_len};
    uint32_t len;
    memcpy(&len, key, sizeof(len));
    return (struct span){key + sizeof(len), len};
}

static inline int64_t item_deadline_ms(const struct item *item)
{
    return item->has_due ? item_due(item)->deadline_ms : NO_DEADLINE;
}

static inline bool item_is_past(const struct item *item, int64_t now_ms)
{
    if (!item->has_due)
        return false;
    int64_t deadline_ms = item_due(item)->deadline_ms;
    return deadline_ms <= now_ms && deadline_ms != NO_DEADLINE;
}

static inline bool item_is_in_heap(const struct item *item)
{
    return item->has_due && item_due(item)->heap_position != NOT_IN_HEAP;
}

static inline void item_set_revision(struct item *item, uint64_t revision)
{
    item->revision_low = (uint32_t)revision;
    item->revision_high = (uint16_t)(revision >> 32);
}

static inline uint32_t item_hash_of(struct span key, uint64_t seed)
{
    return (uint32_t)XXH3_64bits_withSeed(key.ptr, key.len, seed);
}

/* Makes an item without a deadline. */
struct item *item_new(struct span key, struct span value, uint64_t revision);
/* Takes the value over. */
struct item *item_new_value(struct span key, enum value_type type, void *value, uint64_t revision);
/* Makes an item for `key` that takes over the value of `from`, which is an empty string
 * afterwards. */
struct item *item_new_taking(struct span key, struct item *from, uint64_t revision);
struct item *item_new_copy(struct span key, const struct item *from, uint64_t revision);
/* Makes the same item with a place for a deadline. Of the old one only item_free_moved() may be
 * called. */
struct item *item_new_with_due(const struct item *item);
void item_free_moved(struct item *item);
void item_free(struct item *item);
/* Frees up to `limit` elements of a value of many elements, else the item. True: all is freed. */
bool item_free_some(struct item *item, size_t *limit);

void *item_value(const struct item *item); /* of FORM_VALUE */
/* Takes the value out of an item of FORM_VALUE, which is an empty string afterwards. */
void *item_take_value(struct item *item);
/* Takes a long string out of an item of FORM_SEPARATE: the memory to free. */
void *item_take_block(struct item *item);

/* These set a new value, a string. None of them moves the item. */
/* Never stored as an integer. */
void item_set_text(struct item *item, struct span value, uint64_t revision);
void item_set_integer(struct item *item, int64_t value, uint64_t revision);
/* Extends the value to at least `len` bytes with zeros and returns its bytes for writing. The
 * encoding becomes raw. */
char *item_string_edit(struct item *item, size_t len, uint64_t revision);

/* digest.c: an item adds several hashes to the sum of its keyspace: one for its key, deadline and
 * length or the sum of its elements, and one for each DIGEST_PIECE bytes of a string. */
enum { DIGEST_PIECE = 1024 };
uint64_t digest_of_key(struct span key);
uint64_t digest_of_head(const struct item *item, uint64_t key_digest);
/* Sum of the hashes of the pieces that hold bytes [from, to), or up to the end of the value. */
uint64_t digest_of_pieces(const struct item *item, uint64_t key_digest, size_t from, size_t to);
uint64_t digest_of_item(const struct item *item, uint64_t key_digest);

/* Sets an integer or a text. Refuses if the item's room does not suit the value: much larger than
 * needed, or too small for a short string. */
bool item_try_set_string(struct item *item, struct span value, uint64_t revision);

#endif
