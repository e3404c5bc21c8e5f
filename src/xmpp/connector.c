/* SPDX-License-Identifier: MIT */
#include "xmpp/connector.h"

#include "xmpp/lookup.h"
#include "xmpp/loop.h"
#include "xmpp/srv.h"

#include <errno.h>
#include <idna.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

/* RFC 8305 section 5: "Connection Attempt Delay"; between targets of different priority it is
 * longer, as the domain wants the first to be used. */
#define ATTEMPT_DELAY_MS  250
#define PRIORITY_DELAY_MS 1000

/* RFC 8305 section 3: how long IPv4 addresses wait for those of IPv6. */
#define RESOLUTION_DELAY_MS 50

/* RFC 6120 section 3.2.2: without an answer to the SRV query the domain's own address is tried.
 * Resolvers ask again after 5 s. When one kind of record is known the other is not worth that. */
#define SRV_WAIT_MS   6000
#define OTHER_WAIT_MS 1000

/* Three retransmissions of a SYN. */
#define ATTEMPT_MS 10000

#define TARGET_ADDRESSES 8 /* tried of one target */

enum family {
	INET6, /* the preferred */
	INET,
	FAMILIES
};

enum service {
	STARTTLS,
	DIRECT_TLS,
	SERVICES
};

enum address_state {
	ADDRESS_WAITS,
	ADDRESS_CONNECTS,
	ADDRESS_IS_OVER, /* has failed, or was given to the caller */
};

struct address {
	struct sockaddr_storage where;
	socklen_t length;
	enum address_state state;
	bool postponed;
	int fd;
	int64_t since_ms; /* CONNECTS */
	int error;	  /* errno */
};

struct target {
	struct srv_target srv;
	bool started; /* its name is looked up */
	struct lookup *lookups[FAMILIES];
	int64_t inet_ms; /* when the IPv4 addresses came; -1: they have not */
	const char *reason;
	struct address addresses[TARGET_ADDRESSES];
	size_t count;
	int last_family; /* AF_UNSPEC: none was tried */
};

struct connector {
	enum client_tls tls;
	char *name; /* of the host, or domain, as the DNS knows it */
	uint16_t port;

	struct lookup *services[SERVICES];
	bool refused[SERVICES];
	bool searching; /* SRV records are looked up */
	int64_t began_ms;
	const char *reason; /* why no target is known, or NULL */

	struct srv_targets found;
	struct target targets[SRV_MAX_TARGETS];
	size_t count;

	struct target *last_target; /* of the last step; NULL: the next need not wait for it */
	int64_t last_ms;	    /* when it was taken */
	struct address *last;	    /* what connector_next has found */
};

/* ---- targets ---- */

static void add_target(struct connector *connector, const struct srv_target *srv)
{
	struct target *target = &connector->targets[connector->count++];

	target->srv = *srv;
	target->inet_ms = -1;
	target->last_family = AF_UNSPEC;
}

/* The host that the user has named, or the domain itself. */
static void add_name(struct connector *connector)
{
	bool direct = connector->tls == CLIENT_TLS_DIRECT;
	struct srv_target srv = {
		.port = connector->port != 0 ? connector->port
			: direct	     ? 5223
					     : 5222,
		.direct_tls = direct,
	};

	snprintf(srv.host, sizeof(srv.host), "%s", connector->name);
	add_target(connector, &srv);
}

static uint32_t any_number(void *context)
{
	uint32_t number = 0;

	(void)context;
	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number)) {
		return 0;
	}
	return number;
}

static void end_search(struct connector *connector)
{
	bool direct = connector->tls == CLIENT_TLS_DIRECT;

	connector->searching = false;
	for (int i = 0; i < SERVICES; i++) {
		lookup_release(connector->services[i]);
		connector->services[i] = NULL;
	}
	srv_sort(&connector->found, any_number, NULL);
	for (size_t i = 0; i < connector->found.count; i++) {
		add_target(connector, &connector->found.at[i]);
	}
	if (connector->count == 0 && connector->refused[direct ? DIRECT_TLS : STARTTLS]) {
		connector->reason = "the domain has no XMPP service";
	} else if (connector->count == 0) {
		add_name(connector);
	}
}

