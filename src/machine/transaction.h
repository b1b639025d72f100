/* A transaction is one entry. Its payload is what Redis itself would write to an append-only file:
 *
 *     [WATCH <key> … and an annotation about the keys] …  MULTI  <commands>  EXEC
 *
 * The annotation says what the client had seen of each key, and in which database:
 *
 *     #WATCH[<database>]:<revision>:<0 or 1: was it there?> …
 *
 * Commands that concern only the connection or the server (PING, CLIENT, CONFIG …) are not in the
 * payload. The node that the client is connected to runs and answers those. SELECT is both: the
 * payload has it too. Where the commands end in another database than the entry's, a last SELECT
 * goes back to that, so that each entry leaves Redis where it found it. */
#ifndef FLOTILLA_MACHINE_TRANSACTION_H
#define FLOTILLA_MACHINE_TRANSACTION_H

#include "base/buf.h"
#include "base/err.h"
#include "machine/machine.h"

/* Up to version 3 of the wire nodes read no more arguments than this and the name. */
enum { MACHINE_WATCHES_PER_COMMAND = 1024 * 1024 - 1 };

struct machine_watch {
    struct span key;
    uint64_t revision; /* applied index at the time of WATCH */
    unsigned database;
    bool was_present;
};

struct machine_transaction {
    struct span commands; /* the queued commands, each a RESP array, one after the other */
    const struct machine_watch *watches;
    size_t watch_count;
    unsigned database; /* in which the commands begin */
};

bool machine_transaction_writes(const struct machine *machine, struct span commands);
bool machine_transaction_has_local(const struct machine *machine, struct span commands);

/* Encodes the payload; relative times count from now_ms. NO_DEADLINE: they stay relative, for
 * machine_rewrite(). */
void machine_transaction_encode(struct machine *machine,
                                const struct machine_transaction *transaction, int64_t now_ms,
                                struct buf *out);

/* Whether a command of a request may be proposed. NULL: yes; otherwise the error to answer. */
struct machine_judge {
    void *context;
    const char *(*refusal)(void *context, const struct command *command, const struct span *args,
                           size_t argc, bool in_transaction);
    struct session_terms offer; /* what a session is begun with */
};

/* What becomes an entry. */
struct machine_request {
    enum entry_kind kind;
    unsigned database;
    struct span payload;
};

/* Makes the payload of an entry from a request's, whose times may be relative: they count from
 * now_ms. false: no node of this version sends that. If `error` is not NULL, the request is refused
 * and nothing was added to `out`. */
MUST_CHECK bool machine_rewrite(struct machine *machine, const struct machine_request *request,
                                int64_t now_ms, const struct machine_judge *judge, struct buf *out,
                                const char **error);
/* Packs a transaction without writes for machine_read_transaction(). It never leaves this
 * process. */
void machine_transaction_pack(struct buf *out, const struct machine_transaction *transaction);
void machine_read_transaction(struct machine *machine, struct span packed,
                              const struct machine_view *view, struct machine_caller *caller);

/* Like machine_due(), for the transaction's commands and watched keys. */
int64_t machine_due_in_transaction(struct machine *machine, unsigned database, struct span packed,
                                   int64_t until_ms);

/* Whether applying an ENTRY_TRANSACTION now would abort it, because a watched key has changed. */
bool machine_transaction_is_void(struct machine *machine, const struct entry *entry);

#endif
