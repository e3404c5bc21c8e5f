/* SPDX-License-Identifier: MIT */
/*
 * value - the value of one option, from its text.
 *
 * Errors:  0, or -1 after a line on standard error that names the option and the reason.
 * Threads: before they start.
 */
#ifndef MOUNT_CLI_VALUE_H
#define MOUNT_CLI_VALUE_H

#include <stdbool.h>
#include <stdint.h>

/* Always -1, after "-o OPTION: WHY", or "PLACE: OPTION: WHY" while there is a place (log.h). */
int value_wrong(const char *option, const char *why);

/* A copy, in place of what *string has. */
int value_string(char **string, const char *value);

/* Decimal digits and, if `suffixes`, one of K, M, G. False for anything else or above `max`. */
bool value_parse(const char *text, uint64_t max, bool suffixes, uint64_t *number);

/* 1 to `max`. `range` is the form of the value, for an error; suffixes are allowed if it has
 * some. */
int value_number(const char *option, const char *value, uint64_t max, const char *range,
		 uint64_t *number);

/* 0 to `max`. */
int value_from_0(const char *option, const char *value, uint64_t max, const char *range,
		 uint64_t *number);

/* `words` is NULL-terminated; *index is that of `value`. */
int value_word(const char *option, const char *value, const char *const words[], const char *must,
	       int *index);

/* A path that is valid after chdir("/"), in place of *path, of a file or directory that can be read
 * now. Symbolic links are not resolved: their targets may be replaced meanwhile. */
int value_readable(const char *option, const char *value, bool directory, char **path);

/* Likewise, of a file that need not exist yet. */
int value_path(const char *value, char **path);

#endif
