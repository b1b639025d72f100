/* Entry time: the clock of a group, by which keys expire. Pure: every time is an argument.
 *
 * Entry time must go on at the pace of true time, whatever happens to the wall clock of a node and
 * whoever leads. So the leader counts it with its monotonic clock (which counts suspension), and
 * draws it toward the wall clocks: by the lower median of those that a majority has reported, at a
 * rate of 5 % at the most. It never leaps while a majority knows it, and never goes back.
 *
 *   - Each append and heartbeat carries it. A follower notes the time and its own clock at the
 *     receipt: from then on it can tell what time it is for the group.
 *   - A vote carries the voter's estimate, of which term and how long ago the leader was heard that
 *     it goes on from, and the voter's wall clock. A new leader goes on from one of the estimates,
 *     its own included. It takes one of the latest term that somebody has heard. Among those it
 *     takes the one that says the most after a deduction: a node that was cut off for long has
 *     counted by its own clock for long, and may be ahead by so much. A message can only be late,
 *     so an estimate that is behind by more goes on from a message that was under way for long.
 *   - Where nobody of the majority has heard a leader since its process started, the time that
 *     passed is not known. The new leader goes forward to the lower median of their wall clocks.
 *   - It is never before the newest entry of the log.
 *
 * The lower median of a majority: one clock that is ahead, or a minority of them, moves nothing.
 * One clock that is behind can hold the group back only where two of two or two of four answer. */
#ifndef FLOTILLA_SHARD_CLOCK_H
#define FLOTILLA_SHARD_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "raft/membership.h"

enum {
    SHARD_CLOCK_STEERING_PPM = 50000, /* at the most */
    /* How much faster than the group a node may count that hears no leader: the leader may be
     * drawn back, and each of the two monotonic clocks may be wrong by as much. */
    SHARD_CLOCK_ERROR_PPM = 3 * SHARD_CLOCK_STEERING_PPM,
    SHARD_CLOCK_SETTLE_MS = 10000, /* less than 500 ms of difference shrink by 1/e in this time */
};

/* The wall clock of a node, as it told it. */
struct shard_clock_report {
    uint64_t node;
    int64_t wall_ms;
    uint64_t mono_us; /* of this node, when it came */
};

struct shard_clock_vote {
    struct shard_clock_report wall;
    int64_t time_ms; /* its estimate */
    uint64_t heard_ago_us;
    uint64_t heard_term; /* 0: it has heard no leader since it started */
};

struct shard_clock {
    bool runs;        /* the group's time is known: this process has heard a leader, or led */
    bool leads;       /* it is this node that counts it */
    int64_t floor_ms; /* of the newest entry */
    /* A line: at base_us of the own clock it was base_time_us. */
    uint64_t base_us;
    int64_t base_time_us;
    int32_t rate_ppm;
    uint64_t heard_us;   /* when the line was last known to be right: a leader said so, or led */
    uint64_t heard_term; /* of that leader */
    /* What the leader of said_term has said: a line through the message of it that was under way
     * for the shortest time. The group's time is that or later. It matters while the line above is
     * still that of an earlier term. */
    uint64_t said_term;
    uint64_t said_us;
    int64_t said_time_us;
    /* Leaders' times are tried for a window before the line is lowered to them: another line,
     * through the one that was under way for the shortest time. */
    uint64_t window_us; /* its length */
    uint64_t window_begun_us;
    uint64_t tried_us;
    int64_t tried_time_us;
    uint64_t tried_term;
    struct shard_clock_report reports[RAFT_MEMBERS_MAX];
    size_t report_count;
    uint64_t vote_term;
    struct shard_clock_vote votes[RAFT_MEMBERS_MAX];
    size_t vote_count;
    uint64_t begun_from_wall; /* how often time went on from wall clocks, in this process */
};

void shard_clock_init(struct shard_clock *clock, int64_t newest_entry_ms, uint32_t heartbeat_ms);

/* What time it is for the group, as far as this node knows. Does not go back while mono_us does not
 * and no other leader is heard. */
int64_t shard_clock_at(const struct shard_clock *clock, uint64_t mono_us);

/* The log holds an entry of this time. */
void shard_clock_entry(struct shard_clock *clock, int64_t time_ms);
/* The log was cut: its newest entry is of this time now. What was cut off happened for nobody. */
void shard_clock_cut(struct shard_clock *clock, int64_t newest_entry_ms);

/* The leader of `term` said so in a message that was read at mono_us. The message may have been
 * under way for long, and have waited while this process stood still: a later time than the
 * estimate counts at once, an earlier one only after a window of ten heartbeats in which no message
 * said better. */
void shard_clock_hear(struct shard_clock *clock, uint64_t term, int64_t time_ms, uint64_t mono_us);

/* An estimate of the group's time, and when a leader was heard that it goes on from. */
struct shard_clock_estimate {
    uint64_t term; /* of that leader; 0: this process has heard none */
    int64_t time_us;
    uint64_t ago_us;
};

/* What this node can say of the latest term that it has heard a leader of. Before the line was
 * lowered to such a leader's time, that is less than shard_clock_at(). */
struct shard_clock_estimate shard_clock_estimate(const struct shard_clock *clock, uint64_t mono_us);

/* A vote for this node in `term`. */
void shard_clock_vote(struct shard_clock *clock, uint64_t term,
                      const struct shard_clock_vote *vote);

/* This node leads `term`. */
void shard_clock_lead(struct shard_clock *clock, uint64_t term, int64_t wall_ms, uint64_t mono_us);
void shard_clock_follow(struct shard_clock *clock); /* not any more */

/* The leader: a follower told its wall clock. */
void shard_clock_report(struct shard_clock *clock, const struct shard_clock_report *report);
/* The leader, now and then: sets the rate. Reports older than fresh_us do not count, nor those of
 * nodes that do not vote; without a majority nothing draws. */
void shard_clock_steer(struct shard_clock *clock, const struct raft_membership *membership,
                       const struct shard_clock_report *own, uint64_t fresh_us);

#endif
