/* SPDX-License-Identifier: MIT */
#include "xmpp/connector.h"

#include "clock.h"
#include "xmpp/candidates.h"
#include "xmpp/resolution.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* If another address was not tried yet, a server must send something within this and four
 * round-trip times. The TCP and TLS handshakes take less. */
#define SILENCE_MS 1500

struct connector {
	struct candidates candidates;
	struct resolution resolution;
	struct address *last; /* the result of connector_next */
};

/* ---- attempts ---- */

static void close_socket(struct address *address)
{
	if (address->fd >= 0) {
		close(address->fd);
		address->fd = -1;
	}
}

static void fail(struct address *address, int error)
{
	close_socket(address);
	address_fail(address, error);
}

static void start_attempt(struct address *address)
{
	address->fd = socket(address->name.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			     IPPROTO_TCP);
	if (address->fd < 0 ||
	    (connect(address->fd, (struct sockaddr *)&address->name, address->length) < 0 &&
	     errno != EINPROGRESS)) {
		fail(address, errno);
	}
}

/* Takes the steps that are due. Returns when the next one will be, or INT64_MAX. */
static int64_t take_steps(struct connector *connector, int64_t now_ms)
{
	struct step step;
	int64_t due_ms;

	while ((due_ms = candidates_next(&connector->candidates, now_ms, &step)) <= now_ms) {
		if (step.address != NULL) {
			start_attempt(step.address);
		} else {
			resolution_start(&connector->resolution, step.target);
		}
	}
	return due_ms;
}

