/* SPDX-License-Identifier: MIT */
/* pool: each task runs once, those of a lane in order; and a disk that hangs. */
#include "mount/disk/pool.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#define TASKS 1000

struct counted {
	struct task task; /* first */
	pthread_t thread;
	atomic_uint order; /* from 1; 0: it did not run */
};

static atomic_uint runs;

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void count(struct task *task)
{
	struct counted *counted = (struct counted *)task;
	assert_int_equal(counted->order, 0);
	counted->thread = pthread_self();
	counted->order = atomic_fetch_add(&runs, 1) + 1;
}

/* Those of a lane run one at a time, in order; those of others meanwhile. */
static void test_lanes(void **state)
{
	static struct counted tasks[TASKS];
	struct lane *lanes[3];
	struct pool *pool = pool_create();
	(void)state;
	assert_non_null(pool);
	for (unsigned i = 0; i < 3; i++) {
		lanes[i] = lane_create(pool);
	}
	for (unsigned i = 0; i < TASKS; i++) {
		tasks[i].task.run = count;
		pool_submit(pool, i % 4 < 3 ? lanes[i % 4] : NULL, &tasks[i].task);
	}
	for (unsigned i = 0; i < 3; i++) {
		lane_destroy(pool, lanes[i]); /* its tasks run all the same */
	}
	assert_int_equal(pool_drain(pool, now_ms() + 20000), 0);
	for (unsigned i = 0; i < TASKS; i++) {
		assert_int_not_equal(tasks[i].order, 0);
		assert_false(pthread_equal(tasks[i].thread, pthread_self()));
		if (i >= 4 && i % 4 < 3) {
			assert_true(tasks[i].order > tasks[i - 4].order);
		}
	}
	lane_destroy(pool, NULL);
	lane_destroy(pool, lane_create(pool)); /* that was never used */
	pool_destroy(pool);
}

/* What waits when the pool ends runs before. */
static void test_end(void **state)
{
	static struct counted tasks[TASKS];
	(void)state;
	struct pool *pool = pool_create();
	assert_non_null(pool);
	for (unsigned i = 0; i < TASKS; i++) {
		tasks[i].task.run = count;
		pool_submit(pool, NULL, &tasks[i].task);
	}
	pool_destroy(pool);
	for (unsigned i = 0; i < TASKS; i++) {
		assert_int_not_equal(tasks[i].order, 0);
	}
	pool_destroy(NULL);
}

static pthread_mutex_t disk = PTHREAD_MUTEX_INITIALIZER;

static void hang(struct task *task)
{
	(void)task;
	pthread_mutex_lock(&disk);
	pthread_mutex_unlock(&disk);
}

static void wait_for(const struct counted *counted)
{
	int64_t until_ms = now_ms() + 20000;
	while (atomic_load(&counted->order) == 0) {
		assert_true(now_ms() < until_ms);
		sched_yield();
	}
}

/* One file that hangs holds up its own tasks, and no others. */
static void test_hanging_file(void **state)
{
	static struct counted others[TASKS];
	struct task hanging = {.run = hang};
	struct counted behind = {.task.run = count};
	(void)state;
	struct pool *pool = pool_create();
	struct lane *lane = lane_create(pool);
	pthread_mutex_lock(&disk);
	pool_submit(pool, lane, &hanging);
	pool_submit(pool, lane, &behind.task);
	for (unsigned i = 0; i < TASKS; i++) {
		others[i].task.run = count;
		pool_submit(pool, NULL, &others[i].task);
	}
	for (unsigned i = 0; i < TASKS; i++) {
		wait_for(&others[i]);
	}
	assert_int_equal(atomic_load(&behind.order), 0);
	assert_int_equal(pool_drain(pool, now_ms() + 20), 2);
	pthread_mutex_unlock(&disk);
	assert_int_equal(pool_drain(pool, now_ms() + 20000), 0);
	assert_int_not_equal(atomic_load(&behind.order), 0);
	lane_destroy(pool, lane);
	pool_destroy(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lanes),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_hanging_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
