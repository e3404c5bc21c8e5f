/* SPDX-License-Identifier: MIT */
/*
 * carriage - how long blocks may be for the servers that carry them, by what was lost.
 *
 * A server may limit stanzas without saying so beforehand (XEP-0478). Then it ends the connection,
 * or answers a block with an error, or drops it. A connection may also break for any other reason,
 * so a block counts as too long only when two breaks in a row happened with a block in flight that
 * is longer than any that was acknowledged. The next blocks are a quarter as long, down to
 * CARRIAGE_MIN, which every server has to carry. What is answered with an error, or dropped, may be
 * so by the peer's server, or between the two; so that is remembered by the peer's domain.
 *
 * Everything is remembered for CARRIAGE_MS: the server may be another one by then, or may have
 * another limit.
 *
 * Units:   bytes before base64; ms of the caller's monotonic clock.
 * Threads: none; the caller serialises.
 * Source:  RFC 6120 section 13.12: no limit of stanzas is below 10,000 bytes.
 */
#ifndef IBB_PATH_MTU_H
#define IBB_PATH_MTU_H

#include <stddef.h>
#include <stdint.h>

#define CARRIAGE_MIN 4096
#define CARRIAGE_MS  3600000

/* So many domains are remembered, the latest. */
#define CARRIAGE_DOMAINS    16
#define CARRIAGE_MAX_DOMAIN 255

/* Zeroed memory knows nothing. */
struct carriage {
	int64_t now_ms; /* set by the caller before the calls below */
	size_t carried; /* the longest block that was acknowledged */
	size_t suspect; /* the longest in flight when the connection last broke with any */
	size_t most;	/* our server's; 0: nothing was learnt of it */
	int64_t learnt_ms;
	struct carriage_domain {
		char name[CARRIAGE_MAX_DOMAIN + 1];
		size_t most;
		int64_t learnt_ms;
	} domains[CARRIAGE_DOMAINS];
	unsigned next; /* of `domains`, to be replaced */
};

/* A block of this length was acknowledged. */
void carriage_note(struct carriage *carriage, size_t length);

/* The connection broke, and the longest block in flight was so long; 0: none was. Returns how long
 * blocks may be from now on; 0: nothing was learnt. */
size_t carriage_broken(struct carriage *carriage, size_t longest);

/* How long blocks may be for our own server; 0: nothing was learnt, or is remembered. */
size_t carriage_ours(const struct carriage *carriage);

/* On the way to `peer` blocks are lost that are longer than `most`. It holds for its domain. */
void carriage_learn(struct carriage *carriage, const char *peer, size_t most);

/* How long blocks to `peer` may be; 0: nothing was learnt of its domain, or is remembered. */
size_t carriage_most(const struct carriage *carriage, const char *peer);

/* The next length to try after a block of this length was lost. */
size_t carriage_shorter(size_t length);

#endif
