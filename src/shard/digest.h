/* Whether the nodes' machines are equal. The leader asks each member for its digest as of an entry
 * and judges the answers. Private to shard/. */
#ifndef FLOTILLA_SHARD_DIGEST_H
#define FLOTILLA_SHARD_DIGEST_H

#include "machine/machine.h"
#include "raft/membership.h"
#include "wire/digest.h"

/* Digests as of so many entries are kept: a question may come after its entry was applied. */
enum { SHARD_DIGESTS_KEPT = 1024 };

struct shard;

enum shard_opinion { OPINION_UNKNOWN, OPINION_EQUAL, OPINION_DIFFERS };

/* What the leader knows of another member. */
struct shard_compared {
    uint64_t node; /* 0: not asked yet */
    uint64_t incarnation;
    struct machine_digest asked; /* the leader's own, as of the entry that was asked about */
    bool waits;                  /* for the answer */
    uint64_t asked_ms;
    enum shard_opinion opinion;
    struct machine_digest own;    /* the leader's digest that the answer was compared with */
    struct machine_digest theirs; /* the answer */
};

struct shard_digests {
    struct {
        uint64_t sum;
        uint64_t chain;
    } kept[SHARD_DIGESTS_KEPT]; /* by index */
    uint64_t kept_from;         /* nothing before this entry */

    /* a leader's */
    uint64_t term; /* of the leadership that the rest is of */
    uint64_t due_ms;
    uint64_t due_index;
    struct shard_compared others[RAFT_MEMBERS_MAX];

    /* a follower's: a question about an entry that is not applied yet; index 0: none */
    struct wire_digest question;
    uint64_t question_incarnation;

    bool disputed;
    uint64_t compared;     /* answers, since the start */
    uint64_t agreed_index; /* newest entry of which an answer was equal */
};

void shard_digest_applied(struct shard *shard);  /* after each entry */
void shard_digest_replaced(struct shard *shard); /* after a snapshot was installed */
void shard_ask_digests(struct shard *shard);     /* once a turn */
void shard_take_digest(struct shard *shard, const struct wire_digest *digest, uint64_t incarnation);

#endif
