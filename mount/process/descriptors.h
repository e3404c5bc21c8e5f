/* SPDX-License-Identifier: MIT */
/*
 * descriptors - which of some files a process has open for writing.
 *
 * Threads: the main thread, and one that searches (writers.h); reads /proc, so never under the
 *          hub's lock.
 * Source:  proc(5), /proc/PID/{fd,fdinfo}.
 */
#ifndef MOUNT_PROCESS_DESCRIPTORS_H
#define MOUNT_PROCESS_DESCRIPTORS_H

#include <stdatomic.h>
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
	uint64_t all;	     /* their bits */
	atomic_uint *looked; /* rises with each descriptor that is looked at; or NULL */
};

/* Adds a file of our mount: the one with this name and inode, under whatever path, as a container's
 * mounts may show the file under another path. `name` has no slash, and is borrowed. `ino` 0: the
 * file may have any inode. `bit` stands for the file from now on. At most DESCRIPTORS_MOST files.
 * */
void descriptors_want(struct wanted *wanted, const char *name, uint64_t ino, uint64_t bit);

/* What one look at a process has shown. */
struct sight {
	bool visible;	 /* false: we may not see its open files, or it has ended */
	bool shares;	 /* it has a socket, through which descriptors pass */
	uint64_t writes; /* bits of the files that it has open for writing */
};

/* Looks at the process, or thread, `pid`, until all files are found. `shares` is known only if a
 * file was not found. */
struct sight descriptors_look(pid_t pid, const struct wanted *wanted);

/* Whether two threads of a process have the same descriptors, as far as can be seen. `pid` waits in
 * a close, and is not in execve(2) (caller.h). */
bool descriptors_are_shared(pid_t pid, pid_t other);

#endif
