#include "keyspace/stream.h"

#include <string.h>
#include <xxhash.h>

#include "base/assert.h"
#include "base/mem.h"

static struct stream_node *node_at(const struct spine_place *place)
{
    return place->leaf;
}

static bool begins(const void *sought, const void *leaf)
{
    const struct stream_node *node = leaf;
    return stream_id_compare(node->id, *(const struct stream_id *)sought) <= 0;
}

struct stream *stream_new(void)
{
    return mem_zalloc(sizeof(struct stream));
}

/* Every change of a node is between these two. */
static void leave_sums(struct stream *stream, const struct stream_node *node)
{
    stream->entries_sum -= node->sum;
    stream->nodes_bytes -= stream_node_memory(node);
}

static void enter_sums(struct stream *stream, const struct stream_node *node)
{
    stream->entries_sum += node->sum;
    stream->nodes_bytes += stream_node_memory(node);
}

size_t stream_free_some(struct stream *stream, size_t limit)
{
    size_t freed = 0;
    struct stream_node *node;
    while (freed < limit && (node = spine_take(&stream->nodes)) != NULL) {
        freed += node->live;
        stream_node_free(node);
    }
    while (freed < limit && stream->groups_count > 0) {
        struct stream_group *group = stream->groups[stream->groups_count - 1];
        freed += stream_group_free_some(group, limit - freed);
        if (freed >= limit)
            break;
        stream_group_free(group);
        stream->groups_count--;
        freed++;
    }
    if (freed >= limit)
        return limit;
    mem_free(stream->groups);
    mem_free(stream);
    return freed;
}

void stream_free(struct stream *stream)
{
    stream_free_some(stream, SIZE_MAX);
}

static void insert_group(struct stream *stream, struct stream_group *group);

struct stream *stream_copy(const struct stream *from)
{
    struct stream *stream = stream_new();
    *stream = *from;
    stream->nodes = (struct spine){0};
    stream->nodes_bytes = 0;
    stream->groups = NULL;
    stream->groups_count = stream->groups_capacity = 0;
    stream->groups_sum = 0;
    struct spine_place place;
    for (bool more = spine_first(&from->nodes, &place); more; more = spine_next(&place)) {
        struct stream_node *node = stream_node_copy(node_at(&place));
        spine_append(&stream->nodes, node, node->live, NULL);
        stream->nodes_bytes += stream_node_memory(node);
    }
    for (size_t i = 0; i < from->groups_count; i++)
        insert_group(stream, stream_group_copy(from->groups[i], &stream->groups_sum));
    return stream;
}

/* Adding. */

bool stream_next_id(const struct stream *stream, int64_t now_ms, struct stream_id *id)
{
    uint64_t ms = now_ms > 0 ? (uint64_t)now_ms : 0;
    *id = (struct stream_id){ms, 0};
    if (ms > stream->last_id.ms)
        return true;
    *id = stream->last_id;
    return stream_id_increment(id);
}

bool stream_next_id_at(const struct stream *stream, uint64_t ms, struct stream_id *id)
{
    *id = (struct stream_id){ms, 0};
    if (ms != stream->last_id.ms)
        return ms > stream->last_id.ms;
    id->seq = stream->last_id.seq + 1;
    return stream->last_id.seq != UINT64_MAX;
}

bool stream_fields_fit(const struct stream_fields *fields)
{
    return listpack_has_room(&(struct listpack){0}, stream_fields_bytes(fields));
}

/* The bytes that count against the limit are about those that the entry adds. */
static bool takes_one_more(const struct stream_node *node, const struct stream_fields *fields,
                           const struct value_rules *rules)
{
    size_t bytes = listpack_bytes(&node->pack);
    size_t more = 0;
    for (size_t i = 0; i < 2 * fields->count; i++)
        more += fields->args[i].len;
    if (rules->stream_node_entries && node->live >= rules->stream_node_entries)
        return false;
    if (rules->stream_node_bytes && bytes + more >= rules->stream_node_bytes)
        return false;
    return listpack_has_room(&node->pack, stream_fields_bytes(fields));
}

void stream_append(struct stream *stream, struct stream_id id, const struct stream_fields *fields,
                   const struct value_rules *rules)
{
    ASSERT(stream_id_compare(id, stream->last_id) > 0);
    struct spine_place place;
    if (spine_last(&stream->nodes, &place) && takes_one_more(node_at(&place), fields, rules)) {
        struct stream_node *node = node_at(&place);
        leave_sums(stream, node);
        stream_node_append(node, id, fields);
        enter_sums(stream, node);
        spine_set_count(&stream->nodes, &place, node->live);
    } else {
        struct stream_node *node = stream_node_new(id, fields);
        enter_sums(stream, node);
        spine_append(&stream->nodes, node, node->live, NULL);
    }
    if (stream_length(stream) == 1)
        stream->first_id = id;
    stream->last_id = id;
    stream->entries_added++;
}

/* Removing. */

static void find_first_id(struct stream *stream)
{
    struct spine_place place;
    struct stream_entry entry;
    stream->first_id = STREAM_ID_MIN;
    if (spine_first(&stream->nodes, &place) && stream_node_first(node_at(&place), &entry))
        stream->first_id = entry.id;
}

