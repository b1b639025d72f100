/* One node lies. It is connected as itself and speaks the language, with right checksums: numbers
 * of its real messages are others, old messages come again, answers are made up. Nobody is to crash
 * of that, and every disk opens afterwards. What is committed, or what clients see, is not judged:
 * a member that lies can win elections, and who leads decides. */
#include <string.h>

#include "resp/parse.h"
#include "sim/sim.h"
#include "wire/digest.h"
#include "wire/forward.h"
#include "wire/message.h"
#include "wire/witness.h"

enum { SECOND = 1000000, FIELDS_MAX = 10, CHUNK_MAX = 1 << 17 };

static const char *const payloads[] = {"", "*1\r\n$4\r\nNONE\r\n",
                                       "*3\r\n$3\r\nSET\r\n$2\r\nc1\r\n$1\r\nx\r\n",
                                       "#MEMBER:1:1:1:0:n1:7001\r\n", "*1\r\n$5\r\nMULTI\r\n"};

bool sim_has_liar(const struct sim *sim)
{
    return sim->profile.lies > 0;
}

/* Near to what it was, or far from anything. */
static void bend_number(struct sim *sim, uint64_t *number)
{
    switch (sim_between(sim, 0, 6)) {
    case 0:
        *number += 1;
        return;
    case 1:
        *number -= *number > 0;
        return;
    case 2:
        *number += sim_between(sim, 0, 1000);
        return;
    case 3:
        *number = 0;
        return;
    case 4:
        *number = UINT64_MAX >> sim_between(sim, 0, 63);
        return;
    case 5:
        *number -= sim_between(sim, 0, *number < 100 ? *number : 100);
        return;
    default:
        *number += UINT64_C(1) << sim_between(sim, 0, 63);
    }
}

static void bend_flag(struct sim *sim, bool *flag)
{
    if (sim_chance(sim, 0.2))
        *flag = !*flag;
}

/* The numbers of the message besides its term. */
static size_t fields_of(struct raft_message *message, uint64_t *fields[FIELDS_MAX])
{
    size_t count = 0;
    switch (message->type) {
    case RAFT_VOTE_REQUEST:
        fields[count++] = &message->vote_request.last_index;
        fields[count++] = &message->vote_request.last_term;
        return count;
    case RAFT_VOTE_RESPONSE:
        fields[count++] = &message->vote_response.last_index;
        fields[count++] = &message->vote_response.to_incarnation;
        fields[count++] = &message->vote_response.witnessed;
        fields[count++] = &message->vote_response.wall_ms;
        fields[count++] = &message->vote_response.time_ms;
        fields[count++] = &message->vote_response.heard_ago_ms;
        fields[count++] = &message->vote_response.heard_term;
        return count;
    case RAFT_APPEND_REQUEST:
        fields[count++] = &message->append_request.prev_index;
        fields[count++] = &message->append_request.prev_term;
        fields[count++] = &message->append_request.commit;
        fields[count++] = &message->append_request.read_context;
        fields[count++] = &message->append_request.acknowledged;
        fields[count++] = &message->append_request.time_ms;
        return count;
    case RAFT_APPEND_RESPONSE:
        fields[count++] = &message->append_response.match;
        fields[count++] = &message->append_response.read_context;
        fields[count++] = &message->append_response.sent_ms;
        fields[count++] = &message->append_response.rejected_prev;
        fields[count++] = &message->append_response.hint_index;
        fields[count++] = &message->append_response.hint_term;
        return count;
    case RAFT_SNAPSHOT_REQUEST:
        fields[count++] = &message->snapshot_request.index;
        fields[count++] = &message->snapshot_request.term;
        fields[count++] = &message->snapshot_request.offset;
        fields[count++] = &message->snapshot_request.total;
        return count;
    case RAFT_SNAPSHOT_RESPONSE:
        fields[count++] = &message->snapshot_response.index;
        fields[count++] = &message->snapshot_response.term;
        fields[count++] = &message->snapshot_response.offset;
        return count;
    case RAFT_TIMEOUT_NOW:
        return count;
    }
    return count;
}

static void bend_entry(struct sim *sim, struct entry *entry)
{
    switch (sim_between(sim, 0, 4)) {
    case 0:
        bend_number(sim, &entry->term);
        return;
    case 1:
        bend_number(sim, &entry->index);
        return;
    case 2:
        bend_number(sim, &entry->seed);
        return;
    case 3:
        entry->payload = span_text(payloads[sim_between(sim, 0, 4)]);
        return;
    default:
        entry->kind = (enum entry_kind) "NCTEM"[sim_between(sim, 0, 4)];
    }
}

