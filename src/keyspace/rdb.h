/* A keyspace to and from Redis' RDB format. Bytes in, bytes out: files and pipes are the caller's.
 *
 * What is written is exact: keys stand in iteration order, so that loading them restores it, and
 * AUX fields between the keys, which every Redis skips, hold what the format has no place for:
 *
 *     raft-removals   "<slot>:<revision> …"    the last removal in a slot
 *     raft-revisions  "<number>[r|t] …"        of the next keys, one each, at most 64
 *
 * The first revision of a field stands as it is, each other as the difference to the one before (a
 * 64-bit number with a sign). r: a string that was edited in place, which Redis calls raw; t: text
 * that reads like an integer but is not kept as one. Equal keyspaces and equal AUX fields give
 * equal bytes.
 *
 * Written are only encodings that Redis 5.0 knows (RDB version 9), without compression. Read is
 * all that Redis 2.6 to 7.2 write (versions 5 to 11): strings are loaded, the others skipped. */
#ifndef FLOTILLA_KEYSPACE_RDB_H
#define FLOTILLA_KEYSPACE_RDB_H

#include "base/buf.h"
#include "keyspace/keyspace.h"

struct rdb_aux {
    struct span name;
    struct span value;
};

/* Writing */

struct rdb_writer_options {
    struct span redis_version; /* for the AUX field redis-ver; none if empty */
    bool plain;                /* no raft-revisions and raft-removals: a file to give away */
};

/* What one call of rdb_writer_next() appends at the most. */
enum { RDB_CHUNK_BYTES = 64 * 1024, RDB_CHUNK_MAX = RDB_CHUNK_BYTES + 8 * 1024 };

struct rdb_place {
    unsigned slot;
    uint32_t position;
};

/* Owns nothing, needs no end. The fields are private. */
struct rdb_writer {
    const struct keyspace *keyspace;
    const struct rdb_aux *aux;
    size_t aux_count;
    struct rdb_writer_options options;
    int step;
    size_t aux_at;
    unsigned removals_at; /* a slot */
    unsigned group_left;  /* keys that the last raft-revisions covers */
    struct rdb_place place;
    unsigned end_slot;                         /* the first one that is not to be written now */
    uint64_t out_of_turn[KEYSPACE_SLOTS / 64]; /* slots that were written before their turn */
    struct span pending;                       /* a key or value that is on its way out */
    uint64_t crc;
};

/* Keyspace and AUX fields stay until the last byte is out. The keyspace does not change either, or
 * only behind rdb_writer_begin() and rdb_writer_before_change(). NULL for options: exact, without
 * redis-ver. */
void rdb_writer_init(struct rdb_writer *writer, const struct keyspace *keyspace,
                     const struct rdb_aux *aux, size_t aux_count,
                     const struct rdb_writer_options *options);
/* Appends about RDB_CHUNK_BYTES; false: that was the last of it. */
bool rdb_writer_next(struct rdb_writer *writer, struct buf *out);
bool rdb_writer_some(struct rdb_writer *writer, struct buf *out, size_t most); /* about so many */

/* Writing what a keyspace is at one moment while it goes on changing: begin appends all that is not
 * of a single slot; from then on, before anything in a slot changes, before_change appends what of
 * the slot is not written yet (its time grows with the keys of that slot). Not for plain files. */
void rdb_writer_begin(struct rdb_writer *writer, struct buf *out);
void rdb_writer_before_change(struct rdb_writer *writer, unsigned slot, struct buf *out);

/* Reading */

enum rdb_outcome {
    RDB_MORE,        /* the file is not at its end */
    RDB_DONE,        /* all of it was read and the checksum is right */
    RDB_BAD,         /* this is no RDB file, or a damaged one */
    RDB_UNSUPPORTED, /* it holds what the keyspace cannot */
};

struct rdb_reader_options {
    size_t string_max;      /* bytes in one key or value; 0: 512 MiB */
    bool checksum_required; /* otherwise a checksum of 0 means that none was computed */
    bool unsupported_is_error;
    bool ignore_revisions; /* all are 0: they are those of another log */
    bool rest_allowed;     /* bytes after the end are no fault: see rdb_reader_rest() */
    void *context;         /* of both: */
    void (*on_aux)(void *context, struct span name, struct span value);
    /* A key that is skipped: its type, or "database 1" for one of another database than 0, whatever
     * its type. Functions and modules' own data come without key. */
    void (*on_unsupported)(void *context, struct span key, const char *type);
};

struct rdb_reader;

/* `into` is empty and stays the caller's. Whatever the outcome, it holds what was read until then:
 * only after RDB_DONE is it of use. NULL for options: all zero. */
struct rdb_reader *rdb_reader_new(struct keyspace *into, const struct rdb_reader_options *options);
void rdb_reader_free(struct rdb_reader *reader); /* NULL is allowed */
/* Pieces may be of any size. Bytes after the end turn RDB_DONE into RDB_BAD; the other outcomes
 * stay. Never takes more memory for a string than twice what has come of it (compressed strings: 90
 * times). */
enum rdb_outcome rdb_reader_feed(struct rdb_reader *reader, struct span piece);
/* With rest_allowed, after RDB_DONE: how many bytes at the end of the last piece come after the
 * file. */
size_t rdb_reader_rest(const struct rdb_reader *reader);
/* One line for the operator, with the offset of the fault; "" as long as there is none. Valid until
 * the reader is freed. */
const char *rdb_reader_message(const struct rdb_reader *reader);

/* DUMP and RESTORE */

enum rdb_payload {
    RDB_PAYLOAD_FINE,
    RDB_PAYLOAD_WRONG_CHECKSUM, /* or version: too new */
    RDB_PAYLOAD_BAD_FORMAT,
    RDB_PAYLOAD_UNSUPPORTED, /* not a string */
};

void rdb_dump_value(const struct item *item, struct buf *out);
enum rdb_payload rdb_check_value(struct span payload);
/* Creates the key or replaces its value, if the payload is fine; NO_DEADLINE: none. */
enum rdb_payload rdb_restore_value(struct keyspace *keyspace, struct span key, struct span payload,
                                   int64_t deadline_ms, uint64_t revision);

#endif
