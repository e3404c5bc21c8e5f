/* SPDX-License-Identifier: MIT */
/*
 * utf8 - characters in text: whether it is UTF-8, and where it can be truncated.
 *
 * Units:   bytes.
 * Threads: pure functions.
 * Source:  RFC 3629 section 3.
 */
#ifndef IBB_UTF8_H
#define IBB_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Whether all of `text` is: no overlong form, no surrogate, nothing above U+10FFFF. */
bool utf8_is_valid(const char *text);

/* The length of `text` truncated to at most `most` bytes. */
size_t utf8_cut(const char *text, size_t most);

/* A truncated copy, the caller's; NULL when memory is short. */
char *utf8_copy(const char *text, size_t most);

#endif
