/* Positions drawn at random for SRANDMEMBER, HRANDFIELD and ZRANDMEMBER. Private to command/. */
#ifndef FLOTILLA_COMMAND_SAMPLE_H
#define FLOTILLA_COMMAND_SAMPLE_H

#include "command/command.h"

enum { SAMPLE_WORK_PER_DRAW = 100 };

struct sample {
    struct prng *prng;
    uint64_t size;   /* positions are below this */
    uint64_t left;   /* to be drawn */
    uint64_t at;     /* drawing in order: the next position to decide about */
    int mode;        /* private */
    uint32_t *drawn; /* table of positions drawn before, plus 1; 0: a free cell */
    uint32_t mask;
};

/* The arguments of HRANDFIELD and ZRANDMEMBER behind the key: the count and, if `with` is the word
 * for what stands beside an element, that word. Without a count *count stays. False: the error was
 * written. */
bool sample_parse(struct command_context *context, const struct span *args, size_t argc,
                  const char *with, int64_t *count);

/* count >= 0: so many different positions, all if there are not more. count < 0: so many that may
 * repeat. Takes memory only for different positions that are few beside the size, a few bytes for
 * each of them. */
void sample_begin(struct sample *sample, struct prng *prng, uint64_t size, int64_t count);
bool sample_next(struct sample *sample, size_t *position); /* false: these were all */
void sample_end(struct sample *sample);

/* Positions that may repeat make a reply of any length from a few elements. Draws them beforehand,
 * without changing the generator, and refuses too many. bytes_at tells about what an element takes
 * in the reply. False: the error was written. */
bool sample_is_bearable(struct command_context *context, uint64_t size, int64_t count,
                        size_t (*bytes_at)(const void *value, size_t position), const void *value);

#endif
