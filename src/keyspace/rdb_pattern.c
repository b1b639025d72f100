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
#include "base/number.h"
#include "keyspace/rdb_lzf.h"
#include "keyspace/rdb_reader.h"

static bool bad(struct rdb_reader *reader, const char *what)
{
    return rdb_reader_fail(reader, RDB_BAD, what);
}

bool rdb_reader_gather(struct rdb_reader *reader, unsigned count)
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

bool rdb_reader_bytes(struct rdb_reader *reader, unsigned count, uint64_t *value)
{
    if (!rdb_reader_gather(reader, count))
        return false;
    reader->gathered_len = 0;
    *value = rdb_little_endian(reader->gathered, count < 8 ? count : 8);
    return true;
}

static bool read_any_length(struct rdb_reader *reader, struct rdb_length *length)
{
    if (reader->gathered_len == 0 && !rdb_reader_gather(reader, 1))
        return false;
    unsigned count = rdb_length_bytes(reader->gathered[0]);
    if (count == 0)
        return bad(reader, "a length that is none");
    if (!rdb_reader_gather(reader, count))
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
    if (!rdb_reader_gather(reader, count))
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
        if (!rdb_reader_bytes(reader, 1, &count))
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
    if (!rdb_reader_bytes(reader, sizeof(reader->parts.id), &ignored))
        return false;
    memcpy(reader->parts.id, reader->gathered, sizeof(reader->parts.id));
    return true;
}

static bool read_number(struct rdb_reader *reader, char symbol)
{
    uint64_t number = 0;
    bool complete = symbol == 'l' ? read_length(reader, &number)
                                  : rdb_reader_bytes(reader, (unsigned)(symbol - '0'), &number);
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

bool rdb_reader_symbol(struct rdb_reader *reader)
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

void rdb_reader_begin_pattern(struct rdb_reader *reader, const char *pattern)
{
    reader->pattern = pattern;
    reader->depth = 0;
    reader->numbers_count = 0;
}
