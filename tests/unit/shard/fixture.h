/* A real shard, node 1 of `voters`, on a disk in memory. The other nodes are written out by the
 * test as messages, the clients are the numbers of their places. What was answered is one line of
 * text: "<client>:<reply without its line ends> ". */
#ifndef FLOTILLA_TESTS_UNIT_SHARD_FIXTURE_H
#define FLOTILLA_TESTS_UNIT_SHARD_FIXTURE_H

#include "resp/parse.h"
#include "shard/shard.h"
#include "unit/storage/fake.h"
#include "wire/forward.h"
#include "wire/hello.h"
#include "wire/message.h"

enum { HEARTBEAT_MS = 50, ELECTION_MS = 300, LEADER_WAIT_MS = 100000, BATCH_BYTES_MAX = 4096 };

struct fixture {
    struct node node; /* for its disk */
    struct cluster cluster;
    struct command_table *table;
    struct shard *shard;
    struct shard_time now;
    struct buf reply;
    struct buf answered;
    uint64_t round; /* the newest read round that the others were asked about */
    bool silent;    /* clients want no replies */
    unsigned locals_run;
    unsigned executed; /* commands that were counted */
    unsigned executed_errors;
    char asked_by[16]; /* the client of the last `executes`, "-" if none of this node */
    char ran[256];     /* since the test cleared it: who asked, and the command */
    unsigned contradicted;
    struct buf sent_digests;      /* the encoded messages */
    struct buf sent_witnesses;    /* the same */
    struct buf sent_forwards;     /* the messages of wire/forward.h, as texts */
    uint64_t life;                /* in the last of them */
    uint64_t context;             /* its first number */
    char forwarded[512];          /* the last of its requests: the kind, then the payload */
    unsigned wanted;              /* requests in the last RAFT.FORWARD that ask for something */
    unsigned refusals;            /* in the last RAFT.FORWARDED */
    const char *refusal;          /* of everything that is to be proposed; NULL: none */
    uint64_t asked_to_lead;       /* the node that was last asked to hand over */
    uint32_t told_busy_ms;        /* what others were last told of how long it takes */
    uint64_t told_to_lead;        /* the node that was last told to stand at once */
    uint32_t digest_interval_ms;  /* of the next start */
    uint64_t snapshot_log_bytes;  /* of the next start */
    uint64_t batch_bytes_max;     /* of the next start; 0: the usual */
    uint64_t incarnation;         /* of the folder, at the next start */
    uint32_t lease_drift_percent; /* of the next start */
    const struct cluster_predecessor *recovered; /* of the next start */
    unsigned voids; /* how often the folder's incarnation was said to be void */
    struct log log;
    bool left;                        /* all clients have */
    unsigned room;                    /* replies that client 1 takes before it is full … */
    bool fills;                       /* … if it ever is */
    bool holds;                       /* it was told that reads of client 1 are held */
    bool disagrees;                   /* the group, on a version, until it does by itself */
    unsigned forwards_sent;           /* messages of wire/forward.h */
    uint64_t sent_to[4];              /* the last entry that an append to the node carried */
    uint64_t told_commit[4];          /* the highest one that an append to the node carried */
    unsigned lines;                   /* of the log */
    uint64_t (*clock)(void *fixture); /* NULL: calls are given the time that it is */
    uint64_t clock_us;
};

static inline struct buf *fixture_reply_begin(void *context, struct shard_client client)
{
    struct fixture *fixture = context;
    fixture->reply.len = 0;
    buf_printf(&fixture->answered, "%u:", (unsigned)client.slot);
    return fixture->silent ? NULL : &fixture->reply;
}

static inline bool fixture_is_waiting(void *context, struct shard_client client)
{
    const struct fixture *fixture = context;
    (void)client;
    return !fixture->left;
}

static inline bool fixture_is_full(void *context, struct shard_client client)
{
    const struct fixture *fixture = context;
    return fixture->fills && client.slot == 1 && fixture->room == 0;
}

static inline void fixture_held(void *context, struct shard_client client, bool held)
{
    struct fixture *fixture = context;
    assert_int_equal(client.slot, 1);
    assert_true(fixture->holds != held);
    fixture->holds = held;
}

static inline const char *fixture_refusal(void *context, const struct command *command,
                                          const struct span *args, size_t argc, bool in_transaction)
{
    const struct fixture *fixture = context;
    (void)command;
    (void)args;
    (void)argc;
    (void)in_transaction;
    return fixture->refusal;
}

