/* Two nodes of a cluster in one process: node 1 dials, node 2 is a listener that hands accepted
 * connections to its peers as net/ does. */
#include "peer/peer.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/listener.h>

#include "base/mem.h"
#include "base/number.h"
#include "peer/proof.h"
#include "resp/parse.h"
#include "unit/support/test.h"
#include "wire/frame.h"
#include "wire/message.h"

struct seen {
    int messages;
    uint64_t from;
    size_t argc;
    size_t last_len; /* of the last argument */
    uint32_t shard;
    int alive;
    uint32_t alive_shard;
    int lost;
    uint64_t lost_node;
    int met;
    int met_dialled; /* of those: on connections that this node dialled */
    struct shard_peer met_peer;
    int told;
    const char *refusal; /* of the next messages */
};

struct pair {
    struct event_base *base;
    struct cluster cluster;
    struct evconnlistener *listener;
    struct peers *one;
    struct peers *two;
    struct seen seen_by_one;
    struct seen seen_by_two;
    const char *refusal;
    bool two_is_old;     /* it knows the oldest version alone */
    bool two_is_deaf;    /* it closes what is dialled */
    unsigned greetings;  /* that the listener heard */
    uint64_t version;    /* that the last of them named */
    uint64_t greeted_ms; /* when, and how long after the one before */
    uint64_t pause_ms;
    struct buf log; /* of node 2 */
    struct log logger;
};

#define SECRET "a secret that all nodes of these tests have"

static const char cluster_one[] = "0123456789abcdef0123456789abcdef01234567";

static const char *on_message(void *context, uint32_t shard, const struct shard_peer *from,
                              const struct span *args, size_t argc)
{
    struct seen *seen = context;
    seen->messages++;
    seen->from = from->node;
    seen->shard = shard;
    seen->argc = argc;
    seen->last_len = args[argc - 1].len;
    return seen->refusal;
}

static void on_alive(void *context, uint32_t shard, const struct shard_peer *from, uint32_t busy_ms)
{
    (void)busy_ms;
    (void)from;
    struct seen *seen = context;
    seen->alive++;
    seen->alive_shard = shard;
}

static void on_lost(void *context, uint64_t node)
{
    struct seen *seen = context;
    seen->lost++;
    seen->lost_node = node;
}

static void on_met(void *context, const struct shard_peer *peer, const char *cluster_id,
                   bool dialled)
{
    struct seen *seen = context;
    assert_int_equal(strlen(cluster_id), WIRE_CLUSTER_ID);
    seen->met++;
    seen->met_dialled += dialled;
    seen->met_peer = *peer;
}

static bool on_told(void *context, const struct shard_peer *from, const struct span *args,
                    size_t argc)
{
    struct seen *seen = context;
    (void)from;
    (void)argc;
    seen->told++;
    return span_is(args[0], "RAFT.FOUND");
}

static void on_log(void *context, enum log_level level, const char *line)
{
    (void)level;
    buf_add_text(context, line);
    buf_add_char(context, '\n');
}

