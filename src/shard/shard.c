#include "shard/shard.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "shard/internal.h"
#include "wire/members.h"

struct found_membership {
    uint64_t index;
    struct raft_membership membership;
};

/* Entries of one term, up to the next run. */
struct found_run {
    uint64_t first; /* index */
    uint64_t term;
};

enum { FOUND_BLOCK = 1 << 16 };

/* Entries found by recovery, until the core exists: it wants the hard state first. There may be
 * millions, so that of each only the size of its record is kept, and nothing is copied to grow. */
struct found {
    uint32_t **blocks; /* sizes of FOUND_BLOCK entries each */
    struct found_run *runs;
    size_t run_count;
    uint64_t first_index;
    size_t count;
    struct found_membership *memberships; /* in the order of their entries */
    size_t membership_count;
    int64_t time_ms;
    struct machine_reader *state; /* of the snapshot; NULL: there is none */
    const struct shard_options *options;
};

static enum err load_state(void *context, struct span piece, char *message)
{
    struct found *found = context;
    if (!found->state)
        found->state = machine_reader_new(found->options->hash_seed, found->options->rules);
    return machine_reader_feed(found->state, piece, message);
}

static struct raft_membership *add_membership(struct found *found, uint64_t index)
{
    found->memberships =
        mem_realloc(found->memberships, (found->membership_count + 1) * sizeof *found->memberships);
    struct found_membership *noted = &found->memberships[found->membership_count++];
    noted->index = index;
    return &noted->membership;
}

static void note_membership(struct found *found, const struct entry *entry)
{
    if (members_parse(entry->payload, add_membership(found, entry->index)) != ERR_NONE)
        FATAL("the log holds a membership that this version does not know: it is older than the "
              "log");
}

static void add_run(struct found *found, const struct entry *entry)
{
    found->runs = mem_realloc(found->runs, (found->run_count + 1) * sizeof *found->runs);
    found->runs[found->run_count++] = (struct found_run){entry->index, entry->term};
}

static void add_entry(struct found *found, const struct entry *entry)
{
    size_t block = found->count / FOUND_BLOCK;
    if (found->count == 0)
        found->first_index = entry->index;
    ASSERT(entry->index == found->first_index + found->count);
    if (found->count % FOUND_BLOCK == 0) {
        found->blocks = mem_realloc(found->blocks, (block + 1) * sizeof *found->blocks);
        found->blocks[block] = mem_alloc(FOUND_BLOCK * sizeof **found->blocks);
    }
    found->blocks[block][found->count++ % FOUND_BLOCK] = (uint32_t)entry->record.len;
    if (found->run_count == 0 || found->runs[found->run_count - 1].term != entry->term)
        add_run(found, entry);
    if (entry->time_ms > found->time_ms)
        found->time_ms = entry->time_ms;
}

static void close_found(struct found *found)
{
    machine_reader_free(found->state);
    for (size_t i = 0; i < found->count; i += FOUND_BLOCK)
        mem_free(found->blocks[i / FOUND_BLOCK]);
    mem_free(found->blocks);
    mem_free(found->runs);
    mem_free(found->memberships);
}

static void visit_entry(void *context, const struct entry *entry)
{
    struct found *found = context;
    add_entry(found, entry);
    if (entry->kind == ENTRY_MEMBERSHIP)
        note_membership(found, entry);
}

static void report_progress(void *context, uint64_t bytes, uint64_t total)
{
    const struct shard_options *options = ((struct found *)context)->options;
    options->progress(options->progress_context, bytes, total);
}

/* Members of a log of the first format have neither incarnation nor address: those of the start. */
static void complete(struct raft_membership *membership, const struct raft_membership *start)
{
    for (size_t i = 0; i < membership->count; i++) {
        struct raft_member *member = &membership->members[i];
        const struct raft_member *known = raft_membership_find(start, member->id);
        if (!known || member->incarnation || member->address[0])
            continue;
        member->incarnation = known->incarnation;
        memcpy(member->address, known->address, sizeof member->address);
    }
}

