/* Any commands to two machines whose seeds of hash functions and whose rules for values differ, as
 * those of nodes may: replies and digests are equal after each command, and now and then the sums
 * are those that a walk over the data gives. A third machine is loaded from a snapshot of the first
 * now and then, and goes on with the others.
 *
 * Input: a byte for the rules, then commands: two bytes for the command (or for what is not one,
 * see step()), one for the number of arguments, and for each argument a byte that stands for a
 * word, or for the length of a text that follows. */
#include "base/number.h"
#include "keyspace/value.h"
#include "machine/machine.h"
#include "machine/state.h"
#include "machine/transaction.h"
#include "wire/entry.h"

#include "fuzz/fuzz.h"

enum {
    MACHINES = 3,
    COMMANDS_MAX = 100, /* of one input */
    /* A walk looks at all slots, which takes as long as many commands. With FUZZ_TELL, each command
     * is followed by one. */
    STEPS_PER_WALK = 16,
    ARGS_MAX = 16,
    TEXT_MAX = 32,
    /* A value that is longer ends the input; SORT with many GET can make it eight times as long. */
    LONG_VALUE = 4096,
    OFFSET_MAX = 4000, /* of bits and bytes */
    CHOICES_MAX = 400,
    STEP_EXPIRY = 0xffff,
    STEP_TIME = 0xfffe,
    STEP_SNAPSHOT = 0xfffd,
};

/* With FUZZ_TELL in the environment, all that is applied is told. */
static bool verbose;

static const char *const words[] = {
    "a",
    "b",
    "c",
    "",
    "d{a}",
    "0",
    "1",
    "2",
    "3",
    "-1",
    "-2",
    "5",
    "10",
    "100",
    "1000",
    "x",
    "y",
    "z",
    "m1",
    "m2",
    "m3",
    "m4",
    "m5",
    "m6",
    "m7",
    "m8",
    "hello",
    "3.5",
    "-0.5",
    "1e300",
    "inf",
    "-inf",
    "nan",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "2147483648",
    "EX",
    "PX",
    "EXAT",
    "PXAT",
    "NX",
    "XX",
    "GT",
    "LT",
    "CH",
    "INCR",
    "GET",
    "KEEPTTL",
    "PERSIST",
    "REPLACE",
    "ABSTTL",
    "COUNT",
    "MATCH",
    "TYPE",
    "LIMIT",
    "WITHSCORES",
    "WITHSCORE",
    "WITHVALUES",
    "BYSCORE",
    "BYLEX",
    "REV",
    "[a",
    "(m3",
    "-",
    "+",
    "(1",
    "WEIGHTS",
    "AGGREGATE",
    "SUM",
    "MIN",
    "MAX",
    "LEFT",
    "RIGHT",
    "BEFORE",
    "AFTER",
    "RANK",
    "MAXLEN",
    "BY",
    "nosort",
    "*",
    "m*",
    "#",
    "ALPHA",
    "ASC",
    "DESC",
    "STORE",
    "STOREDIST",
    "FROMMEMBER",
    "FROMLONLAT",
    "BYRADIUS",
    "BYBOX",
    "km",
    "m",
    "ANY",
    "WITHDIST",
    "WITHCOORD",
    "WITHHASH",
    "13.361389",
    "38.115556",
    "15.087269",
    "37.502669",
    "FIELDS",
    "FNX",
    "FXX",
    "AND",
    "OR",
    "XOR",
    "NOT",
    "SET",
    "INCRBY",
    "OVERFLOW",
    "WRAP",
    "SAT",
    "FAIL",
    "u8",
    "i5",
    "i64",
    "#1",
    "BIT",
    "BYTE",
    "MINID",
    "~",
    "=",
    "NOMKSTREAM",
    "GROUP",
    "g",
    "h",
    "alice",
    "bob",
    "STREAMS",
    ">",
    "$",
    "1-1",
    "2-1",
    "2-*",
    "3-3",
    "9-9",
    "MKSTREAM",
    "ENTRIESREAD",
    "NOACK",
    "JUSTID",
    "FORCE",
    "IDLE",
    "TIME",
    "RETRYCOUNT",
    "LASTID",
    "FULL",
    "IDX",
    "LEN",
    "MINMATCHLEN",
    "WITHMATCHLEN",
    "ENTRIESADDED",
    "MAXDELETEDID",
    "IFEQ",
    "4102444800",
    "4102444800000",
    "4096",
    "100000",
    "-70000",
    "007",
};
enum { WORDS = sizeof words / sizeof *words, TEXT_FROM = 256 - TEXT_MAX };
_Static_assert(WORDS <= TEXT_FROM, "a byte stands for a word or for a length");

