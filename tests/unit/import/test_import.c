/* Files of Redis, read whole and in pieces. */
#include "import/import.h"

#include "cluster/cluster.h"
#include "keyspace/rdb.h"
#include "resp/parse.h"
#include "unit/support/only.h"
#include "unit/support/shown.h"
#include "unit/support/test.h"

struct fixture {
    struct command_table *table;
    struct import *import;
    size_t piece; /* bytes of a feed; 0: all */
    uint64_t torn;
};

static void open_import(struct fixture *fixture, size_t piece)
{
    *fixture = (struct fixture){.table = command_table_new(), .piece = piece};
    const struct import_options options = {.table = fixture->table};
    fixture->import = import_new(&options);
}

static void close_import(struct fixture *fixture)
{
    import_free(fixture->import);
    command_table_free(fixture->table);
}

static enum err read_file(struct fixture *fixture, struct span text, bool torn_allowed)
{
    import_begin(fixture->import, "file");
    size_t piece = fixture->piece ? fixture->piece : text.len;
    for (size_t at = 0; at < text.len; at += piece) {
        size_t len = text.len - at < piece ? text.len - at : piece;
        enum err err = import_feed(fixture->import, span_of(text.ptr + at, len));
        if (err)
            return err;
    }
    return import_end(fixture->import, torn_allowed, &fixture->torn);
}

static void read_fine(struct fixture *fixture, struct span text)
{
    if (read_file(fixture, text, false))
        fail_msg("%s", import_message(fixture->import));
}

static struct item *find_in(struct fixture *fixture, unsigned database, const char *key)
{
    return keyspace_find(databases_at(import_databases(fixture->import), database), span_text(key),
                         NO_DEADLINE);
}

static void assert_value_in(struct fixture *fixture, unsigned database, const char *key,
                            const char *value)
{
    char scratch[24];
    struct item *item = find_in(fixture, database, key);
    assert_int_equal(item != NULL, value != NULL);
    if (item && value && !span_equal(item_string(item, scratch), span_text(value)))
        fail_msg("'%s' is not '%s'", key, value);
}

static void assert_value(struct fixture *fixture, const char *key, const char *value)
{
    assert_value_in(fixture, 0, key, value);
}

static int64_t deadline_of(struct fixture *fixture, const char *key)
{
    struct item *item = find_in(fixture, 0, key);
    assert_non_null(item);
    return item_deadline(item);
}

static void assert_refusals(struct fixture *fixture, size_t count, const char *expected)
{
    struct buf list = {0};
    import_describe_refused(fixture->import, &list);
    buf_add_char(&list, '\0');
    assert_string_equal(list.ptr, expected);
    assert_int_equal(import_refused(fixture->import), count);
    buf_close(&list);
}

/* Words to requests, one command per line. */
static void add_commands(struct buf *out, const char *lines)
{
    struct resp_parser parser = {0};
    const struct resp_limits limits = {.bulk_len_max = 1000, .authenticated = true};
    while (*lines) {
        const char *end = strchr(lines, '\n');
        if (*lines == '#') {
            buf_add(out, lines, (size_t)(end - lines));
            buf_add_text(out, "\r\n");
        } else {
            struct span line = span_of(lines, (size_t)(end - lines) + 1);
            assert_int_equal(resp_parse(&parser, line, &limits), RESP_COMMAND);
            resp_encode_command(out, parser.args, parser.argc);
        }
        lines = end + 1;
    }
    resp_parser_close(&parser);
}

static void read_commands(struct fixture *fixture, const char *lines)
{
    struct buf text = {0};
    add_commands(&text, lines);
    read_fine(fixture, buf_span(&text));
    buf_close(&text);
}

static void assert_damaged(struct span text, const char *message)
{
    for (size_t piece = 0; piece < 3; piece++) {
        struct fixture fixture;
        open_import(&fixture, piece);
        assert_int_equal(read_file(&fixture, text, true), ERR_CORRUPT);
        assert_string_equal(import_message(fixture.import), message);
        close_import(&fixture);
    }
}

static void test_commands_of_an_aof_are_run(void **state)
{
    (void)state;
    for (size_t piece = 0; piece < 5; piece++) {
        struct fixture fixture;
        open_import(&fixture, piece);
        read_commands(&fixture, "#TS:1700000000\nSELECT 0\nSET a 1\nINCRBY a 41\n"
                                "set b x PXAT 9999999999999\nAPPEND b y\nSET c z\nDEL c\n");
        assert_value(&fixture, "a", "42");
        assert_value(&fixture, "b", "xy");
        assert_value(&fixture, "c", NULL);
        assert_int_equal(deadline_of(&fixture, "b"), 9999999999999);
        assert_refusals(&fixture, 0, "");
        close_import(&fixture);
    }
}

