/* What the keyspace asks of a hash. */
#include "base/number.h"
#include "keyspace/hash_form.h"
#include "keyspace/rdb_code.h"

/* NOTE_FIELDS: how many fields one note looks at at most. NOTE_PAIR_MAX: the longest pair in it. */
enum { NOTE_FIELDS = 32 * 1024, NOTE_PAIR_MAX = 2 * NUMBER_I64_CHARS + 2 };

static void *make(void)
{
    return hash_new();
}

static size_t count(const void *value)
{
    return hash_count(value);
}

static uint64_t sum(const void *value)
{
    return ((const struct hash *)value)->sum;
}

static uint64_t sum_by_walk(const void *value)
{
    uint64_t total = 0;
    struct hash_walk walk = hash_walk(value);
    for (struct hash_entry entry; hash_walk_next(&walk, &entry);)
        total += hash_digest_of(entry.field, entry.value, entry.deadline_ms);
    return total;
}

static void digest_text(struct value_sink *sink, struct span text)
{
    uint64_t len = text.len;
    sink->add(sink, &len, sizeof(len));
    sink->add(sink, text.ptr, text.len);
}

static void digest(const void *value, struct value_sink *sink)
{
    struct hash_walk walk = hash_walk(value);
    for (struct hash_entry entry; hash_walk_next(&walk, &entry);) {
        digest_text(sink, entry.field);
        digest_text(sink, entry.value);
        sink->add(sink, &entry.deadline_ms, sizeof(entry.deadline_ms));
    }
}

static size_t memory_dense(const struct hash_table *table, size_t samples)
{
    size_t fields = dense_count(&table->dense);
    size_t bytes = mem_footprint(sizeof(*table)) + dense_memory(&table->dense) +
                   mem_footprint(table->times.capacity * sizeof(*table->times.entries));
    if (samples == 0 || samples > fields)
        samples = fields;
    size_t sampled = 0;
    for (size_t i = 0; i < samples; i++)
        sampled += hash_field_memory(dense_at(&table->dense, i));
    return samples ? bytes + (size_t)((double)sampled / (double)samples * (double)fields) : bytes;
}

static size_t memory(const void *value, size_t samples)
{
    const struct hash *hash = value;
    return mem_footprint(sizeof(*hash)) + (hash->form == HASH_PACKED
                                               ? listpack_memory(&hash->pack)
                                               : memory_dense(hash->table, samples));
}

static const char *encoding(const void *value)
{
    return ((const struct hash *)value)->form == HASH_PACKED ? "listpack" : "hashtable";
}

static struct hash_table *copy_table(const struct hash_table *from)
{
    struct hash_table *table = mem_zalloc(sizeof(*table));
    table->seed = from->seed;
    dense_reserve(&table->dense, dense_count(&from->dense));
    for (size_t i = 0; i < dense_count(&from->dense); i++) {
        const struct hash_field *field = dense_at(&from->dense, i);
        struct hash_entry entry = {hash_field_name(field), hash_field_value(field),
                                   hash_field_deadline(field), "", ""};
        struct hash_field *fresh = hash_field_new(field->hash, &entry);
        dense_insert(&table->dense, fresh);
        if (fresh->is_timed)
            hash_times_add(&table->times, fresh);
    }
    return table;
}

static void *copy(const void *value)
{
    const struct hash *from = value;
    struct hash *hash = hash_new();
    hash->sum = from->sum;
    hash->form = from->form;
    if (from->form == HASH_PACKED)
        listpack_copy(&hash->pack, &from->pack);
    else
        hash->table = copy_table(from->table);
    return hash;
}

/* A packed hash is one element less than the limit at most: its memory goes at once. */
static size_t free_some(void *value, size_t limit)
{
    struct hash *hash = value;
    size_t freed = hash_count(hash);
    if (hash->form == HASH_DENSE) {
        freed = dense_free_some(&hash->table->dense, limit, mem_free);
        if (freed == limit)
            return freed;
        hash_times_close(&hash->table->times);
        mem_free(hash->table);
    } else {
        listpack_close(&hash->pack);
    }
    mem_free(hash);
    return freed < limit ? freed : limit - 1;
}

void hash_free(struct hash *hash)
{
    while (hash && free_some(hash, SIZE_MAX) == SIZE_MAX)
        continue;
}

static int64_t earliest(const void *value)
{
    return hash_earliest(value);
}

