/* What Redis 7.0 loads for commands on deadlines of fields, which it cannot hold: fields stay until
 * a command removes them. */
#include "command/data.h"
#include "command/hash_options.h"
#include "command/stock.h"

static bool parse(const struct span *args, size_t argc, size_t word, size_t each,
                  struct named_fields *fields)
{
    struct resp_writer nobody = {.out = NULL};
    struct command_context quiet = {.reply = &nobody};
    return word && fields_parse(&quiet, args, argc, word, each, fields);
}

static void add_hdel(struct command_stand_in *out, struct span key,
                     const struct named_fields *fields)
{
    stand_in_add(out, SPAN("HDEL"));
    stand_in_add(out, key);
    stand_in_add_all(out, fields->at, fields->count);
}

/* A deadline in the past removes fields. Whether NX and XX hold depends on the deadlines that Redis
 * does not have; who uses them most likely means fields for which they do. GT never holds. */
void command_hexpire_stock(const struct span *args, size_t argc, int64_t now_ms,
                           struct command_stand_in *out)
{
    struct named_fields fields;
    struct span bad;
    unsigned flags;
    int64_t deadline_ms;
    size_t word = fields_word(args, argc, 3);
    out->place = STAND_IN_BEHIND;
    /* A time that is sound was rewritten. */
    if (!span_is(args[0], "hpexpireat") || !parse(args, argc, word, 1, &fields) ||
        expire_options_parse(args, word, &flags, &bad) != EXPIRE_PARSED ||
        fields_deadline_of(args[2], 1, 0, &deadline_ms) != TIME_PARSED)
        return;
    if (deadline_ms <= now_ms && !(flags & EXPIRE_GT))
        add_hdel(out, args[1], &fields);
}

void command_hpersist_stock(const struct span *args, size_t argc, int64_t now_ms,
                            struct command_stand_in *out)
{
    (void)args;
    (void)argc;
    (void)now_ms;
    out->place = STAND_IN_BEHIND;
}

void command_hgetdel_stock(const struct span *args, size_t argc, int64_t now_ms,
                           struct command_stand_in *out)
{
    struct named_fields fields;
    (void)now_ms;
    out->place = STAND_IN_BEHIND;
    if (span_is(args[2], "fields") && parse(args, argc, 2, 1, &fields))
        add_hdel(out, args[1], &fields);
}

void command_hgetex_stock(const struct span *args, size_t argc, int64_t now_ms,
                          struct command_stand_in *out)
{
    struct named_fields fields;
    struct set_options options;
    int64_t deadline_ms;
    size_t word = fields_word(args, argc, 2);
    out->place = STAND_IN_BEHIND;
    if (parse(args, argc, word, 1, &fields) &&
        set_options_parse(args, word, 2, GETEX_OPTIONS, &options) &&
        fields_deadline(&options, now_ms, &deadline_ms) == TIME_PARSED &&
        deadline_ms != NO_DEADLINE && deadline_ms <= now_ms)
        add_hdel(out, args[1], &fields);
}

/* --- HSETEX --- */

/* The conditions of a call as the script reads them: a letter for each. */
static struct span conditions(unsigned flags)
{
    static const struct span words[] = {{"", 0},   {"n", 1}, {"x", 1},  {"N", 1}, {"nN", 2},
                                        {"xN", 2}, {"X", 1}, {"nX", 2}, {"xX", 2}};
    size_t of_key = flags & SET_NX ? 1 : flags & SET_XX ? 2 : 0;
    size_t of_fields = flags & SET_FNX ? 1 : flags & SET_FXX ? 2 : 0;
    return words[of_key + 3 * of_fields];
}

static void add_script(struct command_stand_in *out)
{
    stand_in_begin_script(
        out,
        SPAN("local k=KEYS[1] local function has(o) return ARGV[1]:find(o,1,true) end "
             "local e=redis.call('exists',k)==1 "
             "if has('n') and e or has('x') and not e then return end "
             "if has('N') or has('X') then for i=3,#ARGV,2 do "
             "local f=redis.call('hexists',k,ARGV[i])==1 "
             "if has('N') and f or has('X') and not f then return end end end "
             "for i=3,#ARGV,2 do if ARGV[2]=='1' then redis.call('hdel',k,ARGV[i]) "
             "else redis.call('hset',k,ARGV[i],ARGV[i+1]) end end"),
        1);
}

void command_hsetex_stock(const struct span *args, size_t argc, int64_t now_ms,
                          struct command_stand_in *out)
{
    struct named_fields fields;
    struct set_options options;
    int64_t deadline_ms;
    size_t word = fields_word(args, argc, 2);
    out->place = STAND_IN_BEHIND;
    if (!parse(args, argc, word, 2, &fields) ||
        !set_options_parse(args, word, 2, HSETEX_OPTIONS, &options) ||
        fields_deadline(&options, now_ms, &deadline_ms) != TIME_PARSED)
        return;
    bool is_past = deadline_ms != NO_DEADLINE && deadline_ms <= now_ms;
    if (is_past || (options.flags & (SET_NX | SET_XX | SET_FNX | SET_FXX))) {
        add_script(out);
        stand_in_add(out, args[1]);
        stand_in_add(out, conditions(options.flags));
        stand_in_add(out, is_past ? SPAN("1") : SPAN("0"));
    } else {
        stand_in_add(out, SPAN("HSET"));
        stand_in_add(out, args[1]);
    }
    stand_in_add_all(out, fields.at, 2 * fields.count);
}
