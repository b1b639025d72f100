#include <stdio.h>
#include <string.h>

#include "cluster/cluster.h"
#include "unit/support/test.h"

static const char given_id[] = "0123456789abcdef0123456789abcdef01234567";

static void parse(struct cluster *cluster, const char *text, const char *id)
{
    char message[256] = "";
    enum err err = cluster_parse(cluster, span_text(text), id, message);
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
    parse(&cluster, "3@db-3.example.org:7003,1@10.0.0.1:1,2@[::1]:65535", given_id);
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
    parse(&cluster, "1@a:1,2@a:2,3@a:3", given_id);
    for (size_t i = 0; i < 3; i++) {
        assert_name(cluster.nodes[i].name);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(cluster.nodes[i].name, cluster.nodes[j].name);
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
        enum err err = cluster_parse(&cluster, span_text(cases[i].text), given_id, message);
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
    assert_int_equal(cluster_parse(&cluster, span_text(text), given_id, message), ERR_NONE);
    snprintf(text, sizeof text, "1@%0*d:1", CLUSTER_HOST_MAX + 1, 0);
    assert_int_equal(cluster_parse(&cluster, span_text(text), given_id, message), ERR_INVALID);
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
        enum err err = cluster_parse(&cluster, span_text(text), given_id, message);
        assert_int_equal(err, i <= RAFT_MEMBERS_MAX ? ERR_NONE : ERR_INVALID);
    }
}

static void test_every_slot_belongs_to_the_one_shard(void **state)
{
    (void)state;
    assert_int_equal(cluster_shard_of_slot(0), 0);
    assert_int_equal(cluster_shard_of_slot(CLUSTER_SLOTS - 1), 0);
    expect_assert_failure(cluster_shard_of_slot(CLUSTER_SLOTS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nodes_are_read_in_the_order_of_their_ids),
        cmocka_unit_test(test_node_names_are_forty_digits_and_differ),
        cmocka_unit_test(test_bad_texts_are_refused_with_a_message_that_quotes_them),
        cmocka_unit_test(test_a_host_that_is_too_long_is_refused),
        cmocka_unit_test(test_more_nodes_than_a_group_can_have_are_refused),
        cmocka_unit_test(test_every_slot_belongs_to_the_one_shard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
