#include "keyspace/hll.h"

#include "base/assert.h"

enum {
    MAGIC_BYTES = 4,
    ENCODING_AT = 4,
    COUNT_AT = 8,
    DENSE = 0,
    SPARSE = 1,
    COUNT_INVALID = 0x80, /* in the last byte of the count */
    INDEX_BITS = 14,
    HASH_BITS = 64 - INDEX_BITS,
    SHORT_ZEROS_MAX = 64,
    VALUE_RUN_MAX = 4,
    SPARSE_VALUE_MAX = 32,
    RUNS_TO_JOIN = 5, /* how many steps joining runs takes behind a change, at most */
};

_Static_assert(HLL_REGISTERS == 1 << INDEX_BITS, "the registers are not what the hash chooses");

static unsigned byte_at(const char *bytes)
{
    return (unsigned char)*bytes;
}

/* --- elements --- */

static uint64_t load_le(const char *from, size_t len)
{
    uint64_t word = 0;
    for (size_t i = 0; i < len; i++)
        word |= (uint64_t)byte_at(from + i) << (8 * i);
    return word;
}

static uint64_t load8_le(const char *from)
{
    uint64_t word;
    memcpy(&word, from, sizeof(word));
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? word : __builtin_bswap64(word);
}

static unsigned load3_le(const char *from)
{
    return byte_at(from) | byte_at(from + 1) << 8 | byte_at(from + 2) << 16;
}

/* MurmurHash64A with the seed of the format. */
static uint64_t hash_of(struct span element)
{
    const uint64_t factor = 0xc6a4a7935bd1e995;
    uint64_t hash = UINT64_C(0xadc83b19) ^ (element.len * factor);
    const char *at = element.ptr;
    size_t left = element.len;
    for (; left >= 8; left -= 8, at += 8) {
        uint64_t word = load8_le(at) * factor;
        word = (word ^ word >> 47) * factor;
        hash = (hash ^ word) * factor;
    }
    if (left)
        hash = (hash ^ load_le(at, left)) * factor;
    hash = (hash ^ hash >> 47) * factor;
    return hash ^ hash >> 47;
}

/* The value is the position of the lowest one among the hash bits that did not choose the register;
 * a one behind them ends the search. */
struct hll_proposal hll_propose(struct span element)
{
    uint64_t hash = hash_of(element);
    uint64_t rest = hash >> INDEX_BITS | UINT64_C(1) << HASH_BITS;
    return (struct hll_proposal){
        .at = (unsigned)(hash & (HLL_REGISTERS - 1)),
        .value = (unsigned)__builtin_ctzll(rest) + 1,
    };
}

/* --- runs --- */

struct run {
    unsigned len; /* registers */
    unsigned value;
    size_t bytes;
};

/* `left` > 0 bytes are there. False: the run's second byte is not. */
static bool run_read(const char *at, size_t left, struct run *run)
{
    unsigned byte = byte_at(at);
    if (byte & 0x80) {
        *run = (struct run){(byte & 3) + 1, (byte >> 2 & 31) + 1, 1};
        return true;
    }
    if ((byte & 0x40) == 0) {
        *run = (struct run){(byte & 63) + 1, 0, 1};
        return true;
    }
    if (left < 2)
        return false;
    *run = (struct run){((byte & 63) << 8 | byte_at(at + 1)) + 1, 0, 2};
    return true;
}

static struct run run_of(const char *at)
{
    struct run run;
    run_read(at, 2, &run);
    return run;
}

/* Returns the number of bytes. */
static size_t run_write(char *at, unsigned value, unsigned len)
{
    ASSERT(len >= 1 && value <= SPARSE_VALUE_MAX);
    if (value) {
        ASSERT(len <= VALUE_RUN_MAX);
        *at = (char)(0x80 | (value - 1) << 2 | (len - 1));
        return 1;
    }
    if (len <= SHORT_ZEROS_MAX) {
        *at = (char)(len - 1);
        return 1;
    }
    at[0] = (char)(0x40 | (len - 1) >> 8);
    at[1] = (char)((len - 1) & 0xff);
    return 2;
}

/* --- the head --- */

bool hll_is_one(struct span bytes)
{
    if (bytes.len < HLL_HEAD_BYTES || memcmp(bytes.ptr, "HYLL", MAGIC_BYTES) != 0)
        return false;
    unsigned encoding = byte_at(bytes.ptr + ENCODING_AT);
    return encoding == SPARSE || (encoding == DENSE && bytes.len == HLL_DENSE_BYTES);
}

bool hll_is_dense(struct span bytes)
{
    return bytes.ptr[ENCODING_AT] == DENSE;
}

