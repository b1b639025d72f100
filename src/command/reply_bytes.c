/* How long the replies of commands will be that take elements of values and write. They are carried
 * out when their entry is applied, and cannot wait then for a client to read. */
#include "base/number.h"
#include "command/access.h"
#include "command/data.h"
#include "command/hash_options.h"
#include "keyspace/hash.h"
#include "keyspace/list.h"
#include "keyspace/stream.h"
#include "keyspace/value.h"
#include "keyspace/zset.h"

enum {
    FRAME_BYTES = 32, /* about an element: its length, its score */
    SAMPLES = 8,
    LOOKED_AT = 256,        /* fields or keys of one command */
    XAUTOCLAIM_COUNT = 100, /* without COUNT */
};

static size_t times(size_t count, size_t bytes)
{
    size_t most = SIZE_MAX / 4;
    return bytes && count > most / bytes ? most : count * bytes;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static const void *value_of(const struct keyspace *keyspace, struct span key, enum value_type *type)
{
    const struct item *item = keyspace_find(keyspace, key, NO_DEADLINE);
    if (!item || item_type(item) == VALUE_STRING)
        return NULL;
    *type = item_type(item);
    return item_elements(item);
}

/* Not what a stream's groups take: no reply holds them. */
static size_t bytes_of(enum value_type type, const void *value)
{
    if (type == VALUE_STREAM)
        return ((const struct stream *)value)->nodes_bytes;
    return value_ops_of(type)->memory(value, SAMPLES);
}

/* So many elements as they are on average. */
static size_t some_of(enum value_type type, const void *value, size_t count)
{
    size_t all = value_ops_of(type)->count(value);
    if (all == 0)
        return 0;
    count = smaller(count, all);
    size_t each = bytes_of(type, value) / all;
    return times(count, each + FRAME_BYTES);
}

static size_t longer_end_of_list(const struct list *list)
{
    char scratch[NUMBER_I64_CHARS];
    struct list_place place;
    size_t first = list_at(list, 0, &place) ? list_text(&place, scratch).len : 0;
    size_t last = list_at(list, list_count(list) - 1, &place) ? list_text(&place, scratch).len : 0;
    return first > last ? first : last;
}

static size_t longer_end_of_zset(const struct zset *zset)
{
    char scratch[NUMBER_I64_CHARS];
    struct zset_place place;
    size_t first = zset_at(zset, 0, &place) ? zset_place_member(&place, scratch).len : 0;
    size_t last =
        zset_at(zset, zset_count(zset) - 1, &place) ? zset_place_member(&place, scratch).len : 0;
    return first > last ? first : last;
}

/* From an end: as long as those that stand there now, or as on average. One element, the usual
 * case, is only looked at. */
static size_t ends_of(const struct keyspace *keyspace, struct span key, size_t count)
{
    enum value_type type;
    const void *value = value_of(keyspace, key, &type);
    if (!value || (type != VALUE_LIST && type != VALUE_ZSET) ||
        value_ops_of(type)->count(value) == 0)
        return 0;
    size_t end = type == VALUE_LIST ? longer_end_of_list(value) : longer_end_of_zset(value);
    if (count <= 1)
        return times(count, end + FRAME_BYTES);
    count = smaller(count, value_ops_of(type)->count(value));
    size_t most = bytes_of(type, value) + times(count, FRAME_BYTES);
    size_t by_end = smaller(times(count, end + FRAME_BYTES), most);
    size_t by_average = some_of(type, value, count);
    return by_end > by_average ? by_end : by_average;
}

static size_t number_at(const struct span *args, size_t argc, size_t position, size_t otherwise)
{
    uint64_t number;
    if (position >= argc || !number_parse_u64(args[position], &number))
        return otherwise;
    return number;
}

/* The number behind the word COUNT. */
static size_t count_behind(const struct span *args, size_t argc, size_t from, size_t otherwise)
{
    for (size_t i = from; i + 1 < argc; i++)
        if (span_is(args[i], "count"))
            return number_at(args, argc, i + 1, otherwise);
    return otherwise;
}

size_t command_pop_reply(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    return ends_of(keyspace, args[1], number_at(args, argc, 2, 1));
}

size_t command_move_reply(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    (void)argc;
    return ends_of(keyspace, args[1], 1);
}

size_t command_draw_reply(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    enum value_type type;
    const void *value = value_of(keyspace, args[1], &type);
    return value ? some_of(type, value, number_at(args, argc, 2, 1)) : 0;
}

/* From one of the keys. */
static size_t longest_of(const struct keyspace *keyspace, const struct span *keys, size_t key_count,
                         size_t count)
{
    size_t longest = 0;
    for (size_t i = 0; i < key_count && i < LOOKED_AT; i++) {
        size_t bytes = ends_of(keyspace, keys[i], count);
        longest = bytes > longest ? bytes : longest;
    }
    return longest;
}

size_t command_pop_first_reply(const struct keyspace *keyspace, const struct span *args,
                               size_t argc)
{
    return longest_of(keyspace, args + 1, argc - 2, 1);
}

static size_t many_pop_reply(const struct keyspace *keyspace, const struct span *args, size_t argc,
                             size_t position)
{
    size_t keys = number_at(args, argc, position, 0);
    if (keys > argc - position - 1)
        return 0;
    return longest_of(keyspace, args + position + 1, keys,
                      count_behind(args, argc, position + 1 + keys, 1));
}

size_t command_mpop_reply(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    return many_pop_reply(keyspace, args, argc, 1);
}

size_t command_bmpop_reply(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    return many_pop_reply(keyspace, args, argc, 2);
}

size_t command_fields_reply(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    const struct hash *hash = command_peek_value(keyspace, args[1], VALUE_HASH, NO_DEADLINE);
    size_t word = fields_word(args, argc, 2);
    if (!hash || word == 0)
        return 0;
    size_t bytes = 0, from = word + 2;
    struct hash_entry entry;
    for (size_t i = from; i < argc && i < from + LOOKED_AT; i++)
        if (hash_find(hash, args[i], NO_DEADLINE, &entry))
            bytes += entry.value.len + FRAME_BYTES;
    if (argc > from + LOOKED_AT)
        bytes = bytes / LOOKED_AT * (argc - from);
    return bytes;
}

size_t command_value_reply(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    enum value_type type;
    const void *value = value_of(keyspace, args[1], &type);
    for (size_t i = 2; value && i < argc; i++)
        if (span_is(args[i], "store") || span_is(args[i], "storedist"))
            return 0;
    return value ? some_of(type, value, SIZE_MAX) : 0;
}

static size_t entries_of(const struct keyspace *keyspace, struct span key, size_t count)
{
    const struct stream *stream = command_peek_value(keyspace, key, VALUE_STREAM, NO_DEADLINE);
    return stream ? some_of(VALUE_STREAM, stream, count) : 0;
}

size_t command_xreadgroup_reply(const struct keyspace *keyspace, const struct span *args,
                                size_t argc)
{
    size_t positions[LOOKED_AT];
    size_t keys = command_xread_get_keys(args, argc, positions, LOOKED_AT);
    size_t each = count_behind(args, argc, 4, SIZE_MAX);
    size_t bytes = 0;
    for (size_t i = 0; i < keys && i < LOOKED_AT; i++)
        bytes += entries_of(keyspace, args[positions[i]], each ? each : SIZE_MAX);
    return bytes;
}

size_t command_xclaim_reply(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    return entries_of(keyspace, args[1], argc - 5);
}

size_t command_xautoclaim_reply(const struct keyspace *keyspace, const struct span *args,
                                size_t argc)
{
    return entries_of(keyspace, args[1], count_behind(args, argc, 6, XAUTOCLAIM_COUNT));
}