static void assert_shown(struct fixture *fixture, const char *key, const char *shown)
{
    struct buf text = {0};
    struct item *item = keyspace_find(databases_at(import_databases(fixture->import), 0),
                                      span_text(key), NO_DEADLINE);
    assert_non_null(item);
    shown_item(&text, item);
    buf_add_char(&text, '\0');
    assert_string_equal(text.ptr, shown);
    buf_close(&text);
}

/* As redis-server 7.0.15 writes them: what it was asked may have been another command. */
static void test_commands_of_all_types_are_run(void **state)
{
    (void)state;
    struct fixture fixture;
    open_import(&fixture, 0);
    read_commands(&fixture, "RPUSH l a b c\nLPOP l\nLMOVE l l LEFT RIGHT\nRPOPLPUSH l other\n"
                            "SADD s 1 2 x\nSREM s 2\nSINTERSTORE t s s\nSMOVE s t x\n"
                            "HSET h f 1 g 2\nHDEL h f\nHINCRBY h g 5\nHSET h r 10.5\n"
                            "ZADD z 1 a 2 b 3 c\nZPOPMIN z 1\nZINCRBY z 0.5 b\n"
                            "ZUNIONSTORE u 2 z z WEIGHTS 2 1\nRENAME u zz\n"
                            "SETBIT bits 7 1\nBITOP NOT not bits\nPFADD p x\n"
                            "RPUSH gone 1\nDEL gone\nRPUSH past 1\nPEXPIREAT past 1000\n"
                            "RPUSH past 2\n");
    assert_shown(&fixture, "l", "[c]");
    assert_shown(&fixture, "other", "[b]");
    assert_shown(&fixture, "s", "{1}");
    assert_shown(&fixture, "t", "{1 x}");
    assert_shown(&fixture, "h", "{g=7 r=10.5}");
    assert_shown(&fixture, "z", "<b=2.5 c=3>");
    assert_shown(&fixture, "zz", "<b=7.5 c=9>");
    assert_shown(&fixture, "past", "[1 2]");
    assert_int_equal(deadline_of(&fixture, "past"), 1000);
    assert_value(&fixture, "bits", "\x01");
    assert_value(&fixture, "gone", NULL);
    assert_refusals(&fixture, 0, "");
    close_import(&fixture);
}

/* A claim names the time of delivery, which must not be taken for one in the future. */
static void test_consumers_keep_their_times(void **state)
{
    (void)state;
    struct fixture fixture;
    open_import(&fixture, 0);
    read_commands(&fixture,
                  "XADD x 1-1 f v\nXADD x MAXLEN = 2 2-1 f w\n#TS:1700000000\n"
                  "XGROUP CREATE x g 0 ENTRIESREAD 0\nXGROUP CREATECONSUMER x g idle\n"
                  "XCLAIM x g c 0 1-1 TIME 1700000000500 RETRYCOUNT 1 FORCE JUSTID LASTID 1-1\n"
                  "XGROUP CREATECONSUMER x g late\n");
    assert_shown(&fixture, "x",
                 "(1-1 f=v; 2-1 f=w | last 2-1 added 2 deleted 0-0 | group g 1-1 read 0: "
                 "1-1 by c at 1700000000500 x1; "
                 "consumer c seen 1700000000500 active 1700000000500 "
                 "consumer idle seen 1700000000000 active -1 "
                 "consumer late seen 1700000000500 active -1)");
    assert_refusals(&fixture, 0, "");
    close_import(&fixture);
}

/* Nothing expires: not even a stream whose commands are run at a time of their own. */
static void test_a_stream_past_its_deadline_stays(void **state)
{
    (void)state;
    struct fixture fixture;
    open_import(&fixture, 0);
    read_commands(&fixture, "XADD x 1-1 f v\nPEXPIREAT x 1000\nXGROUP CREATE x g 0\n"
                            "XCLAIM x g c 0 1-1 TIME 1700000000500 FORCE JUSTID\n");
    assert_shown(&fixture, "x",
                 "(1-1 f=v | last 1-1 added 1 deleted 0-0 | group g 0-0 read -1: 1-1 by c at 0 x1; "
                 "consumer c seen 0 active 0)");
    assert_refusals(&fixture, 0, "");
    close_import(&fixture);
}

