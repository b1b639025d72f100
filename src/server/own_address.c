/* Where a node that knows only seeds is reached by the others. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "server/server.h"

enum { MOVED_MS = 1000 };

/* As cluster-announce-… says. false: they do not. */
static bool write_announced(const struct server *server, char address[CLUSTER_ADDRESS_MAX])
{
    const struct config *config = &server->config;
    const char *host = config->cluster_announce_ip[0] ? config->cluster_announce_ip
                                                      : config->cluster_announce_hostname;
    int port = config->cluster_announce_port ? config->cluster_announce_port : config->port;
    if (host[0])
        cluster_address_write(host, (uint16_t)port, address);
    return host[0] != '\0';
}

static size_t count_contacts(const struct server *server)
{
    return server->peers ? peers_contact_count(server->peers) : 0;
}

/* The seed at which this node has found itself: by its name, if it stands for nothing else. */
static bool write_found(const struct server *server, char address[CLUSTER_ADDRESS_MAX])
{
    struct peer_contact contact;
    bool alone;
    for (size_t i = 0; i < server->seeds.count; i++)
        for (size_t at = 0; at < count_contacts(server); at++) {
            const struct cluster_seed *seed = &server->seeds.list[i];
            peers_contact_at(server->peers, at, &contact);
            if (!contact.self || !peers_seed_is(server->peers, seed, &contact.address, &alone))
                continue;
            cluster_address_write(alone ? seed->host : contact.address.host, seed->port, address);
            return true;
        }
    return false;
}

static bool is_wildcard(const char *bind)
{
    return strcmp(bind, "*") == 0 || strcmp(bind, "0.0.0.0") == 0 || strcmp(bind, "::") == 0 ||
           strcmp(bind, "::*") == 0;
}

/* What the node listens to, if it does not listen to `host`. NULL: it does. */
static const char *other_bind(const struct config *config, const char *host)
{
    const char *first = NULL;
    for (size_t i = 0; i < config->bind_count; i++) {
        const char *bind = config->bind[i] + (config->bind[i][0] == '-');
        if (is_wildcard(bind) || strcmp(bind, host) == 0)
            return NULL;
        first = first ? first : bind;
    }
    return first;
}

static void write_listening(const struct server *server, const char *host,
                            char address[CLUSTER_ADDRESS_MAX])
{
    const char *other = other_bind(&server->config, host);
    cluster_address_write(other ? other : host, (uint16_t)server->config.port, address);
}

static bool write_local(const struct server *server, char address[CLUSTER_ADDRESS_MAX])
{
    struct peer_contact contact;
    for (size_t at = 0; at < count_contacts(server); at++) {
        peers_contact_at(server->peers, at, &contact);
        if (contact.local[0] == '\0')
            continue;
        write_listening(server, contact.local, address);
        return true;
    }
    return false;
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strncmp(address, "[::1]", 5) == 0 ||
           strncmp(address, "localhost:", 10) == 0;
}

/* An IPv6 address has many spellings. The others know a node by one of them. */
static void spell(const char *address, char spelled[CLUSTER_ADDRESS_MAX])
{
    struct cluster_seed place;
    struct in6_addr bytes;
    char host[INET6_ADDRSTRLEN];
    if (!cluster_address_parse(span_text(address), place.host, &place.port) &&
        inet_pton(AF_INET6, place.host, &bytes) == 1 &&
        inet_ntop(AF_INET6, &bytes, host, sizeof host))
        cluster_address_write(host, place.port, spelled);
    else
        snprintf(spelled, CLUSTER_ADDRESS_MAX, "%s", address);
}

static void take_own_address(struct server *server, const char *found)
{
    char address[CLUSTER_ADDRESS_MAX];
    spell(found, address);
    if (strcmp(address, server->own_address) == 0)
        return;
    if (server->own_address[0] && server_group(server))
        log_line(&server->log, LOG_NOTICE, "this node is at %s now, it was at %s", address,
                 server->own_address);
    snprintf(server->own_address, sizeof server->own_address, "%s", address);
    if (server_group(server))
        server_announce_change(server);
}

/* Whether this node was reached where it says that it is. */
static bool is_where_it_says(const struct server *server)
{
    struct cluster_seed seed;
    struct peer_contact contact;
    bool alone;
    if (cluster_address_parse(span_text(server->own_address), seed.host, &seed.port))
        return false;
    for (size_t at = 0; at < peers_contact_count(server->peers); at++) {
        peers_contact_at(server->peers, at, &contact);
        if (contact.self && peers_seed_is(server->peers, &seed, &contact.address, &alone))
            return true;
    }
    return false;
}

/* A member without a leader may be the one that has moved: it had time to reach itself. */
static bool has_moved(struct server *server)
{
    return server_group(server) && server->peers && server->asks &&
           server_now(server).mono_ms >= server->asks_since_ms + MOVED_MS &&
           !is_where_it_says(server);
}

void server_find_own_address(struct server *server)
{
    char address[CLUSTER_ADDRESS_MAX] = "";
    if (!server->seeking)
        return;
    bool keeps = server->own_address[0] && !has_moved(server);
    bool found = write_announced(server, address) ||
                 ((!server_group(server) || !keeps) && write_found(server, address)) ||
                 (!keeps && write_local(server, address));
    if (found)
        take_own_address(server, address);
}

/* What the log says of this node is newer than the list with which it began. */
void server_seek_open(struct server *server)
{
    const struct raft_member *self =
        raft_membership_find(raft_membership(shard_raft(server_group(server))), server->self);
    if (server->seeking && self && self->address[0])
        memcpy(server->own_address, self->address, sizeof self->address);
    server_find_own_address(server);
}

/* It said that it is on this machine, and somebody has come from another one. */
void server_note_called_at(struct server *server, const char *local)
{
    char address[CLUSTER_ADDRESS_MAX];
    if (!server->seeking || local[0] == '\0' || write_announced(server, address) ||
        (server->own_address[0] && !is_loopback(server->own_address)))
        return;
    cluster_address_write(local, (uint16_t)server->config.port, address);
    if (server->own_address[0] == '\0' || !is_loopback(address))
        take_own_address(server, address);
}

/* The first address that it listens on, for a node that nobody has called yet. */
void server_assume_own_address(struct server *server)
{
    char address[CLUSTER_ADDRESS_MAX];
    server_find_own_address(server);
    if (server->own_address[0])
        return;
    write_listening(server, "127.0.0.1", address);
    take_own_address(server, address);
}
