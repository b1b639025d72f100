/* Reads of a node's own state, as READONLY connections get them: possibly old, never older than
 * what the same process has answered before. Counters only grow, so that their values show it. */
#include <stdio.h>

#include "base/number.h"
#include "sim/sim.h"

enum { READ_EVERY = 16 }; /* events of a node */

static int64_t read_counter(struct sim_node *node, int key)
{
    char name[SIM_NAME];
    unsigned database = sim_place(node->sim, 'c', key, name);
    struct span args[] = {SPAN("GET"), span_text(name)};
    struct buf out = {0};
    struct resp_writer reply = {.out = &out, .protocol = 2};
    struct shard_request request = {.command = command_find(node->sim->table, args, 2),
                                    .args = args,
                                    .argc = 2,
                                    .database = database};
    shard_read_local(node->shard, &request, &reply, sim_node_time(node));
    int64_t value = 0; /* "$-1": nobody has counted yet */
    const char *line = memchr(out.ptr, '\n', out.len);
    size_t at = (size_t)(line - out.ptr) + 1;
    if (at < out.len && !number_parse_i64(span_of(out.ptr + at, out.len - at - 2), &value))
        sim_fail(node->sim, "counter %d of node %llu is no number", key,
                 (unsigned long long)node->id);
    buf_close(&out);
    return value;
}

void sim_check_stale(struct sim_node *node)
{
    struct sim *sim = node->sim;
    if (node->stale_turns++ % READ_EVERY || shard_is_leader(node->shard) ||
        shard_fresh_ms(node->shard) == 0)
        return;
    if (shard_fresh_ms(node->shard) < node->fresh_seen_ms)
        sim_fail(sim, "what node %llu has applied became older", (unsigned long long)node->id);
    node->fresh_seen_ms = shard_fresh_ms(node->shard);
    int key = (int)(node->stale_turns / READ_EVERY % SIM_KEYS);
    int64_t value = read_counter(node, key);
    if (value < node->stale_seen[key])
        sim_fail(sim, "counter %d of node %llu went back from %lld to %lld for READONLY clients",
                 key, (unsigned long long)node->id, (long long)node->stale_seen[key],
                 (long long)value);
    if (value > sim->keys[key].attempted)
        sim_fail(sim, "counter %d of node %llu is %lld after %lld increments", key,
                 (unsigned long long)node->id, (long long)value,
                 (long long)sim->keys[key].attempted);
    node->stale_seen[key] = value;
}
