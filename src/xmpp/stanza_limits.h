/* SPDX-License-Identifier: MIT */
/*
 * stanza_limits - limits what a stanza holds, before libstrophe builds its tree.
 *
 * A server limits the bytes of a stanza, but 256 KiB hold 37,000 nested elements, and libstrophe
 * frees them by recursion. They also hold 100,000 siblings, and libstrophe walks along all of them
 * to append the next one, which takes ten seconds and more. So an element is dropped, with its
 * content, if it is nested in more than STANZA_MAX_DEPTH others of the stanza, or if more than
 * STANZA_MAX_ELEMENTS came before it. The rest is handled, and answered, as if it were the stanza.
 *
 * Our own server may also be broken, and limit nothing. What is beyond STANZA_MAX_BYTES of a stanza
 * is dropped: elements, and text. Text that was cut ends in U+FFFD, so that nobody takes it for the
 * whole. A tag cannot be cut, and expat buffers it first. If it is longer than
 * STANZA_MAX_TAG_BYTES, the parser fails. So it does if more than STANZA_MAX_DROPPED elements that
 * are dropped are nested, as expat remembers each. It also remembers every name that it has seen on
 * a connection, which has no limit here.
 *
 * Text is buffered up to the next tag, as libstrophe also walks along all of it to append a line.
 * expat does not see the text of blocks (block_text.h).
 *
 * libstrophe drops the namespace of an attribute, so x:from would take the place of the `from` that
 * the server vouches for. Nothing that is read here has an attribute with a namespace: all such are
 * dropped.
 *
 * A roster may have any number of items: they are reported one by one (roster_parser.h).
 *
 * Five functions of expat are interposed. So expat's events pass through here, and through the
 * login (login.h), before libstrophe gets them.
 *
 * Threads: any; a parser in one at a time.
 * Source:  expat.h; libstrophe 0.14.0, stanza.c. 0.12.2 was measured to free and to append as
 *          slowly. Namespaces in XML 1.0, section 6.2 (attributes).
 */
#ifndef XMPP_STANZA_LIMITS_H
#define XMPP_STANZA_LIMITS_H

#include "xmpp/login.h"
#include "xmpp/roster_parser.h"

#include <stdbool.h>
#include <stddef.h>

/* The deepest element that we understand is nested in six: iq, si, feature, x, field, option,
 * value. */
#define STANZA_MAX_DEPTH    15
#define STANZA_MAX_ELEMENTS 1000

/* Names, attributes and text. The longest block has 87,384 characters. */
#define STANZA_MAX_BYTES ((size_t)1024 * 1024)

/* What expat gets without an event, so also a comment or the like. */
#define STANZA_MAX_TAG_BYTES ((size_t)1024 * 1024)

/* Elements that are dropped and open: more than a stanza of 256 KiB has. */
#define STANZA_MAX_DROPPED 100000

/* From the next stream on, the events of this thread's parsers pass through `login`, too, and the
 * items of rosters go to `roster`. Both must outlive the parsers. NULL: they do not. */
void stanza_limits_set_login(struct login *login, struct roster_parser *roster);

/* Whether libstrophe has parsed something in this thread. */
bool stanza_limits_has_parser(void);

/* Parses bytes as if libstrophe had read them, with its parser, which must not be freed yet. A
 * handler may end the connection. */
void stanza_limits_parse(const char *bytes, size_t length);

/* Whether a parser of this thread has failed since the last call: what it gets is no XML, or has a
 * tag that is too long. libstrophe says so to the server, but goes on reading. */
bool stanza_limits_take_failure(void);

#endif
