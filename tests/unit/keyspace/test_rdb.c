/* Writing a keyspace as an RDB file and reading it back. */
#include "keyspace/rdb.h"

#include <stdio.h>

#include "base/crc.h"
#include "unit/support/only.h"
#include "unit/support/test.h"

static void set(struct keyspace *keyspace, const char *key, const char *value, uint64_t revision)
{
    keyspace_set_string(keyspace, span_text(key), span_text(value), false, revision);
}

static void write_with(const struct keyspace *keyspace, const struct rdb_writer_options *options,
                       struct buf *out)
{
    static const struct rdb_aux aux[] = {{{"raft-index", 10}, {"12345", 5}}};
    struct rdb_writer writer;
    rdb_writer_init(&writer, ONLY(keyspace), aux, 1, options);
    bool more = true;
    while (more) {
        size_t before = out->len;
        more = rdb_writer_next(&writer, out);
        assert_true(out->len - before <= RDB_CHUNK_MAX);
    }
}

static struct buf written(const struct keyspace *keyspace)
{
    struct buf out = {0};
    write_with(keyspace, NULL, &out);
    return out;
}

static enum rdb_outcome read_in_two(struct keyspace *into, struct span file, size_t first,
                                    const struct rdb_reader_options *options)
{
    struct databases only = {.list = {into}};
    struct rdb_reader *reader = rdb_reader_new(&only, options);
    rdb_reader_feed(reader, span_of(file.ptr, first));
    enum rdb_outcome outcome = rdb_reader_feed(reader, span_of(file.ptr + first, file.len - first));
    assert_int_equal(strlen(rdb_reader_message(reader)) > 0,
                     outcome == RDB_BAD || outcome == RDB_UNSUPPORTED);
    rdb_reader_free(reader);
    only_close(&only);
    return outcome;
}

static enum rdb_outcome outcome_of(struct span file, const struct rdb_reader_options *options)
{
    struct keyspace *into = keyspace_new(2);
    enum rdb_outcome outcome = read_in_two(into, file, 0, options);
    keyspace_free(into);
    return outcome;
}

static void expect_same(const struct keyspace *a, const struct keyspace *b)
{
    assert_int_equal(keyspace_count(a), keyspace_count(b));
    assert_int_equal(keyspace_digest(a), keyspace_digest(b));
    for (unsigned slot = 0; slot < KEYSPACE_SLOTS; slot++) {
        for (size_t i = 0; i < keyspace_slot_count(a, slot); i++)
            assert_string_equal(item_encoding(keyspace_slot_item(a, slot, i)),
                                item_encoding(keyspace_slot_item(b, slot, i)));
    }
}

static void expect_round_trip(const struct keyspace *keyspace)
{
    struct buf file = written(keyspace);
    struct keyspace *into = keyspace_new(99);
    assert_int_equal(read_in_two(into, buf_span(&file), 0, NULL), RDB_DONE);
    expect_same(keyspace, into);
    struct buf again = written(into);
    assert_true(span_equal(buf_span(&file), buf_span(&again)));
    buf_close(&again);
    buf_close(&file);
    keyspace_free(into);
}

/* Every form that an item can have, and gaps left by removals. */
static struct keyspace *small_keyspace(void)
{
    static const char *const values[] = {
        "",     "0",           "-1",          "127",         "128",
        "-129", "32767",       "-32769",      "2147483647",  "2147483648",
        "a",    "01",          "-2147483648", "-2147483649", "9223372036854775807",
        "+1",   "not a number"};
    struct keyspace *keyspace = keyspace_new(1);
    char key[24];
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
        snprintf(key, sizeof(key), "%s%zu", i % 2 ? "{t}" : "k", i);
        set(keyspace, key, values[i], 1000 + i * 7 % 5);
    }
    keyspace_set_string(keyspace, span_of("\0\xff\r\n", 4), span_of("\xff\0\xfe", 3), false, 1);
    keyspace_set_string(keyspace, span_of("", 0), SPAN("empty key"), false, KEYSPACE_REVISION_MAX);
    keyspace_set_text(keyspace, keyspace_find(keyspace, SPAN("k2"), NO_DEADLINE), SPAN("77"), 2000);
    keyspace_write(keyspace, keyspace_find(keyspace, SPAN("k4"), NO_DEADLINE), 1, SPAN(""), 2001);
    keyspace_write(keyspace, keyspace_find(keyspace, SPAN("k10"), NO_DEADLINE), 5, SPAN(""), 2002);
    keyspace_set_deadline(keyspace, keyspace_find(keyspace, SPAN("k8"), NO_DEADLINE), 1, 2003);
    keyspace_set_deadline(keyspace, keyspace_find(keyspace, SPAN("k6"), NO_DEADLINE), 1999999999999,
                          2004);
    keyspace_remove(keyspace, SPAN("{t}3"), 3000);
    keyspace_remove(keyspace, SPAN("k0"), 3001);
    return keyspace;
}

