/* Listening sockets. Accepting is our own loop: with no descriptor left, a listener that only waits
 * would wake up again and again for a connection that it cannot take. */
#include "net/listen.h"
#include "net/module.h"
#include "net/reply.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"

enum { ACCEPTS_PER_TURN = 256, ACCEPT_PAUSE_MS = 100 };

struct net_listener {
    struct net *net;
    int fd;
    bool is_unix;
    char path[108]; /* of a Unix socket: as long as sun_path */
    struct event event;
    struct net_listener *next;
};

static const char too_many[] = "ERR max number of clients reached";
static const char denied[] =
    "DENIED Flotilla is running in protected mode because protected mode is enabled and no "
    "password is set for the default user. In this mode connections are only accepted from the "
    "loopback interface. To connect from elsewhere set a password ('requirepass'), or, if the "
    "network can be trusted, turn the mode off ('protected-mode no', in the configuration file or "
    "by CONFIG SET from a loopback connection).";

/* --- a new connection --- */

static void describe_address(const struct sockaddr_storage *address, char out[NET_ADDRESS_MAX])
{
    char host[INET6_ADDRSTRLEN] = "?";
    unsigned port = 0;
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)address;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        port = ntohs(v4->sin_port);
        snprintf(out, NET_ADDRESS_MAX, "%s:%u", host, port);
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)address;
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        port = ntohs(v6->sin6_port);
        snprintf(out, NET_ADDRESS_MAX, "[%s]:%u", host, port);
    }
}

const char *client_local_address(struct client *client)
{
    if (client->local_address[0] || client->fd < 0)
        return client->local_address;
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;
    if (getsockname(client->fd, (struct sockaddr *)&address, &len) == 0)
        describe_address(&address, client->local_address);
    return client->local_address;
}

static bool is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_UNIX)
        return true;
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)address;
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *v6 = (const void *)address;
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
        return v6->sin6_addr.s6_addr[12] == 127;
    return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

bool client_is_local(const struct client *client)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;
    if (client->is_remote)
        return false;
    return getpeername(client->fd, (struct sockaddr *)&address, &len) == 0 && is_loopback(&address);
}

static void set_option(int fd, int level, int name, int value)
{
    (void)setsockopt(fd, level, name, &value, sizeof value); /* a hint: not worth a connection */
}

static void set_tcp_options(const struct net *net, int fd)
{
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    int interval = (int)net->settings.tcp_keepalive_seconds;
    if (interval <= 0)
        return;
    /* Dead after two intervals at the most: the first probe after one, then three in the second. */
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, interval);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, interval / 3 > 0 ? interval / 3 : 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

