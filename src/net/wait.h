/* Private to net/: commands that block their client, and CLIENT PAUSE. */
#ifndef FLOTILLA_NET_WAIT_H
#define FLOTILLA_NET_WAIT_H

#include "net/connection.h"

/* The client is blocked until `is_over` says so or CLIENT UNBLOCK ends it; then its command is
 * looked at again, in the phase that says which of the two it was. */
void client_block(struct client *client, bool (*is_over)(void *context), void *context);
bool client_unblock(struct client *client, bool with_error);
void net_wait_check(struct net *net); /* who of the blocked may go on */

void net_pause_end(struct net *net);
bool net_pause_concerns(struct net *net, uint32_t flags);

#endif
