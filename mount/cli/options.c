/* SPDX-License-Identifier: MIT */
#include "mount/cli/options.h"

#include "mount/cli/config.h"
#include "mount/cli/endpoint.h"
#include "mount/cli/mount_helper.h"
#include "mount/cli/option_table.h"
#include "mount/log.h"
#include "xmpp/jid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Without TLS, the password and every file cross the network in the clear: allowed only within this
 * machine. */
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
	/* Also if the other user is root: the supplementary groups are dropped. */
	options->other_user = (parser->uid || parser->gid) && geteuid() == 0;
	return 0;
}

/* Refuses a directory in the mount: the daemon would wait for calls that only it can answer. */
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
	if (options->inbox_files > 0 && !options->inbox) {
		log_error("-o inbox_files=: needs -o inbox=");
		return -1;
	}
	if (options->inbox_sync == INBOX_SYNC_NO && !options->inbox) {
		log_error("-o inbox_sync=: needs -o inbox=");
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

/* Adds options for libfuse: the names under which mount(8) and df(1) show us, unless the user gave
 * others. */
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
		/* The kernel then checks permissions. */
		error = fuse_opt_add_opt(&list, "default_permissions");
	}
	if (!error && parser->options->other_user) {
		/* As root mounts, mount.fuse3(8) passes suid and dev. But the content comes from a
		 * process of the other user. */
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

/* The arguments, behind the options of the file that are for libfuse. */
static int join(struct parser *parser, int argc, char *argv[])
{
	struct fuse_args *fuse = &parser->options->fuse;
	int error = fuse_opt_add_arg(fuse, argv[0]);
	if (!error && parser->for_libfuse) {
		error = fuse_opt_add_arg(fuse, "-o") || fuse_opt_add_arg(fuse, parser->for_libfuse);
	}
	for (int i = 1; i < argc && !error; i++) {
		error = fuse_opt_add_arg(fuse, argv[i]);
	}
	return error; /* out of memory; libfuse has said so */
}

static int read_config(struct parser *parser, int argc, char *argv[])
{
	char *typed = option_table_find_jid(argc, argv);
	char *jid = NULL;
	int error = 0;
	/* An argument that is no JID is refused later. */
	if (typed && jid_normalize(typed, &jid) == 0) {
		error = config_read(parser, jid);
	}
	free(jid);
	free(typed);
	return error;
}

/* A source of the password on the command line replaces those of the file. */
static int parse_arguments(struct parser *parser, int argc, char *argv[])
{
	struct options *options = parser->options;
	char *password_file = options->password_file;
	bool password_stdin = options->password_stdin;
	options->password_file = NULL;
	options->password_stdin = parser->password = false;
	int error = join(parser, argc, argv) || option_table_parse(parser) ? -1 : 0;
	if (parser->password) {
		free(password_file);
	} else {
		options->password_file = password_file;
		options->password_stdin = password_stdin;
	}
	return error;
}

enum options_result options_parse(struct options *options, int argc, char *argv[])
{
	*options = (struct options){
		.tls = CLIENT_TLS_EITHER,
		.block_size = 4096,
		.buffer = (size_t)1024 * 1024,
		.max_streams = 1024,
		.timeout_s = 60,
		.reconnect_s = 900,
		.answer_timeout_s = 600,
		.uid = getuid(),
		.gid = getgid(),
		.umask = 077,
	};
	struct parser parser = {.options = options};

	bool fake = false;

	if (mount_helper_is_called(argv)) {
		argc = mount_helper_strip(argc, argv, &fake);
	}
	bool good = read_config(&parser, argc, argv) == 0 &&
		    parse_arguments(&parser, argc, argv) == 0 && check_complete(options) == 0 &&
		    check_folders(options) == 0 && check_user(&parser) == 0 &&
		    add_names(&parser, &options->fuse) == 0;
	free(parser.for_libfuse);
	if (good && !fake) {
		return OPTIONS_RUN;
	}
	options_finish(options);
	return parser.done || (good && fake) ? OPTIONS_DONE : OPTIONS_BAD;
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
	preset_finish(&options->presets);
	fuse_opt_free_args(&options->fuse);
	*options = (struct options){0};
}
