#include "keyspace/zset.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/prng.h"
#include "keyspace/rdb_code.h"
#include "unit/support/test.h"

/* Members in an array that is sorted anew after each change, and in one of positions for scans. */
enum { MODEL_MAX = 1500, TEXT_MAX = 100 };

struct member {
    char text[TEXT_MAX];
    size_t len;
    double score;
};

struct model {
    struct member *sorted[MODEL_MAX];
    struct member *positions[MODEL_MAX]; /* means something only above ZSET_SMALL */
    struct member all[MODEL_MAX];
    struct member *free[MODEL_MAX];
    size_t count, free_count;
};

static void model_init(struct model *model)
{
    memset(model, 0, sizeof(*model));
    for (size_t i = 0; i < MODEL_MAX; i++)
        model->free[model->free_count++] = &model->all[i];
}

static struct span text_of(const struct member *member)
{
    return span_of(member->text, member->len);
}

static int compare(const void *a, const void *b)
{
    const struct member *x = *(struct member *const *)a, *y = *(struct member *const *)b;
    if (x->score != y->score)
        return x->score < y->score ? -1 : 1;
    return span_compare(text_of(x), text_of(y));
}

static void model_sort(struct model *model)
{
    qsort(model->sorted, model->count, sizeof(model->sorted[0]), compare);
}

static struct member *model_find(const struct model *model, struct span text)
{
    for (size_t i = 0; i < model->count; i++) {
        if (span_equal(text_of(model->sorted[i]), text))
            return model->sorted[i];
    }
    return NULL;
}

static void model_add(struct model *model, struct span text, double score)
{
    struct member *member = model->free[--model->free_count];
    memcpy(member->text, text.ptr, text.len);
    member->len = text.len;
    member->score = score;
    if (model->count == ZSET_SMALL)
        memcpy(model->positions, model->sorted, sizeof(model->positions));
    model->positions[model->count] = member;
    model->sorted[model->count++] = member;
    model_sort(model);
}

static void model_remove(struct model *model, struct member *member)
{
    size_t at = 0;
    while (model->sorted[at] != member)
        at++;
    memmove(model->sorted + at, model->sorted + at + 1,
            (model->count - at - 1) * sizeof(model->sorted[0]));
    if (model->count > ZSET_SMALL) {
        at = 0;
        while (model->positions[at] != member)
            at++;
        model->positions[at] = model->positions[model->count - 1];
    }
    model->free[model->free_count++] = member;
    model->count--;
}

struct scan {
    const struct model *model;
    size_t visited;
};

static void check_visit(void *context, struct span member, double score)
{
    struct scan *scan = context;
    const struct model *model = scan->model;
    size_t at = scan->visited++;
    const struct member *expected =
        model->count > ZSET_SMALL ? model->positions[model->count - 1 - at] : model->sorted[at];
    assert_true(span_equal(text_of(expected), member));
    assert_true(expected->score == score);
}

static void check_equal(const struct model *model, const struct zset *zset)
{
    assert_int_equal(zset_count(zset), model->count);
    assert_int_equal(zset_ops.count(zset), model->count);
    struct zset_place place;
    char scratch[NUMBER_I64_CHARS];
    size_t i = 0;
    for (bool more = zset_at(zset, 0, &place); more; more = zset_next(&place), i++) {
        assert_true(i < model->count);
        assert_true(span_equal(zset_place_member(&place, scratch), text_of(model->sorted[i])));
        assert_true(zset_place_score(&place) == model->sorted[i]->score);
        size_t rank;
        double score;
        assert_true(zset_rank(zset, text_of(model->sorted[i]), &rank, &score));
        assert_int_equal(rank, i);
        assert_true(score == model->sorted[i]->score);
    }
    assert_int_equal(i, model->count);
    for (bool more = i && zset_at(zset, i - 1, &place); more; more = zset_previous(&place)) {
        i--;
        assert_true(span_equal(zset_place_member(&place, scratch), text_of(model->sorted[i])));
    }
    assert_int_equal(i, 0);
    assert_false(zset_at(zset, model->count, &place));
    struct scan scan = {model, 0};
    uint64_t cursor = 0;
    do
        cursor = zset_scan(zset, cursor, 100, check_visit, &scan);
    while (cursor);
    assert_int_equal(scan.visited, model->count);
}

