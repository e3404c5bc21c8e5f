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

#include "mount/cli/options.h"

/* What is noted while the command line is read, and is not an option's value. */
struct parser {
	struct options *options;
	bool done; /* --help, --version */
	bool fsname, subtype;
	bool others; /* may use the mount */
	bool uid, gid;
};

/* Reads options->fuse; what libfuse is to know stays in it. */
int option_table_parse(struct parser *parser);

#endif