static void test_a_keyspace_comes_back_as_it_was(void **state)
{
    (void)state;
    struct keyspace *keyspace = small_keyspace();
    expect_round_trip(keyspace);
    keyspace_free(keyspace);
}

static void test_an_empty_keyspace_comes_back_with_its_removals(void **state)
{
    (void)state;
    struct keyspace *keyspace = keyspace_new(1);
    expect_round_trip(keyspace);
    for (int i = 0; i < 1000; i++) {
        char key[24];
        snprintf(key, sizeof(key), "key%d", i);
        set(keyspace, key, "v", 1);
        keyspace_remove(keyspace, span_text(key), KEYSPACE_REVISION_MAX - (uint64_t)i);
    }
    expect_round_trip(keyspace);
    keyspace_free(keyspace);
}

static void test_many_keys_and_long_values_come_back_in_order(void **state)
{
    (void)state;
    struct keyspace *keyspace = keyspace_new(1);
    static char value[300000];
    for (int i = 0; i < 5000; i++) {
        char key[32];
        snprintf(key, sizeof(key), i % 3 ? "{one}%d" : "key%d", i);
        size_t len = i % 500 ? (size_t)(i % 70) : sizeof(value) - (size_t)i;
        memset(value, 'a' + i % 26, len);
        struct item *item = keyspace_set_string(keyspace, span_text(key), span_of(value, len),
                                                false, (uint64_t)i * 1000003);
        if (i % 4 == 0)
            keyspace_set_deadline(keyspace, item, i * 1000, (uint64_t)i);
        if (i % 7 == 6) {
            snprintf(key, sizeof(key), (i / 2) % 3 ? "{one}%d" : "key%d", i / 2);
            keyspace_remove(keyspace, span_text(key), (uint64_t)i);
        }
    }
    expect_round_trip(keyspace);
    keyspace_free(keyspace);
}

static void test_the_writer_needs_no_more_memory_than_one_chunk(void **state)
{
    (void)state;
    struct keyspace *keyspace = small_keyspace();
    static char value[500000];
    char key[24];
    for (int i = 0; i < 3000; i++) {
        snprintf(key, sizeof(key), "%d", i);
        set(keyspace, key, "v", KEYSPACE_REVISION_MAX * (uint64_t)(i % 2));
        if (i % 2)
            keyspace_remove(keyspace, span_text(key), KEYSPACE_REVISION_MAX);
    }
    keyspace_set_string(keyspace, span_of(value, sizeof(value)), span_of(value, sizeof(value)),
                        false, 1);
    struct buf out = {0};
    buf_reserve(&out, RDB_CHUNK_MAX);
    const char *prepared = out.ptr;
    struct rdb_writer writer;
    rdb_writer_init(&writer, ONLY(keyspace), NULL, 0, NULL);
    while (rdb_writer_next(&writer, &out))
        out.len = 0;
    assert_ptr_equal(out.ptr, prepared);
    buf_close(&out);
    expect_round_trip(keyspace);
    keyspace_free(keyspace);
}

static void test_empty_strings_can_be_the_first(void **state)
{
    (void)state;
    static const char file[] = "REDIS0011\xfa\0\0\0\0\0\xff\0\0\0\0\0\0\0\0";
    assert_int_equal(outcome_of(span_of(file, sizeof(file) - 1), NULL), RDB_DONE);
}

static void test_every_split_gives_the_same(void **state)
{
    (void)state;
    struct keyspace *keyspace = small_keyspace();
    struct buf file = written(keyspace);
    for (size_t at = 0; at <= file.len; at++) {
        struct keyspace *into = keyspace_new(3);
        assert_int_equal(read_in_two(into, buf_span(&file), at, NULL), RDB_DONE);
        assert_int_equal(keyspace_digest(into), keyspace_digest(keyspace));
        keyspace_free(into);
    }
    struct keyspace *into = keyspace_new(3);
    struct databases only = {.list = {into}};
    struct rdb_reader *reader = rdb_reader_new(&only, NULL);
    for (size_t at = 0; at < file.len; at++)
        assert_int_equal(rdb_reader_feed(reader, span_of(file.ptr + at, 1)),
                         at + 1 == file.len ? RDB_DONE : RDB_MORE);
    assert_int_equal(keyspace_digest(into), keyspace_digest(keyspace));
    assert_int_equal(rdb_reader_feed(reader, SPAN("x")), RDB_BAD);
    rdb_reader_free(reader);
    only_close(&only);
    keyspace_free(into);
    keyspace_free(keyspace);
    buf_close(&file);
}

