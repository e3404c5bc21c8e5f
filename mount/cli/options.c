/* SPDX-License-Identifier: MIT */
#include "mount/cli/options.h"

#include "mount/cli/endpoint.h"
#include "mount/cli/usage.h"
#include "mount/cli/value.h"
#include "mount/log.h"
#include "xmpp/jid.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <mntent.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

enum key {
	KEY_HELP,
	KEY_VERSION,
	KEY_FOREGROUND,
	KEY_DEBUG,
	KEY_FSNAME,
	KEY_SUBTYPE,
	KEY_PASSWORD_FILE,
	KEY_PASSWORD_STDIN,
	KEY_SERVER,
	KEY_TLS,
	KEY_CAFILE,
	KEY_CAPATH,
	KEY_BLOCK_SIZE,
	KEY_STANZA,
	KEY_WINDOW,
	KEY_BUFFER,
	KEY_BUFFER_TOTAL,
	KEY_MAX_STREAMS,
	KEY_ACCEPT,
	KEY_TIMEOUT,
	KEY_RECONNECT,
	KEY_ANSWER_TIMEOUT,
	KEY_SPOOL,
	KEY_INBOX,
	KEY_INBOX_QUOTA,
	KEY_UID,
	KEY_GID,
	KEY_ALLOW,
};

#define KEEP(template)	 FUSE_OPT_KEY(template, FUSE_OPT_KEY_KEEP)
#define IGNORE(template) FUSE_OPT_KEY(template, FUSE_OPT_KEY_DISCARD)

static const struct fuse_opt known[] = {
	FUSE_OPT_KEY("-h", KEY_HELP),
	FUSE_OPT_KEY("--help", KEY_HELP),
	FUSE_OPT_KEY("-V", KEY_VERSION),
	FUSE_OPT_KEY("--version", KEY_VERSION),
	FUSE_OPT_KEY("-f", KEY_FOREGROUND),
	FUSE_OPT_KEY("-d", KEY_DEBUG),
	FUSE_OPT_KEY("--debug", KEY_DEBUG),
	FUSE_OPT_KEY("debug", KEY_DEBUG),
	FUSE_OPT_KEY("password_file=", KEY_PASSWORD_FILE),
	FUSE_OPT_KEY("password_stdin", KEY_PASSWORD_STDIN),
	FUSE_OPT_KEY("server=", KEY_SERVER),
	FUSE_OPT_KEY("tls=", KEY_TLS),
	FUSE_OPT_KEY("cafile=", KEY_CAFILE),
	FUSE_OPT_KEY("capath=", KEY_CAPATH),
	FUSE_OPT_KEY("block_size=", KEY_BLOCK_SIZE),
	FUSE_OPT_KEY("stanza=", KEY_STANZA),
	FUSE_OPT_KEY("window=", KEY_WINDOW),
	FUSE_OPT_KEY("buffer=", KEY_BUFFER),
	FUSE_OPT_KEY("buffer_total=", KEY_BUFFER_TOTAL),
	FUSE_OPT_KEY("max_streams=", KEY_MAX_STREAMS),
	FUSE_OPT_KEY("accept=", KEY_ACCEPT),
	FUSE_OPT_KEY("timeout=", KEY_TIMEOUT),
	FUSE_OPT_KEY("reconnect=", KEY_RECONNECT),
	FUSE_OPT_KEY("answer_timeout=", KEY_ANSWER_TIMEOUT),
	FUSE_OPT_KEY("spool=", KEY_SPOOL),
	FUSE_OPT_KEY("inbox=", KEY_INBOX),
	FUSE_OPT_KEY("inbox_quota=", KEY_INBOX_QUOTA),
	FUSE_OPT_KEY("uid=", KEY_UID),
	FUSE_OPT_KEY("gid=", KEY_GID),
	FUSE_OPT_KEY("fsname=", KEY_FSNAME),
	FUSE_OPT_KEY("subtype=", KEY_SUBTYPE),

	/* What fuse_session_new of libfuse 3.14 takes; it refuses the rest in words of its own. */
	FUSE_OPT_KEY("allow_other", KEY_ALLOW),
	FUSE_OPT_KEY("allow_root", KEY_ALLOW),
	KEEP("auto_unmount"),
	KEEP("default_permissions"),
	KEEP("max_read="),
	KEEP("context="),
	KEEP("fscontext="),
	KEEP("defcontext="),
	KEEP("rootcontext="),
	KEEP("-n"),
	KEEP("-r"),
	KEEP("ro"),
	KEEP("rw"),
	KEEP("suid"),
	KEEP("nosuid"),
	KEEP("dev"),
	KEEP("nodev"),
	KEEP("exec"),
	KEEP("noexec"),
	KEEP("async"),
	KEEP("sync"),
	KEEP("dirsync"),
	KEEP("atime"),
	KEEP("noatime"),

	/* For mount(8) and whoever else reads fstab; "x-" and "X-" are in unknown_option. */
	IGNORE("defaults"),
	IGNORE("_netdev"),
	IGNORE("auto"),
	IGNORE("noauto"),
	IGNORE("nofail"),
	IGNORE("user"),
	IGNORE("user="),
	IGNORE("nouser"),
	IGNORE("users"),
	IGNORE("nousers"),
	IGNORE("owner"),
	IGNORE("noowner"),
	IGNORE("group"),
	IGNORE("nogroup"),
	IGNORE("comment="),
	IGNORE("relatime"),
	IGNORE("norelatime"),
	IGNORE("strictatime"),
	IGNORE("nostrictatime"),
	IGNORE("diratime"),
	IGNORE("nodiratime"),
	IGNORE("lazytime"),
	IGNORE("nolazytime"),
	FUSE_OPT_END,
};

