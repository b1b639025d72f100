/* Files and payloads of Redis. */
#include <stdio.h>

#include "base/crc.h"
#include "keyspace/rdb.h"
#include "unit/keyspace/rdb_values.h"
#include "unit/support/only.h"

/* Written by redis-server 7.0.15: every type, small and large, a stream with groups and pending
 * entries, functions, deadlines, compressed strings. */
static const char everything[] =
    "524544495330303130fa0972656469732d76657206372e302e3135fa0a72656469732d62697473c040fa0563"
    "74696d65c27c7a016bfa08757365642d6d656dc2b0051600fa08616f662d62617365c000f5404423216c7561"
    "206e616d653d6c69620a72656469732e72656769737465725f66756e6374696f6e282766272c2066756e6374"
    "696f6e28292072657475726e203120656e6429fe00fb0d020003737472c30a40c802616261e0ba010161620b"
    "02736914040000000300000001000000020000007011010012014c0202c310406408640000000100e05a71e0"
    "5000015cff02090900000001000701ff02015301c005130178011000000000000000010000000000000001c3"
    "2833073300000014000201400007816602000103010020010481760204014015e0000a0002a00a0101ff0203"
    "010201010103020267310301030300000000000000010000000000000001ef75c6fda1010000010000000000"
    "0000020000000000000001ef75c6fda10100000100000000000000030000000000000001f275c6fda1010000"
    "0102026331ef75c6fda101000002000000000000000100000000000000010000000000000002000000000000"
    "0001026332f275c6fda10100000100000000000000030000000000000001026732030181ffffffffffffffff"
    "000011017a14140000000400816102010181620283322e3504ff040148010166017600016ec13930fc7b4094"
    "52a3030000000174c270110100fc7c409452a3030000100168121200000004008166028176028167020101ff"
    "020173020178017905015a020162000000000000f07f0161000000000000f03f12016c010210100000000300"
    "816102816202c12c02ffff3adc34e70f51684b";

/* What is skipped comes back as text, in the order of the file. */
static void note_skipped(void *context, struct span key, const char *type)
{
    struct buf *seen = context;
    buf_add_span(seen, key);
    buf_add_char(seen, ':');
    buf_add_text(seen, type);
    buf_add_char(seen, ' ');
}

/* The values in it that are no strings. */
static const struct {
    const char *key;
    const char *shown;
} values[] = {
    {"si", "{1 2 70000}"},
    {"L", "[q*90 7]"},
    {"S", "{5}"},
    {"x", "(2-1 f=v; 3-1 f=v | last 3-1 added 3 deleted 1-1 | group g1 3-1 read 3: "
          "1-1 by c1 at 1795259004399 x1; 2-1 by c1 at 1795259004399 x1; "
          "3-1 by c2 at 1795259004402 x1; consumer c1 seen 1795259004399 active 1795259004399 "
          "consumer c2 seen 1795259004402 active 1795259004402 | group g2 3-1 read -1:)"},
    {"z", "<a=1 b=2.5>"},
    {"H", "{f=v}"},
    {"h", "{f=v g=1}"},
    {"s", "{x y}"},
    {"Z", "<a=1 b=inf>"},
    {"l", "[a b 300]"},
};

static struct buf from_hex(const char *hex)
{
    struct buf out = {0};
    for (; *hex; hex += 2) {
        unsigned byte;
        assert_int_equal(sscanf(hex, "%2x", &byte), 1);
        buf_add_char(&out, (char)byte);
    }
    return out;
}

static void expect_text(const struct keyspace *keyspace, const char *key, struct span value,
                        int64_t deadline_ms)
{
    const struct item *item = keyspace_find(keyspace, span_text(key), NO_DEADLINE);
    assert_non_null(item);
    char scratch[24];
    assert_true(span_equal(item_string(item, scratch), value));
    assert_int_equal(item_deadline(item), deadline_ms);
    assert_int_equal(item_revision(item), 0);
}

