/* Nodes that know only addresses: the seeking and founding code of the server, its messages as
 * bytes and its identity files, under losses, delays, cuts between any two nodes, crashes and lost
 * disks. N nodes found; others join later; in some worlds somebody says RAFT.CLUSTER INIT
 * meanwhile. After every step no two nodes may have begun different clusters, no two may have one
 * id, and no node may be two members. The cluster itself is a membership and one uncommitted change
 * of it, that any member may lead. It has a world of its own, as that of founding.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/members.h"
#include "cluster/seeking.h"
#include "sim/sim.h"
#include "storage/identity.h"

enum { MESSAGES_MAX = 96, STEPS = 800, ARGUMENTS_MAX = 16, HEALED_ROUNDS = 40, WORLDS = 10 };

struct seeker {
    struct seeking seeking;
    struct sim_disk disk;
    struct disk port;
    struct cluster_seeds known; /* its seeds first */
    size_t seeds;
    uint64_t incarnation; /* of the process that runs */
    bool up;
};

struct sought_message {
    struct buf bytes;
    size_t from;
    size_t to;
    uint64_t incarnation; /* of the sender's process, as the receiver's connection knows it */
};

struct seek_world {
    struct sim *sim;
    struct seeker nodes[SIM_NODES_MAX];
    size_t count;
    size_t founders; /* the first ones; the others start when a cluster is there */
    bool cut[SIM_NODES_MAX][SIM_NODES_MAX];
    struct sought_message messages[MESSAGES_MAX];
    size_t sent;
    uint64_t now_ms;
    uint64_t calm; /* the larger, the fewer crashes */
    unsigned wiped;
    bool heals;
    bool init_allowed;
    /* The cluster, once it is there. */
    char cluster_id[41];
    struct raft_membership members;
    struct raft_membership changed; /* count 0: no change is under way */
    uint64_t highest;
};

static uint64_t chance(struct seek_world *world, uint64_t below)
{
    return prng_below(&world->sim->prng, below);
}

static void address_of(size_t at, char address[CLUSTER_ADDRESS_MAX])
{
    snprintf(address, CLUSTER_ADDRESS_MAX, "n%zu:1", at + 1);
}

static size_t position_of(const struct cluster_seed *seed)
{
    return (size_t)atoi(seed->host + 1) - 1;
}

/* ---- a process ---- */

static void know(struct seek_world *world, size_t at, size_t other)
{
    struct cluster_seed seed = {.port = 1};
    snprintf(seed.host, sizeof seed.host, "n%zu", other + 1);
    if (other < world->count)
        (void)cluster_seeds_add(&world->nodes[at].known, &seed);
}

/* With others that join later, all seeds that there are: a cluster that no seed leads to cannot be
 * seen. Without them any list will do in which the nodes hang together. */
static void draw_seeds(struct seek_world *world, size_t at)
{
    struct seeker *node = &world->nodes[at];
    node->known.count = 0;
    for (size_t other = 0; other < world->founders; other++)
        if (world->count > world->founders || chance(world, 2))
            know(world, at, other);
    know(world, at, (at + 1) % world->founders);
    node->seeds = node->known.count;
}

static void load(struct seek_world *world, size_t at, struct cluster_identity *identity)
{
    struct seeker *node = &world->nodes[at];
    char message[512];
    enum err err = storage_identity_load(&node->port, "n", identity, message);
    if (err == ERR_NOT_FOUND) {
        *identity = (struct cluster_identity){.cluster_id = CLUSTER_NO_ID,
                                              .incarnation = prng_next(&world->sim->prng) | 1};
        err = storage_identity_store(&node->port, "n", identity, message);
    }
    if (err)
        sim_fail(world->sim, "seeking: %s", message);
}

static void start(struct seek_world *world, size_t at)
{
    struct seeker *node = &world->nodes[at];
    struct founding_options options = {.drawn_incarnation = prng_next(&world->sim->prng) | 1};
    struct cluster founders;
    char message[256];
    char address[CLUSTER_ADDRESS_MAX];
    snprintf(options.drawn_id, sizeof options.drawn_id, "%040llx",
             (unsigned long long)(prng_next(&world->sim->prng) | 1));
    sim_disk_port(&node->disk, &node->port);
    load(world, at, &options.stored);
    options.self = options.stored.node_id;
    if (options.stored.begin == CLUSTER_FOUNDING &&
        cluster_parse(&founders, span_text(options.stored.list), CLUSTER_NO_ID, message) ==
            ERR_NONE)
        options.cluster = &founders;
    seeking_init(&node->seeking, &options, (unsigned)world->founders, world->now_ms);
    address_of(at, address);
    seeking_set_address(&node->seeking, address);
    node->known.count = node->seeds;
    for (size_t i = 0; i < node->seeds; i++) {
        size_t other = position_of(&node->known.list[i]);
        address_of(other, address);
        if (!seeking_contact(&node->seeking, other + 1, address, true))
            sim_fail(world->sim, "seeking: there is no room for a contact");
    }
    seeking_set_missing(&node->seeking, "");
    node->incarnation = options.stored.incarnation;
    node->up = true;
}