/* Few scores, so that many members share one. */
static double some_score(struct prng *prng)
{
    static const double odd[] = {INFINITY, -INFINITY,          0.1,    -0.0,
                                 1e300,    9007199254740993.0, -1e-300};
    if (prng_below(prng, 8) == 0)
        return odd[prng_below(prng, sizeof(odd) / sizeof(odd[0]))];
    return (double)prng_below(prng, 30) - 10;
}

static size_t some_member(struct prng *prng, char text[TEXT_MAX])
{
    if (prng_below(prng, 300) == 0) {
        memset(text, 'L', TEXT_MAX);
        return 65 + prng_below(prng, 30);
    }
    return (size_t)snprintf(text, TEXT_MAX, "%s%d", prng_below(prng, 2) ? "m" : "",
                            (int)prng_below(prng, 800));
}

struct game {
    struct model model;
    struct zset *zset;
    struct value_rules rules;
    struct prng prng;
};

static enum zset_outcome model_zadd(struct model *model, struct span text, double *score,
                                    unsigned flags)
{
    struct member *member = model_find(model, text);
    if (!member) {
        if (flags & ZSET_XX)
            return ZSET_REFUSED;
        model_add(model, text, *score);
        return ZSET_ADDED;
    }
    double wanted = flags & ZSET_INCR ? *score + member->score : *score;
    if (flags & ZSET_NX)
        return ZSET_REFUSED;
    if (isnan(wanted))
        return ZSET_NAN;
    if ((flags & ZSET_GT && wanted <= member->score) ||
        (flags & ZSET_LT && wanted >= member->score))
        return ZSET_REFUSED;
    *score = wanted;
    if (wanted == member->score)
        return ZSET_SAME;
    member->score = wanted;
    model_sort(model);
    return ZSET_UPDATED;
}

static void add(struct game *game)
{
    char text[TEXT_MAX];
    struct span member = span_of(text, some_member(&game->prng, text));
    static const unsigned all[] = {0, 0, 0, ZSET_NX, ZSET_XX, ZSET_GT, ZSET_LT, ZSET_INCR};
    unsigned flags = all[prng_below(&game->prng, 8)];
    if (prng_below(&game->prng, 8) == 0)
        flags |= ZSET_INCR;
    double score = some_score(&game->prng), expected = score;
    if (game->model.free_count == 0)
        return;
    enum zset_outcome outcome = model_zadd(&game->model, member, &expected, flags);
    assert_int_equal(zset_add(game->zset, &game->rules, member, &score, flags), outcome);
    if (outcome == ZSET_ADDED || outcome == ZSET_UPDATED || outcome == ZSET_SAME)
        assert_true(score == expected && !(score == 0 && signbit(score)));
}

static void remove_one(struct game *game)
{
    char text[TEXT_MAX];
    struct span member = span_of(text, some_member(&game->prng, text));
    struct member *found = model_find(&game->model, member);
    assert_int_equal(zset_remove(game->zset, member), found != NULL);
    if (found)
        model_remove(&game->model, found);
}

static void remove_ranks(struct game *game, size_t most)
{
    size_t count = prng_below(&game->prng, most + 1);
    size_t rank = prng_below(&game->prng, game->model.count + 2), expected = 0;
    if (prng_below(&game->prng, 3) == 0)
        rank = 0;
    for (; expected < count && rank < game->model.count; expected++)
        model_remove(&game->model, game->model.sorted[rank]);
    assert_int_equal(zset_remove_ranks(game->zset, rank, count), expected);
}

static void check_ranks(struct game *game)
{
    const struct model *model = &game->model;
    double score = some_score(&game->prng);
    size_t below = 0, through = 0;
    for (size_t i = 0; i < model->count; i++) {
        below += model->sorted[i]->score < score;
        through += model->sorted[i]->score <= score;
    }
    assert_int_equal(zset_rank_of_score(game->zset, score, false), below);
    assert_int_equal(zset_rank_of_score(game->zset, score, true), through);
    char text[TEXT_MAX];
    struct span member = span_of(text, some_member(&game->prng, text));
    const struct member *found = model_find(model, member);
    assert_int_equal(zset_score(game->zset, member, &score), found != NULL);
    if (found)
        assert_true(score == found->score);
}