static inline void fixture_reply_end(void *context, struct shard_client client, uint64_t index)
{
    (void)index;
    struct fixture *fixture = context;
    if (client.slot == 1 && fixture->room)
        fixture->room--;
    for (size_t i = 0; i < fixture->reply.len; i++)
        if (fixture->reply.ptr[i] != '\r' && fixture->reply.ptr[i] != '\n')
            buf_add_char(&fixture->answered, fixture->reply.ptr[i]);
    buf_add_char(&fixture->answered, ' ');
}

/* "FORWARD@<term>:<number>,<number>,<number> " */
static inline void fixture_note_forward(struct fixture *fixture, const struct span *args,
                                        size_t argc)
{
    struct wire_forward message;
    assert_int_equal(wire_parse_forward(args, argc, &message), ERR_NONE);
    assert_int_equal(message.from, 1);
    fixture->forwards_sent++;
    fixture->life = message.life;
    if (message.type == WIRE_FORWARD) {
        struct wire_request request;
        struct span items = message.items;
        for (fixture->wanted = 0; wire_take_request(&items, &request);) {
            fixture->wanted += request.kind != ENTRY_NOOP;
            snprintf(fixture->forwarded, sizeof fixture->forwarded, "%c%.*s", request.kind,
                     (int)request.payload.len, request.payload.ptr);
        }
    }
    if (message.type == WIRE_FORWARDED) {
        uint64_t seq;
        struct span text, items = message.items;
        for (fixture->refusals = 0; wire_take_refusal(&items, &seq, &text);)
            fixture->refusals++;
    }
    fixture->context = message.numbers[0];
    buf_printf(&fixture->sent_forwards, "%.*s@%llu:%llu,%llu,%llu ", (int)args[0].len - 5,
               args[0].ptr + 5, (unsigned long long)message.term,
               (unsigned long long)message.numbers[0], (unsigned long long)message.numbers[1],
               (unsigned long long)message.numbers[2]);
}

static inline void fixture_send(void *context, uint64_t to, bool response, struct span bytes)
{
    static const struct resp_limits limits = {.bulk_len_max = INT64_MAX, .authenticated = true};
    struct fixture *fixture = context;
    struct resp_parser parser = {0};
    struct wire_message message = {.shard = 0};
    (void)response;
    if (memmem(bytes.ptr, bytes.len < 40 ? bytes.len : 40, "RAFT.DIGEST", 11)) {
        buf_add_span(&fixture->sent_digests, bytes);
        return;
    }
    if (memmem(bytes.ptr, bytes.len < 40 ? bytes.len : 40, "RAFT.HANDOVER", 13)) {
        fixture->asked_to_lead = to;
        return;
    }
    if (memmem(bytes.ptr, bytes.len < 40 ? bytes.len : 40, "RAFT.WITNESS", 12)) {
        buf_add_span(&fixture->sent_witnesses, bytes);
        return;
    }
    assert_int_equal(resp_parse(&parser, bytes, &limits), RESP_COMMAND);
    if (wire_is_forward(parser.args[0])) {
        fixture_note_forward(fixture, parser.args, parser.argc);
        resp_parser_close(&parser);
        return;
    }
    uint32_t number;
    if (wire_parse_alive(parser.args, parser.argc, &number, &fixture->told_busy_ms) == ERR_NONE) {
        resp_parser_close(&parser);
        return;
    }
    assert_int_equal(wire_parse_message(parser.args, parser.argc, &message), ERR_NONE);
    if (message.message.type == RAFT_TIMEOUT_NOW)
        fixture->told_to_lead = to;
    if (message.message.type == RAFT_APPEND_REQUEST) {
        fixture->round = message.message.append_request.read_context;
        if (to < 4 && fixture->told_commit[to] < message.message.append_request.commit)
            fixture->told_commit[to] = message.message.append_request.commit;
        if (message.message.append_request.entry_count && to < 4)
            fixture->sent_to[to] = message.message.append_request.first_index +
                                   message.message.append_request.entry_count - 1;
    }
    wire_message_close(&message);
    resp_parser_close(&parser);
}

static inline void fixture_role_changed(void *context)
{
    (void)context;
}

static inline void fixture_run_local(void *context, struct shard_client client,
                                     const struct command *command, const struct span *args,
                                     size_t argc, struct resp_writer *reply)
{
    struct fixture *fixture = context;
    (void)client;
    (void)command;
    (void)args;
    (void)argc;
    fixture->locals_run++;
    resp_status(reply, "LOCAL");
}

static inline void fixture_executes(void *context, const struct shard_client *client)
{
    struct fixture *fixture = context;
    snprintf(fixture->asked_by, sizeof fixture->asked_by, "-");
    if (client)
        snprintf(fixture->asked_by, sizeof fixture->asked_by, "%u", (unsigned)client->slot);
}

