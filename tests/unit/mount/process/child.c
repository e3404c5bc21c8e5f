/* SPDX-License-Identifier: MIT */
#include "child.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

pid_t child_start(const char *path, int flags, int *leash)
{
	int ready[2], hold[2];
	char byte = 0;
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(hold), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(hold[1]);
		/* A name that looks like the fields after it. */
		prctl(PR_SET_NAME, ") R 1 2 3 4 5 6");
		if (flags >= 0 && open(path, flags) < 0) {
			_exit(1);
		}
		if (write(ready[1], &byte, 1) != 1 || read(hold[0], &byte, 1) < 0) {
			_exit(1);
		}
		_exit(0);
	}
	close(ready[1]);
	close(hold[0]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	*leash = hold[1];
	return pid;
}

void child_stop(pid_t pid, int leash)
{
	int status;
	/* Children that were started later may have the other end, too. */
	assert_int_equal(write(leash, "", 1), 1);
	close(leash);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

struct rlimit child_take_descriptors(void)
{
	struct rlimit limit, old;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	int next = dup(0);
	assert_true(next > 0);
	close(next);
	limit = (struct rlimit){(rlim_t)next, old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return old;
}
