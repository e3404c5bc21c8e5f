/* SPDX-License-Identifier: MIT */
/*
 * tls - ALPN in libstrophe's TLS handshake, and the version that was negotiated.
 *
 * libstrophe neither sets ALPN nor tells the version. Its call of SSL_connect is interposed.
 *
 * Threads: the XMPP thread.
 * Source:  XEP-0368 section 2 (ALPN, RFC 7301); SSL_set_alpn_protos(3), SSL_version(3).
 */
#ifndef XMPP_TLS_H
#define XMPP_TLS_H

#include <stdbool.h>

/* A connection begins, without TLS. `direct`: it begins with the handshake. That must ask for the
 * protocol "xmpp-client", since one port may serve several protocols. */
void tls_begin(bool direct);

/* The version of TLS as OpenSSL numbers it; 0: the handshake is not over. */
int tls_version(void);

#endif
