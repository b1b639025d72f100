/* Connections come and go, calls are sent, time passes. */
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client.h"

enum { DOUBLINGS_MAX = 4 };

/* ---- what becomes of calls ---- */

static bool is_numbered(const struct request *request)
{
    return request->repeat == FLOTILLA_EXACTLY_ONCE;
}

static void off_the_connection(struct flotilla *client, struct request *request)
{
    if (!request->sent)
        return;
    request->sent = false;
    client->in_flight--;
    client->numbered_in_flight -= is_numbered(request);
}

void client_complete(struct flotilla *client, struct request *request, enum flotilla_status status,
                     const char *text)
{
    off_the_connection(client, request);
    if (client->unsent == request)
        client->unsent = request->next;
    request_remove(&client->waiting, request);
    client->pending--;
    client->pending_bytes -= request->bytes;
    error_set(&request->error, status, "%s", text);
    request_append(&client->done, request);
}

void client_unsend(struct flotilla *client, struct request *request)
{
    off_the_connection(client, request);
    request->number_refused = false;
    flotilla_reply_free(request->queue_error);
    request->queue_error = NULL;
    client->unsent = client->waiting.first; /* what is sent is passed over */
}

/* Behind all that have a number, so that numbers ascend in the order in which they are sent. */
void client_renumber(struct flotilla *client, struct request *request)
{
    struct request *last = request;
    client_unsend(client, request);
    for (struct request *other = request->next; other; other = other->next)
        if (other->number)
            last = other;
    request->number = 0;
    request->maybe = false;
    if (last == request)
        return;
    struct request *before = last->next;
    request_remove(&client->waiting, request);
    request_insert(&client->waiting, request, before);
    client->unsent = client->waiting.first;
}

static void complete_unknown(struct flotilla *client, struct request *request, const char *cause)
{
    char text[FLOTILLA_TEXT_MAX];
    snprintf(text, sizeof text, "it may have been carried out: %s", cause);
    client_complete(client, request, FLOTILLA_UNKNOWN, text);
}

/* ---- losing a connection ---- */

void client_note_cause(const struct connection *connection, const char *cause)
{
    char name[NODE_NAME_MAX];
    struct flotilla *client = connection->client;
    node_name(&connection->node, name);
    snprintf(client->cause, sizeof client->cause, "%.90s: %.100s", name, cause);
}

static uint64_t draw(struct flotilla *client)
{
    client->chance ^= client->chance << 13;
    client->chance ^= client->chance >> 7;
    client->chance ^= client->chance << 17;
    return client->chance;
}

int64_t client_pause_ms(struct flotilla *client, unsigned round)
{
    int64_t pause = client->backoff_ms;
    for (unsigned i = 1; i < round && pause < client->backoff_max_ms; i++)
        pause *= 2;
    if (pause > client->backoff_max_ms)
        pause = client->backoff_max_ms;
    return pause - (int64_t)(draw(client) % ((uint64_t)pause / 2 + 1));
}

static void refuse_all(struct flotilla *client)
{
    struct request *next;
    for (struct request *request = client->waiting.first; request; request = next) {
        next = request->next;
        if (request->maybe)
            complete_unknown(client, request, client->cause);
        else
            client_complete(client, request, FLOTILLA_REFUSED, client->cause);
    }
    client->greeting_refused = false;
}

static void note_failure(struct flotilla *client)
{
    if (++client->failures < client->nodes.count)
        return;
    client->failures = 0;
    client->rounds++;
    client->retry_ms = client_now(client) + client_pause_ms(client, client->rounds);
    if (client->greeting_refused)
        refuse_all(client);
}

/* What was on the connection is sent again, or unknown. */
static void lose_requests(struct flotilla *client)
{
    struct request *next;
    for (struct request *request = client->waiting.first; request; request = next) {
        next = request->next;
        if (!request->sent)
            continue;
        if (request->repeat == FLOTILLA_AT_MOST_ONCE) {
            complete_unknown(client, request, client->cause);
        } else {
            client_unsend(client, request);
            request->maybe = true;
        }
    }
}

static void promote(struct flotilla *client)
{
    client->active = client->candidate;
    client->candidate = NULL;
    client->role_ms = client_now(client) + CLIENT_ROLE_MS;
}

