#include "keyspace/hash.h"

#include "base/assert.h"
#include "keyspace/hash_form.h"

struct hash *hash_new(void)
{
    return mem_zalloc(sizeof(struct hash));
}

size_t hash_count(const struct hash *hash)
{
    return hash->form == HASH_PACKED ? listpack_count(&hash->pack) / 2
                                     : dense_count(&hash->table->dense);
}

/* Finding. */

static struct span key_of(const void *element)
{
    return hash_field_name(element);
}

static struct hash_field *find_dense(const struct hash_table *table, struct span field)
{
    return dense_find(&table->dense, field, dense_hash(field, table->seed), key_of);
}

/* The place of the field; 0: there is none. */
static size_t find_packed(const struct hash *hash, struct span field)
{
    return listpack_find(&hash->pack, listpack_first(&hash->pack), field, 1);
}

static void read_packed(const struct hash *hash, size_t at, struct hash_entry *entry)
{
    entry->field = listpack_text(&hash->pack, at, entry->field_scratch);
    entry->value = listpack_text(&hash->pack, listpack_next(&hash->pack, at), entry->value_scratch);
    entry->deadline_ms = NO_DEADLINE;
}

static void read_dense(const struct hash_field *field, struct hash_entry *entry)
{
    entry->field = hash_field_name(field);
    entry->value = hash_field_value(field);
    entry->deadline_ms = hash_field_deadline(field);
}

bool hash_find(const struct hash *hash, struct span field, int64_t now_ms, struct hash_entry *entry)
{
    if (hash->form == HASH_PACKED) {
        size_t at = find_packed(hash, field);
        if (at)
            read_packed(hash, at, entry);
        return at != 0;
    }
    const struct hash_field *found = find_dense(hash->table, field);
    if (!found)
        return false;
    read_dense(found, entry);
    return !hash_is_past(entry, now_ms);
}

void hash_at(const struct hash *hash, size_t position, struct hash_entry *entry)
{
    ASSERT(position < hash_count(hash));
    if (hash->form == HASH_PACKED)
        read_packed(hash, listpack_nth(&hash->pack, 2 * position), entry);
    else
        read_dense(dense_at(&hash->table->dense, position), entry);
}

struct hash_index hash_index(const struct hash *hash)
{
    bool packed = hash->form == HASH_PACKED;
    return (struct hash_index){hash, packed ? listpack_places(&hash->pack, 2) : NULL};
}

void hash_index_at(const struct hash_index *index, size_t position, struct hash_entry *entry)
{
    if (index->places)
        read_packed(index->hash, index->places[position], entry);
    else
        hash_at(index->hash, position, entry);
}

void hash_index_close(struct hash_index *index)
{
    mem_free(index->places);
    index->places = NULL;
}

/* Setting. */

static void add_dense(struct hash_table *table, const struct hash_entry *entry)
{
    struct hash_field *field = hash_field_new(dense_hash(entry->field, table->seed), entry);
    dense_insert(&table->dense, field);
    if (field->is_timed)
        hash_times_add(&table->times, field);
}

void hash_make_dense(struct hash *hash, size_t more, const struct value_rules *rules)
{
    if (hash->form == HASH_DENSE)
        return;
    struct hash_table *table = mem_zalloc(sizeof(*table));
    table->seed = rules->seed;
    dense_reserve(&table->dense, hash_count(hash) + more);
    struct hash_walk walk = hash_walk(hash);
    for (struct hash_entry entry; hash_walk_next(&walk, &entry);)
        add_dense(table, &entry);
    listpack_close(&hash->pack);
    hash->form = HASH_DENSE;
    hash->table = table;
}

void hash_table_set(struct hash_table *table, struct hash_field *old, struct span value,
                    int64_t deadline_ms)
{
    if (hash_field_try_set(old, value, deadline_ms)) {
        if (old->is_timed)
            hash_times_move(&table->times, old);
        return;
    }
    struct hash_entry entry = {
        .field = hash_field_name(old), .value = value, .deadline_ms = deadline_ms};
    struct hash_field *fresh = hash_field_new(old->hash, &entry);
    if (old->is_timed)
        hash_times_remove(&table->times, old);
    if (fresh->is_timed)
        hash_times_add(&table->times, fresh);
    dense_replace(&table->dense, dense_position(&table->dense, old), fresh);
    mem_free(old);
}

