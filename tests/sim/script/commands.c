/* The commands of scripts; those about messages are in commands_net.c. */
#include <stdio.h>
#include <string.h>

#include "sim/script/script.h"

#define U(value) ((unsigned long long)(value))

static void step(struct world *world, uint64_t id, struct raft_event event)
{
    node_step(world, world_running(world, id), event, NULL, 0);
}

/* ---- the nodes ---- */

static void take_options(struct world *world, struct words *words)
{
    struct raft_options *options = &world->options;
    options->heartbeat_ms = (uint32_t)take_number(world, words, "heartbeat", 50);
    options->election_timeout_ms = (uint32_t)take_number(world, words, "timeout", 300);
    options->entries_per_append_max = (uint32_t)take_number(world, words, "batch", 8);
    options->bytes_per_append_max = 100000;
    options->appends_in_flight_max = (uint32_t)take_number(world, words, "window", 4);
    options->bytes_in_flight_max = 1000000;
    options->snapshot_chunk_bytes = (uint32_t)take_number(world, words, "chunk", 1000);
    options->lease_drift_percent = (uint32_t)take_number(world, words, "lease", 0);
}

static void command_cluster(struct world *world, struct words *words)
{
    take_options(world, words);
    struct raft_membership membership = take_membership(world, words);
    uint64_t voters = words->count > 1 ? number_of(world, words->at[1]) : 0;
    for (uint64_t id = 1; id <= voters && id <= NODES_MAX; id++)
        raft_membership_put(&membership,
                            &(struct raft_member){.id = id, .roles = RAFT_VOTER, .incarnation = 1});
    for (size_t i = 0; i < membership.count; i++)
        node_create(world, membership.members[i].id, &membership);
}

/* Nodes that nobody has told yet who belongs to the group. */
static void command_join(struct world *world, struct words *words)
{
    static const struct raft_membership nobody;
    struct ids ids = nodes_of(world, words, 1);
    for (size_t i = 0; i < ids.count; i++)
        node_create(world, ids.at[i], &nobody);
}

static void parse_entry(struct world *world, char *text, struct entry *entry)
{
    char *colon = strchr(text, ':');
    if (colon)
        *colon = 0;
    *entry = (struct entry){.term = number_of(world, text)};
    if (colon && strcmp(colon + 1, "no-op") == 0)
        entry->kind = ENTRY_NOOP;
    else
        snprintf(entry->text, sizeof entry->text, "%s", colon ? colon + 1 : "");
}

/* log ID [term=N] [vote=N] TERM[:TEXT]…: begins anew with this on its disk. */
static void command_log(struct world *world, struct words *words)
{
    struct node *node = world_node(world, node_argument(world, words));
    uint64_t term = take_number(world, words, "term", 0);
    uint64_t vote = take_number(world, words, "vote", 0);
    struct entry entries[WORDS_MAX];
    for (size_t i = 2; i < words->count; i++)
        parse_entry(world, words->at[i], &entries[i - 2]);
    node_crash(world, node, 0);
    node_set_log(node, entries, words->count - 2);
    if (term)
        node->disk.hard_state = (struct raft_hard_state){.term = term, .vote = vote};
    node_start(world, node);
}

/* crash ID… [kept=N]: the first N of the writes that were not synced are on the disk. */
static void command_crash(struct world *world, struct words *words)
{
    uint64_t kept = take_number(world, words, "kept", 0);
    struct ids ids = nodes_of(world, words, 1);
    for (size_t i = 0; i < ids.count; i++)
        node_crash(world, world_running(world, ids.at[i]), kept);
}

static void command_restart(struct world *world, struct words *words)
{
    struct ids ids = nodes_of(world, words, 1);
    for (size_t i = 0; i < ids.count; i++) {
        struct node *node = world_node(world, ids.at[i]);
        if (node->raft)
            fail(world, "node %llu is not down", U(node->id));
        node_start(world, node);
        print_state(world, node);
    }
}

/* ---- time ---- */

static void advance(struct world *world, const char *text)
{
    world->now_ms += number_of(world, text + 1);
}

static void command_time(struct world *world, struct words *words)
{
    if (words->count != 2 || words->at[1][0] != '+')
        fail(world, "time +MS");
    advance(world, words->at[1]);
}

