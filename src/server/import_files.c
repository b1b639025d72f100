#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/number.h"
#include "platform/files.h"
#include "resp/parse.h"
#include "server/import.h"

enum { MESSAGE_MAX = 512 };

static enum err fail(char *message, const char *path, enum err err)
{
    snprintf(message, MESSAGE_MAX, "cannot read '%.300s': %s", path, err_text(err));
    return err;
}

static enum err add_file(struct import_files *files, const char *path, char *message)
{
    struct stat status;
    if (stat(path, &status))
        return fail(message, path, platform_err(errno));
    if (!S_ISREG(status.st_mode)) {
        snprintf(message, MESSAGE_MAX, "'%.300s' is no file", path);
        return ERR_INVALID;
    }
    files->paths = mem_realloc(files->paths, (files->count + 1) * sizeof *files->paths);
    char *copy = mem_alloc(strlen(path) + 1);
    memcpy(copy, path, strlen(path) + 1);
    files->paths[files->count++] = copy;
    files->bytes += (uint64_t)status.st_size;
    return ERR_NONE;
}

/* ---- the manifest ---- */

struct manifest {
    struct import_files *files;
    const char *folder;
    const char *path;
    unsigned line;
    bool has_base;
    uint64_t last_seq; /* of the increments */
    char *message;
};

struct manifest_row {
    struct span name;
    uint64_t seq;
    char type;
};

static enum err bad_manifest(const struct manifest *manifest, const char *why)
{
    snprintf(manifest->message, MESSAGE_MAX, "'%.300s', line %u: %s", manifest->path,
             manifest->line, why);
    return ERR_CORRUPT;
}

/* "file <name> seq <number> type <letter>", in any order. */
static bool parse_row(const struct span *words, size_t count, struct manifest_row *row)
{
    *row = (struct manifest_row){.seq = 0};
    for (size_t i = 0; i + 1 < count; i += 2) {
        if (span_is(words[i], "file"))
            row->name = words[i + 1];
        else if (span_is(words[i], "seq") && !number_parse_u64(words[i + 1], &row->seq))
            return false;
        else if (span_is(words[i], "type") && words[i + 1].len == 1)
            row->type = words[i + 1].ptr[0];
    }
    return count % 2 == 0 && row->name.len && row->seq && row->type &&
           !memchr(row->name.ptr, '/', row->name.len);
}

static enum err take_row(struct manifest *manifest, const struct manifest_row *row)
{
    if (row->type == 'h')
        return ERR_NONE; /* what a later base covers */
    if (row->type != 'b' && row->type != 'i')
        return bad_manifest(manifest, "a type other than b, h and i");
    if (row->type == 'b' && manifest->has_base)
        return bad_manifest(manifest, "a second base file");
    if (row->type == 'b' && manifest->last_seq)
        return bad_manifest(manifest, "a base file behind an increment");
    if (row->type == 'i' && row->seq <= manifest->last_seq)
        return bad_manifest(manifest, "an increment out of order");
    if (row->type == 'b')
        manifest->has_base = true;
    else
        manifest->last_seq = row->seq;
    struct buf path = {0};
    buf_printf(&path, "%s/%.*s", manifest->folder, (int)row->name.len, row->name.ptr);
    buf_add_char(&path, '\0');
    enum err err = add_file(manifest->files, path.ptr, manifest->message);
    buf_close(&path);
    return err;
}

/* Words are quoted as those of a request that is typed by hand. */
static enum err take_line(struct manifest *manifest, struct span line)
{
    static const struct resp_limits limits = {.bulk_len_max = 65536, .authenticated = true};
    struct resp_parser parser = {0};
    struct manifest_row row;
    enum err err = ERR_NONE;
    bool words = line.ptr[0] != '*' && resp_parse(&parser, line, &limits) == RESP_COMMAND;
    if (!words || (parser.argc && !parse_row(parser.args, parser.argc, &row)))
        err = bad_manifest(manifest, "not as Redis writes it");
    else if (parser.argc)
        err = take_row(manifest, &row);
    resp_parser_close(&parser);
    return err;
}

static enum err take_lines(struct manifest *manifest, struct span text)
{
    enum err err = ERR_NONE;
    while (!err && text.len) {
        const char *newline = memchr(text.ptr, '\n', text.len);
        manifest->line++;
        if (!newline)
            return bad_manifest(manifest, "it ends within the line");
        struct span line = span_of(text.ptr, (size_t)(newline - text.ptr) + 1);
        text = span_of(text.ptr + line.len, text.len - line.len);
        if (line.ptr[0] != '#')
            err = take_line(manifest, line);
    }
    if (!err && manifest->files->count == 0) {
        snprintf(manifest->message, MESSAGE_MAX, "'%.300s' names no file with data",
                 manifest->path);
        err = ERR_INVALID;
    }
    return err;
}

static enum err read_manifest(struct import_files *files, const char *folder, const char *path,
                              char *message)
{
    struct manifest manifest = {.files = files, .folder = folder, .path = path, .message = message};
    struct buf text = {0};
    enum err err = platform_read_file(path, &text);
    err = err ? fail(message, path, err) : take_lines(&manifest, buf_span(&text));
    buf_close(&text);
    return err;
}

/* ---- folders ---- */

static bool is_manifest(const char *name)
{
    static const char suffix[] = ".manifest";
    size_t len = strlen(name);
    return len >= sizeof suffix && strcmp(name + len - (sizeof suffix - 1), suffix) == 0;
}

/* The one file of the folder that is a manifest; NULL: none, or several. */
static char *find_manifest(DIR *folder, const char *path)
{
    struct buf found = {0};
    unsigned count = 0;
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        if (!is_manifest(entry->d_name))
            continue;
        found.len = 0;
        buf_printf(&found, "%s/%s", path, entry->d_name);
        buf_add_char(&found, '\0');
        count++;
    }
    if (count != 1)
        buf_close(&found);
    return found.ptr;
}

static enum err find_in_folder(struct import_files *files, const char *path, char *message)
{
    DIR *folder = opendir(path);
    if (!folder)
        return fail(message, path, platform_err(errno));
    char *manifest = find_manifest(folder, path);
    closedir(folder);
    if (!manifest) {
        snprintf(message, MESSAGE_MAX,
                 "'%.300s' is no append-only folder of Redis 7: it needs exactly one *.manifest",
                 path);
        return ERR_INVALID;
    }
    enum err err = read_manifest(files, path, manifest, message);
    mem_free(manifest);
    return err;
}

static enum err find_single(struct import_files *files, const char *path, char *message)
{
    enum err err = add_file(files, path, message);
    if (err || files->bytes)
        return err;
    snprintf(message, MESSAGE_MAX, "'%.300s' is empty", path);
    return ERR_INVALID;
}

enum err import_files_find(struct import_files *files, const char *path, char message[512])
{
    struct stat status;
    *files = (struct import_files){.count = 0};
    if (stat(path, &status))
        return fail(message, path, platform_err(errno));
    return S_ISDIR(status.st_mode) ? find_in_folder(files, path, message)
                                   : find_single(files, path, message);
}

void import_files_close(struct import_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        mem_free(files->paths[i]);
    mem_free(files->paths);
    *files = (struct import_files){.count = 0};
}
