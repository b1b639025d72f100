/* A data folder that begins with data, and every way to break off on the way there. */
#include "shard/bootstrap.h"

#include "unit/shard/fixture.h"

/* Of the same cluster: empty, and begun with another file. cluster_one is the one with the data. */
static const char cluster_empty[] = "1111111111111111111111111111111100000000";
static const char cluster_other[] = "1111111111111111111111111111111122222222";

struct begun {
    struct node node;
    struct raft_membership membership;
    struct databases *databases;
    struct shard_bootstrap *bootstrap;
    char message[512];
};

static void begun_init(struct begun *begun)
{
    *begun = (struct begun){.databases = databases_new(1)};
    node_init(&begun->node);
    for (uint64_t id = 1; id <= 3; id++)
        raft_membership_put(&begun->membership,
                            &(struct raft_member){.id = id, .roles = RAFT_VOTER, .incarnation = 1});
    keyspace_set_string(databases_at(begun->databases, 5), SPAN("k"), SPAN("v"), false, 0);
}

static enum err begun_begin(struct begun *begun, const char *id)
{
    struct shard_bootstrap_options options = {.storage = begun->node.options,
                                              .membership = &begun->membership,
                                              .databases = begun->databases,
                                              .disk = &begun->node.port};
    options.identity = options.storage.identity;
    memcpy(options.identity.cluster_id, id, sizeof cluster_empty);
    memcpy(options.storage.identity.cluster_id, cluster_empty, sizeof cluster_empty);
    begun->message[0] = '\0';
    return shard_bootstrap_begin(&options, &begun->bootstrap, begun->message);
}

/* The first `count` operations of what is queued. */
static enum err begun_run(struct begun *begun, size_t count)
{
    struct fake *fake = &begun->node.fake;
    enum err err = ERR_NONE;
    for (; !err && count; count--) {
        struct disk_completion completion = {.ticket = fake->queued[0].ticket};
        fake_carry_out(fake, &fake->queued[0]);
        fake->queued[0].file = DISK_NO_FILE;
        fake_drop(fake, 1);
        if (completion.ticket)
            err = shard_bootstrap_completed(begun->bootstrap, &completion, begun->message);
    }
    return err;
}

/* The process ends with what the disk has carried out. */
static void begun_end(struct begun *begun)
{
    struct fake *fake = &begun->node.fake;
    shard_bootstrap_free(begun->bootstrap);
    begun->bootstrap = NULL;
    fake_drop(fake, fake->queued_count);
    fake->handle_count = 0;
}

static void begun_finish(struct begun *begun, const char *id)
{
    if (begun_begin(begun, id))
        fail_msg("%s", begun->message);
    while (!shard_bootstrap_is_done(begun->bootstrap)) {
        assert_int_equal(shard_bootstrap_drive(begun->bootstrap, begun->message), ERR_NONE);
        assert_true(begun->node.fake.queued_count > 0);
        assert_int_equal(begun_run(begun, begun->node.fake.queued_count), ERR_NONE);
    }
    begun_end(begun);
}

static void begun_close(struct begun *begun)
{
    begun_end(begun);
    node_close(&begun->node);
    databases_free(begun->databases);
}

static struct storage_peek peek(struct begun *begun)
{
    struct storage_peek found;
    if (storage_peek(&begun->node.port, &begun->node.options, &found, begun->message))
        fail_msg("%s", begun->message);
    return found;
}

/* A member that starts with the folder serves the data. */
static void assert_complete(struct begun *begun, const char *id)
{
    struct storage_peek found = peek(begun);
    assert_false(found.empty);
    assert_string_equal(found.identity.cluster_id, id);
    assert_int_equal(found.identity.node_id, 1);
    memcpy(begun->node.options.identity.cluster_id, id, sizeof cluster_empty);
    struct command_table *table = command_table_new();
    struct shard_options options = {.raft = fixture_raft_options(1),
                                    .storage = begun->node.options,
                                    .table = table,
                                    .disk = &begun->node.port};
    struct shard *shard;
    if (shard_open(&options, (struct shard_time){.mono_ms = 1}, &shard, begun->message))
        fail_msg("%s", begun->message);
    assert_int_equal(shard_applied_index(shard), BOOTSTRAP_INDEX);
    assert_int_equal(raft_last_index(shard_raft(shard)), BOOTSTRAP_INDEX);
    assert_int_equal(raft_term(shard_raft(shard)), BOOTSTRAP_TERM);
    assert_int_equal(raft_membership_at(shard_raft(shard), BOOTSTRAP_INDEX)->count, 3);
    assert_int_equal(databases_digest(shard_databases(shard)), databases_digest(begun->databases));
    shard_close(shard);
    begun->node.fake.handle_count = 0;
    command_table_free(table);
}

