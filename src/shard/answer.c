#include "base/assert.h"
#include "shard/internal.h"

static void write_error(struct shard *shard, struct shard_client client, const char *text)
{
    struct shard_host *host = &shard->options.host;
    struct resp_writer reply = {.out = host->reply_begin(host->context, client), .protocol = 2};
    resp_error(&reply, text);
    host->reply_end(host->context, client, 0);
}

/* Where a client goes whose request was not carried out here. */
static void write_redirect(struct shard *shard, struct shard_client client, unsigned slot)
{
    uint64_t leader = shard_leader(shard);
    const struct cluster_node *node = leader && leader != raft_id(shard->raft)
                                          ? cluster_find(shard->options.cluster, leader)
                                          : NULL;
    if (!node) {
        write_error(shard, client,
                    "CLUSTERDOWN leadership was lost before the command was proposed: nothing was "
                    "executed, try again");
        return;
    }
    struct shard_host *host = &shard->options.host;
    struct resp_writer reply = {.out = host->reply_begin(host->context, client), .protocol = 2};
    resp_errorf(&reply, "MOVED %u %s:%u", slot, node->host, (unsigned)node->port);
    host->reply_end(host->context, client, 0);
}

static unsigned slot_of_first_key(const struct command *command, const struct span *args,
                                  size_t argc)
{
    size_t position;
    return command_keys(command, args, argc, &position, 1) ? keyspace_slot_of(args[position]) : 0;
}

/* Of a write in the open batch, read back from its record: that costs the writes that go well
 * nothing. */
static unsigned slot_of_write(const struct shard *shard, const struct pending_write *write)
{
    static const struct resp_limits no_limits = {.bulk_len_max = INT64_MAX, .authenticated = true};
    size_t at = (size_t)(write->index - shard->batch_entries[0].index);
    ASSERT(at < shard->batch_count);
    struct record record;
    struct resp_parser parser = {0};
    unsigned slot = 0;
    enum record_outcome outcome =
        record_parse(span_of(shard->batch.ptr + shard->batch_offsets[at], write->bytes), &record);
    ASSERT(outcome == RECORD_OK);
    if (record.entry.kind == ENTRY_COMMAND &&
        resp_parse(&parser, record.entry.payload, &no_limits) == RESP_COMMAND)
        slot = slot_of_first_key(command_find(shard->options.table, parser.args, parser.argc),
                                 parser.args, parser.argc);
    resp_parser_close(&parser);
    return slot;
}

static void answer_write(struct shard *shard, const struct pending_write *write)
{
    if (write->driven_us == 0) {
        write_redirect(shard, write->client, slot_of_write(shard, write));
        return;
    }
    shard->stats.unknown_outcomes++;
    write_error(shard, write->client,
                "UNKNOWN leadership was lost before the write was known to be committed: it may "
                "still take effect");
}

static void answer_one_read(struct shard *shard, struct pending_read *read)
{
    read->done = true;
    unsigned slot = 0;
    if (read->kind == PENDING_READ)
        slot = slot_of_first_key(read->command, read_queue_args(&shard->reads, read), read->argc);
    write_redirect(shard, read->client, slot);
}

static void answer_reads_up_to(struct shard *shard, uint64_t position)
{
    for (size_t i = 0; i < shard->reads.count; i++) {
        struct pending_read *read = read_queue_at(&shard->reads, i);
        if (read->position > position)
            break;
        if (!read->done)
            answer_one_read(shard, read);
    }
    read_queue_drop_done(&shard->reads);
}

/* The outcome is known, although its entry was not applied in time. */
static bool is_committed(const struct shard *shard, const struct pending_write *write)
{
    return write->index <= raft_commit_index(shard->raft) &&
           raft_term_of(shard->raft, write->index) == write->term;
}

/* Every waiting write is answered now, in the order of arrival with the reads before it: what went
 * to the core may take effect and is unknown; what was only in the open batch did not happen. Reads
 * behind the last write wait for the next leader, as new commands do. */
void shard_answer_lost_leadership(struct shard *shard)
{
    while (shard->writes.count) {
        struct pending_write *write = write_queue_at(&shard->writes, 0);
        answer_reads_up_to(shard, write->index - 1);
        if (is_committed(shard, write)) {
            shard_apply_up_to(shard, write->index);
            continue;
        }
        answer_write(shard, write);
        write_queue_pop(&shard->writes);
    }
    /* The next leader may put other entries, or none, at the places of these writes. */
    for (size_t i = 0; i < shard->notes_cap; i++)
        shard->notes[i].last_write = 0;
    shard->batch.len = 0;
    shard->batch_count = 0;
    shard->log_bytes_pending = 0;
    shard->expiry_count = 0;
    shard->round_has_reads = false;
    shard->round_in_flight = false;
    shard->stranded_until_ms =
        shard->reads.count ? shard->now.mono_ms + shard->options.leader_wait_ms : 0;
}

/* This node leads again: the reads that outlived its last leadership are asked anew. It has to be
 * done before a request of the new leadership arrives, for the order of those is right already. */
void shard_resume_stranded(struct shard *shard)
{
    for (size_t i = 0; i < shard->reads.count; i++) {
        struct pending_read *read = read_queue_at(&shard->reads, i);
        read->position = raft_last_index(shard->raft);
        read->after = 0;
        read->expiry_index = 0;
        read->context = shard->round_open;
    }
    shard->round_has_reads = shard->reads.count > 0;
    shard->stranded_until_ms = 0;
}

/* Reads that outlived a leadership: redirected once the new leader is known, given up when the wait
 * is over. */
void shard_answer_stranded(struct shard *shard)
{
    if (shard->stranded_until_ms == 0)
        return;
    if (shard_leader(shard) == 0 && shard->now.mono_ms < shard->stranded_until_ms)
        return;
    answer_reads_up_to(shard, UINT64_MAX);
    shard->stranded_until_ms = 0;
}