/* As little as possible depends on it: nonces differ, that is all. */
static uint64_t next_random(void)
{
    static uint64_t last;
    return last += 0x9e3779b97f4a7c15;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void note_greeting(struct pair *pair, const struct span *args, size_t argc)
{
    uint64_t at_ms = now_ms();
    pair->refusal = NULL;
    pair->greetings++;
    pair->pause_ms = at_ms - pair->greeted_ms;
    pair->greeted_ms = at_ms;
    if (argc > 1 && !number_parse_u64(args[1], &pair->version))
        pair->version = 0;
}

/* The greeting comes in one piece: it is short and sent at once. */
static void on_greeting(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct pair *pair = context;
    static const struct resp_limits limits = {.bulk_len_max = 1 << 20, .authenticated = true};
    struct resp_parser parser = {0};
    char bytes[4096];
    ssize_t got = recv(fd, bytes, sizeof bytes, 0);
    if (got <= 0 || resp_parse(&parser, span_of(bytes, (size_t)got), &limits) != RESP_COMMAND) {
        close(fd);
    } else {
        struct span rest = span_of(bytes + parser.consumed, (size_t)got - parser.consumed);
        bool is_for_one = parser.argc > 3 && span_is(parser.args[3], "1");
        note_greeting(pair, parser.args, parser.argc);
        if (pair->two_is_deaf && !is_for_one)
            close(fd);
        else if (pair->two_is_old && !is_for_one && pair->version != WIRE_VERSION_OLDEST)
            pair->refusal = "NOPERM malformed RAFT.HELLO, or of another version";
        else
            pair->refusal = peers_accept(is_for_one ? pair->one : pair->two, fd, parser.args,
                                         parser.argc, rest);
        if (pair->refusal) {
            char reply[256];
            int len = snprintf(reply, sizeof reply, "-%s\r\n", pair->refusal);
            assert_int_equal(send(fd, reply, (size_t)len, 0), len);
            close(fd);
        }
    }
    resp_parser_close(&parser);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
                      int len, void *context)
{
    (void)listener;
    (void)from;
    (void)len;
    struct pair *pair = context;
    event_base_once(pair->base, fd, EV_READ, on_greeting, pair, NULL);
}

static struct peers *open_peers(struct pair *pair, uint64_t self, struct span secret,
                                struct seen *seen)
{
    struct peer_options options = {
        .self = self,
        .cluster = &pair->cluster,
        .secret = secret,
        .incarnation = 100 + self,
        .output_bytes_max = 1 << 20,
        .random = next_random,
        .log = self == 2 ? &pair->logger : NULL,
        .events = {seen, on_message, on_alive, on_lost, on_met, on_told, NULL}};
    return peers_new(pair->base, &options);
}

/* Ports: node 2's is listened on; on node 1's port nobody listens, so that node 2's calls are
 * refused. */
static void pair_open(struct pair *pair, struct span secret_of_one, struct span secret_of_two)
{
    memset(pair, 0, sizeof *pair);
    pair->logger = (struct log){LOG_NOTICE, on_log, &pair->log};
    pair->base = event_base_new();
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    pair->listener = evconnlistener_new_bind(pair->base, on_accept, pair, LEV_OPT_CLOSE_ON_FREE, 8,
                                             (struct sockaddr *)&address, sizeof address);
    assert_non_null(pair->listener);
    socklen_t len = sizeof address;
    assert_int_equal(
        getsockname(evconnlistener_get_fd(pair->listener), (struct sockaddr *)&address, &len), 0);
    char text[64];
    char message[256];
    snprintf(text, sizeof text, "1@127.0.0.1:1,2@127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
    assert_int_equal(cluster_parse(&pair->cluster, span_text(text), cluster_one, message), 0);
    pair->two = open_peers(pair, 2, secret_of_two, &pair->seen_by_two);
    pair->one = open_peers(pair, 1, secret_of_one, &pair->seen_by_one);
}

static void pair_close(struct pair *pair)
{
    peers_free(pair->one);
    peers_free(pair->two);
    evconnlistener_free(pair->listener);
    event_base_free(pair->base);
    buf_close(&pair->log);
}

static void turn(struct pair *pair)
{
    event_base_loop(pair->base, EVLOOP_ONCE);
    peers_flush(pair->one);
    peers_flush(pair->two);
}

/* Whoever waits longer than a minute waits for ever. */
#define WAIT_FOR(pair, condition)                                                                  \
    do {                                                                                           \
        for (int turns = 0; !(condition) && turns < 100000; turns++)                               \
            turn(pair);                                                                            \
        assert_true(condition);                                                                    \
    } while (0)

static void send_vote(struct peers *peers, const struct pair *pair, uint64_t from, uint64_t to,
                      bool response)
{
    struct buf bytes = {0};
    struct raft_message message = {.type = response ? RAFT_VOTE_RESPONSE : RAFT_VOTE_REQUEST,
                                   .from = from,
                                   .to = to,
                                   .term = 7};
    wire_encode_message(&bytes, span_text(pair->cluster.cluster_id), 3, &message, span_of("", 0));
    peers_send(peers, to, response, buf_span(&bytes));
    buf_close(&bytes);
}

static void test_requests_and_responses_share_the_dialled_connection(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN(SECRET), SPAN(SECRET));
    WAIT_FOR(&pair, peers_link(pair.one, 2).connected);
    send_vote(pair.one, &pair, 1, 2, false);
    WAIT_FOR(&pair, pair.seen_by_two.messages == 1);
    assert_int_equal(pair.seen_by_two.from, 1);
    assert_int_equal(pair.seen_by_two.argc, 10);
    assert_int_equal(pair.seen_by_two.shard, 3);
    send_vote(pair.two, &pair, 2, 1, true);
    WAIT_FOR(&pair, pair.seen_by_one.messages == 1);
    assert_int_equal(pair.seen_by_one.from, 2);
    pair_close(&pair);
}

static bool logged(const struct pair *pair, const char *text)
{
    return pair->log.len && memmem(pair->log.ptr, pair->log.len, text, strlen(text));
}

static void test_both_sides_meet_with_what_they_are(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN(SECRET), SPAN(SECRET));
    WAIT_FOR(&pair, pair.seen_by_one.met == 1 && pair.seen_by_two.met == 1);
    assert_int_equal(pair.seen_by_one.met_dialled, 1);
    assert_int_equal(pair.seen_by_two.met_dialled, 0);
    assert_int_equal(pair.seen_by_one.met_peer.node, 2);
    assert_int_equal(pair.seen_by_one.met_peer.incarnation, 102);
    assert_int_equal(pair.seen_by_two.met_peer.node, 1);
    assert_int_equal(pair.seen_by_two.met_peer.incarnation, 101);
    peers_restart(pair.one, 7); /* greets anew, with what it is now */
    WAIT_FOR(&pair, pair.seen_by_two.met == 2);
    assert_int_equal(pair.seen_by_two.met_peer.incarnation, 7);
    pair_close(&pair);
}

static void test_a_wrong_secret_is_refused(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN("another secret, no shorter than the others"), SPAN(SECRET));
    WAIT_FOR(&pair, peers_stats(pair.two).handshakes_refused == 1);
    assert_true(logged(&pair, "a connection from 127.0.0.1:"));
    assert_true(logged(&pair, "said it is node 1 has another cluster-secret"));
    send_vote(pair.one, &pair, 1, 2, false);
    assert_int_equal(peers_link(pair.one, 2).dropped, 1);
    assert_false(peers_link(pair.one, 2).connected);
    assert_int_equal(pair.seen_by_one.met + pair.seen_by_two.met, 0);
    pair_close(&pair);
}

