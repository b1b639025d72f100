/* How a cluster begins, by the rules of cluster/founding.h. */
#include "base/prng.h"
#include "unit/cluster/group.h"

static void begin_three(struct group *group)
{
    group_init(group, 3, LIST_OF_THREE);
    group_start_all(group);
    group_run(group, 6);
    for (size_t i = 0; i < 3; i++)
        assert_true(group_has_begun(group, i));
}

/* Up to the moment in which all have stored the record and none has begun. */
static void found_three(struct group *group)
{
    group_init(group, 3, LIST_OF_THREE);
    group_start_all(group);
    group_run(group, 1); /* the first one draws */
    group_tell(group, 0, 1);
    group_tell(group, 0, 2);
    group_step(group, 1);
    group_step(group, 2);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(group->nodes[i].disk.begin, CLUSTER_FOUNDING);
}

static void test_three_empty_nodes_begin_one_cluster(void **state)
{
    (void)state;
    struct group group;
    begin_three(&group);
    const struct cluster_identity *first = &group.nodes[0].disk;
    for (size_t i = 1; i < 3; i++) {
        assert_string_equal(group.nodes[i].disk.cluster_id, first->cluster_id);
        assert_true(cluster_founders_equal(&group.nodes[i].disk.founders, &first->founders));
    }
    assert_string_not_equal(first->cluster_id, CLUSTER_NO_ID);
    assert_int_equal(first->founders.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(first->founders.members[i].id, i + 1);
        assert_int_equal(first->founders.members[i].roles, RAFT_VOTER);
        assert_int_equal(first->founders.members[i].incarnation, group.nodes[i].disk.incarnation);
    }
    assert_string_equal(first->founders.members[1].address, "b:2");
    assert_string_equal(first->list, LIST_OF_THREE);
}

static void test_a_single_node_begins_alone_at_once(void **state)
{
    (void)state;
    struct group group;
    group_init(&group, 1, "1@127.0.0.1:6379");
    group_start_all(&group);
    group_step(&group, 0);
    group_step(&group, 0);
    assert_true(group_has_begun(&group, 0));
}

static void test_two_empty_nodes_of_three_never_begin(void **state)
{
    (void)state;
    for (size_t missing = 0; missing < 3; missing++) {
        struct group group;
        group_init(&group, 3, LIST_OF_THREE);
        for (size_t i = 0; i < 3; i++)
            if (i != missing)
                group_start(&group, i);
        group_run(&group, 1000);
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(group.nodes[i].disk.begin, CLUSTER_EMPTY);
        char text[64];
        snprintf(text, sizeof text, "waiting for node %zu at %c:%zu, which is not reached",
                 missing + 1, (char)('a' + missing), missing + 1);
        group_assert_describes(&group, missing == 0 ? 1 : 0, text);
    }
}

static void test_nobody_begins_before_all_have_stored_the_record(void **state)
{
    (void)state;
    struct group group;
    group_init(&group, 3, LIST_OF_THREE);
    group_start_all(&group);
    group.nodes[2].stores = false;
    group_run(&group, 1000);
    assert_int_equal(group.nodes[0].disk.begin, CLUSTER_FOUNDING);
    assert_int_equal(group.nodes[1].disk.begin, CLUSTER_FOUNDING);
    assert_int_equal(group.nodes[2].disk.begin, CLUSTER_EMPTY);
    group_assert_describes(&group, 0, "node 3 at c:3, which has not stored the founders' record");
}

static void test_a_node_says_nothing_that_is_not_stored(void **state)
{
    (void)state;
    struct group group;
    group_init(&group, 3, LIST_OF_THREE);
    group_start_all(&group);
    group.nodes[0].stores = false;
    group_run(&group, 5);
    struct founding_said said;
    founding_say(&group.nodes[0].founding, &said);
    assert_int_equal(said.begin, CLUSTER_EMPTY);
    assert_int_equal(said.founders.count, 0);
    assert_int_equal(group.nodes[1].disk.begin, CLUSTER_EMPTY);
}

static void test_the_node_with_the_lowest_id_alone_draws(void **state)
{
    (void)state;
    struct group group;
    group_init(&group, 3, LIST_OF_THREE);
    group_start_all(&group);
    group.nodes[0].stores = false;
    group_run(&group, 1000);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(group.nodes[i].disk.begin, CLUSTER_EMPTY);
    group_assert_describes(&group, 1, "node 1 at a:1, which has to draw the cluster's id");
}

