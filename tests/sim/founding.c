/* The begin of a cluster before there is one: the founding code of the server, its messages as
 * bytes and its identity files, under losses, delays, crashes and lost disks. After every step no
 * two nodes may have begun different clusters, whatever was lost. It has a world of its own, so
 * that the run behind it is the same with and without it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/founding.h"
#include "sim/sim.h"
#include "storage/identity.h"

enum { MESSAGES_MAX = 64, STEPS = 400, ARGUMENTS_MAX = 16, HEALED_ROUNDS = 20, WORLDS = 10 };

struct founder {
    struct founding founding;
    struct sim_disk disk;
    struct disk port;
    uint64_t incarnation; /* of the process that runs */
    bool up;
};

/* Under way for as long as it likes; may come again. */
struct found_message {
    struct buf bytes;
    size_t to;
    uint64_t from;
    uint64_t incarnation; /* of the sender's connection */
};

struct found_world {
    struct sim *sim;
    struct founder nodes[SIM_NODES_MAX];
    size_t count;
    struct cluster cluster;
    struct found_message messages[MESSAGES_MAX];
    size_t sent;
    uint64_t now_ms;
    uint64_t calm; /* the larger, the fewer crashes */
    unsigned wiped;
};

static void make_list(struct found_world *world)
{
    char text[256];
    char message[256];
    size_t len = 0;
    for (size_t i = 0; i < world->count; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%zu@n%zu:1", i ? "," : "", i + 1,
                                i + 1);
    if (cluster_parse(&world->cluster, span_of(text, len), CLUSTER_NO_ID, message))
        sim_fail(world->sim, "founding: %s", message);
}

/* ---- a process ---- */

static void load(struct found_world *world, size_t at, struct cluster_identity *identity)
{
    struct founder *node = &world->nodes[at];
    char message[512];
    enum err err = storage_identity_load(&node->port, "n", identity, message);
    if (err == ERR_NOT_FOUND) {
        *identity = (struct cluster_identity){.cluster_id = CLUSTER_NO_ID,
                                              .node_id = at + 1,
                                              .incarnation = prng_next(&world->sim->prng) | 1};
        err = storage_identity_store(&node->port, "n", identity, message);
    }
    if (err)
        sim_fail(world->sim, "founding: %s", message);
}

static void start(struct found_world *world, size_t at)
{
    struct founder *node = &world->nodes[at];
    struct founding_options options = {.self = at + 1,
                                       .cluster = &world->cluster,
                                       .drawn_incarnation = prng_next(&world->sim->prng) | 1};
    snprintf(options.drawn_id, sizeof options.drawn_id, "%040llx",
             (unsigned long long)(prng_next(&world->sim->prng) | 1));
    sim_disk_port(&node->disk, &node->port);
    load(world, at, &options.stored);
    founding_init(&node->founding, &options, world->now_ms);
    node->incarnation = options.stored.incarnation;
    node->up = true;
}

static void crash(struct found_world *world, size_t at)
{
    struct founder *node = &world->nodes[at];
    if (node->up)
        sim_disk_crash(&node->disk, prng_below(&world->sim->prng, 2));
    node->up = false;
}

static void lose_disk(struct found_world *world, size_t at)
{
    struct founder *node = &world->nodes[at];
    crash(world, at);
    sim_disk_close(&node->disk);
    node->disk = (struct sim_disk){.sim = world->sim, .node = (int)at};
    world->wiped++;
}

/* ---- between them ---- */

static void send(struct found_world *world, size_t from, size_t to, bool asks)
{
    struct found_message *message = &world->messages[world->sent++ % MESSAGES_MAX];
    struct founding_said said;
    founding_say(&world->nodes[from].founding, &said);
    message->bytes.len = 0;
    said.asks = asks;
    founding_encode(&message->bytes, &said);
    message->to = to;
    message->from = from + 1;
    message->incarnation = world->nodes[from].incarnation;
}

size_t sim_split_bulks(const struct buf *bytes, struct span *args, size_t most)
{
    size_t count = 0;
    const char *end = bytes->ptr + bytes->len;
    const char *at = (const char *)memchr(bytes->ptr, '\n', bytes->len) + 1;
    while (at < end && count < most) {
        char *digits;
        size_t len = strtoul(at + 1, &digits, 10);
        args[count++] = span_of(digits + 2, len);
        at = digits + 2 + len + 2;
    }
    return count;
}

static void deliver(struct found_world *world, const struct found_message *message)
{
    size_t to = message->to;
    struct founder *node = &world->nodes[to];
    struct founding_said said;
    struct span args[ARGUMENTS_MAX];
    if (!node->up || message->bytes.len == 0)
        return;
    if (!founding_parse(args, sim_split_bulks(&message->bytes, args, ARGUMENTS_MAX), &said) ||
        said.id != message->from)
        sim_fail(world->sim, "founding: node %llu cannot read what node %llu said",
                 (unsigned long long)message->to + 1, (unsigned long long)message->from);
    founding_heard(&node->founding, &said);
    if (said.asks)
        send(world, to, (size_t)said.id - 1, false);
}

