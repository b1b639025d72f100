/* A whole node among liars: nodes 2 and 3 know the secret and say what they like, in messages that
 * are often nearly right. The node takes or refuses each; a refused one changes nothing. Whatever
 * came: no assertion fails, memory stays within bounds, and the folder opens again, at any moment.
 *
 * Input: one byte of flags, then a program: one byte for each step, with what it needs behind it.
 */
#include "base/mem.h"
#include "base/number.h"
#include "cluster/founding.h"
#include "fuzz/peer_node_entries.h"
#include "unit/shard/fixture.h"
#include "wire/digest.h"
#include "wire/handover.h"

#include "fuzz/fuzz.h"

enum {
    FLAG_DIGESTS = 1,
    FLAG_SNAPSHOTS = 2,
    FLAG_LEASE = 4,
    VOTERS = 3,
    ENTRIES_PER_APPEND = 4,
    FILES_PER_START = FILES_MAX - 40,
    HANDLES_PER_START = HANDLES_MAX - 60,
    QUEUED_MOST = QUEUE_MAX - 200,
    MEMORY_BASE = 48 << 20,
    MEMORY_PER_BYTE = 16 << 10,
};

/* What the nodes lie with, and to whom. */
static struct run {
    struct input input;
    struct fixture fixture;
    uint64_t from; /* of the next message */
    /* A snapshot that is being sent. */
    struct buf image;
    struct raft_snapshot image_of;
    uint64_t image_at;
    struct founding founding;
    struct cluster_identity identity; /* as it is on the disk */
} run;

static const struct raft *core(void)
{
    return shard_raft(run.fixture.shard);
}

/* ---- numbers ---- */

/* Mostly what a member would say. */
static uint64_t number(uint64_t plausible)
{
    static const uint64_t odd[] = {0,
                                   1,
                                   2,
                                   UINT64_MAX,
                                   UINT64_MAX - 1,
                                   INT64_MAX,
                                   UINT64_C(1) << 62,
                                   UINT64_C(1) << 32,
                                   RAFT_TIME_MS_MAX};
    uint8_t choice = input_byte(&run.input);
    if (choice < 176)
        return plausible;
    if (choice < 208)
        return plausible + choice - 191;
    if (choice < 216)
        return plausible + input_two(&run.input);
    if (choice < 224)
        return input_two(&run.input);
    if (choice < 228)
        return plausible + (UINT64_C(1) << (32 + choice % 4 * 8));
    return odd[choice % (sizeof odd / sizeof *odd)];
}

/* False where the input has ended. */
static bool chance(uint8_t of_256)
{
    return input_byte(&run.input) >= 256 - of_256;
}

/* The node's own term or the next one. */
static uint64_t term(void)
{
    uint64_t own = raft_term(core());
    return number(own + (own == 0 || chance(96)));
}

/* ---- the node ---- */

static void start(void)
{
    char message[512];
    if (fixture_start(&run.fixture, VOTERS, message)) {
        fprintf(stderr, "%s\n", message);
        FATAL("the folder does not open any more");
    }
}

static void forget_removed_files(struct fake *fake)
{
    size_t kept = 0;
    for (size_t i = 0; i < fake->file_count; i++) {
        if (fake->files[i].path[0] == '\0') {
            buf_close(&fake->files[i].bytes);
            continue;
        }
        if (kept != i)
            fake->files[kept] = fake->files[i];
        kept++;
    }
    memset(&fake->files[kept], 0, (fake->file_count - kept) * sizeof *fake->files);
    fake->file_count = kept;
}

/* The process ends with what the disk has carried out. */
static void restart(void)
{
    fixture_end(&run.fixture);
    forget_removed_files(&run.fixture.node.fake);
    run.fixture.contradicted = 0;
    start();
}

static void settle(void)
{
    struct fake *fake = &run.fixture.node.fake;
    if (run.fixture.voids) {
        run.fixture.voids = 0;
        shard_set_incarnation(run.fixture.shard, ++run.fixture.incarnation, run.fixture.now);
    }
    if (run.fixture.contradicted || fake->file_count > FILES_PER_START ||
        fake->handle_count > HANDLES_PER_START)
        restart();
    else if (fake->queued_count > QUEUED_MOST)
        fixture_turn(&run.fixture);
    run.fixture.answered.len = 0;
    run.fixture.sent_digests.len = 0;
    run.fixture.sent_forwards.len = 0;
}

