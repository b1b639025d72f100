/* What a node that knows only addresses does, by the rules of cluster/seeking.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/members.h"
#include "cluster/seeking.h"
#include "unit/support/test.h"

enum { OWN = 100, A = 11, B = 12, C = 13 };

static const char other_id[] = "00000000000000000000000000000000000000aa";

static void begin(struct seeking *seeking, unsigned expect)
{
    struct founding_options options = {.drawn_incarnation = 900,
                                       .drawn_id = "00000000000000000000000000000000000000dd",
                                       .stored = {.cluster_id = CLUSTER_NO_ID, .incarnation = OWN}};
    seeking_init(seeking, &options, expect, 1000);
    seeking_set_address(seeking, "b:1");
    seeking_set_missing(seeking, "");
}

/* An empty node that says nothing special. */
static struct seeking_said fresh(uint64_t incarnation, const char *address)
{
    struct seeking_said said = {.expect = 3, .joins = CLUSTER_NO_ID};
    said.node = (struct founding_said){.incarnation = incarnation, .cluster_id = CLUSTER_NO_ID};
    snprintf(said.address, sizeof said.address, "%s", address);
    return said;
}

static void hear(struct seeking *seeking, uint64_t key, const struct seeking_said *said)
{
    assert_true(seeking_contact(seeking, key, said->address, true));
    seeking_met(seeking, key, said->node.incarnation);
    seeking_heard(seeking, key, said);
}

static const struct cluster_identity *step(struct seeking *seeking)
{
    struct founding_update update;
    seeking_step(seeking, 5000, &update);
    return update.store;
}

static void assert_waits(struct seeking *seeking, const char *part)
{
    char text[SEEKING_TEXT_MAX];
    assert_null(step(seeking));
    assert_false(seeking->founding.listed);
    seeking_describe(seeking, text);
    if (!strstr(text, part))
        fail_msg("it says '%s', not '%s'", text, part);
}

/* Two others that are empty, at "a:1" and "c:1". */
static void hear_two(struct seeking *seeking)
{
    struct seeking_said a = fresh(A, "a:1");
    struct seeking_said c = fresh(C, "c:1");
    hear(seeking, 1, &a);
    hear(seeking, 2, &c);
}

static void test_the_ids_of_founders_follow_from_their_addresses(void **state)
{
    (void)state;
    struct seeking seeking;
    begin(&seeking, 3);
    hear_two(&seeking);
    assert_null(step(&seeking)); /* the first one draws */
    assert_true(seeking.founding.listed);
    assert_int_equal(seeking.founding.stored.node_id, 2);
    assert_string_equal(seeking.founding.stored.list, "1@a:1,2@b:1,3@c:1");
}

static void test_a_wished_id_is_kept_and_the_others_get_free_ones(void **state)
{
    (void)state;
    struct seeking seeking;
    begin(&seeking, 3);
    struct seeking_said a = fresh(A, "a:1");
    struct seeking_said c = fresh(C, "c:1");
    c.node.id = 1;
    hear(&seeking, 1, &a);
    hear(&seeking, 2, &c);
    step(&seeking);
    assert_string_equal(seeking.founding.stored.list, "1@c:1,2@a:1,3@b:1");
    a.node.id = 1;
    hear(&seeking, 1, &a);
    assert_waits(&seeking, "two of the empty nodes have the same node-id");
}

static void test_nobody_draws_before_the_others_have_the_same_list(void **state)
{
    (void)state;
    struct seeking seeking;
    begin(&seeking, 3);
    seeking_set_address(&seeking, "0:1"); /* the lowest: it draws */
    hear_two(&seeking);
    assert_null(step(&seeking));
    struct seeking_said a = fresh(A, "a:1");
    struct seeking_said c = fresh(C, "c:1");
    a.node.list = c.node.list = seeking.founding.list;
    seeking_heard(&seeking, 1, &a);
    assert_null(step(&seeking));
    seeking_heard(&seeking, 2, &c);
    const struct cluster_identity *stored = step(&seeking);
    assert_non_null(stored);
    assert_int_equal(stored->begin, CLUSTER_FOUNDING);
    assert_int_equal(stored->node_id, 1);
    assert_int_equal(stored->founders.count, 3);
    assert_int_equal(stored->founders.members[1].incarnation, A);
}

