/* SPDX-License-Identifier: MIT */
#include "xmpp/stream_features.h"

#include <stdint.h>
#include <string.h>

/* The default of its option network_default_read_size. */
#define PROSODY_READ_BYTES 4096

/* The number in `text`, up to the next tag. 0: it is no number. */
static size_t parse_bytes(const char *text)
{
	size_t value = 0;

	for (; *text >= '0' && *text <= '9'; text++) {
		size_t digit = (size_t)(*text - '0');
		/* A limit above SIZE_MAX limits nothing. */
		value = value > (SIZE_MAX - digit) / 10 ? SIZE_MAX : value * 10 + digit;
	}
	return *text == '<' ? value : 0;
}

/* libstrophe serialises the parsed element for its log. So the same element always looks the same,
 * and text cannot look like an element. */
bool stream_features_parse(const char *line, struct stream_features *features)
{
	static const char prefix[] = "RECV: <features ";
	static const char namespace[] = "xmlns=\"urn:xmpp:stream-limits:0\"";
	static const char element[] = "<max-bytes>";
	static const char prosody[] = " node=\"http://prosody.im\"";

	if (strncmp(line, prefix, strlen(prefix)) != 0) {
		return false;
	}
	const char *limits = strstr(line, namespace);
	const char *end = limits != NULL ? strstr(limits, "</limits>") : NULL;
	const char *bytes = end != NULL ? strstr(limits, element) : NULL;
	features->max_bytes =
		bytes != NULL && bytes < end ? parse_bytes(bytes + strlen(element)) : 0;
	features->read_bytes = strstr(line, prosody) != NULL ? PROSODY_READ_BYTES : 0;
	return true;
}
