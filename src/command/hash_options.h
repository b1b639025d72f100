/* The arguments of commands on deadlines of fields: options, then FIELDS, their number and the
 * fields. Shared by the commands and by their rewriting for the log. Private to command/. */
#ifndef FLOTILLA_COMMAND_HASH_OPTIONS_H
#define FLOTILLA_COMMAND_HASH_OPTIONS_H

#include "command/options.h"

struct named_fields {
    const struct span *at; /* the first field; with values: a value follows each of them */
    size_t count;
};

/* The position of the word FIELDS from args[first] on, with something behind it. 0: there is
 * none. */
size_t fields_word(const struct span *args, size_t argc, size_t first);
/* Reads what follows the word, which takes `each` arguments for a field. `word` 0: it is missing.
 * False: the error was written. */
bool fields_parse(struct command_context *context, const struct span *args, size_t argc,
                  size_t word, size_t each, struct named_fields *fields);

/* The deadline that the options of HGETEX and HSETEX ask for; NO_DEADLINE: none. In contrast to
 * those of SET it may be 0. */
enum time_parse fields_deadline(const struct set_options *options, int64_t now_ms,
                                int64_t *deadline_ms);
/* The same for a time of the HEXPIRE family. */
enum time_parse fields_deadline_of(struct span text, int64_t unit_ms, int64_t base_ms,
                                   int64_t *deadline_ms);

#endif
