#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/prng.h"
#include "raft/raft.h"
#include "unit/support/test.h"
#include "wire/members.h"
#include "wire/message.h"

enum { ARGS_MAX = 16 };

static const char cluster_id[] = "0123456789abcdef0123456789abcdef01234567";

/* A message's arguments as the receiving side gets them from its reader. */
struct received {
    redisReply *reply;
    struct span args[ARGS_MAX];
    size_t argc;
};

static void receive(struct received *received, const struct buf *bytes)
{
    redisReader *reader = redisReaderCreate();
    assert_int_equal(redisReaderFeed(reader, bytes->ptr, bytes->len), REDIS_OK);
    void *reply = NULL;
    assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_OK);
    assert_non_null(reply);
    redisReaderFree(reader);
    received->reply = reply;
    assert_int_equal(received->reply->type, REDIS_REPLY_ARRAY);
    received->argc = received->reply->elements;
    assert_true(received->argc <= ARGS_MAX);
    for (size_t i = 0; i < received->argc; i++)
        received->args[i] =
            span_of(received->reply->element[i]->str, (size_t)received->reply->element[i]->len);
}

static void encode_and_receive(struct received *received, const struct raft_message *message,
                               struct span records)
{
    struct buf out = {0};
    wire_encode_message(&out, span_text(cluster_id), 9, message, records);
    receive(received, &out);
    buf_close(&out);
}

static void add_entry(struct buf *out, uint64_t index, uint64_t term, enum entry_kind kind)
{
    struct entry entry = {.index = index, .term = term, .kind = kind, .time_ms = 5};
    const struct span args[] = {SPAN("DEL"), SPAN("k")};
    if (kind == ENTRY_COMMAND)
        entry_encode_command(out, &entry, args, 2);
    else
        entry_encode(out, &entry);
}

static struct raft_message append_of(uint64_t prev_index, uint64_t prev_term, size_t count)
{
    struct raft_message message = {.type = RAFT_APPEND_REQUEST, .from = 1, .to = 2, .term = 4};
    message.append_request.prev_index = prev_index;
    message.append_request.prev_term = prev_term;
    message.append_request.commit = 6;
    message.append_request.read_context = 11;
    message.append_request.to_incarnation = UINT64_MAX;
    message.append_request.acknowledged = 5;
    message.append_request.first_index = prev_index + 1;
    message.append_request.entry_count = count;
    return message;
}

static enum err outcome_of(const struct raft_message *message, struct span records)
{
    struct received received;
    encode_and_receive(&received, message, records);
    struct wire_message parsed = {0};
    enum err err = wire_parse_message(received.args, received.argc, &parsed);
    wire_message_close(&parsed);
    freeReplyObject(received.reply);
    return err;
}

static void test_messages_without_entries_read_back(void **state)
{
    (void)state;
    struct raft_message messages[6] = {
        {.type = RAFT_VOTE_REQUEST, .from = 1, .to = 2, .term = 3},
        {.type = RAFT_VOTE_RESPONSE, .from = 2, .to = 1, .term = UINT64_MAX},
        append_of(8, 3, 0),
        {.type = RAFT_APPEND_RESPONSE, .from = 2, .to = 1, .term = 4},
        {.type = RAFT_SNAPSHOT_RESPONSE, .from = 2, .to = 1, .term = 4},
        {.type = RAFT_TIMEOUT_NOW, .from = 2, .to = 1, .term = 4},
    };
    messages[0].vote_request.pre = true;
    messages[0].vote_request.transfer = true;
    messages[0].vote_request.last_index = 10;
    messages[0].vote_request.last_term = 2;
    messages[1].vote_response.granted = true;
    messages[1].vote_response.wall_ms = 7;
    messages[1].vote_response.time_ms = RAFT_TIME_MS_MAX;
    messages[1].vote_response.heard_ago_ms = 9;
    messages[1].vote_response.heard_term = 3;
    messages[2].append_request.time_ms = 10;
    messages[3].append_response.wall_ms = 11;
    messages[3].append_response.success = true;
    messages[3].append_response.match = 1;
    messages[3].append_response.read_context = 2;
    messages[3].append_response.sent_ms = 6;
    messages[3].append_response.rejected_prev = 3;
    messages[3].append_response.hint_index = 4;
    messages[3].append_response.hint_term = 5;
    struct wire_message parsed = {0};
    messages[4].snapshot_response.index = 1;
    messages[4].snapshot_response.term = 2;
    messages[4].snapshot_response.offset = 3;
    for (size_t i = 0; i < 6; i++) {
        struct received received;
        encode_and_receive(&received, &messages[i], span_of(NULL, 0));
        assert_int_equal(wire_parse_message(received.args, received.argc, &parsed), ERR_NONE);
        assert_true(span_is(parsed.cluster_id, cluster_id));
        assert_int_equal(parsed.shard, 9);
        /* Encoded again it has to be the same: every field came through. */
        struct buf one = {0};
        struct buf two = {0};
        wire_encode_message(&one, span_text(cluster_id), 9, &messages[i], span_of(NULL, 0));
        wire_encode_message(&two, parsed.cluster_id, parsed.shard, &parsed.message,
                            span_of(NULL, 0));
        assert_true(span_equal(buf_span(&one), buf_span(&two)));
        buf_close(&one);
        buf_close(&two);
        freeReplyObject(received.reply);
    }
    wire_message_close(&parsed);
}

