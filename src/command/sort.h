/* What SORT is told, and how it looks up what a pattern names. Private to command/. */
#ifndef FLOTILLA_COMMAND_SORT_H
#define FLOTILLA_COMMAND_SORT_H

#include "base/buf.h"
#include "base/number.h"
#include "command/command.h"
#include "keyspace/hash.h"

struct sort_query {
    bool descends;
    bool alpha;            /* texts are compared, not numbers */
    bool keeps_order;      /* BY a pattern without "*" */
    const struct span *by; /* NULL: the elements themselves */
    const struct span *args;
    size_t argc;
    size_t gets; /* number of GET options */
    int64_t offset;
    int64_t count;            /* negative: all */
    const struct span *store; /* NULL: the result is the reply */
};

/* Reads args[2] and the following. Writes the error. */
bool sort_query_parse(struct command_context *context, const struct span *args, size_t argc,
                      bool may_store, struct sort_query *query);

/* The patterns of the GET options one after the other; *at begins as 0. False: no more. */
bool sort_query_next_get(const struct sort_query *query, size_t *at, struct span *pattern);

/* Looks up what patterns name. Zero-initialised but for the context. */
struct sort_lookup {
    struct command_context *context;
    struct buf key;
    struct hash_entry entry;
    char scratch[NUMBER_I64_CHARS];
};
/* What the pattern names with the element in place of its "*": a string, or behind "->" a field of
 * a hash; "#" is the element. False: nothing. The text is valid until the keyspace changes, or,
 * with *fleeting, until the next call. */
bool sort_find(struct sort_lookup *lookup, struct span pattern, struct span element,
               struct span *found, bool *fleeting);
void sort_lookup_close(struct sort_lookup *lookup);

#endif
