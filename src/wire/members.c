#include "wire/members.h"

#include "base/number.h"
#include "wire/hello.h"

enum { ROLES_KNOWN = RAFT_VOTER | RAFT_VOTER_INCOMING | RAFT_PROMOTE | RAFT_STAYS };

static const char prefix[] = "#MEMBER:";
static const char prefix_v1[] = "#MEMBERS:";
static const char prefix_version[] = "#VERSION:";

void members_encode(struct buf *out, const struct raft_membership *membership)
{
    if (membership->version > WIRE_VERSION_OLDEST)
        buf_printf(out, "%s%u\r\n", prefix_version, (unsigned)membership->version);
    for (size_t i = 0; i < membership->count; i++) {
        const struct raft_member *member = &membership->members[i];
        buf_printf(out, "%s%llu:%u:%llx:%llx:%s\r\n", prefix, (unsigned long long)member->id,
                   member->roles, (unsigned long long)member->incarnation,
                   (unsigned long long)member->successor, member->address);
    }
}

static bool take_prefix(struct span *text, const char *wanted)
{
    size_t len = strlen(wanted);
    if (text->len < len || memcmp(text->ptr, wanted, len) != 0)
        return false;
    *text = span_of(text->ptr + len, text->len - len);
    return true;
}

/* Takes the text before `end`, and `end`, off the front of `text`. */
static bool next_field(struct span *text, char end, struct span *field)
{
    const char *stop = text->len ? memchr(text->ptr, end, text->len) : NULL;
    if (!stop)
        return false;
    *field = span_of(text->ptr, (size_t)(stop - text->ptr));
    *text = span_of(stop + 1, text->len - field->len - 1);
    return true;
}

static bool next_number(struct span *text, char end, uint64_t *value)
{
    struct span field;
    return next_field(text, end, &field) && number_parse_u64(field, value);
}

static bool next_hex(struct span *text, uint64_t *value)
{
    struct span field;
    if (!next_field(text, ':', &field) || field.len == 0 || field.len > 16 ||
        (field.len > 1 && field.ptr[0] == '0'))
        return false;
    *value = 0;
    for (size_t i = 0; i < field.len; i++) {
        char digit = field.ptr[i];
        if (digit >= '0' && digit <= '9')
            *value = *value << 4 | (uint64_t)(digit - '0');
        else if (digit >= 'a' && digit <= 'f')
            *value = *value << 4 | (uint64_t)(digit - 'a' + 10);
        else
            return false;
    }
    return true;
}

static bool next_address(struct span *text, char address[RAFT_ADDRESS_MAX])
{
    struct span field;
    if (!next_field(text, '\r', &field) || field.len >= RAFT_ADDRESS_MAX)
        return false;
    for (size_t i = 0; i < field.len; i++) {
        if (field.ptr[i] <= ' ' || field.ptr[i] > '~')
            return false;
    }
    memcpy(address, field.ptr, field.len);
    return take_prefix(text, "\n");
}

/* Checks the member's place in the order, then adds it. */
static bool add_member(struct raft_membership *membership, const struct raft_member *member)
{
    size_t count = membership->count;
    if (count == RAFT_MEMBERS_MAX || member->id == 0 ||
        (count > 0 && membership->members[count - 1].id >= member->id))
        return false;
    membership->members[membership->count++] = *member;
    return true;
}

static bool next_roles(struct span *text, struct raft_member *member)
{
    uint64_t roles;
    if (!next_number(text, ':', &roles) || roles > ROLES_KNOWN)
        return false;
    member->roles = (unsigned)roles;
    return true;
}

static bool next_member(struct span *text, struct raft_membership *membership)
{
    struct raft_member member = {0};
    return take_prefix(text, prefix) && next_number(text, ':', &member.id) &&
           next_roles(text, &member) && next_hex(text, &member.incarnation) &&
           next_hex(text, &member.successor) && next_address(text, member.address) &&
           add_member(membership, &member);
}

/* In the log the line ends with "\r\n", in a snapshot with the text's end. */
static struct span without_line_end(struct span text)
{
    bool has_end = text.len >= 2 && memcmp(text.ptr + text.len - 2, "\r\n", 2) == 0;
    return span_of(text.ptr, text.len - (has_end ? 2 : 0));
}

static bool next_member_v1(struct span *text, struct raft_membership *membership)
{
    struct raft_member member = {0};
    uint64_t roles;
    struct span last;
    if (!next_number(text, '=', &member.id))
        return false;
    if (!next_field(text, ',', &last)) {
        last = *text;
        text->len = 0;
    } else if (text->len == 0) {
        return false;
    }
    if (!number_parse_u64(last, &roles) || roles > ROLES_KNOWN)
        return false;
    member.roles = (unsigned)roles;
    return add_member(membership, &member);
}

static enum err parse_v1(struct span text, struct raft_membership *membership)
{
    text = without_line_end(text);
    while (text.len > 0) {
        if (!next_member_v1(&text, membership))
            return ERR_CORRUPT;
    }
    return membership->count > 0 ? ERR_NONE : ERR_CORRUPT;
}

/* Takes the line off the front of `text`, if it is there. */
static enum err take_version(struct span *text, uint32_t *version)
{
    uint64_t number;
    if (!take_prefix(text, prefix_version))
        return ERR_NONE;
    if (!next_number(text, '\r', &number) || !take_prefix(text, "\n") ||
        number <= WIRE_VERSION_OLDEST)
        return ERR_CORRUPT;
    if (number > WIRE_VERSION)
        return ERR_FOREIGN;
    *version = (uint32_t)number;
    return ERR_NONE;
}

enum err members_parse(struct span payload, struct raft_membership *membership)
{
    membership->count = 0;
    membership->version = 0;
    if (take_prefix(&payload, prefix_v1))
        return parse_v1(payload, membership);
    enum err err = take_version(&payload, &membership->version);
    if (err)
        return err;
    while (payload.len > 0) {
        if (!next_member(&payload, membership))
            return ERR_CORRUPT;
    }
    return membership->count > 0 ? ERR_NONE : ERR_CORRUPT;
}
