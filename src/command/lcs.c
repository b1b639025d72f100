/* The longest common subsequence of two strings.
 *
 * lengths[i][j] is the length for the first i bytes of one string and the first j bytes of the
 * other. There may be several longest subsequences. The result is the one that Redis gives: walk
 * through the table from the end, and on a tie leave out a byte of the second string. */
#include "base/mem.h"
#include "base/number.h"
#include "command/access.h"
#include "command/data.h"

/* The work is the product of the lengths, and it blocks the event loop: two strings of 5,700 bytes
 * take about 50 ms. */
enum { LCS_CELLS_MAX = 32 * 1024 * 1024, WORK_PER_CELL = 1, WORD_BITS = 64 };

struct lcs_options {
    bool len;
    bool idx;
    bool with_match_len;
    int64_t match_len_min;
};

struct lcs {
    struct span a;
    struct span b;
    uint32_t *row; /* lengths of the last row */
    uint64_t *up;  /* a bit for each cell: the length above is greater than that on the left */
    size_t words;  /* of `up`, in one row */
};

/* A sequence of bytes that both strings contain: [a_from, a_from + len) and [b_from, b_from +
 * len). */
struct lcs_match {
    size_t a_from;
    size_t b_from;
    size_t len;
};

static bool parse_options(struct command_context *context, const struct span *args, size_t argc,
                          struct lcs_options *options)
{
    *options = (struct lcs_options){0};
    for (size_t i = 3; i < argc; i++) {
        if (span_is(args[i], "idx")) {
            options->idx = true;
        } else if (span_is(args[i], "len")) {
            options->len = true;
        } else if (span_is(args[i], "withmatchlen")) {
            options->with_match_len = true;
        } else if (span_is(args[i], "minmatchlen") && i + 1 < argc) {
            if (!command_parse_integer(context, args[++i], &options->match_len_min))
                return false;
        } else {
            resp_error(context->reply, ERROR_SYNTAX);
            return false;
        }
    }
    if (options->len && options->idx) {
        resp_error(context->reply,
                   "ERR If you want both the length and indexes, please just use IDX.");
        return false;
    }
    return true;
}

static void note_up(const struct lcs *lcs, size_t i, size_t j, uint64_t bits)
{
    lcs->up[(i - 1) * lcs->words + (j - 1) / WORD_BITS] = bits;
}

static bool is_up(const struct lcs *lcs, size_t i, size_t j)
{
    return lcs->up[(i - 1) * lcs->words + (j - 1) / WORD_BITS] >> (j - 1) % WORD_BITS & 1;
}

/* Keeps one row of lengths, and of each cell the bit that the way back needs. No branch depends on
 * the bytes: it could not be predicted. */
static void fill(const struct lcs *lcs)
{
    for (size_t i = 1; i <= lcs->a.len; i++) {
        char c = lcs->a.ptr[i - 1];
        uint32_t diagonal = 0;
        uint32_t left = 0;
        uint64_t bits = 0;
        for (size_t j = 1; j <= lcs->b.len; j++) {
            uint32_t above = lcs->row[j];
            bool up = above > left;
            bits |= (uint64_t)up << (j - 1) % WORD_BITS;
            if (j % WORD_BITS == 0 || j == lcs->b.len) {
                note_up(lcs, i, j, bits);
                bits = 0;
            }
            left = up ? above : left;
            left = c == lcs->b.ptr[j - 1] ? diagonal + 1 : left;
            lcs->row[j] = left;
            diagonal = above;
        }
    }
}

/* Finds the next match on the way back from (*i, *j); false if there is none. */
static bool next_match(const struct lcs *lcs, size_t *i, size_t *j, struct lcs_match *match)
{
    while (*i > 0 && *j > 0 && lcs->a.ptr[*i - 1] != lcs->b.ptr[*j - 1]) {
        if (is_up(lcs, *i, *j))
            --*i;
        else
            --*j;
    }
    size_t end = *i;
    while (*i > 0 && *j > 0 && lcs->a.ptr[*i - 1] == lcs->b.ptr[*j - 1]) {
        --*i;
        --*j;
    }
    *match = (struct lcs_match){*i, *j, end - *i};
    return match->len > 0;
}

