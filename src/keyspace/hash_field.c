/* Fields of a hash that is a dictionary. */
#include <xxhash.h>

#include "base/assert.h"
#include "keyspace/hash_form.h"

_Static_assert(sizeof(struct hash_field) == 12 && sizeof(struct hash_field_time) == 12,
               "a field takes no more than it needs");

uint64_t hash_digest_of(struct span field, struct span value, int64_t deadline_ms)
{
    uint64_t digest = XXH3_64bits_withSeed(value.ptr, value.len, XXH3_64bits(field.ptr, field.len));
    if (deadline_ms != NO_DEADLINE)
        digest = XXH3_64bits_withSeed(&deadline_ms, sizeof(deadline_ms), digest);
    return digest;
}

static size_t time_bytes(bool is_timed)
{
    return is_timed ? sizeof(struct hash_field_time) : 0;
}

static size_t bytes_for(size_t field_len, size_t value_len, bool is_timed)
{
    return sizeof(struct hash_field) + time_bytes(is_timed) + field_len + value_len;
}

static char *name_of(const struct hash_field *field)
{
    return (char *)(uintptr_t)field->bytes + time_bytes(field->is_timed);
}

struct span hash_field_name(const struct hash_field *field)
{
    return span_of(name_of(field), field->field_len);
}

struct span hash_field_value(const struct hash_field *field)
{
    return span_of(name_of(field) + field->field_len, field->value_len);
}

int64_t hash_field_deadline(const struct hash_field *field)
{
    if (!field->is_timed)
        return NO_DEADLINE;
    struct hash_field_time time;
    memcpy(&time, field->bytes, sizeof(time));
    return (int64_t)((uint64_t)time.high << 32 | time.low);
}

static void set_deadline(struct hash_field *field, int64_t deadline_ms)
{
    struct hash_field_time *time = hash_field_time(field);
    time->low = (uint32_t)deadline_ms;
    time->high = (uint32_t)((uint64_t)deadline_ms >> 32);
}

static void set_value(struct hash_field *field, struct span value)
{
    field->value_len = (uint32_t)value.len;
    if (value.len)
        memmove(name_of(field) + field->field_len, value.ptr, value.len);
}

struct hash_field *hash_field_new(uint32_t hash, const struct hash_entry *entry)
{
    bool is_timed = entry->deadline_ms != NO_DEADLINE;
    ASSERT(entry->field.len <= INT32_MAX && entry->value.len <= UINT32_MAX);
    /* what the allocator rounds up to may be written into later */
    size_t bytes = mem_footprint(bytes_for(entry->field.len, entry->value.len, is_timed));
    struct hash_field *field = mem_alloc(bytes);
    field->hash = hash;
    field->field_len = (uint32_t)entry->field.len & INT32_MAX;
    field->is_timed = is_timed;
    if (is_timed)
        set_deadline(field, entry->deadline_ms);
    if (entry->field.len)
        memcpy(name_of(field), entry->field.ptr, entry->field.len);
    set_value(field, entry->value);
    return field;
}

size_t hash_field_memory(const struct hash_field *field)
{
    return mem_footprint(bytes_for(field->field_len, field->value_len, field->is_timed));
}

bool hash_field_try_set(struct hash_field *field, struct span value, int64_t deadline_ms)
{
    bool is_timed = deadline_ms != NO_DEADLINE;
    if (is_timed != field->is_timed ||
        mem_footprint(bytes_for(field->field_len, value.len, is_timed)) != hash_field_memory(field))
        return false;
    set_value(field, value);
    if (is_timed)
        set_deadline(field, deadline_ms);
    return true;
}
