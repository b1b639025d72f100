#include "base/assert.h"
#include "base/mem.h"
#include "machine/transaction.h"
#include "shard/internal.h"

enum { LONG_ENTRY_BYTES = 16 * 1024 };

bool shard_may_lengthen(const struct shard *shard)
{
    return !shard_is_leader(shard) || shard->machine.applied_index < shard->long_index;
}

uint64_t shard_next_index(const struct shard *shard)
{
    return raft_last_index(shard->raft) + shard->batch_count + 1;
}

/* Room for one more entry in the batch's arrays. */
static void batch_reserve(struct shard *shard)
{
    if (shard->batch_count < shard->batch_cap)
        return;
    shard->batch_cap = shard->batch_cap ? shard->batch_cap * 2 : 64;
    shard->batch_entries =
        mem_realloc(shard->batch_entries, shard->batch_cap * sizeof *shard->batch_entries);
    shard->batch_offsets =
        mem_realloc(shard->batch_offsets, shard->batch_cap * sizeof *shard->batch_offsets);
    shard->entries = mem_realloc(shard->entries, shard->batch_cap * sizeof *shard->entries);
}

struct entry *shard_batch_begin(struct shard *shard, enum entry_kind kind)
{
    batch_reserve(shard);
    shard->batch_offsets[shard->batch_count] = shard->batch.len;
    struct entry *entry = &shard->entries[shard->batch_count];
    *entry = (struct entry){.index = shard_next_index(shard),
                            .term = raft_term(shard->raft),
                            .kind = kind,
                            .time_ms = shard_entry_time(shard)};
    return entry;
}

uint32_t shard_batch_end(struct shard *shard)
{
    const struct entry *entry = &shard->entries[shard->batch_count];
    size_t bytes = shard->batch.len - shard->batch_offsets[shard->batch_count];
    ASSERT(bytes <= ENTRY_BYTES_MAX);
    shard_clock_entry(&shard->clock, entry->time_ms);
    if (bytes > LONG_ENTRY_BYTES)
        shard->long_index = entry->index;
    shard->batch_entries[shard->batch_count++] =
        (struct raft_entry){.index = entry->index, .term = entry->term, .bytes = (uint32_t)bytes};
    return (uint32_t)bytes;
}

void shard_batch_add(struct shard *shard, enum entry_kind kind, uint64_t seed, struct span payload)
{
    struct entry *entry = shard_batch_begin(shard, kind);
    entry->seed = seed;
    entry->payload = payload;
    entry_encode(&shard->batch, entry);
    shard_batch_end(shard);
}

static enum shard_admission admit(struct shard *shard, struct shard_time now)
{
    shard_set_now(shard, now);
    if (!shard_may_hold(shard))
        return shard_has_stopped(shard) ? SHARD_NO_ROOM : SHARD_NOT_LEADER;
    if (shard_is_leader(shard) && shard_is_disputed(shard))
        return SHARD_DISPUTED;
    return SHARD_ACCEPTED;
}

static enum shard_admission admit_write(struct shard *shard, struct shard_client client,
                                        struct shard_time now)
{
    enum shard_admission admission = admit(shard, now);
    uint64_t held = shard->writes.arena.bytes.len;
    if (admission == SHARD_ACCEPTED && shard_has_held(shard, client))
        return SHARD_BUSY;
    if (admission == SHARD_ACCEPTED &&
        (shard->writes.count - shard->writes.issued >= SHARD_HELD_MAX ||
         shard->log_bytes_pending + held > shard->options.batch_bytes_max))
        return SHARD_BUSY;
    return admission;
}

/* The client's note; one of an earlier generation starts anew. */
struct client_note *shard_note_of(struct shard *shard, struct shard_client client)
{
    if (client.slot >= shard->notes_cap) {
        size_t cap = shard->notes_cap ? shard->notes_cap : 64;
        while (cap <= client.slot)
            cap *= 2;
        shard->notes = mem_realloc(shard->notes, cap * sizeof *shard->notes);
        memset(shard->notes + shard->notes_cap, 0, (cap - shard->notes_cap) * sizeof *shard->notes);
        shard->notes_cap = cap;
    }
    struct client_note *note = &shard->notes[client.slot];
    if (note->generation != client.generation) {
        shard_free_held(shard, note);
        *note = (struct client_note){.generation = client.generation};
    }
    return note;
}

