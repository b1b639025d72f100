#include "keyspace/stream_node.h"

#include <xxhash.h>

#include "base/assert.h"
#include "base/mem.h"
#include "keyspace/listpack_code.h"

enum { FLAG_DELETED = 1, FLAG_SAME_FIELDS = 2 };

/* Elements of a node before its fields, and of an entry besides its values. */
enum {
    HEAD_ELEMENTS = 3,
    ENTRY_HEAD = 3,         /* flags, ms, seq */
    SAME_FIELDS_EXTRA = 3,  /* what n counts besides the values */
    OTHER_FIELDS_EXTRA = 4, /* and the number of fields */
    INTEGERS_MAX = 16,      /* more than a node with one entry has besides texts */
    ELEMENT_EXTRA_MAX = 10, /* bytes of an element besides its text; or of an integer */
};

static int64_t integer_at(const struct listpack *pack, size_t at)
{
    int64_t number;
    bool is_integer = listpack_integer(pack, at, &number);
    ASSERT(is_integer);
    return number;
}

/* The number may need more bytes than before. */
static void write_count(struct stream_node *node)
{
    size_t old = listpack_bytes(&node->pack);
    listpack_replace_integer(&node->pack, listpack_first(&node->pack), node->live);
    uint32_t shift = (uint32_t)(listpack_bytes(&node->pack) - old);
    node->names += shift;
    node->entries += shift;
}

/* Reading. */

/* Reads an integer and moves to the next element. Most are short; whoever searches reads many. */
static int64_t take_integer(const struct listpack *pack, size_t *at)
{
    const unsigned char *bytes = pack->bytes + *at;
    if (bytes[0] < PACK_STRING6) {
        *at += 2;
        return bytes[0];
    }
    int64_t number = integer_at(pack, *at);
    *at += listpack_bytes_at(bytes);
    return number;
}

/* Reads the entry whose flags are at `at`. False: there is none. */
static bool read_entry(const struct stream_node *node, size_t at, struct stream_entry *entry)
{
    if (at == 0)
        return false;
    const struct listpack *pack = &node->pack;
    entry->node = node;
    entry->at = at;
    int64_t flags = take_integer(pack, &at);
    entry->id.ms = node->id.ms + (uint64_t)take_integer(pack, &at);
    entry->id.seq = node->id.seq + (uint64_t)take_integer(pack, &at);
    if (flags & FLAG_SAME_FIELDS) {
        entry->field_count = node->fields;
        entry->size = node->fields + (size_t)SAME_FIELDS_EXTRA;
        entry->fields = node->names;
    } else {
        entry->field_count = (size_t)take_integer(pack, &at);
        entry->size = 2 * entry->field_count + OTHER_FIELDS_EXTRA;
        entry->fields = 0;
    }
    entry->values = at;
    return true;
}

bool stream_node_first(const struct stream_node *node, struct stream_entry *entry)
{
    return read_entry(node, node->entries, entry);
}

static size_t next_place(const struct stream_entry *entry)
{
    size_t rest = entry->field_count * (entry->fields ? 1 : 2) + 1;
    return listpack_skip(&entry->node->pack, entry->values, rest);
}

bool stream_entry_next(struct stream_entry *entry)
{
    return read_entry(entry->node, next_place(entry), entry);
}

/* `at`: the place of an entry's last element. */
static bool read_backwards(const struct stream_node *node, size_t at, struct stream_entry *entry)
{
    for (int64_t left = integer_at(&node->pack, at); left > 0; left--)
        at = listpack_previous(&node->pack, at);
    return read_entry(node, at, entry);
}

bool stream_node_last(const struct stream_node *node, struct stream_entry *entry)
{
    return node->entries && read_backwards(node, listpack_last(&node->pack), entry);
}

bool stream_entry_previous(struct stream_entry *entry)
{
    const struct stream_node *node = entry->node;
    return entry->at != node->entries &&
           read_backwards(node, listpack_previous(&node->pack, entry->at), entry);
}

