/* The checker of histories against hand-made ones, each with one idea. */
#include "unit/sim/history.h"

static void test_empty_history_is_linearizable(void **state)
{
    (void)state;
    assert_linearizable();
}

static void test_sequence_of_all_kinds_is_linearizable(void **state)
{
    (void)state;
    get(NULL);
    del(0);
    incr(1);
    incr(2);
    append("0", 2);
    incr(21);
    get("21");
    append("x", 3);
    refuses(call(1, LINEAR_INCR, ""));
    get("21x");
    del(1);
    append("", 0);
    get("");
    set("a value that is longer than those that are kept");
    append("!", 48);
    get("a value that is longer than those that are kept!");
    ends(cas("a value that is longer than those that are kept!", "b"));
    get("b");
    assert_linearizable();
}

static void test_number_at_its_limit_refuses_to_grow(void **state)
{
    (void)state;
    set("9223372036854775806");
    incr(INT64_MAX);
    refuses(call(1, LINEAR_INCR, ""));
    get("9223372036854775807");
    assert_linearizable();
}

static void test_refusal_of_a_number_is_a_violation(void **state)
{
    (void)state;
    set("5");
    uint32_t misfit = call(1, LINEAR_INCR, "");
    refuses(misfit);
    assert_violated(misfit);
}

static void test_stale_read_is_a_violation(void **state)
{
    (void)state;
    set("old");
    set("new");
    get("old");
    assert_violated(2);
}

static void test_reads_that_go_back_in_time_are_a_violation(void **state)
{
    (void)state;
    set("old");
    uint32_t write = call(1, LINEAR_SET, "new");
    get("new");
    get("old");
    ends(write);
    assert_violated(3);
}

static void test_lost_update_is_a_violation(void **state)
{
    (void)state;
    uint32_t one = call(1, LINEAR_INCR, "");
    uint32_t two = call(2, LINEAR_INCR, "");
    counts(one, 1);
    counts(two, 1);
    assert_violated(two);
}

static void test_lost_append_is_a_violation(void **state)
{
    (void)state;
    append(",1", 2);
    append(",2", 4);
    append(",3", 6);
    get(",1,3");
    assert_violated(3);
}

static void test_retry_that_was_applied_twice_is_a_violation(void **state)
{
    (void)state;
    incr(1);
    incr(3);
    assert_violated(1);
}

static void test_unknown_increment_does_not_count_twice(void **state)
{
    (void)state;
    incr(1);
    linear_unknown(history, call(2, LINEAR_INCR, ""));
    incr(3);
    assert_linearizable();
    incr(5);
    assert_violated(3);
}

static void test_failed_write_that_was_seen_is_a_violation(void **state)
{
    (void)state;
    set("a");
    linear_failed(history, call(2, LINEAR_SET, "b"));
    get("a");
    assert_linearizable();
    get("b");
    assert_violated(3);
}

static void test_write_that_was_seen_and_vanished_is_a_violation(void **state)
{
    (void)state;
    set("a");
    linear_unknown(history, call(2, LINEAR_SET, "b"));
    get("b");
    assert_linearizable();
    get("a");
    assert_violated(3);
}

static void test_acknowledged_write_that_vanished_is_a_violation(void **state)
{
    (void)state;
    set("a");
    get(NULL);
    assert_violated(1);
}

static void test_unknown_write_may_take_effect_late(void **state)
{
    (void)state;
    linear_unknown(history, call(2, LINEAR_SET, "late"));
    set("a");
    get("a");
    set("b");
    get("b");
    get("late");
    assert_linearizable();
}

static void test_unknown_write_may_never_take_effect(void **state)
{
    (void)state;
    linear_unknown(history, call(2, LINEAR_SET, "never"));
    linear_unknown(history, call(2, LINEAR_APPEND, "never"));
    linear_unknown(history, call(2, LINEAR_DEL, ""));
    linear_unknown(history, call(2, LINEAR_GET, ""));
    linear_unknown(history, cas("a", "never"));
    set("a");
    get("a");
    assert_linearizable();
    get("b");
    assert_violated(7);
}

static void test_unknown_write_takes_no_effect_before_its_call(void **state)
{
    (void)state;
    get("early");
    linear_unknown(history, call(2, LINEAR_SET, "early"));
    assert_violated(0);
}

static void test_operation_that_is_still_open_counts_as_unknown(void **state)
{
    (void)state;
    call(1, LINEAR_SET, "a");
    call(2, LINEAR_SET, "b");
    get("a");
    get("b");
    assert_linearizable();
}

