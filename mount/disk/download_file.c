/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* sync_file_range */

#include "mount/disk/download_internal.h"

#include "mount/disk/room.h"
#include "mount/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Bytes after which their write-back begins, so that the sync at the end is short. */
#define WRITE_BACK ((uint64_t)8 * 1024 * 1024)

/* Bytes that are read from a stream at once. */
#define PIECE ((size_t)256 * 1024)

void download_warn(const struct download *download, const char *name, const char *why)
{
	char path[LOCATION_PATH_SIZE];
	location_path(&download->location, name, path);
	log_warning("%s: %s", path, why);
}

/* ---- the next step ---- */

void download_step_again(struct download *download, enum stage stage)
{
	download->stage = stage;
	transfer_again(&download->transfer);
}

void download_read_on(struct download *download, bool synced)
{
	download->stage = STAGE_TRANSFER;
	transfer_renew(&download->transfer, OP_READ, PIECE);
	hub_download_read(download->hub, download->ino, synced, &download->transfer.request);
}

/* ---- the journal ---- */

void download_begin_journal(struct download *download)
{
	const struct inbox_arrival *arrival = download->arrival;
	const struct journal_head head = {
		.own = arrival->own,
		.peer = arrival->peer,
		.sid = arrival->sid,
		.block_size = arrival->block_size,
		.announced_size = arrival->size,
		.part_size = download->part_size,
		.contact = download->location.contact,
		.folder = download->location.folder,
		.name = download->file.name,
		.part_name = download->file.part_name,
	};
	if (!arrival->resumable) {
		return;
	}
	verdict_name_set(&download->verdict, arrival->own, arrival->peer, arrival->sid);
	int error = journal_begin(&download->location.inbox->journals, &download->journal, &head);
	if (error) {
		download_warn(download, download->file.part_name, strerror(-error));
	} else {
		hub_download_set_journaled(download->hub, download->ino, true);
	}
}

int download_forget_verdict(const struct download *download)
{
	const struct inbox_arrival *arrival = download->arrival;
	struct verdict_name name;
	if (!arrival->own) {
		return 0;
	}
	verdict_name_set(&name, arrival->own, arrival->peer, arrival->sid);
	return verdict_file_forget(&download->location.inbox->journals, &name);
}

/* An earlier record must not stay: the bytes will be acknowledged. */
static void end_journal(struct download *download)
{
	if (download->journal.fd >= 0) {
		hub_download_set_journaled(download->hub, download->ino, false);
		journal_end(&download->location.inbox->journals, &download->journal);
	}
}

void download_note(struct download *download, const struct op *op)
{
	struct journal *journal = &download->journal;
	if (journal->fd < 0) {
		return;
	}
	int error = op->result == STREAM_SKIP
			    ? journal_note_skip(journal, op->offset, op->end)
			    : journal_note(journal, op->data, (size_t)op->result, op->end);
	if (error) {
		download_warn(download, download->file.part_name, strerror(-error));
		end_journal(download);
	}
}

/* ---- bytes ---- */

static void start_write_back(struct download *download)
{
	uint64_t length = download->written - download->started;
	if (download->location.inbox->syncer && length >= WRITE_BACK) {
		sync_file_range(download->file.fd, (off64_t)download->started, (off64_t)length,
				SYNC_FILE_RANGE_WRITE); /* an error is fdatasync's, too */
		download->started = download->written;
	}
}

uint64_t download_size(const struct download *download)
{
	return download->written > download->part_size ? download->written : download->part_size;
}

/* Somebody may have cut the file: what is written behind its end would have zeros before it. */
static int check_uncut(const struct download *download)
{
	struct stat status;
	int error = part_file_stat(&download->file, &status);
	if (error) {
		return error;
	}
	return (uint64_t)status.st_size < download->written ? -EIO : 0;
}

