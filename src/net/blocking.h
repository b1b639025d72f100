/* Private to net/: clients that wait for keys. The shard knows what they wait for; here are their
 * timeouts, and what makes them wait no more. */
#ifndef FLOTILLA_NET_BLOCKING_H
#define FLOTILLA_NET_BLOCKING_H

#include "net/local.h"

/* Whether this call may wait. False also if an argument is wrong: then *verdict is final, else it
 * is to be run like any other. */
bool client_may_wait(struct client *client, const struct net_request *request,
                     enum net_verdict *verdict, bool *is_final);
/* It waits from now on. */
enum net_verdict client_wait_for_keys(struct client *client, const struct net_request *request);
/* A read found nothing, and waits. */
void client_read_waits(struct client *client);
void client_waited(struct client *client);                    /* its reply is written */
void client_stop_waiting(struct client *client);              /* it is gone */
bool client_end_wait(struct client *client, bool with_error); /* false: it does not wait */
void client_blocking_close(struct client *client);

#endif
