#include "unit/storage/fake.h"

static void assert_entry(struct node *node, uint64_t index, uint64_t term)
{
    struct entry entry;
    assert_int_equal(storage_entry(node->storage, index, &entry), ERR_NONE);
    assert_int_equal(entry.index, index);
    assert_int_equal(entry.term, term);
}

static struct node *started(struct node *node)
{
    node_init(node);
    node_start(node);
    return node;
}

static void test_a_flush_is_one_operation_for_all_that_was_gathered(void **state)
{
    (void)state;
    struct node node;
    started(&node);
    node_vote(&node, 1, 1);
    node_append(&node, 1, 1);
    node_append(&node, 2, 1);
    assert_int_equal(node.fake.queued_count, 0);
    uint64_t ticket = storage_flush(node.storage);
    assert_int_equal(node.fake.queued_count, 1);
    assert_int_equal(node.fake.queued[0].kind, DISK_WRITE);
    assert_int_equal(node.fake.queued[0].ticket, ticket);
    assert_true(node.fake.queued[0].sync);
    assert_int_equal(storage_last_ticket(node.storage), ticket);
    assert_int_equal(storage_flush(node.storage), 0);
    assert_int_equal(storage_last_ticket(node.storage), ticket);
    node_append(&node, 3, 1);
    assert_true(storage_flush(node.storage) > ticket);
    node_run_all(&node);
    node_restart(&node);
    assert_seen(&node, "1/1 2/1 3/1 ");
    assert_vote(&node, 1, 1);
    node_close(&node);
}

static void test_what_was_not_flushed_is_lost_in_a_crash(void **state)
{
    (void)state;
    struct node node;
    started(&node);
    node_append(&node, 1, 1);
    node_flush(&node);
    node_append(&node, 2, 1);
    node_restart(&node);
    assert_seen(&node, "1/1 ");
    node_close(&node);
}

static void test_an_entry_out_of_turn_is_a_bug(void **state)
{
    (void)state;
    struct node node;
    started(&node);
    node_append(&node, 1, 1);
    struct entry entry = {.index = 3, .term = 1, .record = SPAN("record")};
    expect_assert_failure(storage_append(node.storage, &entry, 1));
    entry.index = 1;
    expect_assert_failure(storage_append(node.storage, &entry, 1));
    node_close(&node);
}

static void fill(struct node *node, uint64_t count, size_t filler)
{
    for (uint64_t index = 1; index <= count; index++)
        node_append_sized(node, index, 1, filler);
}

/* What is remembered of an entry is what parsing its record would say. */
static void test_an_entry_from_memory_is_what_its_record_says(void **state)
{
    (void)state;
    struct node node;
    started(&node);
    struct buf record = {0};
    struct entry entry = {.index = 1,
                          .term = 7,
                          .kind = ENTRY_COMMAND,
                          .time_ms = 123456,
                          .seed = 0xfedcba9876543210,
                          .origin = {.node = 2, .life = 0xabc, .seq = 9},
                          .payload = SPAN("*1\r\n$4\r\nPING\r\n")};
    entry_encode(&record, &entry);
    entry.record = buf_span(&record);
    entry.reading = (struct entry_reading){.command = 7, .argc = 1, .args = {{8, 4}}};
    storage_append(node.storage, &entry, 1);
    struct entry read;
    struct record parsed;
    assert_int_equal(storage_entry(node.storage, 1, &read), ERR_NONE);
    assert_int_equal(record_parse(buf_span(&record), &parsed), RECORD_OK);
    assert_int_equal(read.index, parsed.entry.index);
    assert_int_equal(read.term, parsed.entry.term);
    assert_int_equal(read.kind, parsed.entry.kind);
    assert_int_equal(read.time_ms, parsed.entry.time_ms);
    assert_true(read.seed == parsed.entry.seed);
    assert_memory_equal(&read.origin, &parsed.entry.origin, sizeof read.origin);
    assert_true(span_equal(read.payload, parsed.entry.payload));
    assert_true(span_equal(read.record, buf_span(&record)));
    assert_true(read.record.ptr != record.ptr);
    assert_memory_equal(&read.reading, &entry.reading, sizeof read.reading);
    assert_true(span_is(entry_argument(&read, 0), "PING"));
    buf_close(&record);
    node_close(&node);
}