static void test_chain_of_unknown_writes_is_found(void **state)
{
    (void)state;
    linear_unknown(history, call(1, LINEAR_APPEND, "c"));
    linear_unknown(history, call(2, LINEAR_APPEND, "b"));
    linear_unknown(history, call(3, LINEAR_SET, "a"));
    linear_unknown(history, call(4, LINEAR_DEL, ""));
    linear_unknown(history, cas("abc", "d"));
    append("z", 1);
    get("d");
    get(NULL);
    assert_linearizable();
}

static void test_concurrent_operations_may_be_in_any_order(void **state)
{
    (void)state;
    uint32_t writes[4];
    for (uint32_t i = 0; i < 4; i++)
        writes[i] = call(i, LINEAR_APPEND, (const char *[]){"a", "b", "c", "d"}[i]);
    get("cb");
    counts(writes[2], 1);
    counts(writes[1], 2);
    get("cbd");
    counts(writes[3], 3);
    counts(writes[0], 4);
    get("cbda");
    assert_linearizable();
}

/* Herlihy and Wing's point: what did not overlap keeps its order, whoever the clients are. */
static void test_order_of_what_did_not_overlap_is_kept(void **state)
{
    (void)state;
    uint32_t slow = call(1, LINEAR_GET, "");
    ends(call(2, LINEAR_SET, "a"));
    ends(call(3, LINEAR_SET, "b"));
    get("b");
    reads(slow, "a");
    assert_linearizable();
    get("a");
    assert_violated(4);
}

static void test_what_is_recorded_first_comes_first_at_equal_times(void **state)
{
    (void)state;
    struct linear_request write = {.client = 1, .key = 7, .kind = LINEAR_SET, .value = SPAN("a")};
    struct linear_request read = {.client = 2, .key = 7, .kind = LINEAR_GET};
    struct linear_result done = {.reply = LINEAR_DONE};
    struct linear_result nil = {.reply = LINEAR_NIL};
    linear_return(history, linear_call(history, &write, 5), done, 5);
    uint32_t misfit = linear_call(history, &read, 5);
    linear_return(history, misfit, nil, 5);
    assert_violated(misfit);
}

static void test_times_count_and_not_the_order_of_recording(void **state)
{
    (void)state;
    struct linear_request write = {.client = 1, .key = 7, .kind = LINEAR_SET, .value = SPAN("a")};
    struct linear_request read = {.client = 2, .key = 7, .kind = LINEAR_GET};
    linear_return(history, linear_call(history, &write, 10),
                  (struct linear_result){.reply = LINEAR_DONE}, 12);
    linear_return(history, linear_call(history, &read, 1),
                  (struct linear_result){.reply = LINEAR_NIL}, 2);
    assert_linearizable();
}

static void test_aborted_transaction_has_no_effect(void **state)
{
    (void)state;
    set("a");
    aborts(cas("a", "b"));
    get("a");
    assert_linearizable();
    get("b");
    assert_violated(3);
}

static void test_two_transactions_from_one_value_are_a_violation(void **state)
{
    (void)state;
    uint32_t one = cas(NULL, "a");
    uint32_t two = cas(NULL, "b");
    ends(one);
    ends(two);
    assert_violated(two);
}

static void test_deletion_counts_what_was_there(void **state)
{
    (void)state;
    set("a");
    uint32_t one = call(1, LINEAR_DEL, "");
    uint32_t two = call(2, LINEAR_DEL, "");
    counts(one, 0);
    counts(two, 1);
    assert_linearizable();
    del(1);
    assert_violated(3);
}

static void test_keys_are_judged_each_by_itself(void **state)
{
    (void)state;
    for (uint32_t key = 5; key < 10; key++)
        incr_key(key, 1);
    assert_linearizable();
    incr(3);
    assert_violated(5);
}

static void test_report_shows_what_fits_and_what_does_not(void **state)
{
    (void)state;
    set("a\"\n");
    uint32_t open = call(4, LINEAR_SET, "an unknown and quite long value");
    linear_unknown(history, open);
    get("b");
    struct linear_report report;
    assert_int_equal(linear_check(history, &report), LINEAR_VIOLATED);
    buf_add_char(&report.text, '\0');
    assert_string_equal(report.text.ptr,
                        "key 7 is not linearizable; 1 operations are, the last:\n"
                        "  #0 1..2 client 1: SET 7 \"a\\x22\\x0a\" = done; then \"a\\x22\\x0a\"\n"
                        "this one does not fit:\n"
                        "  #2 4..5 client 2: GET 7 = \"b\"\n"
                        "called before it returned, and without a place:\n"
                        "  #1 3.. client 4: SET 7 \"an unknown and quite lon\"... (31 bytes, hash "
                        "1eb33a3983a92bea) = unknown\n");
    assert_int_equal(report.linearized, 1);
    assert_int_equal(report.keys, 1);
    linear_report_close(&report);
}

