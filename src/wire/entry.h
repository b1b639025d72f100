/* Log entries as bytes. An entry's record is the same on the disk and between nodes:
 *
 *     #RAFT:<index>:<term>:<kind>:<time-ms>:<seed>:<bytes>:<crc32c>\r\n<payload>
 *
 * or, of a client of another node than the leader (since version 3, see wire/hello.h),
 *
 *     #RAFT:<index>:<term>:<kind>:<time-ms>:<seed>:<bytes>:<node>:<life>:<seq>:<crc32c>\r\n<payload>
 *
 * A command or transaction of another database than 0 has the database's number right behind its
 * kind (since version 5): "C5" is a command in database 5.
 *
 * Numbers are decimal, except the seed and the life (lower-case hexadecimal) and the checksum
 * (eight lower-case hexadecimal digits). The checksum covers everything from '#' up to the ':'
 * before it, then the payload. The payload is `bytes` bytes of RESP commands, as Redis writes them
 * to its append-only file, and of annotations (machine/logged.h, machine/session.h,
 * machine/transaction.h). Redis skips lines that begin with '#'. A log file also has these
 * annotations between entries:
 *
 *     #NODE:2:<cluster-id>:<node-id>:<incarnation>:<crc32c>\r\n
 *         the owner of the log; a file's first line. The incarnation (hexadecimal) is the one that
 *         wrote the file; version 1 had none
 *     #PREV:<index>:<term>:<crc32c>\r\n
 *         the entry before the file's first one
 *     #VOTE:<term>:<node>:<crc32c>\r\n
 *         the hard state; the last one counts
 *     #SYNC:<synced>:<at>:<crc32c>\r\n
 *         a mark: the file was synced up to offset <synced> when this was written to offset <at>
 *
 * and commands of this form, for Redis, which begins each file in database 0:
 *
 *     *2\r\n$6\r\nSELECT\r\n$<digits>\r\n<database>\r\n
 *         the entries from here on are of this database; no other entry stands there
 *
 * The file raft.synced beside the log has lines of the form
 *
 *     #HELD:<seq>:<end>:<term>:<crc32c>\r\n
 *         segment <seq> was synced up to <end>, and with it a vote of term <term> */
#ifndef FLOTILLA_WIRE_ENTRY_H
#define FLOTILLA_WIRE_ENTRY_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

enum entry_kind {
    ENTRY_NOOP = 'N',    /* no payload; a leader's first entry */
    ENTRY_COMMAND = 'C', /* one command */
    ENTRY_TRANSACTION =
        'T', /* WATCH commands, each with its annotation; then MULTI, commands, EXEC */
    ENTRY_EXPIRY =
        'E', /* no payload; removes keys past their deadline at time_ms, at most `seed` of them */
    ENTRY_MEMBERSHIP = 'M', /* a membership of the group */
    ENTRY_SESSION = 'S',    /* a session begins, goes on or ends (since version 3) */
};

/* The numbers of databases are below this. */
enum { ENTRY_DATABASES = 16 };

enum { ENTRY_HEADER_MAX = 192, ENTRY_BYTES_MAX = 0x7fffffff };

/* Who asked for an entry: node `node`, in the run of its process that has drawn `life`, as its
 * request number `seq` of the entry's term. Life 0: a client of the leader itself, or nobody. */
struct entry_origin {
    uint64_t node;
    uint64_t life;
    uint64_t seq; /* from 1 in each term */
};

enum { ENTRY_ARGS_MAX = 7, ENTRY_READ_BYTES_MAX = UINT16_MAX };

/* What this process found out about the payload of a command when it encoded or checked it, so that
 * nobody has to once more. Never on the disk nor on the wire. All zeros: nothing. Only a payload of
 * one command as it is, without annotations, and of up to ENTRY_READ_BYTES_MAX bytes has it. */
