/* flotilla-sim [--seeds N] [--first N] [--seed N] [--scenario NAME] [--trace] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sim/sim.h"

struct options {
    uint64_t first;
    uint64_t seeds;
    const char *scenario;
    bool trace;
};

static uint64_t number_of(const char *text)
{
    char *end;
    uint64_t value = text ? strtoull(text, &end, 10) : 0;
    if (!text || *end || end == text) {
        fprintf(stderr, "a number is needed, not '%s'\n", text ? text : "");
        exit(2);
    }
    return value;
}

static struct options parse(int argc, char **argv)
{
    struct options options = {.first = 1, .seeds = 100};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0) {
            options.trace = true;
        } else if (i + 1 < argc && strcmp(argv[i], "--seeds") == 0) {
            options.seeds = number_of(argv[++i]);
        } else if (i + 1 < argc && strcmp(argv[i], "--first") == 0) {
            options.first = number_of(argv[++i]);
        } else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0) {
            options.first = number_of(argv[++i]);
            options.seeds = 1;
        } else if (i + 1 < argc && strcmp(argv[i], "--scenario") == 0) {
            options.scenario = argv[++i];
        } else {
            fprintf(stderr, "usage: flotilla-sim [--seeds N] [--first N] [--seed N] "
                            "[--scenario NAME|all] [--trace]\n");
            exit(2);
        }
    }
    return options;
}

static void add(struct sim_stats *sum, const struct sim_stats *stats)
{
    uint64_t *to = (uint64_t *)sum;
    const uint64_t *from = (const uint64_t *)stats;
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++)
        to[i] += from[i];
}

static uint64_t run(uint64_t seed, const struct sim_scenario *scenario, bool trace,
                    struct sim_stats *sum)
{
    struct sim *sim = mem_zalloc(sizeof *sim);
    struct sim_profile profile;
    if (scenario)
        profile = sim_calm_profile(scenario->nodes);
    else
        sim_draw_profile(seed, &profile);
    sim_open(sim, seed, &profile, trace);
    sim->scenario = scenario ? scenario->name : NULL;
    if (scenario)
        scenario->run(sim);
    else
        sim_random_run(sim);
    sim_end(sim);
    add(sum, &sim->stats);
    uint64_t hash = sim->trace_hash;
    sim_close(sim);
    mem_free(sim);
    return hash;
}

static void print(const char *what, uint64_t runs, const struct sim_stats *stats)
{
    const struct {
        const char *name;
        uint64_t count;
    } columns[] = {
        {"events", stats->events},
        {"virtual seconds", stats->virtual_ms / 1000},
        {"messages", stats->messages},
        {"lost", stats->dropped},
        {"cuts", stats->cuts},
        {"crashes", stats->crashes},
        {"disk errors", stats->disk_errors},
        {"stalls", stats->stalls},
        {"sectors lost", stats->lost_sectors},
        {"disks lost", stats->wipes},
        {"rotten bits", stats->rotten_bits},
        {"leaders", stats->elections},
        {"changes", stats->changes},
        {"transfers", stats->transfers},
        {"snapshots", stats->snapshots},
        {"installs", stats->installs},
        {"writes acknowledged", stats->acknowledged},
        {"reads", stats->reads},
        {"unknown", stats->unknown},
        {"refused", stats->refused},
    };
    printf("%s: %llu runs", what, (unsigned long long)runs);
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        printf(", %llu %s", (unsigned long long)columns[i].count, columns[i].name);
    printf("\n");
}

static int run_scenarios(const struct options *options)
{
    size_t count;
    const struct sim_scenario *scenarios = sim_scenarios(&count);
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(options->scenario, "all") != 0 &&
            strcmp(options->scenario, scenarios[i].name) != 0)
            continue;
        found = true;
        struct sim_stats stats = {0};
        for (uint64_t seed = options->first; seed < options->first + options->seeds; seed++)
            run(seed, &scenarios[i], options->trace, &stats);
        print(scenarios[i].name, options->seeds, &stats);
    }
    if (!found)
        fprintf(stderr, "no scenario is called '%s'\n", options->scenario);
    return found ? 0 : 2;
}

int main(int argc, char **argv)
{
    struct options options = parse(argc, argv);
    if (options.scenario)
        return run_scenarios(&options);
    struct sim_stats stats = {0};
    uint64_t hash = 0;
    for (uint64_t seed = options.first; seed < options.first + options.seeds; seed++)
        hash = hash * 31 + run(seed, NULL, options.trace, &stats);
    print("random", options.seeds, &stats);
    printf("trace hash %016llx\n", (unsigned long long)hash);
    return 0;
}
