#include "wire/members.h"

#include "base/number.h"

static const char prefix[] = "#MEMBERS:";

void members_encode(struct buf *out, const struct raft_membership *membership)
{
    buf_add_text(out, prefix);
    for (size_t i = 0; i < membership->count; i++)
        buf_printf(out, "%s%llu=%u", i ? "," : "", (unsigned long long)membership->members[i].id,
                   membership->members[i].roles);
    buf_add_text(out, "\r\n");
}

/* The number before `end`; both are taken off the text. */
static bool next_number(struct span *text, char end, uint64_t *value)
{
    const char *stop = memchr(text->ptr, end, text->len);
    if (!stop)
        return false;
    size_t len = (size_t)(stop - text->ptr);
    bool sound = number_parse_u64(span_of(text->ptr, len), value);
    *text = span_of(stop + 1, text->len - len - 1);
    return sound;
}

static bool next_member(struct span *text, struct raft_membership *membership)
{
    const unsigned known = RAFT_VOTER | RAFT_VOTER_INCOMING | RAFT_PROMOTE | RAFT_STAYS;
    uint64_t id, roles;
    bool is_last = !memchr(text->ptr, ',', text->len);
    if (membership->count == RAFT_MEMBERS_MAX || !next_number(text, '=', &id) ||
        !next_number(text, is_last ? '\r' : ',', &roles) || roles > known || id == 0)
        return false;
    if (membership->count > 0 && membership->members[membership->count - 1].id >= id)
        return false;
    membership->members[membership->count++] =
        (struct raft_member){.id = id, .roles = (unsigned)roles};
    return true;
}

enum err members_parse(struct span payload, struct raft_membership *membership)
{
    size_t prefix_len = sizeof prefix - 1;
    membership->count = 0;
    if (payload.len <= prefix_len || memcmp(payload.ptr, prefix, prefix_len) != 0)
        return ERR_CORRUPT;
    struct span text = span_of(payload.ptr + prefix_len, payload.len - prefix_len);
    while (text.len > 1) {
        if (!next_member(&text, membership))
            return ERR_CORRUPT;
    }
    return text.len == 1 && text.ptr[0] == '\n' && membership->count > 0 ? ERR_NONE : ERR_CORRUPT;
}
