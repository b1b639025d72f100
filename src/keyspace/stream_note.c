/* What RDB type 15 has no place for, as texts. */
#include "base/number.h"
#include "keyspace/stream_rdb.h"

/* A reader of type 15 takes it that no entry was ever deleted. */
static bool has_plain_counters(const struct stream *stream)
{
    return stream->entries_added == stream_length(stream) &&
           stream_id_is_zero(stream->max_deleted_id);
}

/* It takes it that the group's position was read by walking, and that a consumer was active when it
 * was seen. */
static bool is_plain_group(const struct stream *stream, const struct stream_group *group)
{
    if (!has_plain_counters(stream) ||
        group->entries_read != stream_added_until(stream, group->last_id))
        return false;
    for (size_t i = 0; i < group->consumers_count; i++) {
        if (group->consumers[i]->active_ms != group->consumers[i]->seen_ms)
            return false;
    }
    return true;
}

static void add_counters(const struct stream *stream, struct buf *out)
{
    buf_add_text(out, "counters ");
    buf_add_u64(out, stream->entries_added);
    buf_add_char(out, ' ');
    out->len += stream_id_format(buf_reserve(out, STREAM_ID_CHARS), stream->max_deleted_id);
}

/* Adds as many consumers as fit. cursor->at[0] is the group's position, and at[1] that of the first
 * consumer. */
static void add_group(const struct stream_group *group, struct value_cursor *cursor,
                      struct buf *out)
{
    size_t start = out->len;
    buf_printf(out, "group %llu %lld %llu", (unsigned long long)cursor->at[0],
               (long long)group->entries_read, (unsigned long long)cursor->at[1]);
    while (cursor->at[1] < group->consumers_count &&
           out->len - start < VALUE_NOTE_MAX - NUMBER_I64_CHARS) {
        buf_add_char(out, ' ');
        buf_add_i64(out, group->consumers[cursor->at[1]++]->active_ms);
    }
    if (cursor->at[1] == group->consumers_count) {
        cursor->at[0]++;
        cursor->at[1] = 0;
    }
}

/* cursor->at[2]: the counters are done. */
bool stream_note(const struct stream *stream, struct value_cursor *cursor, struct buf *out)
{
    if (cursor->at[2]++ == 0 && !has_plain_counters(stream)) {
        add_counters(stream, out);
        return true;
    }
    while (cursor->at[0] < stream->groups_count) {
        const struct stream_group *group = stream->groups[cursor->at[0]];
        if (cursor->at[1] > 0 || !is_plain_group(stream, group)) {
            add_group(group, cursor, out);
            return true;
        }
        cursor->at[0]++;
    }
    return false;
}

/* Takes the next word of a text, whose words have one space between them. */
static struct span take_word(struct span *text)
{
    size_t len = 0;
    while (len < text->len && text->ptr[len] != ' ')
        len++;
    struct span word = span_of(text->ptr, len);
    size_t skip = len < text->len ? len + 1 : len;
    *text = span_of(text->ptr + skip, text->len - skip);
    return word;
}

static bool take_counters(struct stream *stream, struct span text)
{
    uint64_t entries_added;
    struct stream_id max_deleted_id;
    if (!number_parse_u64(take_word(&text), &entries_added) ||
        !stream_id_parse(take_word(&text), 0, &max_deleted_id) || text.len > 0)
        return false;
    stream_set_counters(stream, entries_added, max_deleted_id);
    return true;
}

static bool take_group(struct stream *stream, struct span text)
{
    uint64_t position, consumer;
    int64_t entries_read, active_ms;
    if (!number_parse_u64(take_word(&text), &position) || position >= stream->groups_count ||
        !number_parse_i64(take_word(&text), &entries_read) ||
        !number_parse_u64(take_word(&text), &consumer))
        return false;
    struct stream_group *group = stream->groups[position];
    stream_group_set_position(group, group->last_id, entries_read);
    for (; text.len > 0; consumer++) {
        if (!number_parse_i64(take_word(&text), &active_ms) || consumer >= group->consumers_count)
            return false;
        struct stream_consumer *at = group->consumers[consumer];
        stream_consumer_touch(group, at, at->seen_ms, active_ms);
    }
    return true;
}

bool stream_note_take(struct stream *stream, struct span text)
{
    struct span kind = take_word(&text);
    if (span_equal(kind, SPAN("counters")))
        return take_counters(stream, text);
    return span_equal(kind, SPAN("group")) && take_group(stream, text);
}
