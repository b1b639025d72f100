#include "unit/storage/fake.h"

/* A history with a truncation, so that there is a vote file, and a torn tail. */
static void write_folder(struct node *node)
{
    node_init(node);
    node_start(node);
    for (uint64_t index = 1; index <= 20; index++)
        node_append_sized(node, index, 1, 500);
    node_vote(node, 2, 1);
    storage_truncate(node->storage, 15);
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
        cmocka_unit_test(test_a_failed_read_of_an_old_entry_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
