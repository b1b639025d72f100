/* Were the clients' operations linearizable: is there one order of them all, each at a moment
 * between its call and its return, in which every reply is what one correct server would have said?
 *
 * Each key is judged by itself, which loses nothing: linearizability is local (Herlihy and Wing,
 * 1990). A transaction over several keys is recorded as one operation for each of them; that they
 * took effect together is not judged. Values are strings as Redis has them, without deadlines.
 *
 * Outcomes that nobody learned cost the most. Cheap are: keys with GET and INCR, or with GET and
 * APPEND, and keys whose SETs write different values. Dear are keys with several unknown APPENDs
 * next to SET or DEL: there the search may give up. */
#ifndef FLOTILLA_TESTS_SIM_LINEAR_H
#define FLOTILLA_TESTS_SIM_LINEAR_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

enum linear_kind {
    LINEAR_GET,
    LINEAR_SET,
    LINEAR_INCR,
    LINEAR_APPEND,
    LINEAR_DEL,
    LINEAR_CAS, /* WATCH … EXEC that sets a value if it found the expected one. Call: before EXEC */
};

enum linear_reply {
    LINEAR_DONE,    /* it took effect; the reply says no more (or nobody looks at it) */
    LINEAR_NUMBER,  /* of INCR: the new value; APPEND: the new length; DEL: how many */
    LINEAR_TEXT,    /* of GET */
    LINEAR_NIL,     /* of GET: no such key */
    LINEAR_ABORTED, /* of CAS: no effect, whatever the value was (a watch may see too much) */
    LINEAR_REFUSED, /* of INCR: not an integer, or out of range; no effect */
};

enum linear_verdict { LINEAR_OK, LINEAR_VIOLATED, LINEAR_GAVE_UP };

/* value: of SET, APPEND and CAS. expected: of CAS, a NULL pointer means "no such key". */
struct linear_request {
    uint32_t client;
    uint32_t key;
    enum linear_kind kind;
    struct span value;
    struct span expected;
};

struct linear_result {
    enum linear_reply reply;
    int64_t number;
    struct span text;
};

struct linear_report {
    uint64_t configurations; /* how many were visited */
    uint32_t keys;
    uint32_t gave_up; /* keys without a verdict; never to be taken for fine ones */
    /* The first key that is violated. The history of this key up to the return of `operation` has
     * no linearization, up to any earlier return it has one (except if `early`: then an earlier
     * operation may already be the one that does not fit). */
    uint32_t key;
    uint32_t operation;
    uint32_t linearized; /* operations in the longest linearization that was found */
    bool early;
    struct buf text; /* lines to print: that linearization's end, and what does not fit */
};

struct linear_history;

struct linear_history *linear_new(void);
void linear_free(struct linear_history *history);

/* How many visited configurations are remembered for one key (16 bytes each, at most half of the
 * table is used). When there are more, the search for this key is given up. */
void linear_limit(struct linear_history *history, size_t configurations);

/* Times are virtual microseconds; what was recorded first comes first at equal times. The bytes of
 * spans are copied. An operation without an outcome counts as unknown. */
uint32_t linear_call(struct linear_history *history, const struct linear_request *request,
                     uint64_t at_us);
void linear_return(struct linear_history *history, uint32_t operation, struct linear_result result,
                   uint64_t at_us);
/* It may take effect at any time after its call, or never. */
void linear_unknown(struct linear_history *history, uint32_t operation);
/* It certainly never took effect: if somebody sees an effect of it, that is a violation. */
void linear_failed(struct linear_history *history, uint32_t operation);

uint32_t linear_count(const struct linear_history *history);

/* The report is written whole; linear_report_close() frees it. The same history gives the same
 * report. */
enum linear_verdict linear_check(const struct linear_history *history,
                                 struct linear_report *report);
void linear_report_close(struct linear_report *report);

#endif
