/* The inside of the RDB reader: rdb_pattern.c parses the bytes, rdb_read.c makes records of them,
 * rdb_load.c acts on the records. Private to keyspace/. */
#ifndef FLOTILLA_KEYSPACE_RDB_READER_H
#define FLOTILLA_KEYSPACE_RDB_READER_H

#include "keyspace/rdb_build.h"
#include "keyspace/rdb_code.h"

/* The key is kept too. */
enum { LOOPS_MAX = 3, KEPT_MAX = 1 + RDB_PARTS_STRINGS, WORTH_KEEPING = 1 << 20 };

enum state { AT_MAGIC, AT_OPCODE, IN_RECORD, AT_CHECKSUM };

enum string_part { PART_LENGTH, PART_INTEGER, PART_PACKED, PART_UNPACKED, PART_BYTES };

struct loop {
    const char *body;
    uint64_t left;
};

struct revision {
    uint64_t number;
    char mark;
};

struct rdb_reader {
    struct databases *databases;
    struct keyspace *into; /* the selected one of them */
    struct rdb_reader_options options;
    enum rdb_outcome outcome;
    struct buf message;

    uint64_t offset;    /* of the piece in the file */
    const char *piece;  /* the piece's first byte */
    const char *summed; /* the checksum covers the bytes before this */
    uint64_t crc;
    struct span in; /* the rest of the piece */

    enum state state;
    unsigned char gathered[16];
    unsigned gathered_len;

    enum string_part part;
    uint64_t string_left;
    uint64_t unpacked_len; /* 0: not compressed */
    struct buf packed;

    unsigned opcode;
    const char *pattern;
    const char *body; /* pattern of the value to read after the key; or NULL */
    struct loop loops[LOOPS_MAX];
    unsigned depth;
    struct rdb_parts parts; /* read since the last event; the strings are in `kept` */
    unsigned numbers_count;
    struct buf score;
    struct rdb_build build; /* the value that is read; none: it is skipped */
    struct buf kept[KEPT_MAX];
    unsigned kept_count;

    uint64_t database;
    int64_t deadline_ms;
    struct revision revisions[RDB_REVISIONS_MAX];
    unsigned revisions_count;
    unsigned revisions_used;
    struct item *noted; /* the last item, if a note may follow; else NULL */
};

/* Ends the reading with an error; adds the offset to the text. Always returns false. */
bool rdb_reader_fail(struct rdb_reader *reader, enum rdb_outcome outcome, const char *what);

/* These return true when they have read the whole item. They return false if more bytes are needed,
 * or after rdb_reader_fail(). */
bool rdb_reader_gather(struct rdb_reader *reader, unsigned count); /* into `gathered` */
bool rdb_reader_bytes(struct rdb_reader *reader, unsigned count, uint64_t *value);
bool rdb_reader_symbol(struct rdb_reader *reader); /* one of the pattern */

void rdb_reader_begin_pattern(struct rdb_reader *reader, const char *pattern);

/* Handles a complete record: its opcode or type, stored strings and numbers are set. Returns false
 * after rdb_reader_fail(). */
bool rdb_load_record(struct rdb_reader *reader);
/* Reports a key in a database that is not loaded. False if that ends the reading. */
bool rdb_load_report_database(struct rdb_reader *reader);
/* Reports a skipped record. False if that ends the reading. */
bool rdb_load_report(struct rdb_reader *reader, struct span key, const char *type);

/* Reads a value alone: what follows the key. `build` has begun; close it in any case. False: the
 * bytes are no such value. Bytes after it are ignored, as in Redis. */
bool rdb_read_value(struct span body, unsigned rdb_type, struct rdb_build *build);

#endif
