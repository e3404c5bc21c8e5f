/* SPDX-License-Identifier: MIT */
/*
 * thread - a thread for disk calls.
 *
 * Units:   ms of CLOCK_MONOTONIC.
 * Errors:  0 or -errno.
 * Threads: any.
 */
#ifndef MOUNT_DISK_THREAD_H
#define MOUNT_DISK_THREAD_H

#include <pthread.h>
#include <stdint.h>

/* Starts one with all signals blocked: those that end the daemon are the main thread's. */
int thread_start(pthread_t *thread, void *(*run)(void *context), void *context);

/* Initialises a condition variable for thread_wait. */
void thread_init_condition(pthread_cond_t *condition);

/* As pthread_cond_timedwait, whose error it returns. */
int thread_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t until_ms);

#endif
