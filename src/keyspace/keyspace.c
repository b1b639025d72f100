#include <xxhash.h>

#include "base/assert.h"
#include "base/crc.h"
#include "base/mem.h"
#include "keyspace/internal.h"

struct keyspace *keyspace_new(uint64_t seed)
{
    struct keyspace *keyspace = mem_zalloc(sizeof(*keyspace));
    keyspace->seed = seed;
    return keyspace;
}

void keyspace_free(struct keyspace *keyspace)
{
    if (!keyspace)
        return;
    while (!keyspace_free_some(keyspace, SIZE_MAX))
        continue;
}

bool keyspace_free_some(struct keyspace *keyspace, size_t limit)
{
    for (unsigned slot = keyspace->freed_slots; slot < KEYSPACE_SLOTS; slot++) {
        keyspace->freed_slots = slot;
        limit -= dict_free_some(&keyspace->slots[slot].dict, limit);
        if (limit == 0)
            return false;
    }
    deadlines_close(&keyspace->deadlines);
    mem_free(keyspace);
    return true;
}

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

static uint32_t hash_of(const struct keyspace *keyspace, struct span key)
{
    return (uint32_t)XXH3_64bits_withSeed(key.ptr, key.len, keyspace->seed);
}

struct item *keyspace_find(const struct keyspace *keyspace, struct span key, int64_t now_ms)
{
    const struct slot *slot = &keyspace->slots[keyspace_slot_of(key)];
    struct item *item = dict_find(&slot->dict, key, hash_of(keyspace, key));
    return item && !item_is_past(item, now_ms) ? item : NULL;
}

static void insert(struct keyspace *keyspace, unsigned number, struct item *item, uint32_t hash)
{
    item->hash = hash;
    dict_insert(&keyspace->slots[number].dict, item);
    keyspace->group_counts[number / GROUP_SLOTS]++;
    keyspace->count++;
}

static void replace(struct keyspace *keyspace, unsigned number, struct item *old,
                    struct item *fresh)
{
    fresh->hash = old->hash;
    dict_replace(&keyspace->slots[number].dict, old, fresh);
    deadlines_replace(&keyspace->deadlines, old, fresh);
    item_free(old);
}

struct item *keyspace_set_string(struct keyspace *keyspace, struct span key, struct span value,
                                 bool keep_deadline, uint64_t revision)
{
    unsigned number = keyspace_slot_of(key);
    uint32_t hash = hash_of(keyspace, key);
    struct item *item = dict_find(&keyspace->slots[number].dict, key, hash);
    if (!item) {
        item = item_new(key, value, revision);
        insert(keyspace, number, item, hash);
        return item;
    }
    if (!keep_deadline)
        deadlines_set(&keyspace->deadlines, item, NO_DEADLINE);
    if (item_try_set_string(item, value, revision))
        return item;
    struct item *fresh = item_new(key, value, revision);
    replace(keyspace, number, item, fresh);
    return fresh;
}

static void remove_from_slot(struct keyspace *keyspace, unsigned number, struct item *item,
                             uint64_t revision)
{
    struct slot *slot = &keyspace->slots[number];
    dict_remove(&slot->dict, item);
    slot->removed_revision = revision;
    keyspace->group_counts[number / GROUP_SLOTS]--;
    keyspace->count--;
    deadlines_set(&keyspace->deadlines, item, NO_DEADLINE);
    item_free(item);
}

bool keyspace_remove(struct keyspace *keyspace, struct span key, uint64_t revision)
{
    unsigned number = keyspace_slot_of(key);
    struct item *item = dict_find(&keyspace->slots[number].dict, key, hash_of(keyspace, key));
    if (!item)
        return false;
    remove_from_slot(keyspace, number, item, revision);
    return true;
}

void keyspace_remove_item(struct keyspace *keyspace, struct item *item, uint64_t revision)
{
    remove_from_slot(keyspace, keyspace_slot_of(item_key_span(item)), item, revision);
}

