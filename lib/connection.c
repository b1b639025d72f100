#include "connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

static void on_opened(void *context)
{
    struct connection *connection = context;
    connection->state = CONNECTION_GREETS;
    client_greet(connection);
    client_settle(connection->client);
}

static void on_lost(void *context, const char *cause)
{
    struct connection *connection = context;
    struct flotilla *client = connection->client;
    client_lost(connection, cause);
    client_settle(client);
}

static struct expected *first_of(struct connection *connection)
{
    return &connection->ring[connection->head & (connection->capacity - 1)];
}

/* false: the connection is of no use; its cause says why. */
static bool take(struct connection *connection, struct flotilla_reply *reply)
{
    if (connection->waiting == 0) {
        snprintf(connection->cause, sizeof connection->cause, "unasked: %.140s",
                 reply->type == FLOTILLA_ERROR ? reply->bytes : "a reply");
        flotilla_reply_free(reply);
        return false;
    }
    struct expected *first = first_of(connection);
    struct expected expected = *first;
    if (first->left > 1) {
        first->left--;
    } else {
        connection->head++;
        connection->waiting--;
    }
    return client_take(connection, &expected, reply);
}

static void on_received(void *context, const void *bytes, size_t count)
{
    struct connection *connection = context;
    struct flotilla *client = connection->client;
    struct flotilla_reply *reply;
    bool fine = true;
    enum reader_verdict verdict = READER_REPLY;
    if (connection->state == CONNECTION_READY) /* a greeting has to end */
        connection->heard_ms = client_now(client);
    reader_feed(connection->reader, bytes, count);
    while (fine && (verdict = reader_next(connection->reader, &reply)) == READER_REPLY)
        fine = take(connection, reply);
    if (fine && verdict == READER_BROKEN) {
        struct expected *first = connection->waiting ? first_of(connection) : NULL;
        client_broken(connection, first, reader_cause(connection->reader));
    } else if (!fine) {
        client_lost(connection, connection->cause);
    } else {
        client_heard(connection);
    }
    client_settle(client);
}

struct connection *connection_new(struct flotilla *client, const struct node *node)
{
    static const struct transport_events events = {on_opened, on_received, on_lost};
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        return NULL;
    connection->client = client;
    connection->node = *node;
    connection->heard_ms = client_now(client);
    connection->capacity = 64;
    connection->ring = calloc(connection->capacity, sizeof *connection->ring);
    connection->reader = reader_new(client->reply_bytes_max);
    if (connection->ring && connection->reader)
        connection->transport = transport_open(client->base, &client->names, node->host, node->port,
                                               node->turn, &events, connection);
    if (connection->transport)
        return connection;
    connection_free(connection);
    return NULL;
}

void connection_free(struct connection *connection)
{
    if (!connection)
        return;
    transport_close(connection->transport);
    reader_free(connection->reader);
    free(connection->ring);
    free(connection);
}

static bool grow(struct connection *connection)
{
    size_t capacity = connection->capacity * 2;
    struct expected *ring = malloc(capacity * sizeof *ring);
    if (!ring)
        return false;
    for (size_t i = 0; i < connection->waiting; i++) {
        size_t place = connection->head + i;
        ring[place & (capacity - 1)] = connection->ring[place & (connection->capacity - 1)];
    }
    free(connection->ring);
    connection->ring = ring;
    connection->capacity = capacity;
    return true;
}

static bool write_bytes(struct connection *connection, const char *bytes, size_t count)
{
    if (!connection->failed)
        connection->failed = !transport_write(connection->transport, bytes, count);
    return !connection->failed;
}

static void expect(struct connection *connection, enum expect what, unsigned replies,
                   struct request *request)
{
    if (connection->waiting == connection->capacity && !grow(connection))
        connection->failed = true;
    if (connection->failed)
        return;
    if (connection->waiting == 0 && connection->state == CONNECTION_READY)
        connection->heard_ms = client_now(connection->client);
    size_t place = (connection->head + connection->waiting++) & (connection->capacity - 1);
    connection->ring[place] = (struct expected){what, replies, request};
}

/* What is half written when memory ends is never completed: the connection is given up. */
bool connection_send(struct connection *connection, const char *bytes, size_t count,
                     enum expect what, unsigned replies, struct request *request)
{
    expect(connection, what, replies, request);
    return write_bytes(connection, bytes, count);
}

bool connection_ask(struct connection *connection, enum expect what, struct request *request,
                    const char *const *words, size_t count)
{
    char head[32];
    expect(connection, what, 1, request);
    int length = snprintf(head, sizeof head, "*%zu", count);
    write_bytes(connection, head, (size_t)length);
    for (size_t i = 0; i < count; i++) {
        length = snprintf(head, sizeof head, "\r\n$%zu\r\n", strlen(words[i]));
        write_bytes(connection, head, (size_t)length);
        write_bytes(connection, words[i], strlen(words[i]));
    }
    return write_bytes(connection, "\r\n", 2);
}

void connection_forget(struct connection *connection, const struct request *request)
{
    for (size_t i = 0; i < connection->waiting; i++) {
        size_t place = (connection->head + i) & (connection->capacity - 1);
        if (connection->ring[place].request == request)
            connection->ring[place].request = NULL;
    }
}