static void crash(struct seek_world *world, size_t at)
{
    struct seeker *node = &world->nodes[at];
    if (node->up)
        sim_disk_crash(&node->disk, chance(world, 2));
    node->up = false;
}

static bool has_begun(struct seek_world *world, size_t at, struct cluster_identity *identity)
{
    char message[512];
    return storage_identity_load(&world->nodes[at].port, "n", identity, message) == ERR_NONE &&
           identity->begin == CLUSTER_BEGUN;
}

/* Not the last one that remembers the cluster: after that another one may begin. */
static void lose_disk(struct seek_world *world, size_t at)
{
    struct seeker *node = &world->nodes[at];
    struct cluster_identity identity;
    size_t others = 0;
    for (size_t i = 0; i < world->founders; i++)
        others += i != at && has_begun(world, i, &identity);
    if (world->cluster_id[0] && others == 0)
        return;
    crash(world, at);
    sim_disk_close(&node->disk);
    node->disk = (struct sim_disk){.sim = world->sim, .node = (int)at};
    sim_disk_port(&node->disk, &node->port);
    world->wiped++;
}

/* ---- between them ---- */

static struct sought_message *new_message(struct seek_world *world, size_t from, size_t to)
{
    struct sought_message *message = &world->messages[world->sent++ % MESSAGES_MAX];
    message->bytes.len = 0;
    message->from = from;
    message->to = to;
    message->incarnation = world->nodes[from].incarnation;
    return message;
}

static void ask(struct seek_world *world, size_t at)
{
    struct seeker *node = &world->nodes[at];
    struct seeking_said said;
    for (size_t i = 0; i < node->known.count; i++) {
        size_t to = position_of(&node->known.list[i]);
        if (to == at)
            continue;
        seeking_say(&node->seeking, &said);
        said.node.asks = true;
        seeking_encode(&new_message(world, at, to)->bytes, &said, &node->known);
    }
}

static bool is_alive(const struct seek_world *world, const struct raft_membership *members,
                     uint64_t id)
{
    const struct raft_member *member = raft_membership_find(members, id);
    for (size_t i = 0; i < world->count; i++)
        if (world->nodes[i].up && world->nodes[i].incarnation == member->incarnation)
            return true;
    return false;
}

/* What a leader does (server/join.c). */
static void take_in(struct seek_world *world, size_t at, const struct seeking_said *asker,
                    struct seeking_said *answer)
{
    const struct cluster_identity *stored = &world->nodes[at].seeking.founding.stored;
    if (stored->begin != CLUSTER_BEGUN || asker->node.begin != CLUSTER_EMPTY ||
        strcmp(asker->joins, stored->cluster_id) != 0 || (!world->heals && chance(world, 3)))
        return;
    const struct raft_membership *members =
        world->changed.count ? &world->changed : &world->members;
    const struct cluster_guest guest = {.incarnation = asker->node.incarnation,
                                        .highest = world->highest,
                                        .address = span_text(asker->address)};
    struct raft_membership wanted;
    char message[CLUSTER_MESSAGE_MAX];
    uint64_t id;
    enum err err = cluster_member_admit(members, &guest, &wanted, &id, message);
    if ((err && err != ERR_EXISTS) || (err == ERR_EXISTS && is_alive(world, members, id)))
        return;
    if (raft_membership_equal(members, &wanted)) {
        if (world->changed.count == 0)
            answer->given = id;
    } else if (world->changed.count == 0) {
        world->changed = wanted;
        world->highest = id > world->highest ? id : world->highest;
    }
}

/* It is committed, or its leader is lost and another one knows nothing of it. */
static void end_change(struct seek_world *world)
{
    if (world->changed.count && (world->heals || chance(world, 2)))
        world->members = world->changed;
    world->changed.count = 0;
}

static void hear_addresses(struct seek_world *world, size_t at, const struct cluster_seeds *known)
{
    for (size_t i = 0; i < known->count; i++)
        know(world, at, position_of(&known->list[i]));
}