struct parser {
	struct options *options;
	bool done; /* --help, --version */
	bool fsname, subtype;
	bool others; /* may use the mount */
	bool uid, gid;
};

/* ---- values that are more than one thing ---- */

static int set_block_size(const char *option, const char *value, uint32_t *block_size)
{
	uint64_t number = STREAM_AUTO_BLOCK;

	if (strcmp(value, "auto") != 0 &&
	    value_number(option, value, STREAM_MAX_BLOCK, "must be 1 to 65535, or auto", &number)) {
		return -1;
	}
	*block_size = (uint32_t)number;
	return 0;
}

static int set_server(struct options *options, const char *option, const char *value)
{
	char *host;
	uint16_t port;
	const char *why = endpoint_parse(value, &host, &port);

	if (why) {
		return value_wrong(option, why);
	}
	free(options->server_host);
	options->server_host = host;
	options->server_port = port;
	return 0;
}

/* Ids are 32 bits; the last one means "none" to the calls that change them. */
#define MAX_ID (UINT32_MAX - 1)

/* The group is the user's, unless it is given too. */
static int set_uid(struct parser *parser, const char *option, const char *value)
{
	uint64_t number;
	bool is_number = value_parse(value, MAX_ID, false, &number);
	const struct passwd *user = is_number ? getpwuid((uid_t)number) : getpwnam(value);

	if (!user && !is_number) {
		return value_wrong(option, "no such user");
	}
	parser->uid = true;
	parser->options->uid = user ? user->pw_uid : (uid_t)number;
	if (!parser->gid) {
		parser->options->gid = user ? user->pw_gid : (gid_t)number;
	}
	return 0;
}

static int set_gid(struct parser *parser, const char *option, const char *value)
{
	uint64_t number;
	bool is_number = value_parse(value, MAX_ID, false, &number);
	const struct group *group = is_number ? NULL : getgrnam(value);

	if (!group && !is_number) {
		return value_wrong(option, "no such group");
	}
	parser->gid = true;
	parser->options->gid = group ? group->gr_gid : (gid_t)number;
	return 0;
}

/* ---- arguments ---- */

static int set_jid(struct options *options, const char *text)
{
	char *jid;
	int error = jid_normalize(text, &jid);

	if (error) {
		log_error("%s: %s", text,
			  error == -EINVAL ? "not a JID, such as me@example.org"
					   : strerror(-error));
		return -1;
	}
	if (!jid_has_local(jid)) {
		free(jid);
		log_error("%s: not the JID of an account, such as me@example.org", text);
		return -1;
	}
	options->jid = jid;
	return 0;
}

