/* SPDX-License-Identifier: MIT */
/*
 * base64 - the encoding of a block on the wire.
 *
 * Units:   bytes before encoding, characters after; no terminating NUL is read or written.
 * Errors:  decoding refuses everything but the one canonical form of some bytes, in which white
 *          space may stand.
 * Threads: pure functions.
 * Source:  RFC 4648 section 4; XEP-0047 section 2.2 and its security considerations. Its schema has
 *          xs:base64Binary, in which white space may stand (XML Schema part 2, section 3.2.16);
 *          tkabber and xmpp4r break lines.
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
 * Writes the bytes to `bytes`, of which there may be `size`, and returns their count. Space, tab,
 * line feed and carriage return are skipped. -EINVAL: the number of other characters is no multiple
 * of 4, one is outside the alphabet, padding is anywhere but at the end, or bits after the last
 * byte are not zero. -EMSGSIZE: there are more bytes than `size`. On error the contents of `bytes`
 * are undefined.
 */
ssize_t base64_decode(uint8_t *bytes, size_t size, const char *text, size_t length);

#endif
