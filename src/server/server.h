/* The only place that knows everything: configuration, wiring, signals, shutdown. Nobody includes
 * this header but server/. */
#ifndef FLOTILLA_SERVER_SERVER_H
#define FLOTILLA_SERVER_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/version.h"
#include "cluster/cluster.h"
#include "cluster/founding.h"
#include "cluster/members.h"
#include "cluster/seeking.h"
#include "command/command.h"
#include "config/config.h"
#include "http/http.h"
#include "keyspace/value.h"
#include "net/net.h"
#include "peer/peer.h"
#include "platform/disk.h"
#include "shard/shard.h"

struct backup;
struct event;
struct event_base;
struct import;
struct sentinel;

/* Of what keeps the server from starting. */
/* Shards of this process: one today. */
enum { SERVER_SHARDS = 1 };

enum { SERVER_SIGNALS = 2, SERVER_MESSAGE_MAX = 4096 };

struct server;

/* A server command under way. The handler writes exactly one reply. */
struct server_call {
    struct client *client;
    const struct command *command;
    const struct span *args;
    size_t argc;
    struct resp_writer *reply;
};
typedef void server_handler(struct server *server, const struct server_call *call);

/* Reading the data folder at the start. */
struct loading {
    int64_t started_wall_s;
    uint64_t started_ms;
    uint64_t bytes;
    uint64_t total;
    uint64_t turned_ms; /* the event loop, last */
    uint64_t said_ms;   /* in the log, last */
};

/* A change of the members that a client waits for (RAFT.NODE). */
struct server_change {
    struct server *server;
    const struct client *client; /* NULL: free */
    uint64_t index;              /* of its entry */
    uint64_t term;
    bool joint; /* it is done when the joint membership is left */
    uint64_t until_ms;
    bool forced;
    struct cluster_change replacement; /* RAFT.NODE REPLACE, until it has begun; id 0: none */
    uint64_t received;                 /* by the successor: entries and bytes of a snapshot */
};

/* Another leader that a client waits for. */
struct server_handover {
    struct server *server;
    const struct client *client; /* NULL: free */
    uint64_t term;               /* when it asked */
    uint64_t target;             /* who is to lead */
    bool any;                    /* or any other node than this one */
    uint64_t until_ms;
};

enum { SERVER_CHANGES_MAX = 8 }; /* of each kind */
enum { SERVER_JOIN_WAIT_MS = 10000 };

/* Where a member says that it is. */
struct server_claim {
    uint64_t id; /* 0: free */
    uint64_t incarnation;
    char address[CLUSTER_ADDRESS_MAX];
};

struct server {
    struct config config;
    struct value_rules rules;   /* of the configuration */
    uint64_t self;              /* the node's id; 0: the cluster has given it none yet */
    char config_path[1024];     /* absolute; empty: none */
    struct log config_log;      /* while the configuration is read: to standard error */
    struct buf config_warnings; /* what it said, one a line, for the log file */
    const char *import_path;    /* --import; NULL: none */
    struct import *import;      /* what was read there, until it is written */
    uint64_t import_mark;       /* of that data; 0: none */
    bool begin_alone;           /* --begin-cluster */
    bool list_differs;          /* cluster-nodes is not what was accepted */
    struct log log;
    struct cluster cluster;
    struct cluster_identity identity; /* as it is stored */
    struct founding *founding;        /* borrowed from `seeking`, if that is there */
    struct seeking *seeking;          /* NULL: the configuration names the nodes */
    struct cluster_seeds seeds;       /* cluster-seeds, or those of RAFT.CLUSTER JOIN */
    struct cluster_seeds learned;     /* other addresses, which nodes have named */
    uint64_t learned_ms;              /* since when */
    bool asks;                        /* the addresses are dialled */
    uint64_t asked_ms;
    uint64_t led_ms;                       /* when there was a leader, last */
    char own_address[CLUSTER_ADDRESS_MAX]; /* of a node that seeks; empty: not known yet */
    uint64_t asks_since_ms;
    struct server_claim claims[RAFT_MEMBERS_MAX];
    uint64_t moved_ms;     /* when addresses of members were compared, last */
    uint64_t highest_id;   /* of a member, that was seen */
    uint64_t nodes_joined; /* which this leader has taken in */
    uint64_t joins_refused;
    char join_refusal[SEEKING_CAUSE_MAX];    /* as it was logged */
    uint64_t join_until_ms;                  /* RAFT.CLUSTER waits */
    char begin_text[FOUNDING_TEXT_MAX + 64]; /* the error that clients get meanwhile */
    uint64_t begin_text_ms;                  /* since when */
    bool begin_text_said;                    /* in the log */
    struct command_table *table;
    const struct handler **handlers; /* by command id */
    struct event_base *base;
    struct event *disk_event;
    struct event *timer_event;
    struct event *signal_events[SERVER_SIGNALS];
    struct net *net;
    struct sentinel *sentinel; /* NULL: there is none */
    struct http *http;         /* the same */
    struct peers *peers;
    uint64_t peer_messages_without_shard; /* for a shard that this node does not have */
    struct server_change changes[SERVER_CHANGES_MAX];
    struct server_handover handovers[SERVER_CHANGES_MAX];
    struct shard *shards[SERVER_SHARDS]; /* NULL while they are loading */
    struct loading loading;
    struct platform_disk *disk;
    struct disk disk_port;
    struct backup *backup;    /* NULL: there is no backup-dir */
    int lock;                 /* of the data folder */
    int ready_fd;             /* to the parent that waits until the node serves; -1: none does */
    uint64_t watchdog_ms;     /* the interval of messages to a watchdog */
    uint64_t watchdog_due_ms; /* when the next is due; UINT64_MAX: there is no watchdog */
    struct shard_time now;    /* of this turn: see server_now() */
    struct histogram turn_us; /* from the first event of a turn to its end */
    bool now_is_old;
    uint64_t counted_memory; /* against maxmemory, when it was last sampled */
    uint64_t sampled_at_ms;
    uint64_t sampled_input_bytes;
    uint64_t used_memory_peak;
    uint64_t used_memory_startup;
    char run_id[41];
    int64_t start_wall_ms;
    bool stopping;
    bool stopped;
    uint64_t stop_deadline_ms;
    uint64_t led_term; /* when the end was asked for; 0: this node did not lead */
    uint64_t hand_over_until_ms;
};

