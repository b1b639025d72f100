/* Messages of another node that would harm this one: they are refused, and nothing of them stays.
 */
#include "unit/shard/fixture.h"

/* What shard_message() says to a message of node 2. NULL: it was taken. */
static const char *say(struct fixture *fixture, const struct raft_message *message,
                       struct buf *records)
{
    struct buf bytes = {0};
    struct resp_parser parser = {0};
    static const struct resp_limits limits = {.bulk_len_max = INT64_MAX, .authenticated = true};
    wire_encode_message(&bytes, span_text(fixture->cluster.cluster_id), 0, message,
                        buf_span(records));
    assert_int_equal(resp_parse(&parser, buf_span(&bytes), &limits), RESP_COMMAND);
    enum err err = shard_message(fixture->shard, &(struct shard_peer){2, 1, 0}, parser.args,
                                 parser.argc, fixture->now);
    fixture_turn(fixture);
    resp_parser_close(&parser);
    buf_close(&bytes);
    buf_close(records);
    return err ? shard_refusal(fixture->shard) : NULL;
}

/* The same of an append of node 2, which leads term 3, with entries behind the log's last one. */
static const char *append_some(struct fixture *fixture, const struct entry *like, size_t count)
{
    struct buf records = {0};
    struct raft_message message = {.type = RAFT_APPEND_REQUEST, .from = 2, .to = 1, .term = 3};
    uint64_t last = fixture_last(fixture);
    message.append_request.prev_index = last;
    message.append_request.prev_term = raft_last_term(shard_raft(fixture->shard));
    message.append_request.first_index = last + 1;
    message.append_request.entry_count = count;
    message.append_request.commit = last + count;
    for (size_t i = 0; i < count; i++) {
        struct entry entry = like[i];
        entry.index = last + 1 + i;
        entry.term = 3;
        entry_encode(&records, &entry);
    }
    return say(fixture, &message, &records);
}

static const char *append(struct fixture *fixture, const struct entry *like)
{
    return append_some(fixture, like, 1);
}

static const char *append_text(struct fixture *fixture, enum entry_kind kind, const char *payload)
{
    return append(fixture,
                  &(struct entry){.kind = kind, .time_ms = 5000, .payload = span_text(payload)});
}

#define SET   "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n"
#define MULTI "*1\r\n$5\r\nMULTI\r\n"
#define EXEC  "*1\r\n$4\r\nEXEC\r\n"

static void test_an_entry_that_cannot_be_applied_never_reaches_the_log(void **state)
{
    (void)state;
    static const struct {
        enum entry_kind kind;
        const char *payload;
    } bad[] = {
        {ENTRY_COMMAND, ""},
        {ENTRY_COMMAND, "SET k v\r\n"},
        {ENTRY_COMMAND, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv"},
        {ENTRY_COMMAND, SET SET},
        {ENTRY_COMMAND, "*1\r\n$3\r\nSET\r\n"},
        {ENTRY_COMMAND, "*1\r\n$7\r\nUNKNOWN\r\n"},
        {ENTRY_COMMAND, "*1\r\n$8\r\nSHUTDOWN\r\n"},
        {ENTRY_COMMAND, "*0\r\n"},
        {ENTRY_TRANSACTION, ""},
        {ENTRY_TRANSACTION, SET},
        {ENTRY_TRANSACTION, MULTI SET},
        {ENTRY_TRANSACTION, MULTI SET EXEC SET},
        {ENTRY_TRANSACTION, MULTI "*1\r\n$4\r\nPING\r\n" EXEC},
        {ENTRY_TRANSACTION, "#WATCH:1\r\n*2\r\n$5\r\nWATCH\r\n$1\r\nk\r\n" MULTI SET EXEC},
        {ENTRY_TRANSACTION, "#WATCH:1:x\r\n*2\r\n$5\r\nWATCH\r\n$1\r\nk\r\n" MULTI SET EXEC},
    };
    struct fixture fixture;
    fixture_open(&fixture, 3);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *refusal = append_text(&fixture, bad[i].kind, bad[i].payload);
        if (!refusal)
            fail_msg("taken: %s", bad[i].payload);
        assert_string_equal(refusal, "an entry that no node of this version writes");
    }
    assert_int_equal(fixture_last(&fixture), 0);
    assert_null(append_text(&fixture, ENTRY_COMMAND, SET));
    assert_null(append_text(&fixture, ENTRY_TRANSACTION, MULTI SET EXEC));
    assert_null(append_text(&fixture, ENTRY_TRANSACTION,
                            "#WATCH:1:1\r\n*2\r\n$5\r\nWATCH\r\n$1\r\nk\r\n" MULTI SET EXEC));
    assert_int_equal(shard_applied_index(fixture.shard), 3);
    fixture_end(&fixture);
    char message[512];
    assert_int_equal(fixture_start(&fixture, 3, message), ERR_NONE);
    assert_int_equal(fixture_last(&fixture), 3);
    fixture_close(&fixture);
}

