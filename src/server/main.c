/* flotilla-server [redis.conf] [--directive value …] [--import file] [--check-config] */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "platform/files.h"
#include "server/server.h"

static const char usage[] =
    "Usage: flotilla-server [/path/to/redis.conf] [options] [-]\n"
    "       flotilla-server - (read the configuration from standard input)\n"
    "       flotilla-server -v or --version\n"
    "       flotilla-server -h or --help\n"
    "       flotilla-server [/path/to/redis.conf] [options] --check-config\n"
    "       flotilla-server [/path/to/redis.conf] [options] --import <file or folder>\n"
    "\n"
    "Options are directives of the configuration file with -- before them:\n"
    "       flotilla-server /etc/flotilla/redis.conf --port 7001 --appendfsync always\n"
    "\n"
    "A cluster begins when all of cluster-nodes have been started. --begin-cluster begins it with\n"
    "this node alone, whose folder is empty; it takes in the others. By hand, for once: a cluster\n"
    "that exists already is not joined but doubled if none of its nodes can be reached.\n"
    "\n"
    "--import begins a new cluster with the data of Redis: a dump.rdb, an appendonlydir or an\n"
    "appendonly.aof. Each node is started once with the same files and an empty data folder.\n"
    "\n"
    "redis.conf.example describes every directive.\n";

static enum err read_source(void *context, const char *path, struct buf *out)
{
    struct server *server = context;
    size_t before = out->len;
    enum err err = platform_read_file(path, out);
    struct span text = span_of(out->ptr + before, out->len - before);
    if (!err && strcmp(path, "-") != 0 && config_text_has_secret(text) &&
        platform_is_open_to_all(path))
        log_line(&server->config_log, LOG_WARNING,
                 "%s: it holds a secret, and every user of this machine may read it; chmod o-r it",
                 path);
    return err;
}

static enum err expand_source(void *context, const char *pattern,
                              void (*add)(void *to, const char *path), void *to)
{
    (void)context;
    return platform_expand(pattern, add, to);
}

static void warn(void *context, enum log_level level, const char *line)
{
    struct server *server = context;
    (void)level;
    server_log_say(line);
    buf_printf(&server->config_warnings, "%s\n", line);
}

/* They came before there was a log file. Without one they are where the log goes. */
static void log_warnings(struct server *server)
{
    struct span rest = buf_span(&server->config_warnings);
    while (rest.len > 0 && server->config.logfile[0]) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        size_t len = (size_t)(end - rest.ptr);
        log_line(&server->log, LOG_WARNING, "%.*s", (int)len, rest.ptr);
        rest = span_of(end + 1, rest.len - len - 1);
    }
    buf_close(&server->config_warnings);
}

static enum err make_absolute(struct server *server, struct config_error *error)
{
    char *folder = getcwd(NULL, 0);
    enum err err = config_make_absolute(&server->config, folder ? folder : ".", error);
    free(folder);
    return err;
}

/* The file, if the first argument is one, then the directives of the command line. */
static enum err load(struct server *server, int argc, char **argv, struct config_error *error)
{
    struct config_source source = {.context = server, .read = read_source, .expand = expand_source};
    server->config_log = (struct log){LOG_WARNING, warn, server};
    const struct log *log = &server->config_log;
    config_init(&server->config);
    int first = 1;
    if (argc > 1 && (argv[1][0] != '-' || strcmp(argv[1], "-") == 0)) {
        first = 2;
        char *absolute = strcmp(argv[1], "-") ? realpath(argv[1], NULL) : NULL;
        if (absolute)
            snprintf(server->config_path, sizeof server->config_path, "%s", absolute);
        free(absolute);
        enum err err = config_load(&server->config, &source, argv[1], log, error);
        if (err)
            return err;
    }
    enum err err =
        config_load_args(&server->config, &source, argc - first, argv + first, log, error);
    if (!err)
        err = make_absolute(server, error);
    return err ? err : config_check(&server->config, error);
}

/* Takes an argument out of argv; true if it was there. */
static bool take_flag(int *argc, char **argv, const char *name)
{
    for (int i = 1; i < *argc; i++) {
        if (strcmp(argv[i], name) != 0)
            continue;
        memmove(&argv[i], &argv[i + 1], (size_t)(*argc - i) * sizeof *argv);
        (*argc)--;
        return true;
    }
    return false;
}

/* The same with the word behind it. false: that is missing. */
static bool take_value(int *argc, char **argv, const char *name, const char **value)
{
    for (int i = 1; i < *argc; i++) {
        if (strcmp(argv[i], name) != 0)
            continue;
        if (i + 1 == *argc || argv[i + 1][0] == '\0')
            return false;
        *value = argv[i + 1];
        memmove(&argv[i], &argv[i + 2], (size_t)(*argc - i - 1) * sizeof *argv);
        *argc -= 2;
        return true;
    }
    return true;
}

static bool is_flag(int argc, char **argv, const char *shorter, const char *longer)
{
    return argc == 2 && (strcmp(argv[1], shorter) == 0 || strcmp(argv[1], longer) == 0);
}

static int check_config(struct server *server)
{
    char message[SERVER_MESSAGE_MAX] = "";
    enum err err = server_read_cluster(server, message);
    if (!err)
        err = server_check_places(server, message);
    if (!err)
        server_give_hints(server, &server->config_log);
    if (!err && server->import_path)
        err = server_check_import(server, message);
    if (err) {
        server_log_say(message);
        return 1;
    }
    puts(server->import_path ? "configuration is fine, all of the data can be imported"
                             : "configuration is fine");
    return 0;
}

static int serve(struct server *server)
{
    char message[SERVER_MESSAGE_MAX] = "";
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a write beyond the file size limit fails, and the log says so */
    /* What rotates logs sends these two; there is nothing to do for it: see log.c. */
    signal(SIGHUP, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    /* Before the log thread exists: a fork would leave it behind. */
    if (!server_go_background(server))
        return 1;
    server_memory_open(server);
    if (server_open_logfile(server, message)) {
        server_log_say(message);
        return 1;
    }
    if (server_open(server, message)) {
        log_line(&server->log, LOG_WARNING, "%s", message);
        server_log_say(message);
        return 1;
    }
    log_warnings(server);
    server_give_hints(server, &server->log);
    server_tell_ready(server);
    if (server_run(server, message)) {
        log_line(&server->log, LOG_WARNING, "%s", message);
        server_log_say(message);
        return 1;
    }
    server_close(server);
    return 0;
}

int main(int argc, char **argv)
{
    if (is_flag(argc, argv, "-v", "--version")) {
        printf("Flotilla server v=%s redis=%s bits=%d\n", FLOTILLA_VERSION, FLOTILLA_REDIS_VERSION,
               (int)sizeof(long) * 8);
        return 0;
    }
    if (is_flag(argc, argv, "-h", "--help")) {
        fputs(usage, stdout);
        return 0;
    }
    bool check = take_flag(&argc, argv, "--check-config");
    bool alone = take_flag(&argc, argv, "--begin-cluster");
    struct server *server = mem_zalloc(sizeof *server);
    server->begin_alone = alone;
    struct config_error error = {.message = ""};
    int status = 1;
    if (!take_value(&argc, argv, "--import", &server->import_path))
        server_log_say("--import needs a dump.rdb, an appendonlydir or an appendonly.aof");
    else if (load(server, argc, argv, &error))
        server_log_say(error.message);
    else
        status = check ? check_config(server) : serve(server);
    mem_free(server);
    return status;
}
