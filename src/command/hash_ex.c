/* Fields of a hash that are set or fetched together with their deadlines, or fetched for the last
 * time. */
#include "command/access.h"
#include "command/data.h"
#include "command/hash_options.h"
#include "keyspace/hash.h"

static bool parse(struct command_context *context, const struct span *args, size_t argc,
                  unsigned allowed, struct set_options *options, struct named_fields *fields)
{
    size_t word = fields_word(args, argc, 2);
    *options = (struct set_options){0};
    if (word && !set_options_parse(args, word, 2, allowed, options)) {
        resp_error(context->reply, ERROR_SYNTAX);
        return false;
    }
    return fields_parse(context, args, argc, word, allowed == HSETEX_OPTIONS ? 2 : 1, fields);
}

/* Writes the value of a field, or null. */
static bool write_field(struct command_context *context, const struct hash *hash, struct span field,
                        struct hash_entry *entry)
{
    bool found = hash && hash_find(hash, field, context->now_ms, entry);
    if (found)
        resp_bulk(context->reply, entry->value);
    else
        resp_null(context->reply);
    return found;
}

/* Gives a field of HGETEX its new deadline. Returns whether that is a change. */
static bool change_deadline(struct command_context *context, struct hash *hash,
                            const struct hash_entry *entry, struct span field,
                            const struct set_options *options, int64_t deadline_ms)
{
    if (options->flags & SET_TIMES) {
        if (deadline_ms <= context->now_ms)
            return hash_remove(hash, field);
        return hash_set_deadline(hash, field, deadline_ms, command_rules(context));
    }
    return (options->flags & SET_PERSIST) && entry->deadline_ms != NO_DEADLINE &&
           hash_set_deadline(hash, field, NO_DEADLINE, command_rules(context));
}

void command_hgetex_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct set_options options;
    struct named_fields fields;
    struct keyspace_edit edit;
    int64_t deadline_ms;
    if (!parse(context, args, argc, GETEX_OPTIONS, &options, &fields) ||
        !command_edit(context, args[1], VALUE_HASH, &edit))
        return;
    enum time_parse time = fields_deadline(&options, context->now_ms, &deadline_ms);
    uint64_t changes = 0;
    if (time != TIME_PARSED)
        command_write_time_error(context, time, "hgetex");
    else
        resp_array(context->reply, fields.count);
    for (size_t i = 0; time == TIME_PARSED && i < fields.count; i++) {
        struct hash_entry entry;
        if (write_field(context, edit.value, fields.at[i], &entry))
            changes +=
                change_deadline(context, edit.value, &entry, fields.at[i], &options, deadline_ms);
    }
    if (edit.value)
        command_edit_end(context, &edit, changes);
}

void command_hgetex_read_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct named_fields fields;
    const void *hash;
    if (!fields_parse(context, args, argc, 2, 1, &fields) ||
        !command_read(context, args[1], VALUE_HASH, &hash))
        return;
    resp_array(context->reply, fields.count);
    for (size_t i = 0; i < fields.count; i++) {
        struct hash_entry entry;
        write_field(context, hash, fields.at[i], &entry);
    }
}

void command_hgetdel_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct named_fields fields;
    struct keyspace_edit edit;
    if (!span_is(args[2], "fields")) {
        resp_error(context->reply, ERROR_SYNTAX);
        return;
    }
    if (!fields_parse(context, args, argc, 2, 1, &fields) ||
        !command_edit(context, args[1], VALUE_HASH, &edit))
        return;
    uint64_t changes = 0;
    resp_array(context->reply, fields.count);
    for (size_t i = 0; i < fields.count; i++) {
        struct hash_entry entry;
        if (write_field(context, edit.value, fields.at[i], &entry))
            changes += hash_remove(edit.value, fields.at[i]);
    }
    if (edit.value)
        command_edit_end(context, &edit, changes);
}

/* HSETEX. */

static bool key_allows(const struct hash *hash, unsigned flags)
{
    bool exists = hash_count(hash) > 0;
    return !((flags & SET_NX) && exists) && !((flags & SET_XX) && !exists);
}

static bool fields_allow(const struct command_context *context, const struct hash *hash,
                         const struct named_fields *fields, unsigned flags)
{
    struct hash_entry entry;
    if (!(flags & (SET_FNX | SET_FXX)))
        return true;
    for (size_t i = 0; i < fields->count; i++)
        if (hash_find(hash, fields->at[2 * i], context->now_ms, &entry) == ((flags & SET_FNX) != 0))
            return false;
    return true;
}

/* Returns how many fields have changed. */
static uint64_t set_fields(struct command_context *context, struct hash *hash,
                           const struct named_fields *fields, unsigned flags, int64_t deadline_ms)
{
    const struct value_rules *rules = command_rules(context);
    bool is_past = deadline_ms != NO_DEADLINE && deadline_ms <= context->now_ms;
    uint64_t changes = 0;
    for (size_t i = 0; i < fields->count; i++) {
        const struct hash_entry entry = {
            .field = fields->at[2 * i], .value = fields->at[2 * i + 1], .deadline_ms = deadline_ms};
        changes += hash_remove_if_past(hash, entry.field, context->now_ms);
        if (is_past) {
            changes += hash_remove(hash, entry.field);
            continue;
        }
        if (flags & SET_KEEPTTL)
            hash_set_value(hash, entry.field, entry.value, rules);
        else
            hash_set_until(hash, &entry, rules);
        changes++;
    }
    return changes;
}

void command_hsetex_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct set_options options;
    struct named_fields fields;
    struct keyspace_edit edit;
    int64_t deadline_ms = NO_DEADLINE;
    if (!parse(context, args, argc, HSETEX_OPTIONS, &options, &fields) ||
        !command_edit_or_new(context, args[1], VALUE_HASH, &edit))
        return;
    enum time_parse time = TIME_PARSED;
    bool met = key_allows(edit.value, options.flags);
    if (met)
        time = fields_deadline(&options, context->now_ms, &deadline_ms);
    met = met && time == TIME_PARSED && fields_allow(context, edit.value, &fields, options.flags);
    uint64_t changes = 0;
    if (met)
        changes = set_fields(context, edit.value, &fields, options.flags, deadline_ms);
    command_edit_end(context, &edit, changes);
    if (time != TIME_PARSED) {
        command_write_time_error(context, time, "hsetex");
        return;
    }
    resp_integer(context->reply, met);
}
