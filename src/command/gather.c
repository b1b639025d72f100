#include "command/gather.h"

#include "command/access.h"

/* Of the pattern's bytes, beyond one for each byte of the texts: some 60 ms. */
enum { GLOB_BYTES_MAX = 12 * 1024 * 1024, WORK_PER_TEXT = 100, WORK_PER_BYTE = 4 };

/* More elements per call would block other clients for too long; the cursor continues from there.
 */
enum { SCAN_COUNT_MAX = 50 * 1000 };

static const char endless[] =
    "ERR the pattern would take too long to match against these keys: nothing was returned";

void gather_begin(struct gathering *gathering, struct command_context *context)
{
    *gathering = (struct gathering){
        .context = context,
        .matches_all = true,
        .scan_count = 10,
        .left = GLOB_BYTES_MAX,
        .writer = {.out = &gathering->body, .protocol = context->reply->protocol},
    };
}

void gather_pattern(struct gathering *gathering, struct span pattern)
{
    gathering->pattern = pattern;
    gathering->matches_all = span_equal(pattern, SPAN("*"));
}

bool gather_wants(struct gathering *gathering, struct span text)
{
    gathering->seen++;
    if (gathering->left == 0)
        return false;
    return gathering->matches_all ||
           command_glob_within(gathering->pattern, text, false, &gathering->left);
}

void gather_add(struct gathering *gathering, struct span bytes)
{
    resp_bulk(&gathering->writer, bytes);
    gathering->count++;
}

/* Counts the work. False: the client got an error. */
static bool may_answer(struct gathering *gathering)
{
    struct command_context *context = gathering->context;
    context->work +=
        gathering->seen * WORK_PER_TEXT + (GLOB_BYTES_MAX - gathering->left) * WORK_PER_BYTE;
    if (gathering->left)
        return true;
    buf_close(&gathering->body);
    resp_error(context->reply, endless);
    return false;
}

static void write_gathered(struct gathering *gathering, bool is_set)
{
    struct resp_writer *reply = gathering->context->reply;
    if (is_set)
        resp_set(reply, gathering->count);
    else
        resp_array(reply, gathering->count);
    resp_raw(reply, buf_span(&gathering->body));
    buf_close(&gathering->body);
}

void gather_end(struct gathering *gathering, bool is_set)
{
    if (may_answer(gathering))
        write_gathered(gathering, is_set);
}

void gather_end_scan(struct gathering *gathering, uint64_t cursor)
{
    if (!may_answer(gathering))
        return;
    resp_array(gathering->context->reply, 2);
    resp_bulk_i64(gathering->context->reply, (int64_t)cursor);
    write_gathered(gathering, false);
}

/* Accepts decimal with leading zeros and a sign, like C's strtoul(), which Redis uses. */
static bool parse_cursor(struct span text, uint64_t *cursor)
{
    *cursor = 0;
    if (text.len) /* a zero byte ends the number */
        text.len = strnlen(text.ptr, text.len);
    if (text.len == 0)
        return true;
    bool negative = text.ptr[0] == '-';
    size_t i = negative || text.ptr[0] == '+';
    if (i == text.len)
        return false;
    for (; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        unsigned digit = (unsigned)(text.ptr[i] - '0');
        if (*cursor > (UINT64_MAX - digit) / 10)
            return false;
        *cursor = *cursor * 10 + digit;
    }
    if (negative)
        *cursor = 0 - *cursor;
    return true;
}

bool command_parse_cursor(struct command_context *context, struct span text, uint64_t *cursor)
{
    if (parse_cursor(text, cursor))
        return true;
    resp_error(context->reply, "ERR invalid cursor");
    return false;
}

/* Reads the option at args[at]; returns how many arguments it takes. 0: the error was written. */
static size_t parse_option(struct gathering *gathering, const struct span *args, size_t left,
                           unsigned allowed)
{
    struct command_context *context = gathering->context;
    if (left > 1 && span_is(args[0], "count")) {
        if (!command_parse_integer(context, args[1], &gathering->scan_count))
            return 0;
        if (gathering->scan_count >= 1)
            return 2;
    } else if (left > 1 && span_is(args[0], "match")) {
        gather_pattern(gathering, args[1]);
        return 2;
    } else if (left > 1 && (allowed & GATHER_TYPE) && span_is(args[0], "type")) {
        gathering->type = args[1];
        return 2;
    } else if ((allowed & GATHER_NOVALUES) && span_is(args[0], "novalues")) {
        gathering->novalues = true;
        return 1;
    }
    resp_error(context->reply, ERROR_SYNTAX);
    return 0;
}

bool gather_parse(struct gathering *gathering, const struct span *args, size_t argc, size_t first,
                  unsigned allowed)
{
    while (first < argc) {
        size_t taken = parse_option(gathering, args + first, argc - first, allowed);
        if (taken == 0)
            return false;
        first += taken;
    }
    if (gathering->scan_count > SCAN_COUNT_MAX)
        gathering->scan_count = SCAN_COUNT_MAX;
    return true;
}

void gather_run_scan(struct command_context *context, const struct span *args, size_t argc,
                     enum value_type type, unsigned allowed, gather_scan *scan)
{
    uint64_t cursor;
    const void *value;
    struct gathering gathering;
    gather_begin(&gathering, context);
    if (!command_parse_cursor(context, args[2], &cursor) ||
        !command_read(context, args[1], type, &value))
        return;
    if (!value) {
        gather_end_scan(&gathering, 0);
        return;
    }
    if (!gather_parse(&gathering, args, argc, 3, allowed))
        return;
    cursor = scan(value, cursor, &gathering);
    gather_end_scan(&gathering, cursor);
}
