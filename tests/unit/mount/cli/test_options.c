/* SPDX-License-Identifier: MIT */
/* The command line: tables of arguments, and their results. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture.h"
#include "mount/cli/options.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#define MAX_ARGUMENTS 12

/* A folder with "dir", "file" and "a,b" (a directory); the working directory of the tests. */
static char folder[] = "/tmp/ibbfs-options-XXXXXX";

static int count_arguments(const char *const arguments[])
{
	int count = 0;

	while (count < MAX_ARGUMENTS && arguments[count]) {
		count++;
	}
	return count;
}

/* Parses `name` and `arguments`; *errors is the text on standard error. */
static enum options_result parse_as(const char *name, struct options *options,
				    const char *const arguments[], struct capture *errors)
{
	/* Copies: main's arguments are writable. */
	int count = count_arguments(arguments);
	char *argv[MAX_ARGUMENTS + 2] = {strdup(name)};

	for (int i = 0; i < count; i++) {
		argv[i + 1] = strdup(arguments[i]);
	}
	char *kept[MAX_ARGUMENTS + 1];
	memcpy(kept, argv, sizeof(kept));
	capture_start(errors, STDERR_FILENO);
	enum options_result result = options_parse(options, count + 1, argv);
	capture_stop(errors);
	for (int i = 0; i <= count; i++) {
		free(kept[i]);
	}
	return result;
}

static enum options_result parse(struct options *options, const char *const arguments[],
				 struct capture *errors)
{
	return parse_as("ibbfs", options, arguments, errors);
}

/* The options left for libfuse, joined with spaces. */
static const char *joined(const struct options *options)
{
	static char text[8192];

	text[0] = '\0';
	for (int i = 0; i < options->fuse.argc; i++) {
		strcat(strcat(text, i ? " " : ""), options->fuse.argv[i]);
	}
	return text;
}

static void parse_good(struct options *options, const char *const arguments[])
{
	struct capture errors;
	enum options_result result = parse(options, arguments, &errors);

	if (result != OPTIONS_RUN) {
		fail_msg("refused: %s", errors.text);
	}
	assert_string_equal(errors.text, "");
}

static void test_defaults(void **state)
{
	struct options options;

	(void)state;
	parse_good(&options, (const char *[]){"Me@Example.ORG/Home", "dir", NULL});
	assert_string_equal(options.jid, "me@example.org/Home");
	assert_int_equal(options.mountpoint[0], '/');
	assert_non_null(strstr(options.mountpoint, "/dir"));
	assert_false(options.foreground);
	assert_false(options.debug);
	assert_null(options.password_file);
	assert_false(options.password_stdin);
	assert_null(options.server_host);
	assert_int_equal(options.server_port, 0);
	assert_int_equal(options.tls, CLIENT_TLS_EITHER);
	assert_null(options.cafile);
	assert_null(options.capath);
	assert_int_equal(options.block_size, 4096);
	assert_int_equal(options.stanza, STANZA_IQ);
	assert_int_equal(options.window, 0);
	assert_int_equal(options.buffer, 1 << 20);
	assert_int_equal(options.buffer_total, 0);
	assert_int_equal(options.max_streams, 1024);
	assert_int_equal(options.accept, ACCEPT_CONTACTS);
	assert_int_equal(options.timeout_s, 60);
	assert_string_equal(joined(&options), "ibbfs -o subtype=ibbfs,fsname=me@example.org/Home");
	options_finish(&options);
	options_finish(&options);
	options_finish(NULL);
}

