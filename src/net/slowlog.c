#include "net/slowlog.h"
#include "net/module.h"

#include <stdio.h>

#include "base/mem.h"
#include "resp/write.h"

static bool is_coarse(const struct net *net)
{
    int64_t limit_us = net->settings.slowlog_slower_than_us;
    return limit_us < 0 || limit_us >= SLOWLOG_COARSE_US;
}

void net_slowlog_set_limits(struct net *net)
{
    int64_t limit_us = net->settings.slowlog_slower_than_us;
    uint64_t warn_us = (uint64_t)net->settings.slow_warning_ms * 1000;
    net->slowlog.least_us = warn_us ? warn_us : UINT64_MAX;
    if (limit_us >= 0 && (uint64_t)limit_us < net->slowlog.least_us)
        net->slowlog.least_us = (uint64_t)limit_us;
}

void net_slowlog_begin(struct net *net, struct shard_client client)
{
    net->slowlog.client = client;
    if (net->slowlog.running)
        return;
    net->slowlog.running = true;
    net->slowlog.coarse = is_coarse(net);
    net->slowlog.started_us = net->host.clock_us(net->host.context, net->slowlog.coarse);
}

void net_slowlog_end_run(struct net *net)
{
    net->slowlog.running = false;
}

void net_slowlog_executed(struct net *net, const struct command *command, const struct span *args,
                          size_t argc)
{
    uint64_t now_us = net->host.clock_us(net->host.context, net->slowlog.coarse);
    uint64_t took_us = now_us - net->slowlog.started_us;
    net->slowlog.started_us = now_us;
    if (took_us >= net->slowlog.least_us)
        net_slowlog_took(net, net->slowlog.client, command, args, argc, took_us);
}

static void forget(struct slow_command *entry)
{
    buf_close(&entry->args);
    mem_free(entry->name);
}

static void forget_oldest(struct net_slowlog *slowlog, size_t count)
{
    for (size_t i = 0; i < count; i++)
        forget(&slowlog->entries[i]);
    slowlog->count -= count;
    if (slowlog->count)
        memmove(slowlog->entries, slowlog->entries + count,
                slowlog->count * sizeof *slowlog->entries);
}

/* A password is not for whoever may read the log. */
static bool is_secret(const struct command *command, size_t position)
{
    static const char *const names[] = {"auth", "hello", "config|set"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (span_is(span_text(command->fullname), names[i]))
            return position >= (command->parent ? 2 : 1);
    return false;
}

static void write_arg(struct resp_writer *writer, struct span arg)
{
    if (arg.len <= SLOWLOG_ARG_BYTES) {
        resp_bulk(writer, arg);
        return;
    }
    char text[SLOWLOG_ARG_BYTES + 48];
    int len = snprintf(text, sizeof text, "%.*s... (%zu more bytes)", SLOWLOG_ARG_BYTES, arg.ptr,
                       arg.len - SLOWLOG_ARG_BYTES);
    resp_bulk(writer, span_of(text, (size_t)len));
}

static void write_args(struct slow_command *entry, const struct command *command,
                       const struct span *args, size_t argc)
{
    struct resp_writer writer = {.out = &entry->args, .protocol = 2};
    size_t shown = argc > SLOWLOG_ARGS_MAX ? SLOWLOG_ARGS_MAX - 1 : argc;
    resp_array(&writer, shown + (shown < argc));
    for (size_t i = 0; i < shown; i++)
        write_arg(&writer, is_secret(command, i) ? SPAN("(redacted)") : args[i]);
    if (shown == argc)
        return;
    char text[48];
    snprintf(text, sizeof text, "... (%zu more arguments)", argc - shown);
    resp_bulk_text(&writer, text);
}

static void keep(struct net *net, const struct client *client, const struct command *command,
                 const struct span *args, size_t argc, uint64_t took_us)
{
    struct net_slowlog *slowlog = &net->slowlog;
    size_t most = net->settings.slowlog_max_len;
    if (most == 0)
        return;
    if (slowlog->count >= most)
        forget_oldest(slowlog, slowlog->count - most + 1);
    if (slowlog->count == slowlog->cap) {
        slowlog->cap = slowlog->cap ? slowlog->cap * 2 : 16;
        slowlog->entries = mem_realloc(slowlog->entries, slowlog->cap * sizeof *slowlog->entries);
    }
    struct slow_command *entry = &slowlog->entries[slowlog->count++];
    *entry = (struct slow_command){
        .id = slowlog->next_id++, .at_s = net_now(net)->wall_ms / 1000, .took_us = took_us};
    write_args(entry, command, args, argc);
    if (!client)
        return;
    snprintf(entry->address, sizeof entry->address, "%s", client->address);
    if (client->name)
        client_set_text(&entry->name, span_text(client->name));
}

void net_slowlog_took(struct net *net, struct shard_client handle, const struct command *command,
                      const struct span *args, size_t argc, uint64_t took_us)
{
    int64_t limit_us = net->settings.slowlog_slower_than_us;
    uint64_t warn_us = (uint64_t)net->settings.slow_warning_ms * 1000;
    bool kept = limit_us >= 0 && took_us >= (uint64_t)limit_us;
    bool said = warn_us && took_us >= warn_us;
    if ((!kept && !said) || (command->flags & COMMAND_SKIP_SLOWLOG))
        return;
    const struct client *client = net_find_client(net, handle);
    if (kept)
        keep(net, client, command, args, argc, took_us);
    if (said)
        log_line(net->log, LOG_WARNING,
                 "%s of client %llu at %s took %llu ms, and nothing else ran meanwhile",
                 command->fullname, client ? (unsigned long long)client->id : 0,
                 client ? client->address : "?", (unsigned long long)took_us / 1000);
}

void net_slowlog_reset(struct net *net)
{
    forget_oldest(&net->slowlog, net->slowlog.count);
}

void net_slowlog_close(struct net *net)
{
    net_slowlog_reset(net);
    mem_free(net->slowlog.entries);
}

size_t net_slowlog_len(const struct net *net)
{
    return net->slowlog.count;
}

void net_slowlog_write(const struct net *net, size_t count, struct resp_writer *reply)
{
    const struct net_slowlog *slowlog = &net->slowlog;
    if (count > slowlog->count)
        count = slowlog->count;
    resp_array(reply, count);
    for (size_t i = 0; i < count; i++) {
        const struct slow_command *entry = &slowlog->entries[slowlog->count - 1 - i];
        resp_array(reply, 6);
        resp_integer(reply, (int64_t)entry->id);
        resp_integer(reply, entry->at_s);
        resp_integer(reply, (int64_t)entry->took_us);
        resp_raw(reply, buf_span(&entry->args));
        resp_bulk_text(reply, entry->address);
        resp_bulk_text(reply, entry->name ? entry->name : "");
    }
}