static void test_a_folder_begins_with_the_data(void **state)
{
    (void)state;
    struct begun begun;
    begun_init(&begun);
    assert_true(peek(&begun).empty);
    begun_finish(&begun, cluster_one);
    assert_complete(&begun, cluster_one);
    begun_close(&begun);
}

static void test_no_crash_leaves_anything_between_empty_and_complete(void **state)
{
    (void)state;
    size_t completes = 0;
    size_t empties = 0;
    bool all = false;
    for (size_t count = 0; !all; count++) {
        struct begun begun;
        begun_init(&begun);
        assert_int_equal(begun_begin(&begun, cluster_one), ERR_NONE);
        assert_int_equal(shard_bootstrap_drive(begun.bootstrap, begun.message), ERR_NONE);
        all = count == begun.node.fake.queued_count;
        assert_int_equal(begun_run(&begun, count), ERR_NONE);
        assert_int_equal(shard_bootstrap_is_done(begun.bootstrap), all);
        begun_end(&begun);
        if (!peek(&begun).empty) {
            assert_complete(&begun, cluster_one);
            completes++;
        } else {
            assert_int_equal(completes, 0);
            assert_string_equal(peek(&begun).identity.cluster_id, cluster_empty);
            begun_finish(&begun, cluster_other); /* another file, after all */
            assert_complete(&begun, cluster_other);
            empties++;
        }
        begun_close(&begun);
    }
    assert_true(completes >= 2 && empties >= 4);
}

static void test_an_empty_member_starts_where_a_bootstrap_broke_off(void **state)
{
    (void)state;
    struct begun begun;
    begun_init(&begun);
    assert_int_equal(begun_begin(&begun, cluster_one), ERR_NONE);
    assert_int_equal(shard_bootstrap_drive(begun.bootstrap, begun.message), ERR_NONE);
    assert_int_equal(begun_run(&begun, 2), ERR_NONE);
    begun_end(&begun);
    memcpy(begun.node.options.identity.cluster_id, cluster_empty, sizeof cluster_empty);
    node_start(&begun.node);
    assert_int_equal(begun.node.recovered.snapshot.index, 0);
    assert_int_equal(begun.node.recovered.last_index, 0);
    node_crash(&begun.node);
    begun_close(&begun);
}

static void test_a_failure_is_told_and_can_be_made_up_for(void **state)
{
    (void)state;
    bool failed = true;
    for (unsigned call = 1; failed; call++) {
        struct begun begun;
        begun_init(&begun);
        begun.node.fake.fail_at = call;
        enum err err = begun_begin(&begun, cluster_one);
        if (!err)
            err = shard_bootstrap_drive(begun.bootstrap, begun.message);
        failed = err != ERR_NONE;
        assert_int_equal(failed, begun.message[0] != '\0');
        begun_end(&begun);
        begun.node.fake.fail_at = 0;
        begun_finish(&begun, cluster_one);
        assert_complete(&begun, cluster_one);
        begun_close(&begun);
        assert_true(call < 100);
    }
}

static void test_a_failed_write_is_told(void **state)
{
    (void)state;
    struct begun begun;
    begun_init(&begun);
    assert_int_equal(begun_begin(&begun, cluster_one), ERR_NONE);
    assert_int_equal(shard_bootstrap_drive(begun.bootstrap, begun.message), ERR_NONE);
    const struct disk_completion full = {.ticket = 1, .err = ERR_NO_SPACE};
    assert_int_equal(shard_bootstrap_completed(begun.bootstrap, &full, begun.message),
                     ERR_NO_SPACE);
    assert_string_equal(begun.message,
                        "cannot write the imported data into 'data/shard-0': no space left");
    begun_close(&begun);
}

