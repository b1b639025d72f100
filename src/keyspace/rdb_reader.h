/* The reader of RDB files from inside: rdb_read.c takes the bytes apart, rdb_load.c does what they
 * say. Private to keyspace/. */
#ifndef FLOTILLA_KEYSPACE_RDB_READER_H
#define FLOTILLA_KEYSPACE_RDB_READER_H

#include "keyspace/rdb_code.h"

enum { LOOPS_MAX = 3, NUMBERS_MAX = 2, KEPT_MAX = 2, WORTH_KEEPING = 1 << 20 };

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
    struct keyspace *into;
    struct rdb_reader_options options;
    enum rdb_outcome outcome;
    struct buf message;

    uint64_t offset;    /* of the piece */
    const char *piece;  /* its beginning */
    const char *summed; /* so far the checksum goes */
    uint64_t crc;
    struct span in; /* what is left of it */

    enum state state;
    unsigned char gathered[16];
    unsigned gathered_len;

    enum string_part part;
    uint64_t string_left;
    uint64_t unpacked_len; /* 0: not packed */
    struct buf packed;

    unsigned opcode;
    const char *pattern;
    const char *body; /* the pattern of the value, while the key is read; or NULL */
    struct loop loops[LOOPS_MAX];
    unsigned depth;
    uint64_t numbers[NUMBERS_MAX];
    unsigned numbers_count;
    struct buf kept[KEPT_MAX];
    unsigned kept_count;

    uint64_t database;
    int64_t deadline_ms;
    struct revision revisions[RDB_REVISIONS_MAX];
    unsigned revisions_count;
    unsigned revisions_used;
};

/* Ends the reading; the offset is added to the text. Always false. */
bool rdb_reader_fail(struct rdb_reader *reader, enum rdb_outcome outcome, const char *what);

/* A record is complete: its opcode or type, kept strings and numbers are set. False after
 * rdb_reader_fail(). */
bool rdb_load_record(struct rdb_reader *reader);
/* A key of a database that is not loaded is skipped. False if that ends the reading. */
bool rdb_load_report_database(struct rdb_reader *reader);
/* Something is skipped. False if that ends the reading. */
bool rdb_load_report(struct rdb_reader *reader, struct span key, const char *type);

#endif