static void test_a_seed_that_does_not_answer_is_waited_for(void **state)
{
    (void)state;
    struct seeking seeking;
    begin(&seeking, 3);
    hear_two(&seeking);
    assert_true(seeking_contact(&seeking, 3, "d:1", true));
    assert_waits(&seeking, "waiting for seed d:1, which has not answered yet");
    seeking_lost(&seeking, 3, "cannot be reached: it sleeps");
    assert_waits(&seeking, "waiting for seed d:1, which cannot be reached: it sleeps");
    seeking_met(&seeking, 3, OWN); /* it is this node itself */
    assert_null(step(&seeking));
    assert_true(seeking.founding.listed);
}

static void test_seeds_that_are_not_looked_up_are_waited_for(void **state)
{
    (void)state;
    struct seeking seeking;
    struct founding_options options = {.stored = {.cluster_id = CLUSTER_NO_ID, .incarnation = OWN}};
    seeking_init(&seeking, &options, 1, 1000);
    seeking_set_address(&seeking, "b:1");
    assert_waits(&seeking, "none of which was looked up yet");
    seeking_set_missing(&seeking, "seed d, which cannot be found: nobody knows");
    assert_waits(&seeking, "waiting for seed d, which cannot be found: nobody knows");
    seeking_set_missing(&seeking, "");
    assert_non_null(step(&seeking)); /* one founds alone */
}

static void test_fewer_or_more_than_expected_do_not_found(void **state)
{
    (void)state;
    struct seeking seeking;
    begin(&seeking, 3);
    struct seeking_said a = fresh(A, "a:1");
    hear(&seeking, 1, &a);
    assert_waits(&seeking, "raft-bootstrap-expect is 3, and here are 2: a:1, b:1");
    hear_two(&seeking);
    step(&seeking);
    assert_true(seeking.founding.listed);
    struct seeking_said more = fresh(B, "d:1");
    hear(&seeking, 3, &more);
    assert_waits(&seeking, "waiting for fewer empty nodes");
}

static void test_a_node_that_is_found_twice_counts_once(void **state)
{
    (void)state;
    struct seeking seeking;
    begin(&seeking, 3);
    struct seeking_said a = fresh(A, "a:1");
    hear(&seeking, 1, &a);
    hear(&seeking, 2, &a);
    assert_waits(&seeking, "here are 2");
}

static void test_what_a_lost_connection_told_is_forgotten(void **state)
{
    (void)state;
    struct seeking seeking;
    begin(&seeking, 3);
    hear_two(&seeking);
    step(&seeking);
    assert_true(seeking.founding.listed);
    seeking_lost(&seeking, 2, "is gone");
    assert_waits(&seeking, "waiting for seed c:1, which is gone");
    struct seeking_said old = fresh(C, "c:1");
    seeking_met(&seeking, 2, C + 1);
    seeking_heard(&seeking, 2, &old); /* of the folder before */
    assert_waits(&seeking, "waiting for seed c:1");
}

static void test_others_that_expect_another_number_are_named(void **state)
{
    (void)state;
    struct seeking seeking;
    begin(&seeking, 3);
    struct seeking_said a = fresh(A, "a:1");
    a.expect = 5;
    hear(&seeking, 1, &a);
    assert_waits(&seeking, "the node at a:1, whose raft-bootstrap-expect is 5 and not 3");
    a = fresh(A, "");
    hear(&seeking, 1, &a);
    assert_waits(&seeking, "which does not know its own address yet");
    hear_two(&seeking);
    struct seeking_said c = fresh(C, "a:1");
    seeking_heard(&seeking, 2, &c);
    assert_waits(&seeking, "at the same address");
}

