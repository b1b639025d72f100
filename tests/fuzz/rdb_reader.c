/* Feeds the readers of RDB files, of a state (a file with the group's fields) and of DUMP's
 * payloads. A file is read in one go and in pieces, with the same outcome and the same keys; one
 * that passes is written again and has to come back equal. None of them takes more memory than what
 * it was given is worth.
 *
 * Input: one byte that says which of the three it is for and whether the checksum at its end is
 * made right (or hardly any would come to the end), one that says how long the pieces are (0: all
 * at once), the bytes. */
#include "base/crc.h"
#include "base/mem.h"
#include "keyspace/rdb.h"
#include "machine/state.h"
#include "unit/keyspace/rdb_bodies.h"

#include "fuzz/fuzz.h"
#include "keyspace/internal.h"

/* Packed strings may be 90 times as long as what has come of them, and are twice in memory. So are
 * the elements of lists that are packed like them; nothing else that repeats itself is a value. */
enum kind { KIND_FILE, KIND_STATE, KIND_PAYLOAD, KINDS, FLAG_AS_IT_IS = 0x80 };
enum { MEMORY_BASE = 256 << 10, MEMORY_PER_BYTE = 256 };

/* A database that the input names takes its tables, once. */
static size_t tables_of(const struct databases *databases)
{
    size_t bytes = 0;
    for (unsigned i = 1; i < DATABASES_MAX; i++)
        bytes += databases_find(databases, i) ? sizeof(struct keyspace) : 0;
    return bytes;
}

static enum rdb_outcome read_all(struct databases *into, struct span file, size_t piece)
{
    struct rdb_reader_options options = {0};
    memory_begin();
    struct rdb_reader *reader = rdb_reader_new(into, &options);
    enum rdb_outcome outcome = RDB_MORE;
    size_t len = file.len;
    while (file.len) {
        size_t count = file.len < piece ? file.len : piece;
        outcome = rdb_reader_feed(reader, span_of(file.ptr, count));
        file = span_of(file.ptr + count, file.len - count);
    }
    ASSERT((outcome >= RDB_BAD) == (rdb_reader_message(reader)[0] != 0));
    rdb_reader_free(reader);
    ASSERT(memory_end() <= MEMORY_BASE + tables_of(into) + MEMORY_PER_BYTE * len);
    return outcome;
}

static void expect_round_trip(const struct databases *databases)
{
    struct rdb_writer writer;
    struct buf file = {0};
    rdb_writer_init(&writer, databases, NULL, 0, NULL);
    while (rdb_writer_next(&writer, &file))
        continue;
    struct databases *again = databases_new(2);
    ASSERT(read_all(again, buf_span(&file), file.len) == RDB_DONE);
    ASSERT(databases_digest(databases) == databases_digest(again));
    databases_free(again);
    buf_close(&file);
}

static void feed_file(struct span file, size_t piece)
{
    struct databases *whole = databases_new(1);
    struct databases *pieces = databases_new(1);
    enum rdb_outcome outcome = read_all(whole, file, file.len);
    ASSERT(read_all(pieces, file, piece) == outcome);
    ASSERT(databases_digest(whole) == databases_digest(pieces));
    if (outcome == RDB_DONE)
        expect_round_trip(whole);
    databases_free(whole);
    databases_free(pieces);
}

/* ---- a state ---- */

static void expect_same_state(struct machine_reader *reader)
{
    struct machine_writer writer;
    struct buf file = {0};
    char message[512] = "";
    const struct machine_position *position = &reader->position;
    machine_writer_init(&writer, reader->databases, &reader->sessions, position);
    while (machine_writer_next(&writer, &file))
        continue;
    struct machine_reader *again = machine_reader_new(3, NULL);
    ASSERT(machine_reader_feed(again, buf_span(&file), message) == ERR_NONE);
    ASSERT(machine_reader_finish(again, position->index, position->term, message) == ERR_NONE);
    ASSERT(again->position.clock_ms == position->clock_ms);
    ASSERT(raft_membership_equal(&again->position.membership, &position->membership));
    ASSERT(databases_digest(again->databases) == databases_digest(reader->databases));
    machine_reader_free(again);
    machine_writer_close(&writer);
    buf_close(&file);
}

