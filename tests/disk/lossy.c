/* SPDX-License-Identifier: MIT */
/*
 * lossy - a file system in memory whose power can be cut: it knows what would be left.
 *
 *     lossy MOUNTPOINT          in the foreground, until it is unmounted
 *
 * Every file has its bytes, and those of its last fsync; every directory has its entries, and those
 * of its last fsync. Extended attributes of the root command it:
 *
 *     user.cut    "SEED DIRECTORY"      writes to DIRECTORY, outside, what a power cut would leave
 *                                       now: what was synced and, at random, some of the rest. Seed
 *                                       0: nothing of the rest.
 *     user.fault  "CALL ERRNO COUNT"    the next COUNT calls of that kind fail: write, fsync,
 *                                       rename, close. A failed fsync drops the bytes: they can
 *                                       be read, but no later one makes them durable.
 *
 * Lines on standard input make it hang, and go on; each is answered with a line "done":
 *
 *     hang CALL       all calls, or each write, fsync, rename, close, read, stat, access, open (and
 *                     create, mkdir, readdir) or unlink, hang from now on, whatever the file
 *     freeze CALL     likewise, and do not fail when their callers are killed
 *     wait            answered when a call hangs
 *     go              they go on
 *
 * A call that hangs fails if its caller is killed, as with NFS, unless it is frozen, as by a dead
 * SCSI disk.
 *
 * Errors:  those of the calls; an unknown command is EINVAL.
 * Threads: those of libfuse; one lock around everything.
 */
#define FUSE_USE_VERSION 31
#define _GNU_SOURCE

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct bytes {
	char *data;
	size_t size;
};

struct entry {
	struct entry *next;
	struct inode *inode;
	char name[256];
};

/* Never freed: what is left after a cut may be any of them. */
struct inode {
	bool is_directory;
	bool is_journal; /* of an ibbfs: its writes never fail */
	struct bytes now, synced;
	struct bytes lost; /* 1 for each byte that a failed fsync has dropped, as Linux does */
	struct entry *entries, *synced_entries;
	struct timespec modified;
};

enum fault {
	FAULT_WRITE,
	FAULT_FSYNC,
	FAULT_RENAME,
	FAULT_CLOSE,
	FAULTS
};

static const char *const fault_names[FAULTS] = {"write", "fsync", "rename", "close"};

/* What "hang" names. */
static const char *hanging = "none";
static bool is_frozen;
static unsigned held; /* calls that hang */
static pthread_mutex_t gate_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_changed = PTHREAD_COND_INITIALIZER;
static pthread_cond_t gate_held = PTHREAD_COND_INITIALIZER;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct inode root = {.is_directory = true};
static struct {
	int error;
	unsigned count;
} faults[FAULTS];

static void *must(void *memory)
{
	if (!memory) {
		abort();
	}
	return memory;
}

/* With the lock held: the error of a call of that kind. */
static int fault(enum fault kind)
{
	if (faults[kind].count == 0) {
		return 0;
	}
	faults[kind].count--;
	return -faults[kind].error;
}

/* ---- hanging ---- */

/* At the beginning of a call of that kind: returns when it does not hang. -EINTR: the caller is
 * gone. */
static int gate(const char *call)
{
	int error = 0;
	pthread_mutex_lock(&gate_mutex);
	while (!error && (strcmp(hanging, "all") == 0 || strcmp(hanging, call) == 0)) {
		struct timespec until;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 20000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		held++;
		pthread_cond_signal(&gate_held);
		pthread_cond_timedwait(&gate_changed, &gate_mutex, &until);
		held--;
		error = fuse_interrupted() && !is_frozen ? -EINTR : 0;
	}
	pthread_mutex_unlock(&gate_mutex);
	return error;
}

/* With the lock held: what hangs from now on. */
static void set_hanging(const char *call)
{
	static const char *const calls[] = {"all",  "write", "fsync", "rename", "close",
					    "read", "stat",  "open",  "unlink", "access"};
	hanging = "none";
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		hanging = strcmp(call, calls[i]) == 0 ? calls[i] : hanging;
	}
	pthread_cond_broadcast(&gate_changed);
}

