/* Helpers of the functions that say what Redis 7.0 loads in a command's place. Private to
 * command/. */
#ifndef FLOTILLA_COMMAND_STOCK_H
#define FLOTILLA_COMMAND_STOCK_H

#include "command/command.h"

void stand_in_add(struct command_stand_in *out, struct span arg);
void stand_in_add_all(struct command_stand_in *out, const struct span *args, size_t argc);
/* EVAL, the script and the number of keys, which follow. */
void stand_in_begin_script(struct command_stand_in *out, struct span script, size_t keys);

#endif
