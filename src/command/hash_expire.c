/* Deadlines of the fields of a hash. */
#include "command/access.h"
#include "command/data.h"
#include "command/hash_options.h"
#include "keyspace/hash.h"

enum { NO_SUCH_FIELD = -2, NEVER_EXPIRES = -1, NOT_MET = 0, SET = 1, REMOVED = 2 };

struct expire_variant {
    const char *name;
    int64_t unit_ms;
    bool relative;
};

struct expiry {
    struct named_fields fields;
    unsigned flags;
    int64_t deadline_ms;
};

static bool parse(struct command_context *context, const struct span *args, size_t argc,
                  const struct expire_variant *variant, struct expiry *expiry)
{
    struct span bad = {0};
    size_t word = fields_word(args, argc, 3);
    enum expire_parse options = EXPIRE_PARSED;
    if (word)
        options = expire_options_parse(args, word, &expiry->flags, &bad);
    if (options != EXPIRE_PARSED) {
        command_write_expire_error(context, options, bad);
        return false;
    }
    if (!fields_parse(context, args, argc, word, 1, &expiry->fields))
        return false;
    int64_t base_ms = variant->relative ? context->now_ms : 0;
    enum time_parse time =
        fields_deadline_of(args[2], variant->unit_ms, base_ms, &expiry->deadline_ms);
    if (time != TIME_PARSED)
        command_write_time_error(context, time, variant->name);
    return time == TIME_PARSED;
}

/* What HEXPIRE answers for a field. */
static int expire_field(struct command_context *context, struct hash *hash, struct span field,
                        const struct expiry *expiry)
{
    struct hash_entry entry;
    if (!hash_find(hash, field, context->now_ms, &entry))
        return NO_SUCH_FIELD;
    if (!expire_options_allow(expiry->flags, entry.deadline_ms, expiry->deadline_ms))
        return NOT_MET;
    if (expiry->deadline_ms <= context->now_ms) {
        hash_remove(hash, field);
        return REMOVED;
    }
    hash_set_deadline(hash, field, expiry->deadline_ms, command_rules(context));
    return SET;
}

static void expire(struct command_context *context, const struct span *args, size_t argc,
                   const struct expire_variant *variant)
{
    struct expiry expiry;
    struct keyspace_edit edit;
    if (!parse(context, args, argc, variant, &expiry) ||
        !command_edit(context, args[1], VALUE_HASH, &edit))
        return;
    uint64_t changes = 0;
    resp_array(context->reply, expiry.fields.count);
    for (size_t i = 0; i < expiry.fields.count; i++) {
        int outcome = edit.value ? expire_field(context, edit.value, expiry.fields.at[i], &expiry)
                                 : NO_SUCH_FIELD;
        changes += outcome > NOT_MET;
        resp_integer(context->reply, outcome);
    }
    if (edit.value)
        command_edit_end(context, &edit, changes);
}

void command_hexpire_run(struct command_context *context, const struct span *args, size_t argc)
{
    expire(context, args, argc, &(struct expire_variant){"hexpire", 1000, true});
}

void command_hpexpire_run(struct command_context *context, const struct span *args, size_t argc)
{
    expire(context, args, argc, &(struct expire_variant){"hpexpire", 1, true});
}

void command_hexpireat_run(struct command_context *context, const struct span *args, size_t argc)
{
    expire(context, args, argc, &(struct expire_variant){"hexpireat", 1000, false});
}

void command_hpexpireat_run(struct command_context *context, const struct span *args, size_t argc)
{
    expire(context, args, argc, &(struct expire_variant){"hpexpireat", 1, false});
}

void command_hpersist_run(struct command_context *context, const struct span *args, size_t argc)
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
        if (!edit.value || !hash_find(edit.value, fields.at[i], context->now_ms, &entry)) {
            resp_integer(context->reply, NO_SUCH_FIELD);
        } else if (entry.deadline_ms == NO_DEADLINE) {
            resp_integer(context->reply, NEVER_EXPIRES);
        } else {
            hash_set_deadline(edit.value, fields.at[i], NO_DEADLINE, command_rules(context));
            changes++;
            resp_integer(context->reply, SET);
        }
    }
    if (edit.value)
        command_edit_end(context, &edit, changes);
}

/* Reading them. */

static void write_deadlines(struct command_context *context, const struct span *args, size_t argc,
                            int64_t base_ms, bool in_seconds)
{
    int64_t count;
    const void *hash;
    bool has_word = span_is(args[2], "fields");
    if (has_word && !command_parse_integer(context, args[3], &count))
        return;
    if (!has_word || count < 1 || (uint64_t)count != argc - 4) {
        resp_error(context->reply, ERROR_SYNTAX);
        return;
    }
    if (!command_read(context, args[1], VALUE_HASH, &hash))
        return;
    resp_array(context->reply, argc - 4);
    for (size_t i = 4; i < argc; i++) {
        struct hash_entry entry;
        if (!hash || !hash_find(hash, args[i], context->now_ms, &entry)) {
            resp_integer(context->reply, NO_SUCH_FIELD);
        } else if (entry.deadline_ms == NO_DEADLINE) {
            resp_integer(context->reply, NEVER_EXPIRES);
        } else {
            int64_t ms = entry.deadline_ms - base_ms;
            resp_integer(context->reply, in_seconds ? deadline_seconds(ms) : ms);
        }
    }
}

void command_httl_run(struct command_context *context, const struct span *args, size_t argc)
{
    write_deadlines(context, args, argc, context->now_ms, true);
}

void command_hpttl_run(struct command_context *context, const struct span *args, size_t argc)
{
    write_deadlines(context, args, argc, context->now_ms, false);
}

void command_hexpiretime_run(struct command_context *context, const struct span *args, size_t argc)
{
    write_deadlines(context, args, argc, 0, true);
}

void command_hpexpiretime_run(struct command_context *context, const struct span *args, size_t argc)
{
    write_deadlines(context, args, argc, 0, false);
}
