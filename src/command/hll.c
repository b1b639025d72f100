/* HyperLogLogs: strings in a representation of their own (keyspace/hll.h). */
#include "keyspace/hll.h"

#include "base/mem.h"
#include "command/access.h"
#include "command/data.h"
#include "command/text.h"

#define ERROR_NO_HLL    "WRONGTYPE Key is not a valid HyperLogLog string value."
#define ERROR_CORRUPTED "INVALIDOBJ Corrupted HLL object detected"

/* The cost of looking at all registers of one, and of reading one run or byte of it. */
enum { WORK_OF_REGISTERS = 20 * 1000, WORK_PER_BYTE = 2 };

static bool check_head(struct command_context *context, const struct text *text)
{
    if (!text->item || hll_is_one(text->bytes))
        return true;
    resp_error(context->reply, ERROR_NO_HLL);
    return false;
}

/* An absent key is valid. */
static bool check_all(struct command_context *context, const struct text *text)
{
    if (!check_head(context, text))
        return false;
    if (!text->item)
        return true;
    context->work += text->bytes.len * WORK_PER_BYTE;
    if (hll_is_valid(text->bytes))
        return true;
    resp_error(context->reply, ERROR_CORRUPTED);
    return false;
}

/* Stores it with a count that is no longer valid. */
static void store(struct command_context *context, struct text *text, struct hll *hll)
{
    hll_forget_count(hll);
    struct span bytes = span_of(hll->bytes, hll->len);
    if (bytes.len == text->bytes.len)
        text_write(context, text, 0, bytes);
    else
        text_replace(context, text, bytes);
}

static void forget_count_in_place(struct command_context *context, struct text *text)
{
    uint64_t count;
    if (!hll_kept_count(text->bytes, &count))
        return;
    char last = (char)(text->bytes.ptr[HLL_HEAD_BYTES - 1] | (char)0x80);
    text_write(context, text, HLL_HEAD_BYTES - 1, span_of(&last, 1));
}

/* Changes only the bytes of registers that change. */
static uint64_t add_to_dense(struct command_context *context, struct text *text,
                             const struct span *elements, size_t count)
{
    uint64_t changes = 0;
    for (size_t i = 0; i < count; i++) {
        struct hll_patch patch;
        if (!hll_raise_dense(text->bytes, hll_propose(elements[i]), &patch))
            continue;
        text_write(context, text, patch.offset, span_of(patch.bytes, patch.len));
        changes++;
    }
    if (changes)
        forget_count_in_place(context, text);
    return changes;
}

static uint64_t add_to_sparse(struct command_context *context, struct text *text,
                              const struct span *elements, size_t count)
{
    struct hll hll;
    uint64_t changes = 0;
    if (text->item) {
        hll_copy(&hll, text->bytes);
    } else {
        hll_init(&hll);
        changes++;
    }
    for (size_t i = 0; i < count; i++) {
        context->work += hll_is_dense(span_of(hll.bytes, hll.len)) ? 0 : hll.len * WORK_PER_BYTE;
        changes += hll_raise(&hll, hll_propose(elements[i]), NULL);
    }
    if (changes)
        store(context, text, &hll);
    return changes;
}

void command_pfadd_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct text text;
    if (!text_edit(context, args[1], &text))
        return;
    if (!check_head(context, &text))
        return;
    bool is_dense = text.item && hll_is_dense(text.bytes); /* then it has no runs, only registers */
    /* Without elements the runs are not looked at, as in Redis. */
    if (argc > 2 && !is_dense && !check_all(context, &text))
        return;
    uint64_t changes = 0;
    if (is_dense)
        changes = add_to_dense(context, &text, args + 2, argc - 2);
    else if (!text.item || argc > 2)
        changes = add_to_sparse(context, &text, args + 2, argc - 2);
    context->dirty += changes;
    resp_integer(context->reply, changes ? 1 : 0);
}

static void count_one(struct command_context *context, struct span key)
{
    struct text text;
    uint64_t count = 0;
    if (!text_read(context, key, &text) || !check_head(context, &text))
        return;
    if (text.item && !hll_kept_count(text.bytes, &count)) {
        if (!check_all(context, &text))
            return;
        context->work += WORK_OF_REGISTERS;
        count = hll_count(text.bytes);
    }
    resp_integer(context->reply, (int64_t)count);
}

static bool merge_key(struct command_context *context, struct hll_registers *registers,
                      const struct text *text)
{
    if (!check_all(context, text))
        return false;
    if (text->item)
        hll_merge(registers, text->bytes);
    return true;
}

void command_pfcount_run(struct command_context *context, const struct span *args, size_t argc)
{
    if (argc == 2) {
        count_one(context, args[1]);
        return;
    }
    struct hll_registers registers = {{0}};
    context->work += WORK_OF_REGISTERS;
    for (size_t i = 1; i < argc; i++) {
        struct text text;
        if (!text_read(context, args[i], &text) || !merge_key(context, &registers, &text))
            return;
    }
    resp_integer(context->reply, (int64_t)hll_count_registers(&registers));
}

/* A source costs a fraction of what a copy of as many bytes is announced with. A string that is
 * none is refused at once, and counts for no more than the longest that is one. */
size_t command_hll_work(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    size_t bytes = 0;
    for (size_t i = 1; i < argc; i++) {
        const struct item *item = keyspace_find(keyspace, args[i], NO_DEADLINE);
        size_t len = item ? item_string_len(item) : 0;
        bytes += len < HLL_DENSE_BYTES ? len : HLL_DENSE_BYTES;
    }
    return bytes / 2;
}

