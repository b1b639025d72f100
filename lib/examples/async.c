/* N increments of the key "async" with 100 of them in flight, on libevent. The loop goes on to
 * serve whatever else is in it.
 *
 *   async 127.0.0.1:7001,127.0.0.1:7002,127.0.0.1:7003 10000 */
#include <event2/event.h>
#include <flotilla.h>
#include <stdio.h>
#include <stdlib.h>

enum { IN_FLIGHT = 100 };

struct work {
    struct event_base *base;
    long left;     /* to be sent */
    long answered; /* with a reply */
    long unknown;  /* may have been carried out */
    long failed;   /* were not carried out */
    long under_way;
    long long highest;
};

static void on_done(struct flotilla *client, struct flotilla_reply *reply,
                    const struct flotilla_error *error, void *context);

static void send_some(struct flotilla *client, struct work *work)
{
    const char *incr[] = {"INCR", "async"};
    const struct flotilla_call call = {.argc = 2, .argv = incr};
    while (work->left > 0 && work->under_way < IN_FLIGHT) {
        if (flotilla_send(client, &call, on_done, work) != FLOTILLA_OK)
            break;
        work->left--;
        work->under_way++;
    }
    if (work->under_way == 0)
        event_base_loopbreak(work->base);
}

static void on_done(struct flotilla *client, struct flotilla_reply *reply,
                    const struct flotilla_error *error, void *context)
{
    struct work *work = context;
    work->under_way--;
    if (error->status == FLOTILLA_OK) {
        work->answered++;
        if (reply->integer > work->highest)
            work->highest = reply->integer;
    } else if (error->status == FLOTILLA_UNKNOWN || error->status == FLOTILLA_PROTOCOL) {
        work->unknown++;
        fprintf(stderr, "async: %s\n", error->text);
    } else {
        work->failed++;
        fprintf(stderr, "async: %s\n", error->text);
    }
    send_some(client, work);
}

int main(int argc, char **argv)
{
    struct flotilla_options options = FLOTILLA_OPTIONS;
    struct flotilla_error error;
    struct work work = {0};
    if (argc != 3) {
        fprintf(stderr, "usage: async NODES N\n");
        return 2;
    }
    options.nodes = argv[1];
    options.timeout_ms = 60000;
    work.left = strtol(argv[2], NULL, 10);
    work.base = event_base_new();
    struct flotilla *client = work.base ? flotilla_new(&options, work.base, &error) : NULL;
    if (!client) {
        fprintf(stderr, "async: %s\n", work.base ? error.text : "no event base");
        return 2;
    }
    send_some(client, &work);
    event_base_dispatch(work.base);
    printf("answered %ld, unknown %ld, failed %ld, highest %lld\n", work.answered, work.unknown,
           work.failed, work.highest);
    flotilla_free(client);
    event_base_free(work.base);
    return work.unknown + work.failed > 0;
}
