#include "keyspace/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "unit/support/stream.h"
#include "unit/support/test.h"

/* The entries in an array. Fields are few texts, so that neighbours often have the same. */
enum { ENTRIES_MAX = 4000, PAIRS_MAX = 5 };

struct model_entry {
    struct stream_id id;
    size_t pairs;
    unsigned names[PAIRS_MAX];
    uint64_t values[PAIRS_MAX];
};

struct model {
    struct model_entry entries[ENTRIES_MAX];
    size_t count;
    struct stream_id last_id, max_deleted_id;
    uint64_t added;
};

static const char *const names[] = {"a", "temperature", "12", "", "x-4"};

/* Streams with other rules, that have to agree. */
enum { STREAMS = 4 };
static const struct value_rules rules[STREAMS] = {
    {.stream_node_entries = 100, .stream_node_bytes = 4096},
    {.stream_node_entries = 3},
    {.stream_node_bytes = 300},
    {.stream_node_entries = 400},
};

struct run {
    struct model model;
    struct stream *streams[STREAMS];
    struct prng prng;
};

static struct span value_text(uint64_t value, char text[600])
{
    switch (value % 4) {
    case 0:
        return span_of(text, (size_t)sprintf(text, "%lld", (long long)value - 500));
    case 1:
        return span_of(text, (size_t)sprintf(text, "value %llu", (unsigned long long)value));
    case 2:
        return span_of(text, 0);
    default:
        memset(text, 'v', value % 600);
        return span_of(text, value % 600);
    }
}

static void check_entry(const struct model_entry *expected, const struct stream_entry *entry)
{
    assert_int_equal(stream_id_compare(entry->id, expected->id), 0);
    assert_int_equal(entry->field_count, expected->pairs);
    struct stream_field_walk walk;
    struct stream_field field;
    stream_entry_fields(entry, &walk);
    for (size_t i = 0; i < expected->pairs; i++) {
        char text[600];
        assert_true(stream_field_next(&walk, &field));
        assert_true(span_equal(field.name, span_text(names[expected->names[i]])));
        assert_true(span_equal(field.value, value_text(expected->values[i], text)));
    }
    assert_false(stream_field_next(&walk, &field));
}

/* The position of the first entry whose ID is not smaller. */
static size_t model_position(const struct model *model, struct stream_id id)
{
    size_t at = 0;
    while (at < model->count && stream_id_compare(model->entries[at].id, id) < 0)
        at++;
    return at;
}

static void check_range(const struct model *model, const struct stream *stream,
                        struct stream_id from, struct stream_id to)
{
    size_t first = model_position(model, from);
    size_t end = model_position(model, to);
    end += end < model->count && stream_id_compare(model->entries[end].id, to) == 0;
    struct stream_walk walk;
    struct stream_entry entry;
    bool more = stream_walk_begin(stream, from, to, &walk, &entry);
    for (size_t at = first; at < end; at++) {
        assert_true(more);
        check_entry(&model->entries[at], &entry);
        more = stream_walk_next(&walk, &entry);
    }
    assert_false(more);
    more = stream_walk_begin_backwards(stream, from, to, &walk, &entry);
    for (size_t at = end; at-- > first;) {
        assert_true(more);
        check_entry(&model->entries[at], &entry);
        more = stream_walk_next(&walk, &entry);
    }
    assert_false(more);
}

static void check_quickly(const struct model *model, const struct stream *stream)
{
    assert_int_equal(stream_length(stream), model->count);
    assert_int_equal(stream_id_compare(stream->last_id, model->last_id), 0);
    assert_int_equal(stream_id_compare(stream->max_deleted_id, model->max_deleted_id), 0);
    assert_int_equal(stream->entries_added, model->added);
    struct stream_id first = model->count ? model->entries[0].id : STREAM_ID_MIN;
    assert_int_equal(stream_id_compare(stream->first_id, first), 0);
}

static void check_thoroughly(const struct run *run)
{
    for (int i = 0; i < STREAMS; i++) {
        const struct stream *stream = run->streams[i];
        check_quickly(&run->model, stream);
        check_range(&run->model, stream, STREAM_ID_MIN, STREAM_ID_MAX);
        assert_true(spine_is_sound(&stream->nodes));
        assert_int_equal(stream_sum(stream), stream_sum_by_walk(stream));
        assert_int_equal(stream_sum(stream), stream_sum(run->streams[0]));
        assert_int_equal(stream_test_digest(stream), stream_test_digest(run->streams[0]));
    }
}

