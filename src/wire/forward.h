/* The messages by which a node has the leader carry out what its clients ask:
 *
 *     RAFT.FORWARD   <cluster-id> <shard> <term> <from> <to> <life> <answered> <first> <count>
 *                    <requests>
 *     RAFT.FORWARDED <cluster-id> <shard> <term> <from> <to> <life> <next> <window> <again>
 *                    <refusals>
 *     RAFT.READ      <cluster-id> <shard> <term> <from> <to> <life> <context> <due-ms> 0 ""
 *     RAFT.READINDEX <cluster-id> <shard> <term> <from> <to> <life> <context> <index> <time-ms> ""
 *     RAFT.HOLDERS   <cluster-id> <shard> <term> <from> <to> <life> 0 0 0 ""
 *     RAFT.HELD      <cluster-id> <shard> <term> <from> <to> <life> 0 0 0 <indices>
 *     RAFT.WAIT      <cluster-id> <shard> <term> <from> <to> <life> <number> <applied> 0 <waits>
 *     RAFT.WAITED    <cluster-id> <shard> <term> <from> <to> <life> <number> 0 0 <waits>
 *
 * `life` is drawn by each run of the origin's process. The requests of a life are numbered from 1
 * in each term; a RAFT.FORWARD has `count` of them, beginning with number <first>. Everything below
 * <answered> needs no answer any more. RAFT.FORWARDED says that everything below <next> has been
 * appended or refused, how many bytes the origin may have under way, and why which were refused.
 * <again> is 1 where the leader has left out something, which the origin is to send once more.
 *
 * RAFT.READ asks for an index to read at, and that there be an entry of <due-ms> or later if that
 * is not 0. RAFT.READINDEX answers all contexts up to its own (index 0: nodes differ
 * in their data, and the leader answers no reads); <time-ms> is the leader's time.
 *
 * RAFT.HOLDERS asks up to which entry each node has the log on its disk, for WAIT. An index is
 * <index>CRLF.
 *
 * A request is <kind><bytes>CRLF<payload>, or <kind><database>:<bytes>CRLF<payload> if its database
 * is not 0 (since version 5), with a payload as in a log entry of that kind, but for
 * times, which may be relative, and the terms of a new session, which the leader sets. One of kind
 * N, without a payload, asks for nothing: whoever wanted what had its number is gone. A refusal is
 * <seq>:<bytes>CRLF<text>. All numbers are decimal.
 *
 * RAFT.WAIT (since version 4) tells the leader of clients that wait for keys. A wait is
 * <kind><id>:<number>:<bytes>CRLF<text>, one of
 *
 *     +<id>:<stamp>:<bytes>  the command: it begins to wait. Stamp 0: it is new; else what the
 *                            leader of an earlier term answered. With another database than 0,
 *                            +<id>:<stamp>:<database>:<bytes> (since version 5)
 *     -<id>:0:0              it waits no more
 *
 * and in the answer
 *
 *     +<id>:<stamp>:0        it waits, and this is its place in the order of arrival
 *     -<id>:<index>:0        it waits no more: what may have served it is at or before this index
 *     !<id>:0:<bytes>        it is refused: the error
 *
 * Messages of a life are numbered; the leader ignores one that comes behind a newer one, and the
 * origin says again what was not answered. <applied> is the last index that the origin has applied:
 * until then it may say once more that somebody waits who was served. An id is below 2^62. An entry
 * that serves a waiter has WIRE_WAITER and the id as the sequence number of its origin, and
 * WIRE_WAITER_FIRST where the command runs for the first time, before it waits. */
#ifndef FLOTILLA_WIRE_FORWARD_H
#define FLOTILLA_WIRE_FORWARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "wire/entry.h"

enum wire_forward_type {
    WIRE_FORWARD,
    WIRE_FORWARDED,
    WIRE_READ,
    WIRE_READ_INDEX,
    WIRE_HOLDERS,
    WIRE_HELD,
    WIRE_WAIT,
    WIRE_WAITED,
};

#define WIRE_WAITER       (UINT64_C(1) << 63)
#define WIRE_WAITER_FIRST (UINT64_C(1) << 62)

enum wire_wait_kind { WIRE_WAIT_BEGINS = '+', WIRE_WAIT_ENDS = '-', WIRE_WAIT_REFUSED = '!' };

struct wire_wait {
    enum wire_wait_kind kind;
    uint64_t id;
    uint64_t number; /* stamp or index */
    unsigned database;
    struct span text;
};

struct wire_forward {
    enum wire_forward_type type;
    struct span cluster_id;
    uint32_t shard;
    uint64_t term;
    uint64_t from;
    uint64_t to;
    uint64_t life; /* not 0 */
    union {
        struct {
            uint64_t answered;
            uint64_t first;
            uint64_t count;
        } forward;
        struct {
            uint64_t next;
            uint64_t window;
            uint64_t again; /* 0 or 1 */
        } forwarded;
        struct {
            uint64_t context; /* not 0 */
            uint64_t due_ms;
        } read;
        struct {
            uint64_t context;
            uint64_t index;
            uint64_t time_ms;
        } read_index;
        struct {
            uint64_t number;  /* not 0 */
            uint64_t applied; /* index: what it served is known to the origin */
        } wait;
        uint64_t numbers[3];
    };
    struct span items; /* the requests or the refusals */
};

bool wire_is_forward(struct span name); /* whether it names one of these messages */
void wire_encode_forward(struct buf *out, const struct wire_forward *message);
/* ERR_INVALID: another message, or malformed. The items are not looked at. */
MUST_CHECK enum err wire_parse_forward(const struct span *args, size_t argc,
                                       struct wire_forward *message);

struct wire_request {
    enum entry_kind kind;
    unsigned database;
    struct span payload;
};

void wire_add_request(struct buf *items, const struct wire_request *request);
void wire_add_refusal(struct buf *items, uint64_t seq, struct span text);
/* Takes the first item off `items`. False: there is none, or it is malformed. */
bool wire_take_request(struct span *items, struct wire_request *request);
bool wire_take_refusal(struct span *items, uint64_t *seq, struct span *text);

void wire_add_wait(struct buf *items, const struct wire_wait *wait);
bool wire_take_wait(struct span *items, struct wire_wait *wait);

void wire_add_index(struct buf *items, uint64_t index);
bool wire_take_index(struct span *items, uint64_t *index);

#endif
