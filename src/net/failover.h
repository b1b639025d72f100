/* Private to net/: clients that asked to hear when the node misses its leader. */
#ifndef FLOTILLA_NET_FAILOVER_H
#define FLOTILLA_NET_FAILOVER_H

struct net;

/* Once a turn, before the replies are sent. */
void net_tell_failover(struct net *net);

#endif
