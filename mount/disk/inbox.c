/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* renameat2 */

#include "mount/disk/inbox.h"

#include "account/name.h"
#include "ibb/utf8.h"
#include "mount/disk/transfer.h"
#include "mount/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Files that come at the same time: each has descriptors, of which a process has 1024, and
 * libstrophe must get one below that. */
#define MAX_DOWNLOADS 256

/* Bytes that are read from a stream at once. */
#define PIECE ((size_t)256 * 1024)

#define SUFFIX ".part"

/* "CONTACT/NAME", and the suffix. */
#define PATH_SIZE (2 * NAME_MAX_BYTES + 2 + sizeof(SUFFIX))

/* Counting what is there takes time, and peers must not make us do nothing else. */
#define COUNT_AGAIN_MS 1000

struct inbox {
	int fd; /* the directory */
	uint64_t quota;
	atomic_uint_fast64_t used;	/* with what is reserved for files that come */
	atomic_uint_fast64_t awaited;	/* of it, what is not written yet */
	atomic_int_fast64_t counted_ms; /* when it was last found out */
	atomic_uint downloads;		/* files */
};

/* ---- what is in it ---- */

/* Calls `visit` for each regular file of each directory in the inbox. */
static void for_each(struct inbox *inbox,
		     void (*visit)(void *context, const char *contact, const char *name,
				   const struct stat *status),
		     void *context)
{
	int fd = openat(inbox->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *contacts = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *contact, *file;
	struct stat status;
	while (contacts && (contact = readdir(contacts))) {
		if (contact->d_name[0] == '.') {
			continue;
		}
		fd = openat(inbox->fd, contact->d_name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		DIR *files = fd >= 0 ? fdopendir(fd) : NULL;
		while (files && (file = readdir(files))) {
			if (fstatat(fd, file->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
			    S_ISREG(status.st_mode)) {
				visit(context, contact->d_name, file->d_name, &status);
			}
		}
		if (files) {
			closedir(files);
		}
	}
	if (contacts) {
		closedir(contacts);
	}
}

static void count(void *context, const char *contact, const char *name, const struct stat *status)
{
	uint64_t *bytes = context;
	(void)contact, (void)name;
	*bytes += (uint64_t)status->st_size;
}

static uint64_t bytes_in(struct inbox *inbox)
{
	uint64_t bytes = 0;
	for_each(inbox, count, &bytes);
	return bytes;
}

struct inbox *inbox_create(const char *directory, uint64_t quota, int *error)
{
	*error = mkdir(directory, 0700) == 0 || errno == EEXIST ? 0 : -errno;
	int fd = *error ? -1 : open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		*error = *error ? *error : -errno;
		return NULL;
	}
	/* Now, not with the first file that comes. */
	if (faccessat(fd, ".", W_OK | X_OK, 0)) {
		*error = -errno;
		close(fd);
		return NULL;
	}
	struct inbox *inbox = calloc(1, sizeof(*inbox));
	if (!inbox) {
		*error = -ENOMEM;
		close(fd);
		return NULL;
	}
	inbox->fd = fd;
	inbox->quota = quota;
	atomic_init(&inbox->used, bytes_in(inbox));
	atomic_init(&inbox->awaited, 0);
	atomic_init(&inbox->counted_ms, 0);
	return inbox;
}

void inbox_destroy(struct inbox *inbox)
{
	if (inbox) {
		close(inbox->fd);
		free(inbox);
	}
}

static bool is_partial(const char *name)
{
	size_t length = strlen(name), suffix = strlen(SUFFIX);
	return length > suffix && strcmp(name + length - suffix, SUFFIX) == 0;
}

static void restore(void *context, const char *contact, const char *name, const struct stat *status)
{
	if (name[0] != '.' && !is_partial(name)) {
		/* What is no contact's is left alone. */
		hub_restore_inbox_file(context, contact, name, (uint64_t)status->st_size,
				       &status->st_mtim);
	}
}

/* ---- room ---- */

static bool fits(const struct inbox *inbox, uint64_t used, uint64_t bytes)
{
	return inbox->quota == 0 || (used <= inbox->quota && bytes <= inbox->quota - used);
}

/* Finds out what is used: files may have been taken out of the directory itself. */
static void count_again(struct inbox *inbox)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	int64_t now_ms = (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
	int64_t counted_ms = atomic_load(&inbox->counted_ms);
	if ((counted_ms > 0 && now_ms - counted_ms < COUNT_AGAIN_MS) ||
	    !atomic_compare_exchange_strong(&inbox->counted_ms, &counted_ms, now_ms)) {
		return;
	}
	/* In this order, what another thread does meanwhile counts twice rather than never: it
	 * changes `awaited` before it reserves, and after it has written or given back; and what it
	 * reserves or gives back makes the exchange fail. */
	uint64_t used = atomic_load(&inbox->used);
	uint64_t found = atomic_load(&inbox->awaited);
	found += bytes_in(inbox);
	atomic_compare_exchange_strong(&inbox->used, &used, found);
}

/* Whether there is room for `bytes` more; they are reserved then. */
static bool reserve(struct inbox *inbox, uint64_t bytes)
{
	if (!fits(inbox, atomic_load(&inbox->used), bytes)) {
		count_again(inbox);
	}
	atomic_fetch_add(&inbox->awaited, bytes);
	uint64_t used = atomic_load(&inbox->used);
	do {
		if (!fits(inbox, used, bytes)) {
			atomic_fetch_sub(&inbox->awaited, bytes);
			return false;
		}
	} while (!atomic_compare_exchange_weak(&inbox->used, &used, used + bytes));
	return true;
}

/* A file of that size goes. */
static void give_back(struct inbox *inbox, uint64_t bytes)
{
	uint64_t used = atomic_load(&inbox->used);
	while (!atomic_compare_exchange_weak(&inbox->used, &used,
					     used > bytes ? used - bytes : 0)) {
	}
}

/* So many bytes will not come. */
static void stop_awaiting(struct inbox *inbox, uint64_t bytes)
{
	give_back(inbox, bytes);
	atomic_fetch_sub(&inbox->awaited, bytes);
}

/* ---- a file that comes ---- */

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

/* "NAME.part", of a name that may be as long as there is. */
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

/* Never over another file. 0 or -errno. */
static int rename_to(const struct download *download, const char *name)
{
	int directory = download->directory;
	if (renameat2(directory, download->partial, directory, name, RENAME_NOREPLACE) == 0) {
		return 0;
	}
	if (errno != EINVAL && errno != ENOSYS) {
		return -errno;
	}
	/* A file system that cannot: a link can as well not be over another. */
	if (linkat(directory, download->partial, directory, name, 0) == 0) {
		unlinkat(directory, download->partial, 0);
		return 0;
	}
	if (errno == EEXIST || is_there(directory, name)) {
		return -EEXIST;
	}
	/* Nor has it links, as some that are served over the network. */
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
		if (!reserve(download->inbox, end - download->reserved)) {
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
	atomic_fetch_sub(&download->inbox->awaited, length);
	return 0;
}

static void finish(struct download *download)
{
	char path[PATH_SIZE];
	if (download->date != TERMS_NO_DATE) {
		struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = download->date}};
		futimens(download->fd, times); /* a date that no file can have is left out */
	}
	int error = rename_file(download);
	if (error) {
		log_warning("%s/%s: %s", download->contact, download->partial, strerror(-error));
	}
	path_of(download, download->name, path);
	if (hub_end_receiving(download->hub, download->ino, path, error) == -ENOENT && !error) {
		/* Removed at the very end. */
		give_back(download->inbox, download->written);
		unlinkat(download->directory, download->name, 0);
	}
}

static void fail(struct download *download, int error)
{
	int result = hub_end_receiving(download->hub, download->ino, "", error);
	if (download->fd >= 0 && (result == -ENOENT || download->written == 0)) {
		/* rm in the mount, or nothing has come: there is nothing to look at. */
		give_back(download->inbox, download->written);
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
		hub_begin_receiving(download->hub, download->ino, path, &transfer->request);
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
	hub_receive_more(download->hub, download->ino, &transfer->request);
	return true;
}

static void end(struct transfer *transfer)
{
	struct download *download = (struct download *)transfer;
	stop_awaiting(download->inbox, download->reserved - download->written);
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

/* Makes a file for what has arrived (borrowed for the call), or declines it for want of room. */
static void receive(void *context, struct hub *hub, const struct inbox_arrival *arrival)
{
	struct inbox *inbox = context;
	uint64_t size = arrival->size > 0 ? (uint64_t)arrival->size : 0;
	struct download *download = calloc(1, sizeof(*download));
	bool many = atomic_load(&inbox->downloads) >= MAX_DOWNLOADS;
	if (!download || many || !reserve(inbox, size)) {
		log_warning("%s/%s: %s", arrival->contact, arrival->name,
			    !download ? "out of memory"
			    : many    ? "too many files come at once"
				      : "does not fit in the inbox");
		hub_decline(hub, arrival->ino);
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
		hub_decline(hub, arrival->ino);
		end(&download->transfer);
		return;
	}
	transfer_start(&download->transfer);
}

void inbox_attach(struct inbox *inbox, struct hub *hub)
{
	for_each(inbox, restore, hub);
	hub_set_inbox(hub, (struct hub_inbox){.context = inbox, .receive = receive});
}

/* ---- reading ---- */

int inbox_open(const struct inbox *inbox, const char *path)
{
	int fd = openat(inbox->fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return fd >= 0 ? fd : -errno;
}

int inbox_stat(const struct inbox *inbox, const char *path, struct stat *status)
{
	return fstatat(inbox->fd, path, status, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : -errno;
}

int inbox_remove(struct inbox *inbox, const char *path)
{
	struct stat status;
	if (fstatat(inbox->fd, path, &status, AT_SYMLINK_NOFOLLOW) == 0) {
		give_back(inbox, (uint64_t)status.st_size);
		if (unlinkat(inbox->fd, path, 0) == 0) {
			return 0;
		}
		int error = -errno;
		atomic_fetch_add(&inbox->used, (uint64_t)status.st_size);
		return error;
	}
	return errno == ENOENT ? 0 : -errno;
}
