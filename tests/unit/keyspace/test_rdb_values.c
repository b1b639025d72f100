/* Reading values with elements: every form that Redis writes, and bytes that are none. */
#include "unit/keyspace/rdb_bodies.h"
#include "unit/keyspace/rdb_values.h"

/* ---- reading what Redis writes ---- */

static void test_every_form_is_read_from_a_file(void **state)
{
    (void)state;
    for (size_t i = 0; i < RDB_BODIES; i++) {
        struct buf body = rdb_body_bytes(&rdb_bodies[i]);
        struct buf records = {0};
        buf_add_span(&records, SPAN("\xfe\x00\xfb\x02\x00\xfc\x0a\0\0\0\0\0\0\0\xf8\x05"));
        add_record(&records, "k", buf_span(&body));
        buf_add_span(&records, SPAN("\x00\x01n\x01v"));
        struct buf file = file_of(buf_span(&records));
        for (int rules = 0; rules < RULES; rules++) {
            struct keyspace *keyspace = keyspace_with(rules);
            size_t piece = rules == 0 ? 1 : rules == 1 ? 7 : file.len;
            assert_int_equal(read_pieces(keyspace, buf_span(&file), piece, NULL), RDB_DONE);
            expect_shown(find(keyspace, "k"), rdb_bodies[i].shown);
            assert_int_equal(item_deadline(find(keyspace, "k")), 10);
            expect_shown(find(keyspace, "n"), "\"v\"");
            assert_int_equal(item_deadline(find(keyspace, "n")), NO_DEADLINE);
            expect_sound(keyspace);
            keyspace_free(keyspace);
        }
        buf_close(&file);
        buf_close(&records);
        buf_close(&body);
    }
}

static void test_every_form_is_read_from_a_payload(void **state)
{
    (void)state;
    for (size_t i = 0; i < RDB_BODIES; i++) {
        struct buf body = rdb_body_bytes(&rdb_bodies[i]);
        uint64_t sums[RULES];
        for (int rules = 0; rules < RULES; rules++) {
            struct keyspace *keyspace = keyspace_with(rules);
            expect_shown(restore_body(keyspace, "k", buf_span(&body)), rdb_bodies[i].shown);
            expect_sound(keyspace);
            sums[rules] = keyspace_sum(keyspace);
            assert_true(sums[rules] == sums[0]);
            keyspace_free(keyspace);
        }
        buf_close(&body);
    }
}

/* All in one file, so that nothing of one value is taken for a part of the next. */
static void test_many_forms_follow_each_other(void **state)
{
    (void)state;
    struct buf records = {0};
    char key[16];
    for (size_t i = 0; i < RDB_BODIES; i++) {
        struct buf body = rdb_body_bytes(&rdb_bodies[i]);
        snprintf(key, sizeof(key), "key%zu", i);
        add_record(&records, key, buf_span(&body));
        buf_close(&body);
    }
    struct buf file = file_of(buf_span(&records));
    for (size_t piece = 1; piece < 100; piece += 7) {
        struct keyspace *keyspace = keyspace_with(0);
        assert_int_equal(read_pieces(keyspace, buf_span(&file), piece, NULL), RDB_DONE);
        for (size_t i = 0; i < RDB_BODIES; i++) {
            snprintf(key, sizeof(key), "key%zu", i);
            expect_shown(find(keyspace, key), rdb_bodies[i].shown);
        }
        keyspace_free(keyspace);
    }
    buf_close(&file);
    buf_close(&records);
}

/* ---- hostile bytes ---- */

static void test_a_truncated_value_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < RDB_BODIES; i++) {
        struct buf body = rdb_body_bytes(&rdb_bodies[i]);
        struct keyspace *keyspace = keyspace_with(0);
        for (size_t len = 0; len < body.len; len++)
            assert_null(restore_body(keyspace, "k", span_of(body.ptr, len)));
        keyspace_free(keyspace);
        buf_close(&body);
    }
}

