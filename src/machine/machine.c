#include "machine/machine.h"

#include "base/assert.h"
#include "machine/internal.h"
#include "wire/hello.h"
#include "wire/members.h"

enum { REPLY_BYTES_PER_WORK = 8 };

_Static_assert((int)ENTRY_DATABASES == (int)DATABASES_MAX, "the log has all databases");

static void before_change(void *context, const struct keyspace *keyspace, struct span key)
{
    const struct machine_watcher *watcher = &((struct machine *)context)->watcher;
    if (watcher->before_change)
        watcher->before_change(watcher->context, keyspace, key);
}

static void cleared(void *context, const struct keyspace *keyspace, struct keyspace *aside)
{
    const struct machine_watcher *watcher = &((struct machine *)context)->watcher;
    if (watcher->cleared)
        watcher->cleared(watcher->context, keyspace, aside);
}

/* A splitmix64 mixer: every bit of each part affects every bit of the result. */
static uint64_t mix(uint64_t sum, uint64_t part)
{
    uint64_t mixed = sum + part + 0x9e3779b97f4a7c15;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
    return mixed ^ mixed >> 31;
}

static void changed(void *context, const struct keyspace_change *change)
{
    struct machine *machine = context;
    if (change->database)
        machine->chain = mix(machine->chain, change->database);
    machine->chain =
        mix(machine->chain ^ change->key_digest, change->revision * 8 + (uint64_t)change->event);
    if (machine->listener.changed)
        machine->listener.changed(machine->listener.context, change);
}

struct databases *machine_replace_databases(struct machine *machine, struct databases *databases)
{
    struct databases *replaced = machine->databases;
    const struct keyspace_observer observer = {
        .context = machine, .before_change = before_change, .cleared = cleared, .changed = changed};
    if (replaced)
        databases_set_rules(databases, databases_rules(replaced));
    machine->databases = databases;
    databases_observe(databases, &observer);
    return replaced;
}

void machine_init(struct machine *machine, const struct command_table *table, uint64_t hash_seed)
{
    *machine = (struct machine){.table = table, .select_max = DATABASES_MAX};
    sessions_init(&machine->sessions);
    machine_replace_databases(machine, databases_new(hash_seed));
}

void machine_close(struct machine *machine)
{
    databases_free(machine->databases);
    machine->databases = NULL;
    sessions_close(&machine->sessions);
    logged_close(&machine->logged);
    resp_parser_close(&machine->parser);
    resp_parser_close(&machine->script_parser);
}

/* The commands before took too long, or their replies are too long, to read on. All nodes judge a
 * numbered transaction alike, because its reply is part of the state. */
static bool is_over_limits(const struct command_context *context)
{
    return context->work > COMMAND_WORK_MAX ||
           (context->replies_max && context->replies > context->replies_max);
}

/* A call in the log that only reads is carried out as its command is. */
static bool only_reads(const struct command *command, const struct command_context *context)
{
    return context->reads || (command->flags & COMMAND_READONLY);
}

static void run_within_limits(const struct command *command, const struct span *args, size_t argc,
                              struct command_context *context)
{
    struct resp_writer *reply = context->reply;
    bool reads = only_reads(command, context);
    command_run *run = context->reads && command->reading ? command->reading->run : command->run;
    bool is_short = !reads && !(command->flags & COMMAND_VALUE_REPLY);
    if (!reply->out || is_short || !is_over_limits(context)) {
        run(context, args, argc);
        return;
    }
    if (reads) {
        resp_error(reply, "ERR the commands of the transaction before this one took too long: "
                          "nothing was read");
        return;
    }
    struct resp_writer none = {.protocol = reply->protocol};
    context->reply = &none;
    run(context, args, argc);
    context->reply = reply;
    resp_error(reply, "ERR the replies of the transaction before this one are too long: the "
                      "command was carried out, and its reply is left out");
}

void machine_execute(const struct command *command, const struct span *args, size_t argc,
                     struct command_context *context, const struct machine_caller *caller)
{
    struct buf *out = context->reply->out;
    bool reads = only_reads(command, context);
    if (reads && !out)
        return; /* nobody waits for the reply, and the state does not change */
    struct resp_mark mark = resp_mark(context->reply);
    size_t len = out ? out->len : 0;
    struct keyspace *keyspace = context->keyspace;
    size_t key = (size_t)command->keys.first;
    bool looks_up = key && key < argc && (!reads || caller->place);
    if (looks_up)
        keyspace_expect(keyspace, args[key], caller->place);
    if (command->work && caller->expect)
        caller->expect(caller->context, command->work(keyspace, args, argc));
    run_within_limits(command, args, argc, context);
    if (looks_up)
        keyspace_expect_end(keyspace);
    if (out && out->len > len) {
        context->work += (out->len - len) / REPLY_BYTES_PER_WORK;
        context->replies += out->len - len;
    }
    if (context->reply->out && caller->executed)
        caller->executed(caller->context, command, args, argc, resp_since(context->reply, mark));
}

