/* SPDX-License-Identifier: MIT */
/*
 * exchange - writes and reads what can be, until both would block.
 *
 * Threads: the XMPP thread.
 */
#ifndef XMPP_EXCHANGE_H
#define XMPP_EXCHANGE_H

#include "xmpp/session.h"

#include <stdatomic.h>
#include <stdbool.h>

/* Gives libstrophe what the core wants to send. Whether there was something. */
bool exchange_send_pending(struct session *session);

/* Reads and writes until both would block, or the session is OFF; false when there may be more.
 * `stopping` also ends a login, which may take long; NULL: nothing does. */
bool exchange_run(struct session *session, const atomic_bool *stopping);

#endif
