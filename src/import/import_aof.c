#include <stdio.h>

#include "base/mem.h"
#include "base/number.h"
#include "import/internal.h"

enum {
    ANNOTATION_MAX = 64 * 1024,
    NAME_MAX_SHOWN = 40,
    /* Earlier than any deadline that Redis writes, so that nothing expires during an import. */
    LOADING_MS = 0,
};

static const struct resp_limits queued_limits = {.bulk_len_max = INT64_MAX, .authenticated = true};

void import_aof_begin(struct import *import)
{
    import->part = IMPORT_AOF;
    import->settled_end = import->offset;
    import->in_transaction = false;
    import->database = 0;
    import->time_ms = NO_DEADLINE;
}

/* ---- one command ---- */

/* The name of a command in the list of refused data: its first key. */
static struct span subject_of(const struct command *command, const struct span *args, size_t argc)
{
    size_t position;
    if (command && command_keys(command, args, argc, &position, 1) > 0)
        return args[position];
    return argc > 1 ? args[1] : args[0];
}

static void refuse_command(struct import *import, const struct span *args, size_t argc,
                           const char *why)
{
    char kind[REFUSED_KIND_LEN];
    char name[NAME_MAX_SHOWN + 1];
    size_t len = args[0].len < NAME_MAX_SHOWN ? args[0].len : NAME_MAX_SHOWN;
    for (size_t i = 0; i < len; i++) {
        char c = args[0].ptr[i];
        name[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c > ' ' && c <= '~' ? c : '?';
    }
    name[len] = '\0';
    snprintf(kind, sizeof kind, "with command %s%s", name, why);
    import_refuse(&import->refused, kind,
                  subject_of(command_find(import->options.table, args, argc), args, argc), true);
}

static void refuse_database(struct import *import, const struct command *command,
                            const struct span *args, size_t argc)
{
    char kind[REFUSED_KIND_LEN];
    snprintf(kind, sizeof kind, "in database %llu", (unsigned long long)import->database);
    import_refuse(&import->refused, kind, subject_of(command, args, argc), true);
}

static bool same_args(const struct command_rewritten *a, const struct command_rewritten *b)
{
    if (a->argc != b->argc || a->before != b->before || a->after != b->after)
        return false;
    for (size_t i = 0; i < a->argc; i++)
        if (!span_equal(a->args[i], b->args[i]))
            return false;
    return true;
}

/* A relative time is useless without the time of the command, which only #TS: annotations give.
 * False: that time is unknown. */
static bool make_absolute(const struct import *import, const struct command *command,
                          const struct span *args, size_t argc, struct command_rewritten *out)
{
    struct command_rewritten later = {.argc = 0};
    *out = (struct command_rewritten){.argc = 0};
    if (!command->rewrite)
        return true;
    command->rewrite(args, argc, LOADING_MS, out);
    if (out->argc == 0)
        return true;
    command->rewrite(args, argc, LOADING_MS + 1, &later);
    if (same_args(out, &later))
        return true;
    if (import->time_ms == NO_DEADLINE)
        return false;
    *out = (struct command_rewritten){.argc = 0};
    command->rewrite(args, argc, import->time_ms, out);
    return true;
}

void import_note_time(struct import *import, int64_t time_ms)
{
    if (time_ms > import->known_ms)
        import->known_ms = time_ms;
}

/* Consumers of streams and their pending entries have times of the past, and the time that a claim
 * names counts only if it is not in the future. */
static int64_t time_to_run(struct import *import, const struct span *args, size_t argc)
{
    bool claims = span_is(args[0], "XCLAIM");
    if (argc < 3 || !(claims || span_is(args[0], "XGROUP")))
        return LOADING_MS;
    int64_t time_ms;
    for (size_t i = 3; claims && i + 1 < argc; i++) {
        if (span_is(args[i], "TIME") && number_parse_i64(args[i + 1], &time_ms))
            import_note_time(import, time_ms);
    }
    struct span key = args[claims ? 1 : 2];
    const struct keyspace *keyspace = databases_at(import->databases, (unsigned)import->database);
    bool expires = !keyspace_find(keyspace, key, import->known_ms);
    return expires ? LOADING_MS : import->known_ms;
}

static void run(struct import *import, const struct command *command, const struct span *args,
                size_t argc)
{
    struct command_rewritten absolute;
    if (!make_absolute(import, command, args, argc, &absolute)) {
        refuse_command(import, args, argc, " (relative time)");
        return;
    }
    size_t run_argc = argc;
    struct span *memory;
    const struct span *run_args = command_logged_args(&absolute, args, &run_argc, &memory);
    if (absolute.argc)
        command = command_find(import->options.table, run_args, run_argc);
    import->reply.len = 0;
    struct resp_writer reply = {.out = &import->reply, .protocol = 2};
    struct prng prng;
    prng_init(&prng, 0);
    struct command_context context = {.databases = import->databases,
                                      .now_ms = time_to_run(import, run_args, run_argc),
                                      .prng = &prng,
                                      .reply = &reply};
    command_select(&context, (unsigned)import->database);
    command->run(&context, run_args, run_argc);
    mem_free(memory);
    if (import->reply.len == 0 || import->reply.ptr[0] != '-')
        return;
    char why[64];
    struct span text = buf_span(&import->reply);
    const char *end = memchr(text.ptr, '\r', text.len);
    int len = end ? (int)(end - text.ptr) - 1 : 0;
    snprintf(why, sizeof why, " (%.*s)", len < 50 ? len : 50, text.ptr + 1);
    refuse_command(import, args, argc, why);
}

static enum err apply(struct import *import, const struct span *args, size_t argc, uint64_t at)
{
    if (span_is(args[0], "SELECT")) {
        if (argc != 2 || !number_parse_u64(args[1], &import->database))
            return import_fail(import, "a SELECT of no database", at);
        return ERR_NONE;
    }
    const struct command *command = command_find(import->options.table, args, argc);
    if (command && command->run && !(command->flags & COMMAND_WRITE))
        return ERR_NONE; /* Redis runs it too, without effect */
    if (import->database >= import->options.databases)
        refuse_database(import, command, args, argc);
    else if (!command || !command->run)
        refuse_command(import, args, argc, "");
    else if (!command_arity_is_valid(command, argc))
        refuse_command(import, args, argc, " (wrong number of arguments)");
    else
        run(import, command, args, argc);
    return ERR_NONE;
}

/* ---- transactions ---- */

static enum err run_queued(struct import *import)
{
    struct span rest = buf_span(&import->queued);
    import->in_transaction = false;
    while (rest.len) {
        struct resp_parser *parser = &import->queued_parser;
        if (resp_parse(parser, rest, &queued_limits) != RESP_COMMAND)
            return import_fail(import, "a transaction that cannot be read again",
                               import->transaction_at);
        enum err err = apply(import, parser->args, parser->argc, import->transaction_at);
        if (err)
            return err;
        rest = span_of(rest.ptr + parser->consumed, rest.len - parser->consumed);
    }
    return ERR_NONE;
}

/* A transaction runs only when its end has arrived, because it may be torn. */
static enum err take_command(struct import *import, struct span bytes, uint64_t at)
{
    const struct span *args = import->parser.args;
    size_t argc = import->parser.argc;
    bool begins = span_is(args[0], "MULTI");
    if (begins && import->in_transaction)
        return import_fail(import, "MULTI within MULTI", at);
    if (begins) {
        import->in_transaction = true;
        import->transaction_at = at;
        import->queued.len = 0;
        return ERR_NONE;
    }
    if (span_is(args[0], "EXEC"))
        return import->in_transaction ? run_queued(import)
                                      : import_fail(import, "EXEC without MULTI", at);
    if (!import->in_transaction)
        return apply(import, args, argc, at);
    buf_add_span(&import->queued, bytes);
    return ERR_NONE;
}

/* ---- the file ---- */

static enum err take_annotation(struct import *import, struct span line, uint64_t at)
{
    if (span_begins_with(line, SPAN("#NODE:")) || span_begins_with(line, SPAN("#RAFT:")))
        return import_fail(import,
                           "a log of Flotilla's own, whose commands do not stand for "
                           "themselves (export the folder to an RDB file with flotilla-check)",
                           at);
    if (!span_begins_with(line, SPAN("#TS:")))
        return ERR_NONE;
    struct span digits = span_of(line.ptr + 4, line.len - 4);
    if (digits.len && digits.ptr[digits.len - 1] == '\r')
        digits.len--;
    int64_t seconds;
    if (!number_parse_i64(digits, &seconds) || seconds < 0 || seconds > INT64_MAX / 1000)
        return import_fail(import, "a time stamp that is none", at);
    import->time_ms = seconds * 1000;
    import_note_time(import, import->time_ms);
    return ERR_NONE;
}

enum step { STEP_FAILED, STEP_MORE, STEP_TAKEN };

static enum step take_next(struct import *import, struct span rest, uint64_t at, size_t *used)
{
    if (rest.ptr[0] == '#') {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        if (!end && rest.len > ANNOTATION_MAX) {
            import_fail(import, "an annotation without end", at);
            return STEP_FAILED;
        }
        if (!end)
            return STEP_MORE;
        *used = (size_t)(end - rest.ptr) + 1;
        return take_annotation(import, span_of(rest.ptr, *used - 1), at) ? STEP_FAILED : STEP_TAKEN;
    }
    if (rest.ptr[0] != '*') {
        import_fail(import, "no command begins", at);
        return STEP_FAILED;
    }
    const struct resp_limits limits = {.bulk_len_max = import->options.bulk_len_max,
                                       .authenticated = true};
    enum resp_outcome outcome = resp_parse(&import->parser, rest, &limits);
    if (outcome == RESP_INCOMPLETE)
        return STEP_MORE;
    if (outcome == RESP_ERROR || import->parser.argc == 0) {
        import_fail(import, outcome == RESP_ERROR ? import->parser.error : "an empty command", at);
        return STEP_FAILED;
    }
    *used = import->parser.consumed;
    return take_command(import, span_of(rest.ptr, *used), at) ? STEP_FAILED : STEP_TAKEN;
}

enum err import_aof_feed(struct import *import, struct span piece)
{
    size_t done = 0;
    enum step step = STEP_TAKEN;
    buf_add_span(&import->bytes, piece);
    while (step == STEP_TAKEN && done < import->bytes.len) {
        size_t used = 0;
        struct span rest = span_of(import->bytes.ptr + done, import->bytes.len - done);
        step = take_next(import, rest, import->offset + done, &used);
        done += used;
        if (step == STEP_TAKEN && !import->in_transaction)
            import->settled_end = import->offset + done;
    }
    buf_consume(&import->bytes, done);
    import->offset += done;
    return step == STEP_FAILED ? ERR_CORRUPT : ERR_NONE;
}

enum err import_aof_end(struct import *import, bool torn_allowed, uint64_t *torn)
{
    uint64_t end = import->offset + import->bytes.len;
    if (import->bytes.len == 0 && !import->in_transaction)
        return ERR_NONE;
    if (!torn_allowed)
        return import_fail(import,
                           import->in_transaction ? "the file ends within a transaction that begins"
                                                  : "the file ends within a command that begins",
                           import->settled_end);
    *torn = end - import->settled_end;
    import->bytes.len = 0;
    import->in_transaction = false;
    resp_parser_close(&import->parser);
    import->parser = (struct resp_parser){0};
    return ERR_NONE;
}
