/* Reads the data of a Redis server into databases: RDB files, and AOFs with or without an RDB file
 * at their beginning. Does no I/O: the caller reads the files and chooses their order.
 *
 * Data that Flotilla cannot hold is counted and named, and the reading goes on, so that the
 * operator sees all problems at once. Nothing expires during an import: keys past their deadline
 * stay. Consumers of streams were seen at the newest time that the files have named so far. So
 * equal bytes give equal databases whenever and wherever they are read. */
#ifndef FLOTILLA_IMPORT_IMPORT_H
#define FLOTILLA_IMPORT_IMPORT_H

#include "base/err.h"
#include "command/command.h"
#include "keyspace/databases.h"

struct import;

struct import_options {
    const struct command_table *table; /* borrowed */
    uint64_t hash_seed;
    unsigned databases;    /* keys of databases from here on are refused; 0: DATABASES_MAX */
    uint64_t bulk_len_max; /* limit of one argument; 0: 512 MiB */
};

struct import *import_new(const struct import_options *options);
void import_free(struct import *import); /* NULL is allowed */

/* Files are fed one after the other: begin, pieces of any size, end. `path` is borrowed until the
 * next begin. ERR_CORRUPT: the file is damaged or not a file of Redis. import_message() then has
 * one line with the file and the offset, and no more may be fed. */
void import_begin(struct import *import, const char *path);
MUST_CHECK enum err import_feed(struct import *import, struct span piece);
/* `torn_allowed`: an incomplete command or transaction at the end of an AOF is dropped; `*torn` is
 * its length in bytes. */
MUST_CHECK enum err import_end(struct import *import, bool torn_allowed, uint64_t *torn);
const char *import_message(const struct import *import);

/* Behind the last file, the data that cannot be imported: the number of keys and commands, and a
 * line that names them. */
size_t import_refused(struct import *import);
void import_describe_refused(const struct import *import, struct buf *out);

struct databases *import_databases(const struct import *import); /* the import owns them */

#endif
