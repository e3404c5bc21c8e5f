/* SPDX-License-Identifier: MIT */
/*
 * task - something to be done in a thread for disk calls (pool.h, worker.h).
 */
#ifndef MOUNT_DISK_TASK_H
#define MOUNT_DISK_TASK_H

struct lane;

/* The submitter's until it is submitted, and again once it runs. */
struct task {
	struct task *prev, *next; /* of the queue that it waits in */
	struct lane *lane;	  /* the pool's */
	void (*run)(struct task *task);
};

#endif
