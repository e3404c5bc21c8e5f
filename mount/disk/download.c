/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* sync_file_range */

#include "mount/disk/download.h"

#include "account/inbox_file.h"
#include "account/name.h"
#include "mount/disk/beginning.h"
#include "mount/disk/claim.h"
#include "mount/disk/folder.h"
#include "mount/disk/journal.h"
#include "mount/disk/partial.h"
#include "mount/disk/syncer.h"
#include "mount/disk/transfer.h"
#include "mount/disk/verification.h"
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

/* "CONTACT/FOLDER/NAME", and the suffix. */
#define PATH_SIZE (2 * NAME_MAX_BYTES + NAME_FOLDER_SIZE + 3 + sizeof(NAME_PART_SUFFIX))

/* What the next step does. */
enum stage {
	STAGE_CREATE,
	STAGE_READ,   /* what is there already of an offered file */
	STAGE_VERIFY, /* what an earlier process has written */
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
	struct claim claim;
	uint64_t started; /* bytes whose write-back has begun */
	unsigned made;	  /* inbox.made, when it was synced */
	struct partial file;
	struct beginning beginning;
	bool accepted; /* its bytes may come */
	char contact[NAME_MAX_BYTES + 1], folder[NAME_FOLDER_SIZE];
	struct journal journal;
	struct journal_head *head; /* of the journal, until it is begun; or NULL */
	struct verification verification;
};

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
		if (download->file.directory >= 0) {
			close(download->file.directory);
		}
		strcpy(download->folder, folder);
		download->file.directory = open_directory(download);
		error = download->file.directory >= 0 ? partial_create(&download->file, name)
						      : download->file.directory;
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

static void start_write_back(struct download *download)
{
	uint64_t length = download->written - download->started;
	if (download->inbox->syncer && length >= WRITE_BACK) {
		sync_file_range(download->file.fd, (off64_t)download->started, (off64_t)length,
				SYNC_FILE_RANGE_WRITE); /* an error is fdatasync's, too */
		download->started = download->written;
	}
}

/* ---- the journal ---- */

/* Without a journal, the stream ends with us. */
static void begin_journal(struct download *download)
{
	struct journal_head *head = download->head;
	if (!head) {
		return;
	}
	head->contact = download->contact;
	head->folder = download->folder;
	head->name = download->file.name;
	head->part = download->file.part;
	int error = journal_begin(&download->inbox->journals, &download->journal, head);
	free(head);
	download->head = NULL;
	if (error) {
		warn(download, download->file.part, strerror(-error));
	} else {
		hub_download_set_journaled(download->hub, download->ino, true);
	}
}

/* An earlier record must not stay: the bytes will be acknowledged. */
static void end_journal(struct download *download)
{
	if (download->journal.fd >= 0) {
		hub_download_set_journaled(download->hub, download->ino, false);
		journal_end(&download->inbox->journals, &download->journal);
	}
}

/* The bytes of a read are in the file. */
static void note(struct download *download, const struct op *op)
{
	if (download->journal.fd < 0) {
		return;
	}
	int error = journal_note(&download->journal, op->data, (size_t)op->result, op->end);
	if (error) {
		warn(download, download->file.part, strerror(-error));
		end_journal(download);
	}
}

/* ---- the file ---- */

static int write_piece(struct download *download, const struct op *op)
{
	size_t length = (size_t)op->result, done = 0;
	int error = claim_reserve(&download->claim, download->written + length);
	if (error) {
		return error;
	}
	while (!error && done < length) {
		ssize_t written = write(download->file.fd, op->data + done, length - done);
		error = written < 0 && errno != EINTR ? -errno : 0;
		done += written > 0 ? (size_t)written : 0;
	}
	/* After an error, the bytes before it are in the file. */
	download->written += done;
	claim_spend(&download->claim, download->written);
	if (error) {
		return error;
	}
	start_write_back(download);
	note(download, op);
	return 0;
}

static struct download *download_of(struct sync *sync)
{
	return (struct download *)((char *)sync - offsetof(struct download, sync));
}

/* Its bytes are durable, or need not be: the file gets its name, and readers find it there. 0 or
 * -errno. */
