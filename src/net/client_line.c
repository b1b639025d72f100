/* One line of CLIENT LIST, in Redis 7.2's format. */
#include "net/listen.h"
#include "net/local.h"
#include "net/module.h"
#include "net/reply.h"

#include <sys/socket.h>

static void add_flags(const struct client *client, struct buf *out)
{
    size_t before = out->len;
    if (client->transaction.open)
        buf_add_char(out, 'x');
    if (client_is_subscriber(client))
        buf_add_char(out, 'P');
    if (client->state == CLIENT_BLOCKED || client->blocking.waits)
        buf_add_char(out, 'b');
    if (client->state == CLIENT_CLOSING)
        buf_add_char(out, 'c');
    if (client->state == CLIENT_DEAD)
        buf_add_char(out, 'A');
    if (client->is_unix)
        buf_add_char(out, 'U');
    if (client->readonly)
        buf_add_char(out, 'r');
    if (client->no_evict)
        buf_add_char(out, 'e');
    if (client->no_touch)
        buf_add_char(out, 'T');
    if (out->len == before)
        buf_add_char(out, 'N');
}

static const char *text_or_none(const char *text)
{
    return text ? text : "";
}

static unsigned long long big(uint64_t value)
{
    return (unsigned long long)value;
}

static void add_identity(struct client *client, uint64_t now_ms, struct buf *out)
{
    buf_printf(out, "id=%llu addr=%s laddr=%s fd=%d name=", big(client->id), client->address,
               client_local_address(client), client->fd);
    buf_add_text(out, text_or_none(client->name));
    buf_printf(out, " age=%llu idle=%llu flags=", big((now_ms - client->created_ms) / 1000),
               big((now_ms - client->last_active_ms) / 1000));
    add_flags(client, out);
}

static void add_buffers(const struct client *client, struct buf *out)
{
    const struct client_transaction *transaction = &client->transaction;
    const struct net_output *output = &client->output;
    const struct client_subscriptions *heard = &client->subscriptions;
    buf_printf(out, " db=%u sub=%zu psub=%zu ssub=0 multi=%lld", client->database,
               heard->count - heard->patterns, heard->patterns,
               transaction->open ? (long long)transaction->count : -1LL);
    size_t in = client_input_len(client);
    buf_printf(out, " qbuf=%zu qbuf-free=%zu argv-mem=0 multi-mem=%zu", in + client->io_held,
               client->in.cap - in, client_transaction_memory(transaction));
    buf_printf(out, " rbs=%zu rbp=%zu obl=%zu oll=%zu omem=%zu tot-mem=%zu events=%s",
               output->tail.cap, output->tail.cap, output->tail.len, output->chunks.count,
               output->chunks.bytes + client->io_unwritten, client_memory(client),
               client->writing || client->io_stuck ? "rw" : "r");
}

void client_describe(struct client *client, struct buf *out)
{
    add_identity(client, net_now(client->net)->mono_ms, out);
    add_buffers(client, out);
    buf_add_text(out, " cmd=");
    buf_add_text(out, client->last_command ? client->last_command->fullname : "NULL");
    buf_printf(out, " user=default redir=-1 resp=%d lib-name=", client->protocol);
    buf_add_text(out, text_or_none(client->lib_name));
    buf_add_text(out, " lib-ver=");
    buf_add_text(out, text_or_none(client->lib_ver));
    buf_add_char(out, '\n');
}