static const struct value_rules all_rules[] = {
    {.hash_packed_entries = 512,
     .hash_packed_value = 64,
     .set_intset_entries = 512,
     .set_packed_entries = 128,
     .set_packed_value = 64,
     .zset_packed_entries = 128,
     .zset_packed_value = 64,
     .list_packed_size = -2,
     .stream_node_bytes = 4096,
     .stream_node_entries = 100},
    {.hash_packed_entries = 0,
     .set_intset_entries = 0,
     .zset_packed_entries = 0,
     .list_packed_size = 1,
     .stream_node_entries = 1},
    {.hash_packed_entries = 3,
     .hash_packed_value = 4,
     .set_intset_entries = 2,
     .set_packed_entries = 4,
     .set_packed_value = 3,
     .zset_packed_entries = 3,
     .zset_packed_value = 4,
     .list_packed_size = 3,
     .stream_node_bytes = 60,
     .stream_node_entries = 3},
    {.hash_packed_entries = 100000,
     .hash_packed_value = 100000,
     .set_intset_entries = 100000,
     .set_packed_entries = 100000,
     .set_packed_value = 100000,
     .zset_packed_entries = 100000,
     .zset_packed_value = 100000,
     .list_packed_size = -5},
};
enum { RULES = sizeof all_rules / sizeof *all_rules };

/* The commands that an entry may hold and whose reply does not tell the form. Scans of values do: a
 * packed one is answered at once. */
static struct {
    struct command_table *table;
    const struct command *commands[CHOICES_MAX];
    size_t count;
} choices;

static bool tells_form(const struct command *command)
{
    static const char *const names[] = {"object",     "memory", "dump",  "xinfo|stream", "pfdebug",
                                        "pfselftest", "debug",  "sscan", "hscan",        "zscan"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(command->fullname, names[i]) == 0 ||
            (command->parent && strcmp(command->parent->name, names[i]) == 0))
            return true;
    return false;
}

static void make_choices(void)
{
    if (choices.table)
        return;
    choices.table = command_table_new();
    for (size_t i = 0; i < command_table_count(choices.table); i++) {
        const struct command *command = command_table_at(choices.table, i);
        bool on_data = command->flags & (COMMAND_WRITE | COMMAND_READONLY);
        if (!command->run || !on_data || tells_form(command))
            continue;
        ASSERT(choices.count < CHOICES_MAX);
        choices.commands[choices.count++] = command;
    }
}

struct side {
    struct machine machine;
    struct buf reply;
    bool is_running;
};

struct run {
    struct side sides[MACHINES];
    int64_t now_ms;
    uint64_t steps;
    const struct value_rules *third_rules;
    struct prng prng;
};

enum { DATABASES_USED = 3 };

static void tell_replies(const struct run *run)
{
    for (size_t i = 0; i < MACHINES && run->sides[i].is_running; i++)
        fprintf(stderr, "machine %zu:\n%.*s\n", i, (int)run->sides[i].reply.len,
                run->sides[i].reply.ptr);
}

static void expect_same_data(const struct run *run)
{
    uint64_t digest = databases_digest(run->sides[0].machine.databases);
    for (size_t i = 0; i < MACHINES && run->sides[i].is_running; i++) {
        const struct databases *databases = run->sides[i].machine.databases;
        ASSERT(databases_sum(databases) == databases_sum_by_walk(databases));
        ASSERT(databases_digest(databases) == digest);
    }
}

static void expect_same(const struct run *run)
{
    const struct side *first = &run->sides[0];
    for (size_t i = 1; i < MACHINES && run->sides[i].is_running; i++) {
        const struct side *side = &run->sides[i];
        const struct machine_digest one = machine_digest(&first->machine);
        const struct machine_digest other = machine_digest(&side->machine);
        bool is_same = span_equal(buf_span(&first->reply), buf_span(&side->reply));
        if (!is_same)
            tell_replies(run);
        ASSERT(is_same);
        ASSERT(machine_digest_equal(&one, &other));
    }
    if (verbose || run->steps % STEPS_PER_WALK == 0)
        expect_same_data(run);
}