static void feed_state(struct span file, size_t piece)
{
    char message[512] = "";
    struct machine_reader *reader = machine_reader_new(1, NULL);
    memory_begin();
    enum err err = ERR_NONE;
    for (size_t at = 0; !err && at < file.len; at += piece) {
        size_t count = file.len - at < piece ? file.len - at : piece;
        err = machine_reader_feed(reader, span_of(file.ptr + at, count), message);
    }
    ASSERT(memory_end() <= MEMORY_BASE + tables_of(reader->databases) + MEMORY_PER_BYTE * file.len);
    if (!err)
        err = machine_reader_finish(reader, reader->position.index, reader->position.term, message);
    ASSERT(err == ERR_NONE || err == ERR_CORRUPT);
    ASSERT((err == ERR_NONE) == (message[0] == '\0'));
    ASSERT(strchr(message, '\n') == NULL);
    if (err == ERR_NONE)
        expect_same_state(reader);
    machine_reader_free(reader);
}

/* ---- a payload ---- */

static bool restore(struct keyspace *keyspace, struct span key, struct span payload)
{
    struct rdb_value value;
    bool fine = rdb_read_payload(payload, keyspace_rules(keyspace), &value) == RDB_PAYLOAD_FINE;
    if (fine)
        rdb_store_value(keyspace, key, &value, 1, 1);
    rdb_value_close(&value);
    return fine;
}

/* What came of a payload is dumped, and what comes of that is dumped alike, whatever the rules. */
static void expect_same_payload(const struct item *item, struct span key)
{
    const struct value_rules nothing_packed = {.seed = 5, .list_packed_size = 1};
    struct buf first = {0};
    struct buf second = {0};
    rdb_dump_value(item, &first);
    struct keyspace *other = keyspace_new(2);
    keyspace_set_rules(other, &nothing_packed);
    ASSERT(restore(other, key, buf_span(&first)));
    rdb_dump_value(keyspace_find(other, key, NO_DEADLINE), &second);
    ASSERT(span_equal(buf_span(&first), buf_span(&second)));
    keyspace_free(other);
    buf_close(&first);
    buf_close(&second);
}

static void feed_payload(struct span payload)
{
    struct keyspace *keyspace = keyspace_new(1);
    const struct span key = SPAN("restored");
    memory_begin();
    bool fine = restore(keyspace, key, payload);
    ASSERT(memory_end() <= MEMORY_BASE + MEMORY_PER_BYTE * payload.len);
    ASSERT(keyspace_sum(keyspace) == keyspace_sum_by_walk(keyspace));
    struct item *item = keyspace_find(keyspace, key, NO_DEADLINE);
    ASSERT((item != NULL) == fine);
    if (item)
        expect_same_payload(item, key);
    keyspace_free(keyspace);
}

/* The last eight bytes. */
static void put_checksum(struct buf *file)
{
    uint64_t checksum = crc64(0, file->ptr, file->len - 8);
    for (size_t i = 0; i < 8; i++)
        file->ptr[file->len - 8 + i] = (char)(checksum >> (8 * i));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 12)
        return 0;
    struct buf file = {0};
    buf_add(&file, bytes + 2, len - 2);
    size_t piece = bytes[1] ? bytes[1] : file.len;
    if (!(bytes[0] & FLAG_AS_IT_IS))
        put_checksum(&file);
    switch ((enum kind)((bytes[0] & ~FLAG_AS_IT_IS) % KINDS)) {
    case KIND_FILE:
        feed_file(buf_span(&file), piece);
        break;
    case KIND_STATE:
        feed_state(buf_span(&file), piece);
        break;
    case KIND_PAYLOAD:
        feed_payload(buf_span(&file));
        break;
    case KINDS:
    case FLAG_AS_IT_IS:
        break;
    }
    buf_close(&file);
    return 0;
}

