#include "shard/clock.h"

#include "base/assert.h"
#include "raft/message.h"

enum { US_PER_MS = 1000, PPM = 1000000, WINDOW_HEARTBEATS = 10 };

static int64_t bounded(int64_t time_ms)
{
    if (time_ms < 0)
        return 0;
    return time_ms < (int64_t)RAFT_TIME_MS_MAX ? time_ms : (int64_t)RAFT_TIME_MS_MAX;
}

void shard_clock_init(struct shard_clock *clock, int64_t newest_entry_ms, uint32_t heartbeat_ms)
{
    *clock =
        (struct shard_clock){.floor_ms = bounded(newest_entry_ms),
                             .window_us = (uint64_t)heartbeat_ms * WINDOW_HEARTBEATS * US_PER_MS};
}

static uint64_t since(uint64_t earlier_us, uint64_t now_us)
{
    return now_us > earlier_us ? now_us - earlier_us : 0;
}

static int64_t line_us(const struct shard_clock *clock, uint64_t mono_us)
{
    int64_t passed_us = (int64_t)since(clock->base_us, mono_us);
    return clock->base_time_us + passed_us + passed_us / PPM * clock->rate_ppm +
           passed_us % PPM * clock->rate_ppm / PPM;
}

int64_t shard_clock_at(const struct shard_clock *clock, uint64_t mono_us)
{
    if (!clock->runs)
        return clock->floor_ms;
    int64_t time_ms = bounded(line_us(clock, mono_us) / US_PER_MS);
    return time_ms > clock->floor_ms ? time_ms : clock->floor_ms;
}

void shard_clock_cut(struct shard_clock *clock, int64_t newest_entry_ms)
{
    clock->floor_ms = bounded(newest_entry_ms);
}

void shard_clock_entry(struct shard_clock *clock, int64_t time_ms)
{
    if (time_ms > clock->floor_ms)
        clock->floor_ms = bounded(time_ms);
}

static void set_line(struct shard_clock *clock, int64_t time_us, uint64_t mono_us)
{
    clock->runs = true;
    clock->base_time_us = time_us;
    clock->base_us = mono_us;
    clock->rate_ppm = 0;
    clock->heard_us = mono_us;
}

static void begin_window(struct shard_clock *clock, int64_t time_us, uint64_t mono_us)
{
    clock->window_begun_us = clock->tried_us = mono_us;
    clock->tried_time_us = time_us;
}

/* After a gap the messages that come first may be old. Each leader has a window of
 * its own: the last one's time may be another. */
static void try_time(struct shard_clock *clock, uint64_t term, int64_t time_us, uint64_t mono_us)
{
    uint64_t passed_us = since(clock->tried_us, mono_us);
    if (passed_us > clock->window_us / 2 || term != clock->tried_term) {
        begin_window(clock, time_us, mono_us);
        clock->tried_term = term;
        return;
    }
    clock->tried_time_us += (int64_t)passed_us;
    clock->tried_us = mono_us;
    if (time_us > clock->tried_time_us)
        clock->tried_time_us = time_us;
}

static int64_t said_line_us(const struct shard_clock *clock, uint64_t mono_us)
{
    return clock->said_time_us + (int64_t)since(clock->said_us, mono_us);
}

static void note_said(struct shard_clock *clock, uint64_t term, int64_t time_us, uint64_t mono_us)
{
    if (term == clock->said_term && time_us <= said_line_us(clock, mono_us))
        return;
    clock->said_term = term;
    clock->said_time_us = time_us;
    clock->said_us = mono_us;
}

void shard_clock_hear(struct shard_clock *clock, uint64_t term, int64_t time_ms, uint64_t mono_us)
{
    int64_t time_us = bounded(time_ms) * US_PER_MS;
    try_time(clock, term, time_us, mono_us);
    note_said(clock, term, time_us, mono_us);
    if (!clock->runs || time_us >= line_us(clock, mono_us)) {
        set_line(clock, time_us, mono_us);
        clock->heard_term = term;
    } else if (since(clock->window_begun_us, mono_us) >= clock->window_us) {
        set_line(clock, clock->tried_time_us, mono_us);
        clock->heard_term = term;
        begin_window(clock, time_us, mono_us);
    }
}

