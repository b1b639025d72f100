/* The search of Wing and Gong (1993) with Lowe's memory of visited configurations ("Testing for
 * linearizability", 2017). A configuration is the set of operations that were linearized and the
 * value after them.
 *
 * Operations of unknown outcome are optional and never return; each doubles the configurations.
 * What keeps the search small, without losing a linearization:
 * - an operation without effect that fits is taken at once, and nothing else is tried there;
 * - optional ones are tried last, and only if they change the value;
 * - of equal optional ones the one that was called first is taken first;
 * - an optional one is not followed by one that overwrites its effect unseen: then it may as well
 * be left out;
 * - a key that is only appended to and read holds a prefix of the longest value that was read, and
 *   never outgrows what somebody has yet to see. */
#include "sim/linear.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/number.h"

enum {
    EXACT_BYTES = 24, /* enough for any 64-bit number */
    CONFIGURATIONS_MAX = 1 << 21,
    TABLE_BEGIN = 1 << 10,
    REPORT_LINES = 24,
};

static const uint32_t NONE = UINT32_MAX;

/* ---- values ---- */

/* Longer values are known by their beginning, length and hash. Bytes after the text are zero. */
struct value {
    uint64_t hash;
    uint32_t length;
    bool present;
    char text[EXACT_BYTES];
};

static const uint64_t FNV_BASIS = 0xcbf29ce484222325U;

static uint64_t fnv_add(uint64_t hash, char byte)
{
    return (hash ^ (unsigned char)byte) * 0x100000001b3U;
}

static struct value value_absent(void)
{
    return (struct value){.hash = FNV_BASIS};
}

static void value_append(struct value *value, struct span token)
{
    value->present = true;
    for (size_t i = 0; i < token.len; i++) {
        value->hash = fnv_add(value->hash, token.ptr[i]);
        if (value->length < EXACT_BYTES)
            value->text[value->length] = token.ptr[i];
        value->length++;
    }
}

static struct value value_of(struct span text)
{
    struct value value = value_absent();
    value_append(&value, text);
    return value;
}

static bool value_equal(const struct value *a, const struct value *b)
{
    return a->hash == b->hash && a->length == b->length && a->present == b->present &&
           memcmp(a->text, b->text, EXACT_BYTES) == 0;
}

static bool value_number(const struct value *value, int64_t *number)
{
    *number = 0;
    return !value->present || (value->length <= EXACT_BYTES &&
                               number_parse_i64(span_of(value->text, value->length), number));
}

/* ---- the history ---- */

enum outcome { OPEN, RETURNED, UNKNOWN, FAILED };

struct moment {
    uint64_t at_us;
    uint64_t sequence;
};

struct operation {
    uint32_t client;
    uint32_t key;
    enum linear_kind kind;
    enum outcome outcome;
    enum linear_reply reply;
    int64_t number;
    struct value value; /* of SET and CAS; of GET what was read */
    struct value expected;
    size_t token; /* of APPEND, in the history's bytes */
    size_t token_len;
    struct moment call;
    struct moment back;
};

struct linear_history {
    struct operation *operations;
    uint32_t count;
    uint32_t cap;
    uint64_t sequence;
    size_t limit;
    struct buf bytes; /* appended tokens and what was read: hashes do not tell prefixes */
};

struct linear_history *linear_new(void)
{
    struct linear_history *history = mem_zalloc(sizeof *history);
    history->limit = CONFIGURATIONS_MAX;
    buf_reserve(&history->bytes, 1); /* an empty token has an address, too */
    return history;
}

void linear_free(struct linear_history *history)
{
    if (!history)
        return;
    buf_close(&history->bytes);
    mem_free(history->operations);
    mem_free(history);
}

void linear_limit(struct linear_history *history, size_t configurations)
{
    history->limit = configurations;
}

uint32_t linear_count(const struct linear_history *history)
{
    return history->count;
}

