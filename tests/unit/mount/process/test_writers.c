/* SPDX-License-Identifier: MIT */
/* writers, of processes that the test makes. */
#include "mount/process/proc.h"
#include "mount/process/writers.h"

#include "child.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/writers-XXXXXX";
static uint64_t ino;

static int setup(void **state)
{
	(void)state;
	struct stat status;
	int fd = mkstemp(path);
	if (fd < 0 || fstat(fd, &status)) {
		return -1;
	}
	ino = status.st_ino;
	return close(fd);
}

static int teardown(void **state)
{
	(void)state;
	return unlink(path);
}

static struct writers_close close_of(pid_t pid, pid_t opener, uint64_t *opened)
{
	return (struct writers_close){
		.pid = pid,
		.table = (uint64_t)pid + 1,
		.opener = opener,
		.opened = opened,
		.name = strrchr(path, '/') + 1,
		.ino = ino,
	};
}

static enum writers_left left_by(pid_t pid, pid_t opener, uint64_t *opened)
{
	struct writers_close close = close_of(pid, opener, opened);
	writers_judge(&close, 1, NULL);
	return close.left;
}

/* Where it does not matter which process opened the file, as all are searched. */
static enum writers_left left_of_all(pid_t pid)
{
	uint64_t unknown = 0;
	return left_by(pid, pid, &unknown);
}

/* Judges just after the opens at `opened`. On a busy machine, a second may pass until then: then
 * all processes are searched, so it is tried again. */
static void judge_soon(struct writers_close *closes, size_t count, uint64_t *opened)
{
	closes[0].left = WRITERS_SOME;
	for (int i = 0; i < 100 && closes[0].left == WRITERS_SOME; i++) {
		*opened = writers_look();
		writers_judge(closes, count, NULL);
	}
}

static enum writers_left left_soon(pid_t pid, pid_t opener)
{
	uint64_t opened;
	struct writers_close close = close_of(pid, opener, &opened);
	judge_soon(&close, 1, &opened);
	return close.left;
}

static void test_all(void **state)
{
	(void)state;
	int leashes[2];
	pid_t plain = child_start("", -1, &leashes[0]);
	assert_int_equal(left_of_all(plain), WRITERS_NONE);
	pid_t pid = child_start(path, O_RDWR, &leashes[1]);
	assert_int_equal(left_of_all(plain), WRITERS_SOME);
	assert_int_equal(left_of_all(pid), WRITERS_SOME);
	child_stop(pid, leashes[1]);
	/* We ourselves are the daemon, which does not count. */
	int fd = open(path, O_WRONLY);
	assert_int_equal(left_of_all(plain), WRITERS_NONE);
	close(fd);
	child_stop(plain, leashes[0]);
}

/* A descriptor is inherited, or it passes through a socket. */
static void test_heirs(void **state)
{
	(void)state;
	int leashes[2];
	pid_t older = child_start(path, O_WRONLY, &leashes[0]);
	pid_t pid = child_start("", -1, &leashes[1]);
	/* It was started before the open, so it cannot have inherited the descriptor. */
	assert_int_equal(left_soon(pid, pid), WRITERS_NONE);
	uint64_t moment = writers_look();
	assert_int_equal(left_by(pid, older, &moment), WRITERS_SOME);
	assert_int_equal(left_by(older, pid, &moment), WRITERS_SOME);
	/* What an opener that has ended left to others cannot be known. */
	assert_int_equal(left_by(pid, 0, &moment), WRITERS_SOME);
	assert_int_equal(moment, 0);
	child_stop(older, leashes[0]);
	assert_int_equal(left_by(pid, 0, &moment), WRITERS_NONE);

	moment = writers_look();
	pid_t heir = child_start(path, O_WRONLY, &leashes[0]);
	assert_int_equal(left_by(pid, pid, &moment), WRITERS_SOME);
	assert_int_equal(left_by(heir, pid, &moment), WRITERS_SOME);
	child_stop(heir, leashes[0]);
	assert_int_equal(left_by(pid, pid, &moment), WRITERS_NONE);
	child_stop(pid, leashes[1]);
}