static void test_a_file_of_redis_is_read_whatever_it_holds(void **state)
{
    (void)state;
    struct buf file = from_hex(everything);
    char long_text[200];
    for (size_t i = 0; i < sizeof(long_text); i++)
        long_text[i] = i % 2 ? 'b' : 'a';
    for (size_t at = 0; at < file.len; at++) {
        struct buf seen = {0};
        struct rdb_reader_options options = {.context = &seen, .on_unsupported = note_skipped};
        struct keyspace *into = keyspace_new(at);
        struct databases only = {.list = {into}};
        struct rdb_reader *reader = rdb_reader_new(&only, &options);
        rdb_reader_feed(reader, span_of(file.ptr, at));
        assert_int_equal(rdb_reader_feed(reader, span_of(file.ptr + at, file.len - at)), RDB_DONE);
        assert_int_equal(keyspace_count(into), 13);
        expect_text(into, "str", span_of(long_text, sizeof(long_text)), NO_DEADLINE);
        expect_text(into, "n", SPAN("12345"), NO_DEADLINE);
        expect_text(into, "t", SPAN("70000"), 4000000000123);
        assert_true(span_equal(buf_span(&seen), SPAN(":function ")));
        for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
            expect_shown(keyspace_find(into, span_text(values[i].key), NO_DEADLINE),
                         values[i].shown);
        rdb_reader_free(reader);
        only_close(&only);
        keyspace_free(into);
        buf_close(&seen);
    }
    buf_close(&file);
}

static void test_a_truncated_or_damaged_file_of_redis_is_never_done(void **state)
{
    (void)state;
    struct buf file = from_hex(everything);
    for (size_t bit = 0; bit < file.len * 8; bit++) {
        struct keyspace *into = keyspace_new(1);
        struct databases only = {.list = {into}};
        struct rdb_reader *reader = rdb_reader_new(&only, NULL);
        assert_int_equal(rdb_reader_feed(reader, span_of(file.ptr, bit / 8)), RDB_MORE);
        char flipped = (char)(file.ptr[bit / 8] ^ 1 << bit % 8);
        rdb_reader_feed(reader, span_of(&flipped, 1));
        struct span rest = span_of(file.ptr + bit / 8 + 1, file.len - bit / 8 - 1);
        assert_int_not_equal(rdb_reader_feed(reader, rest), RDB_DONE);
        rdb_reader_free(reader);
        only_close(&only);
        keyspace_free(into);
    }
    buf_close(&file);
}

static void test_an_unsupported_type_can_be_an_error(void **state)
{
    (void)state;
    struct keyspace *into = keyspace_new(1);
    struct rdb_reader_options options = {.unsupported_is_error = true};
    struct databases only = {.list = {into}};
    struct rdb_reader *reader = rdb_reader_new(&only, &options);
    assert_int_equal(rdb_reader_feed(reader, SPAN("REDIS0011\x07\x01k\x01\x01m")), RDB_UNSUPPORTED);
    assert_string_equal(rdb_reader_message(reader),
                        "a value of type module, which is not supported, at byte 12");
    rdb_reader_free(reader);
    only_close(&only);
    keyspace_free(into);
}

#define MODULE                                                                                     \
    "\x07\x01k\x81\1\2\3\4\5\6\7\x08\x02\x05\x01\x07\x03\1\2\3\4\x04"                              \
    "12345678\x05\x03str\x05\xc0\x07\x00"

static void test_modules_are_walked_over(void **state)
{
    (void)state;
    struct buf file = {0};
    struct buf seen = {0};
    /* the skipped key has a deadline and an idle time: the next one must not get them */
    buf_add_span(&file, SPAN("REDIS0011\xfd\1\1\1\1\xf8\x40\x50\xf9\x07" MODULE));
    buf_add_span(&file, SPAN("\xf7\x81\1\2\3\4\5\6\7\x08\x02\x01\x02\x05\x00"));
    buf_add_span(&file, SPAN("\x00\x01n\x01v\xff\0\0\0\0\0\0\0\0"));
    struct rdb_reader_options options = {.context = &seen, .on_unsupported = note_skipped};
    struct keyspace *into = keyspace_new(1);
    struct databases only = {.list = {into}};
    struct rdb_reader *reader = rdb_reader_new(&only, &options);
    for (size_t at = 0; at < file.len; at++)
        assert_int_equal(rdb_reader_feed(reader, span_of(file.ptr + at, 1)),
                         at + 1 == file.len ? RDB_DONE : RDB_MORE);
    expect_text(into, "n", SPAN("v"), NO_DEADLINE);
    assert_true(span_equal(buf_span(&seen), SPAN("k:module :module data ")));
    rdb_reader_free(reader);
    only_close(&only);
    keyspace_free(into);
    buf_close(&seen);
    buf_close(&file);
}