/* Whether one of us is mounted there already: a second one would hide it. */
static bool is_ours(const char *path)
{
	bool ours = false;
	const struct mntent *entry;
	FILE *table = setmntent("/proc/self/mounts", "r");
	while (table && (entry = getmntent(table))) {
		if (strcmp(entry->mnt_dir, path) == 0) {
			ours = strcmp(entry->mnt_type, "fuse.ibbfs") ==
			       0; /* the last one is on top */
		}
	}
	if (table) {
		endmntent(table);
	}
	return ours;
}

static int set_mountpoint(struct options *options, const char *text)
{
	struct stat status;
	char *path = realpath(text, NULL);

	if (!path || stat(path, &status) < 0) {
		if (errno == ENOTCONN) {
			log_error("%s: %s: a mount whose daemon has died; "
				  "run fusermount3 -u %s",
				  text, strerror(errno), text);
		} else {
			log_error("%s: %s", text, strerror(errno));
		}
		free(path);
		return -1;
	}
	if (!S_ISDIR(status.st_mode)) {
		log_error("%s: %s", text, strerror(ENOTDIR));
		free(path);
		return -1;
	}
	if (is_ours(path)) {
		log_error("%s: ibbfs is mounted there already; fusermount3 -u %s ends it", text,
			  text);
		free(path);
		return -1;
	}
	options->mountpoint = path;
	return 0;
}

static int set_argument(struct options *options, const char *argument)
{
	if (!options->jid) {
		return set_jid(options, argument);
	}
	if (!options->mountpoint) {
		return set_mountpoint(options, argument);
	}
	log_error("%s: one argument too many; see ibbfs --help", argument);
	return -1;
}

/* 0: ignored. -1 after a line, without the value: it could be a password. */
static int unknown_option(const char *argument)
{
	if (strncmp(argument, "x-", 2) == 0 || strncmp(argument, "X-", 2) == 0) {
		return 0;
	}
	int length = (int)strcspn(argument, "=");

	for (const struct fuse_opt *option = known; option->templ; option++) {
		if (strncmp(option->templ, argument, (size_t)length) == 0 &&
		    strcmp(option->templ + length, "=") == 0) {
			log_error("-o %s: needs a value", argument);
			return -1;
		}
	}
	log_error("%s%.*s: unknown option; see ibbfs --help", *argument == '-' ? "" : "-o ", length,
		  argument);
	return -1;
}