static void *do_nothing(void *unused)
{
	return unused;
}

/* Numbers are given to threads, too. No second must pass between two looks, on a busy machine
 * either: so no thread waits for another one. */
static void spend_numbers(void)
{
	pthread_t threads[260];
	size_t count = sizeof(threads) / sizeof(threads[0]);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, do_nothing, NULL), 0);
		writers_look();
	}
	for (size_t i = 0; i < count; i++) {
		pthread_join(threads[i], NULL);
		writers_look();
	}
}

/* Numbers begin again at the lowest, and a process seems younger then than one that is: not within
 * a test. */
static int leave_numbers(void **state)
{
	char text[32];
	(void)state;
	assert_true(proc_read("/proc/sys/kernel/pid_max", text, sizeof(text)));
	uint32_t most = (uint32_t)strtoul(text, NULL, 10), newest = (uint32_t)writers_look();
	for (int i = 0; i < 100 && newest <= most && most - newest < 4000; i++) {
		spend_numbers();
		newest = (uint32_t)writers_look();
	}
	return 0;
}

/* What is left of a file that a process older than its open has, too; and when `heir`, one that was
 * started since has it as well. */
static enum writers_left left_after_many(bool heir)
{
	int leashes[3];
	pid_t older = child_start(path, O_WRONLY, &leashes[0]);
	pid_t pid = child_start("", -1, &leashes[1]);
	uint64_t opened = writers_look();
	struct writers_close close = close_of(pid, pid, &opened);
	spend_numbers();
	pid_t younger = heir ? child_start(path, O_WRONLY, &leashes[2]) : 0;
	writers_judge(&close, 1, NULL);
	if (heir) {
		child_stop(younger, leashes[2]);
	}
	child_stop(pid, leashes[1]);
	child_stop(older, leashes[0]);
	return close.left;
}

/* More numbers than would be tried one by one: processes that were started since the open are told
 * from older ones in the list of all. Others may spend numbers, too, but not each time. */
static void test_many_numbers(void **state)
{
	(void)state;
	int tries = 0;
	while (left_after_many(false) != WRITERS_NONE) {
		assert_true(++tries < 100);
	}
	assert_int_equal(left_after_many(true), WRITERS_SOME);
}

static void test_not_visible(void **state)
{
	(void)state;
	uint64_t moment = writers_look();
	struct writers_close close = close_of(0, getpid(), &moment);
	int leash;
	pid_t pid = child_start(path, O_WRONLY, &leash);
	writers_judge(&close, 1, NULL);
	assert_int_equal(close.left, WRITERS_UNKNOWN);
	close.searches = true;
	writers_judge(&close, 1, NULL);
	assert_int_equal(close.left, WRITERS_SOME);
	child_stop(pid, leash);
	writers_judge(&close, 1, NULL);
	assert_int_equal(close.left, WRITERS_UNKNOWN);
}

static void test_socket(void **state)
{
	(void)state;
	int leashes[3];
	pid_t older = child_start(path, O_WRONLY, &leashes[0]);
	pid_t plain = child_start("", -1, &leashes[1]);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	pid_t sharing = child_start("", -1, &leashes[2]);
	close(fd);
	uint64_t moment = writers_look();
	assert_int_equal(left_by(plain, sharing, &moment), WRITERS_SOME);
	assert_int_equal(left_soon(plain, plain), WRITERS_NONE);
	/* It may have passed the descriptor on; that is remembered. */
	moment = writers_look();
	assert_int_equal(left_by(sharing, plain, &moment), WRITERS_SOME);
	assert_int_equal(moment, 0);
	assert_int_equal(left_by(plain, plain, &moment), WRITERS_SOME);
	child_stop(sharing, leashes[2]);
	child_stop(plain, leashes[1]);
	child_stop(older, leashes[0]);
}

