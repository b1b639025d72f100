/* The line by which an entry says that it concerns a session (session.h). */
#include <string.h>

#include "base/number.h"
#include "machine/session.h"

enum { LINE_MAX = 192, FIELDS_MAX = 5, NUMBER_MAX_DIGITS = 20 };

static const char *const names[] = {[SESSION_NUMBER] = "#SESSION:",
                                    [SESSION_ASK] = "#BEGIN:",
                                    [SESSION_BEGIN] = "#BEGIN:",
                                    [SESSION_ANSWERED] = "#ANSWERED:",
                                    [SESSION_END] = "#END:"};
static const size_t field_counts[] = {[SESSION_NUMBER] = 4,
                                      [SESSION_ASK] = 1,
                                      [SESSION_BEGIN] = 5,
                                      [SESSION_ANSWERED] = 2,
                                      [SESSION_END] = 1};
enum { VERBS = sizeof names / sizeof *names };

static bool parse_half(const char *text, uint64_t *half)
{
    *half = 0;
    for (size_t i = 0; i < SESSION_ID_CHARS / 2; i++) {
        char c = text[i];
        bool digit = c >= '0' && c <= '9';
        if (!digit && !(c >= 'a' && c <= 'f'))
            return false;
        *half = *half << 4 | (uint64_t)(digit ? c - '0' : c - 'a' + 10);
    }
    return true;
}

bool session_id_parse(struct span text, struct session_id *id)
{
    return text.len == SESSION_ID_CHARS && parse_half(text.ptr, &id->high) &&
           parse_half(text.ptr + SESSION_ID_CHARS / 2, &id->low);
}

void session_id_add(struct buf *out, struct session_id id)
{
    buf_printf(out, "%016llx%016llx", (unsigned long long)id.high, (unsigned long long)id.low);
}

static void add_number(struct buf *out, uint64_t number)
{
    buf_add_char(out, ':');
    buf_add_u64(out, number);
}

void session_note_add(struct buf *out, const struct session_note *note)
{
    buf_add_text(out, names[note->verb]);
    switch (note->verb) {
    case SESSION_NUMBER:
        session_id_add(out, note->number.id);
        add_number(out, note->number.number);
        add_number(out, note->number.answered);
        add_number(out, (uint64_t)note->protocol);
        break;
    case SESSION_ASK:
        buf_add_i64(out, note->terms.ttl_ms);
        break;
    case SESSION_BEGIN:
        session_id_add(out, note->terms.id);
        add_number(out, (uint64_t)note->terms.ttl_ms);
        add_number(out, note->terms.sessions_max);
        add_number(out, note->terms.replies_max);
        add_number(out, note->terms.bytes_max);
        break;
    case SESSION_ANSWERED:
        session_id_add(out, note->number.id);
        add_number(out, note->number.answered);
        break;
    case SESSION_END:
        session_id_add(out, note->number.id);
        break;
    }
    buf_add(out, "\r\n", 2);
}

/* Between colons. 0: too many, or the line does not end. */
static size_t split(struct span text, struct span fields[FIELDS_MAX], size_t *used)
{
    size_t count = 0, start = 0;
    size_t window = text.len < LINE_MAX ? text.len : LINE_MAX;
    for (size_t i = 0; i + 1 < window; i++) {
        bool ends = text.ptr[i] == '\r';
        if (!ends && text.ptr[i] != ':')
            continue;
        if (count == FIELDS_MAX)
            return 0;
        fields[count++] = span_of(text.ptr + start, i - start);
        start = i + 1;
        *used = i + 2;
        if (ends)
            return text.ptr[i + 1] == '\n' ? count : 0;
    }
    return 0;
}

static bool parse_limit(struct span field, uint64_t most, uint32_t *limit)
{
    uint64_t value;
    bool fine = number_parse_u64(field, &value) && value <= most;
    *limit = fine ? (uint32_t)value : 0;
    return fine;
}

static bool parse_ttl(struct span field, int64_t *ttl_ms)
{
    return number_parse_i64(field, ttl_ms) && *ttl_ms >= 0 && *ttl_ms <= SESSION_TTL_MS_MOST;
}

static bool parse_number(const struct span *fields, struct session_note *note)
{
    uint32_t protocol;
    bool fine = session_id_parse(fields[0], &note->number.id) &&
                number_parse_u64(fields[1], &note->number.number) && note->number.number > 0 &&
                number_parse_u64(fields[2], &note->number.answered) &&
                parse_limit(fields[3], 3, &protocol) && protocol >= 2;
    note->protocol = fine ? (int)protocol : 0;
    return fine;
}

static bool parse_terms(const struct span *fields, struct session_terms *terms)
{
    return session_id_parse(fields[0], &terms->id) && parse_ttl(fields[1], &terms->ttl_ms) &&
           terms->ttl_ms > 0 && parse_limit(fields[2], SESSIONS_MOST, &terms->sessions_max) &&
           parse_limit(fields[3], SESSION_REPLIES_MOST, &terms->replies_max) &&
           parse_limit(fields[4], SESSION_BYTES_MOST, &terms->bytes_max);
}

static bool parse_fields(const struct span *fields, struct session_note *note)
{
    switch (note->verb) {
    case SESSION_NUMBER:
        return parse_number(fields, note);
    case SESSION_ASK:
        return parse_ttl(fields[0], &note->terms.ttl_ms);
    case SESSION_BEGIN:
        return parse_terms(fields, &note->terms);
    case SESSION_ANSWERED:
        return session_id_parse(fields[0], &note->number.id) &&
               number_parse_u64(fields[1], &note->number.answered);
    case SESSION_END:
        return session_id_parse(fields[0], &note->number.id);
    }
    return false;
}

bool session_note_take(struct span *payload, struct session_note *note)
{
    for (size_t verb = 0; verb < VERBS; verb++) {
        size_t prefix = strlen(names[verb]);
        struct span fields[FIELDS_MAX];
        size_t used = 0;
        if (payload->len < prefix || memcmp(payload->ptr, names[verb], prefix) != 0 ||
            split(span_of(payload->ptr + prefix, payload->len - prefix), fields, &used) !=
                field_counts[verb])
            continue;
        *note = (struct session_note){.verb = (enum session_verb)verb};
        *payload = span_of(payload->ptr + prefix + used, payload->len - prefix - used);
        return parse_fields(fields, note);
    }
    return false;
}