/* ---- a group that goes on without its majority ---- */

/* What the members agreed on stays agreed: entries that older versions do not know may follow. */
static uint32_t newest_version(const struct found *found)
{
    if (found->membership_count)
        return found->memberships[found->membership_count - 1].membership.version;
    return found->state ? found->state->position.membership.version
                        : found->options->raft.membership.version;
}

/* The entry is as durable as all that follows it: the disk carries out what it is told in order. */
static void append_membership(struct found *found, struct storage *storage, struct entry *entry)
{
    struct buf payload = {0};
    struct buf record = {0};
    struct raft_membership membership = found->options->raft.membership;
    membership.version = newest_version(found);
    members_encode(&payload, &membership);
    entry->payload = buf_span(&payload);
    entry_encode(&record, entry);
    entry->record = buf_span(&record);
    storage_vote(storage, (struct vote_record){.term = entry->term});
    storage_append(storage, entry, 1);
    storage_flush(storage);
    add_entry(found, entry);
    *add_membership(found, entry->index) = membership;
    buf_close(&record);
    buf_close(&payload);
}

static enum err refuse_recovered(const struct found *found,
                                 const struct storage_recovered *recovered, char message[512])
{
    const struct cluster_predecessor *old = found->options->recovered;
    snprintf(message, 512,
             "the log in '%.200s' ends with entry %llu of term %llu, but the cluster was recovered "
             "from entry %llu of term %llu: data is missing",
             found->options->storage.folder, (unsigned long long)recovered->last_index,
             (unsigned long long)recovered->last_term, (unsigned long long)old->last_index,
             (unsigned long long)old->last_term);
    return ERR_CORRUPT;
}

/* The first start makes the membership that goes on an entry of the log. A crash before it is
 * durable leaves a log without it, and the next start is the first one again. */
static enum err go_on_recovered(struct found *found, struct storage *storage,
                                struct storage_recovered *recovered, char message[512])
{
    const struct cluster_predecessor *old = found->options->recovered;
    if (!old || old->last_index == 0 || recovered->last_index > old->last_index)
        return ERR_NONE;
    if (recovered->last_index < old->last_index || recovered->last_term != old->last_term ||
        recovered->vote.term >= RAFT_NUMBER_MAX)
        return refuse_recovered(found, recovered, message);
    enum err err = storage_cut(storage); /* the next segment has the new cluster's id */
    if (err) {
        snprintf(message, 512, "cannot begin log segment in '%.200s': %s",
                 found->options->storage.folder, err_text(err));
        return err;
    }
    int64_t time_ms = found->time_ms;
    if (found->state && found->state->position.clock_ms > time_ms)
        time_ms = found->state->position.clock_ms;
    struct entry entry = {.index = recovered->last_index + 1,
                          .term = recovered->vote.term + 1,
                          .kind = ENTRY_MEMBERSHIP,
                          .time_ms = time_ms};
    append_membership(found, storage, &entry);
    recovered->vote = (struct vote_record){.term = entry.term};
    return ERR_NONE;
}

