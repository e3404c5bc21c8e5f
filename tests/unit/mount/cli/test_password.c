/* SPDX-License-Identifier: MIT */
/* The sources of the password: files, standard input, the environment, a terminal. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture.h"
#include "mount/cli/password.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>

static char folder[] = "/tmp/ibbfs-password-XXXXXX";

static void write_file(const char *name, const void *bytes, size_t length, mode_t mode)
{
	unlink(name);
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, length), length);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

/* Bytes, and the password or the error that results; the same for a file and for standard input. */
static const struct {
	const char *bytes;
	size_t length;
	const char *password, *line;
} lines[] = {
	{"secret", 6, "secret", NULL},
	{"secret\n", 7, "secret", NULL},
	{"secret\r\n", 8, "secret", NULL},
	{"secret\n\n", 8, "secret", NULL},
	{"secret\nmore\n", 12, "secret", NULL},
	{" se cret \n", 10, " se cret ", NULL},
	{"\xc3\xa9\r\r\n", 5, "\xc3\xa9\r", NULL},
	{"\xef\xbb\xbfsecret\r\n", 11, "secret", NULL},
	{"\xef\xbb\xbf\xef\xbb\xbfx\n", 8, "\xef\xbb\xbfx", NULL}, /* one mark, not more */
	{"s\xef\xbb\xbf\n", 5, "s\xef\xbb\xbf", NULL},
	{"\xef\xbb\n", 3, "\xef\xbb", NULL},
	{"\xef\xbb\xbf\n", 4, NULL, "the password is empty"},
	{"", 0, NULL, "the password is empty"},
	{"\n", 1, NULL, "the password is empty"},
	{"\r\n", 2, NULL, "the password is empty"},
	{"a\0b\n", 4, NULL, "the password holds a NUL byte"},
};

static void expect(const struct options *options, const char *password, const char *line)
{
	struct capture errors;

	capture_start(&errors, STDERR_FILENO);
	char *got = password_read(options);
	capture_stop(&errors);
	if (password) {
		assert_string_equal(errors.text, "");
		assert_non_null(got);
		assert_string_equal(got, password);
	} else {
		assert_null(got);
		assert_one_line(errors.text, line);
	}
	password_wipe(got);
}

static void expect_input(const void *bytes, size_t length, const char *password, const char *line)
{
	const struct options options = {.jid = "a@b", .password_stdin = true};
	int saved = dup(STDIN_FILENO);
	int pipe_fds[2];

	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(write(pipe_fds[1], bytes, length), length);
	close(pipe_fds[1]);
	assert_int_equal(dup2(pipe_fds[0], STDIN_FILENO), STDIN_FILENO);
	close(pipe_fds[0]);
	expect(&options, password, line);
	dup2(saved, STDIN_FILENO);
	close(saved);
}

static void test_lines(void **state)
{
	struct options options = {.jid = "a@b", .password_file = "file"};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		write_file("file", lines[i].bytes, lines[i].length, 0600);
		expect(&options, lines[i].password, lines[i].line);
		expect_input(lines[i].bytes, lines[i].length, lines[i].password, lines[i].line);
	}
}

static void test_length(void **state)
{
	struct options options = {.jid = "a@b", .password_file = "file"};
	char longest[1024], text[1030];

	(void)state;
	memset(text, 'x', sizeof(text));
	memset(longest, 'x', 1023);
	longest[1023] = '\0';
	write_file("file", text, 1023, 0600);
	expect(&options, longest, NULL);
	text[1023] = '\n';
	write_file("file", text, 1024, 0600);
	expect(&options, longest, NULL);
	text[1023] = '\r';
	text[1024] = '\n';
	write_file("file", text, 1025, 0600);
	expect(&options, longest, NULL);
	memcpy(text, "\xef\xbb\xbf", 3);
	memset(text + 3, 'x', 1023);
	memcpy(text + 1026, "\r\n", 2);
	write_file("file", text, 1028, 0600);
	expect(&options, longest, NULL);
	for (size_t length = 1024; length <= sizeof(text); length++) {
		memset(text, 'x', sizeof(text));
		write_file("file", text, length, 0600);
		expect(&options, NULL, "file: the password is longer than 1023 bytes");
	}
}

