/* Options and commands. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const char usage[] =
    "usage: flotilla-cli [options] command\n"
    "\n"
    "commands:\n"
    "  status                 each node: role, term, what it has applied, how far it is behind\n"
    "  members                who belongs to the cluster\n"
    "  add ID HOST:PORT       a new node; waits until it has all data\n"
    "  remove ID              a node leaves\n"
    "  transfer [ID]          another node leads: that one, or the best one\n"
    "  check                  whether the cluster is well; exit status 1 if not\n"
    "  bench                  how many commands a second\n"
    "\n"
    "options:\n"
    "  -n, --nodes LIST       host:port,host:port ($FLOTILLA_NODES, else 127.0.0.1:6379)\n"
    "  -u, --user NAME        of the password\n"
    "  -a, --password WORD    ($FLOTILLA_PASSWORD, which other users of the machine cannot see)\n"
    "  -t, --timeout MS       the deadline of each question (5000; status and\n"
    "                         check 1000)\n"
    "  -j, --json             JSON instead of tables\n"
    "  -f, --force            remove: also if the cluster stops then\n"
    "      --no-wait          add: not until the node has all data\n"
    "      --wait MS          add: so long at the most (60000)\n"
    "      --requests N       bench: so many commands (100000)\n"
    "      --in-flight N      bench: so many at once (100)\n"
    "      --size N           bench: bytes of a value (32)\n"
    "      --reads            bench: GET instead of SET\n"
    "      --once             bench: each write exactly once, in a session\n"
    "  -h, --help             this text\n"
    "  -V, --version          the version\n"
    "\n"
    "exit status: 0 done, 1 refused or not well, 2 usage, 3 no node could do it, 4 unknown\n";

/* The deadline of a question, and of one that all nodes are asked. */
enum { TIMEOUT_MS = 5000, ASKS_MS = 1000 };

enum { OPT_NO_WAIT = 256, OPT_WAIT, OPT_REQUESTS, OPT_IN_FLIGHT, OPT_SIZE, OPT_READS, OPT_ONCE };

static const struct option long_options[] = {
    {"nodes", required_argument, NULL, 'n'},
    {"user", required_argument, NULL, 'u'},
    {"password", required_argument, NULL, 'a'},
    {"timeout", required_argument, NULL, 't'},
    {"json", no_argument, NULL, 'j'},
    {"force", no_argument, NULL, 'f'},
    {"no-wait", no_argument, NULL, OPT_NO_WAIT},
    {"wait", required_argument, NULL, OPT_WAIT},
    {"requests", required_argument, NULL, OPT_REQUESTS},
    {"in-flight", required_argument, NULL, OPT_IN_FLIGHT},
    {"size", required_argument, NULL, OPT_SIZE},
    {"reads", no_argument, NULL, OPT_READS},
    {"once", no_argument, NULL, OPT_ONCE},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static const struct {
    const char *name;
    int (*run)(const struct cli *cli);
    size_t least; /* arguments */
    size_t most;
} commands[] = {
    {"status", cli_status, 0, 0}, {"members", cli_members, 0, 0},   {"add", cli_add, 2, 2},
    {"remove", cli_remove, 1, 1}, {"transfer", cli_transfer, 0, 1}, {"check", cli_check, 0, 0},
    {"bench", cli_bench, 0, 0},
};

static bool fail_usage(const char *what, const char *which)
{
    fprintf(stderr, "flotilla-cli: %s '%s'; see flotilla-cli --help\n", what, which);
    return false;
}

static bool read_number(const char *text, long least, long most, long *number)
{
    char *end;
    errno = 0;
    *number = strtol(text, &end, 10);
    if (errno || end == text || *end || *number < least || *number > most)
        return fail_usage("not a number that is possible here:", text);
    return true;
}

static bool read_option(struct cli *cli, int option)
{
    long number;
    switch (option) {
    case 'n':
        cli->options.nodes = optarg;
        return true;
    case 'u':
        cli->options.username = optarg;
        return true;
    case 'a':
        cli->options.password = optarg;
        return true;
    case 't':
        if (!read_number(optarg, 1, INT_MAX, &number))
            return false;
        cli->options.timeout_ms = (int)number;
        return true;
    case 'j':
        cli->json = true;
        return true;
    case 'f':
        cli->force = true;
        return true;
    case OPT_NO_WAIT:
        cli->no_wait = true;
        return true;
    case OPT_WAIT:
        return read_number(optarg, 1, LONG_MAX / 2, &cli->wait_ms);
    case OPT_REQUESTS:
        return read_number(optarg, 1, 100000000, &cli->requests);
    case OPT_IN_FLIGHT:
        return read_number(optarg, 1, 10000, &cli->in_flight);
    case OPT_SIZE:
        return read_number(optarg, 0, 100000000, &cli->size);
    case OPT_READS:
        cli->reads = true;
        return true;
    case OPT_ONCE:
        cli->once = true;
        return true;
    default: /* getopt has said what is wrong */
        return false;
    }
}

static int run(struct cli *cli, const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].name, name) != 0)
            continue;
        if (cli->argc < commands[i].least || cli->argc > commands[i].most) {
            fail_usage("wrong number of arguments for", name);
            return EXIT_USAGE;
        }
        return commands[i].run(cli);
    }
    fail_usage("unknown command", name);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    struct cli cli = {.options = FLOTILLA_OPTIONS,
                      .wait_ms = 60000,
                      .requests = 100000,
                      .in_flight = 100,
                      .size = 32};
    const char *nodes = getenv("FLOTILLA_NODES");
    cli.options.nodes = nodes && *nodes ? nodes : "127.0.0.1:6379";
    cli.options.password = getenv("FLOTILLA_PASSWORD");
    int option;
    while ((option = getopt_long(argc, argv, "n:u:a:t:jfhV", long_options, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            return EXIT_DONE;
        }
        if (option == 'V') {
            printf("flotilla-cli %s\n", flotilla_version());
            return EXIT_DONE;
        }
        if (!read_option(&cli, option))
            return EXIT_USAGE;
    }
    if (optind == argc) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    cli.asks_ms = cli.options.timeout_ms ? cli.options.timeout_ms : ASKS_MS;
    if (!cli.options.timeout_ms)
        cli.options.timeout_ms = TIMEOUT_MS;
    cli.argc = (size_t)(argc - optind - 1);
    cli.argv = argv + optind + 1;
    int status = run(&cli, argv[optind]);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("flotilla-cli: standard output");
        return EXIT_REFUSED;
    }
    return status;
}