bool hll_is_valid(struct span bytes)
{
    if (hll_is_dense(bytes))
        return true;
    unsigned registers = 0;
    struct run run;
    for (size_t at = HLL_HEAD_BYTES; at < bytes.len; at += run.bytes) {
        if (!run_read(bytes.ptr + at, bytes.len - at, &run))
            return false;
        registers += run.len;
        if (registers > HLL_REGISTERS)
            return false;
    }
    return registers == HLL_REGISTERS;
}

bool hll_kept_count(struct span bytes, uint64_t *count)
{
    *count = load8_le(bytes.ptr + COUNT_AT);
    return *count >> 63 == 0;
}

void hll_forget_count(struct hll *hll)
{
    hll->bytes[HLL_HEAD_BYTES - 1] |= (char)COUNT_INVALID;
}

void hll_init(struct hll *hll)
{
    memset(hll->bytes, 0, HLL_HEAD_BYTES);
    memcpy(hll->bytes, "HYLL", MAGIC_BYTES);
    hll->bytes[ENCODING_AT] = SPARSE;
    hll->len = HLL_HEAD_BYTES + run_write(hll->bytes + HLL_HEAD_BYTES, 0, HLL_REGISTERS);
}

void hll_copy(struct hll *hll, struct span bytes)
{
    ASSERT(bytes.len <= HLL_LONGEST);
    memcpy(hll->bytes, bytes.ptr, bytes.len);
    hll->len = bytes.len;
}

static struct span span_of_hll(const struct hll *hll)
{
    return span_of(hll->bytes, hll->len);
}

/* --- dense registers --- */

/* Four registers are in three bytes. */
static unsigned dense_get(const char *registers, unsigned at)
{
    const char *group = registers + at / 4 * 3;
    return load3_le(group) >> (at % 4 * 6) & 63;
}

bool hll_raise_dense(struct span bytes, struct hll_proposal proposal, struct hll_patch *patch)
{
    const char *registers = bytes.ptr + HLL_HEAD_BYTES;
    if (dense_get(registers, proposal.at) >= proposal.value)
        return false;
    size_t bit = (size_t)proposal.at * 6;
    unsigned shift = bit % 8;
    patch->offset = HLL_HEAD_BYTES + bit / 8;
    patch->len = shift > 2 ? 2 : 1;
    unsigned both = (unsigned)load_le(bytes.ptr + patch->offset, patch->len);
    both = (both & ~(63u << shift)) | proposal.value << shift;
    patch->bytes[0] = (char)(both & 0xff);
    patch->bytes[1] = (char)(both >> 8 & 0xff);
    return true;
}

static bool raise_in_dense(struct hll *hll, struct hll_proposal proposal)
{
    struct hll_patch patch;
    if (!hll_raise_dense(span_of_hll(hll), proposal, &patch))
        return false;
    memcpy(hll->bytes + patch.offset, patch.bytes, patch.len);
    return true;
}

void hll_make_dense(struct hll *hll)
{
    if (hll_is_dense(span_of_hll(hll)))
        return;
    struct hll_registers registers = {{0}};
    hll_merge(&registers, span_of_hll(hll));
    char *out = hll->bytes + HLL_HEAD_BYTES;
    for (unsigned i = 0; i < HLL_REGISTERS; i += 4, out += 3) {
        const unsigned char *four = registers.values + i;
        unsigned group =
            four[0] | (unsigned)four[1] << 6 | (unsigned)four[2] << 12 | (unsigned)four[3] << 18;
        out[0] = (char)(group & 0xff);
        out[1] = (char)(group >> 8 & 0xff);
        out[2] = (char)(group >> 16 & 0xff);
    }
    hll->bytes[ENCODING_AT] = DENSE;
    hll->len = HLL_DENSE_BYTES;
}

/* --- sparse registers --- */

struct found {
    struct run run;
    struct hll_place start;
    struct hll_place before; /* the run before it, or itself if it is the first */
};

/* The place to go on from stays so many runs behind: a change touches the run before it too, and
 * may join runs so that the next register is in one that began earlier. */
enum { RUNS_BEHIND = 8 };

/* The run that holds the register. */
static void find_run(const struct hll *hll, unsigned at, struct hll_place *place,
                     struct found *found)
{
    found->start = *place;
    found->before = *place;
    struct hll_place behind = *place;
    for (unsigned steps = 1;; steps++) {
        ASSERT(HLL_HEAD_BYTES + found->start.offset < hll->len);
        found->run = run_of(hll->bytes + HLL_HEAD_BYTES + found->start.offset);
        if (at < found->start.first + found->run.len)
            return;
        found->before = found->start;
        found->start.offset += found->run.bytes;
        found->start.first += found->run.len;
        if (steps % RUNS_BEHIND == 0) {
            *place = behind;
            behind = found->start;
        }
    }
}

