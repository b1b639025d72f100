/* Converts a directive's words to its field and back. CONFIG SET refuses in Redis' words. */
#include "base/assert.h"
#include "base/number.h"
#include "config/internal.h"

static void *field_of(struct config *config, const struct directive *directive)
{
    return (char *)config + directive->offset;
}

static const void *field_in(const struct config *config, const struct directive *directive)
{
    return (const char *)config + directive->offset;
}

static bool refuse(struct buf *why, const char *cause)
{
    buf_add_text(why, cause);
    return false;
}

static bool parse_bool(struct span text, bool *value, struct buf *why)
{
    bool yes = span_is(text, "yes");
    if (!yes && !span_is(text, "no"))
        return refuse(why, "argument must be 'yes' or 'no'");
    *value = yes;
    return true;
}

/* Redis' units: k, m, g are powers of 1000; kb, mb, gb are powers of 1024. */
static const struct {
    const char *name;
    uint64_t bytes;
} units[] = {
    {"", 1},
    {"b", 1},
    {"k", 1000},
    {"kb", 1024},
    {"m", 1000 * 1000},
    {"mb", 1024 * 1024},
    {"g", 1000 * 1000 * 1000},
    {"gb", 1024 * 1024 * 1024},
};

static bool read_memory(struct span text, uint64_t *value)
{
    uint64_t number = 0;
    size_t digits = 0;
    for (; digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9'; digits++) {
        uint64_t digit = (uint64_t)(text.ptr[digits] - '0');
        if (number > (UINT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    if (digits == 0 && text.len > 0)
        return false; /* an empty text is 0, as in Redis */
    struct span unit = span_of(text.ptr + digits, text.len - digits);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (!span_is(unit, units[i].name))
            continue;
        if (number > UINT64_MAX / units[i].bytes)
            return false;
        *value = number * units[i].bytes;
        return true;
    }
    return false;
}

static bool refuse_range(const struct directive *directive, struct buf *why)
{
    unsigned long long min = directive->min, max = directive->max;
    if (directive->kind == DIRECTIVE_OCTAL)
        buf_printf(why, "argument must be between %llo and %llo inclusive", min, max);
    else if (directive->kind == DIRECTIVE_INT)
        buf_printf(why, "argument must be between %lld and %lld inclusive",
                   (long long)directive->min, (long long)directive->max);
    else
        buf_printf(why, "argument must be between %llu and %llu inclusive", min, max);
    return false;
}

static bool parse_memory(struct config *config, const struct directive *directive, struct span text,
                         struct buf *why)
{
    uint64_t value;
    if (!read_memory(text, &value))
        return refuse(why, "argument must be a memory value");
    if (value < directive->min || value > directive->max)
        return refuse_range(directive, why);
    memcpy(field_of(config, directive), &value, sizeof value);
    return true;
}

static bool parse_int(struct config *config, const struct directive *directive, struct span text,
                      struct buf *why)
{
    int64_t value;
    if (!number_parse_i64(text, &value))
        return refuse(why, "argument couldn't be parsed into an integer");
    int64_t min = (int64_t)directive->min, max = (int64_t)directive->max;
    if ((directive->flags & DIRECTIVE_CLAMP) != 0) {
        if (value < 0 || value > INT32_MAX)
            return refuse(why, "argument must be between 0 and 2147483647 inclusive");
        value = value < min ? min : value > max ? max : value;
    }
    if (value < min || value > max)
        return refuse_range(directive, why);
    if (directive->size == sizeof value && directive->kind == DIRECTIVE_INT) {
        memcpy(field_of(config, directive), &value, sizeof value);
        return true;
    }
    if (directive->kind == DIRECTIVE_ID) {
        uint64_t id = (uint64_t)value;
        memcpy(field_of(config, directive), &id, sizeof id);
        return true;
    }
    int number = (int)value;
    memcpy(field_of(config, directive), &number, sizeof number);
    return true;
}

static bool parse_octal(struct config *config, const struct directive *directive, struct span text,
                        struct buf *why)
{
    unsigned value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '7')
            return refuse(why, "argument couldn't be parsed as an octal number");
        value = value * 8 + (unsigned)(text.ptr[i] - '0');
        if (value > directive->max)
            return refuse_range(directive, why);
    }
    if (text.len == 0)
        return refuse(why, "argument couldn't be parsed as an octal number");
    memcpy(field_of(config, directive), &value, sizeof value);
    return true;
}

