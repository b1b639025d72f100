/* flotilla-check [options] <dir> */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/number.h"
#include "base/version.h"
#include "check/check.h"

static const char usage[] =
    "Usage: flotilla-check [options] <dir>\n"
    "       flotilla-check --compare <dir> <dir> ...\n"
    "       flotilla-check --verify FILE.rdb\n"
    "\n"
    "Reads the data folder of a node that does not run, and says what is in it and whether it is\n"
    "whole. <dir> is the node's data folder, its shard-0 folder, or the appendonlydir itself.\n"
    "Nothing is changed, but by --repair, --upgrade, --moved and --recover-quorum. While it reads, "
    "no\nnode can start in the folder.\n"
    "\n"
    "  --repair                cut off a torn tail (and nothing else), after asking\n"
    "  --upgrade               begin once more with a folder of the first version, after asking\n"
    "  --moved                 the only copy of the folder was moved: take its vote back, after\n"
    "                          asking\n"
    "  --compare               which of several folders of a cluster has the newest data\n"
    "  --recover-quorum        A MAJORITY IS LOST FOR GOOD: go on from this folder alone, under "
    "another\n"
    "                          cluster id, after asking. Writes that only others have are lost\n"
    "  --yes                   the answer to what is asked\n"
    "  --dump                  print the entries of the log instead of the report\n"
    "    --from INDEX          from this entry on\n"
    "    --format text|resp    a line for each (default), or commands for redis-cli --pipe\n"
    "  --export FILE.rdb       write the state as an RDB file that any Redis since 5.0 loads\n"
    "    --force               even if the file is there already\n"
    "    --oldest-redis VERSION  which Redis has to load it: 5.0 (default), 7.0 or 7.2. Redis 7.0\n"
    "                          keeps the counters of streams only from a file for 7.0 or 7.2\n"
    "  --verify FILE.rdb       read a backup or a snapshot whole: is it complete, of which entry "
    "is it,\n"
    "                          are its keys those that it was written with\n"
    "  --to INDEX              dump, digest and export as of this entry (default: the last)\n"
    "  --appenddirname NAME    if it is not appendonlydir\n"
    "  --appendfilename NAME   if it is not appendonly.aof\n"
    "  -h, --help              this text\n"
    "  -v, --version           the version\n"
    "\n"
    "Exit status:\n"
    "  0  fine\n"
    "  1  the tail is torn, as a crash leaves it: a start cuts it off, --repair as well\n"
    "  2  the command line makes no sense, a file would be overwritten, or the folder is none to\n"
    "     recover from\n"
    "  3  corrupt or incomplete\n"
    "  4  cannot be read or written (missing, no permission, in use by a node)\n";

enum {
    OPTION_REPAIR = 256,
    OPTION_UPGRADE,
    OPTION_MOVED,
    OPTION_COMPARE,
    OPTION_RECOVER,
    OPTION_YES,
    OPTION_DUMP,
    OPTION_FROM,
    OPTION_TO,
    OPTION_FORMAT,
    OPTION_EXPORT,
    OPTION_FORCE,
    OPTION_VERIFY,
    OPTION_OLDEST_REDIS,
    OPTION_FOLDER,
    OPTION_FILENAME,
};

static const struct option long_options[] = {
    {"repair", no_argument, NULL, OPTION_REPAIR},
    {"upgrade", no_argument, NULL, OPTION_UPGRADE},
    {"compare", no_argument, NULL, OPTION_COMPARE},
    {"recover-quorum", no_argument, NULL, OPTION_RECOVER},
    {"moved", no_argument, NULL, OPTION_MOVED},
    {"yes", no_argument, NULL, OPTION_YES},
    {"dump", no_argument, NULL, OPTION_DUMP},
    {"from", required_argument, NULL, OPTION_FROM},
    {"to", required_argument, NULL, OPTION_TO},
    {"format", required_argument, NULL, OPTION_FORMAT},
    {"export", required_argument, NULL, OPTION_EXPORT},
    {"force", no_argument, NULL, OPTION_FORCE},
    {"verify", required_argument, NULL, OPTION_VERIFY},
    {"oldest-redis", required_argument, NULL, OPTION_OLDEST_REDIS},
    {"appenddirname", required_argument, NULL, OPTION_FOLDER},
    {"appendfilename", required_argument, NULL, OPTION_FILENAME},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'v'},
    {NULL, 0, NULL, 0},
};