static void test_another_list_keeps_the_cluster_from_beginning(void **state)
{
    (void)state;
    struct group group;
    group_init(&group, 3, LIST_OF_THREE);
    group.nodes[2].list = "1@a:1,2@b:2,3@c:4";
    group_start_all(&group);
    group_run(&group, 1000);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(group.nodes[i].disk.begin, CLUSTER_EMPTY);
    group_assert_describes(&group, 0, "node 3 at c:3, whose cluster-nodes differ");
}

static void test_other_data_to_import_keeps_the_cluster_from_beginning(void **state)
{
    (void)state;
    struct group group;
    group_init(&group, 3, LIST_OF_THREE);
    group.nodes[0].mark = group.nodes[1].mark = 7;
    group.nodes[2].mark = 0;
    group_start_all(&group);
    group_run(&group, 1000);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(group.nodes[i].disk.begin, CLUSTER_EMPTY);
    group_assert_describes(&group, 0, "node 3 at c:3, which was not given the same data");
    group_assert_describes(&group, 2, "node 1 at a:1, which was not given the same data");
}

static void test_the_mark_of_the_data_is_in_the_record(void **state)
{
    (void)state;
    struct group group;
    group_init(&group, 3, LIST_OF_THREE);
    for (size_t i = 0; i < 3; i++)
        group.nodes[i].mark = 7;
    group_start_all(&group);
    group_run(&group, 6);
    assert_true(group_has_begun(&group, 2));
    assert_int_equal(group.nodes[2].disk.founders.mark, 7);
}

static void test_a_configured_cluster_id_is_used(void **state)
{
    (void)state;
    static const char id[] = "0123456789abcdef0123456789abcdef01234567";
    struct group group;
    group_init(&group, 3, LIST_OF_THREE);
    for (size_t i = 0; i < 3; i++)
        group.nodes[i].id = id;
    group_start_all(&group);
    group_run(&group, 6);
    assert_true(group_has_begun(&group, 2));
    assert_string_equal(group.nodes[2].disk.cluster_id, id);
}

static void test_another_configured_cluster_id_keeps_the_cluster_from_beginning(void **state)
{
    (void)state;
    struct group group;
    group_init(&group, 3, LIST_OF_THREE);
    group.nodes[1].id = "0123456789abcdef0123456789abcdef01234567";
    group_start_all(&group);
    group_run(&group, 1000);
    assert_int_equal(group.nodes[0].disk.begin, CLUSTER_EMPTY);
    group_assert_describes(&group, 0, "node 2 at b:2, whose cluster-id differs");
}

static void test_a_restart_in_each_state_goes_on(void **state)
{
    (void)state;
    for (size_t victim = 0; victim < 3; victim++)
        for (unsigned rounds = 0; rounds < 6; rounds++) {
            struct group group;
            group_init(&group, 3, LIST_OF_THREE);
            group_start_all(&group);
            group_run(&group, rounds);
            group_restart(&group, victim);
            group_run(&group, 6);
            for (size_t i = 0; i < 3; i++)
                assert_true(group_has_begun(&group, i));
        }
}

static void test_founders_go_on_without_the_coordinator_that_told_all(void **state)
{
    (void)state;
    struct group group;
    found_three(&group);
    group_tell(&group, 0, 1); /* it has stored the record */
    group_tell(&group, 0, 2);
    group_stop(&group, 0);
    group_run(&group, 6);
    assert_true(group_has_begun(&group, 1));
    assert_true(group_has_begun(&group, 2));
}

static void test_a_record_is_passed_on_by_those_who_have_it(void **state)
{
    (void)state;
    struct group group;
    group_init(&group, 3, LIST_OF_THREE);
    group_start_all(&group);
    group_run(&group, 1);
    group_tell(&group, 0, 1);
    group_step(&group, 1);
    group_stop(&group, 0); /* it drew the record and told one */
    group_run(&group, 10);
    assert_true(group_has_begun(&group, 1)); /* all have stored it: the first one said so */
    assert_true(group_has_begun(&group, 2));
    assert_true(
        cluster_founders_equal(&group.nodes[1].disk.founders, &group.nodes[2].disk.founders));
    group_start(&group, 0);
    group_run(&group, 6);
    for (size_t i = 0; i < 3; i++)
        assert_true(group_has_begun(&group, i));
}

