#include "unit/storage/ops.h"

static void test_a_full_segment_is_followed_by_a_new_one(void **state)
{
    (void)state;
    struct node node;
    node_init(&node);
    node.options.segment_bytes_max = 1000;
    node_start(&node);
    for (uint64_t index = 1; index <= 3; index++)
        node_append_sized(&node, index, 4, 450);
    assert_queued(&node, "append+sync 1.incr.aof; append+sync 2.incr.aof; folder; "
                         "replace manifest; ");
    assert_true(node_segment(&node, 1)->len + node.fake.queued[0].bytes.len >= 1000);
    uint64_t ticket = storage_flush(node.storage);
    assert_int_equal(ticket, storage_last_ticket(node.storage));
    node_run(&node, 3);
    assert_manifest(&node, SEGMENT_LINE("1", "i"));
    assert_true(node.completed < ticket);
    node_run(&node, 1);
    assert_manifest(&node, SEGMENT_LINE("1", "i") SEGMENT_LINE("2", "i"));
    assert_queued(&node, "append+sync 2.incr.aof; ");
    node_run_all(&node);
    assert_int_equal(node.completed, ticket);
    assert_prev(&node, 2, 2, 4);
    node_restart(&node);
    assert_seen(&node, "1/4 2/4 3/4 ");
    assert_int_equal(storage_status(node.storage).segments, 2);
    assert_int_equal(storage_status(node.storage).log_bytes,
                     node_segment(&node, 1)->len + node_segment(&node, 2)->len);
    node_close(&node);
}

static void test_turning_to_always_syncs_what_was_not(void **state)
{
    (void)state;
    struct node node;
    node_init(&node);
    node.options.sync = STORAGE_SYNC_NO;
    node_start(&node);
    node_append(&node, 1, 1);
    node_flush(&node);
    storage_set_sync(node.storage, STORAGE_SYNC_EVERYSEC);
    assert_queued(&node, "");
    storage_set_sync(node.storage, STORAGE_SYNC_ALWAYS);
    assert_queued(&node, "+sync 1.incr.aof; ");
    node_run_all(&node);
    storage_set_sync(node.storage, STORAGE_SYNC_NO);
    storage_set_sync(node.storage, STORAGE_SYNC_ALWAYS);
    assert_queued(&node, "");
    node_close(&node);
}

static void test_a_start_tells_how_far_it_is(void **state)
{
    (void)state;
    struct node node;
    node_init(&node);
    node.options.segment_bytes_max = STORAGE_PROGRESS_BYTES;
    node_start(&node);
    for (uint64_t index = 1; index <= 30; index++)
        node_append_sized(&node, index, 1, STORAGE_PROGRESS_BYTES / 8);
    node_flush(&node);
    node_restart(&node);
    assert_int_equal(node.progress, storage_status(node.storage).log_bytes);
    assert_int_equal(node.progress_total, node.progress);
    node_close(&node);
}

static void test_one_entry_beyond_the_size_has_its_own_segment(void **state)
{
    (void)state;
    struct node node;
    node_init(&node);
    node.options.segment_bytes_max = 10; /* less than the first lines */
    node_start(&node);
    for (uint64_t index = 1; index <= 4; index++)
        node_append_sized(&node, index, 1, 5000);
    node_flush(&node);
    assert_int_equal(storage_status(node.storage).segments, 4);
    node_restart(&node);
    assert_seen(&node, "1/1 2/1 3/1 4/1 ");
    node_close(&node);
}

static void test_an_empty_segment_is_not_cut_again(void **state)
{
    (void)state;
    struct node node;
    node_init(&node);
    node_start(&node);
    node_cut(&node);
    node_vote(&node, 3, 2);
    node_cut(&node);
    assert_queued(&node, "");
    node_append(&node, 1, 3);
    node_cut(&node);
    node_run_all(&node);
    node_cut(&node);
    assert_queued(&node, "");
    assert_int_equal(storage_status(node.storage).segments, 2);
    node_restart(&node);
    assert_vote(&node, 3, 2);
    node_cut(&node);
    assert_queued(&node, "");
    node_close(&node);
}