static void raise_all(struct hll *hll, const struct hll_registers *registers)
{
    struct hll_place place = {0};
    for (unsigned at = 0; at < HLL_REGISTERS; at++)
        if (registers->values[at])
            hll_raise(hll, (struct hll_proposal){at, registers->values[at]}, &place);
}

/* The destination becomes dense if one of the sources is. */
void command_pfmerge_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct hll_registers registers = {{0}};
    bool dense = false;
    struct text text;
    context->work += WORK_OF_REGISTERS;
    for (size_t i = 1; i < argc; i++) {
        if (!text_edit(context, args[i], &text) || !merge_key(context, &registers, &text))
            return;
        dense |= text.item && hll_is_dense(text.bytes);
    }
    if (!text_edit(context, args[1], &text))
        return;
    struct hll hll;
    if (text.item)
        hll_copy(&hll, text.bytes);
    else
        hll_init(&hll);
    if (dense)
        hll_make_dense(&hll);
    raise_all(&hll, &registers);
    store(context, &text, &hll);
    context->dirty++;
    resp_status(context->reply, "OK");
}

/* --- for debugging --- */

/* Makes a key's dense; false: it was. */
static bool make_dense(struct command_context *context, struct text *text)
{
    if (hll_is_dense(text->bytes))
        return false;
    struct hll hll;
    hll_copy(&hll, text->bytes);
    hll_make_dense(&hll);
    text_replace(context, text, span_of(hll.bytes, hll.len));
    context->dirty++;
    return true;
}

static void write_registers(struct command_context *context, struct text *text)
{
    if (!check_all(context, text))
        return;
    make_dense(context, text);
    struct hll_registers registers = {{0}};
    hll_merge(&registers, text->bytes);
    resp_array(context->reply, HLL_REGISTERS);
    for (unsigned i = 0; i < HLL_REGISTERS; i++)
        resp_integer(context->reply, registers.values[i]);
}

static void write_runs(struct command_context *context, const struct text *text)
{
    if (hll_is_dense(text->bytes)) {
        resp_error(context->reply, "ERR HLL encoding is not sparse");
        return;
    }
    if (!check_all(context, text))
        return;
    struct buf runs = {0};
    hll_print_runs(text->bytes, &runs);
    resp_bulk(context->reply, buf_span(&runs));
    buf_close(&runs);
}

void command_pfdebug_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    struct text text;
    if (!text_edit(context, args[2], &text))
        return;
    if (!text.item) {
        resp_error(context->reply, "ERR The specified key does not exist");
        return;
    }
    if (!check_head(context, &text))
        return;
    context->work += WORK_OF_REGISTERS;
    if (span_is(args[1], "getreg"))
        write_registers(context, &text);
    else if (span_is(args[1], "decode"))
        write_runs(context, &text);
    else if (span_is(args[1], "encoding"))
        resp_status(context->reply, hll_is_dense(text.bytes) ? "dense" : "sparse");
    else if (!span_is(args[1], "todense"))
        resp_errorf(context->reply, "ERR Unknown PFDEBUG subcommand '%.*s'",
                    (int)(args[1].len < 128 ? args[1].len : 128), args[1].ptr);
    else if (check_all(context, &text))
        resp_integer(context->reply, make_dense(context, &text));
}

/* Adds numbers to a sparse one, to a dense one and to bare registers, which must agree all along.
 * The estimate must lie within a few of its standard errors, which are 0.81 %. */
enum { TESTED_ELEMENTS = 50 * 1000, TEST_EVERY = 5000, PER_MILLE_OFF = 40, SMALL = 25 };

struct self_test {
    struct hll sparse; /* as long as it stays it */
    struct hll dense;
    struct hll_registers registers;
};

static void test_add(struct self_test *test, uint64_t number)
{
    char text[NUMBER_I64_CHARS];
    struct hll_proposal proposal = hll_propose(span_of(text, number_format_u64(text, number)));
    hll_raise(&test->sparse, proposal, NULL);
    hll_raise(&test->dense, proposal, NULL);
    if (proposal.value > test->registers.values[proposal.at])
        test->registers.values[proposal.at] = (unsigned char)proposal.value;
}

static bool test_agrees(const struct self_test *test, uint64_t count)
{
    struct span sparse = span_of(test->sparse.bytes, test->sparse.len);
    struct span dense = span_of(test->dense.bytes, test->dense.len);
    struct hll_registers merged = {{0}};
    if (!hll_is_valid(sparse))
        return false;
    hll_merge(&merged, sparse);
    if (memcmp(merged.values, test->registers.values, HLL_REGISTERS) != 0)
        return false;
    uint64_t estimate = hll_count_registers(&test->registers);
    uint64_t off = estimate > count ? estimate - count : count - estimate;
    return hll_count(sparse) == estimate && hll_count(dense) == estimate &&
           off <= SMALL + count * PER_MILLE_OFF / 1000;
}

void command_pfselftest_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)args;
    (void)argc;
    struct self_test *test = mem_zalloc(sizeof(*test));
    hll_init(&test->sparse);
    hll_init(&test->dense);
    hll_make_dense(&test->dense);
    bool agrees = true;
    for (uint64_t number = 1; agrees && number <= TESTED_ELEMENTS; number++) {
        test_add(test, number);
        if (number % TEST_EVERY == 0 || number < SMALL)
            agrees = test_agrees(test, number);
    }
    mem_free(test);
    context->work += TESTED_ELEMENTS * 100;
    if (agrees)
        resp_status(context->reply, "OK");
    else
        resp_error(context->reply, "TESTFAILED the representations of a HyperLogLog disagree");
}
