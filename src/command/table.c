#include "command/table.h"

#include "base/assert.h"
#include "base/mem.h"

/* clang-format off */
static const struct command_group *const groups[] = {
    &command_group_connection,
    &command_group_server,
    &command_group_generic,
    &command_group_string,
    &command_group_bitmap,
    &command_group_hyperloglog,
    &command_group_list,
    &command_group_set,
    &command_group_sorted_set,
    &command_group_geo,
    &command_group_hash,
    &command_group_stream,
    &command_group_blocking,
    &command_group_transactions,
    &command_group_cluster,
};
/* clang-format on */

enum { GROUPS = sizeof(groups) / sizeof(groups[0]) };

static const struct command_group *const sentinel_groups[] = {
    &command_group_connection,
    &command_group_server,
    &command_group_sentinel,
};

enum { SENTINEL_GROUPS = sizeof(sentinel_groups) / sizeof(sentinel_groups[0]) };

/* What a Sentinel understands of the commands that every node has. A container stands for its
 * subcommands. */
static const char *const sentinel_rows[] = {
    "ping",        "hello",          "auth",           "quit",        "client",
    "client|id",   "client|getname", "client|setname", "client|info", "client|setinfo",
    "client|list", "client|help",    "command",        "info",        "role",
};

/* Converts eight ASCII letters to lower case at once; bytes from 0x80 on stay as they are. */
static uint64_t fold_word(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101u;
    const uint64_t highs = 0x80 * ones;
    uint64_t low_bits = word & ~highs;
    uint64_t above_z = low_bits + (0x7f - 'Z') * ones;
    uint64_t from_a = low_bits + (0x80 - 'A') * ones;
    uint64_t upper = (from_a ^ above_z) & ~word & highs;
    return word | (upper >> 2);
}

static uint64_t load8(const char *from)
{
    uint64_t word;
    memcpy(&word, from, sizeof(word));
    return word;
}

static uint64_t load4(const char *from)
{
    uint32_t word;
    memcpy(&word, from, sizeof(word));
    return word;
}

/* Overlapping loads of fixed size are cheaper than copying a variable number of bytes. Together
 * with the length they still distinguish any two names. */
static bool fold_name(struct span name, struct folded_name *folded)
{
    const char *text = name.ptr;
    size_t len = name.len;
    if (len == 0 || len > FOLDED_BYTES)
        return false;
    *folded = (struct folded_name){{0}};
    if (len >= 8) {
        folded->words[0] = fold_word(load8(text));
        folded->words[1] = fold_word(load8(text + len - 8));
        folded->words[2] = fold_word(load8(text + (len < 16 ? len - 8 : 8)));
    } else if (len >= 4) {
        folded->words[0] = fold_word(load4(text) | load4(text + len - 4) << 32);
    } else {
        uint64_t first = (unsigned char)text[0];
        uint64_t middle = (unsigned char)text[len / 2];
        uint64_t last = (unsigned char)text[len - 1];
        folded->words[0] = fold_word(first | middle << 8 | last << 16);
    }
    return true;
}

static size_t home_cell(const struct folded_name *name, size_t len, uint16_t parent)
{
    uint64_t hash = name->words[0] * 0x9e3779b97f4a7c15u;
    hash ^= name->words[1] * 0xc2b2ae3d27d4eb4fu;
    hash += name->words[2] * 0x165667b19e3779f9u + len + ((uint64_t)parent << 32);
    hash = (hash ^ hash >> 29) * 0x9e3779b97f4a7c15u;
    return (size_t)(hash >> 32) % COMMAND_CELLS;
}

static bool same_name(const struct folded_name *a, const struct folded_name *b)
{
    return a->words[0] == b->words[0] && a->words[1] == b->words[1] && a->words[2] == b->words[2];
}

/* The cell of the name, or the empty cell where it belongs. */
static size_t probe(const struct command_table *table, const struct folded_name *name, size_t len,
                    uint16_t parent)
{
    size_t at = home_cell(name, len, parent);
    for (;; at = (at + 1) % COMMAND_CELLS) {
        const struct command_cell *cell = &table->cells[at];
        if (cell->len == 0)
            return at;
        if (cell->len == len && cell->parent == parent && same_name(&cell->name, name))
            return at;
    }
}

const struct command *command_lookup(const struct command_table *table,
                                     const struct command *parent, struct span name)
{
    struct folded_name folded;
    if (!fold_name(name, &folded))
        return NULL;
    uint16_t parent_id = parent ? parent->id : (uint16_t)COMMAND_NO_PARENT;
    const struct command_cell *cell = &table->cells[probe(table, &folded, name.len, parent_id)];
    return cell->len ? &table->commands[cell->id] : NULL;
}

const struct command *command_lookup_fullname(const struct command_table *table,
                                              struct span fullname)
{
    const char *bar = fullname.len ? memchr(fullname.ptr, '|', fullname.len) : NULL;
    if (!bar)
        return command_lookup(table, NULL, fullname);
    size_t len = (size_t)(bar - fullname.ptr);
    const struct command *container = command_lookup(table, NULL, span_of(fullname.ptr, len));
    if (!container)
        return NULL;
    return command_lookup(table, container, span_of(bar + 1, fullname.len - len - 1));
}

