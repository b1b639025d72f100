/* A membership as the payload of an ENTRY_MEMBERSHIP record: annotations, which Redis skips. One
 * line for each member, for Redis reads no annotation that is longer than 1,023 bytes:
 *
 *     #MEMBER:<id>:<roles>:<incarnation>:<successor>:<address>\r\n
 *
 * Ids ascend, roles are those of enum raft_member_role, incarnations are lower-case hexadecimal.
 * The address has no blanks or control characters; it may be empty. */
#ifndef FLOTILLA_WIRE_MEMBERS_H
#define FLOTILLA_WIRE_MEMBERS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "raft/membership.h"

void members_encode(struct buf *out, const struct raft_membership *membership);

/* ERR_CORRUPT: members_encode() cannot have written it. The text of version 1,
 * "#MEMBERS:<id>=<roles>,<id>=<roles>…\r\n", is accepted too: its members get incarnation 0 and no
 * address. */
MUST_CHECK enum err members_parse(struct span payload, struct raft_membership *membership);

#endif