/* Whether the ID, which is between those of the node and of its last entry, seems to be in the
 * second half. */
static bool is_near_end(const struct stream_node *node, struct stream_id last, struct stream_id id)
{
    if (last.ms == node->id.ms)
        return id.seq - node->id.seq > last.seq - id.seq;
    return id.ms - node->id.ms > last.ms - id.ms;
}

/* Who follows a stream asks for its end most often: the search begins at the nearer end, as far as
 * the IDs tell. */
bool stream_node_seek(const struct stream_node *node, struct stream_id from,
                      struct stream_entry *entry, size_t *before)
{
    struct stream_entry last = {0};
    *before = node->live;
    if (!stream_node_last(node, &last) || stream_id_compare(last.id, from) < 0)
        return false;
    if (stream_id_compare(from, node->id) <= 0 || !is_near_end(node, last.id, from)) {
        *before = 0;
        stream_node_first(node, entry);
        while (stream_id_compare(entry->id, from) < 0) {
            stream_entry_next(entry);
            ++*before;
        }
        return true;
    }
    do {
        *entry = last;
        --*before;
    } while (stream_entry_previous(&last) && stream_id_compare(last.id, from) >= 0);
    return true;
}

void stream_entry_fields(const struct stream_entry *entry, struct stream_field_walk *walk)
{
    walk->pack = &entry->node->pack;
    walk->left = entry->field_count;
    walk->apart = entry->fields != 0;
    walk->name = walk->apart ? entry->fields : entry->values;
    walk->value = entry->values;
}

bool stream_field_next(struct stream_field_walk *walk, struct stream_field *field)
{
    if (walk->left == 0)
        return false;
    walk->left--;
    if (!walk->apart)
        walk->value = listpack_next(walk->pack, walk->name);
    field->name = listpack_text(walk->pack, walk->name, walk->scratch[0]);
    field->value = listpack_text(walk->pack, walk->value, walk->scratch[1]);
    size_t behind = listpack_next(walk->pack, walk->value);
    walk->name = walk->apart ? listpack_next(walk->pack, walk->name) : behind;
    walk->value = behind;
    return true;
}

uint64_t stream_entry_digest(const struct stream_entry *entry)
{
    uint64_t hash = XXH3_64bits_withSeed(&entry->id, sizeof(entry->id), entry->field_count);
    struct stream_field_walk walk;
    struct stream_field field;
    stream_entry_fields(entry, &walk);
    while (stream_field_next(&walk, &field)) {
        hash = XXH3_64bits_withSeed(field.name.ptr, field.name.len, hash);
        hash = XXH3_64bits_withSeed(field.value.ptr, field.value.len, hash);
    }
    return hash;
}

/* Writing. */

size_t stream_fields_bytes(const struct stream_fields *fields)
{
    size_t bytes = INTEGERS_MAX * ELEMENT_EXTRA_MAX;
    for (size_t i = 0; i < 2 * fields->count; i++) {
        size_t element = fields->args[i].len + ELEMENT_EXTRA_MAX;
        bytes += i % 2 ? element : 2 * element; /* a name may become the node's too */
    }
    return bytes;
}

static bool has_same_fields(const struct stream_node *node, const struct stream_fields *fields)
{
    if (fields->count != node->fields)
        return false;
    size_t at = node->names;
    for (size_t i = 0; i < fields->count; i++) {
        if (!listpack_equal(&node->pack, at, fields->args[2 * i]))
            return false;
        at = listpack_next(&node->pack, at);
    }
    return true;
}

