/* What the replies of a node mean for the calls. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

/* ---- error replies ---- */

enum meaning {
    MEANS_REPLY,     /* it is the answer */
    MEANS_MOVED,     /* nothing was done; another node is named */
    MEANS_ELSEWHERE, /* nothing was done; another node, or this one later */
    MEANS_FULL,      /* nothing was done; the disk of this node, or of the leader, is full */
    MEANS_NO_ROOM,   /* nothing was done; nor would it be elsewhere */
    MEANS_UNKNOWN,   /* it may be done yet */
    MEANS_NO_SESSION,
    MEANS_PAST,
    MEANS_SKIPPED,
};

static enum meaning meaning_of(const struct request *request, const struct flotilla_reply *reply)
{
    static const struct {
        const char *word;
        enum meaning meaning;
    } words[] = {
        {"MOVED", MEANS_MOVED},          {"CLUSTERDOWN", MEANS_ELSEWHERE},
        {"LOADING", MEANS_ELSEWHERE},    {"READONLY", MEANS_ELSEWHERE},
        {"MASTERDOWN", MEANS_ELSEWHERE}, {"TRYAGAIN", MEANS_ELSEWHERE},
        {"MISCONF", MEANS_FULL},         {"OOM", MEANS_NO_ROOM},
        {"UNKNOWN", MEANS_UNKNOWN},      {"NOSESSION", MEANS_NO_SESSION},
        {"SESSIONPAST", MEANS_PAST},     {"SESSIONSKIPPED", MEANS_SKIPPED},
    };
    if (request->number_refused)
        return MEANS_ELSEWHERE;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (reply_is_error(reply, words[i].word))
            return words[i].meaning;
    return MEANS_REPLY;
}

/* "MOVED 1234 host:port" */
static bool parse_moved(const struct flotilla_reply *reply, struct node *node)
{
    const char *address = strrchr(reply->bytes, ' ');
    return address && node_parse(address + 1, strlen(address + 1), node);
}

static void deliver_reply(struct flotilla *client, struct request *request,
                          struct flotilla_reply *reply)
{
    bool error = reply->type == FLOTILLA_ERROR;
    request->reply = reply;
    client->failures = client->rounds = 0;
    client->greeting_refused = false;
    if (error && request->queue_error) /* it says more than that EXEC was refused */
        client_complete(client, request, FLOTILLA_REPLY, request->queue_error->bytes);
    else
        client_complete(client, request, error ? FLOTILLA_REPLY : FLOTILLA_OK,
                        error ? reply->bytes : "");
}

static void retry_elsewhere(struct connection *connection, struct request *request,
                            const struct node *hint, const char *cause)
{
    client_note_cause(connection, cause);
    client_unsend(connection->client, request);
    client_leave(connection, hint);
}

static void follow(struct connection *connection, struct request *request,
                   struct flotilla_reply *reply)
{
    struct node node;
    struct flotilla *client = connection->client;
    if (client->one_node) {
        deliver_reply(client, request, reply);
        return;
    }
    bool named = parse_moved(reply, &node);
    if (named) {
        nodes_learn(&client->nodes, &node);
        client->stats.redirects++;
    }
    retry_elsewhere(connection, request, named ? &node : NULL, reply->bytes);
    flotilla_reply_free(reply);
}

/* The outcome of this attempt is open. */
static void suspect(struct connection *connection, struct request *request, const char *cause)
{
    if (request->repeat == FLOTILLA_AT_MOST_ONCE) {
        client_complete(connection->client, request, FLOTILLA_UNKNOWN, cause);
        return;
    }
    request->maybe = true;
    retry_elsewhere(connection, request, NULL, cause);
}

static void lose_session(struct flotilla *client, struct request *request, const char *cause)
{
    if (request->session == client->session.generation)
        client->session.generation = 0;
    if (request->maybe) {
        client_complete(client, request, FLOTILLA_UNKNOWN, cause);
        return;
    }
    client_unsend(client, request);
    request->number = 0;
}

/* The last reply to a request. A refusal says nothing of an earlier attempt that may have been
 * carried out: then the call goes on. */
