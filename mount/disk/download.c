/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* renameat2 */

#include "mount/disk/download.h"

#include "account/name.h"
#include "ibb/utf8.h"
#include "mount/disk/transfer.h"
#include "mount/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Downloads at the same time: each has descriptors, and libstrophe needs one below 1024. */
#define MAX_DOWNLOADS 256

/* Bytes that are read from a stream at once. */
#define PIECE ((size_t)256 * 1024)

#define SUFFIX ".part"

/* "CONTACT/NAME", and the suffix. */
#define PATH_SIZE (2 * NAME_MAX_BYTES + 2 + sizeof(SUFFIX))

struct download {
	struct transfer transfer; /* first */
	struct inbox *inbox;
	struct hub *hub;
	uint64_t ino;
	int64_t date;
	uint64_t written, reserved;
	bool started;
	int directory, fd;
	char contact[NAME_MAX_BYTES + 1], name[NAME_MAX_BYTES + 1];
	char partial[NAME_MAX_BYTES + 1];
};

/* "NAME.part", cut to the longest name that there can be. */
static void make_partial(char partial[NAME_MAX_BYTES + 1], const char *name)
{
	size_t length = utf8_cut(name, NAME_MAX_BYTES - strlen(SUFFIX));
	snprintf(partial, NAME_MAX_BYTES + 1, "%.*s" SUFFIX, (int)length, name);
}

