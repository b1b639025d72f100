/* A stream: entries in the order of their IDs, and groups of consumers that read them.
 *
 *     spine -> node, node, node …      entries, up to node_entries of them in a pack
 * (stream_node.h) groups, ordered by name          positions, consumers, pending entries
 * (stream_group.h)
 *
 * Times come from the caller, so equal calls make equal streams. How many entries a node takes is
 * up to each cluster node: nothing that a client sees depends on it. That is why trimming about a
 * length does not count by nodes, as Redis does, but removes entries in steps of a fixed size. */
#ifndef FLOTILLA_KEYSPACE_STREAM_H
#define FLOTILLA_KEYSPACE_STREAM_H

#include "base/buf.h"
#include "keyspace/stream_group.h"
#include "keyspace/stream_node.h"
#include "keyspace/value.h"

/* About trimming removes a multiple of so many entries, as many as a full node of Redis has, or all
 * entries. */
enum { STREAM_TRIM_STEP = 100 };

/* For reading only. */
struct stream {
    struct spine nodes;        /* struct stream_node; counts entries */
    struct stream_id first_id; /* 0-0: the stream is empty */
    struct stream_id last_id;  /* the greatest ID ever given */
    struct stream_id max_deleted_id;
    uint64_t entries_added;
    struct stream_group **groups; /* ordered by name */
    size_t groups_count;
    size_t groups_capacity;
    uint64_t entries_sum;
    uint64_t groups_sum;
    size_t nodes_bytes; /* memory of the nodes */
};

struct stream *stream_new(void);
void stream_free(struct stream *stream);
/* Frees about `limit` entries, pending entries or consumers, and returns `limit`. The last time it
 * frees the stream, and returns less. */
size_t stream_free_some(struct stream *stream, size_t limit);
struct stream *stream_copy(const struct stream *from);

static inline size_t stream_length(const struct stream *stream)
{
    return stream->nodes.count;
}

/* Adding. */

/* The ID that `*` stands for: the time, or the one after the last ID. False: there is none. */
bool stream_next_id(const struct stream *stream, int64_t now_ms, struct stream_id *id);
/* The first ID of this time that can be added. False: the time is before the last ID's, or there is
 * none. */
bool stream_next_id_at(const struct stream *stream, uint64_t ms, struct stream_id *id);
/* Whether one entry can hold this much. */
bool stream_fields_fit(const struct stream_fields *fields);
/* The ID is greater than the last one. Adding does not trim. */
void stream_append(struct stream *stream, struct stream_id id, const struct stream_fields *fields,
                   const struct value_rules *rules);

/* Removing. */

bool stream_delete(struct stream *stream, struct stream_id id); /* false: absent */

struct stream_trim {
    enum { STREAM_TRIM_NOTHING, STREAM_TRIM_LENGTH, STREAM_TRIM_FIRST } by;
    bool is_about; /* remove a multiple of STREAM_TRIM_STEP */
    uint64_t length;
    struct stream_id first_id; /* smaller ones go */
    uint64_t limit;            /* the most to remove; 0: all. Only if is_about. */
};
size_t stream_trim(struct stream *stream, const struct stream_trim *trim);

/* Sets what XSETID sets. */
void stream_set_last_id(struct stream *stream, struct stream_id id);
void stream_set_counters(struct stream *stream, uint64_t entries_added,
                         struct stream_id max_deleted_id);

/* Reading. */

bool stream_find(const struct stream *stream, struct stream_id id, struct stream_entry *entry);
bool stream_last(const struct stream *stream, struct stream_entry *entry);

/* A walk over entries. `left`: how many are to come; a caller that wants fewer lowers it. */
struct stream_walk {
    struct spine_place place;
    size_t left;
    bool is_backwards;
};

/* The first entry from `from` up to and with `to`; backwards: the first one from `to` down to
 * `from`. Returns the number of entries in the range; 0: there is none. The stream must not change
 * meanwhile. */
size_t stream_walk_begin(const struct stream *stream, struct stream_id from, struct stream_id to,
                         struct stream_walk *walk, struct stream_entry *entry);
size_t stream_walk_begin_backwards(const struct stream *stream, struct stream_id from,
                                   struct stream_id to, struct stream_walk *walk,
                                   struct stream_entry *entry);
bool stream_walk_next(struct stream_walk *walk, struct stream_entry *entry);

/* Groups. */

struct stream_group *stream_find_group(const struct stream *stream,
                                       struct span name); /* NULL: absent */
/* The name is absent. */
struct stream_group *stream_add_group(struct stream *stream, struct span name,
                                      struct stream_id last_id, int64_t entries_read);
void stream_remove_group(struct stream *stream, struct stream_group *group);

/* How many entries were ever added up to and with this ID; STREAM_READ_UNKNOWN if that cannot be
 * told. */
int64_t stream_added_until(const struct stream *stream, struct stream_id id);
/* How many entries the group has still to read. False: that cannot be told. */
bool stream_group_lag(const struct stream *stream, const struct stream_group *group, int64_t *lag);
/* The group has read this entry, whose ID is greater than its last one. */
void stream_group_advance(const struct stream *stream, struct stream_group *group,
                          struct stream_id id);

/* Loading: appends a node whose entries come behind all others. Takes the node over; false: it is
 * NULL, or not behind them. */
bool stream_add_node(struct stream *stream, struct stream_node *node);

/* Checks and numbers. */

/* A hash of everything a client can see. Maintained by each change. */
uint64_t stream_sum(const struct stream *stream);
uint64_t stream_sum_by_walk(const struct stream *stream);
size_t stream_memory(const struct stream *stream); /* bytes including the allocator's waste */

#endif
