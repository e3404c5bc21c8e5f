/* SPDX-License-Identifier: MIT */
#include "xmpp/stanza_log.h"

#include "xmpp/interpose.h"

#include <stddef.h>
#include <strophe.h>

typedef int (*to_text)(xmpp_stanza_t *stanza, char **buffer, size_t *length);

static _Thread_local bool is_disabled;

void stanza_log_enable(bool enabled)
{
	is_disabled = !enabled;
}

/* After an error libstrophe goes on without the line of its log. */
INTERPOSED int xmpp_stanza_to_text(xmpp_stanza_t *stanza, char **buffer, size_t *length)
{
	to_text original;

	interpose(INTERPOSED_xmpp_stanza_to_text, (void **)&original);
	if (is_disabled) {
		return XMPP_EMEM;
	}
	return original != NULL ? original(stanza, buffer, length) : XMPP_EINT;
}
