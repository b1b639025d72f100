/* Replies in chunks, and clients that do not read theirs. */
#include <sys/uio.h>

#include "net/output.h"
#include "unit/net/fixture.h"

enum { LONG = 300 * 1000 };

/* Writes what is there in steps of `step` bytes to `out`. */
static void drain(struct net_output *output, size_t step, struct buf *out)
{
    struct iovec pieces[3];
    while (net_output_len(output)) {
        int count = net_output_gather(output, pieces, 3);
        assert_true(count > 0);
        size_t left = step;
        for (int i = 0; i < count && left; i++) {
            size_t len = pieces[i].iov_len < left ? pieces[i].iov_len : left;
            buf_add(out, pieces[i].iov_base, len);
            left -= len;
        }
        net_output_written(output, step - left);
    }
}

static void test_chunks_and_tail_leave_in_order_whatever_is_written_at_a_time(void **state)
{
    (void)state;
    for (size_t step = 1; step < 20; step++) {
        struct net_output output = {0};
        struct buf expected = {0}, written = {0};
        char text[16];
        for (int i = 0; i < 50; i++) {
            int len = snprintf(text, sizeof text, "%d,", i * i);
            buf_add(&output.tail, text, (size_t)len);
            buf_add(&expected, text, (size_t)len);
            if (i % 7 == 3)
                net_output_seal(&output);
            if (i % 10 == 9) {
                struct iovec piece;
                assert_int_equal(net_output_gather(&output, &piece, 1), 1);
                buf_add(&written, piece.iov_base, 1);
                net_output_written(&output, 1);
            }
        }
        drain(&output, step, &written);
        assert_int_equal(written.len, expected.len);
        assert_memory_equal(written.ptr, expected.ptr, expected.len);
        assert_null(output.chunks.first);
        assert_int_equal(output.chunks.bytes, 0);
        net_output_close(&output);
        buf_close(&expected);
        buf_close(&written);
    }
}

static void test_small_reply_in_a_large_tail_takes_only_its_own_bytes(void **state)
{
    (void)state;
    struct net_output output = {0};
    buf_reserve(&output.tail, RESP_PIECE_BYTES);
    buf_add_text(&output.tail, "+OK\r\n");
    net_output_seal(&output);
    assert_int_equal(output.chunks.last->bytes.cap, 5);
    net_output_close(&output);
}

/* The value's chunk is as long as the reply and a little. */
static void test_long_value_has_a_chunk_of_its_own_that_fits(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    char *value = malloc(LONG);
    memset(value, 'v', LONG);
    struct buf request = {0};
    buf_printf(&request, "PING\r\n*2\r\n$4\r\nECHO\r\n$%d\r\n", LONG);
    buf_add(&request, value, LONG);
    buf_add_text(&request, "\r\nPING\r\n");
    f->settings.output_pause = 0;
    net_set_settings(f->net, &f->settings);
    uint64_t before = net_stats(f->net).clients_memory;
    for (int i = 0; i < 20; i++)
        say_bytes(f, fd, request.ptr, request.len);
    uint64_t unread = net_stats(f->net).max_output_buffer;
    uint64_t memory = net_stats(f->net).clients_memory - before;
    assert_true(unread > 10 * LONG);
    assert_true(memory < unread + (1 << 20)); /* with the query buffer */
    size_t heard = 0;
    for (size_t got = 1; got; heard += got)
        got = strlen(hear(f, fd));
    assert_int_equal(heard, 20 * (7 + 9 + LONG + 2 + 7));
    f->now_ms += 3000; /* idle: everything is given back */
    net_tick(f->net);
    assert_true(net_stats(f->net).clients_memory - before < 100 * 1000);
    buf_close(&request);
    free(value);
    close(fd);
}

