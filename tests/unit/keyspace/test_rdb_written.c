/* Values with elements, written and read again. */
#include <stdio.h>

#include "keyspace/hash.h"
#include "keyspace/list.h"
#include "keyspace/set.h"
#include "keyspace/stream.h"
#include "keyspace/zset.h"
#include "unit/keyspace/rdb_values.h"
#include "unit/support/only.h"

enum { KEYS = 60 };

static struct span random_text(struct prng *prng, char *room, size_t most)
{
    uint64_t kind = prng_below(prng, 4);
    if (kind == 0)
        return span_of(room,
                       number_format_i64(room, (int64_t)prng_next(prng) >> prng_below(prng, 64)));
    size_t len = (size_t)prng_below(prng, kind == 1 ? 4 : prng_below(prng, 10) ? 30 : most);
    for (size_t i = 0; i < len; i++)
        room[i] = (char)prng_below(prng, kind == 1 ? 3 : 256);
    return span_of(room, len);
}

enum { TEXT_MOST = 20000 };

static void change_hash(struct hash *hash, struct prng *prng, const struct value_rules *rules)
{
    char field[TEXT_MOST];
    char value[TEXT_MOST];
    struct span name = random_text(prng, field, 100);
    if (prng_below(prng, 5) == 0 && hash_count(hash) > 0) {
        hash_remove_at(hash, (size_t)prng_below(prng, hash_count(hash)));
        return;
    }
    hash_set(hash, name, random_text(prng, value, TEXT_MOST), rules);
    if (prng_below(prng, 100) == 0)
        hash_set_deadline(hash, name, (int64_t)prng_below(prng, 1000000), rules);
}

static void change_list(struct list *list, struct prng *prng, const struct value_rules *rules)
{
    char text[TEXT_MOST];
    if (prng_below(prng, 5) == 0)
        list_drop(list, rules, LIST_HEAD, list_count(list) > 0);
    else
        list_push(list, rules, prng_below(prng, 2) ? LIST_HEAD : LIST_TAIL,
                  random_text(prng, text, TEXT_MOST));
}

static void change_set(struct set *set, struct prng *prng, const struct value_rules *rules)
{
    char text[TEXT_MOST];
    if (prng_below(prng, 5) == 0 && set_count(set) > 0)
        set_remove_at(set, (size_t)prng_below(prng, set_count(set)));
    else
        set_add(set, random_text(prng, text, TEXT_MOST), rules);
}

static void change_zset(struct zset *zset, struct prng *prng, const struct value_rules *rules)
{
    char text[TEXT_MOST];
    double score = (double)(int64_t)prng_below(prng, 1000) / 8;
    if (prng_below(prng, 5) == 0)
        zset_remove_ranks(zset, (size_t)prng_below(prng, zset_count(zset) + 1), 1);
    else
        zset_add(zset, rules, random_text(prng, text, 2000), &score, 0);
}

static void change_group(struct stream *stream, struct prng *prng)
{
    char name[TEXT_MOST];
    struct span text = random_text(prng, name, 50);
    struct stream_group *group = stream_find_group(stream, text);
    if (!group)
        group = stream_add_group(stream, text, stream->first_id, (int64_t)prng_below(prng, 3) - 1);
    text = random_text(prng, name, 50);
    struct stream_consumer *consumer = stream_group_find_consumer(group, text);
    if (!consumer)
        consumer = stream_group_add_consumer(group, text, 5);
    const struct stream_pending pending = {.id = {prng_below(prng, 50), 1},
                                           .delivered_ms = (int64_t)prng_below(prng, 1000),
                                           .deliveries = prng_below(prng, 10),
                                           .owner = consumer};
    stream_group_deliver(group, &pending);
    stream_consumer_touch(group, consumer, (int64_t)prng_below(prng, 100),
                          (int64_t)prng_below(prng, 100) - 1);
}

