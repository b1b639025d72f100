#include "keyspace/keyspace.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/crc.h"
#include "unit/support/test.h"

/* A keyspace as simple as can be: per slot a list of keys, in order; a removal moves the last one.
 */
enum { MODEL_KEYS = 200, KEY_MAX = 24, VALUE_MAX = 700 };

struct model_key {
    char key[KEY_MAX];
    char value[VALUE_MAX];
    size_t value_len;
    int64_t deadline_ms;
    uint64_t revision;
    unsigned slot;
    bool present;
};

struct model {
    struct model_key keys[MODEL_KEYS];
    int order[MODEL_KEYS]; /* present keys; those of one slot stand in the slot's order */
    int count;
};

static void model_init(struct model *model)
{
    memset(model, 0, sizeof(*model));
    for (int i = 0; i < MODEL_KEYS; i++) {
        struct model_key *key = &model->keys[i];
        /* most keys share one slot, so that its dictionary grows and shrinks */
        snprintf(key->key, KEY_MAX, i % 4 ? "{same}%d" : "key%d", i);
        key->slot = keyspace_slot_of(span_text(key->key));
    }
}

static void model_add(struct model *model, int id)
{
    if (model->keys[id].present)
        return;
    model->keys[id].present = true;
    model->keys[id].deadline_ms = NO_DEADLINE;
    model->order[model->count++] = id;
}

static void model_remove(struct model *model, int id)
{
    int at = 0;
    while (model->order[at] != id)
        at++;
    int last = model->count - 1;
    while (model->keys[model->order[last]].slot != model->keys[id].slot)
        last--;
    model->order[at] = model->order[last];
    memmove(&model->order[last], &model->order[last + 1],
            (size_t)(model->count - last - 1) * sizeof(int));
    model->count--;
    model->keys[id].present = false;
}

static void check_key(const struct model_key *key, const struct item *item)
{
    char scratch[24];
    assert_true(span_equal(item_key(item), span_text(key->key)));
    assert_true(span_equal(item_string(item, scratch), span_of(key->value, key->value_len)));
    assert_int_equal(item_string_len(item), key->value_len);
    assert_true(item_deadline(item) == key->deadline_ms);
    assert_int_equal(item_revision(item), key->revision);
}

static void check_equal(const struct model *model, const struct keyspace *keyspace)
{
    size_t with_deadline = 0;
    for (int i = 0; i < MODEL_KEYS; i++) {
        const struct model_key *key = &model->keys[i];
        const struct item *item = keyspace_find(keyspace, span_text(key->key), NO_DEADLINE);
        assert_int_equal(item != NULL, key->present);
        if (key->present)
            check_key(key, item);
        with_deadline += key->present && key->deadline_ms != NO_DEADLINE;
    }
    assert_int_equal(keyspace_count(keyspace), model->count);
    assert_int_equal(keyspace_count_with_deadline(keyspace), with_deadline);
    size_t positions[KEYSPACE_SLOTS] = {0};
    for (int i = 0; i < model->count; i++) {
        const struct model_key *key = &model->keys[model->order[i]];
        check_key(key, keyspace_slot_item(keyspace, key->slot, positions[key->slot]++));
    }
    for (unsigned slot = 0; slot < KEYSPACE_SLOTS; slot++)
        assert_int_equal(keyspace_slot_count(keyspace, slot), positions[slot]);
}

struct run {
    struct model model;
    struct keyspace *keyspaces[2]; /* with different hash seeds */
    struct prng prng;
    uint64_t revision;
};

static int pick(struct run *run)
{
    return (int)prng_below(&run->prng, MODEL_KEYS);
}

static size_t draw_value(struct run *run, char *value)
{
    switch (prng_below(&run->prng, 4)) {
    case 0:
        return (size_t)snprintf(value, VALUE_MAX, "%lld", (long long)prng_next(&run->prng));
    case 1:
        return (size_t)snprintf(value, VALUE_MAX, "%llu",
                                (unsigned long long)prng_below(&run->prng, 1000));
    case 2: {
        size_t len = prng_below(&run->prng, 20);
        memset(value, 'a', len);
        return len;
    }
    default: {
        size_t len = prng_below(&run->prng, VALUE_MAX - 100);
        memset(value, 'b', len);
        return len;
    }
    }
}

