/* Where the requests of this node's clients go: to the open batch if it leads, to the leader if it
 * follows (forward.c), nowhere while neither is known.
 *
 * Issued writes are all of one term. When that, or the office in it, is over, what became of them
 * is open. An entry of theirs may still be applied: it was committed. Once an entry of a later term
 * is applied, every entry of the earlier one that will ever be committed is before it: what was not
 * applied by then did not happen, and is issued again. Until then nothing else is, so that requests
 * keep their order over the change. */
#include "base/assert.h"
#include "machine/transaction.h"
#include "shard/internal.h"

enum { SILENT_TIMEOUTS = 3 }; /* election timeouts, after which a leader is none any more */

/* Who has no vote does not look for another leader: to a removed node, the last one stays. */
uint64_t shard_silent_ms(const struct shard *shard)
{
    uint64_t patience_ms = (uint64_t)shard->options.raft.election_timeout_ms * SILENT_TIMEOUTS;
    return raft_last_contact_ms(shard->raft) + patience_ms + 1;
}

static bool follows_a_leader(const struct shard *shard)
{
    uint64_t leader = raft_leader(shard->raft);
    return shard_forwards(shard) && leader && leader != raft_id(shard->raft) &&
           shard->now.mono_ms < shard_silent_ms(shard);
}

bool shard_may_propose(const struct shard *shard)
{
    return shard_is_leader(shard) && raft_accepts(shard->raft) && !shard->issue.open;
}

static bool may_issue(const struct shard *shard)
{
    if (shard->issue.open)
        return false;
    return shard_is_leader(shard) ? raft_accepts(shard->raft) : follows_a_leader(shard);
}

bool shard_may_hold(const struct shard *shard)
{
    /* What waits while the state comes as a snapshot could only be answered as unknown. */
    return shard_is_leader(shard) ||
           (follows_a_leader(shard) && !shard_has_stopped(shard) && !shard->incoming_state);
}

static void begin_issue(struct shard *shard, bool here)
{
    struct shard_issue *issue = &shard->issue;
    uint64_t term = raft_term(shard->raft);
    if (issue->term != term || issue->here != here) {
        ASSERT(shard->writes.issued == 0);
        issue->term = term;
        issue->here = here;
        shard_begin_forwarding(shard);
    }
}

/* --- this node leads --- */

void shard_note_proposed(struct shard *shard, struct pending_write *write)
{
    begin_issue(shard, true);
    shard->writes.issued++;
    shard->log_bytes_pending += write->bytes;
    shard->stats.writes++;
}

/* It leaves the queue once all before it have been answered too. */
void shard_note_answered(struct shard *shard, struct pending_write *write)
{
    struct write_queue *writes = &shard->writes;
    write->done = true;
    if (!shard->issue.here)
        shard->forwarding.bytes -= write->bytes;
    else if (!shard->issue.open)
        shard->log_bytes_pending -= write->bytes;
    write_queue_drop_done(writes);
}

static const char too_large[] = "ERR the command is too large for an entry of the log";

static const char *judge(void *context, const struct command *command, const struct span *args,
                         size_t argc, bool in_transaction)
{
    struct shard *shard = context;
    const struct shard_host *host = &shard->options.host;
    if (command->flags & COMMAND_LENGTHENS)
        shard->long_index = shard_next_index(shard);
    return host->refusal ? host->refusal(host->context, command, args, argc, in_transaction) : NULL;
}

/* The text is a command, perhaps with a number of a session before it: then nobody is woken. */
static void wake_behind(struct shard *shard, const struct machine_request *request)
{
    struct logged *logged = &shard->machine.logged;
    struct span text = request->payload;
    if (waits_count(&shard->blocks.waiters) == 0 || !logged_take(logged, &text))
        return;
    const struct command *command = command_find(shard->options.table, logged->args, logged->argc);
    shard_wake_behind(shard, request->database, command, logged->args, logged->argc);
}

/* A command as it is, without annotations: it is parsed once, and goes into the batch from where it
 * stands. */
