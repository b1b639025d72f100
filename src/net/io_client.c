/* A client whose socket an I/O thread reads and writes, as the loop sees it. */
#include "net/dispatch.h"
#include "net/io.h"
#include "net/module.h"
#include "net/reply.h"

enum { CREDIT_MAX = INT32_MAX };

/* --- from the loop to a thread --- */

static bool may_move(const struct client *client)
{
    return client->state == CLIENT_OPEN && client->last_command && !client->refusal &&
           !client->end_of_input && !client->writing && client->output.written == 0 &&
           list_is_alone(&client->resume_link) && !client_is_stranger(client);
}

void client_move_to_thread(struct client *client)
{
    if (!may_move(client))
        return;
    client_stop_events(client);
    if (client->in_start)
        buf_consume(&client->in, client->in_start);
    client->in_start = 0;
    resp_parser_close(&client->parser); /* the thread begins the request again */
    struct net_order *order = net_io_adopt(client);
    order->input = client->in;
    client->in = (struct buf){.ptr = NULL};
    client->io_held = client->io_memory = order->input.len;
    client->io_credit = 0;
    client_grant(client);
}

/* --- input --- */

/* So much may come of the client while nothing is taken: never without bound. */
static int64_t credit_max(const struct client *client)
{
    uint64_t most = client_read_ahead_max(client);
    return most < CREDIT_MAX ? (int64_t)most : CREDIT_MAX;
}

void client_grant(struct client *client)
{
    if (client_is_stranger(client) && !client->io_raw) { /* RESET: its limits are narrower now */
        client->io_raw = true;
        net_io_order(client)->raw = true;
    }
    int64_t most = credit_max(client);
    size_t held = client->state == CLIENT_OPEN ? 0 : client_input_len(client);
    int64_t missing = most - client->io_credit - (held < CREDIT_MAX ? (int64_t)held : CREDIT_MAX);
    if (missing < most / 2)
        return;
    client->io_credit += missing;
    net_io_order(client)->credit = (uint64_t)missing;
}

/* Carries out what the thread has cut into requests; the bytes of what is left come back. The
 * thread does not know the limits of a client without a password. */
static struct span run_requests(struct client *client, const struct net_report *report)
{
    struct span rest = report->bytes;
    const struct span *at = report->requests;
    for (uint32_t i = 0; i < report->request_count && client->state == CLIENT_OPEN; i++) {
        size_t argc = at->len;
        size_t used = (size_t)(at->ptr - rest.ptr);
        struct span behind = span_of(at->ptr, rest.len - used);
        if (client_is_stranger(client) || client_must_read(client) ||
            client_dispatch(client, at + 1, argc, used, behind) == NET_HOLD)
            break;
        client->park_until_ms = 0;
        rest = behind;
        at += 1 + argc;
    }
    return client->state >= CLIENT_CLOSING ? span_of(NULL, 0) : rest;
}

/* What is left waits in the client's own buffer, where the loop parses it. */
static void keep(struct client *client, struct net_report *report, struct span rest)
{
    struct buf *in = &client->in;
    if (report->own.ptr && client_input_len(client) == 0) {
        buf_close(in);
        *in = report->own;
        report->own = (struct buf){.ptr = NULL};
        client->in_start = (size_t)(rest.ptr - in->ptr);
        in->len = client->in_start + rest.len;
        return;
    }
    if (client->in_start && in->cap - in->len < rest.len) {
        buf_consume(in, client->in_start);
        client->in_start = 0;
    }
    buf_add_span(in, rest);
}

static void take_requests(struct client *client, struct net_report *report)
{
    struct span rest = report->bytes;
    client->io_credit -= (int64_t)rest.len;
    if (client->state >= CLIENT_CLOSING || rest.len == 0)
        return;
    if (client->state == CLIENT_OPEN && client_input_len(client) == 0)
        rest = run_requests(client, report);
    if (rest.len == 0)
        return;
    keep(client, report, rest);
    if (client->state == CLIENT_OPEN)
        client_process_own(client);
}

static void take_input(struct client *client, struct net_report *report)
{
    size_t own = report->own.cap;
    client->io_memory += own; /* a command may ask how much memory there is */
    take_requests(client, report);
    client->io_memory -= own;
}

/* --- output --- */

static void attach_output(struct client *client, struct net_order *order)
{
    struct net_output *output = &client->output;
    size_t len = net_output_len(output);
    client->io_unwritten += len;
    client->net->statistics.io_writes++;
    if (output->chunks.first || output->tail.len > NET_COPIED_MAX) {
        order->chunks = net_output_take(output);
        return;
    }
    net_io_copy(client, order, buf_span(&output->tail));
    net_output_written(output, len);
}

/* From so many unwritten bytes on down the loop has to hear of it. */
static uint64_t tell_below(const struct client *client)
{
    uint64_t half = client->net->settings.output_pause / 2;
    uint64_t others = client->held_back ? 0 : client->places.kept_bytes + client->owed_bytes;
    return client->state == CLIENT_CLOSING || half < others ? 0 : half - others;
}

static bool has_to_hear(const struct client *client)
{
    return client->io_unwritten &&
           (client->state == CLIENT_UNREAD || client->state == CLIENT_CLOSING || client->held_back);
}

static void end_if_closing(struct client *client)
{
    if (client->state == CLIENT_CLOSING && client->io_unwritten == 0 && client_owed(client) == 0 &&
        net_output_len(&client->output) == 0)
        client_kill(client);
}

void client_hand_over(struct client *client)
{
    if (client->state == CLIENT_DEAD || client_over_hard_limit(client))
        return;
    bool closes = client->state == CLIENT_CLOSING;
    size_t len = net_output_len(&client->output);
    if (len || closes || client->io_unwritten) {
        struct net_order *order = net_io_order(client);
        if (len)
            attach_output(client, order);
        order->stop_reading = closes;
        order->tell = has_to_hear(client);
        order->tell_below = tell_below(client);
    }
    end_if_closing(client);
    client_check_soft_limit(client);
    client_check_unread(client);
}

/* --- reports --- */

static void take_progress(struct client *client, const struct net_report *report)
{
    struct net *net = client->net;
    client->io_unwritten -= report->written;
    client->io_stuck = report->unwritten;
    client->io_held = report->held;
    client->io_memory = report->memory;
    if (report->read || report->written) {
        client->last_active_ms = net_now(net)->mono_ms;
        client->io_shrunk = false;
    }
    if (report->read)
        net->statistics.io_reads++;
    net->statistics.input_bytes += report->read;
    net->statistics.output_bytes += report->written;
    if (report->held > NET_READ_MIN && net->shard)
        shard_expect(net->shard, report->held + report->wanted, *net_now(net));
}

void client_take_report(struct client *client, struct net_report *report)
{
    take_progress(client, report);
    if (report->failed) {
        client_kill(client);
        return;
    }
    if (client->state == CLIENT_DEAD || client_over_hard_limit(client))
        return;
    take_input(client, report);
    if (report->end_of_input && !client->end_of_input) {
        client->end_of_input = true;
        client->end_of_input_ms = net_now(client->net)->mono_ms;
    }
    if (report->bytes.len || report->read || report->end_of_input)
        client_after_commands(client);
    if (client->state == CLIENT_DEAD || (!report->written && !report->told))
        return;
    end_if_closing(client);
    client_check_soft_limit(client);
    client_check_unread(client);
}
