/* SPDX-License-Identifier: MIT */
/*
 * challenge - whether libstrophe can answer a challenge of the server.
 *
 * libstrophe 0.12.2 ends the process at a salt that is too long, and at a first challenge of
 * DIGEST-MD5 that has no nonce or no text. It does as many rounds of SCRAM as the server asks for,
 * however long they take, and none when there should be -1.
 *
 * Threads: pure functions.
 * Source:  RFC 5802 section 7 (server-first-message); RFC 2831 sections 2.1.1 and 7.1. The
 *          behaviour of 0.12.2 was measured, its source was not read.
 */
#ifndef XMPP_CHALLENGE_H
#define XMPP_CHALLENGE_H

#include <stdbool.h>

/* The longest challenge, in base64. */
#define CHALLENGE_MAX 4096

/* The longest salt, in bytes. libstrophe has room for 124. */
#define CHALLENGE_MAX_SALT 124

/* A million rounds take a few seconds. Servers use 4096 to 100,000. */
#define CHALLENGE_MAX_ROUNDS 1000000

/* `text` is base64. */
bool challenge_is_of_scram(const char *text);

/* The first challenge of DIGEST-MD5. */
bool challenge_is_of_digest(const char *text);

#endif
