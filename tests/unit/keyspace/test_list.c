#include "keyspace/list.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/prng.h"
#include "keyspace/rdb_code.h"
#include "unit/support/test.h"

/* The elements in an array. */
enum { MODEL_MAX = 4000 };

struct model {
    struct buf texts[MODEL_MAX];
    size_t used;
};

static struct span at(const struct model *model, size_t index)
{
    return buf_span(&model->texts[index]);
}

static void model_insert(struct model *model, size_t index, struct span text)
{
    memmove(model->texts + index + 1, model->texts + index,
            (model->used - index) * sizeof(model->texts[0]));
    model->texts[index] = (struct buf){0};
    buf_add_span(&model->texts[index], text);
    model->used++;
}

static void model_remove(struct model *model, size_t index)
{
    buf_close(&model->texts[index]);
    model->used--;
    memmove(model->texts + index, model->texts + index + 1,
            (model->used - index) * sizeof(model->texts[0]));
}

static void model_clear(struct model *model)
{
    while (model->used)
        model_remove(model, model->used - 1);
}

static void check_equal(const struct model *model, const struct list *list)
{
    assert_int_equal(list_count(list), model->used);
    assert_int_equal(list_ops.count(list), model->used);
    assert_int_equal(list_ops.sum(list), list_ops.sum_by_walk(list));
    struct list_place place;
    char scratch[NUMBER_I64_CHARS];
    size_t i = 0;
    for (bool more = list_at(list, 0, &place); more; more = list_next(&place)) {
        assert_true(i < model->used);
        assert_true(span_equal(list_text(&place, scratch), at(model, i)));
        assert_true(list_is(&place, at(model, i)));
        i++;
    }
    assert_int_equal(i, model->used);
    for (bool more = i && list_at(list, i - 1, &place); more; more = list_previous(&place))
        assert_true(list_is(&place, at(model, --i)));
    assert_int_equal(i, 0);
    assert_false(list_at(list, model->used, &place));
}

static void check_index(const struct model *model, const struct list *list, struct prng *prng)
{
    struct list_place place;
    if (model->used == 0)
        return;
    size_t index = prng_below(prng, model->used);
    assert_true(list_at(list, index, &place));
    assert_true(list_is(&place, at(model, index)));
}

/* Mostly few short texts, so that LREM finds some; sometimes numbers, long or very long ones. */
static struct span some_text(struct prng *prng, struct buf *text)
{
    text->len = 0;
    switch (prng_below(prng, 12)) {
    case 0:
        buf_add_i64(text, (int64_t)prng_next(prng) >> prng_below(prng, 64));
        break;
    case 1:
        for (size_t i = prng_below(prng, 700); i > 0; i--)
            buf_add_char(text, (char)('a' + i % 3));
        break;
    case 2:
        if (prng_below(prng, 20) == 0) {
            for (size_t i = prng_below(prng, 20000); i > 0; i--)
                buf_add_char(text, 'L');
        }
        break;
    default:
        buf_printf(text, "%s%d", prng_below(prng, 2) ? "v" : "", (int)prng_below(prng, 9));
        break;
    }
    return buf_span(text);
}

struct game {
    struct model model;
    struct list *list;
    struct value_rules rules;
    struct prng prng;
    struct buf text;
};

static void push(struct game *game)
{
    enum list_end end = prng_below(&game->prng, 2) ? LIST_HEAD : LIST_TAIL;
    struct span text = some_text(&game->prng, &game->text);
    model_insert(&game->model, end == LIST_HEAD ? 0 : game->model.used, text);
    list_push(game->list, &game->rules, end, text);
}

static void insert(struct game *game)
{
    size_t index = prng_below(&game->prng, game->model.used + 1);
    struct span text = some_text(&game->prng, &game->text);
    model_insert(&game->model, index, text);
    list_insert(game->list, &game->rules, index, text);
}

static void set(struct game *game)
{
    if (game->model.used == 0)
        return;
    size_t index = prng_below(&game->prng, game->model.used);
    struct span text = some_text(&game->prng, &game->text);
    model_remove(&game->model, index);
    model_insert(&game->model, index, text);
    list_set(game->list, &game->rules, index, text);
}

