#include "base/assert.h"
#include "base/crc.h"
#include "base/number.h"
#include "keyspace/internal.h"
#include "keyspace/rdb_code.h"

enum {
    STEP_HEADER,
    STEP_AUX_NAME,
    STEP_AUX_VALUE,
    STEP_SWAPPED,
    STEP_REMOVALS,
    STEP_DATABASE,
    STEP_REVISIONS,
    STEP_KEY,
    STEP_VALUE,
    STEP_NOTES,
    STEP_END,
    STEP_DONE,
};

enum {
    REMOVALS_PER_FIELD = 128,
    REMOVAL_CHARS = 5 + 1 + NUMBER_I64_CHARS + 1,
    REVISION_CHARS = NUMBER_I64_CHARS + 2,
    VALUE_PIECE_BYTES = 4 * 1024, /* of elements: a chunk holds one more than asked for */
    GROUP_BYTES = 64 * 1024,      /* of values: a group is finished before a slot can change */
};

/* Gathers the text of a field before its length is known. */
struct field {
    char text[REMOVALS_PER_FIELD * REMOVAL_CHARS];
    size_t len;
};
_Static_assert(RDB_REVISIONS_MAX *REVISION_CHARS <= REMOVALS_PER_FIELD * REMOVAL_CHARS, "room");
_Static_assert(sizeof(((struct field *)0)->text) <= RDB_CHUNK_MAX - RDB_CHUNK_BYTES - 256, "room");

static void add_string(struct buf *out, struct span bytes)
{
    rdb_add_length(out, bytes.len);
    buf_add_span(out, bytes);
}

static void add_field(struct buf *out, const char *name, const struct field *field)
{
    buf_add_char(out, (char)RDB_OPCODE_AUX);
    add_string(out, span_text(name));
    add_string(out, span_of(field->text, field->len));
}

static void separate(struct field *field)
{
    if (field->len)
        field->text[field->len++] = ' ';
}

static bool is_out_of_turn(const struct rdb_writer *writer, unsigned database, unsigned slot)
{
    return writer->out_of_turn[database][slot / 64] >> slot % 64 & 1;
}

static void put_database(struct rdb_writer *writer, unsigned database, struct buf *out)
{
    buf_add_char(out, (char)RDB_OPCODE_SELECTDB);
    rdb_add_length(out, database);
    writer->selected = database;
}

static void select_database(struct rdb_writer *writer, unsigned database, struct buf *out)
{
    if (writer->selected != database)
        put_database(writer, database, out);
}

static bool is_new(const struct rdb_writer *writer, const struct item *item)
{
    return writer->options.as_of && item_revision(item) > writer->options.as_of;
}

/* NULL: the slot has no more. A slot where a key of that moment changes is written first. So in one
 * that is not written, new keys stand behind all others. */
static const struct item *item_in(const struct rdb_writer *writer, const struct dict *dict,
                                  uint32_t position)
{
    const struct item *item = position < dict->count ? dict_at(dict, position) : NULL;
    return item && !is_new(writer, item) ? item : NULL;
}

/* Returns the item at `place` or the next one after it, if there is one. */
static const struct item *item_at(const struct rdb_writer *writer, struct rdb_place *place)
{
    const struct keyspace *keyspace = writer->keyspaces[writer->database];
    while (place->slot < writer->end_slot) {
        if (place->slot % GROUP_SLOTS == 0 && place->position == 0 &&
            place->slot + GROUP_SLOTS <= writer->end_slot &&
            keyspace->group_counts[place->slot / GROUP_SLOTS] == 0) {
            place->slot += GROUP_SLOTS;
            continue;
        }
        const struct dict *dict = &keyspace->slots[place->slot].dict;
        const struct item *item = item_in(writer, dict, place->position);
        if (item && !is_out_of_turn(writer, writer->database, place->slot))
            return item;
        place->slot++;
        place->position = 0;
    }
    return NULL;
}

