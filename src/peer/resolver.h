/* Names to addresses, by the system's resolver and beside the event loop: a thread of its own asks,
 * the loop hears. What is an address already needs no thread. Nothing is remembered: a node that
 * has moved is found at the next dial. */
#ifndef FLOTILLA_PEER_RESOLVER_H
#define FLOTILLA_PEER_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "cluster/cluster.h"

struct event_base;
struct resolver;

enum { RESOLVED_MAX = 16, RESOLVER_WAITING_MAX = 64 };

struct resolved {
    struct sockaddr_storage addresses[RESOLVED_MAX];
    socklen_t lens[RESOLVED_MAX];
    size_t count;
    char cause[128]; /* count 0: why there is none */
};

typedef void resolver_done(void *context, uint64_t ticket, const struct resolved *resolved);

/* `done` is called by the event loop, once for each question. */
struct resolver *resolver_new(struct event_base *base, resolver_done *done, void *context);
/* Returns at once, even if the system is still busy with a question; nothing is heard any more. */
void resolver_free(struct resolver *resolver);
/* false: `host` is a name, not an address. */
bool resolver_is_address(const char *host, uint16_t port, struct resolved *resolved);
/* false: too many questions wait. */
bool resolver_ask(struct resolver *resolver, uint64_t ticket, const char *host, uint16_t port);

#endif
