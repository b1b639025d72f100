/* How far groups have read, counted in entries. Deleted entries make that unknown at times. */
#include "keyspace/stream.h"

/* Whether an entry at or after this ID may have been deleted. One before the first one was trimmed
 * or at the front: what is left has no gap. */
static bool has_gap_from(const struct stream *stream, struct stream_id id)
{
    return stream_length(stream) > 0 && !stream_id_is_zero(stream->max_deleted_id) &&
           stream_id_compare(stream->first_id, stream->max_deleted_id) <= 0 &&
           stream_id_compare(id, stream->max_deleted_id) <= 0;
}

int64_t stream_added_until(const struct stream *stream, struct stream_id id)
{
    uint64_t added = stream->entries_added;
    if (added == 0)
        return 0;
    int with_last = stream_id_compare(id, stream->last_id);
    if (stream_length(stream) == 0 && with_last <= 0)
        return (int64_t)added;
    if (with_last >= 0)
        return with_last == 0 ? (int64_t)added : STREAM_READ_UNKNOWN;
    int with_first = stream_id_compare(id, stream->first_id);
    bool has_gap = !stream_id_is_zero(stream->max_deleted_id) &&
                   stream_id_compare(stream->max_deleted_id, stream->first_id) >= 0;
    if (has_gap || with_first > 0)
        return STREAM_READ_UNKNOWN;
    return (int64_t)(added - stream_length(stream) + (with_first == 0));
}

bool stream_group_lag(const struct stream *stream, const struct stream_group *group, int64_t *lag)
{
    int64_t read = group->entries_read;
    *lag = 0;
    if (stream->entries_added == 0)
        return true;
    if (read == STREAM_READ_UNKNOWN || has_gap_from(stream, group->last_id))
        read = stream_added_until(stream, group->last_id);
    *lag = (int64_t)(stream->entries_added - (uint64_t)read);
    return read != STREAM_READ_UNKNOWN;
}

void stream_group_advance(const struct stream *stream, struct stream_group *group,
                          struct stream_id id)
{
    int64_t read = group->entries_read;
    if (read != STREAM_READ_UNKNOWN && !has_gap_from(stream, id))
        read = (int64_t)((uint64_t)read + 1);
    else if (stream->entries_added)
        read = stream_added_until(stream, id);
    stream_group_set_position(group, id, read);
}
