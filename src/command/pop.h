/* Taking elements off the ends of lists and sorted sets. The commands that wait for elements do the
 * same as those that do not, so they share these functions. Private to command/.
 *
 * Each returns false if nothing was written: there is no element. It returns true after a reply or
 * an error. */
#ifndef FLOTILLA_COMMAND_POP_H
#define FLOTILLA_COMMAND_POP_H

#include "command/command.h"

/* The arguments of LMPOP and ZMPOP, from the number of keys on. */
struct pop_request {
    const struct span *keys;
    size_t key_count;
    bool from_end; /* RIGHT, MAX */
    size_t count;
};
/* The words for where to take from. */
extern const char *const command_list_ends[2];   /* LEFT, RIGHT */
extern const char *const command_sorted_ends[2]; /* MIN, MAX */
/* `words`: one of these pairs. False: the error was written. */
bool command_parse_pop(struct command_context *context, const struct span *args, size_t argc,
                       const char *const words[2], struct pop_request *request);

/* From the first key that has elements: the key and the elements. */
bool command_pop_lists(struct command_context *context, const struct pop_request *request);
bool command_pop_sorted(struct command_context *context, const struct pop_request *request);

/* BLPOP's reply: the key and one element. */
bool command_pop_list_element(struct command_context *context, struct span key, bool from_end);
/* BZPOPMIN's reply: the key, one member and its score. */
bool command_pop_sorted_element(struct command_context *context, struct span key, bool from_end);

/* LMOVE */
struct list_move {
    struct span from, to;
    bool from_end, to_end; /* RIGHT */
};
bool command_parse_list_end(struct command_context *context, struct span text, bool *is_end);
bool command_move_element(struct command_context *context, const struct list_move *move);

#endif
