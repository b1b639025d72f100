#include "bench/load/report.h"

#include <inttypes.h>

static const double percents[] = {0,    10,   20,    30,    40,    50,     60,     70,
                                  80,   85,   90,    95,    97,    98.5,   99,     99.5,
                                  99.7, 99.9, 99.95, 99.97, 99.99, 99.995, 99.999, 100};

static double us_of(uint64_t ns)
{
    return (double)ns / 1e3;
}

static void latency_report(struct buf *out, const char *name, const struct latency *latency,
                           double seconds)
{
    buf_printf(out, "\"%s\":{\"count\":%" PRIu64 ",\"rate\":%.1f,\"mean_us\":%.1f", name,
               latency->count, seconds > 0 ? (double)latency->count / seconds : 0.0,
               latency->count ? us_of(latency->sum_ns) / (double)latency->count : 0.0);
    static const struct {
        const char *name;
        double percent;
    } named[] = {{"p50_us", 50}, {"p90_us", 90}, {"p99_us", 99}, {"p99.9_us", 99.9}};
    for (size_t i = 0; i < sizeof(named) / sizeof(*named); i++)
        buf_printf(out, ",\"%s\":%.1f", named[i].name,
                   us_of(latency_percentile(latency, named[i].percent)));
    buf_printf(out, ",\"max_us\":%.1f,\"percentiles\":[", us_of(latency->max_ns));
    for (size_t i = 0; i < sizeof(percents) / sizeof(*percents); i++)
        buf_printf(out, "%s[%g,%.1f]", i ? "," : "", percents[i],
                   us_of(latency_percentile(latency, percents[i])));
    buf_add_text(out, "]}");
}

static void errors_report(struct buf *out, const struct results *results)
{
    uint64_t sum = 0;
    buf_add_text(out, "\"errors\":{");
    for (unsigned i = 0; i < LOAD_ERRORS_MAX && results->errors[i].count; i++) {
        sum += results->errors[i].count;
        buf_printf(out, "%s\"%s\":%" PRIu64, i ? "," : "", results->errors[i].word,
                   results->errors[i].count);
    }
    buf_printf(out, "},\"error_replies\":%" PRIu64, sum);
}

static void gaps_report(struct buf *out, const struct results *results)
{
    buf_printf(out, "\"longest_gap\":[%.6f,%.3f],\"gaps\":[",
               (double)results->longest_gap.from_ns / 1e9, (double)results->longest_gap.ns / 1e6);
    for (unsigned i = 0; i < results->gap_count; i++)
        buf_printf(out, "%s[%.6f,%.3f]", i ? "," : "", (double)results->gaps[i].from_ns / 1e9,
                   (double)results->gaps[i].ns / 1e6);
    buf_printf(out, "],\"gaps_not_listed\":%" PRIu64, results->gaps_not_listed);
}

void report_add(struct buf *out, const struct options *options, const struct results *results)
{
    static struct latency all;
    latency_merge(&all, &results->reads);
    latency_merge(&all, &results->writes);
    double seconds = results->last_reply_ns > results->begin_ns
                         ? (double)(results->last_reply_ns - results->begin_ns) / 1e9
                         : 0;
    buf_printf(out, "{\"begin\":%.6f,\"seconds\":%.6f,\"connections\":%u,\"pipeline\":%u,",
               (double)results->begin_ns / 1e9, seconds, options->connections, options->pipeline);
    buf_printf(out, "\"sent\":%" PRIu64 ",\"acknowledged\":%" PRIu64 ",\"rate\":%.1f,",
               results->sent, all.count, seconds > 0 ? (double)all.count / seconds : 0.0);
    buf_printf(out, "\"missing\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"unanswered\":%" PRIu64 ",",
               results->missing, results->lost, results->unanswered);
    buf_printf(out, "\"unsent\":%" PRIu64 ",\"reconnects\":%" PRIu64 ",\"redirects\":%" PRIu64 ",",
               results->unsent, results->reconnects, results->redirects);
    errors_report(out, results);
    buf_add_text(out, ",");
    gaps_report(out, results);
    buf_add_text(out, ",");
    latency_report(out, "all", &all, seconds);
    buf_add_text(out, ",");
    latency_report(out, "reads", &results->reads, seconds);
    buf_add_text(out, ",");
    latency_report(out, "writes", &results->writes, seconds);
    buf_add_text(out, ",");
    latency_report(out, "late", &results->late, seconds);
    buf_add_text(out, "}\n");
}
