/* SPDX-License-Identifier: MIT */
/*
 * lookup - one query to the system's resolver, in a thread of its own.
 *
 * The resolver blocks for as long as a name server does not answer, and cannot be interrupted. So
 * the caller waits for a descriptor, as long as it likes, and then releases the look-up. The thread
 * ends when the resolver returns. At most LOOKUP_MAX threads run at once.
 *
 * Errors:  0 or -errno.
 * Threads: a look-up belongs to the thread that started it. Several threads may have look-ups.
 * Source:  resolver(3), getaddrinfo(3).
 */
#ifndef XMPP_LOOKUP_H
#define XMPP_LOOKUP_H

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>

#define LOOKUP_MAX 64

struct lookup;

/*
 * Starts a query: for the SRV records of `name`, or for the addresses of `host` in `family`
 * (AF_INET, AF_INET6). NULL: memory, descriptors or threads are short.
 */
struct lookup *lookup_srv(const char *name);
struct lookup *lookup_addresses(const char *host, int family);

/* Becomes readable when the look-up has ended. */
int lookup_fd(const struct lookup *lookup);

/* Whether the look-up has ended. The functions below may be called only then. */
bool lookup_is_done(const struct lookup *lookup);

/* 0: there is an answer. -ENOENT: there are no such records. -EAGAIN: no name server has answered,
 * or one has answered with a failure. */
int lookup_error(const struct lookup *lookup);

/* The resolver's text for the error; static. */
const char *lookup_reason(const struct lookup *lookup);

/* The DNS message; borrowed until lookup_release. */
const unsigned char *lookup_answer(const struct lookup *lookup, size_t *length);

/* The addresses; borrowed until lookup_release. */
const struct addrinfo *lookup_list(const struct lookup *lookup);

/* At any time; NULL-safe. */
void lookup_release(struct lookup *lookup);

#endif
