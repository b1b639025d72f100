#include "machine/transaction.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/number.h"
#include "machine/internal.h"

static const struct resp_limits no_limits = {.bulk_len_max = INT64_MAX, .authenticated = true};

/* Parses the next command in `rest`. This node wrote the bytes, or a checksum verified them, so an
 * incomplete command is a bug. */
static const struct command *next_command(const struct machine *machine, struct resp_parser *parser,
                                          struct span *rest)
{
    enum resp_outcome outcome = resp_parse(parser, *rest, &no_limits);
    ASSERT(outcome == RESP_COMMAND && parser->argc > 0);
    *rest = span_of(rest->ptr + parser->consumed, rest->len - parser->consumed);
    return command_find(machine->table, parser->args, parser->argc);
}

/* The same in a payload. */
static const struct command *next_logged(struct machine *machine, struct span *rest)
{
    struct logged *logged = &machine->logged;
    bool is_taken = logged_take(logged, rest);
    ASSERT(is_taken);
    return command_find(machine->table, logged->args, logged->argc);
}

/* Whether any queued call satisfies the predicate. */
static bool any_command(const struct machine *machine, struct span commands,
                        bool (*is)(const struct command *command, const struct span *args,
                                   size_t argc))
{
    struct resp_parser parser = {0};
    bool found = false;
    while (commands.len && !found) {
        const struct command *command = next_command(machine, &parser, &commands);
        found = command && is(command, parser.args, parser.argc);
    }
    resp_parser_close(&parser);
    return found;
}

static bool is_select(const struct command *command)
{
    return command && !command->run && strcmp(command->fullname, "select") == 0;
}

/* False: SELECT refuses it. */
static bool parse_database(const struct span *args, size_t argc, unsigned max, unsigned *database)
{
    uint64_t number;
    if (argc != 2 || !number_parse_u64(args[1], &number) || number >= max)
        return false;
    *database = (unsigned)number;
    return true;
}

bool machine_selects(const struct machine *machine, const struct command *command,
                     const struct span *args, size_t argc, unsigned *database)
{
    return is_select(command) && parse_database(args, argc, machine->select_max, database);
}

bool machine_is_select(const struct command *command, const struct logged *logged,
                       unsigned *database)
{
    return is_select(command) &&
           parse_database(logged->args, logged->argc, DATABASES_MAX, database);
}

static bool is_write(const struct command *command, const struct span *args, size_t argc)
{
    return command->run && command_writes(command, args, argc);
}

static bool is_local(const struct command *command, const struct span *args, size_t argc)
{
    (void)args, (void)argc;
    return !command->run;
}

bool machine_transaction_writes(const struct machine *machine, struct span commands)
{
    return any_command(machine, commands, is_write);
}

bool machine_transaction_has_local(const struct machine *machine, struct span commands)
{
    return any_command(machine, commands, is_local);
}

static void encode_one(const struct command *command, const struct span *original, size_t argc,
                       int64_t now_ms, struct buf *out)
{
    struct command_rewritten rewritten = {.argc = 0};
    if (now_ms == NO_DEADLINE) {
        resp_encode_command(out, original, argc);
        return;
    }
    if (command->rewrite)
        command->rewrite(original, argc, now_ms, &rewritten);
    struct span *memory;
    const struct span *args = command_logged_args(&rewritten, original, &argc, &memory);
    machine_add_command(out, command, args, argc, now_ms);
    mem_free(memory);
}

static void encode_select(unsigned database, struct buf *out)
{
    char number[NUMBER_I64_CHARS];
    const struct span args[] = {SPAN("SELECT"),
                                span_of(number, number_format_u64(number, database))};
    resp_encode_command(out, args, 2);
}

void machine_transaction_encode(struct machine *machine,
                                const struct machine_transaction *transaction, int64_t now_ms,
                                struct buf *out)
{
    machine_encode_watches(transaction, out);
    resp_encode_command(out, &SPAN("MULTI"), 1);
    struct span rest = transaction->commands;
    const struct resp_parser *parser = &machine->parser;
    unsigned database = transaction->database;
    while (rest.len) {
        const struct command *command = next_command(machine, &machine->parser, &rest);
        if (command && command->run)
            encode_one(command, parser->args, parser->argc, now_ms, out);
        else if (machine_selects(machine, command, parser->args, parser->argc, &database))
            encode_select(database, out);
    }
    if (database != transaction->database)
        encode_select(transaction->database, out);
    resp_encode_command(out, &SPAN("EXEC"), 1);
}

