/* SPDX-License-Identifier: MIT */
#include "xmpp/tls.h"

#include "xmpp/interpose.h"

#include <stddef.h>

/* As ssl.h declares it; the type is opaque here. */
int SSL_connect(void *ssl);

/* SSL_set_tlsext_host_name() is a macro of ssl.h and tls1.h. */
#define CONTROL_SET_HOST_NAME 55
#define TYPE_HOST_NAME	      0

static _Thread_local void *connection;
static _Thread_local int version;
static _Thread_local bool is_direct;
static _Thread_local const char *name;

void tls_begin(bool direct, const char *server_name)
{
	connection = NULL;
	version = 0;
	is_direct = direct;
	name = server_name;
}

void *tls_connection(void)
{
	return connection;
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

/* libstrophe has set the JID's domain, with its U-labels. If a function is not found, that stays:
 * no certificate has it then. */
static void set_name(void *ssl)
{
	long (*control)(void *, int, long, const char *);
	void *(*get_parameters)(void *);
	int (*set_host)(void *, const char *, size_t);

	interpose_find("SSL_ctrl", (void **)&control);
	interpose_find("SSL_get0_param", (void **)&get_parameters);
	interpose_find("X509_VERIFY_PARAM_set1_host", (void **)&set_host);
	if (control != NULL && get_parameters != NULL && set_host != NULL) {
		control(ssl, CONTROL_SET_HOST_NAME, TYPE_HOST_NAME, name);
		set_host(get_parameters(ssl), name, 0);
	}
}

/* OpenSSL's own buffer holds one record. With read-ahead (reader.c), a read fills it. */
#define READ_BUFFER_BYTES 65536

static void set_read_buffer(void *ssl)
{
	void (*set)(void *, size_t);

	interpose_find("SSL_set_default_read_buffer_len", (void **)&set);
	if (set != NULL) {
		set(ssl, READ_BUFFER_BYTES);
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
	if (name != NULL) {
		set_name(ssl);
	}
	set_read_buffer(ssl);
	int result = connect != NULL ? connect(ssl) : -1;
	if (result == 1) {
		connection = ssl;
		version = get_version != NULL ? get_version(ssl) : 0;
	}
	return result;
}
