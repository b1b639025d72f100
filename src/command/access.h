/* How data commands come at keys and numbers, and the errors that they share. Private to command/.
 */
#ifndef FLOTILLA_COMMAND_ACCESS_H
#define FLOTILLA_COMMAND_ACCESS_H

#include "command/command.h"

#define ERROR_SYNTAX      "ERR syntax error"
#define ERROR_NOT_INTEGER "ERR value is not an integer or out of range"
#define ERROR_NOT_FLOAT   "ERR value is not a valid float"
#define ERROR_NO_KEY      "ERR no such key"
#define ERROR_TOO_LONG    "ERR string exceeds maximum allowed size (proto-max-bulk-len)"

/* The longest string. The same on all nodes, whatever their configuration says. */
enum { STRING_LEN_MAX = 512 * 1024 * 1024 };

/* For commands that read: counts a hit or a miss; NULL if there is no such key. The second one does
 * not count as a use of the key. */
struct item *command_read_item(struct command_context *context, struct span key);
struct item *command_peek_item(struct command_context *context, struct span key);

/* For commands that write: a key past its deadline is removed. Counts neither hit nor miss; a
 * command that gives the value back does so itself. */
struct item *command_write_item(struct command_context *context, struct span key);
void command_count_lookup(struct command_context *context, const struct item *item);

/* Writes the error if the text is no integer. */
bool command_parse_integer(struct command_context *context, struct span text, int64_t *value);

/* The string as a bulk string, or null. */
void command_write_string(struct command_context *context, const struct item *item);

#endif