static struct stream_id draw_id(struct run *run)
{
    struct stream_id id = {prng_below(&run->prng, run->model.last_id.ms + 2),
                           prng_below(&run->prng, 4)};
    if (run->model.count && prng_below(&run->prng, 2))
        id = run->model.entries[prng_below(&run->prng, run->model.count)].id;
    return id;
}

static void step_append(struct run *run)
{
    struct model *model = &run->model;
    if (model->count == ENTRIES_MAX)
        return;
    struct model_entry *entry = &model->entries[model->count++];
    *entry = (struct model_entry){.id = model->last_id};
    if (prng_below(&run->prng, 2))
        entry->id = (struct stream_id){entry->id.ms + 1 + prng_below(&run->prng, 3),
                                       prng_below(&run->prng, 3)};
    else
        entry->id.seq += 1 + prng_below(&run->prng, 200);
    bool usual = prng_below(&run->prng, 3);
    entry->pairs = usual ? 2 : prng_below(&run->prng, PAIRS_MAX) + 1;
    struct span args[2 * PAIRS_MAX];
    char texts[PAIRS_MAX][600];
    for (size_t i = 0; i < entry->pairs; i++) {
        entry->names[i] = usual ? (unsigned)i : (unsigned)prng_below(&run->prng, 5);
        entry->values[i] = prng_below(&run->prng, 2400);
        args[2 * i] = span_text(names[entry->names[i]]);
        args[2 * i + 1] = value_text(entry->values[i], texts[i]);
    }
    struct stream_fields fields = {args, entry->pairs};
    assert_true(stream_fields_fit(&fields));
    for (int i = 0; i < STREAMS; i++)
        stream_append(run->streams[i], entry->id, &fields, &rules[i]);
    model->last_id = entry->id;
    model->added++;
}

static void model_remove(struct model *model, size_t at, size_t count)
{
    model->count -= count;
    memmove(model->entries + at, model->entries + at + count,
            (model->count - at) * sizeof(model->entries[0]));
}

static void step_delete(struct run *run)
{
    struct model *model = &run->model;
    struct stream_id id = draw_id(run);
    size_t at = model_position(model, id);
    bool present = at < model->count && stream_id_compare(model->entries[at].id, id) == 0;
    for (int i = 0; i < STREAMS; i++) {
        struct stream_entry entry;
        assert_int_equal(stream_find(run->streams[i], id, &entry), present);
        if (present)
            check_entry(&model->entries[at], &entry);
        assert_int_equal(stream_delete(run->streams[i], id), present);
    }
    if (!present)
        return;
    model_remove(model, at, 1);
    if (stream_id_compare(id, model->max_deleted_id) > 0)
        model->max_deleted_id = id;
}

static void step_trim(struct run *run)
{
    struct model *model = &run->model;
    struct stream_trim trim = {.by = STREAM_TRIM_LENGTH, .is_about = prng_below(&run->prng, 2)};
    size_t expected = 0;
    if (prng_below(&run->prng, 2)) {
        trim.by = STREAM_TRIM_FIRST;
        trim.first_id = draw_id(run);
        expected = model_position(model, trim.first_id);
    } else {
        trim.length = model->count - prng_below(&run->prng, model->count + 1) / 3;
        trim.length += prng_below(&run->prng, 2);
        expected = model->count > trim.length ? model->count - (size_t)trim.length : 0;
    }
    if (trim.is_about) {
        trim.limit = prng_below(&run->prng, 2) * prng_below(&run->prng, 1000);
        if (trim.limit && expected > trim.limit)
            expected = (size_t)trim.limit;
        if (expected < model->count)
            expected = expected / STREAM_TRIM_STEP * STREAM_TRIM_STEP;
    }
    for (int i = 0; i < STREAMS; i++)
        assert_int_equal(stream_trim(run->streams[i], &trim), expected);
    model_remove(model, 0, expected);
}

static void step_replace_by_copy(struct run *run)
{
    for (int i = 0; i < STREAMS; i++) {
        struct stream *copy = prng_below(&run->prng, 2) ? stream_copy(run->streams[i])
                                                        : stream_test_reload(run->streams[i]);
        assert_true(stream_memory(copy) <= stream_memory(run->streams[i]));
        while (stream_free_some(run->streams[i], 7) == 7)
            ;
        run->streams[i] = copy;
    }
}

