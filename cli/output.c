/* Tables for people, JSON for programs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

void table_begin(struct table *table, const char *name, const char *const *columns,
                 const bool *numbers, size_t column_count)
{
    *table = (struct table){
        .name = name, .columns = columns, .numbers = numbers, .column_count = column_count};
    table->cells = calloc(CLI_NODES_MAX * column_count, sizeof *table->cells);
    if (!table->cells) {
        fputs("flotilla-cli: no memory\n", stderr);
        exit(EXIT_REFUSED);
    }
}

void table_end(struct table *table)
{
    free(table->cells);
    table->cells = NULL;
}

void table_add(struct table *table, const char *const *cells)
{
    if (table->rows == CLI_NODES_MAX)
        return; /* a cluster has fewer nodes */
    for (size_t i = 0; i < table->column_count; i++)
        snprintf(table->cells[table->rows * table->column_count + i], CELL_MAX, "%s", cells[i]);
    table->rows++;
}

void print_json_text(const char *text)
{
    putchar('"');
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at == '"' || *at == '\\')
            printf("\\%c", *at);
        else if (*at < ' ' || *at > '~')
            printf("\\u%04x", *at);
        else
            putchar(*at);
    }
    putchar('"');
}

static void print_json(const struct table *table, const char *more)
{
    printf("{%s\"%s\": [", more, table->name);
    for (size_t row = 0; row < table->rows; row++) {
        printf("%s\n  {", row ? "," : "");
        for (size_t i = 0; i < table->column_count; i++) {
            const char *cell = table->cells[row * table->column_count + i];
            printf("%s\"%s\": ", i ? ", " : "", table->columns[i]);
            if (!*cell)
                fputs("null", stdout);
            else if (table->numbers[i])
                fputs(cell, stdout);
            else
                print_json_text(cell);
        }
        putchar('}');
    }
    puts("\n]}");
}

static size_t width_of(const struct table *table, size_t column)
{
    size_t width = strlen(table->columns[column]);
    for (size_t row = 0; row < table->rows; row++) {
        size_t length = strlen(table->cells[row * table->column_count + column]);
        width = length > width ? length : width;
    }
    return width;
}

/* What came from a node may hold anything: only what can be printed reaches the terminal. */
static void print_cell(const char *cell, size_t width, bool last)
{
    size_t length = strlen(cell);
    for (size_t i = 0; i < length; i++)
        putchar(cell[i] < ' ' || cell[i] > '~' ? '?' : cell[i]);
    for (size_t i = length; !last && i < width + 2; i++)
        putchar(' ');
    if (last)
        putchar('\n');
}

void table_print(const struct table *table, bool json, const char *more)
{
    size_t widths[COLUMNS_MAX];
    if (json) {
        print_json(table, more);
        return;
    }
    for (size_t i = 0; i < table->column_count; i++)
        widths[i] = width_of(table, i);
    for (size_t i = 0; i < table->column_count; i++)
        print_cell(table->columns[i], widths[i], i + 1 == table->column_count);
    for (size_t row = 0; row < table->rows; row++)
        for (size_t i = 0; i < table->column_count; i++) {
            const char *cell = table->cells[row * table->column_count + i];
            print_cell(*cell ? cell : "-", widths[i], i + 1 == table->column_count);
        }
}

void print_result(const struct cli *cli, const char *result)
{
    if (!cli->json) {
        puts(result);
        return;
    }
    fputs("{\"result\": ", stdout);
    print_json_text(result);
    puts("}");
}