static bool consists_of(struct span text, const char *marks)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_word && (c == '\0' || strchr(marks, c) == NULL))
            return false;
    }
    return true;
}

static bool store_text(struct config *config, const struct directive *directive, struct span text,
                       struct buf *why)
{
    if (text.len >= directive->size) {
        buf_printf(why, "argument is longer than %zu bytes", directive->size - 1);
        return false;
    }
    if (text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL)
        return refuse(why, "argument must not hold a zero byte");
    if (text.len == 0 &&
        (directive->kind == DIRECTIVE_FILE_NAME || (directive->flags & DIRECTIVE_FILLED) != 0))
        return refuse(why, "argument must not be empty");
    if (directive->kind == DIRECTIVE_FILE_NAME && memchr(text.ptr, '/', text.len) != NULL) {
        buf_printf(why, "%s can't be a path, just a name", directive->name);
        return false;
    }
    if (directive->marks != NULL && !consists_of(text, directive->marks))
        return refuse(why, directive->marks_reason);
    char *field = field_of(config, directive);
    memset(field, 0, directive->size);
    if (text.len > 0)
        memcpy(field, text.ptr, text.len);
    return true;
}

static bool parse_choice(struct config *config, const struct directive *directive, struct span text,
                         struct buf *why)
{
    const struct choice *choice = directive->choices;
    while (choice->name != NULL && !span_is(text, choice->name))
        choice++;
    if (choice->name == NULL) {
        buf_add_text(why, "argument(s) must be one of the following: ");
        for (choice = directive->choices; choice->name != NULL; choice++)
            buf_printf(why, "%s%s", choice == directive->choices ? "" : ", ", choice->name);
        return false;
    }
    if (choice->refused != NULL) {
        buf_printf(why, "'%s' %s", choice->name, choice->refused);
        return false;
    }
    if (directive->kind == DIRECTIVE_ENUM_STRING)
        return store_text(config, directive, span_text(choice->name), why);
    ASSERT(directive->size == sizeof choice->value);
    memcpy(field_of(config, directive), &choice->value, sizeof choice->value);
    return true;
}

static bool parse_bind(struct config *config, const struct span *args, size_t count,
                       struct buf *why)
{
    /* bind "" listens on no address, only on the unix socket. */
    if (count == 1 && args[0].len == 0)
        count = 0;
    if (count > CONFIG_BIND_MAX)
        return refuse(why, "Too many bind addresses specified.");
    for (size_t i = 0; i < count; i++)
        if (args[i].len == 0 || args[i].len >= sizeof config->bind[0] ||
            memchr(args[i].ptr, '\0', args[i].len) != NULL)
            return refuse(why, "Invalid bind address specified.");
    memset(config->bind, 0, sizeof config->bind);
    for (size_t i = 0; i < count; i++)
        memcpy(config->bind[i], args[i].ptr, args[i].len);
    config->bind_count = count;
    return true;
}

/* CONFIG GET shows the second name. */
static const char *const class_names[CONFIG_CLIENT_CLASSES][2] = {
    [CONFIG_CLIENT_NORMAL] = {"normal", "normal"},
    [CONFIG_CLIENT_REPLICA] = {"replica", "slave"},
    [CONFIG_CLIENT_PUBSUB] = {"pubsub", "pubsub"},
};

static bool parse_output_limits(struct config *config, const struct span *args, size_t count,
                                struct buf *why)
{
    struct config_output_limit limits[CONFIG_CLIENT_CLASSES];
    memcpy(limits, config->output_limits, sizeof limits);
    if (count % 4 != 0)
        return refuse(why, "Wrong number of arguments in buffer limit configuration.");
    for (size_t i = 0; i < count; i += 4) {
        size_t which = 0;
        while (which < CONFIG_CLIENT_CLASSES && !span_is(args[i], class_names[which][0]) &&
               !span_is(args[i], class_names[which][1]))
            which++;
        if (which == CONFIG_CLIENT_CLASSES)
            return refuse(why, "Invalid client class specified in buffer limit configuration.");
        uint64_t seconds;
        if (!read_memory(args[i + 1], &limits[which].hard_bytes) ||
            !read_memory(args[i + 2], &limits[which].soft_bytes) ||
            !number_parse_u64(args[i + 3], &seconds) || seconds > INT32_MAX)
            return refuse(why, "Error in hard, soft or soft_seconds setting in buffer limit "
                               "configuration.");
        limits[which].soft_seconds = (uint32_t)seconds;
    }
    memcpy(config->output_limits, limits, sizeof limits);
    return true;
}