/* tick ID… [+MS]: MS later they look at the clock. */
static void command_tick(struct world *world, struct words *words)
{
    if (words->at[words->count - 1][0] == '+')
        advance(world, words->at[--words->count]);
    struct ids ids = nodes_of(world, words, 1);
    for (size_t i = 0; i < ids.count; i++)
        step(world, ids.at[i], (struct raft_event){.type = RAFT_EVENT_TICK});
}

/* Time goes on until the node's next timer is due. */
static void command_timeout(struct world *world, struct words *words)
{
    uint64_t id = node_argument(world, words);
    uint64_t deadline_ms = raft_deadline_ms(world_running(world, id)->raft);
    if (deadline_ms > world->now_ms)
        world->now_ms = deadline_ms;
    step(world, id, (struct raft_event){.type = RAFT_EVENT_TICK});
}

/* run [ID…] +MS: these nodes look at the clock, and what they say to each other arrives. */
static void command_run_for(struct world *world, struct words *words)
{
    if (words->count < 2 || words->at[words->count - 1][0] != '+')
        fail(world, "run [ID…] +MS");
    uint64_t end_ms = world->now_ms + number_of(world, words->at[--words->count] + 1);
    struct ids ids = nodes_of(world, words, 1);
    struct words stabilize = *words;
    while (world->now_ms < end_ms) {
        world->now_ms++;
        for (size_t i = 0; i < ids.count; i++) {
            const struct raft *raft = world->nodes[ids.at[i]].raft;
            if (raft && raft_deadline_ms(raft) <= world->now_ms)
                step(world, ids.at[i], (struct raft_event){.type = RAFT_EVENT_TICK});
        }
        command_stabilize(world, &stabilize);
    }
}

/* elect ID [ID…]: a timeout and all that follows from it (between these), in one line. */
static void command_elect(struct world *world, struct words *words)
{
    struct node *node = world_running(world, node_argument(world, words));
    struct words stabilize = *words;
    bool quiet = world->quiet;
    world->quiet = true;
    if (words->count == 2)
        stabilize.count = 1;
    command_timeout(world, words);
    command_stabilize(world, &stabilize);
    if (raft_role(node->raft) != RAFT_LEADER)
        fail(world, "node %llu is not elected", U(node->id));
    world->now_ms += 10;
    step(world, node->id, (struct raft_event){.type = RAFT_EVENT_TICK});
    command_stabilize(world, &stabilize);
    world->quiet = quiet;
    print_state(world, node);
}

/* ---- what a leader is asked for ---- */

static void command_submit(struct world *world, struct words *words)
{
    struct node *node = world_running(world, node_argument(world, words));
    struct entry entries[WORDS_MAX];
    size_t count = words->count - 2;
    if (!raft_accepts(node->raft)) {
        say(world, "%llu takes no entries", U(node->id));
        return;
    }
    for (size_t i = 0; i < count; i++) {
        entries[i] = (struct entry){.term = raft_term(node->raft)};
        snprintf(entries[i].text, sizeof entries[i].text, "%s", words->at[i + 2]);
    }
    node_step(world, node, (struct raft_event){.type = RAFT_EVENT_SUBMIT}, entries, count);
}

static void command_read(struct world *world, struct words *words)
{
    struct node *node = world_running(world, node_argument(world, words));
    uint64_t context = ++world->reads;
    check_read_begins(world, node, context);
    say(world, "%llu: read %llu", U(node->id), U(context));
    step(world, node->id, (struct raft_event){.type = RAFT_EVENT_READ, .read_context = context});
}

static void command_change(struct world *world, struct words *words)
{
    static const char *const refusals[] = {
        [RAFT_CHANGE_POSSIBLE] = "",
        [RAFT_CHANGE_NOT_LEADER] = "not the leader",
        [RAFT_CHANGE_TOO_EARLY] = "nothing of this term is committed yet",
        [RAFT_CHANGE_IN_PROGRESS] = "another change is not finished",
        [RAFT_CHANGE_TRANSFERRING] = "leadership is being handed over",
        [RAFT_CHANGE_UNSOUND] = "unsound",
        [RAFT_CHANGE_TOO_MANY] = "too many members",
        [RAFT_CHANGE_NOT_CAUGHT_UP] = "a new voter has not caught up",
        [RAFT_CHANGE_OUT_OF_REACH] = "no majority of the new voters has been heard of",
        [RAFT_CHANGE_NONE] = "that is the membership already",
    };
    struct node *node = world_running(world, node_argument(world, words));
    struct raft_membership wanted = take_membership(world, words);
    for (size_t i = 0; i < wanted.count; i++) {
        const struct raft_member *there =
            raft_membership_find(raft_membership(node->raft), wanted.members[i].id);
        if (there)
            wanted.members[i].incarnation = there->incarnation;
    }
    enum raft_refusal refusal = raft_change_refusal(node->raft, &wanted, world->now_ms);
    if (refusal != RAFT_CHANGE_POSSIBLE) {
        say(world, "%llu refuses: %s", U(node->id), refusals[refusal]);
        return;
    }
    step(world, node->id, (struct raft_event){.type = RAFT_EVENT_CHANGE, .change = &wanted});
}

