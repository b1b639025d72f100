/* Private to net/: replies, gathered in one buffer for each client and written once a turn. */
#ifndef FLOTILLA_NET_REPLY_H
#define FLOTILLA_NET_REPLY_H

#include "net/connection.h"

static inline size_t client_output_len(const struct client *client)
{
    return client->out.len - client->out_start;
}
bool client_wants_replies(const struct client *client);
void client_queue_flush(struct client *client);
void client_write(struct client *client); /* as much as the socket takes */
bool client_over_hard_limit(struct client *client);
void client_check_soft_limit(struct client *client);
/* One reply of net's own: straight into the output buffer, or in turn behind what the shard owes.
 */
struct resp_writer client_begin_reply(struct client *client);
bool client_end_reply(struct client *client, const struct resp_writer *reply); /* it was an error */
void client_error(struct client *client, const char *text);
void client_status(struct client *client, const char *text);

#endif
