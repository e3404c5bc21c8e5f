/* SPDX-License-Identifier: MIT */
/*
 * download_internal - the part that the files of the download share: download.c (from the arrival
 * to the last byte, step by step), download_part.c (what an earlier stream has left of its file)
 * and download_file.c (its file: bytes, journal, name).
 *
 * Errors:  0 or -errno.
 * Threads: as download.h has it.
 */
#ifndef MOUNT_DISK_DOWNLOAD_INTERNAL_H
#define MOUNT_DISK_DOWNLOAD_INTERNAL_H

#include "account/inbox_file.h"
#include "mount/disk/beginning.h"
#include "mount/disk/claim.h"
#include "mount/disk/digests.h"
#include "mount/disk/journal.h"
#include "mount/disk/location.h"
#include "mount/disk/part_file.h"
#include "mount/disk/syncer.h"
#include "mount/disk/transfer.h"
#include "mount/disk/verdict_file.h"
#include "mount/disk/verification.h"
#include "mount/hub.h"

#include <stdbool.h>
#include <stdint.h>

/* What the next step does. */
enum stage {
	STAGE_CREATE,
	STAGE_READ,   /* what is there already of an offered file */
	STAGE_VERIFY, /* what an earlier process has written */
	STAGE_TRANSFER,
	STAGE_PAGE,	/* digests of what was there are computed */
	STAGE_COMPARE,	/* the whole is compared with its digest */
	STAGE_SYNC,	/* the bytes so far are durable, or could not be made so */
	STAGE_CONCLUDE, /* the file is durable, or could not be made so */
};

struct download {
	struct transfer transfer; /* first */
	struct sync sync;
	enum stage stage;
	struct hub *hub;
	struct location location;
	struct slot slot;
	uint64_t ino;
	int64_t date;
	uint64_t announced_size, written;
	uint64_t part_size; /* bytes that an earlier stream has left: to be skipped, or replaced */
	struct page *page;
	struct comparison comparison;
	struct claim claim;
	uint64_t started; /* bytes whose write-back has begun */
	struct part_file file;
	struct beginning beginning;
	bool accepted; /* its bytes may come */
	struct journal journal;
	struct verdict_name verdict;   /* of the stream, if the next process may hear of it */
	struct inbox_arrival *arrival; /* or NULL: an earlier process has begun it */
	struct verification verification;
};

/* ---- download_file.c ---- */

/* A line in the log about `name` there. */
void download_warn(const struct download *download, const char *name, const char *why);

/* The next step follows at once; or when bytes were read. */
void download_step_again(struct download *download, enum stage stage);
void download_read_on(struct download *download, bool synced);

/* What the peer was told of an earlier stream with that sid is not about this one. 0 or -errno. */
int download_forget_verdict(const struct download *download);

/* The file is made. Without a journal, the stream ends with us. */
void download_begin_journal(struct download *download);

/* The file is one of an earlier stream, with which this one goes on. */
void download_use_part(const struct download *download);

/* Another stream can go on with the file. */
void download_leave_part(const struct download *download);

/* Bytes of the file on disk. */
uint64_t download_size(const struct download *download);

/* What was read, or skipped, is in the file: for the journal. */
void download_note(struct download *download, const struct op *op);

/* Writes the bytes of a read, and notes them. */
int download_write(struct download *download, const struct op *op);

/* Whether the file still has its place in the inbox, and what was written: somebody may have
 * removed, replaced or cut it. `whole`: and nothing else. 0 or -errno. */
int download_check(const struct download *download, bool whole);

/* Cuts the file on disk to that size. */
int download_cut(struct download *download, uint64_t size);

/* The peer asks for it, or may believe that this was all: STAGE_SYNC follows, when it is durable.
 */
void download_sync(struct download *download);

/* Every byte is written: STAGE_CONCLUDE follows, when the file has its name. */
void download_finish(struct download *download);

/* The file is durable, and has its name, or could not get it: tells the hub. */
void download_conclude(struct download *download);

/* `of_disk`: the file could not be stored; otherwise its stream has failed. */
void download_fail(struct download *download, int error, bool of_disk);

/* ---- download_part.c ---- */

/* Opens NAME.part of an earlier stream: its size, or -errno. */
int64_t download_open_part(struct download *download, const char *name);

/* Likewise, if the stream may go on with it. Whether there is one. */
bool download_keep_part(struct download *download, const char *name);

/* The peer has what is there, up to op->offset. */
int download_skip(struct download *download, const struct op *op);

/* The steps of a part. As each step, they tell whether another one follows. */

/* The peer wants the digests from that piece on. */
bool download_begin_page(struct download *download, uint64_t first);
bool download_go_on_paging(struct download *download);

/* Every byte is written, or was there: the whole is compared with the digest that the peer has
 * told, and gets its name. */
bool download_end_part(struct download *download);
bool download_go_on_comparing(struct download *download);

#endif
