/* SPDX-License-Identifier: MIT */
#include "mount/disk/upload.h"

#include "mount/disk/transfer.h"

#include <errno.h>
#include <stdlib.h>

#define PIECE ((size_t)64 * 1024)

struct upload {
	struct transfer transfer; /* first */
	struct hub *hub;
	struct spool *spool;
	uint64_t number, offset;
	bool started;
	uint8_t piece[];
};

static bool step(struct transfer *transfer)
{
	struct upload *upload = (struct upload *)transfer;
	struct request *request = &transfer->request;
	if (!upload->started) {
		upload->started = true;
		transfer_renew(transfer, OP_FLUSH, 0);
		hub_upload_wait(upload->hub, upload->number, request);
		return true;
	}
	if (request->op.result < 0) {
		/* Ends the offer if it is not over, as when memory was short. */
		hub_upload_end(upload->hub, upload->number, (int)request->op.result);
		return false;
	}
	ssize_t length = spool_read(upload->spool, upload->piece, PIECE, upload->offset);
	if (length <= 0) {
		hub_upload_end(upload->hub, upload->number, (int)length);
		return false;
	}
	upload->offset += (uint64_t)length;
	transfer_renew(transfer, OP_WRITE, (size_t)length);
	hub_upload_write(upload->hub, upload->number, request, upload->piece);
	return true;
}

static void end(struct transfer *transfer)
{
	struct upload *upload = (struct upload *)transfer;
	op_finish(&transfer->request.op);
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
