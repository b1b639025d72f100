/* Several cores with a network and disks in memory, under virtual time and from one seed.
 *
 * A node writes in the order of its updates; what is written is durable after a sync, which happens
 * at once, after a random delay, or not while the node is `stalled`. A crash loses what is not
 * synced. Links can be cut one way, messages dropped, duplicated and delayed at random.
 *
 * Checked at every step, whatever the test: one leader per term; a new leader has all that was ever
 * committed; a committed entry is on the disks of a majority and never changes; the commit index
 * never goes back; a read sees at least what was committed when it came. */
#ifndef FLOTILLA_TESTS_UNIT_RAFT_CLUSTER_H
#define FLOTILLA_TESTS_UNIT_RAFT_CLUSTER_H

#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "raft/raft.h"
#include "unit/support/test.h"

enum {
    CLUSTER_MAX = 7,
    LOG_MAX = 20000,
    TERMS_MAX = 20000,
    READS_MAX = 4096,
    MEMBERSHIPS_MAX = 8192,
    FIRST_LIFE = 1, /* incarnation of every node */
};

struct item {
    uint64_t term;
    uint64_t value;    /* 0: a no-op, or a membership */
    size_t membership; /* of cluster->memberships; 0: another entry */
};

struct item_log {
    struct item *items; /* [1] is the first */
    uint64_t last;
};

struct flight {
    struct raft_message message;
    struct item *items;
    uint64_t at_ms;
    uint64_t order;
};

struct flights {
    struct flight *list;
    size_t count, cap;
};

/* What one update writes, and what it sends when that is durable. */
struct write {
    bool install;
    struct raft_snapshot installed;
    bool truncate;
    uint64_t truncate_after;
    uint64_t first;
    struct item *items;
    size_t count;
    bool has_hard_state;
    struct raft_hard_state hard_state;
    struct flights messages;
};

struct member {
    struct raft *raft; /* NULL: it is down */
    struct item_log memory;
    struct item_log disk;
    struct raft_hard_state disk_hard_state;
    struct write *writes;
    size_t write_count, write_cap;
    uint64_t disk_base;
    struct raft_snapshot disk_snapshot;
    const struct item_log *committed; /* the cluster's: what snapshots hold */
    struct raft_snapshot received;    /* completely; it is installed at check_at_ms */
    uint64_t received_from, received_offset, check_at_ms;
    bool syncing;
    bool stalled;
    uint64_t sync_at_ms;
    uint64_t commit;
    uint64_t read_context;          /* newest */
    uint64_t read_floor[READS_MAX]; /* commit index of the cluster when the read came, by context */
    uint64_t reads_ready;
    uint64_t starts;
};

struct test_cluster {
    size_t size;
    struct member members[CLUSTER_MAX + 1];     /* by id */
    bool cut[CLUSTER_MAX + 1][CLUSTER_MAX + 1]; /* [from][to] */
    struct flights network;
    uint64_t now_ms, order, values;
    struct prng prng;
    uint64_t seed;
    unsigned drop_percent, duplicate_percent, delay_ms_max, sync_ms_max;
    uint64_t rejections;  /* of appends, as sent */
    bool tell_of_crashes; /* connections are reset when a process dies */
    struct item_log committed;
    struct raft_membership *memberships; /* [0] is that of the beginning */
    size_t membership_count;
    uint32_t lease_drift_percent;
    uint64_t leader_of_term[TERMS_MAX];
};

static inline void cluster_step(struct test_cluster *cluster, uint64_t id, struct raft_event event,
                                const struct item *items, size_t item_count);

static inline void item_log_init(struct item_log *log)
{
    log->items = calloc(LOG_MAX, sizeof *log->items);
    log->last = 0;
}

static inline void flights_push(struct flights *flights, struct flight flight)
{
    if (flights->count == flights->cap) {
        flights->cap = flights->cap ? flights->cap * 2 : 16;
        flights->list = realloc(flights->list, flights->cap * sizeof *flights->list);
    }
    flights->list[flights->count++] = flight;
}

static inline bool cluster_chance(struct test_cluster *cluster, unsigned percent)
{
    return percent > 0 && prng_below(&cluster->prng, 100) < percent;
}