static void test_without_a_secret_nodes_on_loopback_meet(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN(""), SPAN(""));
    WAIT_FOR(&pair, peers_link(pair.one, 2).connected);
    pair_close(&pair);
}

static void test_who_lacks_the_secret_or_has_one_too_many_is_refused(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN(""), SPAN(SECRET));
    WAIT_FOR(&pair, peers_stats(pair.two).handshakes_refused == 1);
    pair_close(&pair);
    pair_open(&pair, SPAN(SECRET), SPAN(""));
    WAIT_FOR(&pair, peers_stats(pair.two).handshakes_refused == 1);
    pair_close(&pair);
}

static void test_a_password_ends_links_without_a_secret(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN(""), SPAN(""));
    WAIT_FOR(&pair, peers_link(pair.one, 2).connected);
    peers_set_guarded(pair.two, true);
    assert_true(logged(&pair, "a password guards the data, but cluster-secret is not set"));
    WAIT_FOR(&pair, !peers_link(pair.one, 2).connected);
    WAIT_FOR(&pair, pair.refusal != NULL);
    assert_non_null(strstr(pair.refusal, "no cluster-secret is set"));
    peers_set_guarded(pair.two, false);
    WAIT_FOR(&pair, peers_link(pair.one, 2).connected);
    pair_close(&pair);
}

static void test_a_password_does_not_concern_nodes_with_a_secret(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN(SECRET), SPAN(SECRET));
    peers_set_guarded(pair.two, true);
    peers_set_guarded(pair.one, true);
    WAIT_FOR(&pair, peers_link(pair.one, 2).connected);
    assert_false(logged(&pair, "password"));
    pair_close(&pair);
}

/* --- somebody else, by hand --- */

struct stranger {
    struct pair *pair;
    int fd;
    struct buf heard;
    struct wire_hello hello;
    struct wire_challenge challenge;
};

static void stranger_open(struct stranger *stranger, struct pair *pair)
{
    *stranger = (struct stranger){
        .pair = pair, .hello = {.version = WIRE_VERSION, .from = 1, .to = 2, .incarnation = 101}};
    memcpy(stranger->hello.cluster_id, pair->cluster.cluster_id, sizeof stranger->hello.cluster_id);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons(cluster_find(&pair->cluster, 2)->port);
    stranger->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(stranger->fd, (struct sockaddr *)&address, sizeof address), 0);
}

static void stranger_close(struct stranger *stranger)
{
    close(stranger->fd);
    buf_close(&stranger->heard);
}

static void say(struct stranger *stranger, struct buf *bytes)
{
    assert_int_equal(send(stranger->fd, bytes->ptr, bytes->len, MSG_NOSIGNAL), bytes->len);
    buf_close(bytes);
}

/* true: the other side has ended the connection. */
static bool hear(struct stranger *stranger)
{
    event_base_loop(stranger->pair->base, EVLOOP_NONBLOCK);
    peers_flush(stranger->pair->two);
    ssize_t got = recv(stranger->fd, buf_reserve(&stranger->heard, 4096), 4096, MSG_DONTWAIT);
    if (got > 0)
        stranger->heard.len += (size_t)got;
    return got == 0 || (got < 0 && errno == ECONNRESET);
}

static struct wire_frame hear_words(struct stranger *stranger)
{
    struct wire_frame frame = {.argc = 0};
    stranger->heard.len = 0;
    enum wire_frame_outcome outcome = WIRE_FRAME_MORE;
    for (int i = 0; i < 1000000 && outcome == WIRE_FRAME_MORE; i++) {
        if (hear(stranger))
            break;
        outcome = wire_frame_read(&frame, buf_span(&stranger->heard), 8, 1024);
    }
    return frame;
}

static void greet(struct stranger *stranger)
{
    struct buf bytes = {0};
    wire_encode_hello(&bytes, &stranger->hello);
    say(stranger, &bytes);
    struct wire_frame frame = hear_words(stranger);
    assert_int_equal(wire_parse_challenge(frame.args, frame.argc, &stranger->challenge), ERR_NONE);
}

static void prove(struct stranger *stranger, struct span secret, enum wire_role role)
{
    struct buf bytes = {0};
    struct wire_proof proof;
    proof_make(&proof, secret, role, &stranger->hello, &stranger->challenge);
    wire_encode_proof(&bytes, WIRE_DIALLER, &proof);
    say(stranger, &bytes);
}

/* --- versions --- */

static void test_nodes_meet_in_the_newest_version(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN(SECRET), SPAN(SECRET));
    WAIT_FOR(&pair, pair.seen_by_one.met == 1 && pair.seen_by_two.met == 1);
    assert_int_equal(pair.seen_by_one.met_peer.version, WIRE_VERSION);
    assert_int_equal(pair.seen_by_two.met_peer.version, WIRE_VERSION);
    assert_int_equal(peers_link(pair.one, 2).version, WIRE_VERSION);
    assert_int_equal(pair.greetings, 1);
    pair_close(&pair);
}

