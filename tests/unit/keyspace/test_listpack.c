#include "keyspace/listpack.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/prng.h"
#include "unit/support/test.h"

/* Strings one after another, each in an allocation of its own. */
enum { MODEL_MAX = 400 };

struct model {
    struct span texts[MODEL_MAX];
    size_t count;
};

static void model_insert(struct model *model, size_t index, struct span text)
{
    char *copy = malloc(text.len + 1);
    if (text.len)
        memcpy(copy, text.ptr, text.len);
    memmove(model->texts + index + 1, model->texts + index,
            (model->count - index) * sizeof(struct span));
    model->texts[index] = span_of(copy, text.len);
    model->count++;
}

static void model_delete(struct model *model, size_t index)
{
    free((char *)(uintptr_t)model->texts[index].ptr);
    model->count--;
    memmove(model->texts + index, model->texts + index + 1,
            (model->count - index) * sizeof(struct span));
}

static void check_equal(const struct model *model, const struct listpack *pack)
{
    char scratch[NUMBER_I64_CHARS];
    assert_int_equal(listpack_count(pack), model->count);
    assert_true(listpack_validate(listpack_span(pack)));
    assert_int_equal(listpack_span(pack).len, listpack_bytes(pack));
    size_t i = 0;
    for (size_t at = listpack_first(pack); at; at = listpack_next(pack, at), i++) {
        assert_true(span_equal(listpack_text(pack, at, scratch), model->texts[i]));
        assert_true(listpack_equal(pack, at, model->texts[i]));
        int64_t expected = 0;
        int64_t number = 0;
        bool is_integer = number_parse_i64(model->texts[i], &expected);
        assert_int_equal(listpack_integer(pack, at, &number), is_integer);
        assert_true(!is_integer || number == expected);
    }
    assert_int_equal(i, model->count);
    for (size_t at = listpack_last(pack); at; at = listpack_previous(pack, at))
        assert_true(span_equal(listpack_text(pack, at, scratch), model->texts[--i]));
    assert_int_equal(i, 0);
}

struct run {
    struct model model;
    struct listpack pack;
    struct prng prng;
    char text[70000];
};

/* Numbers around every boundary of the format, and strings around theirs. */
static struct span draw(struct run *run)
{
    static const size_t lengths[] = {0,    1,    62,   63,    64,    65,    120,   125,
                                     126,  127,  128,  129,   4094,  4095,  4096,  4097,
                                     5000, 9000, 9001, 16376, 16377, 16378, 16379, 16380};
    uint64_t kind = prng_below(&run->prng, 8);
    if (kind < 4) {
        uint64_t bits = ((uint64_t)1 << prng_below(&run->prng, 64)) + kind - 1;
        int64_t number = (int64_t)(prng_below(&run->prng, 2) ? bits : 0 - bits);
        return span_of(run->text, number_format_i64(run->text, number));
    }
    size_t len = prng_below(&run->prng, 20);
    if (kind == 7)
        len = lengths[prng_below(&run->prng, sizeof(lengths) / sizeof(lengths[0]))];
    for (size_t i = 0; i < len; i++)
        run->text[i] = (char)prng_below(&run->prng, 256);
    return span_of(run->text, len);
}

static size_t place_of(struct run *run, size_t index)
{
    return listpack_nth(&run->pack, index);
}

static void step_insert(struct run *run)
{
    size_t index = prng_below(&run->prng, run->model.count + 1);
    struct span text = draw(run);
    size_t at = index == run->model.count ? 0 : place_of(run, index);
    int64_t number;
    size_t bytes = listpack_bytes(&run->pack);
    if (number_parse_i64(text, &number) && prng_below(&run->prng, 2)) {
        at = listpack_insert_integer(&run->pack, at, number);
        assert_int_equal(listpack_bytes(&run->pack) - bytes, listpack_integer_bytes(number));
    } else {
        at = listpack_insert(&run->pack, at, text);
        assert_int_equal(listpack_bytes(&run->pack) - bytes, listpack_element_bytes(text));
    }
    assert_true(listpack_equal(&run->pack, at, text));
    model_insert(&run->model, index, text);
    assert_int_equal(at, place_of(run, index));
}