/* ---- the format, as hiredis writes it ---- */

struct reference {
    char texts[ARGS_MAX][24];
    const char *argv[ARGS_MAX];
    size_t lens[ARGS_MAX];
    int argc;
};

static void expect_text(struct reference *reference, const char *text, size_t len)
{
    assert_true(reference->argc < ARGS_MAX);
    reference->argv[reference->argc] = text;
    reference->lens[reference->argc++] = len;
}

static void expect_numbers(struct reference *reference, const uint64_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *text = reference->texts[reference->argc];
        int len = snprintf(text, sizeof reference->texts[0], "%" PRIu64, numbers[i]);
        expect_text(reference, text, (size_t)len);
    }
}

static void assert_written(const struct reference *reference, const struct raft_message *message,
                           uint32_t shard, struct span tail)
{
    char *formatted;
    int len = redisFormatCommandArgv(&formatted, reference->argc, (const char **)reference->argv,
                                     reference->lens);
    assert_true(len > 0);
    struct buf out = {0};
    buf_add(&out, "before", 6);
    wire_encode_message(&out, span_text(cluster_id), shard, message, tail);
    assert_true(span_equal(span_of(out.ptr, 6), SPAN("before")));
    assert_int_equal(out.len - 6, len);
    assert_memory_equal(out.ptr + 6, formatted, (size_t)len);
    buf_close(&out);
    redisFreeCommand(formatted);
}

/* Of every number of digits, and what stands next to a change of it. */
static uint64_t some_number(struct prng *prng)
{
    static const uint64_t edges[] = {0, 1, 9, 10, 99, 100, UINT32_MAX, UINT64_MAX};
    if (prng_below(prng, 4) == 0)
        return edges[prng_below(prng, sizeof edges / sizeof *edges)];
    uint64_t power = 1;
    for (uint64_t digits = prng_below(prng, 20); digits > 0; digits--)
        power *= 10;
    return prng_below(prng, 2) ? power - prng_below(prng, 2) : prng_below(prng, power) + power / 10;
}

enum { NUMBERS_MAX = 9, TAIL_MAX = 5000 };

