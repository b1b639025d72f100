#include "keyspace/databases.h"

#include "base/assert.h"
#include "base/mem.h"
#include "keyspace/internal.h"

struct databases *databases_new(uint64_t seed)
{
    struct databases *databases = mem_zalloc(sizeof(*databases));
    databases->rules = value_rules_default;
    databases->rules.seed = seed;
    databases_at(databases, 0);
    return databases;
}

bool databases_free_some(struct databases *databases, size_t limit)
{
    for (unsigned i = 0; i < databases->end; i++) {
        if (!databases->list[i])
            continue;
        if (!keyspace_free_some(databases->list[i], limit))
            return false; /* the limit may be used up in part: the rest has its turn */
        databases->list[i] = NULL;
    }
    mem_free(databases);
    return true;
}

void databases_free(struct databases *databases)
{
    if (!databases)
        return;
    while (!databases_free_some(databases, SIZE_MAX))
        continue;
}

struct keyspace *databases_at(struct databases *databases, unsigned number)
{
    ASSERT(number < DATABASES_MAX);
    if (!databases->list[number]) {
        struct keyspace *keyspace = keyspace_new(databases->rules.seed);
        keyspace->number = number;
        keyspace_set_rules(keyspace, &databases->rules);
        keyspace_observe(keyspace, &databases->observer);
        databases->list[number] = keyspace;
        if (number >= databases->end)
            databases->end = number + 1;
    }
    return databases->list[number];
}

const struct keyspace *databases_find(const struct databases *databases, unsigned number)
{
    ASSERT(number < DATABASES_MAX);
    return databases->list[number];
}

void databases_set_rules(struct databases *databases, const struct value_rules *rules)
{
    uint64_t seed = databases->rules.seed;
    databases->rules = *rules;
    databases->rules.seed = seed;
    for (unsigned i = 0; i < databases->end; i++)
        if (databases->list[i])
            keyspace_set_rules(databases->list[i], rules);
}

const struct value_rules *databases_rules(const struct databases *databases)
{
    return &databases->rules;
}

void databases_observe(struct databases *databases, const struct keyspace_observer *observer)
{
    databases->observer = *observer;
    for (unsigned i = 0; i < databases->end; i++)
        if (databases->list[i])
            keyspace_observe(databases->list[i], observer);
}

size_t databases_count(const struct databases *databases)
{
    size_t count = 0;
    for (unsigned i = 0; i < databases->end; i++)
        count += databases->list[i] ? databases->list[i]->count : 0;
    return count;
}

size_t databases_count_with_deadline(const struct databases *databases)
{
    size_t count = 0;
    for (unsigned i = 0; i < databases->end; i++)
        if (databases->list[i])
            count += keyspace_count_with_deadline(databases->list[i]);
    return count;
}

bool databases_has_deadlines(const struct databases *databases)
{
    for (unsigned i = 0; i < databases->end; i++)
        if (databases->list[i] && keyspace_has_deadlines(databases->list[i]))
            return true;
    return false;
}

size_t databases_count_due(const struct databases *databases, int64_t now_ms, size_t limit)
{
    size_t count = 0;
    for (unsigned i = 0; i < databases->end && count < limit; i++)
        if (databases->list[i])
            count += keyspace_count_due(databases->list[i], now_ms, limit - count);
    return count;
}

size_t databases_remove_expired(struct databases *databases, int64_t now_ms, size_t limit,
                                uint64_t revision)
{
    size_t removed = 0;
    for (unsigned i = 0; i < databases->end && removed < limit; i++)
        if (databases->list[i])
            removed +=
                keyspace_remove_expired(databases->list[i], now_ms, limit - removed, revision);
    return removed;
}

/* Database 0 is told of in any case, as it was when there was no other. */
void databases_clear(struct databases *databases, uint64_t revision)
{
    for (unsigned i = 0; i < databases->end; i++)
        if (i == 0 || (databases->list[i] && databases->list[i]->count))
            keyspace_clear(databases_at(databases, i), revision);
}

bool databases_free_cleared(struct databases *databases, size_t limit)
{
    bool done = true;
    for (unsigned i = 0; i < databases->end && done; i++)
        if (databases->list[i])
            done = keyspace_free_cleared(databases->list[i], limit);
    return done;
}

bool databases_frees_string_next(const struct databases *databases)
{
    for (unsigned i = 0; i < databases->end; i++)
        if (databases->list[i] && keyspace_frees_string_next(databases->list[i]))
            return true;
    return false;
}

bool databases_has_cleared(const struct databases *databases)
{
    for (unsigned i = 0; i < databases->end; i++)
        if (databases->list[i] && keyspace_has_cleared(databases->list[i]))
            return true;
    return false;
}

static void put(struct databases *databases, unsigned number, struct keyspace *keyspace,
                uint64_t revision)
{
    databases->list[number] = keyspace;
    keyspace->number = number;
    keyspace->swapped_revision = revision;
}

/* What was removed from either keyspace counts for both from now on: who watches an absent key may
 * have begun to do so in the other one. The swap itself removes what was there from under its
 * number, perhaps a key that was absent when somebody began to watch it. */
static void share_removals(struct keyspace *one, struct keyspace *other, uint64_t revision)
{
    for (size_t i = 0; i < KEYSPACE_SLOTS; i++) {
        struct slot *mine = &one->slots[i], *theirs = &other->slots[i];
        uint64_t latest = mine->removed_revision > theirs->removed_revision
                              ? mine->removed_revision
                              : theirs->removed_revision;
        mine->removed_revision = theirs->dict.count ? revision : latest;
        theirs->removed_revision = mine->dict.count ? revision : latest;
    }
}

void databases_swap(struct databases *databases, unsigned one, unsigned other, uint64_t revision)
{
    struct keyspace *first = databases_at(databases, one);
    struct keyspace *second = databases_at(databases, other);
    ASSERT(one != other);
    share_removals(first, second, revision);
    put(databases, one, second, revision);
    put(databases, other, first, revision);
    const struct change changes[] = {{second, 0}, {first, 0}};
    for (size_t i = 0; i < 2; i++)
        change_end(&changes[i], SPAN(""), KEYSPACE_SWAPPED, revision);
}

/* Every bit of the number and of the value affects the result. 0 stays 0: an empty database. */
static uint64_t of_database(unsigned number, uint64_t value)
{
    if (number == 0 || value == 0)
        return value;
    uint64_t mixed = value + number * UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ mixed >> 32) * UINT64_C(0xd6e8feb86659fd93);
    mixed = (mixed ^ mixed >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return mixed ^ mixed >> 32;
}

static bool was_changed(const struct keyspace *keyspace)
{
    if (keyspace->count || keyspace->swapped_revision)
        return true;
    for (size_t i = 0; i < KEYSPACE_SLOTS; i++)
        if (keyspace->slots[i].removed_revision)
            return true;
    return false;
}

uint64_t databases_digest(const struct databases *databases)
{
    uint64_t digest = keyspace_digest(databases->list[0]);
    for (unsigned i = 1; i < databases->end; i++)
        if (databases->list[i] && was_changed(databases->list[i]))
            digest += of_database(i, keyspace_digest(databases->list[i]));
    return digest;
}

uint64_t databases_sum(const struct databases *databases)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < databases->end; i++)
        if (databases->list[i])
            sum += of_database(i, keyspace_sum(databases->list[i]));
    return sum;
}

uint64_t databases_sum_by_walk(const struct databases *databases)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < databases->end; i++)
        if (databases->list[i])
            sum += of_database(i, keyspace_sum_by_walk(databases->list[i]));
    return sum;
}
