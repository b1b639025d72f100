/* Sessions: what a client numbers is carried out once. */
#include <stdio.h>

#include "base/prng.h"
#include "machine/replay.h"
#include "machine/state.h"
#include "machine/transaction.h"
#include "unit/support/test.h"

#define ID        "0123456789abcdef00000000000000ff"
#define OTHER     "ffffffffffffffffffffffffffffffff"
#define NOSESSION "-NOSESSION"
#define INCR_N    "*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n"

struct fixture {
    struct command_table *table;
    struct machine machine;
    struct buf reply;
    int64_t time_ms;
    bool nobody_waits;
    uint64_t executed; /* commands that the caller was told of */
};

static void open_fixture(struct fixture *f)
{
    *f = (struct fixture){.table = command_table_new(), .time_ms = 1000};
    machine_init(&f->machine, f->table, 1);
}

static void close_fixture(struct fixture *f)
{
    machine_close(&f->machine);
    command_table_free(f->table);
    buf_close(&f->reply);
}

static void executed(void *context, const struct command *command, const struct span *args,
                     size_t argc, struct span reply)
{
    struct fixture *f = context;
    (void)command, (void)args, (void)argc, (void)reply;
    f->executed++;
}

/* The next entry; what a client that waits for it is told. */
static const char *apply_as(struct fixture *f, enum entry_kind kind, const char *payload)
{
    struct entry entry = {.index = f->machine.applied_index + 1,
                          .term = 1,
                          .kind = kind,
                          .time_ms = f->time_ms,
                          .seed = 100,
                          .payload = span_text(payload)};
    struct buf record = {0};
    struct record parsed;
    entry_encode(&record, &entry);
    assert_int_equal(record_parse(buf_span(&record), &parsed), RECORD_OK);
    assert_true(machine_entry_is_valid(&f->machine, &parsed.entry));
    f->reply.len = 0;
    struct command_clock wall = {.ms = 77777};
    struct machine_caller caller = {
        .reply = {.out = f->nobody_waits ? NULL : &f->reply, .protocol = 2},
        .wall = &wall,
        .context = f,
        .executed = executed};
    machine_apply(&f->machine, &parsed.entry, &caller);
    assert_true(f->machine.sessions.sum == sessions_sum_by_walk(&f->machine.sessions));
    buf_close(&record);
    buf_add(&f->reply, "", 1);
    return f->reply.ptr;
}

static const char *session(struct fixture *f, const char *payload)
{
    return apply_as(f, ENTRY_SESSION, payload);
}

static const char *numbered(struct fixture *f, unsigned number, unsigned answered,
                            const char *command)
{
    char payload[512];
    snprintf(payload, sizeof payload, "#SESSION:" ID ":%u:%u:2\r\n%s", number, answered, command);
    return apply_as(f, ENTRY_COMMAND, payload);
}

static void begin(struct fixture *f)
{
    const char *reply = session(f, "#BEGIN:" ID ":5000:2:3:100\r\n");
    assert_string_equal(reply, "*8\r\n$2\r\nid\r\n$32\r\n" ID "\r\n$6\r\nttl-ms\r\n:5000\r\n"
                               "$11\r\nreplies-max\r\n:3\r\n$9\r\nbytes-max\r\n:100\r\n");
}

static void assert_begins(const char *text, const char *with)
{
    if (strncmp(text, with, strlen(with)) != 0)
        fail_msg("'%s' does not begin with '%s'", text, with);
}

static void assert_counter(struct fixture *f, const char *expected)
{
    char scratch[24];
    struct item *item =
        keyspace_find(databases_at(f->machine.databases, 0), SPAN("n"), NO_DEADLINE);
    struct span value = item ? item_string(item, scratch) : SPAN("none");
    assert_true(span_equal(value, span_text(expected)));
}

/* --- the rules --- */

static void test_a_number_is_carried_out_once(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    begin(&f);
    assert_string_equal(numbered(&f, 1, 0, INCR_N), ":1\r\n");
    assert_string_equal(numbered(&f, 1, 0, INCR_N), ":1\r\n");
    assert_string_equal(numbered(&f, 2, 0, INCR_N), ":2\r\n");
    assert_string_equal(numbered(&f, 1, 0, INCR_N), ":1\r\n");
    assert_counter(&f, "2");
    assert_int_equal(f.executed, 2);
    assert_int_equal(f.machine.stats.repeats, 2);
    close_fixture(&f);
}

