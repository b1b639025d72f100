/* Iterating over keys: KEYS, SCAN, RANDOMKEY. Keys past their deadline are left out. */
#include "command/access.h"
#include "command/data.h"

/* More keys per call would block other clients for too long; the cursor continues from there. */
enum { SCAN_COUNT_MAX = 50 * 1000 };

/* Of the pattern's bytes, beyond one for each byte of the keys: some 60 ms. */
enum { GLOB_BYTES_MAX = 12 * 1024 * 1024, WORK_PER_KEY = 100, WORK_PER_BYTE = 4 };

static const char endless[] =
    "ERR the pattern would take too long to match against these keys: nothing was returned";

/* Gathers the keys that pass the filters, because their number is known only at the end. */
struct gathering {
    int64_t now_ms;
    struct span pattern;
    bool matches_all; /* the pattern matches every key */
    bool nothing;     /* no key passes */
    uint64_t left;    /* see command_glob_within(); 0: given up */
    size_t seen;
    size_t count;
    struct buf body;
    struct resp_writer writer;
};

static void gather(void *context, struct item *item)
{
    struct gathering *gathering = context;
    int64_t deadline_ms = item_deadline(item);
    gathering->seen++;
    if (gathering->nothing || gathering->left == 0 ||
        (deadline_ms != NO_DEADLINE && deadline_ms <= gathering->now_ms))
        return;
    struct span key = item_key(item);
    if (!gathering->matches_all &&
        !command_glob_within(gathering->pattern, key, false, &gathering->left))
        return;
    gathering->writer.out = &gathering->body;
    resp_bulk(&gathering->writer, key);
    gathering->count++;
}

static void write_gathered(struct command_context *context, struct gathering *gathering)
{
    resp_array(context->reply, gathering->count);
    resp_raw(context->reply, buf_span(&gathering->body));
    buf_close(&gathering->body);
}

/* Of each key: a miss of the processor's cache, a comparison, a copy. */
enum { KEYS_WORK_PER_KEY = 128 };

size_t command_keys_work(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    (void)args;
    (void)argc;
    return KEYS_WORK_PER_KEY * keyspace_count(keyspace);
}

/* Counts the work. False: the client got an error. */
static bool may_answer(struct command_context *context, struct gathering *gathering)
{
    context->work +=
        gathering->seen * WORK_PER_KEY + (GLOB_BYTES_MAX - gathering->left) * WORK_PER_BYTE;
    if (gathering->left)
        return true;
    buf_close(&gathering->body);
    resp_error(context->reply, endless);
    return false;
}

void command_keys_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    struct gathering gathering = {
        .now_ms = context->now_ms,
        .pattern = args[1],
        .left = GLOB_BYTES_MAX,
        .matches_all = span_equal(args[1], SPAN("*")),
        .writer.protocol = context->reply->protocol,
    };
    keyspace_scan(context->keyspace, 0, SIZE_MAX, gather, &gathering);
    if (may_answer(context, &gathering))
        write_gathered(context, &gathering);
}

/* Accepts decimal with leading zeros and a sign, like C's strtoul(), which Redis uses. */
static bool parse_cursor(struct span text, uint64_t *cursor)
{
    *cursor = 0;
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

static bool parse_scan_options(struct command_context *context, const struct span *args,
                               size_t argc, int64_t *count, struct gathering *gathering)
{
    for (size_t i = 2; i < argc; i += 2) {
        bool has_value = i + 1 < argc;
        if (has_value && span_is(args[i], "count")) {
            if (!command_parse_integer(context, args[i + 1], count))
                return false;
            if (*count < 1) {
                resp_error(context->reply, ERROR_SYNTAX);
                return false;
            }
        } else if (has_value && span_is(args[i], "match")) {
            gathering->pattern = args[i + 1];
            gathering->matches_all = span_equal(args[i + 1], SPAN("*"));
        } else if (has_value && span_is(args[i], "type")) {
            gathering->nothing = !span_is(args[i + 1], "string");
        } else {
            resp_error(context->reply, ERROR_SYNTAX);
            return false;
        }
    }
    return true;
}

void command_scan_run(struct command_context *context, const struct span *args, size_t argc)
{
    uint64_t cursor;
    if (!parse_cursor(args[1], &cursor)) {
        resp_error(context->reply, "ERR invalid cursor");
        return;
    }
    struct gathering gathering = {
        .now_ms = context->now_ms,
        .matches_all = true,
        .left = GLOB_BYTES_MAX,
        .writer.protocol = context->reply->protocol,
    };
    int64_t count = 10;
    if (!parse_scan_options(context, args, argc, &count, &gathering))
        return;
    if (count > SCAN_COUNT_MAX)
        count = SCAN_COUNT_MAX;
    cursor = keyspace_scan(context->keyspace, cursor, (size_t)count, gather, &gathering);
    if (!may_answer(context, &gathering))
        return;
    resp_array(context->reply, 2);
    resp_bulk_i64(context->reply, (int64_t)cursor);
    write_gathered(context, &gathering);
}

struct survivor {
    int64_t now_ms;
    const struct item *item;
};

static void find_survivor(void *context, struct item *item)
{
    struct survivor *survivor = context;
    int64_t deadline_ms = item_deadline(item);
    if (deadline_ms == NO_DEADLINE || deadline_ms > survivor->now_ms)
        survivor->item = item;
}

/* Draws again while the drawn key is past its deadline. After many attempts hardly any key is
 * alive, and the first live one found is returned. */
void command_randomkey_run(struct command_context *context, const struct span *args, size_t argc)
{
    enum { DRAWS_MAX = 100 };
    (void)args, (void)argc;
    struct survivor survivor = {.now_ms = context->now_ms};
    for (int i = 0; i < DRAWS_MAX && !survivor.item; i++) {
        struct item *item = keyspace_random(context->keyspace, context->prng);
        if (!item)
            break;
        find_survivor(&survivor, item);
    }
    uint64_t cursor = 0;
    while (!survivor.item && keyspace_count(context->keyspace)) {
        cursor = keyspace_scan(context->keyspace, cursor, 1, find_survivor, &survivor);
        if (cursor == 0)
            break;
    }
    if (survivor.item)
        resp_bulk(context->reply, item_key(survivor.item));
    else
        resp_null(context->reply);
}
