/* Commands on whole databases, and those that take a key from one to another. */
#include "command/access.h"
#include "command/data.h"
#include "keyspace/value.h"

static const char out_of_range[] = "ERR DB index is out of range";
static const char same_object[] = "ERR source and destination objects are the same";

void command_select(struct command_context *context, unsigned database)
{
    context->database = database;
    context->keyspace = databases_at(context->databases, database);
}

/* False: it is no number of a database, and the error was written: `error`, or NULL for the usual
 * ones. */
static bool parse_database(struct command_context *context, struct span text, const char *error,
                           unsigned *database)
{
    int64_t number;
    if (!command_parse_int(context, text, error, &number))
        return false;
    if (number < 0 || number >= DATABASES_MAX) {
        resp_error(context->reply, out_of_range);
        return false;
    }
    *database = (unsigned)number;
    return true;
}

bool command_parse_select(struct span text, unsigned max, unsigned *database,
                          struct resp_writer *reply)
{
    struct command_context context = {.reply = reply};
    if (!parse_database(&context, text, NULL, database))
        return false;
    if (*database >= max)
        resp_error(reply, out_of_range);
    return *database < max;
}

/* --- all keys --- */

static bool flush_is_valid(struct command_context *context, const struct span *args, size_t argc)
{
    bool valid =
        argc == 1 || (argc == 2 && (span_is(args[1], "sync") || span_is(args[1], "async")));
    if (!valid)
        resp_error(context->reply, ERROR_SYNTAX);
    return valid;
}

void command_flushall_run(struct command_context *context, const struct span *args, size_t argc)
{
    if (!flush_is_valid(context, args, argc))
        return;
    context->dirty += databases_count(context->databases);
    databases_clear(context->databases, context->revision);
    resp_status(context->reply, "OK");
}

void command_flushdb_run(struct command_context *context, const struct span *args, size_t argc)
{
    if (!flush_is_valid(context, args, argc))
        return;
    context->dirty += keyspace_count(context->keyspace);
    keyspace_clear(context->keyspace, context->revision);
    resp_status(context->reply, "OK");
}

void command_swapdb_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    int64_t one, other;
    if (!command_parse_int(context, args[1], "ERR invalid first DB index", &one) ||
        !command_parse_int(context, args[2], "ERR invalid second DB index", &other))
        return;
    if (one < 0 || one >= DATABASES_MAX || other < 0 || other >= DATABASES_MAX) {
        resp_error(context->reply, out_of_range);
        return;
    }
    if (one != other)
        databases_swap(context->databases, (unsigned)one, (unsigned)other, context->revision);
    command_select(context, context->database); /* the same number is another keyspace now */
    context->dirty++;
    resp_status(context->reply, "OK");
}

/* --- one key --- */

void command_move_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    struct command_context there = *context;
    unsigned database;
    if (!parse_database(context, args[2], NULL, &database))
        return;
    if (database == context->database) {
        resp_error(context->reply, same_object);
        return;
    }
    command_select(&there, database);
    if (!command_write_item(context, args[1]) || command_write_item(&there, args[1])) {
        resp_integer(context->reply, 0);
        return;
    }
    keyspace_move(context->keyspace, args[1], there.keyspace, args[1], context->revision);
    context->dirty++;
    resp_integer(context->reply, 1);
}

struct copy_options {
    bool replace;
    unsigned database;
};

/* An entry has the effect that it had on the nodes that wrote it, whatever program applies it. */
static bool copy_is_refused(struct command_context *context, unsigned database)
{
    if (!context->knows_one_database || database == 0)
        return false;
    resp_error(context->reply, "ERR Copying to another database is not allowed in cluster mode");
    return true;
}

static bool parse_copy_options(struct command_context *context, const struct span *args,
                               size_t argc, struct copy_options *options)
{
    for (size_t i = 3; i < argc; i++) {
        if (span_is(args[i], "replace")) {
            options->replace = true;
        } else if (span_is(args[i], "db") && i + 1 < argc) {
            if (!parse_database(context, args[++i], NULL, &options->database) ||
                copy_is_refused(context, options->database))
                return false;
        } else {
            resp_error(context->reply, ERROR_SYNTAX);
            return false;
        }
    }
    return true;
}

bool command_copy_names_database(const struct span *args, size_t argc)
{
    for (size_t i = 3; i + 1 < argc; i++)
        if (span_is(args[i], "db"))
            return true;
    return false;
}

enum { WORK_SAMPLES = 5 };

size_t command_copy_work(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    const struct item *item = argc < 2 ? NULL : keyspace_find(keyspace, args[1], NO_DEADLINE);
    if (!item)
        return 0;
    return item_type(item) == VALUE_STRING ? item_string_len(item)
                                           : item_memory(item, WORK_SAMPLES);
}

void command_copy_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct copy_options options = {.database = context->database};
    struct command_context there = *context;
    if (!parse_copy_options(context, args, argc, &options))
        return;
    if (options.database == context->database && span_equal(args[1], args[2])) {
        resp_error(context->reply, same_object);
        return;
    }
    command_select(&there, options.database);
    const struct item *from = command_write_item(context, args[1]);
    command_count_lookup(context, from);
    if (!from || (command_write_item(&there, args[2]) && !options.replace)) {
        resp_integer(context->reply, 0);
        return;
    }
    keyspace_copy(there.keyspace, from, args[2], context->revision);
    context->dirty++;
    resp_integer(context->reply, 1);
}
