/* The head of a request. What is refused on the way from a socket is tested in
 * tests/integration/test_http_bad_input.py. */
#include "http/parse.h"

#include "unit/support/test.h"

#define HOST "Host: h\r\n"

static struct http_request request;
static struct http_error error;

static bool parses(struct span head)
{
    error = (struct http_error){.status = 0};
    return http_parse_head(head, &request, &error);
}
#define PARSES(literal) parses(SPAN(literal))

static void assert_refused(struct span head, int status)
{
    assert_false(parses(head));
    assert_int_equal(error.status, status);
    assert_non_null(error.code);
    assert_non_null(error.message);
}
#define REFUSED(literal, status) assert_refused(SPAN(literal), status)

static void test_a_head_is_taken_apart(void **state)
{
    (void)state;
    assert_true(PARSES("PUT /kv/a%20b?ttl=5&x HTTP/1.1\r\nhOST:  h:1 \r\nContent-Length: 7\r\n"
                       "Content-Type:application/json\r\nIf-Match: \"r\"\r\nX: \r\n\r\n"));
    assert_true(span_equal(request.method, SPAN("PUT")));
    assert_true(span_equal(request.path, SPAN("/kv/a%20b")));
    assert_true(span_equal(request.query, SPAN("ttl=5&x")));
    assert_true(span_equal(request.host, SPAN("h:1")));
    assert_true(span_equal(request.content_type, SPAN("application/json")));
    assert_true(span_equal(request.if_match, SPAN("\"r\"")));
    assert_null(request.authorization.ptr);
    assert_true(request.has_length && request.length == 7 && !request.chunked);
    assert_true(request.keep_alive && !request.is_1_0);
}

static void test_an_empty_query_is_none(void **state)
{
    (void)state;
    assert_true(PARSES("GET /a? HTTP/1.1\r\n" HOST "\r\n"));
    assert_true(span_equal(request.path, SPAN("/a")));
    assert_int_equal(request.query.len, 0);
    assert_true(PARSES("GET /a?b?c HTTP/1.1\r\n" HOST "\r\n"));
    assert_true(span_equal(request.query, SPAN("b?c")));
}

static void test_every_shorter_head_is_refused(void **state)
{
    (void)state;
    static const char head[] = "GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n";
    for (size_t len = 0; len + 1 < sizeof head; len++)
        assert_false(parses(span_of(head, len)));
    assert_true(parses(span_of(head, sizeof head - 1)));
}

static void test_no_byte_that_is_not_of_a_name_stands_in_one(void **state)
{
    (void)state;
    char head[] = "GET /a HTTP/1.1\r\nHost: h\r\nX?: y\r\n\r\n";
    char *at = strchr(head, '?');
    for (int byte = 0; byte < 256; byte++) {
        *at = (char)byte;
        bool letter = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                      (byte >= 'a' && byte <= 'z');
        bool mark = byte && strchr("!#$%&'*+-.^_`|~:", byte);
        /* A second colon belongs to the value. */
        assert_int_equal(parses(span_of(head, sizeof head - 1)), letter || mark);
    }
}

static void test_no_control_character_stands_in_a_value(void **state)
{
    (void)state;
    char head[] = "GET /a HTTP/1.1\r\nHost: h\r\nX: a?b\r\n\r\n";
    char *at = strchr(head, '?');
    for (int byte = 0; byte < 256; byte++) {
        *at = (char)byte;
        bool control = (byte < 0x20 && byte != '\t') || byte == 0x7f;
        assert_int_equal(parses(span_of(head, sizeof head - 1)), !control);
    }
}

static void test_lengths_are_plain_decimals(void **state)
{
    (void)state;
    assert_true(PARSES("PUT /a HTTP/1.1\r\n" HOST "Content-Length: 0099\r\n\r\n"));
    assert_int_equal(request.length, 99);
    assert_true(PARSES("PUT /a HTTP/1.1\r\n" HOST "Content-Length: 9999999999999999999\r\n\r\n"));
    assert_true(request.length == 9999999999999999999u);
    REFUSED("PUT /a HTTP/1.1\r\n" HOST "Content-Length: 10000000000000000000\r\n\r\n", 400);
    REFUSED("PUT /a HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\n", 400);
    REFUSED("PUT /a HTTP/1.1\r\n" HOST "Content-Length: 1 1\r\n\r\n", 400);
    REFUSED("PUT /a HTTP/1.1\r\n" HOST "Content-Length: 1\r\ncontent-length: 1\r\n\r\n", 400);
    REFUSED("PUT /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
            400);
    REFUSED("PUT /a HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n", 501);
}

