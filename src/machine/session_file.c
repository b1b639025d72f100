/* One session as a field of a snapshot:
 *
 *     <id>:<ttl-ms>:<sessions>:<replies>:<bytes>:<deadline-ms>:<last>:<dropped>:<count>\r\n
 *     then for each reply  <number>:<protocol>:<bytes>\r\n<reply>
 *
 * A reply that was too long to be kept has protocol 0. */
#include <string.h>

#include "base/number.h"
#include "machine/session.h"

enum { HEAD_NUMBERS = 8, REPLY_NUMBERS = 3, TEXT_MAX = NUMBER_I64_CHARS };

static void add_numbers(struct buf *out, const uint64_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_add_char(out, ':');
        buf_add_u64(out, numbers[i]);
    }
    buf_add(out, "\r\n", 2);
}

void session_save(const struct session *session, struct buf *out)
{
    const struct session_terms *terms = &session->terms;
    const uint64_t head[HEAD_NUMBERS] = {(uint64_t)terms->ttl_ms,
                                         terms->sessions_max,
                                         terms->replies_max,
                                         terms->bytes_max,
                                         (uint64_t)session->deadline_ms,
                                         session->last,
                                         session->dropped,
                                         session->replies_end - session->replies_first};
    session_id_add(out, terms->id);
    buf_add_char(out, ':');
    add_numbers(out, head, HEAD_NUMBERS);
    for (size_t i = session->replies_first; i < session->replies_end; i++) {
        const struct session_reply *reply = &session->replies[i];
        const uint64_t numbers[REPLY_NUMBERS] = {reply->number, reply->protocol, reply->len};
        add_numbers(out, numbers, REPLY_NUMBERS);
        buf_add_span(out, session_reply_bytes(session, reply));
    }
}

/* Numbers between colons, up to the end of the line. */
static bool take_numbers(struct span *text, uint64_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t window = text->len < TEXT_MAX ? text->len : TEXT_MAX;
        char end = i + 1 < count ? ':' : '\r';
        const char *at = window ? memchr(text->ptr, end, window) : NULL;
        size_t len = at ? (size_t)(at - text->ptr) : 0;
        if (!at || !number_parse_u64(span_of(text->ptr, len), &numbers[i]))
            return false;
        *text = span_of(at + 1, text->len - len - 1);
    }
    if (text->len == 0 || text->ptr[0] != '\n')
        return false;
    *text = span_of(text->ptr + 1, text->len - 1);
    return true;
}

static bool load_reply(struct sessions *sessions, struct session *session, struct span *text)
{
    uint64_t numbers[REPLY_NUMBERS];
    if (!take_numbers(text, numbers, REPLY_NUMBERS) || numbers[0] <= session->last ||
        (numbers[1] != 0 && numbers[1] != 2 && numbers[1] != 3) || numbers[2] > text->len ||
        (numbers[1] == 0 && numbers[2] != 0) || numbers[2] > session->terms.bytes_max)
        return false;
    sessions_keep(sessions, session, numbers[0], (int)numbers[1],
                  span_of(text->ptr, (size_t)numbers[2]));
    *text = span_of(text->ptr + numbers[2], text->len - (size_t)numbers[2]);
    return true;
}

static bool head_is_valid(const uint64_t head[HEAD_NUMBERS])
{
    return head[0] > 0 && head[0] <= SESSION_TTL_MS_MOST && head[1] <= SESSIONS_MOST &&
           head[2] <= SESSION_REPLIES_MOST && head[3] <= SESSION_BYTES_MOST &&
           head[4] <= INT64_MAX && head[6] <= head[5] && head[7] <= head[2];
}

bool session_load(struct sessions *sessions, struct span text)
{
    struct session_terms terms;
    uint64_t head[HEAD_NUMBERS];
    if (text.len <= SESSION_ID_CHARS || text.ptr[SESSION_ID_CHARS] != ':' ||
        !session_id_parse(span_of(text.ptr, SESSION_ID_CHARS), &terms.id))
        return false;
    text = span_of(text.ptr + SESSION_ID_CHARS + 1, text.len - SESSION_ID_CHARS - 1);
    if (!take_numbers(&text, head, HEAD_NUMBERS) || !head_is_valid(head) ||
        sessions->count == SESSIONS_MOST || sessions_find(sessions, terms.id))
        return false;
    terms.ttl_ms = (int64_t)head[0];
    terms.sessions_max = (uint32_t)head[1];
    terms.replies_max = (uint32_t)head[2];
    terms.bytes_max = (uint32_t)head[3];
    struct session *session = sessions_add(sessions, &terms);
    sessions_restore(sessions, session, (int64_t)head[4], head[6], head[6]);
    bool fine = true;
    for (uint64_t i = 0; fine && i < head[7]; i++)
        fine = load_reply(sessions, session, &text);
    fine = fine && text.len == 0 && session->last <= head[5];
    sessions_restore(sessions, session, (int64_t)head[4], head[5], head[6]);
    return fine;
}
