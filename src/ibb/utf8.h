/* SPDX-License-Identifier: MIT */
/*
 * utf8 - truncates text at a character boundary.
 *
 * Units:   bytes.
 * Threads: pure functions.
 * Source:  RFC 3629 section 3.
 */
#ifndef IBB_UTF8_H
#define IBB_UTF8_H

#include <stddef.h>

/* The length of `text` truncated to at most `most` bytes. */
size_t utf8_cut(const char *text, size_t most);

/* A truncated copy, the caller's; NULL when memory is short. */
char *utf8_copy(const char *text, size_t most);

#endif
