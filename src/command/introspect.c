/* COMMAND and its subcommands. */
#include "base/assert.h"
#include "base/mem.h"
#include "command/table.h"

struct flag_name {
    uint32_t flag;
    const char *name;
};

/* In Redis' order. */
static const struct flag_name command_flags[] = {
    {COMMAND_WRITE, "write"},
    {COMMAND_READONLY, "readonly"},
    {COMMAND_DENYOOM, "denyoom"},
    {COMMAND_ADMIN, "admin"},
    {COMMAND_PUBSUB, "pubsub"},
    {COMMAND_NOSCRIPT, "noscript"},
    {COMMAND_BLOCKING, "blocking"},
    {COMMAND_LOADING, "loading"},
    {COMMAND_STALE, "stale"},
    {COMMAND_SKIP_MONITOR, "skip_monitor"},
    {COMMAND_SKIP_SLOWLOG, "skip_slowlog"},
    {COMMAND_ASKING, "asking"},
    {COMMAND_FAST, "fast"},
    {COMMAND_NO_AUTH, "no_auth"},
    {COMMAND_MAY_REPLICATE, "may_replicate"},
    {COMMAND_NO_ASYNC_LOADING, "no_async_loading"},
    {COMMAND_NO_MULTI, "no_multi"},
    {COMMAND_MOVABLE_KEYS, "movablekeys"},
    {COMMAND_ALLOW_BUSY, "allow_busy"},
    {0, NULL},
};

static const struct flag_name category_names[] = {
    {CATEGORY_KEYSPACE, "@keyspace"},
    {CATEGORY_READ, "@read"},
    {CATEGORY_WRITE, "@write"},
    {CATEGORY_SET, "@set"},
    {CATEGORY_SORTEDSET, "@sortedset"},
    {CATEGORY_LIST, "@list"},
    {CATEGORY_HASH, "@hash"},
    {CATEGORY_STRING, "@string"},
    {CATEGORY_BITMAP, "@bitmap"},
    {CATEGORY_HYPERLOGLOG, "@hyperloglog"},
    {CATEGORY_GEO, "@geo"},
    {CATEGORY_STREAM, "@stream"},
    {CATEGORY_PUBSUB, "@pubsub"},
    {CATEGORY_ADMIN, "@admin"},
    {CATEGORY_FAST, "@fast"},
    {CATEGORY_SLOW, "@slow"},
    {CATEGORY_BLOCKING, "@blocking"},
    {CATEGORY_DANGEROUS, "@dangerous"},
    {CATEGORY_CONNECTION, "@connection"},
    {CATEGORY_TRANSACTION, "@transaction"},
    {0, NULL},
};

static const struct flag_name key_flags[] = {
    {KEY_RO, "RO"},
    {KEY_RW, "RW"},
    {KEY_OW, "OW"},
    {KEY_RM, "RM"},
    {KEY_ACCESS, "access"},
    {KEY_UPDATE, "update"},
    {KEY_INSERT, "insert"},
    {KEY_DELETE, "delete"},
    {KEY_VARIABLE_FLAGS, "variable_flags"},
    {0, NULL},
};

/* Writes the names of the flags that are set as a set. */
static void write_flags(const struct flag_name *names, uint32_t flags, struct resp_writer *reply)
{
    size_t count = 0;
    for (const struct flag_name *at = names; at->name; at++)
        count += (flags & at->flag) != 0;
    resp_set(reply, count);
    for (const struct flag_name *at = names; at->name; at++)
        if (flags & at->flag)
            resp_status(reply, at->name);
}

/* Returns the text up to `end` and moves past `end`. */
static struct span cut(const char **text, char end)
{
    const char *begin = *text;
    const char *stop = strchr(begin, end);
    size_t len = stop ? (size_t)(stop - begin) : strlen(begin);
    *text = stop ? stop + 1 : begin + len;
    return span_of(begin, len);
}

static size_t pieces(const char *text, char separator)
{
    size_t count = text && *text ? 1 : 0;
    for (; text && *text; text++)
        count += *text == separator;
    return count;
}

static void write_tips(const char *tips, struct resp_writer *reply)
{
    size_t count = pieces(tips, ' ');
    resp_set(reply, count);
    for (size_t i = 0; i < count; i++)
        resp_bulk(reply, cut(&tips, ' '));
}

static void write_history(const char *history, struct resp_writer *reply)
{
    size_t count = pieces(history, '\n');
    resp_set(reply, count);
    for (size_t i = 0; i < count; i++) {
        resp_array(reply, 2);
        resp_bulk(reply, cut(&history, ' '));
        resp_bulk(reply, cut(&history, '\n'));
    }
}

static void write_begin_search(const struct key_spec *spec, struct resp_writer *reply)
{
    resp_bulk_text(reply, "begin_search");
    resp_map(reply, 2);
    resp_bulk_text(reply, "type");
    resp_bulk_text(reply, spec->keyword ? "keyword" : "index");
    resp_bulk_text(reply, "spec");
    if (spec->keyword) {
        resp_map(reply, 2);
        resp_bulk_text(reply, "keyword");
        resp_bulk_text(reply, spec->keyword);
        resp_bulk_text(reply, "startfrom");
    } else {
        resp_map(reply, 1);
        resp_bulk_text(reply, "index");
    }
    resp_integer(reply, spec->first);
}

