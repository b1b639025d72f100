#include "base/assert.h"
#include "machine/transaction.h"
#include "shard/internal.h"

/* A client whose request is carried out now. */
struct waiter_client {
    struct shard *shard;
    struct shard_client client;
};

static void run_local(void *context, const struct command *command, const struct span *args,
                      size_t argc, struct resp_writer *reply)
{
    const struct waiter_client *waiter = context;
    const struct shard_host *host = &waiter->shard->options.host;
    host->run_local(host->context, waiter->client, command, args, argc, reply);
}

static void executed(void *context, const struct command *command, const struct span *args,
                     size_t argc, struct span reply)
{
    const struct shard_host *host = &((struct waiter_client *)context)->shard->options.host;
    host->executed(host->context, command, args, argc, reply);
}

static void expect(void *context, size_t bytes)
{
    struct waiter_client *waiter = context;
    shard_announce_amid(waiter->shard, bytes);
}

static struct machine_caller caller_of(struct waiter_client *waiter)
{
    struct shard *shard = waiter->shard;
    return (struct machine_caller){.reply = {.protocol = 2},
                                   .wall = shard_wall(shard),
                                   .context = waiter,
                                   .executed = shard->options.host.executed ? executed : NULL,
                                   .expect = expect,
                                   .run_local = run_local};
}

/* client NULL: the entry is of nobody who is here. */
static void say_who_asks(struct shard *shard, const struct shard_client *client)
{
    const struct shard_host *host = &shard->options.host;
    if (host->executes)
        host->executes(host->context, client);
}

/* A command is executed and counted also for a client that is gone or wants no reply. */
static void begin_reply(struct machine_caller *caller, int protocol)
{
    const struct waiter_client *waiter = caller->context;
    struct shard *shard = waiter->shard;
    shard->unread.len = 0;
    caller->reply.protocol = protocol;
    caller->reply.out =
        shard->options.host.reply_begin(shard->options.host.context, waiter->client);
    caller->reply.pieces = caller->reply.out ? shard->options.host.pieces : NULL;
    if (!caller->reply.out)
        caller->reply.out = &shard->unread;
}

/* The client that waits for this entry, if it came in through this node and its reply is still
 * owed. */
static struct pending_write *write_waiting_for(struct shard *shard, const struct entry *entry)
{
    struct write_queue *writes = &shard->writes;
    if (writes->issued == 0 || entry->term != shard->issue.term)
        return NULL;
    if (!shard->issue.here)
        return shard_forwarded_as(shard, entry);
    struct pending_write *write = write_queue_at(writes, 0);
    return write->index == entry->index ? write : NULL;
}

static void finish_write(struct shard *shard, struct pending_write *write, uint64_t index)
{
    if (write->driven_us && shard->now.mono_us > write->driven_us)
        histogram_add(&shard->commit_us, shard->now.mono_us - write->driven_us);
    shard->options.host.reply_end(shard->options.host.context, write->client, index);
    shard_note_answered(shard, write);
}

/* An entry that may serve a client that waits for a key, of this node or another. */
static void apply_for_waiter(struct shard *shard, const struct entry *entry)
{
    struct waiter_client waiter = {.shard = shard};
    struct machine_caller caller = caller_of(&waiter);
    struct buf *reply = &shard->blocks.scratch;
    const struct blocked *blocked = shard_blocked_for(shard, entry);
    reply->len = 0;
    if (!blocked)
        caller.executed = NULL; /* it is counted where its client is */
    if (shard_wants_waiter_reply(shard, entry))
        caller.reply =
            (struct resp_writer){.out = reply, .protocol = blocked ? blocked->protocol : 2};
    say_who_asks(shard, blocked ? &blocked->client : NULL);
    machine_apply(&shard->machine, entry, &caller);
    shard_digest_applied(shard);
    if (caller.reply.out)
        shard_note_waiter_entry(shard, entry, buf_span(reply));
}

static void apply_one(struct shard *shard, const struct entry *entry, struct pending_write *write)
{
    struct waiter_client waiter = {.shard = shard};
    struct machine_caller caller = caller_of(&waiter);
    caller.place = shard_place_ahead(shard, entry->index);
    if (write) {
        waiter.client = write->client;
        caller.script = span_of(write->script, write->script_len);
        begin_reply(&caller, write->protocol);
    }
    say_who_asks(shard, write ? &write->client : NULL);
    machine_apply(&shard->machine, entry, &caller);
    shard_digest_applied(shard);
    if (write)
        finish_write(shard, write, entry->index);
}

/* Whether the read waits if it finds nothing. One with a wrong argument gets an error. */
static bool may_wait(const struct command *command, const struct span *args, size_t argc)
{
    struct command_wait wait = {.waits = false};
    struct resp_writer none = {.protocol = 2};
    return command->blocking && command->blocking->parse(args, argc, &wait, &none) && wait.waits;
}