static inline struct flight flight_copy(const struct flight *flight)
{
    struct flight copy = *flight;
    size_t count = flight->message.type == RAFT_APPEND_REQUEST
                       ? flight->message.append_request.entry_count
                       : 0;
    copy.items = calloc(count + 1, sizeof *copy.items);
    if (count > 0)
        memcpy(copy.items, flight->items, count * sizeof *copy.items);
    return copy;
}

/* Takes over the flight. */
static inline void cluster_send(struct test_cluster *cluster, struct flight flight)
{
    const struct raft_message *message = &flight.message;
    if (message->type == RAFT_APPEND_RESPONSE && !message->append_response.success)
        cluster->rejections++;
    if (cluster->cut[message->from][message->to] ||
        cluster_chance(cluster, cluster->drop_percent)) {
        free(flight.items);
        return;
    }
    int copies = cluster_chance(cluster, cluster->duplicate_percent) ? 2 : 1;
    while (copies-- > 0) {
        struct flight copy = flight_copy(&flight);
        copy.order = cluster->order++;
        copy.at_ms = cluster->now_ms;
        if (cluster->delay_ms_max > 0)
            copy.at_ms += prng_below(&cluster->prng, cluster->delay_ms_max + 1);
        flights_push(&cluster->network, copy);
    }
    free(flight.items);
}

static inline struct flight cluster_load_flight(const struct member *member,
                                                const struct raft_message *message)
{
    struct flight flight = {.message = *message};
    size_t count = message->type == RAFT_APPEND_REQUEST ? message->append_request.entry_count : 0;
    flight.items = calloc(count + 1, sizeof *flight.items);
    for (size_t i = 0; i < count; i++)
        flight.items[i] = member->memory.items[message->append_request.first_index + i];
    if (count > 0) /* the log still holds them */
        assert_true(message->append_request.first_index >= raft_first_index(member->raft));
    if (message->type == RAFT_SNAPSHOT_REQUEST)
        assert_int_equal(message->snapshot_request.index, member->disk_snapshot.index);
    return flight;
}

static inline struct write *member_write(struct member *member)
{
    if (member->write_count == member->write_cap) {
        member->write_cap = member->write_cap ? member->write_cap * 2 : 16;
        member->writes = realloc(member->writes, member->write_cap * sizeof *member->writes);
    }
    struct write *write = &member->writes[member->write_count++];
    *write = (struct write){0};
    return write;
}

static inline void write_free(struct write *write)
{
    for (size_t i = 0; i < write->messages.count; i++)
        free(write->messages.list[i].items);
    free(write->messages.list);
    free(write->items);
}

static inline void item_log_install(struct item_log *log, const struct item_log *committed,
                                    uint64_t index)
{
    assert_true(index <= committed->last);
    memcpy(log->items, committed->items, (index + 1) * sizeof *log->items);
    log->last = index;
}

static inline void write_to_disk(struct member *member, const struct write *write)
{
    if (write->install) {
        item_log_install(&member->disk, member->committed, write->installed.index);
        member->disk_base = write->installed.index;
        member->disk_snapshot = write->installed;
    }
    if (write->truncate)
        member->disk.last = write->truncate_after;
    if (write->count > 0)
        assert_int_equal(write->first, member->disk.last + 1);
    for (size_t i = 0; i < write->count; i++)
        member->disk.items[++member->disk.last] = write->items[i];
    if (write->has_hard_state)
        member->disk_hard_state = write->hard_state;
}

static inline const struct raft_membership *cluster_membership(const struct test_cluster *cluster,
                                                               struct item item)
{
    return item.membership ? &cluster->memberships[item.membership] : NULL;
}

static inline void cluster_deliver(struct test_cluster *cluster, struct flight *flight)
{
    struct raft_message message = flight->message;
    struct raft_entry *entries = NULL;
    size_t count = 0;
    if (message.type == RAFT_APPEND_REQUEST) {
        count = message.append_request.entry_count;
        entries = calloc(count + 1, sizeof *entries);
        for (size_t i = 0; i < count; i++)
            entries[i] =
                (struct raft_entry){.index = message.append_request.first_index + i,
                                    .term = flight->items[i].term,
                                    .bytes = 100,
                                    .membership = cluster_membership(cluster, flight->items[i])};
        message.append_request.entries = entries;
    }
    if (cluster->members[message.to].raft)
        cluster_step(cluster, message.to,
                     (struct raft_event){.type = RAFT_EVENT_MESSAGE, .message = &message},
                     flight->items, count);
    free(entries);
    free(flight->items);
}

