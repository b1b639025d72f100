#include "keyspace/set.h"

#include <xxhash.h>

#include "base/assert.h"
#include "base/mem.h"
#include "keyspace/set_form.h"

uint64_t set_digest_of(struct span member)
{
    return XXH3_64bits(member.ptr, member.len);
}

struct set *set_new(void)
{
    return mem_zalloc(sizeof(struct set));
}

size_t set_count(const struct set *set)
{
    switch (set->form) {
    case SET_INTS:
        return set->ints.count;
    case SET_PACKED:
        return listpack_count(&set->pack);
    case SET_DENSE:
    default:
        return dense_count(&set->table->dense);
    }
}

static struct span key_of(const void *element)
{
    return set_member_span(element);
}

static struct set_member *find_dense(const struct set_table *table, struct span member)
{
    return dense_find(&table->dense, member, dense_hash(member, table->seed), key_of);
}

bool set_contains(const struct set *set, struct span member)
{
    int64_t number;
    switch (set->form) {
    case SET_INTS:
        return number_parse_i64(member, &number) && ints_find(&set->ints, number) != INTS_ABSENT;
    case SET_PACKED:
        return listpack_find(&set->pack, listpack_first(&set->pack), member, 0) != 0;
    case SET_DENSE:
    default:
        return find_dense(set->table, member) != NULL;
    }
}

/* Adding. */

static void add_dense(struct set_table *table, struct span bytes, uint32_t hash)
{
    struct set_member *member = mem_alloc(set_member_bytes(bytes.len));
    ASSERT(bytes.len < UINT32_MAX);
    const uint32_t len = (uint32_t)bytes.len;
    unsigned char *at = member->len;
    member->hash = hash;
    *at++ = (unsigned char)(len < SET_MEMBER_LONG ? len : SET_MEMBER_LONG);
    if (len >= SET_MEMBER_LONG) {
        memcpy(at, &len, sizeof(len));
        at += sizeof(len);
    }
    if (len)
        memcpy(at, bytes.ptr, len);
    dense_insert(&table->dense, member);
}

static void close_packed(struct set *set)
{
    if (set->form == SET_INTS)
        ints_close(&set->ints);
    else
        listpack_close(&set->pack);
}

static void make_dense(struct set *set, const struct value_rules *rules)
{
    struct set_table *table = mem_zalloc(sizeof(*table));
    table->seed = rules->seed;
    dense_reserve(&table->dense, set_count(set) + 1);
    struct set_walk walk = set_walk(set);
    for (struct span member; set_walk_next(&walk, &member);)
        add_dense(table, member, dense_hash(member, table->seed));
    close_packed(set);
    set->form = SET_DENSE;
    set->table = table;
}

static void make_packed(struct set *set)
{
    struct listpack pack = {0};
    for (size_t i = 0; i < set->ints.count; i++)
        listpack_append_integer(&pack, ints_at(&set->ints, i));
    ints_close(&set->ints);
    set->form = SET_PACKED;
    set->pack = pack;
}

/* Whether the set may be packed together with one more member. */
static bool fits_packed(const struct set *set, struct span more, const struct value_rules *rules)
{
    if (set_count(set) >= rules->set_packed_entries || more.len > rules->set_packed_value)
        return false;
    if (set->form == SET_PACKED)
        return listpack_has_room(&set->pack, listpack_element_bytes(more));
    struct set_walk walk = set_walk(set);
    for (struct span member; set_walk_next(&walk, &member);)
        if (member.len > rules->set_packed_value)
            return false;
    return true;
}

/* Brings the set into the form that it has with the new member. */
static void prepare(struct set *set, struct span member, const struct value_rules *rules)
{
    int64_t number;
    if (set->form == SET_DENSE)
        return;
    if (set->form == SET_INTS && number_parse_i64(member, &number)) {
        if (set->ints.count >= rules->set_intset_entries || set->ints.count >= INTS_MAX)
            make_dense(set, rules);
        return;
    }
    if (!fits_packed(set, member, rules))
        make_dense(set, rules);
    else if (set->form == SET_INTS)
        make_packed(set);
}

void set_load(struct set *set, struct span member, const struct value_rules *rules)
{
    int64_t number = 0;
    prepare(set, member, rules);
    bool is_integer = number_parse_i64(member, &number);
    switch (set->form) {
    case SET_INTS:
        ASSERT(is_integer);
        ints_append(&set->ints, number);
        break;
    case SET_PACKED:
        listpack_append(&set->pack, member);
        break;
    case SET_DENSE:
    default:
        add_dense(set->table, member, dense_hash(member, set->table->seed));
    }
    set->sum += set_digest_of(member);
}

