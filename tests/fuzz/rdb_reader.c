/* Feeds the reader of RDB files, in pieces, and the reader of payloads. Files that pass are written
 * again and have to come back equal.
 *
 *     clang -std=c11 -D_GNU_SOURCE -DXXH_INLINE_ALL -g -O1 -fsanitize=fuzzer,address,undefined \
 *         -Isrc tests/fuzz/rdb_reader.c src/keyspace/[a-z]*.c src/base/[a-z]*.c -lm -o rdb_reader
 *     ./rdb_reader -max_len=4096 -max_total_time=60 CORPUS
 *
 * The first byte of the input says how long the pieces are. A checksum that is wrong is made 0, or
 * hardly any input would come to the end. */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "keyspace/rdb.h"

_Noreturn void host_fatal(const char *file, int line, const char *message)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, message);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static enum rdb_outcome read_all(struct keyspace *into, struct span file, size_t piece)
{
    struct rdb_reader_options options = {.string_max = 1 << 20};
    struct rdb_reader *reader = rdb_reader_new(into, &options);
    enum rdb_outcome outcome = RDB_MORE;
    while (file.len) {
        size_t count = file.len < piece ? file.len : piece;
        outcome = rdb_reader_feed(reader, span_of(file.ptr, count));
        file = span_of(file.ptr + count, file.len - count);
    }
    ASSERT((outcome >= RDB_BAD) == (rdb_reader_message(reader)[0] != 0));
    rdb_reader_free(reader);
    return outcome;
}

static void expect_round_trip(const struct keyspace *keyspace)
{
    struct rdb_writer writer;
    struct buf file = {0};
    rdb_writer_init(&writer, keyspace, NULL, 0, NULL);
    while (rdb_writer_next(&writer, &file))
        continue;
    struct keyspace *again = keyspace_new(2);
    ASSERT(read_all(again, buf_span(&file), file.len) == RDB_DONE);
    ASSERT(keyspace_digest(keyspace) == keyspace_digest(again));
    keyspace_free(again);
    buf_close(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 10)
        return 0;
    size_t piece = bytes[0] ? bytes[0] : len;
    struct buf file = {0};
    buf_add(&file, bytes + 1, len - 1);
    if (file.ptr[file.len - 9] == (char)0xff)
        memset(file.ptr + file.len - 8, 0, 8);
    struct keyspace *whole = keyspace_new(1);
    struct keyspace *pieces = keyspace_new(1);
    enum rdb_outcome outcome = read_all(whole, buf_span(&file), file.len);
    ASSERT(read_all(pieces, buf_span(&file), piece) == outcome);
    ASSERT(keyspace_digest(whole) == keyspace_digest(pieces));
    if (outcome == RDB_DONE)
        expect_round_trip(whole);
    rdb_restore_value(whole, SPAN("restored"), span_of((const char *)bytes, len), 1, 1);
    keyspace_free(whole);
    keyspace_free(pieces);
    buf_close(&file);
    return 0;
}