static void test_an_rdb_file_says_when_its_consumers_were_seen(void **state)
{
    (void)state;
    struct fixture fixture;
    struct buf text = {0};
    open_import(&fixture, 0);
    buf_add_span(&text, SPAN("REDIS0010\xfa\x05"
                             "ctime\x0a"
                             "1700000001"
                             "\x0f\x01x\x00\x00\x00\x00\x00\xff\0\0\0\0\0\0\0\0"));
    add_commands(&text, "XGROUP CREATE x g 0\nXGROUP CREATECONSUMER x g c\n");
    read_fine(&fixture, buf_span(&text));
    assert_shown(&fixture, "x",
                 "( | last 0-0 added 0 deleted 0-0 | group g 0-0 read -1: "
                 "consumer c seen 1700000001000 active -1)");
    buf_close(&text);
    close_import(&fixture);
}

static void test_keys_past_their_deadline_stay(void **state)
{
    (void)state;
    struct fixture fixture;
    open_import(&fixture, 0);
    read_commands(&fixture, "SET a 1 PXAT 1000\nINCR a\nSET b 1\nPEXPIREAT b 2000\n");
    assert_value(&fixture, "a", "2");
    assert_int_equal(deadline_of(&fixture, "a"), 1000);
    assert_int_equal(deadline_of(&fixture, "b"), 2000);
    close_import(&fixture);
}

static void test_relative_times_need_a_time_stamp(void **state)
{
    (void)state;
    struct fixture fixture;
    open_import(&fixture, 0);
    read_commands(&fixture,
                  "SETEX a 10 v\nSET b v\nEXPIREAT b 3000\n#TS:1700000000\nSETEX c 10 v\n");
    assert_value(&fixture, "a", NULL);
    assert_int_equal(deadline_of(&fixture, "b"), 3000000);
    assert_int_equal(deadline_of(&fixture, "c"), 1700000010000);
    assert_refusals(&fixture, 1, "1 with command SETEX (relative time): \"a\"");
    close_import(&fixture);
}

static void test_transactions_are_done_at_their_end(void **state)
{
    (void)state;
    for (size_t piece = 0; piece < 4; piece++) {
        struct fixture fixture;
        open_import(&fixture, piece);
        read_commands(&fixture, "MULTI\nSET a 1\n#TS:1\nINCR a\nEXEC\nSET b 2\n");
        assert_value(&fixture, "a", "2");
        assert_value(&fixture, "b", "2");
        close_import(&fixture);
    }
}

static void test_a_torn_tail_is_left_out_and_measured(void **state)
{
    (void)state;
    struct buf text = {0};
    add_commands(&text, "SET a 1\nMULTI\nSET a 2\nSET b 2\nEXEC\nSET c 3\n");
    struct buf first = {0};
    add_commands(&first, "SET a 1\n");
    struct buf transaction = {0};
    add_commands(&transaction, "SET a 1\nMULTI\nSET a 2\nSET b 2\nEXEC\n");
    for (size_t len = first.len + 1; len < text.len; len++) {
        struct fixture fixture;
        open_import(&fixture, len % 3);
        size_t settled = len < transaction.len ? first.len : transaction.len;
        bool whole = len == transaction.len;
        assert_int_equal(read_file(&fixture, span_of(text.ptr, len), true), ERR_NONE);
        assert_int_equal(fixture.torn, len - settled);
        assert_value(&fixture, "a", len < transaction.len ? "1" : "2");
        assert_value(&fixture, "c", NULL);
        close_import(&fixture);
        open_import(&fixture, 0);
        assert_int_equal(read_file(&fixture, span_of(text.ptr, len), false),
                         whole ? ERR_NONE : ERR_CORRUPT);
        close_import(&fixture);
    }
    buf_close(&text);
    buf_close(&first);
    buf_close(&transaction);
}

static void test_what_cannot_be_imported_is_listed_by_reason(void **state)
{
    (void)state;
    struct fixture fixture;
    open_import(&fixture, 0);
    read_commands(&fixture,
                  "JSON.SET l . 1\nJSON.SET l . 2\njson.set \"m\\x00\\\"\" . 1\n"
                  "SET ok 1\nGET ok\n"
                  "SET a b c d\nFUNCTION LOAD code\nSELECT 16\nSET x 1\nRPUSH y 1\nJSON.SET z . 1\n"
                  "SELECT 0\nSET fine 1\n");
    assert_value(&fixture, "fine", "1");
    assert_value(&fixture, "x", NULL);
    assert_refusals(&fixture, 7,
                    "2 with command JSON.SET: \"l\", \"m\\x00\\\"\"; "
                    "1 with command SET (ERR syntax error): \"a\"; "
                    "1 with command FUNCTION: \"LOAD\"; 3 in database 16: \"x\", \"y\", \"z\"");
    close_import(&fixture);
}

