/* The rules of the paper (figure 3 above all), held against every step. Figures and sections are
 * those of the extended version. */
#include <string.h>

#include "sim/script/script.h"

#define U(value) ((unsigned long long)(value))

static bool is_same_entry(const struct entry *a, const struct entry *b)
{
    return a->term == b->term && a->kind == b->kind && strcmp(a->text, b->text) == 0 &&
           raft_membership_equal(&a->membership, &b->membership);
}

static uint64_t term_at(const struct image *image, uint64_t index)
{
    if (index == image->base_index)
        return image->base_term;
    return index > image->base_index && index <= image->last_index ? image->entries[index].term : 0;
}

/* Election safety, and leader completeness (§5.4). */
static void check_leader(struct world *world, const struct node *node)
{
    struct history *history = &world->history;
    uint64_t term = raft_term(node->raft);
    if (term >= TERMS_MAX)
        fail(world, "more than %d terms", TERMS_MAX);
    if (raft_role(node->raft) != RAFT_LEADER || history->leader_of_term[term] == node->id)
        return;
    if (history->leader_of_term[term])
        fail(world, "rule broken: %llu and %llu both lead term %llu",
             U(history->leader_of_term[term]), U(node->id), U(term));
    history->leader_of_term[term] = node->id;
    for (uint64_t i = node->memory.base_index + 1; i <= history->committed_last; i++) {
        if (i > node->memory.last_index ||
            !is_same_entry(&node->memory.entries[i], &history->committed[i]))
            fail(world, "rule broken: the leader of term %llu lacks the committed entry %llu",
                 U(term), U(i));
    }
}

/* A leader never takes back an entry of its log. */
static void check_append_only(struct world *world, const struct node *node,
                              const struct before *before, const struct raft_update *update)
{
    bool leads = before->role == RAFT_LEADER && raft_role(node->raft) == RAFT_LEADER &&
                 before->term == raft_term(node->raft);
    if (leads && (update->truncate || update->install))
        fail(world, "rule broken: the leader %llu drops entries of its log", U(node->id));
}

static void match_images(struct world *world, const struct image *a, const struct image *b)
{
    uint64_t last = a->last_index < b->last_index ? a->last_index : b->last_index;
    uint64_t base = a->base_index > b->base_index ? a->base_index : b->base_index;
    bool must_match = false;
    for (uint64_t i = last; i > base; i--) {
        must_match = must_match || a->entries[i].term == b->entries[i].term;
        if (must_match && !is_same_entry(&a->entries[i], &b->entries[i]))
            fail(world, "rule broken: two logs differ at %llu and agree behind it", U(i));
    }
    if (must_match && last >= base && base > 0 && term_at(a, base) && term_at(b, base) &&
        term_at(a, base) != term_at(b, base))
        fail(world, "rule broken: two logs differ at %llu and agree behind it", U(base));
}

/* Log matching (§5.3), of everything that is in a memory or on a disk. */
static void check_log_matching(struct world *world, const struct node *node)
{
    match_images(world, &node->memory, &node->disk);
    for (uint64_t id = 1; id <= NODES_MAX; id++) {
        const struct node *other = &world->nodes[id];
        if (other->id == 0 || other == node)
            continue;
        match_images(world, &node->memory, &other->disk);
        if (other->raft)
            match_images(world, &node->memory, &other->memory);
    }
}

static bool is_on_majority(const struct world *world, const struct raft_membership *membership,
                           uint64_t index, uint64_t term)
{
    bool holds[RAFT_MEMBERS_MAX] = {false};
    for (size_t i = 0; i < membership->count; i++) {
        const struct image *disk = &world->nodes[membership->members[i].id].disk;
        holds[i] = index < disk->base_index || term_at(disk, index) == term;
    }
    return raft_membership_has_majority(membership, holds);
}

/* Only a leader finds out first that something is committed: by what is on the disks of a majority
 * (of both, if joint), and only through an entry of its own term (§5.4.2, §6). What the old set
 * committed may be the reason for the new set of the same step. */
