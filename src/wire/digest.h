/* What nodes say to each other about the digests of their machines:
 *
 *     RAFT.DIGEST   <cluster-id> <shard> <term> <from> <to> <index> <sum> <chain> <chain-from>
 *                   <verdict>
 *     RAFT.DIGESTED <cluster-id> <shard> <term> <from> <to> <index> <sum> <chain> <chain-from>
 *                   <verdict>
 *
 * A leader tells its own digest as of an entry and asks for that of the other; the other answers
 * once it has applied that entry. All numbers are decimal. */
#ifndef FLOTILLA_WIRE_DIGEST_H
#define FLOTILLA_WIRE_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum wire_verdict {
    WIRE_ASKS,         /* nothing is known to differ, or it is decided who is right */
    WIRE_DISPUTED,     /* nodes differ and no majority says who is right */
    WIRE_CONTRADICTED, /* a majority says that the digest in this message is right, and not the one
                          that `to` answered */
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

bool wire_is_digest(struct span name); /* of one of these two messages */
void wire_encode_digest(struct buf *out, const struct wire_digest *digest);
/* ERR_INVALID: neither of them, or of a wrong shape. */
MUST_CHECK enum err wire_parse_digest(const struct span *args, size_t argc,
                                      struct wire_digest *digest);

#endif
