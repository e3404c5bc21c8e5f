/* SPDX-License-Identifier: MIT */
#include "mount/cli/option_table.h"

#include "mount/cli/argument.h"
#include "mount/cli/endpoint.h"
#include "mount/cli/usage.h"
#include "mount/cli/value.h"
#include "mount/log.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define TIB ((uint64_t)1 << 40)

#define DAY_S 86400

struct option;

/* An option as it stands on the command line. */
struct given {
	struct parser *parser;
	const struct option *option;
	const char *argument; /* "window=7M" */
	const char *value;    /* "7M" */
};

struct option {
	const char *template; /* as fuse_opt has it: with "=" if it has a value */
	/* 1: it is passed on to libfuse too; 0: it is not; -1 after a line. */
	int (*take)(const struct given *given);
	size_t field;		  /* of struct options: where the value goes */
	const char *must;	  /* for an error: the form of the value */
	uint64_t max;		  /* of a number */
	const char *const *words; /* of a word: NULL-terminated */
	bool path;		  /* the value is one */
};

static void *field_of(const struct given *given)
{
	return (char *)given->parser->options + given->option->field;
}

/* ---- flags ---- */

static int take_help(const struct given *given)
{
	fputs(usage_text, stdout);
	given->parser->done = true;
	return -1;
}

static int take_version(const struct given *given)
{
	puts("ibbfs " IBBFS_VERSION);
	given->parser->done = true;
	return -1;
}

static int take_flag(const struct given *given)
{
	*(bool *)field_of(given) = true;
	return 0;
}

static int take_password_stdin(const struct given *given)
{
	given->parser->options->password_stdin = true;
	given->parser->password = true;
	return 0;
}

static int take_debug(const struct given *given)
{
	given->parser->options->foreground = true;
	given->parser->options->debug = true;
	return 1;
}

static int take_fsname(const struct given *given)
{
	given->parser->fsname = true;
	return 1;
}

static int take_subtype(const struct given *given)
{
	given->parser->subtype = true;
	return 1;
}

static int take_allow(const struct given *given)
{
	given->parser->others = true;
	return 1;
}

/* ---- values ---- */

static int take_password_file(const struct given *given)
{
	given->parser->password = true;
	return value_string(&given->parser->options->password_file, given->value);
}

static int take_path(const struct given *given)
{
	return value_path(given->value, field_of(given));
}

static int take_file(const struct given *given)
{
	return value_readable(given->argument, given->value, false, field_of(given));
}

static int take_directory(const struct given *given)
{
	return value_readable(given->argument, given->value, true, field_of(given));
}

/* An enum, whose values index the words. */
static int take_word(const struct given *given)
{
	return value_word(given->argument, given->value, given->option->words, given->option->must,
			  field_of(given));
}

static int take_unsigned(const struct given *given)
{
	uint64_t number = 0;
	int error = value_number(given->argument, given->value, given->option->max,
				 given->option->must, &number);
	*(unsigned *)field_of(given) = (unsigned)number;
	return error;
}

static int take_unsigned_from_0(const struct given *given)
{
	uint64_t number = 0;
	int error = value_from_0(given->argument, given->value, given->option->max,
				 given->option->must, &number);
	*(unsigned *)field_of(given) = (unsigned)number;
	return error;
}

static int take_size(const struct given *given)
{
	uint64_t number = 0;
	int error = value_number(given->argument, given->value, given->option->max,
				 given->option->must, &number);
	*(size_t *)field_of(given) = (size_t)number;
	return error;
}

static int take_bytes(const struct given *given)
{
	return value_number(given->argument, given->value, given->option->max, given->option->must,
			    field_of(given));
}

/* ---- values that are more than one thing ---- */

static int take_block_size(const struct given *given)
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

static int take_server(const struct given *given)
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
static int take_uid(const struct given *given)
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

static int take_gid(const struct given *given)
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
static int take_umask(const struct given *given)
{
	char *end;
	unsigned long mask = strtoul(given->value, &end, 8);

	if (*given->value < '0' || *given->value > '7' || *end != '\0' || mask > 0777) {
		return value_wrong(given->argument, given->option->must);
	}
	given->parser->options->umask = (mode_t)mask;
	return 0;
}

