#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "resp/parse.h"
#include "sim/sim.h"
#include "wire/hello.h"
#include "wire/message.h"

/* Clocks that begin anywhere and are a little fast or slow: nothing may depend on that. */
static struct shard_time clocks_at(const struct sim_node *node, uint64_t now_us)
{
    int64_t drift_us = (int64_t)now_us * node->clock_ppm / 1000000;
    uint64_t us = now_us + (uint64_t)drift_us + 1000000 * (uint64_t)(node->position + 1);
    int64_t wall_us = (int64_t)now_us + (1700000000000 + node->wall_offset_ms) * 1000;
    return (struct shard_time){.mono_ms = us / 1000,
                               .wall_ms = wall_us / 1000,
                               .mono_us = us,
                               .wall_us = (unsigned)(wall_us % 1000)};
}

static uint64_t process_us(const struct sim_node *node)
{
    uint64_t now_us = node->sim->now_us;
    return node->local_us > now_us ? node->local_us : now_us;
}

struct shard_time sim_node_time(const struct sim_node *node)
{
    return clocks_at(node, node->stale ? node->stale_us : process_us(node));
}

/* Whatever the process does from here on in this event is done that much later: what it sends
 * leaves then, and replies reach their clients then. */
static void stop_for_a_while(struct sim_node *node)
{
    struct sim *sim = node->sim;
    node->local_us = process_us(node) + sim_between(sim, 1000, 1500000);
    node->paused = true;
    sim->stats.clock_pauses++;
    sim_trace(sim, "node %llu stops at its clock", (unsigned long long)node->id);
    sim_push(sim, (struct sim_event){.at_us = node->local_us,
                                     .type = SIM_RESTART,
                                     .node = node->position,
                                     .incarnation = node->incarnation});
}

struct shard_time sim_node_clock(struct sim_node *node)
{
    bool stops = !node->sim->faults_stop && !node->paused &&
                 sim_chance(node->sim, node->sim->profile.read_pause);
    bool before = stops && sim_chance(node->sim, 0.5);
    if (before)
        stop_for_a_while(node);
    struct shard_time time = clocks_at(node, process_us(node));
    if (stops && !before)
        stop_for_a_while(node);
    return time;
}

void sim_node_go_on(struct sim_node *node)
{
    struct sim *sim = node->sim;
    if (sim->now_us < node->local_us)
        return; /* it has stopped again since */
    node->paused = false;
    sim_trace(sim, "node %llu goes on", (unsigned long long)node->id);
    /* It had read its clock, and not yet its sockets. */
    node->stale = !sim->faults_stop && sim_chance(sim, sim->profile.stale_turn);
    sim->stats.stale_turns += node->stale;
    /* What waited in its sockets may come before its timers. */
    sim_node_wake_in(node, sim_between(sim, 0, node->stale ? 5000 : 2000));
}

/* A vote that is given, or asked for, must be found on the disk by whoever starts from it. */
static void note_vote(struct sim_node *node, struct span bytes)
{
    static const struct resp_limits limits = {.bulk_len_max = INT64_MAX, .authenticated = true};
    struct resp_parser parser = {0};
    if (memmem(bytes.ptr, bytes.len < 32 ? bytes.len : 32, "RAFT.VOTE", 9) &&
        resp_parse(&parser, bytes, &limits) == RESP_COMMAND) {
        struct wire_message message = {0};
        if (wire_parse_message(parser.args, parser.argc, &message))
            sim_fail(node->sim, "node %llu sends a vote that cannot be read",
                     (unsigned long long)node->id);
        const struct raft_message *raft = &message.message;
        bool asks = raft->type == RAFT_VOTE_REQUEST && !raft->vote_request.pre;
        bool gives = raft->type == RAFT_VOTE_RESPONSE && !raft->vote_response.pre &&
                     raft->vote_response.granted;
        if (asks || gives)
            node->vote_promise =
                (struct raft_hard_state){.term = raft->term, .vote = asks ? node->id : raft->to};
        wire_message_close(&message);
    }
    resp_parser_close(&parser);
}

static void host_send(void *context, uint64_t to, bool response, struct span bytes)
{
    (void)response;
    struct sim_node *node = context;
    note_vote(node, bytes);
    sim_send(node->sim, node, to, bytes);
}