static void step_replace(struct run *run)
{
    if (!run->model.count)
        return;
    size_t index = prng_below(&run->prng, run->model.count);
    struct span text = draw(run);
    size_t at = place_of(run, index);
    int64_t number;
    if (number_parse_i64(text, &number) && prng_below(&run->prng, 2))
        assert_int_equal(listpack_replace_integer(&run->pack, at, number), at);
    else
        assert_int_equal(listpack_replace(&run->pack, at, text), at);
    model_delete(&run->model, index);
    model_insert(&run->model, index, text);
}

static void step_delete(struct run *run)
{
    size_t index = prng_below(&run->prng, run->model.count + 1);
    size_t count = prng_below(&run->prng, 20);
    size_t left = run->model.count - index;
    size_t expected = count < left ? count : left;
    if (prng_below(&run->prng, 2)) {
        assert_int_equal(listpack_delete_range(&run->pack, index, count), expected);
    } else {
        size_t at = listpack_delete(&run->pack, place_of(run, index), count);
        assert_int_equal(at, index + expected < run->model.count ? place_of(run, index) : 0);
    }
    for (size_t i = 0; i < expected; i++)
        model_delete(&run->model, index);
}

static void step_append_from(struct run *run)
{
    struct listpack other = {0};
    listpack_copy(&other, &run->pack);
    size_t index = prng_below(&run->prng, run->model.count + 1);
    size_t count = prng_below(&run->prng, 20);
    listpack_append_from(&run->pack, &other, listpack_nth(&other, index), count);
    size_t end = index + count < other.count ? index + count : other.count;
    for (; index < end; index++)
        model_insert(&run->model, run->model.count, run->model.texts[index]);
    listpack_close(&other);
}

static void step_find(struct run *run)
{
    if (!run->model.count)
        return;
    size_t from = prng_below(&run->prng, run->model.count);
    size_t skip = prng_below(&run->prng, 4);
    struct span text = draw(run);
    if (prng_below(&run->prng, 4))
        text = run->model.texts[prng_below(&run->prng, run->model.count)];
    size_t index = from;
    while (index < run->model.count && !span_equal(run->model.texts[index], text))
        index += 1 + skip;
    size_t found = listpack_find(&run->pack, place_of(run, from), text, skip);
    assert_int_equal(found, index < run->model.count ? place_of(run, index) : 0);
    index = prng_below(&run->prng, 2 * run->model.count);
    assert_int_equal(listpack_skip(&run->pack, place_of(run, from), index),
                     place_of(run, from + index));
}

static void step_memory(struct run *run)
{
    if (prng_below(&run->prng, 2))
        listpack_reserve(&run->pack, prng_below(&run->prng, 5000));
    else
        listpack_shrink(&run->pack);
}

static void step_load(struct run *run)
{
    struct listpack other = {0};
    assert_true(listpack_load(&other, listpack_span(&run->pack)));
    listpack_close(&run->pack);
    run->pack = other;
}

static void test_random_calls_do_what_a_simple_model_does(void **state)
{
    (void)state;
    static void (*const kinds[])(struct run *) = {
        step_insert, step_insert, step_insert,      step_replace, step_replace,
        step_delete, step_find,   step_append_from, step_memory,  step_load,
    };
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct run *run = calloc(1, sizeof(*run));
        prng_init(&run->prng, seed);
        for (int i = 0; i < 1000; i++) {
            kinds[prng_below(&run->prng, sizeof(kinds) / sizeof(kinds[0]))](run);
            while (run->model.count > MODEL_MAX / 2) {
                listpack_delete_range(&run->pack, 0, 1);
                model_delete(&run->model, 0);
            }
            check_equal(&run->model, &run->pack);
        }
        while (run->model.count)
            model_delete(&run->model, 0);
        listpack_delete_range(&run->pack, 0, SIZE_MAX);
        assert_null(run->pack.bytes);
        free(run);
    }
}

