/* Commands that Redis 7.0 does not know, as they stand in payloads. */
#include "machine/logged.h"

#include <stdlib.h>

#include "base/mem.h"
#include "machine/internal.h"
#include "machine/transaction.h"
#include "unit/support/test.h"

enum { ARGS_MAX = 64, NOW_MS = 5000 };

static struct command_stand_in behind(struct span *args, size_t argc)
{
    return (struct command_stand_in){.place = STAND_IN_BEHIND, .args = args, .argc = argc};
}

/* What Redis 7.0 takes for annotations ends its lines itself, within its buffer. */
static void assert_lines(struct span payload)
{
    while (payload.len && payload.ptr[0] == '#') {
        const char *end = memchr(payload.ptr, '\n', payload.len);
        assert_non_null(end);
        size_t len = (size_t)(end + 1 - payload.ptr);
        assert_true(len <= LOGGED_LINE_BYTES && end[-1] == '\r');
        for (size_t i = 0; i < len - 2; i++)
            assert_true(payload.ptr[i] >= '!' && payload.ptr[i] <= '~');
        assert_false(len >= 4 && memcmp(payload.ptr, "#TS:", 4) == 0);
        payload = span_of(payload.ptr + len, payload.len - len);
    }
}

static void assert_taken(struct span payload, const struct span *args, size_t argc)
{
    struct logged logged = {0};
    /* Of exact size, so that a sanitizer sees what is read beyond it. */
    char *copy = mem_alloc(payload.len);
    memcpy(copy, payload.ptr, payload.len);
    struct span rest = span_of(copy, payload.len);
    assert_true(logged_take(&logged, &rest));
    assert_int_equal(rest.len, 0);
    assert_int_equal(logged.argc, argc);
    for (size_t i = 0; i < argc; i++)
        assert_true(span_equal(logged.args[i], args[i]));
    logged_close(&logged);
    mem_free(copy);
}

static void assert_survives(const struct span *args, size_t argc, struct span *named, size_t count)
{
    struct buf out = {0};
    const struct command_stand_in stand_in = behind(named, count);
    logged_add(&out, args, argc, &stand_in);
    assert_lines(buf_span(&out));
    assert_taken(buf_span(&out), args, argc);
    buf_close(&out);
}

static void test_arguments_of_every_length_survive(void **state)
{
    (void)state;
    char text[3100];
    memset(text, 'x', sizeof text);
    struct span for_redis[] = {SPAN("PING"), {text, 0}};
    for (size_t len = 0; len <= sizeof text; len += len < 2 * LOGGED_LINE_BYTES + 50 ? 1 : 97) {
        struct span args[] = {SPAN("NEW"), span_of(text, len), SPAN("")};
        assert_survives(args, 3, NULL, 0);
        for_redis[1] = args[1];
        assert_survives(args, 3, for_redis, 2);
    }
}

static void test_every_byte_survives_wherever_a_line_ends(void **state)
{
    (void)state;
    char bytes[1200];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)i;
    for (size_t from = 0; from < 300; from++) {
        struct span args[] = {SPAN("NEW"), span_of(bytes + from, sizeof bytes - from),
                              span_of(bytes + from, 1)};
        assert_survives(args, 3, NULL, 0);
    }
}

static void test_what_redis_gets_as_well_stands_once(void **state)
{
    (void)state;
    struct buf value = {0}, out = {0};
    buf_reserve(&value, 100000);
    memset(value.ptr, '\n', 100000);
    value.len = 100000;
    struct span args[] = {SPAN("NEW"), SPAN("k"), SPAN("x"), SPAN("f"), buf_span(&value)};
    struct span for_redis[] = {SPAN("OLD"), args[1], args[3], args[4]};
    const struct command_stand_in stand_in = behind(for_redis, 4);
    logged_add(&out, args, 5, &stand_in);
    assert_true(out.len < value.len + 100);
    static const char head[] = "#COMMAND:1:NEW:=1:x:=2-3\r\n*4\r\n$3\r\nOLD\r\n";
    assert_memory_equal(out.ptr, head, sizeof head - 1);
    assert_taken(buf_span(&out), args, 5);
    buf_close(&out);
    buf_close(&value);
}