void machine_count(struct machine *machine, const struct command_context *context)
{
    machine->stats.changes += context->dirty;
    machine->stats.hits += context->hits;
    machine->stats.misses += context->misses;
    machine->stats.work += context->work;
}

void machine_add_command(struct buf *payload, const struct command *command,
                         const struct span *args, size_t argc, int64_t now_ms)
{
    struct command_stand_in stand_in = {.argc = 0};
    if (command->stock)
        command->stock(args, argc, now_ms, &stand_in);
    logged_add(payload, args, argc, &stand_in);
    command_stand_in_close(&stand_in);
}

const struct command *machine_can_run(const struct machine *machine)
{
    const struct logged *logged = &machine->logged;
    const struct command *command = command_find(machine->table, logged->args, logged->argc);
    bool can = command && command->run && command_arity_is_valid(command, logged->argc);
    return can ? command : NULL;
}

static void apply_parsed(struct machine *machine, const struct entry *entry,
                         struct command_context *context, const struct machine_caller *caller)
{
    struct logged *logged = &machine->logged;
    struct span rest = entry->payload;
    bool is_taken = logged_take(logged, &rest);
    ASSERT(is_taken); /* it was checked */
    const struct command *command = command_find(machine->table, logged->args, logged->argc);
    bool is_known = command && command->run;
    if (!is_known)
        FATAL("the log holds a command that this version does not know: it is older than the log");
    machine_execute(command, logged->args, logged->argc, context, caller);
}

static void apply_command(struct machine *machine, const struct entry *entry,
                          struct command_context *context, const struct machine_caller *caller)
{
    const struct entry_reading *reading = &entry->reading;
    if (!reading->command || reading->argc == 0) {
        apply_parsed(machine, entry, context, caller);
        return;
    }
    struct span args[ENTRY_ARGS_MAX];
    for (size_t i = 0; i < reading->argc; i++)
        args[i] = entry_argument(entry, i);
    machine_execute(command_table_at(machine->table, reading->command - 1u), args, reading->argc,
                    context, caller);
}

void machine_note_command(struct entry_reading *reading, const struct command *command, size_t argc)
{
    bool shows_key = command->keys.first > 0 && (size_t)command->keys.first < argc &&
                     command->keys.first < ENTRY_ARGS_MAX;
    reading->command = (uint16_t)(command->id + 1);
    reading->key = shows_key ? (uint8_t)command->keys.first : 0;
}

void machine_apply_data(struct machine *machine, const struct entry *entry,
                        struct command_context *context, const struct machine_caller *caller)
{
    if (entry->kind == ENTRY_TRANSACTION)
        machine_apply_transaction(machine, entry, context, caller);
    else
        apply_command(machine, entry, context, caller);
}

static void note_version(struct machine *machine, const struct entry *entry)
{
    struct raft_membership membership;
    if (members_parse(entry->payload, &membership) == ERR_NONE)
        machine->version = membership.version;
}

static void apply_entry(struct machine *machine, const struct entry *entry,
                        struct command_context *context, const struct machine_caller *caller)
{
    switch (entry->kind) {
    case ENTRY_NOOP:
        return;
    case ENTRY_MEMBERSHIP:
        note_version(machine, entry);
        return;
    case ENTRY_COMMAND:
    case ENTRY_TRANSACTION:
        if (machine_is_numbered(entry))
            machine_apply_numbered(machine, entry, context, caller);
        else
            machine_apply_data(machine, entry, context, caller);
        return;
    case ENTRY_SESSION:
        machine_apply_session(machine, entry, context);
        return;
    case ENTRY_EXPIRY:
        sessions_expire(&machine->sessions, entry->time_ms);
        machine->stats.expired += databases_remove_expired(machine->databases, entry->time_ms,
                                                           (size_t)entry->seed, entry->index);
        return;
    }
}

