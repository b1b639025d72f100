#include "keyspace/stream_group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "unit/support/stream.h"
#include "unit/support/test.h"

/* One group as arrays. */
enum { IDS = 400, CONSUMERS = 12 };

struct model_consumer {
    bool is_present;
    int64_t seen_ms, active_ms;
};

struct model_pending {
    int owner; /* -1: not pending */
    int64_t delivered_ms;
    uint64_t deliveries;
};

struct model {
    struct model_consumer consumers[CONSUMERS];
    struct model_pending pending[IDS];
};

struct run {
    struct model model;
    struct stream *stream;
    struct stream_group *group;
    struct prng prng;
    int64_t now_ms;
};

static struct stream_id id_of(size_t number)
{
    return (struct stream_id){number / 7, number % 7};
}

/* In an order that is not that of the numbers. */
static struct span name_of(int consumer, char text[16])
{
    return span_of(text, (size_t)sprintf(text, "%d", consumer * 7 % CONSUMERS * 5));
}

static struct stream_consumer *find(const struct run *run, int consumer)
{
    char text[16];
    return stream_group_find_consumer(run->group, name_of(consumer, text));
}

static void check_pending(const struct run *run, const struct stream_pending *pending,
                          size_t number)
{
    const struct model_pending *expected = &run->model.pending[number];
    assert_non_null(pending);
    assert_int_equal(stream_id_compare(pending->id, id_of(number)), 0);
    assert_ptr_equal(pending->owner, find(run, expected->owner));
    assert_int_equal(pending->delivered_ms, expected->delivered_ms);
    assert_int_equal(pending->deliveries, expected->deliveries);
}

/* owner -1: of all. */
static void check_walk(const struct run *run, int owner, size_t from)
{
    struct stream_pending_walk walk;
    const struct stream_consumer *consumer = owner < 0 ? NULL : find(run, owner);
    const struct stream_pending *pending =
        stream_pending_seek(run->group, consumer, id_of(from), &walk);
    size_t count = 0;
    for (size_t i = from; i < IDS; i++) {
        int actual = run->model.pending[i].owner;
        if (actual < 0 || (owner >= 0 && actual != owner))
            continue;
        check_pending(run, pending, i);
        pending = stream_pending_next(&walk);
        count++;
    }
    assert_null(pending);
    if (consumer)
        assert_int_equal(stream_consumer_pending_count_from(consumer, id_of(from)), count);
    else if (from == 0)
        assert_int_equal(stream_group_pending_count(run->group), count);
}

static void check(const struct run *run)
{
    size_t consumers = 0;
    check_walk(run, -1, 0);
    for (int i = 0; i < CONSUMERS; i++) {
        const struct model_consumer *expected = &run->model.consumers[i];
        const struct stream_consumer *consumer = find(run, i);
        assert_int_equal(consumer != NULL, expected->is_present);
        if (!consumer)
            continue;
        consumers++;
        assert_int_equal(consumer->seen_ms, expected->seen_ms);
        assert_int_equal(consumer->active_ms, expected->active_ms);
        check_walk(run, i, 0);
    }
    assert_int_equal(run->group->consumers_count, consumers);
    for (size_t i = 1; i < consumers; i++)
        assert_true(span_compare(stream_consumer_name(run->group->consumers[i - 1]),
                                 stream_consumer_name(run->group->consumers[i])) < 0);
    assert_int_equal(stream_sum(run->stream), stream_sum_by_walk(run->stream));
}

static int draw_consumer(struct run *run)
{
    int consumer = (int)prng_below(&run->prng, CONSUMERS);
    for (int i = 0; i < CONSUMERS && !run->model.consumers[consumer].is_present; i++)
        consumer = (consumer + 1) % CONSUMERS;
    return run->model.consumers[consumer].is_present ? consumer : -1;
}

static void step_add_consumer(struct run *run)
{
    char text[16];
    int consumer = (int)prng_below(&run->prng, CONSUMERS);
    struct model_consumer *model = &run->model.consumers[consumer];
    if (model->is_present)
        return;
    stream_group_add_consumer(run->group, name_of(consumer, text), run->now_ms);
    *model = (struct model_consumer){true, run->now_ms, STREAM_NEVER_ACTIVE};
}

static void step_remove_consumer(struct run *run)
{
    int consumer = draw_consumer(run);
    size_t count = 0;
    if (consumer < 0)
        return;
    for (size_t i = 0; i < IDS; i++) {
        if (run->model.pending[i].owner != consumer)
            continue;
        run->model.pending[i].owner = -1;
        count++;
    }
    assert_int_equal(stream_group_remove_consumer(run->group, find(run, consumer)), count);
    run->model.consumers[consumer].is_present = false;
}

