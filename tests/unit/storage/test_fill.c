#include "unit/storage/ops.h"

enum { FILL = 4096 };

static void begin(struct node *node)
{
    node_init(node);
    node->options.fill_bytes = FILL;
    node_start(node);
}

/* What Redis skips: lines of '#' with a newline at each offset that is 63 modulo 64. */
static void assert_filler(const struct buf *content, size_t from)
{
    assert_true(content->len > from);
    for (size_t i = from; i < content->len; i++)
        if (content->ptr[i] != (i % 64 == 63 ? '\n' : '#'))
            fail_msg("byte %zu is '%c'", i, content->ptr[i]);
}

static void put_filler(struct buf *content, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        content->ptr[i] = i % 64 == 63 ? '\n' : '#';
}

static size_t log_end(const struct node *node)
{
    struct storage_status status = storage_status(node->storage);
    assert_int_equal(status.segments, 1);
    return (size_t)status.log_bytes;
}

static void test_filler_follows_what_was_synced(void **state)
{
    (void)state;
    struct node node;
    begin(&node);
    node_append(&node, 1, 1);
    storage_flush(node.storage);
    assert_queued(&node, "append+sync 1.incr.aof; fill+sync 1.incr.aof; ");
    assert_int_equal(node.fake.queued[1].ticket, 0);
    node_run_all(&node);
    assert_int_equal(node_segment(&node, 1)->len % 4096, 0);
    assert_filler(node_segment(&node, 1), log_end(&node));
    node_append(&node, 2, 1);
    storage_flush(node.storage);
    assert_queued(&node, "append+sync 1.incr.aof; "); /* enough is left */
    node_run_all(&node);
    assert_int_equal(node_segment(&node, 1)->len % 4096, 0);
    assert_filler(node_segment(&node, 1), log_end(&node));
    node_close(&node);
}

static void test_bytes_written_count_filler(void **state)
{
    (void)state;
    struct node node;
    begin(&node);
    size_t first = node_segment(&node, 1)->len;
    node_append(&node, 1, 1);
    node_flush(&node);
    assert_int_equal(storage_status(node.storage).bytes_written,
                     node_segment(&node, 1)->len - first);
    node_close(&node);
}

/* Any length of an entry, so that a batch ends at any offset of a line. */
static void test_the_log_goes_on_over_filler_wherever_a_batch_ends(void **state)
{
    (void)state;
    struct node node;
    begin(&node);
    uint64_t index = 1;
    for (size_t size = 0; size < 300; size++, index++) {
        node_append_sized(&node, index, 1, size);
        node_flush(&node);
        size_t end = log_end(&node);
        if (end < node_segment(&node, 1)->len)
            assert_filler(node_segment(&node, 1), end);
        if (size % 3)
            continue;
        struct node copy;
        node_copy(&copy, &node);
        node_start(&copy);
        assert_int_equal(copy.recovered.last_index, index);
        assert_int_equal(copy.recovered.cut_bytes, 0);
        assert_int_equal(node_segment(&copy, 1)->len, end); /* a start takes it away */
        node_close(&copy);
    }
    node_restart(&node);
    assert_log_goes_on(&node);
    node_close(&node);
}

/* A newline alone would be an empty line, which Redis refuses. And nothing stands between the
 * records that an earlier version of the program does not know. */
static void test_no_batch_ends_before_a_newline_of_filler(void **state)
{
    (void)state;
    struct node node;
    begin(&node);
    node_vote(&node, 1, 1);
    node_flush(&node);
    unsigned repeated = 0;
    for (uint64_t index = 1; index <= 400; index++) {
        size_t begun = log_end(&node);
        node_append_sized(&node, index, 1, index % 61);
        node_flush(&node);
        const struct buf *content = node_segment(&node, 1);
        size_t end = log_end(&node);
        assert_true(end == content->len || content->ptr[end] == '#');
        struct record record = {.kind = RECORD_SYNC};
        for (size_t at = begun; at < end; at += record.bytes)
            assert_int_equal(record_parse(span_of(content->ptr + at, end - at), &record),
                             RECORD_OK);
        repeated += record.kind == RECORD_VOTE;
    }
    assert_in_range(repeated, 1, 20);
    node_restart(&node);
    assert_vote(&node, 1, 1);
    node_close(&node);
}

