/* How long commands on streams may take in one piece. Only those that may walk over everything say
 * so. */
#include "base/number.h"
#include "command/access.h"
#include "command/data.h"
#include "command/stream_access.h"

/* Lists up to this length take no time worth mentioning. */
enum { SHORT_LIST = 10 * 1000, STREAMS_COUNTED = 16 };

static const struct stream *find(const struct keyspace *keyspace, struct span key)
{
    return command_peek_value(keyspace, key, VALUE_STREAM, NO_DEADLINE);
}

static size_t entries_bytes(const struct keyspace *keyspace, struct span key)
{
    const struct stream *stream = find(keyspace, key);
    return stream ? stream->nodes_bytes : 0;
}

static size_t pending_bytes(const struct keyspace *keyspace, struct span key, struct span group)
{
    const struct stream *stream = find(keyspace, key);
    const struct stream_group *found = stream ? stream_find_group(stream, group) : NULL;
    return found ? id_map_memory(&found->pending) : 0;
}

/* Whether COUNT is among the arguments from `from` on, with a small number. */
static bool has_small_count(const struct span *args, size_t argc, size_t from)
{
    for (size_t i = from; i + 1 < argc; i++) {
        int64_t count;
        if (span_is(args[i], "count"))
            return number_parse_i64(args[i + 1], &count) && count > 0 && count <= SHORT_LIST;
    }
    return false;
}

size_t command_xrange_work(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    return has_small_count(args, argc, 4) ? 0 : entries_bytes(keyspace, args[1]);
}

size_t command_xtrim_work(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    (void)argc;
    return entries_bytes(keyspace, args[1]);
}

size_t command_xread_work(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    size_t positions[STREAMS_COUNTED];
    size_t bytes = 0;
    if (has_small_count(args, argc, 1))
        return 0;
    size_t count = command_xread_get_keys(args, argc, positions, STREAMS_COUNTED);
    for (size_t i = 0; i < count && i < STREAMS_COUNTED; i++)
        bytes += entries_bytes(keyspace, args[positions[i]]);
    return bytes;
}

size_t command_xgroup_work(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    (void)argc;
    return pending_bytes(keyspace, args[2], args[3]);
}

/* IDLE may have to look at all entries for one that is idle. */
size_t command_xpending_work(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    return argc > 7 ? pending_bytes(keyspace, args[1], args[2]) : 0;
}

size_t command_xautoclaim_work(const struct keyspace *keyspace, const struct span *args,
                               size_t argc)
{
    return argc < 8 || has_small_count(args, argc, 6) ? 0
                                                      : pending_bytes(keyspace, args[1], args[2]);
}

size_t command_xinfo_stream_work(const struct keyspace *keyspace, const struct span *args,
                                 size_t argc)
{
    return argc < 6 || has_small_count(args, argc, 4) ? 0 : entries_bytes(keyspace, args[2]);
}
