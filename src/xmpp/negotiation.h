/* SPDX-License-Identifier: MIT */
/*
 * negotiation - the stream negotiation of a session, from the socket to the login.
 *
 * libstrophe negotiates; login.h leads it. This file tells login.h the state of the connection, and
 * the session what has come of it.
 *
 * Threads: the XMPP thread.
 * Source:  RFC 6120 sections 4.3, 5 and 6.
 */
#ifndef XMPP_NEGOTIATION_H
#define XMPP_NEGOTIATION_H

#include "xmpp/session.h"

/* A connection begins: nothing is known of it. */
void negotiation_begin(struct session *session);

/* Logged in. Warns the user of a function that should have been interposed (interpose.h) and was
 * not: the connection works, but stanzas may come late or cost much. */
void negotiation_end(const struct session *session);

#endif