static void test_without_a_descriptor_the_log_goes_on_in_its_segment(void **state)
{
    (void)state;
    struct node node;
    node_init(&node);
    node.options.segment_bytes_max = 1000;
    node_start(&node);
    node_append_sized(&node, 1, 1, 1000);
    node_flush(&node);
    node.fake.fail_at = node.fake.calls + 1;
    assert_int_equal(storage_cut(node.storage), ERR_DENIED);
    node_append_sized(&node, 2, 2, 1000);
    storage_flush(node.storage);
    assert_queued(&node, "append+sync 1.incr.aof; ");
    node.fake.fail_at = 0;
    node_append(&node, 3, 3);
    storage_flush(node.storage);
    node_run_all(&node);
    assert_int_equal(storage_status(node.storage).segments, 2);
    node_restart(&node);
    assert_seen(&node, "1/1 2/2 3/3 ");
    node_close(&node);
}

static void assert_reads(struct node *node, uint64_t first, uint64_t last)
{
    for (uint64_t from = first; from <= last; from++) {
        struct buf expected = {0};
        for (uint64_t index = from; index <= last; index++)
            encode_set(&expected, index, (index + 1) / 2, 3);
        struct buf out = {0};
        size_t count;
        assert_int_equal(storage_read(node->storage, from, last, SIZE_MAX, &out, &count), ERR_NONE);
        assert_int_equal(count, last - from + 1);
        assert_true(span_equal(buf_span(&out), buf_span(&expected)));
        struct entry entry;
        assert_int_equal(storage_entry(node->storage, from, &entry), ERR_NONE);
        assert_int_equal(entry.index, from);
        assert_int_equal(entry.term, (from + 1) / 2);
        buf_close(&out);
        buf_close(&expected);
    }
}

static void test_entries_are_read_across_segments(void **state)
{
    (void)state;
    struct node node;
    node_init(&node);
    node_start(&node);
    node_fill(&node, 6);
    assert_reads(&node, 1, 12);
    storage_pin(node.storage, 12);
    node.options.cache_bytes_max = 0;
    node_restart(&node);
    assert_seen(&node, "1/1 2/1 3/2 4/2 5/3 6/3 7/4 8/4 9/5 10/5 11/6 12/6 ");
    assert_reads(&node, 1, 12);
    assert_int_equal(storage_status(node.storage).cache_entries, 0);
    node_append(&node, 13, 7);
    node_flush(&node);
    assert_reads(&node, 1, 13);
    node_close(&node);
}

struct truncation {
    uint64_t last;
    const char *queued;
};

static const struct truncation truncations[] = {
    {5, "replace raft.vote; truncate 3.incr.aof; "},
    {4, "replace raft.vote; truncate 3.incr.aof; "},
    {3, "replace raft.vote; replace manifest; truncate 2.incr.aof; remove 3.incr.aof; "},
    {2, "replace raft.vote; replace manifest; truncate 2.incr.aof; remove 3.incr.aof; "},
    {1, "replace raft.vote; replace manifest; truncate 1.incr.aof; remove 2.incr.aof; "
        "remove 3.incr.aof; "},
    {0, "replace raft.vote; replace manifest; truncate 1.incr.aof; remove 2.incr.aof; "
        "remove 3.incr.aof; "},
};
enum { TRUNCATIONS = sizeof truncations / sizeof *truncations };

static void start_three_segments(struct node *node, enum storage_sync sync)
{
    node_init(node);
    node->options.sync = sync;
    node_start(node);
    node_vote(node, 4, 2);
    node_fill(node, 3);
    node_vote(node, 5, 3);
    node_flush(node);
}