/* ---- messages ---- */

enum { ARGUMENTS_MAX = 24 };

struct said {
    struct span args[ARGUMENTS_MAX];
    size_t argc;
    char number[NUMBER_I64_CHARS];
};

/* One argument is another number or other bytes, or there is one less or more. */
static void bend(struct said *said)
{
    uint8_t how = input_byte(&run.input);
    size_t at = input_byte(&run.input) % said->argc;
    if (how < 16) {
        said->argc--;
    } else if (how < 24) {
        said->args[said->argc++] = SPAN("1");
    } else if (how < 128) {
        uint64_t value = number(raft_last_index(core()));
        said->args[at] = span_of(said->number, number_format_u64(said->number, value));
    } else {
        struct input text = input_part(&run.input, how % 32U);
        said->args[at] = span_of((const char *)text.bytes, text.left);
    }
}

/* A message that is refused changes nothing. */
static void hear(const struct said *said)
{
    const struct raft *raft = core();
    uint64_t before[] = {raft_term(raft),      raft_vote(raft),         raft_last_index(raft),
                         raft_last_term(raft), raft_commit_index(raft), raft_leader(raft)};
    struct shard_peer peer = {run.from, number(1), (uint32_t)number(WIRE_VERSION)};
    enum err err = shard_message(run.fixture.shard, &peer, said->args, said->argc, run.fixture.now);
    if (err == ERR_NONE)
        return;
    ASSERT(err == ERR_INVALID || err == ERR_CORRUPT || err == ERR_FOREIGN);
    ASSERT(shard_refusal(run.fixture.shard));
    uint64_t after[] = {raft_term(raft),      raft_vote(raft),         raft_last_index(raft),
                        raft_last_term(raft), raft_commit_index(raft), raft_leader(raft)};
    ASSERT(memcmp(before, after, sizeof before) == 0);
}

/* The encoded message, as it comes from a connection: nothing may be read behind its end. */
static void say_bytes(struct buf *bytes, void (*to)(const struct said *said))
{
    static const struct resp_limits limits = {.bulk_len_max = INT64_MAX, .authenticated = true};
    char *exact = mem_alloc(bytes->len);
    memcpy(exact, bytes->ptr, bytes->len);
    struct resp_parser parser = {0};
    ASSERT(resp_parse(&parser, span_of(exact, bytes->len), &limits) == RESP_COMMAND);
    struct said said = {.argc = parser.argc};
    ASSERT(parser.argc < ARGUMENTS_MAX);
    memcpy(said.args, parser.args, parser.argc * sizeof *said.args);
    if (chance(40))
        bend(&said);
    to(&said);
    resp_parser_close(&parser);
    mem_free(exact);
    buf_close(bytes);
}

static void say(struct raft_message *message, struct span tail)
{
    struct buf bytes = {0};
    message->from = run.from;
    message->to = 1;
    wire_encode_message(&bytes, span_text(run.fixture.cluster.cluster_id), 0, message, tail);
    say_bytes(&bytes, hear);
}

static void put_entry(struct buf *records, uint64_t index, uint64_t entry_term)
{
    struct buf payload = {0};
    struct entry entry = {.index = number(index), .term = entry_term, .seed = number(7)};
    entry.kind = entries_put(&run.input, run.fixture.table, &payload);
    entry.time_ms = (int64_t)number((uint64_t)run.fixture.now.wall_ms);
    if (chance(24))
        entry.term = number(entry_term);
    if (chance(64) && (entry.kind == ENTRY_COMMAND || entry.kind == ENTRY_TRANSACTION))
        entry.origin = (struct entry_origin){number(1), number(run.fixture.life), number(1)};
    entry.payload = buf_span(&payload);
    entry_encode(records, &entry);
    buf_close(&payload);
}