static void step_deliver(struct run *run)
{
    int consumer = draw_consumer(run);
    size_t number = prng_below(&run->prng, IDS);
    if (consumer < 0)
        return;
    struct model_pending *model = &run->model.pending[number];
    *model = (struct model_pending){consumer, run->now_ms, prng_below(&run->prng, 5)};
    struct stream_pending pending = {id_of(number), model->delivered_ms, model->deliveries,
                                     find(run, consumer)};
    stream_group_deliver(run->group, &pending);
    if (prng_below(&run->prng, 2)) {
        struct model_consumer *active = &run->model.consumers[consumer];
        active->seen_ms = active->active_ms = run->now_ms;
        stream_consumer_touch(run->group, find(run, consumer), run->now_ms, run->now_ms);
    }
}

static void step_acknowledge(struct run *run)
{
    size_t number = prng_below(&run->prng, IDS);
    struct model_pending *model = &run->model.pending[number];
    assert_int_equal(stream_group_acknowledge(run->group, id_of(number)), model->owner >= 0);
    model->owner = -1;
}

static void step_replace_by_copy(struct run *run)
{
    uint64_t sum = stream_sum(run->stream);
    struct stream *copy =
        prng_below(&run->prng, 2) ? stream_copy(run->stream) : stream_test_reload(run->stream);
    assert_int_equal(stream_sum(copy), sum);
    assert_int_equal(stream_test_digest(copy), stream_test_digest(run->stream));
    stream_free(run->stream);
    run->stream = copy;
    run->group = stream_find_group(copy, SPAN("group"));
}

static void step(struct run *run)
{
    run->now_ms++;
    switch (prng_below(&run->prng, 60)) {
    case 0:
        step_remove_consumer(run);
        break;
    case 1:
    case 2:
        step_add_consumer(run);
        break;
    case 3:
        step_replace_by_copy(run);
        break;
    case 4:
        stream_group_set_position(run->group, id_of(prng_below(&run->prng, IDS)),
                                  (int64_t)prng_below(&run->prng, 10) - 1);
        break;
    default:
        if (prng_below(&run->prng, 5) < 3)
            step_deliver(run);
        else
            step_acknowledge(run);
    }
}

static void test_it_agrees_with_plain_arrays(void **state)
{
    (void)state;
    static struct run run;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        memset(&run, 0, sizeof(run));
        prng_init(&run.prng, seed);
        for (size_t i = 0; i < IDS; i++)
            run.model.pending[i].owner = -1;
        run.stream = stream_new();
        uint64_t empty = stream_sum(run.stream);
        stream_add_group(run.stream, SPAN("a group"), STREAM_ID_MIN, 0);
        run.group = stream_add_group(run.stream, SPAN("group"), STREAM_ID_MIN, 0);
        for (int i = 0; i < 3000; i++) {
            step(&run);
            check_walk(&run, draw_consumer(&run), prng_below(&run.prng, IDS));
            if (i % 20 == 0)
                check(&run);
        }
        stream_remove_group(run.stream, run.group);
        stream_remove_group(run.stream, stream_find_group(run.stream, SPAN("a group")));
        assert_int_equal(stream_sum(run.stream), empty);
        stream_free(run.stream);
    }
}

/* What differs in one thing has another sum. */
static void test_the_sum_sees_everything(void **state)
{
    (void)state;
    uint64_t sums[12];
    size_t count = 0;
    struct stream *stream = stream_new();
    sums[count++] = stream_sum(stream);
    struct stream_group *group = stream_add_group(stream, SPAN("g"), STREAM_ID_MIN, 0);
    sums[count++] = stream_sum(stream);
    stream_group_set_position(group, STREAM_ID_MAX, 0);
    sums[count++] = stream_sum(stream);
    stream_group_set_position(group, STREAM_ID_MAX, 1);
    sums[count++] = stream_sum(stream);
    struct stream_consumer *a = stream_group_add_consumer(group, SPAN("a"), 1);
    sums[count++] = stream_sum(stream);
    stream_consumer_touch(group, a, 2, STREAM_NEVER_ACTIVE);
    sums[count++] = stream_sum(stream);
    stream_consumer_touch(group, a, 2, 2);
    sums[count++] = stream_sum(stream);
    struct stream_consumer *b = stream_group_add_consumer(group, SPAN("b"), 1);
    stream_group_deliver(group, &(struct stream_pending){{1, 1}, 1, 1, a});
    sums[count++] = stream_sum(stream);
    stream_group_deliver(group, &(struct stream_pending){{1, 1}, 1, 1, b});
    sums[count++] = stream_sum(stream);
    stream_group_deliver(group, &(struct stream_pending){{1, 1}, 2, 1, b});
    sums[count++] = stream_sum(stream);
    stream_group_deliver(group, &(struct stream_pending){{1, 1}, 2, 2, b});
    sums[count++] = stream_sum(stream);
    stream_set_last_id(stream, (struct stream_id){5, 5});
    sums[count++] = stream_sum(stream);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++)
            assert_true(sums[i] != sums[j]);
    }
    stream_free(stream);
}