static void test_a_truncation_takes_segments_out_of_the_manifest_first(void **state)
{
    (void)state;
    for (size_t i = 0; i < TRUNCATIONS; i++) {
        struct node node;
        start_three_segments(&node, STORAGE_SYNC_ALWAYS);
        assert_int_equal(storage_truncate(node.storage, truncations[i].last), ERR_NONE);
        assert_queued(&node, truncations[i].queued);
        node_flush(&node);
        uint64_t last = truncations[i].last;
        assert_int_equal(storage_status(node.storage).last_index, last);
        node_append(&node, last + 1, 9);
        node_flush(&node);
        node_restart(&node);
        assert_int_equal(node.recovered.last_index, last + 1);
        assert_int_equal(node.recovered.last_term, 9);
        assert_vote(&node, 9, 0);
        node_close(&node);
    }
}

/* Of the operations that a truncation and the flush after it queue, `count` were carried out. */
static void crash_in_truncation(uint64_t last, size_t count)
{
    struct node node;
    start_three_segments(&node, STORAGE_SYNC_ALWAYS);
    assert_int_equal(storage_truncate(node.storage, last), ERR_NONE);
    storage_flush(node.storage);
    bool done = count == node.fake.queued_count;
    node_run(&node, count);
    node_restart(&node);
    assert_vote(&node, 5, 3);
    assert_in_range(node.recovered.last_index, last, done ? last : 6);
    uint64_t left = node.recovered.last_index;
    struct buf expected = {0};
    buf_add_text(&expected, "");
    for (uint64_t index = 1; index <= left; index++)
        buf_printf(&expected, "%llu/%llu ", (unsigned long long)index,
                   (unsigned long long)((index + 1) / 2));
    buf_add_char(&expected, '\0');
    assert_seen(&node, expected.ptr);
    buf_close(&expected);
    if (left)
        assert_reads(&node, 1, left);
    assert_log_goes_on(&node);
    node_close(&node);
}

static void test_a_crash_in_a_truncation_over_segments_keeps_what_is_before_it(void **state)
{
    (void)state;
    static const size_t operations[] = {3, 3, 5, 5, 6, 6};
    for (size_t i = 0; i < TRUNCATIONS; i++)
        for (size_t count = 0; count <= operations[i]; count++)
            crash_in_truncation(truncations[i].last, count);
}

static void test_a_new_segment_names_the_term_that_truncations_left(void **state)
{
    (void)state;
    for (uint64_t last = 1; last <= 5; last++) {
        struct node node;
        start_three_segments(&node, STORAGE_SYNC_ALWAYS);
        assert_int_equal(storage_truncate(node.storage, last), ERR_NONE);
        node_append(&node, last + 1, 3); /* the term of what was cut off */
        assert_int_equal(storage_truncate(node.storage, last), ERR_NONE);
        bool empty = last == 2 || last == 4;
        node_cut(&node);
        node_flush(&node);
        if (!empty)
            assert_prev(&node, 4, last, (last + 1) / 2);
        node_append(&node, last + 1, 8);
        node_cut(&node);
        node_flush(&node);
        assert_prev(&node, empty ? 4 : 5, last + 1, 8);
        node_restart(&node);
        assert_int_equal(node.recovered.last_index, last + 1);
        assert_int_equal(node.recovered.last_term, 8);
        assert_log_goes_on(&node);
        node_close(&node);
    }
}

/* Where the newest mark of these bytes says that the file was synced; 0: there is none. */
static uint64_t newest_mark(struct span bytes)
{
    uint64_t mark = 0;
    while (bytes.len) {
        struct record record;
        assert_int_equal(record_parse(bytes, &record), RECORD_OK);
        if (record.kind == RECORD_SYNC)
            mark = record.sync.synced;
        bytes = span_of(bytes.ptr + record.bytes, bytes.len - record.bytes);
    }
    return mark;
}

/* Entries 1 to 3 are written one by one, then 2 and 3 are cut off, while the syncs of the first
 * `done` writes have completed; what is written then says how much is synced. */
