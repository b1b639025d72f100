#include "nodes.h"

#include <stdio.h>
#include <string.h>

static bool parse_port(const char *text, size_t length, uint16_t *port)
{
    unsigned value = 0;
    if (length == 0 || length > 5)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    *port = (uint16_t)value;
    return value > 0 && value <= UINT16_MAX;
}

/* A host has no blanks and nothing that is not printed; whether it exists, the resolver says. */
static bool is_host(const char *host, size_t length)
{
    if (length == 0 || length >= NODE_HOST_MAX)
        return false;
    for (size_t i = 0; i < length; i++)
        if (host[i] <= ' ' || host[i] > '~' || host[i] == ',' || host[i] == '[' || host[i] == ']')
            return false;
    return true;
}

bool node_parse(const char *text, size_t length, struct node *node)
{
    const char *colon = memrchr(text, ':', length);
    if (!colon)
        return false;
    const char *host = text;
    size_t host_length = (size_t)(colon - text);
    bool brackets = host_length >= 2 && host[0] == '[' && host[host_length - 1] == ']';
    if (brackets) {
        host++;
        host_length -= 2;
    }
    if (!is_host(host, host_length) || (!brackets && memchr(host, '/', host_length)))
        return false;
    *node = (struct node){.turn = 0};
    memcpy(node->host, host, host_length);
    return parse_port(colon + 1, length - (size_t)(colon + 1 - text), &node->port);
}

static bool is_same(const struct node *a, const struct node *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

static bool find(const struct nodes *nodes, const struct node *node, size_t *number)
{
    for (size_t i = 0; i < nodes->count; i++)
        if (is_same(&nodes->list[i], node)) {
            *number = i;
            return true;
        }
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool nodes_parse(struct nodes *nodes, const char *list, char *cause, size_t cause_size)
{
    *nodes = (struct nodes){.count = 0};
    const char *at = list;
    for (;;) {
        size_t length = strcspn(at, ",");
        const char *rest = at + length;
        while (length > 0 && is_blank(*at))
            at++, length--;
        while (length > 0 && is_blank(at[length - 1]))
            length--;
        struct node node;
        size_t known;
        if (!node_parse(at, length, &node)) {
            snprintf(cause, cause_size, "'%.*s' is no address: write host:port",
                     (int)(length < 100 ? length : 100), at);
            return false;
        }
        if (nodes->count == NODES_GIVEN_MAX) {
            snprintf(cause, cause_size, "there are more than %d addresses", NODES_GIVEN_MAX);
            return false;
        }
        if (!find(nodes, &node, &known))
            nodes->list[nodes->count++] = node;
        if (!*rest)
            break;
        at = rest + 1;
    }
    nodes->given = nodes->count;
    return true;
}

size_t nodes_learn(struct nodes *nodes, const struct node *node)
{
    size_t number;
    if (find(nodes, node, &number))
        return number;
    if (nodes->count < NODES_MAX) {
        nodes->list[nodes->count] = *node;
        return nodes->count++;
    }
    size_t heard = NODES_MAX - nodes->given;
    struct node *first = &nodes->list[nodes->given];
    memmove(first, first + 1, (heard - 1) * sizeof *first);
    nodes->list[NODES_MAX - 1] = *node;
    return NODES_MAX - 1;
}

size_t nodes_turn(struct nodes *nodes)
{
    size_t number = nodes->next % nodes->count;
    nodes->next = number + 1;
    return number;
}

void node_name(const struct node *node, char name[NODE_NAME_MAX])
{
    bool v6 = strchr(node->host, ':');
    snprintf(name, NODE_NAME_MAX, v6 ? "[%s]:%u" : "%s:%u", node->host, (unsigned)node->port);
}
