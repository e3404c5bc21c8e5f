/* SPDX-License-Identifier: MIT */
/*
 * tls - what libstrophe's TLS handshake is to say, and what came of it.
 *
 * libstrophe neither asks for a protocol nor tells the version. Its call of SSL_connect is
 * interposed.
 *
 * Threads: the XMPP thread.
 * Source:  XEP-0368 section 2 (ALPN, RFC 7301); SSL_set_alpn_protos(3), SSL_version(3).
 */
#ifndef XMPP_TLS_H
#define XMPP_TLS_H

#include <stdbool.h>

/* A connection begins, without TLS. With `direct` the handshake comes first, and asks for
 * "xmpp-client": one port may serve several protocols. */
void tls_begin(bool direct);

/* The version of the connection's TLS, as OpenSSL numbers it; 0: there is none yet. */
int tls_version(void);

#endif
