/* Private to net/: the connection, the table of connections, and what the files of this module
 * offer each other.
 *
 * A client is freed in one place only, net_reap() at the end of a turn: everything else marks it
 * CLIENT_DEAD, so that no pointer held during a turn dangles. */
#ifndef FLOTILLA_NET_CLIENT_H
#define FLOTILLA_NET_CLIENT_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "net/list.h"
#include "net/net.h"
#include "resp/parse.h"

enum {
    NET_READ_BYTES = 64 * 1024,       /* the read buffer that clients share */
    NET_READ_MIN = 16 * 1024,         /* room for one read into a client's own buffer */
    NET_READ_MAX = 1024 * 1024,       /* the same for big arguments */
    NET_READ_AHEAD_MAX = 1024 * 1024, /* not parsed and not OPEN: reading stops */
    NET_UNAUTHENTICATED_MAX = 1024 * 1024,
    NET_COMMAND_BYTES_MAX = 1024 * 1024 * 1024, /* fits a log entry (31 bits) with its envelope */
    NET_OUTPUT_KEEP = 256 * 1024, /* an empty output buffer beyond this size is given back */
    NET_IDLE_KEEP = 16 * 1024,    /* the same for both buffers of a client that is idle */
    NET_IDLE_MS = 2000,
    NET_LINGER_MS = 10 * 1000, /* for replies after the client stopped sending */
    NET_RESERVED = 32,      /* connections beyond maxclients that may still turn out to be nodes */
    NET_RESERVED_MS = 1000, /* how long they may take to say so */
    NET_ADDRESS_MAX = 128,
    NET_ERROR_CODES = 128, /* distinct ones that are counted, as in Redis */
    NET_ERROR_CODE_MAX = 32,
    NET_SAMPLES = 16, /* of the rates, one per 100 ms, as in Redis */
    NET_SAMPLE_MS = 100,
};

enum client_state { /* net.h says what they mean */
                    CLIENT_OPEN,
                    CLIENT_PARKED,
                    CLIENT_FULL,
                    CLIENT_PAUSED,
                    CLIENT_BARRIER,
                    CLIENT_BLOCKED,
                    CLIENT_CLOSING,
                    CLIENT_DEAD, /* to be freed at the end of the turn */
                    CLIENT_STATES
};

/* CLIENT REPLY. A skipped command's reply may come much later: until then the next command waits,
 * so that the mode is a property of the connection and not of each pending request. */
enum reply_mode { REPLY_ON, REPLY_OFF, REPLY_SKIP_NEXT, REPLY_SKIP_THIS, REPLY_SKIP_PENDING };

enum wait_phase { WAIT_NONE, WAIT_STARTED, WAIT_UNBLOCKED, WAIT_UNBLOCKED_WITH_ERROR };

struct transaction {
    bool open;    /* between MULTI and EXEC */
    bool aborted; /* a command was refused: EXEC refuses too */
    struct buf commands;
    size_t count;
    uint32_t flags; /* of all queued commands */
    bool has_data;  /* one of them concerns the keyspace */
    bool has_slot;
    unsigned slot;               /* of the first key: where -MOVED points */
    struct shard_watch *watches; /* keys are owned */
    size_t watch_count;
    size_t watch_cap;
    size_t watch_bytes;
};

struct client {
    struct net *net;
    int fd;
    enum client_state state;
    struct shard_client handle;
    uint32_t pending; /* requests whose replies the shard owes */
    uint8_t protocol;
    enum reply_mode reply_mode;
    bool authenticated;
    bool readonly;
    bool cluster_aware;
    bool reading;      /* the read event is added */
    bool writing;      /* the write event is added */
    bool flush_queued; /* on net->flush */
    bool end_of_input;
    bool is_unix;
    bool no_evict;
    bool no_touch;
    const char *refusal; /* may only become a node's connection: the error for all else */

    struct buf in; /* bytes that are not consumed, from in_start on */
    size_t in_start;
    struct resp_parser parser;
    struct buf out; /* bytes that are not written, from out_start on */
    size_t out_start;
    uint64_t over_soft_limit_since_ms; /* 0: it is not */

    struct link link;        /* on the waiting list of its state */
    struct link resume_link; /* on net->resume */
    struct link flush_link;
    struct link dead_link;
    uint64_t park_until_ms; /* 0: the current command has not been parked yet */

    enum wait_phase wait_phase;
    bool (*may_go_on)(struct client *client); /* CLIENT_BLOCKED */
    uint64_t wait_until_ms;                   /* 0: for ever */
    int64_t wait_nodes;                       /* other nodes that shall hold wait_index */
    uint64_t wait_index;
    uint64_t last_index; /* of this connection's last write */

