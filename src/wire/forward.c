#include "wire/forward.h"

#include "base/assert.h"
#include "base/number.h"
#include "raft/message.h"
#include "wire/write.h"

enum { ARGS = 11, NUMBERS = 3 };

static const char *const names[] = {
    [WIRE_FORWARD] = "RAFT.FORWARD", [WIRE_FORWARDED] = "RAFT.FORWARDED",
    [WIRE_READ] = "RAFT.READ",       [WIRE_READ_INDEX] = "RAFT.READINDEX",
    [WIRE_HOLDERS] = "RAFT.HOLDERS", [WIRE_HELD] = "RAFT.HELD",
    [WIRE_WAIT] = "RAFT.WAIT",       [WIRE_WAITED] = "RAFT.WAITED",
};

enum { TYPES = sizeof names / sizeof *names };

/* TYPES: none of them. */
static size_t find_type(struct span name)
{
    size_t type = 0;
    while (type < TYPES && !span_is(name, names[type]))
        type++;
    return type;
}

bool wire_is_forward(struct span name)
{
    return find_type(name) < TYPES;
}

void wire_encode_forward(struct buf *out, const struct wire_forward *message)
{
    ASSERT(message->life != 0);
    struct span name = span_text(names[message->type]);
    char *start = buf_reserve(out, WIRE_COUNT_BYTES + 3 * WIRE_TEXT_BYTES + name.len +
                                       message->cluster_id.len + message->items.len +
                                       (ARGS - 3) * WIRE_NUMBER_BYTES);
    char *at = wire_write_count(start, ARGS);
    at = wire_write_text(at, name);
    at = wire_write_text(at, message->cluster_id);
    at = wire_write_number(at, message->shard);
    at = wire_write_number(at, message->term);
    at = wire_write_number(at, message->from);
    at = wire_write_number(at, message->to);
    at = wire_write_number(at, message->life);
    for (size_t i = 0; i < NUMBERS; i++)
        at = wire_write_number(at, message->numbers[i]);
    at = wire_write_text(at, message->items);
    out->len += (size_t)(at - start);
}

static bool is_sound(const struct wire_forward *message)
{
    switch (message->type) {
    case WIRE_FORWARD:
        return message->forward.first > 0 && message->forward.answered > 0 &&
               message->forward.answered <= message->forward.first;
    case WIRE_FORWARDED:
        return message->forwarded.next > 0 && message->forwarded.again <= 1;
    case WIRE_READ:
        return message->read.context > 0 && message->read.due_ms <= RAFT_TIME_MS_MAX;
    case WIRE_READ_INDEX:
        return message->read_index.context > 0 && message->read_index.time_ms <= RAFT_TIME_MS_MAX;
    case WIRE_HOLDERS:
    case WIRE_HELD:
        return true;
    case WIRE_WAIT:
    case WIRE_WAITED:
        return message->wait.number > 0;
    }
    return false;
}

enum err wire_parse_forward(const struct span *args, size_t argc, struct wire_forward *message)
{
    size_t type = argc == ARGS ? find_type(args[0]) : TYPES;
    if (type == TYPES)
        return ERR_INVALID;
    *message = (struct wire_forward){
        .type = (enum wire_forward_type)type, .cluster_id = args[1], .items = args[ARGS - 1]};
    uint64_t shard = 0;
    uint64_t *numbers[] = {
        &shard,         &message->term,       &message->from,       &message->to,
        &message->life, &message->numbers[0], &message->numbers[1], &message->numbers[2]};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!number_parse_u64(args[2 + i], numbers[i]))
            return ERR_INVALID;
    if (shard > UINT32_MAX || message->life == 0 || !is_sound(message))
        return ERR_INVALID;
    message->shard = (uint32_t)shard;
    return ERR_NONE;
}

static void add_length(struct buf *items, size_t len)
{
    buf_add_u64(items, len);
    buf_add(items, "\r\n", 2);
}

static void add_database(struct buf *items, unsigned database)
{
    if (database == 0)
        return;
    buf_add_u64(items, database);
    buf_add_char(items, ':');
}

