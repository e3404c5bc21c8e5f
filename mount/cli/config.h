/* SPDX-License-Identifier: MIT */
/*
 * config - the options of an account, from its file ibbfs/ACCOUNT.conf.
 *
 *     # options, one a line, as after -o
 *     inbox = ~/Inbox
 *     password_file = ~/.config/ibbfs/me@example.org.password
 *
 *     [alice@example.org]
 *     block_size = auto
 *
 * The lines below the JID of a directory are its attributes user.ibb.*.
 *
 * Units:   bytes.
 * Errors:  0, or -1 after a line on standard error that begins with the file and the line.
 * Threads: before they start.
 * Source:  DESIGN section 1; the XDG Base Directory Specification.
 */
#ifndef MOUNT_CLI_CONFIG_H
#define MOUNT_CLI_CONFIG_H

#include "mount/cli/option_table.h"

/* No line is longer, nor is a file. */
#define CONFIG_LINE_BYTES ((size_t)4096)
#define CONFIG_FILE_BYTES ((size_t)1024 * 1024)

/* Takes the options in the file of the account with this JID, which may have a resource. A file
 * that does not exist, or that is in a folder that the user may not search, has none. */
int config_read(struct parser *parser, const char *jid);

#endif
