/* Sessions of clients, through the group: how they begin, travel and end. */
#include "unit/shard/fixture.h"

static void open_alone(struct fixture *fixture, bool disagrees)
{
    char message[512];
    fixture_init(fixture);
    fixture->disagrees = disagrees;
    if (fixture_start(fixture, 1, message))
        fail_msg("%s", message);
    fixture_pass(fixture, 2 * ELECTION_MS);
    fixture_turn(fixture);
    assert_true(shard_is_leader(fixture->shard));
}

static enum shard_admission change(struct fixture *fixture, const struct session_note *note)
{
    return shard_session(fixture->shard, (struct shard_client){1, 1, 0}, 2, note, fixture->now);
}

/* The id that the client was told. */
static struct session_id begin(struct fixture *fixture, int64_t ttl_ms)
{
    static const char head[] = "1:*8$2id$32";
    const struct session_note note = {.verb = SESSION_ASK, .terms.ttl_ms = ttl_ms};
    struct session_id id = {0};
    assert_int_equal(change(fixture, &note), SHARD_ACCEPTED);
    fixture_turn(fixture);
    const struct buf *answered = &fixture->answered;
    if (answered->len < sizeof head + 32 || memcmp(answered->ptr, head, sizeof head - 1) != 0 ||
        !session_id_parse(span_of(answered->ptr + sizeof head - 1, 32), &id))
        fail_msg("'%.*s'", (int)answered->len, answered->ptr);
    fixture->answered.len = 0;
    return id;
}

static enum shard_admission ask(struct fixture *fixture, struct session_id id, uint64_t number,
                                const char *line)
{
    struct span args[16];
    struct shard_request request = {
        .client = {2, 1, 0}, .protocol = 2, .args = args, .session = {.id = id, .number = number}};
    request.argc = fixture_words(line, args);
    request.command = command_find(fixture->table, args, request.argc);
    return shard_write(fixture->shard, &request, fixture->now);
}

static enum shard_admission ask_exec(struct fixture *fixture, struct session_id id, uint64_t number)
{
    static const char commands[] = "*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n";
    const struct shard_transaction transaction = {.client = {2, 1, 0},
                                                  .protocol = 2,
                                                  .commands = span_text(commands),
                                                  .count = 1,
                                                  .session = {.id = id, .number = number}};
    return shard_transaction(fixture->shard, &transaction, fixture->now);
}

static void test_a_leader_numbers_the_entries_of_its_clients(void **state)
{
    (void)state;
    struct fixture fixture;
    open_alone(&fixture, false);
    struct session_id id = begin(&fixture, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ask(&fixture, id, 1, "INCR n"), SHARD_ACCEPTED);
        assert_int_equal(ask(&fixture, id, 3, "SETEX k 100 v"), SHARD_ACCEPTED);
        assert_int_equal(ask_exec(&fixture, id, 4), SHARD_ACCEPTED);
        fixture_turn(&fixture);
        assert_answered(&fixture, "2::1 2:+OK 2:*1:2 ");
    }
    fixture_accept(&fixture, 1, "INCR n"); /* without a number */
    fixture_turn(&fixture);
    assert_answered(&fixture, "1::3 ");
    const struct shard_stats stats = shard_stats(fixture.shard);
    assert_int_equal(stats.sessions, 1);
    assert_int_equal(stats.session_repeats, 3);
    assert_int_equal(stats.session_bytes, 4 + 5 + 8);
    fixture_close(&fixture);
}

static void test_no_two_sessions_have_one_id(void **state)
{
    (void)state;
    struct fixture fixture;
    open_alone(&fixture, false);
    struct session_id ids[8];
    for (size_t i = 0; i < 8; i++) {
        ids[i] = begin(&fixture, 0);
        assert_true(ids[i].high != ids[i].low);
        for (size_t j = 0; j < i; j++)
            assert_true(ids[i].high != ids[j].high && ids[i].low != ids[j].low);
    }
    fixture_close(&fixture);
}

static void test_terms_are_those_of_the_leader_when_it_begins(void **state)
{
    (void)state;
    struct fixture fixture;
    open_alone(&fixture, false);
    const struct session_terms terms = {
        .ttl_ms = 1000, .sessions_max = 1, .replies_max = 1, .bytes_max = 100};
    shard_set_sessions(fixture.shard, &terms);
    struct session_note note = {.verb = SESSION_ASK, .terms.ttl_ms = 1001};
    assert_int_equal(change(&fixture, &note), SHARD_ACCEPTED);
    fixture_turn(&fixture);
    assert_answered(&fixture, "1:-ERR the time to live is above session-ttl-ms ");
    struct session_id id = begin(&fixture, 1000);
    note.terms.ttl_ms = 0;
    assert_int_equal(change(&fixture, &note), SHARD_ACCEPTED);
    fixture_turn(&fixture);
    assert_answered(&fixture, "1:-ERR the maximum number of sessions is reached ");
    for (uint64_t number = 1; number <= 2; number++) {
        assert_int_equal(ask(&fixture, id, number, "INCR n"), SHARD_ACCEPTED);
        fixture_turn(&fixture);
    }
    assert_answered(&fixture, "2::1 2::2 ");
    assert_int_equal(shard_stats(fixture.shard).session_bytes, 4); /* one reply is kept */
    fixture_close(&fixture);
}