static uint64_t host_clock(void *context)
{
    return sim_node_clock(context).mono_us;
}

static void host_role_changed(void *context)
{
    struct sim_node *node = context;
    node->role_changed = true;
}

/* Nobody restores disks here: whoever is told so has been told wrong, or lied to. */
static void host_incarnation_is_void(void *context)
{
    struct sim_node *node = context;
    node->is_void = true;
    if (!sim_has_liar(node->sim))
        sim_fail(node->sim, "node %llu is told that its folder is an older copy, which it is not",
                 (unsigned long long)node->id);
}

static void fill_cluster(struct sim_node *node)
{
    char text[512];
    int len = 0;
    for (int i = 0; i < node->sim->profile.nodes; i++)
        len += snprintf(text + len, sizeof text - (size_t)len, "%s%llu@127.0.0.%d:7000",
                        i ? "," : "", (unsigned long long)node->sim->nodes[i].id, i + 1);
    char message[512];
    static const char id[] = "5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed";
    if (cluster_parse(&node->cluster, span_of(text, (size_t)len), id, message))
        sim_fail(node->sim, "cluster: %s", message);
}

static struct raft_options raft_options(struct sim_node *node)
{
    struct raft_options options = {.id = node->id,
                                   .incarnation = node->folder,
                                   .heartbeat_ms = 50,
                                   .election_timeout_ms = SIM_ELECTION_MS,
                                   .entries_per_append_max = 64,
                                   .bytes_per_append_max = 65536,
                                   .appends_in_flight_max = 8,
                                   .bytes_in_flight_max = 1 << 20,
                                   .snapshot_chunk_bytes = node->sim->profile.snapshot_chunk_bytes,
                                   .lease_drift_percent = node->sim->profile.lease_drift_percent,
                                   .voters_target = node->sim->profile.voters_target,
                                   .seed =
                                       node->sim->seed * 1000003 + node->id * 101 + node->starts};
    for (int i = 0; node->founder && i < node->sim->profile.voters; i++)
        raft_membership_put(&options.membership,
                            &(struct raft_member){.id = (uint64_t)i + 1,
                                                  .roles = RAFT_VOTER,
                                                  .incarnation = (uint64_t)i + 1});
    options.membership.version = sim_version_at_first(node->sim);
    return options;
}

static void host_contradicted(void *context, const char *text)
{
    struct sim_node *node = context;
    sim_trace(node->sim, "node %llu stops: %s", (unsigned long long)node->id, text);
    if (!node->altered && !sim_has_liar(node->sim))
        sim_fail(node->sim, "node %llu stops although its state is right",
                 (unsigned long long)node->id);
    node->contradicted = true;
}

void sim_node_alter(struct sim_node *node)
{
    char key[32];
    struct keyspace *keyspace = (struct keyspace *)(uintptr_t)shard_keyspace(node->shard, 0);
    snprintf(key, sizeof key, "altered%llu", (unsigned long long)node->id);
    sim_trace(node->sim, "the state of node %llu is altered", (unsigned long long)node->id);
    keyspace_set_string(keyspace, span_text(key), SPAN("x"), false,
                        shard_applied_index(node->shard));
    node->altered = true;
}

static enum err open_shard(struct sim_node *node, char message[512])
{
    struct sim *sim = node->sim;
    char folder[32];
    snprintf(folder, sizeof folder, "n%llu/shard-0", (unsigned long long)node->id);
    fill_cluster(node);
    sim_disk_port(&node->disk, &node->port);
    node->starts++;
    node->incarnation++;
    const struct sim_profile *profile = &sim->profile;
    struct shard_options options = {.raft = raft_options(node),
                                    .storage = {.folder = folder,
                                                .append_folder = "appendonlydir",
                                                .append_filename = "appendonly.aof",
                                                .sync = STORAGE_SYNC_ALWAYS,
                                                .cache_bytes_max = profile->cache_bytes_max,
                                                .segment_bytes_max = profile->segment_bytes_max,
                                                .fill_bytes = profile->fill_bytes,
                                                .reserve_bytes = 1024,
                                                .log = &node->log},
                                    .version = node->version,
                                    .cluster = &node->cluster,
                                    .table = sim->table,
                                    .host = sim_client_host(node),
                                    .disk = &node->port,
                                    .log = &node->log,
                                    .seed = sim->seed + node->id * 7919 + node->starts,
                                    .hash_seed = prng_next(&sim->prng),
                                    .leader_wait_ms = SIM_LEADER_WAIT_MS,
                                    .sessions = sim_session_terms(),
                                    .digest_interval_ms = SIM_DIGEST_MS,
                                    .digest_entries = 64,
                                    .apply_entries_max = profile->apply_entries_max,
                                    .snapshot_log_bytes = profile->snapshot_log_bytes,
                                    .snapshot_keep_bytes = profile->snapshot_keep_bytes,
                                    .snapshot_bytes_per_s = profile->snapshot_bytes_per_s,
                                    .batch_bytes_max = 1 << 20};
    options.host.send = host_send;
    options.host.send_context = node;
    options.host.role_changed = host_role_changed;
    options.host.incarnation_is_void = host_incarnation_is_void;
    options.host.contradicted = host_contradicted;
    options.host.clock = host_clock;
    options.storage.identity.node_id = node->id;
    memcpy(options.storage.identity.cluster_id, node->cluster.cluster_id,
           sizeof options.storage.identity.cluster_id);
    return shard_open(&options, sim_node_time(node), &node->shard, message);
}

