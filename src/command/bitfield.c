/* BITFIELD: integers of any width within a string. */
#include "base/bits.h"
#include "command/access.h"
#include "command/bit.h"
#include "command/data.h"
#include "command/text.h"

enum field_verb { FIELD_GET, FIELD_SET, FIELD_INCRBY };
enum field_overflow { OVERFLOW_WRAP, OVERFLOW_SAT, OVERFLOW_FAIL };

struct field {
    enum field_verb verb;
    bool is_signed;
    unsigned width;
    uint64_t offset;
    int64_t operand;
};

/* The arguments, read one operation after the other: first all of them for errors, then again to
 * carry them out. */
struct fields {
    const struct span *args;
    size_t argc;
    size_t at;
    enum field_overflow overflow;
};

struct plan {
    size_t count; /* operations with a reply */
    bool writes;
    size_t len; /* that the writes need */
};

static bool parse_type(struct span text, struct field *field)
{
    int64_t width;
    if (text.len < 2 || (text.ptr[0] != 'i' && text.ptr[0] != 'u'))
        return false;
    field->is_signed = text.ptr[0] == 'i';
    if (!number_parse_i64(span_of(text.ptr + 1, text.len - 1), &width))
        return false;
    field->width = (unsigned)width;
    return width >= 1 && width <= (field->is_signed ? 64 : 63);
}

static bool parse_overflow(struct command_context *context, struct span word,
                           enum field_overflow *overflow)
{
    if (span_is(word, "wrap"))
        *overflow = OVERFLOW_WRAP;
    else if (span_is(word, "sat"))
        *overflow = OVERFLOW_SAT;
    else if (span_is(word, "fail"))
        *overflow = OVERFLOW_FAIL;
    else {
        resp_error(context->reply, "ERR Invalid OVERFLOW type specified");
        return false;
    }
    return true;
}

/* The verb of the next operation with all of its arguments there. */
static bool parse_verb(const struct fields *fields, struct field *field)
{
    struct span word = fields->args[fields->at];
    size_t more = fields->argc - fields->at - 1;
    if (span_is(word, "get") && more >= 2)
        field->verb = FIELD_GET;
    else if (span_is(word, "set") && more >= 3)
        field->verb = FIELD_SET;
    else if (span_is(word, "incrby") && more >= 3)
        field->verb = FIELD_INCRBY;
    else
        return false;
    return true;
}

static bool parse_field(struct command_context *context, struct fields *fields, struct field *field)
{
    if (!parse_verb(fields, field)) {
        resp_error(context->reply, ERROR_SYNTAX);
        return false;
    }
    const struct span *operands = fields->args + fields->at + 1;
    fields->at += field->verb == FIELD_GET ? 3 : 4;
    if (!parse_type(operands[0], field)) {
        resp_error(context->reply,
                   "ERR Invalid bitfield type. Use something like i16 u8. Note that "
                   "u64 is not supported but i64 is.");
        return false;
    }
    if (!bit_parse_offset(context, operands[1], field->width, &field->offset))
        return false;
    return field->verb == FIELD_GET || command_parse_integer(context, operands[2], &field->operand);
}

/* Skips OVERFLOW, which holds for what follows it. False: an error, or with *done the end. */
static bool next_field(struct command_context *context, struct fields *fields, struct field *field,
                       bool *done)
{
    while (fields->at + 1 < fields->argc && span_is(fields->args[fields->at], "overflow")) {
        if (!parse_overflow(context, fields->args[fields->at + 1], &fields->overflow))
            return false;
        fields->at += 2;
    }
    *done = fields->at >= fields->argc;
    return !*done && parse_field(context, fields, field);
}

static bool make_plan(struct command_context *context, struct fields fields, struct plan *plan)
{
    *plan = (struct plan){0};
    struct field field;
    bool done = false;
    while (next_field(context, &fields, &field, &done)) {
        plan->count++;
        if (field.verb == FIELD_GET)
            continue;
        plan->writes = true;
        size_t len = (size_t)((field.offset + field.width + 7) / 8);
        if (len > plan->len)
            plan->len = len;
    }
    return done;
}

static uint64_t mask_of(const struct field *field)
{
    return UINT64_MAX >> (64 - field->width);
}

static int64_t lowest(const struct field *field)
{
    return field->is_signed ? (int64_t)(UINT64_MAX << (field->width - 1)) : 0;
}

static int64_t highest(const struct field *field)
{
    return (int64_t)(mask_of(field) >> field->is_signed);
}

/* Numbers of up to 63 bits without a sign, and of up to 64 with one, fit an int64_t. */
static int64_t number_of(const struct field *field, uint64_t bits)
{
    bits &= mask_of(field);
    if (field->is_signed && bits >> (field->width - 1))
        bits |= ~mask_of(field);
    return (int64_t)bits;
}

