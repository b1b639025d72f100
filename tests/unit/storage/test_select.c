/* Entries of several databases: the SELECTs between them, for Redis. */
#include "unit/storage/fake.h"

enum { ENTRIES = 6 };

static void append_in(struct node *node, uint64_t index, unsigned database)
{
    const struct span args[] = {SPAN("SET"), SPAN("k"), SPAN("v")};
    struct buf bytes = {0};
    struct entry entry = {.index = index, .term = 1, .kind = ENTRY_COMMAND, .database = database};
    struct record record;
    entry_encode_command(&bytes, &entry, args, 3);
    assert_int_equal(record_parse(buf_span(&bytes), &record), RECORD_OK);
    storage_append(node->storage, &record.entry, 1);
    buf_close(&bytes);
}

/* The databases that Redis would apply the entries to, in their order: "0 5 5 ". */
static void assert_selected(struct node *node, const char *path, const char *expected)
{
    struct span rest = buf_span(node_file(node, path));
    struct buf text = {0};
    unsigned selected = 0;
    while (rest.len) {
        struct record record;
        assert_int_equal(record_parse(rest, &record), RECORD_OK);
        if (record.kind == RECORD_SELECT)
            selected = record.database;
        if (record.kind == RECORD_ENTRY) {
            assert_int_equal(record.entry.database, selected);
            buf_printf(&text, "%u ", selected);
        }
        rest = span_of(rest.ptr + record.bytes, rest.len - record.bytes);
    }
    buf_add_char(&text, '\0');
    assert_string_equal(text.ptr, expected);
    buf_close(&text);
}

static size_t count_selects(struct node *node, const char *path)
{
    struct span rest = buf_span(node_file(node, path));
    size_t count = 0;
    while (rest.len) {
        struct record record;
        assert_int_equal(record_parse(rest, &record), RECORD_OK);
        count += record.kind == RECORD_SELECT;
        rest = span_of(rest.ptr + record.bytes, rest.len - record.bytes);
    }
    return count;
}

static void write_history(struct node *node, size_t ends[ENTRIES + 1])
{
    static const unsigned databases[ENTRIES] = {0, 5, 5, 12, 0, 3};
    node_init(node);
    node_start(node);
    ends[0] = node_file(node, LOG)->len;
    for (uint64_t index = 1; index <= ENTRIES; index++) {
        append_in(node, index, databases[index - 1]);
        node_flush(node);
        ends[index] = node_file(node, LOG)->len;
    }
}

static void test_a_select_stands_where_the_database_changes_and_nowhere_else(void **state)
{
    (void)state;
    struct node node;
    size_t ends[ENTRIES + 1];
    write_history(&node, ends);
    assert_selected(&node, LOG, "0 5 5 12 0 3 ");
    assert_int_equal(count_selects(&node, LOG), 4);
    node_crash(&node);
    node_close(&node);
}

static void test_a_log_goes_on_in_the_database_that_its_file_has_selected(void **state)
{
    (void)state;
    struct node node;
    size_t ends[ENTRIES + 1];
    write_history(&node, ends);
    node_crash(&node);
    node_start(&node);
    assert_int_equal(node.recovered.last_index, ENTRIES);
    append_in(&node, ENTRIES + 1, 3);
    append_in(&node, ENTRIES + 2, 0);
    node_flush(&node);
    assert_selected(&node, LOG, "0 5 5 12 0 3 3 0 ");
    assert_int_equal(count_selects(&node, LOG), 5);
    node_crash(&node);
    node_close(&node);
}

static void test_what_follows_a_truncation_selects_its_database(void **state)
{
    (void)state;
    for (uint64_t last = 0; last < ENTRIES; last++) {
        for (unsigned database = 0; database < 6; database++) {
            struct node node;
            size_t ends[ENTRIES + 1];
            write_history(&node, ends);
            static const unsigned databases[] = {0, 0, 5, 5, 12, 0};
            assert_int_equal(storage_truncate(node.storage, last), ERR_NONE);
            append_in(&node, last + 1, database);
            node_flush(&node);
            size_t selects = database != databases[last];
            for (uint64_t i = 1; i <= last; i++)
                selects += databases[i] != databases[i - 1];
            assert_int_equal(count_selects(&node, LOG), selects); /* none is left behind */
            node_crash(&node);
            node_start(&node);
            assert_int_equal(node.recovered.last_index, last + 1);
            assert_int_equal(node.recovered.cut_bytes, 0);
            node_crash(&node);
            node_close(&node);
        }
    }
}

