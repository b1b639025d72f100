/* Payloads of entries that liars write, most of them nearly right, and snapshots. */
#ifndef FLOTILLA_TESTS_FUZZ_PEER_NODE_ENTRIES_H
#define FLOTILLA_TESTS_FUZZ_PEER_NODE_ENTRIES_H

#include "fuzz/fuzz.h"
#include "machine/state.h"
#include "raft/raft.h"
#include "wire/members.h"

static inline void entries_add_word(struct buf *out, struct span word)
{
    buf_printf(out, "$%zu\r\n", word.len);
    buf_add_span(out, word);
    buf_add_text(out, "\r\n");
}

/* Short, so that no offset in it is large: what a command may cost is bounded elsewhere. */
static inline struct span entries_word(struct input *input)
{
    static const char *const words[] = {"k",  "n",  "e",    "v",       "1",   "-1",    "0",  "EX",
                                        "PX", "NX", "PXAT", "KEEPTTL", "GET", "MATCH", "DB", "9"};
    uint8_t choice = input_byte(input);
    if (choice < 240)
        return span_text(words[choice % (sizeof words / sizeof *words)]);
    struct input text = input_part(input, choice % 5U);
    return span_of((const char *)text.bytes, text.left);
}

/* Any command with any arguments, of the right number most of the time. */
static inline void entries_put_command(struct input *input, const struct command_table *table,
                                       struct buf *out)
{
    static const char *const writes[] = {"SET",    "DEL",    "APPEND", "INCR",
                                         "EXPIRE", "RENAME", "COPY"};
    uint8_t choice = input_byte(input);
    const struct command *command = command_table_at(table, choice % command_table_count(table));
    struct span name = span_text(choice < 96 ? writes[choice % 7U] : command->name);
    size_t argc = choice < 96 ? 3 : (size_t)(command->arity < 0 ? -command->arity : command->arity);
    uint8_t more = input_byte(input);
    argc += more < 200 ? 0 : more % 4U;
    buf_printf(out, "*%zu\r\n", argc);
    entries_add_word(out, name);
    for (size_t i = 1; i < argc; i++)
        entries_add_word(out, entries_word(input));
}

static inline void entries_put_transaction(struct input *input, const struct command_table *table,
                                           struct buf *out)
{
    uint8_t parts = input_byte(input);
    if (parts & 1)
        buf_printf(out, "#WATCH:%u\r\n*2\r\n$5\r\nWATCH\r\n$1\r\nk\r\n", parts >> 4);
    if (parts & 2)
        buf_printf(out, "#WATCH:%u:1\r\n*2\r\n$5\r\nWATCH\r\n$1\r\nn\r\n", parts >> 4);
    if (parts & 4 || parts < 128)
        buf_add_text(out, "*1\r\n$5\r\nMULTI\r\n");
    for (unsigned i = 0; i < (parts >> 3 & 3); i++)
        entries_put_command(input, table, out);
    if (parts & 4 || parts < 128)
        buf_add_text(out, "*1\r\n$4\r\nEXEC\r\n");
}

/* Roles that no leader gives, nobody, this node alone or not at all. */
static inline void entries_put_members(struct input *input, struct buf *out)
{
    uint8_t who = input_byte(input);
    for (unsigned id = 1; id <= 5; id++) {
        if (!(who >> id & 1))
            continue;
        uint8_t how = input_byte(input);
        unsigned roles = how < 160 ? RAFT_VOTER : how & 31;
        unsigned incarnation = how & 64 ? 1 : how & 3;
        buf_printf(out, "#MEMBER:%u:%u:%x:%x:n%u:7001\r\n", id, roles, incarnation,
                   how < 208 ? 0 : how & 7U, id);
    }
    if (who >= 224)
        buf_printf(out, "#MEMBERS:1=1,2=%u\r\n", who >> 6);
}

/* One of four sessions; what is written may be none. */
static inline struct session_note entries_note(struct input *input, enum session_verb verb)
{
    uint8_t how = input_byte(input);
    struct session_note note = {.verb = verb, .protocol = how & 64 ? 3 : 2 + (how >> 7) * 2};
    note.number.id.low = how & 3;
    note.number.number = how >> 2 & 7;
    note.number.answered = input_byte(input) & 7U;
    note.terms = (struct session_terms){.id = note.number.id,
                                        .ttl_ms = how & 32 ? 1 : 100000,
                                        .sessions_max = how >> 5,
                                        .replies_max = how >> 6,
                                        .bytes_max = how};
    return note;
}

static inline enum entry_kind entries_put(struct input *input, const struct command_table *table,
                                          struct buf *out)
{
    static const enum entry_kind kinds[] = {ENTRY_COMMAND, ENTRY_TRANSACTION, ENTRY_MEMBERSHIP,
                                            ENTRY_NOOP, ENTRY_EXPIRY};
    uint8_t choice = input_byte(input);
    enum entry_kind kind = kinds[choice % 5];
    buf_add_text(out, "");
    if (choice >= 224 && choice < 240) {
        struct session_note note = entries_note(input, (enum session_verb)(choice % 5));
        session_note_add(out, &note);
        return ENTRY_SESSION;
    }
    if (choice >= 192 && choice < 224) {
        struct session_note note = entries_note(input, SESSION_NUMBER);
        session_note_add(out, &note);
    }
    if (choice >= 240) {
        struct input text = input_part(input, input_byte(input) % 64U);
        buf_add(out, (const char *)text.bytes, text.left);
    } else if (kind == ENTRY_COMMAND) {
        entries_put_command(input, table, out);
    } else if (kind == ENTRY_TRANSACTION) {
        entries_put_transaction(input, table, out);
    } else if (kind == ENTRY_MEMBERSHIP) {
        entries_put_members(input, out);
    }
    return kind;
}

/* A machine's file, as of `snapshot`. */
static inline void entries_put_image(struct input *input, const struct command_table *table,
                                     const struct raft_snapshot *snapshot, struct buf *out)
{
    struct machine machine;
    machine_init(&machine, table, 1);
    struct buf payload = {0};
    struct buf record = {0};
    entries_put_command(input, table, &payload);
    struct entry entry = {.index = 1, .term = 1, .kind = ENTRY_COMMAND, .time_ms = 5000};
    entry.payload = buf_span(&payload);
    entry_encode(&record, &entry);
    entry.record = buf_span(&record);
    if (machine_entry_is_valid(&machine, &entry))
        machine_apply(&machine, &entry, &(struct machine_caller){.context = NULL});
    struct machine_position position = {.index = snapshot->index,
                                        .term = snapshot->term,
                                        .clock_ms = input_two(input),
                                        .chain = machine.chain};
    struct buf members = {0};
    entries_put_members(input, &members);
    if (members_parse(buf_span(&members), &position.membership) != ERR_NONE)
        position.membership.count = 0;
    struct machine_writer writer;
    machine_writer_init(&writer, machine.databases, &machine.sessions, &position);
    while (machine_writer_next(&writer, out)) {
    }
    machine_writer_close(&writer);
    machine_close(&machine);
    buf_close(&members);
    buf_close(&record);
    buf_close(&payload);
}

#endif
