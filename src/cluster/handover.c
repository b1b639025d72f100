#include "cluster/handover.h"

#include <stdio.h>

#define U(value) ((unsigned long long)(value))

static bool is_silent(const struct cluster_handover *handover, const struct raft_peer_status *peer)
{
    return peer->last_contact_ms == 0 ||
           handover->now_ms >= peer->last_contact_ms + handover->silence_ms;
}

static bool can_lead(const struct cluster_handover *handover, const struct raft_peer_status *peer)
{
    return peer->voter && peer->state == RAFT_REPLICATE && !peer->no_room &&
           !is_silent(handover, peer);
}

static enum err check_any(const struct cluster_handover *handover,
                          char message[CLUSTER_MESSAGE_MAX])
{
    for (size_t i = 0; i < handover->status->peer_count; i++)
        if (can_lead(handover, &handover->status->peers[i]))
            return ERR_NONE;
    snprintf(message, CLUSTER_MESSAGE_MAX,
             "no other voter can lead now: each is silent, far behind, or has no room on its disk");
    return ERR_INVALID;
}

static enum err check_target(const struct cluster_handover *handover,
                             const struct raft_peer_status *peer, char message[CLUSTER_MESSAGE_MAX])
{
    const char *why = NULL;
    if (!peer->voter)
        why = "has no vote: RAFT.NODE PROMOTE makes a voter of it";
    else if (is_silent(handover, peer))
        why = "has not been heard of lately";
    else if (peer->no_room)
        why = "has no room on its disk";
    if (!why)
        return ERR_NONE;
    snprintf(message, CLUSTER_MESSAGE_MAX, "node %llu %s", U(peer->id), why);
    return ERR_INVALID;
}

enum err cluster_handover_check(const struct cluster_handover *handover,
                                char message[CLUSTER_MESSAGE_MAX])
{
    const struct raft_status *status = handover->status;
    if (status->transfer_target) {
        snprintf(message, CLUSTER_MESSAGE_MAX,
                 "leadership is being handed over to node %llu already",
                 U(status->transfer_target));
        return ERR_INVALID;
    }
    if (handover->target == 0)
        return check_any(handover, message);
    if (handover->target == handover->leader) {
        snprintf(message, CLUSTER_MESSAGE_MAX, "node %llu leads already", U(handover->target));
        return ERR_INVALID;
    }
    for (size_t i = 0; i < status->peer_count; i++)
        if (status->peers[i].id == handover->target)
            return check_target(handover, &status->peers[i], message);
    snprintf(message, CLUSTER_MESSAGE_MAX, "node %llu is no member: see RAFT.NODE LIST",
             U(handover->target));
    return ERR_INVALID;
}
