#include <string.h>

#include "cluster/handover.h"
#include "unit/support/test.h"

enum { NOW_MS = 10000, SILENCE_MS = 300 };

/* Node 1 leads; 2 and 3 vote and keep up, 4 is a learner. */
static struct raft_status status(void)
{
    struct raft_status status = {.role = RAFT_LEADER, .peer_count = 3};
    for (uint64_t i = 0; i < 3; i++)
        status.peers[i] = (struct raft_peer_status){.id = i + 2,
                                                    .voter = i < 2,
                                                    .state = RAFT_REPLICATE,
                                                    .last_contact_ms = NOW_MS - SILENCE_MS + 1};
    return status;
}

static enum err check(const struct raft_status *status, uint64_t target,
                      char message[CLUSTER_MESSAGE_MAX])
{
    const struct cluster_handover handover = {.status = status,
                                              .leader = 1,
                                              .target = target,
                                              .now_ms = NOW_MS,
                                              .silence_ms = SILENCE_MS};
    message[0] = '\0';
    return cluster_handover_check(&handover, message);
}

static void assert_refused(const struct raft_status *status, uint64_t target, const char *why)
{
    char message[CLUSTER_MESSAGE_MAX];
    assert_int_equal(check(status, target, message), ERR_INVALID);
    assert_non_null(strstr(message, why));
}

static void test_a_voter_that_answers_can_lead(void **state)
{
    (void)state;
    struct raft_status now = status();
    char message[CLUSTER_MESSAGE_MAX];
    for (uint64_t target = 0; target <= 3; target++)
        if (target != 1)
            assert_int_equal(check(&now, target, message), ERR_NONE);
    now.peers[0].state = RAFT_SNAPSHOT; /* by name it has a timeout's time to catch up */
    assert_int_equal(check(&now, 2, message), ERR_NONE);
}

static void test_who_cannot_lead_is_said(void **state)
{
    (void)state;
    struct raft_status now = status();
    assert_refused(&now, 1, "node 1 leads already");
    assert_refused(&now, 9, "node 9 is no member");
    assert_refused(&now, 4, "node 4 has no vote");
    now.peers[0].no_room = true;
    assert_refused(&now, 2, "node 2 has no room");
    now.peers[1].last_contact_ms = NOW_MS - SILENCE_MS;
    assert_refused(&now, 3, "node 3 has not been heard of");
    now.peers[1].last_contact_ms = 0;
    assert_refused(&now, 3, "node 3 has not been heard of");
}

static void test_somebody_has_to_be_able_to_lead(void **state)
{
    (void)state;
    struct raft_status now = status();
    char message[CLUSTER_MESSAGE_MAX];
    now.peers[0].no_room = true;
    assert_int_equal(check(&now, 0, message), ERR_NONE);
    now.peers[1].state = RAFT_PROBE;
    assert_refused(&now, 0, "no other voter can lead");
    now.peers[1].state = RAFT_REPLICATE;
    now.peers[1].last_contact_ms = 0;
    assert_refused(&now, 0, "no other voter can lead");
    now.peer_count = 0;
    assert_refused(&now, 0, "no other voter can lead");
}

static void test_one_handover_at_a_time(void **state)
{
    (void)state;
    struct raft_status now = status();
    now.transfer_target = 2;
    assert_refused(&now, 3, "handed over to node 2 already");
    assert_refused(&now, 0, "handed over to node 2 already");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_voter_that_answers_can_lead),
        cmocka_unit_test(test_who_cannot_lead_is_said),
        cmocka_unit_test(test_somebody_has_to_be_able_to_lead),
        cmocka_unit_test(test_one_handover_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
