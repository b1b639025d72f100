/* Between seeking.c, which decides, and seeking_describe.c, which says why. */
#ifndef FLOTILLA_CLUSTER_SEEKING_INTERNAL_H
#define FLOTILLA_CLUSTER_SEEKING_INTERNAL_H

#include "cluster/seeking.h"

/* What is in the way of a list of founders. */
enum seeking_obstacle {
    SEEKING_NO_OBSTACLE,
    SEEKING_NO_OWN_ADDRESS,
    SEEKING_SEED_MISSING,  /* it has no address */
    SEEKING_NOT_REACHED,   /* a seed */
    SEEKING_SEVERAL_BEGUN, /* clusters */
    SEEKING_OTHER_CLUSTER, /* it has begun, and this node may not join it */
    SEEKING_NOT_TAKEN_IN,  /* it has begun, and its leader has not answered yet */
    SEEKING_FOUNDS_NOTHING,
    SEEKING_HAS_A_RECORD, /* of others */
    SEEKING_KNOWS_NO_ADDRESS,
    SEEKING_EXPECTS_OTHERS, /* another number of them */
    SEEKING_SAME_ADDRESS,
    SEEKING_SAME_ID,
    SEEKING_TOO_FEW,
    SEEKING_TOO_MANY,
};

struct seeking_candidate {
    const char *address;
    uint64_t incarnation;
    uint64_t id; /* the wished one, then the one it has on the list */
};

bool seeking_is_self(const struct seeking *seeking, const struct seeking_contact *contact);
/* Another node has spoken there, and its cluster has begun. */
bool seeking_has_begun(const struct seeking *seeking, const struct seeking_contact *contact);
/* This node and all others that it has heard, by address. Room for SEEKING_CONTACTS_MAX + 1. */
size_t seeking_gather(const struct seeking *seeking, struct seeking_candidate *list);
/* Why this node has no list of founders, and at which contact (NULL: at none). */
enum seeking_obstacle seeking_obstacle(const struct seeking *seeking,
                                       const struct seeking_contact **where);

#endif
