/* Who speaks what (wire/hello.h), and what may be used. Private to shard/.
 *
 * A group begins with the oldest version. Once the leader has met all members of the membership in
 * force with a newer one, it appends a membership that names that version. What the version brings
 * is used when that entry is committed, and from then on for ever: it is part of every later
 * membership and of snapshots, so a dead node or a restart changes nothing. Nodes that do not speak
 * it are refused from then on.
 *
 * Until it is committed, the entry itself may be in the log of a leader, and members may have gone
 * back to an older version: to those no entries are sent. */
#ifndef FLOTILLA_SHARD_VERSIONS_H
#define FLOTILLA_SHARD_VERSIONS_H

#include "shard/shard.h"

enum { SHARD_MET_MAX = 2 * RAFT_MEMBERS_MAX }; /* members, and nodes that are not yet or no more */

struct shard_versions {
    uint32_t agreed; /* that a committed membership names; 0: none does */
    bool wanted;     /* what the newest version brings, also by a node that is alone */
    struct shard_peer met[SHARD_MET_MAX];
    size_t count;
};

void shard_note_version(struct shard *shard, const struct shard_peer *peer);
/* Whether the node can read the entries of this node's log, as far as is known. */
bool shard_can_read(const struct shard *shard, uint64_t node);
void shard_note_agreed(struct shard *shard); /* what was committed may name a newer version */
void shard_raise_version(struct shard *shard);

#endif
