/* SPDX-License-Identifier: MIT */
/* The file of an account: its content, and the options or the error that follow. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture.h"
#include "ibb/stream.h"
#include "mount/cli/config.h"
#include "mount/cli/home.h"
#include "mount/cli/options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#define MAX_ARGUMENTS 8
#define FILE_NAME     "me@example.org.conf"
#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))

/* The home, with .config/ibbfs and a mount point, "dir"; the working directory of the tests. */
static char home[] = "/tmp/ibbfs-config-XXXXXX";
static char file[sizeof(home) + sizeof("/.config/ibbfs/" FILE_NAME)];

static void write_bytes(const char *bytes, size_t length)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, 0600), 0);
	assert_int_equal(write(fd, bytes, length), (ssize_t)length);
	close(fd);
}

static enum options_result parse(struct options *options, const char *const arguments[],
				 struct capture *errors)
{
	char *argv[MAX_ARGUMENTS + 2] = {strdup("ibbfs")};
	int count = 0;
	for (; count < MAX_ARGUMENTS && arguments[count]; count++) {
		argv[count + 1] = strdup(arguments[count]);
	}
	capture_start(errors, STDERR_FILENO);
	enum options_result result = options_parse(options, count + 1, argv);
	capture_stop(errors);
	for (int i = 0; i <= count; i++) {
		free(argv[i]);
	}
	return result;
}

static void parse_good(struct options *options, const char *const arguments[])
{
	struct capture errors;
	if (parse(options, arguments, &errors) != OPTIONS_RUN) {
		fail_msg("refused: %s", errors.text);
	}
	assert_string_equal(errors.text, "");
}

static const char *const plain[] = {"me@example.org", "dir", NULL};

/* The file is refused with this line, which begins with its path; NULL: it is not. */
static void expect(const char *bytes, size_t length, const char *line)
{
	struct options options;
	struct capture errors;
	char wanted[8192];
	write_bytes(bytes, length);
	enum options_result result = parse(&options, plain, &errors);
	if (line) {
		snprintf(wanted, sizeof(wanted), "ibbfs: %s%s\n", file, line);
		assert_string_equal(errors.text, wanted);
		assert_int_equal(result, OPTIONS_BAD);
	} else {
		assert_string_equal(errors.text, "");
		assert_int_equal(result, OPTIONS_RUN);
	}
	options_finish(&options);
}

static void test_options(void **state)
{
	static const char text[] = "\xef\xbb\xbf# of Alice\r\n"
				   "\n"
				   "  accept = none  \r\n"
				   "block_size=auto\n"
				   "\tinbox = ~/In, box\n"
				   "password_file=/etc/secret\n"
				   "ro\n"
				   "fsname=a,b\\c\n"
				   "timeout=9\n"
				   "timeout=10";
	struct options options;
	char inbox[sizeof(home) + 16];
	(void)state;
	write_bytes(text, sizeof(text) - 1);
	parse_good(&options, (const char *[]){"Me@Example.org/home", "dir", NULL});
	assert_string_equal(options.jid, "me@example.org/home");
	assert_int_equal(options.accept, ACCEPT_NONE);
	assert_int_equal(options.block_size, STREAM_AUTO_BLOCK);
	snprintf(inbox, sizeof(inbox), "%s/In, box", home);
	assert_string_equal(options.inbox, inbox);
	assert_string_equal(options.password_file, "/etc/secret");
	assert_int_equal(options.timeout_s, 10);
	assert_int_equal(options.fuse.argc, 5);
	assert_string_equal(options.fuse.argv[2], "ro,fsname=a\\,b\\\\c");
	assert_string_equal(options.fuse.argv[4], "subtype=ibbfs");
	options_finish(&options);
}

static void test_the_command_line_wins(void **state)
{
	static const char text[] = "timeout=9\nwindow=1M\npassword_file=/etc/secret\n";
	struct options options;
	(void)state;
	write_bytes(text, sizeof(text) - 1);
	parse_good(&options, (const char *[]){"-o", "timeout=8,password_stdin", "me@example.org",
					      "dir", NULL});
	assert_int_equal(options.timeout_s, 8);
	assert_int_equal(options.window, 1 << 20);
	assert_true(options.password_stdin);
	assert_null(options.password_file);
	options_finish(&options);
	parse_good(&options, (const char *[]){"me@example.org", "dir", "-opassword_file=x", NULL});
	assert_string_equal(options.password_file, "x");
	options_finish(&options);
}

