/* A silence that was announced is no death; one that lasts longer is, and so is a reset. */
#include "unit/raft/solo.h"

static struct solo follower(void)
{
    struct solo solo = solo_new(3, 5, TERMS(1));
    solo_append(&solo, 2, 5, 1, 1, 0, TERMS(0));
    assert_int_equal(raft_leader(solo.raft), 2);
    return solo;
}

static void test_a_leader_that_said_it_is_busy_is_waited_for(void **state)
{
    (void)state;
    struct solo solo = follower();
    solo_peer_busy(&solo, 2, 3000);
    solo_tick(&solo, 3000 + ELECTION_MS - 1);
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    solo_vote_request(&solo, 3, true, 6, 9, 5);
    assert_true(solo_granted(&solo, 3)); /* its silence is longer than it said */
    solo_tick(&solo, ELECTION_MS + 1);
    assert_int_equal(raft_role(solo.raft), RAFT_PRECANDIDATE);
    solo_close(&solo);
}

static void test_nobody_else_is_voted_for_while_the_leader_is_busy(void **state)
{
    (void)state;
    struct solo solo = follower();
    solo_peer_busy(&solo, 2, 3000);
    solo_tick(&solo, 2999);
    solo_vote_request(&solo, 3, true, 6, 9, 5);
    assert_false(solo_granted(&solo, 3));
    solo_close(&solo);
}

static void test_a_busy_leader_that_dies_is_not_waited_for(void **state)
{
    (void)state;
    struct solo solo = follower();
    solo_peer_busy(&solo, 2, 3000);
    solo_peer_lost(&solo, 2);
    solo_tick(&solo, HEARTBEAT_MS);
    assert_int_equal(raft_role(solo.raft), RAFT_PRECANDIDATE);
    solo_close(&solo);
}

static void test_who_is_busy_no_longer_is_waited_for_no_longer(void **state)
{
    (void)state;
    struct solo solo = follower();
    solo_peer_busy(&solo, 2, 9000);
    solo_tick(&solo, 100);
    solo_peer_busy(&solo, 2, 0);
    solo_tick(&solo, 2 * ELECTION_MS);
    assert_int_equal(raft_role(solo.raft), RAFT_PRECANDIDATE);
    solo_close(&solo);
}

static void test_no_announcement_counts_for_ever(void **state)
{
    (void)state;
    struct solo solo = follower();
    solo_peer_busy(&solo, 2, UINT32_MAX);
    solo_tick(&solo, RAFT_BUSY_MS_MAX + 2 * ELECTION_MS);
    assert_int_equal(raft_role(solo.raft), RAFT_PRECANDIDATE);
    solo_close(&solo);
}

static void test_only_the_leader_is_waited_for(void **state)
{
    (void)state;
    struct solo solo = follower();
    solo_peer_busy(&solo, 3, 9000);
    solo_tick(&solo, 2 * ELECTION_MS);
    assert_int_equal(raft_role(solo.raft), RAFT_PRECANDIDATE);
    solo_close(&solo);
}

static void test_a_leader_keeps_its_office_while_it_or_a_majority_is_busy(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 5, TERMS(1));
    solo_to_leader(&solo);
    solo_peer_busy(&solo, 1, 2000);
    solo_tick(&solo, 2000 + ELECTION_MS - 1);
    assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
    solo_tick(&solo, 1);
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    solo_close(&solo);
    solo = solo_new(3, 5, TERMS(1));
    solo_to_leader(&solo);
    solo_peer_busy(&solo, 3, 2000);
    solo_tick(&solo, 2000);
    assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
    solo_close(&solo);
}

/* Readers that take what may be stale judge by the newest contact: another leader may have been
 * elected since. */
static void test_an_announced_silence_is_no_contact(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 5, TERMS(1));
    solo_to_leader(&solo);
    uint64_t contact_ms = raft_last_contact_ms(solo.raft);
    solo_peer_busy(&solo, 1, 9000);
    solo_peer_busy(&solo, 3, 9000);
    solo_tick(&solo, 5000);
    assert_int_equal(raft_role(solo.raft), RAFT_LEADER);
    assert_int_equal(raft_last_contact_ms(solo.raft), contact_ms);
    solo_close(&solo);
}

static void test_what_another_incarnation_announces_excuses_nobody(void **state)
{
    (void)state;
    struct solo solo = solo_new(3, 5, TERMS(1));
    solo_to_leader(&solo);
    solo_step(&solo, (struct raft_event){.type = RAFT_EVENT_PEER_MET, .met = {3, 77}});
    solo_peer_busy(&solo, 3, 9000);
    solo_tick(&solo, 2 * ELECTION_MS);
    assert_int_equal(raft_role(solo.raft), RAFT_FOLLOWER);
    solo_close(&solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_leader_that_said_it_is_busy_is_waited_for),
        cmocka_unit_test(test_nobody_else_is_voted_for_while_the_leader_is_busy),
        cmocka_unit_test(test_a_busy_leader_that_dies_is_not_waited_for),
        cmocka_unit_test(test_who_is_busy_no_longer_is_waited_for_no_longer),
        cmocka_unit_test(test_no_announcement_counts_for_ever),
        cmocka_unit_test(test_only_the_leader_is_waited_for),
        cmocka_unit_test(test_a_leader_keeps_its_office_while_it_or_a_majority_is_busy),
        cmocka_unit_test(test_an_announced_silence_is_no_contact),
        cmocka_unit_test(test_what_another_incarnation_announces_excuses_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