static void replace_by_copy(struct game *game)
{
    struct zset *zset = zset_ops.copy(game->zset);
    assert_string_equal(zset_ops.encoding(zset), zset_ops.encoding(game->zset));
    assert_int_equal(zset_ops.sum(zset), zset_ops.sum(game->zset));
    zset_free(game->zset);
    game->zset = zset;
}

static void play(uint64_t seed, size_t entries, int steps)
{
    static struct game game;
    memset(&game, 0, sizeof(game));
    model_init(&game.model);
    game.rules = value_rules_default;
    game.rules.zset_packed_entries = entries;
    game.rules.seed = seed;
    game.zset = zset_new();
    prng_init(&game.prng, seed);
    for (int i = 0; i < steps; i++) {
        bool growing = i / 1000 % 2 == 0;
        switch (prng_below(&game.prng, growing ? 12 : 6)) {
        case 0:
        case 1:
            remove_one(&game);
            break;
        case 2:
            if (prng_below(&game.prng, 8) == 0)
                remove_ranks(&game, growing ? 4 : 200);
            break;
        case 3:
            if (i % 50 == 0)
                replace_by_copy(&game);
            break;
        default:
            add(&game);
            break;
        }
        assert_int_equal(zset_ops.sum(game.zset), zset_ops.sum_by_walk(game.zset));
        check_ranks(&game);
        if (i % 16 == 0)
            check_equal(&game.model, game.zset);
    }
    check_equal(&game.model, game.zset);
    zset_free(game.zset);
}

static void test_it_agrees_with_an_array(void **state)
{
    (void)state;
    static const size_t entries[] = {128, 0, 5, 100, 100000};
    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        for (uint64_t seed = 1; seed <= 3; seed++)
            play(seed * 10 + i, entries[i], 6000);
    }
}

static void put(struct zset *zset, const struct value_rules *rules, const char *member,
                double score)
{
    zset_add(zset, rules, span_text(member), &score, 0);
}

static void put_numbers(struct zset *zset, const struct value_rules *rules, int from, int to)
{
    char text[32];
    for (int i = from; i < to; i++) {
        snprintf(text, sizeof(text), "m%05d", i * 7919 % 10007);
        put(zset, rules, text, i * 31 % 17);
    }
}

static void test_the_form_follows_the_rules(void **state)
{
    (void)state;
    struct value_rules rules = value_rules_default;
    struct zset *zset = zset_new();
    put_numbers(zset, &rules, 0, 128);
    assert_string_equal(zset_ops.encoding(zset), "listpack");
    put_numbers(zset, &rules, 128, 129);
    assert_string_equal(zset_ops.encoding(zset), "skiplist");
    zset_free(zset);
    zset = zset_new();
    rules.zset_packed_entries = 1000;
    put_numbers(zset, &rules, 0, 129);
    assert_string_equal(zset_ops.encoding(zset), "skiplist");
    zset_free(zset);
    zset = zset_new();
    rules.zset_packed_value = 3;
    put(zset, &rules, "abc", 1);
    assert_string_equal(zset_ops.encoding(zset), "listpack");
    put(zset, &rules, "abcd", 1);
    assert_string_equal(zset_ops.encoding(zset), "skiplist");
    zset_free(zset);
}

/* Members that look like numbers, and scores whose bytes do. */
static void test_a_pack_tells_scores_from_members(void **state)
{
    (void)state;
    struct zset *zset = zset_new();
    double digits;
    memcpy(&digits, "12345678", sizeof(digits));
    put(zset, &value_rules_default, "12", digits);
    put(zset, &value_rules_default, "7", 12);
    put(zset, &value_rules_default, "8", 7.5);
    double score;
    assert_true(zset_score(zset, SPAN("12"), &score) && score == digits);
    assert_true(zset_score(zset, SPAN("7"), &score) && score == 12);
    assert_true(zset_score(zset, SPAN("8"), &score) && score == 7.5);
    zset_free(zset);
}

static void test_members_of_one_score_are_found_by_bytes(void **state)
{
    (void)state;
    for (int large = 0; large < 2; large++) {
        struct value_rules rules = value_rules_default;
        if (large)
            rules.zset_packed_entries = 0;
        struct zset *zset = zset_new();
        char text[16];
        for (int i = 0; i < 100; i++) {
            snprintf(text, sizeof(text), "%03d", i * 37 % 100);
            put(zset, &rules, text, 5);
        }
        assert_int_equal(zset_rank_of_member(zset, SPAN("042"), false), 42);
        assert_int_equal(zset_rank_of_member(zset, SPAN("042"), true), 43);
        assert_int_equal(zset_rank_of_member(zset, SPAN("0425"), false), 43);
        assert_int_equal(zset_rank_of_member(zset, SPAN(""), true), 0);
        assert_int_equal(zset_rank_of_member(zset, SPAN("x"), false), 100);
        zset_free(zset);
    }
}