    struct transaction transaction;

    uint64_t id;
    uint64_t created_ms;
    uint64_t last_active_ms;
    uint64_t end_of_input_ms;
    const struct command *last_command;
    char address[NET_ADDRESS_MAX];
    char local_address[NET_ADDRESS_MAX]; /* filled when first asked for */
    char *name;                          /* NULL: none; as are the next two */
    char *lib_name;
    char *lib_ver;
    struct event read_event;
    struct event write_event;
};

struct listener {
    struct net *net;
    int fd;
    bool is_unix;
    char path[108]; /* of a Unix socket: as long as sun_path */
    struct event event;
    struct listener *next;
};

/* What a command that is not the shard's needs. */
struct request {
    const struct command *command;
    const struct span *args;
    size_t argc;
};

enum verdict {
    VERDICT_DONE, /* the command's bytes are consumed */
    VERDICT_HOLD, /* they stay: the client waits and the command is looked at again */
};

typedef void local_run(struct client *client, const struct request *request,
                       struct resp_writer *reply);
typedef enum verdict local_submit(struct client *client, const struct request *request);

/* A command that net/ carries out itself. */
struct local_command {
    const char *fullname;
    local_run *run;       /* writes one reply; also within a transaction */
    local_submit *submit; /* instead of run, outside of transactions: takes its time */
    bool barrier;         /* waits until all earlier replies of the connection are there */
    bool never_queued;    /* MULTI does not queue it */
    bool needs_shard;     /* refused while that is being loaded */
};

struct slot {
    struct client *client; /* NULL: free */
    uint32_t generation;
    uint32_t next_free; /* slot + 1, 0: none */
};

struct error_count {
    char code[NET_ERROR_CODE_MAX];
    size_t len;
    uint64_t count;
};

struct rate {
    uint64_t samples[NET_SAMPLES];
    uint64_t last;
};

struct statistics {
    struct net_command_stats *commands; /* by id */
    uint32_t *turn_calls;               /* by id: since the window was opened … */
    uint16_t *turn_ids;                 /* … and which those are */
    size_t turn_id_count;
    uint64_t turn_total;
    int64_t window_us; /* when it was opened; 0: it is not */
    bool executed;     /* since the last reply_begin */
    struct error_count errors[NET_ERROR_CODES];
    size_t error_codes;
    uint64_t connections_received;
    uint64_t connections_rejected;
    uint64_t commands_processed;
    uint64_t input_bytes;
    uint64_t output_bytes;
    uint64_t error_replies;
    uint64_t query_buffer_limit_disconnections;
    uint64_t output_buffer_limit_disconnections;
    struct rate operations;
    struct rate input;
    struct rate output;
    size_t next_sample;
    uint64_t sampled_ms;
};

struct net {
    struct event_base *base;
    struct net_settings settings;
    const struct command_table *table;
    const struct cluster *cluster;
    const struct log *log;
    uint64_t self;
    struct net_host host;
    struct shard *shard;
    const struct local_command **locals; /* by command id; NULL: not net's */
    size_t command_count;
    const char *redis_version;

    struct slot *slots;
    uint32_t slot_count;
    uint32_t first_free; /* slot + 1 */
    uint32_t clients;
    uint32_t reserved; /* of them: beyond maxclients, or from where clients are refused */
    uint64_t next_id;

    struct listener *listeners;
    int spare_fd;             /* given up for a moment when there are no descriptors left */
    uint64_t accept_again_ms; /* 0: listening */

    struct shard_time now; /* of this turn */
    bool now_known;
    uint64_t used_memory; /* of this turn */
    bool used_memory_known;

    struct link waiting[CLIENT_STATES]; /* PARKED, FULL, PAUSED, BLOCKED */
    uint32_t waiting_count[CLIENT_STATES];
    struct link resume;
    struct link flush;
    struct link dead;
    uint64_t due_ms; /* no parked or blocked client is due earlier; UINT64_MAX: none */
    bool role_changed;
    bool replies_came;
    bool submitted;
    uint32_t next_visited; /* slot: net_tick() looks at a part of the clients each time */
    uint64_t visited_ms;

    bool paused;
    bool pause_all;
    uint64_t pause_until_ms;

    struct buf *reply_out; /* between reply_begin and reply_end */
    size_t reply_start;
    size_t local_start; /* of a reply of net's own, in the output buffer */
    struct buf scratch; /* a local command's reply that has to wait for its turn */
    struct statistics statistics;
    char read_buffer[NET_READ_BYTES];
};

