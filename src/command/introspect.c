/* COMMAND and its subcommands. */
#include "base/assert.h"
#include "base/mem.h"
#include "command/describe.h"

/* The next command that is not a subcommand. */
static const struct command *next_command(const struct command_table *table,
                                          const struct command *command)
{
    size_t id = command ? command->id + 1u + command->subcommands : 0;
    return id < table->count ? &table->commands[id] : NULL;
}

static size_t count_commands(const struct command_table *table)
{
    size_t count = 0;
    for (const struct command *c = NULL; (c = next_command(table, c)) != NULL;)
        count++;
    return count;
}

static void run_count(const struct command_table *table, const struct span *args, size_t argc,
                      struct resp_writer *reply)
{
    (void)args;
    (void)argc;
    resp_integer(reply, (int64_t)count_commands(table));
}

/* Runs COMMAND INFO and COMMAND without a subcommand. */
static void run_info(const struct command_table *table, const struct span *args, size_t argc,
                     struct resp_writer *reply)
{
    if (argc <= 2) {
        resp_array(reply, count_commands(table));
        for (const struct command *c = NULL; (c = next_command(table, c)) != NULL;)
            describe_info(c, reply);
        return;
    }
    resp_array(reply, argc - 2);
    for (size_t i = 2; i < argc; i++) {
        const struct command *command = command_lookup_fullname(table, args[i]);
        if (command)
            describe_info(command, reply);
        else
            resp_null(reply);
    }
}

static void run_docs(const struct command_table *table, const struct span *args, size_t argc,
                     struct resp_writer *reply)
{
    if (argc == 2) {
        resp_map(reply, count_commands(table));
        for (const struct command *c = NULL; (c = next_command(table, c)) != NULL;) {
            resp_bulk_text(reply, c->fullname);
            describe_docs(c, reply);
        }
        return;
    }
    size_t known = 0;
    for (size_t i = 2; i < argc; i++)
        known += command_lookup_fullname(table, args[i]) != NULL;
    resp_map(reply, known);
    for (size_t i = 2; i < argc; i++) {
        const struct command *command = command_lookup_fullname(table, args[i]);
        if (!command)
            continue;
        resp_bulk_text(reply, command->fullname);
        describe_docs(command, reply);
    }
}

/* Finds the command that args name, if it has keys and they can be determined. NULL: the error was
 * written. */
static const struct command *find_with_keys(const struct command_table *table,
                                            const struct span *args, size_t argc,
                                            struct resp_writer *reply)
{
    const struct command *command = command_find(table, args, argc);
    if (!command) {
        resp_error(reply, "ERR Invalid command specified");
        return NULL;
    }
    if (command->docs->keys[0].first == 0 && !command->get_keys) {
        resp_error(reply, "ERR The command has no key arguments");
        return NULL;
    }
    if (!command_arity_is_valid(command, argc)) {
        resp_error(reply, "ERR Invalid number of arguments specified for command");
        return NULL;
    }
    struct key_range range;
    for (size_t i = 0; i < describe_spec_count(command); i++) {
        if (!key_spec_range(&command->docs->keys[i], args, argc, &range)) {
            resp_error(reply, "ERR Invalid arguments specified for command");
            return NULL;
        }
    }
    if (command_keys(command, args, argc, NULL, 0) == 0) {
        resp_error(reply, "ERR Invalid arguments specified for command");
        return NULL;
    }
    return command;
}

/* Of a command that finds its keys itself. */
static void write_found_keys(const struct command *command, const struct span *args, size_t argc,
                             struct resp_writer *reply)
{
    size_t count = command_keys(command, args, argc, NULL, 0);
    size_t *positions = mem_alloc(count * sizeof *positions);
    command_keys(command, args, argc, positions, count);
    for (size_t i = 0; i < count; i++) {
        size_t spec = i == 0 ? 0 : describe_spec_count(command) - 1;
        resp_array(reply, 2);
        resp_bulk(reply, args[positions[i]]);
        describe_key_flags(command->docs->keys[spec].flags, reply);
    }
    mem_free(positions);
}

