/* What happened, in one line each. "4:2" is index 4 with term 2. */
#include <stdio.h>

#include "sim/script/script.h"

#define U(value) ((unsigned long long)(value))

const char *message_type_name(const struct raft_message *message)
{
    switch (message->type) {
    case RAFT_VOTE_REQUEST:
        return message->vote_request.pre ? "prevote" : "vote";
    case RAFT_VOTE_RESPONSE:
        return message->vote_response.pre ? "prevote-answer" : "vote-answer";
    case RAFT_APPEND_REQUEST:
        return message->append_request.entry_count ? "append" : "heartbeat";
    case RAFT_APPEND_RESPONSE:
        return "append-answer";
    case RAFT_SNAPSHOT_REQUEST:
        return "snapshot";
    case RAFT_SNAPSHOT_RESPONSE:
        return "snapshot-answer";
    case RAFT_TIMEOUT_NOW:
        return "timeout-now";
    }
    return "";
}

static void print_members(struct buf *out, const struct raft_membership *membership,
                          const char *name, unsigned mask, unsigned roles)
{
    bool any = false;
    for (size_t i = 0; i < membership->count; i++) {
        if ((membership->members[i].roles & mask) != roles)
            continue;
        if (!any)
            buf_printf(out, "%s%s", out->len && out->ptr[out->len - 1] != ' ' ? " " : "", name);
        const struct raft_member *member = &membership->members[i];
        buf_printf(out, " %llu", U(member->id));
        if (member->incarnation != 1)
            buf_printf(out, "/%llu", U(member->incarnation));
        if (member->successor)
            buf_printf(out, ">%llu", U(member->successor));
        any = true;
    }
}

void print_membership(struct buf *out, const struct raft_membership *membership)
{
    if (membership->count == 0)
        buf_add_text(out, "nobody");
    print_members(out, membership, "voters", RAFT_VOTER, RAFT_VOTER);
    print_members(out, membership, "incoming", RAFT_VOTER_INCOMING, RAFT_VOTER_INCOMING);
    print_members(out, membership, "staying", RAFT_STAYS, RAFT_STAYS);
    print_members(out, membership, "promote", RAFT_PROMOTE, RAFT_PROMOTE);
    print_members(out, membership, "learners", ~0u, RAFT_LEARNER);
}

void print_entry(struct buf *out, uint64_t index, const struct entry *entry)
{
    buf_printf(out, "[%llu:%llu", U(index), U(entry->term));
    switch (entry->kind) {
    case ENTRY_TEXT:
        buf_printf(out, "%s%s", entry->text[0] ? " " : "", entry->text);
        break;
    case ENTRY_NOOP:
        buf_add_text(out, " no-op");
        break;
    case ENTRY_MEMBERSHIP:
        buf_add_char(out, ' ');
        print_membership(out, &entry->membership);
        break;
    }
    buf_add_char(out, ']');
}

static void print_append(struct buf *out, const struct flight *flight)
{
    const struct raft_message *message = &flight->message;
    buf_printf(out, ", prev %llu:%llu", U(message->append_request.prev_index),
               U(message->append_request.prev_term));
    for (size_t i = 0; i < message->append_request.entry_count; i++) {
        buf_add_char(out, ' ');
        print_entry(out, message->append_request.first_index + i, &flight->entries[i]);
    }
    buf_printf(out, ", commit %llu", U(message->append_request.commit));
    if (message->append_request.read_context)
        buf_printf(out, ", read %llu", U(message->append_request.read_context));
}

static void print_append_answer(struct buf *out, const struct raft_message *message)
{
    if (message->append_response.success) {
        buf_printf(out, ", match %llu", U(message->append_response.match));
        if (message->append_response.hint_index != message->append_response.match)
            buf_printf(out, " of %llu", U(message->append_response.hint_index));
    } else {
        buf_printf(out, ", rejected prev %llu, hint %llu:%llu",
                   U(message->append_response.rejected_prev),
                   U(message->append_response.hint_index), U(message->append_response.hint_term));
    }
    if (message->append_response.read_context)
        buf_printf(out, ", read %llu", U(message->append_response.read_context));
}

static void print_details(struct buf *out, const struct flight *flight)
{
    const struct raft_message *message = &flight->message;
    switch (message->type) {
    case RAFT_VOTE_REQUEST:
        buf_printf(out, ", last %llu:%llu%s", U(message->vote_request.last_index),
                   U(message->vote_request.last_term),
                   message->vote_request.transfer ? ", transfer" : "");
        return;
    case RAFT_VOTE_RESPONSE:
        buf_add_text(out, message->vote_response.granted ? ", granted" : ", refused");
        return;
    case RAFT_APPEND_REQUEST:
        print_append(out, flight);
        return;
    case RAFT_APPEND_RESPONSE:
        print_append_answer(out, message);
        return;
    case RAFT_SNAPSHOT_REQUEST:
        buf_printf(out, ", %llu:%llu bytes %llu-%llu of %llu", U(message->snapshot_request.index),
                   U(message->snapshot_request.term), U(message->snapshot_request.offset),
                   U(message->snapshot_request.offset + message->snapshot_request.bytes),
                   U(message->snapshot_request.total));
        return;
    case RAFT_SNAPSHOT_RESPONSE:
        buf_printf(out, ", %llu:%llu next byte %llu", U(message->snapshot_response.index),
                   U(message->snapshot_response.term), U(message->snapshot_response.offset));
        return;
    case RAFT_TIMEOUT_NOW:
        return;
    }
}

