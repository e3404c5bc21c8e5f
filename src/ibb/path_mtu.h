/* SPDX-License-Identifier: MIT */
/*
 * path_mtu - the longest block that the servers of a path carry, by what was lost.
 *
 * A server may limit stanzas without saying so beforehand (XEP-0478). It ends the connection then,
 * or answers a block with an error, or drops the block. A connection may also break for any other
 * reason. So a block counts as too long only when two breaks in a row happened with a block in
 * flight that is longer than any that was acknowledged. The next blocks are a quarter as long, and
 * at least PATH_MTU_MIN, which every server has to carry. The server that drops a block, or answers
 * it with an error, may also be the peer's. So the length of such a block is remembered for the
 * peer's domain.
 *
 * Everything is remembered for PATH_MTU_MS. After that time the server may be another one, or may
 * have another limit.
 *
 * Units:   bytes before base64; ms of the caller's monotonic clock.
 * Threads: none; the caller serialises.
 * Source:  RFC 8899 (path MTU discovery, by probes that are lost); RFC 6120 section 13.12: no limit
 *          of stanzas is below 10,000 bytes.
 */
#ifndef IBB_PATH_MTU_H
#define IBB_PATH_MTU_H

#include <stddef.h>
#include <stdint.h>

#define PATH_MTU_MIN 4096
#define PATH_MTU_MS  3600000

/* How many domains are remembered. */
#define PATH_MTU_DOMAINS    16
#define PATH_MTU_MAX_DOMAIN 255

/* Zeroed memory knows nothing. */
struct path_mtu {
	int64_t now_ms; /* set by the caller before the calls below */
	size_t carried; /* the longest block that was acknowledged */
	size_t suspect; /* the longest in flight when the connection last broke with any */
	size_t most;	/* our server's; 0: nothing was learnt of it */
	int64_t learnt_ms;
	struct path_mtu_domain {
		char name[PATH_MTU_MAX_DOMAIN + 1];
		size_t most;
		int64_t learnt_ms;
	} domains[PATH_MTU_DOMAINS];
	unsigned next; /* of `domains`, to be replaced */
};

/* A block of this length was acknowledged. */
void path_mtu_note(struct path_mtu *path_mtu, size_t length);

/* The connection broke; `longest`: the length of the longest block in flight, or 0. Returns how
 * long blocks may be from now on; 0: nothing was learnt. */
size_t path_mtu_broken(struct path_mtu *path_mtu, size_t longest);

/* How long blocks may be for our own server; 0: nothing was learnt, or is remembered. */
size_t path_mtu_ours(const struct path_mtu *path_mtu);

/* Blocks to `peer` that are longer than `most` are lost. That holds for its domain. */
void path_mtu_learn(struct path_mtu *path_mtu, const char *peer, size_t most);

/* How long blocks to `peer` may be; 0: nothing was learnt of its domain, or is remembered. */
size_t path_mtu_most(const struct path_mtu *path_mtu, const char *peer);

/* The next length to try after a block of this length was lost. */
size_t path_mtu_shorter(size_t length);

#endif
