/* SPDX-License-Identifier: MIT */
#include "xmpp/block_text.h"

#include "xmpp/text.h"

#include <string.h>

/* A name with a prefix is not found: no client sends one. */
#define TAG "<data"

bool block_text_is_in(const char *name)
{
	static const char namespace[] = "http://jabber.org/protocol/ibb";
	size_t length = sizeof(namespace) - 1;
	return strncmp(name, namespace, length) == 0 && name[length] != '\0' &&
	       text_equals(name + length + 1, "data");
}

size_t block_text_distance(const char *bytes, size_t length)
{
	const char *end = bytes + length, *at = bytes;
	/* Tags are far apart, and memchr is faster than memmem. */
	while ((at = memchr(at, '<', (size_t)(end - at))) != NULL) {
		if ((size_t)(end - at) > sizeof(TAG) - 1 && memcmp(at, TAG, sizeof(TAG) - 1) == 0) {
			const char *last = memchr(at, '>', (size_t)(end - at));
			return last ? (size_t)(last + 1 - bytes) : length;
		}
		at++;
	}
	return length;
}

size_t block_text_length(const char *bytes, size_t length)
{
	const char *tag = memchr(bytes, '<', length);
	length = tag ? (size_t)(tag - bytes) : length;
	const char *reference = memchr(bytes, '&', length);
	length = reference ? (size_t)(reference - bytes) : length;
	return memchr(bytes, '\0', length) ? 0 : length;
}