static void test_an_error_is_a_reply_like_any_other(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    begin(&f);
    apply_as(&f, ENTRY_COMMAND, "*3\r\n$3\r\nSET\r\n$1\r\nn\r\n$1\r\nx\r\n");
    const char *first = numbered(&f, 1, 0, INCR_N);
    assert_begins(first, "-ERR value is not an integer");
    apply_as(&f, ENTRY_COMMAND, "*3\r\n$3\r\nSET\r\n$1\r\nn\r\n$1\r\n7\r\n");
    assert_begins(numbered(&f, 1, 0, INCR_N), "-ERR value is not an integer");
    assert_counter(&f, "7");
    close_fixture(&f);
}

static void test_nothing_is_executed_for_a_session_that_is_not_there(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    assert_begins(numbered(&f, 1, 0, INCR_N), NOSESSION);
    assert_begins(session(&f, "#END:" ID "\r\n"), NOSESSION);
    assert_begins(session(&f, "#ANSWERED:" ID ":1\r\n"), NOSESSION);
    begin(&f);
    assert_string_equal(numbered(&f, 1, 0, INCR_N), ":1\r\n");
    assert_string_equal(session(&f, "#END:" ID "\r\n"), "+OK\r\n");
    assert_begins(numbered(&f, 1, 0, INCR_N), NOSESSION);
    assert_begins(numbered(&f, 2, 0, INCR_N), NOSESSION);
    assert_counter(&f, "1");
    assert_int_equal(f.machine.sessions.sum, 0);
    assert_int_equal(f.machine.sessions.bytes, 0);
    close_fixture(&f);
}

static void test_a_number_that_was_left_out_is_never_carried_out(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    begin(&f);
    assert_string_equal(numbered(&f, 4, 0, INCR_N), ":1\r\n");
    assert_begins(numbered(&f, 3, 0, INCR_N), "-SESSIONSKIPPED");
    assert_string_equal(numbered(&f, 6, 0, INCR_N), ":2\r\n");
    assert_begins(numbered(&f, 5, 0, INCR_N), "-SESSIONSKIPPED");
    assert_string_equal(numbered(&f, 4, 0, INCR_N), ":1\r\n");
    assert_counter(&f, "2");
    close_fixture(&f);
}

static void test_replies_that_the_client_has_are_dropped(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    begin(&f);
    numbered(&f, 1, 0, INCR_N);
    numbered(&f, 2, 0, INCR_N);
    assert_int_equal(f.machine.sessions.bytes, 8);
    assert_string_equal(numbered(&f, 3, 2, INCR_N), ":3\r\n");
    assert_int_equal(f.machine.sessions.bytes, 8);
    assert_begins(numbered(&f, 1, 2, INCR_N), "-SESSIONPAST");
    assert_string_equal(numbered(&f, 2, 2, INCR_N), ":2\r\n");
    assert_string_equal(session(&f, "#ANSWERED:" ID ":4\r\n"), "+OK\r\n");
    assert_int_equal(f.machine.sessions.bytes, 0);
    assert_begins(numbered(&f, 3, 0, INCR_N), "-SESSIONPAST");
    assert_counter(&f, "3");
    close_fixture(&f);
}

static void test_so_many_replies_are_kept(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    begin(&f);
    for (unsigned number = 1; number <= 50; number++) {
        numbered(&f, number, 0, INCR_N);
        assert_true(f.machine.sessions.bytes <= 15);
    }
    assert_begins(numbered(&f, 47, 0, INCR_N), "-SESSIONPAST");
    assert_string_equal(numbered(&f, 48, 0, INCR_N), ":48\r\n");
    assert_string_equal(numbered(&f, 50, 0, INCR_N), ":50\r\n");
    close_fixture(&f);
}

static void test_so_many_bytes_are_kept(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    begin(&f);
    static const char getset[] = "*3\r\n$6\r\nGETSET\r\n$1\r\nn\r\n$60\r\n"
                                 "012345678901234567890123456789012345678901234567890123456789\r\n";
    numbered(&f, 1, 0, INCR_N);
    numbered(&f, 2, 0, getset); /* ":1" */
    numbered(&f, 3, 0, getset); /* 67 bytes */
    assert_int_equal(f.machine.sessions.bytes, 4 + 7 + 67);
    numbered(&f, 4, 0, getset); /* what is older makes room */
    assert_begins(numbered(&f, 3, 0, getset), "-SESSIONPAST");
    assert_begins(numbered(&f, 4, 0, getset), "$60\r\n0123");
    apply_as(&f, ENTRY_COMMAND, "*4\r\n$8\r\nSETRANGE\r\n$1\r\nn\r\n$3\r\n200\r\n$1\r\nx\r\n");
    assert_begins(numbered(&f, 5, 0, getset), "$201\r\n");
    assert_begins(numbered(&f, 5, 0, getset), "-SESSIONPAST"); /* too long to be kept at all */
    assert_begins(numbered(&f, 4, 0, getset), "$60\r\n0123");
    close_fixture(&f);
}

