/* The storage's folder on a real disk, given to Redis' own programs. Skipped where they are not
 * installed. */
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "keyspace/rdb.h"
#include "platform/disk.h"
#include "storage/storage.h"
#include "unit/platform/folder.h"
#include "unit/support/only.h"

enum { TRIES = 2000, PAUSE_MS = 10 };

static const char *const server_programs[] = {"redis-server", "redis-check-aof"};

static bool is_installed(const char *program)
{
    char command[128];
    snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", program);
    return system(command) == 0;
}

static pid_t run(const char *const argv[])
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid)
        return pid;
    int nowhere = open("/dev/null", O_RDWR);
    dup2(nowhere, STDIN_FILENO);
    dup2(nowhere, STDOUT_FILENO);
    execvp(argv[0], (char *const *)argv);
    _exit(127);
}

static void pause_shortly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000}, NULL);
}

static void ignore_entry(void *context, const struct entry *entry)
{
    (void)context;
    (void)entry;
}

struct writer {
    struct storage *storage;
    struct buf bytes;
    uint64_t index;
};

static void write_entry(struct writer *writer, enum entry_kind kind, struct span payload)
{
    writer->bytes.len = 0;
    struct entry entry = {.index = ++writer->index,
                          .term = 2,
                          .kind = kind,
                          .time_ms = 1700000000000,
                          .seed = UINT64_MAX,
                          .payload = payload};
    entry_encode(&writer->bytes, &entry);
    struct record record;
    assert_int_equal(record_parse(buf_span(&writer->bytes), &record), RECORD_OK);
    storage_append(writer->storage, &record.entry, 1);
}

static void wait_for_image(struct platform_disk *disk)
{
    struct disk_completion completion = {.image = false};
    for (int i = 0; i < TRIES && !completion.image_ended; i++) {
        while (!completion.image_ended && platform_disk_take(disk, &completion))
            assert_int_equal(completion.err, ERR_NONE);
        if (!completion.image_ended)
            pause_shortly();
    }
    assert_true(completion.image_ended);
}

/* What the entries so far make; they stay as history. */
static void write_snapshot(struct writer *writer, const struct disk *port,
                           struct platform_disk *disk)
{
    struct keyspace *keyspace = keyspace_new(1);
    keyspace_set_string(keyspace, SPAN("k"), SPAN("#VOTE:1:2\r\n\n"), false, 2);
    keyspace_set_string(keyspace, SPAN("n"), SPAN("3"), false, 5);
    struct item *item = keyspace_set_string(keyspace, SPAN("snapshot"), SPAN("yes"), false, 5);
    keyspace_set_deadline(keyspace, item, 4000000000000, 5);
    keyspace_set_string(keyspace, SPAN("gone"), SPAN("x"), false, 5);
    keyspace_remove(keyspace, SPAN("gone"), 5);
    assert_int_equal(storage_cut(writer->storage), ERR_NONE);
    const struct rdb_aux aux[] = {{SPAN("raft-index"), SPAN("5")}};
    struct rdb_writer rdb;
    rdb_writer_init(&rdb, ONLY(keyspace), aux, 1, NULL);
    assert_int_equal(port->image_begin(port->context, storage_image_begin(writer->storage)),
                     ERR_NONE);
    bool more = true;
    while (more) {
        struct buf piece = {0};
        more = rdb_writer_next(&rdb, &piece);
        port->image_write(port->context, &piece);
    }
    port->image_end(port->context, true);
    keyspace_free(keyspace);
    wait_for_image(disk);
    assert_int_equal(storage_image_adopt(writer->storage, 5, 1, 1 << 20), ERR_NONE);
}

/* Votes, entries without commands, a value full of lines that look like annotations, a transaction,
 * and a suffix that was cut off. */
