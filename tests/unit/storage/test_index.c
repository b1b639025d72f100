/* Finding entries in their files, against a full list of what the log should hold. */
#include "base/prng.h"
#include "unit/storage/ops.h"

enum { ENTRIES_MAX = 20000, DATABASES_USED = 3, SEGMENTS_MAX = 12 };

struct model {
    struct node node;
    struct prng random;
    uint64_t last;
    uint64_t snapshot;
    uint64_t term;
    uint32_t uids[ENTRIES_MAX + 1]; /* of what each entry holds */
    uint32_t uid;
};

static void encode(struct buf *out, const struct model *model, uint64_t index, size_t filler,
                   unsigned database)
{
    struct buf value = {0};
    buf_printf(&value, "%u.", model->uid);
    memset(buf_reserve(&value, filler), '#', filler);
    value.len += filler;
    const struct span args[] = {SPAN("SET"), SPAN("k"), buf_span(&value)};
    struct entry entry = {
        .index = index, .term = model->term, .kind = ENTRY_COMMAND, .database = database};
    entry_encode_command(out, &entry, args, 3);
    buf_close(&value);
}

static size_t any_size(struct prng *random)
{
    static const size_t most[] = {1, 30, 30, 300, 5000, 40000};
    return (size_t)prng_below(random, most[prng_below(random, 6)]);
}

static void append_some(struct model *model)
{
    for (uint64_t i = prng_below(&model->random, 60); i && model->last < ENTRIES_MAX; i--) {
        struct buf bytes = {0};
        struct record record;
        model->uids[++model->last] = ++model->uid;
        encode(&bytes, model, model->last, any_size(&model->random),
               (unsigned)prng_below(&model->random, DATABASES_USED));
        assert_int_equal(record_parse(buf_span(&bytes), &record), RECORD_OK);
        storage_append(model->node.storage, &record.entry, 1);
        buf_close(&bytes);
    }
}

static void compare(const struct model *model, const struct entry *entry, uint64_t index)
{
    char uid[32];
    int len = snprintf(uid, sizeof uid, "%u.", model->uids[index]);
    assert_int_equal(entry->index, index);
    const char *value = strstr(entry->payload.ptr, "$1\r\nk\r\n$");
    assert_non_null(value);
    value = strchr(value + 8, '\n') + 1;
    if (strncmp(value, uid, (size_t)len) != 0)
        fail_msg("entry %llu is '%.8s', not %s", (unsigned long long)index, value, uid);
}

/* Also what storage has of the next ones by then. */
static void check_entry(struct model *model, uint64_t index)
{
    struct entry entry;
    assert_int_equal(storage_entry(model->node.storage, index, &entry), ERR_NONE);
    compare(model, &entry, index);
    for (uint64_t next = index + 1; next <= model->last && next < index + 20; next++)
        if (storage_cached_entry(model->node.storage, next, &entry))
            compare(model, &entry, next);
}

/* One after the other from anywhere, or anywhere each time. */
static void check_some(struct model *model)
{
    uint64_t first = storage_status(model->node.storage).first_index;
    bool jumps = prng_below(&model->random, 2) == 0;
    if (first > model->last)
        return;
    uint64_t index = first + prng_below(&model->random, model->last + 1 - first);
    for (int i = 0; i < 30 && index <= model->last; i++) {
        check_entry(model, index);
        index = jumps ? first + prng_below(&model->random, model->last + 1 - first) : index + 1;
    }
}

static void truncate_some(struct model *model)
{
    uint64_t most = model->last - model->snapshot;
    uint64_t count = prng_below(&model->random, most < 100 ? most + 1 : 100);
    model->last -= count;
    assert_int_equal(storage_truncate(model->node.storage, model->last), ERR_NONE);
    model->term++;
}

