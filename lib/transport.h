/* A stream of bytes to one node: a TCP connection on libevent. All that knows of sockets and names
 * is here; another kind of stream (TLS) is another implementation of these functions.
 *
 * The three events are the last thing that the transport does in a turn: each may call
 * transport_close(). */
#ifndef FLOTILLA_LIB_TRANSPORT_H
#define FLOTILLA_LIB_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct evdns_base;
struct transport;

struct transport_events {
    void (*opened)(void *context);
    void (*received)(void *context, const void *bytes, size_t count);
    void (*lost)(void *context, const char *cause); /* nothing comes after it */
};

/* Begins to connect. `names` holds the resolver, made when a name is first met; its owner frees it
 * with transport_names_free(). `turn` chooses among the addresses of a name. NULL: no memory. */
struct transport *transport_open(struct event_base *base, struct evdns_base **names,
                                 const char *host, uint16_t port, unsigned turn,
                                 const struct transport_events *events, void *context);
/* Also in the middle of connecting. What was not sent yet is dropped. */
void transport_close(struct transport *transport);

/* Appends to what is to be sent; false: no memory. transport_flush() sends what can be sent at
 * once, and the rest when the socket takes it. An error is told by `lost`, later. */
bool transport_write(struct transport *transport, const void *bytes, size_t count);
void transport_flush(struct transport *transport);
/* Bytes that are not sent yet. */
size_t transport_queued(const struct transport *transport);

void transport_names_free(struct evdns_base *names);

#endif
