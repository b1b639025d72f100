/* Checksums. */
#ifndef FLOTILLA_BASE_CRC_H
#define FLOTILLA_BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli), of log records. Pass 0 to begin, the last result to go on. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t len);

/* CRC-16/XMODEM, of keys (Redis Cluster specification, "Key distribution model"). */
uint16_t crc16(const void *bytes, size_t len);

/* CRC-64 of RDB files (polynomial of Jones, reflected). Pass 0 to begin, the last result to go on.
 */
uint64_t crc64(uint64_t crc, const void *bytes, size_t len);

#endif