/* What refuses the newest version is greeted in the one before at once, however long the pause was
 * that the greeting had waited for. */
static void test_a_node_of_an_older_version_is_met_at_once(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN(SECRET), SPAN(SECRET));
    pair.two_is_deaf = true;
    WAIT_FOR(&pair, pair.greetings == 6); /* the backoff is some 600 ms by now */
    pair.two_is_deaf = false;
    pair.two_is_old = true;
    WAIT_FOR(&pair, pair.seen_by_one.met == 1 && pair.seen_by_two.met == 1);
    assert_int_equal(pair.greetings, 7 + WIRE_VERSION - WIRE_VERSION_OLDEST);
    assert_true(pair.pause_ms < 300);
    assert_int_equal(pair.seen_by_one.met_peer.version, WIRE_VERSION_OLDEST);
    assert_int_equal(pair.seen_by_two.met_peer.version, WIRE_VERSION_OLDEST);
    pair_close(&pair);
}

static void test_the_newest_version_is_tried_again_after_the_connection(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN(SECRET), SPAN(SECRET));
    pair.two_is_old = true;
    WAIT_FOR(&pair, pair.seen_by_one.met == 1);
    pair.two_is_old = false;
    peers_restart(pair.two, 102); /* closes its end */
    WAIT_FOR(&pair, pair.seen_by_one.met == 2);
    assert_int_equal(pair.version, WIRE_VERSION);
    assert_int_equal(pair.seen_by_one.met_peer.version, WIRE_VERSION);
    pair_close(&pair);
}

/* Node 2 was old when node 1 dialled it; its next process dials node 1 first. */
static void test_who_comes_with_a_newer_version_is_dialled_anew(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN(SECRET), SPAN(SECRET));
    pair.two_is_old = true;
    WAIT_FOR(&pair, pair.seen_by_one.met == 1);
    pair.two_is_old = false;
    struct stranger two;
    stranger_open(&two, &pair);
    two.hello.from = 2;
    two.hello.incarnation = 102;
    two.hello.to = 1;
    greet(&two);
    prove(&two, SPAN(SECRET), WIRE_DIALLER);
    WAIT_FOR(&pair, pair.seen_by_one.met == 3 && pair.seen_by_two.met == 2);
    assert_int_equal(pair.seen_by_one.met_peer.version, WIRE_VERSION);
    assert_int_equal(pair.seen_by_two.met_peer.version, WIRE_VERSION);
    assert_true(peers_link(pair.one, 2).connected);
    stranger_close(&two);
    pair_close(&pair);
}

static void test_another_folder_under_an_id_that_is_connected_is_refused(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN(SECRET), SPAN(SECRET));
    WAIT_FOR(&pair, pair.seen_by_one.met == 1 && pair.seen_by_two.met == 1);
    struct stranger other;
    stranger_open(&other, &pair);
    other.hello.incarnation = 7;
    greet(&other);
    prove(&other, SPAN(SECRET), WIRE_DIALLER);
    struct wire_frame frame = hear_words(&other);
    assert_true(span_is(
        frame.args[0], "NOPERM that node is connected with another data folder: its id is in use"));
    stranger_close(&other);
    pair_close(&pair);
}

/* The connection that node 2 began says that it speaks a newer version than it answers to. */
static void test_a_connection_in_an_older_version_than_the_other_is_made_anew(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN(SECRET), SPAN(SECRET));
    pair.two_is_deaf = pair.two_is_old = true;
    struct stranger two;
    stranger_open(&two, &pair);
    two.hello.from = 2;
    two.hello.incarnation = 102;
    two.hello.to = 1;
    greet(&two);
    prove(&two, SPAN(SECRET), WIRE_DIALLER);
    WAIT_FOR(&pair, pair.seen_by_one.met == 1);
    pair.two_is_deaf = false;
    WAIT_FOR(&pair, pair.seen_by_one.met == 2);
    assert_int_equal(pair.seen_by_one.met_peer.version, WIRE_VERSION_OLDEST);
    assert_false(peers_link(pair.one, 2).connected);
    pair.two_is_old = false;
    WAIT_FOR(&pair, pair.seen_by_one.met == 3);
    assert_int_equal(pair.seen_by_one.met_peer.version, WIRE_VERSION);
    assert_true(peers_link(pair.one, 2).connected);
    stranger_close(&two);
    pair_close(&pair);
}

static void come_as_two(struct pair *pair, struct stranger *two)
{
    stranger_open(two, pair);
    two->hello.from = 2;
    two->hello.to = 1;
    greet(two);
    prove(two, SPAN(SECRET), WIRE_DIALLER);
}

static void pass_ms(struct pair *pair, long ms)
{
    struct timeval time = {.tv_usec = ms * 1000};
    event_base_loopexit(pair->base, &time);
    event_base_dispatch(pair->base);
}

/* A process that was down has dialled this one before it was its turn to be dialled. */
static void test_who_comes_is_dialled_before_its_time(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN(SECRET), SPAN(SECRET));
    pair.two_is_deaf = true;
    WAIT_FOR(&pair, pair.greetings == 6); /* the backoff is some 600 ms by now */
    pair.two_is_deaf = false;
    uint64_t came_ms = now_ms();
    struct stranger two;
    come_as_two(&pair, &two);
    WAIT_FOR(&pair, peers_link(pair.one, 2).connected);
    assert_true(now_ms() - came_ms < 300);
    stranger_close(&two);
    pair_close(&pair);
}

