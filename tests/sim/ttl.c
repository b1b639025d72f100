/* Times to live, judged by true time, which no node knows.
 *
 * Key e<n> is written by client n alone, each time with another value, and read by all. So it is
 * known which write a reply shows, and which one is the last. What is there may be there for its
 * time to live at the slowest rate that entry time has, what is gone must have been there for its
 * time to live at the fastest; a change of leader may lose what the messages of the last one were
 * late by. What somebody has seen expired is never seen again, whoever leads. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "resp/parse.h"
#include "sim/sim.h"

enum {
    STEERING_PERCENT = 5, /* entry time is drawn toward the wall clocks by so much */
    UNDER_WAY_US = 5000000,
    SLACK_US = 52000, /* a heartbeat, and what milliseconds round away */
};

struct ttl_write {
    uint32_t generation;
    uint64_t called_us;
    uint64_t returned_us; /* 0: not known to have happened */
    uint64_t ttl_us;
    uint64_t leaders; /* when it was called */
    uint64_t gone_us; /* somebody was told by then that it is gone; 0: nobody */
};

void sim_ttl_close(struct sim *sim)
{
    for (int i = 0; i < SIM_CLIENTS_MAX; i++)
        mem_free(sim->ttl[i].writes);
}

static struct ttl_write *last_of(struct sim_ttl *ttl)
{
    return ttl->count ? &ttl->writes[ttl->count - 1] : NULL;
}

static void note_write(struct sim *sim, const struct sim_client *client, uint64_t ttl_us)
{
    struct sim_ttl *ttl = &sim->ttl[client->number];
    if (ttl->count == ttl->cap) {
        ttl->cap = ttl->cap ? ttl->cap * 2 : 64;
        ttl->writes = mem_realloc(ttl->writes, ttl->cap * sizeof *ttl->writes);
    }
    ttl->writes[ttl->count++] = (struct ttl_write){.generation = client->generation,
                                                   .called_us = sim->now_us,
                                                   .ttl_us = ttl_us,
                                                   .leaders = sim->stats.elections};
}

static enum shard_admission submit_write(struct sim *sim, struct sim_client *client,
                                         struct sim_node *node)
{
    char key[SIM_NAME];
    char value[16];
    char ttl_ms[16];
    uint64_t ms = sim_between(sim, 0, 3) ? sim_between(sim, 20, 1500) : sim_between(sim, 1, 10000);
    unsigned database = sim_place(sim, 'e', client->number, key);
    snprintf(value, sizeof value, "%u", client->generation);
    snprintf(ttl_ms, sizeof ttl_ms, "%llu", (unsigned long long)ms);
    const struct span args[] = {SPAN("SET"), span_text(key), span_text(value), SPAN("PX"),
                                span_text(ttl_ms)};
    enum shard_admission admission = sim_write(sim, client, node, database, args, 5);
    if (admission == SHARD_ACCEPTED)
        note_write(sim, client, ms * 1000);
    return admission;
}

/* One read in three is a transaction that only reads; half of those begin in another database. */
static enum shard_admission submit_read(struct sim *sim, struct sim_client *client,
                                        struct sim_node *node)
{
    char key[SIM_NAME];
    struct sim_exec exec;
    client->ttl_key = (int)sim_between(sim, 0, (uint64_t)sim->profile.clients - 1);
    unsigned database = sim_place(sim, 'e', client->ttl_key, key);
    const struct span args[] = {SPAN("GET"), span_text(key)};
    client->ttl_exec = sim_between(sim, 0, 2) == 0;
    if (!client->ttl_exec)
        return sim_read(sim, client, node, database, args, 2);
    bool from_other = shard_has_databases(node->shard) && sim_chance(sim, 0.5);
    sim_exec_begin(&exec, from_other ? sim->databases[SIM_LEFT] : database);
    sim_exec_select(&exec, database);
    sim_exec_add(&exec, args, 2);
    client->selects = exec.selects;
    return sim_exec_submit(&exec, client, node, NULL, 0);
}

