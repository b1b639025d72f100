#include "base/assert.h"
#include "shard/internal.h"

static const struct resp_limits no_limits = {.bulk_len_max = INT64_MAX, .authenticated = true};

/* Runs a data command and tells the host's statistics about it. */
void execute_counted(struct shard *shard, const struct command *command, const struct span *args,
                     size_t argc, struct command_context *context)
{
    struct buf *out = context->reply->out;
    size_t before = out ? out->len : 0;
    image_before_command(shard, command, args, argc);
    command->run(context, args, argc);
    if (!out || !shard->options.host.executed)
        return;
    const char *reply = out->ptr + before;
    size_t reply_len = out->len - before;
    shard->options.host.executed(shard->options.host.context, command,
                                 reply_len > 0 && reply[0] == '-', reply, reply_len);
}

bool take_command(struct shard *shard, struct span *rest)
{
    struct resp_parser *parser = &shard->parser;
    if (rest->len == 0 || resp_parse(parser, *rest, &no_limits) != RESP_COMMAND) {
        resp_parser_close(parser); /* of what was begun */
        return false;
    }
    *rest = span_of(rest->ptr + parser->consumed, rest->len - parser->consumed);
    return parser->argc > 0;
}

bool can_run(const struct shard *shard)
{
    const struct resp_parser *parser = &shard->parser;
    const struct command *command = command_find(shard->options.table, parser->args, parser->argc);
    return command && command->run && command_arity_is_valid(command, parser->argc);
}

static void apply_command(struct shard *shard, const struct entry *entry,
                          struct command_context *context)
{
    enum resp_outcome outcome = resp_parse(&shard->parser, entry->payload, &no_limits);
    ASSERT(outcome == RESP_COMMAND && shard->parser.argc > 0);
    const struct command *command =
        command_find(shard->options.table, shard->parser.args, shard->parser.argc);
    if (!command || !command->run)
        FATAL("the log holds a command that this version does not know: it is older than the log");
    execute_counted(shard, command, shard->parser.args, shard->parser.argc, context);
}

static void remove_expired(struct shard *shard, const struct entry *entry)
{
    size_t limit = (size_t)entry->seed;
    size_t removed = 0;
    while (shard->image.produces && removed < limit) {
        const struct item *next = keyspace_first_expired(shard->keyspace, entry->time_ms);
        if (!next)
            break;
        image_before_change(shard, item_key(next));
        removed += keyspace_remove_expired(shard->keyspace, entry->time_ms, 1, entry->index);
    }
    if (removed < limit)
        removed +=
            keyspace_remove_expired(shard->keyspace, entry->time_ms, limit - removed, entry->index);
    shard->stats.expired_keys += removed;
}

static void apply_entry(struct shard *shard, const struct entry *entry,
                        struct command_context *context, const struct pending_write *write)
{
    struct shard_client client = write ? write->client : (struct shard_client){0};
    switch (entry->kind) {
    case ENTRY_NOOP:
    case ENTRY_MEMBERSHIP:
        return;
    case ENTRY_COMMAND:
        apply_command(shard, entry, context);
        return;
    case ENTRY_TRANSACTION:
        transaction_apply(shard, entry, context, client,
                          write ? span_of(write->script, write->script_len) : span_of("", 0));
        return;
    case ENTRY_EXPIRY:
        remove_expired(shard, entry);
        return;
    }
}

/* The client that waits for this entry, if it came in through this node and its reply is still
 * owed. */
static struct pending_write *write_waiting_for(struct shard *shard, const struct entry *entry)
{
    if (shard->writes.count == 0)
        return NULL;
    struct pending_write *write = write_queue_at(&shard->writes, 0);
    if (write->index != entry->index)
        return NULL;
    ASSERT(write->term == entry->term);
    return write;
}

static void finish_write(struct shard *shard, struct pending_write *write)
{
    if (write->driven_us && shard->now.mono_us > write->driven_us)
        histogram_add(&shard->commit_us, shard->now.mono_us - write->driven_us);
    shard->options.host.reply_end(shard->options.host.context, write->client, write->index);
    ASSERT(write->bytes <= shard->log_bytes_pending);
    shard->log_bytes_pending -= write->bytes;
    write_queue_pop(&shard->writes);
}

