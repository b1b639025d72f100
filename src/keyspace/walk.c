/* Iterating over the keys, and choosing one at random. */
#include <xxhash.h>

#include "base/assert.h"
#include "base/number.h"
#include "keyspace/internal.h"
#include "keyspace/value.h"

size_t keyspace_slot_count(const struct keyspace *keyspace, unsigned slot)
{
    ASSERT(slot < KEYSPACE_SLOTS);
    return keyspace->slots[slot].dict.count;
}

struct item *keyspace_slot_item(const struct keyspace *keyspace, unsigned slot, size_t position)
{
    ASSERT(slot < KEYSPACE_SLOTS && position < keyspace->slots[slot].dict.count);
    return dict_at(&keyspace->slots[slot].dict, position);
}

struct item *keyspace_random(const struct keyspace *keyspace, struct prng *prng)
{
    if (keyspace->count == 0)
        return NULL;
    uint64_t left = prng_below(prng, keyspace->count);
    size_t group = 0;
    while (left >= keyspace->group_counts[group])
        left -= keyspace->group_counts[group++];
    const struct slot *slot = &keyspace->slots[group * GROUP_SLOTS];
    while (left >= slot->dict.count)
        left -= slot++->dict.count;
    return dict_at(&slot->dict, left);
}

/* A cursor holds a slot in its upper half. Its lower half holds how many positions of the slot are
 * still to be visited, from the highest down; 0 means all. An item moves only to a lower position:
 * when an item below it is removed and it is the last one. So an item that was there from the start
 * and is not visited yet always lies in the unvisited part. */
enum { CURSOR_SLOT_SHIFT = 32 };

uint64_t keyspace_scan(const struct keyspace *keyspace, uint64_t cursor, size_t count,
                       void (*visit)(void *context, struct item *item), void *context)
{
    uint64_t number = cursor >> CURSOR_SLOT_SHIFT;
    uint32_t left = (uint32_t)cursor;
    size_t visited = 0;
    while (number < KEYSPACE_SLOTS) {
        if (left == 0 && number % GROUP_SLOTS == 0 &&
            keyspace->group_counts[number / GROUP_SLOTS] == 0) {
            number += GROUP_SLOTS;
            continue;
        }
        const struct dict *dict = &keyspace->slots[number].dict;
        if (left == 0 || left > dict->count)
            left = dict->count;
        for (; left > 0 && visited < count; visited++)
            visit(context, dict_at(dict, --left));
        if (left > 0)
            return number << CURSOR_SLOT_SHIFT | left;
        number++;
        if (visited >= count && number < KEYSPACE_SLOTS)
            return number << CURSOR_SLOT_SHIFT;
    }
    return 0;
}

static void digest_number(XXH3_state_t *state, uint64_t number)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(number >> (8 * i));
    XXH3_64bits_update(state, bytes, sizeof(bytes));
}

struct digest_sink {
    struct value_sink sink;
    XXH3_state_t *state;
};

static void add_to_digest(struct value_sink *sink, const void *bytes, size_t len)
{
    XXH3_64bits_update(((struct digest_sink *)sink)->state, bytes, len);
}

static void digest_item(XXH3_state_t *state, const struct item *item)
{
    char scratch[NUMBER_I64_CHARS];
    struct span key = item_key_span(item);
    digest_number(state, key.len);
    XXH3_64bits_update(state, key.ptr, key.len);
    if (item->form == FORM_VALUE) {
        struct digest_sink sink = {{add_to_digest}, state};
        digest_number(state, item->type);
        value_ops_of(item_type(item))->digest(item_value(item), &sink.sink);
    } else {
        struct span value = item_string(item, scratch);
        digest_number(state, value.len);
        XXH3_64bits_update(state, value.ptr, value.len);
    }
    digest_number(state, (uint64_t)item_deadline_ms(item));
    digest_number(state, item_revision(item));
}

uint64_t keyspace_digest(const struct keyspace *keyspace)
{
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    if (keyspace->swapped_revision)
        digest_number(&state, keyspace->swapped_revision);
    for (size_t i = 0; i < KEYSPACE_SLOTS; i++) {
        const struct slot *slot = &keyspace->slots[i];
        if (slot->dict.count == 0 && slot->removed_revision == 0)
            continue;
        digest_number(&state, i);
        digest_number(&state, slot->removed_revision);
        digest_number(&state, slot->dict.count);
        for (uint32_t j = 0; j < slot->dict.count; j++)
            digest_item(&state, dict_at(&slot->dict, j));
    }
    return XXH3_64bits_digest(&state);
}