/* ---- files to begin with ---- */

static void put(enum kind kind, struct buf *file)
{
    struct buf input = {0};
    buf_add_char(&input, (char)kind);
    buf_add_char(&input, 7);
    buf_add_span(&input, buf_span(file));
    seed_put(buf_span(&input));
    buf_close(&input);
    file->len = 0;
}

static void some_keys(struct keyspace *keyspace)
{
    static const char *const values[] = {"", "7", "-300", "70000", "text", "0123456789"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char key[8];
        snprintf(key, sizeof key, "key%zu", i);
        struct item *item =
            keyspace_set_string(keyspace, span_text(key), span_text(values[i]), false, i + 1);
        if (i % 2)
            keyspace_set_deadline(keyspace, item, 1000 * (int64_t)i, i + 10);
    }
    keyspace_remove(keyspace, SPAN("key0"), 20);
}

static void seeds(void)
{
    struct buf file = {0};
    struct databases *databases = databases_new(1);
    struct keyspace *keyspace = databases_at(databases, 0);
    some_keys(keyspace);
    some_keys(databases_at(databases, 7));
    databases_swap(databases, 3, 12, 30);
    struct machine_position position = {.index = 9, .term = 2, .clock_ms = 1234};
    raft_membership_set(&position.membership, 1, RAFT_VOTER);
    raft_membership_set(&position.membership, 2, RAFT_VOTER | RAFT_VOTER_INCOMING);
    struct machine_writer state;
    machine_writer_init(&state, databases, NULL, &position);
    while (machine_writer_next(&state, &file))
        continue;
    put(KIND_STATE, &file);
    machine_writer_close(&state);
    const struct rdb_writer_options plain = {.redis_version = SPAN("7.2.0"), .plain = true};
    struct rdb_writer writer;
    rdb_writer_init(&writer, databases, NULL, 0, &plain);
    while (rdb_writer_next(&writer, &file))
        continue;
    put(KIND_FILE, &file);
    for (size_t i = 0; i < RDB_BODIES; i++) {
        struct buf body = rdb_body_bytes(&rdb_bodies[i]);
        buf_add_span(&body, SPAN("\x0b\0........"));
        put(KIND_PAYLOAD, &body);
        buf_close(&body);
    }
    for (unsigned i = 1; i < 6; i++) {
        char key[8];
        snprintf(key, sizeof key, "key%u", i);
        rdb_dump_value(keyspace_find(keyspace, span_text(key), NO_DEADLINE), &file);
        put(KIND_PAYLOAD, &file);
    }
    /* A packed string (40 bytes in 6), and one of each kind that is skipped. */
    buf_add(&file, "\x00\xc3\x06\x28\x00\x61\xe0\x1d\x00\x00\x0a\x00........", 20);
    put(KIND_PAYLOAD, &file);
    static const char kinds[] =
        "REDIS0011\xfa\x03key\x05value\xf5\x03lib\xf4\x01\x01\x00\xfe\x00\xfb\x02\x01"
        "\xfd\x01\x02\x03\x04\xf8\x05\x01\x01l\x02\x01"
        "a\x01"
        "b\xf9\x01\x02\x01s\x01\x01m\x03\x01z\x01\x01m\x03"
        "1.5\x04\x01h\x01\x01"
        "f\x01v\x05\x01y\x01\x01m\x00\x00\x00\x00\x00\x00\xf8\x3f"
        "\x0b\x01i\x0a\x02\x00\x00\x00\x01\x00\x00\x00\x01\x00"
        "\x12\x01q\x01\x02\x07\x07\x00\x00\x00\x00\x00\x00\xff\xff........";
    buf_add(&file, kinds, sizeof kinds - 1);
    put(KIND_FILE, &file);
    databases_free(databases);
    buf_close(&file);
}
