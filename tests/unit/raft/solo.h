/* One core, stepped by hand: what goes in is written out in the test, what comes out is looked at.
 * Node 1 of `voters` unless said otherwise; heartbeats every 50 ms, elections after 300 to 600. */
#ifndef FLOTILLA_TESTS_UNIT_RAFT_SOLO_H
#define FLOTILLA_TESTS_UNIT_RAFT_SOLO_H

#include "raft/raft.h"
#include "unit/support/test.h"

enum { HEARTBEAT_MS = 50, ELECTION_MS = 300, ENTRY_BYTES = 100 };

/* Incarnations: every member has the first one unless a test says otherwise. */
enum { FIRST_LIFE = 1, SECOND_LIFE = 2 };

static inline void solo_fill_incarnations(struct raft_membership *membership)
{
    for (size_t i = 0; i < membership->count; i++) {
        if (membership->members[i].incarnation == 0)
            membership->members[i].incarnation = FIRST_LIFE;
    }
}

static inline void solo_member_set(struct raft_membership *membership, uint64_t id, unsigned roles)
{
    raft_membership_set(membership, id, roles);
    solo_fill_incarnations(membership);
}

static inline struct raft *solo_raft(const struct raft_options *given,
                                     const struct raft_start *start, uint64_t now_ms)
{
    struct raft_options options = *given;
    solo_fill_incarnations(&options.membership);
    return raft_new(&options, start, now_ms);
}

struct solo {
    struct raft *raft;
    uint64_t now_ms;
    struct raft_update update;
};

static inline struct raft_options solo_options(uint64_t id, size_t voters)
{
    struct raft_options options = {
        .id = id,
        .incarnation = FIRST_LIFE,
        .heartbeat_ms = HEARTBEAT_MS,
        .election_timeout_ms = ELECTION_MS,
        .entries_per_append_max = 4,
        .bytes_per_append_max = 1000,
        .appends_in_flight_max = 3,
        .bytes_in_flight_max = 3000,
        .snapshot_chunk_bytes = 1000,
        .seed = id,
    };
    for (uint64_t voter = 1; voter <= voters; voter++)
        raft_membership_set(&options.membership, voter, RAFT_VOTER);
    return options;
}

/* The log begins behind a snapshot of `bytes` bytes at (index, term). */
static inline struct solo solo_open_snapshot(const struct raft_options *options, uint64_t index,
                                             uint64_t term, uint64_t bytes)
{
    struct solo solo = {.now_ms = 1000};
    struct raft_start start = {.hard_state = {.term = term},
                               .base_index = index,
                               .base_term = term,
                               .snapshot = {.index = index, .term = term, .bytes = bytes}};
    solo.raft = solo_raft(options, &start, solo.now_ms);
    return solo;
}

/* `terms`: of the entries from 1 on, ended by 0. */
static inline struct solo solo_open(const struct raft_options *options,
                                    struct raft_hard_state hard_state, const uint64_t *terms)
{
    struct solo solo = {.now_ms = 1000};
    struct raft_start start = {.hard_state = hard_state};
    solo.raft = solo_raft(options, &start, solo.now_ms);
    for (uint64_t i = 0; terms[i] != 0; i++) {
        struct raft_entry entry = {.index = i + 1, .term = terms[i], .bytes = ENTRY_BYTES};
        raft_load_entry(solo.raft, &entry);
    }
    return solo;
}

#define TERMS(...)                                                                                 \
    (const uint64_t[])                                                                             \
    {                                                                                              \
        __VA_ARGS__, 0                                                                             \
    }

static inline struct solo solo_new(size_t voters, uint64_t term, const uint64_t *terms)
{
    struct raft_options options = solo_options(1, voters);
    return solo_open(&options, (struct raft_hard_state){.term = term}, terms);
}

static inline void solo_close(struct solo *solo)
{
    raft_free(solo->raft);
}

static inline void solo_step(struct solo *solo, struct raft_event event)
{
    event.now_ms = solo->now_ms;
    raft_step(solo->raft, &event, &solo->update);
}

static inline void solo_tick(struct solo *solo, uint64_t after_ms)
{
    solo->now_ms += after_ms;
    solo_step(solo, (struct raft_event){.type = RAFT_EVENT_TICK});
}