static bool fits_packed(const struct hash *hash, const struct hash_entry *entry,
                        const struct value_rules *rules)
{
    size_t longest = rules->hash_packed_value;
    return hash->form == HASH_PACKED && entry->field.len <= longest &&
           entry->value.len <= longest &&
           listpack_has_room(&hash->pack, listpack_element_bytes(entry->field) +
                                              listpack_element_bytes(entry->value));
}

/* False: the hash has to be a dictionary for this, as it has for any deadline. */
static bool set_packed(struct hash *hash, const struct hash_entry *entry,
                       const struct value_rules *rules, bool *is_new)
{
    size_t at = find_packed(hash, entry->field);
    *is_new = at == 0;
    if (!fits_packed(hash, entry, rules) || entry->deadline_ms != NO_DEADLINE ||
        (*is_new && hash_count(hash) >= rules->hash_packed_entries))
        return false;
    if (*is_new) {
        listpack_append(&hash->pack, entry->field);
        listpack_append(&hash->pack, entry->value);
        return true;
    }
    struct hash_entry old;
    read_packed(hash, at, &old);
    hash->sum -= hash_digest_of(old.field, old.value, NO_DEADLINE);
    listpack_replace(&hash->pack, listpack_next(&hash->pack, at), entry->value);
    return true;
}

static bool set_dense(struct hash *hash, struct hash_entry *entry, bool keeps_deadline)
{
    struct hash_table *table = hash->table;
    struct hash_field *old = find_dense(table, entry->field);
    if (!old) {
        add_dense(table, entry);
        return true;
    }
    int64_t deadline_ms = hash_field_deadline(old);
    hash->sum -= hash_digest_of(entry->field, hash_field_value(old), deadline_ms);
    if (keeps_deadline)
        entry->deadline_ms = deadline_ms;
    hash_table_set(table, old, entry->value, entry->deadline_ms);
    return false;
}

static bool set(struct hash *hash, struct hash_entry *entry, bool keeps_deadline,
                const struct value_rules *rules)
{
    bool is_new;
    if (hash->form == HASH_DENSE || !set_packed(hash, entry, rules, &is_new)) {
        hash_make_dense(hash, 1, rules);
        is_new = set_dense(hash, entry, keeps_deadline);
    }
    hash->sum += hash_digest_of(entry->field, entry->value, entry->deadline_ms);
    return is_new;
}

bool hash_set(struct hash *hash, struct span field, struct span value,
              const struct value_rules *rules)
{
    struct hash_entry entry = {.field = field, .value = value, .deadline_ms = NO_DEADLINE};
    return set(hash, &entry, false, rules);
}

bool hash_set_value(struct hash *hash, struct span field, struct span value,
                    const struct value_rules *rules)
{
    struct hash_entry entry = {.field = field, .value = value, .deadline_ms = NO_DEADLINE};
    return set(hash, &entry, true, rules);
}

bool hash_set_until(struct hash *hash, const struct hash_entry *entry,
                    const struct value_rules *rules)
{
    struct hash_entry fresh = {
        .field = entry->field, .value = entry->value, .deadline_ms = entry->deadline_ms};
    return set(hash, &fresh, false, rules);
}

void hash_load(struct hash *hash, const struct hash_entry *entry, const struct value_rules *rules)
{
    if (entry->deadline_ms != NO_DEADLINE || !fits_packed(hash, entry, rules) ||
        hash_count(hash) >= rules->hash_packed_entries)
        hash_make_dense(hash, 1, rules);
    if (hash->form == HASH_PACKED) {
        listpack_append(&hash->pack, entry->field);
        listpack_append(&hash->pack, entry->value);
    } else {
        add_dense(hash->table, entry);
    }
    hash->sum += hash_digest_of(entry->field, entry->value, entry->deadline_ms);
}