static void say_append(void)
{
    struct raft_message message = {.type = RAFT_APPEND_REQUEST, .term = term()};
    uint64_t last = raft_last_index(core());
    uint64_t prev = chance(64) ? raft_commit_index(core()) : last;
    prev = message.append_request.prev_index = number(prev);
    message.append_request.prev_term = number(raft_term_of(core(), prev));
    uint64_t count = chance(48) ? 0 : 1 + input_byte(&run.input) % ENTRIES_PER_APPEND;
    message.append_request.entry_count = number(count);
    message.append_request.commit = number(chance(96) ? raft_commit_index(core()) : prev + count);
    message.append_request.read_context = number(1);
    message.append_request.sent_ms = number(run.fixture.now.mono_ms);
    message.append_request.to_incarnation = number(run.fixture.incarnation);
    message.append_request.acknowledged = number(raft_commit_index(core()));
    message.append_request.time_ms = number((uint64_t)run.fixture.now.wall_ms);
    struct buf records = {0};
    buf_add_text(&records, "");
    for (uint64_t i = 0; i < count; i++)
        put_entry(&records, prev + 1 + i, message.term);
    say(&message, buf_span(&records));
    buf_close(&records);
}

static void say_appended(void)
{
    struct raft_message message = {.type = RAFT_APPEND_RESPONSE, .term = number(raft_term(core()))};
    uint64_t last = raft_last_index(core());
    message.append_response.success = !chance(64);
    message.append_response.match = number(message.append_response.success ? last : 0);
    message.append_response.hint_index = number(last);
    message.append_response.hint_term = number(raft_last_term(core()));
    message.append_response.rejected_prev = number(message.append_response.success ? 0 : last);
    message.append_response.read_context = number(run.fixture.round);
    message.append_response.sent_ms = number(run.fixture.now.mono_ms);
    message.append_response.no_room = chance(16);
    message.append_response.wall_ms = number((uint64_t)run.fixture.now.wall_ms);
    say(&message, SPAN(""));
}

static void say_vote(void)
{
    struct raft_message message = {.type = RAFT_VOTE_REQUEST, .term = term()};
    message.vote_request.pre = chance(128);
    message.vote_request.transfer = chance(32);
    message.vote_request.last_index = number(raft_last_index(core()));
    message.vote_request.last_term = number(raft_last_term(core()));
    say(&message, SPAN(""));
}

static void say_voted(void)
{
    bool pre = raft_role(core()) == RAFT_PRECANDIDATE;
    struct raft_message message = {.type = RAFT_VOTE_RESPONSE,
                                   .term = number(raft_term(core()) + pre)};
    message.vote_response.pre = chance(16) ? !pre : pre;
    message.vote_response.granted = !chance(32);
    message.vote_response.last_index = number(raft_last_index(core()));
    message.vote_response.to_incarnation = number(raft_incarnation(core()));
    message.vote_response.witnessed = number(raft_last_index(core()));
    message.vote_response.wall_ms = number((uint64_t)run.fixture.now.wall_ms);
    message.vote_response.time_ms = number((uint64_t)run.fixture.now.wall_ms);
    message.vote_response.heard_ago_ms = number(1);
    message.vote_response.heard_term = number(1);
    say(&message, SPAN(""));
}

static void say_timeout_now(void)
{
    struct raft_message message = {.type = RAFT_TIMEOUT_NOW, .term = term()};
    say(&message, SPAN(""));
}

/* ---- snapshots ---- */

static void begin_image(void)
{
    run.image_of.index = number(raft_last_index(core()) + 1 + input_byte(&run.input) % 8U);
    run.image_of.term = number(raft_term(core()) ? raft_term(core()) : 1);
    run.image_at = 0;
    run.image.len = 0;
    entries_put_image(&run.input, run.fixture.table, &run.image_of, &run.image);
    run.image_of.bytes = run.image.len;
    if (chance(32))
        run.image.ptr[input_two(&run.input) % run.image.len] ^= (char)(1 + input_byte(&run.input));
}

static void say_chunk(uint64_t bytes)
{
    struct raft_message message = {.type = RAFT_SNAPSHOT_REQUEST};
    message.term = number(raft_term(core()) ? raft_term(core()) : 1);
    if (run.image_of.bytes == 0 || run.image_at >= run.image_of.bytes)
        begin_image();
    uint64_t offset = run.image_at;
    uint64_t left = run.image_of.bytes - offset;
    message.snapshot_request.index = number(run.image_of.index);
    message.snapshot_request.term = number(run.image_of.term);
    message.snapshot_request.offset = number(offset);
    message.snapshot_request.total = number(run.image_of.bytes);
    message.snapshot_request.bytes = bytes < left ? bytes : left;
    run.image_at += message.snapshot_request.bytes;
    say(&message, span_of(run.image.ptr + offset, message.snapshot_request.bytes));
}