/* Zeros are none, and Redis would refuse them. */
static void test_no_filler_is_written_behind_some_that_had_no_room(void **state)
{
    (void)state;
    struct node node;
    begin(&node);
    node_append(&node, 1, 1);
    storage_flush(node.storage);
    assert_queued(&node, "append+sync 1.incr.aof; fill+sync 1.incr.aof; ");
    node_run(&node, 1);
    buf_close(&node.fake.queued[0].bytes); /* it was left out */
    node_run_all(&node);
    for (uint64_t index = 2; index <= 60; index++) {
        node_append_sized(&node, index, 1, 100);
        node_flush(&node);
        size_t end = log_end(&node);
        if (node_segment(&node, 1)->len > end)
            assert_filler(node_segment(&node, 1), end);
        else
            assert_int_equal(node_segment(&node, 1)->len, end);
    }
    assert_true(node_segment(&node, 1)->len > log_end(&node)); /* it goes on where there is room */
    node_restart(&node);
    assert_int_equal(node.recovered.cut_bytes, 0);
    assert_int_equal(node.recovered.last_index, 60);
    node_close(&node);
}

/* A part of it may be there. */
static void test_filler_that_had_no_room_is_cut_off_with_the_segment(void **state)
{
    (void)state;
    struct node node;
    begin(&node);
    node_append(&node, 1, 1);
    node_flush(&node);
    storage_completed(node.storage, &(struct disk_completion){.left_out = true});
    node_append(&node, 2, 1);
    storage_flush(node.storage);
    assert_queued(&node, "append+sync 1.incr.aof; "); /* not at once again */
    node_run_all(&node);
    node_cut(&node);
    assert_queued(&node, "truncate 1.incr.aof; append+sync 2.incr.aof; folder; replace manifest; ");
    node_run_all(&node);
    node_append(&node, 3, 1);
    storage_flush(node.storage);
    assert_queued(&node, "append+sync 2.incr.aof; fill+sync 2.incr.aof; ");
    node_run_all(&node);
    node_restart(&node);
    assert_seen(&node, "1/1 2/1 3/1 ");
    node_close(&node);
}

static void test_the_smallest_filler_is_a_line(void **state)
{
    (void)state;
    struct node node;
    node_init(&node);
    node.options.fill_bytes = 1;
    node_start(&node);
    node_append(&node, 1, 1);
    node_flush(&node);
    assert_in_range(node_segment(&node, 1)->len, log_end(&node) + 1, log_end(&node) + 64);
    assert_filler(node_segment(&node, 1), log_end(&node));
    node_close(&node);
}

static void test_filler_is_not_written_without_need(void **state)
{
    (void)state;
    struct node node;
    begin(&node);
    storage_set_sync(node.storage, STORAGE_SYNC_EVERYSEC);
    node_append(&node, 1, 1);
    storage_flush(node.storage);
    assert_queued(&node, "append 1.incr.aof; ");
    node_run_all(&node);
    node_close(&node);
    node_init(&node);
    node_start(&node);
    node_append(&node, 1, 1);
    storage_flush(node.storage);
    assert_queued(&node, "append+sync 1.incr.aof; ");
    node_run_all(&node);
    node_close(&node);
}

static void test_filler_takes_no_room_that_is_kept_free(void **state)
{
    (void)state;
    struct node node;
    node_init(&node);
    node.options.fill_bytes = FILL;
    node.options.reserve_bytes = 1 << 20;
    node.fake.free_bytes = (1 << 20) + FILL + 1000;
    node_start(&node);
    storage_tick(node.storage, 1);
    node_run_all(&node);
    node_append(&node, 1, 1);
    storage_flush(node.storage);
    assert_queued(&node, "append+sync 1.incr.aof; fill+sync 1.incr.aof; ");
    node_run_all(&node);
    node_append_sized(&node, 2, 1, FILL);
    storage_flush(node.storage);
    assert_queued(&node, "append+sync 1.incr.aof; ");
    node_close(&node);
}

static void test_a_segment_is_filled_up_to_its_size_and_cut_when_it_ends(void **state)
{
    (void)state;
    struct node node;
    node_init(&node);
    node.options.fill_bytes = FILL;
    node.options.segment_bytes_max = 1000;
    node_start(&node);
    node_append(&node, 1, 1);
    node_flush(&node);
    assert_int_equal(node_segment(&node, 1)->len, 1000 - 1000 % 64);
    node_cut(&node);
    assert_queued(&node, "truncate 1.incr.aof; append+sync 2.incr.aof; folder; replace manifest; ");
    node_append_sized(&node, 2, 1, 2000);
    node_flush(&node);
    assert_int_equal(node_segment(&node, 1)->len + node_segment(&node, 2)->len,
                     storage_status(node.storage).log_bytes);
    node_restart(&node);
    assert_seen(&node, "1/1 2/1 ");
    node_close(&node);
}

