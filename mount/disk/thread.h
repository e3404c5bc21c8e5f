/* SPDX-License-Identifier: MIT */
/*
 * thread - a thread for disk calls.
 *
 * Errors:  0 or -errno.
 * Threads: any.
 */
#ifndef MOUNT_DISK_THREAD_H
#define MOUNT_DISK_THREAD_H

#include <pthread.h>

/* Starts one with all signals blocked: those that end the daemon are the main thread's. */
int thread_start(pthread_t *thread, void *(*run)(void *context), void *context);

#endif
