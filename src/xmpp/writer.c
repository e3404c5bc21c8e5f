/* SPDX-License-Identifier: MIT */
#include "xmpp/writer.h"

#include "ibb/base64.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void output_finish(struct output *output)
{
	free(output->text);
	*output = (struct output){0};
}

void output_begin(struct output *output)
{
	output->length = 0;
	output->failed = false;
}

const char *output_end(struct output *output)
{
	char *end = output_reserve(output, 0);
	if (!end) {
		return NULL;
	}
	*end = '\0';
	return output->text;
}

char *output_reserve(struct output *output, size_t length)
{
	size_t needed = output->length + length + 1;
	if (!output->failed && needed > output->capacity) {
		size_t capacity = needed < 512 ? 512 : needed + needed / 2;
		char *text = realloc(output->text, capacity);
		output->failed = text == NULL;
		if (text) {
			output->text = text;
			output->capacity = capacity;
		}
	}
	return output->failed ? NULL : output->text + output->length;
}

static void add_bytes(struct output *output, const char *bytes, size_t length)
{
	char *at = output_reserve(output, length);
	if (at) {
		memcpy(at, bytes, length);
		output->length += length;
	}
}

void output_add(struct output *output, const char *text)
{
	add_bytes(output, text, strlen(text));
}

void output_add_number(struct output *output, int64_t number)
{
	char digits[24];
	snprintf(digits, sizeof(digits), "%" PRId64, number);
	output_add(output, digits);
}

void output_add_base64(struct output *output, const uint8_t *bytes, size_t length)
{
	char *at = output_reserve(output, BASE64_ENCODED(length));
	if (at) {
		output->length += base64_encode(at, bytes, length);
	}
}

void output_add_hex(struct output *output, const uint8_t *bytes, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	char *at = output_reserve(output, 2 * length);
	for (size_t i = 0; at && i < length; i++) {
		*at++ = digits[bytes[i] >> 4];
		*at++ = digits[bytes[i] & 15];
		output->length += 2;
	}
}

void output_add_escaped(struct output *output, const char *text)
{
	static const char special[] = "&<>\"'\t\n\r";
	static const char *const references[] = {
		"&amp;", "&lt;", "&gt;", "&quot;", "&apos;", "&#9;", "&#10;", "&#13;",
	};
	for (;;) {
		size_t plain = strcspn(text, special);
		add_bytes(output, text, plain);
		text += plain;
		if (*text == '\0') {
			return;
		}
		output_add(output, references[strchr(special, *text) - special]);
		text++;
	}
}

void output_add_attribute(struct output *output, const char *name, const char *value)
{
	output_add(output, " ");
	output_add(output, name);
	output_add(output, "='");
	output_add_escaped(output, value);
	output_add(output, "'");
}
