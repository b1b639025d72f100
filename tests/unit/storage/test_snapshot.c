#include "unit/storage/ops.h"

/* The image that the shard would have written. */
static void node_image(struct node *node, const char *text)
{
    fake_replace(&node->fake, storage_image_begin(node->storage), span_text(text));
}

static void node_adopt(struct node *node, uint64_t index, uint64_t term, uint64_t keep_bytes)
{
    assert_int_equal(storage_image_adopt(node->storage, index, term, keep_bytes), ERR_NONE);
}

/* Entries 1 to 6 in segments 1 to 3, segment 4 is empty; a vote in term 5. */
static void start_cut_log(struct node *node)
{
    node_init(node);
    node_start(node);
    node_fill(node, 3);
    node_vote(node, 5, 3);
    node_cut(node);
    node_flush(node);
}

static void assert_loaded(const struct node *node, const char *text)
{
    if (!span_equal(buf_span(&node->loaded), span_text(text)))
        fail_msg("loaded '%.*s', expected '%s'", (int)node->loaded.len, node->loaded.ptr, text);
    assert_int_equal(node->loads_ended, 1);
}

static void assert_snapshot(const struct node *node, uint64_t index, uint64_t term, uint64_t bytes)
{
    struct storage_snapshot snapshot = storage_status(node->storage).snapshot;
    assert_int_equal(snapshot.index, index);
    assert_int_equal(snapshot.term, term);
    assert_int_equal(snapshot.bytes, bytes);
}

static void assert_recovered_snapshot(const struct node *node, uint64_t index, uint64_t term,
                                      uint64_t bytes)
{
    assert_int_equal(node->recovered.snapshot.index, index);
    assert_int_equal(node->recovered.snapshot.term, term);
    assert_int_equal(node->recovered.snapshot.bytes, bytes);
    assert_snapshot(node, index, term, bytes);
}

static void test_an_image_takes_the_place_of_the_log_that_it_covers(void **state)
{
    (void)state;
    struct node node;
    start_cut_log(&node);
    node_image(&node, "six");
    assert_true(node_has(&node, "temp-image-5.rdb"));
    node_adopt(&node, 6, 3, 0);
    assert_queued(&node, "rename temp-image-5.rdb 6.base.rdb; replace manifest; remove 1.incr.aof; "
                         "remove 2.incr.aof; remove 3.incr.aof; ");
    assert_snapshot(&node, 6, 3, 3);
    node_run_all(&node);
    assert_manifest(&node, BASE_LINE("6") SEGMENT_LINE("4", "i"));
    assert_int_equal(storage_status(node.storage).history_bytes, 0);
    assert_int_equal(storage_status(node.storage).first_index, 7);
    node_append(&node, 7, 3);
    node_flush(&node);
    node_restart(&node);
    assert_loaded(&node, "six");
    assert_seen(&node, "7/3 ");
    assert_vote(&node, 5, 3);
    assert_recovered_snapshot(&node, 6, 3, 3);
    assert_int_equal(node.recovered.first_index, 7);
    assert_int_equal(node.recovered.prev_term, 3);
    assert_log_goes_on(&node);
    assert_loaded(&node, "six");
    node_close(&node);
}

struct keeping {
    unsigned kept;
    uint64_t extra; /* beyond the bytes of the newest kept - 1 segments */
    const char *manifest;
    const char *seen;
};

static const struct keeping keepings[] = {
    {0, 0, BASE_LINE("6") SEGMENT_LINE("4", "i"), ""},
    {1, 1, BASE_LINE("6") SEGMENT_LINE("3", "h") SEGMENT_LINE("4", "i"), "5/3 6/3 "},
    {2, 1, BASE_LINE("6") SEGMENT_LINE("2", "h") SEGMENT_LINE("3", "h") SEGMENT_LINE("4", "i"),
     "3/2 4/2 5/3 6/3 "},
    {3, 1,
     BASE_LINE("6") SEGMENT_LINE("1", "h") SEGMENT_LINE("2", "h") SEGMENT_LINE("3", "h")
         SEGMENT_LINE("4", "i"),
     "1/1 2/1 3/2 4/2 5/3 6/3 "},
    {3, UINT64_MAX / 2,
     BASE_LINE("6") SEGMENT_LINE("1", "h") SEGMENT_LINE("2", "h") SEGMENT_LINE("3", "h")
         SEGMENT_LINE("4", "i"),
     "1/1 2/1 3/2 4/2 5/3 6/3 "},
};