/* Called by fuse_opt_parse: 1 keeps the option for libfuse, 0 does not, -1 after a line. */
static int take_option(void *context, const char *argument, int key, struct fuse_args *out)
{
	static const char *const tls[] = {
		[CLIENT_TLS_STARTTLS] = "starttls",
		[CLIENT_TLS_DIRECT] = "direct",
		[CLIENT_TLS_OFF] = "off",
		NULL,
	};
	static const char *const carriers[] = {
		[CARRIER_IQ] = "iq",
		[CARRIER_MESSAGE] = "message",
		NULL,
	};
	static const char *const accepts[] = {
		[ACCEPT_CONTACTS] = "contacts",
		[ACCEPT_ANYONE] = "anyone",
		[ACCEPT_NONE] = "none",
		NULL,
	};
	struct parser *parser = context;
	struct options *options = parser->options;
	const char *equals = strchr(argument, '=');
	const char *value = equals ? equals + 1 : "";
	uint64_t number = 0;
	int word = 0, error = 0;

	(void)out;
	if (key == FUSE_OPT_KEY_NONOPT) {
		return set_argument(options, argument);
	}
	if (key == FUSE_OPT_KEY_OPT) {
		return unknown_option(argument);
	}
	if (equals && !*value) {
		return value_wrong(argument, "needs a value");
	}
	switch ((enum key)key) {
	case KEY_HELP:
		fputs(usage_text, stdout);
		parser->done = true;
		return -1;
	case KEY_VERSION:
		puts("ibbfs " IBBFS_VERSION);
		parser->done = true;
		return -1;
	case KEY_FOREGROUND:
		options->foreground = true;
		break;
	case KEY_DEBUG:
		options->foreground = true;
		options->debug = true;
		return 1;
	case KEY_FSNAME:
		parser->fsname = true;
		return 1;
	case KEY_SUBTYPE:
		parser->subtype = true;
		return 1;
	case KEY_ALLOW:
		parser->others = true;
		return 1;
	case KEY_PASSWORD_FILE:
		error = value_string(&options->password_file, value);
		break;
	case KEY_PASSWORD_STDIN:
		options->password_stdin = true;
		break;
	case KEY_SERVER:
		error = set_server(options, argument, value);
		break;
	case KEY_TLS:
		error = value_word(argument, value, tls, "must be starttls, direct or off", &word);
		options->tls = (enum client_tls)word;
		break;
	case KEY_CAFILE:
		error = value_readable(argument, value, false, &options->cafile);
		break;
	case KEY_CAPATH:
		error = value_readable(argument, value, true, &options->capath);
		break;
	case KEY_BLOCK_SIZE:
		error = set_block_size(argument, value, &options->block_size);
		break;
	case KEY_STANZA:
		error = value_word(argument, value, carriers, "must be iq or message", &word);
		options->carrier = (enum carrier)word;
		break;
	case KEY_WINDOW:
		error = value_number(argument, value, 64 * MIB, "must be 1 to 64M", &number);
		options->window = (size_t)number;
		break;
	case KEY_BUFFER:
		error = value_number(argument, value, GIB, "must be 1 to 1G", &number);
		options->buffer = (size_t)number;
		break;
	case KEY_BUFFER_TOTAL:
		error = value_number(argument, value, 64 * GIB, "must be 1 to 64G", &number);
		options->buffer_total = (size_t)number;
		break;
	case KEY_MAX_STREAMS:
		error = value_number(argument, value, 65536, "must be 1 to 65536", &number);
		options->max_streams = (unsigned)number;
		break;
	case KEY_ACCEPT:
		error = value_word(argument, value, accepts, "must be contacts, anyone or none",
				   &word);
		options->accept = (enum accept)word;
		break;
	case KEY_TIMEOUT:
		error = value_number(argument, value, 86400, "must be 1 to 86400", &number);
		options->timeout_s = (unsigned)number;
		break;
	case KEY_UID:
		error = set_uid(parser, argument, value);
		break;
	case KEY_GID:
		error = set_gid(parser, argument, value);
		break;
	case KEY_RECONNECT:
		error = value_from_0(argument, value, 86400, "must be 0 to 86400", &number);
		options->reconnect_s = (unsigned)number;
		break;
	case KEY_ANSWER_TIMEOUT:
		error = value_number(argument, value, 86400, "must be 1 to 86400", &number);
		options->answer_s = (unsigned)number;
		break;
	case KEY_SPOOL:
		error = value_path(value, &options->spool);
		break;
	case KEY_INBOX:
		error = value_path(value, &options->inbox);
		break;
	case KEY_INBOX_QUOTA:
		error = value_number(argument, value, 1024 * (1024 * GIB), "must be 1 to 1048576G",
				     &options->inbox_quota);
		break;
	}
	return error;
}

/* ---- the whole ---- */

/* Without TLS the password and every file cross the network in clear: only within this machine. */
static int check_tls_off(const struct options *options)
{
	bool local;

	if (!options->server_host) {
		log_error(
			"-o tls=off: needs -o server= with a loopback address, such as 127.0.0.1");
		return -1;
	}
	const char *why = endpoint_is_local(options->server_host, &local);
	if (why) {
		log_error("-o server=%s: %s", options->server_host, why);
		return -1;
	}
	if (!local) {
		log_error("-o tls=off: %s is not on this machine", options->server_host);
		return -1;
	}
	return 0;
}

