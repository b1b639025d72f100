/* One node: a core, what its memory and its disk hold, and the writes between them. */
#include <string.h>

#include "base/mem.h"
#include "sim/script/script.h"

enum { ENTRY_BYTES = 100 };

static void write_close(struct write *write)
{
    flights_close(&write->messages);
    mem_free(write->entries);
    *write = (struct write){0};
}

static void drop_writes(struct node *node)
{
    for (size_t i = 0; i < node->write_count; i++)
        write_close(&node->writes[i]);
    node->write_count = 0;
}

void node_close(struct node *node)
{
    raft_free(node->raft);
    drop_writes(node);
    mem_free(node->writes);
    node->raft = NULL;
    node->writes = NULL;
    node->write_cap = 0;
}

void node_create(struct world *world, uint64_t id, const struct raft_membership *membership)
{
    struct node *node = &world->nodes[id];
    unsigned starts = node->starts;
    uint64_t incarnation = node->incarnation + 1;
    node_close(node);
    *node = (struct node){.id = id, .incarnation = incarnation, .autosync = true, .starts = starts};
    node->disk.first_membership = *membership;
    check_begins_empty(world, id);
    node_start(world, node);
}

void node_set_log(struct node *node, const struct entry *entries, size_t count)
{
    node->disk.last_index = count;
    for (size_t i = 0; i < count; i++)
        node->disk.entries[i + 1] = entries[i];
    if (count > 0 && node->disk.hard_state.term < entries[count - 1].term)
        node->disk.hard_state = (struct raft_hard_state){.term = entries[count - 1].term};
}

static struct raft_entry core_entry(uint64_t index, const struct entry *entry)
{
    return (struct raft_entry){.index = index,
                               .term = entry->term,
                               .bytes = ENTRY_BYTES,
                               .membership =
                                   entry->kind == ENTRY_MEMBERSHIP ? &entry->membership : NULL};
}

void node_start(struct world *world, struct node *node)
{
    const struct image *disk = &node->disk;
    struct raft_options options = world->options;
    options.id = node->id;
    options.incarnation = node->incarnation;
    options.membership =
        disk->snapshot.id.index ? disk->snapshot.membership : disk->first_membership;
    options.seed = node->id * 100 + node->starts++;
    struct raft_start start = {.hard_state = disk->hard_state,
                               .base_index = disk->base_index,
                               .base_term = disk->base_term,
                               .snapshot = disk->snapshot.id};
    node->raft = raft_new(&options, &start, world->now_ms);
    node->memory = *disk;
    for (uint64_t i = disk->base_index + 1; i <= disk->last_index; i++) {
        struct raft_entry entry = core_entry(i, &disk->entries[i]);
        raft_load_entry(node->raft, &entry);
    }
    node->commit = raft_commit_index(node->raft);
    check_start(world, node);
}

/* ---- writes ---- */

static void reset_image(struct image *image, const struct snapshot *snapshot)
{
    image->snapshot = *snapshot;
    image->base_index = image->last_index = snapshot->id.index;
    image->base_term = snapshot->id.term;
}

static void write_to(struct world *world, struct image *image, const struct write *write)
{
    if (write->install)
        reset_image(image, &write->snapshot);
    if (write->truncate)
        image->last_index = write->truncate_after;
    if (write->count > 0 && write->first != image->last_index + 1)
        fail(world, "entry %llu does not continue a log that ends at %llu",
             (unsigned long long)write->first, (unsigned long long)image->last_index);
    for (size_t i = 0; i < write->count; i++) {
        if (image->last_index + 1 == ENTRIES_MAX)
            fail(world, "more than %d entries", ENTRIES_MAX);
        image->entries[++image->last_index] = write->entries[i];
    }
    if (write->has_hard_state)
        image->hard_state = write->hard_state;
}

static struct write *push_write(struct node *node)
{
    if (node->write_count == node->write_cap) {
        node->write_cap = node->write_cap ? node->write_cap * 2 : 8;
        node->writes = mem_realloc(node->writes, node->write_cap * sizeof *node->writes);
    }
    struct write *write = &node->writes[node->write_count++];
    *write = (struct write){0};
    return write;
}

void node_crash(struct world *world, struct node *node, size_t writes_kept)
{
    for (size_t i = 0; i < writes_kept && i < node->write_count; i++)
        write_to(world, &node->disk, &node->writes[i]);
    drop_writes(node);
    raft_free(node->raft);
    node->raft = NULL;
    node->reception = (struct reception){0};
}

static void send_out(struct world *world, struct node *node, struct flight flight)
{
    check_sending(world, node, &flight.message);
    if (flight.message.to == node->id)
        node_deliver(world, &flight);
    else
        net_send(world, flight);
}

