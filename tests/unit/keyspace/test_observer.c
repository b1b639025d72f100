/* The one observer of changes, and the sum of digests that changes keep up. */
#include <stdio.h>

#include "base/buf.h"
#include "keyspace/keyspace.h"
#include "unit/support/test.h"

struct fixture {
    struct keyspace *keyspace;
    struct buf told; /* "<what>:<key> " */
    uint64_t revision;
};

/* The value as it is at that moment; "-": no such key. */
static void before_change(void *context, const struct keyspace *keyspace, struct span key)
{
    struct fixture *fixture = context;
    assert_ptr_equal(keyspace, fixture->keyspace);
    const struct item *item = keyspace_find(fixture->keyspace, key, NO_DEADLINE);
    char scratch[24];
    buf_add_text(&fixture->told, "before ");
    buf_add_span(&fixture->told, key);
    buf_add_char(&fixture->told, '=');
    buf_add_span(&fixture->told, item ? item_string(item, scratch) : SPAN("-"));
    buf_add_char(&fixture->told, ' ');
}

static void cleared(void *context, const struct keyspace *keyspace, struct keyspace *aside)
{
    struct fixture *fixture = context;
    assert_ptr_equal(keyspace, fixture->keyspace);
    buf_printf(&fixture->told, "aside %zu, left %zu ", keyspace_count(aside),
               keyspace_count(keyspace));
}

static void changed(void *context, const struct keyspace_change *change)
{
    static const char *const names[] = {"set", "deadline", "removed", "expired", "cleared"};
    struct fixture *fixture = context;
    buf_add_text(&fixture->told, names[change->event]);
    buf_add_char(&fixture->told, ' ');
    buf_add_span(&fixture->told, change->key);
    buf_printf(&fixture->told, "@%u ", (unsigned)change->revision);
}

static void open_fixture(struct fixture *fixture)
{
    *fixture = (struct fixture){.keyspace = keyspace_new(1)};
    keyspace_observe(fixture->keyspace,
                     &(struct keyspace_observer){fixture, before_change, cleared, changed});
}

static void close_fixture(struct fixture *fixture)
{
    keyspace_free(fixture->keyspace);
    buf_close(&fixture->told);
}

static void expect_told(struct fixture *fixture, const char *text)
{
    buf_add_char(&fixture->told, '\0');
    assert_string_equal(fixture->told.ptr, text);
    fixture->told.len = 0;
}

static struct item *item_of(const struct fixture *fixture, const char *key)
{
    return keyspace_find(fixture->keyspace, span_text(key), NO_DEADLINE);
}

static void test_each_change_of_a_value_is_told(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    keyspace_set_string(f.keyspace, SPAN("a"), SPAN("x"), false, 1);
    expect_told(&f, "before a=- set a@1 ");
    keyspace_set_string(f.keyspace, SPAN("a"), SPAN("yy"), false, 2);
    expect_told(&f, "before a=x set a@2 ");
    keyspace_set_integer(f.keyspace, item_of(&f, "a"), 7, 3);
    expect_told(&f, "before a=yy set a@3 ");
    keyspace_set_text(f.keyspace, item_of(&f, "a"), SPAN("7"), 4);
    expect_told(&f, "before a=7 set a@4 ");
    keyspace_write(f.keyspace, item_of(&f, "a"), 1, SPAN("z"), 5);
    expect_told(&f, "before a=7 set a@5 ");
    assert_string_equal(item_encoding(item_of(&f, "a")), "raw");
    keyspace_set_deadline(f.keyspace, item_of(&f, "a"), 1000, 6);
    expect_told(&f, "before a=7z deadline a@6 ");
    close_fixture(&f);
}

static void test_each_removal_is_told(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    for (const char *key = "abcd"; *key; key++)
        keyspace_set_string(f.keyspace, span_of(key, 1), SPAN("x"), false, 1);
    keyspace_set_deadline(f.keyspace, item_of(&f, "c"), 1000, 1);
    f.told.len = 0;
    assert_true(keyspace_remove(f.keyspace, SPAN("a"), 2));
    expect_told(&f, "before a=x removed a@2 ");
    assert_false(keyspace_remove(f.keyspace, SPAN("a"), 3));
    keyspace_remove_item(f.keyspace, item_of(&f, "b"), 4);
    expect_told(&f, "before b=x removed b@4 ");
    keyspace_remove_expired(f.keyspace, 1000, 10, 5);
    expect_told(&f, "before c=x expired c@5 ");
    keyspace_clear(f.keyspace, 6);
    expect_told(&f, "aside 1, left 0 cleared @6 ");
    close_fixture(&f);
}

static void test_both_keys_of_a_rename_are_told_before_either_changes(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    keyspace_set_string(f.keyspace, SPAN("a"), SPAN("x"), false, 1);
    keyspace_set_string(f.keyspace, SPAN("b"), SPAN("y"), false, 1);
    f.told.len = 0;
    keyspace_copy(f.keyspace, item_of(&f, "a"), SPAN("c"), 2);
    expect_told(&f, "before c=- set c@2 ");
    keyspace_rename(f.keyspace, SPAN("a"), SPAN("b"), 3);
    expect_told(&f, "before b=y before a=x removed a@3 set b@3 ");
    close_fixture(&f);
}

