#include "keyspace/hash.h"

#include <stdio.h>
#include <stdlib.h>

#include "unit/keyspace/values.h"

/* Fields one after another; removals by the rule of value.h. */
enum { MODEL_MAX = 700, TEXT_MAX = 140 };

struct text {
    char bytes[TEXT_MAX];
    size_t len;
};

struct model_field {
    struct text field;
    struct text value;
    int64_t deadline_ms;
};

struct run {
    struct model_field model[MODEL_MAX];
    size_t count;
    struct hash *hashes[RULES];
    struct value_rules rules[RULES];
    struct prng prng;
    uint64_t fields; /* how many different ones are drawn */
    bool timed;      /* some get deadlines */
};

static struct span span_of_text(const struct text *text)
{
    return span_of(text->bytes, text->len);
}

static struct text draw(struct run *run, uint64_t texts)
{
    struct text text;
    uint64_t id = prng_below(&run->prng, texts);
    uint64_t kind = texts % 2 ? 0 : id % 8;
    int len;
    if (kind < 3)
        len = snprintf(text.bytes, TEXT_MAX, "%llu", (unsigned long long)(id << (id % 4 * 15)));
    else if (kind < 7)
        len = snprintf(text.bytes, TEXT_MAX, "text%llu", (unsigned long long)id);
    else
        len = snprintf(text.bytes, TEXT_MAX, "%0*llu", (int)(id % 130) + 2, (unsigned long long)id);
    text.len = (size_t)len;
    return text;
}

static size_t model_find(const struct run *run, const struct text *field)
{
    size_t at = 0;
    while (at < run->count && !span_equal(span_of_text(&run->model[at].field), span_of_text(field)))
        at++;
    return at;
}

static void model_remove(struct run *run, size_t at)
{
    size_t last = run->count - 1;
    if (run->count > 128)
        run->model[at] = run->model[last];
    else
        memmove(run->model + at, run->model + at + 1, (last - at) * sizeof(run->model[0]));
    run->count--;
}

static void step_set(struct run *run, bool keep)
{
    struct text field = draw(run, run->fields);
    struct text value = draw(run, 50);
    size_t at = model_find(run, &field);
    bool is_new = at == run->count;
    for (int i = 0; i < RULES; i++) {
        bool got = keep ? hash_set_value(run->hashes[i], span_of_text(&field), span_of_text(&value),
                                         &run->rules[i])
                        : hash_set(run->hashes[i], span_of_text(&field), span_of_text(&value),
                                   &run->rules[i]);
        assert_int_equal(got, is_new);
    }
    if (is_new)
        run->model[run->count++] = (struct model_field){field, value, NO_DEADLINE};
    run->model[at].value = value;
    if (!keep)
        run->model[at].deadline_ms = NO_DEADLINE;
}

static void step_set_until(struct run *run)
{
    struct text field = draw(run, run->fields);
    struct text value = draw(run, 50);
    size_t at = model_find(run, &field);
    const struct hash_entry entry = {.field = span_of_text(&field),
                                     .value = span_of_text(&value),
                                     .deadline_ms = (int64_t)prng_below(&run->prng, 50)};
    for (int i = 0; i < RULES; i++)
        assert_int_equal(hash_set_until(run->hashes[i], &entry, &run->rules[i]), at == run->count);
    if (at == run->count)
        run->count++;
    run->model[at] = (struct model_field){field, value, entry.deadline_ms};
}

static void step_remove(struct run *run)
{
    struct text field = draw(run, run->fields);
    size_t at = model_find(run, &field);
    for (int i = 0; i < RULES; i++)
        assert_int_equal(hash_remove(run->hashes[i], span_of_text(&field)), at < run->count);
    if (at < run->count)
        model_remove(run, at);
}

static void step_remove_at(struct run *run)
{
    if (!run->count)
        return;
    size_t at = prng_below(&run->prng, run->count);
    for (int i = 0; i < RULES; i++)
        hash_remove_at(run->hashes[i], at);
    model_remove(run, at);
}

static void step_deadline(struct run *run)
{
    struct text field = draw(run, run->fields);
    size_t at = model_find(run, &field);
    int64_t deadline_ms = (int64_t)prng_below(&run->prng, 50) - 1;
    if (deadline_ms < 0)
        deadline_ms = NO_DEADLINE;
    for (int i = 0; i < RULES; i++)
        assert_int_equal(
            hash_set_deadline(run->hashes[i], span_of_text(&field), deadline_ms, &run->rules[i]),
            at < run->count);
    if (at < run->count)
        run->model[at].deadline_ms = deadline_ms;
}