static void test_a_truncated_file_is_never_done(void **state)
{
    (void)state;
    struct keyspace *keyspace = small_keyspace();
    struct buf file = written(keyspace);
    for (size_t len = 0; len < file.len; len++)
        assert_int_equal(outcome_of(span_of(file.ptr, len), NULL), RDB_MORE);
    keyspace_free(keyspace);
    buf_close(&file);
}

static void test_a_flipped_bit_is_never_done(void **state)
{
    (void)state;
    struct keyspace *keyspace = small_keyspace();
    struct buf file = written(keyspace);
    for (size_t bit = 0; bit < file.len * 8; bit++) {
        file.ptr[bit / 8] = (char)(file.ptr[bit / 8] ^ 1 << bit % 8);
        assert_int_not_equal(outcome_of(buf_span(&file), NULL), RDB_DONE);
        file.ptr[bit / 8] = (char)(file.ptr[bit / 8] ^ 1 << bit % 8);
    }
    keyspace_free(keyspace);
    buf_close(&file);
}

/* A file with this body, and the checksum behind it. */
static enum rdb_outcome outcome_of_body(struct span body, const struct rdb_reader_options *options)
{
    struct buf file = {0};
    buf_add_text(&file, "REDIS0011");
    buf_add_span(&file, body);
    buf_add_char(&file, (char)0xff);
    uint64_t crc = crc64(0, file.ptr, file.len);
    for (int i = 0; i < 8; i++)
        buf_add_char(&file, (char)(crc >> (8 * i) & 0xff));
    enum rdb_outcome outcome = outcome_of(buf_span(&file), options);
    buf_close(&file);
    return outcome;
}

static void test_a_checksum_of_zero_is_accepted_unless_one_is_required(void **state)
{
    (void)state;
    struct span file = SPAN("REDIS0009\xff\0\0\0\0\0\0\0\0");
    assert_int_equal(outcome_of(file, NULL), RDB_DONE);
    struct rdb_reader_options options = {.checksum_required = true};
    assert_int_equal(outcome_of(file, &options), RDB_BAD);
}

static void test_what_is_no_rdb_file_is_refused(void **state)
{
    (void)state;
    assert_int_equal(outcome_of(SPAN("REDIX0009\xff"), NULL), RDB_BAD);
    assert_int_equal(outcome_of(SPAN("REDIS00x9\xff"), NULL), RDB_BAD);
    assert_int_equal(outcome_of(SPAN("REDIS0012\xff"), NULL), RDB_UNSUPPORTED);
    assert_int_equal(outcome_of(SPAN("REDIS0004\xff"), NULL), RDB_UNSUPPORTED);
    assert_int_equal(outcome_of_body(SPAN("\x06\x01k"), NULL), RDB_BAD);
    assert_int_equal(outcome_of_body(SPAN("\x63\x01k"), NULL), RDB_BAD);
    assert_int_equal(outcome_of_body(SPAN("\x00\x82"), NULL), RDB_BAD);
    assert_int_equal(outcome_of_body(SPAN("\x00\xc4"), NULL), RDB_BAD);
    assert_int_equal(outcome_of_body(SPAN("\xfe\xc0\x01"), NULL), RDB_BAD);
}

static void test_a_key_that_comes_twice_is_refused(void **state)
{
    (void)state;
    assert_int_equal(outcome_of_body(SPAN("\x00\x01k\x01v"), NULL), RDB_DONE);
    assert_int_equal(outcome_of_body(SPAN("\x00\x01k\x01v\x00\x01k\x01v"), NULL), RDB_BAD);
}

