/* CRC-16/XMODEM: polynomial 0x1021, not reflected, initial value 0. Eight bytes at a time, as
 * crc64.c does. */
#include "base/crc.h"
#include "base/crc_sums.h"

#define T0_0 UINT16_C(0x1021)
#define T0_1 UINT16_C(0x2042)
#define T0_2 UINT16_C(0x4084)
#define T0_3 UINT16_C(0x8108)
#define T0_4 UINT16_C(0x1231)
#define T0_5 UINT16_C(0x2462)
#define T0_6 UINT16_C(0x48c4)
#define T0_7 UINT16_C(0x9188)
#define T1_0 UINT16_C(0x3331)
#define T1_1 UINT16_C(0x6662)
#define T1_2 UINT16_C(0xccc4)
#define T1_3 UINT16_C(0x89a9)
#define T1_4 UINT16_C(0x0373)
#define T1_5 UINT16_C(0x06e6)
#define T1_6 UINT16_C(0x0dcc)
#define T1_7 UINT16_C(0x1b98)
#define T2_0 UINT16_C(0x3730)
#define T2_1 UINT16_C(0x6e60)
#define T2_2 UINT16_C(0xdcc0)
#define T2_3 UINT16_C(0xa9a1)
#define T2_4 UINT16_C(0x4363)
#define T2_5 UINT16_C(0x86c6)
#define T2_6 UINT16_C(0x1dad)
#define T2_7 UINT16_C(0x3b5a)
#define T3_0 UINT16_C(0x76b4)
#define T3_1 UINT16_C(0xed68)
#define T3_2 UINT16_C(0xcaf1)
#define T3_3 UINT16_C(0x85c3)
#define T3_4 UINT16_C(0x1ba7)
#define T3_5 UINT16_C(0x374e)
#define T3_6 UINT16_C(0x6e9c)
#define T3_7 UINT16_C(0xdd38)
#define T4_0 UINT16_C(0xaa51)
#define T4_1 UINT16_C(0x4483)
#define T4_2 UINT16_C(0x8906)
#define T4_3 UINT16_C(0x022d)
#define T4_4 UINT16_C(0x045a)
#define T4_5 UINT16_C(0x08b4)
#define T4_6 UINT16_C(0x1168)
#define T4_7 UINT16_C(0x22d0)
#define T5_0 UINT16_C(0x45a0)
#define T5_1 UINT16_C(0x8b40)
#define T5_2 UINT16_C(0x06a1)
#define T5_3 UINT16_C(0x0d42)
#define T5_4 UINT16_C(0x1a84)
#define T5_5 UINT16_C(0x3508)
#define T5_6 UINT16_C(0x6a10)
#define T5_7 UINT16_C(0xd420)
#define T6_0 UINT16_C(0xb861)
#define T6_1 UINT16_C(0x60e3)
#define T6_2 UINT16_C(0xc1c6)
#define T6_3 UINT16_C(0x93ad)
#define T6_4 UINT16_C(0x377b)
#define T6_5 UINT16_C(0x6ef6)
#define T6_6 UINT16_C(0xddec)
#define T6_7 UINT16_C(0xabf9)
#define T7_0 UINT16_C(0x47d3)
#define T7_1 UINT16_C(0x8fa6)
#define T7_2 UINT16_C(0x0f6d)
#define T7_3 UINT16_C(0x1eda)
#define T7_4 UINT16_C(0x3db4)
#define T7_5 UINT16_C(0x7b68)
#define T7_6 UINT16_C(0xf6d0)
#define T7_7 UINT16_C(0xfd81)

/* tables[n][i]: the CRC of byte i followed by n zero bytes */
static const uint16_t tables[8][256] = {
    {SUMS_8(0, T0_)}, {SUMS_8(0, T1_)}, {SUMS_8(0, T2_)}, {SUMS_8(0, T3_)},
    {SUMS_8(0, T4_)}, {SUMS_8(0, T5_)}, {SUMS_8(0, T6_)}, {SUMS_8(0, T7_)},
};

uint16_t crc16(const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    unsigned crc = 0;
    for (; len >= 8; len -= 8, at += 8)
        crc = (unsigned)tables[7][at[0] ^ crc >> 8] ^ tables[6][at[1] ^ (crc & 0xff)] ^
              tables[5][at[2]] ^ tables[4][at[3]] ^ tables[3][at[4]] ^ tables[2][at[5]] ^
              tables[1][at[6]] ^ tables[0][at[7]];
    for (; len; len--, at++)
        crc = (crc << 8 & 0xffff) ^ tables[0][crc >> 8 ^ *at];
    return (uint16_t)crc;
}
