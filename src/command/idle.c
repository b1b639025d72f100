/* Calls that would change nothing now: pops of absent keys, removals of what is not there, sets of
 * what is. Each looks at the data, and writes the reply that its command would write, or says that
 * the call may change something. Errors are left to the command. */
#include "command/access.h"
#include "command/data.h"
#include "command/options.h"
#include "keyspace/hash.h"
#include "keyspace/hll.h"
#include "keyspace/set.h"
#include "keyspace/zset.h"

/* As the command would find it. A mere look has no reply, and is not a use of the value. */
static const struct item *find(struct command_context *context, struct span key)
{
    struct item *item = keyspace_find(context->keyspace, key, context->now_ms);
    if (item && context->reply->out)
        item_touch(item, context->now_ms);
    return item;
}

static bool is_absent(struct command_context *context, struct span key)
{
    return find(context, key) == NULL;
}

/* False: it is of another type. *value NULL: the key is absent. */
static bool find_value(struct command_context *context, struct span key, enum value_type type,
                       const void **value)
{
    const struct item *item = find(context, key);
    *value = item && item_type(item) == type ? item_elements(item) : NULL;
    return !item || *value;
}

static bool answer_integer(struct command_context *context, int64_t value)
{
    resp_integer(context->reply, value);
    return true;
}

static bool answer_null(struct command_context *context)
{
    resp_null(context->reply);
    return true;
}

/* --- pops --- */

static bool is_count(const struct span *args, size_t argc)
{
    int64_t count;
    return argc == 2 || (argc == 3 && number_parse_i64(args[2], &count) && count >= 0);
}

bool command_pop_idle(struct command_context *context, const struct span *args, size_t argc)
{
    if (!is_count(args, argc) || !is_absent(context, args[1]))
        return false;
    if (argc == 3)
        resp_null_array(context->reply);
    else
        resp_null(context->reply);
    return true;
}

bool command_spop_idle(struct command_context *context, const struct span *args, size_t argc)
{
    if (!is_count(args, argc) || !is_absent(context, args[1]))
        return false;
    if (argc == 3)
        resp_set(context->reply, 0);
    else
        resp_null(context->reply);
    return true;
}

bool command_zpop_idle(struct command_context *context, const struct span *args, size_t argc)
{
    if (!is_count(args, argc) || !is_absent(context, args[1]))
        return false;
    resp_array(context->reply, 0);
    return true;
}

bool command_rpoplpush_idle(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    return is_absent(context, args[1]) && answer_null(context);
}

bool command_getdel_idle(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    if (!is_absent(context, args[1]))
        return false;
    command_count_lookup(context, NULL);
    return answer_null(context);
}

bool command_push_there_idle(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    return is_absent(context, args[1]) && answer_integer(context, 0);
}

/* --- removals --- */

bool command_del_idle(struct command_context *context, const struct span *args, size_t argc)
{
    for (size_t i = 1; i < argc; i++)
        if (!is_absent(context, args[i]))
            return false;
    return answer_integer(context, 0);
}

bool command_hdel_idle(struct command_context *context, const struct span *args, size_t argc)
{
    const void *hash;
    struct hash_entry entry;
    if (!find_value(context, args[1], VALUE_HASH, &hash))
        return false;
    for (size_t i = 2; hash && i < argc; i++)
        if (hash_find(hash, args[i], NO_DEADLINE, &entry))
            return false;
    return answer_integer(context, 0);
}

bool command_srem_idle(struct command_context *context, const struct span *args, size_t argc)
{
    const void *set;
    if (!find_value(context, args[1], VALUE_SET, &set))
        return false;
    for (size_t i = 2; set && i < argc; i++)
        if (set_contains(set, args[i]))
            return false;
    return answer_integer(context, 0);
}

bool command_zrem_idle(struct command_context *context, const struct span *args, size_t argc)
{
    const void *zset;
    double score;
    if (!find_value(context, args[1], VALUE_ZSET, &zset))
        return false;
    for (size_t i = 2; zset && i < argc; i++)
        if (zset_score(zset, args[i], &score))
            return false;
    return answer_integer(context, 0);
}

/* --- sets --- */

bool command_sadd_idle(struct command_context *context, const struct span *args, size_t argc)
{
    const void *set;
    if (!find_value(context, args[1], VALUE_SET, &set) || !set)
        return false;
    for (size_t i = 2; i < argc; i++)
        if (!set_contains(set, args[i]))
            return false;
    return answer_integer(context, 0);
}

bool command_hsetnx_idle(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    const void *hash;
    struct hash_entry entry;
    return find_value(context, args[1], VALUE_HASH, &hash) && hash &&
           hash_find(hash, args[2], context->now_ms, &entry) && answer_integer(context, 0);
}

bool command_setnx_idle(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    return !is_absent(context, args[1]) && answer_integer(context, 0);
}

/* NX and XX alone, also with a deadline: who wants a lock that another one has. */
bool command_set_idle(struct command_context *context, const struct span *args, size_t argc)
{
    struct set_options options;
    int64_t deadline_ms;
    if (argc == 3 || !set_options_parse(args, argc, 3, SET_OPTIONS, &options) ||
        (options.flags & (SET_GET | SET_IFEQ)) || !(options.flags & (SET_NX | SET_XX)) ||
        set_options_deadline(&options, context->now_ms, &deadline_ms) != TIME_PARSED)
        return false;
    bool absent = is_absent(context, args[1]);
    return absent == ((options.flags & SET_XX) != 0) && answer_null(context);
}

/* A sparse one is as long as it is, and soon dense. */
bool command_pfadd_idle(struct command_context *context, const struct span *args, size_t argc)
{
    const struct item *item = find(context, args[1]);
    char scratch[NUMBER_I64_CHARS];
    struct hll_patch patch;
    if (!item || item_type(item) != VALUE_STRING)
        return false;
    struct span bytes = item_string(item, scratch);
    if (!hll_is_one(bytes) || !hll_is_dense(bytes))
        return false;
    for (size_t i = 2; i < argc; i++)
        if (hll_raise_dense(bytes, hll_propose(args[i]), &patch))
            return false;
    return answer_integer(context, 0);
}

/* --- deadlines --- */

static bool expire(struct command_context *context, const struct span *args, size_t argc,
                   int64_t unit_ms, bool relative)
{
    unsigned flags;
    struct span bad;
    int64_t deadline_ms;
    int64_t base_ms = relative ? context->now_ms : 0;
    if (expire_options_parse(args, argc, &flags, &bad) != EXPIRE_PARSED ||
        deadline_parse(args[2], unit_ms, base_ms, &deadline_ms) != TIME_PARSED)
        return false;
    const struct item *item = find(context, args[1]);
    if (item && expire_options_allow(flags, item_deadline(item), deadline_ms))
        return false;
    return answer_integer(context, 0);
}

bool command_expire_idle(struct command_context *context, const struct span *args, size_t argc)
{
    return expire(context, args, argc, 1000, true);
}

bool command_pexpire_idle(struct command_context *context, const struct span *args, size_t argc)
{
    return expire(context, args, argc, 1, true);
}

bool command_expireat_idle(struct command_context *context, const struct span *args, size_t argc)
{
    return expire(context, args, argc, 1000, false);
}

bool command_pexpireat_idle(struct command_context *context, const struct span *args, size_t argc)
{
    return expire(context, args, argc, 1, false);
}

bool command_persist_idle(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    const struct item *item = find(context, args[1]);
    return (!item || item_deadline(item) == NO_DEADLINE) && answer_integer(context, 0);
}
