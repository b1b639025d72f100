#include "net/statistics.h"
#include "net/io.h"
#include "net/module.h"
#include "net/reply.h"

#include "base/mem.h"

void net_stats_init(struct net *net)
{
    struct net_statistics *statistics = &net->statistics;
    size_t count = net->command_count + 1;
    statistics->commands = mem_zalloc(count * sizeof *statistics->commands);
    statistics->turn_calls = mem_zalloc(count * sizeof *statistics->turn_calls);
    statistics->turn_ids = mem_zalloc(count * sizeof *statistics->turn_ids);
}

void net_stats_close(struct net *net)
{
    mem_free(net->statistics.commands);
    mem_free(net->statistics.turn_calls);
    mem_free(net->statistics.turn_ids);
}

void net_stats_open_window(struct net *net)
{
    if (net->statistics.window_us == 0)
        net->statistics.window_us = net->host.wall_us(net->host.context);
}

void net_stats_close_window(struct net *net)
{
    struct net_statistics *statistics = &net->statistics;
    if (statistics->window_us == 0)
        return;
    int64_t passed_us = net->host.wall_us(net->host.context) - statistics->window_us;
    uint64_t left_us = passed_us > 0 ? (uint64_t)passed_us : 0;
    uint64_t left_calls = statistics->turn_total;
    for (size_t i = 0; i < statistics->turn_id_count; i++) {
        uint16_t id = statistics->turn_ids[i];
        uint64_t share = left_us * statistics->turn_calls[id] / left_calls;
        statistics->commands[id].usec += share;
        left_us -= share;
        left_calls -= statistics->turn_calls[id];
        statistics->turn_calls[id] = 0;
    }
    statistics->turn_id_count = 0;
    statistics->turn_total = 0;
    statistics->window_us = 0;
}

void net_stats_executed(struct net *net, const struct command *command, bool error)
{
    struct net_statistics *statistics = &net->statistics;
    struct net_command_stats *stats = &statistics->commands[command->id];
    stats->calls++;
    stats->failed += error;
    statistics->commands_processed++;
    if (!command->run || statistics->window_us == 0)
        return;
    if (statistics->turn_calls[command->id]++ == 0)
        statistics->turn_ids[statistics->turn_id_count++] = command->id;
    statistics->turn_total++;
}

void net_stats_rejected(struct net *net, const struct command *command)
{
    net->statistics.commands[command->id].rejected++;
}

/* By the first word of "-CODE text"; an error without a code counts as ERR, as in Redis. */
void net_stats_error(struct net *net, const char *reply, size_t len)
{
    struct net_statistics *statistics = &net->statistics;
    statistics->error_replies++;
    size_t code_len = 0;
    while (1 + code_len < len && code_len < NET_ERROR_CODE_MAX && reply[1 + code_len] > ' ')
        code_len++;
    struct span code =
        code_len && code_len < NET_ERROR_CODE_MAX ? span_of(reply + 1, code_len) : SPAN("ERR");
    for (size_t i = 0; i < statistics->error_codes; i++) {
        struct net_error_count *known = &statistics->errors[i];
        if (span_equal(code, span_of(known->code, known->len))) {
            known->count++;
            return;
        }
    }
    if (statistics->error_codes == NET_ERROR_CODES)
        return;
    struct net_error_count *added = &statistics->errors[statistics->error_codes++];
    memcpy(added->code, code.ptr, code.len);
    added->len = code.len;
    added->count = 1;
}

/* --- rates --- */

static void rate_add(struct net_rate *rate, size_t position, uint64_t value, uint64_t passed_ms)
{
    rate->samples[position] = (value - rate->last) * 1000 / passed_ms;
    rate->last = value;
}

static double rate_mean(const struct net_rate *rate)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < NET_SAMPLES; i++)
        sum += rate->samples[i];
    return (double)sum / NET_SAMPLES;
}

void net_stats_tick(struct net *net)
{
    struct net_statistics *statistics = &net->statistics;
    uint64_t now_ms = net_now(net)->mono_ms;
    uint64_t passed_ms = now_ms - statistics->sampled_ms;
    if (passed_ms < NET_SAMPLE_MS)
        return;
    size_t position = statistics->next_sample++ % NET_SAMPLES;
    rate_add(&statistics->operations, position, statistics->commands_processed, passed_ms);
    rate_add(&statistics->input, position, statistics->input_bytes, passed_ms);
    rate_add(&statistics->output, position, statistics->output_bytes, passed_ms);
    statistics->sampled_ms = now_ms;
}

/* --- for INFO --- */

static void add_clients(const struct net *net, struct net_stats *stats)
{
    struct client *client;
    for (uint32_t i = 0; (client = net_next_client(net, &i));) {
        size_t in = client_input_len(client) + client->io_held;
        size_t out = client_output_len(client);
        stats->clients_memory += client_memory(client);
        if (in > stats->max_query_buffer)
            stats->max_query_buffer = in;
        if (out > stats->max_output_buffer)
            stats->max_output_buffer = out;
    }
}

uint64_t net_input_bytes(const struct net *net)
{
    return net->statistics.input_bytes;
}

struct net_stats net_stats(const struct net *net)
{
    const struct net_statistics *statistics = &net->statistics;
    struct net_stats stats = {
        .connected_clients = net->clients,
        .blocked_clients = net->waiting_for_keys + net->waiting_count[CLIENT_BLOCKED] +
                           net->waiting_count[CLIENT_PARKED] + net->waiting_count[CLIENT_PAUSED],
        .connections_received = statistics->connections_received,
        .connections_rejected = statistics->connections_rejected,
        .commands_processed = statistics->commands_processed,
        .input_bytes = statistics->input_bytes,
        .output_bytes = statistics->output_bytes,
        .io_threads = net->io_threads,
        .io_reads = statistics->io_reads,
        .io_writes = statistics->io_writes,
        .error_replies = statistics->error_replies,
        .query_buffer_limit_disconnections = statistics->query_buffer_limit_disconnections,
        .output_buffer_limit_disconnections = statistics->output_buffer_limit_disconnections,
        .ops_per_second = rate_mean(&statistics->operations),
        .input_kbps = rate_mean(&statistics->input) / 1024,
        .output_kbps = rate_mean(&statistics->output) / 1024,
    };
    add_clients(net, &stats);
    stats.io_memory = net_io_memory(net->io);
    return stats;
}

const struct net_command_stats *net_command_stats(const struct net *net)
{
    return net->statistics.commands;
}

void net_each_error(const struct net *net,
                    void (*visit)(void *context, struct span code, uint64_t count), void *context)
{
    for (size_t i = 0; i < net->statistics.error_codes; i++) {
        const struct net_error_count *error = &net->statistics.errors[i];
        visit(context, span_of(error->code, error->len), error->count);
    }
}

void net_reset_stats(struct net *net)
{
    struct net_statistics *statistics = &net->statistics;
    net_stats_close_window(net);
    size_t count = net->command_count;
    memset(statistics->commands, 0, count * sizeof *statistics->commands);
    struct net_statistics kept = *statistics;
    *statistics = (struct net_statistics){.commands = kept.commands,
                                          .turn_calls = kept.turn_calls,
                                          .turn_ids = kept.turn_ids,
                                          .next_sample = kept.next_sample,
                                          .sampled_ms = kept.sampled_ms};
}
