#include "machine/session.h"

#include <string.h>
#include <xxhash.h>

#include "base/assert.h"
#include "base/mem.h"

enum { INDEX_MIN = 16, REPLIES_MIN = 4 };

/* --- digests --- */

static uint64_t mix(uint64_t sum, uint64_t part)
{
    const uint64_t both[] = {sum, part};
    return XXH3_64bits(both, sizeof both);
}

static uint64_t digest_of_reply(const struct session *session, const struct session_reply *reply)
{
    uint64_t head = mix(reply->number, reply->protocol);
    return XXH3_64bits_withSeed(session->bytes.ptr ? session->bytes.ptr + reply->at : "",
                                reply->len, head);
}

uint64_t session_digest(const struct session *session)
{
    const struct session_terms *terms = &session->terms;
    const uint64_t parts[] = {
        terms->id.high,     terms->id.low,    (uint64_t)terms->ttl_ms,
        terms->replies_max, terms->bytes_max, (uint64_t)session->deadline_ms,
        session->last,      session->dropped, session->replies_end - session->replies_first,
        session->sum};
    return XXH3_64bits(parts, sizeof parts);
}

uint64_t sessions_sum_by_walk(const struct sessions *sessions)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < sessions->count; i++) {
        struct session copy = sessions->list[i];
        copy.sum = 0;
        for (size_t j = copy.replies_first; j < copy.replies_end; j++)
            copy.sum += digest_of_reply(&copy, &copy.replies[j]);
        sum += session_digest(&copy);
    }
    return sum;
}

/* --- the table --- */

void sessions_init(struct sessions *sessions)
{
    *sessions = (struct sessions){.due_ms = INT64_MAX};
}

static void close_session(struct session *session)
{
    mem_free(session->replies);
    buf_close(&session->bytes);
}

void sessions_close(struct sessions *sessions)
{
    for (uint32_t i = 0; i < sessions->count; i++)
        close_session(&sessions->list[i]);
    mem_free(sessions->list);
    mem_free(sessions->index);
    sessions_init(sessions);
}

static bool same_id(struct session_id a, struct session_id b)
{
    return a.high == b.high && a.low == b.low;
}

/* Where the id stands in the index, or where it would. */
static uint32_t place_of(const struct sessions *sessions, struct session_id id)
{
    uint32_t mask = sessions->index_cap - 1;
    uint32_t at = (uint32_t)mix(id.high, id.low) & mask;
    while (sessions->index[at] && !same_id(sessions->list[sessions->index[at] - 1].terms.id, id))
        at = (at + 1) & mask;
    return at;
}

static void grow(struct sessions *sessions)
{
    sessions->cap = sessions->cap ? sessions->cap * 2 : INDEX_MIN / 2;
    sessions->list = mem_realloc(sessions->list, sessions->cap * sizeof *sessions->list);
    mem_free(sessions->index);
    sessions->index_cap = sessions->cap * 2;
    sessions->index = mem_zalloc(sessions->index_cap * sizeof *sessions->index);
    for (uint32_t i = 0; i < sessions->count; i++)
        sessions->index[place_of(sessions, sessions->list[i].terms.id)] = i + 1;
}

struct session *sessions_find(const struct sessions *sessions, struct session_id id)
{
    if (sessions->count == 0)
        return NULL;
    uint32_t position = sessions->index[place_of(sessions, id)];
    return position ? &sessions->list[position - 1] : NULL;
}

struct session *sessions_add(struct sessions *sessions, const struct session_terms *terms)
{
    if (sessions->count == sessions->cap)
        grow(sessions);
    uint32_t place = place_of(sessions, terms->id);
    ASSERT(sessions->index[place] == 0);
    struct session *session = &sessions->list[sessions->count++];
    sessions->index[place] = sessions->count;
    *session = (struct session){.terms = *terms};
    sessions->sum += session_digest(session);
    return session;
}

/* What follows the hole in the index may have been meant for it. */
static void free_place(struct sessions *sessions, uint32_t hole)
{
    uint32_t mask = sessions->index_cap - 1;
    sessions->index[hole] = 0;
    for (uint32_t at = (hole + 1) & mask; sessions->index[at]; at = (at + 1) & mask) {
        uint32_t position = sessions->index[at];
        sessions->index[at] = 0;
        sessions->index[place_of(sessions, sessions->list[position - 1].terms.id)] = position;
    }
}

void sessions_remove(struct sessions *sessions, struct session *session)
{
    uint32_t position = (uint32_t)(session - sessions->list);
    ASSERT(position < sessions->count);
    sessions->sum -= session_digest(session);
    for (size_t i = session->replies_first; i < session->replies_end; i++)
        sessions->bytes -= session->replies[i].len;
    free_place(sessions, place_of(sessions, session->terms.id));
    sessions->memory -= session->memory;
    close_session(session);
    struct session *last = &sessions->list[--sessions->count];
    if (session == last)
        return;
    uint32_t place = place_of(sessions, last->terms.id);
    *session = *last;
    sessions->index[place] = position + 1;
}

void sessions_expire(struct sessions *sessions, int64_t now_ms)
{
    if (now_ms < sessions->due_ms)
        return;
    sessions->due_ms = INT64_MAX;
    for (uint32_t i = 0; i < sessions->count;) {
        struct session *session = &sessions->list[i];
        if (session->deadline_ms <= now_ms) {
            sessions_remove(sessions, session);
            continue;
        }
        if (session->deadline_ms < sessions->due_ms)
            sessions->due_ms = session->deadline_ms;
        i++;
    }
}

/* --- one session --- */

static size_t count_of(const struct session *session)
{
    return session->replies_end - session->replies_first;
}