/* A byte, with which a descriptor goes. */
struct parcel {
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	char byte;
	struct iovec part;
	struct msghdr message;
};

static struct msghdr *pack(struct parcel *parcel)
{
	*parcel = (struct parcel){.part = {&parcel->byte, 1}};
	parcel->message = (struct msghdr){
		.msg_iov = &parcel->part,
		.msg_iovlen = 1,
		.msg_control = parcel->control,
		.msg_controllen = sizeof(parcel->control),
	};
	return &parcel->message;
}

/* Takes a descriptor from the socket, and has it until the other end is closed. */
static pid_t start_receiver(int sockets[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid > 0) {
		close(sockets[1]);
		return pid;
	}
	close(sockets[0]);
	struct parcel parcel;
	bool ready = recvmsg(sockets[1], pack(&parcel), 0) == 1 && send(sockets[1], "", 1, 0) == 1;
	_exit(ready && recv(sockets[1], &parcel.byte, 1, 0) == 0 ? 0 : 1);
}

static void pass(int socket, int fd)
{
	struct parcel parcel;
	struct msghdr *message = pack(&parcel);
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	assert_int_equal(sendmsg(socket, message, 0), 1);
	assert_int_equal(recv(socket, &parcel.byte, 1, 0), 1);
}

/* What was seen of processes does not hold for a later close: a descriptor may have been inherited
 * or passed since, also by a process that was seen without it. */
static void test_nothing_is_kept(void **state)
{
	(void)state;
	int leash, sockets[2];
	pid_t receiver = start_receiver(sockets), pid = getpid();
	uint64_t moment = writers_look();
	assert_int_equal(left_by(pid, pid, &moment), WRITERS_NONE);
	pid_t heir = child_start(path, O_WRONLY, &leash);
	assert_int_equal(left_by(pid, pid, &moment), WRITERS_SOME);
	child_stop(heir, leash);
	assert_int_equal(left_by(pid, pid, &moment), WRITERS_NONE);

	int fd = open(path, O_WRONLY | O_CLOEXEC);
	pass(sockets[0], fd);
	close(fd);
	assert_int_equal(left_by(pid, pid, &moment), WRITERS_SOME);
	close(sockets[0]);
	int status;
	assert_int_equal(waitpid(receiver, &status, 0), receiver);
	assert_int_equal(status, 0);
	assert_int_equal(left_by(pid, pid, &moment), WRITERS_NONE);
}

/* Each of the closes that come together is judged by its own file and processes. */
static void test_together(void **state)
{
	(void)state;
	int leashes[3];
	pid_t older = child_start(path, O_WRONLY, &leashes[0]);
	pid_t plain = child_start("", -1, &leashes[1]);
	uint64_t early = writers_look(), late, unknown = 0;
	pid_t heir = child_start(path, O_WRONLY, &leashes[2]);
	struct writers_close closes[WRITERS_MOST] = {
		close_of(plain, plain, &late), close_of(plain, plain, &early),
		close_of(older, plain, &late), close_of(plain, older, &late),
		close_of(heir, plain, &late),  close_of(plain, plain, &unknown),
		close_of(plain, plain, &late), close_of(plain, plain, &unknown),
	};
	closes[6].name = "other";
	closes[7].ino++; /* in another directory */
	for (size_t i = 8; i < WRITERS_MOST; i++) {
		closes[i] = closes[i % 8];
	}
	judge_soon(closes, WRITERS_MOST, &late);
	static const bool last[] = {true, false, false, false, false, false, true, true};
	for (size_t i = 0; i < WRITERS_MOST; i++) {
		assert_int_equal(closes[i].left, last[i % 8] ? WRITERS_NONE : WRITERS_SOME);
	}
	/* Threads have one table, so the second one is not looked at. */
	closes[1] = close_of(heir, plain, &late);
	closes[1].table = closes[0].table;
	judge_soon(closes, 2, &late);
	assert_int_equal(closes[0].left, WRITERS_NONE);
	assert_int_equal(closes[1].left, WRITERS_NONE);
	child_stop(heir, leashes[2]);
	child_stop(plain, leashes[1]);
	child_stop(older, leashes[0]);
}

