/* SPDX-License-Identifier: MIT */
#include "xmpp/candidates.h"

#include <netinet/in.h>
#include <string.h>

/* ---- targets ---- */

void candidates_add(struct candidates *candidates, const struct srv_target *srv)
{
	struct target *target = &candidates->targets[candidates->count++];

	*target = (struct target){.srv = *srv, .inet_ms = -1, .last_family = AF_UNSPEC};
}

static size_t count_family(const struct target *target, int family)
{
	size_t count = 0;

	for (size_t i = 0; i < target->count; i++) {
		count += target->addresses[i].name.ss_family == family;
	}
	return count;
}

void target_add_addresses(struct target *target, const struct addrinfo *list)
{
	in_port_t port = htons(target->srv.port);

	for (; list != NULL; list = list->ai_next) {
		if (count_family(target, list->ai_family) == FAMILY_MAX_ADDRESSES) {
			break;
		}
		struct address *address = &target->addresses[target->count++];

		*address = (struct address){.fd = -1, .length = list->ai_addrlen};
		memcpy(&address->name, list->ai_addr, list->ai_addrlen);
		if (list->ai_family == AF_INET6) {
			((struct sockaddr_in6 *)&address->name)->sin6_port = port;
		} else {
			((struct sockaddr_in *)&address->name)->sin_port = port;
		}
	}
}

void target_resolved(struct target *target, enum family family, const char *reason, int64_t now_ms)
{
	target->pending[family] = false;
	if (reason != NULL && (target->reason == NULL || family == FAMILY_INET)) {
		target->reason = reason;
	}
	if (family == FAMILY_INET) {
		target->inet_ms = now_ms;
	}
}

bool target_is_pending(const struct target *target)
{
	return target->pending[FAMILY_INET6] || target->pending[FAMILY_INET];
}

/* ---- addresses ---- */

void address_fail(struct address *address, int error)
{
	address->state = ADDRESS_DONE;
	address->error = error;
}

bool address_is_overdue(const struct address *address, int64_t now_ms)
{
	return now_ms >= address->since_ms + CANDIDATES_ATTEMPT_MS;
}

/* RFC 8305 section 4: the families take turns, IPv6 first. NULL: no address waits. */
static struct address *next_address(struct target *target, enum turn turn)
{
	struct address *next = NULL;
	int wanted = target->last_family == AF_INET6 ? AF_INET : AF_INET6;

	for (size_t i = 0; i < target->count; i++) {
		struct address *address = &target->addresses[i];

		if (address->state != ADDRESS_WAITING || address->turn != turn) {
			continue;
		}
		if (next == NULL ||
		    (next->name.ss_family != wanted && address->name.ss_family == wanted)) {
			next = address;
		}
	}
	return next;
}

/* ---- order and pacing ---- */

static bool is_resolving(const struct candidates *candidates)
{
	for (size_t i = 0; i < candidates->count; i++) {
		if (target_is_pending(&candidates->targets[i])) {
			return true;
		}
	}
	return candidates->searching;
}

static bool is_connecting(const struct candidates *candidates)
{
	for (size_t i = 0; i < candidates->count; i++) {
		const struct target *target = &candidates->targets[i];

		for (size_t j = 0; j < target->count; j++) {
			if (target->addresses[j].state == ADDRESS_CONNECTING) {
				return true;
			}
		}
	}
	return false;
}

bool candidates_is_busy(const struct candidates *candidates)
{
	return is_resolving(candidates) || is_connecting(candidates);
}

/* Whether IPv6 addresses may still come in time to be tried before those of IPv4. */
static bool waits_for_inet6(const struct target *target, int64_t now_ms)
{
	return target->pending[FAMILY_INET6] &&
	       (target->inet_ms < 0 || now_ms - target->inet_ms < CANDIDATES_RESOLUTION_DELAY_MS);
}