static int write_header(struct rdb_writer *writer, struct buf *out)
{
    _Static_assert(RDB_VERSION_WRITTEN == 9, "in the text");
    static const char *const magics[] = {
        [REDIS_5_0] = "REDIS0009", [REDIS_7_0] = "REDIS0010", [REDIS_7_2] = "REDIS0011"};
    buf_add_text(out, magics[writer->options.oldest]);
    if (writer->options.redis_version.len) {
        buf_add_char(out, (char)RDB_OPCODE_AUX);
        add_string(out, SPAN("redis-ver"));
        add_string(out, writer->options.redis_version);
    }
    buf_add_char(out, (char)RDB_OPCODE_AUX);
    add_string(out, SPAN("redis-bits"));
    add_string(out, SPAN("64"));
    return STEP_AUX_NAME;
}

static int write_aux_name(struct rdb_writer *writer, struct buf *out)
{
    if (writer->aux_at == writer->aux_count)
        return writer->options.plain ? STEP_DATABASE : STEP_SWAPPED;
    writer->pending = writer->aux[writer->aux_at].name;
    buf_add_char(out, (char)RDB_OPCODE_AUX);
    rdb_add_length(out, writer->pending.len);
    return STEP_AUX_VALUE;
}

static int write_aux_value(struct rdb_writer *writer, struct buf *out)
{
    writer->pending = writer->aux[writer->aux_at++].value;
    rdb_add_length(out, writer->pending.len);
    return STEP_AUX_NAME;
}

/* What concerns a database as a whole, of one after another. */
static int write_swapped(struct rdb_writer *writer, struct buf *out)
{
    while (writer->removals_of < DATABASES_MAX && !writer->keyspaces[writer->removals_of])
        writer->removals_of++;
    if (writer->removals_of == DATABASES_MAX)
        return STEP_DATABASE;
    uint64_t revision = writer->keyspaces[writer->removals_of]->swapped_revision;
    if (revision) {
        struct field field;
        field.len = number_format_u64(field.text, revision);
        select_database(writer, writer->removals_of, out);
        add_field(out, "raft-swapped", &field);
    }
    return STEP_REMOVALS;
}

static int write_removals(struct rdb_writer *writer, struct buf *out)
{
    struct field field;
    field.len = 0;
    const struct keyspace *keyspace = writer->keyspaces[writer->removals_of];
    unsigned slot = writer->removals_at;
    for (unsigned count = 0; slot < KEYSPACE_SLOTS && count < REMOVALS_PER_FIELD; slot++) {
        uint64_t revision = keyspace->slots[slot].removed_revision;
        if (revision == 0)
            continue;
        separate(&field);
        field.len += number_format_u64(field.text + field.len, slot);
        field.text[field.len++] = ':';
        field.len += number_format_u64(field.text + field.len, revision);
        count++;
    }
    writer->removals_at = slot;
    if (field.len) {
        select_database(writer, writer->removals_of, out);
        add_field(out, "raft-removals", &field);
    }
    if (slot < KEYSPACE_SLOTS)
        return STEP_REMOVALS;
    writer->removals_of++;
    writer->removals_at = 0;
    return STEP_SWAPPED;
}

static bool is_empty(const struct keyspace *keyspace)
{
    return !keyspace || keyspace->count == 0;
}

static int write_database(struct rdb_writer *writer, struct buf *out)
{
    while (writer->database < DATABASES_MAX && is_empty(writer->keyspaces[writer->database]))
        writer->database++;
    if (writer->database == DATABASES_MAX)
        return STEP_END;
    const struct keyspace *keyspace = writer->keyspaces[writer->database];
    put_database(writer, writer->database, out);
    buf_add_char(out, (char)RDB_OPCODE_RESIZEDB);
    rdb_add_length(out, keyspace->count);
    rdb_add_length(out, keyspace_count_with_deadline(keyspace));
    return writer->options.plain ? STEP_KEY : STEP_REVISIONS;
}

static int next_database(struct rdb_writer *writer)
{
    if (writer->is_single)
        return STEP_END;
    writer->database++;
    writer->place = (struct rdb_place){.slot = 0};
    return STEP_DATABASE;
}

