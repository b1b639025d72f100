/* Clients that number their commands in a session, and send them again wherever they come to when
 * their node ends, when it says nothing for too long, or when it cannot tell what became of them.
 * Each has a counter of its own, so that every reply is known beforehand: whatever happens, each
 * number counts once. */
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "sim/sim.h"

enum {
    SHORT_LIVED = 4, /* of so many clients one has a session that ends soon */
    SHORT_TTL_MS = 3000,
    IMPATIENT_US_MAX = 500000,
    SKIPPED_MAX = 3,
};

struct session_terms sim_session_terms(void)
{
    /* As many replies as a client has commands under way, and one of them too long. */
    return (struct session_terms){.ttl_ms = SESSION_TTL_MS_MOST,
                                  .sessions_max = 64,
                                  .replies_max = SIM_NUMBERED_MAX,
                                  .bytes_max = 64};
}

static bool is_short_lived(const struct sim_client *client)
{
    return client->number % SHORT_LIVED == SHORT_LIVED - 1;
}

/* ---- what it asks ---- */

static unsigned key_of(const struct sim *sim, const struct sim_client *client, char letter,
                       char out[SIM_NAME])
{
    return sim_place(sim, letter, client->number, out);
}

static struct session_number number_of(const struct sim_session *session,
                                       const struct sim_numbered *item)
{
    return (struct session_number){
        .id = session->id, .number = item->number, .answered = session->answered};
}

static enum shard_admission ask_session(struct sim_client *client, struct sim_node *node)
{
    const struct session_note note = {.verb = SESSION_ASK,
                                      .terms.ttl_ms = is_short_lived(client) ? SHORT_TTL_MS : 0};
    return shard_session(node->shard, sim_handle(client), 2, &note, sim_node_time(node));
}

/* What the counter is, for a client whose session ended with commands in doubt. */
static enum shard_admission read_counter(struct sim *sim, struct sim_client *client,
                                         struct sim_node *node)
{
    char key[SIM_NAME];
    unsigned database = key_of(sim, client, 'n', key);
    const struct span args[] = {SPAN("GET"), span_text(key)};
    return sim_read(sim, client, node, database, args, 2);
}

static enum shard_admission submit_incr(struct sim *sim, struct sim_client *client,
                                        struct sim_node *node, const struct sim_numbered *item)
{
    char key[SIM_NAME];
    unsigned database = key_of(sim, client, 'n', key);
    const struct span args[] = {SPAN("INCR"), span_text(key)};
    struct shard_request request = sim_request(sim, client, database, args, 2);
    request.session = number_of(&client->session, item);
    return shard_write(node->shard, &request, sim_node_time(node));
}

/* Counts both counters up, in one step. */
static enum shard_admission submit_exec(struct sim *sim, struct sim_client *client,
                                        struct sim_node *node, const struct sim_numbered *item)
{
    char keys[2][SIM_NAME];
    unsigned database = 0;
    struct buf commands = {0};
    for (int i = 0; i < 2; i++) {
        database = key_of(sim, client, i ? 'm' : 'n',
                          keys[i]); /* one for both: a numbered one has no SELECT */
        const struct span incr[] = {SPAN("INCR"), span_text(keys[i])};
        resp_encode_command(&commands, incr, 2);
    }
    const struct shard_transaction transaction = {.client = sim_handle(client),
                                                  .protocol = 2,
                                                  .commands = buf_span(&commands),
                                                  .count = 2,
                                                  .database = database,
                                                  .session = number_of(&client->session, item)};
    enum shard_admission admission =
        shard_transaction(node->shard, &transaction, sim_node_time(node));
    buf_close(&commands);
    return admission;
}

static void draw_commands(struct sim *sim, struct sim_session *session)
{
    session->count = (unsigned)sim_between(sim, 1, SIM_NUMBERED_MAX);
    for (unsigned i = 0; i < session->count; i++) {
        session->next += sim_chance(sim, 0.8) ? 1 : sim_between(sim, 1, SKIPPED_MAX);
        session->items[i] =
            (struct sim_numbered){.number = session->next, .exec = sim_chance(sim, 0.3)};
    }
    session->answered = session->items[0].number;
}