/* Judges by the processes that close alone, just after an open at `*opened`. */
static bool judge_callers_soon(struct writers_close *close, uint64_t *opened)
{
	bool known = false;
	for (int i = 0; i < 100 && !known; i++) {
		*opened = writers_look();
		known = writers_judge_callers(close, 1);
	}
	return known;
}

/* Others are not looked at, as any of them may be in execve. */
static void test_callers(void **state)
{
	(void)state;
	int leashes[3];
	pid_t writer = child_start(path, O_WRONLY, &leashes[0]);
	pid_t plain = child_start("", -1, &leashes[1]);
	uint64_t opened, early;
	struct writers_close close = close_of(writer, writer, &opened);
	assert_true(judge_callers_soon(&close, &opened));
	assert_int_equal(close.left, WRITERS_SOME);
	close = close_of(plain, plain, &opened);
	assert_true(judge_callers_soon(&close, &opened));
	assert_int_equal(close.left, WRITERS_NONE);
	/* Another process has opened the file, or may have got it, or nothing is known of them. */
	uint64_t moment = writers_look(), unknown = 0;
	close = close_of(plain, writer, &moment);
	assert_false(writers_judge_callers(&close, 1));
	assert_int_not_equal(moment, 0);
	close = close_of(plain, plain, &unknown);
	assert_false(writers_judge_callers(&close, 1));
	early = writers_look();
	pid_t heir = child_start(path, O_WRONLY, &leashes[2]);
	close = close_of(plain, plain, &early);
	assert_false(writers_judge_callers(&close, 1));
	assert_int_equal(left_by(plain, plain, &early), WRITERS_SOME);
	child_stop(heir, leashes[2]);
	/* Of a process that is not visible, a stream ends with the release. */
	close = close_of(0, plain, &moment);
	assert_true(writers_judge_callers(&close, 1));
	assert_int_equal(close.left, WRITERS_UNKNOWN);
	close.searches = true;
	assert_false(writers_judge_callers(&close, 1));
	child_stop(plain, leashes[1]);
	child_stop(writer, leashes[0]);
}

/* With the reserve, /proc can be read when no descriptor is left. */
static void test_no_descriptor(void **state)
{
	(void)state;
	int leashes[2];
	pid_t pid = child_start(path, O_WRONLY, &leashes[0]);
	pid_t plain = child_start("", -1, &leashes[1]);
	for (int reserve = 0; reserve < 2; reserve++) {
		if (reserve) {
			proc_start();
		}
		struct rlimit old = child_take_descriptors();
		for (int again = 0; again < 2; again++) {
			assert_int_equal(dup(0), -1);
			enum writers_left left = reserve ? WRITERS_SOME : WRITERS_UNKNOWN;
			assert_int_equal(left_of_all(pid), left);
			assert_int_equal(left_of_all(plain), left);
			assert_int_equal(dup(0), -1);
		}
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	}
	proc_stop();
	child_stop(plain, leashes[1]);
	child_stop(pid, leashes[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_all, leave_numbers),
		cmocka_unit_test_setup(test_heirs, leave_numbers),
		cmocka_unit_test_setup(test_many_numbers, leave_numbers),
		cmocka_unit_test_setup(test_not_visible, leave_numbers),
		cmocka_unit_test_setup(test_socket, leave_numbers),
		cmocka_unit_test_setup(test_nothing_is_kept, leave_numbers),
		cmocka_unit_test_setup(test_together, leave_numbers),
		cmocka_unit_test_setup(test_callers, leave_numbers),
		cmocka_unit_test_setup(test_no_descriptor, leave_numbers),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
