/* Input in pieces gives what input in one piece gives. */
#include "unit/resp/fixture.h"

/* SPAN() is no constant for an array. */
#define REQUEST(literal)                                                                           \
    {                                                                                              \
        ("" literal), sizeof(literal) - 1                                                          \
    }

static const struct span requests[] = {
    REQUEST("*1\r\n$4\r\nPING\r\n"),
    REQUEST("*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$12\r\nhello\r\nworld\r\n*0\r\n*-1\r\nPING\r\n"),
    REQUEST("*2\r\n$0\r\n\r\n$10\r\n0123456789\r\n\r\n\n*1\r\n$1\r\n\0\r\n"),
    REQUEST("SET \"a \\x41\\\" b\" 'c\\'d' e\r\nGET x\n   \r\n*1\r\n$4\r\nPING\r\n"),
    REQUEST("SET a\rb\r\n*1\rX$4\rXPINGXXPING\n"),
    REQUEST("GET a\0b\nPING\n"),
    REQUEST("*1\r\n$4\r\nPING\r\n*x\r\n"),
    REQUEST("*2\r\n$3\r\nGET\r\n$-1\r\n"),
    REQUEST("*2\r\n$3\r\nGET\r\n:1\r\n"),
    REQUEST("*2\r\n$3\r\nGET\r\n\r\n"),
    REQUEST("PING\r\nSET \"a\r\n"),
};

static void parse_whole(struct span input, struct buf *out)
{
    struct peer peer = {.limits = limits};
    peer_receive(&peer, input.ptr, input.len);
    buf_add_span(out, buf_span(&peer.out));
    peer_close(&peer);
}

static void test_every_pair_of_splits_gives_the_same(void **state)
{
    (void)state;
    for (size_t r = 0; r < sizeof requests / sizeof *requests; r++) {
        struct span input = requests[r];
        struct buf expected = {0};
        parse_whole(input, &expected);
        for (size_t i = 0; i <= input.len; i++) {
            for (size_t j = i; j <= input.len; j++) {
                struct peer peer = {.limits = limits};
                peer_receive(&peer, input.ptr, i);
                peer_receive(&peer, input.ptr + i, j - i);
                peer_receive(&peer, input.ptr + j, input.len - j);
                assert_true(span_equal(buf_span(&peer.out), buf_span(&expected)));
                peer_close(&peer);
            }
        }
        buf_close(&expected);
    }
}

static void test_byte_by_byte_gives_the_same(void **state)
{
    (void)state;
    for (size_t r = 0; r < sizeof requests / sizeof *requests; r++) {
        struct buf expected = {0};
        parse_whole(requests[r], &expected);
        struct peer peer = {.limits = limits};
        for (size_t i = 0; i < requests[r].len; i++)
            peer_receive(&peer, requests[r].ptr + i, 1);
        assert_true(span_equal(buf_span(&peer.out), buf_span(&expected)));
        peer_close(&peer);
        buf_close(&expected);
    }
}

/* A command with arguments of any bytes, as an array or, if its bytes allow, as a line. */
static void add_random_command(struct prng *prng, struct buf *input, struct buf *expected)
{
    static const char alphabet[] = "\r\n\0 *$\"'\\x41";
    struct span args[40];
    char bytes[40][24];
    size_t argc = prng_below(prng, 8) ? prng_below(prng, 5) : prng_below(prng, 40);
    for (size_t i = 0; i < argc; i++) {
        size_t len = prng_below(prng, sizeof bytes[i]);
        for (size_t j = 0; j < len; j++)
            bytes[i][j] = prng_below(prng, 2) ? alphabet[prng_below(prng, sizeof alphabet - 1)]
                                              : (char)prng_below(prng, 256);
        args[i] = span_of(bytes[i], len);
        buf_printf(expected, "[%zu:", len);
        buf_add_span(expected, args[i]);
        buf_add_char(expected, ']');
    }
    buf_add_char(expected, '\n');
    if (prng_below(prng, 3)) {
        size_t before = input->len;
        resp_encode_command(input, args, argc);
        assert_int_equal(input->len - before, resp_encoded_size(args, argc));
        return;
    }
    for (size_t i = 0; i < argc; i++) {
        buf_add_char(input, '"');
        for (size_t j = 0; j < args[i].len; j++)
            buf_printf(input, "\\x%02x", (unsigned)(unsigned char)args[i].ptr[j]);
        buf_add_text(input, "\" ");
    }
    buf_add_text(input, prng_below(prng, 2) ? "\r\n" : "\n");
}