/* All that have no reply, in their order; what is not admitted stays for the next time. */
static enum shard_admission submit_commands(struct sim *sim, struct sim_client *client,
                                            struct sim_node *node)
{
    struct sim_session *session = &client->session;
    enum shard_admission first = SHARD_ACCEPTED;
    client->expected = session->sent = 0;
    for (unsigned i = 0; i < session->count; i++) {
        const struct sim_numbered *item = &session->items[i];
        if (item->fate != SIM_NUMBER_OPEN)
            continue;
        client->expected++; /* the reply may come at once */
        enum shard_admission admission = item->exec ? submit_exec(sim, client, node, item)
                                                    : submit_incr(sim, client, node, item);
        if (admission != SHARD_ACCEPTED) {
            client->expected--;
            if (session->sent == 0)
                first = admission;
            break;
        }
        session->which[session->sent++] = i;
    }
    return session->sent ? SHARD_ACCEPTED : first;
}

/* A number that was answered: the same reply, or none if the client said that it has it. */
static enum shard_admission repeat_answered(struct sim *sim, struct sim_client *client,
                                            struct sim_node *node)
{
    struct sim_session *session = &client->session;
    const struct sim_numbered *last = &session->items[session->count - 1];
    session->says_answered = sim_chance(sim, 0.3);
    if (session->says_answered)
        session->answered = last->number + 1;
    return last->exec ? submit_exec(sim, client, node, last) : submit_incr(sim, client, node, last);
}

static enum sim_session_stage stage_of(struct sim *sim, const struct sim_session *session)
{
    if (!session->begun)
        return SIM_SESSION_BEGINS;
    if (session->in_doubt)
        return SIM_SESSION_READS;
    if (session->open)
        return SIM_SESSION_RUNS;
    return session->count && !session->says_answered && sim_chance(sim, 0.2) ? SIM_SESSION_REPEATS
                                                                             : SIM_SESSION_RUNS;
}

static void give_up_later(struct sim *sim, struct sim_client *client)
{
    client->session.impatient = client->generation;
    sim_push(sim, (struct sim_event){.at_us = sim->now_us + sim_between(sim, 0, IMPATIENT_US_MAX),
                                     .type = SIM_CLIENT,
                                     .node = client->number});
}

enum shard_admission sim_numbered_submit(struct sim *sim, struct sim_client *client,
                                         struct sim_node *node)
{
    struct sim_session *session = &client->session;
    char key[SIM_NAME];
    if (!sim_may_use(node, key_of(sim, client, 'n', key)))
        return SHARD_NOT_LEADER;
    session->stage = stage_of(sim, session);
    enum shard_admission admission = SHARD_ACCEPTED;
    client->expected = 1;
    switch (session->stage) {
    case SIM_SESSION_BEGINS:
        admission = ask_session(client, node);
        break;
    case SIM_SESSION_READS:
        admission = read_counter(sim, client, node);
        break;
    case SIM_SESSION_RUNS:
        if (!session->open)
            draw_commands(sim, session);
        session->open = true;
        admission = submit_commands(sim, client, node);
        break;
    case SIM_SESSION_REPEATS:
        admission = repeat_answered(sim, client, node);
        break;
    }
    if (admission == SHARD_ACCEPTED && sim_chance(sim, 0.1))
        give_up_later(sim, client);
    return admission;
}

bool sim_numbered_gives_up(struct sim_client *client)
{
    if (!client->waiting || client->kind != SIM_OP_NUMBERED ||
        client->session.impatient != client->generation)
        return false;
    client->waiting = false;
    return true;
}

/* ---- what it is told ---- */

/* The next line, with its end. */
static struct span take_line(struct sim *sim, struct span *replies)
{
    const char *end = replies->len ? memchr(replies->ptr, '\n', replies->len) : NULL;
    if (!end)
        sim_fail(sim, "a reply is missing: %.*s", (int)replies->len, replies->ptr);
    struct span line = span_of(replies->ptr, (size_t)(end + 1 - replies->ptr));
    *replies = span_of(end + 1, replies->len - line.len);
    return line;
}

static int64_t integer_in(struct sim *sim, const struct sim_client *client, struct span line)
{
    int64_t value;
    if (line.len < 4 || line.ptr[0] != ':' ||
        !number_parse_i64(span_of(line.ptr + 1, line.len - 3), &value))
        sim_fail(sim, "client %d: unexpected reply to a numbered command: %.*s", client->number,
                 (int)line.len, line.ptr);
    return value;
}

/* Of INCR, or of EXEC with both counters. */
static int64_t take_value(struct sim *sim, const struct sim_client *client, struct span line,
                          const struct sim_numbered *item, struct span *replies)
{
    if (!item->exec)
        return integer_in(sim, client, line);
    if (!span_begins_with(line, SPAN("*2\r\n")))
        sim_fail(sim, "client %d: unexpected reply of EXEC: %.*s", client->number, (int)line.len,
                 line.ptr);
    int64_t value = integer_in(sim, client, take_line(sim, replies));
    integer_in(sim, client, take_line(sim, replies));
    return value;
}