enum shard_admission sim_ttl_submit(struct sim *sim, struct sim_client *client,
                                    struct sim_node *node)
{
    client->ttl_reads = sim_between(sim, 0, 2) != 0;
    return client->ttl_reads ? submit_read(sim, client, node) : submit_write(sim, client, node);
}

/* The least and the most that entry time may have gone on in `us` of true time. */
static double least_us(const struct sim *sim, uint64_t us)
{
    return (double)us * (1 - STEERING_PERCENT / 100.0) *
           (1 - (double)sim->profile.clock_ppm_max / 1e6);
}

static double most_us(const struct sim *sim, uint64_t us)
{
    return (double)us * (1 + STEERING_PERCENT / 100.0) *
           (1 + (double)sim->profile.clock_ppm_max / 1e6);
}

/* What the leaders since may have lost: the newest time that a majority heard was on its way. */
static double lost_us(const struct sim *sim, const struct ttl_write *write)
{
    uint64_t changes = sim->stats.elections - write->leaders;
    return (double)(changes * (SLACK_US + sim->profile.delay_us_max + sim->profile.slow_us));
}

/* Nobody of a majority knew the group's time any more: it went on from the wall clocks. */
static bool is_excused(const struct sim *sim, const struct ttl_write *write)
{
    return write->called_us <= sim->time_lost_us;
}

/* A leader goes on at "last heard + elapsed" of what its process heard. Where that was nothing but
 * a message that had waited for a process that was stopped (its own or a voter's), because all who
 * had heard more have ended, the time since is not known to anybody: keys live so much longer. */
static bool may_be_late(const struct sim *sim, const struct ttl_write *write)
{
    return is_excused(sim, write) || write->called_us <= sim->time_late_us;
}

static void check_present(struct sim *sim, const struct sim_client *client, struct span text)
{
    struct sim_ttl *ttl = &sim->ttl[client->ttl_key];
    int64_t generation;
    if (!number_parse_i64(text, &generation))
        sim_fail(sim, "client %d: no value: %.*s", client->number, (int)text.len, text.ptr);
    size_t at = ttl->count;
    while (at > 0 && ttl->writes[at - 1].generation != (uint64_t)generation)
        at--;
    if (at == 0)
        sim_fail(sim, "client %d: a value that nobody wrote", client->number);
    const struct ttl_write *write = &ttl->writes[at - 1];
    if (write->gone_us && write->gone_us < client->started_us)
        sim_fail(sim, "client %d sees e%d as of %.6f s, which was seen expired at %.6f s",
                 client->number, client->ttl_key, (double)write->called_us / 1e6,
                 (double)write->gone_us / 1e6);
    if (!write->returned_us || client->started_us < write->returned_us || may_be_late(sim, write))
        return;
    if (sim->no_room_us >= client->started_us) /* of its node, or of one that led */
        return; /* no entry can say that the key has expired: the read goes by what is applied */
    double passed_us = least_us(sim, client->started_us - write->returned_us);
    if (passed_us > (double)write->ttl_us + SLACK_US + lost_us(sim, write))
        sim_fail(sim, "client %d sees e%d for %.6f s, it was to live for %.6f s", client->number,
                 client->ttl_key, (double)(client->started_us - write->returned_us) / 1e6,
                 (double)write->ttl_us / 1e6);
}

/* A write whose client has gone may have been on its way to the leader, and come after the last
 * one. */
static bool may_be_overtaken(const struct sim_ttl *ttl, const struct ttl_write *last)
{
    for (const struct ttl_write *write = ttl->writes; write < last; write++)
        if (!write->returned_us && last->called_us < write->called_us + UNDER_WAY_US)
            return true;
    return false;
}