/* What the run becomes: what is before the register, the register, what is behind it. */
static size_t split_run(char *out, struct run run, unsigned before, unsigned value)
{
    size_t len = before ? run_write(out, run.value, before) : 0;
    len += run_write(out + len, value, 1);
    unsigned behind = run.len - before - 1;
    return behind ? len + run_write(out + len, run.value, behind) : len;
}

/* Joins runs of the same value from `at` on. How far it looks is part of the format: it decides the
 * bytes. */
static void join_runs(struct hll *hll, size_t at)
{
    for (int steps = RUNS_TO_JOIN; steps && at < hll->len; steps--) {
        struct run run = run_of(hll->bytes + at);
        if (run.value && at + 1 < hll->len) {
            struct run next = run_of(hll->bytes + at + 1);
            if (next.value == run.value && run.len + next.len <= VALUE_RUN_MAX) {
                run_write(hll->bytes + at + 1, run.value, run.len + next.len);
                memmove(hll->bytes + at, hll->bytes + at + 1, hll->len - at - 1);
                hll->len--;
                continue;
            }
        }
        at += run.bytes;
    }
}

/* False: the bytes would be more than a sparse one may have. */
static bool replace_run(struct hll *hll, size_t at, size_t old_len, struct span fresh)
{
    if (fresh.len > old_len && hll->len + fresh.len - old_len > HLL_SPARSE_BYTES)
        return false;
    char *run = hll->bytes + at;
    memmove(run + fresh.len, run + old_len, hll->len - at - old_len);
    memcpy(run, fresh.ptr, fresh.len);
    hll->len = hll->len + fresh.len - old_len;
    return true;
}

static bool raise_in_sparse(struct hll *hll, struct hll_proposal proposal, struct hll_place *place)
{
    struct found found;
    find_run(hll, proposal.at, place, &found);
    if (found.run.value >= proposal.value)
        return false;
    char fresh[5];
    size_t len = proposal.value > SPARSE_VALUE_MAX
                     ? 0
                     : split_run(fresh, found.run, proposal.at - found.start.first, proposal.value);
    size_t at = HLL_HEAD_BYTES + found.start.offset;
    if (len == 0 || !replace_run(hll, at, found.run.bytes, span_of(fresh, len))) {
        hll_make_dense(hll);
        return raise_in_dense(hll, proposal);
    }
    join_runs(hll, HLL_HEAD_BYTES + found.before.offset);
    return true;
}

bool hll_raise(struct hll *hll, struct hll_proposal proposal, struct hll_place *place)
{
    if (hll_is_dense(span_of_hll(hll)))
        return raise_in_dense(hll, proposal);
    struct hll_place begin = {0};
    return raise_in_sparse(hll, proposal, place ? place : &begin);
}

/* --- all registers --- */

static void merge_dense(struct hll_registers *into, const char *bytes)
{
    for (unsigned i = 0; i < HLL_REGISTERS; i += 4, bytes += 3) {
        unsigned group = load3_le(bytes);
        for (unsigned j = 0; j < 4; j++) {
            unsigned char value = (unsigned char)(group >> (6 * j) & 63);
            if (value > into->values[i + j])
                into->values[i + j] = value;
        }
    }
}

void hll_merge(struct hll_registers *registers, struct span bytes)
{
    if (hll_is_dense(bytes)) {
        merge_dense(registers, bytes.ptr + HLL_HEAD_BYTES);
        return;
    }
    unsigned first = 0;
    for (size_t at = HLL_HEAD_BYTES; at < bytes.len;) {
        struct run run = run_of(bytes.ptr + at);
        for (unsigned i = 0; i < run.len && run.value; i++)
            if (run.value > registers->values[first + i])
                registers->values[first + i] = (unsigned char)run.value;
        first += run.len;
        at += run.bytes;
    }
}

void hll_print_runs(struct span bytes, struct buf *out)
{
    for (size_t at = HLL_HEAD_BYTES; at < bytes.len;) {
        struct run run = run_of(bytes.ptr + at);
        if (at > HLL_HEAD_BYTES)
            buf_add_char(out, ' ');
        if (run.value)
            buf_printf(out, "v:%u,%u", run.value, run.len);
        else
            buf_printf(out, "%c:%u", run.bytes == 1 ? 'z' : 'Z', run.len);
        at += run.bytes;
    }
}
