/* SPDX-License-Identifier: MIT */
#include "mount/cli/option_table.h"

#include "mount/cli/argument.h"
#include "mount/cli/value.h"
#include "mount/log.h"

#include <stdlib.h>
#include <string.h>

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define TIB ((uint64_t)1 << 40)

#define DAY_S 86400

/* ---- the table ---- */

static const char *const tls_words[] = {
	[CLIENT_TLS_STARTTLS] = "starttls",
	[CLIENT_TLS_DIRECT] = "direct",
	[CLIENT_TLS_OFF] = "off",
	NULL,
};
static const char *const stanza_words[] = {
	[STANZA_IQ] = "iq",
	[STANZA_MESSAGE] = "message",
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
	{"-h", .take = option_help},
	{"--help", .take = option_help},
	{"-V", .take = option_version},
	{"--version", .take = option_version},
	{"-f", option_flag, FIELD(foreground)},
	{"-d", .take = option_debug},
	{"--debug", .take = option_debug},
	{"debug", .take = option_debug},
	{"password_file=", .take = option_password_file, .path = true},
	{"password_stdin", .take = option_password_stdin},
	{"server=", .take = option_server},
	{"tls=", option_word, FIELD(tls), "must be starttls, direct or off", .words = tls_words},
	{"cafile=", option_file, FIELD(cafile), .path = true},
	{"capath=", option_directory, FIELD(capath), .path = true},
	{"block_size=", option_block_size, .must = "must be 1 to 65535, or auto",
	 .max = STREAM_MAX_BLOCK},
	{"stanza=", option_word, FIELD(stanza), "must be iq or message", .words = stanza_words},
	{"window=", option_size, FIELD(window), "must be 1 to 64M", 64 * MIB},
	{"buffer=", option_size, FIELD(buffer), "must be 1 to 1G", GIB},
	{"buffer_total=", option_size, FIELD(buffer_total), "must be 1 to 64G", 64 * GIB},
	{"max_streams=", option_unsigned, FIELD(max_streams), "must be 1 to 65536", 65536},
	{"accept=", option_word, FIELD(accept), "must be contacts, anyone or none",
	 .words = accept_words},
	{"timeout=", option_unsigned, FIELD(timeout_s), "must be 1 to 86400", DAY_S},
	{"reconnect=", option_unsigned_from_0, FIELD(reconnect_s), "must be 0 to 86400", DAY_S},
	{"answer_timeout=", option_unsigned, FIELD(answer_timeout_s), "must be 1 to 86400", DAY_S},
	{"spool=", option_path, FIELD(spool), .path = true},
	{"inbox=", option_path, FIELD(inbox), .path = true},
	{"inbox_quota=", option_bytes, FIELD(inbox_quota), "must be 1 to 1048576G", 1024 * TIB},
	{"inbox_files=", option_unsigned, FIELD(inbox_files), "must be 1 to 100000000", 100000000},
	{"inbox_sync=", option_word, FIELD(inbox_sync), "must be yes or no", .words = sync_words},
	{"uid=", .take = option_uid},
	{"gid=", .take = option_gid},
	{"umask=", .take = option_umask, .must = "must be 0 to 777, octal"},
	{"fsname=", .take = option_fsname},
	{"subtype=", .take = option_subtype},
	{"allow_other", .take = option_allow},
	{"allow_root", .take = option_allow},
	{"fmask=", option_refused, .must = "there is only umask="},
	{"dmask=", option_refused, .must = "there is only umask="},
	{"port=", option_refused, .must = "the port is part of server=HOST:PORT"},
	{"reconnect", option_refused,
	 .must = "needs a number of seconds; ibbfs connects again without it"},
	{"delay_connect", option_refused,
	 .must = "ibbfs connects before it mounts; x-systemd.automount delays both"},
	{"idmap=", option_refused, .must = "every file belongs to the user of uid="},
	{"uidfile=", option_refused, .must = "every file belongs to the user of uid="},
	{"gidfile=", option_refused, .must = "every file belongs to the user of uid="},
	{"follow_symlinks", option_refused, .must = "there are no symbolic links"},
	{"transform_symlinks", option_refused, .must = "there are no symbolic links"},
	{"disable_hardlink", option_refused, .must = "there are no hard links"},
	{"max_conns=", option_refused, .must = "an account has one connection"},
	{"sshfs_sync", option_refused, .must = "every close waits for the peer without it"},
	{"cache=", option_refused, .must = not_cached},
	{"kernel_cache", option_refused, .must = not_cached},
	{"auto_cache", option_refused, .must = not_cached},
	{"attr_timeout=", option_refused, .must = not_cached},
	{"entry_timeout=", option_refused, .must = not_cached},
	{"negative_timeout=", option_refused, .must = not_cached},
	{"dir_cache=", option_refused, .must = not_cached},
	{"dcache_timeout=", option_refused, .must = not_cached},
	{"dcache_max_size=", option_refused, .must = not_cached},
	{"ac_attr_timeout=", option_refused, .must = not_cached},
	{"IdentityFile=", option_refused, .must = not_ssh},
	{"Compression=", option_refused, .must = not_ssh},
	{"compression=", option_refused, .must = not_ssh},
	{"ServerAliveInterval=", option_refused, .must = not_ssh},
	{"ServerAliveCountMax=", option_refused, .must = not_ssh},
	{"StrictHostKeyChecking=", option_refused, .must = not_ssh},
	{"UserKnownHostsFile=", option_refused, .must = not_ssh},
	{"ConnectTimeout=", option_refused, .must = not_ssh},
	{"BatchMode=", option_refused, .must = not_ssh},
	{"Ciphers=", option_refused, .must = not_ssh},
	{"ProxyCommand=", option_refused, .must = not_ssh},
	{"ProxyJump=", option_refused, .must = not_ssh},
	{"workaround=", option_refused, .must = not_ssh},
	{"ssh_command=", option_refused, .must = not_ssh},
	{"sftp_server=", option_refused, .must = not_ssh},
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
	/* Options of FUSE 2; FUSE 3 always behaves so. */
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
	if (key >= 0 && (table[key].take == option_help || table[key].take == option_version)) {
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
