#include "keyspace/set.h"

#include <stdio.h>
#include <stdlib.h>

#include "unit/keyspace/values.h"

/* Member texts one after another; removals by the rule of value.h. */
enum { MODEL_MAX = 600, TEXT_MAX = 120 };

struct model {
    char texts[MODEL_MAX][TEXT_MAX];
    size_t lens[MODEL_MAX];
    size_t count;
};

static struct span model_at(const struct model *model, size_t position)
{
    return span_of(model->texts[position], model->lens[position]);
}

static size_t model_find(const struct model *model, struct span text)
{
    size_t at = 0;
    while (at < model->count && !span_equal(model_at(model, at), text))
        at++;
    return at;
}

static void model_add(struct model *model, struct span text)
{
    memcpy(model->texts[model->count], text.ptr, text.len);
    model->lens[model->count++] = text.len;
}

static void model_remove(struct model *model, size_t at)
{
    size_t last = model->count - 1;
    size_t from = model->count > 128 ? last : at + 1;
    size_t moved = model->count > 128 ? 1 : last - at;
    if (at != last) {
        memmove(model->texts[at], model->texts[from], moved * TEXT_MAX);
        memmove(model->lens + at, model->lens + from, moved * sizeof(size_t));
    }
    model->count--;
}

struct run {
    struct model model;
    struct set *sets[RULES];
    struct value_rules rules[RULES];
    struct prng prng;
    uint64_t texts; /* how many different ones are drawn */
    char text[TEXT_MAX];
};

/* A number of any width, a short text or a long one. */
static struct span draw(struct run *run)
{
    uint64_t id = prng_below(&run->prng, run->texts);
    uint64_t kind = run->texts % 2 ? 0 : id % 8;
    int len;
    if (kind < 4)
        len = snprintf(run->text, TEXT_MAX, "%lld",
                       (long long)(id << (id % 4 * 15)) * (id % 3 ? 1 : -1));
    else if (kind < 7)
        len = snprintf(run->text, TEXT_MAX, "text%llu", (unsigned long long)id);
    else
        len = snprintf(run->text, TEXT_MAX, "%0*llu", (int)(id % 90) + 2, (unsigned long long)id);
    return span_of(run->text, (size_t)len);
}

static void step(struct run *run, bool grows)
{
    struct span text = draw(run);
    size_t at = model_find(&run->model, text);
    bool present = at < run->model.count;
    for (int i = 0; i < RULES; i++)
        assert_int_equal(set_contains(run->sets[i], text), present);
    uint64_t kind = prng_below(&run->prng, 8);
    if (kind < (grows ? 7 : 2)) {
        for (int i = 0; i < RULES; i++)
            assert_int_equal(set_add(run->sets[i], text, &run->rules[i]), !present);
        if (!present)
            model_add(&run->model, text);
    } else if (kind == 7 && run->model.count) {
        at = prng_below(&run->prng, run->model.count);
        for (int i = 0; i < RULES; i++)
            set_remove_at(run->sets[i], at);
        model_remove(&run->model, at);
    } else {
        for (int i = 0; i < RULES; i++)
            assert_int_equal(set_remove(run->sets[i], text), present);
        if (present)
            model_remove(&run->model, at);
    }
}

static void check_order(const struct run *run, const struct set *set)
{
    assert_int_equal(set_count(set), run->model.count);
    assert_int_equal(set_ops.count(set), run->model.count);
    struct set_walk walk = set_walk(set);
    struct span member;
    size_t at = 0;
    for (; set_walk_next(&walk, &member); at++)
        assert_true(span_equal(member, model_at(&run->model, at)));
    assert_int_equal(at, run->model.count);
    char scratch[NUMBER_I64_CHARS];
    struct set_index index = set_index(set);
    for (size_t i = 0; i < at; i += 3)
        assert_true(span_equal(set_index_at(&index, i, scratch), model_at(&run->model, i)));
    set_index_close(&index);
    if (at) {
        at = at * 2 / 3;
        assert_true(span_equal(set_at(set, at, scratch), model_at(&run->model, at)));
        walk = set_walk_from(set, at);
        assert_true(set_walk_next(&walk, &member));
        assert_true(span_equal(member, model_at(&run->model, at)));
    }
}

static struct set *load(struct buf *saved, const struct value_rules *rules)
{
    struct span in = buf_span(saved);
    struct set *set = set_new();
    char scratch[NUMBER_I64_CHARS];
    bool encoded;
    for (uint64_t left = take_length(&in, &encoded); left > 0; left--)
        assert_true(set_add(set, take_text(&in, scratch), rules));
    assert_int_equal(in.len, 0);
    buf_close(saved);
    return set;
}

