/* SPDX-License-Identifier: MIT */
#include "xmpp/resolution.h"

#include "xmpp/jid.h"
#include "xmpp/lookup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* RFC 6120 section 3.2.2: without an answer to the SRV query the domain's own address is tried.
 * Resolvers ask again after 5 s. Once one kind of record is known, the other is not worth that
 * wait. */
#define SRV_WAIT_MS   6000
#define OTHER_WAIT_MS 1000

/* ---- targets ---- */

/* Adds the host that the user has named, or the domain itself. */
static void add_name(struct resolution *resolution)
{
	bool direct = resolution->tls == CLIENT_TLS_DIRECT;
	struct srv_target srv = {
		.port = resolution->port != 0 ? resolution->port
			: direct	      ? 5223
					      : 5222,
		.direct_tls = direct,
	};

	snprintf(srv.host, sizeof(srv.host), "%s", resolution->name);
	candidates_add(resolution->candidates, &srv);
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

static void begin_search(struct resolution *resolution)
{
	static const char *const names[] = {
		[SERVICE_STARTTLS] = "_xmpp-client._tcp.",
		[SERVICE_DIRECT_TLS] = "_xmpps-client._tcp.",
	};
	bool wanted[] = {
		[SERVICE_STARTTLS] = resolution->tls != CLIENT_TLS_DIRECT,
		[SERVICE_DIRECT_TLS] = resolution->tls != CLIENT_TLS_STARTTLS,
	};
	char name[SRV_HOST_SIZE + 32];

	resolution->candidates->searching = true;
	for (int i = 0; i < SERVICES; i++) {
		if (wanted[i]) {
			snprintf(name, sizeof(name), "%s%s", names[i], resolution->name);
			resolution->services[i] = lookup_srv(name);
		}
	}
}

static void end_search(struct resolution *resolution)
{
	struct candidates *candidates = resolution->candidates;
	bool direct = resolution->tls == CLIENT_TLS_DIRECT;

	candidates->searching = false;
	for (int i = 0; i < SERVICES; i++) {
		lookup_release(resolution->services[i]);
		resolution->services[i] = NULL;
	}
	srv_sort(&resolution->found, any_number, NULL);
	for (size_t i = 0; i < resolution->found.count; i++) {
		candidates_add(candidates, &resolution->found.at[i]);
	}
	if (candidates->count == 0) {
		resolution->no_service =
			resolution->refused[direct ? SERVICE_DIRECT_TLS : SERVICE_STARTTLS];
		if (!resolution->no_service) {
			add_name(resolution);
		}
	}
}

static void take_records(struct resolution *resolution, enum service service)
{
	struct lookup *lookup = resolution->services[service];
	size_t length;

	if (lookup_error(lookup) == 0) {
		const unsigned char *answer = lookup_answer(lookup, &length);
		int error =
			srv_add(&resolution->found, answer, length, service == SERVICE_DIRECT_TLS);
		resolution->refused[service] = error == -ENOTSUP;
	}
	lookup_release(lookup);
	resolution->services[service] = NULL;
}

int64_t resolution_limit_ms(const struct resolution *resolution)
{
	if (!resolution->candidates->searching) {
		return INT64_MAX;
	}
	return resolution->began_ms + (resolution->found.count > 0 ? OTHER_WAIT_MS : SRV_WAIT_MS);
}

static void check_search(struct resolution *resolution, int64_t now_ms)
{
	bool is_waiting = false;

	for (int i = 0; i < SERVICES; i++) {
		struct lookup *lookup = resolution->services[i];

		if (lookup != NULL && lookup_is_done(lookup)) {
			take_records(resolution, (enum service)i);
		} else if (lookup != NULL) {
			is_waiting = true;
		}
	}
	if (!is_waiting || now_ms >= resolution_limit_ms(resolution)) {
		end_search(resolution);
	}
}

/* ---- addresses ---- */

/* Whether the host is an address already; then no resolver is needed. */
static bool add_numeric(struct target *target)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
	struct addrinfo *list = NULL;

	if (getaddrinfo(target->srv.host, NULL, &hints, &list) != 0) {
		return false;
	}
	target_add_addresses(target, list);
	freeaddrinfo(list);
	return true;
}