static void step(struct run *run)
{
    switch (prng_below(&run->prng, 400)) {
    case 0:
    case 1:
        step_trim(run);
        break;
    case 2:
        step_replace_by_copy(run);
        break;
    default:
        if (prng_below(&run->prng, 10) < 7)
            step_append(run);
        else
            step_delete(run);
    }
}

static void test_it_agrees_with_a_plain_array(void **state)
{
    (void)state;
    struct run *run = malloc(sizeof(*run));
    for (uint64_t seed = 1; seed <= 6; seed++) {
        memset(run, 0, sizeof(*run));
        prng_init(&run->prng, seed);
        for (int i = 0; i < STREAMS; i++)
            run->streams[i] = stream_new();
        for (int i = 0; i < 4000; i++) {
            step(run);
            for (int j = 0; j < STREAMS; j++)
                check_quickly(&run->model, run->streams[j]);
            if (i % 100 == 0)
                check_thoroughly(run);
            struct stream_id from = draw_id(run), to = draw_id(run);
            check_range(&run->model, run->streams[i % STREAMS], from, to);
        }
        for (int i = 0; i < STREAMS; i++)
            stream_free(run->streams[i]);
    }
    free(run);
}

static struct stream *stream_of(size_t count, const struct value_rules *of)
{
    struct stream *stream = stream_new();
    struct span args[] = {SPAN("name"), SPAN("value")};
    struct stream_fields fields = {args, 1};
    for (uint64_t i = 1; i <= count; i++)
        stream_append(stream, (struct stream_id){i, 0}, &fields, of);
    return stream;
}

static void test_node_limits(void **state)
{
    (void)state;
    struct stream *stream = stream_of(301, &rules[0]);
    assert_int_equal(stream->nodes.leaves, 4);
    stream_free(stream);
    stream = stream_of(301, &(struct value_rules){0});
    assert_int_equal(stream->nodes.leaves, 1);
    stream_free(stream);
    stream = stream_of(301, &(struct value_rules){.stream_node_bytes = 1});
    assert_int_equal(stream->nodes.leaves, 301);
    stream_free(stream);
}

static void test_next_ids(void **state)
{
    (void)state;
    struct stream *stream = stream_new();
    struct stream_id id;
    assert_true(stream_next_id(stream, 9, &id));
    assert_true(id.ms == 9 && id.seq == 0);
    assert_true(stream_next_id(stream, -9, &id));
    assert_true(id.ms == 0 && id.seq == 1);
    assert_true(stream_next_id_at(stream, 0, &id));
    assert_true(id.ms == 0 && id.seq == 1);
    stream_set_last_id(stream, (struct stream_id){9, UINT64_MAX});
    assert_true(stream_next_id(stream, 8, &id));
    assert_true(id.ms == 10 && id.seq == 0);
    assert_false(stream_next_id_at(stream, 9, &id));
    assert_false(stream_next_id_at(stream, 8, &id));
    assert_true(stream_next_id_at(stream, 11, &id));
    assert_true(id.ms == 11 && id.seq == 0);
    stream_set_last_id(stream, STREAM_ID_MAX);
    assert_false(stream_next_id(stream, 8, &id));
    stream_free(stream);
}

static void test_a_million_entries(void **state)
{
    (void)state;
    enum { COUNT = 1000 * 1000 };
    struct stream *stream = stream_of(COUNT, &rules[0]);
    assert_in_range(stream_memory(stream), COUNT * 10, COUNT * 20);
    struct stream_entry entry;
    assert_true(stream_find(stream, (struct stream_id){COUNT / 2, 0}, &entry));
    struct stream_trim trim = {.by = STREAM_TRIM_LENGTH, .length = 10};
    assert_int_equal(stream_trim(stream, &trim), COUNT - 10);
    assert_int_equal(stream->first_id.ms, COUNT - 9);
    assert_int_equal(stream_sum(stream), stream_sum_by_walk(stream));
    trim = (struct stream_trim){.by = STREAM_TRIM_LENGTH, .length = 0};
    assert_int_equal(stream_trim(stream, &trim), 10);
    assert_true(stream_id_is_zero(stream->first_id));
    stream_free(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_agrees_with_a_plain_array),
        cmocka_unit_test(test_node_limits),
        cmocka_unit_test(test_next_ids),
        cmocka_unit_test(test_a_million_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
