#include "keyspace/stream_group.h"

#include <string.h>
#include <xxhash.h>

#include "base/assert.h"
#include "base/mem.h"

/* Everything in a group has a hash of its own, with the group's name in it. */

static uint64_t digest_of(const uint64_t *words, size_t count)
{
    return XXH3_64bits(words, count * sizeof(*words));
}

static uint64_t group_digest(const struct stream_group *group)
{
    uint64_t words[] = {group->digest, group->last_id.ms, group->last_id.seq,
                        (uint64_t)group->entries_read};
    return digest_of(words, sizeof(words) / sizeof(*words));
}

static uint64_t consumer_digest(const struct stream_group *group,
                                const struct stream_consumer *consumer)
{
    uint64_t words[] = {1, group->digest, consumer->digest, (uint64_t)consumer->seen_ms,
                        (uint64_t)consumer->active_ms};
    return digest_of(words, sizeof(words) / sizeof(*words));
}

static uint64_t pending_digest(const struct stream_group *group,
                               const struct stream_pending *pending)
{
    uint64_t words[] = {group->digest,   pending->owner->digest,          pending->id.ms,
                        pending->id.seq, (uint64_t)pending->delivered_ms, pending->deliveries};
    return digest_of(words, sizeof(words) / sizeof(*words));
}

/* Groups. */

struct stream_group *stream_group_new(struct span name, uint64_t *sum)
{
    struct stream_group *group = mem_zalloc(sizeof(*group) + name.len);
    group->sum = sum;
    group->digest = XXH3_64bits(name.ptr, name.len);
    group->entries_read = STREAM_READ_UNKNOWN;
    group->pending.record_bytes = sizeof(struct stream_pending);
    group->name_len = name.len;
    if (name.len)
        memcpy(group->name, name.ptr, name.len);
    *sum += group_digest(group);
    return group;
}

static void consumer_free(struct stream_consumer *consumer)
{
    id_map_free_some(&consumer->pending, SIZE_MAX);
    mem_free(consumer);
}

size_t stream_group_free_some(struct stream_group *group, size_t limit)
{
    size_t freed = id_map_free_some(&group->pending, limit);
    while (freed < limit && group->consumers_count > 0) {
        struct stream_consumer *consumer = group->consumers[group->consumers_count - 1];
        freed += id_map_free_some(&consumer->pending, limit - freed);
        if (freed >= limit)
            break;
        consumer_free(consumer);
        group->consumers_count--;
        freed++;
    }
    return freed;
}

void stream_group_free(struct stream_group *group)
{
    stream_group_free_some(group, SIZE_MAX);
    mem_free(group->consumers);
    mem_free(group);
}

uint64_t stream_group_sum_by_walk(const struct stream_group *group)
{
    uint64_t sum = group_digest(group);
    for (size_t i = 0; i < group->consumers_count; i++)
        sum += consumer_digest(group, group->consumers[i]);
    struct stream_pending_walk walk;
    const struct stream_pending *pending = stream_pending_seek(group, NULL, STREAM_ID_MIN, &walk);
    for (; pending; pending = stream_pending_next(&walk)) {
        if (pending->owner)
            sum += pending_digest(group, pending);
    }
    return sum;
}

void stream_group_leave_sum(struct stream_group *group)
{
    *group->sum -= stream_group_sum_by_walk(group);
}

void stream_group_set_position(struct stream_group *group, struct stream_id last_id,
                               int64_t entries_read)
{
    *group->sum -= group_digest(group);
    group->last_id = last_id;
    group->entries_read = entries_read;
    *group->sum += group_digest(group);
}

static size_t consumer_bytes(size_t name_len)
{
    return sizeof(struct stream_consumer) + name_len;
}

size_t stream_group_memory(const struct stream_group *group)
{
    size_t bytes = mem_footprint(sizeof(*group) + group->name_len) +
                   mem_footprint(group->consumers_capacity * sizeof(struct stream_consumer *)) +
                   id_map_memory(&group->pending);
    for (size_t i = 0; i < group->consumers_count; i++) {
        const struct stream_consumer *consumer = group->consumers[i];
        bytes += mem_footprint(consumer_bytes(consumer->name_len));
        bytes += id_map_memory(&consumer->pending);
    }
    return bytes;
}

/* Consumers. */