/* What redis-server 7.0.15 answers to DUMP. */
#define DUMP_12345 SPAN("\x00\xc1\x39\x30\n\x00\x9d\x94\xea'\x93\xfc\x08\xb9")
#define DUMP_70000 SPAN("\x00\xc2p\x11\x01\x00\n\x00\x01\xa4\x08\xfe\x95\x30\x95\xa5")
#define DUMP_PACKED                                                                                \
    SPAN("\x00\xc3\n@\xc8\x02"                                                                     \
         "aba\xe0\xba\x01\x01"                                                                     \
         "ab\n\x00$\xa6\xe8"                                                                       \
         "Ap\xc0\xc6\x8c")

static void expect_dump(const char *value, struct span payload)
{
    struct keyspace *keyspace = keyspace_new(1);
    struct buf out = {0};
    rdb_dump_value(keyspace_set_string(keyspace, SPAN("k"), span_text(value), false, 1), &out);
    assert_true(span_equal(buf_span(&out), payload));
    buf_close(&out);
    keyspace_free(keyspace);
}

static void test_a_value_is_dumped_as_redis_does(void **state)
{
    (void)state;
    expect_dump("12345", DUMP_12345);
    expect_dump("70000", DUMP_70000);
    char text[201] = "";
    for (size_t i = 0; i < 200; i++)
        text[i] = i % 2 ? 'b' : 'a';
    expect_dump(text, DUMP_PACKED);
}

static const struct item *restore_at(struct keyspace *keyspace, struct span payload,
                                     int64_t deadline_ms, uint64_t revision)
{
    struct rdb_value value;
    assert_int_equal(rdb_read_payload(payload, keyspace_rules(keyspace), &value), RDB_PAYLOAD_FINE);
    rdb_store_value(keyspace, SPAN("n"), &value, deadline_ms, revision);
    rdb_value_close(&value);
    return keyspace_find(keyspace, SPAN("n"), NO_DEADLINE);
}

static void test_a_payload_of_redis_is_restored(void **state)
{
    (void)state;
    struct keyspace *keyspace = keyspace_new(1);
    const struct item *item = restore_at(keyspace, DUMP_12345, 77, 5);
    assert_string_equal(item_encoding(item), "int");
    assert_int_equal(item_deadline(item), 77);
    assert_int_equal(item_revision(item), 5);
    item = restore_at(keyspace, DUMP_PACKED, NO_DEADLINE, 6);
    assert_int_equal(item_string_len(item), 200);
    assert_int_equal(item_deadline(item), NO_DEADLINE);
    keyspace_free(keyspace);
}

static enum rdb_payload payload_outcome(struct span payload)
{
    struct rdb_value value;
    enum rdb_payload outcome = rdb_read_payload(payload, &value_rules_default, &value);
    rdb_value_close(&value);
    return outcome;
}

static enum rdb_payload check_with_footer(struct span value, unsigned version)
{
    struct buf payload = {0};
    buf_add_span(&payload, value);
    buf_add_char(&payload, (char)version);
    buf_add_char(&payload, 0);
    uint64_t crc = crc64(0, payload.ptr, payload.len);
    for (int i = 0; i < 8; i++)
        buf_add_char(&payload, (char)(crc >> (8 * i) & 0xff));
    enum rdb_payload outcome = payload_outcome(buf_span(&payload));
    buf_close(&payload);
    return outcome;
}

static void test_a_damaged_payload_is_refused(void **state)
{
    (void)state;
    struct span whole = DUMP_PACKED;
    char copy[64];
    for (size_t bit = 0; bit < whole.len * 8; bit++) {
        memcpy(copy, whole.ptr, whole.len);
        copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
        assert_int_equal(payload_outcome(span_of(copy, whole.len)), RDB_PAYLOAD_WRONG_CHECKSUM);
    }
    for (size_t len = 0; len < whole.len; len++)
        assert_int_equal(payload_outcome(span_of(whole.ptr, len)), RDB_PAYLOAD_WRONG_CHECKSUM);
}

