/* bench: how many commands a second, and how long each takes. */
#include <event2/event.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"

enum { KEYS = 1000, KEY_MAX = 32 };

struct bench {
    const struct cli *cli;
    struct event_base *base;
    struct flotilla *client;
    char *value;
    long sent;
    long ended;
    long failed;
    long unknown;
    int64_t told_us;
    int64_t begun_us;
    uint32_t *took_us; /* of each that got a reply */
    long replies;
    struct place *places;
    struct flotilla_error error; /* of the first failure */
};

struct place {
    struct bench *bench;
    int64_t sent_us;
};

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void on_done(struct flotilla *client, struct flotilla_reply *reply,
                    const struct flotilla_error *error, void *context);

static bool send_one(struct bench *bench, struct place *place)
{
    char key[KEY_MAX];
    const char *argv[] = {bench->cli->reads ? "GET" : "SET", key, bench->value};
    size_t lengths[] = {3, 0, (size_t)bench->cli->size};
    struct flotilla_call call = {.argc = bench->cli->reads ? 2 : 3,
                                 .argv = argv,
                                 .lengths = lengths,
                                 .repeat = bench->cli->once && !bench->cli->reads
                                               ? FLOTILLA_EXACTLY_ONCE
                                               : FLOTILLA_ANY_TIMES};
    lengths[1] = (size_t)snprintf(key, sizeof key, "flotilla-bench:%ld", bench->sent % KEYS);
    place->sent_us = now_us();
    enum flotilla_status status = flotilla_send(bench->client, &call, on_done, place);
    if (status == FLOTILLA_OK) {
        bench->sent++;
        return true;
    }
    if (!bench->error.status) {
        bench->error.status = status;
        snprintf(bench->error.text, sizeof bench->error.text, "a call was refused: %s",
                 flotilla_status_name(status));
    }
    return false;
}

static void tell_progress(struct bench *bench, int64_t now)
{
    if (bench->cli->json || now - bench->told_us < 1000000)
        return;
    bench->told_us = now;
    fprintf(stderr, "%ld of %ld\n", bench->ended, bench->cli->requests);
}

static void on_done(struct flotilla *client, struct flotilla_reply *reply,
                    const struct flotilla_error *error, void *context)
{
    struct place *place = context;
    struct bench *bench = place->bench;
    int64_t now = now_us();
    (void)client;
    (void)reply;
    bench->ended++;
    if (error->status == FLOTILLA_OK) {
        int64_t took = now - place->sent_us;
        bench->took_us[bench->replies++] = took < UINT32_MAX ? (uint32_t)took : UINT32_MAX;
    } else {
        bench->failed++;
        bench->unknown += error->status == FLOTILLA_UNKNOWN;
        if (!bench->error.status)
            bench->error = *error;
    }
    tell_progress(bench, now);
    if (bench->sent < bench->cli->requests)
        send_one(bench, place);
    if (bench->ended == bench->sent)
        event_base_loopbreak(bench->base);
}

static int by_size(const void *a, const void *b)
{
    uint32_t one = *(const uint32_t *)a;
    uint32_t other = *(const uint32_t *)b;
    return (one > other) - (one < other);
}

static uint32_t percentile(const struct bench *bench, double percent)
{
    if (bench->replies == 0)
        return 0;
    long place = (long)(percent / 100 * (double)(bench->replies - 1));
    return bench->took_us[place];
}

static void report(struct bench *bench, int64_t took_us)
{
    double seconds = (double)(took_us ? took_us : 1) / 1e6;
    double rate = (double)bench->replies / seconds;
    qsort(bench->took_us, (size_t)bench->replies, sizeof *bench->took_us, by_size);
    printf(bench->cli->json
               ? "{\"requests\": %ld, \"replies\": %ld, \"failed\": %ld, \"unknown\": %ld, "
                 "\"seconds\": %.3f, \"per_second\": %.0f, \"p50_us\": %" PRIu32
                 ", \"p99_us\": %" PRIu32 ", \"max_us\": %" PRIu32 "}\n"
               : "%ld requests, %ld replies, %ld failed (%ld unknown) in %.3f s: %.0f a second\n"
                 "p50 %" PRIu32 " us, p99 %" PRIu32 " us, longest %" PRIu32 " us\n",
           bench->sent, bench->replies, bench->failed, bench->unknown, seconds, rate,
           percentile(bench, 50), percentile(bench, 99), percentile(bench, 100));
    if (bench->error.status)
        fprintf(stderr, "flotilla-cli: the first failure: %s\n", bench->error.text);
}

/* The keys of a run do not stay. */
static void remove_keys(const struct cli *cli)
{
    char keys[KEYS][KEY_MAX];
    const char *argv[KEYS + 1] = {"DEL"};
    int status;
    struct flotilla *client = cli_connect(cli);
    for (int i = 0; i < KEYS; i++) {
        snprintf(keys[i], KEY_MAX, "flotilla-bench:%d", i);
        argv[i + 1] = keys[i];
    }
    if (client)
        flotilla_reply_free(cli_ask(client, FLOTILLA_ANY_TIMES, &status, KEYS + 1, argv));
    flotilla_free(client);
}

static int run(struct bench *bench)
{
    for (long i = 0; i < bench->cli->in_flight && bench->sent < bench->cli->requests; i++) {
        bench->places[i].bench = bench;
        send_one(bench, &bench->places[i]);
    }
    bench->begun_us = bench->told_us = now_us();
    if (bench->sent > 0)
        event_base_dispatch(bench->base);
    report(bench, now_us() - bench->begun_us);
    if (bench->unknown)
        return EXIT_UNKNOWN;
    return bench->replies == bench->cli->requests ? EXIT_DONE
           : bench->replies                       ? EXIT_REFUSED
                                                  : cli_exit_status(bench->error.status);
}

int cli_bench(const struct cli *cli)
{
    struct bench bench = {.cli = cli};
    int status = EXIT_REFUSED;
    bench.base = event_base_new();
    bench.value = malloc((size_t)cli->size + 1);
    bench.took_us = malloc((size_t)cli->requests * sizeof *bench.took_us);
    bench.places = calloc((size_t)cli->in_flight, sizeof *bench.places);
    if (!bench.base || !bench.value || !bench.took_us || !bench.places) {
        fputs("flotilla-cli: no memory\n", stderr);
    } else {
        memset(bench.value, 'x', (size_t)cli->size + 1);
        bench.client = flotilla_new(&cli->options, bench.base, &bench.error);
        if (bench.client) {
            status = run(&bench);
        } else {
            fprintf(stderr, "flotilla-cli: %s\n", bench.error.text);
            status = EXIT_USAGE;
        }
        flotilla_free(bench.client);
        if (bench.replies && !cli->reads)
            remove_keys(cli);
    }
    if (bench.base)
        event_base_free(bench.base);
    free(bench.value);
    free(bench.took_us);
    free(bench.places);
    return status;
}
