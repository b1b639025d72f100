#include "bench/load/load.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "bench/load/internal.h"

#define SECOND_NS UINT64_C(1000000000)

enum { EVENTS = 512, STILL_NS = 10 * 1000 * 1000 };

static uint64_t ns_of(double seconds)
{
    return (uint64_t)(seconds * (double)SECOND_NS);
}

uint64_t load_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

void load_wake_at(struct load *load, uint64_t when)
{
    if (when < load->wake_ns)
        load->wake_ns = when;
}

/* --- what is to be sent --- */

static bool counts(const struct load *load, const struct request *request)
{
    return request->begin_ns >= load->count_from_ns;
}

static uint64_t due_ns(const struct load *load, uint64_t number)
{
    return load->results->begin_ns + ns_of((double)number / load->options->rate);
}

/* Whether there is a request to send now. Without a rate each is due at once. */
static bool has_request(const struct load *load, uint64_t now)
{
    if (load->again_count > 0)
        return true;
    if (load->next >= load->total)
        return false;
    if (load->options->rate > 0)
        return due_ns(load, load->next) <= now && due_ns(load, load->next) < load->end_ns;
    return now < load->end_ns;
}

static struct request next_request(struct load *load, uint64_t now)
{
    if (load->again_count > 0)
        return load->again[--load->again_count];
    const struct options *options = load->options;
    bool is_read = (double)prng_below(&load->prng, 1000000) < options->reads * 10000;
    struct request request = {.begin_ns = options->rate > 0 ? due_ns(load, load->next) : now,
                              .key = keys_next(&load->keys, &load->prng),
                              .kind = is_read ? REQUEST_READ : options->write_kind};
    load->next++;
    if (counts(load, &request)) {
        load->results->sent++;
        if (options->rate > 0)
            latency_add(&load->results->late, now - request.begin_ns);
    }
    return request;
}

static void put_again(struct load *load, struct request request)
{
    if (load->again_count == load->again_capacity) {
        load->again_capacity = load->again_capacity ? load->again_capacity * 2 : 64;
        load->again = mem_realloc(load->again, load->again_capacity * sizeof(*load->again));
    }
    load->again[load->again_count++] = request;
}

/* --- who sends it --- */

static bool has_room(const struct load *load, const struct connection *connection)
{
    if (connection->state != CONNECTION_OPEN || connection->greets ||
        connection->moves_to != STAYS || connection->still_until_ns > 0)
        return false;
    return load->options->rate > 0 ? connection->count < load->options->pipeline
                                   : connection->count == 0;
}

void load_make_ready(struct load *load, struct connection *connection)
{
    if (connection->is_ready || !has_room(load, connection))
        return;
    connection->is_ready = true;
    load->ready[(load->ready_first + load->ready_count++) % load->options->connections] =
        (unsigned)(connection - load->connections);
}

static struct connection *take_ready(struct load *load)
{
    while (load->ready_count > 0) {
        struct connection *connection = &load->connections[load->ready[load->ready_first]];
        load->ready_first = (load->ready_first + 1) % load->options->connections;
        load->ready_count--;
        connection->is_ready = false;
        if (has_room(load, connection))
            return connection;
    }
    return NULL;
}

static void send_request(struct load *load, struct connection *connection, uint64_t now)
{
    const struct options *options = load->options;
    struct request request = next_request(load, now);
    size_t value_bytes =
        options->value_bytes_min +
        prng_below(&load->prng, options->value_bytes_max - options->value_bytes_min + 1);
    protocol_add_request(&connection->out, options->protocol, request.kind, request.key,
                         load->values, value_bytes);
    connection->requests[(connection->first + connection->count) % options->pipeline] = request;
    connection->count++;
    load->under_way++;
}

static void send_requests(struct load *load, uint64_t now)
{
    while (load->has_begun && has_request(load, now)) {
        struct connection *connection = take_ready(load);
        if (!connection)
            break;
        unsigned at_once = load->options->rate > 0 ? 1 : load->options->pipeline;
        for (unsigned i = 0; i < at_once && has_request(load, now); i++)
            send_request(load, connection, now);
        connection_mark_dirty(load, connection);
        load_make_ready(load, connection);
    }
    connection_flush_all(load);
}

