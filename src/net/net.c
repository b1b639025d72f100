/* The module's life, the turn of the loop, and the shard's way back to the clients. */
#include "net/blocking.h"
#include "net/connection.h"
#include "net/dispatch.h"
#include "net/failover.h"
#include "net/listen.h"
#include "net/local.h"
#include "net/module.h"
#include "net/reply.h"
#include "net/statistics.h"
#include "net/wait.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"

static const struct net_local *const local_tables[] = {
    net_connection_commands, net_client_commands,    net_kill_commands,    net_transaction_commands,
    net_wait_commands,       net_subscribe_commands, net_session_commands, net_failover_commands,
};

static bool is_row_of(const struct net_local *local, const struct command *command)
{
    if (span_is(span_text(command->fullname), local->fullname))
        return true;
    return local->with_subcommands && command->parent &&
           span_is(span_text(command->parent->fullname), local->fullname);
}

static void find_locals(struct net *net)
{
    net->command_count = command_table_count(net->table);
    net->locals = mem_zalloc((net->command_count + 1) * sizeof *net->locals);
    for (size_t id = 0; id < net->command_count; id++) {
        const struct command *command = command_table_at(net->table, id);
        for (size_t i = 0; i < sizeof local_tables / sizeof local_tables[0]; i++)
            for (const struct net_local *local = local_tables[i]; local->fullname; local++)
                if (is_row_of(local, command))
                    net->locals[id] = local;
    }
}

struct net *net_new(struct event_base *base, const struct net_options *options)
{
    struct net *net = mem_zalloc(sizeof *net);
    net->base = base;
    net->settings = *options->settings;
    net_slowlog_set_limits(net);
    net->table = options->table;
    net->cluster = options->cluster;
    net->log = options->log;
    net->self = options->self;
    net->host = options->host;
    net->sentinel = options->sentinel;
    net->redis_version = options->redis_version ? options->redis_version : NET_REDIS_VERSION;
    for (size_t state = 0; state < CLIENT_STATES; state++)
        list_init(&net->waiting[state]);
    list_init(&net->resume);
    list_init(&net->flush);
    list_init(&net->go_on);
    list_init(&net->dead);
    net->due_ms = UINT64_MAX;
    net->pieces = (struct resp_pieces){.context = net, .take = client_take_piece};
    net->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    find_locals(net);
    net_stats_init(net);
    return net;
}

void net_free(struct net *net)
{
    net_close_listeners(net);
    struct client *client;
    for (uint32_t i = 0; (client = net_next_client(net, &i));)
        client_free(client);
    if (net->spare_fd >= 0)
        close(net->spare_fd);
    net_stats_close(net);
    net_slowlog_close(net);
    net_output_close(&net->early);
    mem_free(net->slots);
    mem_free(net->locals);
    mem_free(net);
}

void net_set_absence(struct net *net, const char *error)
{
    net->absence = error;
}

const char *net_absence(const struct net *net)
{
    return net->absence ? net->absence : NET_LOADING;
}

void net_set_self(struct net *net, uint64_t id)
{
    net->self = id;
}

void net_set_shard(struct net *net, struct shard *shard)
{
    net->shard = shard;
}

void net_set_settings(struct net *net, const struct net_settings *settings)
{
    net->settings = *settings;
    net_slowlog_set_limits(net);
}

/* --- clock --- */

const struct shard_time *net_now(struct net *net)
{
    if (!net->now_known) {
        net->now = net->host.now(net->host.context);
        net->now_known = true;
    }
    return &net->now;
}

void net_due(struct net *net, uint64_t at_ms)
{
    if (at_ms < net->due_ms)
        net->due_ms = at_ms;
}

/* --- clients --- */

struct client *net_find_client(const struct net *net, struct shard_client handle)
{
    if (handle.slot >= net->slot_count)
        return NULL;
    const struct client_slot *slot = &net->slots[handle.slot];
    return slot->generation == handle.generation ? slot->client : NULL;
}