static void take_snapshot(struct model *model)
{
    struct node *node = &model->node;
    struct entry newest;
    if (model->last == model->snapshot)
        return;
    node_flush(node); /* an image is of what is applied, and only that is durable */
    assert_int_equal(storage_entry(node->storage, model->last, &newest), ERR_NONE);
    uint64_t term = newest.term;
    node_cut(node);
    fake_replace(&node->fake, storage_image_begin(node->storage), SPAN("a state"));
    assert_int_equal(storage_image_adopt(node->storage, model->last, term, 50000), ERR_NONE);
    model->snapshot = model->last;
}

static void run_some(struct model *model)
{
    size_t queued = model->node.fake.queued_count;
    node_run(&model->node, queued ? (size_t)prng_below(&model->random, queued + 1) : 0);
}

static void restart(struct model *model)
{
    storage_flush(model->node.storage);
    node_run_all(&model->node);
    node_restart(&model->node);
    assert_int_equal(model->node.recovered.last_index, model->last);
}

static void any_step(struct model *model)
{
    if (storage_status(model->node.storage).segments > SEGMENTS_MAX)
        take_snapshot(model); /* and segments go */
    switch (prng_below(&model->random, 24)) {
    case 0:
        restart(model);
        return;
    case 1:
        if (prng_below(&model->random, 4) == 0)
            node_cut(&model->node);
        return;
    case 2:
        truncate_some(model);
        return;
    case 3:
        node_vote(&model->node, ++model->term, 1);
        return;
    case 4:
        if (prng_below(&model->random, 4) == 0)
            take_snapshot(model);
        return;
    case 5:
    case 6:
        storage_pin(model->node.storage, prng_below(&model->random, model->last + 1));
        return;
    case 7:
    case 8:
    case 9:
        storage_flush(model->node.storage);
        return;
    case 10:
    case 11:
    case 12:
    case 13:
        run_some(model);
        return;
    case 14:
    case 15:
    case 16:
        append_some(model);
        return;
    default:
        check_some(model);
    }
}

static void test_every_entry_is_found_after_any_history(void **state)
{
    (void)state;
    static struct model model;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        model = (struct model){.term = 1};
        prng_init(&model.random, seed);
        node_init(&model.node);
        model.node.options.cache_bytes_max = seed % 2 ? 1 : 200000;
        model.node.options.segment_bytes_max = seed % 3 ? 400000 : 0;
        node_start(&model.node);
        for (int i = 0; i < 400; i++)
            any_step(&model);
        storage_pin(model.node.storage, model.last);
        node_flush(&model.node);
        for (uint64_t i = storage_status(model.node.storage).first_index; i <= model.last; i++)
            check_entry(&model, i);
        node_close(&model.node);
    }
}

/* ---- what it takes ---- */

/* `count` short entries that are on the disk and not in the cache. */
static void start_with(struct node *node, uint64_t count)
{
    node_init(node);
    node->options.cache_bytes_max = 1;
    node_start(node);
    for (uint64_t index = 1; index <= count; index++) {
        node_append(node, index, 1);
        if (index % 500 == 0)
            node_flush(node);
    }
    node_flush(node);
    storage_pin(node->storage, count);
    assert_int_equal(storage_status(node->storage).cache_entries, 0);
}

static void test_the_index_takes_a_five_hundredth_of_a_log_of_short_entries(void **state)
{
    (void)state;
    struct node node;
    start_with(&node, 20000);
    for (int starts = 0; starts < 2; starts++) {
        struct storage_status status = storage_status(node.storage);
        assert_in_range(status.index_bytes, 1, status.log_bytes / 500 + 1024 * sizeof(uint64_t));
        node_restart(&node);
    }
    node_close(&node);
}

static void test_entries_under_way_to_the_disk_are_counted_until_they_are_there(void **state)
{
    (void)state;
    struct node node;
    start_with(&node, 100);
    for (uint64_t index = 101; index <= 20000; index++)
        node_append(&node, index, 1);
    assert_true(storage_status(node.storage).index_bytes >= 19900 * sizeof(uint64_t));
    storage_flush(node.storage);
    assert_true(storage_status(node.storage).index_bytes >= 19900 * sizeof(uint64_t));
    node_run_all(&node);
    struct storage_status status = storage_status(node.storage);
    assert_true(status.index_bytes <= status.log_bytes / 500);
    node_close(&node);
}

