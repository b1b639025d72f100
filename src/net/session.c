/* CLIENT SESSION. */
#include "net/session.h"
#include "net/dispatch.h"
#include "net/local.h"
#include "net/module.h"
#include "net/reply.h"
#include "net/statistics.h"

#include "base/number.h"

static const char not_yet[] =
    "ERR sessions are not available: not all nodes are known to speak version 3";
static const char not_used[] = "ERR no session is used: CLIENT SESSION USE comes first";

void client_session_forget(struct client *client)
{
    client->session = (struct client_session){.used = false};
}

struct session_number client_session_number(const struct client *client)
{
    static const struct session_number none;
    return client->session.pending ? client->session.number : none;
}

static void refuse_next(struct client *client)
{
    client->session.pending = true;
    client->session.number.number = 0;
}

void client_session_rejected(struct client *client)
{
    if (!client->transaction.open) /* which is aborted */
        refuse_next(client);
}

static void done(struct client *client, const struct net_request *request, bool error)
{
    net_stats_executed(client->net, request->command, error);
}

static enum net_verdict fail(struct client *client, const struct net_request *request,
                             const char *text)
{
    client_error(client, text);
    done(client, request, true);
    return NET_DONE;
}

static enum net_verdict succeed(struct client *client, const struct net_request *request)
{
    client_status(client, "OK");
    done(client, request, false);
    return NET_DONE;
}

/* --- what concerns this connection alone --- */

static enum net_verdict use(struct client *client, const struct net_request *request)
{
    struct session_id id;
    bool pending = client->session.pending;
    client_session_forget(client);
    if (pending)
        refuse_next(client); /* it was meant for the other session */
    if (request->argc != 4 || !session_id_parse(request->args[3], &id))
        return fail(client, request, "ERR a session's id is 32 lower-case hexadecimal digits");
    client->session.used = true;
    client->session.number.id = id;
    return succeed(client, request);
}

static bool parse_seq(const struct net_request *request, struct session_number *number)
{
    const struct span *args = request->args;
    bool has_ack = request->argc == 6 && span_is(args[4], "ACK");
    return (request->argc == 4 || has_ack) && number_parse_u64(args[3], &number->number) &&
           number->number > 0 && (!has_ack || number_parse_u64(args[5], &number->answered));
}

static enum net_verdict seq(struct client *client, const struct net_request *request)
{
    struct session_number number = client->session.number;
    bool fine = parse_seq(request, &number);
    if (!client->session.used || !fine) {
        refuse_next(client);
        return fail(
            client, request,
            fine ? not_used
                 : "ERR CLIENT SESSION SEQ takes a number from 1 on, and ACK with the lowest "
                   "one that has no reply");
    }
    client->session.number = number;
    client->session.pending = true;
    return succeed(client, request);
}

/* --- what concerns the cluster --- */

enum net_verdict client_wait_for_sessions(struct client *client)
{
    return client_wait_for_members(client, SHARD_SESSIONS, not_yet);
}

static enum net_verdict submit(struct client *client, const struct net_request *request,
                               const struct session_note *note)
{
    struct net *net = client->net;
    if (!net->shard)
        return fail(client, request, net_absence(net));
    if (client_is_redirected(client))
        return client_not_admitted(client, SHARD_NOT_LEADER, 0);
    if (!shard_has_sessions(net->shard))
        return client_wait_for_sessions(client);
    enum shard_admission admission = shard_session(net->shard, client_expect_reply(client),
                                                   client->protocol, note, *net_now(net));
    if (admission != SHARD_ACCEPTED) {
        client_expect_no_reply(client);
        return client_not_admitted(client, admission, 0);
    }
    net->submitted = true;
    done(client, request, false);
    return NET_DONE;
}

static enum net_verdict begin(struct client *client, const struct net_request *request)
{
    const struct span *args = request->args;
    struct session_note note = {.verb = SESSION_ASK};
    bool has_ttl = request->argc == 5 && span_is(args[3], "TTL");
    if ((request->argc != 3 && !has_ttl) ||
        (has_ttl && (!number_parse_i64(args[4], &note.terms.ttl_ms) || note.terms.ttl_ms <= 0 ||
                     note.terms.ttl_ms > SESSION_TTL_MS_MOST)))
        return fail(client, request,
                    "ERR CLIENT SESSION BEGIN takes nothing, or TTL with milliseconds up to "
                    "session-ttl-ms");
    return submit(client, request, &note);
}

static enum net_verdict end(struct client *client, const struct net_request *request)
{
    struct session_note note = {.verb = SESSION_END, .number.id = client->session.number.id};
    if (request->argc > 4 ||
        (request->argc == 4 && !session_id_parse(request->args[3], &note.number.id)))
        return fail(client, request,
                    "ERR CLIENT SESSION END takes nothing, or the id of a session");
    if (request->argc == 3 && !client->session.used)
        return fail(client, request, not_used);
    return submit(client, request, &note);
}

static enum net_verdict ack(struct client *client, const struct net_request *request)
{
    struct session_note note = {.verb = SESSION_ANSWERED, .number.id = client->session.number.id};
    if (request->argc != 4 || !number_parse_u64(request->args[3], &note.number.answered))
        return fail(client, request,
                    "ERR CLIENT SESSION ACK takes the lowest number that has no reply");
    if (!client->session.used)
        return fail(client, request, not_used);
    return submit(client, request, &note);
}

/* A word that is misspelt may have been meant for SEQ. */
static enum net_verdict submit_session(struct client *client, const struct net_request *request)
{
    static const struct {
        const char *word;
        enum net_verdict (*run)(struct client *client, const struct net_request *request);
    } words[] = {{"SEQ", seq}, {"USE", use}, {"BEGIN", begin}, {"END", end}, {"ACK", ack}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (span_is(request->args[2], words[i].word))
            return words[i].run(client, request);
    refuse_next(client);
    return fail(client, request,
                "ERR CLIENT SESSION is followed by BEGIN, USE, SEQ, ACK or END. Try CLIENT HELP.");
}

/* --- commands that have a number --- */

static bool is_of_session(const struct client *client, const struct span *args, size_t argc)
{
    const struct command *command = command_find(client->net->table, args, argc);
    const struct net_local *local = command ? client->net->locals[command->id] : NULL;
    return local && local->submit == submit_session;
}

/* What would follow MULTI is not executed either. */
static enum net_verdict refuse(struct client *client, struct span name)
{
    client->session.pending = false;
    if (span_is(name, "MULTI") && !client->transaction.open)
        client->transaction.open = client->transaction.aborted = true;
    client_error(client, "ERR the number of this command was refused: it was not executed");
    return NET_DONE;
}

enum net_verdict client_run_numbered(struct client *client, const struct span *args, size_t argc,
                                     size_t bytes)
{
    if (is_of_session(client, args, argc))
        return client_find_and_run(client, args, argc, bytes);
    if (client->session.number.number == 0)
        return refuse(client, args[0]);
    enum net_verdict verdict = client_find_and_run(client, args, argc, bytes);
    if (verdict == NET_DONE && !client->transaction.open)
        client->session.pending = false;
    return verdict;
}

const struct net_local net_session_commands[] = {
    {.fullname = "client|session",
     .submit = submit_session,
     .not_in_transaction = true,
     .numbers = true},
    {.fullname = NULL},
};