/* Who comes while nothing can be issued waits from now on, not from when this turn began: the
 * process may have stood still since. */
static uint64_t arrival_ms(struct shard *shard)
{
    if (shard->issue.stuck_since_ms)
        shard_read_clock(shard);
    return shard->now.mono_ms;
}

/* Who asks, and from where. */
struct asker {
    struct shard_client client;
    int protocol;
    unsigned database;
};

static struct asker asker_of(const struct shard_request *request)
{
    return (struct asker){request->client, request->protocol, request->database};
}

static struct asker asker_of_transaction(const struct shard_transaction *transaction)
{
    return (struct asker){transaction->client, transaction->protocol, transaction->database};
}

static struct pending_write *push_write(struct shard *shard, const struct asker *asker)
{
    struct pending_write *write = write_queue_push(&shard->writes);
    write->client = asker->client;
    write->protocol = asker->protocol;
    write->database = asker->database;
    write->arrived_ms = arrival_ms(shard);
    shard_note_of(shard, asker->client)->last_write = write->arrival;
    return write;
}

/* Nothing is held back, so that the request may go into the batch as it comes. */
static bool goes_at_once(const struct shard *shard)
{
    return shard_may_propose(shard) && shard->writes.issued == shard->writes.count;
}

/* What the batch has begun. */
static struct pending_write *push_proposed(struct shard *shard, const struct asker *asker)
{
    struct pending_write *write = push_write(shard, asker);
    write->index = shard->entries[shard->batch_count].index;
    write->bytes = shard_batch_end(shard);
    shard_note_proposed(shard, write);
    return write;
}

static struct pending_write *push_held(struct shard *shard, const struct asker *asker,
                                       enum entry_kind kind, struct span text)
{
    struct pending_write *write = push_write(shard, asker);
    write->kind = kind;
    write_queue_keep(&shard->writes, write, text);
    return write;
}

static size_t bytes_of(const struct shard_request *request)
{
    size_t bytes = 0;
    for (size_t i = 0; i < request->argc; i++)
        bytes += request->args[i].len;
    return bytes;
}

static void add_number(struct buf *text, const struct session_number *number, int protocol)
{
    const struct session_note note = {
        .verb = SESSION_NUMBER, .number = *number, .protocol = protocol};
    if (number->number)
        session_note_add(text, &note);
}

static void hold_command(struct shard *shard, const struct shard_request *request)
{
    struct buf text = {0};
    const struct asker asker = asker_of(request);
    add_number(&text, &request->session, request->protocol);
    resp_encode_command(&text, request->args, request->argc);
    push_held(shard, &asker, ENTRY_COMMAND, buf_span(&text));
    buf_close(&text);
}

/* What stands behind a command for Redis can make an entry too large. What is held then is refused
 * when it would be proposed. */
static bool fits_an_entry(const struct buf *payload)
{
    return payload->len <= ENTRY_BYTES_MAX - ENTRY_HEADER_MAX;
}

/* The usual entry, of a command as it is: takes no copy of it, and who applies it need not parse
 * it. */
static void encode_plain(struct shard *shard, struct entry *entry,
                         const struct shard_request *request, const struct span *args, size_t argc)
{
    const struct command *command = request->command;
    if (!entry_encode_command(&shard->batch, entry, args, argc))
        return;
    if (args != request->args) /* it was rewritten, perhaps to another command */
        command = command_find(shard->options.table, args, argc);
    machine_note_command(&entry->reading, command, argc);
}

/* The entry with a payload of several parts. False: it is too large. */
static bool encode_parts(struct shard *shard, struct entry *entry,
                         const struct shard_request *request, const struct span *args, size_t argc,
                         const struct command_stand_in *stand_in)
{
    struct buf payload = {0};
    add_number(&payload, &request->session, request->protocol);
    logged_add(&payload, args, argc, stand_in);
    bool fits = fits_an_entry(&payload);
    entry->payload = buf_span(&payload);
    if (fits)
        entry_encode(&shard->batch, entry);
    buf_close(&payload);
    return fits;
}

