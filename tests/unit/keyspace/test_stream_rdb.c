#include "keyspace/stream_rdb.h"

#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "unit/support/stream.h"
#include "unit/support/test.h"

/* Bodies as redis-server 7.0.15 (type 19) and valkey-server 9.1 (type 21) wrote them after

       XADD s 1-1 temp 100 hum x … XADD s 7-1 temp 700 hum xxxxxxx, XADD s 9-3 other 1
       XDEL s 2-1 5-1
       XGROUP CREATE s g 0, XGROUP CREATE s h 9-3 ENTRIESREAD 3
       XREADGROUP GROUP g alice COUNT 2 STREAMS s >, and COUNT 1 by bob
       XCLAIM s g alice 0 1-1 TIME 1000 RETRYCOUNT 300
       XGROUP CREATECONSUMER s g carol */
static const char body19[] =
    "\x01\x10\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x40\xa3\xa3\x00"
    "\x00\x00\x37\x00\x06\x01\x02\x01\x02\x01\x84\x74\x65\x6d\x70\x05\x83\x68\x75\x6d\x04\x00"
    "\x01\x02\x01\x00\x01\x00\x01\x64\x01\x81\x78\x02\x05\x01\x03\x01\x01\x01\x00\x01\xc0\xc8"
    "\x02\x82\x78\x78\x03\x05\x01\x02\x01\x02\x01\x00\x01\xc1\x2c\x02\x83\x78\x78\x78\x04\x05"
    "\x01\x02\x01\x03\x01\x00\x01\xc1\x90\x02\x84\x78\x78\x78\x78\x05\x05\x01\x03\x01\x04\x01"
    "\x00\x01\xc1\xf4\x02\x85\x78\x78\x78\x78\x78\x06\x05\x01\x02\x01\x05\x01\x00\x01\xc2\x58"
    "\x02\x86\x78\x78\x78\x78\x78\x78\x07\x05\x01\x02\x01\x06\x01\x00\x01\xc2\xbc\x02\x87\x78"
    "\x78\x78\x78\x78\x78\x78\x08\x05\x01\x00\x01\x08\x01\x02\x01\x01\x01\x85\x6f\x74\x68\x65"
    "\x72\x06\x01\x01\x06\x01\xff\x06\x09\x03\x01\x01\x05\x01\x08\x02\x01\x67\x04\x01\x81\xff"
    "\xff\xff\xff\xff\xff\xff\xff\x03\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00"
    "\x00\x01\xe8\x03\x00\x00\x00\x00\x00\x00\x41\x2c\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00"
    "\x00\x00\x00\x00\x00\x01\x5e\xd5\xf4\x2d\xa2\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00"
    "\x04\x00\x00\x00\x00\x00\x00\x00\x01\x5e\xd5\xf4\x2d\xa2\x01\x00\x00\x01\x03\x05\x61\x6c"
    "\x69\x63\x65\x5e\xd5\xf4\x2d\xa2\x01\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00"
    "\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x01"
    "\x03\x62\x6f\x62\x5e\xd5\xf4\x2d\xa2\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x04\x00"
    "\x00\x00\x00\x00\x00\x00\x01\x05\x63\x61\x72\x6f\x6c\x5f\xd5\xf4\x2d\xa2\x01\x00\x00\x00"
    "\x01\x68\x09\x03\x03\x00\x00";
