/* SPDX-License-Identifier: MIT */
/*
 * fuzz - the interface of all fuzz targets.
 *
 * A target is a function that takes any bytes, and aborts when it finds an error. clang links it
 * with libFuzzer, which searches for such bytes; everything else links it with replay.c, which runs
 * it over the files of a corpus.
 *
 * Threads: none.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* The target. Always returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* An assertion in every build. */
#define FUZZ_CHECK(condition) \
	((condition) ? (void)0 : fuzz_fail(__FILE__, __LINE__, __func__, #condition))

static inline _Noreturn void fuzz_fail(const char *file, int line, const char *function,
				       const char *condition)
{
	fprintf(stderr, "%s:%d: %s: does not hold: %s\n", file, line, function, condition);
	abort();
}

/* A NUL-terminated copy in a block of its own, so that the address sanitizer sees every overread;
 * the caller's. */
static inline char *fuzz_string(const uint8_t *bytes, size_t length)
{
	char *string = malloc(length + 1);
	FUZZ_CHECK(string != NULL);
	for (size_t i = 0; i < length; i++) {
		string[i] = (char)bytes[i];
	}
	string[length] = '\0';
	return string;
}

#endif