/* As storage is told, with a reading that names the entry. */
static void append_read(struct node *node, uint64_t index, uint64_t term, size_t filler)
{
    struct buf bytes = {0};
    encode_set(&bytes, index, term, filler);
    struct record record;
    assert_int_equal(record_parse(buf_span(&bytes), &record), RECORD_OK);
    record.entry.reading.command = (uint16_t)(index * 10 + term);
    storage_append(node->storage, &record.entry, 1);
    buf_close(&bytes);
}

static void assert_recent(struct node *node, uint64_t first, uint64_t last, size_t count,
                          uint64_t term)
{
    struct entry entries[2000], one;
    size_t got = storage_recent_entries(node->storage, first, last, entries);
    assert_int_equal(got, count);
    for (size_t i = 0; i < got; i++) {
        assert_int_equal(storage_entry(node->storage, first + i, &one), ERR_NONE);
        assert_int_equal(entries[i].index, first + i);
        assert_int_equal(entries[i].term, term);
        assert_int_equal(entries[i].reading.command, (uint16_t)((first + i) * 10 + term));
        assert_true(entries[i].payload.ptr == one.payload.ptr);
        assert_int_equal(entries[i].payload.len, one.payload.len);
        assert_true(entries[i].record.ptr == one.record.ptr);
        assert_int_equal(entries[i].record.len, one.record.len);
    }
}

static void test_entries_of_late_are_given_as_they_were_appended(void **state)
{
    (void)state;
    struct node node;
    started(&node);
    for (uint64_t index = 1; index <= 2000; index++)
        append_read(&node, index, 1, index % 3 ? 10 : 200);
    assert_recent(&node, 1990, 2000, 11, 1);
    assert_recent(&node, 2000, 2000, 1, 1);
    assert_recent(&node, 1, 2000, 0, 1); /* its place has a later one */
    node_flush(&node);
    assert_int_equal(storage_truncate(node.storage, 1994), ERR_NONE);
    assert_recent(&node, 1990, 1994, 5, 1);
    append_read(&node, 1995, 2, 50);
    append_read(&node, 1996, 2, 50);
    assert_recent(&node, 1995, 1996, 2, 2);
    struct entry entries[2];
    assert_int_equal(storage_recent_entries(node.storage, 1997, 1998, entries), 0);
    node_close(&node);
}

/* All of a batch are applied after it was appended. */
static void test_entries_of_a_large_batch_are_all_of_late(void **state)
{
    (void)state;
    enum { BATCH = 1500 };
    struct node node;
    struct buf bytes = {0};
    struct record record;
    struct entry *entries = mem_alloc((BATCH + 1) * sizeof *entries);
    started(&node);
    append_read(&node, 1, 1, 10);
    for (uint64_t i = 0; i < BATCH; i++)
        encode_set(&bytes, 2 + i, 1, 10);
    for (size_t i = 0, at = 0; i < BATCH; i++, at += record.bytes) {
        assert_int_equal(record_parse(span_of(bytes.ptr + at, bytes.len - at), &record), RECORD_OK);
        entries[i] = record.entry;
        entries[i].reading.command = (uint16_t)((2 + i) * 10 + 1);
    }
    storage_append(node.storage, entries, BATCH);
    size_t got = 0;
    for (uint64_t first = 1; first <= BATCH + 1; first += got) {
        got = storage_recent_entries(node.storage, first, BATCH + 1, entries);
        assert_true(got > 0);
        for (size_t i = 0; i < got; i++)
            assert_int_equal(entries[i].reading.command, (uint16_t)((first + i) * 10 + 1));
    }
    buf_close(&bytes);
    mem_free(entries);
    node_close(&node);
}

static void test_what_is_remembered_of_an_entry_goes_with_it(void **state)
{
    enum { MANY = 3000 }; /* more than are remembered */
    (void)state;
    struct node node;
    started(&node);
    for (uint64_t index = 1; index <= MANY; index++)
        node_append(&node, index, 1);
    node_flush(&node);
    for (uint64_t index = 1; index <= MANY; index++)
        assert_entry(&node, index, 1);
    assert_int_equal(storage_truncate(node.storage, MANY - 100), ERR_NONE);
    for (uint64_t index = MANY - 99; index <= MANY - 50; index++)
        node_append(&node, index, 2);
    node_flush(&node);
    for (uint64_t index = 1; index <= MANY - 50; index++)
        assert_entry(&node, index, index > MANY - 100 ? 2 : 1);
    node_close(&node);
}