static struct operation *operation_of(struct linear_history *history, uint32_t number)
{
    ASSERT(number < history->count);
    struct operation *operation = &history->operations[number];
    ASSERT(operation->outcome == OPEN);
    return operation;
}

static void keep_token(struct linear_history *history, struct operation *operation,
                       struct span token)
{
    operation->token = history->bytes.len;
    operation->token_len = token.len;
    buf_add_span(&history->bytes, token);
}

uint32_t linear_call(struct linear_history *history, const struct linear_request *request,
                     uint64_t at_us)
{
    if (history->count == history->cap) {
        history->cap = history->cap ? history->cap * 2 : 256;
        history->operations =
            mem_realloc(history->operations, history->cap * sizeof *history->operations);
    }
    struct operation *operation = &history->operations[history->count];
    *operation = (struct operation){.client = request->client,
                                    .key = request->key,
                                    .kind = request->kind,
                                    .value = value_of(request->value),
                                    .expected = request->expected.ptr ? value_of(request->expected)
                                                                      : value_absent(),
                                    .call = {at_us, history->sequence++}};
    if (request->kind == LINEAR_APPEND)
        keep_token(history, operation, request->value);
    return history->count++;
}

static const unsigned replies_of[] = {
    [LINEAR_GET] = 1U << LINEAR_TEXT | 1U << LINEAR_NIL | 1U << LINEAR_DONE,
    [LINEAR_SET] = 1U << LINEAR_DONE,
    [LINEAR_INCR] = 1U << LINEAR_NUMBER | 1U << LINEAR_REFUSED | 1U << LINEAR_DONE,
    [LINEAR_APPEND] = 1U << LINEAR_NUMBER | 1U << LINEAR_DONE,
    [LINEAR_DEL] = 1U << LINEAR_NUMBER | 1U << LINEAR_DONE,
    [LINEAR_CAS] = 1U << LINEAR_DONE | 1U << LINEAR_ABORTED,
};

void linear_return(struct linear_history *history, uint32_t number, struct linear_result result,
                   uint64_t at_us)
{
    struct operation *operation = operation_of(history, number);
    ASSERT(at_us >= operation->call.at_us);
    ASSERT(replies_of[operation->kind] & (1U << result.reply));
    operation->outcome = RETURNED;
    operation->reply = result.reply;
    operation->number = result.number;
    operation->back = (struct moment){at_us, history->sequence++};
    if (operation->kind != LINEAR_GET)
        return;
    operation->value = result.reply == LINEAR_TEXT ? value_of(result.text) : value_absent();
    if (result.reply == LINEAR_TEXT)
        keep_token(history, operation, result.text);
}

void linear_unknown(struct linear_history *history, uint32_t number)
{
    operation_of(history, number)->outcome = UNKNOWN;
}

void linear_failed(struct linear_history *history, uint32_t number)
{
    operation_of(history, number)->outcome = FAILED;
}

/* ---- the model: what one server would do ---- */

static bool never_has_effect(const struct operation *operation)
{
    return operation->kind == LINEAR_GET || operation->reply == LINEAR_ABORTED ||
           operation->reply == LINEAR_REFUSED ||
           (operation->kind == LINEAR_DEL && operation->reply == LINEAR_NUMBER &&
            operation->number == 0);
}

/* Nothing hangs on where it is put, or whether. */
static bool says_nothing(const struct operation *operation)
{
    if (operation->outcome == FAILED)
        return true;
    if (operation->outcome != RETURNED)
        return operation->kind == LINEAR_GET;
    return operation->reply == LINEAR_ABORTED ||
           (operation->kind == LINEAR_GET && operation->reply == LINEAR_DONE);
}

/* What an optional operation changed just now, and nothing has depended on yet. */
enum unseen { UNSEEN_NONE, UNSEEN_PRESENCE, UNSEEN_TEXT };

