/* SPDX-License-Identifier: MIT */
/*
 * srv - parses the SRV records of a name server's answer, and sorts them.
 *
 * Errors:  0 or -errno; on error the targets are unchanged.
 * Threads: none; the caller serialises.
 * Source:  RFC 2782; RFC 6120 section 3.2.1 (a target "."); XEP-0368 section 2 (both kinds of
 *          records are one list).
 */
#ifndef XMPP_SRV_H
#define XMPP_SRV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A domain may name any number of targets. If there are more than this, those of the lowest
 * priority are left out. */
#define SRV_MAX_TARGETS 16

/* RFC 1035 section 2.3.4, and a NUL. */
#define SRV_HOST_SIZE 256

struct srv_target {
	char host[SRV_HOST_SIZE];
	uint16_t port;
	uint16_t priority; /* the lowest is tried first */
	uint16_t weight;   /* among those of one priority */
	bool direct_tls;   /* XEP-0368, else STARTTLS */
};

struct srv_targets {
	struct srv_target at[SRV_MAX_TARGETS];
	size_t count;
};

/*
 * Adds the records of `answer`, an untrusted DNS message of `length` bytes. A record whose target
 * cannot be the name of a host is skipped. -ENOENT: there is no SRV record. -ENOTSUP: the only
 * record says that the domain has no such service. -EBADMSG: this is no DNS message.
 */
int srv_add(struct srv_targets *targets, const unsigned char *answer, size_t length,
	    bool direct_tls);

/* Sorts the targets into the order in which they are to be tried. `random` returns 32 random bits.
 */
void srv_sort(struct srv_targets *targets, uint32_t (*random)(void *context), void *context);

#endif
