/* members, add, remove, transfer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"

enum { LOOK_MS = 200, CAUGHT_UP = 100 };

int cli_members(const struct cli *cli)
{
    static const char *const columns[] = {"node", "address", "state", "link"};
    static const bool numbers[] = {true, false, false, false};
    struct members members;
    struct table table;
    int status = EXIT_USAGE;
    struct flotilla *client = cli_connect(cli);
    if (client && cli_read_members(client, &members, &status)) {
        table_begin(&table, "members", columns, numbers, 4);
        for (size_t i = 0; i < members.count; i++) {
            const struct member *member = &members.list[i];
            char id[32];
            snprintf(id, sizeof id, "%lld", member->id);
            const char *const cells[] = {id, member->address, member->state, member->link};
            table_add(&table, cells);
        }
        table_print(&table, cli->json, "");
        table_end(&table);
    }
    flotilla_free(client);
    return status;
}

/* A change is never asked for twice: what became of it is seen in the list of members. */
static int change(struct flotilla *client, size_t argc, const char *const *argv)
{
    int status = EXIT_USAGE;
    struct flotilla_reply *reply = cli_ask(client, FLOTILLA_AT_MOST_ONCE, &status, argc, argv);
    if (status == EXIT_UNKNOWN)
        fputs("flotilla-cli: see flotilla-cli members for what became of it\n", stderr);
    flotilla_reply_free(reply);
    return status;
}

static void sleep_ms(long ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

static long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* How far the node is behind, as the leader knows; -1: it is not connected, or there is no leader.
 */
static long long lag_of(const struct cli *cli, const char *id)
{
    struct answers answers;
    long long lag = -1;
    cli_ask_all(cli, &answers);
    for (size_t i = 0; i < answers.count; i++) {
        const char *info = answers.list[i].info;
        char role[16] = "";
        if (info)
            cli_field(info, "raft_role", role, sizeof role);
        for (int number = 1; strcmp(role, "leader") == 0 && number <= CLI_NODES_MAX; number++) {
            char name[32];
            char field[512];
            char part[32];
            snprintf(name, sizeof name, "raft_node%d", number);
            if (!cli_field(info, name, field, sizeof field))
                break;
            if (cli_part(field, "id", part, sizeof part) && strcmp(part, id) == 0 &&
                cli_part(field, "progress", part, sizeof part) && strcmp(part, "replicate") == 0 &&
                cli_part(field, "lag", part, sizeof part))
                lag = strtoll(part, NULL, 10);
        }
    }
    cli_answers_close(&answers);
    return lag;
}

static int wait_for_data(const struct cli *cli, const char *id)
{
    long until = now_ms() + cli->wait_ms;
    long long told = -2;
    for (;;) {
        long long lag = lag_of(cli, id);
        if (lag >= 0 && lag <= CAUGHT_UP)
            return EXIT_DONE;
        if (lag != told && lag >= 0)
            fprintf(stderr, "node %s is %lld entries behind\n", id, lag);
        else if (lag != told)
            fprintf(stderr, "node %s is awaited\n", id);
        told = lag;
        if (now_ms() >= until) {
            fprintf(stderr, "flotilla-cli: node %s has not all data yet; it goes on by itself\n",
                    id);
            return EXIT_REFUSED;
        }
        sleep_ms(LOOK_MS);
    }
}

int cli_add(const struct cli *cli)
{
    struct flotilla *client = cli_connect(cli);
    const char *const argv[] = {"RAFT.NODE", "ADD", cli->argv[0], cli->argv[1]};
    int status = client ? change(client, 4, argv) : EXIT_USAGE;
    flotilla_free(client);
    if (status == EXIT_DONE && !cli->no_wait)
        status = wait_for_data(cli, cli->argv[0]);
    if (status == EXIT_DONE)
        print_result(cli, cli->no_wait ? "added" : "added, and it has all data");
    return status;
}

int cli_remove(const struct cli *cli)
{
    struct flotilla *client = cli_connect(cli);
    const char *const argv[] = {"RAFT.NODE", "REMOVE", cli->argv[0], "FORCE"};
    int status = client ? change(client, cli->force ? 4 : 3, argv) : EXIT_USAGE;
    flotilla_free(client);
    if (status == EXIT_DONE)
        print_result(cli, "removed");
    return status;
}

int cli_transfer(const struct cli *cli)
{
    struct flotilla *client = cli_connect(cli);
    const char *const argv[] = {"RAFT.TRANSFER_LEADER", cli->argc ? cli->argv[0] : ""};
    int status = client ? change(client, cli->argc ? 2 : 1, argv) : EXIT_USAGE;
    flotilla_free(client);
    if (status == EXIT_DONE)
        print_result(cli, "leadership was handed over");
    return status;
}
