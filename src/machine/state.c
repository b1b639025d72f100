#include "machine/state.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "keyspace/value.h"
#include "machine/internal.h"
#include "wire/members.h"

enum field { FIELD_INDEX, FIELD_TERM, FIELD_CLOCK, FIELD_MEMBERS, FIELD_DIGEST };

/* Snapshots of older versions lack the digest. */
enum { FIELDS_NEEDED = (1U << FIELD_DIGEST) - 1, FIELDS_ALL = FIELDS_NEEDED | 1U << FIELD_DIGEST };

static const struct span field_names[STATE_FIELDS] = {
    [FIELD_INDEX] = {"raft-index", 10},    [FIELD_TERM] = {"raft-term", 9},
    [FIELD_CLOCK] = {"raft-clock-ms", 13}, [FIELD_MEMBERS] = {"raft-members", 12},
    [FIELD_DIGEST] = {"raft-digest", 11}, /* <sum>:<chain>:<chain-from> */
};
static const struct span session_name = {"raft-session", 12};

static bool next_session(void *context, struct rdb_aux *aux)
{
    struct machine_writer *writer = context;
    if (writer->next_session == writer->sessions.count)
        return false;
    writer->session.len = 0;
    session_save(&writer->sessions.list[writer->next_session++], &writer->session);
    *aux = (struct rdb_aux){session_name, buf_span(&writer->session)};
    return true;
}

void machine_writer_init(struct machine_writer *writer, const struct databases *databases,
                         const struct sessions *sessions, const struct machine_position *position)
{
    static const struct sessions none;
    sessions = sessions ? sessions : &none;
    *writer = (struct machine_writer){0};
    sessions_copy(sessions, &writer->sessions);
    buf_add_u64(&writer->texts[FIELD_INDEX], position->index);
    buf_add_u64(&writer->texts[FIELD_TERM], position->term);
    buf_add_i64(&writer->texts[FIELD_CLOCK], position->clock_ms);
    members_encode(&writer->texts[FIELD_MEMBERS], &position->membership);
    buf_printf(&writer->texts[FIELD_DIGEST], "%llu:%llu:%llu",
               (unsigned long long)machine_sum(databases, sessions),
               (unsigned long long)position->chain, (unsigned long long)position->chain_from);
    for (size_t i = 0; i < STATE_FIELDS; i++)
        writer->aux[i] = (struct rdb_aux){field_names[i], buf_span(&writer->texts[i])};
    const struct rdb_writer_options options = {.redis_version = SPAN("7.2.0"),
                                               .late_aux = next_session,
                                               .context = writer,
                                               .as_of = position->index};
    rdb_writer_init(&writer->rdb, databases, writer->aux, STATE_FIELDS, &options);
}

void machine_writer_close(struct machine_writer *writer)
{
    for (size_t i = 0; i < STATE_FIELDS; i++)
        buf_close(&writer->texts[i]);
    sessions_close(&writer->sessions);
    buf_close(&writer->session);
}

bool machine_writer_next(void *context, struct buf *out)
{
    struct machine_writer *writer = context;
    return rdb_writer_next(&writer->rdb, out);
}

void machine_writer_begin(struct machine_writer *writer, struct buf *out)
{
    rdb_writer_begin(&writer->rdb, out);
}

bool machine_writer_some(struct machine_writer *writer, struct buf *out, size_t most)
{
    return rdb_writer_some(&writer->rdb, out, most);
}

void machine_writer_before_change(struct machine_writer *writer, const struct keyspace *keyspace,
                                  struct span key, struct buf *out)
{
    if (rdb_writer_wants(&writer->rdb, keyspace, key))
        rdb_writer_before_change(&writer->rdb, keyspace, keyspace_slot_of(key), out);
}

bool machine_writer_prepare(struct machine_writer *writer, const struct keyspace *keyspace,
                            struct span key, struct buf *out, size_t most)
{
    return !rdb_writer_wants(&writer->rdb, keyspace, key) ||
           rdb_writer_prepare(&writer->rdb, keyspace, keyspace_slot_of(key), out, most);
}

bool machine_writer_cleared(struct machine_writer *writer, const struct keyspace *keyspace,
                            const struct keyspace *aside)
{
    return rdb_writer_cleared(&writer->rdb, keyspace, aside);
}

/* Three numbers, separated by colons. */
static bool parse_digest(struct machine_reader *reader, struct span text)
{
    uint64_t numbers[3];
    for (size_t i = 0; i < 3; i++) {
        const char *colon = text.len ? memchr(text.ptr, ':', text.len) : NULL;
        size_t len = colon ? (size_t)(colon - text.ptr) : text.len;
        if ((i < 2) != (colon != NULL) || !number_parse_u64(span_of(text.ptr, len), &numbers[i]))
            return false;
        if (colon)
            text = span_of(colon + 1, text.len - len - 1);
    }
    reader->sum = numbers[0];
    reader->position.chain = numbers[1];
    reader->position.chain_from = numbers[2];
    return true;
}

