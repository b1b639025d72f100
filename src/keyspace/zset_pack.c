/* Sorted sets in one packed sequence. A score that is a whole number is kept as such, any other one
 * as a letter and its eight bytes: the letter keeps the bytes from looking like a number. */
#include <math.h>

#include "keyspace/zset_form.h"

enum { RAW_SCORE = 'd', RAW_BYTES = 1 + sizeof(double) };

#define WHOLE_MAX 9007199254740992.0 /* 2^53: all whole numbers up to here are doubles */

double zset_pack_score(const struct listpack *pack, size_t at)
{
    struct listpack_value value = listpack_value(pack, listpack_next(pack, at));
    if (value.is_integer)
        return (double)value.number;
    double score;
    memcpy(&score, value.text.ptr + 1, sizeof(score));
    return score;
}

size_t zset_pack_find(const struct listpack *pack, struct span member)
{
    return listpack_find(pack, listpack_first(pack), member, 1);
}

static size_t next_member(const struct listpack *pack, size_t at)
{
    return listpack_skip(pack, at, 2);
}

/* Before the member at `at`; 0: at the end. */
static void put(struct listpack *pack, size_t at, struct span member, double score)
{
    size_t behind = listpack_next(pack, listpack_insert(pack, at, member));
    if (fabs(score) <= WHOLE_MAX && score == (double)(int64_t)score) {
        listpack_insert_integer(pack, behind, (int64_t)score);
        return;
    }
    char raw[RAW_BYTES] = {RAW_SCORE};
    memcpy(raw + 1, &score, sizeof(score));
    listpack_insert(pack, behind, span_of(raw, sizeof(raw)));
}

void zset_pack_append(struct listpack *pack, struct span member, double score)
{
    put(pack, 0, member, score);
}

static bool comes_behind(const struct listpack *pack, size_t at, struct span member, double score)
{
    double other = zset_pack_score(pack, at);
    char scratch[NUMBER_I64_CHARS];
    return other > score ||
           (other == score && span_compare(listpack_text(pack, at, scratch), member) > 0);
}

/* Members often come in order: the last one is looked at first. */
void zset_pack_insert(struct listpack *pack, struct span member, double score)
{
    size_t at = listpack_first(pack);
    if (at && !comes_behind(pack, listpack_previous(pack, listpack_last(pack)), member, score))
        at = 0;
    while (at && !comes_behind(pack, at, member, score))
        at = next_member(pack, at);
    put(pack, at, member, score);
}

bool zset_pack_has_room(const struct listpack *pack, const struct value_rules *rules,
                        struct span member)
{
    enum { OVERHEAD = 32 };
    size_t count = listpack_count(pack) / 2;
    return count < rules->zset_packed_entries && count < ZSET_SMALL &&
           member.len <= rules->zset_packed_value && listpack_has_room(pack, member.len + OVERHEAD);
}

size_t zset_pack_rank_of_score(const struct listpack *pack, double score, bool through)
{
    size_t rank = 0;
    for (size_t at = listpack_first(pack); at; at = next_member(pack, at), rank++) {
        double other = zset_pack_score(pack, at);
        if (other > score || (other == score && !through))
            break;
    }
    return rank;
}
