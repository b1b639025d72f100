#include <string.h>

#include "cluster/members.h"
#include "unit/support/test.h"

#define CHANGE(node, at) (&(const struct cluster_change){.id = (node), .address = (at)})
#define REPLACE(old, node, at)                                                                     \
    (&(const struct cluster_change){.id = (old), .successor = (node), .address = (at)})

static struct raft_membership three(void)
{
    struct raft_membership members = {0};
    for (uint64_t id = 1; id <= 3; id++) {
        struct raft_member member = {.id = id, .roles = RAFT_VOTER, .incarnation = id * 10};
        strcpy(member.address, "n0:7000");
        member.address[1] = (char)('0' + id);
        raft_membership_put(&members, &member);
    }
    return members;
}

static void test_addresses_that_can_be_dialled_are_sound(void **state)
{
    (void)state;
    static const char *const sound[] = {"n1:7001", "10.0.0.1:1", "[::1]:65535", "a.b-c:6379"};
    static const char *const unsound[] = {
        "",     "n1",       ":7001",     "n1:",   "n1:0",  "n1:65536", "::1:7001",  "n 1:7001",
        "[]:1", "n1:7001x", "1@n1:7001", "a,b:1", "n1:-1", "[a:1",     "n1\n:7001", "a/b:1"};
    for (size_t i = 0; i < sizeof sound / sizeof *sound; i++)
        assert_true(cluster_address_is_sound(span_text(sound[i])));
    for (size_t i = 0; i < sizeof unsound / sizeof *unsound; i++)
        assert_false(cluster_address_is_sound(span_text(unsound[i])));
}

static void test_an_address_as_long_as_there_is_room_for_is_sound(void **state)
{
    (void)state;
    char address[CLUSTER_HOST_MAX + 8];
    memset(address, 'a', sizeof address);
    memcpy(address + CLUSTER_HOST_MAX, ":1", 3);
    assert_true(cluster_address_is_sound(span_text(address)));
    memcpy(address + CLUSTER_HOST_MAX, "a:1", 4);
    assert_false(cluster_address_is_sound(span_text(address)));
}

static void test_who_is_added_is_a_spare_that_nobody_has_met(void **state)
{
    (void)state;
    struct raft_membership members = three(), wanted;
    char message[CLUSTER_MESSAGE_MAX];
    assert_int_equal(cluster_member_add(&members, CHANGE(4, SPAN("n4:7000")), &wanted, message),
                     ERR_NONE);
    assert_int_equal(wanted.count, 4);
    const struct raft_member *added = raft_membership_find(&wanted, 4);
    assert_int_equal(added->roles, RAFT_SPARE);
    assert_int_equal(added->incarnation, 0);
    assert_string_equal(added->address, "n4:7000");
    assert_int_equal(raft_membership_find(&wanted, 2)->incarnation, 20);
}

static void assert_no_add(uint64_t id, const char *address, const char *why)
{
    struct raft_membership members = three(), wanted;
    char message[CLUSTER_MESSAGE_MAX];
    assert_int_equal(cluster_member_add(&members, CHANGE(id, span_text(address)), &wanted, message),
                     ERR_INVALID);
    assert_non_null(strstr(message, why));
}

static void test_what_cannot_be_added_is_said(void **state)
{
    (void)state;
    assert_no_add(0, "n4:7000", "1 or more");
    assert_no_add(3, "n4:7000", "node 3 is a member already");
    assert_no_add(4, "n4", "host:port");
    assert_no_add(4, "n2:7000", "node 2 has the address n2:7000");
}

static void test_a_full_cluster_takes_no_more(void **state)
{
    (void)state;
    struct raft_membership members = three(), wanted;
    char message[CLUSTER_MESSAGE_MAX];
    for (uint64_t id = 4; id <= RAFT_MEMBERS_MAX; id++)
        raft_membership_set(&members, id, RAFT_LEARNER);
    assert_int_equal(cluster_member_add(&members, CHANGE(99, SPAN("n:1")), &wanted, message),
                     ERR_INVALID);
    assert_non_null(strstr(message, "at most 16"));
}

static void test_who_is_removed_is_gone(void **state)
{
    (void)state;
    struct raft_membership members = three(), wanted;
    char message[CLUSTER_MESSAGE_MAX];
    assert_int_equal(cluster_member_remove(&members, CHANGE(2, SPAN("")), &wanted, message),
                     ERR_NONE);
    assert_int_equal(wanted.count, 2);
    assert_null(raft_membership_find(&wanted, 2));
    assert_int_equal(cluster_member_remove(&members, CHANGE(4, SPAN("")), &wanted, message),
                     ERR_INVALID);
    assert_non_null(strstr(message, "node 4 is no member"));
}

