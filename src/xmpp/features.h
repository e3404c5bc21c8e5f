/* SPDX-License-Identifier: MIT */
/*
 * features - our identity and features, for service discovery and entity capabilities.
 *
 * Errors:  -ENOMEM, or NULL when memory is short.
 * Threads: pure functions.
 * Source:  XEP-0030 section 3, XEP-0115 section 5.
 */
#ifndef XMPP_FEATURES_H
#define XMPP_FEATURES_H

#include "ibb/msg.h"

#include <stddef.h>

#define NAMESPACE_CAPS	      "http://jabber.org/protocol/caps"
#define NAMESPACE_HASHES      "urn:xmpp:hashes:2"
#define NAMESPACE_IBB	      "http://jabber.org/protocol/ibb"
#define NAMESPACE_INFO	      "http://jabber.org/protocol/disco#info"
#define NAMESPACE_JINGLE      "urn:xmpp:jingle:1"
#define NAMESPACE_JINGLE_FILE "urn:xmpp:jingle:apps:file-transfer:5"
#define NAMESPACE_JINGLE_IBB  "urn:xmpp:jingle:transports:ibb:1"
#define NAMESPACE_PING	      "urn:xmpp:ping"
#define NAMESPACE_SHA_1	      "urn:xmpp:hash-function-text-names:sha-1"
#define NAMESPACE_SHA_256     "urn:xmpp:hash-function-text-names:sha-256"
#define NAMESPACE_SI	      "http://jabber.org/protocol/si"
#define NAMESPACE_SI_FILE     "http://jabber.org/protocol/si/profile/file-transfer"

struct identity {
	const char *category, *type, *name;
};

/* The features (enum feature) in our own disco#info: also those of a resource whose verification
 * string is the same. */
#define FEATURES_OWN                                                                     \
	(FEATURE_IBB | FEATURE_IBBFS | FEATURE_FOLDERS | FEATURE_RESUME | FEATURE_SYNC | \
	 FEATURE_SI | FEATURE_JINGLE)

/* The base64 of a SHA-1, and NUL. */
#define FEATURES_VER_SIZE 29

/* Writes the verification string of this identity and these features, which must be in the order of
 * their bytes. -ENOMEM. */
int features_ver(const struct identity *identity, const char *const *features, size_t count,
		 char ver[FEATURES_VER_SIZE]);

/* Our own verification string. -ENOMEM. */
int features_own_ver(char ver[FEATURES_VER_SIZE]);

/* The children of our disco#info result, as XML; the caller's. */
char *features_info(void);

/* The <c/> of our presence, as XML; the caller's. */
char *features_capabilities(const char *ver);

#endif
