#include "import/import.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/number.h"
#include "import/internal.h"

enum { BULK_LEN_MAX = 512 * 1024 * 1024 };

struct import *import_new(const struct import_options *options)
{
    struct import *import = mem_zalloc(sizeof *import);
    import->options = *options;
    if (import->options.bulk_len_max == 0)
        import->options.bulk_len_max = BULK_LEN_MAX;
    if (import->options.databases == 0)
        import->options.databases = DATABASES_MAX;
    import->databases = databases_new(options->hash_seed);
    import->path = "";
    return import;
}

void import_free(struct import *import)
{
    if (!import)
        return;
    rdb_reader_free(import->rdb);
    databases_free(import->databases);
    resp_parser_close(&import->parser);
    resp_parser_close(&import->queued_parser);
    buf_close(&import->message);
    buf_close(&import->bytes);
    buf_close(&import->queued);
    buf_close(&import->reply);
    import_refused_close(&import->refused);
    mem_free(import);
}

struct databases *import_databases(const struct import *import)
{
    return import->databases;
}

const char *import_message(const struct import *import)
{
    return import->message.len ? import->message.ptr : "";
}

enum err import_fail(struct import *import, const char *what, uint64_t offset)
{
    import->message.len = 0;
    buf_printf(&import->message, "'%.300s': %s at byte %" PRIu64, import->path, what, offset);
    buf_add_char(&import->message, '\0');
    return ERR_CORRUPT;
}

void import_begin(struct import *import, const char *path)
{
    ASSERT(!import->rdb && import->bytes.len == 0);
    import->path = path;
    import->offset = 0;
    import->part = IMPORT_BEGINNING;
}

/* ---- RDB ---- */

static void refuse_key(void *context, struct span key, const char *type)
{
    struct import *import = context;
    char kind[REFUSED_KIND_LEN];
    bool elsewhere = strncmp(type, "database ", 9) == 0;
    snprintf(kind, sizeof kind, "%s %s", elsewhere ? "in" : "of type", type);
    import_refuse(&import->refused, kind, key, false);
}

/* When the file was written, in seconds. */
static void take_aux(void *context, struct span name, struct span value)
{
    int64_t time_s;
    if (span_equal(name, SPAN("ctime")) && number_parse_i64(value, &time_s) && time_s >= 0 &&
        time_s <= INT64_MAX / 1000)
        import_note_time(context, time_s * 1000);
}

static void rdb_begin(struct import *import)
{
    uint64_t string_max = import->options.bulk_len_max;
    const struct rdb_reader_options options = {
        .string_max = string_max < UINT32_MAX ? (size_t)string_max : UINT32_MAX - 1,
        .databases = import->options.databases,
        .ignore_revisions = true,
        .rest_allowed = true,
        .context = import,
        .on_aux = take_aux,
        .on_unsupported = refuse_key};
    import->part = IMPORT_RDB;
    import->rdb = rdb_reader_new(import->databases, &options);
}

static enum err rdb_fail(struct import *import)
{
    import->message.len = 0;
    buf_printf(&import->message, "'%.300s': %s", import->path, rdb_reader_message(import->rdb));
    buf_add_char(&import->message, '\0');
    return ERR_CORRUPT;
}

/* An AOF may begin with an RDB file, so commands may follow. */
static enum err rdb_feed(struct import *import, struct span piece)
{
    import->offset += piece.len;
    switch (rdb_reader_feed(import->rdb, piece)) {
    case RDB_MORE:
        return ERR_NONE;
    case RDB_BAD:
    case RDB_UNSUPPORTED:
        return rdb_fail(import);
    case RDB_DONE:
        break;
    }
    size_t rest = rdb_reader_rest(import->rdb);
    rdb_reader_free(import->rdb);
    import->rdb = NULL;
    import->offset -= rest;
    import_aof_begin(import);
    return rest ? import_aof_feed(import, span_of(piece.ptr + piece.len - rest, rest)) : ERR_NONE;
}

/* ---- any file ---- */

static enum err begin_part(struct import *import, char first)
{
    if (first == '*' || first == '#') {
        import_aof_begin(import);
    } else if (first != 'R') {
        return import_fail(import, "neither an RDB file nor an AOF", 0);
    } else if (import->is_used) {
        return import_fail(import, "an RDB file that is not the first", 0);
    } else {
        rdb_begin(import);
    }
    import->is_used = true;
    return ERR_NONE;
}

enum err import_feed(struct import *import, struct span piece)
{
    if (piece.len == 0)
        return ERR_NONE;
    if (import->part == IMPORT_BEGINNING) {
        enum err err = begin_part(import, piece.ptr[0]);
        if (err)
            return err;
    }
    return import->part == IMPORT_RDB ? rdb_feed(import, piece) : import_aof_feed(import, piece);
}

enum err import_end(struct import *import, bool torn_allowed, uint64_t *torn)
{
    *torn = 0;
    switch (import->part) {
    case IMPORT_BEGINNING:
        return ERR_NONE;
    case IMPORT_RDB:
        return import_fail(import, "the RDB file ends too early,", import->offset);
    case IMPORT_AOF:
        return import_aof_end(import, torn_allowed, torn);
    }
    return ERR_NONE;
}
