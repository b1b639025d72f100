/* What vouches for bytes that are missing: marks wherever they stand, and raft.synced. */
#include "unit/storage/ops.h"

enum { ENTRIES = 6 };

/* Entries of growing size, each flushed by itself, so that marks stand between them. */
static void write_log(struct node *node)
{
    node_init(node);
    node_start(node);
    node_vote(node, 1, 2);
    for (uint64_t index = 1; index <= ENTRIES; index++) {
        node_append_sized(node, index, 1, index * 10);
        if (index == 4)
            node_vote(node, 1, 2);
        node_flush(node);
        node_run_all(node);
    }
}

static void remove_bytes(struct buf *bytes, size_t at, size_t count)
{
    memmove(bytes->ptr + at, bytes->ptr + at + count, bytes->len - at - count);
    bytes->len -= count;
}

static uint64_t newest_mark(struct span bytes)
{
    uint64_t marked = 0;
    while (bytes.len) {
        struct record found;
        assert_int_equal(record_parse(bytes, &found), RECORD_OK);
        if (found.kind == RECORD_SYNC)
            marked = found.sync.synced;
        bytes = span_of(bytes.ptr + found.bytes, bytes.len - found.bytes);
    }
    return marked;
}

/* Whole records among them: the log reads well then, but for the marks that have moved. */
static void test_bytes_removed_before_a_mark_are_noticed_wherever_the_mark_stands_then(void **state)
{
    (void)state;
    static struct node node;
    static struct node damaged;
    write_log(&node);
    size_t marked = (size_t)newest_mark(buf_span(node_file(&node, LOG)));
    assert_true(marked > 500);
    for (size_t at = 0; at < marked; at++) {
        for (size_t count = 1; at + count <= marked; count = count * 3 + 1) {
            node_copy(&damaged, &node);
            node_file(&damaged, HELD_FILE)->len = 0;
            remove_bytes(node_file(&damaged, LOG), at, count);
            assert_refused_untouched(&damaged, ERR_CORRUPT, LOG);
            node_close(&damaged);
        }
    }
    node_close(&node);
}

/* Each record from `at` on, whole; how many bytes that one has comes back. */
static size_t record_bytes(struct buf *log, size_t at, enum record_kind *kind)
{
    struct record record;
    assert_int_equal(record_parse(span_of(log->ptr + at, log->len - at), &record), RECORD_OK);
    *kind = record.kind;
    return record.bytes;
}

static void test_a_vote_that_was_taken_out_of_the_log_is_missed(void **state)
{
    (void)state;
    static struct node node;
    static struct node damaged;
    write_log(&node);
    struct buf *log = node_file(&node, LOG);
    size_t marked = (size_t)newest_mark(buf_span(log));
    unsigned votes = 0;
    enum record_kind kind;
    for (size_t at = 0, bytes; at < marked; at += bytes) {
        bytes = record_bytes(log, at, &kind);
        if (kind != RECORD_VOTE)
            continue;
        votes++;
        node_copy(&damaged, &node);
        remove_bytes(node_file(&damaged, LOG), at, bytes);
        assert_refused_untouched(&damaged, ERR_CORRUPT, LOG);
        node_close(&damaged);
    }
    assert_int_equal(votes, 3);
    node_close(&node);
}

static void test_a_last_segment_that_ends_before_what_was_synced_is_refused(void **state)
{
    (void)state;
    static struct node node;
    static struct node damaged;
    write_log(&node);
    size_t synced = node_file(&node, LOG)->len;
    storage_tick(node.storage, 1000);
    node_run_all(&node);
    for (size_t len = 0; len < synced; len++) {
        node_copy(&damaged, &node);
        node_file(&damaged, LOG)->len = len;
        assert_refused_untouched(&damaged, ERR_CORRUPT, LOG);
        node_close(&damaged);
    }
    node_copy(&damaged, &node);
    node_file(&damaged, LOG)->len = synced;
    node_start(&damaged);
    assert_int_equal(damaged.recovered.last_index, ENTRIES);
    node_close(&damaged);
    node_close(&node);
}

