#include "keyspace/value.h"

#include "base/assert.h"

const struct value_rules value_rules_default = {
    .hash_packed_entries = 512,
    .hash_packed_value = 64,
    .set_intset_entries = 512,
    .set_packed_entries = 128,
    .set_packed_value = 64,
    .zset_packed_entries = 128,
    .zset_packed_value = 64,
    .list_packed_size = -2,
    .stream_node_bytes = 4096,
    .stream_node_entries = 100,
};

static const struct value_ops *const tables[] = {
    [VALUE_STRING] = NULL, /* strings are part of their item */
    [VALUE_LIST] = &list_ops, [VALUE_ZSET] = &zset_ops,     [VALUE_SET] = &set_ops,
    [VALUE_HASH] = &hash_ops, [VALUE_STREAM] = &stream_ops,
};

const struct value_ops *value_ops_of(enum value_type type)
{
    ASSERT(type < sizeof(tables) / sizeof(tables[0]) && tables[type]);
    return tables[type];
}

const char *value_type_name(enum value_type type)
{
    return type == VALUE_STRING ? "string" : value_ops_of(type)->name;
}

void value_free(enum value_type type, void *value)
{
    const struct value_ops *ops = value_ops_of(type);
    while (ops->free_some(value, SIZE_MAX) == SIZE_MAX)
        continue;
}