/* The records of an append, one of them another than it was. */
static void bend_entries(struct sim *sim, struct wire_message *message, struct buf *tail)
{
    size_t count = message->message.append_request.entry_count;
    size_t bent = count && sim_chance(sim, 0.7) ? sim_between(sim, 0, count - 1) : count;
    for (size_t i = 0; i < count; i++) {
        if (i == bent)
            bend_entry(sim, &message->entries[i]);
        entry_encode(tail, &message->entries[i]);
    }
}

static void bend_chunk(struct sim *sim, struct wire_message *message, struct buf *tail)
{
    buf_add_span(tail, message->chunk);
    if (tail->len && sim_chance(sim, 0.5))
        tail->ptr[sim_between(sim, 0, tail->len - 1)] ^= (char)(1 << sim_between(sim, 0, 6));
}

static void bend(struct sim *sim, struct wire_message *message, struct buf *tail)
{
    struct raft_message *raft = &message->message;
    uint64_t *fields[FIELDS_MAX];
    size_t count = fields_of(raft, fields);
    if (sim_chance(sim, 0.3))
        bend_number(sim, &raft->term);
    if (count && sim_chance(sim, 0.7))
        bend_number(sim, fields[sim_between(sim, 0, count - 1)]);
    if (raft->type == RAFT_APPEND_REQUEST)
        bend_entries(sim, message, tail);
    else if (raft->type == RAFT_SNAPSHOT_REQUEST)
        bend_chunk(sim, message, tail);
    else if (raft->type == RAFT_VOTE_RESPONSE)
        bend_flag(sim, &raft->vote_response.granted);
    else if (raft->type == RAFT_APPEND_RESPONSE)
        bend_flag(sim, &raft->append_response.success);
}

static void bend_digest(struct sim *sim, struct wire_digest *digest)
{
    uint64_t *fields[] = {&digest->term, &digest->index, &digest->sum, &digest->chain,
                          &digest->chain_from};
    bend_number(sim, fields[sim_between(sim, 0, 4)]);
    digest->verdict = (enum wire_verdict)sim_between(sim, 0, 2);
}

static void bend_witness(struct sim *sim, struct wire_witness *witness)
{
    if (sim_chance(sim, 0.3))
        bend_number(sim, &witness->term);
    if (witness->count == 0)
        return;
    struct raft_witness *member = &witness->members[sim_between(sim, 0, witness->count - 1)];
    uint64_t *fields[] = {&member->id, &member->incarnation, &member->index};
    bend_number(sim, fields[sim_between(sim, 0, 2)]);
}

static void bend_forward(struct sim *sim, struct wire_forward *forward)
{
    uint64_t *fields[] = {&forward->term, &forward->numbers[0], &forward->numbers[1],
                          &forward->numbers[2]};
    bend_number(sim, fields[sim_between(sim, 0, 3)]);
    if (sim_chance(sim, 0.2) && forward->items.len)
        forward->items.len = sim_between(sim, 0, forward->items.len);
}

/* `text`, of this node, for `to`, as it was or with other content. False: it is nothing that can be
 * bent. */
static bool retell(struct sim *sim, struct span text, uint64_t to, bool bends, struct buf *lie)
{
    static const struct resp_limits limits = {.bulk_len_max = INT64_MAX, .authenticated = true};
    struct resp_parser parser = {0};
    struct wire_message message = {0};
    struct wire_digest digest;
    struct wire_witness witness;
    struct wire_forward forward;
    struct buf tail = {0};
    bool parses = resp_parse(&parser, text, &limits) == RESP_COMMAND;
    if (parses && wire_parse_digest(parser.args, parser.argc, &digest) == ERR_NONE) {
        digest.to = to;
        if (bends)
            bend_digest(sim, &digest);
        wire_encode_digest(lie, &digest);
    } else if (parses && wire_parse_witness(parser.args, parser.argc, &witness) == ERR_NONE) {
        witness.to = to;
        if (bends)
            bend_witness(sim, &witness);
        wire_encode_witness(lie, &witness);
    } else if (parses && wire_parse_forward(parser.args, parser.argc, &forward) == ERR_NONE) {
        forward.to = to;
        if (bends)
            bend_forward(sim, &forward);
        wire_encode_forward(lie, &forward);
    } else if (parses && wire_parse_message(parser.args, parser.argc, &message) == ERR_NONE) {
        message.message.to = to;
        buf_add_text(&tail, "");
        if (bends)
            bend(sim, &message, &tail);
        else
            buf_add_span(&tail, message.message.type == RAFT_APPEND_REQUEST
                                    ? parser.args[parser.argc - 1]
                                    : message.chunk);
        message.message.snapshot_request.bytes = message.message.type == RAFT_SNAPSHOT_REQUEST
                                                     ? tail.len
                                                     : message.message.snapshot_request.bytes;
        wire_encode_message(lie, message.cluster_id, message.shard, &message.message,
                            buf_span(&tail));
    }
    wire_message_close(&message);
    resp_parser_close(&parser);
    buf_close(&tail);
    return lie->len > 0;
}