static void test_history_is_kept_in_whole_segments_of_at_least_the_bytes_asked_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof keepings / sizeof *keepings; i++) {
        const struct keeping *keeping = &keepings[i];
        struct node node;
        start_cut_log(&node);
        uint64_t keep = keeping->extra;
        uint64_t history = 0;
        for (unsigned kept = 0; kept < keeping->kept; kept++) {
            size_t len = node_segment(&node, 3 - kept)->len;
            keep += kept + 1 < keeping->kept ? len : 0;
            history += len;
        }
        node_image(&node, "six");
        node_adopt(&node, 6, 3, keep);
        assert_int_equal(storage_status(node.storage).history_bytes, history);
        assert_int_equal(storage_status(node.storage).first_index, 7 - 2 * keeping->kept);
        node_run_all(&node);
        assert_manifest(&node, keeping->manifest);
        node_restart(&node);
        assert_loaded(&node, "six");
        assert_seen(&node, keeping->seen);
        assert_recovered_snapshot(&node, 6, 3, 3);
        assert_int_equal(storage_status(node.storage).history_bytes, history);
        assert_int_equal(node.recovered.first_index, 7 - 2 * keeping->kept);
        assert_int_equal(node.recovered.prev_term, 3 - keeping->kept);
        assert_int_equal(node.recovered.last_index, 6);
        assert_int_equal(node.recovered.last_term, 3);
        assert_log_goes_on(&node);
        node_close(&node);
    }
}

static void test_an_image_of_an_earlier_entry_leaves_what_came_after_it(void **state)
{
    (void)state;
    struct node node;
    start_cut_log(&node);
    node_append(&node, 7, 6);
    node_image(&node, "four");
    node_adopt(&node, 4, 2, 1);
    assert_queued(&node, "rename temp-image-5.rdb 6.base.rdb; replace manifest; "
                         "remove 1.incr.aof; ");
    node_flush(&node);
    assert_manifest(&node, BASE_LINE("6") SEGMENT_LINE("2", "h") SEGMENT_LINE("3", "i")
                               SEGMENT_LINE("4", "i"));
    node_restart(&node);
    assert_loaded(&node, "four");
    assert_seen(&node, "3/2 4/2 5/3 6/3 7/6 ");
    assert_recovered_snapshot(&node, 4, 2, 4);
    assert_int_equal(node.recovered.prev_term, 1);
    expect_assert_failure(assert_int_equal(storage_truncate(node.storage, 3), ERR_NONE));
    assert_int_equal(storage_truncate(node.storage, 4), ERR_NONE);
    node_flush(&node);
    node_restart(&node);
    assert_seen(&node, "3/2 4/2 ");
    assert_recovered_snapshot(&node, 4, 2, 4);
    assert_log_goes_on(&node);
    node_close(&node);
}

static void test_a_second_image_replaces_the_first(void **state)
{
    (void)state;
    struct node node;
    start_cut_log(&node);
    node_image(&node, "four");
    node_adopt(&node, 4, 2, UINT64_MAX);
    node_run_all(&node);
    node_image(&node, "sixsix");
    node_adopt(&node, 6, 3, 1);
    assert_queued(&node, "rename temp-image-7.rdb 8.base.rdb; replace manifest; remove 6.base.rdb; "
                         "remove 1.incr.aof; remove 2.incr.aof; ");
    node_run_all(&node);
    assert_false(node_has(&node, "appendonly.aof.6.base.rdb"));
    node_restart(&node);
    assert_loaded(&node, "sixsix");
    assert_recovered_snapshot(&node, 6, 3, 6);
    node_append(&node, 7, 7);
    node_cut(&node);
    node_image(&node, "seven");
    node_adopt(&node, 7, 7, 0);
    node_flush(&node);
    node_restart(&node);
    assert_loaded(&node, "seven");
    assert_seen(&node, "");
    assert_int_equal(node.recovered.last_index, 7);
    assert_int_equal(node.recovered.last_term, 7);
    assert_log_goes_on(&node);
    node_close(&node);
}