static void test_the_only_voter_is_not_removed(void **state)
{
    (void)state;
    struct raft_membership members = three(), wanted;
    char message[CLUSTER_MESSAGE_MAX];
    raft_membership_set(&members, 1, RAFT_LEARNER);
    raft_membership_set(&members, 2, RAFT_PROMOTE);
    assert_int_equal(cluster_member_remove(&members, CHANGE(3, SPAN("")), &wanted, message),
                     ERR_INVALID);
    assert_non_null(strstr(message, "node 3 is the only voter"));
    assert_int_equal(cluster_member_remove(&members, CHANGE(1, SPAN("")), &wanted, message),
                     ERR_NONE);
}

static void test_who_moves_keeps_all_but_the_address(void **state)
{
    (void)state;
    struct raft_membership members = three(), wanted;
    char message[CLUSTER_MESSAGE_MAX];
    assert_int_equal(cluster_member_move(&members, CHANGE(2, SPAN("[::1]:9")), &wanted, message),
                     ERR_NONE);
    const struct raft_member *moved = raft_membership_find(&wanted, 2);
    assert_string_equal(moved->address, "[::1]:9");
    assert_int_equal(moved->incarnation, 20);
    assert_int_equal(moved->roles, RAFT_VOTER);
    assert_int_equal(cluster_member_move(&members, CHANGE(2, SPAN("n3:7000")), &wanted, message),
                     ERR_INVALID);
    assert_int_equal(cluster_member_move(&members, CHANGE(4, SPAN("n4:7000")), &wanted, message),
                     ERR_INVALID);
    assert_int_equal(cluster_member_move(&members, CHANGE(2, SPAN("n2:7000")), &wanted, message),
                     ERR_NONE);
    assert_true(raft_membership_equal(&members, &wanted));
}

static void assert_refused(cluster_wanted *want, const struct raft_membership *members,
                           const struct cluster_change *change, const char *why)
{
    struct raft_membership wanted;
    char message[CLUSTER_MESSAGE_MAX] = "";
    assert_int_equal(want(members, change, &wanted, message), ERR_INVALID);
    assert_non_null(strstr(message, why));
}

static void test_a_learner_is_promoted_whatever_kind_it_is(void **state)
{
    (void)state;
    static const unsigned kinds[] = {RAFT_LEARNER, RAFT_SPARE, RAFT_PROMOTE};
    char message[CLUSTER_MESSAGE_MAX];
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct raft_membership members = three(), wanted;
        raft_membership_set(&members, 2, kinds[i]);
        assert_int_equal(cluster_member_promote(&members, CHANGE(2, SPAN("")), &wanted, message),
                         ERR_NONE);
        assert_int_equal(raft_membership_find(&wanted, 2)->roles, RAFT_VOTER);
        assert_int_equal(raft_membership_find(&wanted, 2)->incarnation, 20);
    }
}

static void test_who_cannot_be_promoted_is_said(void **state)
{
    (void)state;
    struct raft_membership members = three();
    raft_membership_set(&members, 4, RAFT_SPARE);
    assert_refused(cluster_member_promote, &members, CHANGE(9, SPAN("")), "node 9 is no member");
    assert_refused(cluster_member_promote, &members, CHANGE(2, SPAN("")),
                   "node 2 is a voter already");
    assert_refused(cluster_member_promote, &members, CHANGE(4, SPAN("")),
                   "node 4 has not connected yet");
}

static void test_who_is_demoted_stays_a_learner(void **state)
{
    (void)state;
    static const unsigned kinds[] = {RAFT_VOTER, RAFT_SPARE, RAFT_PROMOTE};
    char message[CLUSTER_MESSAGE_MAX];
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct raft_membership members = three(), wanted;
        raft_membership_set(&members, 2, kinds[i]);
        assert_int_equal(cluster_member_demote(&members, CHANGE(2, SPAN("")), &wanted, message),
                         ERR_NONE);
        assert_int_equal(raft_membership_find(&wanted, 2)->roles, RAFT_LEARNER);
    }
}