static void mark_after_truncation(size_t done)
{
    struct node node;
    node_init(&node);
    node_start(&node);
    node_append(&node, 1, 1);
    node_flush(&node);
    size_t end = node_segment(&node, 1)->len;
    node_append_sized(&node, 2, 1, 5000);
    storage_flush(node.storage);
    node_append_sized(&node, 3, 1, 5000);
    storage_flush(node.storage);
    node_run(&node, done);
    assert_int_equal(storage_truncate(node.storage, 1), ERR_NONE);
    uint64_t cut = node.fake.queued[node.fake.queued_count - 1].size;
    assert_in_range(cut, end, end + 40);
    node_run(&node, 2 - done);
    node_append(&node, 2, 2);
    storage_flush(node.storage);
    size_t newest = node.fake.queued_count - 1;
    assert_in_range(newest_mark(buf_span(&node.fake.queued[newest].bytes)), 1, cut);
    node_run_all(&node);
    size_t second = node_segment(&node, 1)->len;
    node_append(&node, 3, 2);
    storage_flush(node.storage);
    assert_int_equal(newest_mark(buf_span(&node.fake.queued[0].bytes)), second);
    node_run_all(&node);
    node_restart(&node);
    assert_seen(&node, "1/1 2/2 3/2 ");
    node_close(&node);
}

static void test_a_mark_after_a_truncation_claims_only_what_is_left(void **state)
{
    (void)state;
    for (size_t done = 0; done <= 2; done++)
        mark_after_truncation(done);
}

static void test_a_mark_in_a_segment_that_is_open_again_claims_only_what_is_left(void **state)
{
    (void)state;
    for (uint64_t last = 0; last <= 5; last++) {
        struct node node;
        start_three_segments(&node, STORAGE_SYNC_ALWAYS);
        assert_int_equal(storage_truncate(node.storage, last), ERR_NONE);
        unsigned seq = (unsigned)last / 2 + 1;
        for (uint64_t index = last + 1; index <= last + 3; index++) {
            node_append_sized(&node, index, 9, 700);
            storage_flush(node.storage);
            if (index == last + 1)
                node_run(&node, node.fake.queued_count - 1);
            uint64_t mark =
                newest_mark(buf_span(&node.fake.queued[node.fake.queued_count - 1].bytes));
            assert_true(mark <= node_segment(&node, seq)->len);
            node_run_all(&node);
        }
        assert_true(newest_mark(buf_span(node_segment(&node, seq))) != 0);
        node_close(&node);
    }
}

static void test_a_segment_is_synced_before_the_next_one_begins(void **state)
{
    (void)state;
    static const enum storage_sync syncs[] = {STORAGE_SYNC_EVERYSEC, STORAGE_SYNC_NO};
    for (size_t i = 0; i < 2; i++) {
        struct node node;
        node_init(&node);
        node.options.sync = syncs[i];
        node_start(&node);
        node_append(&node, 1, 1);
        node_cut(&node);
        assert_queued(&node, "append 1.incr.aof; +sync 1.incr.aof; append+sync 2.incr.aof; folder; "
                             "replace manifest; ");
        node_append(&node, 2, 1);
        node_run_all(&node);
        node_vote(&node, 2, 2);
        node_flush(&node);
        node_cut(&node);
        assert_queued(&node,
                      "+sync 2.incr.aof; append+sync 3.incr.aof; folder; replace manifest; ");
        node_close(&node);
    }
}

static void test_a_segment_that_ends_with_a_mark_alone_is_synced_as_well(void **state)
{
    (void)state;
    struct node node;
    node_init(&node);
    node_start(&node);
    node_append(&node, 1, 1);
    node_flush(&node);
    storage_tick(node.storage, 1000);
    storage_tick(node.storage, 2000);
    assert_queued(&node, "append raft.synced; append 1.incr.aof; ");
    node_cut(&node);
    assert_queued(
        &node,
        "append raft.synced; append 1.incr.aof; +sync 1.incr.aof; append+sync 2.incr.aof; folder; "
        "replace manifest; ");
    node_run_all(&node);
    node_restart(&node);
    assert_seen(&node, "1/1 ");
    node_close(&node);
}

