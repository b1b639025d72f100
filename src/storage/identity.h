/* flotilla.identity in a node's data folder, through the disk port: the text is
 * cluster/identity.h's. It is written by replacing it, so that a crash leaves the old or the new
 * one. */
#ifndef FLOTILLA_STORAGE_IDENTITY_H
#define FLOTILLA_STORAGE_IDENTITY_H

#include "cluster/identity.h"
#include "storage/disk.h"

#define STORAGE_IDENTITY_FILE "flotilla.identity"

/* `folder` is the node's. ERR_NOT_FOUND: there is none. ERR_CORRUPT, ERR_FOREIGN (another version
 * of it) and errors of the system: one clear line in `message`. */
MUST_CHECK enum err storage_identity_load(const struct disk *disk, const char *folder,
                                          struct cluster_identity *identity, char message[512]);
/* Durable when it returns. On failure one clear line in `message`. */
MUST_CHECK enum err storage_identity_store(const struct disk *disk, const char *folder,
                                           const struct cluster_identity *identity,
                                           char message[512]);

#endif