static uint32_t propose_plain(struct shard *shard, const struct machine_request *asked,
                              const struct entry_origin *origin, const char **error)
{
    const struct logged *logged = &shard->machine.logged;
    struct entry read = {
        .kind = asked->kind, .database = asked->database, .payload = asked->payload};
    *error = NULL;
    if (!machine_entry_is_valid(&shard->machine, &read))
        return 0;
    const struct shard_request request = {
        .command = command_table_at(shard->options.table, read.reading.command - 1u),
        .args = logged->args,
        .argc = logged->argc,
        .database = asked->database};
    *error = judge(shard, request.command, request.args, request.argc, false);
    if (*error)
        return 0;
    struct entry *entry = shard_batch_begin(shard, ENTRY_COMMAND);
    entry->database = asked->database;
    entry->seed = prng_next(&shard->prng);
    entry->origin = *origin;
    if (!shard_encode(shard, entry, &request)) {
        *error = too_large;
        return 0;
    }
    uint32_t bytes = shard_batch_end(shard);
    shard_wake_behind(shard, request.database, request.command, request.args, request.argc);
    return bytes;
}

/* Appends an entry for a request whose times may be relative. 0: no node sends that, or it is
 * refused and `error` says why. */
uint32_t shard_propose(struct shard *shard, const struct machine_request *request,
                       const struct entry_origin *origin, const char **error)
{
    enum entry_kind kind = request->kind;
    struct span text = request->payload;
    struct machine_judge judge_here = {.context = shard, .refusal = judge};
    if (kind == ENTRY_COMMAND && text.len && text.len <= ENTRY_READ_BYTES_MAX && text.ptr[0] == '*')
        return propose_plain(shard, request, origin, error);
    if (kind == ENTRY_SESSION)
        judge_here.offer = shard_offer_session(shard);
    struct entry *entry = shard_batch_begin(shard, kind);
    entry->database = request->database;
    struct buf payload = {0};
    uint32_t bytes = 0;
    bool sound =
        machine_rewrite(&shard->machine, request, entry->time_ms, &judge_here, &payload, error);
    if (sound && !*error && kind == ENTRY_SESSION)
        *error = shard_session_refusal(shard, buf_span(&payload));
    if (sound && !*error && payload.len > ENTRY_BYTES_MAX - ENTRY_HEADER_MAX)
        *error = too_large;
    if (sound && !*error) {
        entry->seed = prng_next(&shard->prng);
        entry->origin = *origin;
        entry->payload = buf_span(&payload);
        entry_encode(&shard->batch, entry);
        bytes = shard_batch_end(shard);
        if (kind == ENTRY_COMMAND)
            wake_behind(shard, request);
    }
    buf_close(&payload);
    return bytes;
}

/* It counts as issued and answered: nobody waits for it any more. */
static void skip_held(struct shard *shard, struct pending_write *write)
{
    begin_issue(shard, true);
    write->bytes = 0;
    shard->writes.issued++;
    shard_note_answered(shard, write);
}

static void propose_held(struct shard *shard)
{
    static const struct entry_origin own = {.life = 0};
    struct write_queue *writes = &shard->writes;
    /* A former leader may hold all that it had under way: that is for more than one turn. */
    for (size_t i = 0; i < SHARD_HELD_MAX && writes->issued < writes->count; i++) {
        struct pending_write *write = write_queue_at(writes, writes->issued);
        const struct shard_host *host = &shard->options.host;
        if (!host->is_waiting(host->context, write->client)) {
            skip_held(shard, write);
            continue;
        }
        const char *error = shard_is_disputed(shard) ? SHARD_IS_DISPUTED : NULL;
        uint64_t index = shard_next_index(shard);
        write->bytes = 0;
        const struct machine_request request = {write->kind, write->database,
                                                write_queue_text(writes, write)};
        if (!error)
            write->bytes = shard_propose(shard, &request, &own, &error);
        if (write->bytes) {
            write->index = index;
            shard_note_proposed(shard, write);
            continue;
        }
        ASSERT(error); /* this node made the text */
        shard_write_error(shard, write->client, error);
        skip_held(shard, write);
    }
}

/* --- changes --- */

/* The records of what was proposed may be cut off the log in this very step. */
static struct span text_in_log(struct shard *shard, struct pending_write *write)
{
    struct entry entry;
    if (write->driven_us) {
        if (storage_entry(shard->storage, write->index, &entry) != ERR_NONE)
            FATAL("an entry cannot be read back from the log");
    } else {
        struct record record;
        size_t at = (size_t)(write->index - shard->batch_entries[0].index);
        ASSERT(at < shard->batch_count);
        enum record_outcome outcome = record_parse(
            span_of(shard->batch.ptr + shard->batch_offsets[at], write->bytes), &record);
        ASSERT(outcome == RECORD_OK);
        entry = record.entry;
    }
    write->kind = entry.kind;
    return entry.payload;
}