static inline void fixture_executed(void *context, const struct command *command,
                                    const struct span *args, size_t argc, struct span reply)
{
    struct fixture *fixture = context;
    (void)args;
    (void)argc;
    size_t len = strlen(fixture->ran);
    snprintf(fixture->ran + len, sizeof fixture->ran - len, "%s:%s ", fixture->asked_by,
             command->name);
    fixture->executed++;
    fixture->executed_errors += reply.len && reply.ptr[0] == '-';
}

static inline void fixture_contradicted(void *context, const char *text)
{
    struct fixture *fixture = context;
    assert_non_null(strstr(text, "differs from that of a majority"));
    fixture->contradicted++;
}

static inline void fixture_incarnation_is_void(void *context)
{
    struct fixture *fixture = context;
    fixture->voids++;
}

static inline void fixture_log(void *context, enum log_level level, const char *line)
{
    (void)level;
    (void)line;
    ((struct fixture *)context)->lines++;
}

static inline struct raft_options fixture_raft_options(size_t voters)
{
    struct raft_options options = {.id = 1,
                                   .incarnation = 1,
                                   .heartbeat_ms = HEARTBEAT_MS,
                                   .election_timeout_ms = ELECTION_MS,
                                   .entries_per_append_max = 1024,
                                   .snapshot_chunk_bytes = 1000,
                                   .bytes_per_append_max = 1 << 20,
                                   .appends_in_flight_max = 64,
                                   .bytes_in_flight_max = 1 << 24,
                                   .seed = 1};
    for (uint64_t id = 1; id <= voters; id++)
        raft_membership_put(&options.membership,
                            &(struct raft_member){.id = id, .roles = RAFT_VOTER, .incarnation = 1});
    return options;
}

/* Starts from what is on the disk. */
static inline enum err fixture_start(struct fixture *fixture, size_t voters, char message[512])
{
    if (cluster_parse(&fixture->cluster, SPAN("1@n1:7001,2@n2:7002,3@n3:7003"), cluster_one,
                      message))
        fail_msg("%s", message);
    struct shard_options options = {
        .raft = fixture_raft_options(voters),
        .storage = fixture->node.options,
        .recovered = fixture->recovered,
        .cluster = &fixture->cluster,
        .table = fixture->table,
        .host = {.context = fixture,
                 .reply_begin = fixture_reply_begin,
                 .reply_end = fixture_reply_end,
                 .is_waiting = fixture_is_waiting,
                 .is_full = fixture_is_full,
                 .held = fixture_held,
                 .refusal = fixture_refusal,
                 .run_local = fixture_run_local,
                 .executes = fixture_executes,
                 .executed = fixture_executed,
                 .send_context = fixture,
                 .clock = fixture->clock,
                 .send = fixture_send,
                 .contradicted = fixture_contradicted,
                 .incarnation_is_void = fixture_incarnation_is_void,
                 .role_changed = fixture_role_changed},
        .disk = &fixture->node.port,
        .log = &fixture->log,
        .leader_wait_ms = LEADER_WAIT_MS,
        .digest_interval_ms = fixture->digest_interval_ms,
        .digest_entries = 1024,
        .sessions = {.ttl_ms = 60000, .sessions_max = 10, .replies_max = 8, .bytes_max = 100},
        .apply_entries_max = 4096,
        .snapshot_log_bytes = fixture->snapshot_log_bytes,
        .snapshot_bytes_per_s = 24 << 20,
        .batch_bytes_max = fixture->batch_bytes_max ? fixture->batch_bytes_max : BATCH_BYTES_MAX};
    options.storage.log = &fixture->log;
    options.raft.incarnation = fixture->incarnation;
    options.raft.membership.version = fixture->disagrees ? 0 : WIRE_VERSION;
    options.raft.lease_drift_percent = fixture->lease_drift_percent;
    return shard_open(&options, fixture->now, &fixture->shard, message);
}

/* An empty disk; nothing is started. */
static inline void fixture_init(struct fixture *fixture)
{
    *fixture = (struct fixture){.now = {.mono_ms = 1000, .wall_ms = 5000, .mono_us = 1000000},
                                .incarnation = 1};
    node_init(&fixture->node);
    fixture->node.port.context = &fixture->node.fake;
    fixture->log = (struct log){LOG_WARNING, fixture_log, fixture};
    fixture->table = command_table_new();
}