static void drop(struct game *game, size_t most)
{
    enum list_end end = prng_below(&game->prng, 2) ? LIST_HEAD : LIST_TAIL;
    size_t count = prng_below(&game->prng, most + 1);
    list_drop(game->list, &game->rules, end, count);
    while (count-- && game->model.used)
        model_remove(&game->model, end == LIST_HEAD ? 0 : game->model.used - 1);
}

static void remove_equal(struct game *game)
{
    enum list_end from = prng_below(&game->prng, 2) ? LIST_HEAD : LIST_TAIL;
    struct span text = some_text(&game->prng, &game->text);
    size_t most = prng_below(&game->prng, 4) ? 1 + prng_below(&game->prng, 5) : SIZE_MAX;
    size_t removed = 0;
    struct model *model = &game->model;
    for (size_t i = 0, walked = model->used; walked > 0 && removed < most; walked--) {
        size_t index = from == LIST_HEAD ? i : walked - 1;
        if (span_equal(at(model, index), text)) {
            model_remove(model, index);
            removed++;
        } else {
            i++;
        }
    }
    assert_int_equal(list_remove(game->list, &game->rules, text, from, most), removed);
}

/* Replaces the list by its copy. */
static void copy(struct game *game)
{
    struct list *list = list_ops.copy(game->list);
    assert_string_equal(list_ops.encoding(list), list_ops.encoding(game->list));
    assert_int_equal(list_ops.sum(list), list_ops.sum(game->list));
    list_free(game->list);
    game->list = list;
}

static void play(uint64_t seed, int packed_size, int steps)
{
    static struct game game;
    memset(&game, 0, sizeof(game));
    game.rules = value_rules_default;
    game.rules.list_packed_size = packed_size;
    game.list = list_new();
    prng_init(&game.prng, seed);
    for (int i = 0; i < steps; i++) {
        bool growing = i / 500 % 2 == 0;
        switch (prng_below(&game.prng, 12)) {
        case 0:
        case 1:
        case 2:
            if (game.model.used < MODEL_MAX)
                insert(&game);
            break;
        case 3:
        case 4:
            set(&game);
            break;
        case 5:
            remove_equal(&game);
            break;
        case 6:
            drop(&game, growing ? 5 : 60);
            break;
        case 7:
            if (i % 50 == 0)
                copy(&game);
            break;
        default:
            if (game.model.used < MODEL_MAX)
                push(&game);
            break;
        }
        assert_int_equal(list_ops.sum(game.list), list_ops.sum_by_walk(game.list));
        check_index(&game.model, game.list, &game.prng);
        if (i % 16 == 0)
            check_equal(&game.model, game.list);
    }
    check_equal(&game.model, game.list);
    list_free(game.list);
    model_clear(&game.model);
    buf_close(&game.text);
}

static void test_it_agrees_with_an_array(void **state)
{
    (void)state;
    static const int sizes[] = {-2, -1, -5, 128, 4, 1, 0, -99};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (uint64_t seed = 1; seed <= 4; seed++)
            play(seed * 100 + i, sizes[i], 4000);
    }
}

static void add_numbers(struct list *list, const struct value_rules *rules, int count)
{
    char text[32];
    for (int i = 0; i < count; i++) {
        int len = snprintf(text, sizeof(text), "element %d", i);
        list_push(list, rules, LIST_TAIL, span_of(text, (size_t)len));
    }
}