bool shard_encode(struct shard *shard, struct entry *entry, const struct shard_request *request)
{
    const struct command *command = request->command;
    struct command_rewritten rewritten;
    struct command_stand_in stand_in;
    rewritten.argc = 0; /* the rest is large, and of interest to few commands */
    if (command->rewrite) {
        rewritten = (struct command_rewritten){.argc = 0};
        command->rewrite(request->args, request->argc, entry->time_ms, &rewritten);
    }
    size_t argc = request->argc;
    struct span *memory;
    const struct span *args = command_logged_args(&rewritten, request->args, &argc, &memory);
    bool is_plain = !request->session.number;
    bool fits = true;
    if (is_plain && !command->stock) {
        encode_plain(shard, entry, request, args, argc);
    } else {
        stand_in = (struct command_stand_in){.argc = 0};
        if (command->stock)
            command->stock(args, argc, entry->time_ms, &stand_in);
        if (is_plain && stand_in.place == STAND_IN_NONE)
            encode_plain(shard, entry, request, args, argc);
        else
            fits = encode_parts(shard, entry, request, args, argc, &stand_in);
        command_stand_in_close(&stand_in);
    }
    mem_free(memory);
    return fits;
}

static struct pending_read *push_read(struct shard *shard, const struct asker *asker)
{
    struct pending_read *read = read_queue_push(&shard->reads);
    read->client = asker->client;
    read->protocol = asker->protocol;
    read->database = asker->database;
    read->arrived_ms = arrival_ms(shard);
    read->arrival = shard->writes.arrivals;
    read->position = shard_next_index(shard) - 1;
    read->after = shard_note_of(shard, asker->client)->last_write;
    return read;
}

static void join_round(struct shard *shard, struct pending_read *read)
{
    read->context = shard->round_open;
    shard->round_has_reads = true;
    shard->stats.reads++;
}

/* What is tried is looked at twice, and kept beyond the bound on what is held: it is short. */
static bool is_worth_a_try(const struct shard *shard, const struct shard_request *request)
{
    enum { TRIED_ARGS_MAX = 16, TRIED_BYTES_MAX = 4096 };
    const struct machine_view view = {.now_ms = shard->machine.clock_ms,
                                      .database = request->database};
    return request->alone && request->command->idle && !request->session.number &&
           request->argc <= TRIED_ARGS_MAX && bytes_of(request) <= TRIED_BYTES_MAX &&
           machine_is_idle(&shard->machine, request->command, request->args, request->argc, &view);
}

static void try_as_read(struct shard *shard, const struct shard_request *request)
{
    const struct asker asker = asker_of(request);
    struct pending_read *read = push_read(shard, &asker);
    read->kind = PENDING_TRY;
    read->command = request->command;
    read_queue_keep_args(&shard->reads, read, request->args, request->argc);
    join_round(shard, read);
}

void shard_write_after_all(struct shard *shard, struct pending_read *read)
{
    struct buf text = {0};
    const struct asker asker = {read->client, read->protocol, read->database};
    ASSERT(read->kind == PENDING_TRY && !read->done);
    resp_encode_command(&text, read_queue_args(&shard->reads, read), read->argc);
    push_held(shard, &asker, ENTRY_COMMAND, buf_span(&text));
    read->done = true;
    buf_close(&text);
}

enum shard_admission shard_write(struct shard *shard, const struct shard_request *request,
                                 struct shard_time now)
{
    enum shard_admission admission = admit_write(shard, request->client, now);
    if (admission != SHARD_ACCEPTED)
        return admission;
    if (is_worth_a_try(shard, request)) {
        try_as_read(shard, request);
        return SHARD_TRIED;
    }
    if (request->session.number && !shard_has_sessions(shard))
        return SHARD_NOT_LEADER;

    shard_announce(shard, bytes_of(request));
    if (!goes_at_once(shard)) {
        hold_command(shard, request);
        return SHARD_ACCEPTED;
    }
    const struct asker asker = asker_of(request);
    struct entry *entry = shard_batch_begin(shard, ENTRY_COMMAND);
    entry->database = request->database;
    entry->seed = prng_next(&shard->prng);
    if (!shard_encode(shard, entry, request)) {
        hold_command(shard, request);
        return SHARD_ACCEPTED;
    }
    const struct pending_write *write = push_proposed(shard, &asker);
    if (request->command->flags & COMMAND_LENGTHENS)
        shard->long_index = write->index;
    shard_wake_behind(shard, request->database, request->command, request->args, request->argc);
    return SHARD_ACCEPTED;
}

