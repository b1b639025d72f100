/* Keys that are looked up soon. Each look-up goes through four places in memory, one of which names
 * the next: the slot, a cell of its index, the pointer to the item, the item. For one key the
 * processor waits for each of them; for many at once it waits for all of them together. */
#include "base/assert.h"
#include "keyspace/internal.h"

enum { KEYS_MIN = 8192 }; /* with fewer keys all of it is near the processor already */

bool keyspace_is_far(const struct keyspace *keyspace)
{
    return keyspace->count >= KEYS_MIN;
}

void keyspace_look_ahead(const struct keyspace *keyspace, const struct span *keys,
                         struct keyspace_place *places, size_t count)
{
    ASSERT(count <= KEYSPACE_AHEAD_MAX);
    uint32_t positions[KEYSPACE_AHEAD_MAX];
    for (size_t i = 0; i < count; i++) {
        places[i] = keyspace_place_of(keyspace, keys[i]);
        __builtin_prefetch(&keyspace->slots[places[i].slot].dict);
    }
    for (size_t i = 0; i < count; i++)
        dict_fetch_cell(&keyspace->slots[places[i].slot].dict, places[i].hash);
    for (size_t i = 0; i < count; i++)
        positions[i] = dict_fetch_pointer(&keyspace->slots[places[i].slot].dict, places[i].hash);
    for (size_t i = 0; i < count; i++)
        dict_fetch_item(&keyspace->slots[places[i].slot].dict, positions[i]);
}
