/* What Redis 7.0 loads from the log in the place of commands that it does not know. Conditions
 * become scripts. Nothing here writes errors: what a command would refuse changes nothing. */
#include "command/stock.h"

#include "base/mem.h"
#include "base/number.h"
#include "command/data.h"
#include "command/options.h"
#include "keyspace/rdb.h"

void stand_in_add(struct command_stand_in *out, struct span arg)
{
    stand_in_add_all(out, &arg, 1);
}

void stand_in_add_all(struct command_stand_in *out, const struct span *args, size_t argc)
{
    enum { CAP_MIN = 8 };
    if (out->cap - out->argc < argc) {
        size_t cap = out->cap ? out->cap * 2 : CAP_MIN;
        out->cap = cap - out->argc < argc ? out->argc + argc : cap;
        out->args = mem_realloc(out->args, out->cap * sizeof(*out->args));
    }
    memcpy(out->args + out->argc, args, argc * sizeof(*args));
    out->argc += argc;
}

/* In `text`, which holds one number. */
static void add_number(struct command_stand_in *out, int64_t number)
{
    stand_in_add(out, span_of(out->text, number_format_i64(out->text, number)));
}

void stand_in_begin_script(struct command_stand_in *out, struct span script, size_t keys)
{
    stand_in_add(out, SPAN("EVAL"));
    stand_in_add(out, script);
    if (keys == 1)
        stand_in_add(out, SPAN("1"));
    else
        add_number(out, (int64_t)keys);
}

void command_stand_in_close(struct command_stand_in *stand_in)
{
    mem_free(stand_in->args);
    buf_close(&stand_in->payload);
    *stand_in = (struct command_stand_in){.argc = 0};
}

/* --- strings --- */

/* The options of SET that Redis 7.0 knows and that change what is set. The time is in the form that
 * entered the log: it counts from 1970. */
static void add_time(struct command_stand_in *out, const struct set_options *options)
{
    if (options->flags & SET_KEEPTTL)
        stand_in_add(out, SPAN("KEEPTTL"));
    if (options->flags & SET_TIMES) {
        stand_in_add(out, options->flags & SET_EXAT ? SPAN("EXAT") : SPAN("PXAT"));
        stand_in_add(out, options->time);
    }
}

static bool has_sound_time(const struct set_options *options, int64_t now_ms)
{
    int64_t deadline_ms;
    return !(options->flags & (SET_EX | SET_PX)) &&
           set_options_deadline(options, now_ms, &deadline_ms) == TIME_PARSED;
}

void command_set_stock(const struct span *args, size_t argc, int64_t now_ms,
                       struct command_stand_in *out)
{
    struct set_options options;
    if (argc < 5 || !set_options_parse(args, argc, 3, SET_OPTIONS, &options) ||
        !(options.flags & SET_IFEQ))
        return;
    out->place = STAND_IN_BEHIND;
    if (!has_sound_time(&options, now_ms))
        return;
    stand_in_begin_script(out,
                          SPAN("if redis.call('get',KEYS[1])==ARGV[2] then "
                               "redis.call('set',KEYS[1],ARGV[1],unpack(ARGV,3)) end"),
                          1);
    stand_in_add_all(out, args + 1, 2);
    stand_in_add(out, options.expected);
    add_time(out, &options);
}

void command_delifeq_stock(const struct span *args, size_t argc, int64_t now_ms,
                           struct command_stand_in *out)
{
    (void)now_ms;
    out->place = STAND_IN_BEHIND;
    stand_in_begin_script(
        out, SPAN("if redis.call('get',KEYS[1])==ARGV[1] then redis.call('del',KEYS[1]) end"), 1);
    stand_in_add_all(out, args + 1, argc - 1);
}

void command_msetex_stock(const struct span *args, size_t argc, int64_t now_ms,
                          struct command_stand_in *out)
{
    size_t pairs;
    struct set_options options;
    out->place = STAND_IN_BEHIND;
    if (!msetex_count(args, argc, &pairs) || 2 + 2 * pairs > argc ||
        !set_options_parse(args, argc, 2 + 2 * pairs, MSETEX_OPTIONS, &options) ||
        !has_sound_time(&options, now_ms))
        return;
    if (!options.flags) {
        stand_in_add(out, SPAN("MSET"));
        stand_in_add_all(out, args + 2, 2 * pairs);
        return;
    }
    /* Values stand among the keys, so that the pairs stay together. */
    stand_in_begin_script(
        out,
        SPAN("if ARGV[1]~='' then for i=1,#KEYS,2 do "
             "if (redis.call('exists',KEYS[i])==1)==(ARGV[1]=='NX') then return end end end "
             "for i=1,#KEYS,2 do redis.call('set',KEYS[i],KEYS[i+1],unpack(ARGV,2)) end"),
        2 * pairs);
    stand_in_add_all(out, args + 2, 2 * pairs);
    if (options.flags & SET_NX)
        stand_in_add(out, SPAN("NX"));
    else
        stand_in_add(out, options.flags & SET_XX ? SPAN("XX") : SPAN(""));
    add_time(out, &options);
}

/* --- RESTORE --- */

/* A stream as Redis 7.2 writes it has times, and a hash as Valkey 9 writes it deadlines, that no
 * older form holds. Any other value is the same in the form of Redis 7.0, which then enters the log
 * alone. The script has both payloads, so that neither is escaped. */
void command_restore_stock(const struct span *args, size_t argc, int64_t now_ms,
                           struct command_stand_in *out)
{
    bool is_exact;
    (void)now_ms;
    if (!rdb_payload_for_redis_7_0(args[3], &out->payload, &is_exact))
        return;
    out->place = is_exact ? STAND_IN_INSTEAD : STAND_IN_BEHIND;
    if (is_exact) {
        stand_in_add_all(out, args, 3);
    } else {
        stand_in_begin_script(
            out, SPAN("redis.call('restore',KEYS[1],ARGV[1],ARGV[3],unpack(ARGV,4))"), 1);
        stand_in_add_all(out, args + 1, 3);
    }
    stand_in_add(out, buf_span(&out->payload));
    stand_in_add_all(out, args + 4, argc - 4);
}