static void test_commands_run_in_the_database_that_was_selected(void **state)
{
    (void)state;
    struct fixture fixture;
    open_import(&fixture, 0);
    read_commands(&fixture, "SET a 0\nSELECT 5\nSET a 5\nSET m 5\nMOVE m 6\nCOPY a b DB 7\n"
                            "SELECT 8\nSET s 8\nSWAPDB 8 9\nMULTI\nSELECT 10\nSET t 10\n"
                            "SELECT 0\nEXEC\nSET z 0\nSELECT 11\nSET f 1\nFLUSHDB\n");
    assert_value_in(&fixture, 0, "a", "0");
    assert_value_in(&fixture, 0, "z", "0");
    assert_value_in(&fixture, 5, "a", "5");
    assert_value_in(&fixture, 5, "m", NULL);
    assert_value_in(&fixture, 6, "m", "5");
    assert_value_in(&fixture, 7, "b", "5");
    assert_value_in(&fixture, 8, "s", NULL);
    assert_value_in(&fixture, 9, "s", "8");
    assert_value_in(&fixture, 10, "t", "10");
    assert_value_in(&fixture, 11, "f", NULL);
    assert_int_equal(databases_count(import_databases(fixture.import)), 7);
    assert_refusals(&fixture, 0, "");
    close_import(&fixture);
}

static void test_keys_that_commands_take_where_no_client_could_select_are_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    open_import(&fixture, 0);
    import_free(fixture.import);
    const struct import_options options = {.table = fixture.table, .databases = 4};
    fixture.import = import_new(&options);
    read_commands(&fixture, "SET k v\nMOVE k 9\nSET l v\nCOPY l m DB 3\nSELECT 4\nSET n v\n");
    assert_value_in(&fixture, 3, "m", "v");
    assert_int_equal(import_refused(fixture.import), 2);
    assert_refusals(&fixture, 2, "1 in database 4: \"n\"; 1 in database 9: \"k\"");
    close_import(&fixture);
}

static void test_twenty_names_are_enough(void **state)
{
    (void)state;
    struct fixture fixture;
    open_import(&fixture, 0);
    struct buf lines = {0};
    for (int i = 0; i < 30; i++)
        buf_printf(&lines, "JSON.SET s%d . 1\n", i);
    buf_add_text(&lines, "BF.ADD b 1\n");
    buf_add_char(&lines, '\0');
    read_commands(&fixture, lines.ptr);
    struct buf list = {0};
    import_describe_refused(fixture.import, &list);
    buf_add_char(&list, '\0');
    assert_non_null(strstr(list.ptr, "\"s19\" and 10 more; 1 with command BF.ADD"));
    assert_int_equal(import_refused(fixture.import), 31);
    buf_close(&list);
    buf_close(&lines);
    close_import(&fixture);
}

static void test_damage_is_named_with_its_place(void **state)
{
    (void)state;
    assert_damaged(SPAN("hello"), "'file': neither an RDB file nor an AOF at byte 0");
    assert_damaged(SPAN("*1\r\n$7\r\nFLUSHDBx\r\nxx*1\r\n"),
                   "'file': no command begins at byte 17");
    assert_damaged(SPAN("#\r\n*2\r\n$x\r\n"),
                   "'file': Protocol error: invalid bulk length at byte 3");
    assert_damaged(SPAN("*1\r\n$4\r\nEXEC\r\n"), "'file': EXEC without MULTI at byte 0");
    assert_damaged(SPAN("*1\r\n$5\r\nMULTI\r\n*1\r\n$5\r\nMULTI\r\n"),
                   "'file': MULTI within MULTI at byte 15");
    assert_damaged(SPAN("*0\r\n"), "'file': an empty command at byte 0");
    assert_damaged(SPAN("#TS:x\r\n"), "'file': a time stamp that is none at byte 0");
    assert_damaged(SPAN("*2\r\n$6\r\nSELECT\r\n$1\r\n-\r\n"),
                   "'file': a SELECT of no database at byte 0");
    assert_damaged(SPAN("REDIS0011\x00\x01k\x01v"),
                   "'file': the RDB file ends too early, at byte 14");
}

static void test_a_log_of_flotillas_own_is_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    open_import(&fixture, 0);
    assert_int_equal(read_file(&fixture, SPAN("#NODE:1:ab:1:0\r\n"), true), ERR_CORRUPT);
    assert_non_null(strstr(import_message(fixture.import), "flotilla-check"));
    close_import(&fixture);
}