/* Bytes after the first line stay in the pipe. */
static void test_input_is_not_overread(void **state)
{
	const struct options options = {.jid = "a@b", .password_stdin = true};
	int saved = dup(STDIN_FILENO);
	int pipe_fds[2];
	char rest[8] = "";

	(void)state;
	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(write(pipe_fds[1], "secret\nrest", 11), 11);
	assert_int_equal(dup2(pipe_fds[0], STDIN_FILENO), STDIN_FILENO);
	expect(&options, "secret", NULL);
	assert_int_equal(read(STDIN_FILENO, rest, sizeof(rest)), 4);
	assert_string_equal(rest, "rest");
	dup2(saved, STDIN_FILENO);
	close(saved);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static void test_files(void **state)
{
	static const struct {
		mode_t mode;
		const char *line;
	} table[] = {
		{0400, NULL},
		{0600, NULL},
		{0640, "-o password_file=file: others have access to it; chmod 600 it"},
		{0604, "others have access to it"},
		{0620, "others have access to it"},
		{0601, "others have access to it"},
	};
	struct options options = {.jid = "a@b", .password_file = "file"};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		write_file("file", "secret\n", 7, table[i].mode);
		expect(&options, table[i].line ? NULL : "secret", table[i].line);
	}
	unlink("file");
	expect(&options, NULL, "-o password_file=file: No such file or directory");
	options.password_file = ".";
	expect(&options, NULL, "-o password_file=.: not a regular file");
	options.password_file = "/dev/null";
	expect(&options, NULL, "-o password_file=/dev/null: not a regular file");
	options.password_file = "fifo";
	assert_int_equal(mkfifo("fifo", 0600), 0);
	expect(&options, NULL, "-o password_file=fifo: not a regular file");
	unlink("fifo");
	if (geteuid() == 0) {
		options.password_file = "file";
		write_file("file", "secret\n", 7, 0600);
		assert_int_equal(chown("file", 65534, 65534), 0);
		expect(&options, NULL, "-o password_file=file: belongs to somebody else");
		unlink("file");
	}
}

/* A shell's <(command). */
static void test_process_substitution(void **state)
{
	struct options options = {.jid = "a@b"};
	char path[32];
	int pipe_fds[2];

	(void)state;
	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(write(pipe_fds[1], "secret\n", 7), 7);
	close(pipe_fds[1]);
	snprintf(path, sizeof(path), "/dev/fd/%d", pipe_fds[0]);
	options.password_file = path;
	expect(&options, "secret", NULL);
	close(pipe_fds[0]);
}

static void test_environment(void **state)
{
	struct options options = {.jid = "a@b"};

	(void)state;
	setenv("IBBFS_PASSWORD", "secret", 1);
	char *before = getenv("IBBFS_PASSWORD");
	expect(&options, "secret", NULL);
	assert_null(getenv("IBBFS_PASSWORD"));
	assert_string_equal(before, "");

	setenv("IBBFS_PASSWORD", "", 1);
	expect(&options, NULL, "IBBFS_PASSWORD: the password is empty");

	char text[4096];
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	setenv("IBBFS_PASSWORD", text, 1);
	expect(&options, NULL, "IBBFS_PASSWORD: the password is longer than 1023 bytes");

	/* The file wins, then standard input; the variable is removed in any case. */
	setenv("IBBFS_PASSWORD", "other", 1);
	write_file("file", "secret\n", 7, 0600);
	options.password_file = "file";
	options.password_stdin = true;
	expect(&options, "secret", NULL);
	assert_null(getenv("IBBFS_PASSWORD"));
	setenv("IBBFS_PASSWORD", "other", 1);
	expect_input("third\n", 6, "third", NULL);
	assert_null(getenv("IBBFS_PASSWORD"));
}

/* ---- the terminal ---- */

/* As from a program that leaves its descriptors open: the next one has a number beyond those of
 * select(2). */
static void take_descriptors(void)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	while (dup(STDERR_FILENO) >= 0 && fcntl(2 * FD_SETSIZE, F_GETFD) < 0) {
	}
}

static bool crowded;

/* A child on a terminal of its own, asked for the password: exits 0 if it is "secret". */
static pid_t start_prompt(int *terminal)
{
	*terminal = posix_openpt(O_RDWR | O_NOCTTY);
	assert_true(*terminal >= 0);
	assert_int_equal(grantpt(*terminal), 0);
	assert_int_equal(unlockpt(*terminal), 0);
	fflush(NULL);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		/* A shell that runs the tests in the background ignores some of these signals. */
		signal(SIGINT, SIG_DFL);
		signal(SIGHUP, SIG_DFL);
		signal(SIGTERM, SIG_DFL);
		setsid();
		int slave = open(ptsname(*terminal), O_RDWR); /* becomes the controlling terminal */
		close(*terminal);
		dup2(slave, STDERR_FILENO);
		if (crowded) {
			take_descriptors();
		}
		char *password = password_read(&(struct options){.jid = "a@b", .foreground = true});
		bool good = password && strcmp(password, "secret") == 0;
		password_wipe(password);
		_exit(good ? 0 : 1);
	}
	return child;
}

