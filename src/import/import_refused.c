#include <stdio.h>

#include "base/mem.h"
#include "import/internal.h"

enum { NAMES_MAX = 20, NAME_BYTES_MAX = 64 };

static struct refused_kind *find_kind(struct refused *refused, const char *text)
{
    for (size_t i = 0; i < refused->kind_count; i++)
        if (strcmp(refused->kinds[i].text, text) == 0)
            return &refused->kinds[i];
    return NULL;
}

/* Reasons beyond the limit share the last entry. */
static struct refused_kind *kind_of(struct refused *refused, const char *text)
{
    struct refused_kind *kind = find_kind(refused, text);
    if (!kind && refused->kind_count >= REFUSED_KINDS_MAX) {
        text = "of other kinds";
        kind = find_kind(refused, text);
    }
    if (kind)
        return kind;
    refused->kinds =
        mem_realloc(refused->kinds, (refused->kind_count + 1) * sizeof *refused->kinds);
    kind = &refused->kinds[refused->kind_count++];
    *kind = (struct refused_kind){.count = 0};
    snprintf(kind->text, sizeof kind->text, "%s", text);
    return kind;
}

/* A key may contain any bytes, so it is quoted to fit into one line. */
static void add_quoted(struct buf *out, struct span name)
{
    size_t len = name.len < NAME_BYTES_MAX ? name.len : NAME_BYTES_MAX;
    buf_add_char(out, '"');
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c < ' ' || c > '~')
            buf_printf(out, "\\x%02x", c);
        else
            buf_add_char(out, (char)c);
    }
    buf_add_text(out, len < name.len ? "...\"" : "\"");
}

static bool seen_before(struct refused *refused, const char *kind, struct span name)
{
    if (!refused->seen)
        refused->seen = keyspace_new(0);
    struct buf key = {0};
    buf_add_text(&key, kind);
    buf_add_char(&key, '\0');
    buf_add_span(&key, name);
    bool seen = keyspace_find(refused->seen, buf_span(&key), NO_DEADLINE) != NULL;
    if (!seen)
        keyspace_set_string(refused->seen, buf_span(&key), SPAN("1"), false, 0);
    buf_close(&key);
    return seen;
}

void import_refuse(struct refused *refused, const char *text, struct span name, bool once)
{
    if (once && seen_before(refused, text, name))
        return;
    struct refused_kind *kind = kind_of(refused, text);
    kind->count++;
    refused->count++;
    if (refused->named == NAMES_MAX || name.len == 0)
        return;
    if (kind->named++)
        buf_add_text(&kind->names, ", ");
    add_quoted(&kind->names, name);
    refused->named++;
}

struct hiding {
    struct import *import;
    unsigned database;
};

static void refuse_hidden_key(void *context, struct item *item)
{
    const struct hiding *hiding = context;
    char kind[REFUSED_KIND_LEN];
    snprintf(kind, sizeof kind, "in database %u", hiding->database);
    import_refuse(&hiding->import->refused, kind, item_key(item), true);
}

/* Commands may have taken keys to databases that no client could select. */
static void refuse_hidden_keys(struct import *import)
{
    struct hiding hiding = {.import = import};
    for (unsigned i = import->options.databases; i < DATABASES_MAX; i++) {
        const struct keyspace *keyspace = databases_find(import->databases, i);
        hiding.database = i;
        if (keyspace)
            keyspace_scan(keyspace, 0, SIZE_MAX, refuse_hidden_key, &hiding);
    }
}

size_t import_refused(struct import *import)
{
    refuse_hidden_keys(import);
    return import->refused.count;
}

void import_describe_refused(const struct import *import, struct buf *out)
{
    const struct refused *refused = &import->refused;
    for (size_t i = 0; i < refused->kind_count; i++) {
        const struct refused_kind *kind = &refused->kinds[i];
        buf_printf(out, "%s%zu %s", i ? "; " : "", kind->count, kind->text);
        if (kind->named == 0)
            continue;
        buf_add_text(out, ": ");
        buf_add_span(out, buf_span(&kind->names));
        if (kind->named < kind->count)
            buf_printf(out, " and %zu more", kind->count - kind->named);
    }
}

void import_refused_close(struct refused *refused)
{
    for (size_t i = 0; i < refused->kind_count; i++)
        buf_close(&refused->kinds[i].names);
    mem_free(refused->kinds);
    keyspace_free(refused->seen);
    *refused = (struct refused){0};
}
