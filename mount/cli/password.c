/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* ppoll */

#include "mount/cli/password.h"

#include "mount/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define PASSWORD_MAX_BYTES 1023

/* A byte order mark, which some editors write at the start of a file. */
static const char mark[] = "\xef\xbb\xbf";

/* Room for a line while it is read: a mark, the password, "\r", and NUL. */
#define LINE_BYTES (sizeof(mark) - 1 + PASSWORD_MAX_BYTES + 2)

static const char variable[] = "IBBFS_PASSWORD";

/* A plain memset before free() is a dead store that the compiler may drop; volatile ones stay. */
static void overwrite(char *bytes, size_t length)
{
	volatile char *p = bytes;

	while (length--) {
		*p++ = '\0';
	}
}

void password_wipe(char *password)
{
	if (password) {
		overwrite(password, strlen(password));
		free(password);
	}
}

/* Takes over `line`, of `length` bytes, and strips a '\r' from its end. NULL after a line on
 * standard error that begins with `source`. */
static char *check_take(char *line, size_t length, const char *source)
{
	const char *wrong = NULL;

	if (length > 0 && line[length - 1] == '\r') {
		length--;
	}
	if (length == 0) {
		wrong = "the password is empty";
	} else if (length > PASSWORD_MAX_BYTES) {
		wrong = "the password is longer than 1023 bytes";
	} else if (memchr(line, '\0', length)) {
		wrong = "the password holds a NUL byte";
	}
	if (wrong) {
		log_error("%s: %s", source, wrong);
		overwrite(line, LINE_BYTES);
		free(line);
		return NULL;
	}
	line[length] = '\0';
	return line;
}

/* Of the prompt; 0 while there is none. */
static volatile sig_atomic_t signal_caught;

static void catch_signal(int number)
{
	signal_caught = number;
}

/* Takes a byte order mark off a line of `length` bytes; returns the length that is left. */
static size_t strip_mark(char *line, size_t length)
{
	const size_t mark_length = sizeof(mark) - 1;

	if (length < mark_length || memcmp(line, mark, mark_length) != 0) {
		return length;
	}
	memmove(line, line + mark_length, length - mark_length);
	overwrite(line + length - mark_length, mark_length);
	return length - mark_length;
}

/* Waits until a byte can be read from `fd`, with the signal mask `waiting`; then reads it. */
static ssize_t wait_and_read(int fd, char *byte, const sigset_t *waiting)
{
	struct pollfd readable = {.fd = fd, .events = POLLIN};

	int count = ppoll(&readable, 1, NULL, waiting);
	return count < 0 ? count : read(fd, byte, 1);
}

/*
 * The first line of `fd`, without a byte order mark. It reads byte by byte, so later bytes of a
 * pipe stay there for the next reader. With `waiting`, its signals are unblocked while it waits;
 * NULL and EINTR, without a line, when catch_signal got one. Every other error prints a line.
 */
static char *read_line(int fd, const char *source, const sigset_t *waiting)
{
	char *line = calloc(1, LINE_BYTES);
	size_t length = 0;

	if (!line) {
		log_error("%s", strerror(ENOMEM));
		return NULL;
	}
	/* One byte too many is enough to know that it is too long. */
	while (length < LINE_BYTES - 1) {
		ssize_t count = waiting ? wait_and_read(fd, line + length, waiting)
					: read(fd, line + length, 1);
		if (count < 0 && errno == EINTR && !signal_caught) {
			continue;
		}
		if (count < 0) {
			int error = errno;

			overwrite(line, LINE_BYTES);
			free(line);
			if (error != EINTR) {
				log_error("%s: %s", source, strerror(error));
			}
			errno = error;
			return NULL;
		}
		if (count == 0 || line[length] == '\n') {
			break;
		}
		length++;
	}
	return check_take(line, strip_mark(line, length), source);
}

/* ---- a file ---- */

static bool is_own_descriptor(const char *path)
{
	return strncmp(path, "/dev/fd/", 8) == 0 || strncmp(path, "/proc/self/fd/", 14) == 0;
}

/* NULL if the file may hold a password, else the reason why not. */
static const char *file_fault(const struct stat *status, const char *path, uid_t user)
{
	/* <(command) of a shell is a pipe that we have open already; any other FIFO could be fed by
	 * its owner. */
	if (!S_ISREG(status->st_mode) && !(S_ISFIFO(status->st_mode) && is_own_descriptor(path))) {
		return "not a regular file";
	}
	if (status->st_uid != geteuid() && status->st_uid != 0 && status->st_uid != user) {
		return "belongs to somebody else";
	}
	if (status->st_mode & (S_IRWXG | S_IRWXO)) {
		return "others have access to it; chmod 600 it";
	}
	return NULL;
}