static void test_a_session_that_no_entry_names_is_over(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    begin(&f);
    f.time_ms = 5999;
    assert_string_equal(numbered(&f, 1, 0, INCR_N), ":1\r\n");
    f.time_ms = 10998;
    assert_string_equal(session(&f, "#ANSWERED:" ID ":1\r\n"), "+OK\r\n");
    f.time_ms = 15997;
    assert_string_equal(numbered(&f, 1, 0, INCR_N), ":1\r\n");
    f.time_ms = 20996; /* a number that is sent again keeps it alive, too */
    assert_string_equal(numbered(&f, 1, 0, INCR_N), ":1\r\n");
    f.time_ms = 25996;
    assert_begins(numbered(&f, 2, 0, INCR_N), NOSESSION);
    assert_int_equal(f.machine.sessions.count, 0);
    assert_counter(&f, "1");
    close_fixture(&f);
}

static void test_an_expiry_entry_ends_sessions(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    begin(&f);
    session(&f, "#BEGIN:" OTHER ":9000:2:3:100\r\n");
    f.time_ms = 5999;
    apply_as(&f, ENTRY_EXPIRY, "");
    assert_int_equal(f.machine.sessions.count, 2);
    f.time_ms = 6000;
    apply_as(&f, ENTRY_EXPIRY, "");
    assert_int_equal(f.machine.sessions.count, 1);
    assert_int_equal(f.machine.sessions.due_ms, 10000);
    f.time_ms = 10000;
    apply_as(&f, ENTRY_EXPIRY, "");
    assert_int_equal(f.machine.sessions.count, 0);
    assert_int_equal(f.machine.sessions.due_ms, INT64_MAX);
    close_fixture(&f);
}

static void test_there_are_so_many_sessions(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    begin(&f);
    session(&f, "#BEGIN:" OTHER ":5000:2:3:100\r\n");
    static const char third[] = "#BEGIN:00000000000000000000000000000003:5000:2:3:100\r\n";
    assert_begins(session(&f, third), "-ERR the maximum number of sessions is reached");
    assert_int_equal(f.machine.sessions.count, 2);
    f.time_ms = 6000; /* those that are over do not count */
    assert_begins(session(&f, third), "*8\r\n");
    assert_int_equal(f.machine.sessions.count, 1);
    assert_begins(session(&f, third), "-ERR the id of the session is taken");
    close_fixture(&f);
}

static void test_a_reply_is_given_in_the_form_in_which_it_is_kept(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    begin(&f);
    static const char getdel[] = "*2\r\n$6\r\nGETDEL\r\n$1\r\nx\r\n";
    char resp3[128];
    snprintf(resp3, sizeof resp3, "#SESSION:" ID ":1:0:3\r\n%s", getdel);
    assert_string_equal(apply_as(&f, ENTRY_COMMAND, resp3), "_\r\n");
    assert_begins(numbered(&f, 1, 0, getdel), "-SESSIONPAST number 1 was carried out before");
    assert_string_equal(apply_as(&f, ENTRY_COMMAND, resp3), "_\r\n");
    close_fixture(&f);
}

/* --- transactions --- */

#define EXEC    "*1\r\n$4\r\nEXEC\r\n"
#define MULTI   "*1\r\n$5\r\nMULTI\r\n"
#define WATCH_N "#WATCH:0:0\r\n*2\r\n$5\r\nWATCH\r\n$1\r\nn\r\n"

static void test_a_transaction_is_one_number(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    begin(&f);
    static const char payload[] = "#SESSION:" ID ":1:0:2\r\n" WATCH_N MULTI INCR_N INCR_N EXEC;
    assert_string_equal(apply_as(&f, ENTRY_TRANSACTION, payload), "*2\r\n:1\r\n:2\r\n");
    assert_string_equal(apply_as(&f, ENTRY_TRANSACTION, payload), "*2\r\n:1\r\n:2\r\n");
    assert_counter(&f, "2");
    static const char second[] = "#SESSION:" ID ":2:0:2\r\n" WATCH_N MULTI INCR_N EXEC;
    assert_string_equal(apply_as(&f, ENTRY_TRANSACTION, second), "*-1\r\n");
    apply_as(&f, ENTRY_COMMAND, "*1\r\n$8\r\nFLUSHALL\r\n");
    assert_string_equal(apply_as(&f, ENTRY_TRANSACTION, second), "*-1\r\n");
    close_fixture(&f);
}