static void test_a_damaged_value_is_refused_or_another_value(void **state)
{
    (void)state;
    for (size_t i = 0; i < RDB_BODIES; i++) {
        struct buf body = rdb_body_bytes(&rdb_bodies[i]);
        for (size_t bit = 0; bit < body.len * 8; bit++) {
            struct keyspace *keyspace = keyspace_with((int)(bit % RULES));
            body.ptr[bit / 8] = (char)(body.ptr[bit / 8] ^ 1 << bit % 8);
            struct item *item = restore_body(keyspace, "k", buf_span(&body));
            if (item && item_type(item) != VALUE_STRING)
                expect_usable(keyspace, item);
            body.ptr[bit / 8] = (char)(body.ptr[bit / 8] ^ 1 << bit % 8);
            keyspace_free(keyspace);
        }
        buf_close(&body);
    }
}

#define BODY(why, literal)                                                                         \
    {                                                                                              \
        why,                                                                                       \
        {                                                                                          \
            ("" literal), sizeof(literal) - 1                                                      \
        }                                                                                          \
    }

static const struct {
    const char *why;
    struct span body;
} refused[] = {
    BODY("a type that does not exist", "\x06\x01"),
    BODY("a module", "\x07\x01\x00"),
    BODY("another type that does not exist", "\x08\x01\x00"),
    BODY("a type of a later Redis", "\x18\x01\x01x"),
    BODY("a field's deadline that is none", "\x16\x01\x01"
                                            "f\x01v\xfe\xff\xff\xff\xff\xff\xff\xff"),
    BODY("a field with a deadline twice", "\x16\x02\x01"
                                          "f\x01v\x01\0\0\0\0\0\0\0\x01"
                                          "f\x01v\x01\0\0\0\0\0\0\0"),
    BODY("an opcode", "\xfa\x01x\x01y"),
    BODY("a field twice", "\x04\x02\x01"
                          "f\x01v\x01"
                          "f\x01w"),
    BODY("a member of a set twice", "\x02\x02\x01m\x01m"),
    BODY("a member twice as number and text", "\x02\x02\x01"
                                              "7\xc0\x07"),
    BODY("a member of a sorted set twice", "\x03\x02\x01m\x01"
                                           "1\x01m\x01"
                                           "2"),
    BODY("the same with binary scores", "\x05\x02\x01m\0\0\0\0\0\0\0\0\x01m\0\0\0\0\0\0\0\0"),
    BODY("a score that is no number", "\x03\x01\x01m\xfd"),
    BODY("a score that is a word", "\x03\x01\x01m\x03"
                                   "one"),
    BODY("a score that is spelled nan", "\x03\x01\x01m\x03"
                                        "nan"),
    BODY("a score of no digits", "\x03\x01\x01m\x00"),
    BODY("a binary score that is no number", "\x05\x01\x01m\0\0\0\0\0\0\xf8\x7f"),
    BODY("an empty list", "\x01\x00"),
    BODY("an empty set", "\x02\x00"),
    BODY("an empty sorted set", "\x03\x00"),
    BODY("an empty hash", "\x04\x00"),
    BODY("an empty intset", "\x0b\x08\x02\0\0\0\0\0\0\0"),
    BODY("an empty ziplist", "\x0a\x0b\x0b\0\0\0\x0a\0\0\0\0\0\xff"),
    BODY("an empty zipmap", "\x09\x02\x00\xff"),
    BODY("an empty listpack", "\x10\x07\x07\0\0\0\0\0\xff"),
    BODY("an empty quicklist", "\x12\x00"),
    BODY("a list of 2^63 elements", "\x01\x81\x80\0\0\0\0\0\0\0\x01x"),
    /* intsets */
    BODY("numbers of three bytes", "\x0b\x0b\x03\0\0\0\x01\0\0\0\x01\0\0"),
    BODY("numbers in no order", "\x0b\x0c\x02\0\0\0\x02\0\0\0\x02\0\x01\0"),
    BODY("a number twice", "\x0b\x0c\x02\0\0\0\x02\0\0\0\x01\0\x01\0"),
    BODY("more numbers than told", "\x0b\x0c\x02\0\0\0\x01\0\0\0\x01\0\x02\0"),
    BODY("fewer numbers than told", "\x0b\x0a\x02\0\0\0\x02\0\0\0\x01\0"),
    BODY("2^31 + 1 numbers", "\x0b\x0a\x02\0\0\0\x01\0\0\x80\x01\0"),
    BODY("half a head", "\x0b\x04\x02\0\0\0"),
    /* ziplists: one of "a" is 0a 0e 0e000000 0a000000 0100 00 01 61 ff */
    BODY("another total", "\x0a\x0e\x0d\0\0\0\x0a\0\0\0\x01\0\0\x01\x61\xff"),
    BODY("another last entry", "\x0a\x0e\x0e\0\0\0\x0b\0\0\0\x01\0\0\x01\x61\xff"),
    BODY("another count", "\x0a\x0e\x0e\0\0\0\x0a\0\0\0\x02\0\0\x01\x61\xff"),
    BODY("another length before", "\x0a\x0e\x0e\0\0\0\x0a\0\0\0\x01\0\x02\x01\x61\xff"),
    BODY("no end", "\x0a\x0e\x0e\0\0\0\x0a\0\0\0\x01\0\0\x01\x61\x61"),
    BODY("an end too early", "\x0a\x0f\x0f\0\0\0\x0a\0\0\0\x01\0\0\x01\x61\xff\xff"),
    BODY("a text beyond the end", "\x0a\x0e\x0e\0\0\0\x0a\0\0\0\x01\0\0\x03\x61\xff"),
    BODY("a text of 2^32 - 1 bytes",
         "\x0a\x12\x12\0\0\0\x0a\0\0\0\x01\0\0\x80\xff\xff\xff\xff\x61\xff"),
    BODY("an encoding that does not exist", "\x0a\x0d\x0d\0\0\0\x0a\0\0\0\x01\0\0\xc1\xff"),
    BODY("a text whose length has 32 bits but another encoding",
         "\x0a\x12\x12\0\0\0\x0a\0\0\0\x01\0\0\x81\0\0\0\x01\x61\xff"),
    BODY("a number beyond the end", "\x0a\x0e\x0e\0\0\0\x0a\0\0\0\x01\0\0\xe0\x01\xff"),
    BODY("a field without a value", "\x0d\x0e\x0e\0\0\0\x0a\0\0\0\x01\0\0\x01\x61\xff"),
    BODY("a member without a score", "\x0c\x0e\x0e\0\0\0\x0a\0\0\0\x01\0\0\x01\x61\xff"),
    BODY("a score that is a letter",
         "\x0c\x11\x11\0\0\0\x0d\0\0\0\x02\0\0\x01\x61\x03\x01\x62\xff"),
    BODY("no ziplist at all", "\x0a\x03zip"),
    /* zipmaps */
    BODY("no zipmap at all", "\x09\x01\x01"),
    BODY("another number of pairs", "\x09\x07\x02\x01\x66\x01\x00\x76\xff"),
    BODY("a zipmap without an end", "\x09\x06\x01\x01\x66\x01\x00\x76"),
    BODY("a zipmap's field beyond the end", "\x09\x07\x01\x09\x66\x01\x00\x76\xff"),
    BODY("a zipmap's value beyond the end", "\x09\x07\x01\x01\x66\x09\x00\x76\xff"),
    BODY("spare bytes beyond the end", "\x09\x07\x01\x01\x66\x01\x02\x76\xff"),
    BODY("a field without a value", "\x09\x04\x01\x01\x66\xff"),
    BODY("a length of four bytes in two", "\x09\x05\x01\xfe\x01\0\xff"),
    BODY("a length of four bytes after the end byte",
         "\x09\x0b\x01\x01\x66\xff\x01\0\0\0\0\x76\xff"),
    BODY("a zipmap's field twice", "\x09\x0c\x02\x01\x66\x01\x00\x76\x01\x66\x01\x00\x76\xff"),
    /* listpacks: one of "a" is 0a 0a000000 0100 81 61 02 ff */
    BODY("another total", "\x10\x0a\x0b\0\0\0\x01\0\x81\x61\x02\xff"),
    BODY("another count", "\x14\x0a\x0a\0\0\0\x02\0\x81\x61\x02\xff"),
    BODY("another length behind", "\x14\x0a\x0a\0\0\0\x01\0\x81\x61\x03\xff"),
    BODY("no end", "\x14\x0a\x0a\0\0\0\x01\0\x81\x61\x02\x02"),
    BODY("an encoding that does not exist", "\x14\x09\x09\0\0\0\x01\0\xf5\x01\xff"),
    BODY("a text beyond the end", "\x14\x0a\x0a\0\0\0\x01\0\x85\x61\x02\xff"),
    BODY("a field without a value", "\x10\x0a\x0a\0\0\0\x01\0\x81\x61\x02\xff"),
    BODY("a member without a score", "\x11\x0a\x0a\0\0\0\x01\0\x81\x61\x02\xff"),
    BODY("a member twice", "\x14\x0d\x0d\0\0\0\x02\0\x81\x61\x02\x81\x61\x02\xff"),
    BODY("a field twice", "\x10\x11\x11\0\0\0\x04\0\x81\x61\x02\x01\x01\x81\x61\x02\x01\x01\xff"),
    BODY("a second field without a value",
         "\x10\x0f\x0f\0\0\0\x03\0\x81\x61\x02\x01\x01\x81\x62\x02\xff"),
    BODY("a part of a list of a third kind", "\x12\x01\x03\x01x"),
    BODY("a damaged part of a list", "\x12\x01\x02\x01x"),
};

