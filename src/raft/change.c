#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "raft/core.h"

/* Changes of membership by joint consensus (paper §6). A configuration is in force as soon as it is
 * in the log. If its entry is truncated, the one before is in force again. */

static struct raft_configuration *newest(const struct raft *raft)
{
    return &raft->configurations[raft->configuration_count - 1];
}

static void take_over(struct raft_progress *fresh, struct raft *raft, size_t old)
{
    *fresh = raft->progress[old];
    raft->progress[old].window = NULL;
}

/* This node in the membership; another incarnation of its id does not count. */
static const struct raft_member *self_in(const struct raft *raft,
                                         const struct raft_membership *membership)
{
    const struct raft_member *self = raft_membership_find(membership, raft->options.id);
    return self && self->incarnation == raft->options.incarnation ? self : NULL;
}

static size_t find_self(const struct raft *raft)
{
    const struct raft_member *self = self_in(raft, &raft->membership);
    return self ? (size_t)(self - raft->membership.members) : (size_t)NOT_A_MEMBER;
}

void raft_change_incarnation(struct raft *raft, uint64_t incarnation)
{
    ASSERT(incarnation != 0);
    raft->options.incarnation = incarnation;
    raft->self = find_self(raft);
    if (raft->role != RAFT_FOLLOWER)
        raft_follow(raft, raft->term, 0);
}

/* The progress of each member moves to its new position. */
static void adopt(struct raft *raft, const struct raft_membership *membership)
{
    struct raft_progress progress[RAFT_MEMBERS_MAX];
    for (size_t i = 0; i < membership->count; i++) {
        const struct raft_member *member = &membership->members[i];
        size_t old = raft_position_of(raft, member->id);
        if (old != NOT_A_MEMBER &&
            raft->membership.members[old].incarnation == member->incarnation) {
            take_over(&progress[i], raft, old);
            continue;
        }
        raft_progress_init(&progress[i], raft->options.appends_in_flight_max);
        raft_progress_reset(&progress[i], raft->log.last_index + 1, raft->now_ms);
    }
    for (size_t i = 0; i < raft->membership.count; i++)
        raft_progress_close(&raft->progress[i]);
    if (membership->count)
        memcpy(raft->progress, progress, membership->count * sizeof *progress);
    raft->update.membership_changed = true;
    raft->membership = *membership;
    raft->self = find_self(raft);
}

/* A node that an uncommitted entry removes or makes a learner may be the only one that can win an
 * election, because its log is longer than the others' (dissertation §4.2.2). */
bool raft_may_stand(const struct raft *raft)
{
    for (size_t i = raft->configuration_count; i-- > 0;) {
        const struct raft_member *self = self_in(raft, &raft->configurations[i].membership);
        if (self && (self->roles & (RAFT_VOTER | RAFT_VOTER_INCOMING)))
            return true;
        if (raft->configurations[i].index <= raft->commit)
            return false;
    }
    return false;
}

/* A node that lost its disk has forgotten its votes and acknowledgements. It has a new incarnation
 * and votes for nobody until its own log names that incarnation. A learner also votes: an entry
 * that makes it a voter may be on its way, and the candidate that has the entry needs the vote. The
 * candidate decides whose votes count. */
bool raft_may_vote(const struct raft *raft)
{
    for (size_t i = 0; i < raft->configuration_count; i++) {
        if (self_in(raft, &raft->configurations[i].membership))
            return true;
    }
    return false;
}

static struct raft_configuration *push(struct raft *raft)
{
    if (raft->configuration_count == raft->configuration_cap) {
        raft->configuration_cap = raft->configuration_cap ? raft->configuration_cap * 2 : 4;
        raft->configurations = mem_realloc(raft->configurations,
                                           raft->configuration_cap * sizeof *raft->configurations);
    }
    return &raft->configurations[raft->configuration_count++];
}

void raft_configurations_init(struct raft *raft)
{
    *push(raft) = (struct raft_configuration){.membership = raft->options.membership};
    adopt(raft, &raft->options.membership);
}

void raft_configurations_close(struct raft *raft)
{
    for (size_t i = 0; i < raft->membership.count; i++)
        raft_progress_close(&raft->progress[i]);
    mem_free(raft->configurations);
}