/* Every node writes the reply of what has a number, so that a client could fill the memory of all.
 */
static void test_the_replies_of_a_numbered_transaction_are_bounded(void **state)
{
    (void)state;
    enum { TIMES = 40, VALUE = 1 << 20 };
    uint64_t sums[2];
    for (int i = 0; i < 2; i++) {
        struct fixture f;
        open_fixture(&f);
        begin(&f);
        f.nobody_waits = i == 1;
        apply_as(&f, ENTRY_COMMAND,
                 "*4\r\n$8\r\nSETRANGE\r\n$1\r\nb\r\n$7\r\n1048575\r\n$1\r\nx\r\n");
        struct buf payload = {0};
        buf_add_text(&payload, "#SESSION:" ID ":1:0:2\r\n" MULTI);
        for (int times = 0; times < TIMES; times++)
            buf_add_text(&payload, "*2\r\n$5\r\nGETEX\r\n$1\r\nb\r\n");
        buf_add_text(&payload, INCR_N "*2\r\n$3\r\nGET\r\n$1\r\nb\r\n" EXEC);
        buf_add(&payload, "", 1);
        apply_as(&f, ENTRY_TRANSACTION, payload.ptr);
        buf_close(&payload);
        if (i == 0) {
            assert_in_range(f.reply.len, SESSION_TRANSACTION_BYTES_MAX,
                            SESSION_TRANSACTION_BYTES_MAX + 2 * VALUE);
            assert_non_null(
                strstr(f.reply.ptr + f.reply.len - 300, "its reply is left out\r\n-ERR"));
            assert_non_null(strstr(f.reply.ptr + f.reply.len - 100, "nothing was read\r\n"));
        } else {
            assert_int_equal(f.reply.len, 1);
        }
        f.nobody_waits = false;
        assert_counter(&f, "1");
        sums[i] = machine_digest(&f.machine).sum;
        close_fixture(&f);
    }
    assert_true(sums[0] == sums[1]);
}

/* Also what only reads: the reply is part of the state. */
static void test_nodes_agree_whoever_waits_for_the_reply(void **state)
{
    (void)state;
    struct fixture a, b;
    open_fixture(&a);
    open_fixture(&b);
    b.nobody_waits = true;
    static const char payload[] = "#SESSION:" ID ":2:0:2\r\n" MULTI INCR_N
                                  "*2\r\n$3\r\nGET\r\n$1\r\nn\r\n*1\r\n$4\r\nTIME\r\n" EXEC;
    struct fixture *both[] = {&a, &b};
    for (size_t i = 0; i < 2; i++) {
        session(both[i], "#BEGIN:" ID ":5000:2:3:100\r\n");
        numbered(both[i], 1, 0, INCR_N);
        apply_as(both[i], ENTRY_TRANSACTION, payload);
        apply_as(both[i], ENTRY_COMMAND,
                 "#SESSION:" ID ":3:0:3\r\n*2\r\n$6\r\nGETDEL\r\n$1\r\nx\r\n");
    }
    const struct machine_digest of_a = machine_digest(&a.machine);
    const struct machine_digest of_b = machine_digest(&b.machine);
    assert_true(machine_digest_equal(&of_a, &of_b));
    assert_int_equal(b.executed, 0);
    b.nobody_waits = false;
    assert_string_equal(apply_as(&b, ENTRY_TRANSACTION, payload),
                        "*3\r\n:2\r\n$1\r\n2\r\n*2\r\n$1\r\n1\r\n$1\r\n0\r\n");
    close_fixture(&a);
    close_fixture(&b);
}

static void test_sessions_are_part_of_the_digest(void **state)
{
    (void)state;
    struct fixture a, b;
    open_fixture(&a);
    open_fixture(&b);
    begin(&a);
    begin(&b);
    sessions_use(&b.machine.sessions, &b.machine.sessions.list[0], 0, 1001);
    const struct machine_digest of_a = machine_digest(&a.machine);
    const struct machine_digest of_b = machine_digest(&b.machine);
    assert_true(of_a.chain == of_b.chain);
    assert_false(machine_digest_equal(&of_a, &of_b));
    assert_true(machine_digest_number(&a.machine) != machine_digest_number(&b.machine));
    session(&a, "#END:" ID "\r\n");
    session(&b, "#END:" ID "\r\n");
    assert_true(machine_digest(&a.machine).sum == machine_digest(&b.machine).sum);
    assert_true(machine_digest(&a.machine).chain != machine_digest(&b.machine).chain);
    close_fixture(&a);
    close_fixture(&b);
}

