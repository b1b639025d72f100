/* Peer messages as RESP, with hiredis as the codec.
 *
 * A node dials each other node and sends its requests there; responses travel back on the
 * connection that brought the request, in any order (they say what they answer). Both sides have
 * greeted each other before (wire/hello.h). Messages are arrays of bulk strings in both directions:
 *
 *     RAFT.VOTE     <cluster-id> <shard> <term> <from> <to> <pre 0|1> <transfer 0|1>
 *                   <last-index> <last-term>
 *     RAFT.VOTED    <cluster-id> <shard> <term> <from> <to> <pre 0|1> <granted 0|1>
 *                   <wall-ms> <time-ms> <heard-ago-ms>
 *     RAFT.APPEND   <cluster-id> <shard> <term> <from> <to> <prev-index> <prev-term>
 *                   <commit> <read-context> <sent-ms> <to-incarnation> <acknowledged> <time-ms>
 * <count> <records> RAFT.APPENDED <cluster-id> <shard> <term> <from> <to> <success 0|1> <match>
 * <read-context> <sent-ms> <rejected-prev> <hint-index> <hint-term> <no-room 0|1> <wall-ms>
 *     RAFT.SNAPSHOT <cluster-id> <shard> <term> <from> <to> <index> <snapshot-term> <offset>
 *                   <total> <count> <bytes>     (<bytes> in lz4's block format if they are fewer
 *                                                than <count>)
 *     RAFT.RECEIVED <cluster-id> <shard> <term> <from> <to> <index> <snapshot-term> <offset>
 *     RAFT.TIMEOUTNOW <cluster-id> <shard> <term> <from> <to>
 *     RAFT.DIGEST, RAFT.DIGESTED   see wire/digest.h
 *     RAFT.ALIVE <shard> <busy-ms>   (a large message is arriving in pieces, or the sender will be
 *                              silent for up to <busy-ms>: it does something large in one piece)
 */
#ifndef FLOTILLA_WIRE_MESSAGE_H
#define FLOTILLA_WIRE_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "raft/message.h"
#include "wire/entry.h"

/* Appends `message` to `out`. `bytes` are the records of an append's entries or a chunk of a
 * snapshot (empty for all others). */
void wire_encode_message(struct buf *out, struct span cluster_id, uint32_t shard,
                         const struct raft_message *message, struct span bytes);

/* One parsed message. The arrays belong to it and are reused by the next parse; entry spans point
 * into the arguments. Zero-initialised is ready. */
struct wire_message {
    struct raft_message message;
    uint32_t shard;
    struct span cluster_id;
    struct entry *entries; /* message.append_request.entry_count of them, checksums verified */
    struct raft_entry *raft_entries; /* the same for the core */
    size_t cap;
    struct raft_membership *memberships; /* of entries that change it */
    size_t membership_cap;
    struct span chunk; /* RAFT_SNAPSHOT_REQUEST: message.snapshot_request.bytes of it */
    struct buf unpacked;
};

/* ERR_INVALID: wrong shape; ERR_CORRUPT: a record's checksum or order is wrong. */
MUST_CHECK enum err wire_parse_message(const struct span *args, size_t argc,
                                       struct wire_message *parsed);

/* Whether this names a message of a shard: one of those above but RAFT.ALIVE. */
bool wire_is_message(struct span name);

/* The shard that a message is for: one of those above, whatever else is in it. ERR_INVALID: no
 * message names its shard where this one should. */
MUST_CHECK enum err wire_message_shard(const struct span *args, size_t argc, uint32_t *shard);

struct wire_frame;
/* The same of one whose beginning has come; `start` is where that stands. */
MUST_CHECK enum err wire_frame_shard(const struct wire_frame *frame, const char *start,
                                     uint32_t *shard);

/* busy_ms: so long the sender may be silent, for it does something in one piece; 0: no longer. */
void wire_encode_alive(struct buf *out, uint32_t shard, uint32_t busy_ms);
/* ERR_INVALID: another message, or malformed. */
MUST_CHECK enum err wire_parse_alive(const struct span *args, size_t argc, uint32_t *shard,
                                     uint32_t *busy_ms);

void wire_message_close(struct wire_message *parsed);

#endif