static void *obey(void *unused)
{
	char line[64], word[64], call[64];
	(void)unused;
	while (fgets(line, sizeof(line), stdin)) {
		int words = sscanf(line, "%63s %63s", word, call);
		pthread_mutex_lock(&gate_mutex);
		if (words == 1 && strcmp(word, "wait") == 0) {
			while (held == 0) {
				pthread_cond_wait(&gate_held, &gate_mutex);
			}
		} else {
			is_frozen = strcmp(word, "freeze") == 0;
			set_hanging(words == 2 ? call : "none");
		}
		pthread_mutex_unlock(&gate_mutex);
		puts("done");
		fflush(stdout);
	}
	return NULL;
}

/* ---- names ---- */

static struct entry **entry_of(struct inode *directory, const char *name)
{
	struct entry **at = &directory->entries;
	while (*at && strcmp((*at)->name, name) != 0) {
		at = &(*at)->next;
	}
	return at;
}

/* The directory of `path`, and the last name in it. */
static struct inode *directory_of(const char *path, const char **name)
{
	struct inode *inode = &root;
	const char *slash;
	path++;
	while ((slash = strchr(path, '/'))) {
		char part[256];
		snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
		struct entry *entry = *entry_of(inode, part);
		if (!entry || !entry->inode->is_directory) {
			return NULL;
		}
		inode = entry->inode;
		path = slash + 1;
	}
	*name = path;
	return inode;
}

static struct inode *find(const char *path)
{
	const char *name;
	if (strcmp(path, "/") == 0) {
		return &root;
	}
	struct inode *directory = directory_of(path, &name);
	struct entry *entry = directory ? *entry_of(directory, name) : NULL;
	return entry ? entry->inode : NULL;
}

static struct inode *inode_of(const char *path, const struct fuse_file_info *info)
{
	return info && info->fh ? (struct inode *)(uintptr_t)info->fh : find(path);
}

static void add(struct entry **list, struct inode *inode, const char *name)
{
	struct entry *entry = must(calloc(1, sizeof(*entry)));
	entry->inode = inode;
	snprintf(entry->name, sizeof(entry->name), "%s", name);
	entry->next = *list;
	*list = entry;
}

static void drop(struct entry **at)
{
	struct entry *entry = *at;
	*at = entry->next;
	free(entry);
}

static void touch(struct inode *inode)
{
	clock_gettime(CLOCK_REALTIME, &inode->modified);
}

static int make(const char *path, bool is_directory, struct inode **made)
{
	const char *name;
	struct inode *directory = directory_of(path, &name);
	if (!directory || *entry_of(directory, name)) {
		return directory ? -EEXIST : -ENOENT;
	}
	*made = must(calloc(1, sizeof(**made)));
	(*made)->is_directory = is_directory;
	add(&directory->entries, *made, name);
	touch(directory);
	return 0;
}

/* ---- the power cut ---- */

static void copy_bytes(struct bytes *to, const struct bytes *from)
{
	to->data = must(realloc(to->data, from->size + 1));
	memcpy(to->data, from->data ? from->data : "", from->size);
	to->size = from->size;
}

/* What a failed fsync has dropped can be read, and no later fsync writes it. */
static void lose_bytes(struct inode *inode)
{
	struct bytes *lost = &inode->lost;
	const struct bytes *now = &inode->now, *synced = &inode->synced;
	lost->data = must(realloc(lost->data, now->size + 1));
	if (lost->size < now->size) {
		memset(lost->data + lost->size, 0, now->size - lost->size);
	}
	lost->size = now->size;
	for (size_t i = 0; i < now->size; i++) {
		if (i >= synced->size || now->data[i] != synced->data[i]) {
			lost->data[i] = 1;
		}
	}
}