static void step_set(struct run *run)
{
    int id = pick(run);
    struct model_key *key = &run->model.keys[id];
    bool keep = prng_below(&run->prng, 2);
    model_add(&run->model, id);
    key->value_len = draw_value(run, key->value);
    key->revision = run->revision;
    if (!keep)
        key->deadline_ms = NO_DEADLINE;
    for (int i = 0; i < 2; i++)
        keyspace_set_string(run->keyspaces[i], span_text(key->key),
                            span_of(key->value, key->value_len), keep, run->revision);
}

static void step_remove(struct run *run)
{
    int id = pick(run);
    struct model_key *key = &run->model.keys[id];
    for (int i = 0; i < 2; i++)
        assert_int_equal(keyspace_remove(run->keyspaces[i], span_text(key->key), run->revision),
                         key->present);
    if (key->present)
        model_remove(&run->model, id);
}

static void take_over(struct run *run, int from_id, int to_id)
{
    const struct model_key *from = &run->model.keys[from_id];
    struct model_key *to = &run->model.keys[to_id];
    model_add(&run->model, to_id);
    memcpy(to->value, from->value, from->value_len);
    to->value_len = from->value_len;
    to->deadline_ms = from->deadline_ms;
    to->revision = run->revision;
}

static void step_rename_or_copy(struct run *run)
{
    int from = pick(run);
    int to = pick(run);
    if (!run->model.keys[from].present || from == to)
        return;
    struct span from_key = span_text(run->model.keys[from].key);
    struct span to_key = span_text(run->model.keys[to].key);
    bool copy = prng_below(&run->prng, 2);
    for (int i = 0; i < 2; i++) {
        struct keyspace *keyspace = run->keyspaces[i];
        if (copy)
            keyspace_copy(keyspace, keyspace_find(keyspace, from_key, NO_DEADLINE), to_key,
                          run->revision);
        else
            keyspace_rename(keyspace, from_key, to_key, run->revision);
    }
    if (!copy)
        model_remove(&run->model, from);
    take_over(run, from, to);
}

static void step_deadline(struct run *run)
{
    struct model_key *key = &run->model.keys[pick(run)];
    if (!key->present)
        return;
    int64_t deadline_ms = (int64_t)prng_below(&run->prng, 50);
    key->deadline_ms = deadline_ms ? deadline_ms : NO_DEADLINE;
    key->revision = run->revision;
    for (int i = 0; i < 2; i++) {
        struct item *item = keyspace_find(run->keyspaces[i], span_text(key->key), NO_DEADLINE);
        keyspace_set_deadline(run->keyspaces[i], item, key->deadline_ms, run->revision);
    }
}

static void step_edit(struct run *run)
{
    struct model_key *key = &run->model.keys[pick(run)];
    if (!key->present)
        return;
    size_t len = prng_below(&run->prng, VALUE_MAX);
    if (len > key->value_len) {
        memset(key->value + key->value_len, 0, len - key->value_len);
        key->value_len = len;
    }
    if (key->value_len)
        key->value[key->value_len - 1] = '!';
    key->revision = run->revision;
    for (int i = 0; i < 2; i++) {
        struct item *item = keyspace_find(run->keyspaces[i], span_text(key->key), NO_DEADLINE);
        if (key->value_len)
            keyspace_write(run->keyspaces[i], item, key->value_len - 1, SPAN("!"), run->revision);
        else
            keyspace_write(run->keyspaces[i], item, 0, SPAN(""), run->revision);
    }
}

static void step_assign(struct run *run)
{
    struct model_key *key = &run->model.keys[pick(run)];
    if (!key->present)
        return;
    key->value_len = draw_value(run, key->value);
    key->revision = run->revision;
    for (int i = 0; i < 2; i++)
        keyspace_set_string(run->keyspaces[i], span_text(key->key),
                            span_of(key->value, key->value_len), true, run->revision);
}

/* The earliest, of those the smallest key; -1 if none is due. */
static int model_next_due(const struct model *model, int64_t now_ms)
{
    int best = -1;
    for (int i = 0; i < MODEL_KEYS; i++) {
        const struct model_key *key = &model->keys[i];
        if (!key->present || key->deadline_ms == NO_DEADLINE || key->deadline_ms > now_ms)
            continue;
        const struct model_key *other = best >= 0 ? &model->keys[best] : NULL;
        if (!other || key->deadline_ms < other->deadline_ms ||
            (key->deadline_ms == other->deadline_ms && strcmp(key->key, other->key) < 0))
            best = i;
    }
    return best;
}