/* log.c */
void server_log_open(struct server *server);
void server_log_say(const char *text); /* to standard error, before there is a log */

/* start.c: on failure one line in message. */
struct net_host server_net_host(struct server *server); /* for the clients of any port */
MUST_CHECK enum err server_read_cluster(struct server *server, char message[512]);
MUST_CHECK enum err server_open(struct server *server, char message[SERVER_MESSAGE_MAX]);
/* --import alone: reads it as a start would, and writes nothing. */
MUST_CHECK enum err server_check_import(struct server *server, char message[SERVER_MESSAGE_MAX]);
/* Once the cluster has begun. */
MUST_CHECK enum err server_open_shard(struct server *server, char message[512]);
void server_close(struct server *server);

/* identity.c: on failure one line in message. Reads or makes flotilla.identity and holds it against
 * the configuration and the folder. */
MUST_CHECK enum err server_open_identity(struct server *server, char message[512]);
MUST_CHECK enum err server_store_identity(struct server *server, char message[512]);
/* There is a log from now on. */
MUST_CHECK enum err server_note_log(struct server *server, char message[512]);
/* A list of nodes that was never accepted has to be that of the log's members. */
MUST_CHECK enum err server_check_members(struct server *server, char message[512]);
void server_incarnation_is_void(void *context); /* host of the shard */

/* members.c: the node table becomes what the log says. */
void server_follow_members(void *server);

/* announce.c: what nodes tell each other about where clients find them. */
void server_announce_open(struct server *server);   /* after the node table was read */
void server_announce_change(struct server *server); /* the configuration has changed */
void server_announce_to(struct server *server, uint64_t node);
bool server_hear_announcement(struct server *server, const struct shard_peer *from,
                              const struct span *args, size_t argc);
enum cluster_endpoint_type server_endpoint_type(const struct server *server);

/* sentinel.c: nothing happens without sentinel-port. */
MUST_CHECK enum err server_sentinel_open(struct server *server, char message[SERVER_MESSAGE_MAX]);
void server_sentinel_close(struct server *server);
void server_sentinel_settings(struct server *server);         /* the configuration has changed */
struct net *server_sentinel_net(const struct server *server); /* NULL: there is none */
void server_sentinel_tick(struct server *server);             /* tells subscribers what is new */

/* http.c: nothing happens without http-port. */
MUST_CHECK enum err server_http_open(struct server *server, char message[SERVER_MESSAGE_MAX]);
void server_http_close(struct server *server);
void server_http_settings(struct server *server); /* the configuration has changed */

/* begin.c */
void server_begin_open(struct server *server);
/* What this node is follows its identity. */
void server_become(struct server *server);
void server_begin_close(struct server *server); /* there is a shard now */
bool server_has_begun(const struct server *server);
/* Begins a cluster of this node alone, if it is one. */
MUST_CHECK enum err server_begin_single(struct server *server, char message[SERVER_MESSAGE_MAX]);
/* Waits until the cluster has begun, or the end was asked for. */
MUST_CHECK enum err server_begin(struct server *server, char message[SERVER_MESSAGE_MAX]);
void server_on_peer_met(void *server, const struct shard_peer *peer, const char *cluster_id,
                        bool dialled);
