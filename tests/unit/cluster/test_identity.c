/* The text of flotilla.identity, and RAFT.FOUND. */
#include <stdio.h>
#include <stdlib.h>

#include "cluster/founding.h"
#include "unit/support/test.h"

static const char an_id[] = "0123456789abcdef0123456789abcdef01234567";

static struct cluster_founders make_founders(void)
{
    struct cluster_founders founders = {.mark = 0xabc, .count = 3};
    memcpy(founders.cluster_id, an_id, sizeof an_id);
    static const char *const addresses[] = {"10.0.0.1:6379", "[::1]:6379", "db-3.example.org:1"};
    for (size_t i = 0; i < 3; i++) {
        founders.members[i] = (struct cluster_founder){
            .id = i * 10 + 1, .roles = RAFT_VOTER, .incarnation = UINT64_MAX - i};
        snprintf(founders.members[i].address, CLUSTER_ADDRESS_MAX, "%s", addresses[i]);
    }
    founders.members[2].roles = RAFT_LEARNER | RAFT_PROMOTE;
    founders.members[2].incarnation = 0;
    return founders;
}

static struct cluster_identity make_identity(void)
{
    struct cluster_identity identity = {.node_id = 11,
                                        .incarnation = 0xfeed,
                                        .previous = 0xbeef,
                                        .begin = CLUSTER_FOUNDING,
                                        .place = {.inode = 12345, .birth_ns = 1795982246000000001},
                                        .has_log = true,
                                        .list = "1@10.0.0.1:6379,11@[::1]:6379",
                                        .mark = 0xabc,
                                        .founders = make_founders()};
    memcpy(identity.cluster_id, an_id, sizeof an_id);
    return identity;
}

static void test_an_identity_comes_back_as_it_was(void **state)
{
    (void)state;
    struct cluster_identity identity = make_identity();
    struct cluster_identity parsed;
    struct buf text = {0};
    cluster_identity_encode(&text, &identity);
    assert_int_equal(cluster_identity_parse(buf_span(&text), &parsed), ERR_NONE);
    assert_string_equal(parsed.cluster_id, identity.cluster_id);
    assert_int_equal(parsed.node_id, 11);
    assert_int_equal(parsed.incarnation, 0xfeed);
    assert_int_equal(parsed.previous, 0xbeef);
    assert_int_equal(parsed.begin, CLUSTER_FOUNDING);
    assert_true(cluster_place_equal(&parsed.place, &identity.place));
    assert_true(parsed.has_log);
    assert_string_equal(parsed.list, identity.list);
    assert_int_equal(parsed.mark, 0xabc);
    assert_true(cluster_founders_equal(&parsed.founders, &identity.founders));
    buf_close(&text);
}

static void test_an_identity_cut_at_any_byte_is_damaged(void **state)
{
    (void)state;
    struct cluster_identity identity = make_identity();
    struct cluster_identity parsed;
    struct buf text = {0};
    cluster_identity_encode(&text, &identity);
    for (size_t len = 0; len < text.len; len++)
        assert_int_equal(cluster_identity_parse(span_of(text.ptr, len), &parsed), ERR_CORRUPT);
    buf_close(&text);
}

static void test_an_identity_with_any_byte_changed_is_refused(void **state)
{
    (void)state;
    struct cluster_identity identity = make_identity();
    struct cluster_identity parsed;
    struct buf text = {0};
    cluster_identity_encode(&text, &identity);
    for (size_t at = 0; at < text.len; at++) {
        text.ptr[at] ^= 1;
        assert_int_not_equal(cluster_identity_parse(buf_span(&text), &parsed), ERR_NONE);
        text.ptr[at] ^= 1;
    }
    buf_close(&text);
}

static void test_an_identity_of_another_version_is_foreign(void **state)
{
    (void)state;
    struct cluster_identity parsed;
    assert_int_equal(cluster_identity_parse(SPAN("#NODE:6:x:1:1\r\n"), &parsed), ERR_FOREIGN);
    assert_int_equal(cluster_identity_parse(SPAN("#NODE:1:x:1:1\r\n"), &parsed), ERR_FOREIGN);
}

