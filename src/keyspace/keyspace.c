#include "base/assert.h"
#include "base/mem.h"
#include "keyspace/internal.h"

struct keyspace *keyspace_new(uint64_t seed)
{
    struct keyspace *keyspace = mem_zalloc(sizeof(*keyspace));
    keyspace->rules = value_rules_default;
    keyspace->rules.seed = seed;
    return keyspace;
}

const struct value_rules *keyspace_rules(const struct keyspace *keyspace)
{
    return &keyspace->rules;
}

void keyspace_set_rules(struct keyspace *keyspace, const struct value_rules *rules)
{
    uint64_t seed = keyspace->rules.seed;
    keyspace->rules = *rules;
    keyspace->rules.seed = seed;
}

struct item *keyspace_find(const struct keyspace *keyspace, struct span key, int64_t now_ms)
{
    const struct keyspace_place place = keyspace_place_of(keyspace, key);
    struct item *item = dict_find(&keyspace->slots[place.slot].dict, key, place.hash);
    return item && !item_is_past(item, now_ms) ? item : NULL;
}

void keyspace_observe(struct keyspace *keyspace, const struct keyspace_observer *observer)
{
    keyspace->observer = *observer;
}

struct change change_begin(struct keyspace *keyspace, struct span key)
{
    const struct keyspace_observer *observer = &keyspace->observer;
    if (observer->before_change)
        observer->before_change(observer->context, keyspace, key);
    return (struct change){keyspace, digest_of_key(key)};
}

void change_end(const struct change *change, struct span key, enum keyspace_event event,
                uint64_t revision)
{
    const struct keyspace_observer *observer = &change->keyspace->observer;
    if (!observer->changed)
        return;
    const struct keyspace_change told = {event, change->keyspace->number, key, change->key_digest,
                                         revision};
    observer->changed(observer->context, &told);
}

static void sum_add(const struct change *change, const struct item *item)
{
    change->keyspace->sum += digest_of_item(item, change->key_digest);
}

static void sum_take(const struct change *change, const struct item *item)
{
    change->keyspace->sum -= digest_of_item(item, change->key_digest);
}

static void insert(struct keyspace *keyspace, struct keyspace_place place, struct item *item)
{
    ASSERT(!item_is_in_heap(item));
    dict_insert(&keyspace->slots[place.slot].dict, item, place.hash, keyspace->rules.seed);
    keyspace->group_counts[place.slot / GROUP_SLOTS]++;
    keyspace->count++;
}

static struct item *replace(struct keyspace *keyspace, struct keyspace_place place,
                            struct item *old, struct item *fresh)
{
    if (old->has_due && !fresh->has_due) {
        struct item *without = fresh;
        fresh = item_new_with_due(without);
        item_free_moved(without);
    }
    dict_replace(&keyspace->slots[place.slot].dict, old, fresh, place.hash);
    deadlines_replace(&keyspace->deadlines, old, fresh);
    keyspace_discard(keyspace, old);
    return fresh;
}

int64_t item_element_deadline(const struct item *item)
{
    if (item->form != FORM_VALUE)
        return NO_DEADLINE;
    const struct value_ops *ops = value_ops_of(item_type(item));
    return ops->earliest ? ops->earliest(item_value(item)) : NO_DEADLINE;
}

struct item *keyspace_set_times(struct keyspace *keyspace, struct item *item, int64_t deadline_ms)
{
    int64_t element_ms = item_element_deadline(item);
    if (!item->has_due && (deadline_ms != NO_DEADLINE || element_ms != NO_DEADLINE)) {
        const struct keyspace_place place = keyspace_place_of(keyspace, item_key_span(item));
        struct item *moved = item_new_with_due(item);
        dict_replace(&keyspace->slots[place.slot].dict, item, moved, place.hash);
        item_free_moved(item);
        item = moved;
    }
    deadlines_set(&keyspace->deadlines, item, deadline_ms, element_ms);
    return item;
}

size_t keyspace_longest(const struct keyspace *keyspace)
{
    return keyspace->longest;
}

static void note_len(struct keyspace *keyspace, size_t len)
{
    if (len > keyspace->longest)
        keyspace->longest = len;
}

static struct item *set_there(struct keyspace *keyspace, struct keyspace_place place,
                              struct item *item, struct span key, struct span value,
                              bool keep_deadline, uint64_t revision)
{
    bool had_elements = item->form == FORM_VALUE;
    int64_t deadline_ms = keep_deadline ? item_deadline_ms(item) : NO_DEADLINE;
    if (had_elements || !item_try_set_string(item, value, revision))
        item = replace(keyspace, place, item, item_new(key, value, revision));
    if (item->has_due)
        deadlines_set(&keyspace->deadlines, item, deadline_ms, NO_DEADLINE);
    return item;
}

