#include "peer/proof.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/assert.h"

void proof_make(struct wire_proof *proof, struct span secret, enum wire_role role,
                const struct wire_hello *hello, const struct wire_challenge *challenge)
{
    *proof = (struct wire_proof){.given = secret.len > 0};
    if (!proof->given)
        return;
    struct buf transcript = {0};
    unsigned len = 0;
    wire_encode_transcript(&transcript, role, hello, challenge);
    if (!HMAC(EVP_sha256(), secret.ptr, (int)secret.len, (const unsigned char *)transcript.ptr,
              transcript.len, proof->bytes, &len))
        FATAL("HMAC-SHA256 is not available");
    ASSERT(len == WIRE_PROOF_BYTES);
    buf_close(&transcript);
}

bool proof_is_right(const struct wire_proof *proof, struct span secret, enum wire_role role,
                    const struct wire_hello *hello, const struct wire_challenge *challenge)
{
    struct wire_proof right;
    proof_make(&right, secret, role, hello, challenge);
    if (!right.given)
        return !proof->given;
    return proof->given && CRYPTO_memcmp(proof->bytes, right.bytes, WIRE_PROOF_BYTES) == 0;
}
