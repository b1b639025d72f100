/* How old the applied state may be. */
#include "unit/shard/fixture.h"

/* Entries first … first + count - 1 from `leader`, and what it has committed. */
static void leader_says(struct fixture *fixture, uint64_t leader, uint64_t term, uint64_t first,
                        size_t count, uint64_t commit)
{
    struct raft_message message = {.type = RAFT_APPEND_REQUEST, .from = leader, .term = term};
    message.append_request.prev_index = first - 1;
    message.append_request.prev_term = raft_term_of(shard_raft(fixture->shard), first - 1);
    message.append_request.first_index = count ? first : 0;
    message.append_request.entry_count = (uint32_t)count;
    message.append_request.commit = commit;
    struct buf records = {0};
    fixture_noops(&records, first, count, term);
    fixture_message(fixture, message, &records);
    buf_close(&records);
    fixture_turn(fixture);
}

static void test_a_state_is_as_fresh_as_the_contact_whose_commits_are_applied(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    assert_int_equal(shard_fresh_ms(fixture.shard), 0);
    leader_says(&fixture, 2, 1, 1, 1, 1);
    uint64_t first_ms = fixture.now.mono_ms;
    assert_int_equal(shard_fresh_ms(fixture.shard), first_ms);

    fixture_pass(&fixture, 10); /* contact alone does not make it fresh: it is two entries behind */
    leader_says(&fixture, 2, 1, 2, 2, 5);
    assert_int_equal(shard_applied_index(fixture.shard), 3);
    assert_int_equal(shard_fresh_ms(fixture.shard), first_ms);
    uint64_t second_ms = fixture.now.mono_ms;
    fixture_pass(&fixture, 10);
    leader_says(&fixture, 2, 1, 4, 2, 9);
    assert_int_equal(shard_fresh_ms(fixture.shard), second_ms);
    fixture_pass(&fixture, 10);
    leader_says(&fixture, 2, 1, 6, 4, 9);
    assert_int_equal(shard_fresh_ms(fixture.shard), fixture.now.mono_ms);
    fixture_close(&fixture);
}

static void test_a_new_leader_vouches_for_nothing_before_its_own_entry_is_applied(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    leader_says(&fixture, 2, 1, 1, 3, 3);
    uint64_t first_ms = fixture.now.mono_ms;
    fixture_pass(&fixture, 10);
    leader_says(&fixture, 3, 2, 4, 0, 2);
    assert_int_equal(shard_fresh_ms(fixture.shard), first_ms);
    fixture_pass(&fixture, 10);
    leader_says(&fixture, 3, 2, 4, 1, 4);
    assert_int_equal(shard_fresh_ms(fixture.shard), fixture.now.mono_ms);
    fixture_close(&fixture);
}

static void test_a_leader_that_lost_its_office_is_as_fresh_as_its_last_majority(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, 3);
    fixture_lead(&fixture);
    uint64_t contact_ms = fixture.now.mono_ms;
    shard_tick(fixture.shard, fixture.now);
    fixture_pass(&fixture, 10);
    fixture_depose(&fixture);
    assert_int_equal(shard_leader(fixture.shard), 0);
    assert_int_equal(shard_fresh_ms(fixture.shard), contact_ms);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_state_is_as_fresh_as_the_contact_whose_commits_are_applied),
        cmocka_unit_test(test_a_new_leader_vouches_for_nothing_before_its_own_entry_is_applied),
        cmocka_unit_test(test_a_leader_that_lost_its_office_is_as_fresh_as_its_last_majority),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