/* A read that may wait for its keys: it is answered, or has found nothing, and waits. */
static void read_or_wait(struct shard *shard, const struct shard_request *request,
                         const struct machine_view *view, struct machine_caller *caller, bool local)
{
    const struct shard_host *host = &shard->options.host;
    struct buf *scratch = &shard->blocks.scratch;
    scratch->len = 0;
    caller->reply = (struct resp_writer){.out = scratch, .protocol = request->protocol};
    say_who_asks(shard, &request->client);
    machine_read(&shard->machine, request->command, request->args, request->argc, view, caller);
    if (shard_reply_is_null(buf_span(scratch)) &&
        host->is_waiting(host->context, request->client)) {
        shard_block_read(shard, request, local);
        if (host->waits)
            host->waits(host->context, request->client);
        return;
    }
    begin_reply(caller, request->protocol);
    resp_raw(&caller->reply, buf_span(scratch));
    host->reply_end(host->context, request->client, 0);
}

/* False: it would change something now. */
static bool answer_try(struct shard *shard, struct pending_read *read, int64_t now_ms)
{
    struct waiter_client waiter = {shard, read->client};
    struct machine_caller caller = caller_of(&waiter);
    struct buf *scratch = &shard->blocks.scratch;
    const struct machine_view view = {.now_ms = now_ms, .database = read->database};
    const struct shard_host *host = &shard->options.host;
    ASSERT(read->kind == PENDING_TRY && !read->done);
    scratch->len = 0;
    caller.reply = (struct resp_writer){.out = scratch, .protocol = read->protocol};
    say_who_asks(shard, &read->client);
    if (!machine_read_idle(&shard->machine, read->command, read_queue_args(&shard->reads, read),
                           read->argc, &view, &caller))
        return false;
    begin_reply(&caller, read->protocol);
    resp_raw(&caller.reply, buf_span(scratch));
    read->done = true;
    host->reply_end(host->context, read->client, 0);
    return true;
}

void shard_answer_read(struct shard *shard, struct pending_read *read, int64_t now_ms,
                       const struct keyspace_place *place)
{
    struct waiter_client waiter = {shard, read->client};
    struct machine_caller caller = caller_of(&waiter);
    caller.place = place;
    const struct machine_view view = {
        .now_ms = now_ms, .prng = &shard->prng, .database = read->database};
    const struct shard_host *host = &shard->options.host;
    const struct shard_request request = {.client = read->client,
                                          .protocol = read->protocol,
                                          .command = read->command,
                                          .args = read_queue_args(&shard->reads, read),
                                          .argc = read->argc,
                                          .database = read->database};
    if (read->kind == PENDING_READ && may_wait(read->command, request.args, read->argc)) {
        read->done = true;
        read_or_wait(shard, &request, &view, &caller, false);
        return;
    }
    begin_reply(&caller, read->protocol);
    say_who_asks(shard, &read->client);
    switch (read->kind) {
    case PENDING_READ:
        if (read->command->run)
            machine_read(&shard->machine, read->command, request.args, read->argc, &view, &caller);
        else
            caller.run_local(caller.context, read->command, request.args, read->argc,
                             &caller.reply);
        break;
    case PENDING_TRY:
        ASSERT(false); /* see answer_try() */
        break;
    case PENDING_TRANSACTION:
        machine_read_transaction(&shard->machine, read_queue_bytes(&shard->reads, read), &view,
                                 &caller);
        break;
    }
    read->done = true;
    host->reply_end(host->context, read->client, 0);
}

void shard_read_local(struct shard *shard, const struct shard_request *request,
                      struct resp_writer *reply, struct shard_time now)
{
    shard_set_now(shard, now);
    struct waiter_client waiter = {shard, request->client};
    struct machine_caller caller = caller_of(&waiter);
    caller.reply = *reply;
    const struct machine_view view = {
        .now_ms = shard->machine.clock_ms, .prng = &shard->prng, .database = request->database};
    machine_read(&shard->machine, request->command, request->args, request->argc, &view, &caller);
    shard_note_announced(shard);
}

void shard_wait_local(struct shard *shard, const struct shard_request *request,
                      struct shard_time now)
{
    shard_set_now(shard, now);
    struct waiter_client waiter = {shard, request->client};
    struct machine_caller caller = caller_of(&waiter);
    const struct machine_view view = {
        .now_ms = shard->machine.clock_ms, .prng = &shard->prng, .database = request->database};
    read_or_wait(shard, request, &view, &caller, true);
    shard_note_announced(shard);
}

/* More in one turn would silence the node: what is left comes in the next ones. */
bool shard_turn_is_over(const struct shard *shard)
{
    return shard->machine.stats.work - shard->turn_work >= SHARD_TURN_WORK;
}