static void test_a_folder_says_what_it_may_hold(void **state)
{
    (void)state;
    struct cluster_identity identity = make_identity();
    struct cluster_identity parsed;
    struct buf text = {0};
    cluster_identity_encode(&text, &identity); /* what older versions can read */
    assert_memory_equal(text.ptr, "#NODE:2:", 8);
    assert_int_equal(cluster_identity_parse(buf_span(&text), &parsed), ERR_NONE);
    assert_int_equal(parsed.version, 2);
    text.len = 0;
    identity.version = 3;
    cluster_identity_encode(&text, &identity);
    assert_memory_equal(text.ptr, "#NODE:3:", 8);
    assert_int_equal(cluster_identity_parse(buf_span(&text), &parsed), ERR_NONE);
    assert_int_equal(parsed.version, 3);
    buf_close(&text);
}

/* What a program that is wrong might store. */
static void test_an_identity_that_contradicts_itself_is_damaged(void **state)
{
    (void)state;
    struct cluster_identity wrong[4];
    for (size_t i = 0; i < 4; i++)
        wrong[i] = make_identity();
    wrong[0].begin = CLUSTER_EMPTY;
    wrong[1].founders.count = 0;
    wrong[2].founders.cluster_id[0] = 'f';
    wrong[3].begin = CLUSTER_BEGUN;
    memcpy(wrong[3].cluster_id, CLUSTER_NO_ID, 41);
    for (size_t i = 0; i < 4; i++) {
        struct cluster_identity parsed;
        struct buf text = {0};
        cluster_identity_encode(&text, &wrong[i]);
        assert_int_equal(cluster_identity_parse(buf_span(&text), &parsed), ERR_CORRUPT);
        buf_close(&text);
    }
}

static const char new_id[] = "ffffffffffffffffffffffffffffffffffffffff";

static struct cluster_recovery make_recovery(void)
{
    struct cluster_recovery recovery = {.incarnation = 0xd00d,
                                        .place = {.inode = 77, .birth_ns = 78},
                                        .address = "10.0.0.9:1",
                                        .last_index = 120,
                                        .last_term = UINT64_MAX};
    memcpy(recovery.cluster_id, new_id, sizeof new_id);
    return recovery;
}

static struct cluster_identity make_recovered(void)
{
    struct cluster_identity identity = make_identity();
    const struct cluster_recovery recovery = make_recovery();
    identity.begin = CLUSTER_BEGUN;
    assert_int_equal(cluster_identity_recover(&identity, &recovery), ERR_NONE);
    return identity;
}

static void test_a_recovered_folder_is_the_only_voter_of_a_new_cluster(void **state)
{
    (void)state;
    struct cluster_identity identity = make_recovered();
    struct cluster_identity parsed;
    struct buf text = {0};
    cluster_identity_encode(&text, &identity);
    assert_memory_equal(text.ptr, "#NODE:3:", 8); /* older versions do not know the line */
    assert_int_equal(cluster_identity_parse(buf_span(&text), &parsed), ERR_NONE);
    assert_string_equal(parsed.cluster_id, new_id);
    assert_int_equal(parsed.incarnation, 0xd00d);
    assert_int_equal(parsed.previous, 0);
    assert_int_equal(parsed.place.inode, 77);
    assert_string_equal(parsed.list, identity.list);
    assert_int_equal(parsed.founders.count, 1);
    assert_int_equal(parsed.founders.members[0].id, 11);
    assert_int_equal(parsed.founders.members[0].incarnation, 0xd00d);
    assert_string_equal(parsed.founders.members[0].address, "10.0.0.9:1");
    assert_int_equal(parsed.superseded.count, 1);
    assert_true(cluster_supersedes(&parsed.superseded, an_id));
    assert_false(cluster_supersedes(&parsed.superseded, new_id));
    assert_false(cluster_supersedes(NULL, an_id));
    const struct cluster_predecessor *old = cluster_identity_recovered(&parsed);
    assert_int_equal(old->last_index, 120);
    assert_true(old->last_term == UINT64_MAX);
    buf_close(&text);
}

static void test_a_record_gives_no_vote_to_a_later_incarnation(void **state)
{
    (void)state;
    struct cluster_identity identity = make_recovered();
    identity.incarnation++;
    assert_null(cluster_identity_recovered(&identity));
    identity.incarnation--;
    identity.superseded.count = 0;
    assert_null(cluster_identity_recovered(&identity));
}

