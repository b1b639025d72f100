/* A net with a shard that a test plays: what is submitted is kept until the test lets it be
 * answered. Connections are real ones over a Unix socket in a folder of the test's own; time is the
 * test's. Included by one file per program. */
#ifndef FLOTILLA_TESTS_UNIT_NET_FIXTURE_H
#define FLOTILLA_TESTS_UNIT_NET_FIXTURE_H

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/net.h"
#include "unit/support/test.h"

enum { ASKED_MAX = 32768 };

/* A program that defines it has its clients on so many I/O threads, which turn() steps. */
#ifndef FIXTURE_IO_THREADS
#define FIXTURE_IO_THREADS 0
#endif

struct asked {
    struct shard_client client;
    int protocol;
    bool write;
    char *text; /* the reply, encoded; of a command of the connection: its argument */
    size_t len;
    const struct command *local; /* a command of the connection; NULL: none */
};

struct shard {
    enum shard_admission admission;
    uint64_t leader;
    bool leads;
    bool full;
    bool brimful; /* not even deletions fit */
    bool is_of_old_members;
    bool has_no_sessions;
    bool will_have_sessions;
    struct session_number session; /* of the last write or transaction */
    struct session_note note;      /* of the last shard_session() */
    size_t notes;
    uint64_t applied;
    size_t holders;
    size_t wanted;        /* asked to find out holders … */
    size_t known_holders; /* … which a follower knows then */
    uint64_t contact_ms;
    struct keyspace *keyspace;
    struct asked asked[ASKED_MAX];
    size_t first;
    size_t count;
    uint64_t index;
    size_t writes;
    size_t transactions;
    size_t transaction_count; /* commands of the last one */
    size_t watch_count;
    struct machine_watch watch; /* the last transaction's first; key not kept */
    struct shard_host host;
    bool has_no_types;
    bool has_no_databases;
    struct shard_client blocked; /* whose command waits */
    unsigned blocks;
    unsigned unblocks;
    enum shard_unblock unblocked_why;
    unsigned local_waits;
    bool may_lengthen;
    bool goes_on;    /* shard_go_on() was called */
    bool is_holding; /* reads of the client that asked last */
    unsigned drops;  /* of held reads */
    bool tries;      /* writes of clients that ask nothing else */
    bool was_alone;  /* the last write */
};

struct fixture {
    struct event_base *base;
    struct net *net;
    struct net_settings settings;
    struct command_table *table;
    struct cluster cluster;
    struct shard shard;
    uint64_t now_ms;
    const struct log *log; /* NULL: none */
    uint64_t used_memory;
    bool saving;
    bool sentinel;
    const char *peer_error;
    char peer_rest[64];
    int peer_fd;
    char folder[64];
    char path[96];
};

/* --- the shard --- */

static inline void ask(struct shard *shard, struct shard_client client, int protocol, bool write,
                       const char *text, size_t len)
{
    assert_true(shard->count < ASKED_MAX);
    struct asked *asked = &shard->asked[(shard->first + shard->count++) % ASKED_MAX];
    *asked = (struct asked){client, protocol, write, mem_alloc(len + 1), len, NULL};
    memcpy(asked->text, text, len);
}

static inline enum shard_admission ask_local(struct shard *shard,
                                             const struct shard_request *request)
{
    ask(shard, request->client, request->protocol, false, request->args[1].ptr,
        request->args[1].len);
    shard->asked[(shard->first + shard->count - 1) % ASKED_MAX].local = request->command;
    return SHARD_ACCEPTED;
}

/* Answers "+NAME" and the first argument. */
static inline enum shard_admission admit(struct shard *shard, const struct shard_request *request,
                                         bool write)
{
    if (shard->admission != SHARD_ACCEPTED)
        return shard->admission;
    if (!request->command->run)
        return ask_local(shard, request);
    char text[300];
    int len = snprintf(text, sizeof text, "+%s.%.*s\r\n", request->command->name,
                       request->argc > 1 ? (int)(request->args[1].len % 200) : 0,
                       request->argc > 1 ? request->args[1].ptr : "");
    ask(shard, request->client, request->protocol, write, text, (size_t)len);
    return SHARD_ACCEPTED;
}

enum shard_admission shard_write(struct shard *shard, const struct shard_request *request,
                                 struct shard_time now)
{
    (void)now;
    shard->writes++;
    shard->session = request->session;
    shard->was_alone = request->alone;
    enum shard_admission admission = admit(shard, request, true);
    return admission == SHARD_ACCEPTED && shard->tries && request->alone ? SHARD_TRIED : admission;
}

