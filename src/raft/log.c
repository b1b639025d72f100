#include "raft/log.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

enum { CHUNK_ENTRIES = 16384 };

void raft_log_init(struct raft_log *log, uint64_t base_index, uint64_t base_term)
{
    *log = (struct raft_log){.base_index = base_index,
                             .base_term = base_term,
                             .last_index = base_index,
                             .chunks_base = base_index};
}

static void free_chunks(struct raft_log *log, size_t keep)
{
    while (log->chunk_count > keep)
        mem_free(log->chunks[--log->chunk_count]);
}

void raft_log_close(struct raft_log *log)
{
    free_chunks(log, 0);
    mem_free(log->chunks);
    mem_free(log->runs);
    *log = (struct raft_log){0};
}

static void begin_run(struct raft_log *log, const struct raft_entry *entry)
{
    if (log->run_count == log->run_cap) {
        log->run_cap = log->run_cap ? log->run_cap * 2 : 16;
        log->runs = mem_realloc(log->runs, log->run_cap * sizeof *log->runs);
    }
    log->runs[log->run_count++] =
        (struct raft_term_run){.first_index = entry->index, .term = entry->term};
}

static void add_chunk(struct raft_log *log)
{
    if (log->chunk_count == log->chunk_cap) {
        log->chunk_cap = log->chunk_cap ? log->chunk_cap * 2 : 16;
        log->chunks = mem_realloc(log->chunks, log->chunk_cap * sizeof *log->chunks);
    }
    log->chunks[log->chunk_count++] = mem_alloc(CHUNK_ENTRIES * sizeof **log->chunks);
}

static uint32_t *bytes_of(const struct raft_log *log, uint64_t index)
{
    uint64_t position = index - log->chunks_base - 1;
    return &log->chunks[position / CHUNK_ENTRIES][position % CHUNK_ENTRIES];
}

void raft_log_append(struct raft_log *log, const struct raft_entry *entry)
{
    ASSERT(entry->index == log->last_index + 1);
    ASSERT(entry->term > 0 && entry->term >= raft_log_last_term(log));
    if (log->run_count == 0 || log->runs[log->run_count - 1].term != entry->term)
        begin_run(log, entry);
    if ((log->last_index - log->chunks_base) / CHUNK_ENTRIES == log->chunk_count)
        add_chunk(log);
    log->last_index = entry->index;
    *bytes_of(log, entry->index) = entry->bytes;
}

void raft_log_truncate(struct raft_log *log, uint64_t last_index)
{
    ASSERT(last_index >= log->base_index && last_index <= log->last_index);
    log->last_index = last_index;
    while (log->run_count > 0 && log->runs[log->run_count - 1].first_index > last_index)
        log->run_count--;
    free_chunks(log, (last_index - log->chunks_base + CHUNK_ENTRIES - 1) / CHUNK_ENTRIES);
}

static void drop_chunks_before(struct raft_log *log, uint64_t base_index)
{
    size_t gone = (base_index - log->chunks_base) / CHUNK_ENTRIES;
    for (size_t i = 0; i < gone; i++)
        mem_free(log->chunks[i]);
    log->chunk_count -= gone;
    memmove(log->chunks, log->chunks + gone, log->chunk_count * sizeof *log->chunks);
    log->chunks_base += (uint64_t)gone * CHUNK_ENTRIES;
}

void raft_log_compact(struct raft_log *log, uint64_t base_index)
{
    ASSERT(base_index >= log->base_index && base_index <= log->last_index);
    if (base_index == log->base_index)
        return;
    log->base_term = raft_log_term_of(log, base_index);
    log->base_index = base_index;
    size_t gone = 0;
    while (gone + 1 < log->run_count && log->runs[gone + 1].first_index <= base_index + 1)
        gone++;
    log->run_count -= gone;
    memmove(log->runs, log->runs + gone, log->run_count * sizeof *log->runs);
    if (base_index == log->last_index)
        log->run_count = 0;
    else
        log->runs[0].first_index = base_index + 1;
    drop_chunks_before(log, base_index);
}

uint64_t raft_log_last_term(const struct raft_log *log)
{
    return log->run_count ? log->runs[log->run_count - 1].term : log->base_term;
}

uint64_t raft_log_term_of(const struct raft_log *log, uint64_t index)
{
    if (index < log->base_index || index > log->last_index)
        return 0;
    if (index == log->base_index)
        return log->base_term;
    size_t low = 0, high = log->run_count - 1;
    if (log->runs[high].first_index <= index)
        return log->runs[high].term;
    while (low + 1 < high) {
        size_t middle = low + (high - low) / 2;
        if (log->runs[middle].first_index <= index)
            low = middle;
        else
            high = middle;
    }
    return log->runs[low].term;
}

uint64_t raft_log_find_agreement(const struct raft_log *log, uint64_t index, uint64_t term)
{
    if (index > log->last_index)
        index = log->last_index;
    for (size_t run = log->run_count; run-- > 0;) {
        if (log->runs[run].first_index > index)
            continue;
        if (log->runs[run].term <= term)
            return index;
        index = log->runs[run].first_index - 1;
    }
    return log->base_index;
}

size_t raft_log_batch(const struct raft_log *log, uint64_t first,
                      const struct raft_options *options, uint64_t *bytes)
{
    size_t count = 0;
    *bytes = 0;
    for (uint64_t index = first; index <= log->last_index; index++) {
        uint64_t with_this = *bytes + *bytes_of(log, index);
        if (count == options->entries_per_append_max)
            break;
        if (count > 0 && with_this > options->bytes_per_append_max)
            break;
        *bytes = with_this;
        count++;
    }
    return count;
}
