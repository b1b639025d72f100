/* Commands as text, run on a keyspace of their own, and what they answer. */
#ifndef FLOTILLA_TESTS_UNIT_COMMAND_EXCHANGE_H
#define FLOTILLA_TESTS_UNIT_COMMAND_EXCHANGE_H

#include <stdlib.h>

#include "command/command.h"
#include "unit/support/test.h"

enum { EXCHANGE_ARGS_MAX = 32 };
#define EXCHANGE_NOW_MS INT64_C(1700000000000)

struct exchange {
    const char *request; /* split at spaces; '…' holds spaces, or nothing */
    const char *reply;
};

struct fixture {
    struct command_table *table;
    struct command_context context;
    struct resp_writer writer;
    struct buf reply;
    struct prng prng;
};

static inline struct fixture *fixture_new(void)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    fixture->table = command_table_new();
    fixture->writer = (struct resp_writer){.out = &fixture->reply, .protocol = 2};
    prng_init(&fixture->prng, 1);
    fixture->context = (struct command_context){
        .databases = databases_new(7),
        .now_ms = EXCHANGE_NOW_MS,
        .prng = &fixture->prng,
        .reply = &fixture->writer,
    };
    command_select(&fixture->context, 0);
    return fixture;
}

static inline void fixture_free(struct fixture *fixture)
{
    command_table_free(fixture->table);
    databases_free(fixture->context.databases);
    buf_close(&fixture->reply);
    free(fixture);
}

static inline size_t split(const char *text, struct span *args)
{
    size_t argc = 0;
    while (*text) {
        char end = *text == '\'' ? '\'' : ' ';
        text += end == '\'';
        const char *stop = strchr(text, end);
        size_t len = stop ? (size_t)(stop - text) : strlen(text);
        assert_true(argc < EXCHANGE_ARGS_MAX);
        args[argc++] = span_of(text, len);
        text += len;
        text += *text == '\'';
        text += *text == ' ';
    }
    return argc;
}

/* The reply as text, until the next call. */
static inline const char *run(struct fixture *fixture, const char *request)
{
    struct span args[EXCHANGE_ARGS_MAX];
    size_t argc = split(request, args);
    fixture->reply.len = 0;
    fixture->context.revision++;
    const struct command *command = command_find(fixture->table, args, argc);
    assert_non_null(command);
    if (command_arity_is_valid(command, argc))
        command->run(&fixture->context, args, argc);
    else
        command_write_arity_error(command, &fixture->writer);
    buf_add_char(&fixture->reply, '\0');
    return fixture->reply.ptr;
}

#define check_exchanges(exchanges) check_each(exchanges, sizeof(exchanges) / sizeof((exchanges)[0]))

static inline void check_each(const struct exchange *exchanges, size_t count)
{
    struct fixture *fixture = fixture_new();
    for (size_t i = 0; i < count; i++) {
        const char *reply = run(fixture, exchanges[i].request);
        if (strcmp(reply, exchanges[i].reply) != 0)
            print_error("%s\n", exchanges[i].request);
        assert_string_equal(reply, exchanges[i].reply);
    }
    fixture_free(fixture);
}

#endif
