/* Keys that are looked up soon. Each look-up goes through four places in memory, one of which names
 * the next: the slot, a cell of its index, the pointer to the item, the item. For one key the
 * processor waits for each of them; for many at once it waits for all of them together. */
#include "base/assert.h"
#include "keyspace/internal.h"

enum { KEYS_MIN = 8192 }; /* with fewer keys all of it is near the processor already */

struct sought {
    const struct dict *dict;
    uint32_t hash;
    uint32_t position;
};

bool keyspace_is_far(const struct keyspace *keyspace)
{
    return keyspace->count >= KEYS_MIN;
}

void keyspace_look_ahead(const struct keyspace *keyspace, const struct span *keys, size_t count)
{
    ASSERT(count <= KEYSPACE_AHEAD_MAX);
    struct sought sought[KEYSPACE_AHEAD_MAX];
    for (size_t i = 0; i < count; i++) {
        sought[i].dict = &keyspace->slots[keyspace_slot_of(keys[i])].dict;
        sought[i].hash = item_hash_of(keys[i], keyspace->rules.seed);
        __builtin_prefetch(sought[i].dict);
    }
    for (size_t i = 0; i < count; i++)
        dict_fetch_cell(sought[i].dict, sought[i].hash);
    for (size_t i = 0; i < count; i++)
        sought[i].position = dict_fetch_pointer(sought[i].dict, sought[i].hash);
    for (size_t i = 0; i < count; i++)
        dict_fetch_item(sought[i].dict, sought[i].position);
}
