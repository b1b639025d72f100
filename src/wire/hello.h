/* How two nodes greet each other: four RESP texts, then messages (wire/message.h) follow.
 *
 *     dialler   RAFT.HELLO <version> <from> <to> <incarnation> <cluster-id> <lane> <nonce>
 *     acceptor  RAFT.CHALLENGE <incarnation> <cluster-id> <nonce>      or an error and the end
 *     dialler   RAFT.PROOF <proof>
 *     acceptor  RAFT.WELCOME <proof>                                   or an error and the end
 *
 * Numbers are decimal; nonces and proofs are 64 hexadecimal digits; the lane is "bulk" or "urgent".
 * A cluster id is 40 hexadecimal digits, all zeros while a node belongs to no cluster. A proof is a
 * keyed hash of the transcript. The transcript names everything that both sides have sent, and the
 * side that proves. So a proof is useless on another connection or in the other direction. Without
 * a secret the proof is empty. The secret itself is in none of the texts. */
#ifndef FLOTILLA_WIRE_HELLO_H
#define FLOTILLA_WIRE_HELLO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

/* What a node speaks, on the wire and in its log; all versions greet alike.
 *
 *     2  the oldest that is understood
 *     3  RAFT.FORWARD and its like (wire/forward.h), entries with an origin (wire/entry.h), the
 *        version of a membership (wire/members.h), sessions of clients (machine/session.h)
 *     4  values of all types, commands that wait for keys (RAFT.WAIT)
 *     5  databases other than 0 (wire/entry.h)
 *
 * A connection speaks the version that its RAFT.HELLO names. An acceptor that does not know it
 * answers with an error; the dialler may then name an older one. */
enum {
    WIRE_VERSION = 5,
    WIRE_VERSION_OLDEST = 2,
    WIRE_VERSION_FORWARDS = 3,
    WIRE_VERSION_SESSIONS = 3,
    WIRE_VERSION_ANNOUNCES = 3, /* what a node says of itself (cluster/announcement.h) */
    WIRE_VERSION_TYPES = 4,
    WIRE_VERSION_DATABASES = 5,
};

enum {
    WIRE_CLUSTER_ID = 40, /* characters */
    WIRE_NONCE_BYTES = 32,
    WIRE_PROOF_BYTES = 32,
    /* No greeting is longer; a longer one does not come from a node. */
    WIRE_GREETING_BYTES_MAX = 1024,
    WIRE_GREETING_ARGS_MAX = 8,
};

/* What a connection carries. Urgent messages must not wait behind large ones. */
enum wire_lane { WIRE_BULK, WIRE_URGENT };
enum { WIRE_LANES = 2 };

/* The side that proves. */
enum wire_role { WIRE_DIALLER, WIRE_ACCEPTOR };

struct wire_hello {
    uint32_t version; /* WIRE_VERSION_OLDEST … WIRE_VERSION */
    uint64_t from;
    uint64_t to;
    uint64_t incarnation; /* incarnation of `from` */
    char cluster_id[WIRE_CLUSTER_ID + 1];
    enum wire_lane lane;
    unsigned char nonce[WIRE_NONCE_BYTES];
};

struct wire_challenge {
    uint64_t incarnation; /* incarnation of the acceptor */
    char cluster_id[WIRE_CLUSTER_ID + 1];
    unsigned char nonce[WIRE_NONCE_BYTES];
};

/* given = false: no secret is configured. */
struct wire_proof {
    bool given;
    unsigned char bytes[WIRE_PROOF_BYTES];
};

void wire_encode_hello(struct buf *out, const struct wire_hello *hello);
void wire_encode_challenge(struct buf *out, const struct wire_challenge *challenge);
/* RAFT.PROOF of the dialler, RAFT.WELCOME of the acceptor. */
void wire_encode_proof(struct buf *out, enum wire_role role, const struct wire_proof *proof);

/* ERR_INVALID: another command, or malformed. ERR_FOREIGN: a hello of an unknown version; what it
 * says besides is not looked at. */
MUST_CHECK enum err wire_parse_hello(const struct span *args, size_t argc,
                                     struct wire_hello *hello);
MUST_CHECK enum err wire_parse_challenge(const struct span *args, size_t argc,
                                         struct wire_challenge *challenge);
MUST_CHECK enum err wire_parse_proof(const struct span *args, size_t argc, enum wire_role role,
                                     struct wire_proof *proof);

/* The text whose keyed hash the side `role` sends as its proof. Each field has its length in front,
 * so that different greetings have different transcripts. */
void wire_encode_transcript(struct buf *out, enum wire_role role, const struct wire_hello *hello,
                            const struct wire_challenge *challenge);

/* Whether the ids are equal or one of the nodes belongs to no cluster yet. */
bool wire_cluster_ids_agree(const char *one, const char *other);
bool wire_is_no_cluster(const char *id);

#endif