/* All texts move to a new arena, in the order of arrival. Writes that are answered are left out,
 * and those that nobody waits for any more if `only_waiting`. */
static void renew_queue(struct shard *shard, bool only_waiting)
{
    struct write_queue *old = &shard->writes;
    struct write_queue fresh = {.arrivals = old->arrivals};
    size_t issued = old->issued;
    for (size_t i = 0; i < old->count; i++) {
        struct pending_write *write = write_queue_at(old, i);
        const struct shard_host *host = &shard->options.host;
        if (write->done || (only_waiting && !host->is_waiting(host->context, write->client))) {
            issued -= i < old->issued;
            continue;
        }
        struct span text =
            write->text_len ? write_queue_text(old, write) : text_in_log(shard, write);
        struct pending_write *moved = write_queue_push(&fresh);
        *moved = *write;
        moved->text_len = 0;
        write_queue_keep(&fresh, moved, text);
        write->script = NULL;
    }
    fresh.arrivals = old->arrivals;
    fresh.issued = issued;
    write_queue_close(old);
    shard->writes = fresh;
}

/* What is in the open batch went nowhere. */
static void hold_batch(struct shard *shard)
{
    struct write_queue *writes = &shard->writes;
    while (writes->issued) {
        struct pending_write *write = write_queue_at(writes, writes->issued - 1);
        if (write->driven_us)
            break;
        write->index = 0;
        writes->issued--;
    }
    shard->batch.len = 0;
    shard->batch_count = 0;
}

void shard_lose_office(struct shard *shard)
{
    renew_queue(shard, false);
    hold_batch(shard);
    shard->log_bytes_pending = 0;
    shard->expiry_count = 0;
    /* By this, reads that were confirmed are judged. */
    shard->round_time_ms = shard_now_ms(shard, shard->now);
    shard_forget_origins(shard);
    shard_forget_waiters(shard);
}

/* After each step that changed the role, the term or the leader. */
void shard_note_office(struct shard *shard)
{
    struct shard_issue *issue = &shard->issue;
    bool here = shard_is_leader(shard);
    if (shard->writes.issued && (issue->term != raft_term(shard->raft) || issue->here != here))
        issue->open = true;
    if (issue->reads_term == raft_term(shard->raft) && issue->reads_here == here)
        return;
    issue->reads_term = raft_term(shard->raft);
    issue->reads_here = here;
    issue->reads_stale = true;
    shard->long_index = raft_last_index(shard->raft); /* nobody here looked at what is under way */
    shard->round_has_reads = false;
    shard->round_in_flight = false;
}

static void settle(struct shard *shard)
{
    struct write_queue *writes = &shard->writes;
    uint64_t applied = shard->machine.applied_index;
    if (!shard->issue.open || raft_term_of(shard->raft, applied) <= shard->issue.term)
        return;
    renew_queue(shard, true);
    for (size_t i = 0; i < writes->issued; i++) {
        struct pending_write *write = write_queue_at(writes, i);
        write->index = write->seq = write->driven_us = 0;
        shard->stats.reissued++;
    }
    writes->issued = 0;
    shard->issue.open = false;
}

/* Reads that were not confirmed are asked anew: an answer of another term says nothing. */
static void ask_reads_anew(struct shard *shard)
{
    struct write_queue *writes = &shard->writes;
    size_t at = 0;
    if (!shard->issue.reads_stale)
        return;
    shard->issue.reads_stale = false;
    shard_judge_held_anew(shard);
    shard_renew_goal(shard);
    for (size_t i = 0; i < shard->reads.count; i++) {
        struct pending_read *read = read_queue_at(&shard->reads, i);
        while (at < writes->count && write_queue_at(writes, at)->arrival <= read->arrival)
            at++;
        /* Of the writes before it, the last one; those behind it come after it in the log. */
        const struct pending_write *before = at ? write_queue_at(writes, at - 1) : NULL;
        const struct pending_write *behind = at < writes->count ? write_queue_at(writes, at) : NULL;
        read->position = raft_last_index(shard->raft);
        if (behind && behind->index)
            read->position = behind->index - 1;
        else if (before && before->index > read->position)
            read->position = before->index;
        if (read->context <= shard->round_confirmed && read->due_ms == NO_DEADLINE)
            continue;
        read->due_ms = NO_DEADLINE;
        read->context = shard->round_open;
        shard->round_has_reads = true;
    }
}