static void test_clusters_are_superseded_in_order_and_not_without_end(void **state)
{
    (void)state;
    struct cluster_identity identity = make_recovered();
    struct cluster_recovery recovery = make_recovery();
    for (size_t count = 1; count < CLUSTER_SUPERSEDED_MAX; count++) {
        recovery.cluster_id[0] = (char)("0123456789abcdef"[count - 1]);
        recovery.last_index++;
        assert_int_equal(cluster_identity_recover(&identity, &recovery), ERR_NONE);
    }
    assert_int_equal(cluster_identity_recovered(&identity)->last_index, recovery.last_index);
    struct cluster_identity parsed;
    struct buf text = {0};
    cluster_identity_encode(&text, &identity);
    assert_int_equal(cluster_identity_parse(buf_span(&text), &parsed), ERR_NONE);
    assert_int_equal(parsed.superseded.count, CLUSTER_SUPERSEDED_MAX);
    assert_string_equal(parsed.superseded.items[0].cluster_id, an_id);
    const struct cluster_identity before = identity;
    assert_int_equal(cluster_identity_recover(&identity, &recovery), ERR_RANGE);
    assert_memory_equal(&identity, &before, sizeof identity);
    buf_close(&text);
}

static void assert_damaged(const struct cluster_identity *identity)
{
    struct cluster_identity parsed;
    struct buf text = {0};
    cluster_identity_encode(&text, identity);
    assert_int_equal(cluster_identity_parse(buf_span(&text), &parsed), ERR_CORRUPT);
    buf_close(&text);
}

static void test_what_nothing_can_supersede_is_damaged(void **state)
{
    (void)state;
    struct cluster_identity identity = make_recovered();
    memcpy(identity.superseded.items[0].cluster_id, new_id, sizeof new_id); /* itself */
    assert_damaged(&identity);
    identity = make_recovered();
    memcpy(identity.superseded.items[0].cluster_id, CLUSTER_NO_ID, 41);
    assert_damaged(&identity);
    identity = make_recovered();
    identity.begin = CLUSTER_FOUNDING;
    assert_damaged(&identity);
    identity = make_recovered();
    identity.superseded.items[1] = identity.superseded.items[0];
    identity.superseded.count = 2;
    assert_damaged(&identity);
    identity = make_recovered();
    identity.superseded.items[0].cluster_id[3] = '\0';
    assert_damaged(&identity);
}

static void test_a_place_without_a_birth_time_is_judged_by_its_inode(void **state)
{
    (void)state;
    struct cluster_place place = {.inode = 5, .birth_ns = 7};
    struct cluster_place other = {.inode = 5, .birth_ns = 8};
    struct cluster_place unknown = {.inode = 5};
    struct cluster_place moved = {.inode = 6};
    assert_false(cluster_place_equal(&place, &other));
    assert_true(cluster_place_equal(&place, &unknown));
    assert_false(cluster_place_equal(&place, &moved));
}

static void assert_refused(const char *text)
{
    struct cluster_founders founders;
    assert_false(cluster_founders_parse(span_text(text), &founders));
}

static void test_a_record_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
#define HEAD "#FOUNDERS:0123456789abcdef0123456789abcdef01234567:0:"
    assert_refused(HEAD "1\r\n");
    assert_refused(HEAD "0\r\n");
    assert_refused(HEAD "17\r\n");
    assert_refused(HEAD "1\r\n#MEMBER:0:1:5:a:1\r\n");
    assert_refused(HEAD "1\r\n#MEMBER:1:1:0:a:1\r\n"); /* a voter nobody has met */
    assert_refused(HEAD "1\r\n#MEMBER:1:2:5:a:1\r\n"); /* in the middle of a change */
    assert_refused(HEAD "1\r\n#MEMBER:1:4:0:a:1\r\n"); /* no voter */
    assert_refused(HEAD "1\r\n#MEMBER:1:1:5:\r\n");    /* no address */
    assert_refused(HEAD "1\r\n#MEMBER:1:1:5:a b:1\r\n");
    assert_refused(HEAD "1\r\n#MEMBER:1:1:5:a:1\r\nmore");
    assert_refused(HEAD "2\r\n#MEMBER:2:1:5:a:1\r\n#MEMBER:1:1:5:b:1\r\n");
    assert_refused("#FOUNDERS:" CLUSTER_NO_ID ":0:1\r\n#MEMBER:1:1:5:a:1\r\n");
    struct cluster_founders founders;
    assert_true(cluster_founders_parse(span_text(HEAD "1\r\n#MEMBER:1:1:5:a:1\r\n"), &founders));
    assert_true(cluster_founders_parse(SPAN(""), &founders));
    assert_int_equal(founders.count, 0);
}

