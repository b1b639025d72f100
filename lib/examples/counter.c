/* Counts to N in the key "counter", exactly once each, whatever happens to the nodes meanwhile.
 *
 *   counter 127.0.0.1:7001,127.0.0.1:7002,127.0.0.1:7003 100 */
#include <flotilla.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    struct flotilla_options options = FLOTILLA_OPTIONS;
    struct flotilla_error error;
    if (argc != 3) {
        fprintf(stderr, "usage: counter NODES N\n");
        return 2;
    }
    options.nodes = argv[1];
    options.timeout_ms = 60000;
    struct flotilla *client = flotilla_new(&options, NULL, &error);
    if (!client) {
        fprintf(stderr, "counter: %s\n", error.text);
        return 2;
    }
    long long last = 0;
    for (long n = strtol(argv[2], NULL, 10); n > 0; n--) {
        struct flotilla_reply *reply = flotilla_do(client, &error, "INCR", "counter", (char *)NULL);
        if (!reply) {
            /* UNKNOWN: it may count or not. Only who reads the counter anew can tell. */
            fprintf(stderr, "counter: %s: %s\n", flotilla_status_name(error.status), error.text);
            flotilla_free(client);
            return 1;
        }
        last = reply->integer;
        flotilla_reply_free(reply);
    }
    printf("%lld\n", last);
    flotilla_free(client);
    return 0;
}
