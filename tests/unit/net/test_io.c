/* I/O threads and the loop, stepped in orders that real ones meet rarely. */
#define FIXTURE_IO_THREADS 2
#include "base/prng.h"
#include "base/ring.h"
#include "net/io_channel.h"
#include "unit/net/fixture.h"

static void turn_loop(struct fixture *f)
{
    event_base_loop(f->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    net_resume(f->net);
    net_flush(f->net);
}

static void step_threads(struct fixture *f)
{
    for (unsigned i = 0; i < FIXTURE_IO_THREADS; i++)
        net_step_io(f->net, i);
}

static void send_text(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* A connection that a thread has. */
static int dial_thread(struct fixture *f)
{
    int fd = dial(f);
    assert_replies(f, fd, "PING\r\n", "+PONG\r\n");
    uint64_t reads = net_stats(f->net).io_reads;
    assert_replies(f, fd, "PING\r\n", "+PONG\r\n");
    assert_true(net_stats(f->net).io_reads > reads);
    return fd;
}

static size_t open_descriptors(void)
{
    size_t count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void test_report_of_a_closed_client_reaches_nobody_who_comes_after(void **state)
{
    struct fixture *f = *state;
    int old = dial_thread(f), other = dial_thread(f), killer = dial_thread(f);
    send_text(killer, "CLIENT KILL ID 1\r\n");
    step_threads(f); /* the request of the killer lies in a ring … */
    send_text(old, "SET a 1\r\n");
    step_threads(f); /* … and behind it, that of the client that it kills */
    turn_loop(f);
    assert_int_equal(f->shard.writes, 0);
    int fresh = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, f->path);
    assert_int_equal(connect(fresh, (struct sockaddr *)&address, sizeof address), 0);
    turn_loop(f); /* it takes the slot, while the thread has not closed the old one yet */
    step_threads(f);
    turns(f);
    assert_hears(f, old, "<end>");
    assert_hears(f, killer, ":1\r\n");
    assert_hears(f, fresh, "");
    assert_replies(f, fresh, "PING\r\n", "+PONG\r\n");
    assert_int_equal(f->shard.writes, 0);
    close(old);
    close(killer);
    close(other);
    close(fresh);
}

static void test_killed_client_may_send_until_its_thread_knows(void **state)
{
    struct fixture *f = *state;
    int fd = dial_thread(f), killer = dial_thread(f);
    size_t before = open_descriptors();
    send_text(killer, "CLIENT KILL ID 1\r\n");
    step_threads(f);
    turn_loop(f); /* it is freed, and the order to close lies in the ring */
    assert_int_equal(net_stats(f->net).connected_clients, 1);
    send_text(fd, "SET a 1\r\nSET b 2\r\n");
    step_threads(f);
    turns(f);
    assert_int_equal(f->shard.writes, 0);
    assert_int_equal(open_descriptors(), before - 1);
    close(fd);
    close(killer);
}

static void test_client_that_leaves_while_its_replies_are_on_their_way(void **state)
{
    struct fixture *f = *state;
    int fd = dial_thread(f);
    size_t before = open_descriptors();
    say(f, fd, "SET a 1\r\nSET b 2\r\n");
    assert_int_equal(f->shard.count, 2);
    answer(f, 1);
    close(fd);
    turn_loop(f);    /* the reply is handed over … */
    step_threads(f); /* … written to nobody, and the end is read */
    answer(f, 1);
    turns(f);
    assert_int_equal(net_stats(f->net).connected_clients, 0);
    assert_int_equal(open_descriptors(), before - 2);
}

static void test_what_was_asked_before_the_end_is_answered(void **state)
{
    struct fixture *f = *state;
    int fd = dial_thread(f);
    send_text(fd, "SET a 1\r\nPING\r\n");
    shutdown(fd, SHUT_WR);
    turns(f);
    answer(f, 1);
    assert_hears(f, fd, "+set.a\r\n+PONG\r\n<end>");
    close(fd);
}

static void test_inline_requests_with_quotes(void **state)
{
    struct fixture *f = *state;
    int fd = dial_thread(f);
    assert_replies(f, fd,
                   "ECHO \"a b\\x41\"\r\n\r\nECHO 'c d'\n*0\r\n*2\r\n$4\r\nECHO\r\n$3\r\n\"e\"\r\n"
                   "ECHO \"\"\r\n",
                   "$4\r\na bA\r\n$3\r\nc d\r\n$3\r\n\"e\"\r\n$0\r\n\r\n");
    close(fd);
}

static void test_error_of_the_protocol_comes_behind_what_was_right(void **state)
{
    struct fixture *f = *state;
    int fd = dial_thread(f);
    say(f, fd, "SET a 1\r\n*1\r\n!x\r\nSET b 2\r\n");
    assert_hears(f, fd, "");
    answer(f, 1);
    assert_hears(f, fd, "+set.a\r\n-ERR Protocol error: expected '$', got '!'\r\n<end>");
    assert_int_equal(f->shard.writes, 1);
    close(fd);
}

/* A limit of the thread's that was raised meanwhile: the loop decides. */
static void test_longer_strings_are_allowed_at_once(void **state)
{
    struct fixture *f = *state;
    f->settings.bulk_len_max = 10;
    net_set_settings(f->net, &f->settings);
    int fd = dial_thread(f);
    send_text(fd, "*2\r\n$4\r\nECHO\r\n$20\r\n12345678901234567890\r\n*2\r\n$4\r\nEC");
    step_threads(f); /* it takes it for malformed */
    f->settings.bulk_len_max = 100;
    net_set_settings(f->net, &f->settings);
    turns(f);
    say(f, fd, "HO\r\n$2\r\nab\r\n");
    assert_hears(f, fd, "$20\r\n12345678901234567890\r\n$2\r\nab\r\n");
    close(fd);
}

static void test_more_arguments_than_a_batch_has_room_for(void **state)
{
    struct fixture *f = *state;
    enum { KEYS = NET_IO_THREADS_MAX * 100 };
    int fd = dial_thread(f);
    struct buf text = {0};
    buf_printf(&text, "PING\r\n*%d\r\n$3\r\nDEL\r\n", KEYS + 1);
    for (int i = 0; i < KEYS; i++)
        buf_add_text(&text, "$1\r\nk\r\n");
    buf_add_text(&text, "PING\r\n");
    say_bytes(f, fd, text.ptr, text.len);
    answer(f, 1);
    assert_hears(f, fd, "+PONG\r\n+del.k\r\n+PONG\r\n");
    buf_close(&text);
    close(fd);
}

static void test_threads_read_ahead_within_bounds(void **state)
{
    struct fixture *f = *state;
    int fd = dial_thread(f);
    char block[32 * 1024];
    for (size_t i = 0; i < sizeof block; i += 8)
        memcpy(block + i, "PING   \n", 8);
    size_t sent = 0;
    for (int refused = 0; refused < 3 && sent < 8 << 20;) {
        ssize_t took = send(fd, block, sizeof block, MSG_NOSIGNAL);
        refused = took < 0 ? refused + 1 : 0;
        sent += took > 0 ? (size_t)took : 0;
        assert_int_equal(took > 0 ? took % 8 : 0, 0);
        step_threads(f); /* the loop does nothing */
    }
    /* client-query-buffer-limit is 1 MiB: half of it, a read, and what the sockets hold. */
    assert_in_range(sent, 512 * 1024, 512 * 1024 + 64 * 1024 + 1024 * 1024);
    uint64_t done = net_stats(f->net).commands_processed;
    turns(f);
    for (char heard[4096]; recv(fd, heard, sizeof heard, 0) > 0;)
        turns(f);
    assert_int_equal(net_stats(f->net).commands_processed - done, sent / 8);
    close(fd);
}

/* The loop closes it when it comes to that; until then nothing more is read. */
static void test_threads_read_no_more_of_a_request_than_a_query_buffer(void **state)
{
    struct fixture *f = *state;
    int fd = dial_thread(f);
    send_text(fd, "*2\r\n$4\r\nECHO\r\n$10000000\r\n");
    static const char block[32 * 1024];
    size_t sent = 0;
    for (int refused = 0; refused < 3 && sent < 8 << 20;) {
        ssize_t took = send(fd, block, sizeof block, MSG_NOSIGNAL);
        refused = took < 0 ? refused + 1 : 0;
        sent += took > 0 ? (size_t)took : 0;
        step_threads(f);
    }
    /* Beside it there are one read of a long argument and the sockets' own buffers. */
    assert_in_range(sent, 1 << 20, 3 << 20);
    assert_hears(f, fd, "<end>");
    assert_int_equal(net_stats(f->net).query_buffer_limit_disconnections, 1);
    close(fd);
}

static void test_nothing_is_read_of_a_client_that_is_to_be_closed(void **state)
{
    struct fixture *f = *state;
    f->settings.query_buffer_max = 64 << 20;
    net_set_settings(f->net, &f->settings);
    int fd = dial_thread(f);
    struct buf text = {0};
    buf_printf(&text, "*2\r\n$4\r\nECHO\r\n$%d\r\n", 4 << 20);
    memset(buf_reserve(&text, 4 << 20), 'x', 4 << 20);
    text.len += 4 << 20;
    buf_add_text(&text, "\r\nQUIT\r\n");
    say_bytes(f, fd, text.ptr, text.len); /* the reply is too long for the socket */
    assert_int_equal(net_stats(f->net).connected_clients, 1);
    uint64_t reads = net_stats(f->net).io_reads;
    send_text(fd, "SET a 1\r\n");
    turns(f);
    assert_int_equal(net_stats(f->net).io_reads, reads);
    size_t heard = 0;
    for (const char *part = ""; !strstr(part, "<end>") && heard <= text.len; heard += strlen(part))
        part = hear(f, fd);
    assert_int_equal(heard, 10 + (4 << 20) + 2 + 5 + 5);
    assert_int_equal(f->shard.writes, 0);
    buf_close(&text);
    close(fd);
}

/* Reports that nobody takes fill the ring; behind it they wait at the thread. */
static void test_full_rings_lose_nothing(void **state)
{
    struct fixture *f = *state;
    enum { ROUNDS = 3 * RING_ITEMS };
    int fd = dial_thread(f);
    char text[32];
    for (int i = 0; i < ROUNDS; i++) {
        snprintf(text, sizeof text, "ECHO %d\r\n", i);
        send_text(fd, text);
        step_threads(f);
    }
    struct buf expected = {0};
    for (int i = 0; i < ROUNDS; i++) {
        snprintf(text, sizeof text, "%d", i);
        buf_printf(&expected, "$%zu\r\n%s\r\n", strlen(text), text);
    }
    buf_add_char(&expected, '\0');
    assert_hears(f, fd, expected.ptr);
    buf_close(&expected);
    close(fd);
}

static void test_batches_that_had_to_wait_are_signalled_when_there_is_room(void **state)
{
    (void)state;
    static struct net_sender sender;
    static struct net_batch batches[RING_ITEMS + 2];
    struct ring_sleeper sleeper = {0};
    ring_sleep(&sleeper);
    for (size_t i = 0; i < RING_ITEMS; i++) /* none of them is worth a signal */
        assert_false(net_send(&sender, &batches[i], false, &sleeper));
    assert_true(net_send(&sender, &batches[RING_ITEMS], false, &sleeper)); /* but to be full is */
    assert_false(net_send(&sender, &batches[RING_ITEMS + 1], true, &sleeper));
    for (size_t i = 0; i < RING_ITEMS; i++)
        assert_ptr_equal(ring_take(&sender.ring), &batches[i]);
    ring_sleep(&sleeper);
    assert_true(net_sender_is_behind(&sender));
    assert_true(net_send(&sender, NULL, false, &sleeper));
    assert_false(net_sender_is_behind(&sender));
    assert_ptr_equal(ring_take(&sender.ring), &batches[RING_ITEMS]);
    assert_ptr_equal(ring_take(&sender.ring), &batches[RING_ITEMS + 1]);
}

/* Orders that nobody takes, likewise. */
static void test_orders_wait_behind_a_full_ring(void **state)
{
    struct fixture *f = *state;
    enum { ROUNDS = 2 * RING_ITEMS };
    int fd = dial_thread(f);
    struct buf text = {0}, expected = {0};
    for (int i = 0; i < ROUNDS; i++) {
        buf_printf(&text, "SET %d 1\r\n", i);
        buf_printf(&expected, "+set.%d\r\n", i);
    }
    buf_add_char(&expected, '\0');
    say_bytes(f, fd, text.ptr, text.len);
    assert_int_equal(f->shard.count, ROUNDS);
    for (int i = 0; i < ROUNDS; i++) {
        answer(f, 1);
        turn_loop(f); /* a batch each */
    }
    struct buf heard = {0}; /* the socket does not take all of it at once */
    for (int i = 0; i < 10; i++)
        buf_add_text(&heard, hear(f, fd));
    buf_add_char(&heard, '\0');
    assert_string_equal(heard.ptr, expected.ptr);
    buf_close(&heard);
    buf_close(&text);
    buf_close(&expected);
    close(fd);
}

static void test_replies_that_were_ordered_are_written_at_the_end(void **state)
{
    struct fixture *f = *state;
    int fd = dial_thread(f), other = dial_thread(f);
    say(f, fd, "SET a 1\r\n");
    say(f, other, "SET b 2\r\n");
    answer(f, 2);
    turn_loop(f);
    net_free(f->net);
    open_net(f);
    char heard[64];
    assert_int_equal(recv(fd, heard, sizeof heard, 0), 8);
    assert_memory_equal(heard, "+set.a\r\n", 8);
    assert_int_equal(recv(other, heard, sizeof heard, 0), 8);
    assert_memory_equal(heard, "+set.b\r\n", 8);
    assert_int_equal(recv(fd, heard, sizeof heard, 0), 0);
    close(fd);
    close(other);
}

/* A thread that is late is not a client that does not read. */
static void test_output_that_was_not_tried_yet_counts_against_no_limit(void **state)
{
    struct fixture *f = *state;
    f->settings.output_normal.hard_bytes = 20;
    net_set_settings(f->net, &f->settings);
    int fd = dial_thread(f);
    say(f, fd, "SET a 1\r\nSET b 1\r\nSET c 1\r\nSET d 1\r\n");
    for (int i = 0; i < 4; i++) {
        answer(f, 1);
        turn_loop(f); /* 32 bytes in all */
    }
    assert_hears(f, fd, "+set.a\r\n+set.b\r\n+set.c\r\n+set.d\r\n");
    close(fd);
}

static void test_output_that_the_socket_does_not_take_counts(void **state)
{
    struct fixture *f = *state;
    f->settings.output_normal.hard_bytes = 2 << 20;
    net_set_settings(f->net, &f->settings);
    int fd = dial_thread(f);
    struct buf text = {0};
    buf_add_text(&text, "ECHO ");
    memset(buf_reserve(&text, 1000), 'x', 1000);
    text.len += 1000;
    buf_add_text(&text, "\r\n");
    size_t sent = 0;
    while (net_stats(f->net).output_buffer_limit_disconnections == 0 && sent < 8 << 20) {
        ssize_t took = send(fd, text.ptr, text.len, MSG_NOSIGNAL);
        sent += took > 0 ? (size_t)took : 0;
        turns(f);
    }
    assert_in_range(sent, 2 << 20, 4 << 20);
    assert_int_equal(net_stats(f->net).connected_clients, 0);
    buf_close(&text);
    close(fd);
}

static void note_time_out(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    *(bool *)context = true;
}

/* True: there were events before long. */
static bool is_woken(struct fixture *f, int seconds)
{
    bool timed_out = false;
    struct event *timer = evtimer_new(f->base, note_time_out, &timed_out);
    evtimer_add(timer, &(struct timeval){.tv_sec = seconds});
    event_base_loop(f->base, EVLOOP_ONCE);
    event_free(timer);
    return !timed_out;
}

/* A write that took all there was wakes nobody, unless somebody waits for that. */
static void test_sleeping_loop_is_woken_when_a_client_has_read_enough(void **state)
{
    struct fixture *f = *state;
    enum { REPLY = 400 * 1000 };
    f->settings.output_pause = 100 * 1000;
    net_set_settings(f->net, &f->settings);
    int fd = dial_thread(f);
    struct buf text = {0};
    buf_printf(&text, "*2\r\n$4\r\nECHO\r\n$%d\r\n", REPLY);
    memset(buf_reserve(&text, REPLY), 'x', REPLY);
    text.len += REPLY;
    buf_add_text(&text, "\r\nPING\r\n");
    say_bytes(f, fd, text.ptr, text.len);
    size_t heard = 0;
    static char block[REPLY];
    for (ssize_t got; heard < REPLY / 4; heard += (size_t)got)
        assert_true((got = recv(fd, block, REPLY / 4, 0)) > 0);
    turns(f);
    assert_true(net_wait_ms(f->net, 100) > 0); /* it sleeps: the socket is full again */
    for (ssize_t got; (got = recv(fd, block, sizeof block, 0)) > 0;)
        heard += (size_t)got;
    assert_true(heard < REPLY);
    step_threads(f); /* the rest fits into the socket */
    assert_true(is_woken(f, 10));
    turns(f);
    for (ssize_t got; (got = recv(fd, block, sizeof block, 0)) > 0;)
        heard += (size_t)got;
    assert_int_equal(heard, 9 + REPLY + 2 + 7);
    buf_close(&text);
    close(fd);
}

static void test_request_wakes_a_sleeping_loop(void **state)
{
    struct fixture *f = *state;
    int fd = dial_thread(f);
    assert_true(net_wait_ms(f->net, 100) > 0);
    send_text(fd, "PING\r\n");
    step_threads(f);
    assert_true(is_woken(f, 10));
    assert_int_equal(net_wait_ms(f->net, 100), 0);
    assert_hears(f, fd, "+PONG\r\n");
    close(fd);
}

static void test_password_is_asked_for_again_after_reset(void **state)
{
    struct fixture *f = *state;
    strcpy(f->settings.password, "secret");
    net_set_settings(f->net, &f->settings);
    int fd = dial(f);
    assert_replies(f, fd, "PING\r\n", "-NOAUTH Authentication required.\r\n");
    assert_int_equal(net_stats(f->net).io_reads, 0); /* strangers stay on the loop */
    assert_replies(f, fd, "AUTH secret\r\n", "+OK\r\n");
    assert_replies(f, fd, "PING\r\n", "+PONG\r\n");
    assert_int_equal(net_stats(f->net).io_reads, 1);
    assert_replies(f, fd, "RESET\r\nPING\r\n", "+RESET\r\n-NOAUTH Authentication required.\r\n");
    assert_replies(f, fd, "*11\r\n$3\r\nDEL\r\n",
                   "-ERR Protocol error: unauthenticated multibulk length\r\n<end>");
    close(fd);
    fd = dial(f); /* what was read with RESET is under its limits too */
    assert_replies(f, fd, "AUTH secret\r\nPING\r\n", "+OK\r\n+PONG\r\n");
    assert_replies(f, fd, "PING\r\n", "+PONG\r\n");
    struct buf text = {0};
    buf_add_text(&text, "RESET\r\n");
    buf_add_text(&text, "*11\r\n$3\r\nDEL\r\n");
    for (int i = 0; i < 10; i++)
        buf_add_text(&text, "$1\r\nk\r\n");
    say_bytes(f, fd, text.ptr, text.len);
    assert_hears(f, fd, "+RESET\r\n-ERR Protocol error: unauthenticated multibulk length\r\n<end>");
    buf_close(&text);
    close(fd);
}

static void test_client_of_a_thread_is_no_node(void **state)
{
    struct fixture *f = *state;
    int fd = dial_thread(f);
    assert_replies(f, fd, "RAFT.HELLO 1 id\r\n",
                   "-NOPERM this connection is not a node of the cluster\r\n");
    assert_true(f->peer_fd < 0);
    assert_replies(f, fd, "PING\r\n", "+PONG\r\n");
    close(fd);
}

static void test_client_list_knows_what_threads_hold(void **state)
{
    struct fixture *f = *state;
    int fd = dial_thread(f), other = dial_thread(f);
    say(f, fd, "*2\r\n$4\r\nECHO\r\n$3");
    assert_non_null(strstr(reply_to(f, other, "CLIENT LIST ID 1\r\n"), " qbuf=16 "));
    assert_replies(f, fd, "\r\nabc\r\n", "$3\r\nabc\r\n");
    assert_non_null(strstr(reply_to(f, other, "CLIENT LIST ID 1\r\n"), " qbuf=0 "));
    close(fd);
    close(other);
}

/* --- any order --- */

enum { CLIENTS = 6, STEPS = 4000 };

struct player {
    int fd; /* -1: to be dialled */
    unsigned asked;
    unsigned heard;
    struct buf unsent;
    struct buf got;
};

static void ask_something(struct player *player, struct prng *random)
{
    unsigned count = 1 + (unsigned)prng_below(random, 5);
    for (; count; count--, player->asked++) {
        switch (prng_below(random, 3)) {
        case 0:
            buf_printf(&player->unsent, "ECHO \"%08u\"\r\n", player->asked);
            break;
        case 1:
            buf_printf(&player->unsent, "*2\r\n$4\r\nECHO\r\n$8\r\n%08u\r\n", player->asked);
            break;
        default: /* the shard answers it, when it likes */
            buf_printf(&player->unsent, "*2\r\n$3\r\nGET\r\n$8\r\n%08u\r\n", player->asked);
            break;
        }
    }
}

static void send_some(struct player *player, struct prng *random)
{
    if (player->unsent.len == 0)
        return;
    ssize_t took = send(player->fd, player->unsent.ptr, 1 + prng_below(random, player->unsent.len),
                        MSG_NOSIGNAL);
    if (took > 0)
        buf_consume(&player->unsent, (size_t)took);
}

/* Each reply names its request: "$8\r\n00000001\r\n" or "+get.00000001\r\n". */
static void hear_some(struct player *player)
{
    ssize_t got = recv(player->fd, buf_reserve(&player->got, 512), 512, 0);
    assert_true(got > 0 || errno == EAGAIN);
    player->got.len += got > 0 ? (size_t)got : 0;
    size_t at = 0;
    for (;;) {
        size_t len = player->got.len - at;
        const char *reply = player->got.ptr + at;
        size_t whole = len && reply[0] == '$' ? 14 : 15;
        if (len < whole)
            break;
        char number[9] = "";
        memcpy(number, reply + (reply[0] == '$' ? 4 : 5), 8);
        assert_int_equal(atoi(number), player->heard++);
        at += whole;
    }
    buf_consume(&player->got, at);
}

static void hang_up(struct player *player)
{
    close(player->fd);
    buf_close(&player->unsent);
    buf_close(&player->got);
    *player = (struct player){.fd = -1};
}

static void connect_player(struct fixture *f, struct player *player)
{
    player->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, f->path);
    if (connect(player->fd, (struct sockaddr *)&address, sizeof address))
        hang_up(player); /* the queue is full for now */
}

static void play(struct fixture *f, struct player *players, struct prng *random)
{
    struct player *player = &players[prng_below(random, CLIENTS)];
    switch (prng_below(random, 8)) {
    case 0:
        turn_loop(f);
        return;
    case 1:
        net_step_io(f->net, (unsigned)prng_below(random, FIXTURE_IO_THREADS));
        return;
    case 2:
        answer(f, prng_below(random, 4));
        return;
    case 3:
        if (f->shard.count)
            answer_at(f, prng_below(random, f->shard.count));
        return;
    default:
        break;
    }
    if (player->fd < 0)
        connect_player(f, player);
    else if (prng_below(random, 150) == 0)
        hang_up(player);
    else if (prng_below(random, 3) == 0)
        ask_something(player, random);
    else if (prng_below(random, 2) == 0)
        send_some(player, random);
    else
        hear_some(player);
}

static void test_replies_come_in_order_in_any_order_of_steps(void **state)
{
    struct fixture *f = *state;
    size_t before = open_descriptors();
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct prng random;
        prng_init(&random, seed);
        struct player players[CLIENTS];
        for (size_t i = 0; i < CLIENTS; i++)
            players[i] = (struct player){.fd = -1};
        for (int i = 0; i < STEPS; i++)
            play(f, players, &random);
        for (int round = 0; round < 100; round++) {
            for (size_t i = 0; i < CLIENTS; i++) {
                if (players[i].fd < 0)
                    continue;
                send_some(&players[i], &random);
                hear_some(&players[i]);
            }
            answer(f, ASKED_MAX);
            turns(f);
        }
        for (size_t i = 0; i < CLIENTS; i++) {
            assert_int_equal(players[i].heard, players[i].asked);
            if (players[i].fd >= 0)
                hang_up(&players[i]);
        }
        turns(f);
        assert_int_equal(net_stats(f->net).connected_clients, 0);
        assert_int_equal(open_descriptors(), before);
    }
    assert_true(net_stats(f->net).io_reads > 1000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_report_of_a_closed_client_reaches_nobody_who_comes_after),
        TEST(test_killed_client_may_send_until_its_thread_knows),
        TEST(test_client_that_leaves_while_its_replies_are_on_their_way),
        TEST(test_what_was_asked_before_the_end_is_answered),
        TEST(test_inline_requests_with_quotes),
        TEST(test_error_of_the_protocol_comes_behind_what_was_right),
        TEST(test_longer_strings_are_allowed_at_once),
        TEST(test_more_arguments_than_a_batch_has_room_for),
        TEST(test_threads_read_ahead_within_bounds),
        TEST(test_threads_read_no_more_of_a_request_than_a_query_buffer),
        TEST(test_nothing_is_read_of_a_client_that_is_to_be_closed),
        TEST(test_full_rings_lose_nothing),
        cmocka_unit_test(test_batches_that_had_to_wait_are_signalled_when_there_is_room),
        TEST(test_orders_wait_behind_a_full_ring),
        TEST(test_replies_that_were_ordered_are_written_at_the_end),
        TEST(test_output_that_was_not_tried_yet_counts_against_no_limit),
        TEST(test_output_that_the_socket_does_not_take_counts),
        TEST(test_sleeping_loop_is_woken_when_a_client_has_read_enough),
        TEST(test_request_wakes_a_sleeping_loop),
        TEST(test_password_is_asked_for_again_after_reset),
        TEST(test_client_of_a_thread_is_no_node),
        TEST(test_client_list_knows_what_threads_hold),
        TEST(test_replies_come_in_order_in_any_order_of_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
