#include "keyspace/rdb_lzf.h"

#include "base/mem.h"

enum {
    RUN_MAX = 32,
    MATCH_MIN = 3,
    MATCH_MAX = 264,
    DISTANCE_MAX = 8192,
    SLOTS = 1 << 16,
    CLOSING_BYTES = 3, /* what Redis keeps free at the end for the last bytes of the text */
    HEADROOM = 2,      /* the head of a run that gets no bytes */
};

/* Packing. To give the bytes that Redis gives, a packer has to find the same matches. It knows one
 * position for each slot, the last one that it has seen, and three bytes decide the slot. */
struct packer {
    const unsigned char *in;
    size_t len;
    uint32_t *positions; /* plus 1; 0: none */
    size_t mask;
    unsigned char *out; /* has room for `most` bytes and HEADROOM */
    size_t used;
    size_t most;
    size_t run; /* bytes of the open run, whose head stands before them */
};

static unsigned slot_of(const unsigned char *at)
{
    unsigned first = (unsigned)at[0] << 8 | at[1];
    unsigned second = (unsigned)at[1] << 8 | at[2];
    return (first - second * 5) & (SLOTS - 1);
}

/* Where the position of a slot is kept. The table of a short text has fewer places than there are
 * slots; a place that another slot has taken is passed over. */
static uint32_t *place_of(const struct packer *packer, unsigned slot)
{
    if (packer->mask == SLOTS - 1)
        return &packer->positions[slot];
    size_t at = slot & packer->mask;
    while (packer->positions[at] && slot_of(packer->in + packer->positions[at] - 1) != slot)
        at = (at + 1) & packer->mask;
    return &packer->positions[at];
}

static void begin_run(struct packer *packer)
{
    packer->run = 0;
    packer->used++;
}

static void end_run(struct packer *packer)
{
    if (packer->run)
        packer->out[packer->used - packer->run - 1] = (unsigned char)(packer->run - 1);
    else
        packer->used--;
}

static void add_byte(struct packer *packer, unsigned char byte)
{
    packer->out[packer->used++] = byte;
    if (++packer->run < RUN_MAX)
        return;
    end_run(packer);
    begin_run(packer);
}

/* Remembers the position and returns the one before in its slot. False: no match begins there. The
 * first byte of the text is never matched. */
static bool find_match(const struct packer *packer, size_t at, size_t *from)
{
    uint32_t *place = place_of(packer, slot_of(packer->in + at));
    uint32_t seen = *place;
    *place = (uint32_t)(at + 1);
    if (seen < 2 || at - (seen - 1) > DISTANCE_MAX)
        return false;
    *from = seen - 1;
    return memcmp(packer->in + *from, packer->in + at, MATCH_MIN) == 0;
}

/* A match ends two bytes before the end of the text, but for two lengths: Redis compares 19 bytes
 * at once if at least 17 are allowed. */
static size_t match_len(const struct packer *packer, size_t from, size_t at)
{
    enum { AT_ONCE_FROM = 17, AT_ONCE = 19 };
    size_t most = packer->len - at - 2;
    if (most > MATCH_MAX)
        most = MATCH_MAX;
    if (most >= AT_ONCE_FROM && most < AT_ONCE)
        most = AT_ONCE;
    size_t len = MATCH_MIN;
    while (len < most && packer->in[from + len] == packer->in[at + len])
        len++;
    return len;
}

/* False: there is no room. */
static bool add_match(struct packer *packer, size_t distance, size_t len)
{
    enum { LONG = 7, SHORTEST = 2 };
    size_t needed = packer->used - (packer->run == 0) + CLOSING_BYTES + 1;
    if (needed >= packer->most)
        return false;
    end_run(packer);
    size_t back = distance - 1;
    size_t count = len - SHORTEST;
    packer->out[packer->used++] = (unsigned char)((count < LONG ? count : LONG) << 5 | back >> 8);
    if (count >= LONG)
        packer->out[packer->used++] = (unsigned char)(count - LONG);
    packer->out[packer->used++] = (unsigned char)(back & 0xff);
    begin_run(packer);
    return true;
}

/* Of the bytes within a match only the last two positions are remembered. */
static void remember_end(const struct packer *packer, size_t end)
{
    for (size_t at = end - 2; at < end; at++)
        *place_of(packer, slot_of(packer->in + at)) = (uint32_t)(at + 1);
}

static bool pack(struct packer *packer)
{
    size_t at = 0;
    begin_run(packer);
    while (at + 2 < packer->len) {
        size_t from;
        if (!find_match(packer, at, &from)) {
            if (packer->used >= packer->most)
                return false;
            add_byte(packer, packer->in[at++]);
            continue;
        }
        size_t len = match_len(packer, from, at);
        if (!add_match(packer, at - from, len))
            return false;
        at += len;
        if (at + 2 < packer->len)
            remember_end(packer, at);
    }
    if (packer->used + CLOSING_BYTES > packer->most)
        return false;
    while (at < packer->len)
        add_byte(packer, packer->in[at++]);
    end_run(packer);
    return true;
}

/* A text can be made so that most of its slots want the same places: only short ones share any. */
static size_t places_for(size_t len)
{
    enum { SHORT = 512, FEWEST = 64 };
    if (len > SHORT)
        return SLOTS;
    size_t places = FEWEST;
    while (places < 2 * len)
        places *= 2;
    return places;
}

bool rdb_pack(struct span text, struct buf *out)
{
    if (text.len <= RDB_LZF_SPARED || text.len >= UINT32_MAX)
        return false;
    size_t places = places_for(text.len);
    size_t most = text.len - RDB_LZF_SPARED;
    struct packer packer = {
        .in = (const unsigned char *)text.ptr,
        .len = text.len,
        .positions = mem_zalloc(places * sizeof(*packer.positions)),
        .mask = places - 1,
        .out = (unsigned char *)buf_reserve(out, most + HEADROOM),
        .most = most,
    };
    bool fits = pack(&packer);
    if (fits)
        out->len += packer.used;
    mem_free(packer.positions);
    return fits;
}

/* Unpacking. */

bool rdb_packed_plausible(uint64_t packed, uint64_t unpacked)
{
    return packed > 0 && unpacked > 0 && unpacked / 88 <= packed;
}

/* The source may overlap the output, so bytes are copied one by one. */
static bool copy_back(struct buf *out, size_t distance, size_t len)
{
    if (distance > out->len)
        return false;
    char *to = buf_reserve(out, len);
    for (size_t i = 0; i < len; i++)
        to[i] = to[(ptrdiff_t)i - (ptrdiff_t)distance];
    out->len += len;
    return true;
}

bool rdb_unpack(struct span packed, size_t len, struct buf *out)
{
    const unsigned char *at = (const unsigned char *)packed.ptr;
    const unsigned char *end = at + packed.len;
    out->len = 0;
    buf_reserve(out, len);
    while (at < end) {
        unsigned control = *at++;
        size_t count = control >> 5;
        if (count == 0) {
            count = control + 1;
            if (count > (size_t)(end - at) || count > len - out->len)
                return false;
            buf_add(out, at, count);
            at += count;
            continue;
        }
        if (count == 7 && at < end)
            count += *at++;
        count += 2;
        if (at == end || count > len - out->len)
            return false;
        size_t distance = ((size_t)(control & 0x1f) << 8 | *at++) + 1;
        if (!copy_back(out, distance, count))
            return false;
    }
    return out->len == len;
}
