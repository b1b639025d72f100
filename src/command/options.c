#include "command/options.h"

#include "base/number.h"
#include "command/access.h"

struct set_option {
    const char *word;
    enum set_flag flag;
    unsigned excludes;
    bool has_argument;
};

static const struct set_option set_option_table[] = {
    {"nx", SET_NX, SET_XX | SET_IFEQ, false},
    {"xx", SET_XX, SET_NX | SET_IFEQ, false},
    {"ifeq", SET_IFEQ, SET_CONDITIONS, true},
    {"fnx", SET_FNX, SET_FXX, false},
    {"fxx", SET_FXX, SET_FNX, false},
    {"get", SET_GET, 0, false},
    {"keepttl", SET_KEEPTTL, SET_PERSIST | SET_TIMES, false},
    {"persist", SET_PERSIST, SET_KEEPTTL | SET_TIMES, false},
    {"ex", SET_EX, SET_KEEPTTL | SET_PERSIST | (SET_TIMES & ~SET_EX), true},
    {"px", SET_PX, SET_KEEPTTL | SET_PERSIST | (SET_TIMES & ~SET_PX), true},
    {"exat", SET_EXAT, SET_KEEPTTL | SET_PERSIST | (SET_TIMES & ~SET_EXAT), true},
    {"pxat", SET_PXAT, SET_KEEPTTL | SET_PERSIST | (SET_TIMES & ~SET_PXAT), true},
};

static const struct set_option *set_option_find(struct span word)
{
    for (size_t i = 0; i < sizeof(set_option_table) / sizeof(set_option_table[0]); i++)
        if (span_is(word, set_option_table[i].word))
            return &set_option_table[i];
    return NULL;
}

bool set_options_parse(const struct span *args, size_t argc, size_t first, unsigned allowed,
                       struct set_options *options)
{
    *options = (struct set_options){0};
    for (size_t i = first; i < argc; i++) {
        const struct set_option *option = set_option_find(args[i]);
        if (!option || !(option->flag & allowed) || (options->flags & option->excludes))
            return false;
        if (option->has_argument) {
            if (++i == argc)
                return false;
            *(option->flag == SET_IFEQ ? &options->expected : &options->time) = args[i];
        }
        options->flags |= option->flag;
    }
    return true;
}

bool msetex_count(const struct span *args, size_t argc, size_t *pairs)
{
    int64_t count;
    if (argc < 2 || !number_parse_i64(args[1], &count) || count < 1 || count > INT32_MAX)
        return false;
    *pairs = (size_t)count;
    return true;
}

enum expire_parse expire_options_parse(const struct span *args, size_t argc, unsigned *flags,
                                       struct span *bad)
{
    static const struct {
        const char *word;
        enum expire_flag flag;
    } table[] = {{"nx", EXPIRE_NX}, {"xx", EXPIRE_XX}, {"gt", EXPIRE_GT}, {"lt", EXPIRE_LT}};
    *flags = 0;
    for (size_t i = 3; i < argc; i++) {
        unsigned flag = 0;
        for (size_t j = 0; j < sizeof(table) / sizeof(table[0]); j++)
            if (span_is(args[i], table[j].word))
                flag = table[j].flag;
        if (!flag) {
            *bad = args[i];
            return EXPIRE_UNSUPPORTED;
        }
        *flags |= flag;
    }
    if ((*flags & EXPIRE_NX) && (*flags & ~(unsigned)EXPIRE_NX))
        return EXPIRE_NX_NOT_ALONE;
    if ((*flags & EXPIRE_GT) && (*flags & EXPIRE_LT))
        return EXPIRE_GT_AND_LT;
    return EXPIRE_PARSED;
}

enum time_parse deadline_parse(struct span text, int64_t unit_ms, int64_t base_ms,
                               int64_t *deadline_ms)
{
    int64_t value;
    if (!number_parse_i64(text, &value))
        return TIME_NOT_INTEGER;
    if (value > INT64_MAX / unit_ms || value < INT64_MIN / unit_ms)
        return TIME_INVALID;
    value *= unit_ms;
    if (value > INT64_MAX - base_ms)
        return TIME_INVALID;
    *deadline_ms = value + base_ms;
    return TIME_PARSED;
}

enum time_parse deadline_parse_positive(struct span text, int64_t unit_ms, int64_t base_ms,
                                        int64_t *deadline_ms)
{
    int64_t value;
    if (number_parse_i64(text, &value) && value <= 0)
        return TIME_INVALID;
    return deadline_parse(text, unit_ms, base_ms, deadline_ms);
}

enum time_parse set_options_deadline(const struct set_options *options, int64_t now_ms,
                                     int64_t *deadline_ms)
{
    *deadline_ms = NO_DEADLINE;
    if (!(options->flags & SET_TIMES))
        return TIME_PARSED;
    int64_t unit_ms = options->flags & (SET_EX | SET_EXAT) ? 1000 : 1;
    int64_t base_ms = options->flags & (SET_EX | SET_PX) ? now_ms : 0;
    return deadline_parse_positive(options->time, unit_ms, base_ms, deadline_ms);
}

void command_write_time_error(struct command_context *context, enum time_parse outcome,
                              const char *command)
{
    switch (outcome) {
    case TIME_PARSED:
        break;
    case TIME_NOT_INTEGER:
        resp_error(context->reply, ERROR_NOT_INTEGER);
        break;
    case TIME_INVALID:
        resp_errorf(context->reply, "ERR invalid expire time in '%s' command", command);
        break;
    }
}
