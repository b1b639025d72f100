/* status: how each node is. check: whether all is well. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { PROBLEMS_MAX = 100, LAG_MAX = 10000 };

/* The leader's answer in the highest term, or NULL. */
static const struct answer *leader_of(const struct answers *answers)
{
    const struct answer *leader = NULL;
    for (size_t i = 0; i < answers->count; i++) {
        char role[16] = "";
        const struct answer *one = &answers->list[i];
        if (one->info)
            cli_field(one->info, "raft_role", role, sizeof role);
        if (strcmp(role, "leader") == 0 &&
            (!leader || cli_number(one->info, "raft_current_term") >
                            cli_number(leader->info, "raft_current_term")))
            leader = one;
    }
    return leader;
}

static void add_row(struct table *table, const struct answer *answer, const struct answer *leader)
{
    char id[32];
    char role[32];
    char term[32];
    char commit[32];
    char applied[32];
    char lag[32] = "";
    char state[64];
    if (!answer->info) {
        const char *const cells[] = {"", answer->address, "", "", "", "", "", answer->error.text};
        table_add(table, cells);
        return;
    }
    cli_field(answer->info, "raft_node_id", id, sizeof id);
    cli_field(answer->info, "raft_role", role, sizeof role);
    cli_field(answer->info, "raft_current_term", term, sizeof term);
    cli_field(answer->info, "raft_commit_index", commit, sizeof commit);
    cli_field(answer->info, "raft_last_applied_index", applied, sizeof applied);
    cli_field(answer->info, "raft_state", state, sizeof state);
    if (leader) {
        long long behind = cli_number(leader->info, "raft_commit_index") -
                           cli_number(answer->info, "raft_last_applied_index");
        snprintf(lag, sizeof lag, "%lld", behind > 0 ? behind : 0);
    }
    const char *const cells[] = {id, answer->address, role, term, commit, applied, lag, state};
    table_add(table, cells);
}

int cli_status(const struct cli *cli)
{
    static const char *const columns[] = {"node",   "address", "role", "term",
                                          "commit", "applied", "lag",  "state"};
    static const bool numbers[] = {true, false, false, true, true, true, true, false};
    struct answers answers;
    struct table table;
    char more[64] = "\"leader\": null, ";
    size_t heard = 0;
    cli_ask_all(cli, &answers);
    const struct answer *leader = leader_of(&answers);
    table_begin(&table, "nodes", columns, numbers, 8);
    for (size_t i = 0; i < answers.count; i++) {
        heard += answers.list[i].info != NULL;
        add_row(&table, &answers.list[i], leader);
    }
    if (leader)
        snprintf(more, sizeof more, "\"leader\": %lld, ", cli_number(leader->info, "raft_node_id"));
    table_print(&table, cli->json, more);
    table_end(&table);
    cli_answers_close(&answers);
    return heard ? EXIT_DONE : EXIT_ABSENT;
}

/* ---- check ---- */

struct problems {
    size_t count;
    char list[PROBLEMS_MAX][512];
};

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static void
add_problem(struct problems *problems, const char *format, ...)
{
    va_list arguments;
    if (problems->count == PROBLEMS_MAX)
        return;
    va_start(arguments, format);
    vsnprintf(problems->list[problems->count++], sizeof *problems->list, format, arguments);
    va_end(arguments);
}

/* What the node says of itself. */
static void check_node(struct problems *problems, const struct answer *answer,
                       const struct answer *leader)
{
    char text[64];
    if (!answer->info) {
        add_problem(problems, "%s does not answer: %.300s", answer->address, answer->error.text);
        return;
    }
    cli_field(answer->info, "raft_state", text, sizeof text);
    if (strcmp(text, "up") != 0)
        add_problem(problems, "%s is %s", answer->address, text);
    if (cli_number(answer->info, "raft_disk_full") > 0)
        add_problem(problems, "the disk of %s is full", answer->address);
    if (cli_number(answer->info, "raft_digest_disputed") > 0)
        add_problem(problems, "%s has other data than the others", answer->address);
    if (cli_number(answer->info, "raft_leader_id") <= 0)
        add_problem(problems, "%s knows no leader", answer->address);
    if (!leader)
        return;
    long long lag = cli_number(leader->info, "raft_commit_index") -
                    cli_number(answer->info, "raft_last_applied_index");
    if (lag > LAG_MAX)
        add_problem(problems, "%s is %lld entries behind", answer->address, lag);
    cli_field(leader->info, "raft_dbid", text, sizeof text);
    char own[64];
    cli_field(answer->info, "raft_dbid", own, sizeof own);
    if (strcmp(text, own) != 0)
        add_problem(problems, "%s belongs to another cluster", answer->address);
}

/* What the leader says of the others. */
static void check_leader(struct problems *problems, const struct answer *leader)
{
    long long voters = cli_number(leader->info, "raft_num_voting_nodes");
    long long connected = 0;
    for (int number = 1; number <= CLI_NODES_MAX; number++) {
        char name[32];
        char field[512];
        char state[32];
        char voting[8];
        char id[32];
        snprintf(name, sizeof name, "raft_node%d", number);
        if (!cli_field(leader->info, name, field, sizeof field))
            break;
        cli_part(field, "state", state, sizeof state);
        cli_part(field, "voting", voting, sizeof voting);
        cli_part(field, "id", id, sizeof id);
        bool lives = strcmp(state, "connected") == 0;
        connected += lives && strcmp(voting, "yes") == 0;
        if (!lives)
            add_problem(problems, "the leader is not connected to node %s", id);
    }
    long long alive = connected + 1;
    if (voters > 2 && alive - 1 < voters / 2 + 1)
        add_problem(problems, "%lld of %lld voters live: the loss of one more stops the cluster",
                    alive, voters);
    if (voters < 3)
        add_problem(problems, "%lld voters survive the loss of none", voters);
    if (cli_number(leader->info, "raft_version_agreed") != cli_number(leader->info, "raft_version"))
        add_problem(problems, "not all nodes run the leader's version");
}

static void print_problems(const struct cli *cli, const struct problems *problems)
{
    if (cli->json) {
        printf("{\"healthy\": %s, \"problems\": [", problems->count ? "false" : "true");
        for (size_t i = 0; i < problems->count; i++) {
            fputs(i ? ", " : "", stdout);
            print_json_text(problems->list[i]);
        }
        puts("]}");
        return;
    }
    for (size_t i = 0; i < problems->count; i++)
        puts(problems->list[i]);
    if (problems->count == 0)
        puts("all is well");
}

int cli_check(const struct cli *cli)
{
    struct answers answers;
    static struct problems problems;
    size_t heard = 0;
    cli_ask_all(cli, &answers);
    const struct answer *leader = leader_of(&answers);
    if (!leader)
        add_problem(&problems, "no node leads");
    else
        check_leader(&problems, leader);
    for (size_t i = 0; i < answers.count; i++) {
        heard += answers.list[i].info != NULL;
        check_node(&problems, &answers.list[i], leader);
    }
    print_problems(cli, &problems);
    cli_answers_close(&answers);
    return heard == 0 ? EXIT_ABSENT : problems.count ? EXIT_REFUSED : EXIT_DONE;
}