static void check_saved(struct run *run, const struct set *set, int other)
{
    struct buf saved = save_in_pieces(&set_ops, set, 1 + prng_below(&run->prng, 100));
    struct set *loaded = load(&saved, &run->rules[other]);
    check_order(run, loaded);
    assert_true(set_ops.sum(loaded) == set_ops.sum(set));
    set_free(loaded);
    struct set *copy = set_ops.copy(set);
    check_order(run, copy);
    assert_true(set_ops.sum(copy) == set_ops.sum(set));
    assert_string_equal(set_ops.encoding(copy), set_ops.encoding(set));
    struct span text = draw(run);
    assert_int_equal(set_contains(copy, text), set_contains(set, text));
    set_free(copy);
}

static void check_all(struct run *run)
{
    for (int i = 0; i < RULES; i++) {
        const struct set *set = run->sets[i];
        check_order(run, set);
        assert_true(set_ops.sum(set) == set_ops.sum_by_walk(set));
        assert_true(set_ops.sum(set) == set_ops.sum(run->sets[0]));
        assert_equal_bufs(digest_of(&set_ops, set), digest_of(&set_ops, run->sets[0]));
        check_saved(run, set, (i + 1) % RULES);
    }
}

static void test_all_forms_do_what_a_simple_model_does(void **state)
{
    (void)state;
    static const uint64_t texts[] = {10, 11, 400, 501, 160, 161};
    for (uint64_t seed = 0; seed < 18; seed++) {
        struct run *run = calloc(1, sizeof(*run));
        prng_init(&run->prng, seed);
        run->texts = texts[seed % 6];
        for (int i = 0; i < RULES; i++) {
            run->rules[i] = rules_of(i);
            run->sets[i] = set_new();
        }
        for (int i = 0; i < 4000; i++) {
            step(run, i / 1000 % 2 == 0);
            for (int j = 0; j < RULES; j++)
                assert_true(set_ops.sum(run->sets[j]) == set_ops.sum_by_walk(run->sets[j]));
            if (i % 100 == 0)
                check_all(run);
        }
        check_all(run);
        for (int i = 0; i < RULES; i++)
            set_free(run->sets[i]);
        free(run);
    }
}

static void add_numbers(struct set *set, int count, const struct value_rules *rules)
{
    char text[NUMBER_I64_CHARS];
    for (int i = 0; i < count; i++)
        assert_true(set_add(set, span_of(text, number_format_i64(text, i)), rules));
}

static void test_forms_change_where_redis_changes_them(void **state)
{
    (void)state;
    struct value_rules rules = value_rules_default;
    struct set *set = set_new();
    add_numbers(set, 512, &rules);
    assert_string_equal(set_ops.encoding(set), "intset");
    set_add(set, SPAN("512"), &rules);
    assert_string_equal(set_ops.encoding(set), "hashtable");
    set_free(set);

    set = set_new();
    add_numbers(set, 127, &rules);
    set_add(set, SPAN("a"), &rules);
    assert_string_equal(set_ops.encoding(set), "listpack");
    set_add(set, SPAN("0"), &rules);
    assert_string_equal(set_ops.encoding(set), "listpack");
    set_add(set, SPAN("b"), &rules);
    assert_string_equal(set_ops.encoding(set), "hashtable");
    set_free(set);

    set = set_new();
    add_numbers(set, 128, &rules);
    set_add(set, SPAN("a"), &rules);
    assert_string_equal(set_ops.encoding(set), "hashtable");
    set_free(set);

    char text[65];
    memset(text, 'x', sizeof(text));
    set = set_new();
    set_add(set, span_of(text, 64), &rules);
    assert_string_equal(set_ops.encoding(set), "listpack");
    set_add(set, span_of(text, 65), &rules);
    assert_string_equal(set_ops.encoding(set), "hashtable");
    set_free(set);

    rules.set_packed_value = 2;
    set = set_new();
    set_add(set, SPAN("100"), &rules);
    assert_string_equal(set_ops.encoding(set), "intset");
    set_add(set, SPAN("a"), &rules);
    assert_string_equal(set_ops.encoding(set), "hashtable");
    set_free(set);
}

static void test_a_search_among_integers_has_a_bound(void **state)
{
    (void)state;
    struct value_rules rules = value_rules_default;
    rules.set_intset_entries = 1000000;
    struct set *set = set_new();
    add_numbers(set, 4096, &rules);
    assert_string_equal(set_ops.encoding(set), "intset");
    set_add(set, SPAN("-1"), &rules);
    assert_string_equal(set_ops.encoding(set), "hashtable");
    set_free(set);
}