struct client *net_next_client(const struct net *net, uint32_t *position)
{
    while (*position < net->slot_count) {
        struct client *client = net->slots[(*position)++].client;
        if (client)
            return client;
    }
    return NULL;
}

struct client *net_client_by_id(const struct net *net, uint64_t id)
{
    struct client *client;
    for (uint32_t i = 0; (client = net_next_client(net, &i));)
        if (client->id == id && !client_is_gone(client))
            return client;
    return NULL;
}

void net_reap(struct net *net)
{
    struct list_link *link;
    while ((link = list_take_first(&net->dead)))
        client_free(LIST_OWNER(link, struct client, dead_link));
}

void net_wake_all(struct net *net, enum client_state state)
{
    struct list_link *list = &net->waiting[state];
    while (!list_is_alone(list))
        client_wake(LIST_OWNER(list->next, struct client, link));
}

/* --- the turn --- */

static void wake_due(struct net *net)
{
    uint64_t now_ms = net_now(net)->mono_ms;
    if (now_ms < net->due_ms)
        return;
    net->due_ms = UINT64_MAX;
    struct list_link *parked = &net->waiting[CLIENT_PARKED];
    for (struct list_link *at = parked->next, *next; at != parked; at = next) {
        next = at->next;
        struct client *client = LIST_OWNER(at, struct client, link);
        if (client->park_until_ms <= now_ms)
            client_wake(client);
        else
            net_due(net, client->park_until_ms);
    }
    struct list_link *blocked = &net->waiting[CLIENT_BLOCKED];
    for (struct list_link *at = blocked->next; at != blocked; at = at->next) {
        const struct client *client = LIST_OWNER(at, struct client, link);
        if (client->wait_until_ms > now_ms)
            net_due(net, client->wait_until_ms);
    }
}

static void wake_waiting(struct net *net)
{
    if (net->role_changed)
        net_wake_all(net, CLIENT_PARKED);
    net->role_changed = false;
    if (net->replies_came)
        net_wake_all(net, CLIENT_FULL);
    net->replies_came = false;
    if (net->paused && net_now(net)->mono_ms >= net->pause_until_ms)
        net_pause_end(net);
    net_wait_check(net);
    wake_due(net);
}

/* True: there were some. */
static bool let_reads_go_on(struct net *net)
{
    struct list_link *link;
    bool any = false;
    for (; (link = list_take_first(&net->go_on)); any = true)
        shard_go_on(net->shard, LIST_OWNER(link, struct client, go_on_link)->handle);
    return any;
}

bool net_resume(struct net *net)
{
    net_stats_close_window(net);
    net_slowlog_end_run(net);
    wake_waiting(net);
    net->submitted = let_reads_go_on(net);
    /* Those that are woken meanwhile (by CLIENT UNBLOCK, by a pause's end) have their turn in the
     * same loop; nobody is woken twice, as what holds a client does not change within it. */
    struct list_link *link;
    while ((link = list_take_first(&net->resume)))
        client_process(LIST_OWNER(link, struct client, resume_link));
    return net->submitted;
}

void net_flush(struct net *net)
{
    net_stats_close_window(net);
    net_slowlog_end_run(net);
    net_tell_failover(net);
    struct list_link *link;
    while ((link = list_take_first(&net->flush))) {
        struct client *client = LIST_OWNER(link, struct client, flush_link);
        client->flush_queued = false;
        if (!client->writing || client->state == CLIENT_CLOSING)
            client_write(client);
        else
            client_check_unread(client);
    }
    net_reap(net);
    net->now_known = false;
    net->used_memory_known = false;
}

/* --- time --- */

static void give_back_buffers(struct client *client)
{
    if (client->in.cap > NET_IDLE_KEEP && client->in.len == 0)
        buf_close(&client->in);
    if (client->output.tail.cap > NET_IDLE_KEEP && net_output_len(&client->output) == 0)
        net_output_close(&client->output);
    if (client->in.len == 0)
        resp_parser_close(&client->parser);
}

