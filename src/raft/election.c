#include "base/assert.h"
#include "raft/core.h"

static uint64_t random_ms(struct raft *raft, uint64_t from, uint64_t span)
{
    return raft->now_ms + from + prng_below(&raft->prng, span);
}

void raft_election_timer_restart(struct raft *raft)
{
    uint32_t timeout = raft->options.election_timeout_ms;
    raft->election_deadline_ms = random_ms(raft, timeout, timeout);
    if (raft->leader && raft->leader_busy_until_ms > raft->now_ms)
        raft->election_deadline_ms += raft->leader_busy_until_ms - raft->now_ms;
}

bool raft_leader_is_alive(const struct raft *raft)
{
    if (raft->role == RAFT_LEADER)
        return true;
    if (raft->options.lease_drift_percent) /* a promise holds even if the leader died */
        return raft->now_ms < raft->no_vote_before_ms;
    return raft->leader != 0 && (raft->now_ms < raft->leader_busy_until_ms ||
                                 raft->now_ms < raft->heard_ms + raft->options.election_timeout_ms);
}

void raft_follow(struct raft *raft, uint64_t term, uint64_t leader)
{
    ASSERT(term >= raft->term);
    if (raft->role == RAFT_LEADER) {
        raft_witness_own(raft);
        raft_election_timer_restart(raft);
        raft_transfer_end(raft);
        raft->leaves = false;
    }
    raft->role = RAFT_FOLLOWER;
    if (term > raft->term) {
        raft->term = term;
        raft->vote = 0;
    }
    if (leader != raft->leader)
        raft->leader_busy_until_ms = 0;
    raft->leader = leader;
    if (leader == 0)
        return;
    raft->heard_ms = raft->now_ms;
    raft->no_vote_before_ms = raft->now_ms + raft->options.election_timeout_ms;
    raft->leader_lost = false;
    raft_election_timer_restart(raft);
}

static void forget_votes(struct raft *raft)
{
    for (size_t i = 0; i < RAFT_MEMBERS_MAX; i++) {
        raft->granted[i] = false;
        raft->refused[i] = false;
    }
    /* The dead leader cannot vote. Not counting it reveals a split vote at once. */
    size_t dead = raft->leader_lost ? raft_position_of(raft, raft->last_leader) : NOT_A_MEMBER;
    if (dead != NOT_A_MEMBER)
        raft->refused[dead] = true;
}

static void ask_for_votes(struct raft *raft, bool pre, bool transfer)
{
    for (size_t i = 0; i < raft->membership.count; i++) {
        uint64_t id = raft->membership.members[i].id;
        if (id == raft->options.id || !raft_is_voter(raft, i))
            continue;
        struct raft_message *request = raft_message_add(raft, RAFT_VOTE_REQUEST, id);
        request->term = pre ? raft->term + 1 : raft->term;
        /* A vote is given for this log. If the request left before the log is durable, a crash
         * could shorten the log. After a restart the node could ask again in the same term, and the
         * first answer would elect a node that lacks entries that the voter saw. */
        request->when_durable = !pre;
        request->vote_request.pre = pre;
        request->vote_request.transfer = transfer;
        request->vote_request.last_index = raft->log.last_index;
        request->vote_request.last_term = raft_log_last_term(&raft->log);
    }
}

static void start_election(struct raft *raft, bool transfer)
{
    raft->role = RAFT_CANDIDATE;
    raft->term++;
    raft->vote = raft->options.id;
    raft->leader = 0;
    raft->counters.elections_started++;
    forget_votes(raft);
    raft_election_timer_restart(raft);
    ask_for_votes(raft, false, transfer);
    /* The node's own vote counts when it is durable, like any other. */
    struct raft_message *own = raft_message_add(raft, RAFT_VOTE_RESPONSE, raft->options.id);
    own->when_durable = true;
    own->vote_response.granted = true;
    own->vote_response.last_index = raft->log.last_index;
}

/* If the leader's process is known to be dead, there is no need to wait for a timeout. A short
 * random delay keeps candidates apart. */
static void retry_soon(struct raft *raft)
{
    uint32_t heartbeat = raft->options.heartbeat_ms;
    raft->election_deadline_ms = random_ms(raft, heartbeat, heartbeat);
}

