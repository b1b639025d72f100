/* Transaction commands. table.h explains the columns. */
#include "command/table.h"

static const struct command_docs rows[] = {
    {
        .fullname = "multi",
        .arity = 1,
        .flags =
            COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE | COMMAND_FAST | COMMAND_ALLOW_BUSY,
        .categories = CATEGORY_TRANSACTION,
        .group = "transactions",
        .since = "1.2.0",
        .complexity = "O(1)",
        .summary = "Begins a transaction.",
    },
    {
        .fullname = "exec",
        .arity = 1,
        .flags = COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE | COMMAND_SKIP_SLOWLOG,
        .categories = CATEGORY_TRANSACTION,
        .group = "transactions",
        .since = "1.2.0",
        .complexity = "The sum of the queued commands.",
        .summary = "Runs the commands queued since MULTI, all together.",
    },
    {
        .fullname = "discard",
        .arity = 1,
        .flags =
            COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE | COMMAND_FAST | COMMAND_ALLOW_BUSY,
        .categories = CATEGORY_TRANSACTION,
        .group = "transactions",
        .since = "2.0.0",
        .complexity = "O(N) for N queued commands and watched keys.",
        .summary = "Drops the commands queued since MULTI.",
    },
    {
        .fullname = "watch",
        .arity = -2,
        .flags =
            COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE | COMMAND_FAST | COMMAND_ALLOW_BUSY,
        .categories = CATEGORY_TRANSACTION,
        .keys = {{.flags = KEY_RO, .first = 1, .last = -1, .step = 1}},
        .syntax = "key#0...",
        .group = "transactions",
        .since = "2.2.0",
        .complexity = "O(N) for N keys in the request.",
        .summary = "Lets the next EXEC run only if the keys stay as they are.",
    },
    {
        .fullname = "unwatch",
        .arity = 1,
        .flags =
            COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE | COMMAND_FAST | COMMAND_ALLOW_BUSY,
        .categories = CATEGORY_TRANSACTION,
        .group = "transactions",
        .since = "2.2.0",
        .complexity = "O(N) for N watched keys.",
        .summary = "Forgets the watched keys.",
    },
};

const struct command_group command_group_transactions = {rows, sizeof(rows) / sizeof(rows[0])};
