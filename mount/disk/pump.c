/* SPDX-License-Identifier: MIT */
#include "mount/disk/pump.h"

#include "mount/disk/relay.h"

#include <errno.h>
#include <stdlib.h>

#define PIECE ((size_t)64 * 1024)

struct pump {
	struct relay relay; /* first */
	struct hub *hub;
	struct spool *spool;
	uint64_t number, offset;
	bool started;
	uint8_t piece[];
};

static bool step(struct relay *relay)
{
	struct pump *pump = (struct pump *)relay;
	struct request *request = &relay->request;
	if (!pump->started) {
		pump->started = true;
		relay_renew(relay, OP_FLUSH, 0);
		hub_wait_to_send(pump->hub, pump->number, request);
		return true;
	}
	if (request->op.result < 0) {
		/* If the offer is not over, as when memory was short, it is now. */
		hub_end_sending(pump->hub, pump->number, (int)request->op.result);
		return false;
	}
	ssize_t length = spool_read(pump->spool, pump->piece, PIECE, pump->offset);
	if (length <= 0) {
		hub_end_sending(pump->hub, pump->number, (int)length);
		return false;
	}
	pump->offset += (uint64_t)length;
	relay_renew(relay, OP_WRITE, (size_t)length);
	hub_send_piece(pump->hub, pump->number, request, pump->piece);
	return true;
}

static void end(struct relay *relay)
{
	struct pump *pump = (struct pump *)relay;
	op_finish(&relay->request.op);
	spool_release(pump->spool);
	free(pump);
}

int pump_start(struct hub *hub, uint64_t number, struct spool *spool)
{
	struct pump *pump = calloc(1, sizeof(*pump) + PIECE);
	if (!pump) {
		return -ENOMEM;
	}
	pump->relay.step = step;
	pump->relay.end = end;
	pump->hub = hub;
	pump->number = number;
	pump->spool = spool_hold(spool);
	relay_start(&pump->relay);
	return 0;
}