static void test_a_coordinator_wiped_after_it_drew_draws_no_second_record(void **state)
{
    (void)state;
    struct group group;
    group_init(&group, 3, LIST_OF_THREE);
    group_start_all(&group);
    group_run(&group, 1);
    group_tell(&group, 0, 1);
    group_step(&group, 1);
    group_stop(&group, 0);
    group_wipe(&group, 0);
    group_start(&group, 0);
    group_run(&group, 6);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(group.nodes[i].disk.cluster_id, group.nodes[1].disk.cluster_id);
    assert_int_equal(group.nodes[0].disk.founders.count, 0); /* it has no vote */
    assert_int_equal(group.nodes[2].disk.founders.count, 3);
}

/* Nobody knows what the two have promised. */
static void test_two_founders_wiped_in_the_middle_draw_no_second_record(void **state)
{
    (void)state;
    struct group group;
    found_three(&group);
    for (size_t i = 0; i < 2; i++) {
        group_stop(&group, i);
        group_wipe(&group, i);
        group_start(&group, i);
    }
    group_run(&group, 1000);
    for (size_t i = 0; i < 3; i++)
        assert_false(group_has_begun(&group, i));
    group_assert_describes(&group, 0, "node 3 at c:3, which has begun to found a cluster without");
    group_assert_describes(&group, 2, "node 2 at b:2, which lost its data folder");
}

static void test_a_founder_wiped_before_all_knew_keeps_the_cluster_from_beginning(void **state)
{
    (void)state;
    struct group group;
    found_three(&group);
    group_stop(&group, 2);
    group_wipe(&group, 2);
    group_start(&group, 2);
    group_run(&group, 1000);
    for (size_t i = 0; i < 3; i++)
        assert_false(group_has_begun(&group, i));
}

static void test_a_node_wiped_before_the_draw_is_met_anew(void **state)
{
    (void)state;
    struct group group;
    group_init(&group, 3, LIST_OF_THREE);
    group_start(&group, 1);
    group_start(&group, 2);
    group_run(&group, 3);
    group_stop(&group, 2);
    group_wipe(&group, 2);
    group_start(&group, 2);
    group_start(&group, 0);
    group_run(&group, 6);
    for (size_t i = 0; i < 3; i++)
        assert_true(group_has_begun(&group, i));
}

static void test_a_founder_wiped_after_the_begin_joins_without_a_record(void **state)
{
    (void)state;
    struct group group;
    begin_three(&group);
    group_stop(&group, 2);
    group_wipe(&group, 2);
    group_start(&group, 2);
    group_run(&group, 3);
    assert_true(group_has_begun(&group, 2));
    assert_string_equal(group.nodes[2].disk.cluster_id, group.nodes[0].disk.cluster_id);
    assert_int_equal(group.nodes[2].disk.founders.count, 0);
}

static void test_a_founder_that_missed_the_begin_begins_by_its_record(void **state)
{
    (void)state;
    struct group group;
    found_three(&group);
    group_stop(&group, 2);
    group_tell(&group, 0, 1);
    group.nodes[2].up = true;
    group_connect(&group);
    group_tell(&group, 2, 1);
    group_step(&group, 1); /* knows of all */
    assert_true(group_has_begun(&group, 1));
    group_stop(&group, 0);
    group_restart(&group, 2);
    group_run(&group, 3);
    assert_true(group_has_begun(&group, 2));
    assert_int_equal(group.nodes[2].disk.founders.count, 3);
}

static void test_an_older_copy_of_an_empty_folder_joins_under_a_new_incarnation(void **state)
{
    (void)state;
    struct group group;
    group_init(&group, 3, LIST_OF_THREE);
    struct cluster_identity copy = group.nodes[2].disk;
    group_start_all(&group);
    group_run(&group, 6);
    group_stop(&group, 2);
    group.nodes[2].disk = copy;
    group_start(&group, 2);
    group_run(&group, 3);
    assert_true(group_has_begun(&group, 2));
    assert_int_not_equal(group.nodes[2].disk.incarnation, copy.incarnation);
    assert_int_equal(group.nodes[2].disk.founders.count, 0);
}

static void test_a_late_answer_of_a_replaced_incarnation_is_ignored(void **state)
{
    (void)state;
    struct group group;
    group_init(&group, 2, "1@a:1,2@b:2");
    group_start_all(&group);
    struct founding_said late;
    founding_say(&group.nodes[1].founding, &late);
    group_wipe(&group, 1);
    group_start(&group, 1);
    group_connect(&group);
    founding_heard(&group.nodes[0].founding, &late);
    group_step(&group, 0);
    assert_int_equal(group.nodes[0].disk.begin, CLUSTER_EMPTY);
}