static void check_search(struct connector *connector, int64_t now)
{
	int waiting = 0;

	for (int i = 0; i < SERVICES; i++) {
		struct lookup *lookup = connector->services[i];
		size_t length;

		if (lookup == NULL) {
			continue;
		}
		if (!lookup_is_done(lookup)) {
			waiting++;
			continue;
		}
		if (lookup_error(lookup) == 0) {
			const unsigned char *answer = lookup_answer(lookup, &length);
			int error = srv_add(&connector->found, answer, length, i == DIRECT_TLS);
			connector->refused[i] = error == -ENOTSUP;
		}
		lookup_release(lookup);
		connector->services[i] = NULL;
	}
	int64_t limit_ms = connector->found.count > 0 ? OTHER_WAIT_MS : SRV_WAIT_MS;
	if (waiting == 0 || now - connector->began_ms >= limit_ms) {
		end_search(connector);
	}
}

static void begin_search(struct connector *connector)
{
	static const char *const names[] = {
		[STARTTLS] = "_xmpp-client._tcp.",
		[DIRECT_TLS] = "_xmpps-client._tcp.",
	};
	bool wanted[] = {
		[STARTTLS] = connector->tls != CLIENT_TLS_DIRECT,
		[DIRECT_TLS] = connector->tls != CLIENT_TLS_STARTTLS,
	};
	char name[SRV_HOST_SIZE + 32];

	connector->searching = true;
	for (int i = 0; i < SERVICES; i++) {
		if (wanted[i]) {
			snprintf(name, sizeof(name), "%s%s", names[i], connector->name);
			connector->services[i] = lookup_srv(name);
		}
	}
}

/* ---- addresses ---- */

static void add_addresses(struct target *target, const struct addrinfo *list)
{
	for (; list != NULL && target->count < TARGET_ADDRESSES; list = list->ai_next) {
		struct address *address = &target->addresses[target->count++];

		*address = (struct address){.fd = -1, .length = list->ai_addrlen};
		memcpy(&address->where, list->ai_addr, list->ai_addrlen);
		if (list->ai_family == AF_INET6) {
			((struct sockaddr_in6 *)&address->where)->sin6_port =
				htons(target->srv.port);
		} else {
			((struct sockaddr_in *)&address->where)->sin_port = htons(target->srv.port);
		}
	}
}

/* Whether the host is an address already; then no resolver is needed. */
static bool add_numeric(struct target *target)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
	struct addrinfo *list = NULL;

	if (getaddrinfo(target->srv.host, NULL, &hints, &list) != 0) {
		return false;
	}
	add_addresses(target, list);
	freeaddrinfo(list);
	return true;
}

static void start_target(struct target *target)
{
	target->started = true;
	if (add_numeric(target)) {
		return;
	}
	target->lookups[INET6] = lookup_addresses(target->srv.host, AF_INET6);
	target->lookups[INET] = lookup_addresses(target->srv.host, AF_INET);
	if (target->lookups[INET6] == NULL && target->lookups[INET] == NULL) {
		target->reason = "too many look-ups of names wait for an answer";
	}
}

static void check_target(struct target *target, int64_t now)
{
	for (int i = 0; i < FAMILIES; i++) {
		struct lookup *lookup = target->lookups[i];

		if (lookup == NULL || !lookup_is_done(lookup)) {
			continue;
		}
		if (lookup_error(lookup) == 0) {
			add_addresses(target, lookup_list(lookup));
		} else if (target->reason == NULL || i == INET) {
			target->reason = lookup_reason(lookup);
		}
		if (i == INET) {
			target->inet_ms = now;
		}
		lookup_release(lookup);
		target->lookups[i] = NULL;
	}
}

static bool is_looked_up(const struct target *target)
{
	return target->lookups[INET6] != NULL || target->lookups[INET] != NULL;
}

/* The families take turns (RFC 8305 section 4), IPv6 first. NULL: none waits. */
static struct address *next_address(struct target *target, bool postponed)
{
	struct address *next = NULL;

	for (size_t i = 0; i < target->count; i++) {
		struct address *address = &target->addresses[i];
		int wanted = target->last_family == AF_INET6 ? AF_INET : AF_INET6;

		if (address->state != ADDRESS_WAITS || address->postponed != postponed) {
			continue;
		}
		if (next == NULL ||
		    (next->where.ss_family != wanted && address->where.ss_family == wanted)) {
			next = address;
		}
	}
	return next;
}

