#include "shard/waits.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "resp/parse.h"

static const struct resp_limits no_limits = {.bulk_len_max = INT64_MAX, .authenticated = true};

static struct span id_span(const struct waiter_id *id)
{
    return span_of((const char *)id, sizeof *id);
}

static struct span id_of_waiter(const void *element)
{
    return id_span(&((const struct waiter *)element)->id);
}

static struct span name_of_key(const void *element)
{
    const struct wait_key *key = element;
    return span_of(key->name, key->len);
}

void waits_init(struct waits *waits, const struct command_table *table, uint64_t seed)
{
    *waits = (struct waits){.table = table, .seed = seed};
}

void waits_clear(struct waits *waits)
{
    while (waits_take_ready(waits)) /* so that none has to be taken off its list */
        ;
    while (waits_count(waits))
        waits_remove(waits, dense_at(&waits->waiters, waits_count(waits) - 1));
    for (unsigned database = 0; database < DATABASES_MAX; database++)
        ASSERT(dense_count(&waits->keys[database]) == 0);
}

void waits_close(struct waits *waits)
{
    waits_clear(waits);
    mem_free(waits->ready);
    waits->ready = NULL;
}

struct waiter *waits_find(const struct waits *waits, struct waiter_id id)
{
    struct span name = id_span(&id);
    return dense_find(&waits->waiters, name, dense_hash(name, waits->seed), id_of_waiter);
}

struct wait_key *waits_find_key(const struct waits *waits, unsigned database, struct span key)
{
    return dense_find(&waits->keys[database], key, dense_hash(key, waits->seed), name_of_key);
}

size_t waits_keys(const struct command *command, const struct span *args, size_t argc,
                  size_t *positions, size_t max)
{
    size_t most = command->blocking->keys_max;
    size_t count = command_keys(command, args, argc, positions, max);
    return most && most < count ? most : count;
}

static struct wait_key *key_for(struct waits *waits, unsigned database, struct span name)
{
    struct wait_key *key = waits_find_key(waits, database, name);
    if (key)
        return key;
    key = mem_alloc(sizeof *key + name.len);
    *key = (struct wait_key){
        .hash = dense_hash(name, waits->seed), .database = database, .len = name.len};
    if (name.len)
        memcpy(key->name, name.ptr, name.len);
    dense_insert(&waits->keys[database], key);
    return key;
}

static struct wait_line *line_for(struct wait_key *key, enum value_type type, struct span group)
{
    for (struct wait_line *line = key->lines; line; line = line->next)
        if (line->type == type && span_equal(line->group, group))
            return line;
    struct wait_line *line = mem_alloc(sizeof *line + group.len);
    char *copy = (char *)(line + 1);
    if (group.len)
        memcpy(copy, group.ptr, group.len);
    *line = (struct wait_line){
        .next = key->lines, .key = key, .type = type, .group = span_of(copy, group.len)};
    key->lines = line;
    return line;
}

static bool comes_before(const struct waiter *a, const struct waiter *b)
{
    if (a->stamp != b->stamp)
        return a->stamp < b->stamp;
    return memcmp(&a->id, &b->id, sizeof a->id) < 0;
}

/* Most come last. */
static void stand_in_line(struct wait_line *line, struct wait_place *place)
{
    struct wait_place *before = line->last;
    while (before && comes_before(place->waiter, before->waiter))
        before = before->previous;
    line->count++;
    if (before != line->last)
        line->from = NULL;
    place->line = line;
    place->previous = before;
    place->next = before ? before->next : line->first;
    *(place->previous ? &place->previous->next : &line->first) = place;
    *(place->next ? &place->next->previous : &line->last) = place;
}

static void drop_line(struct waits *waits, struct wait_line *line)
{
    struct wait_key *key = line->key;
    struct wait_line **at = &key->lines;
    while (*at != line)
        at = &(*at)->next;
    *at = line->next;
    mem_free(line);
    if (key->lines)
        return;
    if (key->is_ready)
        waits->ready[key->ready_at] = NULL;
    struct dense *keys = &waits->keys[key->database];
    dense_remove(keys, dense_position(keys, key));
    mem_free(key);
}

static void leave_line(struct waits *waits, struct wait_place *place)
{
    struct wait_line *line = place->line;
    *(place->previous ? &place->previous->next : &line->first) = place->next;
    *(place->next ? &place->next->previous : &line->last) = place->previous;
    line->count--;
    line->under_way -= place->waiter->under_way;
    if (line->from == place)
        line->from = place->next ? place->next : place->previous;
    if (line->newest == place->waiter)
        line->newest = NULL;
    if (!line->first)
        drop_line(waits, line);
}

/* The text becomes arguments of the waiter. False: it is no command that may wait. */
static bool parse(const struct waits *waits, struct resp_parser *parser, struct span text,
                  const struct command **command)
{
    if (text.len == 0 || text.ptr[0] != '*' ||
        resp_parse(parser, text, &no_limits) != RESP_COMMAND || parser->consumed != text.len ||
        parser->argc == 0)
        return false;
    *command = command_find(waits->table, parser->args, parser->argc);
    return *command && (*command)->blocking && command_arity_is_valid(*command, parser->argc);
}

