/* Numbers and opcodes of the RDB format. Private to keyspace/. */
#ifndef FLOTILLA_KEYSPACE_RDB_CODE_H
#define FLOTILLA_KEYSPACE_RDB_CODE_H

#include "keyspace/rdb.h"

enum {
    RDB_VERSION_WRITTEN = 9,
    RDB_VERSION_OF_PAYLOADS = 10, /* the version that Redis 7.0 writes in DUMP payloads */
    RDB_VERSION_MIN = 5,          /* the first version with a checksum */
    RDB_VERSION_MAX = 11,
    RDB_VERSION_OF_VALKEY = 80, /* the version that Valkey 9 writes in DUMP payloads */
    RDB_TYPE_STRING = 0,
    RDB_TYPE_LIST = 1,
    RDB_TYPE_SET = 2,
    RDB_TYPE_ZSET = 3, /* scores as text */
    RDB_TYPE_HASH = 4,
    RDB_TYPE_ZSET_BINARY = 5,
    RDB_TYPE_MODULE = 7,
    RDB_TYPE_HASH_ZIPMAP = 9,
    RDB_TYPE_LIST_ZIPLIST = 10,
    RDB_TYPE_SET_INTSET = 11,
    RDB_TYPE_ZSET_ZIPLIST = 12,
    RDB_TYPE_HASH_ZIPLIST = 13,
    RDB_TYPE_LIST_QUICKLIST = 14,
    RDB_TYPE_STREAM = 15,
    RDB_TYPE_HASH_LISTPACK = 16,
    RDB_TYPE_ZSET_LISTPACK = 17,
    RDB_TYPE_LIST_QUICKLIST_2 = 18,
    RDB_TYPE_STREAM_2 = 19,
    RDB_TYPE_SET_LISTPACK = 20,
    RDB_TYPE_STREAM_3 = 21,
    RDB_TYPE_HASH_2 = 22, /* of Valkey 9: fields with deadlines */
    RDB_OPCODE_FIRST = 244,
    RDB_OPCODE_SLOT_INFO = 244,
    RDB_OPCODE_FUNCTION = 245,
    RDB_OPCODE_FUNCTION_EARLY = 246, /* written by release candidates of 7.0 */
    RDB_OPCODE_MODULE_AUX = 247,
    RDB_OPCODE_IDLE = 248,
    RDB_OPCODE_FREQ = 249,
    RDB_OPCODE_AUX = 250,
    RDB_OPCODE_RESIZEDB = 251,
    RDB_OPCODE_EXPIRETIME_MS = 252,
    RDB_OPCODE_EXPIRETIME = 253,
    RDB_OPCODE_SELECTDB = 254,
    RDB_OPCODE_EOF = 255,
    RDB_LENGTH_BYTES = 9, /* the longest encoded length */
    RDB_REVISIONS_MAX = 64,
    RDB_STRING_MAX = 512 * 1024 * 1024,
};

enum rdb_encoding { RDB_ENCODING_INT8, RDB_ENCODING_INT16, RDB_ENCODING_INT32, RDB_ENCODING_LZF };

struct rdb_length {
    uint64_t value; /* an enum rdb_encoding if `encoded` */
    bool encoded;
};

void rdb_add_length(struct buf *out, uint64_t length);
/* Appends everything of a string except its bytes and returns those bytes; returns an empty span
 * for an integer in short form. The bytes may be in `scratch`. */
struct span rdb_add_string_head(struct buf *out, const struct item *item, char scratch[24]);
/* The same for any text: a canonical integer of up to 32 bits gets the short form. */
struct span rdb_add_text_head(struct buf *out, struct span text);
/* Appends a whole string as Redis writes it by default: as an integer if it is one, compressed if
 * that makes it shorter. */
void rdb_add_text_packed(struct buf *out, struct span text);
/* What comes before the bytes of a compressed string (rdb_lzf.h). */
void rdb_add_packed_head(struct buf *out, size_t packed, size_t unpacked);
/* Appends a text until `out` has `until` bytes. False: there is more of it. *done says how far it
 * is, 0 at the start; it is 0 again at the end. */
bool rdb_add_text_until(struct buf *out, struct span text, uint64_t *done, size_t until);
void rdb_add_little_endian(struct buf *out, uint64_t value, unsigned count);

uint64_t rdb_little_endian(const unsigned char *bytes, unsigned count);
unsigned rdb_length_bytes(unsigned char first); /* including `first`; 0: not a length */
struct rdb_length rdb_length_of(const unsigned char *bytes);
unsigned rdb_integer_bytes(uint64_t encoding); /* 0: not an integer */
int64_t rdb_integer_of(const unsigned char *bytes, unsigned count);

#endif
