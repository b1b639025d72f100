/* The core's view of the log, private to raft/: where each term begins, and the size of each entry.
 * Terms ascend along a log and change rarely, so they are stored as runs. Sizes are stored in
 * packs of RAFT_LOG_PACK entries. Entries of one time are of similar sizes: a full pack has the
 * least size, and of each entry how much more it is, in as many bits as the largest one needs. That
 * is usually four or eight. The last, open pack has 32. */
#ifndef FLOTILLA_RAFT_LOG_H
#define FLOTILLA_RAFT_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "raft/raft.h"

struct raft_term_run {
    uint64_t first_index;
    uint64_t term;
};

enum { RAFT_LOG_PACK = 1024 };

struct raft_pack {
    uint32_t least;
    uint32_t bits;  /* 0, 4, 8, 16 or 32 */
    uint8_t more[]; /* so many bits for each entry; of two in a byte the first has the lower ones */
};

struct raft_log {
    uint64_t base_index; /* the last entry that a snapshot covers; 0: none */
    uint64_t base_term;
    uint64_t last_index;
    struct raft_term_run *runs; /* ascending; the first run begins at base_index + 1 */
    size_t run_count;
    size_t run_cap;
    uint64_t packs_base;      /* index before the first entry of the first pack */
    struct raft_pack **packs; /* full ones */
    size_t pack_count;
    size_t pack_cap;
    uint32_t *open; /* the sizes behind them; RAFT_LOG_PACK of them have room */
};

void raft_log_init(struct raft_log *log, uint64_t base_index, uint64_t base_term);
void raft_log_close(struct raft_log *log);

/* Asserts that the entry has the next index and a term that is not lower than the last. */
void raft_log_append(struct raft_log *log, const struct raft_entry *entry);
void raft_log_truncate(struct raft_log *log, uint64_t last_index);
/* Drops the entries up to base_index, which is in the log. */
void raft_log_compact(struct raft_log *log, uint64_t base_index);

uint64_t raft_log_last_term(const struct raft_log *log);
/* 0: the entry is not in the log. */
uint64_t raft_log_term_of(const struct raft_log *log, uint64_t index);

/* The largest index <= `index` whose term is <= `term`; at least base_index. Looking up one log's
 * answer in the other log skips a whole term per round trip (paper §5.3, end). */
uint64_t raft_log_find_agreement(const struct raft_log *log, uint64_t index, uint64_t term);

/* The number of entries from `first` on that fit into one append; at least one if there is one.
 * *bytes is their size. */
size_t raft_log_batch(const struct raft_log *log, uint64_t first,
                      const struct raft_options *options, uint64_t *bytes);

#endif
