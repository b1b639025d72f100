/* A shard and its clock: what messages tell of time, what time entries get, what is said of it. */
#include <inttypes.h>

#include "shard/internal.h"

enum {
    STEER_EVERY_MS = 10,
    FRESH_TIMEOUTS = 2,       /* election timeouts: a leader hears of a majority within one */
    NOTABLE_OFFSET_MS = 1000, /* between wall and entry time; said when it comes and goes */
};

/* Times that calls are given may be older than what was read of the clock in between. */
void shard_set_now(struct shard *shard, struct shard_time now)
{
    if (now.mono_us < shard->now.mono_us) {
        now.mono_us = shard->now.mono_us;
        now.mono_ms = shard->now.mono_ms;
    }
    shard->now = now;
}

void shard_read_clock(struct shard *shard)
{
    const struct shard_host *host = &shard->options.host;
    if (!host->clock)
        return;
    struct shard_time now = shard->now;
    now.mono_us = host->clock(host->context);
    now.mono_ms = now.mono_us / 1000;
    shard_set_now(shard, now);
}

int64_t shard_entry_time(struct shard *shard)
{
    shard_read_clock(shard);
    return shard_clock_at(&shard->clock, shard->now.mono_us);
}

int64_t shard_now_ms(const struct shard *shard, struct shard_time now)
{
    uint64_t us = now.mono_us > shard->now.mono_us ? now.mono_us : shard->now.mono_us;
    int64_t time_ms = shard_clock_at(&shard->clock, us);
    return time_ms > shard->machine.clock_ms ? time_ms : shard->machine.clock_ms;
}

static uint64_t time_in_message(int64_t time_ms)
{
    if (time_ms < 0)
        return 0;
    return (uint64_t)time_ms < RAFT_TIME_MS_MAX ? (uint64_t)time_ms : RAFT_TIME_MS_MAX;
}

static void stamp_vote(const struct shard *shard, struct raft_message *message)
{
    const struct shard_clock *clock = &shard->clock;
    message->vote_response.wall_ms = time_in_message(shard->now.wall_ms);
    if (!clock->runs)
        return;
    const struct shard_clock_estimate estimate = shard_clock_estimate(clock, shard->now.mono_us);
    int64_t time_ms = estimate.time_us / 1000;
    message->vote_response.time_ms =
        time_in_message(time_ms > clock->floor_ms ? time_ms : clock->floor_ms);
    message->vote_response.heard_ago_ms = estimate.ago_us / 1000;
    message->vote_response.heard_term = estimate.term;
}

void shard_stamp(const struct shard *shard, struct raft_message *message)
{
    switch (message->type) {
    case RAFT_VOTE_RESPONSE:
        stamp_vote(shard, message);
        return;
    case RAFT_APPEND_REQUEST:
        message->append_request.time_ms =
            time_in_message(shard_clock_at(&shard->clock, shard->now.mono_us));
        return;
    case RAFT_APPEND_RESPONSE:
        message->append_response.wall_ms = time_in_message(shard->now.wall_ms);
        return;
    case RAFT_VOTE_REQUEST:
    case RAFT_SNAPSHOT_REQUEST:
    case RAFT_SNAPSHOT_RESPONSE:
    case RAFT_TIMEOUT_NOW:
        return;
    }
}

void shard_note_vote(struct shard *shard, const struct raft_message *message)
{
    if (message->type != RAFT_VOTE_RESPONSE || message->vote_response.pre ||
        !message->vote_response.granted || message->term != raft_term(shard->raft) ||
        raft_role(shard->raft) != RAFT_CANDIDATE)
        return;
    const struct shard_clock_vote vote = {
        .wall = {.node = message->from,
                 .wall_ms = (int64_t)message->vote_response.wall_ms,
                 .mono_us = shard->now.mono_us},
        .time_ms = (int64_t)message->vote_response.time_ms,
        .heard_ago_us = message->vote_response.heard_ago_ms * 1000,
        .heard_term = message->vote_response.heard_term};
    shard_clock_vote(&shard->clock, message->term, &vote);
}