enum shard_admission shard_read(struct shard *shard, const struct shard_request *request,
                                struct shard_time now)
{
    (void)now;
    return admit(shard, request, false);
}

void shard_read_local(struct shard *shard, const struct shard_request *request,
                      struct resp_writer *reply, struct shard_time now)
{
    (void)shard;
    (void)request;
    (void)now;
    resp_status(reply, "STALE");
}

void shard_wait_local(struct shard *shard, const struct shard_request *request,
                      struct shard_time now)
{
    (void)now;
    shard->local_waits++;
    ask(shard, request->client, request->protocol, false, "+STALE\r\n", 8);
}

enum shard_admission shard_transaction(struct shard *shard,
                                       const struct shard_transaction *transaction,
                                       struct shard_time now)
{
    (void)now;
    if (shard->admission != SHARD_ACCEPTED)
        return shard->admission;
    shard->transactions++;
    shard->transaction_count = transaction->count;
    shard->watch_count = transaction->watch_count;
    shard->session = transaction->session;
    if (transaction->watch_count)
        shard->watch = transaction->watches[0];
    ask(shard, transaction->client, transaction->protocol, true, "+EXECUTED\r\n", 11);
    return SHARD_ACCEPTED;
}

enum shard_admission shard_session(struct shard *shard, struct shard_client client, int protocol,
                                   const struct session_note *note, struct shard_time now)
{
    (void)now;
    if (shard->admission != SHARD_ACCEPTED)
        return shard->admission;
    shard->note = *note;
    shard->notes++;
    ask(shard, client, protocol, true, "+SESSION\r\n", 10);
    return SHARD_ACCEPTED;
}
bool shard_has_sessions(const struct shard *shard)
{
    return !shard->has_no_sessions;
}
bool shard_has_types(const struct shard *shard)
{
    return !shard->has_no_types;
}
bool shard_has_databases(const struct shard *shard)
{
    return !shard->has_no_databases;
}
bool shard_ask(struct shard *shard, enum shard_feature feature)
{
    switch (feature) {
    case SHARD_SESSIONS:
        return !shard->has_no_sessions || shard->will_have_sessions;
    case SHARD_TYPES:
        return !shard->has_no_types;
    case SHARD_DATABASES:
        return !shard->has_no_databases;
    }
    return false;
}
enum shard_admission shard_block(struct shard *shard, const struct shard_request *request,
                                 struct shard_time now)
{
    (void)now;
    if (shard->admission != SHARD_ACCEPTED)
        return shard->admission;
    shard->blocked = request->client;
    shard->blocks++;
    return SHARD_ACCEPTED;
}
void shard_unblock(struct shard *shard, struct shard_client client, enum shard_unblock why,
                   struct shard_time now)
{
    (void)client;
    (void)now;
    shard->unblocks++;
    shard->unblocked_why = why;
}
void shard_go_on(struct shard *shard, struct shard_client client)
{
    (void)client;
    shard->goes_on = true;
}
void shard_drop_held(struct shard *shard, struct shard_client client)
{
    (void)client;
    shard->drops++;
}
bool shard_may_lengthen(const struct shard *shard)
{
    return shard->may_lengthen;
}
uint64_t shard_fresh_ms(struct shard *shard)
{
    return shard->contact_ms;
}
const struct keyspace *shard_keyspace(const struct shard *shard, unsigned database)
{
    (void)database;
    return shard->keyspace;
}
int64_t shard_now_ms(const struct shard *shard, struct shard_time now)
{
    (void)shard;
    return now.wall_ms;
}
uint64_t shard_leader(const struct shard *shard)
{
    return shard->leader;
}
bool shard_is_leader(const struct shard *shard)
{
    return shard->leads;
}
void shard_expect(struct shard *shard, size_t bytes, struct shard_time now)
{
    (void)shard;
    (void)bytes;
    (void)now;
}

bool shard_refuses_writes(const struct shard *shard)
{
    return shard->full;
}
bool shard_refuses_to_free(const struct shard *shard)
{
    return shard->brimful;
}

uint64_t shard_applied_index(const struct shard *shard)
{
    return shard->applied;
}
bool shard_will_forward(const struct shard *shard)
{
    return !shard->is_of_old_members;
}
int64_t shard_clock_ms(const struct shard *shard)
{
    (void)shard;
    return NO_DEADLINE;
}
size_t shard_holders(const struct shard *shard, uint64_t index)
{
    (void)index;
    return shard->leads ? shard->holders : shard->known_holders;
}

