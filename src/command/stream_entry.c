/* Streams' entries: adding, trimming, deleting, reading ranges. */
#include "base/number.h"
#include "command/data.h"
#include "command/stock.h"
#include "command/stream_access.h"

/* Options that XADD and XTRIM share, in any order before the ID. */
struct add_options {
    struct stream_trim trim;
    int64_t limit;
    bool has_limit;
    bool no_new_key;
    size_t id_at; /* of XADD; the position behind the options */
};

/* Reads "MAXLEN [=|~] n" or "MINID [=|~] id" from args[*at] on, and leaves *at on its end. */
static bool parse_strategy(struct command_context *context, const struct span *args, size_t argc,
                           size_t *at, struct stream_trim *trim)
{
    bool by_length = span_is(args[*at], "maxlen");
    if (trim->by != STREAM_TRIM_NOTHING)
        return command_refuse(context,
                              "ERR syntax error, MAXLEN and MINID options at the same time are "
                              "not compatible");
    bool is_about = span_equal(args[*at + 1], SPAN("~"));
    bool has_mark = *at + 2 < argc && (is_about || span_equal(args[*at + 1], SPAN("=")));
    trim->is_about = has_mark && is_about;
    *at += has_mark ? 2 : 1;
    if (!by_length) {
        trim->by = STREAM_TRIM_FIRST;
        return command_stream_parse_id(context, args[*at], &trim->first_id);
    }
    int64_t length;
    if (!command_parse_integer(context, args[*at], &length))
        return false;
    if (length < 0)
        return command_refuse(context, "ERR The MAXLEN argument must be >= 0.");
    trim->by = STREAM_TRIM_LENGTH;
    trim->length = (uint64_t)length;
    return true;
}

/* Looks at args[*at]. `is_xadd`: an argument that is no option is the ID, which ends the options.
 */
static bool parse_option(struct command_context *context, const struct span *args, size_t argc,
                         size_t *at, struct add_options *options)
{
    bool has_more = *at + 1 < argc;
    if (has_more && (span_is(args[*at], "maxlen") || span_is(args[*at], "minid")))
        return parse_strategy(context, args, argc, at, &options->trim);
    if (!has_more || !span_is(args[*at], "limit"))
        return false;
    ++*at;
    if (!command_parse_integer(context, args[*at], &options->limit))
        return false;
    options->has_limit = true;
    return options->limit >= 0 || command_refuse(context, "ERR The LIMIT argument must be >= 0.");
}

static bool is_option(const struct span *args, size_t argc, size_t at)
{
    return at + 1 < argc && (span_is(args[at], "maxlen") || span_is(args[at], "minid") ||
                             span_is(args[at], "limit"));
}

/* What a trim may remove at most without LIMIT. */
enum { LIMIT_OF_ABOUT = 100 * STREAM_TRIM_STEP };

static bool check_options(struct command_context *context, struct add_options *options)
{
    struct stream_trim *trim = &options->trim;
    if (options->limit && trim->by == STREAM_TRIM_NOTHING)
        return command_refuse(context,
                              "ERR syntax error, LIMIT cannot be used without specifying a "
                              "trimming strategy");
    if (options->has_limit && !trim->is_about)
        return command_refuse(
            context, "ERR syntax error, LIMIT cannot be used without the special ~ option");
    if (trim->is_about)
        trim->limit = options->has_limit ? (uint64_t)options->limit : LIMIT_OF_ABOUT;
    return true;
}

/* Adding. */

/* How XADD names the new entry. */
struct new_id {
    enum { ID_AUTO, ID_AUTO_SEQ, ID_GIVEN } form;
    struct stream_id id;
};

static bool parse_new_id(struct command_context *context, struct span text, struct new_id *new_id)
{
    *new_id = (struct new_id){.form = ID_AUTO};
    if (span_equal(text, SPAN("*")))
        return true;
    new_id->form = ID_AUTO_SEQ;
    if (stream_id_parse_auto_seq(text, &new_id->id.ms))
        return true;
    new_id->form = ID_GIVEN;
    return command_stream_parse_id(context, text, &new_id->id);
}

static bool parse_xadd(struct command_context *context, const struct span *args, size_t argc,
                       struct add_options *options, struct new_id *new_id)
{
    size_t at = 2;
    for (; at < argc; at++) {
        if (span_is(args[at], "nomkstream"))
            options->no_new_key = true;
        else if (!is_option(args, argc, at))
            break;
        else if (!parse_option(context, args, argc, &at, options))
            return false;
    }
    if (at < argc && !parse_new_id(context, args[at], new_id))
        return false;
    if (!check_options(context, options))
        return false;
    options->id_at = at;
    if (argc < at + 3 || (argc - at - 1) % 2 != 0)
        return command_refuse(context, "ERR wrong number of arguments for 'xadd' command");
    if (new_id->form == ID_GIVEN && stream_id_is_zero(new_id->id))
        return command_refuse(context, "ERR The ID specified in XADD must be greater than 0-0");
    return true;
}

