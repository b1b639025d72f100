#include "cluster/cluster.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "base/assert.h"
#include "base/number.h"

enum { NAME_HALVES = 3 };

/* Derives 40 hexadecimal digits from any bytes. The result identifies; it is not a secret. */
static void make_name(char name[41], const void *bytes, size_t len)
{
    uint64_t hashes[NAME_HALVES];
    for (unsigned i = 0; i < NAME_HALVES; i++)
        hashes[i] = XXH3_64bits_withSeed(bytes, len, i + 1);
    char digits[NAME_HALVES * 16 + 1];
    snprintf(digits, sizeof digits, "%016llx%016llx%016llx", (unsigned long long)hashes[0],
             (unsigned long long)hashes[1], (unsigned long long)hashes[2]);
    memcpy(name, digits, 40);
    name[40] = '\0';
}

static enum err invalid(char message[256], struct span item, const char *why)
{
    snprintf(message, 256, "cluster-nodes: '%.*s' %s", item.len > 100 ? 100 : (int)item.len,
             item.ptr, why);
    return ERR_INVALID;
}

/* "<id>@<host>:<port>" */
static enum err parse_node(struct span item, struct cluster_node *node, char message[256])
{
    const char *at = memchr(item.ptr, '@', item.len);
    const char *colon = memrchr(item.ptr, ':', item.len);
    if (!at || !colon || colon < at)
        return invalid(message, item, "is not <id>@<host>:<port>");
    if (!number_parse_u64(span_of(item.ptr, (size_t)(at - item.ptr)), &node->id) || node->id == 0)
        return invalid(message, item, "has no id above 0 before the '@'");
    const char *end = item.ptr + item.len;
    const char *fault =
        cluster_address_parse(span_of(at + 1, (size_t)(end - at) - 1), node->host, &node->port);
    return fault ? invalid(message, item, fault) : ERR_NONE;
}

static enum err insert(struct cluster *cluster, const struct cluster_node *node, struct span item,
                       char message[256])
{
    if (cluster->count == RAFT_MEMBERS_MAX)
        return invalid(message, item, "is one node too many");
    size_t at = cluster->count;
    for (size_t i = 0; i < cluster->count; i++) {
        const struct cluster_node *other = &cluster->nodes[i];
        if (other->id == node->id)
            return invalid(message, item, "has an id that another node has");
        if (other->port == node->port && strcmp(other->host, node->host) == 0)
            return invalid(message, item, "has an address that another node has");
        if (other->id > node->id && at == cluster->count)
            at = i;
    }
    memmove(&cluster->nodes[at + 1], &cluster->nodes[at],
            (cluster->count - at) * sizeof *cluster->nodes);
    cluster->nodes[at] = *node;
    cluster->count++;
    return ERR_NONE;
}

static bool is_cluster_id(const char *text)
{
    return strlen(text) == 40 && strspn(text, "0123456789abcdef") == 40;
}

static void name_nodes(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->count; i++) {
        char text[128];
        int len = snprintf(text, sizeof text, "%s/%llu", cluster->cluster_id,
                           (unsigned long long)cluster->nodes[i].id);
        make_name(cluster->nodes[i].name, text, (size_t)len);
    }
}

enum err cluster_parse(struct cluster *cluster, struct span text, const char cluster_id[41],
                       char message[256])
{
    *cluster = (struct cluster){.count = 0};
    if (text.len == 0) {
        snprintf(message, 256, "cluster-nodes: no node is named");
        return ERR_INVALID;
    }
    while (text.len) {
        const char *comma = memchr(text.ptr, ',', text.len);
        struct span item = span_of(text.ptr, comma ? (size_t)(comma - text.ptr) : text.len);
        size_t used = comma ? item.len + 1 : item.len;
        struct cluster_node node = {.id = 0};
        enum err err = parse_node(item, &node, message);
        if (!err)
            err = insert(cluster, &node, item, message);
        if (err)
            return err;
        text = span_of(text.ptr + used, text.len - used);
        if (comma && text.len == 0) {
            snprintf(message, 256, "cluster-nodes: no node is named behind the last ','");
            return ERR_INVALID;
        }
    }
    cluster_set_id(cluster, cluster_id);
    return ERR_NONE;
}

void cluster_set_id(struct cluster *cluster, const char id[41])
{
    ASSERT(is_cluster_id(id));
    memcpy(cluster->cluster_id, id, sizeof cluster->cluster_id);
    name_nodes(cluster);
}

void cluster_derive_id(char id[41])
{
    char before[41];
    memcpy(before, id, sizeof before);
    make_name(id, before, sizeof before - 1);
}

const struct cluster_node *cluster_find(const struct cluster *cluster, uint64_t id)
{
    for (size_t i = 0; i < cluster->count; i++)
        if (cluster->nodes[i].id == id)
            return &cluster->nodes[i];
    return NULL;
}

uint32_t cluster_shard_of_slot(unsigned slot)
{
    ASSERT(slot < CLUSTER_SLOTS);
    return 0;
}