static void test_entries_that_left_the_cache_are_read_from_the_file(void **state)
{
    (void)state;
    struct node node;
    started(&node);
    node_crash(&node);
    node.options.cache_bytes_max = 200000;
    node_start(&node);
    fill(&node, 1000, 1000);
    storage_flush(node.storage);
    assert_int_equal(storage_status(node.storage).cache_entries, 1000);
    node_run_all(&node);
    storage_pin(node.storage, 1000);
    struct storage_status status = storage_status(node.storage);
    assert_true(status.cache_bytes <= 200000);
    assert_in_range(status.cache_entries, 100, 250);
    node.fake.reads = 0;
    assert_entry(&node, 1000, 1);
    assert_int_equal(node.fake.reads, 0);
    for (uint64_t index = 1000; index > 0; index -= 37) {
        assert_entry(&node, index, 1);
        if (index <= 37)
            break;
    }
    assert_true(node.fake.reads > 0);
    node_close(&node);
}

static void test_reading_on_in_the_file_reads_it_once(void **state)
{
    (void)state;
    struct node node;
    started(&node);
    fill(&node, 1000, 1000);
    node_flush(&node);
    node_restart(&node);
    node.fake.reads = 0;
    for (uint64_t index = 1; index <= 1000; index++)
        assert_entry(&node, index, 1);
    /* The disk gives 1000 bytes at a time; windows overlap by less than a record. */
    assert_true(node.fake.reads < 1150 * 1000 / 1000);
    node_close(&node);
}

static void test_entries_not_yet_written_stay_in_the_cache(void **state)
{
    (void)state;
    struct node node;
    started(&node);
    node_crash(&node);
    node.options.cache_bytes_max = 1;
    node_start(&node);
    fill(&node, 500, 1000);
    storage_pin(node.storage, 500); /* gathered, not even flushed */
    assert_int_equal(storage_status(node.storage).cache_entries, 500);
    storage_flush(node.storage);
    storage_pin(node.storage, 500); /* queued, not carried out */
    assert_int_equal(storage_status(node.storage).cache_entries, 500);
    for (uint64_t index = 1; index <= 500; index++)
        assert_entry(&node, index, 1);
    node_run_all(&node);
    assert_int_equal(storage_status(node.storage).cache_entries, 0);
    assert_int_equal(storage_status(node.storage).cache_bytes, 0);
    assert_entry(&node, 250, 1);
    node_append(&node, 501, 1);
    assert_entry(&node, 501, 1);
    node_close(&node);
}

static void test_pinned_entries_stay_in_the_cache(void **state)
{
    (void)state;
    struct node node;
    started(&node);
    node_crash(&node);
    node.options.cache_bytes_max = 1;
    node_start(&node);
    fill(&node, 500, 1000);
    node_flush(&node);
    assert_int_equal(storage_status(node.storage).cache_entries, 500); /* nothing applied yet */
    storage_pin(node.storage, 250);
    uint64_t kept = storage_status(node.storage).cache_entries;
    assert_true(kept >= 250 && kept < 500);
    storage_pin(node.storage, 500);
    assert_int_equal(storage_status(node.storage).cache_entries, 0);
    node_close(&node);
}

/* Whatever part comes from the cache and what from the file, the records come in order. */
static void test_a_read_joins_file_and_cache_up_to_the_limit(void **state)
{
    (void)state;
    struct node node;
    started(&node);
    node_crash(&node);
    node.options.cache_bytes_max = 150000;
    node_start(&node);
    fill(&node, 300, 1000);
    node_flush(&node);
    storage_pin(node.storage, 300);
    assert_true(storage_status(node.storage).cache_entries < 200);
    for (size_t bytes_max = 1; bytes_max < 600000; bytes_max = bytes_max * 3 + 777) {
        struct buf out = {0};
        size_t count;
        assert_int_equal(storage_read(node.storage, 3, 299, bytes_max, &out, &count), ERR_NONE);
        assert_in_range(count, 1, 297);
        assert_true(count == 1 || out.len <= bytes_max);
        assert_true(count == 297 || out.len + 1200 > bytes_max);
        struct span rest = buf_span(&out);
        for (size_t i = 0; i < count; i++) {
            struct record record;
            assert_int_equal(record_parse(rest, &record), RECORD_OK);
            assert_int_equal(record.entry.index, 3 + i);
            rest = span_of(rest.ptr + record.bytes, rest.len - record.bytes);
        }
        assert_int_equal(rest.len, 0);
        buf_close(&out);
    }
    node_close(&node);
}

