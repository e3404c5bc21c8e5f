/* SPDX-License-Identifier: MIT */
/* worker: tasks run once, in order, in its thread; and the time limit of a disk that hangs. */
#include "mount/disk/worker.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <utlist.h>

#include <cmocka.h>

#define TASKS 1000

struct counted {
	struct task task; /* first */
	unsigned order;	  /* from 1; 0: it did not run */
	pthread_t thread;
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
	counted->order = atomic_fetch_add(&runs, 1) + 1;
	counted->thread = pthread_self();
}

static void run_all(struct task *tasks)
{
	while (tasks) {
		struct task *task = tasks;
		DL_DELETE(tasks, task);
		task->run(task);
	}
}

static void test_in_order(void **state)
{
	static struct counted tasks[TASKS];
	struct worker *worker = worker_create(run_all);
	(void)state;
	assert_non_null(worker);
	for (unsigned i = 0; i < TASKS; i++) {
		tasks[i].task.run = count;
		worker_submit(worker, &tasks[i].task);
	}
	assert_true(worker_drain(worker, now_ms() + 20000));
	for (unsigned i = 0; i < TASKS; i++) {
		assert_int_equal(tasks[i].order, i + 1);
		assert_true(pthread_equal(tasks[i].thread, tasks[0].thread));
	}
	assert_false(pthread_equal(tasks[0].thread, pthread_self()));
	worker_destroy(worker);
}

/* What waits when the worker ends runs before. */
static void test_end(void **state)
{
	static struct counted tasks[TASKS];
	(void)state;
	struct worker *worker = worker_create(run_all);
	assert_non_null(worker);
	for (unsigned i = 0; i < TASKS; i++) {
		tasks[i].task.run = count;
		worker_submit(worker, &tasks[i].task);
	}
	worker_destroy(worker);
	assert_int_not_equal(tasks[TASKS - 1].order, 0);
	worker_destroy(NULL);
}

static pthread_mutex_t disk = PTHREAD_MUTEX_INITIALIZER;

static void hang(struct task *task)
{
	(void)task;
	pthread_mutex_lock(&disk);
	pthread_mutex_unlock(&disk);
}

static void test_hanging_disk(void **state)
{
	struct task task = {.run = hang};
	(void)state;
	struct worker *worker = worker_create(run_all);
	assert_non_null(worker);
	pthread_mutex_lock(&disk);
	worker_submit(worker, &task);
	assert_false(worker_drain(worker, now_ms() + 20));
	pthread_mutex_unlock(&disk);
	assert_true(worker_drain(worker, now_ms() + 20000));
	worker_destroy(worker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_hanging_disk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
