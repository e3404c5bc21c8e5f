/* SPDX-License-Identifier: MIT */
#include "mount/disk/download.h"

#include "mount/disk/download_internal.h"
#include "mount/disk/room.h"
#include "mount/log.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the file is made, or found ---- */

static bool decline(const struct download *download, int error)
{
	/* A peer that sends more than fits may go on sending: one line is enough. */
	if (error != -EDQUOT || quota_tell(&download->location.inbox->quota)) {
		download_warn(download, download->file.name,
			      error == -EDQUOT ? "does not fit in the inbox" : strerror(-error));
	}
	if (download->file.fd >= 0) {
		download_leave_part(download);
	}
	hub_download_decline(download->hub, download->ino, error);
	return false;
}

/* After a count of the directory: removes the names of files that are missing. So there are only a
 * few more names than the inbox may have files. */
static void forget_missing(const struct download *download)
{
	struct inbox *inbox = download->location.inbox;
	struct hub *hub = download->hub;
	unsigned counts = quota_counts(&inbox->quota);
	char path[PATH_MAX];
	uint64_t ino = 0, missing = 0;
	if (atomic_exchange(&inbox->checked_counts, counts) == counts) {
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
	char path[LOCATION_PATH_SIZE];
	download->stage = STAGE_TRANSFER;
	location_path(&download->location, download->file.part_name, path);
	transfer_renew(&download->transfer, OP_FLUSH, 0);
	hub_download_begin(download->hub, download->ino, path, download->part_size,
			   &download->transfer.request);
}

/* Whether there is a part of the file already, of which the rest is asked for. */
static bool open_beginning(struct download *download, const char *name)
{
	uint64_t size;
	struct part_file *file = &download->file;
	if (download->beginning.algorithm == HASH_NONE) {
		return false;
	}
	if (location_open(&download->location, file) ||
	    !beginning_open(&download->beginning, file, name, download->announced_size, &size)) {
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
	bool goes_on = !is_there && download_keep_part(download, name);
	if (is_there || goes_on) {
		download_use_part(download);
	}
	int error = download_forget_verdict(download);
	error = error ? error
		      : room_reserve(download->location.inbox, download->hub, &download->claim,
				     download->announced_size);
	if (!error && (is_there || goes_on)) {
		error = location_sync(&download->location);
	}
	forget_missing(download);
	if (error) {
		return decline(download, error);
	}
	if (is_there) {
		download_step_again(download, STAGE_READ);
		return true;
	}
	error = goes_on ? 0
			: location_create(&download->location, download->hub, &download->file,
					  name);
	if (error) {
		return decline(download, error);
	}
	if (!goes_on) {
		claim_spend(&download->claim, 0);
	}
	download_begin_journal(download);
	await_bytes(download);
	return true;
}

/* Cuts off a piece that was written without its record. The part may be shorter than it was: it was
 * cut to the file's length, or somebody else has cut it behind what was received. */
static int cut_unrecorded(struct download *download)
{
	struct stat status;
	if (fstat(download->file.fd, &status)) {
		return -errno;
	}
	if ((uint64_t)status.st_size < download->written) {
		return -EIO;
	}
	if ((uint64_t)status.st_size < download->part_size) {
		download->part_size = (uint64_t)status.st_size;
	}
	return download_cut(download, download_size(download));
}

/* The next step of what an earlier process has begun: reads a part of the file. */
static bool verify(struct download *download)
{
	struct part_file *file = &download->file;
	bool ended = false;
	int error = (int)download->transfer.request.op.result;
	/* A part may take minutes, and the peer may not know the stream any more. */
	error = error ? error : hub_download_error(download->hub, download->ino);
	if (error) {
		download_fail(download, error, false);
		return false;
	}
	error = verification_read(&download->verification, file->fd, &ended);
	if (!error && ended) {
		error = cut_unrecorded(download);
	}
	if (!error && ended) {
		error = location_sync(&download->location);
	}
	if (error) {
		download_fail(download, error, true);
		return false;
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
		download_step_again(download, STAGE_READ);
		return true;
	}
	if (!error) {
		download->written = download->started = beginning->size;
		error = hub_download_continue(download->hub, download->ino, beginning->size,
					      beginning_take(beginning));
	}
	if (error) {
		download_fail(download, error, true);
		return false;
	}
	await_bytes(download);
	return true;
}

/* ---- bytes come ---- */

/* Stores what was read. */
static int store(struct download *download, const struct op *op)
{
	if (op->kind != OP_READ) {
		return 0;
	}
	return op->result == STREAM_SKIP ? download_skip(download, op)
					 : download_write(download, op);
}

/* Stores the bytes of the last read, and reads on. */
static bool go_on(struct download *download)
{
	const struct op *op = &download->transfer.request.op;
	bool reads = op->kind == OP_READ;
	if (reads && op->result == STREAM_SYNC) {
		download_sync(download);
		return true;
	}
	if (reads && op->result == STREAM_PAGE) {
		return download_begin_page(download, op->offset);
	}
	if (op->result < 0 && !(reads && op->result == STREAM_SKIP)) {
		download_fail(download, (int)op->result, false);
		return false;
	}
	if (reads && op->result == 0) {
		return download_end_part(download);
	}
	download->accepted = true;
	int error = store(download, op);
	if (error) {
		download_fail(download, error, true);
		return false;
	}
	download_read_on(download, false);
	return true;
}

static bool go_on_synced(struct download *download)
{
	int error = (int)download->transfer.request.op.result;
	error = error ? error : download_check(download, false);
	if (error) {
		download_fail(download, error, true);
		return false;
	}
	download_read_on(download, true);
	return true;
}

/* ---- the steps ---- */

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
	case STAGE_PAGE:
		return download_go_on_paging(download);
	case STAGE_COMPARE:
		return download_go_on_comparing(download);
	case STAGE_SYNC:
		return go_on_synced(download);
	case STAGE_CONCLUDE:
		break;
	}
	download_conclude(download);
	return false;
}

