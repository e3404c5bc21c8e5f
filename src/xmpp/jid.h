/* SPDX-License-Identifier: MIT */
/*
 * jid - addresses, split into parts and normalised for comparison.
 *
 * Units:   bytes; each part has 1 to 1023.
 * Errors:  -EINVAL for an invalid address, -ENOMEM.
 * Threads: pure functions.
 * Source:  RFC 7622 section 3 (form); RFC 6122 (Nodeprep, Nameprep, Resourceprep, by libidn,
 *          as servers do it).
 */
#ifndef XMPP_JID_H
#define XMPP_JID_H

#include <stdbool.h>
#include <stddef.h>

/* Longest JID: three parts of 1023 bytes, '@' and '/'. */
#define JID_MAX 3071

/* Writes the normal form of `text` to *jid, the caller's: "Me@Example.ORG/Home" becomes
 * "me@example.org/Home", and "me@xn--pl-wia.example" becomes "me@plä.example". -EINVAL, -ENOMEM. */
int jid_normalize(const char *text, char **jid);

/* Writes a domain as DNS, TLS and certificates have it (RFC 6120 section 3.2.1, RFC 9525 section
 * 6.3) to *ascii, the caller's: with A-labels, "xn--pl-wia.example" for "plä.example". What has
 * none is copied: the resolver will say what is wrong. -ENOMEM. */
int jid_domain_to_ascii(const char *domain, char **ascii);

/* Length of the part before the resource ("a@b" of "a@b/c"). */
size_t jid_bare_length(const char *jid);

/* The part after the first '/', or NULL. Borrowed from `jid`. */
const char *jid_resource(const char *jid);

/* Whether there is a local part ("a@b", not "b"). */
bool jid_has_local(const char *jid);

/* Whether both have the same bare JID. */
bool jid_same_bare(const char *a, const char *b);

#endif