static void fail(struct address *address, int error)
{
	if (address->fd >= 0) {
		close(address->fd);
		address->fd = -1;
	}
	address->state = ADDRESS_IS_OVER;
	address->error = error;
}

static void start_address(struct target *target, struct address *address, int64_t now)
{
	target->last_family = address->where.ss_family;
	address->state = ADDRESS_CONNECTS;
	address->since_ms = now;
	address->fd = socket(address->where.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			     IPPROTO_TCP);
	if (address->fd < 0 ||
	    (connect(address->fd, (struct sockaddr *)&address->where, address->length) < 0 &&
	     errno != EINPROGRESS)) {
		fail(address, errno);
	}
}

/* ---- what comes next ---- */

/* A target whose name is to be looked up, or an address of one. Both NULL: there is nothing. */
struct step {
	struct target *target;
	struct address *address;
};

static bool is_busy(const struct connector *connector, bool *connects)
{
	bool looks = connector->searching;

	*connects = false;
	for (size_t i = 0; i < connector->count; i++) {
		const struct target *target = &connector->targets[i];

		looks = looks || target->lookups[INET6] != NULL || target->lookups[INET] != NULL;
		for (size_t j = 0; j < target->count; j++) {
			*connects = *connects || target->addresses[j].state == ADDRESS_CONNECTS;
		}
	}
	return looks || *connects;
}

static struct step find_step(struct connector *connector, bool postponed, int64_t now)
{
	for (size_t i = 0; i < connector->count; i++) {
		struct target *target = &connector->targets[i];
		struct address *address = next_address(target, postponed);
		bool hopes = target->lookups[INET6] != NULL &&
			     (target->inet_ms < 0 || now - target->inet_ms < RESOLUTION_DELAY_MS);

		if (!target->started || (address != NULL && !hopes)) {
			return (struct step){target, address};
		}
	}
	return (struct step){0};
}

/* When the step may be taken: at once if nothing else is under way that it should wait for. */
static int64_t due_ms(const struct connector *connector, const struct step *step)
{
	const struct target *last = connector->last_target;
	bool connects;

	if (last == NULL || !is_busy(connector, &connects) ||
	    (!connects && step->address != NULL)) {
		return 0;
	}
	return connector->last_ms + (step->target->srv.priority == last->srv.priority
					     ? ATTEMPT_DELAY_MS
					     : PRIORITY_DELAY_MS);
}

/* Starts everything that is due. Returns when there will be more, INT64_MAX: not by itself. */
static int64_t advance(struct connector *connector, int64_t now)
{
	for (;;) {
		struct step step = find_step(connector, false, now);
		bool connects;

		if (step.target == NULL && !is_busy(connector, &connects)) {
			step = find_step(connector, true, now);
		}
		if (step.target == NULL) {
			return INT64_MAX;
		}
		int64_t due = due_ms(connector, &step);
		if (due > now) {
			return due;
		}
		connector->last_target = step.target;
		connector->last_ms = now;
		if (step.address != NULL) {
			start_address(step.target, step.address, now);
		} else {
			start_target(step.target);
		}
	}
}

/* ---- what has come ---- */

/* A failure lets the next attempt start at once. */
static void note_failure(struct connector *connector)
{
	connector->last_target = NULL;
}

