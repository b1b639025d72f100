#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc.h"
#include "base/prng.h"
#include "unit/support/test.h"
#include "wire/entry.h"

enum { KINDS = 9 };

static const struct span set_args[] = {{"SET", 3}, {"key", 3}, {"v\r\n#\0x", 6}};

static struct entry command_entry(void)
{
    return (struct entry){.index = 7,
                          .term = 3,
                          .kind = ENTRY_COMMAND,
                          .time_ms = 1700000000123,
                          .seed = 0xdeadbeef01234567};
}

static void assert_span(struct span span, const void *bytes, size_t len)
{
    assert_int_equal(span.len, len);
    assert_memory_equal(span.ptr, bytes, len);
}

/* The parser sees a block of exactly this size: a sanitizer finds a read past it. */
static enum record_outcome parse_exact(const char *bytes, size_t len, struct record *record)
{
    char *exact = malloc(len ? len : 1);
    assert_non_null(exact);
    memcpy(exact, bytes, len);
    enum record_outcome outcome = record_parse(span_of(exact, len), record);
    free(exact);
    return outcome;
}

static void encode_all_kinds(struct buf *out, size_t ends[KINDS])
{
    struct entry entry = command_entry();
    size_t count = 0;
    entry_encode_command(out, &entry, set_args, 3);
    ends[count++] = out->len;
    entry.origin = (struct entry_origin){2, 0xfeed, 9};
    entry_encode_command(out, &entry, set_args, 3);
    ends[count++] = out->len;
    entry.origin = (struct entry_origin){.life = 0};
    entry.kind = ENTRY_NOOP;
    entry.payload = span_of("", 0);
    entry_encode(out, &entry);
    ends[count++] = out->len;
    entry.kind = ENTRY_TRANSACTION;
    entry.payload = SPAN("*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nEXEC\r\n");
    entry_encode(out, &entry);
    ends[count++] = out->len;
    entry_encode_vote(out, &(struct vote_record){.term = UINT64_MAX, .node = 2});
    ends[count++] = out->len;
    struct identity identity = {"0123456789abcdef0123456789abcdef01234567", 3, UINT64_MAX};
    entry_encode_identity(out, &identity);
    ends[count++] = out->len;
    entry.kind = ENTRY_EXPIRY;
    entry.payload = span_of("", 0);
    entry_encode(out, &entry);
    ends[count++] = out->len;
    entry_encode_prev(out, &(struct prev_record){.index = UINT64_MAX, .term = 9});
    ends[count++] = out->len;
    entry_encode_sync(out, &(struct sync_record){UINT64_MAX - 1, UINT64_MAX - 2});
    ends[count++] = out->len;
    assert_int_equal(count, KINDS);
}

static void test_a_command_is_encoded_as_its_annotation_and_resp(void **state)
{
    (void)state;
    struct buf out = {0};
    struct entry entry = command_entry();
    entry_encode_command(&out, &entry, set_args, 3);
    static const char payload[] = "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$6\r\nv\r\n#\0x\r\n";
    static const char header[] = "#RAFT:7:3:C:1700000000123:deadbeef01234567:34:";
    assert_int_equal(sizeof payload - 1, 34);
    assert_memory_equal(out.ptr, header, sizeof header - 1);
    assert_int_equal(out.len, sizeof header - 1 + 10 + sizeof payload - 1);
    assert_memory_equal(out.ptr + out.len - 34, payload, 34);
    buf_close(&out);
}

