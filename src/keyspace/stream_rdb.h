/* A stream as the body of RDB type 15 (Redis 5.0), 19 (7.0) or 21 (7.2) and back.
 *
 * Type 15 lacks some numbers. Where they are not what a reader of type 15 takes for granted, notes
 * say them (value.h):
 *
 *     counters <entries added> <max deleted ID>
 *     group <n> <entries read> <m> <active time> <active time> …
 *
 * for the n-th group and its consumers from the m-th on, in the order of their names. */
#ifndef FLOTILLA_KEYSPACE_STREAM_RDB_H
#define FLOTILLA_KEYSPACE_STREAM_RDB_H

#include "keyspace/stream.h"

enum { STREAM_RDB_TYPE = 15, STREAM_DUMP_TYPE = 19, STREAM_NEWEST_TYPE = 21 };

/* cursor->oldest says which type. */
bool stream_save(const struct stream *stream, struct value_cursor *cursor, struct buf *out,
                 size_t most);
bool stream_note(const struct stream *stream, struct value_cursor *cursor, struct buf *out);
bool stream_note_take(struct stream *stream, struct span text);

/* IDs in these bodies: as two lengths, or as 16 bytes. */
void stream_add_id(struct buf *out, struct stream_id id);
void stream_add_id_packed(struct buf *out, struct stream_id id);

/* Appends the body of type 19, in one piece. It lacks when consumers were active. */
void stream_dump(const struct stream *stream, struct buf *out);

/* Loading, step by step in the order of the file, from bytes of any origin:
 *
 *     stream = stream_new()
 *     stream_load_node()*  stream_load_totals()
 *     { stream_load_group()  stream_load_pending()*
 *         { stream_load_consumer()  stream_load_consumer_pending()* }* }*
 *     stream_load_finish()
 *
 * Groups and consumers come in the order of their names, as every writer has them: in any other
 * order each would have to be moved past the others. After a step that fails (false or NULL) the
 * caller frees the stream. No step takes more memory than a small multiple of the bytes it is
 * given. */

/* id: 16 bytes. */
bool stream_load_node(struct stream *stream, struct span id, struct span pack);

struct stream_totals {
    uint64_t length;
    struct stream_id last_id;
    bool has_counters; /* types 19 and 21; otherwise the next two are ignored */
    struct stream_id max_deleted_id;
    uint64_t entries_added;
};
bool stream_load_totals(struct stream *stream, const struct stream_totals *totals);

/* entries_read NULL: type 15, which lacks it. */
struct stream_group *stream_load_group(struct stream *stream, struct span name,
                                       struct stream_id last_id, const uint64_t *entries_read);
/* id: 16 bytes. */
bool stream_load_pending(struct stream_group *group, struct span id, int64_t delivered_ms,
                         uint64_t deliveries);
/* active_ms NULL: types 15 and 19, which lack it; it is then the time it was last seen. */
struct stream_consumer *stream_load_consumer(struct stream_group *group, struct span name,
                                             int64_t seen_ms, const int64_t *active_ms);
bool stream_load_consumer_pending(struct stream_group *group, struct stream_consumer *consumer,
                                  struct span id);
bool stream_load_finish(const struct stream *stream);

#endif