void raft_configurations_add(struct raft *raft, uint64_t index,
                             const struct raft_membership *membership)
{
    struct raft_membership copy = *membership; /* it may point into a configuration that moves */
    ASSERT(index > newest(raft)->index);
    *push(raft) = (struct raft_configuration){.index = index, .membership = copy};
    adopt(raft, &copy);
}

void raft_configurations_truncate(struct raft *raft, uint64_t last_index)
{
    if (newest(raft)->index <= last_index)
        return;
    while (newest(raft)->index > last_index)
        raft->configuration_count--;
    raft_note(raft, RAFT_MARK_CHANGE_TAKEN_BACK);
    adopt(raft, &newest(raft)->membership);
}

void raft_configurations_reset(struct raft *raft, uint64_t index,
                               const struct raft_membership *membership)
{
    struct raft_membership copy = *membership;
    raft->configuration_count = 0;
    *push(raft) = (struct raft_configuration){.index = index, .membership = copy};
    adopt(raft, &copy);
}

static size_t position_at(const struct raft *raft, uint64_t index)
{
    size_t at = raft->configuration_count - 1;
    while (at > 0 && raft->configurations[at].index > index)
        at--;
    return at;
}

void raft_configurations_compact(struct raft *raft, uint64_t index)
{
    size_t gone = position_at(raft, index);
    raft->configuration_count -= gone;
    for (size_t i = 0; gone && i < raft->configuration_count; i++)
        raft->configurations[i] = raft->configurations[i + gone];
}

const struct raft_membership *raft_membership_at(const struct raft *raft, uint64_t index)
{
    return &raft->configurations[position_at(raft, index)].membership;
}

/* The index of the entry that first names this member. A member whose log lacks this entry (it may
 * have only an older snapshot) does not vote (raft_may_vote()). */
static uint64_t named_since(const struct raft *raft, size_t position)
{
    const struct raft_member *member = &raft->membership.members[position];
    for (size_t i = 0; i < raft->configuration_count; i++) {
        const struct raft_configuration *configuration = &raft->configurations[i];
        const struct raft_member *named =
            raft_membership_find(&configuration->membership, member->id);
        if (named && named->incarnation == member->incarnation)
            return configuration->index;
    }
    return raft->log.last_index;
}

/* The member has nearly all entries of this leader, also the one that names it, and answered
 * lately. */
static bool is_caught_up(const struct raft *raft, size_t position, uint64_t now_ms)
{
    const struct raft_progress *progress = &raft->progress[position];
    return progress->state == RAFT_REPLICATE && progress->answered &&
           progress->match >= named_since(raft, position) &&
           raft->log.last_index - progress->match <= raft->options.entries_per_append_max &&
           now_ms < progress->contact_ms + raft->options.election_timeout_ms;
}

/* A change may keep a voter's incarnation, as voter or learner, or replace it by another
 * incarnation, as a learner to be promoted. */
static bool is_sound_for_a_voter(const struct raft *raft, size_t position,
                                 const struct raft_member *wanted)
{
    if (raft->membership.members[position].incarnation == wanted->incarnation)
        return wanted->roles == RAFT_VOTER || wanted->roles == RAFT_LEARNER;
    return wanted->roles == RAFT_PROMOTE && wanted->incarnation != 0 && position != raft->self;
}

static bool roles_are_sound(const struct raft *raft, const struct raft_membership *wanted)
{
    for (size_t i = 0; i < wanted->count; i++) {
        const struct raft_member *member = &wanted->members[i];
        if (member->roles != RAFT_LEARNER && member->roles != RAFT_VOTER &&
            member->roles != RAFT_PROMOTE && member->roles != RAFT_SPARE)
            return false;
        if (member->successor || (member->roles == RAFT_VOTER && member->incarnation == 0))
            return false;
        size_t position = raft_position_of(raft, member->id);
        if (position != NOT_A_MEMBER && raft_is_voter(raft, position) &&
            !is_sound_for_a_voter(raft, position, member))
            return false;
    }
    return raft_membership_has_voters(wanted);
}

