/* How data commands access keys and numbers, and the errors that they share. Private to
 * command/. */
#ifndef FLOTILLA_COMMAND_ACCESS_H
#define FLOTILLA_COMMAND_ACCESS_H

#include "command/command.h"

#define ERROR_SYNTAX      "ERR syntax error"
#define ERROR_NOT_INTEGER "ERR value is not an integer or out of range"
#define ERROR_NOT_FLOAT   "ERR value is not a valid float"
#define ERROR_NO_KEY      "ERR no such key"
#define ERROR_TOO_LONG    "ERR string exceeds maximum allowed size (proto-max-bulk-len)"

/* The longest string. It is the same on all nodes, whatever their configuration. */
enum { STRING_LEN_MAX = 512 * 1024 * 1024 };

/* For commands that read: counts a hit or a miss. NULL if the key is absent. command_peek_item()
 * does not count as a use of the key. */
struct item *command_read_item(struct command_context *context, struct span key);
struct item *command_peek_item(struct command_context *context, struct span key);

/* For commands that write: removes a key past its deadline. Counts neither a hit nor a miss; a
 * command that returns the old value counts it itself. */
struct item *command_write_item(struct command_context *context, struct span key);
void command_count_lookup(struct command_context *context, const struct item *item);

/* Writes the error if the text is not an integer. */
bool command_parse_integer(struct command_context *context, struct span text, int64_t *value);

/* Writes the string as a bulk string, or null. */
void command_write_string(struct command_context *context, const struct item *item);

#endif