static void test_a_crash_in_an_adoption_leaves_the_old_or_the_new_snapshot(void **state)
{
    (void)state;
    for (size_t count = 0; count <= 5; count++) {
        struct node node;
        start_cut_log(&node);
        node_image(&node, "four");
        node_adopt(&node, 4, 2, UINT64_MAX);
        node_run_all(&node);
        node_image(&node, "sixsix");
        node_adopt(&node, 6, 3, 1);
        assert_int_equal(node.fake.queued_count, 5);
        node_run(&node, count);
        node_restart(&node);
        assert_vote(&node, 5, 3);
        bool adopted = count >= 2;
        assert_loaded(&node, adopted ? "sixsix" : "four");
        assert_seen(&node, adopted ? "5/3 6/3 " : "1/1 2/1 3/2 4/2 5/3 6/3 ");
        assert_false(node_has(&node, "temp-image-7.rdb"));
        assert_int_equal(node_has(&node, "appendonly.aof.6.base.rdb"), !adopted);
        assert_int_equal(node_has(&node, "appendonly.aof.8.base.rdb"), adopted);
        assert_log_goes_on(&node);
        node_close(&node);
    }
}

static void test_an_image_that_is_not_wanted_is_removed(void **state)
{
    (void)state;
    struct node node;
    start_cut_log(&node);
    storage_image_drop(node.storage);
    assert_queued(&node, "");
    node_image(&node, "x");
    storage_image_drop(node.storage);
    storage_image_drop(node.storage);
    assert_queued(&node, "remove temp-image-5.rdb; ");
    node_run_all(&node);
    node_image(&node, "x");
    assert_true(node_has(&node, "temp-image-6.rdb"));
    node_image(&node, "y");
    assert_queued(&node, "remove temp-image-6.rdb; ");
    node_restart(&node);
    assert_false(node_has(&node, "temp-image-6.rdb"));
    assert_false(node_has(&node, "temp-image-7.rdb"));
    assert_seen(&node, "1/1 2/1 3/2 4/2 5/3 6/3 ");
    node_close(&node);
}

static void test_an_image_that_cannot_be_opened_changes_nothing(void **state)
{
    (void)state;
    for (unsigned call = 1; call <= 3; call++) {
        struct node node;
        start_cut_log(&node);
        node_image(&node, "six");
        node.fake.fail_at = node.fake.calls + call;
        enum err expected = call == 1 ? ERR_DENIED : ERR_IO;
        if (call == 3) {
            node.fake.fail_at = 0;
            fake_unlink(&node.fake, FOLDER "/appendonlydir/temp-image-5.rdb");
            expected = ERR_NOT_FOUND;
        }
        assert_int_equal(storage_image_adopt(node.storage, 6, 3, 0), expected);
        assert_non_null(strstr(node.logged.ptr, "temp-image-5.rdb"));
        node.fake.fail_at = 0;
        assert_queued(&node, "");
        assert_snapshot(&node, 0, 0, 0);
        storage_image_drop(node.storage);
        node_image(&node, "sixes");
        node_adopt(&node, 6, 3, 0);
        node_run_all(&node);
        node_restart(&node);
        assert_loaded(&node, "sixes");
        node_close(&node);
    }
}

