/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* renameat2, sync_file_range */

#include "mount/disk/download.h"

#include "account/inbox_file.h"
#include "account/name.h"
#include "ibb/utf8.h"
#include "mount/disk/folder.h"
#include "mount/disk/syncer.h"
#include "mount/disk/transfer.h"
#include "mount/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Downloads at the same time: each has descriptors, and libstrophe needs one below 1024. */
#define MAX_DOWNLOADS 256

/* How often a folder that was removed meanwhile is made again. */
#define MAX_TRIES 10

/* Bytes that are read from a stream at once. */
#define PIECE ((size_t)256 * 1024)

/* Bytes after which their write-back begins, so that the sync at the end is short. */
#define WRITE_BACK ((uint64_t)8 * 1024 * 1024)

#define SUFFIX ".part"

/* "CONTACT/FOLDER/NAME", and the suffix. */
#define PATH_SIZE (2 * NAME_MAX_BYTES + NAME_FOLDER_SIZE + 3 + sizeof(SUFFIX))

/* What the next step does. */
enum stage {
	STAGE_CREATE,
	STAGE_TRANSFER,
	STAGE_SYNC,	/* the bytes so far are durable, or could not be made so */
	STAGE_CONCLUDE, /* the file is durable, or could not be made so */
};

struct download {
	struct transfer transfer; /* first */
	struct sync sync;
	enum stage stage;
	struct inbox *inbox;
	struct hub *hub;
	uint64_t ino;
	int64_t date;
	uint64_t announced, written;
	struct usage reserved, spent; /* of the quota; on disk */
	uint64_t started;	      /* bytes whose write-back has begun */
	unsigned made;		      /* inbox.made, when it was synced */
	bool named;		      /* it has its name on disk */
	int directory, fd;
	char contact[NAME_MAX_BYTES + 1], folder[NAME_FOLDER_SIZE], name[NAME_MAX_BYTES + 1];
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

/* Opens the contact's directory, which is made if it is missing. */
static int open_contact(const struct download *download)
{
	int inbox = download->inbox->fd;
	if (mkdirat(inbox, download->contact, 0700) == 0) {
		atomic_fetch_add(&download->inbox->made, 1);
		quota_add(&download->inbox->quota, quota_file(&download->inbox->quota, 0));
	} else if (errno != EEXIST) {
		return -errno;
	}
	int fd = openat(inbox, download->contact, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd >= 0 ? fd : -errno;
}

/* Likewise, the file's folder in it. */
static int open_directory(struct download *download)
{
	struct inbox *inbox = download->inbox;
	char wanted[NAME_FOLDER_SIZE];
	int contact = open_contact(download);
	if (contact < 0 || download->folder[0] == '\0') {
		return contact;
	}
	strcpy(wanted, download->folder);
	int fd = folder_make(contact, wanted, inbox->syncer != NULL, &inbox->quota,
			     download->folder, sizeof(download->folder));
	close(contact);
	return fd;
}

/* Removes the directories of the file's folder that are empty. */
static void prune(const struct download *download)
{
	char path[PATH_SIZE];
	snprintf(path, sizeof(path), "%s%s%s", download->contact,
		 download->folder[0] != '\0' ? "/" : "", download->folder);
	folder_prune(download->inbox->fd, path, &download->inbox->quota);
}

static int open_file(struct download *download, const char *name)
{
	char folder[NAME_FOLDER_SIZE];
	int error = -ENOENT;
	strcpy(folder, download->folder);
	/* ENOENT: rm has emptied the folder, or one above it, and removed it. */
	for (int i = 0; i < MAX_TRIES && error == -ENOENT; i++) {
		if (download->directory >= 0) {
			close(download->directory);
		}
		strcpy(download->folder, folder);
		download->directory = open_directory(download);
		error = download->directory >= 0 ? create(download, name) : download->directory;
	}
	if (error) {
		prune(download);
	}
	return error;
}

static void path_of(const struct download *download, const char *name, char path[PATH_SIZE])
{
	snprintf(path, PATH_SIZE, "%s/%s%s%s", download->contact, download->folder,
		 download->folder[0] != '\0' ? "/" : "", name);
}

/* A line in the log. */
static void warn(const struct download *download, const char *name, const char *why)
{
	char path[PATH_SIZE];
	path_of(download, name, path);
	log_warning("%s: %s", path, why);
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

static void start_write_back(struct download *download)
{
	uint64_t length = download->written - download->started;
	if (download->inbox->syncer && length >= WRITE_BACK) {
		sync_file_range(download->fd, (off64_t)download->started, (off64_t)length,
				SYNC_FILE_RANGE_WRITE); /* an error is fdatasync's, too */
		download->started = download->written;
	}
}

/* Reserves what the file needs to have that size. -EDQUOT. */
static int reserve(struct download *download, uint64_t size)
{
	struct quota *quota = &download->inbox->quota;
	struct usage needed = quota_file(quota, size), *reserved = &download->reserved;
	if (needed.bytes > reserved->bytes) {
		struct usage more = {needed.files - reserved->files,
				     needed.bytes - reserved->bytes};
		if (!quota_reserve(quota, more)) {
			return -EDQUOT;
		}
		*reserved = needed;
	}
	return 0;
}

/* The file has that size now. */
static void spend(struct download *download, uint64_t size)
{
	struct quota *quota = &download->inbox->quota;
	struct usage now = quota_file(quota, size), *spent = &download->spent;
	quota_write(quota, (struct usage){now.files - spent->files, now.bytes - spent->bytes});
	*spent = now;
}

/* It is removed. */
static void give_back(struct download *download)
{
	struct usage *reserved = &download->reserved, *spent = &download->spent;
	quota_remove(&download->inbox->quota, *spent);
	reserved->files -= spent->files;
	reserved->bytes -= spent->bytes;
	*spent = (struct usage){0};
}

/* What is reserved, and not written. */
static void give_up_rest(struct download *download)
{
	const struct usage *reserved = &download->reserved, *spent = &download->spent;
	quota_cancel(&download->inbox->quota, (struct usage){reserved->files - spent->files,
							     reserved->bytes - spent->bytes});
}

static int write_piece(struct download *download, const struct op *op)
{
	size_t length = (size_t)op->result, done = 0;
	uint64_t end = download->written + length;
	int error = reserve(download, end);
	if (error) {
		return error;
	}
	while (done < length) {
		ssize_t written = write(download->fd, op->data + done, length - done);
		if (written < 0 && errno != EINTR) {
			return -errno;
		}
		done += written > 0 ? (size_t)written : 0;
	}
	download->written = end;
	spend(download, end);
	start_write_back(download);
	return 0;
}

static struct download *download_of(struct sync *sync)
{
	return (struct download *)((char *)sync - offsetof(struct download, sync));
}

/* A file system may report only now that a write has failed. */
static int close_file(struct download *download)
{
	int fd = download->fd;
	download->fd = -1;
	/* EINTR: Linux has closed it. */
	return close(fd) == 0 || errno == EINTR ? 0 : -errno;
}

/* Its bytes are durable, or need not be: the file gets its name, and readers find it there. 0 or
 * -errno. */
static int name_file(struct sync *sync)
{
	struct download *download = download_of(sync);
	char path[PATH_SIZE];
	int error = close_file(download);
	if (!error) {
		error = rename_file(download);
	}
	if (error) {
		return error;
	}
	download->named = true;
	path_of(download, download->name, path);
	return hub_download_name(download->hub, download->ino, path);
}

static void deliver_sync(struct sync *sync)
{
	struct request *request = &download_of(sync)->transfer.request;
	request->op.result = sync->result;
	request->deliver(request);
}

/* `name`: as of struct sync. The next step follows. */
static void submit_sync(struct download *download, int (*name)(struct sync *sync))
{
	struct inbox *inbox = download->inbox;
	download->made = atomic_load(&inbox->made);
	download->sync = (struct sync){
		.fd = download->fd,
		.directory = download->directory,
		.above = download->made > atomic_load(&inbox->durable) ? inbox->fd : -1,
		.name = name,
		.done = deliver_sync,
	};
	syncer_submit(inbox->syncer, &download->sync);
}

/* The peer may believe that this was all. */
static void sync_so_far(struct download *download)
{
	download->stage = STAGE_SYNC;
	transfer_renew(&download->transfer, OP_FLUSH, 0);
	submit_sync(download, NULL);
}

/* Every byte is written. The next step follows when the file has its name. */
static void finish(struct download *download)
{
	struct sync *sync = &download->sync;
	struct inbox *inbox = download->inbox;
	if (download->date != METADATA_NO_DATE) {
		struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = download->date}};
		futimens(download->fd, times); /* a date out of range is ignored */
	}
	download->stage = STAGE_CONCLUDE;
	transfer_renew(&download->transfer, OP_FLUSH, 0);
	if (inbox->syncer) {
		submit_sync(download, name_file);
	} else {
		sync->result = name_file(sync);
		deliver_sync(sync);
	}
}

/* Takes back the name that the file has: it may not be durable. */
static void unname(struct download *download)
{
	int directory = download->directory;
	if (download->named) {
		download->named = false;
		if (renameat2(directory, download->name, directory, download->partial,
			      RENAME_NOREPLACE)) {
			warn(download, download->name, strerror(errno));
		}
	}
}

/* `of_disk`: the file could not be stored; otherwise its stream has failed. */
static void fail(struct download *download, int error, bool of_disk)
{
	unname(download);
	int result = hub_download_end(download->hub, download->ino, "", error);
	if (result == -ENOENT || (download->written == 0 && !of_disk)) {
		/* The file was removed from the mount, or nothing of it has come: no .part file
		 * remains. */
		give_back(download);
		unlinkat(download->directory, download->partial, 0);
		prune(download);
		download->written = 0;
	} else {
		warn(download, download->partial, strerror(-error));
	}
}

/* The file is durable, and has its name; the hub may say so. */
static void conclude(struct download *download)
{
	struct inbox *inbox = download->inbox;
	int error = (int)download->transfer.request.op.result;
	char path[PATH_SIZE];
	if (error) {
		fail(download, error, true);
		return;
	}
	unsigned durable = atomic_load(&inbox->durable);
	while (durable < download->made &&
	       !atomic_compare_exchange_weak(&inbox->durable, &durable, download->made)) {
	}
	path_of(download, download->name, path);
	if (hub_download_end(download->hub, download->ino, path, 0) == -ENOENT) {
		/* It was removed from the mount meanwhile. */
		give_back(download);
		unlinkat(download->directory, download->name, 0);
		prune(download);
	}
}

/* ---- the steps ---- */

static bool decline(const struct download *download, int error)
{
	/* Who sends more than fits may go on sending: the first line says it. */
	if (error != -EDQUOT || quota_tell(&download->inbox->quota)) {
		warn(download, download->name,
		     error == -EDQUOT ? "does not fit in the inbox" : strerror(-error));
	}
	hub_download_decline(download->hub, download->ino);
	return false;
}

/* When the directory was counted, files may have been missing: their names are removed. So there
 * are no more names than files may be in the inbox, and a few. */
static void forget_missing(const struct download *download)
{
	struct inbox *inbox = download->inbox;
	struct hub *hub = download->hub;
	unsigned counts = quota_counts(&inbox->quota);
	char path[PATH_MAX];
	uint64_t ino = 0, missing = 0;
	if (atomic_exchange(&inbox->pruned, counts) == counts) {
		return;
	}
	while (hub_next_inbox_file(hub, &ino, path, sizeof(path))) {
		hub_remove_inbox_file(hub, missing); /* the search went on from it */
		struct stat status;
		missing = inbox_stat(inbox, path, &status) == -ENOENT ? ino : 0;
	}
	hub_remove_inbox_file(hub, missing);
}

/* Makes a file for an arrival, or declines it when there is no room. */
static bool begin(struct download *download)
{
	char path[PATH_SIZE], name[NAME_MAX_BYTES + 1];
	int error = reserve(download, download->announced);
	forget_missing(download);
	if (error) {
		return decline(download, error);
	}
	strcpy(name, download->name);
	error = open_file(download, name);
	if (error) {
		return decline(download, error);
	}
	spend(download, 0);
	download->stage = STAGE_TRANSFER;
	path_of(download, download->partial, path);
	transfer_renew(&download->transfer, OP_FLUSH, 0);
	hub_download_begin(download->hub, download->ino, path, &download->transfer.request);
	return true;
}

/* Stores the bytes of the last read, and reads on. */
static bool go_on(struct download *download)
{
	const struct op *op = &download->transfer.request.op;
	if (op->kind == OP_READ && op->result == INBOX_FILE_SYNC) {
		sync_so_far(download);
		return true;
	}
	if (op->result < 0) {
		fail(download, (int)op->result, false);
		return false;
	}
	if (op->kind == OP_READ && op->result == 0) {
		finish(download);
		return true;
	}
	int error = op->kind == OP_READ ? write_piece(download, op) : 0;
	if (error) {
		fail(download, error, true);
		return false;
	}
	transfer_renew(&download->transfer, OP_READ, PIECE);
	hub_download_read(download->hub, download->ino, false, &download->transfer.request);
	return true;
}

static bool go_on_synced(struct download *download)
{
	int error = (int)download->transfer.request.op.result;
	if (error) {
		fail(download, error, true);
		return false;
	}
	download->stage = STAGE_TRANSFER;
	transfer_renew(&download->transfer, OP_READ, PIECE);
	hub_download_read(download->hub, download->ino, true, &download->transfer.request);
	return true;
}

static bool step(struct transfer *transfer)
{
	struct download *download = (struct download *)transfer;
	switch (download->stage) {
	case STAGE_CREATE:
		return begin(download);
	case STAGE_TRANSFER:
		return go_on(download);
	case STAGE_SYNC:
		return go_on_synced(download);
	case STAGE_CONCLUDE:
		break;
	}
	conclude(download);
	return false;
}

static void end(struct transfer *transfer)
{
	struct download *download = (struct download *)transfer;
	struct inbox *inbox = download->inbox;
	give_up_rest(download);
	if (download->fd >= 0) {
		close(download->fd);
	}
	if (download->directory >= 0) {
		close(download->directory);
	}
	op_finish(&transfer->request.op);
	free(download);
	atomic_fetch_sub(&inbox->downloads, 1); /* the inbox may go now */
}

/* Begins the download of an arrival (borrowed for the call). */
static void receive(void *context, struct hub *hub, const struct inbox_arrival *arrival)
{
	struct inbox *inbox = context;
	struct download *download = calloc(1, sizeof(*download));
	bool many = atomic_load(&inbox->downloads) >= MAX_DOWNLOADS;
	if (!download || many) {
		log_warning("%s/%s: %s", arrival->contact, arrival->name,
			    many ? "too many files come at once" : "out of memory");
		hub_download_decline(hub, arrival->ino);
		free(download);
		return;
	}
	atomic_fetch_add(&inbox->downloads, 1);
	download->transfer.step = step;
	download->transfer.end = end;
	download->transfer.pool = inbox->pool;
	download->inbox = inbox;
	download->hub = hub;
	download->ino = arrival->ino;
	download->date = arrival->date;
	download->announced = arrival->size > 0 ? (uint64_t)arrival->size : 0;
	download->directory = download->fd = -1;
	snprintf(download->contact, sizeof(download->contact), "%s", arrival->contact);
	snprintf(download->folder, sizeof(download->folder), "%s", arrival->folder);
	snprintf(download->name, sizeof(download->name), "%s", arrival->name);
	transfer_start(&download->transfer);
	/* cppcheck-suppress memleak ; the transfer's */
}

/* ---- what was there before ---- */

static bool is_partial(const char *name)
{
	size_t length = strlen(name), suffix = strlen(SUFFIX);
	return length > suffix && strcmp(name + length - suffix, SUFFIX) == 0;
}

static void restore(void *context, const char *contact, const char *folder, const char *name,
		    const struct stat *status)
{
	if (name && S_ISREG(status->st_mode) && name[0] != '.' && !is_partial(name)) {
		/* Directories that are no JID are ignored. */
		hub_restore_inbox_file(context, contact, folder, name, (uint64_t)status->st_size,
				       &status->st_mtim);
	}
}

void download_attach(struct inbox *inbox, struct hub *hub)
{
	hub_set_inbox(hub, (struct hub_inbox){.context = inbox,
					      .syncs = inbox->syncer != NULL,
					      .receive = receive});
	inbox_for_each(inbox, restore, hub);
}
