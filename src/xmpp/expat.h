/* SPDX-License-Identifier: MIT */
/*
 * expat - lets libstrophe's parser deliver a stanza as soon as it is complete.
 *
 * Since CVE-2023-52425 expat puts off looking at a tag that came in pieces until about twice as
 * much has arrived, and a stanza whose sender waits for the answer may wait for ever. Every parser
 * that this program makes has that switched off; the server bounds what a stanza can cost.
 * libstrophe gives no access to its parser, so two of expat's functions are wrapped by symbols of
 * their names in the executable.
 *
 * Threads: the XMPP thread.
 * Source:  expat 2.6.0, XML_SetReparseDeferralEnabled; Debian has it in 2.5.0-1+deb12u1, too.
 */
#ifndef XMPP_EXPAT_H
#define XMPP_EXPAT_H

#include <stdbool.h>

/* Whether expat can be told. To be called once: it is what links the wrappers in. */
bool expat_is_prompt(void);

#endif
