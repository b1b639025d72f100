/* Reads files, their includes and the command line, and applies each line to its directive. */
#include "config/internal.h"

struct loader {
    struct config *config;
    const struct config_source *source;
    const struct log *log;
    struct config_error *error;
    unsigned depth;
    enum err outcome;
    struct buf where; /* "redis.conf:12", for messages */
};

/* Keeps the message on one line, whatever bytes the file holds. */
static void set_error(struct loader *loader, struct span subject, struct span cause)
{
    struct buf line = {0};
    buf_add_span(&line, buf_span(&loader->where));
    buf_add_text(&line, ": ");
    if (subject.len > 0) {
        buf_add_char(&line, '\'');
        buf_add(&line, subject.ptr, subject.len < 128 ? subject.len : 128);
        buf_add_text(&line, "': ");
    }
    buf_add_span(&line, cause);
    size_t room = sizeof loader->error->message - 1;
    size_t len = line.len < room ? line.len : room;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)line.ptr[i];
        loader->error->message[i] = c < ' ' || c == 127 ? '?' : line.ptr[i];
    }
    loader->error->message[len] = '\0';
    buf_close(&line);
}

static enum err invalid(struct loader *loader, struct span subject, const char *cause)
{
    set_error(loader, subject, span_text(cause));
    return ERR_INVALID;
}

/* Shows invisible bytes, because an unknown name with one looks like a known name. */
static void add_visibly(struct buf *out, struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        if (c < ' ' || c > '~')
            buf_printf(out, "\\x%02x", c);
        else
            buf_add_char(out, name.ptr[i]);
    }
}

static enum err unknown(struct loader *loader, struct span name)
{
    struct buf cause = {0};
    buf_add_text(&cause, "unknown directive");
    const char *nearest = directive_nearest(name);
    if (nearest != NULL)
        buf_printf(&cause, "; did you mean '%s'?", nearest);
    struct buf shown = {0};
    add_visibly(&shown, name);
    set_error(loader, buf_span(&shown), buf_span(&cause));
    buf_close(&shown);
    buf_close(&cause);
    return ERR_INVALID;
}

static void warn(const struct loader *loader, const struct directive *directive,
                 const struct span *args)
{
    int where_len = (int)loader->where.len;
    const char *where = loader->where.ptr;
    if ((directive->flags & DIRECTIVE_ACCEPTED) != 0) {
        log_line(loader->log, LOG_WARNING, "%.*s: '%s' is accepted but has no effect here",
                 where_len, where, directive->name);
        return;
    }
    if (directive->choices == NULL)
        return;
    for (const struct choice *choice = directive->choices; choice->name != NULL; choice++)
        if (choice->warning != NULL && span_is(args[0], choice->name))
            log_line(loader->log, LOG_WARNING, "%.*s: '%s %s': %s", where_len, where,
                     directive->name, choice->name, choice->warning);
}

/* Keeps the values of earlier lines in front (save 900 1, save 60 1000); a single "" clears
 * them. */
static bool parse_added(struct config *config, const struct directive *directive,
                        const struct span *args, size_t count, struct buf *why)
{
    struct buf text = {0};
    if (count != 1 || args[0].len > 0)
        directive_format(config, directive, &text);
    for (size_t i = 0; i < count; i++) {
        if (text.len > 0)
            buf_add_char(&text, ' ');
        buf_add_span(&text, args[i]);
    }
    bool fine = directive_parse_text(config, directive, buf_span(&text), why);
    buf_close(&text);
    return fine;
}

bool directive_parse_line(struct config *config, const struct directive *directive,
                          const struct span *args, size_t count, struct buf *why)
{
    if ((directive->flags & DIRECTIVE_ADDS) != 0)
        return parse_added(config, directive, args, count, why);
    /* As in Redis, one pair of quotes may hold several values. */
    if (count == 1)
        return directive_parse_text(config, directive, args[0], why);
    return directive_parse(config, directive, args, count, why);
}

static enum err load_include(struct loader *loader, const struct span *paths, size_t count);

/* Applies one directive with its arguments. */
static enum err apply(struct loader *loader, const struct span *words, size_t count)
{
    const struct directive *directive = directive_find(words[0]);
    if (directive == NULL)
        return unknown(loader, words[0]);
    if ((directive->flags & DIRECTIVE_REFUSED) != 0)
        return invalid(loader, words[0], directive->reason);
    if (count == 1)
        return invalid(loader, words[0], "wrong number of arguments: a value is missing");
    if (span_is(words[0], "include"))
        return load_include(loader, words + 1, count - 1);
    struct buf why = {0};
    bool fine = directive_parse_line(loader->config, directive, words + 1, count - 1, &why);
    if (fine)
        warn(loader, directive, words + 1);
    else
        set_error(loader, words[0], buf_span(&why));
    buf_close(&why);
    return fine ? ERR_NONE : ERR_INVALID;
}

/* The directive's name in a line that cannot be split into words. */
static struct span first_word(struct span line)
{
    size_t len = 0;
    while (len < line.len && line.ptr[len] != ' ' && line.ptr[len] != '\t')
        len++;
    return span_of(line.ptr, len);
}

static enum err apply_line(struct loader *loader, struct words *words, struct span line)
{
    size_t start = 0;
    while (start < line.len && (line.ptr[start] == ' ' || line.ptr[start] == '\t'))
        start++;
    if (start < line.len && line.ptr[start] == '#')
        return ERR_NONE;
    switch (words_split(words, line)) {
    case WORDS_OK:
        return words->count == 0 ? ERR_NONE : apply(loader, words->list, words->count);
    case WORDS_UNBALANCED:
        return invalid(loader, first_word(span_of(line.ptr + start, line.len - start)),
                       "unbalanced quotes");
    case WORDS_TOO_MANY:
        break;
    }
    return invalid(loader, SPAN(""), "too many arguments in one line");
}