static void test_what_a_lost_connection_told_is_forgotten(void **state)
{
    (void)state;
    struct group group;
    group_init(&group, 2, "1@a:1,2@b:2");
    group_start_all(&group);
    group_connect(&group);
    group_tell(&group, 1, 0);
    group_stop(&group, 1);
    group_step(&group, 0);
    assert_int_equal(group.nodes[0].disk.begin, CLUSTER_EMPTY);
    group_assert_describes(&group, 0, "node 2 at b:2, which is not reached");
}

static void test_a_record_that_names_another_folder_of_this_node_is_not_stored(void **state)
{
    (void)state;
    struct group group;
    group_init(&group, 3, LIST_OF_THREE);
    group_start_all(&group);
    group_run(&group, 1);
    struct founding_said said;
    founding_say(&group.nodes[0].founding, &said);
    assert_int_equal(said.begin, CLUSTER_FOUNDING);
    said.founders.members[1].incarnation++;
    founding_heard(&group.nodes[1].founding, &said);
    group_step(&group, 1);
    assert_int_equal(group.nodes[1].disk.begin, CLUSTER_EMPTY);
}

static void test_another_record_does_not_count_for_this_one(void **state)
{
    (void)state;
    struct group group;
    found_three(&group);
    group_connect(&group);
    for (size_t i = 1; i < 3; i++) {
        struct founding_said said;
        founding_say(&group.nodes[i].founding, &said);
        said.founders.cluster_id[0] ^= 1;
        founding_heard(&group.nodes[0].founding, &said);
    }
    group_step(&group, 0);
    assert_false(group_has_begun(&group, 0));
}

static void test_a_founder_does_not_turn_to_another_cluster_that_has_begun(void **state)
{
    (void)state;
    struct group group;
    found_three(&group);
    group_connect(&group);
    struct founding_said said;
    founding_say(&group.nodes[1].founding, &said);
    said.begin = CLUSTER_BEGUN;
    said.founders.count = 0;
    group_id(4711, said.cluster_id);
    founding_heard(&group.nodes[0].founding, &said);
    group_step(&group, 0);
    assert_int_equal(group.nodes[0].disk.begin, CLUSTER_FOUNDING);
}

static void test_an_empty_node_does_not_choose_between_two_clusters(void **state)
{
    (void)state;
    struct group group;
    begin_three(&group);
    group_id(4711, group.nodes[1].founding.stored.cluster_id);
    group.nodes[1].founding.stored.founders.count = 0;
    group_stop(&group, 2);
    group_wipe(&group, 2);
    group_start(&group, 2);
    group_run(&group, 100);
    assert_int_equal(group.nodes[2].disk.begin, CLUSTER_EMPTY);
}

static void test_a_node_with_data_to_import_joins_no_cluster(void **state)
{
    (void)state;
    struct group group;
    begin_three(&group);
    group_stop(&group, 2);
    group_wipe(&group, 2);
    group.nodes[2].mark = 7;
    group_start(&group, 2);
    group_run(&group, 100);
    assert_int_equal(group.nodes[2].disk.begin, CLUSTER_EMPTY);
    group_assert_describes(&group, 2, "which belongs to a cluster that this node cannot join");
}

static void test_a_node_with_another_cluster_id_joins_no_cluster(void **state)
{
    (void)state;
    struct group group;
    begin_three(&group);
    group_stop(&group, 2);
    group_wipe(&group, 2);
    group.nodes[2].id = "0123456789abcdef0123456789abcdef01234567";
    group_start(&group, 2);
    group_run(&group, 100);
    assert_int_equal(group.nodes[2].disk.begin, CLUSTER_EMPTY);
}

static void test_begin_cluster_makes_one_node_the_only_voter(void **state)
{
    (void)state;
    struct group group;
    group_init(&group, 3, LIST_OF_THREE);
    group.nodes[1].alone = true;
    group_start(&group, 1);
    group_run(&group, FOUNDING_ALONE_MS / FOUNDING_ASK_MS + 3);
    assert_true(group_has_begun(&group, 1));
    const struct cluster_founders *record = &group.nodes[1].disk.founders;
    assert_int_equal(record->count, 3);
    assert_int_equal(record->members[0].roles, RAFT_LEARNER | RAFT_PROMOTE);
    assert_int_equal(record->members[0].incarnation, 0);
    assert_int_equal(record->members[1].roles, RAFT_VOTER);
    assert_int_equal(record->members[1].incarnation, group.nodes[1].disk.incarnation);
    assert_int_equal(record->members[2].roles, RAFT_LEARNER | RAFT_PROMOTE);
    group_start(&group, 0);
    group_run(&group, 3);
    assert_string_equal(group.nodes[0].disk.cluster_id, record->cluster_id);
}

