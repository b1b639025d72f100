#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "check/check.h"

const struct check_kind check_kinds[CHECK_KINDS] = {
    {ENTRY_COMMAND, "command", "commands"}, {ENTRY_TRANSACTION, "transaction", "transactions"},
    {ENTRY_EXPIRY, "expiry", "expiries"},   {ENTRY_MEMBERSHIP, "membership", "memberships"},
    {ENTRY_NOOP, "no-op", "no-ops"},        {ENTRY_SESSION, "session", "of sessions"},
};

static size_t kind_position(enum entry_kind kind)
{
    size_t position = 0;
    while (check_kinds[position].kind != kind)
        position++;
    return position;
}

const char *check_kind_name(enum entry_kind kind)
{
    return check_kinds[kind_position(kind)].one;
}

static char *copy_text(const char *text)
{
    size_t len = strlen(text) + 1;
    return memcpy(mem_alloc(len), text, len);
}

static void take_part(void *context, const struct storage_part *part)
{
    struct check *check = context;
    check->parts = mem_realloc(check->parts, (check->part_count + 1) * sizeof *check->parts);
    const char *slash = strrchr(part->path, '/');
    check->parts[check->part_count++] =
        (struct check_part){.name = copy_text(slash ? slash + 1 : part->path),
                            .type = part->type,
                            .bytes = part->bytes};
}

static void take_leftover(void *context, const char *path)
{
    struct check *check = context;
    check->leftovers =
        mem_realloc(check->leftovers, (check->leftover_count + 1) * sizeof *check->leftovers);
    const char *slash = strrchr(path, '/');
    check->leftovers[check->leftover_count++] = copy_text(slash ? slash + 1 : path);
}

static enum err take_snapshot(void *context, struct span piece, char *message)
{
    struct check *check = context;
    return machine_replay_load(check->replay, piece, message);
}

static void count_entry(struct check *check, const struct entry *entry)
{
    struct check_part *part = &check->parts[check->part_count - 1];
    if (part->entries++ == 0) {
        part->first = entry->index;
        part->first_term = entry->term;
    }
    part->last = entry->index;
    part->last_term = entry->term;
    if (check->entries++ == 0) {
        check->first_index = entry->index;
        check->first_term = entry->term;
    }
    check->kinds[kind_position(entry->kind)]++;
}

/* NULL: the entry is carried out. */
static const char *why_nothing(struct check *check, const struct entry *entry)
{
    if (check->state_err)
        return NULL;
    if (machine_replay_is_repeated(check->replay, entry)) {
        check->repeats++;
        return "its number was carried out before, or its session is over";
    }
    if (!machine_replay_is_void(check->replay, entry))
        return NULL;
    check->voids++;
    return "a watched key had changed";
}

static void take_entry(void *context, const struct entry *entry)
{
    struct check *check = context;
    count_entry(check, entry);
    if (entry->index > check->options.to)
        return;
    const char *why = why_nothing(check, entry);
    if (check->options.dump && entry->index >= check->options.from)
        check_dump_entry(check, entry, why);
    if (!check->state_err)
        check->state_err = machine_replay_apply(check->replay, entry, check->state_message);
}

static void check_state(struct check *check)
{
    const struct storage_snapshot *snapshot = &check->found.snapshot;
    char why[CHECK_MESSAGE_MAX];
    enum err err =
        machine_replay_check_snapshot(check->replay, snapshot->index, snapshot->term, why);
    const char *cause = err ? why : check->state_message;
    if (!err)
        err = check->state_err;
    if (err)
        snprintf(check->message, sizeof check->message, "'%.180s' does not fit together: %.280s",
                 check->folder, cause);
    check->err = err;
}

/* Whose log it is if its first segments are of a cluster that was superseded. */
static struct identity identity_of(const struct check *check)
{
    struct identity identity = {.node_id = check->identity.node_id,
                                .incarnation = check->identity.incarnation};
    memcpy(identity.cluster_id, check->identity.cluster_id, sizeof identity.cluster_id);
    return identity;
}

void check_inspect(struct check *check)
{
    check->table = command_table_new();
    check->replay = machine_replay_new(check->table, 0);
    const struct storage_inspection inspection = {
        .context = check, .part = take_part, .leftover = take_leftover};
    const struct storage_options options = {.folder = check->folder,
                                            .append_folder = check->append_folder,
                                            .append_filename = check->options.append_filename,
                                            .identity = identity_of(check),
                                            .superseded = &check->identity.superseded,
                                            .inspection = &inspection};
    const struct storage_visitor visitor = {
        .context = check, .load = take_snapshot, .visit = take_entry};
    struct storage *storage;
    check->err =
        storage_open(&check->disk, &options, &visitor, &storage, &check->found, check->message);
    storage_close(storage);
    if (!check->err)
        check_state(check);
}

void check_inspect_close(struct check *check)
{
    for (size_t i = 0; i < check->part_count; i++)
        mem_free(check->parts[i].name);
    for (size_t i = 0; i < check->leftover_count; i++)
        mem_free(check->leftovers[i]);
    mem_free(check->parts);
    mem_free(check->leftovers);
    buf_close(&check->line);
    machine_replay_free(check->replay);
    command_table_free(check->table);
}

enum check_status check_inspect_status(const struct check *check)
{
    switch (check->err) {
    case ERR_NONE:
        return check->found.cut_bytes ? CHECK_TORN : CHECK_FINE;
    case ERR_CORRUPT:
    case ERR_FOREIGN:
        return CHECK_CORRUPT;
    case ERR_IO:
    case ERR_NO_SPACE:
    case ERR_NOT_FOUND:
    case ERR_EXISTS:
    case ERR_INVALID:
    case ERR_RANGE:
    case ERR_BUSY:
    case ERR_NO_DESCRIPTORS:
    case ERR_DENIED:
        return CHECK_UNREADABLE;
    }
    return CHECK_UNREADABLE;
}

char *check_inspect_torn_path(const struct check *check)
{
    struct buf path = {0};
    buf_printf(&path, "%s/%s/%s", check->folder, check->append_folder,
               check->parts[check->part_count - 1].name);
    buf_add_char(&path, '\0');
    return path.ptr;
}
