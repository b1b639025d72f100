/* The inside of an import. Private to import/.
 *
 *   import.c          files, RDB
 *   import_aof.c      commands of an AOF
 *   import_refused.c  data that cannot be imported */
#ifndef FLOTILLA_IMPORT_INTERNAL_H
#define FLOTILLA_IMPORT_INTERNAL_H

#include "base/buf.h"
#include "import/import.h"
#include "keyspace/rdb.h"
#include "resp/parse.h"

enum { REFUSED_KINDS_MAX = 64, REFUSED_KIND_LEN = 120 };

/* One reason for refusing data, with the names of the refused keys or commands. */
struct refused_kind {
    char text[REFUSED_KIND_LEN]; /* "of type list" */
    size_t count;
    size_t named;
    struct buf names; /* quoted, separated by commas */
};

struct refused {
    struct refused_kind *kinds;
    size_t kind_count;
    size_t count;
    size_t named;
    struct keyspace *seen; /* names counted already: an AOF may repeat a key */
};

enum import_part { IMPORT_BEGINNING, IMPORT_RDB, IMPORT_AOF };

struct import {
    struct import_options options;
    struct databases *databases;
    const char *path;
    enum import_part part;
    uint64_t offset; /* position in the file of the next byte */
    struct buf message;
    struct rdb_reader *rdb;
    bool is_used; /* something was read: an RDB file may not follow */

    /* AOF. */
    struct buf bytes;     /* read but not parsed; `offset` is where they begin */
    uint64_t settled_end; /* end of the last complete command outside of an open transaction */
    struct resp_parser parser;
    struct resp_parser queued_parser;
    bool in_transaction;
    uint64_t transaction_at;
    struct buf queued; /* commands of the open transaction */
    uint64_t database;
    int64_t time_ms;  /* of the newest #TS:; NO_DEADLINE: none yet */
    int64_t known_ms; /* the newest time that any file has named; 0: none yet */
    struct buf reply; /* scratch memory */
    struct refused refused;
};

/* Always returns ERR_CORRUPT. */
enum err import_fail(struct import *import, const char *what, uint64_t offset);

void import_note_time(struct import *import, int64_t time_ms);

void import_aof_begin(struct import *import);
enum err import_aof_feed(struct import *import, struct span piece);
enum err import_aof_end(struct import *import, bool torn_allowed, uint64_t *torn);

/* `once`: a name that repeats for the same reason is counted once. */
void import_refuse(struct refused *refused, const char *kind, struct span name, bool once);
void import_refused_close(struct refused *refused);

#endif
