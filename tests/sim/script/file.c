/* A script: commands up to a line "----", what they did up to an empty line, and so on. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "sim/script/script.h"

struct reader {
    struct span rest;
    struct world *world; /* knows the number of the line */
};

static bool next_line(struct reader *reader, struct span *line)
{
    if (reader->rest.len == 0)
        return false;
    const char *end = memchr(reader->rest.ptr, '\n', reader->rest.len);
    size_t len = end ? (size_t)(end - reader->rest.ptr) : reader->rest.len;
    *line = span_of(reader->rest.ptr, len);
    len += end ? 1 : 0;
    reader->rest = span_of(reader->rest.ptr + len, reader->rest.len - len);
    reader->world->line_number++;
    return true;
}

static void run_line(struct world *world, struct span line)
{
    char text[512];
    if (line.len >= sizeof text)
        fail(world, "the line is too long");
    memcpy(text, line.ptr, line.len);
    text[line.len] = 0;
    char *comment = strchr(text, '#');
    if (comment)
        *comment = 0;
    struct words words = {0};
    char *rest = text;
    for (char *word = strsep(&rest, " "); word; word = strsep(&rest, " ")) {
        if (*word == 0)
            continue;
        if (words.count == WORDS_MAX)
            fail(world, "more than %d words", WORDS_MAX);
        words.at[words.count++] = word;
    }
    if (words.count > 0)
        command_run(world, &words);
}

static void end_block(struct world *world, struct reader *reader, struct buf *text)
{
    struct span line;
    while (next_line(reader, &line) && line.len > 0) {
    }
    if (world->out.len == 0)
        buf_add_text(text, "nothing to see\n");
    buf_add_span(text, buf_span(&world->out));
    if (reader->rest.len > 0)
        buf_add_char(text, '\n');
    buf_consume(&world->out, world->out.len);
}

static void run(struct world *world, struct reader *reader, struct buf *text)
{
    struct span line;
    while (next_line(reader, &line)) {
        buf_add_span(text, line);
        buf_add_char(text, '\n');
        if (span_equal(line, SPAN("----")))
            end_block(world, reader, text);
        else
            run_line(world, line);
    }
    if (world->out.len > 0)
        fail(world, "the last block has no '----'");
}

void script_run(const char *name, struct span file, struct script_result *result)
{
    struct world *world = world_new();
    struct reader reader = {.rest = file, .world = world};
    world_current = world;
    *result = (struct script_result){0};
    if (setjmp(world->failed) == 0) {
        run(world, &reader, &result->text);
        result->passed = span_equal(buf_span(&result->text), file);
    } else {
        snprintf(result->failure, sizeof result->failure, "%s:%u: %s", name, world->line_number,
                 world->failure);
        buf_add_span(&result->text, buf_span(&world->out));
        buf_printf(&result->text, "!!!! %s\n", world->failure);
    }
    world_current = NULL;
    world_free(world);
}