static void write_range(struct resp_writer *reply, size_t from, size_t len)
{
    resp_array(reply, 2);
    resp_integer(reply, (int64_t)from);
    resp_integer(reply, (int64_t)(from + len - 1));
}

static void write_matches(struct command_context *context, const struct lcs *lcs,
                          const struct lcs_options *options)
{
    struct buf body = {0};
    struct resp_writer writer = {.out = &body, .protocol = context->reply->protocol};
    size_t count = 0;
    size_t i = lcs->a.len;
    size_t j = lcs->b.len;
    struct lcs_match match;
    while (next_match(lcs, &i, &j, &match)) {
        if (options->match_len_min > 0 && (uint64_t)options->match_len_min > match.len)
            continue;
        count++;
        resp_array(&writer, options->with_match_len ? 3 : 2);
        write_range(&writer, match.a_from, match.len);
        write_range(&writer, match.b_from, match.len);
        if (options->with_match_len)
            resp_integer(&writer, (int64_t)match.len);
    }
    resp_map(context->reply, 2);
    resp_bulk_text(context->reply, "matches");
    resp_array(context->reply, count);
    resp_raw(context->reply, buf_span(&body));
    resp_bulk_text(context->reply, "len");
    resp_integer(context->reply, lcs->row[lcs->b.len]);
    buf_close(&body);
}

static void write_subsequence(struct command_context *context, const struct lcs *lcs)
{
    size_t len = lcs->row[lcs->b.len];
    char *text = mem_alloc(len);
    size_t left = len;
    size_t i = lcs->a.len;
    size_t j = lcs->b.len;
    struct lcs_match match;
    while (next_match(lcs, &i, &j, &match)) {
        left -= match.len;
        memcpy(text + left, lcs->a.ptr + match.a_from, match.len);
    }
    resp_bulk(context->reply, span_of(text, len));
    mem_free(text);
}

size_t command_lcs_work(const struct keyspace *keyspace, const struct span *args, size_t argc)
{
    size_t work = argc < 3 ? 0 : 1;
    for (size_t i = 1; i < 3 && work; i++) {
        const struct item *item = keyspace_find(keyspace, args[i], NO_DEADLINE);
        size_t len = item ? item_string_len(item) : 0;
        work = len <= LCS_CELLS_MAX ? work * len : 0; /* else it is refused */
    }
    return work <= LCS_CELLS_MAX ? work : 0;
}

void command_lcs_run(struct command_context *context, const struct span *args, size_t argc)
{
    const struct item *a = command_read_item(context, args[1]);
    const struct item *b = command_read_item(context, args[2]);
    struct lcs_options options;
    if ((a && item_type(a) != VALUE_STRING) || (b && item_type(b) != VALUE_STRING)) {
        resp_error(context->reply, "ERR The specified keys must contain string values");
        return;
    }
    if (!parse_options(context, args, argc, &options))
        return;
    char scratch_a[NUMBER_I64_CHARS];
    char scratch_b[NUMBER_I64_CHARS];
    struct lcs lcs = {
        .a = a ? item_string(a, scratch_a) : SPAN(""),
        .b = b ? item_string(b, scratch_b) : SPAN(""),
    };
    size_t cells = (lcs.a.len + 1) * (lcs.b.len + 1); /* at most 2^60 */
    if (cells > LCS_CELLS_MAX) {
        resp_error(context->reply, "ERR Insufficient memory, transient memory for LCS exceeds "
                                   "its limit: the product of the lengths is over 32 million");
        return;
    }
    context->work += cells * WORK_PER_CELL;
    lcs.words = lcs.b.len / WORD_BITS + 1;
    lcs.row = mem_zalloc((lcs.b.len + 1) * sizeof *lcs.row);
    lcs.up = mem_alloc((lcs.a.len + 1) * lcs.words * sizeof *lcs.up);
    fill(&lcs);
    if (options.idx)
        write_matches(context, &lcs, &options);
    else if (options.len)
        resp_integer(context->reply, lcs.row[lcs.b.len]);
    else
        write_subsequence(context, &lcs);
    mem_free(lcs.row);
    mem_free(lcs.up);
}
