/* SPDX-License-Identifier: MIT */
/*
 * The challenge of a login: what is taken for one that libstrophe can answer is that also for a
 * parser that looks for the attributes as libstrophe does. The input is the challenge before
 * base64.
 */
#include "fuzz.h"
#include "ibb/base64.h"
#include "xmpp/challenge.h"

#include <stdbool.h>
#include <string.h>

/* The value of the last attribute with that name, in a list with commas; NULL: there is none. It
 * ends at the next comma. */
static const char *last_value(const char *text, char name)
{
	const char *found = NULL;
	for (const char *at = text; at; at = strchr(at, ',')) {
		at += *at == ',';
		found = at[0] == name && at[1] == '=' ? at + 2 : found;
	}
	return found;
}

static void check_scram(const char *text)
{
	uint8_t salt[CHALLENGE_MAX_SALT];
	const char *base64 = last_value(text, 's');
	const char *rounds = last_value(text, 'i');
	FUZZ_CHECK(last_value(text, 'r') && base64 && rounds);
	FUZZ_CHECK(base64_decode(salt, sizeof(salt), base64, strcspn(base64, ",")) > 0);
	long number = strtol(rounds, NULL, 10);
	FUZZ_CHECK(number >= 1 && number <= CHALLENGE_MAX_ROUNDS);
}

/* A value in quotes of either kind, or up to the next comma. */
static const char *after_value(const char *at)
{
	if (*at != '"' && *at != '\'') {
		return at + strcspn(at, ",");
	}
	const char *end = strchr(at + 1, *at);
	return end ? end + 1 : at + strlen(at);
}

/* A key is whatever is before an equals sign. */
static bool has_nonce(const char *at)
{
	for (;;) {
		at += strspn(at, ", ");
		size_t length = strcspn(at, "=");
		if (at[length] == '\0') {
			return false;
		}
		if (length == strlen("nonce") && strncmp(at, "nonce", length) == 0) {
			return true;
		}
		at = after_value(at + length + 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	char *text = fuzz_string(bytes, length);
	char *base64 = malloc(BASE64_ENCODED(length) + 1);
	FUZZ_CHECK(base64 != NULL);
	base64[base64_encode(base64, bytes, length)] = '\0';
	bool of_scram = challenge_is_of_scram(base64);
	bool of_digest = challenge_is_of_digest(base64);
	FUZZ_CHECK(strlen(text) == length || (!of_scram && !of_digest));
	if (of_scram) {
		check_scram(text);
	}
	FUZZ_CHECK(!of_digest || has_nonce(text));
	/* As it is, it is no base64, or any. */
	challenge_is_of_scram(text);
	challenge_is_of_digest(text);
	free(base64);
	free(text);
	return 0;
}
