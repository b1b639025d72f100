#include "base/assert.h"
#include "raft/core.h"

static struct raft_message *respond(struct raft *raft, const struct raft_message *request,
                                    bool success)
{
    struct raft_message *response = raft_message_add(raft, RAFT_APPEND_RESPONSE, request->from);
    response->when_durable = raft_hard_state_differs(raft);
    response->append_response.success = success;
    response->append_response.no_room = raft->no_room;
    return response;
}

static void reject(struct raft *raft, const struct raft_message *request)
{
    struct raft_message *response = respond(raft, request, false);
    /* An append of an older term confirms no read and says nothing about the logs, even if its
     * sender is leader again when the answer arrives. */
    if (request->term < raft->term)
        return;
    uint64_t prev = request->append_request.prev_index;
    response->append_response.rejected_prev = prev;
    uint64_t hint = raft_log_find_agreement(&raft->log, prev, request->append_request.prev_term);
    response->append_response.read_context = request->append_request.read_context;
    response->append_response.sent_ms = request->append_request.sent_ms;
    response->append_response.hint_index = hint;
    response->append_response.hint_term = raft_log_term_of(&raft->log, hint);
}

static bool prev_agrees(struct raft *raft, const struct raft_message *request)
{
    uint64_t prev = request->append_request.prev_index;
    if (prev < raft->log.base_index) {
        raft_note(raft, RAFT_MARK_APPEND_BELOW_BASE);
        return true; /* a snapshot has only committed entries, and those agree */
    }
    if (prev > raft->log.last_index)
        return false;
    return raft_log_term_of(&raft->log, prev) == request->append_request.prev_term;
}

/* Counts the request's entries that the log has already. */
static size_t count_known(const struct raft *raft, const struct raft_message *request)
{
    size_t known = 0;
    for (; known < request->append_request.entry_count; known++) {
        const struct raft_entry *entry = &request->append_request.entries[known];
        ASSERT(entry->index == request->append_request.prev_index + 1 + known);
        if (entry->index > raft->log.last_index)
            break;
        if (entry->index > raft->log.base_index &&
            raft_log_term_of(&raft->log, entry->index) != entry->term)
            break;
    }
    return known;
}

/* Only a real conflict truncates: a late old append must not remove the entries after it (paper
 * §5.3). */
static void truncate_conflict(struct raft *raft, uint64_t first_conflict)
{
    ASSERT(first_conflict > raft->commit);
    raft_note(raft, RAFT_MARK_TRUNCATED);
    raft_log_truncate(&raft->log, first_conflict - 1);
    raft_configurations_truncate(raft, first_conflict - 1);
    raft->update.truncate = true;
    raft->update.truncate_after = first_conflict - 1;
    if (raft->durable >= first_conflict) {
        raft_note(raft, RAFT_MARK_TRUNCATED_DURABLE);
        raft->durable = first_conflict - 1;
    }
    /* None of the dropped entries was of this leader's term. So a durable entry of this term or a
     * later one was written after this truncation. A durable entry of an older term may have been
     * written before it, even if the same entry has been appended again since. */
    raft->durable_term_min = raft->term;
}

static void append_entry(struct raft *raft, const struct raft_entry *entry)
{
    raft_log_append(&raft->log, entry);
    if (entry->membership)
        raft_configurations_add(raft, entry->index, entry->membership);
}

static void append_new(struct raft *raft, const struct raft_message *request)
{
    size_t known = count_known(raft, request);
    size_t count = request->append_request.entry_count;
    if (known == count) {
        if (count > 0 && raft->log.last_index > request->append_request.prev_index + count)
            raft_note(raft, RAFT_MARK_OLD_APPEND);
        return;
    }
    if (known > 0)
        raft_note(raft, RAFT_MARK_OVERLAPPING_APPEND);
    const struct raft_entry *entries = request->append_request.entries;
    if (entries[known].index <= raft->log.last_index)
        truncate_conflict(raft, entries[known].index);
    for (size_t i = known; i < count; i++)
        append_entry(raft, &entries[i]);
    raft->update.append_first = entries[known].index;
    raft->update.append_count = count - known;
}

struct raft_message *raft_respond_success(struct raft *raft, const struct raft_message *request,
                                          uint64_t match, uint64_t agreed)
{
    struct raft_message *response = respond(raft, request, true);
    response->append_response.match = match;
    response->append_response.hint_index = agreed;
    return response;
}

static void acknowledge(struct raft *raft, const struct raft_message *request, uint64_t match,
                        bool when_durable)
{
    struct raft_message *response = raft_respond_success(raft, request, match,
                                                         request->append_request.prev_index +
                                                             request->append_request.entry_count);
    if (when_durable) {
        response->when_durable = true;
        raft->acknowledged_ms = raft->now_ms;
    }
    response->append_response.read_context = request->append_request.read_context;
    response->append_response.sent_ms = request->append_request.sent_ms;
}

/* A heartbeat is answered at once with a match that is durable already, so that reads and
 * CheckQuorum go on while the disk is slow. An answer that acknowledges entries waits for their
 * sync. It is repeated from time to time, because the first one may have been lost, and because
 * raft->durable can lag behind the disk (durable_term_min). */
static void accept(struct raft *raft, const struct raft_message *request)
{
    uint64_t last = request->append_request.prev_index + request->append_request.entry_count;
    if (last <= raft->durable) {
        acknowledge(raft, request, last, false);
        return;
    }
    if (request->append_request.entry_count > 0) {
        acknowledge(raft, request, last, true);
        return;
    }
    acknowledge(raft, request, raft->durable, false);
    if (raft->now_ms >= raft->acknowledged_ms + raft->options.heartbeat_ms)
        acknowledge(raft, request, last, true);
}

/* Committed entries are never truncated. A node that acknowledged one and lacks it has an older
 * copy of its folder, or a disk that lost synced data. */
static void check_incarnation(struct raft *raft, const struct raft_message *request)
{
    if (request->append_request.to_incarnation == raft->options.incarnation &&
        request->append_request.acknowledged > raft->log.last_index)
        raft->update.incarnation_is_void = true;
}

void raft_handle_append_request(struct raft *raft, const struct raft_message *request)
{
    if (request->term < raft->term) {
        reject(raft, request);
        return;
    }
    ASSERT(raft->role != RAFT_LEADER); /* two leaders in one term */
    raft_follow(raft, request->term, request->from);
    check_incarnation(raft, request);
    if (!prev_agrees(raft, request)) {
        reject(raft, request);
        return;
    }
    append_new(raft, request);
    /* Entries after this request's entries may differ from the leader's log. */
    uint64_t last = request->append_request.prev_index + request->append_request.entry_count;
    uint64_t commit = request->append_request.commit;
    if (commit > last) {
        raft_note(raft, RAFT_MARK_COMMIT_BOUNDED);
        commit = last;
    }
    if (commit > raft->commit)
        raft->commit = commit;
    accept(raft, request);
}