static void change_stream(struct stream *stream, struct prng *prng, const struct value_rules *rules)
{
    char texts[2][TEXT_MOST];
    struct span args[] = {random_text(prng, texts[0], 20), random_text(prng, texts[1], 500)};
    const struct stream_fields fields = {args, 1};
    struct stream_id id;
    struct stream_entry last;
    switch (prng_below(prng, 6)) {
    case 0:
        change_group(stream, prng);
        break;
    case 1:
        if (stream_last(stream, &last))
            stream_delete(stream, last.id);
        break;
    default:
        if (stream_next_id(stream, (int64_t)prng_below(prng, 1000), &id))
            stream_append(stream, id, &fields, rules);
    }
}

static void change_value(struct keyspace_edit *edit, struct prng *prng,
                         const struct value_rules *rules)
{
    uint64_t steps = prng_below(prng, 8) ? 1 + prng_below(prng, 12) : prng_below(prng, 300);
    for (; steps; steps--) {
        switch (edit->type) {
        case VALUE_LIST:
            change_list(edit->value, prng, rules);
            break;
        case VALUE_SET:
            change_set(edit->value, prng, rules);
            break;
        case VALUE_ZSET:
            change_zset(edit->value, prng, rules);
            break;
        case VALUE_HASH:
            change_hash(edit->value, prng, rules);
            break;
        case VALUE_STREAM:
            change_stream(edit->value, prng, rules);
            break;
        case VALUE_STRING:
            break;
        }
    }
}

static void name_key(char key[24], uint64_t number)
{
    snprintf(key, 24, number % 2 ? "{few%d}%d" : "key%d-%d", (int)(number % 7), (int)number);
}

/* The key that change() takes next. */
static struct span next_key(struct prng prng, char key[24])
{
    name_key(key, prng_below(&prng, KEYS));
    return span_text(key);
}

static void change(struct keyspace *keyspace, struct prng *prng, uint64_t revision)
{
    char name[24];
    struct span key = next_key(*prng, name);
    prng_below(prng, KEYS);
    struct item *item = keyspace_find(keyspace, key, NO_DEADLINE);
    uint64_t kind = prng_below(prng, 12);
    if (kind == 0) {
        keyspace_remove(keyspace, key, revision);
    } else if (kind == 1 && item) {
        keyspace_set_deadline(keyspace, item, (int64_t)prng_below(prng, 100000), revision);
    } else if (kind == 2) {
        keyspace_set_string(keyspace, key, SPAN("a string"), false, revision);
    } else {
        struct keyspace_edit edit;
        if (item && item_type(item) == VALUE_STRING)
            keyspace_remove(keyspace, key, revision);
        if (item && keyspace_find(keyspace, key, NO_DEADLINE))
            keyspace_edit_begin(&edit, keyspace, item);
        else
            keyspace_edit_begin_new(&edit, keyspace, key,
                                    (enum value_type)(1 + prng_below(prng, 5)));
        change_value(&edit, prng, keyspace_rules(keyspace));
        keyspace_edit_end(&edit, true, revision);
    }
}

static struct buf written(const struct keyspace *keyspace, size_t most)
{
    struct buf out = {0};
    struct rdb_writer writer;
    rdb_writer_init(&writer, ONLY(keyspace), NULL, 0, NULL);
    bool more = true;
    while (more) {
        size_t before = out.len;
        more = rdb_writer_some(&writer, &out, most);
        assert_true(out.len - before <= most + RDB_CHUNK_MAX - RDB_CHUNK_BYTES);
    }
    return out;
}

static void expect_loads_as(struct span file, uint64_t digest, int rules)
{
    for (int other = 0; other < RULES; other++) {
        struct keyspace *loaded = keyspace_with(other);
        assert_int_equal(read_pieces(loaded, file, other == rules ? 113 : file.len, NULL),
                         RDB_DONE);
        assert_true(keyspace_digest(loaded) == digest);
        expect_sound(loaded);
        struct buf again = written(loaded, RDB_CHUNK_BYTES);
        struct keyspace *twice = keyspace_with(rules);
        assert_int_equal(read_pieces(twice, buf_span(&again), again.len, NULL), RDB_DONE);
        assert_true(keyspace_digest(twice) == digest);
        keyspace_free(twice);
        keyspace_free(loaded);
        buf_close(&again);
    }
}

