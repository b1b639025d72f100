#include "unit/storage/fake.h"

enum { ENTRIES = 6, HEADER_BYTES = 103 };

/* Votes and entries of two terms; ends[i]: where the log ends after entry i. */
static void write_history(struct node *node, size_t ends[ENTRIES + 1])
{
    node_init(node);
    node_start(node);
    ends[0] = node_file(node, LOG)->len;
    assert_int_equal(ends[0], HEADER_BYTES);
    for (uint64_t index = 1; index <= ENTRIES; index++) {
        if (index == 1)
            node_vote(node, 1, 2);
        if (index == 4)
            node_vote(node, 2, 3);
        node_append_sized(node, index, index < 4 ? 1 : 2, index * 10);
        node_flush(node);
        ends[index] = node_file(node, LOG)->len;
    }
    node_crash(node);
}

static void test_a_new_folder_has_the_first_lines_and_the_manifest_of_redis(void **state)
{
    (void)state;
    struct node node;
    node_init(&node);
    node_start(&node);
    assert_seen(&node, "");
    assert_vote(&node, 0, 0);
    assert_int_equal(node.recovered.last_index, 0);
    assert_true(span_equal(buf_span(node_file(&node, MANIFEST)),
                           SPAN("file appendonly.aof.1.incr.aof seq 1 type i\n")));
    static const enum record_kind header[] = {RECORD_IDENTITY, RECORD_PREV, RECORD_VOTE};
    struct span rest = buf_span(node_file(&node, LOG));
    for (size_t i = 0; i < 3; i++) {
        struct record record;
        assert_int_equal(record_parse(rest, &record), RECORD_OK);
        assert_int_equal(record.kind, header[i]);
        rest = span_of(rest.ptr + record.bytes, rest.len - record.bytes);
    }
    assert_int_equal(rest.len, 0);
    assert_int_equal(node.fake.file_count, 3); /* and raft.synced, which says nothing yet */
    node_close(&node);
}

static void test_a_log_is_visited_entry_by_entry(void **state)
{
    (void)state;
    struct node node;
    size_t ends[ENTRIES + 1];
    write_history(&node, ends);
    node_start(&node);
    assert_seen(&node, "1/1 2/1 3/1 4/2 5/2 6/2 ");
    assert_vote(&node, 2, 3);
    assert_int_equal(node.recovered.last_index, 6);
    assert_int_equal(node.recovered.last_term, 2);
    assert_int_equal(node.recovered.cut_bytes, 0);
    assert_int_equal(node.logged.len, 0);
    assert_int_equal(storage_status(node.storage).log_bytes, ends[ENTRIES]);
    node_close(&node);
}

static void test_an_unchanged_folder_is_not_written_at_the_next_start(void **state)
{
    (void)state;
    struct node node;
    struct node again;
    size_t ends[ENTRIES + 1];
    write_history(&node, ends);
    node_copy(&again, &node);
    node_start(&again);
    assert_int_equal(again.fake.changes, 0);
    node_close(&again);
    node_close(&node);
}

/* After any recovery the log goes on: one more entry, and all is there at the next start. */
static void assert_goes_on(struct node *node, uint64_t last)
{
    node_append(node, last + 1, 7);
    node_flush(node);
    node_restart(node);
    assert_int_equal(node->recovered.last_index, last + 1);
    assert_int_equal(node->recovered.cut_bytes, 0);
}

static void test_a_tail_torn_at_any_byte_is_cut_off(void **state)
{
    (void)state;
    struct node node;
    size_t ends[ENTRIES + 1];
    write_history(&node, ends);
    for (size_t len = ends[0]; len <= ends[ENTRIES]; len++) {
        struct node torn;
        node_copy(&torn, &node);
        node_file(&torn, LOG)->len = len;
        node_start(&torn);
        uint64_t whole = 0;
        while (whole < ENTRIES && ends[whole + 1] <= len)
            whole++;
        assert_int_equal(torn.recovered.last_index, whole);
        assert_int_equal(node_file(&torn, LOG)->len + torn.recovered.cut_bytes, len);
        assert_int_equal(torn.logged.len != 0, torn.recovered.cut_bytes != 0);
        assert_goes_on(&torn, whole);
        node_close(&torn);
    }
    node_close(&node);
}

