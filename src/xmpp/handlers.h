/* SPDX-License-Identifier: MIT */
/*
 * handlers - dispatches the stanzas that come in.
 *
 * Roster, presence and the answers to requests of the session are handled here. All other stanzas
 * are decoded and go to the core.
 *
 * Threads: the XMPP thread.
 * Source:  RFC 6121 sections 2 (roster) and 4 (presence).
 */
#ifndef XMPP_HANDLERS_H
#define XMPP_HANDLERS_H

#include "xmpp/session.h"

/* Registers the handlers of every stanza at session->conn, for as long as that exists, and sets
 * session->roster_parser. */
void handlers_add(struct session *session);

#endif