static uint32_t bytes_of(const struct session *session)
{
    if (count_of(session) == 0)
        return 0;
    return (uint32_t)(session->bytes.len - session->replies[session->replies_first].at);
}

/* After its buffers may have grown. */
static void count_memory(struct sessions *sessions, struct session *session)
{
    size_t memory = mem_footprint(session->bytes.cap) +
                    mem_footprint(session->replies_cap * sizeof *session->replies);
    sessions->memory += memory - session->memory;
    session->memory = memory;
}

static void drop_oldest(struct sessions *sessions, struct session *session)
{
    const struct session_reply *oldest = &session->replies[session->replies_first++];
    session->sum -= digest_of_reply(session, oldest);
    session->dropped = oldest->number;
    sessions->bytes -= oldest->len;
}

/* Moves what is left to the front once that is less than what is gone. */
static void compact(struct session *session)
{
    size_t left = count_of(session);
    if (left > session->replies_first)
        return;
    size_t gone = session->bytes.len - bytes_of(session);
    buf_consume(&session->bytes, gone);
    for (size_t i = 0; i < left; i++) {
        session->replies[i] = session->replies[session->replies_first + i];
        session->replies[i].at -= gone;
    }
    session->replies_first = 0;
    session->replies_end = left;
}

void sessions_use(struct sessions *sessions, struct session *session, uint64_t answered,
                  int64_t now_ms)
{
    sessions->sum -= session_digest(session);
    while (count_of(session) && session->replies[session->replies_first].number < answered)
        drop_oldest(sessions, session);
    compact(session);
    session->deadline_ms = now_ms + session->terms.ttl_ms;
    if (session->deadline_ms < sessions->due_ms)
        sessions->due_ms = session->deadline_ms;
    sessions->sum += session_digest(session);
}

static void push_reply(struct session *session, const struct session_reply *reply)
{
    if (session->replies_end == session->replies_cap) {
        session->replies_cap = session->replies_cap ? session->replies_cap * 2 : REPLIES_MIN;
        session->replies =
            mem_realloc(session->replies, session->replies_cap * sizeof *session->replies);
    }
    session->replies[session->replies_end++] = *reply;
}

static void add_reply(struct sessions *sessions, struct session *session, uint64_t number,
                      int protocol, struct span reply)
{
    const struct session_reply added = {.number = number,
                                        .at = session->bytes.len,
                                        .len = (uint32_t)reply.len,
                                        .protocol = (uint8_t)protocol};
    buf_add_span(&session->bytes, reply);
    push_reply(session, &added);
    session->sum += digest_of_reply(session, &added);
    sessions->bytes += reply.len;
    count_memory(sessions, session);
}

void sessions_keep(struct sessions *sessions, struct session *session, uint64_t number,
                   int protocol, struct span reply)
{
    ASSERT(number > session->last);
    const struct session_terms *terms = &session->terms;
    sessions->sum -= session_digest(session);
    session->last = number;
    if (reply.len > terms->bytes_max) {
        reply.len = 0;
        protocol = 0;
    }
    while (count_of(session) && (count_of(session) >= terms->replies_max ||
                                 bytes_of(session) + reply.len > terms->bytes_max))
        drop_oldest(sessions, session);
    compact(session);
    if (terms->replies_max == 0)
        session->dropped = number;
    else
        add_reply(sessions, session, number, protocol, reply);
    sessions->sum += session_digest(session);
}

void sessions_restore(struct sessions *sessions, struct session *session, int64_t deadline_ms,
                      uint64_t last, uint64_t dropped)
{
    sessions->sum -= session_digest(session);
    session->deadline_ms = deadline_ms;
    session->last = last;
    session->dropped = dropped;
    if (deadline_ms < sessions->due_ms)
        sessions->due_ms = deadline_ms;
    sessions->sum += session_digest(session);
}

static void copy_session(const struct session *session, struct session *copy)
{
    size_t count = count_of(session);
    size_t gone = session->bytes.len - bytes_of(session);
    *copy = *session;
    copy->bytes = (struct buf){0};
    size_t bytes = bytes_of(session);
    if (bytes)
        memcpy(buf_reserve_exact(&copy->bytes, bytes), session->bytes.ptr + gone, bytes);
    copy->bytes.len = bytes;
    copy->replies = count ? mem_alloc(count * sizeof *copy->replies) : NULL;
    for (size_t i = 0; i < count; i++) {
        copy->replies[i] = session->replies[session->replies_first + i];
        copy->replies[i].at -= gone;
    }
    copy->replies_first = 0;
    copy->replies_end = copy->replies_cap = count;
}

void sessions_copy(const struct sessions *sessions, struct sessions *copy)
{
    sessions_init(copy);
    if (sessions->count == 0)
        return;
    copy->list = mem_alloc(sessions->count * sizeof *copy->list);
    copy->count = copy->cap = sessions->count;
    for (uint32_t i = 0; i < sessions->count; i++)
        copy_session(&sessions->list[i], &copy->list[i]);
}

const struct session_reply *session_reply_to(const struct session *session, uint64_t number)
{
    size_t low = session->replies_first, high = session->replies_end;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (session->replies[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < session->replies_end && session->replies[low].number == number;
    return found ? &session->replies[low] : NULL;
}

struct span session_reply_bytes(const struct session *session, const struct session_reply *reply)
{
    return span_of(session->bytes.ptr + reply->at, reply->len);
}

size_t sessions_memory(const struct sessions *sessions)
{
    return sessions->memory + mem_footprint(sessions->cap * sizeof *sessions->list) +
           mem_footprint(sessions->index_cap * sizeof *sessions->index);
}
