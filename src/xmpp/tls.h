/* SPDX-License-Identifier: MIT */
/*
 * tls - ALPN and the server's name in libstrophe's TLS handshake, the size of the read buffer, and
 * what came of it.
 *
 * libstrophe neither sets ALPN nor tells the version, and asks for an internationalized domain with
 * the JID's U-labels. Its call of SSL_connect is interposed.
 *
 * Threads: the XMPP thread.
 * Source:  XEP-0368 section 2 (ALPN, RFC 7301); SSL_set_alpn_protos(3), SSL_version(3),
 *          SSL_set_default_read_buffer_len(3). RFC 6066
 *          section 3 (SNI) and RFC 9525 section 6.3: A-labels; X509_VERIFY_PARAM_set1_host(3).
 */
#ifndef XMPP_TLS_H
#define XMPP_TLS_H

#include <stdbool.h>

/* A connection begins, without TLS. `direct`: it begins with the handshake. That must ask for the
 * protocol "xmpp-client", since one port may serve several protocols. `server_name`: the domain
 * with A-labels, for SNI and the certificate; borrowed until the next call. NULL: libstrophe's. */
void tls_begin(bool direct, const char *server_name);

/* The SSL of OpenSSL, which libstrophe frees when the connection ends; NULL: the handshake is not
 * over. */
void *tls_connection(void);

/* The version of TLS as OpenSSL numbers it; 0: the handshake is not over. */
int tls_version(void);

#endif
