/* flotilla-cli: what an operator asks of a cluster, over libflotilla. */
#ifndef FLOTILLA_CLI_CLI_H
#define FLOTILLA_CLI_CLI_H

#include <flotilla.h>

/* Exit statuses. */
enum {
    EXIT_DONE = 0,
    EXIT_REFUSED = 1, /* the cluster refused it, is not healthy, or is not ready in time */
    EXIT_USAGE = 2,
    EXIT_ABSENT = 3,  /* no node could do it before the deadline: nothing was carried out */
    EXIT_UNKNOWN = 4, /* it may have been carried out */
};

struct cli {
    struct flotilla_options options;
    int asks_ms; /* the deadline where all nodes are asked */
    bool json;
    bool force;
    bool no_wait;
    bool reads;
    bool once;
    long wait_ms;
    long requests;
    long in_flight;
    long size;
    size_t argc; /* behind the command */
    char **argv;
};

/* --- ask.c: one node, or all of them at once --- */

enum { CLI_NODES_MAX = 64, CLI_NAME_MAX = 300 };

struct member {
    long long id;
    char address[CLI_NAME_MAX];
    char state[32];
    char link[32];
};

struct members {
    size_t count;
    struct member list[CLI_NODES_MAX];
};

/* What a node said of itself. */
struct answer {
    char address[CLI_NAME_MAX];
    char *info; /* INFO raft; NULL: it did not answer, and the error says why */
    struct flotilla_error error;
};

struct answers {
    size_t count;
    struct answer list[CLI_NODES_MAX];
};

/* A client of the cluster; NULL: the cause was told. */
struct flotilla *cli_connect(const struct cli *cli);
/* One call whose words are strings; NULL: the cause was told, and `status` is the exit status. */
struct flotilla_reply *cli_ask(struct flotilla *client, enum flotilla_repeat repeat, int *status,
                               size_t argc, const char *const *argv);
int cli_exit_status(enum flotilla_status status);
/* As any node that answers knows them. false as cli_ask(). */
bool cli_read_members(struct flotilla *client, struct members *members, int *status);
/* Asks all nodes that are named and all members, at once. */
void cli_ask_all(const struct cli *cli, struct answers *answers);
void cli_answers_close(struct answers *answers);
/* A field of INFO; false: there is none. */
bool cli_field(const char *info, const char *name, char *value, size_t size);
long long cli_number(const char *info, const char *name);
/* "key=value" in a field of INFO that has several. */
bool cli_part(const char *field, const char *name, char *value, size_t size);

/* --- output.c: tables for people, JSON for programs --- */

enum { COLUMNS_MAX = 10, CELL_MAX = 300 };

struct table {
    const char *name; /* of the array, in JSON */
    const char *const *columns;
    const bool *numbers; /* which columns are numbers */
    size_t column_count;
    size_t rows;
    char (*cells)[CELL_MAX];
};

void table_begin(struct table *table, const char *name, const char *const *columns,
                 const bool *numbers, size_t column_count);
/* The cells of a row, as texts. "" is null in JSON. */
void table_add(struct table *table, const char *const *cells);
/* `more`: further members of the JSON object, each ending with ", "; or "". */
void table_print(const struct table *table, bool json, const char *more);
void table_end(struct table *table);
void print_json_text(const char *text);
/* "OK" or the like, as {"result": …}. */
void print_result(const struct cli *cli, const char *result);

/* --- the commands --- */

int cli_status(const struct cli *cli);
int cli_check(const struct cli *cli);
int cli_members(const struct cli *cli);
int cli_add(const struct cli *cli);
int cli_remove(const struct cli *cli);
int cli_transfer(const struct cli *cli);
int cli_bench(const struct cli *cli);

#endif
