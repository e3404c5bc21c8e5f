/* SPDX-License-Identifier: MIT */
/*
 * descriptors - which of some files a process has open for writing.
 *
 * Threads: the main thread; reads /proc, so never under the hub's lock.
 * Source:  proc(5), /proc/PID/{fd,fdinfo}.
 */
#ifndef MOUNT_DESCRIPTORS_H
#define MOUNT_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define DESCRIPTORS_MOST 64

/* The files that are looked for. Zeros: none. */
struct wanted {
	struct wanted_file {
		const char *name; /* borrowed */
		uint64_t ino;
		uint64_t bit;
	} files[DESCRIPTORS_MOST]; /* by name */
	size_t count;
	uint64_t all; /* their bits */
};

/* Adds the file of our mount called `name`, which has no slash and is borrowed, with that inode,
 * under whatever path: the same file may be reached by another one, as through a container's
 * mounts. `bit` stands for it from now on. `ino` 0: whatever its inode. At most DESCRIPTORS_MOST
 * files. */
void descriptors_want(struct wanted *wanted, const char *name, uint64_t ino, uint64_t bit);

/* What is seen of a process. */
struct sight {
	bool visible;	 /* else its open files may not be seen, or it has ended */
	bool shares;	 /* it has a socket, through which descriptors pass */
	uint64_t writes; /* bits of the files that it has open for writing */
};

/* Looks at the process, or thread, `pid`, until all files are found: if one is not, `shares` is
 * known. */
struct sight descriptors_look(pid_t pid, const struct wanted *wanted);

/* Whether two threads have the same descriptors, as far as can be seen. */
bool descriptors_are_shared(pid_t pid, pid_t other);

#endif
