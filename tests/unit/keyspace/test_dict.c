/* The dictionary of a slot, against a plain array of what it holds. */
#include <malloc.h>

#include "base/mem.h"
#include "base/prng.h"
#include "keyspace/dict.h"
#include "unit/support/test.h"

enum { KEYS = 12000, SEED = 7 };

struct model {
    struct dict dict;
    struct prng random;
    size_t count;
    unsigned keys[KEYS]; /* in the order of their positions */
    bool present[KEYS];
};

static struct span name_of(char text[16], unsigned key)
{
    return span_of(text, (size_t)snprintf(text, 16, "k%u", key));
}

static struct item *find(const struct model *model, unsigned key)
{
    char text[16];
    struct span name = name_of(text, key);
    return dict_find(&model->dict, name, item_hash_of(name, SEED));
}

static void insert(struct model *model, unsigned key)
{
    char text[16];
    struct span name = name_of(text, key);
    assert_null(find(model, key));
    dict_insert(&model->dict, item_new(name, SPAN("v"), key), item_hash_of(name, SEED), SEED);
    model->keys[model->count++] = key;
    model->present[key] = true;
}

static void remove_at(struct model *model, size_t position)
{
    unsigned key = model->keys[position];
    struct item *item = find(model, key);
    assert_ptr_equal(item, dict_at(&model->dict, position));
    dict_remove(&model->dict, item, item_hash_of(item_key_span(item), SEED), SEED);
    item_free(item);
    model->keys[position] = model->keys[--model->count];
    model->present[key] = false;
}

static void replace_at(struct model *model, size_t position)
{
    char text[16];
    struct span name = name_of(text, model->keys[position]);
    struct item *old = find(model, model->keys[position]);
    struct item *fresh = item_new(name, SPAN("w"), 1);
    dict_replace(&model->dict, old, fresh, item_hash_of(name, SEED));
    item_free(old);
}

static void check(const struct model *model)
{
    char text[16];
    assert_int_equal(model->dict.count, model->count);
    for (size_t i = 0; i < model->count; i++)
        assert_true(
            span_equal(item_key_span(dict_at(&model->dict, i)), name_of(text, model->keys[i])));
    for (unsigned key = 0; key < KEYS; key++)
        assert_int_equal(find(model, key) != NULL, model->present[key]);
}

static void close_model(struct model *model)
{
    size_t limit = SIZE_MAX;
    assert_true(dict_free_some(&model->dict, &limit));
    assert_null(model->dict.table);
}

/* Grows and shrinks over the width of its cells and all sizes of its table. */
static void test_keys_are_found_in_their_places_after_any_history(void **state)
{
    (void)state;
    static struct model model;
    model = (struct model){0};
    prng_init(&model.random, 3);
    static const size_t wanted[] = {5, 60, 0, 700, 800, 90, 1600, 3500, 780, 760, 3, 1000, 0};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        while (model.count != wanted[i]) {
            bool grows = model.count < wanted[i];
            if (prng_below(&model.random, 4) == 0)
                grows = !grows;
            unsigned key = (unsigned)prng_below(&model.random, KEYS);
            if (grows && !model.present[key])
                insert(&model, key);
            else if (!grows && model.count)
                remove_at(&model, (size_t)prng_below(&model.random, model.count));
            if (model.count && prng_below(&model.random, 8) == 0)
                replace_at(&model, (size_t)prng_below(&model.random, model.count));
        }
        check(&model);
    }
    close_model(&model);
}

/* Of keys beside their items, at any number of them; 61 are in a slot of a million keys. */
static void test_a_key_takes_little_of_the_dictionary(void **state)
{
    (void)state;
    static struct model model;
    model = (struct model){0};
    for (unsigned key = 0; key < KEYS; key++) {
        insert(&model, key);
        size_t bytes = malloc_usable_size(model.dict.table);
        if (model.count == 61)
            assert_true(bytes <= 800);
        if (model.count >= 16)
            assert_true(bytes <= model.count * 24);
    }
    close_model(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_are_found_in_their_places_after_any_history),
        cmocka_unit_test(test_a_key_takes_little_of_the_dictionary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