static int take_refused(const struct given *given)
{
	return value_wrong(given->argument, given->option->must);
}

/* ---- the table ---- */

static const char *const tls_words[] = {
	[CLIENT_TLS_STARTTLS] = "starttls",
	[CLIENT_TLS_DIRECT] = "direct",
	[CLIENT_TLS_OFF] = "off",
	NULL,
};
static const char *const carrier_words[] = {
	[CARRIER_IQ] = "iq",
	[CARRIER_MESSAGE] = "message",
	NULL,
};
static const char *const accept_words[] = {
	[ACCEPT_CONTACTS] = "contacts",
	[ACCEPT_ANYONE] = "anyone",
	[ACCEPT_NONE] = "none",
	NULL,
};

static const char *const sync_words[] = {
	[INBOX_SYNC_YES] = "yes",
	[INBOX_SYNC_NO] = "no",
	NULL,
};

#define FIELD(name) .field = offsetof(struct options, name)

/* Why options that other file systems have are refused. */
static const char not_cached[] = "streams are never cached";
static const char not_ssh[] = "an option of SSH, which is not used";

static const struct option table[] = {
	{"-h", .take = take_help},
	{"--help", .take = take_help},
	{"-V", .take = take_version},
	{"--version", .take = take_version},
	{"-f", take_flag, FIELD(foreground)},
	{"-d", .take = take_debug},
	{"--debug", .take = take_debug},
	{"debug", .take = take_debug},
	{"password_file=", .take = take_password_file, .path = true},
	{"password_stdin", .take = take_password_stdin},
	{"server=", .take = take_server},
	{"tls=", take_word, FIELD(tls), "must be starttls, direct or off", .words = tls_words},
	{"cafile=", take_file, FIELD(cafile), .path = true},
	{"capath=", take_directory, FIELD(capath), .path = true},
	{"block_size=", take_block_size, .must = "must be 1 to 65535, or auto",
	 .max = STREAM_MAX_BLOCK},
	{"stanza=", take_word, FIELD(carrier), "must be iq or message", .words = carrier_words},
	{"window=", take_size, FIELD(window), "must be 1 to 64M", 64 * MIB},
	{"buffer=", take_size, FIELD(buffer), "must be 1 to 1G", GIB},
	{"buffer_total=", take_size, FIELD(buffer_total), "must be 1 to 64G", 64 * GIB},
	{"max_streams=", take_unsigned, FIELD(max_streams), "must be 1 to 65536", 65536},
	{"accept=", take_word, FIELD(accept), "must be contacts, anyone or none",
	 .words = accept_words},
	{"timeout=", take_unsigned, FIELD(timeout_s), "must be 1 to 86400", DAY_S},
	{"reconnect=", take_unsigned_from_0, FIELD(reconnect_s), "must be 0 to 86400", DAY_S},
	{"answer_timeout=", take_unsigned, FIELD(answer_s), "must be 1 to 86400", DAY_S},
	{"spool=", take_path, FIELD(spool), .path = true},
	{"inbox=", take_path, FIELD(inbox), .path = true},
	{"inbox_quota=", take_bytes, FIELD(inbox_quota), "must be 1 to 1048576G", 1024 * TIB},
	{"inbox_files=", take_unsigned, FIELD(inbox_files), "must be 1 to 100000000", 100000000},
	{"inbox_sync=", take_word, FIELD(inbox_sync), "must be yes or no", .words = sync_words},
	{"uid=", .take = take_uid},
	{"gid=", .take = take_gid},
	{"umask=", .take = take_umask, .must = "must be 0 to 777, octal"},
	{"fsname=", .take = take_fsname},
	{"subtype=", .take = take_subtype},
	{"allow_other", .take = take_allow},
	{"allow_root", .take = take_allow},
	{"fmask=", take_refused, .must = "there is only umask="},
	{"dmask=", take_refused, .must = "there is only umask="},
	{"port=", take_refused, .must = "the port is part of server=HOST:PORT"},
	{"reconnect", take_refused,
	 .must = "needs a number of seconds; ibbfs connects again without it"},
	{"delay_connect", take_refused,
	 .must = "ibbfs connects before it mounts; x-systemd.automount delays both"},
	{"idmap=", take_refused, .must = "every file belongs to the user of uid="},
	{"follow_symlinks", take_refused, .must = "there are no symbolic links"},
	{"transform_symlinks", take_refused, .must = "there are no symbolic links"},
	{"cache=", take_refused, .must = not_cached},
	{"kernel_cache", take_refused, .must = not_cached},
	{"auto_cache", take_refused, .must = not_cached},
	{"attr_timeout=", take_refused, .must = not_cached},
	{"entry_timeout=", take_refused, .must = not_cached},
	{"negative_timeout=", take_refused, .must = not_cached},
	{"ac_attr_timeout=", take_refused, .must = not_cached},
	{"IdentityFile=", take_refused, .must = not_ssh},
	{"Compression=", take_refused, .must = not_ssh},
	{"compression=", take_refused, .must = not_ssh},
	{"ServerAliveInterval=", take_refused, .must = not_ssh},
	{"ServerAliveCountMax=", take_refused, .must = not_ssh},
	{"StrictHostKeyChecking=", take_refused, .must = not_ssh},
	{"UserKnownHostsFile=", take_refused, .must = not_ssh},
	{"ssh_command=", take_refused, .must = not_ssh},
	{"sftp_server=", take_refused, .must = not_ssh},
};

