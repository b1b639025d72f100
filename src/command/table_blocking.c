/* Commands that wait for elements of lists and sorted sets. table.h explains the columns. Those
 * that wait for streams stand with the others of streams. */
#include "command/data.h"
#include "command/table.h"

#define KEYS_UP_TO_LAST                                                                            \
    {                                                                                              \
        {                                                                                          \
            .flags = KEY_RW | KEY_ACCESS | KEY_DELETE, .first = 1, .last = -2, .step = 1           \
        }                                                                                          \
    }
#define COUNTED_KEYS                                                                               \
    {                                                                                              \
        {                                                                                          \
            .flags = KEY_RW | KEY_ACCESS | KEY_DELETE, .first = 2, .step = 1, .counted = true      \
        }                                                                                          \
    }
#define SOURCE_AND_DESTINATION                                                                     \
    {                                                                                              \
        {.flags = KEY_RW | KEY_ACCESS | KEY_DELETE, .first = 1, .last = 0, .step = 1},             \
        {                                                                                          \
            .flags = KEY_RW | KEY_INSERT, .first = 2, .last = 0, .step = 1                         \
        }                                                                                          \
    }

enum {
    POPS = COMMAND_FREES | COMMAND_VALUE_REPLY | COMMAND_WRITE | COMMAND_BLOCKING,
    MOVES =
        COMMAND_VALUE_REPLY | COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_NOSCRIPT | COMMAND_BLOCKING,
};

static const struct command_docs rows[] = {
    {
        .fullname = "blpop",
        .run = command_blpop_run,
        .reply = command_pop_first_reply,
        .blocking = &command_blocking_lists,
        .arity = -3,
        .flags = POPS | COMMAND_NOSCRIPT,
        .categories = CATEGORY_LIST,
        .keys = KEYS_UP_TO_LAST,
        .syntax = "key#0... timeout:double",
        .group = "list",
        .since = "2.0.0",
        .complexity = "O(K) for K keys; those who wait before this client are served first.",
        .history = "6.0.0 The timeout may be a fraction of a second.",
        .summary = "Takes the first element of the first list that has any. Waits for one.",
    },
    {
        .fullname = "brpop",
        .run = command_brpop_run,
        .reply = command_pop_first_reply,
        .blocking = &command_blocking_lists,
        .arity = -3,
        .flags = POPS | COMMAND_NOSCRIPT,
        .categories = CATEGORY_LIST,
        .keys = KEYS_UP_TO_LAST,
        .syntax = "key#0... timeout:double",
        .group = "list",
        .since = "2.0.0",
        .complexity = "O(K) for K keys; those who wait before this client are served first.",
        .history = "6.0.0 The timeout may be a fraction of a second.",
        .summary = "Takes the last element of the first list that has any. Waits for one.",
    },
    {
        .fullname = "blmpop",
        .run = command_blmpop_run,
        .reply = command_bmpop_reply,
        .blocking = &command_blocking_many_lists,
        .arity = -5,
        .flags = POPS | COMMAND_MOVABLE_KEYS,
        .categories = CATEGORY_LIST,
        .keys = COUNTED_KEYS,
        .syntax = "timeout:double numkeys:integer key#0... where(LEFT | RIGHT) [COUNT "
                  "count:integer]",
        .group = "list",
        .since = "7.0.0",
        .complexity = "O(K+N) for K keys and N elements in the reply.",
        .summary = "Takes elements off one end of the first list that has any. Waits for one.",
    },
    {
        .fullname = "blmove",
        .run = command_blmove_run,
        .reply = command_move_reply,
        .blocking = &command_blocking_move,
        .arity = 6,
        .flags = MOVES,
        .categories = CATEGORY_LIST,
        .keys = SOURCE_AND_DESTINATION,
        .syntax = "source#0 destination#1 wherefrom(LEFT | RIGHT) whereto(LEFT | RIGHT) "
                  "timeout:double",
        .group = "list",
        .since = "6.2.0",
        .complexity = "O(log(N)) for N elements of the longer list.",
        .summary = "Moves an element from one list to another one. Waits for an element.",
    },
    {
        .fullname = "brpoplpush",
        .run = command_brpoplpush_run,
        .reply = command_move_reply,
        .blocking = &command_blocking_move,
        .arity = 4,
        .flags = MOVES,
        .categories = CATEGORY_LIST,
        .keys = SOURCE_AND_DESTINATION,
        .syntax = "source#0 destination#1 timeout:double",
        .group = "list",
        .since = "2.2.0",
        .deprecated_since = "6.2.0",
        .replaced_by = "`BLMOVE` with the `RIGHT` and `LEFT` arguments",
        .complexity = "O(log(N)) for N elements of the longer list.",
        .history = "6.0.0 The timeout may be a fraction of a second.",
        .summary = "Moves the last element of a list to the front of a list. Waits for an element.",
    },
    {
        .fullname = "bzpopmin",
        .run = command_bzpopmin_run,
        .reply = command_pop_first_reply,
        .blocking = &command_blocking_sorted,
        .arity = -3,
        .flags = POPS | COMMAND_NOSCRIPT | COMMAND_FAST,
        .categories = CATEGORY_SORTEDSET,
        .keys = KEYS_UP_TO_LAST,
        .syntax = "key#0... timeout:double",
        .group = "sorted-set",
        .since = "5.0.0",
        .complexity = "O(K+log(N)) for K keys and N members of the set.",
        .history = "6.0.0 The timeout may be a fraction of a second.",
        .summary = "Takes the member with the lowest score of the first sorted set that has any. "
                   "Waits for one.",
    },
    {
        .fullname = "bzpopmax",
        .run = command_bzpopmax_run,
        .reply = command_pop_first_reply,
        .blocking = &command_blocking_sorted,
        .arity = -3,
        .flags = POPS | COMMAND_NOSCRIPT | COMMAND_FAST,
        .categories = CATEGORY_SORTEDSET,
        .keys = KEYS_UP_TO_LAST,
        .syntax = "key#0... timeout:double",
        .group = "sorted-set",
        .since = "5.0.0",
        .complexity = "O(K+log(N)) for K keys and N members of the set.",
        .history = "6.0.0 The timeout may be a fraction of a second.",
        .summary = "Takes the member with the highest score of the first sorted set that has any. "
                   "Waits for one.",
    },
    {
        .fullname = "bzmpop",
        .run = command_bzmpop_run,
        .work = command_bzmpop_work,
        .reply = command_bmpop_reply,
        .blocking = &command_blocking_many_sorted,
        .arity = -5,
        .flags = POPS | COMMAND_MOVABLE_KEYS,
        .categories = CATEGORY_SORTEDSET,
        .keys = COUNTED_KEYS,
        .syntax = "timeout:double numkeys:integer key#0... where(MIN | MAX) [COUNT count:integer]",
        .group = "sorted-set",
        .since = "7.0.0",
        .complexity = "O(K+log(N)+M) for K keys, N members of the set and M in the reply.",
        .summary = "Takes members off one end of the first sorted set that has any. Waits for one.",
    },
};

const struct command_group command_group_blocking = {rows, sizeof(rows) / sizeof(rows[0])};