/* Neither its reply nor the value after it depends on that change. */
static bool overwrites(const struct operation *operation, enum unseen unseen)
{
    if (unseen == UNSEEN_NONE)
        return false;
    if (operation->kind == LINEAR_DEL)
        return operation->reply == LINEAR_DONE || unseen == UNSEEN_TEXT;
    return operation->kind == LINEAR_SET;
}

static bool apply_incr(const struct operation *operation, struct value *value)
{
    int64_t number;
    bool refused = !value_number(value, &number) || number == INT64_MAX;
    if (refused || operation->reply == LINEAR_REFUSED)
        return refused && operation->reply == LINEAR_REFUSED;
    number++;
    char text[NUMBER_I64_CHARS];
    *value = value_of(span_of(text, number_format_i64(text, number)));
    return operation->reply != LINEAR_NUMBER || operation->number == number;
}

/* Whether the reply is right for this value; the value becomes the one afterwards. */
static bool apply(const struct linear_history *history, const struct operation *operation,
                  struct value *value)
{
    bool was_present = value->present;
    switch (operation->kind) {
    case LINEAR_GET:
        return value_equal(value, &operation->value);
    case LINEAR_SET:
        *value = operation->value;
        return true;
    case LINEAR_INCR:
        return apply_incr(operation, value);
    case LINEAR_APPEND:
        value_append(value, span_of(history->bytes.ptr + operation->token, operation->token_len));
        return operation->reply != LINEAR_NUMBER || operation->number == value->length;
    case LINEAR_DEL:
        *value = value_absent();
        return operation->reply != LINEAR_NUMBER || operation->number == was_present;
    case LINEAR_CAS:
        if (!value_equal(value, &operation->expected))
            return false;
        *value = operation->value;
        return true;
    }
    return false;
}

/* ---- visited configurations ---- */

/* Only 128 bits of each configuration are kept. That two share them among the few millions of a
 * search has a probability below 10^-24. */
struct print {
    uint64_t a;
    uint64_t b;
};

struct visited {
    struct print *table;
    size_t cap; /* a power of two */
    size_t count;
    size_t limit;
};

enum visit { VISIT_NEW, VISIT_AGAIN, VISIT_FULL };

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15U;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
}

static struct print *visited_slot(const struct visited *visited, struct print print)
{
    size_t at = print.a & (visited->cap - 1);
    while ((visited->table[at].a || visited->table[at].b) &&
           (visited->table[at].a != print.a || visited->table[at].b != print.b))
        at = (at + 1) & (visited->cap - 1);
    return &visited->table[at];
}

static void visited_grow(struct visited *visited)
{
    struct visited old = *visited;
    visited->cap = old.cap ? old.cap * 2 : TABLE_BEGIN;
    visited->table = mem_zalloc(visited->cap * sizeof *visited->table);
    for (size_t i = 0; i < old.cap; i++)
        if (old.table[i].a || old.table[i].b)
            *visited_slot(visited, old.table[i]) = old.table[i];
    mem_free(old.table);
}

static enum visit visited_add(struct visited *visited, struct print print)
{
    if (visited->count * 2 >= visited->cap)
        visited_grow(visited);
    struct print *slot = visited_slot(visited, print);
    if (slot->a || slot->b)
        return VISIT_AGAIN;
    if (visited->count >= visited->limit)
        return VISIT_FULL;
    *slot = print;
    visited->count++;
    return VISIT_NEW;
}

/* ---- the search for one key ---- */

struct entry {
    const struct operation *operation;
    uint32_t call; /* its nodes; back is 0 if it never returned */
    uint32_t back;
    uint32_t equal; /* the optional one before it that is equal, or NONE */
    bool done;
};

/* Calls and returns in order of time: a node's index is its rank. Optional calls have their own
 * list. Nodes 0 and `optional` head the two circular lists. */
struct node {
    struct moment moment;
    uint32_t entry;
    bool is_return;
    uint32_t next;
    uint32_t prev;
};