static bool contains(const struct buf *buf, const char *text)
{
    size_t len = strlen(text);
    for (size_t at = 0; at + len <= buf->len; at++)
        if (memcmp(buf->ptr + at, text, len) == 0)
            return true;
    return false;
}

static uint64_t draw(struct prng *prng, uint64_t below)
{
    return prng_next(prng) % below;
}

static void test_any_arguments_survive(void **state)
{
    (void)state;
    struct prng prng;
    char bytes[600];
    prng_init(&prng, 7);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)prng_next(&prng);
    for (unsigned round = 0; round < 20000; round++) {
        struct span args[ARGS_MAX], for_redis[ARGS_MAX];
        size_t argc = 1 + draw(&prng, ARGS_MAX), count = draw(&prng, ARGS_MAX);
        for (size_t i = 0; i < argc; i++) {
            size_t at = draw(&prng, sizeof bytes);
            args[i] = span_of(bytes + at, draw(&prng, draw(&prng, 8) ? 4 : sizeof bytes - at));
            if (args[i].len > sizeof bytes - at)
                args[i].len = 0;
        }
        for (size_t i = 0; i < count; i++)
            for_redis[i] = args[draw(&prng, 4) ? (i + draw(&prng, 3)) % argc : draw(&prng, argc)];
        assert_survives(args, argc, for_redis, count);
    }
}

static void test_a_cut_or_changed_annotation_is_none_or_another(void **state)
{
    (void)state;
    struct buf out = {0};
    struct logged logged = {0};
    char long_text[1500];
    memset(long_text, 'y', sizeof long_text);
    struct span args[] = {SPAN("NEW"), SPAN("k"), span_of(long_text, sizeof long_text),
                          SPAN("\x01\xff")};
    struct span for_redis[] = {SPAN("OLD"), args[1]};
    const struct command_stand_in stand_in = behind(for_redis, 2);
    logged_add(&out, args, 4, &stand_in);
    for (size_t len = 0; len < out.len; len++) {
        char *copy = malloc(len ? len : 1);
        assert_non_null(copy);
        memcpy(copy, out.ptr, len);
        struct span rest = span_of(copy, len);
        assert_false(logged_take(&logged, &rest));
        assert_int_equal(logged.argc, 0);
        free(copy);
    }
    static const char instead[] = {'\0', '\r', '\n', '#', ':', '=', '-', '%', '9', '*', '$'};
    for (size_t at = 0; at < out.len; at++)
        for (size_t i = 0; i < sizeof instead; i++) {
            char *copy = malloc(out.len);
            assert_non_null(copy);
            memcpy(copy, out.ptr, out.len);
            copy[at] = instead[i];
            struct span rest = span_of(copy, out.len);
            if (logged_take(&logged, &rest))
                assert_true(logged.argc > 0 && logged.argc < 10);
            free(copy);
        }
    logged_close(&logged);
    buf_close(&out);
}

#define OLD "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n"