static void test_an_entry_that_rotted_on_the_disk_is_not_served(void **state)
{
    (void)state;
    struct node node;
    started(&node);
    node_append(&node, 1, 1);
    node_append_sized(&node, 2, 1, 600000);
    node_append(&node, 3, 1);
    node_flush(&node);
    node_restart(&node);
    assert_entry(&node, 1, 1); /* what recovery has read of the end is no longer in memory */
    struct buf *log = node_file(&node, LOG);
    log->ptr[log->len - 5] ^= 1;
    struct entry entry;
    assert_int_equal(storage_entry(node.storage, 3, &entry), ERR_CORRUPT);
    struct buf out = {0};
    size_t count;
    assert_int_equal(storage_read(node.storage, 2, 3, SIZE_MAX, &out, &count), ERR_CORRUPT);
    buf_close(&out);
    node_close(&node);
}

static void test_a_truncation_keeps_the_vote_before_it_cuts(void **state)
{
    (void)state;
    struct node node;
    started(&node);
    fill(&node, 3, 10);
    node_vote(&node, 2, 3);
    node_flush(&node);
    node_append(&node, 4, 2);
    assert_int_equal(storage_truncate(node.storage, 1), ERR_NONE);
    node_append(&node, 2, 3);
    uint64_t ticket = storage_flush(node.storage);
    assert_int_equal(node.fake.queued_count, 4);
    static const enum disk_op_kind kinds[] = {DISK_WRITE, DISK_REPLACE, DISK_TRUNCATE, DISK_WRITE};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(node.fake.queued[i].kind, kinds[i]);
        assert_true(node.fake.queued[i].sync);
    }
    assert_string_equal(node.fake.queued[1].path, VOTE_FILE);
    assert_int_equal(node.fake.queued[3].ticket, ticket);
    assert_non_null(memmem(node.fake.queued[3].bytes.ptr, 40, "#VOTE:2:3:", 10));
    node_run_all(&node);
    node_restart(&node);
    assert_seen(&node, "1/1 2/3 ");
    node_close(&node);
}

static void test_a_truncation_at_the_end_does_nothing(void **state)
{
    (void)state;
    struct node node;
    started(&node);
    fill(&node, 3, 10);
    assert_int_equal(storage_truncate(node.storage, 3), ERR_NONE);
    assert_int_equal(storage_truncate(node.storage, 10), ERR_NONE);
    assert_int_equal(node.fake.queued_count, 0);
    assert_int_equal(storage_status(node.storage).last_index, 3);
    node_close(&node);
}

/* Entries 1-5 of term 1 with the vote (2, 3) behind them, cut back to 2, then 3-4 of term 3 and the
 * vote (3, 1). The crash comes after `done` of the operations, the next one is done in part. */
static void crash_after(size_t done, bool partly, uint64_t *last, struct vote_record *vote)
{
    struct node node;
    started(&node);
    fill(&node, 5, 10);
    node_vote(&node, 2, 3);
    node_flush(&node);
    assert_int_equal(storage_truncate(node.storage, 2), ERR_NONE);
    node_append(&node, 3, 3);
    storage_flush(node.storage);
    node_vote(&node, 3, 1);
    node_append(&node, 4, 3);
    storage_flush(node.storage);
    assert_int_equal(node.fake.queued_count, 4);
    node_run(&node, done);
    if (partly && done < 4 && node.fake.queued[0].kind == DISK_WRITE) {
        node.fake.queued[0].bytes.len /= 2;
        node_run(&node, 1);
    }
    node_restart(&node);
    *last = node.recovered.last_index;
    *vote = node.recovered.vote;
    node_close(&node);
}

static void test_the_vote_survives_a_crash_at_each_step_of_a_truncation(void **state)
{
    (void)state;
    static const uint64_t expected_last[] = {5, 5, 2, 3, 4};
    for (size_t done = 0; done <= 4; done++) {
        for (int partly = 0; partly < 2; partly++) {
            uint64_t last;
            struct vote_record vote;
            crash_after(done, partly, &last, &vote);
            assert_int_equal(last, expected_last[done]);
            /* (2, 3) was promised before all this; a later term forgets it, nothing else may. */
            if (done < 3)
                assert_true(vote.term == 2 && vote.node == 3);
            else if (done == 3)
                assert_true(vote.term == 3 && (vote.node == 0 || vote.node == 1));
            else
                assert_true(vote.term == 3 && vote.node == 1);
        }
    }
}

