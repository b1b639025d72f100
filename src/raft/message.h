/* The messages between members of a group, as plain values. wire/ encodes and parses them. */
#ifndef FLOTILLA_RAFT_MESSAGE_H
#define FLOTILLA_RAFT_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct raft_entry;

/* Times in messages are milliseconds since 1970 within [0, RAFT_TIME_MS_MAX], up to the year 9999.
 * The core only passes them on; the host sets them when a message leaves (shard/clock.h). */
#define RAFT_TIME_MS_MAX UINT64_C(253402300799999)

enum raft_message_type {
    RAFT_VOTE_REQUEST,
    RAFT_VOTE_RESPONSE,
    RAFT_APPEND_REQUEST, /* without entries it is a heartbeat */
    RAFT_APPEND_RESPONSE,
    RAFT_SNAPSHOT_REQUEST, /* one chunk of the sender's snapshot */
    RAFT_SNAPSHOT_RESPONSE,
    RAFT_TIMEOUT_NOW, /* the receiver starts an election at once: leadership is handed over
                         (dissertation §3.10) */
};

struct raft_message {
    enum raft_message_type type;
    uint64_t from;
    /* The sender's incarnation. The host knows it from the connection; it is not in the encoded
     * message. */
    uint64_t from_incarnation;
    uint64_t to;
    /* The sender's term. A PreVote request and the answer that grants it have the term that the
     * candidate would start (dissertation §9.6). */
    uint64_t term;
    /* Send only after the update's write is durable; not in the encoded message. */
    bool when_durable;
    union {
        struct {
            bool pre; /* PreVote: neither side changes its term or vote */
            /* The leader asked for this election: do not refuse because it is alive. */
            bool transfer;
            uint64_t last_index;
            uint64_t last_term;
        } vote_request;
        struct {
            bool pre;
            bool granted;
            uint64_t last_index; /* of the voter's log */
            /* The last committed entry that this incarnation of the candidate has acknowledged, as
             * far as the voter knows; 0: the voter knows of none. A candidate whose log ends before
             * that was restored from an older copy. */
            uint64_t to_incarnation;
            uint64_t witnessed;
            uint64_t wall_ms; /* the voter's wall clock */
            /* The voter's estimate of the group's time and how long ago a leader sent it. time_ms
             * 0: no leader has since this process started. */
            uint64_t time_ms;
            uint64_t heard_ago_ms;
            uint64_t heard_term;
        } vote_response;
        struct {
            uint64_t prev_index;
            uint64_t prev_term;
            uint64_t commit;
            uint64_t read_context; /* the leader's newest read round; 0: none */
            uint64_t sent_ms;      /* by the leader's clock; the answer returns it */
            /* The last entry that this incarnation of the receiver has acknowledged to this leader
             * and that is committed. A folder that has less was restored from an older copy. */
            uint64_t to_incarnation;
            uint64_t acknowledged;
            /* The group's time (shard/clock.h); never before the time of an entry. */
            uint64_t time_ms;
            uint64_t first_index; /* of the entries: prev_index + 1 */
            size_t entry_count;
            /* In received messages: entry_count entries in order. Messages to send name only the
             * range; the host adds the records' bytes. */
            const struct raft_entry *entries;
        } append_request;
        struct {
            bool success;
            /* success: the last durable entry, at most prev_index + entry_count of the request. It
             * equals that sum if the request had entries. */
            uint64_t match;
            uint64_t read_context;  /* echo of the request's; 0 if the request's term was older */
            uint64_t sent_ms;       /* echo of the request's */
            uint64_t rejected_prev; /* failure: prev_index of the request; 0: its term was older */
            /* failure: the follower's best guess where the logs agree: the largest index <=
             * prev_index whose term is <= prev_term, and that entry's term (paper §5.3, end;
             * conflict term). success: hint_index is prev_index + entry_count of the request,
             * durable or not. */
            uint64_t hint_index;
            uint64_t hint_term;
            bool no_room;     /* its disk is full: do not hand leadership to it */
            uint64_t wall_ms; /* the follower's wall clock */
        } append_response;
        struct {
            uint64_t index; /* of the snapshot's last entry */
            uint64_t term;
            uint64_t offset; /* of the chunk; messages to send name only the range */
            uint64_t bytes;  /* of the chunk; 0: asks how much the follower has */
            uint64_t total;  /* size of the snapshot */
        } snapshot_request;
        /* The offset at which the follower wants to continue. If it does not need the snapshot, or
         * has installed it, it sends a RAFT_APPEND_RESPONSE instead. */
        struct {
            uint64_t index;
            uint64_t term;
            uint64_t offset;
        } snapshot_response;
    };
};

#endif