static struct shard *create(const struct shard_options *options, struct shard_time now,
                            struct storage *storage, const struct storage_recovered *recovered,
                            struct found *found)
{
    struct shard *shard = mem_zalloc(sizeof *shard);
    shard->options = *options;
    shard->storage = storage;
    shard->now = now;
    prng_init(&shard->prng, options->seed);
    shard->round_open = 1;
    shard->round_time_ms = NO_DEADLINE;
    shard->forwarding.due_ms = NO_DEADLINE;
    do
        shard->forwarding.life = prng_next(&shard->prng);
    while (shard->forwarding.life == 0);
    shard_session_secret(shard);
    struct raft_options raft = options->raft;
    shard_open_blocks(shard);
    machine_init(&shard->machine, options->table, options->hash_seed);
    shard->machine.listener = (struct machine_listener){shard, shard_note_key_change};
    if (options->rules)
        databases_set_rules(shard->machine.databases, options->rules);
    if (options->databases)
        shard->machine.select_max = options->databases;
    shard->machine.version = options->raft.membership.version; /* no entry says that */
    if (found->state) {
        databases_free(machine_take_state(&shard->machine, found->state));
        raft.membership = found->state->position.membership;
        complete(&raft.membership, &options->raft.membership);
    }
    struct raft_start start = {
        .hard_state = {.term = recovered->vote.term, .vote = recovered->vote.node},
        .base_index = recovered->first_index - 1,
        .base_term = recovered->prev_term,
        .snapshot = {.index = recovered->snapshot.index,
                     .term = recovered->snapshot.term,
                     .bytes = recovered->snapshot.bytes}};
    shard_digest_replaced(shard);
    shard->raft = raft_new(&raft, &start, now.mono_ms);
    shard->versions.agreed = raft.membership.version; /* what it begins with is committed */
    return shard;
}

static void load_entries(struct shard *shard, const struct found *found)
{
    size_t next = 0;
    size_t run = 0;
    for (size_t i = 0; i < found->count; i++) {
        struct raft_entry entry = {.index = found->first_index + i,
                                   .bytes = found->blocks[i / FOUND_BLOCK][i % FOUND_BLOCK]};
        while (run + 1 < found->run_count && found->runs[run + 1].first <= entry.index)
            run++;
        entry.term = found->runs[run].term;
        if (next < found->membership_count && found->memberships[next].index == entry.index) {
            complete(&found->memberships[next].membership, &shard->options.raft.membership);
            entry.membership = &found->memberships[next++].membership;
        }
        raft_load_entry(shard->raft, &entry);
    }
}

static enum err check_state(const struct found *found, const struct storage_recovered *recovered,
                            const char *folder, char message[512])
{
    char why[512];
    if (!found->state || !machine_reader_finish(found->state, recovered->snapshot.index,
                                                recovered->snapshot.term, why))
        return ERR_NONE;
    snprintf(message, 512, "the data in '%.200s' does not fit together: %.250s", folder, why);
    return ERR_CORRUPT;
}

enum err shard_open(const struct shard_options *options, struct shard_time now,
                    struct shard **shard, char message[512])
{
    *shard = NULL;
    struct found found = {.options = options};
    struct storage *storage;
    struct storage_recovered recovered;
    const struct storage_visitor visitor = {&found, load_state, visit_entry,
                                            options->progress ? report_progress : NULL};
    enum err err =
        storage_open(options->disk, &options->storage, &visitor, &storage, &recovered, message);
    if (!err)
        err = check_state(&found, &recovered, options->storage.folder, message);
    if (!err)
        err = go_on_recovered(&found, storage, &recovered, message);
    if (!err) {
        struct shard *created = create(options, now, storage, &recovered, &found);
        load_entries(created, &found);
        shard_clock_init(&created->clock, created->machine.clock_ms, options->raft.heartbeat_ms);
        shard_clock_entry(&created->clock, found.time_ms);
        storage_pin(storage, created->machine.applied_index);
        *shard = created;
    } else {
        storage_close(storage);
    }
    close_found(&found);
    return err;
}

void shard_settle(struct shard *shard)
{
    storage_settle(shard->storage);
}

void shard_close(struct shard *shard)
{
    if (!shard)
        return;
    raft_free(shard->raft);
    shard_close_image(shard);
    machine_reader_free(shard->incoming_state);
    storage_close(shard->storage);
    machine_close(&shard->machine);
    databases_free(shard->replaced);
    write_queue_close(&shard->writes);
    read_queue_close(&shard->reads);
    wire_message_close(&shard->incoming);
    buf_close(&shard->unread);
    buf_close(&shard->batch);
    buf_close(&shard->records);
    buf_close(&shard->encoded);
    shard_forget_origins(shard);
    shard_close_blocks(shard);
    mem_free(shard->origins.list);
    for (size_t i = 0; i < shard->notes_cap; i++)
        shard_free_held(shard, &shard->notes[i]);
    mem_free(shard->notes);
    mem_free(shard->batch_entries);
    mem_free(shard->batch_offsets);
    mem_free(shard->entries);
    mem_free(shard->outbox);
    mem_free(shard->written);
    mem_free(shard);
}