static void test_the_form_follows_the_rules(void **state)
{
    (void)state;
    struct value_rules rules = value_rules_default;
    rules.list_packed_size = 4;
    struct list *list = list_new();
    add_numbers(list, &rules, 4);
    assert_string_equal(list_ops.encoding(list), "listpack");
    add_numbers(list, &rules, 1);
    assert_string_equal(list_ops.encoding(list), "quicklist");
    list_drop(list, &rules, LIST_TAIL, 1);
    assert_string_equal(list_ops.encoding(list), "quicklist");
    list_drop(list, &rules, LIST_TAIL, 1);
    assert_string_equal(list_ops.encoding(list), "quicklist");
    list_drop(list, &rules, LIST_HEAD, 1);
    assert_string_equal(list_ops.encoding(list), "listpack");

    static char large[5000];
    rules.list_packed_size = -1;
    list_set(list, &rules, 1, span_of(large, sizeof(large)));
    assert_string_equal(list_ops.encoding(list), "quicklist");
    list_set(list, &rules, 1, SPAN("small"));
    assert_int_equal(list_remove(list, &rules, SPAN("small"), LIST_TAIL, 1), 1);
    assert_string_equal(list_ops.encoding(list), "listpack");
    list_free(list);
}

/* As Redis has it: 0 is 1, and what is below -5 is -5. */
static void test_sizes_of_chunks_that_are_none_count_as_the_nearest(void **state)
{
    (void)state;
    static char large[60000];
    struct value_rules rules = value_rules_default;
    rules.list_packed_size = 0;
    struct list *list = list_new();
    add_numbers(list, &rules, 1);
    assert_string_equal(list_ops.encoding(list), "listpack");
    add_numbers(list, &rules, 1);
    assert_string_equal(list_ops.encoding(list), "quicklist");
    list_free(list);
    list = list_new();
    rules.list_packed_size = INT32_MIN;
    list_push(list, &rules, LIST_TAIL, span_of(large, sizeof large));
    assert_string_equal(list_ops.encoding(list), "listpack");
    list_push(list, &rules, LIST_TAIL, span_of(large, sizeof large));
    assert_string_equal(list_ops.encoding(list), "quicklist");
    list_free(list);
}

/* A number takes fewer bytes than its digits, and a text more: a chunk that ends where its memory
 * does became longer. */
static void test_a_chunk_stays_within_its_limit(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    static const char *const before[] = {"-9223372036854775808", "t"};
    static const char *const after[] = {
        "a text of 20 letters", "a text of sixty-four letters takes a head of two bytes in a pack"};
    for (size_t i = 0; i < 2; i++) {
        struct list *list = list_new();
        for (int j = 0; j < COUNT; j++)
            list_push(list, &value_rules_default, LIST_TAIL, span_text(before[i]));
        for (size_t j = 0; j < COUNT; j++) {
            struct list_place place;
            list_set(list, &value_rules_default, (j * 7) % COUNT, span_text(after[i]));
            assert_true(list_at(list, (j * 7) % COUNT, &place));
            assert_in_range(listpack_bytes(place.pack), 1, 8192);
        }
        assert_int_equal(list_ops.sum(list), list_ops.sum_by_walk(list));
        list_free(list);
    }
}

/* One that is as long as what was there fits where it was. */
static void test_a_full_chunk_is_not_split_by_an_element_of_the_same_length(void **state)
{
    (void)state;
    struct list *list = list_new();
    add_numbers(list, &value_rules_default, 3000);
    size_t memory = list_ops.memory(list, 0);
    for (size_t i = 0; i < 3000; i++) {
        struct list_place place;
        char text[32], scratch[NUMBER_I64_CHARS];
        assert_true(list_at(list, i, &place));
        struct span old = list_text(&place, scratch);
        memset(text, 'x', old.len);
        list_set(list, &value_rules_default, i, span_of(text, old.len));
    }
    assert_int_equal(list_ops.memory(list, 0), memory);
    list_free(list);
}

/* Equal sequences have equal sums, in every form and however they came about; others have others.
 */
