/* SPDX-License-Identifier: MIT */
/*
 * interrupts - calls that a signal may end, and what the signal was.
 *
 * The kernel sends one FUSE_INTERRUPT per request, whatever the reason: a signal that stops the
 * caller, a tracer that attaches, a freezer, or a signal that the caller catches and ignores. Every
 * tool repeats a read or a write that was interrupted. No tool repeats a close, and hardly any
 * repeats an open or an fsync. So open, close and fsync end only if the signal ends the caller, or
 * is one by which users end a wait. Otherwise the call waits on. As no second interrupt comes, the
 * caller's pending signals are looked at again from time to time.
 *
 * A caller that is being killed flushes its files like one that exits in good order. If /proc does
 * not show the difference, the interrupt does: while a signal is pending, the kernel interrupts the
 * flush as soon as it waits. So the flush of a caller that is not visible is held for a moment, in
 * which the interrupt can come.
 *
 * Units:   ms of CLOCK_MONOTONIC.
 * Threads: the main thread, without the hub's lock.
 * Source:  the kernel's request_wait_answer (fs/fuse/dev.c); signal(7).
 */
#ifndef MOUNT_FUSE_INTERRUPTS_H
#define MOUNT_FUSE_INTERRUPTS_H

#include "mount/hub.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* How often pending signals are looked at: a call ends within 100 ms of a signal. */
#define INTERRUPTS_CHECK_MS 50

struct interrupts {
	struct hub *hub;
	int suspend_fd;		 /* suspend_open's */
	struct waiting *waiting; /* have been interrupted, and wait on */
	struct held *held;
};

void interrupts_init(struct interrupts *interrupts, struct hub *hub);

/* No call may be held (interrupts_end_all). */
void interrupts_finish(struct interrupts *interrupts);

/* Before the hub gets `request`, an open, a flush or an fsync: what happens before does not count.
 */
void interrupts_prepare(struct interrupts *interrupts, struct request *request);

/* The call with that token, an open, a flush or an fsync of `pid`, is interrupted. */
void interrupts_add(struct interrupts *interrupts, uint64_t token, pid_t pid);

/* Calls `begin` with the request after a moment, or at once when the request is interrupted. */
void interrupts_hold(struct interrupts *interrupts, struct request *request,
		     void (*begin)(struct request *request, bool interrupted));

/* When interrupts_tick wants to be called; INT64_MAX: never. */
int64_t interrupts_deadline(const struct interrupts *interrupts);
void interrupts_tick(struct interrupts *interrupts);

/* The mount ends: begins all that is held. */
void interrupts_end_all(struct interrupts *interrupts);

#endif
