/* SPDX-License-Identifier: MIT */
#include "ibb/sharing.h"
#include "ibb/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BLOCK ((size_t)16384)
#define MOST  ((size_t)4096) /* blocks in flight */

#define STREAMS 2

/* ---- streams with the same bottleneck ---- */

struct sender {
	struct window window;
	int64_t delay_us; /* of its path, without the queue */
	int64_t begin_us;
	int64_t sent_us[MOST]; /* of the blocks in flight, by number */
	int64_t answered_us[MOST];
	uint64_t delivered[MOST]; /* when they were sent */
	uint64_t sent, acknowledged;
	/* Since `since_us`: */
	uint64_t bytes;
	int64_t rtt_sum_us, rtts;
};

struct bottleneck {
	struct sender senders[STREAMS];
	struct sharing sharing;
	int64_t service_us; /* for a block */
	int64_t free_us;    /* when it is free again */
	int64_t now_us, since_us;
};

static void send_blocks(struct bottleneck *all, struct sender *sender)
{
	while (sender->sent == sender->acknowledged ||
	       (sender->sent - sender->acknowledged + 1) * BLOCK <= sender->window.size) {
		size_t at = sender->sent++ % MOST;
		int64_t begin_us = all->now_us > all->free_us ? all->now_us : all->free_us;
		all->free_us = begin_us + all->service_us;
		sender->sent_us[at] = all->now_us;
		sender->delivered[at] = sender->acknowledged;
		sender->answered_us[at] = all->free_us + sender->delay_us;
	}
	window_note_limited(&sender->window);
}

static void acknowledge_oldest(struct bottleneck *all, struct sender *sender)
{
	size_t at = sender->acknowledged++ % MOST;
	all->now_us = sender->answered_us[at];
	struct window_sample sample = {
		.number = sender->acknowledged - 1,
		.next = sender->sent,
		.sent_us = sender->sent_us[at],
		.now_us = all->now_us,
		.bytes = BLOCK,
		.delivered = (sender->acknowledged - sender->delivered[at]) * BLOCK,
		.block_size = BLOCK,
		.sharing = &all->sharing,
	};
	window_measure(&sender->window, &sample);
	sender->bytes += BLOCK;
	sender->rtt_sum_us += all->now_us - sample.sent_us;
	sender->rtts++;
}

/* The sender whose next answer, or whose beginning, is the next event. */
static struct sender *next_sender(struct bottleneck *all, int64_t *at_us)
{
	struct sender *next = NULL;
	for (size_t i = 0; i < STREAMS; i++) {
		struct sender *sender = &all->senders[i];
		int64_t us = sender->sent > sender->acknowledged
				     ? sender->answered_us[sender->acknowledged % MOST]
				     : sender->begin_us;
		if (!next || us < *at_us) {
			next = sender;
			*at_us = us;
		}
	}
	return next;
}

static void run(struct bottleneck *all, int64_t until_us)
{
	int64_t at_us = 0;
	struct sender *sender;
	while ((sender = next_sender(all, &at_us)) && at_us < until_us) {
		if (sender->sent > sender->acknowledged) {
			acknowledge_oldest(all, sender);
		} else {
			all->now_us = at_us;
			sharing_begin(&all->sharing);
			window_set_initial_rtt(&sender->window, sender->delay_us, 1);
		}
		send_blocks(all, sender);
	}
}

static void forget(struct bottleneck *all)
{
	all->since_us = all->now_us;
	for (size_t i = 0; i < STREAMS; i++) {
		all->senders[i].bytes = 0;
		all->senders[i].rtt_sum_us = all->senders[i].rtts = 0;
	}
}

/* A stream with a short RTT is not held to the pace of one with a long RTT, nor the first one to
 * that of a later one: each has its part, and the queue is short for both. It may be longer while
 * there is no light stream that would have to wait. */
