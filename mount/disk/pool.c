/* SPDX-License-Identifier: MIT */
#include "mount/disk/pool.h"

#include "mount/disk/thread.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <utlist.h>

/* So many files may hang before calls on other files wait. */
#define MAX_THREADS 4

/* Under the pool's lock. */
struct lane {
	struct task *waiting; /* after the task that is ready or runs */
	bool busy;	      /* a task is ready or runs */
	bool closed;	      /* freed when it is not busy any more */
};

struct pool {
	pthread_mutex_t mutex;
	pthread_cond_t submitted, drained;
	/* Under it: */
	struct task *ready;
	unsigned waiting; /* length of that list */
	unsigned pending; /* tasks that have not ended */
	unsigned threads, idle;
	pthread_t ids[MAX_THREADS];
	bool stops;
};

static void add_ready_locked(struct pool *pool, struct task *task)
{
	DL_APPEND(pool->ready, task);
	pool->waiting++;
}

static struct task *take_ready_locked(struct pool *pool)
{
	struct task *task = pool->ready;
	DL_DELETE(pool->ready, task);
	pool->waiting--;
	return task;
}

/* A task of the lane has ended: the next one is ready. */
static void advance_locked(struct pool *pool, struct lane *lane)
{
	struct task *next = lane->waiting;
	if (next) {
		DL_DELETE(lane->waiting, next);
		add_ready_locked(pool, next);
		return;
	}
	lane->busy = false;
	if (lane->closed) {
		free(lane);
	}
}

static void *run(void *context)
{
	struct pool *pool = context;
	pthread_mutex_lock(&pool->mutex);
	while (pool->ready || !pool->stops) {
		if (!pool->ready) {
			pool->idle++;
			pthread_cond_wait(&pool->submitted, &pool->mutex);
			pool->idle--;
			continue;
		}
		struct task *task = take_ready_locked(pool);
		struct lane *lane = task->lane;
		pthread_mutex_unlock(&pool->mutex);
		task->run(task);
		pthread_mutex_lock(&pool->mutex);
		if (lane) {
			advance_locked(pool, lane);
		}
		if (--pool->pending == 0) {
			pthread_cond_broadcast(&pool->drained);
		}
	}
	pthread_mutex_unlock(&pool->mutex);
	return NULL;
}

static void add_thread_locked(struct pool *pool)
{
	if (thread_start(&pool->ids[pool->threads], run, pool) == 0) {
		pool->threads++;
	}
}

struct pool *pool_create(void)
{
	struct pool *pool = calloc(1, sizeof(*pool));
	if (!pool) {
		return NULL;
	}
	pthread_mutex_init(&pool->mutex, NULL);
	pthread_cond_init(&pool->submitted, NULL);
	thread_init_condition(&pool->drained);
	pthread_mutex_lock(&pool->mutex);
	add_thread_locked(pool);
	bool started = pool->threads > 0;
	pthread_mutex_unlock(&pool->mutex);
	if (!started) {
		pool_destroy(pool);
		return NULL;
	}
	return pool;
}

struct lane *lane_create(struct pool *pool)
{
	(void)pool;
	return calloc(1, sizeof(struct lane));
}

void lane_destroy(struct pool *pool, struct lane *lane)
{
	if (!lane) {
		return;
	}
	pthread_mutex_lock(&pool->mutex);
	lane->closed = true;
	if (!lane->busy) {
		free(lane);
	}
	pthread_mutex_unlock(&pool->mutex);
}

void pool_submit(struct pool *pool, struct lane *lane, struct task *task)
{
	task->lane = lane;
	pthread_mutex_lock(&pool->mutex);
	pool->pending++;
	if (lane && lane->busy) {
		DL_APPEND(lane->waiting, task);
		pthread_mutex_unlock(&pool->mutex);
		return;
	}
	if (lane) {
		lane->busy = true;
	}
	add_ready_locked(pool, task);
	/* A thread that was woken up, and does not run yet, counts as idle. */
	if (pool->waiting > pool->idle && pool->threads < MAX_THREADS) {
		add_thread_locked(pool);
	}
	pthread_cond_signal(&pool->submitted);
	pthread_mutex_unlock(&pool->mutex);
}

unsigned pool_drain(struct pool *pool, int64_t until_ms)
{
	int error = 0;
	pthread_mutex_lock(&pool->mutex);
	while (pool->pending > 0 && !error) {
		error = thread_wait(&pool->drained, &pool->mutex, until_ms);
	}
	unsigned left = pool->pending;
	pthread_mutex_unlock(&pool->mutex);
	return left;
}

void pool_destroy(struct pool *pool)
{
	if (!pool) {
		return;
	}
	pthread_mutex_lock(&pool->mutex);
	pool->stops = true;
	pthread_cond_broadcast(&pool->submitted);
	unsigned threads = pool->threads;
	pthread_mutex_unlock(&pool->mutex);
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(pool->ids[i], NULL);
	}
	pthread_cond_destroy(&pool->drained);
	pthread_cond_destroy(&pool->submitted);
	pthread_mutex_destroy(&pool->mutex);
	free(pool);
}