static void check_new_commit(struct world *world, const struct node *node,
                             const struct before *before, uint64_t commit)
{
    uint64_t term = node->memory.entries[commit].term;
    if (before->role != RAFT_LEADER)
        fail(world, "rule broken: %llu commits %llu, which no leader has committed", U(node->id),
             U(commit));
    if (term != before->term)
        fail(world, "rule broken: the leader %llu of term %llu commits an entry of term %llu",
             U(node->id), U(before->term), U(term));
    if (!is_on_majority(world, &before->membership, commit, term) &&
        !is_on_majority(world, raft_membership(node->raft), commit, term))
        fail(world, "rule broken: %llu commits %llu, which is not on the disks of a majority",
             U(node->id), U(commit));
}

/* State machine safety: what is committed stays as it is, everywhere. */
static void check_commit(struct world *world, struct node *node, const struct before *before,
                         const struct raft_update *update)
{
    struct history *history = &world->history;
    uint64_t commit = update->commit_index;
    if (commit < node->commit || commit > node->memory.last_index)
        fail(world, "rule broken: the commit index of %llu is %llu, was %llu, its log ends at %llu",
             U(node->id), U(commit), U(node->commit), U(node->memory.last_index));
    if (commit > history->committed_last)
        check_new_commit(world, node, before, commit);
    for (uint64_t i = node->memory.base_index + 1; i <= commit; i++) {
        if (i > history->committed_last)
            history->committed[++history->committed_last] = node->memory.entries[i];
        if (!is_same_entry(&node->memory.entries[i], &history->committed[i]))
            fail(world, "rule broken: %llu commits another entry %llu than was committed",
                 U(node->id), U(i));
    }
    node->commit = commit;
}

static void check_reads(struct world *world, const struct node *node,
                        const struct raft_update *update)
{
    for (size_t i = 0; i < update->read_count; i++) {
        const struct raft_read *read = &update->reads[i];
        if (raft_role(node->raft) != RAFT_LEADER)
            fail(world, "rule broken: %llu confirms a read without being leader", U(node->id));
        if (read->index < node->read_floor[read->context])
            fail(world, "rule broken: read %llu is stale: it sees %llu, %llu was committed before",
                 U(read->context), U(read->index), U(node->read_floor[read->context]));
    }
}

static bool has_own_commit(const struct node *node)
{
    uint64_t commit = node->commit;
    return term_at(&node->memory, commit) == raft_term(node->raft);
}

static unsigned roles_of(const struct raft_membership *membership, uint64_t id)
{
    const struct raft_member *member = raft_membership_find(membership, id);
    return member ? member->roles : 0;
}

/* The voters change through a joint membership only: into it both sets are there, out of it the
 * incoming ones remain. */
static bool is_allowed_change(const struct raft_membership *before,
                              const struct raft_membership *after)
{
    unsigned from = raft_membership_is_joint(before) ? RAFT_VOTER_INCOMING : RAFT_VOTER;
    if (raft_membership_is_joint(before) && raft_membership_is_joint(after))
        return false;
    for (uint64_t id = 1; id <= NODES_MAX; id++) {
        bool was = roles_of(before, id) & from, is = roles_of(after, id) & RAFT_VOTER;
        if (was != is)
            return false;
    }
    return true;
}

/* The erratum of 2015 to single-server changes holds here too: nothing is changed before an entry
 * of this term is committed, and one change at a time. */
static void check_change(struct world *world, const struct node *node, const struct before *before,
                         const struct raft_update *update)
{
    if (update->append_own != RAFT_OWN_MEMBERSHIP)
        return;
    if (!has_own_commit(node))
        fail(world, "rule broken: %llu changes the membership before it has committed anything",
             U(node->id));
    for (uint64_t i = node->commit + 1; i < update->append_first; i++) {
        if (node->memory.entries[i].kind == ENTRY_MEMBERSHIP)
            fail(world, "rule broken: %llu begins a change before that of entry %llu is committed",
                 U(node->id), U(i));
    }
    if (!is_allowed_change(&before->membership, update->append_membership))
        fail(world, "rule broken: %llu changes the voters at once", U(node->id));
}

