/* SPDX-License-Identifier: MIT */
/*
 * op - one call of a user's that may have to wait: a parked read, write, open or flush.
 *
 * An op belongs to who submitted it. The core borrows it from submission until completion, and
 * completes it exactly once, whatever comes first: its result, an error or an interrupt. A
 * completed op is on the list `effects.done`, and is the submitter's again. Deadlines are the
 * stream's: one that gets no answer in time fails, and its ops with it.
 *
 * Units:   bytes.
 * Errors:  op->result.
 * Threads: none; the caller serialises.
 */
#ifndef IBB_OP_H
#define IBB_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum op_kind {
	OP_OPEN,  /* result: 0 */
	OP_READ,  /* result: bytes, in op->data; 0 is the end in good order */
	OP_WRITE, /* result: bytes, always all of them */
	OP_FLUSH, /* result: 0 when the peer has acknowledged everything */
	OP_POLL,  /* result: 0 when there is something new to look at; -ECANCELED: asked anew */
};

struct op {
	/* Set by the submitter. */
	enum op_kind kind;
	uint64_t token; /* names the op to an interrupt; unique among parked ops */
	size_t size;	/* read: most bytes wanted; write: bytes given */
	bool nonblock;	/* -EAGAIN instead of parking */
	short events;	/* poll: POLLIN, POLLOUT; errors always count */
	void *context;	/* the submitter's own */

	/* The core's until completion. */
	struct op *prev, *next; /* *list, or effects.done */
	struct op **list;	/* where it is parked; NULL while it is not */
	short seen;		/* poll: what the submitter knows of */
	uint64_t end;		/* flush: bytes of the stream that it waits for */

	/* The submitter's after completion. `data` is also where a write waits that could not be
	 * taken over at once. Freed by op_finish. */
	ssize_t result;
	uint8_t *data;
};

/* Readies `op` for submission. */
void op_init(struct op *op, enum op_kind kind, uint64_t token, size_t size, bool nonblock);

/* Frees op->data; NULL-safe. The op must not be parked. */
void op_finish(struct op *op);

/* Puts `op` at the end of `list`. */
void op_park(struct op *op, struct op **list);

/* Takes `op` off its list, if it is on one, and moves it to `done` with its result. */
void op_complete(struct op *op, ssize_t result, struct op **done);

/* Completes every op of `list` with `result`. */
void op_complete_all(struct op **list, ssize_t result, struct op **done);

/*
 * A signal ends the wait of a parked `op`: a write whose bytes were taken over has succeeded,
 * anything else ends in -EINTR.
 */
void op_interrupt(struct op *op, struct op **done);

#endif