void wire_add_request(struct buf *items, const struct wire_request *request)
{
    buf_reserve(items, request->payload.len + 2 * NUMBER_I64_CHARS + 3);
    buf_add_char(items, (char)request->kind);
    add_database(items, request->database);
    add_length(items, request->payload.len);
    buf_add_span(items, request->payload);
}

void wire_add_refusal(struct buf *items, uint64_t seq, struct span text)
{
    buf_add_u64(items, seq);
    buf_add_char(items, ':');
    add_length(items, text.len);
    buf_add_span(items, text);
}

/* A number and the text `end` behind it. */
static bool take_number(struct span *items, struct span end, uint64_t *number)
{
    size_t len = 0;
    while (len < items->len && len < NUMBER_I64_CHARS && items->ptr[len] >= '0' &&
           items->ptr[len] <= '9')
        len++;
    if (!number_parse_u64(span_of(items->ptr, len), number) || items->len - len < end.len ||
        memcmp(items->ptr + len, end.ptr, end.len) != 0)
        return false;
    *items = span_of(items->ptr + len + end.len, items->len - len - end.len);
    return true;
}

static bool take_text(struct span *items, struct span *text)
{
    uint64_t len;
    if (!take_number(items, SPAN("\r\n"), &len) || len > items->len)
        return false;
    *text = span_of(items->ptr, len);
    *items = span_of(items->ptr + len, items->len - len);
    return true;
}

/* None: it is 0. False: there is a number that is none of a database. */
static bool take_database(struct span *items, unsigned *database)
{
    struct span rest = *items;
    uint64_t number;
    *database = 0;
    if (!take_number(&rest, SPAN(":"), &number))
        return true;
    if (number == 0 || number >= ENTRY_DATABASES)
        return false;
    *database = (unsigned)number;
    *items = rest;
    return true;
}

bool wire_take_request(struct span *items, struct wire_request *request)
{
    static const char kinds[] = {ENTRY_NOOP, ENTRY_COMMAND, ENTRY_TRANSACTION, ENTRY_SESSION};
    if (items->len == 0 || !memchr(kinds, items->ptr[0], sizeof kinds))
        return false;
    request->kind = (enum entry_kind)items->ptr[0];
    *items = span_of(items->ptr + 1, items->len - 1);
    bool has_database = request->kind == ENTRY_COMMAND || request->kind == ENTRY_TRANSACTION;
    return take_database(items, &request->database) && (has_database || request->database == 0) &&
           take_text(items, &request->payload);
}

bool wire_take_refusal(struct span *items, uint64_t *seq, struct span *text)
{
    return take_number(items, SPAN(":"), seq) && take_text(items, text);
}

void wire_add_wait(struct buf *items, const struct wire_wait *wait)
{
    ASSERT(wait->id < WIRE_WAITER_FIRST);
    buf_add_char(items, (char)wait->kind);
    buf_add_u64(items, wait->id);
    buf_add_char(items, ':');
    buf_add_u64(items, wait->number);
    buf_add_char(items, ':');
    add_database(items, wait->database);
    add_length(items, wait->text.len);
    buf_add_span(items, wait->text);
}

bool wire_take_wait(struct span *items, struct wire_wait *wait)
{
    static const char kinds[] = {WIRE_WAIT_BEGINS, WIRE_WAIT_ENDS, WIRE_WAIT_REFUSED};
    if (items->len == 0 || !memchr(kinds, items->ptr[0], sizeof kinds))
        return false;
    wait->kind = (enum wire_wait_kind)items->ptr[0];
    *items = span_of(items->ptr + 1, items->len - 1);
    return take_number(items, SPAN(":"), &wait->id) && wait->id < WIRE_WAITER_FIRST &&
           take_number(items, SPAN(":"), &wait->number) && take_database(items, &wait->database) &&
           take_text(items, &wait->text);
}

void wire_add_index(struct buf *items, uint64_t index)
{
    buf_add_u64(items, index);
    buf_add(items, "\r\n", 2);
}

bool wire_take_index(struct span *items, uint64_t *index)
{
    return take_number(items, SPAN("\r\n"), index);
}