static void test_a_record_of_others_is_waited_for(void **state)
{
    (void)state;
    struct seeking seeking;
    begin(&seeking, 3);
    hear_two(&seeking);
    struct seeking_said a = fresh(A, "a:1");
    a.node.begin = CLUSTER_FOUNDING;
    memcpy(a.node.cluster_id, other_id, sizeof other_id);
    a.node.founders = (struct cluster_founders){.count = 1};
    a.node.founders.members[0] = (struct cluster_founder){1, RAFT_VOTER, A, "a:1"};
    seeking_heard(&seeking, 1, &a);
    assert_waits(&seeking, "which founds cluster 00000000000000000000000000000000000000aa without");
}

static struct seeking_said begun(uint64_t incarnation, const char *id)
{
    struct seeking_said said = fresh(incarnation, "a:1");
    said.node.id = 1;
    said.node.begin = CLUSTER_BEGUN;
    memcpy(said.node.cluster_id, id, sizeof said.node.cluster_id);
    return said;
}

static void test_a_cluster_that_has_begun_is_joined_under_the_given_id(void **state)
{
    (void)state;
    struct seeking seeking;
    struct seeking_said own;
    begin(&seeking, 3);
    hear_two(&seeking);
    struct seeking_said member = begun(A, other_id);
    seeking_heard(&seeking, 1, &member);
    assert_waits(&seeking,
                 "waiting for the leader of cluster 00000000000000000000000000000000000000aa");
    seeking_say(&seeking, &own);
    assert_string_equal(own.joins, other_id);
    snprintf(member.refusal, sizeof member.refusal, "it is full");
    seeking_heard(&seeking, 1, &member);
    assert_waits(&seeking, "it refuses: it is full");
    member.given = 4;
    seeking_heard(&seeking, 1, &member);
    const struct cluster_identity *stored = step(&seeking);
    assert_non_null(stored);
    assert_int_equal(stored->begin, CLUSTER_BEGUN);
    assert_int_equal(stored->node_id, 4);
    assert_int_equal(stored->incarnation, OWN);
    assert_int_equal(stored->founders.count, 0);
    assert_string_equal(stored->cluster_id, other_id);
    assert_string_equal(stored->list, "4@b:1");
}

static void test_no_choice_is_made_between_two_clusters(void **state)
{
    (void)state;
    struct seeking seeking;
    begin(&seeking, 3);
    struct seeking_said one = begun(A, other_id);
    struct seeking_said other = begun(C, "00000000000000000000000000000000000000bb");
    one.given = other.given = 4;
    hear(&seeking, 1, &one);
    hear(&seeking, 2, &other);
    assert_waits(&seeking, "its seeds belong to different clusters");
}

/* The seed that answers second may belong to another cluster: the first one would keep a member
 * that never comes. */
static void test_nobody_is_asked_before_each_seed_has_answered_or_failed(void **state)
{
    (void)state;
    struct seeking seeking;
    struct seeking_said own;
    begin(&seeking, 3);
    struct seeking_said one = begun(A, other_id);
    one.given = 4;
    assert_true(seeking_contact(&seeking, 2, "d:1", true));
    hear(&seeking, 1, &one);
    assert_waits(&seeking, "waiting for seed d:1, which has not answered yet");
    seeking_say(&seeking, &own);
    assert_string_equal(own.joins, CLUSTER_NO_ID);
    seeking_met(&seeking, 2, C);
    assert_waits(&seeking, "waiting for seed d:1, which has not answered yet");
    seeking_lost(&seeking, 2, "cannot be reached: it sleeps");
    seeking_say(&seeking, &own);
    assert_string_equal(own.joins, other_id);
    assert_non_null(step(&seeking));
}