static void test_client_that_does_not_read_is_not_executed_further(void **state)
{
    struct fixture *f = *state;
    f->settings.output_pause = 100 * 1000;
    f->settings.query_buffer_max = 64 << 20;
    net_set_settings(f->net, &f->settings);
    int fd = dial(f);
    static const char ping[] = "*2\r\n$4\r\nPING\r\n$900\r\n";
    char line[1024];
    size_t len = (size_t)sprintf(line, "%s%0900d\r\n", ping, 7);
    for (int i = 0; i < 900; i++)
        say_bytes(f, fd, line, len); /* it is heard out all the same */
    assert_true(net_stats(f->net).max_output_buffer < 110 * 1000);
    assert_true(net_stats(f->net).max_query_buffer > 200 * 1000);
    size_t heard = 0;
    for (size_t got = 1; got; heard += got)
        got = strlen(hear(f, fd));
    assert_int_equal(heard, 900 * 908);
    assert_int_equal(net_stats(f->net).connected_clients, 1);
    close(fd);
}

static void test_no_more_long_values_are_asked_for_than_a_client_may_be_owed(void **state)
{
    struct fixture *f = *state;
    f->settings.output_pause = 1000 * 1000;
    net_set_settings(f->net, &f->settings);
    char *value = malloc(LONG);
    memset(value, 'v', LONG);
    keyspace_set_string(f->shard.keyspace, SPAN("long"), span_of(value, LONG), false, 1);
    int fd = dial(f);
    for (int i = 0; i < 20; i++)
        say(f, fd, "GET long\r\nGET short\r\n");
    assert_int_equal(f->shard.count, 7); /* the fourth long one reaches the limit */
    for (int i = 0; i < 6; i++) {
        answer(f, 8);
        turns(f);
    }
    assert_int_equal(f->shard.count, 0);
    assert_int_equal(strlen(hear(f, fd)), 20 * strlen("+get.long\r\n+get.short\r\n"));
    free(value);
    close(fd);
}

static void test_read_waits_for_the_write_that_makes_its_value_long(void **state)
{
    struct fixture *f = *state;
    f->settings.output_pause = 1000 * 1000;
    net_set_settings(f->net, &f->settings);
    int fd = dial(f);
    say(f, fd, "SETRANGE k 536870911 x\r\nGET k\r\nGET k\r\n");
    assert_int_equal(f->shard.count, 1);
    answer(f, 1);
    turns(f);
    assert_int_equal(f->shard.count, 2);
    close(fd);
}

static const char *long_reply(void)
{
    static char reply[LONG + 16];
    int head = sprintf(reply, "$%d\r\n", LONG);
    memset(reply + head, 'v', LONG);
    strcpy(reply + head + LONG, "\r\n");
    return reply;
}

/* Reads what is there, about `most` bytes. */
static size_t hear_some(struct fixture *f, int fd, size_t most)
{
    static char heard[64 * 1024];
    size_t len = 0;
    turns(f);
    while (len < most) {
        ssize_t got = recv(fd, heard, sizeof heard, 0);
        if (got <= 0)
            break;
        len += (size_t)got;
        turn(f);
    }
    return len;
}

static void asks_for_long_values(struct fixture *f, int fd, int count)
{
    f->settings.output_pause = 1000 * 1000;
    net_set_settings(f->net, &f->settings);
    for (int i = 0; i < count; i++)
        say(f, fd, "HGET h f\r\n");
}

static void test_held_reads_go_on_when_half_is_read_and_not_before(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    asks_for_long_values(f, fd, 20);
    assert_int_equal(f->shard.count, 20);
    answer_while_room(f, long_reply());
    assert_true(f->shard.is_holding);
    turns(f);
    assert_false(f->shard.goes_on); /* the socket takes some, not half */
    size_t heard = 0;
    for (int i = 0; i < 100000 && f->shard.count; i++) {
        heard += hear_some(f, fd, LONG);
        assert_true(net_stats(f->net).max_output_buffer < 1000 * 1000 + LONG + 100);
        answer_while_room(f, long_reply());
    }
    assert_false(f->shard.is_holding);
    for (size_t got = 1; got; heard += got)
        got = hear_some(f, fd, SIZE_MAX);
    assert_int_equal(heard, 20 * strlen(long_reply()));
    assert_replies(f, fd, "PING\r\n", "+PONG\r\n");
    close(fd);
}