static void test_a_payload_has_to_hold_a_value_of_a_known_version(void **state)
{
    (void)state;
    assert_int_equal(check_with_footer(SPAN("\x00\x01v"), 11), RDB_PAYLOAD_FINE);
    assert_int_equal(check_with_footer(SPAN("\x00\x01v"), 12), RDB_PAYLOAD_WRONG_CHECKSUM);
    assert_int_equal(check_with_footer(SPAN("\x00\x01v"), 79), RDB_PAYLOAD_WRONG_CHECKSUM);
    assert_int_equal(check_with_footer(SPAN("\x00\x01v"), 80), RDB_PAYLOAD_FINE);
    assert_int_equal(check_with_footer(SPAN("\x00\x01v"), 81), RDB_PAYLOAD_WRONG_CHECKSUM);
    assert_int_equal(check_with_footer(SPAN(""), 9), RDB_PAYLOAD_BAD_FORMAT);
    assert_int_equal(check_with_footer(SPAN("\x00"), 9), RDB_PAYLOAD_BAD_FORMAT);
    assert_int_equal(check_with_footer(SPAN("\x00\x05v"), 9), RDB_PAYLOAD_BAD_FORMAT);
    assert_int_equal(check_with_footer(SPAN("\x00\xc2\x01"), 9), RDB_PAYLOAD_BAD_FORMAT);
    assert_int_equal(check_with_footer(SPAN("\x00\xc3\x02\x05\x20\x00"), 9),
                     RDB_PAYLOAD_BAD_FORMAT);
    assert_int_equal(check_with_footer(SPAN("\x00\xc3\x01\x01\x20"), 9), RDB_PAYLOAD_BAD_FORMAT);
    assert_int_equal(check_with_footer(SPAN("\x00\xc3\x01\x80\x1f\xff\xff\xff\x00"), 9),
                     RDB_PAYLOAD_BAD_FORMAT);
    assert_int_equal(check_with_footer(SPAN("\x02\x01\x01m"), 9), RDB_PAYLOAD_FINE);
    assert_int_equal(check_with_footer(SPAN("\x07\x01\x00"), 9), RDB_PAYLOAD_BAD_FORMAT);
    assert_int_equal(check_with_footer(SPAN("\x00\x01v and more"), 9), RDB_PAYLOAD_FINE);
    assert_int_equal(check_with_footer(SPAN("\x02\x01\x01m and more"), 9), RDB_PAYLOAD_FINE);
}

static void expect_for_redis_7_0(struct span body, unsigned version, struct span wanted, bool exact)
{
    struct buf payload = payload_of(body, version);
    struct buf expected = payload_of(wanted, 10);
    struct buf out = {0};
    bool is_exact = false;
    assert_int_equal(rdb_payload_for_redis_7_0(buf_span(&payload), &out, &is_exact),
                     wanted.len > 0);
    if (wanted.len) {
        assert_true(span_equal(buf_span(&out), buf_span(&expected)));
        assert_int_equal(is_exact, exact);
    }
    buf_close(&out);
    buf_close(&expected);
    buf_close(&payload);
}

static void test_a_payload_becomes_one_of_redis_7_0(void **state)
{
    (void)state;
    struct span nothing = SPAN("");
    expect_for_redis_7_0(SPAN("\x00\x01v"), 10, nothing, false);
    expect_for_redis_7_0(SPAN("\x00\x09v"), 11, nothing, false); /* not sound */
    expect_for_redis_7_0(SPAN("\x00\x01v"), 11, SPAN("\x00\x01v"), true);
    expect_for_redis_7_0(SPAN("\x14\x0a\x0a\0\0\0\x01\0\x81\x61\x02\xff"), 11,
                         SPAN("\x02\x01\x01"
                              "a"),
                         true);
    /* a hash whose fields could have deadlines, and one of which one has */
    expect_for_redis_7_0(SPAN("\x16\x01\x01"
                              "f\x01v\xff\xff\xff\xff\xff\xff\xff\xff"),
                         80,
                         SPAN("\x04\x01\x01"
                              "f\x01v"),
                         true);
    expect_for_redis_7_0(SPAN("\x16\x01\x01"
                              "f\x01v\x09\0\0\0\0\0\0\0"),
                         80,
                         SPAN("\x04\x01\x01"
                              "f\x01v"),
                         false);
    expect_for_redis_7_0(SPAN("\x15\0\0\x01\x01\0\0\0\0\x01\0"), 11,
                         SPAN("\x13\0\0\x01\x01\0\0\0\0\x01\0"), false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_of_redis_is_read_whatever_it_holds),
        cmocka_unit_test(test_a_truncated_or_damaged_file_of_redis_is_never_done),
        cmocka_unit_test(test_an_unsupported_type_can_be_an_error),
        cmocka_unit_test(test_modules_are_walked_over),
        cmocka_unit_test(test_a_value_is_dumped_as_redis_does),
        cmocka_unit_test(test_a_payload_of_redis_is_restored),
        cmocka_unit_test(test_a_damaged_payload_is_refused),
        cmocka_unit_test(test_a_payload_has_to_hold_a_value_of_a_known_version),
        cmocka_unit_test(test_a_payload_becomes_one_of_redis_7_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
