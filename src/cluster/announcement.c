/* What nodes announce of themselves, what clients are told of it, and the message that carries it.
 */
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "cluster/cluster.h"

enum { ARGUMENTS = 6, ARGUMENTS_MIN = 5 };

const char *cluster_client_ip(const struct cluster_node *node)
{
    return node->announced.ip[0] ? node->announced.ip : node->host;
}

uint16_t cluster_client_port(const struct cluster_node *node)
{
    return node->announced.port ? node->announced.port : node->port;
}

const char *cluster_endpoint(const struct cluster_node *node, enum cluster_endpoint_type type)
{
    switch (type) {
    case CLUSTER_ENDPOINT_IP:
        return cluster_client_ip(node);
    case CLUSTER_ENDPOINT_HOSTNAME:
        return node->announced.hostname[0] ? node->announced.hostname : "?";
    case CLUSTER_ENDPOINT_UNKNOWN:
        return "";
    }
    return "";
}

bool cluster_announcement_is_set(const struct cluster_announcement *announcement)
{
    return announcement->ip[0] || announcement->hostname[0] || announcement->port ||
           announcement->sentinel_port || announcement->address[0];
}

static void add_text(struct buf *out, const char *text)
{
    buf_printf(out, "$%zu\r\n%s\r\n", strlen(text), text);
}

static void add_number(struct buf *out, uint64_t value)
{
    char digits[NUMBER_I64_CHARS];
    size_t len = number_format_u64(digits, value);
    buf_printf(out, "$%zu\r\n%.*s\r\n", len, (int)len, digits);
}

void cluster_announcement_encode(struct buf *out, const struct cluster_announcement *announcement)
{
    buf_printf(out, "*%d\r\n", ARGUMENTS);
    add_text(out, "RAFT.ANNOUNCE");
    add_text(out, announcement->ip);
    add_text(out, announcement->hostname);
    add_number(out, announcement->port);
    add_number(out, announcement->sentinel_port);
    add_text(out, announcement->address);
}

bool cluster_announcement_is_message(const struct span *args, size_t argc)
{
    return argc > 0 && span_equal(args[0], SPAN("RAFT.ANNOUNCE"));
}

/* It is shown in lines of text, so that a space or a line's end in it would be taken for more. */
static bool take_text(struct span text, const char *marks, char *to, size_t max)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_word && (c == '\0' || !strchr(marks, c)))
            return false;
    }
    if (text.len > max)
        return false;
    memcpy(to, text.ptr, text.len);
    to[text.len] = '\0';
    return true;
}

static bool take_port(struct span text, uint16_t *port)
{
    uint64_t value;
    if (!number_parse_u64(text, &value) || value > UINT16_MAX)
        return false;
    *port = (uint16_t)value;
    return true;
}

bool cluster_announcement_parse(const struct span *args, size_t argc,
                                struct cluster_announcement *announcement)
{
    bool has_address = argc >= ARGUMENTS && args[5].len > 0;
    if (has_address && !cluster_address_is_sound(args[5]))
        return false;
    announcement->address[0] = '\0';
    if (has_address)
        snprintf(announcement->address, sizeof announcement->address, "%.*s", (int)args[5].len,
                 args[5].ptr);
    return argc >= ARGUMENTS_MIN && cluster_announcement_is_message(args, argc) &&
           take_text(args[1], "-_.:%", announcement->ip, CLUSTER_IP_MAX) &&
           take_text(args[2], "-.", announcement->hostname, CLUSTER_HOST_MAX) &&
           take_port(args[3], &announcement->port) &&
           take_port(args[4], &announcement->sentinel_port);
}

void cluster_set_announced(struct cluster *cluster, uint64_t id,
                           const struct cluster_announcement *announcement)
{
    for (size_t i = 0; i < cluster->count; i++)
        if (cluster->nodes[i].id == id)
            cluster->nodes[i].announced = *announcement;
}

void cluster_keep_announced(struct cluster *cluster, const struct cluster *before)
{
    for (size_t i = 0; i < before->count; i++)
        cluster_set_announced(cluster, before->nodes[i].id, &before->nodes[i].announced);
}