static void join(struct buf *out, const struct span *args, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add_char(out, ' ');
        buf_add_span(out, args[i]);
    }
}

static bool are_save_points(const struct span *args, size_t count)
{
    int64_t number;
    for (size_t i = 0; i < count; i++)
        if (!number_parse_i64(args[i], &number) || number < (i % 2 == 0 ? 1 : 0))
            return false;
    return count % 2 == 0;
}

/* Checks as Redis does and converts to the form that Redis shows. */
static bool accepted_text(const struct directive *directive, const struct span *args, size_t count,
                          struct buf *text, struct buf *why)
{
    bool yes;
    int64_t number;
    uint64_t bytes;
    switch (directive->kind) {
    case DIRECTIVE_BOOL:
        if (!parse_bool(args[0], &yes, why))
            return false;
        buf_add_text(text, yes ? "yes" : "no");
        return true;
    case DIRECTIVE_INT:
        if (!number_parse_i64(args[0], &number))
            return refuse(why, "argument couldn't be parsed into an integer");
        if (number < (int64_t)directive->min || number > (int64_t)directive->max)
            return refuse_range(directive, why);
        break;
    case DIRECTIVE_MEMORY:
        if (!read_memory(args[0], &bytes))
            return refuse(why, "argument must be a memory value");
        if (directive->max > 0 && (bytes < directive->min || bytes > directive->max))
            return refuse_range(directive, why);
        buf_add_u64(text, bytes);
        return true;
    case DIRECTIVE_SAVE:
        if (!are_save_points(args, count))
            return refuse(why, "Invalid save parameters");
        break;
    case DIRECTIVE_ID:
    case DIRECTIVE_OCTAL:
    case DIRECTIVE_ENUM:
    case DIRECTIVE_ENUM_STRING:
    case DIRECTIVE_STRING:
    case DIRECTIVE_FILE_NAME:
    case DIRECTIVE_BIND:
    case DIRECTIVE_OUTPUT_LIMITS:
    case DIRECTIVE_WORDS:
        break;
    }
    join(text, args, count);
    return true;
}

static bool parse_accepted(struct config *config, const struct directive *directive,
                           const struct span *args, size_t count, struct buf *why)
{
    struct buf text = {0};
    bool fine = accepted_text(directive, args, count, &text, why);
    if (fine && text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL)
        fine = refuse(why, "argument must not hold a zero byte");
    if (fine && directive->not_done != NULL &&
        !span_equal(buf_span(&text), span_text(directive->initial)))
        fine = refuse(why, directive->not_done);
    if (fine && !accepted_set(config, directive, buf_span(&text)))
        fine = refuse(why, "too much text in directives without effect; remove some of them");
    buf_close(&text);
    return fine;
}

static bool takes_many(const struct directive *directive)
{
    return directive->kind == DIRECTIVE_WORDS || directive->kind == DIRECTIVE_SAVE ||
           directive->kind == DIRECTIVE_BIND || directive->kind == DIRECTIVE_OUTPUT_LIMITS;
}

bool directive_parse(struct config *config, const struct directive *directive,
                     const struct span *args, size_t count, struct buf *why)
{
    if (!takes_many(directive) && count != 1)
        return refuse(why, "wrong number of arguments");
    if ((directive->flags & DIRECTIVE_ACCEPTED) != 0)
        return parse_accepted(config, directive, args, count, why);
    switch (directive->kind) {
    case DIRECTIVE_BOOL:
        return parse_bool(args[0], field_of(config, directive), why);
    case DIRECTIVE_INT:
    case DIRECTIVE_ID:
        return parse_int(config, directive, args[0], why);
    case DIRECTIVE_OCTAL:
        return parse_octal(config, directive, args[0], why);
    case DIRECTIVE_MEMORY:
        return parse_memory(config, directive, args[0], why);
    case DIRECTIVE_ENUM:
    case DIRECTIVE_ENUM_STRING:
        return parse_choice(config, directive, args[0], why);
    case DIRECTIVE_STRING:
    case DIRECTIVE_FILE_NAME:
        return store_text(config, directive, args[0], why);
    case DIRECTIVE_BIND:
        return parse_bind(config, args, count, why);
    case DIRECTIVE_OUTPUT_LIMITS:
        return parse_output_limits(config, args, count, why);
    case DIRECTIVE_SAVE:
    case DIRECTIVE_WORDS:
        break;
    }
    return refuse(why, "cannot be set");
}

