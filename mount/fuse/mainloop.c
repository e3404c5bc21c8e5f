/* SPDX-License-Identifier: MIT */
#include "mount/fuse/mainloop.h"

#include "clock.h"
#include "mount/disk/inbox_ops.h"
#include "mount/log.h"
#include "mount/memory.h"
#include "mount/notify.h"
#include "mount/process/device.h"
#include "mount/process/writers.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* How long streams may take to deliver the rest when the mount ends. With the end of the connection
 * (src/xmpp/loop.c) and END_MS (mount/disks.c), it is less than the ten seconds that are promised.
 */
#define DRAIN_MS 5000

/* How long the spool's disk may take, when the mount ends, until the files that were closed are
 * offered. */
#define SPOOL_MS 500

/* The shortest time between two lines of status for the service manager. */
#define STATUS_MS 1000

#define STATUS_BYTES 512

/* Half of what writers_look demands. */
#define LOOK_MS 500

/* Requests served before signals and deadlines are looked at again. */
#define BATCH 64

static int64_t min_ms(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Prepares to wait: the caller sees events that came before, and later ones make hub_fd readable.
 * */
static int64_t prepare(const struct mainloop *loop)
{
	return min_ms(hub_begin_wait(loop->hub), client_watch(loop->client, clock_now_ms()));
}

static void wait_until(const struct mainloop *loop, struct pollfd *fds, nfds_t count,
		       int64_t deadline_ms)
{
	int64_t left_ms = -1;
	if (deadline_ms != INT64_MAX) {
		left_ms = deadline_ms - clock_now_ms();
		left_ms = left_ms < 0 ? 0 : min_ms(left_ms, INT_MAX);
	}
	if (poll(fds, count, (int)left_ms) < 0) {
		for (nfds_t i = 0; i < count; i++) {
			fds[i].revents = 0;
		}
	}
	hub_tick(loop->hub);
}

/* Whether a signal to end has come. SIGHUP of a service manager is a reload, for which there is
 * nothing to do; without a service manager, SIGHUP says that the terminal is gone. */
static bool take_signal(const struct mainloop *loop, const struct pollfd *fd)
{
	struct signalfd_siginfo info;
	if (!(fd->revents & POLLIN) ||
	    read(loop->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info)) {
		return false;
	}
	if (info.ssi_signo == SIGHUP && notify_is_enabled()) {
		notify_reloaded(clock_now_ms() * 1000);
		return false;
	}
	return true;
}

static void report_ready(const struct mainloop *loop)
{
	char line[STATUS_BYTES];
	if (notify_is_enabled()) {
		hub_status_line(loop->hub, line, sizeof(line));
		notify_ready(line);
	}
}

/* Tells the service manager the status, but not before *next_ms. Returns when to call this again.
 * */
static int64_t report_status(const struct mainloop *loop, int64_t *next_ms)
{
	char line[STATUS_BYTES];
	if (!notify_is_enabled()) {
		return INT64_MAX;
	}
	int64_t now_ms = clock_now_ms();
	if (now_ms < *next_ms) {
		return *next_ms;
	}
	*next_ms = now_ms + STATUS_MS;
	hub_status_line(loop->hub, line, sizeof(line));
	notify_status(line);
	return INT64_MAX;
}

bool mainloop_connect(const struct mainloop *loop, bool *interrupted)
{
	struct pollfd fds[] = {
		{.fd = loop->signal_fd, .events = POLLIN},
		{.fd = hub_fd(loop->hub), .events = POLLIN},
	};
	*interrupted = false;
	for (;;) {
		int64_t deadline_ms = prepare(loop);
		enum hub_state state = hub_get_state(loop->hub);
		if (state != HUB_CONNECTING) {
			return state == HUB_ONLINE;
		}
		wait_until(loop, fds, 2, deadline_ms);
		*interrupted = take_signal(loop, &fds[0]);
		if (*interrupted) {
			return false;
		}
	}
}

/* A request may be withdrawn between poll and read, which must not block then. */
static void set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* Serves the kernel's requests; false when the mount is gone. */
static bool serve(struct fuse_session *session, struct fuse_buf *buffer)
{
	for (int i = 0; i < BATCH; i++) {
		int length = fuse_session_receive_buf(session, buffer);
		if (length == -EINTR) {
			continue;
		}
		if (length == -EAGAIN) {
			return true;
		}
		if (length <= 0) {
			return false;
		}
		fuse_session_process_buf(session, buffer);
		if (fuse_session_exited(session)) {
			return false;
		}
	}
	return true;
}

/* While there are requests, processes that are started can be told from older ones (writers.h). */
static void look_at_processes(int64_t *next_ms)
{
	int64_t now_ms = clock_now_ms();
	if (now_ms >= *next_ms) {
		*next_ms = now_ms + LOOK_MS;
		writers_look();
	}
}

/* When something other than a descriptor needs the main thread. */
static int64_t next_deadline(const struct mainloop *loop, int64_t *status_ms)
{
	int64_t deadline_ms = prepare(loop);
	deadline_ms = min_ms(deadline_ms, interrupts_deadline(loop->interrupts));
	deadline_ms = min_ms(deadline_ms, closes_deadline(loop->closes));
	deadline_ms = min_ms(deadline_ms, inbox_ops_deadline(loop->inbox));
	deadline_ms = min_ms(deadline_ms, memory_deadline());
	return min_ms(deadline_ms, report_status(loop, status_ms));
}

/* Begins the closes that wait. Those that are held, of callers that are not visible, count as
 * killed. */
static void end_closes(const struct mainloop *loop)
{
	interrupts_end_all(loop->interrupts);
	closes_end(loop->closes);
}

/* Begins the end; returns when it must be reached. */
static int64_t begin_end(const struct mainloop *loop, bool mounted)
{
	int64_t until_ms = clock_now_ms() + DRAIN_MS;
	notify_stopping();
	if (!mounted) {
		end_closes(loop); /* hub_stop frees the handles */
	}
	/* What was closed just now is offered before nothing new is begun. */
	pool_drain(loop->spool, clock_now_ms() + SPOOL_MS);
	hub_stop(loop->hub, !mounted);
	return until_ms;
}

bool mainloop_run(const struct mainloop *loop, struct fuse_session *session)
{
	struct fuse_buf buffer = {0};
	bool mounted = true, severed = false, stopping = false;
	int64_t until_ms = INT64_MAX, status_ms = 0, look_ms = 0;
	struct pollfd fds[] = {
		{.fd = loop->signal_fd, .events = POLLIN},
		{.fd = hub_fd(loop->hub), .events = POLLIN},
		{.fd = fuse_session_fd(session), .events = POLLIN},
	};
	set_nonblocking(fds[2].fd);
	report_ready(loop);
	for (;;) {
		int64_t deadline_ms = min_ms(next_deadline(loop, &status_ms), until_ms);
		if (stopping && (hub_is_drained(loop->hub) || clock_now_ms() >= until_ms)) {
			break;
		}
		wait_until(loop, fds, mounted ? 3 : 2, deadline_ms);
		if (take_signal(loop, &fds[0])) {
			log_debug("ending on a signal");
			if (stopping) {
				break;
			}
			stopping = true;
		}
		if (mounted && fds[2].revents) {
			mounted = serve(session, &buffer);
			/* Later, another mount may have its place and its number. */
			severed = !mounted && device_is_mounted(loop->mountpoint);
			look_at_processes(&look_ms);
		}
		memory_tick(clock_now_ms());
		inbox_ops_tick(loop->inbox, loop->hub);
		interrupts_tick(loop->interrupts); /* an interrupt that has come counts first */
		closes_begin(loop->closes);
		stopping = stopping || !mounted;
		if (stopping && until_ms == INT64_MAX) {
			until_ms = begin_end(loop, mounted);
		}
	}
	end_closes(loop);
	free(buffer.mem);
	return !severed;
}