static void test_values_come_back_as_they_were(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 24; seed++) {
        struct prng prng;
        prng_init(&prng, seed);
        int rules = (int)(seed % RULES);
        struct keyspace *keyspace = keyspace_with(rules);
        for (uint64_t revision = 1; revision < 400; revision++)
            change(keyspace, &prng, revision);
        expect_sound(keyspace);
        struct buf file = written(keyspace, seed % 3 ? RDB_CHUNK_BYTES : 100);
        expect_loads_as(buf_span(&file), keyspace_digest(keyspace), rules);
        buf_close(&file);
        keyspace_free(keyspace);
    }
}

static void test_values_that_change_are_written_as_they_were(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct prng prng;
        char key[24];
        prng_init(&prng, seed);
        int rules = (int)(seed % RULES);
        struct keyspace *keyspace = keyspace_with(rules);
        uint64_t revision = 1;
        for (uint64_t count = prng_below(&prng, 300); count; count--)
            change(keyspace, &prng, revision++);
        uint64_t digest = keyspace_digest(keyspace);
        struct rdb_writer writer;
        struct buf file = {0};
        rdb_writer_init(&writer, ONLY(keyspace), NULL, 0, NULL);
        rdb_writer_begin(&writer, &file);
        bool more = true;
        while (more) {
            for (uint64_t count = prng_below(&prng, 4); count; count--) {
                unsigned slot = keyspace_slot_of(next_key(prng, key));
                rdb_writer_before_change(&writer, keyspace, slot, &file);
                change(keyspace, &prng, revision++);
            }
            more = rdb_writer_some(&writer, &file, 1 + (size_t)prng_below(&prng, 9000));
        }
        struct keyspace *loaded = keyspace_with(0);
        assert_int_equal(read_pieces(loaded, buf_span(&file), file.len, NULL), RDB_DONE);
        assert_true(keyspace_digest(loaded) == digest);
        keyspace_free(loaded);
        keyspace_free(keyspace);
        buf_close(&file);
    }
}

/* ---- what the encodings have no place for ---- */

static struct keyspace *keyspace_with_notes(void)
{
    struct keyspace *keyspace = keyspace_with(0);
    struct keyspace_edit edit;
    const struct value_rules *rules = keyspace_rules(keyspace);
    keyspace_edit_begin_new(&edit, keyspace, SPAN("hash"), VALUE_HASH);
    hash_set(edit.value, SPAN("a"), SPAN("1"), rules);
    hash_set(edit.value, SPAN("b"), SPAN("2"), rules);
    hash_set_deadline(edit.value, SPAN("b"), 5000, rules);
    keyspace_edit_end(&edit, true, 7);
    keyspace_edit_begin_new(&edit, keyspace, SPAN("stream"), VALUE_STREAM);
    stream_set_last_id(edit.value, (struct stream_id){9, 9});
    stream_set_counters(edit.value, 12, (struct stream_id){8, 1});
    keyspace_edit_end(&edit, true, 8);
    return keyspace;
}

#define HASH_SHOWN   "{a=1 b=2@5000}"
#define STREAM_SHOWN "( | last 9-9 added 12 deleted 8-1)"

static void test_deadlines_of_fields_and_numbers_of_streams_come_back(void **state)
{
    (void)state;
    struct keyspace *keyspace = keyspace_with_notes();
    struct buf file = written(keyspace, RDB_CHUNK_BYTES);
    for (size_t piece = 1; piece <= file.len; piece += 10) {
        struct keyspace *loaded = keyspace_with(0);
        assert_int_equal(read_pieces(loaded, buf_span(&file), piece, NULL), RDB_DONE);
        expect_shown(find(loaded, "hash"), HASH_SHOWN);
        expect_shown(find(loaded, "stream"), STREAM_SHOWN);
        assert_int_equal(item_revision(find(loaded, "hash")), 7);
        assert_int_equal(item_revision(find(loaded, "stream")), 8);
        /* the deadline has its place among those of the keyspace */
        assert_int_equal(keyspace_count_due(loaded, 4999, 9), 0);
        assert_int_equal(keyspace_count_due(loaded, 5000, 9), 1);
        keyspace_free(loaded);
    }
    buf_close(&file);
    keyspace_free(keyspace);
}

