/* Parses records. No byte of the input is trusted before it is checked. */
#include <endian.h>
#include <stdio.h>

#include "base/crc.h"
#include "base/number.h"
#include "wire/entry.h"

enum { CHECKSUM_CHARS = 8, FIELDS_MAX = 10, ENTRY_FIELDS = 7, LINE_MAX = ENTRY_HEADER_MAX };

/* The fields of an annotation between colons; the last one is the checksum. */
struct line {
    struct span fields[FIELDS_MAX];
    size_t count;
    size_t checked_len; /* bytes that the checksum covers */
    size_t bytes;       /* including CR and LF */
};

static enum record_outcome split(struct span input, size_t prefix_len, struct line *line)
{
    size_t window = input.len < LINE_MAX ? input.len : LINE_MAX;
    size_t start = prefix_len;
    line->count = 0;
    for (size_t i = prefix_len; i < window; i++) {
        char c = input.ptr[i];
        if (c != ':' && c != '\r')
            continue;
        if (line->count == FIELDS_MAX)
            return RECORD_BAD;
        line->fields[line->count++] = span_of(input.ptr + start, i - start);
        if (c == '\r') {
            if (i + 1 == input.len)
                return RECORD_TRUNCATED;
            line->checked_len = start;
            line->bytes = i + 2;
            return input.ptr[i + 1] == '\n' ? RECORD_OK : RECORD_BAD;
        }
        start = i + 1;
    }
    return input.len < LINE_MAX ? RECORD_TRUNCATED : RECORD_BAD;
}

/* The value of a lower-case hexadecimal digit, plus 1. A table, because the digits of a seed are
 * random: a processor that guesses whether the next one is a letter is wrong every other time. */
static const unsigned char hex_values[256] = {
    ['0'] = 1, ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9, ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16};

static bool parse_hex(struct span text, uint64_t *value)
{
    if (text.len == 0 || text.len > 16 || (text.len > 1 && text.ptr[0] == '0'))
        return false;
    uint64_t sum = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned nibble = hex_values[(unsigned char)text.ptr[i]];
        if (nibble == 0)
            return false;
        sum = sum << 4 | (nibble - 1);
    }
    *value = sum;
    return true;
}

/* Eight characters, the first one in the lowest byte. */
static uint64_t load_word(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return le64toh(word);
}

static bool checksum_is(struct span text, uint32_t expected)
{
    return text.len == CHECKSUM_CHARS && load_word(text.ptr) == number_hex_word(expected);
}

/* A kind, and behind it a database other than 0. */
static bool parse_kind(struct span text, struct entry *entry)
{
    uint64_t database = 0;
    if (text.len == 0 ||
        (text.len > 1 && (!number_parse_u64(span_of(text.ptr + 1, text.len - 1), &database) ||
                          database == 0 || database >= ENTRY_DATABASES)))
        return false;
    entry->kind = (enum entry_kind)text.ptr[0];
    entry->database = (unsigned)database;
    switch (entry->kind) {
    case ENTRY_NOOP:
    case ENTRY_EXPIRY:
    case ENTRY_MEMBERSHIP:
    case ENTRY_SESSION:
        return database == 0;
    case ENTRY_COMMAND:
    case ENTRY_TRANSACTION:
        return true;
    }
    return false;
}

enum { SAFE_DIGITS = 19 }; /* cannot overflow 64 bits */

/* How many digits the word begins with, and what they say. */
static unsigned leading_digits(uint64_t word, uint64_t *value)
{
    uint64_t digits = word ^ 0x3030303030303030;
    uint64_t others = ((digits + 0x7676767676767676) | digits) & 0x8080808080808080;
    unsigned count = others ? (unsigned)__builtin_ctzll(others) / 8 : 8;
    if (count == 0)
        return 0;
    digits <<= 64 - 8 * count; /* zeros before them */
    digits = (digits * 10 + (digits >> 8)) & 0x00ff00ff00ff00ff;
    digits = (digits * 100 + (digits >> 16)) & 0x0000ffff0000ffff;
    *value = (digits * 10000 + (digits >> 32)) & 0xffffffff;
    return count;
}