static void test_begin_cluster_joins_a_cluster_that_has_begun(void **state)
{
    (void)state;
    struct group group;
    begin_three(&group);
    group_stop(&group, 0);
    group_wipe(&group, 0);
    group.nodes[0].alone = true;
    group_start(&group, 0);
    group_run(&group, 30);
    assert_string_equal(group.nodes[0].disk.cluster_id, group.nodes[1].disk.cluster_id);
    assert_int_equal(group.nodes[0].disk.founders.count, 0);
}

static void test_a_copied_folder_does_not_count_as_the_founder(void **state)
{
    (void)state;
    struct group group;
    found_three(&group);
    group_stop(&group, 2);
    group.nodes[2].disk.incarnation = ++group.drawn; /* as the host does when the place differs */
    group_start(&group, 2);
    group_run(&group, 100);
    for (size_t i = 0; i < 3; i++)
        assert_false(group_has_begun(&group, i));
    group_assert_describes(&group, 2, "was copied or moved");
}

static void test_nodes_ask_every_200_ms_until_they_have_begun(void **state)
{
    (void)state;
    struct group group;
    group_init(&group, 2, "1@a:1,2@b:2");
    group_start(&group, 0);
    struct founding *founding = &group.nodes[0].founding;
    struct founding_update update;
    unsigned asked = 0;
    for (uint64_t ms = 0; ms < 1000; ms++) {
        founding_step(founding, group.now_ms + ms, &update);
        asked += update.ask;
    }
    assert_int_equal(asked, 5);
    assert_int_equal(founding_deadline_ms(founding), group.now_ms + 1000);
    struct group begun;
    begin_three(&begun);
    founding_step(&begun.nodes[0].founding, begun.now_ms + 10000, &update);
    assert_false(update.ask);
    assert_true(founding_deadline_ms(&begun.nodes[0].founding) == UINT64_MAX);
    char text[FOUNDING_TEXT_MAX];
    founding_describe(&begun.nodes[0].founding, text);
    assert_string_equal(text, "");
}

/* ---- whatever happens ---- */

enum { LATE_MAX = 32, STEPS = 400 };

struct storm {
    struct group group;
    struct prng prng;
    struct founding_said late[LATE_MAX]; /* under way for ever */
    size_t late_count;
    uint64_t calm; /* the larger, the fewer crashes */
};

static void tell_or_hold(struct storm *storm, size_t from, size_t to)
{
    struct group *group = &storm->group;
    if (!group->nodes[from].up || !group->nodes[to].up)
        return;
    if (prng_below(&storm->prng, 4) == 0)
        founding_say(&group->nodes[from].founding, &storm->late[storm->late_count++ % LATE_MAX]);
    else
        group_tell(group, from, to);
}

static void deliver_late(struct storm *storm, size_t to)
{
    size_t held = storm->late_count < LATE_MAX ? storm->late_count : LATE_MAX;
    if (held && storm->group.nodes[to].up)
        founding_heard(&storm->group.nodes[to].founding,
                       &storm->late[prng_below(&storm->prng, held)]);
}

/* One end of a connection notices who is at the other now. */
static void notice(struct group *group, size_t at, size_t other)
{
    if (!group->nodes[at].up || at == other)
        return;
    if (group->nodes[other].up)
        founding_met(&group->nodes[at].founding, other + 1,
                     group->nodes[other].founding.stored.incarnation);
    else
        founding_lost(&group->nodes[at].founding, other + 1);
}

static void storm_step(struct storm *storm)
{
    struct group *group = &storm->group;
    size_t at = (size_t)prng_below(&storm->prng, group->count);
    size_t other = (size_t)prng_below(&storm->prng, group->count);
    group->now_ms += 50;
    switch (prng_below(&storm->prng, 24)) {
    case 0:
    case 1:
        if (prng_below(&storm->prng, storm->calm))
            break;
        group->nodes[at].up = false;
        if (prng_below(&storm->prng, 2))
            group_wipe(group, at);
        break;
    case 2:
    case 3:
        if (!group->nodes[at].up)
            group_start(group, at);
        break;
    case 4:
    case 5:
        deliver_late(storm, at);
        break;
    case 6:
    case 7:
    case 8:
    case 9:
    case 10:
        if (group->nodes[at].up)
            group_step(group, at);
        break;
    case 11:
    case 12:
    case 13:
    case 14:
        notice(group, at, other);
        break;
    default:
        if (at != other)
            tell_or_hold(storm, at, other);
    }
}

