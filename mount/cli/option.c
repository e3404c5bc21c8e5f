/* SPDX-License-Identifier: MIT */
#include "mount/cli/option.h"

#include "mount/cli/endpoint.h"
#include "mount/cli/usage.h"
#include "mount/cli/value.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *field_of(const struct given *given)
{
	return (char *)given->parser->options + given->option->field;
}

/* ---- flags ---- */

int option_help(const struct given *given)
{
	fputs(usage_text, stdout);
	given->parser->done = true;
	return -1;
}

int option_version(const struct given *given)
{
	puts("ibbfs " IBBFS_VERSION);
	given->parser->done = true;
	return -1;
}

int option_flag(const struct given *given)
{
	*(bool *)field_of(given) = true;
	return 0;
}

int option_password_stdin(const struct given *given)
{
	given->parser->options->password_stdin = true;
	given->parser->password = true;
	return 0;
}

int option_debug(const struct given *given)
{
	given->parser->options->foreground = true;
	given->parser->options->debug = true;
	return 1;
}

int option_fsname(const struct given *given)
{
	given->parser->fsname = true;
	return 1;
}

int option_subtype(const struct given *given)
{
	given->parser->subtype = true;
	return 1;
}

int option_allow(const struct given *given)
{
	given->parser->others = true;
	return 1;
}

/* ---- values ---- */

int option_password_file(const struct given *given)
{
	given->parser->password = true;
	return value_string(&given->parser->options->password_file, given->value);
}

int option_path(const struct given *given)
{
	return value_path(given->value, field_of(given));
}

int option_file(const struct given *given)
{
	return value_readable(given->argument, given->value, false, field_of(given));
}

int option_directory(const struct given *given)
{
	return value_readable(given->argument, given->value, true, field_of(given));
}

int option_word(const struct given *given)
{
	return value_word(given->argument, given->value, given->option->words, given->option->must,
			  field_of(given));
}

int option_unsigned(const struct given *given)
{
	uint64_t number = 0;
	int error = value_number(given->argument, given->value, given->option->max,
				 given->option->must, &number);
	*(unsigned *)field_of(given) = (unsigned)number;
	return error;
}

int option_unsigned_from_0(const struct given *given)
{
	uint64_t number = 0;
	int error = value_from_0(given->argument, given->value, given->option->max,
				 given->option->must, &number);
	*(unsigned *)field_of(given) = (unsigned)number;
	return error;
}

int option_size(const struct given *given)
{
	uint64_t number = 0;
	int error = value_number(given->argument, given->value, given->option->max,
				 given->option->must, &number);
	*(size_t *)field_of(given) = (size_t)number;
	return error;
}

int option_bytes(const struct given *given)
{
	return value_number(given->argument, given->value, given->option->max, given->option->must,
			    field_of(given));
}

/* ---- values that are more than one thing ---- */

int option_block_size(const struct given *given)
{
	uint64_t number = STREAM_AUTO_BLOCK;
	if (strcmp(given->value, "auto") != 0 &&
	    value_number(given->argument, given->value, given->option->max, given->option->must,
			 &number)) {
		return -1;
	}
	given->parser->options->block_size = (uint32_t)number;
	return 0;
}

int option_server(const struct given *given)
{
	struct options *options = given->parser->options;
	char *host;
	uint16_t port;
	const char *why = endpoint_parse(given->value, &host, &port);

	if (why) {
		return value_wrong(given->argument, why);
	}
	free(options->server_host);
	options->server_host = host;
	options->server_port = port;
	return 0;
}

/* Ids are 32 bits; the last one means "none" to the calls that change them. */
#define MAX_ID (UINT32_MAX - 1)

/* The group is the user's, unless it is given too. */
int option_uid(const struct given *given)
{
	uint64_t number;
	bool is_number = value_parse(given->value, MAX_ID, false, &number);
	const struct passwd *user = is_number ? getpwuid((uid_t)number) : getpwnam(given->value);

	if (!user && !is_number) {
		return value_wrong(given->argument, "no such user");
	}
	given->parser->uid = true;
	given->parser->options->uid = user ? user->pw_uid : (uid_t)number;
	if (!given->parser->gid) {
		given->parser->options->gid = user ? user->pw_gid : (gid_t)number;
	}
	return 0;
}

int option_gid(const struct given *given)
{
	uint64_t number;
	bool is_number = value_parse(given->value, MAX_ID, false, &number);
	const struct group *group = is_number ? NULL : getgrnam(given->value);

	if (!group && !is_number) {
		return value_wrong(given->argument, "no such group");
	}
	given->parser->gid = true;
	given->parser->options->gid = group ? group->gr_gid : (gid_t)number;
	return 0;
}

/* Octal, as for umask(1). */
int option_umask(const struct given *given)
{
	char *end;
	unsigned long mask = strtoul(given->value, &end, 8);

	if (*given->value < '0' || *given->value > '7' || *end != '\0' || mask > 0777) {
		return value_wrong(given->argument, given->option->must);
	}
	given->parser->options->umask = (mode_t)mask;
	return 0;
}

int option_refused(const struct given *given)
{
	return value_wrong(given->argument, given->option->must);
}