/* Takes a number in the form of number_parse_u64(), and the ':' after it. */
static bool take_number(const char **at, const char *end, uint64_t *value)
{
    static const uint32_t powers[] = {1,      10,      100,      1000,     10000,
                                      100000, 1000000, 10000000, 100000000};
    const char *start = *at;
    const char *digit = start;
    if (end - start > 1 && start[1] == ':' && (unsigned char)(*start - '0') <= 9) {
        *value = (unsigned char)(*start - '0');
        *at = start + 2;
        return true;
    }
    uint64_t sum = 0, part;
    unsigned taken = 8;
    while (taken == 8 && end - digit >= 8) { /* eight at once */
        taken = leading_digits(load_word(digit), &part);
        if (taken)
            sum = sum * powers[taken] + part;
        digit += taken;
    }
    while (digit < end && (unsigned char)(*digit - '0') <= 9)
        sum = sum * 10 + (unsigned char)(*digit++ - '0');
    ptrdiff_t count = digit - start;
    if (count == 0 || count > SAFE_DIGITS || (count > 1 && *start == '0') || digit == end ||
        *digit != ':')
        return false;
    *value = sum;
    *at = digit + 1;
    return true;
}

/* The same in the form of parse_kind(). Most are one letter. */
static bool take_kind(const char **at, const char *end, struct entry *entry)
{
    const char *colon = end - *at > 2 && (*at)[1] == ':' ? *at + 1 : NULL;
    if (!colon)
        colon = memchr(*at, ':', (size_t)(end - *at));
    if (!colon || !parse_kind(span_of(*at, (size_t)(colon - *at)), entry))
        return false;
    *at = colon + 1;
    return true;
}

/* Eight digits. Whatever else they are is not written back the same. */
static bool hex_word_is(uint64_t word, uint32_t *value)
{
    const uint64_t ones = 0x0101010101010101;
    uint64_t nibbles = (word & 0x0f * ones) + 9 * (word >> 6 & ones);
    nibbles = (nibbles * 16 + (nibbles >> 8)) & 0x00ff00ff00ff00ff;
    nibbles = (nibbles * 256 + (nibbles >> 16)) & 0x0000ffff0000ffff;
    *value = (uint32_t)(nibbles * 65536 + (nibbles >> 32));
    return number_hex_word(*value) == word;
}

/* The same in the form of parse_hex(). Most numbers have sixteen digits. */
static bool take_hex(const char **at, const char *end, uint64_t *value)
{
    const char *start = *at;
    uint32_t high, low;
    if (end - start > 16 && start[16] == ':' && *start != '0' &&
        hex_word_is(load_word(start), &high) && hex_word_is(load_word(start + 8), &low)) {
        *value = (uint64_t)high << 32 | low;
        *at = start + 17;
        return true;
    }
    const char *digit = start;
    uint64_t sum = 0;
    unsigned nibble;
    for (; digit < end && (nibble = hex_values[(unsigned char)*digit]) != 0; digit++)
        sum = sum << 4 | (nibble - 1);
    ptrdiff_t count = digit - start;
    if (count == 0 || count > 16 || (count > 1 && *start == '0') || digit == end || *digit != ':')
        return false;
    *value = sum;
    *at = digit + 1;
    return true;
}

static bool word_has(uint64_t word, char c)
{
    const uint64_t ones = 0x0101010101010101;
    uint64_t others = word ^ (unsigned char)c * ones;
    return ((others - ones) & ~others & 0x80 * ones) != 0;
}

/* What stands between two ends of lines or colons is a checksum by its length alone. */
static bool is_checksum(const char *at, const char *end)
{
    if (end - at < CHECKSUM_CHARS + 2 || at[CHECKSUM_CHARS] != '\r' ||
        at[CHECKSUM_CHARS + 1] != '\n')
        return false;
    uint64_t word = load_word(at);
    return !word_has(word, ':') && !word_has(word, '\r');
}

static bool take_origin(const char **at, const char *end, struct entry_origin *origin)
{
    return take_number(at, end, &origin->node) && take_hex(at, end, &origin->life) &&
           take_number(at, end, &origin->seq);
}

/* The leader's own clients have no life in the log: a life of 0 would be a second form of that. */
static bool origin_is_valid(const struct entry *entry)
{
    const struct entry_origin *origin = &entry->origin;
    return origin->node && origin->life && origin->seq &&
           (entry->kind == ENTRY_COMMAND || entry->kind == ENTRY_TRANSACTION ||
            entry->kind == ENTRY_SESSION);
}