static void test_directories(void **state)
{
	static const char text[] = "[Alice@Example.org]\nformat=si\n"
				   "[ bob@example.org/phone ]\nblock_size = 1024\nstanza=message\n"
				   "[alice@example.org]\nblock_size=auto\n";
	struct options options;
	(void)state;
	write_bytes(text, sizeof(text) - 1);
	parse_good(&options, plain);
	const struct preset *alice = preset_find(options.presets, "alice@example.org");
	const struct preset *bob = preset_find(options.presets, "bob@example.org/phone");
	assert_non_null(alice);
	assert_true(alice->defaults.has_format);
	assert_int_equal(alice->defaults.format, FORMAT_SI);
	assert_int_equal(alice->defaults.block_size, STREAM_AUTO_BLOCK);
	assert_false(alice->defaults.has_stanza);
	assert_non_null(bob);
	assert_int_equal(bob->defaults.block_size, 1024);
	assert_int_equal(bob->defaults.stanza, STANZA_MESSAGE);
	assert_null(preset_find(options.presets, "bob@example.org"));
	options_finish(&options);
	assert_null(options.presets);
}

static void test_bad_lines(void **state)
{
	static const struct {
		const char *text, *line;
	} rows[] = {
		{"# x\nwindw=1M\n", ":2: windw: unknown option; see ibbfs --help"},
		{"password=secret\n", ":1: password: unknown option; see ibbfs --help"},
		{"\n\nwindow=65M\n", ":3: window=65M: must be 1 to 64M"},
		{"window", ":1: window: needs a value"},
		{"window =", ":1: window: needs a value"},
		{"noauto\n", ":1: noauto: unknown option; see ibbfs --help"},
		{"x-systemd.automount\n",
		 ":1: x-systemd.automount: unknown option; see ibbfs --help"},
		{"-f\n", ":1: -f: unknown option; see ibbfs --help"},
		{"ro=1\n", ":1: ro: unknown option; see ibbfs --help"},
		{"inbox=In\n", ":1: inbox = In: must be an absolute path, or begin with ~/"},
		{"password_file=~me/x\n",
		 ":1: password_file = ~me/x: must be an absolute path, or begin with ~/"},
		{"cafile=/none\n", ":1: cafile=/none: No such file or directory"},
		{"server=x:0\n", ":1: server=x:0: the port must be 1 to 65535"},
		{"timeout=9\n\xff\n", ":2: not UTF-8"},
		{"[a@\xc3]\n", ":1: not UTF-8"},
		{"[a@x\n", ":1: [a@x: no ] at its end"},
		{"[a b@x]\n", ":1: [a b@x]: not a JID, such as alice@example.org"},
		{"[]\n", ":1: []: not a JID, such as alice@example.org"},
		{"[a@x]\nwindow=1M\n",
		 ":2: window: unknown setting of a directory; there are block_size, format and "
		 "stanza"},
		{"[a@x]\nformat=zip\n",
		 ":2: format = zip: not a value of user.ibb.format; see ibbfs(1)"},
		{"[a@x]\nformat\n", ":2: format: needs a value"},
	};
	char line[CONFIG_LINE_BYTES + 3];
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		expect(rows[i].text, strlen(rows[i].text), rows[i].line);
	}
	expect("timeout=9\n#\0\n", 12, ":2: a NUL byte in it");
	memset(line, 'x', sizeof(line));
	line[0] = '#';
	line[CONFIG_LINE_BYTES] = '\n';
	expect(line, CONFIG_LINE_BYTES + 1, NULL);
	line[CONFIG_LINE_BYTES] = 'x';
	expect(line, CONFIG_LINE_BYTES + 1, ":1: longer than 4096 bytes");
}

