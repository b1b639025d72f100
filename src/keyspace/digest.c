/* Digests that are equal on all nodes, because their hash has a fixed seed.
 *
 * A value is hashed in pieces, so that editing a long value costs only as much as the edited part.
 * The hash of a piece is seeded with the key's hash and the piece's position: the same bytes
 * elsewhere give another hash. */
#include <xxhash.h>

#include "base/assert.h"
#include "keyspace/internal.h"
#include "keyspace/value.h"

/* A splitmix64 mixer: every bit affects every bit of the result. */
static uint64_t mix(uint64_t number)
{
    number += 0x9e3779b97f4a7c15;
    number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9;
    number = (number ^ number >> 27) * 0x94d049bb133111eb;
    return number ^ number >> 31;
}

uint64_t digest_of_key(struct span key)
{
    return XXH3_64bits(key.ptr, key.len);
}

/* Without the bytes of a string. */
static uint64_t digest_of_value(const struct item *item)
{
    int64_t number;
    if (item_integer(item, &number))
        return mix((uint64_t)number);
    if (item->form != FORM_VALUE)
        return item_string(item, NULL).len;
    const struct value_ops *ops = value_ops_of(item_type(item));
    const void *value = item_value(item);
    return mix(ops->sum(value) + item->type) + ops->count(value);
}

uint64_t digest_of_head(const struct item *item, uint64_t key_digest)
{
    return mix(mix(key_digest ^ (uint64_t)item_deadline_ms(item)) + digest_of_value(item));
}

uint64_t digest_of_pieces(const struct item *item, uint64_t key_digest, size_t from, size_t to)
{
    int64_t number;
    char scratch[24];
    if (item_integer(item, &number) || item->form == FORM_VALUE)
        return 0; /* it is in the item's head */
    struct span value = item_string(item, scratch);
    uint64_t sum = 0;
    if (to > value.len)
        to = value.len;
    for (size_t at = from / DIGEST_PIECE * DIGEST_PIECE; at < to; at += DIGEST_PIECE) {
        size_t len = value.len - at < DIGEST_PIECE ? value.len - at : DIGEST_PIECE;
        sum += XXH3_64bits_withSeed(value.ptr + at, len, key_digest + at);
    }
    return sum;
}

uint64_t digest_of_item(const struct item *item, uint64_t key_digest)
{
    return digest_of_head(item, key_digest) + digest_of_pieces(item, key_digest, 0, SIZE_MAX);
}

uint64_t keyspace_sum(const struct keyspace *keyspace)
{
    return keyspace->sum;
}

static void check_sum(const struct item *item)
{
    if (item->form != FORM_VALUE)
        return;
    const struct value_ops *ops = value_ops_of(item_type(item));
    ASSERT(ops->sum(item_value(item)) == ops->sum_by_walk(item_value(item)));
}

uint64_t keyspace_sum_by_walk(const struct keyspace *keyspace)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < KEYSPACE_SLOTS; i++) {
        const struct dict *dict = &keyspace->slots[i].dict;
        for (uint32_t j = 0; j < dict->count; j++) {
            const struct item *item = dict_at(dict, j);
            check_sum(item);
            sum += digest_of_item(item, digest_of_key(item_key_span(item)));
        }
    }
    return sum;
}