static void test_outcomes_that_cannot_be_are_bugs_of_the_caller(void **state)
{
    (void)state;
    struct linear_result number = {.reply = LINEAR_NUMBER};
    uint32_t write = call(1, LINEAR_SET, "a");
    expect_assert_failure(linear_return(history, write, number, ++now_us));
    expect_assert_failure(linear_return(history, write + 1, number, ++now_us));
    uint32_t incremented = call(1, LINEAR_INCR, "");
    expect_assert_failure(linear_return(history, incremented, number, 1));
    linear_unknown(history, incremented);
    expect_assert_failure(linear_failed(history, incremented));
}

/* Every subset of the concurrent writes has to be visited before the answer is no. */
static void concurrent_appends(uint32_t writers)
{
    uint32_t writes[26];
    for (uint32_t i = 0; i < writers; i++)
        writes[i] = call(i, LINEAR_APPEND, (char[]){(char)('a' + i), '\0'});
    for (uint32_t i = 0; i < writers; i++)
        ends(writes[i]);
    set("x");
    get("nobody wrote this");
}

static void test_search_that_grows_too_large_is_given_up(void **state)
{
    (void)state;
    concurrent_appends(20);
    linear_limit(history, 5000);
    struct linear_report report;
    assert_int_equal(linear_check(history, &report), LINEAR_GAVE_UP);
    assert_int_equal(report.gave_up, 1);
    assert_int_equal(report.keys, 1);
    linear_report_close(&report);
}

static void test_violation_of_one_key_counts_more_than_giving_up_another(void **state)
{
    (void)state;
    concurrent_appends(20);
    incr_key(6, 6);
    incr_key(8, 1);
    linear_limit(history, 5000);
    struct linear_report report;
    assert_int_equal(linear_check(history, &report), LINEAR_VIOLATED);
    assert_int_equal(report.key, 6);
    assert_int_equal(report.keys, 3);
    assert_int_equal(report.gave_up, 1);
    linear_report_close(&report);
}

/* Without look-ahead each order of each subset would be a configuration. */
static void test_many_unknown_appends_are_no_burden(void **state)
{
    (void)state;
    char token[16];
    struct buf all = {0};
    for (uint32_t i = 0; i < 400; i++) {
        snprintf(token, sizeof token, ",%03u", i);
        uint32_t write = call(i % 32, LINEAR_APPEND, token);
        if (i % 4 == 0)
            ends(write);
        else
            linear_unknown(history, write);
    }
    for (uint32_t i = 0; i < 400; i++)
        if (i % 4 == 0 || i % 3 == 0)
            buf_printf(&all, ",%03u", i);
    buf_add_char(&all, '\0');
    get(all.ptr);
    assert_linearizable();
    all.ptr[all.len - 2] = 'x';
    get(all.ptr);
    struct linear_report report;
    assert_int_equal(linear_check(history, &report), LINEAR_VIOLATED);
    linear_report_close(&report);
    buf_close(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_empty_history_is_linearizable),
        TEST(test_sequence_of_all_kinds_is_linearizable),
        TEST(test_number_at_its_limit_refuses_to_grow),
        TEST(test_refusal_of_a_number_is_a_violation),
        TEST(test_stale_read_is_a_violation),
        TEST(test_reads_that_go_back_in_time_are_a_violation),
        TEST(test_lost_update_is_a_violation),
        TEST(test_lost_append_is_a_violation),
        TEST(test_retry_that_was_applied_twice_is_a_violation),
        TEST(test_unknown_increment_does_not_count_twice),
        TEST(test_failed_write_that_was_seen_is_a_violation),
        TEST(test_write_that_was_seen_and_vanished_is_a_violation),
        TEST(test_acknowledged_write_that_vanished_is_a_violation),
        TEST(test_unknown_write_may_take_effect_late),
        TEST(test_unknown_write_may_never_take_effect),
        TEST(test_unknown_write_takes_no_effect_before_its_call),
        TEST(test_operation_that_is_still_open_counts_as_unknown),
        TEST(test_chain_of_unknown_writes_is_found),
        TEST(test_concurrent_operations_may_be_in_any_order),
        TEST(test_order_of_what_did_not_overlap_is_kept),
        TEST(test_what_is_recorded_first_comes_first_at_equal_times),
        TEST(test_times_count_and_not_the_order_of_recording),
        TEST(test_aborted_transaction_has_no_effect),
        TEST(test_two_transactions_from_one_value_are_a_violation),
        TEST(test_deletion_counts_what_was_there),
        TEST(test_keys_are_judged_each_by_itself),
        TEST(test_report_shows_what_fits_and_what_does_not),
        TEST(test_outcomes_that_cannot_be_are_bugs_of_the_caller),
        TEST(test_search_that_grows_too_large_is_given_up),
        TEST(test_violation_of_one_key_counts_more_than_giving_up_another),
        TEST(test_many_unknown_appends_are_no_burden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
