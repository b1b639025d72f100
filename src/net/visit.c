/* Clients in turn: who is idle for too long, who has gone, whose buffers are given back. Each is
 * looked at about once a second, a part of them in each call, so that no turn is long. */
#include "net/io.h"
#include "net/module.h"
#include "net/reply.h"

/* All that is empty: a client that wakes up makes new ones. Its thread does the same. */
static void give_back_buffers(struct client *client)
{
    if (client->in.len == 0) {
        buf_close(&client->in);
        resp_parser_close(&client->parser);
    }
    if (net_output_len(&client->output) == 0)
        net_output_close(&client->output);
    client_places_shrink(&client->places);
    client_transaction_shrink(&client->transaction);
    if (client->io_thread && !client->io_shrunk)
        net_io_order(client)->shrink = client->io_shrunk = true;
}

static bool is_idle_too_long(const struct client *client, uint64_t idle_ms)
{
    uint32_t limit = client->net->settings.timeout_seconds;
    return limit && !client->adopted && client->state == CLIENT_OPEN && client_owed(client) == 0 &&
           !client_is_subscriber(client) && idle_ms > (uint64_t)limit * 1000;
}

static void visit(struct client *client)
{
    struct net *net = client->net;
    uint64_t now_ms = net_now(net)->mono_ms;
    if (client->state == CLIENT_DEAD)
        return;
    uint64_t idle_ms = now_ms - client->last_active_ms;
    if (client->refusal && now_ms - client->created_ms > NET_RESERVED_MS &&
        client->state == CLIENT_OPEN) {
        net->statistics.connections_rejected++;
        client_error(client, client->refusal);
        client_close_after_output(client);
        return;
    }
    if (is_idle_too_long(client, idle_ms)) {
        log_line(net->log, LOG_VERBOSE, "closed client %llu at %s: idle",
                 (unsigned long long)client->id, client->address);
        client_kill(client);
        return;
    }
    /* Gone for good, or only done with sending: after a while the first is likelier. */
    if (client->end_of_input && now_ms - client->end_of_input_ms > NET_LINGER_MS) {
        client_kill(client);
        return;
    }
    client_check_soft_limit(client);
    if (idle_ms > NET_IDLE_MS)
        give_back_buffers(client);
}

void net_visit_clients(struct net *net)
{
    uint64_t now_ms = net_now(net)->mono_ms;
    uint64_t passed_ms = net->visited_ms ? now_ms - net->visited_ms : NET_SAMPLE_MS;
    net->visited_ms = now_ms;
    uint64_t share = passed_ms >= 1000 ? net->slot_count : net->slot_count * passed_ms / 1000 + 1;
    for (uint64_t i = 0; i < share && net->slot_count; i++) {
        uint32_t position = net->next_visited++ % net->slot_count;
        if (net->slots[position].client)
            visit(net->slots[position].client);
    }
    if (net->slot_count)
        net->next_visited %= net->slot_count;
}
