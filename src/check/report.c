#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "check/check.h"

void check_format_time(int64_t time_ms, char out[40])
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm parts;
    if (time_ms < 0 || !gmtime_r(&seconds, &parts) || parts.tm_year > 8099) {
        snprintf(out, 40, "%" PRId64, time_ms);
        return;
    }
    size_t len = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(out + len, 40 - len, ".%03dZ", (int)(time_ms % 1000));
}

static void label(const char *text)
{
    printf("%-14s", text);
}

static const char *type_name(char type)
{
    return type == 'b' ? "snapshot" : type == 'h' ? "history" : type == 's' ? "notes" : "log";
}

/* "5", or "3-5". */
static void format_range(uint64_t first, uint64_t last, char out[48])
{
    if (first == last)
        snprintf(out, 48, "%" PRIu64, first);
    else
        snprintf(out, 48, "%" PRIu64 "-%" PRIu64, first, last);
}

static void report_parts(const struct check *check)
{
    size_t widest = 4;
    for (size_t i = 0; i < check->part_count; i++)
        if (strlen(check->parts[i].name) > widest)
            widest = strlen(check->parts[i].name);
    int width = (int)widest;
    printf("\n%-*s  %-8s  %12s  %10s  %-23s  %s\n", width, "file", "type", "bytes", "entries",
           "from-to", "terms");
    for (size_t i = 0; i < check->part_count; i++) {
        const struct check_part *part = &check->parts[i];
        char range[48] = "-";
        char terms[48] = "-";
        if (part->entries) {
            format_range(part->first, part->last, range);
            format_range(part->first_term, part->last_term, terms);
        }
        printf("%-*s  %-8s  %12" PRIu64 "  %10" PRIu64 "  %-23s  %s\n", width, part->name,
               type_name(part->type), part->bytes, part->entries, range, terms);
    }
    putchar('\n');
}

static void print_members(const struct raft_membership *membership)
{
    if (membership->count == 0)
        fputs("members as configured", stdout);
    else
        fputs("members", stdout);
    for (size_t i = 0; i < membership->count; i++) {
        const struct raft_member *member = &membership->members[i];
        printf("%s %" PRIu64 "%s", i ? "," : "", member->id,
               member->roles & (RAFT_VOTER | RAFT_VOTER_INCOMING) ? "" : " (learner)");
    }
    if (raft_membership_is_joint(membership))
        fputs(" (changing)", stdout);
    putchar('\n');
}

static void report_snapshot(const struct check *check)
{
    const struct machine_position *position = machine_replay_snapshot(check->replay);
    label("Snapshot");
    if (position->index == 0) {
        puts("none");
        return;
    }
    char clock[40];
    check_format_time(position->clock_ms, clock);
    printf("entry %" PRIu64 ", term %" PRIu64 ", %" PRIu64 " bytes, checksum fine\n",
           position->index, position->term, check->found.snapshot.bytes);
    label("");
    printf("clock %s, ", clock);
    print_members(&position->membership);
}

static void report_kinds(const struct check *check)
{
    label("");
    for (size_t i = 0; i < CHECK_KINDS; i++)
        printf("%s%" PRIu64 " %s", i ? ", " : "", check->kinds[i],
               check->kinds[i] == 1 ? check_kinds[i].one : check_kinds[i].many);
    putchar('\n');
    if (check->voids) {
        label("");
        printf("%" PRIu64 " of the transactions came to nothing: a watched key had changed\n",
               check->voids);
    }
    if (check->repeats) {
        label("");
        printf("%" PRIu64 " came to nothing: their number was carried out before, or their session "
               "was over\n",
               check->repeats);
    }
}

static void report_log(const struct check *check)
{
    label("Log");
    if (check->entries == 0) {
        printf("no entries behind entry %" PRIu64 "\n", check->found.last_index);
        return;
    }
    char range[48];
    char terms[48];
    format_range(check->first_index, check->found.last_index, range);
    format_range(check->first_term, check->found.last_term, terms);
    printf("entries %s, terms %s, %s\n", range, terms,
           check->err ? "as far as it can be read" : "no gaps");
    report_kinds(check);
}

