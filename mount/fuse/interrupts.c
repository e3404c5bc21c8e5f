/* SPDX-License-Identifier: MIT */
#include "mount/fuse/interrupts.h"

#include "clock.h"
#include "mount/process/caller.h"
#include "mount/suspend.h"

#include <stdlib.h>
#include <unistd.h>
#include <utlist.h>

/* How long the flush of a caller that is not visible is held. The kernel interrupts a flush within
 * microseconds if a processor is free. */
#define HOLD_MS 30

/* A check that comes so late shows that the daemon was frozen: a busy machine delays it by less.
 * When the machine is to sleep and a process does not freeze, the kernel freezes all others for 20
 * s. */
#define FROZEN_MS 10000

struct waiting {
	struct waiting *prev, *next; /* interrupts.waiting */
	uint64_t token;
	pid_t pid;
	int64_t check_ms;
};

struct held {
	struct held *prev, *next; /* interrupts.held, oldest first */
	struct request *request;
	void (*begin)(struct request *request, bool interrupted);
	int64_t due_ms;
};

void interrupts_init(struct interrupts *interrupts, struct hub *hub)
{
	*interrupts = (struct interrupts){
		.hub = hub,
		.suspend_fd = suspend_open(SUSPEND_FAILURES),
	};
}

static void remove_waiting(struct interrupts *interrupts, struct waiting *waiting)
{
	DL_DELETE(interrupts->waiting, waiting);
	free(waiting);
}

void interrupts_finish(struct interrupts *interrupts)
{
	while (interrupts->waiting) {
		remove_waiting(interrupts, interrupts->waiting);
	}
	if (interrupts->suspend_fd >= 0) {
		close(interrupts->suspend_fd);
	}
}

void interrupts_prepare(struct interrupts *interrupts, struct request *request)
{
	request->note = suspend_failures(interrupts->suspend_fd);
}

/* ---- held flushes ---- */

static void begin_held(struct interrupts *interrupts, struct held *held, bool interrupted)
{
	DL_DELETE(interrupts->held, held);
	held->begin(held->request, interrupted);
	free(held);
}

void interrupts_hold(struct interrupts *interrupts, struct request *request,
		     void (*begin)(struct request *request, bool interrupted))
{
	struct held *held = malloc(sizeof(*held));
	if (!held) {
		begin(request, true); /* out of memory: the caller counts as killed */
		return;
	}
	*held = (struct held){
		.request = request,
		.begin = begin,
		.due_ms = clock_now_ms() + HOLD_MS,
	};
	DL_APPEND(interrupts->held, held);
}

void interrupts_end_all(struct interrupts *interrupts)
{
	while (interrupts->held) {
		begin_held(interrupts, interrupts->held, true);
	}
}

/* ---- interrupted calls ---- */

/* Whether the call waits on. */
static bool waits_on(const struct interrupts *interrupts, const struct waiting *waiting)
{
	uint64_t failures;
	if (!hub_is_parked(interrupts->hub, waiting->token, &failures)) {
		return false;
	}
	/* The signal of a caller that is not visible may be one that ends it. If the machine could
	 * not go to sleep since the call began, it will try again, and the call must not keep it
	 * awake. The kernel does not count failed hibernations; a late check shows them. */
	if (caller_pending(waiting->pid) != CALLER_STAYS ||
	    suspend_failures(interrupts->suspend_fd) != failures ||
	    (waiting->check_ms > 0 && clock_now_ms() - waiting->check_ms > FROZEN_MS)) {
		hub_interrupt(interrupts->hub, waiting->token);
		return false;
	}
	return true;
}

static void check(struct interrupts *interrupts, struct waiting *waiting)
{
	if (waits_on(interrupts, waiting)) {
		waiting->check_ms = clock_now_ms() + INTERRUPTS_CHECK_MS;
	} else {
		remove_waiting(interrupts, waiting);
	}
}

void interrupts_add(struct interrupts *interrupts, uint64_t token, pid_t pid)
{
	struct held *held;
	DL_FOREACH (interrupts->held, held) {
		if (held->request->op.token == token) {
			begin_held(interrupts, held, true);
			return;
		}
	}
	struct waiting *waiting = malloc(sizeof(*waiting));
	if (!waiting) {
		hub_interrupt(interrupts->hub, token);
		return;
	}
	*waiting = (struct waiting){.token = token, .pid = pid};
	DL_APPEND(interrupts->waiting, waiting);
	check(interrupts, waiting);
}

int64_t interrupts_deadline(const struct interrupts *interrupts)
{
	const struct waiting *waiting;
	int64_t deadline_ms = interrupts->held ? interrupts->held->due_ms : INT64_MAX;
	DL_FOREACH (interrupts->waiting, waiting) {
		if (waiting->check_ms < deadline_ms) {
			deadline_ms = waiting->check_ms;
		}
	}
	return deadline_ms;
}

void interrupts_tick(struct interrupts *interrupts)
{
	struct waiting *waiting, *next;
	int64_t now_ms = clock_now_ms();
	while (interrupts->held && interrupts->held->due_ms <= now_ms) {
		begin_held(interrupts, interrupts->held, false);
	}
	DL_FOREACH_SAFE (interrupts->waiting, waiting, next) {
		if (waiting->check_ms <= now_ms) {
			check(interrupts, waiting);
		}
	}
}