static void command_transfer(struct world *world, struct words *words)
{
    uint64_t target = words->count > 2 ? number_of(world, words->at[2]) : 0;
    step(world, node_argument(world, words),
         (struct raft_event){.type = RAFT_EVENT_TRANSFER, .peer = target});
}

/* ---- what a host tells ---- */

static void tell_of_peer(struct world *world, struct words *words, enum raft_event_type type)
{
    if (words->count != 3)
        fail(world, "%s ID PEER", words->at[0]);
    step(world, node_argument(world, words),
         (struct raft_event){.type = type, .peer = number_of(world, words->at[2])});
}

static void command_lost(struct world *world, struct words *words)
{
    tell_of_peer(world, words, RAFT_EVENT_PEER_LOST);
}

static void command_alive(struct world *world, struct words *words)
{
    tell_of_peer(world, words, RAFT_EVENT_PEER_ALIVE);
}

/* met ID PEER: they have made a connection, and ID knows which disk PEER has. */
static void command_met(struct world *world, struct words *words)
{
    if (words->count != 3)
        fail(world, "met ID PEER");
    struct raft_event event = {.type = RAFT_EVENT_PEER_MET};
    event.met.peer = number_of(world, words->at[2]);
    event.met.incarnation = world_node(world, event.met.peer)->incarnation;
    step(world, node_argument(world, words), event);
}

/* witness ID [ID…]: the leader tells these what each member has acknowledged. */
static void command_witness(struct world *world, struct words *words)
{
    struct raft_witness list[RAFT_MEMBERS_MAX];
    size_t count = raft_witnesses(world_running(world, node_argument(world, words))->raft, list);
    struct ids ids = nodes_of(world, words, 2);
    for (size_t i = 0; i < ids.count; i++) {
        for (size_t m = 0; m < count; m++)
            raft_witness(world_running(world, ids.at[i])->raft, list[m].id, list[m].incarnation,
                         list[m].index);
    }
    for (size_t m = 0; m < count; m++)
        say(world, "%llu/%llu acknowledged %llu", U(list[m].id), U(list[m].incarnation),
            U(list[m].index));
}

static void command_autosync(struct world *world, struct words *words)
{
    bool on = take_flag(words, "on");
    if (!on && !take_flag(words, "off"))
        fail(world, "autosync on|off [ID…]");
    struct ids ids = nodes_of(world, words, 1);
    for (size_t i = 0; i < ids.count; i++)
        world_node(world, ids.at[i])->autosync = on;
}

/* sync ID [N] [unheard]: the first N writes, or all there are; the core is not told. */
static void command_sync(struct world *world, struct words *words)
{
    struct node *node = world_running(world, node_argument(world, words));
    bool heard = !take_flag(words, "unheard");
    size_t count = words->count > 2 ? number_of(world, words->at[2]) : node->write_count;
    if (count == 0 || count > node->write_count)
        fail(world, "node %llu has %zu writes to sync", U(node->id), node->write_count);
    node_sync(world, node, count, heard);
}

/* durable ID INDEX TERM: a report that comes late, or twice. */
static void command_durable(struct world *world, struct words *words)
{
    if (words->count != 4)
        fail(world, "durable ID INDEX TERM");
    struct raft_event event = {.type = RAFT_EVENT_DURABLE};
    event.durable.index = number_of(world, words->at[2]);
    event.durable.term = number_of(world, words->at[3]);
    step(world, node_argument(world, words), event);
}