static void step_expire(struct run *run)
{
    int64_t now_ms = (int64_t)prng_below(&run->prng, 10);
    size_t limit = prng_below(&run->prng, 5);
    size_t removed = 0;
    size_t found = keyspace_count_due(run->keyspaces[0], now_ms, limit);
    for (int id; removed < limit && (id = model_next_due(&run->model, now_ms)) >= 0; removed++)
        model_remove(&run->model, id);
    assert_int_equal(found, removed);
    for (int i = 0; i < 2; i++)
        assert_int_equal(keyspace_remove_expired(run->keyspaces[i], now_ms, limit, run->revision),
                         removed);
}

static void step_clear(struct run *run)
{
    if (prng_below(&run->prng, 50))
        return;
    for (int i = 0; i < MODEL_KEYS; i++)
        run->model.keys[i].present = false;
    run->model.count = 0;
    for (int i = 0; i < 2; i++)
        keyspace_clear(run->keyspaces[i], run->revision);
}

static void run_steps(uint64_t seed, int steps)
{
    static void (*const kinds[])(struct run *) = {
        step_set,      step_set,  step_set,    step_remove, step_rename_or_copy,
        step_deadline, step_edit, step_assign, step_expire, step_clear,
    };
    struct run *run = calloc(1, sizeof(*run));
    model_init(&run->model);
    prng_init(&run->prng, seed);
    run->keyspaces[0] = keyspace_new(seed);
    run->keyspaces[1] = keyspace_new(~seed);
    for (int i = 0; i < steps; i++) {
        run->revision++;
        kinds[prng_below(&run->prng, sizeof(kinds) / sizeof(kinds[0]))](run);
        if (i % 50 == 0) {
            check_equal(&run->model, run->keyspaces[0]);
            assert_true(keyspace_digest(run->keyspaces[0]) == keyspace_digest(run->keyspaces[1]));
        }
    }
    check_equal(&run->model, run->keyspaces[0]);
    check_equal(&run->model, run->keyspaces[1]);
    keyspace_free(run->keyspaces[0]);
    keyspace_free(run->keyspaces[1]);
    free(run);
}

static void test_random_calls_do_what_a_simple_model_does(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++)
        run_steps(seed, 2000);
}

static void add_keys(struct keyspace *keyspace, const char *format, int count)
{
    for (int i = 0; i < count; i++) {
        char key[64];
        snprintf(key, sizeof(key), format, i);
        keyspace_set_string(keyspace, span_text(key), SPAN("v"), false, 1);
    }
}

static void test_a_large_dictionary_shrinks_and_keeps_what_is_left(void **state)
{
    (void)state;
    enum { KEYS = 20000 };
    struct keyspace *keyspace = keyspace_new(3);
    add_keys(keyspace, "{t}%d", KEYS);
    char key[64];
    for (int i = 0; i < KEYS; i++) {
        if (i % 1000 == 7)
            continue;
        snprintf(key, sizeof(key), "{t}%d", i);
        assert_true(keyspace_remove(keyspace, span_text(key), 2));
    }
    assert_int_equal(keyspace_count(keyspace), KEYS / 1000);
    for (int i = 7; i < KEYS; i += 1000) {
        snprintf(key, sizeof(key), "{t}%d", i);
        assert_non_null(keyspace_find(keyspace, span_text(key), NO_DEADLINE));
    }
    keyspace_free(keyspace);
}

static void test_digest_sees_every_part_of_a_key(void **state)
{
    (void)state;
    struct keyspace *keyspace = keyspace_new(1);
    uint64_t digests[8];
    int count = 0;
    digests[count++] = keyspace_digest(keyspace);
    struct item *item = keyspace_set_string(keyspace, SPAN("k"), SPAN("v"), false, 1);
    digests[count++] = keyspace_digest(keyspace);
    item = keyspace_set_string(keyspace, SPAN("k"), SPAN("v"), false, 2);
    digests[count++] = keyspace_digest(keyspace);
    keyspace_set_text(keyspace, item, SPAN("w"), 2);
    digests[count++] = keyspace_digest(keyspace);
    keyspace_set_deadline(keyspace, item, 100, 2);
    digests[count++] = keyspace_digest(keyspace);
    keyspace_rename(keyspace, SPAN("k"), SPAN("l"), 2);
    digests[count++] = keyspace_digest(keyspace);
    keyspace_remove(keyspace, SPAN("l"), 2);
    digests[count++] = keyspace_digest(keyspace);
    for (int i = 0; i < count; i++)
        for (int j = 0; j < i; j++)
            assert_true(digests[i] != digests[j]);
    keyspace_free(keyspace);
}