static void answer(struct connection *connection, struct request *request,
                   struct flotilla_reply *reply)
{
    struct flotilla *client = connection->client;
    const struct flotilla_reply *telling = reply;
    if (reply_is_error(reply, "EXECABORT") && request->queue_error)
        telling = request->queue_error;
    enum meaning meaning = meaning_of(request, telling);
    switch (meaning) {
    case MEANS_REPLY:
        deliver_reply(client, request, reply);
        return;
    case MEANS_MOVED:
        if (telling != reply) { /* the address is in the other one */
            flotilla_reply_free(reply);
            reply = request->queue_error;
            request->queue_error = NULL;
        }
        follow(connection, request, reply);
        return;
    case MEANS_FULL:
    case MEANS_NO_ROOM:
        if (!request->maybe &&
            (meaning == MEANS_NO_ROOM || ++request->refusals >= client->nodes.count)) {
            deliver_reply(client, request, reply);
            return;
        }
        retry_elsewhere(connection, request, NULL, telling->bytes);
        break;
    case MEANS_ELSEWHERE:
        if (!request->number_refused)
            client_note_cause(connection, telling->bytes);
        retry_elsewhere(connection, request, NULL,
                        request->number_refused ? "the number was refused" : telling->bytes);
        break;
    case MEANS_UNKNOWN:
        suspect(connection, request, telling->bytes);
        break;
    case MEANS_NO_SESSION:
        lose_session(client, request, telling->bytes);
        break;
    case MEANS_PAST:
        client_complete(client, request, FLOTILLA_UNKNOWN, telling->bytes);
        break;
    case MEANS_SKIPPED:
        client_renumber(client, request);
        break;
    }
    flotilla_reply_free(reply);
}

/* A reply within a transaction: OK to MULTI, QUEUED. */
static void note_queued(struct request *request, struct flotilla_reply *reply)
{
    if (reply->type == FLOTILLA_ERROR && !request->queue_error)
        request->queue_error = reply;
    else
        flotilla_reply_free(reply);
}

/* ---- who leads ---- */

static bool is_text(const struct flotilla_reply *reply, const char *text)
{
    return reply->type == FLOTILLA_STRING && strcmp(reply->bytes, text) == 0;
}

/* An address as ROLE has it: the host, and the port as a number or as text. */
static bool read_address(const struct flotilla_reply *host, const struct flotilla_reply *port,
                         struct node *node)
{
    char text[NODE_NAME_MAX];
    int length;
    if (host->type != FLOTILLA_STRING || host->length >= NODE_HOST_MAX)
        return false;
    if (port->type == FLOTILLA_INTEGER && port->integer > 0 && port->integer <= UINT16_MAX)
        length = snprintf(text, sizeof text, "[%s]:%d", host->bytes, (int)port->integer);
    else if (port->type == FLOTILLA_STRING && port->length <= 5)
        length = snprintf(text, sizeof text, "[%s]:%s", host->bytes, port->bytes);
    else
        return false;
    return length > 0 && (size_t)length < sizeof text && node_parse(text, (size_t)length, node);
}

static void learn_replicas(struct flotilla *client, const struct flotilla_reply *replicas)
{
    struct node node;
    if (replicas->type != FLOTILLA_ARRAY)
        return;
    for (size_t i = 0; i < replicas->count && i < NODES_MAX; i++) {
        const struct flotilla_reply *one = replicas->elements[i];
        if (one->type == FLOTILLA_ARRAY && one->count >= 2 &&
            read_address(one->elements[0], one->elements[1], &node))
            nodes_learn(&client->nodes, &node);
    }
}

static void learn_role(struct connection *connection, const struct flotilla_reply *reply)
{
    struct flotilla *client = connection->client;
    struct node node;
    if (reply->type != FLOTILLA_ARRAY || reply->count < 3)
        return;
    connection->leads = is_text(reply->elements[0], "master");
    if (connection->leads) {
        learn_replicas(client, reply->elements[2]);
    } else if (reply->count >= 4 && is_text(reply->elements[0], "slave") &&
               is_text(reply->elements[3], "connected") &&
               read_address(reply->elements[1], reply->elements[2], &node)) {
        nodes_learn(&client->nodes, &node);
        client_hint(client, &node);
    }
}

/* ---- greetings and sessions ---- */

/* Errors that may be gone when the node is asked again. */
static bool is_passing(const struct flotilla_reply *reply)
{
    return reply_is_error(reply, "LOADING") || reply_is_error(reply, "CLUSTERDOWN") ||
           reply_is_error(reply, "MOVED") || reply_is_error(reply, "MISCONF") ||
           reply_is_error(reply, "UNKNOWN") || reply_is_error(reply, "OOM") ||
           strncmp(reply->bytes, "ERR max", 7) == 0 ||
           strncmp(reply->bytes, "ERR sessions are not available", 30) == 0;
}

static bool greet_refused(struct connection *connection, const struct flotilla_reply *reply)
{
    if (!is_passing(reply))
        connection->client->greeting_refused = true;
    snprintf(connection->cause, sizeof connection->cause, "%.150s", reply->bytes);
    return false;
}

