/* How data commands access keys and numbers, and the errors that they share. Private to
 * command/. */
#ifndef FLOTILLA_COMMAND_ACCESS_H
#define FLOTILLA_COMMAND_ACCESS_H

#include "command/command.h"

#define ERROR_SYNTAX      "ERR syntax error"
#define ERROR_NOT_INTEGER "ERR value is not an integer or out of range"
#define ERROR_NOT_FLOAT   "ERR value is not a valid float"
#define ERROR_NO_KEY      "ERR no such key"
#define ERROR_WRONG_TYPE  "WRONGTYPE Operation against a key holding the wrong kind of value"
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

/* The same for a string. False: the key holds another type, and the error was written. *item is
 * NULL if the key is absent. */
bool command_read_string(struct command_context *context, struct span key,
                         const struct item **item);
bool command_find_string(struct command_context *context, struct span key, struct item **item);

/* Values of other types than strings (keyspace/value.h). */

/* For commands that read. Counts a hit or a miss, and a use of the key. False: the key holds
 * another type, and the error was written. *value is NULL if the key is absent. */
bool command_read(struct command_context *context, struct span key, enum value_type type,
                  const void **value);
/* For commands that change the elements. False: as above. edit->value is NULL if the key is
 * absent; there is nothing to end then. */
bool command_edit(struct command_context *context, struct span key, enum value_type type,
                  struct keyspace_edit *edit);
/* The same, but an absent key gets an empty value. */
bool command_edit_or_new(struct command_context *context, struct span key, enum value_type type,
                         struct keyspace_edit *edit);
/* Ends it. changes: as Redis counts them; 0: the value is what it was. A key without elements is
 * removed, unless it is a stream. */
void command_edit_end(struct command_context *context, struct keyspace_edit *edit,
                      uint64_t changes);
/* The key holds this value from now on, without a deadline, whatever it held. An empty value
 * removes the key. Takes the value over. Does not count as a change. True: there is a change. */
bool command_store_value(struct command_context *context, struct span key, enum value_type type,
                         void *value);
/* Without counting: the key's value if it has this type at that time, NULL if not. NO_DEADLINE:
 * also one that is past its deadline. */
const void *command_peek_value(const struct keyspace *keyspace, struct span key,
                               enum value_type type, int64_t now_ms);
const struct value_rules *command_rules(const struct command_context *context);

bool command_refuse(struct command_context *context, const char *error); /* false */

/* Writes the error if the text is not an integer. */
bool command_parse_integer(struct command_context *context, struct span text, int64_t *value);
/* One of 32 bits; with `error`, or else Redis' usual words. */
bool command_parse_int(struct command_context *context, struct span text, const char *error,
                       int64_t *value);
/* An integer whose opposite is one too. */
bool command_parse_negatable(struct command_context *context, struct span text, int64_t *value);
/* A number that must not be negative, such as COUNT; with `error`, or else Redis' usual words.
 * False: the error was written. */
bool command_parse_count(struct command_context *context, struct span text, int64_t least,
                         const char *error, size_t *count);

/* Sets a key to a string and counts a change. A deadline that has passed removes the key at once;
 * NO_DEADLINE: there is none, or with `keep_deadline` that of before. */
void command_store_string(struct command_context *context, struct span key, struct span value,
                          bool keep_deadline, int64_t deadline_ms);
/* Whether the string is this one; an absent key is none. */
bool command_string_is(const struct item *item, struct span expected);

/* Writes the string as a bulk string, or null. */
void command_write_string(struct command_context *context, const struct item *item);

#endif