int download_write(struct download *download, const struct op *op)
{
	size_t length = (size_t)op->result, done = 0;
	int error = check_uncut(download);
	if (!error) {
		error = room_reserve(download->location.inbox, download->hub, &download->claim,
				     download->written + length);
	}
	if (error) {
		return error;
	}
	while (!error && done < length) {
		ssize_t written = pwrite(download->file.fd, op->data + done, length - done,
					 (off_t)(download->written + done));
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
	download_note(download, op);
	return 0;
}

int download_cut(struct download *download, uint64_t size)
{
	claim_begin_change(&download->claim);
	int error = part_file_cut(&download->file, size);
	if (error) {
		claim_keep(&download->claim);
		return error;
	}
	claim_cut(&download->claim, size);
	return 0;
}

/* ---- syncs and the name ---- */

static struct download *download_of(struct sync *sync)
{
	return (struct download *)((char *)sync - offsetof(struct download, sync));
}

int download_check(const struct download *download, bool whole)
{
	int64_t size = part_file_size(&download->file);
	if (size < 0) {
		return (int)size;
	}
	bool fits =
		whole ? (uint64_t)size == download->written : (uint64_t)size >= download->written;
	return fits ? 0 : -EIO;
}

/* Its bytes are durable, or need not be: the file gets its name, and readers find it there. 0 or
 * -errno. */
static int name_file(struct sync *sync)
{
	struct download *download = download_of(sync);
	char path[LOCATION_PATH_SIZE];
	int error = download_check(download, true);
	if (!error) {
		error = part_file_close(&download->file);
		sync->lost = error < 0;
	}
	if (!error) {
		journal_note_whole(&download->journal);
		claim_begin_change(&download->claim);
		error = part_file_rename(&download->file);
		claim_keep(&download->claim);
	}
	if (error) {
		return error;
	}
	location_path(&download->location, download->file.name, path);
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
	struct inbox *inbox = download->location.inbox;
	/* Also the directory of a contact that somebody else has made. */
	bool durable = directories_are_as_synced(&inbox->directories, inbox->fd);
	download->sync = (struct sync){
		.directories = &inbox->directories,
		.fd = download->file.fd,
		.directory = download->file.directory,
		.above = durable ? -1 : inbox->fd,
		.name = name,
		.done = deliver_sync,
	};
	syncer_submit(inbox->syncer, &download->sync);
}

void download_sync(struct download *download)
{
	if (!download->location.inbox->syncer) {
		download_read_on(download, true); /* nothing need be durable */
		return;
	}
	download->stage = STAGE_SYNC;
	transfer_renew(&download->transfer, OP_FLUSH, 0);
	submit_sync(download, NULL);
}

void download_finish(struct download *download)
{
	struct sync *sync = &download->sync;
	struct inbox *inbox = download->location.inbox;
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

/* ---- the end ---- */

void download_use_part(const struct download *download)
{
	char path[LOCATION_PATH_SIZE];
	location_path(&download->location, download->file.part_name, path);
	hub_use_part(download->hub, path);
}

void download_leave_part(const struct download *download)
{
	char path[LOCATION_PATH_SIZE];
	location_path(&download->location, download->file.part_name, path);
	struct stat status = {.st_size = (off_t)download_size(download)};
	clock_gettime(CLOCK_REALTIME, &status.st_mtim);
	part_file_stat(&download->file, &status);
	part_file_unlock(&download->file);
	hub_leave_part(download->hub, path, &status);
}

/* For the next process: what the peer is about to be told. */
static void note_verdict(const struct download *download, enum condition verdict)
{
	verdict_file_note(&download->location.inbox->journals, &download->verdict, verdict);
}

/* Takes the file's name back. 0 or -errno. */
static int unname(struct download *download)
{
	claim_begin_change(&download->claim);
	int error = part_file_unname(&download->file);
	claim_keep(&download->claim);
	return error;
}

/* No file of that name remains. If it was taken out by hand, a count may know that already. */
static void discard(struct download *download, const char *name)
{
	claim_begin_change(&download->claim);
	if (unlinkat(download->file.directory, name, 0) == 0) {
		claim_give_back(&download->claim);
	} else {
		claim_keep(&download->claim);
	}
	location_remove_empty(&download->location);
}

/* A later stream must not go on with bytes that no sync writes any more. */
static void drop_lost(struct download *download)
{
	if (!download->sync.lost) {
		return;
	}
	int error = download_cut(download, 0);
	if (error) {
		download_warn(download, download->file.part_name, strerror(-error));
	} else {
		download->written = download->part_size = 0;
	}
}

void download_fail(struct download *download, int error, bool of_disk)
{
	if (error == -ESHUTDOWN && download->journal.fd >= 0) {
		return; /* the next process goes on */
	}
	int failed = unname(download);
	drop_lost(download);
	if (of_disk) {
		note_verdict(download, condition_of_storage(error));
	}
	end_journal(download);
	if (failed) {
		download_warn(download, download->file.name, strerror(-failed));
	}
	/* As soon as the hub knows of the end, another stream may go on with the file. */
	char path[LOCATION_PATH_SIZE];
	location_path(&download->location, download->file.part_name, path);
	download_leave_part(download);
	int result = hub_download_end(download->hub, download->ino, path, error);
	bool wrong = result == -EBADMSG;
	if (download->beginning.size > 0 && !download->accepted) {
		hub_show_part(download->hub, path); /* it is as it was */
		return;
	}
	if (wrong) {
		download_warn(download, download->file.part_name,
			      "it is not what was offered: removed");
	}
	if (result == -ENOENT || wrong || (download_size(download) == 0 && !of_disk)) {
		/* The file was removed from the mount, it is wrong, or nothing of it has come. */
		if (part_file_relock(&download->file)) {
			hub_remove_part(download->hub, path);
			discard(download, download->file.part_name);
		}
	} else {
		download_warn(download, download->file.part_name, strerror(-error));
	}
}

void download_conclude(struct download *download)
{
	struct inbox *inbox = download->location.inbox;
	int error = (int)download->transfer.request.op.result;
	char path[LOCATION_PATH_SIZE];
	if (error) {
		download_fail(download, error, true);
		return;
	}
	location_path(&download->location, download->file.name, path);
	note_verdict(download, CONDITION_NONE);
	int result = hub_download_end(download->hub, download->ino, path, 0);
	if (hub_has_ended(download->hub)) {
		atomic_store(&inbox->unheard, true);
	}
	journal_end(&inbox->journals, &download->journal);
	location_path(&download->location, download->file.part_name, path);
	hub_remove_part(download->hub, path);
	if (result == -ENOENT) {
		/* It was removed from the mount meanwhile. */
		note_verdict(download, CONDITION_NOT_ACCEPTABLE);
		discard(download, download->file.name);
	}
}