/* Whether the attempt has ended well. */
static bool check_address(struct connector *connector, struct address *address, int64_t now)
{
	struct pollfd poll_fd = {.fd = address->fd, .events = POLLOUT};
	int error = 0;
	socklen_t size = sizeof(error);

	if (poll(&poll_fd, 1, 0) <= 0) {
		if (now >= address->since_ms + ATTEMPT_MS) {
			fail(address, ETIMEDOUT);
			note_failure(connector);
		}
		return false;
	}
	/* connect(2) is not asked for the result: see socket_offer. */
	if (getsockopt(address->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) {
		error = errno;
	}
	if (error != 0) {
		fail(address, error);
		note_failure(connector);
		return false;
	}
	return true;
}

/* The first that has connected, or NULL. */
static struct address *check(struct connector *connector, int64_t now, size_t *rank)
{
	if (connector->searching) {
		check_search(connector, now);
	}
	for (size_t i = 0; i < connector->count; i++) {
		struct target *target = &connector->targets[i];
		bool looked_up = is_looked_up(target);

		check_target(target, now);
		if (looked_up && !is_looked_up(target) && target->count == 0) {
			note_failure(connector);
		}
		for (size_t j = 0; j < target->count; j++) {
			struct address *address = &target->addresses[j];

			if (address->state == ADDRESS_CONNECTS &&
			    check_address(connector, address, now)) {
				*rank = i;
				return address;
			}
		}
	}
	return NULL;
}

/* Those that have not answered yet may be tried again. */
static void stop_others(struct connector *connector)
{
	for (size_t i = 0; i < connector->count; i++) {
		for (size_t j = 0; j < connector->targets[i].count; j++) {
			struct address *address = &connector->targets[i].addresses[j];

			if (address->state == ADDRESS_CONNECTS) {
				close(address->fd);
				address->fd = -1;
				address->state = ADDRESS_WAITS;
			}
		}
	}
}

/* ---- waiting ---- */

#define MAX_FDS (1 + SERVICES + SRV_MAX_TARGETS * (FAMILIES + TARGET_ADDRESSES))

static size_t add_lookups(struct pollfd *fds, size_t count, struct lookup *const *lookups,
			  int number)
{
	for (int i = 0; i < number; i++) {
		if (lookups[i] != NULL) {
			fds[count++] =
				(struct pollfd){.fd = lookup_fd(lookups[i]), .events = POLLIN};
		}
	}
	return count;
}

/* Until something has come, or `until_ms`. -EINTR: `wakeup` is readable. */
static int wait_until(struct connector *connector, int wakeup, int64_t until_ms, int64_t now)
{
	struct pollfd fds[MAX_FDS] = {{.fd = wakeup, .events = POLLIN}};
	size_t count = add_lookups(fds, 1, connector->services, SERVICES);

	for (size_t i = 0; i < connector->count; i++) {
		struct target *target = &connector->targets[i];

		count = add_lookups(fds, count, target->lookups, FAMILIES);
		for (size_t j = 0; j < target->count; j++) {
			if (target->addresses[j].state == ADDRESS_CONNECTS) {
				fds[count++] = (struct pollfd){.fd = target->addresses[j].fd,
							       .events = POLLOUT};
			}
		}
	}
	poll(fds, (nfds_t)count, until_ms > now ? (int)(until_ms - now) : 0);
	return (fds[0].revents & POLLIN) != 0 ? -EINTR : 0;
}

/* Limits that pass without a descriptor becoming readable. */
static int64_t next_limit_ms(const struct connector *connector)
{
	int64_t limit_ms = INT64_MAX;

	if (connector->searching) {
		limit_ms = connector->began_ms +
			   (connector->found.count > 0 ? OTHER_WAIT_MS : SRV_WAIT_MS);
	}
	for (size_t i = 0; i < connector->count; i++) {
		const struct target *target = &connector->targets[i];

		if (target->lookups[INET6] != NULL && target->inet_ms >= 0 &&
		    target->inet_ms + RESOLUTION_DELAY_MS < limit_ms) {
			limit_ms = target->inet_ms + RESOLUTION_DELAY_MS;
		}
		for (size_t j = 0; j < target->count; j++) {
			const struct address *address = &target->addresses[j];

			if (address->state == ADDRESS_CONNECTS &&
			    address->since_ms + ATTEMPT_MS < limit_ms) {
				limit_ms = address->since_ms + ATTEMPT_MS;
			}
		}
	}
	return limit_ms;
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
	if (getnameinfo((const struct sockaddr *)&address->where, address->length, text,
			(socklen_t)size, NULL, 0, NI_NUMERICHOST) != 0) {
		text[0] = '\0';
	}
}

static void give(struct connector *connector, struct address *address, size_t rank,
		 struct connection *connection)
{
	const struct target *target = &connector->targets[rank];
	bool connects;

	connection->fd = address->fd;
	connection->port = target->srv.port;
	connection->direct_tls = target->srv.direct_tls;
	connection->rank = rank;
	connection->rtt_ms = loop_now_ms() - address->since_ms;
	name_address(connection->address, sizeof(connection->address), address);
	name_place(connection->place, sizeof(connection->place), target, connection->address);
	address->fd = -1;
	address->state = ADDRESS_IS_OVER;
	stop_others(connector);
	connector->last = address;
	connection->last = !is_busy(connector, &connects) &&
			   find_step(connector, false, 0).target == NULL &&
			   find_step(connector, true, 0).target == NULL;
}

int connector_next(struct connector *connector, int wakeup, int64_t deadline_ms,
		   struct connection *connection)
{
	connector->last = NULL;
	connector->last_target = NULL;
	for (;;) {
		int64_t now = loop_now_ms();
		size_t rank;
		bool connects;

		struct address *address = check(connector, now, &rank);
		if (address != NULL) {
			give(connector, address, rank, connection);
			return 0;
		}
		int64_t until_ms = advance(connector, now);
		if (!is_busy(connector, &connects) && until_ms == INT64_MAX) {
			return -EHOSTUNREACH;
		}
		if (now >= deadline_ms) {
			return -ETIMEDOUT;
		}
		int64_t limit_ms = next_limit_ms(connector);
		until_ms = limit_ms < until_ms ? limit_ms : until_ms;
		until_ms = deadline_ms < until_ms ? deadline_ms : until_ms;
		int error = wait_until(connector, wakeup, until_ms, now);
		if (error < 0) {
			return error;
		}
	}
}

void connector_postpone(struct connector *connector)
{
	if (connector->last != NULL && !connector->last->postponed) {
		connector->last->state = ADDRESS_WAITS;
		connector->last->postponed = true;
	}
}

size_t connector_explain(const struct connector *connector, struct cause *cause)
{
	char place[sizeof(cause->place)], numeric[64];

	for (size_t i = 0; i < connector->count; i++) {
		const struct target *target = &connector->targets[i];

		for (size_t j = 0; j < target->count; j++) {
			const struct address *address = &target->addresses[j];
			int error = address->state == ADDRESS_CONNECTS ? ETIMEDOUT : address->error;

			if (error != 0) {
				name_address(numeric, sizeof(numeric), address);
				name_place(place, sizeof(place), target, numeric);
				cause_reset(cause, place);
				cause_set_errno(cause, CAUSE_UNREACHABLE, error);
				return i;
			}
		}
		if (target->started && target->count == 0) {
			name_place(place, sizeof(place), target, NULL);
			cause_reset(cause, place);
			cause_set(cause, CAUSE_NAME,
				  is_looked_up(target) ? "no answer" : target->reason);
			return i;
		}
	}
	cause_reset(cause, connector->name);
	if (connector->reason != NULL) {
		cause_set(cause, CAUSE_NO_SERVICE, NULL);
	} else {
		cause_set(cause, CAUSE_NAME, "no answer");
	}
	return SRV_MAX_TARGETS;
}

/* ---- life ---- */

/* RFC 6120 section 3.2.1 wants A-labels in the DNS (RFC 5890). */
static char *dns_name(const char *domain)
{
	char *name = NULL;
	char *copy = NULL;

	if (idna_to_ascii_8z(domain, &name, 0) == IDNA_SUCCESS) {
		copy = strdup(name);
		free(name);
	} else {
		copy = strdup(domain); /* the resolver will say what is wrong */
	}
	return copy;
}

struct connector *connector_create(const char *domain, const char *host, uint16_t port,
				   enum client_tls tls)
{
	struct connector *connector = calloc(1, sizeof(*connector));

	if (connector == NULL) {
		return NULL;
	}
	connector->tls = tls;
	connector->port = port;
	connector->began_ms = loop_now_ms();
	connector->name = dns_name(host != NULL ? host : domain);
	if (connector->name == NULL) {
		connector_destroy(connector);
		return NULL;
	}
	if (host != NULL || port != 0) {
		add_name(connector);
	} else {
		begin_search(connector);
	}
	return connector;
}

void connector_destroy(struct connector *connector)
{
	if (connector == NULL) {
		return;
	}
	stop_others(connector);
	for (int i = 0; i < SERVICES; i++) {
		lookup_release(connector->services[i]);
	}
	for (size_t i = 0; i < connector->count; i++) {
		for (int j = 0; j < FAMILIES; j++) {
			lookup_release(connector->targets[i].lookups[j]);
		}
	}
	free(connector->name);
	free(connector);
}