static void test_databases_that_do_not_exist_are_unsupported(void **state)
{
    (void)state;
    assert_int_equal(outcome_of_body(SPAN("\xfe\x00\x00\x01k\x01v"), NULL), RDB_DONE);
    struct keyspace *into = keyspace_new(1);
    const struct rdb_reader_options options = {.unsupported_is_error = true};
    struct databases only = {.list = {into}};
    struct rdb_reader *reader = rdb_reader_new(&only, &options);
    assert_int_equal(rdb_reader_feed(reader, SPAN("REDIS0011\xfe\x10\x00\x01k\x01v")),
                     RDB_UNSUPPORTED);
    assert_string_equal(rdb_reader_message(reader),
                        "keys of database 16, which does not exist, at byte 11");
    rdb_reader_free(reader);
    only_close(&only);
    keyspace_free(into);
}

static void note_skipped(void *context, struct span key, const char *type)
{
    buf_printf(context, "%.*s:%s ", (int)key.len, key.ptr, type);
}

static void test_keys_of_databases_that_do_not_exist_are_reported_and_skipped(void **state)
{
    (void)state;
    struct keyspace *into = keyspace_new(1);
    struct buf skipped = {0};
    const struct rdb_reader_options options = {
        .context = &skipped, .on_unsupported = note_skipped, .databases = 3};
    struct databases only = {.list = {into}};
    struct rdb_reader *reader = rdb_reader_new(&only, &options);
    assert_int_equal(rdb_reader_feed(reader, SPAN("REDIS0011\xfe\x03\x00\x01k\x01v")), RDB_MORE);
    assert_int_equal(rdb_reader_feed(reader, SPAN("\x01\x01l\x01\x01v\xfe\x00\x00\x01k\x01w")),
                     RDB_MORE);
    assert_int_equal(rdb_reader_feed(reader, SPAN("\xff\0\0\0\0\0\0\0\0")), RDB_DONE);
    assert_true(span_equal(buf_span(&skipped), SPAN("k:database 3 l:database 3 ")));
    assert_int_equal(keyspace_count(into), 1);
    char scratch[24];
    struct item *item = keyspace_find(into, SPAN("k"), NO_DEADLINE);
    assert_true(span_equal(item_string(item, scratch), SPAN("w")));
    rdb_reader_free(reader);
    only_close(&only);
    keyspace_free(into);
    buf_close(&skipped);
}

static void test_bytes_behind_the_end_are_left_to_who_asked_for_them(void **state)
{
    (void)state;
    struct keyspace *into = keyspace_new(1);
    const struct rdb_reader_options options = {.rest_allowed = true};
    struct databases only = {.list = {into}};
    struct rdb_reader *reader = rdb_reader_new(&only, &options);
    assert_int_equal(rdb_reader_feed(reader, SPAN("REDIS0011\xff\0\0\0\0\0\0\0")), RDB_MORE);
    assert_int_equal(rdb_reader_feed(reader, SPAN("\0*1\r\n")), RDB_DONE);
    assert_int_equal(rdb_reader_rest(reader), 4);
    assert_int_equal(rdb_reader_feed(reader, SPAN("$4")), RDB_DONE);
    assert_int_equal(rdb_reader_rest(reader), 2);
    rdb_reader_free(reader);
    only_close(&only);
    keyspace_free(into);
}

static void test_hostile_lengths_are_refused_or_waited_for(void **state)
{
    (void)state;
    assert_int_equal(outcome_of(SPAN("REDIS0011\x00\x81\x7f\xff\xff\xff\xff\xff\xff\xff"), NULL),
                     RDB_BAD);
    assert_int_equal(outcome_of(SPAN("REDIS0011\x00\x80\x1f\xff\xff\xff"), NULL), RDB_MORE);
    assert_int_equal(outcome_of(SPAN("REDIS0011\x00\xc3\x04\x80\x1f\xff\xff\xff"), NULL), RDB_BAD);
    /* a list of 2^63 elements is only walked over */
    assert_int_equal(outcome_of(SPAN("REDIS0011\x01\x01k\x81\x80\0\0\0\0\0\0\0\x01x"), NULL),
                     RDB_MORE);
    struct rdb_reader_options options = {.string_max = 3};
    assert_int_equal(outcome_of_body(SPAN("\x00\x03key\x03val"), &options), RDB_DONE);
    assert_int_equal(outcome_of_body(SPAN("\x00\x03key\x04valu"), &options), RDB_BAD);
}