/* The first `count` writes reach the disk together. Only the last one's DURABLE is reported, as a
 * host may, before or after the messages. */
static inline void cluster_sync_some(struct test_cluster *cluster, uint64_t id, size_t count)
{
    struct member *member = &cluster->members[id];
    struct flights messages = {0};
    struct raft_event durable = {.type = RAFT_EVENT_DURABLE};
    for (size_t i = 0; i < count; i++) {
        struct write *write = &member->writes[i];
        write_to_disk(member, write);
        if (write->install) {
            durable.durable.index = write->installed.index;
            durable.durable.term = write->installed.term;
        }
        if (write->count > 0) {
            durable.durable.index = write->first + write->count - 1;
            durable.durable.term = write->items[write->count - 1].term;
        }
        for (size_t m = 0; m < write->messages.count; m++)
            flights_push(&messages, write->messages.list[m]);
        write->messages.count = 0;
        write_free(write);
    }
    member->write_count -= count;
    memmove(member->writes, member->writes + count, member->write_count * sizeof *member->writes);
    bool first = cluster_chance(cluster, 50);
    if (durable.durable.index > 0 && first)
        cluster_step(cluster, id, durable, NULL, 0);
    for (size_t m = 0; m < messages.count; m++) {
        if (messages.list[m].message.to == id)
            cluster_deliver(cluster, &messages.list[m]);
        else
            cluster_send(cluster, messages.list[m]);
    }
    if (durable.durable.index > 0 && !first)
        cluster_step(cluster, id, durable, NULL, 0);
    free(messages.list);
}

static inline void cluster_sync(struct test_cluster *cluster, uint64_t id)
{
    struct member *member = &cluster->members[id];
    if (member->syncing)
        return;
    member->syncing = true;
    while (member->write_count > 0)
        cluster_sync_some(cluster, id, member->write_count);
    member->syncing = false;
}

static inline bool is_same_item(struct item a, struct item b)
{
    return a.term == b.term && a.value == b.value && a.membership == b.membership;
}

static inline void check_leader(struct test_cluster *cluster, uint64_t id)
{
    struct member *member = &cluster->members[id];
    uint64_t term = raft_term(member->raft);
    assert_true(term < TERMS_MAX);
    if (raft_role(member->raft) != RAFT_LEADER || cluster->leader_of_term[term] == id)
        return;
    assert_int_equal(cluster->leader_of_term[term], 0);
    cluster->leader_of_term[term] = id;
    assert_true(member->memory.last >= cluster->committed.last);
    for (uint64_t i = 1; i <= cluster->committed.last; i++)
        assert_true(is_same_item(member->memory.items[i], cluster->committed.items[i]));
}

/* `before`: the membership in force when the step began. */
static inline void check_commit(struct test_cluster *cluster, uint64_t id, uint64_t commit,
                                const struct raft_membership *before)
{
    struct member *member = &cluster->members[id];
    assert_true(commit >= member->commit && commit <= member->memory.last);
    for (uint64_t i = member->commit + 1; i <= commit; i++) {
        if (i > cluster->committed.last) {
            bool holds[RAFT_MEMBERS_MAX] = {false};
            for (size_t m = 0; m < before->count; m++) {
                const struct item_log *disk = &cluster->members[before->members[m].id].disk;
                holds[m] = disk->last >= i && is_same_item(disk->items[i], member->memory.items[i]);
            }
            assert_true(raft_membership_has_majority(before, holds));
            cluster->committed.items[++cluster->committed.last] = member->memory.items[i];
        }
        assert_true(is_same_item(member->memory.items[i], cluster->committed.items[i]));
    }
    member->commit = commit;
}

