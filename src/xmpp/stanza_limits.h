/* SPDX-License-Identifier: MIT */
/*
 * stanza_limits - cuts off what of a stanza is too deep, or too much, before libstrophe makes a
 * tree of it.
 *
 * A server bounds a stanza's bytes, but 256 KiB are 37,000 elements in each other, and libstrophe
 * frees them by recursion; or 100,000 beside each other, and it walks along all of them to add the
 * next one: ten seconds and more. So elements are left out, with what is in them, that have more
 * than STANZA_MAX_DEPTH others around them in the stanza, or STANZA_MAX_ELEMENTS before them. What
 * is left is taken for the stanza, and answered. One of our own server or account may have any
 * number, as a roster has.
 *
 * Four of expat's functions are interposed. libstrophe 0.14.0 frees and appends
 * as 0.12.2 does.
 *
 * Threads: any; a parser in one at a time.
 * Source:  expat.h; RFC 6120 section 8.1.2.1 ("from" of what comes from the own account).
 */
#ifndef XMPP_STANZA_LIMITS_H
#define XMPP_STANZA_LIMITS_H

#include "xmpp/login.h"

/* What is understood has at most six others around it: iq, si, feature, x, field, option, value. */
#define STANZA_MAX_DEPTH    15
#define STANZA_MAX_ELEMENTS 1000

/* What this thread's parsers say from when a stream begins anew passes through `login`, too, which
 * must outlive them; or NULL. */
void stanza_limits_watch(struct login *login);

#endif
