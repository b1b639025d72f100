/* A membership as the payload of an ENTRY_MEMBERSHIP record: annotations, which Redis skips. One
 * line for each member, for Redis reads no annotation that is longer than 1,023 bytes:
 *
 *     #VERSION:<version>\r\n
 *     #MEMBER:<id>:<roles>:<incarnation>:<successor>:<address>\r\n
 *
 * The first line says what all members speak (wire/hello.h). It is missing until they have agreed
 * on more than version 2: nodes of that version know no such line. Ids ascend, roles are those of
 * enum raft_member_role, incarnations are lower-case hexadecimal. The address has no blanks or
 * control characters; it may be empty. */
#ifndef FLOTILLA_WIRE_MEMBERS_H
#define FLOTILLA_WIRE_MEMBERS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "raft/membership.h"

void members_encode(struct buf *out, const struct raft_membership *membership);

/* ERR_CORRUPT: members_encode() cannot have written it. The text of version 1,
 * "#MEMBERS:<id>=<roles>,<id>=<roles>…\r\n", is accepted too: its members get incarnation 0 and no
 * address. ERR_FOREIGN: the members speak a version that this node does not know. */
MUST_CHECK enum err members_parse(struct span payload, struct raft_membership *membership);

#endif
