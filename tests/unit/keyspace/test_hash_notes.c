/* What RDB files say of the deadlines of fields. */
#include "keyspace/hash.h"
#include "unit/keyspace/values.h"

static void add_numbers(struct hash *hash, int count, const struct value_rules *rules)
{
    char text[NUMBER_I64_CHARS];
    for (int i = 0; i < count; i++) {
        struct span number = span_of(text, number_format_i64(text, i));
        assert_true(hash_set(hash, number, number, rules));
    }
}

static void test_damaged_notes_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"x",     "0",     "0:5",   "3:5 ",
                                      "-1:5 ", "0:-5 ", "0:x ",  ":5 ",
                                      " ",     "0:5 1", "00:5 ", "0:9223372036854775808 "};
    struct value_rules rules = value_rules_default;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct hash *hash = hash_new();
        add_numbers(hash, 3, &rules);
        assert_false(hash_ops.note_take(hash, span_text(bad[i]), &rules));
        assert_true(hash_ops.sum(hash) == hash_ops.sum_by_walk(hash));
        hash_free(hash);
    }
    struct hash *hash = hash_new();
    add_numbers(hash, 3, &rules);
    assert_true(hash_ops.note_take(hash, SPAN("0:5 2:7 "), &rules));
    assert_true(hash_ops.note_take(hash, SPAN(""), &rules));
    assert_int_equal(hash_earliest(hash), 5);
    assert_int_equal(hash_count_at(hash, 6), 2);
    hash_free(hash);
}

/* Each note looks at a bounded number of fields, of which none may have a deadline. */
static void test_a_note_may_be_empty(void **state)
{
    (void)state;
    struct value_rules rules = value_rules_default;
    struct hash *hash = hash_new();
    add_numbers(hash, 40000, &rules);
    hash_set_deadline(hash, SPAN("39999"), 5, &rules);
    struct value_cursor cursor = {0};
    struct buf text = {0};
    assert_true(hash_ops.note(hash, &cursor, &text));
    assert_int_equal(text.len, 0);
    assert_true(hash_ops.note_take(hash, buf_span(&text), &rules));
    assert_true(hash_ops.note(hash, &cursor, &text));
    assert_true(span_equal(buf_span(&text), SPAN("39999:5 ")));
    assert_false(hash_ops.note(hash, &cursor, &text));
    buf_close(&text);
    hash_free(hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damaged_notes_are_refused),
        cmocka_unit_test(test_a_note_may_be_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