static void deliver(struct seek_world *world, const struct sought_message *message)
{
    struct seeker *node = &world->nodes[message->to];
    struct seeking_said said;
    struct seeking_said answer;
    struct cluster_seeds known;
    struct span args[ARGUMENTS_MAX];
    if (!node->up || message->bytes.len == 0 || world->cut[message->from][message->to])
        return;
    if (!seeking_parse(args, sim_split_bulks(&message->bytes, args, ARGUMENTS_MAX), &said, &known))
        sim_fail(world->sim, "seeking: node n%zu cannot read what n%zu said", message->to + 1,
                 message->from + 1);
    hear_addresses(world, message->to, &known);
    know(world, message->to, message->from);
    if (!said.node.asks) {
        seeking_heard(&node->seeking, message->from + 1, &said);
        return;
    }
    seeking_say(&node->seeking, &answer);
    take_in(world, message->to, &said, &answer);
    size_t from = message->to, to = message->from;
    seeking_encode(&new_message(world, from, to)->bytes, &answer, &node->known);
}

/* One end notices who is at the other now: perhaps long after it has changed. */
static void notice(struct seek_world *world, size_t at, size_t other)
{
    struct seeker *node = &world->nodes[at];
    char address[CLUSTER_ADDRESS_MAX];
    if (!node->up)
        return;
    for (size_t i = 0; i < node->known.count; i++) {
        if (position_of(&node->known.list[i]) != other)
            continue;
        address_of(other, address);
        if (!seeking_contact(&node->seeking, other + 1, address, i < node->seeds))
            sim_fail(world->sim, "seeking: there is no room for a contact");
        if (world->nodes[other].up && !world->cut[at][other] && !world->cut[other][at])
            seeking_met(&node->seeking, other + 1, world->nodes[other].incarnation);
        else
            seeking_lost(&node->seeking, other + 1, "cannot be reached");
    }
}

static void step(struct seek_world *world, size_t at)
{
    struct seeker *node = &world->nodes[at];
    struct founding_update update;
    char message[512];
    if (!node->up)
        return;
    seeking_step(&node->seeking, world->now_ms, &update);
    if (update.ask)
        ask(world, at);
    if (!update.store)
        return;
    bool dies = chance(world, 4 * world->calm) == 0;
    if (dies && chance(world, 2)) {
        crash(world, at); /* before it is stored, or before anybody hears of it */
        return;
    }
    if (storage_identity_store(&node->port, "n", update.store, message))
        sim_fail(world->sim, "seeking: %s", message);
    node->incarnation = update.store->incarnation;
    founding_stored(&node->seeking.founding);
    if (dies)
        crash(world, at);
}

/* ---- the rules ---- */

static void begin_members(struct seek_world *world, const struct cluster_identity *identity)
{
    memcpy(world->cluster_id, identity->cluster_id, sizeof world->cluster_id);
    cluster_founders_membership(&identity->founders, &world->members);
    for (size_t i = 0; i < world->members.count; i++)
        if (world->members.members[i].id > world->highest)
            world->highest = world->members.members[i].id;
}

/* A folder that is not the member's: the leader takes it in when the old one is silent. */
static void meet_member(struct seek_world *world, const struct cluster_identity *identity)
{
    const struct raft_member *found = raft_membership_find(&world->members, identity->node_id);
    if (!found || found->incarnation == identity->incarnation || world->changed.count ||
        is_alive(world, &world->members, identity->node_id))
        return;
    struct raft_member member = *found;
    member.incarnation = identity->incarnation;
    raft_membership_put(&world->members, &member);
}

static void check_node(struct seek_world *world, const struct cluster_identity *identity,
                       uint64_t *ids, size_t count)
{
    if (strcmp(world->cluster_id, identity->cluster_id) != 0)
        sim_fail(world->sim, "seeking: two clusters have begun: %s and %s", world->cluster_id,
                 identity->cluster_id);
    for (size_t i = 0; i < count; i++)
        if (ids[i] == identity->node_id)
            sim_fail(world->sim, "seeking: two nodes are node %llu",
                     (unsigned long long)identity->node_id);
    ids[count] = identity->node_id;
    meet_member(world, identity);
}

static void check_members(struct seek_world *world)
{
    for (size_t i = 0; i < world->members.count; i++)
        for (size_t j = 0; j < i; j++) {
            const struct raft_member *one = &world->members.members[i];
            const struct raft_member *other = &world->members.members[j];
            if (strcmp(one->address, other->address) == 0 || one->incarnation == other->incarnation)
                sim_fail(world->sim, "seeking: the node at %s is two members", one->address);
        }
}

