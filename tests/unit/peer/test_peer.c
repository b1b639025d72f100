/* Two nodes of a cluster in one process: node 1 dials, node 2 is a listener that hands accepted
 * connections to its peers as net/ does. */
#include "peer/peer.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/listener.h>

#include "base/mem.h"
#include "resp/parse.h"
#include "unit/support/test.h"
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
};

static bool on_message(void *context, uint32_t shard, const struct shard_peer *from,
                       const struct span *args, size_t argc)
{
    struct seen *seen = context;
    seen->messages++;
    seen->from = from->node;
    seen->shard = shard;
    seen->argc = argc;
    seen->last_len = args[argc - 1].len;
    return true;
}

static void on_alive(void *context, uint32_t shard, const struct shard_peer *from)
{
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
        pair->refusal = peers_accept(pair->two, fd, parser.args, parser.argc, rest);
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
    struct peer_options options = {.self = self,
                                   .cluster = &pair->cluster,
                                   .secret = secret,
                                   .output_bytes_max = 1 << 20,
                                   .events = {seen, on_message, on_alive, on_lost}};
    return peers_new(pair->base, &options);
}

/* Ports: node 2's is listened on; on node 1's port nobody listens, so that node 2's calls are
 * refused. */
static void pair_open(struct pair *pair, struct span secret_of_one)
{
    memset(pair, 0, sizeof *pair);
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
    assert_int_equal(cluster_parse(&pair->cluster, span_text(text), NULL, SPAN("x"), message), 0);
    pair->two = open_peers(pair, 2, SPAN("secret"), &pair->seen_by_two);
    pair->one = open_peers(pair, 1, secret_of_one, &pair->seen_by_one);
}

static void pair_close(struct pair *pair)
{
    peers_free(pair->one);
    peers_free(pair->two);
    evconnlistener_free(pair->listener);
    event_base_free(pair->base);
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
    pair_open(&pair, SPAN("secret"));
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

static void test_a_wrong_secret_is_refused(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN("another"));
    WAIT_FOR(&pair, pair.refusal != NULL);
    assert_string_equal(pair.refusal, "NOPERM wrong cluster-secret");
    send_vote(pair.one, &pair, 1, 2, false);
    assert_int_equal(peers_link(pair.one, 2).dropped, 1);
    assert_false(peers_link(pair.one, 2).connected);
    pair_close(&pair);
}

static void refuse(struct pair *pair, struct wire_hello hello, const char *expected)
{
    static const struct resp_limits limits = {.bulk_len_max = 1 << 20, .authenticated = true};
    struct buf bytes = {0};
    struct resp_parser parser = {0};
    wire_encode_hello(&bytes, &hello);
    assert_int_equal(resp_parse(&parser, buf_span(&bytes), &limits), RESP_COMMAND);
    const char *refusal = peers_accept(pair->two, -1, parser.args, parser.argc, span_of("", 0));
    assert_non_null(refusal);
    assert_non_null(strstr(refusal, expected));
    resp_parser_close(&parser);
    buf_close(&bytes);
}

static void test_strangers_are_refused(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN("secret"));
    struct span cluster_id = span_text(pair.cluster.cluster_id);
    struct span secret = SPAN("secret");
    struct span other = SPAN("0000000000000000000000000000000000000000");
    refuse(&pair, (struct wire_hello){other, secret, 1, 2}, "another cluster");
    refuse(&pair, (struct wire_hello){cluster_id, secret, 1, 3}, "another node");
    refuse(&pair, (struct wire_hello){cluster_id, secret, 9, 2}, "no member");
    refuse(&pair, (struct wire_hello){cluster_id, SPAN(""), 1, 2}, "wrong cluster-secret");
    pair_close(&pair);
}

static void test_a_node_that_began_with_other_data_is_told_so(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN("secret"));
    struct cluster marked = pair.cluster;
    cluster_set_mark(&marked, 7);
    refuse(&pair, (struct wire_hello){span_text(marked.cluster_id), SPAN("secret"), 1, 2},
           "did not begin with the same data");
    pair_close(&pair);
}

static void test_a_refused_connection_is_evidence(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN("secret"));
    WAIT_FOR(&pair, pair.seen_by_two.lost > 0); /* nobody listens on node 1's port */
    assert_int_equal(pair.seen_by_two.lost_node, 1);
    pair_close(&pair);
}

static void test_a_large_message_arrives_whole_with_signs_of_life(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair, SPAN("secret"));
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
    pair_open(&pair, SPAN("secret"));
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
        cmocka_unit_test(test_a_wrong_secret_is_refused),
        cmocka_unit_test(test_strangers_are_refused),
        cmocka_unit_test(test_a_node_that_began_with_other_data_is_told_so),
        cmocka_unit_test(test_a_refused_connection_is_evidence),
        cmocka_unit_test(test_a_large_message_arrives_whole_with_signs_of_life),
        cmocka_unit_test(test_output_beyond_the_limit_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
