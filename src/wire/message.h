/* Peer messages as RESP.
 *
 * A node dials each other node and sends its requests on that connection. Responses return on the
 * connection that brought the request, in any order; each says which request it answers. Both sides
 * have greeted each other before (wire/hello.h). Messages are arrays of bulk strings in both
 * directions:
 *
 *     RAFT.VOTE     <cluster-id> <shard> <term> <from> <to> <pre 0|1> <transfer 0|1>
 *                   <last-index> <last-term>
 *     RAFT.VOTED    <cluster-id> <shard> <term> <from> <to> <pre 0|1> <granted 0|1>
 *                   <last-index> <to-incarnation> <witnessed> <wall-ms> <time-ms> <heard-ago-ms>
 *                   <heard-term>
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
 *     RAFT.WITNESS                 see wire/witness.h
 *     RAFT.HANDOVER                see wire/handover.h
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
 * snapshot; empty for other messages. */
void wire_encode_message(struct buf *out, struct span cluster_id, uint32_t shard,
                         const struct raft_message *message, struct span bytes);

/* A parsed message. It owns the arrays, and the next parse reuses them. Entry spans point into the
 * arguments. Zero-initialised is ready. */
struct wire_message {
    struct raft_message message;
    uint32_t shard;
    struct span cluster_id;
    struct entry *entries; /* message.append_request.entry_count entries, checksums verified */
    struct raft_entry *raft_entries; /* the same entries for the core */
    size_t cap;
    struct raft_membership *memberships; /* of the entries that change it */
    size_t membership_cap;
    struct span chunk; /* RAFT_SNAPSHOT_REQUEST: message.snapshot_request.bytes bytes */
    struct buf unpacked;
};

/* ERR_INVALID: malformed. ERR_CORRUPT: a record has a wrong checksum or is out of order. */
MUST_CHECK enum err wire_parse_message(const struct span *args, size_t argc,
                                       struct wire_message *parsed);

/* Whether `name` is one of the shard messages above, without RAFT.ALIVE. */
bool wire_is_message(struct span name);

/* The shard of a message; the other fields are not read. ERR_INVALID: there is no shard where the
 * message should name it. */
MUST_CHECK enum err wire_message_shard(const struct span *args, size_t argc, uint32_t *shard);

struct wire_frame;
/* The shard of a message whose first bytes have arrived; `start` points to them. */
MUST_CHECK enum err wire_frame_shard(const struct wire_frame *frame, const char *start,
                                     uint32_t *shard);

/* busy_ms: so long the sender may be silent, for it does something in one piece; 0: no longer. */
void wire_encode_alive(struct buf *out, uint32_t shard, uint32_t busy_ms);
/* ERR_INVALID: another message, or malformed. */
MUST_CHECK enum err wire_parse_alive(const struct span *args, size_t argc, uint32_t *shard,
                                     uint32_t *busy_ms);

void wire_message_close(struct wire_message *parsed);

#endif