static void write_find_keys(const struct key_spec *spec, struct resp_writer *reply)
{
    resp_bulk_text(reply, "find_keys");
    resp_map(reply, 2);
    resp_bulk_text(reply, "type");
    resp_bulk_text(reply, spec->counted ? "keynum" : "range");
    resp_bulk_text(reply, "spec");
    resp_map(reply, 3);
    resp_bulk_text(reply, spec->counted ? "keynumidx" : "lastkey");
    resp_integer(reply, spec->counted ? 0 : spec->last);
    if (spec->counted) {
        resp_bulk_text(reply, "firstkey");
        resp_integer(reply, 1);
    }
    resp_bulk_text(reply, "keystep");
    resp_integer(reply, spec->step);
    if (!spec->counted) {
        resp_bulk_text(reply, "limit");
        resp_integer(reply, spec->share);
    }
}

static void write_unknown(const char *field, struct resp_writer *reply)
{
    resp_bulk_text(reply, field);
    resp_map(reply, 2);
    resp_bulk_text(reply, "type");
    resp_bulk_text(reply, "unknown");
    resp_bulk_text(reply, "spec");
    resp_map(reply, 0);
}

static void write_key_spec(const struct key_spec *spec, struct resp_writer *reply)
{
    resp_map(reply, spec->notes ? 4 : 3);
    if (spec->notes) {
        resp_bulk_text(reply, "notes");
        resp_bulk_text(reply, spec->notes);
    }
    resp_bulk_text(reply, "flags");
    write_flags(key_flags, spec->flags, reply);
    if (spec->unknown) {
        write_unknown("begin_search", reply);
        write_unknown("find_keys", reply);
    } else {
        write_begin_search(spec, reply);
        write_find_keys(spec, reply);
    }
}

static size_t spec_count(const struct command *command)
{
    size_t count = 0;
    while (count < ROW_KEY_SPECS && command->docs->keys[count].first)
        count++;
    return count;
}

static void write_info(const struct command_table *table, const struct command *command,
                       struct resp_writer *reply)
{
    resp_array(reply, 10);
    resp_bulk_text(reply, command->fullname);
    resp_integer(reply, command->arity);
    write_flags(command_flags, command->flags, reply);
    resp_integer(reply, command->keys.first);
    resp_integer(reply, command->keys.last);
    resp_integer(reply, command->keys.step);
    write_flags(category_names, command_categories(command), reply);
    write_tips(command->docs->tips, reply);
    size_t specs = spec_count(command);
    resp_set(reply, specs);
    for (size_t i = 0; i < specs; i++)
        write_key_spec(&command->docs->keys[i], reply);
    if (command->subcommands)
        resp_array(reply, command->subcommands);
    else
        resp_set(reply, 0);
    for (size_t i = 1; i <= command->subcommands; i++)
        write_info(table, command + i, reply);
}

static void write_text_field(const char *field, const char *value, struct resp_writer *reply)
{
    if (!value)
        return;
    resp_bulk_text(reply, field);
    resp_bulk_text(reply, value);
}

static void write_docs(const struct command *command, struct resp_writer *reply)
{
    const struct command_docs *docs = command->docs;
    size_t fields = 4u + (docs->internal || docs->deprecated_since) +
                    (docs->deprecated_since ? 2u : 0u) + (docs->history != NULL) +
                    (docs->syntax != NULL) + (command->subcommands != 0);
    resp_map(reply, fields);
    write_text_field("summary", docs->summary, reply);
    write_text_field("since", docs->since, reply);
    write_text_field("group", docs->group, reply);
    write_text_field("complexity", docs->complexity, reply);
    if (docs->internal || docs->deprecated_since) {
        resp_bulk_text(reply, "doc_flags");
        resp_set(reply, (docs->deprecated_since != NULL) + (size_t)docs->internal);
        if (docs->deprecated_since)
            resp_status(reply, "deprecated");
        if (docs->internal)
            resp_status(reply, "syscmd");
    }
    write_text_field("deprecated_since", docs->deprecated_since, reply);
    write_text_field("replaced_by", docs->replaced_by, reply);
    if (docs->history) {
        resp_bulk_text(reply, "history");
        write_history(docs->history, reply);
    }
    if (docs->syntax) {
        resp_bulk_text(reply, "arguments");
        command_write_syntax(docs->syntax, reply);
    }
    if (!command->subcommands)
        return;
    resp_bulk_text(reply, "subcommands");
    resp_map(reply, command->subcommands);
    for (size_t i = 1; i <= command->subcommands; i++) {
        resp_bulk_text(reply, command[i].fullname);
        write_docs(command + i, reply);
    }
}

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
            write_info(table, c, reply);
        return;
    }
    resp_array(reply, argc - 2);
    for (size_t i = 2; i < argc; i++) {
        const struct command *command = command_lookup_fullname(table, args[i]);
        if (command)
            write_info(table, command, reply);
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
            write_docs(c, reply);
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
        write_docs(command, reply);
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
    for (size_t i = 0; i < spec_count(command); i++) {
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
        size_t spec = i == 0 ? 0 : spec_count(command) - 1;
        resp_array(reply, 2);
        resp_bulk(reply, args[positions[i]]);
        write_flags(key_flags, command->docs->keys[spec].flags, reply);
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
        write_flags(key_flags, flags, reply);
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
    for (size_t i = 0; i < spec_count(command); i++)
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

static unsigned category_named(struct span name)
{
    for (const struct flag_name *at = category_names; at->name; at++)
        if (span_is(name, at->name + 1))
            return at->flag;
    return 0;
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
        write_filtered(table, &(struct list_filter){.category = category_named(args[4])}, reply);
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