/* Fills the message with these numbers in the order of the format; returns how many it has. */
static size_t fill(struct raft_message *message, const uint64_t *numbers)
{
    switch (message->type) {
    case RAFT_VOTE_REQUEST:
        message->vote_request.pre = numbers[0];
        message->vote_request.transfer = numbers[1];
        message->vote_request.last_index = numbers[2];
        message->vote_request.last_term = numbers[3];
        return 4;
    case RAFT_VOTE_RESPONSE:
        message->vote_response.pre = numbers[0];
        message->vote_response.granted = numbers[1];
        message->vote_response.last_index = numbers[2];
        message->vote_response.to_incarnation = numbers[3];
        message->vote_response.witnessed = numbers[4];
        message->vote_response.wall_ms = numbers[5];
        message->vote_response.time_ms = numbers[6];
        message->vote_response.heard_ago_ms = numbers[7];
        message->vote_response.heard_term = numbers[8];
        return 9;
    case RAFT_APPEND_REQUEST:
        message->append_request.prev_index = numbers[0];
        message->append_request.prev_term = numbers[1];
        message->append_request.commit = numbers[2];
        message->append_request.read_context = numbers[3];
        message->append_request.sent_ms = numbers[4];
        message->append_request.to_incarnation = numbers[5];
        message->append_request.acknowledged = numbers[6];
        message->append_request.time_ms = numbers[7];
        message->append_request.entry_count = numbers[8];
        return 9;
    case RAFT_APPEND_RESPONSE:
        message->append_response.success = numbers[0];
        message->append_response.match = numbers[1];
        message->append_response.read_context = numbers[2];
        message->append_response.sent_ms = numbers[3];
        message->append_response.rejected_prev = numbers[4];
        message->append_response.hint_index = numbers[5];
        message->append_response.hint_term = numbers[6];
        message->append_response.no_room = numbers[7];
        message->append_response.wall_ms = numbers[8];
        return 9;
    case RAFT_SNAPSHOT_REQUEST:
        message->snapshot_request.index = numbers[0];
        message->snapshot_request.term = numbers[1];
        message->snapshot_request.offset = numbers[2];
        message->snapshot_request.total = numbers[3];
        message->snapshot_request.bytes = numbers[4];
        return 5;
    case RAFT_SNAPSHOT_RESPONSE:
        message->snapshot_response.index = numbers[0];
        message->snapshot_response.term = numbers[1];
        message->snapshot_response.offset = numbers[2];
        return 3;
    case RAFT_TIMEOUT_NOW:
        return 0;
    }
    return 0;
}

/* Which of the numbers are 0 or 1. */
static bool is_flag(enum raft_message_type type, size_t position)
{
    bool is_vote = type == RAFT_VOTE_REQUEST || type == RAFT_VOTE_RESPONSE;
    return (is_vote && position < 2) ||
           (type == RAFT_APPEND_RESPONSE && (position == 0 || position == 7));
}

static void test_messages_are_written_as_hiredis_writes_them(void **state)
{
    (void)state;
    static const char *const names[] = {"RAFT.VOTE",      "RAFT.VOTED",    "RAFT.APPEND",
                                        "RAFT.APPENDED",  "RAFT.SNAPSHOT", "RAFT.RECEIVED",
                                        "RAFT.TIMEOUTNOW"};
    struct prng prng;
    prng_init(&prng, 7);
    char tail[TAIL_MAX];
    for (size_t round = 0; round < 7000; round++) {
        struct raft_message message = {.type = (enum raft_message_type)(round % 7)};
        bool has_tail =
            message.type == RAFT_APPEND_REQUEST || message.type == RAFT_SNAPSHOT_REQUEST;
        size_t tail_len = has_tail ? prng_below(&prng, round % 2 ? 12 : TAIL_MAX) : 0;
        for (size_t i = 0; i < tail_len; i++) /* nothing that lz4 would make smaller */
            tail[i] = (char)prng_next(&prng);
        uint64_t head[4], body[NUMBERS_MAX];
        for (size_t i = 0; i < 4; i++)
            head[i] = some_number(&prng);
        head[0] = (uint32_t)head[0];
        for (size_t i = 0; i < NUMBERS_MAX; i++)
            body[i] = is_flag(message.type, i) ? prng_below(&prng, 2) : some_number(&prng);
        if (message.type == RAFT_SNAPSHOT_REQUEST)
            body[4] = tail_len;
        message.term = head[1];
        message.from = head[2];
        message.to = head[3];
        struct reference reference = {.argc = 0};
        expect_text(&reference, names[message.type], strlen(names[message.type]));
        expect_text(&reference, cluster_id, strlen(cluster_id));
        expect_numbers(&reference, head, 4);
        expect_numbers(&reference, body, fill(&message, body));
        if (has_tail)
            expect_text(&reference, tail, tail_len);
        assert_written(&reference, &message, (uint32_t)head[0], span_of(tail, tail_len));
    }
}

