/* SPDX-License-Identifier: MIT */
#include "failing_malloc.h"

static size_t countdown; /* 0: not armed, or done */
static bool failed;

/* Names that the linker gives: calls of malloc arrive at __wrap_malloc. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

void failing_malloc_arm(size_t n)
{
	countdown = n;
	failed = false;
}

bool failing_malloc_failed(void)
{
	return failed;
}

bool failing_malloc_disarm(void)
{
	countdown = 0;
	return failed;
}

static bool is_to_fail(void)
{
	if (countdown == 0 || --countdown > 0) {
		return false;
	}
	failed = true;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return is_to_fail() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return is_to_fail() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
	return is_to_fail() ? NULL : __real_realloc(memory, size);
}