static void session_is_over(struct sim *sim, struct sim_client *client)
{
    struct sim_session *session = &client->session;
    if (!is_short_lived(client))
        sim_fail(sim, "client %d: its session is gone", client->number);
    session->begun = false;
    session->in_doubt = true;
}

/* Every number that was carried out counted by one, in the order of the numbers. */
static void check_counts(struct sim *sim, struct sim_client *client)
{
    struct sim_session *session = &client->session;
    for (unsigned i = 0; i < session->count; i++) {
        const struct sim_numbered *item = &session->items[i];
        if (item->fate == SIM_NUMBER_OPEN)
            return;
        if (item->fate == SIM_NUMBER_SKIPPED && i + 1 == session->count)
            sim_fail(sim, "client %d: number %llu was left out for nothing", client->number,
                     (unsigned long long)item->number);
    }
    for (unsigned i = 0; i < session->count; i++) {
        const struct sim_numbered *item = &session->items[i];
        if (item->fate == SIM_NUMBER_SKIPPED)
            continue;
        if (item->value != session->value + 1)
            sim_fail(sim, "client %d: number %llu gave %lld after %lld (%s)", client->number,
                     (unsigned long long)item->number, (long long)item->value,
                     (long long)session->value, item->value > session->value ? "doubled" : "lost");
        session->value = item->value;
        session->execs += session->execs >= 0 && item->exec;
    }
    session->open = session->says_answered = false;
}

static void take_error(struct sim *sim, struct sim_client *client, struct sim_numbered *item,
                       struct span line)
{
    if (span_begins_with(line, SPAN("-NOSESSION"))) {
        session_is_over(sim, client);
    } else if (span_begins_with(line, SPAN("-SESSIONSKIPPED"))) {
        item->fate = SIM_NUMBER_SKIPPED;
    } else if (span_begins_with(line, SPAN("-UNKNOWN")) ||
               span_begins_with(line, SPAN("-CLUSTERDOWN")) ||
               span_begins_with(line, SPAN("-MISCONF"))) {
        sim_check_trouble(sim, client, line);
        sim->stats.unknown += line.ptr[1] == 'U';
        sim->stats.refused += line.ptr[1] != 'U';
    } else {
        sim_fail(sim, "client %d: unexpected error: %.*s", client->number, (int)line.len, line.ptr);
    }
}

static void commands_answered(struct sim *sim, struct sim_client *client)
{
    struct sim_session *session = &client->session;
    struct span replies = buf_span(&client->reply);
    for (unsigned i = 0; i < session->sent; i++) {
        struct sim_numbered *item = &session->items[session->which[i]];
        struct span line = take_line(sim, &replies);
        if (line.ptr[0] == '-') {
            take_error(sim, client, item, line);
            continue;
        }
        item->value = take_value(sim, client, line, item, &replies);
        item->fate = SIM_NUMBER_DONE;
        sim->stats.acknowledged++;
        sim->stats.numbered++;
    }
    if (client->reply_index)
        sim_check_acknowledged(sim, client->reply_index);
    if (session->begun)
        check_counts(sim, client);
}

static void repeat_was_answered(struct sim *sim, struct sim_client *client)
{
    struct sim_session *session = &client->session;
    const struct sim_numbered *last = &session->items[session->count - 1];
    struct span replies = buf_span(&client->reply);
    struct span line = take_line(sim, &replies);
    sim->stats.repeats++;
    if (span_begins_with(line, SPAN("-SESSIONPAST"))) {
        if (!session->says_answered)
            sim_fail(sim, "client %d: the reply to number %llu was not kept", client->number,
                     (unsigned long long)last->number);
    } else if (line.ptr[0] == '-') {
        take_error(sim, client, &(struct sim_numbered){.number = 0}, line);
    } else if (session->says_answered ||
               take_value(sim, client, line, last, &replies) != last->value) {
        sim_fail(sim, "client %d: the reply to number %llu is another one the second time: %.*s",
                 client->number, (unsigned long long)last->number, (int)client->reply.len,
                 client->reply.ptr);
    }
}

/* The reply is a map, here a flat array: "id", the id, and its terms. */
static void session_begun(struct sim *sim, struct sim_client *client)
{
    struct sim_session *session = &client->session;
    struct span reply = buf_span(&client->reply);
    static const char head[] = "*8\r\n$2\r\nid\r\n$32\r\n";
    if (reply.ptr[0] == '-') {
        take_error(sim, client, &(struct sim_numbered){.number = 0}, reply);
        return;
    }
    if (!span_begins_with(reply, span_text(head)) ||
        !session_id_parse(span_of(reply.ptr + sizeof head - 1, SESSION_ID_CHARS), &session->id))
        sim_fail(sim, "client %d: no session: %.*s", client->number, (int)reply.len, reply.ptr);
    session->begun = true;
    session->next = 0;
    session->count = 0;
}