static void test_use_is_no_part_of_the_digest(void **state)
{
    (void)state;
    struct keyspace *keyspace = keyspace_new(1);
    struct item *item = keyspace_set_string(keyspace, SPAN("k"), SPAN("v"), false, 1);
    uint64_t before = keyspace_digest(keyspace);
    item_touch(item, 5000);
    assert_true(keyspace_digest(keyspace) == before);
    assert_int_equal(item_idle_seconds(item, 8999), 3);
    assert_int_equal(item_idle_seconds(item, 1000), 0);
    keyspace_free(keyspace);
}

/* Slots as redis-server 7.0 gives them. */
static void test_slots_are_those_of_redis_cluster(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        unsigned slot;
    } cases[] = {
        {"", 0},          {"foo", 12182},     {"bar", 5061},          {"123456789", 12739},
        {"{foo}", 12182}, {"a{foo}b", 12182}, {"a{foo}{bar}", 12182}, {"{{foo}", 13308},
        {"{}foo", 9500},  {"foo{bar", 15278}, {"foo{}{bar}", 8363},   {"foo}{bar", 7624},
        {"{", 4092},      {"}{", 12793},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(keyspace_slot_of(span_text(cases[i].key)), cases[i].slot);
    assert_int_equal(keyspace_slot_of(SPAN("\0\0")), keyspace_slot_of(SPAN("x{\0\0}y")));
}

static void test_watch_notices_a_change_of_the_key(void **state)
{
    (void)state;
    struct keyspace *keyspace = keyspace_new(1);
    struct span key = SPAN("k");
    assert_false(keyspace_changed_since(keyspace, key, false, 0, 0));
    struct item *item = keyspace_set_string(keyspace, key, SPAN("v"), false, 5);
    assert_true(keyspace_changed_since(keyspace, key, false, 4, 0));
    assert_true(keyspace_changed_since(keyspace, key, true, 4, 0));
    assert_false(keyspace_changed_since(keyspace, key, true, 5, 0));
    keyspace_set_deadline(keyspace, item, 100, 6);
    assert_true(keyspace_changed_since(keyspace, key, true, 5, 0));
    assert_false(keyspace_changed_since(keyspace, key, true, 6, 99));
    assert_true(keyspace_changed_since(keyspace, key, true, 6, 100));
    keyspace_remove(keyspace, key, 7);
    assert_true(keyspace_changed_since(keyspace, key, true, 6, 0));
    assert_false(keyspace_changed_since(keyspace, key, false, 7, 0));
    keyspace_set_string(keyspace, key, SPAN("v"), false, 8);
    assert_true(keyspace_changed_since(keyspace, key, true, 7, 0));
    keyspace_free(keyspace);
}

static void test_watch_notices_that_a_key_came_and_went(void **state)
{
    (void)state;
    struct keyspace *keyspace = keyspace_new(1);
    keyspace_set_string(keyspace, SPAN("k"), SPAN("v"), false, 5);
    keyspace_remove(keyspace, SPAN("k"), 6);
    assert_true(keyspace_changed_since(keyspace, SPAN("k"), false, 4, 0));
    keyspace_set_string(keyspace, SPAN("k"), SPAN("v"), false, 7);
    keyspace_clear(keyspace, 8);
    assert_true(keyspace_changed_since(keyspace, SPAN("k"), false, 6, 0));
    assert_false(keyspace_changed_since(keyspace, SPAN("k"), false, 8, 0));
    assert_false(keyspace_changed_since(keyspace, SPAN("other"), false, 4, 0));
    keyspace_free(keyspace);
}

static void test_a_value_may_come_from_the_item_it_replaces(void **state)
{
    (void)state;
    struct keyspace *keyspace = keyspace_new(1);
    char scratch[24];
    for (size_t len = 4; len < 2000; len += 37) {
        char *value = malloc(len);
        memset(value, 'x', len);
        value[len - 3] = '-';
        struct span key = SPAN("k");
        struct item *item = keyspace_set_string(keyspace, key, span_of(value, len), false, 1);
        struct span tail = item_string(item, scratch);
        tail = span_of(tail.ptr + len - 3, 3);
        item = keyspace_set_string(keyspace, key, tail, false, 2);
        assert_true(span_equal(item_string(item, scratch), SPAN("-xx")));
        free(value);
    }
    keyspace_free(keyspace);
}

