#include "base/ring.h"

#include <pthread.h>
#include <sched.h>

#include "unit/support/test.h"

static char numbers[4096];

static void *number(size_t value)
{
    return numbers + value % sizeof numbers;
}

static void test_pointers_come_out_in_order(void **state)
{
    (void)state;
    struct ring ring = {0};
    assert_true(ring_is_empty(&ring));
    assert_null(ring_take(&ring));
    size_t put = 0, taken = 0;
    for (size_t round = 0; round < 2000; round++) {
        for (size_t i = 0; i < round % 7; i++)
            assert_true(ring_put(&ring, number(++put)));
        for (size_t i = 0; i < round % 7; i++)
            assert_ptr_equal(ring_take(&ring), number(++taken));
        assert_true(ring_is_empty(&ring));
    }
    assert_null(ring_take(&ring));
}

static void test_full_ring_takes_no_more_and_loses_nothing(void **state)
{
    (void)state;
    struct ring ring = {0};
    for (size_t i = 1; i <= RING_ITEMS; i++)
        assert_true(ring_put(&ring, number(i)));
    assert_false(ring_put(&ring, number(RING_ITEMS + 1)));
    assert_ptr_equal(ring_take(&ring), number(1));
    assert_true(ring_put(&ring, number(RING_ITEMS + 1)));
    assert_false(ring_put(&ring, number(RING_ITEMS + 2)));
    for (size_t i = 2; i <= RING_ITEMS + 1; i++)
        assert_ptr_equal(ring_take(&ring), number(i));
    assert_true(ring_is_empty(&ring));
}

static void test_sleeper_is_signalled_once(void **state)
{
    (void)state;
    struct ring_sleeper sleeper = {0};
    assert_false(ring_must_signal(&sleeper));
    ring_sleep(&sleeper);
    assert_true(ring_must_signal(&sleeper));
    assert_false(ring_must_signal(&sleeper));
    ring_sleep(&sleeper);
    ring_wake(&sleeper);
    assert_false(ring_must_signal(&sleeper));
}

/* --- two threads --- */

enum { MANY = 200 * 1000 };

struct both {
    struct ring there;
    struct ring_sleeper sleeper;
    pthread_mutex_t mutex;
    pthread_cond_t signal;
    bool signalled;
    size_t values[MANY];
};

static void *put_all(void *context)
{
    struct both *both = context;
    for (size_t i = 0; i < MANY; i++) {
        both->values[i] = i * i;
        while (!ring_put(&both->there, &both->values[i]))
            sched_yield();
        if (!ring_must_signal(&both->sleeper))
            continue;
        pthread_mutex_lock(&both->mutex);
        both->signalled = true;
        pthread_cond_signal(&both->signal);
        pthread_mutex_unlock(&both->mutex);
    }
    return NULL;
}

static void wait_for_signal(struct both *both)
{
    pthread_mutex_lock(&both->mutex);
    while (!both->signalled)
        pthread_cond_wait(&both->signal, &both->mutex);
    both->signalled = false;
    pthread_mutex_unlock(&both->mutex);
}

/* The one that takes sleeps whenever there is nothing: a signal that is not sent hangs the test. */
static void test_taker_that_sleeps_misses_nothing(void **state)
{
    (void)state;
    static struct both both;
    pthread_mutex_init(&both.mutex, NULL);
    pthread_cond_init(&both.signal, NULL);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, put_all, &both), 0);
    for (size_t i = 0; i < MANY;) {
        const size_t *value = ring_take(&both.there);
        if (value) {
            assert_true(*value == i * i);
            i++;
            continue;
        }
        ring_sleep(&both.sleeper);
        if (ring_is_empty(&both.there))
            wait_for_signal(&both);
        ring_wake(&both.sleeper);
    }
    pthread_join(thread, NULL);
    assert_true(ring_is_empty(&both.there));
    pthread_cond_destroy(&both.signal);
    pthread_mutex_destroy(&both.mutex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pointers_come_out_in_order),
        cmocka_unit_test(test_full_ring_takes_no_more_and_loses_nothing),
        cmocka_unit_test(test_sleeper_is_signalled_once),
        cmocka_unit_test(test_taker_that_sleeps_misses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
