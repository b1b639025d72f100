/* A look at a folder: all that a start finds, and nothing that it changes. */
#include "unit/storage/fake.h"

struct inspection {
    struct buf seen; /* "<type>:<bytes> " for each file, "-<name> " for each leftover */
};

static void note_part(void *context, const struct storage_part *part)
{
    struct inspection *inspection = context;
    buf_printf(&inspection->seen, "%c:%llu ", part->type, (unsigned long long)part->bytes);
}

static void note_leftover(void *context, const char *path)
{
    struct inspection *inspection = context;
    buf_printf(&inspection->seen, "-%s ", strrchr(path, '/') + 1);
}

/* The node's disk as it is, without an identity of one's own. A call that would change something is
 * missing, so that it could not be survived. */
static enum err inspect(struct node *node, struct inspection *seen)
{
    struct storage_inspection inspection = {
        .context = seen, .part = note_part, .leftover = note_leftover};
    struct disk port = node->port;
    struct storage_options options = node->options;
    seen->seen.len = 0;
    node->port.make_folder = NULL;
    node->port.truncate = NULL;
    node->port.replace_file = NULL;
    node->port.sync_folder = NULL;
    node->port.remove = NULL;
    node->port.queue = NULL;
    node->port.image_begin = NULL;
    node->options.identity = (struct identity){.node_id = 0};
    node->options.inspection = &inspection;
    unsigned changes = node->fake.changes;
    enum err err = node_try_start(node);
    assert_int_equal(node->fake.changes, changes);
    assert_int_equal(node->logged.len, 0);
    node_crash(node);
    node->port = port;
    node->options = options;
    return err;
}

static void assert_inspected(const struct inspection *seen, const char *expected)
{
    if (!span_equal(buf_span(&seen->seen), span_text(expected)))
        fail_msg("inspected '%.*s', expected '%s'", (int)seen->seen.len, seen->seen.ptr, expected);
}

static void write_log(struct node *node, uint64_t entries)
{
    node_init(node);
    node_start(node);
    node_vote(node, 1, 2);
    for (uint64_t index = 1; index <= entries; index++) {
        node_append(node, index, 1);
        node_flush(node);
    }
    node_crash(node);
}

static void test_an_inspection_finds_what_a_start_finds(void **state)
{
    (void)state;
    struct node node;
    write_log(&node, 3);
    struct inspection seen = {0};
    assert_int_equal(inspect(&node, &seen), ERR_NONE);
    assert_seen(&node, "1/1 2/1 3/1 ");
    assert_vote(&node, 1, 2);
    assert_int_equal(node.recovered.last_index, 3);
    assert_int_equal(node.recovered.cut_bytes, 0);
    assert_int_equal(node.recovered.identity.node_id, 1);
    assert_string_equal(node.recovered.identity.cluster_id, cluster_one);
    char expected[64];
    snprintf(expected, sizeof expected, "i:%zu ", node_file(&node, LOG)->len);
    assert_inspected(&seen, expected);
    node_start(&node);
    node_close(&node);
    buf_close(&seen.seen);
}

static void test_an_inspection_leaves_a_torn_tail_where_it_is(void **state)
{
    (void)state;
    struct node node;
    write_log(&node, 3);
    size_t whole = node_file(&node, LOG)->len;
    struct buf half = {0};
    encode_set(&half, 4, 1, 100);
    half.len /= 2;
    buf_add_span(node_file(&node, LOG), buf_span(&half));
    struct inspection seen = {0};
    assert_int_equal(inspect(&node, &seen), ERR_NONE);
    assert_seen(&node, "1/1 2/1 3/1 ");
    assert_int_equal(node.recovered.cut_offset, whole);
    assert_int_equal(node.recovered.cut_bytes, half.len);
    assert_int_equal(node_file(&node, LOG)->len, whole + half.len);
    node_start(&node);
    assert_int_equal(node.recovered.cut_offset, whole);
    assert_int_equal(node_file(&node, LOG)->len, whole);
    node_close(&node);
    buf_close(&half);
    buf_close(&seen.seen);
}

