/* What members of a group say to each other. Plain values; wire/ turns them into bytes and back. */
#ifndef FLOTILLA_RAFT_MESSAGE_H
#define FLOTILLA_RAFT_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct raft_entry;

/* Times in messages lie within [0, RAFT_TIME_MS_MAX]: milliseconds since 1970, up to the year 9999.
 * The core passes them on; the host fills them in when a message leaves (shard/clock.h). */
#define RAFT_TIME_MS_MAX UINT64_C(253402300799999)

enum raft_message_type {
    RAFT_VOTE_REQUEST,
    RAFT_VOTE_RESPONSE,
    RAFT_APPEND_REQUEST, /* also the heartbeat, without entries */
    RAFT_APPEND_RESPONSE,
    RAFT_SNAPSHOT_REQUEST, /* one chunk of the sender's snapshot */
    RAFT_SNAPSHOT_RESPONSE,
    RAFT_TIMEOUT_NOW, /* begin an election at once: leadership is handed over (dissertation §3.10)
                       */
};

struct raft_message {
    enum raft_message_type type;
    uint64_t from;
    /* The sender's. The host knows it from the connection; it is not on the wire. */
    uint64_t from_incarnation;
    uint64_t to;
    /* The sender's; for a PreVote request, and the answer that grants it, the term that the sender
     * would start (dissertation §9.6). */
    uint64_t term;
    bool when_durable; /* send only once the update's write is durable; not on the wire */
    union {
        struct {
            bool pre;      /* PreVote: neither side changes its term or vote */
            bool transfer; /* on the leader's behalf: that it is alive is no reason to refuse */
            uint64_t last_index;
            uint64_t last_term;
        } vote_request;
        struct {
            bool pre;
            bool granted;
            uint64_t wall_ms; /* the voter's wall clock */
            /* The voter's estimate of the group's time, and how long ago a leader told it; time 0:
             * no leader has since this process started. */
            uint64_t time_ms;
            uint64_t heard_ago_ms;
        } vote_response;
        struct {
            uint64_t prev_index;
            uint64_t prev_term;
            uint64_t commit;
            uint64_t read_context; /* newest read round of the leader; 0: none */
            uint64_t sent_ms;      /* the leader's clock; the answer carries it back */
            /* What this incarnation of the receiver has acknowledged to this leader, and is
             * committed. Who has less is not the folder that it was. */
            uint64_t to_incarnation;
            uint64_t acknowledged;
            uint64_t time_ms;     /* the group's time (shard/clock.h); not before any entry's */
            uint64_t first_index; /* of the entries; prev_index + 1 */
            size_t entry_count;
            /* Incoming only: entry_count entries in order. Outgoing messages name the range alone
             * and the host adds the records' bytes. */
            const struct raft_entry *entries;
        } append_request;
        struct {
            bool success;
            /* success: what is durable of prev_index + entry_count of that request (all of it where
             * the request had entries). */
            uint64_t match;
            uint64_t read_context; /* echo; 0 to a request of an older term */
            uint64_t sent_ms;      /* the same */
            uint64_t
                rejected_prev; /* failure: prev_index of the request; 0: it is of an older term */
            /* failure: the follower's best guess where the logs agree: the largest index <=
             * prev_index whose term is <= prev_term, and its term (paper §5.3, end; conflict term).
             * success: hint_index is prev_index + entry_count of that request, durable or not. */
            uint64_t hint_index;
            uint64_t hint_term;
            bool no_room;     /* its disk takes no more entries: no node to hand leadership to */
            uint64_t wall_ms; /* the follower's wall clock */
        } append_response;
        struct {
            uint64_t index; /* of the snapshot's last entry */
            uint64_t term;
            uint64_t offset; /* of the chunk; outgoing messages name the range alone */
            uint64_t bytes;  /* of the chunk; 0: asks how far the follower is */
            uint64_t total;  /* bytes of the snapshot */
        } snapshot_request;
        /* Where the follower wants to go on. A snapshot that it does not need, or has installed, is
         * answered with a RAFT_APPEND_RESPONSE. */
        struct {
            uint64_t index;
            uint64_t term;
            uint64_t offset;
        } snapshot_response;
    };
};

#endif
