/* Records with the checksum they should have: without it hardly any made-up input would come past
 * the first one. */
#ifndef FLOTILLA_TESTS_FUZZ_REPAIR_H
#define FLOTILLA_TESTS_FUZZ_REPAIR_H

#include <stdio.h>
#include <string.h>

#include "base/crc.h"
#include "base/number.h"
#include "wire/entry.h"

/* The last ':' in front of `end`; NULL: none. */
static inline char *repair_colon(char *begin, char *end)
{
    while (end > begin)
        if (*--end == ':')
            return end;
    return NULL;
}

/* Repairs the line at `begin`; how many bytes it takes, with an entry's payload. */
static inline size_t repair_line(char *begin, size_t len)
{
    char *end = memchr(begin, '\r', len < ENTRY_HEADER_MAX ? len : ENTRY_HEADER_MAX);
    char *colon = end ? repair_colon(begin, end) : NULL;
    if (!colon || end - colon != 9)
        return 1;
    size_t line = (size_t)(end - begin) + 2;
    uint64_t payload = 0;
    char *before = repair_colon(begin, colon);
    if (before && len >= 6 && memcmp(begin, "#RAFT:", 6) == 0)
        number_parse_u64(span_of(before + 1, (size_t)(colon - before - 1)), &payload);
    if (line > len || payload > len - line)
        return 1;
    uint32_t checksum = crc32c(0, begin, (size_t)(colon - begin) + 1);
    checksum = crc32c(checksum, begin + line, payload);
    char text[9];
    snprintf(text, sizeof text, "%08x", checksum);
    memcpy(colon + 1, text, 8);
    return line + payload;
}

static inline void repair_records(char *bytes, size_t len)
{
    for (size_t at = 0; at < len;)
        at += bytes[at] == '#' ? repair_line(bytes + at, len - at) : 1;
}

#endif