static void test_who_comes_and_cannot_be_dialled_is_hurried_to_once(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN(SECRET), SPAN(SECRET));
    pair.two_is_deaf = true;
    WAIT_FOR(&pair, pair.greetings == 6);
    struct stranger first, second;
    come_as_two(&pair, &first);
    WAIT_FOR(&pair, pair.greetings == 8); /* its own, and the answer to it */
    come_as_two(&pair, &second);
    pass_ms(&pair, 200);
    assert_int_equal(pair.greetings, 9); /* its own */
    stranger_close(&first);
    stranger_close(&second);
    pair_close(&pair);
}

/* Every version is refused for another reason: no greeting after the other without a pause. */
static void test_who_refuses_every_version_is_left_alone_for_a_while(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN("another secret, no shorter than the others"), SPAN(""));
    peers_set_guarded(pair.two, true);
    const int versions = WIRE_VERSION - WIRE_VERSION_OLDEST + 1;
    WAIT_FOR(&pair, pair.greetings == versions);
    struct timeval half = {.tv_usec = 500000};
    event_base_loopexit(pair.base, &half);
    event_base_dispatch(pair.base);
    assert_int_equal(pair.greetings, versions);
    assert_int_equal(pair.version, WIRE_VERSION_OLDEST);
    pair_close(&pair);
}

static void test_a_required_version_is_the_least_that_is_spoken(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN(SECRET), SPAN(SECRET));
    pair.two_is_old = true;
    WAIT_FOR(&pair, pair.seen_by_one.met == 1 && pair.seen_by_two.met == 1);
    pair.two_is_old = false;
    peers_require(pair.two, WIRE_VERSION); /* ends the connection that is there */
    WAIT_FOR(&pair, pair.seen_by_two.met == 2);
    assert_int_equal(pair.seen_by_two.met_peer.version, WIRE_VERSION);
    struct stranger stranger;
    stranger_open(&stranger, &pair);
    stranger.hello.version = WIRE_VERSION_OLDEST;
    struct buf bytes = {0};
    wire_encode_hello(&bytes, &stranger.hello);
    say(&stranger, &bytes);
    struct wire_frame frame = hear_words(&stranger);
    assert_non_null(memmem(frame.args[0].ptr, frame.args[0].len, "needs a newer Flotilla", 22));
    stranger_close(&stranger);
    pair_close(&pair);
}

static void test_a_node_that_needs_the_newest_version_names_no_older(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN(SECRET), SPAN(SECRET));
    peers_require(pair.one, WIRE_VERSION);
    pair.two_is_old = true;
    WAIT_FOR(&pair, pair.greetings == 1);
    struct timeval half = {.tv_usec = 300000};
    event_base_loopexit(pair.base, &half);
    event_base_dispatch(pair.base);
    assert_int_equal(pair.greetings, 1);
    assert_int_equal(pair.seen_by_one.met, 0);
    pair_close(&pair);
}

/* The proof covers the version: nobody in between can have two nodes speak an older one. */
static void test_a_version_that_was_changed_on_the_way_spoils_the_proof(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN(SECRET), SPAN(SECRET));
    struct stranger stranger;
    stranger_open(&stranger, &pair);
    stranger.hello.version = WIRE_VERSION_OLDEST;
    greet(&stranger);
    stranger.hello.version = WIRE_VERSION; /* what its sender had said */
    prove(&stranger, SPAN(SECRET), WIRE_DIALLER);
    struct wire_frame frame = hear_words(&stranger);
    assert_non_null(memmem(frame.args[0].ptr, frame.args[0].len, "wrong cluster-secret", 20));
    stranger_close(&stranger);
    pair_close(&pair);
}

/* With the right secret, but with something else that is wrong. */
static void expect_refused(struct pair *pair, const struct wire_hello *hello, const char *expected)
{
    struct stranger stranger;
    stranger_open(&stranger, pair);
    stranger.hello = *hello;
    greet(&stranger);
    prove(&stranger, SPAN(SECRET), WIRE_DIALLER);
    struct wire_frame frame = hear_words(&stranger);
    assert_non_null(memmem(frame.args[0].ptr, frame.args[0].len, expected, strlen(expected)));
    stranger_close(&stranger);
}

static void test_strangers_are_refused(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN(SECRET), SPAN(SECRET));
    struct wire_hello right = {.version = WIRE_VERSION, .from = 1, .to = 2, .incarnation = 1};
    memcpy(right.cluster_id, pair.cluster.cluster_id, sizeof right.cluster_id);
    struct wire_hello wrong = right;
    memset(wrong.cluster_id, '1', WIRE_CLUSTER_ID);
    expect_refused(&pair, &wrong, "another cluster");
    wrong = right;
    wrong.to = 3;
    expect_refused(&pair, &wrong, "another node");
    wrong = right;
    wrong.from = 2; /* the node itself */
    expect_refused(&pair, &wrong, "no member");
    wrong.from = 9;
    memset(wrong.cluster_id, '0', WIRE_CLUSTER_ID);
    expect_refused(&pair, &wrong, "no member");
    assert_int_equal(peers_stats(pair.two).handshakes_refused, 4);
    pair_close(&pair);
}

