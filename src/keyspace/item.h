/* What an item is made of. Private to keyspace/.
 *
 * One allocation holds the header, the room for the value and the key:
 *
 *     struct item | room: a number, a short string, or a pointer to a long one | key
 *
 * The room never changes, so that an item stays where it is for as long as its key does; a value
 * that does not fit goes to an allocation of its own. */
#ifndef FLOTILLA_KEYSPACE_ITEM_H
#define FLOTILLA_KEYSPACE_ITEM_H

#include "keyspace/keyspace.h"

enum item_form {
    FORM_INTEGER,  /* an int64_t in the room */
    FORM_EMBEDDED, /* the bytes in the room */
    FORM_SEPARATE, /* a struct string_block * in the room */
};

#define NOT_IN_HEAP UINT32_MAX

struct item {
    int64_t deadline_ms;
    uint64_t revision;
    uint32_t hash;
    uint32_t heap_position; /* in the keyspace's deadlines */
    uint32_t key_len;
    uint32_t value_len; /* of a string that is not kept as an integer */
    uint32_t touched_s;
    uint16_t room;
    uint8_t form; /* enum item_form */
    bool edited;  /* in place: Redis calls such a string raw, however short */
    char bytes[]; /* the room, then the key */
};

struct string_block {
    size_t capacity;
    char bytes[];
};

/* A new item without deadline; its hash is the caller's to set. */
struct item *item_new(struct span key, struct span value, uint64_t revision);
/* A new item for `key` that takes the value over: `from` is an empty string afterwards. */
struct item *item_new_taking(struct span key, struct item *from, uint64_t revision);
struct item *item_new_copy(struct span key, const struct item *from, uint64_t revision);
void item_free(struct item *item);

/* New values; none of these moves the item. */
void item_set_text(struct item *item, struct span value, uint64_t revision); /* never an integer */
void item_set_integer(struct item *item, int64_t value, uint64_t revision);
/* Grows the value to at least `len` bytes (zeros) and gives write access to its bytes; the encoding
 * becomes raw. */
char *item_string_edit(struct item *item, size_t len, uint64_t revision);

/* digest.c: what an item adds to the sum of its keyspace is one part for its key, deadline and
 * length, and one for each DIGEST_PIECE bytes of its value. */
enum { DIGEST_PIECE = 1024 };
uint64_t digest_of_key(struct span key);
uint64_t digest_of_head(const struct item *item, uint64_t key_digest);
/* The pieces that hold bytes from `from` up to `to`, or up to the end of the value. */
uint64_t digest_of_pieces(const struct item *item, uint64_t key_digest, size_t from, size_t to);
uint64_t digest_of_item(const struct item *item, uint64_t key_digest);

/* An integer or a text; refuses a value that would leave the item badly cut: too much room, or
 * too little for a short string. */
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