/* Both NULL: there is none. */
static struct step find_step(struct candidates *candidates, enum turn turn, int64_t now_ms)
{
	for (size_t i = 0; i < candidates->count; i++) {
		struct target *target = &candidates->targets[i];
		struct address *address = next_address(target, turn);

		if (!target->started || (address != NULL && !waits_for_inet6(target, now_ms))) {
			return (struct step){target, address};
		}
	}
	return (struct step){0};
}

/* The first attempt does not wait for look-ups of names, but a second look-up waits for the first.
 */
static int64_t due_ms(const struct candidates *candidates, const struct step *step)
{
	const struct target *last = candidates->last_target;

	if (last == NULL || !candidates_is_busy(candidates) ||
	    (step->address != NULL && !is_connecting(candidates))) {
		return 0;
	}
	return candidates->last_ms + (step->target->srv.priority == last->srv.priority
					      ? CANDIDATES_ATTEMPT_DELAY_MS
					      : CANDIDATES_PRIORITY_DELAY_MS);
}

static void take_step(struct candidates *candidates, const struct step *step, int64_t now_ms)
{
	candidates->last_target = step->target;
	candidates->last_ms = now_ms;
	if (step->address == NULL) {
		step->target->started = true;
		return;
	}
	step->target->last_family = step->address->name.ss_family;
	step->address->state = ADDRESS_CONNECTING;
	step->address->since_ms = now_ms;
}

int64_t candidates_next(struct candidates *candidates, int64_t now_ms, struct step *step)
{
	*step = find_step(candidates, TURN_FIRST, now_ms);
	for (int turn = TURN_POSTPONED; turn < TURNS && step->target == NULL; turn++) {
		if (candidates_is_busy(candidates)) {
			break;
		}
		*step = find_step(candidates, turn, now_ms);
	}
	if (step->target == NULL) {
		return INT64_MAX;
	}
	int64_t due = due_ms(candidates, step);
	if (due <= now_ms) {
		take_step(candidates, step, now_ms);
	}
	return due;
}

void candidates_hurry(struct candidates *candidates)
{
	candidates->last_target = NULL;
}

bool candidates_is_exhausted(struct candidates *candidates, enum turn turn)
{
	for (int earlier = TURN_FIRST; earlier <= (int)turn; earlier++) {
		if (find_step(candidates, earlier, 0).target != NULL) {
			return false;
		}
	}
	return !candidates_is_busy(candidates);
}

void candidates_win(struct candidates *candidates, struct address *winner)
{
	winner->state = ADDRESS_DONE;
	for (size_t i = 0; i < candidates->count; i++) {
		for (size_t j = 0; j < candidates->targets[i].count; j++) {
			struct address *address = &candidates->targets[i].addresses[j];

			if (address->state != ADDRESS_CONNECTING) {
				continue;
			}
			address->state = ADDRESS_WAITING;
			if (address->since_ms < winner->since_ms) {
				address->turn = TURN_OVERTAKEN;
			}
		}
	}
}

static int64_t earlier(int64_t a_ms, int64_t b_ms)
{
	return a_ms < b_ms ? a_ms : b_ms;
}

int64_t candidates_limit_ms(const struct candidates *candidates)
{
	int64_t limit_ms = INT64_MAX;

	for (size_t i = 0; i < candidates->count; i++) {
		const struct target *target = &candidates->targets[i];

		if (target->pending[FAMILY_INET6] && target->inet_ms >= 0) {
			limit_ms =
				earlier(limit_ms, target->inet_ms + CANDIDATES_RESOLUTION_DELAY_MS);
		}
		for (size_t j = 0; j < target->count; j++) {
			const struct address *address = &target->addresses[j];

			if (address->state == ADDRESS_CONNECTING) {
				limit_ms = earlier(limit_ms,
						   address->since_ms + CANDIDATES_ATTEMPT_MS);
			}
		}
	}
	return limit_ms;
}