static bool is_exec(const struct logged *logged)
{
    return logged->argc == 1 && span_is(logged->args[0], "EXEC");
}

/* The next command that is not SELECT; those before it are carried out. */
static const struct command *next_data(struct machine *machine, struct span *payload,
                                       struct command_context *context)
{
    const struct command *command = next_logged(machine, payload);
    unsigned database;
    while (machine_is_select(command, &machine->logged, &database)) {
        command_select(context, database);
        command = next_logged(machine, payload);
    }
    return command;
}

/* Runs a transaction without local commands: the payload has all of it. The number of replies is
 * known only at the end, so the replies are gathered first. */
static void run_payload(struct machine *machine, struct span payload,
                        struct command_context *context, const struct machine_caller *caller)
{
    struct resp_writer *reply = context->reply;
    struct buf gathered = {0};
    struct resp_writer inner = {.out = reply->out ? &gathered : NULL, .protocol = reply->protocol};
    context->reply = &inner;
    size_t count = 0;
    for (;;) {
        const struct command *command = next_data(machine, &payload, context);
        if (is_exec(&machine->logged))
            break;
        if (!command || !command->run)
            FATAL("the log holds a command that this version does not know: it is older than the "
                  "log");
        machine_execute(command, machine->logged.args, machine->logged.argc, context, caller);
        count++;
    }
    context->reply = reply;
    resp_array(reply, count);
    resp_raw(reply, buf_span(&gathered));
    buf_close(&gathered);
}

/* Runs the commands as the client sent them, including local ones. `payload` has the logged form of
 * the other commands; without a payload (the transaction only reads) the originals run. */
static void run_script(struct machine *machine, struct span script, struct span *payload,
                       struct command_context *context, const struct machine_caller *caller)
{
    struct resp_writer *reply = context->reply;
    struct buf gathered = {0};
    struct resp_writer inner = {.out = reply->out ? &gathered : NULL, .protocol = reply->protocol};
    context->reply = &inner;
    size_t count = 0;
    for (; script.len; count++) {
        const struct command *command = next_command(machine, &machine->script_parser, &script);
        ASSERT(command);
        const struct span *args = machine->script_parser.args;
        size_t argc = machine->script_parser.argc;
        unsigned database;
        if (!payload && machine_selects(machine, command, args, argc, &database))
            command_select(context, database);
        if (!command->run) {
            caller->run_local(caller->context, command, args, argc, &inner);
            continue;
        }
        if (payload) {
            command = next_data(machine, payload, context);
            args = machine->logged.args;
            argc = machine->logged.argc;
        }
        machine_execute(command, args, argc, context, caller);
    }
    context->reply = reply;
    resp_array(reply, count);
    resp_raw(reply, buf_span(&gathered));
    buf_close(&gathered);
}

void machine_apply_transaction(struct machine *machine, const struct entry *entry,
                               struct command_context *context, const struct machine_caller *caller)
{
    struct span payload = entry->payload;
    if (machine_watched_changed(machine, &payload, entry->time_ms)) {
        resp_null_array(context->reply);
        return;
    }
    next_logged(machine, &payload); /* the MULTI itself */
    if (caller->script.len)
        run_script(machine, caller->script, &payload, context, caller);
    else
        run_payload(machine, payload, context, caller);
}

bool machine_transaction_is_void(struct machine *machine, const struct entry *entry)
{
    struct session_note note;
    struct span payload = entry->payload;
    if (machine_is_numbered(entry) && !session_note_take(&payload, &note))
        return false;
    return machine_watched_changed(machine, &payload, entry->time_ms);
}