void sim_node_must_refuse(struct sim_node *node)
{
    char message[512] = "";
    enum err err = open_shard(node, message);
    sim_trace(node->sim, "node %llu refuses to start: %s", (unsigned long long)node->id, message);
    if (err != ERR_CORRUPT || !strstr(message, "appendonly.aof"))
        sim_fail(node->sim, "node %llu does not notice that its disk has rotted: %s",
                 (unsigned long long)node->id, err ? message : "it starts");
}

static void check_vote(const struct sim_node *node)
{
    const struct raft *raft = shard_raft(node->shard);
    const struct raft_hard_state *promise = &node->vote_promise;
    if (raft_term(raft) < promise->term ||
        (raft_term(raft) == promise->term && raft_vote(raft) != promise->vote))
        sim_fail(node->sim,
                 "node %llu forgot its vote for node %llu in term %llu: it is in term %llu",
                 (unsigned long long)node->id, (unsigned long long)promise->vote,
                 (unsigned long long)promise->term, (unsigned long long)raft_term(raft));
}

void sim_node_start(struct sim_node *node)
{
    struct sim *sim = node->sim;
    char message[512] = "";
    if (open_shard(node, message))
        sim_fail(sim, "node %llu does not start: %s", (unsigned long long)node->id, message);
    if (raft_term(shard_raft(node->shard)) < node->term_floor)
        sim_fail(sim, "node %llu forgot its term: had %llu, has %llu", (unsigned long long)node->id,
                 (unsigned long long)node->term_floor,
                 (unsigned long long)raft_term(shard_raft(node->shard)));
    check_vote(node);
    node->exists = true;
    node->up = true;
    node->altered = node->contradicted = node->is_void = false; /* the log says what is right */
    node->paused = node->stale = node->heard = false;
    node->checked_index = 0;
    node->stale_turns = node->fresh_seen_ms = 0;
    memset(node->stale_seen, 0, sizeof node->stale_seen);
    node->commit_seen = node->installs_seen = node->led_term = node->wall_begins = 0;
    node->judged_term = node->heard_term = node->heard_in_time_term = 0;
    node->term_seen = 0; /* a term that was not durable when the process ended may be forgotten */
    sim_trace(sim, "node %llu starts: term %llu, last index %llu", (unsigned long long)node->id,
              (unsigned long long)raft_term(shard_raft(node->shard)),
              (unsigned long long)raft_last_index(shard_raft(node->shard)));
    if (raft_last_index(shard_raft(node->shard)) < node->durable_seen)
        sim_fail(sim, "node %llu lost durable entries: had %llu, has %llu",
                 (unsigned long long)node->id, (unsigned long long)node->durable_seen,
                 (unsigned long long)raft_last_index(shard_raft(node->shard)));
    sim_node_settle(node);
}