/* It was added while this node was away, and may lead by now. */
static void test_a_node_of_the_cluster_that_is_not_known_yet_is_answered(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN(SECRET), SPAN(SECRET));
    for (uint64_t id = 9; id < 9 + 2 * RAFT_MEMBERS_MAX; id++) {
        struct stranger stranger;
        stranger_open(&stranger, &pair);
        stranger.hello.from = id;
        greet(&stranger);
        prove(&stranger, SPAN(SECRET), WIRE_DIALLER);
        struct wire_frame frame = hear_words(&stranger);
        assert_true(span_equal(frame.args[0], SPAN("RAFT.WELCOME")));
        stranger_close(&stranger);
        struct stranger nobody = {.pair = &pair, .fd = -1};
        for (int i = 0; i < 5; i++)
            hear(&nobody);
        buf_close(&nobody.heard);
    }
    assert_int_equal(peers_stats(pair.two).handshakes_refused, 0);
    pair_close(&pair);
}

static void test_a_captured_proof_is_worth_nothing_on_another_connection(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN(SECRET), SPAN(SECRET));
    struct stranger first, second;
    stranger_open(&first, &pair);
    greet(&first);
    stranger_open(&second, &pair);
    greet(&second);
    assert_memory_not_equal(first.challenge.nonce, second.challenge.nonce, WIRE_NONCE_BYTES);
    struct wire_challenge own = second.challenge;
    second.challenge = first.challenge; /* what the first proved, said again */
    prove(&second, SPAN(SECRET), WIRE_DIALLER);
    hear_words(&second);
    assert_int_equal(peers_stats(pair.two).handshakes_refused, 1);
    assert_memory_not_equal(own.nonce, second.challenge.nonce, WIRE_NONCE_BYTES);
    stranger_close(&first);
    stranger_close(&second);
    pair_close(&pair);
}

static void test_a_reflected_proof_is_refused(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN(SECRET), SPAN(SECRET));
    struct stranger stranger;
    stranger_open(&stranger, &pair);
    greet(&stranger);
    prove(&stranger, SPAN(SECRET), WIRE_ACCEPTOR); /* as an acceptor elsewhere would say it */
    hear_words(&stranger);
    assert_int_equal(peers_stats(pair.two).handshakes_refused, 1);
    stranger_close(&stranger);
    pair_close(&pair);
}

static void test_who_proves_nothing_cannot_speak_on(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN(SECRET), SPAN(SECRET));
    struct stranger stranger;
    stranger_open(&stranger, &pair);
    greet(&stranger);
    struct buf bytes = {0};
    struct raft_message message = {.type = RAFT_TIMEOUT_NOW, .from = 1, .to = 2, .term = 9};
    wire_encode_message(&bytes, span_text(pair.cluster.cluster_id), 0, &message, span_of("", 0));
    say(&stranger, &bytes);
    hear_words(&stranger);
    assert_int_equal(pair.seen_by_two.messages, 0);
    assert_int_equal(peers_stats(pair.two).handshakes_refused, 1);
    stranger_close(&stranger);
    pair_close(&pair);
}

static void test_a_greeting_that_does_not_end_is_cut_off(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN(SECRET), SPAN(SECRET));
    struct stranger stranger;
    stranger_open(&stranger, &pair);
    greet(&stranger);
    struct buf bytes = {0};
    buf_add_text(&bytes, "*2\r\n$10\r\nRAFT.PROOF\r\n$2000000000\r\n");
    say(&stranger, &bytes);
    bool ended = false;
    for (int i = 0; i < 1000000 && !ended; i++)
        ended = hear(&stranger);
    assert_true(ended);
    stranger_close(&stranger);
    pair_close(&pair);
}

static bool has_ended(struct stranger *stranger)
{
    for (int i = 0; i < 20; i++)
        if (hear(stranger))
            return true;
    return false;
}

static void test_guests_have_a_bounded_number_of_places_and_seconds(void **state)
{
    (void)state;
    enum { GUESTS = 40, PLACES = 24 };
    struct pair pair;
    pair_open(&pair, SPAN(SECRET), SPAN(SECRET));
    WAIT_FOR(&pair, peers_link(pair.one, 2).connected);
    struct stranger guests[GUESTS];
    pair.refusal = NULL;
    for (size_t i = 0; i < GUESTS; i++) {
        struct buf bytes = {0};
        stranger_open(&guests[i], &pair);
        wire_encode_hello(&bytes, &guests[i].hello);
        say(&guests[i], &bytes);
        hear_words(&guests[i]); /* each gets its challenge */
    }
    assert_null(pair.refusal);
    size_t left = 0;
    for (size_t i = 0; i < GUESTS; i++)
        left += !has_ended(&guests[i]);
    assert_int_equal(left, PLACES);
    assert_int_equal(peers_stats(pair.two).handshakes_refused, GUESTS - PLACES);
    while (peers_stats(pair.two).handshakes_refused < GUESTS) /* three seconds */
        hear(&guests[0]);
    for (size_t i = 0; i < GUESTS; i++)
        stranger_close(&guests[i]);
    pair_close(&pair);
}