static void test_a_time_beyond_the_year_9999_is_invalid(void **state)
{
    (void)state;
    struct raft_message append = append_of(8, 3, 0);
    append.append_request.time_ms = RAFT_TIME_MS_MAX + 1;
    assert_int_equal(outcome_of(&append, SPAN("")), ERR_INVALID);
    struct raft_message answer = {.type = RAFT_APPEND_RESPONSE, .from = 2, .to = 1, .term = 4};
    answer.append_response.wall_ms = UINT64_MAX;
    assert_int_equal(outcome_of(&answer, SPAN("")), ERR_INVALID);
    for (int i = 0; i < 4; i++) {
        struct raft_message vote = {.type = RAFT_VOTE_RESPONSE, .from = 2, .to = 1, .term = 4};
        vote.vote_response.wall_ms = RAFT_TIME_MS_MAX + (i == 1);
        vote.vote_response.time_ms = RAFT_TIME_MS_MAX + (i == 2);
        vote.vote_response.heard_ago_ms = RAFT_TIME_MS_MAX + (i == 3);
        assert_int_equal(outcome_of(&vote, SPAN("")), i == 0 ? ERR_NONE : ERR_INVALID);
    }
}

static void test_an_append_carries_the_records_as_they_are(void **state)
{
    (void)state;
    struct buf records = {0};
    add_entry(&records, 9, 3, ENTRY_COMMAND);
    add_entry(&records, 10, 4, ENTRY_NOOP);
    struct raft_membership membership = {.count = 0};
    raft_membership_put(&membership, &(struct raft_member){.id = 1,
                                                           .roles = RAFT_VOTER | RAFT_STAYS,
                                                           .incarnation = UINT64_MAX,
                                                           .successor = 0x10,
                                                           .address = "[2001:db8::1]:7001"});
    raft_membership_set(&membership, 4, RAFT_PROMOTE);
    struct buf payload = {0};
    members_encode(&payload, &membership);
    struct entry change = {
        .index = 11, .term = 4, .kind = ENTRY_MEMBERSHIP, .payload = buf_span(&payload)};
    entry_encode(&records, &change);
    buf_close(&payload);
    struct raft_message message = append_of(8, 3, 3);
    struct received received;
    encode_and_receive(&received, &message, buf_span(&records));
    struct wire_message parsed = {0};
    assert_int_equal(wire_parse_message(received.args, received.argc, &parsed), ERR_NONE);
    assert_int_equal(parsed.message.append_request.first_index, 9);
    assert_true(parsed.message.append_request.to_incarnation == UINT64_MAX);
    assert_int_equal(parsed.message.append_request.acknowledged, 5);
    assert_int_equal(parsed.message.append_request.entry_count, 3);
    const struct raft_entry *entries = parsed.message.append_request.entries;
    struct buf joined = {0};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(entries[i].index, 9 + i);
        assert_int_equal(entries[i].term, i ? 4 : 3);
        assert_int_equal(entries[i].bytes, parsed.entries[i].record.len);
        assert_int_equal(entries[i].membership != NULL, i == 2);
        buf_add_span(&joined, parsed.entries[i].record);
    }
    assert_true(raft_membership_equal(entries[2].membership, &membership));
    assert_true(span_equal(buf_span(&joined), buf_span(&records)));
    buf_close(&joined);
    buf_close(&records);
    wire_message_close(&parsed);
    freeReplyObject(received.reply);
}

static struct raft_message chunk_of(uint64_t offset, uint64_t total, size_t bytes)
{
    return (struct raft_message){
        .type = RAFT_SNAPSHOT_REQUEST,
        .from = 1,
        .to = 2,
        .term = 5,
        .snapshot_request = {
            .index = 9, .term = 4, .offset = offset, .bytes = bytes, .total = total}};
}

