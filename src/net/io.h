/* Private to net/: threads that read, parse and write for the loop (io-threads).
 *
 * A connection begins on the loop, which reads and writes it as if there were no threads. When its
 * first command was carried out it moves to one thread for the rest of its life: nodes, and clients
 * that are refused, never get that far. From then on
 *
 *   the thread owns   the descriptor, what of a request has come, what is not written yet
 *   the loop owns     struct client and all the rest
 *
 * and neither touches what the other owns. They send each other values (io_channel.h): orders to
 * the thread, reports to the loop. A message names a client by its handle. The loop frees a client
 * when it likes, and then orders the thread to close: that is the last order for it. The thread
 * closes the descriptor only then, so that no number is used anew while the other side still means
 * the old connection. A report for a client that is gone finds nobody.
 *
 * The thread cuts input into requests; the loop may always do that again from the bytes, which
 * come along. It does so for whatever waits (the bytes go to the client's own buffer, as without
 * threads), for a client that is not authenticated, and for what the thread took for malformed. */
#ifndef FLOTILLA_NET_IO_H
#define FLOTILLA_NET_IO_H

#include "net/connection.h"
#include "net/io_channel.h"

struct net_io;

/* Starts `count` threads. Without threads.start they are the caller's to step. */
struct net_io *net_io_new(struct net *net, unsigned count, const struct net_threads *threads);
/* When all clients are freed. What was ordered is written, as far as the sockets take it. */
void net_io_free(struct net_io *io);
/* Takes what the threads have reported: clients go on. */
void net_io_take(struct net_io *io);
/* Sends the orders of this turn. */
void net_io_publish(struct net_io *io);
/* The loop is about to wait for events: how long it may. 0: there are reports already. */
uint32_t net_io_wait_ms(struct net_io *io, uint32_t most);
/* Of buffers that belong to no client. */
size_t net_io_memory(const struct net_io *io);
void net_io_change_settings(struct net_io *io);
/* Gives the client to the thread with the fewest. The order is to be filled in; it is valid until
 * the next one, as is that of net_io_order(). */
struct net_order *net_io_adopt(struct client *client);
struct net_order *net_io_order(struct client *client);
/* Short replies, for the client's newest order. */
void net_io_copy(struct client *client, struct net_order *order, struct span bytes);
void net_io_step(struct net_io *io, unsigned number); /* see net_step_io() */
void net_io_leave(struct client *client);             /* its thread closes the descriptor */

/* io_client.c */
/* It has shown that it is a client, and nothing of it is half done: a thread gets it. */
void client_move_to_thread(struct client *client);
void client_take_report(struct client *client, struct net_report *report);
/* Replies for the thread to write, and what else it has to know. */
void client_hand_over(struct client *client);
/* The thread may read on, if the loop has caught up with it. */
void client_grant(struct client *client);

#endif