void print_flight(struct world *world, const char *before, const struct flight *flight,
                  const char *after)
{
    const struct raft_message *message = &flight->message;
    if (world->quiet)
        return;
    buf_printf(&world->out, "%s%llu -> %llu %s term %llu", before, U(message->from), U(message->to),
               message_type_name(message), U(message->term));
    print_details(&world->out, flight);
    buf_printf(&world->out, "%s\n", after);
}

void print_image(struct world *world, uint64_t id, const struct image *image, uint64_t commit)
{
    struct buf *out = &world->out;
    buf_printf(out, "%llu:", U(id));
    if (image->base_index)
        buf_printf(out, " (%llu:%llu)", U(image->base_index), U(image->base_term));
    for (uint64_t i = image->base_index + 1; i <= image->last_index; i++) {
        if (i == commit + 1)
            buf_add_text(out, " |");
        buf_add_char(out, ' ');
        print_entry(out, i, &image->entries[i]);
    }
    buf_add_char(out, '\n');
}

static const char *role_name(enum raft_role role)
{
    switch (role) {
    case RAFT_FOLLOWER:
        return "follower";
    case RAFT_PRECANDIDATE:
        return "precandidate";
    case RAFT_CANDIDATE:
        return "candidate";
    case RAFT_LEADER:
        return "leader";
    }
    return "";
}

void print_state(struct world *world, const struct node *node)
{
    const struct raft *raft = node->raft;
    char vote[32] = "", leader[32] = "";
    if (raft_vote(raft))
        snprintf(vote, sizeof vote, ", vote %llu", U(raft_vote(raft)));
    if (raft_leader(raft) && raft_role(raft) != RAFT_LEADER)
        snprintf(leader, sizeof leader, ", leader %llu", U(raft_leader(raft)));
    say(world, "%llu is %s of term %llu%s%s", U(node->id), role_name(raft_role(raft)),
        U(raft_term(raft)), vote, leader);
}

static void print_peer(struct world *world, const struct raft_peer_status *peer)
{
    static const char *const states[] = {
        [RAFT_PROBE] = "probe", [RAFT_REPLICATE] = "replicate", [RAFT_SNAPSHOT] = "snapshot"};
    char more[64] = "";
    if (peer->state == RAFT_SNAPSHOT)
        snprintf(more, sizeof more, ", has %llu bytes", U(peer->snapshot_offset));
    say(world, "  %llu: %s, match %llu, next %llu, in flight %u%s%s", U(peer->id),
        states[peer->state], U(peer->match), U(peer->next), peer->in_flight, more,
        peer->last_contact_ms ? "" : ", silent");
}

static void print_extras(struct world *world, const struct raft_status *status)
{
    if (status->snapshot.index)
        say(world, "  snapshot %llu:%llu", U(status->snapshot.index), U(status->snapshot.term));
    if (status->receiving_index)
        say(world, "  receives snapshot at %llu, %llu of %llu bytes", U(status->receiving_index),
            U(status->receiving_offset), U(status->receiving_bytes));
    if (status->transfer_target)
        say(world, "  hands over to %llu", U(status->transfer_target));
    if (status->lease_until_ms > world->now_ms)
        say(world, "  lease for %llu ms", U(status->lease_until_ms - world->now_ms));
    if (status->reads_waiting)
        say(world, "  %zu reads wait", status->reads_waiting);
}

void print_status(struct world *world, const struct node *node)
{
    struct raft_status status;
    raft_status(node->raft, &status);
    print_state(world, node);
    say(world, "  log %llu to %llu:%llu, durable %llu, commit %llu", U(status.first_index),
        U(status.last_index), U(status.last_term), U(status.durable_index), U(status.commit_index));
    struct buf members = {0};
    print_membership(&members, raft_membership(node->raft));
    buf_add_char(&members, 0);
    say(world, "  %s, since %llu%s", members.ptr, U(status.change_index),
        status.change_is_committed ? "" : " (not committed)");
    buf_close(&members);
    print_extras(world, &status);
    for (size_t i = 0; status.role == RAFT_LEADER && i < status.peer_count; i++)
        print_peer(world, &status.peers[i]);
}
