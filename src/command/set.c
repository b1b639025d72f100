/* Sets: members one by one, at random, and all of them. */
#include "keyspace/set.h"

#include "command/access.h"
#include "command/data.h"
#include "command/gather.h"
#include "command/sample.h"

void command_sadd_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct keyspace_edit edit;
    if (!command_edit_or_new(context, args[1], VALUE_SET, &edit))
        return;
    uint64_t added = 0;
    for (size_t i = 2; i < argc; i++)
        added += set_add(edit.value, args[i], command_rules(context));
    command_edit_end(context, &edit, added);
    resp_integer(context->reply, (int64_t)added);
}

void command_srem_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct keyspace_edit edit;
    if (!command_edit(context, args[1], VALUE_SET, &edit))
        return;
    uint64_t removed = 0;
    for (size_t i = 2; edit.value && i < argc; i++)
        removed += set_remove(edit.value, args[i]);
    if (edit.value)
        command_edit_end(context, &edit, removed);
    resp_integer(context->reply, (int64_t)removed);
}

static void move(struct command_context *context, struct keyspace_edit *from, struct span to,
                 struct span member)
{
    struct keyspace_edit edit;
    bool is_member = set_contains(from->value, member);
    bool may = is_member ? command_edit_or_new(context, to, VALUE_SET, &edit)
                         : command_edit(context, to, VALUE_SET, &edit);
    if (may && is_member) {
        set_remove(from->value, member);
        command_edit_end(context, &edit, set_add(edit.value, member, command_rules(context)));
    } else if (may && edit.value) {
        command_edit_end(context, &edit, 0);
    }
    command_edit_end(context, from, may && is_member);
    if (may)
        resp_integer(context->reply, is_member);
}

void command_smove_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    struct keyspace_edit from;
    if (!command_edit(context, args[1], VALUE_SET, &from))
        return;
    if (!from.value) {
        resp_integer(context->reply, 0);
    } else if (span_equal(args[1], args[2])) {
        resp_integer(context->reply, set_contains(from.value, args[3]));
        command_edit_end(context, &from, 0);
    } else {
        move(context, &from, args[2], args[3]);
    }
}

void command_scard_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    const void *set;
    if (command_read(context, args[1], VALUE_SET, &set))
        resp_integer(context->reply, set ? (int64_t)set_count(set) : 0);
}

void command_sismember_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    const void *set;
    if (command_read(context, args[1], VALUE_SET, &set))
        resp_integer(context->reply, set && set_contains(set, args[2]));
}

void command_smismember_run(struct command_context *context, const struct span *args, size_t argc)
{
    const void *set;
    if (!command_read(context, args[1], VALUE_SET, &set))
        return;
    resp_array(context->reply, argc - 2);
    for (size_t i = 2; i < argc; i++)
        resp_integer(context->reply, set && set_contains(set, args[i]));
}

static void write_members(struct command_context *context, const struct set *set)
{
    struct set_walk walk = set_walk(set);
    for (struct span member; set_walk_next(&walk, &member);)
        resp_bulk(context->reply, member);
}

void command_smembers_run(struct command_context *context, const struct span *args, size_t argc)
{
    (void)argc;
    const void *set;
    if (!command_read(context, args[1], VALUE_SET, &set))
        return;
    resp_set(context->reply, set ? set_count(set) : 0);
    if (set)
        write_members(context, set);
}

/* At random. */

static void write_at(struct command_context *context, const struct set *set, size_t position)
{
    char scratch[NUMBER_I64_CHARS];
    resp_bulk(context->reply, set_at(set, position, scratch));
}

/* Takes one member out after the other, so that the positions left are drawn each time. */
static void pop(struct command_context *context, struct set *set, size_t count)
{
    for (; count > 0; count--) {
        size_t position = prng_below(context->prng, set_count(set));
        write_at(context, set, position);
        set_remove_at(set, position);
    }
}

static void pop_all(struct command_context *context, struct span key, struct keyspace_edit *edit)
{
    size_t count = set_count(edit->value);
    resp_set(context->reply, count);
    write_members(context, edit->value);
    command_edit_end(context, edit, 0);
    keyspace_remove(context->keyspace, key, context->revision);
    context->dirty += count;
}

void command_spop_run(struct command_context *context, const struct span *args, size_t argc)
{
    size_t count = 1;
    struct keyspace_edit edit;
    if (argc > 3) {
        resp_error(context->reply, ERROR_SYNTAX);
        return;
    }
    if (argc == 3 && !command_parse_count(context, args[2], 0, NULL, &count))
        return;
    if (!command_edit(context, args[1], VALUE_SET, &edit))
        return;
    if (!edit.value) {
        if (argc == 3)
            resp_set(context->reply, 0);
        else
            resp_null(context->reply);
    } else if (count >= set_count(edit.value) && argc == 3) {
        pop_all(context, args[1], &edit);
    } else {
        if (argc == 3)
            resp_set(context->reply, count);
        pop(context, edit.value, count);
        command_edit_end(context, &edit, count);
    }
}

static size_t bytes_at(const void *index, size_t position)
{
    char scratch[NUMBER_I64_CHARS];
    return set_index_at(index, position, scratch).len + RESP_HEAD_BYTES;
}

static void write_sample(struct command_context *context, const struct set *set, int64_t count)
{
    size_t size = set ? set_count(set) : 0;
    struct set_index index = {0};
    if (set)
        index = set_index(set);
    if (sample_is_bearable(context, size, count, bytes_at, &index)) {
        struct sample sample;
        char scratch[NUMBER_I64_CHARS];
        sample_begin(&sample, context->prng, size, count);
        resp_array(context->reply, sample.left);
        context->work += sample.left * SAMPLE_WORK_PER_DRAW;
        for (size_t position; sample_next(&sample, &position);)
            resp_bulk(context->reply, set_index_at(&index, position, scratch));
        sample_end(&sample);
    }
    set_index_close(&index);
}

void command_srandmember_run(struct command_context *context, const struct span *args, size_t argc)
{
    int64_t count = 0;
    const void *set;
    if (argc > 3) {
        resp_error(context->reply, ERROR_SYNTAX);
        return;
    }
    if ((argc == 3 && !command_parse_negatable(context, args[2], &count)) ||
        !command_read(context, args[1], VALUE_SET, &set))
        return;
    if (argc == 3)
        write_sample(context, set, count);
    else if (set)
        write_at(context, set, prng_below(context->prng, set_count(set)));
    else
        resp_null(context->reply);
}

/* SSCAN. */

static void visit(void *context, struct span member)
{
    if (gather_wants(context, member))
        gather_add(context, member);
}

static uint64_t scan(const void *set, uint64_t cursor, struct gathering *gathering)
{
    return set_scan(set, cursor, (size_t)gathering->scan_count, visit, gathering);
}

void command_sscan_run(struct command_context *context, const struct span *args, size_t argc)
{
    gather_run_scan(context, args, argc, VALUE_SET, 0, scan);
}