static void test_malformed_annotations_are_found(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "#",
        "#COMMAND",
        "#COMMAND:\r\n" OLD,
        "#COMMAND:1\r\n" OLD,
        "#COMMAND:2:SET:k:v\r\n" OLD,
        "#COMMAND:01:SET:k:v\r\n" OLD,
        "#COMMAND:1:SET:k:v\n" OLD,
        "#COMMAND:1:SET:k:v\r\n",
        "#COMMAND:1:SET:k:v\r\n#NODE:\r\n" OLD,
        "#COMMAND:1:SET:k:v\r\nSET k v\r\n",
        "#COMMAND:1:SET:k:v\r\n*0\r\n",
        "#COMMAND:0:SET:=0:v\r\n",
        "#COMMAND:1:SET:=3:v\r\n" OLD,
        "#COMMAND:1:SET:=:v\r\n" OLD,
        "#COMMAND:1:SET:=1-:v\r\n" OLD,
        "#COMMAND:1:SET:=-1:v\r\n" OLD,
        "#COMMAND:1:SET:=2-1\r\n" OLD,
        "#COMMAND:1:SET:=1-3\r\n" OLD,
        "#COMMAND:1:SET:=1:=1\r\n" OLD,
        "#COMMAND:1:SET:=2:=1\r\n" OLD,
        "#COMMAND:1:=0-2:=0-2\r\n" OLD,
        "#COMMAND:1:SET:=01:v\r\n" OLD,
        "#COMMAND:1:SET:=18446744073709551616:v\r\n" OLD,
        "#COMMAND:1:SET:=1-18446744073709551615\r\n" OLD,
        "#COMMAND:0:SET:k:%\r\n",
        "#COMMAND:0:SET:k:%4\r\n",
        "#COMMAND:0:SET:k:%4G\r\n",
        "#COMMAND:0:SET:k:%4A\r\n",
        "#COMMAND:0:SET:k:a=b\r\n",
        "#COMMAND:0:SET:k:a b\r\n",
        "#COMMAND:0:SET:k:\xc3\xa4\r\n",
        "#command:0:SET:k:v\r\n",
        "#+:0:SET:k:v\r\n",
    };
    struct command_table *table = command_table_new();
    struct machine machine;
    machine_init(&machine, table, 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct entry entry = {.kind = ENTRY_COMMAND, .payload = span_text(bad[i])};
        if (machine_entry_is_valid(&machine, &entry))
            fail_msg("%s", bad[i]);
        struct buf payload = {0};
        buf_add_text(&payload, "*1\r\n$5\r\nMULTI\r\n");
        buf_add_text(&payload, bad[i]);
        buf_add_text(&payload, "*1\r\n$4\r\nEXEC\r\n");
        entry = (struct entry){.kind = ENTRY_TRANSACTION, .payload = buf_span(&payload)};
        assert_false(machine_entry_is_valid(&machine, &entry));
        buf_close(&payload);
    }
    /* Well-formed, but no command that may stand in the log. */
    static const char *const wrong[] = {
        "#COMMAND:0:\r\n",     "#COMMAND:0:NONE:a\r\n",           "#COMMAND:0:SET:k\r\n",
        "#COMMAND:0:PING\r\n", "#COMMAND:1:SET:=1-2\r\n" OLD OLD,
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct entry entry = {.kind = ENTRY_COMMAND, .payload = span_text(wrong[i])};
        assert_false(machine_entry_is_valid(&machine, &entry));
    }
    struct entry good = {.kind = ENTRY_COMMAND,
                         .payload = SPAN("#COMMAND:1:SE\r\n#+T:=1-2\r\n" OLD)};
    assert_true(machine_entry_is_valid(&machine, &good));
    machine_close(&machine);
    command_table_free(table);
}

static void test_a_line_of_more_bytes_than_allowed_is_refused(void **state)
{
    (void)state;
    struct logged logged = {0};
    for (size_t len = LOGGED_LINE_BYTES - 2; len <= LOGGED_LINE_BYTES + 2; len++) {
        struct buf line = {0};
        buf_add_text(&line, "#COMMAND:0:");
        while (line.len < len - 2)
            buf_add_char(&line, 'x');
        buf_add_text(&line, "\r\n");
        struct span rest = buf_span(&line);
        assert_int_equal(logged_take(&logged, &rest), len <= LOGGED_LINE_BYTES);
        buf_close(&line);
    }
    logged_close(&logged);
}

/* --- what each command leaves for Redis --- */

static size_t split(const char *text, struct span *args)
{
    size_t argc = 0;
    while (*text) {
        size_t len = strcspn(text, " ");
        assert_true(argc < ARGS_MAX);
        args[argc++] = len == 2 && memcmp(text, "''", 2) == 0 ? SPAN("") : span_of(text, len);
        text += len + (text[len] != '\0');
    }
    return argc;
}

/* As one line; of a script its beginning. */
static void assert_stand_in(struct command_table *table, const char *line, const char *expected)
{
    enum { SCRIPT_SHOWN = 4 };
    struct span args[ARGS_MAX];
    size_t argc = split(line, args);
    const struct command *command = command_find(table, args, argc);
    struct command_stand_in stand_in = {.argc = 0};
    struct buf text = {0};
    command->stock(args, argc, NOW_MS, &stand_in);
    if (stand_in.place == STAND_IN_NONE)
        buf_add_text(&text, "as it is");
    for (size_t i = 0; i < stand_in.argc; i++) {
        struct span arg = stand_in.args[i];
        if (i == 1 && span_is(stand_in.args[0], "EVAL"))
            arg.len = SCRIPT_SHOWN;
        buf_add_text(&text, i ? " " : "");
        buf_add_span(&text, arg.len ? arg : SPAN("''"));
    }
    if (!span_equal(buf_span(&text), span_text(expected)))
        fail_msg("%s: '%.*s', expected '%s'", line, (int)text.len, text.ptr, expected);
    buf_close(&text);
    command_stand_in_close(&stand_in);
}