bool server_on_peer_told(void *server, const struct shard_peer *from, const struct span *args,
                         size_t argc);

/* seek.c: addresses at which a node asks who is there. */
MUST_CHECK enum err server_read_seeds(struct server *server, char message[512]);
void server_seek(struct server *server); /* dials, and tells `seeking` whom it has reached */
void server_seek_ask(struct server *server);
void server_seek_tick(struct server *server); /* once a turn, when there is a shard */
bool server_on_sought(void *server, const struct peer_question *question);
void server_info_seeds(struct server *server, struct buf *out);

/* own_address.c: where a node that knows only seeds is reached. */
void server_seek_open(struct server *server);        /* there is a shard now */
void server_find_own_address(struct server *server); /* the configuration may have changed */
/* RAFT.CLUSTER INIT: nobody has called this node yet. */
void server_assume_own_address(struct server *server);
/* Another node has reached this one at `local`. */
void server_note_called_at(struct server *server, const char *local);

/* join.c. At the leader: makes a member of the node that asks, or says in `said` under which id it
 * is one, or why not. */
void server_take_in(struct server *server, const struct seeking_said *asker,
                    struct seeking_said *said);
/* A member says where it is. */
void server_hear_address(struct server *server, uint64_t id, uint64_t incarnation,
                         const char *address);
/* Members that say where they are, are there. */
void server_fill_claims(const struct server *server, struct raft_membership *membership);
void server_change_addresses(struct server *server); /* at the leader, once a turn */

/* cluster_begin.c: RAFT.CLUSTER. */
server_handler server_raft_cluster_init, server_raft_cluster_join;

/* options.c */
void server_apply_fsync(struct server *server); /* appendfsync, with its warning */
struct value_rules server_value_rules(const struct config *config);
struct session_terms server_session_terms(const struct config *config);
struct net_settings server_net_settings(const struct server *server);
/* The path is printed to `folder` and borrowed. */
struct storage_options server_storage_options(const struct server *server, char *folder,
                                              size_t size);
struct raft_options server_raft_options(const struct server *server);

/* import.c: reads what --import names, if the data folder is empty, and leaves the folder as it is.
 * Then, with the founders' record, the data becomes the folder's. */
MUST_CHECK enum err server_read_import(struct server *server, char message[SERVER_MESSAGE_MAX]);
MUST_CHECK enum err server_write_import(struct server *server, char message[512]);

/* check_config.c: what would keep the server from starting, without touching anything; the log
 * file, which a start makes; what the operator of a working configuration should know. */
MUST_CHECK enum err server_check_places(const struct server *server,
                                        char message[SERVER_MESSAGE_MAX]);
MUST_CHECK enum err server_open_logfile(const struct server *server,
                                        char message[SERVER_MESSAGE_MAX]);
void server_give_hints(const struct server *server, const struct log *log);

/* supervisor.c: daemonize and supervised. The process that was started goes on in the background
 * and its parent ends when the node serves, or with a status that is not 0. */
MUST_CHECK bool server_go_background(struct server *server);
void server_tell_ready(struct server *server);
void server_tell_loading(const struct server *server, double percent);
void server_tell_stopping(const struct server *server);
/* The watchdog of `supervised`, if the environment asks for one. Each loop that waits for events
 * calls the second function in its turns, and wakes up when server->watchdog_due_ms has come: so
 * the watchdog notices one that hangs. */
void server_watchdog_open(struct server *server);
void server_watchdog_tick(struct server *server, uint64_t now_ms);

/* descriptors.c: raises the limit of the system as far as it can. At the start maxclients becomes
 * what fits; later the caller refuses more than that. */
MUST_CHECK enum err server_fit_descriptors(struct server *server, char message[SERVER_MESSAGE_MAX]);
int server_clients_that_fit(const struct server *server, int wanted); /* 0: not even one */

/* loading.c */
bool server_is_loading(const struct server *server);
void server_loading_begin(struct server *server);
void server_loading_progress(void *server, uint64_t bytes, uint64_t total);
void server_loading_end(const struct server *server);

/* loop.c */
/* NULL: this node does not have it, or not yet. */
struct shard *server_shard(const struct server *server, uint32_t number);
struct shard *server_shard_of_slot(const struct server *server, unsigned slot);
/* The group that INFO, ROLE, CLUSTER INFO and their like show, which know of one only: that of slot
 * 0. NULL while it is loading. */
struct shard *server_group(const struct server *server);
struct shard_time server_now(struct server *server); /* reads the clocks once per turn */
/* What a turn of the event loop does for the clients of all ports: first those that waited, at its
 * end what there is for them to read; and how long it may wait for events, at most `most`. */