static void sync_bytes(struct inode *inode)
{
	struct bytes before = inode->synced, *synced = &inode->synced;
	*synced = (struct bytes){0};
	copy_bytes(synced, &inode->now);
	for (size_t i = 0; i < inode->lost.size && i < synced->size; i++) {
		if (inode->lost.data[i]) {
			synced->data[i] = i < before.size ? before.data[i] : '\0';
		}
	}
	free(before.data);
}

static void sync_inode(struct inode *inode)
{
	sync_bytes(inode);
	while (inode->synced_entries) {
		drop(&inode->synced_entries);
	}
	for (const struct entry *entry = inode->entries; entry; entry = entry->next) {
		add(&inode->synced_entries, entry->inode, entry->name);
	}
}

static void write_left(const struct inode *inode, const char *path, bool rest, unsigned *seed);

static void write_file(const struct inode *inode, const char *path, bool rest, unsigned *seed)
{
	FILE *file = must(fopen(path, "w"));
	const struct bytes *bytes = &inode->synced;
	size_t length = bytes->size;
	if (rest && inode->now.size > 0 && rand_r(seed) % 2) {
		bytes = &inode->now;
		length = inode->synced.size < bytes->size
				 ? inode->synced.size +
					   (size_t)rand_r(seed) %
						   (bytes->size - inode->synced.size + 1)
				 : bytes->size;
	}
	if (length > 0 && fwrite(bytes->data, length, 1, file) != 1) {
		abort();
	}
	fclose(file);
}

static void write_left(const struct inode *inode, const char *path, bool rest, unsigned *seed)
{
	if (!inode->is_directory) {
		write_file(inode, path, rest, seed);
		return;
	}
	bool early = rest && rand_r(seed) % 2;
	mkdir(path, 0700);
	const struct entry *entry = early ? inode->entries : inode->synced_entries;
	for (; entry; entry = entry->next) {
		char below[4096];
		snprintf(below, sizeof(below), "%s/%s", path, entry->name);
		write_left(entry->inode, below, rest, seed);
	}
}

static int cut(const char *value)
{
	unsigned seed;
	char path[4096];
	if (sscanf(value, "%u %4095s", &seed, path) != 2) {
		return -EINVAL;
	}
	write_left(&root, path, seed > 0, &seed);
	return 0;
}

static int arm(const char *value)
{
	char call[16];
	int error;
	unsigned count;
	if (sscanf(value, "%15s %d %u", call, &error, &count) != 3) {
		return -EINVAL;
	}
	for (unsigned i = 0; i < FAULTS; i++) {
		if (strcmp(call, fault_names[i]) == 0) {
			faults[i].error = error;
			faults[i].count = count;
			return 0;
		}
	}
	return -EINVAL;
}

static int locked(int result)
{
	pthread_mutex_unlock(&mutex);
	return result;
}

static int lossy_setxattr(const char *path, const char *name, const char *value, size_t size,
			  int flags)
{
	char text[4200];
	(void)path, (void)flags;
	snprintf(text, sizeof(text), "%.*s", (int)size, value);
	pthread_mutex_lock(&mutex);
	if (strcmp(name, "user.cut") == 0) {
		return locked(cut(text));
	}
	return locked(strcmp(name, "user.fault") == 0 ? arm(text) : -ENOTSUP);
}

/* ---- calls ---- */

static int lossy_getattr(const char *path, struct stat *status, struct fuse_file_info *info)
{
	int hung = gate("stat");
	if (hung) {
		return hung;
	}
	pthread_mutex_lock(&mutex);
	const struct inode *inode = inode_of(path, info);
	if (!inode) {
		return locked(-ENOENT);
	}
	*status = (struct stat){
		.st_ino = (ino_t)(uintptr_t)inode,
		.st_mode = inode->is_directory ? S_IFDIR | 0700 : S_IFREG | 0600,
		.st_nlink = 1,
		.st_uid = getuid(),
		.st_gid = getgid(),
		.st_size = (off_t)inode->now.size,
		.st_mtim = inode->modified,
	};
	return locked(0);
}

static int lossy_access(const char *path, int mask)
{
	(void)path, (void)mask;
	return gate("access");
}