static void remove_node(struct stream *stream, struct spine_place *place)
{
    struct stream_node *node = node_at(place);
    leave_sums(stream, node);
    spine_remove(&stream->nodes, place);
    stream_node_free(node);
}

/* Finds the first entry whose ID is not smaller, and how many come before it. False: there is
 * none. */
static bool seek(const struct stream *stream, struct stream_id id, struct spine_place *place,
                 struct stream_entry *entry, size_t *before)
{
    size_t in_node;
    *before = stream_length(stream);
    if (stream_id_compare(id, stream->last_id) > 0 ||
        !spine_find(&stream->nodes, begins, &id, place))
        return false;
    if (stream_node_seek(node_at(place), id, entry, &in_node)) {
        *before = spine_rank(place) + in_node;
        return true;
    }
    if (!spine_next(place))
        return false;
    *before = spine_rank(place);
    return stream_node_first(node_at(place), entry);
}

static bool find_at(const struct stream *stream, struct stream_id id, struct spine_place *place,
                    struct stream_entry *entry)
{
    size_t before;
    return spine_find(&stream->nodes, begins, &id, place) &&
           stream_node_seek(node_at(place), id, entry, &before) &&
           stream_id_compare(entry->id, id) == 0;
}

bool stream_delete(struct stream *stream, struct stream_id id)
{
    struct spine_place place;
    struct stream_entry entry;
    if (!find_at(stream, id, &place, &entry))
        return false;
    struct stream_node *node = node_at(&place);
    if (node->live == 1) {
        remove_node(stream, &place);
    } else {
        leave_sums(stream, node);
        stream_node_delete(node, &entry);
        enter_sums(stream, node);
        spine_set_count(&stream->nodes, &place, node->live);
    }
    if (stream_id_compare(id, stream->max_deleted_id) > 0)
        stream->max_deleted_id = id;
    if (stream_id_compare(id, stream->first_id) == 0)
        find_first_id(stream);
    return true;
}

static void remove_first(struct stream *stream, size_t count)
{
    struct spine_place place;
    while (count > 0 && spine_first(&stream->nodes, &place)) {
        struct stream_node *node = node_at(&place);
        if (node->live <= count) {
            count -= node->live;
            remove_node(stream, &place);
            continue;
        }
        leave_sums(stream, node);
        stream_node_delete_first(node, count);
        enter_sums(stream, node);
        spine_set_count(&stream->nodes, &place, node->live);
        count = 0;
    }
    find_first_id(stream);
}

/* The number of entries with a smaller ID. */
static size_t count_before(const struct stream *stream, struct stream_id id)
{
    struct spine_place place;
    struct stream_entry entry;
    size_t before;
    if (stream_id_compare(id, stream->first_id) <= 0)
        return 0;
    seek(stream, id, &place, &entry, &before);
    return before;
}

/* XTRIM leaves max_deleted_id as it is, as Redis does: what goes is in front of the first entry. */
size_t stream_trim(struct stream *stream, const struct stream_trim *trim)
{
    size_t length = stream_length(stream), count = 0;
    if (trim->by == STREAM_TRIM_LENGTH && length > trim->length)
        count = length - (size_t)trim->length;
    else if (trim->by == STREAM_TRIM_FIRST)
        count = count_before(stream, trim->first_id);
    if (trim->is_about) {
        if (trim->limit && count > trim->limit)
            count = (size_t)trim->limit;
        if (count < length)
            count -= count % STREAM_TRIM_STEP;
    }
    if (count > 0)
        remove_first(stream, count);
    return count;
}

void stream_set_last_id(struct stream *stream, struct stream_id id)
{
    stream->last_id = id;
}

void stream_set_counters(struct stream *stream, uint64_t entries_added,
                         struct stream_id max_deleted_id)
{
    stream->entries_added = entries_added;
    stream->max_deleted_id = max_deleted_id;
}

/* Reading. */

bool stream_find(const struct stream *stream, struct stream_id id, struct stream_entry *entry)
{
    struct spine_place place;
    return find_at(stream, id, &place, entry);
}

bool stream_last(const struct stream *stream, struct stream_entry *entry)
{
    struct spine_place place;
    return spine_last(&stream->nodes, &place) && stream_node_last(node_at(&place), entry);
}

/* The number of entries up to and with this ID. */
static size_t count_until(const struct stream *stream, struct stream_id id)
{
    return stream_id_increment(&id) ? count_before(stream, id) : stream_length(stream);
}

size_t stream_walk_begin(const struct stream *stream, struct stream_id from, struct stream_id to,
                         struct stream_walk *walk, struct stream_entry *entry)
{
    size_t before;
    *walk = (struct stream_walk){0};
    if (!seek(stream, from, &walk->place, entry, &before) || stream_id_compare(entry->id, to) > 0)
        return 0;
    walk->left = count_until(stream, to) - before;
    return walk->left;
}

