#include "command/command.h"

#include "base/buf.h"
#include "base/number.h"
#include "command/data.h"
#include "command/table.h"

/* Redis quotes at most this much of an unknown name. */
enum { QUOTED_MAX = 128 };

const struct command *command_find(const struct command_table *table, const struct span *args,
                                   size_t argc)
{
    const struct command *command = command_lookup(table, NULL, args[0]);
    if (!command || command->subcommands == 0 || argc < 2)
        return command;
    return command_lookup(table, command, args[1]);
}

/* Stops at the first NUL, as C's %s does. */
static void add_quoted(struct buf *out, struct span text, size_t max)
{
    size_t len = text.len < max ? text.len : max;
    const char *nul = len ? memchr(text.ptr, '\0', len) : NULL;
    buf_add_char(out, '\'');
    buf_add(out, text.ptr, nul ? (size_t)(nul - text.ptr) : len);
    buf_add_char(out, '\'');
}

static void add_upper(struct buf *out, const char *text)
{
    for (; *text; text++)
        buf_add_char(out, *text >= 'a' && *text <= 'z' ? (char)(*text - 'a' + 'A') : *text);
}

void command_write_unknown(const struct command_table *table, const struct span *args, size_t argc,
                           struct resp_writer *reply)
{
    struct buf text = {0};
    const struct command *container = command_lookup(table, NULL, args[0]);
    if (container && container->subcommands && argc >= 2) {
        buf_add_text(&text, "ERR unknown subcommand ");
        add_quoted(&text, args[1], QUOTED_MAX);
        buf_add_text(&text, ". Try ");
        add_upper(&text, container->name);
        buf_add_text(&text, " HELP.");
    } else {
        buf_add_text(&text, "ERR unknown command ");
        add_quoted(&text, args[0], QUOTED_MAX);
        buf_add_text(&text, ", with args beginning with: ");
        size_t begin = text.len;
        for (size_t i = 1; i < argc && text.len - begin < QUOTED_MAX; i++) {
            add_quoted(&text, args[i], QUOTED_MAX - (text.len - begin));
            buf_add_char(&text, ' ');
        }
    }
    buf_add_char(&text, '\0');
    resp_error(reply, text.ptr);
    buf_close(&text);
}

bool command_arity_is_valid(const struct command *command, size_t argc)
{
    if (command->arity >= 0)
        return argc == (size_t)command->arity;
    return argc >= (size_t)-command->arity;
}

void command_write_arity_error(const struct command *command, struct resp_writer *reply)
{
    resp_errorf(reply, "ERR wrong number of arguments for '%s' command", command->fullname);
}

static size_t keys_of_specs(const struct key_spec *specs, const struct span *args, size_t argc,
                            size_t *positions, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < ROW_KEY_SPECS && specs[i].first; i++) {
        struct key_range range;
        if (!key_spec_range(&specs[i], args, argc, &range))
            continue;
        for (size_t at = range.first; at < range.end; at += range.step, count++) {
            if (count < max)
                positions[count] = at;
        }
    }
    return count;
}

bool command_writes(const struct command *command, const struct span *args, size_t argc)
{
    if ((command->flags & COMMAND_WRITE) == 0)
        return false;
    return !command->reading || !command->reading->is(args, argc);
}

bool command_reads_unnamed(const struct command *command, const struct span *args, size_t argc)
{
    bool sorts = command->run == command_sort_run || command->run == command_sort_ro_run;
    return sorts && command_sort_looks_up(args, argc);
}

bool command_needs_databases(const struct command *command, const struct span *args, size_t argc)
{
    return (command->flags & COMMAND_SINCE_DATABASES) ||
           (command->run == command_copy_run && command_copy_names_database(args, argc));
}

bool command_needs_types(const struct command *command, const struct span *args, size_t argc)
{
    enum { STRING_PAYLOAD = 0, OLD_ARGS_MAX = 1024 * 1024 };
    if (!command_writes(command, args, argc))
        return false;
    if ((command->flags & COMMAND_SINCE_TYPES) || argc > OLD_ARGS_MAX)
        return true;
    if (command->run == command_restore_run)
        return argc > 3 && args[3].len > 0 && args[3].ptr[0] != STRING_PAYLOAD;
    for (size_t i = 3; command->run == command_set_run && i < argc; i++)
        if (span_is(args[i], "ifeq"))
            return true;
    return false;
}