/* It enters the batch when all of the turn's requests are there. */
enum shard_admission shard_session(struct shard *shard, struct shard_client client, int protocol,
                                   const struct session_note *note, struct shard_time now)
{
    enum shard_admission admission = admit_write(shard, client, now);
    if (admission != SHARD_ACCEPTED)
        return admission;
    if (!shard_has_sessions(shard))
        return SHARD_NOT_LEADER;
    struct buf text = {0};
    const struct asker asker = {client, protocol, 0};
    session_note_add(&text, note);
    push_held(shard, &asker, ENTRY_SESSION, buf_span(&text));
    buf_close(&text);
    return SHARD_ACCEPTED;
}

enum shard_admission shard_read(struct shard *shard, const struct shard_request *request,
                                struct shard_time now)
{
    enum shard_admission admission = admit(shard, now);
    if (admission != SHARD_ACCEPTED)
        return admission;
    const struct asker asker = asker_of(request);
    struct pending_read *read = push_read(shard, &asker);
    read->kind = PENDING_READ;
    read->command = request->command;
    read_queue_keep_args(&shard->reads, read, request->args, request->argc);
    join_round(shard, read);
    return SHARD_ACCEPTED;
}

static struct machine_transaction content_of(const struct shard_transaction *transaction)
{
    return (struct machine_transaction){.commands = transaction->commands,
                                        .watches = transaction->watches,
                                        .watch_count = transaction->watch_count,
                                        .database = transaction->database};
}

static enum shard_admission read_transaction(struct shard *shard,
                                             const struct shard_transaction *transaction)
{
    struct buf packed = {0};
    const struct machine_transaction content = content_of(transaction);
    const struct asker asker = asker_of_transaction(transaction);
    machine_transaction_pack(&packed, &content);
    struct pending_read *read = push_read(shard, &asker);
    read->kind = PENDING_TRANSACTION;
    read_queue_keep(&shard->reads, read, buf_span(&packed));
    buf_close(&packed);
    join_round(shard, read);
    return SHARD_ACCEPTED;
}

static void add_transaction(struct shard *shard, const struct shard_transaction *transaction,
                            int64_t now_ms, struct buf *payload)
{
    const struct machine_transaction content = content_of(transaction);
    add_number(payload, &transaction->session, transaction->protocol);
    machine_transaction_encode(&shard->machine, &content, now_ms, payload);
}

/* NULL: it is too large. */
static struct pending_write *propose_transaction(struct shard *shard,
                                                 const struct shard_transaction *transaction)
{
    struct buf payload = {0};
    struct pending_write *write = NULL;
    const struct asker asker = asker_of_transaction(transaction);
    struct entry *entry = shard_batch_begin(shard, ENTRY_TRANSACTION);
    entry->database = transaction->database;
    entry->seed = prng_next(&shard->prng);
    add_transaction(shard, transaction, entry->time_ms, &payload);
    if (fits_an_entry(&payload)) {
        entry->payload = buf_span(&payload);
        entry_encode(&shard->batch, entry);
        write = push_proposed(shard, &asker);
        shard->long_index = write->index; /* as far as anybody looked */
    }
    buf_close(&payload);
    return write;
}

static struct pending_write *hold_transaction(struct shard *shard,
                                              const struct shard_transaction *transaction)
{
    struct buf payload = {0};
    const struct asker asker = asker_of_transaction(transaction);
    add_transaction(shard, transaction, NO_DEADLINE, &payload);
    struct pending_write *write = push_held(shard, &asker, ENTRY_TRANSACTION, buf_span(&payload));
    buf_close(&payload);
    return write;
}

enum shard_admission shard_transaction(struct shard *shard,
                                       const struct shard_transaction *transaction,
                                       struct shard_time now)
{
    enum shard_admission admission = admit_write(shard, transaction->client, now);
    if (admission != SHARD_ACCEPTED)
        return admission;
    if (!machine_transaction_writes(&shard->machine, transaction->commands))
        return read_transaction(shard, transaction);

    if (transaction->session.number && !shard_has_sessions(shard))
        return SHARD_NOT_LEADER;

    struct pending_write *write = NULL;
    if (goes_at_once(shard))
        write = propose_transaction(shard, transaction);
    if (!write)
        write = hold_transaction(shard, transaction);
    bool has_local = machine_transaction_has_local(&shard->machine, transaction->commands);
    ASSERT(!has_local || transaction->session.number == 0);
    if (has_local) {
        write->script_len = transaction->commands.len;
        write->script = mem_alloc(write->script_len);
        memcpy(write->script, transaction->commands.ptr, write->script_len);
    }
    return SHARD_ACCEPTED;
}
