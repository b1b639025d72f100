/* HyperLogLogs in the representation of Redis, which keeps them as strings that clients may fetch
 * and set:
 *
 *     "HYLL" | encoding | 3 bytes | count: 8 bytes, little-endian; the highest bit: not valid
 *
 * Behind this head are 16384 registers. Dense: 6 bits each, the lowest bits of the first byte
 * first. Sparse: runs of registers,
 *
 *     00nnnnnn           n + 1 registers of 0
 *     01nnnnnn nnnnnnnn  n + 1 registers of 0
 *     1vvvvvnn           n + 1 registers of v + 1
 *
 * An element's hash chooses a register and proposes a value for it; the register keeps the highest.
 * All functions are pure, and use no function of the C library whose result may differ. */
#ifndef FLOTILLA_KEYSPACE_HLL_H
#define FLOTILLA_KEYSPACE_HLL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

enum {
    HLL_REGISTERS = 16384,
    HLL_HEAD_BYTES = 16,
    HLL_DENSE_BYTES = HLL_HEAD_BYTES + HLL_REGISTERS * 6 / 8,
    HLL_LONGEST = HLL_HEAD_BYTES + 2 * HLL_REGISTERS, /* of all valid sparse ones */
    /* A sparse one that would become longer becomes dense. It is the default of
     * hll-sparse-max-bytes, and the same on all nodes, because clients see the bytes. */
    HLL_SPARSE_BYTES = 3000,
};

/* Which register an element belongs to, and the value that it proposes. */
struct hll_proposal {
    unsigned at;
    unsigned value;
};
struct hll_proposal hll_propose(struct span element);

/* Whether the head and the length are those of a HyperLogLog. All functions below need this. */
bool hll_is_one(struct span bytes);
bool hll_is_dense(struct span bytes);
/* Whether the runs of a sparse one are all of the registers and nothing else. A dense one is always
 * valid. */
bool hll_is_valid(struct span bytes);

/* The count that is kept in the head; false: it is not valid. */
bool hll_kept_count(struct span bytes, uint64_t *count);

/* One that is being changed. */
struct hll {
    size_t len;
    char bytes[HLL_LONGEST];
};
void hll_init(struct hll *hll);                    /* sparse, without elements */
void hll_copy(struct hll *hll, struct span bytes); /* must be valid */
void hll_make_dense(struct hll *hll);
/* The count in the head is no longer valid. */
void hll_forget_count(struct hll *hll);

/* A run behind the head. Zero-initialised is the first. */
struct hll_place {
    size_t offset;
    unsigned first; /* register */
};
/* Raises a register to the value; false: it had this value or a higher one. `place` lets one who
 * raises registers in ascending order go on where he was; otherwise it is NULL. */
bool hll_raise(struct hll *hll, struct hll_proposal proposal, struct hll_place *place);

/* The same in the bytes of a dense one: the change that is to be made. */
struct hll_patch {
    size_t offset;
    size_t len;
    char bytes[2];
};
bool hll_raise_dense(struct span bytes, struct hll_proposal proposal, struct hll_patch *patch);

/* Registers as bytes. */
struct hll_registers {
    unsigned char values[HLL_REGISTERS];
};
/* Raises each register to that of a valid one. */
void hll_merge(struct hll_registers *registers, struct span bytes);

uint64_t hll_count(struct span bytes); /* of a valid one */
uint64_t hll_count_registers(const struct hll_registers *registers);

/* The runs of a valid sparse one as PFDEBUG DECODE shows them. */
void hll_print_runs(struct span bytes, struct buf *out);

#endif