static void test_a_node_with_another_cluster_id_or_data_joins_nothing(void **state)
{
    (void)state;
    for (int import = 0; import < 2; import++) {
        struct seeking seeking;
        struct founding_options options = {
            .cluster_id = import ? NULL : "00000000000000000000000000000000000000bb",
            .mark = import ? 7 : 0,
            .stored = {.cluster_id = CLUSTER_NO_ID, .incarnation = OWN}};
        seeking_init(&seeking, &options, 3, 1000);
        seeking_set_address(&seeking, "b:1");
        seeking_set_missing(&seeking, "");
        struct seeking_said member = begun(A, other_id);
        member.given = 4;
        hear(&seeking, 1, &member);
        assert_waits(&seeking, "which this node cannot join");
    }
}

static void test_init_begins_alone_but_not_beside_a_cluster(void **state)
{
    (void)state;
    struct seeking seeking;
    char why[SEEKING_TEXT_MAX];
    begin(&seeking, 0);
    assert_waits(&seeking, "raft-bootstrap-expect is 0");
    struct seeking_said member = begun(A, other_id);
    hear(&seeking, 1, &member);
    assert_int_equal(seeking_begin_alone(&seeking, why), ERR_EXISTS);
    assert_non_null(strstr(why, "belongs to a cluster"));
    seeking_forget(&seeking, 1);
    assert_int_equal(seeking_begin_alone(&seeking, why), ERR_NONE);
    const struct cluster_identity *stored = step(&seeking);
    assert_non_null(stored);
    assert_int_equal(stored->founders.count, 1);
    assert_string_equal(stored->list, "1@b:1");
    assert_int_equal(seeking_begin_alone(&seeking, why), ERR_EXISTS);
}

/* This node has stored a record with A and C. */
static void found(struct seeking *seeking, struct cluster_founders *record)
{
    begin(seeking, 3);
    hear_two(seeking);
    *record = (struct cluster_founders){.count = 3};
    memcpy(record->cluster_id, "00000000000000000000000000000000000000cc", 41);
    record->members[0] = (struct cluster_founder){1, RAFT_VOTER, A, "a:1"};
    record->members[1] = (struct cluster_founder){2, RAFT_VOTER, OWN, "b:1"};
    record->members[2] = (struct cluster_founder){3, RAFT_VOTER, C, "c:1"};
    step(seeking);
    struct seeking_said a = fresh(A, "a:1");
    a.node.begin = CLUSTER_FOUNDING;
    a.node.list = seeking->founding.list;
    a.node.founders = *record;
    memcpy(a.node.cluster_id, record->cluster_id, 41);
    seeking_heard(seeking, 1, &a);
    assert_non_null(step(seeking));
    founding_stored(&seeking->founding);
    assert_int_equal(seeking->founding.stored.begin, CLUSTER_FOUNDING);
}

static void test_a_drawn_record_that_names_this_folder_is_stored(void **state)
{
    (void)state;
    struct seeking seeking;
    struct cluster_founders record;
    found(&seeking, &record);
    assert_true(cluster_founders_equal(&seeking.founding.stored.founders, &record));
    assert_int_equal(seeking.founding.stored.node_id, 2);
}

static void test_a_record_is_given_up_when_a_founder_has_begun_elsewhere(void **state)
{
    (void)state;
    struct seeking seeking;
    struct cluster_founders record;
    found(&seeking, &record);
    struct seeking_said gone = begun(C + 1, other_id);
    seeking_met(&seeking, 2, C + 1);
    seeking_heard(&seeking, 2, &gone); /* another folder: the record may still begin */
    assert_null(step(&seeking));
    gone = begun(C, other_id);
    gone.node.id = 9;
    seeking_met(&seeking, 2, C);
    seeking_heard(&seeking, 2, &gone);
    const struct cluster_identity *stored = step(&seeking);
    assert_non_null(stored);
    assert_int_equal(stored->begin, CLUSTER_EMPTY);
    assert_int_equal(stored->incarnation, 900); /* the old one has vouched for the record */
    assert_int_equal(stored->founders.count, 0);
    founding_stored(&seeking.founding);
    assert_int_not_equal(seeking.founding.drawn_incarnation, 900);
    assert_string_not_equal(seeking.founding.drawn_id, "00000000000000000000000000000000000000dd");
}