/* Whether the entry can be added; sets its ID. */
static bool can_append(struct command_context *context, const struct stream *stream,
                       const struct stream_fields *fields, struct new_id *new_id)
{
    if (stream_id_compare(stream->last_id, STREAM_ID_MAX) == 0)
        return command_refuse(context,
                              "ERR The stream has exhausted the last possible ID, unable to add "
                              "more items");
    bool fits = true;
    if (new_id->form == ID_AUTO)
        fits = stream_next_id(stream, context->now_ms, &new_id->id);
    else if (new_id->form == ID_AUTO_SEQ)
        fits = stream_next_id_at(stream, new_id->id.ms, &new_id->id);
    if (!fits || stream_id_compare(new_id->id, stream->last_id) <= 0)
        return command_refuse(context,
                              "ERR The ID specified in XADD is equal or smaller than the target "
                              "stream top item");
    return stream_fields_fit(fields) ||
           command_refuse(context, "ERR Elements are too large to be stored");
}

void command_xadd_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct add_options options = {0};
    struct new_id new_id = {0};
    struct keyspace_edit edit;
    if (!parse_xadd(context, args, argc, &options, &new_id))
        return;
    bool is_stream = options.no_new_key
                         ? command_edit(context, args[1], VALUE_STREAM, &edit)
                         : command_edit_or_new(context, args[1], VALUE_STREAM, &edit);
    if (!is_stream)
        return;
    if (!edit.value) {
        resp_null(context->reply);
        return;
    }
    size_t first = options.id_at + 1;
    struct stream_fields fields = {args + first, (argc - first) / 2};
    bool added = can_append(context, edit.value, &fields, &new_id);
    if (added) {
        stream_append(edit.value, new_id.id, &fields, command_rules(context));
        stream_trim(edit.value, &options.trim);
        command_stream_write_id(context->reply, new_id.id);
    }
    command_edit_end(context, &edit, added);
}

/* Redis would take the time at which it loads the log. If an ID given before lies beyond the
 * entry's time, it refuses this entry. */
void command_xadd_stock(const struct span *args, size_t argc, int64_t now_ms,
                        struct command_stand_in *out)
{
    struct resp_writer nobody = {.out = NULL};
    struct command_context quiet = {.reply = &nobody};
    struct add_options options = {0};
    struct new_id new_id = {0};
    if (!parse_xadd(&quiet, args, argc, &options, &new_id) || new_id.form != ID_AUTO)
        return;
    out->place = STAND_IN_BEHIND;
    stand_in_add_all(out, args, argc);
    size_t len = number_format_i64(out->text, now_ms);
    memcpy(out->text + len, "-*", 2);
    out->args[options.id_at] = span_of(out->text, len + 2);
}

/* Removing. */

void command_xtrim_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct add_options options = {0};
    struct keyspace_edit edit;
    for (size_t at = 2; at < argc; at++) {
        if (!is_option(args, argc, at)) {
            resp_error(context->reply, ERROR_SYNTAX);
            return;
        }
        if (!parse_option(context, args, argc, &at, &options))
            return;
    }
    if (options.trim.by == STREAM_TRIM_NOTHING && !options.limit) {
        resp_error(context->reply,
                   "ERR syntax error, XTRIM must be called with a trimming strategy");
        return;
    }
    if (!check_options(context, &options) || !command_edit(context, args[1], VALUE_STREAM, &edit))
        return;
    size_t count = 0;
    if (edit.value) {
        count = stream_trim(edit.value, &options.trim);
        command_edit_end(context, &edit, count);
    }
    resp_integer(context->reply, (int64_t)count);
}

void command_xdel_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct keyspace_edit edit;
    struct stream_id id;
    if (!command_edit(context, args[1], VALUE_STREAM, &edit))
        return;
    if (!edit.value) {
        resp_integer(context->reply, 0);
        return;
    }
    uint64_t count = 0;
    bool are_valid = true;
    for (size_t i = 2; i < argc && are_valid; i++)
        are_valid = command_stream_parse_id(context, args[i], &id);
    for (size_t i = 2; i < argc && are_valid; i++) {
        stream_id_parse(args[i], 0, &id);
        count += stream_delete(edit.value, id);
    }
    if (are_valid)
        resp_integer(context->reply, (int64_t)count);
    command_edit_end(context, &edit, count);
}