/* Under load there is always something under way: what is there already must go nevertheless. */
static void test_entries_on_the_disk_are_not_listed_while_others_follow(void **state)
{
    (void)state;
    struct node node;
    start_with(&node, 100);
    for (uint64_t index = 101; index <= 20000; index++) {
        node_append(&node, index, 1);
        if (index % 50 == 0) {
            storage_flush(node.storage);
            node_run(&node, node.fake.queued_count - 1);
        }
    }
    struct storage_status status = storage_status(node.storage);
    assert_true(status.index_bytes <= status.log_bytes / 500 + 1024 * sizeof(uint64_t));
    node_run_all(&node);
    node_close(&node);
}

static uint64_t reads_of(struct node *node, uint64_t first, uint64_t last)
{
    struct buf out = {0};
    size_t count;
    node->fake.reads = 0;
    assert_int_equal(storage_read(node->storage, first, last, SIZE_MAX, &out, &count), ERR_NONE);
    assert_int_equal(count, last + 1 - first);
    buf_close(&out);
    return node->fake.reads;
}

/* The disk gives 1000 bytes at a time: of each window all are read, and it is not read again. */
static void test_reading_on_costs_no_more_than_the_bytes(void **state)
{
    (void)state;
    struct node node;
    start_with(&node, 20000);
    uint64_t bytes = storage_status(node.storage).log_bytes;
    uint64_t whole = reads_of(&node, 1, 20000);
    assert_true(whole <= bytes / 1000 * 11 / 10 + 20);
    uint64_t parts = 0;
    reads_of(&node, 1, 1);
    for (uint64_t first = 2; first + 99 <= 20000; first += 100)
        parts += reads_of(&node, first, first + 99);
    assert_true(parts <= whole * 11 / 10);
    node_close(&node);
}

static void test_a_look_up_far_ahead_does_not_read_all_between(void **state)
{
    (void)state;
    struct node node;
    start_with(&node, 20000);
    reads_of(&node, 1, 1);
    assert_true(reads_of(&node, 20000, 20000) <= 20);
    node_close(&node);
}

static void test_who_reads_on_sees_the_next_entries_without_asking_the_disk(void **state)
{
    (void)state;
    struct node node;
    struct entry entry;
    start_with(&node, 1000);
    assert_int_equal(storage_entry(node.storage, 500, &entry), ERR_NONE);
    assert_false(storage_cached_entry(node.storage, 501, &entry)); /* it may be wanted alone */
    assert_int_equal(storage_entry(node.storage, 501, &entry), ERR_NONE);
    node.fake.reads = 0;
    for (uint64_t index = 502; index < 516; index++) {
        assert_true(storage_cached_entry(node.storage, index, &entry));
        assert_int_equal(entry.index, index);
    }
    assert_int_equal(node.fake.reads, 0);
    assert_int_equal(storage_truncate(node.storage, 510), ERR_NONE);
    assert_false(storage_cached_entry(node.storage, 511, &entry));
    node_close(&node);
}

/* The file still has them until the cut is carried out, also when others have their place. */
static void test_entries_that_are_cut_are_not_read_ahead(void **state)
{
    (void)state;
    for (int appended_first = 0; appended_first < 2; appended_first++) {
        struct node node;
        struct entry entry;
        start_with(&node, 1000);
        assert_int_equal(storage_truncate(node.storage, 510), ERR_NONE);
        for (uint64_t index = 511; appended_first && index <= 600; index++)
            node_append_sized(&node, index, 2, 300);
        assert_int_equal(storage_entry(node.storage, 508, &entry), ERR_NONE);
        assert_int_equal(storage_entry(node.storage, 509, &entry), ERR_NONE);
        assert_int_equal(storage_cached_entry(node.storage, 511, &entry), appended_first);
        for (uint64_t index = 511; !appended_first && index <= 600; index++)
            node_append_sized(&node, index, 2, 300);
        node_flush(&node);
        storage_pin(node.storage, 600);
        assert_int_equal(storage_entry(node.storage, 530, &entry), ERR_NONE);
        for (uint64_t index = 508; index <= 600; index++) {
            assert_int_equal(storage_entry(node.storage, index, &entry), ERR_NONE);
            assert_int_equal(entry.index, index);
            assert_int_equal(entry.term, index <= 510 ? 1 : 2);
        }
        assert_int_equal(storage_truncate(node.storage, 520), ERR_NONE);
        node_close(&node);
    }
}

