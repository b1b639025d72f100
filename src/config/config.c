#include "config/config.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/number.h"
#include "config/internal.h"

static void set_message(struct config_error *error, struct buf *text)
{
    size_t len = text->len < sizeof error->message ? text->len : sizeof error->message - 1;
    if (len > 0)
        memcpy(error->message, text->ptr, len);
    error->message[len] = '\0';
}

void config_init(struct config *config)
{
    memset(config, 0, sizeof *config);
    config->databases = CONFIG_DATABASES_MAX;
    const struct directive *directive;
    struct buf why = {0};
    for (size_t i = 0; (directive = directive_at(i)) != NULL; i++)
        if (directive->size > 0)
            ASSERT(directive_parse_text(config, directive, span_text(directive->initial), &why));
    buf_close(&why);
}

/* Takes the next "<id>@…" of "1@host:port,2@host:port". cluster_parse() checks the addresses. */
static bool next_node(struct span *rest, uint64_t *id, bool *fine)
{
    if (rest->len == 0)
        return false;
    const char *comma = memchr(rest->ptr, ',', rest->len);
    size_t len = comma == NULL ? rest->len : (size_t)(comma - rest->ptr);
    const char *at = memchr(rest->ptr, '@', len);
    *fine = at != NULL && number_parse_u64(span_of(rest->ptr, (size_t)(at - rest->ptr)), id);
    size_t taken = comma == NULL ? len : len + 1;
    *rest = span_of(rest->ptr + taken, rest->len - taken);
    return true;
}

uint64_t config_node_id(const struct config *config)
{
    return config->node_id || config_seeks(config) ? config->node_id : 1;
}

bool config_seeks(const struct config *config)
{
    return config->cluster_seeds[0] != '\0' || config->raft_bootstrap_expect > 0;
}

/* The list says who belongs to the cluster; seeds are asked. Of two answers one would be wrong. */
static void check_seeds(const struct config *config, struct buf *why)
{
    if (!config_seeks(config))
        return;
    if (config->cluster_nodes[0])
        buf_printf(why, "'%s': 'cluster-nodes' names the nodes already; leave one of the two out",
                   config->cluster_seeds[0] ? "cluster-seeds" : "raft-bootstrap-expect");
    else if (config->port == 0)
        buf_add_text(why, "'port': the other nodes cannot reach this one at port 0");
}

static void check_nodes(const struct config *config, struct buf *why)
{
    struct span rest = span_text(config->cluster_nodes);
    if (rest.len == 0)
        return;
    bool found = false, fine;
    size_t count = 0;
    uint64_t id = 0;
    for (; next_node(&rest, &id, &fine); count++) {
        if (!fine) {
            buf_printf(why,
                       "'cluster-nodes': entry %zu does not begin with a node's number and '@'",
                       count + 1);
            return;
        }
        found = found || id == config_node_id(config);
    }
    if (!found)
        buf_printf(why, "'node-id': node %llu is not in 'cluster-nodes'",
                   (unsigned long long)config_node_id(config));
    else if (count > 1 && config->port == 0)
        buf_add_text(why, "'port': the other nodes of 'cluster-nodes' cannot reach this one at "
                          "port 0");
}

static int64_t accepted_number(const struct config *config, const char *name)
{
    int64_t number = 0;
    const struct directive *directive = directive_find(span_text(name));
    ASSERT(number_parse_i64(accepted_get(config, directive), &number));
    return number;
}

static size_t count_nodes(const struct config *config)
{
    if (config->raft_bootstrap_expect)
        return (size_t)config->raft_bootstrap_expect;
    size_t count = 1;
    for (const char *at = config->cluster_nodes; *at; at++)
        count += *at == ',';
    return count;
}

/* Two of the accepted directives promise something that depends on their number. */
static void check_promises(const struct config *config, struct buf *why)
{
    size_t others = count_nodes(config) / 2;
    int64_t wanted = accepted_number(config, "min-replicas-to-write");
    if (wanted > 0 && (uint64_t)wanted > others)
        buf_printf(
            why,
            "'min-replicas-to-write': %lld: a write is acknowledged when %zu of the other nodes "
            "hold it (the majority of %zu), and no number can raise that",
            (long long)wanted, others, count_nodes(config));
    else if (accepted_number(config, "replica-priority") == 0)
        buf_add_text(why, "'replica-priority': 0: every node of 'cluster-nodes' can be elected");
}

/* Nodes prove the secret to each other. Whoever records a proof can guess the secret offline, at
 * full speed, so a short secret is refused. */
static void check_secret(const struct config *config, struct buf *why)
{
    size_t len = strlen(config->cluster_secret);
    if (len && len < CONFIG_SECRET_CHARACTERS_MIN)
        buf_printf(why,
                   "'cluster-secret': %zu characters can be guessed; use %d or more, for example "
                   "the output of: openssl rand -hex 24",
                   len, CONFIG_SECRET_CHARACTERS_MIN);
}

/* Checks the limits again for callers that filled the struct without the parser. */
static void check_limits(const struct config *config, struct buf *why)
{
    struct config *copy = mem_alloc(sizeof *copy);
    *copy = *config;
    struct buf value = {0}, cause = {0};
    const struct directive *directive;
    for (size_t i = 0; why->len == 0 && (directive = directive_at(i)) != NULL; i++) {
        if (directive->size == 0 || directive->max == 0)
            continue;
        value.len = cause.len = 0;
        directive_format(config, directive, &value);
        if (!directive_parse_text(copy, directive, buf_span(&value), &cause))
            buf_printf(why, "'%s': %.*s", directive->name, (int)cause.len, cause.ptr);
    }
    buf_close(&value);
    buf_close(&cause);
    mem_free(copy);
}

