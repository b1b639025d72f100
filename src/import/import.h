/* The data of a real Redis, read into a keyspace: RDB files, and AOFs with or without an RDB file
 * at their beginning. Pure: files and their order are the caller's.
 *
 * What Flotilla cannot hold is counted and named, and the reading goes on, so that the operator
 * hears of all of it at once. Nothing expires meanwhile, whatever the clock says: keys past their
 * deadline stay, equal bytes give equal keyspaces whenever and wherever they are read. */
#ifndef FLOTILLA_IMPORT_IMPORT_H
#define FLOTILLA_IMPORT_IMPORT_H

#include "base/err.h"
#include "command/command.h"
#include "keyspace/keyspace.h"

struct import;

struct import_options {
    const struct command_table *table; /* borrowed */
    uint64_t hash_seed;
    uint64_t bulk_len_max; /* of one argument; 0: 512 MiB */
};

struct import *import_new(const struct import_options *options);
void import_free(struct import *import); /* NULL is allowed */

/* The files come one after the other: begin, pieces of any size, end. `path` is borrowed until the
 * next begin. ERR_CORRUPT: the file is damaged, or none of Redis'; import_message() has one line
 * with the file and the offset, and nothing more may be fed. */
void import_begin(struct import *import, const char *path);
MUST_CHECK enum err import_feed(struct import *import, struct span piece);
/* `torn_allowed`: a command or transaction at the end of an AOF whose rest is missing is left out;
 * `*torn` is the count of its bytes. */
MUST_CHECK enum err import_end(struct import *import, bool torn_allowed, uint64_t *torn);
const char *import_message(const struct import *import);

/* What cannot be imported: how many keys and commands, and a line that says which. */
size_t import_refused(const struct import *import);
void import_describe_refused(const struct import *import, struct buf *out);

struct keyspace *import_keyspace(const struct import *import); /* the import's until it is freed */

#endif