struct configuration {
    struct value value;
    struct print set; /* of operations that were linearized */
    uint32_t bound;   /* the first return: what was called later has to wait for it */
    uint32_t cursor;  /* the node to try next */
    uint32_t taken;   /* the entry that led from here to the next configuration */
    enum unseen unseen;
    bool only; /* nothing but `taken` needs to be tried */
};

struct search {
    const struct linear_history *history;
    struct entry *entries;
    struct node *nodes;
    struct configuration *stack;
    uint32_t count; /* of entries */
    uint32_t depth;
    uint32_t optional;
    uint64_t steps;
    struct visited visited;
    /* Look-ahead for keys that are only appended to: hashes of the longest read value's prefixes;
     * for each node the longest value that fits all calls from there on. */
    uint64_t *prefixes;
    size_t prefixes_len;
    uint32_t *ceilings;
    /* The configuration that came farthest: by its first return, then by its operations. */
    uint32_t *best;
    uint32_t best_depth;
    uint32_t best_bound;
    uint32_t best_shared; /* so many of best are those of the stack */
};

static int compare_nodes(const void *left, const void *right)
{
    const struct moment *a = &((const struct node *)left)->moment;
    const struct moment *b = &((const struct node *)right)->moment;
    if (a->at_us != b->at_us)
        return a->at_us < b->at_us ? -1 : 1;
    return a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

static void unlink_node(struct search *search, uint32_t at)
{
    struct node *node = &search->nodes[at];
    search->nodes[node->prev].next = node->next;
    search->nodes[node->next].prev = node->prev;
}

static void relink_node(struct search *search, uint32_t at)
{
    struct node *node = &search->nodes[at];
    search->nodes[node->prev].next = at;
    search->nodes[node->next].prev = at;
}

static void append_node(struct search *search, uint32_t list, uint32_t at)
{
    struct node *node = &search->nodes[at];
    node->next = list;
    node->prev = search->nodes[list].prev;
    relink_node(search, at);
}

static void lift(struct search *search, struct entry *entry)
{
    entry->done = true;
    unlink_node(search, entry->call);
    if (entry->back)
        unlink_node(search, entry->back);
}

static void unlift(struct search *search, struct entry *entry)
{
    entry->done = false;
    if (entry->back)
        relink_node(search, entry->back);
    relink_node(search, entry->call);
}

static bool operations_equal(const struct operation *a, const struct operation *b)
{
    return a->kind == b->kind && value_equal(&a->value, &b->value) &&
           value_equal(&a->expected, &b->expected);
}

static uint32_t equal_before(const struct search *search, uint32_t at)
{
    const struct operation *operation = search->entries[search->nodes[at].entry].operation;
    for (uint32_t i = search->nodes[at].prev; i != search->optional; i = search->nodes[i].prev)
        if (operations_equal(search->entries[search->nodes[i].entry].operation, operation))
            return search->nodes[i].entry;
    return NONE;
}

static void build_lists(struct search *search, uint32_t nodes)
{
    qsort(search->nodes + 1, nodes, sizeof *search->nodes, compare_nodes);
    search->optional = nodes + 1;
    search->nodes[search->optional] =
        (struct node){.next = search->optional, .prev = search->optional};
    for (uint32_t i = 1; i <= nodes; i++) {
        struct entry *entry = &search->entries[search->nodes[i].entry];
        if (search->nodes[i].is_return)
            entry->back = i;
        else
            entry->call = i;
        bool returns = entry->operation->outcome == RETURNED;
        append_node(search, returns ? 0 : search->optional, i);
        if (!returns)
            entry->equal = equal_before(search, i);
    }
}

/* A key that is only appended to is not longer than this before the operation. */
static uint32_t ceiling_of(const struct operation *operation)
{
    if (operation->kind == LINEAR_GET)
        return operation->value.length;
    if (operation->reply != LINEAR_NUMBER)
        return UINT32_MAX;
    int64_t length = operation->number - (int64_t)operation->token_len;
    return length < 0 ? 0 : (uint32_t)length;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static void look_at_lengths(struct search *search)
{
    search->ceilings = mem_alloc((search->optional + 1) * sizeof *search->ceilings);
    search->ceilings[search->optional] = UINT32_MAX;
    for (uint32_t i = search->optional; i-- > 0;)
        search->ceilings[i] =
            search->nodes[i].is_return || i == 0
                ? search->ceilings[i + 1]
                : smaller(search->ceilings[i + 1],
                          ceiling_of(search->entries[search->nodes[i].entry].operation));
}

static void look_ahead(struct search *search)
{
    const struct operation *longest = NULL;
    for (uint32_t i = 0; i < search->count; i++) {
        const struct operation *operation = search->entries[i].operation;
        if (operation->kind != LINEAR_APPEND && operation->kind != LINEAR_GET)
            return;
        if (operation->kind == LINEAR_GET &&
            (!longest || operation->value.length > longest->value.length))
            longest = operation;
    }
    look_at_lengths(search);
    search->prefixes_len = longest ? longest->token_len : 0;
    search->prefixes = mem_alloc((search->prefixes_len + 1) * sizeof *search->prefixes);
    search->prefixes[0] = FNV_BASIS;
    for (size_t i = 0; i < search->prefixes_len; i++)
        search->prefixes[i + 1] =
            fnv_add(search->prefixes[i], search->history->bytes.ptr[longest->token + i]);
}

/* Whether those that are left could still fit, after `taken` made the value this one. */
static bool has_future(const struct search *search, const struct configuration *here,
                       uint32_t taken, const struct value *value)
{
    if (!search->prefixes)
        return true;
    if (value->length <= search->prefixes_len && search->prefixes[value->length] != value->hash)
        return false;
    if (value->length > search->ceilings[here->bound])
        return false;
    for (uint32_t at = search->nodes[0].next; at != here->bound; at = search->nodes[at].next)
        if (search->nodes[at].entry != taken &&
            value->length > ceiling_of(search->entries[search->nodes[at].entry].operation))
            return false;
    return true;
}

/* operations: the numbers of those of one key, in the order of their calls. */
static void search_open(struct search *search, const struct linear_history *history,
                        const uint32_t *operations, uint32_t count)
{
    *search = (struct search){.history = history, .visited.limit = history->limit};
    search->entries = mem_alloc((count + 1) * sizeof *search->entries);
    search->nodes = mem_zalloc((2 * (size_t)count + 2) * sizeof *search->nodes);
    search->stack = mem_alloc(((size_t)count + 1) * sizeof *search->stack);
    search->best = mem_alloc(((size_t)count + 1) * sizeof *search->best);
    uint32_t nodes = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct operation *operation = &history->operations[operations[i]];
        if (says_nothing(operation))
            continue;
        search->entries[search->count] = (struct entry){.operation = operation, .equal = NONE};
        search->nodes[++nodes] = (struct node){.moment = operation->call, .entry = search->count};
        if (operation->outcome == RETURNED)
            search->nodes[++nodes] =
                (struct node){.moment = operation->back, .entry = search->count, .is_return = true};
        search->count++;
    }
    build_lists(search, nodes);
}

static void search_close(struct search *search)
{
    mem_free(search->entries);
    mem_free(search->nodes);
    mem_free(search->stack);
    mem_free(search->best);
    mem_free(search->prefixes);
    mem_free(search->ceilings);
    mem_free(search->visited.table);
}

/* Finds the first return, and whether there is an operation to take without trying others: moving
 * one that has no effect forward to where it fits takes no place from any other. */
static void enter(struct search *search, struct configuration *here)
{
    here->only = false;
    here->cursor = search->nodes[0].next;
    uint32_t at = here->cursor;
    for (; at != 0 && !search->nodes[at].is_return; at = search->nodes[at].next) {
        const struct operation *operation = search->entries[search->nodes[at].entry].operation;
        struct value value = here->value;
        if (!here->only && never_has_effect(operation) &&
            apply(search->history, operation, &value)) {
            here->only = true;
            here->cursor = at;
        }
    }
    here->bound = at;
}

/* The next node to try after this one; NONE when all were. */
static uint32_t advance(const struct search *search, const struct configuration *here, uint32_t at)
{
    uint32_t next = search->nodes[at].next;
    if (next == here->bound)
        next = search->nodes[search->optional].next;
    return next == search->optional || next > here->bound ? NONE : next;
}

/* Whether an entry may be the next one; there is the configuration after it. */
static bool may_take(const struct search *search, const struct configuration *here, uint32_t number,
                     struct configuration *there)
{
    const struct entry *entry = &search->entries[number];
    const struct operation *operation = entry->operation;
    bool optional = entry->back == 0;
    if (optional && entry->equal != NONE && !search->entries[entry->equal].done)
        return false;
    if (overwrites(operation, here->unseen))
        return false;
    there->value = here->value;
    if (!apply(search->history, operation, &there->value) ||
        !has_future(search, here, number, &there->value))
        return false;
    if (optional && value_equal(&there->value, &here->value))
        return false;
    there->unseen = UNSEEN_NONE;
    if (optional)
        there->unseen = there->value.present && here->value.present ? UNSEEN_TEXT : UNSEEN_PRESENCE;
    there->set.a = here->set.a ^ mix(2 * (uint64_t)number);
    there->set.b = here->set.b ^ mix(2 * (uint64_t)number + 1);
    return true;
}

static struct print print_of(const struct configuration *configuration)
{
    uint64_t rest = (uint64_t)configuration->value.length * 8U + configuration->value.present * 4U +
                    configuration->unseen;
    return (struct print){configuration->set.a ^ mix(configuration->value.hash ^ mix(rest)),
                          configuration->set.b ^
                              mix(~configuration->value.hash + mix(rest + 0x5bd1e995U))};
}

static void note_dead_end(struct search *search, const struct configuration *here)
{
    if (here->bound < search->best_bound ||
        (here->bound == search->best_bound && search->depth <= search->best_depth))
        return;
    for (uint32_t i = search->best_shared; i < search->depth; i++)
        search->best[i] = search->stack[i].taken;
    search->best_bound = here->bound;
    search->best_depth = search->depth;
    search->best_shared = search->depth;
}

/* Back to the last configuration that has something left to try. */
static bool back_up(struct search *search)
{
    note_dead_end(search, &search->stack[search->depth]);
    while (search->depth > 0) {
        struct configuration *here = &search->stack[--search->depth];
        if (search->best_shared > search->depth)
            search->best_shared = search->depth;
        struct entry *entry = &search->entries[here->taken];
        unlift(search, entry);
        here->cursor = here->only ? NONE : advance(search, here, entry->call);
        if (here->cursor != NONE)
            return true;
    }
    return false;
}

/* An only child is not remembered: whoever comes back to its parent is turned away there. */
static enum visit visit(struct search *search, const struct configuration *here,
                        const struct configuration *there)
{
    return here->only ? VISIT_NEW : visited_add(&search->visited, print_of(there));
}

static enum linear_verdict search_run(struct search *search)
{
    struct configuration *here = &search->stack[0];
    *here = (struct configuration){.value = value_absent()};
    enter(search, here);
    while (search->nodes[0].next != 0) {
        here = &search->stack[search->depth];
        struct configuration *there = here + 1;
        uint32_t at = here->cursor;
        search->steps++;
        enum visit seen = VISIT_AGAIN;
        if (!search->nodes[at].is_return && may_take(search, here, search->nodes[at].entry, there))
            seen = visit(search, here, there);
        if (seen == VISIT_FULL)
            return LINEAR_GAVE_UP;
        if (seen == VISIT_NEW) {
            here->taken = search->nodes[at].entry;
            lift(search, &search->entries[here->taken]);
            search->depth++;
            enter(search, there);
            continue;
        }
        here->cursor = here->only ? NONE : advance(search, here, at);
        if (here->cursor == NONE && !back_up(search))
            return LINEAR_VIOLATED;
    }
    return LINEAR_OK;
}

/* ---- the report ---- */

static void print_value(struct buf *out, const struct value *value)
{
    if (!value->present) {
        buf_add_text(out, "nil");
        return;
    }
    uint32_t shown = value->length < EXACT_BYTES ? value->length : EXACT_BYTES;
    buf_add_char(out, '"');
    for (uint32_t i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)value->text[i];
        if (c >= ' ' && c < 127 && c != '"' && c != '\\')
            buf_add_char(out, value->text[i]);
        else
            buf_printf(out, "\\x%02x", c);
    }
    buf_add_char(out, '"');
    if (shown < value->length)
        buf_printf(out, "... (%" PRIu32 " bytes, hash %016" PRIx64 ")", value->length, value->hash);
}

