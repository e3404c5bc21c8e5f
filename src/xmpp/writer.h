/* SPDX-License-Identifier: MIT */
/*
 * output - the text of a stanza that is being written.
 *
 * Errors:  once memory was short, nothing more is written, and output_end says so.
 * Threads: none; an output belongs to who holds it.
 */
#ifndef XMPP_WRITER_H
#define XMPP_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero is an empty one. */
struct output {
	char *text; /* kept from one stanza to the next */
	size_t capacity;
	size_t length;
	bool failed;
};

void output_finish(struct output *output);

/* Begins a new text. */
void output_begin(struct output *output);

/* NUL-terminated, valid until the next call; NULL when memory was short. */
const char *output_end(struct output *output);

/* Room for `length` more characters at the end of the text, which the caller adds to
 * output->length; NULL when memory is short. */
char *output_reserve(struct output *output, size_t length);

void output_add(struct output *output, const char *text);
void output_add_number(struct output *output, int64_t number);
void output_add_base64(struct output *output, const uint8_t *bytes, size_t length);

/* Two digits for each byte, in lower case. */
void output_add_hex(struct output *output, const uint8_t *bytes, size_t length);

/* For attributes and text alike. XML 1.0 sections 2.11 and 3.3.3: white space other than ' ' does
 * not come through unless it is written as a reference. */
void output_add_escaped(struct output *output, const char *text);

/* With a space before it; its value is escaped. */
void output_add_attribute(struct output *output, const char *name, const char *value);

#endif