static bool is_idle_too_long(const struct client *client, uint64_t idle_ms)
{
    uint32_t limit = client->net->settings.timeout_seconds;
    return limit && !client->adopted && client->state == CLIENT_OPEN && client_owed(client) == 0 &&
           !client_is_subscriber(client) && idle_ms > (uint64_t)limit * 1000;
}

static void visit(struct client *client)
{
    struct net *net = client->net;
    uint64_t now_ms = net_now(net)->mono_ms;
    if (client->state == CLIENT_DEAD)
        return;
    uint64_t idle_ms = now_ms - client->last_active_ms;
    if (client->refusal && now_ms - client->created_ms > NET_RESERVED_MS &&
        client->state == CLIENT_OPEN) {
        net->statistics.connections_rejected++;
        client_error(client, client->refusal);
        client_close_after_output(client);
        return;
    }
    if (is_idle_too_long(client, idle_ms)) {
        log_line(net->log, LOG_VERBOSE, "closed client %llu at %s: idle",
                 (unsigned long long)client->id, client->address);
        client_kill(client);
        return;
    }
    /* Gone for good, or only done with sending: after a while the first is likelier. */
    if (client->end_of_input && now_ms - client->end_of_input_ms > NET_LINGER_MS) {
        client_kill(client);
        return;
    }
    client_check_soft_limit(client);
    if (client->state == CLIENT_OPEN && client_owed(client) == 0 && idle_ms > NET_IDLE_MS)
        give_back_buffers(client);
}

/* Every client is looked at about once a second, a part of them in each call. */
static void visit_some(struct net *net)
{
    uint64_t now_ms = net_now(net)->mono_ms;
    uint64_t passed_ms = net->visited_ms ? now_ms - net->visited_ms : NET_SAMPLE_MS;
    if (passed_ms == 0)
        return;
    net->visited_ms = now_ms;
    uint64_t share = passed_ms >= 1000 ? net->slot_count : net->slot_count * passed_ms / 1000 + 1;
    for (uint64_t i = 0; i < share && net->slot_count; i++) {
        uint32_t position = net->next_visited++ % net->slot_count;
        if (net->slots[position].client)
            visit(net->slots[position].client);
    }
    if (net->slot_count)
        net->next_visited %= net->slot_count;
}

void net_tick(struct net *net)
{
    net_stats_tick(net);
    net_listeners_tick(net);
    visit_some(net);
    net->replies_came = true; /* whoever is held back by a full shard tries again */
}

static uint32_t until(uint64_t now_ms, uint64_t due_ms, uint32_t most)
{
    if (due_ms <= now_ms)
        return 0;
    return due_ms - now_ms < most ? (uint32_t)(due_ms - now_ms) : most;
}

uint32_t net_wait_ms(const struct net *net, uint32_t most)
{
    if (!list_is_alone(&net->resume) || !list_is_alone(&net->flush) ||
        !list_is_alone(&net->go_on) || !list_is_alone(&net->dead))
        return 0;
    if (net->role_changed && net->waiting_count[CLIENT_PARKED])
        return 0;
    if (net->replies_came && net->waiting_count[CLIENT_FULL])
        return 0;
    if (net->due_ms == UINT64_MAX && !net->paused)
        return most;
    uint64_t now_ms = net->host.now(net->host.context).mono_ms;
    if (net->due_ms != UINT64_MAX)
        most = until(now_ms, net->due_ms, most);
    if (net->paused && net->waiting_count[CLIENT_PAUSED])
        most = until(now_ms, net->pause_until_ms, most);
    return most;
}

/* --- the shard's host --- */

static struct buf *reply_begin(void *context, struct shard_client handle)
{
    struct net *net = context;
    struct client *client = net_find_client(net, handle);
    net->reply.out = NULL;
    if (!client || client_is_gone(client) || client_over_hard_limit(client))
        return NULL;
    return client_begin_place(client, handle.place);
}

