/* SPDX-License-Identifier: MIT */
/*
 * suspend - how often processes have kept the machine from going to sleep.
 *
 * The kernel freezes all processes before the machine sleeps. One that waits in a call to a FUSE
 * file system gets an interrupt from that, and cannot be frozen before the call is answered. The
 * daemon itself is frozen then, and cannot answer. The kernel gives up after 20 seconds, thaws all
 * processes and counts the failure.
 *
 * Units:   failures since the machine was started.
 * Threads: the main thread.
 * Source:  the kernel's Documentation/ABI/testing/sysfs-power (suspend_stats/failed_freeze) and
 *          Documentation/power/freezing-of-tasks.rst.
 */
#ifndef MOUNT_SUSPEND_H
#define MOUNT_SUSPEND_H

#include <stdint.h>

#define SUSPEND_FAILURES "/sys/power/suspend_stats/failed_freeze"

/* The file's descriptor, the caller's; -1 where the kernel cannot sleep, or does not count. */
int suspend_open(const char *path);

/* 0 if `fd` is -1. */
uint64_t suspend_failures(int fd);

#endif