static void refuse_at_once(struct net *net, int fd, const char *error)
{
    char line[sizeof denied + 8];
    int len = snprintf(line, sizeof line, "-%s\r\n", error);
    ssize_t sent = send(fd, line, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent; /* a courtesy */
    close(fd);
    net->statistics.connections_rejected++;
}

/* One of those that may still say that they are nodes leaves, as if by lot: a node that dials again
 * and again cannot be kept out by a crowd. Its descriptor is closed now, because there are as many
 * as are reserved and no more. */
static void drop_a_refused_one(struct net *net)
{
    uint64_t lot = net->next_id * 0x9e3779b97f4a7c15 >> 32;
    struct client *client = net->refused[lot % net->reserved];
    int fd = client->fd;
    client_forget_descriptor(client);
    client_leave_refused(client);
    net->refused_dropped++;
    if (fd >= 0)
        refuse_at_once(net, fd, client->refusal);
}

/* Other nodes come in through the same door, from any address and however many clients there are;
 * so a connection that is refused as a client gets the time to say that it is a node. */
static const char *refusal(const struct net *net, const struct sockaddr_storage *address)
{
    if (net->settings.protected_mode && net->settings.password[0] == '\0' && !is_loopback(address))
        return denied;
    return net->clients - net->reserved >= net->settings.maxclients ? too_many : NULL;
}

void client_leave_refused(struct client *client)
{
    struct net *net = client->net;
    for (uint32_t i = 0; i < net->reserved; i++) {
        if (net->refused[i] != client)
            continue;
        net->refused[i] = net->refused[--net->reserved];
        return;
    }
}

static void welcome(struct net_listener *listener, int fd, const struct sockaddr_storage *address)
{
    struct net *net = listener->net;
    net->statistics.connections_received++;
    const char *error = refusal(net, address);
    if (error && net->sentinel) { /* no node comes through this door */
        refuse_at_once(net, fd, error);
        return;
    }
    if (error && net->reserved == NET_RESERVED)
        drop_a_refused_one(net);
    struct client *client = client_new(net, fd);
    client->is_unix = listener->is_unix;
    client->refusal = error;
    if (error)
        net->refused[net->reserved++] = client;
    if (!listener->is_unix) {
        set_tcp_options(net, fd);
        describe_address(address, client->address);
        return;
    }
    snprintf(client->address, sizeof client->address, "%s:0", listener->path);
    snprintf(client->local_address, sizeof client->local_address, "%s:0", listener->path);
}

void net_adopt(struct net *net, int fd, const struct net_adoption *adoption)
{
    struct client *client = client_new(net, fd);
    client->adopted = true;
    client->is_remote = !adoption->local;
    client->authenticated |= adoption->trusted;
    snprintf(client->address, sizeof client->address, "%s", adoption->address);
    snprintf(client->local_address, sizeof client->local_address, "%s", adoption->address);
}

/* --- accepting --- */

static void stop_listening(struct net *net)
{
    for (struct net_listener *at = net->listeners; at; at = at->next)
        event_del(&at->event);
    net->accept_again_ms = net_now(net)->mono_ms + ACCEPT_PAUSE_MS;
}

/* The connection would wait in the queue for ever: it is taken with the spare descriptor and told
 * so. Without even that, nobody listens for a moment. */
static bool turn_one_away(struct net_listener *listener)
{
    struct net *net = listener->net;
    if (net->spare_fd < 0) {
        stop_listening(net);
        return false;
    }
    close(net->spare_fd);
    int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        net->statistics.connections_received++;
        refuse_at_once(net, fd, too_many);
    }
    net->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return fd >= 0;
}

static bool accept_one(struct net_listener *listener)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;
    int fd = accept4(listener->fd, (struct sockaddr *)&address, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        welcome(listener, fd, &address);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE)
        return turn_one_away(listener);
    if (errno == ENOBUFS || errno == ENOMEM) {
        stop_listening(listener->net);
        return false;
    }
    return errno == EINTR || errno == ECONNABORTED;
}

static void on_acceptable(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct net_listener *listener = context;
    struct net *net = listener->net;
    uint64_t dropped = net->refused_dropped;
    /* Who came in this turn is heard in the next one: most of them have to be there still. */
    for (int i = 0; i < ACCEPTS_PER_TURN && net->refused_dropped - dropped < NET_RESERVED / 4; i++)
        if (!accept_one(listener))
            return;
}

void net_listeners_tick(struct net *net)
{
    if (net->accept_again_ms == 0 || net_now(net)->mono_ms < net->accept_again_ms)
        return;
    net->accept_again_ms = 0;
    if (net->spare_fd < 0)
        net->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (struct net_listener *at = net->listeners; at; at = at->next)
        event_add(&at->event, NULL);
}

/* --- listening --- */

static const char *cause(int error, char text[96])
{
    if (error == EADDRINUSE)
        return "address in use";
    snprintf(text, 96, "%s", strerror(error));
    text[0] = (char)tolower((unsigned char)text[0]);
    return text;
}

static enum err err_of(int error)
{
    if (error == EADDRINUSE)
        return ERR_BUSY;
    return error == EACCES || error == EPERM ? ERR_DENIED : ERR_IO;
}

static void add_listener(struct net *net, int fd, const char *path)
{
    struct net_listener *listener = mem_zalloc(sizeof *listener);
    listener->net = net;
    listener->fd = fd;
    listener->is_unix = path != NULL;
    if (path)
        snprintf(listener->path, sizeof listener->path, "%s", path);
    event_assign(&listener->event, net->base, fd, EV_READ | EV_PERSIST, on_acceptable, listener);
    event_add(&listener->event, NULL);
    listener->next = net->listeners;
    net->listeners = listener;
}