static void test_bad_files(void **state)
{
	static const char why[] = ": others can write to it; chmod go-w it";
	struct options options;
	struct capture errors;
	(void)state;
	write_bytes("ro\n", 3);
	static const mode_t modes[] = {0620, 0602, 0666};
	for (size_t i = 0; i < COUNT(modes); i++) {
		assert_int_equal(chmod(file, modes[i]), 0);
		assert_int_equal(parse(&options, plain, &errors), OPTIONS_BAD);
		assert_one_line(errors.text, why);
	}
	assert_int_equal(chmod(file, 0644), 0);
	parse_good(&options, plain);
	options_finish(&options);
	if (geteuid() == 0) {
		assert_int_equal(chown(file, 1, 1), 0);
		assert_int_equal(parse(&options, plain, &errors), OPTIONS_BAD);
		assert_one_line(errors.text, ": belongs to somebody else");
	}
	assert_int_equal(truncate(file, (off_t)CONFIG_FILE_BYTES + 1) == 0 &&
				 chown(file, geteuid(), -1) == 0,
			 1);
	assert_int_equal(parse(&options, plain, &errors), OPTIONS_BAD);
	assert_one_line(errors.text, ": longer than 1 MiB");
	assert_int_equal(unlink(file) || mkfifo(file, 0600), 0);
	assert_int_equal(parse(&options, plain, &errors), OPTIONS_BAD);
	assert_one_line(errors.text, ": not a regular file");
	assert_int_equal(unlink(file) || mkdir(file, 0700), 0);
	assert_int_equal(parse(&options, plain, &errors), OPTIONS_BAD);
	assert_one_line(errors.text, ": not a regular file");
	assert_int_equal(rmdir(file), 0);
	parse_good(&options, plain);
	options_finish(&options);
}

/* A folder of the environment's replaces ~/.config, if its path is absolute; the help is printed
 * whatever the file. */
static void test_where(void **state)
{
	struct options options;
	struct capture errors, output;
	char folder[sizeof(home) + 16];
	(void)state;
	write_bytes("windw=1\n", 8);
	setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
	parse_good(&options, plain);
	options_finish(&options);
	setenv("XDG_CONFIG_HOME", "relative", 1);
	assert_int_equal(parse(&options, plain, &errors), OPTIONS_BAD);
	snprintf(folder, sizeof(folder), "%s/.config", home);
	setenv("XDG_CONFIG_HOME", folder, 1);
	setenv("HOME", "/nonexistent", 1);
	assert_int_equal(parse(&options, plain, &errors), OPTIONS_BAD);
	setenv("HOME", home, 1);
	unsetenv("XDG_CONFIG_HOME");

	parse_good(&options, (const char *[]){"you@example.org", "dir", NULL});
	options_finish(&options);
	capture_start(&output, STDOUT_FILENO);
	enum options_result result =
		parse(&options, (const char *[]){"me@example.org", "dir", "--help", NULL}, &errors);
	capture_stop(&output);
	assert_int_equal(result, OPTIONS_DONE);
	assert_string_equal(errors.text, "");
}

/* As mount.fuse3 gives it to a user other than root. */
static void test_home_of_somebody_else(void **state)
{
	struct options options;
	(void)state;
	if (geteuid() != 0) {
		skip();
	}
	write_bytes("windw=1\n", 8);
	assert_int_equal(chown(home, 1, (gid_t)-1), 0);
	assert_string_not_equal(home_directory(), home);
	parse_good(&options, plain);
	options_finish(&options);
	assert_int_equal(chown(home, 0, (gid_t)-1), 0);
	assert_string_equal(home_directory(), home);
	setenv("HOME", "relative", 1);
	assert_string_not_equal(home_directory(), "relative");
	setenv("HOME", home, 1);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(home) || chdir(home) || mkdir("dir", 0700) || mkdir(".config", 0700) ||
	    mkdir(".config/ibbfs", 0700)) {
		return -1;
	}
	snprintf(file, sizeof(file), "%s/.config/ibbfs/" FILE_NAME, home);
	unsetenv("XDG_CONFIG_HOME");
	return setenv("HOME", home, 1);
}

static int tear_down(void **state)
{
	(void)state;
	unlink(file);
	return rmdir(".config/ibbfs") || rmdir(".config") || rmdir("dir") || chdir("/") ||
	       rmdir(home);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_the_command_line_wins),
		cmocka_unit_test(test_directories),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_where),
		cmocka_unit_test(test_home_of_somebody_else),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