static const char body21[] =
    "\x01\x10\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x40\xa3\xa3\x00"
    "\x00\x00\x37\x00\x06\x01\x02\x01\x02\x01\x84\x74\x65\x6d\x70\x05\x83\x68\x75\x6d\x04\x00"
    "\x01\x02\x01\x00\x01\x00\x01\x64\x01\x81\x78\x02\x05\x01\x03\x01\x01\x01\x00\x01\xc0\xc8"
    "\x02\x82\x78\x78\x03\x05\x01\x02\x01\x02\x01\x00\x01\xc1\x2c\x02\x83\x78\x78\x78\x04\x05"
    "\x01\x02\x01\x03\x01\x00\x01\xc1\x90\x02\x84\x78\x78\x78\x78\x05\x05\x01\x03\x01\x04\x01"
    "\x00\x01\xc1\xf4\x02\x85\x78\x78\x78\x78\x78\x06\x05\x01\x02\x01\x05\x01\x00\x01\xc2\x58"
    "\x02\x86\x78\x78\x78\x78\x78\x78\x07\x05\x01\x02\x01\x06\x01\x00\x01\xc2\xbc\x02\x87\x78"
    "\x78\x78\x78\x78\x78\x78\x08\x05\x01\x00\x01\x08\x01\x02\x01\x01\x01\x85\x6f\x74\x68\x65"
    "\x72\x06\x01\x01\x06\x01\xff\x06\x09\x03\x01\x01\x05\x01\x08\x02\x01\x67\x04\x01\x81\xff"
    "\xff\xff\xff\xff\xff\xff\xff\x03\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00"
    "\x00\x01\xe8\x03\x00\x00\x00\x00\x00\x00\x41\x2c\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00"
    "\x00\x00\x00\x00\x00\x01\x62\xd5\xf4\x2d\xa2\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00"
    "\x04\x00\x00\x00\x00\x00\x00\x00\x01\x62\xd5\xf4\x2d\xa2\x01\x00\x00\x01\x03\x05\x61\x6c"
    "\x69\x63\x65\x63\xd5\xf4\x2d\xa2\x01\x00\x00\x63\xd5\xf4\x2d\xa2\x01\x00\x00\x02\x00\x00"
    "\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x03"
    "\x00\x00\x00\x00\x00\x00\x00\x01\x03\x62\x6f\x62\x62\xd5\xf4\x2d\xa2\x01\x00\x00\x62\xd5"
    "\xf4\x2d\xa2\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00"
    "\x01\x05\x63\x61\x72\x6f\x6c\x63\xd5\xf4\x2d\xa2\x01\x00\x00\xff\xff\xff\xff\xff\xff\xff"
    "\xff\x00\x01\x68\x09\x03\x03\x00\x00";

static struct span body_of(int type)
{
    return type == 19 ? span_of(body19, sizeof(body19) - 1) : span_of(body21, sizeof(body21) - 1);
}

static void check_pending(const struct stream_group *group, uint64_t ms, const char *owner,
                          uint64_t deliveries)
{
    const struct stream_pending *pending =
        stream_group_find_pending(group, (struct stream_id){ms, 1});
    assert_non_null(pending);
    assert_true(span_equal(stream_consumer_name(pending->owner), span_text(owner)));
    assert_int_equal(pending->deliveries, deliveries);
}

static void check_entries(const struct stream *stream)
{
    static const uint64_t expected[] = {1, 3, 4, 6, 7, 9};
    struct stream_walk walk;
    struct stream_entry entry;
    size_t count = 0;
    bool more = stream_walk_begin(stream, STREAM_ID_MIN, STREAM_ID_MAX, &walk, &entry);
    for (; more; more = stream_walk_next(&walk, &entry)) {
        assert_true(count < 6);
        assert_int_equal(entry.id.ms, expected[count]);
        assert_int_equal(entry.field_count, count < 5 ? 2 : 1);
        count++;
    }
    assert_int_equal(count, 6);
    assert_int_equal(stream_length(stream), 6);
}

static void check_loaded(int type)
{
    struct stream *stream = stream_test_load(body_of(type), type);
    assert_non_null(stream);
    check_entries(stream);
    assert_int_equal(stream->last_id.ms, 9);
    assert_int_equal(stream->first_id.ms, 1);
    assert_int_equal(stream->max_deleted_id.ms, 5);
    assert_int_equal(stream->entries_added, 8);
    const struct stream_group *group = stream_find_group(stream, SPAN("g"));
    assert_non_null(group);
    assert_int_equal(group->last_id.ms, 4);
    assert_int_equal(group->entries_read, STREAM_READ_UNKNOWN);
    assert_int_equal(stream_group_pending_count(group), 3);
    check_pending(group, 1, "alice", 300);
    check_pending(group, 3, "alice", 1);
    check_pending(group, 4, "bob", 1);
    assert_int_equal(stream_group_find_pending(group, (struct stream_id){1, 1})->delivered_ms,
                     1000);
    const struct stream_consumer *carol = stream_group_find_consumer(group, SPAN("carol"));
    assert_non_null(carol);
    assert_true(carol->seen_ms > INT64_C(1700000000000));
    assert_int_equal(carol->active_ms, type == 21 ? STREAM_NEVER_ACTIVE : carol->seen_ms);
    assert_int_equal(stream_find_group(stream, SPAN("h"))->entries_read, 3);
    stream_free(stream_test_reload(stream));
    stream_free(stream);
}