/* The item moves when its first deadline is set, so each note has to find it anew. */
static void test_many_deadlines_come_in_several_notes(void **state)
{
    (void)state;
    struct keyspace *keyspace = keyspace_with(0);
    const struct value_rules *rules = keyspace_rules(keyspace);
    struct keyspace_edit edit;
    keyspace_edit_begin_new(&edit, keyspace, SPAN("hash"), VALUE_HASH);
    for (int i = 0; i < 2000; i++) {
        char field[24];
        struct span name = span_of(field, number_format_i64(field, i));
        hash_set(edit.value, name, SPAN("v"), rules);
        if (i % 3)
            hash_set_deadline(edit.value, name, INT64_MAX - i, rules);
    }
    keyspace_edit_end(&edit, true, 7);
    struct buf file = written(keyspace, RDB_CHUNK_BYTES);
    size_t notes = 0;
    for (const char *at = file.ptr;
         (at = memmem(at, file.len - (size_t)(at - file.ptr), "raft-note", 9)); at++)
        notes++;
    assert_true(notes > 5);
    expect_loads_as(buf_span(&file), keyspace_digest(keyspace), 0);
    buf_close(&file);
    keyspace_free(keyspace);
}

static void test_a_note_that_fits_nothing_is_refused(void **state)
{
    (void)state;
#define NOTE(len) "\xfa\x09raft-note" len
#define HASH                                                                                       \
    "\x04\x01h\x01\x01"                                                                            \
    "a\x01"                                                                                        \
    "1"
    assert_int_equal(outcome_of(SPAN(HASH NOTE("\x06") "0:500 "), ""), RDB_DONE);
    assert_int_equal(
        outcome_of(SPAN(NOTE("\x06") "0:500 " HASH), "a note without its value at byte 27"),
        RDB_BAD);
    assert_int_equal(outcome_of(SPAN(HASH "\x00\x01s\x01v" NOTE("\x06") "0:500 "),
                                "a note without its value at byte 40"),
                     RDB_BAD);
    assert_int_equal(outcome_of(SPAN("\x02\x01s\x01\x01m" NOTE("\x06") "0:500 "),
                                "a note without its value at byte 33"),
                     RDB_BAD);
    assert_int_equal(outcome_of(SPAN(HASH NOTE("\x06") "1:500 "),
                                "a note that does not fit its value at byte 35"),
                     RDB_BAD);
    assert_int_equal(outcome_of(SPAN("\x0f\x01s\x00\x00\x00\x00\x00" NOTE("\x06") "0:500 "),
                                "a note that does not fit its value at byte 35"),
                     RDB_BAD);
}

/* Redis skips them, and an import needs them. */
static void test_a_file_to_give_away_has_notes_but_no_revisions(void **state)
{
    (void)state;
    struct keyspace *keyspace = keyspace_with_notes();
    struct buf file = {0};
    struct rdb_writer writer;
    const struct rdb_writer_options plain = {.plain = true};
    rdb_writer_init(&writer, ONLY(keyspace), NULL, 0, &plain);
    while (rdb_writer_next(&writer, &file))
        continue;
    assert_null(memmem(file.ptr, file.len, "raft-re", 7));
    struct keyspace *loaded = keyspace_with(0);
    assert_int_equal(read_pieces(loaded, buf_span(&file), file.len, NULL), RDB_DONE);
    expect_shown(find(loaded, "hash"), HASH_SHOWN);
    expect_shown(find(loaded, "stream"), STREAM_SHOWN);
    assert_int_equal(item_revision(find(loaded, "hash")), 0);
    keyspace_free(loaded);
    keyspace_free(keyspace);
    buf_close(&file);
}

