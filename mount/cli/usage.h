/* SPDX-License-Identifier: MIT */
/*
 * usage - what --help prints. The man page says the same at length.
 *
 * Threads: immutable.
 */
#ifndef MOUNT_CLI_USAGE_H
#define MOUNT_CLI_USAGE_H

extern const char usage_text[];

#endif