static void print_call(struct buf *out, const struct operation *operation)
{
    static const char *const names[] = {
        [LINEAR_GET] = "GET",       [LINEAR_SET] = "SET", [LINEAR_INCR] = "INCR",
        [LINEAR_APPEND] = "APPEND", [LINEAR_DEL] = "DEL", [LINEAR_CAS] = "CAS"};
    buf_printf(out, "%s %" PRIu32, names[operation->kind], operation->key);
    if (operation->kind == LINEAR_CAS) {
        buf_add_text(out, " from ");
        print_value(out, &operation->expected);
        buf_add_text(out, " to");
    }
    if (operation->kind == LINEAR_GET || operation->kind == LINEAR_INCR ||
        operation->kind == LINEAR_DEL)
        return;
    buf_add_char(out, ' ');
    print_value(out, &operation->value);
}

static void print_outcome(struct buf *out, const struct operation *operation)
{
    if (operation->outcome != RETURNED) {
        buf_add_text(out, " = unknown");
        return;
    }
    switch (operation->reply) {
    case LINEAR_DONE:
        buf_add_text(out, " = done");
        return;
    case LINEAR_NUMBER:
        buf_printf(out, " = %" PRId64, operation->number);
        return;
    case LINEAR_TEXT:
    case LINEAR_NIL:
        buf_add_text(out, " = ");
        print_value(out, &operation->value);
        return;
    case LINEAR_ABORTED:
        buf_add_text(out, " = aborted");
        return;
    case LINEAR_REFUSED:
        buf_add_text(out, " = refused");
        return;
    }
}