static void test_the_sum_depends_on_the_order_alone(void **state)
{
    (void)state;
    struct value_rules few = value_rules_default, many = value_rules_default;
    few.list_packed_size = 2;
    struct list *a = list_new(), *b = list_new();
    static const char *const texts[] = {"a", "b", "a", "c", "a"};
    for (size_t i = 0; i < 5; i++) {
        list_push(a, &few, LIST_TAIL, span_text(texts[i]));
        list_push(b, &many, LIST_HEAD, span_text(texts[4 - i]));
    }
    assert_int_equal(list_ops.sum(a), list_ops.sum(b));
    list_set(b, &many, 1, SPAN("c"));
    list_set(b, &many, 3, SPAN("b"));
    assert_int_not_equal(list_ops.sum(a), list_ops.sum(b));
    list_set(a, &few, 3, SPAN("b"));
    list_set(a, &few, 1, SPAN("c"));
    assert_int_equal(list_ops.sum(a), list_ops.sum(b));
    list_drop(a, &few, LIST_HEAD, 5);
    assert_int_equal(list_ops.sum(a), 0);
    list_free(a);
    list_free(b);
}

struct sink {
    struct value_sink base;
    struct buf bytes;
};

static void sink_add(struct value_sink *base, const void *bytes, size_t len)
{
    buf_add(&((struct sink *)base)->bytes, bytes, len);
}

static void test_the_digest_does_not_depend_on_the_form(void **state)
{
    (void)state;
    struct value_rules few = value_rules_default;
    few.list_packed_size = 7;
    struct list *a = list_new(), *b = list_new();
    add_numbers(a, &few, 100);
    add_numbers(b, &value_rules_default, 100);
    struct sink x = {{sink_add}, {0}}, y = {{sink_add}, {0}};
    list_ops.digest(a, &x.base);
    list_ops.digest(b, &y.base);
    assert_true(x.bytes.len > 900 && span_equal(buf_span(&x.bytes), buf_span(&y.bytes)));
    buf_close(&x.bytes);
    buf_close(&y.bytes);
    list_free(a);
    list_free(b);
}

/* Reads what save() wrote: a length, then strings that are plain or short integers. */
static struct span read_text(const char **next, char scratch[NUMBER_I64_CHARS])
{
    const unsigned char *bytes = (const unsigned char *)*next;
    struct rdb_length length = rdb_length_of(bytes);
    *next += rdb_length_bytes(bytes[0]);
    if (length.encoded) {
        unsigned count = rdb_integer_bytes(length.value);
        int64_t number = rdb_integer_of((const unsigned char *)*next, count);
        *next += count;
        return span_of(scratch, number_format_i64(scratch, number));
    }
    *next += length.value;
    return span_of(*next - length.value, length.value);
}

static void save_and_compare(const struct list *list, size_t most)
{
    struct buf out = {0};
    struct value_cursor cursor = {0};
    size_t before = 0;
    while (list_ops.save(list, &cursor, &out, most)) {
        assert_true(out.len > before && out.len <= before + most + 64);
        before = out.len;
    }
    const char *next = out.ptr;
    size_t count = rdb_length_of((const unsigned char *)next).value;
    next += rdb_length_bytes((unsigned char)*next);
    assert_int_equal(count, list_count(list));
    struct list_place place;
    char scratch[NUMBER_I64_CHARS];
    for (bool more = list_at(list, 0, &place); more; more = list_next(&place))
        assert_true(list_is(&place, read_text(&next, scratch)));
    assert_ptr_equal(next, out.ptr + out.len);
    buf_close(&out);
}

static void test_it_is_saved_in_pieces(void **state)
{
    (void)state;
    struct list *list = list_new();
    assert_int_equal(list_ops.rdb_type(list), 1);
    struct prng prng;
    prng_init(&prng, 5);
    struct buf text = {0};
    save_and_compare(list, 100);
    for (int i = 0; i < 3000; i++)
        list_push(list, &value_rules_default, LIST_TAIL, some_text(&prng, &text));
    list_push(list, &value_rules_default, LIST_TAIL, SPAN("-2147483649"));
    list_push(list, &value_rules_default, LIST_TAIL, SPAN(""));
    static const size_t sizes[] = {1, 7, 100, 4096, 1 << 20};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        save_and_compare(list, sizes[i]);
    buf_close(&text);
    list_free(list);
}