/* Marks what the bytes alone would not restore. */
static char mark_of(const struct item *item)
{
    int64_t number;
    char scratch[NUMBER_I64_CHARS];
    if (item->edited)
        return 'r';
    if (item->form != FORM_INTEGER && item->form != FORM_VALUE &&
        number_parse_i64(item_string(item, scratch), &number))
        return 't';
    return 0;
}

/* About the bytes that the value takes in the file; a guess for what has elements. */
static size_t weight_of(const struct item *item)
{
    enum { BYTES_PER_ELEMENT = 32 };
    if (item->form != FORM_VALUE)
        return item_string_len(item);
    return value_ops_of(item_type(item))->count(item_value(item)) * BYTES_PER_ELEMENT;
}

static int write_revisions(struct rdb_writer *writer, struct buf *out)
{
    struct field field;
    field.len = 0;
    struct rdb_place place = writer->place;
    uint64_t last = 0;
    unsigned count = 0;
    size_t bytes = 0;
    for (; count < RDB_REVISIONS_MAX && bytes < GROUP_BYTES; count++, place.position++) {
        const struct item *item = item_at(writer, &place);
        if (!item)
            break;
        separate(&field);
        field.len +=
            number_format_i64(field.text + field.len, (int64_t)(item_revision(item) - last));
        last = item_revision(item);
        char mark = mark_of(item);
        if (mark)
            field.text[field.len++] = mark;
        bytes += weight_of(item);
    }
    writer->group_left = count;
    if (count) {
        select_database(writer, writer->database, out);
        add_field(out, "raft-revisions", &field);
    }
    return STEP_KEY;
}

static unsigned rdb_type_of(const struct item *item, enum redis_release oldest)
{
    if (item->form != FORM_VALUE)
        return RDB_TYPE_STRING;
    const struct value_ops *ops = value_ops_of(item_type(item));
    return oldest != REDIS_5_0 && ops->newer_rdb_type ? ops->newer_rdb_type(oldest)
                                                      : ops->rdb_type(item_value(item));
}

static int write_key(struct rdb_writer *writer, struct buf *out)
{
    const struct item *item = item_at(writer, &writer->place);
    if (!item)
        return next_database(writer);
    if (writer->group_left == 0 && !writer->options.plain)
        return STEP_REVISIONS;
    int64_t deadline_ms = item_deadline_ms(item);
    if (deadline_ms != NO_DEADLINE) {
        buf_add_char(out, (char)RDB_OPCODE_EXPIRETIME_MS);
        rdb_add_little_endian(out, (uint64_t)deadline_ms, 8);
    }
    writer->cursor = (struct value_cursor){.oldest = writer->options.oldest};
    buf_add_char(out, (char)rdb_type_of(item, writer->options.oldest));
    writer->pending = item_key_span(item);
    rdb_add_length(out, writer->pending.len);
    return STEP_VALUE;
}

static int end_key(struct rdb_writer *writer)
{
    writer->place.position++;
    if (writer->group_left)
        writer->group_left--;
    return STEP_KEY;
}

static int write_value(struct rdb_writer *writer, struct buf *out)
{
    const struct item *item = item_at(writer, &writer->place);
    if (item->form == FORM_VALUE) {
        const struct value_ops *ops = value_ops_of(item_type(item));
        if (ops->save(item_value(item), &writer->cursor, out, VALUE_PIECE_BYTES))
            return STEP_VALUE;
        writer->cursor = (struct value_cursor){.at = {0}};
        return ops->note ? STEP_NOTES : end_key(writer);
    }
    char scratch[NUMBER_I64_CHARS];
    struct span bytes = rdb_add_string_head(out, item, scratch);
    if (bytes.ptr == scratch)
        buf_add_span(out, bytes);
    else
        writer->pending = bytes;
    return end_key(writer);
}

static int write_note(struct rdb_writer *writer, struct buf *out)
{
    const struct item *item = item_at(writer, &writer->place);
    struct buf text = {0};
    bool more = value_ops_of(item_type(item))->note(item_value(item), &writer->cursor, &text);
    ASSERT(text.len <= VALUE_NOTE_MAX);
    if (more) {
        buf_add_char(out, (char)RDB_OPCODE_AUX);
        add_string(out, SPAN("raft-note"));
        add_string(out, buf_span(&text));
    }
    buf_close(&text);
    return more ? STEP_NOTES : end_key(writer);
}

