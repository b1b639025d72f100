#include "base/number.h"
#include "keyspace/internal.h"
#include "keyspace/rdb_reader.h"

static bool bad(struct rdb_reader *reader, const char *what)
{
    return rdb_reader_fail(reader, RDB_BAD, what);
}

/* Never NULL: callers compute with the pointer. */
static struct span kept(const struct rdb_reader *reader, unsigned number)
{
    const struct buf *buf = &reader->kept[number];
    return buf->len ? buf_span(buf) : SPAN("");
}

bool rdb_load_report(struct rdb_reader *reader, struct span key, const char *type)
{
    if (reader->options.on_unsupported)
        reader->options.on_unsupported(reader->options.context, key, type);
    if (!reader->options.unsupported_is_error)
        return true;
    struct buf what = {0};
    buf_add_text(&what, "a value of type ");
    buf_add_text(&what, type);
    buf_add_text(&what, ", which is not supported,");
    buf_add_char(&what, '\0');
    rdb_reader_fail(reader, RDB_UNSUPPORTED, what.ptr);
    buf_close(&what);
    return false;
}

bool rdb_load_report_database(struct rdb_reader *reader)
{
    struct buf type = {0};
    buf_add_text(&type, "database ");
    buf_add_u64(&type, reader->database);
    buf_add_char(&type, '\0');
    bool goes_on = rdb_load_report(reader, kept(reader, 0), type.ptr);
    buf_close(&type);
    return goes_on;
}

/* Cuts the text before `end`, and `end`, off the front of `text`. */
static struct span next_word(struct span *text, char end)
{
    const char *stop = text->len ? memchr(text->ptr, end, text->len) : NULL;
    size_t len = stop ? (size_t)(stop - text->ptr) : text->len;
    struct span word = span_of(text->ptr, len);
    size_t used = stop ? len + 1 : len;
    *text = span_of(used ? text->ptr + used : text->ptr, text->len - used);
    return word;
}

static bool take_revisions(struct rdb_reader *reader, struct span text)
{
    if (reader->revisions_used < reader->revisions_count)
        return bad(reader, "more revisions than keys");
    reader->revisions_used = reader->revisions_count = 0;
    uint64_t last = 0;
    while (text.len) {
        struct span word = next_word(&text, ' ');
        char mark = word.len ? word.ptr[word.len - 1] : 0;
        if (mark != 'r' && mark != 't')
            mark = 0;
        word.len -= mark != 0;
        int64_t difference;
        if (reader->revisions_count == RDB_REVISIONS_MAX || !number_parse_i64(word, &difference))
            return bad(reader, "damaged raft-revisions");
        last += (uint64_t)difference;
        if (last > KEYSPACE_REVISION_MAX)
            return bad(reader, "a revision that no entry has");
        reader->revisions[reader->revisions_count++] = (struct revision){last, mark};
    }
    return true;
}

static bool take_removals(struct rdb_reader *reader, struct span text)
{
    while (text.len) {
        struct span word = next_word(&text, ' ');
        uint64_t slot;
        uint64_t revision;
        if (!number_parse_u64(next_word(&word, ':'), &slot) || slot >= KEYSPACE_SLOTS ||
            !number_parse_u64(word, &revision) || revision > KEYSPACE_REVISION_MAX)
            return bad(reader, "damaged raft-removals");
        if (!reader->options.ignore_revisions)
            reader->into->slots[slot].removed_revision = revision;
    }
    return true;
}

static bool take_swapped(struct rdb_reader *reader, struct span text)
{
    uint64_t revision;
    if (!number_parse_u64(text, &revision) || revision > KEYSPACE_REVISION_MAX)
        return bad(reader, "damaged raft-swapped");
    if (!reader->options.ignore_revisions)
        reader->into->swapped_revision = revision;
    return true;
}

/* What the encoding of the value before had no place for. */
static bool take_note(struct rdb_reader *reader, struct span text)
{
    struct item *item = reader->noted;
    if (!item || !value_ops_of(item_type(item))->note_take)
        return bad(reader, "a note without its value");
    struct keyspace_edit edit;
    keyspace_edit_begin(&edit, reader->into, item);
    bool taken = value_ops_of(edit.type)->note_take(edit.value, text, keyspace_rules(reader->into));
    keyspace_edit_end(&edit, true, item_revision(item));
    reader->noted = edit.item;
    return taken || bad(reader, "a note that does not fit its value");
}

/* A file that names a database that there is not was not written here. */
static bool is_of_database(struct span name)
{
    return span_equal(name, SPAN("raft-removals")) || span_equal(name, SPAN("raft-swapped"));
}

