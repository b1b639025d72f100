/* What a leader knows about one other member, private to raft/.
 *
 *     PROBE      it is not known where the logs agree: one append at a time, the next one after an
 *                answer (or, without entries, after the heartbeat interval)
 *     REPLICATE  they agree up to next - 1, or will once what is under way has arrived: appends
 *                follow each other without waiting, as far as the window goes
 *     SNAPSHOT   it needs entries that this log does not hold any more: chunks of the snapshot, the
 *                next one after the answer to the last
 *
 * PROBE -> REPLICATE when the member accepts something at next - 1 or beyond; back when it rejects
 * what follows a gap. Any -> SNAPSHOT when it is found to be behind the log's base, -> REPLICATE
 * when it says that it holds the snapshot's last entry. Every append, heartbeats too, has prev =
 * next - 1: that is what finds a gap.
 */
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
    uint64_t match;        /* durable there and equal to this log */
    uint64_t acknowledged; /* the highest match, in this leadership */
    uint64_t next;
    bool probe_sent;         /* PROBE, SNAPSHOT: unanswered */
    uint64_t snapshot_index; /* SNAPSHOT: which one, and where the next chunk begins */
    uint64_t snapshot_bytes;
    uint64_t snapshot_offset;
    uint64_t chunk_ms;      /* when the last one left */
    uint64_t commit_sent;   /* commit index of the newest append */
    uint64_t read_context;  /* newest one echoed in this term */
    uint64_t promised_ms;   /* newest time of sending that was echoed in this term: the lease */
    uint64_t contact_ms;    /* newest answer in this term; the election counts as one */
    uint64_t busy_until_ms; /* it said that it may be silent until then */
    bool answered;
    bool no_room;          /* on its disk, as it said last */
    uint64_t sent_ms;      /* newest append */
    uint64_t heartbeat_ms; /* newest append without entries */

    /* Appends that are not acknowledged, oldest first: a ring. */
    struct raft_sent_append *window;
    uint32_t window_cap;
    uint32_t window_head;
    uint32_t window_count;
    uint64_t window_bytes;
};

void raft_progress_init(struct raft_progress *progress, uint32_t appends_in_flight_max);
void raft_progress_close(struct raft_progress *progress);

/* At the start of a term as leader. */
void raft_progress_reset(struct raft_progress *progress, uint64_t next, uint64_t now_ms);

void raft_progress_probe(struct raft_progress *progress, uint64_t next);
void raft_progress_replicate(struct raft_progress *progress, uint64_t next);
void raft_progress_snapshot(struct raft_progress *progress, const struct raft_snapshot *snapshot,
                            uint64_t next);

bool raft_progress_has_room(const struct raft_progress *progress, uint64_t bytes,
                            uint64_t bytes_in_flight_max);
void raft_progress_sent(struct raft_progress *progress, uint64_t last_index, uint64_t bytes);

/* Raises match (never lowers it) and frees the window up to it. */
void raft_progress_acknowledge(struct raft_progress *progress, uint64_t match);

#endif