static void format_choice(const struct config *config, const struct directive *directive,
                          struct buf *out)
{
    int value;
    memcpy(&value, field_in(config, directive), sizeof value);
    const struct choice *choice = directive->choices;
    while (choice->name != NULL && choice->value != value)
        choice++;
    ASSERT(choice->name != NULL);
    buf_add_text(out, choice->name);
}

static void format_output_limits(const struct config *config, struct buf *out)
{
    for (size_t i = 0; i < CONFIG_CLIENT_CLASSES; i++) {
        const struct config_output_limit *limit = &config->output_limits[i];
        buf_printf(out, "%s%s %llu %llu %u", i == 0 ? "" : " ", class_names[i][1],
                   (unsigned long long)limit->hard_bytes, (unsigned long long)limit->soft_bytes,
                   (unsigned)limit->soft_seconds);
    }
}

static void format_bind(const struct config *config, struct buf *out)
{
    for (size_t i = 0; i < config->bind_count; i++)
        buf_printf(out, "%s%s", i == 0 ? "" : " ", config->bind[i]);
}

static void format_number(const struct config *config, const struct directive *directive,
                          struct buf *out)
{
    if (directive->kind == DIRECTIVE_INT && directive->size == sizeof(int64_t)) {
        int64_t number;
        memcpy(&number, field_in(config, directive), sizeof number);
        buf_add_i64(out, number);
        return;
    }
    if (directive->kind == DIRECTIVE_INT) {
        int number;
        memcpy(&number, field_in(config, directive), sizeof number);
        buf_add_i64(out, number);
        return;
    }
    if (directive->kind == DIRECTIVE_OCTAL) {
        unsigned mode;
        memcpy(&mode, field_in(config, directive), sizeof mode);
        buf_printf(out, "%o", mode);
        return;
    }
    uint64_t value;
    memcpy(&value, field_in(config, directive), sizeof value);
    buf_add_u64(out, value);
}

void directive_format(const struct config *config, const struct directive *directive,
                      struct buf *out)
{
    if ((directive->flags & DIRECTIVE_ACCEPTED) != 0) {
        buf_add_span(out, accepted_get(config, directive));
        return;
    }
    switch (directive->kind) {
    case DIRECTIVE_BOOL:
        buf_add_text(out, *(const bool *)field_in(config, directive) ? "yes" : "no");
        return;
    case DIRECTIVE_INT:
    case DIRECTIVE_ID:
    case DIRECTIVE_OCTAL:
    case DIRECTIVE_MEMORY:
        format_number(config, directive, out);
        return;
    case DIRECTIVE_ENUM:
        format_choice(config, directive, out);
        return;
    case DIRECTIVE_ENUM_STRING:
    case DIRECTIVE_STRING:
    case DIRECTIVE_FILE_NAME:
        if ((directive->flags & DIRECTIVE_REFUSED) == 0)
            buf_add_text(out, field_in(config, directive));
        return;
    case DIRECTIVE_BIND:
        format_bind(config, out);
        return;
    case DIRECTIVE_OUTPUT_LIMITS:
        format_output_limits(config, out);
        return;
    case DIRECTIVE_SAVE:
    case DIRECTIVE_WORDS:
        return;
    }
}

void directive_write(const struct config *config, const struct directive *directive,
                     struct buf *out)
{
    struct buf value = {0};
    struct words words = {0};
    directive_format(config, directive, &value);
    if (!takes_many(directive) || words_split_plain(&words, buf_span(&value)) != WORDS_OK ||
        words.count == 0)
        words_quote(out, buf_span(&value));
    for (size_t i = 0; i < words.count; i++) {
        if (i > 0)
            buf_add_char(out, ' ');
        words_quote(out, words.list[i]);
    }
    words_close(&words);
    buf_close(&value);
}

bool directive_parse_text(struct config *config, const struct directive *directive,
                          struct span text, struct buf *why)
{
    struct words words = {0};
    bool fine;
    if (!takes_many(directive))
        fine = directive_parse(config, directive, &text, 1, why);
    else if (words_split_plain(&words, text) != WORDS_OK)
        fine = refuse(why, "too many arguments");
    else
        fine = directive_parse(config, directive, words.list, words.count, why);
    words_close(&words);
    return fine;
}
