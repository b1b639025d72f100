/* The search of Wing and Gong (1993) with Lowe's memory of visited configurations ("Testing for
 * linearizability", 2017). A configuration is the set of operations that were linearized and the
 * value after them.
 *
 * Operations of unknown outcome are optional and never return; each doubles the configurations.
 * What keeps the search small, without losing a linearization:
 * - an operation without effect that fits is taken at once, and nothing else is tried there;
 * - optional ones are tried last, and only if they change the value;
 * - of equal optional ones the one that was called first is taken first;
 * - an optional one is not followed by one that linear_model_overwrites its effect unseen: then it
 * may as well be left out;
 * - a key that is only appended to and read holds a prefix of the longest value that was read, and
 *   never outgrows what somebody has yet to see. */
#include "sim/linear_search.h"

#include <stdlib.h>

#include "base/mem.h"

enum { TABLE_BEGIN = 1 << 10 };

/* ---- visited configurations ---- */

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

/* ---- the search ---- */

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
    return a->kind == b->kind && linear_value_equal(&a->value, &b->value) &&
           linear_value_equal(&a->expected, &b->expected);
}

static uint32_t equal_before(const struct search *search, uint32_t at)
{
    const struct operation *operation = search->entries[search->nodes[at].entry].operation;
    for (uint32_t i = search->nodes[at].prev; i != search->optional; i = search->nodes[i].prev)
        if (operations_equal(search->entries[search->nodes[i].entry].operation, operation))
            return search->nodes[i].entry;
    return LINEAR_NONE;
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

void linear_search_look_ahead(struct search *search)
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
    search->prefixes[0] = LINEAR_HASH_BEGIN;
    for (size_t i = 0; i < search->prefixes_len; i++)
        search->prefixes[i + 1] =
            linear_hash_add(search->prefixes[i], search->history->bytes.ptr[longest->token + i]);
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

void linear_search_open(struct search *search, const struct linear_history *history,
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
        if (linear_model_says_nothing(operation))
            continue;
        search->entries[search->count] =
            (struct entry){.operation = operation, .equal = LINEAR_NONE};
        search->nodes[++nodes] = (struct node){.moment = operation->call, .entry = search->count};
        if (operation->outcome == RETURNED)
            search->nodes[++nodes] =
                (struct node){.moment = operation->back, .entry = search->count, .is_return = true};
        search->count++;
    }
    build_lists(search, nodes);
}

void linear_search_close(struct search *search)
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
        if (!here->only && linear_model_never_has_effect(operation) &&
            linear_model_apply(search->history, operation, &value)) {
            here->only = true;
            here->cursor = at;
        }
    }
    here->bound = at;
}

/* The next node to try after this one; LINEAR_NONE when all were. */
static uint32_t advance(const struct search *search, const struct configuration *here, uint32_t at)
{
    uint32_t next = search->nodes[at].next;
    if (next == here->bound)
        next = search->nodes[search->optional].next;
    return next == search->optional || next > here->bound ? LINEAR_NONE : next;
}

/* Whether an entry may be the next one; there is the configuration after it. */
static bool may_take(const struct search *search, const struct configuration *here, uint32_t number,
                     struct configuration *there)
{
    const struct entry *entry = &search->entries[number];
    const struct operation *operation = entry->operation;
    bool optional = entry->back == 0;
    if (optional && entry->equal != LINEAR_NONE && !search->entries[entry->equal].done)
        return false;
    if (linear_model_overwrites(operation, here->unseen))
        return false;
    there->value = here->value;
    if (!linear_model_apply(search->history, operation, &there->value) ||
        !has_future(search, here, number, &there->value))
        return false;
    if (optional && linear_value_equal(&there->value, &here->value))
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
        here->cursor = here->only ? LINEAR_NONE : advance(search, here, entry->call);
        if (here->cursor != LINEAR_NONE)
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

enum linear_verdict linear_search_run(struct search *search)
{
    struct configuration *here = &search->stack[0];
    *here = (struct configuration){.value = linear_value_absent()};
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
        here->cursor = here->only ? LINEAR_NONE : advance(search, here, at);
        if (here->cursor == LINEAR_NONE && !back_up(search))
            return LINEAR_VIOLATED;
    }
    return LINEAR_OK;
}
