/* The directives that say up to which size a value is kept in a compact form, one row each. Nodes
 * may differ in them: only OBJECT ENCODING and the memory that values take depend on them. */
#include "config/internal.h"

#define FIELD(member)                                                                              \
    .offset = offsetof(struct config, forms.member),                                               \
    .size = sizeof(((struct config *)0)->forms.member)

/* clang-format off */
#define COUNT(text, other, member, standard)                                                       \
    {.name = (text), .alias = (other), .kind = DIRECTIVE_INT, .initial = (standard), .min = 0,          \
     .max = INT64_MAX, FIELD(member)}
#define BYTES(text, other, member, standard)                                                       \
    {.name = (text), .alias = (other), .kind = DIRECTIVE_MEMORY, .initial = (standard), .min = 0,       \
     .max = INT64_MAX, FIELD(member)}
/* clang-format on */

static const struct directive rows[] = {
    COUNT("hash-max-listpack-entries", "hash-max-ziplist-entries", hash_entries, "512"),
    BYTES("hash-max-listpack-value", "hash-max-ziplist-value", hash_value, "64"),
    {.name = "list-max-listpack-size",
     .alias = "list-max-ziplist-size",
     .kind = DIRECTIVE_INT,
     .initial = "-2",
     .min = (uint64_t)INT32_MIN,
     .max = INT32_MAX,
     FIELD(list_size)},
    COUNT("set-max-intset-entries", NULL, intset_entries, "512"),
    COUNT("set-max-listpack-entries", NULL, set_entries, "128"),
    BYTES("set-max-listpack-value", NULL, set_value, "64"),
    COUNT("zset-max-listpack-entries", "zset-max-ziplist-entries", zset_entries, "128"),
    BYTES("zset-max-listpack-value", "zset-max-ziplist-value", zset_value, "64"),
    BYTES("stream-node-max-bytes", NULL, stream_bytes, "4096"),
    COUNT("stream-node-max-entries", NULL, stream_entries, "100"),
};

size_t forms_count(void)
{
    return sizeof rows / sizeof rows[0];
}

const struct directive *forms_at(size_t index)
{
    return index < forms_count() ? &rows[index] : NULL;
}