/* --- what came back --- */

static void note_gap(struct load *load, uint64_t from, uint64_t to)
{
    struct results *results = load->results;
    struct gap gap = {.from_ns = from, .ns = to > from ? to - from : 0};
    if (gap.ns > results->longest_gap.ns)
        results->longest_gap = gap;
    if ((double)gap.ns < load->options->gap_ms * 1e6)
        return;
    if (results->gap_count == LOAD_GAPS_MAX)
        results->gaps_not_listed++;
    else
        results->gaps[results->gap_count++] = gap;
}

static void count_error(struct results *results, const char *text)
{
    char word[LOAD_ERROR_CHARS] = "";
    for (size_t i = 0; i + 1 < sizeof(word) && (isalnum((unsigned char)text[i]) || text[i] == '_');
         i++)
        word[i] = text[i];
    unsigned at = 0;
    while (at < LOAD_ERRORS_MAX - 1 && results->errors[at].count &&
           strcmp(results->errors[at].word, word) != 0)
        at++;
    strcpy(results->errors[at].word, at == LOAD_ERRORS_MAX - 1 ? "others" : word);
    results->errors[at].count++;
}

/* The node of "MOVED slot host:port", or STAYS. */
static int node_moved_to(struct load *load, const char *text)
{
    const char *name = strrchr(text, ' ');
    if (!name++)
        return STAYS;
    for (unsigned i = 0; i < load->node_count; i++)
        if (strcmp(load->nodes[i].name, name) == 0)
            return (int)i;
    if (load->node_count == LOAD_NODES_MAX || !node_resolve(&load->nodes[load->node_count], name))
        return STAYS;
    return (int)load->node_count++;
}