/* Parses the usual form of an entry's line in one pass. False: the slow path parses it and finds
 * out what it is. */
static bool take_entry_line(struct span input, struct entry *entry, uint64_t *len,
                            struct line *line)
{
    const char *at = input.ptr + 6;
    const char *end = input.ptr + (input.len < LINE_MAX ? input.len : LINE_MAX);
    uint64_t time_ms;
    if (!take_number(&at, end, &entry->index) || !take_number(&at, end, &entry->term) ||
        !take_kind(&at, end, entry) || !take_number(&at, end, &time_ms) || time_ms > INT64_MAX ||
        !take_hex(&at, end, &entry->seed) || !take_number(&at, end, len))
        return false;
    entry->origin = (struct entry_origin){.life = 0};
    if (!is_checksum(at, end) && (!take_origin(&at, end, &entry->origin) ||
                                  !origin_is_valid(entry) || !is_checksum(at, end)))
        return false;
    entry->time_ms = (int64_t)time_ms;
    line->count = entry->origin.life ? FIELDS_MAX : ENTRY_FIELDS;
    line->fields[line->count - 1] = span_of(at, CHECKSUM_CHARS);
    line->checked_len = (size_t)(at - input.ptr);
    line->bytes = line->checked_len + CHECKSUM_CHARS + 2;
    return true;
}

static enum record_outcome split_entry_line(struct span input, struct entry *entry, uint64_t *len,
                                            struct line *line)
{
    enum record_outcome outcome = split(input, 6, line);
    if (outcome != RECORD_OK)
        return outcome;
    bool has_origin = line->count == FIELDS_MAX;
    if ((!has_origin && line->count != ENTRY_FIELDS) ||
        !number_parse_u64(line->fields[0], &entry->index) ||
        !number_parse_u64(line->fields[1], &entry->term) || !parse_kind(line->fields[2], entry) ||
        !number_parse_i64(line->fields[3], &entry->time_ms) ||
        !parse_hex(line->fields[4], &entry->seed) || !number_parse_u64(line->fields[5], len))
        return RECORD_BAD;
    entry->origin = (struct entry_origin){.life = 0};
    if (has_origin &&
        (!number_parse_u64(line->fields[6], &entry->origin.node) ||
         !parse_hex(line->fields[7], &entry->origin.life) ||
         !number_parse_u64(line->fields[8], &entry->origin.seq) || !origin_is_valid(entry)))
        return RECORD_BAD;
    return RECORD_OK;
}

static enum record_outcome parse_entry(struct span input, struct record *record)
{
    struct line line;
    struct entry *entry = &record->entry;
    uint64_t len;
    if (!take_entry_line(input, entry, &len, &line)) {
        enum record_outcome outcome = split_entry_line(input, entry, &len, &line);
        if (outcome != RECORD_OK)
            return outcome;
    }
    if (len > ENTRY_BYTES_MAX)
        return RECORD_BAD;
    if (input.len - line.bytes < len)
        return RECORD_TRUNCATED;
    entry->payload = span_of(input.ptr + line.bytes, len);
    entry->record = span_of(input.ptr, line.bytes + len);
    entry->reading.command = 0;
    uint32_t checksum = crc32c(0, input.ptr, line.checked_len);
    if (!checksum_is(line.fields[line.count - 1], crc32c(checksum, entry->payload.ptr, len)))
        return RECORD_BAD;
    record->kind = RECORD_ENTRY;
    record->bytes = entry->record.len;
    return RECORD_OK;
}

/* Parses an annotation that has exactly `count` numbers. */
static enum record_outcome parse_numbers(struct span input, size_t count, uint64_t *numbers,
                                         struct record *record)
{
    struct line line;
    enum record_outcome outcome = split(input, 6, &line);
    if (outcome != RECORD_OK)
        return outcome;
    if (line.count != count + 1 ||
        !checksum_is(line.fields[count], crc32c(0, input.ptr, line.checked_len)))
        return RECORD_BAD;
    for (size_t i = 0; i < count; i++)
        if (!number_parse_u64(line.fields[i], &numbers[i]))
            return RECORD_BAD;
    record->bytes = line.bytes;
    return RECORD_OK;
}

