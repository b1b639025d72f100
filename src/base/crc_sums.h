/* Tables for checksums, eight bytes at a time. Private to base/.
 *
 * Such a table is linear: a number's entry is the XOR of the entries of its bits. So eight numbers
 * define it, t##0 to t##7, and the preprocessor computes the rest. */
#ifndef FLOTILLA_BASE_CRC_SUMS_H
#define FLOTILLA_BASE_CRC_SUMS_H

/* clang-format off */
#define SUMS_1(sum, t) (sum), (sum) ^ t##0
#define SUMS_2(sum, t) SUMS_1(sum, t), SUMS_1((sum) ^ t##1, t)
#define SUMS_3(sum, t) SUMS_2(sum, t), SUMS_2((sum) ^ t##2, t)
#define SUMS_4(sum, t) SUMS_3(sum, t), SUMS_3((sum) ^ t##3, t)
#define SUMS_5(sum, t) SUMS_4(sum, t), SUMS_4((sum) ^ t##4, t)
#define SUMS_6(sum, t) SUMS_5(sum, t), SUMS_5((sum) ^ t##5, t)
#define SUMS_7(sum, t) SUMS_6(sum, t), SUMS_6((sum) ^ t##6, t)
#define SUMS_8(sum, t) SUMS_7(sum, t), SUMS_7((sum) ^ t##7, t)
/* clang-format on */

#endif
