/* Whoever guesses the secret is answered late, by its address, and named in the log.
 *
 * Each failed proof counts one, and one is forgiven each second. From the second on the answer
 * waits, longer each time, up to a second. Nobody is refused for the failures of others: nodes may
 * share the address of one who guesses, and a secret of 32 characters is not guessed at any rate.
 * A table of fixed size: a new address takes the place of the one that failed longest ago. */
#ifndef FLOTILLA_PEER_GUARD_H
#define FLOTILLA_PEER_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sockaddr;

enum {
    GUARD_ADDRESSES = 256,
    GUARD_FAILURES_COUNTED = 60,
    GUARD_FORGIVE_MS = 1000, /* for one failure */
    GUARD_DELAY_MS = 250,    /* of the answer, for each failure beyond the first */
    GUARD_DELAY_MAX_MS = 1000,
    GUARD_SAY_MS = 60 * 1000, /* repeats are told so often at most */
};

/* Where an attempt comes from: an IPv4 address, or the first half of an IPv6 address, which is what
 * one customer has at least. */
struct guard_key {
    unsigned char bytes[16];
};

struct guard_entry {
    struct guard_key key;
    bool used;
    uint32_t failures;
    uint64_t counted_ms; /* `failures` are as of then */
    uint64_t said_ms;
    uint64_t repeats; /* since then */
};

struct guard {
    struct guard_entry entries[GUARD_ADDRESSES];
};

/* false: neither IPv4 nor IPv6. */
bool guard_key_of(const struct sockaddr *address, struct guard_key *key);
/* 127.0.0.0/8, ::1, or the former written as IPv6. */
bool guard_is_loopback(const struct sockaddr *address);

struct guard_verdict {
    uint32_t delay_ms; /* of the answer */
    bool say;          /* in the log, with `repeats` since it was said last */
    uint64_t repeats;
};
struct guard_verdict guard_failed(struct guard *guard, const struct guard_key *key,
                                  uint64_t now_ms);

#endif
