/* A membership as the payload of an ENTRY_MEMBERSHIP record: an annotation, which Redis skips.
 *
 *     #MEMBERS:<id>=<roles>,<id>=<roles>…\r\n     ids ascending, roles of enum raft_member_role
 */
#ifndef FLOTILLA_WIRE_MEMBERS_H
#define FLOTILLA_WIRE_MEMBERS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "raft/membership.h"

void members_encode(struct buf *out, const struct raft_membership *membership);

/* ERR_CORRUPT: not what members_encode() writes. */
MUST_CHECK enum err members_parse(struct span payload, struct raft_membership *membership);

#endif