static bool new_voters_are_caught_up(const struct raft *raft, const struct raft_membership *wanted,
                                     uint64_t now_ms)
{
    for (size_t i = 0; i < wanted->count; i++) {
        if (!(wanted->members[i].roles & RAFT_VOTER))
            continue;
        size_t position = raft_position_of(raft, wanted->members[i].id);
        if (position == NOT_A_MEMBER ||
            raft->membership.members[position].incarnation != wanted->members[i].incarnation)
            return false;
        if (!raft_is_voter(raft, position) && !is_caught_up(raft, position, now_ms))
            return false;
    }
    return true;
}

/* A member is alive if it has answered this leader within an election timeout. A new leader has
 * heard of nobody before the first answers. */
static bool is_alive(const struct raft *raft, size_t position, uint64_t now_ms)
{
    const struct raft_progress *progress = &raft->progress[position];
    return position == raft->self ||
           (progress->answered &&
            now_ms < progress->contact_ms + raft->options.election_timeout_ms);
}

/* Removing live voters while others are dead could leave no majority and stop the group for
 * good. */
static bool are_in_reach(const struct raft *raft, const struct raft_membership *wanted,
                         uint64_t now_ms)
{
    bool heard[RAFT_MEMBERS_MAX] = {false};
    for (size_t i = 0; i < wanted->count; i++) {
        size_t position = raft_position_of(raft, wanted->members[i].id);
        heard[i] = position != NOT_A_MEMBER && is_alive(raft, position, now_ms);
    }
    return raft_membership_has_majority(wanted, heard);
}

static bool change_is_committed(const struct raft *raft)
{
    return newest(raft)->index <= raft->commit && !raft_membership_is_joint(&raft->membership);
}

enum raft_refusal raft_change_refusal(const struct raft *raft, const struct raft_membership *wanted,
                                      uint64_t now_ms)
{
    struct raft_membership joint;
    if (raft->role != RAFT_LEADER)
        return RAFT_CHANGE_NOT_LEADER;
    if (raft->commit < raft->term_start)
        return RAFT_CHANGE_TOO_EARLY;
    if (!change_is_committed(raft))
        return RAFT_CHANGE_IN_PROGRESS;
    if (raft->transfer_target)
        return RAFT_CHANGE_TRANSFERRING;
    if (wanted->version < raft->membership.version || !roles_are_sound(raft, wanted))
        return RAFT_CHANGE_UNSOUND;
    if (!new_voters_are_caught_up(raft, wanted, now_ms))
        return RAFT_CHANGE_NOT_CAUGHT_UP;
    if (!raft_membership_enter(&raft->membership, wanted, &joint))
        return RAFT_CHANGE_TOO_MANY;
    if (raft_membership_equal(&raft->membership, wanted))
        return RAFT_CHANGE_NONE;
    return are_in_reach(raft, wanted, now_ms) ? RAFT_CHANGE_POSSIBLE : RAFT_CHANGE_OUT_OF_REACH;
}

static void append_change(struct raft *raft, const struct raft_membership *membership)
{
    raft->counters.membership_changes++;
    raft_replication_append_own(raft, RAFT_OWN_MEMBERSHIP, membership);
}

void raft_change_begin(struct raft *raft, const struct raft_membership *wanted)
{
    if (raft->role != RAFT_LEADER)
        return;
    enum raft_refusal refusal = raft_change_refusal(raft, wanted, raft->now_ms);
    ASSERT(refusal == RAFT_CHANGE_POSSIBLE || refusal == RAFT_CHANGE_OUT_OF_REACH);
    struct raft_membership joint;
    raft_membership_enter(&raft->membership, wanted, &joint);
    if (raft_membership_is_joint(&joint))
        raft_note(raft, RAFT_MARK_JOINT_ENTERED);
    append_change(raft, &joint);
}

static void leave_joint(struct raft *raft)
{
    struct raft_membership after;
    raft_membership_leave(&raft->membership, &after);
    raft_note(raft, RAFT_MARK_JOINT_LEFT);
    if (newest(raft)->index < raft->term_start)
        raft_note(raft, RAFT_MARK_JOINT_INHERITED);
    append_change(raft, &after);
}

/* Paper §6: a leader that is not in the new set leads until that set is committed. Then it hands
 * over to the most current voter. Until that one has all entries it goes on as the leader of the
 * others, takes no entries and does not count itself; after an election timeout it gives up. */
