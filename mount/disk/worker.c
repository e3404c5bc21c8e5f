/* SPDX-License-Identifier: MIT */
#include "mount/disk/worker.h"

#include "mount/disk/thread.h"

#include <pthread.h>
#include <stdlib.h>
#include <utlist.h>

struct worker {
	/* Immutable after start. */
	void (*work)(struct task *tasks);
	pthread_t thread;

	pthread_mutex_t mutex;
	pthread_cond_t changed;
	/* Under it: */
	struct task *waiting;
	bool busy, stops;
};

static void *run(void *context)
{
	struct worker *worker = context;
	pthread_mutex_lock(&worker->mutex);
	while (worker->waiting || !worker->stops) {
		struct task *tasks = worker->waiting;
		worker->waiting = NULL;
		worker->busy = tasks != NULL;
		if (!tasks) {
			pthread_cond_broadcast(&worker->changed); /* it is drained */
			pthread_cond_wait(&worker->changed, &worker->mutex);
			continue;
		}
		pthread_mutex_unlock(&worker->mutex);
		worker->work(tasks);
		pthread_mutex_lock(&worker->mutex);
	}
	pthread_mutex_unlock(&worker->mutex);
	return NULL;
}

static void finish(struct worker *worker)
{
	pthread_cond_destroy(&worker->changed);
	pthread_mutex_destroy(&worker->mutex);
	free(worker);
}

struct worker *worker_create(void (*work)(struct task *tasks))
{
	struct worker *worker = calloc(1, sizeof(*worker));
	if (!worker) {
		return NULL;
	}
	worker->work = work;
	pthread_mutex_init(&worker->mutex, NULL);
	thread_init_condition(&worker->changed);
	if (thread_start(&worker->thread, run, worker)) {
		finish(worker);
		return NULL;
	}
	return worker;
}

void worker_submit(struct worker *worker, struct task *task)
{
	pthread_mutex_lock(&worker->mutex);
	DL_APPEND(worker->waiting, task);
	pthread_cond_broadcast(&worker->changed);
	pthread_mutex_unlock(&worker->mutex);
}

bool worker_drain(struct worker *worker, int64_t until_ms)
{
	int error = 0;
	pthread_mutex_lock(&worker->mutex);
	while ((worker->waiting || worker->busy) && !error) {
		error = thread_wait(&worker->changed, &worker->mutex, until_ms);
	}
	bool drained = !worker->waiting && !worker->busy;
	pthread_mutex_unlock(&worker->mutex);
	return drained;
}

void worker_destroy(struct worker *worker)
{
	if (worker) {
		pthread_mutex_lock(&worker->mutex);
		worker->stops = true;
		pthread_cond_broadcast(&worker->changed);
		pthread_mutex_unlock(&worker->mutex);
		pthread_join(worker->thread, NULL);
		finish(worker);
	}
}