static void change_at_random(struct keyspace *keyspace, struct prng *prng, uint64_t revision)
{
    char name[16], other[16], value[6000];
    snprintf(name, sizeof name, "k%d", (int)prng_below(prng, 40));
    snprintf(other, sizeof other, "k%d", (int)prng_below(prng, 40));
    struct span key = span_text(name);
    struct item *item = keyspace_find(keyspace, key, NO_DEADLINE);
    memset(value, 'a' + (int)(revision % 26), sizeof value);
    size_t len = (size_t)prng_below(prng, prng_below(prng, 3) ? 30 : sizeof value);
    switch (prng_below(prng, item ? 11 : 2)) {
    case 0:
        keyspace_set_string(keyspace, key, span_of(value, len), prng_below(prng, 2), revision);
        break;
    case 1:
        keyspace_set_string(keyspace, key, SPAN("12345"), prng_below(prng, 2), revision);
        break;
    case 2:
        keyspace_set_integer(keyspace, item, (int64_t)revision, revision);
        break;
    case 3:
        keyspace_set_text(keyspace, item, SPAN("12345"), revision);
        break;
    case 4:
        keyspace_write(keyspace, item, (size_t)prng_below(prng, 5000), span_of(value, len),
                       revision);
        break;
    case 5: /* at the end, often that of a piece */
        keyspace_write(keyspace, item, item_string_len(item),
                       span_of(value, 1024 - item_string_len(item) % 1024), revision);
        break;
    case 6:
        keyspace_set_deadline(keyspace, item, (int64_t)prng_below(prng, 1000), revision);
        break;
    case 7:
        keyspace_set_deadline(keyspace, item, NO_DEADLINE, revision);
        break;
    case 8:
        keyspace_remove_item(keyspace, item, revision);
        break;
    case 9:
        if (strcmp(name, other))
            keyspace_rename(keyspace, key, span_text(other), revision);
        break;
    default:
        if (strcmp(name, other))
            keyspace_copy(keyspace, item, span_text(other), revision);
        break;
    }
    if (prng_below(prng, 200) == 0)
        keyspace_clear(keyspace, revision);
    if (prng_below(prng, 50) == 0)
        keyspace_remove_expired(keyspace, (int64_t)prng_below(prng, 1000), 3, revision);
}

static void test_the_sum_that_changes_keep_up_is_that_of_a_fresh_walk(void **state)
{
    (void)state;
    struct prng prng;
    prng_init(&prng, 7);
    struct keyspace *keyspace = keyspace_new(99);
    for (uint64_t revision = 1; revision < 20000; revision++) {
        change_at_random(keyspace, &prng, revision);
        assert_true(keyspace_sum(keyspace) == keyspace_sum_by_walk(keyspace));
    }
    keyspace_clear(keyspace, 20000);
    assert_true(keyspace_sum(keyspace) == 0);
    keyspace_free(keyspace);
}

static uint64_t sum_of(const char *const *keys, size_t count, uint64_t seed)
{
    struct keyspace *keyspace = keyspace_new(seed);
    for (size_t i = 0; i < count; i++) {
        struct item *item =
            keyspace_set_string(keyspace, span_text(keys[i]), span_text(keys[i]), false, i);
        if (keys[i][0] == 'b')
            keyspace_set_deadline(keyspace, item, 5000, i);
    }
    uint64_t sum = keyspace_sum(keyspace);
    keyspace_free(keyspace);
    return sum;
}

static void test_the_sum_depends_on_neither_order_nor_seed(void **state)
{
    (void)state;
    uint64_t sum = sum_of((const char *const[]){"a", "b", "77"}, 3, 1);
    assert_true(sum == sum_of((const char *const[]){"77", "b", "a"}, 3, 2));
    assert_true(sum != sum_of((const char *const[]){"a", "b", "78"}, 3, 1));
    assert_true(sum != sum_of((const char *const[]){"a", "b"}, 2, 1));
}

static void test_the_sum_tells_equal_bytes_at_other_places_apart(void **state)
{
    (void)state;
    char value[3 * 1024];
    memset(value, 'x', sizeof value);
    value[0] = 'y';
    struct keyspace *keyspace = keyspace_new(1);
    keyspace_set_string(keyspace, SPAN("a"), span_of(value, sizeof value), false, 1);
    uint64_t sum = keyspace_sum(keyspace);
    value[0] = 'x';
    value[1024] = 'y';
    keyspace_set_string(keyspace, SPAN("a"), span_of(value, sizeof value), false, 1);
    assert_true(keyspace_sum(keyspace) != sum);
    value[1024] = 'x';
    value[0] = 'y';
    keyspace_set_string(keyspace, SPAN("a"), span_of(value, sizeof value), false, 1);
    assert_true(keyspace_sum(keyspace) == sum);
    keyspace_set_deadline(keyspace, keyspace_find(keyspace, SPAN("a"), NO_DEADLINE), 1, 1);
    assert_true(keyspace_sum(keyspace) != sum);
    keyspace_free(keyspace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_change_of_a_value_is_told),
        cmocka_unit_test(test_each_removal_is_told),
        cmocka_unit_test(test_both_keys_of_a_rename_are_told_before_either_changes),
        cmocka_unit_test(test_the_sum_that_changes_keep_up_is_that_of_a_fresh_walk),
        cmocka_unit_test(test_the_sum_depends_on_neither_order_nor_seed),
        cmocka_unit_test(test_the_sum_tells_equal_bytes_at_other_places_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