static void check_absent(struct sim *sim, const struct sim_client *client)
{
    struct sim_ttl *ttl = &sim->ttl[client->ttl_key];
    for (size_t i = ttl->count; i > 0; i--) {
        struct ttl_write *write = &ttl->writes[i - 1];
        if (write->gone_us)
            break; /* and so are those before it */
        if (write->returned_us && write->returned_us < client->started_us)
            write->gone_us = sim->now_us;
    }
    const struct ttl_write *last = last_of(ttl);
    if (!last || !last->returned_us || last->returned_us >= client->started_us ||
        is_excused(sim, last))
        return;
    if (may_be_overtaken(ttl, last))
        return;
    double passed_us = most_us(sim, sim->now_us - last->called_us) + SLACK_US;
    if (passed_us < (double)last->ttl_us)
        sim_fail(sim, "client %d does not see e%d after %.6f s, it was to live for %.6f s",
                 client->number, client->ttl_key, (double)(sim->now_us - last->called_us) / 1e6,
                 (double)last->ttl_us / 1e6);
}

void sim_ttl_answered(struct sim *sim, struct sim_client *client)
{
    struct span reply = buf_span(&client->reply);
    if (!client->ttl_reads) {
        if (!span_equal(reply, SPAN("+OK\r\n")))
            sim_fail(sim, "client %d: not OK: %.*s", client->number, (int)reply.len, reply.ptr);
        last_of(&sim->ttl[client->number])->returned_us = sim->now_us;
        return;
    }
    struct span before = client->selects ? SPAN("*2\r\n+OK\r\n") : SPAN("*1\r\n");
    if (client->ttl_exec && reply.len > before.len &&
        memcmp(reply.ptr, before.ptr, before.len) == 0)
        reply = span_of(reply.ptr + before.len, reply.len - before.len);
    if (span_equal(reply, SPAN("$-1\r\n"))) {
        check_absent(sim, client);
        return;
    }
    const char *end = memchr(reply.ptr, '\n', reply.len);
    if (reply.ptr[0] != '$' || !end || (size_t)(end + 1 - reply.ptr) + 2 > reply.len)
        sim_fail(sim, "client %d: no bulk string: %.*s", client->number, (int)reply.len, reply.ptr);
    check_present(sim, client, span_of(end + 1, reply.len - (size_t)(end + 1 - reply.ptr) - 2));
}

/* It, or somebody who may have voted for it, knows the latest term's time by old messages alone. */
static bool goes_on_from_old_messages(const struct sim_node *leader)
{
    const struct sim *sim = leader->sim;
    if (leader->heard_in_time_term == 0)
        return true;
    for (int i = 0; i < SIM_NODES_MAX; i++) {
        const struct sim_node *node = &sim->nodes[i];
        if (node->up && node->heard_term > node->heard_in_time_term &&
            node->heard_term > leader->heard_in_time_term)
            return true;
    }
    return false;
}

/* A leader takes its first time from wall clocks only where it has heard no leader. */
void sim_ttl_check_begin(struct sim_node *node)
{
    struct sim *sim = node->sim;
    const struct raft *raft = shard_raft(node->shard);
    if (raft_role(raft) == RAFT_LEADER && node->judged_term != raft_term(raft)) {
        node->judged_term = raft_term(raft);
        if (goes_on_from_old_messages(node))
            sim->time_late_us = sim->now_us;
        node->heard_term = node->heard_in_time_term = raft_term(raft); /* it knows its own time */
    }
    if (!shard_has_room_to_free(node->shard))
        sim->no_room_us = sim->now_us;
    uint64_t begins = shard_stats(node->shard).clock_begun_from_wall;
    if (begins == node->wall_begins)
        return;
    node->wall_begins = begins;
    sim->time_lost_us = sim->now_us;
    if (node->heard)
        sim_fail(sim, "node %llu begins from wall clocks although it has heard a leader",
                 (unsigned long long)node->id);
}

/* Keys past their deadline do not pile up where there is a leader that has been in office for some
 * time and whose entries are committed. */
void sim_ttl_check_due(struct sim *sim, const struct sim_node *leader, size_t most)
{
    int64_t entry_ms = shard_clock_ms(leader->shard);
    size_t due = databases_count_due(shard_databases(leader->shard), entry_ms, SIZE_MAX);
    if (due > most)
        sim_fail(sim, "%zu keys are past their deadline on node %llu", due,
                 (unsigned long long)leader->id);
}