size_t command_keys(const struct command *command, const struct span *args, size_t argc,
                    size_t *positions, size_t max)
{
    if (command->get_keys)
        return command->get_keys(args, argc, positions, max);
    if (command->flags & COMMAND_MOVABLE_KEYS)
        return keys_of_specs(command->docs->keys, args, argc, positions, max);
    const struct command_key_spec *keys = &command->keys;
    if (keys->first == 0)
        return 0;
    size_t first = (size_t)keys->first;
    size_t end; /* one past the last */
    if (keys->last >= 0)
        end = (size_t)keys->last + 1;
    else
        end = argc + 1 > (size_t)-keys->last ? argc + 1 - (size_t)-keys->last : 0;
    if (end > argc)
        end = argc;
    size_t count = 0;
    for (size_t at = first; at < end; at += (size_t)keys->step) {
        if (count < max)
            positions[count] = at;
        count++;
    }
    return count;
}

unsigned command_categories(const struct command *command)
{
    static const struct {
        uint32_t flag;
        unsigned categories;
    } implied[] = {
        {COMMAND_WRITE, CATEGORY_WRITE},
        {COMMAND_READONLY, CATEGORY_READ},
        {COMMAND_ADMIN, CATEGORY_ADMIN | CATEGORY_DANGEROUS},
        {COMMAND_PUBSUB, CATEGORY_PUBSUB},
        {COMMAND_BLOCKING, CATEGORY_BLOCKING},
    };
    unsigned categories = command->docs->categories;
    for (size_t i = 0; i < sizeof(implied) / sizeof(implied[0]); i++)
        if (command->flags & implied[i].flag)
            categories |= implied[i].categories;
    return categories | (command->flags & COMMAND_FAST ? CATEGORY_FAST : CATEGORY_SLOW);
}

bool key_spec_range(const struct key_spec *spec, const struct span *args, size_t argc,
                    struct key_range *range)
{
    size_t first = (size_t)spec->first;
    *range = (struct key_range){first, first, (size_t)spec->step};
    if (spec->keyword || spec->unknown)
        return true;
    if (spec->counted) {
        int64_t count;
        if (first >= argc || !number_parse_i64(args[first], &count) || count < 1 ||
            (uint64_t)count > (argc - first - 1) / range->step)
            return false;
        range->first = first + 1;
        range->end = range->first + (size_t)count * range->step;
        return true;
    }
    size_t end = first + (size_t)spec->last + 1;
    if (spec->last < 0)
        end = argc + 1 > (size_t)-spec->last ? argc + 1 - (size_t)-spec->last : 0;
    range->end = end < argc ? end : argc;
    return true;
}

static void write_help_line(const struct command *command, struct resp_writer *reply)
{
    struct buf line = {0};
    add_upper(&line, command->name);
    if (command->docs->syntax) {
        buf_add_char(&line, ' ');
        command_print_syntax(command->docs->syntax, &line);
    }
    buf_add_char(&line, '\0');
    resp_status(reply, line.ptr);
    buf_close(&line);
}

static void write_help_text(const char *text, struct resp_writer *reply)
{
    struct buf line = {0};
    buf_add_text(&line, "    ");
    buf_add_text(&line, text);
    buf_add_char(&line, '\0');
    resp_status(reply, line.ptr);
    buf_close(&line);
}

void command_write_help(const struct command_table *table, const struct command *container,
                        struct resp_writer *reply)
{
    bool callable = container->arity == -1;
    struct buf title = {0};
    add_upper(&title, container->name);
    buf_add_text(&title, " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    buf_add_char(&title, '\0');
    resp_array(reply, 1 + (callable ? 2u : 0u) + 2u * container->subcommands);
    resp_status(reply, title.ptr);
    buf_close(&title);
    if (callable) {
        resp_status(reply, "(no subcommand)");
        write_help_text(container->docs->summary, reply);
    }
    for (size_t i = 1; i <= container->subcommands; i++) {
        const struct command *sub = &table->commands[container->id + i];
        bool is_help = strcmp(sub->name, "help") == 0;
        write_help_line(sub, reply);
        write_help_text(is_help ? "Prints this help." : sub->docs->summary, reply);
    }
}
