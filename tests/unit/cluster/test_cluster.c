#include <stdio.h>
#include <string.h>

#include "cluster/cluster.h"
#include "unit/support/test.h"

static const char given_id[] = "0123456789abcdef0123456789abcdef01234567";

static void parse(struct cluster *cluster, const char *text, const char *id, const char *secret)
{
    char message[256] = "";
    enum err err = cluster_parse(cluster, span_text(text), id, span_text(secret), message);
    if (err)
        print_error("%s\n", message);
    assert_int_equal(err, ERR_NONE);
}

static void assert_name(const char *name)
{
    assert_int_equal(strlen(name), 40);
    assert_int_equal(strspn(name, "0123456789abcdef"), 40);
}

static void test_nodes_are_read_in_the_order_of_their_ids(void **state)
{
    (void)state;
    struct cluster cluster;
    parse(&cluster, "3@db-3.example.org:7003,1@10.0.0.1:1,2@[::1]:65535", given_id, "");
    assert_int_equal(cluster.count, 3);
    assert_string_equal(cluster.cluster_id, given_id);
    assert_int_equal(cluster.nodes[0].id, 1);
    assert_string_equal(cluster.nodes[0].host, "10.0.0.1");
    assert_int_equal(cluster.nodes[0].port, 1);
    assert_int_equal(cluster.nodes[1].id, 2);
    assert_string_equal(cluster.nodes[1].host, "::1");
    assert_int_equal(cluster.nodes[1].port, 65535);
    assert_string_equal(cluster.nodes[2].host, "db-3.example.org");
    assert_ptr_equal(cluster_find(&cluster, 3), &cluster.nodes[2]);
    assert_null(cluster_find(&cluster, 4));
}

static void test_node_names_are_forty_digits_and_differ(void **state)
{
    (void)state;
    struct cluster cluster;
    parse(&cluster, "1@a:1,2@a:2,3@a:3", given_id, "");
    for (size_t i = 0; i < 3; i++) {
        assert_name(cluster.nodes[i].name);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(cluster.nodes[i].name, cluster.nodes[j].name);
    }
}

static void test_all_nodes_derive_the_same_ids_whatever_the_order(void **state)
{
    (void)state;
    struct cluster one;
    struct cluster two;
    parse(&one, "1@a:1,2@b:2,3@c:3", NULL, "secret");
    parse(&two, "3@c:3,1@a:1,2@b:2", NULL, "secret");
    assert_name(one.cluster_id);
    assert_string_equal(one.cluster_id, two.cluster_id);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(one.nodes[i].name, two.nodes[i].name);
}

static void test_another_secret_or_other_nodes_are_another_cluster(void **state)
{
    (void)state;
    static const struct {
        const char *nodes;
        const char *secret;
    } others[] = {{"1@a:1,2@b:2", "secret"},       {"1@a:1,2@b:2,3@c:4", "secret"},
                  {"1@a:1,2@b:2,4@c:3", "secret"}, {"1@a:1,2@b:2,3@d:3", "secret"},
                  {"1@a:1,2@b:2,3@c:3", "secreT"}, {"1@a:1,2@b:2,3@c:3", ""}};
    struct cluster cluster;
    parse(&cluster, "1@a:1,2@b:2,3@c:3", NULL, "secret");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct cluster other;
        parse(&other, others[i].nodes, NULL, others[i].secret);
        assert_string_not_equal(cluster.cluster_id, other.cluster_id);
        assert_string_not_equal(cluster.nodes[0].name, other.nodes[0].name);
    }
}

static void test_bad_texts_are_refused_with_a_message_that_quotes_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *says;
    } cases[] = {
        {"", "no node"},
        {",", "'' is not"},
        {"1@a:1,", "behind the last"},
        {"1@a:1,,2@b:2", "'' is not"},
        {"a:1", "'a:1' is not"},
        {"1@a", "'1@a' is not"},
        {"1:1@a", "'1:1@a' is not"},
        {"0@a:1", "no id"},
        {"@a:1", "no id"},
        {"x@a:1", "no id"},
        {"-1@a:1", "no id"},
        {"01@a:1", "no id"},
        {"18446744073709551616@a:1", "no id"},
        {" 1@a:1", "no id"},
        {"1@a:", "no port"},
        {"1@a:0", "no port"},
        {"1@a:65536", "no port"},
        {"1@a:70000000000000000000000", "no port"},
        {"1@a:7x", "no port"},
        {"1@:1", "no host"},
        {"1@[]:1", "no host"},
        {"1@a b:1", "no host"},
        {"1@a\n:1", "no host"},
        {"1@b@c:1", "no host"},
        {"1@::1:1", "[brackets]"},
        {"1@a:1,1@b:2", "'1@b:2' has an id"},
        {"1@a:1,2@a:1", "'2@a:1' has an address"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cluster cluster;
        char message[256] = "";
        enum err err =
            cluster_parse(&cluster, span_text(cases[i].text), NULL, span_text(""), message);
        assert_int_equal(err, ERR_INVALID);
        if (!strstr(message, cases[i].says) || strncmp(message, "cluster-nodes: ", 15) != 0)
            fail_msg("'%s' gives: %s", cases[i].text, message);
    }
}