struct item *keyspace_set_string(struct keyspace *keyspace, struct span key, struct span value,
                                 bool keep_deadline, uint64_t revision)
{
    const struct keyspace_place place = keyspace_place_of(keyspace, key);
    const struct change change = change_begin(keyspace, key);
    struct item *item = dict_find(&keyspace->slots[place.slot].dict, key, place.hash);
    note_len(keyspace, value.len);
    if (item) {
        sum_take(&change, item);
        item = set_there(keyspace, place, item, key, value, keep_deadline, revision);
    } else {
        item = item_new(key, value, revision);
        insert(keyspace, place, item);
    }
    sum_add(&change, item);
    change_end(&change, item_key_span(item), KEYSPACE_SET, revision);
    return item;
}

void keyspace_set_integer(struct keyspace *keyspace, struct item *item, int64_t value,
                          uint64_t revision)
{
    const struct change change = change_begin(keyspace, item_key_span(item));
    sum_take(&change, item);
    item_set_integer(item, value, revision);
    sum_add(&change, item);
    change_end(&change, item_key_span(item), KEYSPACE_SET, revision);
}

void keyspace_set_text(struct keyspace *keyspace, struct item *item, struct span value,
                       uint64_t revision)
{
    const struct change change = change_begin(keyspace, item_key_span(item));
    sum_take(&change, item);
    item_set_text(item, value, revision);
    sum_add(&change, item);
    change_end(&change, item_key_span(item), KEYSPACE_SET, revision);
}

/* The part of the sum that editing bytes [from, to) of the value can change. */
static uint64_t sum_of_edit(const struct change *change, const struct item *item, size_t from,
                            size_t to)
{
    return digest_of_head(item, change->key_digest) +
           digest_of_pieces(item, change->key_digest, from, to);
}

void keyspace_write(struct keyspace *keyspace, struct item *item, size_t offset, struct span bytes,
                    uint64_t revision)
{
    const struct change change = change_begin(keyspace, item_key_span(item));
    size_t old_len = item_string_len(item);
    size_t from = offset < old_len ? offset : old_len; /* the bytes between become zeros */
    int64_t number;
    bool was_integer = item_integer(item, &number);
    size_t end = offset + bytes.len;
    keyspace->sum -= sum_of_edit(&change, item, was_integer ? 0 : from, end);
    char *text = item_string_edit(item, end, revision);
    note_len(keyspace, end);
    if (bytes.len)
        memcpy(text + offset, bytes.ptr, bytes.len);
    if (was_integer) /* an integer has no digits in pieces */
        keyspace->sum += digest_of_item(item, change.key_digest);
    else
        keyspace->sum += sum_of_edit(&change, item, from, end);
    change_end(&change, item_key_span(item), KEYSPACE_SET, revision);
}

void change_take_out(const struct change *change, struct item *item, enum keyspace_event event,
                     uint64_t revision)
{
    struct keyspace *keyspace = change->keyspace;
    const struct keyspace_place place = keyspace_place_of(keyspace, item_key_span(item));
    struct slot *slot = &keyspace->slots[place.slot];
    ASSERT(keyspace->count > 0 && slot->dict.count > 0);
    sum_take(change, item);
    dict_remove(&slot->dict, item, place.hash, keyspace->rules.seed);
    slot->removed_revision = revision;
    keyspace->group_counts[place.slot / GROUP_SLOTS]--;
    keyspace->count--;
    deadlines_set(&keyspace->deadlines, item, NO_DEADLINE, NO_DEADLINE);
    change_end(change, item_key_span(item), event, revision);
    keyspace_discard(keyspace, item);
}

static void remove_item(struct keyspace *keyspace, struct item *item, enum keyspace_event event,
                        uint64_t revision)
{
    const struct change change = change_begin(keyspace, item_key_span(item));
    change_take_out(&change, item, event, revision);
}

bool keyspace_remove(struct keyspace *keyspace, struct span key, uint64_t revision)
{
    const struct keyspace_place place = keyspace_place_of(keyspace, key);
    struct item *item = dict_find(&keyspace->slots[place.slot].dict, key, place.hash);
    if (!item)
        return false;
    remove_item(keyspace, item, KEYSPACE_REMOVED, revision);
    return true;
}

void keyspace_remove_item(struct keyspace *keyspace, struct item *item, uint64_t revision)
{
    remove_item(keyspace, item, KEYSPACE_REMOVED, revision);
}