static bool take_aux(struct rdb_reader *reader)
{
    struct span name = kept(reader, 0);
    struct span value = kept(reader, 1);
    if (is_of_database(name) && reader->database >= reader->options.databases)
        return !reader->options.unsupported_is_error ||
               bad(reader, "a database that does not exist has removals");
    if (span_equal(name, SPAN("raft-revisions")))
        return take_revisions(reader, value);
    if (span_equal(name, SPAN("raft-note")))
        return take_note(reader, value);
    if (span_equal(name, SPAN("raft-removals")))
        return take_removals(reader, value);
    if (span_equal(name, SPAN("raft-swapped")))
        return take_swapped(reader, value);
    if (reader->options.on_aux)
        reader->options.on_aux(reader->options.context, name, value);
    return true;
}

static void store(struct rdb_reader *reader, struct revision revision)
{
    uint64_t number = reader->options.ignore_revisions ? 0 : revision.number;
    struct span value = kept(reader, 1);
    struct item *item = keyspace_set_string(reader->into, kept(reader, 0), value, false, number);
    if (revision.mark == 't')
        keyspace_set_text(reader->into, item, value, number);
    if (revision.mark == 'r')
        keyspace_write(reader->into, item, 0, SPAN(""), number);
    if (reader->deadline_ms != NO_DEADLINE)
        keyspace_set_deadline(reader->into, item, reader->deadline_ms, number);
}

/* Redis leaves out an empty value when it loads a file. */
static bool store_value(struct rdb_reader *reader, struct revision revision)
{
    struct rdb_build *build = &reader->build;
    uint64_t number = reader->options.ignore_revisions ? 0 : revision.number;
    if (!rdb_build_finish(build))
        return bad(reader, build->error);
    enum value_type type = build->type;
    void *value = rdb_build_take(build);
    if (type != VALUE_STREAM && value_ops_of(type)->count(value) == 0) {
        value_free(type, value);
        return true;
    }
    size_t count = reader->into->count;
    struct item *item = keyspace_set_value(reader->into, kept(reader, 0), type, value, number);
    if (reader->into->count == count)
        return bad(reader, "a key for the second time");
    if (reader->deadline_ms != NO_DEADLINE)
        item = keyspace_set_deadline(reader->into, item, reader->deadline_ms, number);
    reader->noted = item;
    return true;
}

static bool take_key(struct rdb_reader *reader)
{
    struct revision revision = {0};
    if (reader->revisions_used < reader->revisions_count)
        revision = reader->revisions[reader->revisions_used++];
    reader->noted = NULL;
    if (reader->build.value) {
        if (!store_value(reader, revision))
            return false;
    } else if (reader->opcode == RDB_TYPE_STRING && reader->database < reader->options.databases) {
        size_t count = reader->into->count;
        store(reader, revision);
        if (reader->into->count == count)
            return bad(reader, "a key for the second time");
    }
    reader->deadline_ms = NO_DEADLINE;
    return true;
}

static bool take_database(struct rdb_reader *reader)
{
    reader->database = reader->parts.numbers[0];
    reader->noted = NULL;
    if (reader->database < reader->options.databases)
        reader->into = databases_at(reader->databases, (unsigned)reader->database);
    if (reader->database < reader->options.databases || !reader->options.unsupported_is_error)
        return true;
    struct buf what = {0};
    buf_add_text(&what, "keys of database ");
    buf_add_u64(&what, reader->parts.numbers[0]);
    buf_add_text(&what, ", which does not exist,");
    buf_add_char(&what, '\0');
    rdb_reader_fail(reader, RDB_UNSUPPORTED, what.ptr);
    buf_close(&what);
    return false;
}

bool rdb_load_record(struct rdb_reader *reader)
{
    switch (reader->opcode) {
    case RDB_OPCODE_AUX:
        return take_aux(reader);
    case RDB_OPCODE_SELECTDB:
        return take_database(reader);
    case RDB_OPCODE_EXPIRETIME_MS:
        reader->deadline_ms = (int64_t)reader->parts.numbers[0];
        return true;
    case RDB_OPCODE_EXPIRETIME:
        reader->deadline_ms = (int64_t)(int32_t)reader->parts.numbers[0] * 1000;
        return true;
    case RDB_OPCODE_FUNCTION:
    case RDB_OPCODE_FUNCTION_EARLY:
        return rdb_load_report(reader, span_of("", 0), "function");
    case RDB_OPCODE_MODULE_AUX:
        return rdb_load_report(reader, span_of("", 0), "module data");
    default:
        return reader->opcode >= RDB_OPCODE_FIRST || take_key(reader);
    }
}
