/* SPDX-License-Identifier: MIT */
/*
 * verdict_file - a file beside the journals that says how the last streams have ended, for the next
 * process: a <close/> that comes again gets the same answer from it (ibb/verdicts.h).
 *
 *     inbox's pool    a stream begins; verdict_file_forget: a peer may use a sid again
 *     inbox's pool    the file is durable, or could not be stored; verdict_file_note; tell the hub,
 *                     which answers
 *     next process    verdict_file_read
 *
 * Each stream has one place in the file, by a hash, and a later one may take it. Of a stream whose
 * record is not there, or is damaged, nothing is known, and its sender takes that for an error.
 * Nothing is synced, as a record that is there is true: it is written after what it says. It is
 * about one stream, whose names it has, so several processes may use the file.
 *
 * Errors:  none are reported, but of verdict_file_forget.
 * Threads: any.
 */
#ifndef MOUNT_DISK_VERDICT_FILE_H
#define MOUNT_DISK_VERDICT_FILE_H

#include "ibb/condition.h"
#include "mount/disk/journal.h"

#include <time.h>

/* Which stream; zeroed memory is none. */
#define VERDICT_NAME_SIZE 480
struct verdict_name {
	char text[VERDICT_NAME_SIZE];
};

/* What a record says; the strings are borrowed for a call. */
struct verdict_record {
	const char *own, *peer, *sid; /* full JIDs */
	enum condition verdict;	      /* CONDITION_NONE: it is stored */
	time_t written;
};

/* Of full JIDs and a sid; the name is none if they are very long. */
void verdict_name_set(struct verdict_name *name, const char *own, const char *peer,
		      const char *sid);

/* No effect if `name` is none, or if no journal was begun or found. */
void verdict_file_note(const struct journals *journals, const struct verdict_name *name,
		       enum condition verdict);

/* Likewise; removes the record of that name, if there is one. 0, or -errno: it is still there. */
int verdict_file_forget(const struct journals *journals, const struct verdict_name *name);

/* Calls `visit` for each record. */
void verdict_file_read(const struct journals *journals,
		       void (*visit)(void *context, const struct verdict_record *record),
		       void *context);

/* No peer can ask any more (hub_ended_as): removes the file, unless it has records of another JID
 * than `own`. */
void verdict_file_remove(const struct journals *journals, const char *own);

#endif