static void report_vote(const struct check *check)
{
    label("Vote");
    printf("term %" PRIu64 ", ", check->found.vote.term);
    if (check->found.vote.node)
        printf("for node %" PRIu64 "\n", check->found.vote.node);
    else
        puts("for nobody");
}

static void report_leftovers(const struct check *check)
{
    label("Leftovers");
    if (check->leftover_count == 0)
        puts("none");
    for (size_t i = 0; i < check->leftover_count; i++) {
        if (i)
            label("");
        printf("%s (a start removes it)\n", check->leftovers[i]);
    }
}

static void report_tail(const struct check *check)
{
    label("Torn tail");
    if (check->found.cut_bytes == 0) {
        puts("none");
        return;
    }
    char *path = check_inspect_torn_path(check);
    printf("%" PRIu64 " bytes at offset %" PRIu64 " of %s\n", check->found.cut_bytes,
           check->found.cut_offset, path);
    mem_free(path);
}

void check_report_state(const struct machine_replay *replay)
{
    const struct machine_position *position = machine_replay_position(replay);
    const struct databases *databases = machine_replay_databases(replay);
    char clock[40];
    check_format_time(position->clock_ms, clock);
    label("State");
    printf("as of entry %" PRIu64 ": %zu keys (%zu with a deadline), clock %s\n", position->index,
           databases_count(databases), databases_count_with_deadline(databases), clock);
    const struct sessions *sessions = machine_replay_sessions(replay);
    label("");
    printf("%" PRIu32 " sessions of clients, with %" PRIu64 " bytes of replies\n", sessions->count,
           sessions->bytes);
    label("");
    print_members(&position->membership);
    label("Digest");
    printf("%024d%016" PRIx64 " (what DEBUG DIGEST says at entry %" PRIu64 ")\n", 0,
           machine_replay_digest(replay), position->index);
    label("Data digest");
    printf("%016" PRIx64 " (of keys, values and deadlines alone: raft_data_digest in INFO raft)\n",
           databases_sum(databases));
}

void check_report(const struct check *check)
{
    label("Data folder");
    printf("%s/%s\n", check->folder, check->append_folder);
    if (check->found.identity.cluster_id[0]) {
        label("Node");
        printf("%" PRIu64 " of cluster %s\n", check->found.identity.node_id,
               check->found.identity.cluster_id);
    }
    check_identity_report(check);
    report_parts(check);
    if (!check->err)
        report_snapshot(check);
    report_log(check);
    if (!check->err) {
        report_vote(check);
        report_tail(check);
    }
    report_leftovers(check);
    if (!check->err)
        check_report_state(check->replay);
    putchar('\n');
}

void check_report_verdict(const struct check *check)
{
    /* The requested report goes to standard output, except when a dump is written there. */
    enum check_status status = check_inspect_status(check);
    FILE *out = check->options.dump || status == CHECK_UNREADABLE ? stderr : stdout;
    fflush(stdout);
    switch (status) {
    case CHECK_FINE:
        fprintf(out, "fine: the log ends with entry %" PRIu64 ", nothing is missing\n",
                check->found.last_index);
        return;
    case CHECK_TORN:
        fprintf(out, "torn: the last write of the log was not finished, nobody was promised it; a "
                     "start cuts it off, as --repair does\n");
        return;
    case CHECK_CORRUPT:
        fprintf(out,
                "what to do: nothing here is repaired, since nobody can say what is missing. If "
                "the other nodes are well,\nmove this folder away and start the node with an "
                "empty one: it gets everything from them.\n"
                "corrupt: %s\n",
                check->message);
        return;
    case CHECK_USAGE:
    case CHECK_UNREADABLE:
        fprintf(out, "unreadable: %s\n", check->message);
        return;
    }
}