static void test_a_second_truncation_before_the_first_is_done_works_too(void **state)
{
    (void)state;
    struct node node;
    started(&node);
    fill(&node, 9, 10);
    assert_int_equal(storage_truncate(node.storage, 6), ERR_NONE);
    node_append(&node, 7, 2);
    node_append(&node, 8, 2);
    assert_int_equal(storage_truncate(node.storage, 7), ERR_NONE);
    assert_int_equal(storage_truncate(node.storage, 3), ERR_NONE);
    node_append(&node, 4, 3);
    storage_flush(node.storage);
    node_run_all(&node);
    assert_int_equal(storage_status(node.storage).log_bytes, node_file(&node, LOG)->len);
    node_restart(&node);
    assert_seen(&node, "1/1 2/1 3/1 4/3 ");
    node_close(&node);
}

/* The file is read while a truncation waits in the queue: what was read of the part that is going
 * away must not be taken for what is written there afterwards. */
static void test_what_was_read_before_a_cut_is_not_served_after_it(void **state)
{
    (void)state;
    struct node node;
    started(&node);
    fill(&node, 5, 10);
    node_flush(&node);
    node_crash(&node);
    node.options.cache_bytes_max = 1;
    node_start(&node);
    assert_int_equal(storage_truncate(node.storage, 2), ERR_NONE);
    assert_entry(&node, 1, 1); /* the file still has all of the old entries */
    for (uint64_t index = 3; index <= 5; index++)
        node_append_sized(&node, index, 2, 10);
    storage_flush(node.storage);
    assert_entry(&node, 2, 1);
    node_run_all(&node);
    storage_pin(node.storage, 5);
    assert_int_equal(storage_status(node.storage).cache_entries, 0);
    for (uint64_t index = 1; index <= 5; index++)
        assert_entry(&node, index, index <= 2 ? 1 : 2);
    node_close(&node);
}

static void test_the_cache_follows_a_truncation(void **state)
{
    (void)state;
    struct node node;
    started(&node);
    fill(&node, 300, 1000);
    node_flush(&node);
    for (uint64_t last = 299; last > 3; last = last * 2 / 3) {
        assert_int_equal(storage_truncate(node.storage, last), ERR_NONE);
        struct storage_status status = storage_status(node.storage);
        assert_int_equal(status.last_index, last);
        assert_int_equal(status.cache_entries, last);
        assert_in_range(status.cache_bytes, last * 1000, last * 1200);
        assert_entry(&node, last, 1);
        node_append(&node, last + 1, 2);
        assert_entry(&node, last + 1, 2);
        assert_int_equal(storage_truncate(node.storage, last), ERR_NONE);
    }
    assert_int_equal(storage_truncate(node.storage, 0), ERR_NONE);
    assert_int_equal(storage_status(node.storage).cache_entries, 0);
    assert_int_equal(storage_status(node.storage).cache_bytes, 0);
    node_append(&node, 1, 9);
    node_flush(&node);
    node_restart(&node);
    assert_seen(&node, "1/9 ");
    node_close(&node);
}

/* The operations of a tick that sync. */
static size_t syncs_of_tick(struct node *node, uint64_t now_ms)
{
    size_t count = 0;
    storage_tick(node->storage, now_ms);
    for (size_t i = 0; i < node->fake.queued_count; i++)
        count += node->fake.queued[i].sync;
    node_run_all(node);
    return count;
}

static void test_everysec_syncs_once_a_second_if_something_was_written(void **state)
{
    (void)state;
    struct node node;
    started(&node);
    storage_set_sync(node.storage, STORAGE_SYNC_EVERYSEC);
    assert_int_equal(syncs_of_tick(&node, 10000), 0);
    node_append(&node, 1, 1);
    storage_flush(node.storage);
    assert_false(node.fake.queued[0].sync);
    node_run_all(&node);
    assert_int_equal(syncs_of_tick(&node, 10001), 1);
    node_append(&node, 2, 1);
    node_flush(&node);
    assert_int_equal(syncs_of_tick(&node, 11000), 0);
    assert_int_equal(syncs_of_tick(&node, 11001), 1);
    for (uint64_t now_ms = 11002; now_ms < 20000; now_ms += 100)
        assert_int_equal(syncs_of_tick(&node, now_ms), 0);
    node_close(&node);
}