static enum err load_text(struct loader *loader, const char *name, struct span text)
{
    struct words words = {0};
    struct span line;
    enum err err = ERR_NONE;
    text = config_without_mark(text);
    for (size_t number = 1; err == ERR_NONE && config_next_line(&text, &line); number++) {
        loader->where.len = 0;
        buf_printf(&loader->where, "%s:%zu", name, number);
        err = apply_line(loader, &words, line);
    }
    words_close(&words);
    return err;
}

static enum err unreadable(struct loader *loader, const char *name, enum err err)
{
    struct buf cause = {0};
    buf_printf(&cause, "cannot read the %s: %s",
               loader->where.len ? "file of this include" : "configuration", err_text(err));
    if (loader->where.len == 0) {
        buf_add_text(&loader->where, name);
        name = "";
    }
    set_error(loader, span_text(name), buf_span(&cause));
    buf_close(&cause);
    return err;
}

static enum err load_file(struct loader *loader, const char *path)
{
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    struct buf text = {0};
    enum err err = loader->source->read(loader->source->context, path, &text);
    if (err != ERR_NONE) {
        err = unreadable(loader, name, err);
    } else {
        /* After the include, messages name the including line again. */
        struct buf outer = loader->where;
        loader->where = (struct buf){0};
        err = load_text(loader, name, buf_span(&text));
        buf_close(&loader->where);
        loader->where = outer;
    }
    buf_close(&text);
    return err;
}

static void load_expanded(void *to, const char *path)
{
    struct loader *loader = to;
    if (loader->outcome == ERR_NONE)
        loader->outcome = load_file(loader, path);
}

static enum err load_pattern(struct loader *loader, const char *path)
{
    if (path[strcspn(path, "*?[")] == '\0')
        return load_file(loader, path);
    loader->outcome = ERR_NONE;
    enum err err = loader->source->expand(loader->source->context, path, load_expanded, loader);
    if (err != ERR_NONE && loader->outcome == ERR_NONE)
        set_error(loader, span_text(path), span_text(err_text(err)));
    return loader->outcome != ERR_NONE ? loader->outcome : err;
}

static enum err load_include(struct loader *loader, const struct span *paths, size_t count)
{
    if (loader->depth == CONFIG_INCLUDE_DEPTH)
        return invalid(loader, SPAN("include"), "files include each other too deeply");
    loader->depth++;
    struct buf path = {0};
    enum err err = ERR_NONE;
    for (size_t i = 0; err == ERR_NONE && i < count; i++) {
        path.len = 0;
        buf_add_span(&path, paths[i]);
        buf_add_char(&path, '\0');
        err = load_pattern(loader, path.ptr);
    }
    buf_close(&path);
    loader->depth--;
    return err;
}

enum err config_load(struct config *config, const struct config_source *source, const char *path,
                     const struct log *log, struct config_error *error)
{
    struct loader loader = {.config = config, .source = source, .log = log, .error = error};
    enum err err = load_file(&loader, path);
    buf_close(&loader.where);
    return err;
}

static bool is_option(const char *arg)
{
    return strncmp(arg, "--", 2) == 0;
}

/* Applies "--name value …" from argv[*at] on, like redis-server 7. The argument after a bare name
 * is its value even if it begins with dashes (a password may). "--name value" may be one argument.
 * --save without a value saves never. */
static enum err apply_option(struct loader *loader, int argc, char **argv, int *at)
{
    struct words words = {0};
    struct span option = span_text(argv[(*at)++] + 2);
    if (words_split(&words, option) != WORDS_OK) {
        words_close(&words);
        return invalid(loader, first_word(option), "unbalanced quotes or too many arguments");
    }
    size_t count = words.count;
    bool value_comes = count <= 1;
    if (span_is(option, "save") && (*at == argc || is_option(argv[*at]))) {
        words.list[count++] = SPAN("");
        value_comes = false;
    }
    enum err err = ERR_NONE;
    for (; err == ERR_NONE && *at < argc && (value_comes || !is_option(argv[*at])); (*at)++) {
        value_comes = false;
        if (count == CONFIG_ARGS_MAX)
            err = invalid(loader, words.list[0], "too many arguments");
        else
            words.list[count++] = span_text(argv[*at]);
    }
    if (err == ERR_NONE && count > 0)
        err = apply(loader, words.list, count);
    words_close(&words);
    return err;
}

enum err config_load_args(struct config *config, const struct config_source *source, int argc,
                          char **argv, const struct log *log, struct config_error *error)
{
    struct loader loader = {.config = config, .source = source, .log = log, .error = error};
    /* Standard input is read before the options, whether its dash is the first or the last
     * argument. */
    bool first = argc > 0 && strcmp(argv[0], "-") == 0;
    bool last = !first && argc > 0 && strcmp(argv[argc - 1], "-") == 0;
    enum err err = first || last ? load_file(&loader, "-") : ERR_NONE;
    argc -= last;
    for (int at = first; err == ERR_NONE && at < argc;) {
        loader.where.len = 0;
        buf_add_text(&loader.where, "command line");
        err = is_option(argv[at]) ? apply_option(&loader, argc, argv, &at)
                                  : invalid(&loader, span_text(argv[at]), "expected --name value");
    }
    buf_close(&loader.where);
    return err;
}