/* In a set with several scores the result means nothing, but nodes have to agree on it, whatever
 * the form is and however the leaves came about. */
static void test_the_rank_of_a_member_does_not_depend_on_the_form(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 3);
    for (int large = 0; large < 2; large++) {
        struct value_rules rules = value_rules_default;
        struct zset *a = zset_new(), *b;
        if (!large) {
            put_numbers(a, &rules, 0, 100);
            b = zset_new();
            rules.zset_packed_entries = 0;
            put_numbers(b, &rules, 0, 100);
        } else {
            put_numbers(a, &rules, 0, 4000);
            for (int i = 0; i < 500; i++)
                zset_remove_ranks(a, prng_below(&prng, zset_count(a)), 3);
            b = zset_ops.copy(a);
        }
        for (int i = 0; i < 10007; i++) {
            char text[16];
            snprintf(text, sizeof(text), "m%05d", i);
            assert_int_equal(zset_rank_of_member(a, span_text(text), i % 2),
                             zset_rank_of_member(b, span_text(text), i % 2));
        }
        zset_free(a);
        zset_free(b);
    }
}

struct sink {
    struct value_sink base;
    struct buf bytes;
};

static void sink_add(struct value_sink *base, const void *bytes, size_t len)
{
    buf_add(&((struct sink *)base)->bytes, bytes, len);
}

static struct buf digest_of(const struct zset *zset)
{
    struct sink sink = {{sink_add}, {0}};
    zset_ops.digest(zset, &sink.base);
    return sink.bytes;
}

static void assert_same(const struct zset *a, const struct zset *b)
{
    struct buf x = digest_of(a), y = digest_of(b);
    assert_true(span_equal(buf_span(&x), buf_span(&y)));
    assert_int_equal(zset_ops.sum(a), zset_ops.sum(b));
    buf_close(&x);
    buf_close(&y);
}

/* Nodes with different rules, through the sizes at which forms change, and back. */
static void test_scans_do_not_depend_on_the_form(void **state)
{
    (void)state;
    struct value_rules few = value_rules_default, many = value_rules_default;
    few.zset_packed_entries = 3;
    few.seed = 99;
    struct zset *a = zset_new(), *b = zset_new();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 300; i++) {
            put_numbers(a, &few, round * 1000 + i, round * 1000 + i + 1);
            put_numbers(b, &many, round * 1000 + i, round * 1000 + i + 1);
            assert_same(a, b);
        }
        while (zset_count(a) > 50) {
            zset_remove_ranks(a, 20, 7);
            zset_remove_ranks(b, 20, 7);
            assert_same(a, b);
        }
    }
    zset_free(a);
    zset_free(b);
}

/* Reads what save() wrote into a new set. */
static struct zset *load(struct span bytes, const struct value_rules *rules)
{
    struct zset *zset = zset_new();
    const unsigned char *next = (const unsigned char *)bytes.ptr;
    size_t count = rdb_length_of(next).value;
    next += rdb_length_bytes(*next);
    for (size_t i = 0; i < count; i++) {
        struct rdb_length length = rdb_length_of(next);
        next += rdb_length_bytes(*next);
        char scratch[NUMBER_I64_CHARS];
        struct span text = span_of((const char *)next, length.value);
        if (length.encoded) {
            unsigned used = rdb_integer_bytes(length.value);
            text = span_of(scratch, number_format_i64(scratch, rdb_integer_of(next, used)));
            next += used;
        } else {
            next += length.value;
        }
        uint64_t bits = rdb_little_endian(next, 8);
        double score;
        memcpy(&score, &bits, sizeof(score));
        next += 8;
        assert_true(zset_load(zset, rules, text, score, count));
    }
    assert_ptr_equal(next, bytes.ptr + bytes.len);
    return zset;
}

