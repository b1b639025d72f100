/* Writes databases in Redis' RDB format and reads them back. Works on bytes; the caller handles
 * files and pipes.
 *
 * The written file is exact: keys are in iteration order, so that loading restores that order. AUX
 * fields between the keys hold what the format has no place for. Every Redis skips them:
 *
 *     raft-swapped    "<revision>"             of the last SWAPDB of the database
 *     raft-removals   "<slot>:<revision> …"    the last removal in a slot
 *     raft-revisions  "<number>[r|t] …"        of the next keys, one each, at most 64
 *     raft-note       of the value before it: what its encoding has no place for (value.h)
 *
 * The first revision of a field is absolute; each other one is the signed 64-bit difference from
 * the one before. r: a string that was edited in place, which Redis calls raw. t: a text that looks
 * like an integer but is not stored as one. Fields concern the database that was selected before
 * them. Equal databases and equal AUX fields give equal bytes.
 *
 * The writer uses only encodings that Redis 5.0 knows (RDB version 9), without compression, unless
 * its options say that all readers are newer. The reader accepts everything that Redis 2.6 to 7.2
 * write (versions 5 to 11), in every encoding. It skips values of modules and functions. */
#ifndef FLOTILLA_KEYSPACE_RDB_H
#define FLOTILLA_KEYSPACE_RDB_H

#include "base/buf.h"
#include "keyspace/databases.h"
#include "keyspace/value.h"

struct rdb_aux {
    struct span name;
    struct span value;
};

/* Writing. */

struct rdb_writer_options {
    struct span redis_version; /* for the AUX field redis-ver; empty: no such field */
    /* AUX fields behind the keys, each when its turn comes; false: there are no more. The field
     * stays until the next call. May be NULL. */
    bool (*late_aux)(void *context, struct rdb_aux *aux);
    void *context;
    enum redis_release oldest; /* which Redis has to load it; REDIS_5_0 for nodes' own files */
    /* Omit raft-revisions and raft-removals, for files that are given away. */
    bool plain;
    uint64_t as_of; /* a key with a later revision is new and left out; 0: none is */
};

/* The most that one call of rdb_writer_next() appends. */
enum { RDB_CHUNK_BYTES = 64 * 1024, RDB_CHUNK_MAX = RDB_CHUNK_BYTES + 8 * 1024 };

struct rdb_place {
    unsigned slot;
    uint32_t position;
};

/* Where the writing goes on behind a slot that is written before its turn. */
struct rdb_turn {
    int step;
    unsigned database;
    struct rdb_place place;
};

/* Owns nothing and needs no close. The fields are private. */
struct rdb_writer {
    const struct keyspace *keyspaces[DATABASES_MAX]; /* by number, as of the begin; NULL: empty */
    const struct rdb_aux *aux;
    size_t aux_count;
    struct rdb_writer_options options;
    int step;
    size_t aux_at;
    unsigned selected;    /* the database that a reader of the bytes so far has selected */
    unsigned removals_of; /* the database for raft-removals … */
    unsigned removals_at; /* … and its next slot */
    unsigned group_left;  /* keys that the last raft-revisions field still covers */
    unsigned database;    /* whose turn it is */
    struct rdb_place place;
    unsigned end_slot; /* writing stops before this slot … */
    bool is_single; /* … of one database, which is written before its turn; else others follow */
    struct rdb_turn turn;
    /* Slots that were written before their turn. */
    uint64_t out_of_turn[DATABASES_MAX][KEYSPACE_SLOTS / 64];
    struct span pending;        /* rest of a key or value that is partly written */
    struct value_cursor cursor; /* in a value of elements, or in its notes */
    uint64_t crc;
};

/* The keyspaces and the AUX fields must stay until the last byte is written. The keyspaces must not
 * change, except with rdb_writer_begin(), rdb_writer_before_change() and rdb_writer_cleared().
 * options NULL: exact, without redis-ver. */
void rdb_writer_init(struct rdb_writer *writer, const struct databases *databases,
                     const struct rdb_aux *aux, size_t aux_count,
                     const struct rdb_writer_options *options);
/* Appends about RDB_CHUNK_BYTES; false after the last piece. */
bool rdb_writer_next(struct rdb_writer *writer, struct buf *out);
/* About `most` bytes. */
bool rdb_writer_some(struct rdb_writer *writer, struct buf *out, size_t most);

/* Saves the databases as of one moment while they go on changing. rdb_writer_begin() fixes that
 * moment and appends everything that does not belong to a single slot. From then on, call
 * rdb_writer_before_change() before anything in a slot changes: it appends the part of the slot
 * that is not written yet, in time proportional to the slot's keys. With options.as_of a change of
 * a key that rdb_writer_wants() denies may go without. SWAPDB is no change: keyspaces are saved
 * under the numbers that they had. Not for plain files. */
