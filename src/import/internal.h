/* The inside of an import. Private to shard/.
 *
 *   import.c        files, RDB
 *   import_aof.c    commands of an AOF
 *   import_refused.c  what cannot be imported */
#ifndef FLOTILLA_IMPORT_INTERNAL_H
#define FLOTILLA_IMPORT_INTERNAL_H

#include "base/buf.h"
#include "import/import.h"
#include "keyspace/rdb.h"
#include "resp/parse.h"

enum { REFUSED_KINDS_MAX = 64, REFUSED_KIND_LEN = 120 };

/* One reason with what it holds for. */
struct refused_kind {
    char text[REFUSED_KIND_LEN]; /* "of type list" */
    size_t count;
    size_t named;
    struct buf names; /* quoted, with commas */
};

struct refused {
    struct refused_kind *kinds;
    size_t kind_count;
    size_t count;
    size_t named;
    struct keyspace *seen; /* an AOF may name a key many times */
};

enum import_part { IMPORT_BEGINNING, IMPORT_RDB, IMPORT_AOF };

struct import {
    struct import_options options;
    struct keyspace *keyspace;
    const char *path;
    enum import_part part;
    uint64_t offset; /* in the file, of what comes next */
    struct buf message;
    struct rdb_reader *rdb;
    bool keyspace_used; /* an RDB file has to be the first */

    /* AOF */
    struct buf bytes;     /* read, not parsed; `offset` is its beginning */
    uint64_t settled_end; /* of the last complete command that is in no open transaction */
    struct resp_parser parser;
    struct resp_parser queued_parser;
    bool in_transaction;
    uint64_t transaction_at;
    struct buf queued; /* the commands of the open transaction */
    uint64_t database;
    int64_t time_ms;  /* of the newest #TS:; NO_DEADLINE: there was none */
    struct buf reply; /* scratch */
    struct refused refused;
};

/* Always ERR_CORRUPT. */
enum err import_fail(struct import *import, const char *what, uint64_t offset);

void import_aof_begin(struct import *import);
enum err import_aof_feed(struct import *import, struct span piece);
enum err import_aof_end(struct import *import, bool torn_allowed, uint64_t *torn);

/* `once`: a key that is named again for the same reason counts once. */
void import_refuse(struct refused *refused, const char *kind, struct span name, bool once);
void import_refused_close(struct refused *refused);

#endif
