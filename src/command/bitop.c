/* BITOP: strings combined bit by bit. */
#include "base/bits.h"
#include "base/mem.h"
#include "command/access.h"
#include "command/bit.h"
#include "command/data.h"
#include "command/text.h"

/* The block of the result that is worked on stays in the processor's cache, so that each source is
 * read once and the result written once. */
enum { BLOCK_BYTES = 8 * 1024, FIRST_SOURCE = 3, EMBSTR_MAX = 44 };

struct bitop {
    enum bits_operation operation;
    bool inverts;
    struct text *sources;
    size_t count;
    size_t len; /* of the longest source */
    uint64_t bytes;
};

static bool parse(struct command_context *context, const struct span *args, size_t argc,
                  struct bitop *bitop)
{
    *bitop = (struct bitop){.operation = BITS_OR};
    if (span_is(args[1], "and"))
        bitop->operation = BITS_AND;
    else if (span_is(args[1], "xor"))
        bitop->operation = BITS_XOR;
    else if (span_is(args[1], "not"))
        bitop->inverts = true;
    else if (!span_is(args[1], "or")) {
        resp_error(context->reply, ERROR_SYNTAX);
        return false;
    }
    if (bitop->inverts && argc != FIRST_SOURCE + 1) {
        resp_error(context->reply, "ERR BITOP NOT must be called with a single source key.");
        return false;
    }
    bitop->count = argc - FIRST_SOURCE;
    return true;
}

static bool find_sources(struct command_context *context, const struct span *args,
                         struct bitop *bitop)
{
    for (size_t i = 0; i < bitop->count; i++) {
        struct text *source = &bitop->sources[i];
        if (!text_edit(context, args[FIRST_SOURCE + i], source))
            return false;
        command_count_lookup(context, source->item);
        bitop->bytes += source->bytes.len;
        if (source->bytes.len > bitop->len)
            bitop->len = source->bytes.len;
    }
    return true;
}

/* The part of a source within a block; empty if the source ends before it. */
static struct span part_of(const struct text *source, size_t at, size_t len)
{
    size_t left = source->bytes.len > at ? source->bytes.len - at : 0;
    return left ? span_of(source->bytes.ptr + at, left < len ? left : len) : SPAN("");
}

static void fill_block(const struct bitop *bitop, char *block, size_t at, size_t len)
{
    struct span part = part_of(&bitop->sources[0], at, len);
    if (part.len)
        memcpy(block, part.ptr, part.len);
    memset(block + part.len, 0, len - part.len);
    for (size_t i = 1; i < bitop->count; i++) {
        part = part_of(&bitop->sources[i], at, len);
        bits_combine(bitop->operation, block, part.ptr, part.len);
        if (bitop->operation == BITS_AND)
            memset(block + part.len, 0, len - part.len);
    }
    if (bitop->inverts)
        bits_invert(block, len);
}

static void store(struct command_context *context, struct span key, const struct bitop *bitop)
{
    char *result = mem_alloc(bitop->len);
    for (size_t at = 0; at < bitop->len; at += BLOCK_BYTES) {
        size_t left = bitop->len - at;
        fill_block(bitop, result + at, at, left < BLOCK_BYTES ? left : BLOCK_BYTES);
    }
    struct span bytes = span_of(result, bitop->len);
    bool is_short = bytes.len <= EMBSTR_MAX;
    struct item *item = keyspace_set_string(context->keyspace, key, is_short ? SPAN("") : bytes,
                                            false, context->revision);
    item_touch(item, context->now_ms);
    if (is_short) /* never stored as an integer */
        keyspace_write(context->keyspace, item, 0, bytes, context->revision);
    mem_free(result);
    context->dirty++;
}

/* An empty result removes the key. */
static void run(struct command_context *context, struct span key, const struct bitop *bitop)
{
    context->work += bitop->bytes / BIT_BYTES_PER_WORK + bitop->len;
    if (bitop->len) {
        store(context, key, bitop);
    } else {
        struct item *item = command_write_item(context, key);
        if (item) {
            keyspace_remove_item(context->keyspace, item, context->revision);
            context->dirty++;
        }
    }
    resp_integer(context->reply, (int64_t)bitop->len);
}

void command_bitop_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct bitop bitop;
    if (!parse(context, args, argc, &bitop))
        return;
    bitop.sources = mem_alloc(bitop.count * sizeof(*bitop.sources));
    if (find_sources(context, args, &bitop))
        run(context, args[2], &bitop);
    mem_free(bitop.sources);
}

size_t command_bitop_work(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    size_t work = 0;
    for (size_t i = FIRST_SOURCE; i < argc; i++)
        work += text_len(keyspace, args[i]);
    return work;
}
