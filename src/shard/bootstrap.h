/* The first state of a new group that does not begin empty: the data folder of a member is written
 * as a snapshot of entry 1 in term 1, which every member has to begin with alike.
 *
 * At each step the folder is one of an empty member, in which a bootstrap can begin anew, or the
 * complete one: it becomes that with the manifest. Private neither to the server nor to the
 * simulator: the disk is a port. */
#ifndef FLOTILLA_SHARD_BOOTSTRAP_H
#define FLOTILLA_SHARD_BOOTSTRAP_H

#include "keyspace/databases.h"
#include "raft/membership.h"
#include "storage/storage.h"

enum { BOOTSTRAP_INDEX = 1, BOOTSTRAP_TERM = 1 };

struct shard_bootstrap;

struct shard_bootstrap_options {
    struct storage_options storage; /* with the identity of an empty member */
    struct identity identity;       /* of the member with the state */
    const struct raft_membership *membership;
    const struct databases *databases; /* borrowed, unchanged until the end */
    const struct disk *disk;           /* borrowed */
};

/* ERR_EXISTS: the folder holds data, which stays as it is. Else as storage_open(). One line in
 * `message`. */
MUST_CHECK enum err shard_bootstrap_begin(const struct shard_bootstrap_options *options,
                                          struct shard_bootstrap **bootstrap, char message[512]);
/* Queues some more, as long as not too much of it waits for the disk: again after each completion,
 * until it is done. */
MUST_CHECK enum err shard_bootstrap_drive(struct shard_bootstrap *bootstrap, char message[512]);
MUST_CHECK enum err shard_bootstrap_completed(struct shard_bootstrap *bootstrap,
                                              const struct disk_completion *completion,
                                              char message[512]);
bool shard_bootstrap_is_done(const struct shard_bootstrap *bootstrap);
void shard_bootstrap_free(struct shard_bootstrap *bootstrap); /* NULL is allowed */

#endif
