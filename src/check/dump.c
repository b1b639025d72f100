#include <inttypes.h>
#include <stdio.h>

#include "base/number.h"
#include "check/check.h"
#include "machine/logged.h"
#include "wire/members.h"

/* Quotes a string as redis-cli does. */
static void add_quoted(struct buf *out, struct span text)
{
    static const char named[] = {['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't', ['\a'] = 'a',
                                 ['\b'] = 'b', ['"'] = '"',  ['\\'] = '\\'};
    buf_add_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < sizeof named && named[c]) {
            buf_add_char(out, '\\');
            buf_add_char(out, named[c]);
        } else if (c >= 0x20 && c < 0x7f) {
            buf_add_char(out, (char)c);
        } else {
            buf_printf(out, "\\x%02x", c);
        }
    }
    buf_add_char(out, '"');
}

/* The line of an annotation; it is not a command. */
static struct span next_line(struct span *rest)
{
    const char *newline = memchr(rest->ptr, '\n', rest->len);
    size_t len = newline ? (size_t)(newline - rest->ptr) + 1 : rest->len;
    struct span line = span_of(rest->ptr, len);
    *rest = span_of(rest->ptr + len, rest->len - len);
    while (line.len && (line.ptr[line.len - 1] == '\n' || line.ptr[line.len - 1] == '\r'))
        line.len--;
    return line;
}

/* Whether the payload goes on with watched keys or the number of a session. */
static bool is_condition(struct span rest)
{
    return rest.len > 1 && rest.ptr[0] == '#' && (rest.ptr[1] == 'S' || rest.ptr[1] == 'W');
}

/* Takes the next command of a payload; false at the end or if there is no command. */
static bool next_command(struct logged *logged, struct span *rest)
{
    while (is_condition(*rest))
        next_line(rest);
    return logged_take(logged, rest);
}

static void add_commands(struct buf *out, struct span payload)
{
    struct logged logged = {0};
    for (bool first = true; next_command(&logged, &payload); first = false) {
        if (!first)
            buf_add_text(out, " ;");
        for (size_t i = 0; i < logged.argc; i++) {
            buf_add_char(out, ' ');
            add_quoted(out, logged.args[i]);
        }
    }
    logged_close(&logged);
}

static void add_text(struct buf *out, const struct entry *entry, const char *why)
{
    char time[40];
    check_format_time(entry->time_ms, time);
    buf_printf(out, "%10" PRIu64 " %6" PRIu64 " %-11s %s %8zu", entry->index, entry->term,
               check_kind_name(entry->kind), time, entry->record.len);
    struct span payload = entry->payload;
    switch (entry->kind) {
    case ENTRY_NOOP:
        break;
    case ENTRY_COMMAND:
    case ENTRY_TRANSACTION:
        if (entry->database)
            buf_printf(out, " [%u]", entry->database);
        add_commands(out, payload);
        break;
    case ENTRY_EXPIRY:
        buf_printf(out, " at most %" PRIu64 " keys", entry->seed);
        break;
    case ENTRY_MEMBERSHIP:
    case ENTRY_SESSION:
        buf_add_char(out, ' ');
        add_quoted(out, next_line(&payload));
        break;
    }
    if (why)
        buf_printf(out, " (void: %s)", why);
    buf_add_char(out, '\n');
}

static void add_resp(struct check *check, const struct entry *entry)
{
    struct buf *out = &check->line;
    struct logged logged = {0};
    struct span payload = entry->payload;
    if (entry->database != check->selected)
        entry_encode_select(out, entry->database);
    check->selected = entry->database; /* a transaction ends where it began */
    /* Commands that are piped into a server have no concurrent clients, so WATCH is left out. */
    while (next_command(&logged, &payload))
        if (!span_is(logged.args[0], "WATCH"))
            resp_encode_command(out, logged.args, logged.argc);
    logged_close(&logged);
}

static bool runs_commands(const struct entry *entry)
{
    return entry->kind == ENTRY_COMMAND || entry->kind == ENTRY_TRANSACTION;
}

/* Watched keys, or the number of a session. */
static bool has_condition(const struct entry *entry)
{
    return runs_commands(entry) && is_condition(entry->payload);
}

void check_dump_entry(struct check *check, const struct entry *entry, const char *why)
{
    struct buf *line = &check->line;
    line->len = 0;
    if (!check->options.resp)
        add_text(line, entry, why);
    else if (!why && runs_commands(entry))
        add_resp(check, entry);
    if (has_condition(entry) && entry->index <= machine_replay_position(check->replay)->index)
        check->unjudged++;
    if (line->len)
        fwrite(line->ptr, 1, line->len, stdout);
}

void check_dump_end(const struct check *check)
{
    uint64_t covered = machine_replay_snapshot(check->replay)->index;
    if (!check->options.resp)
        return;
    if (check->unjudged)
        check_say("%" PRIu64
                  " entries that the snapshot covers watch keys or carry the number of a "
                  "session: whether they came to nothing is not known",
                  check->unjudged);
    if (covered && check->first_index != 1)
        check_say("the commands alone are not all of the data: what was before entry %" PRIu64
                  " is in the snapshot (see --export)",
                  check->first_index ? check->first_index : covered + 1);
}