/* As printf() writes them. */
static void test_numbers_of_every_length_are_written_in_a_header(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 3);
    for (int i = 0; i < 3000; i++) {
        struct buf out = {0};
        char header[200];
        struct entry entry = {.index = prng_next(&prng) >> i % 64,
                              .term = prng_next(&prng) >> i % 61,
                              .kind = ENTRY_COMMAND,
                              .time_ms = (int64_t)(prng_next(&prng) >> (1 + i % 59)),
                              .seed = prng_next(&prng) >> i % 63,
                              .payload = SPAN("*1\r\n$4\r\nPING\r\n")};
        entry_encode(&out, &entry);
        int len = snprintf(header, sizeof header,
                           "#RAFT:%llu:%llu:C:%lld:%llx:14:", (unsigned long long)entry.index,
                           (unsigned long long)entry.term, (long long)entry.time_ms,
                           (unsigned long long)entry.seed);
        assert_memory_equal(out.ptr, header, (size_t)len);
        uint32_t checksum = crc32c(crc32c(0, out.ptr, (size_t)len), entry.payload.ptr, 14);
        snprintf(header, sizeof header, "%08x\r\n", checksum);
        assert_memory_equal(out.ptr + len, header, 10);
        struct record record;
        assert_int_equal(parse_exact(out.ptr, out.len, &record), RECORD_OK);
        assert_true(record.entry.index == entry.index && record.entry.term == entry.term);
        assert_true(record.entry.time_ms == entry.time_ms && record.entry.seed == entry.seed);
        for (int at = 0; at < len; at++) { /* a wrong character has no other meaning */
            char right = out.ptr[at];
            out.ptr[at] = (char)prng_next(&prng);
            uint32_t sum = crc32c(crc32c(0, out.ptr, (size_t)len), entry.payload.ptr, 14);
            snprintf(header, sizeof header, "%08x", sum);
            memcpy(out.ptr + len, header, 8);
            if (record_parse(buf_span(&out), &record) == RECORD_OK) {
                struct buf again = {0};
                entry_encode(&again, &record.entry);
                assert_true(span_equal(buf_span(&again), buf_span(&out)));
                buf_close(&again);
            }
            out.ptr[at] = right;
        }
        buf_close(&out);
    }
}

static void test_a_command_and_its_ready_payload_give_the_same_bytes(void **state)
{
    (void)state;
    struct buf one = {0};
    struct buf two = {0};
    struct entry entry = command_entry();
    entry_encode_command(&one, &entry, set_args, 3);
    entry.payload = SPAN("*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$6\r\nv\r\n#\0x\r\n");
    entry_encode(&two, &entry);
    assert_true(span_equal(buf_span(&one), buf_span(&two)));
    buf_close(&one);
    buf_close(&two);
}

static void test_the_place_and_the_mark_of_a_log_are_lines_of_numbers(void **state)
{
    (void)state;
    static const char prev[] = "#PREV:12:3:";
    static const char sync[] = "#SYNC:4096:4099:";
    struct buf out = {0};
    entry_encode_prev(&out, &(struct prev_record){.index = 12, .term = 3});
    size_t end = out.len;
    entry_encode_sync(&out, &(struct sync_record){4096, 4099});
    struct buf expected = {0};
    buf_printf(&expected, "%s%08x\r\n", prev, (unsigned)crc32c(0, prev, sizeof prev - 1));
    assert_int_equal(end, expected.len);
    buf_printf(&expected, "%s%08x\r\n", sync, (unsigned)crc32c(0, sync, sizeof sync - 1));
    assert_true(span_equal(buf_span(&out), buf_span(&expected)));
    buf_close(&expected);
    buf_close(&out);
}

static void test_encoding_leaves_what_stands_in_the_buffer(void **state)
{
    (void)state;
    struct buf out = {0};
    buf_add_text(&out, "before");
    entry_encode_vote(&out, &(struct vote_record){.term = 4, .node = 1});
    assert_memory_equal(out.ptr, "before#VOTE:4:1:", 16);
    struct record record;
    assert_int_equal(record_parse(span_of(out.ptr + 6, out.len - 6), &record), RECORD_OK);
    assert_int_equal(record.bytes, out.len - 6);
    buf_close(&out);
}

