/* Hashes: fields one by one, and all of them. Fields past their deadline are absent: a command that
 * reads leaves them out, one that writes removes those that it meets. */
#include "keyspace/hash.h"

#include "command/access.h"
#include "command/data.h"
#include "command/gather.h"

static bool has_pairs(struct command_context *context, const char *name, size_t argc)
{
    if (argc % 2 == 0)
        return true;
    resp_errorf(context->reply, "ERR wrong number of arguments for '%s' command", name);
    return false;
}

/* Sets the pairs from args[2] on. False: the error was written. */
static bool set_pairs(struct command_context *context, const struct span *args, size_t argc,
                      int64_t *added)
{
    struct keyspace_edit edit;
    if (!command_edit_or_new(context, args[1], VALUE_HASH, &edit))
        return false;
    *added = 0;
    for (size_t i = 2; i < argc; i += 2) {
        hash_remove_if_past(edit.value, args[i], context->now_ms);
        *added += hash_set(edit.value, args[i], args[i + 1], command_rules(context));
    }
    command_edit_end(context, &edit, (argc - 2) / 2);
    return true;
}

void command_hset_run(struct command_context *context, const struct span *args, size_t argc)
{
    int64_t added;
    if (has_pairs(context, "hset", argc) && set_pairs(context, args, argc, &added))
        resp_integer(context->reply, added);
}

void command_hmset_run(struct command_context *context, const struct span *args, size_t argc)
{
    int64_t added;
    if (has_pairs(context, "hmset", argc) && set_pairs(context, args, argc, &added))
        resp_status(context->reply, "OK");
}

void command_hsetnx_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    struct keyspace_edit edit;
    struct hash_entry entry;
    if (!command_edit_or_new(context, args[1], VALUE_HASH, &edit))
        return;
    bool is_new = !hash_find(edit.value, args[2], context->now_ms, &entry);
    if (is_new) {
        hash_remove_if_past(edit.value, args[2], context->now_ms);
        hash_set(edit.value, args[2], args[3], command_rules(context));
    }
    command_edit_end(context, &edit, is_new);
    resp_integer(context->reply, is_new);
}

void command_hdel_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct keyspace_edit edit;
    if (!command_edit(context, args[1], VALUE_HASH, &edit))
        return;
    uint64_t removed = 0;
    uint64_t past = 0;
    for (size_t i = 2; edit.value && i < argc; i++) {
        if (hash_remove_if_past(edit.value, args[i], context->now_ms))
            past++;
        else
            removed += hash_remove(edit.value, args[i]);
    }
    if (edit.value)
        command_edit_end(context, &edit, removed + past);
    resp_integer(context->reply, (int64_t)removed);
}

/* Finds a field for a command that reads. False: WRONGTYPE was written. *found: it is there. */
static bool read_field(struct command_context *context, const struct span *args,
                       struct hash_entry *entry, bool *found)
{
    const void *hash;
    if (!command_read(context, args[1], VALUE_HASH, &hash))
        return false;
    *found = hash && hash_find(hash, args[2], context->now_ms, entry);
    return true;
}

void command_hget_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    bool found;
    struct hash_entry entry;
    if (!read_field(context, args, &entry, &found))
        return;
    if (found)
        resp_bulk(context->reply, entry.value);
    else
        resp_null(context->reply);
}

void command_hexists_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    bool found;
    struct hash_entry entry;
    if (read_field(context, args, &entry, &found))
        resp_integer(context->reply, found);
}

void command_hstrlen_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    bool found;
    struct hash_entry entry;
    if (read_field(context, args, &entry, &found))
        resp_integer(context->reply, found ? (int64_t)entry.value.len : 0);
}

void command_hmget_run(struct command_context *context, const struct span *args, size_t argc)
{
    const void *hash;
    struct hash_entry entry;
    if (!command_read(context, args[1], VALUE_HASH, &hash))
        return;
    resp_array(context->reply, argc - 2);
    for (size_t i = 2; i < argc; i++) {
        if (hash && hash_find(hash, args[i], context->now_ms, &entry))
            resp_bulk(context->reply, entry.value);
        else
            resp_null(context->reply);
    }
}

void command_hlen_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    const void *hash;
    if (command_read(context, args[1], VALUE_HASH, &hash))
        resp_integer(context->reply, hash ? (int64_t)hash_count_at(hash, context->now_ms) : 0);
}

/* All fields. */

enum parts { FIELDS = 1 << 0, VALUES = 1 << 1 };

static void write_all(struct command_context *context, struct span key, unsigned parts)
{
    const void *hash;
    if (!command_read(context, key, VALUE_HASH, &hash))
        return;
    size_t count = hash ? hash_count_at(hash, context->now_ms) : 0;
    if (parts == (FIELDS | VALUES))
        resp_map(context->reply, count);
    else
        resp_array(context->reply, count);
    if (!hash)
        return;
    struct hash_walk walk = hash_walk(hash);
    for (struct hash_entry entry; hash_walk_next(&walk, &entry);) {
        if (hash_is_past(&entry, context->now_ms))
            continue;
        if (parts & FIELDS)
            resp_bulk(context->reply, entry.field);
        if (parts & VALUES)
            resp_bulk(context->reply, entry.value);
    }
}

void command_hgetall_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    write_all(context, args[1], FIELDS | VALUES);
}

void command_hkeys_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    write_all(context, args[1], FIELDS);
}

void command_hvals_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    write_all(context, args[1], VALUES);
}

static void visit(void *context, const struct hash_entry *entry)
{
    struct gathering *gathering = context;
    if (hash_is_past(entry, gathering->context->now_ms)) {
        gathering->seen++;
        return;
    }
    if (!gather_wants(gathering, entry->field))
        return;
    gather_add(gathering, entry->field);
    if (!gathering->novalues)
        gather_add(gathering, entry->value);
}

static uint64_t scan(const void *hash, uint64_t cursor, struct gathering *gathering)
{
    return hash_scan(hash, cursor, (size_t)gathering->scan_count, visit, gathering);
}

void command_hscan_run(struct command_context *context, const struct span *args, size_t argc)
{
    gather_run_scan(context, args, argc, VALUE_HASH, GATHER_NOVALUES, scan);
}