static void test_a_host_that_is_too_long_is_refused(void **state)
{
    (void)state;
    char text[512];
    struct cluster cluster;
    char message[256];
    snprintf(text, sizeof text, "1@%0*d:1", CLUSTER_HOST_MAX, 0);
    assert_int_equal(cluster_parse(&cluster, span_text(text), NULL, SPAN(""), message), ERR_NONE);
    snprintf(text, sizeof text, "1@%0*d:1", CLUSTER_HOST_MAX + 1, 0);
    assert_int_equal(cluster_parse(&cluster, span_text(text), NULL, SPAN(""), message),
                     ERR_INVALID);
}

static void test_more_nodes_than_a_group_can_have_are_refused(void **state)
{
    (void)state;
    char text[1024] = "";
    size_t len = 0;
    for (int i = 1; i <= RAFT_MEMBERS_MAX + 1; i++) {
        struct cluster cluster;
        char message[256];
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%d@h:%d", i > 1 ? "," : "", i, i);
        enum err err = cluster_parse(&cluster, span_text(text), NULL, SPAN(""), message);
        assert_int_equal(err, i <= RAFT_MEMBERS_MAX ? ERR_NONE : ERR_INVALID);
    }
}

static void test_a_cluster_id_of_another_form_is_refused(void **state)
{
    (void)state;
    static const char *const ids[] = {"", "0123", "0123456789ABCDEF0123456789abcdef01234567",
                                      "0123456789abcdef0123456789abcdef012345678",
                                      "g123456789abcdef0123456789abcdef01234567"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        struct cluster cluster;
        char message[256];
        assert_int_equal(cluster_parse(&cluster, SPAN("1@a:1"), ids[i], SPAN(""), message),
                         ERR_INVALID);
        assert_non_null(strstr(message, "cluster-id"));
    }
}

static void test_every_slot_belongs_to_the_one_shard(void **state)
{
    (void)state;
    assert_int_equal(cluster_shard_of_slot(0), 0);
    assert_int_equal(cluster_shard_of_slot(CLUSTER_SLOTS - 1), 0);
    expect_assert_failure(cluster_shard_of_slot(CLUSTER_SLOTS));
}

static void test_a_mark_tells_what_a_cluster_began_with(void **state)
{
    (void)state;
    struct cluster empty;
    struct cluster marked;
    parse(&empty, "1@a:1,2@b:2", NULL, "secret");
    parse(&marked, "1@a:1,2@b:2", NULL, "secret");
    assert_string_equal(empty.cluster_id + 32, "00000000");
    cluster_set_mark(&marked, cluster_mark_of(0xabcdef0000001234));
    assert_name(marked.cluster_id);
    assert_string_equal(marked.cluster_id + 32, "00001234");
    assert_string_not_equal(marked.nodes[0].name, empty.nodes[0].name);
    assert_int_equal(cluster_mark_of(0xabcdef0000000000), 1);
    struct span id = span_text(empty.cluster_id);
    assert_true(cluster_same_but_mark(id, span_text(marked.cluster_id)));
    assert_false(cluster_same_but_mark(id, span_text(given_id)));
    assert_false(cluster_same_but_mark(id, SPAN("short")));
    cluster_take_id(&empty, marked.cluster_id);
    assert_string_equal(empty.cluster_id, marked.cluster_id);
    assert_string_equal(empty.nodes[0].name, marked.nodes[0].name);
    expect_assert_failure(cluster_take_id(&empty, given_id));
}

static void test_a_given_id_has_no_mark_of_ours(void **state)
{
    (void)state;
    struct cluster cluster;
    parse(&cluster, "1@a:1", given_id, "");
    assert_string_equal(cluster.cluster_id, given_id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nodes_are_read_in_the_order_of_their_ids),
        cmocka_unit_test(test_node_names_are_forty_digits_and_differ),
        cmocka_unit_test(test_all_nodes_derive_the_same_ids_whatever_the_order),
        cmocka_unit_test(test_another_secret_or_other_nodes_are_another_cluster),
        cmocka_unit_test(test_bad_texts_are_refused_with_a_message_that_quotes_them),
        cmocka_unit_test(test_a_host_that_is_too_long_is_refused),
        cmocka_unit_test(test_more_nodes_than_a_group_can_have_are_refused),
        cmocka_unit_test(test_a_cluster_id_of_another_form_is_refused),
        cmocka_unit_test(test_a_mark_tells_what_a_cluster_began_with),
        cmocka_unit_test(test_a_given_id_has_no_mark_of_ours),
        cmocka_unit_test(test_every_slot_belongs_to_the_one_shard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