static void test_a_segment_gets_as_much_filler_as_the_one_before_it_had_use_for(void **state)
{
    (void)state;
    for (size_t before = 0; before <= 50000; before += 50000) {
        struct node node;
        node_init(&node);
        node.options.fill_bytes = 512 * 1024;
        node_start(&node);
        node_append_sized(&node, 1, 1, before + 1);
        node_flush(&node);
        node_cut(&node);
        node_run_all(&node);
        node_append(&node, 2, 1);
        node_flush(&node);
        size_t filled = node_segment(&node, 2)->len;
        size_t expected = before < 16384 ? 16384 : before;
        assert_in_range(filled, expected - 4096, expected + 4096);
        node_close(&node);
    }
}

/* What they would be written over with costs more than the sync of a file that grows. */
static void test_long_batches_get_no_filler_until_they_are_short_again(void **state)
{
    (void)state;
    struct node node;
    node_init(&node);
    node.options.fill_bytes = 512 * 1024;
    node_start(&node);
    uint64_t index = 1;
    for (int i = 0; i < 30; i++) {
        node_append_sized(&node, index++, 1, 200 * 1024);
        node_flush(&node);
    }
    assert_int_equal(node_segment(&node, 1)->len, log_end(&node)); /* no more than the records */
    for (int i = 0; i < 30; i++) {
        node_append(&node, index++, 1);
        node_flush(&node);
    }
    assert_filler(node_segment(&node, 1), log_end(&node));
    assert_true(node_segment(&node, 1)->len > log_end(&node));
    node_restart(&node);
    assert_int_equal(storage_status(node.storage).last_index, index - 1);
    node_close(&node);
}

static void test_a_cut_takes_the_filler_too_and_new_filler_follows(void **state)
{
    (void)state;
    struct node node;
    begin(&node);
    node_append(&node, 1, 1);
    node_append(&node, 2, 1);
    size_t kept = log_end(&node);
    node_append(&node, 3, 1);
    node_flush(&node);
    assert_int_equal(storage_truncate(node.storage, 2), ERR_NONE);
    assert_queued(&node, "replace raft.vote; truncate 1.incr.aof; ");
    node_run_all(&node);
    assert_int_equal(node_segment(&node, 1)->len, kept);
    node_append(&node, 3, 2);
    node_flush(&node);
    assert_filler(node_segment(&node, 1), log_end(&node));
    node_restart(&node);
    assert_seen(&node, "1/1 2/1 3/2 ");
    node_close(&node);
}

/* The bytes of a window that was read before an entry was written over its filler. */
static void test_an_entry_is_read_although_filler_was_read_in_its_place(void **state)
{
    (void)state;
    struct node node;
    node_init(&node);
    node.options.fill_bytes = FILL;
    node.options.cache_bytes_max = 0;
    node_start(&node);
    struct entry entry;
    for (uint64_t index = 1; index <= 20; index++) {
        node_append(&node, index, 1);
        node_flush(&node);
        storage_pin(node.storage, index);
        assert_int_equal(storage_entry(node.storage, index, &entry), ERR_NONE);
        assert_int_equal(entry.index, index);
    }
    assert_int_equal(storage_status(node.storage).cache_entries, 0);
    node_close(&node);
}

/* ---- what a start finds ---- */

static void fill(struct node *node, size_t *first, size_t *second)
{
    begin(node);
    node_append(node, 1, 1);
    node_flush(node);
    *first = log_end(node);
    node_append_sized(node, 2, 1, 200);
    node_flush(node);
    *second = log_end(node);
    node_crash(node);
}

static void test_a_torn_write_over_filler_is_cut_off(void **state)
{
    (void)state;
    struct node node;
    size_t first, second;
    fill(&node, &first, &second);
    struct record mark;
    assert_int_equal(
        record_parse(span_of(node_segment(&node, 1)->ptr + first, second - first), &mark),
        RECORD_OK);
    assert_int_equal(mark.kind, RECORD_SYNC);
    size_t marked = first + mark.bytes;
    for (size_t at = first; at < second; at++) {
        struct node copy;
        node_copy(&copy, &node);
        struct buf *content = node_segment(&copy, 1);
        put_filler(content, at, second); /* the second entry's end did not reach the disk */
        node_start(&copy);
        assert_int_equal(copy.recovered.last_index, 1);
        bool is_filler = at <= first + 1 || at == marked || at == marked + 1; /* each '#' is */
        assert_int_equal(copy.recovered.cut_bytes == 0, is_filler);
        assert_log_goes_on(&copy);
        node_close(&copy);
    }
    for (size_t at = first + 1; at + 1 < second; at++) {
        struct node copy;
        node_copy(&copy, &node);
        struct buf *content = node_segment(&copy, 1);
        put_filler(content, first, at + 1); /* its beginning did not */
        node_start(&copy);
        assert_int_equal(copy.recovered.last_index, 1);
        assert_int_not_equal(copy.recovered.cut_bytes, 0);
        assert_log_goes_on(&copy);
        node_close(&copy);
    }
    node_close(&node);
}

