/* Iterating over keys: KEYS, SCAN, RANDOMKEY. Keys past their deadline are left out. */
#include "command/data.h"
#include "command/gather.h"
#include "keyspace/value.h"

static void gather(void *context, struct item *item)
{
    struct gathering *gathering = context;
    int64_t deadline_ms = item_deadline(item);
    bool is_past = deadline_ms != NO_DEADLINE && deadline_ms <= gathering->context->now_ms;
    bool other_type =
        gathering->type.ptr && !span_is(gathering->type, value_type_name(item_type(item)));
    if (is_past || other_type)
        gathering->seen++;
    else if (gather_wants(gathering, item_key(item)))
        gather_add(gathering, item_key(item));
}

/* Of each key: a miss of the processor's cache, a comparison, a copy. */
enum { KEYS_WORK_PER_KEY = 128 };

size_t command_keys_work(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    (void)args;
    (void)argc;
    return KEYS_WORK_PER_KEY * keyspace_count(keyspace);
}

void command_keys_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    struct gathering gathering;
    gather_begin(&gathering, context);
    gather_pattern(&gathering, args[1]);
    keyspace_scan(context->keyspace, 0, SIZE_MAX, gather, &gathering);
    gather_end(&gathering, false);
}

void command_scan_run(struct command_context *context, const struct span *args, size_t argc)
{
    uint64_t cursor;
    struct gathering gathering;
    gather_begin(&gathering, context);
    if (!command_parse_cursor(context, args[1], &cursor) ||
        !gather_parse(&gathering, args, argc, 2, GATHER_TYPE))
        return;
    cursor =
        keyspace_scan(context->keyspace, cursor, (size_t)gathering.scan_count, gather, &gathering);
    gather_end_scan(&gathering, cursor);
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
