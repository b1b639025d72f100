/* Consumer groups of a stream: how far a group has read, what it has delivered and not got
 * acknowledged, and to whom. */
#ifndef FLOTILLA_KEYSPACE_STREAM_GROUP_H
#define FLOTILLA_KEYSPACE_STREAM_GROUP_H

#include "keyspace/id_map.h"

/* An entry that was delivered and is not acknowledged yet. */
struct stream_pending {
    struct stream_id id;
    int64_t delivered_ms;
    uint64_t deliveries;
    struct stream_consumer *owner;
};

enum { STREAM_NEVER_ACTIVE = -1, STREAM_READ_UNKNOWN = -1 };

struct stream_consumer {
    struct id_map pending; /* IDs only; the rest is in the group's */
    int64_t seen_ms;
    int64_t active_ms; /* STREAM_NEVER_ACTIVE, or when it last got an entry */
    uint64_t digest;   /* of the name */
    uint32_t name_len;
    char name[];
};

/* For reading only. Change it with the functions below: they maintain the sum. */
struct stream_group {
    uint64_t *sum;   /* of the stream's groups: all that is in them, in no order */
    uint64_t digest; /* of the name */
    struct stream_id last_id;
    int64_t entries_read;               /* or STREAM_READ_UNKNOWN */
    struct id_map pending;              /* struct stream_pending */
    struct stream_consumer **consumers; /* ordered by name */
    size_t consumers_count;
    size_t consumers_capacity;
    size_t name_len;
    char name[];
};

static inline struct span stream_group_name(const struct stream_group *group)
{
    return span_of(group->name, group->name_len);
}

static inline struct span stream_consumer_name(const struct stream_consumer *consumer)
{
    return span_of(consumer->name, consumer->name_len);
}

void stream_group_set_position(struct stream_group *group, struct stream_id last_id,
                               int64_t entries_read);

struct stream_consumer *stream_group_find_consumer(const struct stream_group *group,
                                                   struct span name); /* NULL: absent */
/* The name is absent. */
struct stream_consumer *stream_group_add_consumer(struct stream_group *group, struct span name,
                                                  int64_t now_ms);
/* Removes its pending entries too, and returns how many they were. */
size_t stream_group_remove_consumer(struct stream_group *group, struct stream_consumer *consumer);
void stream_consumer_touch(struct stream_group *group, struct stream_consumer *consumer,
                           int64_t seen_ms, int64_t active_ms);

/* Pointers to pending entries are valid until one is added or removed. */
struct stream_pending *stream_group_find_pending(const struct stream_group *group,
                                                 struct stream_id id); /* NULL: absent */
/* Makes the entry pending for this owner, or takes it from another one. */
void stream_group_deliver(struct stream_group *group, const struct stream_pending *pending);
bool stream_group_acknowledge(struct stream_group *group, struct stream_id id);

/* Pending entries in order. consumer NULL: all. NULL: there are no more. To change something on the
 * way, seek again from the next ID. */
struct stream_pending_walk {
    const struct stream_group *group;
    bool of_consumer;
    struct id_walk ids;
};
struct stream_pending *stream_pending_seek(const struct stream_group *group,
                                           const struct stream_consumer *consumer,
                                           struct stream_id from, struct stream_pending_walk *walk);
struct stream_pending *stream_pending_next(struct stream_pending_walk *walk);

static inline size_t stream_group_pending_count(const struct stream_group *group)
{
    return id_map_count(&group->pending);
}

/* The greatest pending ID. There is one. */
static inline struct stream_id stream_group_last_pending(const struct stream_group *group)
{
    return *(const struct stream_id *)id_map_last(&group->pending);
}

static inline size_t stream_consumer_pending_count(const struct stream_consumer *consumer)
{
    return id_map_count(&consumer->pending);
}

/* Those whose ID is not smaller. */
size_t stream_consumer_pending_count_from(const struct stream_consumer *consumer,
                                          struct stream_id from);

/* Private to keyspace/. */

struct stream_group *stream_group_new(struct span name, uint64_t *sum);
void stream_group_free(struct stream_group *group);
/* Takes everything of the group off the sum; before freeing it while its stream stays. */
void stream_group_leave_sum(struct stream_group *group);
struct stream_group *stream_group_copy(const struct stream_group *from, uint64_t *sum);
/* Frees about `limit` pending entries or consumers, and returns how many; 0: the group is empty. */
size_t stream_group_free_some(struct stream_group *group, size_t limit);
size_t stream_group_memory(const struct stream_group *group);
/* What the group adds to the sum, by walking. */
uint64_t stream_group_sum_by_walk(const struct stream_group *group);

/* Adds a pending entry without an owner, which is no part of the sum; stream_group_set_owner()
 * gives it one. False: it is pending already, or has an owner, or is not pending. */
bool stream_group_add_ownerless(struct stream_group *group, const struct stream_pending *pending);
bool stream_group_set_owner(struct stream_group *group, struct stream_id id,
                            struct stream_consumer *owner);

#endif
