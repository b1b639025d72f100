/* The inside of machine/. Private to machine/. */
#ifndef FLOTILLA_MACHINE_INTERNAL_H
#define FLOTILLA_MACHINE_INTERNAL_H

#include "base/err.h"
#include "machine/machine.h"

/* machine.c */
void machine_execute(const struct command *command, const struct span *args, size_t argc,
                     struct command_context *context, const struct machine_caller *caller);
/* The command that machine->logged took; NULL: it may not stand in an entry. */
const struct command *machine_can_run(const struct machine *machine);
/* What machine_digest_number() gives for a machine of which this is known. */
uint64_t machine_number_of(uint64_t sum, uint64_t chain, uint64_t index, int64_t clock_ms);
uint64_t machine_sum(const struct databases *databases, const struct sessions *sessions);
void machine_count(struct machine *machine, const struct command_context *context);

/* The entry's command or transaction, without the number of a session. */
void machine_apply_data(struct machine *machine, const struct entry *entry,
                        struct command_context *context, const struct machine_caller *caller);

/* numbered.c */
static inline bool machine_is_numbered(const struct entry *entry)
{
    return entry->payload.len > 1 && entry->payload.ptr[0] == '#' && entry->payload.ptr[1] == 'S' &&
           (entry->kind == ENTRY_COMMAND || entry->kind == ENTRY_TRANSACTION);
}
void machine_apply_numbered(struct machine *machine, const struct entry *entry,
                            struct command_context *context, const struct machine_caller *caller);
void machine_apply_session(struct machine *machine, const struct entry *entry,
                           struct command_context *context);
bool machine_session_is_valid(struct span payload);
MUST_CHECK bool machine_rewrite_session(struct span payload, const struct session_terms *offer,
                                        struct buf *out, const char **error);

/* transaction.c */
void machine_apply_transaction(struct machine *machine, const struct entry *entry,
                               struct command_context *context,
                               const struct machine_caller *caller);
bool machine_transaction_is_valid(struct machine *machine, unsigned database, struct span payload);
/* Whether a client's command selects a database, and which. */
bool machine_selects(const struct machine *machine, const struct command *command,
                     const struct span *args, size_t argc, unsigned *database);

/* Whether it is a SELECT as a payload may have it, and of which database. */
bool machine_is_select(const struct command *command, const struct logged *logged,
                       unsigned *database);

/* watch.c */
struct machine_transaction;
void machine_encode_watches(const struct machine_transaction *transaction, struct buf *out);
/* Reads the WATCHes at the payload's start; true if a watched key has changed. */
bool machine_watched_changed(struct machine *machine, struct span *payload, int64_t now_ms);
/* Takes a WATCH with its annotations off the payload. False: no node writes that. */
bool machine_watch_is_valid(struct machine *machine, struct span *payload);
/* Skips the annotations before a WATCH, if that is what comes next: *database is its keys'. */
bool machine_skip_watch_note(struct span *packed, unsigned *database);

#endif