static void test_a_chunk_of_a_snapshot_is_carried_as_it_is(void **state)
{
    (void)state;
    struct span bytes = span_of("\r\n\0*1\r\n", 7);
    struct raft_message message = chunk_of(100, 107, 7);
    struct received received;
    encode_and_receive(&received, &message, bytes);
    struct wire_message parsed = {0};
    assert_int_equal(wire_parse_message(received.args, received.argc, &parsed), ERR_NONE);
    assert_int_equal(parsed.message.snapshot_request.index, 9);
    assert_int_equal(parsed.message.snapshot_request.term, 4);
    assert_int_equal(parsed.message.snapshot_request.offset, 100);
    assert_int_equal(parsed.message.snapshot_request.total, 107);
    assert_int_equal(parsed.message.snapshot_request.bytes, 7);
    assert_true(span_equal(parsed.chunk, bytes));
    wire_message_close(&parsed);
    freeReplyObject(received.reply);
}

static void test_a_chunk_that_packs_well_travels_packed(void **state)
{
    (void)state;
    enum { LEN = 100000 };
    char *bytes = mem_zalloc(LEN);
    for (size_t i = 0; i < LEN; i += 50)
        bytes[i] = (char)(i * 31 >> 8);
    struct raft_message message = chunk_of(50, 50 + LEN, LEN);
    struct received received;
    encode_and_receive(&received, &message, span_of(bytes, LEN));
    assert_true(received.args[received.argc - 1].len < LEN / 5);
    struct wire_message parsed = {0};
    assert_int_equal(wire_parse_message(received.args, received.argc, &parsed), ERR_NONE);
    assert_int_equal(parsed.message.snapshot_request.bytes, LEN);
    assert_true(span_equal(parsed.chunk, span_of(bytes, LEN)));
    wire_message_close(&parsed);
    freeReplyObject(received.reply);
    mem_free(bytes);
}

/* Each byte of a packed chunk in turn is another one: refused, or other bytes, never more than were
 * announced. The RDB's checksum finds the rest. */
static void test_a_packed_chunk_that_is_damaged_harms_nobody(void **state)
{
    (void)state;
    enum { LEN = 3000 };
    char *bytes = mem_zalloc(LEN);
    struct raft_message message = chunk_of(0, LEN, LEN);
    struct received received;
    encode_and_receive(&received, &message, span_of(bytes, LEN));
    struct span *packed = &received.args[received.argc - 1];
    char *damaged = mem_alloc(packed->len);
    for (size_t i = 0; i < packed->len * 8; i++) {
        memcpy(damaged, packed->ptr, packed->len);
        damaged[i / 8] ^= (char)(1 << i % 8);
        struct span args[16];
        memcpy(args, received.args, received.argc * sizeof *args);
        args[received.argc - 1] = span_of(damaged, packed->len);
        struct wire_message parsed = {0};
        enum err err = wire_parse_message(args, received.argc, &parsed);
        assert_true(err == ERR_CORRUPT || (!err && parsed.chunk.len == LEN));
        args[received.argc - 1] = span_of(damaged, packed->len - 1);
        assert_int_not_equal(wire_parse_message(args, received.argc, &parsed), ERR_NONE);
        wire_message_close(&parsed);
    }
    freeReplyObject(received.reply);
    mem_free(damaged);
    mem_free(bytes);
}

static void test_a_chunk_that_promises_more_than_it_can_hold_is_invalid(void **state)
{
    (void)state;
    struct raft_message message = chunk_of(0, UINT64_MAX, 7);
    struct received received;
    encode_and_receive(&received, &message, SPAN("1234567"));
    static const char *const lengths[] = {"6", "7x", "2048", "1000000000000",
                                          "18446744073709551615"};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        received.args[received.argc - 2] = span_text(lengths[i]);
        struct wire_message parsed = {0};
        assert_int_equal(wire_parse_message(received.args, received.argc, &parsed), ERR_INVALID);
        wire_message_close(&parsed);
    }
    freeReplyObject(received.reply);
}

static void test_a_chunk_beyond_the_snapshot_is_invalid(void **state)
{
    (void)state;
    struct raft_message message = chunk_of(101, 107, 7);
    assert_int_equal(outcome_of(&message, SPAN("1234567")), ERR_INVALID);
    message = chunk_of(108, 107, 0);
    assert_int_equal(outcome_of(&message, SPAN("")), ERR_INVALID);
    message = chunk_of(0, 0, 0);
    message.snapshot_request.index = 0;
    assert_int_equal(outcome_of(&message, SPAN("")), ERR_INVALID);
}

