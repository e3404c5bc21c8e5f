/* SPDX-License-Identifier: MIT */
#include "ibb/op.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

void op_init(struct op *op, enum op_kind kind, uint64_t token, size_t size, bool nonblock)
{
	*op = (struct op){.kind = kind, .token = token, .size = size, .nonblock = nonblock};
}

void op_finish(struct op *op)
{
	if (op != NULL) {
		assert(op->list == NULL);
		free(op->data);
		op->data = NULL;
	}
}

void op_park(struct op *op, struct op **list)
{
	assert(op->list == NULL);
	DL_APPEND(*list, op);
	op->list = list;
}

void op_unpark(struct op *op)
{
	assert(op->list != NULL);
	DL_DELETE(*op->list, op);
	op->list = NULL;
}

void op_complete(struct op *op, ssize_t result, struct op **done)
{
	if (op->list != NULL) {
		op_unpark(op);
	}
	op->result = result;
	DL_APPEND(*done, op);
}

void op_complete_all(struct op **list, ssize_t result, struct op **done)
{
	while (*list != NULL) {
		op_complete(*list, result, done);
	}
}

ssize_t op_success(const struct op *op)
{
	return op->kind == OP_WRITE_SYNC ? (ssize_t)op->size : 0;
}

void op_interrupt(struct op *op, struct op **done)
{
	assert(op->list != NULL);
	/* A write whose bytes still wait in the op has had no effect. */
	bool taken_over = op->kind == OP_WRITE && op->data == NULL;
	op_complete(op, taken_over ? (ssize_t)op->size : -EINTR, done);
}