static void save_and_load(const struct zset *zset, const struct value_rules *rules, size_t most)
{
    struct buf out = {0};
    struct value_cursor cursor = {0};
    size_t before = 0;
    while (zset_ops.save(zset, &cursor, &out, most)) {
        assert_true(out.len > before && out.len <= before + most + 64);
        before = out.len;
    }
    struct zset *loaded = load(buf_span(&out), rules);
    assert_same(zset, loaded);
    /* and it goes on alike */
    struct zset *copy = zset_ops.copy(zset);
    zset_remove_ranks(copy, 3, 2);
    zset_remove_ranks(loaded, 3, 2);
    put(copy, rules, "fresh", 3);
    put(loaded, rules, "fresh", 3);
    assert_same(copy, loaded);
    zset_free(copy);
    zset_free(loaded);
    buf_close(&out);
}

static void test_saving_keeps_the_order_of_scans(void **state)
{
    (void)state;
    assert_int_equal(zset_ops.rdb_type(NULL), 5);
    struct value_rules rules = value_rules_default;
    static const int counts[] = {0, 1, 127, 128, 129, 130, 2000};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct zset *zset = zset_new();
        put_numbers(zset, &rules, 0, counts[i]);
        if (counts[i] > 1000)
            zset_remove_ranks(zset, 100, 500);
        char large[5000];
        memset(large, 'x', sizeof(large));
        double score = 0.5;
        zset_add(zset, &rules, span_of(large, sizeof(large)), &score, 0);
        save_and_load(zset, &rules, 1);
        save_and_load(zset, &rules, 1000);
        save_and_load(zset, &rules, 1 << 20);
        zset_free(zset);
    }
}

static void test_what_no_set_holds_is_not_loaded(void **state)
{
    (void)state;
    for (size_t total = 2; total <= 200; total += 198) {
        struct zset *zset = zset_new();
        assert_true(zset_load(zset, &value_rules_default, SPAN("a"), 1, total));
        assert_false(zset_load(zset, &value_rules_default, SPAN("a"), 2, total));
        assert_false(zset_load(zset, &value_rules_default, SPAN("b"), NAN, total));
        assert_int_equal(zset_count(zset), 1);
        zset_free(zset);
    }
}

/* Building gives what adding gives, in all forms. */
static void check_built(int count, const char *longest, const struct value_rules *rules)
{
    struct zset *added = zset_new(), *built = zset_build_begin(rules);
    struct prng prng;
    prng_init(&prng, (uint64_t)count);
    for (int i = 0; i < count; i++) {
        char text[TEXT_MAX];
        struct span member = span_of(text, some_member(&prng, text));
        double score = some_score(&prng);
        bool is_new;
        *zset_build_score(built, member, &is_new) = score;
        assert_int_equal(is_new, zset_add(added, rules, member, &score, 0) == ZSET_ADDED);
    }
    if (longest) {
        bool is_new;
        *zset_build_score(built, span_text(longest), &is_new) = 1;
        put(added, rules, longest, 1);
    }
    zset_build_end(built, rules);
    assert_string_equal(zset_ops.encoding(built), zset_ops.encoding(added));
    assert_int_equal(zset_count(built), zset_count(added));
    assert_int_equal(zset_ops.sum(built), zset_ops.sum(added));
    assert_int_equal(zset_ops.sum(built), zset_ops.sum_by_walk(built));
    struct zset_place a, b;
    bool more = zset_at(built, 0, &a);
    assert_int_equal(zset_at(added, 0, &b), more);
    char x[NUMBER_I64_CHARS], y[NUMBER_I64_CHARS];
    for (; more; more = zset_next(&a), zset_next(&b)) {
        assert_true(span_equal(zset_place_member(&a, x), zset_place_member(&b, y)));
        assert_true(zset_place_score(&a) == zset_place_score(&b));
        assert_true(zset_place_score(&a) != 0 || !signbit(zset_place_score(&a)));
    }
    zset_free(added);
    zset_free(built);
}

static void test_building_gives_what_adding_gives(void **state)
{
    (void)state;
    struct value_rules rules = value_rules_default;
    for (int count = 0; count < 200; count++)
        check_built(count, NULL, &rules);
    check_built(1000, NULL, &rules);
    rules.zset_packed_value = 5;
    check_built(10, "short", &rules);
    check_built(10, "longer", &rules);
    rules.zset_packed_entries = 0;
    check_built(0, NULL, &rules);
    check_built(0, "one", &rules);
    zset_free(zset_build_begin(&rules));
}