static int write_end(struct rdb_writer *writer, struct buf *out)
{
    struct rdb_aux aux;
    if (writer->options.late_aux && writer->options.late_aux(writer->options.context, &aux)) {
        buf_add_char(out, (char)RDB_OPCODE_AUX);
        add_string(out, aux.name);
        rdb_add_length(out, aux.value.len);
        writer->pending = aux.value;
        return STEP_END;
    }
    buf_add_char(out, (char)RDB_OPCODE_EOF);
    return STEP_DONE;
}

static int (*const steps[])(struct rdb_writer *writer, struct buf *out) = {
    [STEP_HEADER] = write_header,
    [STEP_AUX_NAME] = write_aux_name,
    [STEP_AUX_VALUE] = write_aux_value,
    [STEP_SWAPPED] = write_swapped,
    [STEP_REMOVALS] = write_removals,
    [STEP_DATABASE] = write_database,
    [STEP_REVISIONS] = write_revisions,
    [STEP_KEY] = write_key,
    [STEP_VALUE] = write_value,
    [STEP_NOTES] = write_note,
    [STEP_END] = write_end,
};

void rdb_writer_init(struct rdb_writer *writer, const struct databases *databases,
                     const struct rdb_aux *aux, size_t aux_count,
                     const struct rdb_writer_options *options)
{
    *writer = (struct rdb_writer){.aux = aux, .aux_count = aux_count, .end_slot = KEYSPACE_SLOTS};
    for (unsigned i = 0; i < DATABASES_MAX; i++)
        writer->keyspaces[i] = databases_find(databases, i);
    if (options)
        writer->options = *options;
    ASSERT(writer->options.redis_version.len < 64);
}

/* What was written before its turn is done: the turn goes on where it was. */
static void end_single(struct rdb_writer *writer)
{
    unsigned slot = writer->end_slot - 1;
    writer->out_of_turn[writer->database][slot / 64] |= UINT64_C(1) << slot % 64;
    writer->is_single = false;
    writer->end_slot = KEYSPACE_SLOTS;
    writer->step = writer->turn.step;
    writer->database = writer->turn.database;
    writer->place = writer->turn.place;
}

/* One step, or up to `most` bytes of a pending string. */
static void advance(struct rdb_writer *writer, struct buf *out, size_t most)
{
    size_t count = writer->pending.len < most ? writer->pending.len : most;
    if (count) {
        buf_add(out, writer->pending.ptr, count);
        writer->pending.ptr += count;
        writer->pending.len -= count;
    } else {
        writer->step = steps[writer->step](writer, out);
    }
    if (writer->is_single && writer->step == STEP_END && writer->pending.len == 0)
        end_single(writer);
}

/* Appends up to about `most` bytes; a pending string may be split there. */
static void write_some(struct rdb_writer *writer, struct buf *out, size_t most)
{
    size_t end = out->len + most;
    while (out->len < end && (writer->pending.len || writer->step != STEP_DONE))
        advance(writer, out, end - out->len);
}

bool rdb_writer_next(struct rdb_writer *writer, struct buf *out)
{
    return rdb_writer_some(writer, out, RDB_CHUNK_BYTES);
}

bool rdb_writer_some(struct rdb_writer *writer, struct buf *out, size_t most)
{
    size_t begin = out->len;
    write_some(writer, out, most);
    writer->crc = crc64(writer->crc, out->ptr + begin, out->len - begin);
    if (writer->step != STEP_DONE || writer->pending.len)
        return true;
    rdb_add_little_endian(out, writer->crc, 8);
    return false;
}

void rdb_writer_begin(struct rdb_writer *writer, struct buf *out)
{
    ASSERT(writer->step == STEP_HEADER && !writer->options.plain);
    size_t begin = out->len;
    while (writer->pending.len || writer->step < STEP_REVISIONS)
        advance(writer, out, SIZE_MAX);
    writer->crc = crc64(writer->crc, out->ptr + begin, out->len - begin);
}