static void test_values_with_a_fault_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
        struct keyspace *keyspace = keyspace_with(0);
        if (restore_body(keyspace, "k", refused[i].body))
            fail_msg("%s (number %zu)", refused[i].why, i);
        keyspace_free(keyspace);
    }
}

/* 253 in place of the number of digits, and as many digits behind it. */
static void test_a_score_that_is_marked_as_no_number_has_no_digits(void **state)
{
    (void)state;
    struct keyspace *keyspace = keyspace_with(0);
    struct buf body = {0};
    buf_add_span(&body, SPAN("\x03\x01\x01m\xfd"));
    for (int i = 0; i < 253; i++)
        buf_add_char(&body, '1');
    assert_null(restore_body(keyspace, "k", buf_span(&body)));
    body.ptr[4] = (char)252;
    body.len--;
    assert_non_null(restore_body(keyspace, "k", buf_span(&body)));
    buf_close(&body);
    keyspace_free(keyspace);
}

/* The form "stream" with one thing changed. */
static const struct {
    const char *why;
    const char *from;
    const char *to;
} stream_faults[] = {
    {"an ID of 15 bytes", "1000000000000000050000000000000001", "0f000000000000000500000000000001"},
    {"a node that is none", "2d2d000000", "2d2e000000"},
    {"another number of entries", "ff02060101", "ff03060101"},
    {"a last ID that is too small", "ff02060101", "ff02060001"},
    {"a group for the second time", "010367727006010100", "0203677270060100000367727006010100"},
    {"a pending entry that no consumer has",
     "0100000000000000050000000000000001"
     "03626f62",
     "0003626f62"},
    {"a consumer's entry that is not pending",
     "0100000000000000050000000000000001"
     "03626f62",
     "0100000000000000050000000000000002"
     "03626f62"},
    {"an entry of two consumers", "b80b00000000000000",
     "b80b000000000000"
     "0100000000000000050000000000000001"},
    {"a pending entry for the second time",
     "010000000000000005000000000000000"
     "1e8030000000000000302",
     "02000000000000000500000000000000"
     "01e80300000000000003000000000000000500000000000000"
     "01e8030000000000000302"},
    {"consumers in no order", "03626f62", "03616161"},
    {"a consumer for the second time", "03626f62", "05616c696365"},
};