static struct waiter *waiter_new(const struct command *command, const struct resp_parser *parser,
                                 struct span text)
{
    size_t count = waits_keys(command, parser->args, parser->argc, NULL, 0);
    if (count == 0)
        return NULL;
    struct waiter *waiter = mem_zalloc(sizeof *waiter + count * sizeof(struct wait_place));
    waiter->command = command;
    waiter->text = mem_alloc(text.len);
    memcpy(waiter->text, text.ptr, text.len);
    waiter->text_len = text.len;
    waiter->args = mem_alloc(parser->argc * sizeof(struct span));
    waiter->argc = parser->argc;
    for (size_t i = 0; i < parser->argc; i++)
        waiter->args[i] =
            span_of(waiter->text + (parser->args[i].ptr - text.ptr), parser->args[i].len);
    return waiter;
}

static void stand_in_lines(struct waits *waits, struct waiter *waiter, size_t count)
{
    const struct command_blocking *blocking = waiter->command->blocking;
    size_t *positions = mem_alloc(count * sizeof *positions);
    waits_keys(waiter->command, waiter->args, waiter->argc, positions, count);
    struct span group =
        blocking->group ? blocking->group(waiter->args, waiter->argc) : span_of("", 0);
    for (size_t i = 0; i < count; i++) {
        struct wait_key *key = key_for(waits, waiter->database, waiter->args[positions[i]]);
        struct wait_line *line = line_for(key, blocking->type, group);
        if (line->newest == waiter)
            continue; /* a key that is named twice is waited for once */
        line->newest = waiter;
        struct wait_place *place = &waiter->places[waiter->place_count++];
        place->waiter = waiter;
        stand_in_line(line, place);
    }
    mem_free(positions);
}

struct waiter *waits_add(struct waits *waits, struct waiter_id id, uint64_t stamp,
                         unsigned database, struct span text)
{
    struct resp_parser parser = {0};
    const struct command *command;
    struct waiter *waiter = NULL;
    ASSERT(!waits_find(waits, id));
    if (parse(waits, &parser, text, &command))
        waiter = waiter_new(command, &parser, text);
    resp_parser_close(&parser);
    if (!waiter)
        return NULL;
    waiter->id = id;
    waiter->stamp = stamp;
    waiter->database = database;
    waiter->hash = dense_hash(id_span(&id), waits->seed);
    dense_insert(&waits->waiters, waiter);
    stand_in_lines(waits, waiter, waits_keys(command, waiter->args, waiter->argc, NULL, 0));
    return waiter;
}

void waits_set_under_way(struct waiter *waiter, bool under_way, uint64_t position)
{
    for (size_t i = 0; i < waiter->place_count && under_way != waiter->under_way; i++) {
        struct wait_line *line = waiter->places[i].line;
        line->under_way += under_way ? 1 : (size_t)-1;
        line->from = under_way ? line->from : NULL;
    }
    waiter->under_way = under_way;
    waiter->position = position;
}

void waits_remove(struct waits *waits, struct waiter *waiter)
{
    for (size_t i = 0; i < waiter->place_count; i++)
        leave_line(waits, &waiter->places[i]);
    dense_remove(&waits->waiters, dense_position(&waits->waiters, waiter));
    mem_free(waiter->args);
    mem_free(waiter->text);
    mem_free(waiter);
}

static void note(struct waits *waits, struct wait_key *key)
{
    if (key->is_ready)
        return;
    if (waits->ready_end == waits->ready_cap) {
        waits->ready_cap = waits->ready_cap ? waits->ready_cap * 2 : 16;
        waits->ready = mem_realloc(waits->ready, waits->ready_cap * sizeof(struct wait_key *));
    }
    key->is_ready = true;
    key->ready_at = waits->ready_end;
    waits->ready[waits->ready_end++] = key;
}

void waits_note_change(struct waits *waits, unsigned database, struct span key)
{
    struct wait_key *found = waits_count(waits) ? waits_find_key(waits, database, key) : NULL;
    if (found)
        note(waits, found);
}

void waits_note_keys(struct waits *waits, const struct waiter *waiter)
{
    for (size_t i = 0; i < waiter->place_count; i++)
        note(waits, waiter->places[i].line->key);
}

void waits_note_database(struct waits *waits, unsigned database)
{
    const struct dense *keys = &waits->keys[database];
    for (size_t i = 0; i < dense_count(keys); i++)
        note(waits, dense_at(keys, i));
}

void waits_note_all(struct waits *waits)
{
    for (unsigned database = 0; database < DATABASES_MAX; database++)
        waits_note_database(waits, database);
}

struct wait_key *waits_take_ready(struct waits *waits)
{
    struct wait_key *key = NULL;
    while (!key && waits->ready_first < waits->ready_end)
        key = waits->ready[waits->ready_first++];
    if (waits->ready_first == waits->ready_end)
        waits->ready_first = waits->ready_end = 0;
    if (key)
        key->is_ready = false;
    return key;
}
