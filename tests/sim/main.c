/* flotilla-sim: runs scenarios or random seeds until one breaks a rule. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "sim/sim.h"

static const char usage[] =
    "usage: flotilla-sim [options]\n"
    "  --seeds N        so many random runs (100), or so many of each scenario\n"
    "  --first N        the first seed (1)\n"
    "  --seed N         this seed alone\n"
    "  --seed-list FILE the seeds that FILE begins lines with\n"
    "  --seconds N      fresh seeds for so long\n"
    "  --soak           fresh seeds until it is stopped\n"
    "  --scenario NAME  one of tests/sim/scenarios.c, or all\n"
    "  --trace          what happens, line by line\n"
    "  --progress       a report now and then\n"
    "  --marks          which rare situations were met\n"
    "  --bench          events per second\n";

enum { BENCH_SEEDS = 60, PROGRESS_SECONDS = 60 };

struct options {
    uint64_t first;
    uint64_t seeds;
    const char *seed_list;
    uint64_t seconds;
    const char *scenario;
    bool trace;
    bool progress;
    bool marks;
    bool bench;
};

struct total {
    struct sim_stats stats;
    uint64_t runs;
    uint64_t hash;  /* of all traces */
    uint64_t marks; /* of enum raft_mark */
    time_t reported;
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

static bool parse_flag(struct options *options, const char *name)
{
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {{"--trace", &options->trace},
                 {"--progress", &options->progress},
                 {"--marks", &options->marks},
                 {"--bench", &options->bench}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if (strcmp(name, flags[i].name) != 0)
            continue;
        *flags[i].flag = true;
        return true;
    }
    if (strcmp(name, "--soak") != 0)
        return false;
    options->seconds = UINT64_MAX;
    options->progress = options->marks = true;
    return true;
}

static bool parse_value(struct options *options, const char *name, const char *value)
{
    if (strcmp(name, "--scenario") == 0) {
        options->scenario = value;
    } else if (strcmp(name, "--seed-list") == 0) {
        options->seed_list = value;
    } else if (strcmp(name, "--seeds") == 0) {
        options->seeds = number_of(value);
    } else if (strcmp(name, "--first") == 0) {
        options->first = number_of(value);
    } else if (strcmp(name, "--seconds") == 0) {
        options->seconds = number_of(value);
    } else if (strcmp(name, "--seed") == 0) {
        options->first = number_of(value);
        options->seeds = 1;
    } else {
        return false;
    }
    return true;
}

