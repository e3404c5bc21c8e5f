/* SPDX-License-Identifier: MIT */
/* transfer, delivered to from inside its steps, and from a second thread. */
#include "mount/disk/transfer.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum who {
	HERE,
	THERE,
	BOTH
};

/* The other thread, which delivers its requests. */
static struct {
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct request *requests[16];
	size_t length;
	bool stops;
} other = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void *run_other(void *context)
{
	(void)context;
	pthread_mutex_lock(&other.mutex);
	while (!other.stops || other.length > 0) {
		if (other.length == 0) {
			pthread_cond_wait(&other.changed, &other.mutex);
			continue;
		}
		struct request *request = other.requests[--other.length];
		pthread_mutex_unlock(&other.mutex);
		request->op.result = 1;
		request->deliver(request);
		pthread_mutex_lock(&other.mutex);
	}
	pthread_mutex_unlock(&other.mutex);
	return NULL;
}

static void start_other(void)
{
	other.stops = false;
	assert_int_equal(pthread_create(&other.thread, NULL, run_other, NULL), 0);
}

static void stop_other(void)
{
	pthread_mutex_lock(&other.mutex);
	other.stops = true;
	pthread_cond_signal(&other.changed);
	pthread_mutex_unlock(&other.mutex);
	assert_int_equal(pthread_join(other.thread, NULL), 0);
}

static void give_other(struct request *request)
{
	pthread_mutex_lock(&other.mutex);
	other.requests[other.length++] = request;
	pthread_cond_signal(&other.changed);
	pthread_mutex_unlock(&other.mutex);
}

struct counter {
	struct transfer transfer; /* first */
	unsigned steps, wanted;
	enum who who;
	unsigned random;
	atomic_uint inside; /* steps there are at the moment */
	atomic_uint overlaps;
	atomic_bool ended;
};

static unsigned next_random(struct counter *counter)
{
	counter->random = counter->random * 1103515245 + 12345;
	return counter->random >> 16;
}

static bool step(struct transfer *transfer)
{
	struct counter *counter = (struct counter *)transfer;
	struct request *request = &transfer->request;
	if (atomic_fetch_add(&counter->inside, 1) > 0) {
		atomic_fetch_add(&counter->overlaps, 1);
	}
	bool goes_on = counter->steps++ < counter->wanted;
	if (goes_on) {
		unsigned random = next_random(counter);
		bool here = counter->who == HERE || (counter->who == BOTH && random % 2);
		transfer_renew(transfer, OP_FLUSH, 0);
		if (here) {
			request->op.result = 1;
			request->deliver(request);
		} else {
			give_other(request);
			if (random % 4 == 0) {
				sched_yield(); /* it comes in the middle of the step */
			}
		}
	}
	atomic_fetch_sub(&counter->inside, 1);
	return goes_on;
}

static void end(struct transfer *transfer)
{
	struct counter *counter = (struct counter *)transfer;
	op_finish(&transfer->request.op);
	assert_false(atomic_load(&counter->ended));
	atomic_store(&counter->ended, true);
}

static void begin(struct counter *counter, enum who who, unsigned wanted, unsigned seed)
{
	memset(counter, 0, sizeof(*counter));
	counter->transfer.step = step;
	counter->transfer.end = end;
	counter->who = who;
	counter->wanted = wanted;
	counter->random = seed;
	transfer_start(&counter->transfer);
}

static void check(const struct counter *counter)
{
	assert_true(atomic_load(&counter->ended));
	assert_int_equal(counter->steps, counter->wanted + 1);
	assert_int_equal(atomic_load(&counter->overlaps), 0);
}

/* As many steps as a file is long must not need as much stack. */
static void test_here(void **state)
{
	(void)state;
	struct counter counter;
	begin(&counter, HERE, 3000000, 1);
	check(&counter);
	begin(&counter, HERE, 0, 1); /* the first step is the last */
	check(&counter);
}

static void test_there(void **state)
{
	(void)state;
	struct counter counters[4];
	start_other();
	for (unsigned i = 0; i < 4; i++) {
		begin(&counters[i], i % 2 ? THERE : BOTH, 20000, i);
	}
	stop_other();
	for (unsigned i = 0; i < 4; i++) {
		/* The last step may be in this thread, which has returned from all steps. */
		check(&counters[i]);
	}
}

static void test_renew(void **state)
{
	(void)state;
	struct transfer transfer = {.request.op = {0}};
	transfer.request.op.data = malloc(1); /* what a read has given */
	transfer_renew(&transfer, OP_READ, 5);
	assert_null(transfer.request.op.data);
	assert_int_equal(transfer.request.op.kind, OP_READ);
	assert_int_equal(transfer.request.op.size, 5);
	assert_int_equal(transfer.request.op.token, 0);
	assert_false(transfer.request.op.nonblock);
	assert_non_null(transfer.request.deliver);
	op_finish(&transfer.request.op);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_here),
		cmocka_unit_test(test_there),
		cmocka_unit_test(test_renew),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
