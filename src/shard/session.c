/* Sessions of clients (machine/session.h), as far as they concern more than the machine. */
#include <xxhash.h>

#include "shard/internal.h"

void shard_set_sessions(struct shard *shard, const struct session_terms *terms)
{
    shard->options.sessions = *terms;
}

void shard_session_secret(struct shard *shard)
{
    struct prng prng;
    prng_init(&prng, shard->options.seed + 1);
    for (size_t i = 0; i < sizeof shard->session_secret / sizeof *shard->session_secret; i++)
        shard->session_secret[i] = prng_next(&prng);
}

/* An id is a keyed hash: who knows some ids, or what random commands gave, knows no other id. */
struct session_terms shard_offer_session(struct shard *shard)
{
    struct session_terms terms = shard->options.sessions;
    const uint64_t drawn[] = {prng_next(&shard->prng), shard_next_index(shard),
                              raft_term(shard->raft)};
    terms.id.high = XXH3_64bits_withSeed(drawn, sizeof drawn, shard->session_secret[0]);
    terms.id.low = XXH3_64bits_withSeed(drawn, sizeof drawn, shard->session_secret[1]);
    return terms;
}

const char *shard_session_refusal(const struct shard *shard, struct span payload)
{
    static const char begin[] = "#BEGIN:";
    bool begins = payload.len > sizeof begin && memcmp(payload.ptr, begin, sizeof begin - 1) == 0;
    bool refused = begins ? shard_refuses_writes(shard) : shard_refuses_to_free(shard);
    return refused ? "MISCONF the leader's disk is full: nothing was done to the session" : NULL;
}