struct shard_clock_estimate shard_clock_estimate(const struct shard_clock *clock, uint64_t mono_us)
{
    if (!clock->runs)
        return (struct shard_clock_estimate){.term = 0};
    if (clock->said_term > clock->heard_term)
        return (struct shard_clock_estimate){.term = clock->said_term,
                                             .time_us = said_line_us(clock, mono_us),
                                             .ago_us = since(clock->said_us, mono_us)};
    return (struct shard_clock_estimate){.term = clock->heard_term,
                                         .time_us = line_us(clock, mono_us),
                                         .ago_us =
                                             clock->leads ? 0 : since(clock->heard_us, mono_us)};
}

void shard_clock_vote(struct shard_clock *clock, uint64_t term, const struct shard_clock_vote *vote)
{
    if (term != clock->vote_term)
        clock->vote_count = 0;
    clock->vote_term = term;
    size_t at = 0;
    while (at < clock->vote_count && clock->votes[at].wall.node != vote->wall.node)
        at++;
    if (at == RAFT_MEMBERS_MAX)
        return;
    clock->votes[at] = *vote;
    if (at == clock->vote_count)
        clock->vote_count++;
}

/* Of `count` values, which it sorts; count > 0. */
static int64_t lower_median(int64_t *values, size_t count)
{
    ASSERT(count > 0);
    for (size_t i = 1; i < count; i++) {
        int64_t value = values[i];
        size_t at = i;
        for (; at > 0 && values[at - 1] > value; at--)
            values[at] = values[at - 1];
        values[at] = value;
    }
    return values[(count - 1) / 2];
}

static int64_t wall_at(const struct shard_clock_report *report, uint64_t mono_us)
{
    return bounded(report->wall_ms) + (int64_t)(since(report->mono_us, mono_us) / US_PER_MS);
}

static int64_t median_of_votes(const struct shard_clock *clock, int64_t wall_ms, uint64_t mono_us)
{
    int64_t walls[RAFT_MEMBERS_MAX + 1];
    size_t count = 0;
    walls[count++] = bounded(wall_ms);
    for (size_t i = 0; i < clock->vote_count; i++)
        walls[count++] = wall_at(&clock->votes[i].wall, mono_us);
    return lower_median(walls, count);
}

/* What has surely passed by an estimate: its node may have counted too fast since. */
static int64_t certain_us(const struct shard_clock_estimate *estimate)
{
    int64_t ago_us = (int64_t)estimate->ago_us;
    return estimate->time_us - ago_us / PPM * SHARD_CLOCK_ERROR_PPM -
           ago_us % PPM * SHARD_CLOCK_ERROR_PPM / PPM;
}

/* The leader of a later term may have begun from wall clocks: the time of earlier terms is over. */
static bool is_better(const struct shard_clock_estimate *one,
                      const struct shard_clock_estimate *other)
{
    if (one->term != other->term)
        return one->term > other->term;
    return certain_us(one) > certain_us(other);
}

static struct shard_clock_estimate best_estimate(const struct shard_clock *clock, uint64_t mono_us)
{
    struct shard_clock_estimate best = shard_clock_estimate(clock, mono_us);
    for (size_t i = 0; i < clock->vote_count; i++) {
        const struct shard_clock_vote *vote = &clock->votes[i];
        uint64_t passed_us = since(vote->wall.mono_us, mono_us);
        const struct shard_clock_estimate estimate = {
            .term = vote->heard_term,
            .time_us = bounded(vote->time_ms) * US_PER_MS + (int64_t)passed_us,
            .ago_us = vote->heard_ago_us + passed_us};
        if (is_better(&estimate, &best))
            best = estimate;
    }
    return best;
}

