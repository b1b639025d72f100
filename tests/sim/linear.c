#include "sim/linear.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "sim/linear_search.h"

enum {
    CONFIGURATIONS_MAX = 1 << 21,
    REPORT_LINES = 24,
};

/* ---- the history ---- */

struct linear_history *linear_new(void)
{
    struct linear_history *history = mem_zalloc(sizeof *history);
    history->limit = CONFIGURATIONS_MAX;
    buf_reserve(&history->bytes, 1); /* an empty token has an address, too */
    return history;
}

void linear_free(struct linear_history *history)
{
    if (!history)
        return;
    buf_close(&history->bytes);
    mem_free(history->operations);
    mem_free(history);
}

void linear_limit(struct linear_history *history, size_t configurations)
{
    history->limit = configurations;
}

uint32_t linear_count(const struct linear_history *history)
{
    return history->count;
}

static struct operation *operation_of(struct linear_history *history, uint32_t number)
{
    ASSERT(number < history->count);
    struct operation *operation = &history->operations[number];
    ASSERT(operation->outcome == OPEN);
    return operation;
}

static void keep_token(struct linear_history *history, struct operation *operation,
                       struct span token)
{
    operation->token = history->bytes.len;
    operation->token_len = token.len;
    buf_add_span(&history->bytes, token);
}

uint32_t linear_call(struct linear_history *history, const struct linear_request *request,
                     uint64_t at_us)
{
    if (history->count == history->cap) {
        history->cap = history->cap ? history->cap * 2 : 256;
        history->operations =
            mem_realloc(history->operations, history->cap * sizeof *history->operations);
    }
    struct operation *operation = &history->operations[history->count];
    *operation =
        (struct operation){.client = request->client,
                           .key = request->key,
                           .kind = request->kind,
                           .value = linear_value_of(request->value),
                           .expected = request->expected.ptr ? linear_value_of(request->expected)
                                                             : linear_value_absent(),
                           .call = {at_us, history->sequence++}};
    if (request->kind == LINEAR_APPEND)
        keep_token(history, operation, request->value);
    return history->count++;
}

static const unsigned replies_of[] = {
    [LINEAR_GET] = 1U << LINEAR_TEXT | 1U << LINEAR_NIL | 1U << LINEAR_DONE,
    [LINEAR_SET] = 1U << LINEAR_DONE,
    [LINEAR_INCR] = 1U << LINEAR_NUMBER | 1U << LINEAR_REFUSED | 1U << LINEAR_DONE,
    [LINEAR_APPEND] = 1U << LINEAR_NUMBER | 1U << LINEAR_DONE,
    [LINEAR_DEL] = 1U << LINEAR_NUMBER | 1U << LINEAR_DONE,
    [LINEAR_CAS] = 1U << LINEAR_DONE | 1U << LINEAR_ABORTED,
};

void linear_return(struct linear_history *history, uint32_t number, struct linear_result result,
                   uint64_t at_us)
{
    struct operation *operation = operation_of(history, number);
    ASSERT(at_us >= operation->call.at_us);
    ASSERT(replies_of[operation->kind] & (1U << result.reply));
    operation->outcome = RETURNED;
    operation->reply = result.reply;
    operation->number = result.number;
    operation->back = (struct moment){at_us, history->sequence++};
    if (operation->kind != LINEAR_GET)
        return;
    operation->value =
        result.reply == LINEAR_TEXT ? linear_value_of(result.text) : linear_value_absent();
    if (result.reply == LINEAR_TEXT)
        keep_token(history, operation, result.text);
}

void linear_unknown(struct linear_history *history, uint32_t number)
{
    operation_of(history, number)->outcome = UNKNOWN;
}

void linear_failed(struct linear_history *history, uint32_t number)
{
    operation_of(history, number)->outcome = FAILED;
}

/* ---- the report ---- */

static void print_value(struct buf *out, const struct value *value)
{
    if (!value->present) {
        buf_add_text(out, "nil");
        return;
    }
    uint32_t shown = value->length < LINEAR_EXACT_BYTES ? value->length : LINEAR_EXACT_BYTES;
    buf_add_char(out, '"');
    for (uint32_t i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)value->text[i];
        if (c >= ' ' && c < 127 && c != '"' && c != '\\')
            buf_add_char(out, value->text[i]);
        else
            buf_printf(out, "\\x%02x", c);
    }
    buf_add_char(out, '"');
    if (shown < value->length)
        buf_printf(out, "... (%" PRIu32 " bytes, hash %016" PRIx64 ")", value->length, value->hash);
}

static void print_call(struct buf *out, const struct operation *operation)
{
    static const char *const names[] = {
        [LINEAR_GET] = "GET",       [LINEAR_SET] = "SET", [LINEAR_INCR] = "INCR",
        [LINEAR_APPEND] = "APPEND", [LINEAR_DEL] = "DEL", [LINEAR_CAS] = "CAS"};
    buf_printf(out, "%s %" PRIu32, names[operation->kind], operation->key);
    if (operation->kind == LINEAR_CAS) {
        buf_add_text(out, " from ");
        print_value(out, &operation->expected);
        buf_add_text(out, " to");
    }
    if (operation->kind == LINEAR_GET || operation->kind == LINEAR_INCR ||
        operation->kind == LINEAR_DEL)
        return;
    buf_add_char(out, ' ');
    print_value(out, &operation->value);
}

