/* Private to net/: the session that a connection uses, and the number of its next command.
 *
 * A number is given by CLIENT SESSION SEQ and holds for the next command, or for all of MULTI …
 * EXEC if that is MULTI. If SEQ is refused, so is what follows it: a client that sends both at once
 * must not have the command executed without its number. */
#ifndef FLOTILLA_NET_SESSION_H
#define FLOTILLA_NET_SESSION_H

#include "shard/shard.h"

struct client;

struct client_session {
    bool used;    /* CLIENT SESSION USE named one */
    bool pending; /* something holds for the next command: its number, or that it is refused */
    struct session_number number; /* the id stays; number 0: the next command is refused */
};

void client_session_forget(struct client *client);
/* CLIENT SESSION was refused before it ran. */
void client_session_rejected(struct client *client);
/* What a write of the next command carries. */
struct session_number client_session_number(const struct client *client);

#endif