/* The earliest, of those the smallest field; MODEL_MAX: none has a deadline. */
static size_t model_earliest(const struct run *run)
{
    size_t best = MODEL_MAX;
    for (size_t i = 0; i < run->count; i++) {
        const struct model_field *one = &run->model[i];
        const struct model_field *other = &run->model[best];
        if (one->deadline_ms != NO_DEADLINE &&
            (best == MODEL_MAX || one->deadline_ms < other->deadline_ms ||
             (one->deadline_ms == other->deadline_ms &&
              span_compare(span_of_text(&one->field), span_of_text(&other->field)) < 0)))
            best = i;
    }
    return best;
}

static void step_expire(struct run *run)
{
    int64_t now_ms = (int64_t)prng_below(&run->prng, 40);
    size_t limit = prng_below(&run->prng, 4);
    size_t removed = 0;
    for (; removed < limit; removed++) {
        size_t at = model_earliest(run);
        if (at == MODEL_MAX || run->model[at].deadline_ms > now_ms)
            break;
        model_remove(run, at);
    }
    for (int i = 0; i < RULES; i++)
        assert_int_equal(hash_remove_expired(run->hashes[i], now_ms, limit), removed);
}

static void step_remove_if_past(struct run *run)
{
    struct text field = draw(run, run->fields);
    int64_t now_ms = (int64_t)prng_below(&run->prng, 60);
    size_t at = model_find(run, &field);
    bool past = at < run->count && run->model[at].deadline_ms != NO_DEADLINE &&
                run->model[at].deadline_ms <= now_ms;
    for (int i = 0; i < RULES; i++)
        assert_int_equal(hash_remove_if_past(run->hashes[i], span_of_text(&field), now_ms), past);
    if (past)
        model_remove(run, at);
}

static void step_find(struct run *run)
{
    struct text field = draw(run, run->fields);
    int64_t now_ms = (int64_t)prng_below(&run->prng, 60);
    size_t at = model_find(run, &field);
    const struct model_field *model = &run->model[at];
    bool there =
        at < run->count && (model->deadline_ms == NO_DEADLINE || model->deadline_ms > now_ms);
    for (int i = 0; i < RULES; i++) {
        struct hash_entry entry;
        assert_int_equal(hash_find(run->hashes[i], span_of_text(&field), now_ms, &entry), there);
        if (there) {
            assert_true(span_equal(entry.field, span_of_text(&field)));
            assert_true(span_equal(entry.value, span_of_text(&model->value)));
            assert_true(entry.deadline_ms == model->deadline_ms);
        }
    }
}

static void check_entry(const struct run *run, size_t at, const struct hash_entry *entry)
{
    assert_true(span_equal(entry->field, span_of_text(&run->model[at].field)));
    assert_true(span_equal(entry->value, span_of_text(&run->model[at].value)));
    assert_true(entry->deadline_ms == run->model[at].deadline_ms);
}

static void check_order(const struct run *run, const struct hash *hash)
{
    assert_int_equal(hash_count(hash), run->count);
    struct hash_walk walk = hash_walk(hash);
    struct hash_entry entry;
    size_t at = 0;
    size_t past = 0;
    for (; hash_walk_next(&walk, &entry); at++) {
        check_entry(run, at, &entry);
        past += hash_is_past(&entry, 20);
    }
    assert_int_equal(at, run->count);
    assert_int_equal(hash_count_at(hash, 20), at - past);
    struct hash_index index = hash_index(hash);
    for (size_t i = 0; i < at; i += 3) {
        hash_index_at(&index, i, &entry);
        check_entry(run, i, &entry);
    }
    hash_index_close(&index);
    size_t first = model_earliest(run);
    assert_true(hash_earliest(hash) ==
                (first == MODEL_MAX ? NO_DEADLINE : run->model[first].deadline_ms));
    assert_int_equal(hash_has_deadlines(hash), first != MODEL_MAX);
    if (at) {
        hash_at(hash, at * 2 / 3, &entry);
        check_entry(run, at * 2 / 3, &entry);
        walk = hash_walk_from(hash, at * 2 / 3);
        assert_true(hash_walk_next(&walk, &entry));
        check_entry(run, at * 2 / 3, &entry);
    }
}