void shard_want_holders(struct shard *shard)
{
    shard->wanted++;
}

/* One of those that wait, by the order in which they were asked. */
static inline void answer_at(struct fixture *f, size_t position)
{
    struct shard *shard = &f->shard;
    assert_true(position < shard->count);
    struct asked *at = &shard->asked[(shard->first + position) % ASKED_MAX];
    struct asked asked = *at;
    for (; position; position--) {
        struct asked *before = &shard->asked[(shard->first + position - 1) % ASKED_MAX];
        *at = *before;
        at = before;
    }
    shard->first = (shard->first + 1) % ASKED_MAX;
    shard->count--;
    struct buf *out = shard->host.reply_begin(shard->host.context, asked.client);
    if (asked.local) {
        const struct span args[] = {span_text(asked.local->name), span_of(asked.text, asked.len)};
        struct resp_writer reply = {.out = out, .protocol = asked.protocol};
        shard->host.run_local(shard->host.context, asked.client, asked.local, args, 2, &reply);
    } else if (out)
        buf_add(out, asked.text, asked.len);
    mem_free(asked.text);
    if (asked.write)
        shard->index++;
    shard->host.reply_end(shard->host.context, asked.client, asked.write ? shard->index : 0);
}

static inline void answer(struct fixture *f, size_t count)
{
    for (; count && f->shard.count; count--)
        answer_at(f, 0);
}

/* Answers with `text` until the client is full: its other reads are held then. As shard_drive()
 * does with reads that are confirmed, or that may go on. */
static inline void answer_while_room(struct fixture *f, const char *text)
{
    struct shard *shard = &f->shard;
    struct shard_host *host = &shard->host;
    if (shard->is_holding && !shard->goes_on)
        return;
    shard->goes_on = false;
    struct shard_client client = {0};
    while (shard->count) {
        struct asked *asked = &shard->asked[shard->first];
        client = asked->client;
        if (host->is_full(host->context, client)) {
            if (!shard->is_holding)
                host->held(host->context, client, true);
            shard->is_holding = true;
            return;
        }
        mem_free(asked->text);
        asked->len = strlen(text);
        asked->text = mem_alloc(asked->len + 1);
        memcpy(asked->text, text, asked->len);
        answer_at(f, 0);
    }
    if (shard->is_holding)
        host->held(host->context, client, false);
    shard->is_holding = false;
}

/* --- the host --- */

static inline bool host_save_is_over(void *context)
{
    return !((struct fixture *)context)->saving;
}

/* A server command that takes its time. */
static inline void host_save(struct fixture *f, struct client *client, struct resp_writer *reply)
{
    switch (net_client_waited(client)) {
    case NET_NOT_YET:
        f->saving = true;
        net_client_wait(client, host_save_is_over, f);
        return;
    case NET_WAITED:
        resp_status(reply, "SAVED");
        return;
    case NET_UNBLOCKED:
        resp_error(reply, "UNBLOCKED");
        return;
    }
}

static inline void host_run(void *context, struct client *client, const struct command *command,
                            const struct span *args, size_t argc, struct resp_writer *reply)
{
    struct fixture *f = context;
    (void)args;
    (void)argc;
    if (span_is(span_text(command->fullname), "save"))
        host_save(f, client, reply);
    else
        resp_status(reply, command->fullname);
}

static inline const char *host_accept_peer(void *context, int fd, const struct span *args,
                                           size_t argc, struct span rest)
{
    (void)args;
    (void)argc;
    struct fixture *f = context;
    if (f->peer_error)
        return f->peer_error;
    f->peer_fd = fd;
    snprintf(f->peer_rest, sizeof f->peer_rest, "%.*s", (int)rest.len, rest.ptr);
    return NULL;
}

static inline uint64_t host_used_memory(void *context)
{
    return ((struct fixture *)context)->used_memory;
}
static inline struct shard_time host_now(void *context)
{
    uint64_t now_ms = ((struct fixture *)context)->now_ms;
    return (struct shard_time){
        .mono_ms = now_ms, .wall_ms = (int64_t)now_ms, .mono_us = now_ms * 1000};
}
static inline int64_t host_wall_us(void *context)
{
    return (int64_t)((struct fixture *)context)->now_ms * 1000;
}

static inline uint64_t host_clock_us(void *context, bool coarse)
{
    (void)coarse;
    return ((struct fixture *)context)->now_ms * 1000;
}

/* --- set up and tear down --- */