static void close_active(struct flotilla *client)
{
    connection_free(client->active);
    client->active = NULL;
    client->session.beginning = false;
    if (client->candidate && client->candidate->state == CONNECTION_READY)
        promote(client);
}

void client_lost(struct connection *connection, const char *cause)
{
    struct flotilla *client = connection->client;
    client_note_cause(connection, cause);
    for (size_t i = 0; i < client->nodes.count; i++) /* its next address, if it has several */
        if (client->nodes.list[i].port == connection->node.port &&
            strcmp(client->nodes.list[i].host, connection->node.host) == 0)
            client->nodes.list[i].turn++;
    if (connection == client->active) {
        lose_requests(client);
        close_active(client);
        if (!client->active)
            note_failure(client);
        return;
    }
    client->candidate = NULL;
    connection_free(connection);
    client->hint_after_ms = client_now(client) + CLIENT_HINT_MS;
    if (!client->active)
        note_failure(client);
}

/* The call whose answer cannot be read would not fare better elsewhere. */
void client_broken(struct connection *connection, const struct expected *first, const char *cause)
{
    char text[FLOTILLA_TEXT_MAX];
    struct flotilla *client = connection->client;
    if (first && first->what == EXPECT_REQUEST && first->request) {
        snprintf(text, sizeof text, "the answer cannot be read: %.150s", cause);
        client_complete(client, first->request, FLOTILLA_PROTOCOL, text);
    }
    client_lost(connection, cause);
}

void client_leave(struct connection *connection, const struct node *hint)
{
    struct flotilla *client = connection->client;
    connection->draining = true;
    if (hint) {
        client->has_hint = true;
        client->hint = *hint;
    }
}

void client_hint(struct flotilla *client, const struct node *leader)
{
    client->leader = *leader;
    client->seeks_leader = !client->one_node && client_now(client) >= client->hint_after_ms;
}

/* A connection that is left goes when nothing is on it, and one in use when a better one is ready.
 */
void client_heard(struct connection *connection)
{
    struct flotilla *client = connection->client;
    if (connection == client->candidate && connection->state == CONNECTION_READY) {
        if (!client->active) {
            promote(client);
        } else if (connection->leads) {
            client->active->draining = true;
        } else { /* the one in use serves as well */
            client->candidate = NULL;
            connection_free(connection);
            client->hint_after_ms = client_now(client) + CLIENT_HINT_MS;
        }
    }
    if (client->active && client->active->draining && client->active->waiting == 0) {
        bool better = client->candidate && client->candidate->state == CONNECTION_READY;
        close_active(client);
        if (!better)
            note_failure(client);
    }
}

/* ---- making one ---- */

static void ask_role(struct connection *connection)
{
    static const char *const role[] = {"ROLE"};
    connection->asks_role = true;
    connection_ask(connection, EXPECT_ROLE, NULL, role, 1);
}

static void use_session(struct connection *connection)
{
    const struct flotilla *client = connection->client;
    const char *const use[] = {"CLIENT", "SESSION", "USE", client->session.id};
    connection->session = client->session.generation;
    connection_ask(connection, EXPECT_USE, NULL, use, 4);
}

void client_greet(struct connection *connection)
{
    static const char *const ping[] = {"PING"};
    struct flotilla *client = connection->client;
    if (client->password && client->username) {
        const char *const words[] = {"AUTH", client->username, client->password};
        connection_ask(connection, EXPECT_AUTH, NULL, words, 3);
    } else if (client->password) {
        const char *const words[] = {"AUTH", client->password};
        connection_ask(connection, EXPECT_AUTH, NULL, words, 2);
    }
    if (client->database) {
        char number[16];
        const char *const words[] = {"SELECT", number};
        snprintf(number, sizeof number, "%d", client->database);
        connection_ask(connection, EXPECT_SELECT, NULL, words, 2);
    }
    if (client->session.generation)
        use_session(connection);
    if (client->one_node)
        connection_ask(connection, EXPECT_PING, NULL, ping, 1);
    else
        ask_role(connection);
    transport_flush(connection->transport);
}

