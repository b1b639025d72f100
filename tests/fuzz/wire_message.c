/* Bytes of another node: a message or a greeting is refused, or it is one that comes back from its
 * encoding, with entries that follow each other. Reads nothing behind the end.
 *
 * Input: one byte of flags, then a command as RESP. */
#include "base/mem.h"
#include "fuzz/repair.h"
#include "resp/parse.h"
#include "wire/frame.h"
#include "wire/hello.h"
#include "wire/message.h"

#include "fuzz/fuzz.h"

/* A packed byte of a chunk stands for 255. */
enum { FLAG_REPAIR = 1, MEMORY_BASE = 64 << 10, MEMORY_PER_BYTE = 520 };

static const struct resp_limits limits = {.bulk_len_max = 1 << 20, .authenticated = true};

static void expect_entries(const struct wire_message *parsed, struct span records)
{
    size_t count = parsed->message.append_request.entry_count;
    const char *at = records.ptr;
    for (size_t i = 0; i < count; i++) {
        const struct entry *entry = &parsed->entries[i];
        ASSERT(entry->index == parsed->message.append_request.prev_index + 1 + i);
        ASSERT(entry->record.ptr == at);
        at += entry->record.len;
    }
    ASSERT(at == records.ptr + records.len);
}

static void encode(const struct wire_message *parsed, const struct span *args, size_t argc,
                   struct buf *out)
{
    struct span tail = SPAN("");
    if (parsed->message.type == RAFT_APPEND_REQUEST) {
        tail = args[argc - 1];
        expect_entries(parsed, tail);
    } else if (parsed->message.type == RAFT_SNAPSHOT_REQUEST) {
        tail = parsed->chunk;
        ASSERT(tail.len == parsed->message.snapshot_request.bytes);
    }
    wire_encode_message(out, parsed->cluster_id, parsed->shard, &parsed->message, tail);
}

/* What was parsed, encoded, parsed and encoded again. */
static void expect_round_trip(const struct wire_message *parsed, const struct span *args,
                              size_t argc)
{
    struct buf once = {0};
    struct buf twice = {0};
    encode(parsed, args, argc, &once);
    struct resp_parser parser = {0};
    struct wire_message again = {0};
    ASSERT(resp_parse(&parser, buf_span(&once), &limits) == RESP_COMMAND);
    ASSERT(parser.consumed == once.len && parser.argc == argc);
    ASSERT(wire_parse_message(parser.args, parser.argc, &again) == ERR_NONE);
    encode(&again, parser.args, parser.argc, &twice);
    ASSERT(span_equal(buf_span(&once), buf_span(&twice)));
    wire_message_close(&again);
    resp_parser_close(&parser);
    buf_close(&once);
    buf_close(&twice);
}

static void expect_hello(const struct wire_hello *hello)
{
    struct buf out = {0};
    wire_encode_hello(&out, hello);
    struct wire_frame frame = {.argc = 0};
    struct wire_hello again;
    ASSERT(wire_frame_read(&frame, buf_span(&out), WIRE_GREETING_ARGS_MAX,
                           WIRE_GREETING_BYTES_MAX) == WIRE_FRAME_DONE);
    ASSERT(wire_parse_hello(frame.args, frame.argc, &again) == ERR_NONE);
    ASSERT(again.from == hello->from && again.to == hello->to && again.lane == hello->lane);
    ASSERT(memcmp(again.nonce, hello->nonce, sizeof again.nonce) == 0);
    buf_close(&out);
}

