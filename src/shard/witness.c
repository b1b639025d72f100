#include "shard/witness.h"

#include "shard/internal.h"
#include "wire/witness.h"

static void send_to(struct shard *shard, struct wire_witness *message, uint64_t node)
{
    message->to = node;
    shard->encoded.len = 0;
    wire_encode_witness(&shard->encoded, message);
    shard->options.host.send(shard->options.host.send_context, node, false,
                             buf_span(&shard->encoded));
}

static bool is_due(struct shard *shard)
{
    struct shard_witnesses *told = &shard->witnesses;
    size_t holders = raft_term_holders(shard->raft);
    if (told->term != raft_term(shard->raft))
        *told = (struct shard_witnesses){.term = raft_term(shard->raft),
                                         .due_ms = shard->now.mono_ms +
                                                   shard->options.digest_interval_ms};
    if (shard->now.mono_ms < told->due_ms && holders <= told->holders)
        return false;
    told->due_ms = shard->now.mono_ms + shard->options.digest_interval_ms;
    told->holders = holders;
    return true;
}

void shard_tell_witnesses(struct shard *shard)
{
    if (!shard_is_leader(shard) || shard->options.digest_interval_ms == 0 || !is_due(shard))
        return;
    struct wire_witness message = {.cluster_id = span_text(shard->options.cluster->cluster_id),
                                   .shard = shard->options.number,
                                   .term = raft_term(shard->raft),
                                   .from = raft_id(shard->raft)};
    message.count = raft_witnesses(shard->raft, message.members);
    const struct raft_membership *members = raft_membership(shard->raft);
    for (size_t i = 0; message.count && i < members->count; i++)
        if (members->members[i].id != raft_id(shard->raft))
            send_to(shard, &message, members->members[i].id);
}

/* Only the leader that this node follows is believed: an index that nobody has would end the
 * incarnation of a healthy folder. */
enum err shard_take_witnesses(struct shard *shard, const struct shard_peer *from,
                              const struct span *args, size_t argc)
{
    struct wire_witness message;
    enum err err = wire_parse_witness(args, argc, &message);
    if (err)
        return err;
    const struct shard_ends ends = {message.cluster_id, message.shard, message.from, message.to};
    if (shard_is_foreign(shard, from, &ends))
        return ERR_FOREIGN;
    if (message.term != raft_term(shard->raft) || message.from != raft_leader(shard->raft) ||
        message.from == raft_id(shard->raft))
        return ERR_NONE;
    for (size_t i = 0; i < message.count; i++) {
        shard->refusal = raft_witness_refusal(&message.members[i]);
        if (shard->refusal)
            return ERR_INVALID;
    }
    for (size_t i = 0; i < message.count; i++)
        raft_witness(shard->raft, message.members[i].id, message.members[i].incarnation,
                     message.members[i].index);
    return ERR_NONE;
}