static void test_a_node_is_heard_in_a_crowd_that_guesses_from_its_address(void **state)
{
    (void)state;
    enum { GUESSES = 60 };
    struct pair pair;
    pair_open(&pair, SPAN(SECRET), SPAN(SECRET));
    struct stranger crowd[GUESSES];
    pair.refusal = NULL;
    for (size_t i = 0; i < GUESSES; i++) {
        stranger_open(&crowd[i], &pair);
        greet(&crowd[i]);
        prove(&crowd[i], SPAN("a guess that has the right length, no more"), WIRE_DIALLER);
        event_base_loop(pair.base, EVLOOP_NONBLOCK);
    }
    struct stranger node;
    stranger_open(&node, &pair);
    greet(&node);
    prove(&node, SPAN(SECRET), WIRE_DIALLER);
    struct wire_frame frame = hear_words(&node);
    assert_true(span_is(frame.args[0], "RAFT.WELCOME"));
    assert_null(pair.refusal);
    stranger_close(&node);
    for (size_t i = 0; i < GUESSES; i++)
        stranger_close(&crowd[i]);
    pair_close(&pair);
}

static void test_guesses_are_answered_late(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN(SECRET), SPAN(SECRET));
    WAIT_FOR(&pair, peers_link(pair.one, 2).connected);
    for (int i = 0; i < 3; i++) {
        struct stranger stranger;
        stranger_open(&stranger, &pair);
        greet(&stranger);
        prove(&stranger, SPAN("a guess that has the right length, no more"), WIRE_DIALLER);
        if (i == 0)
            hear_words(&stranger);
        else
            assert_false(has_ended(&stranger));
        stranger_close(&stranger);
    }
    assert_true(peers_link(pair.one, 2).connected); /* who is in is not concerned */
    pair_close(&pair);
}

static void test_what_is_no_message_of_a_shard_goes_to_the_node(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN(SECRET), SPAN(SECRET));
    WAIT_FOR(&pair, peers_link(pair.one, 2).connected);
    peers_send(pair.one, 2, false, SPAN("*1\r\n$10\r\nRAFT.FOUND\r\n"));
    WAIT_FOR(&pair, pair.seen_by_two.told == 1);
    assert_int_equal(peers_stats(pair.two).messages_refused, 0);
    peers_send(pair.one, 2, false, SPAN("*1\r\n$9\r\nRAFT.EVIL\r\n"));
    WAIT_FOR(&pair, peers_stats(pair.two).messages_refused == 1);
    WAIT_FOR(&pair, !peers_link(pair.one, 2).connected);
    pair_close(&pair);
}

static void test_an_impossible_message_ends_the_connection_and_is_said_once(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN(SECRET), SPAN(SECRET));
    WAIT_FOR(&pair, peers_link(pair.one, 2).connected);
    pair.seen_by_two.refusal = "nonsense";
    send_vote(pair.one, &pair, 1, 2, false);
    WAIT_FOR(&pair, peers_stats(pair.two).messages_refused == 1);
    assert_true(logged(&pair, "node 1 at 127.0.0.1:1 sent what no correct node sends: nonsense"));
    WAIT_FOR(&pair, !peers_link(pair.one, 2).connected);
    pair.log.len = 0;
    WAIT_FOR(&pair, peers_link(pair.one, 2).connected);
    send_vote(pair.one, &pair, 1, 2, false);
    WAIT_FOR(&pair, peers_stats(pair.two).messages_refused == 2);
    assert_false(logged(&pair, "nonsense"));
    /* Nor when another cause came in between. */
    pair.seen_by_two.refusal = "rubbish";
    WAIT_FOR(&pair, !peers_link(pair.one, 2).connected);
    WAIT_FOR(&pair, peers_link(pair.one, 2).connected);
    send_vote(pair.one, &pair, 1, 2, false);
    WAIT_FOR(&pair, logged(&pair, "rubbish"));
    pair.seen_by_two.refusal = "nonsense";
    WAIT_FOR(&pair, !peers_link(pair.one, 2).connected);
    WAIT_FOR(&pair, peers_link(pair.one, 2).connected);
    send_vote(pair.one, &pair, 1, 2, false);
    WAIT_FOR(&pair, peers_stats(pair.two).messages_refused == 4);
    assert_false(logged(&pair, "nonsense"));
    pair_close(&pair);
}

static void test_nodes_come_and_go_with_the_table(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN(SECRET), SPAN(SECRET));
    WAIT_FOR(&pair, peers_link(pair.one, 2).connected);
    pair.cluster.count = 1; /* node 2 leaves */
    peers_follow(pair.one);
    send_vote(pair.one, &pair, 1, 2, false);
    assert_false(peers_link(pair.one, 2).connected);
    pair.cluster.count = 2;
    peers_follow(pair.one);
    WAIT_FOR(&pair, peers_link(pair.one, 2).connected);
    pair.cluster.nodes[1].port = 1; /* node 2 has moved to where nobody answers */
    peers_follow(pair.one);
    pair.seen_by_one.lost = 0;
    WAIT_FOR(&pair, pair.seen_by_one.lost > 0);
    assert_false(peers_link(pair.one, 2).connected);
    pair_close(&pair);
}

