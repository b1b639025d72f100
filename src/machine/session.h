/* Sessions: what the machine remembers of clients that number their commands, so that a command
 * that is sent again, to whatever node, is carried out once.
 *
 *   session.c       the table
 *   session_note.c  the line of an entry that concerns a session
 *   session_file.c  the table in a snapshot
 *   numbered.c      entries that concern sessions
 *
 * A session begins and ends by an entry. It is over, too, when no entry has named it for ttl_ms of
 * entry time. It remembers the highest number that was carried out, and the newest replies. Numbers
 * ascend; they may have gaps, for only what writes enters the log.
 *
 * All limits of a session are in the entry that began it: nodes with other settings decide alike.
 *
 * The line stands at the start of an entry's payload. Redis skips it:
 *
 *     #SESSION:<id>:<number>:<answered>:<protocol>\r\n   then the command or transaction
 *
 * An ENTRY_SESSION is one of these lines, and nothing else:
 *
 *     #BEGIN:<id>:<ttl-ms>:<sessions>:<replies>:<bytes>\r\n
 *     #ANSWERED:<id>:<answered>\r\n
 *     #END:<id>\r\n
 *
 * A node asks its leader for a session with "#BEGIN:<ttl-ms>\r\n", which enters no log; 0 is the
 * leader's usual time. <answered>: the client has the replies to all numbers below. <protocol>: of
 * the client's connection. An id is 32 lower-case hexadecimal digits, other numbers are decimal. */
#ifndef FLOTILLA_MACHINE_SESSION_H
#define FLOTILLA_MACHINE_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

enum {
    SESSION_ID_CHARS = 32,
    SESSIONS_MOST = 65536,              /* limits of the limits */
    SESSION_REPLIES_MOST = 65536,       /* of one session */
    SESSION_BYTES_MOST = 1024 * 1024,   /* the same */
    SESSION_TTL_MS_MOST = 7 * 86400000, /* a week */
    /* Of the replies of a numbered transaction, which every node writes. Behind them comes no more
     * than an error for each command. A part of the state machine: it cannot be changed. */
    SESSION_TRANSACTION_BYTES_MAX = 16 * 1024 * 1024,
};

struct session_id {
    uint64_t high;
    uint64_t low;
};

/* What a session begins with. */
struct session_terms {
    struct session_id id;
    int64_t ttl_ms;        /* it ends when no entry has named it for so long */
    uint32_t sessions_max; /* no session begins while there are as many */
    uint32_t replies_max;  /* of this session are kept; 0: none */
    uint32_t bytes_max;    /* of its replies are kept; longer ones never */
};

/* A number of a session, as it stands before a command. number 0: the command has none. */
struct session_number {
    struct session_id id;
    uint64_t number;
    uint64_t answered; /* the client has the replies to all numbers below */
};

enum session_verb { SESSION_NUMBER, SESSION_ASK, SESSION_BEGIN, SESSION_ANSWERED, SESSION_END };

/* One line. */
struct session_note {
    enum session_verb verb;
    struct session_number number; /* SESSION_NUMBER; `answered` of SESSION_ANSWERED; `id` of END */
    int protocol;                 /* SESSION_NUMBER */
    struct session_terms terms;   /* SESSION_BEGIN; `ttl_ms` of SESSION_ASK */
};

/* --- session_note.c --- */

bool session_id_parse(struct span text, struct session_id *id);
void session_id_add(struct buf *out, struct session_id id);
void session_note_add(struct buf *out, const struct session_note *note);
/* Takes the line off the payload. False: it begins with none, or a malformed one. */
bool session_note_take(struct span *payload, struct session_note *note);

/* --- session.c --- */

struct session_reply {
    uint64_t number;
    size_t at; /* in `bytes` */
    uint32_t len;
    uint8_t protocol; /* 0: it was too long to be kept */
};

struct session {
    struct session_terms terms;
    int64_t deadline_ms;           /* of entry time */
    uint64_t last;                 /* the highest number that was carried out */
    uint64_t dropped;              /* replies up to that number are gone */
    struct session_reply *replies; /* from replies_first on, by number */
    size_t replies_first;
    size_t replies_end;
    size_t replies_cap;
    struct buf bytes;
    uint64_t sum;  /* of the digests of its replies */
    size_t memory; /* of its buffers */
};

struct sessions {
    struct session *list; /* dense; a removal moves the last one into the hole */
    uint32_t count;
    uint32_t cap;
    uint32_t *index;    /* positions + 1 by id; 0: free */
    uint32_t index_cap; /* a power of two, or 0 */
    int64_t due_ms;     /* no session ends earlier; INT64_MAX: there is none */
    uint64_t bytes;     /* of the kept replies */
    uint64_t sum;       /* of the digests of all sessions */
    size_t memory;      /* of their buffers */
};

void sessions_init(struct sessions *sessions);
void sessions_close(struct sessions *sessions);
/* NULL: there is no such session. Valid until the next one begins or ends. */
struct session *sessions_find(const struct sessions *sessions, struct session_id id);
/* The id is not taken. */
struct session *sessions_add(struct sessions *sessions, const struct session_terms *terms);
void sessions_remove(struct sessions *sessions, struct session *session);
/* Removes those whose deadline is not after now_ms. */
void sessions_expire(struct sessions *sessions, int64_t now_ms);
/* The session lives on; replies to numbers below `answered` are dropped. */
void sessions_use(struct sessions *sessions, struct session *session, uint64_t answered,
                  int64_t now_ms);
/* The number, higher than all before it, was carried out; its reply is kept if the limits allow.
 * protocol 0: it was not kept before. */
void sessions_keep(struct sessions *sessions, struct session *session, uint64_t number,
                   int protocol, struct span reply);
void sessions_restore(struct sessions *sessions, struct session *session, int64_t deadline_ms,
                      uint64_t last, uint64_t dropped);
/* NULL: the reply to that number is dropped, or the number was left out. */
const struct session_reply *session_reply_to(const struct session *session, uint64_t number);
struct span session_reply_bytes(const struct session *session, const struct session_reply *reply);
/* The sessions alone, for session_save(); sessions_close() frees them. No text is made yet, so that
 * it takes little time. */
void sessions_copy(const struct sessions *sessions, struct sessions *copy);
uint64_t session_digest(const struct session *session);
uint64_t sessions_sum_by_walk(const struct sessions *sessions); /* for tests */
size_t sessions_memory(const struct sessions *sessions);

/* --- session_file.c --- */

/* One session as a field of a snapshot. */
void session_save(const struct session *session, struct buf *out);
/* Adds it to the table. False: no node wrote that. */
bool session_load(struct sessions *sessions, struct span text);

#endif
