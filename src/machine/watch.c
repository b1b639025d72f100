/* WATCH in the payload of a transaction: what a client had seen of keys, as annotations. */
#include "machine/transaction.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/number.h"
#include "machine/internal.h"
#include "resp/write.h"

/* Redis reads an annotation with a buffer of 1024 bytes; a watched key needs at most 23 of them. */
enum { WATCHES_PER_LINE = 40, WATCH_FIELDS = 2 };

static const char watch_note[] = "#WATCH";

static void add_watch_note(unsigned database, struct buf *out)
{
    buf_add_text(out, watch_note);
    if (database)
        buf_add_u64(out, database);
}

/* All of one database. */
static void encode_watch_command(const struct machine_watch *watches, size_t count, struct buf *out)
{
    struct span *args = mem_alloc((count + 1) * sizeof *args);
    args[0] = SPAN("WATCH");
    for (size_t i = 0; i < count; i++) {
        const struct machine_watch *watch = &watches[i];
        args[i + 1] = watch->key;
        if (i && i % WATCHES_PER_LINE == 0)
            buf_add_text(out, "\r\n");
        if (i % WATCHES_PER_LINE == 0)
            add_watch_note(watches[0].database, out);
        buf_printf(out, ":%llu:%d", (unsigned long long)watch->revision, watch->was_present);
    }
    buf_add_text(out, "\r\n");
    resp_encode_command(out, args, count + 1);
    mem_free(args);
}

/* A client may watch more keys, with several commands, than one command can name. */
void machine_encode_watches(const struct machine_transaction *transaction, struct buf *out)
{
    size_t at = 0;
    while (at < transaction->watch_count) {
        const struct machine_watch *first = &transaction->watches[at];
        size_t count = 0;
        while (at < transaction->watch_count && count < MACHINE_WATCHES_PER_COMMAND &&
               first[count].database == first->database) {
            count++;
            at++;
        }
        encode_watch_command(first, count, out);
    }
}

/* Reads the next number of an annotation, with the ':' before it. */
static bool next_field(struct span *line, uint64_t *value)
{
    if (line->len == 0 || line->ptr[0] != ':')
        return false;
    const char *start = line->ptr + 1;
    size_t len = 0;
    while (len + 1 < line->len && start[len] != ':')
        len++;
    *line = span_of(start + len, line->len - 1 - len);
    return number_parse_u64(span_of(start, len), value);
}

/* Reads the number of a database before an annotation's first ':'; none is 0. */
static bool take_database(struct span *line, unsigned *database)
{
    const char *colon = line->len ? memchr(line->ptr, ':', line->len) : NULL;
    size_t len = colon ? (size_t)(colon - line->ptr) : line->len;
    uint64_t number = 0;
    if (len && (!number_parse_u64(span_of(line->ptr, len), &number) || number == 0 ||
                number >= DATABASES_MAX))
        return false;
    *database = (unsigned)number;
    *line = span_of(line->ptr + len, line->len - len);
    return true;
}

/* False: the line is not an annotation. */
static bool read_annotation(struct span *payload, struct buf *fields, unsigned *database)
{
    const char *end = memchr(payload->ptr, '\r', payload->len);
    size_t prefix = sizeof watch_note - 1;
    if (!end || (size_t)(end - payload->ptr) + 2 > payload->len ||
        (size_t)(end - payload->ptr) < prefix || memcmp(payload->ptr, watch_note, prefix) != 0)
        return false;
    struct span line = span_of(payload->ptr + prefix, (size_t)(end - payload->ptr) - prefix);
    if (!take_database(&line, database))
        return false;
    uint64_t value;
    while (next_field(&line, &value))
        buf_add(fields, &value, sizeof value);
    size_t used = (size_t)(end - payload->ptr) + 2;
    *payload = span_of(payload->ptr + used, payload->len - used);
    return line.len == 0;
}

/* Reads one WATCH with its annotation; true if one of its keys has changed. */
static bool watch_command_changed(struct machine *machine, struct span *payload, int64_t now_ms)
{
    struct buf fields = {0};
    unsigned database = 0;
    while (payload->len && payload->ptr[0] == '#') {
        bool fine = read_annotation(payload, &fields, &database);
        ASSERT(fine);
    }
    bool is_taken = logged_take(&machine->logged, payload); /* the WATCH itself */
    ASSERT(is_taken);
    size_t count = machine->logged.argc - 1;
    ASSERT(fields.len == count * WATCH_FIELDS * sizeof(uint64_t));
    bool changed = false;
    for (size_t i = 0; i < count && !changed; i++) {
        uint64_t values[WATCH_FIELDS];
        memcpy(values, fields.ptr + i * sizeof values, sizeof values);
        changed =
            keyspace_changed_since(databases_at(machine->databases, database),
                                   machine->logged.args[i + 1], values[1] != 0, values[0], now_ms);
    }
    buf_close(&fields);
    return changed;
}

bool machine_watched_changed(struct machine *machine, struct span *payload, int64_t now_ms)
{
    bool changed = false;
    while (!changed && payload->len && payload->ptr[0] == '#')
        changed = watch_command_changed(machine, payload, now_ms);
    return changed;
}

/* An annotation of another database than the one before belongs to no WATCH. */
bool machine_watch_is_valid(struct machine *machine, struct span *payload)
{
    struct buf fields = {0};
    unsigned first = DATABASES_MAX, database = 0;
    bool valid = true;
    while (valid && payload->len && payload->ptr[0] == '#') {
        valid = read_annotation(payload, &fields, &database) &&
                (first == DATABASES_MAX || first == database);
        first = database;
    }
    size_t numbers = fields.len / sizeof(uint64_t);
    buf_close(&fields);
    return valid && logged_take(&machine->logged, payload) &&
           span_is(machine->logged.args[0], "WATCH") &&
           numbers == (machine->logged.argc - 1) * WATCH_FIELDS;
}

bool machine_skip_watch_note(struct span *packed, unsigned *database)
{
    struct buf fields = {0};
    bool is_watch = false;
    while (span_begins_with(*packed, SPAN("#WATCH"))) {
        bool fine = read_annotation(packed, &fields, database);
        ASSERT(fine); /* it was checked */
        is_watch = true;
    }
    buf_close(&fields);
    return is_watch;
}