static void test_each_file_begins_in_database_0(void **state)
{
    (void)state;
    struct node node;
    node_init(&node);
    node.options.segment_bytes_max = 1;
    node_start(&node);
    append_in(&node, 1, 7);
    node_flush(&node);
    append_in(&node, 2, 7);
    node_flush(&node);
    assert_selected(&node, LOG, "7 ");
    assert_selected(&node, FOLDER "/appendonlydir/appendonly.aof.2.incr.aof", "7 ");
    node_restart(&node);
    assert_int_equal(node.recovered.last_index, 2);
    node_close(&node);
}

static void test_a_tail_torn_around_a_select_is_cut_off(void **state)
{
    (void)state;
    struct node node;
    size_t ends[ENTRIES + 1];
    write_history(&node, ends);
    node_crash(&node);
    for (size_t len = ends[0]; len <= ends[ENTRIES]; len++) {
        struct node torn;
        node_copy(&torn, &node);
        node_file(&torn, LOG)->len = len;
        node_start(&torn);
        uint64_t whole = 0;
        while (whole < ENTRIES && ends[whole + 1] <= len)
            whole++;
        assert_int_equal(torn.recovered.last_index, whole);
        append_in(&torn, whole + 1, 5);
        node_flush(&torn);
        node_restart(&torn);
        assert_int_equal(torn.recovered.last_index, whole + 1);
        assert_int_equal(torn.recovered.cut_bytes, 0);
        node_close(&torn);
    }
    node_close(&node);
}

static void test_rv_torn_then_cut(void **state)
{
    (void)state;
    struct node node;
    size_t ends[ENTRIES + 1];
    int bad = 0;
    write_history(&node, ends);
    node_crash(&node);
    for (size_t len = ends[0]; len <= ends[ENTRIES]; len++) {
        for (unsigned first = 0; first < 8; first++)
            for (unsigned then = 0; then < 8; then++) {
                struct node torn;
                node_copy(&torn, &node);
                node_file(&torn, LOG)->len = len;
                node_start(&torn);
                uint64_t last = torn.recovered.last_index;
                storage_vote(torn.storage, (struct vote_record){.term = 2, .node = 1});
                append_in(&torn, last + 1, first);
                node_flush(&torn);
                assert_int_equal(storage_truncate(torn.storage, last), ERR_NONE);
                append_in(&torn, last + 1, then);
                node_flush(&torn);
                node_crash(&torn);
                struct storage_recovered r;
                (void)r;
                node_start(&torn);
                if (torn.recovered.last_index != last + 1 || torn.recovered.cut_bytes) {
                    if (bad++ < 6)
                        printf("BAD len %zu last %d first %u then %u: recovered last %d cut %d\n",
                               len, (int)last, first, then, (int)torn.recovered.last_index,
                               (int)torn.recovered.cut_bytes);
                }
                node_crash(&torn);
                node_close(&torn);
            }
    }
    printf("bad %d\n", bad);
    node_close(&node);
}

/* Redis would apply the entry to another database: it counts as damaged, as if its own bytes were.
 */
static void test_an_entry_whose_select_is_another_one_is_damaged(void **state)
{
    (void)state;
    struct node node;
    size_t ends[ENTRIES + 1];
    write_history(&node, ends);
    node_crash(&node);
    struct buf *log = node_file(&node, LOG);
    char *digit = memmem(log->ptr, log->len, "$1\r\n5\r\n#RAFT", 12);
    assert_non_null(digit);
    digit[4] = '6';
    assert_refused(&node, ERR_CORRUPT, "a damaged record that was synced once");
    node_close(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_select_stands_where_the_database_changes_and_nowhere_else),
        cmocka_unit_test(test_a_log_goes_on_in_the_database_that_its_file_has_selected),
        cmocka_unit_test(test_rv_torn_then_cut),
        cmocka_unit_test(test_what_follows_a_truncation_selects_its_database),
        cmocka_unit_test(test_each_file_begins_in_database_0),
        cmocka_unit_test(test_a_tail_torn_around_a_select_is_cut_off),
        cmocka_unit_test(test_an_entry_whose_select_is_another_one_is_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
