/* A configuration from files that are in memory, and what was logged meanwhile. */
#ifndef FLOTILLA_TESTS_UNIT_CONFIG_FIXTURE_H
#define FLOTILLA_TESTS_UNIT_CONFIG_FIXTURE_H

#include <string.h>

#include "config/internal.h"
#include "unit/support/test.h"

enum { FILES_MAX = 8 };

struct files {
    struct {
        const char *path;
        const char *text;
    } list[FILES_MAX];
    struct buf log;
    struct config config;
    struct config_error error;
};

static inline enum err files_read(void *context, const char *path, struct buf *out)
{
    const struct files *files = context;
    for (size_t i = 0; i < FILES_MAX && files->list[i].path != NULL; i++) {
        if (strcmp(files->list[i].path, path) != 0)
            continue;
        buf_add_text(out, files->list[i].text);
        return ERR_NONE;
    }
    return ERR_NOT_FOUND;
}

/* The one pattern there is: a star at the end. */
static inline enum err files_expand(void *context, const char *pattern,
                                    void (*add)(void *to, const char *path), void *to)
{
    const struct files *files = context;
    for (size_t i = 0; i < FILES_MAX && files->list[i].path != NULL; i++)
        if (strncmp(files->list[i].path, pattern, strlen(pattern) - 1) == 0)
            add(to, files->list[i].path);
    return ERR_NONE;
}

static inline void files_log(void *context, enum log_level level, const char *line)
{
    struct files *files = context;
    assert_int_equal(level, LOG_WARNING);
    buf_printf(&files->log, "%s\n", line);
}

static inline enum err files_load(struct files *files)
{
    const struct config_source source = {files, files_read, files_expand};
    const struct log log = {LOG_DEBUG, files_log, files};
    config_init(&files->config);
    return config_load(&files->config, &source, files->list[0].path, &log, &files->error);
}

static inline enum err files_load_text(struct files *files, const char *text)
{
    files->list[0].path = "redis.conf";
    files->list[0].text = text;
    return files_load(files);
}

static inline enum err files_load_args(struct files *files, int argc, const char *const *args)
{
    char *argv[CONFIG_ARGS_MAX + 1];
    assert_true(argc <= CONFIG_ARGS_MAX + 1);
    for (int i = 0; i < argc; i++)
        argv[i] = (char *)(uintptr_t)args[i];
    const struct config_source source = {files, files_read, files_expand};
    const struct log log = {LOG_DEBUG, files_log, files};
    config_init(&files->config);
    return config_load_args(&files->config, &source, argc, argv, &log, &files->error);
}

struct got {
    const char *name;
    char value[8192];
    size_t count;
};

static inline bool got_matches(void *context, const char *name)
{
    const struct got *got = context;
    return strcmp(got->name, name) == 0;
}

static inline void got_visit(void *context, const char *name, struct span value)
{
    struct got *got = context;
    (void)name;
    assert_true(value.len < sizeof got->value);
    memcpy(got->value, value.ptr, value.len);
    got->value[value.len] = '\0';
    got->count++;
}

static inline void assert_value(const struct config *config, const char *name, const char *value)
{
    struct got got = {.name = name};
    config_get(config, got_matches, &got, got_visit);
    assert_int_equal(got.count, 1);
    assert_string_equal(got.value, value);
}

#endif