bool hash_set_deadline(struct hash *hash, struct span field, int64_t deadline_ms,
                       const struct value_rules *rules)
{
    if (hash->form == HASH_PACKED) {
        if (!find_packed(hash, field))
            return false;
        if (deadline_ms == NO_DEADLINE)
            return true;
        hash_make_dense(hash, 0, rules);
    }
    struct hash_table *table = hash->table;
    struct hash_field *found = find_dense(table, field);
    if (!found)
        return false;
    struct span value = hash_field_value(found);
    hash->sum -= hash_digest_of(field, value, hash_field_deadline(found));
    hash->sum += hash_digest_of(field, value, deadline_ms);
    hash_table_set(table, found, value, deadline_ms);
    return true;
}

/* Removing. */

static void remove_packed(struct hash *hash, size_t at)
{
    struct hash_entry entry;
    read_packed(hash, at, &entry);
    hash->sum -= hash_digest_of(entry.field, entry.value, NO_DEADLINE);
    listpack_take_out(&hash->pack, at, 2);
}

static void remove_dense(struct hash *hash, size_t position)
{
    struct hash_table *table = hash->table;
    struct hash_field *field = dense_at(&table->dense, position);
    hash->sum -=
        hash_digest_of(hash_field_name(field), hash_field_value(field), hash_field_deadline(field));
    if (field->is_timed)
        hash_times_remove(&table->times, field);
    dense_remove(&table->dense, position);
    mem_free(field);
}

bool hash_remove(struct hash *hash, struct span field)
{
    if (hash->form == HASH_PACKED) {
        size_t at = find_packed(hash, field);
        if (at)
            remove_packed(hash, at);
        return at != 0;
    }
    const struct hash_field *found = find_dense(hash->table, field);
    if (found)
        remove_dense(hash, dense_position(&hash->table->dense, found));
    return found != NULL;
}

void hash_remove_at(struct hash *hash, size_t position)
{
    if (hash->form == HASH_PACKED)
        remove_packed(hash, listpack_nth(&hash->pack, 2 * position));
    else
        remove_dense(hash, position);
}

/* Walking. */

struct hash_walk hash_walk_from(const struct hash *hash, size_t position)
{
    struct hash_walk walk = {.hash = hash, .position = position};
    if (hash->form == HASH_PACKED)
        walk.place = listpack_nth(&hash->pack, 2 * position);
    return walk;
}

struct hash_walk hash_walk(const struct hash *hash)
{
    return hash_walk_from(hash, 0);
}

bool hash_walk_next(struct hash_walk *walk, struct hash_entry *entry)
{
    const struct hash *hash = walk->hash;
    if (walk->position >= hash_count(hash))
        return false;
    if (hash->form == HASH_PACKED) {
        read_packed(hash, walk->place, entry);
        walk->place = listpack_skip(&hash->pack, walk->place, 2);
    } else {
        read_dense(dense_at(&hash->table->dense, walk->position), entry);
    }
    walk->position++;
    return true;
}

static void visit_all(const struct hash *hash,
                      void (*visit)(void *context, const struct hash_entry *entry), void *context)
{
    struct hash_walk walk = hash_walk(hash);
    for (struct hash_entry entry; hash_walk_next(&walk, &entry);)
        visit(context, &entry);
}

uint64_t hash_scan(const struct hash *hash, uint64_t cursor, size_t count,
                   void (*visit)(void *context, const struct hash_entry *entry), void *context)
{
    size_t fields = hash_count(hash);
    if (fields <= VALUE_ORDER_KEPT) {
        visit_all(hash, visit, context);
        return 0;
    }
    if (cursor == 0 || cursor > fields)
        cursor = fields;
    for (; cursor > 0 && count > 0; count--) {
        struct hash_entry entry;
        hash_at(hash, (size_t)--cursor, &entry);
        visit(context, &entry);
    }
    return cursor;
}