static void test_garbage_behind_the_last_record_is_cut_off(void **state)
{
    (void)state;
    struct node node;
    size_t ends[ENTRIES + 1];
    write_history(&node, ends);
    static const struct span tails[] = {
        {"\0\0\0\0\0\0\0\0", 8}, {"#", 1}, {"####\r\n", 6}, {"#RAFT:7:2:N:1:0:0:00000000\r\n", 28}};
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        struct node torn;
        node_copy(&torn, &node);
        buf_add_span(node_file(&torn, LOG), tails[i]);
        node_start(&torn);
        assert_int_equal(torn.recovered.last_index, ENTRIES);
        assert_int_equal(torn.recovered.cut_bytes, tails[i].len);
        assert_goes_on(&torn, ENTRIES);
        node_close(&torn);
    }
    node_close(&node);
}

static void test_every_changed_byte_before_a_valid_record_is_refused(void **state)
{
    (void)state;
    struct node node;
    size_t ends[ENTRIES + 1];
    write_history(&node, ends);
    for (size_t at = 0; at < ends[ENTRIES]; at++) {
        struct node rotten;
        struct node before;
        node_copy(&rotten, &node);
        node_file(&rotten, LOG)->ptr[at] ^= 4;
        if (at < ends[ENTRIES - 1]) {
            node_copy(&before, &rotten);
            assert_refused(&rotten, ERR_CORRUPT, LOG);
            assert_non_null(strstr(rotten.message, " at offset "));
            assert_true(node_same_files(&rotten, &before));
            assert_int_equal(rotten.fake.changes, 0);
            node_close(&before);
        } else {
            node_start(&rotten); /* the last record: a torn write, as far as anyone can tell */
            assert_int_equal(rotten.recovered.last_index, ENTRIES - 1);
        }
        node_close(&rotten);
    }
    node_close(&node);
}

static void test_a_hole_of_zeros_before_a_valid_record_is_refused(void **state)
{
    (void)state;
    struct node node;
    size_t ends[ENTRIES + 1];
    write_history(&node, ends);
    memset(node_file(&node, LOG)->ptr + ends[2] + 5, 0, ends[4] - ends[2]);
    node.fake.changes = 0;
    assert_refused(&node, ERR_CORRUPT, "synced once");
    assert_int_equal(node.fake.changes, 0);
    node_close(&node);
}

/* Bad records with nothing after them but a vote: the vote is a promise made after them. */
static void test_a_bad_record_before_a_vote_is_refused(void **state)
{
    (void)state;
    struct node node;
    size_t ends[ENTRIES + 1];
    write_history(&node, ends);
    node_start(&node);
    node_vote(&node, 9, 1);
    node_flush(&node);
    node_crash(&node);
    node_file(&node, LOG)->ptr[ends[5] + 30] ^= 1;
    assert_refused(&node, ERR_CORRUPT, "synced once");
    node_close(&node);
}

static void put_log(struct node *node, const struct buf *records)
{
    struct buf *log = node_file(node, LOG);
    log->len = HEADER_BYTES;
    buf_add_span(log, buf_span(records));
}

