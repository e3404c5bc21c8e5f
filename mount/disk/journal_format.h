/* SPDX-License-Identifier: MIT */
/*
 * journal_format - the bytes of a journal: a record of what has come of a stream, and a head that
 * says which stream it is.
 *
 *     offset   0  record: bytes, blocks, whether these are all, checksum of the bytes, checksum of
 *                 the record; fixed size
 *            128  head: magic, block size, announced size, part, strings, checksum of the head
 *
 * The record is rewritten for each piece, the head is written once. Numbers have the byte order of
 * the machine. The magic tells journals of another byte order, or of another version.
 *
 * Errors:  0 or -errno.
 * Threads: pure functions.
 */
#ifndef MOUNT_DISK_JOURNAL_FORMAT_H
#define MOUNT_DISK_JOURNAL_FORMAT_H

#include "mount/disk/checksum.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOURNAL_RECORD_SIZE 128
#define JOURNAL_MAX_SIZE    ((size_t)16 * 1024)

/* Which stream, and where its bytes are. */
struct journal_head {
	const char *own;	      /* full JID */
	const char *peer, *sid;	      /* full JID */
	const char *contact, *folder; /* directories below the inbox; folder: "" for none */
	const char *name, *part_name; /* the wanted name, and that of the file */
	uint32_t block_size;
	int64_t announced_size; /* the size of the file, or -1 */
	uint64_t part_size; /* bytes that an earlier stream has left, which may be skipped; or 0 */
};

/* What has come of the stream. */
struct journal_record {
	uint64_t blocks;     /* and skips */
	uint64_t skipped;    /* where the last skip ends; 0: there was none */
	struct checksum sum; /* of all bytes behind that, which are in the file */
	bool is_whole;	     /* that is all of it: it is about to get its name */
};

/* Bytes of the file that have come, or were skipped. */
static inline uint64_t journal_record_end(const struct journal_record *record)
{
	return record->skipped + record->sum.length;
}

/* Returns the size. */
size_t journal_encode_record(uint8_t bytes[JOURNAL_RECORD_SIZE],
			     const struct journal_record *record);

/* The bytes that follow the record. Returns their count; 0: there is no room. */
size_t journal_encode_head(uint8_t bytes[JOURNAL_MAX_SIZE - JOURNAL_RECORD_SIZE],
			   const struct journal_head *head);

/* Parses a whole file. The strings of `head` are borrowed from `bytes`. -ENODATA: the journal is
 * not in use; -EPROTONOSUPPORT: it is of another version; -EBADMSG: it is cut or damaged. */
int journal_parse(const uint8_t *bytes, size_t length, struct journal_head *head,
		  struct journal_record *record);

#endif
