/* Encodes and decodes RAFT.FOUND. */
#include <inttypes.h>

#include "base/number.h"
#include "cluster/founding.h"

enum { ARGUMENTS = 9 };

static void add_argument(struct buf *out, struct span text)
{
    buf_printf(out, "$%zu\r\n", text.len);
    buf_add_span(out, text);
    buf_add_text(out, "\r\n");
}

static void add_number(struct buf *out, uint64_t value)
{
    char digits[NUMBER_I64_CHARS];
    add_argument(out, span_of(digits, number_format_u64(digits, value)));
}

void founding_encode(struct buf *out, const struct founding_said *said)
{
    struct buf record = {0};
    cluster_founders_encode(&record, &said->founders);
    buf_printf(out, "*%d\r\n", ARGUMENTS);
    add_argument(out, SPAN("RAFT.FOUND"));
    add_number(out, said->id);
    add_number(out, said->incarnation);
    add_argument(out, span_text(cluster_begin_name(said->begin)));
    add_argument(out, span_text(said->cluster_id));
    add_number(out, said->mark);
    add_number(out, said->list);
    add_number(out, said->asks);
    add_argument(out, buf_span(&record));
    buf_close(&record);
}

bool founding_is_message(const struct span *args, size_t argc)
{
    return argc > 0 && span_equal(args[0], SPAN("RAFT.FOUND"));
}

static bool parse_id(struct span text, char id[41])
{
    if (text.len != 40)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!memchr("0123456789abcdef", text.ptr[i], 16))
            return false;
    memcpy(id, text.ptr, 40);
    id[40] = '\0';
    return true;
}

/* An empty node shows no record; a founding node shows the record of its own cluster id. */
static bool is_sound(const struct founding_said *said)
{
    bool has_id = memcmp(said->cluster_id, CLUSTER_NO_ID, 40) != 0;
    bool has_record = said->founders.count > 0;
    bool fits = !has_record || memcmp(said->cluster_id, said->founders.cluster_id, 40) == 0;
    switch (said->begin) {
    case CLUSTER_EMPTY:
        return !has_record;
    case CLUSTER_FOUNDING:
        return has_record && fits;
    case CLUSTER_BEGUN:
        return has_id && fits;
    }
    return false;
}

bool founding_parse(const struct span *args, size_t argc, struct founding_said *said)
{
    uint64_t asks;
    if (argc != ARGUMENTS || !founding_is_message(args, argc) ||
        !number_parse_u64(args[7], &asks) || asks > 1)
        return false;
    said->asks = asks == 1;
    return number_parse_u64(args[1], &said->id) && said->id != 0 &&
           number_parse_u64(args[2], &said->incarnation) && said->incarnation != 0 &&
           cluster_begin_parse(args[3], &said->begin) && parse_id(args[4], said->cluster_id) &&
           number_parse_u64(args[5], &said->mark) && number_parse_u64(args[6], &said->list) &&
           cluster_founders_parse(args[8], &said->founders) && is_sound(said);
}
