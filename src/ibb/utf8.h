/* SPDX-License-Identifier: MIT */
/*
 * utf8 - text that is too long, cut at a character.
 *
 * Units:   bytes.
 * Threads: pure functions.
 * Source:  RFC 3629 section 3.
 */
#ifndef IBB_UTF8_H
#define IBB_UTF8_H

#include <stddef.h>

/* How much of `text` is left when it may have `most` bytes. */
size_t utf8_cut(const char *text, size_t most);

/* A copy of that much, the caller's; NULL when memory is short. */
char *utf8_copy(const char *text, size_t most);

#endif