/* `user`: the user that the daemon runs as, if that is another. */
static char *read_file(const char *path, uid_t user)
{
	/* O_NONBLOCK so that opening a FIFO does not wait for a writer. */
	int fd = open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	struct stat status;
	char *password = NULL;

	if (fd < 0 || fstat(fd, &status) < 0) {
		log_error("-o password_file=%s: %s", path, strerror(errno));
		goto out;
	}
	const char *fault = file_fault(&status, path, user);
	if (fault) {
		log_error("-o password_file=%s: %s", path, fault);
		goto out;
	}
	if (fcntl(fd, F_SETFL, 0) < 0) {
		log_error("-o password_file=%s: %s", path, strerror(errno));
		goto out;
	}
	password = read_line(fd, path, NULL);
out:
	if (fd >= 0) {
		close(fd);
	}
	return password;
}

/* ---- the environment ---- */

/* The variable's first line in LINE_BYTES, or NULL. Takes it out of the environment, and out of the
 * memory that /proc shows. */
static char *take_variable(void)
{
	char *value = getenv(variable);
	char *line = NULL;

	if (value) {
		size_t length = strcspn(value, "\n");

		line = calloc(1, LINE_BYTES);
		if (line) {
			memcpy(line, value, length < LINE_BYTES ? length : LINE_BYTES - 1);
		}
		overwrite(value, strlen(value));
		unsetenv(variable);
	}
	return line;
}

/* ---- the terminal ---- */

static const int prompt_signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};

#define PROMPT_SIGNALS (sizeof(prompt_signals) / sizeof(prompt_signals[0]))

static void say(int terminal, const char *text)
{
	if (write(terminal, text, strlen(text)) < 0) {
		/* A failed write of the prompt is ignored: the read reports a dead terminal. */
	}
}

/* The state of the signals that end a prompt. */
struct caught_signals {
	struct sigaction before[PROMPT_SIGNALS];
	sigset_t mask;	  /* before */
	sigset_t waiting; /* while the prompt waits */
};

/* From now on catch_signal gets them. They are blocked except while the prompt waits: none comes
 * between setting echo off and the handler. */
static void catch_signals(struct caught_signals *caught)
{
	struct sigaction catching = {.sa_handler = catch_signal};
	sigset_t blocked;

	sigemptyset(&blocked);
	sigemptyset(&catching.sa_mask);
	for (size_t i = 0; i < PROMPT_SIGNALS; i++) {
		sigaddset(&blocked, prompt_signals[i]);
	}
	sigprocmask(SIG_BLOCK, &blocked, &caught->mask);
	caught->waiting = caught->mask;
	signal_caught = 0;
	for (size_t i = 0; i < PROMPT_SIGNALS; i++) {
		sigdelset(&caught->waiting, prompt_signals[i]);
		sigaction(prompt_signals[i], &catching, &caught->before[i]);
	}
}

static void restore_signals(const struct caught_signals *caught)
{
	for (size_t i = 0; i < PROMPT_SIGNALS; i++) {
		sigaction(prompt_signals[i], &caught->before[i], NULL);
	}
	sigprocmask(SIG_SETMASK, &caught->mask, NULL);
}

/* One attempt with echo off. NULL and EINTR: *caught is the signal that ended it, and the terminal
 * is restored. */
static char *prompt_once(int terminal, const char *jid, int *caught)
{
	struct termios saved, silent;
	struct caught_signals signals;

	if (tcgetattr(terminal, &saved) < 0) {
		log_error("/dev/tty: %s", strerror(errno));
		return NULL;
	}
	catch_signals(&signals);
	silent = saved;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	silent.c_lflag |= ICANON | ISIG;

	/* TCSADRAIN: characters that were typed ahead are not discarded. */
	char *password = NULL;
	int error = 0;
	if (tcsetattr(terminal, TCSADRAIN, &silent) < 0) {
		error = errno;
		log_error("/dev/tty: %s", strerror(error));
	} else {
		say(terminal, "Password for ");
		say(terminal, jid);
		say(terminal, ": ");
		password = read_line(terminal, "/dev/tty", &signals.waiting);
		error = errno;
		say(terminal, "\n");
		tcsetattr(terminal, TCSADRAIN, &saved);
	}
	restore_signals(&signals);
	*caught = signal_caught;
	errno = error;
	return password;
}

static char *prompt(const char *jid)
{
	int terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (terminal < 0) {
		log_error("no password and no terminal to ask on; use -o password_file=FILE, "
			  "-o password_stdin or %s",
			  variable);
		return NULL;
	}
	char *password;
	int caught = 0;
	for (;;) {
		password = prompt_once(terminal, jid, &caught);
		if (password || caught == 0) {
			break;
		}
		/* Raises the signal again, for its restored handler. */
		raise(caught);
		if (caught != SIGTSTP) {
			log_error("no password: interrupted");
			break;
		}
	}
	close(terminal);
	return password;
}

char *password_read(const struct options *options)
{
	/* First, whichever source wins: child processes inherit the environment. */
	char *from_variable = take_variable();

	if (!options->password_file && !options->password_stdin && from_variable) {
		return check_take(from_variable, strlen(from_variable), variable);
	}
	password_wipe(from_variable);
	if (options->password_file) {
		return read_file(options->password_file, options->uid);
	}
	if (options->password_stdin) {
		return read_line(STDIN_FILENO, "standard input", NULL);
	}
	return prompt(options->jid);
}
