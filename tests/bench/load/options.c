#include "bench/load/options.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: flotilla-load --nodes HOST:PORT[,HOST:PORT…] [OPTION VALUE]…\n"
    "\n"
    "  --protocol resp|etcd       etcd: JSON over HTTP (resp)\n"
    "  --password TEXT            AUTH on each connection\n"
    "  --connections N            1 to 10000, in turn to each node (1)\n"
    "  --pipeline N               requests under way on each connection, 1 to 1000 (1)\n"
    "  --rate R                   R requests a second, evenly, whatever the replies do; latency "
    "then\n"
    "                             counts from when the request was due (0: a connection sends as\n"
    "                             many as its pipeline when it has all replies)\n"
    "  --seconds S                for how long (5)\n"
    "  --requests N               so many requests instead\n"
    "  --warmup S                 seconds before that, which are not counted (0)\n"
    "  --reads P                  percent of GET (0)\n"
    "  --write set|incr           what the others are (set)\n"
    "  --keys N                   1 to 1000000000 (100000)\n"
    "  --distribution uniform|sequential|zipf|zipf:EXPONENT     which keys (uniform; zipf:0.99)\n"
    "  --value-bytes N|MIN-MAX    0 to 67108864; each size of a range is as likely (64)\n"
    "  --gap-ms M                 lists times without an acknowledged write from M ms on (10)\n"
    "  --drain S                  waits so long for replies behind the end (10)\n"
    "  --connect-within S         gives up when nobody could be reached for so long (30)\n"
    "  --seed N                   of keys, sizes and the choice of reads (1)\n"
    "\n"
    "Prints one object of JSON when it ends. SIGINT and SIGTERM end it early, with the results.\n";

__attribute__((format(printf, 1, 2))) static _Noreturn void wrong(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("flotilla-load: ", stderr);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputs(" (--help shows the options)\n", stderr);
    exit(2);
}

static double real_of(const char *name, const char *text, double min, double max)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != 0 || !(value >= min && value <= max))
        wrong("'%s': '%s' is no number from %g to %g", name, text, min, max);
    return value;
}

static uint64_t count_of(const char *name, const char *text, double min, double max)
{
    double value = real_of(name, text, min, max);
    if (value != floor(value))
        wrong("'%s': '%s' is no whole number", name, text);
    return (uint64_t)value;
}

/* The index of `text` among the names. */
static unsigned choice_of(const char *name, const char *text, const char *const names[],
                          unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (strcmp(text, names[i]) == 0)
            return i;
    wrong("'%s': '%s' is none of its values", name, text);
}

static void set_order(struct options *options, const char *text)
{
    static const char *const names[] = {
        [KEYS_UNIFORM] = "uniform", [KEYS_ZIPF] = "zipf", [KEYS_SEQUENTIAL] = "sequential"};
    options->exponent = 0.99;
    if (strncmp(text, "zipf:", 5) == 0) {
        options->order = KEYS_ZIPF;
        options->exponent = real_of("--distribution", text + 5, 0.01, 10);
        return;
    }
    options->order = (enum key_order)choice_of("--distribution", text, names, 3);
}

static void set_value_bytes(struct options *options, const char *text)
{
    char first[32];
    size_t length = strcspn(text, "-");
    if (length >= sizeof(first))
        wrong("'--value-bytes': '%s' is too long", text);
    memcpy(first, text, length);
    first[length] = 0;
    const char *second = text[length] == '-' ? text + length + 1 : first;
    options->value_bytes_min = count_of("--value-bytes", first, 0, PROTOCOL_VALUE_MAX);
    options->value_bytes_max = count_of("--value-bytes", second, 0, PROTOCOL_VALUE_MAX);
    if (options->value_bytes_max < options->value_bytes_min)
        wrong("'--value-bytes': '%s' ends before it begins", text);
}

static void set(struct options *options, const char *name, const char *text)
{
    static const char *const protocols[] = {[PROTOCOL_RESP] = "resp", [PROTOCOL_ETCD] = "etcd"};
    static const char *const writes[] = {"set", "incr"};
    if (strcmp(name, "--nodes") == 0)
        options->nodes = text;
    else if (strcmp(name, "--password") == 0)
        options->password = text;
    else if (strcmp(name, "--protocol") == 0)
        options->protocol = (enum protocol)choice_of(name, text, protocols, 2);
    else if (strcmp(name, "--write") == 0)
        options->write_kind = choice_of(name, text, writes, 2) == 0 ? REQUEST_SET : REQUEST_INCR;
    else if (strcmp(name, "--distribution") == 0)
        set_order(options, text);
    else if (strcmp(name, "--value-bytes") == 0)
        set_value_bytes(options, text);
    else if (strcmp(name, "--connections") == 0)
        options->connections = (unsigned)count_of(name, text, 1, 10000);
    else if (strcmp(name, "--pipeline") == 0)
        options->pipeline = (unsigned)count_of(name, text, 1, 1000);
    else if (strcmp(name, "--rate") == 0)
        options->rate = real_of(name, text, 0, 1e7);
    else if (strcmp(name, "--seconds") == 0)
        options->seconds = real_of(name, text, 0.01, 1e6);
    else if (strcmp(name, "--warmup") == 0)
        options->warmup_seconds = real_of(name, text, 0, 1e6);
    else if (strcmp(name, "--drain") == 0)
        options->drain_seconds = real_of(name, text, 0, 1e6);
    else if (strcmp(name, "--connect-within") == 0)
        options->connect_seconds = real_of(name, text, 0.01, 1e6);
    else if (strcmp(name, "--requests") == 0)
        options->requests = count_of(name, text, 1, 1e12);
    else if (strcmp(name, "--reads") == 0)
        options->reads = real_of(name, text, 0, 100);
    else if (strcmp(name, "--keys") == 0)
        options->keys = count_of(name, text, 1, 1e9);
    else if (strcmp(name, "--gap-ms") == 0)
        options->gap_ms = real_of(name, text, 0.001, 1e6);
    else if (strcmp(name, "--seed") == 0)
        options->seed = count_of(name, text, 0, 0x1p53);
    else
        wrong("'%s' is no option", name);
}

void options_parse(struct options *options, int argc, char **argv)
{
    *options = (struct options){.write_kind = REQUEST_SET,
                                .exponent = 0.99,
                                .seconds = 5,
                                .connect_seconds = 30,
                                .drain_seconds = 10,
                                .keys = 100000,
                                .seed = 1,
                                .value_bytes_min = 64,
                                .value_bytes_max = 64,
                                .connections = 1,
                                .pipeline = 1,
                                .gap_ms = 10};
    for (int i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            exit(0);
        }
        if (i + 1 == argc)
            wrong("'%s' has no value", argv[i]);
        set(options, argv[i], argv[i + 1]);
    }
    if (!options->nodes)
        wrong("'--nodes' is missing");
    if (options->protocol == PROTOCOL_ETCD && options->write_kind == REQUEST_INCR)
        wrong("etcd has no INCR");
    if (options->protocol == PROTOCOL_ETCD && options->password)
        wrong("'--password' is for RESP");
    if (options->requests && options->warmup_seconds > 0)
        wrong("'--warmup' goes with '--seconds', not with '--requests'");
}
