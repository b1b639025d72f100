/* The search for a linearization of one key's operations. */
#ifndef FLOTILLA_TESTS_SIM_LINEAR_SEARCH_H
#define FLOTILLA_TESTS_SIM_LINEAR_SEARCH_H

#include "sim/linear_model.h"

/* Only 128 bits of each configuration are kept. That two share them among the few millions of a
 * search has a probability below 10^-24. */
struct print {
    uint64_t a;
    uint64_t b;
};

struct visited {
    struct print *table;
    size_t cap; /* a power of two */
    size_t count;
    size_t limit;
};

struct entry {
    const struct operation *operation;
    uint32_t call; /* its nodes; back is 0 if it never returned */
    uint32_t back;
    uint32_t equal; /* the optional one before it that is equal, or LINEAR_NONE */
    bool done;
};

/* Calls and returns in order of time: a node's index is its rank. Optional calls have their own
 * list. Nodes 0 and `optional` head the two circular lists. */
struct node {
    struct moment moment;
    uint32_t entry;
    bool is_return;
    uint32_t next;
    uint32_t prev;
};

struct configuration {
    struct value value;
    struct print set; /* of operations that were linearized */
    uint32_t bound;   /* the first return: what was called later has to wait for it */
    uint32_t cursor;  /* the node to try next */
    uint32_t taken;   /* the entry that led from here to the next configuration */
    enum unseen unseen;
    bool only; /* nothing but `taken` needs to be tried */
};

struct search {
    const struct linear_history *history;
    struct entry *entries;
    struct node *nodes;
    struct configuration *stack;
    uint32_t count; /* of entries */
    uint32_t depth;
    uint32_t optional;
    uint64_t steps;
    struct visited visited;
    /* Look-ahead for keys that are only appended to: hashes of the longest read value's prefixes;
     * for each node the longest value that fits all calls from there on. */
    uint64_t *prefixes;
    size_t prefixes_len;
    uint32_t *ceilings;
    /* The configuration that came farthest: by its first return, then by its operations. */
    uint32_t *best;
    uint32_t best_depth;
    uint32_t best_bound;
    uint32_t best_shared; /* so many of best are those of the stack */
};

/* operations: the numbers of those of one key, in the order of their calls. */
void linear_search_open(struct search *search, const struct linear_history *history,
                        const uint32_t *operations, uint32_t count);
void linear_search_close(struct search *search);

/* Makes the search for keys that are only appended to and read faster; for others it does nothing.
 */
void linear_search_look_ahead(struct search *search);
enum linear_verdict linear_search_run(struct search *search);

#endif