static void count(struct shard *shard, const struct command_context *context)
{
    shard->stats.dirty += context->dirty;
    shard->stats.keyspace_hits += context->hits;
    shard->stats.keyspace_misses += context->misses;
}

void apply_one(struct shard *shard, const struct entry *entry)
{
    struct pending_write *write = write_waiting_for(shard, entry);
    struct resp_writer reply = {NULL, 2};
    if (write) {
        reply.protocol = write->protocol;
        reply.out = shard->options.host.reply_begin(shard->options.host.context, write->client);
    }
    struct prng prng;
    prng_init(&prng, entry->seed);
    struct command_context context = {.keyspace = shard->keyspace,
                                      .now_ms = entry->time_ms,
                                      .revision = entry->index,
                                      .prng = &prng,
                                      .reply = &reply};
    apply_entry(shard, entry, &context, write);
    count(shard, &context);
    shard->applied_index = entry->index;
    shard->clock_ms = entry->time_ms;
    if (write)
        finish_write(shard, write);
}

static void answer_read(struct shard *shard, struct pending_read *read)
{
    struct shard_host *host = &shard->options.host;
    struct resp_writer reply = {host->reply_begin(host->context, read->client), read->protocol};
    struct command_context context = {
        .keyspace = shard->keyspace,
        .now_ms = shard->now.wall_ms > shard->clock_ms ? shard->now.wall_ms : shard->clock_ms,
        .prng = &shard->prng,
        .reply = &reply};
    switch (read->kind) {
    case PENDING_READ:
        if (reply.out)
            execute_counted(shard, read->command, read_queue_args(&shard->reads, read), read->argc,
                            &context);
        break;
    case PENDING_TRANSACTION:
        transaction_read(shard, read_queue_bytes(&shard->reads, read), &context, read->client);
        break;
    case PENDING_REPLY:
        resp_raw(&reply, read_queue_bytes(&shard->reads, read));
        break;
    }
    count(shard, &context);
    read->done = true;
    host->reply_end(host->context, read->client, 0);
}

/* Everything that came before entry `index` was appended: that this entry is committed, by this
 * leader, proves that it still led when those reads arrived, and nothing after them is applied yet.
 */
static void answer_reads_before(struct shard *shard, uint64_t index)
{
    struct read_queue *reads = &shard->reads;
    for (size_t i = 0; i < reads->count; i++) {
        struct pending_read *read = read_queue_at(reads, i);
        if (read->position >= index)
            break;
        if (!read->done)
            answer_read(shard, read);
    }
    read_queue_drop_done(reads);
}

void answer_reads(struct shard *shard)
{
    struct read_queue *reads = &shard->reads;
    if (shard->applied_index < shard->round_confirmed_index)
        return;
    for (size_t i = 0; i < reads->count; i++) {
        struct pending_read *read = read_queue_at(reads, i);
        if (read->context > shard->round_confirmed)
            break;
        if (!read->done && read->after <= shard->applied_index)
            answer_read(shard, read);
    }
    read_queue_drop_done(reads);
}

static void apply_next(struct shard *shard)
{
    uint64_t index = shard->applied_index + 1;
    struct entry entry;
    if (storage_entry(shard->storage, index, &entry) != ERR_NONE)
        FATAL("a committed entry cannot be read back from the log");
    if (shard_is_leader(shard) && entry.term == raft_term(shard->raft))
        answer_reads_before(shard, index);
    apply_one(shard, &entry);
    take_image_if_due(shard);
}

void apply_committed(struct shard *shard)
{
    uint64_t commit = raft_commit_index(shard->raft);
    uint32_t most = shard->options.apply_entries_max;
    for (uint32_t i = 0; i < most && shard->applied_index < commit; i++)
        apply_next(shard);
    storage_pin(shard->storage, shard->applied_index);
}

void apply_up_to(struct shard *shard, uint64_t index)
{
    while (shard->applied_index < index)
        apply_next(shard);
}
