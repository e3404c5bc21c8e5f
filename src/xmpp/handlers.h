/* SPDX-License-Identifier: MIT */
/*
 * handlers - the stanzas that come in: what is about roster, presence and the login is dealt with,
 * and the rest goes to the core.
 *
 * Threads: the XMPP thread.
 * Source:  RFC 6121 sections 2 (roster) and 4 (presence).
 */
#ifndef XMPP_HANDLERS_H
#define XMPP_HANDLERS_H

#include "xmpp/session.h"

/* Makes libstrophe hand over every stanza of session->conn, for as long as that exists. */
void handlers_add(struct session *session);

#endif