static void test_values_are_encoded_as_redis_names_them(void **state)
{
    (void)state;
    struct keyspace *keyspace = keyspace_new(1);
    struct item *item = keyspace_set_string(keyspace, SPAN("k"), SPAN("12"), false, 1);
    int64_t number = 0;
    assert_true(item_integer(item, &number));
    assert_int_equal(number, 12);
    assert_string_equal(item_encoding(item), "int");
    keyspace_set_text(keyspace, item, SPAN("12"), 1);
    assert_string_equal(item_encoding(item), "embstr");
    assert_false(item_integer(item, &number));
    keyspace_write(keyspace, item, 0, SPAN("123"), 1);
    assert_string_equal(item_encoding(item), "raw");
    keyspace_set_integer(keyspace, item, -1, 1);
    assert_string_equal(item_encoding(item), "int");
    keyspace_free(keyspace);
}

static void test_random_keys_are_uniform_over_slots_of_all_sizes(void **state)
{
    (void)state;
    enum { DRAWS = 40000, KEYS = 40 };
    struct keyspace *keyspace = keyspace_new(1);
    struct prng prng;
    prng_init(&prng, 5);
    assert_null(keyspace_random(keyspace, &prng));
    add_keys(keyspace, "{big}%d", KEYS / 2);
    add_keys(keyspace, "%d", KEYS / 2);
    int in_big = 0;
    int first = 0;
    for (int i = 0; i < DRAWS; i++) {
        struct span key = item_key(keyspace_random(keyspace, &prng));
        in_big += key.ptr[0] == '{';
        first += span_equal(key, SPAN("0"));
    }
    assert_in_range(in_big, DRAWS / 2 - DRAWS / 50, DRAWS / 2 + DRAWS / 50);
    assert_in_range(first, DRAWS / KEYS - DRAWS / 200, DRAWS / KEYS + DRAWS / 200);
    keyspace_free(keyspace);
}

/* A leak, or something that is freed twice, is the sanitizer's to find. */
static void test_a_keyspace_is_freed_in_pieces(void **state)
{
    (void)state;
    for (size_t limit = 1; limit < 40; limit += 6) {
        struct keyspace *keyspace = keyspace_new(1);
        for (int i = 0; i < 100; i++) {
            char key[32];
            snprintf(key, sizeof key, i % 2 ? "{same}%d" : "key%d", i);
            struct item *item =
                keyspace_set_string(keyspace, span_text(key), SPAN("value"), false, 1);
            if (i % 3 == 0)
                keyspace_set_deadline(keyspace, item, 1000 + i, 1);
        }
        size_t calls = 1;
        while (!keyspace_free_some(keyspace, limit))
            calls++;
        assert_in_range(calls, 100 / limit, 100 / limit + 1);
    }
}

/* Two FLUSHALLs behind one another, and keys after each. */
static void test_what_was_cleared_is_freed_in_pieces_while_new_keys_come(void **state)
{
    (void)state;
    for (size_t limit = 1; limit < 40; limit += 6) {
        struct keyspace *keyspace = keyspace_new(1);
        assert_true(keyspace_free_cleared(keyspace, limit));
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < 100; i++) {
                char key[32];
                snprintf(key, sizeof key, i % 2 ? "{same}%d" : "key%d", i);
                struct item *item =
                    keyspace_set_string(keyspace, span_text(key), SPAN("value"), false, 1);
                if (i % 3 == 0)
                    keyspace_set_deadline(keyspace, item, 1000 + i, 1);
            }
            if (round < 2) {
                keyspace_clear(keyspace, 2);
                assert_int_equal(keyspace_count(keyspace), 0);
                assert_int_equal(keyspace_longest(keyspace), 0);
                assert_int_equal(keyspace_count_due(keyspace, 1 << 30, 10), 0);
                assert_true(keyspace_has_cleared(keyspace));
            }
        }
        size_t calls = 1;
        while (!keyspace_free_cleared(keyspace, limit))
            calls++;
        assert_in_range(calls, 200 / limit, 200 / limit + 2);
        assert_false(keyspace_has_cleared(keyspace));
        assert_int_equal(keyspace_count(keyspace), 100);
        keyspace_clear(keyspace, 3); /* the rest goes with the keyspace */
        keyspace_free(keyspace);
    }
}

