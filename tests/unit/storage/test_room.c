#include "unit/storage/ops.h"

enum { RESERVE = 1000 };

/* A disk that was asked and has so much. */
static void start(struct node *node, uint64_t free_bytes)
{
    node_init(node);
    node->options.reserve_bytes = RESERVE;
    node->fake.free_bytes = free_bytes;
    node_start(node);
    storage_tick(node->storage, 0);
    assert_queued(node, "measure; ");
    node_run_all(node);
}

static void ask_again(struct node *node, uint64_t now_ms, uint64_t free_bytes)
{
    node->fake.free_bytes = free_bytes;
    storage_tick(node->storage, now_ms);
    node_run_all(node);
}

static void test_without_a_reserve_the_disk_is_not_asked(void **state)
{
    (void)state;
    struct node node;
    node_init(&node);
    node_start(&node);
    storage_tick(node.storage, 100000);
    for (size_t i = 0; i < node.fake.queued_count; i++)
        assert_int_not_equal(node.fake.queued[i].kind, DISK_MEASURE);
    assert_true(storage_has_room(node.storage, UINT64_MAX));
    assert_true(storage_status(node.storage).free_bytes == UINT64_MAX);
    node_close(&node);
}

static void test_less_than_the_reserve_is_no_room(void **state)
{
    (void)state;
    struct node node;
    start(&node, RESERVE - 1);
    assert_false(storage_has_room(node.storage, 0));
    assert_int_equal(storage_status(node.storage).free_bytes, RESERVE - 1);
    node_close(&node);
    start(&node, RESERVE);
    assert_true(storage_has_room(node.storage, 0));
    assert_false(storage_has_room(node.storage, 1));
    node_close(&node);
}

static void test_room_comes_back_with_a_quarter_more_than_the_reserve(void **state)
{
    (void)state;
    struct node node;
    start(&node, RESERVE - 1);
    ask_again(&node, 100, RESERVE + RESERVE / 4 - 1);
    assert_false(storage_has_room(node.storage, 0));
    ask_again(&node, 200, RESERVE + RESERVE / 4);
    assert_true(storage_has_room(node.storage, 0));
    node_close(&node);
}

static void test_what_is_queued_counts_until_the_disk_is_asked_again(void **state)
{
    (void)state;
    struct node node;
    start(&node, RESERVE + 600);
    node_append_sized(&node, 1, 1, 500);
    storage_flush(node.storage);
    assert_true(storage_has_room(node.storage, 0));
    node_append_sized(&node, 2, 1, 500);
    storage_flush(node.storage);
    assert_false(storage_has_room(node.storage, 0));
    node_run_all(&node);
    ask_again(&node, 100, RESERVE + 5000);
    assert_true(storage_has_room(node.storage, 4000));
    node_close(&node);
}

static void test_what_is_queued_behind_a_question_is_not_in_its_answer(void **state)
{
    (void)state;
    struct node node;
    start(&node, RESERVE + 5000);
    storage_tick(node.storage, 1000);
    node_append_sized(&node, 1, 1, 3000);
    storage_flush(node.storage);
    node_run_all(&node); /* first the answer, then the write */
    assert_true(storage_has_room(node.storage, 1000));
    assert_false(storage_has_room(node.storage, 3000));
    node_close(&node);
}

static void test_the_disk_is_asked_once_a_second_and_when_much_was_written(void **state)
{
    (void)state;
    struct node node;
    start(&node, 1 << 20);
    storage_tick(node.storage, 499);
    assert_queued(&node, "");
    storage_tick(node.storage, 999); /* a mark, since the log is quiet */
    assert_queued(&node, "append 1.incr.aof; append raft.synced; ");
    storage_tick(node.storage, 1000);
    storage_tick(node.storage, 1400); /* the answer has not come */
    assert_queued(&node, "append 1.incr.aof; append raft.synced; measure; ");
    node_run_all(&node);
    node_append_sized(&node, 1, 1, RESERVE / 4);
    node_flush(&node);
    storage_tick(node.storage, 1401);
    assert_queued(&node, "measure; ");
    node_close(&node);
}

static void test_a_write_that_does_not_fit_is_no_room_until_it_does(void **state)
{
    (void)state;
    struct node node;
    node_init(&node); /* without a reserve as well */
    node_start(&node);
    node_append(&node, 1, 1);
    uint64_t ticket = storage_flush(node.storage);
    storage_completed(node.storage, &(struct disk_completion){.waits_for_room = true});
    assert_false(storage_has_room(node.storage, 0));
    assert_true(storage_status(node.storage).waits_for_room);
    storage_completed(node.storage, &(struct disk_completion){.ticket = ticket, .sync_us = 1});
    assert_true(storage_has_room(node.storage, 0));
    node_close(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_a_reserve_the_disk_is_not_asked),
        cmocka_unit_test(test_less_than_the_reserve_is_no_room),
        cmocka_unit_test(test_room_comes_back_with_a_quarter_more_than_the_reserve),
        cmocka_unit_test(test_what_is_queued_counts_until_the_disk_is_asked_again),
        cmocka_unit_test(test_what_is_queued_behind_a_question_is_not_in_its_answer),
        cmocka_unit_test(test_the_disk_is_asked_once_a_second_and_when_much_was_written),
        cmocka_unit_test(test_a_write_that_does_not_fit_is_no_room_until_it_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