void server_clients_resume(struct server *server);
void server_clients_flush(struct server *server);
uint32_t server_clients_wait_ms(const struct server *server, uint32_t most);
/* Until the end. On failure one line in message. */
MUST_CHECK enum err server_run(struct server *server, char message[SERVER_MESSAGE_MAX]);
void server_watch_signals(struct server *server); /* SIGTERM, SIGINT: the end, from now on */
/* Hands leadership over, answers what is waiting, then ends the loop. */
void server_stop(struct server *server);

/* memory.c */
void server_memory_open(struct server *server);
void server_memory_tick(struct server *server);
/* What counts against maxmemory: all that is allocated but what clients, the log, the disk thread
 * and the connections to other nodes need. That is not data: it comes and goes with the traffic,
 * and no eviction or deletion could free it. */
uint64_t server_counted_memory(struct server *server);
struct server_usage {
    uint64_t used; /* all that is allocated */
    uint64_t startup;
    uint64_t clients; /* buffers, transactions, replies under way */
    uint64_t log;     /* cache, positions, batches, snapshots under way */
    uint64_t disk;    /* queued for the disk */
    uint64_t peers;
    uint64_t http;        /* requests and responses under way */
    uint64_t not_counted; /* the sum of these five */
    uint64_t overhead;    /* and of startup */
    uint64_t data;        /* the rest */
};
struct server_usage server_usage(struct server *server);
struct server_memory {
    uint64_t allocated;
    uint64_t active;
    uint64_t resident;
    uint64_t mapped;
};
struct server_memory server_memory(void);
uint64_t server_resident(void);
void server_purge_memory(void);

/* handlers.c */
void server_handlers_open(struct server *server);
void server_run_command(void *server, struct client *client, const struct command *command,
                        const struct span *args, size_t argc, struct resp_writer *reply);

/* info.c, info_raft.c */
server_handler server_info;
void server_info_raft(struct server *server, struct buf *out);
/* Fills `status`. Its first peers are those to which this node is connected and whose address it
 * knows; their number. */
size_t server_live_replicas(const struct server *server, struct raft_status *status);

/* config_commands.c, cluster_commands.c, admin_commands.c */
server_handler server_config_get, server_config_set, server_config_rewrite, server_config_resetstat;
server_handler server_cluster_slots, server_cluster_shards, server_cluster_nodes,
    server_cluster_info, server_cluster_myid, server_cluster_myshardid, server_cluster_keyslot,
    server_cluster_countkeysinslot, server_cluster_getkeysinslot, server_cluster_links;
server_handler server_raft_node_add, server_raft_node_remove, server_raft_node_address,
    server_raft_node_promote, server_raft_node_demote, server_raft_node_replace,
    server_raft_node_list;
/* What an operator wants of the members. */
struct server_wish {
    cluster_wanted *want;
    struct cluster_change change;
    bool forced; /* even if the cluster stops */
};
/* raft_commands.c: at the leader. Answers when the change is committed, or with the reason why not:
 * the handler is called again meanwhile, and calls server_go_on_changing() first. False: it is not
 * waiting for a change. */
void server_change_members(struct server *server, const struct server_call *call,
                           const struct server_wish *wish);
bool server_go_on_changing(struct server *server, const struct server_call *call);
/* cluster_changes.c */
server_handler server_cluster_meet, server_cluster_forget, server_cluster_reset;
/* handover.c */
server_handler server_raft_transfer_leader, server_cluster_failover;
/* The end was asked for: a leader hands over. While it does, for at most some election timeouts,
 * the second function returns true; it is called once a turn. */
void server_hand_over(struct server *server);
bool server_is_handing_over(struct server *server);
/* raft_commands.c: false if this node does not lead; the reply then names the one that does. */
bool server_leads(const struct server *server, struct resp_writer *reply);
/* backup.c: nothing happens without backup-dir. The first says what is wrong with the place. */
MUST_CHECK enum err server_backup_check(const struct server *server,
                                        char message[SERVER_MESSAGE_MAX]);
MUST_CHECK enum err server_backup_open(struct server *server, char message[SERVER_MESSAGE_MAX]);
void server_backup_close(struct server *server);
void server_backup_tick(struct server *server); /* once a turn */
/* backup_commands.c */
server_handler server_raft_backup_start, server_raft_backup_status, server_raft_backup_list;
void server_info_backup(const struct server *server, struct buf *out);
/* persistence_commands.c */
server_handler server_save, server_bgsave, server_bgrewriteaof, server_lastsave;
int64_t server_last_save_ms(const struct server *server); /* wall clock */

server_handler server_help, server_role, server_shutdown, server_memory_doctor, server_memory_stats,
    server_memory_purge, server_memory_malloc_stats, server_latency_empty, server_latency_reset,
    server_latency_doctor, server_latency_graph, server_latency_histogram, server_slowlog_get,
    server_slowlog_len, server_slowlog_reset, server_debug_digest, server_debug_sleep;

#endif
