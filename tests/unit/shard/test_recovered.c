/* A group that goes on without its majority: the first start under the new cluster id. */
#include "unit/shard/fixture.h"

/* A follower of three with entries that nobody knows to be committed, stopped, and recovered. */
struct recovered {
    struct fixture fixture;
    struct cluster_superseded superseded;
    uint64_t last; /* entry */
};

static void become_recovered(struct recovered *node)
{
    struct fixture *fixture = &node->fixture;
    struct cluster_predecessor *old = &node->superseded.items[0];
    node->superseded.count = 1;
    memcpy(old->cluster_id, cluster_one, sizeof cluster_one);
    old->last_index = node->last;
    old->last_term = 7;
    fixture->recovered = old;
    fixture->node.options.superseded = &node->superseded;
    memcpy(fixture->node.options.identity.cluster_id, cluster_two, sizeof cluster_two);
}

static void recovered_open(struct recovered *node)
{
    *node = (struct recovered){.last = 5};
    struct fixture *fixture = &node->fixture;
    fixture_open(fixture, 3);
    struct raft_message message = {.type = RAFT_APPEND_REQUEST, .from = 2, .term = 7};
    message.append_request.first_index = 1;
    message.append_request.entry_count = (uint32_t)node->last;
    struct buf records = {0};
    fixture_noops(&records, 1, (size_t)node->last, 7);
    fixture_message(fixture, message, &records);
    buf_close(&records);
    fixture_turn(fixture);
    assert_int_equal(fixture_last(fixture), node->last);
    assert_int_equal(raft_commit_index(shard_raft(fixture->shard)), 0);
    fixture_end(fixture);
    become_recovered(node);
}

static void start(struct recovered *node)
{
    char message[512];
    if (fixture_start(&node->fixture, 1, message))
        fail_msg("%s", message);
}

static enum err try_start(struct recovered *node, const char *says)
{
    char message[512] = "";
    enum err err = fixture_start(&node->fixture, 1, message);
    if (!strstr(message, says))
        fail_msg("'%s' does not say '%s'", message, says);
    return err;
}

static void assert_leads(struct recovered *node)
{
    struct fixture *fixture = &node->fixture;
    fixture_pass(fixture, 3 * ELECTION_MS);
    fixture_turn(fixture);
    fixture_turn(fixture);
    assert_true(shard_is_leader(fixture->shard));
    assert_true(shard_applied_index(fixture->shard) > node->last + 1);
    const struct raft_membership *members = raft_membership(shard_raft(fixture->shard));
    assert_int_equal(members->count, 1);
    assert_int_equal(members->version, WIRE_VERSION);
    assert_int_equal(raft_membership_at(shard_raft(fixture->shard), node->last + 1)->count, 1);
    fixture_accept(fixture, 1, "APPEND k v");
    fixture_turn(fixture);
    assert_answered(fixture, "1::1 ");
}

static void test_the_only_member_goes_on_with_all_entries(void **state)
{
    (void)state;
    struct recovered node;
    recovered_open(&node);
    start(&node);
    assert_int_equal(fixture_last(&node.fixture), node.last + 1);
    assert_int_equal(raft_term_of(shard_raft(node.fixture.shard), node.last + 1), 8);
    assert_int_equal(fixture_term(&node.fixture), 8);
    assert_leads(&node);
    fixture_close(&node.fixture);
}

static void test_a_second_start_adds_nothing(void **state)
{
    (void)state;
    struct recovered node;
    recovered_open(&node);
    start(&node);
    assert_leads(&node);
    uint64_t last = fixture_last(&node.fixture);
    fixture_end(&node.fixture);
    start(&node);
    assert_int_equal(fixture_last(&node.fixture), last);
    fixture_close(&node.fixture);
}

/* The fake disk carries out the first `count` operations; then the process dies. */
static void carry_out(struct fake *fake, size_t count)
{
    for (; count; count--) {
        fake_carry_out(fake, &fake->queued[0]);
        fake->queued[0].file = DISK_NO_FILE;
        fake_drop(fake, 1);
    }
}

static void test_a_crash_at_any_step_of_the_first_start_is_made_up_for(void **state)
{
    (void)state;
    bool all = false;
    size_t tries = 0;
    for (size_t count = 0; !all; count++, tries++) {
        struct recovered node;
        recovered_open(&node);
        start(&node);
        all = count == node.fixture.node.fake.queued_count;
        carry_out(&node.fixture.node.fake, count);
        fixture_end(&node.fixture);
        start(&node);
        assert_int_equal(fixture_last(&node.fixture), node.last + 1);
        assert_leads(&node);
        fixture_close(&node.fixture);
    }
    assert_true(tries > 3);
}

static void test_the_next_segment_has_the_id_of_the_new_cluster(void **state)
{
    (void)state;
    struct recovered node;
    recovered_open(&node);
    start(&node);
    fixture_turn(&node.fixture);
    fixture_end(&node.fixture);
    struct storage_peek found;
    char message[512];
    assert_int_equal(
        storage_peek(&node.fixture.node.port, &node.fixture.node.options, &found, message),
        ERR_NONE);
    assert_string_equal(found.identity.cluster_id, cluster_two);
    fixture_close(&node.fixture);
}

static void test_a_log_that_ends_too_early_is_refused(void **state)
{
    (void)state;
    struct recovered node;
    recovered_open(&node);
    node.superseded.items[0].last_index++;
    assert_int_equal(try_start(&node, "data is missing"), ERR_CORRUPT);
    node.superseded.items[0].last_index--;
    start(&node);
    fixture_close(&node.fixture);
}

static void test_a_log_with_another_last_entry_is_refused(void **state)
{
    (void)state;
    struct recovered node;
    recovered_open(&node);
    node.superseded.items[0].last_term--;
    assert_int_equal(try_start(&node, "data is missing"), ERR_CORRUPT);
    fixture_close(&node.fixture);
}

static void test_a_disk_that_refuses_a_new_segment_is_told(void **state)
{
    (void)state;
    enum err err = ERR_DENIED;
    unsigned told = 0;
    for (unsigned call = 1; err; call++) {
        struct recovered node;
        recovered_open(&node);
        char message[512] = "";
        node.fixture.node.fake.calls = 0;
        node.fixture.node.fake.fail_at = call;
        err = fixture_start(&node.fixture, 1, message);
        told += strstr(message, "cannot begin log segment") != NULL;
        node.fixture.node.fake.fail_at = 0;
        if (err)
            fixture_end(&node.fixture);
        if (err)
            start(&node);
        assert_leads(&node);
        fixture_close(&node.fixture);
        assert_true(call < 100);
    }
    assert_int_equal(told, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_only_member_goes_on_with_all_entries),
        cmocka_unit_test(test_a_second_start_adds_nothing),
        cmocka_unit_test(test_a_crash_at_any_step_of_the_first_start_is_made_up_for),
        cmocka_unit_test(test_the_next_segment_has_the_id_of_the_new_cluster),
        cmocka_unit_test(test_a_log_that_ends_too_early_is_refused),
        cmocka_unit_test(test_a_log_with_another_last_entry_is_refused),
        cmocka_unit_test(test_a_disk_that_refuses_a_new_segment_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
