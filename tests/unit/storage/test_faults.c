#include "unit/storage/ops.h"

/* A history with a truncation, so that there is a vote file, and a torn tail. */
static void write_folder(struct node *node)
{
    node_init(node);
    node_start(node);
    for (uint64_t index = 1; index <= 20; index++)
        node_append_sized(node, index, 1, 500);
    node_vote(node, 2, 1);
    assert_int_equal(storage_truncate(node->storage, 15), ERR_NONE);
    node_append(node, 16, 2);
    node_flush(node);
    node_crash(node);
    buf_add_text(node_file(node, LOG), "#RAFT:17:2:C:1");
}

/* Fails the Nth call of the port and all after it, for every N; returns how many calls there are.
 */
static unsigned fail_each_call(const struct node *node)
{
    for (unsigned fail_at = 1;; fail_at++) {
        struct node failing;
        node_copy(&failing, node);
        failing.fake.fail_at = fail_at;
        enum err err = node_try_start(&failing);
        if (err) {
            assert_true(err == ERR_IO || err == ERR_DENIED || err == ERR_NO_SPACE);
            assert_non_null(strstr(failing.message, FOLDER));
        }
        failing.fake.fail_at = 0;
        node_restart(&failing);
        assert_int_equal(failing.recovered.last_index, node->fake.file_count ? 16 : 0);
        node_close(&failing);
        if (!err)
            return fail_at;
    }
}

static void test_any_failing_call_of_a_start_is_an_error_with_a_message(void **state)
{
    (void)state;
    struct node node;
    write_folder(&node);
    assert_true(fail_each_call(&node) > 8);
    node_close(&node);
}

static void test_any_failing_call_of_the_very_first_start_is_an_error_with_a_message(void **state)
{
    (void)state;
    struct node node;
    node_init(&node);
    assert_true(fail_each_call(&node) > 8);
    node_close(&node);
}

/* A snapshot, history, several segments, a vote file, a torn tail, and what crashes left behind. */
static void write_rich_folder(struct node *node)
{
    node_init(node);
    node_start(node);
    node_fill(node, 5); /* entries 1 to 10 */
    assert_int_equal(storage_truncate(node->storage, 8), ERR_NONE);
    for (uint64_t index = 9; index <= 15; index++) {
        node_append_sized(node, index, 6, 700);
        if (index == 12)
            node_cut(node);
    }
    node_cut(node);
    fake_replace(&node->fake, storage_image_begin(node->storage), SPAN("the state at fifteen"));
    assert_int_equal(storage_image_adopt(node->storage, 15, 6, 3000), ERR_NONE);
    node_append(node, 16, 7);
    node_vote(node, 8, 2);
    node_flush(node);
    node_crash(node);
    for (size_t i = 0; i < node->fake.file_count; i++)
        if (strstr(node->fake.files[i].path, ".7.incr.aof"))
            buf_add_text(&node->fake.files[i].bytes, "#RAFT:17:2:C:1");
    node_put(node, "appendonly.aof.2.incr.aof", "old");
    node_put(node, "appendonly.aof.41.incr.aof", "");
    node_put(node, "appendonly.aof.3.base.rdb", "old");
    node_put(node, "temp-image-42.rdb", "half");
    node_put(node, "temp-install-43.rdb", "half");
}

static void test_any_failing_call_of_a_start_with_snapshot_and_leftovers_is_an_error(void **state)
{
    (void)state;
    struct node node;
    write_rich_folder(&node);
    struct node fine;
    node_copy(&fine, &node);
    node_start(&fine);
    assert_true(fine.recovered.cut_bytes != 0);
    assert_int_equal(fine.recovered.snapshot.index, 15);
    assert_true(fine.recovered.first_index < 16);
    assert_vote(&fine, 8, 2);
    assert_true(storage_status(fine.storage).segments >= 3);
    assert_int_equal(fail_each_call(&node), fine.fake.calls + 1);
    node_close(&fine);
    node_close(&node);
}

/* While it runs, a call that fails leaves the log as it was, whichever it is. */
static void fail_while_running(unsigned fail_at)
{
    struct node node;
    node_init(&node);
    node.options.segment_bytes_max = 600;
    node_start(&node);
    node.fake.fail_at = fail_at ? node.fake.calls + fail_at : 0;
    for (uint64_t index = 1; index <= 6; index++)
        node_append_sized(&node, index, 1, 400);
    bool cut = storage_cut(node.storage) == ERR_NONE;
    node_flush(&node);
    if (cut) {
        fake_replace(&node.fake, storage_image_begin(node.storage), SPAN("six"));
        if (storage_image_adopt(node.storage, 6, 1, 0))
            storage_image_drop(node.storage);
    }
    node_append_sized(&node, 7, 1, 400);
    if (!storage_install_begin(node.storage)) {
        storage_install_write(node.storage, SPAN("fifty"));
        if (storage_install_finish(node.storage, 50, 1))
            storage_install_drop(node.storage);
    }
    uint64_t last = storage_status(node.storage).last_index;
    assert_true(last == 7 || last == 50);
    node_append_sized(&node, last + 1, 2, 400);
    node_flush(&node);
    node.fake.fail_at = 0;
    node_restart(&node);
    assert_int_equal(node.recovered.last_index, last + 1);
    assert_int_equal(node.recovered.last_term, 2);
    assert_log_goes_on(&node);
    node_close(&node);
}

static void test_any_failing_call_of_a_running_log_leaves_it_as_it_was(void **state)
{
    (void)state;
    for (unsigned fail_at = 0; fail_at <= 16; fail_at++)
        fail_while_running(fail_at);
}

static void test_a_failed_read_of_an_old_entry_is_an_error(void **state)
{
    (void)state;
    struct node node;
    write_folder(&node);
    node_start(&node);
    node_append_sized(&node, 17, 2, 600000);
    node_append(&node, 18, 2);
    node_flush(&node);
    node_restart(&node);
    node.fake.fail_at = node.fake.calls + 1;
    struct entry entry;
    assert_int_equal(storage_entry(node.storage, 1, &entry), ERR_IO);
    struct buf out = {0};
    size_t count;
    assert_int_equal(storage_read(node.storage, 1, 18, SIZE_MAX, &out, &count), ERR_IO);
    assert_int_equal(count, 0);
    node.fake.fail_at = 0;
    assert_int_equal(storage_read(node.storage, 1, 18, SIZE_MAX, &out, &count), ERR_NONE);
    assert_int_equal(count, 18);
    buf_close(&out);
    node_close(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_failing_call_of_a_start_is_an_error_with_a_message),
        cmocka_unit_test(test_any_failing_call_of_the_very_first_start_is_an_error_with_a_message),
        cmocka_unit_test(test_any_failing_call_of_a_start_with_snapshot_and_leftovers_is_an_error),
        cmocka_unit_test(test_any_failing_call_of_a_running_log_leaves_it_as_it_was),
        cmocka_unit_test(test_a_failed_read_of_an_old_entry_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
