/* The words of a line. */
#include "base/word.h"

#include "unit/support/test.h"

static bool split(const char *line, struct buf *out)
{
    size_t at = 0;
    struct span text = span_text(line);
    out->len = 0;
    while (word_find(text, &at)) {
        if (!word_read(out, text, &at))
            return false;
        buf_add_char(out, '|');
    }
    return true;
}

static void expect(const char *line, const char *words)
{
    struct buf out = {0};
    assert_true(split(line, &out));
    assert_int_equal(out.len, strlen(words));
    assert_memory_equal(out.ptr ? out.ptr : "", words, out.len);
    buf_close(&out);
}

static void test_words_are_separated_by_spaces(void **state)
{
    (void)state;
    expect("  a\tbc \v d\r\n", "a|bc|d|");
    expect("", "");
    expect("a\vb", "a\vb|");
}

static void test_quotes_keep_spaces_and_escapes(void **state)
{
    (void)state;
    expect("\"a b\" 'c d'", "a b|c d|");
    expect("\"\\x41\\n\\\"\" 'it\\'s\\n'", "A\n\"|it's\\n|");
    expect("x\"y z\"", "xy z|");
    expect("\"\"", "|");
}

static void test_a_quote_is_closed_and_ends_its_word(void **state)
{
    (void)state;
    struct buf out = {0};
    assert_false(split("\"a", &out));
    assert_false(split("'a\\'", &out));
    assert_false(split("\"a\"b", &out));
    buf_close(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_are_separated_by_spaces),
        cmocka_unit_test(test_quotes_keep_spaces_and_escapes),
        cmocka_unit_test(test_a_quote_is_closed_and_ends_its_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