static inline void solo_tick_at_deadline(struct solo *solo)
{
    uint64_t deadline = raft_deadline_ms(solo->raft);
    solo_tick(solo, deadline > solo->now_ms ? deadline - solo->now_ms : 0);
}

static inline void solo_receive(struct solo *solo, struct raft_message message)
{
    message.to = raft_id(solo->raft);
    if (message.from_incarnation == 0)
        message.from_incarnation = FIRST_LIFE;
    solo_step(solo, (struct raft_event){.type = RAFT_EVENT_MESSAGE, .message = &message});
}

static inline void solo_durable(struct solo *solo, uint64_t index, uint64_t term)
{
    solo_step(solo, (struct raft_event){.type = RAFT_EVENT_DURABLE,
                                        .durable = {.index = index, .term = term}});
}

static inline void solo_all_durable(struct solo *solo)
{
    solo_durable(solo, raft_last_index(solo->raft), raft_last_term(solo->raft));
}

static inline void solo_submit(struct solo *solo, size_t count)
{
    struct raft_entry entries[64];
    for (size_t i = 0; i < count; i++)
        entries[i] = (struct raft_entry){.index = raft_last_index(solo->raft) + 1 + i,
                                         .term = raft_term(solo->raft),
                                         .bytes = ENTRY_BYTES};
    solo_step(solo, (struct raft_event){.type = RAFT_EVENT_SUBMIT,
                                        .submit = {.entries = entries, .count = count}});
}

static inline void solo_read(struct solo *solo, uint64_t context)
{
    solo_step(solo, (struct raft_event){.type = RAFT_EVENT_READ, .read_context = context});
}

static inline void solo_peer_lost(struct solo *solo, uint64_t peer)
{
    solo_step(solo, (struct raft_event){.type = RAFT_EVENT_PEER_LOST, .peer = peer});
}

static inline void solo_peer_busy(struct solo *solo, uint64_t peer, uint32_t ms)
{
    struct raft_event event = {.type = RAFT_EVENT_PEER_BUSY};
    event.busy.peer = peer;
    event.busy.ms = ms;
    solo_step(solo, event);
}

static inline void solo_peer_alive(struct solo *solo, uint64_t peer)
{
    solo_step(solo, (struct raft_event){.type = RAFT_EVENT_PEER_ALIVE, .peer = peer});
}

/* The nth message of this type to this node in the last update, or NULL. */
static inline const struct raft_message *
solo_nth(const struct solo *solo, enum raft_message_type type, uint64_t to, size_t n)
{
    for (size_t i = 0; i < solo->update.message_count; i++) {
        const struct raft_message *message = &solo->update.messages[i];
        if (message->type == type && message->to == to && n-- == 0)
            return message;
    }
    return NULL;
}

static inline const struct raft_message *solo_sent(const struct solo *solo,
                                                   enum raft_message_type type, uint64_t to)
{
    return solo_nth(solo, type, to, 0);
}

static inline size_t solo_count(const struct solo *solo, enum raft_message_type type, uint64_t to)
{
    size_t count = 0;
    while (solo_nth(solo, type, to, count))
        count++;
    return count;
}

static inline void solo_vote_request(struct solo *solo, uint64_t from, bool pre, uint64_t term,
                                     uint64_t last_index, uint64_t last_term)
{
    solo_receive(
        solo, (struct raft_message){
                  .type = RAFT_VOTE_REQUEST,
                  .from = from,
                  .term = term,
                  .vote_request = {.pre = pre, .last_index = last_index, .last_term = last_term}});
}

static inline void solo_vote_response(struct solo *solo, uint64_t from, bool pre, uint64_t term,
                                      bool granted)
{
    solo_receive(
        solo, (struct raft_message){.type = RAFT_VOTE_RESPONSE,
                                    .from = from,
                                    .term = term,
                                    .vote_response = {.pre = pre,
                                                      .granted = granted,
                                                      .last_index = raft_last_index(solo->raft)}});
}