static inline void fixture_open(struct fixture *fixture, size_t voters)
{
    fixture_init(fixture);
    char message[512];
    if (fixture_start(fixture, voters, message))
        fail_msg("%s", message);
}

/* The process ends with what the disk has carried out. */
static inline void fixture_end(struct fixture *fixture)
{
    shard_close(fixture->shard);
    fixture->shard = NULL;
    fake_drop(&fixture->node.fake, fixture->node.fake.queued_count);
    fixture->node.fake.handle_count = 0;
    fixture->node.fake.image_running = false;
}

static inline void fixture_close(struct fixture *fixture)
{
    shard_close(fixture->shard);
    fake_drop(&fixture->node.fake, fixture->node.fake.queued_count);
    for (size_t i = 0; i < fixture->node.fake.file_count; i++)
        buf_close(&fixture->node.fake.files[i].bytes);
    command_table_free(fixture->table);
    buf_close(&fixture->reply);
    buf_close(&fixture->answered);
    buf_close(&fixture->sent_digests);
    buf_close(&fixture->sent_witnesses);
    buf_close(&fixture->sent_forwards);
}

/* One turn: drives, lets the disk finish, and so on until there is nothing to do. */
static inline void fixture_turn(struct fixture *fixture)
{
    struct fake *fake = &fixture->node.fake;
    shard_drive(fixture->shard, fixture->now);
    while (fake->queued_count) {
        struct disk_completion completion = fake_completion(fake, &fake->queued[0]);
        fake_carry_out(fake, &fake->queued[0]);
        fake_drop(fake, 1);
        shard_disk_completed(fixture->shard, &completion, fixture->now);
        if (fake->queued_count == 0)
            shard_drive(fixture->shard, fixture->now);
    }
}

static inline void fixture_image_completes(struct fixture *fixture, bool ended, enum err err)
{
    struct disk_completion completion = {.image = true, .image_ended = ended, .err = err};
    shard_disk_completed(fixture->shard, &completion, fixture->now);
}

/* All pieces of the image are written. */
static inline void fixture_image_is_written(struct fixture *fixture)
{
    struct fake *fake = &fixture->node.fake;
    assert_true(fake->image_running);
    for (int i = 0; !fake->image_ended && i < 1000; i++) {
        for (; fake->image_pieces; fake->image_pieces--)
            fixture_image_completes(fixture, false, ERR_NONE);
        fixture->now.mono_ms++;
        fixture->now.mono_us += 1000;
        fixture_turn(fixture);
    }
    assert_true(fake->image_ended);
    for (; fake->image_pieces; fake->image_pieces--)
        fixture_image_completes(fixture, false, ERR_NONE);
    fake->image_running = false;
}

/* The image is written to its end, which meets `err`. */
static inline void fixture_image_ends(struct fixture *fixture, enum err err)
{
    fixture_image_is_written(fixture);
    fixture_image_completes(fixture, true, err);
    fixture_turn(fixture);
}

static inline void fixture_pass(struct fixture *fixture, uint64_t ms)
{
    fixture->now.mono_ms += ms;
    fixture->now.mono_us += ms * 1000;
    fixture->now.wall_ms += (int64_t)ms;
    shard_tick(fixture->shard, fixture->now);
}

/* The records of `count` entries without payload, from `first` on. */
static inline void fixture_noops(struct buf *out, uint64_t first, size_t count, uint64_t term)
{
    for (size_t i = 0; i < count; i++)
        entry_encode(out, &(struct entry){.index = first + i,
                                          .term = term,
                                          .kind = ENTRY_NOOP,
                                          .time_ms = 5000,
                                          .payload = span_of("", 0)});
}

static inline void fixture_message(struct fixture *fixture, struct raft_message message,
                                   const struct buf *records)
{
    message.to = 1;
    struct buf bytes = {0};
    wire_encode_message(&bytes, span_text(fixture->cluster.cluster_id), 0, &message,
                        records ? buf_span(records) : span_of("", 0));
    struct resp_parser parser = {0};
    const struct resp_limits limits = {.bulk_len_max = INT64_MAX, .authenticated = true};
    assert_int_equal(resp_parse(&parser, buf_span(&bytes), &limits), RESP_COMMAND);
    if (shard_message(fixture->shard, &(struct shard_peer){message.from, 1, 0}, parser.args,
                      parser.argc, fixture->now))
        fail_msg("the message is refused: %s", shard_refusal(fixture->shard));
    resp_parser_close(&parser);
    buf_close(&bytes);
}

static inline uint64_t fixture_term(const struct fixture *fixture)
{
    return raft_term(shard_raft(fixture->shard));
}