static bool take_greeting(struct connection *connection, enum expect what,
                          const struct flotilla_reply *reply)
{
    bool greets = connection->state == CONNECTION_GREETS;
    if (what == EXPECT_ROLE)
        connection->asks_role = false;
    if (reply->type == FLOTILLA_ERROR && greets)
        return greet_refused(connection, reply);
    if (what == EXPECT_ROLE)
        learn_role(connection, reply);
    if (what == EXPECT_ROLE && connection == connection->client->active)
        connection->client->role_ms = client_now(connection->client) + CLIENT_ROLE_MS;
    if (greets && (what == EXPECT_ROLE || what == EXPECT_PING)) {
        connection->state = CONNECTION_READY;
        connection->heard_ms = client_now(connection->client);
        connection->client->stats.connections++;
    }
    return true;
}

static void refuse_sessions(struct flotilla *client, const char *cause)
{
    struct request *next;
    for (struct request *request = client->waiting.first; request; request = next) {
        next = request->next;
        if (request->repeat != FLOTILLA_EXACTLY_ONCE || request->sent)
            continue;
        client_complete(client, request, request->maybe ? FLOTILLA_UNKNOWN : FLOTILLA_NO_SESSION,
                        cause);
    }
}

static void take_positive(const struct flotilla_reply *value, int64_t *to)
{
    if (value->type == FLOTILLA_INTEGER && value->integer > 0)
        *to = value->integer;
}

/* id, ttl-ms, replies-max, bytes-max: names and values. */
static bool parse_session(const struct flotilla_reply *reply, struct session *session)
{
    bool has_id = false;
    int64_t replies_max = 1;
    if (reply->type != FLOTILLA_ARRAY)
        return false;
    for (size_t i = 0; i + 1 < reply->count; i += 2) {
        const struct flotilla_reply *value = reply->elements[i + 1];
        if (is_text(reply->elements[i], "id") && value->type == FLOTILLA_STRING &&
            value->length == SESSION_ID_LENGTH) {
            memcpy(session->id, value->bytes, SESSION_ID_LENGTH + 1);
            has_id = true;
        }
        if (is_text(reply->elements[i], "ttl-ms"))
            take_positive(value, &session->ttl_ms);
        if (is_text(reply->elements[i], "replies-max"))
            take_positive(value, &replies_max);
    }
    session->replies_max = (uint64_t)replies_max;
    return has_id;
}

static bool take_session(struct connection *connection, const struct flotilla_reply *reply)
{
    struct flotilla *client = connection->client;
    struct session *session = &client->session;
    session->beginning = false;
    session->ttl_ms = client->session_ttl_ms;
    if (reply->type == FLOTILLA_ERROR && reply_is_error(reply, "MOVED") && !client->one_node) {
        struct node node;
        bool named = parse_moved(reply, &node);
        client->stats.redirects += named;
        client_note_cause(connection, reply->bytes);
        client_leave(connection, named ? &node : NULL);
    } else if (reply->type == FLOTILLA_ERROR && is_passing(reply)) {
        client_note_cause(connection, reply->bytes);
        client_leave(connection, NULL);
    } else if (reply->type == FLOTILLA_ERROR && !session->asks_no_ttl &&
               strstr(reply->bytes, "session-ttl-ms")) {
        session->asks_no_ttl = true;
    } else if (reply->type == FLOTILLA_ERROR) {
        refuse_sessions(client, reply->bytes);
    } else if (parse_session(reply, session)) {
        session->generation = ++session->begun;
        session->next_number = 1;
        session->acknowledged = 1;
        session->used_ms = client_now(client);
        client->stats.sessions++;
    } else {
        refuse_sessions(client, "CLIENT SESSION BEGIN was not answered with a session");
    }
    return true;
}

/* ---- */

static bool take_request(struct connection *connection, const struct expected *expected,
                         struct flotilla_reply *reply)
{
    if (!expected->request)
        flotilla_reply_free(reply);
    else if (expected->left > 1)
        note_queued(expected->request, reply);
    else
        answer(connection, expected->request, reply);
    return true;
}

bool client_take(struct connection *connection, const struct expected *expected,
                 struct flotilla_reply *reply)
{
    bool fine = true;
    bool error = reply->type == FLOTILLA_ERROR;
    switch (expected->what) {
    case EXPECT_REQUEST:
        return take_request(connection, expected, reply);
    case EXPECT_NUMBER:
        if (error && expected->request) {
            client_note_cause(connection, reply->bytes);
            expected->request->number_refused = true;
        }
        break;
    case EXPECT_AUTH:
    case EXPECT_SELECT:
    case EXPECT_PING:
    case EXPECT_ROLE:
        fine = take_greeting(connection, expected->what, reply);
        break;
    case EXPECT_USE:
        if (error) {
            snprintf(connection->cause, sizeof connection->cause, "%.150s", reply->bytes);
            fine = false;
        }
        break;
    case EXPECT_BEGIN:
        fine = take_session(connection, reply);
        break;
    case EXPECT_ACK: /* NOSESSION is heard by the next call, too */
        break;
    }
    flotilla_reply_free(reply);
    return fine;
}