void machine_apply(struct machine *machine, const struct entry *entry,
                   struct machine_caller *caller)
{
    ASSERT(entry->index == machine->applied_index + 1);
    machine->chain = mix(machine->chain, entry_checksum(entry));
    struct prng prng;
    prng_init_late(&prng, entry->seed);
    struct command_context context = {.databases = machine->databases,
                                      .now_ms = entry->time_ms,
                                      .revision = entry->index,
                                      .knows_one_database =
                                          machine->version < WIRE_VERSION_DATABASES,
                                      .prng = &prng,
                                      .reply = &caller->reply,
                                      .wall = caller->wall};
    command_select(&context, entry->database);
    uint64_t before = machine->sessions.sum;
    apply_entry(machine, entry, &context, caller);
    if (machine->sessions.sum != before)
        machine->chain = mix(machine->chain ^ before, machine->sessions.sum);
    ASSERT(context.databases == machine->databases); /* no command replaces them */
    machine_count(machine, &context);
    machine->applied_index = entry->index;
    machine->clock_ms = entry->time_ms;
}

void machine_read(struct machine *machine, const struct command *command, const struct span *args,
                  size_t argc, const struct machine_view *view, struct machine_caller *caller)
{
    struct command_context context = {.databases = machine->databases,
                                      .reads = true,
                                      .now_ms = view->now_ms,
                                      .prng = view->prng,
                                      .reply = &caller->reply,
                                      .wall = caller->wall};
    command_select(&context, view->database);
    machine_execute(command, args, argc, &context, caller);
    machine_count(machine, &context);
}

bool machine_is_idle(const struct machine *machine, const struct command *command,
                     const struct span *args, size_t argc, const struct machine_view *view)
{
    struct resp_writer nobody = {.protocol = 2};
    struct command_context context = {
        .databases = machine->databases, .reads = true, .now_ms = view->now_ms, .reply = &nobody};
    if (!command->idle || !databases_find(machine->databases, view->database))
        return false;
    command_select(&context, view->database);
    return command->idle(&context, args, argc);
}

bool machine_read_idle(struct machine *machine, const struct command *command,
                       const struct span *args, size_t argc, const struct machine_view *view,
                       struct machine_caller *caller)
{
    struct command_context context = {.databases = machine->databases,
                                      .reads = true,
                                      .now_ms = view->now_ms,
                                      .reply = &caller->reply};
    command_select(&context, view->database);
    struct resp_mark mark = resp_mark(context.reply);
    if (!command->idle(&context, args, argc))
        return false;
    if (context.reply->out && caller->executed)
        caller->executed(caller->context, command, args, argc, resp_since(context.reply, mark));
    machine_count(machine, &context);
    return true;
}

/* As machine_can_run() says. Notes what it is. */
static bool can_run(const struct machine *machine, struct entry *entry)
{
    const struct logged *logged = &machine->logged;
    const struct command *command = machine_can_run(machine);
    bool is_plain = entry->payload.ptr[0] == '*';
    if (command && is_plain &&
        entry_read_args(&entry->reading, entry->payload, logged->args, logged->argc))
        machine_note_command(&entry->reading, command, logged->argc);
    return command != NULL;
}

bool machine_entry_is_valid(struct machine *machine, struct entry *entry)
{
    struct raft_membership membership;
    struct session_note note;
    struct span rest = entry->payload;
    if (machine_is_numbered(entry) && !session_note_take(&rest, &note))
        return false;
    switch (entry->kind) {
    case ENTRY_NOOP:
    case ENTRY_EXPIRY:
        return true;
    case ENTRY_MEMBERSHIP:
        return members_parse(rest, &membership) == ERR_NONE;
    case ENTRY_COMMAND:
        return logged_take(&machine->logged, &rest) && rest.len == 0 && can_run(machine, entry);
    case ENTRY_TRANSACTION:
        return machine_transaction_is_valid(machine, entry->database, rest);
    case ENTRY_SESSION:
        return machine_session_is_valid(rest);
    }
    return false;
}

uint64_t machine_sum(const struct databases *databases, const struct sessions *sessions)
{
    return databases_sum(databases) + sessions->sum;
}

uint64_t machine_digest_sum(const struct machine *machine)
{
    return machine_sum(machine->databases, &machine->sessions);
}

struct machine_digest machine_digest(const struct machine *machine)
{
    return (struct machine_digest){.index = machine->applied_index,
                                   .sum = machine_digest_sum(machine),
                                   .chain = machine->chain,
                                   .chain_from = machine->chain_from};
}

bool machine_digest_equal(const struct machine_digest *a, const struct machine_digest *b)
{
    return a->index == b->index && a->sum == b->sum &&
           (a->chain_from != b->chain_from || a->chain == b->chain);
}

uint64_t machine_number_of(uint64_t sum, uint64_t chain, uint64_t index, int64_t clock_ms)
{
    return mix(mix(mix(sum, chain), index), (uint64_t)clock_ms);
}

uint64_t machine_digest_number(const struct machine *machine)
{
    return machine_number_of(machine_digest_sum(machine), machine->chain, machine->applied_index,
                             machine->clock_ms);
}