/* The counter, if all was carried out that nobody knows of. */
static int64_t in_doubt_at_most(const struct sim_session *session)
{
    if (session->in_doubt)
        return session->value + session->count_at_end;
    return session->value + (session->open ? session->count : 0);
}

/* It was in doubt whether the open numbers were carried out before their session ended. */
static void counter_read(struct sim *sim, struct sim_client *client)
{
    struct sim_session *session = &client->session;
    struct span replies = buf_span(&client->reply);
    struct span line = take_line(sim, &replies);
    int64_t value = 0;
    if (line.ptr[0] == '-') {
        take_error(sim, client, &(struct sim_numbered){.number = 0}, line);
        return;
    }
    if (!span_begins_with(line, SPAN("$-1"))) {
        struct span text = take_line(sim, &replies);
        if (text.len < 3 || !number_parse_i64(span_of(text.ptr, text.len - 2), &value))
            sim_fail(sim, "client %d: its counter is no number", client->number);
    }
    int64_t most = in_doubt_at_most(session);
    if (value < session->value || value > most)
        sim_fail(sim, "client %d: its counter is %lld after %lld, with %d in doubt", client->number,
                 (long long)value, (long long)session->value, (int)session->count_at_end);
    session->value = value;
    session->execs = -1; /* how many of them, nobody knows */
    session->in_doubt = session->open = false;
}

void sim_numbered_answered(struct sim *sim, struct sim_client *client)
{
    struct sim_session *session = &client->session;
    switch (session->stage) {
    case SIM_SESSION_BEGINS:
        session_begun(sim, client);
        break;
    case SIM_SESSION_READS:
        counter_read(sim, client);
        break;
    case SIM_SESSION_RUNS:
        session->count_at_end = session->count;
        commands_answered(sim, client);
        break;
    case SIM_SESSION_REPEATS:
        session->count_at_end = 0;
        repeat_was_answered(sim, client);
        break;
    }
}

/* ---- at the end ---- */

static int64_t counter_of(struct sim *sim, const struct sim_node *node, char letter,
                          const struct sim_client *client)
{
    char scratch[24];
    int64_t value = 0;
    const struct item *item = sim_find(sim, node, letter, client->number);
    if (item && !number_parse_i64(item_string(item, scratch), &value))
        sim_fail(sim, "the counter of client %d is no number", client->number);
    return value;
}

/* What is still open may have been carried out or not. */
void sim_check_numbered(struct sim *sim, const struct sim_node *node)
{
    for (int i = 0; i < sim->profile.clients; i++) {
        const struct sim_client *client = &sim->clients[i];
        const struct sim_session *session = &client->session;
        int64_t most = in_doubt_at_most(session);
        int64_t value = counter_of(sim, node, 'n', client);
        if (value < session->value || value > most)
            sim_fail(sim, "the counter of client %d is %lld, it has counted %lld, %lld at most", i,
                     (long long)value, (long long)session->value, (long long)most);
        int64_t execs = counter_of(sim, node, 'm', client);
        if (session->execs >= 0 && !session->open && execs != session->execs)
            sim_fail(sim, "client %d has carried out %lld transactions, and counts %lld", i,
                     (long long)execs, (long long)session->execs);
    }
}

/* ---- a scenario ---- */

enum { SECOND = 1000000, ROUNDS = 30 };

/* Nothing but numbered commands, and the nodes end one after the other, the leader too. */
void sim_numbered_clients(struct sim *sim)
{
    sim->profile.numbered = 1;
    sim->profile.snapshot_log_bytes = 20000;
    sim_wait_for_leader(sim);
    for (int round = 0; round < ROUNDS; round++) {
        sim_run_for(sim, sim_between(sim, 0, SECOND / 2));
        struct sim_node *victim =
            round % 2 ? &sim->nodes[sim_between(sim, 0, (uint64_t)sim->profile.nodes - 1)]
                      : sim_wait_for_leader(sim);
        sim_node_crash(victim, sim_chance(sim, 0.5));
        uint64_t numbered = sim->stats.numbered;
        sim_need_acknowledged(sim, 20);
        if (sim->stats.numbered == numbered)
            sim_fail(sim, "no numbered command was answered");
        sim_node_start(victim);
    }
}