static inline void check_reads(struct member *member, const struct raft_update *update)
{
    for (size_t i = 0; i < update->read_count; i++) {
        /* a leader that is no member any more can step down in the step that commits */
        assert_true(raft_role(member->raft) == RAFT_LEADER || update->leadership_lost);
        assert_true(update->reads[i].index >=
                    member->read_floor[update->reads[i].context % READS_MAX]);
        assert_true(update->reads[i].index <= update->commit_index);
        member->reads_ready++;
    }
}

static inline struct item cluster_own_item(struct test_cluster *cluster,
                                           const struct raft_update *update, uint64_t term)
{
    struct item item = {.term = term};
    if (update->append_own == RAFT_OWN_MEMBERSHIP) {
        assert_true(cluster->membership_count < MEMBERSHIPS_MAX);
        item.membership = cluster->membership_count++;
        cluster->memberships[item.membership] = *update->append_membership;
    }
    return item;
}

/* The chunks of one sender, each once and in order. */
static inline void carry_out_chunk(struct test_cluster *cluster, struct member *member,
                                   const struct raft_chunk *chunk, uint64_t from)
{
    if (chunk->offset == 0) {
        member->received = (struct raft_snapshot){0};
        member->received_from = from;
        member->received_offset = 0;
    }
    assert_int_equal(chunk->offset, member->received_offset);
    assert_int_equal(from, member->received_from);
    member->received_offset += chunk->bytes;
    if (!chunk->last)
        return;
    assert_int_equal(member->received_offset, chunk->snapshot.bytes);
    member->received = chunk->snapshot;
    member->check_at_ms = cluster->now_ms + prng_below(&cluster->prng, 40);
}

static inline void carry_out_writes(struct test_cluster *cluster, struct member *member,
                                    const struct raft_update *update, const struct item *items,
                                    size_t item_count)
{
    struct write *write = member_write(member);
    write->install = update->install;
    write->installed = update->installed;
    if (update->install)
        item_log_install(&member->memory, &cluster->committed, update->installed.index);
    write->truncate = update->truncate;
    write->truncate_after = update->truncate_after;
    if (update->truncate)
        member->memory.last = update->truncate_after;
    write->first = update->append_first;
    write->count = update->append_count;
    write->items = calloc(update->append_count + 1, sizeof *write->items);
    for (size_t i = 0; i < update->append_count; i++) {
        write->items[i] = update->append_own
                              ? cluster_own_item(cluster, update, raft_term(member->raft))
                              : items[item_count - update->append_count + i];
        assert_int_equal(member->memory.last + 1, update->append_first + i);
        assert_true(member->memory.last + 2 < LOG_MAX);
        member->memory.items[++member->memory.last] = write->items[i];
    }
    write->has_hard_state = update->hard_state_changed;
    write->hard_state = update->hard_state;
}

/* Steps a node and does what the update says. `items` are the contents that belong to the event. */
static inline void cluster_step(struct test_cluster *cluster, uint64_t id, struct raft_event event,
                                const struct item *items, size_t item_count)
{
    struct member *member = &cluster->members[id];
    struct raft_update update;
    struct raft_membership before = *raft_membership(member->raft);
    event.now_ms = cluster->now_ms;
    raft_step(member->raft, &event, &update);
    if (update.chunk_received)
        carry_out_chunk(cluster, member, &update.chunk, event.message->from);
    carry_out_writes(cluster, member, &update, items, item_count);
    struct write *write = &member->writes[member->write_count - 1];
    for (size_t i = 0; i < update.message_count; i++) {
        struct flight flight = cluster_load_flight(member, &update.messages[i]);
        assert_int_equal(flight.message.from, id);
        if (flight.message.when_durable)
            flights_push(&write->messages, flight);
        else
            cluster_send(cluster, flight);
    }
    check_leader(cluster, id);
    check_commit(cluster, id, update.commit_index, &before);
    check_reads(member, &update);
    if (cluster->sync_ms_max == 0 && !member->stalled)
        cluster_sync(cluster, id);
}

static inline struct raft_membership cluster_membership_at(const struct test_cluster *cluster,
                                                           const struct item_log *log,
                                                           uint64_t index)
{
    while (index > 0 && !log->items[index].membership)
        index--;
    return cluster->memberships[index > 0 ? log->items[index].membership : 0];
}