static void test_entries_that_do_not_follow_each_other_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint64_t index[3];
        uint64_t term[3];
    } cases[] = {
        {{1, 3, 4}, {1, 1, 1}}, {{2, 3, 4}, {1, 1, 1}}, {{1, 1, 2}, {1, 1, 1}},
        {{1, 2, 2}, {1, 1, 1}}, {{1, 2, 3}, {1, 3, 2}}, {{0, 1, 2}, {1, 1, 1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct node node;
        size_t ends[ENTRIES + 1];
        write_history(&node, ends);
        struct buf records = {0};
        for (size_t j = 0; j < 3; j++)
            encode_set(&records, cases[i].index[j], cases[i].term[j], 1);
        put_log(&node, &records);
        node.fake.changes = 0;
        assert_refused(&node, ERR_CORRUPT, "offset");
        assert_int_equal(node.fake.changes, 0);
        buf_close(&records);
        node_close(&node);
    }
}

/* A torn write may hold what looks like records: a value that a client stored. Those of the past
 * prove nothing. */
static void test_a_torn_value_that_holds_old_records_is_cut_off(void **state)
{
    (void)state;
    struct node node;
    size_t ends[ENTRIES + 1];
    write_history(&node, ends);
    struct buf *log = node_file(&node, LOG);
    struct buf value = {0};
    buf_add(&value, log->ptr, log->len);
    const struct span args[] = {SPAN("SET"), SPAN("copy"), buf_span(&value)};
    struct entry entry = {.index = ENTRIES + 1, .term = 2, .kind = ENTRY_COMMAND};
    struct buf record = {0};
    entry_encode_command(&record, &entry, args, 3);
    buf_add(log, record.ptr, record.len - 1);
    buf_close(&value);
    node_start(&node);
    assert_int_equal(node.recovered.last_index, ENTRIES);
    assert_int_equal(node.recovered.cut_bytes, record.len - 1);
    buf_close(&record);
    node_close(&node);
}

static void test_records_larger_than_the_window_are_recovered_and_cut(void **state)
{
    (void)state;
    struct node node;
    node_init(&node);
    node_start(&node);
    size_t sizes[] = {1 << 20, 10, 300000, 262144, 3 << 20};
    for (size_t i = 0; i < 5; i++)
        node_append_sized(&node, i + 1, 1, sizes[i]);
    node_flush(&node);
    node_restart(&node);
    assert_seen(&node, "1/1 2/1 3/1 4/1 5/1 ");
    struct entry entry;
    for (size_t i = 5; i > 0; i--) {
        assert_int_equal(storage_entry(node.storage, i, &entry), ERR_NONE);
        assert_int_equal(entry.index, i);
        assert_true(entry.payload.len > sizes[i - 1]);
    }
    node_file(&node, LOG)->len--;
    node_restart(&node);
    assert_int_equal(node.recovered.last_index, 4);
    assert_goes_on(&node, 4);
    node_close(&node);
}

static void test_the_folder_of_another_node_is_refused(void **state)
{
    (void)state;
    struct node node;
    size_t ends[ENTRIES + 1];
    write_history(&node, ends);
    node.fake.changes = 0;
    node.options.identity.node_id = 2;
    assert_refused(&node, ERR_FOREIGN, "'" FOLDER "' belongs to node 1 of cluster 1111");
    assert_non_null(strstr(node.message, "this is node 2"));
    assert_int_equal(node.fake.changes, 0);
    node_close(&node);
}

static void test_the_folder_of_another_cluster_is_refused_without_advice_to_rename_it(void **state)
{
    (void)state;
    struct node node;
    size_t ends[ENTRIES + 1];
    write_history(&node, ends);
    node.fake.changes = 0;
    memcpy(node.options.identity.cluster_id, cluster_two, sizeof cluster_two);
    assert_refused(&node, ERR_FOREIGN, cluster_one);
    assert_non_null(strstr(node.message, cluster_two));
    assert_null(strstr(node.message, "set cluster-id")); /* that made two clusters of one */
    assert_int_equal(node.fake.changes, 0);
    node_close(&node);
}

/* The longest there is: of the path the last 250 characters are shown, all else in full. */
static void test_a_refusal_of_a_long_path_is_still_one_clear_line(void **state)
{
    (void)state;
    char folder[401];
    memset(folder, 'f', sizeof folder - 1);
    folder[sizeof folder - 1] = '\0';
    struct node node;
    node_init(&node);
    node.options.folder = folder;
    node.options.identity.node_id = UINT64_MAX;
    node_start(&node);
    node_crash(&node);
    memcpy(node.options.identity.cluster_id, cluster_two, sizeof cluster_two);
    char expected[512];
    snprintf(
        expected, sizeof expected,
        "data folder '%.250s' belongs to node %llu of cluster %s, this is node %llu of cluster "
        "%s",
        folder, (unsigned long long)UINT64_MAX, cluster_one, (unsigned long long)UINT64_MAX,
        cluster_two);
    assert_refused(&node, ERR_FOREIGN, expected);
    assert_string_equal(node.message, expected);
    node_close(&node);
}

static void test_a_crash_in_the_first_start_is_recovered(void **state)
{
    (void)state;
    for (unsigned fail_at = 1;; fail_at++) {
        struct node node;
        node_init(&node);
        node.fake.fail_at = fail_at;
        enum err err = node_try_start(&node);
        node.fake.fail_at = 0;
        node_restart(&node);
        assert_seen(&node, "");
        assert_goes_on(&node, 0);
        node_close(&node);
        if (!err)
            return;
    }
}

static void test_a_first_line_torn_before_the_manifest_is_written_again(void **state)
{
    (void)state;
    for (size_t len = 0; len < HEADER_BYTES; len++) {
        struct node node;
        node_init(&node);
        node_start(&node);
        node_crash(&node);
        node_file(&node, LOG)->len = len;
        strcpy(fake_find(&node.fake, MANIFEST)->path, "elsewhere");
        node_start(&node);
        assert_goes_on(&node, 0);
        node_close(&node);
    }
}

static void test_a_log_that_the_manifest_names_must_have_its_first_line(void **state)
{
    (void)state;
    for (size_t len = 0; len < HEADER_BYTES; len++) {
        struct node node;
        size_t ends[ENTRIES + 1];
        write_history(&node, ends);
        node_file(&node, LOG)->len = len;
        node.fake.changes = 0;
        assert_refused(&node, ERR_CORRUPT, LOG);
        assert_int_equal(node.fake.changes, 0);
        node_close(&node);
    }
}

static void test_a_log_that_the_manifest_names_must_be_there(void **state)
{
    (void)state;
    struct node node;
    size_t ends[ENTRIES + 1];
    write_history(&node, ends);
    strcpy(fake_find(&node.fake, LOG)->path, "elsewhere");
    node.fake.changes = 0;
    assert_refused(&node, ERR_CORRUPT, "is missing");
    assert_int_equal(node.fake.changes, 0);
    node_close(&node);
}

static void test_a_file_of_somebody_else_is_not_overwritten(void **state)
{
    (void)state;
    static const struct span files[] = {
        {"*1\r\n$7\r\nFLUSHDB\r\n", 17},
        {"\0\0\0\0\0\0\0\0\0\0", 10},
        {"#TS:1700000000\r\n*1\r\n$4\r\nPING\r\n", 31},
        {"#RAFT:1:1:C:1:0:100:00000000\r\n*1", 32},
        {"#NODE:1:3", 9},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct node node;
        struct node before;
        node_init(&node);
        buf_add_span(&fake_make(&node.fake, LOG)->bytes, files[i]);
        node_copy(&before, &node);
        node.fake.changes = 0;
        assert_refused(&node, ERR_CORRUPT, "whose log it is");
        assert_true(node_same_files(&node, &before));
        assert_int_equal(node.fake.changes, 0);
        node_close(&before);
        node_close(&node);
    }
}

static void test_a_manifest_of_other_files_is_refused_before_anything_is_made(void **state)
{
    (void)state;
#define FIRST "file appendonly.aof.1.incr.aof seq 1 type i\n"
    static const char *const manifests[] = {
        "",
        "\n",
        "file",
        FIRST "file",
        "file other.aof.1.incr.aof seq 1 type i\n",
        "file appendonly.aof.1.incr.aof seq 2 type i\n",
        "file appendonly.aof.1.incr.aof seq 1 type i \n",
        "file appendonly.aof.1.incr.aof seq 1 type h\n",
        "file appendonly.aof.1.incr.aof seq 1 type x\n",
        "file appendonly.aof.1.incr.aof seq 0 type i\n",
        "file appendonly.aof.1.incr.aof seq x type i\n",
        "file appendonly.aof.1.base.rdb seq 1 type b\n",
        FIRST FIRST,
        FIRST "file appendonly.aof.1.base.rdb seq 1 type b\n",
        FIRST "file appendonly.aof.2.incr.aof seq 2 type h\n",
        "file \"appendonly.aof.1.incr.aof\" seq 1 type i\n",
        "file appendonly.aof.1.incr.aof seq 1 type i",
    };
#undef FIRST
    for (size_t i = 0; i < sizeof manifests / sizeof *manifests; i++) {
        struct node node;
        node_init(&node);
        buf_add_text(&fake_make(&node.fake, MANIFEST)->bytes, manifests[i]);
        node.fake.changes = 0;
        assert_refused(&node, ERR_CORRUPT, MANIFEST);
        assert_int_equal(node.fake.changes, 0);
        assert_int_equal(node.fake.file_count, 1);
        node_close(&node);
    }
}

static void test_the_term_is_never_below_that_of_the_last_entry(void **state)
{
    (void)state;
    struct node node;
    node_init(&node);
    node_start(&node);
    node_vote(&node, 1, 2);
    node_append(&node, 1, 5);
    node_flush(&node);
    node_restart(&node);
    assert_vote(&node, 5, 0);
    node_close(&node);
}

static void test_the_newest_vote_of_log_and_vote_file_counts(void **state)
{
    (void)state;
    static const struct {
        struct vote_record log;
        struct vote_record file;
        struct vote_record expected;
    } cases[] = {
        {{3, 1}, {2, 2}, {3, 1}}, {{2, 2}, {3, 1}, {3, 1}}, {{3, 0}, {3, 2}, {3, 2}},
        {{3, 2}, {3, 0}, {3, 2}}, {{3, 0}, {4, 0}, {4, 0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct node node;
        node_init(&node);
        node_start(&node);
        node_vote(&node, cases[i].log.term, cases[i].log.node);
        node_flush(&node);
        entry_encode_vote(&fake_make(&node.fake, VOTE_FILE)->bytes, &cases[i].file);
        node_restart(&node);
        assert_vote(&node, cases[i].expected.term, cases[i].expected.node);
        node_close(&node);
    }
}

static void test_a_damaged_vote_file_is_refused(void **state)
{
    (void)state;
    struct node node;
    size_t ends[ENTRIES + 1];
    write_history(&node, ends);
    struct buf *file = &fake_make(&node.fake, VOTE_FILE)->bytes;
    entry_encode_vote(file, &(struct vote_record){.term = 3, .node = 1});
    node.fake.changes = 0;
    for (size_t i = 0; i < file->len; i++) {
        file->ptr[i] ^= 1;
        assert_refused(&node, ERR_CORRUPT, VOTE_FILE);
        file->ptr[i] ^= 1;
    }
    assert_int_equal(node.fake.changes, 0);
    node_close(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_folder_has_the_first_lines_and_the_manifest_of_redis),
        cmocka_unit_test(test_a_log_is_visited_entry_by_entry),
        cmocka_unit_test(test_an_unchanged_folder_is_not_written_at_the_next_start),
        cmocka_unit_test(test_a_tail_torn_at_any_byte_is_cut_off),
        cmocka_unit_test(test_garbage_behind_the_last_record_is_cut_off),
        cmocka_unit_test(test_every_changed_byte_before_a_valid_record_is_refused),
        cmocka_unit_test(test_a_hole_of_zeros_before_a_valid_record_is_refused),
        cmocka_unit_test(test_a_bad_record_before_a_vote_is_refused),
        cmocka_unit_test(test_entries_that_do_not_follow_each_other_are_refused),
        cmocka_unit_test(test_a_torn_value_that_holds_old_records_is_cut_off),
        cmocka_unit_test(test_records_larger_than_the_window_are_recovered_and_cut),
        cmocka_unit_test(test_the_folder_of_another_node_is_refused),
        cmocka_unit_test(test_the_folder_of_another_cluster_is_refused_without_advice_to_rename_it),
        cmocka_unit_test(test_a_refusal_of_a_long_path_is_still_one_clear_line),
        cmocka_unit_test(test_a_crash_in_the_first_start_is_recovered),
        cmocka_unit_test(test_a_first_line_torn_before_the_manifest_is_written_again),
        cmocka_unit_test(test_a_log_that_the_manifest_names_must_have_its_first_line),
        cmocka_unit_test(test_a_log_that_the_manifest_names_must_be_there),
        cmocka_unit_test(test_a_file_of_somebody_else_is_not_overwritten),
        cmocka_unit_test(test_a_manifest_of_other_files_is_refused_before_anything_is_made),
        cmocka_unit_test(test_the_term_is_never_below_that_of_the_last_entry),
        cmocka_unit_test(test_the_newest_vote_of_log_and_vote_file_counts),
        cmocka_unit_test(test_a_damaged_vote_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