static void test_who_cannot_be_demoted_is_said(void **state)
{
    (void)state;
    struct raft_membership members = three();
    raft_membership_set(&members, 1, RAFT_LEARNER);
    raft_membership_set(&members, 2, RAFT_SPARE);
    assert_refused(cluster_member_demote, &members, CHANGE(9, SPAN("")), "node 9 is no member");
    assert_refused(cluster_member_demote, &members, CHANGE(1, SPAN("")),
                   "node 1 is a learner already");
    assert_refused(cluster_member_demote, &members, CHANGE(3, SPAN("")),
                   "node 3 is the only voter");
}

static void test_a_successor_begins_as_a_learner(void **state)
{
    (void)state;
    struct raft_membership members = three(), wanted;
    char message[CLUSTER_MESSAGE_MAX];
    const struct cluster_change *change = REPLACE(2, 4, SPAN("n4:7000"));
    assert_int_equal(cluster_member_replace_begin(&members, change, &wanted, message), ERR_NONE);
    assert_int_equal(wanted.count, 4);
    assert_int_equal(raft_membership_find(&wanted, 4)->roles, RAFT_LEARNER);
    assert_string_equal(raft_membership_find(&wanted, 4)->address, "n4:7000");
    assert_int_equal(raft_membership_find(&wanted, 2)->roles, RAFT_VOTER);

    members = wanted; /* begun once before */
    assert_int_equal(cluster_member_replace_begin(&members, change, &wanted, message), ERR_NONE);
    assert_true(raft_membership_equal(&members, &wanted));
}

static void test_a_successor_takes_the_place_of_a_voter(void **state)
{
    (void)state;
    struct raft_membership members = three(), wanted;
    char message[CLUSTER_MESSAGE_MAX];
    const struct cluster_change *change = REPLACE(2, 4, SPAN("n4:7000"));
    assert_refused(cluster_member_replace, &members, change, "node 4 is no member");
    raft_membership_set(&members, 4, RAFT_LEARNER);
    assert_int_equal(cluster_member_replace(&members, change, &wanted, message), ERR_NONE);
    assert_int_equal(wanted.count, 3);
    assert_null(raft_membership_find(&wanted, 2));
    assert_int_equal(raft_membership_find(&wanted, 4)->roles, RAFT_VOTER);
}

static void test_what_cannot_be_replaced_is_said(void **state)
{
    (void)state;
    struct raft_membership members = three();
    raft_membership_set(&members, 3, RAFT_LEARNER);
    cluster_wanted *begin = cluster_member_replace_begin;
    assert_refused(begin, &members, REPLACE(9, 4, SPAN("n4:7000")), "node 9 is no member");
    assert_refused(begin, &members, REPLACE(3, 4, SPAN("n4:7000")), "node 3 is no voter");
    assert_refused(begin, &members, REPLACE(1, 1, SPAN("n1:7000")), "node 1 is a voter already");
    assert_refused(begin, &members, REPLACE(1, 2, SPAN("n2:7000")), "node 2 is a voter already");
    assert_refused(begin, &members, REPLACE(1, 0, SPAN("n4:7000")), "1 or more");
    assert_refused(begin, &members, REPLACE(1, 3, SPAN("n4:7000")), "member already, at n3:7000");
    assert_refused(begin, &members, REPLACE(1, 4, SPAN("n2:7000")), "node 2 has the address");
    assert_refused(begin, &members, REPLACE(1, 4, SPAN("n4")), "host:port");
}