/* An append from `from` in `term`: entries of `terms` behind (prev_index, prev_term). */
static inline void solo_append(struct solo *solo, uint64_t from, uint64_t term, uint64_t prev_index,
                               uint64_t prev_term, uint64_t commit, const uint64_t *terms)
{
    struct raft_entry entries[64];
    size_t count = 0;
    for (; terms[count] != 0; count++)
        entries[count] = (struct raft_entry){
            .index = prev_index + 1 + count, .term = terms[count], .bytes = ENTRY_BYTES};
    solo_receive(solo, (struct raft_message){.type = RAFT_APPEND_REQUEST,
                                             .from = from,
                                             .term = term,
                                             .append_request = {.prev_index = prev_index,
                                                                .prev_term = prev_term,
                                                                .commit = commit,
                                                                .read_context = 7,
                                                                .first_index = prev_index + 1,
                                                                .entry_count = count,
                                                                .entries = entries}});
}

#define NO_ENTRIES ((const uint64_t[]){0})

static inline void solo_accepted(struct solo *solo, uint64_t from, uint64_t match,
                                 uint64_t read_context)
{
    solo_receive(solo, (struct raft_message){.type = RAFT_APPEND_RESPONSE,
                                             .from = from,
                                             .term = raft_term(solo->raft),
                                             .append_response = {.success = true,
                                                                 .match = match,
                                                                 .hint_index = match,
                                                                 .read_context = read_context}});
}

static inline void solo_rejected(struct solo *solo, uint64_t from, uint64_t prev,
                                 uint64_t hint_index, uint64_t hint_term)
{
    solo_receive(solo, (struct raft_message){.type = RAFT_APPEND_RESPONSE,
                                             .from = from,
                                             .term = raft_term(solo->raft),
                                             .append_response = {.rejected_prev = prev,
                                                                 .hint_index = hint_index,
                                                                 .hint_term = hint_term}});
}

static inline const struct raft_message *solo_response(const struct solo *solo, uint64_t to)
{
    const struct raft_message *response = solo_sent(solo, RAFT_APPEND_RESPONSE, to);
    assert_non_null(response);
    return response;
}

static inline bool solo_granted(const struct solo *solo, uint64_t to)
{
    const struct raft_message *response = solo_sent(solo, RAFT_VOTE_RESPONSE, to);
    return response && response->vote_response.granted;
}

static inline void solo_to_precandidate(struct solo *solo)
{
    solo_tick_at_deadline(solo);
    assert_int_equal(raft_role(solo->raft), RAFT_PRECANDIDATE);
}

static inline void solo_to_candidate(struct solo *solo)
{
    size_t voters = raft_membership(solo->raft)->count;
    solo_tick_at_deadline(solo); /* a lone voter is its own majority already */
    for (uint64_t voter = 2; voter <= voters / 2 + 1; voter++)
        solo_vote_response(solo, voter, true, raft_term(solo->raft) + 1, true);
    assert_int_equal(raft_role(solo->raft), RAFT_CANDIDATE);
}

/* Node 1 leads by the votes of itself, 2, ...; its no-op is the last entry and not durable. */
static inline void solo_to_leader(struct solo *solo)
{
    size_t voters = raft_membership(solo->raft)->count;
    solo_to_candidate(solo);
    uint64_t term = raft_term(solo->raft);
    for (uint64_t voter = 1; voter <= voters / 2 + 1; voter++)
        solo_vote_response(solo, voter, false, term, true);
    assert_int_equal(raft_role(solo->raft), RAFT_LEADER);
}

static inline struct raft_peer_status solo_peer(const struct solo *solo, uint64_t id)
{
    struct raft_status status;
    raft_status(solo->raft, &status);
    for (size_t i = 0; i < status.peer_count; i++) {
        if (status.peers[i].id == id)
            return status.peers[i];
    }
    fail_msg("no such peer");
    return status.peers[0];
}

static inline bool solo_marked(const struct solo *solo, enum raft_mark mark)
{
    return raft_marks(solo->raft) >> mark & 1;
}

/* ---- membership ---- */

struct solo_member {
    uint64_t id;
    unsigned roles;
};

/* Ended by id 0. */
static inline struct raft_membership solo_membership(const struct solo_member *list)
{
    struct raft_membership membership = {0};
    for (; list->id != 0; list++)
        raft_membership_set(&membership, list->id, list->roles);
    solo_fill_incarnations(&membership);
    return membership;
}

