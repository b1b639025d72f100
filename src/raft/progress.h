/* What a leader knows about another member. Private to raft/.
 *
 *     PROBE      unknown where the logs agree: one append at a time; the next one after an answer,
 * or, without entries, after the heartbeat interval REPLICATE  the logs agree up to next - 1, or
 * will once the sent appends have arrived: appends follow each other without waiting, up to the
 * window's limits SNAPSHOT   the member needs entries that this log has dropped: chunks of the
 * snapshot, the next one after the answer to the last
 *
 * PROBE -> REPLICATE when the member accepts an append at next - 1 or later; back to PROBE when it
 * rejects an append after a gap. Any -> SNAPSHOT when the member is behind the log's base;
 * SNAPSHOT -> REPLICATE when it says that it has the snapshot's last entry. Every append, also a
 * heartbeat, has prev = next - 1, so that the member notices a gap. */
#ifndef FLOTILLA_RAFT_PROGRESS_H
#define FLOTILLA_RAFT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "raft/raft.h"

struct raft_sent_append {
    uint64_t last_index;
    uint64_t bytes;
};

struct raft_progress {
    enum raft_progress_state state;
    uint64_t match; /* last entry that is durable there and equal to this log's */
    /* The highest match in this leadership, or what was witnessed before it. */
    uint64_t acknowledged;
    uint64_t next;
    bool probe_sent;         /* PROBE, SNAPSHOT: a request is unanswered */
    uint64_t snapshot_index; /* SNAPSHOT: index of the snapshot, and offset of the next chunk */
    uint64_t snapshot_bytes;
    uint64_t snapshot_offset;
    uint64_t chunk_ms;      /* when the last chunk was sent */
    uint64_t commit_sent;   /* commit index in the newest append */
    uint64_t read_context;  /* newest read context echoed in this term */
    uint64_t asked;         /* newest read context in an append without entries */
    uint64_t asked_ms;      /* asked > read_context: since then it has answered no round */
    uint64_t slow_until_ms; /* it left a round unanswered for too long */
    uint64_t delay;         /* how long its answers take: a moving average, in eighths of a ms */
    uint64_t promised_ms;   /* newest sending time echoed in this term; the lease counts from it */
    uint64_t contact_ms;    /* newest answer in this term; winning the election counts as one */
    uint64_t busy_until_ms; /* it said that it may be silent until then */
    bool answered;
    bool no_room;          /* its disk is full, according to its last answer */
    uint64_t sent_ms;      /* time of the newest append */
    uint64_t heartbeat_ms; /* time of the newest append without entries */

    /* Unacknowledged appends, oldest first, in a ring. */
    struct raft_sent_append *window;
    uint32_t window_cap;
    uint32_t window_head;
    uint32_t window_count;
    uint64_t window_bytes;
};

void raft_progress_init(struct raft_progress *progress, uint32_t appends_in_flight_max);
void raft_progress_close(struct raft_progress *progress);

/* Called when a leader's term begins. */
void raft_progress_reset(struct raft_progress *progress, uint64_t next, uint64_t now_ms);

void raft_progress_probe(struct raft_progress *progress, uint64_t next);
void raft_progress_replicate(struct raft_progress *progress, uint64_t next);
void raft_progress_snapshot(struct raft_progress *progress, const struct raft_snapshot *snapshot,
                            uint64_t next);

bool raft_progress_has_room(const struct raft_progress *progress, uint64_t bytes,
                            uint64_t bytes_in_flight_max);
void raft_progress_sent(struct raft_progress *progress, uint64_t last_index, uint64_t bytes);

/* An append without entries leaves with this read context. */
void raft_progress_asked(struct raft_progress *progress, uint64_t context, uint64_t now_ms);
/* An answer that echoes what the request had; times above `delay_ms_max` count as that. */
void raft_progress_answered(struct raft_progress *progress, uint64_t sent_ms, uint64_t now_ms,
                            uint64_t delay_ms_max);
/* Returns whether the answer echoes a newer context than the ones before. */
bool raft_progress_echoed(struct raft_progress *progress, uint64_t context, uint64_t now_ms);

/* Raises match (never lowers it) and removes acknowledged appends from the window. */
void raft_progress_acknowledge(struct raft_progress *progress, uint64_t match);

#endif
