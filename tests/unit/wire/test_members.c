#include <stdio.h>

#include "unit/support/test.h"
#include "wire/entry.h"
#include "wire/hello.h"
#include "wire/members.h"

static const struct raft_member sample[] = {
    {.id = 1, .roles = RAFT_VOTER | RAFT_VOTER_INCOMING, .incarnation = 1, .address = "n1:7001"},
    {.id = 2,
     .roles = RAFT_VOTER | RAFT_STAYS,
     .incarnation = 0xfedcba9876543210,
     .successor = UINT64_MAX,
     .address = "[2001:db8::1]:7002"},
    {.id = UINT64_MAX, .roles = RAFT_PROMOTE},
};

static struct raft_membership sample_membership(void)
{
    struct raft_membership membership = {0};
    for (size_t i = 0; i < sizeof sample / sizeof *sample; i++)
        raft_membership_put(&membership, &sample[i]);
    return membership;
}

static void assert_text(const struct raft_membership *membership, const char *text)
{
    struct buf out = {0};
    members_encode(&out, membership);
    buf_add_char(&out, '\0');
    assert_string_equal(out.ptr, text);
    buf_close(&out);
}

static void test_each_member_is_a_line(void **state)
{
    (void)state;
    struct raft_membership membership = sample_membership();
    assert_text(&membership, "#MEMBER:1:3:1:0:n1:7001\r\n"
                             "#MEMBER:2:9:fedcba9876543210:ffffffffffffffff:[2001:db8::1]:7002\r\n"
                             "#MEMBER:18446744073709551615:4:0:0:\r\n");
}

/* Nodes of older versions know both bits. */
static void test_a_spare_is_two_bits_that_lines_had_before(void **state)
{
    (void)state;
    struct raft_membership membership = {0}, got;
    raft_membership_put(&membership, &(struct raft_member){.id = 1, .roles = RAFT_VOTER});
    raft_membership_put(&membership, &(struct raft_member){.id = 2, .roles = RAFT_SPARE});
    assert_text(&membership, "#MEMBER:1:1:0:0:\r\n#MEMBER:2:12:0:0:\r\n");
    assert_int_equal(members_parse(SPAN("#MEMBER:1:1:0:0:\r\n#MEMBER:2:12:0:0:\r\n"), &got),
                     ERR_NONE);
    assert_true(raft_membership_equal(&membership, &got));
}

static void test_a_membership_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct raft_membership membership = sample_membership(), read;
    struct buf out = {0};
    members_encode(&out, &membership);
    assert_int_equal(members_parse(buf_span(&out), &read), ERR_NONE);
    assert_true(raft_membership_equal(&membership, &read));
    buf_close(&out);
}

/* Redis gives up on a line of an append-only file that does not fit into 1,024 bytes. */
static void test_no_line_is_too_long_for_redis(void **state)
{
    (void)state;
    struct raft_member member = {
        .id = UINT64_MAX, .roles = 15, .incarnation = UINT64_MAX, .successor = UINT64_MAX};
    memset(member.address, 'a', RAFT_ADDRESS_MAX - 1);
    struct raft_membership membership = {0}, read;
    raft_membership_put(&membership, &member);
    struct buf out = {0};
    members_encode(&out, &membership);
    assert_true(out.len < 1023);
    assert_int_equal(members_parse(buf_span(&out), &read), ERR_NONE);
    assert_true(raft_membership_equal(&membership, &read));
    buf_close(&out);
}

static void test_a_membership_that_is_not_ours_is_corrupt(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "#MEMBER:",
        "#MEMBER:1",
        "#MEMBER:1:1:1:0:a:1",
        "#MEMBER:1:1:1:0:a:1\r",
        "#MEMBER:1:1:1:0:a:1\n",
        "#MEMBER:1:1:1:0:a:1\r\nx",
        "#MEMBER:1:1:1:0\r\n",
        "#MEMBER:1:1:1::a:1\r\n",
        "#MEMBER:1:1:01:0:a:1\r\n",
        "#MEMBER:1:1:A:0:a:1\r\n",
        "#MEMBER:1:1:11111111111111111:0:a:1\r\n",
        "#MEMBER:1:16:1:0:a:1\r\n",
        "#MEMBER:0:1:1:0:a:1\r\n",
        "#MEMBER:1:1:1:0:a b:1\r\n",
        "#MEMBER:1:1:1:0:a\n:1\r\n",
        "#MEMBER:1:1:1:0:a:1\r\n#MEMBER:1:1:1:0:b:1\r\n",
        "#MEMBER:2:1:1:0:a:1\r\n#MEMBER:1:1:1:0:b:1\r\n",
        "#MEMBER:1:1:1:0:a:1\r\n#MEMBERS:2=1\r\n",
    };
    struct raft_membership membership;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(members_parse(span_text(bad[i]), &membership), ERR_CORRUPT);
}

static void test_an_address_that_is_too_long_is_corrupt(void **state)
{
    (void)state;
    char line[RAFT_ADDRESS_MAX + 32];
    snprintf(line, sizeof line, "#MEMBER:1:1:1:0:%0*d\r\n", RAFT_ADDRESS_MAX, 0);
    struct raft_membership membership;
    assert_int_equal(members_parse(span_text(line), &membership), ERR_CORRUPT);
}

