/* A history for the checker, written by hand one call and one end at a time. Included by one file
 * per program. */
#ifndef FLOTILLA_TESTS_UNIT_SIM_HISTORY_H
#define FLOTILLA_TESTS_UNIT_SIM_HISTORY_H

/* Programs of unit tests are linked without the simulator. */
/* NOLINTBEGIN(bugprone-suspicious-include) */
#include "sim/linear.c"
#include "sim/linear_model.c"
#include "sim/linear_search.c"
/* NOLINTEND(bugprone-suspicious-include) */

#include <stdio.h>

#include "base/prng.h"
#include "unit/support/test.h"

/* ---- hand-made histories: time goes on by one with each step ---- */

static struct linear_history *history;
static uint64_t now_us;

static inline int open_history(void **state)
{
    (void)state;
    history = linear_new();
    now_us = 0;
    return 0;
}

static inline int close_history(void **state)
{
    (void)state;
    linear_free(history);
    return 0;
}

static inline uint32_t call(uint32_t client, enum linear_kind kind, const char *value)
{
    struct linear_request request = {
        .client = client, .key = 7, .kind = kind, .value = span_text(value)};
    return linear_call(history, &request, ++now_us);
}

static inline void ends(uint32_t operation)
{
    linear_return(history, operation, (struct linear_result){.reply = LINEAR_DONE}, ++now_us);
}

static inline void counts(uint32_t operation, int64_t number)
{
    struct linear_result result = {.reply = LINEAR_NUMBER, .number = number};
    linear_return(history, operation, result, ++now_us);
}

static inline void refuses(uint32_t operation)
{
    linear_return(history, operation, (struct linear_result){.reply = LINEAR_REFUSED}, ++now_us);
}

static inline void aborts(uint32_t operation)
{
    linear_return(history, operation, (struct linear_result){.reply = LINEAR_ABORTED}, ++now_us);
}

/* NULL: no such key. */
static inline void reads(uint32_t operation, const char *text)
{
    struct linear_result result = {.reply = text ? LINEAR_TEXT : LINEAR_NIL};
    if (text)
        result.text = span_text(text);
    linear_return(history, operation, result, ++now_us);
}

static inline void set(const char *value)
{
    ends(call(1, LINEAR_SET, value));
}

static inline void incr(int64_t number)
{
    counts(call(1, LINEAR_INCR, ""), number);
}

static inline void incr_key(uint32_t key, int64_t number)
{
    struct linear_request request = {.client = 1, .key = key, .kind = LINEAR_INCR};
    counts(linear_call(history, &request, ++now_us), number);
}

static inline void append(const char *token, int64_t length)
{
    counts(call(1, LINEAR_APPEND, token), length);
}

static inline void del(int64_t number)
{
    counts(call(1, LINEAR_DEL, ""), number);
}

static inline void get(const char *text)
{
    reads(call(2, LINEAR_GET, ""), text);
}

static inline uint32_t cas(const char *from, const char *to)
{
    struct linear_request request = {
        .client = 3, .key = 7, .kind = LINEAR_CAS, .value = span_text(to)};
    if (from)
        request.expected = span_text(from);
    return linear_call(history, &request, ++now_us);
}

static inline void assert_linearizable(void)
{
    struct linear_report report;
    assert_int_equal(linear_check(history, &report), LINEAR_OK);
    assert_int_equal(report.text.len, 0);
    linear_report_close(&report);
}

/* misfit: the operation that the report has to name. */
static inline void assert_violated(uint32_t misfit)
{
    struct linear_report report;
    assert_int_equal(linear_check(history, &report), LINEAR_VIOLATED);
    assert_int_equal(report.key, 7);
    assert_int_equal(report.operation, misfit);
    assert_false(report.early);
    linear_report_close(&report);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_history, close_history)

#endif