bool machine_transaction_is_valid(struct machine *machine, unsigned database, struct span payload)
{
    unsigned selected = database;
    while (payload.len && payload.ptr[0] == '#')
        if (!machine_watch_is_valid(machine, &payload))
            return false;
    if (!logged_take(&machine->logged, &payload) || machine->logged.argc != 1 ||
        !span_is(machine->logged.args[0], "MULTI"))
        return false;
    while (logged_take(&machine->logged, &payload)) {
        if (is_exec(&machine->logged))
            return payload.len == 0 && selected == database;
        const struct logged *logged = &machine->logged;
        const struct command *command = command_find(machine->table, logged->args, logged->argc);
        if (!machine_can_run(machine) && !machine_is_select(command, logged, &selected))
            return false;
    }
    return false;
}

/* What was taken last. False: it is refused. */
static bool rewrite_one(struct machine *machine, int64_t now_ms, const struct machine_judge *judge,
                        bool in_transaction, struct buf *out, const char **error)
{
    const struct logged *logged = &machine->logged;
    const struct command *command = command_find(machine->table, logged->args, logged->argc);
    if (!command->run) { /* SELECT: it was checked */
        resp_encode_command(out, logged->args, logged->argc);
        return true;
    }
    *error = judge->refusal(judge->context, command, logged->args, logged->argc, in_transaction);
    if (*error)
        return false;
    encode_one(command, logged->args, logged->argc, now_ms, out);
    return true;
}

static bool rewrite_transaction(struct machine *machine, struct span payload, int64_t now_ms,
                                const struct machine_judge *judge, struct buf *out,
                                const char **error)
{
    const char *start = payload.ptr;
    while (payload.len && payload.ptr[0] == '#') {
        bool is_watch = machine_watch_is_valid(machine, &payload);
        ASSERT(is_watch); /* it was checked */
    }
    next_logged(machine, &payload); /* MULTI */
    buf_add(out, start, (size_t)(payload.ptr - start));
    for (;;) {
        start = payload.ptr;
        next_logged(machine, &payload);
        if (is_exec(&machine->logged))
            break;
        if (!rewrite_one(machine, now_ms, judge, true, out, error))
            return false;
    }
    buf_add(out, start, (size_t)(payload.ptr - start));
    return true;
}

static void keep_number(struct span *payload, struct buf *out)
{
    struct session_note note;
    const char *start = payload->ptr;
    bool fine = session_note_take(payload, &note);
    ASSERT(fine); /* it was checked */
    buf_add(out, start, (size_t)(payload->ptr - start));
}

bool machine_rewrite(struct machine *machine, const struct machine_request *request, int64_t now_ms,
                     const struct machine_judge *judge, struct buf *out, const char **error)
{
    *error = NULL;
    size_t start = out->len;
    enum entry_kind kind = request->kind;
    struct span payload = request->payload;
    struct entry entry = {.kind = kind, .database = request->database, .payload = payload};
    if (kind == ENTRY_SESSION)
        return machine_rewrite_session(payload, &judge->offer, out, error);
    if ((kind != ENTRY_COMMAND && kind != ENTRY_TRANSACTION) ||
        !machine_entry_is_valid(machine, &entry))
        return false;
    if (machine_is_numbered(&entry))
        keep_number(&payload, out);
    bool done = kind == ENTRY_COMMAND
                    ? rewrite_one(machine, now_ms, judge, false, out, error)
                    : rewrite_transaction(machine, payload, now_ms, judge, out, error);
    if (!done)
        out->len = start;
    return true;
}

void machine_transaction_pack(struct buf *out, const struct machine_transaction *transaction)
{
    machine_encode_watches(transaction, out);
    buf_add_span(out, transaction->commands);
}

void machine_read_transaction(struct machine *machine, struct span packed,
                              const struct machine_view *view, struct machine_caller *caller)
{
    struct command_context context = {.databases = machine->databases,
                                      .reads = true,
                                      .now_ms = view->now_ms,
                                      .prng = view->prng,
                                      .reply = &caller->reply,
                                      .wall = caller->wall};
    command_select(&context, view->database);
    if (machine_watched_changed(machine, &packed, view->now_ms))
        resp_null_array(&caller->reply);
    else
        run_script(machine, packed, NULL, &context, caller);
    machine_count(machine, &context);
}
