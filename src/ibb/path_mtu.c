/* SPDX-License-Identifier: MIT */
#include "ibb/path_mtu.h"

#include <stdbool.h>
#include <string.h>

size_t carriage_shorter(size_t length)
{
	if (length <= CARRIAGE_MIN) {
		return length;
	}
	return length / 4 > CARRIAGE_MIN ? length / 4 : CARRIAGE_MIN;
}

void carriage_note(struct carriage *carriage, size_t length)
{
	carriage->carried = length > carriage->carried ? length : carriage->carried;
}

static bool is_remembered(const struct carriage *carriage, int64_t learnt_ms)
{
	return carriage->now_ms - learnt_ms < CARRIAGE_MS;
}

/* ---- domains ---- */

/* The domain of a JID; returns its length. */
static size_t domain_of(const char *peer, const char **domain)
{
	size_t bare = strcspn(peer, "/");
	const char *at = memchr(peer, '@', bare);
	*domain = at ? at + 1 : peer;
	return bare - (size_t)(*domain - peer);
}

static size_t find(const struct carriage *carriage, const char *domain, size_t length)
{
	size_t i = 0;
	while (i < CARRIAGE_DOMAINS && (strlen(carriage->domains[i].name) != length ||
					memcmp(carriage->domains[i].name, domain, length) != 0)) {
		i++;
	}
	return i;
}

void carriage_learn(struct carriage *carriage, const char *peer, size_t most)
{
	const char *domain;
	size_t length = domain_of(peer, &domain);
	if (length == 0 || length > CARRIAGE_MAX_DOMAIN) {
		return;
	}
	size_t i = find(carriage, domain, length);
	if (i == CARRIAGE_DOMAINS) {
		i = carriage->next++ % CARRIAGE_DOMAINS;
		memcpy(carriage->domains[i].name, domain, length);
		carriage->domains[i].name[length] = '\0';
	}
	carriage->domains[i].most = most;
	carriage->domains[i].learnt_ms = carriage->now_ms;
}

size_t carriage_most(const struct carriage *carriage, const char *peer)
{
	const char *domain;
	size_t length = domain_of(peer, &domain);
	size_t i = length > 0 ? find(carriage, domain, length) : CARRIAGE_DOMAINS;
	return i < CARRIAGE_DOMAINS && is_remembered(carriage, carriage->domains[i].learnt_ms)
		       ? carriage->domains[i].most
		       : 0;
}

/* ---- our server ---- */

size_t carriage_ours(const struct carriage *carriage)
{
	return is_remembered(carriage, carriage->learnt_ms) ? carriage->most : 0;
}

size_t carriage_broken(struct carriage *carriage, size_t longest)
{
	if (longest <= carriage->carried || longest <= CARRIAGE_MIN) {
		return 0;
	}
	bool again = carriage->suspect > carriage->carried;
	carriage->suspect = longest;
	if (!again) {
		return 0;
	}
	size_t most = carriage_shorter(longest), before = carriage_ours(carriage);
	if (before == 0 || most < before) {
		carriage->most = most;
		carriage->learnt_ms = carriage->now_ms;
	}
	return most;
}