static void test_nobody_uses_sessions_before_all_know_them(void **state)
{
    (void)state;
    struct fixture fixture;
    char message[512];
    fixture_init(&fixture);
    fixture.disagrees = true;
    assert_int_equal(fixture_start(&fixture, 3, message), ERR_NONE);
    fixture_lead(&fixture);
    const struct session_note note = {.verb = SESSION_ASK};
    uint64_t last = fixture_last(&fixture);
    assert_false(shard_has_sessions(fixture.shard));
    assert_false(shard_ask(fixture.shard, SHARD_SESSIONS));
    assert_int_equal(change(&fixture, &note), SHARD_NOT_LEADER);
    assert_int_equal(ask(&fixture, (struct session_id){1, 2}, 1, "INCR n"), SHARD_NOT_LEADER);
    assert_int_equal(ask_exec(&fixture, (struct session_id){1, 2}, 1), SHARD_NOT_LEADER);
    fixture_turn(&fixture);
    assert_int_equal(fixture_last(&fixture), last);
    fixture_close(&fixture);
}

static void test_a_node_that_is_alone_agrees_when_sessions_are_wanted(void **state)
{
    (void)state;
    struct fixture fixture;
    open_alone(&fixture, true);
    fixture_pass(&fixture, 1000);
    fixture_turn(&fixture);
    assert_false(shard_has_sessions(fixture.shard));
    assert_true(shard_ask(fixture.shard, SHARD_SESSIONS));
    fixture_turn(&fixture);
    assert_true(shard_has_sessions(fixture.shard));
    begin(&fixture, 0);
    fixture_close(&fixture);
}

static void test_a_session_is_over_without_a_request(void **state)
{
    (void)state;
    struct fixture fixture;
    open_alone(&fixture, false);
    begin(&fixture, 5000);
    fixture_pass(&fixture, 4900);
    fixture_turn(&fixture);
    assert_int_equal(shard_stats(fixture.shard).sessions, 1);
    fixture_pass(&fixture, 300);
    fixture_turn(&fixture);
    assert_int_equal(shard_stats(fixture.shard).sessions, 0);
    uint64_t last = fixture_last(&fixture);
    fixture_pass(&fixture, 10000);
    fixture_turn(&fixture);
    assert_int_equal(fixture_last(&fixture), last); /* nothing more is due */
    fixture_close(&fixture);
}

static void test_a_session_is_there_after_a_restart(void **state)
{
    (void)state;
    struct fixture fixture;
    char message[512];
    open_alone(&fixture, false);
    struct session_id id = begin(&fixture, 0);
    assert_int_equal(ask(&fixture, id, 1, "INCR n"), SHARD_ACCEPTED);
    fixture_turn(&fixture);
    shard_snapshot(fixture.shard, fixture.now);
    fixture_turn(&fixture);
    fixture_image_ends(&fixture, ERR_NONE);
    assert_int_equal(shard_stats(fixture.shard).snapshots, 1);
    assert_int_equal(ask(&fixture, id, 2, "INCR n"), SHARD_ACCEPTED);
    fixture_turn(&fixture);
    assert_answered(&fixture, "2::1 2::2 ");
    uint64_t digest = shard_digest(fixture.shard);
    uint64_t applied = shard_applied_index(fixture.shard);
    fixture_end(&fixture);
    if (fixture_start(&fixture, 1, message))
        fail_msg("%s", message);
    while (shard_applied_index(fixture.shard) < applied) {
        fixture_pass(&fixture, ELECTION_MS);
        fixture_turn(&fixture);
    }
    assert_int_equal(ask(&fixture, id, 1, "INCR n"), SHARD_ACCEPTED);
    assert_int_equal(ask(&fixture, id, 2, "INCR n"), SHARD_ACCEPTED);
    assert_int_equal(ask(&fixture, id, 3, "INCR n"), SHARD_ACCEPTED);
    fixture_turn(&fixture);
    assert_answered(&fixture, "2::1 2::2 2::3 ");
    assert_true(digest != shard_digest(fixture.shard));
    fixture_close(&fixture);
}

/* Node 2 leads term 4. */
static void follow(struct fixture *fixture)
{
    struct buf records = {0};
    struct raft_message message = {.type = RAFT_APPEND_REQUEST, .from = 2, .term = 4};
    fixture_noops(&records, 1, 1, 4);
    message.append_request.first_index = 1;
    message.append_request.entry_count = 1;
    message.append_request.commit = 1;
    message.append_request.time_ms = 6000;
    fixture_message(fixture, message, &records);
    fixture_turn(fixture);
    buf_close(&records);
}