/* However the bytes come: the same command, as resp_parse() finds it, or none. */
static void expect_frame(struct span bytes, const struct resp_parser *parser)
{
    struct wire_frame frame = {.argc = 0};
    enum wire_frame_outcome outcome = WIRE_FRAME_MORE;
    for (size_t len = 1; len <= bytes.len && outcome == WIRE_FRAME_MORE; len += 1 + len / 8)
        outcome = wire_frame_read(&frame, span_of(bytes.ptr, len), WIRE_FRAME_ARGS_MAX, 1 << 20);
    if (outcome == WIRE_FRAME_MORE)
        outcome = wire_frame_read(&frame, bytes, WIRE_FRAME_ARGS_MAX, 1 << 20);
    if (outcome != WIRE_FRAME_DONE || !parser)
        return;
    ASSERT(frame.argc == parser->argc && frame.at == parser->consumed);
    for (size_t i = 0; i < frame.argc; i++)
        ASSERT(span_equal(frame.args[i], parser->args[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 2)
        return 0;
    size_t size = len - 1;
    char *exact = mem_alloc(size);
    memcpy(exact, bytes + 1, size);
    if (bytes[0] & FLAG_REPAIR)
        repair_records(exact, size);
    struct resp_parser parser = {0};
    struct wire_message parsed = {0};
    struct wire_hello hello;
    bool is_command = resp_parse(&parser, span_of(exact, size), &limits) == RESP_COMMAND;
    expect_frame(span_of(exact, size), is_command ? &parser : NULL);
    if (is_command && parser.argc) {
        memory_begin();
        enum err err = wire_parse_message(parser.args, parser.argc, &parsed);
        ASSERT(memory_end() <= MEMORY_BASE + MEMORY_PER_BYTE * len);
        ASSERT(err == ERR_NONE || err == ERR_INVALID || err == ERR_CORRUPT);
        if (err == ERR_NONE)
            expect_round_trip(&parsed, parser.args, parser.argc);
        if (wire_parse_hello(parser.args, parser.argc, &hello) == ERR_NONE)
            expect_hello(&hello);
    }
    wire_message_close(&parsed);
    resp_parser_close(&parser);
    mem_free(exact);
    return 0;
}

static void put(const struct raft_message *message, struct span tail)
{
    struct buf out = {0};
    buf_add_char(&out, FLAG_REPAIR);
    wire_encode_message(&out, SPAN("1111111111111111111111111111111111111111"), 0, message, tail);
    seed_put(buf_span(&out));
    buf_close(&out);
}

static void put_append(void)
{
    struct buf records = {0};
    const struct span args[] = {SPAN("SET"), SPAN("k"), SPAN("v")};
    struct entry entry = {.index = 8, .term = 2, .kind = ENTRY_COMMAND, .time_ms = 1, .seed = 1};
    entry_encode_command(&records, &entry, args, 3);
    entry = (struct entry){.index = 9, .term = 3, .kind = ENTRY_MEMBERSHIP, .time_ms = 2};
    entry.payload = SPAN("#MEMBER:1:1:1:0:n1:7001\r\n#MEMBER:3:2:2:0:n3:7003\r\n");
    entry_encode(&records, &entry);
    struct raft_message message = {.type = RAFT_APPEND_REQUEST, .from = 1, .to = 2, .term = 3};
    message.append_request.prev_index = 7;
    message.append_request.prev_term = 2;
    message.append_request.entry_count = 2;
    put(&message, buf_span(&records));
    buf_close(&records);
}

static void seeds(void)
{
    for (enum raft_message_type type = RAFT_VOTE_REQUEST; type <= RAFT_TIMEOUT_NOW; type++)
        put(&(struct raft_message){.type = type, .from = 1, .to = 2, .term = 3}, SPAN(""));
    put_append();
    struct raft_message message = {.type = RAFT_SNAPSHOT_REQUEST, .from = 1, .to = 2, .term = 3};
    message.snapshot_request.index = 9;
    message.snapshot_request.term = 2;
    message.snapshot_request.bytes = 5;
    message.snapshot_request.total = 5;
    put(&message, SPAN("bytes"));
    char packed[3000];
    memset(packed, 'p', sizeof packed);
    message.snapshot_request.bytes = message.snapshot_request.total = sizeof packed;
    put(&message, span_of(packed, sizeof packed));
    struct buf out = {0};
    buf_add_char(&out, 0);
    const struct wire_hello hello = {.from = 1,
                                     .to = 2,
                                     .incarnation = 3,
                                     .cluster_id = "1111111111111111111111111111111111111111"};
    wire_encode_hello(&out, &hello);
    seed_put(buf_span(&out));
    buf_close(&out);
}