enum { WITHOUT_LISTENING = -1 };

/* A listening socket, or -1 with errno set. */
static int open_tcp(const struct addrinfo *info, int backlog)
{
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (info->ai_family == AF_INET6)
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 &&
        (backlog == WITHOUT_LISTENING || listen(fd, backlog) == 0))
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static bool may_be_absent(int error)
{
    return error == EADDRNOTAVAIL || error == EAFNOSUPPORT || error == EPFNOSUPPORT ||
           error == ENOPROTOOPT || error == EPROTONOSUPPORT || error == ESOCKTNOSUPPORT;
}

/* *fd is -1 where an address that may be absent is. */
static enum err open_address(const char *address, uint16_t port, int backlog, int *fd,
                             char message[256])
{
    *fd = -1;
    bool optional = address[0] == '-';
    const char *name = address + optional;
    const char *host = strcmp(name, "*") == 0 ? "0.0.0.0" : strcmp(name, "::*") == 0 ? "::" : name;
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int failed = getaddrinfo(host, service, &hints, &found);
    if (failed) {
        snprintf(message, 256, "could not bind %.120s:%u: %s", name, (unsigned)port,
                 gai_strerror(failed));
        return optional ? ERR_NONE : ERR_NOT_FOUND;
    }
    int error = 0;
    for (const struct addrinfo *at = found; at && *fd < 0; at = at->ai_next) {
        *fd = open_tcp(at, backlog);
        error = errno;
    }
    freeaddrinfo(found);
    message[0] = '\0';
    if (*fd >= 0)
        return ERR_NONE;
    char text[96];
    snprintf(message, 256, "could not bind %.120s:%u: %s", name, (unsigned)port,
             cause(error, text));
    return optional && may_be_absent(error) ? ERR_NONE : err_of(error);
}

enum err net_listen(struct net *net, const char *address, uint16_t port, int backlog,
                    char message[256])
{
    int fd;
    enum err err = open_address(address, port, backlog < 0 ? 0 : backlog, &fd, message);
    if (fd >= 0)
        add_listener(net, fd, NULL);
    return err;
}

enum err net_open_port(const char *address, uint16_t port, int backlog, int *fd, char message[256])
{
    return open_address(address, port, backlog < 0 ? 0 : backlog, fd, message);
}

enum err net_can_bind(const char *address, uint16_t port, char message[256])
{
    int fd;
    enum err err = open_address(address, port, WITHOUT_LISTENING, &fd, message);
    if (fd >= 0)
        close(fd);
    return err;
}

/* The file of a process that is gone may be replaced, that of a living one may not. */
static bool somebody_listens(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool answered = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0;
    close(fd);
    return answered;
}

static int open_unix(const struct sockaddr_un *address, unsigned mode, int backlog)
{
    if (somebody_listens(address)) {
        errno = EADDRINUSE;
        return -1;
    }
    struct stat old;
    if (stat(address->sun_path, &old) == 0 && S_ISSOCK(old.st_mode))
        unlink(address->sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (bind(fd, (const struct sockaddr *)address, sizeof *address) == 0 &&
        (mode == 0 || chmod(address->sun_path, mode) == 0) && listen(fd, backlog) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

enum err net_listen_unix(struct net *net, const char *path, unsigned mode, int backlog,
                         char message[256])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        snprintf(message, 256, "could not bind '%.160s': path longer than %zu bytes", path,
                 sizeof address.sun_path - 1);
        return ERR_INVALID;
    }
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = open_unix(&address, mode, backlog);
    if (fd >= 0) {
        add_listener(net, fd, path);
        return ERR_NONE;
    }
    enum err err = err_of(errno);
    char text[96];
    snprintf(message, 256, "could not bind '%.120s': %s", path, cause(errno, text));
    return err;
}

void net_close_listeners(struct net *net)
{
    while (net->listeners) {
        struct net_listener *listener = net->listeners;
        net->listeners = listener->next;
        event_del(&listener->event);
        close(listener->fd);
        if (listener->is_unix)
            unlink(listener->path);
        mem_free(listener);
    }
    net->accept_again_ms = 0;
}