static void start_prevote(struct raft *raft)
{
    raft->role = RAFT_PRECANDIDATE;
    raft->leader = 0;
    raft->counters.prevotes_started++;
    forget_votes(raft);
    if (raft->self != NOT_A_MEMBER)
        raft->granted[raft->self] = true;
    if (raft_membership_has_majority(&raft->membership, raft->granted)) {
        start_election(raft, false);
        return;
    }
    if (raft->leader_lost)
        retry_soon(raft);
    else
        raft_election_timer_restart(raft);
    ask_for_votes(raft, true, false);
}

/* The only voter need not wait for others, unless a leader that is about to leave still leads. */
static bool is_only_voter(const struct raft *raft)
{
    if (!raft_may_stand(raft))
        return false;
    for (size_t i = 0; i < raft->membership.count; i++)
        if (i != raft->self && raft_is_voter(raft, i))
            return false;
    return true;
}

uint64_t raft_election_due_ms(const struct raft *raft)
{
    bool at_once = raft->role == RAFT_FOLLOWER && raft->leader == 0 &&
                   raft->options.lease_drift_percent == 0 && is_only_voter(raft);
    return at_once ? raft->now_ms : raft->election_deadline_ms;
}

void raft_election_tick(struct raft *raft)
{
    if (raft->now_ms < raft_election_due_ms(raft))
        return;
    if (raft_may_stand(raft))
        start_prevote(raft);
}

void raft_election_peer_lost(struct raft *raft, uint64_t peer)
{
    if (raft->role != RAFT_FOLLOWER || raft->leader != peer || raft->options.lease_drift_percent)
        return;
    raft->leader = 0;
    raft->leader_lost = true;
    uint64_t soon = random_ms(raft, 1, raft->options.heartbeat_ms);
    if (soon < raft->election_deadline_ms)
        raft->election_deadline_ms = soon;
}

/* While a long message is arriving, the leader is not silent, even if that takes longer than an
 * election timeout. */
void raft_election_peer_alive(struct raft *raft, uint64_t peer)
{
    if (raft->role != RAFT_FOLLOWER || raft->leader != peer)
        return;
    raft->heard_ms = raft->now_ms;
    raft_election_timer_restart(raft);
}

/* A node that announced that it is busy counts as alive. Leases stay valid: followers only vote
 * later than they promised, and a lease rests only on their answers. */
void raft_note_busy(struct raft *raft, uint64_t peer, uint32_t ms)
{
    uint64_t until_ms = raft->now_ms + (ms < RAFT_BUSY_MS_MAX ? ms : RAFT_BUSY_MS_MAX);
    size_t position = raft_position_of(raft, peer);
    if (peer == raft->options.id) {
        raft->busy_until_ms = until_ms;
    } else if (raft->role == RAFT_LEADER) {
        if (position != NOT_A_MEMBER && raft_is_reachable(raft, position))
            raft->progress[position].busy_until_ms = until_ms;
    } else if (raft->role == RAFT_FOLLOWER && raft->leader == peer) {
        raft->leader_busy_until_ms = until_ms;
        raft_election_timer_restart(raft);
    }
}

/* The leader hands over: start an election without PreVote and without waiting. A request of an
 * older term, or of a leader that another one has replaced, is ignored. */
void raft_handle_timeout_now(struct raft *raft, const struct raft_message *message)
{
    if (message->term < raft->term || raft->role != RAFT_FOLLOWER ||
        raft->leader != message->from || raft->self == NOT_A_MEMBER ||
        !raft_is_voter(raft, raft->self)) {
        raft_note(raft, RAFT_MARK_TIMEOUT_NOW_STALE);
        return;
    }
    start_election(raft, true);
}

/* Paper §5.4.1. */
static bool log_is_current(const struct raft *raft, const struct raft_message *request)
{
    uint64_t last_term = raft_log_last_term(&raft->log);
    if (request->vote_request.last_term != last_term)
        return request->vote_request.last_term > last_term;
    return request->vote_request.last_index >= raft->log.last_index;
}

/* A candidate that lacks what it acknowledged is an older copy of its folder. Those that have it
 * may be gone. */
static bool has_what_it_acknowledged(const struct raft *raft, const struct raft_message *request)
{
    return request->vote_request.last_index >=
           raft_witnessed(raft, request->from, request->from_incarnation);
}