void keyspace_clear(struct keyspace *keyspace, uint64_t revision)
{
    for (size_t i = 0; i < KEYSPACE_SLOTS; i++) {
        struct slot *slot = &keyspace->slots[i];
        if (slot->dict.count == 0)
            continue;
        dict_close(&slot->dict);
        slot->removed_revision = revision;
    }
    deadlines_close(&keyspace->deadlines);
    memset(keyspace->group_counts, 0, sizeof(keyspace->group_counts));
    keyspace->count = 0;
}

static struct item *put(struct keyspace *keyspace, struct item *fresh)
{
    struct span key = item_key_span(fresh);
    unsigned number = keyspace_slot_of(key);
    uint32_t hash = hash_of(keyspace, key);
    struct item *old = dict_find(&keyspace->slots[number].dict, key, hash);
    if (old)
        replace(keyspace, number, old, fresh);
    else
        insert(keyspace, number, fresh, hash);
    return fresh;
}

void keyspace_rename(struct keyspace *keyspace, struct span from, struct span to, uint64_t revision)
{
    struct item *source = keyspace_find(keyspace, from, NO_DEADLINE);
    ASSERT(source && !span_equal(from, to));
    int64_t deadline_ms = source->deadline_ms;
    struct item *moved = item_new_taking(to, source, revision);
    keyspace_remove_item(keyspace, source, revision);
    put(keyspace, moved);
    deadlines_set(&keyspace->deadlines, moved, deadline_ms);
}

void keyspace_copy(struct keyspace *keyspace, const struct item *from, struct span to,
                   uint64_t revision)
{
    ASSERT(!span_equal(item_key_span(from), to));
    struct item *copy = put(keyspace, item_new_copy(to, from, revision));
    deadlines_set(&keyspace->deadlines, copy, from->deadline_ms);
}

void keyspace_set_deadline(struct keyspace *keyspace, struct item *item, int64_t deadline_ms,
                           uint64_t revision)
{
    deadlines_set(&keyspace->deadlines, item, deadline_ms);
    item->revision = revision;
}

bool keyspace_changed_since(const struct keyspace *keyspace, struct span key, bool was_present,
                            uint64_t revision, int64_t now_ms)
{
    const struct slot *slot = &keyspace->slots[keyspace_slot_of(key)];
    const struct item *item = keyspace_find(keyspace, key, now_ms);
    if (!item)
        return was_present || slot->removed_revision > revision;
    return !was_present || item->revision > revision;
}

size_t keyspace_remove_expired(struct keyspace *keyspace, int64_t now_ms, size_t limit,
                               uint64_t revision)
{
    size_t removed = 0;
    const struct deadlines *deadlines = &keyspace->deadlines;
    while (removed < limit && deadlines->count && deadlines->entries[0].deadline_ms <= now_ms) {
        keyspace_remove_item(keyspace, deadlines->entries[0].item, revision);
        removed++;
    }
    return removed;
}

const struct item *keyspace_first_expired(const struct keyspace *keyspace, int64_t now_ms)
{
    const struct deadlines *deadlines = &keyspace->deadlines;
    if (deadlines->count == 0 || deadlines->entries[0].deadline_ms > now_ms)
        return NULL;
    return deadlines->entries[0].item;
}

size_t keyspace_count_expired(const struct keyspace *keyspace, int64_t now_ms, size_t limit)
{
    return deadlines_count_until(&keyspace->deadlines, now_ms, limit);
}

size_t keyspace_count(const struct keyspace *keyspace)
{
    return keyspace->count;
}

size_t keyspace_count_with_deadline(const struct keyspace *keyspace)
{
    return keyspace->deadlines.count;
}

int64_t keyspace_mean_deadline(const struct keyspace *keyspace)
{
    return deadlines_mean(&keyspace->deadlines);
}
