/* A follower's question for leadership: there and back, and what is none. */
#include "wire/handover.h"

#include "resp/parse.h"
#include "unit/support/test.h"
#include "wire/message.h"

static void encode_and_parse(struct resp_parser *parser, struct buf *bytes)
{
    const struct resp_limits limits = {.bulk_len_max = INT64_MAX, .authenticated = true};
    const struct wire_handover given = {
        .cluster_id = SPAN("0123456789"), .shard = 3, .term = UINT64_MAX, .from = 1, .to = 2};
    wire_encode_handover(bytes, &given);
    assert_int_equal(resp_parse(parser, buf_span(bytes), &limits), RESP_COMMAND);
}

static void test_a_question_comes_back_as_it_was(void **state)
{
    (void)state;
    struct buf bytes = {0};
    struct resp_parser parser = {0};
    struct wire_handover got;
    encode_and_parse(&parser, &bytes);
    assert_true(wire_is_message(parser.args[0])); /* peers pass it on */
    assert_int_equal(wire_parse_handover(parser.args, parser.argc, &got), ERR_NONE);
    assert_true(span_is(got.cluster_id, "0123456789"));
    assert_int_equal(got.shard, 3);
    assert_true(got.term == UINT64_MAX);
    assert_int_equal(got.from, 1);
    assert_int_equal(got.to, 2);
    resp_parser_close(&parser);
    buf_close(&bytes);
}

static void test_what_is_no_question_is_refused(void **state)
{
    (void)state;
    struct buf bytes = {0};
    struct resp_parser parser = {0};
    struct wire_handover got;
    encode_and_parse(&parser, &bytes);
    struct span args[7];
    memcpy(args, parser.args, 6 * sizeof *args);
    args[6] = SPAN("1");
    for (size_t argc = 0; argc <= 7; argc++)
        assert_int_equal(wire_parse_handover(args, argc, &got), argc == 6 ? ERR_NONE : ERR_INVALID);
    for (size_t i = 0; i < 6; i++) {
        struct span kept = args[i];
        if (i == 1)
            continue; /* the cluster id is for the shard to judge */
        args[i] = SPAN("x");
        assert_int_equal(wire_parse_handover(args, 6, &got), ERR_INVALID);
        args[i] = kept;
    }
    args[2] = SPAN("4294967296");
    assert_int_equal(wire_parse_handover(args, 6, &got), ERR_INVALID);
    resp_parser_close(&parser);
    buf_close(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_question_comes_back_as_it_was),
        cmocka_unit_test(test_what_is_no_question_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
