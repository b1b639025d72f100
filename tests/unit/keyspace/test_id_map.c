#include "keyspace/id_map.h"

#include <string.h>

#include "base/prng.h"
#include "unit/support/test.h"

/* A record with something behind its ID. */
struct record {
    struct stream_id id;
    uint64_t twice;
};

/* The IDs 0 to IDS - 1 that are present. */
enum { IDS = 3000 };

struct model {
    bool is_present[IDS];
    size_t count;
};

/* Neighbours differ in one or the other half. */
static struct stream_id id_of(size_t number)
{
    return (struct stream_id){number / 3, number % 3};
}

static void check_record(const struct record *record, size_t number)
{
    assert_non_null(record);
    assert_int_equal(stream_id_compare(record->id, id_of(number)), 0);
    assert_int_equal(record->twice, 2 * number);
}

static size_t next_present(const struct model *model, size_t from)
{
    while (from < IDS && !model->is_present[from])
        from++;
    return from;
}

static void check_seek(const struct model *model, const struct id_map *map, size_t from,
                       size_t steps)
{
    struct id_walk walk;
    size_t at = next_present(model, from);
    const struct record *record = id_map_seek(map, id_of(from), &walk);
    for (; at < IDS && steps > 0; steps--) {
        check_record(record, at);
        record = id_walk_next(&walk);
        at = next_present(model, at + 1);
    }
    if (at == IDS)
        assert_null(record);
}

static void check_all(const struct model *model, const struct id_map *map)
{
    assert_true(spine_is_sound(&map->blocks));
    assert_int_equal(id_map_count(map), model->count);
    check_seek(model, map, 0, IDS);
    size_t last = IDS;
    while (last > 0 && !model->is_present[last - 1])
        last--;
    if (last == 0)
        assert_null(id_map_last(map));
    else
        check_record(id_map_last(map), last - 1);
}

static void add(struct model *model, struct id_map *map, size_t number)
{
    struct record *record = id_map_find(map, id_of(number));
    assert_int_equal(record != NULL, model->is_present[number]);
    if (record) {
        check_record(record, number);
        return;
    }
    record = id_map_add(map, id_of(number));
    record->twice = 2 * number;
    model->is_present[number] = true;
    model->count++;
}

static void drop(struct model *model, struct id_map *map, size_t number)
{
    assert_int_equal(id_map_remove(map, id_of(number)), model->is_present[number]);
    model->count -= model->is_present[number];
    model->is_present[number] = false;
}

static void test_it_agrees_with_a_plain_array(void **state)
{
    (void)state;
    static struct model model;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct prng prng;
        prng_init(&prng, seed);
        memset(&model, 0, sizeof(model));
        struct id_map map = {.record_bytes = sizeof(struct record)};
        for (int step = 0; step < 30000; step++) {
            /* It fills and empties in turns. */
            bool adds = prng_below(&prng, 10) < (step / 5000 % 2 ? 3u : 7u);
            size_t number = prng_below(&prng, IDS);
            if (adds)
                add(&model, &map, number);
            else
                drop(&model, &map, number);
            check_seek(&model, &map, prng_below(&prng, IDS), 3);
            if (step % 500 == 0)
                check_all(&model, &map);
        }
        struct id_map copy = {.record_bytes = sizeof(struct record)};
        id_map_copy(&copy, &map);
        check_all(&model, &copy);
        while (id_map_free_some(&copy, 10) >= 10)
            ;
        assert_int_equal(id_map_memory(&copy), 0);
        for (size_t i = 0; i < IDS; i++)
            drop(&model, &map, i);
        check_all(&model, &map);
        assert_int_equal(id_map_memory(&map), 0);
    }
}

/* Entries are delivered in order and acknowledged in order. */
static void test_records_in_order_fill_the_blocks(void **state)
{
    (void)state;
    enum { COUNT = 64 * 1000 };
    struct id_map map = {.record_bytes = sizeof(struct record)};
    for (uint64_t i = 0; i < COUNT; i++)
        id_map_add(&map, (struct stream_id){i, 0});
    assert_in_range(map.bytes, COUNT * sizeof(struct record),
                    COUNT * sizeof(struct record) * 5 / 4);
    for (uint64_t i = 0; i < COUNT; i++) {
        assert_true(id_map_remove(&map, (struct stream_id){i, 0}));
        id_map_add(&map, (struct stream_id){COUNT + i, 0});
    }
    assert_in_range(map.bytes, COUNT * sizeof(struct record),
                    COUNT * sizeof(struct record) * 5 / 4);
    /* What stays behind when most have gone takes little. */
    for (uint64_t i = 0; i < COUNT; i++) {
        if (i % 64)
            id_map_remove(&map, (struct stream_id){COUNT + i, 0});
    }
    assert_int_equal(id_map_count(&map), COUNT / 64);
    assert_in_range(id_map_memory(&map), 1, 16 * COUNT / 64 * sizeof(struct record));
    id_map_free_some(&map, SIZE_MAX);
    assert_int_equal(id_map_memory(&map), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_agrees_with_a_plain_array),
        cmocka_unit_test(test_records_in_order_fill_the_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