static void test_a_snapshot_is_read_in_pieces(void **state)
{
    (void)state;
    struct node node;
    start_cut_log(&node);
    enum { BYTES = 700001 };
    struct buf content = {0};
    for (size_t i = 0; i < BYTES; i++)
        buf_add_char(&content, (char)(i * 7 / 1000));
    fake_replace(&node.fake, storage_image_begin(node.storage), buf_span(&content));
    node_adopt(&node, 6, 3, 0);
    for (int round = 0; round < 3; round++) {
        static const size_t offsets[] = {0, 1, 999, 65536, BYTES - 1, BYTES, BYTES + 5};
        for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
            struct buf out = {0};
            buf_add_text(&out, "before");
            assert_int_equal(storage_read_snapshot(node.storage, offsets[i], 3000, &out), ERR_NONE);
            size_t left = offsets[i] < BYTES ? BYTES - offsets[i] : 0;
            assert_int_equal(out.len, 6 + (left < 3000 ? left : 3000));
            assert_memory_equal(out.ptr, "before", 6);
            if (left)
                assert_memory_equal(out.ptr + 6, content.ptr + offsets[i], out.len - 6);
            buf_close(&out);
        }
        if (round == 0)
            node_run_all(&node);
        else
            node_restart(&node);
    }
    assert_true(span_equal(buf_span(&node.loaded), buf_span(&content)));
    node.fake.fail_at = node.fake.calls + 2;
    struct buf out = {0};
    assert_int_equal(storage_read_snapshot(node.storage, 0, 3000, &out), ERR_IO);
    node.fake.fail_at = 0;
    buf_close(&out);
    buf_close(&content);
    node_close(&node);
}

static void test_a_cut_that_was_truncated_away_is_cut_again(void **state)
{
    (void)state;
    struct node node;
    start_cut_log(&node);
    node_image(&node, "six");
    assert_int_equal(storage_truncate(node.storage, 5), ERR_NONE);
    storage_image_drop(node.storage);
    node_append(&node, 6, 9);
    node_cut(&node);
    node_image(&node, "new six");
    node_flush(&node);
    node_adopt(&node, 6, 9, 1);
    node_run_all(&node);
    assert_prev(&node, 6, 6, 9);
    assert_manifest(&node, BASE_LINE("8") SEGMENT_LINE("3", "h") SEGMENT_LINE("6", "i"));
    node_restart(&node);
    assert_loaded(&node, "new six");
    assert_seen(&node, "5/3 6/9 ");
    assert_log_goes_on(&node);
    node_close(&node);
}

static void test_terms_are_known_behind_a_purged_log(void **state)
{
    (void)state;
    for (int restarted = 0; restarted <= 1; restarted++) {
        struct node node;
        start_cut_log(&node);
        node_image(&node, "six");
        node_adopt(&node, 6, 3, 0);
        node_run_all(&node);
        if (restarted)
            node_restart(&node);
        node_append(&node, 7, 3);
        node_append(&node, 8, 6);
        assert_int_equal(storage_truncate(node.storage, 7), ERR_NONE);
        node_cut(&node);
        node_flush(&node);
        assert_prev(&node, 7, 7, 3);
        assert_int_equal(storage_truncate(node.storage, 6), ERR_NONE);
        node_append(&node, 7, 7);
        node_cut(&node);
        node_flush(&node);
        node_restart(&node);
        assert_seen(&node, "7/7 ");
        assert_log_goes_on(&node);
        node_close(&node);
    }
}

/* ---- a snapshot from elsewhere ---- */

static void node_install(struct node *node, uint64_t index, uint64_t term)
{
    assert_int_equal(storage_install_begin(node->storage), ERR_NONE);
    storage_install_write(node->storage, SPAN("from "));
    storage_install_write(node->storage, SPAN("elsewhere"));
    assert_int_equal(storage_install_finish(node->storage, index, term), ERR_NONE);
}

static void test_a_snapshot_from_elsewhere_replaces_the_log(void **state)
{
    (void)state;
    struct node node;
    start_cut_log(&node);
    assert_int_equal(storage_install_begin(node.storage), ERR_NONE);
    assert_queued(&node, "");
    storage_install_write(node.storage, SPAN("from "));
    uint64_t ticket = storage_last_ticket(node.storage);
    assert_queued(&node, "append temp-install-5.rdb; ");
    node_run_all(&node);
    assert_int_equal(node.completed, ticket);
    storage_install_write(node.storage, SPAN("elsewhere"));
    node_run_all(&node);
    assert_snapshot(&node, 0, 0, 0);
    assert_int_equal(storage_install_finish(node.storage, 100, 7), ERR_NONE);
    assert_queued(&node, "+sync temp-install-5.rdb; append+sync 6.incr.aof; "
                         "rename temp-install-5.rdb 7.base.rdb; replace manifest; "
                         "remove 1.incr.aof; remove 2.incr.aof; remove 3.incr.aof; "
                         "remove 4.incr.aof; ");
    assert_snapshot(&node, 100, 7, 14);
    struct storage_status status = storage_status(node.storage);
    assert_int_equal(status.first_index, 101);
    assert_int_equal(status.last_index, 100);
    assert_int_equal(status.cache_entries, 0);
    assert_int_equal(status.history_bytes, 0);
    assert_true(storage_flush(node.storage) > ticket); /* so that there is something to wait for */
    node_run_all(&node);
    assert_manifest(&node, BASE_LINE("7") SEGMENT_LINE("6", "i"));
    assert_prev(&node, 6, 100, 7);
    node_restart(&node);
    assert_loaded(&node, "from elsewhere");
    assert_seen(&node, "");
    assert_vote(&node, 7, 0); /* the term of the snapshot is known to be over the vote's */
    assert_recovered_snapshot(&node, 100, 7, 14);
    assert_int_equal(node.recovered.last_index, 100);
    assert_int_equal(node.recovered.last_term, 7);
    assert_int_equal(node.recovered.prev_term, 7);
    assert_log_goes_on(&node);
    node_close(&node);
}

