/* SPDX-License-Identifier: MIT */
#include "mount/disk/watchdog.h"

#include "mount/disk/thread.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* How often the thread is looked at within the limit. Looks are counted, as a process that is
 * stopped for longer than the limit does not look either. */
#define LOOKS 10

struct work {
	void (*run)(void *context);
	void *context;
	int done_fd; /* eventfd */
};

static void *do_work(void *context)
{
	struct work *work = context;
	work->run(work->context);
	eventfd_write(work->done_fd, 1);
	return NULL;
}

/* What the thread has spent so far, in ns. */
static int64_t cpu_time(pthread_t thread)
{
	clockid_t clock;
	struct timespec spent = {0};
	if (pthread_getcpuclockid(thread, &clock) == 0) {
		clock_gettime(clock, &spent);
	}
	return (int64_t)spent.tv_sec * 1000000000 + spent.tv_nsec;
}

static int wait_for(pthread_t thread, int done_fd, int signal_fd, int limit_ms)
{
	struct pollfd fds[] = {
		{.fd = done_fd, .events = POLLIN},
		{.fd = signal_fd, .events = POLLIN},
	};
	int64_t spent = cpu_time(thread);
	unsigned looks = 0;
	while (looks < LOOKS) {
		if (poll(fds, 2, limit_ms / LOOKS) > 0) {
			return fds[0].revents ? 0 : -EINTR;
		}
		int64_t before = spent;
		spent = cpu_time(thread);
		looks = spent == before ? looks + 1 : 0;
	}
	return -ETIMEDOUT;
}

static void work_destroy(struct work *work)
{
	close(work->done_fd);
	free(work);
}

int watchdog_run(void (*run)(void *context), void *context, int signal_fd, int limit_ms)
{
	pthread_t thread;
	struct work *work = calloc(1, sizeof(*work));
	if (!work) {
		return -ENOMEM;
	}
	*work = (struct work){.run = run, .context = context, .done_fd = eventfd(0, EFD_CLOEXEC)};
	if (work->done_fd < 0) {
		int error = -errno;
		free(work);
		return error;
	}
	int error = thread_start(&thread, do_work, work);
	if (error) {
		work_destroy(work);
		return error;
	}
	error = wait_for(thread, work->done_fd, signal_fd, limit_ms);
	if (error) {
		pthread_detach(thread);
		return error;
	}
	pthread_join(thread, NULL);
	work_destroy(work);
	return 0;
}
