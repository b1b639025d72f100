/* A pattern describes what follows an opcode or a type. A small state machine walks through the
 * pattern as bytes arrive and keeps its position between pieces.
 *
 *     k  string, stored         1 4 8    a number of that many bytes
 *     s  string, skipped        X        the 16 bytes of an ID
 *     l  length                 d        score of a sorted set, as text
 *     m  fields of a module, up to their end
 *     n( … )  a length, then the part in parentheses that many times
 *     other capital letters: an event of the value (rdb_build.h) */
#include <math.h>

#include "base/assert.h"
#include "base/crc.h"
#include "base/mem.h"
#include "base/number.h"
#include "keyspace/rdb_reader.h"

bool rdb_reader_fail(struct rdb_reader *reader, enum rdb_outcome outcome, const char *what)
{
    reader->outcome = outcome;
    reader->message.len = 0;
    uint64_t offset = reader->offset + (uint64_t)(reader->in.ptr - reader->piece);
    buf_add_text(&reader->message, what);
    buf_add_text(&reader->message, " at byte ");
    buf_add_u64(&reader->message, offset);
    buf_add_char(&reader->message, '\0');
    return false;
}

static bool bad(struct rdb_reader *reader, const char *what)
{
    return rdb_reader_fail(reader, RDB_BAD, what);
}

/* Reading functions return true when they have read the whole item. They return false if more bytes
 * are needed, or after fail(). */

static bool gather(struct rdb_reader *reader, unsigned count)
{
    size_t missing = count - reader->gathered_len;
    size_t take = missing < reader->in.len ? missing : reader->in.len;
    if (take)
        memcpy(reader->gathered + reader->gathered_len, reader->in.ptr, take);
    reader->gathered_len += (unsigned)take;
    reader->in.ptr += take;
    reader->in.len -= take;
    return take == missing;
}

static bool read_bytes(struct rdb_reader *reader, unsigned count, uint64_t *value)
{
    if (!gather(reader, count))
        return false;
    reader->gathered_len = 0;
    *value = rdb_little_endian(reader->gathered, count < 8 ? count : 8);
    return true;
}

static bool read_any_length(struct rdb_reader *reader, struct rdb_length *length)
{
    if (reader->gathered_len == 0 && !gather(reader, 1))
        return false;
    unsigned count = rdb_length_bytes(reader->gathered[0]);
    if (count == 0)
        return bad(reader, "a length that is none");
    if (!gather(reader, count))
        return false;
    reader->gathered_len = 0;
    *length = rdb_length_of(reader->gathered);
    return true;
}

static bool read_length(struct rdb_reader *reader, uint64_t *value)
{
    struct rdb_length length = {0};
    if (!read_any_length(reader, &length))
        return false;
    if (length.encoded)
        return bad(reader, "an encoded string in place of a length");
    *value = length.value;
    return true;
}

static bool begin_bytes(struct rdb_reader *reader, uint64_t stored, uint64_t unpacked, bool keep)
{
    if (keep && (stored > reader->options.string_max || unpacked > reader->options.string_max))
        return bad(reader, "a string that is longer than allowed");
    reader->string_left = stored;
    reader->unpacked_len = unpacked;
    reader->packed.len = 0;
    reader->part = PART_BYTES;
    return true;
}

static bool read_string_head(struct rdb_reader *reader, bool keep)
{
    struct rdb_length length = {0};
    if (!read_any_length(reader, &length))
        return false;
    if (!length.encoded)
        return begin_bytes(reader, length.value, 0, keep);
    reader->string_left = length.value;
    if (length.value > RDB_ENCODING_LZF)
        return bad(reader, "a string in an encoding that does not exist");
    reader->part = length.value == RDB_ENCODING_LZF ? PART_PACKED : PART_INTEGER;
    return true;
}

static bool read_unpacked_len(struct rdb_reader *reader, bool keep)
{
    uint64_t unpacked = 0;
    if (!read_length(reader, &unpacked))
        return false;
    if (!rdb_packed_plausible(reader->string_left, unpacked))
        return bad(reader, "a compressed string of an impossible length");
    return begin_bytes(reader, reader->string_left, unpacked, keep);
}

static bool read_integer(struct rdb_reader *reader, struct buf *keep)
{
    unsigned count = rdb_integer_bytes(reader->string_left);
    if (!gather(reader, count))
        return false;
    reader->gathered_len = 0;
    if (keep)
        buf_add_i64(keep, rdb_integer_of(reader->gathered, count));
    return true;
}