static void test_each_member_has_a_state_for_operators(void **state)
{
    (void)state;
    static const struct {
        unsigned roles;
        uint64_t successor;
        const char *text;
    } cases[] = {
        {RAFT_VOTER, 0, "voter"},
        {RAFT_VOTER | RAFT_VOTER_INCOMING, 0, "voter"},
        {RAFT_VOTER_INCOMING, 0, "joining"},
        {RAFT_PROMOTE, 0, "joining"},
        {RAFT_LEARNER, 0, "learner"},
        {RAFT_SPARE, 0, "spare"},
        {RAFT_VOTER | RAFT_STAYS, 0, "leaving"},
        {RAFT_VOTER | RAFT_STAYS, 7, "replaced"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct raft_member member = {
            .id = 1, .roles = cases[i].roles, .successor = cases[i].successor};
        assert_string_equal(cluster_member_state(&member), cases[i].text);
    }
}

static struct cluster_guest guest_at(uint64_t incarnation, const char *address)
{
    return (struct cluster_guest){.incarnation = incarnation, .address = span_text(address)};
}

static void test_a_guest_gets_the_next_id_and_the_same_one_again(void **state)
{
    (void)state;
    struct raft_membership members = three(), wanted, again;
    char message[CLUSTER_MESSAGE_MAX];
    uint64_t id, same;
    struct cluster_guest guest = guest_at(77, "n4:7000");
    assert_int_equal(cluster_member_admit(&members, &guest, &wanted, &id, message), ERR_NONE);
    assert_int_equal(id, 4);
    const struct raft_member *member = raft_membership_find(&wanted, 4);
    assert_int_equal(member->roles, RAFT_SPARE);
    assert_int_equal(member->incarnation, 77);
    assert_string_equal(member->address, "n4:7000");
    guest.address = SPAN("n5:7000"); /* it may even have moved meanwhile */
    assert_int_equal(cluster_member_admit(&wanted, &guest, &again, &same, message), ERR_NONE);
    assert_int_equal(same, 4);
    assert_true(raft_membership_equal(&wanted, &again));
    guest = guest_at(78, "n5:7000");
    guest.highest = 9; /* was removed */
    assert_int_equal(cluster_member_admit(&members, &guest, &wanted, &id, message), ERR_NONE);
    assert_int_equal(id, 10);
}

static void test_a_guest_at_the_address_of_a_member_is_that_one(void **state)
{
    (void)state;
    struct raft_membership members = three(), wanted;
    char message[CLUSTER_MESSAGE_MAX];
    uint64_t id;
    struct cluster_guest guest = guest_at(77, "n2:7000");
    struct raft_member there = *raft_membership_find(&members, 2);
    there.incarnation = 5;
    raft_membership_put(&members, &there);
    assert_int_equal(cluster_member_admit(&members, &guest, &wanted, &id, message), ERR_EXISTS);
    assert_int_equal(id, 2);
    assert_true(raft_membership_equal(&members, &wanted));
    guest.wish = 3;
    assert_int_equal(cluster_member_admit(&members, &guest, &wanted, &id, message), ERR_INVALID);
    there.incarnation = 0; /* RAFT.NODE ADD: nobody was met there */
    raft_membership_put(&members, &there);
    guest.wish = 2;
    assert_int_equal(cluster_member_admit(&members, &guest, &wanted, &id, message), ERR_NONE);
    assert_int_equal(id, 2);
}

static void test_a_guest_does_not_get_an_id_in_use(void **state)
{
    (void)state;
    struct raft_membership members = three(), wanted;
    char message[CLUSTER_MESSAGE_MAX];
    uint64_t id;
    struct cluster_guest guest = guest_at(77, "n4:7000");
    guest.wish = 2;
    assert_int_equal(cluster_member_admit(&members, &guest, &wanted, &id, message), ERR_INVALID);
    assert_string_equal(message, "node-id 2 is in use, by the node at n2:7000");
    guest.wish = 8;
    assert_int_equal(cluster_member_admit(&members, &guest, &wanted, &id, message), ERR_NONE);
    assert_int_equal(id, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_guest_gets_the_next_id_and_the_same_one_again),
        cmocka_unit_test(test_a_guest_at_the_address_of_a_member_is_that_one),
        cmocka_unit_test(test_a_guest_does_not_get_an_id_in_use),
        cmocka_unit_test(test_addresses_that_can_be_dialled_are_sound),
        cmocka_unit_test(test_an_address_as_long_as_there_is_room_for_is_sound),
        cmocka_unit_test(test_who_is_added_is_a_spare_that_nobody_has_met),
        cmocka_unit_test(test_what_cannot_be_added_is_said),
        cmocka_unit_test(test_a_full_cluster_takes_no_more),
        cmocka_unit_test(test_who_is_removed_is_gone),
        cmocka_unit_test(test_the_only_voter_is_not_removed),
        cmocka_unit_test(test_who_moves_keeps_all_but_the_address),
        cmocka_unit_test(test_a_learner_is_promoted_whatever_kind_it_is),
        cmocka_unit_test(test_who_cannot_be_promoted_is_said),
        cmocka_unit_test(test_who_is_demoted_stays_a_learner),
        cmocka_unit_test(test_who_cannot_be_demoted_is_said),
        cmocka_unit_test(test_a_successor_begins_as_a_learner),
        cmocka_unit_test(test_a_successor_takes_the_place_of_a_voter),
        cmocka_unit_test(test_what_cannot_be_replaced_is_said),
        cmocka_unit_test(test_each_member_has_a_state_for_operators),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