uint64_t shard_deadline_ms(const struct shard *shard)
{
    if (shard->machine.applied_index < raft_commit_index(shard->raft) || shard->replaced ||
        shard->reads_left || shard_has_more_to_issue(shard) ||
        databases_has_cleared(shard->machine.databases))
        return shard->now.mono_ms; /* more to do: come back at once */
    uint64_t deadline = raft_deadline_ms(shard->raft);
    if (shard_expiry_due_ms(shard) < deadline)
        deadline = shard_expiry_due_ms(shard);
    if (shard_issue_due_ms(shard) < deadline)
        deadline = shard_issue_due_ms(shard);
    if (shard_forward_due_ms(shard) < deadline)
        deadline = shard_forward_due_ms(shard);
    uint64_t blocks_ms = shard_blocks_due_ms(shard);
    if (blocks_ms < deadline)
        deadline = blocks_ms;
    if (shard_image_due_ms(shard) < deadline)
        deadline = shard_image_due_ms(shard);
    return deadline;
}

const struct raft *shard_raft(const struct shard *shard)
{
    return shard->raft;
}

const struct keyspace *shard_keyspace(const struct shard *shard, unsigned database)
{
    return databases_at(shard->machine.databases, database);
}

const struct databases *shard_databases(const struct shard *shard)
{
    return shard->machine.databases;
}

const struct storage *shard_storage(const struct shard *shard)
{
    return shard->storage;
}

uint64_t shard_leader(const struct shard *shard)
{
    if (shard_is_leader(shard) && !raft_accepts(shard->raft))
        return 0;
    return raft_leader(shard->raft);
}

bool shard_is_leader(const struct shard *shard)
{
    return raft_role(shard->raft) == RAFT_LEADER;
}

uint64_t shard_applied_index(const struct shard *shard)
{
    return shard->machine.applied_index;
}

int64_t shard_clock_ms(const struct shard *shard)
{
    return shard->machine.clock_ms;
}

uint64_t shard_digest(const struct shard *shard)
{
    return machine_digest_number(&shard->machine);
}

size_t shard_holders(const struct shard *shard, uint64_t index)
{
    return shard_is_leader(shard) ? raft_holders(shard->raft, index)
                                  : shard_known_holders(shard, index);
}

void shard_set_sync(struct shard *shard, enum storage_sync sync)
{
    storage_set_sync(shard->storage, sync);
}

void shard_set_rules(struct shard *shard, const struct value_rules *rules)
{
    shard->options.rules = rules;
    databases_set_rules(shard->machine.databases, rules);
}

void shard_set_leader_wait(struct shard *shard, uint32_t leader_wait_ms)
{
    shard->options.leader_wait_ms = leader_wait_ms;
}

struct shard_stats shard_stats(const struct shard *shard)
{
    struct shard_stats stats = shard->stats;
    const struct machine_stats *machine = &shard->machine.stats;
    stats.expired_keys = machine->expired;
    stats.keyspace_hits = machine->hits;
    stats.keyspace_misses = machine->misses;
    stats.dirty = machine->changes - shard->changes_saved;
    stats.digests_compared = shard->digests.compared;
    stats.digest_index = shard->digests.agreed_index;
    stats.pending_writes = shard->writes.count;
    stats.pending_reads = shard->reads.count;
    stats.held_reads = shard->held.count;
    stats.clock_begun_from_wall = shard->clock.begun_from_wall;
    stats.sessions = shard->machine.sessions.count;
    stats.session_bytes = shard->machine.sessions.bytes;
    stats.session_repeats = machine->repeats;
    stats.commit_us = &shard->commit_us;
    return stats;
}