/* ---- the message ---- */

enum { ARGUMENTS = 15 };

static void parse_into(const struct buf *bytes, struct span *args)
{
    const char *at = (const char *)memchr(bytes->ptr, '\n', bytes->len) + 1;
    for (size_t i = 0; i < ARGUMENTS; i++) {
        char *digits;
        size_t len = strtoul(at + 1, &digits, 10);
        args[i] = span_of(digits + 2, len);
        at = digits + 2 + len + 2;
    }
}

static void test_what_is_said_survives_the_message(void **state)
{
    (void)state;
    struct seeking_said said = begun(A, other_id), read;
    struct cluster_seeds known = {.count = 2, .list = {{"::1", 7001}, {"host.example", 1}}}, heard;
    struct span args[ARGUMENTS];
    struct buf bytes = {0};
    said.given = 4;
    snprintf(said.refusal, sizeof said.refusal, "a reason");
    seeking_encode(&bytes, &said, &known);
    parse_into(&bytes, args);
    assert_true(seeking_parse(args, ARGUMENTS, &read, &heard));
    assert_int_equal(read.node.incarnation, A);
    assert_int_equal(read.given, 4);
    assert_int_equal(read.expect, 3);
    assert_string_equal(read.address, "a:1");
    assert_string_equal(read.refusal, "a reason");
    assert_int_equal(heard.count, 2);
    assert_string_equal(heard.list[0].host, "::1");
    assert_int_equal(heard.list[0].port, 7001);
    assert_false(seeking_parse(args, ARGUMENTS - 1, &read, &heard));
    static const struct {
        size_t at;
        const char *text;
    } wrong[] = {{0, "RAFT.FOUND"}, {1, "0"},  {2, "0"},  {3, "dead"}, {4, "x"},       {7, "2"},
                 {9, "17"},         {10, "a"}, {11, "x"}, {12, "-1"},  {13, "a\r\nb"}, {14, "a"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct span kept = args[wrong[i].at];
        args[wrong[i].at] = span_text(wrong[i].text);
        if (seeking_parse(args, ARGUMENTS, &read, &heard))
            fail_msg("argument %zu: '%s' is taken", wrong[i].at, wrong[i].text);
        args[wrong[i].at] = kept;
    }
    buf_close(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_ids_of_founders_follow_from_their_addresses),
        cmocka_unit_test(test_a_wished_id_is_kept_and_the_others_get_free_ones),
        cmocka_unit_test(test_nobody_draws_before_the_others_have_the_same_list),
        cmocka_unit_test(test_a_seed_that_does_not_answer_is_waited_for),
        cmocka_unit_test(test_seeds_that_are_not_looked_up_are_waited_for),
        cmocka_unit_test(test_fewer_or_more_than_expected_do_not_found),
        cmocka_unit_test(test_a_node_that_is_found_twice_counts_once),
        cmocka_unit_test(test_what_a_lost_connection_told_is_forgotten),
        cmocka_unit_test(test_others_that_expect_another_number_are_named),
        cmocka_unit_test(test_a_record_of_others_is_waited_for),
        cmocka_unit_test(test_a_cluster_that_has_begun_is_joined_under_the_given_id),
        cmocka_unit_test(test_no_choice_is_made_between_two_clusters),
        cmocka_unit_test(test_nobody_is_asked_before_each_seed_has_answered_or_failed),
        cmocka_unit_test(test_a_node_with_another_cluster_id_or_data_joins_nothing),
        cmocka_unit_test(test_init_begins_alone_but_not_beside_a_cluster),
        cmocka_unit_test(test_a_drawn_record_that_names_this_folder_is_stored),
        cmocka_unit_test(test_a_record_is_given_up_when_a_founder_has_begun_elsewhere),
        cmocka_unit_test(test_what_is_said_survives_the_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