static int name_file(struct sync *sync)
{
	struct download *download = download_of(sync);
	char path[PATH_SIZE];
	int error = partial_close(&download->file);
	if (!error) {
		error = partial_rename(&download->file);
	}
	if (error) {
		return error;
	}
	path_of(download, download->file.name, path);
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
		.fd = download->file.fd,
		.directory = download->file.directory,
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
		futimens(download->file.fd, times); /* a date out of range is ignored */
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

/* `of_disk`: the file could not be stored; otherwise its stream has failed. */
static void fail(struct download *download, int error, bool of_disk)
{
	if (error == -ESHUTDOWN && download->journal.fd >= 0) {
		return; /* the next process goes on */
	}
	int failed = partial_unname(&download->file);
	end_journal(download);
	if (failed) {
		warn(download, download->file.name, strerror(-failed));
	}
	int result = hub_download_end(download->hub, download->ino, "", error);
	bool wrong = result == -EBADMSG;
	if (download->beginning.size > 0 && !download->accepted) {
		return; /* it is as it was */
	}
	if (wrong) {
		warn(download, download->file.part, "it is not what was offered: removed");
	}
	if (result == -ENOENT || wrong || (download->written == 0 && !of_disk)) {
		/* The file was removed from the mount, it is wrong, or nothing of it has come: no
		 * .part file remains. */
		claim_give_back(&download->claim);
		unlinkat(download->file.directory, download->file.part, 0);
		prune(download);
		download->written = 0;
	} else {
		warn(download, download->file.part, strerror(-error));
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
	path_of(download, download->file.name, path);
	int result = hub_download_end(download->hub, download->ino, path, 0);
	journal_end(&inbox->journals, &download->journal);
	if (result == -ENOENT) {
		/* It was removed from the mount meanwhile. */
		claim_give_back(&download->claim);
		unlinkat(download->file.directory, download->file.name, 0);
		prune(download);
	}
}

/* ---- the steps ---- */

static bool decline(const struct download *download, int error)
{
	/* Who sends more than fits may go on sending: the first line says it. */
	if (error != -EDQUOT || quota_tell(&download->inbox->quota)) {
		warn(download, download->file.name,
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

/* The next step follows when the stream is open. */
static void await_bytes(struct download *download)
{
	char path[PATH_SIZE];
	download->stage = STAGE_TRANSFER;
	path_of(download, download->file.part, path);
	transfer_renew(&download->transfer, OP_FLUSH, 0);
	hub_download_begin(download->hub, download->ino, path, &download->transfer.request);
}

/* The next step follows at once, behind what else waits for the disk. */
static void read_beginning(struct download *download)
{
	struct request *request = &download->transfer.request;
	download->stage = STAGE_READ;
	transfer_renew(&download->transfer, OP_FLUSH, 0);
	request->op.result = 0;
	request->deliver(request);
}

/* Whether there is a part of the file already, of which the rest is asked for. */
static bool open_beginning(struct download *download, const char *name)
{
	char path[PATH_SIZE];
	const char *last;
	uint64_t size;
	struct partial *file = &download->file;
	if (download->beginning.algorithm == HASH_NONE) {
		return false;
	}
	path_of(download, name, path);
	file->directory = folder_open_above(download->inbox->fd, path, &last);
	if (file->directory < 0 ||
	    !beginning_open(&download->beginning, file, name, download->announced, &size)) {
		return false;
	}
	claim_adopt(&download->claim, size);
	return true;
}

/* Makes a file for an arrival, or declines it when there is no room. */
static bool begin(struct download *download)
{
	char name[NAME_MAX_BYTES + 1];
	strcpy(name, download->file.name);
	bool is_there = open_beginning(download, name);
	int error = claim_reserve(&download->claim, download->announced);
	forget_missing(download);
	if (error) {
		return decline(download, error);
	}
	if (is_there) {
		read_beginning(download);
		return true;
	}
	error = open_file(download, name);
	if (error) {
		return decline(download, error);
	}
	claim_spend(&download->claim, 0);
	begin_journal(download);
	await_bytes(download);
	return true;
}

/* The next step of what an earlier process has begun: reads a part of the file. */
static bool verify(struct download *download)
{
	struct partial *file = &download->file;
	bool ended = false;
	int error = (int)download->transfer.request.op.result;
	if (error) {
		fail(download, error, false);
		return false;
	}
	error = verification_read(&download->verification, file->fd, &ended);
	/* A piece may have been written without its record. */
	if (!error && ended &&
	    (ftruncate(file->fd, (off_t)download->written) ||
	     lseek(file->fd, (off_t)download->written, SEEK_SET) < 0)) {
		error = -errno;
	}
	if (error) {
		fail(download, error, true);
		return false;
	}
	if (ended) {
		claim_cut(&download->claim, download->written);
	}
	await_bytes(download);
	download->stage = ended ? STAGE_TRANSFER : STAGE_VERIFY;
	return true;
}

/* Reads a part of what is there already; after the last one, asks for the rest. */
static bool go_on_reading(struct download *download)
{
	struct beginning *beginning = &download->beginning;
	bool ended = false;
	/* Its sender may have withdrawn it meanwhile. */
	int error = hub_download_is_offered(download->hub, download->ino)
			    ? beginning_read(beginning, &download->file, &ended)
			    : -ECONNRESET;
	if (!error && !ended) {
		read_beginning(download);
		return true;
	}
	if (!error) {
		download->written = download->started = beginning->size;
		error = hub_download_continue(download->hub, download->ino, beginning->size,
					      beginning_take(beginning));
	}
	if (error) {
		fail(download, error, true);
		return false;
	}
	await_bytes(download);
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
	download->accepted = true;
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
	case STAGE_READ:
		return go_on_reading(download);
	case STAGE_VERIFY:
		return verify(download);
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
	claim_finish(&download->claim);
	beginning_finish(&download->beginning);
	partial_finish(&download->file);
	op_finish(&transfer->request.op);
	journal_leave(&download->journal);
	free(download->head);
	free(download);
	atomic_fetch_sub(&inbox->downloads, 1); /* the inbox may go now */
}

/* What the journal will say of an arrival; NULL: it can have none. */
static struct journal_head *make_head(const struct inbox_arrival *arrival)
{
	size_t own = arrival->own ? strlen(arrival->own) + 1 : 0;
	size_t peer = arrival->own ? strlen(arrival->peer) + 1 : 0;
	size_t sid = arrival->own ? strlen(arrival->sid) + 1 : 0;
	struct journal_head *head = own > 0 ? calloc(1, sizeof(*head) + own + peer + sid) : NULL;
	if (head) {
		char *at = (char *)(head + 1);
		head->own = memcpy(at, arrival->own, own);
		head->peer = memcpy(at + own, arrival->peer, peer);
		head->sid = memcpy(at + own + peer, arrival->sid, sid);
		head->block_size = arrival->block_size;
		head->announced = arrival->size;
	}
	return head;
}

static struct download *create(struct inbox *inbox, struct hub *hub, const char *contact,
			       const char *folder, const char *name)
{
	struct download *download = calloc(1, sizeof(*download));
	if (!download) {
		return NULL;
	}
	download->transfer.step = step;
	download->transfer.end = end;
	download->transfer.pool = inbox->pool;
	download->inbox = inbox;
	download->hub = hub;
	claim_init(&download->claim, &inbox->quota);
	partial_init(&download->file, name);
	journal_init(&download->journal);
	snprintf(download->contact, sizeof(download->contact), "%s", contact);
	snprintf(download->folder, sizeof(download->folder), "%s", folder);
	return download;
}

/* Begins the download of an arrival (borrowed for the call). */
static void receive(void *context, struct hub *hub, const struct inbox_arrival *arrival)
{
	struct inbox *inbox = context;
	struct download *download =
		create(inbox, hub, arrival->contact, arrival->folder, arrival->name);
	bool many = atomic_load(&inbox->downloads) >= MAX_DOWNLOADS;
	if (!download || many) {
		log_warning("%s/%s: %s", arrival->contact, arrival->name,
			    many ? "too many files come at once" : "out of memory");
		hub_download_decline(hub, arrival->ino);
		free(download);
		return;
	}
	atomic_fetch_add(&inbox->downloads, 1);
	download->ino = arrival->ino;
	download->date = arrival->date;
	download->announced = arrival->size > 0 ? (uint64_t)arrival->size : 0;
	download->beginning.algorithm = arrival->digest;
	download->head = make_head(arrival);
	transfer_start(&download->transfer);
	/* cppcheck-suppress memleak ; the transfer's */
}

void download_attach(struct inbox *inbox, struct hub *hub)
{
	hub_set_inbox(hub, (struct hub_inbox){.context = inbox,
					      .syncs = inbox->syncer != NULL,
					      .receive = receive});
}

/* ---- what an earlier process has begun ---- */

/* Opens the directory of the file. */
static int open_existing(const struct download *download)
{
	char path[PATH_SIZE];
	const char *name;
	path_of(download, "x", path);
	return folder_open_above(download->inbox->fd, path, &name);
}

static int reopen(struct download *download)
{
	struct partial *file = &download->file;
	file->directory = open_existing(download);
	if (file->directory < 0) {
		return file->directory;
	}
	int64_t size = partial_reopen(file, download->file.name);
	if (size < 0) {
		return (int)size;
	}
	claim_adopt(&download->claim, (uint64_t)size);
	return 0;
}

int download_resume(struct inbox *inbox, struct hub *hub, struct journal_found *found)
{
	const struct journal_head *head = &found->head;
	const struct inbox_path path = {head->contact, head->folder, head->name};
	struct download *download = create(inbox, hub, head->contact, head->folder, head->name);
	struct stream_facts facts = {
		.peer = head->peer,
		.sid = head->sid,
		.block_size = head->block_size,
		.announced_size = head->announced,
		.received = found->record.sum.length,
		.blocks = found->record.blocks,
	};
	int error = download ? reopen(download) : -ENOMEM;
	if (!error) {
		error = hub_resume_inbox_file(hub, &path, head->part, &facts, &download->ino);
	}
	if (error) {
		if (download) {
			partial_finish(&download->file);
		}
		free(download);
		return error;
	}
	atomic_fetch_add(&inbox->downloads, 1);
	download->date = METADATA_NO_DATE;
	download->announced = head->announced > 0 ? (uint64_t)head->announced : 0;
	download->written = download->started = facts.received;
	download->journal = found->journal;
	verification_init(&download->verification, &found->record.sum);
	download->stage = STAGE_VERIFY;
	transfer_start(&download->transfer);
	return 0;
}