/* --- what cannot be issued --- */

/* Something waits, and nothing can be done for it but to wait. */
static bool is_stuck(const struct shard *shard)
{
    if (shard->writes.count == 0 && shard->reads.count == 0)
        return false;
    return shard->issue.open || !shard_may_hold(shard) || shard_forward_is_silent(shard);
}

static uint64_t wait_ends_ms(const struct shard *shard, uint64_t arrived_ms)
{
    uint64_t since_ms = shard->issue.stuck_since_ms;
    return (arrived_ms > since_ms ? arrived_ms : since_ms) + shard->options.leader_wait_ms;
}

bool shard_has_more_to_issue(const struct shard *shard)
{
    return shard_may_propose(shard) && shard->writes.issued < shard->writes.count;
}

/* Of what came first: the others wait for longer. */
uint64_t shard_issue_due_ms(const struct shard *shard)
{
    uint64_t due_ms = UINT64_MAX;
    if (!shard->issue.stuck_since_ms)
        return due_ms;
    if (shard->writes.count)
        due_ms = wait_ends_ms(shard, write_queue_at(&shard->writes, 0)->arrived_ms);
    if (shard->reads.count) {
        uint64_t read_ms = wait_ends_ms(shard, read_queue_at(&shard->reads, 0)->arrived_ms);
        due_ms = read_ms < due_ms ? read_ms : due_ms;
    }
    return due_ms;
}

static void give_up_write(struct shard *shard, struct pending_write *write)
{
    shard_refuse_reads(shard, write->arrival - 1);
    if (!write->done && shard->writes.issued)
        shard_answer_unknown(shard, write, SHARD_UNKNOWN);
    else if (!write->done)
        shard_write_error(shard, write->client, SHARD_NO_LEADER);
    if (!write->done && shard->writes.issued && !shard->issue.here)
        shard->forwarding.bytes -= write->bytes;
    write_queue_pop(&shard->writes);
    write_queue_drop_done(&shard->writes);
}

/* What has waited for leader_wait_ms. What was issued may still take effect. */
static void give_up(struct shard *shard)
{
    struct write_queue *writes = &shard->writes;
    while (writes->count &&
           wait_ends_ms(shard, write_queue_at(writes, 0)->arrived_ms) <= shard->now.mono_ms)
        give_up_write(shard, write_queue_at(writes, 0));
    if (writes->issued == 0)
        shard->issue.open = false;
    while (shard->reads.count &&
           wait_ends_ms(shard, read_queue_at(&shard->reads, 0)->arrived_ms) <= shard->now.mono_ms)
        shard_refuse_read(shard, read_queue_at(&shard->reads, 0));
}

static void watch_the_wait(struct shard *shard)
{
    if (!is_stuck(shard))
        shard->issue.stuck_since_ms = 0;
    else if (!shard->issue.stuck_since_ms)
        shard->issue.stuck_since_ms = shard->now.mono_ms ? shard->now.mono_ms : 1;
    if (shard->now.mono_ms >= shard_issue_due_ms(shard))
        give_up(shard);
}

void shard_issue_held(struct shard *shard)
{
    settle(shard);
    watch_the_wait(shard);
    if (!may_issue(shard))
        return;
    if (shard_is_leader(shard)) {
        propose_held(shard);
    } else {
        begin_issue(shard, false);
        shard_forward_held(shard);
    }
    ask_reads_anew(shard);
}

/* The state that is installed holds what was committed until then, and nobody can tell what that
 * was. */
void shard_forget_issued(struct shard *shard)
{
    struct write_queue *writes = &shard->writes;
    while (writes->issued) {
        struct pending_write *write = write_queue_at(writes, 0);
        shard_refuse_reads(shard, write->arrival - 1);
        if (!write->done) {
            shard_answer_unknown(shard, write, SHARD_UNKNOWN_AFTER_SNAPSHOT);
            if (!shard->issue.here)
                shard->forwarding.bytes -= write->bytes;
        }
        write_queue_pop(writes);
    }
    shard->issue.open = false;
    shard_forget_blocks(shard);
}