static void connect_if_needed(struct flotilla *client)
{
    if (client->active && client->seeks_leader && !client->candidate)
        client->candidate = connection_new(client, &client->leader);
    client->seeks_leader = client->seeks_leader && !client->active;
    if (client->active || client->candidate || !client->waiting.first)
        return;
    if (client_now(client) < client->retry_ms)
        return;
    struct node node = client->hint;
    if (!client->has_hint)
        node = client->nodes.list[nodes_turn(&client->nodes)];
    client->has_hint = false;
    client->candidate = connection_new(client, &node);
    if (!client->candidate) {
        snprintf(client->cause, sizeof client->cause, "no memory for a connection");
        note_failure(client);
    }
}

/* ---- sending ---- */

static void begin_session(struct flotilla *client)
{
    char ttl[24];
    const char *const words[] = {"CLIENT", "SESSION", "BEGIN", "TTL", ttl};
    if (client->session.beginning)
        return;
    snprintf(ttl, sizeof ttl, "%" PRId64, client->session_ttl_ms);
    client->session.beginning = true;
    connection_ask(client->active, EXPECT_BEGIN, NULL, words, client->session.asks_no_ttl ? 3 : 5);
}

/* The lowest number that has no reply. */
static uint64_t lowest_number(const struct flotilla *client)
{
    for (const struct request *request = client->waiting.first; request; request = request->next)
        if (request->number && request->session == client->session.generation)
            return request->number;
    return client->session.next_number;
}

static void send_number(struct flotilla *client, struct request *request, uint64_t lowest)
{
    char number[24];
    char ack[24];
    const char *const words[] = {"CLIENT", "SESSION", "SEQ", number, "ACK", ack};
    struct session *session = &client->session;
    if (!request->number) {
        request->number = session->next_number++;
        request->session = session->generation;
    }
    snprintf(number, sizeof number, "%" PRIu64, request->number);
    snprintf(ack, sizeof ack, "%" PRIu64, lowest);
    bool acknowledges = lowest > session->acknowledged;
    if (acknowledges)
        session->acknowledged = lowest;
    session->used_ms = client_now(client);
    connection_ask(client->active, EXPECT_NUMBER, request, words, acknowledges ? 6 : 4);
}

/* false: nothing more can be sent now. */
static bool send_request(struct flotilla *client, struct request *request, uint64_t *lowest)
{
    struct connection *connection = client->active;
    struct session *session = &client->session;
    if (client->in_flight >= CLIENT_IN_FLIGHT_MAX ||
        transport_queued(connection->transport) > CLIENT_OUTPUT_MAX)
        return false;
    if (is_numbered(request)) {
        if (!session->generation) {
            begin_session(client);
            return false;
        }
        if (client->numbered_in_flight >= session->replies_max)
            return false;
        if (connection->session != session->generation)
            use_session(connection);
        if (!*lowest)
            *lowest = lowest_number(client);
        send_number(client, request, *lowest);
    }
    client->stats.repeats += request->attempts > 0;
    request->attempts++;
    request->sent = true;
    client->in_flight++;
    client->numbered_in_flight += is_numbered(request);
    if (!connection_send(connection, request->text, request->bytes, EXPECT_REQUEST,
                         request->replies, request)) {
        client_lost(connection, "no memory to send");
        return false;
    }
    return true;
}

/* Its session is over, and only the session knew whether it was carried out. */
static bool is_orphan(const struct flotilla *client, const struct request *request)
{
    return is_numbered(request) && request->number &&
           request->session != client->session.generation && client->session.generation;
}

static void send_all(struct flotilla *client)
{
    uint64_t lowest = 0;
    struct request *request = client->unsent;
    if (!client->active || client->active->draining)
        return;
    if (!client->one_node && request && !client->active->asks_role &&
        client_now(client) >= client->role_ms)
        ask_role(client->active);
    while (request) {
        struct request *next = request->next;
        if (is_orphan(client, request)) {
            if (request->maybe)
                complete_unknown(client, request, "its session is over");
            else
                request->number = 0;
        }
        if (!request->sent && !request->error.status) {
            client->unsent = request;
            if (!send_request(client, request, &lowest))
                break;
        }
        request = next;
        if (client->active)
            client->unsent = request;
    }
    if (client->active)
        transport_flush(client->active->transport);
}