static void test_an_inspection_names_leftovers_and_leaves_them(void **state)
{
    (void)state;
    struct node node;
    write_log(&node, 1);
    fake_make(&node.fake, FOLDER "/appendonlydir/temp-image-7.rdb");
    fake_make(&node.fake, FOLDER "/appendonlydir/appendonly.aof.9.incr.aof");
    fake_make(&node.fake, FOLDER "/appendonlydir/notes.txt");
    struct inspection seen = {0};
    assert_int_equal(inspect(&node, &seen), ERR_NONE);
    char expected[128];
    snprintf(expected, sizeof expected, "-appendonly.aof.9.incr.aof -temp-image-7.rdb i:%zu ",
             node_file(&node, LOG)->len);
    assert_inspected(&seen, expected);
    assert_non_null(fake_find(&node.fake, FOLDER "/appendonlydir/temp-image-7.rdb"));
    node_close(&node);
    buf_close(&seen.seen);
}

static void test_an_inspection_begins_no_log(void **state)
{
    (void)state;
    struct node node;
    node_init(&node);
    struct inspection seen = {0};
    assert_int_equal(inspect(&node, &seen), ERR_NOT_FOUND);
    assert_non_null(strstr(node.message, "no manifest"));
    assert_int_equal(node.fake.file_count, 0);
    node_close(&node);
    buf_close(&seen.seen);
}

static void test_an_inspection_says_what_is_corrupt_and_what_came_before_it(void **state)
{
    (void)state;
    struct node node;
    write_log(&node, 3);
    /* A mark that covers everything, then a flipped byte in the second entry. */
    struct buf *log = node_file(&node, LOG);
    entry_encode_sync(log, &(struct sync_record){.synced = log->len, .at = log->len});
    char *second = memmem(log->ptr, log->len, "2.1.", 4);
    assert_non_null(second);
    *second ^= 1;
    struct inspection seen = {0};
    assert_int_equal(inspect(&node, &seen), ERR_CORRUPT);
    assert_non_null(strstr(node.message, "appendonly.aof.1.incr.aof' is corrupt at offset "));
    assert_seen(&node, "1/1 ");
    node_close(&node);
    buf_close(&seen.seen);
}

static void test_segments_of_two_nodes_are_no_log(void **state)
{
    (void)state;
    struct node node;
    node_init(&node);
    node.options.segment_bytes_max = 200;
    node_start(&node);
    for (uint64_t index = 1; index <= 4; index++) {
        node_append_sized(&node, index, 1, 200);
        node_flush(&node);
    }
    node_crash(&node);
    struct buf *second = node_file(&node, FOLDER "/appendonlydir/appendonly.aof.2.incr.aof");
    struct record record;
    assert_int_equal(record_parse(buf_span(second), &record), RECORD_OK);
    struct buf foreign = {0};
    struct identity other = record.identity;
    other.node_id = 2;
    entry_encode_identity(&foreign, &other);
    assert_int_equal(foreign.len, record.bytes);
    memcpy(second->ptr, foreign.ptr, foreign.len);
    struct inspection seen = {0};
    assert_int_equal(inspect(&node, &seen), ERR_FOREIGN);
    node_close(&node);
    buf_close(&foreign);
    buf_close(&seen.seen);
}

static void test_each_call_of_an_inspection_may_fail(void **state)
{
    (void)state;
    struct node node;
    write_log(&node, 3);
    struct inspection seen = {0};
    enum err err = ERR_IO;
    for (unsigned fail_at = 1; err != ERR_NONE; fail_at++) {
        assert_in_range(fail_at, 1, 100);
        node.fake.calls = 0;
        node.fake.fail_at = fail_at;
        err = inspect(&node, &seen);
    }
    node_close(&node);
    buf_close(&seen.seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_inspection_finds_what_a_start_finds),
        cmocka_unit_test(test_an_inspection_leaves_a_torn_tail_where_it_is),
        cmocka_unit_test(test_an_inspection_names_leftovers_and_leaves_them),
        cmocka_unit_test(test_an_inspection_begins_no_log),
        cmocka_unit_test(test_an_inspection_says_what_is_corrupt_and_what_came_before_it),
        cmocka_unit_test(test_segments_of_two_nodes_are_no_log),
        cmocka_unit_test(test_each_call_of_an_inspection_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