/* Numbers of the stream. */

void command_xlen_run(struct command_context *context, const struct span *args, size_t argc)
{
    const void *stream;
    (void)argc;
    if (command_read(context, args[1], VALUE_STREAM, &stream))
        resp_integer(context->reply, stream ? (int64_t)stream_length(stream) : 0);
}

struct setid_options {
    struct stream_id last_id;
    struct stream_id max_deleted_id; /* 0-0: not given */
    int64_t entries_added;           /* -1: not given */
};

static bool parse_setid(struct command_context *context, const struct span *args, size_t argc,
                        struct setid_options *options)
{
    *options = (struct setid_options){.entries_added = -1};
    if (!command_stream_parse_id(context, args[2], &options->last_id))
        return false;
    for (size_t i = 3; i < argc; i += 2) {
        bool has_more = i + 1 < argc;
        if (has_more && span_is(args[i], "entriesadded")) {
            if (!command_parse_integer(context, args[i + 1], &options->entries_added))
                return false;
            if (options->entries_added < 0)
                return command_refuse(context, "ERR entries_added must be positive");
        } else if (has_more && span_is(args[i], "maxdeletedid")) {
            if (!command_stream_parse_id(context, args[i + 1], &options->max_deleted_id))
                return false;
            if (stream_id_compare(options->last_id, options->max_deleted_id) < 0)
                return command_refuse(context, "ERR The ID specified in XSETID is smaller than the "
                                               "provided max_deleted_entry_id");
        } else {
            return command_refuse(context, ERROR_SYNTAX);
        }
    }
    return true;
}

static bool can_set_id(struct command_context *context, const struct stream *stream,
                       const struct setid_options *options)
{
    if (stream_id_compare(options->last_id, stream->max_deleted_id) < 0)
        return command_refuse(context, "ERR The ID specified in XSETID is smaller than current "
                                       "max_deleted_entry_id");
    struct stream_entry last;
    if (!stream_last(stream, &last))
        return true;
    if (stream_id_compare(options->last_id, last.id) < 0)
        return command_refuse(context,
                              "ERR The ID specified in XSETID is smaller than the target stream "
                              "top item");
    if (options->entries_added != -1 && stream_length(stream) > (uint64_t)options->entries_added)
        return command_refuse(context,
                              "ERR The entries_added specified in XSETID is smaller than the "
                              "target stream length");
    return true;
}

void command_xsetid_run(struct command_context *context, const struct span *args, size_t argc)
{
    struct setid_options options;
    struct keyspace_edit edit;
    if (!parse_setid(context, args, argc, &options) ||
        !command_edit(context, args[1], VALUE_STREAM, &edit))
        return;
    struct stream *stream = edit.value;
    if (!stream) {
        resp_error(context->reply, ERROR_NO_KEY);
        return;
    }
    bool set = can_set_id(context, stream, &options);
    if (set) {
        uint64_t added =
            options.entries_added == -1 ? stream->entries_added : (uint64_t)options.entries_added;
        bool has_deleted = !stream_id_is_zero(options.max_deleted_id);
        stream_set_last_id(stream, options.last_id);
        stream_set_counters(stream, added,
                            has_deleted ? options.max_deleted_id : stream->max_deleted_id);
        resp_status(context->reply, "OK");
    }
    command_edit_end(context, &edit, set);
}

/* Ranges. */

static void run_range(struct command_context *context, const struct span *args, size_t argc,
                      bool is_backwards)
{
    struct stream_range range = {.count = UINT64_MAX, .is_backwards = is_backwards};
    const void *stream;
    int64_t count = -1;
    if (!command_stream_parse_start(context, args[is_backwards ? 3 : 2], &range.from) ||
        !command_stream_parse_end(context, args[is_backwards ? 2 : 3], &range.to))
        return;
    for (size_t i = 4; i < argc; i += 2) {
        if (i + 1 == argc || !span_is(args[i], "count")) {
            resp_error(context->reply, ERROR_SYNTAX);
            return;
        }
        if (!command_parse_integer(context, args[i + 1], &count))
            return;
        if (count < 0)
            count = 0;
    }
    if (!command_read(context, args[1], VALUE_STREAM, &stream))
        return;
    if (count > 0)
        range.count = (uint64_t)count;
    if (!stream)
        resp_array(context->reply, 0);
    else if (count == 0)
        resp_null_array(context->reply);
    else
        command_stream_write_range(context->reply, stream, &range);
}

void command_xrange_run(struct command_context *context, const struct span *args, size_t argc)
{
    run_range(context, args, argc, false);
}

void command_xrevrange_run(struct command_context *context, const struct span *args, size_t argc)
{
    run_range(context, args, argc, true);
}
