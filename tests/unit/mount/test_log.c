/* SPDX-License-Identifier: MIT */
/* Lines on standard error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture.h"
#include "mount/log.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

static void test_line(void **state)
{
	struct capture capture;

	(void)state;
	capture_start(&capture, STDERR_FILENO);
	errno = ENOENT;
	log_error("%s: %d", "x", 5);
	assert_int_equal(errno, ENOENT);
	log_warning("two");
	assert_string_equal(capture_stop(&capture), "ibbfs: x: 5\nibbfs: two\n");
}

/* As systemd sets JOURNAL_STREAM: device and inode of standard error, or of what it was. */
static void test_journal(void **state)
{
	struct capture capture;
	struct stat status;
	char stream[64];

	(void)state;
	capture_start(&capture, STDERR_FILENO);
	assert_int_equal(fstat(STDERR_FILENO, &status), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)status.st_dev,
		 (unsigned long long)status.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_start(true);
	log_error("e");
	log_warning("w");
	log_debug("d");
	assert_string_equal(capture_stop(&capture), "<3>ibbfs: e\n<4>ibbfs: w\n<7>ibbfs: d\n");

	capture_start(&capture, STDERR_FILENO);
	assert_int_equal(fstat(STDERR_FILENO, &status), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)status.st_dev,
		 (unsigned long long)status.st_ino + 1);
	setenv("JOURNAL_STREAM", stream, 1);
	log_start(false);
	log_error("another file");
	setenv("JOURNAL_STREAM", "x", 1);
	log_start(false);
	log_error("x");
	unsetenv("JOURNAL_STREAM");
	assert_string_equal(capture_stop(&capture), "ibbfs: another file\nibbfs: x\n");
}

static void test_place(void **state)
{
	struct capture capture;
	char place[4096];

	(void)state;
	capture_start(&capture, STDERR_FILENO);
	log_set_place("f:3");
	assert_true(log_has_place());
	log_error("x");
	memset(place, 'p', sizeof(place));
	place[sizeof(place) - 1] = '\0';
	log_set_place(place);
	log_error("y");
	log_set_place(NULL);
	assert_false(log_has_place());
	log_error("z");
	assert_string_equal(capture_stop(&capture), "ibbfs: f:3: x\nibbfs: y\nibbfs: z\n");
}

static void test_debug(void **state)
{
	struct capture capture;

	(void)state;
	capture_start(&capture, STDERR_FILENO);
	log_debug("one");
	log_start(true);
	log_debug("two");
	log_start(false);
	assert_string_equal(capture_stop(&capture), "ibbfs: two\n");
}

static void test_controls(void **state)
{
	struct capture capture;

	(void)state;
	capture_start(&capture, STDERR_FILENO);
	/* C0, DEL, C1 (CSI) as UTF-8; other UTF-8 stays, and so does a lone byte. */
	log_error("%s", "a\nb\x1b[1m\x7f \xc2\x9b \xc3\xa9 \xc2\xa0 \xc2");
	assert_string_equal(capture_stop(&capture), "ibbfs: a?b?[1m? ?? \xc3\xa9 \xc2\xa0 \xc2\n");
}

/* A long line is one line, is cut between characters, and ends in "...". */
static void test_long(void **state)
{
	enum {
		MOST = 3000
	};

	(void)state;
	for (size_t length = 1900; length < MOST; length++) {
		struct capture capture;
		char text[MOST + 1];

		for (size_t i = 0; i < length; i++) {
			text[i] = i % 2 ? '\xa9' : '\xc3';
		}
		text[length & ~(size_t)1] = '\0';
		capture_start(&capture, STDERR_FILENO);
		log_error("%s", text);
		const char *line = capture_stop(&capture);
		size_t bytes = strlen(line);

		assert_in_range(bytes, 1900, 2048);
		assert_int_equal(line[bytes - 1], '\n');
		if (length < 2030) {
			assert_int_equal(bytes, (length & ~(size_t)1) + 8);
		} else if (length > 2050) {
			assert_string_equal(line + bytes - 6, "\xc3\xa9...\n");
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),	 cmocka_unit_test(test_journal),
		cmocka_unit_test(test_place),	 cmocka_unit_test(test_debug),
		cmocka_unit_test(test_controls), cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