/* Takes an array of bulk strings apart. */
static size_t split(struct buf *text, struct span *args)
{
    size_t count = 0;
    char *at = strchr(text->ptr, '\n') + 1;
    while (at < text->ptr + text->len) {
        char *end;
        size_t len = strtoul(at + 1, &end, 10);
        args[count++] = span_of(end + 2, len);
        at = end + 2 + len + 2;
    }
    return count;
}

static void test_what_a_node_says_comes_back_as_it_was(void **state)
{
    (void)state;
    struct founding_said said = {.id = 11,
                                 .incarnation = UINT64_MAX,
                                 .begin = CLUSTER_FOUNDING,
                                 .mark = 0xabc,
                                 .list = UINT64_MAX - 1,
                                 .asks = true,
                                 .founders = make_founders()};
    memcpy(said.cluster_id, an_id, sizeof an_id);
    struct founding_said parsed;
    struct span args[16];
    struct buf text = {0};
    founding_encode(&text, &said);
    buf_add_char(&text, '\0');
    text.len--;
    size_t argc = split(&text, args);
    assert_true(founding_is_message(args, argc));
    assert_true(founding_parse(args, argc, &parsed));
    assert_int_equal(parsed.id, 11);
    assert_true(parsed.incarnation == UINT64_MAX);
    assert_int_equal(parsed.begin, CLUSTER_FOUNDING);
    assert_string_equal(parsed.cluster_id, an_id);
    assert_int_equal(parsed.mark, 0xabc);
    assert_true(parsed.list == UINT64_MAX - 1);
    assert_true(parsed.asks);
    assert_true(cluster_founders_equal(&parsed.founders, &said.founders));
    assert_false(founding_parse(args, argc - 1, &parsed));
    args[3] = SPAN("empty");
    assert_false(founding_parse(args, argc, &parsed));
    args[3] = SPAN("begun");
    assert_true(founding_parse(args, argc, &parsed));
    args[2] = SPAN("0");
    assert_false(founding_parse(args, argc, &parsed));
    buf_close(&text);
}

static void test_the_list_has_one_form(void **state)
{
    (void)state;
    struct cluster cluster;
    char message[256];
    char list[CLUSTER_LIST_MAX];
    assert_int_equal(cluster_parse(&cluster, SPAN("3@[::1]:7003,1@a:1"), CLUSTER_NO_ID, message),
                     ERR_NONE);
    cluster_list_text(&cluster, list);
    assert_string_equal(list, "1@a:1,3@[::1]:7003");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_identity_comes_back_as_it_was),
        cmocka_unit_test(test_an_identity_cut_at_any_byte_is_damaged),
        cmocka_unit_test(test_an_identity_with_any_byte_changed_is_refused),
        cmocka_unit_test(test_an_identity_of_another_version_is_foreign),
        cmocka_unit_test(test_a_folder_says_what_it_may_hold),
        cmocka_unit_test(test_an_identity_that_contradicts_itself_is_damaged),
        cmocka_unit_test(test_a_recovered_folder_is_the_only_voter_of_a_new_cluster),
        cmocka_unit_test(test_a_record_gives_no_vote_to_a_later_incarnation),
        cmocka_unit_test(test_clusters_are_superseded_in_order_and_not_without_end),
        cmocka_unit_test(test_what_nothing_can_supersede_is_damaged),
        cmocka_unit_test(test_a_place_without_a_birth_time_is_judged_by_its_inode),
        cmocka_unit_test(test_a_record_that_makes_no_sense_is_refused),
        cmocka_unit_test(test_what_a_node_says_comes_back_as_it_was),
        cmocka_unit_test(test_the_list_has_one_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
