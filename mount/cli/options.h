/* SPDX-License-Identifier: MIT */
/*
 * options - the command line.
 *
 * Options of the account's file (config.h) come first, and the arguments override them.
 *
 * Parsed with libfuse's fuse_opt, so that options may stand anywhere, as mount(8) and fstab give
 * them. Options of libfuse itself (allow_other, ro, fsname=, ...) are passed on to it.
 *
 * Units:   bytes, seconds.
 * Errors:  a line on standard error that names the option and the reason.
 * Threads: before they start.
 * Source:  DESIGN section 1.
 */
#ifndef MOUNT_CLI_OPTIONS_H
#define MOUNT_CLI_OPTIONS_H

#include "account/account.h"
#include "account/defaults.h"
#include "ibb/msg.h"
#include "xmpp/client.h"

#include <fuse_opt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum inbox_sync {
	INBOX_SYNC_YES,
	INBOX_SYNC_NO, /* a file is acknowledged before it is durable */
};

struct options {
	char *jid; /* normal form */
	char *mountpoint;
	bool foreground, debug;
	char *password_file;
	bool password_stdin;
	char *server_host; /* NULL: SRV */
	uint16_t server_port;
	enum client_tls tls;
	char *cafile, *capath;
	uint32_t block_size; /* or STREAM_AUTO_BLOCK */
	enum stanza stanza;
	size_t window, buffer;
	size_t buffer_total; /* 0: as ibb/limits.h says */
	unsigned max_streams;
	enum access accept;
	unsigned timeout_s;
	unsigned reconnect_s;	   /* 0: streams do not outlive a connection */
	unsigned answer_timeout_s; /* a person may take to accept a file */
	char *spool;		   /* absolute; NULL: spool_default_directory */
	char *inbox;		   /* absolute; NULL: none */
	uint64_t inbox_quota;	   /* 0: no limit */
	unsigned inbox_files;	   /* 0: INBOX_MAX_FILES */
	enum inbox_sync inbox_sync;
	uid_t uid; /* the user that it runs as */
	gid_t gid;
	mode_t umask;		/* permissions that nodes do not have */
	bool other_user;	/* the process has to become them */
	struct preset *presets; /* of directories */
	struct fuse_args fuse;	/* the rest, for libfuse: "ibbfs", "-o", ... */
};

enum options_result {
	OPTIONS_RUN,
	OPTIONS_DONE, /* --help or --version was printed, or mount(8) only tries: exit 0 */
	OPTIONS_BAD,  /* a line was printed: exit 2 */
};

enum options_result options_parse(struct options *options, int argc, char *argv[]);

/* Frees what options_parse filled; NULL-safe. */
void options_finish(struct options *options);

#endif
