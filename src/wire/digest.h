/* The messages in which nodes compare the digests of their machines:
 *
 *     RAFT.DIGEST   <cluster-id> <shard> <term> <from> <to> <index> <sum> <chain> <chain-from>
 *                   <verdict>
 *     RAFT.DIGESTED <cluster-id> <shard> <term> <from> <to> <index> <sum> <chain> <chain-from>
 *                   <verdict>
 *
 * The leader sends its digest as of an entry and asks for the member's. The member answers once it
 * has applied that entry. All numbers are decimal. */
#ifndef FLOTILLA_WIRE_DIGEST_H
#define FLOTILLA_WIRE_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum wire_verdict {
    WIRE_ASKS,         /* no difference is known, or it is decided which node is right */
    WIRE_DISPUTED,     /* nodes differ and no majority decides which is right */
    WIRE_CONTRADICTED, /* a majority has this message's digest and not the one of `to` */
};

struct wire_digest {
    bool answer; /* RAFT.DIGESTED */
    struct span cluster_id;
    uint32_t shard;
    uint64_t term;
    uint64_t from;
    uint64_t to;
    uint64_t index;
    uint64_t sum;
    uint64_t chain;
    uint64_t chain_from;
    enum wire_verdict verdict;
};

bool wire_is_digest(struct span name); /* whether it names one of these two messages */
void wire_encode_digest(struct buf *out, const struct wire_digest *digest);
/* ERR_INVALID: another message, or malformed. */
MUST_CHECK enum err wire_parse_digest(const struct span *args, size_t argc,
                                      struct wire_digest *digest);

#endif
