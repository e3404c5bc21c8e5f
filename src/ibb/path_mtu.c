/* SPDX-License-Identifier: MIT */
#include "ibb/path_mtu.h"

#include <stdbool.h>
#include <string.h>

size_t path_mtu_shorter(size_t length)
{
	if (length <= PATH_MTU_MIN) {
		return length;
	}
	return length / 4 > PATH_MTU_MIN ? length / 4 : PATH_MTU_MIN;
}

void path_mtu_note(struct path_mtu *path_mtu, size_t length)
{
	path_mtu->carried = length > path_mtu->carried ? length : path_mtu->carried;
}

static bool is_remembered(const struct path_mtu *path_mtu, int64_t learnt_ms)
{
	return path_mtu->now_ms - learnt_ms < PATH_MTU_MS;
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

static size_t find(const struct path_mtu *path_mtu, const char *domain, size_t length)
{
	size_t i = 0;
	while (i < PATH_MTU_DOMAINS && (strlen(path_mtu->domains[i].name) != length ||
					memcmp(path_mtu->domains[i].name, domain, length) != 0)) {
		i++;
	}
	return i;
}

void path_mtu_learn(struct path_mtu *path_mtu, const char *peer, size_t most)
{
	const char *domain;
	size_t length = domain_of(peer, &domain);
	if (length == 0 || length > PATH_MTU_MAX_DOMAIN) {
		return;
	}
	size_t i = find(path_mtu, domain, length);
	if (i == PATH_MTU_DOMAINS) {
		i = path_mtu->next++ % PATH_MTU_DOMAINS;
		memcpy(path_mtu->domains[i].name, domain, length);
		path_mtu->domains[i].name[length] = '\0';
	}
	path_mtu->domains[i].most = most;
	path_mtu->domains[i].learnt_ms = path_mtu->now_ms;
}

size_t path_mtu_most(const struct path_mtu *path_mtu, const char *peer)
{
	const char *domain;
	size_t length = domain_of(peer, &domain);
	size_t i = length > 0 ? find(path_mtu, domain, length) : PATH_MTU_DOMAINS;
	return i < PATH_MTU_DOMAINS && is_remembered(path_mtu, path_mtu->domains[i].learnt_ms)
		       ? path_mtu->domains[i].most
		       : 0;
}

/* ---- our server ---- */

size_t path_mtu_ours(const struct path_mtu *path_mtu)
{
	return is_remembered(path_mtu, path_mtu->learnt_ms) ? path_mtu->most : 0;
}

size_t path_mtu_broken(struct path_mtu *path_mtu, size_t longest)
{
	if (longest <= path_mtu->carried || longest <= PATH_MTU_MIN) {
		return 0;
	}
	bool again = path_mtu->suspect > path_mtu->carried;
	path_mtu->suspect = longest;
	if (!again) {
		return 0;
	}
	size_t most = path_mtu_shorter(longest), before = path_mtu_ours(path_mtu);
	if (before == 0 || most < before) {
		path_mtu->most = most;
		path_mtu->learnt_ms = path_mtu->now_ms;
	}
	return most;
}
