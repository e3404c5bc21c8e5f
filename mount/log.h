/* SPDX-License-Identifier: MIT */
/*
 * log - lines for the administrator of the daemon.
 *
 * On standard error until log_to_syslog, then in the system's log; debug lines only with -d.
 * Each line begins with "ibbfs: " on standard error, and with its priority before that if the
 * journal reads it. Never a password, never file contents.
 *
 * Threads: log_start before threads run; the rest from any thread, never under the hub's lock.
 */
#ifndef MOUNT_LOG_H
#define MOUNT_LOG_H

#include <stdbool.h>

void log_start(bool debug);
void log_to_syslog(void);

/* Lines begin with the place, such as "FILE:3", which is borrowed; NULL: with none. Before threads
 * run. */
void log_set_place(const char *place);
bool log_has_place(void);

/* One line each, without the newline; control characters are written as '?'. */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