static void test_random_pipelines_cut_at_random_places_are_read_as_sent(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        struct prng prng;
        prng_init(&prng, seed);
        struct buf input = {0}, expected = {0};
        for (uint64_t i = prng_below(&prng, 12) + 1; i > 0; i--)
            add_random_command(&prng, &input, &expected);
        struct peer peer = {.limits = limits};
        size_t longest = prng_below(&prng, 2) ? 8 : input.len + 1;
        for (size_t at = 0; at < input.len;) {
            size_t len = prng_below(&prng, longest) + 1;
            if (len > input.len - at)
                len = input.len - at;
            peer_receive(&peer, input.ptr + at, len);
            at += len;
        }
        if (!span_equal(buf_span(&peer.out), buf_span(&expected)))
            fail_msg("seed %llu", (unsigned long long)seed);
        assert_int_equal(peer.in.len, 0);
        peer_close(&peer);
        buf_close(&input);
        buf_close(&expected);
    }
}

static void test_random_bytes_end_in_commands_or_an_error(void **state)
{
    (void)state;
    static const char alphabet[] = "**$$1029-\r\n\r\n\"' a";
    for (uint64_t seed = 1; seed <= 5000; seed++) {
        struct prng prng;
        prng_init(&prng, seed);
        struct peer whole = {.limits = limits}, pieces = {.limits = limits};
        char input[64];
        size_t len = prng_below(&prng, sizeof input) + 1;
        for (size_t i = 0; i < len; i++) {
            input[i] = alphabet[prng_below(&prng, sizeof alphabet - 1)];
            peer_receive(&pieces, input + i, 1);
        }
        peer_receive(&whole, input, len);
        if (!span_equal(buf_span(&whole.out), buf_span(&pieces.out)))
            fail_msg("seed %llu", (unsigned long long)seed);
        peer_close(&whole);
        peer_close(&pieces);
    }
}

/* Bytes that were searched are covered with others: whoever looked again would see a line's end. */
static void test_bytes_are_searched_once(void **state)
{
    (void)state;
    struct resp_parser parser = {0};
    char input[] = "GET aaaaaaaa\n";
    size_t len = sizeof input - 1;
    assert_int_equal(resp_parse(&parser, span_of(input, len - 1), &limits), RESP_INCOMPLETE);
    memset(input, '\n', len - 1);
    assert_int_equal(resp_parse(&parser, span_of(input, len), &limits), RESP_COMMAND);
    assert_int_equal(parser.consumed, len);
    char array[] = "*1\r\n$00000\r\n";
    assert_int_equal(resp_parse(&parser, span_of(array, 9), &limits), RESP_INCOMPLETE);
    memset(array + 4, '\r', 5);
    assert_int_equal(resp_parse(&parser, span_of(array, 12), &limits), RESP_ERROR);
    assert_string_equal(parser.error, "Protocol error: expected '$', got '\r'");
    resp_parser_close(&parser);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_pair_of_splits_gives_the_same),
        cmocka_unit_test(test_byte_by_byte_gives_the_same),
        cmocka_unit_test(test_random_pipelines_cut_at_random_places_are_read_as_sent),
        cmocka_unit_test(test_random_bytes_end_in_commands_or_an_error),
        cmocka_unit_test(test_bytes_are_searched_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