/* Saves, with the notes, and loads into a hash of other rules. */
static struct hash *pass_on(struct run *run, const struct hash *from,
                            const struct value_rules *rules)
{
    struct buf saved = save_in_pieces(&hash_ops, from, 1 + prng_below(&run->prng, 100));
    struct span in = buf_span(&saved);
    struct hash *hash = hash_new();
    char scratch[2][NUMBER_I64_CHARS];
    bool encoded;
    for (uint64_t left = take_length(&in, &encoded); left > 0; left--) {
        struct span field = take_text(&in, scratch[0]);
        assert_true(hash_set(hash, field, take_text(&in, scratch[1]), rules));
    }
    assert_int_equal(in.len, 0);
    buf_close(&saved);
    struct value_cursor cursor = {0};
    struct buf text = {0};
    for (; hash_ops.note(from, &cursor, &text); text.len = 0) {
        assert_true(text.len <= VALUE_NOTE_MAX);
        assert_true(hash_ops.note_take(hash, buf_span(&text), rules));
    }
    assert_int_equal(text.len, 0);
    buf_close(&text);
    return hash;
}

static void check_all(struct run *run)
{
    for (int i = 0; i < RULES; i++) {
        const struct hash *hash = run->hashes[i];
        check_order(run, hash);
        assert_true(hash_ops.sum(hash) == hash_ops.sum(run->hashes[0]));
        assert_equal_bufs(digest_of(&hash_ops, hash), digest_of(&hash_ops, run->hashes[0]));
        struct hash *loaded = pass_on(run, hash, &run->rules[(i + 1) % RULES]);
        check_order(run, loaded);
        assert_true(hash_ops.sum(loaded) == hash_ops.sum(hash));
        hash_free(loaded);
        struct hash *copy = hash_ops.copy(hash);
        check_order(run, copy);
        assert_true(hash_ops.sum(copy) == hash_ops.sum(hash));
        assert_string_equal(hash_ops.encoding(copy), hash_ops.encoding(hash));
        hash_free(copy);
    }
}

static void step(struct run *run, bool grows)
{
    if (run->timed && prng_below(&run->prng, 3) == 0) {
        static void (*const kinds[])(struct run *) = {step_deadline, step_deadline, step_set_until,
                                                      step_expire, step_remove_if_past};
        kinds[prng_below(&run->prng, 5)](run);
        return;
    }
    uint64_t kind = prng_below(&run->prng, 10);
    if (kind < (grows ? 7 : 2))
        step_set(run, kind % 2);
    else if (kind == 7)
        step_remove_at(run);
    else if (kind == 8)
        step_remove(run);
    else if (grows)
        step_find(run);
    else
        step_remove(run);
}

static void test_all_forms_do_what_a_simple_model_does(void **state)
{
    (void)state;
    static const uint64_t fields[] = {10, 11, 400, 601, 160, 161};
    for (uint64_t seed = 0; seed < 24; seed++) {
        struct run *run = calloc(1, sizeof(*run));
        prng_init(&run->prng, seed);
        run->fields = fields[seed % 6];
        run->timed = seed % 4 >= 2;
        for (int i = 0; i < RULES; i++) {
            run->rules[i] = rules_of(i);
            run->hashes[i] = hash_new();
        }
        for (int i = 0; i < 4000; i++) {
            step(run, i / 1000 % 2 == 0);
            for (int j = 0; j < RULES; j++)
                assert_true(hash_ops.sum(run->hashes[j]) == hash_ops.sum_by_walk(run->hashes[j]));
            if (i % 100 == 0)
                check_all(run);
        }
        check_all(run);
        for (int i = 0; i < RULES; i++)
            hash_free(run->hashes[i]);
        free(run);
    }
}

static void add_numbers(struct hash *hash, int count, const struct value_rules *rules)
{
    char text[NUMBER_I64_CHARS];
    for (int i = 0; i < count; i++) {
        struct span number = span_of(text, number_format_i64(text, i));
        assert_true(hash_set(hash, number, number, rules));
    }
}

