/* A transaction is one entry. Its payload is what Redis itself would write to an append-only file,
 *
 *     [WATCH <key> … and, as an annotation, what was known of the keys] …  MULTI  <commands>  EXEC
 *
 * without the commands that concern only the connection or the server (PING, CLIENT, CONFIG …):
 * those are carried out, and answered, by the node that the client is connected to. */
#ifndef FLOTILLA_MACHINE_TRANSACTION_H
#define FLOTILLA_MACHINE_TRANSACTION_H

#include "base/buf.h"
#include "machine/machine.h"

struct machine_watch {
    struct span key;
    uint64_t revision; /* applied index when it was watched */
    bool was_present;
};

struct machine_transaction {
    struct span commands; /* as queued, each as a RESP array, one after the other */
    const struct machine_watch *watches;
    size_t watch_count;
};

bool machine_transaction_writes(const struct machine *machine, struct span commands);
bool machine_transaction_has_local(const struct machine *machine, struct span commands);

/* The payload; relative times count from now_ms. */
void machine_transaction_encode(struct machine *machine,
                                const struct machine_transaction *transaction, int64_t now_ms,
                                struct buf *out);
/* A transaction without a write never leaves this process: packed for machine_read_transaction().
 */
void machine_transaction_pack(struct buf *out, const struct machine_transaction *transaction);
void machine_read_transaction(struct machine *machine, struct span packed,
                              const struct machine_view *view, struct machine_caller *caller);

/* As machine_due(), of its commands and of what it watches. */
int64_t machine_due_in_transaction(struct machine *machine, struct span packed, int64_t until_ms);

/* Whether an ENTRY_TRANSACTION would come to nothing if it were applied now: a watched key has
 * changed. */
bool machine_transaction_is_void(struct machine *machine, const struct entry *entry);

#endif