static void say_received(void)
{
    struct raft_message message = {.type = RAFT_SNAPSHOT_RESPONSE,
                                   .term = number(raft_term(core()))};
    struct raft_snapshot snapshot = raft_snapshot(core());
    message.snapshot_response.index = number(snapshot.index);
    message.snapshot_response.term = number(snapshot.term);
    message.snapshot_response.offset = number(snapshot.bytes);
    say(&message, SPAN(""));
}

/* ---- digests ---- */

static void say_digest(void)
{
    struct wire_digest digest = {.answer = chance(128),
                                 .cluster_id = span_text(run.fixture.cluster.cluster_id),
                                 .term = number(raft_term(core())),
                                 .from = run.from,
                                 .to = 1};
    digest.index = number(shard_applied_index(run.fixture.shard));
    digest.sum = number(0);
    digest.chain = number(0);
    digest.chain_from = number(0);
    digest.verdict = (enum wire_verdict)(input_byte(&run.input) % 3U);
    struct buf bytes = {0};
    wire_encode_digest(&bytes, &digest);
    say_bytes(&bytes, hear);
}

/* ---- requests of other nodes' clients, and answers about this one's ---- */

static void put_items(enum wire_forward_type type, struct buf *items, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct buf payload = {0};
        enum entry_kind kind = entries_put(&run.input, run.fixture.table, &payload);
        if (type == WIRE_FORWARD)
            wire_add_request(items, &(struct wire_request){kind, 0, buf_span(&payload)});
        else
            wire_add_refusal(items, number(1 + i), SPAN("OOM no"));
        buf_close(&payload);
    }
}

static void say_forward(void)
{
    struct wire_forward message = {.type = (enum wire_forward_type)(input_byte(&run.input) % 6U),
                                   .cluster_id = span_text(run.fixture.cluster.cluster_id),
                                   .term = number(raft_term(core())),
                                   .from = run.from,
                                   .to = 1,
                                   .life = number(run.fixture.life)};
    uint64_t count = input_byte(&run.input) % 4U;
    struct buf items = {0}, bytes = {0};
    if (message.life == 0)
        message.life = 1;
    message.numbers[0] = number(run.fixture.context);
    message.numbers[1] = number(message.numbers[0]);
    message.numbers[2] = number(count);
    put_items(message.type, &items, count);
    message.items = buf_span(&items);
    wire_encode_forward(&bytes, &message);
    say_bytes(&bytes, hear);
    buf_close(&items);
}

static void say_handover(void)
{
    const struct wire_handover handover = {.cluster_id = span_text(run.fixture.cluster.cluster_id),
                                           .term = number(raft_term(core())),
                                           .from = run.from,
                                           .to = 1};
    struct buf bytes = {0};
    wire_encode_handover(&bytes, &handover);
    say_bytes(&bytes, hear);
}

/* ---- the begin of the cluster ---- */

/* What is stored can be read again. */
static void store(const struct cluster_identity *identity)
{
    struct buf text = {0};
    cluster_identity_encode(&text, identity);
    ASSERT(cluster_identity_parse(buf_span(&text), &run.identity) == ERR_NONE);
    buf_close(&text);
}

static void begin_founding(void)
{
    struct founding_options options = {
        .self = 1, .cluster = &run.fixture.cluster, .drawn_incarnation = 9, .stored = run.identity};
    memset(options.drawn_id, 'd', 40);
    founding_init(&run.founding, &options, run.fixture.now.mono_ms);
    founding_met(&run.founding, 2, 1);
    founding_met(&run.founding, 3, 1);
}

static void hear_found(const struct said *said)
{
    struct founding_said heard;
    struct founding_update update;
    char text[FOUNDING_TEXT_MAX];
    if (!founding_parse(said->args, said->argc, &heard) || heard.id != run.from)
        return;
    founding_heard(&run.founding, &heard);
    founding_step(&run.founding, run.fixture.now.mono_ms, &update);
    if (update.store) {
        store(update.store);
        founding_stored(&run.founding);
        if (chance(64))
            begin_founding();
    }
    founding_describe(&run.founding, text);
}