static inline void cluster_start(struct test_cluster *cluster, uint64_t id)
{
    struct member *member = &cluster->members[id];
    struct raft_options options = {
        .id = id,
        .incarnation = FIRST_LIFE,
        .heartbeat_ms = 50,
        .election_timeout_ms = 300,
        .entries_per_append_max = 8,
        .bytes_per_append_max = 500,
        .appends_in_flight_max = 4,
        .bytes_in_flight_max = 1500,
        .snapshot_chunk_bytes = 500,
        .seed = cluster->seed * 1000 + id * 100 + member->starts++,
    };
    options.lease_drift_percent = cluster->lease_drift_percent;
    struct raft_snapshot snapshot = member->disk_snapshot;
    if (snapshot.index > 0 || raft_membership_find(&cluster->memberships[0], id))
        options.membership = cluster_membership_at(cluster, &member->disk, snapshot.index);
    uint64_t base = member->disk_base;
    struct raft_start start = {.hard_state = member->disk_hard_state,
                               .base_index = base,
                               .base_term = base ? member->disk.items[base].term : 0,
                               .snapshot = snapshot};
    member->raft = raft_new(&options, &start, cluster->now_ms);
    member->memory.last = member->disk.last;
    for (uint64_t i = 1; i <= member->disk.last; i++) {
        member->memory.items[i] = member->disk.items[i];
        struct raft_entry entry = {.index = i,
                                   .term = member->disk.items[i].term,
                                   .bytes = 100,
                                   .membership =
                                       cluster_membership(cluster, member->disk.items[i])};
        if (i > base)
            raft_load_entry(member->raft, &entry);
    }
    member->commit = snapshot.index;
    member->received = (struct raft_snapshot){0};
    member->read_context = 0;
}

/* Nodes 1 to `founders` are the voters of the beginning; the others belong to nobody yet. */
static inline struct test_cluster *cluster_new_of(size_t size, size_t founders, uint32_t drift,
                                                  uint64_t seed)
{
    struct test_cluster *cluster = calloc(1, sizeof *cluster);
    cluster->size = size;
    cluster->seed = seed;
    cluster->now_ms = 1000;
    prng_init(&cluster->prng, seed);
    item_log_init(&cluster->committed);
    cluster->lease_drift_percent = drift;
    cluster->memberships = calloc(MEMBERSHIPS_MAX, sizeof *cluster->memberships);
    cluster->membership_count = 1;
    for (uint64_t id = 1; id <= founders; id++)
        raft_membership_put(
            &cluster->memberships[0],
            &(struct raft_member){.id = id, .roles = RAFT_VOTER, .incarnation = FIRST_LIFE});
    for (uint64_t id = 1; id <= size; id++) {
        item_log_init(&cluster->members[id].memory);
        item_log_init(&cluster->members[id].disk);
        cluster->members[id].committed = &cluster->committed;
        cluster_start(cluster, id);
    }
    return cluster;
}

static inline struct test_cluster *cluster_new(size_t size, uint64_t seed)
{
    return cluster_new_of(size, size, 0, seed);
}

/* The first `survive` writes that were not synced reach the disk all the same. */
static inline void cluster_crash(struct test_cluster *cluster, uint64_t id, size_t survive)
{
    struct member *member = &cluster->members[id];
    for (size_t i = 0; i < member->write_count; i++) {
        if (i < survive)
            write_to_disk(member, &member->writes[i]);
        write_free(&member->writes[i]);
    }
    member->write_count = 0;
    raft_free(member->raft);
    member->raft = NULL;
    struct raft_event lost = {.type = RAFT_EVENT_PEER_LOST, .peer = id};
    for (uint64_t other = 1; cluster->tell_of_crashes && other <= cluster->size; other++) {
        if (cluster->members[other].raft && !cluster->cut[id][other])
            cluster_step(cluster, other, lost, NULL, 0);
    }
}