void shard_clock_lead(struct shard_clock *clock, uint64_t term, int64_t wall_ms, uint64_t mono_us)
{
    if (clock->vote_term != term)
        clock->vote_count = 0;
    const struct shard_clock_estimate best = best_estimate(clock, mono_us);
    int64_t time_us = best.time_us;
    if (best.term == 0) {
        time_us = median_of_votes(clock, wall_ms, mono_us) * US_PER_MS;
        clock->begun_from_wall++;
    }
    if (time_us < clock->floor_ms * US_PER_MS)
        time_us = clock->floor_ms * US_PER_MS;
    set_line(clock, time_us, mono_us);
    clock->heard_term = term;
    clock->leads = true;
    clock->report_count = 0;
    for (size_t i = 0; i < clock->vote_count; i++)
        shard_clock_report(clock, &clock->votes[i].wall);
    clock->vote_count = 0;
}

void shard_clock_follow(struct shard_clock *clock)
{
    clock->leads = false;
}

void shard_clock_report(struct shard_clock *clock, const struct shard_clock_report *report)
{
    size_t at = 0;
    while (at < clock->report_count && clock->reports[at].node != report->node)
        at++;
    if (at == RAFT_MEMBERS_MAX) { /* members came and went: the oldest makes room */
        for (size_t i = at = 0; i < clock->report_count; i++)
            if (clock->reports[i].mono_us < clock->reports[at].mono_us)
                at = i;
    }
    clock->reports[at] = *report;
    if (at == clock->report_count)
        clock->report_count++;
}

static const struct shard_clock_report *report_of(const struct shard_clock *clock, uint64_t node,
                                                  const struct shard_clock_report *own,
                                                  uint64_t fresh_us)
{
    if (node == own->node)
        return own;
    for (size_t i = 0; i < clock->report_count; i++) {
        const struct shard_clock_report *report = &clock->reports[i];
        if (report->node == node && since(report->mono_us, own->mono_us) <= fresh_us)
            return report;
    }
    return NULL;
}

/* False: no majority has told its wall clock lately. */
static bool median_of_reports(const struct shard_clock *clock,
                              const struct raft_membership *membership,
                              const struct shard_clock_report *own, uint64_t fresh_us,
                              int64_t *median_ms)
{
    bool told[RAFT_MEMBERS_MAX] = {false};
    int64_t walls[RAFT_MEMBERS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < membership->count; i++) {
        const struct raft_member *member = &membership->members[i];
        const struct shard_clock_report *report = report_of(clock, member->id, own, fresh_us);
        if (!report || !(member->roles & (RAFT_VOTER | RAFT_VOTER_INCOMING)))
            continue;
        told[i] = true;
        walls[count++] = wall_at(report, own->mono_us);
    }
    if (!raft_membership_has_majority(membership, told) || count == 0)
        return false;
    *median_ms = lower_median(walls, count);
    return true;
}

static int32_t rate_for(int64_t difference_ms)
{
    int64_t most_ms = (int64_t)SHARD_CLOCK_SETTLE_MS * SHARD_CLOCK_STEERING_PPM / PPM;
    if (difference_ms >= most_ms)
        return SHARD_CLOCK_STEERING_PPM;
    if (difference_ms <= -most_ms)
        return -SHARD_CLOCK_STEERING_PPM;
    return (int32_t)(difference_ms * (PPM / SHARD_CLOCK_SETTLE_MS));
}

void shard_clock_steer(struct shard_clock *clock, const struct raft_membership *membership,
                       const struct shard_clock_report *own, uint64_t fresh_us)
{
    ASSERT(clock->leads && clock->runs);
    int64_t median_ms;
    bool known = median_of_reports(clock, membership, own, fresh_us, &median_ms);
    int64_t now_us = line_us(clock, own->mono_us);
    uint64_t base_us = own->mono_us > clock->base_us ? own->mono_us : clock->base_us;
    set_line(clock, now_us, base_us);
    if (known)
        clock->rate_ppm = rate_for(median_ms - now_us / US_PER_MS);
}
