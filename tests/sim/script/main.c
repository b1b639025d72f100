/* flotilla-script [--rewrite | --print] FILE… */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "sim/script/script.h"

struct world *world_current;

_Noreturn void fail(struct world *world, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(world->failure, sizeof world->failure, format, args);
    va_end(args);
    longjmp(world->failed, 1);
}

_Noreturn void host_fatal(const char *file, int line, const char *message)
{
    if (world_current)
        fail(world_current, "%s:%d: %s", file, line, message);
    fprintf(stderr, "%s:%d: %s\n", file, line, message);
    abort();
}

static bool read_file(const char *path, struct buf *content)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    char bytes[4096];
    for (size_t len; (len = fread(bytes, 1, sizeof bytes, file)) > 0;)
        buf_add(content, bytes, len);
    fclose(file);
    return true;
}

static bool write_file(const char *path, struct span content)
{
    FILE *file = fopen(path, "wb");
    if (!file)
        return false;
    bool written = fwrite(content.ptr, 1, content.len, file) == content.len;
    return fclose(file) == 0 && written;
}

static void show_difference(const char *path, struct span now)
{
    char command[512];
    snprintf(command, sizeof command, "diff -u '%s' -", path);
    fflush(stdout);
    FILE *diff = popen(command, "w");
    if (!diff)
        return;
    fwrite(now.ptr, 1, now.len, diff);
    pclose(diff);
}

enum mode { COMPARE, REWRITE, PRINT };

static bool settle(const char *path, enum mode mode, const struct script_result *result)
{
    switch (mode) {
    case COMPARE:
        if (!result->passed && !result->failure[0])
            show_difference(path, buf_span(&result->text));
        return result->passed;
    case REWRITE:
        if (result->failure[0])
            return false;
        return result->passed || write_file(path, buf_span(&result->text));
    case PRINT:
        fwrite(result->text.ptr, 1, result->text.len, stdout);
        return !result->failure[0];
    }
    return false;
}

static bool run(const char *path, enum mode mode)
{
    struct buf file = {0};
    struct script_result result;
    if (!read_file(path, &file)) {
        fprintf(stderr, "cannot read '%s'\n", path);
        return false;
    }
    script_run(path, buf_span(&file), &result);
    bool passed = settle(path, mode, &result);
    if (result.failure[0])
        printf("%s\n", result.failure);
    buf_close(&result.text);
    buf_close(&file);
    return passed;
}

int main(int argc, char **argv)
{
    enum mode mode = COMPARE;
    int first = 1, passed = 0, failed = 0;
    if (argc > 1 && strcmp(argv[1], "--rewrite") == 0)
        mode = REWRITE;
    else if (argc > 1 && strcmp(argv[1], "--print") == 0)
        mode = PRINT;
    if (mode != COMPARE)
        first++;
    for (int i = first; i < argc; i++) {
        if (run(argv[i], mode))
            passed++;
        else
            failed++;
    }
    if (mode != PRINT)
        printf("scripts: %d passed, %d failed\n", passed, failed);
    return failed > 0 || passed == 0;
}