static struct options parse(int argc, char **argv)
{
    struct options options = {.first = 1, .seeds = 100};
    for (int i = 1; i < argc; i++) {
        if (parse_flag(&options, argv[i]))
            continue;
        if (i + 1 < argc && parse_value(&options, argv[i], argv[i + 1])) {
            i++;
            continue;
        }
        fputs(usage, stderr);
        exit(2);
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

static void run(uint64_t seed, const struct sim_scenario *scenario, bool trace, struct total *total)
{
    struct sim *sim = mem_zalloc(sizeof *sim);
    struct sim_profile profile;
    if (scenario)
        profile = sim_calm_profile(scenario->nodes);
    if (scenario && scenario->begins_old)
        profile.old_nodes = scenario->nodes;
    if (scenario)
        profile.lease_drift_percent = scenario->lease_drift_percent;
    else
        sim_draw_profile(seed, &profile);
    sim_open(sim, seed, &profile, trace);
    sim->scenario = scenario ? scenario->name : NULL;
    if (scenario)
        scenario->run(sim);
    else
        sim_random_run(sim);
    sim_end(sim);
    add(&total->stats, &sim->stats);
    total->runs++;
    total->hash = total->hash * 31 + sim->trace_hash;
    total->marks |= sim->marks;
    sim_close(sim);
    mem_free(sim);
}

static void print(const char *what, const struct total *total)
{
    const struct sim_stats *stats = &total->stats;
    const struct {
        const char *name;
        uint64_t count;
    } columns[] = {
        {"events", stats->events},
        {"virtual seconds", stats->virtual_ms / 1000},
        {"messages", stats->messages},
        {"lost", stats->dropped},
        {"cuts", stats->cuts},
        {"resets", stats->resets},
        {"flaps", stats->flaps},
        {"crashes", stats->crashes},
        {"pauses at a clock", stats->clock_pauses},
        {"stale turns", stats->stale_turns},
        {"steps of clocks", stats->clock_steps},
        {"disk errors", stats->disk_errors},
        {"stalls", stats->stalls},
        {"full disks", stats->full_disks},
        {"sectors lost", stats->lost_sectors},
        {"disks lost", stats->wipes},
        {"disks lost under old ids", stats->losses},
        {"taken in again", stats->taken_in},
        {"majorities lost", stats->majorities_lost},
        {"rotten bits", stats->rotten_bits},
        {"leaders", stats->elections},
        {"changes", stats->changes},
        {"transfers", stats->transfers},
        {"snapshots", stats->snapshots},
        {"installs", stats->installs},
        {"writes acknowledged", stats->acknowledged},
        {"reads", stats->reads},
        {"tried as reads", stats->tried},
        {"of these became entries", stats->changed_after_all},
        {"unknown", stats->unknown},
        {"refused", stats->refused},
        {"waits answered", stats->takes},
        {"numbered", stats->numbered},
        {"sent again although answered", stats->repeats},
        {"runs with a liar", stats->liars},
        {"lies told", stats->lies},
        {"lies refused", stats->lies_refused},
        {"operations judged", stats->judged},
        {"keys too hard to judge", stats->gave_up},
    };
    printf("%s: %llu runs", what, (unsigned long long)total->runs);
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        printf(", %llu %s", (unsigned long long)columns[i].count, columns[i].name);
    printf("\n");
}

static void print_marks(uint64_t marks)
{
    unsigned met = 0;
    for (unsigned i = 0; i < RAFT_MARKS; i++)
        met += (unsigned)(marks >> i & 1);
    printf("%u of %u rare situations were met\n", met, (unsigned)RAFT_MARKS);
    for (unsigned i = 0; i < RAFT_MARKS; i++)
        printf("  %s  %s\n", marks >> i & 1 ? "met  " : "never", raft_mark_name((enum raft_mark)i));
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
        struct total total = {.runs = 0};
        for (uint64_t seed = options->first; seed < options->first + options->seeds; seed++)
            run(seed, &scenarios[i], options->trace, &total);
        print(scenarios[i].name, &total);
    }
    if (!found)
        fprintf(stderr, "no scenario is called '%s'\n", options->scenario);
    return found ? 0 : 2;
}

static void report(const struct options *options, struct total *total)
{
    time_t now = time(NULL);
    if (!options->progress || now < total->reported + PROGRESS_SECONDS)
        return;
    total->reported = now;
    print("so far", total);
    fflush(stdout);
}

/* Nobody has tried them: they begin where the clock stands. */
static void run_fresh(const struct options *options, struct total *total)
{
    time_t start = time(NULL);
    uint64_t seed = (uint64_t)start * 1000;
    printf("fresh seeds from %llu on\n", (unsigned long long)seed);
    fflush(stdout);
    while ((uint64_t)(time(NULL) - start) < options->seconds) {
        run(seed++, NULL, options->trace, total);
        report(options, total);
    }
}

static int run_list(const struct options *options, struct total *total)
{
    FILE *file = fopen(options->seed_list, "r");
    if (!file) {
        perror(options->seed_list);
        return 2;
    }
    char line[256];
    while (fgets(line, sizeof line, file))
        if (line[0] >= '0' && line[0] <= '9')
            run(strtoull(line, NULL, 10), NULL, options->trace, total);
    fclose(file);
    return 0;
}

static void bench(void)
{
    struct total total = {.runs = 0};
    clock_t start = clock();
    for (uint64_t seed = 1; seed <= BENCH_SEEDS; seed++)
        run(seed, NULL, false, &total);
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    printf("%llu events in %.2f s on one core: %.0f events per second\n",
           (unsigned long long)total.stats.events, seconds, (double)total.stats.events / seconds);
}

int main(int argc, char **argv)
{
    struct options options = parse(argc, argv);
    if (options.bench) {
        bench();
        return 0;
    }
    if (options.scenario)
        return run_scenarios(&options);
    struct total total = {.reported = time(NULL)};
    int status = 0;
    if (options.seed_list)
        status = run_list(&options, &total);
    else if (options.seconds)
        run_fresh(&options, &total);
    else
        for (uint64_t seed = options.first; seed < options.first + options.seeds; seed++) {
            run(seed, NULL, options.trace, &total);
            report(&options, &total);
        }
    print("random", &total);
    printf("trace hash %016llx\n", (unsigned long long)total.hash);
    if (options.marks)
        print_marks(total.marks);
    return status;
}
