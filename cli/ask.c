/* Questions to one node, or to all of them at once. */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

int cli_exit_status(enum flotilla_status status)
{
    switch (status) {
    case FLOTILLA_OK:
        return EXIT_DONE;
    case FLOTILLA_REPLY:
    case FLOTILLA_REFUSED:
    case FLOTILLA_NO_SESSION:
    case FLOTILLA_BUSY:
    case FLOTILLA_MEMORY:
        return EXIT_REFUSED;
    case FLOTILLA_ARGUMENT:
        return EXIT_USAGE;
    case FLOTILLA_TIMEOUT:
    case FLOTILLA_CANCELLED:
        return EXIT_ABSENT;
    case FLOTILLA_UNKNOWN:
    case FLOTILLA_PROTOCOL:
        return EXIT_UNKNOWN;
    }
    return EXIT_UNKNOWN;
}

struct flotilla *cli_connect(const struct cli *cli)
{
    struct flotilla_error error;
    struct flotilla *client = flotilla_new(&cli->options, NULL, &error);
    if (!client)
        fprintf(stderr, "flotilla-cli: %s\n", error.text);
    return client;
}

struct flotilla_reply *cli_ask(struct flotilla *client, enum flotilla_repeat repeat, int *status,
                               size_t argc, const char *const *argv)
{
    struct flotilla_error error;
    const struct flotilla_call call = {.argc = argc, .argv = argv, .repeat = repeat};
    struct flotilla_reply *reply = flotilla_call(client, &call, &error);
    *status = cli_exit_status(error.status);
    if (!reply)
        fprintf(stderr, "flotilla-cli: %s\n", error.text);
    return reply;
}

/* ---- who belongs to the cluster ---- */

static void copy(char *to, size_t size, const struct flotilla_reply *from)
{
    snprintf(to, size, "%s", from->type == FLOTILLA_STRING ? from->bytes : "");
}

static void read_member(const struct flotilla_reply *fields, struct member *member)
{
    *member = (struct member){.id = 0};
    for (size_t i = 0; i + 1 < fields->count; i += 2) {
        const struct flotilla_reply *value = fields->elements[i + 1];
        const char *name =
            fields->elements[i]->type == FLOTILLA_STRING ? fields->elements[i]->bytes : "";
        if (strcmp(name, "id") == 0)
            member->id = value->integer;
        else if (strcmp(name, "address") == 0)
            copy(member->address, sizeof member->address, value);
        else if (strcmp(name, "state") == 0)
            copy(member->state, sizeof member->state, value);
        else if (strcmp(name, "link") == 0)
            copy(member->link, sizeof member->link, value);
    }
}

static void read_members(const struct flotilla_reply *reply, struct members *members)
{
    members->count = 0;
    for (size_t i = 0; i < reply->count && members->count < CLI_NODES_MAX; i++)
        if (reply->elements[i]->type == FLOTILLA_ARRAY)
            read_member(reply->elements[i], &members->list[members->count++]);
}

bool cli_read_members(struct flotilla *client, struct members *members, int *status)
{
    static const char *const list[] = {"RAFT.NODE", "LIST"};
    struct flotilla_reply *reply = cli_ask(client, FLOTILLA_ANY_TIMES, status, 2, list);
    if (!reply)
        return false;
    read_members(reply, members);
    flotilla_reply_free(reply);
    return true;
}

/* ---- all nodes ---- */

struct round {
    struct event_base *base;
    size_t left;
    struct members members; /* of a node that answered */
};

struct question {
    struct round *round;
    struct answer *answer;
    struct flotilla *client;
};

static void on_info(struct flotilla *client, struct flotilla_reply *reply,
                    const struct flotilla_error *error, void *context)
{
    struct question *question = context;
    (void)client;
    question->answer->error = *error;
    if (error->status == FLOTILLA_OK && reply->type == FLOTILLA_STRING)
        question->answer->info = strdup(reply->bytes);
    question->round->left--;
}

static void on_members(struct flotilla *client, struct flotilla_reply *reply,
                       const struct flotilla_error *error, void *context)
{
    struct question *question = context;
    (void)client;
    if (error->status == FLOTILLA_OK && reply->type == FLOTILLA_ARRAY &&
        question->round->members.count == 0)
        read_members(reply, &question->round->members);
    question->round->left--;
}

