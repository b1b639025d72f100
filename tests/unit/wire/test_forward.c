#include "resp/parse.h"
#include "unit/support/test.h"
#include "wire/forward.h"
#include "wire/message.h"

static const char cluster_id[] = "0123456789abcdef0123456789abcdef01234567";

static struct wire_forward message_of(enum wire_forward_type type)
{
    return (struct wire_forward){.type = type,
                                 .cluster_id = span_text(cluster_id),
                                 .shard = 3,
                                 .term = 7,
                                 .from = 2,
                                 .to = 1,
                                 .life = UINT64_MAX,
                                 .numbers = {4, 5, 6}};
}

/* Parses what was encoded, as a peer's connection does. */
static enum err parse(const struct buf *bytes, struct resp_parser *parser,
                      struct wire_forward *message)
{
    static const struct resp_limits limits = {.bulk_len_max = INT64_MAX, .authenticated = true};
    assert_int_equal(resp_parse(parser, buf_span(bytes), &limits), RESP_COMMAND);
    assert_int_equal(parser->consumed, bytes->len);
    return wire_parse_forward(parser->args, parser->argc, message);
}

static void test_each_message_reads_back_as_it_was_written(void **state)
{
    (void)state;
    for (int type = WIRE_FORWARD; type <= WIRE_HELD; type++) {
        struct wire_forward sent = message_of((enum wire_forward_type)type);
        struct buf items = {0}, bytes = {0};
        struct resp_parser parser = {0};
        struct wire_forward got;
        if (type == WIRE_FORWARDED)
            sent.forwarded.again = 1;
        buf_add(&items, "a\r\n\0b", 5);
        sent.items = buf_span(&items);
        wire_encode_forward(&bytes, &sent);
        assert_int_equal(parse(&bytes, &parser, &got), ERR_NONE);
        assert_true(wire_is_forward(parser.args[0]));
        assert_true(wire_is_message(parser.args[0]));
        assert_int_equal(got.type, sent.type);
        assert_true(span_equal(got.cluster_id, sent.cluster_id));
        assert_int_equal(got.shard, 3);
        assert_int_equal(got.term, 7);
        assert_int_equal(got.from, 2);
        assert_int_equal(got.to, 1);
        assert_true(got.life == UINT64_MAX);
        assert_memory_equal(got.numbers, sent.numbers, sizeof sent.numbers);
        assert_true(span_equal(got.items, sent.items));
        resp_parser_close(&parser);
        buf_close(&bytes);
        buf_close(&items);
    }
}

static void test_a_missing_or_malformed_argument_is_refused(void **state)
{
    (void)state;
    struct wire_forward sent = message_of(WIRE_FORWARD);
    struct buf bytes = {0};
    struct resp_parser parser = {0};
    struct wire_forward got;
    wire_encode_forward(&bytes, &sent);
    assert_int_equal(parse(&bytes, &parser, &got), ERR_NONE);
    struct span args[12];
    for (size_t i = 0; i < 11; i++)
        args[i] = parser.args[i];
    args[11] = SPAN("more");
    assert_int_equal(wire_parse_forward(args, 10, &got), ERR_INVALID);
    assert_int_equal(wire_parse_forward(args, 12, &got), ERR_INVALID);
    static const char *const bad[] = {"", "-1", "1x", "18446744073709551616"};
    for (size_t at = 2; at < 10; at++) {
        struct span kept = args[at];
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            args[at] = span_text(bad[i]);
            assert_int_equal(wire_parse_forward(args, 11, &got), ERR_INVALID);
        }
        args[at] = kept;
    }
    args[0] = SPAN("RAFT.APPEND");
    assert_int_equal(wire_parse_forward(args, 11, &got), ERR_INVALID);
    resp_parser_close(&parser);
    buf_close(&bytes);
}

