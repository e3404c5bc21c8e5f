/* SPDX-License-Identifier: MIT */
/* caller, of processes that the test makes. */
#define _GNU_SOURCE /* syscall */

#include "mount/process/caller.h"
#include "mount/process/proc.h"

#include "child.h"

#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void test_is_killed(void **state)
{
	(void)state;
	int leash;
	siginfo_t info;
	pid_t pid = child_start("", -1, &leash);
	assert_int_equal(caller_fate(pid), CALLER_STAYS);
	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(caller_fate(pid), CALLER_ENDS);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(leash);
	assert_int_equal(caller_fate(pid), CALLER_UNKNOWN); /* there is none */
	assert_int_equal(caller_fate(getpid()), CALLER_STAYS);
	assert_int_equal(caller_fate(0), CALLER_UNKNOWN);

	/* One that ends by itself. */
	pid = child_start("", -1, &leash);
	close(leash);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(caller_fate(pid), CALLER_STAYS);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* seccomp(2) ends a process by no signal that could be seen before. It ends one thread: the thread
 * sanitizer starts another one in a child of fork(3), which would stay. */
static void test_seccomp(void **state)
{
	(void)state;
	siginfo_t info;
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
		_exit(0); /* exit_group, which is not allowed */
	}
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(info.si_code, CLD_KILLED);
	assert_int_equal(caller_fate(pid), CALLER_ENDS);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* A process whose main thread ends as another one has called exit. */
static void *leave(void *unused)
{
	(void)unused;
	_exit(3);
}

static void test_threads_end_with_exit(void **state)
{
	(void)state;
	siginfo_t info;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, leave, NULL) == 0) {
			pause();
		}
		_exit(1);
	}
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(info.si_code, CLD_EXITED);
	assert_int_equal(caller_fate(pid), CALLER_STAYS);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_executes(void **state)
{
	(void)state;
	assert_true(caller_executes("1 1 0 0 0 1 0\n"));
	assert_true(caller_executes("34 0 0 0 0 34 0\n"));
	assert_false(caller_executes("5683 2364 1508 664 0 1005 0\n"));
	assert_false(caller_executes("0 0 0 0 0 0 0\n")); /* it exits */
	assert_false(caller_executes(""));
}

static unsigned long long bit(int signal)
{
	return 1ULL << (signal - 1);
}

static void test_judge(void **state)
{
	(void)state;
	enum {
		DEFAULT,
		CAUGHT,
		IGNORED,
		BLOCKED
	};
	static const struct {
		int signal, how;
		enum caller_fate expected;
	} rows[] = {
		{SIGKILL, DEFAULT, CALLER_ENDS},  {SIGINT, DEFAULT, CALLER_ENDS},
		{SIGTERM, DEFAULT, CALLER_ENDS},  {SIGALRM, DEFAULT, CALLER_ENDS},
		{SIGUSR1, DEFAULT, CALLER_ENDS},  {SIGSEGV, DEFAULT, CALLER_ENDS},
		{SIGTRAP, DEFAULT, CALLER_ENDS},  {64, DEFAULT, CALLER_ENDS},
		{SIGSTOP, DEFAULT, CALLER_STAYS}, {SIGTSTP, DEFAULT, CALLER_STAYS},
		{SIGTTIN, DEFAULT, CALLER_STAYS}, {SIGTTOU, DEFAULT, CALLER_STAYS},
		{SIGCONT, DEFAULT, CALLER_STAYS}, {SIGCHLD, DEFAULT, CALLER_STAYS},
		{SIGURG, DEFAULT, CALLER_STAYS},  {SIGWINCH, DEFAULT, CALLER_STAYS},
		{SIGHUP, CAUGHT, CALLER_ENDS},	  {SIGINT, CAUGHT, CALLER_ENDS},
		{SIGQUIT, CAUGHT, CALLER_ENDS},	  {SIGTERM, CAUGHT, CALLER_ENDS},
		{SIGALRM, CAUGHT, CALLER_STAYS},  {SIGUSR1, CAUGHT, CALLER_STAYS},
		{SIGPIPE, CAUGHT, CALLER_STAYS},  {SIGPROF, CAUGHT, CALLER_STAYS},
		{SIGTSTP, CAUGHT, CALLER_STAYS},  {64, CAUGHT, CALLER_STAYS},
		{SIGINT, IGNORED, CALLER_STAYS},  {SIGTERM, IGNORED, CALLER_STAYS},
		{SIGINT, BLOCKED, CALLER_STAYS},  {SIGALRM, BLOCKED, CALLER_STAYS},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned long long it = bit(rows[i].signal), none = 0;
		for (int shared = 0; shared < 2; shared++) {
			char text[512];
			snprintf(text, sizeof(text),
				 "Name:\tx\nTracerPid:\t0\nSigPnd:\t%016llx\nShdPnd:\t%016llx\n"
				 "SigBlk:\t%016llx\nSigIgn:\t%016llx\nSigCgt:\t%016llx\n",
				 shared ? none : it, shared ? it : none,
				 rows[i].how == BLOCKED ? it : none,
				 rows[i].how == IGNORED ? it : none,
				 rows[i].how == CAUGHT ? it : none);
			assert_int_equal(caller_judge(text), rows[i].expected);
		}
	}
	const char *traced = "Name:\tx\nTracerPid:\t7\nSigPnd:\t0000000000000010\nShdPnd:\t0\n"
			     "SigBlk:\t0\nSigIgn:\t0\nSigCgt:\t0\n";
	assert_int_equal(caller_judge(traced), CALLER_STAYS);
	assert_int_equal(caller_judge("Name:\tx\n"), CALLER_UNKNOWN);
	assert_int_equal(caller_judge(""), CALLER_UNKNOWN);
	assert_int_equal(caller_pending(getpid()), CALLER_STAYS);
	assert_int_equal(caller_pending(0), CALLER_UNKNOWN);
}

/* With the reserve, /proc can be read when no descriptor is left. */
static void test_no_descriptor(void **state)
{
	(void)state;
	int leash;
	pid_t pid = child_start("", -1, &leash);
	for (int reserve = 0; reserve < 2; reserve++) {
		if (reserve) {
			proc_start();
		}
		struct rlimit old = child_take_descriptors();
		for (int again = 0; again < 2; again++) {
			enum caller_fate fate = reserve ? CALLER_STAYS : CALLER_UNKNOWN;
			assert_int_equal(dup(0), -1);
			assert_int_equal(caller_fate(pid), fate);
			assert_int_equal(caller_pending(pid), fate);
			assert_int_equal(dup(0), -1);
		}
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	}
	proc_stop();
	child_stop(pid, leash);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_killed),
		cmocka_unit_test(test_seccomp),
		cmocka_unit_test(test_threads_end_with_exit),
		cmocka_unit_test(test_executes),
		cmocka_unit_test(test_judge),
		cmocka_unit_test(test_no_descriptor),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