/* net.c */
const struct shard_time *net_now(struct net *net);
struct client *net_find_client(const struct net *net, struct shard_client handle);
struct client *net_next_client(const struct net *net, uint32_t *position); /* from 0; NULL: end */
struct client *net_client_by_id(const struct net *net, uint64_t id);
void net_reap(struct net *net);
void net_due(struct net *net, uint64_t at_ms);
void net_wake_all(struct net *net, enum client_state state);

/* listen.c */
void listeners_tick(struct net *net);

/* client.c */
struct client *client_new(struct net *net, int fd);
void client_free(struct client *client);
void client_process(struct client *client); /* goes on with what is in its buffer */
void client_kill(struct client *client);    /* now; what it is still owed is dropped */
void client_close_after_output(struct client *client);
enum verdict client_hold(struct client *client, enum client_state state);
void client_wake(struct client *client);
/* Like kill, but the descriptor belongs to somebody else now. */
void client_forget_descriptor(struct client *client);
size_t client_input_len(const struct client *client);
size_t client_memory(const struct client *client);
void client_set_text(char **text, struct span value);
const char *client_local_address(struct client *client);
bool client_is_local(const struct client *client); /* from a loopback address or a Unix socket */

/* output.c */
static inline bool client_is_gone(const struct client *client)
{
    return client->state == CLIENT_DEAD;
}
static inline size_t client_output_len(const struct client *client)
{
    return client->out.len - client->out_start;
}
bool client_wants_replies(const struct client *client);
void client_queue_flush(struct client *client);
void client_write(struct client *client); /* as much as the socket takes */
bool client_over_hard_limit(struct client *client);
void client_check_soft_limit(struct client *client);
/* One reply of net's own: straight into the output buffer, or in turn behind what the shard owes.
 */
struct resp_writer client_begin_reply(struct client *client);
bool client_end_reply(struct client *client, const struct resp_writer *reply); /* it was an error */
void client_error(struct client *client, const char *text);
void client_status(struct client *client, const char *text);

/* dispatch.c */
enum verdict dispatch(struct client *client, const struct span *args, size_t argc, size_t bytes,
                      struct span rest);
enum verdict dispatch_not_admitted(struct client *client, enum shard_admission admission,
                                   unsigned slot);
bool dispatch_may_read_here(struct client *client);
void dispatch_run_local(struct client *client, const struct request *request,
                        struct resp_writer *reply);
enum verdict dispatch_run(struct client *client, const struct request *request);
bool dispatch_is_over_memory(struct net *net);
/* A command with these flags must not begin: its write would find no room. */
#define NET_NO_ROOM                                                                                \
    "MISCONF Errors writing to the AOF file: No space left on device. The write was not executed."
bool dispatch_lacks_room(const struct net *net, uint32_t flags);
unsigned dispatch_slot(const struct request *request, bool *has_key);

/* multi.c */
void transaction_discard(struct client *client); /* with its watches */
size_t transaction_memory(const struct transaction *transaction);
void transaction_queue(struct client *client, const struct request *request);
extern const struct local_command multi_commands[];

/* conn_commands.c, client_commands.c, client_kill.c, wait.c */
extern const struct local_command conn_commands[];
extern const struct local_command client_commands[];
extern const struct local_command client_kill_commands[];
extern const struct local_command wait_commands[];
extern const struct local_command command_command; /* COMMAND and its subcommands */

void pause_end(struct net *net);
bool pause_concerns(struct net *net, uint32_t flags);

void wait_check(struct net *net); /* who of the blocked may go on */
bool client_unblock(struct client *client, bool with_error);

enum client_type {
    CLIENT_TYPE_NORMAL,
    CLIENT_TYPE_MASTER,
    CLIENT_TYPE_REPLICA,
    CLIENT_TYPE_PUBSUB,
    CLIENT_TYPE_UNKNOWN
};
enum client_type client_type_of(struct span name);
bool client_name_is_valid(struct span name);

/* client_line.c */
void client_describe(struct client *client, struct buf *out);

/* stats.c */
void stats_init(struct net *net);
void stats_close(struct net *net);
void stats_open_window(struct net *net);
void stats_close_window(struct net *net);
void stats_executed(struct net *net, const struct command *command, bool error);
void stats_error(struct net *net, const char *reply, size_t len);
void stats_rejected(struct net *net, const struct command *command);
void stats_tick(struct net *net);

#endif