void rdb_writer_begin(struct rdb_writer *writer, struct buf *out);
/* False: the key may change, because it is written. Or it is new or absent, and options.as_of tells
 * what is inserted from what is to be written. */
bool rdb_writer_wants(const struct rdb_writer *writer, const struct keyspace *keyspace,
                      struct span key);
void rdb_writer_before_change(struct rdb_writer *writer, const struct keyspace *keyspace,
                              unsigned slot, struct buf *out);
/* The same in pieces of about `most` bytes, before a change that can wait. True: the slot is
 * written, and rdb_writer_before_change() has nothing to do. */
bool rdb_writer_prepare(struct rdb_writer *writer, const struct keyspace *keyspace, unsigned slot,
                        struct buf *out, size_t most);
/* All keys were set aside (keyspace_observer.cleared). True: not all of them are written, and
 * `aside` must stay, too, until the last byte is. */
bool rdb_writer_cleared(struct rdb_writer *writer, const struct keyspace *keyspace,
                        const struct keyspace *aside);

/* Reading. */

enum rdb_outcome {
    RDB_MORE,        /* the file is not complete yet */
    RDB_DONE,        /* the whole file was read and its checksum is right */
    RDB_BAD,         /* not an RDB file, or a damaged one */
    RDB_UNSUPPORTED, /* holds something that the databases cannot */
};

struct rdb_reader_options {
    size_t string_max;      /* limit of one key or value in bytes; 0: 512 MiB; 1 GiB at most */
    unsigned databases;     /* keys of databases from here on are skipped; 0: DATABASES_MAX */
    bool checksum_required; /* otherwise a checksum of 0 means "not computed" */
    bool unsupported_is_error;
    bool ignore_revisions; /* set all revisions to 0: they belong to another log */
    bool rest_allowed;     /* bytes after the end are allowed, see rdb_reader_rest() */
    void *context;         /* for both callbacks */
    void (*on_aux)(void *context, struct span name, struct span value);
    /* Called for a skipped key with its type, or with "database 16" for any key of a database that
     * does not exist. Functions and modules' own data have an empty key. */
    void (*on_unsupported)(void *context, struct span key, const char *type);
};

struct rdb_reader;

/* `into` must be empty and stays the caller's. It holds what was read so far, and is usable only
 * after RDB_DONE. options NULL: all zero. */
struct rdb_reader *rdb_reader_new(struct databases *into, const struct rdb_reader_options *options);
void rdb_reader_free(struct rdb_reader *reader); /* NULL is allowed */
/* Reads a piece of any size. Bytes after the end turn RDB_DONE into RDB_BAD; the other outcomes
 * stay. For a string the reader never takes more memory than twice the bytes received of it (90
 * times if it is compressed). */
enum rdb_outcome rdb_reader_feed(struct rdb_reader *reader, struct span piece);
/* With rest_allowed, after RDB_DONE: the number of bytes at the end of the last piece that follow
 * the RDB file. */
size_t rdb_reader_rest(const struct rdb_reader *reader);
/* One line for the operator with the offset of the fault; "" if there is none. Valid until the
 * reader is freed. */
const char *rdb_reader_message(const struct rdb_reader *reader);

/* DUMP and RESTORE. */

enum rdb_payload {
    RDB_PAYLOAD_FINE,
    RDB_PAYLOAD_WRONG_CHECKSUM, /* or the version is too new */
    RDB_PAYLOAD_BAD_FORMAT,     /* also of an unknown type, or without elements */
};

/* A value that was read and has no key yet. */
struct rdb_value {
    enum value_type type;
    struct span text; /* of a string: in the payload or in `room` */
    struct buf room;
    void *value; /* of other types */
};

void rdb_dump_value(const struct item *item, struct buf *out);
enum rdb_payload rdb_read_payload(struct span payload, const struct value_rules *rules,
                                  struct rdb_value *value);
/* For a sound payload that Redis 7.0 does not read: appends the same value as one that it reads.
 * False: it reads it, or the payload is not sound. Not exact: times
 * of a stream's readers are lost, or deadlines of a hash's fields. */
bool rdb_payload_for_redis_7_0(struct span payload, struct buf *out, bool *is_exact);
/* Creates the key or replaces what it was. NO_DEADLINE: no deadline. Takes the elements over. */
struct item *rdb_store_value(struct keyspace *keyspace, struct span key, struct rdb_value *value,
                             int64_t deadline_ms, uint64_t revision);
void rdb_value_close(struct rdb_value *value); /* also after rdb_store_value() */

#endif