static void test_the_log_goes_on_behind_an_installed_snapshot_at_once(void **state)
{
    (void)state;
    struct node node;
    start_cut_log(&node);
    node_append(&node, 7, 5); /* gathered, and gone with the rest */
    node_install(&node, 100, 7);
    node_append(&node, 101, 7);
    node_append(&node, 102, 8);
    assert_int_equal(storage_truncate(node.storage, 101), ERR_NONE);
    node_cut(&node);
    node_append(&node, 102, 9);
    struct entry entry;
    assert_int_equal(storage_entry(node.storage, 101, &entry), ERR_NONE);
    assert_int_equal(entry.term, 7);
    node_vote(&node, 9, 2);
    node_flush(&node);
    node_restart(&node);
    assert_loaded(&node, "from elsewhere");
    assert_seen(&node, "101/7 102/9 ");
    assert_vote(&node, 9, 2);
    node_image(&node, "own");
    node_cut(&node);
    node_adopt(&node, 102, 9, 1);
    node_flush(&node);
    node_restart(&node);
    assert_loaded(&node, "own");
    assert_seen(&node, "102/9 ");
    assert_log_goes_on(&node);
    node_close(&node);
}

static size_t crash_in_install(size_t count, enum storage_sync sync)
{
    struct node node;
    start_cut_log(&node);
    storage_set_sync(node.storage, sync);
    node_image(&node, "four");
    node_adopt(&node, 4, 2, 0);
    node_run_all(&node);
    node_image(&node, "unwanted");
    node_vote(&node, 8, 1);
    node_install(&node, 100, 7);
    storage_flush(node.storage);
    size_t queued = node.fake.queued_count;
    if (count > queued)
        count = queued;
    node_run(&node, count);
    node_restart(&node);
    bool installed = node.recovered.snapshot.index == 100;
    assert_loaded(&node, installed ? "from elsewhere" : "four");
    assert_seen(&node, installed ? "" : "5/3 6/3 ");
    assert_int_equal(node.recovered.snapshot.index, installed ? 100 : 4);
    assert_true(installed || count < queued);
    if (count >= 3)
        assert_vote(&node, 8, 1);
    size_t files = 0;
    for (size_t i = 0; i < node.fake.file_count; i++)
        files += node.fake.files[i].path[0] != '\0';
    assert_int_equal(files, installed ? 4 : 5); /* manifest, base, raft.synced, segments */
    assert_log_goes_on(&node);
    node_close(&node);
    return queued;
}

static void test_a_crash_in_an_install_leaves_the_old_or_the_new_state(void **state)
{
    (void)state;
    for (size_t count = 0; count <= crash_in_install(0, STORAGE_SYNC_ALWAYS); count++) {
        crash_in_install(count, STORAGE_SYNC_ALWAYS);
        crash_in_install(count, STORAGE_SYNC_EVERYSEC);
    }
}

