#include "wire/message.h"

#include <lz4.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/number.h"
#include "raft/raft.h"
#include "wire/digest.h"
#include "wire/forward.h"
#include "wire/frame.h"
#include "wire/handover.h"
#include "wire/members.h"
#include "wire/witness.h"
#include "wire/write.h"

enum {
    SHARD_ARGUMENT = 2,
    HEAD = 6,     /* arguments of every message: name, cluster, shard, term, from, to */
    BODY_MAX = 9, /* numbers after them */
};

/* The last argument, which may be large: the records of an append, or a chunk of a snapshot. */
static void append_tail(struct buf *out, struct span tail)
{
    char *at = buf_reserve(out, tail.len + WIRE_TEXT_BYTES);
    out->len += (size_t)(wire_write_text(at, tail) - at);
}

/* Like append_tail(), compressed if that is smaller. */
static void append_chunk(struct buf *out, struct span chunk)
{
    struct buf packed = {0};
    int packed_len = 0;
    if (chunk.len > 1 && chunk.len <= LZ4_MAX_INPUT_SIZE) {
        char *at = buf_reserve(&packed, chunk.len);
        packed_len = LZ4_compress_default(chunk.ptr, at, (int)chunk.len, (int)chunk.len - 1);
    }
    append_tail(out, packed_len > 0 ? span_of(packed.ptr, (size_t)packed_len) : chunk);
    buf_close(&packed);
}

static const char *const names[] = {
    [RAFT_VOTE_REQUEST] = "RAFT.VOTE",         [RAFT_VOTE_RESPONSE] = "RAFT.VOTED",
    [RAFT_APPEND_REQUEST] = "RAFT.APPEND",     [RAFT_APPEND_RESPONSE] = "RAFT.APPENDED",
    [RAFT_SNAPSHOT_REQUEST] = "RAFT.SNAPSHOT", [RAFT_SNAPSHOT_RESPONSE] = "RAFT.RECEIVED",
    [RAFT_TIMEOUT_NOW] = "RAFT.TIMEOUTNOW",
};

enum { MESSAGE_TYPES = sizeof names / sizeof *names };

/* Returns MESSAGE_TYPES if it is none of them. */
static size_t find_type(struct span name)
{
    size_t type = 0;
    while (type < MESSAGE_TYPES && !span_is(name, names[type]))
        type++;
    return type;
}

/* The arguments of a message that differ between the types, without the last one of an append or a
 * chunk; returns their number. */
static size_t body_of(const struct raft_message *message, uint64_t numbers[BODY_MAX])
{
    size_t count = 0;
    switch (message->type) {
    case RAFT_VOTE_REQUEST:
        numbers[count++] = message->vote_request.pre;
        numbers[count++] = message->vote_request.transfer;
        numbers[count++] = message->vote_request.last_index;
        numbers[count++] = message->vote_request.last_term;
        return count;
    case RAFT_VOTE_RESPONSE:
        numbers[count++] = message->vote_response.pre;
        numbers[count++] = message->vote_response.granted;
        numbers[count++] = message->vote_response.last_index;
        numbers[count++] = message->vote_response.to_incarnation;
        numbers[count++] = message->vote_response.witnessed;
        numbers[count++] = message->vote_response.wall_ms;
        numbers[count++] = message->vote_response.time_ms;
        numbers[count++] = message->vote_response.heard_ago_ms;
        numbers[count++] = message->vote_response.heard_term;
        return count;
    case RAFT_APPEND_REQUEST:
        numbers[count++] = message->append_request.prev_index;
        numbers[count++] = message->append_request.prev_term;
        numbers[count++] = message->append_request.commit;
        numbers[count++] = message->append_request.read_context;
        numbers[count++] = message->append_request.sent_ms;
        numbers[count++] = message->append_request.to_incarnation;
        numbers[count++] = message->append_request.acknowledged;
        numbers[count++] = message->append_request.time_ms;
        numbers[count++] = message->append_request.entry_count;
        return count;
    case RAFT_APPEND_RESPONSE:
        numbers[count++] = message->append_response.success;
        numbers[count++] = message->append_response.match;
        numbers[count++] = message->append_response.read_context;
        numbers[count++] = message->append_response.sent_ms;
        numbers[count++] = message->append_response.rejected_prev;
        numbers[count++] = message->append_response.hint_index;
        numbers[count++] = message->append_response.hint_term;
        numbers[count++] = message->append_response.no_room;
        numbers[count++] = message->append_response.wall_ms;
        return count;
    case RAFT_SNAPSHOT_REQUEST:
        numbers[count++] = message->snapshot_request.index;
        numbers[count++] = message->snapshot_request.term;
        numbers[count++] = message->snapshot_request.offset;
        numbers[count++] = message->snapshot_request.total;
        numbers[count++] = message->snapshot_request.bytes;
        return count;
    case RAFT_SNAPSHOT_RESPONSE:
        numbers[count++] = message->snapshot_response.index;
        numbers[count++] = message->snapshot_response.term;
        numbers[count++] = message->snapshot_response.offset;
        return count;
    case RAFT_TIMEOUT_NOW:
        return 0;
    }
    return 0;
}

