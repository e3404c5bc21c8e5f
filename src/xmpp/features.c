/* SPDX-License-Identifier: MIT */
#include "xmpp/features.h"

#include "ibb/base64.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strophe.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

_Static_assert(BASE64_ENCODED(XMPP_SHA1_DIGEST_SIZE) + 1 == FEATURES_VER_SIZE, "room for ver");

static const struct identity own_identity = {"client", "bot", "ibbfs"};

/* In the order of their bytes. Nothing in them needs an escape in XML. */
static const char *const own_features[] = {
	NAMESPACE_CAPS,	    NAMESPACE_INFO,	   NAMESPACE_IBB,	  NAMESPACE_SI,
	NAMESPACE_SI_FILE,  MSG_NAMESPACE,	   MSG_NAMESPACE_FOLDERS, MSG_NAMESPACE_RESUME,
	MSG_NAMESPACE_SYNC, NAMESPACE_SHA_1,	   NAMESPACE_SHA_256,	  NAMESPACE_HASHES,
	NAMESPACE_JINGLE,   NAMESPACE_JINGLE_FILE, NAMESPACE_JINGLE_IBB,  NAMESPACE_PING,
};

/* What open_memstream gathered in *text; NULL when memory was short. */
static char *finish(FILE *file, char **text)
{
	bool failed = ferror(file) != 0;
	if (fclose(file) != 0 || failed) {
		free(*text);
		return NULL;
	}
	return *text;
}

/* XEP-0115 section 5.1, steps 1 to 5, for one identity without a language. */
static char *ver_input(const struct identity *identity, const char *const *features, size_t count)
{
	char *text = NULL;
	size_t length;
	FILE *file = open_memstream(&text, &length);
	if (!file) {
		return NULL;
	}
	fprintf(file, "%s/%s//%s<", identity->category, identity->type, identity->name);
	for (size_t i = 0; i < count; i++) {
		assert(i == 0 || strcmp(features[i - 1], features[i]) < 0);
		fprintf(file, "%s<", features[i]);
	}
	return finish(file, &text);
}

int features_ver(const struct identity *identity, const char *const *features, size_t count,
		 char ver[FEATURES_VER_SIZE])
{
	char *input = ver_input(identity, features, count);
	if (!input) {
		return -ENOMEM;
	}
	uint8_t digest[XMPP_SHA1_DIGEST_SIZE];
	xmpp_sha1_digest((const unsigned char *)input, strlen(input), digest);
	free(input);
	ver[base64_encode(ver, digest, sizeof(digest))] = '\0';
	return 0;
}

int features_own_ver(char ver[FEATURES_VER_SIZE])
{
	return features_ver(&own_identity, own_features, COUNT(own_features), ver);
}

char *features_info(void)
{
	char *text = NULL;
	size_t length;
	FILE *file = open_memstream(&text, &length);
	if (!file) {
		return NULL;
	}
	fprintf(file, "<identity category='%s' type='%s' name='%s'/>", own_identity.category,
		own_identity.type, own_identity.name);
	for (size_t i = 0; i < COUNT(own_features); i++) {
		fprintf(file, "<feature var='%s'/>", own_features[i]);
	}
	return finish(file, &text);
}

char *features_capabilities(const char *ver)
{
	char *text = NULL;
	size_t length;
	FILE *file = open_memstream(&text, &length);
	if (!file) {
		return NULL;
	}
	fprintf(file,
		"<c xmlns='" NAMESPACE_CAPS "' hash='sha-1' node='" MSG_NAMESPACE "' ver='%s'/>",
		ver);
	return finish(file, &text);
}
