/* Records of one size, ordered by the stream ID that each begins with. Private to keyspace/.
 *
 * They are in sorted blocks that hang in a spine: finding, adding and removing take O(log n), and
 * records that are added in the order of their IDs fill the blocks. */
#ifndef FLOTILLA_KEYSPACE_ID_MAP_H
#define FLOTILLA_KEYSPACE_ID_MAP_H

#include "keyspace/spine.h"
#include "keyspace/stream_id.h"

/* `record_bytes` is set by the owner; all else zero is an empty map, which takes no memory. A
 * record is a struct whose first field is a struct stream_id. */
struct id_map {
    struct spine blocks;
    size_t record_bytes;
    size_t bytes; /* memory of the blocks */
};

static inline size_t id_map_count(const struct id_map *map)
{
    return map->blocks.count;
}

/* Pointers to records are valid until the map is changed. */
void *id_map_find(const struct id_map *map, struct stream_id id); /* NULL: absent */
/* Adds a record and returns it for the caller to fill: only its ID is set. The ID is absent. */
void *id_map_add(struct id_map *map, struct stream_id id);
bool id_map_remove(struct id_map *map, struct stream_id id);

struct id_walk {
    struct spine_place place;
    unsigned at;
    size_t record_bytes;
};

/* The first record whose ID is not smaller; NULL: there is none. */
void *id_map_seek(const struct id_map *map, struct stream_id from, struct id_walk *walk);
void *id_walk_next(struct id_walk *walk);                          /* NULL: there are no more */
size_t id_map_rank(const struct id_map *map, struct stream_id id); /* smaller IDs */
void *id_map_last(const struct id_map *map);

/* Bytes including the allocator's waste. */
size_t id_map_memory(const struct id_map *map);
/* Frees about `limit` records and returns how many. After the first call only this function may be
 * called until the map is empty. */
size_t id_map_free_some(struct id_map *map, size_t limit);
void id_map_copy(struct id_map *map, const struct id_map *from); /* `map` is empty */

#endif
