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

/* Findings of reading the command line that are no option's value. */
struct parser {
	struct options *options;
	bool done; /* --help, --version */
	bool fsname, subtype;
	bool others; /* may use the mount */
	bool uid, gid;
};

/* Reads options->fuse; options for libfuse stay in it. */
int option_table_parse(struct parser *parser);

#endif
