/* SPDX-License-Identifier: MIT */
/*
 * stanza_limits - limits the depth and the elements of a stanza, before libstrophe builds its tree.
 *
 * A server limits the bytes of a stanza, but 256 KiB hold 37,000 nested elements, and libstrophe
 * frees them by recursion. They also hold 100,000 siblings, and libstrophe walks along all of them
 * to append the next one, which takes ten seconds and more. So an element is dropped, with its
 * content, if it is nested in more than STANZA_MAX_DEPTH others of the stanza, or if more than
 * STANZA_MAX_ELEMENTS came before it. The rest is handled, and answered, as if it were the stanza.
 * A stanza of our own server or account may have any number of elements, as a roster has.
 *
 * Four functions of expat are interposed. So expat's events pass through here, and through the
 * login (login.h), on their way to libstrophe.
 *
 * Threads: any; a parser in one at a time.
 * Source:  expat.h; RFC 6120 section 8.1.2.1 ("from" of stanzas of the own account); libstrophe
 *          0.14.0, stanza.c. 0.12.2 was measured to free and to append as slowly.
 */
#ifndef XMPP_STANZA_LIMITS_H
#define XMPP_STANZA_LIMITS_H

#include "xmpp/login.h"

/* The deepest element that we understand is nested in six: iq, si, feature, x, field, option,
 * value. */
#define STANZA_MAX_DEPTH    15
#define STANZA_MAX_ELEMENTS 1000

/* From the next stream on, the events of this thread's parsers pass through `login`, too, which
 * must outlive the parsers. NULL: they do not. */
void stanza_limits_set_login(struct login *login);

#endif