static void test_it_is_freed_in_pieces(void **state)
{
    (void)state;
    struct value_rules rules = value_rules_default;
    rules.list_packed_size = 10;
    struct list *list = list_new();
    add_numbers(list, &rules, 100);
    assert_int_equal(list_ops.free_some(list, 4), 4);
    assert_int_equal(list_ops.free_some(list, 6), 6);
    assert_int_equal(list_ops.free_some(list, 1), 0);
    list = list_new();
    add_numbers(list, &rules, 100);
    assert_int_equal(list_ops.free_some(list, 11), 10);
}

static void test_memory_counts_what_is_allocated(void **state)
{
    (void)state;
    struct list *list = list_new();
    size_t empty = list_ops.memory(list, 0);
    add_numbers(list, &value_rules_default, 100);
    assert_in_range(list_ops.memory(list, 0), empty + 1200, empty + 2000);
    add_numbers(list, &value_rules_default, 100000);
    size_t all = list_ops.memory(list, 0);
    assert_in_range(all, 1400000, 1900000);
    assert_in_range(list_ops.memory(list, 5), all - all / 5, all + all / 5);
    list_free(list);
}

/* Chunks that lost elements here and there become one again. */
static void test_thinning_out_gives_memory_back(void **state)
{
    (void)state;
    struct list *list = list_new();
    char text[32];
    for (int i = 0; i < 64000; i++) {
        int len = snprintf(text, sizeof(text), "element %d", i % 64);
        list_push(list, &value_rules_default, LIST_TAIL, span_of(text, (size_t)len));
    }
    size_t before = list_ops.memory(list, 0);
    for (int i = 0; i < 63; i++) {
        int len = snprintf(text, sizeof(text), "element %d", i);
        enum list_end from = i % 2 ? LIST_HEAD : LIST_TAIL;
        assert_int_equal(
            list_remove(list, &value_rules_default, span_of(text, (size_t)len), from, SIZE_MAX),
            1000);
    }
    assert_int_equal(list_count(list), 1000);
    assert_in_range(list_ops.memory(list, 0), 1, before / 20);
    list_free(list);
}

/* Ten million elements; each step takes as long as at the beginning, or this would take hours. */
static void test_a_long_list(void **state)
{
    (void)state;
    enum { COUNT = 10 * 1000 * 1000 };
    struct list *list = list_new();
    char scratch[NUMBER_I64_CHARS];
    for (int i = 0; i < COUNT; i++) {
        struct span text = span_of(scratch, number_format_i64(scratch, i));
        list_push(list, &value_rules_default, LIST_TAIL, text);
    }
    struct prng prng;
    prng_init(&prng, 1);
    for (int i = 0; i < 10000; i++) {
        size_t index = prng_below(&prng, COUNT);
        struct list_place place;
        assert_true(list_at(list, index, &place));
        struct span text = span_of(scratch, number_format_i64(scratch, (int64_t)index));
        assert_true(list_is(&place, text));
        list_set(list, &value_rules_default, index, text);
    }
    assert_int_equal(list_ops.sum(list), list_ops.sum_by_walk(list));
    list_drop(list, &value_rules_default, LIST_HEAD, COUNT - 3);
    assert_string_equal(list_ops.encoding(list), "listpack");
    assert_int_equal(list_ops.sum(list), list_ops.sum_by_walk(list));
    list_free(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_agrees_with_an_array),
        cmocka_unit_test(test_the_form_follows_the_rules),
        cmocka_unit_test(test_sizes_of_chunks_that_are_none_count_as_the_nearest),
        cmocka_unit_test(test_a_chunk_stays_within_its_limit),
        cmocka_unit_test(test_a_full_chunk_is_not_split_by_an_element_of_the_same_length),
        cmocka_unit_test(test_the_sum_depends_on_the_order_alone),
        cmocka_unit_test(test_the_digest_does_not_depend_on_the_form),
        cmocka_unit_test(test_it_is_saved_in_pieces),
        cmocka_unit_test(test_it_is_freed_in_pieces),
        cmocka_unit_test(test_memory_counts_what_is_allocated),
        cmocka_unit_test(test_thinning_out_gives_memory_back),
        cmocka_unit_test(test_a_long_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
