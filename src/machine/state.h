/* The state machine as a file: the databases as RDB, with the group's data and the sessions of
 * clients in AUX fields. */
#ifndef FLOTILLA_MACHINE_STATE_H
#define FLOTILLA_MACHINE_STATE_H

#include "base/err.h"
#include "keyspace/keyspace.h"
#include "keyspace/rdb.h"
#include "machine/machine.h"
#include "raft/membership.h"

/* What the file says about the entry that the state is of. */
struct machine_position {
    uint64_t index;
    uint64_t term;
    int64_t clock_ms; /* time of that entry */
    struct raft_membership membership;
    uint64_t chain; /* see struct machine_digest */
    uint64_t chain_from;
};

enum { STATE_FIELDS = 5 }; /* before the keys; each session is one behind them */

/* Writes a state. */
struct machine_writer {
    struct buf texts[STATE_FIELDS];
    struct rdb_aux aux[STATE_FIELDS];
    struct sessions sessions; /* as they were when the writer began */
    uint32_t next_session;
    struct buf session; /* the text of the last one */
    struct rdb_writer rdb;
};

/* The databases and the writer must stay where they are until the last byte is written. The
 * sessions are copied; NULL: there are none. */
void machine_writer_init(struct machine_writer *writer, const struct databases *databases,
                         const struct sessions *sessions, const struct machine_position *position);
void machine_writer_close(struct machine_writer *writer);
/* Saves the state of this moment while the databases go on changing; see rdb_writer_begin(). A key
 * that is new since then concerns it no more than one that is written. */
void machine_writer_begin(struct machine_writer *writer, struct buf *out);
bool machine_writer_some(struct machine_writer *writer, struct buf *out, size_t most);
void machine_writer_before_change(struct machine_writer *writer, const struct keyspace *keyspace,
                                  struct span key, struct buf *out);
bool machine_writer_prepare(struct machine_writer *writer, const struct keyspace *keyspace,
                            struct span key, struct buf *out, size_t most);
bool machine_writer_cleared(struct machine_writer *writer, const struct keyspace *keyspace,
                            const struct keyspace *aside);
/* Appends the next piece; false after the last one. */
bool machine_writer_next(void *writer, struct buf *out);

/* Reads a state. */
struct machine_reader {
    struct databases *databases;
    struct sessions sessions;
    struct rdb_reader *rdb;
    struct machine_position position;
    unsigned fields; /* bits of the fields read so far */
    bool damaged;    /* one of the fields is damaged */
    bool sessions_damaged;
    bool has_sum; /* once finished: a version wrote it that knows digests */
    uint64_t sum; /* of keys and sessions, as the writer computed it */
    uint64_t bytes;
};

/* rules NULL: Redis' defaults. */
struct machine_reader *machine_reader_new(uint64_t hash_seed, const struct value_rules *rules);
void machine_reader_free(
    struct machine_reader *reader); /* frees the databases too, unless they were taken */

/* An empty piece ends the state. ERR_CORRUPT: `message` (512 bytes) says why. */
MUST_CHECK enum err machine_reader_feed(struct machine_reader *reader, struct span piece,
                                        char *message);

/* Checks that the state is complete and is as of (index, term). */
MUST_CHECK enum err machine_reader_finish(struct machine_reader *reader, uint64_t index,
                                          uint64_t term, char *message);

/* What a file says at its beginning, in the first 16 KB or so. Of the rest nothing is known. */
struct machine_head {
    struct machine_position position;
    uint64_t digest; /* machine_digest_number() of the state */
};
/* False: it is no state, or its beginning is cut off. */
bool machine_read_head(struct span beginning, struct machine_head *head);

/* The machine takes over the finished reader's state; returns the old databases. */
struct databases *machine_take_state(struct machine *machine, struct machine_reader *reader);

#endif
