#include "wire/entry.h"

#include <endian.h>

#include "base/assert.h"
#include "base/crc.h"
#include "base/number.h"

enum { CHECKSUM_CHARS = 8, IDENTITY_VERSION = 2 };

static void put_word(char *at, uint64_t word)
{
    word = htole64(word);
    memcpy(at, &word, sizeof word);
}

static void put_checksum(char *at, uint32_t checksum)
{
    put_word(at, number_hex_word(checksum));
}

/* Writes eight bytes or sixteen. */
static size_t put_hex(char *at, uint64_t value)
{
    size_t digits = (size_t)(67 - __builtin_clzll(value | 1)) / 4;
    if (digits <= 8) {
        put_word(at, number_hex_word((uint32_t)value) >> 8 * (8 - digits));
        return digits;
    }
    put_word(at, number_hex_word((uint32_t)(value >> 32)) >> 8 * (16 - digits));
    put_word(at + digits - 8, number_hex_word((uint32_t)value));
    return digits;
}

static size_t put_text(char *at, const char *text, size_t len)
{
    memcpy(at, text, len);
    return len;
}

/* Writes the header up to the ':' before the checksum. There is room for ENTRY_HEADER_MAX bytes. */
static size_t put_header(char *start, const struct entry *entry, size_t payload_len)
{
    char *at = start;
    at += put_text(at, "#RAFT:", 6);
    at += number_format_u64(at, entry->index);
    *at++ = ':';
    at += number_format_u64(at, entry->term);
    *at++ = ':';
    *at++ = (char)entry->kind;
    if (entry->database)
        at += number_format_u64(at, entry->database);
    *at++ = ':';
    at += number_format_i64(at, entry->time_ms);
    *at++ = ':';
    at += put_hex(at, entry->seed);
    *at++ = ':';
    at += number_format_u64(at, payload_len);
    *at++ = ':';
    if (entry->origin.life) {
        at += number_format_u64(at, entry->origin.node);
        *at++ = ':';
        at += put_hex(at, entry->origin.life);
        *at++ = ':';
        at += number_format_u64(at, entry->origin.seq);
        *at++ = ':';
    }
    return (size_t)(at - start);
}

/* Fills in the checksum of the record that begins at `start` in `out`. Its payload must be
 * complete. */
static void seal(struct buf *out, size_t start, size_t header_len)
{
    char *record = out->ptr + start;
    size_t payload_at = header_len + CHECKSUM_CHARS + 2;
    uint32_t checksum = crc32c(0, record, header_len);
    checksum = crc32c(checksum, record + payload_at, out->len - start - payload_at);
    put_checksum(record + header_len, checksum);
    memcpy(record + header_len + CHECKSUM_CHARS, "\r\n", 2);
}

static size_t begin(struct buf *out, const struct entry *entry, size_t payload_len)
{
    ASSERT(entry->database < ENTRY_DATABASES);
    ASSERT(payload_len <= ENTRY_BYTES_MAX - ENTRY_HEADER_MAX);
    char *at = buf_reserve(out, ENTRY_HEADER_MAX + payload_len);
    size_t header_len = put_header(at, entry, payload_len);
    out->len += header_len + CHECKSUM_CHARS + 2;
    return header_len;
}

void entry_encode(struct buf *out, const struct entry *entry)
{
    size_t start = out->len;
    size_t header_len = begin(out, entry, entry->payload.len);
    buf_add_span(out, entry->payload);
    seal(out, start, header_len);
}

uint64_t entry_checksum(const struct entry *entry)
{
    size_t behind = CHECKSUM_CHARS + 2 + entry->payload.len; /* including the end of the line */
    ASSERT(entry->record.len > behind);
    const char *at = entry->record.ptr + entry->record.len - behind;
    uint64_t number;
    _Static_assert(sizeof number == CHECKSUM_CHARS, "a digit for each byte");
    memcpy(&number, at, sizeof number);
    return le64toh(number);
}

static size_t digits(size_t value)
{
    size_t count = 1;
    for (; value >= 10; value /= 10)
        count++;
    return count;
}

