/* Sorted sets: changing and reading single members. */
#include "command/zset.h"

#include "base/number.h"
#include "command/access.h"
#include "command/data.h"

struct zadd {
    unsigned flags; /* enum zset_flag */
    bool counts_changed;
    const struct span *pairs; /* score, member, score, member … */
    size_t count;             /* of pairs */
};

static bool check_flags(struct command_context *context, const struct zadd *zadd)
{
    unsigned flags = zadd->flags;
    bool nx = flags & ZSET_NX, xx = flags & ZSET_XX, gt = flags & ZSET_GT, lt = flags & ZSET_LT;
    if (nx && xx)
        return command_refuse(context, "ERR XX and NX options at the same time are not compatible");
    if ((gt && nx) || (lt && nx) || (gt && lt))
        return command_refuse(context,
                              "ERR GT, LT, and/or NX options at the same time are not compatible");
    if ((flags & ZSET_INCR) && zadd->count > 1)
        return command_refuse(context, "ERR INCR option supports a single increment-element pair");
    return true;
}

static bool parse_zadd(struct command_context *context, const struct span *args, size_t argc,
                       struct zadd *zadd)
{
    static const struct {
        const char *word;
        unsigned flag;
    } words[] = {
        {"nx", ZSET_NX}, {"xx", ZSET_XX}, {"gt", ZSET_GT}, {"lt", ZSET_LT}, {"incr", ZSET_INCR}};
    size_t at = 2;
    for (; at < argc; at++) {
        unsigned flag = 0;
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
            if (span_is(args[at], words[i].word))
                flag = words[i].flag;
        }
        if (span_is(args[at], "ch"))
            zadd->counts_changed = true;
        else if (!flag)
            break;
        zadd->flags |= flag;
    }
    if (at == argc || (argc - at) % 2)
        return command_refuse(context, ERROR_SYNTAX);
    zadd->pairs = args + at;
    zadd->count = (argc - at) / 2;
    return check_flags(context, zadd);
}

/* All scores are read before anything changes. */
static bool check_scores(struct command_context *context, const struct zadd *zadd)
{
    double score;
    for (size_t i = 0; i < zadd->count; i++) {
        if (!number_parse_double(zadd->pairs[i * 2], &score))
            return command_refuse(context, ERROR_NOT_FLOAT);
    }
    return true;
}

struct zadd_counts {
    uint64_t added, updated;
    bool refused; /* the last one was */
    double score;
};

/* False: a sum was not a number. What came before stays. */
static bool add_pairs(struct zset *zset, const struct value_rules *rules, const struct zadd *zadd,
                      struct zadd_counts *counts)
{
    for (size_t i = 0; i < zadd->count; i++) {
        number_parse_double(zadd->pairs[i * 2], &counts->score);
        switch (zset_add(zset, rules, zadd->pairs[i * 2 + 1], &counts->score, zadd->flags)) {
        case ZSET_ADDED:
            counts->added++;
            break;
        case ZSET_UPDATED:
            counts->updated++;
            break;
        case ZSET_SAME:
            break;
        case ZSET_REFUSED:
            counts->refused = true;
            break;
        case ZSET_NAN:
            return false;
        }
    }
    return true;
}

static void zadd(struct command_context *context, struct span key, const struct zadd *zadd)
{
    struct keyspace_edit edit;
    struct zadd_counts counts = {0};
    bool fine = true;
    if (!check_scores(context, zadd) ||
        !(zadd->flags & ZSET_XX ? command_edit(context, key, VALUE_ZSET, &edit)
                                : command_edit_or_new(context, key, VALUE_ZSET, &edit)))
        return;
    if (edit.value) {
        fine = add_pairs(edit.value, command_rules(context), zadd, &counts);
        command_edit_end(context, &edit, counts.added + counts.updated);
    } else {
        counts.refused = true;
    }
    if (!fine)
        resp_error(context->reply, "ERR resulting score is not a number (NaN)");
    else if (!(zadd->flags & ZSET_INCR))
        resp_integer(context->reply, (int64_t)(zadd->counts_changed ? counts.added + counts.updated
                                                                    : counts.added));
    else if (counts.refused)
        resp_null(context->reply);
    else
        resp_double(context->reply, counts.score);
}

void command_zadd_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct zadd what = {0};
    if (parse_zadd(context, args, argc, &what))
        zadd(context, args[1], &what);
}

void command_zincrby_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    struct zadd what = {.flags = ZSET_INCR, .pairs = args + 2, .count = 1};
    zadd(context, args[1], &what);
}

void command_zrem_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct keyspace_edit edit;
    if (!command_edit(context, args[1], VALUE_ZSET, &edit))
        return;
    uint64_t removed = 0;
    for (size_t i = 2; edit.value && i < argc; i++)
        removed += zset_remove(edit.value, args[i]);
    if (edit.value)
        command_edit_end(context, &edit, removed);
    resp_integer(context->reply, (int64_t)removed);
}

void command_zcard_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    const void *zset;
    if (command_read(context, args[1], VALUE_ZSET, &zset))
        resp_integer(context->reply, zset ? (int64_t)zset_count(zset) : 0);
}

static void write_score(struct command_context *context, const struct zset *zset,
                        struct span member)
{
    double score;
    if (zset && zset_score(zset, member, &score))
        resp_double(context->reply, score);
    else
        resp_null(context->reply);
}

void command_zscore_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    const void *zset;
    if (command_read(context, args[1], VALUE_ZSET, &zset))
        write_score(context, zset, args[2]);
}

void command_zmscore_run(struct command_context *context, const struct span *args, size_t argc)
{
    const void *zset;
    if (!command_read(context, args[1], VALUE_ZSET, &zset))
        return;
    resp_array(context->reply, argc - 2);
    for (size_t i = 2; i < argc; i++)
        write_score(context, zset, args[i]);
}

static void run_rank(struct command_context *context, const struct span *args, size_t argc,
                     bool reverse)
{
    if (argc > 4) {
        resp_errorf(context->reply, "ERR wrong number of arguments for '%s' command",
                    reverse ? "zrevrank" : "zrank");
        return;
    }
    bool with_score = argc == 4;
    const void *zset;
    if (with_score && !span_is(args[3], "withscore")) {
        resp_error(context->reply, ERROR_SYNTAX);
        return;
    }
    if (!command_read(context, args[1], VALUE_ZSET, &zset))
        return;
    size_t rank;
    double score;
    if (!zset || !zset_rank(zset, args[2], &rank, &score)) {
        if (with_score)
            resp_null_array(context->reply);
        else
            resp_null(context->reply);
        return;
    }
    if (with_score)
        resp_array(context->reply, 2);
    resp_integer(context->reply, (int64_t)(reverse ? zset_count(zset) - 1 - rank : rank));
    if (with_score)
        resp_double(context->reply, score);
}

void command_zrank_run(struct command_context *context, const struct span *args, size_t argc)
{
    run_rank(context, args, argc, false);
}

void command_zrevrank_run(struct command_context *context, const struct span *args, size_t argc)
{
    run_rank(context, args, argc, true);
}
