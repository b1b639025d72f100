/* Leadership goes to another node because somebody asks for it. */
#include <inttypes.h>

#include "shard/internal.h"
#include "wire/handover.h"

void shard_transfer(struct shard *shard, uint64_t node, struct shard_time now)
{
    shard_set_now(shard, now);
    struct raft_event event = {.type = RAFT_EVENT_TRANSFER, .now_ms = shard->now.mono_ms};
    event.peer = node;
    shard_step(shard, &event, NULL, 0);
}

bool shard_ask_to_lead(struct shard *shard)
{
    struct raft_status status;
    raft_status(shard->raft, &status);
    if (status.role != RAFT_FOLLOWER || status.leader == 0 || !status.self_is_voter ||
        !shard_forwards(shard)) /* an older leader does not know the message */
        return false;
    const struct wire_handover message = {.cluster_id =
                                              span_text(shard->options.cluster->cluster_id),
                                          .shard = shard->options.number,
                                          .term = status.term,
                                          .from = raft_id(shard->raft),
                                          .to = status.leader};
    shard->encoded.len = 0;
    wire_encode_handover(&shard->encoded, &message);
    shard->options.host.send(shard->options.host.send_context, status.leader, false,
                             buf_span(&shard->encoded));
    return true;
}

/* A node that asks in another term, or under another incarnation than the member's, asks for what
 * is over. */
enum err shard_take_handover(struct shard *shard, const struct shard_peer *from,
                             const struct span *args, size_t argc)
{
    struct wire_handover message;
    enum err err = wire_parse_handover(args, argc, &message);
    if (err)
        return err;
    const struct shard_ends ends = {message.cluster_id, message.shard, message.from, message.to};
    if (shard_is_foreign(shard, from, &ends))
        return ERR_FOREIGN;
    const struct raft_member *member =
        raft_membership_find(raft_membership(shard->raft), from->node);
    if (!shard_is_leader(shard) || message.term != raft_term(shard->raft) || !member ||
        member->incarnation != from->incarnation)
        return ERR_NONE;
    bool can = raft_accepts(shard->raft) && raft_can_hand_over_to(shard->raft, from->node);
    log_line(shard->options.log, LOG_NOTICE, "shard %" PRIu32 ": node %" PRIu64 " asks to lead: %s",
             shard->options.number, from->node,
             can                         ? "leadership goes to it"
             : raft_accepts(shard->raft) ? "it has no vote, is far behind, or has no room"
                                         : "leadership is being handed over already");
    if (can)
        shard_transfer(shard, from->node, shard->now);
    return ERR_NONE;
}