static void print_entry(struct buf *out, const struct search *search, uint32_t number,
                        const struct value *after)
{
    const struct operation *operation = search->entries[number].operation;
    buf_printf(out, "  #%" PRIu32 " %" PRIu64 "..",
               (uint32_t)(operation - search->history->operations), operation->call.at_us);
    if (operation->outcome == RETURNED)
        buf_printf(out, "%" PRIu64, operation->back.at_us);
    buf_printf(out, " client %" PRIu32 ": ", operation->client);
    print_call(out, operation);
    print_outcome(out, operation);
    if (after) {
        buf_add_text(out, "; then ");
        print_value(out, after);
    }
    buf_add_char(out, '\n');
}

/* What was called before the return that could not be reached, and has no place yet. */
static void print_pending(struct buf *out, struct search *search, uint32_t unfit)
{
    for (uint32_t i = 0; i < search->count; i++)
        search->entries[i].done = false;
    for (uint32_t i = 0; i < search->best_depth; i++)
        search->entries[search->best[i]].done = true;
    buf_add_text(out, "called before it returned, and without a place:\n");
    int lines = 0;
    for (uint32_t i = 0; i < search->count && lines < REPORT_LINES; i++) {
        const struct entry *entry = &search->entries[i];
        if (entry->done || i == unfit || entry->call > search->best_bound)
            continue;
        print_entry(out, search, i, NULL);
        lines++;
    }
}