static int check_user(struct parser *parser)
{
	struct options *options = parser->options;
	bool same = options->uid == getuid() && options->gid == getgid();

	if ((parser->uid || parser->gid) && !same && geteuid() != 0) {
		log_error("-o uid=, -o gid=: only root can run it as somebody else");
		return -1;
	}
	/* Also for root itself, whose other groups go. */
	options->other_user = (parser->uid || parser->gid) && geteuid() == 0;
	return 0;
}

/* What is kept there would be for us to answer, who wait for it. */
static int check_folder(const struct options *options, const char *name, const char *folder)
{
	size_t length = strlen(options->mountpoint);
	if (!folder || strncmp(folder, options->mountpoint, length) != 0 ||
	    (folder[length] != '/' && folder[length] != '\0')) {
		return 0;
	}
	log_error("-o %s=%s: is within the mount point", name, folder);
	return -1;
}

static int check_folders(const struct options *options)
{
	if (options->inbox_quota > 0 && !options->inbox) {
		log_error("-o inbox_quota=: needs -o inbox=");
		return -1;
	}
	return check_folder(options, "inbox", options->inbox) ||
			       check_folder(options, "spool", options->spool)
		       ? -1
		       : 0;
}

static int check_complete(const struct options *options)
{
	if (!options->jid) {
		log_error("no JID and no mount point given; see ibbfs --help");
		return -1;
	}
	if (!options->mountpoint) {
		log_error("no mount point given; see ibbfs --help");
		return -1;
	}
	return options->tls == CLIENT_TLS_OFF ? check_tls_off(options) : 0;
}

/* What libfuse is told besides: the names under which mount(8) and df(1) show us, unless the user
 * gave others. */
static int add_names(const struct parser *parser, struct fuse_args *fuse)
{
	char name[sizeof("fsname=") + JID_MAX];
	char *list = NULL;
	int error = 0;

	if (!parser->subtype) {
		error = fuse_opt_add_opt(&list, "subtype=ibbfs");
	}
	if (!error && !parser->fsname) {
		snprintf(name, sizeof(name), "fsname=%s", parser->options->jid);
		error = fuse_opt_add_opt_escaped(&list, name);
	}
	if (!error && parser->others) {
		/* What belongs to the user stays the user's: the kernel then checks modes. */
		error = fuse_opt_add_opt(&list, "default_permissions");
	}
	if (!error && parser->options->other_user) {
		/* Root mounts, and mount.fuse3(8) asks for the opposite then; but what is in the
		 * mount is said by a process of that user. */
		error = fuse_opt_add_opt(&list, "nosuid,nodev");
	}
	if (!error && list) {
		error = fuse_opt_add_arg(fuse, "-o");
	}
	if (!error && list) {
		error = fuse_opt_add_arg(fuse, list);
	}
	free(list);
	return error; /* out of memory; libfuse has said so */
}

enum options_result options_parse(struct options *options, int argc, char *argv[])
{
	*options = (struct options){
		.tls = CLIENT_TLS_EITHER,
		.block_size = 4096,
		.buffer = MIB,
		.max_streams = 1024,
		.timeout_s = 60,
		.reconnect_s = 60,
		.answer_s = 600,
		.uid = getuid(),
		.gid = getgid(),
		.fuse = FUSE_ARGS_INIT(argc, argv),
	};
	struct parser parser = {.options = options};

	if (fuse_opt_parse(&options->fuse, &parser, known, take_option) == 0 &&
	    check_complete(options) == 0 && check_folders(options) == 0 &&
	    check_user(&parser) == 0 && add_names(&parser, &options->fuse) == 0) {
		return OPTIONS_RUN;
	}
	options_finish(options);
	return parser.done ? OPTIONS_DONE : OPTIONS_BAD;
}

void options_finish(struct options *options)
{
	if (!options) {
		return;
	}
	free(options->jid);
	free(options->mountpoint);
	free(options->password_file);
	free(options->server_host);
	free(options->cafile);
	free(options->capath);
	free(options->spool);
	free(options->inbox);
	fuse_opt_free_args(&options->fuse);
	*options = (struct options){0};
}