static struct raft_message *answer_vote(struct raft *raft, const struct raft_message *request,
                                        bool granted)
{
    struct raft_message *response = raft_message_add(raft, RAFT_VOTE_RESPONSE, request->from);
    response->vote_response.pre = request->vote_request.pre;
    response->vote_response.granted = granted;
    response->vote_response.last_index = raft->log.last_index;
    response->vote_response.to_incarnation = request->from_incarnation;
    response->vote_response.witnessed =
        raft_witnessed(raft, request->from, request->from_incarnation);
    return response;
}

static void answer_prevote(struct raft *raft, const struct raft_message *request)
{
    bool granted = request->term > raft->term && raft_may_vote(raft) &&
                   !raft_leader_is_alive(raft) && log_is_current(raft, request) &&
                   has_what_it_acknowledged(raft, request);
    /* The candidate now starts a real election; standing against it would split the vote. */
    if (granted && raft->role == RAFT_FOLLOWER && raft->leader_lost)
        retry_soon(raft);
    struct raft_message *response = answer_vote(raft, request, granted);
    /* A refusal carries this node's term. Otherwise a candidate that is behind only in its term
     * would be refused for ever. */
    if (granted)
        response->term = request->term;
}

void raft_handle_vote_request(struct raft *raft, const struct raft_message *request)
{
    if (request->vote_request.pre) {
        answer_prevote(raft, request);
        return;
    }
    bool is_free = raft->vote == request->from || (raft->vote == 0 && raft->leader == 0);
    bool promised = raft->options.lease_drift_percent && !request->vote_request.transfer &&
                    raft_leader_is_alive(raft);
    bool granted = request->term == raft->term && raft_may_vote(raft) && is_free && !promised &&
                   log_is_current(raft, request) && has_what_it_acknowledged(raft, request);
    if (granted) {
        raft->vote = request->from;
        raft_election_timer_restart(raft);
    }
    answer_vote(raft, request, granted)->when_durable = true;
}

static void win(struct raft *raft)
{
    raft->role = RAFT_LEADER;
    raft->leader = raft->options.id;
    raft->leader_lost = false;
    raft->counters.elections_won++;
    raft_reads_begin(raft);
    raft_replication_begin(raft);
}

static void note_refusal(struct raft *raft, size_t position)
{
    bool open[RAFT_MEMBERS_MAX];
    raft->refused[position] = true;
    for (size_t i = 0; i < RAFT_MEMBERS_MAX; i++)
        open[i] = raft->granted[i] || !raft->refused[i];
    if (raft->role != RAFT_CANDIDATE || raft_membership_has_majority(&raft->membership, open))
        return;
    raft_note(raft, RAFT_MARK_SPLIT_VOTE);
    raft_follow(raft, raft->term, 0);
    if (raft->leader_lost)
        retry_soon(raft);
}

/* This node decides by its own log, because the answer may be late: the candidate may have
 * acknowledged more since it asked. */
static bool is_void(const struct raft *raft, const struct raft_message *response)
{
    return response->vote_response.to_incarnation == raft->options.incarnation &&
           response->vote_response.witnessed > raft->log.last_index;
}

/* The vote of a folder that was set back may stand for entries that it no longer has. */
static bool counts(const struct raft *raft, const struct raft_message *response)
{
    return response->vote_response.granted &&
           response->vote_response.last_index >=
               raft_witnessed(raft, response->from, response->from_incarnation);
}

void raft_handle_vote_response(struct raft *raft, const struct raft_message *response)
{
    bool pre = response->vote_response.pre;
    bool granted = response->vote_response.granted;
    if (raft->role != (pre ? RAFT_PRECANDIDATE : RAFT_CANDIDATE))
        return;
    if (response->term != (pre && granted ? raft->term + 1 : raft->term))
        return;
    if (is_void(raft, response))
        raft->update.incarnation_is_void = true;
    size_t position = raft_position_of_sender(raft, response);
    if (position == NOT_A_MEMBER)
        return;
    if (!counts(raft, response)) {
        note_refusal(raft, position);
        return;
    }
    raft->granted[position] = true;
    if (!raft_membership_has_majority(&raft->membership, raft->granted))
        return;
    if (pre)
        start_election(raft, false);
    else
        win(raft);
}