static void write_entry(struct stream_node *node, struct stream_id id,
                        const struct stream_fields *fields, bool same)
{
    struct listpack *pack = &node->pack;
    size_t at = listpack_append_integer(pack, same ? FLAG_SAME_FIELDS : 0);
    if (!node->entries)
        node->entries = (uint32_t)at;
    listpack_append_integer(pack, (int64_t)(id.ms - node->id.ms));
    listpack_append_integer(pack, (int64_t)(id.seq - node->id.seq));
    if (!same)
        listpack_append_integer(pack, (int64_t)fields->count);
    for (size_t i = same; i < 2 * fields->count; i += same ? 2 : 1)
        listpack_append(pack, fields->args[i]);
    size_t size = same ? fields->count + SAME_FIELDS_EXTRA : 2 * fields->count + OTHER_FIELDS_EXTRA;
    listpack_append_integer(pack, (int64_t)size);
    struct stream_entry entry = {0};
    read_entry(node, at, &entry);
    node->sum += stream_entry_digest(&entry);
}

struct stream_node *stream_node_new(struct stream_id id, const struct stream_fields *fields)
{
    struct stream_node *node = mem_zalloc(sizeof(*node));
    node->id = id;
    node->live = 1;
    node->fields = (uint32_t)fields->count;
    struct listpack *pack = &node->pack;
    listpack_reserve(pack, stream_fields_bytes(fields));
    listpack_append_integer(pack, 1);
    listpack_append_integer(pack, 0);
    listpack_append_integer(pack, (int64_t)fields->count);
    node->names = (uint32_t)(listpack_bytes(pack) - PACK_END_BYTES);
    for (size_t i = 0; i < fields->count; i++)
        listpack_append(pack, fields->args[2 * i]);
    listpack_append_integer(pack, 0);
    write_entry(node, id, fields, true);
    return node;
}

void stream_node_append(struct stream_node *node, struct stream_id id,
                        const struct stream_fields *fields)
{
    node->live++;
    write_count(node);
    write_entry(node, id, fields, has_same_fields(node, fields));
}

/* Takes out elements of some entries. `entries` stays the place of the first one. */
static void take_out(struct stream_node *node, size_t at, size_t elements, size_t entries)
{
    listpack_delete(&node->pack, at, elements);
    node->live -= (uint32_t)entries;
    write_count(node);
}

void stream_node_delete(struct stream_node *node, const struct stream_entry *entry)
{
    ASSERT(node->live > 1 && entry->node == node);
    node->sum -= stream_entry_digest(entry);
    take_out(node, entry->at, entry->size + 1, 1);
}

void stream_node_delete_first(struct stream_node *node, size_t count)
{
    ASSERT(count < node->live);
    struct stream_entry entry = {0};
    stream_node_first(node, &entry);
    size_t elements = 0;
    for (size_t i = 0; i < count; i++) {
        node->sum -= stream_entry_digest(&entry);
        elements += entry.size + 1;
        stream_entry_next(&entry);
    }
    take_out(node, node->entries, elements, count);
}

struct stream_node *stream_node_copy(const struct stream_node *from)
{
    struct stream_node *node = mem_alloc(sizeof(*node));
    *node = *from;
    node->pack = (struct listpack){0};
    listpack_copy(&node->pack, &from->pack);
    return node;
}

void stream_node_free(struct stream_node *node)
{
    listpack_close(&node->pack);
    mem_free(node);
}

size_t stream_node_memory(const struct stream_node *node)
{
    return mem_footprint(sizeof(*node)) + listpack_memory(&node->pack);
}

/* Bytes from elsewhere. */

/* Reads a number between 0 and `max` and moves to the next element. */
static bool checked_number(const struct listpack *pack, size_t *at, int64_t max, int64_t *number)
{
    if (*at == 0 || !listpack_integer(pack, *at, number) || *number < 0 || *number > max)
        return false;
    *at = listpack_next(pack, *at);
    return true;
}

static bool check_head(struct stream_node *node, uint32_t *deleted)
{
    const struct listpack *pack = &node->pack;
    size_t at = listpack_first(pack);
    int64_t live, marked, fields, zero, max = (int64_t)listpack_count(pack);
    if (!checked_number(pack, &at, max, &live) || !checked_number(pack, &at, max, &marked) ||
        !checked_number(pack, &at, max, &fields) || at == 0)
        return false;
    node->live = (uint32_t)live;
    *deleted = (uint32_t)marked;
    node->fields = (uint32_t)fields;
    node->names = (uint32_t)at;
    at = listpack_skip(pack, at, (size_t)fields);
    if (!checked_number(pack, &at, 0, &zero))
        return false;
    node->entries = (uint32_t)at;
    return true;
}

