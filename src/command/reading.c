/* The calls of writing commands that only read. What they run instead never writes, whatever its
 * arguments are, so that a mistake here costs a wrong error and no data. */
#include "command/data.h"

static bool has_word(const struct span *args, size_t argc, const char *word, const char *or_word)
{
    for (size_t i = 2; i < argc; i++)
        if (span_is(args[i], word) || span_is(args[i], or_word))
            return true;
    return false;
}

static bool sort_reads(const struct span *args, size_t argc)
{
    return !has_word(args, argc, "store", "store");
}

static bool geo_reads(const struct span *args, size_t argc)
{
    return !has_word(args, argc, "store", "storedist");
}

static bool bitfield_reads(const struct span *args, size_t argc)
{
    return !has_word(args, argc, "set", "incrby");
}

static bool getex_reads(const struct span *args, size_t argc)
{
    (void)args;
    return argc == 2;
}

/* The options stand before the fields. */
static bool hgetex_reads(const struct span *args, size_t argc)
{
    return argc > 2 && span_is(args[2], "fields");
}

const struct command_reading command_sort_reading = {sort_reads, command_sort_ro_run};
const struct command_reading command_georadius_reading = {geo_reads, command_georadius_ro_run};
const struct command_reading command_georadiusbymember_reading = {geo_reads,
                                                                  command_georadiusbymember_ro_run};
const struct command_reading command_bitfield_reading = {bitfield_reads, command_bitfield_ro_run};
const struct command_reading command_getex_reading = {getex_reads, command_get_run};
const struct command_reading command_hgetex_reading = {hgetex_reads, command_hgetex_read_run};