/* More consumers than one note holds. */
static void test_many_consumers_are_saved(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    struct stream *stream = stream_new();
    struct stream_group *group = stream_add_group(stream, SPAN("g"), STREAM_ID_MIN, -1);
    for (int i = 0; i < COUNT; i++) {
        char text[16];
        struct span name = span_of(text, (size_t)sprintf(text, "%d", i));
        struct stream_consumer *consumer = stream_group_add_consumer(group, name, i);
        stream_consumer_touch(group, consumer, i, INT64_MIN + i);
        stream_group_deliver(group, &(struct stream_pending){{(uint64_t)i, 1}, i, 1, consumer});
    }
    stream_free(stream_test_reload(stream));
    size_t freed = 0, some;
    do {
        some = stream_free_some(stream, 100);
        freed += some;
    } while (some == 100);
    assert_in_range(freed, 2 * COUNT + 1, 4 * COUNT);
}

/* stream_test_reload() checks that no piece is much longer than asked for. */
static void test_long_names_are_saved_in_pieces(void **state)
{
    (void)state;
    static char name[5000];
    memset(name, 'n', sizeof(name));
    struct stream *stream = stream_new();
    struct stream_group *group =
        stream_add_group(stream, span_of(name, sizeof(name)), STREAM_ID_MIN, 0);
    stream_group_add_consumer(group, span_of(name, sizeof(name) - 1), 1);
    stream_group_add_consumer(group, span_of(name, 0), 1);
    stream_add_group(stream, span_of(name, 0), STREAM_ID_MIN, 0);
    stream_free(stream_test_reload(stream));
    stream_free(stream);
}

static void check_lag(const struct stream *stream, const struct stream_group *group,
                      int64_t expected)
{
    int64_t lag;
    bool known = stream_group_lag(stream, group, &lag);
    assert_int_equal(known ? lag : -1, expected);
}

static void test_lag(void **state)
{
    (void)state;
    struct stream *stream = stream_new();
    struct stream_group *group = stream_add_group(stream, SPAN("g"), STREAM_ID_MIN, -1);
    check_lag(stream, group, 0);
    struct span args[] = {SPAN("a"), SPAN("1")};
    struct stream_fields fields = {args, 1};
    for (uint64_t i = 1; i <= 10; i++)
        stream_append(stream, (struct stream_id){i, 0}, &fields, &value_rules_default);
    check_lag(stream, group, 10);
    stream_group_advance(stream, group, (struct stream_id){1, 0});
    assert_int_equal(group->entries_read, 1);
    check_lag(stream, group, 9);
    stream_group_set_position(group, (struct stream_id){3, 0}, STREAM_READ_UNKNOWN);
    check_lag(stream, group, -1);
    stream_group_advance(stream, group, (struct stream_id){4, 0});
    assert_int_equal(group->entries_read, STREAM_READ_UNKNOWN);
    stream_group_advance(stream, group, (struct stream_id){10, 0});
    assert_int_equal(group->entries_read, 10);
    stream_group_set_position(group, (struct stream_id){3, 0}, 3);
    check_lag(stream, group, 7);
    assert_true(stream_delete(stream, (struct stream_id){6, 0}));
    check_lag(stream, group, -1);
    stream_group_set_position(group, (struct stream_id){6, 1}, 6);
    check_lag(stream, group, 4);
    /* A gap in front of the first entry is none. */
    stream_group_set_position(group, (struct stream_id){3, 0}, 3);
    stream_trim(stream, &(struct stream_trim){.by = STREAM_TRIM_FIRST, .first_id = {7, 0}});
    check_lag(stream, group, 7);
    stream_group_set_position(group, (struct stream_id){3, 0}, STREAM_READ_UNKNOWN);
    check_lag(stream, group, 4);
    stream_free(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_agrees_with_plain_arrays),
        cmocka_unit_test(test_the_sum_sees_everything),
        cmocka_unit_test(test_many_consumers_are_saved),
        cmocka_unit_test(test_long_names_are_saved_in_pieces),
        cmocka_unit_test(test_lag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