static void test_what_is_held_is_noted_once_a_second_and_only_if_it_is_news(void **state)
{
    (void)state;
    struct node node;
    node_init(&node);
    node_start(&node);
    storage_tick(node.storage, 1000); /* the mark of a quiet log, and how far it is synced */
    assert_queued(&node, "append 1.incr.aof; append raft.synced; ");
    node_run_all(&node);
    node_append(&node, 1, 1);
    node_flush(&node);
    node_run_all(&node);
    storage_tick(node.storage, 1400);
    assert_queued(&node, "");
    storage_tick(node.storage, 2000);
    storage_tick(node.storage, 2100);
    assert_queued(&node, "append 1.incr.aof; append raft.synced; ");
    node_run_all(&node);
    storage_tick(node.storage, 3000);
    storage_tick(node.storage, 4000);
    assert_queued(&node, "");
    node_close(&node);
}

static void test_an_orderly_end_notes_what_is_synced(void **state)
{
    (void)state;
    static struct node node;
    write_log(&node);
    size_t len = node_file(&node, LOG)->len;
    storage_settle(node.storage);
    node_run_all(&node);
    node_crash(&node);
    node_file(&node, LOG)->len = len - 1;
    assert_refused_untouched(&node, ERR_CORRUPT, "synced once");
    node_close(&node);
}

static void test_a_write_that_is_not_synced_is_not_noted(void **state)
{
    (void)state;
    struct node node;
    node_init(&node);
    node.options.sync = STORAGE_SYNC_NO;
    node_start(&node);
    size_t header = node_file(&node, LOG)->len;
    node_vote(&node, 7, 1);
    node_append(&node, 1, 7);
    node_flush(&node);
    node_run_all(&node);
    storage_tick(node.storage, 1000);
    node_run_all(&node);
    node_crash(&node);
    node_file(&node, LOG)->len = header; /* as a power loss may leave it */
    node_start(&node);
    assert_int_equal(node.recovered.last_index, 0);
    node_close(&node);
}

static void test_a_torn_note_says_nothing_and_the_next_one_counts(void **state)
{
    (void)state;
    static struct node node;
    static struct node torn;
    write_log(&node);
    size_t synced = node_file(&node, LOG)->len;
    storage_tick(node.storage, 1000);
    node_run_all(&node);
    size_t len = node_file(&node, HELD_FILE)->len;
    for (size_t left = 0; left <= len; left++) {
        node_copy(&torn, &node);
        node_file(&torn, HELD_FILE)->len = left;
        node_start(&torn);
        storage_tick(torn.storage,
                     1000); /* all that was found is synced: news, if nothing said so */
        node_run_all(&torn);
        node_crash(&torn);
        node_file(&torn, LOG)->len = synced - 1;
        assert_refused_untouched(&torn, ERR_CORRUPT, "synced once");
        node_close(&torn);
    }
    node_close(&node);
}

static void start_three_segments(struct node *node)
{
    node_init(node);
    node_start(node);
    node_fill(node, 3);
    node_run_all(node);
    storage_tick(node->storage, 1000);
    node_run_all(node);
}

/* Whatever was carried out of it when the process ended, the folder is one that starts. */
static void test_a_cut_of_the_log_is_preceded_by_a_note_that_claims_no_more(void **state)
{
    (void)state;
    static struct node node;
    static const uint64_t lasts[] = {1, 2, 3, 5};
    for (size_t i = 0; i < sizeof lasts / sizeof *lasts; i++) {
        size_t steps = 1;
        for (size_t count = 0; count < steps; count++) {
            start_three_segments(&node);
            assert_int_equal(storage_truncate(node.storage, lasts[i]), ERR_NONE);
            node_append(&node, lasts[i] + 1, 50);
            node_flush(&node);
            steps = node.fake.queued_count + 1;
            node_run(&node, count);
            node_restart(&node);
            assert_true(node.recovered.last_index >= lasts[i]);
            assert_log_goes_on(&node);
            node_close(&node);
        }
    }
}