size_t stream_walk_begin_backwards(const struct stream *stream, struct stream_id from,
                                   struct stream_id to, struct stream_walk *walk,
                                   struct stream_entry *entry)
{
    size_t end;
    *walk = (struct stream_walk){.is_backwards = true};
    bool is_found = seek(stream, to, &walk->place, entry, &end);
    if (is_found && stream_id_compare(entry->id, to) == 0) {
        end++;
    } else if (!is_found) {
        if (!spine_last(&stream->nodes, &walk->place))
            return 0;
        stream_node_last(node_at(&walk->place), entry);
    } else if (!stream_entry_previous(entry)) {
        if (!spine_previous(&walk->place))
            return 0;
        stream_node_last(node_at(&walk->place), entry);
    }
    if (stream_id_compare(entry->id, from) < 0)
        return 0;
    walk->left = end - count_before(stream, from);
    return walk->left;
}

bool stream_walk_next(struct stream_walk *walk, struct stream_entry *entry)
{
    if (walk->left <= 1) {
        walk->left = 0;
        return false;
    }
    walk->left--;
    if (walk->is_backwards) {
        if (!stream_entry_previous(entry)) {
            spine_previous(&walk->place);
            stream_node_last(node_at(&walk->place), entry);
        }
    } else if (!stream_entry_next(entry)) {
        spine_next(&walk->place);
        stream_node_first(node_at(&walk->place), entry);
    }
    return true;
}

/* Groups. */

/* The position of the first group whose name is not smaller. */
static size_t group_position(const struct stream *stream, struct span name)
{
    size_t low = 0, high = stream->groups_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (span_compare(stream_group_name(stream->groups[middle]), name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct stream_group *stream_find_group(const struct stream *stream, struct span name)
{
    size_t at = group_position(stream, name);
    if (at == stream->groups_count || !span_equal(stream_group_name(stream->groups[at]), name))
        return NULL;
    return stream->groups[at];
}

static void insert_group(struct stream *stream, struct stream_group *group)
{
    size_t at = group_position(stream, stream_group_name(group));
    if (stream->groups_count == stream->groups_capacity) {
        size_t capacity = stream->groups_capacity ? 2 * stream->groups_capacity : 1;
        stream->groups = mem_realloc(stream->groups, capacity * sizeof(*stream->groups));
        stream->groups_capacity = capacity;
    }
    memmove(stream->groups + at + 1, stream->groups + at,
            (stream->groups_count - at) * sizeof(*stream->groups));
    stream->groups[at] = group;
    stream->groups_count++;
}

struct stream_group *stream_add_group(struct stream *stream, struct span name,
                                      struct stream_id last_id, int64_t entries_read)
{
    struct stream_group *group = stream_group_new(name, &stream->groups_sum);
    stream_group_set_position(group, last_id, entries_read);
    insert_group(stream, group);
    return group;
}

void stream_remove_group(struct stream *stream, struct stream_group *group)
{
    size_t at = group_position(stream, stream_group_name(group));
    stream_group_leave_sum(group);
    stream->groups_count--;
    memmove(stream->groups + at, stream->groups + at + 1,
            (stream->groups_count - at) * sizeof(*stream->groups));
    stream_group_free(group);
}

bool stream_add_node(struct stream *stream, struct stream_node *node)
{
    struct stream_entry first, last;
    if (!node)
        return false;
    bool has_entries = stream_node_first(node, &first);
    if (!has_entries || (stream_last(stream, &last) && stream_id_compare(first.id, last.id) <= 0)) {
        stream_node_free(node);
        return !has_entries;
    }
    if (stream_length(stream) == 0)
        stream->first_id = first.id;
    enter_sums(stream, node);
    spine_append(&stream->nodes, node, node->live, NULL);
    return true;
}

/* Checks and numbers. */

static uint64_t head_digest(const struct stream *stream)
{
    uint64_t words[] = {stream->last_id.ms, stream->last_id.seq, stream->max_deleted_id.ms,
                        stream->max_deleted_id.seq, stream->entries_added};
    return XXH3_64bits(words, sizeof(words));
}

uint64_t stream_sum(const struct stream *stream)
{
    return stream->entries_sum + stream->groups_sum + head_digest(stream);
}

uint64_t stream_sum_by_walk(const struct stream *stream)
{
    uint64_t sum = head_digest(stream);
    struct stream_walk walk;
    struct stream_entry entry;
    bool more = stream_walk_begin(stream, STREAM_ID_MIN, STREAM_ID_MAX, &walk, &entry);
    for (; more; more = stream_walk_next(&walk, &entry))
        sum += stream_entry_digest(&entry);
    for (size_t i = 0; i < stream->groups_count; i++)
        sum += stream_group_sum_by_walk(stream->groups[i]);
    return sum;
}

size_t stream_memory(const struct stream *stream)
{
    size_t bytes = mem_footprint(sizeof(*stream)) + stream->nodes_bytes +
                   spine_memory(&stream->nodes) +
                   mem_footprint(stream->groups_capacity * sizeof(*stream->groups));
    for (size_t i = 0; i < stream->groups_count; i++)
        bytes += stream_group_memory(stream->groups[i]);
    return bytes;
}