/* An answer to what the receiver may have asked, as it would like to hear it. */
static void forge(struct sim *sim, const struct sim_node *from, const struct sim_node *to,
                  struct buf *lie)
{
    static const enum raft_message_type types[] = {RAFT_VOTE_RESPONSE, RAFT_APPEND_RESPONSE,
                                                   RAFT_SNAPSHOT_RESPONSE, RAFT_TIMEOUT_NOW};
    const struct raft *raft = shard_raft(to->shard);
    struct raft_message message = {.type = types[sim_between(sim, 0, 3)],
                                   .from = from->id,
                                   .to = to->id,
                                   .term = raft_term(raft)};
    if (message.type == RAFT_VOTE_RESPONSE) {
        message.vote_response.granted = true;
        message.vote_response.last_index = raft_last_index(raft);
        message.vote_response.pre = raft_role(raft) == RAFT_PRECANDIDATE;
        message.term += message.vote_response.pre;
    } else if (message.type == RAFT_APPEND_RESPONSE) {
        message.append_response.success = true;
        message.append_response.match = raft_last_index(raft);
        message.append_response.hint_index = raft_last_index(raft);
    } else if (message.type == RAFT_SNAPSHOT_RESPONSE) {
        message.snapshot_response.index = raft_snapshot(raft).index;
        message.snapshot_response.term = raft_snapshot(raft).term;
        message.snapshot_response.offset =
            sim_between(sim, 0, raft_snapshot(raft).bytes % CHUNK_MAX);
    }
    wire_encode_message(lie, span_text(to->cluster.cluster_id), 0, &message, SPAN(""));
}

bool sim_lie(struct sim *sim, const struct sim_node *from, const struct sim_node *to,
             struct span truth, struct buf *lie)
{
    if (!sim_has_liar(sim) || sim->faults_stop || from->position != sim->profile.liar)
        return false;
    struct buf *kept = &sim->told[sim->told_count++ % SIM_TOLD_KEPT];
    kept->len = 0;
    buf_add_span(kept, truth);
    if (!sim_chance(sim, sim->profile.lies))
        return false;
    uint64_t most = sim->told_count < SIM_TOLD_KEPT ? sim->told_count : SIM_TOLD_KEPT;
    struct span old = buf_span(&sim->told[sim_between(sim, 0, most - 1)]);
    uint64_t how = sim_between(sim, 0, 9);
    bool told = true;
    if (how < 6)
        told = retell(sim, truth, to->id, true, lie);
    else if (how < 8)
        told = retell(sim, old, to->id, how == 7, lie);
    else
        forge(sim, from, to, lie);
    sim->stats.lies += told;
    return told;
}

void sim_note_refusal(struct sim_node *node, uint64_t from)
{
    struct sim *sim = node->sim;
    const struct sim_node *sender = sim_node_of(sim, from);
    const char *refusal = shard_refusal(node->shard);
    /* The answer to a question that the node asked before it lost its disk: it remembers neither.
     */
    bool is_late = sim->stats.wipes + sim->stats.losses > 0 &&
                   strcmp(refusal, "a vote that was not asked for") == 0;
    if (!sim_has_liar(sim) && !is_late)
        sim_fail(sim, "a message of node %llu is refused: %s", (unsigned long long)from, refusal);
    sim_trace(sim, "node %llu refuses a message of node %llu: %s", (unsigned long long)node->id,
              (unsigned long long)from, refusal);
    sim->stats.lies_refused++;
    if (!sender)
        return;
    sim->connections[sender->position][node->position]++;
    sim->connections[node->position][sender->position]++;
}

static void restart_all(struct sim *sim)
{
    for (int i = 0; i < sim->profile.nodes; i++) {
        struct sim_node *node = &sim->nodes[i];
        if (node->up)
            sim_node_crash(node, sim_chance(sim, 0.5));
        node->disk.full_until_us = 0;
    }
    for (int i = 0; i < sim->profile.nodes; i++)
        if (sim->nodes[i].exists && !sim->nodes[i].up)
            sim_node_start(&sim->nodes[i]);
}

void sim_end_with_liar(struct sim *sim)
{
    sim->stats.liars++;
    sim_heal(sim);
    restart_all(sim);
    sim_run_for(sim, 2 * SECOND);
    restart_all(sim);
    sim->stats.virtual_ms = sim->now_us / 1000;
}