static void test_nothing_more_is_executed_while_reads_are_held(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    asks_for_long_values(f, fd, 6);
    answer_while_room(f, long_reply());
    assert_true(f->shard.is_holding);
    size_t held = f->shard.count;
    say(f, fd, "SET k v\r\nGET k\r\n");
    assert_int_equal(f->shard.count, held);
    while (f->shard.is_holding) {
        hear_some(f, fd, SIZE_MAX);
        answer_while_room(f, long_reply());
    }
    hear_some(f, fd, SIZE_MAX);
    assert_int_equal(f->shard.count, 2);
    assert_int_equal(f->shard.writes, 1);
    answer(f, 2);
    assert_hears(f, fd, "+set.k\r\n+get.k\r\n");
    close(fd);
}

static void test_held_reads_of_a_client_that_goes_are_dropped(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    asks_for_long_values(f, fd, 6);
    answer_while_room(f, long_reply());
    assert_true(f->shard.is_holding);
    assert_int_equal(f->shard.drops, 0);
    close(fd);
    turns(f);
    for (int i = 0; i < 200 && net_stats(f->net).connected_clients; i++) {
        f->now_ms += 100; /* what it is sent meets nobody, or it lingers for some seconds */
        net_tick(f->net);
        turns(f);
    }
    assert_int_equal(net_stats(f->net).connected_clients, 0);
    assert_int_equal(f->shard.drops, 1);
}

static void test_client_that_only_stopped_sending_gets_its_held_reads(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    asks_for_long_values(f, fd, 8);
    answer_while_room(f, long_reply());
    assert_true(f->shard.is_holding);
    shutdown(fd, SHUT_WR);
    turns(f);
    size_t heard = 0;
    while (f->shard.is_holding) {
        heard += hear_some(f, fd, SIZE_MAX);
        answer_while_room(f, long_reply());
    }
    heard += hear_some(f, fd, SIZE_MAX);
    assert_int_equal(heard, 8 * strlen(long_reply()));
    turns(f);
    assert_int_equal(net_stats(f->net).connected_clients, 0);
    close(fd);
}

static void test_hard_limit_below_the_pause_closes_the_client(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    f->settings.output_normal.hard_bytes = 500 * 1000;
    asks_for_long_values(f, fd, 8);
    answer_while_room(f, long_reply());
    turns(f);
    assert_int_equal(net_stats(f->net).output_buffer_limit_disconnections, 1);
    assert_int_equal(net_stats(f->net).connected_clients, 0);
    close(fd);
}

/* A write cannot wait once it is in the log, and reads before it not either. */
static void test_few_reads_of_unknown_length_come_before_a_write(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    asks_for_long_values(f, fd, 0);
    for (int i = 0; i < 200; i++)
        say(f, fd, "HGET h f\r\nSET k v\r\n");
    assert_int_equal(f->shard.writes, 63);
    answer(f, ASKED_MAX);
    turns(f);
    assert_int_equal(f->shard.writes, 2 * 63 + 1);
    close(fd);
}

static void test_fewer_of_them_come_after_long_replies(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    asks_for_long_values(f, fd, 2);
    answer_while_room(f, long_reply());
    while (hear_some(f, fd, SIZE_MAX))
        ;
    assert_int_equal(f->shard.count, 0);
    for (int i = 0; i < 20; i++)
        say(f, fd, "HGET h f\r\nSET k v\r\n");
    assert_int_equal(f->shard.writes, 5); /* of 150 KB now: half of the last ones */
    close(fd);
}

static void
test_any_number_of_short_reads_comes_before_a_write_where_their_length_is_known(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    asks_for_long_values(f, fd, 0);
    for (int i = 0; i < 200; i++)
        say(f, fd, "GET k\r\nSET k v\r\n");
    assert_int_equal(f->shard.writes, 200);
    f->shard.may_lengthen = true;
    for (int i = 0; i < 100; i++)
        say(f, fd, "GET k\r\nSET k v\r\n");
    assert_int_equal(f->shard.writes, 263);
    close(fd);
}

