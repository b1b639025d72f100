/* Bytes from a node to replies, by hiredis' reader. What a node sends is never believed: a reply
 * takes memory only as its bytes arrive, and has a limit. */
#ifndef FLOTILLA_LIB_REPLY_H
#define FLOTILLA_LIB_REPLY_H

#include "flotilla.h"

struct reader;

enum reader_verdict {
    READER_MORE,   /* there is no whole reply */
    READER_REPLY,  /* the reply is the caller's */
    READER_BROKEN, /* what came is no reply, too long, or there is no memory: the cause says so */
};

enum { READER_CAUSE_MAX = 160 };

/* NULL: no memory. `bytes_max` bounds a reply in memory, and one that has not wholly arrived. */
struct reader *reader_new(size_t bytes_max);
void reader_free(struct reader *reader);
/* false: no memory, or too long. reader_next() says READER_BROKEN then. */
bool reader_feed(struct reader *reader, const void *bytes, size_t count);
enum reader_verdict reader_next(struct reader *reader, struct flotilla_reply **reply);
/* Of READER_BROKEN. */
const char *reader_cause(const struct reader *reader);

/* Whether a reply is an error that begins with this word. */
bool reply_is_error(const struct flotilla_reply *reply, const char *word);

#endif
