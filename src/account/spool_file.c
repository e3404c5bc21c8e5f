/* SPDX-License-Identifier: MIT */
#include "account/spool_file.h"

#include "xmpp/roster.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

int spool_file_begin(struct account *account, struct handle *handle, const char *peer,
		     unsigned features, enum format format)
{
	struct node *node = handle->node;
	if (stream_written(node->file.stream) > 0) {
		return -EPROTONOSUPPORT;
	}
	handle->peer = strdup(peer);
	if (!handle->peer) {
		return -ENOMEM;
	}
	handle->peer_seen = roster_find_resource(&account->roster, peer) != NULL;
	handle->format = format;
	node->file.spooled = true;
	node->file.stream->session.features = features;
	stream_postpone(node->file.stream);
	return 0;
}

bool spool_file_is_unoffered(const struct handle *handle)
{
	return handle_is_spooled(handle) && !handle->node->file.offer && !handle->flushed &&
	       !handle->killed;
}

int spool_file_resize(struct handle *handle, uint64_t size)
{
	struct node *node = handle->node;
	if (node->file.offer || !node->file.stream) {
		return -ECONNRESET;
	}
	if (stream_is_over(node->file.stream)) {
		return stream_outcome(node->file.stream);
	}
	node->file.size = size;
	handle->flushed = false;
	handle->used = true;
	handle->refused = 0;
	node_touch(node);
	return 0;
}

int spool_file_begin_write(struct handle *handle, uint64_t size, uint64_t offset)
{
	return handle_hides_bytes(handle, size, offset) ? -ESPIPE : spool_file_resize(handle, size);
}

int spool_file_error(const struct handle *handle)
{
	const struct node *node = handle->node;
	if (node->file.offer || !node->file.stream) {
		return node->file.offer ? 0 : node->file.summary.error;
	}
	return stream_is_over(node->file.stream) ? stream_outcome(node->file.stream)
						 : handle_refusal(handle);
}

/* 0: the peer of `handle` can be sent an offer now, and everything was written; or why not. */
static int check(const struct account *account, const struct stream *stream,
		 const struct handle *handle)
{
	if (stream_is_over(stream)) {
		return stream_outcome(stream);
	}
	if (handle->refused) {
		return handle_refusal(handle);
	}
	if (account->stopping) {
		return -ECONNRESET;
	}
	if (!account->online) {
		return -ENETDOWN;
	}
	/* The peer has become unavailable while the file was written. */
	return handle->peer_seen && !roster_find_resource(&account->roster, handle->peer)
		       ? -EHOSTDOWN
		       : 0;
}

int spool_file_make_offer(struct account *account, struct handle *handle, uint64_t size,
			  const struct digest *md5, int64_t now_ms)
{
	struct node *node = handle->node;
	int error = node->file.stream ? check(account, node->file.stream, handle) : -ECONNRESET;
	if (error) {
		return error;
	}
	struct file_metadata file = {
		.name = node->name,
		.size = (int64_t)size,
		.date = node->modified.tv_sec,
		.media_type = "application/octet-stream",
	};
	if (md5 && handle->format == FORMAT_SI) {
		file.digest = *md5;
	}
	node->file.size = size;
	node->file.offer = offers_send(&account->offers, format_offer(handle->format), handle->peer,
				       &file, node->file.stream, now_ms);
	if (!node->file.offer) {
		return -ENOMEM;
	}
	node->file.offer->context = node;
	return 0;
}

uint64_t spool_file_offer(struct account *account, struct handle *handle, struct op *op,
			  uint64_t size, const struct digest *md5, int64_t now_ms)
{
	struct node *node = handle->node;
	bool again = node->file.offer != NULL;
	op->context = handle;
	handle->last_flush = op->token;
	handle->flushed = true;
	int error = again ? 0 : spool_file_make_offer(account, handle, size, md5, now_ms);
	if (error) {
		account_complete(account, op, error);
		return 0;
	}
	offer_wait(&account->offers, node->file.offer, op);
	return again ? 0 : node->file.offer->number;
}

/* ---- for the upload ---- */

static struct offer *find(const struct account *account, uint64_t number)
{
	struct offer *offer;
	DL_FOREACH (account->offers.all, offer) {
		if (offer->number == number) {
			return offer->stream && !offer_is_over(offer) ? offer : NULL;
		}
	}
	return NULL;
}

void spool_file_wait(struct account *account, uint64_t number, struct op *op)
{
	struct offer *offer = find(account, number);
	if (offer) {
		stream_wait_open(offer->stream, op);
	} else {
		account_complete(account, op, -ECONNRESET);
	}
}

int spool_file_part(const struct account *account, uint64_t number, struct offer_part *part)
{
	const struct offer *offer = find(account, number);
	if (!offer) {
		return -ECONNRESET;
	}
	*part = offer_part(offer);
	return 0;
}

void spool_file_set_digest(struct account *account, uint64_t number, const struct digest *digest)
{
	struct offer *offer = find(account, number);
	if (offer) {
		offer_set_digest(&account->offers, offer, digest);
	}
}

void spool_file_send(struct account *account, uint64_t number, struct op *op, const void *bytes,
		     int64_t now_ms)
{
	struct offer *offer = find(account, number);
	if (offer) {
		offer_write(&account->offers, offer, op, bytes, now_ms);
	} else {
		account_complete(account, op, -ECONNRESET);
	}
}

void spool_file_end(struct account *account, uint64_t number, int error, int64_t now_ms)
{
	struct offer *offer = find(account, number);
	if (offer) {
		offer_finish_writing(&account->offers, offer, error, now_ms);
	}
}
