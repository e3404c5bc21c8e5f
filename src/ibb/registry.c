/* SPDX-License-Identifier: MIT */
/*
 * The tables of an account's streams: by our number, and by the peer's full JID and sid.
 */
/* A table that cannot grow leaves the entry out, and says so in its `tbl`. */
#define HASH_NONFATAL_OOM 1

#include "ibb/ibb_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The key is "PEER\nSID": neither can hold a newline. A full JID has 3071 bytes at most (RFC 7622
 * section 3.1), a sid that the codec lets through 1023. */
#define KEY_SIZE (3071 + 1 + 1023 + 1)

static bool make_key(char *key, const char *peer, const char *sid)
{
	int length = snprintf(key, KEY_SIZE, "%s\n%s", peer, sid);
	return length >= 0 && length < KEY_SIZE;
}

bool ibb_can_find(const char *peer, const char *sid)
{
	char key[KEY_SIZE];
	return make_key(key, peer, sid);
}

bool ibb_find_verdict(struct ibb *ibb, const char *peer, const char *sid, enum condition *condition)
{
	char key[KEY_SIZE];
	return make_key(key, peer, sid) && verdicts_find(&ibb->verdicts, key, condition);
}

void ibb_restore_verdict(struct ibb *ibb, const char *peer, const char *sid, enum condition verdict)
{
	char key[KEY_SIZE];
	if (make_key(key, peer, sid)) {
		verdicts_restore(&ibb->verdicts, key, verdict);
	}
}

bool ibb_verdicts_are_told(const struct ibb *ibb)
{
	return ibb->verdicts.unasked == 0;
}

bool ibb_verdicts_reach(const struct ibb *ibb,
			bool (*is_online)(const void *context, const char *peer),
			const void *context)
{
	return verdicts_reach(&ibb->verdicts, is_online, context);
}

struct stream *ibb_find(const struct ibb *ibb, const char *peer, const char *sid)
{
	char key[KEY_SIZE];
	struct stream *stream = NULL;
	if (make_key(key, peer, sid)) {
		HASH_FIND(links.by_key, ibb->by_key, key, strlen(key), stream);
	}
	return stream;
}

int ibb_add_key(struct ibb *ibb, struct stream *stream)
{
	char key[KEY_SIZE];
	if (!make_key(key, stream->peer, stream->sid)) {
		return -EINVAL;
	}
	size_t size = strlen(key) + 1;
	stream->links.key = malloc(size);
	if (!stream->links.key) {
		return -ENOMEM;
	}
	memcpy(stream->links.key, key, size);
	HASH_ADD_KEYPTR(links.by_key, ibb->by_key, stream->links.key, size - 1, stream);
	if (!stream->links.by_key.tbl) {
		free(stream->links.key);
		stream->links.key = NULL;
		return -ENOMEM;
	}
	/* An earlier stream with that sid is not this one. */
	verdicts_forget(&ibb->verdicts, key);
	sharing_begin(&ibb->sharing);
	return 0;
}

static void remove_by_key(struct ibb *ibb, struct stream *stream)
{
	if (stream->links.key) {
		HASH_DELETE(links.by_key, ibb->by_key, stream);
		sharing_end(&ibb->sharing);
		free(stream->links.key);
		stream->links.key = NULL;
	}
}

struct stream *ibb_add(struct ibb *ibb, const char *sid, int *error)
{
	struct stream *stream =
		stream_create(&ibb->config, &ibb->effects, &ibb->limits, &ibb->auto_size,
			      &ibb->sharing, ibb->last_number + 1, sid);
	if (!stream) {
		*error = -ENOMEM;
		return NULL;
	}
	HASH_ADD(links.by_number, ibb->by_number, number, sizeof(stream->number), stream);
	if (!stream->links.by_number.tbl) {
		stream_destroy(stream);
		*error = -ENOMEM;
		return NULL;
	}
	ibb->last_number++;
	return stream;
}

void ibb_remove(struct ibb *ibb, struct stream *stream)
{
	remove_by_key(ibb, stream);
	HASH_DELETE(links.by_number, ibb->by_number, stream);
	limits_release(stream->quota, stream->consumed && stream->state == STREAM_CLOSED);
	stream_destroy(stream);
}

void ibb_reopen(struct ibb *ibb, struct stream *stream, int64_t now_ms)
{
	if (!stream->session.lost || stream_is_over(stream) || ibb->disconnected) {
		return;
	}
	remove_by_key(ibb, stream);
	int error = stream_reopen(stream, now_ms);
	error = error ? error : ibb_add_key(ibb, stream);
	if (error) {
		/* The <open/> may be queued already. */
		stream_abort(stream, error);
	}
}

/* What is too long is certain once something shorter has passed. A session that was negotiated has
 * no second chance to show that; its successor has. */
static void learn_path_mtu(struct ibb *ibb, struct stream *stream)
{
	size_t carried = stream->outgoing.sender.carried;
	path_mtu_note(&ibb->path_mtu, carried);
	bool hopeless = stream->session.negotiated && stream_is_over(stream);
	if (stream->session.found_limit && (carried > 0 || hopeless)) {
		path_mtu_learn(&ibb->path_mtu, stream->peer, stream->session.path_mtu);
		stream->session.found_limit = false;
	}
}

/* Whether <close/> may come, or come again: its answer was lost, or the sender was offline when the
 * stream was broken here. Only an ibbfs takes the answer for the word on its file. */
static bool may_close(const struct stream *stream)
{
	const struct stream_session *session = &stream->session;
	bool is_unheard =
		stream->is_incoming && stream->state == STREAM_BROKEN && !session->close_received;
	return session->close_repeats ||
	       (is_unheard && (session->resumable || session->features & FEATURE_IBBFS));
}

static void note_verdict(struct ibb *ibb, const struct stream *stream)
{
	const struct stream_session *session = &stream->session;
	if (stream->links.key && may_close(stream)) {
		verdicts_note(&ibb->verdicts, stream->links.key,
			      session->close_accepted ? CONDITION_NONE
						      : stream->incoming.receiver.close_verdict);
	}
}

void ibb_settle(struct ibb *ibb, struct stream *stream)
{
	learn_path_mtu(ibb, stream);
	if (stream_is_over(stream)) {
		if (stream->links.key && stream->state == STREAM_CLOSED) {
			bool alone = HASH_CNT(links.by_key, ibb->by_key) == 1;
			path_cache_learn(&ibb->path_cache, stream->peer, &stream->outgoing.window,
					 alone);
		}
		note_verdict(ibb, stream);
		remove_by_key(ibb, stream);
		/* Answers may still wait for the backlog. */
		if (!stream->owned && !stream->incoming.receiver.held) {
			ibb_remove(ibb, stream);
		}
	}
}