void node_sync(struct world *world, struct node *node, size_t count, bool report)
{
    struct flights messages = {0};
    struct raft_event durable = {.type = RAFT_EVENT_DURABLE};
    for (size_t i = 0; i < count; i++) {
        struct write *write = &node->writes[i];
        write_to(world, &node->disk, write);
        if (write->count > 0) {
            durable.durable.index = write->first + write->count - 1;
            durable.durable.term = write->entries[write->count - 1].term;
        }
        for (size_t m = 0; m < write->messages.count; m++)
            flights_push(&messages, write->messages.list[m]);
        write->messages.count = 0;
        write_close(write);
    }
    node->write_count -= count;
    memmove(node->writes, node->writes + count, node->write_count * sizeof *node->writes);
    for (size_t m = 0; m < messages.count; m++)
        send_out(world, node, messages.list[m]);
    mem_free(messages.list);
    if (report && durable.durable.index > 0)
        node_step(world, node, durable, NULL, 0);
}

/* ---- steps ---- */

static struct flight load_flight(struct world *world, const struct node *node,
                                 const struct raft_message *message)
{
    struct flight flight = {.message = *message};
    if (message->type == RAFT_SNAPSHOT_REQUEST)
        flight.snapshot = node->memory.snapshot;
    if (message->type != RAFT_APPEND_REQUEST || message->append_request.entry_count == 0)
        return flight;
    uint64_t first = message->append_request.first_index;
    size_t count = message->append_request.entry_count;
    if (first <= node->memory.base_index || first + count - 1 > node->memory.last_index)
        fail(world, "%llu sends entries that it does not have", (unsigned long long)node->id);
    flight.entries = mem_alloc(count * sizeof *flight.entries);
    memcpy(flight.entries, &node->memory.entries[first], count * sizeof *flight.entries);
    return flight;
}

static struct entry own_entry(const struct node *node, const struct raft_update *update)
{
    struct entry entry = {.term = raft_term(node->raft), .kind = ENTRY_NOOP};
    if (update->append_own == RAFT_OWN_MEMBERSHIP) {
        entry.kind = ENTRY_MEMBERSHIP;
        entry.membership = *update->append_membership;
    }
    return entry;
}

static void fill_write(struct write *write, const struct node *node,
                       const struct raft_update *update, const struct entry *entries, size_t count)
{
    write->install = update->install;
    write->snapshot = node->reception.snapshot;
    write->truncate = update->truncate;
    write->truncate_after = update->truncate_after;
    write->first = update->append_first;
    write->count = update->append_count;
    write->has_hard_state = update->hard_state_changed;
    write->hard_state = update->hard_state;
    if (write->count == 0)
        return;
    write->entries = mem_alloc(write->count * sizeof *write->entries);
    if (update->append_own)
        write->entries[0] = own_entry(node, update);
    else
        memcpy(write->entries, entries + count - write->count,
               write->count * sizeof *write->entries);
}

static void print_write(struct world *world, const struct node *node, const struct write *write)
{
    unsigned long long id = node->id;
    if (write->install)
        say(world, "%llu installs snapshot %llu:%llu", id,
            (unsigned long long)write->snapshot.id.index,
            (unsigned long long)write->snapshot.id.term);
    if (write->truncate)
        say(world, "%llu truncates after %llu", id, (unsigned long long)write->truncate_after);
    if (write->count == 0 || world->quiet)
        return;
    buf_printf(&world->out, "%llu appends", id);
    for (size_t i = 0; i < write->count; i++) {
        buf_add_char(&world->out, ' ');
        print_entry(&world->out, write->first + i, &write->entries[i]);
    }
    buf_add_char(&world->out, '\n');
}

static void carry_out_chunk(struct world *world, struct node *node,
                            const struct raft_update *update, const struct snapshot *snapshot)
{
    const struct raft_chunk *chunk = &update->chunk;
    if (chunk->offset == 0)
        node->reception = (struct reception){.snapshot = *snapshot};
    check_chunk(world, node, chunk, snapshot);
    node->reception.offset += chunk->bytes;
    node->reception.complete = chunk->last;
    say(world, "%llu stores bytes %llu-%llu of snapshot %llu:%llu%s", (unsigned long long)node->id,
        (unsigned long long)chunk->offset, (unsigned long long)node->reception.offset,
        (unsigned long long)chunk->snapshot.index, (unsigned long long)chunk->snapshot.term,
        chunk->last ? ", all of it" : "");
}

static void print_outcome(struct world *world, struct node *node, const struct raft_update *update)
{
    if (update->commit_index > node->commit)
        say(world, "%llu commits %llu", (unsigned long long)node->id,
            (unsigned long long)update->commit_index);
    if (update->incarnation_is_void)
        say(world, "%llu learns that its disk is an older copy", (unsigned long long)node->id);
    for (size_t i = 0; i < update->read_count; i++)
        say(world, "%llu may answer read %llu at %llu", (unsigned long long)node->id,
            (unsigned long long)update->reads[i].context,
            (unsigned long long)update->reads[i].index);
}

static bool has_content(const struct write *write)
{
    return write->install || write->truncate || write->count || write->has_hard_state ||
           write->messages.count;
}

static void send_messages(struct world *world, struct node *node, struct write *write,
                          const struct raft_update *update)
{
    for (size_t i = 0; i < update->message_count; i++) {
        struct flight flight = load_flight(world, node, &update->messages[i]);
        if (flight.message.from != node->id)
            fail(world, "%llu sends in the name of another", (unsigned long long)node->id);
        if (flight.message.when_durable)
            flights_push(&write->messages, flight);
        else
            send_out(world, node, flight);
    }
}

