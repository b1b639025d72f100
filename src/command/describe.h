/* What COMMAND tells of one command. Private to command/. */
#ifndef FLOTILLA_COMMAND_DESCRIBE_H
#define FLOTILLA_COMMAND_DESCRIBE_H

#include "command/table.h"

/* An entry of COMMAND INFO, with the subcommands. */
void describe_info(const struct command *command, struct resp_writer *reply);
/* An entry of COMMAND DOCS, without the name before it. */
void describe_docs(const struct command *command, struct resp_writer *reply);
/* The names of bits of enum key_flag, as a set. */
void describe_key_flags(unsigned flags, struct resp_writer *reply);

/* How many of the command's key specs there are. */
size_t describe_spec_count(const struct command *command);
/* A bit of enum category; 0: none has this name. */
unsigned describe_category(struct span name);

#endif