static void test_one_bottleneck(void **state)
{
	static const struct {
		int64_t delays_us[STREAMS], begins_us[STREAMS];
		int64_t max_rtt_us; /* on average, of the first stream */
	} rows[] = {
		{{20000, 200000}, {0, 0}, 45000},	{{20000, 200000}, {0, 5000000}, 45000},
		{{20000, 200000}, {5000000, 0}, 45000}, {{20000, 20000}, {0, 0}, 45000},
		{{20000, 20000}, {0, 5000000}, 45000},	{{1000, 1000}, {0, 0}, 12000},
		{{1000, 1000}, {5000000, 0}, 12000},	{{1000, 100000}, {0, 0}, 12000},
		{{1000, 100000}, {0, 5000000}, 12000},	{{1000, 100000}, {5000000, 0}, 35000},
	};
	(void)state;
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		static struct bottleneck all;
		bool light = i % 2 != 0;
		all = (struct bottleneck){.service_us = 800}; /* 20 MB/s */
		if (light) {
			sharing_begin(&all.sharing);
		}
		for (size_t j = 0; j < STREAMS; j++) {
			window_init(&all.senders[j].window, MOST * BLOCK);
			all.senders[j].delay_us = rows[i / 2].delays_us[j];
			all.senders[j].begin_us = rows[i / 2].begins_us[j];
		}
		run(&all, 15000000);
		forget(&all);
		run(&all, 20000000);
		double blocks = 5000000.0 / 800;
		double parts[STREAMS];
		for (size_t j = 0; j < STREAMS; j++) {
			parts[j] = (double)all.senders[j].bytes / BLOCK / blocks;
		}
		int64_t rtt_us = all.senders[0].rtt_sum_us / all.senders[0].rtts;
		int64_t max_rtt_us = rows[i / 2].max_rtt_us + (light ? 0 : 27000);
		if (parts[0] + parts[1] < 0.97 || parts[0] < 0.25 || parts[1] < 0.25 ||
		    rtt_us > max_rtt_us) {
			fail_msg("row %zu, light %d: parts %.2f and %.2f, RTT %jd us", i / 2, light,
				 parts[0], parts[1], (intmax_t)rtt_us);
		}
	}
}

/* ---- members ---- */

static void test_members(void **state)
{
	struct sharing sharing = {0};
	struct sharing_member near = {0}, far = {0};
	(void)state;
	sharing.streams = 1;
	sharing_leave(&sharing, &near);
	assert_false(sharing_has_light(&sharing)); /* nobody else would wait */
	sharing_note(&sharing, &near, 3, 1000, 0);
	assert_int_equal(sharing.min_rtt_us, 1000);
	sharing.streams = 2;
	assert_true(sharing_has_light(&sharing));
	sharing_note(&sharing, &far, 1, 500000, 100);
	assert_false(sharing_has_light(&sharing));
	assert_int_equal(sharing.min_rtt_us, 1000);
	assert_true(sharing.mean_rate == 2);
	sharing_note(&sharing, &near, 5, 2000, 200);
	assert_int_equal(sharing.min_rtt_us, 2000);
	assert_true(sharing.mean_rate == 3);
	sharing_leave(&sharing, &near);
	assert_int_equal(sharing.min_rtt_us, 500000);
	assert_true(sharing.mean_rate == 1);
	sharing_leave(&sharing, &near);
	sharing_leave(&sharing, &far);
	assert_true(sharing.min_rtt_us == 0 && sharing.mean_rate == 0 && !sharing.members);
}

/* A stream that has nothing to send is no member; one with a long RTT may take longer. */
static void test_silence(void **state)
{
	struct sharing sharing = {0};
	struct sharing_member near = {0}, far = {0}, other = {0};
	(void)state;
	sharing_note(&sharing, &near, 1, 1000, 0);
	sharing_note(&sharing, &far, 1, 500000, 0);
	sharing_note(&sharing, &other, 1, 20000, 1000000);
	assert_true(near.is_member && far.is_member);
	sharing_note(&sharing, &other, 1, 20000, 1000001);
	assert_false(near.is_member);
	assert_true(far.is_member);
	assert_int_equal(sharing.min_rtt_us, 20000);
	sharing_note(&sharing, &other, 1, 20000, 2000001);
	assert_false(far.is_member);
	assert_true(other.is_member);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_bottleneck),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_silence),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