static void carry_out(struct world *world, struct node *node, const struct raft_update *update,
                      const struct entry *entries, size_t count)
{
    struct write *write = push_write(node);
    fill_write(write, node, update, entries, count);
    write_to(world, &node->memory, write);
    if (update->install)
        node->reception = (struct reception){0};
    if (update->role_changed || update->hard_state_changed)
        print_state(world, node);
    print_write(world, node, write);
    send_messages(world, node, write, update);
    print_outcome(world, node, update);
    if (!has_content(write)) {
        write_close(write);
        node->write_count--;
    }
}

static void sync_all(struct world *world, struct node *node)
{
    if (node->syncing)
        return;
    node->syncing = true;
    while (node->write_count > 0)
        node_sync(world, node, node->write_count, true);
    node->syncing = false;
}

static void step_with(struct world *world, struct node *node, struct raft_event event,
                      const struct flight *flight)
{
    struct before before = {.role = raft_role(node->raft),
                            .term = raft_term(node->raft),
                            .membership = *raft_membership(node->raft)};
    struct raft_update update;
    event.now_ms = world->now_ms;
    raft_step(node->raft, &event, &update);
    if (update.chunk_received)
        carry_out_chunk(world, node, &update, &flight->snapshot);
    size_t count = 0;
    if (event.type == RAFT_EVENT_SUBMIT)
        count = event.submit.count;
    else if (flight->message.type == RAFT_APPEND_REQUEST)
        count = flight->message.append_request.entry_count;
    carry_out(world, node, &update, flight->entries, count);
    check_step(world, node, &before, &update);
    if (node->autosync)
        sync_all(world, node);
}

void node_step(struct world *world, struct node *node, struct raft_event event,
               const struct entry *entries, size_t count)
{
    struct raft_entry submitted[ENTRIES_MAX];
    for (size_t i = 0; i < count; i++)
        submitted[i] = core_entry(node->memory.last_index + 1 + i, &entries[i]);
    if (event.type == RAFT_EVENT_SUBMIT) {
        event.submit.entries = submitted;
        event.submit.count = count;
    }
    struct entry *copy = mem_alloc((count + 1) * sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = entries[i];
    struct flight flight = {.entries = copy};
    step_with(world, node, event, &flight);
    mem_free(copy);
}

void node_deliver(struct world *world, struct flight *flight)
{
    struct raft_message *message = &flight->message;
    struct node *node = &world->nodes[message->to];
    struct raft_entry entries[ENTRIES_MAX];
    if (!node->raft) {
        print_flight(world, "nobody receives ", flight, "");
        flight_close(flight);
        return;
    }
    if (message->type == RAFT_APPEND_REQUEST) {
        for (size_t i = 0; i < message->append_request.entry_count; i++)
            entries[i] = core_entry(message->append_request.first_index + i, &flight->entries[i]);
        message->append_request.entries = entries;
    }
    step_with(world, node, (struct raft_event){.type = RAFT_EVENT_MESSAGE, .message = message},
              flight);
    flight_close(flight);
}

/* ---- snapshots ---- */

static void compact_image(struct image *image, const struct snapshot *snapshot, uint64_t base)
{
    image->snapshot = *snapshot;
    if (base > image->base_index) {
        image->base_term = image->entries[base].term;
        image->base_index = base;
    }
}

void node_snapshot(struct world *world, struct node *node, struct raft_snapshot id,
                   uint64_t base_index)
{
    struct image *memory = &node->memory;
    if (id.index > node->commit || id.index > raft_durable_index(node->raft) ||
        id.index <= memory->base_index || base_index > id.index)
        fail(world, "no snapshot at %llu is possible", (unsigned long long)id.index);
    if (base_index < memory->base_index)
        base_index = memory->base_index;
    id.term = memory->entries[id.index].term;
    struct snapshot snapshot = {.id = id,
                                .membership = *raft_membership_at(node->raft, id.index),
                                .serial = ++world->snapshots};
    compact_image(memory, &snapshot, base_index);
    compact_image(&node->disk, &snapshot, base_index);
    struct raft_event event = {.type = RAFT_EVENT_COMPACT};
    event.compact.snapshot = id;
    event.compact.first_index = base_index + 1;
    node_step(world, node, event, NULL, 0);
}

void node_install(struct world *world, struct node *node, bool intact)
{
    const struct reception *reception = &node->reception;
    if (!reception->complete)
        fail(world, "%llu has no complete snapshot", (unsigned long long)node->id);
    struct raft_event event = {.type = intact ? RAFT_EVENT_INSTALLED : RAFT_EVENT_INSTALL_FAILED};
    struct raft_membership membership = reception->snapshot.membership;
    event.installed.snapshot = reception->snapshot.id;
    event.installed.membership = &membership;
    node_step(world, node, event, NULL, 0);
    node->reception = (struct reception){0};
}
