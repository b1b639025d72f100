/* Encodes and decodes RAFT.FOUND and RAFT.SEEK, whose first arguments are the same. */
#include <inttypes.h>
#include <string.h>

#include "base/number.h"
#include "cluster/seeking.h"

enum { ARGUMENTS = 9, SEEK_ARGUMENTS = 15 };

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

static void add_said(struct buf *out, const struct founding_said *said)
{
    struct buf record = {0};
    cluster_founders_encode(&record, &said->founders);
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

void founding_encode(struct buf *out, const struct founding_said *said)
{
    buf_printf(out, "*%d\r\n", ARGUMENTS);
    add_argument(out, SPAN("RAFT.FOUND"));
    add_said(out, said);
}

void seeking_encode(struct buf *out, const struct seeking_said *said,
                    const struct cluster_seeds *known)
{
    struct buf addresses = {0};
    for (size_t i = 0; i < known->count; i++) {
        char address[CLUSTER_ADDRESS_MAX];
        cluster_address_write(known->list[i].host, known->list[i].port, address);
        buf_printf(&addresses, "%s%s", i ? "," : "", address);
    }
    buf_printf(out, "*%d\r\n", SEEK_ARGUMENTS);
    add_argument(out, SPAN("RAFT.SEEK"));
    add_said(out, &said->node);
    add_number(out, said->expect);
    add_argument(out, span_text(said->address));
    add_argument(out, span_text(said->joins));
    add_number(out, said->given);
    add_argument(out, span_text(said->refusal));
    add_argument(out, buf_span(&addresses));
    buf_close(&addresses);
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

static bool parse_said(const struct span *args, struct founding_said *said)
{
    uint64_t asks;
    if (!number_parse_u64(args[7], &asks) || asks > 1)
        return false;
    said->asks = asks == 1;
    return number_parse_u64(args[1], &said->id) && number_parse_u64(args[2], &said->incarnation) &&
           said->incarnation != 0 && cluster_begin_parse(args[3], &said->begin) &&
           parse_id(args[4], said->cluster_id) && number_parse_u64(args[5], &said->mark) &&
           number_parse_u64(args[6], &said->list) &&
           cluster_founders_parse(args[8], &said->founders) && is_sound(said);
}

bool founding_parse(const struct span *args, size_t argc, struct founding_said *said)
{
    return argc == ARGUMENTS && founding_is_message(args, argc) && parse_said(args, said) &&
           said->id != 0;
}

bool seeking_is_message(const struct span *args, size_t argc)
{
    return argc > 0 && span_equal(args[0], SPAN("RAFT.SEEK"));
}

/* It is shown in logs: no line's end, nothing that is no text. */
static bool parse_line(struct span text, char *to, size_t size)
{
    if (text.len >= size)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < ' ' || text.ptr[i] > '~')
            return false;
    if (text.len)
        memcpy(to, text.ptr, text.len);
    to[text.len] = '\0';
    return true;
}

bool seeking_parse(const struct span *args, size_t argc, struct seeking_said *said,
                   struct cluster_seeds *known)
{
    uint64_t expect;
    char message[256];
    *said = (struct seeking_said){.expect = 0};
    if (argc < SEEK_ARGUMENTS || !seeking_is_message(args, argc) ||
        !parse_said(args, &said->node) || !number_parse_u64(args[9], &expect) ||
        expect > RAFT_MEMBERS_MAX)
        return false;
    if (said->node.id == 0 && said->node.begin != CLUSTER_EMPTY)
        return false;
    said->expect = (unsigned)expect;
    return (args[10].len == 0 || cluster_address_is_sound(args[10])) &&
           parse_line(args[10], said->address, sizeof said->address) &&
           parse_id(args[11], said->joins) && number_parse_u64(args[12], &said->given) &&
           parse_line(args[13], said->refusal, sizeof said->refusal) &&
           cluster_seeds_parse(args[14], known, message) == ERR_NONE;
}