static void test_forms_change_where_redis_changes_them(void **state)
{
    (void)state;
    struct value_rules rules = value_rules_default;
    struct hash *hash = hash_new();
    add_numbers(hash, 512, &rules);
    assert_string_equal(hash_ops.encoding(hash), "listpack");
    hash_set(hash, SPAN("5"), SPAN("x"), &rules);
    assert_string_equal(hash_ops.encoding(hash), "listpack");
    hash_set(hash, SPAN("512"), SPAN("x"), &rules);
    assert_string_equal(hash_ops.encoding(hash), "hashtable");
    hash_free(hash);
    char text[65];
    memset(text, 'x', sizeof(text));
    for (int value = 0; value < 2; value++) {
        for (size_t len = 64; len <= 65; len++) {
            struct span longer = span_of(text, len);
            hash = hash_new();
            hash_set(hash, SPAN("f"), SPAN("v"), &rules);
            hash_set(hash, value ? SPAN("f") : longer, value ? longer : SPAN("v"), &rules);
            assert_string_equal(hash_ops.encoding(hash), len == 64 ? "listpack" : "hashtable");
            hash_free(hash);
        }
    }
    hash = hash_new();
    hash_set(hash, SPAN("f"), SPAN("v"), &rules);
    assert_true(hash_set_deadline(hash, SPAN("f"), NO_DEADLINE, &rules));
    assert_false(hash_set_deadline(hash, SPAN("g"), 5, &rules));
    assert_string_equal(hash_ops.encoding(hash), "listpack");
    assert_true(hash_set_deadline(hash, SPAN("f"), 5, &rules));
    assert_string_equal(hash_ops.encoding(hash), "hashtable");
    hash_free(hash);
}

/* A field that stays within its allocation stays in it. */
static void test_a_value_of_the_same_size_is_written_in_place(void **state)
{
    (void)state;
    struct value_rules rules = rules_of(1);
    struct hash *hash = hash_new();
    hash_set(hash, SPAN("f"), SPAN("0123456789"), &rules);
    struct hash_entry before;
    struct hash_entry after;
    hash_at(hash, 0, &before);
    hash_set(hash, SPAN("f"), SPAN("abcdefghijkl"), &rules);
    hash_at(hash, 0, &after);
    assert_ptr_equal(before.value.ptr, after.value.ptr);
    assert_true(span_equal(after.value, SPAN("abcdefghijkl")));
    hash_free(hash);
}

static void test_every_hash_is_freed_in_pieces(void **state)
{
    (void)state;
    for (int which = 0; which < RULES; which++) {
        for (size_t limit = 1; limit < 400; limit = limit * 2 + 1) {
            struct value_rules rules = rules_of(which);
            struct hash *hash = hash_new();
            add_numbers(hash, 300, &rules);
            if (which % 2)
                hash_set_deadline(hash, SPAN("7"), 5, &rules);
            bool dense = hash_ops.encoding(hash)[0] == 'h';
            size_t freed = 0;
            size_t now;
            while ((now = hash_ops.free_some(hash, limit)) == limit)
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
    struct hash *hash = hash_new();
    add_numbers(hash, 1000, &rules);
    size_t all = hash_ops.memory(hash, 0);
    assert_int_equal(hash_ops.memory(hash, 1000), all);
    assert_in_range(hash_ops.memory(hash, 900), all * 9 / 10, all - 1);
    assert_true(all > 1000 * (16 + 8 + 4));
    assert_true(all < 1000 * (32 + 16 + 12));
    hash_set_deadline(hash, SPAN("0"), 5, &rules);
    assert_true(hash_ops.memory(hash, 0) < all + 150);
    hash_free(hash);
}

struct visits {
    int count;
    int timed;
};

static void visit(void *context, const struct hash_entry *entry)
{
    struct visits *visits = context;
    visits->count++;
    visits->timed += entry->deadline_ms != NO_DEADLINE;
}

static void test_a_small_hash_answers_a_scan_at_once(void **state)
{
    (void)state;
    for (int which = 0; which < RULES; which++) {
        struct value_rules rules = rules_of(which);
        struct hash *hash = hash_new();
        add_numbers(hash, 100, &rules);
        struct visits visits = {0};
        assert_int_equal(hash_scan(hash, 0, 10, visit, &visits), 0);
        assert_int_equal(visits.count, 100);
        hash_set_deadline(hash, SPAN("99"), 5, &rules);
        hash_scan(hash, 0, 10, visit, &visits);
        assert_int_equal(visits.timed, 1);
        hash_free(hash);
        hash = hash_new();
        add_numbers(hash, 200, &rules);
        visits.count = 0;
        assert_int_equal(hash_scan(hash, 0, 10, visit, &visits), 190);
        assert_int_equal(visits.count, 10);
        assert_int_equal(hash_scan(hash, 5, 10, visit, &visits), 0);
        assert_int_equal(visits.count, 15);
        hash_free(hash);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_forms_do_what_a_simple_model_does),
        cmocka_unit_test(test_forms_change_where_redis_changes_them),
        cmocka_unit_test(test_a_value_of_the_same_size_is_written_in_place),
        cmocka_unit_test(test_every_hash_is_freed_in_pieces),
        cmocka_unit_test(test_memory_is_told_from_samples),
        cmocka_unit_test(test_a_small_hash_answers_a_scan_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