/* One end notices who is at the other now: perhaps long after it has changed. */
static void notice(struct found_world *world, size_t at, size_t other)
{
    struct founder *node = &world->nodes[at];
    if (!node->up || at == other)
        return;
    if (world->nodes[other].up)
        founding_met(&node->founding, other + 1, world->nodes[other].incarnation);
    else
        founding_lost(&node->founding, other + 1);
}

static void step(struct found_world *world, size_t at)
{
    struct founder *node = &world->nodes[at];
    struct founding_update update;
    char message[512];
    if (!node->up)
        return;
    founding_step(&node->founding, world->now_ms, &update);
    for (size_t other = 0; update.ask && other < world->count; other++)
        if (other != at)
            send(world, at, other, true);
    if (!update.store)
        return;
    bool dies = prng_below(&world->sim->prng, 4 * world->calm) == 0;
    if (dies && prng_below(&world->sim->prng, 2)) {
        crash(world, at); /* before it is stored, or before anybody hears of it */
        return;
    }
    if (storage_identity_store(&node->port, "n", update.store, message))
        sim_fail(world->sim, "founding: %s", message);
    node->incarnation = update.store->incarnation;
    founding_stored(&node->founding);
    if (dies)
        crash(world, at);
}

/* ---- the rule ---- */

static size_t check(struct found_world *world)
{
    struct cluster_identity identity;
    char id[41] = "";
    char message[512];
    size_t begun = 0;
    for (size_t i = 0; i < world->count; i++) {
        struct founder *node = &world->nodes[i];
        if (storage_identity_load(&node->port, "n", &identity, message) ||
            identity.begin != CLUSTER_BEGUN)
            continue;
        if (id[0] && strcmp(id, identity.cluster_id) != 0)
            sim_fail(world->sim, "two clusters have begun: %s and %s", id, identity.cluster_id);
        memcpy(id, identity.cluster_id, sizeof id);
        begun++;
    }
    return begun;
}

static void disturb(struct found_world *world)
{
    struct prng *prng = &world->sim->prng;
    size_t at = (size_t)prng_below(prng, world->count);
    uint64_t kind = prng_below(prng, 16);
    world->now_ms += prng_below(prng, 100);
    if (kind == 0 && prng_below(prng, world->calm) == 0)
        crash(world, at);
    else if (kind == 1 && prng_below(prng, 2 * world->calm) == 0)
        lose_disk(world, at);
    else if (kind < 4 && !world->nodes[at].up)
        start(world, at);
    else if (kind < 8)
        notice(world, at, (size_t)prng_below(prng, world->count));
    else if (kind < 12)
        step(world, at);
    else if (world->sent)
        deliver(world, &world->messages[prng_below(
                           prng, world->sent < MESSAGES_MAX ? world->sent : MESSAGES_MAX)]);
}

/* All nodes run and hear each other: they begin, unless somebody lost what nobody else knows. */
static void heal(struct found_world *world)
{
    world->calm = UINT32_MAX;
    for (int round = 0; round < HEALED_ROUNDS; round++) {
        world->now_ms += FOUNDING_ASK_MS;
        for (size_t i = 0; i < world->count; i++)
            if (!world->nodes[i].up)
                start(world, i);
        for (size_t i = 0; i < world->count; i++)
            for (size_t j = 0; j < world->count; j++)
                notice(world, i, j);
        for (size_t i = 0; i < world->count; i++) {
            size_t first = world->sent;
            step(world, i);
            for (size_t sent = first; sent < world->sent; sent++)
                deliver(world, &world->messages[sent % MESSAGES_MAX]);
        }
        check(world);
    }
    char text[FOUNDING_TEXT_MAX];
    for (size_t i = 0; world->wiped == 0 && i < world->count; i++) {
        founding_describe(&world->nodes[i].founding, text);
        if (text[0])
            sim_fail(world->sim,
                     "founding: no disk was lost, all is healed, and node %zu goes on %s", i + 1,
                     text);
    }
}

static void close_world(struct found_world *world)
{
    for (size_t i = 0; i < world->count; i++)
        sim_disk_close(&world->nodes[i].disk);
    for (size_t i = 0; i < MESSAGES_MAX; i++)
        buf_close(&world->messages[i].bytes);
    free(world);
}

static void found_once(struct sim *sim)
{
    struct found_world *world = calloc(1, sizeof *world);
    if (!world)
        sim_fail(sim, "no memory");
    world->sim = sim;
    world->count = 2 + (size_t)prng_below(&sim->prng, 4);
    world->calm = 1 + prng_below(&sim->prng, 20);
    make_list(world);
    for (size_t i = 0; i < world->count; i++) {
        world->nodes[i].disk = (struct sim_disk){.sim = sim, .node = (int)i};
        sim_disk_port(&world->nodes[i].disk, &world->nodes[i].port);
    }
    for (int i = 0; i < STEPS; i++) {
        disturb(world);
        check(world);
    }
    heal(world);
    close_world(world);
}

void sim_found(struct sim *sim)
{
    struct prng kept = sim->prng;
    prng_init(&sim->prng, sim->seed ^ 0x666f756e64);
    for (int i = 0; i < WORLDS; i++)
        found_once(sim);
    sim->prng = kept;
}