static void test_records_out_of_order_are_corrupt(void **state)
{
    (void)state;
    static const struct {
        uint64_t index[2];
        uint64_t term[2];
        size_t count;
        enum err err;
    } cases[] = {
        {{9, 10}, {3, 4}, 2, ERR_NONE},     {{9, 11}, {3, 3}, 2, ERR_CORRUPT},
        {{10, 11}, {3, 3}, 2, ERR_CORRUPT}, {{9, 9}, {3, 3}, 2, ERR_CORRUPT},
        {{9, 10}, {4, 3}, 2, ERR_CORRUPT},  {{9, 10}, {2, 3}, 2, ERR_CORRUPT},
        {{9, 10}, {3, 5}, 2, ERR_CORRUPT},  {{9, 10}, {3, 3}, 1, ERR_CORRUPT},
        {{9, 10}, {3, 3}, 3, ERR_INVALID},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf records = {0};
        for (size_t j = 0; j < 2; j++)
            add_entry(&records, cases[i].index[j], cases[i].term[j], ENTRY_NOOP);
        struct raft_message message = append_of(8, 3, cases[i].count);
        assert_int_equal(outcome_of(&message, buf_span(&records)), cases[i].err);
        buf_close(&records);
    }
}

static void test_every_changed_byte_of_the_records_is_refused(void **state)
{
    (void)state;
    struct buf records = {0};
    add_entry(&records, 9, 3, ENTRY_COMMAND);
    add_entry(&records, 10, 4, ENTRY_NOOP);
    struct raft_message message = append_of(8, 3, 2);
    for (size_t i = 0; i < records.len; i++) {
        records.ptr[i] ^= 1;
        assert_int_not_equal(outcome_of(&message, buf_span(&records)), ERR_NONE);
        records.ptr[i] ^= 1;
    }
    assert_int_equal(outcome_of(&message, buf_span(&records)), ERR_NONE);
    buf_close(&records);
}

static void test_a_vote_among_the_records_is_corrupt(void **state)
{
    (void)state;
    struct buf records = {0};
    entry_encode_vote(&records, &(struct vote_record){.term = 1, .node = 1});
    struct raft_message message = append_of(8, 3, 1);
    assert_int_not_equal(outcome_of(&message, buf_span(&records)), ERR_NONE);
    buf_close(&records);
}

static void test_counts_and_indices_beyond_reason_are_invalid(void **state)
{
    (void)state;
    struct raft_message message = append_of(8, 3, 1000000000);
    assert_int_equal(outcome_of(&message, SPAN("#RAFT:")), ERR_INVALID);
    message = append_of(8, 3, SIZE_MAX);
    assert_int_equal(outcome_of(&message, SPAN("")), ERR_INVALID);
    message = append_of(UINT64_MAX, 3, 0);
    assert_int_equal(outcome_of(&message, SPAN("")), ERR_INVALID);
}

static void test_other_commands_and_shapes_are_invalid(void **state)
{
    (void)state;
    struct wire_message parsed = {0};
    const struct span vote[] = {SPAN("RAFT.VOTE"), SPAN("c"), SPAN("0"), SPAN("1"),
                                SPAN("1"),         SPAN("2"), SPAN("0"), SPAN("0"),
                                SPAN("1"),         SPAN("1"), SPAN("1")};
    assert_int_equal(wire_parse_message(vote, 10, &parsed), ERR_NONE);
    for (size_t argc = 0; argc <= 11; argc++)
        if (argc != 10)
            assert_int_equal(wire_parse_message(vote, argc, &parsed), ERR_INVALID);
    static const char *const bad[] = {"", "x", "-1", "01", "1.0", "18446744073709551616"};
    for (size_t at = 2; at < 10; at++) {
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            struct span args[10];
            memcpy(args, vote, sizeof args);
            args[at] = span_text(bad[i]);
            assert_int_equal(wire_parse_message(args, 10, &parsed), ERR_INVALID);
        }
    }
    struct span args[10];
    memcpy(args, vote, sizeof args);
    args[6] = SPAN("2");
    assert_int_equal(wire_parse_message(args, 10, &parsed), ERR_INVALID);
    memcpy(args, vote, sizeof args);
    args[2] = SPAN("4294967296");
    assert_int_equal(wire_parse_message(args, 10, &parsed), ERR_INVALID);
    memcpy(args, vote, sizeof args);
    args[0] = SPAN("RAFT.VOTES");
    assert_int_equal(wire_parse_message(args, 10, &parsed), ERR_INVALID);
    wire_message_close(&parsed);
}

