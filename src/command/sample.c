#include "command/sample.h"

#include "base/assert.h"
#include "base/mem.h"
#include "command/access.h"

enum { DRAW_ALL, DRAW_IN_ORDER, DRAW_FEW, DRAW_REPEATS };

enum {
    FEW = 3,                   /* so many times the count is less than the size */
    REPEATS_FREE = 1000,       /* so many are always given */
    REPEATS_MAX = 1000 * 1000, /* so many take half a second, of a set larger than every cache */
    REPLY_BYTES_MAX = 256 * 1024 * 1024,
};

bool sample_parse(struct command_context *context, const struct span *args, size_t argc,
                  const char *with, int64_t *count)
{
    if (argc < 3)
        return true;
    if (!command_parse_negatable(context, args[2], count))
        return false;
    if (argc > 4 || (argc == 4 && !span_is(args[3], with)))
        return command_refuse(context, ERROR_SYNTAX);
    if (argc == 4 && (*count < -(INT64_MAX / 2) || *count > INT64_MAX / 2))
        return command_refuse(context, "ERR value is out of range");
    return true;
}

void sample_begin(struct sample *sample, struct prng *prng, uint64_t size, int64_t count)
{
    *sample = (struct sample){.prng = prng, .size = size, .mode = DRAW_REPEATS};
    ASSERT(count != INT64_MIN && size < UINT32_MAX);
    if (size == 0)
        return;
    if (count < 0) {
        sample->left = (uint64_t)-count;
        return;
    }
    sample->left = (uint64_t)count < size ? (uint64_t)count : size;
    if (sample->left == size) {
        sample->mode = DRAW_ALL;
    } else if (sample->left > size / FEW) {
        sample->mode = DRAW_IN_ORDER;
    } else {
        sample->mode = DRAW_FEW;
        uint64_t cells = 4;
        while (cells < 2 * sample->left)
            cells *= 2;
        sample->mask = (uint32_t)(cells - 1);
        sample->drawn = mem_zalloc(cells * sizeof(uint32_t));
    }
}

/* Adds a position to the table. False: it is there already. */
static bool mark(struct sample *sample, uint64_t position)
{
    uint32_t cell = (uint32_t)position + 1;
    uint32_t at = (cell * 0x9e3779b1u) & sample->mask;
    for (; sample->drawn[at]; at = (at + 1) & sample->mask)
        if (sample->drawn[at] == cell)
            return false;
    sample->drawn[at] = cell;
    return true;
}

bool sample_next(struct sample *sample, size_t *position)
{
    if (sample->left == 0)
        return false;
    switch (sample->mode) {
    case DRAW_ALL:
        *position = sample->at++;
        break;
    case DRAW_IN_ORDER: /* each position with the chance that leaves the right number in the end */
        while (prng_below(sample->prng, sample->size - sample->at) >= sample->left)
            sample->at++;
        *position = sample->at++;
        break;
    case DRAW_FEW:
        do
            *position = prng_below(sample->prng, sample->size);
        while (!mark(sample, *position));
        break;
    default:
        *position = prng_below(sample->prng, sample->size);
    }
    sample->left--;
    return true;
}

void sample_end(struct sample *sample)
{
    mem_free(sample->drawn);
    sample->drawn = NULL;
}

bool sample_is_bearable(struct command_context *context, uint64_t size, int64_t count,
                        size_t (*bytes_at)(const void *value, size_t position), const void *value)
{
    if (count >= -REPEATS_FREE || size == 0)
        return true;
    struct prng prng = *context->prng;
    size_t bytes = 0;
    if (count >= -REPEATS_MAX) {
        struct sample sample;
        sample_begin(&sample, &prng, size, count);
        for (size_t position; bytes <= REPLY_BYTES_MAX && sample_next(&sample, &position);)
            bytes += bytes_at(value, position);
        sample_end(&sample);
    }
    if (count >= -REPEATS_MAX && bytes <= REPLY_BYTES_MAX)
        return true;
    resp_error(context->reply, "ERR value is out of range");
    return false;
}