static void test_what_a_request_line_is_not(void **state)
{
    (void)state;
    REFUSED("GET /a\r\n" HOST "\r\n", 400);
    REFUSED("GET  /a HTTP/1.1\r\n" HOST "\r\n", 400);
    REFUSED("GET /a HTTP/1.1 \r\n" HOST "\r\n", 400);
    REFUSED("GET a HTTP/1.1\r\n" HOST "\r\n", 400);
    REFUSED("GET * HTTP/1.1\r\n" HOST "\r\n", 400);
    REFUSED("GET /\ta HTTP/1.1\r\n" HOST "\r\n", 400);
    REFUSED("G(T /a HTTP/1.1\r\n" HOST "\r\n", 400);
    REFUSED("GET /a HTTP/1.2\r\n" HOST "\r\n", 505);
    REFUSED("GET /a http/1.1\r\n" HOST "\r\n", 400);
    REFUSED("GET /a HTTP/1.1\r\n\r\n", 400);
    assert_true(PARSES("GET /a HTTP/1.0\r\n\r\n"));
    assert_false(request.keep_alive);
}

static void test_there_are_only_so_many_headers(void **state)
{
    (void)state;
    char head[4096] = "GET /a HTTP/1.1\r\nHost: h\r\n";
    for (int i = 1; i < HTTP_HEADERS_MAX; i++)
        strcat(head, "X: y\r\n");
    strcat(head, "\r\n");
    assert_true(parses(span_text(head)));
    strcpy(head + strlen(head) - 2, "X: y\r\n\r\n");
    assert_refused(span_text(head), 431);
}

static void test_sizes_of_chunks(void **state)
{
    (void)state;
    uint64_t size;
    assert_true(http_parse_chunk_line(SPAN("1aF\r\n"), &size) && size == 0x1af);
    assert_true(http_parse_chunk_line(SPAN("0\r\n"), &size) && size == 0);
    assert_true(http_parse_chunk_line(SPAN("5;name=value\r\n"), &size) && size == 5);
    assert_true(http_parse_chunk_line(SPAN("fffffffffffffff\r\n"), &size) &&
                size == 0xfffffffffffffff);
    assert_false(http_parse_chunk_line(SPAN("1000000000000000\r\n"), &size));
    assert_false(http_parse_chunk_line(SPAN("\r\n"), &size));
    assert_false(http_parse_chunk_line(SPAN(";\r\n"), &size));
    assert_false(http_parse_chunk_line(SPAN("5 \r\n"), &size));
    assert_false(http_parse_chunk_line(SPAN("5\n"), &size));
    assert_false(http_parse_chunk_line(SPAN("0x5\r\n"), &size));
    assert_false(http_parse_chunk_line(SPAN("-5\r\n"), &size));
    assert_false(http_parse_chunk_line(SPAN("5;\x01\r\n"), &size));
}

static void test_percent_signs_stand_for_any_byte(void **state)
{
    (void)state;
    char out[16];
    size_t len;
    assert_true(http_decode_percent(SPAN("a%00%fF+%25"), out, &len));
    assert_int_equal(len, 5);
    assert_memory_equal(out, "a\0\xff+%", 5);
    assert_true(http_decode_percent(SPAN(""), out, &len) && len == 0);
    assert_false(http_decode_percent(SPAN("%"), out, &len));
    assert_false(http_decode_percent(SPAN("a%4"), out, &len));
    assert_false(http_decode_percent(SPAN("%4g"), out, &len));
    assert_false(http_decode_percent(SPAN("%g4"), out, &len));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_head_is_taken_apart),
        cmocka_unit_test(test_an_empty_query_is_none),
        cmocka_unit_test(test_every_shorter_head_is_refused),
        cmocka_unit_test(test_no_byte_that_is_not_of_a_name_stands_in_one),
        cmocka_unit_test(test_no_control_character_stands_in_a_value),
        cmocka_unit_test(test_lengths_are_plain_decimals),
        cmocka_unit_test(test_what_a_request_line_is_not),
        cmocka_unit_test(test_there_are_only_so_many_headers),
        cmocka_unit_test(test_sizes_of_chunks),
        cmocka_unit_test(test_percent_signs_stand_for_any_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