static bool serves_nobody(const char *error)
{
    static const char *const words[] = {"CLUSTERDOWN ", "LOADING ", "READONLY ", "MASTERDOWN "};
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (strncmp(error, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

static void take_error(struct load *load, struct connection *connection, struct request request,
                       uint64_t now)
{
    char status[16];
    const char *error = connection->parser.text + 1;
    if (load->options->protocol == PROTOCOL_ETCD) {
        snprintf(status, sizeof(status), "HTTP_%u", connection->parser.status);
        error = status;
    }
    if (strncmp(error, "MOVED ", 6) == 0) {
        int node = node_moved_to(load, error);
        if (node != STAYS) {
            load->results->redirects++;
            put_again(load, request);
            connection->moves_to = node;
            return;
        }
    }
    if (counts(load, &request))
        count_error(load->results, error);
    connection->still_until_ns = now + STILL_NS;
    load_wake_at(load, connection->still_until_ns);
    if (serves_nobody(error) && load->node_count > 1)
        connection->moves_to = (int)((connection->node + 1) % load->node_count);
}

static void take_success(struct load *load, const struct request *request, bool is_missing,
                         uint64_t now)
{
    struct results *results = load->results;
    if (!counts(load, request))
        return;
    bool is_read = request->kind == REQUEST_READ;
    latency_add(is_read ? &results->reads : &results->writes, now - request->begin_ns);
    results->missing += is_read && is_missing;
    results->last_reply_ns = now;
    if (is_read)
        return;
    note_gap(load, load->last_write_ns, now);
    load->last_write_ns = now;
}

void load_take_reply(struct load *load, struct connection *connection, enum reply_kind kind,
                     uint64_t now)
{
    bool is_expected = connection->greets || connection->count > 0;
    if (kind == REPLY_BROKEN || !is_expected || (connection->greets && kind == REPLY_ERROR)) {
        fprintf(stderr, "flotilla-load: '%s' answered%s: %s%s\n",
                load->nodes[connection->node].name, is_expected ? "" : " what nobody asked for",
                connection->parser.text, connection->parser.body);
        load->has_failed = true;
        return;
    }
    if (connection->greets) {
        connection->greets = false;
        load_make_ready(load, connection);
        return;
    }
    struct request request = connection->requests[connection->first];
    connection->first = (connection->first + 1) % load->options->pipeline;
    connection->count--;
    load->under_way--;
    if (kind == REPLY_ERROR)
        take_error(load, connection, request, now);
    else
        take_success(load, &request, kind == REPLY_MISSING, now);
    if (connection->count == 0 && connection->moves_to != STAYS)
        connection_reopen(load, connection, (unsigned)connection->moves_to,
                          connection->still_until_ns > now ? connection->still_until_ns : now);
    else
        load_make_ready(load, connection);
}

void load_forget(struct load *load, struct connection *connection)
{
    for (; connection->count > 0; connection->count--) {
        load->results->lost += counts(load, &connection->requests[connection->first]);
        connection->first = (connection->first + 1) % load->options->pipeline;
        load->under_way--;
    }
}

/* --- the run --- */

/* Those whose stillness has ended. */
static void wake(struct load *load, uint64_t now)
{
    if (now < load->wake_ns)
        return;
    load->wake_ns = UINT64_MAX;
    for (unsigned i = 0; i < load->options->connections; i++) {
        struct connection *connection = &load->connections[i];
        if (connection->still_until_ns > now) {
            load_wake_at(load, connection->still_until_ns);
            continue;
        }
        bool was_still = connection->still_until_ns > 0;
        connection->still_until_ns = 0;
        if (connection->state == CONNECTION_CLOSED)
            connection_open(load, connection, now);
        else if (was_still)
            load_make_ready(load, connection);
    }
}

/* Sleeps until something happens, or until `when`. */
static void await_events(struct load *load, uint64_t when)
{
    if (load->wake_ns < when)
        when = load->wake_ns;
    if (when != load->timer_ns) {
        struct itimerspec at = {.it_value = {.tv_sec = (time_t)(when / SECOND_NS),
                                             .tv_nsec = (long)(when % SECOND_NS)}};
        timerfd_settime(load->timer, TFD_TIMER_ABSTIME, &at, NULL);
        load->timer_ns = when;
    }
    struct epoll_event events[EVENTS];
    int count = epoll_wait(load->epoll, events, EVENTS, -1);
    for (int i = 0; i < count; i++) {
        if (events[i].data.u64 != UINT64_MAX) {
            connection_event(load, &load->connections[events[i].data.u64], events[i].events);
            continue;
        }
        uint64_t expirations;
        if (read(load->timer, &expirations, sizeof(expirations)) > 0)
            load->timer_ns = 0;
    }
}

static bool connect_all(struct load *load)
{
    uint64_t now = load_clock_ns();
    uint64_t until = now + ns_of(load->options->connect_seconds);
    for (unsigned i = 0; i < load->options->connections; i++)
        connection_open(load, &load->connections[i], now);
    while (load->ready_count < load->options->connections) {
        await_events(load, until);
        now = load_clock_ns();
        wake(load, now);
        connection_flush_all(load);
        if (load->has_failed || load_stops)
            return false;
        if (now >= until) {
            fprintf(stderr, "flotilla-load: %u of %u connections after %g s\n", load->ready_count,
                    load->options->connections, load->options->connect_seconds);
            return false;
        }
    }
    return true;
}

static void begin(struct load *load)
{
    const struct options *options = load->options;
    uint64_t now = load_clock_ns();
    load->has_begun = true;
    load->results->begin_ns = now;
    load->count_from_ns = now + ns_of(options->warmup_seconds);
    load->last_write_ns = load->count_from_ns;
    load->total = options->requests ? options->requests : UINT64_MAX;
    load->end_ns = options->requests ? UINT64_MAX : load->count_from_ns + ns_of(options->seconds);
}

/* When the next request is due that a connection has room for; else when the run ends. */
static uint64_t next_event(const struct load *load, uint64_t drained_ns)
{
    uint64_t when = load->end_ns < drained_ns ? load->end_ns : drained_ns;
    if (load->ready_count > 0 && load->options->rate > 0 && load->next < load->total) {
        uint64_t due = due_ns(load, load->next);
        if (due < when)
            when = due;
    }
    return when;
}

static bool is_over(const struct load *load, uint64_t now)
{
    if (load->under_way > 0 || has_request(load, now))
        return false;
    return now >= load->end_ns || load->next >= load->total;
}

static void finish(struct load *load)
{
    struct results *results = load->results;
    results->begin_ns = load->count_from_ns;
    for (unsigned i = 0; i < load->options->connections; i++) {
        struct connection *connection = &load->connections[i];
        for (unsigned j = 0; j < connection->count; j++)
            results->unanswered += counts(
                load, &connection->requests[(connection->first + j) % load->options->pipeline]);
    }
    results->unsent = load->again_count;
    uint64_t now = load_clock_ns();
    while (load->options->rate > 0 && has_request(load, now)) {
        struct request request = next_request(load, now);
        results->unsent += counts(load, &request);
    }
    if (load->options->reads < 100 && load->end_ns != UINT64_MAX)
        note_gap(load, load->last_write_ns, load->end_ns);
}

static bool run(struct load *load)
{
    begin(load);
    for (;;) {
        uint64_t now = load_clock_ns();
        if (load_stops && now < load->end_ns)
            load->end_ns = now;
        wake(load, now);
        send_requests(load, now);
        uint64_t drained_ns = load->end_ns == UINT64_MAX
                                  ? UINT64_MAX
                                  : load->end_ns + ns_of(load->options->drain_seconds);
        if (is_over(load, now) || now >= drained_ns)
            break;
        if (load->open_count == 0 &&
            now - load->nobody_ns > ns_of(load->options->connect_seconds)) {
            fprintf(stderr, "flotilla-load: nobody could be reached for %g s\n",
                    load->options->connect_seconds);
            return false;
        }
        await_events(load, next_event(load, now >= load->end_ns ? drained_ns : load->end_ns));
        if (load->has_failed)
            return false;
    }
    finish(load);
    return true;
}

static bool resolve_all(struct load *load)
{
    char *names = mem_alloc(strlen(load->options->nodes) + 1);
    strcpy(names, load->options->nodes);
    bool ok = true;
    char *rest = names;
    for (char *name; ok && (name = strsep(&rest, ",")) != NULL;) {
        ok =
            load->node_count < LOAD_NODES_MAX && node_resolve(&load->nodes[load->node_count], name);
        load->node_count += ok;
    }
    mem_free(names);
    return ok;
}

static void allocate(struct load *load)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const struct options *options = load->options;
    prng_init(&load->prng, options->seed);
    keys_init(&load->keys, options->order, options->keys, options->exponent);
    size_t chars = (options->value_bytes_max + 2) / 3 * 4;
    load->values = mem_alloc(chars + 1);
    for (size_t i = 0; i < chars; i++)
        load->values[i] = letters[prng_below(&load->prng, 64)];
    load->connections = mem_zalloc(options->connections * sizeof(*load->connections));
    load->ready = mem_zalloc(options->connections * sizeof(*load->ready));
    load->dirty = mem_zalloc(options->connections * sizeof(*load->dirty));
    for (unsigned i = 0; i < options->connections; i++) {
        struct connection *connection = &load->connections[i];
        connection->fd = -1;
        connection->node = i % load->node_count;
        connection->moves_to = STAYS;
        connection->requests = mem_zalloc(options->pipeline * sizeof(struct request));
    }
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    load->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = UINT64_MAX};
    epoll_ctl(load->epoll, EPOLL_CTL_ADD, load->timer, &event);
}

static void release(struct load *load)
{
    for (unsigned i = 0; i < load->options->connections; i++) {
        connection_close(&load->connections[i]);
        buf_close(&load->connections[i].out);
        mem_free(load->connections[i].requests);
    }
    close(load->epoll);
    close(load->timer);
    mem_free(load->connections);
    mem_free(load->ready);
    mem_free(load->dirty);
    mem_free(load->again);
    mem_free(load->values);
}

bool load_run(const struct options *options, struct results *results)
{
    struct load load = {.options = options,
                        .results = results,
                        .wake_ns = UINT64_MAX,
                        .count_from_ns = UINT64_MAX,
                        .nobody_ns = load_clock_ns()};
    if (!resolve_all(&load))
        return false;
    allocate(&load);
    bool ok = connect_all(&load) && run(&load);
    release(&load);
    return ok;
}
