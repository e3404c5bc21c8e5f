/* SPDX-License-Identifier: MIT */
/*
 * journal - a small file, in a hidden directory of the inbox, by which the next process resumes a
 * stream that is being received.
 *
 *     inbox's pool    write a piece to NAME.part; journal_note; tell the hub, which acknowledges
 *     next process    journals_find; NAME.part must have the bytes of the record (download.c)
 *
 * Nothing is synced. When a process is killed, or a machine is restarted in order, its writes stay.
 * After a loss of power, each of them may be on disk or not, in any order. That never results in a
 * wrong file:
 *
 *     bytes are missing that the record has    the checksum of NAME.part differs: it is not resumed
 *     the record is an earlier one             the peer is told to go back behind what was
 *                                              acknowledged, and ends the stream (ibb/resumption.c)
 *     the record is cut                        its own checksum differs: it is not resumed
 *
 * Then the peer's write fails, and NAME.part stays as a part. The alternative would be a sync
 * before each acknowledgement, which costs most of the throughput.
 *
 * The checksum has neither the bytes that were skipped nor those before them. At the end, the whole
 * file is compared with the digest of the peer (digests.h).
 *
 * A journal that is not needed any more is used for the next stream. That costs one write; a new
 * file would also cost a directory entry. Each process locks its journals, as several processes may
 * use an inbox.
 *
 * Errors:  0 or -errno.
 * Threads: any; a journal is that of one at a time.
 */
#ifndef MOUNT_DISK_JOURNAL_H
#define MOUNT_DISK_JOURNAL_H

#include "mount/disk/journal_format.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

/* In the inbox; no directory of a contact begins with a dot. */
#define JOURNAL_DIRECTORY ".ibbfs"

/* Their names are the numbers below that. */
#define JOURNAL_NUMBERS 100000

/* Journals that wait for the next stream. */
#define JOURNAL_SPARE 16

struct journal {
	int fd;			  /* -1: none */
	unsigned number;	  /* its name */
	uint64_t blocks, skipped; /* as in its record */
	struct checksum sum;
};

struct journals {
	int inbox, directory; /* the inbox's descriptor; or -1 */
	pthread_mutex_t mutex;
	/* Under it: */
	struct journal spare[JOURNAL_SPARE];
	unsigned spare_length;
	unsigned next; /* the next name to try */
};

/* A journal of an earlier process, opened and locked. */
struct journal_found {
	struct journal journal;
	struct journal_head head; /* its strings are in `bytes` */
	struct journal_record record;
	time_t written;
	struct journal_found *next;
	uint8_t bytes[JOURNAL_MAX_SIZE];
};

/* `inbox`: a descriptor of the directory, which must stay open. */
void journals_init(struct journals *journals, int inbox);

/* Removes the journals that wait for the next stream. No journal is begun any more. */
void journals_close(struct journals *journals);

/* Likewise, if that was not done. */
void journals_finish(struct journals *journals);

/* Reads the journals of earlier processes. Returns a list, whose members the caller frees. Journals
 * that cannot be used are removed. A journal that another process has locked is waited for, for a
 * moment: that process may be about to end. Then the journal is left to it. */
struct journal_found *journals_find(struct journals *journals);

/* After journals_find: whether no other process uses the directory. One that does is waited for, as
 * above. */
bool journals_are_ours(const struct journals *journals);

void journal_init(struct journal *journal);

/* Begins a journal of a stream that has received nothing. */
int journal_begin(struct journals *journals, struct journal *journal,
		  const struct journal_head *head);

/* The next bytes are in the file: all bytes of `blocks` blocks are there. */
int journal_note(struct journal *journal, const void *bytes, size_t length, uint64_t blocks);

/* Likewise, after a skip that ends at `end`. */
int journal_note_skip(struct journal *journal, uint64_t end, uint64_t blocks);

/* That was all, and is durable: the file is about to get its name. No effect if the journal was not
 * begun. */
void journal_note_whole(const struct journal *journal);

/* The journal is not needed any more. No effect if it was not begun. */
void journal_end(struct journals *journals, struct journal *journal);

/* The journal is left for the next process. No effect if it was not begun. */
void journal_leave(struct journal *journal);

#endif