enum beyond { BEYOND_NOTHING, BEYOND_HIGHEST, BEYOND_LOWEST };

/* An operand of SET counts without a sign for a field that has none: negative is far too high. */
static enum beyond set_beyond(const struct field *field)
{
    if (field->operand > highest(field) || (!field->is_signed && field->operand < 0))
        return BEYOND_HIGHEST;
    return field->operand < lowest(field) ? BEYOND_LOWEST : BEYOND_NOTHING;
}

/* Compares distances, because the sum may not fit. */
static enum beyond sum_beyond(const struct field *field, int64_t old)
{
    uint64_t up = (uint64_t)highest(field) - (uint64_t)old;
    uint64_t down = (uint64_t)old - (uint64_t)lowest(field);
    if (field->operand > 0 && (uint64_t)field->operand > up)
        return BEYOND_HIGHEST;
    if (field->operand < 0 && 0 - (uint64_t)field->operand > down)
        return BEYOND_LOWEST;
    return BEYOND_NOTHING;
}

/* False: the number does not fit and OVERFLOW FAIL was asked for. */
static bool changed(const struct field *field, enum field_overflow overflow, int64_t old,
                    int64_t *fresh)
{
    bool sets = field->verb == FIELD_SET;
    enum beyond beyond = sets ? set_beyond(field) : sum_beyond(field, old);
    uint64_t sum = (sets ? 0 : (uint64_t)old) + (uint64_t)field->operand;
    *fresh = number_of(field, sum);
    if (beyond == BEYOND_NOTHING || overflow == OVERFLOW_WRAP)
        return true;
    *fresh = beyond == BEYOND_HIGHEST ? highest(field) : lowest(field);
    return overflow == OVERFLOW_SAT;
}

static void run_field(struct command_context *context, struct text *text, const struct field *field,
                      enum field_overflow overflow)
{
    int64_t old = number_of(field, bits_read(text->bytes, field->offset, field->width));
    int64_t fresh;
    if (field->verb == FIELD_GET) {
        resp_integer(context->reply, old);
        return;
    }
    if (!changed(field, overflow, old, &fresh)) {
        resp_null(context->reply);
        return;
    }
    struct bits_patch patch;
    bits_patch(text->bytes, field->offset, field->width, (uint64_t)fresh, &patch);
    text_write(context, text, patch.offset, span_of(patch.bytes, patch.len));
    context->dirty++;
    resp_integer(context->reply, field->verb == FIELD_SET ? old : fresh);
}

static void run(struct command_context *context, struct fields fields, const struct plan *plan,
                struct text *text)
{
    struct field field;
    bool done;
    resp_array(context->reply, plan->count);
    while (next_field(context, &fields, &field, &done))
        run_field(context, text, &field, fields.overflow);
}

/* As in Redis, room for all writes is made first, even for one that then fails. */
static bool make_room(struct command_context *context, struct text *text, const struct plan *plan)
{
    if (plan->len > STRING_LEN_MAX) {
        resp_error(context->reply, ERROR_TOO_LONG);
        return false;
    }
    if (plan->len > text->bytes.len)
        text_write(context, text, plan->len, SPAN(""));
    return true;
}

void command_bitfield_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct fields fields = {args, argc, 2, OVERFLOW_WRAP};
    struct plan plan;
    struct text text;
    if (!make_plan(context, fields, &plan) || !text_edit(context, args[1], &text))
        return;
    if (!plan.writes)
        command_count_lookup(context, text.item);
    if (make_room(context, &text, &plan))
        run(context, fields, &plan, &text);
}

void command_bitfield_ro_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct fields fields = {args, argc, 2, OVERFLOW_WRAP};
    struct plan plan;
    struct text text;
    if (!make_plan(context, fields, &plan))
        return;
    if (plan.writes) {
        resp_error(context->reply, "ERR BITFIELD_RO only supports the GET subcommand");
        return;
    }
    if (text_read(context, args[1], &text))
        run(context, fields, &plan, &text);
}

/* Zeros fill the string up to the highest offset behind its end. */
size_t command_bitfield_work(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    size_t most = 0;
    struct field field;
    for (size_t i = 4; i < argc; i++) {
        bool is_offset = parse_type(args[i - 1], &field) && !span_is(args[i - 2], "get");
        if (!is_offset || !bit_offset_of(args[i], field.width, &field.offset))
            continue;
        if (field.offset / 8 > most)
            most = (size_t)(field.offset / 8);
    }
    return most && most > text_len(keyspace, args[1]) ? most : 0;
}
