/* Several databases in one file, also while they are changed, cleared and swapped. */
#include <stdio.h>

#include "keyspace/databases.h"
#include "keyspace/hash.h"
#include "keyspace/rdb.h"
#include "unit/support/test.h"

enum { NUMBERS = 4, ASIDE_MAX = DATABASES_MAX };

struct saving {
    struct databases *databases;
    struct rdb_writer writer;
    struct buf file;
    bool is_writing;
    struct keyspace *held[ASIDE_MAX];
    size_t held_count;
};

static void before_change(void *context, const struct keyspace *keyspace, struct span key)
{
    struct saving *saving = context;
    if (saving->is_writing && rdb_writer_wants(&saving->writer, keyspace, key))
        rdb_writer_before_change(&saving->writer, keyspace, keyspace_slot_of(key), &saving->file);
}

static void cleared(void *context, const struct keyspace *keyspace, struct keyspace *aside)
{
    struct saving *saving = context;
    if (!saving->is_writing || !rdb_writer_cleared(&saving->writer, keyspace, aside))
        return;
    assert_true(saving->held_count < ASIDE_MAX);
    saving->held[saving->held_count++] = aside;
    keyspace_hold(aside);
}

static void set_hash(struct keyspace *keyspace, struct span key, uint64_t fields, uint64_t revision)
{
    struct item *item = keyspace_find(keyspace, key, NO_DEADLINE);
    struct keyspace_edit edit;
    if (item && item_type(item) != VALUE_HASH)
        return;
    if (item)
        keyspace_edit_begin(&edit, keyspace, item);
    else
        keyspace_edit_begin_new(&edit, keyspace, key, VALUE_HASH);
    for (uint64_t i = 0; i <= fields; i++) {
        char name[24];
        int len = snprintf(name, sizeof name, "%llu", (unsigned long long)(revision + i));
        hash_set(edit.value, span_of(name, (size_t)len), span_of(name, (size_t)len),
                 keyspace_rules(keyspace));
    }
    keyspace_edit_end(&edit, true, revision);
}

static void change(struct databases *databases, struct prng *prng, uint64_t revision)
{
    unsigned number = (unsigned)prng_below(prng, NUMBERS), other = (number + 1) % NUMBERS;
    struct keyspace *keyspace = databases_at(databases, number);
    struct keyspace *into = databases_at(databases, other);
    char name[24];
    int len = snprintf(name, sizeof name, "key%d", (int)prng_below(prng, 60));
    struct span key = span_of(name, (size_t)len);
    struct item *item = keyspace_find(keyspace, key, NO_DEADLINE);
    switch (prng_below(prng, 60)) {
    case 0:
        keyspace_clear(keyspace, revision);
        return;
    case 1:
        databases_swap(databases, number, other, revision);
        return;
    case 2:
        databases_clear(databases, revision);
        return;
    case 3:
    case 4:
        if (item)
            keyspace_copy(into, item, key, revision);
        return;
    case 5:
    case 6:
        if (item)
            keyspace_move(keyspace, key, into, key, revision);
        return;
    case 7:
        set_hash(keyspace, key, prng_below(prng, 400), revision);
        return;
    default:
        if (prng_below(prng, 4))
            keyspace_set_string(keyspace, key, SPAN("some value"), prng_below(prng, 2), revision);
        else
            keyspace_remove(keyspace, key, revision);
    }
}

static void expect_file(const struct saving *saving, uint64_t digest, uint64_t sum)
{
    struct databases *loaded = databases_new(99);
    const struct rdb_reader_options options = {.unsupported_is_error = true};
    struct rdb_reader *reader = rdb_reader_new(loaded, &options);
    assert_int_equal(rdb_reader_feed(reader, buf_span(&saving->file)), RDB_DONE);
    assert_true(databases_sum(loaded) == sum);
    assert_true(databases_digest(loaded) == digest);
    rdb_reader_free(reader);
    databases_free(loaded);
}

/* A change that is to come is prepared for, perhaps not to the end. */
static void prepare(struct saving *saving, struct prng *prng)
{
    char name[24];
    int len = snprintf(name, sizeof name, "key%d", (int)prng_below(prng, 60));
    struct span key = span_of(name, (size_t)len);
    const struct keyspace *keyspace =
        databases_at(saving->databases, (unsigned)prng_below(prng, NUMBERS));
    uint64_t calls = prng_below(prng, 4);
    for (bool done = false; calls && !done; calls--)
        done = rdb_writer_prepare(&saving->writer, keyspace, keyspace_slot_of(key), &saving->file,
                                  1 + (size_t)prng_below(prng, 600));
}

