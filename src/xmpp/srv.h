/* SPDX-License-Identifier: MIT */
/*
 * srv - the SRV records of a domain, parsed from the answer of a name server and put in order.
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

/* A domain may name any number of targets; those beyond this, of the lowest priority, are left
 * out. */
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
 * Adds the records of `answer`, a DNS message of `length` bytes from anywhere. -ENOENT: it has no
 * SRV record. -ENOTSUP: its only one says that the domain has no such service. -EBADMSG: it is no
 * DNS message. Records whose target cannot be the name of a host are skipped.
 */
int srv_add(struct srv_targets *targets, const unsigned char *answer, size_t length,
	    bool direct_tls);

/* Puts the targets in the order in which they are to be tried. `random` gives any 32 bits. */
void srv_sort(struct srv_targets *targets, uint32_t (*random)(void *context), void *context);

#endif
