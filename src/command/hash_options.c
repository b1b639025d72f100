#include "command/hash_options.h"

#include "base/number.h"
#include "command/access.h"
#include "command/data.h"

static const char wrong_number[] =
    "ERR numfields should be greater than 0 and match the provided number of fields";

size_t fields_word(const struct span *args, size_t argc, size_t first)
{
    for (size_t i = first; i + 1 < argc; i++)
        if (span_is(args[i], "fields"))
            return i;
    return 0;
}

bool fields_parse(struct command_context *context, const struct span *args, size_t argc,
                  size_t word, size_t each, struct named_fields *fields)
{
    int64_t count = 0;
    if (word && !command_parse_integer(context, args[word + 1], &count))
        return false;
    size_t given = word ? argc - word - 2 : 0;
    if (count < 1 || given % each || (uint64_t)count != given / each) {
        resp_error(context->reply, wrong_number);
        return false;
    }
    fields->at = args + word + 2;
    fields->count = (size_t)count;
    return true;
}

enum time_parse fields_deadline_of(struct span text, int64_t unit_ms, int64_t base_ms,
                                   int64_t *deadline_ms)
{
    int64_t value;
    if (number_parse_i64(text, &value) && value < 0)
        return TIME_INVALID;
    return deadline_parse(text, unit_ms, base_ms, deadline_ms);
}

enum time_parse fields_deadline(const struct set_options *options, int64_t now_ms,
                                int64_t *deadline_ms)
{
    *deadline_ms = NO_DEADLINE;
    if (!(options->flags & SET_TIMES))
        return TIME_PARSED;
    int64_t unit_ms = options->flags & (SET_EX | SET_EXAT) ? 1000 : 1;
    int64_t base_ms = options->flags & (SET_EX | SET_PX) ? now_ms : 0;
    return fields_deadline_of(options->time, unit_ms, base_ms, deadline_ms);
}

/* Relative times become absolute; everything else stays, and what the command would refuse. */

static void add(struct command_rewritten *out, struct span arg)
{
    out->args[out->argc++] = arg;
}

static void add_number(struct command_rewritten *out, int64_t number)
{
    add(out, span_of(out->text, number_format_i64(out->text, number)));
}

static void rewrite_expire(const struct span *args, size_t argc, int64_t unit_ms, int64_t base_ms,
                           struct command_rewritten *out)
{
    int64_t deadline_ms;
    if (argc < 3 || fields_deadline_of(args[2], unit_ms, base_ms, &deadline_ms) != TIME_PARSED)
        return;
    add(out, SPAN("HPEXPIREAT"));
    add(out, args[1]);
    add_number(out, deadline_ms);
    out->after = argc - 3;
}

void command_hexpire_rewrite(const struct span *args, size_t argc, int64_t now_ms,
                             struct command_rewritten *out)
{
    rewrite_expire(args, argc, 1000, now_ms, out);
}

void command_hpexpire_rewrite(const struct span *args, size_t argc, int64_t now_ms,
                              struct command_rewritten *out)
{
    rewrite_expire(args, argc, 1, now_ms, out);
}

void command_hexpireat_rewrite(const struct span *args, size_t argc, int64_t now_ms,
                               struct command_rewritten *out)
{
    (void)now_ms;
    rewrite_expire(args, argc, 1000, 0, out);
}

/* Repeated options are left out: the last time counts. */
static void rewrite_options(const struct span *args, size_t argc, int64_t now_ms, unsigned allowed,
                            struct command_rewritten *out)
{
    static const struct {
        unsigned flag;
        struct span word;
    } kept[] = {
        {SET_NX, {"NX", 2}}, {SET_XX, {"XX", 2}}, {SET_FNX, {"FNX", 3}}, {SET_FXX, {"FXX", 3}}};
    struct set_options options;
    int64_t deadline_ms;
    size_t word = fields_word(args, argc, 2);
    if (!word || !set_options_parse(args, word, 2, allowed, &options) ||
        !(options.flags & (SET_EX | SET_PX | SET_EXAT)) ||
        fields_deadline(&options, now_ms, &deadline_ms) != TIME_PARSED)
        return;
    out->before = 2;
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        if (options.flags & kept[i].flag)
            add(out, kept[i].word);
    add(out, SPAN("PXAT"));
    add_number(out, deadline_ms);
    out->after = argc - word;
}

void command_hgetex_rewrite(const struct span *args, size_t argc, int64_t now_ms,
                            struct command_rewritten *out)
{
    rewrite_options(args, argc, now_ms, GETEX_OPTIONS, out);
}

void command_hsetex_rewrite(const struct span *args, size_t argc, int64_t now_ms,
                            struct command_rewritten *out)
{
    rewrite_options(args, argc, now_ms, HSETEX_OPTIONS, out);
}