static void test_a_second_install_drops_the_first(void **state)
{
    (void)state;
    struct node node;
    start_cut_log(&node);
    assert_int_equal(storage_install_begin(node.storage), ERR_NONE);
    storage_install_write(node.storage, SPAN("first"));
    node_install(&node, 50, 5);
    storage_flush(node.storage);
    assert_queued(&node, "append temp-install-5.rdb; remove temp-install-5.rdb; "
                         "append temp-install-6.rdb; append temp-install-6.rdb; "
                         "+sync temp-install-6.rdb; append+sync 7.incr.aof; "
                         "rename temp-install-6.rdb 8.base.rdb; replace manifest; "
                         "remove 1.incr.aof; remove 2.incr.aof; remove 3.incr.aof; "
                         "remove 4.incr.aof; append+sync 7.incr.aof; ");
    node_run_all(&node);
    node_install(&node, 60, 5);
    node_flush(&node);
    assert_false(node_has(&node, "appendonly.aof.8.base.rdb"));
    node_restart(&node);
    assert_loaded(&node, "from elsewhere");
    assert_recovered_snapshot(&node, 60, 5, 14);
    assert_vote(&node, 5, 3);
    node_close(&node);
}

static void test_an_install_that_is_dropped_leaves_nothing(void **state)
{
    (void)state;
    struct node node;
    start_cut_log(&node);
    storage_install_drop(node.storage);
    assert_queued(&node, "");
    assert_int_equal(storage_install_begin(node.storage), ERR_NONE);
    storage_install_write(node.storage, SPAN("some"));
    storage_install_drop(node.storage);
    storage_install_drop(node.storage);
    assert_queued(&node, "append temp-install-5.rdb; remove temp-install-5.rdb; ");
    node_run_all(&node);
    assert_false(node_has(&node, "temp-install-5.rdb"));
    assert_int_equal(storage_install_begin(node.storage), ERR_NONE);
    storage_install_write(node.storage, SPAN("some"));
    node_run_all(&node);
    assert_true(node_has(&node, "temp-install-6.rdb"));
    node_restart(&node);
    assert_false(node_has(&node, "temp-install-6.rdb"));
    assert_seen(&node, "1/1 2/1 3/2 4/2 5/3 6/3 ");
    node_close(&node);
}

static void test_an_install_that_cannot_begin_or_finish_changes_nothing(void **state)
{
    (void)state;
    struct node node;
    start_cut_log(&node);
    node.fake.fail_at = node.fake.calls + 1;
    assert_int_equal(storage_install_begin(node.storage), ERR_DENIED);
    node.fake.fail_at = 0;
    assert_int_equal(storage_install_begin(node.storage), ERR_NONE);
    storage_install_write(node.storage, SPAN("from elsewhere"));
    node_append(&node, 7, 5);
    node.fake.fail_at = node.fake.calls + 1;
    assert_int_equal(storage_install_finish(node.storage, 100, 7), ERR_DENIED);
    node.fake.fail_at = 0;
    assert_queued(&node, "append temp-install-6.rdb; ");
    assert_int_equal(storage_status(node.storage).last_index, 7);
    assert_snapshot(&node, 0, 0, 0);
    assert_int_equal(storage_install_finish(node.storage, 100, 7), ERR_NONE);
    node_flush(&node);
    node_restart(&node);
    assert_loaded(&node, "from elsewhere");
    assert_recovered_snapshot(&node, 100, 7, 14);
    node_close(&node);
}

/* ---- snapshots that a start cannot use ---- */

static void start_with_base(struct node *node)
{
    start_cut_log(node);
    node_image(node, "six");
    node_adopt(node, 6, 3, 1);
    node_run_all(node);
    node_append(node, 7, 5);
    node_flush(node);
    node_crash(node);
    node_put(node, "temp-image-30.rdb", "x");
    node_put(node, "appendonly.aof.31.incr.aof", "x");
}

static void test_a_snapshot_that_cannot_be_loaded_ends_the_start_with_its_message(void **state)
{
    (void)state;
    struct node node;
    start_with_base(&node);
    node.load_error = "the checksum of the snapshot is wrong";
    assert_refused_untouched(&node, ERR_CORRUPT, "the checksum of the snapshot is wrong");
    assert_non_null(strstr(node.message, DATA "6.base.rdb"));
    node.load_error = NULL;
    node_start(&node);
    assert_seen(&node, "5/3 6/3 7/5 ");
    node_close(&node);
}