static void test_the_log_is_synced_whole_after_the_mode_has_changed(void **state)
{
    (void)state;
    struct node node;
    node_init(&node);
    node.options.sync = STORAGE_SYNC_NO;
    node_start(&node);
    node_append(&node, 1, 1);
    node_flush(&node);
    storage_set_sync(node.storage, STORAGE_SYNC_ALWAYS);
    node_cut(&node);
    assert_queued(&node, "+sync 1.incr.aof; append+sync 2.incr.aof; folder; replace manifest; ");
    node_close(&node);
}

static void test_a_sync_says_nothing_of_what_is_not_yet_handed_over(void **state)
{
    (void)state;
    struct node node;
    node_init(&node);
    node.options.sync = STORAGE_SYNC_EVERYSEC;
    node_start(&node);
    node_append(&node, 1, 1);
    node_flush(&node);
    size_t end = node_segment(&node, 1)->len;
    node_append_sized(&node, 2, 1, 3000); /* gathered only */
    storage_tick(node.storage, 5000);
    assert_queued(&node, "append raft.synced; +sync 1.incr.aof; ");
    node_run_all(&node);
    node_flush(&node);
    node_append(&node, 3, 1);
    node_flush(&node);
    assert_int_equal(newest_mark(buf_span(node_segment(&node, 1))), end);
    node_close(&node);
}

static void test_the_name_of_a_segment_is_never_used_again(void **state)
{
    (void)state;
    struct node node;
    node_init(&node);
    node_start(&node);
    node_fill(&node, 3);
    assert_int_equal(storage_truncate(node.storage, 1), ERR_NONE);
    node_flush(&node);
    node_cut(&node);
    node_append(&node, 2, 9);
    node_flush(&node);
    assert_manifest(&node, SEGMENT_LINE("1", "i") SEGMENT_LINE("4", "i"));
    node_put(&node, "temp-install-17.rdb", "");
    node_restart(&node);
    node_cut(&node);
    node_flush(&node);
    assert_manifest(&node, SEGMENT_LINE("1", "i") SEGMENT_LINE("4", "i") SEGMENT_LINE("18", "i"));
    node_close(&node);
}

static void test_leftovers_are_removed_and_nothing_else(void **state)
{
    (void)state;
    static const char *const gone[] = {"appendonly.aof.9.incr.aof", "appendonly.aof.2.base.rdb",
                                       "temp-image-3.rdb", "temp-install-4.rdb"};
    static const char *const kept[] = {"notes.txt",
                                       "appendonly.aof.x.incr.aof",
                                       "appendonly.aof.9.incr.aof.bak",
                                       "temp-image-.rdb",
                                       "temp-image-1.rdb.old",
                                       "other.aof.3.incr.aof",
                                       "dump.rdb",
                                       "appendonly.aof..incr.aof",
                                       "appendonly.aof.incr.aof",
                                       "appendonly.aof",
                                       "appendonly.aof.-1.incr.aof",
                                       "appendonly.aof.1.base.aof",
                                       "temp-install-4x.rdb",
                                       "xappendonly.aof.9.incr.aof",
                                       "temp-rewriteaof-bg-12.aof",
                                       "temp-12.rdb",
                                       "appendonly.aof.1 .incr.aof",
                                       "appendonly.aof.18446744073709551615.incr.aof",
                                       "appendonly.aof.99999999999999999999.incr.aof"};
    struct node node;
    node_init(&node);
    node_start(&node);
    node_fill(&node, 2);
    node_crash(&node);
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        node_put(&node, gone[i], "x");
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        node_put(&node, kept[i], "x");
    node_start(&node);
    assert_seen(&node, "1/1 2/1 3/2 4/2 ");
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        assert_false(node_has(&node, gone[i]));
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        assert_true(node_has(&node, kept[i]));
    assert_log_goes_on(&node);
    node_close(&node);
}

static void test_data_without_a_manifest_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"appendonly.aof.2.incr.aof", "appendonly.aof.1.base.rdb"};
    for (size_t i = 0; i < 2; i++) {
        struct node node;
        node_init(&node);
        node_put(&node, names[i], "x");
        node_put(&node, "temp-image-3.rdb", "x");
        assert_refused_untouched(&node, ERR_CORRUPT, names[i]);
        node_close(&node);
    }
}