/* What redis-server 7.0 wrote for these elements: 127, -1, "ab", 4096, -40000, 2^23, 2^40, "" */
static void test_bytes_are_those_of_the_public_format(void **state)
{
    (void)state;
    static const char expected[] = "\x2b\x00\x00\x00\x08\x00"
                                   "\x7f\x01"
                                   "\xdf\xff\x02"
                                   "\x82"
                                   "ab\x03"
                                   "\xf1\x00\x10\x03"
                                   "\xf2\xc0\x63\xff\x04"
                                   "\xf3\x00\x00\x80\x00\x05"
                                   "\xf4\x00\x00\x00\x00\x00\x01\x00\x00\x09"
                                   "\x80\x01"
                                   "\xff";
    static const char *const texts[] = {"127",           "-1", "ab", "4096", "-40000", "8388608",
                                        "1099511627776", ""};
    struct listpack pack = {0};
    assert_true(span_equal(listpack_span(&pack), SPAN("\7\0\0\0\0\0\xff")));
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        listpack_append(&pack, span_text(texts[i]));
    struct span bytes = listpack_span(&pack);
    assert_true(span_equal(bytes, span_of(expected, sizeof(expected) - 1)));
    listpack_close(&pack);
}

/* As seen in DUMPs of redis-server 7.0. */
static void test_trailers_at_their_boundaries_are_as_redis_writes_them(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        struct span trailer;
    } cases[] = {
        {125, {"\x7f\xff", 2}},
        {126, {"\x01\x80\xff", 3}},
        {16377, {"\x7f\xfe\xff", 3}},
        {16378, {"\x00\xff\xff\xff", 4}},
        {16379, {"\x01\x80\x80\xff", 4}},
        {2097145, {"\x7f\xff\xfe\xff", 4}},
        {2097146, {"\x00\xff\xff\xff\xff", 5}},
        {2097147, {"\x01\x80\x80\x80\xff", 5}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text = malloc(cases[i].len);
        memset(text, 'x', cases[i].len);
        struct listpack pack = {0};
        listpack_append(&pack, span_of(text, cases[i].len));
        struct span bytes = listpack_span(&pack);
        struct span end = cases[i].trailer;
        assert_true(span_equal(span_of(bytes.ptr + bytes.len - end.len, end.len), end));
        assert_int_equal(bytes.ptr[bytes.len - end.len - 1], 'x');
        assert_int_equal(listpack_last(&pack), listpack_first(&pack));
        listpack_close(&pack);
        free(text);
    }
}

static void test_an_integer_that_was_loaded_as_a_text_is_found(void **state)
{
    (void)state;
    struct listpack pack = {0};
    assert_true(listpack_load(&pack, SPAN("\x0b\0\0\0\1\0\x82"
                                          "12\3\xff")));
    assert_int_equal(listpack_find(&pack, listpack_first(&pack), SPAN("12"), 0), 6);
    assert_int_equal(listpack_find(&pack, listpack_first(&pack), SPAN("13"), 0), 0);
    listpack_close(&pack);
    /* 5 in 8 bytes */
    assert_true(listpack_load(&pack, SPAN("\x11\0\0\0\1\0\xf4\5\0\0\0\0\0\0\0\x09\xff")));
    assert_int_equal(listpack_find(&pack, listpack_first(&pack), SPAN("5"), 0), 6);
    listpack_close(&pack);
}

static void test_an_unknown_count_is_counted(void **state)
{
    (void)state;
    struct listpack pack = {0};
    for (int i = 0; i < 70000; i++)
        listpack_append_integer(&pack, i);
    assert_int_equal(listpack_count(&pack), 70000);
    struct span bytes = listpack_span(&pack);
    assert_memory_equal(bytes.ptr + 4, "\xff\xff", 2);
    struct listpack other = {0};
    assert_true(listpack_load(&other, bytes));
    assert_int_equal(listpack_count(&other), 70000);
    listpack_delete_range(&other, 0, 70000 - 65534);
    assert_memory_equal(listpack_span(&other).ptr + 4, "\xfe\xff", 2);
    int64_t number;
    assert_true(listpack_integer(&other, listpack_nth(&other, 65533), &number));
    assert_int_equal(number, 69999);
    listpack_close(&pack);
    listpack_close(&other);
}

