/* SPDX-License-Identifier: MIT */
/*
 * capture - the output of a function on standard output and standard error.
 *
 * Include after cmocka.h.
 */
#ifndef TESTS_CAPTURE_H
#define TESTS_CAPTURE_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct capture {
	int fd, saved;
	FILE *file;
	char text[8192];
};

/* From now on, what is written to `fd` goes to a file. */
static inline void capture_start(struct capture *capture, int fd)
{
	fflush(NULL);
	capture->fd = fd;
	capture->file = tmpfile();
	assert_non_null(capture->file);
	capture->saved = dup(fd);
	assert_true(capture->saved >= 0);
	assert_true(dup2(fileno(capture->file), fd) >= 0);
}

/* Restores `fd`; capture->text is the output. */
static inline const char *capture_stop(struct capture *capture)
{
	fflush(NULL);
	assert_true(dup2(capture->saved, capture->fd) >= 0);
	close(capture->saved);
	rewind(capture->file);
	size_t length = fread(capture->text, 1, sizeof(capture->text) - 1, capture->file);
	capture->text[length] = '\0';
	fclose(capture->file);
	return capture->text;
}

/* `text` is one line that begins with "ibbfs: " and holds `part`. */
static inline void assert_one_line(const char *text, const char *part)
{
	const char *newline = strchr(text, '\n');

	if (strncmp(text, "ibbfs: ", 7) != 0 || !newline || newline[1] || !strstr(text, part)) {
		fail_msg("not one line with \"%s\": \"%s\"", part, text);
	}
}

#endif