static void test_every_entry_of_an_append_is_checked(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    const struct entry entries[] = {
        {.kind = ENTRY_COMMAND, .time_ms = 5000, .payload = SPAN(SET)},
        {.kind = ENTRY_COMMAND, .time_ms = 5000, .payload = SPAN(SET)},
        {.kind = ENTRY_COMMAND, .time_ms = 5000, .payload = SPAN("*1\r\n$7\r\nUNKNOWN\r\n")}};
    assert_string_equal(append_some(&fixture, entries, 3),
                        "an entry that no node of this version writes");
    assert_int_equal(fixture_last(&fixture), 0);
    assert_null(append_some(&fixture, entries, 2));
    fixture_close(&fixture);
}

static void test_what_the_core_cannot_take_does_not_reach_it(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    struct buf nothing = {0};
    struct raft_message vote = {.type = RAFT_VOTE_REQUEST, .from = 2, .to = 1, .term = UINT64_MAX};
    assert_string_equal(say(&fixture, &vote, &nothing), "a term beyond all reason");
    assert_int_equal(fixture_term(&fixture), 0);
    fixture_close(&fixture);
}

static void test_an_entry_of_a_time_that_cannot_be_is_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    struct entry entry = {.kind = ENTRY_COMMAND, .payload = SPAN(SET)};
    entry.time_ms = (int64_t)RAFT_TIME_MS_MAX + 1;
    assert_string_equal(append(&fixture, &entry), "an entry of a time that cannot be");
    entry.time_ms = INT64_MAX;
    assert_string_equal(append(&fixture, &entry), "an entry of a time that cannot be");
    entry.time_ms = (int64_t)RAFT_TIME_MS_MAX;
    assert_null(append(&fixture, &entry));
    fixture_close(&fixture);
}

static void test_a_refused_message_says_why(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    const struct span args[] = {SPAN("RAFT.VOTE"), SPAN("x"), SPAN("0")};
    const struct shard_peer peer = {2, 1, 0};
    assert_int_equal(shard_message(fixture.shard, &peer, args, 3, fixture.now), ERR_INVALID);
    assert_string_equal(shard_refusal(fixture.shard), "bytes that are no message");
    fixture_close(&fixture);
}

static void test_a_term_that_leaps_is_followed_in_steps(void **state)
{
    (void)state;
    const uint64_t most = UINT64_C(1) << 32;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    uint64_t term = fixture_term(&fixture);
    struct raft_message message = {
        .type = RAFT_VOTE_RESPONSE, .from = 2, .term = term + 2 * most + 1};
    fixture_message(&fixture, message, NULL);
    fixture_message(&fixture, message, NULL); /* not twice at once */
    fixture_turn(&fixture);
    assert_int_equal(fixture_term(&fixture), term + most);
    for (int i = 0; i < 2; i++) {
        fixture.now.mono_ms += 10;
        fixture_message(&fixture, message, NULL);
        fixture_turn(&fixture);
    }
    assert_int_equal(fixture_term(&fixture), message.term);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_entry_that_cannot_be_applied_never_reaches_the_log),
        cmocka_unit_test(test_an_entry_of_a_time_that_cannot_be_is_refused),
        cmocka_unit_test(test_every_entry_of_an_append_is_checked),
        cmocka_unit_test(test_what_the_core_cannot_take_does_not_reach_it),
        cmocka_unit_test(test_a_refused_message_says_why),
        cmocka_unit_test(test_a_term_that_leaps_is_followed_in_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
