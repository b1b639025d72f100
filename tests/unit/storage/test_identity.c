/* flotilla.identity through the disk port. */
#include "storage/identity.h"
#include "unit/storage/fake.h"

#define DATA     "data"
#define IDENTITY DATA "/flotilla.identity"

static struct cluster_identity an_identity(void)
{
    struct cluster_identity identity = {.cluster_id = CLUSTER_NO_ID,
                                        .node_id = 2,
                                        .incarnation = 0xfeed,
                                        .place = {.inode = 7, .birth_ns = 8},
                                        .list = "1@a:1,2@b:2"};
    return identity;
}

static void store(struct node *node)
{
    struct cluster_identity identity = an_identity();
    assert_int_equal(storage_identity_store(&node->port, DATA, &identity, node->message), ERR_NONE);
}

static enum err load(struct node *node, struct cluster_identity *identity)
{
    snprintf(node->message, sizeof node->message, "nothing was said");
    return storage_identity_load(&node->port, DATA, identity, node->message);
}

static void test_a_stored_identity_is_found_again(void **state)
{
    (void)state;
    struct node node;
    struct cluster_identity found;
    node_init(&node);
    store(&node);
    assert_non_null(fake_find(&node.fake, IDENTITY));
    assert_int_equal(load(&node, &found), ERR_NONE);
    assert_int_equal(found.node_id, 2);
    assert_int_equal(found.incarnation, 0xfeed);
    assert_string_equal(found.list, "1@a:1,2@b:2");
    node_close(&node);
}

static void test_a_missing_identity_is_told_from_a_damaged_one(void **state)
{
    (void)state;
    struct node node;
    struct cluster_identity found;
    node_init(&node);
    assert_int_equal(load(&node, &found), ERR_NOT_FOUND);
    store(&node);
    fake_find(&node.fake, IDENTITY)->bytes.ptr[50] ^= 4;
    assert_int_equal(load(&node, &found), ERR_CORRUPT);
    assert_non_null(strstr(node.message, "'data/flotilla.identity' is damaged"));
    node_close(&node);
}

static void test_a_torn_identity_is_damaged(void **state)
{
    (void)state;
    struct node node;
    struct cluster_identity found;
    node_init(&node);
    store(&node);
    fake_find(&node.fake, IDENTITY)->bytes.len /= 2;
    assert_int_equal(load(&node, &found), ERR_CORRUPT);
    fake_find(&node.fake, IDENTITY)->bytes.len = 0;
    assert_int_equal(load(&node, &found), ERR_CORRUPT);
    node_close(&node);
}

static void test_an_identity_of_another_version_is_refused_as_such(void **state)
{
    (void)state;
    struct node node;
    struct cluster_identity found;
    node_init(&node);
    store(&node);
    fake_find(&node.fake, IDENTITY)->bytes.ptr[6] = '6';
    assert_int_equal(load(&node, &found), ERR_FOREIGN);
    assert_non_null(strstr(node.message, "another version"));
    node_close(&node);
}

static void test_an_identity_that_cannot_be_written_says_why(void **state)
{
    (void)state;
    struct node node;
    struct cluster_identity identity = an_identity();
    node_init(&node);
    node.fake.fail_at = 1;
    assert_int_not_equal(storage_identity_store(&node.port, DATA, &identity, node.message),
                         ERR_NONE);
    assert_non_null(strstr(node.message, "cannot write 'data/flotilla.identity': "));
    assert_int_not_equal(load(&node, &identity), ERR_NONE);
    assert_non_null(strstr(node.message, "cannot read 'data/flotilla.identity': "));
    node_close(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_stored_identity_is_found_again),
        cmocka_unit_test(test_a_missing_identity_is_told_from_a_damaged_one),
        cmocka_unit_test(test_a_torn_identity_is_damaged),
        cmocka_unit_test(test_an_identity_of_another_version_is_refused_as_such),
        cmocka_unit_test(test_an_identity_that_cannot_be_written_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