static void apply(struct run *run, struct entry *entry, int protocol)
{
    struct buf record = {0};
    struct record parsed;
    entry->index = ++run->steps;
    entry->term = 1;
    entry->time_ms = run->now_ms;
    entry_encode(&record, entry);
    ASSERT(record_parse(buf_span(&record), &parsed) == RECORD_OK);
    for (size_t i = 0; i < MACHINES && run->sides[i].is_running; i++) {
        struct side *side = &run->sides[i];
        struct machine_caller caller = {.reply = {.out = &side->reply, .protocol = protocol}};
        side->reply.len = 0;
        ASSERT(machine_entry_is_valid(&side->machine, &parsed.entry));
        machine_apply(&side->machine, &parsed.entry, &caller);
        databases_free_cleared(side->machine.databases, SIZE_MAX);
    }
    if (verbose)
        fprintf(stderr, "%.*s", (int)entry->payload.len, entry->payload.ptr);
    buf_close(&record);
    expect_same(run);
}

/* A read at one machine alone changes nothing there; the next comparison tells. */
static void read_at_first(struct run *run, const struct command *command, const struct span *args,
                          size_t argc, unsigned database)
{
    struct side *first = &run->sides[0];
    struct prng prng;
    prng_init(&prng, run->steps);
    struct machine_caller caller = {.reply = {.out = &first->reply, .protocol = 2}};
    const struct machine_view view = {.now_ms = run->now_ms, .prng = &prng, .database = database};
    machine_read(&first->machine, command, args, argc, &view, &caller);
}

/* The third machine becomes what a snapshot of the first holds. */
static void take_snapshot(struct run *run)
{
    struct machine *first = &run->sides[0].machine;
    struct side *third = &run->sides[2];
    struct machine_position position = {.index = first->applied_index,
                                        .term = 1,
                                        .clock_ms = first->clock_ms,
                                        .chain = first->chain,
                                        .chain_from = first->chain_from};
    struct machine_writer writer;
    struct buf file = {0};
    char message[512];
    raft_membership_set(&position.membership, 1, RAFT_VOTER);
    machine_writer_init(&writer, first->databases, &first->sessions, &position);
    while (machine_writer_next(&writer, &file))
        continue;
    machine_writer_close(&writer);
    struct machine_reader *reader = machine_reader_new(333, run->third_rules);
    ASSERT(machine_reader_feed(reader, buf_span(&file), message) == ERR_NONE);
    ASSERT(machine_reader_finish(reader, position.index, 1, message) == ERR_NONE);
    databases_free(machine_take_state(&third->machine, reader));
    machine_reader_free(reader);
    databases_set_rules(third->machine.databases, run->third_rules);
    third->reply.len = 0;
    buf_add_span(&third->reply, buf_span(&run->sides[0].reply));
    third->is_running = true;
    buf_close(&file);
    expect_same(run);
    expect_same_data(run);
}

/* No command of an input makes a value that is much longer than the input. */
static bool is_bounded(const struct command *command, const struct span *args, size_t argc)
{
    static const char *const names[] = {"setbit", "setrange", "bitfield"};
    bool is_one = false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        is_one = is_one || strcmp(command->name, names[i]) == 0;
    for (size_t i = 2; i < argc && is_one; i++) {
        struct span text = args[i];
        int64_t number;
        if (text.len && text.ptr[0] == '#')
            text = span_of(text.ptr + 1, text.len - 1);
        if (number_parse_i64(text, &number) && number > OFFSET_MAX && number < UINT32_MAX)
            return false;
    }
    return true;
}

static const char *no_refusal(void *context, const struct command *command, const struct span *args,
                              size_t argc, bool in_transaction)
{
    (void)context, (void)command, (void)args, (void)argc, (void)in_transaction;
    return NULL;
}

static void run_command(struct run *run, const struct command *command, const struct span *args,
                        size_t argc)
{
    const struct machine_judge judge = {.refusal = no_refusal};
    struct entry entry = {.kind = ENTRY_COMMAND,
                          .database = (unsigned)prng_below(&run->prng, DATABASES_USED),
                          .seed = prng_next(&run->prng)};
    struct buf payload = {0};
    struct buf absolute = {0};
    const char *error = NULL;
    if (!command_arity_is_valid(command, argc) || !is_bounded(command, args, argc))
        return;
    if (!command_writes(command, args, argc))
        read_at_first(run, command, args, argc, entry.database);
    buf_printf(&payload, "*%zu\r\n", argc);
    for (size_t i = 0; i < argc; i++) {
        buf_printf(&payload, "$%zu\r\n", args[i].len);
        buf_add_span(&payload, args[i]);
        buf_add_text(&payload, "\r\n");
    }
    entry.payload = buf_span(&payload);
    if (command->flags & COMMAND_WRITE) {
        const struct machine_request request = {ENTRY_COMMAND, entry.database, entry.payload};
        bool is_sent = machine_rewrite(&run->sides[0].machine, &request, run->now_ms, &judge,
                                       &absolute, &error);
        ASSERT(is_sent && !error);
        entry.payload = buf_span(&absolute);
    }
    apply(run, &entry, run->steps % 2 ? 2 : 3);
    buf_close(&absolute);
    buf_close(&payload);
}

