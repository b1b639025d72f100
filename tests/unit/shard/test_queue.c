/* The queues of requests give back what a flood made them take. */
#include "shard/queue.h"
#include "unit/support/test.h"

enum { FLOOD = 40000, KEPT = 16 * 1024, KEPT_BYTES = 1024 * 1024 };

static void test_an_empty_queue_of_writes_is_small_again(void **state)
{
    (void)state;
    struct write_queue queue = {.arrivals = 0};
    static char text[100];
    for (int i = 0; i < FLOOD; i++) {
        struct pending_write *write = write_queue_push(&queue);
        write_queue_keep(&queue, write, span_of(text, sizeof text));
    }
    assert_true(queue.cap >= FLOOD && queue.arena.bytes.cap > KEPT_BYTES);
    while (queue.count)
        write_queue_pop(&queue);
    assert_in_range(queue.cap, 0, KEPT);
    assert_in_range(queue.arena.bytes.cap, 0, KEPT_BYTES);
    write_queue_keep(&queue, write_queue_push(&queue), span_of("k", 1));
    assert_int_equal(queue.count, 1);
    assert_true(span_equal(write_queue_text(&queue, write_queue_at(&queue, 0)), SPAN("k")));
    write_queue_close(&queue);
}

static void test_an_empty_queue_of_reads_is_small_again(void **state)
{
    (void)state;
    struct read_queue queue = {.count = 0};
    static char text[100];
    for (int i = 0; i < FLOOD; i++)
        read_queue_keep(&queue, read_queue_push(&queue), span_of(text, sizeof text));
    for (size_t i = 0; i < queue.count; i++)
        read_queue_at(&queue, i)->done = true;
    read_queue_drop_done(&queue);
    assert_int_equal(queue.count, 0);
    assert_in_range(queue.cap, 0, KEPT);
    assert_in_range(queue.arena.bytes.cap, 0, KEPT_BYTES);
    struct pending_read *read = read_queue_push(&queue);
    read_queue_keep(&queue, read, span_of("k", 1));
    assert_true(span_equal(read_queue_bytes(&queue, read), SPAN("k")));
    read_queue_close(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_queue_of_writes_is_small_again),
        cmocka_unit_test(test_an_empty_queue_of_reads_is_small_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