static void test_a_folder_with_data_is_left_alone(void **state)
{
    (void)state;
    struct begun begun;
    begun_init(&begun);
    begun_finish(&begun, cluster_one);
    begun.node.fake.changes = 0;
    assert_int_equal(begun_begin(&begun, cluster_other), ERR_EXISTS);
    assert_non_null(strstr(begun.message, "is not empty"));
    assert_int_equal(begun.node.fake.changes, 0);
    begun_close(&begun);
}

static void test_a_folder_with_a_vote_or_an_entry_is_not_empty(void **state)
{
    (void)state;
    for (int with_entry = 0; with_entry < 2; with_entry++) {
        struct begun begun;
        begun_init(&begun);
        node_start(&begun.node);
        assert_true(peek(&begun).empty);
        if (with_entry)
            node_append(&begun.node, 1, 1);
        else
            node_vote(&begun.node, 1, 2);
        node_flush(&begun.node);
        node_crash(&begun.node);
        assert_false(peek(&begun).empty);
        assert_int_equal(begun_begin(&begun, cluster_one), ERR_EXISTS);
        begun_close(&begun);
    }
}

static void test_a_node_that_only_waited_for_others_is_empty(void **state)
{
    (void)state;
    struct begun begun;
    begun_init(&begun);
    memcpy(begun.node.options.identity.cluster_id, cluster_empty, sizeof cluster_empty);
    node_start(&begun.node);
    storage_tick(begun.node.storage, 1);
    storage_tick(begun.node.storage, 100000); /* says how much of nothing is synced */
    node_run_all(&begun.node);
    assert_non_null(
        memmem(node_file(&begun.node, LOG)->ptr, node_file(&begun.node, LOG)->len, "#SYNC", 5));
    node_crash(&begun.node);
    assert_true(peek(&begun).empty);
    begun_finish(&begun, cluster_one);
    assert_complete(&begun, cluster_one);
    begun_close(&begun);
}

static void test_files_without_a_manifest_are_not_empty(void **state)
{
    (void)state;
    struct begun begun;
    begun_init(&begun);
    fake_make(&begun.node.fake, FOLDER "/appendonlydir/appendonly.aof.2.base.rdb");
    assert_false(peek(&begun).empty);
    assert_int_equal(begun_begin(&begun, cluster_one), ERR_EXISTS);
    begun_close(&begun);
}

static void test_not_all_of_a_large_state_waits_for_the_disk_at_once(void **state)
{
    (void)state;
    struct begun begun;
    begun_init(&begun);
    struct buf value = {0};
    memset(buf_reserve(&value, 1 << 20), 'v', 1 << 20);
    value.len = 1 << 20;
    for (int i = 0; i < 24; i++) {
        char key[32];
        snprintf(key, sizeof key, "large%d", i);
        keyspace_set_string(databases_at(begun.databases, 0), span_text(key), buf_span(&value),
                            false, 0);
    }
    buf_close(&value);
    assert_int_equal(begun_begin(&begun, cluster_one), ERR_NONE);
    assert_int_equal(shard_bootstrap_drive(begun.bootstrap, begun.message), ERR_NONE);
    size_t waiting = begun.node.fake.queued_count;
    assert_in_range(waiting, 1, 200);
    assert_int_equal(shard_bootstrap_drive(begun.bootstrap, begun.message), ERR_NONE);
    assert_int_equal(begun.node.fake.queued_count, waiting);
    begun_end(&begun);
    begun_finish(&begun, cluster_one);
    assert_complete(&begun, cluster_one);
    begun_close(&begun);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_folder_begins_with_the_data),
        cmocka_unit_test(test_no_crash_leaves_anything_between_empty_and_complete),
        cmocka_unit_test(test_an_empty_member_starts_where_a_bootstrap_broke_off),
        cmocka_unit_test(test_a_failure_is_told_and_can_be_made_up_for),
        cmocka_unit_test(test_a_failed_write_is_told),
        cmocka_unit_test(test_a_folder_with_data_is_left_alone),
        cmocka_unit_test(test_a_folder_with_a_vote_or_an_entry_is_not_empty),
        cmocka_unit_test(test_a_node_that_only_waited_for_others_is_empty),
        cmocka_unit_test(test_files_without_a_manifest_are_not_empty),
        cmocka_unit_test(test_not_all_of_a_large_state_waits_for_the_disk_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