static void run(uint64_t seed)
{
    struct prng prng;
    prng_init(&prng, seed);
    static struct saving saving;
    saving = (struct saving){.databases = databases_new(seed)};
    databases_observe(saving.databases,
                      &(struct keyspace_observer){&saving, before_change, cleared, NULL});
    uint64_t revision = 1;
    for (uint64_t count = prng_below(&prng, 400); count; count--)
        change(saving.databases, &prng, revision++);
    uint64_t digest = databases_digest(saving.databases), sum = databases_sum(saving.databases);
    const struct rdb_writer_options options = {.as_of = seed % 3 ? revision - 1 : 0};
    rdb_writer_init(&saving.writer, saving.databases, NULL, 0, &options);
    rdb_writer_begin(&saving.writer, &saving.file);
    saving.is_writing = true;
    bool more = true;
    while (more) {
        for (uint64_t count = prng_below(&prng, 12); count; count--)
            change(saving.databases, &prng, revision++);
        prepare(&saving, &prng);
        databases_free_cleared(saving.databases, 1 + (size_t)prng_below(&prng, 50));
        more = rdb_writer_some(&saving.writer, &saving.file, 1 + (size_t)prng_below(&prng, 900));
    }
    saving.is_writing = false;
    expect_file(&saving, digest, sum);
    assert_true(databases_sum(saving.databases) == databases_sum_by_walk(saving.databases));
    while (saving.held_count)
        keyspace_release(saving.held[--saving.held_count]);
    databases_free(saving.databases);
    buf_close(&saving.file);
}

static void test_databases_that_change_are_written_as_they_were(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++)
        run(seed);
}

static void set_number(struct keyspace *keyspace, const char *prefix, int number, uint64_t revision)
{
    char name[24];
    int len = snprintf(name, sizeof name, "%s%d", prefix, number);
    keyspace_set_string(keyspace, span_of(name, (size_t)len), SPAN("a value"), false, revision);
}

/* What goes on there as a whole would be in memory before the disk has it. */
static void test_new_keys_make_nothing_be_written_before_its_turn(void **state)
{
    (void)state;
    enum { KEYS = 20000 };
    static struct saving saving;
    saving = (struct saving){.databases = databases_new(1)};
    struct keyspace *keyspace = databases_at(saving.databases, 0);
    databases_observe(saving.databases,
                      &(struct keyspace_observer){&saving, before_change, cleared, NULL});
    for (int i = 0; i < KEYS; i++)
        set_number(keyspace, "old", i, 1);
    uint64_t digest = databases_digest(saving.databases), sum = databases_sum(saving.databases);
    const struct rdb_writer_options options = {.as_of = 1};
    rdb_writer_init(&saving.writer, saving.databases, NULL, 0, &options);
    rdb_writer_begin(&saving.writer, &saving.file);
    saving.is_writing = true;
    size_t before = saving.file.len;
    for (int i = 0; i < KEYS; i++)
        set_number(keyspace, "new", i, 2);
    for (int i = 0; i < KEYS; i += 2)
        set_number(keyspace, "new", i, 3);
    for (int i = 0; i < KEYS; i += 3) {
        char name[24];
        int len = snprintf(name, sizeof name, "new%d", i);
        assert_true(keyspace_remove(keyspace, span_of(name, (size_t)len), 4));
    }
    assert_int_equal(saving.file.len, before);
    set_number(keyspace, "old", 0, 5);
    assert_true(saving.file.len > before);
    while (rdb_writer_some(&saving.writer, &saving.file, 1000))
        continue;
    expect_file(&saving, digest, sum);
    databases_free(saving.databases);
    buf_close(&saving.file);
}