/* Of a reply that was made without a command being executed. */
static void count_error(struct net *net, bool is_counted)
{
    if (!net->reply.out || is_counted)
        return;
    struct span written = resp_since(&net->reply, net->reply_mark);
    if (written.len && written.ptr[0] == '-')
        net_stats_error(net, written.ptr, written.len);
}

static void reply_end(void *context, struct shard_client handle, uint64_t index)
{
    struct net *net = context;
    bool is_counted = net->statistics.error_counted;
    net->statistics.error_counted = false;
    net->replies_came = true;
    struct client *client = net_find_client(net, handle);
    if (!client || client_is_gone(client))
        return;
    count_error(net, is_counted);
    client_waited(client);
    client_end_place(client, handle.place);
    if (index > client->last_index)
        client->last_index = index;
    if (client_owed(client) == 0 && client->state == CLIENT_BARRIER)
        client_wake(client);
    client_queue_flush(client);
}

static void run_local_command(void *context, struct shard_client handle,
                              const struct command *command, const struct span *args, size_t argc,
                              struct resp_writer *reply)
{
    struct net *net = context;
    struct client *client = net_find_client(net, handle);
    if (!client || client_is_gone(client)) {
        resp_null(reply);
        return;
    }
    struct net_request request = {command, args, argc};
    struct resp_mark mark = resp_mark(reply);
    client_run_local(client, &request, reply);
    struct span written = resp_since(reply, mark);
    bool error = written.len && written.ptr[0] == '-';
    net_stats_executed(net, command, error);
    net->statistics.error_counted = error;
    if (error)
        net_stats_error(net, written.ptr, written.len);
}

static bool is_full(void *context, struct shard_client handle)
{
    const struct client *client = net_find_client(context, handle);
    return client && client_is_full(client, handle.place);
}

static void held(void *context, struct shard_client handle, bool held)
{
    struct client *client = net_find_client(context, handle);
    if (client)
        client->held_back = held;
}

static void role_changed(void *context)
{
    struct net *net = context;
    net->role_changed = true;
}

static void executes(void *context, const struct shard_client *client)
{
    struct net *net = context;
    net->statistics.error_counted = false;
    if (!client) { /* what it takes is not for the next command to answer for */
        net_slowlog_end_run(net);
        return;
    }
    net_stats_open_window(net);
    net_slowlog_begin(net, *client);
}

static void executed(void *context, const struct command *command, const struct span *args,
                     size_t argc, struct span reply)
{
    struct net *net = context;
    bool error = reply.len && reply.ptr[0] == '-';
    net->statistics.error_counted = error;
    net_stats_executed(net, command, error);
    net_slowlog_executed(net, command, args, argc);
    if (error)
        net_stats_error(net, reply.ptr, reply.len);
}

static void waits(void *context, struct shard_client handle)
{
    struct net *net = context;
    struct client *client = net_find_client(net, handle);
    if (client && client->blocking.waits)
        client_read_waits(client);
    else /* it went before it waited */
        shard_unblock(net->shard, handle, SHARD_GONE, *net_now(net));
}

static bool is_waiting(void *context, struct shard_client handle)
{
    return net_find_client(context, handle) != NULL;
}

static const char *refusal(void *context, const struct command *command, const struct span *args,
                           size_t argc, bool in_transaction)
{
    const struct net_request request = {command, args, argc};
    return net_write_refusal(context, &request, in_transaction);
}

struct shard_host net_shard_host(struct net *net)
{
    return (struct shard_host){.context = net,
                               .reply_begin = reply_begin,
                               .pieces = &net->pieces,
                               .reply_end = reply_end,
                               .is_full = is_full,
                               .held = held,
                               .waits = waits,
                               .is_waiting = is_waiting,
                               .refusal = refusal,
                               .run_local = run_local_command,
                               .role_changed = role_changed,
                               .executes = executes,
                               .executed = executed};
}
