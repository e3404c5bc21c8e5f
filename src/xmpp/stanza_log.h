/* SPDX-License-Identifier: MIT */
/*
 * stanza_log - spares libstrophe from writing out every stanza that comes in.
 *
 * libstrophe makes text of each stanza for a line of its log before it looks whether anybody reads
 * that, at more than half of what receiving costs. It calls a public function of its own for it,
 * which is interposed; what we send is text already.
 *
 * Threads: the XMPP thread.
 * Source:  libstrophe 0.12.2 and 0.14.0, _handle_stream_stanza.
 */
#ifndef XMPP_STANZA_LOG_H
#define XMPP_STANZA_LOG_H

#include <stdbool.h>

/* Whether this thread's stanzas are to be written out. They are, until it is told otherwise. */
void stanza_log_enable(bool wanted);

#endif