static void test_a_quiet_log_says_once_how_far_it_is_synced(void **state)
{
    (void)state;
    struct node node;
    started(&node);
    storage_tick(node.storage, 1000);
    node_append(&node, 1, 1);
    node_append(&node, 2, 1);
    node_flush(&node);
    size_t end = node_file(&node, LOG)->len;
    for (uint64_t now_ms = 1001; now_ms < 9000; now_ms += 100) {
        assert_int_equal(syncs_of_tick(&node, now_ms), 0);
        if (now_ms < 1500)
            assert_int_equal(node_file(&node, LOG)->len, end);
    }
    char mark[64];
    snprintf(mark, sizeof mark, "#SYNC:%zu:", end);
    struct buf *log = node_file(&node, LOG);
    assert_memory_equal(log->ptr + end, mark, strlen(mark));
    assert_true(log->len < end + 40);
    node_crash(&node);
    log->ptr[end - 5] ^= 1;
    assert_refused(&node, ERR_CORRUPT, "synced once");
    node_close(&node);
}

static void test_without_sync_nothing_is_synced_but_a_truncation(void **state)
{
    (void)state;
    struct node node;
    started(&node);
    storage_set_sync(node.storage, STORAGE_SYNC_NO);
    fill(&node, 3, 10);
    storage_flush(node.storage);
    storage_tick(node.storage, 100000);
    assert_int_equal(storage_truncate(node.storage, 1), ERR_NONE);
    storage_flush(node.storage);
    assert_int_equal(node.fake.queued_count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(node.fake.queued[i].sync, node.fake.queued[i].kind != DISK_WRITE);
    node_run_all(&node);
    node_close(&node);
}

static void start_writing_now(struct node *node, enum storage_sync sync)
{
    started(node);
    node_crash(node);
    node->port.write_now = fake_write_now;
    node->options.sync = sync;
    node_start(node);
}

static void test_what_needs_no_sync_is_durable_when_it_is_flushed(void **state)
{
    (void)state;
    struct node node;
    start_writing_now(&node, STORAGE_SYNC_NO);
    node_run_all(&node);
    for (uint64_t index = 1; index <= 3; index++) {
        node_append(&node, index, 1);
        uint64_t ticket = storage_flush(node.storage);
        assert_int_equal(node.fake.queued_count, 0);
        assert_int_equal(storage_completed_ticket(node.storage), ticket);
        assert_int_equal(storage_last_ticket(node.storage), ticket);
    }
    node_restart(&node);
    assert_seen(&node, "1/1 2/1 3/1 ");
    node_close(&node);
}

static void test_what_does_not_fit_at_once_waits_in_the_queue(void **state)
{
    (void)state;
    struct node node;
    start_writing_now(&node, STORAGE_SYNC_NO);
    node_run_all(&node);
    node.fake.now_max = 10;
    node_append(&node, 1, 1);
    uint64_t ticket = storage_flush(node.storage);
    assert_int_equal(node.fake.queued_count, 1);
    assert_true(storage_completed_ticket(node.storage) < ticket);
    node.fake.now_max = 0;
    node_append(&node, 2, 1);
    storage_flush(node.storage); /* behind the rest of the first one */
    assert_int_equal(node.fake.queued_count, 2);
    node_run_all(&node);
    assert_int_equal(storage_completed_ticket(node.storage), ticket + 1);
    node_restart(&node);
    assert_seen(&node, "1/1 2/1 ");
    node_close(&node);
}

static void test_what_is_behind_a_sync_waits_in_the_queue(void **state)
{
    (void)state;
    struct node node;
    start_writing_now(&node, STORAGE_SYNC_EVERYSEC);
    node_run_all(&node);
    node_append(&node, 1, 1);
    storage_flush(node.storage);
    storage_tick(node.storage, 10000);
    size_t queued = node.fake.queued_count;
    assert_true(queued > 0 && node.fake.queued[queued - 1].sync);
    node_append(&node, 2, 1);
    uint64_t ticket = storage_flush(node.storage);
    assert_int_equal(node.fake.queued_count, queued + 1);
    assert_true(storage_completed_ticket(node.storage) < ticket);
    node_run_all(&node);
    assert_int_equal(storage_completed_ticket(node.storage), ticket);
    node_close(&node);
}

static void test_what_is_to_be_synced_always_goes_through_the_queue(void **state)
{
    (void)state;
    struct node node;
    start_writing_now(&node, STORAGE_SYNC_ALWAYS);
    node_run_all(&node);
    node_append(&node, 1, 1);
    uint64_t ticket = storage_flush(node.storage);
    assert_int_equal(node.fake.queued_count, 1);
    assert_true(node.fake.queued[0].sync);
    assert_true(storage_completed_ticket(node.storage) < ticket);
    node_close(&node);
}

static void test_the_status_counts_what_was_written(void **state)
{
    (void)state;
    struct node node;
    started(&node);
    assert_int_equal(storage_status(node.storage).first_index, 1);
    assert_int_equal(storage_status(node.storage).last_index, 0);
    fill(&node, 4, 10);
    node_flush(&node);
    struct storage_status status = storage_status(node.storage);
    assert_int_equal(status.first_index, 1);
    assert_int_equal(status.last_index, 4);
    assert_int_equal(status.writes, 1);
    assert_int_equal(status.syncs, 1);
    assert_int_equal(status.log_bytes, node_file(&node, LOG)->len);
    assert_true(status.bytes_written > status.cache_bytes); /* a mark as well */
    assert_true(status.bytes_written < status.cache_bytes + 40);
    node_close(&node);
}

static void test_a_folder_whose_path_is_too_long_is_refused(void **state)
{
    (void)state;
    struct node node;
    node_init(&node);
    static char path[4096];
    memset(path, 'p', sizeof path - 1);
    node.options.folder = path;
    assert_refused(&node, ERR_INVALID, "too long");
    assert_int_equal(node.fake.calls, 0);
    node_close(&node);
}

static void test_large_entry_takes_no_more_room_in_the_cache_than_it_has_bytes(void **state)
{
    (void)state;
    struct node node;
    started(&node);
    uint64_t before = storage_memory(node.storage);
    node_append_sized(&node, 1, 1, 3 << 20);
    node_flush(&node);
    storage_trim(node.storage); /* what was gathered is at the disk */
    uint64_t took = storage_memory(node.storage) - before;
    assert_in_range(took, 3 << 20, (3 << 20) + 1024 * 1024);
    node_close(&node);
}

/* 4000 entries of about 1100 bytes in a large cache, all on the disk. */
static void start_with_large_cache(struct node *node)
{
    node_init(node);
    node->options.cache_bytes_max = 64 << 20;
    node_start(node);
    fill(node, 4000, 1000);
    node_flush(node);
}

static void test_entries_that_nobody_wants_leave_the_cache(void **state)
{
    (void)state;
    struct node node;
    start_with_large_cache(&node);
    storage_pin(node.storage, 4000);
    assert_int_equal(storage_cached_after(node.storage), 0); /* as long as nobody has said more */
    storage_want(node.storage, 4000, 1 << 20);
    storage_pin(node.storage, 4000);
    struct storage_status status = storage_status(node.storage);
    assert_in_range(status.cache_bytes, (1 << 20) - (1 << 17), 1 << 20);
    assert_int_equal(storage_cached_after(node.storage), 4000 - status.cache_entries);
    storage_want(node.storage, 4000, 1 << 16);
    storage_pin(node.storage, 4000);
    assert_in_range(storage_status(node.storage).cache_bytes, 1, 1 << 16);
    node.fake.reads = 0;
    assert_entry(&node, 4000, 1);
    assert_int_equal(node.fake.reads, 0);
    assert_entry(&node, 1, 1);
    node_append_sized(&node, 4001, 1, 3 << 20); /* nor is one larger than all that stays */
    node_flush(&node);
    storage_want(node.storage, 4001, 1 << 20);
    storage_pin(node.storage, 4001);
    assert_int_equal(storage_status(node.storage).cache_bytes, 0);
    node_close(&node);
}

static void test_wanted_and_unapplied_entries_stay_in_the_cache(void **state)
{
    (void)state;
    struct node node;
    start_with_large_cache(&node);
    storage_want(node.storage, 2000, 1);
    storage_pin(node.storage, 4000);
    assert_in_range(storage_cached_after(node.storage), 2000 - 60, 2000);
    storage_want(node.storage, 4000, 1);
    storage_pin(node.storage, 3000);
    assert_in_range(storage_cached_after(node.storage), 3000 - 60, 3000);
    node_close(&node);
}

static void test_wanted_entries_leave_a_cache_that_is_full(void **state)
{
    (void)state;
    struct node node;
    started(&node);
    node_crash(&node);
    node.options.cache_bytes_max = 200000;
    node_start(&node);
    fill(&node, 1000, 1000);
    node_flush(&node);
    storage_want(node.storage, 0, 64 << 20);
    storage_pin(node.storage, 1000);
    assert_in_range(storage_status(node.storage).cache_bytes, 100000, 200000);
    node_close(&node);
}

/* Records of all sizes: what a chunk grew by is given back when the next one begins. */
static void test_the_cache_takes_little_more_than_its_records(void **state)
{
    (void)state;
    for (size_t size = 10; size < 40000; size = size * 3 / 2) {
        struct node node;
        node_init(&node);
        node.options.cache_bytes_max = 64 << 20;
        node_start(&node);
        uint64_t before = storage_memory(node.storage);
        uint64_t count = (4 << 20) / (size + 100);
        fill(&node, count, size);
        node_flush(&node);
        uint64_t took = storage_memory(node.storage) - before;
        struct storage_status status = storage_status(node.storage);
        assert_true(took <= status.cache_bytes * 9 / 8 + 4 * count + (1 << 17));
        node_close(&node);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_flush_is_one_operation_for_all_that_was_gathered),
        cmocka_unit_test(test_entries_of_late_are_given_as_they_were_appended),
        cmocka_unit_test(test_entries_of_a_large_batch_are_all_of_late),
        cmocka_unit_test(test_what_was_not_flushed_is_lost_in_a_crash),
        cmocka_unit_test(test_an_entry_out_of_turn_is_a_bug),
        cmocka_unit_test(test_an_entry_from_memory_is_what_its_record_says),
        cmocka_unit_test(test_what_is_remembered_of_an_entry_goes_with_it),
        cmocka_unit_test(test_entries_that_left_the_cache_are_read_from_the_file),
        cmocka_unit_test(test_reading_on_in_the_file_reads_it_once),
        cmocka_unit_test(test_entries_not_yet_written_stay_in_the_cache),
        cmocka_unit_test(test_pinned_entries_stay_in_the_cache),
        cmocka_unit_test(test_a_read_joins_file_and_cache_up_to_the_limit),
        cmocka_unit_test(test_an_entry_that_rotted_on_the_disk_is_not_served),
        cmocka_unit_test(test_a_truncation_keeps_the_vote_before_it_cuts),
        cmocka_unit_test(test_a_truncation_at_the_end_does_nothing),
        cmocka_unit_test(test_the_vote_survives_a_crash_at_each_step_of_a_truncation),
        cmocka_unit_test(test_a_second_truncation_before_the_first_is_done_works_too),
        cmocka_unit_test(test_what_was_read_before_a_cut_is_not_served_after_it),
        cmocka_unit_test(test_the_cache_follows_a_truncation),
        cmocka_unit_test(test_everysec_syncs_once_a_second_if_something_was_written),
        cmocka_unit_test(test_a_quiet_log_says_once_how_far_it_is_synced),
        cmocka_unit_test(test_without_sync_nothing_is_synced_but_a_truncation),
        cmocka_unit_test(test_what_needs_no_sync_is_durable_when_it_is_flushed),
        cmocka_unit_test(test_what_does_not_fit_at_once_waits_in_the_queue),
        cmocka_unit_test(test_what_is_behind_a_sync_waits_in_the_queue),
        cmocka_unit_test(test_what_is_to_be_synced_always_goes_through_the_queue),
        cmocka_unit_test(test_the_status_counts_what_was_written),
        cmocka_unit_test(test_a_folder_whose_path_is_too_long_is_refused),
        cmocka_unit_test(test_large_entry_takes_no_more_room_in_the_cache_than_it_has_bytes),
        cmocka_unit_test(test_entries_that_nobody_wants_leave_the_cache),
        cmocka_unit_test(test_wanted_and_unapplied_entries_stay_in_the_cache),
        cmocka_unit_test(test_wanted_entries_leave_a_cache_that_is_full),
        cmocka_unit_test(test_the_cache_takes_little_more_than_its_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