/* What the core counts as durable is on the disk, but for what a truncation is about to drop. */
static void check_durable(struct world *world, const struct node *node)
{
    uint64_t durable = raft_durable_index(node->raft);
    if (durable > node->memory.base_index &&
        term_at(&node->disk, durable) != term_at(&node->memory, durable))
        fail(world, "rule broken: %llu takes %llu for durable, which is not on its disk",
             U(node->id), U(durable));
    if (raft_last_index(node->raft) != node->memory.last_index)
        fail(world, "rule broken: the core of %llu has %llu entries, its host %llu", U(node->id),
             U(raft_last_index(node->raft)), U(node->memory.last_index));
}

void check_step(struct world *world, struct node *node, const struct before *before,
                const struct raft_update *update)
{
    if (raft_term(node->raft) < before->term)
        fail(world, "rule broken: the term of %llu goes back", U(node->id));
    check_leader(world, node);
    check_append_only(world, node, before, update);
    check_log_matching(world, node);
    check_commit(world, node, before, update);
    check_reads(world, node, update);
    check_change(world, node, before, update);
    check_durable(world, node);
}

static void check_vote(struct world *world, const struct node *node,
                       const struct raft_message *message)
{
    uint64_t *told = &world->history.vote_told[node->id][message->term];
    if (*told && *told != message->to)
        fail(world, "rule broken: %llu votes for %llu and %llu in term %llu", U(node->id), U(*told),
             U(message->to), U(message->term));
    *told = message->to;
    if (node->disk.hard_state.term == message->term && node->disk.hard_state.vote != message->to)
        fail(world, "rule broken: %llu tells a vote that is not on its disk", U(node->id));
}

/* Figure 2: what is said of votes, terms and entries is on the disk before. Not checked: the term
 * of an answer to a heartbeat. Who is counted for an entry has that entry's term on its disk. */
void check_sending(struct world *world, const struct node *node, const struct raft_message *message)
{
    bool vote = message->type == RAFT_VOTE_RESPONSE && !message->vote_response.pre;
    bool candidacy = message->type == RAFT_VOTE_REQUEST && !message->vote_request.pre;
    if ((vote || candidacy) && node->disk.hard_state.term < message->term)
        fail(world, "rule broken: %llu speaks of term %llu before that is on its disk", U(node->id),
             U(message->term));
    if (vote && message->vote_response.granted)
        check_vote(world, node, message);
    if (message->type == RAFT_APPEND_RESPONSE && message->append_response.success &&
        message->term == raft_term(node->raft) &&
        message->append_response.match > node->disk.last_index)
        fail(world, "rule broken: %llu acknowledges %llu, its disk ends at %llu", U(node->id),
             U(message->append_response.match), U(node->disk.last_index));
}

/* What a node told the others survives its crash. */
void check_begins_empty(struct world *world, uint64_t id)
{
    memset(world->history.vote_told[id], 0, sizeof world->history.vote_told[id]);
}

void check_start(struct world *world, const struct node *node)
{
    for (uint64_t term = raft_term(node->raft) + 1; term < TERMS_MAX; term++) {
        if (world->history.vote_told[node->id][term])
            fail(world, "rule broken: %llu forgets that it voted in term %llu", U(node->id),
                 U(term));
    }
}

/* The pieces are all of one snapshot, in order, none twice. */
void check_chunk(struct world *world, const struct node *node, const struct raft_chunk *chunk,
                 const struct snapshot *snapshot)
{
    const struct reception *reception = &node->reception;
    if (reception->snapshot.serial != snapshot->serial ||
        snapshot->id.index != chunk->snapshot.index || snapshot->id.term != chunk->snapshot.term)
        fail(world, "rule broken: %llu mixes the pieces of two snapshots", U(node->id));
    if (reception->offset != chunk->offset)
        fail(world, "rule broken: %llu stores a piece at %llu, has %llu bytes", U(node->id),
             U(chunk->offset), U(reception->offset));
}

void check_read_begins(struct world *world, struct node *node, uint64_t context)
{
    if (context >= READS_MAX)
        fail(world, "more than %d reads", READS_MAX);
    node->read_floor[context] = world->history.committed_last;
}