static inline void cluster_free(struct test_cluster *cluster)
{
    cluster->tell_of_crashes = false;
    for (uint64_t id = 1; id <= cluster->size; id++) {
        struct member *member = &cluster->members[id];
        if (member->raft)
            cluster_crash(cluster, id, 0);
        free(member->memory.items);
        free(member->disk.items);
        free(member->writes);
    }
    for (size_t i = 0; i < cluster->network.count; i++)
        free(cluster->network.list[i].items);
    free(cluster->network.list);
    free(cluster->committed.items);
    free(cluster->memberships);
    free(cluster);
}

static inline void cluster_cut(struct test_cluster *cluster, uint64_t a, uint64_t b, bool cut)
{
    cluster->cut[a][b] = cut;
    cluster->cut[b][a] = cut;
}

static inline void cluster_isolate(struct test_cluster *cluster, uint64_t id, bool cut)
{
    for (uint64_t other = 1; other <= cluster->size; other++) {
        if (other != id)
            cluster_cut(cluster, id, other, cut);
    }
}

static inline struct raft *cluster_raft(const struct test_cluster *cluster, uint64_t id)
{
    return cluster->members[id].raft;
}

/* The leader of the highest term, or 0. */
static inline uint64_t cluster_leader(const struct test_cluster *cluster)
{
    uint64_t leader = 0, term = 0;
    for (uint64_t id = 1; id <= cluster->size; id++) {
        struct raft *raft = cluster_raft(cluster, id);
        if (raft && raft_role(raft) == RAFT_LEADER && raft_term(raft) > term) {
            leader = id;
            term = raft_term(raft);
        }
    }
    return leader;
}

static inline void cluster_submit(struct test_cluster *cluster, uint64_t id, size_t count)
{
    struct raft *raft = cluster_raft(cluster, id);
    struct raft_entry entries[64];
    struct item items[64];
    for (size_t i = 0; i < count; i++) {
        entries[i] = (struct raft_entry){
            .index = raft_last_index(raft) + 1 + i, .term = raft_term(raft), .bytes = 100};
        items[i] = (struct item){.term = raft_term(raft), .value = ++cluster->values};
    }
    struct raft_event event = {.type = RAFT_EVENT_SUBMIT,
                               .submit = {.entries = entries, .count = count}};
    cluster_step(cluster, id, event, items, count);
}

static inline void cluster_read(struct test_cluster *cluster, uint64_t id)
{
    struct member *member = &cluster->members[id];
    uint64_t context = ++member->read_context;
    member->read_floor[context % READS_MAX] = cluster->committed.last;
    cluster_step(cluster, id, (struct raft_event){.type = RAFT_EVENT_READ, .read_context = context},
                 NULL, 0);
}

static inline bool cluster_deliver_due(struct test_cluster *cluster)
{
    struct flights *network = &cluster->network;
    size_t next = network->count;
    for (size_t i = 0; i < network->count; i++) {
        const struct flight *flight = &network->list[i];
        if (flight->at_ms > cluster->now_ms)
            continue;
        if (next == network->count || flight->at_ms < network->list[next].at_ms ||
            (flight->at_ms == network->list[next].at_ms &&
             flight->order < network->list[next].order))
            next = i;
    }
    if (next == network->count)
        return false;
    struct flight flight = network->list[next];
    network->list[next] = network->list[--network->count];
    if (cluster->cut[flight.message.from][flight.message.to])
        free(flight.items);
    else
        cluster_deliver(cluster, &flight);
    return true;
}

static inline void cluster_install_due(struct test_cluster *cluster, uint64_t id)
{
    struct member *member = &cluster->members[id];
    struct raft_snapshot snapshot = member->received;
    if (snapshot.index == 0 || cluster->now_ms < member->check_at_ms)
        return;
    member->received = (struct raft_snapshot){0};
    struct raft_membership membership =
        cluster_membership_at(cluster, &cluster->committed, snapshot.index);
    bool failed = cluster_chance(cluster, cluster->drop_percent / 2);
    cluster_step(
        cluster, id,
        (struct raft_event){.type = failed ? RAFT_EVENT_INSTALL_FAILED : RAFT_EVENT_INSTALLED,
                            .installed = {.snapshot = snapshot, .membership = &membership}},
        NULL, 0);
}