static void test_an_entry_reads_back_as_it_was_written(void **state)
{
    (void)state;
    const struct entry extremes[] = {
        {.index = 0, .term = 0, .kind = ENTRY_NOOP, .time_ms = INT64_MIN, .seed = 0},
        {.index = UINT64_MAX,
         .term = UINT64_MAX,
         .kind = ENTRY_EXPIRY,
         .time_ms = INT64_MAX,
         .seed = UINT64_MAX},
        {.index = 10, .term = 1, .kind = ENTRY_MEMBERSHIP, .time_ms = -1, .seed = 16},
        {.index = UINT64_MAX,
         .term = UINT64_MAX,
         .kind = ENTRY_TRANSACTION,
         .time_ms = INT64_MAX,
         .seed = UINT64_MAX,
         .origin = {UINT64_MAX, UINT64_MAX, UINT64_MAX}},
        {.index = 7, .term = 2, .kind = ENTRY_COMMAND, .time_ms = 5, .origin = {3, 0xab, 1}},
        {.index = 7, .term = 2, .kind = ENTRY_COMMAND, .database = 1},
        {.index = 7, .term = 2, .kind = ENTRY_TRANSACTION, .database = 15, .origin = {3, 1, 1}},
    };
    for (size_t i = 0; i < sizeof extremes / sizeof *extremes; i++) {
        struct buf out = {0};
        entry_encode(&out, &extremes[i]);
        assert_true(out.len < ENTRY_HEADER_MAX);
        struct record record;
        assert_int_equal(record_parse(buf_span(&out), &record), RECORD_OK);
        assert_int_equal(record.kind, RECORD_ENTRY);
        assert_int_equal(record.bytes, out.len);
        assert_int_equal(record.entry.index, extremes[i].index);
        assert_int_equal(record.entry.term, extremes[i].term);
        assert_int_equal(record.entry.kind, extremes[i].kind);
        assert_int_equal(record.entry.database, extremes[i].database);
        assert_int_equal(record.entry.time_ms, extremes[i].time_ms);
        assert_int_equal(record.entry.seed, extremes[i].seed);
        assert_int_equal(record.entry.origin.node, extremes[i].origin.node);
        assert_int_equal(record.entry.origin.life, extremes[i].origin.life);
        assert_int_equal(record.entry.origin.seq, extremes[i].origin.seq);
        assert_int_equal(record.entry.payload.len, 0);
        assert_span(record.entry.record, out.ptr, out.len);
        buf_close(&out);
    }
}

static void test_records_of_all_kinds_follow_each_other(void **state)
{
    (void)state;
    static const enum record_kind kinds[] = {RECORD_ENTRY, RECORD_ENTRY, RECORD_ENTRY,
                                             RECORD_ENTRY, RECORD_VOTE,  RECORD_IDENTITY,
                                             RECORD_ENTRY, RECORD_PREV,  RECORD_SYNC};
    struct buf out = {0};
    size_t ends[KINDS];
    encode_all_kinds(&out, ends);
    size_t at = 0;
    for (size_t i = 0; i < KINDS; i++) {
        struct record record;
        assert_int_equal(record_parse(span_of(out.ptr + at, out.len - at), &record), RECORD_OK);
        assert_int_equal(record.kind, kinds[i]);
        at += record.bytes;
        assert_int_equal(at, ends[i]);
        if (record.kind == RECORD_VOTE)
            assert_int_equal(record.vote.term, UINT64_MAX);
        if (record.kind == RECORD_IDENTITY) {
            assert_string_equal(record.identity.cluster_id,
                                "0123456789abcdef0123456789abcdef01234567");
            assert_int_equal(record.identity.node_id, 3);
            assert_true(record.identity.incarnation == UINT64_MAX);
        }
        if (record.kind == RECORD_PREV) {
            assert_int_equal(record.prev.index, UINT64_MAX);
            assert_int_equal(record.prev.term, 9);
        }
        if (record.kind == RECORD_SYNC)
            assert_int_equal(record.sync.synced, UINT64_MAX - 1);
    }
    buf_close(&out);
}

