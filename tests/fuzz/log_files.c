/* Made-up files in the folder of a log: it opens or says what is wrong, reads nothing behind the
 * end of a file, takes no more memory than the files are worth, and touches nothing that it
 * refuses. What it opens is a log: consecutive entries, terms that never fall, the same from the
 * cache, from the file and at the next start, and it goes on.
 *
 * Input: one byte of flags, then files: 0x01, one letter (m: manifest, v: vote, b: snapshot, s:
 * segment, t: an image under way), one digit, the bytes. */
#include "fuzz/repair.h"
#include "unit/storage/ops.h"

#include "fuzz/fuzz.h"

enum { FLAG_REPAIR = 1, FLAG_BAD_SNAPSHOT = 2, FLAG_SMALL_CACHE = 4, FLAG_SEGMENTS = 8 };
enum { ENTRIES_MAX = 4096, MEMORY_BASE = 3 << 20, MEMORY_PER_BYTE = 64 };

static struct found {
    struct prev_record entries[ENTRIES_MAX];
    uint32_t checksums[ENTRIES_MAX]; /* of their records */
    size_t count;
} found;

static struct node node;
static uint8_t flags;

static enum err load_snapshot(void *context, struct span piece, char *message)
{
    (void)context;
    if (piece.len || !(flags & FLAG_BAD_SNAPSHOT))
        return ERR_NONE;
    snprintf(message, 512, "the fuzzer does not like it");
    return ERR_CORRUPT;
}

static void take_entry(void *context, const struct entry *entry)
{
    (void)context;
    ASSERT(found.count < ENTRIES_MAX);
    found.entries[found.count] = (struct prev_record){entry->index, entry->term};
    found.checksums[found.count++] = crc32c(0, entry->record.ptr, entry->record.len);
}

static enum err start(void)
{
    const struct storage_visitor visitor = {
        .context = &node, .load = load_snapshot, .visit = take_entry};
    node.log = (struct log){LOG_WARNING, node_log, &node};
    node.options.log = &node.log;
    found.count = 0;
    memset(node.message, 'x', sizeof node.message);
    node.err = storage_open(&node.port, &node.options, &visitor, &node.storage, &node.recovered,
                            node.message);
    ASSERT(memchr(node.message, '\0', sizeof node.message) != NULL);
    ASSERT((node.err == ERR_NONE) == (node.message[0] == '\0'));
    ASSERT((node.err == ERR_NONE) == (node.storage != NULL));
    return node.err;
}

static void expect_a_log(void)
{
    const struct storage_recovered *log = &node.recovered;
    uint64_t term = log->prev_term;
    for (size_t i = 0; i < found.count; i++) {
        ASSERT(found.entries[i].index == log->first_index + i);
        ASSERT(found.entries[i].term >= term);
        term = found.entries[i].term;
    }
    ASSERT(log->last_index == log->first_index + found.count - 1);
    ASSERT(log->last_term == term && log->vote.term >= term);
    if (log->snapshot.index)
        ASSERT(log->first_index <= log->snapshot.index + 1);
    else
        ASSERT(log->first_index == 1);
    ASSERT(log->snapshot.index <= log->last_index);
}

static void expect_readable(void)
{
    for (size_t i = 0; i < found.count; i++) {
        struct entry entry;
        ASSERT(storage_entry(node.storage, found.entries[i].index, &entry) == ERR_NONE);
        ASSERT(entry.index == found.entries[i].index && entry.term == found.entries[i].term);
        ASSERT(crc32c(0, entry.record.ptr, entry.record.len) == found.checksums[i]);
    }
    struct buf all = {0};
    size_t count;
    if (found.count) {
        ASSERT(storage_read(node.storage, node.recovered.first_index, node.recovered.last_index,
                            SIZE_MAX / 4, &all, &count) == ERR_NONE);
        ASSERT(count >= 1 && count <= found.count);
    }
    buf_close(&all);
}

/* Cut, one more entry, a vote, a new segment: all of it is there at the next start. */
static void expect_goes_on(void)
{
    struct storage_recovered before = node.recovered;
    if (before.last_index > UINT64_MAX / 2 || before.vote.term > UINT64_MAX / 2)
        return;
    if (found.count > 1 && before.last_index > before.snapshot.index) {
        ASSERT(storage_truncate(node.storage, before.last_index - 1) == ERR_NONE);
        before.last_index--;
    }
    node_append(&node, before.last_index + 1, before.vote.term + 1);
    node_vote(&node, before.vote.term + 2, 3);
    if (flags & FLAG_SEGMENTS)
        ASSERT(storage_cut(node.storage) == ERR_NONE);
    node_append(&node, before.last_index + 2, before.vote.term + 1);
    node_flush(&node);
    node_crash(&node);
    ASSERT(start() == ERR_NONE);
    expect_a_log();
    ASSERT(node.recovered.first_index == before.first_index);
    ASSERT(node.recovered.last_index == before.last_index + 2);
    ASSERT(node.recovered.vote.term == before.vote.term + 2 && node.recovered.vote.node == 3);
    ASSERT(node.recovered.snapshot.index == before.snapshot.index);
    ASSERT(node.recovered.cut_bytes == 0);
}