static struct buf with_fault(size_t number)
{
    const struct rdb_body *stream = NULL;
    for (size_t i = 0; i < RDB_BODIES; i++) {
        if (strcmp(rdb_bodies[i].form, "stream") == 0)
            stream = &rdb_bodies[i];
    }
    assert_non_null(stream);
    const char *at = strstr(stream->hex, stream_faults[number].from);
    assert_non_null(at);
    struct buf hex = {0};
    buf_add(&hex, stream->hex, (size_t)(at - stream->hex));
    buf_add_text(&hex, stream_faults[number].to);
    buf_add_text(&hex, at + strlen(stream_faults[number].from));
    buf_add_char(&hex, '\0');
    const struct rdb_body changed = {.hex = hex.ptr};
    struct buf body = rdb_body_bytes(&changed);
    buf_close(&hex);
    return body;
}

static void test_streams_with_a_fault_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(stream_faults) / sizeof(*stream_faults); i++) {
        struct keyspace *keyspace = keyspace_with(0);
        struct buf body = with_fault(i);
        if (restore_body(keyspace, "k", buf_span(&body)))
            fail_msg("%s", stream_faults[i].why);
        struct buf records = {0};
        add_record(&records, "k", buf_span(&body));
        struct buf file = file_of(buf_span(&records));
        if (read_pieces(keyspace, buf_span(&file), file.len, NULL) == RDB_DONE)
            fail_msg("%s, in a file", stream_faults[i].why);
        buf_close(&file);
        buf_close(&records);
        buf_close(&body);
        keyspace_free(keyspace);
    }
}

