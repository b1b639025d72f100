/* The file: its records, one after another, and what comes before and behind them. */
#include "base/assert.h"
#include "base/crc.h"
#include "base/mem.h"
#include "keyspace/listpack.h"
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
    if (!rdb_reader_bytes(reader, 1, &opcode))
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
        rdb_reader_begin_pattern(reader, opcodes[opcode - OPCODES_FROM]);
        return true;
    }
    if (!rdb_build_pattern(reader->opcode))
        return bad(reader, "a type or opcode that does not exist");
    rdb_reader_begin_pattern(reader, "k");
    reader->body = rdb_build_pattern(reader->opcode);
    return true;
}

static bool begin_body(struct rdb_reader *reader)
{
    rdb_reader_begin_pattern(reader, reader->body);
    reader->body = NULL;
    if (reader->database >= reader->options.databases)
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
        if (!rdb_reader_symbol(reader))
            return false;
    }
    return reader->body ? begin_body(reader) : end_record(reader);
}

static bool read_magic(struct rdb_reader *reader)
{
    if (!rdb_reader_gather(reader, 9))
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
    if (!rdb_reader_bytes(reader, 8, &crc))
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

enum { STRING_MAX = LISTPACK_BYTES_MAX - 64 }; /* what is longer fits no pack */

struct rdb_reader *rdb_reader_new(struct databases *into, const struct rdb_reader_options *options)
{
    struct rdb_reader *reader = mem_zalloc(sizeof(*reader));
    reader->databases = into;
    reader->into = databases_at(into, 0);
    reader->deadline_ms = NO_DEADLINE;
    if (options)
        reader->options = *options;
    if (reader->options.databases == 0)
        reader->options.databases = DATABASES_MAX;
    ASSERT(reader->options.databases <= DATABASES_MAX);
    if (reader->options.string_max == 0)
        reader->options.string_max = RDB_STRING_MAX;
    if (reader->options.string_max > STRING_MAX)
        reader->options.string_max = STRING_MAX;
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
    rdb_reader_begin_pattern(&reader, rdb_build_pattern(rdb_type));
    bool complete = true;
    while (*reader.pattern && complete)
        complete = rdb_reader_symbol(&reader);
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