static void test_a_missing_segment_is_refused(void **state)
{
    (void)state;
    for (unsigned seq = 1; seq <= 3; seq++) {
        struct node node;
        start_three_segments(&node, STORAGE_SYNC_ALWAYS);
        node_crash(&node);
        char path[128];
        snprintf(path, sizeof path, DATA "%u.incr.aof", seq);
        fake_unlink(&node.fake, path);
        node_put(&node, "temp-image-7.rdb", "x");
        assert_refused_untouched(&node, ERR_CORRUPT, path);
        node_close(&node);
    }
}

static void test_manifests_that_name_no_row_of_segments_are_refused(void **state)
{
    (void)state;
    static const char *const manifests[] = {
        SEGMENT_LINE("1", "i") SEGMENT_LINE("3", "i"),
        SEGMENT_LINE("2", "i") SEGMENT_LINE("3", "i"),
        SEGMENT_LINE("2", "i") SEGMENT_LINE("1", "i"),
        SEGMENT_LINE("1", "i") SEGMENT_LINE("1", "i"),
        SEGMENT_LINE("1", "i") SEGMENT_LINE("2", "h") SEGMENT_LINE("3", "i"),
        SEGMENT_LINE("1", "h") SEGMENT_LINE("2", "i") SEGMENT_LINE("3", "i"),
        SEGMENT_LINE("1", "i") SEGMENT_LINE("2", "i") SEGMENT_LINE("3", "h"),
        SEGMENT_LINE("1", "i") BASE_LINE("4") SEGMENT_LINE("2", "i") SEGMENT_LINE("3", "i"),
        BASE_LINE("4") SEGMENT_LINE("1", "i") SEGMENT_LINE("2", "i") SEGMENT_LINE("3", "i"),
        BASE_LINE("4"),
        BASE_LINE("4") SEGMENT_LINE("1", "h"),
        SEGMENT_LINE("3", "i"),
        SEGMENT_LINE("0", "i"),
        SEGMENT_LINE("01", "i"),
        SEGMENT_LINE("1", "i") "file appendonly.aof.2.incr.aof seq 2 type i",
        SEGMENT_LINE("1", "i") "\n",
        SEGMENT_LINE("1", "x"),
        "# nothing\n",
    };
    for (size_t i = 0; i < sizeof manifests / sizeof *manifests; i++) {
        struct node node;
        start_three_segments(&node, STORAGE_SYNC_ALWAYS);
        node_crash(&node);
        node_put(&node, "appendonly.aof.manifest", manifests[i]);
        assert_refused_untouched(&node, ERR_CORRUPT, "'" FOLDER);
        node_close(&node);
    }
}

static void test_an_earlier_segment_must_be_whole(void **state)
{
    (void)state;
    struct node node;
    start_three_segments(&node, STORAGE_SYNC_ALWAYS);
    node_crash(&node);
    for (unsigned seq = 1; seq <= 2; seq++) {
        size_t len = node_segment(&node, seq)->len;
        for (size_t left = 0; left <= len; left++) {
            struct node torn;
            node_copy(&torn, &node);
            node_segment(&torn, seq)->len = left;
            if (left == len)
                buf_add_text(node_segment(&torn, seq), "#RAFT");
            assert_refused_untouched(&torn, ERR_CORRUPT, ".incr.aof' is corrupt at offset ");
            node_close(&torn);
        }
    }
    node_close(&node);
}

static void test_the_first_lines_of_the_last_segment_must_be_whole(void **state)
{
    (void)state;
    struct node node;
    node_init(&node);
    node_start(&node);
    node_append(&node, 1, 1);
    node_cut(&node);
    node_flush(&node);
    node_crash(&node);
    for (size_t left = 0; left < node_segment(&node, 2)->len; left++) {
        struct node torn;
        node_copy(&torn, &node);
        node_segment(&torn, 2)->len = left;
        assert_refused_untouched(&torn, ERR_CORRUPT, "2.incr.aof' is corrupt at offset ");
        node_close(&torn);
    }
    node_close(&node);
}