static bool parse_index(const char *text, uint64_t *index)
{
    if (number_parse_u64(span_text(text), index) && *index)
        return true;
    check_say("'%s' is no index of an entry", text);
    return false;
}

static bool parse_format(const char *text, bool *resp)
{
    *resp = strcmp(text, "resp") == 0;
    if (*resp || strcmp(text, "text") == 0)
        return true;
    check_say("'%s' is no format: text or resp", text);
    return false;
}

static bool parse_release(const char *text, enum redis_release *oldest)
{
    static const char *const releases[] = {
        [REDIS_5_0] = "5.0", [REDIS_7_0] = "7.0", [REDIS_7_2] = "7.2"};
    for (size_t i = 0; i < sizeof releases / sizeof releases[0]; i++) {
        *oldest = (enum redis_release)i;
        if (strcmp(text, releases[i]) == 0)
            return true;
    }
    check_say("'%s' is no Redis that has a format of its own: 5.0, 7.0 or 7.2", text);
    return false;
}

static bool parse_name(const char *text, const char **name)
{
    *name = text;
    if (text[0] && strlen(text) < 256 && !strchr(text, '/'))
        return true;
    check_say("'%s' is no name of a file", text);
    return false;
}

static bool take_option(struct check_options *options, int option)
{
    switch (option) {
    case OPTION_REPAIR:
        return options->repair = true;
    case OPTION_UPGRADE:
        return options->upgrade = true;
    case OPTION_MOVED:
        return options->moved = true;
    case OPTION_COMPARE:
        return options->compare = true;
    case OPTION_RECOVER:
        return options->recover = true;
    case OPTION_YES:
        return options->yes = true;
    case OPTION_DUMP:
        return options->dump = true;
    case OPTION_FROM:
        return parse_index(optarg, &options->from);
    case OPTION_TO:
        return parse_index(optarg, &options->to);
    case OPTION_FORMAT:
        options->dump = true;
        return parse_format(optarg, &options->resp);
    case OPTION_EXPORT:
        options->export_path = optarg;
        return true;
    case OPTION_FORCE:
        return options->force = true;
    case OPTION_VERIFY:
        options->verify_path = optarg;
        return true;
    case OPTION_OLDEST_REDIS:
        return parse_release(optarg, &options->oldest_redis);
    case OPTION_FOLDER:
        return parse_name(optarg, &options->append_folder);
    case OPTION_FILENAME:
        return parse_name(optarg, &options->append_filename);
    default:
        return false;
    }
}

static bool fits_together(const struct check_options *options)
{
    if (options->repair + options->upgrade + options->moved + options->recover + options->compare +
            options->dump + (options->export_path != NULL) + (options->verify_path != NULL) >
        1)
        check_say("--repair, --upgrade, --moved, --recover-quorum, --compare, --dump, --export and "
                  "--verify are for one run each");
    else if (options->verify_path && options->to != UINT64_MAX)
        check_say("--verify is about a whole file: it takes no --to");
    else if (options->repair && options->to != UINT64_MAX)
        check_say("--repair cuts a torn tail alone: it takes no --to");
    else if ((options->recover || options->compare) && options->to != UINT64_MAX)
        check_say("--recover-quorum and --compare are about whole folders: they take no --to");
    else if (options->oldest_redis != REDIS_5_0 && !options->export_path)
        check_say("--oldest-redis says something about --export alone");
    else if (options->from > options->to)
        check_say("--from is behind --to");
    else
        return true;
    return false;
}

/* False: nothing is left to do; *status is the exit status. */
static bool parse(int argc, char **argv, struct check_options *options, int *status)
{
    *status = CHECK_USAGE;
    opterr = 0; /* getopt() would print the program's name differently */
    for (int option; (option = getopt_long(argc, argv, "hv", long_options, NULL)) != -1;) {
        if (option == 'h' || option == 'v') {
            fputs(option == 'h' ? usage : "Flotilla check v=" FLOTILLA_VERSION "\n", stdout);
            *status = CHECK_FINE;
            return false;
        }
        if (option == '?')
            check_say("'%s' is no option, or lacks its value; see --help", argv[optind - 1]);
        if (!take_option(options, option))
            return false;
    }
    if (options->verify_path && optind != argc) {
        check_say("--verify is about one file, not about a folder; see --help");
        return false;
    }
    if (!options->verify_path && (optind == argc || (optind + 1 != argc && !options->compare))) {
        check_say(optind == argc ? "the data folder is missing; see --help"
                                 : "one data folder at a time; see --help");
        return false;
    }
    options->path = argv[optind];
    return fits_together(options);
}

