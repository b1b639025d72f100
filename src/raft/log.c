#include "raft/log.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

void raft_log_init(struct raft_log *log, uint64_t base_index, uint64_t base_term)
{
    *log = (struct raft_log){.base_index = base_index,
                             .base_term = base_term,
                             .last_index = base_index,
                             .packs_base = base_index};
}

static void free_packs(struct raft_log *log, size_t keep)
{
    while (log->pack_count > keep)
        mem_free(log->packs[--log->pack_count]);
}

void raft_log_close(struct raft_log *log)
{
    free_packs(log, 0);
    mem_free(log->packs);
    mem_free(log->open);
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

static uint32_t bits_for(uint32_t most)
{
    if (most < 16)
        return most ? 4 : 0;
    return most <= UINT8_MAX ? 8 : most <= UINT16_MAX ? 16 : 32;
}

static void put_more(struct raft_pack *packed, size_t i, uint32_t more)
{
    switch (packed->bits) {
    case 0:
        return;
    case 4:
        packed->more[i / 2] |= (uint8_t)(more << 4 * (i % 2));
        return;
    case 8:
        packed->more[i] = (uint8_t)more;
        return;
    case 16:
        memcpy(packed->more + 2 * i, &(uint16_t){(uint16_t)more}, 2);
        return;
    default:
        memcpy(packed->more + 4 * i, &more, 4);
    }
}

static struct raft_pack *pack(const uint32_t sizes[RAFT_LOG_PACK])
{
    uint32_t least = sizes[0], largest = sizes[0];
    for (size_t i = 1; i < RAFT_LOG_PACK; i++) {
        least = sizes[i] < least ? sizes[i] : least;
        largest = sizes[i] > largest ? sizes[i] : largest;
    }
    uint32_t bits = bits_for(largest - least);
    struct raft_pack *packed = mem_zalloc(sizeof *packed + (size_t)bits * RAFT_LOG_PACK / 8);
    packed->least = least;
    packed->bits = bits;
    for (size_t i = 0; i < RAFT_LOG_PACK; i++)
        put_more(packed, i, sizes[i] - least);
    return packed;
}

static uint32_t packed_size(const struct raft_pack *packed, size_t i)
{
    uint16_t two;
    uint32_t four;
    switch (packed->bits) {
    case 0:
        return packed->least;
    case 4:
        return packed->least + (packed->more[i / 2] >> 4 * (i % 2) & 15);
    case 8:
        return packed->least + packed->more[i];
    case 16:
        memcpy(&two, packed->more + 2 * i, 2);
        return packed->least + two;
    default:
        memcpy(&four, packed->more + 4 * i, 4);
        return packed->least + four;
    }
}

static uint32_t size_of(const struct raft_log *log, uint64_t index)
{
    uint64_t position = index - log->packs_base - 1;
    size_t number = position / RAFT_LOG_PACK;
    return number == log->pack_count ? log->open[position % RAFT_LOG_PACK]
                                     : packed_size(log->packs[number], position % RAFT_LOG_PACK);
}

static void close_pack(struct raft_log *log)
{
    if (log->pack_count == log->pack_cap) {
        log->pack_cap = log->pack_cap ? log->pack_cap * 2 : 16;
        log->packs = mem_realloc(log->packs, log->pack_cap * sizeof(*log->packs));
    }
    log->packs[log->pack_count++] = pack(log->open);
}

/* What stays of the pack that is cut becomes the open one. */
static void reopen_pack(struct raft_log *log)
{
    size_t number = (log->last_index - log->packs_base) / RAFT_LOG_PACK;
    if (number == log->pack_count)
        return;
    for (size_t i = 0; i < RAFT_LOG_PACK; i++)
        log->open[i] = packed_size(log->packs[number], i);
    free_packs(log, number);
}

void raft_log_append(struct raft_log *log, const struct raft_entry *entry)
{
    ASSERT(entry->index == log->last_index + 1);
    ASSERT(entry->term > 0 && entry->term >= raft_log_last_term(log));
    if (log->run_count == 0 || log->runs[log->run_count - 1].term != entry->term)
        begin_run(log, entry);
    if (!log->open)
        log->open = mem_alloc(RAFT_LOG_PACK * sizeof(*log->open));
    log->open[(log->last_index - log->packs_base) % RAFT_LOG_PACK] = entry->bytes;
    log->last_index = entry->index;
    if ((log->last_index - log->packs_base) % RAFT_LOG_PACK == 0)
        close_pack(log);
}

void raft_log_truncate(struct raft_log *log, uint64_t last_index)
{
    ASSERT(last_index >= log->base_index && last_index <= log->last_index);
    log->last_index = last_index;
    while (log->run_count > 0 && log->runs[log->run_count - 1].first_index > last_index)
        log->run_count--;
    reopen_pack(log);
}

static void drop_packs_before(struct raft_log *log, uint64_t base_index)
{
    size_t gone = (base_index - log->packs_base) / RAFT_LOG_PACK;
    for (size_t i = 0; i < gone; i++)
        mem_free(log->packs[i]);
    if (gone == 0)
        return;
    log->pack_count -= gone;
    memmove(log->packs, log->packs + gone, log->pack_count * sizeof(*log->packs));
    log->packs_base += (uint64_t)gone * RAFT_LOG_PACK;
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
    drop_packs_before(log, base_index);
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
        uint64_t with_this = *bytes + size_of(log, index);
        if (count == options->entries_per_append_max)
            break;
        if (count > 0 && with_this > options->bytes_per_append_max)
            break;
        *bytes = with_this;
        count++;
    }
    return count;
}
