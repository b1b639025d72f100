/* The state machine as a file: the keyspace as RDB, with what belongs to the group in AUX fields.
 * Private to shard/, but for the position: replay.h shows it. */
#ifndef FLOTILLA_SHARD_STATE_H
#define FLOTILLA_SHARD_STATE_H

#include "base/err.h"
#include "keyspace/keyspace.h"
#include "keyspace/rdb.h"
#include "raft/raft.h"

/* As of one entry. */
struct state_position {
    uint64_t index;
    uint64_t term;
    int64_t clock_ms; /* time of that entry */
    struct raft_membership membership;
};

enum { STATE_FIELDS = 4 };

/* A state that is being written. */
struct state_writer {
    struct buf texts[STATE_FIELDS];
    struct rdb_aux aux[STATE_FIELDS];
    struct rdb_writer rdb;
};

/* The keyspace and the writer stay where they are until the last byte is out. */
void state_writer_init(struct state_writer *writer, const struct keyspace *keyspace,
                       const struct state_position *position);
void state_writer_close(struct state_writer *writer);
/* As of the moment of state_writer_begin(), while the keyspace goes on changing: see
 * rdb_writer_begin(). */
void state_writer_begin(struct state_writer *writer, struct buf *out);
bool state_writer_some(struct state_writer *writer, struct buf *out, size_t most);
void state_writer_before_change(struct state_writer *writer, unsigned slot, struct buf *out);
/* Appends the next piece; false: that was the last one. */
bool state_writer_next(void *writer, struct buf *out);

/* A state that is being read. */
struct state_reader {
    struct keyspace *keyspace;
    struct rdb_reader *rdb;
    struct state_position position;
    unsigned fields; /* of the position, so far */
    bool damaged;    /* one of them */
    uint64_t bytes;
};

struct state_reader *state_reader_new(uint64_t hash_seed);
void state_reader_free(struct state_reader *reader); /* with its keyspace, unless that was taken */

/* An empty piece is the end. ERR_CORRUPT: `message` (512 bytes) says why. */
MUST_CHECK enum err state_reader_feed(struct state_reader *reader, struct span piece,
                                      char *message);

/* All is there, and it is the state as of (index, term)? */
MUST_CHECK enum err state_reader_finish(struct state_reader *reader, uint64_t index, uint64_t term,
                                        char *message);

#endif
