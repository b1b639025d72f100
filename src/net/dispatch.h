/* Private to net/: from arguments to whoever carries them out. */
#ifndef FLOTILLA_NET_DISPATCH_H
#define FLOTILLA_NET_DISPATCH_H

#include "net/local.h"

enum { NET_COMMAND_BYTES_MAX = 1024 * 1024 * 1024 }; /* fits a log entry (31 bits) */

/* `bytes`: of the command as it was sent; `rest`: what was read behind it. */
enum net_verdict client_dispatch(struct client *client, const struct span *args, size_t argc,
                                 size_t bytes, struct span rest);
/* After the checks. */
enum net_verdict client_run(struct client *client, const struct net_request *request);
/* Writes one reply; within a transaction too. */
void client_run_local(struct client *client, const struct net_request *request,
                      struct resp_writer *reply);
/* Finds the command, checks it and carries it out. */
enum net_verdict client_find_and_run(struct client *client, const struct span *args, size_t argc,
                                     size_t bytes);
/* session.c: the command after CLIENT SESSION SEQ */
enum net_verdict client_run_numbered(struct client *client, const struct span *args, size_t argc,
                                     size_t bytes);
/* Not all members are known to understand the request: the client waits until they are, or gets
 * `text`. */
enum net_verdict client_wait_for_members(struct client *client, enum shard_feature feature,
                                         const char *text);
/* A write has a number, and not all nodes are known to understand it. */
enum net_verdict client_wait_for_sessions(struct client *client);
/* The same for commands and values that an older version does not know. */
enum net_verdict client_wait_for_types(struct client *client);
/* The same for databases other than 0. */
enum net_verdict client_wait_for_databases(struct client *client);
/* The client waits for a change of role, and gets `text` if none comes in time. */
enum net_verdict client_park(struct client *client, const char *text);
/* The shard refused the request: the client waits, or got an error. */
enum net_verdict client_not_admitted(struct client *client, enum shard_admission admission,
                                     unsigned slot);
/* False: reads before the write cannot be held any more once it is given to the shard, and might be
 * long. It waits for their replies. */
bool client_may_write(struct client *client);
/* Counts the reply that a request may get. A read is held when it is carried out, unless a write
 * stands behind it; then it must come out before that, and so must a write's own reply. False: the
 * request waits until a value has the length that an earlier one gives it. */
bool client_count_reply(struct client *client, const struct net_request *request);
bool client_may_read_here(struct client *client);
/* What needs the leader is not served here: the client is told where to go. */
bool client_is_redirected(const struct client *client);
unsigned net_request_slot(const struct net_request *request, bool *has_key);

bool net_is_over_memory(struct net *net);
/* What writes must not begin: it would find no room. */
#define NET_NO_ROOM                                                                                \
    "MISCONF Errors writing to the AOF file: No space left on device. The write was not executed."
/* For the shard: why a command of a client of any node must not be proposed. NULL: it may. */
const char *net_write_refusal(struct net *net, const struct net_request *request,
                              bool in_transaction);
#define NET_EXEC_NO_ROOM "EXECABORT Transaction discarded because of: " NET_NO_ROOM
#define NET_EXEC_OUT_OF_MEMORY                                                                     \
    "EXECABORT Transaction discarded because of: OOM command not allowed when used memory > "      \
    "'maxmemory'."
bool net_lacks_room(const struct net *net, bool writes, bool frees);
/* Deletes, so that it is carried out when memory or the disk is full. */
bool net_request_frees(struct net *net, const struct net_request *request);

#endif