/* --- snapshots --- */

static void write_state(struct fixture *f, struct buf *out)
{
    struct machine_position position = {.index = f->machine.applied_index,
                                        .term = 1,
                                        .clock_ms = f->machine.clock_ms,
                                        .chain = f->machine.chain,
                                        .chain_from = f->machine.chain_from};
    struct machine_writer writer;
    raft_membership_set(&position.membership, 1, RAFT_VOTER);
    machine_writer_init(&writer, f->machine.databases, &f->machine.sessions, &position);
    while (machine_writer_next(&writer, out))
        ;
    machine_writer_close(&writer);
}

static enum err read_state(struct fixture *f, struct span bytes, char message[512])
{
    struct machine_reader *reader = machine_reader_new(1, NULL);
    enum err err = machine_reader_feed(reader, bytes, message);
    if (!err)
        err = machine_reader_finish(reader, reader->position.index, 1, message);
    if (!err)
        databases_free(machine_take_state(&f->machine, reader));
    machine_reader_free(reader);
    return err;
}

static void some_history(struct fixture *f, struct prng *prng)
{
    char payload[256];
    for (unsigned i = 1; i < 400; i++) {
        unsigned which = (unsigned)prng_below(prng, 12);
        f->time_ms += (int64_t)prng_below(prng, 200);
        snprintf(payload, sizeof payload, "#BEGIN:%031x%x:%u:8:5:60\r\n", 7u, which,
                 1000 + 500 * which);
        if (prng_below(prng, 4) == 0)
            session(f, payload);
        snprintf(payload, sizeof payload, "#END:%031x%x\r\n", 7u, which);
        if (prng_below(prng, 40) == 0)
            session(f, payload);
        snprintf(payload, sizeof payload, "#SESSION:%031x%x:%u:%u:%u\r\n%s", 7u, which, i,
                 i > 8 ? i - (unsigned)prng_below(prng, 8) : 0, i % 2 + 2,
                 "*3\r\n$6\r\nAPPEND\r\n$1\r\nk\r\n$1\r\nx\r\n");
        apply_as(f, ENTRY_COMMAND, payload);
        if (prng_below(prng, 20) == 0)
            apply_as(f, ENTRY_EXPIRY, "");
    }
}

static void test_a_snapshot_keeps_sessions(void **state)
{
    (void)state;
    struct prng prng;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct fixture a, b;
        struct buf written = {0}, again = {0};
        char message[512] = "";
        prng_init(&prng, seed);
        open_fixture(&a);
        open_fixture(&b);
        some_history(&a, &prng);
        assert_true(a.machine.sessions.count > 0);
        write_state(&a, &written);
        if (read_state(&b, buf_span(&written), message))
            fail_msg("%s", message);
        assert_true(b.machine.sessions.sum == sessions_sum_by_walk(&b.machine.sessions));
        write_state(&b, &again);
        assert_true(span_equal(buf_span(&written), buf_span(&again)));
        a.machine.applied_index = b.machine.applied_index;
        b.time_ms = a.time_ms;
        struct prng same = prng;
        some_history(&a, &prng);
        some_history(&b, &same);
        assert_true(machine_digest_number(&a.machine) == machine_digest_number(&b.machine));
        buf_close(&written);
        buf_close(&again);
        close_fixture(&a);
        close_fixture(&b);
    }
}

static void test_a_reply_that_was_too_long_stays_so_in_a_snapshot(void **state)
{
    (void)state;
    struct fixture a, b;
    struct buf written = {0};
    char message[512] = "";
    open_fixture(&a);
    open_fixture(&b);
    session(&a, "#BEGIN:" ID ":5000:2:3:3\r\n");
    numbered(&a, 2, 0, INCR_N);
    write_state(&a, &written);
    assert_int_equal(read_state(&b, buf_span(&written), message), ERR_NONE);
    assert_begins(numbered(&b, 2, 0, INCR_N), "-SESSIONPAST");
    assert_begins(numbered(&b, 1, 0, INCR_N), "-SESSIONSKIPPED");
    assert_counter(&b, "1");
    buf_close(&written);
    close_fixture(&a);
    close_fixture(&b);
}

