/* JSON out, base64. */
#include "http/text.h"

#include "unit/support/test.h"

static void assert_reads(const char *text, struct span expected)
{
    struct buf out = {0};
    buf_add_text(&out, "before");
    assert_true(http_read_base64(span_text(text), &out));
    assert_true(span_equal(span_of(out.ptr + 6, out.len - 6), expected));
    struct buf back = {0};
    http_write_base64(&back, expected);
    assert_true(span_equal(buf_span(&back), span_text(text)));
    buf_close(&back);
    buf_close(&out);
}

static void test_base64_there_and_back(void **state)
{
    (void)state;
    assert_reads("", SPAN(""));
    assert_reads("AA==", SPAN("\0"));
    assert_reads("/w==", SPAN("\xff"));
    assert_reads("//8=", SPAN("\xff\xff"));
    assert_reads("////", SPAN("\xff\xff\xff"));
    assert_reads("Zm9vYmFy", SPAN("foobar"));
    assert_reads("Zm9vYmE=", SPAN("fooba"));
    assert_reads("Zm9vYg==", SPAN("foob"));
}

static void test_what_is_no_base64_adds_nothing(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "A",    "AA",   "AAA",      "A===", "====",  "AB==",      "AAB=",
        "AA=A", "A A=", "AA==AA==", "AA-_", "AAAA=", "AAAAAAA=A", "\xff\xff\xff\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf out = {0};
        buf_add_text(&out, "before");
        assert_false(http_read_base64(span_text(bad[i]), &out));
        assert_true(span_equal(buf_span(&out), SPAN("before")));
        buf_close(&out);
    }
}

static void assert_string(struct span text, const char *expected)
{
    struct buf out = {0};
    http_write_string(&out, text);
    assert_true(span_equal(buf_span(&out), span_text(expected)));
    buf_close(&out);
}

static void test_strings_of_json(void **state)
{
    (void)state;
    assert_string(SPAN(""), "\"\"");
    assert_string(SPAN("a\"b\\c/"), "\"a\\\"b\\\\c/\"");
    assert_string(SPAN("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"");
    assert_string(SPAN("\0\x1f\x7f"), "\"\\u0000\\u001f\\u007f\"");
    assert_string(SPAN("\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80"),
                  "\"\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

static void test_what_is_utf_8(void **state)
{
    (void)state;
    static const char *const good[] = {"",
                                       "a",
                                       "\x7f",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xc2\xc2",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xe2\x82",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "a\xfe"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(http_is_utf8(span_text(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(http_is_utf8(span_text(bad[i])));
    assert_true(http_is_utf8(SPAN("a\0b")));
}

static void test_bytes_that_are_no_text_are_an_object(void **state)
{
    (void)state;
    struct buf out = {0};
    http_write_bytes(&out, SPAN("\xff"));
    http_write_bytes(&out, SPAN("x"));
    assert_true(span_equal(buf_span(&out), SPAN("{\"base64\":\"/w==\"}\"x\"")));
    buf_close(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64_there_and_back),
        cmocka_unit_test(test_what_is_no_base64_adds_nothing),
        cmocka_unit_test(test_strings_of_json),
        cmocka_unit_test(test_what_is_utf_8),
        cmocka_unit_test(test_bytes_that_are_no_text_are_an_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
