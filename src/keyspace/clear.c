/* What goes, and its memory: removed values, databases that are cleared, whole keyspaces. */
#include "base/assert.h"
#include "base/mem.h"
#include "keyspace/internal.h"

void keyspace_free(struct keyspace *keyspace)
{
    if (!keyspace)
        return;
    while (!keyspace_free_some(keyspace, SIZE_MAX))
        continue;
}

/* Freeing a value of more elements, or a string of more bytes, waits for a quiet moment. */
enum { DISCARD_FROM = 64, DISCARD_FROM_BYTES = 4 * 1024 * 1024 };

static void put_aside(struct keyspace *keyspace, enum value_type type, void *value)
{
    struct discarded *discarded = mem_alloc(sizeof(*discarded));
    *discarded = (struct discarded){keyspace->discarded, type, value};
    keyspace->discarded = discarded;
}

void keyspace_discard(struct keyspace *keyspace, struct item *item)
{
    enum value_type type = item_type(item);
    if (item->form == FORM_VALUE && value_ops_of(type)->count(item_value(item)) > DISCARD_FROM)
        put_aside(keyspace, type, item_take_value(item));
    else if (item->form == FORM_SEPARATE && item_string_len(item) > DISCARD_FROM_BYTES)
        put_aside(keyspace, VALUE_STRING, item_take_block(item));
    item_free(item);
}

bool keyspace_frees_string_next(const struct keyspace *keyspace)
{
    return keyspace->discarded && keyspace->discarded->type == VALUE_STRING;
}

/* Frees values of removed keys; true if none are left. */
static bool free_discarded(struct keyspace *keyspace, size_t *limit)
{
    while (*limit && keyspace->discarded) {
        struct discarded *first = keyspace->discarded;
        if (first->type ==
            VALUE_STRING) { /* to give back its pages takes as long as many elements */
            mem_free(first->value);
            *limit = 0;
        } else {
            size_t freed = value_ops_of(first->type)->free_some(first->value, *limit);
            bool done = freed < *limit;
            *limit -= freed;
            if (!done)
                break;
        }
        keyspace->discarded = first->next;
        mem_free(first);
    }
    return keyspace->discarded == NULL;
}

static bool free_some(struct keyspace *keyspace, size_t *limit);

static bool free_cleared(struct keyspace *keyspace, size_t *limit)
{
    while (*limit && keyspace->cleared && !keyspace->cleared->held) {
        struct keyspace *next = keyspace->cleared->cleared;
        keyspace->cleared->cleared = NULL;
        bool done = free_some(keyspace->cleared, limit);
        if (done)
            keyspace->cleared = next;
        else
            keyspace->cleared->cleared = next;
    }
    return keyspace->cleared == NULL;
}

bool keyspace_free_cleared(struct keyspace *keyspace, size_t limit)
{
    return free_discarded(keyspace, &limit) && free_cleared(keyspace, &limit);
}

bool keyspace_has_cleared(const struct keyspace *keyspace)
{
    return keyspace->discarded != NULL || (keyspace->cleared && !keyspace->cleared->held);
}

static bool free_some(struct keyspace *keyspace, size_t *limit)
{
    if (!free_discarded(keyspace, limit) || !free_cleared(keyspace, limit))
        return false;
    for (unsigned slot = keyspace->freed_slots; slot < KEYSPACE_SLOTS; slot++) {
        keyspace->freed_slots = slot;
        if (!dict_free_some(&keyspace->slots[slot].dict, limit))
            return false;
    }
    deadlines_close(&keyspace->deadlines);
    mem_free(keyspace);
    return true;
}

bool keyspace_free_some(struct keyspace *keyspace, size_t limit)
{
    return free_some(keyspace, &limit);
}

void keyspace_hold(struct keyspace *aside)
{
    aside->held = true;
}

void keyspace_release(struct keyspace *aside)
{
    ASSERT(aside->held);
    aside->held = false;
}

/* Puts all items aside to be freed later. */
static struct keyspace *set_aside(struct keyspace *keyspace, uint64_t revision)
{
    struct keyspace *cleared = mem_zalloc(sizeof(*cleared));
    for (size_t i = 0; i < KEYSPACE_SLOTS; i++) {
        struct slot *slot = &keyspace->slots[i];
        if (slot->dict.count == 0)
            continue;
        cleared->slots[i].dict = slot->dict;
        slot->dict = (struct dict){0};
        slot->removed_revision = revision;
    }
    cleared->deadlines = keyspace->deadlines;
    keyspace->deadlines = (struct deadlines){0};
    memcpy(cleared->group_counts, keyspace->group_counts, sizeof(cleared->group_counts));
    memset(keyspace->group_counts, 0, sizeof(keyspace->group_counts));
    cleared->count = keyspace->count;
    keyspace->count = 0;
    keyspace->longest = 0;
    keyspace->sum = 0;
    cleared->rules = keyspace->rules;
    cleared->cleared = keyspace->cleared;
    keyspace->cleared = cleared;
    return cleared;
}

void keyspace_clear(struct keyspace *keyspace, uint64_t revision)
{
    const struct keyspace_observer *observer = &keyspace->observer;
    struct keyspace *aside = keyspace->count ? set_aside(keyspace, revision) : NULL;
    if (aside && observer->cleared)
        observer->cleared(observer->context, keyspace, aside);
    const struct change change = {keyspace, 0};
    change_end(&change, SPAN(""), KEYSPACE_CLEARED, revision);
}