static char *put_count(char *at, char type, size_t count)
{
    *at++ = type;
    at += number_format_u64(at, count);
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

bool entry_read_args(struct entry_reading *reading, struct span payload, const struct span *args,
                     size_t argc)
{
    if (payload.len > ENTRY_READ_BYTES_MAX)
        return false;
    size_t shown = argc < ENTRY_ARGS_MAX ? argc : ENTRY_ARGS_MAX;
    reading->argc = argc <= ENTRY_ARGS_MAX ? (uint8_t)argc : 0;
    for (size_t i = 0; i < shown; i++) {
        reading->args[i].at = (uint16_t)(args[i].ptr - payload.ptr);
        reading->args[i].len = (uint16_t)args[i].len;
    }
    return true;
}

bool entry_encode_command(struct buf *out, struct entry *entry, const struct span *args,
                          size_t argc)
{
    size_t payload_len = 3 + digits(argc);
    for (size_t i = 0; i < argc; i++)
        payload_len += 5 + digits(args[i].len) + args[i].len;

    size_t start = out->len;
    size_t header_len = begin(out, entry, payload_len);
    struct entry_reading *reading = &entry->reading;
    const char *payload = out->ptr + out->len;
    char *at = put_count(out->ptr + out->len, '*', argc);
    for (size_t i = 0; i < argc; i++) {
        at = put_count(at, '$', args[i].len);
        if (i < ENTRY_ARGS_MAX) {
            reading->args[i].at = (uint16_t)(at - payload);
            reading->args[i].len = (uint16_t)args[i].len;
        }
        if (args[i].len)
            memcpy(at, args[i].ptr, args[i].len);
        at += args[i].len;
        *at++ = '\r';
        *at++ = '\n';
    }
    out->len += payload_len;
    ASSERT(at == out->ptr + out->len);
    seal(out, start, header_len);
    entry->payload = span_of(payload, payload_len);
    reading->argc = argc <= ENTRY_ARGS_MAX ? (uint8_t)argc : 0;
    return payload_len <= ENTRY_READ_BYTES_MAX;
}

static void seal_line(struct buf *out, size_t start)
{
    size_t header_len = out->len - start;
    buf_reserve(out, CHECKSUM_CHARS + 2);
    out->len += CHECKSUM_CHARS + 2;
    seal(out, start, header_len);
}

void entry_encode_identity(struct buf *out, const struct identity *identity)
{
    size_t start = out->len;
    buf_printf(out, "#NODE:%d:%s:%llu:%llx:", IDENTITY_VERSION, identity->cluster_id,
               (unsigned long long)identity->node_id, (unsigned long long)identity->incarnation);
    seal_line(out, start);
}

void entry_encode_vote(struct buf *out, const struct vote_record *vote)
{
    size_t start = out->len;
    buf_printf(out, "#VOTE:%llu:%llu:", (unsigned long long)vote->term,
               (unsigned long long)vote->node);
    seal_line(out, start);
}

void entry_encode_prev(struct buf *out, const struct prev_record *prev)
{
    size_t start = out->len;
    buf_printf(out, "#PREV:%llu:%llu:", (unsigned long long)prev->index,
               (unsigned long long)prev->term);
    seal_line(out, start);
}

void entry_encode_held(struct buf *out, const struct held_record *held)
{
    size_t start = out->len;
    buf_printf(out, "#HELD:%llu:%llu:%llu:", (unsigned long long)held->seq,
               (unsigned long long)held->end, (unsigned long long)held->term);
    seal_line(out, start);
}

void entry_encode_sync(struct buf *out, const struct sync_record *sync)
{
    size_t start = out->len;
    buf_add_text(out, "#SYNC:");
    buf_add_u64(out, sync->synced);
    buf_add_char(out, ':');
    buf_add_u64(out, sync->at);
    buf_add_char(out, ':');
    seal_line(out, start);
}

size_t entry_select_len(unsigned database)
{
    return sizeof "*2\r\n$6\r\nSELECT\r\n$1\r\n5\r\n" - 1 + (database >= 10);
}

void entry_encode_select(struct buf *out, unsigned database)
{
    ASSERT(database < ENTRY_DATABASES);
    buf_printf(out, "*2\r\n$6\r\nSELECT\r\n$%d\r\n%u\r\n", database < 10 ? 1 : 2, database);
}
