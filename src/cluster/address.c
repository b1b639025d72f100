/* Where a node is, as text: "host:port", IPv6 as "[::1]:port". */
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "cluster/cluster.h"

/* A host name, an IPv4 or an IPv6 address. It is shown in CLUSTER NODES and in redirects. */
static bool is_host(struct span host)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "-_.:%";
    for (size_t i = 0; i < host.len; i++)
        if (!memchr(allowed, host.ptr[i], sizeof allowed - 1))
            return false;
    return host.len > 0 && host.len <= CLUSTER_HOST_MAX;
}

const char *cluster_address_parse(struct span text, char host[CLUSTER_HOST_MAX + 1], uint16_t *port)
{
    uint64_t number;
    const char *colon = text.len ? memrchr(text.ptr, ':', text.len) : NULL;
    const char *end = text.ptr + text.len;
    if (!colon || !number_parse_u64(span_of(colon + 1, (size_t)(end - colon) - 1), &number) ||
        number == 0 || number > UINT16_MAX)
        return "has no port between 1 and 65535 behind the ':'";
    struct span name = span_of(text.ptr, (size_t)(colon - text.ptr));
    if (name.len > 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']')
        name = span_of(name.ptr + 1, name.len - 2);
    else if (name.len && memchr(name.ptr, ':', name.len))
        return "has an IPv6 address that is not in [brackets]";
    if (!is_host(name))
        return "has no host name or address before the ':'";
    memcpy(host, name.ptr, name.len);
    host[name.len] = '\0';
    *port = (uint16_t)number;
    return NULL;
}

bool cluster_address_is_sound(struct span address)
{
    char host[CLUSTER_HOST_MAX + 1];
    uint16_t port;
    return address.len < CLUSTER_ADDRESS_MAX && !cluster_address_parse(address, host, &port);
}

void cluster_address_write(const char *host, uint16_t port, char address[CLUSTER_ADDRESS_MAX])
{
    snprintf(address, CLUSTER_ADDRESS_MAX, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host,
             (unsigned)port);
}

void cluster_address(const struct cluster_node *node, char address[CLUSTER_ADDRESS_MAX])
{
    cluster_address_write(node->host, node->port, address);
}

static bool has_seed(const struct cluster_seeds *seeds, const struct cluster_seed *seed)
{
    for (size_t i = 0; i < seeds->count; i++)
        if (seeds->list[i].port == seed->port && strcmp(seeds->list[i].host, seed->host) == 0)
            return true;
    return false;
}

bool cluster_seeds_add(struct cluster_seeds *seeds, const struct cluster_seed *seed)
{
    if (has_seed(seeds, seed))
        return true;
    if (seeds->count == CLUSTER_SEEDS_MAX)
        return false;
    seeds->list[seeds->count++] = *seed;
    return true;
}

enum err cluster_seeds_parse(struct span text, struct cluster_seeds *seeds, char message[256])
{
    *seeds = (struct cluster_seeds){.count = 0};
    while (text.len) {
        const char *comma = memchr(text.ptr, ',', text.len);
        struct span item = span_of(text.ptr, comma ? (size_t)(comma - text.ptr) : text.len);
        size_t used = comma ? item.len + 1 : item.len;
        struct cluster_seed seed;
        const char *fault = cluster_address_parse(item, seed.host, &seed.port);
        if (!fault && !cluster_seeds_add(seeds, &seed))
            fault = "is one address too many";
        if (!fault && comma && used == text.len)
            fault = "is followed by a ',' and no address";
        if (fault) {
            snprintf(message, 256, "'%.*s' %s", item.len > 100 ? 100 : (int)item.len, item.ptr,
                     fault);
            return ERR_INVALID;
        }
        text = span_of(text.ptr + used, text.len - used);
    }
    return ERR_NONE;
}
