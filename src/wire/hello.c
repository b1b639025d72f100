#include "wire/hello.h"

#include <string.h>

#include "base/assert.h"
#include "base/number.h"

static const char hex_digits[] = "0123456789abcdef";
static const char *const lane_names[WIRE_LANES] = {[WIRE_BULK] = "bulk", [WIRE_URGENT] = "urgent"};
static const char *const proof_names[] = {
    [WIRE_DIALLER] = "RAFT.PROOF", [WIRE_ACCEPTOR] = "RAFT.WELCOME"};
static const char no_cluster[] = "0000000000000000000000000000000000000000";

static void add_bulk(struct buf *out, struct span text)
{
    buf_printf(out, "$%zu\r\n", text.len);
    buf_add_span(out, text);
    buf_add_text(out, "\r\n");
}

static void add_number(struct buf *out, uint64_t value)
{
    char text[NUMBER_I64_CHARS];
    add_bulk(out, span_of(text, number_format_u64(text, value)));
}

static void add_hex(struct buf *out, const unsigned char *bytes, size_t len)
{
    char text[2 * WIRE_NONCE_BYTES];
    ASSERT(2 * len <= sizeof text);
    for (size_t i = 0; i < len; i++) {
        text[2 * i] = hex_digits[bytes[i] >> 4];
        text[2 * i + 1] = hex_digits[bytes[i] & 15];
    }
    add_bulk(out, span_of(text, 2 * len));
}

void wire_encode_hello(struct buf *out, const struct wire_hello *hello)
{
    buf_add_text(out, "*8\r\n");
    add_bulk(out, SPAN("RAFT.HELLO"));
    add_number(out, hello->version);
    add_number(out, hello->from);
    add_number(out, hello->to);
    add_number(out, hello->incarnation);
    add_bulk(out, span_of(hello->cluster_id, WIRE_CLUSTER_ID));
    add_bulk(out, span_text(lane_names[hello->lane]));
    add_hex(out, hello->nonce, WIRE_NONCE_BYTES);
}

void wire_encode_challenge(struct buf *out, const struct wire_challenge *challenge)
{
    buf_add_text(out, "*4\r\n");
    add_bulk(out, SPAN("RAFT.CHALLENGE"));
    add_number(out, challenge->incarnation);
    add_bulk(out, span_of(challenge->cluster_id, WIRE_CLUSTER_ID));
    add_hex(out, challenge->nonce, WIRE_NONCE_BYTES);
}

void wire_encode_proof(struct buf *out, enum wire_role role, const struct wire_proof *proof)
{
    buf_add_text(out, "*2\r\n");
    add_bulk(out, span_text(proof_names[role]));
    add_hex(out, proof->bytes, proof->given ? WIRE_PROOF_BYTES : 0);
}

static int hex_value(char digit)
{
    const char *at = digit ? strchr(hex_digits, digit) : NULL;
    return at ? (int)(at - hex_digits) : -1;
}

static bool parse_hex(struct span text, unsigned char *bytes, size_t len)
{
    if (text.len != 2 * len)
        return false;
    for (size_t i = 0; i < len; i++) {
        int high = hex_value(text.ptr[2 * i]);
        int low = hex_value(text.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

static bool parse_cluster_id(struct span text, char id[WIRE_CLUSTER_ID + 1])
{
    unsigned char digits[WIRE_CLUSTER_ID / 2];
    if (!parse_hex(text, digits, sizeof digits))
        return false;
    memcpy(id, text.ptr, WIRE_CLUSTER_ID);
    id[WIRE_CLUSTER_ID] = '\0';
    return true;
}

static bool parse_lane(struct span text, enum wire_lane *lane)
{
    for (unsigned i = 0; i < WIRE_LANES; i++) {
        *lane = (enum wire_lane)i;
        if (span_equal(text, span_text(lane_names[i])))
            return true;
    }
    return false;
}

enum err wire_parse_hello(const struct span *args, size_t argc, struct wire_hello *hello)
{
    uint64_t version;
    if (argc < 2 || !span_is(args[0], "RAFT.HELLO") || !number_parse_u64(args[1], &version))
        return ERR_INVALID;
    if (version < WIRE_VERSION_OLDEST || version > WIRE_VERSION)
        return ERR_FOREIGN;
    if (argc != 8)
        return ERR_INVALID;
    hello->version = (uint32_t)version;
    if (!number_parse_u64(args[2], &hello->from) || !number_parse_u64(args[3], &hello->to) ||
        !number_parse_u64(args[4], &hello->incarnation) || hello->incarnation == 0)
        return ERR_INVALID;
    if (!parse_cluster_id(args[5], hello->cluster_id) || !parse_lane(args[6], &hello->lane) ||
        !parse_hex(args[7], hello->nonce, WIRE_NONCE_BYTES))
        return ERR_INVALID;
    return ERR_NONE;
}

enum err wire_parse_challenge(const struct span *args, size_t argc,
                              struct wire_challenge *challenge)
{
    if (argc != 4 || !span_is(args[0], "RAFT.CHALLENGE") ||
        !number_parse_u64(args[1], &challenge->incarnation) || challenge->incarnation == 0)
        return ERR_INVALID;
    if (!parse_cluster_id(args[2], challenge->cluster_id) ||
        !parse_hex(args[3], challenge->nonce, WIRE_NONCE_BYTES))
        return ERR_INVALID;
    return ERR_NONE;
}

enum err wire_parse_proof(const struct span *args, size_t argc, enum wire_role role,
                          struct wire_proof *proof)
{
    if (argc != 2 || !span_is(args[0], proof_names[role]))
        return ERR_INVALID;
    proof->given = args[1].len > 0;
    if (proof->given && !parse_hex(args[1], proof->bytes, WIRE_PROOF_BYTES))
        return ERR_INVALID;
    return ERR_NONE;
}

static void add_field(struct buf *out, const void *bytes, size_t len)
{
    ASSERT(len <= UINT8_MAX);
    buf_add_char(out, (char)len);
    buf_add(out, bytes, len);
}

static void add_number_field(struct buf *out, uint64_t value)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(value >> (56 - 8 * i));
    add_field(out, bytes, sizeof bytes);
}

void wire_encode_transcript(struct buf *out, enum wire_role role, const struct wire_hello *hello,
                            const struct wire_challenge *challenge)
{
    static const char protocol[] = "flotilla node handshake";
    add_field(out, protocol, sizeof protocol - 1);
    add_number_field(out, hello->version);
    add_number_field(out, role);
    add_number_field(out, hello->lane);
    add_field(out, hello->nonce, WIRE_NONCE_BYTES);
    add_field(out, challenge->nonce, WIRE_NONCE_BYTES);
    add_number_field(out, hello->from);
    add_number_field(out, hello->to);
    add_number_field(out, hello->incarnation);
    add_number_field(out, challenge->incarnation);
    add_field(out, hello->cluster_id, WIRE_CLUSTER_ID);
    add_field(out, challenge->cluster_id, WIRE_CLUSTER_ID);
}

bool wire_is_no_cluster(const char *id)
{
    return strcmp(id, no_cluster) == 0;
}

bool wire_cluster_ids_agree(const char *one, const char *other)
{
    return strcmp(one, other) == 0 || wire_is_no_cluster(one) || wire_is_no_cluster(other);
}