static bool has_fixed_range(const struct key_spec *spec)
{
    return spec->first && !spec->counted && !spec->keyword && !spec->unknown;
}

/* One range that covers the keys of all specs with a fixed range, which are adjacent. */
static struct command_key_spec joined_keys(const struct key_spec *specs)
{
    if (!has_fixed_range(&specs[0]))
        return (struct command_key_spec){0};
    const struct key_spec *end = &specs[0];
    for (size_t i = 1; i < ROW_KEY_SPECS && has_fixed_range(&specs[i]); i++) {
        ASSERT(end->last >= 0 && end->step == 1 && specs[i].step == 1);
        ASSERT(specs[i].first == end->first + end->last + 1);
        end = &specs[i];
    }
    return (struct command_key_spec){
        .first = specs[0].first,
        .last = end->last < 0 ? end->last : end->first + end->last,
        .step = specs[0].step,
    };
}

static void index_command(struct command_table *table, const struct command *command)
{
    struct span name = span_text(command->name);
    struct folded_name folded;
    ASSERT(fold_name(name, &folded));
    uint16_t parent = command->parent ? command->parent->id : (uint16_t)COMMAND_NO_PARENT;
    struct command_cell *cell = &table->cells[probe(table, &folded, name.len, parent)];
    ASSERT(cell->len == 0);
    *cell = (struct command_cell){folded, (uint16_t)name.len, parent, command->id};
}

/* Up to version 3 of the wire there were only strings. */
static bool came_with_types(const struct command_docs *row)
{
    static const char *const groups_of_types[] = {"list",   "set",         "sorted-set", "hash",
                                                  "stream", "hyperloglog", "geo",        "bitmap"};
    static const char *const names[] = {"sort", "sort_ro", "msetex", "delifeq"};
    for (size_t i = 0; i < sizeof(groups_of_types) / sizeof(groups_of_types[0]); i++)
        if (strcmp(row->group, groups_of_types[i]) == 0)
            return true;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(row->fullname, names[i]) == 0)
            return true;
    return false;
}

static void add_row(struct command_table *table, const struct command_docs *row,
                    struct command **container)
{
    struct command *command = &table->commands[table->count];
    const char *bar = strchr(row->fullname, '|');
    *command = (struct command){
        .name = bar ? bar + 1 : row->fullname,
        .fullname = row->fullname,
        .arity = row->arity,
        .flags = row->flags | (came_with_types(row) ? COMMAND_SINCE_TYPES : 0),
        .keys = joined_keys(row->keys),
        .run = row->run,
        .rewrite = row->rewrite,
        .stock = row->stock,
        .get_keys = row->get_keys,
        .work = row->work,
        .reply = row->reply,
        .blocking = row->blocking,
        .reading = row->reading,
        .idle = row->idle,
        .id = (uint16_t)table->count,
        .docs = row,
    };
    table->count++;
    if (bar) {
        size_t len = (size_t)(bar - row->fullname);
        ASSERT(*container && strlen((*container)->name) == len);
        ASSERT(memcmp((*container)->name, row->fullname, len) == 0);
        command->parent = *container;
        (*container)->subcommands++;
    } else {
        *container = command;
    }
    index_command(table, command);
}

static bool takes_all(const struct command_docs *row)
{
    (void)row;
    return true;
}

static bool takes_for_sentinel(const struct command_docs *row)
{
    if (strcmp(row->group, "sentinel") == 0 || strcmp(row->group, "pubsub") == 0 ||
        strncmp(row->fullname, "command|", 8) == 0)
        return true;
    for (size_t i = 0; i < sizeof(sentinel_rows) / sizeof(sentinel_rows[0]); i++)
        if (strcmp(row->fullname, sentinel_rows[i]) == 0)
            return true;
    return false;
}

static struct command_table *build(const struct command_group *const *from, size_t count,
                                   bool (*takes)(const struct command_docs *row))
{
    size_t rows = 0;
    for (size_t i = 0; i < count; i++)
        rows += from[i]->count;
    ASSERT(rows * 2 <= COMMAND_CELLS);
    struct command_table *table = mem_zalloc(sizeof(*table));
    table->commands = mem_zalloc(rows * sizeof(*table->commands));
    struct command *container = NULL;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < from[i]->count; j++)
            if (takes(&from[i]->rows[j]))
                add_row(table, &from[i]->rows[j], &container);
    return table;
}

struct command_table *command_table_new(void)
{
    return build(groups, GROUPS, takes_all);
}

struct command_table *command_table_new_sentinel(void)
{
    return build(sentinel_groups, SENTINEL_GROUPS, takes_for_sentinel);
}

void command_table_free(struct command_table *table)
{
    if (!table)
        return;
    mem_free(table->commands);
    mem_free(table);
}

size_t command_table_count(const struct command_table *table)
{
    return table->count;
}

const struct command *command_table_at(const struct command_table *table, size_t id)
{
    ASSERT(id < table->count);
    return &table->commands[id];
}
