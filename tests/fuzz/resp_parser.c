/* Bytes of a client: in one piece and in small ones the parser finds the same commands and the same
 * fault, reads nothing behind what has come, and holds no more memory than what has come is worth.
 * What it takes for a command comes back from its encoding.
 *
 * Input: one byte of flags, one for the size of the pieces, then the bytes. */
#include "base/crc.h"
#include "base/mem.h"
#include "resp/parse.h"

#include "fuzz/fuzz.h"

enum { FLAG_AUTHENTICATED = 1, MEMORY_BASE = 64 << 10, MEMORY_PER_BYTE = 64 };

struct seen {
    uint32_t commands; /* checksum of all of them */
    size_t count;
    enum resp_outcome end;
    char error[128];
};

static struct resp_limits limits;

static void expect_round_trip(const struct resp_parser *parser)
{
    struct buf again = {0};
    resp_encode_command(&again, parser->args, parser->argc);
    ASSERT(again.len == resp_encoded_size(parser->args, parser->argc));
    struct resp_parser other = {0};
    ASSERT(resp_parse(&other, buf_span(&again), &limits) == RESP_COMMAND);
    ASSERT(other.consumed == again.len && other.argc == parser->argc);
    for (size_t i = 0; i < other.argc; i++)
        ASSERT(span_equal(other.args[i], parser->args[i]));
    resp_parser_close(&other);
    buf_close(&again);
}

static void take(const struct resp_parser *parser, struct seen *seen)
{
    seen->count++;
    for (size_t i = 0; i < parser->argc; i++) {
        uint64_t len = parser->args[i].len;
        seen->commands = crc32c(seen->commands, &len, sizeof len);
        if (len)
            seen->commands = crc32c(seen->commands, parser->args[i].ptr, len);
    }
    if (parser->argc && limits.authenticated)
        expect_round_trip(parser);
}

/* `piece` more bytes each time, and nothing behind them. */
static void parse_all(struct span input, size_t piece, struct seen *seen)
{
    struct resp_parser parser = {0};
    size_t there = piece < input.len ? piece : input.len;
    for (;;) {
        char *exact = mem_alloc(there);
        if (there)
            memcpy(exact, input.ptr, there);
        seen->end = resp_parse(&parser, span_of(exact, there), &limits);
        if (seen->end == RESP_COMMAND) {
            ASSERT(parser.consumed >= 1 && parser.consumed <= there);
            take(&parser, seen);
            input = span_of(input.ptr + parser.consumed, input.len - parser.consumed);
            there -= parser.consumed;
        } else if (seen->end == RESP_ERROR) {
            snprintf(seen->error, sizeof seen->error, "%s", parser.error);
        }
        mem_free(exact);
        if (seen->end == RESP_ERROR || (seen->end == RESP_INCOMPLETE && there == input.len))
            break;
        if (seen->end == RESP_INCOMPLETE)
            there = there + piece < input.len ? there + piece : input.len;
    }
    resp_parser_close(&parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 2)
        return 0;
    limits = (struct resp_limits){.bulk_len_max = 1 << 20,
                                  .authenticated = bytes[0] & FLAG_AUTHENTICATED};
    struct span input = span_of((const char *)bytes + 2, len - 2);
    struct seen whole = {0};
    struct seen pieces = {0};
    memory_begin();
    parse_all(input, input.len, &whole);
    ASSERT(memory_end() <= MEMORY_BASE + MEMORY_PER_BYTE * len);
    parse_all(input, bytes[1] ? bytes[1] : 1, &pieces);
    ASSERT(whole.commands == pieces.commands && whole.count == pieces.count);
    ASSERT(whole.end == pieces.end && strcmp(whole.error, pieces.error) == 0);
    return 0;
}

static void seeds(void)
{
    static const char *const texts[] = {
        "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n*1\r\n$4\r\nPING\r\n",
        "PING\r\nSET k \"a \\x41\\n\" 'b\\''\r\n",
        "*0\r\n\r\n*-1\r\n*2\r\n$0\r\n\r\n$1\r\na\r\n",
        "*2147483647\r\n",
        "*1\r\n$1048577\r\n",
        "*1\r\n:1\r\n",
        "*x\r\n",
        "SET k \"open\r\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct buf bytes = {0};
        buf_add(&bytes, i % 2 ? "\1\1" : "\1\7", 2);
        buf_add_text(&bytes, texts[i]);
        seed_put(buf_span(&bytes));
        bytes.ptr[0] = 0;
        seed_put(buf_span(&bytes));
        buf_close(&bytes);
    }
}