/* One that fits no pack, whatever is allowed. Its length tells, before a byte of it is there. */
static void test_a_string_of_a_gibibyte_is_refused(void **state)
{
    (void)state;
    struct rdb_reader_options options = {.string_max = UINT32_MAX - 1};
    assert_int_equal(outcome_of(SPAN("REDIS0011\x00\x01k\x80\x3f\xff\xff\xc0"), &options),
                     RDB_MORE);
    assert_int_equal(outcome_of(SPAN("REDIS0011\x00\x01k\x80\x3f\xff\xff\xc1"), &options), RDB_BAD);
    assert_int_equal(outcome_of(SPAN("REDIS0011\x00\x01k\x80\x40\x00\x00\x00"), &options), RDB_BAD);
}

static void test_damaged_annotations_are_refused(void **state)
{
    (void)state;
#define REVISIONS "\xfa\x0eraft-revisions"
#define REMOVALS  "\xfa\x0draft-removals"
    assert_int_equal(outcome_of_body(SPAN(REVISIONS "\x03"
                                                    "12t\x00\x01k\x01v"),
                                     NULL),
                     RDB_DONE);
    assert_int_equal(outcome_of_body(SPAN(REVISIONS "\x01"
                                                    "5"),
                                     NULL),
                     RDB_BAD);
    assert_int_equal(outcome_of_body(SPAN(REVISIONS "\x03"
                                                    "1x2\x00\x01k\x01v"),
                                     NULL),
                     RDB_BAD);
    assert_int_equal(outcome_of_body(SPAN(REMOVALS "\x07"
                                                   "16383:1"),
                                     NULL),
                     RDB_DONE);
    assert_int_equal(outcome_of_body(SPAN(REMOVALS "\x07"
                                                   "16384:1"),
                                     NULL),
                     RDB_BAD);
    assert_int_equal(outcome_of_body(SPAN(REMOVALS "\x02"
                                                   "12"),
                                     NULL),
                     RDB_BAD);
}

static void test_a_plain_file_and_ignored_revisions_leave_revision_0(void **state)
{
    (void)state;
    struct keyspace *keyspace = small_keyspace();
    struct buf exact = written(keyspace);
    struct buf plain = {0};
    struct rdb_writer_options to_give_away = {.plain = true};
    write_with(keyspace, &to_give_away, &plain);
    assert_null(memmem(plain.ptr, plain.len, "raft-re", 7));
    struct keyspace *a = keyspace_new(1);
    struct keyspace *b = keyspace_new(1);
    struct rdb_reader_options ignore = {.ignore_revisions = true};
    assert_int_equal(read_in_two(a, buf_span(&plain), 0, NULL), RDB_DONE);
    assert_int_equal(read_in_two(b, buf_span(&exact), 0, &ignore), RDB_DONE);
    assert_int_equal(keyspace_digest(a), keyspace_digest(b));
    assert_int_equal(item_revision(keyspace_find(a, SPAN("k2"), NO_DEADLINE)), 0);
    keyspace_free(a);
    keyspace_free(b);
    keyspace_free(keyspace);
    buf_close(&exact);
    buf_close(&plain);
}

static void note_aux(void *context, struct span name, struct span value)
{
    struct buf *seen = context;
    buf_add_span(seen, name);
    buf_add_char(seen, '=');
    buf_add_span(seen, value);
    buf_add_char(seen, ' ');
}

static void test_aux_fields_go_to_the_caller(void **state)
{
    (void)state;
    struct keyspace *keyspace = small_keyspace();
    struct buf file = {0};
    struct buf seen = {0};
    struct rdb_writer_options version = {.redis_version = SPAN("7.2.4")};
    write_with(keyspace, &version, &file);
    struct rdb_reader_options options = {.context = &seen, .on_aux = note_aux};
    assert_int_equal(outcome_of(buf_span(&file), &options), RDB_DONE);
    assert_true(
        span_equal(buf_span(&seen), SPAN("redis-ver=7.2.4 redis-bits=64 raft-index=12345 ")));
    keyspace_free(keyspace);
    buf_close(&file);
    buf_close(&seen);
}

static void test_the_checksum_is_that_of_redis(void **state)
{
    (void)state;
    assert_int_equal(crc64(0, "123456789", 9), UINT64_C(0xe9c6d914c4b8d9ca));
    uint64_t crc = crc64(0, "12345", 5);
    assert_int_equal(crc64(crc, "6789", 4), UINT64_C(0xe9c6d914c4b8d9ca));
}

