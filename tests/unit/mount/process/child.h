/* SPDX-License-Identifier: MIT */
/* child - processes that the tests of /proc look at. */
#ifndef TESTS_CHILD_H
#define TESTS_CHILD_H

#include <sys/resource.h>
#include <sys/types.h>

/* A process that has `path` open with `flags` (-1: not at all), until it is told to go. */
pid_t child_start(const char *path, int flags, int *leash);
void child_stop(pid_t pid, int leash);

/* Takes the descriptors away that this process has left, until the old limit, which it returns, is
 * set again. */
struct rlimit child_take_descriptors(void);

#endif
