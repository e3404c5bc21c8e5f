/* SPDX-License-Identifier: MIT */
#include "xmpp/challenge.h"

#include "ibb/base64.h"
#include "xmpp/text.h"

#include <stdint.h>
#include <string.h>

/* False: it is too long, or no base64 of text. White space may not stand in it (RFC 6120 section
 * 6.4.2). */
static bool decode(char decoded[CHALLENGE_MAX + 1], const char *text)
{
	size_t length = strcspn(text, " \t\r\n");
	if (length > CHALLENGE_MAX || text[length] != '\0') {
		return false;
	}
	ssize_t count = base64_decode((uint8_t *)decoded, CHALLENGE_MAX, text, length);
	if (count < 0 || memchr(decoded, '\0', (size_t)count)) {
		return false;
	}
	decoded[count] = '\0';
	return true;
}

/* Cuts the attribute `name` from the front of *rest. Its value; NULL: another one is there. */
static char *take_attribute(char **rest, char name)
{
	char *text = *rest;
	if (!text || text[0] != name || text[1] != '=') {
		return NULL;
	}
	char *end = strchr(text, ',');
	*rest = end ? end + 1 : NULL;
	if (end) {
		*end = '\0';
	}
	return text + 2;
}

/* Whether the attributes are extensions, which are ignored. libstrophe would use a second salt. */
static bool are_extensions(const char *rest)
{
	for (; rest; rest = strchr(rest, ',')) {
		rest += *rest == ',';
		if (*rest != '\0' && strchr("rsi", *rest) && rest[1] == '=') {
			return false;
		}
	}
	return true;
}

bool challenge_is_of_scram(const char *text)
{
	char decoded[CHALLENGE_MAX + 1];
	uint8_t bytes[CHALLENGE_MAX_SALT];
	uint64_t number = 0;
	if (!decode(decoded, text)) {
		return false;
	}
	char *rest = decoded;
	const char *nonce = take_attribute(&rest, 'r');
	const char *salt = nonce ? take_attribute(&rest, 's') : NULL;
	const char *rounds = salt ? take_attribute(&rest, 'i') : NULL;
	return rounds && are_extensions(rest) && *nonce != '\0' &&
	       base64_decode(bytes, sizeof(bytes), salt, strlen(salt)) > 0 &&
	       text_to_number(rounds, CHALLENGE_MAX_ROUNDS, &number) && number > 0;
}

/* The end of a value that begins there; NULL: it has none. White space ends a value only behind its
 * quotes: for libstrophe, others end at a comma. */
static const char *end_of_value(const char *text)
{
	if (*text != '"') {
		const char *end = text + strcspn(text, ",\"' ");
		return end > text && (*end == ',' || *end == '\0') ? end : NULL;
	}
	const char *quote = strchr(text + 1, '"');
	return quote ? quote + 1 : NULL;
}

bool challenge_is_of_digest(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-";
	char decoded[CHALLENGE_MAX + 1];
	bool has_nonce = false;
	if (!decode(decoded, text)) {
		return false;
	}
	const char *at = decoded + strspn(decoded, ", ");
	while (*at != '\0') {
		size_t length = strspn(at, letters);
		if (length == 0 || at[length] != '=') {
			return false;
		}
		has_nonce |= length == strlen("nonce") && strncmp(at, "nonce", length) == 0;
		at = end_of_value(at + length + 1);
		if (!at || (*at != '\0' && *at != ',' && *at != ' ')) {
			return false;
		}
		at += strspn(at, ", ");
	}
	return has_nonce;
}