bool set_add(struct set *set, struct span member, const struct value_rules *rules)
{
    if (set_contains(set, member))
        return false;
    set_load(set, member, rules);
    return true;
}

/* Removing. */

static void remove_dense(struct set_table *table, size_t position)
{
    struct set_member *member = dense_at(&table->dense, position);
    dense_remove(&table->dense, position);
    mem_free(member);
}

bool set_remove(struct set *set, struct span member)
{
    size_t at;
    int64_t number;
    const struct set_member *found;
    switch (set->form) {
    case SET_INTS:
        if (!number_parse_i64(member, &number))
            return false;
        at = ints_find(&set->ints, number);
        if (at == INTS_ABSENT)
            return false;
        ints_remove(&set->ints, at);
        break;
    case SET_PACKED:
        at = listpack_find(&set->pack, listpack_first(&set->pack), member, 0);
        if (at == 0)
            return false;
        listpack_take_out(&set->pack, at, 1);
        break;
    case SET_DENSE:
    default:
        found = find_dense(set->table, member);
        if (!found)
            return false;
        remove_dense(set->table, dense_position(&set->table->dense, found));
    }
    set->sum -= set_digest_of(member);
    return true;
}

void set_remove_at(struct set *set, size_t position)
{
    char scratch[NUMBER_I64_CHARS];
    set->sum -= set_digest_of(set_at(set, position, scratch));
    switch (set->form) {
    case SET_INTS:
        ints_remove(&set->ints, position);
        break;
    case SET_PACKED:
        listpack_take_out(&set->pack, listpack_nth(&set->pack, position), 1);
        break;
    case SET_DENSE:
    default:
        remove_dense(set->table, position);
    }
}

/* Reading. */

struct span set_at(const struct set *set, size_t position, char scratch[NUMBER_I64_CHARS])
{
    ASSERT(position < set_count(set));
    switch (set->form) {
    case SET_INTS:
        return span_of(scratch, number_format_i64(scratch, ints_at(&set->ints, position)));
    case SET_PACKED:
        return listpack_text(&set->pack, listpack_nth(&set->pack, position), scratch);
    case SET_DENSE:
    default:
        return set_member_span(dense_at(&set->table->dense, position));
    }
}

struct set_index set_index(const struct set *set)
{
    return (struct set_index){set, set->form == SET_PACKED ? listpack_places(&set->pack, 1) : NULL};
}

struct span set_index_at(const struct set_index *index, size_t position,
                         char scratch[NUMBER_I64_CHARS])
{
    if (index->places)
        return listpack_text(&index->set->pack, index->places[position], scratch);
    return set_at(index->set, position, scratch);
}

void set_index_close(struct set_index *index)
{
    mem_free(index->places);
    index->places = NULL;
}

struct set_walk set_walk_from(const struct set *set, size_t position)
{
    struct set_walk walk = {.set = set, .position = position};
    if (set->form == SET_PACKED)
        walk.place = listpack_nth(&set->pack, position);
    return walk;
}

struct set_walk set_walk(const struct set *set)
{
    return set_walk_from(set, 0);
}

bool set_walk_next(struct set_walk *walk, struct span *member)
{
    const struct set *set = walk->set;
    if (walk->position >= set_count(set))
        return false;
    if (set->form == SET_PACKED) {
        *member = listpack_text(&set->pack, walk->place, walk->scratch);
        walk->place = listpack_next(&set->pack, walk->place);
        walk->position++;
    } else {
        *member = set_at(set, walk->position++, walk->scratch);
    }
    return true;
}

static void visit_all(const struct set *set, void (*visit)(void *context, struct span member),
                      void *context)
{
    struct set_walk walk = set_walk(set);
    for (struct span member; set_walk_next(&walk, &member);)
        visit(context, member);
}

uint64_t set_scan(const struct set *set, uint64_t cursor, size_t count,
                  void (*visit)(void *context, struct span member), void *context)
{
    size_t members = set_count(set);
    if (members <= VALUE_ORDER_KEPT) {
        visit_all(set, visit, context);
        return 0;
    }
    if (cursor == 0 || cursor > members)
        cursor = members;
    char scratch[NUMBER_I64_CHARS];
    for (; cursor > 0 && count > 0; count--)
        visit(context, set_at(set, (size_t)--cursor, scratch));
    return cursor;
}