/* Reads from the terminal until `part` was seen; `text` has all of it. */
static void await(int terminal, char *text, size_t size, const char *part)
{
	size_t length = strlen(text);

	while (!strstr(text, part)) {
		struct pollfd ready = {.fd = terminal, .events = POLLIN};

		assert_int_equal(poll(&ready, 1, 10000), 1);
		ssize_t count = read(terminal, text + length, size - 1 - length);
		if (count <= 0) {
			fail_msg("no \"%s\" in \"%s\"", part, text);
		}
		length += (size_t)count;
		text[length] = '\0';
	}
}

static bool echoes(int terminal)
{
	struct termios settings;

	assert_int_equal(tcgetattr(terminal, &settings), 0);
	return settings.c_lflag & ECHO;
}

static void check_prompt(void)
{
	char text[256] = "";
	int terminal, status;

	pid_t child = start_prompt(&terminal);
	int slave = open(ptsname(terminal), O_RDWR | O_NOCTTY);
	await(terminal, text, sizeof(text), "Password for a@b: ");
	assert_false(echoes(slave));
	assert_int_equal(write(terminal, "secret\r", 7), 7);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(echoes(slave));
	await(terminal, text, sizeof(text), "\r\n");
	assert_string_equal(text, "Password for a@b: \r\n");
	close(slave);
	close(terminal);
}

static void test_prompt(void **state)
{
	(void)state;
	check_prompt();
	crowded = true;
	check_prompt();
	crowded = false;
}

/* A signal by its key, in the middle of the word, and by kill(2). */
static void test_prompt_interrupted(void **state)
{
	static const struct {
		const char *typed;
		int sent, ended_by;
	} table[] = {
		{"\x03", 0, SIGINT},
		{"sec\x03", 0, SIGINT},
		{"", SIGTERM, SIGTERM},
		{"sec", SIGHUP, SIGHUP},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char text[256] = "";
		int terminal, status;
		pid_t child = start_prompt(&terminal);
		int slave = open(ptsname(terminal), O_RDWR | O_NOCTTY);

		await(terminal, text, sizeof(text), "Password for a@b: ");
		size_t typed = strlen(table[i].typed);
		assert_int_equal(write(terminal, table[i].typed, typed), typed);
		if (table[i].sent) {
			kill(child, table[i].sent);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), table[i].ended_by);
		assert_true(echoes(slave));
		close(slave);
		close(terminal);
	}
}

/* Ctrl-Z gives the terminal back as it was; afterwards we ask again. */
static void test_prompt_stopped(void **state)
{
	char text[256] = "";
	int terminal, status;

	(void)state;
	pid_t child = start_prompt(&terminal);
	int slave = open(ptsname(terminal), O_RDWR | O_NOCTTY);
	await(terminal, text, sizeof(text), "Password for a@b: ");
	/* The child's process group is orphaned, so the kernel does not stop it; the test sees the
	 * second prompt. */
	kill(child, SIGTSTP);
	await(terminal, text, sizeof(text), "Password for a@b: \r\nPassword for a@b: ");
	assert_int_equal(write(terminal, "secret\r", 7), 7);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(echoes(slave));
	close(slave);
	close(terminal);
}

static void test_no_terminal(void **state)
{
	struct capture errors;
	int status;

	(void)state;
	capture_start(&errors, STDERR_FILENO);
	pid_t child = fork();
	if (child == 0) {
		setsid();
		_exit(password_read(&(struct options){.jid = "a@b"}) ? 0 : 1);
	}
	waitpid(child, &status, 0);
	capture_stop(&errors);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_one_line(errors.text, "no password and no terminal to ask on; use -o "
				     "password_file=FILE, -o password_stdin or IBBFS_PASSWORD");
}

static void test_wipe(void **state)
{
	(void)state;
	password_wipe(NULL);
}

static int set_up(void **state)
{
	(void)state;
	unsetenv("IBBFS_PASSWORD");
	return mkdtemp(folder) ? chdir(folder) : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return unlink("file") || chdir("/") || rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_input_is_not_overread),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_process_substitution),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_prompt),
		cmocka_unit_test(test_prompt_interrupted),
		cmocka_unit_test(test_prompt_stopped),
		cmocka_unit_test(test_no_terminal),
		cmocka_unit_test(test_wipe),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