static void test_the_number_travels_with_what_is_forwarded(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    follow(&fixture);
    assert_int_equal(ask(&fixture, (struct session_id){0x12, 0x34}, 7, "SETEX k 5 v"),
                     SHARD_ACCEPTED);
    fixture_turn(&fixture);
    assert_string_equal(fixture.forwarded,
                        "C#SESSION:00000000000000120000000000000034:7:0:2\r\n"
                        "*4\r\n$5\r\nSETEX\r\n$1\r\nk\r\n$1\r\n5\r\n$1\r\nv\r\n");
    assert_int_equal(ask_exec(&fixture, (struct session_id){0x12, 0x34}, 8), SHARD_ACCEPTED);
    fixture_turn(&fixture);
    assert_string_equal(fixture.forwarded,
                        "T#SESSION:00000000000000120000000000000034:8:0:2\r\n"
                        "*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n*1\r\n$4\r\nEXEC\r\n");
    const struct session_note note = {.verb = SESSION_ASK, .terms.ttl_ms = 99};
    assert_int_equal(change(&fixture, &note), SHARD_ACCEPTED);
    fixture_turn(&fixture);
    assert_string_equal(fixture.forwarded, "S#BEGIN:99\r\n");
    fixture_close(&fixture);
}

/* What this leader proposed is undone; it leads again, and proposes it again under its number. */
static void test_what_is_proposed_again_keeps_its_number(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    const struct session_note note = {.verb = SESSION_ASK};
    assert_int_equal(change(&fixture, &note), SHARD_ACCEPTED);
    fixture_turn(&fixture);
    fixture_acknowledge(&fixture, 0);
    fixture_turn(&fixture);
    struct session_id id;
    assert_true(session_id_parse(span_of(fixture.answered.ptr + 11, 32), &id));
    fixture.answered.len = 0;
    uint64_t last = fixture_last(&fixture);
    assert_int_equal(ask(&fixture, id, 1, "INCR n"), SHARD_ACCEPTED);
    fixture_turn(&fixture);
    fixture_overwrite_after(&fixture, last);
    fixture_win(&fixture);
    fixture_turn(&fixture);
    fixture_acknowledge(&fixture, 0);
    fixture_turn(&fixture);
    fixture_acknowledge(&fixture, 0);
    fixture_turn(&fixture);
    assert_answered(&fixture, "2::1 ");
    assert_int_equal(shard_stats(fixture.shard).reissued, 1);
    assert_int_equal(ask(&fixture, id, 1, "INCR n"), SHARD_ACCEPTED);
    fixture_turn(&fixture);
    fixture_acknowledge(&fixture, 0);
    fixture_turn(&fixture);
    assert_answered(&fixture, "2::1 ");
    fixture_close(&fixture);
}

static void test_a_full_disk_begins_no_session_and_ends_one(void **state)
{
    (void)state;
    struct fixture fixture;
    char message[512];
    fixture_init(&fixture);
    fixture.node.options.reserve_bytes = 1000;
    fixture.node.fake.free_bytes = 1 << 20;
    assert_int_equal(fixture_start(&fixture, 1, message), ERR_NONE);
    fixture_pass(&fixture, 2 * ELECTION_MS);
    fixture_turn(&fixture);
    struct session_id id = begin(&fixture, 0);
    fixture.node.fake.free_bytes = 900;
    for (int i = 0; i < 20; i++) {
        fixture_pass(&fixture, 100);
        fixture_turn(&fixture);
    }
    assert_true(shard_refuses_writes(fixture.shard));
    assert_false(shard_refuses_to_free(fixture.shard));
    struct session_note note = {.verb = SESSION_ASK};
    assert_int_equal(change(&fixture, &note), SHARD_ACCEPTED);
    fixture_turn(&fixture);
    assert_answered(&fixture,
                    "1:-MISCONF the leader's disk is full: nothing was done to the session ");
    note = (struct session_note){.verb = SESSION_END, .number.id = id};
    assert_int_equal(change(&fixture, &note), SHARD_ACCEPTED);
    fixture_turn(&fixture);
    assert_answered(&fixture, "1:+OK ");
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_leader_numbers_the_entries_of_its_clients),
        cmocka_unit_test(test_no_two_sessions_have_one_id),
        cmocka_unit_test(test_terms_are_those_of_the_leader_when_it_begins),
        cmocka_unit_test(test_nobody_uses_sessions_before_all_know_them),
        cmocka_unit_test(test_a_node_that_is_alone_agrees_when_sessions_are_wanted),
        cmocka_unit_test(test_a_session_is_over_without_a_request),
        cmocka_unit_test(test_a_session_is_there_after_a_restart),
        cmocka_unit_test(test_the_number_travels_with_what_is_forwarded),
        cmocka_unit_test(test_what_is_proposed_again_keeps_its_number),
        cmocka_unit_test(test_a_full_disk_begins_no_session_and_ends_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