static void test_a_manifest_that_lacks_the_newest_segment_is_refused(void **state)
{
    (void)state;
    static struct node node;
    start_three_segments(&node);
    node_crash(&node);
    node_put(&node, "appendonly.aof.manifest", SEGMENT_LINE("1", "i") SEGMENT_LINE("2", "i"));
    assert_refused_untouched(&node, ERR_CORRUPT, "segment 3");
    node_close(&node);
}

static void test_a_missing_manifest_is_no_new_folder_where_something_was_synced(void **state)
{
    (void)state;
    static struct node node;
    node_init(&node);
    node_start(&node);
    storage_tick(node.storage, 1000);
    node_run_all(&node);
    node_crash(&node);
    fake_unlink(&node.fake, MANIFEST);
    assert_refused_untouched(&node, ERR_CORRUPT, "the manifest is missing");
    node_close(&node);
}

/* The newest vote stood in a segment that was replaced by an older copy of itself. */
static void test_a_log_without_the_newest_vote_is_refused(void **state)
{
    (void)state;
    static struct node node;
    static struct node older;
    start_three_segments(&node);
    node_copy(&older, &node);
    node_vote(&node, 9, 1);
    node_flush(&node);
    node_run_all(&node);
    storage_tick(node.storage, 2000);
    node_run_all(&node);
    struct buf *log = node_segment(&node, 3);
    struct buf *before = node_segment(&older, 3);
    struct held_record held = {.seq = 3, .end = before->len, .term = 9};
    log->len = before->len;
    node_file(&node, HELD_FILE)->len = 0;
    entry_encode_held(node_file(&node, HELD_FILE), &held);
    node_crash(&node);
    assert_refused_untouched(&node, ERR_CORRUPT, "a vote of term 9");
    node_close(&older);
    node_close(&node);
}

static void test_the_notes_stay_short(void **state)
{
    (void)state;
    static struct node node;
    node_init(&node);
    node_start(&node);
    for (uint64_t i = 1; i < 5000; i++) {
        node_append(&node, i, 1);
        node_flush(&node);
        node_run_all(&node);
        storage_tick(node.storage, i * 1000);
        node_run_all(&node);
        assert_true(node_file(&node, HELD_FILE)->len <= 66 * 1024);
    }
    size_t len = node_file(&node, LOG)->len;
    node_crash(&node);
    node_file(&node, LOG)->len = len / 2;
    assert_refused_untouched(&node, ERR_CORRUPT, "synced once");
    node_close(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_bytes_removed_before_a_mark_are_noticed_wherever_the_mark_stands_then),
        cmocka_unit_test(test_a_vote_that_was_taken_out_of_the_log_is_missed),
        cmocka_unit_test(test_a_last_segment_that_ends_before_what_was_synced_is_refused),
        cmocka_unit_test(test_what_is_held_is_noted_once_a_second_and_only_if_it_is_news),
        cmocka_unit_test(test_an_orderly_end_notes_what_is_synced),
        cmocka_unit_test(test_a_write_that_is_not_synced_is_not_noted),
        cmocka_unit_test(test_a_torn_note_says_nothing_and_the_next_one_counts),
        cmocka_unit_test(test_a_cut_of_the_log_is_preceded_by_a_note_that_claims_no_more),
        cmocka_unit_test(test_a_manifest_that_lacks_the_newest_segment_is_refused),
        cmocka_unit_test(test_a_missing_manifest_is_no_new_folder_where_something_was_synced),
        cmocka_unit_test(test_a_log_without_the_newest_vote_is_refused),
        cmocka_unit_test(test_the_notes_stay_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
