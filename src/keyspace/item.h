/* The layout of an item. Private to keyspace/.
 *
 * One allocation holds the header, the room for the value and the key:
 *
 *     struct item | room: a number, a short string, or a pointer to a long string | key
 *
 * The size of the room never changes, so an item stays where it is until its key is removed or
 * replaced. A value that does not fit into the room gets an allocation of its own. */
#ifndef FLOTILLA_KEYSPACE_ITEM_H
#define FLOTILLA_KEYSPACE_ITEM_H

#include "keyspace/keyspace.h"

enum item_form {
    FORM_INTEGER,  /* the room holds an int64_t */
    FORM_EMBEDDED, /* the room holds the bytes */
    FORM_SEPARATE, /* the room holds a struct string_block * */
};

#define NOT_IN_HEAP UINT32_MAX

struct item {
    int64_t deadline_ms;
    uint64_t revision;
    uint32_t hash;
    uint32_t heap_position; /* position in the keyspace's deadlines */
    uint32_t key_len;
    uint32_t value_len; /* length of a string that is not stored as an integer */
    uint32_t touched_s;
    uint16_t room;
    uint8_t form; /* enum item_form */
    bool edited;  /* edited in place: Redis calls such a string raw, however short */
    char bytes[]; /* the room, then the key */
};

struct string_block {
    size_t capacity;
    char bytes[];
};

/* Makes an item without a deadline. The caller sets its hash. */
struct item *item_new(struct span key, struct span value, uint64_t revision);
/* Makes an item for `key` that takes over the value of `from`, which is an empty string
 * afterwards. */
struct item *item_new_taking(struct span key, struct item *from, uint64_t revision);
struct item *item_new_copy(struct span key, const struct item *from, uint64_t revision);
void item_free(struct item *item);

/* These set a new value. None of them moves the item. */
/* Never stored as an integer. */
void item_set_text(struct item *item, struct span value, uint64_t revision);
void item_set_integer(struct item *item, int64_t value, uint64_t revision);
/* Extends the value to at least `len` bytes with zeros and returns its bytes for writing. The
 * encoding becomes raw. */
char *item_string_edit(struct item *item, size_t len, uint64_t revision);

/* digest.c: an item adds several hashes to the sum of its keyspace: one for its key, deadline and
 * length, and one for each DIGEST_PIECE bytes of its value. */
enum { DIGEST_PIECE = 1024 };
uint64_t digest_of_key(struct span key);
uint64_t digest_of_head(const struct item *item, uint64_t key_digest);
/* Sum of the hashes of the pieces that hold bytes [from, to), or up to the end of the value. */
uint64_t digest_of_pieces(const struct item *item, uint64_t key_digest, size_t from, size_t to);
uint64_t digest_of_item(const struct item *item, uint64_t key_digest);

/* Sets an integer or a text. Refuses if the item's room does not suit the value: much larger than
 * needed, or too small for a short string. */
bool item_try_set_string(struct item *item, struct span value, uint64_t revision);

static inline bool item_is_past(const struct item *item, int64_t now_ms)
{
    return item->deadline_ms <= now_ms && item->deadline_ms != NO_DEADLINE;
}

static inline struct span item_key_span(const struct item *item)
{
    return (struct span){item->bytes + item->room, item->key_len};
}

#endif
