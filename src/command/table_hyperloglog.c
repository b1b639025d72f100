/* Commands on HyperLogLogs. table.h explains the columns. */
#include "command/data.h"
#include "command/table.h"

static const struct command_docs rows[] = {
    {
        .fullname = "pfadd",
        .run = command_pfadd_run,
        .idle = command_pfadd_idle,
        .arity = -2,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
        .categories = CATEGORY_HYPERLOGLOG,
        .keys = {{.flags = KEY_RW | KEY_INSERT, .first = 1, .last = 0, .step = 1}},
        .syntax = "key#0 [element...]",
        .group = "hyperloglog",
        .since = "2.8.9",
        .complexity = "O(1) for each element of a dense HyperLogLog, O(N) for the at most 3000 "
                      "bytes of a sparse one.",
        .summary = "Adds elements to a HyperLogLog.",
    },
    {
        .fullname = "pfcount",
        .run = command_pfcount_run,
        .work = command_hll_work,
        .arity = -2,
        .flags = COMMAND_READONLY,
        .categories = CATEGORY_HYPERLOGLOG,
        .keys = {{.flags = KEY_RW | KEY_ACCESS,
                  .first = 1,
                  .last = -1,
                  .step = 1,
                  .notes = "RO in truth: a count that had to be computed is not kept"}},
        .syntax = "key#0...",
        .group = "hyperloglog",
        .since = "2.8.9",
        .complexity = "O(1) if the count is kept with the value, otherwise O(N) for the 16384 "
                      "registers of N keys.",
        .summary = "Estimates how many different elements were added to HyperLogLogs. It only "
                   "reads: a count that is kept with the value is used, but none is stored there.",
    },
    {
        .fullname = "pfmerge",
        .run = command_pfmerge_run,
        .work = command_hll_work,
        .arity = -2,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM,
        .categories = CATEGORY_HYPERLOGLOG,
        .keys = {{.flags = KEY_RW | KEY_ACCESS | KEY_INSERT, .first = 1, .last = 0, .step = 1},
                 {.flags = KEY_RO | KEY_ACCESS, .first = 2, .last = -1, .step = 1}},
        .syntax = "destkey#0 [sourcekey#1...]",
        .group = "hyperloglog",
        .since = "2.8.9",
        .complexity = "O(N) for the 16384 registers of N keys.",
        .summary = "Adds to a HyperLogLog what others have counted.",
    },
    {
        .fullname = "pfdebug",
        .run = command_pfdebug_run,
        .arity = 3,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_ADMIN,
        .categories = CATEGORY_HYPERLOGLOG | CATEGORY_DANGEROUS,
        .keys = {{.flags = KEY_RW | KEY_ACCESS, .first = 2, .last = 0, .step = 1}},
        .syntax = "subcommand key#0",
        .group = "hyperloglog",
        .since = "2.8.9",
        .internal = true,
        .complexity = "O(N) for the 16384 registers.",
        .summary = "Shows the inside of a HyperLogLog.",
    },
    {
        .fullname = "pfselftest",
        .run = command_pfselftest_run,
        .arity = 1,
        .flags = COMMAND_ADMIN,
        .categories = CATEGORY_HYPERLOGLOG | CATEGORY_DANGEROUS,
        .group = "hyperloglog",
        .since = "2.8.9",
        .internal = true,
        .complexity = "O(1): always the same test.",
        .summary = "Tests that the representations of a HyperLogLog agree.",
    },
};

const struct command_group command_group_hyperloglog = {rows, sizeof(rows) / sizeof(rows[0])};
