/* Messages about digests: there and back, and what is none. */
#include "wire/digest.h"

#include "resp/parse.h"
#include "unit/support/test.h"
#include "wire/message.h"

static const struct wire_digest example = {.answer = true,
                                           .cluster_id = {"0123456789", 10},
                                           .shard = 3,
                                           .term = 4,
                                           .from = 1,
                                           .to = 2,
                                           .index = UINT64_MAX,
                                           .sum = UINT64_MAX - 1,
                                           .chain = 0,
                                           .chain_from = 9,
                                           .verdict = WIRE_CONTRADICTED};

static void parse(struct resp_parser *parser, const struct buf *bytes)
{
    const struct resp_limits limits = {.bulk_len_max = INT64_MAX, .authenticated = true};
    assert_int_equal(resp_parse(parser, buf_span(bytes), &limits), RESP_COMMAND);
}

static void test_a_digest_comes_back_as_it_was(void **state)
{
    (void)state;
    for (int answer = 0; answer < 2; answer++) {
        struct wire_digest given = example, got;
        struct buf bytes = {0};
        struct resp_parser parser = {0};
        given.answer = answer;
        wire_encode_digest(&bytes, &given);
        parse(&parser, &bytes);
        assert_true(wire_is_digest(parser.args[0]));
        assert_true(wire_is_message(parser.args[0])); /* peers pass it on */
        assert_int_equal(wire_parse_digest(parser.args, parser.argc, &got), ERR_NONE);
        assert_int_equal(got.answer, answer);
        assert_true(span_equal(got.cluster_id, given.cluster_id));
        assert_int_equal(got.shard, 3);
        assert_int_equal(got.term, 4);
        assert_int_equal(got.from, 1);
        assert_int_equal(got.to, 2);
        assert_true(got.index == given.index && got.sum == given.sum && got.chain == 0);
        assert_int_equal(got.chain_from, 9);
        assert_int_equal(got.verdict, WIRE_CONTRADICTED);
        resp_parser_close(&parser);
        buf_close(&bytes);
    }
}

static void test_what_is_no_digest_is_refused(void **state)
{
    (void)state;
    struct buf bytes = {0};
    struct resp_parser parser = {0};
    struct wire_digest got;
    wire_encode_digest(&bytes, &example);
    parse(&parser, &bytes);
    assert_int_equal(wire_parse_digest(parser.args, parser.argc - 1, &got), ERR_INVALID);
    for (size_t i = 0; i < parser.argc; i++) {
        struct span kept = parser.args[i];
        if (i == 1)
            continue; /* the cluster id is for the shard to judge */
        parser.args[i] = SPAN("x");
        assert_int_equal(wire_parse_digest(parser.args, parser.argc, &got), ERR_INVALID);
        parser.args[i] = kept;
    }
    parser.args[2] = SPAN("4294967296");
    assert_int_equal(wire_parse_digest(parser.args, parser.argc, &got), ERR_INVALID);
    parser.args[2] = SPAN("0");
    parser.args[10] = SPAN("3");
    assert_int_equal(wire_parse_digest(parser.args, parser.argc, &got), ERR_INVALID);
    resp_parser_close(&parser);
    buf_close(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_digest_comes_back_as_it_was),
        cmocka_unit_test(test_what_is_no_digest_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
