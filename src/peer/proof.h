/* The proof that a node has the cluster's secret: HMAC-SHA256 of what was said on this connection,
 * with the secret as the key. */
#ifndef FLOTILLA_PEER_PROOF_H
#define FLOTILLA_PEER_PROOF_H

#include "base/span.h"
#include "wire/hello.h"

/* An empty secret gives the empty proof. */
void proof_make(struct wire_proof *proof, struct span secret, enum wire_role role,
                const struct wire_hello *hello, const struct wire_challenge *challenge);

/* Takes the same time wherever the two differ. */
bool proof_is_right(const struct wire_proof *proof, struct span secret, enum wire_role role,
                    const struct wire_hello *hello, const struct wire_challenge *challenge);

#endif