/* Options that fuse_session_new of libfuse 3.14 knows; for others it would print an error of its
 * own. */
static const char *const passed_on[] = {
	"auto_unmount", "default_permissions",
	"max_read=",	"context=",
	"fscontext=",	"defcontext=",
	"rootcontext=", "-n",
	"-r",		"ro",
	"rw",		"suid",
	"nosuid",	"dev",
	"nodev",	"exec",
	"noexec",	"async",
	"sync",		"dirsync",
	"atime",	"noatime",
};

/* Options for mount(8) and other readers of fstab; unknown_option knows "x-" and "X-". */
static const char *const ignored[] = {
	"defaults",
	"_netdev",
	"auto",
	"noauto",
	"nofail",
	"user",
	"user=",
	"nouser",
	"users",
	"nousers",
	"owner",
	"noowner",
	"group",
	"nogroup",
	"comment=",
	"relatime",
	"norelatime",
	"strictatime",
	"nostrictatime",
	"diratime",
	"nodiratime",
	"lazytime",
	"nolazytime",
	/* What FUSE 2 had, and is always so in FUSE 3. */
	"nonempty",
	"big_writes",
	"large_read",
	"intr",
	"direct_io",
	"use_ino",
	"noauto_cache",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define KNOWN (COUNT(table) + COUNT(passed_on) + COUNT(ignored))

/* ---- all of them ---- */

/* The array for fuse_opt_parse. The key of a row of the table is its index. */
static void list_known(struct fuse_opt known[KNOWN + 1])
{
	for (size_t i = 0; i < COUNT(table); i++) {
		*known++ = (struct fuse_opt)FUSE_OPT_KEY(table[i].template, (int)i);
	}
	for (size_t i = 0; i < COUNT(passed_on); i++) {
		*known++ = (struct fuse_opt)FUSE_OPT_KEY(passed_on[i], FUSE_OPT_KEY_KEEP);
	}
	for (size_t i = 0; i < COUNT(ignored); i++) {
		*known++ = (struct fuse_opt)FUSE_OPT_KEY(ignored[i], FUSE_OPT_KEY_DISCARD);
	}
	*known = (struct fuse_opt)FUSE_OPT_END;
}

/* -1 after a line, without the value: it could be a password. */
static int unknown_option(const char *argument)
{
	const char *dash = *argument == '-' || log_has_place() ? "" : "-o ";
	int length = (int)strcspn(argument, "=");

	struct fuse_opt known[KNOWN + 1];
	list_known(known);
	for (const struct fuse_opt *option = known; option->templ; option++) {
		if (strncmp(option->templ, argument, (size_t)length) == 0 &&
		    strcmp(option->templ + length, "=") == 0) {
			log_error("%s%s: needs a value", dash, argument);
			return -1;
		}
	}
	log_error("%s%.*s: unknown option; see ibbfs --help", dash, length, argument);
	return -1;
}

/* Called by fuse_opt_parse: 1 keeps the option for libfuse, 0 does not, -1 after a line. */
static int take(void *context, const char *argument, int key, struct fuse_args *out)
{
	struct parser *parser = context;
	const char *equals = strchr(argument, '=');
	(void)out;
	if (key == FUSE_OPT_KEY_NONOPT) {
		return argument_take(parser->options, argument);
	}
	if (key == FUSE_OPT_KEY_OPT) {
		bool of_others = strncmp(argument, "x-", 2) == 0 || strncmp(argument, "X-", 2) == 0;
		return of_others ? 0 : unknown_option(argument);
	}
	if (equals && equals[1] == '\0') {
		return value_wrong(argument, "needs a value");
	}
	const struct given given = {parser, &table[key], argument, equals ? equals + 1 : ""};
	return table[key].take(&given);
}

int option_table_parse(struct parser *parser)
{
	struct fuse_opt known[KNOWN + 1];
	list_known(known);
	return fuse_opt_parse(&parser->options->fuse, parser, known, take);
}

/* ---- options in a file ---- */

static bool matches(const char *template, const char *argument)
{
	size_t length = strlen(template);
	bool has_value = template[length - 1] == '=';
	return *template != '-' && (has_value ? strncmp(argument, template, length) == 0
					      : strcmp(argument, template) == 0);
}

int option_table_take(struct parser *parser, const char *argument)
{
	int kept = -1;
	bool known = false;
	for (size_t i = 0; i < COUNT(table) && !known; i++) {
		known = matches(table[i].template, argument);
		if (known) {
			const char *equals = strchr(argument, '=');
			const struct given given = {parser, &table[i], argument,
						    equals ? equals + 1 : ""};
			kept = table[i].take(&given);
		}
	}
	for (size_t i = 0; i < COUNT(passed_on) && !known; i++) {
		known = matches(passed_on[i], argument);
		kept = known ? 1 : -1;
	}
	if (!known) {
		return unknown_option(argument);
	}
	return kept > 0 ? fuse_opt_add_opt_escaped(&parser->for_libfuse, argument) : kept;
}

bool option_table_is_path(const char *name)
{
	size_t length = strlen(name);
	for (size_t i = 0; i < COUNT(table); i++) {
		if (table[i].path && strncmp(table[i].template, name, length) == 0 &&
		    strcmp(table[i].template + length, "=") == 0) {
			return true;
		}
	}
	return false;
}

/* ---- the account ---- */

struct finder {
	char *jid;
	bool done;
};

static int find_jid(void *context, const char *argument, int key, struct fuse_args *out)
{
	struct finder *finder = context;
	(void)out;
	if (key == FUSE_OPT_KEY_NONOPT && !finder->jid) {
		finder->jid = strdup(argument);
	}
	if (key >= 0 && (table[key].take == take_help || table[key].take == take_version)) {
		finder->done = true;
	}
	return 0;
}

char *option_table_find_jid(int argc, char *argv[])
{
	if (strcmp(argv[argc - 1], "-o") == 0) {
		return NULL; /* libfuse would say so twice */
	}
	struct fuse_args arguments = FUSE_ARGS_INIT(argc, argv);
	struct finder finder = {0};
	struct fuse_opt known[KNOWN + 1];
	list_known(known);
	int error = fuse_opt_parse(&arguments, &finder, known, find_jid);
	fuse_opt_free_args(&arguments);
	if (error || finder.done) {
		free(finder.jid);
		return NULL;
	}
	return finder.jid;
}