/* snapshot ID INDEX [keep=N] [bytes=N]: and of the log the last N entries before it stay. */
static void command_snapshot(struct world *world, struct words *words)
{
    struct node *node = world_running(world, node_argument(world, words));
    uint64_t keep = take_number(world, words, "keep", 0);
    struct raft_snapshot snapshot = {.bytes = take_number(world, words, "bytes", 1000)};
    if (words->count != 3)
        fail(world, "snapshot ID INDEX [keep=N] [bytes=N]");
    snapshot.index = number_of(world, words->at[2]);
    node_snapshot(world, node, snapshot, snapshot.index > keep ? snapshot.index - keep : 0);
}

static void command_install(struct world *world, struct words *words)
{
    struct node *node = world_running(world, node_argument(world, words));
    bool damaged = take_flag(words, "damaged");
    uint64_t before = raft_counters(node->raft).snapshots_installed;
    node_install(world, node, !damaged);
    if (raft_counters(node->raft).snapshots_installed == before)
        say(world, "%llu drops the snapshot", U(node->id));
}

/* ---- what there is to see ---- */

static void command_status(struct world *world, struct words *words)
{
    struct ids ids = nodes_of(world, words, 1);
    for (size_t i = 0; i < ids.count; i++)
        print_status(world, world_running(world, ids.at[i]));
}

static void command_states(struct world *world, struct words *words)
{
    struct ids ids = nodes_of(world, words, 1);
    for (size_t i = 0; i < ids.count; i++) {
        const struct node *node = world_node(world, ids.at[i]);
        if (node->raft)
            print_state(world, node);
        else
            say(world, "%llu is down", U(node->id));
    }
}

static void command_logs(struct world *world, struct words *words)
{
    struct ids ids = nodes_of(world, words, 1);
    for (size_t i = 0; i < ids.count; i++) {
        const struct node *node = world_node(world, ids.at[i]);
        if (node->raft)
            print_image(world, node->id, &node->memory, node->commit);
        else
            say(world, "%llu: down", U(node->id));
    }
}

static void command_disks(struct world *world, struct words *words)
{
    struct ids ids = nodes_of(world, words, 1);
    for (size_t i = 0; i < ids.count; i++) {
        const struct node *node = world_node(world, ids.at[i]);
        const struct raft_hard_state *state = &node->disk.hard_state;
        print_image(world, node->id, &node->disk, UINT64_MAX);
        say(world, "   term %llu, vote %llu, %zu writes to sync", U(state->term), U(state->vote),
            node->write_count);
    }
}

static void command_marks(struct world *world, struct words *words)
{
    struct ids ids = nodes_of(world, words, 1);
    for (size_t i = 0; i < ids.count; i++) {
        const struct node *node = world_running(world, ids.at[i]);
        for (unsigned mark = 0; mark < RAFT_MARKS; mark++) {
            if (raft_marks(node->raft) & UINT64_C(1) << mark)
                say(world, "%llu: %s", U(node->id), raft_mark_name((enum raft_mark)mark));
        }
    }
}

static const struct {
    const char *name;
    void (*run)(struct world *, struct words *);
} commands[] = {
    {"cluster", command_cluster},   {"join", command_join},
    {"log", command_log},           {"crash", command_crash},
    {"restart", command_restart},   {"wipe", command_join},
    {"time", command_time},         {"tick", command_tick},
    {"timeout", command_timeout},   {"run", command_run_for},
    {"elect", command_elect},       {"submit", command_submit},
    {"read", command_read},         {"change", command_change},
    {"transfer", command_transfer}, {"lost", command_lost},
    {"alive", command_alive},       {"met", command_met},
    {"autosync", command_autosync}, {"sync", command_sync},
    {"durable", command_durable},   {"snapshot", command_snapshot},
    {"install", command_install},   {"deliver", command_deliver},
    {"drop", command_drop},         {"duplicate", command_duplicate},
    {"reverse", command_reverse},   {"cut", command_cut},
    {"heal", command_heal},         {"stabilize", command_stabilize},
    {"flights", command_flights},   {"status", command_status},
    {"states", command_states},     {"logs", command_logs},
    {"disks", command_disks},       {"marks", command_marks},
    {"witness", command_witness},
};

void command_run(struct world *world, struct words *words)
{
    world->quiet = strcmp(words->at[0], "quietly") == 0;
    if (world->quiet)
        take_word(words, 0);
    if (words->count == 0)
        fail(world, "quietly what?");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(words->at[0], commands[i].name) != 0)
            continue;
        commands[i].run(world, words);
        world->quiet = false;
        return;
    }
    fail(world, "there is no command '%s'", words->at[0]);
}
