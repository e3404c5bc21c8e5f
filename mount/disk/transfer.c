/* SPDX-License-Identifier: MIT */
#include "mount/disk/transfer.h"

#include <stddef.h>

/* Makes one step. Whether another one is due. */
static bool run(struct transfer *transfer)
{
	if (transfer->step(transfer)) {
		return atomic_fetch_sub(&transfer->turns, 1) > 1;
	}
	transfer->end(transfer);
	return false;
}

/* The next step is another task, so that other tasks of the pool run between two steps. */
static void run_task(struct task *task)
{
	struct transfer *transfer =
		(struct transfer *)((char *)task - offsetof(struct transfer, task));
	struct pool *pool = transfer->pool;
	if (run(transfer)) {
		pool_submit(pool, NULL, task);
	}
}

/* One more step is due. */
static void add_turn(struct transfer *transfer)
{
	if (atomic_fetch_add(&transfer->turns, 1) > 0) {
		return; /* the thread that runs a step goes on */
	}
	if (transfer->pool) {
		transfer->task.run = run_task;
		pool_submit(transfer->pool, NULL, &transfer->task);
		return;
	}
	while (run(transfer)) {
	}
}

static void deliver(struct request *request)
{
	add_turn((struct transfer *)request);
}

void transfer_start(struct transfer *transfer)
{
	atomic_init(&transfer->turns, 0);
	add_turn(transfer);
}

void transfer_renew(struct transfer *transfer, enum op_kind kind, size_t size)
{
	op_finish(&transfer->request.op);
	/* Signals do not interrupt a transfer: tokens of calls begin at 1. */
	op_init(&transfer->request.op, kind, 0, size, false);
	transfer->request.deliver = deliver;
}

void transfer_again(struct transfer *transfer)
{
	transfer_renew(transfer, OP_FLUSH, 0);
	transfer->request.op.result = 0;
	deliver(&transfer->request);
}