static bool read_string_bytes(struct rdb_reader *reader, struct buf *keep)
{
    size_t take = reader->in.len;
    if (take > reader->string_left)
        take = (size_t)reader->string_left;
    if (keep)
        buf_add(reader->unpacked_len ? &reader->packed : keep, reader->in.ptr, take);
    reader->in.ptr += take;
    reader->in.len -= take;
    reader->string_left -= take;
    if (reader->string_left)
        return false;
    if (keep && reader->unpacked_len &&
        !rdb_unpack(buf_span(&reader->packed), (size_t)reader->unpacked_len, keep))
        return bad(reader, "a damaged compressed string");
    return true;
}

/* keep NULL: the string is skipped. */
static bool read_string(struct rdb_reader *reader, struct buf *keep)
{
    for (;;) {
        bool done = false;
        bool complete = false;
        switch (reader->part) {
        case PART_LENGTH:
            complete = read_string_head(reader, keep != NULL);
            break;
        case PART_INTEGER:
            complete = done = read_integer(reader, keep);
            break;
        case PART_PACKED:
            complete = read_length(reader, &reader->string_left);
            if (complete)
                reader->part = PART_UNPACKED;
            break;
        case PART_UNPACKED:
            complete = read_unpacked_len(reader, keep != NULL);
            break;
        case PART_BYTES:
            complete = done = read_string_bytes(reader, keep);
            break;
        }
        if (done)
            reader->part = PART_LENGTH;
        if (done || !complete)
            return done;
    }
}

/* A length byte, then that many characters. Three values of the length byte stand for numbers and
 * have no characters. */
static bool read_score(struct rdb_reader *reader)
{
    enum { NOT_A_NUMBER = 253, INFINITE = 254, MINUS_INFINITE = 255 };
    if (reader->string_left == 0) {
        uint64_t count = 0;
        if (!read_bytes(reader, 1, &count))
            return false;
        reader->score.len = 0;
        if (count == NOT_A_NUMBER)
            return bad(reader, "a score that is no number");
        if (count == 0 || count >= INFINITE) {
            reader->parts.score = count == MINUS_INFINITE ? -INFINITY : INFINITY;
            return count != 0 || bad(reader, "a score without digits");
        }
        reader->string_left = count;
        reader->unpacked_len = 0;
    }
    if (!read_string_bytes(reader, &reader->score))
        return false;
    return number_parse_double(buf_span(&reader->score), &reader->parts.score) ||
           bad(reader, "a score that is no number");
}

static const char *after_loop(const char *at)
{
    unsigned depth = 0;
    do {
        depth += *at == '(';
        depth -= *at == ')';
        at++;
    } while (depth);
    return at;
}

static bool begin_loop(struct rdb_reader *reader)
{
    uint64_t count = 0;
    if (!read_length(reader, &count))
        return false;
    if (reader->depth == 0)
        reader->parts.total = count;
    if (count == 0) {
        reader->pattern = after_loop(reader->pattern + 1);
        return true;
    }
    ASSERT(reader->depth < LOOPS_MAX);
    reader->pattern += 2;
    reader->loops[reader->depth++] = (struct loop){reader->pattern, count};
    return true;
}

static void end_loop(struct rdb_reader *reader)
{
    struct loop *loop = &reader->loops[reader->depth - 1];
    if (--loop->left) {
        reader->pattern = loop->body;
        return;
    }
    reader->depth--;
    reader->pattern++;
}

/* A module's data: the kind of a field, then the field. One field at a time: a field's pattern is
 * separate and leads back here. */
static bool read_module_field(struct rdb_reader *reader)
{
    static const char *const fields[] = {"", "lm", "lm", "4m", "8m", "sm"};
    uint64_t kind = 0;
    if (!read_length(reader, &kind))
        return false;
    if (kind >= sizeof(fields) / sizeof(*fields))
        return bad(reader, "a field of a module of a kind that does not exist");
    reader->pattern = fields[kind];
    return true;
}

static void note_number(struct rdb_reader *reader, uint64_t number)
{
    if (reader->numbers_count < RDB_PARTS_NUMBERS) /* a module's data has any number of them */
        reader->parts.numbers[reader->numbers_count++] = number;
}

/* Never NULL: users compute with the pointer. */
static struct span kept_part(const struct rdb_reader *reader, unsigned number)
{
    const struct buf *buf = &reader->kept[number];
    return buf->len ? buf_span(buf) : SPAN("");
}

/* The parts since the last event make something of the value. */
static bool take_event(struct rdb_reader *reader, char event)
{
    for (unsigned i = 0; i < RDB_PARTS_STRINGS; i++)
        reader->parts.strings[i] = kept_part(reader, i + 1);
    if (reader->build.value && !rdb_build_event(&reader->build, event, &reader->parts))
        return bad(reader, reader->build.error);
    for (unsigned i = 1; i < reader->kept_count; i++)
        reader->kept[i].len = 0;
    reader->kept_count = 1;
    reader->numbers_count = 0;
    return true;
}

