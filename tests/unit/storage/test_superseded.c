/* A log whose first segments are of a cluster that this one goes on from. */
#include "unit/storage/fake.h"

static void supersede(struct node *node, struct cluster_superseded *superseded)
{
    *superseded = (struct cluster_superseded){.count = 1};
    memcpy(superseded->items[0].cluster_id, cluster_one, sizeof cluster_one);
    memcpy(node->options.identity.cluster_id, cluster_two, sizeof cluster_two);
    node->options.superseded = superseded;
}

/* Two segments: one of cluster_one, one of cluster_two. */
static void write_both(struct node *node, struct cluster_superseded *superseded)
{
    node_init(node);
    node_start(node);
    node_append(node, 1, 1);
    node_flush(node);
    node_crash(node);
    supersede(node, superseded);
    node_start(node);
    assert_int_equal(storage_cut(node->storage), ERR_NONE);
    node_append(node, 2, 1);
    node_flush(node);
    node_crash(node);
}

static void test_segments_of_a_superseded_cluster_are_read(void **state)
{
    (void)state;
    struct node node;
    struct cluster_superseded superseded;
    write_both(&node, &superseded);
    node_start(&node);
    assert_seen(&node, "1/1 2/1 ");
    assert_string_equal(node.recovered.identity.cluster_id, cluster_two);
    node_close(&node);
}

static void test_segments_of_any_other_cluster_are_not(void **state)
{
    (void)state;
    struct node node;
    struct cluster_superseded superseded;
    write_both(&node, &superseded);
    superseded.items[0].cluster_id[39] = '3';
    assert_refused(&node, ERR_FOREIGN, cluster_one);
    node.options.superseded = NULL;
    assert_refused(&node, ERR_FOREIGN, cluster_one);
    node_close(&node);
}

static void test_segments_of_another_node_are_not(void **state)
{
    (void)state;
    struct node node;
    struct cluster_superseded superseded;
    write_both(&node, &superseded);
    node.options.identity.node_id = 2;
    assert_refused(&node, ERR_FOREIGN, "belongs to node 1");
    node_close(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_segments_of_a_superseded_cluster_are_read),
        cmocka_unit_test(test_segments_of_any_other_cluster_are_not),
        cmocka_unit_test(test_segments_of_another_node_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
