#include "shard/bootstrap.h"

#include <stdio.h>

#include "base/mem.h"
#include "machine/state.h"

enum { PIECES_WAITING_MAX = 128 }; /* of RDB_CHUNK_BYTES each */

struct shard_bootstrap {
    struct shard_bootstrap_options options;
    struct storage *storage;
    struct machine_writer writer;
    struct buf piece;
    bool written;         /* all is queued */
    uint64_t last_ticket; /* of the end; 0: not queued yet */
    uint64_t completed;
};

static enum err load_nothing(void *context, struct span piece, char *message)
{
    (void)context;
    (void)piece;
    (void)message;
    return ERR_NONE;
}

static void visit_nothing(void *context, const struct entry *entry)
{
    (void)context;
    (void)entry;
}

static enum err fail(const struct shard_bootstrap *bootstrap, enum err err, char message[512])
{
    snprintf(message, 512, "cannot write the imported data into '%.250s': %s",
             bootstrap->options.storage.folder, err_text(err));
    return err;
}

static enum err refuse_data(const char *folder, char message[512])
{
    snprintf(message, 512, "data folder '%.250s' is not empty: --import is for a new cluster",
             folder);
    return ERR_EXISTS;
}

static void begin_state(struct shard_bootstrap *bootstrap)
{
    /* No clock: the first entry's may be any. */
    struct machine_position position = {.index = BOOTSTRAP_INDEX,
                                        .term = BOOTSTRAP_TERM,
                                        .membership = *bootstrap->options.membership};
    machine_writer_init(&bootstrap->writer, bootstrap->options.databases, NULL, &position);
}

enum err shard_bootstrap_begin(const struct shard_bootstrap_options *options,
                               struct shard_bootstrap **bootstrap, char message[512])
{
    *bootstrap = NULL;
    struct storage_peek peek;
    enum err err = storage_peek(options->disk, &options->storage, &peek, message);
    if (err)
        return err;
    if (!peek.empty)
        return refuse_data(options->storage.folder, message);
    struct shard_bootstrap *begun = mem_zalloc(sizeof *begun);
    begun->options = *options;
    begun->options.storage.sync = STORAGE_SYNC_ALWAYS;
    begun->options.storage.fill_bytes = 0; /* nothing is queued behind the last ticket */
    const struct storage_visitor visitor = {.load = load_nothing, .visit = visit_nothing};
    struct storage_recovered recovered;
    err = storage_open(options->disk, &begun->options.storage, &visitor, &begun->storage,
                       &recovered, message);
    if (!err && (recovered.last_index || recovered.snapshot.index || recovered.vote.term))
        err = refuse_data(options->storage.folder, message);
    if (!err) {
        storage_set_identity(begun->storage, &options->identity);
        err = storage_install_begin(begun->storage);
        if (err)
            fail(begun, err, message);
    }
    if (err) {
        shard_bootstrap_free(begun);
        return err;
    }
    begin_state(begun);
    *bootstrap = begun;
    return ERR_NONE;
}

static enum err finish(struct shard_bootstrap *bootstrap, char message[512])
{
    enum err err = storage_install_finish(bootstrap->storage, BOOTSTRAP_INDEX, BOOTSTRAP_TERM);
    if (err)
        return fail(bootstrap, err, message);
    bootstrap->last_ticket = storage_flush(bootstrap->storage);
    return ERR_NONE;
}

enum err shard_bootstrap_drive(struct shard_bootstrap *bootstrap, char message[512])
{
    while (!bootstrap->written &&
           storage_last_ticket(bootstrap->storage) < bootstrap->completed + PIECES_WAITING_MAX) {
        bootstrap->piece.len = 0;
        bootstrap->written = !machine_writer_next(&bootstrap->writer, &bootstrap->piece);
        storage_install_write(bootstrap->storage, buf_span(&bootstrap->piece));
    }
    return bootstrap->written && bootstrap->last_ticket == 0 ? finish(bootstrap, message)
                                                             : ERR_NONE;
}

enum err shard_bootstrap_completed(struct shard_bootstrap *bootstrap,
                                   const struct disk_completion *completion, char message[512])
{
    if (completion->err)
        return fail(bootstrap, completion->err, message);
    if (completion->ticket > bootstrap->completed)
        bootstrap->completed = completion->ticket;
    storage_completed(bootstrap->storage, completion);
    return ERR_NONE;
}

bool shard_bootstrap_is_done(const struct shard_bootstrap *bootstrap)
{
    return bootstrap->last_ticket && bootstrap->completed >= bootstrap->last_ticket;
}

void shard_bootstrap_free(struct shard_bootstrap *bootstrap)
{
    if (!bootstrap)
        return;
    storage_close(bootstrap->storage);
    machine_writer_close(&bootstrap->writer);
    buf_close(&bootstrap->piece);
    mem_free(bootstrap);
}