static void test_what_is_no_session_is_no_snapshot(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        ID,
        ID ":",
        ID ":5000:2:3:100:6000:1:0:0",
        ID ":5000:2:3:100:6000:1:0:1\r\n",
        ID ":0:2:3:100:6000:1:0:0\r\n",
        ID ":5000:65537:3:100:6000:1:0:0\r\n",
        ID ":5000:2:65537:100:6000:1:0:0\r\n",
        ID ":5000:2:3:1048577:6000:1:0:0\r\n",
        ID ":604800001:2:3:100:6000:1:0:0\r\n",
        ID ":5000:2:3:100:9223372036854775808:1:0:0\r\n",
        ID ":5000:2:3:100:6000:1:2:0\r\n",          /* more dropped than carried out */
        ID ":5000:2:3:100:6000:1:0:4\r\n",          /* more replies than are kept */
        ID ":5000:2:3:100:6000:1:1:1\r\n1:2:0\r\n", /* a reply that was dropped */
        ID ":5000:2:3:100:6000:1:0:1\r\n2:2:0\r\n", /* and one of the future */
        ID ":5000:2:3:100:6000:2:0:2\r\n2:2:0\r\n1:2:0\r\n",
        ID ":5000:2:3:100:6000:1:0:1\r\n1:4:0\r\n",     /* no protocol */
        ID ":5000:2:3:100:6000:1:0:1\r\n1:0:1\r\nx",    /* kept and not kept */
        ID ":5000:2:3:100:6000:1:0:1\r\n1:2:5\r\nxxxx", /* longer than there is */
        ID ":5000:2:3:100:6000:1:0:1\r\n1:2:2\r\nxxx",  /* shorter */
        ID ":5000:2:3:1:6000:1:0:1\r\n1:2:2\r\nxx",     /* longer than is kept */
        "G" ID ":5000:2:3:100:6000:1:0:0\r\n",
        ID ":5000:2:3:100:6000:1:0:00\r\n",
        ID ":5000:2:3:100:6000:1:0:-1\r\n",
    };
    struct sessions sessions;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        sessions_init(&sessions);
        if (session_load(&sessions, span_text(bad[i])))
            fail_msg("'%s' is taken", bad[i]);
        assert_true(sessions.sum == sessions_sum_by_walk(&sessions));
        sessions_close(&sessions);
    }
    static const char good[] = ID ":5000:2:3:100:6000:9:1:2\r\n3:2:4\r\n:1\r\n7:0:0\r\n";
    struct buf text = {0};
    sessions_init(&sessions);
    assert_true(session_load(&sessions, span_text(good)));
    assert_false(session_load(&sessions, span_text(good))); /* the id is taken */
    session_save(&sessions.list[0], &text);
    assert_true(span_equal(buf_span(&text), span_text(good)));
    buf_close(&text);
    sessions_close(&sessions);
}

/* --- entries and requests --- */