static int lossy_readdir(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset,
			 struct fuse_file_info *info, enum fuse_readdir_flags flags)
{
	(void)offset, (void)flags;
	int hung = gate("open");
	if (hung) {
		return hung;
	}
	pthread_mutex_lock(&mutex);
	const struct inode *inode = inode_of(path, info);
	for (const struct entry *entry = inode ? inode->entries : NULL; entry;
	     entry = entry->next) {
		fill(buffer, entry->name, NULL, 0, 0);
	}
	return locked(inode ? 0 : -ENOENT);
}

static int lossy_open(const char *path, struct fuse_file_info *info)
{
	int hung = gate("open");
	if (hung) {
		return hung;
	}
	pthread_mutex_lock(&mutex);
	struct inode *inode = find(path);
	info->fh = (uint64_t)(uintptr_t)inode;
	if (inode && info->flags & O_TRUNC) {
		inode->now.size = 0;
	}
	return locked(inode ? 0 : -ENOENT);
}

static int lossy_create(const char *path, mode_t mode, struct fuse_file_info *info)
{
	struct inode *inode = NULL;
	(void)mode;
	int hung = gate("open");
	if (hung) {
		return hung;
	}
	pthread_mutex_lock(&mutex);
	int error = make(path, false, &inode);
	if (!error) {
		inode->is_journal = strstr(path, "/.ibbfs/") != NULL;
	}
	info->fh = (uint64_t)(uintptr_t)inode;
	return locked(error);
}

static int lossy_mkdir(const char *path, mode_t mode)
{
	struct inode *inode;
	(void)mode;
	int hung = gate("open");
	if (hung) {
		return hung;
	}
	pthread_mutex_lock(&mutex);
	return locked(make(path, true, &inode));
}

static int lossy_unlink(const char *path)
{
	const char *name;
	int hung = gate("unlink");
	if (hung) {
		return hung;
	}
	pthread_mutex_lock(&mutex);
	struct inode *directory = directory_of(path, &name);
	struct entry **at = directory ? entry_of(directory, name) : NULL;
	if (!at || !*at) {
		return locked(-ENOENT);
	}
	drop(at);
	touch(directory);
	return locked(0);
}

static int lossy_rename(const char *from, const char *to, unsigned flags)
{
	const char *name, *wanted;
	int hung = gate("rename");
	if (hung) {
		return hung;
	}
	pthread_mutex_lock(&mutex);
	struct inode *source = directory_of(from, &name), *target = directory_of(to, &wanted);
	int error = fault(FAULT_RENAME);
	if (error || !source || !target || !*entry_of(source, name)) {
		return locked(error ? error : -ENOENT);
	}
	if (flags & ~(unsigned)RENAME_NOREPLACE) {
		return locked(-EINVAL);
	}
	struct inode *inode = (*entry_of(source, name))->inode;
	if (*entry_of(target, wanted)) {
		if (flags & RENAME_NOREPLACE) {
			return locked(-EEXIST);
		}
		drop(entry_of(target, wanted));
	}
	drop(entry_of(source, name));
	add(&target->entries, inode, wanted);
	touch(source);
	touch(target);
	return locked(0);
}

static int resize(struct inode *inode, size_t size)
{
	inode->now.data = must(realloc(inode->now.data, size + 1));
	if (size > inode->now.size) {
		memset(inode->now.data + inode->now.size, 0, size - inode->now.size);
	}
	inode->now.size = size;
	if (inode->lost.size > size) {
		inode->lost.size = size;
	}
	return 0;
}

static int lossy_truncate(const char *path, off_t size, struct fuse_file_info *info)
{
	int hung = gate("write");
	if (hung) {
		return hung;
	}
	pthread_mutex_lock(&mutex);
	struct inode *inode = inode_of(path, info);
	return locked(inode ? resize(inode, (size_t)size) : -ENOENT);
}

