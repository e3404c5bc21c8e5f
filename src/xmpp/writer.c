/* SPDX-License-Identifier: MIT */
#include "xmpp/writer.h"

#include "ibb/base64.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void writer_finish(struct writer *writer)
{
	free(writer->text);
	*writer = (struct writer){0};
}

void writer_begin(struct writer *writer)
{
	writer->length = 0;
	writer->failed = false;
}

const char *writer_end(struct writer *writer)
{
	char *end = writer_reserve(writer, 0);
	if (!end) {
		return NULL;
	}
	*end = '\0';
	return writer->text;
}

char *writer_reserve(struct writer *writer, size_t length)
{
	size_t needed = writer->length + length + 1;
	if (!writer->failed && needed > writer->capacity) {
		size_t capacity = needed < 512 ? 512 : needed + needed / 2;
		char *text = realloc(writer->text, capacity);
		writer->failed = text == NULL;
		if (text) {
			writer->text = text;
			writer->capacity = capacity;
		}
	}
	return writer->failed ? NULL : writer->text + writer->length;
}

static void add_bytes(struct writer *writer, const char *bytes, size_t length)
{
	char *at = writer_reserve(writer, length);
	if (at) {
		memcpy(at, bytes, length);
		writer->length += length;
	}
}

void writer_add(struct writer *writer, const char *text)
{
	add_bytes(writer, text, strlen(text));
}

void writer_add_number(struct writer *writer, int64_t number)
{
	char digits[24];
	snprintf(digits, sizeof(digits), "%" PRId64, number);
	writer_add(writer, digits);
}

void writer_add_base64(struct writer *writer, const uint8_t *bytes, size_t length)
{
	char *at = writer_reserve(writer, BASE64_ENCODED(length));
	if (at) {
		writer->length += base64_encode(at, bytes, length);
	}
}

void writer_add_hex(struct writer *writer, const uint8_t *bytes, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	char *at = writer_reserve(writer, 2 * length);
	for (size_t i = 0; at && i < length; i++) {
		*at++ = digits[bytes[i] >> 4];
		*at++ = digits[bytes[i] & 15];
		writer->length += 2;
	}
}

void writer_add_escaped(struct writer *writer, const char *text)
{
	static const char special[] = "&<>\"'\t\n\r";
	static const char *const references[] = {
		"&amp;", "&lt;", "&gt;", "&quot;", "&apos;", "&#9;", "&#10;", "&#13;",
	};
	for (;;) {
		size_t plain = strcspn(text, special);
		add_bytes(writer, text, plain);
		text += plain;
		if (*text == '\0') {
			return;
		}
		writer_add(writer, references[strchr(special, *text) - special]);
		text++;
	}
}

void writer_add_attribute(struct writer *writer, const char *name, const char *value)
{
	writer_add(writer, " ");
	writer_add(writer, name);
	writer_add(writer, "='");
	writer_add_escaped(writer, value);
	writer_add(writer, "'");
}
