/* Entries that concern sessions (session.h): what is begun and ended, and commands that a client
 * has numbered, each of which is carried out once. */
#include "base/assert.h"
#include "machine/internal.h"

static const char no_session[] =
    "NOSESSION there is no such session, or no more: the command was not executed. Whether it was "
    "before the session ended is not known";
static const char too_many[] = "ERR the maximum number of sessions is reached";
static const char taken[] = "ERR the id of the session is taken";

/* --- replies that are kept --- */

static void write_kept(const struct session *session, const struct session_note *note,
                       struct resp_writer *reply)
{
    uint64_t number = note->number.number;
    const struct session_reply *kept = session_reply_to(session, number);
    if (kept && kept->protocol == note->protocol)
        resp_raw(reply, session_reply_bytes(session, kept));
    else if (kept && kept->protocol)
        resp_errorf(reply,
                    "SESSIONPAST number %llu was carried out before, on a connection that spoke "
                    "RESP%d: its reply is kept in that form alone",
                    (unsigned long long)number, kept->protocol);
    else if (kept || number <= session->dropped)
        resp_errorf(reply,
                    "SESSIONPAST the reply to number %llu is not kept any more: the command was "
                    "not executed again",
                    (unsigned long long)number);
    else
        resp_errorf(reply,
                    "SESSIONSKIPPED number %llu was left out when number %llu was carried out: it "
                    "was not executed and never will be",
                    (unsigned long long)number, (unsigned long long)session->last);
}

/* --- numbered commands --- */

/* The reply is written on every node, in the form that the entry names, whoever waits for it. */
static void run_and_keep(struct machine *machine, const struct entry *entry,
                         const struct session_note *note, struct command_context *context,
                         const struct machine_caller *caller)
{
    struct resp_writer *reply = context->reply;
    struct machine_caller quiet = *caller;
    struct buf gathered = {0};
    struct resp_writer inner = {.out = &gathered, .protocol = note->protocol};
    struct command_clock wall = {.ms = entry->time_ms, .stands = true};
    struct command_clock *outer_wall = context->wall;
    ASSERT(caller->script.len == 0); /* what other nodes cannot run has no place in the state */
    if (!reply->out)
        quiet.executed = NULL;
    context->reply = &inner;
    context->replies_max = SESSION_TRANSACTION_BYTES_MAX;
    context->wall = &wall;
    machine_apply_data(machine, entry, context, &quiet);
    context->wall = outer_wall;
    context->reply = reply;
    struct session *session = sessions_find(&machine->sessions, note->number.id);
    ASSERT(session);
    sessions_keep(&machine->sessions, session, note->number.number, note->protocol,
                  buf_span(&gathered));
    resp_raw(reply, buf_span(&gathered));
    buf_close(&gathered);
}

void machine_apply_numbered(struct machine *machine, const struct entry *entry,
                            struct command_context *context, const struct machine_caller *caller)
{
    struct session_note note;
    struct entry content = *entry;
    bool fine = session_note_take(&content.payload, &note);
    ASSERT(fine && note.verb == SESSION_NUMBER);
    sessions_expire(&machine->sessions, entry->time_ms);
    struct session *session = sessions_find(&machine->sessions, note.number.id);
    if (!session) {
        resp_error(context->reply, no_session);
        return;
    }
    sessions_use(&machine->sessions, session, note.number.answered, entry->time_ms);
    if (note.number.number > session->last) {
        run_and_keep(machine, &content, &note, context, caller);
        return;
    }
    machine->stats.repeats++;
    write_kept(session, &note, context->reply);
}

bool machine_is_repeated(const struct machine *machine, const struct entry *entry)
{
    struct session_note note;
    struct span payload = entry->payload;
    if (!machine_is_numbered(entry) || !session_note_take(&payload, &note))
        return false;
    const struct session *session = sessions_find(&machine->sessions, note.number.id);
    return !session || session->deadline_ms <= entry->time_ms ||
           note.number.number <= session->last;
}

/* --- sessions --- */

static void write_begun(const struct session_terms *terms, struct resp_writer *reply)
{
    struct buf id = {0};
    session_id_add(&id, terms->id);
    resp_map(reply, 4);
    resp_bulk_text(reply, "id");
    resp_bulk(reply, buf_span(&id));
    resp_bulk_text(reply, "ttl-ms");
    resp_integer(reply, terms->ttl_ms);
    resp_bulk_text(reply, "replies-max");
    resp_integer(reply, terms->replies_max);
    resp_bulk_text(reply, "bytes-max");
    resp_integer(reply, terms->bytes_max);
    buf_close(&id);
}

static void begin(struct sessions *sessions, const struct session_terms *terms, int64_t now_ms,
                  struct resp_writer *reply)
{
    if (sessions->count >= terms->sessions_max) {
        resp_error(reply, too_many);
        return;
    }
    if (sessions_find(sessions, terms->id)) {
        resp_error(reply, taken);
        return;
    }
    sessions_use(sessions, sessions_add(sessions, terms), 0, now_ms);
    write_begun(terms, reply);
}

void machine_apply_session(struct machine *machine, const struct entry *entry,
                           struct command_context *context)
{
    struct session_note note;
    struct span payload = entry->payload;
    struct sessions *sessions = &machine->sessions;
    bool fine = session_note_take(&payload, &note);
    ASSERT(fine);
    sessions_expire(sessions, entry->time_ms);
    if (note.verb == SESSION_BEGIN) {
        begin(sessions, &note.terms, entry->time_ms, context->reply);
        return;
    }
    struct session *session = sessions_find(sessions, note.number.id);
    if (!session) {
        resp_error(context->reply, no_session);
        return;
    }
    if (note.verb == SESSION_END)
        sessions_remove(sessions, session);
    else
        sessions_use(sessions, session, note.number.answered, entry->time_ms);
    resp_status(context->reply, "OK");
}

bool machine_session_is_valid(struct span payload)
{
    struct session_note note;
    if (!session_note_take(&payload, &note) || payload.len)
        return false;
    return note.verb == SESSION_BEGIN || note.verb == SESSION_ANSWERED || note.verb == SESSION_END;
}

/* What a node asks for becomes an entry by the terms of the leader. What was an entry of a leader
 * that lost its office is asked for anew. */
bool machine_rewrite_session(struct span payload, const struct session_terms *offer,
                             struct buf *out, const char **error)
{
    struct session_note note;
    if (!session_note_take(&payload, &note) || payload.len || note.verb == SESSION_NUMBER)
        return false;
    if (note.verb == SESSION_ASK || note.verb == SESSION_BEGIN) {
        int64_t wanted_ms = note.terms.ttl_ms;
        if (wanted_ms > offer->ttl_ms)
            *error = "ERR the time to live is above session-ttl-ms";
        note.verb = SESSION_BEGIN;
        note.terms = *offer;
        if (wanted_ms)
            note.terms.ttl_ms = wanted_ms;
    }
    if (!*error)
        session_note_add(out, &note);
    return true;
}