static void test_every_changed_byte_of_a_record_is_detected(void **state)
{
    (void)state;
    struct buf out = {0};
    size_t ends[KINDS];
    encode_all_kinds(&out, ends);
    size_t start = 0;
    for (size_t i = 0; i < KINDS; start = ends[i++]) {
        for (size_t at = start; at < ends[i]; at++) {
            for (unsigned flip = 1; flip < 256; flip++) {
                out.ptr[at] = (char)(out.ptr[at] ^ (char)flip);
                struct record record;
                assert_int_not_equal(
                    record_parse(span_of(out.ptr + start, out.len - start), &record), RECORD_OK);
                out.ptr[at] = (char)(out.ptr[at] ^ (char)flip);
            }
        }
    }
    buf_close(&out);
}

static void test_every_beginning_of_a_record_is_truncated_not_bad(void **state)
{
    (void)state;
    struct buf out = {0};
    size_t ends[KINDS];
    encode_all_kinds(&out, ends);
    size_t start = 0;
    for (size_t i = 0; i < KINDS; start = ends[i++]) {
        for (size_t len = 0; start + len < ends[i]; len++) {
            struct record record;
            assert_int_equal(parse_exact(out.ptr + start, len, &record), RECORD_TRUNCATED);
        }
    }
    buf_close(&out);
}

/* The checksum is right: a node wrote what it should not have. */
static void test_a_database_that_cannot_be_is_bad(void **state)
{
    (void)state;
    static const char *const lines[] = {"#RAFT:1:1:C16:0:0:0:",
                                        "#RAFT:1:1:C0:0:0:0:",
                                        "#RAFT:1:1:C01:0:0:0:",
                                        "#RAFT:1:1:N1:0:0:0:",
                                        "#RAFT:1:1:E1:0:5:0:",
                                        "#RAFT:1:1:S1:0:0:0:",
                                        "#RAFT:1:1:M1:0:0:0:",
                                        "#RAFT:1:1:1:0:0:0:",
                                        "#RAFT:1:1:C-1:0:0:0:",
                                        "#RAFT:1:1:C1x:0:0:0:",
                                        "#RAFT:1:1:CC:0:0:0:",
                                        "#RAFT:1:1::0:0:0:",
                                        "#RAFT:1:1:C999999999999999999999:0:0:0:"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct buf out = {0};
        struct record record;
        buf_printf(&out, "%s%08x\r\n", lines[i], (unsigned)crc32c(0, lines[i], strlen(lines[i])));
        assert_int_equal(record_parse(buf_span(&out), &record), RECORD_BAD);
        buf_close(&out);
    }
}

static void test_a_select_is_read_in_one_form_only(void **state)
{
    (void)state;
    for (unsigned database = 0; database < ENTRY_DATABASES; database++) {
        struct buf out = {0};
        struct record record;
        entry_encode_select(&out, database);
        for (size_t len = 1; len < out.len; len++)
            assert_int_equal(parse_exact(out.ptr, len, &record), RECORD_TRUNCATED);
        assert_int_equal(parse_exact(out.ptr, out.len, &record), RECORD_OK);
        assert_int_equal(record.kind, RECORD_SELECT);
        assert_int_equal(record.database, database);
        assert_int_equal(record.bytes, out.len);
        buf_close(&out);
    }
    static const char *const others[] = {
        "*2\r\n$6\r\nSELECT\r\n$2\r\n16\r\n", "*2\r\n$6\r\nselect\r\n$1\r\n1\r\n",
        "*2\r\n$6\r\nSELECT\r\n$2\r\n01\r\n", "*2\r\n$6\r\nSELECT\r\n$1\r\nx\r\n",
        "*2\r\n$6\r\nSELEC1\r\n$1\r\n1\r\n",  "*3\r\n$6\r\nSELECT\r\n$1\r\n1\r\n"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct record record;
        assert_int_equal(record_parse(span_text(others[i]), &record), RECORD_BAD);
    }
}