/* 0: the attempt was successful; -EAGAIN: it goes on; or the -errno by which it has failed. */
static int result_of(const struct address *address, int64_t now_ms)
{
	struct pollfd poll_fd = {.fd = address->fd, .events = POLLOUT};
	int error = 0;
	socklen_t size = sizeof(error);

	if (poll(&poll_fd, 1, 0) <= 0) {
		return address_is_overdue(address, now_ms) ? -ETIMEDOUT : -EAGAIN;
	}
	/* connect(2) is not asked for the result: see socket_offer. */
	if (getsockopt(address->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) {
		return -errno;
	}
	return -error;
}

/* The first address that has connected, or NULL. */
static struct address *check_attempts(struct connector *connector, int64_t now_ms, size_t *rank)
{
	struct candidates *candidates = &connector->candidates;

	for (size_t i = 0; i < candidates->count; i++) {
		struct target *target = &candidates->targets[i];

		for (size_t j = 0; j < target->count; j++) {
			struct address *address = &target->addresses[j];

			if (address->state != ADDRESS_CONNECTING) {
				continue;
			}
			int result = result_of(address, now_ms);
			if (result == 0) {
				*rank = i;
				return address;
			}
			if (result != -EAGAIN) {
				fail(address, -result);
				candidates_hurry(candidates);
			}
		}
	}
	return NULL;
}

static void close_sockets(struct candidates *candidates)
{
	for (size_t i = 0; i < candidates->count; i++) {
		for (size_t j = 0; j < candidates->targets[i].count; j++) {
			close_socket(&candidates->targets[i].addresses[j]);
		}
	}
}

/* ---- waiting ---- */

#define MAX_FDS (1 + RESOLUTION_MAX_FDS + SRV_MAX_TARGETS * TARGET_MAX_ADDRESSES)

/* Waits for an answer or the end of an attempt, or until `until_ms`. -EINTR: `wakeup` is readable.
 */
static int wait_until(const struct connector *connector, int wakeup, int64_t until_ms,
		      int64_t now_ms)
{
	const struct candidates *candidates = &connector->candidates;
	struct pollfd fds[MAX_FDS] = {{.fd = wakeup, .events = POLLIN}};
	size_t count = 1 + resolution_fds(&connector->resolution, fds + 1);

	for (size_t i = 0; i < candidates->count; i++) {
		const struct target *target = &candidates->targets[i];

		for (size_t j = 0; j < target->count; j++) {
			if (target->addresses[j].state == ADDRESS_CONNECTING) {
				fds[count++] = (struct pollfd){.fd = target->addresses[j].fd,
							       .events = POLLOUT};
			}
		}
	}
	poll(fds, (nfds_t)count, until_ms > now_ms ? (int)(until_ms - now_ms) : 0);
	return (fds[0].revents & POLLIN) != 0 ? -EINTR : 0;
}

static int64_t earliest(const int64_t *times_ms, size_t count)
{
	int64_t earliest_ms = INT64_MAX;

	for (size_t i = 0; i < count; i++) {
		earliest_ms = times_ms[i] < earliest_ms ? times_ms[i] : earliest_ms;
	}
	return earliest_ms;
}

/* ---- the result ---- */

/* "xmpp.example.org:5222 (192.0.2.1)", "192.0.2.1:5222", "[2001:db8::1]:5222" */
static void name_place(char *place, size_t size, const struct target *target, const char *address)
{
	const char *host = target->srv.host;
	bool brackets = strchr(host, ':') != NULL;

	snprintf(place, size, "%s%s%s:%u", brackets ? "[" : "", host, brackets ? "]" : "",
		 (unsigned)target->srv.port);
	if (address != NULL && strcmp(address, host) != 0) {
		size_t length = strlen(place);

		snprintf(place + length, size - length, " (%s)", address);
	}
}

static void name_address(char *text, size_t size, const struct address *address)
{
	if (getnameinfo((const struct sockaddr *)&address->name, address->length, text,
			(socklen_t)size, NULL, 0, NI_NUMERICHOST) != 0) {
		text[0] = '\0';
	}
}

/* The time to wait for the server: short if another address has not been tried yet. An address that
 * was slower than this one does not count. */
static int64_t longest_silence_ms(struct candidates *candidates, int64_t rtt_ms)
{
	if (!candidates_is_exhausted(candidates, TURN_POSTPONED)) {
		return SILENCE_MS + 4 * rtt_ms;
	}
	return candidates_is_exhausted(candidates, TURN_OVERTAKEN) ? INT64_MAX
								   : CANDIDATES_ATTEMPT_MS;
}

static void give(struct connector *connector, struct address *address, size_t rank,
		 struct connection *connection)
{
	const struct target *target = &connector->candidates.targets[rank];

	connection->fd = address->fd;
	connection->port = target->srv.port;
	connection->direct_tls = target->srv.direct_tls;
	connection->rank = rank;
	name_address(connection->address, sizeof(connection->address), address);
	name_place(connection->place, sizeof(connection->place), target, connection->address);
	address->fd = -1;
	close_sockets(&connector->candidates);
	candidates_win(&connector->candidates, address);
	connector->last = address;
	connection->silence_ms =
		longest_silence_ms(&connector->candidates, clock_now_ms() - address->since_ms);
}

int connector_next(struct connector *connector, int wakeup, int64_t deadline_ms,
		   struct connection *connection)
{
	struct candidates *candidates = &connector->candidates;

	connector->last = NULL;
	candidates_hurry(candidates);
	for (;;) {
		int64_t now_ms = clock_now_ms();
		size_t rank;

		if (resolution_check(&connector->resolution, now_ms)) {
			candidates_hurry(candidates);
		}
		struct address *address = check_attempts(connector, now_ms, &rank);
		if (address != NULL) {
			give(connector, address, rank, connection);
			return 0;
		}
		int64_t step_ms = take_steps(connector, now_ms);
		if (step_ms == INT64_MAX && !candidates_is_busy(candidates)) {
			return -EHOSTUNREACH;
		}
		if (now_ms >= deadline_ms) {
			return -ETIMEDOUT;
		}
		const int64_t times_ms[] = {
			step_ms,
			deadline_ms,
			candidates_limit_ms(candidates),
			resolution_limit_ms(&connector->resolution),
		};
		int error = wait_until(connector, wakeup, earliest(times_ms, 4), now_ms);
		if (error < 0) {
			return error;
		}
	}
}

void connector_postpone(struct connector *connector)
{
	if (connector->last != NULL && connector->last->turn == TURN_FIRST) {
		connector->last->state = ADDRESS_WAITING;
		connector->last->turn = TURN_POSTPONED;
	}
}

/* Whether the target has failed; then *cause is why. */
static bool explain_target(const struct target *target, struct cause *cause)
{
	char place[sizeof(cause->place)], numeric[64];

	for (size_t i = 0; i < target->count; i++) {
		const struct address *address = &target->addresses[i];
		int error = address->state == ADDRESS_CONNECTING ? ETIMEDOUT : address->error;

		if (error != 0) {
			name_address(numeric, sizeof(numeric), address);
			name_place(place, sizeof(place), target, numeric);
			cause_reset(cause, place);
			cause_set_errno(cause, CAUSE_UNREACHABLE, error);
			return true;
		}
	}
	if (!target->started || target->count > 0) {
		return false;
	}
	name_place(place, sizeof(place), target, NULL);
	cause_reset(cause, place);
	cause_set(cause, CAUSE_NAME, target_is_pending(target) ? "no answer" : target->reason);
	return true;
}

size_t connector_explain(const struct connector *connector, struct cause *cause)
{
	for (size_t i = 0; i < connector->candidates.count; i++) {
		if (explain_target(&connector->candidates.targets[i], cause)) {
			return i;
		}
	}
	cause_reset(cause, connector->resolution.name);
	if (connector->resolution.no_service) {
		cause_set(cause, CAUSE_NO_SERVICE, NULL);
	} else {
		cause_set(cause, CAUSE_NAME, "no answer");
	}
	return SRV_MAX_TARGETS;
}

/* ---- life ---- */

struct connector *connector_create(const char *domain, const char *host, uint16_t port,
				   enum client_tls tls)
{
	struct connector *connector = calloc(1, sizeof(*connector));

	if (connector != NULL && resolution_init(&connector->resolution, &connector->candidates,
						 domain, host, port, tls, clock_now_ms()) < 0) {
		free(connector);
		return NULL;
	}
	return connector;
}

void connector_destroy(struct connector *connector)
{
	if (connector == NULL) {
		return;
	}
	close_sockets(&connector->candidates);
	resolution_finish(&connector->resolution);
	free(connector);
}