static void test_everything(void **state)
{
	struct options options;

	(void)state;
	parse_good(
		&options,
		(const char *[]){
			"-o",
			"rw,password_file=secret,password_stdin,server=localhost:5223,tls=direct",
			"-f", "me@example.org", "-oblock_size=65535,stanza=message,window=1M",
			"dir", "-o",
			"buffer=512k,buffer_total=64G,max_streams=65536,accept=none,timeout=86400",
			"-o", "cafile=file,capath=dir,_netdev,x-systemd.automount,noauto", NULL});
	assert_true(options.foreground);
	assert_false(options.debug);
	assert_string_equal(options.password_file, "secret");
	assert_true(options.password_stdin);
	assert_string_equal(options.server_host, "localhost");
	assert_int_equal(options.server_port, 5223);
	assert_int_equal(options.tls, CLIENT_TLS_DIRECT);
	assert_int_equal(options.cafile[0], '/');
	assert_int_equal(access(options.cafile, R_OK), 0);
	assert_int_equal(options.capath[0], '/');
	assert_int_equal(access(options.capath, R_OK), 0);
	assert_int_equal(options.block_size, 65535);
	assert_int_equal(options.stanza, STANZA_MESSAGE);
	assert_int_equal(options.window, 1 << 20);
	assert_int_equal(options.buffer, 512 << 10);
	assert_int_equal(options.buffer_total, (size_t)64 << 30);
	assert_int_equal(options.max_streams, 65536);
	assert_int_equal(options.accept, ACCEPT_NONE);
	assert_int_equal(options.timeout_s, 86400);
	assert_string_equal(joined(&options), "ibbfs -o rw -o subtype=ibbfs,fsname=me@example.org");
	options_finish(&options);
}