static void test_entries_that_no_node_writes_are_invalid(void **state)
{
    (void)state;
    static const struct {
        enum entry_kind kind;
        const char *payload;
    } bad[] = {
        {ENTRY_SESSION, ""},
        {ENTRY_SESSION, "#END:" ID},
        {ENTRY_SESSION, "#END:" ID "\r\n\r\n"},
        {ENTRY_SESSION, "#END:0123\r\n"},
        {ENTRY_SESSION, "#END:0123456789ABCDEF00000000000000ff\r\n"},
        {ENTRY_SESSION, "#BEGIN:5000\r\n"}, /* that is a request */
        {ENTRY_SESSION, "#BEGIN:" ID ":5000:2:3\r\n"},
        {ENTRY_SESSION, "#BEGIN:" ID ":5000:2:3:4:5\r\n"},
        {ENTRY_SESSION, "#BEGIN:" ID ":0:2:3:4\r\n"},
        {ENTRY_SESSION, "#BEGIN:" ID ":604800001:2:3:4\r\n"},
        {ENTRY_SESSION, "#BEGIN:" ID ":5000:65537:3:4\r\n"},
        {ENTRY_SESSION, "#BEGIN:" ID ":5000:2:65537:4\r\n"},
        {ENTRY_SESSION, "#BEGIN:" ID ":5000:2:3:1048577\r\n"},
        {ENTRY_SESSION, "#ANSWERED:" ID "\r\n"},
        {ENTRY_SESSION, "#ANSWERED:" ID ":x\r\n"},
        {ENTRY_SESSION, "#SESSION:" ID ":1:0:2\r\n"},
        {ENTRY_COMMAND, "#SESSION:" ID ":1:0:2\r\n"},
        {ENTRY_COMMAND, "#SESSION:" ID ":0:0:2\r\n" INCR_N},
        {ENTRY_COMMAND, "#SESSION:" ID ":1:0:1\r\n" INCR_N},
        {ENTRY_COMMAND, "#SESSION:" ID ":1:0:4\r\n" INCR_N},
        {ENTRY_COMMAND, "#SESSION:" ID ":1:0\r\n" INCR_N},
        {ENTRY_COMMAND, "#SESSION:" ID ":1:0:2:2\r\n" INCR_N},
        {ENTRY_COMMAND, "#SESSION:" ID ":01:0:2\r\n" INCR_N},
        {ENTRY_COMMAND, "#SESSION:" ID ":1:0:2\n" INCR_N},
        {ENTRY_COMMAND, "#END:" ID "\r\n" INCR_N},
        {ENTRY_COMMAND, "#SESSION:" ID ":1:0:2\r\n#SESSION:" ID ":1:0:2\r\n" INCR_N},
        {ENTRY_COMMAND, "#S"},
        {ENTRY_TRANSACTION, "#SESSION:" ID ":1:0:2\r\n" INCR_N},
        {ENTRY_TRANSACTION, WATCH_N "#SESSION:" ID ":1:0:2\r\n" MULTI INCR_N EXEC},
    };
    struct fixture f;
    open_fixture(&f);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct entry entry = {.kind = bad[i].kind, .payload = span_text(bad[i].payload)};
        if (machine_entry_is_valid(&f.machine, &entry))
            fail_msg("'%s' is taken", bad[i].payload);
    }
    close_fixture(&f);
}

static const char *nothing_refused(void *context, const struct command *command,
                                   const struct span *args, size_t argc, bool in_transaction)
{
    (void)context, (void)command, (void)args, (void)argc, (void)in_transaction;
    return NULL;
}

static const char *rewritten(struct fixture *f, enum entry_kind kind, const char *payload)
{
    const struct machine_judge judge = {
        .refusal = nothing_refused,
        .offer = {
            .id = {1, 2}, .ttl_ms = 8000, .sessions_max = 4, .replies_max = 5, .bytes_max = 6}};
    const char *error;
    f->reply.len = 0;
    const struct machine_request request = {kind, 0, span_text(payload)};
    if (!machine_rewrite(&f->machine, &request, 1000, &judge, &f->reply, &error))
        return NULL;
    if (error)
        return error;
    buf_add(&f->reply, "", 1);
    return f->reply.ptr;
}

static void test_a_session_begins_on_the_leaders_terms(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    static const char usual[] = "#BEGIN:00000000000000010000000000000002:8000:4:5:6\r\n";
    assert_string_equal(rewritten(&f, ENTRY_SESSION, "#BEGIN:0\r\n"), usual);
    assert_string_equal(rewritten(&f, ENTRY_SESSION, "#BEGIN:8000\r\n"), usual);
    assert_string_equal(rewritten(&f, ENTRY_SESSION, "#BEGIN:50\r\n"),
                        "#BEGIN:00000000000000010000000000000002:50:4:5:6\r\n");
    /* What a leader proposed that lost its office. */
    assert_string_equal(rewritten(&f, ENTRY_SESSION, "#BEGIN:" ID ":60:1:1:1\r\n"),
                        "#BEGIN:00000000000000010000000000000002:60:4:5:6\r\n");
    assert_begins(rewritten(&f, ENTRY_SESSION, "#BEGIN:8001\r\n"), "ERR the time to live");
    assert_string_equal(rewritten(&f, ENTRY_SESSION, "#END:" ID "\r\n"), "#END:" ID "\r\n");
    assert_null(rewritten(&f, ENTRY_SESSION, "#END:\r\n"));
    assert_null(rewritten(&f, ENTRY_SESSION, "#SESSION:" ID ":1:0:2\r\n"));
    close_fixture(&f);
}