static void test_every_set_is_freed_in_pieces(void **state)
{
    (void)state;
    for (int which = 0; which < RULES; which++) {
        for (size_t limit = 1; limit < 400; limit = limit * 2 + 1) {
            struct value_rules rules = rules_of(which);
            struct set *set = set_new();
            add_numbers(set, 300, &rules);
            bool dense = set_ops.encoding(set)[0] == 'h';
            size_t freed = 0;
            size_t now;
            while ((now = set_ops.free_some(set, limit)) == limit)
                freed += now;
            assert_true(now < limit);
            assert_true(!dense || freed + now == 300);
        }
    }
}

static void test_memory_is_told_from_samples(void **state)
{
    (void)state;
    struct value_rules rules = rules_of(1);
    struct set *set = set_new();
    add_numbers(set, 1000, &rules);
    size_t all = set_ops.memory(set, 0);
    assert_int_equal(set_ops.memory(set, 1000), all);
    assert_int_equal(set_ops.memory(set, 5), all); /* all members take the same */
    assert_true(all > 1000 * (8 + 8 + 4));
    assert_true(all < 1000 * (8 + 12 + 12));
    set_free(set);
    rules = value_rules_default;
    set = set_new();
    add_numbers(set, 100, &rules);
    assert_true(set_ops.memory(set, 0) < 100 * 3 + 64);
    set_free(set);
}

/* The length of a member takes one byte, or five. */
static void test_members_of_every_length_are_kept(void **state)
{
    (void)state;
    enum { LEN_MAX = 600 };
    char text[LEN_MAX] = {0};
    struct value_rules rules = rules_of(1);
    struct set *set = set_new();
    for (size_t len = 0; len <= LEN_MAX; len++)
        assert_true(set_add(set, span_of(text, len), &rules));
    for (size_t len = 0; len <= LEN_MAX; len++)
        assert_true(set_contains(set, span_of(text, len)));
    struct set_walk walk = set_walk(set);
    size_t len = 0;
    for (struct span member; set_walk_next(&walk, &member); len++)
        assert_true(span_equal(member, span_of(text, len)));
    assert_int_equal(len, LEN_MAX + 1);
    struct set *copy = set_ops.copy(set);
    assert_int_equal(set_ops.sum_by_walk(copy), set_ops.sum(set));
    set_free(copy);
    set_free(set);
}

static void count_visit(void *context, struct span member)
{
    (void)member;
    ++*(int *)context;
}

static void test_a_small_set_answers_a_scan_at_once(void **state)
{
    (void)state;
    for (int which = 0; which < RULES; which++) {
        struct value_rules rules = rules_of(which);
        struct set *set = set_new();
        add_numbers(set, 100, &rules);
        int visits = 0;
        assert_int_equal(set_scan(set, 0, 10, count_visit, &visits), 0);
        assert_int_equal(visits, 100);
        set_free(set);
        set = set_new();
        add_numbers(set, 200, &rules);
        visits = 0;
        assert_int_equal(set_scan(set, 0, 10, count_visit, &visits), 190);
        assert_int_equal(visits, 10);
        assert_int_equal(set_scan(set, 5, 10, count_visit, &visits), 0);
        assert_int_equal(visits, 15);
        set_free(set);
    }
}

/* RDB has a short form for integers of up to 32 bits. */
static void test_saved_bytes_are_those_of_redis(void **state)
{
    (void)state;
    struct set *set = set_new();
    struct value_rules rules = value_rules_default;
    static const char *const members[] = {"1", "-300", "70000", "4294967296", "a"};
    for (size_t i = 0; i < 5; i++)
        set_add(set, span_text(members[i]), &rules);
    struct buf saved = save_in_pieces(&set_ops, set, 1000);
    assert_int_equal(set_ops.rdb_type(set), 2);
    assert_true(span_equal(buf_span(&saved), SPAN("\x05\xc0\x01\xc1\xd4\xfe\xc2\x70\x11\x01\x00"
                                                  "\x0a"
                                                  "4294967296\x01"
                                                  "a")));
    buf_close(&saved);
    set_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_forms_do_what_a_simple_model_does),
        cmocka_unit_test(test_forms_change_where_redis_changes_them),
        cmocka_unit_test(test_a_search_among_integers_has_a_bound),
        cmocka_unit_test(test_every_set_is_freed_in_pieces),
        cmocka_unit_test(test_memory_is_told_from_samples),
        cmocka_unit_test(test_members_of_every_length_are_kept),
        cmocka_unit_test(test_a_small_set_answers_a_scan_at_once),
        cmocka_unit_test(test_saved_bytes_are_those_of_redis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
