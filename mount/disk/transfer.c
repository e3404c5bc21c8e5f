/* SPDX-License-Identifier: MIT */
#include "mount/disk/transfer.h"

static void run(struct transfer *transfer)
{
	if (atomic_fetch_add(&transfer->turns, 1) > 0) {
		return; /* the thread that runs a step goes on */
	}
	bool goes_on;
	do {
		goes_on = transfer->step(transfer);
	} while (goes_on && atomic_fetch_sub(&transfer->turns, 1) > 1);
	if (!goes_on) {
		transfer->end(transfer);
	}
}

static void deliver(struct request *request)
{
	run((struct transfer *)request);
}

void transfer_start(struct transfer *transfer)
{
	atomic_init(&transfer->turns, 0);
	run(transfer);
}

void transfer_renew(struct transfer *transfer, enum op_kind kind, size_t size)
{
	op_finish(&transfer->request.op);
	/* Signals do not interrupt a transfer: tokens of calls begin at 1. */
	op_init(&transfer->request.op, kind, 0, size, false);
	transfer->request.deliver = deliver;
}