/* The rest of a group is written first: the keys that follow get a revisions field of their own. */
static bool is_in_group(const struct rdb_writer *writer)
{
    return writer->pending.len || writer->step == STEP_VALUE || writer->step == STEP_NOTES ||
           (writer->step == STEP_KEY && writer->group_left);
}

static void begin_single(struct rdb_writer *writer, unsigned database, unsigned slot)
{
    writer->turn =
        (struct rdb_turn){.step = writer->step == STEP_DATABASE ? STEP_DATABASE : STEP_REVISIONS,
                          .database = writer->database,
                          .place = writer->place};
    writer->place = (struct rdb_place){.slot = slot};
    writer->database = database;
    writer->end_slot = slot + 1;
    writer->is_single = true;
    writer->step = STEP_REVISIONS;
}

/* DATABASES_MAX: it is none of them. */
static unsigned number_of(const struct rdb_writer *writer, const struct keyspace *keyspace)
{
    unsigned number = 0;
    while (number < DATABASES_MAX && writer->keyspaces[number] != keyspace)
        number++;
    return number;
}

static bool is_partly_written(const struct rdb_writer *writer, unsigned database, unsigned slot)
{
    return writer->database == database && writer->place.slot == slot && writer->place.position &&
           writer->step < STEP_END;
}

static bool is_written(const struct rdb_writer *writer, unsigned database, unsigned slot)
{
    unsigned turn = writer->is_single ? writer->turn.database : writer->database;
    unsigned turns_slot = writer->is_single ? writer->turn.place.slot : writer->place.slot;
    if (writer->step >= STEP_END || database < turn || is_out_of_turn(writer, database, slot))
        return true;
    return database == turn && slot < turns_slot;
}

bool rdb_writer_wants(const struct rdb_writer *writer, const struct keyspace *keyspace,
                      struct span key)
{
    unsigned database = number_of(writer, keyspace);
    if (database == DATABASES_MAX || is_written(writer, database, keyspace_slot_of(key)))
        return false;
    const struct item *item = keyspace_find(keyspace, key, NO_DEADLINE);
    return !writer->options.as_of || (item && !is_new(writer, item));
}

/* One step toward the slot's being written. */
static void write_ahead(struct rdb_writer *writer, unsigned database, unsigned slot,
                        struct buf *out, size_t most)
{
    bool goes_on = writer->is_single || is_in_group(writer) ||
                   is_partly_written(writer, database, slot); /* its next group begins */
    if (!goes_on) {
        begin_single(writer, database, slot);
        return;
    }
    advance(writer, out, most);
    if (!writer->is_single && !is_in_group(writer) && writer->step < STEP_END &&
        writer->step != STEP_DATABASE)
        item_at(writer, &writer->place); /* it leaves a slot whose last key is written */
}

bool rdb_writer_prepare(struct rdb_writer *writer, const struct keyspace *keyspace, unsigned slot,
                        struct buf *out, size_t most)
{
    unsigned database = number_of(writer, keyspace);
    if (database == DATABASES_MAX)
        return true;
    size_t begin = out->len;
    while (!is_written(writer, database, slot) && out->len - begin < most)
        write_ahead(writer, database, slot, out, most - (out->len - begin));
    if (out->len > begin) /* else there may be no bytes at all to point to */
        writer->crc = crc64(writer->crc, out->ptr + begin, out->len - begin);
    return is_written(writer, database, slot);
}

void rdb_writer_before_change(struct rdb_writer *writer, const struct keyspace *keyspace,
                              unsigned slot, struct buf *out)
{
    rdb_writer_prepare(writer, keyspace, slot, out, SIZE_MAX);
}

bool rdb_writer_cleared(struct rdb_writer *writer, const struct keyspace *keyspace,
                        const struct keyspace *aside)
{
    unsigned database = number_of(writer, keyspace);
    unsigned turn = writer->is_single ? writer->turn.database : writer->database;
    bool is_begun = writer->is_single && database == writer->database;
    if (database == DATABASES_MAX || writer->step >= STEP_END || (database < turn && !is_begun))
        return false;
    writer->keyspaces[database] = aside;
    return true;
}
