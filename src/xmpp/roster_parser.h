/* SPDX-License-Identifier: MIT */
/*
 * roster_parser - reports the items of a roster one by one, and keeps them from libstrophe.
 *
 * A roster is one stanza, however many contacts it has. libstrophe would build the tree of all of
 * it: a kilobyte for each contact, in a time that grows with the square of their number. So
 * libstrophe gets the stanza without its items.
 *
 * Names are expat's, with the namespace before a separator.
 *
 * Threads: that of the parser.
 * Source:  RFC 6121 sections 2.1.3 (result) and 2.1.6 (push).
 */
#ifndef XMPP_ROSTER_PARSER_H
#define XMPP_ROSTER_PARSER_H

#include <stdbool.h>

struct roster_parser {
	void *context;

	/* Whether the items of a roster in such an <iq/> are wanted; arguments that it does not
	 * have are NULL. */
	bool (*is_wanted)(void *context, const char *from, const char *type, const char *id);

	/* `subscription` may be NULL. */
	void (*item)(void *context, const char *jid, const char *subscription);

	/* private, of the stanza that is open */
	bool in_iq, in_query;
};

/* An element begins; `depth`: 1 for a stanza. Returns whether it is an item that is reported: it is
 * to be left out with all that is in it. */
bool roster_parser_begin_element(struct roster_parser *parser, unsigned depth, const char *name,
				 const char **attributes);

#endif
