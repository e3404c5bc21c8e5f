/* SPDX-License-Identifier: MIT */
/*
 * channel_binding - which channel binding libstrophe's SCRAM messages claim.
 *
 * With a mechanism that ends in -PLUS, libstrophe from 0.13 on binds the login to the TLS
 * connection: to tls-exporter over TLS 1.3, to tls-unique over older versions. With any other
 * mechanism it claims that the server does not support channel binding ("y"). That claim is wrong
 * if the server does, but for other types only; then the client must say that it does not support
 * it ("n"). libstrophe has no function for that. So its function that encodes SCRAM messages is
 * interposed, and the "y" is replaced. libstrophe 0.12 never binds, and always says "n".
 *
 * Threads: the XMPP thread.
 * Source:  RFC 5802 sections 6 and 7 (gs2-cbind-flag); RFC 5929, RFC 9266; _make_scram_init_msg of
 *          libstrophe 0.14.0.
 */
#ifndef XMPP_CHANNEL_BINDING_H
#define XMPP_CHANNEL_BINDING_H

#include <stdbool.h>

/* A connection begins. Channel binding is not given up. */
void channel_binding_begin(void);

/* The type that libstrophe uses on this connection: "tls-exporter" or "tls-unique"; NULL: the
 * version of TLS is not known. */
const char *channel_binding_type(void);

/* Whether libstrophe is to say that the client does not support channel binding. */
void channel_binding_give_up(bool given_up);

/* Whether libstrophe has begun to log in by SCRAM, and the server has not refused that. */
bool channel_binding_has_scram(void);

/* The server has refused the login. */
void channel_binding_refused(void);

#endif