static void test_a_segment_that_follows_something_else_is_refused(void **state)
{
    (void)state;
    static const struct prev_record prevs[] = {{1, 1}, {3, 1}, {2, 2}, {2, 0}, {0, 0}};
    for (size_t i = 0; i < sizeof prevs / sizeof *prevs; i++) {
        struct node node;
        node_init(&node);
        node_start(&node);
        node_fill(&node, 2);
        struct buf changed = {0};
        struct span old = buf_span(node_segment(&node, 2));
        for (size_t at = 0; at < old.len;) {
            struct record record;
            assert_int_equal(record_parse(span_of(old.ptr + at, old.len - at), &record), RECORD_OK);
            if (record.kind == RECORD_PREV)
                entry_encode_prev(&changed, &prevs[i]);
            else
                buf_add_span(&changed, span_of(old.ptr + at, record.bytes));
            at += record.bytes;
        }
        buf_close(node_segment(&node, 2));
        *node_segment(&node, 2) = changed;
        node_crash(&node);
        assert_refused_untouched(&node, ERR_CORRUPT, "2.incr.aof' is corrupt at offset ");
        node_close(&node);
    }
}

static void test_the_memory_for_finding_entries_is_small(void **state)
{
    (void)state;
    struct node node;
    node_init(&node);
    node.options.segment_bytes_max = 20000;
    node_start(&node);
    enum { ENTRIES = 12000 };
    for (uint64_t index = 1; index <= ENTRIES; index++) {
        node_append_sized(&node, index, 1, 0);
        if (index % 100 == 0)
            node_flush(&node);
    }
    assert_true(storage_status(node.storage).segments > 20);
    assert_true(storage_status(node.storage).index_bytes <= 16 * ENTRIES);
    node_restart(&node);
    assert_int_equal(node.recovered.last_index, ENTRIES);
    assert_true(storage_status(node.storage).index_bytes <= 16 * ENTRIES);
    node_close(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_full_segment_is_followed_by_a_new_one),
        cmocka_unit_test(test_turning_to_always_syncs_what_was_not),
        cmocka_unit_test(test_a_start_tells_how_far_it_is),
        cmocka_unit_test(test_one_entry_beyond_the_size_has_its_own_segment),
        cmocka_unit_test(test_an_empty_segment_is_not_cut_again),
        cmocka_unit_test(test_without_a_descriptor_the_log_goes_on_in_its_segment),
        cmocka_unit_test(test_entries_are_read_across_segments),
        cmocka_unit_test(test_a_truncation_takes_segments_out_of_the_manifest_first),
        cmocka_unit_test(test_a_crash_in_a_truncation_over_segments_keeps_what_is_before_it),
        cmocka_unit_test(test_a_new_segment_names_the_term_that_truncations_left),
        cmocka_unit_test(test_a_mark_after_a_truncation_claims_only_what_is_left),
        cmocka_unit_test(test_a_mark_in_a_segment_that_is_open_again_claims_only_what_is_left),
        cmocka_unit_test(test_a_segment_is_synced_before_the_next_one_begins),
        cmocka_unit_test(test_a_segment_that_ends_with_a_mark_alone_is_synced_as_well),
        cmocka_unit_test(test_the_log_is_synced_whole_after_the_mode_has_changed),
        cmocka_unit_test(test_a_sync_says_nothing_of_what_is_not_yet_handed_over),
        cmocka_unit_test(test_the_name_of_a_segment_is_never_used_again),
        cmocka_unit_test(test_leftovers_are_removed_and_nothing_else),
        cmocka_unit_test(test_data_without_a_manifest_is_refused),
        cmocka_unit_test(test_a_missing_segment_is_refused),
        cmocka_unit_test(test_manifests_that_name_no_row_of_segments_are_refused),
        cmocka_unit_test(test_an_earlier_segment_must_be_whole),
        cmocka_unit_test(test_the_first_lines_of_the_last_segment_must_be_whole),
        cmocka_unit_test(test_a_segment_that_follows_something_else_is_refused),
        cmocka_unit_test(test_the_memory_for_finding_entries_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
