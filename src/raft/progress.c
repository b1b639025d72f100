#include "raft/progress.h"

#include "base/assert.h"
#include "base/mem.h"

void raft_progress_init(struct raft_progress *progress, uint32_t appends_in_flight_max)
{
    *progress = (struct raft_progress){
        .window = mem_alloc(appends_in_flight_max * sizeof *progress->window),
        .window_cap = appends_in_flight_max,
    };
}

void raft_progress_close(struct raft_progress *progress)
{
    mem_free(progress->window);
    *progress = (struct raft_progress){0};
}

static void clear_window(struct raft_progress *progress)
{
    progress->window_head = 0;
    progress->window_count = 0;
    progress->window_bytes = 0;
}

void raft_progress_reset(struct raft_progress *progress, uint64_t next, uint64_t now_ms)
{
    *progress = (struct raft_progress){
        .state = RAFT_PROBE,
        .next = next,
        .contact_ms = now_ms,
        .sent_ms = now_ms,
        .heartbeat_ms = now_ms,
        .window = progress->window,
        .window_cap = progress->window_cap,
    };
}

void raft_progress_probe(struct raft_progress *progress, uint64_t next)
{
    progress->state = RAFT_PROBE;
    progress->next = next;
    progress->probe_sent = false;
    clear_window(progress);
}

void raft_progress_replicate(struct raft_progress *progress, uint64_t next)
{
    progress->state = RAFT_REPLICATE;
    progress->next = next;
    progress->probe_sent = false;
    clear_window(progress);
}

void raft_progress_snapshot(struct raft_progress *progress, const struct raft_snapshot *snapshot,
                            uint64_t next)
{
    progress->state = RAFT_SNAPSHOT;
    progress->next = next;
    progress->probe_sent = false;
    progress->snapshot_index = snapshot->index;
    progress->snapshot_bytes = snapshot->bytes;
    progress->snapshot_offset = 0;
    clear_window(progress);
}

bool raft_progress_has_room(const struct raft_progress *progress, uint64_t bytes,
                            uint64_t bytes_in_flight_max)
{
    if (progress->window_count == progress->window_cap)
        return false;
    return progress->window_count == 0 || progress->window_bytes + bytes <= bytes_in_flight_max;
}

void raft_progress_sent(struct raft_progress *progress, uint64_t last_index, uint64_t bytes)
{
    ASSERT(progress->window_count < progress->window_cap);
    uint32_t at = (progress->window_head + progress->window_count) % progress->window_cap;
    progress->window[at] = (struct raft_sent_append){.last_index = last_index, .bytes = bytes};
    progress->window_count++;
    progress->window_bytes += bytes;
    progress->next = last_index + 1;
}

void raft_progress_asked(struct raft_progress *progress, uint64_t context, uint64_t now_ms)
{
    if (progress->asked <= progress->read_context)
        progress->asked_ms = now_ms;
    progress->asked = context;
}

void raft_progress_answered(struct raft_progress *progress, uint64_t sent_ms, uint64_t now_ms,
                            uint64_t delay_ms_max)
{
    if (sent_ms == 0 || sent_ms < progress->promised_ms)
        return; /* no time, or one that came late and says nothing about now */
    uint64_t delay_ms = now_ms - sent_ms < delay_ms_max ? now_ms - sent_ms : delay_ms_max;
    progress->delay += delay_ms - progress->delay / 8;
    progress->promised_ms = sent_ms;
}

bool raft_progress_echoed(struct raft_progress *progress, uint64_t context, uint64_t now_ms)
{
    if (context <= progress->read_context)
        return false;
    progress->read_context = context;
    progress->asked_ms = now_ms;
    return true;
}

void raft_progress_acknowledge(struct raft_progress *progress, uint64_t match)
{
    if (match > progress->match)
        progress->match = match;
    if (match > progress->acknowledged)
        progress->acknowledged = match;
    while (progress->window_count > 0 &&
           progress->window[progress->window_head].last_index <= progress->match) {
        progress->window_bytes -= progress->window[progress->window_head].bytes;
        progress->window_head = (progress->window_head + 1) % progress->window_cap;
        progress->window_count--;
    }
    if (progress->next <= progress->match)
        progress->next = progress->match + 1;
}