static void test_a_refused_connection_is_evidence_once(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN(SECRET), SPAN(SECRET));
    WAIT_FOR(&pair, pair.seen_by_two.lost > 0); /* nobody listens on node 1's port */
    assert_int_equal(pair.seen_by_two.lost_node, 1);
    WAIT_FOR(&pair, peers_link(pair.one, 2).connected);  /* it lives after all */
    const struct timeval time = {.tv_usec = 300 * 1000}; /* is dialled again, and again in vain */
    event_base_loopexit(pair.base, &time);
    event_base_dispatch(pair.base);
    int told = pair.seen_by_two.lost;
    event_base_loopexit(pair.base, &time);
    event_base_dispatch(pair.base);
    assert_int_equal(pair.seen_by_two.lost, told);
    pair_close(&pair);
}

static void test_a_large_message_arrives_whole_with_signs_of_life(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN(SECRET), SPAN(SECRET));
    WAIT_FOR(&pair, peers_link(pair.one, 2).connected);
    size_t len = 64 * 1024 * 1024;
    char *value = mem_zalloc(len);
    struct buf bytes = {0};
    struct span args[] = {SPAN("RAFT.APPEND"), SPAN("id"), SPAN("3"), span_of(value, len)};
    resp_encode_command(&bytes, args, 4);
    peers_send(pair.one, 2, false, buf_span(&bytes));
    buf_close(&bytes);
    mem_free(value);
    WAIT_FOR(&pair, pair.seen_by_two.messages == 1);
    assert_int_equal(pair.seen_by_two.last_len, len);
    assert_true(pair.seen_by_two.alive > 0);
    assert_int_equal(pair.seen_by_two.alive_shard, 3);
    WAIT_FOR(&pair, pair.seen_by_one.alive > 0);
    assert_int_equal(pair.seen_by_one.alive_shard, 3);
    pair_close(&pair);
}

static void test_output_beyond_the_limit_is_dropped(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN(SECRET), SPAN(SECRET));
    WAIT_FOR(&pair, peers_link(pair.one, 2).connected);
    char *value = mem_zalloc(1 << 20);
    for (int i = 0; i < 4; i++)
        peers_send(pair.one, 2, false, span_of(value, 1 << 20));
    mem_free(value);
    assert_int_equal(peers_link(pair.one, 2).dropped, 2);
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_and_responses_share_the_dialled_connection),
        cmocka_unit_test(test_both_sides_meet_with_what_they_are),
        cmocka_unit_test(test_a_wrong_secret_is_refused),
        cmocka_unit_test(test_without_a_secret_nodes_on_loopback_meet),
        cmocka_unit_test(test_who_lacks_the_secret_or_has_one_too_many_is_refused),
        cmocka_unit_test(test_a_password_ends_links_without_a_secret),
        cmocka_unit_test(test_a_password_does_not_concern_nodes_with_a_secret),
        cmocka_unit_test(test_strangers_are_refused),
        cmocka_unit_test(test_a_node_of_the_cluster_that_is_not_known_yet_is_answered),
        cmocka_unit_test(test_a_captured_proof_is_worth_nothing_on_another_connection),
        cmocka_unit_test(test_a_reflected_proof_is_refused),
        cmocka_unit_test(test_who_proves_nothing_cannot_speak_on),
        cmocka_unit_test(test_a_greeting_that_does_not_end_is_cut_off),
        cmocka_unit_test(test_guests_have_a_bounded_number_of_places_and_seconds),
        cmocka_unit_test(test_a_node_is_heard_in_a_crowd_that_guesses_from_its_address),
        cmocka_unit_test(test_guesses_are_answered_late),
        cmocka_unit_test(test_what_is_no_message_of_a_shard_goes_to_the_node),
        cmocka_unit_test(test_an_impossible_message_ends_the_connection_and_is_said_once),
        cmocka_unit_test(test_nodes_come_and_go_with_the_table),
        cmocka_unit_test(test_a_refused_connection_is_evidence_once),
        cmocka_unit_test(test_a_large_message_arrives_whole_with_signs_of_life),
        cmocka_unit_test(test_output_beyond_the_limit_is_dropped),
        cmocka_unit_test(test_nodes_meet_in_the_newest_version),
        cmocka_unit_test(test_a_node_of_an_older_version_is_met_at_once),
        cmocka_unit_test(test_the_newest_version_is_tried_again_after_the_connection),
        cmocka_unit_test(test_who_comes_is_dialled_before_its_time),
        cmocka_unit_test(test_who_comes_and_cannot_be_dialled_is_hurried_to_once),
        cmocka_unit_test(test_who_comes_with_a_newer_version_is_dialled_anew),
        cmocka_unit_test(test_another_folder_under_an_id_that_is_connected_is_refused),
        cmocka_unit_test(test_a_connection_in_an_older_version_than_the_other_is_made_anew),
        cmocka_unit_test(test_who_refuses_every_version_is_left_alone_for_a_while),
        cmocka_unit_test(test_a_required_version_is_the_least_that_is_spoken),
        cmocka_unit_test(test_a_node_that_needs_the_newest_version_names_no_older),
        cmocka_unit_test(test_a_version_that_was_changed_on_the_way_spoils_the_proof),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
