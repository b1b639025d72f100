/* redis.conf.example and the table say the same. */
#include <stdio.h>
#include <stdlib.h>

#include "config/internal.h"
#include "unit/config/fixture.h"

static char *read_example(void)
{
    char path[4096];
    const char *here = __FILE__;
    static const char below[] = "tests/unit/config/test_example.c";
    size_t root = strlen(here) - (sizeof below - 1);
    assert_string_equal(here + root, below);
    assert_true(snprintf(path, sizeof path, "%.*sredis.conf.example", (int)root, here) > 0);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    struct buf text = {0};
    size_t got;
    do {
        got = fread(buf_reserve(&text, 4096), 1, 4096, file);
        text.len += got;
    } while (got > 0);
    assert_int_equal(fclose(file), 0);
    buf_add_char(&text, '\0');
    return text.ptr;
}

static bool has_meaning(const struct directive *directive)
{
    return (directive->flags & (DIRECTIVE_ACCEPTED | DIRECTIVE_REFUSED | DIRECTIVE_HIDDEN)) == 0;
}

static size_t lines_of(const char *example, const char *name)
{
    struct span rest = span_text(example), line;
    size_t len = strlen(name), count = 0;
    while (config_next_line(&rest, &line))
        if (line.len > len && memcmp(line.ptr, name, len) == 0 && line.ptr[len] == ' ')
            count++;
    return count;
}

static void test_example_holds_exactly_the_defaults(void **state)
{
    (void)state;
    char *example = read_example();
    struct files files = {0};
    assert_int_equal(files_load_text(&files, example), ERR_NONE);
    assert_int_equal(files.log.len, 0);
    struct config initial;
    config_init(&initial);
    assert_memory_equal(&initial, &files.config, sizeof initial);
    free(example);
}

static void test_example_documents_each_directive_with_its_default(void **state)
{
    (void)state;
    char *example = read_example();
    const struct directive *directive;
    for (size_t i = 0; (directive = directive_at(i)) != NULL; i++) {
        if (!has_meaning(directive))
            continue;
        size_t expected = directive->kind == DIRECTIVE_OUTPUT_LIMITS ? CONFIG_CLIENT_CLASSES : 1;
        if (lines_of(example, directive->name) != expected)
            fail_msg("redis.conf.example: '%s' is not there, or more than once", directive->name);
        if (directive->kind == DIRECTIVE_OUTPUT_LIMITS)
            continue;
        /* As in the table, so that the example shows sizes with their units. */
        struct buf line = {0};
        buf_printf(&line, "\n%s %s\n", directive->name,
                   directive->initial[0] == '\0' ? "\"\"" : directive->initial);
        buf_add_char(&line, '\0');
        if (strstr(example, line.ptr) == NULL)
            fail_msg("redis.conf.example: '%s' is not shown with its default", directive->name);
        buf_close(&line);
    }
    free(example);
}

static void test_example_says_what_is_fixed(void **state)
{
    (void)state;
    char *example = read_example();
    bool fixed = false;
    struct span rest = span_text(example), line;
    /* A paragraph's comment holds for its directives. */
    while (config_next_line(&rest, &line)) {
        if (line.len == 0) {
            fixed = false;
        } else if (line.ptr[0] == '#') {
            fixed = fixed || memmem(line.ptr, line.len, "[fixed]", 7) != NULL;
        } else {
            size_t len = 0;
            while (line.ptr[len] != ' ')
                len++;
            const struct directive *directive = directive_find(span_of(line.ptr, len));
            assert_non_null(directive);
            bool expected = (directive->flags & (DIRECTIVE_IMMUTABLE | DIRECTIVE_PROTECTED)) != 0;
            if (fixed != expected)
                fail_msg("redis.conf.example: is '%s' fixed?", directive->name);
        }
    }
    free(example);
}

static void test_tables_are_sound(void **state)
{
    (void)state;
    const struct directive *directive;
    struct config config;
    config_init(&config);
    for (size_t i = 0; (directive = directive_at(i)) != NULL; i++) {
        assert_ptr_equal(directive_find(span_text(directive->name)), directive);
        if (directive->alias != NULL)
            assert_ptr_equal(directive_find(span_text(directive->alias)), directive);
        assert_true(strlen(directive->name) <= 64);
        assert_int_equal((directive->flags & DIRECTIVE_REFUSED) != 0, directive->reason != NULL);
        if ((directive->flags & (DIRECTIVE_ACCEPTED | DIRECTIVE_HIDDEN)) != DIRECTIVE_ACCEPTED)
            continue;
        /* The default is in the form that is shown: setting it changes nothing. */
        struct buf why = {0}, shown = {0};
        assert_true(directive_parse_text(&config, directive, span_text(directive->initial), &why));
        directive_format(&config, directive, &shown);
        buf_add_char(&shown, '\0');
        assert_string_equal(shown.ptr, directive->initial);
        buf_close(&shown);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example_holds_exactly_the_defaults),
        cmocka_unit_test(test_example_documents_each_directive_with_its_default),
        cmocka_unit_test(test_example_says_what_is_fixed),
        cmocka_unit_test(test_tables_are_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