static void end(struct transfer *transfer)
{
	struct download *download = (struct download *)transfer;
	struct inbox *inbox = download->location.inbox;
	claim_finish(&download->claim);
	beginning_finish(&download->beginning);
	part_file_finish(&download->file);
	comparison_finish(&download->comparison);
	free(download->page);
	op_finish(&transfer->request.op);
	journal_leave(&download->journal);
	free(download->arrival);
	slots_leave(&inbox->slots, &download->slot); /* the inbox may go now */
	free(download);
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
	download->hub = hub;
	location_init(&download->location, inbox, contact, folder);
	claim_init(&download->claim, &inbox->quota);
	part_file_init(&download->file, name);
	journal_init(&download->journal);
	return download;
}

/* Begins the download of an arrival. */
static void receive(void *context, struct hub *hub, struct inbox_arrival *arrival)
{
	struct inbox *inbox = context;
	struct download *download =
		create(inbox, hub, arrival->contact, arrival->folder, arrival->name);
	bool many =
		download && !slots_take(&inbox->slots, &download->slot, download->location.contact);
	if (!download || many) {
		log_warning("%s/%s: %s", arrival->contact, arrival->name,
			    many ? "too many files come at once" : "out of memory");
		hub_download_decline(hub, arrival->ino, many ? -EMFILE : -ENOMEM);
		free(arrival);
		free(download);
		return;
	}
	download->ino = arrival->ino;
	download->date = arrival->date;
	download->announced_size = arrival->size > 0 ? (uint64_t)arrival->size : 0;
	download->beginning.algorithm = arrival->digest;
	download->arrival = arrival;
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

int download_resume(struct inbox *inbox, struct hub *hub, struct journal_found *found)
{
	const struct journal_head *head = &found->head;
	const struct inbox_path path = {head->contact, head->folder, head->name};
	struct download *download = create(inbox, hub, head->contact, head->folder, head->name);
	struct stream_facts facts = {
		.peer = head->peer,
		.sid = head->sid,
		.block_size = head->block_size,
		.announced_size = head->announced_size,
		.received = journal_record_end(&found->record),
		.blocks = found->record.blocks,
		.part_size = head->part_size,
		.has_skipped = found->record.skipped > 0,
	};
	int64_t size = download ? download_open_part(download, head->name) : -ENOMEM;
	int error = size < 0 ? (int)size : 0;
	if (!error) {
		error = hub_resume_inbox_file(hub, &path, head->part_name, &facts, &download->ino);
	}
	if (error) {
		if (download) {
			part_file_finish(&download->file);
		}
		free(download);
		return error;
	}
	slots_keep(&inbox->slots, &download->slot, download->location.contact);
	download->date = METADATA_NO_DATE;
	download->announced_size = head->announced_size > 0 ? (uint64_t)head->announced_size : 0;
	download->part_size = head->part_size;
	download->written = download->started = facts.received;
	download->journal = found->journal;
	verdict_name_set(&download->verdict, head->own, head->peer, head->sid);
	verification_init(&download->verification, &found->record);
	download->stage = STAGE_VERIFY;
	transfer_start(&download->transfer);
	return 0;
}
