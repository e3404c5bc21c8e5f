/* SPDX-License-Identifier: MIT */
#include "xmpp/readiness.h"

#include <poll.h>
#include <stddef.h>

/* A read takes 4096 bytes of a TLS record, whether it begins the record or goes on with it. A write
 * takes one record: so a long stanza needs more rounds although the queue is empty and nothing
 * blocks. */
#define READ_BYTES    4096
#define RECORD_BYTES  16384
#define RECORD_ROUNDS (RECORD_BYTES / READ_BYTES)

static void poll_socket(struct readiness *readiness)
{
	readiness->events = socket_poll(readiness->socket);
	readiness->reads = 0;
	if ((readiness->events & POLLIN) != 0) {
		size_t waiting = socket_waiting(readiness->socket);
		readiness->hidden = waiting > READ_BYTES ? readiness->idle_rounds : 0;
		readiness->reads = (unsigned)(waiting / READ_BYTES);
	}
}

void readiness_begin(struct readiness *readiness, const struct socket *socket, bool tls)
{
	*readiness = (struct readiness){
		.socket = socket,
		.idle_rounds = tls ? RECORD_ROUNDS : 1,
	};
	poll_socket(readiness);
}

void readiness_update(struct readiness *readiness)
{
	if (readiness->reads > 1) {
		readiness->reads--;
		return;
	}
	if ((readiness->events & POLLIN) != 0) {
		socket_acknowledge(readiness->socket);
	}
	poll_socket(readiness);
}

bool readiness_is_readable(const struct readiness *readiness)
{
	return (readiness->events & (POLLIN | POLLHUP | POLLERR)) != 0;
}

bool readiness_is_writable(const struct readiness *readiness)
{
	return (readiness->events & POLLOUT) != 0;
}
