/* table.h describes the language. A syntax is a constant of the table, so an error in it is a bug:
 * the parser asserts. */
#include "base/assert.h"
#include "command/table.h"

enum { ARGUMENTS_MAX = 48, NONE = -1 };

struct argument {
    struct span name;
    struct span token; /* ptr NULL: none */
    struct span since;
    struct span deprecated;
    const char *type;
    int key_spec; /* NONE: not a key */
    bool optional;
    bool multiple;
    bool repeats_token;
    int children; /* the first child of a list linked by `next`; or NONE */
    int next;
};

struct syntax {
    const char *at;
    struct argument arguments[ARGUMENTS_MAX];
    int count;
};

static const char oneof_type[] = "oneof";
static const char block_type[] = "block";
static const char token_type[] = "pure-token";

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_word(char c)
{
    return is_upper(c) || is_lower(c) || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '/';
}

static bool accept(struct syntax *syntax, char c)
{
    if (*syntax->at != c)
        return false;
    syntax->at++;
    return true;
}

static struct span read_word(struct syntax *syntax)
{
    const char *begin = syntax->at;
    while (is_word(*syntax->at))
        syntax->at++;
    ASSERT(syntax->at > begin);
    return span_of(begin, (size_t)(syntax->at - begin));
}

static struct span read_version(struct syntax *syntax)
{
    const char *begin = syntax->at;
    while ((*syntax->at >= '0' && *syntax->at <= '9') ||
           (*syntax->at == '.' && syntax->at[1] != '.'))
        syntax->at++;
    ASSERT(syntax->at > begin);
    return span_of(begin, (size_t)(syntax->at - begin));
}

static struct span read_token(struct syntax *syntax)
{
    if (!accept(syntax, '\''))
        return read_word(syntax);
    const char *end = strchr(syntax->at, '\'');
    ASSERT(end && end > syntax->at);
    struct span token = span_of(syntax->at, (size_t)(end - syntax->at));
    syntax->at = end + 1;
    return token;
}

/* A colon without a type after it belongs to the name ("ip:port"). */
static const char *read_type(struct syntax *syntax)
{
    static const char *const types[] = {"integer", "double", "pattern", "unix-time"};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        size_t len = strlen(types[i]);
        if (strncmp(syntax->at, types[i], len) == 0 && !is_word(syntax->at[len])) {
            syntax->at += len;
            return types[i];
        }
    }
    return NULL;
}

static int parse_list(struct syntax *syntax, char end, const char *separator);

static void parse_kind(struct syntax *syntax, struct argument *argument)
{
    argument->type = "string";
    if (accept(syntax, '=')) {
        argument->token = read_token(syntax);
        argument->type = token_type;
    } else if (accept(syntax, '#')) {
        argument->key_spec = *syntax->at++ - '0';
        argument->type = "key";
    } else if (accept(syntax, '(')) {
        argument->type = oneof_type;
        argument->children = parse_list(syntax, ')', " | ");
    } else if (accept(syntax, '{')) {
        argument->type = block_type;
        argument->children = parse_list(syntax, '}', " ");
    } else if (accept(syntax, ':')) {
        const char *type = read_type(syntax);
        if (type && accept(syntax, '#'))
            argument->key_spec = *syntax->at++ - '0';
        if (type)
            argument->type = type;
        else
            argument->name.len += 1 + read_word(syntax).len;
    }
}

static void parse_marks(struct syntax *syntax, struct argument *argument)
{
    if (accept(syntax, '@'))
        argument->since = read_version(syntax);
    if (accept(syntax, '!'))
        argument->deprecated = read_version(syntax);
    argument->repeats_token = accept(syntax, '+');
    if (strncmp(syntax->at, "...", 3) == 0) {
        syntax->at += 3;
        argument->multiple = true;
    }
}

static int parse_argument(struct syntax *syntax)
{
    ASSERT(syntax->count < ARGUMENTS_MAX);
    int index = syntax->count++;
    struct argument *argument = &syntax->arguments[index];
    *argument = (struct argument){.key_spec = NONE, .children = NONE, .next = NONE};
    argument->optional = accept(syntax, '[');
    if (is_upper(*syntax->at) || *syntax->at == '\'') {
        argument->token = read_token(syntax);
        argument->name = argument->token;
        argument->type = token_type;
    }
    bool has_value = !argument->token.ptr || (*syntax->at == ' ' && is_lower(syntax->at[1]));
    if (has_value) {
        if (argument->token.ptr)
            syntax->at++;
        argument->name = read_word(syntax);
        parse_kind(syntax, argument);
    }
    parse_marks(syntax, argument);
    ASSERT(!argument->optional || accept(syntax, ']'));
    return index;
}

static int parse_list(struct syntax *syntax, char end, const char *separator)
{
    int first = parse_argument(syntax);
    int last = first;
    while (!accept(syntax, end)) {
        size_t len = strlen(separator);
        ASSERT(strncmp(syntax->at, separator, len) == 0);
        syntax->at += len;
        int next = parse_argument(syntax);
        syntax->arguments[last].next = next;
        last = next;
    }
    return first;
}

