/* Where a key is looked up: its slot, and its hash in there. To find that out takes longer than the
 * look-up. A command that is told of its key looks it up several times, under the bytes of its
 * arguments and under those in the item. */
#include "base/assert.h"
#include "base/crc.h"
#include "keyspace/internal.h"

/* Redis Cluster specification, "Hash tags". */
unsigned keyspace_slot_of(struct span key)
{
    const char *open = key.len ? memchr(key.ptr, '{', key.len) : NULL;
    if (open) {
        const char *tag = open + 1;
        size_t left = key.len - (size_t)(tag - key.ptr);
        const char *close = left ? memchr(tag, '}', left) : NULL;
        if (close && close != tag)
            key = span_of(tag, (size_t)(close - tag));
    }
    return crc16(key.ptr, key.len) % KEYSPACE_SLOTS;
}

static struct keyspace_place work_out(const struct keyspace *keyspace, struct span key)
{
    return (struct keyspace_place){.hash = item_hash_of(key, keyspace->rules.seed),
                                   .slot = (uint16_t)keyspace_slot_of(key)};
}

struct keyspace_place keyspace_place_of(const struct keyspace *keyspace, struct span key)
{
    const struct span *expected = &keyspace->expected;
    if (expected->ptr && key.len == expected->len &&
        (key.ptr == expected->ptr || memcmp(key.ptr, expected->ptr, key.len) == 0))
        return keyspace->expected_place;
    return work_out(keyspace, key);
}

void keyspace_expect(struct keyspace *keyspace, struct span key, const struct keyspace_place *place)
{
    ASSERT(!keyspace->expected.ptr);
    keyspace->expected_place = place ? *place : work_out(keyspace, key);
    keyspace->expected = key;
}

void keyspace_expect_end(struct keyspace *keyspace)
{
    keyspace->expected = (struct span){NULL, 0};
}
