#include "machine/transaction.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/number.h"
#include "machine/internal.h"

/* Redis reads an annotation with a buffer of 1024 bytes; a watched key needs at most 23 of them. */
enum { WATCHES_PER_LINE = 40, WATCH_FIELDS = 2 };

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

/* Whether any queued command satisfies the predicate. */
static bool any_command(const struct machine *machine, struct span commands,
                        bool (*is)(const struct command *command))
{
    struct resp_parser parser = {0};
    bool found = false;
    while (commands.len && !found) {
        const struct command *command = next_command(machine, &parser, &commands);
        found = command && is(command);
    }
    resp_parser_close(&parser);
    return found;
}

static bool is_write(const struct command *command)
{
    return command->run && (command->flags & COMMAND_WRITE);
}

static bool is_local(const struct command *command)
{
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

static void encode_watch_command(const struct machine_watch *watches, size_t count, struct buf *out)
{
    struct span *args = mem_alloc((count + 1) * sizeof *args);
    args[0] = SPAN("WATCH");
    for (size_t i = 0; i < count; i++) {
        const struct machine_watch *watch = &watches[i];
        args[i + 1] = watch->key;
        if (i % WATCHES_PER_LINE == 0)
            buf_add_text(out, i ? "\r\n#WATCH" : "#WATCH");
        buf_printf(out, ":%llu:%d", (unsigned long long)watch->revision, watch->was_present);
    }
    buf_add_text(out, "\r\n");
    resp_encode_command(out, args, count + 1);
    mem_free(args);
}

/* A client may watch more keys, with several commands, than one command can name. */
static void encode_watches(const struct machine_transaction *transaction, struct buf *out)
{
    size_t left = transaction->watch_count;
    while (left) {
        size_t count = left < MACHINE_WATCHES_PER_COMMAND ? left : MACHINE_WATCHES_PER_COMMAND;
        encode_watch_command(&transaction->watches[transaction->watch_count - left], count, out);
        left -= count;
    }
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

void machine_transaction_encode(struct machine *machine,
                                const struct machine_transaction *transaction, int64_t now_ms,
                                struct buf *out)
{
    encode_watches(transaction, out);
    resp_encode_command(out, &SPAN("MULTI"), 1);
    struct span rest = transaction->commands;
    while (rest.len) {
        const struct command *command = next_command(machine, &machine->parser, &rest);
        if (command && command->run)
            encode_one(command, machine->parser.args, machine->parser.argc, now_ms, out);
    }
    resp_encode_command(out, &SPAN("EXEC"), 1);
}

/* Reads the next number of an annotation, with the ':' before it. */
static bool next_field(struct span *line, uint64_t *value)
{
    if (line->len == 0 || line->ptr[0] != ':')
        return false;
    const char *start = line->ptr + 1;
    size_t len = 0;
    while (len + 1 < line->len && start[len] != ':')
        len++;
    *line = span_of(start + len, line->len - 1 - len);
    return number_parse_u64(span_of(start, len), value);
}

/* False: the line is not an annotation. */
static bool read_annotation(struct span *payload, struct buf *fields)
{
    const char *end = memchr(payload->ptr, '\r', payload->len);
    size_t prefix = sizeof "#WATCH" - 1;
    if (!end || (size_t)(end - payload->ptr) + 2 > payload->len ||
        (size_t)(end - payload->ptr) < prefix || memcmp(payload->ptr, "#WATCH", prefix) != 0)
        return false;
    struct span line = span_of(payload->ptr + prefix, (size_t)(end - payload->ptr) - prefix);
    uint64_t value;
    while (next_field(&line, &value))
        buf_add(fields, &value, sizeof value);
    size_t used = (size_t)(end - payload->ptr) + 2;
    *payload = span_of(payload->ptr + used, payload->len - used);
    return line.len == 0;
}

/* Reads one WATCH with its annotation; true if one of its keys has changed. */
static bool watch_command_changed(struct machine *machine, struct span *payload, int64_t now_ms)
{
    struct buf fields = {0};
    while (payload->len && payload->ptr[0] == '#') {
        bool fine = read_annotation(payload, &fields);
        ASSERT(fine);
    }
    next_logged(machine, payload); /* the WATCH itself */
    size_t count = machine->logged.argc - 1;
    ASSERT(fields.len == count * WATCH_FIELDS * sizeof(uint64_t));
    bool changed = false;
    for (size_t i = 0; i < count && !changed; i++) {
        uint64_t values[WATCH_FIELDS];
        memcpy(values, fields.ptr + i * sizeof values, sizeof values);
        changed = keyspace_changed_since(machine->keyspace, machine->logged.args[i + 1],
                                         values[1] != 0, values[0], now_ms);
    }
    buf_close(&fields);
    return changed;
}

/* Reads the WATCHes at the payload's start; true if a watched key has changed. */
static bool watched_changed(struct machine *machine, struct span *payload, int64_t now_ms)
{
    bool changed = false;
    while (!changed && payload->len && payload->ptr[0] == '#')
        changed = watch_command_changed(machine, payload, now_ms);
    return changed;
}

static bool is_exec(const struct logged *logged)
{
    return logged->argc == 1 && span_is(logged->args[0], "EXEC");
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
        const struct command *command = next_logged(machine, &payload);
        if (is_exec(&machine->logged))
            break;
        if (!command || !command->run)
            FATAL("the log holds a command that this version does not know: it is older than the "
                  "log");
        machine_execute(machine, command, machine->logged.args, machine->logged.argc, context,
                        caller);
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
        if (!command->run) {
            caller->run_local(caller->context, command, args, argc, &inner);
            continue;
        }
        if (payload) {
            command = next_logged(machine, payload);
            args = machine->logged.args;
            argc = machine->logged.argc;
        }
        machine_execute(machine, command, args, argc, context, caller);
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
    if (watched_changed(machine, &payload, entry->time_ms)) {
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
    return watched_changed(machine, &payload, entry->time_ms);
}

static bool watch_is_valid(struct machine *machine, struct span *payload)
{
    struct buf fields = {0};
    bool valid = true;
    while (valid && payload->len && payload->ptr[0] == '#')
        valid = read_annotation(payload, &fields);
    size_t numbers = fields.len / sizeof(uint64_t);
    buf_close(&fields);
    return valid && logged_take(&machine->logged, payload) &&
           span_is(machine->logged.args[0], "WATCH") &&
           numbers == (machine->logged.argc - 1) * WATCH_FIELDS;
}

bool machine_transaction_is_valid(struct machine *machine, struct span payload)
{
    while (payload.len && payload.ptr[0] == '#')
        if (!watch_is_valid(machine, &payload))
            return false;
    if (!logged_take(&machine->logged, &payload) || machine->logged.argc != 1 ||
        !span_is(machine->logged.args[0], "MULTI"))
        return false;
    while (logged_take(&machine->logged, &payload)) {
        if (is_exec(&machine->logged))
            return payload.len == 0;
        if (!machine_can_run(machine))
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
        bool is_watch = watch_is_valid(machine, &payload);
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

bool machine_rewrite(struct machine *machine, enum entry_kind kind, struct span payload,
                     int64_t now_ms, const struct machine_judge *judge, struct buf *out,
                     const char **error)
{
    *error = NULL;
    size_t start = out->len;
    const struct entry entry = {.kind = kind, .payload = payload};
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
    encode_watches(transaction, out);
    buf_add_span(out, transaction->commands);
}

void machine_read_transaction(struct machine *machine, struct span packed,
                              const struct machine_view *view, struct machine_caller *caller)
{
    struct command_context context = {.keyspace = machine->keyspace,
                                      .now_ms = view->now_ms,
                                      .prng = view->prng,
                                      .reply = &caller->reply,
                                      .wall = caller->wall};
    if (watched_changed(machine, &packed, view->now_ms))
        resp_null_array(&caller->reply);
    else
        run_script(machine, packed, NULL, &context, caller);
    machine_count(machine, &context);
}
