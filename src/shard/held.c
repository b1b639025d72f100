/* Reads of clients that have not read what is there for them.
 *
 * How long a reply is, is known only when the read is carried out. A read may be carried out later
 * than it could be, so one whose client is full is taken out of the queue of reads and waits here,
 * and so do all that its client asked behind it. A client that reads nothing holds up nobody else.
 * When it has read enough, its reads go on in order, each of them only while the client is not full
 * again: what waits for a client is never more than makes it full and one reply.
 *
 * What is held was confirmed. It stays so over a change of leader, as the applied state only grows.
 * It is judged by the time when it is carried out. */
#include "base/assert.h"
#include "base/mem.h"
#include "shard/internal.h"

struct held_read {
    struct held_read *next;
    struct pending_read read;
    char bytes[]; /* of the read */
};

struct held_reads {
    struct held_reads *previous; /* of those that may go on */
    struct held_reads *next;
    bool goes_on; /* it is one of them */
    struct shard_client client;
    struct held_read *first;
    struct held_read *last;
};

static void go(struct shard_held *held, struct held_reads *reads)
{
    if (reads->goes_on)
        return;
    reads->goes_on = true;
    reads->previous = held->last;
    reads->next = NULL;
    *(held->last ? &held->last->next : &held->first) = reads;
    held->last = reads;
}

static void stop(struct shard_held *held, struct held_reads *reads)
{
    if (!reads->goes_on)
        return;
    reads->goes_on = false;
    *(reads->previous ? &reads->previous->next : &held->first) = reads->next;
    *(reads->next ? &reads->next->previous : &held->last) = reads->previous;
}

static void drop_first(struct shard_held *held, struct held_reads *reads)
{
    struct held_read *first = reads->first;
    reads->first = first->next;
    held->count--;
    held->bytes -= mem_footprint(sizeof *first + first->read.bytes_len);
    mem_free(first);
}

void shard_free_held(struct shard *shard, struct client_note *note)
{
    struct held_reads *reads = note->held;
    if (!reads)
        return;
    while (reads->first)
        drop_first(&shard->held, reads);
    stop(&shard->held, reads);
    mem_free(reads);
    note->held = NULL;
}

static struct held_reads *reads_of(struct shard *shard, struct client_note *note,
                                   struct shard_client client)
{
    const struct shard_host *host = &shard->options.host;
    if (note->held)
        return note->held;
    note->held = mem_zalloc(sizeof *note->held);
    note->held->client = client;
    if (host->held)
        host->held(host->context, client, true);
    return note->held;
}

static void hold(struct shard *shard, struct held_reads *reads, struct pending_read *read)
{
    struct span bytes = read_queue_bytes(&shard->reads, read);
    struct held_read *held = mem_alloc(sizeof *held + bytes.len);
    held->next = NULL;
    held->read = *read;
    held->read.due_ms = NO_DEADLINE;
    held->read.bytes = held->bytes;
    if (bytes.len)
        memcpy(held->bytes, bytes.ptr, bytes.len);
    *(reads->first ? &reads->last->next : &reads->first) = held;
    reads->last = held;
    shard->held.count++;
    shard->held.bytes += mem_footprint(sizeof *held + bytes.len);
    read->done = true;
}

bool shard_holds_read(struct shard *shard, struct pending_read *read)
{
    const struct shard_host *host = &shard->options.host;
    if (!host->is_full || read->kind == PENDING_TRY) /* its reply is short */
        return false;
    bool is_full = host->is_full(host->context, read->client);
    if (!is_full && shard->held.count == 0)
        return false;
    struct client_note *note = shard_note_of(shard, read->client);
    if (note->last_write > read->after || (!is_full && !note->held))
        return false; /* a write behind it cannot wait, and it must not see that */
    hold(shard, reads_of(shard, note, read->client), read);
    return true;
}

bool shard_has_held(struct shard *shard, struct shard_client client)
{
    return shard->held.count && shard_note_of(shard, client)->held;
}

void shard_go_on(struct shard *shard, struct shard_client client)
{
    if (shard_has_held(shard, client))
        go(&shard->held, shard_note_of(shard, client)->held);
}

void shard_drop_held(struct shard *shard, struct shard_client client)
{
    if (shard_has_held(shard, client))
        shard_free_held(shard, shard_note_of(shard, client));
}

/* False: the turn is over. */
static bool answer_client(struct shard *shard, struct held_reads *reads)
{
    const struct shard_host *host = &shard->options.host;
    const struct shard_client client = reads->client;
    int64_t now_ms;
    while (reads->first) {
        if (shard_turn_is_over(shard))
            return false;
        struct pending_read *read = &reads->first->read;
        if (host->is_full(host->context, read->client)) {
            stop(&shard->held, reads);
            return true;
        }
        if (!shard_judge_read(shard, read, &now_ms))
            return true;
        shard_answer_read(shard, read, now_ms, NULL);
        drop_first(&shard->held, reads);
    }
    shard_free_held(shard, shard_note_of(shard, client));
    if (host->held)
        host->held(host->context, client, false);
    return true;
}

void shard_answer_held(struct shard *shard)
{
    if (!shard->held.first)
        return;
    for (struct held_reads *reads = shard->held.first, *next; reads; reads = next) {
        next = reads->next;
        if (!answer_client(shard, reads)) {
            shard->reads_left = true;
            break;
        }
    }
    shard_note_announced(shard);
}

/* What an entry was asked for of another leader. Only a client's oldest read was judged. */
void shard_judge_held_anew(struct shard *shard)
{
    for (struct held_reads *reads = shard->held.first; reads; reads = reads->next)
        reads->first->read.due_ms = NO_DEADLINE;
}