static void test_a_fault_in_a_file_is_told_with_its_place(void **state)
{
    (void)state;
    assert_int_equal(outcome_of(SPAN("\x02\x01k\x02\x01m\x01m"),
                                "a member of a set for the second time at byte 17"),
                     RDB_BAD);
    assert_int_equal(outcome_of(SPAN("\x0b\x01k\x03int"), "a damaged packed value at byte 16"),
                     RDB_BAD);
    assert_int_equal(outcome_of(SPAN("\x12\x01k\x01\x03\x01x"),
                                "a part of a list of an unknown form at byte 16"),
                     RDB_BAD);
    assert_int_equal(outcome_of(SPAN("\x05\x01k\x01\x01m\0\0\0\0\0\0\xf8\x7f"),
                                "a score that is no number at byte 23"),
                     RDB_BAD);
    assert_int_equal(
        outcome_of(SPAN("\x0f\x01k\x00\x01\x00\x00\x00"), "a damaged stream at byte 16"), RDB_BAD);
    assert_int_equal(outcome_of(SPAN("\x01\x01k\x01\x01x\x02\x01k\x01\x01y"),
                                "a key for the second time at byte 21"),
                     RDB_BAD);
}

/* Redis leaves them out too. */
static void test_an_empty_value_in_a_file_is_left_out(void **state)
{
    (void)state;
    struct buf file =
        file_of(SPAN("\xfc\x0a\0\0\0\0\0\0\0\x01\x01k\x00\x14\x01s\x07\x07\0\0\0\0\0\xff"
                     "\x00\x01n\x01v"));
    struct keyspace *keyspace = keyspace_with(0);
    assert_int_equal(read_pieces(keyspace, buf_span(&file), 1, NULL), RDB_DONE);
    assert_int_equal(keyspace_count(keyspace), 1);
    assert_int_equal(item_deadline(find(keyspace, "n")), NO_DEADLINE);
    keyspace_free(keyspace);
    buf_close(&file);
}

static void note_skipped(void *context, struct span key, const char *type)
{
    buf_printf(context, "%.*s:%s ", (int)key.len, key.ptr, type);
}

static void test_values_of_databases_that_do_not_exist_are_skipped_in_every_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < RDB_BODIES; i++) {
        struct buf body = rdb_body_bytes(&rdb_bodies[i]);
        struct buf records = {0};
        struct buf seen = {0};
        buf_add_span(&records, SPAN("\xfe\x13"));
        add_record(&records, "k", buf_span(&body));
        buf_add_span(&records, SPAN("\xfe\x00\x00\x01n\x01v"));
        struct buf file = file_of(buf_span(&records));
        const struct rdb_reader_options options = {.context = &seen,
                                                   .on_unsupported = note_skipped};
        struct keyspace *keyspace = keyspace_with(0);
        assert_int_equal(read_pieces(keyspace, buf_span(&file), 3, &options), RDB_DONE);
        assert_int_equal(keyspace_count(keyspace), 1);
        assert_true(span_equal(buf_span(&seen), SPAN("k:database 19 ")));
        keyspace_free(keyspace);
        buf_close(&file);
        buf_close(&seen);
        buf_close(&records);
        buf_close(&body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_form_is_read_from_a_file),
        cmocka_unit_test(test_every_form_is_read_from_a_payload),
        cmocka_unit_test(test_many_forms_follow_each_other),
        cmocka_unit_test(test_a_truncated_value_is_refused),
        cmocka_unit_test(test_a_damaged_value_is_refused_or_another_value),
        cmocka_unit_test(test_values_with_a_fault_are_refused),
        cmocka_unit_test(test_a_score_that_is_marked_as_no_number_has_no_digits),
        cmocka_unit_test(test_streams_with_a_fault_are_refused),
        cmocka_unit_test(test_a_fault_in_a_file_is_told_with_its_place),
        cmocka_unit_test(test_an_empty_value_in_a_file_is_left_out),
        cmocka_unit_test(test_values_of_databases_that_do_not_exist_are_skipped_in_every_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
