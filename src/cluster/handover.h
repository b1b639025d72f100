/* Whether leadership can be handed to a node now, as a sentence for the operator. Pure. */
#ifndef FLOTILLA_CLUSTER_HANDOVER_H
#define FLOTILLA_CLUSTER_HANDOVER_H

#include "base/err.h"
#include "cluster/members.h"
#include "raft/raft.h"

struct cluster_handover {
    const struct raft_status *status; /* the leader's */
    uint64_t leader;                  /* its id */
    uint64_t target;                  /* 0: any voter that can lead */
    uint64_t now_ms;
    uint32_t silence_ms; /* a node that has been silent for so long is taken for dead */
};

/* ERR_INVALID: `message` says why not, without an error prefix. */
MUST_CHECK enum err cluster_handover_check(const struct cluster_handover *handover,
                                           char message[CLUSTER_MESSAGE_MAX]);

#endif
