/* LZF, as Redis compresses strings in RDB files and payloads. Private to keyspace/.
 *
 *     000LLLLL                     L + 1 bytes follow as they are
 *     LLLddddd dddddddd            L + 2 bytes from d + 1 bytes back; L not 0, not 7
 *     111ddddd llllllll dddddddd   l + 9 bytes */
#ifndef FLOTILLA_KEYSPACE_RDB_LZF_H
#define FLOTILLA_KEYSPACE_RDB_LZF_H

#include "base/buf.h"

enum { RDB_LZF_SPARED = 4 }; /* Redis compresses only what becomes so many bytes shorter */

/* Appends the text in compressed form, byte for byte as Redis 7 does. False, and nothing appended:
 * it does not become RDB_LZF_SPARED bytes shorter. */
bool rdb_pack(struct span text, struct buf *out);

/* Whether `packed` bytes can unpack to `unpacked` bytes. A back reference of three bytes gives up
 * to 264. */
bool rdb_packed_plausible(uint64_t packed, uint64_t unpacked);
/* False if `packed` does not give exactly `len` bytes. Empties `out` first. */
bool rdb_unpack(struct span packed, size_t len, struct buf *out);

#endif