/* ---- DUMP ---- */

static void expect_dump(const struct item *item, struct span body, unsigned version)
{
    struct buf out = {0};
    struct buf expected = payload_of(body, version);
    rdb_dump_value(item, &out);
    assert_true(span_equal(buf_span(&out), buf_span(&expected)));
    buf_close(&expected);
    buf_close(&out);
}

static void test_a_value_is_dumped_in_an_old_form_that_holds_it(void **state)
{
    (void)state;
    struct keyspace *keyspace = keyspace_with_notes();
    expect_dump(find(keyspace, "hash"),
                SPAN("\x16\x02\x01"
                     "a\xc0\x01\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                     "b\xc0\x02\x88\x13\0\0\0\0\0\0"),
                80);
    expect_dump(find(keyspace, "stream"), SPAN("\x13\0\0\x09\x09\0\0\x08\x01\x0c\0"), 10);
    struct keyspace_edit edit;
    keyspace_edit_begin(&edit, keyspace, find(keyspace, "hash"));
    hash_set_deadline(edit.value, SPAN("b"), NO_DEADLINE, keyspace_rules(keyspace));
    keyspace_edit_end(&edit, true, 9);
    expect_dump(edit.item,
                SPAN("\x04\x02\x01"
                     "a\xc0\x01\x01"
                     "b\xc0\x02"),
                10);
    keyspace_free(keyspace);
}

static void test_a_text_of_more_than_20_bytes_is_compressed(void **state)
{
    (void)state;
    struct keyspace *keyspace = keyspace_with(0);
    struct span text = SPAN("aaaaaaaaaaaaaaaaaaaaa");
    struct item *item = keyspace_set_string(keyspace, SPAN("k"), text, false, 1);
    expect_dump(item,
                SPAN("\x00\xc3\x06\x15\x01"
                     "aa\xe0\x0a\x00"),
                10);
    item = keyspace_set_string(keyspace, SPAN("k"), span_of(text.ptr, 20), false, 1);
    expect_dump(item,
                SPAN("\x00\x14"
                     "aaaaaaaaaaaaaaaaaaaa"),
                10);
    keyspace_set_text(keyspace, item, SPAN("12"), 1);
    expect_dump(item, SPAN("\x00\xc0\x0c"), 10);
    keyspace_free(keyspace);
}

static void test_a_large_value_is_dumped_and_restored(void **state)
{
    (void)state;
    for (int rules = 0; rules < RULES; rules++) {
        struct prng prng;
        prng_init(&prng, (uint64_t)rules);
        for (unsigned type = VALUE_LIST; type <= VALUE_STREAM; type++) {
            struct keyspace *keyspace = keyspace_with(rules);
            struct keyspace_edit edit;
            keyspace_edit_begin_new(&edit, keyspace, SPAN("k"), (enum value_type)type);
            for (int i = 0; i < 300; i++)
                change_value(&edit, &prng, keyspace_rules(keyspace));
            keyspace_edit_end(&edit, true, 1);
            expect_usable(keyspace, find(keyspace, "k"));
            keyspace_free(keyspace);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_come_back_as_they_were),
        cmocka_unit_test(test_values_that_change_are_written_as_they_were),
        cmocka_unit_test(test_deadlines_of_fields_and_numbers_of_streams_come_back),
        cmocka_unit_test(test_many_deadlines_come_in_several_notes),
        cmocka_unit_test(test_a_note_that_fits_nothing_is_refused),
        cmocka_unit_test(test_a_file_to_give_away_has_notes_but_no_revisions),
        cmocka_unit_test(test_a_value_is_dumped_in_an_old_form_that_holds_it),
        cmocka_unit_test(test_a_text_of_more_than_20_bytes_is_compressed),
        cmocka_unit_test(test_a_large_value_is_dumped_and_restored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