struct item *change_put(const struct change *change, struct item *fresh, int64_t deadline_ms)
{
    struct keyspace *keyspace = change->keyspace;
    struct span key = item_key_span(fresh);
    const struct keyspace_place place = keyspace_place_of(keyspace, key);
    struct item *old = dict_find(&keyspace->slots[place.slot].dict, key, place.hash);
    if (old) {
        sum_take(change, old);
        fresh = replace(keyspace, place, old, fresh);
    } else {
        insert(keyspace, place, fresh);
    }
    fresh = keyspace_set_times(keyspace, fresh, deadline_ms);
    sum_add(change, fresh);
    change_end(change, item_key_span(fresh), KEYSPACE_SET, item_revision(fresh));
    return fresh;
}

void keyspace_move(struct keyspace *keyspace, struct span from, struct keyspace *into,
                   struct span to, uint64_t revision)
{
    struct item *source = keyspace_find(keyspace, from, NO_DEADLINE);
    ASSERT(source && (into != keyspace || !span_equal(from, to)));
    int64_t deadline_ms = item_deadline_ms(source);
    const struct change change = change_begin(into, to);
    const struct change gone = change_begin(keyspace, from);
    sum_take(&gone, source);
    struct item *moved = item_new_taking(to, source, revision);
    sum_add(&gone, source); /* the source is now removed like any key */
    change_take_out(&gone, source, KEYSPACE_REMOVED, revision);
    change_put(&change, moved, deadline_ms);
}

void keyspace_rename(struct keyspace *keyspace, struct span from, struct span to, uint64_t revision)
{
    keyspace_move(keyspace, from, keyspace, to, revision);
}

void keyspace_copy(struct keyspace *keyspace, const struct item *from, struct span to,
                   uint64_t revision)
{
    ASSERT(keyspace_find(keyspace, to, NO_DEADLINE) != from);
    const struct change change = change_begin(keyspace, to);
    change_put(&change, item_new_copy(to, from, revision), item_deadline_ms(from));
}

struct item *keyspace_set_deadline(struct keyspace *keyspace, struct item *item,
                                   int64_t deadline_ms, uint64_t revision)
{
    const struct change change = change_begin(keyspace, item_key_span(item));
    keyspace->sum -= digest_of_head(item, change.key_digest);
    item = keyspace_set_times(keyspace, item, deadline_ms);
    item_set_revision(item, revision);
    keyspace->sum += digest_of_head(item, change.key_digest);
    change_end(&change, item_key_span(item), KEYSPACE_DEADLINE, revision);
    return item;
}

bool keyspace_changed_since(const struct keyspace *keyspace, struct span key, bool was_present,
                            uint64_t revision, int64_t now_ms)
{
    const struct item *item = keyspace_find(keyspace, key, now_ms);
    if (keyspace->swapped_revision > revision && (was_present || item))
        return true;
    if (!item)
        return was_present || keyspace->slots[keyspace_slot_of(key)].removed_revision > revision;
    return !was_present || item_revision(item) > revision;
}

/* Removes elements past their deadline, and the key if none is left. Returns how many. */
static size_t remove_due_elements(struct keyspace *keyspace, struct item *item, int64_t now_ms,
                                  size_t limit, uint64_t revision)
{
    struct keyspace_edit edit;
    keyspace_edit_begin(&edit, keyspace, item);
    size_t removed = value_ops_of(edit.type)->remove_due(edit.value, now_ms, limit);
    ASSERT(removed > 0); /* else it would not end */
    keyspace_edit_end(&edit, true, revision);
    return removed;
}

size_t keyspace_remove_expired(struct keyspace *keyspace, int64_t now_ms, size_t limit,
                               uint64_t revision)
{
    size_t removed = 0;
    const struct deadlines *deadlines = &keyspace->deadlines;
    while (removed < limit && deadlines->count && deadlines->entries[0].due_ms <= now_ms) {
        struct item *item = deadlines->entries[0].item;
        if (!item_is_past(item, now_ms)) {
            removed += remove_due_elements(keyspace, item, now_ms, limit - removed, revision);
            continue;
        }
        remove_item(keyspace, item, KEYSPACE_EXPIRED, revision);
        removed++;
    }
    return removed;
}

size_t keyspace_count_due(const struct keyspace *keyspace, int64_t now_ms, size_t limit)
{
    return deadlines_count_until(&keyspace->deadlines, now_ms, limit);
}

size_t keyspace_count_expired(const struct keyspace *keyspace, int64_t now_ms)
{
    return deadlines_count_keys_until(&keyspace->deadlines, now_ms);
}

bool keyspace_has_deadlines(const struct keyspace *keyspace)
{
    return keyspace->deadlines.count > 0;
}

size_t keyspace_count(const struct keyspace *keyspace)
{
    return keyspace->count;
}

size_t keyspace_count_with_deadline(const struct keyspace *keyspace)
{
    return keyspace->deadlines.keys;
}

int64_t keyspace_mean_deadline(const struct keyspace *keyspace)
{
    return deadlines_mean(&keyspace->deadlines);
}