static void print_outcome(struct buf *out, const struct operation *operation)
{
    if (operation->outcome != RETURNED) {
        buf_add_text(out, " = unknown");
        return;
    }
    switch (operation->reply) {
    case LINEAR_DONE:
        buf_add_text(out, " = done");
        return;
    case LINEAR_NUMBER:
        buf_printf(out, " = %" PRId64, operation->number);
        return;
    case LINEAR_TEXT:
    case LINEAR_NIL:
        buf_add_text(out, " = ");
        print_value(out, &operation->value);
        return;
    case LINEAR_ABORTED:
        buf_add_text(out, " = aborted");
        return;
    case LINEAR_REFUSED:
        buf_add_text(out, " = refused");
        return;
    }
}

static void print_entry(struct buf *out, const struct search *search, uint32_t number,
                        const struct value *after)
{
    const struct operation *operation = search->entries[number].operation;
    buf_printf(out, "  #%" PRIu32 " %" PRIu64 "..",
               (uint32_t)(operation - search->history->operations), operation->call.at_us);
    if (operation->outcome == RETURNED)
        buf_printf(out, "%" PRIu64, operation->back.at_us);
    buf_printf(out, " client %" PRIu32 ": ", operation->client);
    print_call(out, operation);
    print_outcome(out, operation);
    if (after) {
        buf_add_text(out, "; then ");
        print_value(out, after);
    }
    buf_add_char(out, '\n');
}

/* What was called before the return that could not be reached, and has no place yet. */
static void print_pending(struct buf *out, struct search *search, uint32_t unfit)
{
    for (uint32_t i = 0; i < search->count; i++)
        search->entries[i].done = false;
    for (uint32_t i = 0; i < search->best_depth; i++)
        search->entries[search->best[i]].done = true;
    buf_add_text(out, "called before it returned, and without a place:\n");
    int lines = 0;
    for (uint32_t i = 0; i < search->count && lines < REPORT_LINES; i++) {
        const struct entry *entry = &search->entries[i];
        if (entry->done || i == unfit || entry->call > search->best_bound)
            continue;
        print_entry(out, search, i, NULL);
        lines++;
    }
}

static void report_violation(struct linear_report *report, struct search *search)
{
    uint32_t unfit = search->nodes[search->best_bound].entry;
    while (search->best_depth > 0 && !search->entries[search->best[search->best_depth - 1]].back)
        search->best_depth--; /* optional ones that led nowhere */
    const struct operation *operation = search->entries[unfit].operation;
    report->key = operation->key;
    report->operation = (uint32_t)(operation - search->history->operations);
    report->linearized = search->best_depth;
    struct buf *out = &report->text;
    buf_printf(out, "key %" PRIu32 " is not linearizable; %" PRIu32 " operations are, the last:\n",
               report->key, report->linearized);
    struct value value = linear_value_absent();
    for (uint32_t i = 0; i < search->best_depth; i++) {
        uint32_t number = search->best[i];
        ASSERT(linear_model_apply(search->history, search->entries[number].operation, &value));
        if (search->best_depth - i <= REPORT_LINES)
            print_entry(out, search, number, &value);
    }
    buf_add_text(out, report->early ? "this one does not fit, or one before it:\n"
                                    : "this one does not fit:\n");
    print_entry(out, search, unfit, NULL);
    print_pending(out, search, unfit);
}

/* Look-ahead finds out soonest that there is no linearization, but not where it goes wrong: that is
 * searched for without, if it can be found so. */
static void explain(struct linear_report *report, struct search *search, const uint32_t *operations,
                    uint32_t count)
{
    if (search->prefixes) {
        struct search plain;
        linear_search_open(&plain, search->history, operations, count);
        report->early = linear_search_run(&plain) != LINEAR_VIOLATED;
        if (!report->early)
            report_violation(report, &plain);
        linear_search_close(&plain);
    }
    if (!search->prefixes || report->early)
        report_violation(report, search);
}

/* ---- all keys ---- */

static enum linear_verdict check_key(const struct linear_history *history,
                                     const uint32_t *operations, uint32_t count,
                                     struct linear_report *report, bool explained)
{
    struct search search;
    linear_search_open(&search, history, operations, count);
    linear_search_look_ahead(&search);
    enum linear_verdict verdict = linear_search_run(&search);
    report->keys++;
    report->configurations += search.steps;
    if (verdict == LINEAR_GAVE_UP)
        report->gave_up++;
    if (verdict == LINEAR_VIOLATED && !explained)
        explain(report, &search, operations, count);
    linear_search_close(&search);
    return verdict;
}

static int compare_u64(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

enum linear_verdict linear_check(const struct linear_history *history, struct linear_report *report)
{
    *report = (struct linear_report){0};
    uint64_t *by_key = mem_alloc(((size_t)history->count + 1) * sizeof *by_key);
    uint32_t *operations = mem_alloc(((size_t)history->count + 1) * sizeof *operations);
    for (uint32_t i = 0; i < history->count; i++)
        by_key[i] = (uint64_t)history->operations[i].key << 32 | i;
    if (history->count > 0)
        qsort(by_key, history->count, sizeof *by_key, compare_u64);
    enum linear_verdict verdict = LINEAR_OK;
    uint32_t count = 0;
    for (uint32_t i = 0; i < history->count; i++) {
        operations[count++] = (uint32_t)by_key[i];
        if (i + 1 < history->count && by_key[i] >> 32 == by_key[i + 1] >> 32)
            continue;
        enum linear_verdict of_key =
            check_key(history, operations, count, report, verdict == LINEAR_VIOLATED);
        if (of_key == LINEAR_VIOLATED || verdict == LINEAR_OK)
            verdict = of_key;
        count = 0;
    }
    mem_free(operations);
    mem_free(by_key);
    return verdict;
}

void linear_report_close(struct linear_report *report)
{
    buf_close(&report->text);
    *report = (struct linear_report){0};
}
