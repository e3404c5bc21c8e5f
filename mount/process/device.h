/* SPDX-License-Identifier: MIT */
/*
 * device - tells open files of our mount from those of another one.
 *
 * Two mounts may have files with the same name and inode. stat(2) would ask the file system, which
 * may be our own.
 *
 * Threads: the main thread, and one that searches (writers.h); reads /proc, so never under the
 *          hub's lock.
 * Source:  proc(5), /proc/PID/mountinfo.
 */
#ifndef MOUNT_PROCESS_DEVICE_H
#define MOUNT_PROCESS_DEVICE_H

#include <stdbool.h>
#include <sys/types.h>

/* Our file system is mounted there from now on. If the mount is not found, and before this call,
 * every mount is taken for ours. */
void device_set(const char *mountpoint);

/* Whether our file system is mounted there, as far as is known. */
bool device_is_mounted(const char *mountpoint);

/* Whether `mount_id`, as process `pid` sees it, is a mount of our file system, or it cannot be
 * known. */
bool device_is_ours(pid_t pid, unsigned long mount_id);

#endif
