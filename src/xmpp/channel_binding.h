/* SPDX-License-Identifier: MIT */
/*
 * channel_binding - how libstrophe binds a login to the TLS connection.
 *
 * libstrophe from 0.13 on binds with a SCRAM mechanism that ends in -PLUS, to tls-exporter over TLS
 * 1.3 and to tls-unique before; with one that does not, it says that the server cannot bind ("y"),
 * though it may only be that the two cannot bind to the same thing. Then it must say that it cannot
 * itself ("n"). Neither can be asked of it; so what it is about to encode as a SCRAM message is
 * changed: the function that encodes it is interposed. The version of TLS comes from tls.h.
 * libstrophe 0.12 never binds, and says "n" by itself.
 *
 * Threads: the XMPP thread.
 * Source:  RFC 5802 sections 6 and 7 (gs2-cbind-flag); RFC 5929, RFC 9266; _make_scram_init_msg of
 *          libstrophe 0.14.0; SSL_version(3).
 */
#ifndef XMPP_CHANNEL_BINDING_H
#define XMPP_CHANNEL_BINDING_H

#include <stdbool.h>

/* A connection begins: without TLS, and without a binding that was given up. */
void channel_binding_begin(void);

/* What libstrophe binds to on the connection that was made last: "tls-exporter" or "tls-unique";
 * NULL: not known. */
const char *channel_binding_type(void);

/* Whether libstrophe is to say that it cannot bind. */
void channel_binding_give_up(bool given_up);

#endif