static inline void open_net(struct fixture *f)
{
    char message[256];
    f->net = net_new(f->base, &(struct net_options){.settings = &f->settings,
                                                    .table = f->table,
                                                    .cluster = &f->cluster,
                                                    .log = f->log,
                                                    .self = 1,
                                                    .io_threads = FIXTURE_IO_THREADS,
                                                    .sentinel = f->sentinel,
                                                    .redis_version = "7.2.4",
                                                    .host = {.context = f,
                                                             .run = host_run,
                                                             .accept_peer = host_accept_peer,
                                                             .used_memory = host_used_memory,
                                                             .now = host_now,
                                                             .wall_us = host_wall_us,
                                                             .clock_us = host_clock_us}});
    f->shard.host = net_shard_host(f->net);
    net_set_shard(f->net, &f->shard);
    assert_int_equal(net_listen_unix(f->net, f->path, 0700, 16, message), ERR_NONE);
}

static inline int set_up(void **state)
{
    struct fixture *f = mem_zalloc(sizeof *f);
    f->base = event_base_new();
    f->table = command_table_new();
    f->now_ms = 1000000;
    f->peer_fd = -1;
    f->settings = (struct net_settings){.maxclients = 100,
                                        .follower_mode = NET_FOLLOWER_REDIRECT,
                                        .leader_wait_ms = 500,
                                        .replica_max_lag_ms = 1000,
                                        .query_buffer_max = 1 << 20,
                                        .bulk_len_max = 1 << 29,
                                        .databases = 16,
                                        .slowlog_slower_than_us = -1};
    f->cluster.count = 2;
    f->cluster.nodes[0] = (struct cluster_node){.id = 1, .host = "10.0.0.1", .port = 7001};
    f->cluster.nodes[1] = (struct cluster_node){.id = 2, .host = "10.0.0.2", .port = 7002};
    f->shard.leads = true;
    f->shard.leader = 1;
    f->shard.holders = 2;
    f->shard.keyspace = keyspace_new(1);
    strcpy(f->folder, "/tmp/flotilla-net-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/s", f->folder);
    open_net(f);
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    answer(f, ASKED_MAX);
    net_free(f->net);
    event_base_free(f->base);
    keyspace_free(f->shard.keyspace);
    command_table_free(f->table);
    rmdir(f->folder);
    mem_free(f);
    return 0;
}

/* --- a turn, a client --- */

static inline void turn(struct fixture *f)
{
    event_base_loop(f->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    net_resume(f->net);
    net_flush(f->net);
    for (int i = 0; i < FIXTURE_IO_THREADS; i++)
        net_step_io(f->net, (unsigned)i);
}

static inline void turns(struct fixture *f)
{
    for (int i = 0; i < 6; i++)
        turn(f);
}

static inline int dial(struct fixture *f)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, f->path);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    turns(f);
    return fd;
}

static inline void say_bytes(struct fixture *f, int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent < 0)
            break;
        bytes += sent;
        len -= (size_t)sent;
        turn(f);
    }
    turns(f);
}

static inline void say(struct fixture *f, int fd, const char *text)
{
    say_bytes(f, fd, text, strlen(text));
}

/* What has arrived; "<end>" if the connection is closed behind it. */
static inline const char *hear(struct fixture *f, int fd)
{
    static char heard[1 << 16];
    size_t len = 0;
    turns(f);
    for (;;) {
        if (len == sizeof heard - 6) {
            heard[len] = '\0';
            return heard; /* there may be more */
        }
        ssize_t got = recv(fd, heard + len, sizeof heard - len - 6, 0);
        if (got > 0) {
            len += (size_t)got;
            continue;
        }
        if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) {
            strcpy(heard + len, "<end>");
            len += 5;
        }
        heard[len] = '\0';
        return heard;
    }
}

#define assert_hears(f, fd, text) assert_string_equal(hear((f), (fd)), (text))

static inline const char *reply_to(struct fixture *f, int fd, const char *text)
{
    say(f, fd, text);
    return hear(f, fd);
}

#define assert_replies(f, fd, request, text)                                                       \
    assert_string_equal(reply_to((f), (fd), (request)), (text))

static inline void loses_leadership_to(struct fixture *f, uint64_t leader)
{
    f->shard.leads = false;
    f->shard.leader = leader;
    f->shard.admission = SHARD_NOT_LEADER;
    f->shard.host.role_changed(f->shard.host.context);
}

static inline void takes_leadership(struct fixture *f)
{
    f->shard.leads = true;
    f->shard.leader = 1;
    f->shard.admission = SHARD_ACCEPTED;
    f->shard.host.role_changed(f->shard.host.context);
}

#endif
