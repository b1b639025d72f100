/* The inside of the machine; nobody but machine/ includes this. */
#ifndef FLOTILLA_MACHINE_INTERNAL_H
#define FLOTILLA_MACHINE_INTERNAL_H

#include "machine/machine.h"

/* machine.c */
void machine_execute(struct machine *machine, const struct command *command,
                     const struct span *args, size_t argc, struct command_context *context,
                     const struct machine_caller *caller);
/* Parses the next command of an entry that nobody vouches for, into machine->parser. */
bool machine_take_command(struct machine *machine, struct span *rest);
bool machine_can_run(const struct machine *machine); /* that command, as part of an entry */
void machine_count(struct machine *machine, const struct command_context *context);

/* transaction.c */
void machine_apply_transaction(struct machine *machine, const struct entry *entry,
                               struct command_context *context,
                               const struct machine_caller *caller);
bool machine_transaction_is_valid(struct machine *machine, struct span payload);

#endif
