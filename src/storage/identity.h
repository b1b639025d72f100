/* Reads and writes flotilla.identity in a node's data folder through the disk port.
 * cluster/identity.h defines the text. A write replaces the file, so that a crash leaves either the
 * old or the new text. */
#ifndef FLOTILLA_STORAGE_IDENTITY_H
#define FLOTILLA_STORAGE_IDENTITY_H

#include "cluster/identity.h"
#include "storage/disk.h"

#define STORAGE_IDENTITY_FILE "flotilla.identity"

/* `folder` is the node's data folder. ERR_NOT_FOUND: there is no such file. ERR_CORRUPT,
 * ERR_FOREIGN (another version of the text) and errors of the system: `message` holds one line. */
MUST_CHECK enum err storage_identity_load(const struct disk *disk, const char *folder,
                                          struct cluster_identity *identity, char message[512]);
/* The file is durable when this returns. On failure `message` holds one line. */
MUST_CHECK enum err storage_identity_store(const struct disk *disk, const char *folder,
                                           const struct cluster_identity *identity,
                                           char message[512]);

#endif