/* Everything that came before the entry was appended: that it is committed proves that who appended
 * it still led when those reads arrived, and nothing after them is applied yet. What came before an
 * own write that waits for this entry came before it was appended, whoever did that. What is
 * expired by the entry's time is so for everybody from here on. */
static bool answer_reads_before(struct shard *shard, const struct entry *entry,
                                const struct pending_write *write)
{
    struct read_queue *reads = &shard->reads;
    bool leads = shard_is_leader(shard) && entry->term == raft_term(shard->raft) &&
                 !shard->issue.reads_stale;
    uint64_t oldest_write = write_queue_oldest(&shard->writes);
    int64_t now_ms = entry->time_ms;
    bool all = true;
    for (size_t i = 0; i < reads->count; i++) {
        struct pending_read *read = read_queue_at(reads, i);
        if (!(leads && read->position < entry->index) && !(write && read->arrival < write->arrival))
            break;
        if (read->after >= oldest_write)
            continue; /* behind a write of its client that is held back */
        all = !shard_turn_is_over(shard);
        if (!all)
            break;
        if (!read->done && read->kind == PENDING_TRY)
            answer_try(shard, read, now_ms); /* or it waits for its round */
        else if (!read->done && !shard_holds_read(shard, read))
            shard_answer_read(shard, read, now_ms, NULL);
    }
    read_queue_drop_done(reads);
    return all;
}

/* A read that has to wait holds those of its client that came after it. */
static bool is_held(struct shard *shard, const struct pending_read *read)
{
    return shard_note_of(shard, read->client)->held_pass == shard->judge_pass;
}

void shard_answer_reads(struct shard *shard)
{
    struct read_queue *reads = &shard->reads;
    uint64_t oldest_write = write_queue_oldest(&shard->writes);
    bool any_held = false;
    shard->judge_pass++;
    shard->forwarding.waits_for_entry = false;
    shard->reads_left = false;
    if (shard->machine.applied_index < shard->round_confirmed_index)
        return;
    for (size_t i = 0; i < reads->count; i++) {
        struct pending_read *read = read_queue_at(reads, i);
        if (read->context > shard->round_confirmed)
            break;
        if (i % KEYSPACE_AHEAD_MAX == 0)
            shard_look_ahead_reads(shard, i);
        shard->reads_left = shard_turn_is_over(shard);
        if (shard->reads_left)
            break;
        if (read->done || read->after >= oldest_write || (any_held && is_held(shard, read)))
            continue;
        if (shard_holds_read(shard, read))
            continue;
        int64_t now_ms;
        bool is_judged = shard_judge_read(shard, read, &now_ms);
        if (read->kind == PENDING_TRY) { /* as an entry it waits for no other one */
            if (!is_judged || !answer_try(shard, read, now_ms))
                shard_write_after_all(shard, read);
            continue;
        }
        if (is_judged) {
            shard_answer_read(shard, read, now_ms, shard_place_ahead(shard, i));
            continue;
        }
        any_held = true;
        shard_note_of(shard, read->client)->held_pass = shard->judge_pass;
    }
    shard_end_ahead(shard);
    read_queue_drop_done(reads);
    shard_note_announced(shard);
}

/* False: reads come before the entry, and the turn is over. */
static bool apply_next(struct shard *shard)
{
    uint64_t index = shard->machine.applied_index + 1;
    const struct entry *entry = shard_entry_ahead(shard, index);
    struct entry older;
    if (!entry) {
        if (storage_entry(shard->storage, index, &older) != ERR_NONE)
            FATAL("a committed entry cannot be read back from the log");
        entry = &older;
    }
    bool for_waiter = shard_entry_is_for_waiter(entry);
    struct pending_write *write = for_waiter ? NULL : write_waiting_for(shard, entry);
    if (!answer_reads_before(shard, entry, write)) {
        shard_note_announced(shard);
        return false;
    }
    if (!shard_prepare_image(shard, entry)) {
        shard_note_announced(shard);
        return false;
    }
    shard_announce_amid(shard, entry->record.len);
    if (for_waiter)
        apply_for_waiter(shard, entry);
    else
        apply_one(shard, entry, write);
    shard_note_announced(shard);
    shard_take_image_if_due(shard);
    return !shard_turn_is_over(shard);
}

void shard_apply_committed(struct shard *shard)
{
    uint64_t commit = raft_commit_index(shard->raft);
    uint32_t most = shard->options.apply_entries_max;
    shard->turn_work = shard->machine.stats.work;
    shard->image.prepared = 0;
    for (uint32_t i = 0; i < most && shard->machine.applied_index < commit; i++) {
        if (i % KEYSPACE_AHEAD_MAX == 0)
            shard_look_ahead_entries(shard, shard->machine.applied_index + 1, commit);
        if (!apply_next(shard))
            break;
    }
    shard_end_ahead(shard);
    shard_keep_recent(shard);
}
