/* Messages about acknowledgements: there and back, and what is none. */
#include "wire/witness.h"

#include "resp/parse.h"
#include "unit/support/test.h"
#include "wire/frame.h"
#include "wire/message.h"

static void parse(struct resp_parser *parser, const struct buf *bytes)
{
    const struct resp_limits limits = {.bulk_len_max = INT64_MAX, .authenticated = true};
    assert_int_equal(resp_parse(parser, buf_span(bytes), &limits), RESP_COMMAND);
}

static struct wire_witness example(size_t count)
{
    struct wire_witness witness = {.cluster_id = SPAN("0123456789"),
                                   .shard = 3,
                                   .term = 4,
                                   .from = 1,
                                   .to = 2,
                                   .count = count};
    for (uint64_t i = 0; i < count; i++)
        witness.members[i] =
            (struct raft_witness){.id = i + 1, .incarnation = UINT64_MAX - i, .index = i * 5};
    return witness;
}

static void test_acknowledgements_come_back_as_they_were(void **state)
{
    (void)state;
    for (size_t count = 0; count <= RAFT_MEMBERS_MAX; count++) {
        struct wire_witness given = example(count), got;
        struct buf bytes = {0};
        struct resp_parser parser = {0};
        wire_encode_witness(&bytes, &given);
        parse(&parser, &bytes);
        assert_true(wire_is_message(parser.args[0])); /* peers pass it on */
        assert_true(parser.argc <= WIRE_FRAME_ARGS_MAX);
        assert_int_equal(wire_parse_witness(parser.args, parser.argc, &got), ERR_NONE);
        assert_true(span_equal(got.cluster_id, given.cluster_id));
        assert_int_equal(got.shard, 3);
        assert_int_equal(got.term, 4);
        assert_int_equal(got.from, 1);
        assert_int_equal(got.to, 2);
        assert_int_equal(got.count, count);
        for (size_t i = 0; i < count; i++) {
            assert_true(got.members[i].id == given.members[i].id);
            assert_true(got.members[i].incarnation == given.members[i].incarnation);
            assert_true(got.members[i].index == given.members[i].index);
        }
        resp_parser_close(&parser);
        buf_close(&bytes);
    }
}

static void test_what_is_no_acknowledgement_is_refused(void **state)
{
    (void)state;
    struct wire_witness given = example(RAFT_MEMBERS_MAX), got;
    struct buf bytes = {0};
    struct resp_parser parser = {0};
    wire_encode_witness(&bytes, &given);
    parse(&parser, &bytes);
    for (size_t argc = 0; argc < parser.argc; argc++) {
        bool whole = argc >= 6 && (argc - 6) % 3 == 0;
        assert_int_equal(wire_parse_witness(parser.args, argc, &got),
                         whole ? ERR_NONE : ERR_INVALID);
    }
    for (size_t i = 0; i < parser.argc; i++) {
        struct span kept = parser.args[i];
        if (i == 1)
            continue; /* the cluster id is for the shard to judge */
        parser.args[i] = SPAN("x");
        assert_int_equal(wire_parse_witness(parser.args, parser.argc, &got), ERR_INVALID);
        parser.args[i] = kept;
    }
    parser.args[2] = SPAN("4294967296");
    assert_int_equal(wire_parse_witness(parser.args, parser.argc, &got), ERR_INVALID);
    struct span more[6 + 3 * (RAFT_MEMBERS_MAX + 1)];
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        more[i] = SPAN("1");
    more[0] = SPAN("RAFT.WITNESS");
    assert_int_equal(wire_parse_witness(more, sizeof more / sizeof *more, &got), ERR_INVALID);
    resp_parser_close(&parser);
    buf_close(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_acknowledgements_come_back_as_they_were),
        cmocka_unit_test(test_what_is_no_acknowledgement_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