void sim_node_crash(struct sim_node *node, bool power_loss)
{
    struct sim *sim = node->sim;
    sim_trace(sim, "node %llu crashes%s", (unsigned long long)node->id,
              power_loss ? " with a power loss" : "");
    sim->marks |= raft_marks(shard_raft(node->shard));
    shard_close(node->shard);
    node->shard = NULL;
    node->up = false;
    node->paused = node->stale = false;
    node->incarnation++;
    sim_disk_crash(&node->disk, power_loss);
    sim->stats.crashes++;
    sim_clients_of_crashed(sim, node->position);
    /* The others see their connections reset, if they can see anything of it. */
    for (int i = 0; i < sim->profile.nodes; i++) {
        struct sim_node *other = &sim->nodes[i];
        if (other->up && !other->paused && !sim->cut[i][node->position]) {
            shard_peer_lost(other->shard, node->id, sim_node_time(other));
            sim_node_settle(other);
        }
    }
}

/* Down, and its disk is gone: whoever comes back from here is somebody else. */
static void take_disk_away(struct sim_node *node)
{
    sim_disk_close(&node->disk);
    uint32_t incarnation = node->disk.incarnation + 1;
    node->disk =
        (struct sim_disk){.sim = node->sim, .node = node->position, .incarnation = incarnation};
    node->incarnation++;
    node->folder = ++node->sim->folders;
    node->founder = false;
    if (node->membership_before.count > 0) { /* a disk may be lost twice before it knows any */
        node->membership_lost = node->membership_before;
        node->membership_lost_us = node->sim->now_us;
    }
    node->membership_before.count = 0;
    if (node->durable_seen > node->sim->lost_index)
        node->sim->lost_index = node->durable_seen;
    node->durable_seen = node->commit_seen = node->term_floor = 0;
    node->vote_promise = (struct raft_hard_state){0};
}

void sim_node_wipe(struct sim_node *node)
{
    sim_trace(node->sim, "the disk of node %llu is lost", (unsigned long long)node->id);
    take_disk_away(node);
    node->id += SIM_IDS_PER_LIFE;
    node->exists = false;
    node->sim->stats.wipes++;
}

void sim_node_lose_disk(struct sim_node *node)
{
    sim_trace(node->sim, "the disk of node %llu is lost, and replaced by an empty one",
              (unsigned long long)node->id);
    take_disk_away(node);
    node->sim->stats.losses++;
}

struct sim_node *sim_node_of(struct sim *sim, uint64_t id)
{
    for (int i = 0; i < sim->profile.nodes; i++)
        if (sim->nodes[i].id == id)
            return &sim->nodes[i];
    return NULL;
}

static void schedule(struct sim_node *node)
{
    struct shard_time now = sim_node_time(node);
    uint64_t deadline = shard_deadline_ms(node->shard);
    uint64_t wait_ms = deadline > now.mono_ms ? deadline - now.mono_ms : 0;
    uint64_t wait_us = wait_ms ? wait_ms * 1000 : 50;
    if (node->clock_ppm)
        wait_us = wait_us * 1000000 / (uint64_t)(1000000 + node->clock_ppm) + 1;
    uint64_t at_us = process_us(node) + wait_us;
    if (at_us == node->timer_us)
        return;
    node->timer_us = at_us;
    sim_push(node->sim, (struct sim_event){.at_us = at_us,
                                           .type = SIM_TIMER,
                                           .node = node->position,
                                           .incarnation = node->incarnation});
}

/* What a folder does that is told that it is an older copy. */
static void begin_anew(struct sim_node *node)
{
    node->is_void = false;
    node->folder = ++node->sim->folders;
    node->vote_promise = (struct raft_hard_state){0};
    shard_set_incarnation(node->shard, node->folder, sim_node_time(node));
}

void sim_node_settle(struct sim_node *node)
{
    if (node->contradicted) {
        sim_node_crash(node, false);
        if (sim_has_liar(node->sim))
            sim_restart_later(node->sim, node);
        return;
    }
    if (node->is_void)
        begin_anew(node);
    /* An event loop looks at what came in before or after its timers. */
    struct shard_time now = sim_node_time(node);
    sim_clients_read_on(node);
    if (sim_chance(node->sim, 0.3))
        shard_drive(node->shard, now);
    shard_tick(node->shard, now);
    shard_drive(node->shard, now);
    node->stale = false;
    sim_check_node(node);
    sim_check_version(node);
    schedule(node);
}

void sim_node_wake_in(struct sim_node *node, uint64_t us)
{
    struct sim *sim = node->sim;
    node->timer_us = sim->now_us + us;
    sim_push(sim, (struct sim_event){.at_us = node->timer_us,
                                     .type = SIM_TIMER,
                                     .node = node->position,
                                     .incarnation = node->incarnation});
}