static void test_damaged_filler_is_cut_off_and_no_entry_is_lost(void **state)
{
    (void)state;
    struct node node;
    size_t first, second;
    fill(&node, &first, &second);
    for (size_t at = second; at < node_segment(&node, 1)->len; at += 97) {
        struct node copy;
        node_copy(&copy, &node);
        node_segment(&copy, 1)->ptr[at] ^= 1;
        node_start(&copy);
        assert_int_equal(copy.recovered.last_index, 2);
        assert_log_goes_on(&copy);
        node_close(&copy);
    }
    node_close(&node);
}

/* raft.synced says how much there was. */
static void test_filler_in_the_place_of_what_was_synced_is_damage(void **state)
{
    (void)state;
    struct node node;
    begin(&node);
    node_append(&node, 1, 1);
    node_flush(&node);
    size_t first = log_end(&node);
    node_append(&node, 2, 1);
    node_flush(&node);
    size_t second = log_end(&node);
    storage_settle(node.storage);
    node_run_all(&node);
    node_crash(&node);
    struct buf *content = node_segment(&node, 1);
    put_filler(content, first, second);
    assert_refused_untouched(&node, ERR_CORRUPT, "synced once");
    node_close(&node);
}

static void test_filler_in_a_segment_before_the_last_is_damage(void **state)
{
    (void)state;
    struct node node;
    begin(&node);
    node_append(&node, 1, 1);
    node_cut(&node);
    node_append(&node, 2, 1);
    node_flush(&node);
    node_crash(&node);
    struct buf *content = node_segment(&node, 1);
    while (content->len % 64)
        buf_add_char(content, content->len % 64 == 63 ? '\n' : '#');
    assert_refused_untouched(&node, ERR_CORRUPT, "is corrupt");
    node_close(&node);
}

static void test_filler_in_the_place_of_the_first_lines_is_damage(void **state)
{
    (void)state;
    struct node node;
    size_t first, second;
    fill(&node, &first, &second);
    struct buf *content = node_segment(&node, 1);
    put_filler(content, 0, content->len);
    assert_refused_untouched(&node, ERR_CORRUPT, "first lines");
    node_close(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filler_follows_what_was_synced),
        cmocka_unit_test(test_bytes_written_count_filler),
        cmocka_unit_test(test_the_log_goes_on_over_filler_wherever_a_batch_ends),
        cmocka_unit_test(test_no_batch_ends_before_a_newline_of_filler),
        cmocka_unit_test(test_no_filler_is_written_behind_some_that_had_no_room),
        cmocka_unit_test(test_filler_that_had_no_room_is_cut_off_with_the_segment),
        cmocka_unit_test(test_the_smallest_filler_is_a_line),
        cmocka_unit_test(test_filler_is_not_written_without_need),
        cmocka_unit_test(test_filler_takes_no_room_that_is_kept_free),
        cmocka_unit_test(test_a_segment_is_filled_up_to_its_size_and_cut_when_it_ends),
        cmocka_unit_test(test_long_batches_get_no_filler_until_they_are_short_again),
        cmocka_unit_test(test_a_segment_gets_as_much_filler_as_the_one_before_it_had_use_for),
        cmocka_unit_test(test_a_cut_takes_the_filler_too_and_new_filler_follows),
        cmocka_unit_test(test_an_entry_is_read_although_filler_was_read_in_its_place),
        cmocka_unit_test(test_a_torn_write_over_filler_is_cut_off),
        cmocka_unit_test(test_damaged_filler_is_cut_off_and_no_entry_is_lost),
        cmocka_unit_test(test_filler_in_the_place_of_what_was_synced_is_damage),
        cmocka_unit_test(test_filler_in_a_segment_before_the_last_is_damage),
        cmocka_unit_test(test_filler_in_the_place_of_the_first_lines_is_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