static void say_found(void)
{
    struct founding_said said;
    founding_say(&run.founding, &said);
    said.id = run.from;
    said.incarnation = number(1);
    said.begin = (enum cluster_begin)(input_byte(&run.input) % 3U);
    said.mark = number(said.mark);
    said.list = number(said.list);
    size_t count = said.begin == CLUSTER_EMPTY ? 0 : input_byte(&run.input) % 5U;
    memset(said.cluster_id, chance(64) ? '0' : 'd', 40);
    memcpy(said.founders.cluster_id, said.cluster_id, sizeof said.founders.cluster_id);
    said.founders.count = count;
    said.founders.mark = number(said.mark);
    for (size_t i = 0; i < count; i++) {
        struct cluster_founder *member = &said.founders.members[i];
        *member = (struct cluster_founder){.id = number(i + 1), .incarnation = number(1)};
        member->roles = (unsigned)number(RAFT_VOTER) & 0xff;
        snprintf(member->address, sizeof member->address, "n%zu:7001", i + 1);
    }
    struct buf bytes = {0};
    founding_encode(&bytes, &said);
    say_bytes(&bytes, hear_found);
}

/* ---- what happens besides ---- */

static void ask(void)
{
    static const char *const lines[] = {"SET k v",      "APPEND k more", "INCR n",  "DEL k n",
                                        "SET e v PX 9", "GET k",         "EXISTS n"};
    size_t line = input_byte(&run.input) % (sizeof lines / sizeof *lines);
    fixture_ask(&run.fixture, input_byte(&run.input) % 4U, lines[line]);
}

static void disk_goes_on(void)
{
    struct fake *fake = &run.fixture.node.fake;
    if (fake->image_pieces) {
        fake->image_pieces--;
        fixture_image_completes(&run.fixture, false, ERR_NONE);
    } else if (fake->image_running && fake->image_ended) {
        fake->image_running = false;
        fixture_image_completes(&run.fixture, true, chance(16) ? ERR_IO : ERR_NONE);
    } else if (fake->queued_count) {
        struct disk_completion completion = fake_completion(fake, &fake->queued[0]);
        fake_carry_out(fake, &fake->queued[0]);
        fake->queued[0].file = DISK_NO_FILE;
        fake_drop(fake, 1);
        shard_disk_completed(run.fixture.shard, &completion, run.fixture.now);
    }
}

static void change_members(void)
{
    struct raft_membership wanted = *raft_membership(core());
    uint64_t id = 1 + input_byte(&run.input) % 5U;
    if (chance(96))
        raft_membership_drop(&wanted, id);
    else if (wanted.count < RAFT_MEMBERS_MAX)
        raft_membership_set(&wanted, id, chance(128) ? RAFT_VOTER : RAFT_PROMOTE);
    shard_change(run.fixture.shard, &wanted, run.fixture.now);
}

/* An election that is won, as far as the input lets it, and the first commit. */
static void stand(void)
{
    fixture_pass(&run.fixture, 2 * ELECTION_MS);
    fixture_turn(&run.fixture);
    for (int i = 0; i < 2; i++) {
        say_voted();
        fixture_turn(&run.fixture);
    }
    say_appended();
    fixture_turn(&run.fixture);
}

static void step(void)
{
    static void (*const steps[])(void) = {say_append,      say_append,   say_append, say_appended,
                                          say_appended,    say_vote,     say_voted,  say_voted,
                                          say_timeout_now, say_received, say_digest, say_found};
    enum { MESSAGES = sizeof steps / sizeof *steps };
    struct fixture *fixture = &run.fixture;
    uint8_t choice = input_byte(&run.input);
    run.from = 2 + (choice >> 7);
    switch (choice & 31) {
    case 12:
        say_chunk(UINT64_MAX);
        break;
    case 13:
        say_chunk(input_byte(&run.input));
        break;
    case 14:
        begin_image();
        break;
    case 15:
        ask();
        break;
    case 16:
        disk_goes_on();
        break;
    case 17:
        shard_drive(fixture->shard, fixture->now);
        break;
    case 18:
        fixture_pass(fixture, input_byte(&run.input));
        break;
    case 19:
        fixture_pass(fixture, 2 * ELECTION_MS);
        break;
    case 20:
        shard_snapshot(fixture->shard, fixture->now);
        break;
    case 21:
        shard_peer_lost(fixture->shard, run.from, fixture->now);
        break;
    case 22:
        shard_peer_met(fixture->shard, &(struct shard_peer){run.from, number(1), 0}, fixture->now);
        break;
    case 23:
        shard_peer_alive(fixture->shard, number(run.from), (uint32_t)number(5), fixture->now);
        break;
    case 24:
        change_members();
        break;
    case 25:
        shard_transfer(fixture->shard, number(run.from), fixture->now);
        break;
    case 26:
        restart();
        break;
    case 27:
        stand();
        break;
    case 28:
        say_handover();
        break;
    case 29:
    case 30:
        say_forward();
        break;
    default:
        if ((choice & 31) < MESSAGES)
            steps[choice & 31]();
        else
            fixture_turn(fixture);
    }
}

