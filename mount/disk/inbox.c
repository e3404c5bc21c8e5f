/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* renameat2 */

#include "mount/disk/inbox.h"

#include "account/name.h"
#include "ibb/utf8.h"
#include "mount/disk/relay.h"
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
#define MOST_COMING 256

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
	atomic_uint coming;		/* files */
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
		hub_restore(context, contact, name, (uint64_t)status->st_size, &status->st_mtim);
	}
}

void inbox_restore(struct inbox *inbox, struct hub *hub)
{
	for_each(inbox, restore, hub);
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

struct coming {
	struct relay relay; /* first */
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
static int create(struct coming *coming, const char *name)
{
	for (unsigned n = 1; n < 10000; n++) {
		if (n == 1) {
			strcpy(coming->name, name);
		} else {
			name_number(coming->name, name, n);
		}
		if (is_there(coming->directory, coming->name)) {
			continue;
		}
		make_partial(coming->partial, coming->name);
		coming->fd = openat(coming->directory, coming->partial,
				    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (coming->fd >= 0 || errno != EEXIST) {
			return coming->fd >= 0 ? 0 : -errno;
		}
	}
	return -EEXIST;
}

static int open_file(struct coming *coming, const char *name)
{
	int inbox = coming->inbox->fd;
	if (mkdirat(inbox, coming->contact, 0700) && errno != EEXIST) {
		return -errno;
	}
	coming->directory =
		openat(inbox, coming->contact, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return coming->directory >= 0 ? create(coming, name) : -errno;
}

static void path_of(const struct coming *coming, const char *name, char path[PATH_SIZE])
{
	snprintf(path, PATH_SIZE, "%s/%s", coming->contact, name);
}

/* Never over another file. 0 or -errno. */
static int rename_to(const struct coming *coming, const char *name)
{
	int directory = coming->directory;
	if (renameat2(directory, coming->partial, directory, name, RENAME_NOREPLACE) == 0) {
		return 0;
	}
	if (errno != EINVAL && errno != ENOSYS) {
		return -errno;
	}
	/* A file system that cannot: a link can as well not be over another. */
	if (linkat(directory, coming->partial, directory, name, 0) == 0) {
		unlinkat(directory, coming->partial, 0);
		return 0;
	}
	if (errno == EEXIST || is_there(directory, name)) {
		return -EEXIST;
	}
	/* Nor has it links, as some that are served over the network. */
	return renameat(directory, coming->partial, directory, name) == 0 ? 0 : -errno;
}

/* Gives the file its name. 0 or -errno. */
static int rename_file(struct coming *coming)
{
	char wanted[NAME_MAX_BYTES + 1];
	strcpy(wanted, coming->name);
	for (unsigned n = 2; n < 10000; n++) {
		int error = rename_to(coming, coming->name);
		if (error != -EEXIST) {
			return error;
		}
		name_number(coming->name, wanted, n);
	}
	return -EEXIST;
}

static int write_piece(struct coming *coming, const struct op *op)
{
	size_t length = (size_t)op->result, done = 0;
	uint64_t end = coming->written + length;
	if (end > coming->reserved) {
		if (!reserve(coming->inbox, end - coming->reserved)) {
			return -EDQUOT;
		}
		coming->reserved = end;
	}
	while (done < length) {
		ssize_t written = write(coming->fd, op->data + done, length - done);
		if (written < 0 && errno != EINTR) {
			return -errno;
		}
		done += written > 0 ? (size_t)written : 0;
	}
	coming->written = end;
	atomic_fetch_sub(&coming->inbox->awaited, length);
	return 0;
}

static void finish(struct coming *coming)
{
	char path[PATH_SIZE];
	if (coming->date != TERMS_NO_DATE) {
		struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = coming->date}};
		futimens(coming->fd, times); /* a date that no file can have is left out */
	}
	int error = rename_file(coming);
	if (error) {
		log_warning("%s/%s: %s", coming->contact, coming->partial, strerror(-error));
	}
	path_of(coming, coming->name, path);
	if (hub_end_keeping(coming->hub, coming->ino, path, error) == -ENOENT && !error) {
		/* Removed at the very end. */
		give_back(coming->inbox, coming->written);
		unlinkat(coming->directory, coming->name, 0);
	}
}

static void fail(struct coming *coming, int error)
{
	int result = hub_end_keeping(coming->hub, coming->ino, "", error);
	if (coming->fd >= 0 && (result == -ENOENT || coming->written == 0)) {
		/* rm in the mount, or nothing has come: there is nothing to look at. */
		give_back(coming->inbox, coming->written);
		unlinkat(coming->directory, coming->partial, 0);
		coming->reserved -= coming->written;
		coming->written = 0;
	} else {
		log_warning("%s/%s: %s", coming->contact, coming->partial, strerror(-error));
	}
}

static bool step(struct relay *relay)
{
	struct coming *coming = (struct coming *)relay;
	const struct op *op = &relay->request.op;
	if (!coming->started) {
		char path[PATH_SIZE];
		coming->started = true;
		path_of(coming, coming->partial, path);
		relay_renew(relay, OP_FLUSH, 0);
		hub_begin_keeping(coming->hub, coming->ino, path, &relay->request);
		return true;
	}
	bool was_read = op->kind == OP_READ;
	int error = op->result < 0 ? (int)op->result : 0;
	if (!error && was_read && op->result == 0) {
		finish(coming);
		return false;
	}
	if (!error && was_read) {
		error = write_piece(coming, op);
	}
	if (error) {
		fail(coming, error);
		return false;
	}
	relay_renew(relay, OP_READ, PIECE);
	hub_keep_more(coming->hub, coming->ino, &relay->request);
	return true;
}

static void end(struct relay *relay)
{
	struct coming *coming = (struct coming *)relay;
	stop_awaiting(coming->inbox, coming->reserved - coming->written);
	atomic_fetch_sub(&coming->inbox->coming, 1);
	if (coming->fd >= 0) {
		close(coming->fd);
	}
	if (coming->directory >= 0) {
		close(coming->directory);
	}
	op_finish(&relay->request.op);
	free(coming);
}

void inbox_receive(struct inbox *inbox, struct hub *hub, const struct arrival *arrival)
{
	uint64_t size = arrival->size > 0 ? (uint64_t)arrival->size : 0;
	struct coming *coming = calloc(1, sizeof(*coming));
	bool many = atomic_load(&inbox->coming) >= MOST_COMING;
	if (!coming || many || !reserve(inbox, size)) {
		log_warning("%s/%s: %s", arrival->contact, arrival->name,
			    !coming ? "out of memory"
			    : many  ? "too many files come at once"
				    : "does not fit in the inbox");
		hub_refuse(hub, arrival->ino);
		free(coming);
		return;
	}
	atomic_fetch_add(&inbox->coming, 1);
	coming->relay.step = step;
	coming->relay.end = end;
	coming->inbox = inbox;
	coming->hub = hub;
	coming->ino = arrival->ino;
	coming->date = arrival->date;
	coming->reserved = size;
	coming->directory = coming->fd = -1;
	snprintf(coming->contact, sizeof(coming->contact), "%s", arrival->contact);
	int error = open_file(coming, arrival->name);
	if (error) {
		log_warning("%s/%s: %s", arrival->contact, arrival->name, strerror(-error));
		hub_refuse(hub, arrival->ino);
		end(&coming->relay);
		return;
	}
	relay_start(&coming->relay);
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
