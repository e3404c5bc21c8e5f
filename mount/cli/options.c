/* SPDX-License-Identifier: MIT */
#include "mount/cli/options.h"

#include "mount/cli/endpoint.h"
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
	/* Root as the user counts too, to drop its supplementary groups. */
	options->other_user = (parser->uid || parser->gid) && geteuid() == 0;
	return 0;
}

/* The daemon would wait for calls that only it can answer. */
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
		/* Root mounts, and mount.fuse3(8) passes suid and dev then; but the content comes
		 * from a process of that user. */
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
		.buffer = (size_t)1024 * 1024,
		.max_streams = 1024,
		.timeout_s = 60,
		.reconnect_s = 60,
		.answer_s = 600,
		.uid = getuid(),
		.gid = getgid(),
		.fuse = FUSE_ARGS_INIT(argc, argv),
	};
	struct parser parser = {.options = options};

	if (option_table_parse(&parser) == 0 && check_complete(options) == 0 &&
	    check_folders(options) == 0 && check_user(&parser) == 0 &&
	    add_names(&parser, &options->fuse) == 0) {
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
