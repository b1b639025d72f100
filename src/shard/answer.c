/* Replies to what is not carried out. */
#include "shard/internal.h"

void shard_write_error(struct shard *shard, struct shard_client client, const char *text)
{
    struct shard_host *host = &shard->options.host;
    struct resp_writer reply = {.out = host->reply_begin(host->context, client), .protocol = 2};
    resp_error(&reply, text);
    host->reply_end(host->context, client, 0);
}

/* The text came from another node. */
void shard_write_refusal(struct shard *shard, struct shard_client client, struct span text)
{
    struct shard_host *host = &shard->options.host;
    struct resp_writer reply = {.out = host->reply_begin(host->context, client), .protocol = 2};
    resp_errorf(&reply, "%.*s", (int)(text.len < INT16_MAX ? text.len : INT16_MAX), text.ptr);
    host->reply_end(host->context, client, 0);
}

void shard_answer_unknown(struct shard *shard, const struct pending_write *write, const char *text)
{
    shard->stats.unknown_outcomes++;
    shard_write_error(shard, write->client, text);
}

void shard_refuse_read(struct shard *shard, struct pending_read *read)
{
    if (!read->done)
        shard_write_error(shard, read->client, SHARD_NO_LEADER);
    read->done = true;
    read_queue_drop_done(&shard->reads);
}

void shard_refuse_reads(struct shard *shard, uint64_t arrival)
{
    while (shard->reads.count && read_queue_at(&shard->reads, 0)->arrival <= arrival)
        shard_refuse_read(shard, read_queue_at(&shard->reads, 0));
}