static size_t read_args(struct input *input, const struct command *command, struct span *args)
{
    size_t argc = 0;
    if (command->parent)
        args[argc++] = span_text(command->parent->name);
    args[argc++] = span_text(command->name);
    for (size_t more = input_byte(input) % ARGS_MAX; more > 0; more--) {
        size_t byte = input_byte(input);
        if (byte >= TEXT_FROM) {
            struct input text = input_part(input, byte - TEXT_FROM + 1);
            args[argc++] = span_of((const char *)text.bytes, text.left);
        } else {
            args[argc++] = span_text(words[byte % WORDS]);
        }
    }
    return argc;
}

static void step(struct run *run, struct input *input)
{
    unsigned what = input_two(input);
    struct span args[ARGS_MAX + 2];
    struct entry expiry = {.kind = ENTRY_EXPIRY, .seed = 100};
    switch (what) {
    case STEP_EXPIRY:
        apply(run, &expiry, 2);
        return;
    case STEP_TIME:
        run->now_ms += (int64_t)input_two(input) * 100;
        return;
    case STEP_SNAPSHOT:
        take_snapshot(run);
        return;
    default:
        break;
    }
    const struct command *command = choices.commands[what % choices.count];
    size_t argc = read_args(input, command, args);
    run_command(run, command, args, argc);
}

static size_t longest(struct databases *databases)
{
    size_t most = 0;
    for (unsigned i = 0; i < DATABASES_USED; i++) {
        size_t one = keyspace_longest(databases_at(databases, i));
        most = one > most ? one : most;
    }
    return most;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct input input = {bytes, len};
    struct run run = {.now_ms = 1000000};
    make_choices();
    verbose = getenv("FUZZ_TELL") != NULL;
    prng_init(&run.prng, 7);
    unsigned rules = input_byte(&input);
    for (size_t i = 0; i < MACHINES; i++) {
        machine_init(&run.sides[i].machine, choices.table, 111 * i + 1);
        databases_set_rules(run.sides[i].machine.databases, &all_rules[(rules >> (2 * i)) % RULES]);
        run.sides[i].is_running = i < 2;
    }
    run.third_rules = &all_rules[(rules >> 4) % RULES];
    for (size_t i = 0; i < COMMANDS_MAX && input.left >= 2; i++) {
        step(&run, &input);
        if (longest(run.sides[0].machine.databases) > LONG_VALUE)
            break;
    }
    take_snapshot(&run);
    for (size_t i = 0; i < MACHINES; i++) {
        machine_close(&run.sides[i].machine);
        buf_close(&run.sides[i].reply);
    }
    return 0;
}

/* ---- inputs to begin with ---- */

static void add_two(struct buf *input, unsigned number)
{
    buf_add_char(input, (char)(number >> 8));
    buf_add_char(input, (char)number);
}

static void add_word(struct buf *input, struct span word)
{
    for (size_t i = 0; i < WORDS; i++) {
        if (span_equal(word, span_text(words[i]))) {
            buf_add_char(input, (char)i);
            return;
        }
    }
    ASSERT(word.len > 0 && word.len <= TEXT_MAX);
    buf_add_char(input, (char)(TEXT_FROM + word.len - 1));
    buf_add_span(input, word);
}

static void add_command(struct buf *input, const struct span *args, size_t argc)
{
    const struct command *command = command_find(choices.table, args, argc);
    size_t first = command && command->parent ? 2 : 1;
    for (size_t i = 0; i < choices.count; i++) {
        if (choices.commands[i] != command)
            continue;
        add_two(input, (unsigned)i);
        buf_add_char(input, (char)(argc - first));
        for (size_t arg = first; arg < argc; arg++)
            add_word(input, args[arg]);
        return;
    }
    ASSERT(span_equal(args[0], SPAN("snapshot")));
    add_two(input, STEP_SNAPSHOT);
}

/* Commands between ';', words between blanks. */
static void seed_commands(unsigned rules, const char *text)
{
    struct buf input = {0};
    buf_add_char(&input, (char)rules);
    while (*text) {
        struct span args[ARGS_MAX];
        size_t argc = 0;
        for (;;) {
            size_t word = strcspn(text, " ;");
            ASSERT(argc < ARGS_MAX);
            args[argc++] = span_of(text, word);
            text += word;
            if (*text != ' ')
                break;
            text++;
        }
        text += *text == ';';
        add_command(&input, args, argc);
    }
    seed_put(buf_span(&input));
    buf_close(&input);
}