static void report_violation(struct linear_report *report, struct search *search)
{
    uint32_t unfit = search->nodes[search->best_bound].entry;
    while (search->best_depth > 0 && !search->entries[search->best[search->best_depth - 1]].back)
        search->best_depth--; /* optional ones that led nowhere */
    const struct operation *operation = search->entries[unfit].operation;
    report->key = operation->key;
    report->operation = (uint32_t)(operation - search->history->operations);
    report->linearized = search->best_depth;
    struct buf *out = &report->text;
    buf_printf(out, "key %" PRIu32 " is not linearizable; %" PRIu32 " operations are, the last:\n",
               report->key, report->linearized);
    struct value value = value_absent();
    for (uint32_t i = 0; i < search->best_depth; i++) {
        uint32_t number = search->best[i];
        ASSERT(apply(search->history, search->entries[number].operation, &value));
        if (search->best_depth - i <= REPORT_LINES)
            print_entry(out, search, number, &value);
    }
    buf_add_text(out, report->early ? "this one does not fit, or one before it:\n"
                                    : "this one does not fit:\n");
    print_entry(out, search, unfit, NULL);
    print_pending(out, search, unfit);
}

/* Look-ahead finds out soonest that there is no linearization, but not where it goes wrong: that is
 * searched for without, if it can be found so. */