/* Checks the entry at *at, sets `entry` and moves to the next one. */
static bool check_entry(const struct stream_node *node, size_t *at, struct stream_entry *entry)
{
    const struct listpack *pack = &node->pack;
    size_t start = *at;
    int64_t flags, number, size, max = (int64_t)listpack_count(pack);
    if (!checked_number(pack, at, FLAG_DELETED | FLAG_SAME_FIELDS, &flags))
        return false;
    for (int i = 0; i < ENTRY_HEAD - 1; i++) {
        if (*at == 0 || !listpack_integer(pack, *at, &number))
            return false;
        *at = listpack_next(pack, *at);
    }
    size_t values = node->fields, extra = SAME_FIELDS_EXTRA;
    if (!(flags & FLAG_SAME_FIELDS)) {
        if (!checked_number(pack, at, max, &number))
            return false;
        values = 2 * (size_t)number;
        extra = OTHER_FIELDS_EXTRA;
    }
    if (*at == 0)
        return false;
    *at = listpack_skip(pack, *at, values);
    if (!checked_number(pack, at, max, &size) || (size_t)size != values + extra)
        return false;
    return read_entry(node, start, entry);
}

static bool is_deleted(const struct stream_entry *entry)
{
    return integer_at(&entry->node->pack, entry->at) & FLAG_DELETED;
}

static bool check_entries(const struct stream_node *node, uint32_t deleted)
{
    uint32_t found = 0, marked = 0;
    struct stream_id previous = node->id;
    bool is_first = true;
    for (size_t at = node->entries; at != 0;) {
        struct stream_entry entry;
        if (!check_entry(node, &at, &entry))
            return false;
        int order = stream_id_compare(entry.id, previous);
        if (order < 0 || (order == 0 && !is_first) || stream_id_is_zero(entry.id))
            return false;
        previous = entry.id;
        is_first = false;
        found++;
        marked += is_deleted(&entry);
    }
    return marked == deleted && found - marked == node->live;
}

/* Drops the entries that are only marked, and computes the sum. */
static void settle(struct stream_node *node, uint32_t deleted)
{
    struct listpack old = node->pack, fresh = {0};
    struct stream_node marked = *node;
    struct stream_entry entry;
    size_t head = HEAD_ELEMENTS + node->fields + (size_t)1;
    if (deleted) {
        listpack_reserve(&fresh, listpack_bytes(&old));
        listpack_append_from(&fresh, &old, listpack_first(&old), head);
        size_t second = listpack_next(&fresh, listpack_first(&fresh));
        listpack_replace_integer(&fresh, second, 0);
    }
    for (bool more = stream_node_first(&marked, &entry); more; more = stream_entry_next(&entry)) {
        if (is_deleted(&entry))
            continue;
        node->sum += stream_entry_digest(&entry);
        if (deleted)
            listpack_append_from(&fresh, &old, entry.at, entry.size + 1);
    }
    if (!deleted)
        return;
    listpack_shrink(&fresh);
    listpack_close(&old);
    node->pack = fresh;
    node->names = (uint32_t)listpack_skip(&fresh, listpack_first(&fresh), HEAD_ELEMENTS);
    node->entries = (uint32_t)listpack_skip(&fresh, listpack_first(&fresh), head);
}

struct stream_node *stream_node_load(struct stream_id id, struct span bytes)
{
    struct stream_node *node = mem_zalloc(sizeof(*node));
    uint32_t deleted = 0;
    node->id = id;
    if (listpack_load(&node->pack, bytes) && check_head(node, &deleted) &&
        check_entries(node, deleted)) {
        settle(node, deleted);
        return node;
    }
    stream_node_free(node);
    return NULL;
}
