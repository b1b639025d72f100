/* Checksums. */
#ifndef FLOTILLA_BASE_CRC_H
#define FLOTILLA_BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli), for log records. `crc` is 0 at first, then the last result. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t len);

/* CRC-16/XMODEM, for keys (Redis Cluster specification, "Key distribution model"). */
uint16_t crc16(const void *bytes, size_t len);

/* CRC-64 for RDB files (Jones' polynomial, reflected). `crc` is 0 at first, then the last
 * result. */
uint64_t crc64(uint64_t crc, const void *bytes, size_t len);

#endif
