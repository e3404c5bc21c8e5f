/* SPDX-License-Identifier: MIT */
/*
 * watchdog - calls of a disk in a thread, and a caller that does not wait for a disk that hangs.
 *
 * A thread that waits for a disk spends no CPU time. So a disk that has much to do is told from one
 * that does not answer, whatever the calls are.
 *
 * Units:   ms.
 * Errors:  0 or -errno.
 * Threads: the main thread.
 */
#ifndef MOUNT_DISK_WATCHDOG_H
#define MOUNT_DISK_WATCHDOG_H

/*
 * Calls run(context) in a thread that blocks all signals, and waits until it returns.
 *
 * -ETIMEDOUT: it has spent no CPU time for `limit_ms`, 10 at least. -EINTR: `signal_fd`, of
 * signalfd(2), can be read. Then the thread still runs, and uses `context`: only the end of the
 * process ends it. -ENOMEM, -EAGAIN, -EMFILE, -ENFILE: nothing was called.
 */
int watchdog_run(void (*run)(void *context), void *context, int signal_fd, int limit_ms);

#endif