static void test_an_origin_that_cannot_be_is_bad(void **state)
{
    (void)state;
    const struct entry entries[] = {
        {.index = 1, .term = 1, .kind = ENTRY_COMMAND, .origin = {0, 1, 1}},
        {.index = 1, .term = 1, .kind = ENTRY_COMMAND, .origin = {1, 1, 0}},
        {.index = 1, .term = 1, .kind = ENTRY_NOOP, .origin = {1, 1, 1}},
        {.index = 1, .term = 1, .kind = ENTRY_EXPIRY, .origin = {1, 1, 1}},
        {.index = 1, .term = 1, .kind = ENTRY_MEMBERSHIP, .origin = {1, 1, 1}},
    };
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        struct buf out = {0};
        struct record record;
        entry_encode(&out, &entries[i]);
        assert_int_equal(record_parse(buf_span(&out), &record), RECORD_BAD);
        buf_close(&out);
    }
}

static void test_whatever_clients_ask_for_may_have_an_origin(void **state)
{
    (void)state;
    static const enum entry_kind kinds[] = {ENTRY_COMMAND, ENTRY_TRANSACTION, ENTRY_SESSION};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct entry entry = {.index = 1, .term = 1, .kind = kinds[i], .origin = {1, 2, 3}};
        struct buf out = {0};
        struct record record;
        entry_encode(&out, &entry);
        assert_int_equal(record_parse(buf_span(&out), &record), RECORD_OK);
        assert_int_equal(record.entry.kind, kinds[i]);
        assert_int_equal(record.entry.origin.life, 2);
        buf_close(&out);
    }
}

static void test_lines_that_are_no_records_are_bad(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "*1\r\n$4\r\nPING\r\n",
        "#TS:1700000000\r\n",
        "#RAFT\r\n",
        "#RAFT:\r\n",
        "#RAFT:1:1:N:0:0:0\r\n",
        "#RAFT:1:1:N:0:0:0:00000000:0\r\n",
        "#RAFT:1:1:N:0:0:0:00000000\r\n",
        "#RAFT:1:1:NN:0:0:0:00000000\r\n",
        "#RAFT:1:1:X:0:0:0:00000000\r\n",
        "#RAFT:-1:1:N:0:0:0:00000000\r\n",
        "#RAFT:18446744073709551616:1:N:0:0:0:00000000\r\n",
        "#RAFT:1:1:C:0:0:99999999999:00000000\r\n",
        "#RAFT:1:1:C:0:0:-1:00000000\r\n",
        "#RAFT:1:1:C:0:11112222333344445:0:00000000\r\n",
        "#RAFT:1:1:N:0:0:0:00000000\r ",
        "#VOTE:1:00000000\r\n",
        "#PREV:1:00000000\r\n",
        "#PREV:1:1:00000000\r\n",
        "#PREV:1:1:1:00000000\r\n",
        "#SYNC:00000000\r\n",
        "#SYNC:1:00000000\r\n",
        "#SYNC:1:1:00000000\r\n",
        "#SYNC\r\n",
        "#NODE:2:0123456789abcdef0123456789abcdef01234567:1:00000000\r\n",
        "#NODE:2:0123456789abcdef0123456789abcdef01234567:1:1:00000000\r\n",
        "#NODE:3:0123456789abcdef0123456789abcdef01234567:1:1:00000000\r\n",
        "#NODE:1:0123:1:00000000\r\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct record record;
        assert_int_equal(parse_exact(lines[i], strlen(lines[i]), &record), RECORD_BAD);
    }
}

/* Folders of the first format are upgraded beside their log, which stays as it is. */
static void test_whose_log_it_is_can_be_read_in_the_first_format(void **state)
{
    (void)state;
    static const char line[] = "#NODE:1:0123456789abcdef0123456789abcdef01234567:3:";
    struct buf out = {0};
    struct record record;
    buf_printf(&out, "%s%08x\r\n", line, (unsigned)crc32c(0, line, strlen(line)));
    assert_int_equal(record_parse(buf_span(&out), &record), RECORD_OK);
    assert_int_equal(record.identity.node_id, 3);
    assert_int_equal(record.identity.incarnation, 0);
    buf_close(&out);
}

