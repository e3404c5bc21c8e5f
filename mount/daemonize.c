/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* closefrom */

#include "mount/daemonize.h"

#include "mount/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int daemonize_open_standard(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		/* The lowest number that is free is this one. */
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0) {
			return -errno;
		}
	}
	return 0;
}

/* Leaves standard input, output and error open, and gives `fd` the number after them. */
static int close_inherited(int fd)
{
	int first = dup2(fd, STDERR_FILENO + 1);
	if (first < 0) {
		log_error("dup2: %s", strerror(errno));
		return -1;
	}
	closefrom(first + 1);
	fcntl(first, F_SETFD, FD_CLOEXEC);
	return first;
}

int daemonize_start(void)
{
	int fds[2];
	if (pipe(fds)) {
		log_error("pipe: %s", strerror(errno));
		return -1;
	}
	pid_t pid = fork();
	if (pid < 0) {
		log_error("fork: %s", strerror(errno));
		close(fds[0]);
		close(fds[1]);
		return -1;
	}
	if (pid == 0) {
		return close_inherited(fds[1]);
	}
	close(fds[1]);
	unsigned char told;
	ssize_t length;
	do {
		length = read(fds[0], &told, 1);
	} while (length < 0 && errno == EINTR);
	if (length == 1) {
		_exit(told);
	}
	int status = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
	}
	_exit(WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : EXIT_FAILURE);
}

static bool tell(int ready_fd, unsigned char status)
{
	return write(ready_fd, &status, 1) == 1;
}

bool daemonize_finish(int ready_fd)
{
	log_to_syslog();
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (setsid() < 0 || chdir("/") || null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
	    dup2(null, 2) < 0) {
		log_error("cannot leave the terminal: %s", strerror(errno));
		return false;
	}
	close(null);
	if (!tell(ready_fd, EXIT_SUCCESS)) {
		return false;
	}
	close(ready_fd);
	return true;
}

void daemonize_fail(int ready_fd)
{
	if (ready_fd >= 0) {
		tell(ready_fd, EXIT_FAILURE); /* or nobody waits any more */
	}
}
