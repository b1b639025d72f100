/* How much long commands on hashes and sets have to do, about. */
#include "base/number.h"
#include "command/data.h"
#include "keyspace/value.h"

/* Of an element: what is read of it, and a line of the processor's cache or two. */
enum { BYTES_PER_ELEMENT = 64 };

static size_t elements(const struct keyspace *keyspace, const struct span *keys, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        const struct item *item = keyspace_find(keyspace, keys[i], NO_DEADLINE);
        if (item && item_type(item) != VALUE_STRING)
            total += value_ops_of(item_type(item))->count(item_elements(item));
    }
    return total;
}

size_t command_elements_work(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    (void)argc;
    return elements(keyspace, args + 1, 1) * BYTES_PER_ELEMENT;
}

size_t command_draw_work(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    int64_t count;
    if (argc < 3 || !number_parse_i64(args[2], &count))
        return 0;
    size_t all = elements(keyspace, args + 1, 1);
    uint64_t drawn = count < 0 ? 0 - (uint64_t)count : (uint64_t)count;
    if (all == 0 || (drawn > all && count > 0))
        drawn = all;
    return drawn < SIZE_MAX / BYTES_PER_ELEMENT ? (size_t)drawn * BYTES_PER_ELEMENT : SIZE_MAX;
}

size_t command_set_reply_work(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    return elements(keyspace, args + 1, argc - 1) * BYTES_PER_ELEMENT;
}

size_t command_set_store_work(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    return elements(keyspace, args + 2, argc - 2) * BYTES_PER_ELEMENT;
}

size_t command_sintercard_work(const struct keyspace *keyspace, const struct span *args,
                               size_t argc)
{
    uint64_t keys;
    if (!number_parse_u64(args[1], &keys) || keys > argc - 2)
        return 0;
    return elements(keyspace, args + 2, (size_t)keys) * BYTES_PER_ELEMENT;
}