static void test_the_shard_of_a_message_is_known_before_the_rest_is_read(void **state)
{
    (void)state;
    uint32_t shard = 0;
    const struct span args[] = {SPAN("RAFT.APPEND"), SPAN("id"), SPAN("4294967295"), SPAN("?")};
    assert_int_equal(wire_message_shard(args, 4, &shard), ERR_NONE);
    assert_int_equal(shard, UINT32_MAX);
    assert_int_equal(wire_message_shard(args, 2, &shard), ERR_INVALID);
    assert_true(wire_is_message(SPAN("raft.append")));
    assert_true(wire_is_message(SPAN("RAFT.DIGEST")));
    assert_true(wire_is_message(SPAN("RAFT.DIGESTED")));
    assert_false(wire_is_message(SPAN("RAFT.ALIVE")));
    assert_false(wire_is_message(SPAN("RAFT.FOUND")));
    const struct span beyond[] = {SPAN("RAFT.APPEND"), SPAN("id"), SPAN("4294967296")};
    assert_int_equal(wire_message_shard(beyond, 3, &shard), ERR_INVALID);
}

static void test_a_sign_of_life_names_its_shard(void **state)
{
    (void)state;
    struct buf out = {0};
    uint32_t shard = 0;
    uint32_t busy_ms = 0;
    wire_encode_alive(&out, 7, 250);
    assert_true(
        span_equal(buf_span(&out), SPAN("*3\r\n$10\r\nRAFT.ALIVE\r\n$1\r\n7\r\n$3\r\n250\r\n")));
    buf_close(&out);
    const struct span args[] = {SPAN("RAFT.ALIVE"), SPAN("7"), SPAN("250"), SPAN("8")};
    assert_int_equal(wire_parse_alive(args, 3, &shard, &busy_ms), ERR_NONE);
    assert_int_equal(shard, 7);
    assert_int_equal(busy_ms, 250);
    assert_int_equal(wire_parse_alive(args, 2, &shard, &busy_ms), ERR_INVALID);
    assert_int_equal(wire_parse_alive(args, 4, &shard, &busy_ms), ERR_INVALID);
    assert_int_equal(wire_parse_alive(args + 1, 3, &shard, &busy_ms), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_without_entries_read_back),
        cmocka_unit_test(test_messages_are_written_as_hiredis_writes_them),
        cmocka_unit_test(test_a_time_beyond_the_year_9999_is_invalid),
        cmocka_unit_test(test_an_append_carries_the_records_as_they_are),
        cmocka_unit_test(test_a_chunk_of_a_snapshot_is_carried_as_it_is),
        cmocka_unit_test(test_a_chunk_that_packs_well_travels_packed),
        cmocka_unit_test(test_a_packed_chunk_that_is_damaged_harms_nobody),
        cmocka_unit_test(test_a_chunk_that_promises_more_than_it_can_hold_is_invalid),
        cmocka_unit_test(test_a_chunk_beyond_the_snapshot_is_invalid),
        cmocka_unit_test(test_records_out_of_order_are_corrupt),
        cmocka_unit_test(test_every_changed_byte_of_the_records_is_refused),
        cmocka_unit_test(test_a_vote_among_the_records_is_corrupt),
        cmocka_unit_test(test_counts_and_indices_beyond_reason_are_invalid),
        cmocka_unit_test(test_other_commands_and_shapes_are_invalid),
        cmocka_unit_test(test_the_shard_of_a_message_is_known_before_the_rest_is_read),
        cmocka_unit_test(test_a_sign_of_life_names_its_shard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
