/* SPDX-License-Identifier: MIT */
/*
 * stanza_log - whether libstrophe serialises the stanzas that come in, for its log.
 *
 * libstrophe serialises each stanza before it checks whether there is a log. That is more than half
 * of the cost of receiving. It calls a public function of its own for it, which is interposed. What
 * we send is text already.
 *
 * Threads: the XMPP thread.
 * Source:  libstrophe 0.14.0, _handle_stream_stanza. 0.12.2 was measured.
 */
#ifndef XMPP_STANZA_LOG_H
#define XMPP_STANZA_LOG_H

#include <stdbool.h>

/* Whether this thread's stanzas are to be serialised; at first they are. */
void stanza_log_enable(bool enabled);

#endif