struct entry_reading {
    uint16_t command; /* its id in this process, plus 1; 0: the rest is not set */
    uint8_t argc;     /* 0: more than there is room for; `args` has the first ones */
    uint8_t key;      /* which of `args` is the first key; 0: none */
    struct {
        uint16_t at; /* in the payload */
        uint16_t len;
    } args[ENTRY_ARGS_MAX];
};

struct entry {
    uint64_t index;
    uint64_t term;
    enum entry_kind kind;
    unsigned database;          /* that a command or transaction begins in; 0 for other kinds */
    int64_t time_ms;            /* the leader's wall clock; never goes back along the log */
    uint64_t seed;              /* all randomness that applying needs; for ENTRY_EXPIRY the limit */
    struct entry_origin origin; /* not of a leader's own entries; applying ignores it */
    struct span payload;
    struct span record;           /* header and payload; parsing and encoding set it */
    struct entry_reading reading; /* parsing leaves it empty */
};

/* Notes where the arguments stand, which are spans into the payload. Its owner then sets the
 * command and the key. False: it is too long. */
bool entry_read_args(struct entry_reading *reading, struct span payload, const struct span *args,
                     size_t argc);
static inline struct span entry_argument(const struct entry *entry, size_t i)
{
    return span_of(entry->payload.ptr + entry->reading.args[i].at, entry->reading.args[i].len);
}

/* Appends the record of `entry` to `out`; ignores entry->record. */
void entry_encode(struct buf *out, const struct entry *entry);

/* Encodes a command from its arguments, without an intermediate payload. Sets the payload, which is
 * valid until `out` changes, and notes in the reading where the arguments stand, as
 * entry_read_args() does. False: it is too long for that. */
bool entry_encode_command(struct buf *out, struct entry *entry, const struct span *args,
                          size_t argc);

/* The checksum in the entry's record, as its eight digits stand there. It covers everything in the
 * entry. */
uint64_t entry_checksum(const struct entry *entry);

struct identity {
    char cluster_id[41]; /* 40 hexadecimal digits */
    uint64_t node_id;
    uint64_t incarnation; /* of the file's writer; 0: unknown (version 1). For information only */
};

struct vote_record {
    uint64_t term;
    uint64_t node;
};

/* The position of an entry in the log. */
struct prev_record {
    uint64_t index;
    uint64_t term;
};

/* A mark: how much of a file is known to be synced. A mark stores its own offset, which reveals
 * missing bytes before it. */
struct sync_record {
    uint64_t synced;
    uint64_t at;
};

void entry_encode_identity(struct buf *out, const struct identity *identity);
void entry_encode_vote(struct buf *out, const struct vote_record *vote);
void entry_encode_prev(struct buf *out, const struct prev_record *prev);
/* A statement in another file (raft.synced) about how much of the newest segment is synced. */
struct held_record {
    uint64_t seq;  /* number of the segment's file */
    uint64_t end;  /* its synced bytes */
    uint64_t term; /* term of the newest synced vote */
};

void entry_encode_held(struct buf *out, const struct held_record *held);
void entry_encode_sync(struct buf *out, const struct sync_record *sync);
void entry_encode_select(struct buf *out, unsigned database);
size_t entry_select_len(unsigned database); /* of what that appends */

enum record_kind {
    RECORD_ENTRY,
    RECORD_VOTE,
    RECORD_IDENTITY,
    RECORD_PREV,
    RECORD_SYNC,
    RECORD_HELD,
    RECORD_SELECT,
};

struct record {
    enum record_kind kind;
    size_t bytes; /* size of the whole record */
    union {
        struct entry entry; /* spans into the input */
        struct vote_record vote;
        struct identity identity;
        struct prev_record prev;
        struct sync_record sync;
        struct held_record held;
        unsigned database;
    };
};

enum record_outcome {
    RECORD_OK,
    RECORD_TRUNCATED, /* the input ends within the record; the bytes so far are plausible */
    RECORD_BAD,       /* not a record, or its checksum is wrong */
};

/* Reads the record at the start of `input`. Never reads past the input, and checks each length
 * before it uses it. */
enum record_outcome record_parse(struct span input, struct record *record);

#endif