static void test_a_missing_snapshot_is_refused(void **state)
{
    (void)state;
    struct node node;
    start_with_base(&node);
    fake_unlink(&node.fake, DATA "6.base.rdb");
    assert_refused_untouched(&node, ERR_CORRUPT, DATA "6.base.rdb");
    node_close(&node);
}

static void test_an_empty_snapshot_is_the_visitors_to_judge(void **state)
{
    (void)state;
    struct node node;
    start_with_base(&node);
    node_file(&node, DATA "6.base.rdb")->len = 0;
    node.load_error = "a snapshot without bytes";
    assert_refused_untouched(&node, ERR_CORRUPT, "a snapshot without bytes");
    node_close(&node);
}

static void test_a_manifest_without_the_snapshot_that_the_log_needs_is_refused(void **state)
{
    (void)state;
    static const char *const manifests[] = {
        SEGMENT_LINE("3", "i") SEGMENT_LINE("4", "i"),
        SEGMENT_LINE("4", "i"),
        SEGMENT_LINE("3", "h") SEGMENT_LINE("4", "i"),
        BASE_LINE("6") SEGMENT_LINE("3", "h"),
        BASE_LINE("6") BASE_LINE("6") SEGMENT_LINE("4", "i"),
        BASE_LINE("5") SEGMENT_LINE("4", "i"),
        BASE_LINE("6"),
    };
    for (size_t i = 0; i < sizeof manifests / sizeof *manifests; i++) {
        struct node node;
        start_with_base(&node);
        node_put(&node, "appendonly.aof.manifest", manifests[i]);
        assert_refused_untouched(&node, ERR_CORRUPT, FOLDER);
        node_close(&node);
    }
}

static void test_a_snapshot_before_entry_one_is_refused(void **state)
{
    (void)state;
    struct node node;
    node_init(&node);
    node_start(&node);
    node_append(&node, 1, 1);
    node_flush(&node);
    node_crash(&node);
    node_put(&node, "appendonly.aof.2.base.rdb", "x");
    node_put(&node, "appendonly.aof.manifest", BASE_LINE("2") SEGMENT_LINE("1", "i"));
    assert_refused_untouched(&node, ERR_CORRUPT, "the log begins with entry 1");
    node_close(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_image_takes_the_place_of_the_log_that_it_covers),
        cmocka_unit_test(test_history_is_kept_in_whole_segments_of_at_least_the_bytes_asked_for),
        cmocka_unit_test(test_an_image_of_an_earlier_entry_leaves_what_came_after_it),
        cmocka_unit_test(test_a_second_image_replaces_the_first),
        cmocka_unit_test(test_a_crash_in_an_adoption_leaves_the_old_or_the_new_snapshot),
        cmocka_unit_test(test_an_image_that_is_not_wanted_is_removed),
        cmocka_unit_test(test_an_image_that_cannot_be_opened_changes_nothing),
        cmocka_unit_test(test_a_snapshot_is_read_in_pieces),
        cmocka_unit_test(test_a_cut_that_was_truncated_away_is_cut_again),
        cmocka_unit_test(test_terms_are_known_behind_a_purged_log),
        cmocka_unit_test(test_a_snapshot_from_elsewhere_replaces_the_log),
        cmocka_unit_test(test_the_log_goes_on_behind_an_installed_snapshot_at_once),
        cmocka_unit_test(test_a_crash_in_an_install_leaves_the_old_or_the_new_state),
        cmocka_unit_test(test_a_second_install_drops_the_first),
        cmocka_unit_test(test_an_install_that_is_dropped_leaves_nothing),
        cmocka_unit_test(test_an_install_that_cannot_begin_or_finish_changes_nothing),
        cmocka_unit_test(test_a_snapshot_that_cannot_be_loaded_ends_the_start_with_its_message),
        cmocka_unit_test(test_a_missing_snapshot_is_refused),
        cmocka_unit_test(test_an_empty_snapshot_is_the_visitors_to_judge),
        cmocka_unit_test(test_a_manifest_without_the_snapshot_that_the_log_needs_is_refused),
        cmocka_unit_test(test_a_snapshot_before_entry_one_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
