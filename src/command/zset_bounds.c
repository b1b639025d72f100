/* Sorted sets: ranges of scores and of members. */
#include <math.h>
#include <stdlib.h>

#include "base/number.h"
#include "command/access.h"
#include "command/data.h"
#include "command/zset.h"

/* Redis reads these with strtod(), which accepts more than other places do: blanks before the
 * number, nothing at all for 0, and any text after a zero byte. */
static bool parse_score(struct span text, double *score, bool *is_open)
{
    struct buf copy = {0};
    *is_open = text.len > 0 && text.ptr[0] == '(';
    buf_add(&copy, text.ptr + *is_open, text.len - *is_open);
    buf_add_char(&copy, '\0');
    char *end;
    *score = strtod(copy.ptr, &end);
    bool fine = *end == '\0' && !isnan(*score);
    buf_close(&copy);
    return fine;
}

bool command_parse_score_range(struct command_context *context, struct span min, struct span max,
                               struct score_range *range)
{
    if (parse_score(min, &range->min, &range->min_is_open) &&
        parse_score(max, &range->max, &range->max_is_open))
        return true;
    resp_error(context->reply, ERROR_NOT_SCORE_RANGE);
    return false;
}

static struct range between(size_t first, size_t end)
{
    return (struct range){first, end > first ? end - first : 0};
}

struct range command_find_scores(const struct zset *zset, const struct score_range *range)
{
    return between(zset_rank_of_score(zset, range->min, range->min_is_open),
                   zset_rank_of_score(zset, range->max, !range->max_is_open));
}

bool command_find_member_end(const struct zset *zset, struct span text, bool is_max, size_t *rank)
{
    char mark = text.len ? text.ptr[0] : '\0';
    *rank = 0;
    if (mark == '-' || mark == '+') {
        if (mark == '+' && zset)
            *rank = zset_count(zset);
        return text.len == 1;
    }
    if (mark != '[' && mark != '(')
        return false;
    if (zset)
        *rank =
            zset_rank_of_member(zset, span_of(text.ptr + 1, text.len - 1), (mark == '(') != is_max);
    return true;
}

void command_zcount_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    const void *zset;
    struct score_range range;
    if (command_parse_score_range(context, args[2], args[3], &range) &&
        command_read(context, args[1], VALUE_ZSET, &zset))
        resp_integer(context->reply, zset ? (int64_t)command_find_scores(zset, &range).count : 0);
}

/* False: the error was written. */
static bool find_members(struct command_context *context, const struct zset *zset,
                         const struct span ends[2], struct range *range)
{
    size_t first, end;
    if (command_find_member_end(zset, ends[0], false, &first) &&
        command_find_member_end(zset, ends[1], true, &end)) {
        *range = between(first, end);
        return true;
    }
    resp_error(context->reply, ERROR_NOT_MEMBER_RANGE);
    return false;
}

void command_zlexcount_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    const void *zset;
    struct range range;
    if (find_members(context, NULL, args + 2, &range) &&
        command_read(context, args[1], VALUE_ZSET, &zset)) {
        if (zset)
            find_members(context, zset, args + 2, &range);
        resp_integer(context->reply, (int64_t)range.count);
    }
}

const struct zset *command_peek_zset(const struct keyspace *keyspace, struct span key)
{
    return command_peek_value(keyspace, key, VALUE_ZSET, NO_DEADLINE);
}

static void remove_range(struct command_context *context, struct keyspace_edit *edit,
                         struct range range)
{
    size_t removed = 0;
    if (edit->value) {
        removed = zset_remove_ranks(edit->value, range.first, range.count);
        command_edit_end(context, edit, removed);
    }
    resp_integer(context->reply, (int64_t)removed);
}

void command_zremrangebyrank_run(struct command_context *context, const struct span *args,
                                 size_t argc)
{
    (void)argc;
    struct keyspace_edit edit;
    int64_t from, to;
    if (command_parse_integer(context, args[2], &from) &&
        command_parse_integer(context, args[3], &to) &&
        command_edit(context, args[1], VALUE_ZSET, &edit))
        remove_range(context, &edit, range_of(from, to, edit.value ? zset_count(edit.value) : 0));
}

void command_zremrangebyscore_run(struct command_context *context, const struct span *args,
                                  size_t argc)
{
    (void)argc;
    struct keyspace_edit edit;
    struct score_range range;
    if (command_parse_score_range(context, args[2], args[3], &range) &&
        command_edit(context, args[1], VALUE_ZSET, &edit))
        remove_range(context, &edit,
                     edit.value ? command_find_scores(edit.value, &range) : (struct range){0});
}

void command_zremrangebylex_run(struct command_context *context, const struct span *args,
                                size_t argc)
{
    (void)argc;
    struct keyspace_edit edit;
    struct range range;
    if (find_members(context, NULL, args + 2, &range) &&
        command_edit(context, args[1], VALUE_ZSET, &edit)) {
        if (edit.value)
            find_members(context, edit.value, args + 2, &range);
        remove_range(context, &edit, range);
    }
}

/* What the three remove, in the measure of command_work. Errors are left to the command. */

size_t command_zremrangebyrank_work(const struct keyspace *keyspace, const struct span *args,
                                    size_t argc)
{
    const struct zset *zset = argc == 4 ? command_peek_zset(keyspace, args[1]) : NULL;
    int64_t from, to;
    if (!zset || !number_parse_i64(args[2], &from) || !number_parse_i64(args[3], &to))
        return 0;
    return range_of(from, to, zset_count(zset)).count * ZSET_WORK_PER_REMOVED;
}

size_t command_zremrangebyscore_work(const struct keyspace *keyspace, const struct span *args,
                                     size_t argc)
{
    const struct zset *zset = argc == 4 ? command_peek_zset(keyspace, args[1]) : NULL;
    struct score_range range;
    if (!zset || !parse_score(args[2], &range.min, &range.min_is_open) ||
        !parse_score(args[3], &range.max, &range.max_is_open))
        return 0;
    return command_find_scores(zset, &range).count * ZSET_WORK_PER_REMOVED;
}

size_t command_zremrangebylex_work(const struct keyspace *keyspace, const struct span *args,
                                   size_t argc)
{
    const struct zset *zset = argc == 4 ? command_peek_zset(keyspace, args[1]) : NULL;
    size_t first, end;
    if (!zset || !command_find_member_end(zset, args[2], false, &first) ||
        !command_find_member_end(zset, args[3], true, &end))
        return 0;
    return between(first, end).count * ZSET_WORK_PER_REMOVED;
}
