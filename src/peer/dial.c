/* Connections that this node begins: to each other node one, again and again until there is one. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "peer/internal.h"

static int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void node_trouble(struct node *node, enum log_level level, const char *format, ...)
{
    char text[TROUBLE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    node->attempts++;
    if (strcmp(text, node->trouble) == 0)
        return;
    memcpy(node->trouble, text, sizeof text);
    char where[PEER_WHERE_MAX];
    node_say_where(node, where);
    log_line(node->out->peers->options.log, level, "%s %s", where, text);
}

void node_connected(struct node *node, bool connected)
{
    if (node->status.connected == connected)
        return;
    node->status.connected = connected;
    node->status.since_ms = wall_ms();
    if (!connected)
        return;
    node->status.connects++;
    char before[64] = "";
    if (node->attempts)
        snprintf(before, sizeof before, ", after %llu attempts that failed",
                 (unsigned long long)node->attempts);
    char where[PEER_WHERE_MAX];
    node_say_where(node, where);
    log_line(node->out->peers->options.log, LOG_NOTICE, "%s is connected%s", where, before);
    node->trouble[0] = '\0';
    node->attempts = 0;
}

void node_redial_later(struct node *node, uint32_t ms)
{
    struct timeval delay = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
    if (node->address.port == 0 || node->is_self)
        return; /* a visitor: nobody has said yet where it is */
    event_add(node->redial, &delay);
}

void node_redial(struct node *node)
{
    uint32_t ms = node->backoff_ms;
    node_redial_later(node, ms);
    node->backoff_ms = ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : ms * 2;
}

/* It has just dialled this node, so that it can be dialled too: waiting would only delay elections.
 * Once, until a connection lasts: two nodes that drop each other's would never pause. */
void node_hurry(struct node *node)
{
    if (node->out->state != LINK_DOWN || node->hurried)
        return;
    node->hurried = true;
    node_redial_later(node, 0);
}

/* Connects to the next address of those that the name has. */
static bool connect_next(struct link *link)
{
    struct node *node = link->node;
    const struct sockaddr *address =
        (const struct sockaddr *)&node->resolved.addresses[node->tried];
    socklen_t len = node->resolved.lens[node->tried++];
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    link_open(link, fd);
    link->state = LINK_CONNECTING;
    link_limit(link, CONNECT_TIMEOUT_MS);
    if (connect(fd, address, len) && errno != EINPROGRESS)
        return false;
    event_add(link->write_event, NULL);
    return true;
}

static void dial_first(struct link *link)
{
    link->node->tried = 0;
    if (!connect_next(link))
        link_lost(link, errno);
}

bool dial_next(struct link *link)
{
    struct node *node = link->node;
    if (link->state != LINK_CONNECTING || node->tried >= node->resolved.count)
        return false;
    link_close(link);
    return connect_next(link);
}

/* Where one of two addresses may not be a node's, nothing is said to it. */
void dial_connected(struct link *link)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &len) || error) {
        link_lost(link, error ? error : errno);
        return;
    }
    event_del(link->write_event);
    const char *refusal = handshake_refusal(link->peers, link->fd);
    if (refusal) {
        node_trouble(link->node, LOG_WARNING, "is not greeted: %s", refusal + sizeof "NOPERM " - 1);
        link->node->backoff_ms = BACKOFF_REFUSED_MS;
        link_lost(link, EPROTO);
        return;
    }
    link->state = LINK_GREETING;
    link_limit(link, HANDSHAKE_TIMEOUT_MS);
    link_hear(link, true);
    handshake_greet(link);
    link_flush(link);
}

void dial_resolved(void *context, uint64_t ticket, const struct resolved *resolved)
{
    struct peers *peers = context;
    seeds_resolved(peers, ticket, resolved);
    for (size_t i = 0; i < peers->count; i++) {
        struct node *node = peers->nodes[i];
        if (node->ticket != ticket || node->out->state != LINK_RESOLVING)
            continue;
        node->resolved = *resolved;
        if (resolved->count) {
            dial_first(node->out);
            return;
        }
        node_trouble(node, LOG_NOTICE, "cannot be found: %s", resolved->cause);
        link_close(node->out);
        node_redial(node);
        return;
    }
}

/* The name is looked up each time: the node may have moved. */
void node_dial(struct node *node)
{
    struct link *link = node->out;
    struct peers *peers = link->peers;
    const struct cluster_node *address = &node->address;
    link->handshake.hello.version = node->older_version ? node->older_version : WIRE_VERSION;
    node->older_version = 0;
    if (resolver_is_address(address->host, address->port, &node->resolved)) {
        dial_first(link);
        return;
    }
    node->ticket = ++peers->tickets;
    link->state = LINK_RESOLVING;
    if (!resolver_ask(peers->resolver, node->ticket, address->host, address->port)) {
        link_close(link);
        node_redial(node);
    }
}
