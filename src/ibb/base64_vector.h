/* SPDX-License-Identifier: MIT */
/*
 * base64_vector - base64 sixteen characters at a time, on a CPU that has the instructions.
 *
 * The functions do as much as they can, and the caller the rest. On another CPU they do nothing.
 *
 * Units:   bytes before encoding, characters after.
 * Errors:  none.
 * Threads: pure functions.
 * Source:  W. Mula, D. Lemire: Faster Base64 Encoding and Decoding Using AVX2 Instructions, ACM
 *          Transactions on the Web 12 (2018); here with vectors of 16 bytes (SSSE3).
 */
#ifndef IBB_BASE64_VECTOR_H
#define IBB_BASE64_VECTOR_H

#include <stddef.h>
#include <stdint.h>

/* Encodes a multiple of 3 of the `length` bytes, and returns how many. */
size_t base64_vector_encode(char *text, const uint8_t *bytes, size_t length);

/* Decodes a multiple of 4 of the `length` characters, and returns how many: at most up to the first
 * that is not in the alphabet. `bytes` has room for all of them. */
size_t base64_vector_decode(uint8_t *bytes, const char *text, size_t length);

#endif