static void seeds(void)
{
    static const char *const texts[] = {
        "SET a 1;INCR a;APPEND a hello;SETRANGE a 5 x;GETRANGE a 0 -1;SETBIT b 7 1;BITCOUNT "
        "b;BITOP OR c a b;snapshot;"
        "BITFIELD a SET u8 0 5 INCRBY i5 #1 3 GET u8 1;GETEX a EX 100;LCS a b IDX;INCRBYFLOAT d{a} "
        "3.5;SET a x EX 1 NX",
        "HSET a m1 1 m2 2 m3 x;HDEL a m1;HSET a m4 hello m5 z;HINCRBY a m2 5;HRANDFIELD a 2 "
        "WITHVALUES;snapshot;"
        "HGETALL a;HEXPIRE a 10 FIELDS 1 m3;HTTL a FIELDS 1 m3;HGETDEL a FIELDS 1 "
        "m2;HINCRBYFLOAT a m6 3.5",
        "RPUSH a m1 m2 m3 5 -1 hello;LPUSH a x y z;LINSERT a BEFORE m2 100;LREM a 0 5;LSET a 1 "
        "m8;LRANGE a 0 -1;snapshot;"
        "LMOVE a b LEFT RIGHT;LPOP a 2;LTRIM a 1 -2;LPOS a m3 COUNT 0;LMPOP 2 c a RIGHT COUNT "
        "2;SORT a ALPHA STORE c",
        "SADD a 1 2 3 -1 100000;SADD b 1 m1 m2 m3;SINTER a b;SUNIONSTORE c a b;SPOP c;SRANDMEMBER "
        "c -2;SREM a 1;snapshot;"
        "SMOVE a b 2;SDIFF c a;SMEMBERS b;SINTERCARD 2 a b;SADD a x;SPOP a 2;SORT a BY "
        "nosort",
        "ZADD a 1 m1 2 m2 3.5 m3 inf m4;ZADD a GT CH 5 m1;ZINCRBY a -0.5 m2;ZRANGE a 0 -1 "
        "WITHSCORES;ZRANK a m3;snapshot;"
        "ZADD b 1 m1 1 m5 1 x;ZRANGE b [a + BYLEX;ZUNIONSTORE c 2 a b WEIGHTS 2 3;ZPOPMIN c "
        "2;ZREMRANGEBYSCORE a 1 (1;"
        "ZRANDMEMBER a -2;ZMPOP 2 c a MAX;ZREMRANGEBYRANK b 0 1;ZINTER 2 a b AGGREGATE MAX",
        "XADD a 1-1 x y;XADD a 2-* x z;XADD a 3-3 m1 hello m2 z;XGROUP CREATE a g 0;XREADGROUP "
        "GROUP g alice COUNT 2 STREAMS a >;"
        "XACK a g 1-1;XCLAIM a g bob 0 2-1 JUSTID;snapshot;XDEL a 2-1;XTRIM a MAXLEN 1;XRANGE a - "
        "+;XPENDING a g - + 10;"
        "XAUTOCLAIM a g bob 0 0;XGROUP DELCONSUMER a g alice;XADD a 9-9 x y;XSETID a 100;XREAD "
        "COUNT 5 STREAMS a 0",
        "PFADD a x y z;PFADD b m1 m2 m3;PFCOUNT a b;PFMERGE c a b;snapshot;PFADD c hello;PFCOUNT "
        "c;GET c",
        "GEOADD a 13.361389 38.115556 m1 15.087269 37.502669 m2;GEODIST a m1 m2 km;GEOPOS a "
        "m1;GEOHASH a m2;snapshot;"
        "GEOSEARCH a FROMMEMBER m1 BYRADIUS 1000 km ASC WITHDIST;GEOSEARCHSTORE b a FROMMEMBER m1 "
        "BYBOX 1000 1000 km;ZRANGE b 0 -1",
        "SET a 1;COPY a b;RENAME b c;EXPIRE c 100;PERSIST c;KEYS *;SCAN "
        "0;RANDOMKEY;snapshot;PEXPIREAT a 1;EXISTS a c;"
        "HSET a m1 1;DEL a c;FLUSHALL;RPUSH a 3 1 2;SORT a BY * GET # LIMIT 0 2;TYPE a;UNLINK a",
    };
    make_choices();
    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
        seed_commands(0x24, texts[i]); /* few packed, all as by default, some packed */
        seed_commands(0x2d, texts[i]);
    }
}
