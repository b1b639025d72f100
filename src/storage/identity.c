#include "storage/identity.h"

#include <stdio.h>

#include "base/mem.h"

static char *path_in(const char *folder)
{
    struct buf path = {0};
    buf_printf(&path, "%s/%s", folder, STORAGE_IDENTITY_FILE);
    buf_add_char(&path, '\0');
    return path.ptr;
}

/* Messages show the end of a long path. */
static const char *tail_of(const char *path)
{
    size_t len = strlen(path);
    return len > 200 ? path + len - 200 : path;
}

static void explain(enum err err, const char *path, char message[512])
{
    if (err == ERR_CORRUPT)
        snprintf(message, 512,
                 "'%s' is damaged; if the other nodes are well, move this data folder away and "
                 "start with an empty one: it gets everything from them",
                 tail_of(path));
    else if (err == ERR_FOREIGN)
        snprintf(message, 512, "'%s' was written by another version of Flotilla", tail_of(path));
    else
        snprintf(message, 512, "cannot read '%s': %s", tail_of(path), err_text(err));
}

enum err storage_identity_load(const struct disk *disk, const char *folder,
                               struct cluster_identity *identity, char message[512])
{
    char *path = path_in(folder);
    struct buf text = {0};
    enum err err = disk->read_file(disk->context, path, &text);
    if (!err)
        err = cluster_identity_parse(buf_span(&text), identity);
    if (err && err != ERR_NOT_FOUND)
        explain(err, path, message);
    buf_close(&text);
    mem_free(path);
    return err;
}

enum err storage_identity_store(const struct disk *disk, const char *folder,
                                const struct cluster_identity *identity, char message[512])
{
    char *path = path_in(folder);
    struct buf text = {0};
    cluster_identity_encode(&text, identity);
    enum err err = disk->replace_file(disk->context, path, buf_span(&text));
    if (err)
        snprintf(message, 512, "cannot write '%s': %s", tail_of(path), err_text(err));
    buf_close(&text);
    mem_free(path);
    return err;
}