static bool read_id(struct rdb_reader *reader)
{
    uint64_t ignored;
    if (!read_bytes(reader, sizeof(reader->parts.id), &ignored))
        return false;
    memcpy(reader->parts.id, reader->gathered, sizeof(reader->parts.id));
    return true;
}

static bool read_number(struct rdb_reader *reader, char symbol)
{
    uint64_t number = 0;
    bool complete = symbol == 'l' ? read_length(reader, &number)
                                  : read_bytes(reader, (unsigned)(symbol - '0'), &number);
    if (complete)
        note_number(reader, number);
    return complete;
}

static bool read_kept(struct rdb_reader *reader)
{
    ASSERT(reader->kept_count < KEPT_MAX);
    bool complete = read_string(reader, &reader->kept[reader->kept_count]);
    reader->kept_count += complete;
    return complete;
}

/* Reads one symbol of the pattern. */
static bool read_symbol(struct rdb_reader *reader)
{
    char symbol = *reader->pattern;
    bool complete;
    switch (symbol) {
    case 'n':
        return begin_loop(reader);
    case 'm':
        return read_module_field(reader);
    case ')':
        end_loop(reader);
        return true;
    case 'k':
        complete = read_kept(reader);
        break;
    case 's':
        complete = read_string(reader, NULL);
        break;
    case 'd':
        complete = read_score(reader);
        break;
    case 'X':
        complete = read_id(reader);
        break;
    case 'l':
    case '1':
    case '4':
    case '8':
        complete = read_number(reader, symbol);
        break;
    default:
        complete = take_event(reader, symbol);
        break;
    }
    reader->pattern += complete;
    return complete;
}

static void begin_pattern(struct rdb_reader *reader, const char *pattern)
{
    reader->pattern = pattern;
    reader->depth = 0;
    reader->numbers_count = 0;
}

enum { OPCODES_FROM = RDB_OPCODE_FIRST };

static const char *const opcodes[] = {
    [RDB_OPCODE_SLOT_INFO - OPCODES_FROM] = "lll", /* counts of a slot */
    [RDB_OPCODE_FUNCTION - OPCODES_FROM] = "s",    /* a library of functions */
    [RDB_OPCODE_FUNCTION_EARLY - OPCODES_FROM] =
        "ssn(s)s", /* a function as release candidates of 7.0 wrote it */
    [RDB_OPCODE_MODULE_AUX - OPCODES_FROM] = "lllm", /* a module's own data */
    [RDB_OPCODE_IDLE - OPCODES_FROM] = "l",          /* idle time */
    [RDB_OPCODE_FREQ - OPCODES_FROM] = "1",          /* frequency of use */
    [RDB_OPCODE_AUX - OPCODES_FROM] = "kk",
    [RDB_OPCODE_RESIZEDB - OPCODES_FROM] = "ll",
    [RDB_OPCODE_EXPIRETIME_MS - OPCODES_FROM] = "8",
    [RDB_OPCODE_EXPIRETIME - OPCODES_FROM] = "4",
    [RDB_OPCODE_SELECTDB - OPCODES_FROM] = "l",
};

static bool begin_record(struct rdb_reader *reader)
{
    uint64_t opcode = 0;
    if (!read_bytes(reader, 1, &opcode))
        return false;
    reader->opcode = (unsigned)opcode;
    reader->body = NULL;
    reader->kept_count = 0;
    for (int i = 0; i < KEPT_MAX; i++) {
        if (reader->kept[i].cap > WORTH_KEEPING)
            buf_close(&reader->kept[i]);
        reader->kept[i].len = 0;
    }
    if (opcode == RDB_OPCODE_EOF) {
        reader->crc = crc64(reader->crc, reader->summed, (size_t)(reader->in.ptr - reader->summed));
        reader->state = AT_CHECKSUM;
        return true;
    }
    reader->state = IN_RECORD;
    if (opcode >= OPCODES_FROM) {
        begin_pattern(reader, opcodes[opcode - OPCODES_FROM]);
        return true;
    }
    if (!rdb_build_pattern(reader->opcode))
        return bad(reader, "a type or opcode that does not exist");
    begin_pattern(reader, "k");
    reader->body = rdb_build_pattern(reader->opcode);
    return true;
}

static bool begin_body(struct rdb_reader *reader)
{
    begin_pattern(reader, reader->body);
    reader->body = NULL;
    if (reader->database != 0)
        return rdb_load_report_database(reader);
    if (rdb_build_can(reader->opcode))
        rdb_build_begin(&reader->build, reader->opcode, keyspace_rules(reader->into));
    else if (reader->opcode != RDB_TYPE_STRING)
        return rdb_load_report(reader, buf_span(&reader->kept[0]), rdb_build_name(reader->opcode));
    return true;
}