static void assert_refused(const struct wire_forward *sent)
{
    struct buf bytes = {0};
    struct resp_parser parser = {0};
    struct wire_forward got;
    wire_encode_forward(&bytes, sent);
    assert_int_equal(parse(&bytes, &parser, &got), ERR_INVALID);
    resp_parser_close(&parser);
    buf_close(&bytes);
}

static void test_numbers_that_cannot_be_are_refused(void **state)
{
    (void)state;
    struct wire_forward sent = message_of(WIRE_FORWARD);
    sent.forward.answered = sent.forward.first + 1;
    assert_refused(&sent);
    sent.forward.answered = 0;
    assert_refused(&sent);
    sent = message_of(WIRE_FORWARDED);
    sent.forwarded.next = 0;
    assert_refused(&sent);
    sent.forwarded.next = 1;
    sent.forwarded.again = 2;
    assert_refused(&sent);
    sent = message_of(WIRE_READ);
    sent.read.context = 0;
    assert_refused(&sent);
    sent.read.context = 1;
    sent.read.due_ms = UINT64_MAX;
    assert_refused(&sent);
    sent = message_of(WIRE_READ_INDEX);
    sent.read_index.time_ms = UINT64_MAX;
    assert_refused(&sent);
}

static void test_requests_and_refusals_come_one_after_the_other(void **state)
{
    (void)state;
    struct buf items = {0};
    struct wire_request request;
    struct span text;
    uint64_t seq;
    wire_add_request(&items,
                     &(struct wire_request){ENTRY_COMMAND, 0, SPAN("*1\r\n$4\r\nPING\r\n")});
    wire_add_request(&items, &(struct wire_request){ENTRY_TRANSACTION, 12, SPAN("")});
    wire_add_request(&items, &(struct wire_request){ENTRY_SESSION, 0, SPAN("#BEGIN:0\r\n")});
    struct span rest = buf_span(&items);
    assert_true(wire_take_request(&rest, &request));
    assert_int_equal(request.kind, ENTRY_COMMAND);
    assert_int_equal(request.database, 0);
    assert_true(span_equal(request.payload, SPAN("*1\r\n$4\r\nPING\r\n")));
    assert_true(wire_take_request(&rest, &request));
    assert_int_equal(request.kind, ENTRY_TRANSACTION);
    assert_int_equal(request.database, 12);
    assert_int_equal(request.payload.len, 0);
    assert_true(wire_take_request(&rest, &request));
    assert_int_equal(request.kind, ENTRY_SESSION);
    assert_false(wire_take_request(&rest, &request));
    items.len = 0;
    wire_add_refusal(&items, UINT64_MAX, SPAN("OOM no"));
    rest = buf_span(&items);
    assert_true(wire_take_refusal(&rest, &seq, &text));
    assert_true(seq == UINT64_MAX);
    assert_true(span_equal(text, SPAN("OOM no")));
    assert_int_equal(rest.len, 0);
    buf_close(&items);
}

static void test_malformed_items_are_refused(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "",           "C",          "C5\r\nabcd",
        "E0\r\n",     "M0\r\n",     "C1x\r\na",
        "C\r\n",      "C-1\r\n",    "C99999999999999999999999\r\n",
        "C1\na",      "C16:1\r\na", "C0:1\r\na",
        "C01:1\r\na", "S1:1\r\na",  "N1:0\r\n",
        "C1:"};
    static const char *const refusals[] = {"", "1", "1:", "1:2\r\na", "x:1\r\na", ":1\r\na"};
    struct wire_request request;
    struct span text;
    uint64_t seq;
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        struct span rest = span_text(requests[i]);
        assert_false(wire_take_request(&rest, &request));
    }
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct span rest = span_text(refusals[i]);
        assert_false(wire_take_refusal(&rest, &seq, &text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_message_reads_back_as_it_was_written),
        cmocka_unit_test(test_a_missing_or_malformed_argument_is_refused),
        cmocka_unit_test(test_numbers_that_cannot_be_are_refused),
        cmocka_unit_test(test_requests_and_refusals_come_one_after_the_other),
        cmocka_unit_test(test_malformed_items_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