/* Keys of a few slots and of many, short and long, and changes of all kinds. */
static void change(struct keyspace *keyspace, struct prng *prng, uint64_t revision)
{
    char name[32];
    uint64_t number = prng_below(prng, 400);
    snprintf(name, sizeof name, number % 2 ? "{few%d}%d" : "key%d-%d", (int)number % 7,
             (int)number);
    struct span key = span_text(name);
    char value[3000];
    memset(value, 'a' + (int)(revision % 26), sizeof value);
    struct item *item = keyspace_find(keyspace, key, NO_DEADLINE);
    switch (prng_below(prng, 5)) {
    case 0:
        keyspace_remove(keyspace, key, revision);
        return;
    case 1:
        if (item)
            keyspace_set_deadline(keyspace, item, (int64_t)revision * 1000, revision);
        return;
    case 2:
        if (item)
            keyspace_write(keyspace, item, (size_t)prng_below(prng, 100), SPAN("x"), revision);
        return;
    default:
        keyspace_set_string(
            keyspace, key,
            span_of(value, (size_t)prng_below(prng, prng_below(prng, 20) ? 40 : 3000)),
            prng_below(prng, 2), revision);
    }
}

/* The slot of the key that change() would choose next. */
static unsigned slot_of_change(struct prng prng)
{
    char name[32];
    uint64_t number = prng_below(&prng, 400);
    snprintf(name, sizeof name, number % 2 ? "{few%d}%d" : "key%d-%d", (int)number % 7,
             (int)number);
    return keyspace_slot_of(span_text(name));
}

static void test_a_keyspace_that_changes_is_written_as_it_was(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct prng prng;
        prng_init(&prng, seed);
        struct keyspace *keyspace = keyspace_new(seed);
        uint64_t revision = 1;
        for (uint64_t count = prng_below(&prng, 1500); count; count--)
            change(keyspace, &prng, revision++);
        uint64_t digest = keyspace_digest(keyspace);
        struct rdb_writer writer;
        rdb_writer_init(&writer, ONLY(keyspace), NULL, 0, NULL);
        struct buf file = {0};
        rdb_writer_begin(&writer, &file);
        bool more = true;
        while (more) {
            for (uint64_t count = prng_below(&prng, 10); count; count--) {
                rdb_writer_before_change(&writer, keyspace, slot_of_change(prng), &file);
                change(keyspace, &prng, revision++);
            }
            more = rdb_writer_some(&writer, &file, 1 + (size_t)prng_below(&prng, 2000));
        }
        struct keyspace *loaded = keyspace_new(seed + 1);
        struct databases only = {.list = {loaded}};
        struct rdb_reader *reader = rdb_reader_new(&only, NULL);
        assert_int_equal(rdb_reader_feed(reader, buf_span(&file)), RDB_DONE);
        assert_true(keyspace_digest(loaded) == digest);
        rdb_reader_free(reader);
        only_close(&only);
        keyspace_free(loaded);
        keyspace_free(keyspace);
        buf_close(&file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_keyspace_comes_back_as_it_was),
        cmocka_unit_test(test_an_empty_keyspace_comes_back_with_its_removals),
        cmocka_unit_test(test_many_keys_and_long_values_come_back_in_order),
        cmocka_unit_test(test_the_writer_needs_no_more_memory_than_one_chunk),
        cmocka_unit_test(test_empty_strings_can_be_the_first),
        cmocka_unit_test(test_every_split_gives_the_same),
        cmocka_unit_test(test_a_truncated_file_is_never_done),
        cmocka_unit_test(test_a_flipped_bit_is_never_done),
        cmocka_unit_test(test_a_checksum_of_zero_is_accepted_unless_one_is_required),
        cmocka_unit_test(test_what_is_no_rdb_file_is_refused),
        cmocka_unit_test(test_a_key_that_comes_twice_is_refused),
        cmocka_unit_test(test_databases_that_do_not_exist_are_unsupported),
        cmocka_unit_test(test_keys_of_databases_that_do_not_exist_are_reported_and_skipped),
        cmocka_unit_test(test_bytes_behind_the_end_are_left_to_who_asked_for_them),
        cmocka_unit_test(test_hostile_lengths_are_refused_or_waited_for),
        cmocka_unit_test(test_a_string_of_a_gibibyte_is_refused),
        cmocka_unit_test(test_damaged_annotations_are_refused),
        cmocka_unit_test(test_a_plain_file_and_ignored_revisions_leave_revision_0),
        cmocka_unit_test(test_aux_fields_go_to_the_caller),
        cmocka_unit_test(test_the_checksum_is_that_of_redis),
        cmocka_unit_test(test_a_keyspace_that_changes_is_written_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