static enum record_outcome parse_vote(struct span input, struct record *record)
{
    uint64_t numbers[2];
    enum record_outcome outcome = parse_numbers(input, 2, numbers, record);
    if (outcome == RECORD_OK) {
        record->kind = RECORD_VOTE;
        record->vote = (struct vote_record){.term = numbers[0], .node = numbers[1]};
    }
    return outcome;
}

static enum record_outcome parse_prev(struct span input, struct record *record)
{
    uint64_t numbers[2];
    enum record_outcome outcome = parse_numbers(input, 2, numbers, record);
    if (outcome == RECORD_OK) {
        record->kind = RECORD_PREV;
        record->prev = (struct prev_record){.index = numbers[0], .term = numbers[1]};
    }
    return outcome;
}

static enum record_outcome parse_sync(struct span input, struct record *record)
{
    uint64_t numbers[2];
    enum record_outcome outcome = parse_numbers(input, 2, numbers, record);
    if (outcome == RECORD_OK) {
        record->kind = RECORD_SYNC;
        record->sync = (struct sync_record){.synced = numbers[0], .at = numbers[1]};
    }
    return outcome;
}

static enum record_outcome parse_held(struct span input, struct record *record)
{
    uint64_t numbers[3];
    enum record_outcome outcome = parse_numbers(input, 3, numbers, record);
    if (outcome == RECORD_OK) {
        record->kind = RECORD_HELD;
        record->held =
            (struct held_record){.seq = numbers[0], .end = numbers[1], .term = numbers[2]};
    }
    return outcome;
}

static enum record_outcome parse_identity(struct span input, struct record *record)
{
    struct line line;
    enum record_outcome outcome = split(input, 6, &line);
    if (outcome != RECORD_OK)
        return outcome;
    struct identity *identity = &record->identity;
    bool is_first = span_equal(line.fields[0], SPAN("1"));
    identity->incarnation = 0;
    if ((!is_first && !span_equal(line.fields[0], SPAN("2"))) || line.count != (is_first ? 4 : 5) ||
        line.fields[1].len != sizeof identity->cluster_id - 1 ||
        !number_parse_u64(line.fields[2], &identity->node_id) ||
        (!is_first && !parse_hex(line.fields[3], &identity->incarnation)) ||
        !checksum_is(line.fields[line.count - 1], crc32c(0, input.ptr, line.checked_len)))
        return RECORD_BAD;
    memcpy(identity->cluster_id, line.fields[1].ptr, line.fields[1].len);
    identity->cluster_id[line.fields[1].len] = '\0';
    record->kind = RECORD_IDENTITY;
    record->bytes = line.bytes;
    return RECORD_OK;
}

/* The number has one form only, so that a damaged one is none. */
static enum record_outcome parse_select(struct span input, struct record *record)
{
    enum { TEXT_MAX = 32 };
    size_t window = input.len < TEXT_MAX ? input.len : TEXT_MAX;
    for (unsigned database = 0; database < ENTRY_DATABASES; database++) {
        char text[TEXT_MAX];
        size_t len = (size_t)snprintf(text, sizeof text, "*2\r\n$6\r\nSELECT\r\n$%d\r\n%u\r\n",
                                      database < 10 ? 1 : 2, database);
        size_t compared = window < len ? window : len;
        if (memcmp(input.ptr, text, compared) != 0)
            continue;
        if (compared < len)
            return RECORD_TRUNCATED;
        record->kind = RECORD_SELECT;
        record->database = database;
        record->bytes = len;
        return RECORD_OK;
    }
    return RECORD_BAD;
}

enum record_outcome record_parse(struct span input, struct record *record)
{
    static const struct {
        const char *prefix;
        enum record_outcome (*parse)(struct span input, struct record *record);
    } kinds[] = {{"#RAFT:", parse_entry},    {"#SYNC:", parse_sync}, {"#VOTE:", parse_vote},
                 {"#NODE:", parse_identity}, {"#PREV:", parse_prev}, {"#HELD:", parse_held},
                 {"*2\r\n$6", parse_select}};

    if (input.len >= 6 && memcmp(input.ptr, "#RAFT:", 6) == 0) /* most are entries */
        return parse_entry(input, record);
    size_t window = input.len < 6 ? input.len : 6;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (window && memcmp(input.ptr, kinds[i].prefix, window) != 0)
            continue;
        return window < 6 ? RECORD_TRUNCATED : kinds[i].parse(input, record);
    }
    return RECORD_BAD;
}
