#include "unit/support/shown.h"

#include "base/number.h"
#include "keyspace/hash.h"
#include "keyspace/list.h"
#include "keyspace/set.h"
#include "keyspace/stream.h"
#include "keyspace/zset.h"

static void add_text(struct buf *out, struct span text)
{
    size_t len = text.len > SHOWN_MAX ? 1 : text.len;
    for (size_t i = 0; i < len; i++) {
        char c = text.ptr[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     c == '-' || c == '.';
        buf_add_char(out, plain ? c : '?');
    }
    if (len < text.len)
        buf_printf(out, "*%zu", text.len);
}

/* Between two elements. */
static void separate(struct buf *out, const char *separator)
{
    char last = out->len ? out->ptr[out->len - 1] : '(';
    if (last != '[' && last != '{' && last != '<' && last != '(')
        buf_add_text(out, separator);
}

static void add_list(struct buf *out, const struct list *list)
{
    struct list_place place;
    char scratch[NUMBER_I64_CHARS];
    size_t i = 0;
    buf_add_char(out, '[');
    for (bool more = list_at(list, 0, &place); more; more = list_next(&place)) {
        if (i++)
            buf_add_char(out, ' ');
        add_text(out, list_text(&place, scratch));
    }
    buf_add_char(out, ']');
}

static void add_set(struct buf *out, const struct set *set)
{
    struct set_walk walk = set_walk(set);
    size_t i = 0;
    buf_add_char(out, '{');
    for (struct span member; set_walk_next(&walk, &member);) {
        if (i++)
            buf_add_char(out, ' ');
        add_text(out, member);
    }
    buf_add_char(out, '}');
}

static void add_zset(struct buf *out, const struct zset *zset)
{
    struct zset_place place;
    char scratch[NUMBER_I64_CHARS];
    char score[40];
    buf_add_char(out, '<');
    for (bool more = zset_at(zset, 0, &place); more; more = zset_next(&place)) {
        separate(out, " ");
        add_text(out, zset_place_member(&place, scratch));
        buf_add_char(out, '=');
        buf_add(out, score, number_format_double(score, zset_place_score(&place)));
    }
    buf_add_char(out, '>');
}

static void add_hash(struct buf *out, const struct hash *hash)
{
    struct hash_walk walk = hash_walk(hash);
    buf_add_char(out, '{');
    for (struct hash_entry entry; hash_walk_next(&walk, &entry);) {
        separate(out, " ");
        add_text(out, entry.field);
        buf_add_char(out, '=');
        add_text(out, entry.value);
        if (entry.deadline_ms != NO_DEADLINE)
            buf_printf(out, "@%lld", (long long)entry.deadline_ms);
    }
    buf_add_char(out, '}');
}

static void add_id(struct buf *out, struct stream_id id)
{
    buf_printf(out, "%llu-%llu", (unsigned long long)id.ms, (unsigned long long)id.seq);
}

static void add_entry(struct buf *out, const struct stream_entry *entry)
{
    struct stream_field_walk walk;
    stream_entry_fields(entry, &walk);
    add_id(out, entry->id);
    for (struct stream_field field; stream_field_next(&walk, &field);) {
        buf_add_char(out, ' ');
        add_text(out, field.name);
        buf_add_char(out, '=');
        add_text(out, field.value);
    }
}

static void add_group(struct buf *out, const struct stream_group *group)
{
    buf_add_text(out, " | group ");
    add_text(out, stream_group_name(group));
    buf_add_char(out, ' ');
    add_id(out, group->last_id);
    buf_printf(out, " read %lld:", (long long)group->entries_read);
    for (size_t i = 0; i < group->consumers_count; i++) {
        const struct stream_consumer *consumer = group->consumers[i];
        struct stream_pending_walk walk;
        const struct stream_pending *pending =
            stream_pending_seek(group, consumer, STREAM_ID_MIN, &walk);
        for (; pending; pending = stream_pending_next(&walk)) {
            buf_add_char(out, ' ');
            add_id(out, pending->id);
            buf_add_text(out, " by ");
            add_text(out, stream_consumer_name(consumer));
            buf_printf(out, " at %lld x%llu;", (long long)pending->delivered_ms,
                       (unsigned long long)pending->deliveries);
        }
    }
    for (size_t i = 0; i < group->consumers_count; i++) {
        const struct stream_consumer *consumer = group->consumers[i];
        buf_add_text(out, " consumer ");
        add_text(out, stream_consumer_name(consumer));
        buf_printf(out, " seen %lld active %lld", (long long)consumer->seen_ms,
                   (long long)consumer->active_ms);
    }
}

static void add_stream(struct buf *out, const struct stream *stream)
{
    struct stream_walk walk;
    struct stream_entry entry;
    buf_add_char(out, '(');
    bool more = stream_walk_begin(stream, STREAM_ID_MIN, STREAM_ID_MAX, &walk, &entry);
    for (; more; more = stream_walk_next(&walk, &entry)) {
        separate(out, "; ");
        add_entry(out, &entry);
    }
    buf_add_text(out, " | last ");
    add_id(out, stream->last_id);
    buf_printf(out, " added %llu deleted ", (unsigned long long)stream->entries_added);
    add_id(out, stream->max_deleted_id);
    for (size_t i = 0; i < stream->groups_count; i++)
        add_group(out, stream->groups[i]);
    buf_add_char(out, ')');
}

void shown_value(struct buf *out, enum value_type type, const void *value)
{
    switch (type) {
    case VALUE_LIST:
        add_list(out, value);
        break;
    case VALUE_SET:
        add_set(out, value);
        break;
    case VALUE_ZSET:
        add_zset(out, value);
        break;
    case VALUE_HASH:
        add_hash(out, value);
        break;
    case VALUE_STREAM:
        add_stream(out, value);
        break;
    case VALUE_STRING:
        break;
    }
}

void shown_item(struct buf *out, const struct item *item)
{
    if (item_type(item) != VALUE_STRING) {
        shown_value(out, item_type(item), item_elements(item));
        return;
    }
    char scratch[NUMBER_I64_CHARS];
    buf_add_char(out, '"');
    add_text(out, item_string(item, scratch));
    buf_add_char(out, '"');
}
