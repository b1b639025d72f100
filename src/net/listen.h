/* Private to net/: listening sockets, and what a socket knows of its ends. */
#ifndef FLOTILLA_NET_LISTEN_H
#define FLOTILLA_NET_LISTEN_H

#include "net/connection.h"

void net_listeners_tick(struct net *net);
const char *client_local_address(struct client *client);
void client_leave_refused(struct client *client);  /* it goes, and its place is free */
bool client_is_local(const struct client *client); /* from a loopback address or a Unix socket */

#endif
