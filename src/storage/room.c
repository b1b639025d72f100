#include "storage/internal.h"

/* Interval of measuring the disk, and the interval while it lacks room. */
enum { ASK_MS = 1000, ASK_WHEN_LACKING_MS = 100 };

static uint64_t free_bytes(const struct room *room)
{
    uint64_t queued = room->queued_before + room->queued_since;
    return room->free_bytes > queued ? room->free_bytes - queued : 0;
}

/* The disk has room again only at a quarter above the reserve; otherwise the next writes would use
 * it up at once. */
static void judge(struct storage *storage)
{
    struct room *room = &storage->room;
    uint64_t reserve = storage->options.reserve_bytes;
    if (room->known)
        room->lacking = free_bytes(room) < (room->lacking ? reserve + reserve / 4 : reserve);
}

bool storage_has_room(const struct storage *storage, uint64_t bytes)
{
    const struct room *room = &storage->room;
    if (room->waiting || room->lacking)
        return false;
    return !room->known || free_bytes(room) >= storage->options.reserve_bytes + bytes;
}

bool storage_may_free(const struct storage *storage, uint64_t bytes)
{
    const struct room *room = &storage->room;
    if (room->waiting)
        return false;
    return !room->known || free_bytes(room) >= storage->options.reserve_bytes / 2 + bytes;
}

void room_used(struct storage *storage, uint64_t bytes)
{
    storage->room.queued_since += bytes;
    judge(storage);
}

void room_completed(struct storage *storage, const struct disk_completion *completion)
{
    struct room *room = &storage->room;
    room->waiting = completion->waits_for_room;
    if (!completion->measured)
        return;
    room->known = true;
    room->asked = false;
    room->free_bytes = completion->free_bytes;
    room->queued_before = 0;
    judge(storage);
}

void room_tick(struct storage *storage, uint64_t now_ms)
{
    struct room *room = &storage->room;
    uint64_t reserve = storage->options.reserve_bytes;
    if (reserve == 0 || room->asked)
        return;
    bool due = now_ms >= room->asked_ms + (room->lacking ? ASK_WHEN_LACKING_MS : ASK_MS);
    if (room->known && !due && room->queued_since < reserve / 4)
        return;
    room->asked = true;
    room->asked_ms = now_ms;
    room->queued_before += room->queued_since;
    room->queued_since = 0;
    storage_queue_folder(storage, DISK_MEASURE);
}