/* After the core has taken the message: only who leads this term, or follows in it, is believed. */
void shard_note_times(struct shard *shard, const struct raft_message *message)
{
    if (message->term != raft_term(shard->raft))
        return;
    if (message->type == RAFT_APPEND_REQUEST && raft_leader(shard->raft) == message->from)
        shard_clock_hear(&shard->clock, message->term, (int64_t)message->append_request.time_ms,
                         shard->now.mono_us);
    if (message->type != RAFT_APPEND_RESPONSE || !shard_is_leader(shard))
        return;
    const struct shard_clock_report report = {.node = message->from,
                                              .wall_ms = (int64_t)message->append_response.wall_ms,
                                              .mono_us = shard->now.mono_us};
    shard_clock_report(&shard->clock, &report);
}

void shard_lead_clock(struct shard *shard)
{
    uint64_t before = shard->clock.begun_from_wall;
    shard_clock_lead(&shard->clock, raft_term(shard->raft), shard->now.wall_ms, shard->now.mono_us);
    if (shard->clock.begun_from_wall != before)
        log_line(shard->options.log, LOG_NOTICE,
                 "shard %" PRIu32 ": no voter knew the group's time, it goes on from wall clocks",
                 shard->options.number);
}

/* TIME tells no moment twice, so that within a turn it runs ahead of what the turn has read. A
 * clock that was set back further than that is followed. */
struct command_clock *shard_wall(struct shard *shard)
{
    enum { AHEAD_MAX_MS = 1000 };
    struct command_clock *wall = &shard->wall;
    const struct shard_time *now = &shard->now;
    bool is_ahead =
        wall->ms > now->wall_ms || (wall->ms == now->wall_ms && wall->us > now->wall_us);
    if (!is_ahead || wall->ms - now->wall_ms > AHEAD_MAX_MS)
        *wall = (struct command_clock){.ms = now->wall_ms, .us = now->wall_us};
    return wall;
}

static int64_t magnitude(int64_t value)
{
    return value < 0 ? -value : value;
}

/* Once where the difference comes, leaps or goes; not for each step in which it shrinks. */
static void report_offset(struct shard *shard)
{
    int64_t offset_ms = shard->now.wall_ms - shard_clock_at(&shard->clock, shard->now.mono_us);
    bool leapt = magnitude(offset_ms - shard->offset_ms) > NOTABLE_OFFSET_MS;
    bool notable = magnitude(offset_ms) > NOTABLE_OFFSET_MS;
    bool changed = notable ? leapt || !shard->offset_told
                           : shard->offset_told && magnitude(offset_ms) < NOTABLE_OFFSET_MS / 2;
    shard->offset_ms = offset_ms;
    if (!changed)
        return;
    shard->offset_told = notable;
    if (notable)
        log_line(shard->options.log, LOG_WARNING,
                 "shard %" PRIu32 ": the wall clock of this node is %" PRId64
                 " ms %s the group's time, by which keys expire",
                 shard->options.number, magnitude(offset_ms),
                 offset_ms < 0 ? "behind" : "ahead of");
    else
        log_line(shard->options.log, LOG_NOTICE,
                 "shard %" PRIu32 ": the wall clock of this node and the group's time agree again",
                 shard->options.number);
}

void shard_steer_clock(struct shard *shard)
{
    if (shard->now.mono_ms < shard->steer_due_ms || !shard->clock.runs)
        return;
    shard->steer_due_ms = shard->now.mono_ms + STEER_EVERY_MS;
    if (shard_is_leader(shard)) {
        const struct shard_clock_report own = {.node = raft_id(shard->raft),
                                               .wall_ms = shard->now.wall_ms,
                                               .mono_us = shard->now.mono_us};
        uint64_t fresh_us =
            (uint64_t)FRESH_TIMEOUTS * shard->options.raft.election_timeout_ms * 1000;
        shard_clock_steer(&shard->clock, raft_membership(shard->raft), &own, fresh_us);
    }
    report_offset(shard);
}
