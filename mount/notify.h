/* SPDX-License-Identifier: MIT */
/*
 * notify - tells a service manager how the daemon is.
 *
 * The protocol is a datagram to the socket in NOTIFY_SOCKET. Without that variable, nothing is
 * sent.
 *
 * Errors:  ignored: the manager may be gone.
 * Threads: the main thread.
 * Source:  sd_notify(3), section "Notes".
 */
#ifndef MOUNT_NOTIFY_H
#define MOUNT_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* Whether a service manager is told. */
bool notify_is_enabled(void);

/* "READY=1" of this process, with a line of status, or "STOPPING=1". */
void notify_ready(const char *status);
void notify_stopping(void);

/* Sends "STATUS=" with the line, unless that line was the last one sent. Whether it was sent. */
bool notify_status(const char *status);

/* "RELOADING=1" at this time of CLOCK_MONOTONIC, then "READY=1": there is nothing to reload. */
void notify_reloaded(int64_t now_us);

#endif