void sim_node_timer(struct sim_node *node)
{
    node->timer_us = 0;
    sim_node_settle(node);
}

/* Time goes on from wall clocks where a process has heard no leader since it started. Who sends an
 * append of a term that the node has left already is no leader to it: nothing in it counts. */
static void note_heard(struct sim_node *node, const struct sim_event *event, struct span term)
{
    const struct raft *raft = shard_raft(node->shard);
    uint64_t number;
    if (!number_parse_u64(term, &number) || number != raft_term(raft) ||
        raft_leader(raft) != event->from)
        return;
    node->heard = true;
    if (!event->waited)
        node->heard_in_time_term = number;
    if (number > node->heard_term)
        node->heard_term = number;
}

void sim_node_message(struct sim_node *node, const struct sim_event *event)
{
    const struct shard_peer from = {event->from, event->from_folder, 0};
    static const struct resp_limits limits = {.bulk_len_max = INT64_MAX, .authenticated = true};
    struct resp_parser parser = {0};
    if (resp_parse(&parser, buf_span(&event->bytes), &limits) != RESP_COMMAND)
        sim_fail(node->sim, "a message of node %llu is not RESP", (unsigned long long)from.node);
    sim_check_readable(node, parser.args, parser.argc);
    enum err err = shard_message(node->shard, &from, parser.args, parser.argc, sim_node_time(node));
    if (err)
        sim_note_refusal(node, from.node);
    else if (parser.argc > 3 && span_is(parser.args[0], "RAFT.APPEND"))
        note_heard(node, event, parser.args[3]);
    resp_parser_close(&parser);
    sim_node_settle(node);
}

/* A process that cannot write its log must not go on: what is on the disk is not known any more. */
static void end_by_disk_error(struct sim_node *node, const struct disk_completion *completion)
{
    struct sim *sim = node->sim;
    if (setjmp(sim->fatal) == 0) {
        sim->fatal_expected = true;
        shard_disk_completed(node->shard, completion, sim_node_time(node));
        sim->fatal_expected = false;
        sim_fail(sim, "node %llu goes on although its disk failed", (unsigned long long)node->id);
    }
    sim->fatal_expected = false;
    sim_node_crash(node, true);
    sim_push(sim, (struct sim_event){.at_us = sim->now_us + sim_between(sim, 1000, 3000000),
                                     .type = SIM_RESTART,
                                     .node = node->position,
                                     .incarnation = node->incarnation});
}

static void completed(struct sim_node *node, const struct disk_completion *completion)
{
    if (!node->up)
        return;
    shard_disk_completed(node->shard, completion, sim_node_time(node));
    sim_node_settle(node);
}

void sim_node_disk_done(struct sim_node *node)
{
    struct disk_completion completion = sim_disk_complete(&node->disk);
    if (completion.err)
        end_by_disk_error(node, &completion);
    else if (completion.ticket || completion.measured)
        completed(node, &completion);
}

void sim_node_disk_full(struct sim_node *node)
{
    struct sim *sim = node->sim;
    node->disk.full_until_us = sim->now_us + sim_between(sim, 0, 4000000);
    sim->stats.full_disks++;
    /* Either the reserve has been touched, or a write is under way that does not fit at all. */
    if (!node->up || node->paused || sim_chance(sim, 0.5))
        return;
    node->disk.busy_until_us = node->disk.full_until_us;
    completed(node, &(struct disk_completion){.waits_for_room = true});
}

void sim_node_image_done(struct sim_node *node)
{
    struct disk_completion completion = sim_disk_image_done(&node->disk);
    uint64_t before = node->up ? shard_stats(node->shard).snapshots : 0;
    completed(node, &completion);
    node->sim->stats.snapshots += node->up ? shard_stats(node->shard).snapshots - before : 0;
}

struct sim_node *sim_leader(struct sim *sim)
{
    struct sim_node *leader = NULL;
    for (int i = 0; i < sim->profile.nodes; i++) {
        struct sim_node *node = &sim->nodes[i];
        if (!node->up || node->paused || !shard_is_leader(node->shard))
            continue;
        if (!leader || raft_term(shard_raft(node->shard)) > raft_term(shard_raft(leader->shard)))
            leader = node;
    }
    return leader;
}