/* Its entries may be fewer than there were. */
static void test_an_installed_log_is_not_searched_where_the_old_one_was(void **state)
{
    (void)state;
    struct node node;
    start_with(&node, 1000);
    reads_of(&node, 900, 919); /* more are there by then */
    assert_int_equal(storage_install_begin(node.storage), ERR_NONE);
    storage_install_write(node.storage, SPAN("a state"));
    assert_int_equal(storage_install_finish(node.storage, 500, 1), ERR_NONE);
    for (uint64_t index = 501; index <= 950; index++)
        node_append(&node, index, 2);
    node_flush(&node);
    storage_pin(node.storage, 950);
    struct entry entry;
    assert_int_equal(storage_entry(node.storage, 920, &entry), ERR_NONE);
    assert_int_equal(entry.index, 920);
    assert_int_equal(entry.term, 2);
    node_close(&node);
}

static void test_a_log_that_cannot_be_read_is_not_cut(void **state)
{
    (void)state;
    struct node node;
    start_with(&node, 1000);
    uint64_t bytes = storage_status(node.storage).log_bytes;
    node.fake.fail_at = node.fake.calls + 1;
    assert_int_equal(storage_truncate(node.storage, 500), ERR_IO);
    node.fake.fail_at = 0;
    assert_int_equal(node.fake.queued_count, 0);
    assert_int_equal(storage_status(node.storage).last_index, 1000);
    assert_int_equal(storage_status(node.storage).log_bytes, bytes);
    assert_int_equal(storage_truncate(node.storage, 500), ERR_NONE);
    node_flush(&node);
    node_restart(&node);
    assert_int_equal(node.recovered.last_index, 500);
    node_close(&node);
}

/* Where the file holds other entries than the log should, nothing wrong is handed out. */
static void test_a_file_with_an_entry_too_few_is_found_corrupt(void **state)
{
    (void)state;
    struct node node;
    start_with(&node, 100);
    struct buf *file = node_segment(&node, 1);
    char *record = strstr(file->ptr, "#RAFT:50:");
    char *next = strstr(file->ptr, "#RAFT:51:");
    assert_true(record && next);
    size_t gone = (size_t)(next - record);
    memmove(record, next, file->len - (size_t)(next - file->ptr));
    file->len -= gone;
    struct entry entry;
    assert_int_equal(storage_entry(node.storage, 49, &entry), ERR_NONE);
    assert_int_equal(storage_entry(node.storage, 50, &entry), ERR_CORRUPT);
    assert_int_equal(storage_entry(node.storage, 60, &entry), ERR_CORRUPT);
    node_close(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_entry_is_found_after_any_history),
        cmocka_unit_test(test_the_index_takes_a_five_hundredth_of_a_log_of_short_entries),
        cmocka_unit_test(test_entries_under_way_to_the_disk_are_counted_until_they_are_there),
        cmocka_unit_test(test_entries_on_the_disk_are_not_listed_while_others_follow),
        cmocka_unit_test(test_reading_on_costs_no_more_than_the_bytes),
        cmocka_unit_test(test_a_look_up_far_ahead_does_not_read_all_between),
        cmocka_unit_test(test_who_reads_on_sees_the_next_entries_without_asking_the_disk),
        cmocka_unit_test(test_entries_that_are_cut_are_not_read_ahead),
        cmocka_unit_test(test_an_installed_log_is_not_searched_where_the_old_one_was),
        cmocka_unit_test(test_a_log_that_cannot_be_read_is_not_cut),
        cmocka_unit_test(test_a_file_with_an_entry_too_few_is_found_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