static void write_history(const char *folder)
{
    struct platform_disk *disk = platform_disk_new();
    struct disk port;
    platform_disk_port(disk, 0, &port);
    struct storage_options options = {.folder = folder,
                                      .append_folder = "appendonlydir",
                                      .append_filename = "appendonly.aof",
                                      .sync = STORAGE_SYNC_ALWAYS};
    options.identity.node_id = UINT64_MAX;
    memset(options.identity.cluster_id, 'f', 40);
    struct writer writer = {0};
    struct storage_recovered recovered;
    char message[512];
    const struct storage_visitor visitor = {NULL, NULL, ignore_entry, NULL};
    assert_int_equal(storage_open(&port, &options, &visitor, &writer.storage, &recovered, message),
                     ERR_NONE);
    storage_vote(writer.storage, (struct vote_record){.term = 1, .node = 1});
    write_entry(&writer, ENTRY_NOOP, span_of("", 0));
    write_entry(&writer, ENTRY_COMMAND,
                SPAN("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$12\r\n#VOTE:1:2\r\n\n\r\n"));
    write_entry(&writer, ENTRY_EXPIRY, span_of("", 0));
    write_entry(&writer, ENTRY_TRANSACTION,
                SPAN("*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n*2\r\n$4\r\nINCR\r\n$1"
                     "\r\nn\r\n*1\r\n$4\r\nEXEC\r\n"));
    write_entry(&writer, ENTRY_COMMAND, SPAN("*2\r\n$4\r\nINCR\r\n$4\r\nlost\r\n"));
    storage_flush(writer.storage);
    assert_int_equal(storage_truncate(writer.storage, 4), ERR_NONE);
    writer.index = 4;
    write_entry(&writer, ENTRY_COMMAND, SPAN("*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n"));
    storage_flush(writer.storage);
    write_snapshot(&writer, &port, disk);
    write_entry(&writer, ENTRY_COMMAND, SPAN("*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n"));
    assert_int_equal(storage_cut(writer.storage), ERR_NONE);
    write_entry(&writer, ENTRY_COMMAND, SPAN("*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n"));
    storage_flush(writer.storage);
    platform_disk_free(disk);
    storage_close(writer.storage);
    buf_close(&writer.bytes);
}

static int setup(void **state)
{
    char *folder = calloc(1, FOLDER_PATH_MAX);
    folder_make(folder);
    write_history(folder);
    *state = folder;
    return 0;
}

static int teardown(void **state)
{
    folder_remove(*state);
    free(*state);
    return 0;
}

static void test_redis_check_aof_accepts_the_manifest(void **state)
{
    if (!is_installed(server_programs[1]))
        skip();
    char manifest[FOLDER_PATH_MAX + 64];
    snprintf(manifest, sizeof manifest, "%s/appendonlydir/appendonly.aof.manifest",
             (const char *)*state);
    const char *const argv[] = {server_programs[1], manifest, NULL};
    int status;
    pid_t pid = run(argv);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* A connection to a server that has loaded its data. */
static redisContext *connect_to(const char *path)
{
    for (int i = 0; i < TRIES; i++, pause_shortly()) {
        redisContext *context = redisConnectUnix(path);
        assert_non_null(context);
        redisReply *pong = context->err ? NULL : redisCommand(context, "PING");
        bool ready = pong && pong->type == REDIS_REPLY_STATUS;
        if (pong)
            freeReplyObject(pong);
        if (ready)
            return context;
        redisFree(context);
    }
    return NULL;
}

static void assert_value(redisContext *context, const char *key, const char *expected)
{
    redisReply *reply = redisCommand(context, "GET %s", key);
    assert_non_null(reply);
    if (expected) {
        assert_int_equal(reply->type, REDIS_REPLY_STRING);
        assert_string_equal(reply->str, expected);
    } else
        assert_int_equal(reply->type, REDIS_REPLY_NIL);
    freeReplyObject(reply);
}

static void test_redis_server_loads_the_folder(void **state)
{
    if (!is_installed(server_programs[0]))
        skip();
    char path[FOLDER_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/socket", (const char *)*state);
    const char *const argv[] = {server_programs[0],
                                "--port",
                                "0",
                                "--unixsocket",
                                path,
                                "--appendonly",
                                "yes",
                                "--dir",
                                *state,
                                "--save",
                                "",
                                NULL};
    pid_t pid = run(argv);
    redisContext *context = connect_to(path);
    if (context) {
        assert_value(context, "k", "#VOTE:1:2\r\n\n");
        assert_value(context, "n", "5");
        assert_value(context, "snapshot", "yes");
        assert_value(context, "gone", NULL);
        assert_value(context, "lost", NULL);
        redisFree(context);
    }
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_non_null(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_redis_check_aof_accepts_the_manifest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_redis_server_loads_the_folder, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
