/* Single bits of strings, and counting and finding them. */
#include "command/bit.h"

#include "base/bits.h"
#include "command/access.h"
#include "command/data.h"
#include "command/text.h"

#define ERROR_OFFSET "ERR bit offset is not an integer or out of range"

bool bit_offset_of(struct span text, unsigned width, uint64_t *offset)
{
    bool in_fields = width && text.len && text.ptr[0] == '#';
    if (in_fields)
        text = span_of(text.ptr + 1, text.len - 1);
    int64_t number;
    if (!number_parse_i64(text, &number) || number < 0)
        return false;
    uint64_t unit = in_fields ? width : 1;
    if ((uint64_t)number > UINT64_MAX / unit)
        return false;
    *offset = (uint64_t)number * unit;
    return *offset / 8 < STRING_LEN_MAX;
}

bool bit_parse_offset(struct command_context *context, struct span text, unsigned width,
                      uint64_t *offset)
{
    if (bit_offset_of(text, width, offset))
        return true;
    resp_error(context->reply, ERROR_OFFSET);
    return false;
}

/* The bytes between the old end and the offset are filled with zeros. */
size_t command_setbit_work(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    uint64_t offset;
    if (argc != 4 || !bit_offset_of(args[2], 0, &offset))
        return 0;
    return offset / 8 > text_len(keyspace, args[1]) ? (size_t)(offset / 8) : 0;
}

/* A bit that has its value already is no change for WATCH, unless the string grows. */
void command_setbit_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    uint64_t offset;
    if (!bit_parse_offset(context, args[2], 0, &offset))
        return;
    bool on = span_equal(args[3], SPAN("1"));
    if (!on && !span_equal(args[3], SPAN("0"))) {
        resp_error(context->reply, "ERR bit is not an integer or out of range");
        return;
    }
    struct text text;
    if (!text_edit(context, args[1], &text))
        return;
    bool was_on = bits_read(text.bytes, offset, 1);
    if (was_on != on || offset / 8 >= text.bytes.len) {
        struct bits_patch patch;
        bits_patch(text.bytes, offset, 1, on, &patch);
        text_write(context, &text, patch.offset, span_of(patch.bytes, patch.len));
        context->dirty++;
    }
    resp_integer(context->reply, was_on);
}

void command_getbit_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    uint64_t offset;
    struct text text;
    if (bit_parse_offset(context, args[2], 0, &offset) && text_read(context, args[1], &text))
        resp_integer(context->reply, (int64_t)bits_read(text.bytes, offset, 1));
}

/* The range that the arguments of BITCOUNT and BITPOS name, in bytes or bits. */
struct wanted {
    int64_t from;
    int64_t to;
    bool in_bits;
};

static bool parse_unit(struct command_context *context, struct span word, struct wanted *wanted)
{
    wanted->in_bits = span_is(word, "bit");
    if (wanted->in_bits || span_is(word, "byte"))
        return true;
    resp_error(context->reply, ERROR_SYNTAX);
    return false;
}

/* Negative ends count from the end. False: nothing is in the range. */
static bool range_of(const struct wanted *wanted, size_t len, struct bit_range *range)
{
    int64_t units = (int64_t)len * (wanted->in_bits ? 8 : 1);
    int64_t from = wanted->from;
    int64_t to = wanted->to;
    if (from < 0)
        from = from + units < 0 ? 0 : from + units;
    if (to < 0)
        to = to + units < 0 ? 0 : to + units;
    if (to >= units)
        to = units - 1;
    if (from > to)
        return false;
    if (wanted->in_bits)
        *range = (struct bit_range){(uint64_t)from, (uint64_t)to};
    else
        *range = (struct bit_range){(uint64_t)from * 8, (uint64_t)to * 8 + 7};
    return true;
}

static void charge(struct command_context *context, const struct bit_range *range)
{
    context->work += (range->to - range->from) / 8 / BIT_BYTES_PER_WORK;
}

size_t command_bit_scan_work(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    return argc < 2 ? 0 : text_len(keyspace, args[1]);
}

static bool both_negative_and_crossed(const struct wanted *wanted)
{
    return wanted->from < 0 && wanted->to < 0 && wanted->from > wanted->to;
}

/* As in Redis, an absent key and a crossed range are answered before the rest is read. */
void command_bitcount_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct text text;
    struct wanted wanted = {0, -1, false};
    if (!text_read(context, args[1], &text))
        return;
    if (!text.item) {
        resp_integer(context->reply, 0);
        return;
    }
    if (argc == 3 || argc > 5) {
        resp_error(context->reply, ERROR_SYNTAX);
        return;
    }
    if (argc >= 4 && (!command_parse_integer(context, args[2], &wanted.from) ||
                      !command_parse_integer(context, args[3], &wanted.to)))
        return;
    bool crossed = both_negative_and_crossed(&wanted);
    if (!crossed && argc == 5 && !parse_unit(context, args[4], &wanted))
        return;
    struct bit_range range;
    if (crossed || !range_of(&wanted, text.bytes.len, &range)) {
        resp_integer(context->reply, 0);
        return;
    }
    charge(context, &range);
    resp_integer(context->reply, (int64_t)bits_count(text.bytes, range));
}

static bool parse_bitpos(struct command_context *context, const struct span *args, size_t argc,
                         struct wanted *wanted)
{
    *wanted = (struct wanted){0, -1, false};
    if (argc > 6) {
        resp_error(context->reply, ERROR_SYNTAX);
        return false;
    }
    if (argc >= 4 && !command_parse_integer(context, args[3], &wanted->from))
        return false;
    if (argc == 6 && !parse_unit(context, args[5], wanted))
        return false;
    return argc < 5 || command_parse_integer(context, args[4], &wanted->to);
}

void command_bitpos_run(struct command_context *context, const struct span *args, size_t argc)
{
    int64_t bit;
    if (!command_parse_integer(context, args[2], &bit))
        return;
    if (bit != 0 && bit != 1) {
        resp_error(context->reply, "ERR The bit argument must be 1 or 0.");
        return;
    }
    struct text text;
    struct wanted wanted;
    if (!text_read(context, args[1], &text))
        return;
    if (!text.item) {
        resp_integer(context->reply, bit ? -1 : 0);
        return;
    }
    if (!parse_bitpos(context, args, argc, &wanted))
        return;
    struct bit_range range;
    if (!range_of(&wanted, text.bytes.len, &range)) {
        resp_integer(context->reply, -1);
        return;
    }
    charge(context, &range);
    uint64_t found = bits_find(text.bytes, bit, range);
    /* Behind the end of a string are zeros, unless the range has an end of its own. */
    if (found == BITS_NONE && bit == 0 && argc < 5)
        found = (uint64_t)text.bytes.len * 8;
    resp_integer(context->reply, found == BITS_NONE ? -1 : (int64_t)found);
}
