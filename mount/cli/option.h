/* SPDX-License-Identifier: MIT */
/*
 * option - one option that is given: what it sets.
 *
 * Errors:  1: the option is passed on to libfuse, too; 0: it is not; -1 after a line on standard
 *          error.
 * Threads: before they start.
 * Source:  DESIGN section 1.
 */
#ifndef MOUNT_CLI_OPTION_H
#define MOUNT_CLI_OPTION_H

#include "mount/cli/options.h"

/* Findings of reading the command line that are no option's value. */
struct parser {
	struct options *options;
	bool done; /* --help, --version */
	bool fsname, subtype;
	bool others; /* may use the mount */
	bool uid, gid;
	bool password;	   /* its source is on the command line */
	char *for_libfuse; /* options of a file (config.h), separated by commas; or NULL */
};

struct option;

/* An option as it stands on the command line. */
struct given {
	struct parser *parser;
	const struct option *option;
	const char *argument; /* "window=7M" */
	const char *value;    /* "7M" */
};

struct option {
	const char *template;			/* as fuse_opt has it: with "=" if it has a value */
	int (*take)(const struct given *given); /* one of the functions below */
	size_t field;				/* of struct options: where the value goes */
	const char *must;			/* for an error: the form of the value */
	uint64_t max;				/* of a number */
	const char *const *words;		/* of a word: NULL-terminated */
	bool path;				/* the value is one */
};

/* Flags. */
int option_help(const struct given *given);
int option_version(const struct given *given);
int option_flag(const struct given *given);
int option_password_stdin(const struct given *given);
int option_debug(const struct given *given);
int option_fsname(const struct given *given);
int option_subtype(const struct given *given);
int option_allow(const struct given *given);

/* Values, which go to the field; a word is an enum, whose values index the words. */
int option_password_file(const struct given *given);
int option_path(const struct given *given);
int option_file(const struct given *given);
int option_directory(const struct given *given);
int option_word(const struct given *given);
int option_unsigned(const struct given *given);
int option_unsigned_from_0(const struct given *given);
int option_size(const struct given *given);
int option_bytes(const struct given *given);

/* Values that are more than one thing. */
int option_block_size(const struct given *given);
int option_server(const struct given *given);
int option_uid(const struct given *given);
int option_gid(const struct given *given);
int option_umask(const struct given *given);

/* Always -1: other file systems have it. */
int option_refused(const struct given *given);

#endif