static void test_query_buffer_of_a_big_argument_is_given_back(void **state)
{
    struct fixture *f = *state;
    f->settings.query_buffer_max = 64 << 20;
    net_set_settings(f->net, &f->settings);
    int fd = dial(f);
    uint64_t before = net_stats(f->net).clients_memory;
    size_t len = 8 << 20;
    char *request = malloc(len + 100);
    int head = sprintf(request, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%zu\r\n", len);
    memset(request + head, 'x', len);
    memcpy(request + (size_t)head + len, "\r\n*1\r\n", 6); /* and the begin of another command */
    say_bytes(f, fd, request, (size_t)head + len + 6);
    assert_int_equal(f->shard.count, 1);
    assert_true(net_stats(f->net).clients_memory < before + 100 * 1000);
    free(request);
    close(fd);
}

static void hear_all(struct fixture *f, int fd)
{
    while (hear(f, fd)[0])
        turns(f);
}

/* Each of these leaves a buffer behind that is longer than it has to be. */
static void use_all_buffers(struct fixture *f, int fd)
{
    enum { PIPELINE = 200, KEYS = 1000 };
    struct buf text = {0};
    buf_add_text(&text, "ECHO \"");
    for (int i = 0; i < 12000; i++)
        buf_add_char(&text, 'e');
    buf_add_text(&text, "\"\r\n");
    say_bytes(f, fd, text.ptr, text.len); /* the output; of the parser, its scratch */
    hear_all(f, fd);
    text.len = 0;
    buf_printf(&text, "*%d\r\n$3\r\nDEL\r\n", KEYS);
    for (int i = 1; i < KEYS; i++)
        buf_add_text(&text, "$4\r\nname\r\n");
    say_bytes(f, fd, text.ptr, text.len - 1); /* the input; the parser's arguments */
    say(f, fd, "\n");
    for (int i = 0; i < PIPELINE; i++)
        say(f, fd, "GET k\r\nPING\r\n");
    for (; f->shard.count; turns(f)) /* the last one comes first: most are early */
        answer_at(f, f->shard.count - 1);
    hear_all(f, fd);
    say(f, fd, "WATCH k\r\nMULTI\r\n");
    for (int i = 0; i < PIPELINE; i++)
        say(f, fd, "SET k v\r\n");
    say(f, fd, "DISCARD\r\n");
    hear_all(f, fd);
    buf_close(&text);
}

static void test_idle_client_gives_all_its_buffers_back(void **state)
{
    struct fixture *f = *state;
    enum { CLIENTS = 20, IDLE_BYTES = 8 * 1024 };
    int fds[CLIENTS];
    for (size_t i = 0; i < CLIENTS; i++) {
        fds[i] = dial(f);
        use_all_buffers(f, fds[i]);
    }
    assert_true(net_stats(f->net).clients_memory > CLIENTS * IDLE_BYTES);
    f->now_ms += 1999;
    net_tick(f->net);
    turns(f);
    assert_true(net_stats(f->net).clients_memory > CLIENTS * IDLE_BYTES);
    f->now_ms += 1001;
    net_tick(f->net);
    turns(f);
    assert_true(net_stats(f->net).clients_memory < CLIENTS * IDLE_BYTES / 2);
    for (size_t i = 0; i < CLIENTS; i++) { /* and goes on as if nothing had been */
        assert_replies(f, fds[i], "PING\r\n", "+PONG\r\n");
        close(fds[i]);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunks_and_tail_leave_in_order_whatever_is_written_at_a_time),
        cmocka_unit_test(test_small_reply_in_a_large_tail_takes_only_its_own_bytes),
        T(test_long_value_has_a_chunk_of_its_own_that_fits),
        T(test_client_that_does_not_read_is_not_executed_further),
        T(test_no_more_long_values_are_asked_for_than_a_client_may_be_owed),
        T(test_read_waits_for_the_write_that_makes_its_value_long),
        T(test_held_reads_go_on_when_half_is_read_and_not_before),
        T(test_nothing_more_is_executed_while_reads_are_held),
        T(test_held_reads_of_a_client_that_goes_are_dropped),
        T(test_client_that_only_stopped_sending_gets_its_held_reads),
        T(test_hard_limit_below_the_pause_closes_the_client),
        T(test_few_reads_of_unknown_length_come_before_a_write),
        T(test_fewer_of_them_come_after_long_replies),
        T(test_any_number_of_short_reads_comes_before_a_write_where_their_length_is_known),
        T(test_idle_client_gives_all_its_buffers_back),
        T(test_query_buffer_of_a_big_argument_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