static void test_what_redis_wrote_is_loaded(void **state)
{
    (void)state;
    check_loaded(19);
    check_loaded(21);
}

/* Whatever is loaded from damaged bytes is a whole stream. */
static void check_sound(struct stream *stream)
{
    if (!stream)
        return;
    assert_int_equal(stream_sum(stream), stream_sum_by_walk(stream));
    assert_true(spine_is_sound(&stream->nodes));
    struct stream_walk walk;
    struct stream_entry entry;
    size_t count = 0;
    bool more = stream_walk_begin_backwards(stream, STREAM_ID_MIN, STREAM_ID_MAX, &walk, &entry);
    for (; more; more = stream_walk_next(&walk, &entry))
        count++;
    assert_int_equal(count, stream_length(stream));
    stream_free(stream_test_reload(stream));
    struct stream_id id;
    struct span args[] = {SPAN("temp"), SPAN("1"), SPAN("hum"), SPAN("2")};
    struct stream_fields fields = {args, 2};
    if (stream_next_id(stream, 1, &id))
        stream_append(stream, id, &fields, &value_rules_default);
    stream_delete(stream, stream->first_id);
    stream_trim(stream, &(struct stream_trim){.by = STREAM_TRIM_LENGTH, .length = 1});
    assert_int_equal(stream_sum(stream), stream_sum_by_walk(stream));
    stream_free(stream);
}

static void test_damaged_bytes(void **state)
{
    (void)state;
    for (int type = 19; type <= 21; type += 2) {
        struct span body = body_of(type);
        for (size_t len = 0; len < body.len; len++) {
            char *copy = malloc(len + 1); /* exact, for the address sanitizer */
            memcpy(copy, body.ptr, len);
            assert_null(stream_test_load(span_of(copy, len), type));
            free(copy);
        }
        char *copy = malloc(body.len);
        for (size_t at = 0; at < body.len; at++) {
            for (int value = 0; value < 256; value++) {
                memcpy(copy, body.ptr, body.len);
                copy[at] = (char)value;
                check_sound(stream_test_load(span_of(copy, body.len), type));
            }
        }
        struct prng prng;
        prng_init(&prng, 5);
        for (int i = 0; i < 20000; i++) {
            memcpy(copy, body.ptr, body.len);
            for (uint64_t left = 2 + prng_below(&prng, 4); left > 0; left--)
                copy[prng_below(&prng, body.len)] = (char)prng_next(&prng);
            check_sound(stream_test_load(span_of(copy, body.len), type));
        }
        free(copy);
    }
}

/* Faults that single bytes do not make. */
static void test_steps_refuse_what_does_not_fit(void **state)
{
    (void)state;
    static const char one[16] = "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1";
    static const char two[16] = "\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\1";
    struct span id = span_of(one, 16), other = span_of(two, 16);
    struct stream *stream = stream_new();
    struct stream_group *group = stream_load_group(stream, SPAN("g"), STREAM_ID_MIN, NULL);
    assert_null(stream_load_group(stream, SPAN("g"), STREAM_ID_MIN, NULL));
    assert_true(stream_load_pending(group, id, -1, UINT64_MAX));
    assert_false(stream_load_pending(group, id, -1, 1));
    assert_false(stream_load_pending(group, span_of(one, 15), -1, 1));
    assert_false(stream_load_finish(stream)); /* without an owner */
    struct stream_consumer *consumer = stream_load_consumer(group, SPAN("c"), 1, NULL);
    assert_null(stream_load_consumer(group, SPAN("c"), 1, NULL));
    assert_false(stream_load_consumer_pending(group, consumer, other));
    assert_true(stream_load_consumer_pending(group, consumer, id));
    assert_false(stream_load_consumer_pending(group, consumer, id));
    assert_true(stream_load_finish(stream));
    assert_int_equal(stream_sum(stream), stream_sum_by_walk(stream));
    struct stream_totals totals = {.length = 1};
    assert_false(stream_load_totals(stream, &totals));
    stream_free(stream);
}

