/* SPDX-License-Identifier: MIT */
#include "xmpp/channel_binding.h"

#include "xmpp/interpose.h"
#include "xmpp/tls.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strophe.h>

/* OpenSSL's TLS1_3_VERSION. */
#define VERSION_TLS_1_3 0x0304

static _Thread_local bool is_given_up;
static _Thread_local bool has_scram;

void channel_binding_begin(void)
{
	is_given_up = false;
	has_scram = false;
}

bool channel_binding_has_scram(void)
{
	return has_scram;
}

void channel_binding_refused(void)
{
	has_scram = false;
}

const char *channel_binding_type(void)
{
	int version = tls_version();

	if (version == 0) {
		return NULL;
	}
	return version >= VERSION_TLS_1_3 ? "tls-exporter" : "tls-unique";
}

void channel_binding_give_up(bool given_up)
{
	is_given_up = given_up;
}

/* Whether it is the first SCRAM message: it begins with a gs2-cbind-flag. No message of another
 * mechanism does. */
static bool begins_scram(const unsigned char *data, size_t length)
{
	return length >= 3 && (memcmp(data, "n,", 2) == 0 || memcmp(data, "y,", 2) == 0 ||
			       memcmp(data, "p=", 2) == 0);
}

/* The first SCRAM message begins with "y,,", and the second repeats that; both must be changed
 * alike. Nothing else that libstrophe encodes begins with it. */
INTERPOSED char *xmpp_base64_encode(xmpp_ctx_t *ctx, const unsigned char *data, size_t length)
{
	char *(*encode)(xmpp_ctx_t *, const unsigned char *, size_t);

	interpose(INTERPOSED_xmpp_base64_encode, (void **)&encode);
	if (encode == NULL) {
		return NULL;
	}
	has_scram |= begins_scram(data, length);
	if (!is_given_up || length < 3 || memcmp(data, "y,,", 3) != 0) {
		return encode(ctx, data, length);
	}
	unsigned char *changed = malloc(length);
	if (changed == NULL) {
		return NULL;
	}
	memcpy(changed, data, length);
	changed[0] = 'n';
	char *text = encode(ctx, changed, length);
	free(changed);
	return text;
}
