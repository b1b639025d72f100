/* The inside of machine/. Private to machine/. */
#ifndef FLOTILLA_MACHINE_INTERNAL_H
#define FLOTILLA_MACHINE_INTERNAL_H

#include "machine/machine.h"

/* machine.c */
void machine_execute(struct machine *machine, const struct command *command,
                     const struct span *args, size_t argc, struct command_context *context,
                     const struct machine_caller *caller);
/* Parses the next command of an unverified entry into machine->parser. */
bool machine_take_command(struct machine *machine, struct span *rest);
bool machine_can_run(const struct machine *machine); /* the command may stand in an entry */
void machine_count(struct machine *machine, const struct command_context *context);

/* transaction.c */
void machine_apply_transaction(struct machine *machine, const struct entry *entry,
                               struct command_context *context,
                               const struct machine_caller *caller);
bool machine_transaction_is_valid(struct machine *machine, struct span payload);

#endif