static void test_more_members_than_there_can_be_are_corrupt(void **state)
{
    (void)state;
    struct buf text = {0};
    for (int i = 1; i <= RAFT_MEMBERS_MAX; i++)
        buf_printf(&text, "#MEMBER:%d:1:1:0:\r\n", i);
    struct raft_membership membership;
    assert_int_equal(members_parse(buf_span(&text), &membership), ERR_NONE);
    buf_printf(&text, "#MEMBER:%d:1:1:0:\r\n", RAFT_MEMBERS_MAX + 1);
    assert_int_equal(members_parse(buf_span(&text), &membership), ERR_CORRUPT);
    buf_close(&text);
}

static void test_the_text_of_version_1_has_neither_incarnations_nor_addresses(void **state)
{
    (void)state;
    struct raft_membership membership;
    assert_int_equal(members_parse(SPAN("#MEMBERS:1=3,7=4\r\n"), &membership), ERR_NONE);
    assert_int_equal(membership.count, 2);
    assert_int_equal(membership.members[1].roles, RAFT_PROMOTE);
    assert_int_equal(membership.members[1].incarnation, 0);
    assert_string_equal(membership.members[1].address, "");
    assert_int_equal(members_parse(SPAN("#MEMBERS:1=3"), &membership), ERR_NONE); /* a snapshot's */
    assert_int_equal(membership.count, 1);
}

static void test_a_text_of_version_1_that_is_not_ours_is_corrupt(void **state)
{
    (void)state;
    static const char *const bad[] = {"#MEMBERS:",
                                      "#MEMBERS:\r\n",
                                      "#MEMBERS:1=1\r",
                                      "#MEMBERS:1=1,\r\n",
                                      "#MEMBERS:2=1,1=1\r\n",
                                      "#MEMBERS:1=1,1=1\r\n",
                                      "#MEMBERS:0=1\r\n",
                                      "#MEMBERS:1=16\r\n",
                                      "#MEMBERS:1=1\r\nx",
                                      ("#MEMBERS:1=1,2=1,3=1,4=1,5=1,6=1,7=1,8=1,9=1,10=1,11=1,12=1"
                                       ",13=1,14=1,15=1,16=1,17=1\r\n")};
    struct raft_membership membership;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(members_parse(span_text(bad[i]), &membership), ERR_CORRUPT);
}

static void test_the_version_that_all_speak_is_a_line_of_its_own(void **state)
{
    (void)state;
    struct raft_membership membership = {.count = 0};
    struct raft_membership read;
    raft_membership_put(&membership, &(struct raft_member){.id = 1, .roles = RAFT_VOTER});
    struct buf out = {0};
    for (uint32_t version = 0; version <= WIRE_VERSION_OLDEST; version++) {
        out.len = 0;
        membership.version = version;
        members_encode(&out, &membership);
        assert_memory_equal(out.ptr, "#MEMBER:", 8); /* as nodes of that version write it */
        assert_int_equal(members_parse(buf_span(&out), &read), ERR_NONE);
        assert_int_equal(read.version, 0);
    }
    out.len = 0;
    membership.version = WIRE_VERSION;
    members_encode(&out, &membership);
    assert_memory_equal(out.ptr, "#VERSION:5\r\n#MEMBER:1:", 22);
    assert_int_equal(members_parse(buf_span(&out), &read), ERR_NONE);
    assert_true(raft_membership_equal(&read, &membership));
    membership.version = 0;
    assert_false(raft_membership_equal(&read, &membership));
    buf_close(&out);
}

static void test_a_version_that_is_not_ours_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"#VERSION:2", "#VERSION:0", "#VERSION:x",
                                      "#VERSION:", "#VERSION:03"};
    struct raft_membership membership;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf text = {0};
        buf_printf(&text, "%s\r\n#MEMBER:1:1:0:0:\r\n", bad[i]);
        assert_int_equal(members_parse(buf_span(&text), &membership), ERR_CORRUPT);
        buf_close(&text);
    }
    assert_int_equal(members_parse(SPAN("#VERSION:3\r\n"), &membership), ERR_CORRUPT);
    assert_int_equal(members_parse(SPAN("#VERSION:6\r\n#MEMBER:1:1:0:0:\r\n"), &membership),
                     ERR_FOREIGN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_member_is_a_line),
        cmocka_unit_test(test_a_spare_is_two_bits_that_lines_had_before),
        cmocka_unit_test(test_a_membership_is_read_as_it_was_written),
        cmocka_unit_test(test_no_line_is_too_long_for_redis),
        cmocka_unit_test(test_a_membership_that_is_not_ours_is_corrupt),
        cmocka_unit_test(test_an_address_that_is_too_long_is_corrupt),
        cmocka_unit_test(test_more_members_than_there_can_be_are_corrupt),
        cmocka_unit_test(test_the_text_of_version_1_has_neither_incarnations_nor_addresses),
        cmocka_unit_test(test_a_text_of_version_1_that_is_not_ours_is_corrupt),
        cmocka_unit_test(test_the_version_that_all_speak_is_a_line_of_its_own),
        cmocka_unit_test(test_a_version_that_is_not_ours_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