static size_t remove_due(void *value, int64_t now_ms, size_t limit)
{
    return hash_remove_expired(value, now_ms, limit);
}

static size_t count_due(const void *value, int64_t now_ms, size_t limit)
{
    const struct hash *hash = value;
    return hash_has_deadlines(hash) ? hash_times_count_past(&hash->table->times, now_ms, limit) : 0;
}

static unsigned rdb_type(const void *value)
{
    (void)value;
    return RDB_TYPE_HASH;
}

enum save_step { SAVE_COUNT, SAVE_FIELD, SAVE_VALUE };

/* cursor: 0: enum save_step; 1: position; 2: how far the text there is. */
static bool save(const void *value, struct value_cursor *cursor, struct buf *out, size_t most)
{
    const struct hash *hash = value;
    size_t until = out->len + most;
    if (cursor->at[0] == SAVE_COUNT) {
        rdb_add_length(out, hash_count(hash));
        cursor->at[0] = SAVE_FIELD;
    }
    struct hash_walk walk = hash_walk_from(hash, cursor->at[1]);
    for (struct hash_entry entry; out->len < until; cursor->at[1]++) {
        if (!hash_walk_next(&walk, &entry))
            return false;
        if (cursor->at[0] == SAVE_FIELD) {
            if (!rdb_add_text_until(out, entry.field, &cursor->at[2], until))
                return true;
            cursor->at[0] = SAVE_VALUE;
        }
        if (out->len >= until || !rdb_add_text_until(out, entry.value, &cursor->at[2], until))
            return true;
        cursor->at[0] = SAVE_FIELD;
    }
    return true;
}

/* Deadlines as "<position>:<deadline> ...", because the encoding has no place for them. A note
 * without any passes over fields that have none. cursor: 0: position. */
static bool note(const void *value, struct value_cursor *cursor, struct buf *out)
{
    const struct hash *hash = value;
    if (!hash_has_deadlines(hash) || cursor->at[0] >= hash_count(hash))
        return false;
    size_t end = out->len + VALUE_NOTE_MAX - NOTE_PAIR_MAX;
    struct hash_walk walk = hash_walk_from(hash, cursor->at[0]);
    struct hash_entry entry;
    for (size_t i = 0; i < NOTE_FIELDS && out->len < end && hash_walk_next(&walk, &entry); i++) {
        if (entry.deadline_ms == NO_DEADLINE)
            continue;
        buf_add_u64(out, walk.position - 1);
        buf_add_char(out, ':');
        buf_add_i64(out, entry.deadline_ms);
        buf_add_char(out, ' ');
    }
    cursor->at[0] = walk.position;
    return true;
}

/* Takes a number up to the given byte off the text. */
static bool take_number(struct span *text, char end, int64_t *number)
{
    const char *found = text->len ? memchr(text->ptr, end, text->len) : NULL;
    if (!found)
        return false;
    size_t len = (size_t)(found - text->ptr);
    if (!number_parse_i64(span_of(text->ptr, len), number) || *number < 0)
        return false;
    *text = span_of(found + 1, text->len - len - 1);
    return true;
}

static bool note_take(void *value, struct span text, const struct value_rules *rules)
{
    struct hash *hash = value;
    int64_t position;
    int64_t deadline_ms;
    while (text.len) {
        if (!take_number(&text, ':', &position) || !take_number(&text, ' ', &deadline_ms) ||
            (uint64_t)position >= hash_count(hash))
            return false;
        hash_make_dense(hash, 0, rules);
        struct hash_field *field = dense_at(&hash->table->dense, (size_t)position);
        struct span name = hash_field_name(field);
        struct span stays = hash_field_value(field);
        hash->sum += hash_digest_of(name, stays, deadline_ms) -
                     hash_digest_of(name, stays, hash_field_deadline(field));
        hash_table_set(hash->table, field, stays, deadline_ms);
    }
    return true;
}

const struct value_ops hash_ops = {
    .name = "hash",
    .make = make,
    .count = count,
    .sum = sum,
    .sum_by_walk = sum_by_walk,
    .digest = digest,
    .memory = memory,
    .encoding = encoding,
    .copy = copy,
    .free_some = free_some,
    .earliest = earliest,
    .remove_due = remove_due,
    .count_due = count_due,
    .rdb_type = rdb_type,
    .save = save,
    .note = note,
    .note_take = note_take,
};
