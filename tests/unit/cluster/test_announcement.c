/* What a node says about where clients find it, and what clients are told then. */
#include <stdlib.h>
#include <string.h>

#include "cluster/cluster.h"
#include "unit/support/test.h"

enum { ARGS_MAX = 8 };

static const struct cluster_announcement full = {.ip = "10.0.0.7",
                                                 .hostname = "one.example",
                                                 .port = 7001,
                                                 .sentinel_port = 26379,
                                                 .address = "[fd00::7]:7000"};

/* The arguments of an encoded message: "$<len>\r\n<bytes>\r\n" each. */
static size_t split(struct buf *message, struct span *args)
{
    size_t argc = 0;
    char *at = strchr(message->ptr, '\n') + 1;
    while (argc < ARGS_MAX && at < message->ptr + message->len) {
        size_t len = (size_t)strtoul(at + 1, NULL, 10);
        at = strchr(at, '\n') + 1;
        args[argc++] = span_of(at, len);
        at += len + 2;
    }
    return argc;
}

static void test_an_announcement_arrives_as_it_was_said(void **state)
{
    (void)state;
    struct buf message = {0};
    struct span args[ARGS_MAX];
    struct cluster_announcement heard = {.port = 1};
    cluster_announcement_encode(&message, &full);
    buf_add_char(&message, '\0');
    message.len--;
    size_t argc = split(&message, args);
    assert_true(cluster_announcement_is_message(args, argc));
    assert_true(cluster_announcement_parse(args, argc, &heard));
    assert_string_equal(heard.ip, full.ip);
    assert_string_equal(heard.hostname, full.hostname);
    assert_int_equal(heard.port, full.port);
    assert_int_equal(heard.sentinel_port, full.sentinel_port);
    assert_string_equal(heard.address, full.address);
    args[argc - 1] = SPAN("no address");
    assert_false(cluster_announcement_parse(args, argc, &heard));
    assert_true(cluster_announcement_parse(args, argc - 1, &heard)); /* as versions before say it */
    assert_string_equal(heard.address, "");
    args[argc - 1] = SPAN("");
    args[argc++] = SPAN("of a later version");
    assert_true(cluster_announcement_parse(args, argc, &heard));
    buf_close(&message);
}

static bool is_taken(const char *ip, const char *hostname, const char *port, const char *sentinel)
{
    struct cluster_announcement heard;
    struct span args[] = {SPAN("RAFT.ANNOUNCE"), span_text(ip), span_text(hostname),
                          span_text(port), span_text(sentinel)};
    return cluster_announcement_parse(args, 5, &heard);
}

/* What is announced is shown in lines of CLUSTER NODES and in -MOVED. */
static void test_what_would_break_a_line_is_no_announcement(void **state)
{
    (void)state;
    char longest[CLUSTER_HOST_MAX + 2];
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_true(is_taken("", "", "0", "0"));
    assert_true(is_taken("fe80::1%eth0", "a-b.c", "65535", "65535"));
    assert_false(is_taken("10.0.0.1 x", "", "0", "0"));
    assert_false(is_taken("10.0.0.1\n", "", "0", "0"));
    assert_false(is_taken("", "a,b", "0", "0"));
    assert_false(is_taken("", "a_b", "0", "0"));
    assert_false(is_taken(longest, "", "0", "0"));
    assert_true(is_taken("", longest + 1, "0", "0"));
    assert_false(is_taken("", longest, "0", "0"));
    assert_false(is_taken("", "", "65536", "0"));
    assert_false(is_taken("", "", "0", "-1"));
    assert_false(is_taken("", "", "", "0"));
}

static void test_too_few_arguments_are_no_announcement(void **state)
{
    (void)state;
    struct cluster_announcement heard;
    struct span args[] = {SPAN("RAFT.ANNOUNCE"), SPAN(""), SPAN(""), SPAN("0"), SPAN("0")};
    assert_true(cluster_announcement_parse(args, 5, &heard));
    assert_false(cluster_announcement_parse(args, 4, &heard));
    args[0] = SPAN("RAFT.FOUND");
    assert_false(cluster_announcement_parse(args, 5, &heard));
}

static void test_clients_are_told_the_address_of_the_members_if_nothing_is_announced(void **state)
{
    (void)state;
    struct cluster_node node = {.host = "n1", .port = 7000};
    assert_false(cluster_announcement_is_set(&node.announced));
    assert_string_equal(cluster_client_ip(&node), "n1");
    assert_int_equal(cluster_client_port(&node), 7000);
    node.announced = full;
    assert_true(cluster_announcement_is_set(&node.announced));
    assert_string_equal(cluster_client_ip(&node), "10.0.0.7");
    assert_int_equal(cluster_client_port(&node), 7001);
}

static void test_an_endpoint_is_what_the_type_says(void **state)
{
    (void)state;
    struct cluster_node node = {.host = "n1", .port = 7000};
    assert_string_equal(cluster_endpoint(&node, CLUSTER_ENDPOINT_HOSTNAME), "?");
    node.announced = full;
    assert_string_equal(cluster_endpoint(&node, CLUSTER_ENDPOINT_IP), "10.0.0.7");
    assert_string_equal(cluster_endpoint(&node, CLUSTER_ENDPOINT_HOSTNAME), "one.example");
    assert_string_equal(cluster_endpoint(&node, CLUSTER_ENDPOINT_UNKNOWN), "");
}

static void test_a_new_table_of_nodes_keeps_what_its_nodes_announced(void **state)
{
    (void)state;
    char message[256];
    struct cluster before;
    struct cluster after;
    static const char id[] = "0000000000000000000000000000000000000000";
    assert_int_equal(cluster_parse(&before, SPAN("1@n1:1,2@n2:1"), id, message), ERR_NONE);
    assert_int_equal(cluster_parse(&after, SPAN("2@other:1,3@n3:1"), id, message), ERR_NONE);
    cluster_set_announced(&before, 2, &full);
    cluster_set_announced(&before, 9, &full); /* no such node */
    cluster_keep_announced(&after, &before);
    assert_string_equal(cluster_client_ip(cluster_find(&after, 2)), "10.0.0.7");
    assert_string_equal(cluster_client_ip(cluster_find(&after, 3)), "n3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_announcement_arrives_as_it_was_said),
        cmocka_unit_test(test_what_would_break_a_line_is_no_announcement),
        cmocka_unit_test(test_too_few_arguments_are_no_announcement),
        cmocka_unit_test(test_clients_are_told_the_address_of_the_members_if_nothing_is_announced),
        cmocka_unit_test(test_an_endpoint_is_what_the_type_says),
        cmocka_unit_test(test_a_new_table_of_nodes_keeps_what_its_nodes_announced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