static void test_what_redis_gets(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"SET k v", "as it is"},
        {"SET k v NX PXAT 9000 GET", "as it is"},
        {"SET k v IFEQ", "as it is"},
        {"SET k v IFEQ a NX", "as it is"},
        {"SET k v IFEQ a", "EVAL if r 1 k v a"},
        {"SET k v KEEPTTL IFEQ a", "EVAL if r 1 k v a KEEPTTL"},
        {"SET k v PXAT 9000 IFEQ a GET", "EVAL if r 1 k v a PXAT 9000"},
        {"SET k v EXAT 9 IFEQ a", "EVAL if r 1 k v a EXAT 9"},
        {"SET k v IFEQ a PXAT x", ""},
        {"SET k v IFEQ a EX 0", ""},
        {"DELIFEQ k v", "EVAL if r 1 k v"},
        {"MSETEX 2 a 1 b 2", "MSET a 1 b 2"},
        {"MSETEX 2 a 1 b 2 PXAT 9000", "EVAL if A 4 a 1 b 2 '' PXAT 9000"},
        {"MSETEX 1 a 1 NX", "EVAL if A 2 a 1 NX"},
        {"MSETEX 1 a 1 XX KEEPTTL", "EVAL if A 2 a 1 XX KEEPTTL"},
        {"MSETEX 2 a 1", ""},
        {"MSETEX 0 a 1", ""},
        {"MSETEX 1 a 1 PXAT 0", ""},
        {"HEXPIRE h 1 FIELDS 1 f", ""},
        {"HPEXPIREAT h 5001 FIELDS 1 f", ""},
        {"HPEXPIREAT h 5000 FIELDS 2 f g", "HDEL h f g"},
        {"HPEXPIREAT h 5000 LT FIELDS 1 f", "HDEL h f"},
        {"HPEXPIREAT h 5000 NX FIELDS 1 f", "HDEL h f"},
        {"HPEXPIREAT h 5000 XX FIELDS 1 f", "HDEL h f"},
        {"HPEXPIREAT h 5000 GT FIELDS 1 f", ""},
        {"HPEXPIREAT h 5000 FIELDS 2 f", ""},
        {"HPEXPIREAT h 5000 NX LT FIELDS 1 f", ""},
        {"HPEXPIREAT h -1 FIELDS 1 f", ""},
        {"HPEXPIREAT h 5000 f f f", ""},
        {"HPERSIST h FIELDS 1 f", ""},
        {"HGETDEL h FIELDS 2 f g", "HDEL h f g"},
        {"HGETDEL h FIELDS 2 f", ""},
        {"HGETDEL h x FIELDS 1 f", ""},
        {"HGETEX h FIELDS 1 f", ""},
        {"HGETEX h PERSIST FIELDS 1 f", ""},
        {"HGETEX h PXAT 5001 FIELDS 1 f", ""},
        {"HGETEX h PXAT 5000 FIELDS 1 f", "HDEL h f"},
        {"HGETEX h PXAT 0 FIELDS 1 f", "HDEL h f"},
        {"HGETEX h PXAT 5000 NX FIELDS 1 f", ""},
        {"HSETEX h FIELDS 1 f v", "HSET h f v"},
        {"HSETEX h PXAT 5001 FIELDS 2 f v g w", "HSET h f v g w"},
        {"HSETEX h KEEPTTL FIELDS 1 f v", "HSET h f v"},
        {"HSETEX h PXAT 5000 FIELDS 1 f v", "EVAL loca 1 h '' 1 f v"},
        {"HSETEX h NX FIELDS 1 f v", "EVAL loca 1 h n 0 f v"},
        {"HSETEX h XX FNX FIELDS 1 f v", "EVAL loca 1 h xN 0 f v"},
        {"HSETEX h NX FNX FIELDS 1 f v", "EVAL loca 1 h nN 0 f v"},
        {"HSETEX h NX FXX FIELDS 1 f v", "EVAL loca 1 h nX 0 f v"},
        {"HSETEX h XX FXX PXAT 1 FIELDS 1 f v", "EVAL loca 1 h xX 1 f v"},
        {"HSETEX h FNX FIELDS 1 f v", "EVAL loca 1 h N 0 f v"},
        {"HSETEX h FXX FIELDS 1 f v", "EVAL loca 1 h X 0 f v"},
        {"HSETEX h XX FIELDS 1 f v", "EVAL loca 1 h x 0 f v"},
        {"HSETEX h FIELDS 2 f v", ""},
        {"HSETEX h EX FIELDS 1 f v", ""},
        {"XADD x * f v", "XADD x 5000-* f v"},
        {"XADD x NOMKSTREAM MAXLEN ~ 5 * f v", "XADD x NOMKSTREAM MAXLEN ~ 5 5000-* f v"},
        {"XADD x 5-* f v", "as it is"},
        {"XADD x 5-1 * v", "as it is"},
        {"XADD x * f v w", "as it is"},
        {"RESTORE k 0 short", "as it is"},
        {"RESTORE k 0 twelve-bytes", "as it is"},
    };
    struct command_table *table = command_table_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_stand_in(table, cases[i][0], cases[i][1]);
    command_table_free(table);
}

