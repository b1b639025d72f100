/* The keys that an entry names, before it is applied. */
#include "machine/internal.h"

enum { KEYS_MAX = 64 }; /* of one command; those behind them are left out */

bool machine_each_key(struct machine *machine, const struct entry *entry,
                      bool (*visit)(void *context, unsigned database, struct span key),
                      void *context)
{
    struct logged *logged = &machine->logged;
    struct span rest = entry->payload;
    struct session_note note;
    unsigned database = entry->database;
    if (entry->kind != ENTRY_COMMAND && entry->kind != ENTRY_TRANSACTION)
        return true;
    if (machine_is_numbered(entry) && !session_note_take(&rest, &note))
        return true;
    while (rest.len) {
        unsigned watched;
        bool is_watch = machine_skip_watch_note(&rest, &watched);
        if (!logged_take(logged, &rest))
            return true;
        const struct command *command = command_find(machine->table, logged->args, logged->argc);
        if (is_watch || !command || machine_is_select(command, logged, &database))
            continue;
        size_t positions[KEYS_MAX];
        size_t count = command_keys(command, logged->args, logged->argc, positions, KEYS_MAX);
        for (size_t i = 0; i < count && i < KEYS_MAX; i++)
            if (!visit(context, database, logged->args[positions[i]]))
                return false;
    }
    return true;
}