static bool parse_field(struct machine_reader *reader, enum field field, struct span value)
{
    struct machine_position *position = &reader->position;
    switch (field) {
    case FIELD_INDEX:
        return number_parse_u64(value, &position->index) && position->index < KEYSPACE_REVISION_MAX;
    case FIELD_TERM:
        return number_parse_u64(value, &position->term);
    case FIELD_CLOCK:
        return number_parse_i64(value, &position->clock_ms);
    case FIELD_MEMBERS:
        return members_parse(value, &position->membership) == ERR_NONE;
    case FIELD_DIGEST:
        return parse_digest(reader, value);
    }
    return false;
}

static void take_aux(void *context, struct span name, struct span value)
{
    struct machine_reader *reader = context;
    if (span_equal(name, session_name))
        reader->sessions_damaged |= !session_load(&reader->sessions, value);
    for (unsigned i = 0; i < STATE_FIELDS; i++) {
        if (!span_equal(name, field_names[i]))
            continue;
        reader->fields |= 1U << i;
        if (!parse_field(reader, (enum field)i, value))
            reader->damaged = true;
    }
}

struct machine_reader *machine_reader_new(uint64_t hash_seed, const struct value_rules *rules)
{
    struct machine_reader *reader = mem_zalloc(sizeof *reader);
    reader->databases = databases_new(hash_seed);
    if (rules)
        databases_set_rules(reader->databases, rules);
    sessions_init(&reader->sessions);
    const struct rdb_reader_options options = {.checksum_required = true,
                                               .unsupported_is_error = true,
                                               .on_aux = take_aux,
                                               .context = reader};
    reader->rdb = rdb_reader_new(reader->databases, &options);
    return reader;
}

void machine_reader_free(struct machine_reader *reader)
{
    if (!reader)
        return;
    rdb_reader_free(reader->rdb);
    databases_free(reader->databases);
    sessions_close(&reader->sessions);
    mem_free(reader);
}

static enum err damaged(char *message, const char *why)
{
    snprintf(message, 512, "the snapshot is damaged: %s", why);
    return ERR_CORRUPT;
}

enum err machine_reader_feed(struct machine_reader *reader, struct span piece, char *message)
{
    reader->bytes += piece.len;
    switch (rdb_reader_feed(reader->rdb, piece)) {
    case RDB_MORE:
        return piece.len ? ERR_NONE : damaged(message, "its end is missing");
    case RDB_DONE:
        return ERR_NONE;
    case RDB_BAD:
    case RDB_UNSUPPORTED:
        return damaged(message, rdb_reader_message(reader->rdb));
    }
    return ERR_CORRUPT;
}

enum err machine_reader_finish(struct machine_reader *reader, uint64_t index, uint64_t term,
                               char *message)
{
    enum err err = machine_reader_feed(reader, span_of("", 0), message);
    if (err)
        return err;
    if (reader->sessions_damaged)
        return damaged(message, "a session in it is none");
    if ((reader->fields & FIELDS_NEEDED) != FIELDS_NEEDED || reader->damaged)
        return damaged(message, "it does not say which entry it stands for");
    if (reader->position.index != index || reader->position.term != term)
        return damaged(message, "it stands for another entry than the log says");
    reader->has_sum = reader->fields == FIELDS_ALL;
    if (!reader->has_sum)
        reader->position.chain_from = reader->position.index;
    else if (reader->sum != machine_sum(reader->databases, &reader->sessions))
        return damaged(message, "its keys are not those that it says it holds");
    return ERR_NONE;
}

bool machine_read_head(struct span beginning, struct machine_head *head)
{
    char message[512]; /* of what stands behind the beginning, or of its end */
    struct machine_reader *reader = machine_reader_new(0, NULL);
    enum err ignored = machine_reader_feed(reader, beginning, message);
    (void)ignored;
    bool is_state = reader->fields == FIELDS_ALL && !reader->damaged;
    const struct machine_position *position = &reader->position;
    if (is_state)
        *head =
            (struct machine_head){.position = *position,
                                  .digest = machine_number_of(reader->sum, position->chain,
                                                              position->index, position->clock_ms)};
    machine_reader_free(reader);
    return is_state;
}

struct databases *machine_take_state(struct machine *machine, struct machine_reader *reader)
{
    struct databases *replaced = machine_replace_databases(machine, reader->databases);
    reader->databases = NULL;
    sessions_close(&machine->sessions);
    machine->sessions = reader->sessions;
    sessions_init(&reader->sessions);
    machine->applied_index = reader->position.index;
    machine->version = reader->position.membership.version;
    machine->clock_ms = reader->position.clock_ms;
    machine->chain = reader->position.chain;
    machine->chain_from = reader->position.chain_from;
    return replaced;
}