static int parse(struct syntax *syntax, const char *text)
{
    syntax->at = text;
    syntax->count = 0;
    return parse_list(syntax, '\0', " ");
}

static size_t list_count(const struct syntax *syntax, int first)
{
    size_t count = 0;
    for (int i = first; i != NONE; i = syntax->arguments[i].next)
        count++;
    return count;
}

static void write_name(const struct argument *argument, struct resp_writer *reply)
{
    ASSERT(argument->name.ptr);
    struct buf name = {0};
    bool from_token = argument->name.ptr == argument->token.ptr;
    for (size_t i = 0; i < argument->name.len; i++) {
        char c = argument->name.ptr[i];
        buf_add_char(&name, from_token && is_upper(c) ? (char)(c - 'A' + 'a') : c);
    }
    resp_bulk(reply, buf_span(&name));
    buf_close(&name);
}

static void write_span_field(const char *field, struct span value, struct resp_writer *reply)
{
    if (!value.ptr)
        return;
    resp_bulk_text(reply, field);
    resp_bulk(reply, value);
}

static void write_flags(const struct argument *argument, struct resp_writer *reply)
{
    if (!argument->optional && !argument->multiple)
        return;
    resp_bulk_text(reply, "flags");
    resp_set(reply, (size_t)argument->optional + argument->multiple + argument->repeats_token);
    if (argument->optional)
        resp_status(reply, "optional");
    if (argument->multiple)
        resp_status(reply, "multiple");
    if (argument->repeats_token)
        resp_status(reply, "multiple_token");
}

static void write_list(const struct syntax *syntax, int first, struct resp_writer *reply);

static void write_argument(const struct syntax *syntax, const struct argument *argument,
                           struct resp_writer *reply)
{
    size_t fields = 2u + (argument->key_spec != NONE) + (argument->token.ptr != NULL) +
                    (argument->since.ptr != NULL) + (argument->deprecated.ptr != NULL) +
                    (argument->optional || argument->multiple) + (argument->children != NONE);
    resp_map(reply, fields);
    resp_bulk_text(reply, "name");
    write_name(argument, reply);
    resp_bulk_text(reply, "type");
    resp_bulk_text(reply, argument->type);
    if (argument->key_spec != NONE) {
        resp_bulk_text(reply, "key_spec_index");
        resp_integer(reply, argument->key_spec);
    }
    write_span_field("token", argument->token, reply);
    write_span_field("since", argument->since, reply);
    write_span_field("deprecated_since", argument->deprecated, reply);
    write_flags(argument, reply);
    if (argument->children != NONE) {
        resp_bulk_text(reply, "arguments");
        write_list(syntax, argument->children, reply);
    }
}

static void write_list(const struct syntax *syntax, int first, struct resp_writer *reply)
{
    resp_array(reply, list_count(syntax, first));
    for (int i = first; i != NONE; i = syntax->arguments[i].next)
        write_argument(syntax, &syntax->arguments[i], reply);
}

void command_write_syntax(const char *text, struct resp_writer *reply)
{
    struct syntax syntax;
    int first = parse(&syntax, text);
    write_list(&syntax, first, reply);
}

static void print_list(const struct syntax *syntax, int first, const char *separator,
                       struct buf *out);

static void print_value(const struct syntax *syntax, const struct argument *argument,
                        struct buf *out)
{
    if (argument->type == token_type) {
        buf_add_span(out, argument->token);
        return;
    }
    if (argument->token.ptr) {
        buf_add_span(out, argument->token);
        buf_add_char(out, ' ');
    }
    bool bracketed = argument->optional && !argument->token.ptr;
    if (argument->type == oneof_type) {
        buf_add_text(out, bracketed ? "" : "(");
        print_list(syntax, argument->children, "|", out);
        buf_add_text(out, bracketed ? "" : ")");
    } else if (argument->type == block_type) {
        print_list(syntax, argument->children, " ", out);
    } else {
        buf_add_char(out, '<');
        buf_add_span(out, argument->name);
        buf_add_char(out, '>');
    }
}

static void print_list(const struct syntax *syntax, int first, const char *separator,
                       struct buf *out)
{
    for (int i = first; i != NONE; i = syntax->arguments[i].next) {
        const struct argument *argument = &syntax->arguments[i];
        if (i != first)
            buf_add_text(out, separator);
        if (argument->optional)
            buf_add_char(out, '[');
        print_value(syntax, argument, out);
        if (argument->multiple)
            buf_add_text(out, " ...");
        if (argument->optional)
            buf_add_char(out, ']');
    }
}

void command_print_syntax(const char *text, struct buf *out)
{
    struct syntax syntax;
    int first = parse(&syntax, text);
    print_list(&syntax, first, " ", out);
}
