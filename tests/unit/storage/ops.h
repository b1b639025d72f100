/* Queued operations as text, and logs of several segments. */
#ifndef FLOTILLA_TESTS_UNIT_STORAGE_OPS_H
#define FLOTILLA_TESTS_UNIT_STORAGE_OPS_H

#include "unit/storage/fake.h"

#define DATA FOLDER "/appendonlydir/appendonly.aof."

/* "2.incr.aof" of the path of the second segment. */
static inline const char *ops_short_name(const char *path)
{
    const char *name = strrchr(path, '/');
    name = name ? name + 1 : path;
    static const char prefix[] = "appendonly.aof.";
    return strncmp(name, prefix, sizeof prefix - 1) == 0 ? name + sizeof prefix - 1 : name;
}

static inline void ops_put(struct buf *out, const struct fake *fake, const struct disk_op *op)
{
    const char *file = "";
    if (op->kind == DISK_WRITE || op->kind == DISK_TRUNCATE)
        file = ops_short_name(fake->files[fake->handles[op->file]].path);
    switch (op->kind) {
    case DISK_WRITE:
        buf_printf(out, "%s%s %s; ", op->bytes.len ? (op->optional ? "fill" : "append") : "",
                   op->sync ? "+sync" : "", file);
        break;
    case DISK_TRUNCATE:
        buf_printf(out, "truncate %s; ", file);
        break;
    case DISK_REPLACE:
        buf_printf(out, "replace %s; ", ops_short_name(op->path));
        break;
    case DISK_RENAME:
        buf_printf(out, "rename %s ", ops_short_name(op->path));
        buf_printf(out, "%s; ", ops_short_name(op->to));
        break;
    case DISK_REMOVE:
        buf_printf(out, "remove %s; ", ops_short_name(op->path));
        break;
    case DISK_SYNC_FOLDER:
        buf_add_text(out, "folder; ");
        break;
    case DISK_MEASURE:
        buf_add_text(out, "measure; ");
        break;
    }
}

/* What waits in the queue, e.g. "append+sync 1.incr.aof; replace manifest; ". */
static inline void assert_queued(const struct node *node, const char *expected)
{
    struct buf text = {0};
    buf_add_text(&text, "");
    for (size_t i = 0; i < node->fake.queued_count; i++)
        ops_put(&text, &node->fake, &node->fake.queued[i]);
    if (!span_equal(buf_span(&text), span_text(expected)))
        fail_msg("queued '%.*s', expected '%s'", (int)text.len, text.ptr, expected);
    buf_close(&text);
}

static inline void assert_manifest(struct node *node, const char *expected)
{
    struct span text = buf_span(node_file(node, MANIFEST));
    if (!span_equal(text, span_text(expected)))
        fail_msg("manifest '%.*s', expected '%s'", (int)text.len, text.ptr, expected);
}

#define SEGMENT_LINE(seq, type) "file appendonly.aof." seq ".incr.aof seq " seq " type " type "\n"
#define BASE_LINE(seq)          "file appendonly.aof." seq ".base.rdb seq " seq " type b\n"

static inline struct buf *node_segment(struct node *node, unsigned seq)
{
    char path[128];
    snprintf(path, sizeof path, DATA "%u.incr.aof", seq);
    return node_file(node, path);
}

static inline bool node_has(struct node *node, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, FOLDER "/appendonlydir/%s", name);
    return fake_find(&node->fake, path) != NULL;
}

static inline void node_put(struct node *node, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, FOLDER "/appendonlydir/%s", name);
    fake_replace(&node->fake, path, span_text(text));
}

/* What the segment's second line says. */
static inline void assert_prev(struct node *node, unsigned seq, uint64_t index, uint64_t term)
{
    struct span bytes = buf_span(node_segment(node, seq));
    struct record record;
    assert_int_equal(record_parse(bytes, &record), RECORD_OK);
    bytes = span_of(bytes.ptr + record.bytes, bytes.len - record.bytes);
    assert_int_equal(record_parse(bytes, &record), RECORD_OK);
    assert_int_equal(record.kind, RECORD_PREV);
    assert_int_equal(record.prev.index, index);
    assert_int_equal(record.prev.term, term);
}

static inline void node_cut(struct node *node)
{
    assert_int_equal(storage_cut(node->storage), ERR_NONE);
}

/* Entries [1, 2 * segments], two in each segment, each of the term of its segment. */
static inline void node_fill(struct node *node, unsigned segments)
{
    for (unsigned i = 1; i <= segments; i++) {
        node_append(node, 2 * i - 1, i);
        node_append(node, 2 * i, i);
        if (i < segments)
            node_cut(node);
    }
    node_flush(node);
}

/* After any recovery the log goes on, in this segment and in a new one. */
static inline void assert_log_goes_on(struct node *node)
{
    uint64_t last = node->recovered.last_index;
    node_append(node, last + 1, 90);
    node_cut(node);
    node_append(node, last + 2, 91);
    node_vote(node, 92, 3);
    node_flush(node);
    node_restart(node);
    assert_int_equal(node->recovered.last_index, last + 2);
    assert_int_equal(node->recovered.last_term, 91);
    assert_int_equal(node->recovered.cut_bytes, 0);
    assert_vote(node, 92, 3);
}

/* Refused, and the folder is as it was. */
static inline void assert_refused_untouched(struct node *node, enum err err, const char *says)
{
    struct node before;
    node_copy(&before, node);
    node->fake.changes = 0;
    assert_refused(node, err, says);
    assert_int_equal(node->fake.changes, 0);
    size_t at = 0;
    for (size_t i = 0; i < node->fake.file_count; i++) {
        if (node->fake.files[i].path[0] == '\0')
            continue;
        const struct fake_file *file = &before.fake.files[at++];
        assert_string_equal(file->path, node->fake.files[i].path);
        assert_true(span_equal(buf_span(&file->bytes), buf_span(&node->fake.files[i].bytes)));
    }
    assert_int_equal(at, before.fake.file_count);
    node_close(&before);
}

#endif