#define MEMBERS(...) solo_membership((const struct solo_member[]){__VA_ARGS__, {0, 0}})

static inline void solo_change(struct solo *solo, struct raft_membership wanted)
{
    solo_step(solo, (struct raft_event){.type = RAFT_EVENT_CHANGE, .change = &wanted});
}

static inline enum raft_refusal solo_refusal(const struct solo *solo, struct raft_membership wanted)
{
    return raft_change_refusal(solo->raft, &wanted, solo->now_ms);
}

static inline void assert_membership(const struct raft_membership *is,
                                     struct raft_membership wanted)
{
    assert_int_equal(is->count, wanted.count);
    for (size_t i = 0; i < is->count; i++) {
        assert_int_equal(is->members[i].id, wanted.members[i].id);
        assert_int_equal(is->members[i].roles, wanted.members[i].roles);
    }
}

/* An append of one entry of this term, which changes the membership. */
static inline void solo_append_change(struct solo *solo, uint64_t from, uint64_t term,
                                      uint64_t prev_index, uint64_t prev_term,
                                      struct raft_membership membership)
{
    struct raft_entry entry = {
        .index = prev_index + 1, .term = term, .bytes = ENTRY_BYTES, .membership = &membership};
    solo_receive(solo, (struct raft_message){.type = RAFT_APPEND_REQUEST,
                                             .from = from,
                                             .term = term,
                                             .append_request = {.prev_index = prev_index,
                                                                .prev_term = prev_term,
                                                                .first_index = prev_index + 1,
                                                                .entry_count = 1,
                                                                .entries = &entry}});
}

/* ---- transfer ---- */

static inline void solo_transfer(struct solo *solo, uint64_t target)
{
    solo_step(solo, (struct raft_event){.type = RAFT_EVENT_TRANSFER, .peer = target});
}

static inline void solo_timeout_now(struct solo *solo, uint64_t from, uint64_t term)
{
    solo_receive(solo, (struct raft_message){.type = RAFT_TIMEOUT_NOW, .from = from, .term = term});
}

/* ---- snapshots ---- */

static inline void solo_compact(struct solo *solo, uint64_t index, uint64_t bytes,
                                uint64_t first_index)
{
    struct raft_snapshot snapshot = {
        .index = index, .term = raft_term_of(solo->raft, index), .bytes = bytes};
    solo_step(solo,
              (struct raft_event){.type = RAFT_EVENT_COMPACT,
                                  .compact = {.snapshot = snapshot, .first_index = first_index}});
}

/* `bytes` of the snapshot from `offset` on. */
static inline void solo_chunk(struct solo *solo, uint64_t from, uint64_t term,
                              struct raft_snapshot snapshot, uint64_t offset, uint64_t bytes)
{
    solo_receive(solo, (struct raft_message){.type = RAFT_SNAPSHOT_REQUEST,
                                             .from = from,
                                             .term = term,
                                             .snapshot_request = {.index = snapshot.index,
                                                                  .term = snapshot.term,
                                                                  .offset = offset,
                                                                  .bytes = bytes,
                                                                  .total = snapshot.bytes}});
}

static inline void solo_chunk_answer(struct solo *solo, uint64_t from, uint64_t index,
                                     uint64_t offset)
{
    solo_receive(solo,
                 (struct raft_message){.type = RAFT_SNAPSHOT_RESPONSE,
                                       .from = from,
                                       .term = raft_term(solo->raft),
                                       .snapshot_response = {.index = index, .offset = offset}});
}

static inline void solo_installed(struct solo *solo, struct raft_snapshot snapshot,
                                  struct raft_membership membership)
{
    solo_step(solo,
              (struct raft_event){.type = RAFT_EVENT_INSTALLED,
                                  .installed = {.snapshot = snapshot, .membership = &membership}});
}

static inline void solo_install_failed(struct solo *solo, struct raft_snapshot snapshot)
{
    solo_step(solo, (struct raft_event){.type = RAFT_EVENT_INSTALL_FAILED,
                                        .installed = {.snapshot = snapshot}});
}

#endif