/* A read costs the leader a few of these; nothing is allocated or copied twice. */
void wire_encode_message(struct buf *out, struct span cluster_id, uint32_t shard,
                         const struct raft_message *message, struct span bytes)
{
    bool is_append = message->type == RAFT_APPEND_REQUEST;
    bool is_chunk = message->type == RAFT_SNAPSHOT_REQUEST;
    ASSERT(!is_chunk || message->snapshot_request.bytes == bytes.len);
    ASSERT(is_append || is_chunk || bytes.len == 0);
    uint64_t body[BODY_MAX];
    size_t count = body_of(message, body);
    struct span name = span_text(names[message->type]);
    char *start = buf_reserve(out, WIRE_COUNT_BYTES + 2 * WIRE_TEXT_BYTES + name.len +
                                       cluster_id.len + (HEAD - 2 + count) * WIRE_NUMBER_BYTES);
    char *at = wire_write_count(start, HEAD + count + (is_append || is_chunk));
    at = wire_write_text(at, name);
    at = wire_write_text(at, cluster_id);
    at = wire_write_number(at, shard);
    at = wire_write_number(at, message->term);
    at = wire_write_number(at, message->from);
    at = wire_write_number(at, message->to);
    for (size_t i = 0; i < count; i++)
        at = wire_write_number(at, body[i]);
    out->len += (size_t)(at - start);
    if (is_append)
        append_tail(out, bytes);
    else if (is_chunk)
        append_chunk(out, bytes);
}

/* Reads consecutive numbers from args[at] on. */
struct reader {
    const struct span *args;
    size_t at;
    bool failed;
};

static uint64_t next_number(struct reader *reader)
{
    uint64_t value = 0;
    if (!number_parse_u64(reader->args[reader->at++], &value))
        reader->failed = true;
    return value;
}

static bool next_bool(struct reader *reader)
{
    uint64_t value = next_number(reader);
    if (value > 1)
        reader->failed = true;
    return value == 1;
}

/* A time above RAFT_TIME_MS_MAX is refused, so that sums of times and times to live fit into 64
 * bits. */
static uint64_t next_time(struct reader *reader)
{
    uint64_t value = next_number(reader);
    if (value > RAFT_TIME_MS_MAX)
        reader->failed = true;
    return value;
}

static void reserve_entries(struct wire_message *parsed, size_t count)
{
    if (count <= parsed->cap)
        return;
    parsed->cap = count;
    parsed->entries = mem_realloc(parsed->entries, count * sizeof *parsed->entries);
    parsed->raft_entries = mem_realloc(parsed->raft_entries, count * sizeof *parsed->raft_entries);
}

/* Parses the membership in the entry. The core gets the pointers once all entries are read, because
 * the array may move until then. */
static enum err parse_membership(struct wire_message *parsed, struct span payload, size_t position)
{
    if (position == parsed->membership_cap) {
        parsed->membership_cap = position ? position * 2 : 1;
        parsed->memberships =
            mem_realloc(parsed->memberships, parsed->membership_cap * sizeof *parsed->memberships);
    }
    return members_parse(payload, &parsed->memberships[position]);
}

static void point_to_memberships(struct wire_message *parsed, size_t count)
{
    size_t next = 0;
    for (size_t i = 0; i < count; i++) {
        if (parsed->entries[i].kind == ENTRY_MEMBERSHIP)
            parsed->raft_entries[i].membership = &parsed->memberships[next++];
    }
}

enum { RECORD_BYTES_MIN = 24 };

/* Parses the records of an append: exactly `count` entries that follow prev_index, with no term
 * above the sender's. */
