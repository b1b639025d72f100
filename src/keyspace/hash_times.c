/* Deadlines of fields. */
#include "base/assert.h"
#include "keyspace/hash_form.h"

enum { CAPACITY_MIN = 4 };

static bool is_before(const struct hash_times_entry *a, const struct hash_times_entry *b)
{
    if (a->deadline_ms != b->deadline_ms)
        return a->deadline_ms < b->deadline_ms;
    return span_compare(hash_field_name(a->field), hash_field_name(b->field)) < 0;
}

static void put(struct hash_times *times, uint32_t at, struct hash_times_entry entry)
{
    times->entries[at] = entry;
    hash_field_time(entry.field)->heap_position = at;
}

static void sift_up(struct hash_times *times, uint32_t at, struct hash_times_entry entry)
{
    while (at > 0 && is_before(&entry, &times->entries[(at - 1) / 2])) {
        put(times, at, times->entries[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put(times, at, entry);
}

/* Puts the entry where `at` is free, or where it belongs from there on. */
static void settle(struct hash_times *times, uint32_t at, struct hash_times_entry entry)
{
    for (uint32_t child = 2 * at + 1; child < times->count; child = 2 * at + 1) {
        if (child + 1 < times->count &&
            is_before(&times->entries[child + 1], &times->entries[child]))
            child++;
        if (!is_before(&times->entries[child], &entry))
            break;
        put(times, at, times->entries[child]);
        at = child;
    }
    sift_up(times, at, entry);
}

static void set_capacity(struct hash_times *times, uint32_t capacity)
{
    if (capacity == times->capacity)
        return;
    times->entries = mem_realloc(times->entries, capacity * sizeof(*times->entries));
    times->capacity = capacity;
}

static struct hash_times_entry entry_of(struct hash_field *field)
{
    return (struct hash_times_entry){hash_field_deadline(field), field};
}

void hash_times_add(struct hash_times *times, struct hash_field *field)
{
    if (times->count == times->capacity)
        set_capacity(times, (uint32_t)mem_grown(times->capacity, sizeof(*times->entries)));
    sift_up(times, times->count++, entry_of(field));
}

void hash_times_move(struct hash_times *times, struct hash_field *field)
{
    settle(times, hash_field_time(field)->heap_position, entry_of(field));
}

void hash_times_remove(struct hash_times *times, struct hash_field *field)
{
    uint32_t at = hash_field_time(field)->heap_position;
    ASSERT(at < times->count && times->entries[at].field == field);
    struct hash_times_entry last = times->entries[--times->count];
    if (last.field != field)
        settle(times, at, last);
    if (times->count == 0)
        hash_times_close(times);
    else
        set_capacity(times, (uint32_t)mem_shrunk(times->count, times->capacity, CAPACITY_MIN));
}

void hash_times_close(struct hash_times *times)
{
    mem_free(times->entries);
    *times = (struct hash_times){0};
}

/* Below an entry that is not past, none is. */
static size_t count_below(const struct hash_times *times, size_t at, int64_t now_ms, size_t limit)
{
    if (limit == 0 || at >= times->count || times->entries[at].deadline_ms > now_ms)
        return 0;
    size_t count = 1;
    count += count_below(times, 2 * at + 1, now_ms, limit - count);
    count += count_below(times, 2 * at + 2, now_ms, limit - count);
    return count;
}

size_t hash_times_count_past(const struct hash_times *times, int64_t now_ms, size_t limit)
{
    return count_below(times, 0, now_ms, limit);
}

bool hash_has_deadlines(const struct hash *hash)
{
    return hash->form == HASH_DENSE && hash->table->times.count > 0;
}

size_t hash_count_at(const struct hash *hash, int64_t now_ms)
{
    if (!hash_has_deadlines(hash))
        return hash_count(hash);
    return hash_count(hash) - hash_times_count_past(&hash->table->times, now_ms, SIZE_MAX);
}

int64_t hash_earliest(const struct hash *hash)
{
    return hash_has_deadlines(hash) ? hash->table->times.entries[0].deadline_ms : NO_DEADLINE;
}

size_t hash_remove_expired(struct hash *hash, int64_t now_ms, size_t limit)
{
    size_t removed = 0;
    for (; removed < limit && hash_has_deadlines(hash); removed++) {
        struct hash_table *table = hash->table;
        if (table->times.entries[0].deadline_ms > now_ms)
            break;
        hash_remove_at(hash, dense_position(&table->dense, table->times.entries[0].field));
    }
    return removed;
}

bool hash_remove_if_past(struct hash *hash, struct span field, int64_t now_ms)
{
    struct hash_entry entry;
    if (!hash_has_deadlines(hash) || hash->table->times.entries[0].deadline_ms > now_ms)
        return false;
    return hash_find(hash, field, NO_DEADLINE, &entry) && hash_is_past(&entry, now_ms) &&
           hash_remove(hash, field);
}