/* A snapshot of what is durable and committed, or fewer entries under the one there is. */
static inline void cluster_compact(struct test_cluster *cluster, uint64_t id)
{
    struct member *member = &cluster->members[id];
    struct raft_snapshot *snapshot = &member->disk_snapshot;
    uint64_t index = raft_commit_index(member->raft);
    if (index > raft_durable_index(member->raft))
        index = raft_durable_index(member->raft);
    index -= index > 0 ? prng_below(&cluster->prng, index < 20 ? index : 20) : 0;
    if (raft_snapshot(member->raft).index != snapshot->index || index < snapshot->index ||
        index == 0)
        return; /* an install is not durable yet */
    if (index > snapshot->index)
        *snapshot = (struct raft_snapshot){.index = index,
                                           .term = raft_term_of(member->raft, index),
                                           .bytes = 600 + 100 * id + index};
    uint64_t first = raft_first_index(member->raft);
    first += prng_below(&cluster->prng, index + 2 - first);
    member->disk_base = first - 1;
    cluster_step(cluster, id,
                 (struct raft_event){.type = RAFT_EVENT_COMPACT,
                                     .compact = {.snapshot = *snapshot, .first_index = first}},
                 NULL, 0);
}

static inline void cluster_tick_due(struct test_cluster *cluster)
{
    for (uint64_t id = 1; id <= cluster->size; id++) {
        struct member *member = &cluster->members[id];
        if (!member->raft)
            continue;
        if (raft_deadline_ms(member->raft) <= cluster->now_ms)
            cluster_step(cluster, id, (struct raft_event){.type = RAFT_EVENT_TICK}, NULL, 0);
        cluster_install_due(cluster, id);
        if (member->stalled || member->write_count == 0 || cluster->now_ms < member->sync_at_ms)
            continue;
        if (cluster->sync_ms_max == 0) {
            cluster_sync(cluster, id);
            continue;
        }
        cluster_sync_some(cluster, id, 1 + prng_below(&cluster->prng, member->write_count));
        member->sync_at_ms = cluster->now_ms + prng_below(&cluster->prng, cluster->sync_ms_max + 1);
    }
}

static inline void cluster_run(struct test_cluster *cluster, uint64_t ms)
{
    for (uint64_t end_ms = cluster->now_ms + ms; cluster->now_ms < end_ms; cluster->now_ms++) {
        while (cluster_deliver_due(cluster)) {
        }
        cluster_tick_due(cluster);
    }
}

/* Runs until there is a leader that can read; fails the test if there is none within `ms`. */
static inline uint64_t cluster_elect_within(struct test_cluster *cluster, uint64_t ms)
{
    for (uint64_t end_ms = cluster->now_ms + ms; cluster->now_ms < end_ms;) {
        uint64_t leader = cluster_leader(cluster);
        if (leader && raft_can_read(cluster_raft(cluster, leader)))
            return leader;
        cluster_run(cluster, 1);
    }
    fail_msg("no leader (seed %llu)", (unsigned long long)cluster->seed);
    return 0;
}

static inline uint64_t cluster_elect(struct test_cluster *cluster)
{
    return cluster_elect_within(cluster, 5000);
}

/* Log matching (paper §5.3): equal (index, term) means equal logs up to there. */
static inline void check_log_matching(const struct test_cluster *cluster)
{
    for (uint64_t a = 1; a <= cluster->size; a++) {
        for (uint64_t b = a + 1; b <= cluster->size; b++) {
            const struct item_log *one = &cluster->members[a].memory;
            const struct item_log *two = &cluster->members[b].memory;
            bool must_match = false;
            for (uint64_t i = one->last < two->last ? one->last : two->last; i > 0; i--) {
                must_match = must_match || one->items[i].term == two->items[i].term;
                if (must_match)
                    assert_true(is_same_item(one->items[i], two->items[i]));
            }
        }
    }
}

static inline bool cluster_has_converged(const struct test_cluster *cluster)
{
    for (uint64_t id = 1; id <= cluster->size; id++) {
        const struct member *member = &cluster->members[id];
        if (!member->raft || member->commit != cluster->committed.last ||
            member->memory.last != member->commit || member->disk.last != member->commit)
            return false;
    }
    return true;
}

#endif