static enum err parse_records(struct wire_message *parsed, struct span records, uint64_t count)
{
    uint64_t index = parsed->message.append_request.prev_index;
    if (count > records.len / RECORD_BYTES_MIN || index >= UINT64_MAX - count)
        return ERR_INVALID;
    reserve_entries(parsed, count);
    uint64_t term = parsed->message.append_request.prev_term;
    size_t memberships = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct record record;
        if (record_parse(records, &record) != RECORD_OK || record.kind != RECORD_ENTRY)
            return ERR_CORRUPT;
        if (record.entry.index != ++index || record.entry.term < term ||
            record.entry.term > parsed->message.term)
            return ERR_CORRUPT;
        term = record.entry.term;
        parsed->entries[i] = record.entry;
        parsed->raft_entries[i] = (struct raft_entry){.index = record.entry.index,
                                                      .term = record.entry.term,
                                                      .bytes = (uint32_t)record.bytes};
        if (record.entry.kind == ENTRY_MEMBERSHIP &&
            parse_membership(parsed, record.entry.payload, memberships++))
            return ERR_CORRUPT;
        records = span_of(records.ptr + record.bytes, records.len - record.bytes);
    }
    point_to_memberships(parsed, count);
    return records.len == 0 ? ERR_NONE : ERR_CORRUPT;
}

static enum err parse_append(struct wire_message *parsed, struct reader *reader)
{
    struct raft_message *message = &parsed->message;
    message->append_request.prev_index = next_number(reader);
    message->append_request.prev_term = next_number(reader);
    message->append_request.commit = next_number(reader);
    message->append_request.read_context = next_number(reader);
    message->append_request.sent_ms = next_number(reader);
    message->append_request.to_incarnation = next_number(reader);
    message->append_request.acknowledged = next_number(reader);
    message->append_request.time_ms = next_time(reader);
    uint64_t count = next_number(reader);
    if (reader->failed)
        return ERR_INVALID;
    enum err err = parse_records(parsed, reader->args[reader->at], count);
    message->append_request.first_index = message->append_request.prev_index + 1;
    message->append_request.entry_count = count;
    message->append_request.entries = parsed->raft_entries;
    return err;
}

/* One byte of lz4 output stands for at most 255 bytes of input. */
enum { UNPACKED_PER_BYTE = 255 };

static enum err unpack(struct wire_message *parsed, uint64_t len)
{
    struct span packed = parsed->chunk;
    if (len > LZ4_MAX_INPUT_SIZE || len / UNPACKED_PER_BYTE > packed.len)
        return ERR_INVALID;
    parsed->unpacked.len = 0;
    char *at = buf_reserve(&parsed->unpacked, (size_t)len);
    if (LZ4_decompress_safe(packed.ptr, at, (int)packed.len, (int)len) != (int)len)
        return ERR_CORRUPT;
    parsed->chunk = span_of(at, (size_t)len);
    return ERR_NONE;
}

static enum err parse_chunk(struct wire_message *parsed, struct reader *reader)
{
    struct raft_message *message = &parsed->message;
    message->snapshot_request.index = next_number(reader);
    message->snapshot_request.term = next_number(reader);
    message->snapshot_request.offset = next_number(reader);
    message->snapshot_request.total = next_number(reader);
    uint64_t bytes = next_number(reader);
    parsed->chunk = reader->args[reader->at];
    message->snapshot_request.bytes = bytes;
    if (reader->failed || message->snapshot_request.index == 0 ||
        message->snapshot_request.offset > message->snapshot_request.total ||
        bytes > message->snapshot_request.total - message->snapshot_request.offset ||
        parsed->chunk.len > bytes)
        return ERR_INVALID;
    return parsed->chunk.len == bytes ? ERR_NONE : unpack(parsed, bytes);
}

