/* Finds the keys that a reading command would see differently at a later time, because their
 * deadline is before it. */
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "machine/internal.h"
#include "machine/transaction.h"

enum { KEYS_AT_HAND = 16 };

static const struct resp_limits no_limits = {.bulk_len_max = INT64_MAX, .authenticated = true};

static int64_t due_of_key(const struct machine *machine, const struct keyspace *keyspace,
                          struct span key, int64_t until_ms)
{
    const struct item *item = keyspace_find(keyspace, key, machine->clock_ms);
    if (!item)
        return NO_DEADLINE;
    int64_t element_ms = item_element_deadline(item);
    if (element_ms != NO_DEADLINE && element_ms <= until_ms)
        return until_ms; /* others may follow the earliest */
    int64_t deadline_ms = item_deadline(item);
    return deadline_ms <= until_ms ? deadline_ms : NO_DEADLINE;
}

int64_t machine_due(const struct machine *machine, unsigned database, const struct command *command,
                    const struct span *args, size_t argc, int64_t until_ms)
{
    const struct keyspace *keyspace = databases_find(machine->databases, database);
    if (!keyspace)
        return NO_DEADLINE;
    size_t few[KEYS_AT_HAND];
    size_t *positions = few;
    size_t count = command_keys(command, args, argc, few, KEYS_AT_HAND);
    /* KEYS, SCAN, DBSIZE, RANDOMKEY look at all keys; TIME at none. */
    bool any = count == 0 ? (command->flags & COMMAND_READONLY) != 0
                          : command_reads_unnamed(command, args, argc);
    if (any && keyspace_count_due(keyspace, until_ms, 1))
        return until_ms;
    if (count > KEYS_AT_HAND) {
        positions = mem_alloc(count * sizeof *positions);
        command_keys(command, args, argc, positions, count);
    }
    int64_t latest_ms = NO_DEADLINE;
    for (size_t i = 0; i < count; i++) {
        int64_t due_ms = due_of_key(machine, keyspace, args[positions[i]], until_ms);
        if (due_ms > latest_ms)
            latest_ms = due_ms;
    }
    if (positions != few)
        mem_free(positions);
    return latest_ms;
}

int64_t machine_due_in_transaction(struct machine *machine, unsigned database, struct span packed,
                                   int64_t until_ms)
{
    struct resp_parser *parser = &machine->parser;
    int64_t latest_ms = NO_DEADLINE;
    while (packed.len) {
        unsigned watched = 0;
        bool is_watch = machine_skip_watch_note(&packed, &watched);
        enum resp_outcome outcome = resp_parse(parser, packed, &no_limits);
        ASSERT(outcome == RESP_COMMAND && parser->argc > 0);
        packed = span_of(packed.ptr + parser->consumed, packed.len - parser->consumed);
        const struct command *command = command_find(machine->table, parser->args, parser->argc);
        ASSERT(command);
        machine_selects(machine, command, parser->args, parser->argc, &database);
        int64_t due_ms = machine_due(machine, is_watch ? watched : database, command, parser->args,
                                     parser->argc, until_ms);
        if (due_ms > latest_ms)
            latest_ms = due_ms;
    }
    return latest_ms;
}