static inline uint64_t fixture_last(const struct fixture *fixture)
{
    return raft_last_index(shard_raft(fixture->shard));
}

/* Node 2 has all of the leader's log and has heard of its read round `context`,
 * or of the newest there is. */
static inline void fixture_acknowledge(struct fixture *fixture, uint64_t context)
{
    struct raft_message message = {
        .type = RAFT_APPEND_RESPONSE, .from = 2, .term = fixture_term(fixture)};
    message.append_response.success = true;
    message.append_response.match = fixture_last(fixture);
    message.append_response.hint_index = message.append_response.match;
    message.append_response.read_context = context < fixture->round ? context : fixture->round;
    message.append_response.wall_ms = (uint64_t)fixture->now.wall_ms;
    fixture_message(fixture, message, NULL);
}

/* Wins an election with node 2's vote; nothing is driven after the vote. */
static inline void fixture_win(struct fixture *fixture)
{
    fixture_pass(fixture, 2 * ELECTION_MS);
    fixture_turn(fixture);
    struct raft_message vote = {
        .type = RAFT_VOTE_RESPONSE, .from = 2, .term = fixture_term(fixture) + 1};
    vote.vote_response.wall_ms = (uint64_t)fixture->now.wall_ms;
    vote.vote_response.last_index = fixture_last(fixture);
    vote.vote_response.pre = true;
    vote.vote_response.granted = true;
    fixture_message(fixture, vote, NULL);
    fixture_turn(fixture);
    vote.vote_response.pre = false;
    fixture_message(fixture, vote, NULL);
    assert_true(shard_is_leader(fixture->shard));
}

/* Leader of three, its first entry committed. */
static inline void fixture_lead(struct fixture *fixture)
{
    fixture_win(fixture);
    fixture_turn(fixture);
    fixture_acknowledge(fixture, 0);
    fixture_turn(fixture);
    assert_int_equal(shard_applied_index(fixture->shard), fixture_last(fixture));
}

/* Node 3 is in a later term; who leads there is not known. */
static inline void fixture_depose(struct fixture *fixture)
{
    struct raft_message message = {
        .type = RAFT_APPEND_RESPONSE, .from = 3, .term = fixture_term(fixture) + 1};
    fixture_message(fixture, message, NULL);
    assert_false(shard_is_leader(fixture->shard));
}

/* Node 2 leads the next term, keeps this node's log up to `last` and puts one entry behind it. Then
 * its process dies. */
static inline void fixture_overwrite_after(struct fixture *fixture, uint64_t last)
{
    struct raft_message message = {
        .type = RAFT_APPEND_REQUEST, .from = 2, .term = fixture_term(fixture) + 1};
    message.append_request.prev_index = last;
    message.append_request.prev_term = raft_term_of(shard_raft(fixture->shard), last);
    message.append_request.first_index = last + 1;
    message.append_request.entry_count = 1;
    struct buf records = {0};
    fixture_noops(&records, last + 1, 1, message.term);
    fixture_message(fixture, message, &records);
    buf_close(&records);
    assert_int_equal(fixture_last(fixture), last + 1);
    shard_peer_lost(fixture->shard, 2, fixture->now);
}

/* --- clients --- */

/* The words of a line, as arguments. */
static inline size_t fixture_words(const char *line, struct span args[16])
{
    size_t argc = 0;
    for (const char *at = line; *at;) {
        size_t len = strcspn(at, " ");
        assert_true(argc < 16);
        args[argc++] = span_of(at, len);
        at += len + (at[len] == ' ');
    }
    return argc;
}

static inline enum shard_admission fixture_ask(struct fixture *fixture, uint32_t client,
                                               const char *line)
{
    struct span args[16];
    struct shard_request request = {.client = {client, 1, 0}, .protocol = 2, .args = args};
    request.argc = fixture_words(line, args);
    request.command = command_find(fixture->table, args, request.argc);
    assert_non_null(request.command);
    return command_writes(request.command, request.args, request.argc)
               ? shard_write(fixture->shard, &request, fixture->now)
               : shard_read(fixture->shard, &request, fixture->now);
}

static inline void fixture_accept(struct fixture *fixture, uint32_t client, const char *line)
{
    assert_int_equal(fixture_ask(fixture, client, line), SHARD_ACCEPTED);
}

static inline void assert_answered(struct fixture *fixture, const char *expected)
{
    if (!span_equal(buf_span(&fixture->answered), span_text(expected)))
        fail_msg("answered '%.*s', expected '%s'", (int)fixture->answered.len,
                 fixture->answered.ptr, expected);
    fixture->answered.len = 0;
}

#endif