static void test_a_large_value_is_written_in_pieces_before_it_changes(void **state)
{
    (void)state;
    enum { FIELDS = 100000, PIECE = 20000, SLACK = 8 * 1024 };
    static struct saving saving;
    saving = (struct saving){.databases = databases_new(1)};
    struct keyspace *keyspace = databases_at(saving.databases, 2);
    set_hash(keyspace, SPAN("large"), FIELDS, 1);
    keyspace_set_string(keyspace, SPAN("{large}text"), SPAN("v"), false, 2);
    uint64_t digest = databases_digest(saving.databases), sum = databases_sum(saving.databases);
    rdb_writer_init(&saving.writer, saving.databases, NULL, 0, NULL);
    rdb_writer_begin(&saving.writer, &saving.file);
    unsigned slot = keyspace_slot_of(SPAN("large"));
    size_t calls = 0;
    for (bool done = false; !done; calls++) {
        size_t before = saving.file.len;
        done = rdb_writer_prepare(&saving.writer, keyspace, slot, &saving.file, PIECE);
        assert_true(saving.file.len - before <= PIECE + SLACK);
    }
    assert_true(calls > 20);
    size_t before = saving.file.len;
    rdb_writer_before_change(&saving.writer, keyspace, slot, &saving.file);
    assert_int_equal(saving.file.len, before);
    keyspace_remove(keyspace, SPAN("large"), 3);
    while (rdb_writer_some(&saving.writer, &saving.file, 1000))
        continue;
    expect_file(&saving, digest, sum);
    databases_free(saving.databases);
    buf_close(&saving.file);
}

static void test_what_concerns_a_database_without_keys_comes_back(void **state)
{
    (void)state;
    static struct saving saving;
    saving = (struct saving){.databases = databases_new(1)};
    keyspace_set_string(databases_at(saving.databases, 3), SPAN("k"), SPAN("v"), false, 5);
    keyspace_remove(databases_at(saving.databases, 3), SPAN("k"), 6);
    databases_swap(saving.databases, 8, 9, 7);
    rdb_writer_init(&saving.writer, saving.databases, NULL, 0, NULL);
    while (rdb_writer_next(&saving.writer, &saving.file))
        continue;
    struct databases *loaded = databases_new(2);
    struct rdb_reader *reader = rdb_reader_new(loaded, NULL);
    assert_int_equal(rdb_reader_feed(reader, buf_span(&saving.file)), RDB_DONE);
    assert_true(keyspace_changed_since(databases_at(loaded, 3), SPAN("k"), false, 5, NO_DEADLINE));
    assert_true(keyspace_changed_since(databases_at(loaded, 9), SPAN("k"), true, 6, NO_DEADLINE));
    assert_true(databases_digest(loaded) == databases_digest(saving.databases));
    rdb_reader_free(reader);
    databases_free(loaded);
    databases_free(saving.databases);
    buf_close(&saving.file);
}

static enum rdb_outcome outcome_of(struct span body)
{
    struct databases *into = databases_new(1);
    const struct rdb_reader_options options = {.unsupported_is_error = true};
    struct rdb_reader *reader = rdb_reader_new(into, &options);
    struct buf file = {0};
    buf_add_text(&file, "REDIS0011");
    buf_add_span(&file, body);
    buf_add_span(&file, SPAN("\xff\0\0\0\0\0\0\0\0"));
    enum rdb_outcome outcome = rdb_reader_feed(reader, buf_span(&file));
    buf_close(&file);
    rdb_reader_free(reader);
    databases_free(into);
    return outcome;
}

static void test_damaged_fields_of_databases_are_refused(void **state)
{
    (void)state;
    assert_int_equal(outcome_of(SPAN("\xfe\x05\xfa\x0craft-swapped\x01"
                                     "7")),
                     RDB_DONE);
    assert_int_equal(outcome_of(SPAN("\xfa\x0craft-swapped\x01x")), RDB_BAD);
    assert_int_equal(outcome_of(SPAN("\xfa\x0craft-swapped\x0f"
                                     "281474976710656")),
                     RDB_BAD);
    assert_int_equal(outcome_of(SPAN("\xfe\x10")), RDB_UNSUPPORTED);
    /* the same key in two databases, and twice in one that was selected again */
    assert_int_equal(outcome_of(SPAN("\x00\x01k\x01v\xfe\x05\x00\x01k\x01v")), RDB_DONE);
    assert_int_equal(outcome_of(SPAN("\x00\x01k\x01v\xfe\x05\xfe\x00\x00\x01k\x01v")), RDB_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_databases_that_change_are_written_as_they_were),
        cmocka_unit_test(test_new_keys_make_nothing_be_written_before_its_turn),
        cmocka_unit_test(test_a_large_value_is_written_in_pieces_before_it_changes),
        cmocka_unit_test(test_what_concerns_a_database_without_keys_comes_back),
        cmocka_unit_test(test_damaged_fields_of_databases_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