/* --- the machine --- */

static const char *const commands[] = {
    "SET s v",
    "SET s w IFEQ v",
    "HSETEX h PXAT 9000 FIELDS 2 a 1 b 2",
    "HSETEX h FNX FIELDS 2 c 3 d 4",
    "HPEXPIREAT h 5000 FIELDS 1 a",
    "HPEXPIREAT h 8000 FIELDS 2 b d",
    "HPERSIST h FIELDS 1 b",
    "HGETEX h PXAT 8500 FIELDS 1 c",
    "HGETDEL h FIELDS 1 d",
    "MSETEX 2 m 1 n 2 PXAT 9000",
    "DELIFEQ m 1",
    "XADD x * f v",
    "XADD x 7000-3 f v",
    "XADD x * f v",
};
enum { COMMANDS = sizeof commands / sizeof *commands };

struct running {
    struct command_table *table;
    struct machine machine;
    struct buf replies;
};

static void begin(struct running *r)
{
    *r = (struct running){.table = command_table_new()};
    machine_init(&r->machine, r->table, 1);
}

static void end(struct running *r)
{
    machine_close(&r->machine);
    command_table_free(r->table);
    buf_close(&r->replies);
}

static void apply(struct running *r, enum entry_kind kind, struct span payload)
{
    struct buf record = {0};
    struct record parsed;
    struct entry entry = {.index = r->machine.applied_index + 1,
                          .term = 1,
                          .kind = kind,
                          .time_ms = NOW_MS,
                          .payload = payload};
    struct machine_caller caller = {.reply = {.out = &r->replies, .protocol = 3}};
    assert_true(machine_entry_is_valid(&r->machine, &entry));
    entry_encode(&record, &entry);
    assert_int_equal(record_parse(buf_span(&record), &parsed), RECORD_OK);
    machine_apply(&r->machine, &parsed.entry, &caller);
    buf_close(&record);
}

static void add(struct running *r, struct buf *payload, const char *line)
{
    struct span args[ARGS_MAX];
    size_t argc = split(line, args);
    machine_add_command(payload, command_find(r->table, args, argc), args, argc, NOW_MS);
}

static void run_raw(struct running *r)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        struct span args[ARGS_MAX];
        struct buf payload = {0};
        size_t argc = split(commands[i], args);
        resp_encode_command(&payload, args, argc);
        apply(r, ENTRY_COMMAND, buf_span(&payload));
        buf_close(&payload);
    }
}

static void assert_same_data(struct running *a, struct running *b)
{
    assert_true(keyspace_sum(databases_at(a->machine.databases, 0)) ==
                keyspace_sum(databases_at(b->machine.databases, 0)));
    assert_int_equal(keyspace_count(databases_at(a->machine.databases, 0)), 4);
}

static void test_the_machine_runs_what_redis_skips(void **state)
{
    (void)state;
    struct running raw, run;
    begin(&raw);
    begin(&run);
    run_raw(&raw);
    for (size_t i = 0; i < COMMANDS; i++) {
        struct buf payload = {0};
        add(&run, &payload, commands[i]);
        apply(&run, ENTRY_COMMAND, buf_span(&payload));
        buf_close(&payload);
    }
    assert_same_data(&raw, &run);
    assert_true(span_equal(buf_span(&raw.replies), buf_span(&run.replies)));
    end(&raw);
    end(&run);
}

