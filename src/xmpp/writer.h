/* SPDX-License-Identifier: MIT */
/*
 * writer - serialises a stanza.
 *
 * Errors:  when memory is short, the text is incomplete, and writer_end returns NULL.
 * Threads: none; the caller serialises.
 */
#ifndef XMPP_WRITER_H
#define XMPP_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero is an empty one. */
struct writer {
	char *text; /* kept from one stanza to the next */
	size_t capacity;
	size_t length;
	bool failed;
};

void writer_finish(struct writer *writer);

/* Begins a new text. */
void writer_begin(struct writer *writer);

/* NUL-terminated, valid until the next call; NULL when memory was short. */
const char *writer_end(struct writer *writer);

/* Room for `length` more characters at the end of the text, which the caller adds to
 * writer->length; NULL when memory is short. */
char *writer_reserve(struct writer *writer, size_t length);

void writer_add(struct writer *writer, const char *text);
void writer_add_number(struct writer *writer, int64_t number);
void writer_add_base64(struct writer *writer, const uint8_t *bytes, size_t length);

/* Hexadecimal: two digits for each byte, in lower case. */
void writer_add_hex(struct writer *writer, const uint8_t *bytes, size_t length);

/* Escapes `text` for attributes and text alike. XML 1.0 sections 2.11 and 3.3.3: a parser changes
 * white space other than ' ', unless it is written as a reference. */
void writer_add_escaped(struct writer *writer, const char *text);

/* Adds a space and the attribute. `value` is escaped. */
void writer_add_attribute(struct writer *writer, const char *name, const char *value);

#endif