static void step_down(struct raft *raft)
{
    if (!raft->leaves) {
        raft->leaves = true;
        raft_note(raft, RAFT_MARK_LEADER_REMOVED);
        raft_transfer_begin(raft, 0);
    }
    raft_transfer_settle(raft);
    if (raft->transfer_target == 0 || raft->timeout_now_sent)
        raft_follow(raft, raft->term, 0);
}

static size_t count_of(const struct raft_membership *membership, unsigned roles)
{
    size_t count = 0;
    for (size_t i = 0; i < membership->count; i++)
        count += membership->members[i].roles == roles;
    return count;
}

/* How many of `spares` become voters beside `voters`. An even number of voters survives no more
 * deaths than one voter fewer, so the number becomes odd or stays as it is. */
static size_t spares_wanted(const struct raft *raft, size_t voters, size_t spares)
{
    size_t target = raft->options.voters_target;
    size_t more = voters < target ? target - voters : 0;
    if (more > spares)
        more = spares;
    if (more > 0 && (voters + more) % 2 == 0)
        more--;
    return more;
}

/* Makes voters of up to `most` caught-up learners with these roles; returns how many. */
static size_t promote(struct raft *raft, struct raft_membership *wanted, unsigned roles,
                      size_t most)
{
    size_t promoted = 0;
    for (size_t i = 0; i < wanted->count && promoted < most; i++) {
        if (wanted->members[i].roles != roles || !is_caught_up(raft, i, raft->now_ms))
            continue;
        wanted->members[i].roles = RAFT_VOTER;
        promoted++;
    }
    return promoted;
}

/* Asked in every step of a leader: usually nobody is to be promoted, and nothing is copied. */
static void promote_learners(struct raft *raft)
{
    if (count_of(&raft->membership, RAFT_PROMOTE) + count_of(&raft->membership, RAFT_SPARE) == 0)
        return;
    struct raft_membership wanted = raft->membership;
    size_t promoted = promote(raft, &wanted, RAFT_PROMOTE, wanted.count);
    struct raft_membership all = wanted;
    size_t ready = promote(raft, &all, RAFT_SPARE, all.count);
    promoted += promote(raft, &wanted, RAFT_SPARE,
                        spares_wanted(raft, count_of(&wanted, RAFT_VOTER), ready));
    if (promoted == 0 || raft_change_refusal(raft, &wanted, raft->now_ms) != RAFT_CHANGE_POSSIBLE)
        return;
    raft_note(raft, RAFT_MARK_LEARNER_PROMOTED);
    raft_change_begin(raft, &wanted);
}

void raft_set_voters_target(struct raft *raft, uint32_t target)
{
    raft->options.voters_target = target;
}

bool raft_may_append(const struct raft *raft)
{
    if (raft->role != RAFT_LEADER || !change_is_committed(raft))
        return true;
    const struct raft_membership *membership = &raft->membership;
    size_t voters = count_of(membership, RAFT_VOTER);
    return count_of(membership, RAFT_PROMOTE) > 0 ||
           spares_wanted(raft, voters, count_of(membership, RAFT_SPARE)) > 0 ||
           raft_meets_others(raft);
}

static bool take_in(struct raft *raft)
{
    struct raft_membership wanted;
    if (!raft_wants_to_take_in(raft, &wanted) ||
        raft_change_refusal(raft, &wanted, raft->now_ms) != RAFT_CHANGE_POSSIBLE)
        return false;
    raft_note(raft, RAFT_MARK_TAKEN_IN);
    raft_change_begin(raft, &wanted);
    return true;
}

void raft_change_settle(struct raft *raft)
{
    if (raft->role != RAFT_LEADER || raft->commit < raft->term_start ||
        newest(raft)->index > raft->commit)
        return;
    if (raft->update.append_count > 0)
        return; /* one range of entries per step; the next sync triggers the next one */
    if (raft_membership_is_joint(&raft->membership))
        leave_joint(raft);
    else if (raft->self == NOT_A_MEMBER || !raft_is_voter(raft, raft->self))
        step_down(raft);
    else if (!take_in(raft))
        promote_learners(raft);
}