static int lossy_read(const char *path, char *buffer, size_t size, off_t offset,
		      struct fuse_file_info *info)
{
	int hung = gate("read");
	if (hung) {
		return hung;
	}
	pthread_mutex_lock(&mutex);
	const struct inode *inode = inode_of(path, info);
	size_t start = (size_t)offset < inode->now.size ? (size_t)offset : inode->now.size;
	size_t length = size < inode->now.size - start ? size : inode->now.size - start;
	memcpy(buffer, inode->now.data ? inode->now.data + start : "", length);
	return locked((int)length);
}

static int lossy_write(const char *path, const char *buffer, size_t size, off_t offset,
		       struct fuse_file_info *info)
{
	int hung = gate("write");
	if (hung) {
		return hung;
	}
	pthread_mutex_lock(&mutex);
	struct inode *inode = inode_of(path, info);
	size_t end = (size_t)offset + size;
	int error = inode->is_journal ? 0 : fault(FAULT_WRITE);
	if (error) {
		return locked(error);
	}
	if (end > inode->now.size) {
		resize(inode, end);
	}
	memcpy(inode->now.data + offset, buffer, size);
	for (size_t i = (size_t)offset; i < end && i < inode->lost.size; i++) {
		inode->lost.data[i] = 0;
	}
	touch(inode);
	return locked((int)size);
}

/* A journal is closed at some time after the answer that the test waits for. */
static int lossy_flush(const char *path, struct fuse_file_info *info)
{
	int hung = gate("close");
	if (hung) {
		return hung;
	}
	pthread_mutex_lock(&mutex);
	return locked(inode_of(path, info)->is_journal ? 0 : fault(FAULT_CLOSE));
}

static int lossy_fsync(const char *path, int data_only, struct fuse_file_info *info)
{
	(void)data_only;
	int hung = gate("fsync");
	if (hung) {
		return hung;
	}
	pthread_mutex_lock(&mutex);
	int error = fault(FAULT_FSYNC);
	if (error) {
		lose_bytes(inode_of(path, info));
	} else {
		sync_inode(inode_of(path, info));
	}
	return locked(error);
}

static int lossy_utimens(const char *path, const struct timespec times[2],
			 struct fuse_file_info *info)
{
	int hung = gate("write");
	if (hung) {
		return hung;
	}
	pthread_mutex_lock(&mutex);
	struct inode *inode = inode_of(path, info);
	if (inode && times[1].tv_nsec != UTIME_OMIT) {
		inode->modified = times[1];
	}
	return locked(inode ? 0 : -ENOENT);
}

/* A signal of libfuse wakes up the thread of a call that is interrupted. */
static void on_signal(int signal)
{
	(void)signal;
}

static void *lossy_init(struct fuse_conn_info *connection, struct fuse_config *config)
{
	(void)connection;
	pthread_t thread;
	config->hard_remove = 1;
	config->nullpath_ok = 1; /* of an open file that was removed */
	config->intr = 1;
	signal(SIGUSR1, on_signal);
	config->entry_timeout = config->attr_timeout = 0;
	if (pthread_create(&thread, NULL, obey, NULL)) {
		abort();
	}
	pthread_detach(thread);
	return NULL;
}

int main(int argc, char *argv[])
{
	static const struct fuse_operations calls = {
		.init = lossy_init,
		.getattr = lossy_getattr,
		.access = lossy_access,
		.readdir = lossy_readdir,
		.open = lossy_open,
		.opendir = lossy_open,
		.create = lossy_create,
		.mkdir = lossy_mkdir,
		.unlink = lossy_unlink,
		.rename = lossy_rename,
		.truncate = lossy_truncate,
		.read = lossy_read,
		.write = lossy_write,
		.flush = lossy_flush,
		.fsync = lossy_fsync,
		.fsyncdir = lossy_fsync,
		.utimens = lossy_utimens,
		.setxattr = lossy_setxattr,
	};
	char *arguments[] = {argv[0],
			     "-f",
			     "-o",
			     getuid() == 0 ? "max_threads=64,allow_other" : "max_threads=64",
			     argc > 1 ? argv[1] : NULL,
			     NULL};
	return argc == 2 ? fuse_main(5, arguments, &calls, NULL) : 2;
}