static void test_damaged_bytes_are_refused(void **state)
{
    (void)state;
    static const struct span bad[] = {
        {"", 0},
        {"\7\0\0\0\0\0", 6},
        {"\7\0\0\0\0\0\xfe", 7},                  /* no end */
        {"\x08\0\0\0\0\0\xff", 7},                /* another length */
        {"\7\0\0\0\1\0\xff", 7},                  /* fewer elements than told */
        {"\x09\0\0\0\2\0\1\1\xff", 9},            /* the same */
        {"\x09\0\0\0\0\0\1\1\xff", 9},            /* more */
        {"\x09\0\0\0\1\0\1\2\xff", 9},            /* a wrong trailer */
        {"\x08\0\0\0\1\0\1\xff", 8},              /* none */
        {"\x09\0\0\0\1\0\xf5\1\xff", 9},          /* no such encoding */
        {"\x09\0\0\0\1\0\xff\1\xff", 9},          /* an end before the end */
        {"\x09\0\0\0\1\0\xf1\1\xff", 9},          /* a number beyond the end */
        {"\x0a\0\0\0\1\0\xbf\0\1\xff", 10},       /* a string beyond it */
        {"\x0b\0\0\0\1\0\xf0\xff\xff\1\xff", 11}, /* its length beyond it */
        {"\x0d\0\0\0\1\0\xf0\xff\xff\xff\xff\1\xff", 13},
    };
    struct listpack pack = {0};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(listpack_validate(bad[i]));
        assert_false(listpack_load(&pack, bad[i]));
    }
    assert_true(listpack_validate(SPAN("\x09\0\0\0\1\0\1\1\xff")));
}

/* A validated pack can be read; the sanitizer watches. */
static void test_bytes_changed_at_random_are_refused_or_readable(void **state)
{
    (void)state;
    struct run *run = calloc(1, sizeof(*run));
    prng_init(&run->prng, 9);
    size_t accepted = 0;
    for (int i = 0; i < 20000; i++) {
        struct listpack pack = {0};
        for (size_t count = prng_below(&run->prng, 6); count-- > 0;)
            listpack_append(&pack, draw(run));
        struct span bytes = listpack_span(&pack);
        char *copy = malloc(bytes.len); /* of exactly that size, for the sanitizer */
        memcpy(copy, bytes.ptr, bytes.len);
        for (uint64_t changes = 1 + prng_below(&run->prng, 3); changes-- > 0;)
            copy[prng_below(&run->prng, bytes.len < 40 ? bytes.len : 40)] ^=
                (char)(1 << prng_below(&run->prng, 8));
        struct listpack other = {0};
        if (listpack_load(&other, span_of(copy, bytes.len))) {
            size_t sum = 0;
            char scratch[NUMBER_I64_CHARS];
            for (size_t at = listpack_first(&other); at; at = listpack_next(&other, at))
                sum += listpack_text(&other, at, scratch).len;
            for (size_t at = listpack_last(&other); at; at = listpack_previous(&other, at))
                sum -= listpack_text(&other, at, scratch).len;
            assert_int_equal(sum, 0);
            accepted++;
        }
        listpack_close(&other);
        listpack_close(&pack);
        free(copy);
    }
    assert_true(accepted > 100);
    free(run);
}

static void test_memory_follows_the_content(void **state)
{
    (void)state;
    struct listpack pack = {0};
    size_t moves = 0;
    for (size_t i = 0, capacity = 0; i < 200000; i++) {
        listpack_append(&pack, SPAN("some text"));
        moves += pack.capacity != capacity;
        capacity = pack.capacity;
        assert_true(capacity < 64 || capacity <= listpack_bytes(&pack) / 4 * 5 + 16);
    }
    assert_in_range(moves, 1, 80);
    listpack_reserve(&pack, 1000000);
    assert_true(listpack_memory(&pack) >= listpack_bytes(&pack) + 1000000);
    listpack_shrink(&pack);
    assert_true(listpack_memory(&pack) <= listpack_bytes(&pack) / 4 * 5);
    listpack_delete_range(&pack, 10, SIZE_MAX);
    assert_true(listpack_memory(&pack) < 200);
    assert_true(listpack_has_room(&pack, LISTPACK_BYTES_MAX - 1000));
    assert_false(listpack_has_room(&pack, LISTPACK_BYTES_MAX));
    listpack_close(&pack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_calls_do_what_a_simple_model_does),
        cmocka_unit_test(test_bytes_are_those_of_the_public_format),
        cmocka_unit_test(test_trailers_at_their_boundaries_are_as_redis_writes_them),
        cmocka_unit_test(test_an_integer_that_was_loaded_as_a_text_is_found),
        cmocka_unit_test(test_an_unknown_count_is_counted),
        cmocka_unit_test(test_damaged_bytes_are_refused),
        cmocka_unit_test(test_bytes_changed_at_random_are_refused_or_readable),
        cmocka_unit_test(test_memory_follows_the_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
