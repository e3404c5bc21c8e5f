/* SPDX-License-Identifier: MIT */
#include "mount/disk/upload.h"

#include "mount/disk/transfer.h"

#include <errno.h>
#include <stdlib.h>

/* Bytes that are given to the stream at once. */
#define PIECE ((size_t)64 * 1024)

/* Bytes that are read for the digest only, in one step. */
#define STEP ((uint64_t)1024 * 1024)

struct upload {
	struct transfer transfer; /* first */
	struct hub *hub;
	struct spool *spool;
	uint64_t number, offset;
	bool started, has_part;
	struct offer_part part;
	struct hash *hash; /* of the bytes before `offset`; NULL: the peer is told no digest, or has
			      been */
	uint8_t piece[];
};

/* The last step. An error ends the offer if it is not over, as when memory was short. */
static bool stop(const struct upload *upload, int error)
{
	hub_upload_end(upload->hub, upload->number, error);
	return false;
}

/* Tells the peer the digest, if all bytes are hashed. */
static int tell_digest(struct upload *upload)
{
	struct digest digest;
	if (!upload->hash || upload->offset < upload->part.size) {
		return 0;
	}
	int error = hash_finish(upload->hash, &digest);
	hash_destroy(upload->hash);
	upload->hash = NULL;
	if (!error) {
		hub_upload_set_digest(upload->hub, upload->number, &digest);
	}
	return error;
}

static int begin_part(struct upload *upload)
{
	upload->has_part = true;
	if (upload->part.digest == HASH_NONE) {
		upload->offset = upload->part.begin;
		return 0;
	}
	upload->hash = hash_create(upload->part.digest);
	return upload->hash ? tell_digest(upload) : -ENOMEM; /* at once, that of an empty file */
}

/* Reads bytes before or after the part, up to `end`, for the digest. */
static bool hash_some(struct upload *upload, uint64_t end)
{
	int error = spool_hash(upload->spool, &upload->offset, end, STEP, upload->hash);
	error = error ? error : tell_digest(upload);
	if (error) {
		return stop(upload, error == -ENODATA ? -EIO : error);
	}
	transfer_again(&upload->transfer);
	return true;
}

static bool send_some(struct upload *upload)
{
	uint64_t left = upload->part.end - upload->offset;
	size_t wanted = left < PIECE ? (size_t)left : PIECE;
	ssize_t length = spool_read(upload->spool, upload->piece, wanted, upload->offset);
	if (length <= 0) {
		return stop(upload, length < 0 ? (int)length : -EIO);
	}
	upload->offset += (uint64_t)length;
	/* The digest is that of what was read, right or wrong: without the last bytes the peer has
	 * no file. */
	int error = upload->offset == upload->part.end ? spool_sync(upload->spool) : 0;
	if (!error && upload->hash) {
		error = hash_update(upload->hash, upload->piece, (size_t)length);
	}
	error = error ? error : tell_digest(upload);
	if (error) {
		return stop(upload, error);
	}
	transfer_renew(&upload->transfer, OP_WRITE, (size_t)length);
	hub_upload_write(upload->hub, upload->number, &upload->transfer.request, upload->piece);
	return true;
}

static bool step(struct transfer *transfer)
{
	struct upload *upload = (struct upload *)transfer;
	const struct offer_part *part = &upload->part;
	if (!upload->started) {
		upload->started = true;
		transfer_renew(transfer, OP_FLUSH, 0);
		hub_upload_wait(upload->hub, upload->number, &transfer->request);
		return true;
	}
	int error = transfer->request.op.result < 0 ? (int)transfer->request.op.result : 0;
	/* Again in each step, because the offer may be over. */
	error = error ? error : hub_upload_part(upload->hub, upload->number, &upload->part);
	error = error || upload->has_part ? error : begin_part(upload);
	if (error) {
		return stop(upload, error);
	}
	if (upload->hash && upload->offset < part->begin) {
		return hash_some(upload, part->begin);
	}
	if (upload->offset < part->end) {
		return send_some(upload);
	}
	return upload->hash ? hash_some(upload, part->size) : stop(upload, 0);
}

static void end(struct transfer *transfer)
{
	struct upload *upload = (struct upload *)transfer;
	op_finish(&transfer->request.op);
	hash_destroy(upload->hash);
	spool_release(upload->spool);
	free(upload);
}

int upload_start(struct hub *hub, uint64_t number, struct spool *spool)
{
	struct upload *upload = calloc(1, sizeof(*upload) + PIECE);
	if (!upload) {
		return -ENOMEM;
	}
	upload->transfer.step = step;
	upload->transfer.end = end;
	upload->transfer.pool = spool_pool(spool);
	upload->hub = hub;
	upload->number = number;
	upload->spool = spool_hold(spool);
	transfer_start(&upload->transfer);
	/* cppcheck-suppress memleak ; the transfer's */
	return 0;
}