static bool end_record(struct rdb_reader *reader)
{
    reader->state = AT_OPCODE;
    return rdb_load_record(reader);
}

static bool read_record(struct rdb_reader *reader)
{
    while (*reader->pattern) {
        if (!read_symbol(reader))
            return false;
    }
    return reader->body ? begin_body(reader) : end_record(reader);
}

static bool read_magic(struct rdb_reader *reader)
{
    if (!gather(reader, 9))
        return false;
    reader->gathered_len = 0;
    unsigned version = 0;
    for (int i = 5; i < 9; i++) {
        if (reader->gathered[i] < '0' || reader->gathered[i] > '9')
            return bad(reader, "no RDB file: no version");
        version = version * 10 + (unsigned)(reader->gathered[i] - '0');
    }
    if (memcmp(reader->gathered, "REDIS", 5) != 0)
        return bad(reader, "no RDB file: it does not begin with REDIS");
    if (version < RDB_VERSION_MIN || version > RDB_VERSION_MAX)
        return rdb_reader_fail(reader, RDB_UNSUPPORTED, "an RDB version other than 5 to 11");
    reader->state = AT_OPCODE;
    return true;
}

static bool read_checksum(struct rdb_reader *reader)
{
    uint64_t crc = 0;
    if (!read_bytes(reader, 8, &crc))
        return false;
    if (crc == 0 && reader->options.checksum_required)
        return bad(reader, "no checksum");
    if (crc != 0 && crc != reader->crc)
        return bad(reader, "a wrong checksum");
    if (reader->revisions_used < reader->revisions_count)
        return bad(reader, "more revisions than keys");
    reader->outcome = RDB_DONE;
    return false;
}

static bool read_next(struct rdb_reader *reader)
{
    switch (reader->state) {
    case AT_MAGIC:
        return read_magic(reader);
    case AT_OPCODE:
        return begin_record(reader);
    case IN_RECORD:
        return read_record(reader);
    case AT_CHECKSUM:
        return read_checksum(reader);
    }
    return false;
}

struct rdb_reader *rdb_reader_new(struct keyspace *into, const struct rdb_reader_options *options)
{
    struct rdb_reader *reader = mem_zalloc(sizeof(*reader));
    reader->into = into;
    reader->deadline_ms = NO_DEADLINE;
    if (options)
        reader->options = *options;
    if (reader->options.string_max == 0)
        reader->options.string_max = RDB_STRING_MAX;
    ASSERT(reader->options.string_max < UINT32_MAX);
    return reader;
}

void rdb_reader_free(struct rdb_reader *reader)
{
    if (!reader)
        return;
    for (int i = 0; i < KEPT_MAX; i++)
        buf_close(&reader->kept[i]);
    buf_close(&reader->packed);
    buf_close(&reader->score);
    rdb_build_close(&reader->build);
    buf_close(&reader->message);
    mem_free(reader);
}

enum rdb_outcome rdb_reader_feed(struct rdb_reader *reader, struct span piece)
{
    if (piece.len == 0 || reader->outcome == RDB_BAD || reader->outcome == RDB_UNSUPPORTED)
        return reader->outcome;
    reader->piece = reader->summed = piece.ptr;
    reader->in = piece;
    while (reader->outcome == RDB_MORE && read_next(reader))
        continue;
    if (reader->outcome == RDB_DONE && reader->in.len && !reader->options.rest_allowed)
        bad(reader, "more bytes after the end,");
    if (reader->outcome == RDB_MORE && reader->state != AT_CHECKSUM)
        reader->crc = crc64(reader->crc, piece.ptr, piece.len);
    reader->offset += piece.len;
    return reader->outcome;
}

bool rdb_read_value(struct span body, unsigned rdb_type, struct rdb_build *build)
{
    struct rdb_reader reader = {.options = {.string_max = RDB_STRING_MAX},
                                .piece = body.ptr,
                                .in = body,
                                .kept_count = 1,
                                .build = *build};
    begin_pattern(&reader, rdb_build_pattern(rdb_type));
    bool complete = true;
    while (*reader.pattern && complete)
        complete = read_symbol(&reader);
    complete = complete && rdb_build_finish(&reader.build);
    *build = reader.build;
    for (int i = 0; i < KEPT_MAX; i++)
        buf_close(&reader.kept[i]);
    buf_close(&reader.packed);
    buf_close(&reader.score);
    buf_close(&reader.message);
    return complete;
}

size_t rdb_reader_rest(const struct rdb_reader *reader)
{
    ASSERT(reader->outcome == RDB_DONE && reader->options.rest_allowed);
    return reader->in.len;
}

const char *rdb_reader_message(const struct rdb_reader *reader)
{
    return reader->message.len ? reader->message.ptr : "";
}
