/* SPDX-License-Identifier: MIT */
/*
 * op - an operation of a user that may have to wait: a parked read, write, open, flush or poll.
 *
 * An op belongs to its submitter. The core borrows it from submission until completion, and
 * completes it exactly once: with its result, an error or an interrupt, whichever comes first. A
 * completed op is on the list `effects.done`, and its submitter's again. An op has no deadline of
 * its own: a stream that gets no answer in time fails, and its ops with it.
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
	OP_OPEN,       /* result: 0 */
	OP_READ,       /* result: bytes, in op->data; 0 is the end in good order */
	OP_WRITE,      /* result: bytes, always all of them */
	OP_WRITE_SYNC, /* likewise, when an OP_FLUSH after the write would be over, too */
	OP_FLUSH, /* result: 0 when the peer has acknowledged everything, or has it on its disk */
	OP_POLL,  /* result: 0 when the events may have changed; -ECANCELED: replaced by another */
};

struct op {
	/* Set by the submitter. */
	enum op_kind kind;
	uint64_t token; /* identifies the op for an interrupt; unique among parked ops */
	size_t size;	/* read: most bytes wanted; write: bytes given */
	bool nonblock;	/* -EAGAIN instead of parking */
	short events;	/* poll: POLLIN, POLLOUT; errors always count */
	void *context;	/* the submitter's own */

	/* The core's until completion. */
	struct op *prev, *next; /* *list, or effects.done */
	struct op **list;	/* where it is parked; NULL while it is not */
	short seen;		/* poll: the events that the submitter knows of */
	uint64_t end;		/* flush, and OP_WRITE_SYNC: the offset that it waits for; read: how
				   many blocks are read then, with deferred acknowledgements
				   (stream.h) */
	uint64_t offset;	/* read: STREAM_SKIP or STREAM_PAGE, what is told with it */

	/* The submitter's after completion. `data` also holds the bytes of a write that could not
	 * be queued at once. op_finish frees it. */
	ssize_t result;
	uint8_t *data;
};

void op_init(struct op *op, enum op_kind kind, uint64_t token, size_t size, bool nonblock);

/* Frees op->data; NULL-safe. The op must not be parked. */
void op_finish(struct op *op);

/* Appends `op` to `list`. */
void op_park(struct op *op, struct op **list);

/* Removes `op`, which is parked, from its list. */
void op_unpark(struct op *op);

/* Moves `op` from its list, if it is parked, to `done`, with its result. */
void op_complete(struct op *op, ssize_t result, struct op **done);

/* Completes every op of `list` with `result`. */
void op_complete_all(struct op **list, ssize_t result, struct op **done);

/* The result of a flush, or an OP_WRITE_SYNC, that is over and has succeeded. */
ssize_t op_success(const struct op *op);

/*
 * A signal ends the wait of a parked `op`: an OP_WRITE whose bytes were queued succeeds, anything
 * else ends in -EINTR.
 */
void op_interrupt(struct op *op, struct op **done);

#endif
