/* What the commands on sorted sets share. Private to command/. */
#ifndef FLOTILLA_COMMAND_ZSET_H
#define FLOTILLA_COMMAND_ZSET_H

#include "command/command.h"
#include "command/range.h"
#include "keyspace/zset.h"

#define ERROR_NOT_SCORE_RANGE  "ERR min or max is not a float"
#define ERROR_NOT_MEMBER_RANGE "ERR min or max not valid string range item"

/* From min to max. An open end does not include its own value. */
struct score_range {
    double min, max;
    bool min_is_open, max_is_open;
};

/* "(1.5", "-inf", … False: the error was written. */
bool command_parse_score_range(struct command_context *context, struct span min, struct span max,
                               struct score_range *range);
struct range command_find_scores(const struct zset *zset, const struct score_range *range);

/* "[a", "(b", "-", "+". Reading and finding in one: the number of members before the range's
 * begin or, if `is_max`, before its end. zset NULL: only checks. False: the text is no end of a
 * range. */
bool command_find_member_end(const struct zset *zset, struct span text, bool is_max, size_t *rank);

/* What a command works on, in the measure of command_work: the bytes that the keyspace would copy
 * in the same time. */
enum { ZSET_WORK_PER_REMOVED = 32, ZSET_WORK_PER_ADDED = 32 };

/* NULL: the key is absent or holds another type. */
const struct zset *command_peek_zset(const struct keyspace *keyspace, struct span key);

/* An element in a reply. In RESP3 a member with its score is an array of its own. */
void command_write_element(struct resp_writer *reply, const struct zset_place *place,
                           bool with_score);
/* The head of an array of such elements. */
void command_write_elements_head(struct resp_writer *reply, size_t count, bool with_scores);

#endif