static void test_in_a_transaction_too(void **state)
{
    (void)state;
    struct running raw, run;
    struct buf queued = {0}, payload = {0};
    begin(&raw);
    begin(&run);
    run_raw(&raw);
    for (size_t i = 0; i < COMMANDS; i++) {
        struct span args[ARGS_MAX];
        size_t argc = split(commands[i], args);
        resp_encode_command(&queued, args, argc);
    }
    const struct machine_watch watch = {.key = SPAN("w")};
    const struct machine_transaction transaction = {buf_span(&queued), &watch, 1, 0};
    machine_transaction_encode(&run.machine, &transaction, NOW_MS, &payload);
    assert_true(contains(&payload, "#COMMAND:1:HGETDEL"));
    apply(&run, ENTRY_TRANSACTION, buf_span(&payload));
    assert_same_data(&raw, &run);
    assert_memory_equal(run.replies.ptr, "*14\r\n", 5);
    assert_true(
        span_equal(buf_span(&raw.replies), span_of(run.replies.ptr + 5, run.replies.len - 5)));
    buf_close(&queued);
    buf_close(&payload);
    end(&raw);
    end(&run);
}

static void test_behind_the_number_of_a_session_too(void **state)
{
    (void)state;
    struct running raw, run;
    struct buf begins = {0};
    const struct session_id id = {1, 2};
    const struct session_terms terms = {
        .id = id, .ttl_ms = 10000, .sessions_max = 5, .replies_max = 50, .bytes_max = 5000};
    begin(&raw);
    begin(&run);
    run_raw(&raw);
    session_note_add(&begins, &(struct session_note){.verb = SESSION_BEGIN, .terms = terms});
    apply(&run, ENTRY_SESSION, buf_span(&begins));
    buf_close(&begins);
    run.replies.len = 0;
    for (size_t i = 0; i < COMMANDS; i++) {
        struct buf payload = {0};
        const struct session_number number = {.id = id, .number = i + 1, .answered = 1};
        session_note_add(&payload, &(struct session_note){
                                       .verb = SESSION_NUMBER, .number = number, .protocol = 3});
        add(&run, &payload, commands[i]);
        apply(&run, ENTRY_COMMAND, buf_span(&payload));
        size_t len = run.replies.len;
        apply(&run, ENTRY_COMMAND, buf_span(&payload)); /* a repeat */
        run.replies.len = len;
        buf_close(&payload);
    }
    assert_same_data(&raw, &run);
    assert_true(span_equal(buf_span(&raw.replies), buf_span(&run.replies)));
    end(&raw);
    end(&run);
}

static const char *refuses_nothing(void *context, const struct command *command,
                                   const struct span *args, size_t argc, bool in_transaction)
{
    (void)context;
    (void)in_transaction;
    assert_true(command && command->run && args && argc);
    return NULL;
}

/* An entry of a leader that lost its office comes back as a request. */
static void test_what_was_an_entry_is_made_one_anew(void **state)
{
    (void)state;
    struct running r;
    const struct machine_judge judge = {.refusal = refuses_nothing};
    const char *error;
    begin(&r);
    for (size_t i = 0; i < COMMANDS; i++) {
        struct buf once = {0}, twice = {0};
        add(&r, &once, commands[i]);
        const struct machine_request request = {ENTRY_COMMAND, 0, buf_span(&once)};
        assert_true(machine_rewrite(&r.machine, &request, NOW_MS, &judge, &twice, &error));
        assert_null(error);
        assert_true(span_equal(buf_span(&once), buf_span(&twice)));
        buf_close(&once);
        buf_close(&twice);
    }
    struct buf out = {0};
    const struct machine_request request = {
        ENTRY_COMMAND, 0,
        SPAN("#COMMAND:1:=0-1:*:=3-4\r\n*5\r\n$4\r\nXADD\r\n$1\r\nx\r\n"
             "$6\r\n4000-*\r\n$1\r\nf\r\n$1\r\nv\r\n")};
    assert_true(machine_rewrite(&r.machine, &request, NOW_MS, &judge, &out, &error));
    assert_true(contains(&out, "$6\r\n5000-*\r\n"));
    buf_close(&out);
    end(&r);
}