static void explain(struct linear_report *report, struct search *search, const uint32_t *operations,
                    uint32_t count)
{
    if (search->prefixes) {
        struct search plain;
        search_open(&plain, search->history, operations, count);
        report->early = search_run(&plain) != LINEAR_VIOLATED;
        if (!report->early)
            report_violation(report, &plain);
        search_close(&plain);
    }
    if (!search->prefixes || report->early)
        report_violation(report, search);
}

/* ---- all keys ---- */

static enum linear_verdict check_key(const struct linear_history *history,
                                     const uint32_t *operations, uint32_t count,
                                     struct linear_report *report, bool explained)
{
    struct search search;
    search_open(&search, history, operations, count);
    look_ahead(&search);
    enum linear_verdict verdict = search_run(&search);
    report->keys++;
    report->configurations += search.steps;
    if (verdict == LINEAR_GAVE_UP)
        report->gave_up++;
    if (verdict == LINEAR_VIOLATED && !explained)
        explain(report, &search, operations, count);
    search_close(&search);
    return verdict;
}

static int compare_u64(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

enum linear_verdict linear_check(const struct linear_history *history, struct linear_report *report)
{
    *report = (struct linear_report){0};
    uint64_t *by_key = mem_alloc(((size_t)history->count + 1) * sizeof *by_key);
    uint32_t *operations = mem_alloc(((size_t)history->count + 1) * sizeof *operations);
    for (uint32_t i = 0; i < history->count; i++)
        by_key[i] = (uint64_t)history->operations[i].key << 32 | i;
    if (history->count > 0)
        qsort(by_key, history->count, sizeof *by_key, compare_u64);
    enum linear_verdict verdict = LINEAR_OK;
    uint32_t count = 0;
    for (uint32_t i = 0; i < history->count; i++) {
        operations[count++] = (uint32_t)by_key[i];
        if (i + 1 < history->count && by_key[i] >> 32 == by_key[i + 1] >> 32)
            continue;
        enum linear_verdict of_key =
            check_key(history, operations, count, report, verdict == LINEAR_VIOLATED);
        if (of_key == LINEAR_VIOLATED || verdict == LINEAR_OK)
            verdict = of_key;
        count = 0;
    }
    mem_free(operations);
    mem_free(by_key);
    return verdict;
}

void linear_report_close(struct linear_report *report)
{
    buf_close(&report->text);
    *report = (struct linear_report){0};
}
