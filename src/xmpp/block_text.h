/* SPDX-License-Identifier: MIT */
/*
 * block_text - finds the text of blocks in what the server sends, so that expat need not parse it.
 *
 * Nearly everything that is received is base64. expat looks at each byte of text twice, one at a
 * time, which took a third of the CPU time of a transfer. Text needs no parser up to the next `<`
 * or `&`. So what was read is parsed in parts, each up to the end of a tag that may begin a block;
 * if it has begun one, the text is taken as it is:
 *
 *     ...</data></iq><iq ...><data ...>|SGVsbG8gd29ybGQ...|</data></iq>...
 *                     parsed           |       taken      |   parsed
 *
 * What is taken is not checked for characters that XML forbids: whoever decodes it refuses what is
 * no base64.
 *
 * Units:   bytes.
 * Threads: any.
 * Source:  XEP-0047 section 2.2; XML 1.0 section 2.4 (character data).
 */
#ifndef XMPP_BLOCK_TEXT_H
#define XMPP_BLOCK_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Whether an element is a block. `name` is expat's, with the namespace before a separator. */
bool block_text_is_in(const char *name);

/* How many bytes must be parsed, up to the end of the next tag that may begin a block, or all. They
 * need not begin or end with a tag. */
size_t block_text_distance(const char *bytes, size_t length);

/* How many of these bytes of a block are text: up to the next tag or reference. 0: none, or there
 * is a NUL among them, which must be parsed. */
size_t block_text_length(const char *bytes, size_t length);

#endif