static void ask_one(const struct cli *cli, struct question *question)
{
    static const char *const info[] = {"INFO", "raft"};
    static const char *const list[] = {"RAFT.NODE", "LIST"};
    const struct flotilla_call calls[] = {
        {.argc = 2, .argv = list, .repeat = FLOTILLA_ANY_TIMES},
        {.argc = 2, .argv = info, .repeat = FLOTILLA_ANY_TIMES},
    };
    struct flotilla_options options = cli->options;
    options.nodes = question->answer->address;
    options.one_node = true;
    options.timeout_ms = cli->asks_ms;
    question->client = flotilla_new(&options, question->round->base, &question->answer->error);
    if (!question->client)
        return;
    question->round->left +=
        flotilla_send(question->client, &calls[0], on_members, question) == FLOTILLA_OK;
    question->round->left +=
        flotilla_send(question->client, &calls[1], on_info, question) == FLOTILLA_OK;
}

/* Asks the answers from `first` on, at once. */
static void ask_round(const struct cli *cli, struct round *round, struct answers *answers,
                      size_t first)
{
    struct question questions[CLI_NODES_MAX];
    for (size_t i = first; i < answers->count; i++) {
        questions[i] = (struct question){.round = round, .answer = &answers->list[i]};
        ask_one(cli, &questions[i]);
    }
    while (round->left > 0)
        event_base_loop(round->base, EVLOOP_ONCE);
    for (size_t i = first; i < answers->count; i++)
        flotilla_free(questions[i].client);
}

static void add_address(struct answers *answers, const char *address, size_t length)
{
    while (length > 0 && *address == ' ')
        address++, length--;
    if (answers->count == CLI_NODES_MAX || length == 0)
        return;
    struct answer *answer = &answers->list[answers->count++];
    *answer = (struct answer){.info = NULL};
    snprintf(answer->address, sizeof answer->address, "%.*s", (int)length, address);
}

static bool has_answered(const struct answers *answers, const struct member *member)
{
    for (size_t i = 0; i < answers->count; i++)
        if ((answers->list[i].info &&
             cli_number(answers->list[i].info, "raft_node_id") == member->id) ||
            strcmp(answers->list[i].address, member->address) == 0)
            return true;
    return false;
}

void cli_ask_all(const struct cli *cli, struct answers *answers)
{
    struct round round = {.base = event_base_new()};
    answers->count = 0;
    if (!round.base) {
        fputs("flotilla-cli: no memory\n", stderr);
        exit(EXIT_REFUSED);
    }
    for (const char *at = cli->options.nodes; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        add_address(answers, at, strcspn(at, ","));
    ask_round(cli, &round, answers, 0);
    size_t named = answers->count;
    for (size_t i = 0; i < round.members.count; i++)
        if (!has_answered(answers, &round.members.list[i]))
            add_address(answers, round.members.list[i].address,
                        strlen(round.members.list[i].address));
    ask_round(cli, &round, answers, named);
    event_base_free(round.base);
}

void cli_answers_close(struct answers *answers)
{
    for (size_t i = 0; i < answers->count; i++)
        free(answers->list[i].info);
}

/* ---- INFO ---- */

bool cli_field(const char *info, const char *name, char *value, size_t size)
{
    size_t length = strlen(name);
    for (const char *line = info; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, length) == 0 && line[length] == ':') {
            line += length + 1;
            snprintf(value, size, "%.*s", (int)strcspn(line, "\r\n"), line);
            return true;
        }
    }
    *value = '\0';
    return false;
}

long long cli_number(const char *info, const char *name)
{
    char value[32];
    return cli_field(info, name, value, sizeof value) ? strtoll(value, NULL, 10) : -1;
}

bool cli_part(const char *field, const char *name, char *value, size_t size)
{
    size_t length = strlen(name);
    for (const char *part = field; part; part = strchr(part, ',')) {
        part += *part == ',';
        if (strncmp(part, name, length) == 0 && part[length] == '=') {
            part += length + 1;
            snprintf(value, size, "%.*s", (int)strcspn(part, ","), part);
            return true;
        }
    }
    *value = '\0';
    return false;
}