static bool is_there(int directory, const char *name)
{
	struct stat status;
	return fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The first of NAME, NAME (2) ... that is free, and NAME.part of it. 0 or -errno. */
static int create(struct download *download, const char *name)
{
	for (unsigned n = 1; n < 10000; n++) {
		if (n == 1) {
			strcpy(download->name, name);
		} else {
			name_number(download->name, name, n);
		}
		if (is_there(download->directory, download->name)) {
			continue;
		}
		make_partial(download->partial, download->name);
		download->fd = openat(download->directory, download->partial,
				      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (download->fd >= 0 || errno != EEXIST) {
			return download->fd >= 0 ? 0 : -errno;
		}
	}
	return -EEXIST;
}

static int open_file(struct download *download, const char *name)
{
	int inbox = download->inbox->fd;
	if (mkdirat(inbox, download->contact, 0700) && errno != EEXIST) {
		return -errno;
	}
	download->directory =
		openat(inbox, download->contact, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return download->directory >= 0 ? create(download, name) : -errno;
}

static void path_of(const struct download *download, const char *name, char path[PATH_SIZE])
{
	snprintf(path, PATH_SIZE, "%s/%s", download->contact, name);
}

/* Never replaces another file. 0 or -errno. */
static int rename_to(const struct download *download, const char *name)
{
	int directory = download->directory;
	if (renameat2(directory, download->partial, directory, name, RENAME_NOREPLACE) == 0) {
		return 0;
	}
	if (errno != EINVAL && errno != ENOSYS) {
		return -errno;
	}
	/* A file system without RENAME_NOREPLACE: link does not replace either. */
	if (linkat(directory, download->partial, directory, name, 0) == 0) {
		unlinkat(directory, download->partial, 0);
		return 0;
	}
	if (errno == EEXIST || is_there(directory, name)) {
		return -EEXIST;
	}
	/* Some network file systems have no links either. */
	return renameat(directory, download->partial, directory, name) == 0 ? 0 : -errno;
}

/* Gives the file its name. 0 or -errno. */
static int rename_file(struct download *download)
{
	char wanted[NAME_MAX_BYTES + 1];
	strcpy(wanted, download->name);
	for (unsigned n = 2; n < 10000; n++) {
		int error = rename_to(download, download->name);
		if (error != -EEXIST) {
			return error;
		}
		name_number(download->name, wanted, n);
	}
	return -EEXIST;
}

static int write_piece(struct download *download, const struct op *op)
{
	size_t length = (size_t)op->result, done = 0;
	uint64_t end = download->written + length;
	if (end > download->reserved) {
		if (!quota_reserve(&download->inbox->quota, end - download->reserved)) {
			return -EDQUOT;
		}
		download->reserved = end;
	}
	while (done < length) {
		ssize_t written = write(download->fd, op->data + done, length - done);
		if (written < 0 && errno != EINTR) {
			return -errno;
		}
		done += written > 0 ? (size_t)written : 0;
	}
	download->written = end;
	quota_write(&download->inbox->quota, length);
	return 0;
}

static void finish(struct download *download)
{
	char path[PATH_SIZE];
	if (download->date != METADATA_NO_DATE) {
		struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = download->date}};
		futimens(download->fd, times); /* a date out of range is ignored */
	}
	int error = rename_file(download);
	if (error) {
		log_warning("%s/%s: %s", download->contact, download->partial, strerror(-error));
	}
	path_of(download, download->name, path);
	if (hub_download_end(download->hub, download->ino, path, error) == -ENOENT && !error) {
		/* It was removed from the mount meanwhile. */
		quota_remove(&download->inbox->quota, download->written);
		unlinkat(download->directory, download->name, 0);
	}
}

static void fail(struct download *download, int error)
{
	int result = hub_download_end(download->hub, download->ino, "", error);
	if (download->fd >= 0 && (result == -ENOENT || download->written == 0)) {
		/* The file was removed from the mount, or is empty: no .part file remains. */
		quota_remove(&download->inbox->quota, download->written);
		unlinkat(download->directory, download->partial, 0);
		download->reserved -= download->written;
		download->written = 0;
	} else {
		log_warning("%s/%s: %s", download->contact, download->partial, strerror(-error));
	}
}

static bool step(struct transfer *transfer)
{
	struct download *download = (struct download *)transfer;
	const struct op *op = &transfer->request.op;
	if (!download->started) {
		char path[PATH_SIZE];
		download->started = true;
		path_of(download, download->partial, path);
		transfer_renew(transfer, OP_FLUSH, 0);
		hub_download_begin(download->hub, download->ino, path, &transfer->request);
		return true;
	}
	bool was_read = op->kind == OP_READ;
	int error = op->result < 0 ? (int)op->result : 0;
	if (!error && was_read && op->result == 0) {
		finish(download);
		return false;
	}
	if (!error && was_read) {
		error = write_piece(download, op);
	}
	if (error) {
		fail(download, error);
		return false;
	}
	transfer_renew(transfer, OP_READ, PIECE);
	hub_download_read(download->hub, download->ino, &transfer->request);
	return true;
}

static void end(struct transfer *transfer)
{
	struct download *download = (struct download *)transfer;
	quota_cancel(&download->inbox->quota, download->reserved - download->written);
	atomic_fetch_sub(&download->inbox->downloads, 1);
	if (download->fd >= 0) {
		close(download->fd);
	}
	if (download->directory >= 0) {
		close(download->directory);
	}
	op_finish(&transfer->request.op);
	free(download);
}

/* Makes a file for an arrival (borrowed for the call), or declines it when there is no room. */
static void receive(void *context, struct hub *hub, const struct inbox_arrival *arrival)
{
	struct inbox *inbox = context;
	uint64_t size = arrival->size > 0 ? (uint64_t)arrival->size : 0;
	struct download *download = calloc(1, sizeof(*download));
	bool many = atomic_load(&inbox->downloads) >= MAX_DOWNLOADS;
	if (!download || many || !quota_reserve(&inbox->quota, size)) {
		log_warning("%s/%s: %s", arrival->contact, arrival->name,
			    !download ? "out of memory"
			    : many    ? "too many files come at once"
				      : "does not fit in the inbox");
		hub_download_decline(hub, arrival->ino);
		free(download);
		return;
	}
	atomic_fetch_add(&inbox->downloads, 1);
	download->transfer.step = step;
	download->transfer.end = end;
	download->inbox = inbox;
	download->hub = hub;
	download->ino = arrival->ino;
	download->date = arrival->date;
	download->reserved = size;
	download->directory = download->fd = -1;
	snprintf(download->contact, sizeof(download->contact), "%s", arrival->contact);
	int error = open_file(download, arrival->name);
	if (error) {
		log_warning("%s/%s: %s", arrival->contact, arrival->name, strerror(-error));
		hub_download_decline(hub, arrival->ino);
		end(&download->transfer);
		return;
	}
	transfer_start(&download->transfer);
}

/* ---- what was there before ---- */

static bool is_partial(const char *name)
{
	size_t length = strlen(name), suffix = strlen(SUFFIX);
	return length > suffix && strcmp(name + length - suffix, SUFFIX) == 0;
}

static void restore(void *context, const char *contact, const char *name, const struct stat *status)
{
	if (name[0] != '.' && !is_partial(name)) {
		/* Directories that are no JID are ignored. */
		hub_restore_inbox_file(context, contact, name, (uint64_t)status->st_size,
				       &status->st_mtim);
	}
}

void download_attach(struct inbox *inbox, struct hub *hub)
{
	inbox_for_each(inbox, restore, hub);
	hub_set_inbox(hub, (struct hub_inbox){.context = inbox, .receive = receive});
}