static struct lookup **lookups_of(struct resolution *resolution, const struct target *target)
{
	return resolution->lookups[target - resolution->candidates->targets];
}

void resolution_start(struct resolution *resolution, struct target *target)
{
	static const int numbers[] = {[FAMILY_INET6] = AF_INET6, [FAMILY_INET] = AF_INET};
	struct lookup **lookups = lookups_of(resolution, target);

	if (add_numeric(target)) {
		return;
	}
	for (int i = 0; i < FAMILIES; i++) {
		lookups[i] = lookup_addresses(target->srv.host, numbers[i]);
		target->pending[i] = lookups[i] != NULL;
	}
	if (!target_is_pending(target)) {
		target->reason = "too many look-ups of names wait for an answer";
	}
}

static void check_target(struct resolution *resolution, struct target *target, int64_t now_ms)
{
	struct lookup **lookups = lookups_of(resolution, target);

	for (int i = 0; i < FAMILIES; i++) {
		struct lookup *lookup = lookups[i];
		const char *reason = NULL;

		if (lookup == NULL || !lookup_is_done(lookup)) {
			continue;
		}
		if (lookup_error(lookup) == 0) {
			target_add_addresses(target, lookup_list(lookup));
		} else {
			reason = lookup_reason(lookup);
		}
		target_resolved(target, (enum family)i, reason, now_ms);
		lookup_release(lookup);
		lookups[i] = NULL;
	}
}

bool resolution_check(struct resolution *resolution, int64_t now_ms)
{
	struct candidates *candidates = resolution->candidates;
	bool has_failed = false;

	if (candidates->searching) {
		check_search(resolution, now_ms);
	}
	for (size_t i = 0; i < candidates->count; i++) {
		struct target *target = &candidates->targets[i];
		bool was_pending = target_is_pending(target);

		check_target(resolution, target, now_ms);
		has_failed |= was_pending && !target_is_pending(target) && target->count == 0;
	}
	return has_failed;
}

/* ---- waiting ---- */

static size_t add_fds(struct pollfd *fds, struct lookup *const *lookups, size_t number)
{
	size_t count = 0;

	for (size_t i = 0; i < number; i++) {
		if (lookups[i] != NULL) {
			fds[count++] =
				(struct pollfd){.fd = lookup_fd(lookups[i]), .events = POLLIN};
		}
	}
	return count;
}

size_t resolution_fds(const struct resolution *resolution, struct pollfd *fds)
{
	size_t count = add_fds(fds, resolution->services, SERVICES);

	for (size_t i = 0; i < resolution->candidates->count; i++) {
		count += add_fds(fds + count, resolution->lookups[i], FAMILIES);
	}
	return count;
}

/* ---- life ---- */

int resolution_init(struct resolution *resolution, struct candidates *candidates,
		    const char *domain, const char *host, uint16_t port, enum client_tls tls,
		    int64_t now_ms)
{
	*resolution = (struct resolution){
		.candidates = candidates,
		.tls = tls,
		.port = port,
		.began_ms = now_ms,
	};
	int error = jid_domain_to_ascii(host != NULL ? host : domain, &resolution->name);
	if (error) {
		return error;
	}
	if (host != NULL || port != 0) {
		add_name(resolution);
	} else {
		begin_search(resolution);
	}
	return 0;
}

void resolution_finish(struct resolution *resolution)
{
	for (int i = 0; i < SERVICES; i++) {
		lookup_release(resolution->services[i]);
	}
	for (size_t i = 0; i < SRV_MAX_TARGETS; i++) {
		for (int j = 0; j < FAMILIES; j++) {
			lookup_release(resolution->lookups[i][j]);
		}
	}
	free(resolution->name);
	*resolution = (struct resolution){0};
}