static void check_sentinel(const struct config *config, struct buf *why)
{
    if (config->sentinel_port == 0)
        return;
    if (config->sentinel_port == config->port)
        buf_printf(why, "'sentinel-port': %d is already the 'port' of clients and nodes",
                   config->sentinel_port);
    else if (config->port == 0 || config->bind_count == 0)
        buf_add_text(why, "'sentinel-port': it would send clients to a port, but 'port' is 0 or "
                          "'bind' is empty");
}

static void check_http(const struct config *config, struct buf *why)
{
    int port = config->http_port;
    if (port && (port == config->port || port == config->sentinel_port))
        buf_printf(why, "'http-port': %d is already the '%s'", port,
                   port == config->port ? "port" : "sentinel-port");
    else if (port && config->bind_count == 0)
        buf_add_text(why, "'http-port': 'bind' is empty");
}

enum err config_check(const struct config *config, struct config_error *error)
{
    struct buf why = {0};
    check_limits(config, &why);
    if (why.len == 0 && 2 * config->raft_heartbeat_ms > config->raft_election_timeout_ms)
        buf_printf(
            &why,
            "'raft-election-timeout-ms': %d is less than two heartbeats "
            "('raft-heartbeat-ms' is %d), so that one late heartbeat would depose the leader",
            config->raft_election_timeout_ms, config->raft_heartbeat_ms);
    if (why.len == 0)
        check_secret(config, &why);
    if (why.len == 0)
        check_seeds(config, &why);
    if (why.len == 0)
        check_nodes(config, &why);
    if (why.len == 0)
        check_promises(config, &why);
    if (why.len == 0 && (config->port == 0 || config->bind_count == 0) &&
        config->unixsocket[0] == '\0')
        buf_add_text(&why, "nothing to listen on: 'port' is 0 or 'bind' is empty, and "
                           "'unixsocket' is not set");
    if (why.len == 0)
        check_sentinel(config, &why);
    if (why.len == 0)
        check_http(config, &why);
    bool fine = why.len == 0;
    if (!fine)
        set_message(error, &why);
    buf_close(&why);
    return fine ? ERR_NONE : ERR_INVALID;
}

/* Skips "./" before a relative path. */
static const char *without_dots(const char *path)
{
    while (path[0] == '.' && path[1] == '/') {
        path += 2;
        while (*path == '/')
            path++;
    }
    return strcmp(path, ".") == 0 ? "" : path;
}

enum err config_make_absolute(struct config *config, const char *from, struct config_error *error)
{
    const struct directive *directive;
    struct buf path = {0};
    bool fine = true;
    for (size_t i = 0; fine && (directive = directive_at(i)) != NULL; i++) {
        char *field = (char *)config + directive->offset;
        if ((directive->flags & DIRECTIVE_PATH) == 0 || field[0] == '\0' || field[0] == '/')
            continue;
        const char *rest = without_dots(field);
        path.len = 0;
        buf_add_text(&path, from);
        if (rest[0] != '\0' && path.len > 0 && path.ptr[path.len - 1] != '/')
            buf_add_char(&path, '/');
        buf_add_text(&path, rest);
        fine = path.len < directive->size;
        if (fine) {
            memcpy(field, path.ptr ? path.ptr : "", path.len);
            field[path.len] = '\0';
        } else {
            path.len = 0;
            buf_printf(&path, "'%s': its absolute path is longer than %zu bytes", directive->name,
                       directive->size - 1);
            set_message(error, &path);
        }
    }
    buf_close(&path);
    return fine ? ERR_NONE : ERR_INVALID;
}

bool config_text_has_secret(struct span text)
{
    struct words words = {0};
    struct span line;
    bool found = false;
    text = config_without_mark(text);
    while (!found && config_next_line(&text, &line)) {
        if (words_split(&words, line) != WORDS_OK || words.count < 2)
            continue;
        const struct directive *directive = directive_find(words.list[0]);
        found = directive != NULL && (directive->flags & DIRECTIVE_SECRET) != 0 &&
                words.list[1].len > 0;
    }
    words_close(&words);
    return found;
}

void config_get(const struct config *config, bool (*matches)(void *context, const char *name),
                void *context, void (*visit)(void *context, const char *name, struct span value))
{
    struct buf value = {0};
    const struct directive *directive;
    for (size_t i = 0; (directive = directive_at(i)) != NULL; i++) {
        if ((directive->flags & DIRECTIVE_HIDDEN) != 0)
            continue;
        value.len = 0;
        directive_format(config, directive, &value);
        struct span shown = value.len == 0 ? SPAN("") : buf_span(&value);
        if (matches(context, directive->name))
            visit(context, directive->name, shown);
        if (directive->alias != NULL && matches(context, directive->alias))
            visit(context, directive->alias, shown);
    }
    buf_close(&value);
}

enum config_set_outcome config_set(struct config *config, struct span name, struct span value,
                                   struct config_error *error)
{
    error->message[0] = '\0';
    const struct directive *directive = directive_find(name);
    if (directive == NULL || (directive->flags & DIRECTIVE_HIDDEN) != 0)
        return CONFIG_SET_UNKNOWN;
    struct buf why = {0};
    enum config_set_outcome outcome = CONFIG_SET_OK;
    if ((directive->flags & (DIRECTIVE_IMMUTABLE | DIRECTIVE_PROTECTED)) != 0) {
        buf_printf(&why, "can't set %s config",
                   (directive->flags & DIRECTIVE_PROTECTED) != 0 ? "protected" : "immutable");
        outcome = CONFIG_SET_IMMUTABLE;
    } else if (!directive_parse_text(config, directive, value, &why)) {
        outcome = CONFIG_SET_INVALID;
    }
    if (outcome != CONFIG_SET_OK)
        set_message(error, &why);
    buf_close(&why);
    return outcome;
}
