/* Values of any bytes in one pipeline, and a transaction.
 *
 *   pipeline 127.0.0.1:7001,127.0.0.1:7002,127.0.0.1:7003 */
#include <flotilla.h>
#include <stdio.h>

enum { CALLS = 3 };

int main(int argc, char **argv)
{
    struct flotilla_options options = FLOTILLA_OPTIONS;
    struct flotilla_error error;
    if (argc != 2) {
        fprintf(stderr, "usage: pipeline NODES\n");
        return 2;
    }
    options.nodes = argv[1];
    struct flotilla *client = flotilla_new(&options, NULL, &error);
    if (!client) {
        fprintf(stderr, "pipeline: %s\n", error.text);
        return 2;
    }

    const char *set[] = {"SET", "picture", "\x89PNG\0\r\n"};
    const size_t set_lengths[] = {3, 7, 7};
    const char *incr[] = {"INCR", "pictures"};
    const char *get[] = {"GET", "picture"};
    /* A SET of a value and a GET may be sent as often as need be; INCR has to count once. */
    const struct flotilla_call calls[CALLS] = {
        {.argc = 3, .argv = set, .lengths = set_lengths, .repeat = FLOTILLA_ANY_TIMES},
        {.argc = 2, .argv = incr},
        {.argc = 2, .argv = get, .repeat = FLOTILLA_ANY_TIMES},
    };
    struct flotilla_result results[CALLS];
    size_t failed = flotilla_pipeline(client, calls, CALLS, results);
    for (int i = 0; i < CALLS; i++)
        if (results[i].error.status != FLOTILLA_OK)
            fprintf(stderr, "pipeline: call %d: %s\n", i, results[i].error.text);
    if (failed == 0)
        printf("%zu bytes, picture number %lld\n", results[2].reply->length,
               results[1].reply->integer);
    for (int i = 0; i < CALLS; i++)
        flotilla_reply_free(results[i].reply);

    struct flotilla_reply *both = flotilla_transaction(client, calls, 2, &error);
    if (!both)
        fprintf(stderr, "pipeline: transaction: %s\n", error.text);
    else
        printf("%zu replies of one transaction\n", both->count);
    int status = failed == 0 && both ? 0 : 1;
    flotilla_reply_free(both);
    flotilla_free(client);
    return status;
}
