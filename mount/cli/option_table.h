/* SPDX-License-Identifier: MIT */
/*
 * option_table - every option there is: its name, its range, and where its value goes.
 *
 * Errors:  0, or -1 after a line on standard error.
 * Threads: before they start.
 * Source:  DESIGN section 1; libfuse's fuse_opt.h.
 */
#ifndef MOUNT_CLI_OPTION_TABLE_H
#define MOUNT_CLI_OPTION_TABLE_H

#include "mount/cli/option.h"

/* Reads options->fuse; options for libfuse stay in it. */
int option_table_parse(struct parser *parser);

/* Takes one option that stands in a file: "window=7M", "ro". Options for mount(8) and flags with a
 * dash are unknown there. */
int option_table_take(struct parser *parser, const char *argument);

/* Whether the value of the option is a path; `name` is without "=". */
bool option_table_is_path(const char *name);

/* The JID among the arguments, as it was typed; the caller's. NULL: there is none, or nothing is
 * mounted, as for --help. Prints nothing. */
char *option_table_find_jid(int argc, char *argv[]);

#endif