static void test_an_rdb_file_may_come_before_commands(void **state)
{
    (void)state;
    struct keyspace *keyspace = keyspace_new(1);
    keyspace_set_string(keyspace, SPAN("a"), SPAN("1"), false, 7);
    struct rdb_writer writer;
    rdb_writer_init(&writer, ONLY(keyspace), NULL, 0, NULL);
    struct buf text = {0};
    while (rdb_writer_next(&writer, &text))
        continue;
    add_commands(&text, "SELECT 0\nINCR a\n");
    for (size_t piece = 0; piece < 4; piece++) {
        struct fixture fixture;
        open_import(&fixture, piece);
        read_fine(&fixture, buf_span(&text));
        assert_value(&fixture, "a", "2");
        assert_int_equal(
            item_revision(keyspace_find(databases_at(import_databases(fixture.import), 0),
                                        SPAN("a"), NO_DEADLINE)),
            0);
        read_commands(&fixture, "INCR a\n");
        assert_value(&fixture, "a", "3");
        assert_int_equal(read_file(&fixture, buf_span(&text), false), ERR_CORRUPT);
        close_import(&fixture);
    }
    keyspace_free(keyspace);
    buf_close(&text);
}

static void test_equal_files_make_equal_marks(void **state)
{
    (void)state;
    uint64_t marks[3];
    for (size_t i = 0; i < 3; i++) {
        struct fixture fixture = {.table = command_table_new()};
        const struct import_options options = {.table = fixture.table, .hash_seed = i};
        fixture.import = import_new(&options);
        read_commands(&fixture, i == 2 ? "SET a 1\nSET b 3\n" : "SET a 1\nSET b 2\n");
        marks[i] = keyspace_digest(databases_at(import_databases(fixture.import), 0));
        close_import(&fixture);
    }
    assert_int_equal(marks[0], marks[1]);
    assert_int_not_equal(marks[0], marks[2]);
}

static void test_no_bytes_are_too_hostile(void **state)
{
    (void)state;
    struct buf text = {0};
    add_commands(&text,
                 "#TS:1700000000\nSELECT 0\nSET a 1 PXAT 99\nMULTI\nINCR a\nEXPIRE a 9\nEXEC\n"
                 "RPUSH l 1\nSETRANGE s 10 x\nRESTORE r 0 x\nFLUSHALL\nSELECT 7\nSET b 1\n");
    struct prng prng;
    prng_init(&prng, 1);
    for (int round = 0; round < 1000; round++) {
        struct buf damaged = {0};
        size_t len = text.len;
        memcpy(buf_reserve(&damaged, len), text.ptr, len);
        for (uint64_t count = prng_next(&prng) % 4; count < 4; count++)
            damaged.ptr[prng_below(&prng, len)] = (char)prng_next(&prng);
        damaged.len = len - prng_below(&prng, 20);
        struct fixture fixture;
        open_import(&fixture, prng_next(&prng) % 50);
        if (read_file(&fixture, buf_span(&damaged), round % 2))
            assert_non_null(strstr(import_message(fixture.import), " at byte "));
        close_import(&fixture);
        buf_close(&damaged);
    }
    buf_close(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands_of_an_aof_are_run),
        cmocka_unit_test(test_commands_of_all_types_are_run),
        cmocka_unit_test(test_consumers_keep_their_times),
        cmocka_unit_test(test_a_stream_past_its_deadline_stays),
        cmocka_unit_test(test_an_rdb_file_says_when_its_consumers_were_seen),
        cmocka_unit_test(test_keys_past_their_deadline_stay),
        cmocka_unit_test(test_relative_times_need_a_time_stamp),
        cmocka_unit_test(test_transactions_are_done_at_their_end),
        cmocka_unit_test(test_a_torn_tail_is_left_out_and_measured),
        cmocka_unit_test(test_what_cannot_be_imported_is_listed_by_reason),
        cmocka_unit_test(test_commands_run_in_the_database_that_was_selected),
        cmocka_unit_test(test_keys_that_commands_take_where_no_client_could_select_are_refused),
        cmocka_unit_test(test_twenty_names_are_enough),
        cmocka_unit_test(test_damage_is_named_with_its_place),
        cmocka_unit_test(test_a_log_of_flotillas_own_is_refused),
        cmocka_unit_test(test_an_rdb_file_may_come_before_commands),
        cmocka_unit_test(test_equal_files_make_equal_marks),
        cmocka_unit_test(test_no_bytes_are_too_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
