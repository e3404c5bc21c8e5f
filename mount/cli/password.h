/* SPDX-License-Identifier: MIT */
/*
 * password - the sources of the account's password.
 *
 * The first source given wins: the file, standard input, the environment variable
 * IBBFS_PASSWORD (removed from the environment), a prompt without echo on the terminal.
 *
 * Errors:  a line on standard error: no source, a file that others can read, an empty password.
 * Threads: before they start.
 * Source:  DESIGN section 1.
 */
#ifndef MOUNT_CLI_PASSWORD_H
#define MOUNT_CLI_PASSWORD_H

#include "mount/cli/options.h"

/* The password without its line end, the caller's, in memory that password_wipe frees; NULL after
 * a line on standard error. Signals end the prompt, and the terminal echoes again. */
char *password_read(const struct options *options);

/* Overwrites and frees; NULL-safe. */
void password_wipe(char *password);

#endif
