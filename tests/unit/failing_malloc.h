/* SPDX-License-Identifier: MIT */
/*
 * failing_malloc - makes the n-th allocation of the code under test fail.
 *
 * The test is linked with -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc, so this covers what the
 * executable itself calls, and no shared library.
 *
 *     size_t n = 0;
 *     do {
 *             failing_malloc_arm(++n);
 *             ... the scenario, from its first allocation to its last free ...
 *     } while (failing_malloc_disarm());
 *
 * The last round runs without a failure.
 *
 * Threads: none.
 */
#ifndef FAILING_MALLOC_H
#define FAILING_MALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* From now on the n-th allocation (1 is the next) returns NULL; later ones succeed again. */
void failing_malloc_arm(size_t n);

/* Whether an allocation has failed since failing_malloc_arm. */
bool failing_malloc_failed(void);

/* No allocation fails any more; returns failing_malloc_failed(). */
bool failing_malloc_disarm(void);

#endif