/* All that was agreed on is applied, and the folder opens again. */
static void end(void)
{
    restart();
    struct raft_message honest = {.type = RAFT_APPEND_REQUEST, .term = raft_term(core()) + 1};
    uint64_t last = raft_last_index(core());
    honest.append_request.prev_index = honest.append_request.commit = last;
    honest.append_request.prev_term = raft_last_term(core());
    run.from = 2;
    run.input = (struct input){NULL, 0};
    say(&honest, SPAN(""));
    fixture_turn(&run.fixture);
    restart();
    ASSERT(raft_last_index(core()) == last);
}

static void begin(uint8_t flags)
{
    fixture_init(&run.fixture);
    run.fixture.node.fake.free_bytes = UINT64_C(1) << 40;
    run.fixture.digest_interval_ms = flags & FLAG_DIGESTS ? 20 : 0;
    run.fixture.snapshot_log_bytes = flags & FLAG_SNAPSHOTS ? 500 : 0;
    run.fixture.lease_drift_percent = flags & FLAG_LEASE ? 10 : 0;
    start();
    run.identity = (struct cluster_identity){.node_id = 1, .incarnation = 1};
    memset(run.identity.cluster_id, '0', 40);
    begin_founding();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 2)
        return 0;
    run.input = (struct input){bytes + 1, len - 1};
    memory_begin();
    begin(bytes[0]);
    while (run.input.left) {
        step();
        settle();
    }
    end();
    ASSERT(memory_end() <= MEMORY_BASE + MEMORY_PER_BYTE * len);
    fixture_close(&run.fixture);
    buf_close(&run.image);
    run.image_of = (struct raft_snapshot){0};
    run.image_at = 0;
    return 0;
}

/* ---- seeds ---- */

enum { STEP_RECEIVED = 9, STEP_ASK = 15, STEP_DISK = 16, STEP_SNAPSHOT = 20, STEP_MET = 22 };
enum { STEP_CHANGE = 24, STEP_TRANSFER = 25, STEP_STAND = 27, STEP_TURN = 31, FILLERS = 40 };

/* All that is not said is as a member would say it. What is left over is turns. */
static void put_steps(uint8_t flags, bool leads, const char *steps, size_t count, size_t fillers)
{
    struct buf out = {0};
    char filler[FILLERS];
    memset(filler, STEP_TURN, sizeof filler);
    buf_add_char(&out, (char)flags);
    if (leads) {
        buf_add_char(&out, STEP_STAND);
        buf_add(&out, filler, 28);
    }
    for (size_t i = 0; i < count; i++) {
        buf_add_char(&out, steps[i]);
        buf_add(&out, filler, fillers);
    }
    seed_put(buf_span(&out));
    buf_close(&out);
}

static void seeds(void)
{
    for (uint8_t flags = 0; flags < 8; flags++) {
        for (char step_of = 0; step_of < 32; step_of++) {
            const char twice[] = {step_of, STEP_TURN, step_of, STEP_TURN};
            put_steps(flags, flags & 1, twice, sizeof twice, flags < 4 ? FILLERS : 12);
        }
        static const char life[] = {STEP_ASK,      STEP_TURN, 3,         STEP_TURN, STEP_SNAPSHOT,
                                    STEP_TURN,     STEP_DISK, STEP_DISK, STEP_DISK, STEP_TURN,
                                    STEP_RECEIVED, STEP_MET,  STEP_ASK,  STEP_TURN, STEP_CHANGE,
                                    STEP_TRANSFER, STEP_TURN, 3,         STEP_TURN};
        put_steps(flags, true, life, sizeof life, 12);
        put_steps(flags, false, life, sizeof life, 2);
    }
}