/* The position of the first consumer whose name is not smaller. */
static size_t consumer_position(const struct stream_group *group, struct span name)
{
    size_t low = 0, high = group->consumers_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (span_compare(stream_consumer_name(group->consumers[middle]), name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct stream_consumer *stream_group_find_consumer(const struct stream_group *group,
                                                   struct span name)
{
    size_t at = consumer_position(group, name);
    if (at == group->consumers_count)
        return NULL;
    struct stream_consumer *consumer = group->consumers[at];
    return span_equal(stream_consumer_name(consumer), name) ? consumer : NULL;
}

static void insert_consumer(struct stream_group *group, struct stream_consumer *consumer)
{
    size_t at = consumer_position(group, stream_consumer_name(consumer));
    if (group->consumers_count == group->consumers_capacity) {
        size_t capacity = group->consumers_capacity ? 2 * group->consumers_capacity : 2;
        group->consumers = mem_realloc(group->consumers, capacity * sizeof(*group->consumers));
        group->consumers_capacity = capacity;
    }
    memmove(group->consumers + at + 1, group->consumers + at,
            (group->consumers_count - at) * sizeof(*group->consumers));
    group->consumers[at] = consumer;
    group->consumers_count++;
}

struct stream_consumer *stream_group_add_consumer(struct stream_group *group, struct span name,
                                                  int64_t now_ms)
{
    struct stream_consumer *consumer = mem_zalloc(consumer_bytes(name.len));
    consumer->pending.record_bytes = sizeof(struct stream_id);
    consumer->seen_ms = now_ms;
    consumer->active_ms = STREAM_NEVER_ACTIVE;
    consumer->digest = XXH3_64bits(name.ptr, name.len);
    consumer->name_len = (uint32_t)name.len;
    if (name.len)
        memcpy(consumer->name, name.ptr, name.len);
    insert_consumer(group, consumer);
    *group->sum += consumer_digest(group, consumer);
    return consumer;
}

size_t stream_group_remove_consumer(struct stream_group *group, struct stream_consumer *consumer)
{
    size_t count = stream_consumer_pending_count(consumer);
    struct id_walk walk;
    const struct stream_id *id = id_map_seek(&consumer->pending, STREAM_ID_MIN, &walk);
    for (; id; id = id_walk_next(&walk)) {
        *group->sum -= pending_digest(group, stream_group_find_pending(group, *id));
        id_map_remove(&group->pending, *id);
    }
    *group->sum -= consumer_digest(group, consumer);
    size_t at = consumer_position(group, stream_consumer_name(consumer));
    group->consumers_count--;
    memmove(group->consumers + at, group->consumers + at + 1,
            (group->consumers_count - at) * sizeof(*group->consumers));
    consumer_free(consumer);
    return count;
}

void stream_consumer_touch(struct stream_group *group, struct stream_consumer *consumer,
                           int64_t seen_ms, int64_t active_ms)
{
    *group->sum -= consumer_digest(group, consumer);
    consumer->seen_ms = seen_ms;
    consumer->active_ms = active_ms;
    *group->sum += consumer_digest(group, consumer);
}

/* Pending entries. */

struct stream_pending *stream_group_find_pending(const struct stream_group *group,
                                                 struct stream_id id)
{
    return id_map_find(&group->pending, id);
}

void stream_group_deliver(struct stream_group *group, const struct stream_pending *pending)
{
    struct stream_pending *known = stream_group_find_pending(group, pending->id);
    if (known) {
        *group->sum -= pending_digest(group, known);
        if (known->owner != pending->owner) {
            id_map_remove(&known->owner->pending, pending->id);
            id_map_add(&pending->owner->pending, pending->id);
        }
    } else {
        known = id_map_add(&group->pending, pending->id);
        id_map_add(&pending->owner->pending, pending->id);
    }
    *known = *pending;
    *group->sum += pending_digest(group, known);
}

bool stream_group_acknowledge(struct stream_group *group, struct stream_id id)
{
    struct stream_pending *pending = stream_group_find_pending(group, id);
    if (!pending)
        return false;
    *group->sum -= pending_digest(group, pending);
    id_map_remove(&pending->owner->pending, id);
    id_map_remove(&group->pending, id);
    return true;
}

static struct stream_pending *detailed(const struct stream_pending_walk *walk, void *record)
{
    if (!record || !walk->of_consumer)
        return record;
    return stream_group_find_pending(walk->group, *(const struct stream_id *)record);
}

struct stream_pending *stream_pending_seek(const struct stream_group *group,
                                           const struct stream_consumer *consumer,
                                           struct stream_id from, struct stream_pending_walk *walk)
{
    walk->group = group;
    walk->of_consumer = consumer != NULL;
    const struct id_map *map = consumer ? &consumer->pending : &group->pending;
    return detailed(walk, id_map_seek(map, from, &walk->ids));
}

struct stream_pending *stream_pending_next(struct stream_pending_walk *walk)
{
    return detailed(walk, id_walk_next(&walk->ids));
}

size_t stream_consumer_pending_count_from(const struct stream_consumer *consumer,
                                          struct stream_id from)
{
    return id_map_count(&consumer->pending) - id_map_rank(&consumer->pending, from);
}

/* Loading and copying. */

bool stream_group_add_ownerless(struct stream_group *group, const struct stream_pending *pending)
{
    if (stream_group_find_pending(group, pending->id))
        return false;
    struct stream_pending *record = id_map_add(&group->pending, pending->id);
    *record = *pending;
    record->owner = NULL;
    return true;
}

bool stream_group_set_owner(struct stream_group *group, struct stream_id id,
                            struct stream_consumer *owner)
{
    struct stream_pending *pending = stream_group_find_pending(group, id);
    if (!pending || pending->owner)
        return false;
    pending->owner = owner;
    id_map_add(&owner->pending, id);
    *group->sum += pending_digest(group, pending);
    return true;
}

static void copy_consumer(struct stream_group *group, const struct stream_consumer *from)
{
    struct stream_consumer *consumer =
        stream_group_add_consumer(group, stream_consumer_name(from), from->seen_ms);
    stream_consumer_touch(group, consumer, from->seen_ms, from->active_ms);
    id_map_copy(&consumer->pending, &from->pending);
    struct id_walk walk;
    const struct stream_id *id = id_map_seek(&consumer->pending, STREAM_ID_MIN, &walk);
    for (; id; id = id_walk_next(&walk)) {
        struct stream_pending *pending = stream_group_find_pending(group, *id);
        pending->owner = consumer;
        *group->sum += pending_digest(group, pending);
    }
}

struct stream_group *stream_group_copy(const struct stream_group *from, uint64_t *sum)
{
    struct stream_group *group = stream_group_new(stream_group_name(from), sum);
    stream_group_set_position(group, from->last_id, from->entries_read);
    id_map_copy(&group->pending, &from->pending);
    for (size_t i = 0; i < from->consumers_count; i++)
        copy_consumer(group, from->consumers[i]);
    return group;
}