static enum err parse_body(struct wire_message *parsed, struct reader *reader)
{
    struct raft_message *message = &parsed->message;
    switch (message->type) {
    case RAFT_VOTE_REQUEST:
        message->vote_request.pre = next_bool(reader);
        message->vote_request.transfer = next_bool(reader);
        message->vote_request.last_index = next_number(reader);
        message->vote_request.last_term = next_number(reader);
        break;
    case RAFT_VOTE_RESPONSE:
        message->vote_response.pre = next_bool(reader);
        message->vote_response.granted = next_bool(reader);
        message->vote_response.last_index = next_number(reader);
        message->vote_response.to_incarnation = next_number(reader);
        message->vote_response.witnessed = next_number(reader);
        message->vote_response.wall_ms = next_time(reader);
        message->vote_response.time_ms = next_time(reader);
        message->vote_response.heard_ago_ms = next_time(reader);
        message->vote_response.heard_term = next_number(reader);
        break;
    case RAFT_APPEND_REQUEST:
        return parse_append(parsed, reader);
    case RAFT_APPEND_RESPONSE:
        message->append_response.success = next_bool(reader);
        message->append_response.match = next_number(reader);
        message->append_response.read_context = next_number(reader);
        message->append_response.sent_ms = next_number(reader);
        message->append_response.rejected_prev = next_number(reader);
        message->append_response.hint_index = next_number(reader);
        message->append_response.hint_term = next_number(reader);
        message->append_response.no_room = next_bool(reader);
        message->append_response.wall_ms = next_time(reader);
        break;
    case RAFT_SNAPSHOT_REQUEST:
        return parse_chunk(parsed, reader);
    case RAFT_SNAPSHOT_RESPONSE:
        message->snapshot_response.index = next_number(reader);
        message->snapshot_response.term = next_number(reader);
        message->snapshot_response.offset = next_number(reader);
        break;
    case RAFT_TIMEOUT_NOW:
        break;
    }
    return reader->failed ? ERR_INVALID : ERR_NONE;
}

enum err wire_parse_message(const struct span *args, size_t argc, struct wire_message *parsed)
{
    static const size_t counts[] = {
        [RAFT_VOTE_REQUEST] = 10,    [RAFT_VOTE_RESPONSE] = 15,    [RAFT_APPEND_REQUEST] = 16,
        [RAFT_APPEND_RESPONSE] = 15, [RAFT_SNAPSHOT_REQUEST] = 12, [RAFT_SNAPSHOT_RESPONSE] = 9,
        [RAFT_TIMEOUT_NOW] = 6,
    };
    if (argc < HEAD)
        return ERR_INVALID;
    size_t type = find_type(args[0]);
    if (type == MESSAGE_TYPES || argc != counts[type])
        return ERR_INVALID;

    struct reader reader = {.args = args, .at = 2};
    parsed->message = (struct raft_message){.type = (enum raft_message_type)type};
    parsed->cluster_id = args[1];
    reader.at++;
    parsed->message.term = next_number(&reader);
    parsed->message.from = next_number(&reader);
    parsed->message.to = next_number(&reader);
    if (reader.failed || wire_message_shard(args, argc, &parsed->shard) != ERR_NONE)
        return ERR_INVALID;
    return parse_body(parsed, &reader);
}

bool wire_is_message(struct span name)
{
    return find_type(name) < MESSAGE_TYPES || wire_is_digest(name) || wire_is_witness(name) ||
           wire_is_forward(name) || wire_is_handover(name);
}

static enum err parse_u32(struct span text, uint32_t *value)
{
    uint64_t number;
    if (!number_parse_u64(text, &number) || number > UINT32_MAX)
        return ERR_INVALID;
    *value = (uint32_t)number;
    return ERR_NONE;
}

enum err wire_message_shard(const struct span *args, size_t argc, uint32_t *shard)
{
    return argc <= SHARD_ARGUMENT ? ERR_INVALID : parse_u32(args[SHARD_ARGUMENT], shard);
}

enum err wire_frame_shard(const struct wire_frame *frame, const char *start, uint32_t *shard)
{
    if (frame->read <= SHARD_ARGUMENT)
        return ERR_INVALID;
    return parse_u32(span_of(start + frame->offsets[SHARD_ARGUMENT], frame->lens[SHARD_ARGUMENT]),
                     shard);
}

void wire_encode_alive(struct buf *out, uint32_t shard, uint32_t busy_ms)
{
    struct span name = SPAN("RAFT.ALIVE");
    char *start =
        buf_reserve(out, WIRE_COUNT_BYTES + WIRE_TEXT_BYTES + name.len + 2 * WIRE_NUMBER_BYTES);
    char *at = wire_write_text(wire_write_count(start, 3), name);
    at = wire_write_number(wire_write_number(at, shard), busy_ms);
    out->len += (size_t)(at - start);
}

enum err wire_parse_alive(const struct span *args, size_t argc, uint32_t *shard, uint32_t *busy_ms)
{
    if (argc != 3 || !span_is(args[0], "RAFT.ALIVE") || parse_u32(args[1], shard))
        return ERR_INVALID;
    return parse_u32(args[2], busy_ms);
}

void wire_message_close(struct wire_message *parsed)
{
    mem_free(parsed->entries);
    mem_free(parsed->raft_entries);
    mem_free(parsed->memberships);
    buf_close(&parsed->unpacked);
    *parsed = (struct wire_message){0};
}