static unsigned assert_one_cluster(const struct group *group)
{
    const char *id = NULL;
    for (size_t i = 0; i < group->count; i++) {
        const struct cluster_identity *disk = &group->nodes[i].disk;
        if (disk->begin != CLUSTER_BEGUN)
            continue;
        if (id)
            assert_string_equal(id, disk->cluster_id);
        id = disk->cluster_id;
    }
    return id != NULL;
}

static void test_no_storm_of_crashes_and_wiped_disks_begins_two_clusters(void **state)
{
    (void)state;
    static struct storm storm;
    unsigned begun = 0;
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        storm.late_count = 0;
        prng_init(&storm.prng, seed);
        storm.calm = 1 + prng_below(&storm.prng, 12);
        group_init(&storm.group, 3, LIST_OF_THREE);
        group_start_all(&storm.group);
        unsigned has_begun = 0;
        for (unsigned i = 0; i < STEPS; i++) {
            storm_step(&storm);
            has_begun |= assert_one_cluster(&storm.group);
        }
        begun += has_begun;
    }
    assert_in_range(begun, 300, 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_three_empty_nodes_begin_one_cluster),
        cmocka_unit_test(test_a_single_node_begins_alone_at_once),
        cmocka_unit_test(test_two_empty_nodes_of_three_never_begin),
        cmocka_unit_test(test_nobody_begins_before_all_have_stored_the_record),
        cmocka_unit_test(test_a_node_says_nothing_that_is_not_stored),
        cmocka_unit_test(test_the_node_with_the_lowest_id_alone_draws),
        cmocka_unit_test(test_another_list_keeps_the_cluster_from_beginning),
        cmocka_unit_test(test_other_data_to_import_keeps_the_cluster_from_beginning),
        cmocka_unit_test(test_the_mark_of_the_data_is_in_the_record),
        cmocka_unit_test(test_a_configured_cluster_id_is_used),
        cmocka_unit_test(test_another_configured_cluster_id_keeps_the_cluster_from_beginning),
        cmocka_unit_test(test_a_restart_in_each_state_goes_on),
        cmocka_unit_test(test_founders_go_on_without_the_coordinator_that_told_all),
        cmocka_unit_test(test_a_record_is_passed_on_by_those_who_have_it),
        cmocka_unit_test(test_a_coordinator_wiped_after_it_drew_draws_no_second_record),
        cmocka_unit_test(test_two_founders_wiped_in_the_middle_draw_no_second_record),
        cmocka_unit_test(test_a_founder_wiped_before_all_knew_keeps_the_cluster_from_beginning),
        cmocka_unit_test(test_a_node_wiped_before_the_draw_is_met_anew),
        cmocka_unit_test(test_a_founder_wiped_after_the_begin_joins_without_a_record),
        cmocka_unit_test(test_a_founder_that_missed_the_begin_begins_by_its_record),
        cmocka_unit_test(test_an_older_copy_of_an_empty_folder_joins_under_a_new_incarnation),
        cmocka_unit_test(test_a_late_answer_of_a_replaced_incarnation_is_ignored),
        cmocka_unit_test(test_what_a_lost_connection_told_is_forgotten),
        cmocka_unit_test(test_a_record_that_names_another_folder_of_this_node_is_not_stored),
        cmocka_unit_test(test_another_record_does_not_count_for_this_one),
        cmocka_unit_test(test_a_founder_does_not_turn_to_another_cluster_that_has_begun),
        cmocka_unit_test(test_an_empty_node_does_not_choose_between_two_clusters),
        cmocka_unit_test(test_a_node_with_data_to_import_joins_no_cluster),
        cmocka_unit_test(test_a_node_with_another_cluster_id_joins_no_cluster),
        cmocka_unit_test(test_begin_cluster_makes_one_node_the_only_voter),
        cmocka_unit_test(test_begin_cluster_joins_a_cluster_that_has_begun),
        cmocka_unit_test(test_a_copied_folder_does_not_count_as_the_founder),
        cmocka_unit_test(test_no_storm_of_crashes_and_wiped_disks_begins_two_clusters),
        cmocka_unit_test(test_nodes_ask_every_200_ms_until_they_have_begun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