static void test_it_is_freed_in_pieces(void **state)
{
    (void)state;
    struct zset *zset = zset_new();
    put_numbers(zset, &value_rules_default, 0, 1000);
    size_t freed = 0;
    while (zset_ops.free_some(zset, 100) == 100)
        freed += 100;
    assert_in_range(freed, 1000, 1100);
    zset = zset_new();
    put_numbers(zset, &value_rules_default, 0, 10);
    assert_in_range(zset_ops.free_some(zset, 100), 0, 99);
}

static void note_visit(void *context, struct span member, double score)
{
    double seen = 1;
    (void)score;
    zset_add(context, &value_rules_default, member, &seen, 0);
}

/* A scan while members come and go and change their scores. */
static void test_a_scan_sees_what_stays(void **state)
{
    (void)state;
    struct zset *zset = zset_new(), *seen = zset_new();
    put_numbers(zset, &value_rules_default, 0, 2000);
    struct zset *first = zset_ops.copy(zset);
    uint64_t cursor = 0;
    int steps = 0, fresh = 2000;
    do {
        cursor = zset_scan(zset, cursor, 10, note_visit, seen);
        zset_remove_ranks(zset, (size_t)(steps * 13 % 700), 4);
        put_numbers(zset, &value_rules_default, fresh, fresh + 3);
        fresh += 3;
        char scratch[NUMBER_I64_CHARS];
        struct zset_place place;
        zset_at(zset, zset_count(zset) / 2, &place);
        double score = steps % 17;
        char text[16];
        struct span member = zset_place_member(&place, scratch);
        memcpy(text, member.ptr, member.len);
        zset_add(zset, &value_rules_default, span_of(text, member.len), &score, 0);
        steps++;
    } while (cursor);
    assert_in_range(steps, 150, 250);
    struct zset_place place;
    char scratch[NUMBER_I64_CHARS];
    for (bool more = zset_at(first, 0, &place); more; more = zset_next(&place)) {
        double score;
        if (zset_score(zset, zset_place_member(&place, scratch), &score))
            assert_true(zset_score(seen, zset_place_member(&place, scratch), &score));
    }
    zset_free(zset);
    zset_free(seen);
    zset_free(first);
}

static void test_many_members(void **state)
{
    (void)state;
    enum { COUNT = 2 * 1000 * 1000 };
    struct zset *zset = zset_new();
    char text[32];
    for (int i = 0; i < COUNT; i++) {
        int len = snprintf(text, sizeof(text), "member %08d", i);
        double score = i;
        zset_add(zset, &value_rules_default, span_of(text, (size_t)len), &score, 0);
    }
    struct prng prng;
    prng_init(&prng, 1);
    for (int i = 0; i < 10000; i++) {
        size_t at = prng_below(&prng, COUNT), rank;
        int len = snprintf(text, sizeof(text), "member %08zu", at);
        double score;
        assert_true(zset_rank(zset, span_of(text, (size_t)len), &rank, &score));
        assert_int_equal(rank, at);
        assert_int_equal(zset_rank_of_score(zset, (double)at, true), at + 1);
        struct zset_place place;
        assert_true(zset_at(zset, at, &place));
        assert_true(zset_place_score(&place) == (double)at);
    }
    assert_in_range(zset_ops.memory(zset, 10) / COUNT, 50, 90);
    assert_int_equal(zset_remove_ranks(zset, 5, COUNT - 10), COUNT - 10);
    assert_int_equal(zset_ops.sum(zset), zset_ops.sum_by_walk(zset));
    zset_free(zset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_agrees_with_an_array),
        cmocka_unit_test(test_the_form_follows_the_rules),
        cmocka_unit_test(test_a_pack_tells_scores_from_members),
        cmocka_unit_test(test_members_of_one_score_are_found_by_bytes),
        cmocka_unit_test(test_the_rank_of_a_member_does_not_depend_on_the_form),
        cmocka_unit_test(test_scans_do_not_depend_on_the_form),
        cmocka_unit_test(test_saving_keeps_the_order_of_scans),
        cmocka_unit_test(test_what_no_set_holds_is_not_loaded),
        cmocka_unit_test(test_building_gives_what_adding_gives),
        cmocka_unit_test(test_it_is_freed_in_pieces),
        cmocka_unit_test(test_a_scan_sees_what_stays),
        cmocka_unit_test(test_many_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
