/* SPDX-License-Identifier: MIT */
/* A table that cannot grow leaves the entry out, and says so in its `tbl`. */
#define HASH_NONFATAL_OOM 1

#include "ibb/verdicts.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

void verdicts_init(struct verdicts *verdicts, size_t most)
{
	*verdicts = (struct verdicts){.most = most};
}

static void drop_peer(struct verdicts *verdicts, struct verdict_peer *peer)
{
	HASH_DELETE(hh, verdicts->peers, peer);
	free(peer);
}

static void drop(struct verdicts *verdicts, struct verdict *verdict)
{
	struct verdict_peer *peer = verdict->peer;
	verdicts->unasked -= verdict->is_unasked;
	HASH_DELETE(hh, verdicts->by_key, verdict);
	DL_DELETE(peer->verdicts, verdict);
	free(verdict);
	if (--peer->length == 0) {
		drop_peer(verdicts, peer);
	}
}

void verdicts_finish(struct verdicts *verdicts)
{
	while (verdicts->by_key) {
		drop(verdicts, verdicts->by_key);
	}
}

static struct verdict *find(const struct verdicts *verdicts, const char *key)
{
	struct verdict *verdict = NULL;
	HASH_FIND(hh, verdicts->by_key, key, strlen(key), verdict);
	return verdict;
}

/* ---- peers ---- */

/* NULL when memory is short. */
static struct verdict_peer *add_peer(struct verdicts *verdicts, const char *bare, size_t length)
{
	struct verdict_peer *peer = calloc(1, sizeof(*peer) + length + 1);
	if (!peer) {
		return NULL;
	}
	memcpy(peer->bare, bare, length);
	HASH_ADD_KEYPTR(hh, verdicts->peers, peer->bare, length, peer);
	if (!peer->hh.tbl) {
		free(peer);
		return NULL;
	}
	return peer;
}

/* That of `key`; NULL: it has none. */
static struct verdict_peer *find_peer(const struct verdicts *verdicts, const char *key)
{
	struct verdict_peer *peer = NULL;
	HASH_FIND(hh, verdicts->peers, key, strcspn(key, "/\n"), peer);
	return peer;
}

/* Removes the oldest verdict of the peer that has the most; if `noted` (or NULL), with the one that
 * will be added, has as many, its oldest. */
static void make_room(struct verdicts *verdicts, struct verdict_peer *noted)
{
	struct verdict_peer *fullest = noted, *peer, *next;
	size_t length = noted ? noted->length + 1 : 0; /* with the new one */
	HASH_ITER (hh, verdicts->peers, peer, next) {
		if (peer->length > length) {
			fullest = peer;
			length = peer->length;
		}
	}
	if (fullest) {
		drop(verdicts, fullest->verdicts);
	}
}

/* ---- verdicts ---- */

static void add(struct verdicts *verdicts, struct verdict_peer *peer, const char *key,
		enum condition condition)
{
	size_t length = strlen(key);
	struct verdict *verdict = calloc(1, sizeof(*verdict) + length + 1);
	if (!verdict) {
		return;
	}
	verdict->condition = condition;
	memcpy(verdict->key, key, length);
	HASH_ADD_KEYPTR(hh, verdicts->by_key, verdict->key, length, verdict);
	if (!verdict->hh.tbl) {
		free(verdict);
		return;
	}
	verdict->peer = peer;
	peer->length++;
	DL_APPEND(peer->verdicts, verdict);
}

void verdicts_note(struct verdicts *verdicts, const char *key, enum condition condition)
{
	struct verdict *known = find(verdicts, key);
	if (known) {
		drop(verdicts, known);
	} else if (HASH_CNT(hh, verdicts->by_key) >= verdicts->most) {
		make_room(verdicts, find_peer(verdicts, key));
	}
	struct verdict_peer *peer = find_peer(verdicts, key);
	peer = peer ? peer : add_peer(verdicts, key, strcspn(key, "/\n"));
	if (!peer) {
		return;
	}
	add(verdicts, peer, key, condition);
	if (peer->length == 0) {
		drop_peer(verdicts, peer);
	}
}

void verdicts_forget(struct verdicts *verdicts, const char *key)
{
	struct verdict *verdict = find(verdicts, key);
	if (verdict) {
		drop(verdicts, verdict);
	}
}

void verdicts_restore(struct verdicts *verdicts, const char *key, enum condition condition)
{
	verdicts_note(verdicts, key, condition);
	struct verdict *verdict = find(verdicts, key);
	if (verdict) {
		verdict->is_unasked = true;
		verdicts->unasked++;
	}
}

bool verdicts_find(struct verdicts *verdicts, const char *key, enum condition *condition)
{
	struct verdict *verdict = find(verdicts, key);
	if (verdict) {
		verdicts->unasked -= verdict->is_unasked;
		verdict->is_unasked = false;
		*condition = verdict->condition;
	}
	return verdict != NULL;
}

bool verdicts_reach(const struct verdicts *verdicts,
		    bool (*is_online)(const void *context, const char *peer), const void *context)
{
	const struct verdict *verdict, *next;
	HASH_ITER (hh, verdicts->by_key, verdict, next) {
		char *peer = strndup(verdict->key, strcspn(verdict->key, "\n"));
		bool reaches = peer && is_online(context, peer);
		free(peer);
		if (!reaches) {
			return false;
		}
	}
	return true;
}
