/* Private to net/: replies, gathered in one buffer for each client and written once a turn. */
#ifndef FLOTILLA_NET_REPLY_H
#define FLOTILLA_NET_REPLY_H

#include "net/connection.h"

enum { NET_SHORT_REPLY_BYTES = 16 * 1024 }; /* shorter ones are not worth a look-up */

/* Bytes of replies that the client has not read, early ones too. */
static inline size_t client_output_len(const struct client *client)
{
    return net_output_len(&client->output) + client->places.kept_bytes + client->io_unwritten;
}
/* A place for the reply of a request that the shard is about to get. */
struct shard_client client_expect_reply(struct client *client);
void client_expect_no_reply(struct client *client); /* the shard did not take it */
/* The shard's reply for a place: where to write it, NULL if it is not wanted, and its end. */
struct buf *client_begin_place(struct client *client, uint32_t place);
void client_end_place(struct client *client, uint32_t place);
void client_take_piece(void *context, struct buf *out); /* see struct resp_pieces */
void client_queue_flush(struct client *client);
void client_write(struct client *client); /* as much as the socket takes */
bool client_over_hard_limit(struct client *client);
void client_check_unread(struct client *client); /* whether it, or a read of it, may go on */
/* The shard must not carry out the read that has this place now. */
bool client_is_full(const struct client *client, uint32_t place);
void client_owes_nothing(struct client *client);
void client_check_soft_limit(struct client *client);
/* One reply of net's own: straight into the output, or kept at a place behind what is owed. */
struct resp_writer client_begin_reply(struct client *client);
bool client_end_reply(struct client *client, const struct resp_writer *reply); /* it was an error */
/* What the client did not ask for (RESP3): between its replies, before those that it is owed. */
struct resp_writer client_begin_push(struct client *client);
void client_end_push(struct client *client);
void client_error(struct client *client, const char *text);
void client_status(struct client *client, const char *text);

#endif