/* The options that remain for libfuse. */
static void test_fuse(void **state)
{
	static const struct {
		const char *arguments[MAX_ARGUMENTS];
		const char *left;
	} table[] = {
		{{"-d", "a@b", "dir"}, "ibbfs -d -o subtype=ibbfs,fsname=a@b"},
		{{"--debug", "a@b", "dir"}, "ibbfs --debug -o subtype=ibbfs,fsname=a@b"},
		{{"-r", "-n", "a@b", "dir"}, "ibbfs -r -n -o subtype=ibbfs,fsname=a@b"},
		{{"a@b", "dir", "-o", "ro,nosuid,nodev,allow_other,auto_unmount"},
		 "ibbfs -o ro,nosuid,nodev,allow_other,auto_unmount -o "
		 "subtype=ibbfs,fsname=a@b,default_permissions"},
		{{"a@b", "dir", "-o", "fsname=x,subtype=y"}, "ibbfs -o fsname=x,subtype=y"},
		{{"a@b", "dir", "-o", "fsname=x"}, "ibbfs -o fsname=x -o subtype=ibbfs"},
		/* A comma ends an option unless escaped. */
		{{"a,b@c", "dir"}, "ibbfs -o subtype=ibbfs,fsname=a\\,b@c"},
		/* As mount(8) has them from fstab. */
		{{"a@b", "dir", "-o", "defaults,auto,user,users,user=me,nofail,comment=c,relatime"},
		 "ibbfs -o subtype=ibbfs,fsname=a@b"},
		{{"--", "a@b", "dir"}, "ibbfs -o subtype=ibbfs,fsname=a@b"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct options options;

		parse_good(&options, table[i].arguments);
		assert_string_equal(joined(&options), table[i].left);
		options_finish(&options);
	}
}

static void test_auto_block_size(void **state)
{
	struct options options;

	(void)state;
	parse_good(&options, (const char *[]){"a@b", "dir", "-o", "block_size=auto", NULL});
	assert_int_equal(options.block_size, STREAM_AUTO_BLOCK);
	options_finish(&options);
}

static void test_debug_implies_foreground(void **state)
{
	struct options options;

	(void)state;
	parse_good(&options, (const char *[]){"a@b", "dir", "-d", NULL});
	assert_true(options.debug);
	assert_true(options.foreground);
	options_finish(&options);
}

static void test_numbers(void **state)
{
	static const struct {
		const char *option;
		size_t window, buffer;
	} table[] = {
		{"window=1,buffer=1", 1, 1},
		{"window=4K,buffer=1G", 4 << 10, 1 << 30},
		{"window=4k,buffer=1g", 4 << 10, 1 << 30},
		{"window=1048576,buffer=1073741824", 1 << 20, 1 << 30},
		{"window=1024K,buffer=1024m", 1 << 20, 1 << 30},
		/* The last one counts: fstab's, then the command line's. */
		{"window=7,window=8,buffer=9", 8, 9},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct options options;

		parse_good(&options, (const char *[]){"a@b", "dir", "-o", table[i].option, NULL});
		assert_int_equal(options.window, table[i].window);
		assert_int_equal(options.buffer, table[i].buffer);
		options_finish(&options);
	}
}

static void test_servers(void **state)
{
	static const struct {
		const char *option, *host;
		uint16_t port;
	} table[] = {
		{"server=xmpp.example.org", "xmpp.example.org", 0},
		{"server=xmpp.example.org:5223", "xmpp.example.org", 5223},
		{"server=192.0.2.1:1", "192.0.2.1", 1},
		{"server=::1", "::1", 0},
		{"server=2001:db8::5222", "2001:db8::5222", 0},
		{"server=[::1]", "::1", 0},
		{"server=[::1]:65535", "::1", 65535},
		{"server=one:1,server=two", "two", 0},
		{"tls=off,server=127.0.0.1:5222", "127.0.0.1", 5222},
		{"server=127.1.2.3,tls=off", "127.1.2.3", 0},
		{"tls=off,server=[::1]:5222", "::1", 5222},
		{"tls=off,server=::ffff:127.0.0.1", "::ffff:127.0.0.1", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct options options;

		parse_good(&options, (const char *[]){"a@b", "dir", "-o", table[i].option, NULL});
		assert_string_equal(options.server_host, table[i].host);
		assert_int_equal(options.server_port, table[i].port);
		options_finish(&options);
	}
}

static void test_paths_hold_after_chdir(void **state)
{
	struct options options;

	(void)state;
	parse_good(&options,
		   (const char *[]){"a@b", "dir/../a,b", "-o", "cafile=./file,capath=a\\,b", NULL});
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(access(options.mountpoint, X_OK), 0);
	assert_int_equal(access(options.cafile, R_OK), 0);
	assert_int_equal(access(options.capath, X_OK), 0);
	assert_int_equal(chdir(folder), 0);
	options_finish(&options);
}

/* Each is refused with one line that holds the text. */
static void test_bad(void **state)
{
	static const struct {
		const char *arguments[MAX_ARGUMENTS];
		const char *line;
	} table[] = {
		{{NULL}, "no JID and no mount point given; see ibbfs --help"},
		{{"-f"}, "no JID and no mount point given; see ibbfs --help"},
		{{"a@b"}, "no mount point given; see ibbfs --help"},
		{{"a@b", "dir", "more"}, "more: one argument too many; see ibbfs --help"},
		{{"example.org", "dir"}, "example.org: not the JID of an account"},
		{{"@", "dir"}, "@: not a JID"},
		{{"", "dir"}, ": not a JID"},
		{{"dir", "a@b"}, "dir: not the JID of an account"},
		{{"a@b", "nowhere"}, "nowhere: No such file or directory"},
		{{"a@b", "file"}, "file: Not a directory"},
		{{"a@b", ""}, "No such file or directory"},

		{{"a@b", "dir", "-q"}, "-q: unknown option; see ibbfs --help"},
		{{"a@b", "dir", "--colour=red"}, "--colour: unknown option"},
		{{"a@b", "dir", "-o", "colour=red"}, "-o colour: unknown option"},
		{{"a@b", "dir", "-o", "fuse=0"}, "-o fuse: unknown option"},
		{{"a@b", "dir", "-o", "uid=no such user"}, "-o uid=no such user: no such user"},
		{{"a@b", "dir", "-o", "uid=4294967295"}, "no such user"},
		{{"a@b", "dir", "-o", "gid=no such group"}, "-o gid=no such group: no such group"},
		{{"a@b", "dir", "-o", "block_size"}, "-o block_size: needs a value"},
		{{"a@b", "dir", "-o", "cafile"}, "-o cafile: needs a value"},
		{{"a@b", "dir", "-o", "window="}, "-o window=: needs a value"},
		{{"a@b", "dir", "-o", "password_file="}, "-o password_file=: needs a value"},

		{{"a@b", "dir", "-o", "block_size=0"}, "-o block_size=0: must be 1 to 65535"},
		{{"a@b", "dir", "-o", "block_size=65536"}, "must be 1 to 65535, or auto"},
		{{"a@b", "dir", "-o", "block_size=Auto"}, "must be 1 to 65535, or auto"},
		{{"a@b", "dir", "-o", "block_size=auto4"}, "must be 1 to 65535, or auto"},
		{{"a@b", "dir", "-o", "block_size=4K"}, "-o block_size=4K: must be 1 to 65535"},
		{{"a@b", "dir", "-o", "block_size=-1"}, "must be 1 to 65535"},
		{{"a@b", "dir", "-o", "block_size=+1"}, "must be 1 to 65535"},
		{{"a@b", "dir", "-o", "block_size= 1"}, "must be 1 to 65535"},
		{{"a@b", "dir", "-o", "block_size=0x10"}, "must be 1 to 65535"},
		{{"a@b", "dir", "-o", "block_size=4294967297"}, "must be 1 to 65535"},
		{{"a@b", "dir", "-o", "window=0"}, "must be 1 to 64M"},
		{{"a@b", "dir", "-o", "window=65M"}, "must be 1 to 64M"},
		{{"a@b", "dir", "-o", "window=67108865"}, "must be 1 to 64M"},
		{{"a@b", "dir", "-o", "window=1Kb"}, "must be 1 to 64M"},
		{{"a@b", "dir", "-o", "window=K"}, "must be 1 to 64M"},
		{{"a@b", "dir", "-o", "reconnect=-1"}, "must be 0 to 86400"},
		{{"a@b", "dir", "-o", "reconnect=86401"}, "must be 0 to 86400"},
		{{"a@b", "dir", "-o", "reconnect="}, "-o reconnect=: needs a value"},
		{{"a@b", "dir", "-o", "window=1T"}, "must be 1 to 64M"},
		{{"a@b", "dir", "-o", "window=18446744073709551617"}, "must be 1 to 64M"},
		{{"a@b", "dir", "-o", "buffer=2G"}, "-o buffer=2G: must be 1 to 1G"},
		{{"a@b", "dir", "-o", "buffer=1073741824G"}, "must be 1 to 1G"},
		{{"a@b", "dir", "-o", "buffer_total=0"}, "must be 1 to 64G"},
		{{"a@b", "dir", "-o", "buffer_total=65G"}, "must be 1 to 64G"},
		{{"a@b", "dir", "-o", "buffer_total=17179869184G"}, "must be 1 to 64G"},
		{{"a@b", "dir", "-o", "max_streams=0"}, "must be 1 to 65536"},
		{{"a@b", "dir", "-o", "max_streams=65537"}, "must be 1 to 65536"},
		{{"a@b", "dir", "-o", "max_streams=1K"}, "must be 1 to 65536"},
		{{"a@b", "dir", "-o", "timeout=0"}, "must be 1 to 86400"},
		{{"a@b", "dir", "-o", "timeout=86401"}, "must be 1 to 86400"},
		{{"a@b", "dir", "-o", "timeout=1.5"}, "must be 1 to 86400"},

		{{"a@b", "dir", "-o", "stanza=presence"}, "must be iq or message"},
		{{"a@b", "dir", "-o", "accept=all"}, "must be contacts, anyone or none"},
		{{"a@b", "dir", "-o", "tls=on"}, "-o tls=on: must be starttls, direct or off"},

		{{"a@b", "dir", "-o", "server=:5222"}, "not the name or address of a server"},
		{{"a@b", "dir", "-o", "server=x y"}, "not the name or address of a server"},
		{{"a@b", "dir", "-o", "server=a@b"}, "not the name or address of a server"},
		{{"a@b", "dir", "-o", "server=x:"}, "the port must be 1 to 65535"},
		{{"a@b", "dir", "-o", "server=x:0"}, "the port must be 1 to 65535"},
		{{"a@b", "dir", "-o", "server=x:65536"}, "the port must be 1 to 65535"},
		{{"a@b", "dir", "-o", "server=xmpp://x"}, "the port must be 1 to 65535"},
		{{"a@b", "dir", "-o", "server=[::1]:x"}, "the port must be 1 to 65535"},
		{{"a@b", "dir", "-o", "server=[::1"}, "must be HOST, HOST:PORT or [IPV6]:PORT"},
		{{"a@b", "dir", "-o", "server=[::1]5222"}, "must be HOST, HOST:PORT"},
		{{"a@b", "dir", "-o", "server=[localhost]:5222"}, "not an IPv6 address"},
		{{"a@b", "dir", "-o", "server=[]"}, "not an IPv6 address"},
		{{"a@b", "dir", "-o", "server=a:b:c"}, "not an IPv6 address"},

		{{"a@b", "dir", "-o", "tls=off"}, "-o tls=off: needs -o server="},
		{{"a@b", "dir", "-o", "inbox_quota=1G"}, "-o inbox_quota=: needs -o inbox="},
		{{"a@b", "dir", "-o", "inbox_files=9"}, "-o inbox_files=: needs -o inbox="},
		{{"a@b", "dir", "-o", "inbox=/x,inbox_files=0"}, "must be 1 to 100000000"},
		{{"a@b", "dir", "-o", "inbox=/x,inbox_files=1K"}, "must be 1 to 100000000"},
		{{"a@b", "dir", "-o", "inbox_sync=no"}, "-o inbox_sync=: needs -o inbox="},
		{{"a@b", "dir", "-o", "inbox=/x,inbox_sync=maybe"}, "must be yes or no"},
		{{"a@b", "dir", "-o", "inbox=dir"}, "dir: is within the mount point"},
		{{"a@b", "dir", "-o", "inbox=dir/in"}, "dir/in: is within the mount point"},
		{{"-o", "spool=dir/s", "a@b", "dir"}, "dir/s: is within the mount point"},
		{{"a@b", "dir", "-o", "tls=off,server=192.0.2.1"}, "192.0.2.1 is not on this"},
		{{"a@b", "dir", "-o", "tls=off,server=2001:db8::1"}, "2001:db8::1 is not on this"},
		{{"a@b", "dir", "-o", "tls=off,server=0.0.0.0"}, "0.0.0.0 is not on this machine"},
		/* RFC 6761 section 6.4: no name ends in "invalid". */
		{{"a@b", "dir", "-o", "tls=off,server=x.invalid"}, "-o server=x.invalid: "},

		{{"a@b", "dir", "-o", "cafile=none"}, "-o cafile=none: No such file or directory"},
		{{"a@b", "dir", "-o", "cafile=dir"}, "-o cafile=dir: Is a directory"},
		{{"a@b", "dir", "-o", "capath=none"}, "-o capath=none: No such file or directory"},
		{{"a@b", "dir", "-o", "capath=file"}, "-o capath=file: Not a directory"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct options options;
		struct capture errors;

		if (parse(&options, table[i].arguments, &errors) != OPTIONS_BAD) {
			fail_msg("row %zu not refused: %s", i, table[i].line);
		}
		assert_one_line(errors.text, table[i].line);
		options_finish(&options);
	}
}

/* There is no such option, but a user may try it: the value must not reach a log. */
static void test_password_is_not_printed(void **state)
{
	struct options options;
	struct capture errors;

	(void)state;
	assert_int_equal(parse(&options,
			       (const char *[]){"a@b", "dir", "-o", "password=secret", NULL},
			       &errors),
			 OPTIONS_BAD);
	assert_one_line(errors.text, "-o password: unknown option");
	assert_null(strstr(errors.text, "secret"));
	options_finish(&options);
}

static void test_mount_helper(void **state)
{
	struct options options;
	struct capture errors;
	static const char *const arguments[] = {"a@b", "dir", "-sn", "-v", "-x", NULL};
	static const char *const typed[] = {
		"a@b", "dir",	     "-n", "-N", "/x", "-o", "rw,noexec,nosuid,nodev,user=me",
		"-t",  "fuse.ibbfs", NULL};

	(void)state;
	assert_int_equal(parse_as("/sbin/mount.ibbfs", &options, typed, &errors), OPTIONS_RUN);
	assert_string_equal(errors.text, "");
	assert_false(options.foreground);
	options_finish(&options);
	assert_int_equal(parse_as("mount.ibbfs", &options, arguments, &errors), OPTIONS_BAD);
	assert_one_line(errors.text, "-x: unknown option");
	options_finish(&options);

	/* -f: all but the mount. */
	assert_int_equal(parse_as("mount.ibbfs", &options,
				  (const char *[]){"a@b", "dir", "-f", NULL}, &errors),
			 OPTIONS_DONE);
	assert_string_equal(errors.text, "");
	options_finish(&options);
	assert_int_equal(parse_as("mount.ibbfs", &options,
				  (const char *[]){"a@b", "none", "-f", NULL}, &errors),
			 OPTIONS_BAD);
	assert_one_line(errors.text, "none: No such file or directory");
	options_finish(&options);
}

/* A line of fstab that was one of sshfs: what it asks for is so, or why it is not. */
static void test_options_of_others(void **state)
{
	static const struct {
		const char *option, *line; /* NULL: accepted */
	} rows[] = {
		{"_netdev,nofail,noauto,user,users,defaults,noatime,relatime", NULL},
		{"x-systemd.automount,x-systemd.idle-timeout=60,x-gvfs-show,comment=x", NULL},
		{"nonempty,big_writes,large_read,intr,direct_io,use_ino", NULL},
		{"umask=022", NULL},
		{"umask=0", NULL},
		{"umask=1000", "-o umask=1000: must be 0 to 777, octal"},
		{"umask=8", "must be 0 to 777, octal"},
		{"umask=-1", "must be 0 to 777, octal"},
		{"umask=7x", "must be 0 to 777, octal"},
		{"fmask=022", "-o fmask=022: there is only umask="},
		{"reconnect", "-o reconnect: needs a number of seconds"},
		{"delay_connect", "-o delay_connect: ibbfs connects before it mounts"},
		{"idmap=user", "-o idmap=user: every file belongs to the user of uid="},
		{"follow_symlinks", "there are no symbolic links"},
		{"kernel_cache", "-o kernel_cache: streams are never cached"},
		{"port=22", "-o port=22: the port is part of server=HOST:PORT"},
		{"IdentityFile=/home/me/.ssh/id", "an option of SSH, which is not used"},
		{"ServerAliveInterval=15", "an option of SSH, which is not used"},
		{"max_conns=4", "-o max_conns=4: an account has one connection"},
		{"sshfs_sync", "-o sshfs_sync: every close waits for the peer"},
		{"dcache_timeout=3", "streams are never cached"},
		{"workaround=rename", "an option of SSH, which is not used"},
		{"clone_fd", "-o clone_fd: unknown option"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct options options;
		struct capture errors;
		const char *const arguments[] = {"a@b", "dir", "-o", rows[i].option, NULL};

		enum options_result result = parse(&options, arguments, &errors);
		assert_int_equal(result, rows[i].line ? OPTIONS_BAD : OPTIONS_RUN);
		if (rows[i].line) {
			assert_one_line(errors.text, rows[i].line);
		} else {
			assert_string_equal(errors.text, "");
		}
		options_finish(&options);
	}
	struct options options;

	parse_good(&options, (const char *[]){"a@b", "dir", "-oumask=022", NULL});
	assert_int_equal(options.umask, 022);
	options_finish(&options);
	parse_good(&options, (const char *[]){"a@b", "dir", NULL});
	assert_int_equal(options.umask, 077);
	options_finish(&options);
}

static void test_help_and_version(void **state)
{
	static const struct {
		const char *argument, *part;
	} table[] = {
		{"-h", "usage: ibbfs [options] JID[/resource] mountpoint\n"},
		{"--help",
		 "    -o block_size=N        largest block, 1 to 65535 bytes (default: 4096)"},
		{"--help", "    -d, --debug            print every"},
		{"-V", "ibbfs " IBBFS_VERSION "\n"},
		{"--version", "ibbfs " IBBFS_VERSION "\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct options options;
		struct capture errors, output;

		capture_start(&output, STDOUT_FILENO);
		enum options_result result =
			parse(&options, (const char *[]){"a@b", table[i].argument, NULL}, &errors);
		capture_stop(&output);
		assert_int_equal(result, OPTIONS_DONE);
		assert_string_equal(errors.text, "");
		if (!strstr(output.text, table[i].part)) {
			fail_msg("no \"%s\" in: %s", table[i].part, output.text);
		}
		options_finish(&options);
	}
}

/* An option that takes a value, and is not in the help, is easily forgotten in the man page too. */
static void test_help_names_every_option(void **state)
{
	static const char *const names[] = {
		"-f",
		"-d",
		"-h",
		"--help",
		"-V",
		"--version",
		"password_file=",
		"password_stdin",
		"IBBFS_PASSWORD",
		"server=",
		"tls=starttls",
		"tls=direct",
		"tls=off",
		"cafile=",
		"capath=",
		"block_size=N",
		"block_size=auto",
		"stanza=",
		"window=",
		"buffer=",
		"buffer_total=",
		"max_streams=",
		"accept=",
		"timeout=",
		"reconnect=",
		"answer_timeout=",
		"spool=",
		"inbox=",
		"inbox_quota=",
		"inbox_files=",
		"umask=",
		"inbox_sync=",
	};
	struct options options;
	struct capture errors, output;

	(void)state;
	capture_start(&output, STDOUT_FILENO);
	parse(&options, (const char *[]){"--help", NULL}, &errors);
	capture_stop(&output);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strstr(output.text, names[i])) {
			fail_msg("--help does not say %s", names[i]);
		}
	}
	options_finish(&options);
}

static int set_up(void **state)
{
	(void)state;
	/* The files of accounts are those of test_config.c. */
	unsetenv("XDG_CONFIG_HOME");
	setenv("HOME", "/nonexistent", 1);
	if (!mkdtemp(folder) || chdir(folder) < 0 || mkdir("dir", 0700) < 0 ||
	    mkdir("a,b", 0700) < 0) {
		return -1;
	}
	int fd = open("file", O_WRONLY | O_CREAT, 0600);
	return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
	(void)state;
	return unlink("file") || rmdir("dir") || rmdir("a,b") || chdir("/") || rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_fuse),
		cmocka_unit_test(test_auto_block_size),
		cmocka_unit_test(test_debug_implies_foreground),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_servers),
		cmocka_unit_test(test_paths_hold_after_chdir),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_password_is_not_printed),
		cmocka_unit_test(test_mount_helper),
		cmocka_unit_test(test_options_of_others),
		cmocka_unit_test(test_help_and_version),
		cmocka_unit_test(test_help_names_every_option),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