/* Present and absent keys, in slots of no, one and many keys. */
static void test_looking_ahead_changes_nothing(void **state)
{
    (void)state;
    struct keyspace *keyspace = keyspace_new(7);
    char texts[KEYSPACE_AHEAD_MAX][KEY_MAX];
    struct span keys[KEYSPACE_AHEAD_MAX];
    struct keyspace_place places[KEYSPACE_AHEAD_MAX];
    for (int count = 0; count <= 40000; count += 20000) {
        for (int i = count - 20000; i < count; i++) {
            snprintf(texts[0], KEY_MAX, i % 3 ? "key%d" : "{same}%d", i);
            if (i >= 0)
                keyspace_set_string(keyspace, span_text(texts[0]), SPAN("v"), false, 1);
        }
        uint64_t sum = keyspace_sum(keyspace);
        for (int at = 0; at < 50000; at += KEYSPACE_AHEAD_MAX) {
            for (int i = 0; i < KEYSPACE_AHEAD_MAX; i++) {
                snprintf(texts[i], KEY_MAX, at % 5 ? "key%d" : "{same}%d", at + i);
                keys[i] = span_text(texts[i]);
            }
            size_t some = (size_t)(at % (KEYSPACE_AHEAD_MAX + 1));
            keyspace_look_ahead(keyspace, keys, places, some);
            for (size_t i = 0; i < some; i++) {
                const struct keyspace_place place = keyspace_place_of(keyspace, keys[i]);
                assert_int_equal(places[i].slot, place.slot);
                assert_int_equal(places[i].hash, place.hash);
                assert_int_equal(places[i].slot, keyspace_slot_of(keys[i]));
            }
        }
        assert_int_equal(keyspace_sum(keyspace), sum);
        assert_int_equal(keyspace_count(keyspace), count);
    }
    keyspace_free(keyspace);
}

/* A place that is not the key's shows which look-ups take it. */
static void test_an_expected_key_is_looked_up_where_that_was_said(void **state)
{
    (void)state;
    struct keyspace *keyspace = keyspace_new(7);
    const struct keyspace_place place = keyspace_place_of(keyspace, SPAN("key"));
    const struct keyspace_place elsewhere = {place.hash, (uint16_t)(place.slot ^ 1)};
    char copy[] = "key";
    keyspace_set_string(keyspace, SPAN("key"), SPAN("v"), false, 1);
    keyspace_set_string(keyspace, SPAN("kez"), SPAN("v"), false, 1);
    keyspace_set_string(keyspace, SPAN(""), SPAN("v"), false, 1);
    for (int round = 0; round < 2; round++) {
        keyspace_expect(keyspace, SPAN("key"), round ? &elsewhere : NULL);
        assert_int_equal(keyspace_find(keyspace, SPAN("key"), 0) != NULL, round == 0);
        assert_int_equal(keyspace_find(keyspace, span_of(copy, 3), 0) != NULL, round == 0);
        assert_non_null(keyspace_find(keyspace, SPAN("kez"), 0));
        assert_non_null(keyspace_find(keyspace, SPAN(""), 0));
        keyspace_expect_end(keyspace);
        assert_non_null(keyspace_find(keyspace, span_of(copy, 3), 0));
    }
    keyspace_expect(keyspace, SPAN(""), NULL);
    assert_non_null(keyspace_find(keyspace, SPAN(""), 0));
    assert_non_null(keyspace_find(keyspace, SPAN("key"), 0));
    keyspace_expect_end(keyspace);
    assert_non_null(keyspace_find(keyspace, SPAN(""), 0));
    keyspace_free(keyspace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_expected_key_is_looked_up_where_that_was_said),
        cmocka_unit_test(test_looking_ahead_changes_nothing),
        cmocka_unit_test(test_random_calls_do_what_a_simple_model_does),
        cmocka_unit_test(test_a_large_dictionary_shrinks_and_keeps_what_is_left),
        cmocka_unit_test(test_digest_sees_every_part_of_a_key),
        cmocka_unit_test(test_use_is_no_part_of_the_digest),
        cmocka_unit_test(test_slots_are_those_of_redis_cluster),
        cmocka_unit_test(test_watch_notices_a_change_of_the_key),
        cmocka_unit_test(test_watch_notices_that_a_key_came_and_went),
        cmocka_unit_test(test_a_value_may_come_from_the_item_it_replaces),
        cmocka_unit_test(test_values_are_encoded_as_redis_names_them),
        cmocka_unit_test(test_random_keys_are_uniform_over_slots_of_all_sizes),
        cmocka_unit_test(test_a_keyspace_is_freed_in_pieces),
        cmocka_unit_test(test_what_was_cleared_is_freed_in_pieces_while_new_keys_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