static void test_a_number_stays_before_what_is_rewritten(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    assert_string_equal(rewritten(&f, ENTRY_COMMAND,
                                  "#SESSION:" ID ":1:0:2\r\n"
                                  "*3\r\n$7\r\nPEXPIRE\r\n$1\r\nk\r\n$3\r\n500\r\n"),
                        "#SESSION:" ID ":1:0:2\r\n"
                        "*3\r\n$9\r\nPEXPIREAT\r\n$1\r\nk\r\n$4\r\n1500\r\n");
    static const char payload[] = "#SESSION:" ID ":7:6:3\r\n" WATCH_N MULTI INCR_N EXEC;
    assert_string_equal(rewritten(&f, ENTRY_TRANSACTION, payload), payload);
    assert_null(rewritten(&f, ENTRY_COMMAND, "#SESSION:" ID ":1:0:9\r\n" INCR_N));
    close_fixture(&f);
}

static void test_a_replay_says_what_was_not_carried_out(void **state)
{
    (void)state;
    static const struct {
        enum entry_kind kind;
        int64_t time_ms;
        const char *payload;
        bool is_repeated;
    } log[] = {
        {ENTRY_SESSION, 1000, "#BEGIN:" ID ":5000:2:3:100\r\n", false},
        {ENTRY_COMMAND, 1000, "#SESSION:" ID ":1:0:2\r\n" INCR_N, false},
        {ENTRY_COMMAND, 1000, "#SESSION:" ID ":1:0:2\r\n" INCR_N, true},
        {ENTRY_TRANSACTION, 1000, "#SESSION:" ID ":2:0:2\r\n" MULTI INCR_N EXEC, false},
        {ENTRY_TRANSACTION, 1000, "#SESSION:" ID ":2:0:2\r\n" MULTI INCR_N EXEC, true},
        {ENTRY_COMMAND, 1000, "#SESSION:" OTHER ":9:0:2\r\n" INCR_N, true},
        {ENTRY_COMMAND, 5999, "#SESSION:" ID ":9:0:2\r\n" INCR_N, false},
        {ENTRY_COMMAND, 10999, "#SESSION:" ID ":10:0:2\r\n" INCR_N, true},
        {ENTRY_COMMAND, 10999, INCR_N, false},
    };
    struct command_table *table = command_table_new();
    struct machine_replay *replay = machine_replay_new(table, 1);
    for (size_t i = 0; i < sizeof log / sizeof *log; i++) {
        char message[512] = "";
        struct entry entry = {.index = i + 1,
                              .term = 1,
                              .kind = log[i].kind,
                              .time_ms = log[i].time_ms,
                              .payload = span_text(log[i].payload)};
        struct buf record = {0};
        struct record parsed;
        entry_encode(&record, &entry);
        assert_int_equal(record_parse(buf_span(&record), &parsed), RECORD_OK);
        if (machine_replay_is_repeated(replay, &parsed.entry) != log[i].is_repeated)
            fail_msg("entry %zu", i + 1);
        if (machine_replay_apply(replay, &parsed.entry, message))
            fail_msg("%s", message);
        buf_close(&record);
    }
    assert_int_equal(machine_replay_sessions(replay)->count, 0);
    machine_replay_free(replay);
    command_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_number_is_carried_out_once),
        cmocka_unit_test(test_an_error_is_a_reply_like_any_other),
        cmocka_unit_test(test_nothing_is_executed_for_a_session_that_is_not_there),
        cmocka_unit_test(test_a_number_that_was_left_out_is_never_carried_out),
        cmocka_unit_test(test_replies_that_the_client_has_are_dropped),
        cmocka_unit_test(test_so_many_replies_are_kept),
        cmocka_unit_test(test_so_many_bytes_are_kept),
        cmocka_unit_test(test_a_session_that_no_entry_names_is_over),
        cmocka_unit_test(test_an_expiry_entry_ends_sessions),
        cmocka_unit_test(test_there_are_so_many_sessions),
        cmocka_unit_test(test_a_reply_is_given_in_the_form_in_which_it_is_kept),
        cmocka_unit_test(test_a_transaction_is_one_number),
        cmocka_unit_test(test_the_replies_of_a_numbered_transaction_are_bounded),
        cmocka_unit_test(test_nodes_agree_whoever_waits_for_the_reply),
        cmocka_unit_test(test_sessions_are_part_of_the_digest),
        cmocka_unit_test(test_a_snapshot_keeps_sessions),
        cmocka_unit_test(test_a_reply_that_was_too_long_stays_so_in_a_snapshot),
        cmocka_unit_test(test_what_is_no_session_is_no_snapshot),
        cmocka_unit_test(test_entries_that_no_node_writes_are_invalid),
        cmocka_unit_test(test_a_session_begins_on_the_leaders_terms),
        cmocka_unit_test(test_a_number_stays_before_what_is_rewritten),
        cmocka_unit_test(test_a_replay_says_what_was_not_carried_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