/* ---- actions ---- */

bool check_confirm(const struct check *check)
{
    if (check->options.yes) {
        puts("y");
        return true;
    }
    fflush(stdout);
    char answer[16] = "";
    bool answered = fgets(answer, sizeof answer, stdin) != NULL;
    if (!answered || !strchr(answer, '\n'))
        putchar('\n');
    return answered && (answer[0] == 'y' || answer[0] == 'Y');
}

static void forget(struct check *check)
{
    struct check kept = *check;
    check_inspect_close(check);
    *check = (struct check){.options = kept.options,
                            .lock = kept.lock,
                            .disk = kept.disk,
                            .identity = kept.identity,
                            .identity_err = kept.identity_err};
    memcpy(check->identity_message, kept.identity_message, sizeof kept.identity_message);
    memcpy(check->folder, kept.folder, sizeof kept.folder);
    memcpy(check->append_folder, kept.append_folder, sizeof kept.append_folder);
    memcpy(check->lock_path, kept.lock_path, sizeof kept.lock_path);
}

static void repair(struct check *check)
{
    char *path = check_inspect_torn_path(check);
    printf("Cut %llu bytes at offset %llu of %s? [y/N] ",
           (unsigned long long)check->found.cut_bytes, (unsigned long long)check->found.cut_offset,
           path);
    bool wanted = check_confirm(check);
    bool done = wanted && check_folder_cut(path, check->found.cut_offset, check->found.cut_bytes);
    if (!wanted)
        puts("nothing was changed");
    mem_free(path);
    if (!done)
        return;
    puts("cut");
    forget(check);
    check_inspect(check);
}

static int run(struct platform_disk *platform, struct check *check)
{
    const struct check_options *options = &check->options;
    enum check_status status = CHECK_FINE;
    check_identity_load(check);
    check_inspect(check);
    if (options->dump)
        check_dump_end(check);
    else if (check_inspect_status(check) != CHECK_UNREADABLE || check->part_count)
        check_report(check);
    if (options->repair && check_inspect_status(check) == CHECK_TORN)
        repair(check);
    if (options->upgrade)
        status = check_upgrade(platform, check);
    if (options->moved)
        status = check_moved(platform, check);
    if (options->recover)
        status = check_recover(platform, check);
    if (options->export_path && !check->err)
        status = check_export_state(check);
    check_report_verdict(check);
    check_inspect_close(check);
    return status ? (int)status : (int)check_inspect_status(check);
}

static bool changes(const struct check_options *options)
{
    return options->repair || options->upgrade || options->moved || options->recover;
}

static int begin(struct check *check)
{
    if (check->options.export_path && !check_export_may_write(check))
        return CHECK_USAGE;
    const struct check_options *options = &check->options;
    bool alone = !check_folder_has_log(check) && check_identity_find(check);
    if (alone && options->recover) {
        check_say("--recover-quorum: this node never was a member: it has no log");
        return CHECK_USAGE;
    }
    if ((!alone && !check_folder_find(check)) || !check_folder_lock(check, changes(options)))
        return CHECK_UNREADABLE;
    struct platform_disk *platform = platform_disk_new();
    check_folder_disk(platform, &check->disk);
    int status = alone ? (int)check_identity_alone(check) : run(platform, check);
    platform_disk_free(platform);
    return status;
}

/* What the command line asks for. */
static int carry_out(struct check *check, char **folders, size_t count)
{
    if (check->options.verify_path)
        return (int)check_verify(check->options.verify_path);
    if (check->options.compare)
        return (int)check_compare(check, folders, count);
    return begin(check);
}

int main(int argc, char **argv)
{
    struct check *check = mem_zalloc(sizeof *check);
    check->options = (struct check_options){
        .append_folder = "appendonlydir", .append_filename = "appendonly.aof", .to = UINT64_MAX};
    check->lock = -1;
    int status;
    if (parse(argc, argv, &check->options, &status))
        status = carry_out(check, argv + optind, (size_t)(argc - optind));
    check_folder_unlock(check);
    mem_free(check);
    if (fflush(stdout) || ferror(stdout)) {
        check_say("cannot write to standard output");
        return CHECK_UNREADABLE;
    }
    return status;
}
