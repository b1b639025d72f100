/* What takes long in one piece (copies and checksums of a large value) is announced before it
 * begins: nobody's timer expires because a loop stood still for a while. A crash shows all the
 * same, by the connection that is reset. */
#include "shard/internal.h"

enum {
    TURNS = 2, /* this turn and the next one */
    LONG_BYTES_MIN = 4 * 1024 * 1024,
    BUSY_MS_PER_MEBIBYTE = 40, /* generous: a slow machine that does other things as well */
};

/* The step tells the core of this node that its own silence is excused. */
static void note_own(struct shard *shard, uint32_t busy_ms)
{
    struct raft_event event = {.type = RAFT_EVENT_PEER_BUSY, .now_ms = shard->now.mono_ms};
    event.busy.peer = raft_id(shard->raft);
    event.busy.ms = busy_ms;
    shard_step(shard, &event, NULL, 0);
}

static void tell_others(struct shard *shard, uint32_t busy_ms)
{
    const struct raft_membership *membership = raft_membership(shard->raft);
    struct shard_host *host = &shard->options.host;
    struct buf text = {0};
    wire_encode_alive(&text, shard->options.number, busy_ms);
    for (size_t i = 0; i < membership->count; i++)
        if (membership->members[i].id != raft_id(shard->raft))
            host->send(host->send_context, membership->members[i].id, !shard_is_leader(shard),
                       buf_span(&text));
    if (host->sent)
        host->sent(host->send_context);
    buf_close(&text);
}

/* 0: it does not take long. */
static uint32_t busy_ms_of(size_t bytes)
{
    if (bytes < LONG_BYTES_MIN)
        return 0;
    uint64_t ms = (uint64_t)(bytes >> 20) * BUSY_MS_PER_MEBIBYTE;
    return ms < RAFT_BUSY_MS_MAX ? (uint32_t)ms : RAFT_BUSY_MS_MAX;
}

void shard_announce(struct shard *shard, size_t bytes)
{
    uint32_t busy_ms = busy_ms_of(bytes);
    if (busy_ms == 0)
        return;
    tell_others(shard, busy_ms);
    note_own(shard, busy_ms);
    shard->announced = TURNS;
}

void shard_announce_amid(struct shard *shard, size_t bytes)
{
    uint32_t busy_ms = busy_ms_of(bytes);
    if (busy_ms == 0)
        return;
    tell_others(shard, busy_ms);
    shard->busy_unnoted_ms = busy_ms;
    shard->announced = TURNS;
}

void shard_note_announced(struct shard *shard)
{
    uint32_t busy_ms = shard->busy_unnoted_ms;
    shard->busy_unnoted_ms = 0;
    if (busy_ms)
        note_own(shard, busy_ms);
}

void shard_expect(struct shard *shard, size_t bytes, struct shard_time now)
{
    if (shard->announced)
        return;
    shard_set_now(shard, now);
    shard_announce(shard, bytes);
}

static void end_busy(struct shard *shard)
{
    tell_others(shard, 0);
    note_own(shard, 0);
}

/* Long strings that were removed are freed one in each turn: that is part of what takes long. */
void shard_announce_end(struct shard *shard)
{
    if (shard->announced && databases_frees_string_next(shard->machine.databases))
        shard->announced = TURNS;
    else if (shard->announced && --shard->announced == 0)
        end_busy(shard);
}