static size_t check(struct seek_world *world)
{
    struct cluster_identity identity;
    uint64_t ids[SIM_NODES_MAX];
    size_t begun = 0;
    for (size_t i = 0; i < world->count; i++) {
        if (!has_begun(world, i, &identity))
            continue;
        if (!world->cluster_id[0])
            begin_members(world, &identity);
        check_node(world, &identity, ids, begun++);
    }
    check_members(world);
    return begun;
}

/* Once, and never by a node that knows of another: two operators could begin two. */
static void init_by_hand(struct seek_world *world, size_t at)
{
    struct seeker *node = &world->nodes[at];
    char why[SEEKING_TEXT_MAX];
    if (!world->init_allowed || !node->up || world->cluster_id[0])
        return;
    world->init_allowed = false;
    if (seeking_begin_alone(&node->seeking, why))
        return;
    step(world, at);
}

static void disturb(struct seek_world *world)
{
    size_t at = (size_t)chance(world, world->count);
    size_t other = (size_t)chance(world, world->count);
    uint64_t kind = chance(world, 20);
    world->now_ms += chance(world, 100);
    if (kind == 0 && chance(world, world->calm) == 0)
        crash(world, at);
    else if (kind == 1 && chance(world, 2 * world->calm) == 0)
        lose_disk(world, at);
    else if (kind < 4 && !world->nodes[at].up && (at < world->founders || world->cluster_id[0]))
        start(world, at);
    else if (kind == 4)
        world->cut[at][other] = at != other && chance(world, 3) == 0;
    else if (kind == 5)
        end_change(world);
    else if (kind == 6 && chance(world, 20) == 0)
        init_by_hand(world, at);
    else if (kind < 11)
        notice(world, at, other);
    else if (kind < 15)
        step(world, at);
    else if (world->sent)
        deliver(world, &world->messages[chance(world, world->sent < MESSAGES_MAX ? world->sent
                                                                                 : MESSAGES_MAX)]);
}

static void heal_once(struct seek_world *world)
{
    world->now_ms += FOUNDING_ASK_MS;
    end_change(world);
    for (size_t i = 0; i < world->count; i++)
        if (!world->nodes[i].up && (i < world->founders || world->cluster_id[0]))
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

/* All nodes run and hear each other: they belong to the cluster, unless somebody lost what nobody
 * else knows. */
static void heal(struct seek_world *world)
{
    char text[SEEKING_TEXT_MAX];
    struct cluster_identity identity;
    world->calm = UINT32_MAX;
    world->heals = true;
    memset(world->cut, 0, sizeof world->cut);
    for (int round = 0; round < HEALED_ROUNDS; round++)
        heal_once(world);
    for (size_t i = 0; world->wiped == 0 && i < world->count; i++) {
        seeking_describe(&world->nodes[i].seeking, text);
        if (!has_begun(world, i, &identity))
            sim_fail(world->sim, "seeking: no disk was lost, all is healed, and n%zu goes on %s",
                     i + 1, text);
        if (!raft_membership_find(&world->members, identity.node_id))
            sim_fail(world->sim, "seeking: n%zu is no member", i + 1);
    }
}

static void close_world(struct seek_world *world)
{
    for (size_t i = 0; i < world->count; i++)
        sim_disk_close(&world->nodes[i].disk);
    for (size_t i = 0; i < MESSAGES_MAX; i++)
        buf_close(&world->messages[i].bytes);
    free(world);
}

static void seek_once(struct sim *sim)
{
    struct seek_world *world = calloc(1, sizeof *world);
    if (!world)
        sim_fail(sim, "no memory");
    world->sim = sim;
    world->founders = 1 + (size_t)chance(world, 4);
    world->count = world->founders + (size_t)chance(world, 3);
    world->calm = 1 + chance(world, 20);
    world->init_allowed = chance(world, 4) == 0;
    for (size_t i = 0; i < world->count; i++) {
        world->nodes[i].disk = (struct sim_disk){.sim = sim, .node = (int)i};
        sim_disk_port(&world->nodes[i].disk, &world->nodes[i].port);
        draw_seeds(world, i);
    }
    for (int i = 0; i < STEPS; i++) {
        disturb(world);
        check(world);
    }
    heal(world);
    close_world(world);
}

void sim_seek(struct sim *sim)
{
    struct prng kept = sim->prng;
    prng_init(&sim->prng, sim->seed ^ 0x7365656b);
    for (int i = 0; i < WORLDS; i++)
        seek_once(sim);
    sim->prng = kept;
}
