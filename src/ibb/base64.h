/* SPDX-License-Identifier: MIT */
/*
 * base64 - the encoding of a block on the wire, strict in both directions.
 *
 * Units:   bytes before encoding, characters after; no terminating NUL is read or written.
 * Errors:  decoding refuses everything but the one canonical form of some bytes.
 * Threads: pure functions.
 * Source:  RFC 4648 section 4; XEP-0047 section 2.2 and its security considerations.
 */
#ifndef IBB_BASE64_H
#define IBB_BASE64_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Characters that encode `length` bytes. */
#define BASE64_ENCODED(length) (((length) + 2) / 3 * 4)

/* Writes BASE64_ENCODED(length) characters to `text`; returns that count. */
size_t base64_encode(char *text, const uint8_t *bytes, size_t length);

/*
 * Writes the bytes to `bytes` (room for length / 4 * 3) and returns their count.
 * -EINVAL: a length that is no multiple of 4, a character outside the alphabet (white space is
 * one), padding anywhere but at the end, or bits after the last byte that are not zero; then
 * the contents of `bytes` are undefined.
 */
ssize_t base64_decode(uint8_t *bytes, const char *text, size_t length);

#endif
