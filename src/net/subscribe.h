/* Private to net/: the channels and patterns that a connection hears. */
#ifndef FLOTILLA_NET_SUBSCRIBE_H
#define FLOTILLA_NET_SUBSCRIBE_H

#include <stdbool.h>
#include <stddef.h>

enum {
    NET_SUBSCRIPTIONS_MAX = 1024,           /* of one connection */
    NET_SUBSCRIPTION_BYTES_MAX = 16 * 1024, /* of all their names */
};

struct client;
struct command;

struct client_subscription {
    bool pattern;
    size_t len;
    char *name;
};

/* Zero-initialised is none. In the order in which they came. */
struct client_subscriptions {
    struct client_subscription *list;
    size_t count;
    size_t cap;
    size_t patterns; /* of them */
    size_t bytes;    /* of their names */
};

void client_subscriptions_close(struct client *client);
size_t client_subscriptions_memory(const struct client *client);
bool client_is_subscriber(const struct client *client);
/* A connection that speaks RESP2 and hears channels may say only what changes that: a reply and
 * what is published could not be told apart. True: it got the error. */
bool client_is_refused_as_subscriber(struct client *client, const struct command *command);

#endif