/* ---- time ---- */

static void expire(struct flotilla *client, int64_t now)
{
    struct request *next;
    if (now < client->deadline_ms)
        return;
    client->deadline_ms = INT64_MAX;
    for (struct request *request = client->waiting.first; request; request = next) {
        char text[FLOTILLA_TEXT_MAX];
        next = request->next;
        if (request->deadline_ms > now) {
            if (request->deadline_ms < client->deadline_ms)
                client->deadline_ms = request->deadline_ms;
            continue;
        }
        bool unknown = request->sent || request->maybe;
        if (request->sent)
            connection_forget(client->active, request);
        snprintf(text, sizeof text, "%s before the deadline: %.180s",
                 request->sent ? "no answer came" : "no node could be asked",
                 client->cause[0] ? client->cause : "the nodes are silent");
        client_complete(client, request, unknown ? FLOTILLA_UNKNOWN : FLOTILLA_TIMEOUT, text);
    }
}

/* When this connection is given up if nothing comes; INT64_MAX: never. */
static int64_t patience_ends(const struct flotilla *client, const struct connection *connection)
{
    if (connection->state != CONNECTION_READY)
        return connection->heard_ms + client->connect_timeout_ms;
    if (connection->waiting == 0 || client->answer_timeout_ms < 0)
        return INT64_MAX;
    unsigned attempts = 1;
    if (client->waiting.first && client->waiting.first->attempts > 1)
        attempts = client->waiting.first->attempts;
    unsigned doublings = attempts - 1 < DOUBLINGS_MAX ? attempts - 1 : DOUBLINGS_MAX;
    return connection->heard_ms + (client->answer_timeout_ms << doublings);
}

static void lose_silent(struct flotilla *client, struct connection *connection, int64_t now)
{
    if (!connection || now < patience_ends(client, connection))
        return;
    client_lost(connection, connection->state == CONNECTION_DIALS ? "no connection within the time"
                                                                  : "the node says nothing");
}

/* A session lives on only if it is used. INT64_MAX: there is none to be kept. */
static int64_t session_due(const struct flotilla *client)
{
    if (!client->session.generation || !client->active || client->owns_base)
        return INT64_MAX;
    return client->session.used_ms + client->session.ttl_ms / 3;
}

static void keep_session(struct flotilla *client, int64_t now)
{
    char number[24];
    const char *const words[] = {"CLIENT", "SESSION", "ACK", number};
    if (now < session_due(client) || client->active->draining ||
        client->active->session != client->session.generation)
        return;
    client->session.used_ms = now;
    snprintf(number, sizeof number, "%" PRIu64, lowest_number(client));
    connection_ask(client->active, EXPECT_ACK, NULL, words, 4);
    transport_flush(client->active->transport);
}

static void earliest(int64_t *soonest, int64_t other)
{
    if (other < *soonest)
        *soonest = other;
}

static void set_timer(struct flotilla *client)
{
    int64_t now = client_now(client);
    int64_t at = client->waiting.first ? client->deadline_ms : INT64_MAX;
    earliest(&at, session_due(client));
    if (client->active)
        earliest(&at, patience_ends(client, client->active));
    if (client->candidate)
        earliest(&at, patience_ends(client, client->candidate));
    if (!client->active && !client->candidate && client->waiting.first)
        earliest(&at, client->retry_ms);
    if (at == INT64_MAX || at >= client->timer_ms)
        return; /* one that comes too early looks again */
    int64_t wait = at > now ? at - now : 0;
    struct timeval delay = {.tv_sec = wait / 1000, .tv_usec = (wait % 1000) * 1000};
    client->timer_ms = at;
    event_add(client->timer, &delay);
}

void client_settle(struct flotilla *client)
{
    int64_t now = client_now(client);
    if (now >= client->timer_ms)
        client->timer_ms = INT64_MAX;
    lose_silent(client, client->active, now);
    lose_silent(client, client->candidate, now);
    expire(client, now);
    keep_session(client, now);
    connect_if_needed(client);
    send_all(client);
    set_timer(client);
    client_deliver(client);
}