static void put_file(char kind, char number, struct span bytes)
{
    char path[256];
    switch (kind) {
    case 'm':
        snprintf(path, sizeof path, "%s", MANIFEST);
        break;
    case 'v':
        snprintf(path, sizeof path, "%s", VOTE_FILE);
        break;
    case 'b':
        snprintf(path, sizeof path, DATA "%c.base.rdb", number);
        break;
    case 's':
        snprintf(path, sizeof path, DATA "%c.incr.aof", number);
        break;
    case 't':
        snprintf(path, sizeof path, FOLDER "/appendonlydir/temp-image-%c.rdb", number);
        break;
    default:
        return;
    }
    if (strchr(path, '/') && number != '/' && node.fake.file_count < FILES_MAX / 2)
        fake_replace(&node.fake, path, bytes);
}

static void put_files(struct span text)
{
    while (text.len >= 3) {
        const char *next = memchr(text.ptr + 3, 1, text.len - 3);
        size_t len = next ? (size_t)(next - text.ptr) : text.len;
        if (text.ptr[0] == 1 && text.ptr[2])
            put_file(text.ptr[1], text.ptr[2], span_of(text.ptr + 3, len - 3));
        text = span_of(text.ptr + len, text.len - len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 1)
        return 0;
    flags = bytes[0];
    node_init(&node);
    node.options.cache_bytes_max = flags & FLAG_SMALL_CACHE ? 1 : 1 << 20;
    struct buf text = {0};
    buf_add(&text, bytes + 1, len - 1);
    if (flags & FLAG_REPAIR)
        repair_records(text.ptr, text.len);
    put_files(buf_span(&text));
    node.fake.changes = 0;
    memory_begin();
    enum err err = start();
    ASSERT(memory_end() <= MEMORY_BASE + len * MEMORY_PER_BYTE);
    if (err) {
        ASSERT(err == ERR_CORRUPT || err == ERR_FOREIGN);
        ASSERT(node.fake.changes == 0);
        ASSERT(node.fake.handle_count == 0 || node.storage == NULL);
    } else {
        expect_a_log();
        expect_readable();
        expect_goes_on();
    }
    if (node.storage)
        storage_close(node.storage);
    node.storage = NULL;
    for (int i = 0; i < node.fake.handle_count; i++)
        ASSERT(node.fake.handles[i] == -1);
    fake_drop(&node.fake, node.fake.queued_count);
    for (size_t i = 0; i < node.fake.file_count; i++)
        buf_close(&node.fake.files[i].bytes);
    buf_close(&node.seen);
    buf_close(&node.logged);
    buf_close(&text);
    return 0;
}

/* ---- folders to begin with ---- */

static void put_section(struct buf *out, const struct fake_file *file)
{
    const char *name = ops_short_name(file->path);
    char kind = 0;
    if (strcmp(name, "manifest") == 0)
        kind = 'm';
    else if (strcmp(name, "raft.vote") == 0)
        kind = 'v';
    else if (strstr(name, ".base.rdb"))
        kind = 'b';
    else if (strstr(name, ".incr.aof"))
        kind = 's';
    if (file->path[0] == '\0' || !kind)
        return;
    buf_add_char(out, 1);
    buf_add_char(out, kind);
    buf_add_char(out, name[0]);
    buf_add_span(out, buf_span(&file->bytes));
}

static void put_folder(void)
{
    struct buf out = {0};
    buf_add_char(&out, FLAG_REPAIR);
    for (size_t i = 0; i < node.fake.file_count; i++)
        put_section(&out, &node.fake.files[i]);
    seed_put(buf_span(&out));
    out.ptr[0] = FLAG_SMALL_CACHE | FLAG_SEGMENTS;
    seed_put(buf_span(&out));
    buf_close(&out);
}

static void adopt_snapshot(uint64_t index, uint64_t keep_bytes)
{
    ASSERT(storage_cut(node.storage) == ERR_NONE);
    fake_put_image(&node.fake, storage_image_begin(node.storage), SPAN("the state"));
    ASSERT(storage_image_adopt(node.storage, index, 1, keep_bytes) == ERR_NONE);
    node_flush(&node);
}

/* A new folder, entries, a cut, several segments, a snapshot with history, one without. */
static void seeds(void)
{
    node_init(&node);
    ASSERT(start() == ERR_NONE);
    put_folder();
    for (uint64_t index = 1; index <= 4; index++) {
        node_append(&node, index, 1);
        node_flush(&node);
    }
    put_folder();
    node_vote(&node, 1, 2);
    ASSERT(storage_truncate(node.storage, 3) == ERR_NONE);
    node_flush(&node);
    put_folder();
    node_append(&node, 4, 1);
    ASSERT(storage_cut(node.storage) == ERR_NONE);
    node_append(&node, 5, 1);
    node_flush(&node);
    put_folder();
    adopt_snapshot(5, 1);
    node_append(&node, 6, 2);
    node_flush(&node);
    put_folder();
    node_append(&node, 7, 1);
    adopt_snapshot(7, 0);
    put_folder();
}