static void write_spec_keys(const struct key_spec *spec, const struct span *args, size_t argc,
                            struct resp_writer *reply)
{
    unsigned flags = spec->flags;
    if (flags & KEY_VARIABLE_FLAGS) {
        bool has_word = false;
        for (size_t i = spec->variable.from; i < argc; i++)
            has_word |= span_is(args[i], spec->variable.word) ||
                        (spec->variable.or_word && span_is(args[i], spec->variable.or_word));
        flags = has_word ? flags & ~(unsigned)KEY_VARIABLE_FLAGS : spec->variable.flags_without;
    }
    struct key_range range;
    key_spec_range(spec, args, argc, &range);
    for (size_t at = range.first; at < range.end; at += range.step) {
        resp_array(reply, 2);
        resp_bulk(reply, args[at]);
        describe_key_flags(flags, reply);
    }
}

static void run_getkeysandflags(const struct command_table *table, const struct span *args,
                                size_t argc, struct resp_writer *reply)
{
    const struct command *command = find_with_keys(table, args + 2, argc - 2, reply);
    if (!command)
        return;
    resp_array(reply, command_keys(command, args + 2, argc - 2, NULL, 0));
    if (command->get_keys) {
        write_found_keys(command, args + 2, argc - 2, reply);
        return;
    }
    for (size_t i = 0; i < describe_spec_count(command); i++)
        write_spec_keys(&command->docs->keys[i], args + 2, argc - 2, reply);
}

static void run_getkeys(const struct command_table *table, const struct span *args, size_t argc,
                        struct resp_writer *reply)
{
    const struct command *command = find_with_keys(table, args + 2, argc - 2, reply);
    if (!command)
        return;
    size_t count = command_keys(command, args + 2, argc - 2, NULL, 0);
    size_t *positions = mem_alloc(count * sizeof *positions);
    command_keys(command, args + 2, argc - 2, positions, count);
    resp_array(reply, count);
    for (size_t i = 0; i < count; i++)
        resp_bulk(reply, args[2 + positions[i]]);
    mem_free(positions);
}

struct list_filter {
    unsigned category;
    struct span pattern;
};

static bool is_listed(const struct command *command, const struct list_filter *filter)
{
    if (filter->pattern.ptr)
        return command_glob(filter->pattern, span_text(command->fullname), true);
    return (command_categories(command) & filter->category) != 0;
}

static void write_filtered(const struct command_table *table, const struct list_filter *filter,
                           struct resp_writer *reply)
{
    size_t count = 0;
    for (size_t i = 0; i < table->count; i++)
        count += is_listed(&table->commands[i], filter);
    resp_array(reply, count);
    for (size_t i = 0; i < table->count; i++)
        if (is_listed(&table->commands[i], filter))
            resp_bulk_text(reply, table->commands[i].fullname);
}

static void run_list(const struct command_table *table, const struct span *args, size_t argc,
                     struct resp_writer *reply)
{
    if (argc == 2) {
        resp_array(reply, table->count);
        for (size_t i = 0; i < table->count; i++)
            resp_bulk_text(reply, table->commands[i].fullname);
        return;
    }
    if (argc != 5 || !span_is(args[2], "filterby")) {
        resp_error(reply, "ERR syntax error");
        return;
    }
    if (span_is(args[3], "module")) {
        resp_array(reply, 0);
    } else if (span_is(args[3], "aclcat")) {
        write_filtered(table, &(struct list_filter){.category = describe_category(args[4])}, reply);
    } else if (span_is(args[3], "pattern")) {
        write_filtered(table, &(struct list_filter){.pattern = args[4]}, reply);
    } else {
        resp_error(reply, "ERR syntax error");
    }
}

static void run_help(const struct command_table *table, const struct span *args, size_t argc,
                     struct resp_writer *reply)
{
    (void)argc;
    command_write_help(table, command_lookup(table, NULL, args[0]), reply);
}

void command_run_command(const struct command_table *table, const struct command *command,
                         const struct span *args, size_t argc, struct resp_writer *reply)
{
    static const struct {
        const char *fullname;
        void (*run)(const struct command_table *, const struct span *, size_t,
                    struct resp_writer *);
    } runs[] = {
        {"command", run_info},
        {"command|count", run_count},
        {"command|info", run_info},
        {"command|docs", run_docs},
        {"command|getkeys", run_getkeys},
        {"command|getkeysandflags", run_getkeysandflags},
        {"command|list", run_list},
        {"command|help", run_help},
    };
    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
        if (strcmp(runs[i].fullname, command->fullname) == 0) {
            runs[i].run(table, args, argc, reply);
            return;
        }
    }
    FATAL("a subcommand of COMMAND has no function");
}