static void glance(struct span payload, struct span *argument, bool *is_found)
{
    char *copy = mem_alloc(payload.len + 1); /* of exact size but for empty ones */
    if (payload.len)
        memcpy(copy, payload.ptr, payload.len);
    *is_found = logged_first_argument(span_of(copy, payload.len), argument);
    if (*is_found)
        *argument = span_of(payload.ptr + (argument->ptr - copy), argument->len);
    mem_free(copy);
}

static void test_a_glance_finds_the_first_argument(void **state)
{
    (void)state;
    for (size_t len = 0; len < 1200; len += 7) {
        struct buf key = {0}, payload = {0};
        memset(buf_reserve(&key, len + 1), 'k', len);
        key.len = len;
        const struct span args[] = {SPAN("SET"), buf_span(&key), SPAN("v")};
        logged_add(&payload, args, 3, &(struct command_stand_in){.argc = 0});
        struct span argument;
        bool is_found;
        glance(buf_span(&payload), &argument, &is_found);
        assert_int_equal(is_found, len < 1000);
        if (is_found)
            assert_true(span_equal(argument, buf_span(&key)));
        buf_close(&key);
        buf_close(&payload);
    }
}

static void test_a_glance_at_anything_finds_what_is_in_it_or_nothing(void **state)
{
    (void)state;
    const struct span texts[] = {{"", 0},
                                 SPAN("*"),
                                 SPAN("*2"),
                                 SPAN("*2\r\n"),
                                 SPAN("*1\r\n$4\r\nPING\r\n"),
                                 SPAN("*2\r\n$999\r\nGET\r\n$1\r\nk\r\n"),
                                 SPAN("*2\r\n$3\r\nGET\r\n$999\r\nk\r\n"),
                                 SPAN("#COMMAND:1:HSETEX\r\n"),
                                 SPAN("*2\r\n$3\r\nGET\r\n$9999\r\nk\r\n"),
                                 SPAN("*2\n$3\r\nGET\r\n$1\r\nk\r\n"),
                                 SPAN("*2\r\n:3\r\nGET\r\n$1\r\nk\r\n")};
    struct span argument;
    bool is_found;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        glance(texts[i], &argument, &is_found);
        assert_false(is_found);
    }
    const struct span whole = SPAN("*3\r\n$3\r\nSET\r\n$10\r\n0123456789\r\n$1\r\nv\r\n");
    for (size_t len = 0; len <= whole.len; len++) {
        glance(span_of(whole.ptr, len), &argument, &is_found);
        assert_int_equal(is_found, len >= 28);
    }
    unsigned seed = 1;
    for (int i = 0; i < 200000; i++) {
        char bytes[36];
        memcpy(bytes, whole.ptr, sizeof bytes);
        for (int changes = 0; changes < 3; changes++)
            bytes[(size_t)rand_r(&seed) % sizeof bytes] = "*$\r\n0123456789k"[rand_r(&seed) % 15];
        glance(span_of(bytes, (size_t)rand_r(&seed) % (sizeof bytes + 1)), &argument, &is_found);
        if (is_found)
            assert_in_range((uintptr_t)(argument.ptr + argument.len), (uintptr_t)bytes,
                            (uintptr_t)(bytes + sizeof bytes));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arguments_of_every_length_survive),
        cmocka_unit_test(test_every_byte_survives_wherever_a_line_ends),
        cmocka_unit_test(test_what_redis_gets_as_well_stands_once),
        cmocka_unit_test(test_any_arguments_survive),
        cmocka_unit_test(test_a_cut_or_changed_annotation_is_none_or_another),
        cmocka_unit_test(test_malformed_annotations_are_found),
        cmocka_unit_test(test_a_line_of_more_bytes_than_allowed_is_refused),
        cmocka_unit_test(test_what_redis_gets),
        cmocka_unit_test(test_the_machine_runs_what_redis_skips),
        cmocka_unit_test(test_in_a_transaction_too),
        cmocka_unit_test(test_behind_the_number_of_a_session_too),
        cmocka_unit_test(test_what_was_an_entry_is_made_one_anew),
        cmocka_unit_test(test_a_glance_finds_the_first_argument),
        cmocka_unit_test(test_a_glance_at_anything_finds_what_is_in_it_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