/* Two entries of one field, by their distance to the node's ID. NULL: refused. */
static struct stream_node *node_of(struct stream_id id, const int64_t distances[2])
{
    struct listpack pack = {0};
    listpack_append_integer(&pack, 2);
    listpack_append_integer(&pack, 0);
    listpack_append_integer(&pack, 1);
    listpack_append(&pack, SPAN("a"));
    listpack_append_integer(&pack, 0);
    for (int i = 0; i < 2; i++) {
        listpack_append_integer(&pack, 2);
        listpack_append_integer(&pack, 0);
        listpack_append_integer(&pack, distances[i]);
        listpack_append(&pack, SPAN("1"));
        listpack_append_integer(&pack, 4);
    }
    struct stream_node *node = stream_node_load(id, listpack_span(&pack));
    listpack_close(&pack);
    return node;
}

static void check_node(struct stream_id id, int64_t first, int64_t second, bool is_fine)
{
    struct stream_node *node = node_of(id, (int64_t[2]){first, second});
    assert_int_equal(node != NULL, is_fine);
    if (node)
        stream_node_free(node);
}

static void test_entries_of_a_node_are_in_order(void **state)
{
    (void)state;
    struct stream_id id = {1, 10};
    check_node(id, 0, 1, true);
    check_node(id, 5, INT64_MAX, true);
    check_node(id, 1, 1, false);
    check_node(id, 0, 0, false);
    check_node(id, 2, 1, false);
    check_node(id, -1, 1, false);
    check_node(id, 0, INT64_MIN, true); /* 2^63 more */
    check_node(STREAM_ID_MIN, 0, 1, false);
    check_node(STREAM_ID_MIN, 1, 2, true);
    check_node(STREAM_ID_MAX, 0, 1, false);
}

static void test_nodes_are_in_order(void **state)
{
    (void)state;
    struct stream *stream = stream_new();
    assert_true(stream_add_node(stream, node_of((struct stream_id){1, 10}, (int64_t[2]){0, 5})));
    assert_false(stream_add_node(stream, node_of((struct stream_id){1, 15}, (int64_t[2]){0, 5})));
    assert_false(stream_add_node(stream, node_of((struct stream_id){1, 9}, (int64_t[2]){0, 50})));
    assert_true(stream_add_node(stream, node_of((struct stream_id){1, 15}, (int64_t[2]){1, 5})));
    assert_false(stream_add_node(stream, NULL));
    assert_int_equal(stream_length(stream), 4);
    assert_int_equal(stream_sum(stream), stream_sum_by_walk(stream));
    stream_free(stream);
}

static void check_note(const char *text, bool fits)
{
    struct stream *stream = stream_new();
    struct stream_group *group = stream_add_group(stream, SPAN("g"), STREAM_ID_MIN, 0);
    stream_group_add_consumer(group, SPAN("c"), 1);
    assert_int_equal(stream_note_take(stream, span_text(text)), fits);
    assert_int_equal(stream_sum(stream), stream_sum_by_walk(stream));
    stream_free(stream);
}

static void test_notes(void **state)
{
    (void)state;
    check_note("counters 5 3-3", true);
    check_note("group 0 -1 0 7", true);
    check_note("group 0 5 0", true);
    check_note("group 0 5 1", true);
    check_note("", false);
    check_note("counters", false);
    check_note("counters 5", false);
    check_note("counters -5 1-1", false);
    check_note("counters 5 1-1 1", false);
    check_note("group", false);
    check_note("group 1 5 0", false);
    check_note("group 0 x 0", false);
    check_note("group 0 5", false);
    check_note("group 0 5 0 x", false);
    check_note("group 0 5 0 1 1", false);
    check_note("group 0 5 1 1", false);
    check_note("group 0 5 18446744073709551615 1", false);
    check_note("nonsense 0 5 0", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_redis_wrote_is_loaded),
        cmocka_unit_test(test_damaged_bytes),
        cmocka_unit_test(test_steps_refuse_what_does_not_fit),
        cmocka_unit_test(test_entries_of_a_node_are_in_order),
        cmocka_unit_test(test_nodes_are_in_order),
        cmocka_unit_test(test_notes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
