#include "raft/core.h"

/* Remembers for each data folder the last committed entry that it acknowledged, as leaders have
 * told it. Committed entries are never truncated, so a folder whose log ends before that entry is
 * an older copy. It must not win an election, and its vote must not elect another node that lacks
 * the entry. */

static struct raft_witness *find(const struct raft *raft, uint64_t id, uint64_t incarnation)
{
    for (size_t i = 0; i < raft->witness_count; i++) {
        const struct raft_witness *witness = &raft->witnesses[i];
        if (witness->id == id && witness->incarnation == incarnation)
            return (struct raft_witness *)witness;
    }
    return NULL;
}

static bool is_of_a_member(const struct raft *raft, const struct raft_witness *witness)
{
    const struct raft_member *member = raft_membership_find(&raft->membership, witness->id);
    return member && member->incarnation == witness->incarnation;
}

/* In a full table a folder that is no member's gives up its place. */
static struct raft_witness *place(struct raft *raft)
{
    if (raft->witness_count < WITNESSES_MAX)
        return &raft->witnesses[raft->witness_count++];
    size_t at = 0;
    while (at + 1 < WITNESSES_MAX && is_of_a_member(raft, &raft->witnesses[at]))
        at++;
    return &raft->witnesses[at];
}

void raft_witness(struct raft *raft, uint64_t id, uint64_t incarnation, uint64_t index)
{
    if (id == 0 || incarnation == 0 || index == 0)
        return;
    struct raft_witness *witness = find(raft, id, incarnation);
    if (!witness) {
        witness = place(raft);
        *witness = (struct raft_witness){.id = id, .incarnation = incarnation};
    }
    if (index > witness->index)
        witness->index = index;
}

uint64_t raft_witnessed(const struct raft *raft, uint64_t id, uint64_t incarnation)
{
    const struct raft_witness *witness = find(raft, id, incarnation);
    return witness ? witness->index : 0;
}

size_t raft_witnesses(const struct raft *raft, struct raft_witness list[RAFT_MEMBERS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; raft->role == RAFT_LEADER && i < raft->membership.count; i++) {
        const struct raft_member *member = &raft->membership.members[i];
        uint64_t index = i == raft->self ? raft->durable : raft->progress[i].acknowledged;
        if (index > raft->commit)
            index = raft->commit;
        if (index > 0 && member->incarnation != 0)
            list[count++] = (struct raft_witness){
                .id = member->id, .incarnation = member->incarnation, .index = index};
    }
    return count;
}

void raft_witness_own(struct raft *raft)
{
    struct raft_witness list[RAFT_MEMBERS_MAX];
    size_t count = raft_witnesses(raft, list);
    for (size_t i = 0; i < count; i++)
        raft_witness(raft, list[i].id, list[i].incarnation, list[i].index);
}
