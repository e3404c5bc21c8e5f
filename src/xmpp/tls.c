/* SPDX-License-Identifier: MIT */
#include "xmpp/tls.h"

#include "xmpp/interpose.h"

#include <stddef.h>

/* As ssl.h declares it; the type is opaque here. */
int SSL_connect(void *ssl);

static _Thread_local int version;
static _Thread_local bool is_direct;

void tls_begin(bool direct)
{
	version = 0;
	is_direct = direct;
}

int tls_version(void)
{
	return version;
}

static void set_alpn(void *ssl)
{
	static const unsigned char protocols[] = "\x0bxmpp-client";
	int (*set)(void *, const unsigned char *, unsigned);

	interpose_find("SSL_set_alpn_protos", (void **)&set);
	if (set != NULL) {
		set(ssl, protocols, sizeof(protocols) - 1);
	}
}

INTERPOSED int SSL_connect(void *ssl)
{
	int (*connect)(void *);
	int (*get_version)(const void *);

	interpose(INTERPOSED_SSL_connect, (void **)&connect);
	interpose_find("SSL_version", (void **)&get_version);
	if (is_direct) {
		set_alpn(ssl);
	}
	int result = connect != NULL ? connect(ssl) : -1;
	if (result == 1 && get_version != NULL) {
		version = get_version(ssl);
	}
	return result;
}