static void test_an_endless_line_is_bad(void **state)
{
    (void)state;
    char line[4096] = "#RAFT:";
    memset(line + 6, '1', sizeof line - 6);
    struct record record;
    assert_int_equal(parse_exact(line, sizeof line, &record), RECORD_BAD);
}

/* Every number has one form only: otherwise two nodes' logs could differ and both be valid. */
static void test_other_forms_of_the_same_numbers_are_bad(void **state)
{
    (void)state;
    static const char *const headers[] = {"#PREV:01:1:",
                                          "#PREV:1:+1:",
                                          "#SYNC:00:",
                                          "#SYNC:-0:",
                                          "#SYNC:",
                                          "#SYNC:18446744073709551616:",
                                          "#RAFT:01:1:N:0:0:0:",
                                          "#RAFT:1:+1:N:0:0:0:",
                                          "#RAFT:1:1:N:-0:0:0:",
                                          "#RAFT:1:1:N:0:00:0:",
                                          "#RAFT:1:1:N:0:A:0:",
                                          "#RAFT:1:1:N:0:0:00:",
                                          "#RAFT: 1:1:N:0:0:0:"};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        struct buf line = {0};
        buf_printf(&line, "%s%08x\r\n", headers[i],
                   (unsigned)crc32c(0, headers[i], strlen(headers[i])));
        struct record record;
        assert_int_equal(record_parse(buf_span(&line), &record), RECORD_BAD);
        buf_close(&line);
    }
}

static void test_random_bytes_never_parse(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 20261121);
    static const char alphabet[] = "#RAFTVOEND:0123456789abcdef\r\nNCT*$";
    char bytes[256];
    for (int round = 0; round < 20000; round++) {
        size_t len = (size_t)prng_below(&prng, sizeof bytes);
        for (size_t i = 0; i < len; i++)
            bytes[i] = alphabet[prng_below(&prng, sizeof alphabet - 1)];
        if (len > 6)
            memcpy(bytes, round % 2 ? "#RAFT:" : "#VOTE:", 6);
        struct record record;
        assert_int_not_equal(parse_exact(bytes, len, &record), RECORD_OK);
    }
}

static void test_a_payload_beyond_the_limit_is_a_bug(void **state)
{
    (void)state;
    struct buf out = {0};
    struct entry entry = command_entry();
    struct span huge = {"", ENTRY_BYTES_MAX};
    expect_assert_failure(entry_encode_command(&out, &entry, &huge, 1));
    buf_close(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_command_is_encoded_as_its_annotation_and_resp),
        cmocka_unit_test(test_numbers_of_every_length_are_written_in_a_header),
        cmocka_unit_test(test_a_command_and_its_ready_payload_give_the_same_bytes),
        cmocka_unit_test(test_the_place_and_the_mark_of_a_log_are_lines_of_numbers),
        cmocka_unit_test(test_encoding_leaves_what_stands_in_the_buffer),
        cmocka_unit_test(test_an_entry_reads_back_as_it_was_written),
        cmocka_unit_test(test_records_of_all_kinds_follow_each_other),
        cmocka_unit_test(test_every_changed_byte_of_a_record_is_detected),
        cmocka_unit_test(test_every_beginning_of_a_record_is_truncated_not_bad),
        cmocka_unit_test(test_a_database_that_cannot_be_is_bad),
        cmocka_unit_test(test_a_select_is_read_in_one_form_only),
        cmocka_unit_test(test_an_origin_that_cannot_be_is_bad),
        cmocka_unit_test(test_whatever_clients_ask_for_may_have_an_origin),
        cmocka_unit_test(test_lines_that_are_no_records_are_bad),
        cmocka_unit_test(test_whose_log_it_is_can_be_read_in_the_first_format),
        cmocka_unit_test(test_an_endless_line_is_bad),
        cmocka_unit_test(test_other_forms_of_the_same_numbers_are_bad),
        cmocka_unit_test(test_random_bytes_never_parse),
        cmocka_unit_test(test_a_payload_beyond_the_limit_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
